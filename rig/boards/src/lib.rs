//! What is true of every board of a kind, read from `hardware/boards/*.yaml`: microcontroller, limits, flash, keys, modes, light, log.
//!
//! Boundary: facts about products. Which station has such a board, and how it is wired, is in the bench file; what to do with it is in the
//! scenario. It reads no files: a [`Shelf`] is told their texts, and has those that come with the rig.
//!
//! A profile is data. One may say that it is `like` another, or like a family of boards that is no board itself, and then writes only what
//! differs: `hardware/boards/README.md` shows how.

mod describe;
mod draft;
mod keys;
mod led;
mod look;
mod memory;
mod modes;
mod ports;
mod profile;
mod program;
mod schema;
mod shelf;
mod theme;

pub use brickproof_keys::Algorithm;
pub use describe::describe;
pub use keys::{KeySlot, Keys, slot_named};
pub use led::{Led, LedIndex, Primary};
pub use look::{LightStatus, Look, NamedLed, OFF, Shade, Shown, WrittenLook, look_schema, written};
pub use memory::{Address, Bytes, FlashMap, IdentityPlace, Part, Sectors};
pub use modes::{Held, Hold, MODE, Mode, Modes, Target, UsbState};
pub use ports::{Alternate, CloudPort, Transport, UsbId, UsbIds};
pub use profile::{ActiveLevel, BoardProfile, Console, InputLimits, Line, LogStyle, RAIL, Rail, VirtualChip};
pub use program::as_json;
pub use schema::schema;
pub use shelf::Shelf;
pub use theme::{Theme, ThemeError};
