//! Things that can be seen: a light, a line on the console, an identity, a slot, a rail, a current.
//!
//! Boundary: reads a condition and says how it behaves in time, so that impossible timings can be refused where it is used.

use brickproof_units::{Current, Quantity, Span, Voltage};
use brickproof_yaml::decode::Fields;
use brickproof_yaml::suggest;
use brickproof_yaml::tree::{Node, Value};
use brickproof_yaml::{Mistake, MistakeKind};

use crate::lights::{self, Wanted};
use crate::plan::{Condition, Expectation, FirmwareContent, FirmwareName, Identity, Level, SlotContent, UsbPresence};
use crate::reader::Reader;

/// The keys with which a condition can be written.
pub(crate) const KEYS: [&str; 12] =
    ["light", "console", "identity", "slot", "is", "firmware", "rail", "below", "above", "current", "usb", "any"];
/// Those that say what kind of condition it is; the others go with `slot` and `rail`.
pub(crate) const KINDS: [&str; 9] =
    ["light", "console", "identity", "slot", "firmware", "rail", "current", "usb", "any"];

pub(crate) const IDENTITIES: [(&str, Identity); 3] =
    [("unchanged", Identity::Unchanged), ("rotated", Identity::Rotated), ("renewed", Identity::Renewed)];
pub(crate) const CONTENTS: [(&str, SlotContent); 5] = [
    ("old", SlotContent::Old),
    ("new", SlotContent::New),
    ("blank", SlotContent::Blank),
    (TORN, SlotContent::Torn),
    (FirmwareName::AS_FOUND, SlotContent::AsFound),
];
/// What holds none of what is known.
pub(crate) const TORN: &str = "torn";

/// Those that are looked up once, so that they need no `within`.
const FACTS: [&str; 3] = ["identity", "slot", "firmware"];

/// A condition and its behaviour in time.
pub(crate) struct Seen {
    pub(crate) condition: Condition,
    /// It cannot be recognised sooner.
    pub(crate) takes: Span,
    pub(crate) duration: Duration,
}

/// How long a condition can last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Duration {
    /// It happens at an instant.
    Moment,
    /// It is a fact that is looked up, not watched.
    Fact,
    /// It is over after so long.
    AtMost(Span),
    /// As long as it likes.
    Lasting,
}

impl Reader<'_, '_> {
    /// The condition among `fields`, which may have other keys as well.
    pub(crate) fn condition(&mut self, fields: &Fields<'_>) -> Option<Seen> {
        *self.read += 1;
        let mut kinds = KINDS.iter().filter_map(|kind| Some((*kind, fields.entry(kind)?)));
        let Some((kind, entry)) = kinds.next() else {
            let help = format!("say what must be seen: {}", suggest::listed(KINDS).unwrap_or_default());
            fields.missing(&mut self.decoder, "a condition", &help);
            return None;
        };
        for (other, second) in kinds {
            let message = format!("`{kind}` and `{other}` in one condition");
            let two = Mistake::new(MistakeKind::NotOneVerb, second.key_place, message);
            let two = two.label("second").elsewhere(entry.key_place, "first");
            self.decoder.report(two.help("one of them is enough: `any: [{…}, {…}]`; both: two steps"));
        }
        self.check_companions(fields, kind);
        let node = &entry.value;
        match kind {
            "light" => self.light(node),
            "console" => {
                let condition = Condition::Console(self.console_pattern(node)?);
                Some(Seen { condition, takes: Span::ZERO, duration: Duration::Moment })
            }
            "identity" => Some(fact(Condition::Identity(self.accepts(node, "an identity", &IDENTITIES)?))),
            "slot" => self.slot_content(fields, node),
            "firmware" => Some(fact(Condition::Firmware(self.firmware_content(node)?))),
            "rail" => self.rail_level(fields, node),
            "current" => self.current_level(node),
            "usb" => self.presence(node),
            _ => self.any(node),
        }
    }

    /// A condition in a mapping of its own, as in `not: {…}`.
    pub(crate) fn condition_alone(&mut self, node: &Node) -> Option<Seen> {
        let fields = self.decoder.fields(node, "a condition", &KEYS)?;
        self.condition(&fields)
    }

    /// A condition that is watched while other things are done. What the flash holds is not: to read it takes the probe and its time.
    pub(crate) fn watched_condition(&mut self, node: &Node) -> Option<Condition> {
        let condition = self.condition_alone(node)?.condition;
        if let Some((what, key)) = read_through_the_probe(&condition) {
            let message = format!("{what} is read by a step, not watched all the while");
            let blind = Mistake::new(MistakeKind::Misplaced, node.place, message);
            let help = format!("look at it in a step: `- expect: {{ {key} }}` or `- never: {{ {key}, for: … }}`");
            self.decoder.report(blind.help(help));
            return None;
        }
        Some(condition)
    }

    fn check_companions(&mut self, fields: &Fields<'_>, kind: &str) {
        for (companion, owner) in [("is", "slot"), ("below", "rail"), ("above", "rail")] {
            if let Some(entry) = fields.entry(companion).filter(|_| kind != owner) {
                let message = format!("`{companion}` goes with `{owner}`, not with `{kind}`");
                self.decoder.report(Mistake::new(MistakeKind::Misplaced, entry.key_place, message));
            }
        }
    }

    fn light(&mut self, node: &Node) -> Option<Seen> {
        let Wanted { led, name, look } = lights::wanted(self, node)?;
        let (takes, duration) = (look.period().unwrap_or(Span::ZERO), lights::duration(&look));
        let condition = Condition::Light { led, name, pattern: look.pattern() };
        Some(Seen { condition, takes, duration })
    }

    fn slot_content(&mut self, fields: &Fields<'_>, node: &Node) -> Option<Seen> {
        let slot = self.slot(node);
        let is = fields.required(&mut self.decoder, "is");
        let accepts = is.and_then(|node| self.accepts(node, "what a slot can hold", &CONTENTS));
        if let (Some(accepts), Some(node), false) = (&accepts, is, self.is_as_found)
            && accepts.contains(&SlotContent::AsFound)
        {
            let unfounded = Mistake::new(
                MistakeKind::Misplaced,
                node.place,
                "nothing is `as_found` without `state` or `firmware: as_found`",
            );
            self.decoder.report(unfounded.help("a board that is provisioned anew begins with the `old` keys"));
        }
        Some(fact(Condition::Slot { slot: slot?, accepts: accepts? }))
    }

    /// An image or `torn`, or a list of them, any of which will do.
    fn firmware_content(&mut self, node: &Node) -> Option<Vec<FirmwareContent>> {
        let one = |reader: &mut Self, node: &Node| {
            let is_torn = matches!(&node.value, Value::Text(text) if text.text == TORN);
            if is_torn { Some(FirmwareContent::Torn) } else { reader.image(node).map(FirmwareContent::Image) }
        };
        match &node.value {
            Value::List(nodes) if nodes.is_empty() => self.empty(node, "nothing would be accepted"),
            Value::List(nodes) => {
                let read: Vec<_> = nodes.iter().map(|node| one(self, node)).collect();
                read.into_iter().collect()
            }
            _ => Some(vec![one(self, node)?]),
        }
    }

    /// One word or a list of words, any of which will do.
    fn accepts<T: Clone>(&mut self, node: &Node, what: &str, choices: &[(&str, T)]) -> Option<Vec<T>> {
        match &node.value {
            Value::List(nodes) if nodes.is_empty() => self.empty(node, "nothing would be accepted"),
            Value::List(nodes) => {
                let read: Vec<_> = nodes.iter().map(|node| self.decoder.choice(node, what, choices)).collect();
                read.into_iter().collect()
            }
            _ => Some(vec![self.decoder.choice(node, what, choices)?]),
        }
    }

    fn rail_level(&mut self, fields: &Fields<'_>, node: &Node) -> Option<Seen> {
        let rail = self.rail(node);
        let level = self.level::<Voltage>(fields);
        let (rail, is) = (rail?, level?);
        let (Level::Above(threshold) | Level::Below(threshold)) = is;
        if threshold >= rail.maximum || threshold <= Voltage::new(0) {
            let place = fields.get("below").or(fields.get("above")).map_or(fields.place, |node| node.place);
            let message = format!("rail `{}` never crosses {threshold}", rail.name);
            let help = format!("it lies between 0V and {}", rail.maximum);
            self.decoder.report(Mistake::new(MistakeKind::BeyondLimits, place, message).help(help));
            return None;
        }
        Some(lasting(Condition::Rail { rail: rail.name.clone(), is }))
    }

    fn current_level(&mut self, node: &Node) -> Option<Seen> {
        let fields = self.decoder.fields(node, "`current`", &["below", "above"])?;
        let is = self.level::<Current>(&fields)?;
        let (Level::Above(threshold) | Level::Below(threshold)) = is;
        let ceiling = self.board?.input.current_ceiling;
        let lowest = match is {
            Level::Above(_) => Current::new(0),
            Level::Below(_) => Current::new(1),
        };
        if !(lowest..=ceiling).contains(&threshold) {
            let message = format!("the current never crosses {threshold}");
            let help = format!("it lies between 0A and the {ceiling} that the board bears");
            self.decoder.report(Mistake::new(MistakeKind::BeyondLimits, fields.place, message).help(help));
            return None;
        }
        Some(lasting(Condition::Current(is)))
    }

    fn presence(&mut self, node: &Node) -> Option<Seen> {
        let choices = UsbPresence::ALL.map(|usb| (usb.name(), usb));
        let usb = self.decoder.choice(node, "what the board is on USB", &choices)?;
        let board = self.board?;
        if board.usb.is_none() {
            let message = format!("the board `{}` has no USB that is known", board.name);
            let none = Mistake::new(MistakeKind::UnknownName, node.place, message);
            self.decoder.report(none.help("its profile says so with `usb: { normal: …, dfu: … }`"));
            return None;
        }
        Some(lasting(Condition::Usb(usb)))
    }

    fn level<Q: Quantity>(&mut self, fields: &Fields<'_>) -> Option<Level<Q>> {
        match (fields.get("below"), fields.entry("above")) {
            (None, None) => {
                fields.missing(&mut self.decoder, "`below` or `above`", "say on which side of which value");
                None
            }
            (Some(below), None) => self.decoder.quantity(below).map(Level::Below),
            (None, Some(above)) => self.decoder.quantity(&above.value).map(Level::Above),
            (Some(_), Some(above)) => {
                let both = Mistake::new(MistakeKind::NotOneVerb, above.key_place, "`below` and `above` together");
                self.decoder.report(both.label("second").help("write two conditions"));
                None
            }
        }
    }

    fn any(&mut self, node: &Node) -> Option<Seen> {
        let nodes = self.decoder.list(node, "a list of conditions")?;
        if nodes.is_empty() {
            return self.empty(node, "`any` of no conditions");
        }
        let read: Vec<_> = nodes.iter().map(|node| self.condition_alone(node)).collect();
        let seen: Vec<Seen> = read.into_iter().collect::<Option<_>>()?;
        let takes = seen.iter().map(|one| one.takes).min().unwrap_or(Span::ZERO);
        let duration = seen.iter().map(|one| one.duration).min().unwrap_or(Duration::Lasting);
        Some(Seen { condition: Condition::Any(seen.into_iter().map(|one| one.condition).collect()), takes, duration })
    }

    pub(crate) fn empty<T>(&mut self, node: &Node, message: &str) -> Option<T> {
        self.decoder.report(Mistake::new(MistakeKind::Empty, node.place, message).label("empty"));
        None
    }

    /// `within`, checked against what the condition needs to be recognised at all.
    pub(crate) fn within(&mut self, fields: &Fields<'_>, seen: Option<&Seen>) -> Option<Span> {
        let fact = FACTS.iter().any(|kind| fields.entry(kind).is_some());
        let Some(node) = fields.get("within") else {
            if fact {
                return Some(Span::ZERO);
            }
            let help = "say how long to wait, as in `within: 30s`: the rig never waits without an end";
            fields.missing(&mut self.decoder, "`within`", help);
            return None;
        };
        let within = self.decoder.duration(node)?;
        match seen {
            Some(seen) if within < seen.takes => {
                let message = format!("{within} is too short to see this light");
                let short = Mistake::new(MistakeKind::ImpossibleTiming, node.place, message);
                self.decoder.report(short.help(format!("one period takes {}: allow at least that", seen.takes)));
                None
            }
            _ => Some(within),
        }
    }

    /// The body of `expect`.
    pub(crate) fn expectation(&mut self, node: &Node) -> Option<Expectation> {
        let known: Vec<&'static str> = KEYS.into_iter().chain(["within", "holds"]).collect();
        let fields = self.decoder.fields(node, "`expect`", &known)?;
        let seen = self.condition(&fields);
        let within = self.within(&fields, seen.as_ref());
        let holds = match fields.get("holds") {
            None => Some(None),
            Some(node) => self.holds(node, seen.as_ref()).map(Some),
        };
        Some(Expectation { condition: seen?.condition, within: within?, holds: holds? })
    }

    fn holds(&mut self, node: &Node, seen: Option<&Seen>) -> Option<Span> {
        let holds = self.decoder.duration(node)?;
        let impossible = |message: String| Mistake::new(MistakeKind::ImpossibleTiming, node.place, message);
        let mistake = match seen?.duration {
            Duration::Lasting => return Some(holds),
            Duration::AtMost(longest) if holds <= longest => return Some(holds),
            Duration::AtMost(longest) => impossible(format!("this light is over after {longest}"))
                .help("ask for no more, or expect the light that comes after it"),
            Duration::Moment => impossible("a console line comes and is gone: it cannot hold".to_owned())
                .help("remove `holds`, or make sure of what must not come with `never: {…, for: …}`"),
            Duration::Fact => impossible("this is looked up once: it cannot hold".to_owned()).help("remove `holds`"),
        };
        self.decoder.report(mistake);
        None
    }
}

/// What a condition has the probe read, and how it is written.
fn read_through_the_probe(condition: &Condition) -> Option<(&'static str, &'static str)> {
    match condition {
        Condition::Slot { .. } => Some(("a slot", "slot: …, is: …")),
        Condition::Firmware(_) => Some(("the firmware", "firmware: …")),
        Condition::Any(conditions) => conditions.iter().find_map(read_through_the_probe),
        _ => None,
    }
}

fn fact(condition: Condition) -> Seen {
    Seen { condition, takes: Span::ZERO, duration: Duration::Fact }
}

fn lasting(condition: Condition) -> Seen {
    Seen { condition, takes: Span::ZERO, duration: Duration::Lasting }
}
