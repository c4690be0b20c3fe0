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
        /// Whether that byte's word was begun: between it and the 0xFF are up to four bytes of which some bits are written.
        begun: bool,
    },
    /// A known key of which these bytes, which are not all of the rest, read 0xFF.
    Gap {
        /// Which key.
        of: String,
        /// The first byte that is gone.
        from: usize,
        /// The first byte after it that is there.
        to: usize,
    },
    /// A known key of which bits were set and none cleared: an erase that was cut, or a write.
    BitsSet {
        /// Which key.
        of: String,
        /// How many.
        bits: u32,
        /// The first byte with one.
        first_bad: usize,
    },
    /// A known key of which bits were cleared and none set: something was written over it without an erase.
    BitsCleared {
        /// Which key.
        of: String,
        /// How many.
        bits: u32,
        /// The first byte with one.
        first_bad: usize,
    },
    /// Nearly every byte is 0xFF, the others belong to nothing that is known: an erase that was cut near its end.
    AlmostBlank {
        /// How many bytes are not.
        stragglers: usize,
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

/// One byte in so many may be left over of what was erased: beyond that an erase was cut long before its end. The bound by which Adafruit's
/// WipperSnapper takes a file for erased (pull request 942).
const STRAGGLERS: usize = 64;
/// Zeros that give a key away.
const LEFT: u32 = 40;
/// Bytes that are programmed together on the parts that are supported.
const WORD: usize = 4;

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
        let candidates = || known.iter().filter(|key| key.content.shape() == content.shape());
        if let Some(key) = candidates().find(|key| key.content == *content) {
            return Self::known(key);
        }
        if let Some(state) = candidates().find_map(|key| one_bit(key, bytes)) {
            return state;
        }
        if let Some(state) = candidates().find_map(|key| torn(key, bytes)) {
            return state;
        }
        if let Some(state) = candidates().find_map(|key| gap(key, bytes)) {
            return state;
        }
        let stragglers = bytes.iter().filter(|byte| **byte != ERASED).count();
        match check(content) {
            Ok(()) => Self::ValidUnknown { fingerprint: content.fingerprint() },
            Err(_) if stragglers <= bytes.len() / STRAGGLERS => Self::AlmostBlank { stragglers },
            Err(_) if let Some(state) = nearest_of_one_way(candidates(), bytes) => state,
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
    let is_erased = |bytes: &[u8]| bytes.iter().all(|byte| *byte == ERASED);
    let expected = &key.content.expose()[first_bad..];
    let found = &bytes[first_bad..];
    // A word is programmed at once, wherever the slot begins within one.
    let (word, rest) = found.split_at(WORD.min(found.len()));
    let begun = !is_erased(word);
    let is_word = word.iter().zip(expected).all(|(found, expected)| found & expected == *expected);
    (first_bad > 0 && is_erased(rest) && is_word).then(|| SlotState::Torn { of: key.name.clone(), first_bad, begun })
}

/// Bytes that read 0xFF, and before and after them the key.
fn gap(key: &KnownKey, bytes: &[u8]) -> Option<SlotState> {
    let expected = key.content.expose();
    let from = first_difference(key, bytes)?;
    let to = expected.iter().zip(bytes).rposition(|(expected, found)| expected != found)? + 1;
    let is_gone = bytes[from..to].iter().all(|byte| *byte == ERASED);
    is_gone.then(|| SlotState::Gap { of: key.name.clone(), from, to })
}

/// The key from which the bytes differ in the fewest bits, all of them turned the same way. Something must be left of it. Less than half of a
/// slot's bits are zeros of its key, so that so many zeros as [`LEFT`] all lie on some key's by chance once in 2^40. Ones do so in the padding of
/// any key: half of them must be left, assumed.
fn nearest_of_one_way<'k>(keys: impl Iterator<Item = &'k KnownKey>, bytes: &[u8]) -> Option<SlotState> {
    let turned = |key: &'k KnownKey| {
        let pairs = || key.content.expose().iter().zip(bytes);
        let set: u32 = pairs().map(|(expected, found)| (!expected & found).count_ones()).sum();
        let cleared: u32 = pairs().map(|(expected, found)| (expected & !found).count_ones()).sum();
        let zeros: u32 = key.content.expose().iter().map(|byte| byte.count_zeros()).sum();
        let is_left = match (set, cleared) {
            (_, 0) => zeros - set >= LEFT,
            (0, _) => cleared * 2 <= key.content.expose().len() as u32 * 8 - zeros,
            _ => false,
        };
        is_left.then_some((set + cleared, set, key))
    };
    let (bits, set, key) = keys.filter_map(turned).min_by_key(|(bits, ..)| *bits)?;
    let (of, first_bad) = (key.name.clone(), first_difference(key, bytes)?);
    Some(if set > 0 {
        SlotState::BitsSet { of, bits, first_bad }
    } else {
        SlotState::BitsCleared { of, bits, first_bad }
    })
}

impl SlotState {
    /// The word for its class, as reports count it.
    pub const fn class(&self) -> &'static str {
        match self {
            Self::Good { .. } => "good",
            Self::Stale { .. } => "stale",
            Self::Foreign { .. } => "foreign",
            Self::Blank => "blank",
            Self::Zeroed => "zeroed",
            Self::Torn { .. } => "torn",
            Self::OneBit { .. } => "one_bit",
            Self::Gap { .. } => "gap",
            Self::BitsSet { .. } => "bits_set",
            Self::BitsCleared { .. } => "bits_cleared",
            Self::AlmostBlank { .. } => "almost_blank",
            Self::ValidUnknown { .. } => "valid_unknown",
            Self::Damaged { .. } => "garbage",
        }
    }
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
            Self::Torn { of, first_bad, begun: false } => {
                write!(f, "torn write of {of}: blank from byte {first_bad} on")
            }
            Self::Torn { of, first_bad, begun: true } => {
                write!(f, "torn write of {of}: cut in the word with byte {first_bad}, blank after it")
            }
            Self::Gap { of, from, to } if from + 1 == *to => write!(f, "{of} with byte {from} erased"),
            Self::Gap { of, from, to } => write!(f, "{of} with bytes {from} to {} erased", to - 1),
            Self::BitsSet { of, bits, first_bad } => {
                write!(f, "{of} with {bits} bits set from byte {first_bad} on, none cleared: a cut erase or write")
            }
            Self::BitsCleared { of, bits, first_bad } => {
                write!(f, "{of} with {bits} bits cleared from byte {first_bad} on, none set: written over unerased")
            }
            Self::AlmostBlank { stragglers: 1 } => f.write_str("blank but for 1 byte: an erase cut near its end"),
            Self::AlmostBlank { stragglers } => {
                write!(f, "blank but for {stragglers} bytes: an erase cut near its end")
            }
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
            state(old.map(|bytes| bytes[30..50].fill(0xff))),
            state(old.map(|bytes| {
                bytes[40] |= 0x0f;
                bytes[41..].fill(0xff);
            })),
            state(old.map(|bytes| bytes.iter_mut().step_by(3).for_each(|byte| *byte |= 0x11))),
            state(old.map(|bytes| bytes.iter_mut().step_by(3).for_each(|byte| *byte &= 0xee))),
            state(SlotContent::blank(Slot::DevicePrivate).map(|bytes| bytes[100] = 0x7f)),
            state(old.map(|bytes| bytes.reverse())),
            state(SlotContent::new(Slot::ServerAddress, &[9; 20]).unwrap()),
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
        device-old with byte 0 erased
        device-old with bytes 30 to 49 erased
        torn write of device-old: cut in the word with byte 40, blank after it
        device-old with 47 bits set from byte 0 on, none cleared: a cut erase or write
        device-old with 81 bits cleared from byte 0 on, none set: written over unerased
        blank but for 1 byte: an erase cut near its end
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
