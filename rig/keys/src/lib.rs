//! Key slots: where they are, what is in them, how they are damaged, and how to speak of them without showing a key.
//!
//! Boundary: bytes in, bytes and words out. This crate reads no flash and talks to no board. It checks structure, it does no cryptography:
//! lantern's handshake hash is a stand-in (`fixtures/firmware/PROTOCOL.md`) and secures nothing.
//!
//! - [`Slot`], [`SlotMap`], [`SlotContent`]: the slots of Device OS's UDP devices, and one slot's bytes, which print as a fingerprint.
//! - [`check`], [`ServerAddress`]: whether a slot holds what it should.
//! - [`SlotState`]: what a slot looks like to someone who knows which keys could be there.
//! - [`Corruption`]: ways to damage a slot on purpose, each with a description of what it changed.
//! - [`lantern_layout`]: the two key areas in lantern's flash.

mod address;
mod check;
mod corruption;
mod hash;
pub mod lantern_layout;
mod random;
mod secret;
mod slot;
mod state;

pub use address::{Host, ServerAddress, ServerAddressError};
pub use check::{SlotFault, check, der_length, device_key_from_seed};
pub use corruption::{Alternates, Change, Corrupted, Corruption, CorruptionError};
pub use hash::{Digest, Fingerprint, handshake_hash};
pub use random::SplitMix64;
pub use secret::Secret;
pub use slot::{Slot, SlotContent, SlotMap, SlotTooLong};
pub use state::{Flip, KnownKey, SlotState, Standing};

#[cfg(test)]
mod fixtures {
    //! The published test keys.
    use crate::{Slot, SlotContent};

    macro_rules! slot {
        ($slot:ident, $file:literal) => {
            SlotContent::new(Slot::$slot, include_bytes!(concat!("../../../fixtures/keys/", $file))).unwrap()
        };
    }

    pub(crate) fn device_old() -> SlotContent {
        slot!(DevicePrivate, "device-old.sec1.der")
    }
    pub(crate) fn device_new() -> SlotContent {
        slot!(DevicePrivate, "device-new.sec1.der")
    }
    pub(crate) fn server() -> SlotContent {
        slot!(ServerPublic, "server.spki.der")
    }
    pub(crate) fn server_other() -> SlotContent {
        slot!(ServerPublic, "server-other.spki.der")
    }
    pub(crate) fn address() -> SlotContent {
        slot!(ServerAddress, "server-address.bin")
    }
}
