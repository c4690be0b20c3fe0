//! Where keys are kept: the three slots of Device OS's UDP devices.
//!
//! Boundary: offsets, sizes and padding. What the bytes mean is [`check`](crate::check)'s and [`ServerAddress`](crate::ServerAddress)'s.
//!
//! Sources: particle-cli 3.51.0 `src/lib/keys-specs.js`; sizes cross-checked with the static asserts of device-os v1.4.4 `dct.h`.

use std::fmt;
use std::ops::Range;

use crate::{Fingerprint, Secret};

/// What an erased flash byte reads as, and what slots are padded with.
pub(crate) const ERASED: u8 = 0xff;

/// A key slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// The device's private key: P-256, SEC1 DER (RFC 5915). Holds the device's identity.
    DevicePrivate,
    /// The server's public key: P-256, SPKI DER.
    ServerPublic,
    /// The server's address: type, length, data, port.
    ServerAddress,
}

impl Slot {
    /// All slots, in the order of their offsets.
    pub const ALL: [Self; 3] = [Self::DevicePrivate, Self::ServerPublic, Self::ServerAddress];

    /// Offset in the device configuration table (DCT), in bytes. It is also the offset for DFU alternate setting 1.
    pub const fn dct_offset(self) -> u32 {
        match self {
            Self::DevicePrivate => 3106,
            Self::ServerPublic => 3298,
            Self::ServerAddress => 3490,
        }
    }

    /// Size in bytes.
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
    bytes: Secret,
}

/// Too many bytes for a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{length} bytes do not fit into slot {slot} of {} bytes", slot.size())]
pub struct SlotTooLong {
    slot: Slot,
    length: usize,
}

impl SlotContent {
    /// `bytes` at the beginning of `slot`, padded with 0xFF.
    ///
    /// # Errors
    /// If there are more bytes than the slot has.
    pub fn new(slot: Slot, bytes: &[u8]) -> Result<Self, SlotTooLong> {
        if bytes.len() > slot.size() {
            return Err(SlotTooLong { slot, length: bytes.len() });
        }
        let mut padded = bytes.to_vec();
        padded.resize(slot.size(), ERASED);
        Ok(Self { slot, bytes: Secret::new(padded) })
    }

    /// An erased slot.
    pub fn blank(slot: Slot) -> Self {
        Self { slot, bytes: Secret::new(vec![ERASED; slot.size()]) }
    }

    /// The bytes that `dct`, a whole DCT, has in `slot`. `None` if it ends before the slot does.
    pub fn from_dct(slot: Slot, dct: &[u8]) -> Option<Self> {
        dct.get(slot.dct_range()).map(|bytes| Self { slot, bytes: Secret::new(bytes) })
    }

    /// A changed content of the same slot. The length must stay.
    pub(crate) fn map(&self, change: impl FnOnce(&mut [u8])) -> Self {
        let mut bytes = self.expose().to_vec();
        change(&mut bytes);
        Self { slot: self.slot, bytes: Secret::new(bytes) }
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
