//! Where keys are kept: three slots, of whatever length and kind a board has them; by themselves those of Device OS's UDP devices.
//!
//! Boundary: offsets, sizes and padding. What the bytes mean is [`check`](crate::check)'s and [`ServerAddress`](crate::ServerAddress)'s.
//!
//! Sources: particle-cli 3.51.0 `src/lib/keys-specs.js`; sizes cross-checked with the static asserts of device-os v1.4.4 `dct.h`.

use std::fmt;
use std::ops::Range;

use crate::{Fingerprint, Secret};

/// What an erased flash byte reads as, and what slots are padded with.
pub(crate) const ERASED: u8 = 0xff;

/// What a board's keys are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// Elliptic curve P-256: the private key as SEC1 DER (RFC 5915), public ones as SPKI DER.
    P256,
    /// RSA: the device's own of 1024 bits as PKCS#1 DER (RFC 8017), the server's of 2048 bits as SPKI DER.
    Rsa,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::P256, Self::Rsa];

    /// The name in profiles and key files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::P256 => "p256",
            Self::Rsa => "rsa",
        }
    }

    /// The algorithm of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }
}

/// What a slot of a board is like: which one, how long, and what kind of key it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotShape {
    /// Which slot.
    pub slot: Slot,
    /// The kind of key; of no account for an address.
    pub algorithm: Algorithm,
    /// All of its bytes, what no key fills among them.
    pub length: usize,
}

/// A key slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// The device's private key. Holds the device's identity.
    DevicePrivate,
    /// The server's public key.
    ServerPublic,
    /// The server's address: type, length, data, port.
    ServerAddress,
}

impl Slot {
    /// All slots, in the order of their offsets.
    pub const ALL: [Self; 3] = [Self::DevicePrivate, Self::ServerPublic, Self::ServerAddress];

    /// Offset in the device configuration table (DCT) of a UDP device, in bytes. It is also the offset for DFU alternate setting 1.
    pub const fn dct_offset(self) -> u32 {
        match self {
            Self::DevicePrivate => 3106,
            Self::ServerPublic => 3298,
            Self::ServerAddress => 3490,
        }
    }

    /// What it is like on a UDP device.
    pub const fn shape(self) -> SlotShape {
        SlotShape { slot: self, algorithm: Algorithm::P256, length: self.size() }
    }

    /// Size in bytes on a UDP device.
    pub const fn size(self) -> usize {
        match self {
            Self::DevicePrivate | Self::ServerPublic => 192,
            Self::ServerAddress => 128,
        }
    }

    /// The slot's place in a DCT, as a range of byte offsets.
    pub const fn dct_range(self) -> Range<usize> {
        let start = self.dct_offset() as usize;
        start..start + self.size()
    }

    /// The name in YAML and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DevicePrivate => "device_private",
            Self::ServerPublic => "server_public",
            Self::ServerAddress => "server_address",
        }
    }

    /// The slot of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|slot| slot.name() == name)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Where the slots are in an address space: a DCT that begins at a base address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotMap {
    base: u32,
}

impl SlotMap {
    /// The slots of a DCT whose byte 0 is at `base`.
    pub const fn new(base: u32) -> Self {
        Self { base }
    }

    /// The address of the first byte of `slot`.
    pub const fn address(self, slot: Slot) -> u32 {
        self.base + slot.dct_offset()
    }

    /// The addresses of `slot`.
    pub const fn range(self, slot: Slot) -> Range<u32> {
        let start = self.address(slot);
        start..start + slot.size() as u32
    }
}

/// All bytes of one slot, padding included. Prints as a fingerprint.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SlotContent {
    slot: Slot,
    algorithm: Algorithm,
    bytes: Secret,
}

/// Too many bytes for a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{length} bytes do not fit into slot {slot} of {room} bytes")]
pub struct SlotTooLong {
    slot: Slot,
    length: usize,
    room: usize,
}

impl SlotContent {
    /// `bytes` at the beginning of `slot` of a UDP device, padded with 0xFF.
    ///
    /// # Errors
    /// If there are more bytes than the slot has.
    pub fn new(slot: Slot, bytes: &[u8]) -> Result<Self, SlotTooLong> {
        Self::shaped(slot.shape(), bytes)
    }

    /// `bytes` at the beginning of a slot of that shape, padded with 0xFF.
    ///
    /// # Errors
    /// If there are more bytes than the slot has.
    pub fn shaped(shape: SlotShape, bytes: &[u8]) -> Result<Self, SlotTooLong> {
        let SlotShape { slot, algorithm, length: room } = shape;
        if bytes.len() > room {
            return Err(SlotTooLong { slot, length: bytes.len(), room });
        }
        let mut padded = bytes.to_vec();
        padded.resize(room, ERASED);
        Ok(Self { slot, algorithm, bytes: Secret::new(padded) })
    }

    /// An erased slot of a UDP device.
    pub fn blank(slot: Slot) -> Self {
        Self { slot, algorithm: Algorithm::P256, bytes: Secret::new(vec![ERASED; slot.size()]) }
    }

    /// The bytes that `dct`, a whole DCT of a UDP device, has in `slot`. `None` if it ends before the slot does.
    pub fn from_dct(slot: Slot, dct: &[u8]) -> Option<Self> {
        let bytes = dct.get(slot.dct_range())?;
        Some(Self { slot, algorithm: Algorithm::P256, bytes: Secret::new(bytes) })
    }

    /// A changed content of the same slot. The length must stay.
    pub(crate) fn map(&self, change: impl FnOnce(&mut [u8])) -> Self {
        let mut bytes = self.expose().to_vec();
        change(&mut bytes);
        Self { bytes: Secret::new(bytes), ..*self }
    }

    /// What the slot is like.
    pub fn shape(&self) -> SlotShape {
        SlotShape { slot: self.slot, algorithm: self.algorithm, length: self.expose().len() }
    }

    /// Which slot.
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// All bytes of the slot.
    pub fn expose(&self) -> &[u8] {
        self.bytes.expose()
    }

    /// The bytes up to the last one that is not 0xFF.
    pub fn expose_used(&self) -> &[u8] {
        &self.expose()[..self.used()]
    }

    /// How many bytes there are up to the last one that is not 0xFF.
    pub fn used(&self) -> usize {
        self.expose().iter().rposition(|byte| *byte != ERASED).map_or(0, |last| last + 1)
    }

    /// The name of the content.
    pub fn fingerprint(&self) -> Fingerprint {
        self.bytes.fingerprint()
    }
}

impl fmt::Debug for SlotContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.slot, self.fingerprint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn the_slots_lie_one_after_the_other_where_device_os_has_them() {
        for pair in Slot::ALL.windows(2) {
            assert_eq!(pair[0].dct_range().end, pair[1].dct_range().start);
        }
        assert_eq!(SlotMap::new(0x3_e000).range(Slot::DevicePrivate), 0x3_ec22..0x3_ece2);
        assert_eq!(SlotMap::new(0xf_e000).address(Slot::ServerAddress), 0xf_eda2);
        assert!(Slot::ALL.iter().all(|slot| Slot::from_name(slot.name()) == Some(*slot)));
    }

    #[test]
    fn a_content_is_padded_measured_and_never_printed() {
        let key = fixtures::device_old();
        assert_eq!((key.expose().len(), key.used(), key.expose_used().len()), (192, 121, 121));
        assert_eq!(format!("{key:?}"), "device_private(1da0e8329da0beb6)");
        assert_eq!(SlotContent::blank(Slot::ServerAddress).used(), 0);
        let error = SlotContent::new(Slot::ServerAddress, &[0; 129]).unwrap_err();
        assert_eq!(error.to_string(), "129 bytes do not fit into slot server_address of 128 bytes");
    }

    #[test]
    fn a_slot_is_cut_out_of_a_dct_or_not_at_all() {
        let mut dct = vec![ERASED; 4096];
        let key = fixtures::server();
        dct[Slot::ServerPublic.dct_range()].copy_from_slice(key.expose());
        assert_eq!(SlotContent::from_dct(Slot::ServerPublic, &dct), Some(key));
        assert_eq!(SlotContent::from_dct(Slot::ServerAddress, &dct[..3500]), None);
    }
}
