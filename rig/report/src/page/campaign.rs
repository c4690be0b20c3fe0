//! The page of a campaign: its question, its answer, its picture, and the table of its trials.
//!
//! Boundary: from what was kept of it to HTML. Its picture is drawn elsewhere.

use maud::{Markup, PreEscaped, html};
use serde::Serialize;

use super::frame::{Block, foot, page, world};
use super::packed::packed;

/// So many trials can be read without scripts.
const ROWS_WITHOUT_SCRIPTS: usize = 200;

/// So many trials are in the list: more would not open at once. Those that are left out are in the journal.
const MOST_ROWS: usize = 100_000;

/// What is kept of a campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Campaign {
    /// The question.
    pub title: String,
    /// `virtual`, `lane` or `hardware`.
    pub world: String,
    /// `sweep`, `find-window`, `prove`, `soak`.
    pub kind: String,
    /// What it came to, in a word or two: `FIXED`.
    pub conclusion: String,
    /// The answer in words.
    pub text: String,
    /// Its picture, as SVG that the rig drew.
    pub picture: Option<String>,
    /// ... and as it drew it for a phone; the other one is shown there too where this is missing.
    pub narrow_picture: Option<String>,
    /// In the order of asking.
    pub trials: Vec<CampaignTrial>,
}

/// One trial of a campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CampaignTrial {
    /// Counted from 0, in the order of asking.
    pub number: u64,
    /// Whose firmware ran: `only`, `baseline`, `candidate`.
    pub arm: String,
    /// What the board is called that made it.
    pub board: String,
    /// Where the knobs of the fault stood.
    pub settings: Vec<(String, String)>,
    /// What it came to: `survived`, `locked out`, ...
    pub outcome: String,
    /// How long after its trigger the fault struck, in nanoseconds.
    pub struck_after_ns: Option<u64>,
    /// Whether the first second of its board told it.
    pub told: bool,
    /// Its id.
    pub id: String,
}

/// The page of a campaign.
pub fn campaign(campaign: &Campaign) -> String {
    let table = Block { name: "table".to_owned(), packed: packed(&Table::of(campaign)) };
    let body = html! {
        header class=(format!("answer {}", class(&campaign.conclusion))) {
            (world(&campaign.world))
            h1 { (campaign.title) }
            p.conclusion { (conclusion(campaign)) }
        }
        @if let Some(picture) = &campaign.picture {
            // Drawn by the rig, which escapes what it did not write itself.
            section.maps aria-label="Picture" {
                figure.drawing { (PreEscaped(picture)) }
                @if let Some(narrow) = &campaign.narrow_picture { figure.drawing.narrow { (PreEscaped(narrow)) } }
            }
        }
        section.text aria-label="Answer" { div.told { (told(campaign.text.trim_end())) } }
        section.trials aria-label="Trials" {
            h2 { "Trials" }
            div #filters {}
            @if campaign.trials.len() > MOST_ROWS {
                p.note { "The list has " (MOST_ROWS) " of " (campaign.trials.len()) " trials, those that failed first; journal.jsonl has all." }
            }
            div #list {}
            div #static { (without_scripts(&campaign.trials)) }
        }
        (foot(env!("CARGO_PKG_VERSION")))
    };
    page(&format!("{} · Brickproof", campaign.title), &body, &[table])
}

/// The first line of the answer, and before it whether that holds.
fn conclusion(campaign: &Campaign) -> String {
    let first = campaign.text.lines().next().unwrap_or(&campaign.conclusion);
    match campaign.conclusion.as_str() {
        "inconclusive" if !first.starts_with("INCONCLUSIVE") => format!("INCONCLUSIVE: {first}"),
        "bench failed" => format!("THE BENCH FAILED: {first}"),
        _ => first.to_owned(),
    }
}

/// Line by line: where one is too long it goes on a little right of where it began, and no number is parted from its percent sign.
fn told(text: &str) -> Markup {
    let indent = |line: &str| line.len() - line.trim_start().len();
    html! {
        @for line in text.lines() {
            div style=(format!("--indent:{}ch", indent(line) + 2)) { (line.replace(" %", "\u{a0}%")) "\n" }
        }
    }
}

fn class(conclusion: &str) -> &'static str {
    match conclusion {
        "looked" => "looked",
        "fixed" => "passed",
        "not fixed" => "failed",
        _ => "error",
    }
}

fn without_scripts(trials: &[CampaignTrial]) -> Markup {
    html! {
        table.plain {
            thead { tr { th { "outcome" } th { "trial" } th { "settings" } } }
            tbody {
                @for trial in trials.iter().take(ROWS_WITHOUT_SCRIPTS) {
                    tr { td { (trial.outcome) } td { code { (trial.id) } } td { (settings(trial)) } }
                }
            }
        }
        @if trials.len() > ROWS_WITHOUT_SCRIPTS {
            p { (trials.len() - ROWS_WITHOUT_SCRIPTS) " more trials are in journal.jsonl, and here where scripts may run." }
        }
    }
}

fn is_failure(outcome: &str) -> bool {
    matches!(outcome, "locked out" | "misbehaved" | "silent")
}

fn settings(trial: &CampaignTrial) -> String {
    trial.settings.iter().map(|(knob, value)| format!("{knob} {value}")).collect::<Vec<_>>().join(", ")
}

/// What the script makes its list of.
#[derive(Serialize)]
struct Table<'a> {
    kind: &'static str,
    world: &'a str,
    axes: Vec<&'a str>,
    /// So many of the axes are knobs, which a replay has to be told: an id says everything but where they stood.
    knobs: usize,
    rows: Vec<Row<'a>>,
}

/// A trial in the list; names as in the page of a run.
#[derive(Serialize)]
struct Row<'a> {
    /// Its id.
    i: &'a str,
    /// Its number.
    n: u64,
    /// What it came to.
    v: &'a str,
    /// When the fault struck.
    d: Option<u64>,
    /// Where the knobs stood, and what else tells it from others.
    p: Vec<Option<&'a str>>,
    /// Whether the first second told it.
    e: bool,
}

impl<'a> Table<'a> {
    fn of(campaign: &'a Campaign) -> Self {
        let trials = &campaign.trials;
        let mut knobs: Vec<&str> = Vec::new();
        for (knob, _) in trials.iter().flat_map(|trial| &trial.settings) {
            if !knobs.contains(&knob.as_str()) {
                knobs.push(knob);
            }
        }
        let differ = |of: fn(&CampaignTrial) -> &str| trials.windows(2).any(|pair| of(&pair[0]) != of(&pair[1]));
        let (arms, boards) = (differ(|trial| &trial.arm), differ(|trial| &trial.board));
        let mut axes = knobs.clone();
        axes.extend(arms.then_some("firmware"));
        axes.extend(boards.then_some("board"));
        let row = |trial: &'a CampaignTrial| {
            let value = |knob: &&str| trial.settings.iter().find(|(known, _)| known == knob).map(|it| it.1.as_str());
            let mut p: Vec<Option<&str>> = knobs.iter().map(value).collect();
            p.extend(arms.then_some(Some(trial.arm.as_str())));
            p.extend(boards.then_some(Some(trial.board.as_str())));
            Row { i: &trial.id, n: trial.number, v: &trial.outcome, d: trial.struck_after_ns, p, e: trial.told }
        };
        let mut worst_first: Vec<&CampaignTrial> = trials.iter().collect();
        worst_first.sort_by_key(|trial| !is_failure(&trial.outcome));
        let rows = worst_first.into_iter().take(MOST_ROWS).map(row).collect();
        Self { kind: "campaign", world: &campaign.world, axes, knobs: knobs.len(), rows }
    }
}
