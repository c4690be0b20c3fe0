//! What a station puts onto a board: the image, the keys that a factory writes with it before a trial, and another image in its course.
//!
//! Boundary: bytes and places. How they come into a board's memory, emulated or through a probe, is the [`Memory`]'s business.

mod image;
mod memory;
mod ring;
mod slots;
mod state;
mod store;
mod transfer;

pub use image::{Firmware, FirmwareError, UICR};
pub use memory::{Memory, ReadMemory};
pub use ring::{Compared, KeyRing, Superseded, nothing_saved, written};
pub use slots::{KeysBehind, PlainSlots};
pub use state::{FLASH_FILE, MANIFEST, State, StateError, UICR_FILE};
pub use store::{
    KeyStore, PUBLISHED, Published, StoreError, alternates, known_keys, private_keys, private_keys_of, told,
};
pub use transfer::{Piece, pieces, which};
