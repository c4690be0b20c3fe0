//! What may be named on the command line and in files: the boards and firmware that come with the rig, and the boards of `--profiles`.
//!
//! Boundary: filled once, before any command begins.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::{fs, io};

use brickproof_boards::BoardProfile;
use brickproof_firmware::KeyStore;
use brickproof_scenario::plan::Plan;
use brickproof_scenario::{Diagnostics, Library, suggestion};

use crate::exit::Problem;
use crate::files;

static STOCK: OnceLock<Stock> = OnceLock::new();

struct Stock {
    library: Library,
    /// What was added to it.
    besides: Vec<PathBuf>,
}

/// Adds the profiles in these files, and in the `.yaml` files of the folders among them.
pub(crate) fn stock(paths: &[PathBuf]) -> Result<(), Problem> {
    if paths.is_empty() {
        return Ok(());
    }
    let mut library = Library::built_in();
    let mistakes = add(&mut library, paths)?;
    if !mistakes.is_empty() {
        return Err(Problem::Mistakes(mistakes));
    }
    // Nothing has asked for it before.
    STOCK.get_or_init(|| Stock { library, besides: paths.to_vec() });
    Ok(())
}

fn all() -> &'static Stock {
    STOCK.get_or_init(|| Stock { library: Library::built_in(), besides: Vec::new() })
}

/// Everything that may be named.
pub(crate) fn library() -> &'static Library {
    &all().library
}

/// What another call has to be given, to know the same boards.
pub(crate) fn besides() -> &'static [PathBuf] {
    &all().besides
}

/// Reads profiles into `library`; what is wrong with them.
pub(crate) fn add(library: &mut Library, paths: &[PathBuf]) -> Result<Vec<Diagnostics>, Problem> {
    let mut texts = Vec::new();
    for path in profiles(paths)? {
        let text = fs::read(&path).map_err(|source| unreadable(&path, source))?;
        texts.push((files::label(&path), text));
    }
    Ok(library.add_boards(texts.iter().map(|(path, text)| (path.as_str(), text.as_slice()))))
}

fn profiles(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Problem> {
    let mut found = Vec::new();
    for path in paths {
        if !path.is_dir() {
            found.push(path.clone());
            continue;
        }
        let entries = fs::read_dir(path).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
        let mut entries: Vec<PathBuf> = entries.map_err(|source| unreadable(path, source))?;
        entries.retain(|path| path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml"));
        entries.sort();
        if entries.is_empty() {
            return Err(Problem::Selection {
                what: format!("there is no board profile in {}", path.display()),
                help: "name a .yaml file or a folder with some".to_owned(),
            });
        }
        found.extend(entries);
    }
    Ok(found)
}

fn unreadable(path: &Path, source: io::Error) -> Problem {
    Problem::Unreadable { path: path.to_owned(), source }
}

/// The board of that name.
pub(crate) fn board(name: &str) -> Result<&'static std::sync::Arc<BoardProfile>, Problem> {
    let library = library();
    library.board(name).ok_or_else(|| Problem::Selection {
        what: format!("there is no board called `{name}`"),
        help: suggestion("boards", name, library.board_names()),
    })
}

/// Refuses to run a plan on a virtual board that no virtual board can run.
pub(crate) fn check_virtual(plan: &Plan) -> Result<(), Problem> {
    check_emulated(&plan.board)?;
    if !plan.leaves_the_board_alone() {
        return Ok(());
    }
    Err(Problem::Selection {
        what: format!(
            "{} leaves the firmware that is on its board, and a virtual one has none: nothing was executed",
            plan.scenario.path
        ),
        help: "give a station with --bench, or a firmware with --firmware".to_owned(),
    })
}

/// Refuses to run a board's scenario without the board when nobody has emulated it: another one's firmware would say nothing about it.
pub(crate) fn check_emulated(board: &BoardProfile) -> Result<(), Problem> {
    if board.virtual_chip.is_some() && KeyStore::is_known_for(board) {
        return Ok(());
    }
    let emulated: Vec<&str> =
        library().boards().filter(|board| board.virtual_chip.is_some()).map(|board| board.name.as_str()).collect();
    Err(Problem::Selection {
        what: format!("there is no virtual {}: nothing was executed", board.name),
        help: format!("give a station that has one with --bench; virtual boards: {}", emulated.join(", ")),
    })
}
