//! Quantities that cannot be confused: each has one type, one integer base unit, one spelling, and a parser that insists on the unit;
//! and characters that cannot deceive.
//!
//! Boundary: arithmetic and text only. Nothing here knows what a board, a supply or a scenario is. All values are integers, so that
//! the same computation gives the same bits on every machine.

mod parse;
mod quantity;
mod text;
mod time;

pub use parse::ParseQuantityError;
pub use quantity::{Baud, Capacitance, Charge, Current, Frequency, Quantity, Ratio, Resistance, Size, Slew, Voltage};
pub use text::{is_inert, push_inert};
pub use time::{Instant, Span, in_words};
