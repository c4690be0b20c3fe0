//! Every trial of a bench in one file, and what they say together: rates, trends, what failures follow, what changed.
//!
//! Boundary: it writes down what results say and counts what was written down; it runs nothing and judges no trial. Where a number is a
//! rate it has its n and its interval, and where two are compared how often chance would do that; worlds are never mixed.
//!
//! What is kept: every attempt of every trial of `brickproof run` and `brickproof replay`, wherever its evidence goes. The shots of
//! campaigns are not: they are made where failures are looked for, up to the edge of a window, so that their rates are those of the search
//! and not of the firmware; a campaign keeps its own journal.
//!
//! What acknowledged means: when [`History::record`] returns, its trials are in a committed transaction that was synchronised to the disk.
//! The command prints the line of a trial after that.

mod compare;
mod database;
mod dimensions;
mod error;
mod facts;
mod flaky;
mod glob;
pub mod quarantine;
mod question;
mod rate;
mod rates;
mod record;
mod runs;
mod since;
pub mod tell;
mod times;
mod trend;

pub use compare::{CHANCE, Change, CompareError, Compared, ComparedTimes, Comparison, ParseSelectorError, Selector};
pub use database::{DEFAULT_FILE, History, PATIENCE};
pub use dimensions::{Filter, Image, Place};
pub use error::HistoryError;
pub use flaky::{ALPHA, Flakiness, FlakyScenario, Follows, Side};
pub use glob::Glob;
pub use rate::{CONFIDENCE, Rate, worst_first};
pub use rates::Rates;
pub use record::{NewRun, NewTrial, RunId};
pub use runs::{RunSummary, TrialRow};
pub use since::{RARE, Since};
pub use times::Times;
pub use trend::{Trend, TrendBy, TrendPoint};
