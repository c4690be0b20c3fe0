//! The keys of a board: the contents of all of its slots.
//!
//! Boundary: which content is whose. Where they lie is a layout's or a profile's to say.

use std::fmt;

use crate::{KnownKey, Slot, SlotContent, SlotState, Standing};

/// The contents of all three slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySet {
    slots: [SlotContent; 3],
}

/// A content was given for another slot than its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a content of slot {found} was given for slot {wanted}")]
pub struct WrongSlot {
    wanted: Slot,
    found: Slot,
}

impl KeySet {
    /// The three contents, each for its slot.
    ///
    /// # Errors
    /// If one is of another slot.
    pub fn new(device: SlotContent, server: SlotContent, address: SlotContent) -> Result<Self, WrongSlot> {
        let slots = [device, server, address];
        for (content, wanted) in slots.iter().zip(Slot::ALL) {
            if content.slot() != wanted {
                return Err(WrongSlot { wanted, found: content.slot() });
            }
        }
        Ok(Self { slots })
    }

    /// All contents, in the order of [`Slot::ALL`].
    pub fn contents(&self) -> &[SlotContent; 3] {
        &self.slots
    }

    /// The content of `slot`.
    pub fn get(&self, slot: Slot) -> &SlotContent {
        &self.slots[slot as usize]
    }

    /// Puts `content` in place of what its slot held.
    pub fn set(&mut self, content: SlotContent) {
        let slot = content.slot();
        self.slots[slot as usize] = content;
    }

    /// What `found` has where it differs from this, in words without key bytes: as in `device_private: torn write of the key saved as before:
    /// blank from byte 40 on`. `None` if it does not. `name` is what this is called.
    pub fn difference(&self, found: &Self, name: &str) -> Option<String> {
        let pairs = self.slots.iter().zip(&found.slots).filter(|(ours, theirs)| ours != theirs);
        let told = pairs.map(|(ours, theirs)| {
            let known = KnownKey { name: name.to_owned(), standing: Standing::Registered, content: ours.clone() };
            format!("{}: {}", ours.slot(), SlotState::classify(theirs, &[known]))
        });
        let told: Vec<String> = told.collect();
        (!told.is_empty()).then(|| told.join("; "))
    }
}

impl fmt::Display for KeySet {
    /// The fingerprints, as in `device_private 1da0e8329da0beb6, server_public …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, content) in self.slots.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{} {}", content.slot(), content.fingerprint())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    fn keys() -> KeySet {
        KeySet::new(fixtures::device_old(), fixtures::server(), fixtures::address()).unwrap()
    }

    #[test]
    fn a_content_for_another_slot_is_refused() {
        let error = KeySet::new(fixtures::server(), fixtures::server(), fixtures::address()).unwrap_err();
        assert_eq!(error.to_string(), "a content of slot server_public was given for slot device_private");
        let mut changed = keys();
        changed.set(fixtures::device_new());
        assert_eq!(changed.get(Slot::DevicePrivate), &fixtures::device_new());
        assert_eq!(changed.get(Slot::ServerPublic), &fixtures::server());
    }

    #[test]
    fn what_differs_is_told_slot_by_slot() {
        let mut found = keys();
        assert_eq!(keys().difference(&found, "before"), None);
        found.set(fixtures::device_old().map(|bytes| bytes[40..].fill(0xff)));
        found.set(fixtures::server_other());
        insta::assert_snapshot!(keys().difference(&found, "before").unwrap(), @"device_private: torn write of before: blank from byte 40 on; server_public: valid but unknown (51debd367ea1fd30)");
        insta::assert_snapshot!(keys(), @"device_private 1da0e8329da0beb6, server_public f3ad1df70b75e23d, server_address 94ed75c06913ac9e");
    }
}
