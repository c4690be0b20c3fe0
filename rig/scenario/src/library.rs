//! The boards and firmware images that scenarios may name.
//!
//! Boundary: names and profiles. Where an image's bytes are is known to whoever runs it, who may also judge those that are files.

use std::collections::BTreeSet;
use std::sync::Arc;

use brickproof_boards::{BoardProfile, Shelf};
use brickproof_yaml::Diagnostics;

/// The images that come with the rig (`fixtures/firmware/images`), named after how they heal.
const FIRMWARES: [&str; 4] = ["lantern-no-heal", "lantern-heal-blank", "lantern-heal-parse", "lantern-heal-full"];

/// Says whether the file at a path is an image for a board, or in one sentence why not.
pub type FirmwareFiles = fn(path: &str, board: &BoardProfile) -> Result<(), String>;

/// Says whether the folder at a path holds the state of such a board, whole and unaltered, or in one sentence why not.
pub type StateFolders = fn(path: &str, board: &BoardProfile) -> Result<(), String>;

/// What scenarios may name.
#[derive(Clone, Debug, Default)]
pub struct Library {
    shelf: Shelf,
    firmwares: BTreeSet<String>,
    files: Option<FirmwareFiles>,
    states: Option<StateFolders>,
}

impl Library {
    /// Nothing at all.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The boards and images that come with the rig.
    pub fn built_in() -> Self {
        let mut library = Self { shelf: Shelf::shipped(), ..Self::empty() };
        for name in FIRMWARES {
            library.add_firmware(name);
        }
        library
    }

    /// Adds the board profile in `text`, replacing one of the same name.
    ///
    /// # Errors
    /// Every mistake of the file at once.
    pub fn add_board(&mut self, path: &str, text: impl AsRef<[u8]>) -> Result<(), Diagnostics> {
        self.shelf.add(path, text)
    }

    /// Adds several board profiles, of which some may be like others; the mistakes of those that are wrong.
    pub fn add_boards<'t>(&mut self, files: impl IntoIterator<Item = (&'t str, &'t [u8])>) -> Vec<Diagnostics> {
        self.shelf.add_all(files)
    }

    /// Allows scenarios to name this image.
    pub fn add_firmware(&mut self, name: &str) {
        self.firmwares.insert(name.to_owned());
    }

    /// From now on paths to images are looked at by `files`, and what it finds wrong is a mistake of the scenario. Without it a path is
    /// believed.
    #[must_use]
    pub fn with_firmware_files(self, files: FirmwareFiles) -> Self {
        Self { files: Some(files), ..self }
    }

    /// From now on paths to states are looked at by `states`, as those to images by [`Self::with_firmware_files`].
    #[must_use]
    pub fn with_states(self, states: StateFolders) -> Self {
        Self { states: Some(states), ..self }
    }

    /// Whether the state at `path` is one of such a board, as far as that can be known.
    pub(crate) fn state(&self, path: &str, board: &BoardProfile) -> Result<(), String> {
        self.states.map_or(Ok(()), |states| states(path, board))
    }

    /// Whether the image at `path` will do for `board`, as far as that can be known.
    pub(crate) fn firmware_file(&self, path: &str, board: &BoardProfile) -> Result<(), String> {
        self.files.map_or(Ok(()), |files| files(path, board))
    }

    /// The board of that name.
    pub fn board(&self, name: &str) -> Option<&Arc<BoardProfile>> {
        self.shelf.board(name)
    }

    /// Every board, by name.
    pub fn boards(&self) -> impl Iterator<Item = &Arc<BoardProfile>> {
        self.shelf.boards()
    }

    /// The names of all boards, sorted.
    pub fn board_names(&self) -> impl Iterator<Item = &str> + Clone {
        self.shelf.names()
    }

    /// The names of all images, sorted.
    pub fn firmware_names(&self) -> impl Iterator<Item = &str> + Clone {
        self.firmwares.iter().map(String::as_str)
    }
}
