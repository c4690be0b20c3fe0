//! From paths to scenarios, and from names to images.
//!
//! Boundary: reads files; what they mean is `brickproof-scenario`'s and `brickproof-sim`'s.

use std::fs;
use std::path::{Path, PathBuf};

use brickproof_scenario::plan::{FirmwareName, Plan};
use brickproof_scenario::{Library, Override, Scenario};
use brickproof_sim::Firmware;

use crate::arguments::Selection;
use crate::exit::Problem;

/// Reads every selected scenario. All mistakes of all files are collected before anything is refused.
pub(crate) fn load(selection: &Selection) -> Result<Vec<Scenario>, Problem> {
    let mut scenarios = load_all(&selection.paths, &selection.set)?;
    let tagged = |plan: &Plan| selection.tag.is_empty() || selection.tag.iter().any(|tag| plan.tags.contains(tag));
    scenarios.iter_mut().for_each(|it| it.cells.retain(tagged));
    if let Some(name) = &selection.firmware {
        for scenario in &mut scenarios {
            let with_it = |plan: Plan| plan.with_firmware(FirmwareName(name.clone()));
            scenario.cells = std::mem::take(&mut scenario.cells).into_iter().map(with_it).collect();
        }
    }
    Ok(scenarios)
}

/// Reads every scenario below `paths`.
pub(crate) fn load_all(paths: &[PathBuf], overrides: &[Override]) -> Result<Vec<Scenario>, Problem> {
    let library = Library::built_in();
    let (mut scenarios, mut mistakes) = (Vec::new(), Vec::new());
    for path in scenario_files(paths)? {
        let bytes = fs::read(&path).map_err(|source| Problem::Unreadable { path: path.clone(), source })?;
        match brickproof_scenario::load_with(&label(&path), &bytes, &library, overrides) {
            Ok(scenario) => scenarios.push(scenario),
            Err(diagnostics) => mistakes.push(diagnostics),
        }
    }
    if mistakes.is_empty() { Ok(scenarios) } else { Err(Problem::Mistakes(mistakes)) }
}

/// The path with `/` between its parts, so that ids and reports are the same on every system.
fn label(path: &Path) -> String {
    let parts = path.components().map(|part| part.as_os_str().to_string_lossy());
    let joined = parts.collect::<Vec<_>>().join("/");
    joined.strip_prefix("./").unwrap_or(&joined).replace("//", "/")
}

/// Every `.yaml` or `.yml` file among `paths` and below the folders among them, in the order of their names.
fn scenario_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Problem> {
    let mut files = Vec::new();
    for path in paths {
        let before = files.len();
        collect(path, &mut files)?;
        if files.len() == before {
            return Err(Problem::Selection {
                what: format!("there is no scenario in {}", path.display()),
                help: "name a .yaml file or a folder with some".to_owned(),
            });
        }
    }
    Ok(files)
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), Problem> {
    let unreadable = |source| Problem::Unreadable { path: path.to_owned(), source };
    if !fs::metadata(path).map_err(unreadable)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let entries = fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(unreadable)?;
    let mut paths: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).collect();
    paths.sort();
    for path in paths {
        let is_yaml = path.extension().is_some_and(|it| it == "yaml" || it == "yml");
        if path.is_dir() || is_yaml {
            collect(&path, files)?;
        }
    }
    Ok(())
}

/// The image that `plan` names, if its board has room for it.
pub(crate) fn firmware_of(plan: &Plan) -> Result<Firmware, Problem> {
    let firmware = firmware(&plan.firmware.0)?;
    let (length, room) = (firmware.image().len() as u64, plan.board.flash.size);
    if length > u64::from(room.0) {
        return Err(Problem::Selection {
            what: format!("{} has {length} bytes, and the flash of {} only {room}", firmware.name(), plan.board.name),
            help: "is the image for another board, or does it begin at another address?".to_owned(),
        });
    }
    Ok(firmware)
}

/// The image of that name: a shipped one, or a file.
fn firmware(name: &str) -> Result<Firmware, Problem> {
    if let Some(shipped) = Firmware::shipped(name) {
        return Ok(shipped);
    }
    let path = Path::new(name);
    let bytes = fs::read(path).map_err(|source| Problem::Unreadable { path: path.to_owned(), source })?;
    Firmware::from_file(name, &bytes).map_err(|error| Problem::Selection {
        what: format!("{name} is no firmware image: {error}"),
        help: "give a raw image (.bin), Intel HEX (.hex) or an ELF file".to_owned(),
    })
}
