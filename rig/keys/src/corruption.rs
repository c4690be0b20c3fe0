//! Ways to damage a slot on purpose, named after what happens to products in the field.
//!
//! Boundary: pure functions from a slot's bytes to other bytes and a description. How the bytes get into a device (DFU, SWD, a cut write)
//! is another question, and on real devices another fault: a raw flip also breaks the checksum of the layer that stores the slot.

use std::fmt;
use std::ops::Range;

use crate::slot::ERASED;
use crate::state::Flip;
use crate::{Fingerprint, Part, Slot, SlotContent, SplitMix64};

/// A way to damage a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Corruption {
    /// Every byte becomes 0xFF, as after an erase that nothing followed.
    Blank,
    /// Byte 0 becomes 0xFF: the one damage that Device OS 0.7.0 to 3.3.1 looks for.
    FirstByte,
    /// The first part stays, the rest becomes 0xFF: a write that was cut.
    TornTail,
    /// One bit of the used part goes from 1 to 0.
    OneBitCleared,
    /// One bit of the used part goes from 0 to 1, never so that byte 0 becomes 0xFF (that is [`Self::FirstByte`]).
    OneBitSet,
    /// Every byte becomes 0x00.
    Zeroed,
    /// An older content that was valid once.
    StaleCopy,
    /// Another valid content: no parser can tell.
    ValidButWrong,
    /// A valid address of a wrong host.
    Address,
    /// No damage: the slot is written anew with what it held. What comes of it comes of the writing, so that it is a control of the others.
    Rewritten,
}

/// Contents to put in place of the right one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alternates {
    /// For [`Corruption::StaleCopy`].
    pub stale: Option<SlotContent>,
    /// For [`Corruption::ValidButWrong`].
    pub other: Option<SlotContent>,
    /// For [`Corruption::Address`].
    pub wrong_address: Option<SlotContent>,
}

/// A damaged slot and what was done to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corrupted {
    /// The slot's bytes now.
    pub content: SlotContent,
    /// What is different.
    pub change: Change,
}

/// What a corruption changed. Prints in words, without key bytes. Offsets are bytes from the beginning of the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// The whole slot became 0xFF.
    Blanked,
    /// The whole slot became 0x00.
    Zeroed,
    /// Byte 0 became 0xFF.
    FirstByteErased,
    /// All bytes from this one on became 0xFF.
    TailErased {
        /// The first byte that is gone.
        from: usize,
    },
    /// One bit turned over.
    BitFlipped {
        /// The byte with the bit.
        offset: usize,
        /// Which bit of it, 0 the least significant.
        bit: u32,
        /// What became of it.
        flip: Flip,
    },
    /// Another content took the place.
    Replaced {
        /// The content that was there.
        before: Fingerprint,
        /// The content that is there now.
        after: Fingerprint,
    },
    /// Nothing: it was written anew.
    Rewritten,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blanked => f.write_str("the whole slot erased to 0xff"),
            Self::Zeroed => f.write_str("the whole slot cleared to 0x00"),
            Self::FirstByteErased => f.write_str("byte 0 erased to 0xff"),
            Self::TailErased { from } => write!(f, "bytes from {from} on erased to 0xff"),
            Self::BitFlipped { offset, bit, flip: Flip::Set } => write!(f, "bit {bit} of byte {offset} set"),
            Self::BitFlipped { offset, bit, flip: Flip::Cleared } => write!(f, "bit {bit} of byte {offset} cleared"),
            Self::Replaced { before, after } => write!(f, "content {before} replaced by {after}"),
            Self::Rewritten => f.write_str("written anew as it was"),
        }
    }
}

/// Why a slot cannot be damaged in this way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CorruptionError {
    /// It would stay as it is: the trial would test nothing.
    #[error("`{corruption}` would not change slot {slot}")]
    NothingToChange {
        /// The corruption.
        corruption: Corruption,
        /// The slot.
        slot: Slot,
    },
    /// There is nothing to put in its place.
    #[error("`{0}` needs another content to put in place of the right one")]
    NoAlternate(Corruption),
    /// The key that is there has no such part.
    #[error("what is in slot {slot} has no {part} part that could be damaged")]
    NoPart {
        /// The part.
        part: Part,
        /// The slot.
        slot: Slot,
    },
    /// It damages the whole slot and no part of it.
    #[error("`{0}` damages the whole slot, not a part of it")]
    NotInAPart(Corruption),
    /// It is meant for another slot.
    #[error("`{corruption}` is for slot {wanted}, not for {found}")]
    WrongSlot {
        /// The corruption.
        corruption: Corruption,
        /// The slot it is for.
        wanted: Slot,
        /// The slot that was given.
        found: Slot,
    },
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Corruption {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Blank,
        Self::FirstByte,
        Self::TornTail,
        Self::OneBitCleared,
        Self::OneBitSet,
        Self::Zeroed,
        Self::StaleCopy,
        Self::ValidButWrong,
        Self::Address,
        Self::Rewritten,
    ];

    /// The name in YAML and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Blank => "blank",
            Self::FirstByte => "first_byte",
            Self::TornTail => "torn_tail",
            Self::OneBitCleared => "one_bit_cleared",
            Self::OneBitSet => "one_bit_set",
            Self::Zeroed => "zeroed",
            Self::StaleCopy => "stale_copy",
            Self::ValidButWrong => "valid_but_wrong",
            Self::Address => "address",
            Self::Rewritten => "rewritten",
        }
    }

    /// The corruption of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|corruption| corruption.name() == name)
    }

    /// Damages `content`. Where there is a choice (which byte, which bit), `seed` makes it.
    ///
    /// # Errors
    /// If nothing would change, if there is no alternate for this slot, or if the corruption is for another slot.
    pub fn apply(
        self,
        content: &SlotContent,
        seed: u64,
        alternates: &Alternates,
    ) -> Result<Corrupted, CorruptionError> {
        self.apply_in(None, content, seed, alternates)
    }

    /// Whether it can be kept to a part of a key.
    pub const fn can_aim(self) -> bool {
        matches!(self, Self::OneBitCleared | Self::OneBitSet)
    }

    /// The same, kept to a part of the key that is there; `None` for wherever it falls.
    ///
    /// # Errors
    /// Also if the key has no such part, or the corruption damages more than a part.
    pub fn apply_in(
        self,
        part: Option<Part>,
        content: &SlotContent,
        seed: u64,
        alternates: &Alternates,
    ) -> Result<Corrupted, CorruptionError> {
        let slot = content.slot();
        let within = match part {
            None => 0..content.used(),
            Some(_) if !self.can_aim() => return Err(CorruptionError::NotInAPart(self)),
            Some(part) => part.place(content).ok_or(CorruptionError::NoPart { part, slot })?,
        };
        let mut random = SplitMix64::new(seed);
        let change = match self {
            Self::Blank => Some(Change::Blanked),
            Self::Zeroed => Some(Change::Zeroed),
            Self::FirstByte => Some(Change::FirstByteErased),
            Self::TornTail => {
                let places: Vec<usize> = (1..content.used()).collect();
                random.pick(&places).map(|from| Change::TailErased { from })
            }
            Self::OneBitCleared => random
                .pick(&bits(content, &within, Flip::Cleared))
                .map(|(offset, bit)| Change::BitFlipped { offset, bit, flip: Flip::Cleared }),
            Self::OneBitSet => random
                .pick(&bits(content, &within, Flip::Set))
                .map(|(offset, bit)| Change::BitFlipped { offset, bit, flip: Flip::Set }),
            Self::Rewritten => return Ok(Corrupted { content: content.clone(), change: Change::Rewritten }),
            Self::StaleCopy => return self.replace(content, alternates.stale.as_ref()),
            Self::ValidButWrong => return self.replace(content, alternates.other.as_ref()),
            Self::Address if content.slot() == Slot::ServerAddress => {
                return self.replace(content, alternates.wrong_address.as_ref());
            }
            Self::Address => {
                return Err(CorruptionError::WrongSlot {
                    corruption: self,
                    wanted: Slot::ServerAddress,
                    found: content.slot(),
                });
            }
        };
        let damaged = change.map(|change| Corrupted { content: content.map(|bytes| carry_out(change, bytes)), change });
        damaged
            .filter(|damaged| damaged.content != *content)
            .ok_or(CorruptionError::NothingToChange { corruption: self, slot: content.slot() })
    }

    fn replace(self, content: &SlotContent, alternate: Option<&SlotContent>) -> Result<Corrupted, CorruptionError> {
        let alternate = alternate.ok_or(CorruptionError::NoAlternate(self))?;
        if alternate.slot() != content.slot() {
            return Err(CorruptionError::WrongSlot {
                corruption: self,
                wanted: alternate.slot(),
                found: content.slot(),
            });
        }
        if alternate == content {
            return Err(CorruptionError::NothingToChange { corruption: self, slot: content.slot() });
        }
        let change = Change::Replaced { before: content.fingerprint(), after: alternate.fingerprint() };
        Ok(Corrupted { content: alternate.clone(), change })
    }
}

/// The bits in that place that `flip` can turn over, except the one that would make byte 0 look erased.
fn bits(content: &SlotContent, within: &Range<usize>, flip: Flip) -> Vec<(usize, u32)> {
    let value_before = match flip {
        Flip::Set => 0,
        Flip::Cleared => 1,
    };
    let all =
        content.expose_used().iter().enumerate().flat_map(|(offset, byte)| (0..8).map(move |bit| (offset, bit, *byte)));
    all.filter(|(offset, bit, byte)| byte >> bit & 1 == value_before && !(*offset == 0 && byte ^ (1 << bit) == ERASED))
        .map(|(offset, bit, _)| (offset, bit))
        .filter(|(offset, _)| within.contains(offset))
        .collect()
}

fn carry_out(change: Change, bytes: &mut [u8]) {
    match change {
        Change::Blanked => bytes.fill(ERASED),
        Change::Zeroed => bytes.fill(0),
        Change::FirstByteErased => bytes[0] = ERASED,
        Change::TailErased { from } => bytes[from..].fill(ERASED),
        Change::BitFlipped { offset, bit, .. } => bytes[offset] ^= 1 << bit,
        Change::Replaced { .. } | Change::Rewritten => {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;
    use crate::{check, fixtures};

    fn alternates_of(content: &SlotContent) -> Alternates {
        match content.shape().algorithm {
            crate::Algorithm::P256 => alternates(content.slot()),
            crate::Algorithm::Rsa => {
                let wrong = fixtures::address().map(|bytes| bytes[2] ^= 1);
                let address = SlotContent::shaped(fixtures::on_photon(Slot::ServerAddress), wrong.expose()).unwrap();
                let other = match content.slot() {
                    Slot::DevicePrivate => RSA_OTHER.clone(),
                    Slot::ServerPublic => fixtures::rsa_server_other(),
                    Slot::ServerAddress => address.clone(),
                };
                Alternates { stale: Some(other.clone()), other: Some(other), wrong_address: Some(address) }
            }
        }
    }

    /// Making one takes a while.
    static RSA_OTHER: LazyLock<SlotContent> =
        LazyLock::new(|| crate::seeded_device_key(fixtures::on_photon(Slot::DevicePrivate), 1).unwrap());

    fn rsa_address() -> SlotContent {
        SlotContent::shaped(fixtures::on_photon(Slot::ServerAddress), fixtures::address().expose()).unwrap()
    }

    fn alternates(slot: Slot) -> Alternates {
        let wrong_address = SlotContent::new(Slot::ServerAddress, b"\x01\x07example").unwrap();
        let (stale, other) = match slot {
            Slot::DevicePrivate => (crate::device_key_from_seed(1), fixtures::device_new()),
            Slot::ServerPublic => (fixtures::server_other(), fixtures::server_other()),
            Slot::ServerAddress => (wrong_address.clone(), wrong_address.clone()),
        };
        Alternates { stale: Some(stale), other: Some(other), wrong_address: Some(wrong_address) }
    }

    fn content() -> impl Strategy<Value = SlotContent> {
        let real = prop::sample::select(vec![
            fixtures::device_old(),
            fixtures::server(),
            fixtures::address(),
            fixtures::rsa_device(),
            fixtures::rsa_server(),
            rsa_address(),
        ]);
        let any = (prop::sample::select(Slot::ALL.to_vec()), prop::collection::vec(any::<u8>(), 1..128))
            .prop_map(|(slot, bytes)| SlotContent::new(slot, &bytes).unwrap());
        prop_oneof![real, any]
    }

    fn differing_bits(a: &SlotContent, b: &SlotContent) -> Vec<(usize, u8)> {
        let pairs = a.expose().iter().zip(b.expose()).enumerate();
        pairs.filter(|(_, (a, b))| a != b).map(|(offset, (a, b))| (offset, a ^ b)).collect()
    }

    #[test]
    fn names_are_those_of_the_yaml_and_lead_back() {
        let names: Vec<_> = Corruption::ALL.iter().map(|corruption| corruption.name()).collect();
        insta::assert_snapshot!(names.join(" "), @"blank first_byte torn_tail one_bit_cleared one_bit_set zeroed stale_copy valid_but_wrong address rewritten");
        assert!(Corruption::ALL.iter().all(|corruption| Corruption::from_name(corruption.name()) == Some(*corruption)));
        assert_eq!(Corruption::from_name("blanc"), None);
    }

    #[test]
    fn what_changed_is_told_in_words() {
        let tell = |corruption: Corruption, content: SlotContent| {
            let alternates = alternates(content.slot());
            match corruption.apply(&content, 1, &alternates) {
                Ok(damaged) => format!("{corruption}: {}", damaged.change),
                Err(error) => format!("error: {error}"),
            }
        };
        let told: Vec<_> = Corruption::ALL.iter().map(|corruption| tell(*corruption, fixtures::device_old())).collect();
        insta::assert_snapshot!(told.join("\n"), @r"
        blank: the whole slot erased to 0xff
        first_byte: byte 0 erased to 0xff
        torn_tail: bytes from 68 on erased to 0xff
        one_bit_cleared: bit 4 of byte 73 cleared
        one_bit_set: bit 5 of byte 62 set
        zeroed: the whole slot cleared to 0x00
        stale_copy: content 1da0e8329da0beb6 replaced by ce0d82dd199c191a
        valid_but_wrong: content 1da0e8329da0beb6 replaced by 6bc6e8d6aeaf4a91
        error: `address` is for slot server_address, not for device_private
        rewritten: written anew as it was
        ");
    }

    #[test]
    fn a_corruption_that_changes_nothing_is_an_error() {
        let blank = SlotContent::blank(Slot::ServerPublic);
        for corruption in [
            Corruption::Blank,
            Corruption::FirstByte,
            Corruption::TornTail,
            Corruption::OneBitCleared,
            Corruption::OneBitSet,
        ] {
            let refused = corruption.apply(&blank, 0, &Alternates::default());
            assert_eq!(refused, Err(CorruptionError::NothingToChange { corruption, slot: Slot::ServerPublic }));
        }
        let same = Alternates { other: Some(fixtures::server()), ..Alternates::default() };
        assert!(Corruption::ValidButWrong.apply(&fixtures::server(), 0, &same).is_err());
        assert_eq!(
            Corruption::StaleCopy.apply(&fixtures::server(), 0, &same),
            Err(CorruptionError::NoAlternate(Corruption::StaleCopy))
        );
        assert!(matches!(
            Corruption::ValidButWrong.apply(&fixtures::device_old(), 0, &same),
            Err(CorruptionError::WrongSlot { .. })
        ));
    }

    proptest! {
        #[test]
        fn each_corruption_changes_exactly_what_it_says(content in content(), seed in any::<u64>(), corruption in prop::sample::select(Corruption::ALL.to_vec())) {
            let alternates = alternates_of(&content);
            let Ok(damaged) = corruption.apply(&content, seed, &alternates) else { return Ok(()) };
            let (before, after) = (content.expose(), damaged.content.expose());
            let differences = differing_bits(&content, &damaged.content);
            prop_assert_eq!(differences.is_empty(), corruption == Corruption::Rewritten);
            prop_assert_eq!(damaged.content.shape(), content.shape());
            match damaged.change {
                Change::Blanked => prop_assert!(after.iter().all(|byte| *byte == 0xff)),
                Change::Zeroed => prop_assert!(after.iter().all(|byte| *byte == 0)),
                Change::FirstByteErased => prop_assert_eq!((after[0], &after[1..]), (0xff, &before[1..])),
                Change::TailErased { from } => {
                    prop_assert!(from > 0);
                    prop_assert_eq!(&after[..from], &before[..from]);
                    prop_assert!(after[from..].iter().all(|byte| *byte == 0xff));
                }
                Change::BitFlipped { offset, bit, flip } => {
                    prop_assert_eq!(differences, vec![(offset, 1 << bit)]);
                    prop_assert_eq!(flip == Flip::Set, after[offset] > before[offset]);
                    prop_assert!(offset != 0 || after[0] != 0xff);
                    prop_assert!(offset < content.used());
                }
                Change::Rewritten => prop_assert_eq!(before, after),
                Change::Replaced { before: old, after: new } => {
                    prop_assert_eq!((old, new), (content.fingerprint(), damaged.content.fingerprint()));
                    prop_assert_eq!(check(&damaged.content).is_ok(), true);
                }
            }
        }

        #[test]
        fn the_seed_alone_decides(content in content(), seed in any::<u64>(), corruption in prop::sample::select(Corruption::ALL.to_vec())) {
            let alternates = alternates_of(&content);
            prop_assert_eq!(corruption.apply(&content, seed, &alternates), corruption.apply(&content, seed, &alternates));
        }
    }

    #[test]
    fn a_damage_stays_in_the_part_it_is_aimed_at() {
        let none = Alternates::default();
        for content in [fixtures::rsa_device(), fixtures::rsa_server(), fixtures::device_old(), fixtures::server()] {
            for (part, place) in Part::ALL.into_iter().filter_map(|part| Some((part, part.place(&content)?))) {
                for seed in 0..50 {
                    let damaged = Corruption::OneBitSet.apply_in(Some(part), &content, seed, &none).unwrap();
                    let [(offset, _)] = differing_bits(&content, &damaged.content)[..] else {
                        panic!("more than a bit")
                    };
                    assert!(place.contains(&offset), "{part} of {content:?}");
                }
            }
        }
    }

    #[test]
    fn what_has_no_parts_is_not_aimed_at() {
        let refused = |corruption: Corruption, part, content: SlotContent| {
            corruption.apply_in(Some(part), &content, 1, &Alternates::default()).unwrap_err().to_string()
        };
        insta::assert_snapshot!([
            refused(Corruption::OneBitSet, Part::Private, fixtures::server()),
            refused(Corruption::OneBitSet, Part::Public, fixtures::address()),
            refused(Corruption::OneBitSet, Part::Public, SlotContent::blank(Slot::DevicePrivate)),
            refused(Corruption::Blank, Part::Public, fixtures::device_old()),
        ].join("\n"), @r"
        what is in slot server_public has no private part that could be damaged
        what is in slot server_address has no public part that could be damaged
        what is in slot device_private has no public part that could be damaged
        `blank` damages the whole slot, not a part of it
        ");
    }

    /// Over the seeds, every byte of a key can be hit: no byte of the key is out of the campaign's reach.
    #[test]
    fn every_byte_can_be_hit() {
        let key = fixtures::server();
        let mut hit = vec![false; key.used()];
        for seed in 0..2_000 {
            let damaged = Corruption::OneBitCleared.apply(&key, seed, &Alternates::default()).unwrap();
            hit[differing_bits(&key, &damaged.content)[0].0] = true;
        }
        let has_a_one: Vec<bool> = key.expose_used().iter().map(|byte| *byte != 0).collect();
        assert_eq!(hit, has_a_one);
    }
}
