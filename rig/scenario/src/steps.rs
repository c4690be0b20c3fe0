//! The steps of a scenario: one verb each.
//!
//! Boundary: from tree to actions. What a condition or a fault looks like is in their own modules; carrying steps out is the trial engine's.

use brickproof_boards::Held;
use brickproof_units::{Charge, Ratio, Span, Voltage};
use brickproof_yaml::decode::Fields;
use brickproof_yaml::suggest;
use brickproof_yaml::tree::{Entry, Node, Value};
use brickproof_yaml::{Mistake, MistakeKind, Place};

use crate::bootloader;
use crate::condition;
use crate::fault;
use crate::modes::Entered;
use crate::plan::{
    CellCondition, CloudBehaviour, CloudSetting, Measurand, Measurement, Step, StepAction, SupplySetting, Watch,
};
use crate::reader::Reader;
use crate::sentence;

pub(crate) const VERBS: [&str; 16] = [
    "supply", "send", "reset", "press", "enter", "cloud", "corrupt", "keys", "flash", "wait", "expect", "never", "on",
    "fault", "measure", "repeat",
];
/// What may be done on the way out: nothing that could leave the board worse than it is.
pub(crate) const CLEANUP_VERBS: [&str; 7] = ["supply", "send", "reset", "press", "cloud", "keys", "wait"];

pub(crate) const BEHAVIOURS: [(&str, CloudBehaviour); 4] = [
    ("genuine", CloudBehaviour::Genuine),
    ("silent", CloudBehaviour::Silent),
    ("wrong", CloudBehaviour::Wrong),
    ("unreachable", CloudBehaviour::Unreachable),
];

/// The most steps of one plan, repetitions written out. An hour of brown-outs has a few thousand.
const MOST_STEPS: usize = 10_000;
/// How long RESET is held when the scenario does not say; every supported part needs less than 1 ms.
const RESET_HOLD: Span = Span::millis(100);
/// A board that gets no answer to its request for a connection gives up after this (fixtures/firmware/PROTOCOL.md, section 3).
const CONNECT_TIMEOUT: Span = Span::secs(15);

/// Where steps stand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    Steps,
    Cleanup,
}

/// The cloud before anybody says anything about it.
pub(crate) const GENUINE: CloudSetting =
    CloudSetting { behaviour: CloudBehaviour::Genuine, latency: CloudSetting::USUAL_LATENCY };

/// A step as it is written: each key as it is meant, and its entry.
struct Written<'t> {
    node: &'t Node,
    parts: Vec<(&'t str, &'t Entry)>,
}

/// An action and where it stands; its number comes when all are known.
struct Placed {
    /// Of its verb.
    place: Place,
    /// `round 2 of 5`, for each repetition around it, the outermost first.
    rounds: Vec<String>,
    /// What a reader has to know of it besides.
    aside: Option<String>,
    action: StepAction,
}

impl Reader<'_, '_> {
    /// The steps of a list, numbered, repetitions written out.
    pub(crate) fn steps(&mut self, node: &Node, room: Room) -> Option<Vec<Step>> {
        let placed = self.placed_steps(node, room)?;
        if let (Room::Steps, Some(board)) = (room, self.board) {
            bootloader::check(&mut self.decoder, board, placed.iter().map(|it| (it.place, &it.action)));
        }
        let numbered = placed.into_iter().enumerate().map(|(position, placed)| {
            let mut text = sentence::action(&placed.action);
            for aside in placed.aside.iter().chain(&placed.rounds) {
                text.push_str(&format!(" ({aside})"));
            }
            let line = self.lines.line(placed.place.start);
            Step { index: position + 1, line, text, action: placed.action }
        });
        Some(numbered.collect())
    }

    fn placed_steps(&mut self, node: &Node, room: Room) -> Option<Vec<Placed>> {
        let nodes = self.decoder.list(node, "a list of steps")?;
        if nodes.is_empty() {
            return self.empty(node, "no steps");
        }
        let read: Vec<_> = nodes.iter().map(|node| self.step(node, room)).collect();
        let steps: Vec<Placed> = read.into_iter().collect::<Option<Vec<_>>>()?.into_iter().flatten().collect();
        if steps.len() > MOST_STEPS {
            let message = format!("{} steps with all repetitions, more than {MOST_STEPS}", steps.len());
            self.decoder.report(Mistake::new(MistakeKind::TooLarge, node.place, message));
            return None;
        }
        Some(steps)
    }

    fn step(&mut self, node: &Node, room: Room) -> Option<Vec<Placed>> {
        *self.read += 1;
        let entries = self.decoder.entries(node, "a step (`verb: what`)")?;
        let keys = self.decoder.keys(&entries, "a step", &VERBS);
        let step = Written { node, parts: keys.into_iter().zip(entries).collect() };
        let (verb, entry) = self.verb(&step, room)?;
        let place = entry.key_place;
        let one =
            |action: Option<StepAction>| Some(vec![Placed { place, rounds: Vec::new(), aside: None, action: action? }]);
        let body = &entry.value;
        match verb {
            "supply" => one(self.supply(body).map(StepAction::Supply)),
            "send" => one(self.decoder.text(body, "a line to send").map(|text| StepAction::Send(text.into()))),
            "reset" => one(self.reset(body)),
            "press" => one(self.press(body)),
            "enter" => {
                let Entered { actions, aside } = self.enter(body)?;
                let placed = |action| Placed { place, rounds: Vec::new(), aside: aside.clone(), action };
                Some(actions.into_iter().map(placed).collect())
            }
            "cloud" => one(self.cloud(body).map(StepAction::Cloud)),
            "corrupt" => one(self.corrupt(body)),
            "keys" => one(self.keys(body, room)),
            "flash" => one(self.transfer(body).map(StepAction::Flash)),
            "wait" => one(self.decoder.duration(body).map(StepAction::Wait)),
            "expect" => one(self.expectation(body).map(StepAction::Expect)),
            "never" => one(self.never(body)),
            "measure" => one(self.measure(body).map(StepAction::Measure)),
            "repeat" => self.repeat(body, room),
            _ => one(self.triggered_fault(&step)),
        }
    }

    /// The one verb of a step; `on` and `fault` belong together.
    fn verb<'t>(&mut self, step: &Written<'t>, room: Room) -> Option<(&'t str, &'t Entry)> {
        let mut verbs = step.parts.iter().copied().filter(|(key, _)| VERBS.contains(key));
        let Some((verb, first)) = verbs.next() else {
            if step.parts.is_empty() {
                return self.empty(step.node, "a step that does nothing");
            }
            return None;
        };
        let goes_with = |key: &str| matches!((verb, key), ("on", "fault") | ("fault", "on"));
        if let Some((key, second)) = verbs.find(|(key, _)| !goes_with(key)) {
            let message = format!("`{verb}` and `{key}` in one step");
            let two = Mistake::new(MistakeKind::NotOneVerb, second.key_place, message);
            let two = two.label("second").elsewhere(first.key_place, "first");
            self.decoder.report(two.help("a step does one thing: begin a new step with `- `"));
        }
        if room == Room::Cleanup && !CLEANUP_VERBS.contains(&verb) {
            let message = format!("`{verb}` has no place in `cleanup`");
            let names = suggest::listed(CLEANUP_VERBS).unwrap_or_default();
            let misplaced = Mistake::new(MistakeKind::Misplaced, first.key_place, message);
            self.decoder.report(misplaced.help(format!("cleanup leaves the station as it was found: {names}")));
            return None;
        }
        Some((verb, first))
    }

    fn supply(&mut self, node: &Node) -> Option<SupplySetting> {
        if let Value::Text(_) = node.value {
            return self.decoder.choice(node, "a source (`off`, `{usb: 5V}`…)", &[("off", SupplySetting::Off)]);
        }
        let fields = self.decoder.fields(node, "`supply`", &["usb", "bench", "battery"])?;
        match (fields.get("usb"), fields.get("bench"), fields.get("battery")) {
            (Some(usb), None, None) => Some(SupplySetting::Usb { voltage: self.input_voltage(usb)? }),
            (None, Some(bench), None) => self.bench(bench),
            (None, None, Some(battery)) => self.battery(battery),
            (None, None, None) => {
                let help = "write `off`, `{usb: 5V}`, `{bench: …}` or `{battery: …}`";
                fields.missing(&mut self.decoder, "a source", help);
                None
            }
            _ => {
                let two = Mistake::new(MistakeKind::NotOneVerb, fields.place, "two sources at the same time");
                self.decoder.report(two.help("write a step for each"));
                None
            }
        }
    }

    fn bench(&mut self, node: &Node) -> Option<SupplySetting> {
        let fields = self.decoder.fields(node, "`bench`", &["voltage", "current_limit"])?;
        let voltage = fields.required(&mut self.decoder, "voltage").and_then(|node| self.input_voltage(node));
        let limit = fields.required(&mut self.decoder, "current_limit").and_then(|node| self.supply_current(node));
        Some(SupplySetting::Bench { voltage: voltage?, current_limit: limit? })
    }

    fn battery(&mut self, node: &Node) -> Option<SupplySetting> {
        let fields = self.decoder.fields(node, "`battery`", &["cell", "aged", "charge"])?;
        let cell = fields.required(&mut self.decoder, "cell").and_then(|node| self.capacity(node));
        let charge = fields.required(&mut self.decoder, "charge").and_then(|node| self.charge(node));
        let aged = match fields.get("aged") {
            None => Some(false),
            Some(node) => self.decoder.truth(node),
        };
        let condition = if aged? { CellCondition::Aged } else { CellCondition::Fresh };
        Some(SupplySetting::Battery { cell: cell?, charge: charge?, condition })
    }

    fn capacity(&mut self, node: &Node) -> Option<Charge> {
        let capacity = self.decoder.quantity::<Charge>(node)?;
        if capacity == Charge::new(0) {
            let none = Mistake::new(MistakeKind::BeyondLimits, node.place, "a cell without any capacity");
            self.decoder.report(none.help("write what it holds when full, as in `1200mAh`"));
            return None;
        }
        Some(capacity)
    }

    fn charge(&mut self, node: &Node) -> Option<Ratio> {
        let charge = self.decoder.quantity::<Ratio>(node)?;
        if charge > Ratio::new(1_000_000) {
            let over = Mistake::new(MistakeKind::BeyondLimits, node.place, format!("a cell cannot be {charge} full"));
            self.decoder.report(over.help("write 0% to 100%"));
            return None;
        }
        Some(charge)
    }

    fn reset(&mut self, node: &Node) -> Option<StepAction> {
        if let Value::Text(_) = node.value {
            let hold = self.decoder.choice(node, "a reset (`pin` or `{hold: 100ms}`)", &[("pin", RESET_HOLD)])?;
            return Some(StepAction::Reset { hold });
        }
        let fields = self.decoder.fields(node, "`reset`", &["hold"])?;
        let hold = fields.required(&mut self.decoder, "hold")?;
        Some(StepAction::Reset { hold: self.decoder.duration(hold)? })
    }

    fn press(&mut self, node: &Node) -> Option<StepAction> {
        let fields = self.decoder.fields(node, "`press`", &["button", "for", "through"])?;
        let button = fields.required(&mut self.decoder, "button").and_then(|node| self.button(node));
        let hold = fields.required(&mut self.decoder, "for").and_then(|node| self.decoder.duration(node));
        let through = fields.get("through").map_or(Some(None), |node| {
            let reset = self.board.and_then(|board| board.modes.as_ref()).map_or(RESET_HOLD, |modes| modes.reset);
            self.decoder.choice(node, "what the button is held through", &[("reset", Some(reset))])
        });
        let (button, hold, through) = (button?, hold?, through?);
        let held = if through.is_some() { Held::ThroughReset } else { Held::WhileRunning };
        if !self.is_harmless(fields.get("for")?, &button, held, hold) {
            return None;
        }
        Some(match through {
            None => StepAction::Press { button, hold },
            Some(reset) => StepAction::PressThroughReset { button, reset, hold },
        })
    }

    /// How the cloud behaves: a word, or a word and a latency.
    pub(crate) fn cloud(&mut self, node: &Node) -> Option<CloudSetting> {
        if let Value::Text(_) = node.value {
            return Some(CloudSetting { behaviour: self.behaviour(node)?, ..GENUINE });
        }
        let fields = self.decoder.fields(node, "`cloud`", &["behaviour", "latency"])?;
        let behaviour = fields.required(&mut self.decoder, "behaviour").and_then(|node| self.behaviour(node));
        let latency = match fields.get("latency") {
            None => Some(CloudSetting::USUAL_LATENCY),
            Some(node) => self.latency(node),
        };
        Some(CloudSetting { behaviour: behaviour?, latency: latency? })
    }

    fn latency(&mut self, node: &Node) -> Option<Span> {
        let latency = self.decoder.quantity(node)?;
        if latency >= CONNECT_TIMEOUT {
            let message = format!("no board waits {latency} for the cloud");
            let slow = Mistake::new(MistakeKind::ImpossibleTiming, node.place, message);
            let help = format!("it gives up after {CONNECT_TIMEOUT}; a cloud that never answers is `silent`");
            self.decoder.report(slow.help(help));
            return None;
        }
        Some(latency)
    }

    fn behaviour(&mut self, node: &Node) -> Option<CloudBehaviour> {
        self.decoder.choice(node, "a behaviour of the cloud", &BEHAVIOURS)
    }

    fn never(&mut self, node: &Node) -> Option<StepAction> {
        let known: Vec<&'static str> = condition::KEYS.into_iter().chain(["for"]).collect();
        let fields = self.decoder.fields(node, "`never`", &known)?;
        let seen = self.condition(&fields);
        let during = fields.required(&mut self.decoder, "for").and_then(|node| {
            let during = self.decoder.duration(node)?;
            let takes = seen.as_ref().map_or(Span::ZERO, |seen| seen.takes);
            if during < takes {
                let message = format!("{during} is too short to see this light at all");
                let short = Mistake::new(MistakeKind::ImpossibleTiming, node.place, message);
                self.decoder.report(short.help(format!("one period takes {takes}: watch at least that long")));
                return None;
            }
            Some(during)
        });
        Some(StepAction::Never { condition: seen?.condition, during: during? })
    }

    fn triggered_fault(&mut self, step: &Written<'_>) -> Option<StepAction> {
        let value_of = |key: &str| step.parts.iter().find(|(meant, _)| *meant == key).map(|(_, entry)| &entry.value);
        let awaited = value_of("on").map(|node| self.cause(node));
        let Some(fault) = value_of("fault") else {
            let alone = Mistake::new(MistakeKind::MissingKey, step.node.place, "`on` without a `fault`");
            let help = "add what strikes then (`fault: {…}`), or write `expect` if nothing does";
            self.decoder.report(alone.help(help));
            return None;
        };
        let (aim, fault) = self.fault(fault)?;
        let awaited = match awaited {
            None => None,
            Some(awaited) => Some(awaited?),
        };
        Some(StepAction::Fault { trigger: fault::trigger(awaited, aim), fault })
    }

    fn measure(&mut self, node: &Node) -> Option<Measurement> {
        let entries = self.decoder.entries(node, "a measurement (`name: {…}`)")?;
        let Some(first) = entries.first() else { return self.empty(node, "nothing to measure") };
        if let Some(second) = entries.get(1) {
            let two = Mistake::new(MistakeKind::NotOneVerb, second.key_place, "two measurements in one step");
            self.decoder.report(two.label("second").help("write a step for each"));
        }
        let known = ["until", "within", "at_most", "at_least", "lowest", "during"];
        let fields = self.decoder.fields(&first.value, "a measurement", &known)?;
        let what = match (fields.get("until"), fields.get("lowest")) {
            (Some(until), None) => self.time_until(&fields, until),
            (None, Some(lowest)) => self.lowest(&fields, lowest),
            (None, None) => {
                let help = "say `until: {…}` for a time, or `lowest: RAIL` for a voltage";
                fields.missing(&mut self.decoder, "what to measure", help);
                None
            }
            (Some(_), Some(_)) => {
                let two =
                    Mistake::new(MistakeKind::NotOneVerb, fields.place, "`until` and `lowest` in one measurement");
                self.decoder.report(two.help("write a step for each"));
                None
            }
        };
        let name = self.measurement_name(first);
        Some(Measurement { name: name?, what: what? })
    }

    /// The name of a measurement, which results are found by: no two may share one.
    fn measurement_name(&mut self, entry: &Entry) -> Option<String> {
        let name = self.decoder.filled_in(&entry.key)?.into_owned();
        if let Some(first) = self.measured.get(&name) {
            let message = format!("two measurements are called `{name}`");
            let twice = Mistake::new(MistakeKind::DuplicateValue, entry.key_place, message);
            let twice = twice.label("again").elsewhere(*first, "first here");
            self.decoder.report(twice.help("give each a name of its own; the rounds of a `repeat` share one"));
            return None;
        }
        self.measured.insert(name.clone(), entry.key_place);
        Some(name)
    }

    fn time_until(&mut self, fields: &Fields<'_>, until: &Node) -> Option<Measurand> {
        self.misplaced_in_measurement(fields, "during", "lowest");
        let seen = self.condition_alone(until);
        let within = self.within(fields, seen.as_ref());
        let at_least = self.limit(fields, "at_least");
        let at_most = self.limit(fields, "at_most");
        let (at_least, at_most, within) = (at_least?, at_most?, within?);
        let (condition, within) = (seen?.condition, within);
        self.check_order(fields, "at_most", at_most, within, "`within`");
        self.check_order(fields, "at_least", at_least, at_most.unwrap_or(within), "the longest time allowed");
        Some(Measurand::TimeUntil { condition, within, at_least, at_most })
    }

    /// An optional limit: outer `None` for a mistake, inner `None` for none.
    fn limit(&mut self, fields: &Fields<'_>, key: &str) -> Option<Option<Span>> {
        match fields.get(key) {
            None => Some(None),
            Some(node) => self.decoder.quantity(node).map(Some),
        }
    }

    fn check_order(&mut self, fields: &Fields<'_>, key: &str, limit: Option<Span>, ceiling: Span, what: &str) {
        if let (Some(limit), Some(node)) = (limit, fields.get(key))
            && limit > ceiling
        {
            let message = format!("`{key}: {limit}` is longer than {what}, {ceiling}");
            self.decoder.report(Mistake::new(MistakeKind::ImpossibleTiming, node.place, message));
        }
    }

    fn misplaced_in_measurement(&mut self, fields: &Fields<'_>, key: &str, owner: &str) {
        if let Some(entry) = fields.entry(key) {
            let message = format!("`{key}` goes with `{owner}`");
            self.decoder.report(Mistake::new(MistakeKind::Misplaced, entry.key_place, message));
        }
    }

    fn lowest(&mut self, fields: &Fields<'_>, lowest: &Node) -> Option<Measurand> {
        self.misplaced_in_measurement(fields, "within", "until");
        self.misplaced_in_measurement(fields, "at_most", "until");
        let rail = self.rail(lowest);
        let during = fields.required(&mut self.decoder, "during").and_then(|node| self.decoder.duration(node));
        let at_least = match fields.get("at_least") {
            None => Some(None),
            Some(node) => self.decoder.quantity::<Voltage>(node).map(Some),
        };
        let rail = rail?;
        if let (Some(Some(limit)), Some(node)) = (at_least, fields.get("at_least"))
            && !(Voltage::new(1)..=rail.maximum).contains(&limit)
        {
            let message = format!("{limit} is no limit for rail `{}`", rail.name);
            let help = format!("it lies between 0V and {}", rail.maximum);
            self.decoder.report(Mistake::new(MistakeKind::BeyondLimits, node.place, message).help(help));
        }
        Some(Measurand::LowestVoltage { rail: rail.name.clone(), during: during?, at_least: at_least? })
    }

    fn repeat(&mut self, node: &Node, room: Room) -> Option<Vec<Placed>> {
        let fields = self.decoder.fields(node, "`repeat`", &["times", "steps"])?;
        let times = fields.required(&mut self.decoder, "times");
        let times = times.and_then(|node| self.decoder.count(node, "a number of times", 1..=1_000usize));
        let body = fields.required(&mut self.decoder, "steps").and_then(|node| self.placed_steps(node, room));
        let (times, body) = (times?, body?);
        if times.saturating_mul(body.len()) > MOST_STEPS {
            let message = format!("{times} times {} steps are more than {MOST_STEPS}", body.len());
            self.decoder.report(Mistake::new(MistakeKind::TooLarge, node.place, message));
            return None;
        }
        *self.read += times * body.len();
        let round = |number: usize| {
            let name = format!("round {number} of {times}");
            body.iter().map(move |placed| placed.in_round(&name)).collect::<Vec<_>>()
        };
        Some((1..=times).flat_map(round).collect())
    }

    /// The list under `throughout`.
    pub(crate) fn watches(&mut self, node: &Node) -> Option<Vec<Watch>> {
        let nodes = self.decoder.list(node, "a list of `- not: {…}`")?;
        let read: Vec<_> = nodes.iter().map(|node| self.watch(node)).collect();
        read.into_iter().collect()
    }

    fn watch(&mut self, node: &Node) -> Option<Watch> {
        let fields = self.decoder.fields(node, "an entry of `throughout`", &["not"])?;
        let not = fields.entry("not").or_else(|| {
            fields.missing(&mut self.decoder, "`not`", "write what must never be seen, as in `- not: {light: sos}`");
            None
        })?;
        let never = self.watched_condition(&not.value)?;
        let text = format!("never {}", sentence::seen(&never));
        Some(Watch { line: self.lines.line(not.key_place.start), text, never })
    }
}

impl Placed {
    fn in_round(&self, name: &str) -> Self {
        let rounds = std::iter::once(name.to_owned()).chain(self.rounds.iter().cloned()).collect();
        Self { place: self.place, rounds, aside: self.aside.clone(), action: self.action.clone() }
    }
}
