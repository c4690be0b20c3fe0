//! What a returned unit holds, told from what was read out of it, and a scenario that begins with exactly that.
//!
//! Boundary: bytes in, findings and text out. Who reads, in which order and through what, is the bench's; files are the command's. Private
//! keys are named by fingerprints in everything that is told here; the bytes themselves are in a [`State`](brickproof_firmware::State) alone.
//!
//! - [`Family`], [`wanted`]: the registers that tell something, by kind of part, and what is to be read in which order.
//! - [`Reading`], [`Findings`]: what was read, and what it means.
//! - [`tell`], [`as_json`]: the report, for people and for programs.
//! - [`foretell`], [`scenario`]: what a virtual board that begins so shows, and the scenario that asks for it.

mod family;
mod findings;
mod foretell;
mod reading;
mod record;
mod scenario;
mod tell;

pub use family::{Family, Meaning, Protection, Register};
pub use findings::{AreaFinding, Findings, FirmwareFinding, RegisterFinding, SlotFinding, Stray, known_with};
pub use foretell::{Foretold, foretell};
pub use reading::{Reading, Wanted, What, wanted};
pub use record::{SCHEMA, as_json};
pub use scenario::{STATE_FOLDER, scenario};
pub use tell::tell;
