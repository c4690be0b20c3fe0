//! A scenario file as a whole: title, board, matrix, and one plan for every cell.
//!
//! Boundary: puts together what the other modules read. It reads a file once and decodes it once for every cell.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use brickproof_boards::BoardProfile;
use brickproof_yaml::decode::{Decoder, Fields, Names};
use brickproof_yaml::suggest;
use brickproof_yaml::tree::{self, Extent, Node};
use brickproof_yaml::{Diagnostics, LineIndex, Mistake, MistakeKind, Mistakes};
use sha2::{Digest, Sha256};

use crate::library::Library;
use crate::matrix::{Cell, Matrix, Override};
use crate::needs;
use crate::outcome::Outcome;
use crate::plan::{FirmwareName, Plan, ScenarioId, StateName};
use crate::reader::{PatternCache, Reader, image};
use crate::steps::{GENUINE, Room};

/// A scenario without mistakes.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Which one it is, its title as it is written; the titles of the cells have their values filled in.
    pub id: ScenarioId,
    /// One plan for every cell of the matrix, the last axis changing fastest; a single one without a matrix. None if overrides leave none.
    pub cells: Vec<Plan>,
    /// The axes that say which firmware runs, and nothing else.
    for_firmware: Vec<String>,
}

/// What every scenario begins with.
const BEGINNING: &str = "`scenario:` and a sentence that says what the file asks";

/// What stands in a cell for the axes that said which firmware runs, once it is another one.
pub(crate) const FIRMWARE_ASKED: &str = "firmware";

impl Scenario {
    /// The same scenario with another firmware, of which it is asked whether it survives. Cells that differed in their firmware alone
    /// become one, and every cell is called after the firmware that runs.
    #[must_use]
    pub fn with_firmware(mut self, firmware: &FirmwareName) -> Self {
        let mut known = BTreeSet::new();
        let cells = std::mem::take(&mut self.cells).into_iter().map(|plan| {
            let mut plan = plan.with_firmware(firmware.clone());
            plan.parameters.retain(|(axis, _)| !self.for_firmware.contains(axis));
            if plan.parameters.iter().all(|(axis, _)| axis != FIRMWARE_ASKED) {
                plan.parameters.push((FIRMWARE_ASKED.to_owned(), firmware.0.clone()));
            }
            plan
        });
        self.cells = cells.filter(|plan| known.insert(plan.parameters.clone())).collect();
        self
    }
}

/// The axes of a scenario and their values, as far as they can be read; what is wrong with the file is [`load`]'s to say.
pub fn axes(text: impl AsRef<[u8]>) -> Vec<(String, Vec<String>)> {
    let mut mistakes = Mistakes::default();
    let tree = std::str::from_utf8(text.as_ref()).ok().and_then(|text| tree::parse(text, BEGINNING, &mut mistakes));
    let fields = tree.as_ref().and_then(|(root, _)| Decoder::new(&[], &mut mistakes).fields(root, "a scenario", &KEYS));
    let matrix = Matrix::read(fields.and_then(|fields| fields.get("matrix")), None, &mut mistakes);
    matrix.axes.into_iter().map(|axis| (axis.name, axis.values)).collect()
}

/// Reads a scenario. `path` is what reports and results call the file; `/` separates its parts.
///
/// # Errors
/// Every mistake of the file at once.
pub fn load(path: &str, text: impl AsRef<[u8]>, library: &Library) -> Result<Scenario, Diagnostics> {
    load_with(path, text, library, &[])
}

/// Reads a scenario of which some axes take only the values of `overrides`.
///
/// # Errors
/// Every mistake of the file at once, and overrides of axes that it does not have.
pub fn load_with(
    path: &str,
    text: impl AsRef<[u8]>,
    library: &Library,
    overrides: &[Override],
) -> Result<Scenario, Diagnostics> {
    let bytes = text.as_ref();
    let text = brickproof_yaml::utf8(path, bytes)?;
    let mut mistakes = Mistakes::default();
    let tree = tree::parse(text, BEGINNING, &mut mistakes);
    let scenario = tree.as_ref().and_then(|(root, _)| {
        let sha256 = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let file = File { path, sha256, lines: LineIndex::new(text), library, overrides };
        file.scenario(root, &mut mistakes)
    });
    if tree.is_some_and(|(_, extent)| extent == Extent::UpToSyntaxError) {
        mistakes.forgive_what_is_unfinished();
    }
    mistakes.settle(path, text, scenario)
}

/// The most steps and conditions of all cells together, repetitions written out: a small file must not become gigabytes of plan.
const MOST_STEPS_OF_ALL_CELLS: usize = 100_000;

const KEYS: [&str; 12] = [
    "scenario",
    "board",
    "tags",
    "matrix",
    "exclude",
    "firmware",
    "state",
    "cloud",
    "throughout",
    "steps",
    "cleanup",
    "outcome",
];

const BOARD: Names<'_> = Names { one: "a board", many: "boards", nowhere: "no profile has this name" };

/// What stands behind `scenario`.
const TITLE: &str = "a sentence that says what is asked";

/// What is known about a file besides its tree.
struct File<'f> {
    path: &'f str,
    sha256: String,
    lines: LineIndex,
    library: &'f Library,
    overrides: &'f [Override],
}

impl File<'_> {
    fn scenario(self, root: &Node, mistakes: &mut Mistakes) -> Option<Scenario> {
        let mut decoder = Decoder::new(&[], mistakes);
        let fields = decoder.fields(root, "a scenario", &KEYS)?;
        let title = fields.required(&mut decoder, "scenario");
        let title = title.and_then(|node| decoder.raw_text(node, TITLE));
        for key in ["board", "firmware", "steps"] {
            // A state has its own.
            if key != "firmware" || fields.get("state").is_none() {
                fields.required(&mut decoder, key);
            }
        }
        let matrix = Matrix::read(fields.get("matrix"), fields.get("exclude"), mistakes);
        matrix.check_references(root, mistakes);
        let outcome = Outcome::read(fields.get("outcome"), &matrix, mistakes);
        if let Some(outcome) = &outcome {
            outcome.check(&matrix.cells(), mistakes);
        }
        let narrowed_at = fields.entry("matrix").map_or(fields.place, |entry| entry.key_place);
        let cells = matrix.with(self.overrides, narrowed_at, mistakes).cells();
        if cells.is_empty() && self.overrides.is_empty() && !mistakes.is_any() {
            let none = Mistake::new(MistakeKind::Empty, narrowed_at, "no cell of the matrix is left");
            mistakes.report(none.help("`exclude` leaves nothing to run"));
        }
        let id = ScenarioId {
            path: self.path.to_owned(),
            title: title.unwrap_or_default().trim().to_owned(),
            sha256: self.sha256.clone(),
        };
        let mut patterns = PatternCache::new();
        let (mut plans, mut read) = (Vec::with_capacity(cells.len()), 0);
        for parameters in cells {
            mistakes.next_cell();
            let cell = CellReader { file: &self, fields: &fields, patterns: &mut patterns, read: &mut read };
            plans.push(cell.plan(parameters, outcome.as_ref(), &id, mistakes));
            if read > MOST_STEPS_OF_ALL_CELLS {
                let message =
                    format!("the cells of the matrix have more than {MOST_STEPS_OF_ALL_CELLS} steps together");
                let large = Mistake::new(MistakeKind::TooLarge, narrowed_at, message);
                mistakes.report(large.help("a question of that size is a campaign"));
                break;
            }
        }
        let cells = plans.into_iter().collect::<Option<Vec<_>>>()?;
        Some(Scenario { id, cells, for_firmware: matrix.axes_for_firmware(root) })
    }
}

fn tags(decoder: &mut Decoder<'_>, node: &Node) -> Option<Vec<String>> {
    let nodes = decoder.list(node, "a list of tags")?;
    let read: Vec<_> = nodes.iter().map(|node| decoder.text(node, "a tag").map(Into::into)).collect();
    read.into_iter().collect()
}

/// How a name is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spelling {
    Right,
    Slip,
}

/// Reads the file for one cell.
struct CellReader<'c, 'f> {
    file: &'c File<'f>,
    fields: &'c Fields<'c>,
    patterns: &'c mut PatternCache,
    read: &'c mut usize,
}

impl CellReader<'_, '_> {
    fn plan(
        self,
        parameters: Cell,
        outcome: Option<&Outcome<'_>>,
        id: &ScenarioId,
        mistakes: &mut Mistakes,
    ) -> Option<Plan> {
        let demand = outcome.and_then(|outcome| outcome.demand(&parameters, mistakes));
        let mut decoder = Decoder::new(&parameters, mistakes);
        let (board, spelling) = self.board(&mut decoder).unzip();
        let firmware = self.firmware(&mut decoder, board.as_deref());
        let state = self.state(&mut decoder, board.as_deref());
        let title = self.fields.get("scenario").and_then(|node| decoder.text(node, TITLE));
        let tags = self.fields.get("tags").map_or(Some(Vec::new()), |node| tags(&mut decoder, node));
        let mut reader = Reader {
            decoder,
            board: board.as_deref(),
            library: self.file.library,
            lines: &self.file.lines,
            has_state: self.fields.get("state").is_some(),
            is_as_found: self.fields.get("state").is_some() || firmware.as_ref().is_some_and(FirmwareName::is_as_found),
            patterns: self.patterns,
            read: self.read,
            measured: BTreeMap::new(),
            saved: BTreeSet::new(),
            superseded: BTreeMap::new(),
        };
        let cloud = self.fields.get("cloud").map_or(Some(GENUINE), |node| reader.cloud(node));
        let throughout = self.fields.get("throughout").map_or(Some(Vec::new()), |node| reader.watches(node));
        let steps = self.fields.get("steps").and_then(|node| reader.steps(node, Room::Steps));
        let cleanup = self.fields.get("cleanup").map_or(Some(Vec::new()), |node| reader.steps(node, Room::Cleanup));
        let outcome = demand.and_then(|demand| reader.expected(demand, steps.as_deref()));
        let (cloud, throughout, steps, cleanup, outcome) = (cloud?, throughout?, steps?, cleanup?, outcome?);
        Some(Plan {
            scenario: ScenarioId { title: title?.trim().to_owned(), ..id.clone() },
            needs: needs::of(board.as_deref()?, &cloud, &throughout, &steps, &cleanup, &outcome),
            parameters,
            board: board.filter(|_| spelling == Some(Spelling::Right))?,
            firmware: firmware?,
            state: state?,
            tags: tags?,
            cloud,
            throughout,
            steps,
            cleanup,
            outcome,
            cells: None,
        })
    }

    /// The board that is named, and whether that name is right. With a slip in its name the rest of the file is still judged by it.
    fn board(&self, decoder: &mut Decoder<'_>) -> Option<(Arc<BoardProfile>, Spelling)> {
        let node = self.fields.get("board")?;
        let library = self.file.library;
        match decoder.name(node, BOARD, library.board_names()) {
            Some(name) => library.board(&name).map(|board| (Arc::clone(board), Spelling::Right)),
            None => {
                let name = decoder.text(node, BOARD.one)?;
                let meant = library.board(suggest::slip(&name, library.board_names())?)?;
                Some((Arc::clone(meant), Spelling::Slip))
            }
        }
    }

    /// The name of an image, or a path to one.
    fn firmware(&self, decoder: &mut Decoder<'_>, board: Option<&BoardProfile>) -> Option<FirmwareName> {
        let has_state = self.fields.get("state").is_some();
        let Some(node) = self.fields.get("firmware") else {
            return has_state.then(|| FirmwareName(FirmwareName::AS_FOUND.to_owned()));
        };
        let text = decoder.text(node, "a firmware")?;
        if text == FirmwareName::AS_FOUND {
            return Some(FirmwareName(text.into_owned()));
        }
        let names = self.file.library.firmware_names().chain([FirmwareName::AS_FOUND]);
        image(decoder, self.file.library, board, node, names)
    }

    /// The state that is named, if one is; a path from the scenario's own folder.
    fn state(&self, decoder: &mut Decoder<'_>, board: Option<&BoardProfile>) -> Option<Option<StateName>> {
        let Some(node) = self.fields.get("state") else { return Some(None) };
        let text = decoder.text(node, "a folder with the state of a board")?;
        let path = beside(self.file.path, &text);
        if let Err(why) = self.file.library.state(&path, board?) {
            let bad = Mistake::new(MistakeKind::BadState, node.place, why);
            decoder.report(
                bad.help("`brickproof autopsy` writes such folders; the path counts from the scenario's own folder"),
            );
            return None;
        }
        Some(Some(StateName(path)))
    }
}

/// Where a path of a scenario leads, if it counts from the folder of the scenario's own file.
fn beside(scenario: &str, path: &str) -> String {
    let path = path.trim_start_matches("./").trim_end_matches('/');
    match scenario.rsplit_once('/') {
        Some((folder, _)) if !path.starts_with('/') => format!("{folder}/{path}"),
        _ => path.to_owned(),
    }
}
