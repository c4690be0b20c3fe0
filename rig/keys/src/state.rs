//! What a slot looks like to someone who knows which keys could be there: the words of a report.
//!
//! Boundary: recognition by comparison with known contents. Nothing here decides whether a state is acceptable.

use std::fmt;

use crate::slot::ERASED;
use crate::{Fingerprint, SlotContent, SlotFault, check};

/// What a known key is to the device at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// It belongs in the slot now.
    Registered,
    /// It belonged there before.
    Superseded,
    /// It is valid and belongs elsewhere.
    Foreign,
}

/// A content that could be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownKey {
    /// What it is called in reports, as in `device-old`.
    pub name: String,
    /// What it is to the device.
    pub standing: Standing,
    /// The slot's bytes.
    pub content: SlotContent,
}

/// What is in a slot. Offsets are bytes from the beginning of the slot.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlotState {
    /// What belongs there.
    Good {
        /// Its name.
        name: String,
        /// Its fingerprint.
        fingerprint: Fingerprint,
    },
    /// What belonged there before.
    Stale {
        /// Its name.
        name: String,
        /// Its fingerprint.
        fingerprint: Fingerprint,
    },
    /// A known key that belongs elsewhere.
    Foreign {
        /// Its name.
        name: String,
        /// Its fingerprint.
        fingerprint: Fingerprint,
    },
    /// Every byte is 0xFF.
    Blank,
    /// Every byte is 0x00.
    Zeroed,
    /// A known key up to here, 0xFF from here on: a write that was cut.
    Torn {
        /// Which key was being written.
        of: String,
        /// The first byte that is missing.
        first_bad: usize,
    },
    /// A known key with one bit turned over.
    OneBit {
        /// Which key.
        of: String,
        /// The byte with the bit.
        offset: usize,
        /// Which bit of it, 0 the least significant.
        bit: u32,
        /// What became of it.
        flip: Flip,
    },
    /// In order, and not known.
    ValidUnknown {
        /// Its fingerprint.
        fingerprint: Fingerprint,
    },
    /// None of these, and not in order.
    Damaged {
        /// What is wrong with it first.
        fault: SlotFault,
        /// The first byte that differs from what belongs there, if that is known.
        first_bad: Option<usize>,
    },
}

/// What became of a bit. Flash that loses charge sets bits; writing clears them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flip {
    /// 0 to 1.
    Set,
    /// 1 to 0.
    Cleared,
}

impl SlotState {
    /// Recognises `content`. Of several explanations the one with the least damage to the key that comes first in `known` is taken.
    pub fn classify(content: &SlotContent, known: &[KnownKey]) -> Self {
        let bytes = content.expose();
        if content.used() == 0 {
            return Self::Blank;
        }
        if bytes.iter().all(|byte| *byte == 0) {
            return Self::Zeroed;
        }
        let candidates = || known.iter().filter(|key| key.content.slot() == content.slot());
        if let Some(key) = candidates().find(|key| key.content == *content) {
            return Self::known(key);
        }
        if let Some(state) = candidates().find_map(|key| one_bit(key, bytes)) {
            return state;
        }
        if let Some(state) = candidates().find_map(|key| torn(key, bytes)) {
            return state;
        }
        match check(content) {
            Ok(()) => Self::ValidUnknown { fingerprint: content.fingerprint() },
            Err(fault) => {
                let registered = candidates().find(|key| key.standing == Standing::Registered);
                Self::Damaged { fault, first_bad: registered.and_then(|key| first_difference(key, bytes)) }
            }
        }
    }

    fn known(key: &KnownKey) -> Self {
        let (name, fingerprint) = (key.name.clone(), key.content.fingerprint());
        match key.standing {
            Standing::Registered => Self::Good { name, fingerprint },
            Standing::Superseded => Self::Stale { name, fingerprint },
            Standing::Foreign => Self::Foreign { name, fingerprint },
        }
    }
}

fn first_difference(key: &KnownKey, bytes: &[u8]) -> Option<usize> {
    key.content.expose().iter().zip(bytes).position(|(expected, found)| expected != found)
}

fn one_bit(key: &KnownKey, bytes: &[u8]) -> Option<SlotState> {
    let offset = first_difference(key, bytes)?;
    let expected = key.content.expose();
    let flipped = expected[offset] ^ bytes[offset];
    (flipped.is_power_of_two() && expected[offset + 1..] == bytes[offset + 1..]).then(|| SlotState::OneBit {
        of: key.name.clone(),
        offset,
        bit: flipped.trailing_zeros(),
        flip: if bytes[offset] & flipped == 0 { Flip::Cleared } else { Flip::Set },
    })
}

fn torn(key: &KnownKey, bytes: &[u8]) -> Option<SlotState> {
    let first_bad = first_difference(key, bytes)?;
    let rest_is_erased = bytes[first_bad..].iter().all(|byte| *byte == ERASED);
    (first_bad > 0 && rest_is_erased).then(|| SlotState::Torn { of: key.name.clone(), first_bad })
}

impl fmt::Display for SlotState {
    /// As in `torn write of device-new: blank from byte 40 on`. Never a key byte.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good { name, fingerprint } => write!(f, "good: {name} ({fingerprint})"),
            Self::Stale { name, fingerprint } => write!(f, "stale: {name} ({fingerprint})"),
            Self::Foreign { name, fingerprint } => write!(f, "valid but wrong: {name} ({fingerprint})"),
            Self::Blank => f.write_str("blank"),
            Self::Zeroed => f.write_str("zeroed"),
            Self::Torn { of, first_bad } => write!(f, "torn write of {of}: blank from byte {first_bad} on"),
            Self::OneBit { of, offset, bit, flip } => {
                let flip = match flip {
                    Flip::Set => "set",
                    Flip::Cleared => "cleared",
                };
                write!(f, "{of} with bit {bit} of byte {offset} {flip}")
            }
            Self::ValidUnknown { fingerprint } => write!(f, "valid but unknown ({fingerprint})"),
            Self::Damaged { fault, first_bad: Some(first_bad) } => {
                write!(f, "damaged from byte {first_bad} on: {fault}")
            }
            Self::Damaged { fault, first_bad: None } => write!(f, "damaged: {fault}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Slot, device_key_from_seed, fixtures};

    fn known() -> Vec<KnownKey> {
        let key = |name: &str, standing, content| KnownKey { name: name.to_owned(), standing, content };
        vec![
            key("server", Standing::Registered, fixtures::server()),
            key("device-old", Standing::Registered, fixtures::device_old()),
            key("device-before", Standing::Superseded, device_key_from_seed(1)),
            key("server-other", Standing::Foreign, fixtures::server_other()),
        ]
    }

    fn state(content: SlotContent) -> String {
        SlotState::classify(&content, &known()).to_string()
    }

    #[test]
    fn each_state_is_told_in_words() {
        let old = fixtures::device_old();
        let states = [
            state(old.clone()),
            state(device_key_from_seed(1)),
            state(fixtures::server_other()),
            state(fixtures::device_new()),
            state(SlotContent::blank(Slot::DevicePrivate)),
            state(old.map(|bytes| bytes.fill(0))),
            state(old.map(|bytes| bytes[40..].fill(0xff))),
            state(old.map(|bytes| bytes[17] ^= 0x08)),
            state(old.map(|bytes| bytes[0] = 0xff)),
            state(SlotContent::new(Slot::ServerAddress, &[9, 9]).unwrap()),
        ];
        insta::assert_snapshot!(states.join("\n"), @r"
        good: device-old (1da0e8329da0beb6)
        stale: device-before (ce0d82dd199c191a)
        valid but wrong: server-other (51debd367ea1fd30)
        valid but unknown (6bc6e8d6aeaf4a91)
        blank
        zeroed
        torn write of device-old: blank from byte 40 on
        device-old with bit 3 of byte 17 set
        damaged from byte 0 on: no DER sequence at byte 0
        damaged: address type 0x09 is neither IPv4 (0x00) nor domain (0x01)
        ");
    }

    proptest! {
        #[test]
        fn one_turned_bit_is_found_wherever_it_is(offset in 0usize..192, bit in 0u32..8) {
            let content = fixtures::device_old().map(|bytes| bytes[offset] ^= 1 << bit);
            let SlotState::OneBit { offset: found, bit: found_bit, flip, .. } = SlotState::classify(&content, &known()) else {
                return Err(TestCaseError::fail("not recognised"));
            };
            prop_assert_eq!((found, found_bit), (offset, bit));
            prop_assert_eq!(flip == Flip::Set, content.expose()[offset] >> bit & 1 == 1);
        }

        #[test]
        fn a_torn_write_is_found_wherever_it_tore(kept in 1usize..119) {
            let content = fixtures::device_old().map(|bytes| bytes[kept..].fill(0xff));
            let SlotState::Torn { first_bad, .. } = SlotState::classify(&content, &known()) else {
                return Err(TestCaseError::fail("not recognised"));
            };
            // A key byte that is 0xFF by itself is not missed.
            prop_assert!(first_bad >= kept);
            prop_assert!(fixtures::device_old().expose()[kept..first_bad].iter().all(|byte| *byte == 0xff));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..128), slot in prop::sample::select(Slot::ALL.to_vec())) {
            let _ = SlotState::classify(&SlotContent::new(slot, &bytes).unwrap(), &known()).to_string();
        }
    }
}
