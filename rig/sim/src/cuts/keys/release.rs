//! The releases whose updates are cut: the shipped images, by how they heal.
//!
//! Boundary: names, images and what a release repairs without writing it down (`fixtures/firmware/PROTOCOL.md` sections 4 and 5).

use brickproof_firmware::{Firmware, PUBLISHED};
use brickproof_keys::KeySet;
use brickproof_keys::{Slot, SlotContent};
use brickproof_virtual_board::chip::Chip;

/// A shipped release of lantern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Release {
    /// Looks at nothing but the type of the address.
    NoHeal,
    /// Replaces a server key whose first byte is blank, in RAM.
    HealBlank,
    /// Parses the server settings and restores them for good.
    HealParse,
    /// Two copies.
    HealFull,
}

/// The first byte of an address slot: 0 is an IPv4 address, 1 a domain.
const LAST_ADDRESS_TYPE: u8 = 1;

impl Release {
    /// All of them, the least careful first.
    pub const ALL: [Self; 4] = [Self::NoHeal, Self::HealBlank, Self::HealParse, Self::HealFull];

    /// Its name, as in that of its image.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoHeal => "no-heal",
            Self::HealBlank => "heal-blank",
            Self::HealParse => "heal-parse",
            Self::HealFull => "heal-full",
        }
    }

    /// The release of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|release| release.name() == name)
    }

    /// Its image for that chip.
    ///
    /// # Panics
    /// Never: every release is shipped.
    pub fn firmware(self, chip: Chip) -> Firmware {
        let name = format!("lantern-{}", self.name());
        Firmware::shipped_for(chip.flash().base, &name).expect("every release is shipped")
    }

    /// Whether it could reach and believe its server with these settings in flash. What a release restores for good is in flash by then.
    pub(super) fn can_use_server(self, found: &KeySet) -> bool {
        let key = found.get(Slot::ServerPublic);
        let address = found.get(Slot::ServerAddress);
        let key_replaced = self == Self::HealBlank && first_byte(key) == Some(u8::MAX);
        let address_replaced = matches!(self, Self::NoHeal | Self::HealBlank)
            && first_byte(address).is_some_and(|kind| kind > LAST_ADDRESS_TYPE);
        (key_replaced || *key == PUBLISHED.server) && (address_replaced || *address == PUBLISHED.address)
    }

    /// Whether it may put wrong server settings right in flash before it connects.
    pub(super) const fn restores_for_good(self) -> bool {
        matches!(self, Self::HealParse | Self::HealFull)
    }
}

fn first_byte(content: &SlotContent) -> Option<u8> {
    content.expose().first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cuts::CHIPS;

    #[test]
    fn what_a_release_repairs_in_ram_does_not_count_as_lost() {
        let genuine = PUBLISHED.set.clone();
        let mut no_key = genuine.clone();
        no_key.set(SlotContent::blank(Slot::ServerPublic));
        let mut no_address = genuine.clone();
        no_address.set(SlotContent::blank(Slot::ServerAddress));
        let able = |found: &KeySet| Release::ALL.map(|release| release.can_use_server(found));
        assert_eq!(able(&genuine), [true; 4]);
        assert_eq!(able(&no_key), [false, true, false, false]);
        assert_eq!(able(&no_address), [true, true, false, false]);
    }

    #[test]
    fn every_release_is_shipped_and_found_by_its_name() {
        for release in Release::ALL {
            assert_eq!(Release::from_name(release.name()), Some(release));
            assert!(CHIPS.into_iter().all(|chip| !release.firmware(chip).image().is_empty()));
        }
        assert_eq!(Release::from_name("lantern"), None);
    }
}
