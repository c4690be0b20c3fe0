//! Key slots: where they are, what is in them, how they are damaged, and how to speak of them without showing a key.
//!
//! Boundary: bytes in, bytes and words out. This crate reads no flash and talks to no board. It checks structure and makes new keys; it signs
//! and decrypts nothing: lantern's handshake hash is a stand-in (`fixtures/firmware/PROTOCOL.md`) and secures nothing.
//!
//! - [`Slot`], [`SlotShape`], [`SlotMap`]: the slots of Device OS's UDP devices, and what those of other boards are like;
//!   [`SlotContent`]: one slot's bytes, which print as a fingerprint.
//! - [`check`], [`ServerAddress`], [`Part`]: whether a slot holds what it should, and what lies where in a key.
//! - [`new_device_key`], [`PublicHalf`]: a new identity, and what the server has to know of it.
//! - [`SlotState`]: what a slot looks like to someone who knows which keys could be there.
//! - [`Corruption`]: ways to damage a slot on purpose, each with a description of what it changed.
//! - [`lantern_layout`]: the two key areas in lantern's flash.

mod address;
mod check;
mod corruption;
mod create;
mod hash;
pub mod lantern_layout;
mod part;
mod random;
mod secret;
mod set;
mod slot;
mod state;

pub use address::{Host, ServerAddress, ServerAddressError};
pub use check::{SlotFault, check, der_length};
pub use corruption::{Alternates, Change, Corrupted, Corruption, CorruptionError};
pub use create::{NotMade, PublicHalf, device_key_from_seed, new_device_key, seeded_device_key};
pub use hash::{Digest, Fingerprint, handshake_hash};
pub use part::Part;
pub use random::SplitMix64;
pub use secret::Secret;
pub use set::{KeySet, WrongSlot};
pub use slot::{Algorithm, Slot, SlotContent, SlotMap, SlotShape, SlotTooLong};
pub use state::{Flip, KnownKey, SlotState, Standing};

#[cfg(test)]
mod fixtures {
    //! The published test keys.
    use crate::{Algorithm, Slot, SlotContent, SlotShape};

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

    /// The places of a Photon: particle-cli 3.51.0 `src/lib/keys-specs.js`.
    pub(crate) fn on_photon(slot: Slot) -> SlotShape {
        let length = match slot {
            Slot::DevicePrivate => 1216,
            Slot::ServerPublic => 384,
            Slot::ServerAddress => 128,
        };
        SlotShape { slot, algorithm: Algorithm::Rsa, length }
    }

    macro_rules! rsa {
        ($slot:ident, $file:literal) => {
            SlotContent::shaped(on_photon(Slot::$slot), include_bytes!(concat!("../../../fixtures/keys/", $file)))
                .unwrap()
        };
    }

    pub(crate) fn rsa_device() -> SlotContent {
        rsa!(DevicePrivate, "device.rsa1024.pkcs1.der")
    }
    pub(crate) fn rsa_server() -> SlotContent {
        rsa!(ServerPublic, "server.rsa2048.spki.der")
    }
    pub(crate) fn rsa_server_other() -> SlotContent {
        rsa!(ServerPublic, "server-other.rsa2048.spki.der")
    }
}
