//! The profiles that are known: those that come with the rig, and whichever are put beside them.
//!
//! Boundary: a collection by name. A file may be put here before the one that it is like.

use std::collections::BTreeMap;
use std::sync::Arc;

use brickproof_yaml::decode::Decoder;
use brickproof_yaml::tree::{self, Extent};
use brickproof_yaml::{Diagnostics, Mistake, MistakeKind, Mistakes, suggest};

use crate::draft::{self, Draft, KEYS, Title, TitleKind};
use crate::profile::BoardProfile;

/// The profiles of `hardware/families` and `hardware/boards`, and their paths in the rig's repository.
const SHIPPED: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/shipped.rs"));

const BEGINNING: &str = "`board:` and its name";

/// Board profiles by name.
#[derive(Clone, Debug, Default)]
pub struct Shelf {
    drafts: BTreeMap<String, Draft>,
    boards: BTreeMap<String, Arc<BoardProfile>>,
}

/// A file that waits for the one that it is like.
struct Waiting<'t> {
    path: &'t str,
    text: &'t [u8],
    name: Option<String>,
    like: Option<String>,
    /// The file before it in the batch that is about the same board.
    owner: Option<&'t str>,
}

impl Shelf {
    /// An empty one.
    pub fn empty() -> Self {
        Self::default()
    }

    /// With the profiles that come with the rig.
    pub fn shipped() -> Self {
        let mut shelf = Self::empty();
        let files = SHIPPED.iter().map(|(path, text)| (*path, text.as_bytes()));
        let mistakes = shelf.add_all(files);
        assert!(mistakes.is_empty(), "the profiles that come with the rig are read by its tests: {mistakes:?}");
        shelf
    }

    /// Puts the profile in `text` here, in place of one of the same name.
    ///
    /// # Errors
    /// Every mistake of the file at once.
    pub fn add(&mut self, path: &str, text: impl AsRef<[u8]>) -> Result<(), Diagnostics> {
        self.put(path, text.as_ref(), None)
    }

    /// As [`add`](Self::add); if another file of the same batch is about that board already, it keeps the name.
    fn put(&mut self, path: &str, text: &[u8], owner: Option<&str>) -> Result<(), Diagnostics> {
        let text = brickproof_yaml::utf8(path, text)?;
        let mut mistakes = Mistakes::default();
        let tree = tree::parse(text, BEGINNING, &mut mistakes);
        let read = tree.as_ref().and_then(|(root, _)| {
            let mut decoder = Decoder::new(&[], &mut mistakes);
            let file = decoder.fields(root, "a board profile", &KEYS)?;
            let title = draft::title(&mut decoder, &file);
            if let (Some(owner), Some(Title { name, place, .. })) = (owner, &title) {
                let message = format!("`{name}` is described by {owner}, too");
                let twice = Mistake::new(MistakeKind::DuplicateValue, *place, message);
                decoder.report(twice.label("again").help("give one of them another name, or leave one out"));
            }
            let base = match draft::like(&mut decoder, &file) {
                None => Draft::default(),
                Some((like, place)) => match self.drafts.get(&like) {
                    Some(draft) => draft.clone(),
                    None => {
                        let message = format!("unknown board or family `{like}`");
                        let unknown = Mistake::new(MistakeKind::UnknownName, place, message);
                        let names = self.drafts.keys().map(String::as_str);
                        decoder
                            .report(unknown.label("nothing is known of it").help(suggest::help("known", &like, names)));
                        // Whatever is missing may be there.
                        return None;
                    }
                },
            };
            let draft = Draft::read(&mut decoder, &file, &base);
            let Title { name, kind, .. } = title?;
            let board = match kind {
                TitleKind::Family => None,
                TitleKind::Board => Some(draft.clone().complete(&mut decoder, &file, name.clone())?),
            };
            Some((name, draft, board))
        });
        if tree.is_some_and(|(_, extent)| extent == Extent::UpToSyntaxError) {
            mistakes.forgive_what_is_unfinished();
        }
        let (name, draft, board) = mistakes.settle(path, text, read)?;
        self.drafts.insert(name.clone(), draft);
        if let Some(board) = board {
            self.boards.insert(name, Arc::new(board));
        }
        Ok(())
    }

    /// Puts several profiles here, of which some may be like others, in whichever order; the mistakes of those that are wrong.
    pub fn add_all<'t>(&mut self, files: impl IntoIterator<Item = (&'t str, &'t [u8])>) -> Vec<Diagnostics> {
        let mut owners: BTreeMap<String, &'t str> = BTreeMap::new();
        let waiting = files.into_iter().map(|(path, text)| {
            let [name, like] = title_of(text);
            let owner = name.as_ref().and_then(|name| owners.get(name).copied());
            if let (Some(name), None) = (&name, owner) {
                owners.insert(name.clone(), path);
            }
            Waiting { path, text, name, like, owner }
        });
        let mut waiting: Vec<Waiting<'t>> = waiting.collect();
        let mut mistakes = Vec::new();
        while !waiting.is_empty() {
            // A file goes before those that are like it. If each waits for another, nobody has what it is like, and that is said.
            let is_there = |like: &String| waiting.iter().any(|file| file.name.as_ref() == Some(like));
            let is_ready = |file: &Waiting<'_>| !file.like.as_ref().is_some_and(is_there);
            let ready: Vec<bool> = waiting.iter().map(is_ready).collect();
            let nobody_is = !ready.contains(&true);
            let mut ready = ready.into_iter();
            let (now, later): (Vec<_>, Vec<_>) =
                waiting.into_iter().partition(|_| nobody_is || ready.next().unwrap_or(true));
            mistakes.extend(now.into_iter().filter_map(|file| self.put(file.path, file.text, file.owner).err()));
            waiting = later;
        }
        mistakes
    }

    /// The board of that name.
    pub fn board(&self, name: &str) -> Option<&Arc<BoardProfile>> {
        self.boards.get(name)
    }

    /// Every board, by name.
    pub fn boards(&self) -> impl Iterator<Item = &Arc<BoardProfile>> {
        self.boards.values()
    }

    /// The names of all boards, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.boards.keys().map(String::as_str)
    }
}

/// The board or family that the profile in `text` is about, and what it is like, as far as that can be read.
fn title_of(text: &[u8]) -> [Option<String>; 2] {
    let mut mistakes = Mistakes::default();
    let tree = std::str::from_utf8(text).ok().and_then(|text| tree::parse(text, BEGINNING, &mut mistakes));
    let mut decoder = Decoder::new(&[], &mut mistakes);
    let fields = tree.as_ref().and_then(|(root, _)| decoder.fields(root, "a board profile", &KEYS));
    let mut word = |key: &str| {
        let node = fields.as_ref()?.get(key)?;
        decoder.text(node, "a name").map(|text| text.into_owned())
    };
    [word("board").or_else(|| word("family")), word("like")]
}
