//! The stores, by their images.
//!
//! Boundary: names and images.

use brickproof_firmware::Firmware;

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

impl Store {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::SequentialStorage, Self::Ekv, Self::LittleFs];

    /// Its name, as in that of its image.
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

    pub(super) fn firmware(self) -> Firmware {
        let image: &[u8] = match self {
            Self::SequentialStorage => {
                include_bytes!("../../../../../fixtures/firmware/stores/images/store-sequential-storage.bin")
            }
            Self::Ekv => include_bytes!("../../../../../fixtures/firmware/stores/images/store-ekv.bin"),
            Self::LittleFs => include_bytes!("../../../../../fixtures/firmware/stores/images/store-littlefs.bin"),
        };
        Firmware::from_file(&format!("store-{}.bin", self.name()), image).expect("the image is committed")
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
            assert!(store.firmware().image().len() <= STORES_BEGIN, "{store:?}");
        }
        assert_eq!(Store::from_name("fat"), None);
    }
}
