//! Quarantine: what a person set aside, with a reason and an end, in a file that is reviewed.
//!
//! Boundary: text in, a [`Quarantine`] or every mistake of the file out; which trials it means; how those did since. A trial that is set aside runs and is
//! reported all the same, and its verdict does not fail the night.
//!
//! It is about what a firmware or a board does. A trial that the bench or its scenario kept from being carried out is in error whoever set
//! it aside: nothing was learnt of what the entry is about, and a bench that hides behind a quarantine would never be mended.

use brickproof_report::results::{QuarantineEntry, TrialResult};
use brickproof_yaml::decode::Decoder;
use brickproof_yaml::tree::{self, Extent, Node};
use brickproof_yaml::{Diagnostics, Mistake, MistakeKind, Mistakes};
use jiff::civil::Date;

use crate::glob::Glob;

/// Where the file is looked for when nobody says where.
pub const DEFAULT_QUARANTINE: &str = "quarantine.yaml";

const KEYS: [&str; 8] = ["scenario", "parameters", "board", "station", "board_serial", "firmware", "reason", "until"];

/// What is set aside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quarantine {
    /// In the order of the file; where several mean a trial, the first one counts that is not over.
    pub entries: Vec<Entry>,
}

/// One thing that is set aside. What it does not say may be anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The path of the scenario, or what several have in common.
    pub scenario: Glob,
    /// Values of the cell.
    pub parameters: Vec<(String, String)>,
    /// The board profile.
    pub board: Option<String>,
    /// The station.
    pub station: Option<String>,
    /// The board's unique id.
    pub board_serial: Option<String>,
    /// The firmware's name.
    pub firmware: Option<String>,
    /// Why.
    pub reason: String,
    /// The last day on which it holds.
    pub until: Date,
    /// The line of the file at which it begins.
    pub line: usize,
}

impl Entry {
    /// Whether it means this trial.
    pub fn means(&self, trial: &TrialResult) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        let has = |(axis, value): &(String, String)| {
            trial.parameters.get(axis).is_some_and(|found| found.as_str() == Some(value))
        };
        self.scenario.matches(&trial.scenario.path)
            && self.parameters.iter().all(has)
            && is(&self.board, &trial.board)
            && is(&self.station, &trial.station)
            && is(&self.board_serial, trial.board_serial.as_deref().unwrap_or_default())
            && is(&self.firmware, &trial.firmware.name)
    }

    /// Whether it still holds on that day.
    pub fn holds(&self, today: Date) -> bool {
        today <= self.until
    }
}

impl Quarantine {
    /// The same trial, set aside if an entry means it that holds on that day.
    #[must_use]
    pub fn set_aside(&self, trial: TrialResult, today: Date) -> TrialResult {
        let entry = self.entries.iter().find(|entry| entry.holds(today) && entry.means(&trial));
        let quarantine = entry.map(|it| QuarantineEntry { reason: it.reason.clone(), until: it.until.to_string() });
        let mut trial = trial;
        trial.quarantine = quarantine;
        trial
    }

    /// The entries that have no effect on these trials, each with why.
    pub fn idle<'q>(&'q self, trials: &[TrialResult], today: Date) -> Vec<(&'q Entry, Idle)> {
        let idle = |entry: &'q Entry| match (entry.holds(today), trials.iter().any(|trial| entry.means(trial))) {
            (false, _) => Some((entry, Idle::Over)),
            (true, false) => Some((entry, Idle::Matchless)),
            (true, true) => None,
        };
        self.entries.iter().filter_map(idle).collect()
    }
}

/// Why an entry has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// Its last day is over.
    Over,
    /// No trial is what it means.
    Matchless,
}

/// Reads a quarantine. `path` is what messages call the file.
///
/// # Errors
/// Every mistake of the file at once.
pub fn load(path: &str, text: impl AsRef<[u8]>) -> Result<Quarantine, Diagnostics> {
    let text = brickproof_yaml::utf8(path, text.as_ref())?;
    let mut mistakes = Mistakes::default();
    let tree = tree::parse(text, "`quarantine:` and a list", &mut mistakes);
    let lines = brickproof_yaml::LineIndex::new(text);
    let line_of = |node: &Node| lines.position(text, node.place.start).0;
    let quarantine = tree.as_ref().and_then(|(root, _)| file(&mut Decoder::new(&[], &mut mistakes), root, &line_of));
    if tree.is_some_and(|(_, extent)| extent == Extent::UpToSyntaxError) {
        mistakes.forgive_what_is_unfinished();
    }
    mistakes.settle(path, text, quarantine)
}

fn file(decoder: &mut Decoder<'_>, root: &Node, line_of: &dyn Fn(&Node) -> usize) -> Option<Quarantine> {
    let fields = decoder.fields(root, "a quarantine", &["quarantine"])?;
    let list = fields.required(decoder, "quarantine")?;
    let read: Vec<Option<Entry>> =
        decoder.list(list, "a list of entries")?.iter().map(|node| entry(decoder, node, line_of)).collect();
    Some(Quarantine { entries: read.into_iter().collect::<Option<_>>()? })
}

fn entry(decoder: &mut Decoder<'_>, node: &Node, line_of: &dyn Fn(&Node) -> usize) -> Option<Entry> {
    let fields = decoder.fields(node, "an entry", &KEYS)?;
    let required = |decoder: &mut Decoder<'_>, key: &str, what: &str| {
        let node = fields.required(decoder, key)?;
        decoder.raw_text(node, what).map(|text| text.trim().to_owned())
    };
    let scenario = required(decoder, "scenario", "the path of a scenario");
    let reason = required(decoder, "reason", "why it is set aside");
    let until = fields.required(decoder, "until").and_then(|node| date(decoder, node));
    let optional = |decoder: &mut Decoder<'_>, key: &str, what: &str| match fields.get(key) {
        None => Some(None),
        Some(node) => decoder.raw_text(node, what).map(|text| Some(text.trim().to_owned())),
    };
    let board = optional(decoder, "board", "the name of a board");
    let station = optional(decoder, "station", "the name of a station");
    let board_serial = optional(decoder, "board_serial", "the unique id of a board");
    let firmware = optional(decoder, "firmware", "the name of a firmware");
    let parameters = fields.get("parameters").map_or(Some(Vec::new()), |node| parameters(decoder, node));
    Some(Entry {
        scenario: Glob::new(scenario?),
        parameters: parameters?,
        board: board?,
        station: station?,
        board_serial: board_serial?,
        firmware: firmware?,
        reason: reason?,
        until: until?,
        line: line_of(node),
    })
}

fn date(decoder: &mut Decoder<'_>, node: &Node) -> Option<Date> {
    let text = decoder.raw_text(node, "a day")?.trim();
    // Jiff takes other spellings, too; a reviewed file has one.
    let day = (text.len() == "2026-12-31".len()).then(|| text.parse().ok()).flatten();
    if day.is_none() {
        let wrong = Mistake::new(MistakeKind::WrongQuantity, node.place, format!("`{text}` is not a day"));
        decoder.report(wrong.help("write the last day on which it holds, as in `2026-12-31`"));
    }
    day
}

fn parameters(decoder: &mut Decoder<'_>, node: &Node) -> Option<Vec<(String, String)>> {
    let entries = decoder.entries(node, "values of axes")?;
    let read: Vec<_> = entries
        .into_iter()
        .map(|entry| Some((entry.key.clone(), decoder.raw_text(&entry.value, "a value")?.to_owned())))
        .collect();
    read.into_iter().collect()
}
