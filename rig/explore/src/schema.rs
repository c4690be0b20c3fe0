//! What may stand in a campaign, for editors.
//!
//! Boundary: as [`crate::file`] reads it. Whether a question can be asked of its scenario is for the reader alone.

use brickproof_scenario::Knob;
use brickproof_scenario::plan::CellModel;
use brickproof_units::{Current, Ratio, Size, Slew, Span, Voltage};
use brickproof_yaml::schema::{Key, Shape, document};
use serde_json::Value;

use crate::file::QUESTIONS;
use crate::places::Exhaustive;
use crate::soak::MOST_BOARDS;

/// What a count without a limit of its own may be.
const MOST: u64 = u32::MAX as u64;

/// The schema of campaigns.
pub fn schema() -> Value {
    let keys = [
        Key::required("campaign", Shape::text().about("The question, as a sentence.")),
        Key::required("scenario", Shape::text().about("The path of a scenario, from the folder of this file on.")),
        Key::optional("set", Shape::names(Shape::text()).about("Which of its cells: a value for each axis.")),
        Key::optional("firmware", Shape::text().about("Whose reaction it is; the scenario's own if nothing is said.")),
        Key::optional(
            "seed",
            Shape::count(0..=MOST).about("What its trials share up to the fault; 1 if nothing is said."),
        ),
        Key::optional("budget", budget()),
        Key::optional("sweep", sweep()),
        Key::optional("find_window", find_window()),
        Key::optional("prove", prove()),
        Key::optional("soak", soak()),
    ];
    let root = Shape::keys(keys)
        .about("Many trials of one scenario with one question: scenarios/README.md tells what each answers.")
        .exactly_one(QUESTIONS);
    document("Brickproof campaign", root, [("ranges", ranges())])
}

fn span(about: &str) -> Shape {
    Shape::quantity::<Span>().about(about)
}

fn percentage(about: &str) -> Shape {
    Shape::quantity::<Ratio>().about(about)
}

fn count(most: u64, about: &str) -> Shape {
    Shape::count(1..=most).about(about)
}

fn budget() -> Shape {
    Shape::keys([
        Key::optional("trials", count(MOST, "No more trials than these.")),
        Key::optional("time", span("None is begun after so long.")),
        Key::optional("evidence", Shape::quantity::<Size>().about("So much of the disk for the evidence of a soak.")),
    ])
    .about("How much it may cost.")
}

/// A value of a knob.
fn setting(knob: Knob) -> Shape {
    match knob {
        Knob::After | Knob::Hold | Knob::Again => Shape::span(),
        Knob::At => Shape::quantity::<Ratio>(),
        Knob::Fall | Knob::Rise => Shape::quantity::<Slew>(),
        Knob::Floor => Shape::quantity::<Voltage>(),
        Knob::Current => Shape::quantity::<Current>(),
        Knob::Cells => Shape::word(CellModel::ALL.map(CellModel::name)),
    }
}

fn ranges() -> Shape {
    let range = |knob| {
        Shape::keys([
            Key::required("from", setting(knob).about("Where it begins.")),
            Key::required("to", setting(knob).about("Where it ends.")),
            Key::optional(
                "points",
                count(1_000_000, "So many places, evenly apart; anywhere in between if nothing is said."),
            ),
        ])
    };
    Shape::keys(Knob::ALL.map(|knob| Key::optional(knob.name(), range(knob))))
        .about("The knobs of the fault to turn, and between which ends.")
}

fn sweep() -> Shape {
    let cells = Shape::some(Shape::word(CellModel::ALL.map(CellModel::name))).each_once();
    let exhaustive = Shape::keys([
        Key::optional("window", span("Operations that begin so long after the trigger are still struck.")),
        Key::optional(
            "fractions",
            Shape::count(0..=Exhaustive::MOST_FRACTIONS.into()).about("Even places inside each operation."),
        ),
        Key::optional("cells", cells.about("How the flash of the virtual board takes it.")),
        Key::optional("second_cuts", Shape::truth().about("Whether the boot after each fault is struck, too.")),
    ]);
    Shape::keys([
        Key::optional("vary", Shape::defined("ranges")),
        Key::optional(
            "exhaustive",
            exhaustive.about("In place of `vary`: strikes every flash operation of the board."),
        ),
        Key::optional("each", count(1_000_000, "How often each place is struck.")),
    ])
    .exactly_one(["vary", "exhaustive"])
    .about("What happens over a range?")
}

fn find_window() -> Shape {
    Shape::keys([
        Key::required("from", span("The first instant after the trigger.")),
        Key::required("to", span("The last one.")),
        Key::required("resolution", span("How wide the interval of an edge may be.")),
        Key::required("narrowest", span("How narrow a window may be and still be met.")),
        Key::optional(
            "credibility",
            percentage("How much belief the interval of an edge holds; 95% if nothing is said."),
        ),
        Key::optional(
            "weakest",
            percentage("How rarely a trial inside a window may fail and it still be met; 50% if nothing is said."),
        ),
        Key::optional("confidence", percentage("How surely such a window is met; 95% if nothing is said.")),
    ])
    .about("At which instants does it fail?")
}

fn prove() -> Shape {
    Shape::keys([
        Key::required("baseline", Shape::text().about("The firmware that is known to fail.")),
        Key::required("candidate", Shape::text().about("The one that is said not to.")),
        Key::optional("vary", Shape::defined("ranges")),
        Key::optional("strata", count(100, "Into how many bands the first range is cut.")),
        Key::optional("over", Shape::text().about("The axis whose values are told apart.")),
        Key::required("good", percentage("A candidate that fails no more often is as good as fixed.")),
        Key::required("bad", percentage("One that fails this often is not.")),
        Key::optional("alpha", percentage("How often a good one may be called NOT FIXED; 5% if nothing is said.")),
        Key::optional("beta", percentage("How often a bad one may be called FIXED; 5% if nothing is said.")),
        Key::required("cap", count(1_000_000, "No more trials of each than these.")),
    ])
    .about("Is the candidate fixed?")
}

fn soak() -> Shape {
    let erases = |about: &str| count(MOST, about);
    let wear = Shape::keys([
        Key::required("endurance", erases("How many erases a sector may see.")),
        Key::optional(
            "erases_per_cycle",
            Shape::names(erases("How often a cycle erases it.")).about("By sector; for boards that cannot tell."),
        ),
    ]);
    let boards = Shape::any([Shape::word(["new"]), Shape::count(1..=MOST_BOARDS.into())]);
    Shape::keys([
        Key::required("cycles", count(MOST, "How many.")),
        Key::optional("stop_at_failures", count(MOST, "It stops at this many failures.")),
        Key::optional("wear", wear.about("What the flash takes.")),
        Key::optional(
            "boards",
            boards.about("How many virtual boards take turns, or `new` for a new one in each cycle."),
        ),
    ])
    .about("Does it last?")
}
