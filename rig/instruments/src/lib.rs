//! Real drivers behind the instruments of a station: one folder each, a factory in one list.
//!
//! Boundary: one device at a time. A driver does what it is asked and says when it did it and how sure that is; it knows no scenario, no
//! trial and no other instrument. Calls block; [`Owner`] gives a driver a thread of its own, so that one that hangs harms nobody else.
//!
//! To add a driver: a folder with a [`Factory`], and its line in [`DRIVERS`].

mod capability;
mod clock;
pub mod discover;
mod factory;
mod failure;
mod i2c;
mod kinds;
mod owner;
mod reopening;
mod settings;
mod stream;
pub mod usb_id;
mod wire;

pub mod drivers;

pub use capability::{Capabilities, Reach, Timing};
pub use clock::{Deadline, Moment, now};
pub use drivers::{DRIVERS, LinePlace, LinePlaceError, Polarity, Style};
pub use factory::{Below, Factory, Instrument, Kind, driver};
pub use failure::{Failure, FailureKind};
pub use kinds::{
    Arrival, Block, Chunk, Console, Dfu, Drive, Edge, EdgeKind, Edges, Exposure, Fate, Firewall, Flow, Light,
    LineState, Lines, Look, Memory, Output, Presence, Probe, Reading, Region, Supply, Switch, Touch, Transport, UsbId,
};
pub use owner::Owner;
pub use settings::{Setting, SettingKind, Settings, Value};
