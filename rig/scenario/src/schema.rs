//! What may stand in a scenario, for editors.
//!
//! Boundary: as the other modules read it, with the names that the library knows. What depends on the board, on other steps or on the matrix
//! is for the reader alone.

use std::collections::BTreeSet;

use brickproof_boards::{BoardProfile, MODE, Target, look_schema};
use brickproof_keys::{Corruption, Part, Slot};
use brickproof_units::{Charge, Current, Ratio, Slew, Voltage};
use brickproof_yaml::schema::{Key, Shape, document};
use serde_json::Value;

use crate::condition::{CONTENTS, IDENTITIES, KINDS, TORN};
use crate::fault::{EDGES, FAULTS};
use crate::keys::WORKS;
use crate::library::Library;
use crate::outcome::WORDS;
use crate::plan::{Door, FirmwareName, UsbPresence, Way};
use crate::steps::{BEHAVIOURS, CLEANUP_VERBS, VERBS};

/// A firmware that is a file.
const PATH: &str = r"/|\.bin$|\.hex$|\.elf$";

/// The schema of scenarios that may name what `library` knows.
pub fn schema(library: &Library) -> Value {
    let words = Words { library };
    let steps = |about: &str| Shape::some(Shape::defined("step")).about(about);
    let keys = [
        Key::required("scenario", Shape::text().about("The question or the event, as a sentence.")),
        Key::required("board", words.board()),
        Key::optional("tags", Shape::list(scalar(Shape::text())).about("Words to select scenarios by.")),
        Key::optional("matrix", matrix()),
        Key::optional("exclude", Shape::list(cells()).about("Combinations of the matrix to leave out.")),
        Key::optional("firmware", words.firmware()),
        Key::optional("state", scalar(Shape::text()).about("A folder that `brickproof autopsy` wrote, counted from the scenario's own: the board begins with what that unit held.")),
        Key::optional("cloud", cloud("How the cloud behaves from the start; `genuine` if nothing is said.")),
        Key::optional("throughout", throughout()),
        Key::required("steps", steps("What to do and what must be seen, in order: one verb each.")),
        Key::optional("cleanup", Shape::some(Shape::defined("cleanup_step")).about("What to do afterwards, whatever happened.")),
        Key::optional("outcome", outcome()),
    ];
    let root = Shape::keys(keys)
        .about("What is done to a board and what must be seen: scenarios/README.md tells the language.")
        .at_least_one(["firmware", "state"]);
    let definitions = [
        ("step", words.step(&VERBS)),
        ("cleanup_step", words.step(&CLEANUP_VERBS)),
        ("condition", words.condition([])),
        ("look", look_schema(scalar)),
        ("expected", expected()),
    ];
    document("Brickproof scenario", root, definitions)
}

/// A text or a number of a scenario: a parameter may stand in it.
fn scalar(shape: Shape) -> Shape {
    shape.or_parameter()
}

fn word<'w>(words: impl IntoIterator<Item = &'w str>) -> Shape {
    scalar(Shape::word(words))
}

fn span(about: &str) -> Shape {
    scalar(Shape::span()).about(about)
}

fn voltage(about: &str) -> Shape {
    scalar(Shape::quantity::<Voltage>()).about(about)
}

fn current(about: &str) -> Shape {
    scalar(Shape::quantity::<Current>()).about(about)
}

fn ratio(about: &str) -> Shape {
    scalar(Shape::quantity::<Ratio>()).about(about)
}

fn matrix() -> Shape {
    Shape::names(Shape::some(Shape::text()).each_once()).named("^[^${}]+$").not_empty().about(
        "One trial for every combination of the values; `${axis}` stands for the value in any other text of the file.",
    )
}

/// Some cells of the matrix: those with one of these values in each axis that is named.
fn cells() -> Shape {
    Shape::names(Shape::any([Shape::text(), Shape::list(Shape::text())]))
}

fn throughout() -> Shape {
    let never = Key::required("not", Shape::defined("condition").about("What must not be seen."));
    Shape::list(Shape::keys([never])).about("What is watched from the first step to the last.")
}

fn cloud(about: &str) -> Shape {
    let behaviours = || BEHAVIOURS.map(|(name, _)| name);
    let written_out = Shape::keys([
        Key::required(
            "behaviour",
            word(behaviours()).about("Who answers: the genuine cloud, nobody, somebody else, or no network."),
        ),
        Key::optional(
            "latency",
            span("How long each answer takes; less than 15s, since no board waits longer.").example("50ms"),
        ),
    ]);
    Shape::any([word(behaviours()), written_out]).about(about)
}

fn expected() -> Shape {
    let shows =
        Shape::some(Shape::defined("condition")).about("It must be this brick and no other: all of these are seen.");
    let bricked = Shape::keys([Key::required("shows", shows)])
        .about("After the fault an expectation is missed by the firmware's fault.");
    Shape::any([Shape::word(WORDS), Shape::keys([Key::required(WORDS[1], bricked)])])
}

fn outcome() -> Shape {
    let by_value = Shape::names(Shape::defined("expected")).not_empty();
    // Beside `then`, which is no axis, each key is one.
    let rule = Shape::names(Shape::any([Shape::text(), Shape::list(Shape::text()), Shape::defined("expected")]))
        .with_required("then");
    Shape::any([Shape::defined("expected"), by_value, Shape::some(rule)])
        .about("What must come out: `passed` if nothing is said. For each value of the only axis, or as rules of which the first that matches decides.")
}

fn supply() -> Shape {
    let bench = Shape::keys([
        Key::required("voltage", voltage("What it is set to.")),
        Key::required("current_limit", current("What it gives at the most.")),
    ]);
    let battery = Shape::keys([
        Key::required("cell", scalar(Shape::quantity::<Charge>()).about("What it holds when full.")),
        Key::optional("aged", scalar(Shape::truth()).about("Whether it has the inner resistance of an old one.")),
        Key::required("charge", ratio("How full it is.").example("6%")),
    ]);
    let sources = ["usb", "bench", "battery"];
    let source = Shape::keys([
        Key::optional("usb", voltage("USB, at this voltage.").example("5V")),
        Key::optional("bench", bench.about("A bench supply with a current limit.")),
        Key::optional("battery", battery.about("A cell with its protection.")),
    ]);
    Shape::any([word(["off"]), source.exactly_one(sources)])
        .about("Connects a source, or disconnects it: the board is without voltage then, not merely silent.")
}

fn reset() -> Shape {
    let held = Shape::keys([Key::required("hold", span("How long RESET is pulled low.").example("100ms"))]);
    Shape::any([word(["pin"]), held]).about("Pulls RESET low for a moment.")
}

fn enter() -> Shape {
    let modes = || word(Target::ENTERED.map(Target::name));
    let ways = word(Way::ALL.map(Way::name));
    let written_out = Shape::keys([
        Key::required("mode", modes().about("Which mode.")),
        Key::optional("by", ways.about("This way and no other; else the first that board and station have.")),
        Key::optional(
            "within",
            span("How long to wait for what confirms it; what the profile says if nothing is said."),
        ),
    ]);
    Shape::any([modes(), written_out])
        .about("Brings the board into a mode, and expects what its profile says of that mode.")
}

fn through() -> Key {
    let doors = word(Door::ALL.map(Door::name));
    Key::optional("through", doors.about("The probe, or the board's own bootloader, in which it must be then."))
}

fn slots() -> Shape {
    word(Slot::ALL.map(Slot::name))
}

fn corrupt() -> Shape {
    Shape::keys([
        Key::required("slot", slots().about("Which key slot.")),
        Key::required("class", word(Corruption::ALL.map(Corruption::name)).about("What is done to it.")),
        Key::optional(
            "part",
            word(Part::ALL.map(Part::name)).about("Of a single bit: in which part of the key it is."),
        ),
        through(),
    ])
    .about("Damages a key slot.")
}

fn keys() -> Shape {
    let name = |about: &str| scalar(Shape::text()).about(about);
    Shape::keys([
        Key::optional("save", name("All slots are kept under this name until the trial ends.")),
        Key::optional("load", name("What was saved under this name is written back.")),
        Key::optional("verify", name("Fails unless the slots hold what was saved under this name.")),
        Key::optional(
            "doctor",
            word(["new_identity"])
                .about("A new device key, which the cloud accepts from then on; the old one no longer."),
        ),
        Key::optional("server", word(["genuine"]).about("The genuine server's key and address.")),
        through(),
    ])
    .exactly_one(WORKS)
    .about("Reads, writes back or renews the keys of the board.")
}

fn aim() -> [Key; 2] {
    [
        Key::optional(
            "after",
            span("How long after its trigger it strikes; at once if nothing is said.").example("12.4ms"),
        ),
        Key::optional(
            "tolerance",
            span("How far from there it may strike; a trial of which it struck further off is discarded."),
        ),
    ]
}

impl Words<'_> {
    fn fault(&self) -> Shape {
        let slew = |about: &str| scalar(Shape::quantity::<Slew>()).about(about);
        let brown_out = [
            Key::required("rail", self.rail()),
            Key::required("floor", voltage("How low the rail is forced.")),
            Key::required("fall", slew("How fast it falls.")),
            Key::required("hold", span("How long it stays there.").example("200ms")),
            Key::optional("rise", slew("How fast it rises again; as it fell if nothing is said.")),
            Key::optional(
                "out_of_spec",
                scalar(Shape::truth()).about("Whether it may move faster than the board is specified for."),
            ),
        ];
        let power_cut =
            [Key::optional("hold", span("How long the source is away; until the next `supply` if nothing is said."))];
        let load_step = [
            Key::required("current", current("How much more is drawn.")),
            Key::required("hold", span("For how long.")),
            Key::optional("reaches", voltage("How low the rail has to fall by it; otherwise nothing is judged.")),
        ];
        Shape::keys([
            Key::optional(
                FAULTS[0],
                Shape::keys(aim().into_iter().chain(brown_out)).about("A rail is forced down and comes back."),
            ),
            Key::optional(
                FAULTS[1],
                Shape::keys(aim().into_iter().chain(power_cut)).about("The source is disconnected."),
            ),
            Key::optional(
                FAULTS[2],
                Shape::keys(aim().into_iter().chain(load_step)).about("A load is switched on beside the board."),
            ),
        ])
        .entries(1..=1)
        .about("What strikes, after what `on` waits for or at once.")
    }
}

/// Shapes with names that a library knows.
struct Words<'l> {
    library: &'l Library,
}

impl Words<'_> {
    fn of_boards(&self, names: impl Fn(&BoardProfile) -> Vec<&str>) -> Shape {
        let all: BTreeSet<&str> = self.library.boards().flat_map(|board| names(board)).collect();
        word(all)
    }

    fn board(&self) -> Shape {
        word(self.library.board_names()).about("A board profile: `brickproof board list` names them.")
    }

    /// An image by its name, or a file.
    fn image(&self, besides: &[&'static str]) -> Shape {
        let names = self.library.firmware_names().chain(besides.iter().copied());
        Shape::any([Shape::word(names), Shape::pattern(PATH)]).or_parameter()
    }

    fn firmware(&self) -> Shape {
        self.image(&[FirmwareName::AS_FOUND]).about(
            "An image that comes with the rig, a path to one, or `as_found`: what is on the board is left alone.",
        )
    }

    fn transfer(&self) -> Shape {
        let written_out = Shape::keys([Key::required("image", self.image(&[]).about("Which firmware.")), through()]);
        Shape::any([self.image(&[]), written_out])
    }

    fn rail(&self) -> Shape {
        self.of_boards(|board| board.rails.iter().map(|it| it.name.as_str()).collect())
            .about("A rail of the board's profile.")
    }

    fn light(&self) -> Shape {
        let statuses: BTreeSet<&str> = self
            .library
            .boards()
            .flat_map(|board| board.light.iter().map(|it| it.name.as_str()))
            .chain(["off"])
            .collect();
        Shape::any([word(statuses), Shape::defined("look")]).about(
            "A status of the board's vocabulary, `off`, or a look written out, as in `{colour: red, blink: 100ms}`.",
        )
    }

    /// A condition, in a mapping that has `others` as well.
    fn condition<const N: usize>(&self, others: [Key; N]) -> Shape {
        let kinds = [
            Key::optional("light", self.light()),
            Key::optional(
                "console",
                scalar(Shape::text()).about("This text on the console; between slashes a regular expression."),
            ),
            Key::optional(
                "identity",
                scalar_or_some(IDENTITIES.map(|(name, _)| name)).about("With which identity the board last connected."),
            ),
            Key::optional("slot", slots().about("What this key slot holds; goes with `is`.")),
            Key::optional(
                "is",
                scalar_or_some(CONTENTS.map(|(name, _)| name))
                    .about("What the slot holds, or a list of which any will do."),
            ),
            Key::optional(
                "firmware",
                Shape::one_or_some(self.image(&[TORN]))
                    .about("Which firmware the flash holds, or a list of which any will do."),
            ),
            Key::optional("rail", self.rail().about("The voltage of this rail; goes with `below` or `above`.")),
            Key::optional("below", voltage("The rail is below this.")),
            Key::optional("above", voltage("The rail is above this.")),
            Key::optional("current", level()),
            Key::optional("usb", word(UsbPresence::ALL.map(UsbPresence::name)).about("What the board is on USB.")),
            Key::optional("any", Shape::some(Shape::defined("condition")).about("Any of these.")),
        ];
        Shape::keys(kinds.into_iter().chain(others))
            .goes_with("slot", &["is"])
            .goes_with("is", &["slot"])
            .goes_with("below", &["rail"])
            .goes_with("above", &["rail"])
    }

    fn expect(&self) -> Shape {
        self.condition([
            Key::optional("within", span("How long to wait for it.").example("30s")),
            Key::optional("holds", span("How long it has to last once it is there.").example("8s")),
        ])
        .exactly_one(KINDS)
        .about("Waits until this is seen.")
    }

    fn never(&self) -> Shape {
        self.condition([Key::required("for", span("How long to watch.").example("20s"))])
            .exactly_one(KINDS)
            .about("Watches that this is not seen.")
    }

    fn on(&self) -> Shape {
        let line = self.of_boards(|board| board.lines.iter().map(|it| it.name.as_str()).collect());
        self.condition([
            Key::optional("line", line.about("An edge of this line; goes with `edge`.")),
            Key::optional("edge", word(EDGES.map(|(name, _)| name)).about("In which direction.")),
            Key::optional("flash", self.transfer().about("This firmware is written; goes with `at`.")),
            Key::optional("at", ratio("How much of it is written when the fault strikes.")),
            Key::optional("within", span("How long to wait for it.").example("5s")),
        ])
        .exactly_one(KINDS.into_iter().chain(["line", "flash"]))
        .goes_with("line", &["edge"])
        .goes_with("edge", &["line"])
        .goes_with("flash", &["at"])
        .goes_with("at", &["flash"])
        .about("What the fault of this step waits for.")
    }

    fn press(&self) -> Shape {
        let buttons = self.of_boards(|board| board.buttons.iter().map(|it| it.name.as_str()).collect());
        Shape::keys([
            Key::required("button", buttons.about("Which button.").example(MODE)),
            Key::required("for", span("How long it is held.").example("3s")),
            Key::optional("through", word(["reset"]).about("From before a reset until so long after it.")),
        ])
        .about("Holds a button.")
    }

    fn measure(&self) -> Shape {
        let measurement = Shape::keys([
            Key::optional("until", Shape::defined("condition").about("How long it takes until this is seen.")),
            Key::optional("within", span("How long to wait for it.")),
            Key::optional("at_most", span("A longer time is a failure.")),
            Key::optional(
                "at_least",
                Shape::any([Shape::span(), Shape::quantity::<Voltage>()])
                    .or_parameter()
                    .about("A shorter time, or a lower voltage, is a failure."),
            ),
            Key::optional("lowest", self.rail().about("The lowest voltage of this rail; goes with `during`.")),
            Key::optional("during", span("How long it is watched.")),
        ])
        .exactly_one(["until", "lowest"])
        .goes_with("during", &["lowest"])
        .goes_with("lowest", &["during"]);
        Shape::names(measurement).entries(1..=1).about("Records a value under a name, with its unit and its limits.")
    }

    fn step(&self, verbs: &[&'static str]) -> Shape {
        let steps = Shape::some(Shape::defined("step"));
        let repeat = Shape::keys([
            Key::required("times", scalar(Shape::count(1..=1_000)).about("How often.")),
            Key::required("steps", steps.about("What is repeated.")),
        ]);
        let all = [
            ("supply", supply()),
            ("send", scalar(Shape::text()).about("A line to the console.")),
            ("reset", reset()),
            ("press", self.press()),
            ("enter", enter()),
            ("cloud", cloud("How the cloud behaves from now on.")),
            ("corrupt", corrupt()),
            ("keys", keys()),
            ("flash", self.transfer().about("Writes another firmware, while the board has power.")),
            ("wait", span("Does nothing for so long; rarely right: prefer `expect`.")),
            ("expect", self.expect()),
            ("never", self.never()),
            ("on", self.on()),
            ("fault", self.fault()),
            ("measure", self.measure()),
            ("repeat", repeat.about("Does the same several times.")),
        ];
        let kept = all.into_iter().filter(|(verb, _)| verbs.contains(verb));
        let shape = Shape::keys(kept.map(|(verb, shape)| Key::optional(verb, shape)));
        let shape = shape.exactly_one(verbs.iter().copied().filter(|verb| *verb != "on"));
        if verbs.contains(&"on") { shape.goes_with("on", &["fault"]) } else { shape }
    }
}

fn scalar_or_some<const N: usize>(words: [&str; N]) -> Shape {
    Shape::one_or_some(word(words))
}

fn level() -> Shape {
    Shape::keys([
        Key::optional("below", current("It is below this.")),
        Key::optional("above", current("It is above this.")),
    ])
    .exactly_one(["below", "above"])
    .about("The current that is drawn from the source.")
}
