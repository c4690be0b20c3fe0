//! A campaign as a file that can be reviewed.
//!
//! Boundary: text in, a [`CampaignFile`] or every mistake at once out. The scenario that it names is read by the caller.

use brickproof_scenario::plan::CellModel;
use brickproof_scenario::{Diagnostics, Knob, Mistake, MistakeKind, Override, Setting};
use brickproof_statistics::{Asked, Probability};
use brickproof_units::{Ratio, Span};
use brickproof_yaml::Mistakes;
use brickproof_yaml::decode::{Decoder, Fields};
use brickproof_yaml::tree::{self, Node};

use crate::campaign::{Budget, Campaign, CampaignError, Kind, ProveSettings, Range, SweepSettings, WindowAsked};
use crate::course::{Course, Repeats};
use crate::places::{Exhaustive, SecondCuts};
use crate::soak::{NoSoakBoards, SoakBoards, SoakSettings};
use crate::strata::Strata;
use crate::wear::{Erased, Wear};

/// A campaign and what its trials are made of.
#[derive(Clone, Debug, PartialEq)]
pub struct CampaignFile {
    /// What is asked.
    pub campaign: Campaign,
    /// Path of the scenario, from the folder of the campaign's file on.
    pub scenario: String,
    /// Which of its cells.
    pub set: Vec<Override>,
    /// What runs: one firmware, or baseline and candidate.
    pub firmware: Firmwares,
    /// The axis whose values a proof tells apart. The caller finds them in the scenario and puts them in [`Strata::cells`].
    pub over: Option<String>,
}

/// Whose firmware runs in a campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Firmwares {
    /// This one, or the scenario's own.
    One(Option<String>),
    /// These two in turn.
    Two {
        /// The one that is known to fail.
        baseline: String,
        /// The one that is said not to.
        candidate: String,
    },
}

const BEGINNING: &str = "`campaign:` and a sentence that asks the question";
pub(crate) const QUESTIONS: [&str; 4] = ["sweep", "find_window", "prove", "soak"];
const KEYS: [&str; 10] =
    ["campaign", "scenario", "set", "firmware", "seed", "budget", "sweep", "find_window", "prove", "soak"];

/// Reads a campaign. `path` is what reports call the file.
///
/// # Errors
/// Every mistake of the file at once.
pub fn load(path: &str, text: impl AsRef<[u8]>) -> Result<CampaignFile, Diagnostics> {
    let text = brickproof_yaml::utf8(path, text.as_ref())?;
    let mut mistakes = Mistakes::default();
    let tree = tree::parse(text, BEGINNING, &mut mistakes);
    let file = tree.as_ref().and_then(|(root, _)| Reader { decoder: Decoder::new(&[], &mut mistakes) }.file(root));
    mistakes.settle(path, text, file)
}

/// What is asked, and of what if not of the file's own firmware.
struct Question {
    kind: Kind,
    two: Option<Firmwares>,
    over: Option<String>,
}

impl Question {
    fn of(kind: Kind) -> Self {
        Self { kind, two: None, over: None }
    }
}

struct Reader<'a> {
    decoder: Decoder<'a>,
}

impl Reader<'_> {
    fn file(&mut self, root: &Node) -> Option<CampaignFile> {
        let fields = self.decoder.fields(root, "a campaign", &KEYS)?;
        let title = self.required_text(&fields, "campaign", "a sentence that asks the question");
        let scenario = self.required_text(&fields, "scenario", "the path of a scenario");
        let set = fields.get("set").map_or(Some(Vec::new()), |node| self.set(node));
        let firmware = fields.get("firmware").map(|node| self.text(node, "a firmware"));
        let seed = match fields.get("seed") {
            None => Some(1),
            Some(node) => self.decoder.count(node, "a seed", 0..=u64::from(u32::MAX)),
        };
        let budget = fields.get("budget").map_or(Some(Budget::default()), |node| self.budget(node));
        let Question { kind, two, over } = self.question(&fields)?;
        let firmware = match (firmware, two) {
            (Some(_), Some(_)) => {
                let entry = fields.entry("firmware")?;
                let both = Mistake::new(MistakeKind::Misplaced, entry.key_place, "`firmware` beside `prove`");
                self.decoder.report(both.help("a proof has a `baseline` and a `candidate`"));
                return None;
            }
            (None, Some(two)) => two,
            (None, None) => Firmwares::One(None),
            (Some(name), None) => Firmwares::One(Some(name?)),
        };
        let campaign = Campaign { title: title?, kind, seed: seed?, budget: budget? };
        // What cannot be asked stands nowhere in particular: the question as a whole is at fault.
        if let Err(error) = Course::new(campaign.clone(), Repeats::Exactly)
            && error != CampaignError::NotAimed
        {
            let asked = QUESTIONS.iter().find_map(|key| fields.entry(key))?;
            self.decoder.report(Mistake::new(MistakeKind::BeyondLimits, asked.key_place, error.to_string()));
            return None;
        }
        Some(CampaignFile { campaign, scenario: scenario?, set: set?, firmware, over })
    }

    fn beyond(&mut self, node: &Node, error: &dyn std::error::Error) {
        self.decoder.report(Mistake::new(MistakeKind::BeyondLimits, node.place, error.to_string()));
    }

    fn text(&mut self, node: &Node, what: &str) -> Option<String> {
        self.decoder.text(node, what).map(|text| text.trim().to_owned())
    }

    fn required_text(&mut self, fields: &Fields<'_>, key: &str, what: &str) -> Option<String> {
        let node = fields.required(&mut self.decoder, key)?;
        self.text(node, what)
    }

    fn set(&mut self, node: &Node) -> Option<Vec<Override>> {
        let entries = self.decoder.entries(node, "values of axes")?;
        let read = |entry: &&tree::Entry| {
            Some(Override { axis: entry.key.clone(), value: self.decoder.text(&entry.value, "a value")?.into_owned() })
        };
        let read: Vec<_> = entries.iter().map(read).collect();
        read.into_iter().collect()
    }

    fn budget(&mut self, node: &Node) -> Option<Budget> {
        let fields = self.decoder.fields(node, "a budget", &["trials", "time", "evidence"])?;
        let trials = self.optional_count(&fields, "trials");
        let time = match fields.get("time") {
            None => Some(None),
            Some(node) => self.decoder.duration(node).map(Some),
        };
        let evidence = match fields.get("evidence") {
            None => Some(None),
            Some(node) => self.decoder.quantity(node).map(Some),
        };
        Some(Budget { trials: trials?, time: time?, evidence: evidence? })
    }

    fn question(&mut self, fields: &Fields<'_>) -> Option<Question> {
        let mut asked = QUESTIONS.iter().filter_map(|key| Some((*key, fields.entry(key)?)));
        let Some((key, entry)) = asked.next() else {
            fields.missing(&mut self.decoder, "a question", "write one of `sweep`, `find_window`, `prove`, `soak`");
            return None;
        };
        if let Some((_, second)) = asked.next() {
            let two = Mistake::new(MistakeKind::NotOneVerb, second.key_place, "two questions in one campaign");
            self.decoder.report(two.label("second").help("write a file for each"));
        }
        match key {
            "sweep" => Some(Question::of(Kind::Sweep(self.sweep(&entry.value)?))),
            "find_window" => Some(Question::of(Kind::FindWindow(self.find_window(&entry.value)?))),
            "prove" => self.prove(&entry.value),
            _ => Some(Question::of(Kind::Soak(self.soak(&entry.value)?))),
        }
    }

    fn sweep(&mut self, node: &Node) -> Option<SweepSettings> {
        let fields = self.decoder.fields(node, "a sweep", &["vary", "exhaustive", "each"])?;
        let each = match fields.get("each") {
            None => Some(1),
            Some(node) => self.decoder.count(node, "a number of trials", 1..=1_000_000),
        };
        if let Some(node) = fields.get("exhaustive") {
            if let Some(entry) = fields.entry("vary") {
                let both = Mistake::new(MistakeKind::Misplaced, entry.key_place, "`vary` beside `exhaustive`");
                self.decoder.report(
                    both.help("an exhaustive sweep finds its instants itself: in the flash operations of the board"),
                );
            }
            return Some(SweepSettings::Exhaustive(self.exhaustive(node, each)?));
        }
        let ranges = fields.required(&mut self.decoder, "vary").and_then(|node| self.ranges(node));
        Some(SweepSettings::Ranges { ranges: ranges?, each: each? })
    }

    fn exhaustive(&mut self, node: &Node, each: Option<u32>) -> Option<Exhaustive> {
        let fields =
            self.decoder.fields(node, "an exhaustive sweep", &["window", "fractions", "cells", "second_cuts"])?;
        let window = match fields.get("window") {
            None => Some(Exhaustive::WINDOW),
            Some(node) => self.decoder.duration(node),
        };
        let fractions = match fields.get("fractions") {
            None => Some(Exhaustive::FRACTIONS),
            Some(node) => self.decoder.count(node, "a number of places", 0..=Exhaustive::MOST_FRACTIONS),
        };
        let cells = fields.get("cells").map_or(Some(Vec::new()), |node| self.cells(node));
        let second_cuts = match fields.get("second_cuts") {
            None => Some(SecondCuts::None),
            Some(node) => {
                self.decoder.truth(node).map(|wanted| if wanted { SecondCuts::Every } else { SecondCuts::None })
            }
        };
        Some(Exhaustive {
            window: window?,
            fractions: fractions?,
            cells: cells?,
            second_cuts: second_cuts?,
            each: each?,
        })
    }

    fn cells(&mut self, node: &Node) -> Option<Vec<CellModel>> {
        let nodes = self.decoder.list(node, "models of cells")?;
        if nodes.is_empty() {
            let none = Mistake::new(MistakeKind::BeyondLimits, node.place, "no model of cells");
            self.decoder.report(none.help("leave `cells` out for the usual one, fractional"));
            return None;
        }
        let models = CellModel::ALL.map(|model| (model.name(), model));
        let mut read: Vec<Option<CellModel>> = Vec::new();
        for node in nodes {
            let model = self.decoder.choice(node, "a model of cells", &models);
            if let Some(model) = model.filter(|_| read.contains(&model)) {
                let twice = Mistake::new(MistakeKind::Misplaced, node.place, format!("`{}` twice", model.name()));
                self.decoder.report(twice.help("each model strikes each place once; `each` says how often"));
            }
            read.push(model);
        }
        read.into_iter().collect()
    }

    fn ranges(&mut self, node: &Node) -> Option<Vec<Range>> {
        let entries = self.decoder.entries(node, "the knobs to turn")?;
        let names = Knob::ALL.map(Knob::name);
        let read: Vec<_> = entries
            .iter()
            .map(|entry| match entry.key.parse::<Knob>() {
                Ok(knob) => self.range(knob, &entry.value),
                Err(_) => {
                    self.decoder.unknown_key(entry, "`vary`", &names);
                    None
                }
            })
            .collect();
        read.into_iter().collect()
    }

    fn range(&mut self, knob: Knob, node: &Node) -> Option<Range> {
        let fields = self.decoder.fields(node, "a range", &["from", "to", "points"])?;
        let end = |reader: &mut Self, key| {
            let node = fields.required(&mut reader.decoder, key)?;
            reader.setting(knob, node)
        };
        let (from, to) = (end(self, "from"), end(self, "to"));
        let points = match fields.get("points") {
            None => Some(None),
            Some(node) => self.decoder.count(node, "a number of points", 1..=1_000_000).map(Some),
        };
        let range = Range::new(from?, to?, points?);
        range.map_err(|error| self.beyond(node, &error)).ok()
    }

    fn setting(&mut self, knob: Knob, node: &Node) -> Option<Setting> {
        let text = self.decoder.text(node, "a quantity")?;
        Setting::of(knob, &text)
            .map_err(|error| {
                let wrong = Mistake::new(MistakeKind::WrongQuantity, node.place, error.to_string());
                self.decoder.report(wrong.help(error.help().to_owned()));
            })
            .ok()
    }

    fn find_window(&mut self, node: &Node) -> Option<WindowAsked> {
        let known = ["from", "to", "resolution", "narrowest", "credibility", "weakest", "confidence"];
        let fields = self.decoder.fields(node, "a search for windows", &known)?;
        let end = |reader: &mut Self, key| {
            let node = fields.required(&mut reader.decoder, key)?;
            reader.setting(Knob::After, node)
        };
        let (from, to) = (end(self, "from"), end(self, "to"));
        let required = |reader: &mut Self, key| {
            let node = fields.required(&mut reader.decoder, key)?;
            reader.decoder.duration(node)
        };
        let (resolution, narrowest): (Option<Span>, Option<Span>) =
            (required(self, "resolution"), required(self, "narrowest"));
        let [credibility, weakest, confidence] = [("credibility", 95), ("weakest", 50), ("confidence", 95)]
            .map(|(key, usual)| self.share(&fields, key, Some(usual)));
        let range = Range::new(from?, to?, None).map_err(|error| self.beyond(node, &error));
        Some(WindowAsked {
            range: range.ok()?,
            resolution: resolution?,
            narrowest: narrowest?,
            credibility: credibility?,
            weakest: weakest?,
            confidence: confidence?,
        })
    }

    /// A percentage, by default so many per cent.
    fn share(&mut self, fields: &Fields<'_>, key: &str, usual: Option<u32>) -> Option<Probability> {
        let Some(node) = fields.get(key) else {
            if usual.is_none() {
                fields.required(&mut self.decoder, key)?;
            }
            return Probability::new(f64::from(usual?) / 100.0).ok();
        };
        let ratio: Ratio = self.decoder.quantity(node)?;
        // Parts per million are exact in a float.
        Probability::new(ratio.get() as f64 / 1e6).map_err(|error| self.beyond(node, &error)).ok()
    }

    fn prove(&mut self, node: &Node) -> Option<Question> {
        let known = ["baseline", "candidate", "vary", "strata", "over", "good", "bad", "alpha", "beta", "cap"];
        let fields = self.decoder.fields(node, "a proof", &known)?;
        let baseline = self.required_text(&fields, "baseline", "a firmware");
        let candidate = self.required_text(&fields, "candidate", "a firmware");
        let ranges = fields.get("vary").map_or(Some(Vec::new()), |node| self.ranges(node));
        let strata = match fields.get("strata") {
            None => Some(1),
            Some(node) => self.decoder.count(node, "a number of strata", 1..=100),
        };
        let over = fields.get("over").map(|node| self.text(node, "an axis"));
        let [good, bad] = ["good", "bad"].map(|key| self.share(&fields, key, None));
        let [alpha, beta] = ["alpha", "beta"].map(|key| self.share(&fields, key, Some(5)));
        let cap = fields.required(&mut self.decoder, "cap");
        let cap = cap.and_then(|node| self.decoder.count(node, "a number of trials", 1..=1_000_000_u64));
        let asked = Asked { good: good?, bad: bad?, alpha: alpha?, beta: beta?, cap: cap? };
        let settings = ProveSettings { asked, ranges: ranges?, strata: Strata::bands(strata?) };
        let over = match over {
            None => None,
            Some(axis) => Some(axis?),
        };
        let two = Firmwares::Two { baseline: baseline?, candidate: candidate? };
        Some(Question { kind: Kind::Prove(settings), two: Some(two), over })
    }

    fn soak(&mut self, node: &Node) -> Option<SoakSettings> {
        let fields = self.decoder.fields(node, "a soak", &["cycles", "stop_at_failures", "wear", "boards"])?;
        let cycles = fields.required(&mut self.decoder, "cycles");
        let cycles = cycles.and_then(|node| self.decoder.count(node, "a number of cycles", 1..=u64::from(u32::MAX)));
        let stop_at_failures = self.optional_count(&fields, "stop_at_failures");
        let wear = match fields.get("wear") {
            None => Some(None),
            Some(node) => self.wear(node).map(Some),
        };
        let boards = match fields.get("boards") {
            None => Some(None),
            Some(node) => self.boards(node).map(Some),
        };
        Some(SoakSettings { cycles: cycles?, stop_at_failures: stop_at_failures?, wear: wear?, boards: boards? })
    }

    fn boards(&mut self, node: &Node) -> Option<SoakBoards> {
        let text = self.decoder.text(node, "a number of boards, or `new`")?;
        let read = text.parse();
        read.map_err(|error: NoSoakBoards| {
            let wrong = Mistake::new(MistakeKind::WrongQuantity, node.place, error.to_string());
            self.decoder
                .report(wrong.help("write how many virtual boards take turns, or `new` for a new one in each cycle"));
        })
        .ok()
    }

    fn wear(&mut self, node: &Node) -> Option<Wear> {
        let fields = self.decoder.fields(node, "what the flash takes", &["erases_per_cycle", "endurance"])?;
        let endurance = fields.required(&mut self.decoder, "endurance").and_then(|node| self.erases(node));
        let per_cycle = match fields.get("erases_per_cycle") {
            None => Some(Vec::new()),
            Some(node) => self.per_cycle(node),
        };
        Some(Wear { endurance: endurance?, per_cycle: per_cycle? })
    }

    /// Erases of each sector.
    fn per_cycle(&mut self, node: &Node) -> Option<Vec<Erased>> {
        let entries = self.decoder.entries(node, "erases of each sector, as in `{0x3e800: 2}`")?;
        let read: Vec<_> = entries
            .iter()
            .map(|entry| Some(Erased { sector: entry.key.clone(), times: self.erases(&entry.value)? }))
            .collect();
        read.into_iter().collect()
    }

    fn erases(&mut self, node: &Node) -> Option<u64> {
        self.decoder.count(node, "a number of erases", 1..=u64::from(u32::MAX))
    }

    fn optional_count(&mut self, fields: &Fields<'_>, key: &str) -> Option<Option<u64>> {
        match fields.get(key) {
            None => Some(None),
            Some(node) => self.decoder.count(node, "a number", 1..=u64::from(u32::MAX)).map(Some),
        }
    }
}
