//! From paths to scenarios, and from names to images.
//!
//! Boundary: reads files; what they mean is `brickproof-scenario`'s and `brickproof-sim`'s.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use brickproof_boards::BoardProfile;
use brickproof_firmware::{Firmware, State};
use brickproof_scenario::plan::{FirmwareName, Plan, StateName};
use brickproof_scenario::{Knob, Library, Override, Scenario, Setting, suggestion};

use crate::arguments::Selection;
use crate::exit::Problem;
use crate::library::library;
use crate::output;

/// A scenario file that was read, though not understood.
pub(crate) struct Source {
    /// Its path with `/` between the parts.
    pub(crate) label: String,
    /// Whether somebody named this very file.
    pub(crate) reached: Reached,
    bytes: Vec<u8>,
    axes: Vec<(String, Vec<String>)>,
}

/// How a file was come by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    /// By its name.
    Named,
    /// In this folder, which was named.
    InFolder(String),
}

impl Source {
    /// Whether the file lists this value for this axis.
    pub(crate) fn lists(&self, axis: &str, value: &str) -> bool {
        self.values(axis).is_some_and(|values| values.iter().any(|listed| listed == value))
    }

    pub(crate) fn values(&self, axis: &str) -> Option<&[String]> {
        self.axes.iter().find(|(name, _)| name == axis).map(|(_, values)| values.as_slice())
    }
}

/// Reads every selected scenario. All mistakes of all files are collected before anything is refused.
pub(crate) fn load(selection: &Selection) -> Result<Vec<(Source, Scenario)>, Problem> {
    // A firmware that is asked for takes the place of those that the scenarios name: whether they are there does not matter.
    let library = match &selection.firmware {
        Some(_) => library().clone(),
        None => library().clone().with_firmware_files(judge_firmware_file),
    }
    .with_states(judge_state);
    let sources = read(&selection.paths)?;
    let (axes, settings) = told_apart(&selection.set)?;
    note_tried_values(&axes, &sources)?;
    let mut scenarios = understand(sources, &axes, &library)?;
    let tagged = |plan: &Plan| selection.tag.is_empty() || selection.tag.iter().any(|tag| plan.tags.contains(tag));
    for (_, scenario) in &mut scenarios {
        scenario.cells.retain(tagged);
    }
    for (_, scenario) in &mut scenarios {
        for plan in &mut scenario.cells {
            *plan = turned(plan, &settings)?;
        }
    }
    if let Some(name) = &selection.firmware {
        let name = FirmwareName(name.clone());
        let with_it = |(source, scenario): (Source, Scenario)| (source, scenario.with_firmware(&name));
        scenarios = scenarios.into_iter().map(with_it).collect();
    }
    if scenarios.iter().all(|(_, scenario)| scenario.cells.is_empty()) {
        return Err(Problem::Selection {
            what: "no trial is left by --tag and --set".to_owned(),
            help: "`brickproof explain PATH` shows tags and axes".to_owned(),
        });
    }
    Ok(scenarios)
}

/// The values of axes, and the knobs of faults.
pub(crate) fn told_apart(set: &[Override]) -> Result<(Vec<Override>, Vec<Setting>), Problem> {
    let (knobs, axes): (Vec<_>, Vec<_>) = set.iter().cloned().partition(|it| Knob::is_meant(&it.axis));
    let setting = |Override { axis, value }: Override| {
        Setting::parse(&axis, &value)
            .map_err(|error| Problem::Selection { what: error.to_string(), help: error.help().to_owned() })
    };
    Ok((axes, knobs.into_iter().map(setting).collect::<Result<_, _>>()?))
}

/// `plan` with the numbers of its fault turned.
pub(crate) fn turned(plan: &Plan, settings: &[Setting]) -> Result<Plan, Problem> {
    plan.turned(settings).map_err(|error| Problem::Selection {
        what: error.to_string(),
        help: "`brickproof explain PATH` shows the faults of a scenario".to_owned(),
    })
}

/// Reads every scenario below `paths` and looks at the firmware files that they name.
pub(crate) fn load_all(paths: &[PathBuf]) -> Result<Vec<Scenario>, Problem> {
    let library = library().clone().with_firmware_files(judge_firmware_file).with_states(judge_state);
    let scenarios = understand(read(paths)?, &[], &library)?;
    Ok(scenarios.into_iter().map(|(_, scenario)| scenario).collect())
}

/// Reads the files below `paths`; what is in them is not judged yet.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<Source>, Problem> {
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).map_err(|source| Problem::Unreadable { path: path.clone(), source })?;
        let folder = paths.iter().filter(|named| **named != path).find(|named| path.starts_with(named));
        let reached = match folder {
            Some(folder) if !paths.contains(&path) => Reached::InFolder(label(folder)),
            _ => Reached::Named,
        };
        Ok(Source { label: label(&path), reached, axes: brickproof_scenario::axes(&bytes), bytes })
    };
    scenario_files(paths)?.into_iter().map(read).collect()
}

/// The scenarios of `sources`, with the cells that `set` leaves. All mistakes of all files are collected, also of those that it leaves
/// nothing of.
pub(crate) fn understand(
    sources: Vec<Source>,
    set: &[Override],
    library: &Library,
) -> Result<Vec<(Source, Scenario)>, Problem> {
    let tried: BTreeSet<&Override> =
        set.iter().filter(|it| !sources.iter().any(|source| source.lists(&it.axis, &it.value))).collect();
    let (mut scenarios, mut mistakes) = (Vec::new(), Vec::new());
    for source in sources {
        let overrides = overrides_for(&source, set, &tried);
        let load =
            |overrides: &[Override]| brickproof_scenario::load_with(&source.label, &source.bytes, library, overrides);
        match (load(overrides.as_deref().unwrap_or_default()), overrides) {
            (Ok(scenario), Some(_)) => scenarios.push((source, scenario)),
            (Ok(_), None) => {}
            (Err(diagnostics), _) => mistakes.push(diagnostics),
        }
    }
    if mistakes.is_empty() { Ok(scenarios) } else { Err(Problem::Mistakes(mistakes)) }
}

/// What `set` means for one file: of each axis the values that it lists, and those that are tried because no file does. `None` if it has
/// no such cells.
fn overrides_for(source: &Source, set: &[Override], tried: &BTreeSet<&Override>) -> Option<Vec<Override>> {
    let mut overrides = Vec::new();
    for axis in set.iter().map(|it| &it.axis) {
        source.values(axis)?;
        let of_axis = set.iter().filter(|it| it.axis == *axis);
        let meant: Vec<_> = of_axis.filter(|it| source.lists(axis, &it.value) || tried.contains(it)).collect();
        if meant.is_empty() {
            return None;
        }
        for it in meant {
            if !overrides.contains(it) {
                overrides.push(it.clone());
            }
        }
    }
    Some(overrides)
}

/// Refuses an axis that no file has, and says of a value that no file lists that it is tried all the same.
fn note_tried_values(set: &[Override], sources: &[Source]) -> Result<(), Problem> {
    let axes: BTreeSet<&str> = sources.iter().flat_map(|it| &it.axes).map(|(axis, _)| axis.as_str()).collect();
    for Override { axis, value } in set {
        if !axes.contains(axis.as_str()) {
            return Err(Problem::Selection {
                what: format!("no scenario here has the axis `{axis}`"),
                help: suggestion("axes", axis, axes.iter().copied()),
            });
        }
        if !sources.iter().any(|source| source.lists(axis, value)) {
            output::note(&format!("no scenario here lists {axis}={value}; it is tried where the axis is"));
        }
    }
    Ok(())
}

/// The path with `/` between its parts, so that ids and reports are the same on every system.
pub(crate) fn label(path: &Path) -> String {
    let parts = path.components().map(|part| part.as_os_str().to_string_lossy());
    let joined = parts.collect::<Vec<_>>().join("/");
    joined.strip_prefix("./").unwrap_or(&joined).replace("//", "/")
}

/// The scenario files that were found so far, each once however it is reached.
#[derive(Default)]
struct Found {
    files: Vec<PathBuf>,
    /// Files and folders with every link followed, and which they are: a link that leads back up must not lead round for ever.
    known: BTreeMap<PathBuf, Kind>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Scenario,
    Folder,
}

/// Every `.yaml` or `.yml` file among `paths` and below the folders among them, in the order of their names.
fn scenario_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Problem> {
    let mut found = Found::default();
    for path in paths {
        if found.collect(path)? == 0 {
            return Err(Problem::Selection {
                what: format!("there is no scenario in {}", path.display()),
                help: "name a .yaml file or a folder with some".to_owned(),
            });
        }
    }
    Ok(found.files)
}

impl Found {
    /// How many scenarios are at `path`, also those that were known already.
    fn collect(&mut self, path: &Path) -> Result<usize, Problem> {
        let unreadable = |source| Problem::Unreadable { path: path.to_owned(), source };
        let kind = if fs::metadata(path).map_err(unreadable)?.is_dir() { Kind::Folder } else { Kind::Scenario };
        let canonical = fs::canonicalize(path).map_err(unreadable)?;
        let is_new = self.known.insert(canonical.clone(), kind).is_none();
        match kind {
            Kind::Scenario if is_new => {
                self.files.push(path.to_owned());
                return Ok(1);
            }
            Kind::Folder if is_new => {}
            _ => {
                let there = |(path, kind): &(&PathBuf, &Kind)| **kind == Kind::Scenario && path.starts_with(&canonical);
                return Ok(self.known.iter().filter(there).count());
            }
        }
        let entries = fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(unreadable)?;
        let mut paths: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).collect();
        paths.sort();
        let mut scenarios = 0;
        for path in paths {
            let is_yaml = path.extension().is_some_and(|it| it == "yaml" || it == "yml");
            if path.is_dir() || is_yaml && !is_campaign(&path)? {
                scenarios += self.collect(&path)?;
            }
        }
        Ok(scenarios)
    }
}

/// The campaigns among `paths` and below the folders among them, in the order of their names.
pub(crate) fn campaigns(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Problem> {
    let (mut found, mut open): (Vec<PathBuf>, Vec<PathBuf>) = (Vec::new(), paths.to_vec());
    let mut known = BTreeSet::new();
    while let Some(path) = open.pop() {
        let unreadable = |source| Problem::Unreadable { path: path.clone(), source };
        if !known.insert(fs::canonicalize(&path).map_err(unreadable)?) {
            continue;
        }
        if path.is_dir() {
            let entries = fs::read_dir(&path).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(unreadable)?;
            open.extend(entries.iter().map(fs::DirEntry::path));
        } else if path.extension().is_some_and(|it| it == "yaml" || it == "yml") && is_campaign(&path)? {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a file asks the question of a campaign: what it varies is a scenario of its own.
pub(crate) fn is_campaign(path: &Path) -> Result<bool, Problem> {
    let bytes = fs::read(path).map_err(|source| Problem::Unreadable { path: path.to_owned(), source })?;
    Ok(bytes.split(|byte| *byte == b'\n').any(|line| line.starts_with(b"campaign:")))
}

/// What the board of `plan` holds as its trial begins: the image that it names, if its board has room for it, or a state, with another image
/// over it if it names one.
pub(crate) fn firmware_of(plan: &Plan) -> Result<Firmware, Problem> {
    if plan.leaves_the_board_alone() {
        return Ok(Firmware::not_written());
    }
    let others = plan.images().into_iter().skip(1).filter(|image| Firmware::shipped(&image.0).is_none());
    let others = others.map(|image| firmware_called(&image.0, &plan.board)).collect::<Result<Vec<_>, _>>()?;
    first_firmware_of(plan).map(|firmware| firmware.with_others(others))
}

/// The same, without what it writes over it later.
fn first_firmware_of(plan: &Plan) -> Result<Firmware, Problem> {
    let Some(StateName(path)) = &plan.state else { return firmware_called(&plan.firmware.0, &plan.board) };
    let refused = |what| Problem::Selection {
        what,
        help: "`brickproof autopsy` writes such folders; `brickproof lint` checks that they are whole".to_owned(),
    };
    let state = state(path, &plan.board).map_err(refused)?;
    if plan.firmware.is_as_found() {
        return Ok(state.as_firmware(FirmwareName::AS_FOUND));
    }
    let firmware = firmware_called(&plan.firmware.0, &plan.board)?;
    state.with(&firmware).map_err(|error| refused(error.to_string()))
}

/// For the reader of scenarios: whether that folder holds the state of such a board.
fn judge_state(path: &str, board: &BoardProfile) -> Result<(), String> {
    state(path, board).map(drop)
}

/// The state in that folder, or why there is none of such a board.
fn state(path: &str, board: &BoardProfile) -> Result<State, String> {
    let folder = Path::new(path);
    State::read(board, |name| fs::read(folder.join(name)))
        .map_err(|error| format!("{path} is no state of a board: {error}"))
}

/// The image of that name, a shipped one or a file, if that board has room for it.
pub(crate) fn firmware_called(name: &str, board: &BoardProfile) -> Result<Firmware, Problem> {
    if Firmware::shipped(name).is_none() && !is_path(name) && !Path::new(name).exists() {
        return Err(Problem::Selection {
            what: format!("there is no firmware called `{name}`, and no such file"),
            help: suggestion("firmwares", name, Firmware::shipped_names().collect::<Vec<_>>().into_iter()),
        });
    }
    firmware(name, board).map_err(|what| Problem::Selection {
        what,
        help: "give a raw image (.bin), Intel HEX (.hex) or an ELF file that was made for this board".to_owned(),
    })
}

/// Whether a name can only be meant as a file.
fn is_path(name: &str) -> bool {
    name.contains('/') || Path::new(name).extension().is_some()
}

/// For the reader of scenarios: whether that file will do.
fn judge_firmware_file(path: &str, board: &BoardProfile) -> Result<(), String> {
    firmware(path, board).map(drop)
}

/// The image of that name, a shipped one or a file, or why there is none for that board.
fn firmware(name: &str, board: &BoardProfile) -> Result<Firmware, String> {
    let flash = board.flash.at;
    let firmware = match Firmware::shipped_for(flash.0, name) {
        Some(shipped) => shipped,
        None => {
            let bytes = fs::read(name).map_err(|error| format!("{name} could not be read: {error}"))?;
            Firmware::from_file(name, &bytes).map_err(|error| format!("{name} is no firmware image: {error}"))?
        }
    };
    if let Some(made_for) = firmware.made_for_other_than(flash.0) {
        return Err(format!(
            "{name} was made for flash from {made_for:#010x} on, and that of {} begins at {flash}",
            board.name
        ));
    }
    let (length, room) = (firmware.image().len() as u64, board.flash.size());
    if length > u64::from(room.0) {
        return Err(format!("{name} has {length} bytes, and the flash of {} only {room}", board.name));
    }
    Ok(firmware)
}
