//! YAML in, validated plan out; diagnostics that point at the line.
//!
//! Boundary: text and names only. It reads no files, knows no station and runs nothing: [`load`] turns the text of a scenario into a
//! [`plan::Plan`] for every cell of its matrix, or into every mistake of the file at once. Everything that can be checked against the
//! board profile has been checked when a plan exists; what needs a station is listed in [`plan::Plan::needs`].
//!
//! The words of the language stand in `scenarios/README.md`; the shipped scenarios are its examples.

mod bootloader;
mod condition;
mod explain;
mod fault;
mod flash;
mod keys;
mod knob;
mod library;
mod lights;
mod matrix;
mod modes;
mod needs;
mod outcome;
pub mod plan;
mod reader;
mod scenario;
mod schema;
mod sentence;
mod steps;

pub use brickproof_yaml::suggest::help as suggestion;
pub use brickproof_yaml::{Diagnostics, Mistake, MistakeKind, counted, printable};
pub use explain::{explain, explained};
pub use knob::{Knob, ParseSettingError, Setting, TurnError};
pub use library::{FirmwareFiles, Library, StateFolders};
pub use matrix::{Override, ParseOverrideError};
pub use modes::IntoMode;
pub use scenario::{Scenario, axes, load, load_with};
pub use schema::schema;
