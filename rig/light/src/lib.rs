//! Turns the samples of a colour sensor into what a person would say about an LED: "cyan, breathing, 4 s".
//!
//! Boundary: pure and streaming. It reads no sensor, owns no clock, and does not know which status a pattern stands for; the
//! board profiles hold that vocabulary as [`Pattern`]s. What it cannot tell apart it calls unknown: it never guesses.
//!
//! A sample passes through these stages, each in its own module:
//!
//! 1. [`Calibration`] takes the dark level, the filter crosstalk and the gains out of the raw counts;
//! 2. `smoothing` averages over about two mains periods, which also evens out the beat between LED PWM and integration;
//! 3. `stretch` cuts the light at its steps into stretches without one;
//! 4. `envelope` watches inside the open stretch for steadiness and for slow swelling;
//! 5. `phrase` reads the sequence of stretches as blinking, flashes or SOS;
//! 6. [`Recogniser`] decides which statement stands now, and keeps the [`History`].

mod calibration;
mod colour;
mod envelope;
mod history;
mod pattern;
mod phrase;
mod recogniser;
mod rgb;
mod ring;
mod sample;
mod sight;
mod smoothing;
mod stretch;

pub use calibration::{Calibration, CalibrationError, CalibrationParts, Primaries};
pub use colour::Colour;
pub use history::{History, Segment};
pub use pattern::{Colours, Match, Near, Pattern, RhythmPattern, Watcher};
pub use recogniser::Recogniser;
pub use sample::Sample;
pub use sight::{Rhythm, Sight};
