//! The keys of a board behind a door: in lantern's areas at their addresses, or in single slots where its bootloader shows them.
//!
//! Boundary: which memory lies behind the door is the caller's to know, what is done with it the same for every one.

use std::sync::Arc;

use brickproof_boards::{Alternate, BoardProfile};
use brickproof_keys::{Corruption, KeySet, Part, Slot, SlotContent, SlotShape};
use brickproof_scenario::plan::Door;

use crate::memory::{Memory, ReadMemory};
use crate::store::{KeyStore, StoreError, alternates, failed};

/// How a board's keys lie behind a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeysBehind {
    /// In the areas of its flash.
    Areas(KeyStore),
    /// Behind an alternate setting of their own.
    Slots(PlainSlots),
}

/// Slots that are written by themselves: whoever keeps them sees to the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlainSlots {
    places: [(SlotShape, u32); 3],
}

impl KeysBehind {
    /// Whether the rig finds the keys of boards of that kind there.
    ///
    /// # Errors
    /// What its profile lacks, in words.
    pub fn are_known(board: &BoardProfile, through: Door) -> Result<(), String> {
        match through {
            Door::Probe if !KeyStore::is_known_for(board) => Err(format!(
                "a probe does not find the keys of a {}: its profile has no key areas that the rig knows",
                board.name
            )),
            Door::Probe => Ok(()),
            Door::Dfu => {
                Self::alternate(board)?;
                match PlainSlots::of(board)? {
                    None if !KeyStore::is_known_for(board) => Err(lacks(board, "has no key areas that the rig knows")),
                    _ => Ok(()),
                }
            }
        }
    }

    /// The alternate setting of a board's bootloader behind which they lie.
    ///
    /// # Errors
    /// What its profile lacks, in words.
    pub fn alternate(board: &BoardProfile) -> Result<&Alternate, String> {
        match (&board.keys, board.keys_alternate()) {
            (None, _) => Err(lacks(board, "names no keys")),
            (Some(_), None) => Err(lacks(board, "names no alternate setting with its keys")),
            (Some(_), Some(alternate)) => Ok(alternate),
        }
    }

    /// How they lie there. `store` is how the board's firmware keeps them, if that is known; else whatever is found says it.
    ///
    /// # Errors
    /// What the memory says, or what the board's profile lacks.
    pub fn of<M: ReadMemory + ?Sized>(
        board: &BoardProfile,
        through: Door,
        store: Option<KeyStore>,
        memory: &mut M,
    ) -> Result<Self, StoreError> {
        let unfound = |why: String| failed("find the key slots", &why);
        if through == Door::Dfu
            && let Some(slots) = PlainSlots::of(board).map_err(unfound)?
        {
            return Ok(Self::Slots(slots));
        }
        let found = match store {
            Some(store) => Some(store),
            None => KeyStore::recognised(board, memory)?,
        };
        found.map(Self::Areas).ok_or_else(|| unfound(lacks(board, "has no key areas that the rig knows")))
    }

    /// The contents of all slots.
    ///
    /// # Errors
    /// What the memory says.
    pub fn read_set<M: ReadMemory + ?Sized>(self, memory: &mut M) -> Result<KeySet, StoreError> {
        match self {
            Self::Areas(store) => store.read_set(memory),
            Self::Slots(slots) => slots.read_set(memory),
        }
    }

    /// Writes all slots, reads them back and compares.
    ///
    /// # Errors
    /// What the memory says, or that it holds something else afterwards.
    pub fn write_set<M: Memory + ?Sized>(self, memory: &mut M, keys: &KeySet) -> Result<(), StoreError> {
        match self {
            Self::Areas(store) => store.write_set(memory, keys),
            Self::Slots(slots) => slots.write_set(memory, keys),
        }
    }

    /// Damages a slot where it counts; says what changed, without key bytes.
    ///
    /// # Errors
    /// What the memory says, or that this slot cannot be damaged in that way.
    pub fn corrupt<M: Memory + ?Sized>(
        self,
        memory: &mut M,
        slot: Slot,
        class: Corruption,
        part: Option<Part>,
        seed: u64,
    ) -> Result<Arc<str>, StoreError> {
        let slots = match self {
            Self::Areas(store) => return store.corrupt(memory, slot, class, part, seed),
            Self::Slots(slots) => slots,
        };
        let mut keys = slots.read_set(memory)?;
        let content = keys.get(slot);
        let damaged = class
            .apply_in(part, content, seed, &alternates(content.shape()))
            .map_err(|error| failed("corrupt a slot", &error))?;
        keys.set(damaged.content);
        slots.write_set(memory, &keys)?;
        Ok(format!("{slot}: {}", damaged.change).into())
    }
}

fn lacks(board: &BoardProfile, what: &str) -> String {
    format!("the profile of {} {what}", board.name)
}

impl PlainSlots {
    /// Those of a board whose keys have an alternate setting of their own.
    fn of(board: &BoardProfile) -> Result<Option<Self>, String> {
        let Some(keys) = board.keys.as_ref().filter(|keys| keys.through.is_some()) else { return Ok(None) };
        let first = KeysBehind::alternate(board)?.at.0;
        let place = |slot: Slot| -> Result<(SlotShape, u32), String> {
            let shape = keys.shape(slot).ok_or_else(|| lacks(board, &format!("names no slot {slot}")))?;
            let offset = keys.slot(slot).map_or(0, |place| place.offset.0);
            let address = first.checked_add(offset).ok_or_else(|| lacks(board, "names a slot beyond its memory"))?;
            Ok((shape, address))
        };
        let [device, server, address] = Slot::ALL.map(place);
        Ok(Some(Self { places: [device?, server?, address?] }))
    }

    fn read_set<M: ReadMemory + ?Sized>(self, memory: &mut M) -> Result<KeySet, StoreError> {
        const ASKED: &str = "read the key slots";
        let mut read = |(shape, address): (SlotShape, u32)| {
            let mut bytes = vec![0; shape.length];
            memory.read(address, &mut bytes).map_err(|error| failed(ASKED, &error))?;
            SlotContent::shaped(shape, &bytes).map_err(|error| failed(ASKED, &error))
        };
        let [device, server, address] = self.places;
        let (device, server, address) = (read(device)?, read(server)?, read(address)?);
        KeySet::new(device, server, address).map_err(|error| failed(ASKED, &error))
    }

    /// Writes those slots that hold something else, and reads all of them back: a store that answers from a cache that it does not keep would be
    /// found by nobody else.
    fn write_set<M: Memory + ?Sized>(self, memory: &mut M, keys: &KeySet) -> Result<(), StoreError> {
        const ASKED: &str = "write the key slots";
        let there = self.read_set(memory)?;
        for (shape, address) in self.places {
            let content = keys.get(shape.slot);
            if content.shape() != shape {
                return Err(failed(ASKED, &format!("slot {} is of another board", shape.slot)));
            }
            if there.get(shape.slot) != content {
                memory.write(address, content.expose()).map_err(|error| failed(ASKED, &error))?;
            }
        }
        match keys.difference(&self.read_set(memory)?, "what was written") {
            None => Ok(()),
            Some(how) => Err(failed(ASKED, &format!("it reads back otherwise: {how}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use brickproof_boards::Shelf;

    use super::*;
    use crate::PUBLISHED;

    #[test]
    fn slots_lie_where_the_command_line_tool_of_their_maker_writes_them() {
        let shelf = Shelf::shipped();
        let places = |board: &str| {
            let board = shelf.board(board).unwrap();
            let slots = PlainSlots::of(board).unwrap().unwrap();
            (KeysBehind::alternate(board).unwrap().number, slots.places.map(|(shape, address)| (address, shape.length)))
        };
        // particle-cli 3.51.0 `src/lib/keys-specs.js`.
        assert_eq!(places("photon"), (1, [(34, 1216), (2082, 384), (2466, 128)]));
        assert_eq!(places("argon"), (1, [(3106, 192), (3298, 192), (3490, 128)]));
    }

    #[test]
    fn keys_are_behind_a_bootloader_whose_profile_says_so() {
        let shelf = Shelf::shipped();
        let known = |board: &str, through| KeysBehind::are_known(shelf.board(board).unwrap(), through);
        for board in ["lantern-nrf52840", "photon", "argon", "core"] {
            assert_eq!(known(board, Door::Dfu), Ok(()), "{board}");
        }
        let none = "the profile of lantern-nrf51 names no alternate setting with its keys".to_owned();
        assert_eq!(known("lantern-nrf51", Door::Dfu), Err(none));
        assert_eq!(known("microbit", Door::Dfu), Err("the profile of microbit names no keys".to_owned()));
        assert_eq!(known("lantern-nrf51", Door::Probe), Ok(()));
        assert!(known("photon", Door::Probe).is_err());
    }

    /// Memory that begins at 0, and how often it was written.
    struct InRam(Vec<u8>, usize);

    impl ReadMemory for InRam {
        type Error = &'static str;

        fn read(&mut self, address: u32, into: &mut [u8]) -> Result<(), Self::Error> {
            let at = address as usize;
            into.copy_from_slice(self.0.get(at..at + into.len()).ok_or("there is no such memory")?);
            Ok(())
        }
    }

    impl Memory for InRam {
        fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), Self::Error> {
            let at = address as usize;
            self.0[at..at + bytes.len()].copy_from_slice(bytes);
            self.1 += 1;
            Ok(())
        }
    }

    #[test]
    fn single_slots_are_written_where_they_differ_and_nothing_beside_them() {
        let shelf = Shelf::shipped();
        let mut memory = InRam(vec![0x5A; 0x2000], 0);
        let behind = KeysBehind::of(shelf.board("argon").unwrap(), Door::Dfu, None, &mut memory).unwrap();
        behind.write_set(&mut memory, &PUBLISHED.set).unwrap();
        assert_eq!((memory.1, behind.read_set(&mut memory).unwrap()), (3, PUBLISHED.set.clone()));
        let words = behind.corrupt(&mut memory, Slot::ServerPublic, Corruption::Blank, None, 1).unwrap();
        assert!(words.starts_with("server_public: "), "{words}");
        assert_eq!(memory.1, 4, "one slot");
        assert!(memory.0[..3106].iter().chain(&memory.0[3618..]).all(|byte| *byte == 0x5A));
        let another = KeysBehind::of(shelf.board("photon").unwrap(), Door::Dfu, None, &mut memory).unwrap();
        let refused = another.write_set(&mut memory, &PUBLISHED.set).unwrap_err();
        assert!(refused.to_string().contains("is of another board"), "{refused}");
        assert!(behind.read_set(&mut InRam(vec![0; 10], 0)).is_err());
    }

    #[test]
    fn the_areas_of_a_flash_that_a_bootloader_shows_are_those_that_a_probe_finds() {
        let shelf = Shelf::shipped();
        let board = shelf.board("lantern-nrf52840").unwrap();
        let mut memory = InRam(vec![0xFF; 1 << 20], 0);
        let [probe, dfu] = Door::ALL.map(|door| KeysBehind::of(board, door, None, &mut memory).unwrap());
        assert!(probe == dfu && matches!(dfu, KeysBehind::Areas(_)), "{dfu:?}");
    }
}
