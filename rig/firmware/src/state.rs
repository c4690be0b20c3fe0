//! The state of a board that was read out: the whole of its flash and its user configuration, and a manifest that holds them to it.
//!
//! Boundary: bytes in, bytes out. The files hold private keys: whoever writes them keeps others from reading them, and copies them nowhere.

use std::fmt::Write as _;

use brickproof_boards::BoardProfile;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::image::Firmware;

/// The name of the manifest in a state's folder.
pub const MANIFEST: &str = "state.json";
/// The name of the file with the flash, from its first byte on.
pub const FLASH_FILE: &str = "flash.bin";
/// The name of the file with the user configuration registers, if the part has any.
pub const UICR_FILE: &str = "uicr.bin";

const SCHEMA: &str = "brickproof/state/1";
const NOTE: &str = "the files hold private keys in the clear; give them to nobody";

/// What a board held without power.
#[derive(Clone, PartialEq, Eq)]
pub struct State {
    board: String,
    flash: Vec<u8>,
    uicr: Vec<u8>,
}

/// Why there is no state.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// A file of it cannot be read.
    #[error("its {file} could not be read: {why}")]
    Unreadable {
        /// The file.
        file: &'static str,
        /// What the system says.
        why: String,
    },
    /// The manifest is none.
    #[error("its {MANIFEST} is no manifest of a state: {0}")]
    Manifest(String),
    /// The manifest is one of another kind, or of a later rig.
    #[error("its {MANIFEST} says `{0}`, and this rig reads `{SCHEMA}`")]
    Schema(String),
    /// A file is not what it was when the manifest was written.
    #[error("its {file} was altered: its SHA-256 is {found}, and the manifest says {expected}")]
    Altered {
        /// The file.
        file: &'static str,
        /// What the manifest says.
        expected: String,
        /// What it is.
        found: String,
    },
    /// It was read out of a board of another kind.
    #[error("it was read out of a {found}, and the board here is a {wanted}")]
    OtherBoard {
        /// The kind of its board.
        found: String,
        /// The kind that is wanted.
        wanted: String,
    },
    /// It is not the whole flash of such a board.
    #[error("its flash has {found} bytes, and that of a {board} {wanted}")]
    Size {
        /// The kind of the board.
        board: String,
        /// How many there are.
        found: usize,
        /// How many there should be.
        wanted: u32,
    },
}

/// A manifest as it is written. Files that are not listed are not there.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    schema: String,
    board: String,
    flash_sha256: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uicr_sha256: Option<String>,
    #[serde(default)]
    note: String,
}

impl State {
    /// What a board of that kind held: all of its flash, and what was read of its user configuration registers from their beginning on.
    ///
    /// # Errors
    /// If that is not all of its flash.
    pub fn new(board: &BoardProfile, flash: Vec<u8>, uicr: Vec<u8>) -> Result<Self, StateError> {
        let state = Self { board: board.name.clone(), flash, uicr };
        state.check(board)?;
        Ok(state)
    }

    /// Reads a state by its files, each held to the manifest.
    ///
    /// # Errors
    /// A file that is missing or was altered, and a state that is not one of such a board.
    pub fn read<E: std::fmt::Display>(
        board: &BoardProfile,
        mut file: impl FnMut(&str) -> Result<Vec<u8>, E>,
    ) -> Result<Self, StateError> {
        let mut open = |name| file(name).map_err(|error| StateError::Unreadable { file: name, why: error.to_string() });
        let manifest: Manifest =
            serde_json::from_slice(&open(MANIFEST)?).map_err(|error| StateError::Manifest(error.to_string()))?;
        if manifest.schema != SCHEMA {
            return Err(StateError::Schema(manifest.schema));
        }
        if manifest.board != board.name {
            return Err(StateError::OtherBoard { found: manifest.board, wanted: board.name.clone() });
        }
        let mut held = |file, expected: String| {
            let bytes = open(file)?;
            let found = sha256(&bytes);
            if found == expected { Ok(bytes) } else { Err(StateError::Altered { file, expected, found }) }
        };
        let flash = held(FLASH_FILE, manifest.flash_sha256)?;
        let uicr = manifest.uicr_sha256.map_or(Ok(Vec::new()), |expected| held(UICR_FILE, expected))?;
        Self::new(board, flash, uicr)
    }

    fn check(&self, board: &BoardProfile) -> Result<(), StateError> {
        let wanted = board.flash.size().0;
        if self.flash.len() as u64 == u64::from(wanted) {
            return Ok(());
        }
        Err(StateError::Size { board: board.name.clone(), found: self.flash.len(), wanted })
    }

    /// Its files by their names, the manifest last: without it there is no state.
    pub fn files(&self) -> Vec<(&'static str, Vec<u8>)> {
        let manifest = Manifest {
            schema: SCHEMA.to_owned(),
            board: self.board.clone(),
            flash_sha256: sha256(&self.flash),
            uicr_sha256: (!self.uicr.is_empty()).then(|| sha256(&self.uicr)),
            note: NOTE.to_owned(),
        };
        // A struct of texts is always written.
        let mut text = serde_json::to_vec_pretty(&manifest).unwrap_or_default();
        text.push(b'\n');
        let mut files = vec![(FLASH_FILE, self.flash.clone())];
        if !self.uicr.is_empty() {
            files.push((UICR_FILE, self.uicr.clone()));
        }
        files.push((MANIFEST, text));
        files
    }

    /// All of the flash.
    pub fn flash(&self) -> &[u8] {
        &self.flash
    }

    /// What was read of the user configuration registers.
    pub fn uicr(&self) -> &[u8] {
        &self.uicr
    }

    /// As something to begin a trial with, under that name.
    pub fn as_firmware(&self, name: &str) -> Firmware {
        Firmware::as_found(name, &self.flash, &self.uicr)
    }

    /// The same with another image written over it, as an update would: what the image does not reach stays as it was found, the keys among it.
    ///
    /// # Errors
    /// If the image reaches beyond the flash.
    pub fn with(&self, firmware: &Firmware) -> Result<Firmware, StateError> {
        let (mut flash, mut uicr) = (self.flash.clone(), self.uicr.clone());
        if firmware.image().len() > flash.len() {
            return Err(StateError::Size {
                board: self.board.clone(),
                found: firmware.image().len(),
                wanted: self.flash.len() as u32,
            });
        }
        for (offset, stretch) in firmware.stretches() {
            flash[offset..offset + stretch.len()].copy_from_slice(stretch);
        }
        if uicr.len() < firmware.uicr().len() {
            uicr.resize(firmware.uicr().len(), 0xFF);
        }
        uicr[..firmware.uicr().len()].copy_from_slice(firmware.uicr());
        Ok(Firmware::as_found(firmware.name(), &flash, &uicr))
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "State({}, {} bytes of flash, {} of UICR)", self.board, self.flash.len(), self.uicr.len())
    }
}

/// Lower-case hex.
fn sha256(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(bytes) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use brickproof_boards::Shelf;

    use super::*;
    use crate::{KeyStore, Memory, PUBLISHED, ReadMemory};

    /// A flash in a vector.
    struct Bytes(Vec<u8>);

    impl ReadMemory for Bytes {
        type Error = &'static str;

        fn read(&mut self, address: u32, into: &mut [u8]) -> Result<(), Self::Error> {
            let from = address as usize;
            into.copy_from_slice(self.0.get(from..from + into.len()).ok_or("beyond")?);
            Ok(())
        }
    }

    impl Memory for Bytes {
        fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), Self::Error> {
            let from = address as usize;
            self.0.get_mut(from..from + bytes.len()).ok_or("beyond")?.copy_from_slice(bytes);
            Ok(())
        }
    }

    fn board(name: &str) -> Arc<BoardProfile> {
        Arc::clone(Shelf::shipped().board(name).unwrap())
    }

    /// A provisioned board, its server key blank.
    fn flash(firmware: &Firmware) -> Vec<u8> {
        let mut memory = Bytes(vec![0xFF; 256 << 10]);
        memory.write(0, firmware.image()).unwrap();
        KeyStore::of(&board("lantern-nrf51"), firmware).unwrap().provision(&mut memory).unwrap();
        memory.write(0x3_e000 + 3298, &[0xFF; 192]).unwrap();
        memory.0
    }

    fn state() -> State {
        let flash = flash(&Firmware::shipped("lantern-no-heal").unwrap());
        State::new(&board("lantern-nrf51"), flash, vec![0xFF; 256]).unwrap()
    }

    fn read(files: &BTreeMap<&str, Vec<u8>>, on: &str) -> Result<State, StateError> {
        State::read(&board(on), |name| files.get(name).cloned().ok_or("no such file"))
    }

    #[test]
    fn what_is_written_is_read_back_and_anything_altered_is_refused() {
        let files: BTreeMap<_, _> = state().files().into_iter().collect();
        assert_eq!(read(&files, "lantern-nrf51").unwrap(), state());
        let wrong = |change: fn(&mut BTreeMap<&str, Vec<u8>>)| {
            let mut files = files.clone();
            change(&mut files);
            read(&files, "lantern-nrf51").unwrap_err().to_string()
        };
        let altered = wrong(|files| files.get_mut(FLASH_FILE).unwrap()[70_000] ^= 1);
        assert!(altered.starts_with("its flash.bin was altered: its SHA-256 is "), "{altered}");
        assert!(wrong(|files| files.get_mut(UICR_FILE).unwrap().truncate(255)).starts_with("its uicr.bin was altered"));
        assert_eq!(wrong(|files| drop(files.remove(FLASH_FILE))), "its flash.bin could not be read: no such file");
        assert_eq!(wrong(|files| drop(files.remove(MANIFEST))), "its state.json could not be read: no such file");
        assert!(wrong(|files| drop(files.insert(MANIFEST, b"{}".to_vec()))).contains("is no manifest"));
        let other = read(&files, "lantern-nrf52840").unwrap_err().to_string();
        assert_eq!(other, "it was read out of a lantern-nrf51, and the board here is a lantern-nrf52840");
        let short = State::new(&board("lantern-nrf51"), vec![0; 10], Vec::new()).unwrap_err().to_string();
        assert_eq!(short, "its flash has 10 bytes, and that of a lantern-nrf51 262144");
    }

    #[test]
    fn a_board_that_begins_as_found_is_given_no_keys() {
        let found = state().as_firmware("as_found");
        let keys = KeyStore::of(&board("lantern-nrf51"), &found).unwrap();
        assert!(keys.written_first().is_empty() && found.is_as_found());
        let mut memory = Bytes(vec![0; 256 << 10]);
        for (address, bytes) in found.pieces(0).filter(|(address, _)| *address < 1 << 20) {
            memory.write(address, bytes).unwrap();
        }
        keys.provision(&mut memory).unwrap();
        assert!(memory.0 == state().flash());
    }

    #[test]
    fn another_image_over_it_leaves_the_keys_and_decides_how_they_are_kept() {
        let full = Firmware::shipped("lantern-heal-full").unwrap();
        let over = state().with(&full).unwrap();
        assert!(over.image()[0x3_e000..] == state().flash()[0x3_e000..]);
        assert_eq!((over.name(), over.store()), ("lantern-heal-full", full.store()));
        assert_ne!(over.sha256(), full.sha256());
        assert_eq!(Firmware::recognised(over.image()).unwrap().name(), "lantern-heal-full");
    }

    #[test]
    fn the_private_keys_of_a_state_are_known_and_its_debug_shows_none() {
        let found = state().as_firmware("as_found");
        let keys = crate::private_keys_of(&board("lantern-nrf51"), &found);
        assert!(keys.contains(&PUBLISHED.device_old));
        assert_eq!(format!("{:?}", state()), "State(lantern-nrf51, 262144 bytes of flash, 256 of UICR)");
        assert_eq!(format!("{found:?}"), format!("Firmware(as_found, 262144 bytes, {})", found.sha256()));
    }
}
