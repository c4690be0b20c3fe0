//! The stores, by their images.
//!
//! Boundary: names and images.

use brickproof_firmware::Firmware;
use brickproof_virtual_board::chip::Chip;

use crate::cuts::name_of_chip;

/// A committed image.
macro_rules! image {
    ($name:literal) => {
        include_bytes!(concat!("../../../../../fixtures/firmware/stores/images/store-", $name, ".bin"))
    };
}

/// A store that somebody else wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Store {
    /// The map of sequential-storage.
    SequentialStorage,
    /// ekv.
    Ekv,
    /// littlefs, through littlefs2.
    LittleFs,
}

/// The parts that stores are built for.
pub const CHIPS: [Chip; 2] = [Chip::Nrf51822, Chip::Nrf52840];

impl Store {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::SequentialStorage, Self::Ekv, Self::LittleFs];

    /// Its name, as in those of its images.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SequentialStorage => "sequential-storage",
            Self::Ekv => "ekv",
            Self::LittleFs => "littlefs",
        }
    }

    /// The store of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|store| store.name() == name)
    }

    /// After so many erases, each store made room for new values at least twice.
    pub const fn erases(self) -> usize {
        match self {
            Self::SequentialStorage | Self::LittleFs => 4,
            Self::Ekv => 32,
        }
    }

    /// The store as it is laid out for the pages of a part. `None` for a part that none is built for: the STM32F205, whose sectors are few and
    /// large.
    pub(super) fn firmware(self, chip: Chip) -> Option<Firmware> {
        let image: &[u8] = match (self, chip) {
            (Self::SequentialStorage, Chip::Nrf51822) => image!("sequential-storage-nrf51"),
            (Self::SequentialStorage, Chip::Nrf52840) => image!("sequential-storage-nrf52840"),
            (Self::Ekv, Chip::Nrf51822) => image!("ekv-nrf51"),
            (Self::Ekv, Chip::Nrf52840) => image!("ekv-nrf52840"),
            (Self::LittleFs, Chip::Nrf51822) => image!("littlefs-nrf51"),
            (Self::LittleFs, Chip::Nrf52840) => image!("littlefs-nrf52840"),
            (_, Chip::Stm32f205) => return None,
        };
        let name = format!("store-{}-{}.bin", self.name(), name_of_chip(chip));
        Some(Firmware::from_file(&name, image).expect("the image is committed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `StoreWindow` in `fixtures/firmware/lantern/src/registers.rs`.
    const STORES_BEGIN: usize = 0x3_0000;

    #[test]
    fn every_store_is_found_by_its_name_and_its_image_ends_below_its_pages() {
        for store in Store::ALL {
            assert_eq!(Store::from_name(store.name()), Some(store));
            for chip in CHIPS {
                assert!(store.firmware(chip).unwrap().image().len() <= STORES_BEGIN, "{store:?} {chip:?}");
            }
        }
        assert_eq!(Store::from_name("fat"), None);
    }
}
