//! Faults and their triggers.
//!
//! Boundary: reads them and checks them against the limits of the board's rails. Making them is the supply's business.

use brickproof_units::{Ratio, Slew, Span, Voltage};
use brickproof_yaml::decode::Fields;
use brickproof_yaml::suggest;
use brickproof_yaml::tree::{Entry, Node};
use brickproof_yaml::{Mistake, MistakeKind};

use crate::condition;
use crate::plan::{Cause, Edge, Fault, Trigger};
use crate::reader::Reader;
use brickproof_boards::Rail;

/// All of something.
pub(crate) const WHOLE: Ratio = Ratio::new(1_000_000);

pub(crate) const EDGES: [(&str, Edge); 2] = [("rising", Edge::Rising), ("falling", Edge::Falling)];

pub(crate) const FAULTS: [&str; 3] = ["brown_out", "power_cut", "load_step"];

/// How long a transfer may take to come to where the fault strikes; as long as the rig waits for a whole one.
const TRANSFERRING: Span = Span::secs(300);

/// A cause and how long to wait for it.
pub(crate) struct Awaited {
    pub(crate) cause: Cause,
    pub(crate) within: Span,
}

/// Where a fault is aimed at: so long after its cause, and how far from there it may strike.
pub(crate) struct Aim {
    after: Span,
    tolerance: Option<Span>,
}

impl Reader<'_, '_> {
    /// The body of `on`.
    pub(crate) fn cause(&mut self, node: &Node) -> Option<Awaited> {
        let own = ["line", "edge", "flash", "at", "within"];
        let known: Vec<&'static str> = condition::KEYS.into_iter().chain(own).collect();
        let fields = self.decoder.fields(node, "`on`", &known)?;
        if let Some(entry) = fields.entry("flash") {
            return self.transferred(&fields, entry);
        }
        self.lonely(&fields, &["at"], "flash");
        if let Some(entry) = fields.entry("line") {
            self.no_condition_beside(&fields, "line", entry);
            let (line, edge, within) = (self.line(&entry.value), self.edge(&fields), self.within(&fields, None));
            return Some(Awaited { cause: Cause::Edge { line: line?, edge: edge? }, within: within? });
        }
        self.lonely(&fields, &["edge"], "line");
        let seen = self.condition(&fields);
        let within = self.within(&fields, seen.as_ref());
        Some(Awaited { cause: Cause::Seen(seen?.condition), within: within? })
    }

    /// `flash`: which firmware, and how much of it.
    fn transferred(&mut self, fields: &Fields<'_>, flash: &Entry) -> Option<Awaited> {
        self.no_condition_beside(fields, "flash", flash);
        if let Some(within) = fields.entry("within") {
            let message = "a transfer begins with its step and needs no `within`";
            let needless = Mistake::new(MistakeKind::Misplaced, within.key_place, message);
            self.decoder.report(needless.help(format!("remove it: the rig waits {TRANSFERRING} at the most")));
        }
        let transfer = self.transfer(&flash.value);
        let at = fields.required(&mut self.decoder, "at").and_then(|node| self.progress(node));
        Some(Awaited { cause: Cause::Transferred { transfer: transfer?, at: at? }, within: TRANSFERRING })
    }

    fn progress(&mut self, node: &Node) -> Option<Ratio> {
        let progress = self.decoder.quantity::<Ratio>(node)?;
        if progress > WHOLE {
            let message = format!("no transfer comes to {progress}");
            let over = Mistake::new(MistakeKind::BeyondLimits, node.place, message);
            self.decoder.report(over.help("write 0% to 100%"));
            return None;
        }
        Some(progress)
    }

    /// Reports keys that go with another one which is not there.
    fn lonely(&mut self, fields: &Fields<'_>, keys: &[&str], owner: &str) {
        for (key, entry) in keys.iter().filter_map(|key| Some((key, fields.entry(key)?))) {
            let message = format!("`{key}` goes with `{owner}`");
            self.decoder.report(Mistake::new(MistakeKind::Misplaced, entry.key_place, message));
        }
    }

    /// A trigger has one cause: beside a line or a transfer no condition may stand.
    fn no_condition_beside(&mut self, fields: &Fields<'_>, cause: &str, first: &Entry) {
        let others = condition::KEYS.iter().chain(["line", "edge"].iter().filter(|_| cause != "line"));
        for (key, entry) in others.filter_map(|key| Some((key, fields.entry(key)?))) {
            let message = format!("`{cause}` and `{key}` in one trigger");
            let two = Mistake::new(MistakeKind::NotOneVerb, entry.key_place, message);
            let two = two.label("second").elsewhere(first.key_place, "first");
            self.decoder.report(two.help("a fault waits for one cause: keep the one that is meant"));
        }
    }

    fn edge(&mut self, fields: &Fields<'_>) -> Option<Edge> {
        let node = fields.required(&mut self.decoder, "edge")?;
        self.decoder.choice(node, "an edge", &EDGES)
    }

    /// The body of `fault`: its aim and its shape.
    pub(crate) fn fault(&mut self, node: &Node) -> Option<(Aim, Fault)> {
        let entries = self.decoder.entries(node, "a fault")?;
        let keys = self.decoder.keys(&entries, "`fault`", &FAULTS);
        let mut faults = keys.into_iter().zip(&entries).filter(|(key, _)| FAULTS.contains(key));
        let first = faults.next();
        if let Some((_, second)) = faults.next() {
            let two = Mistake::new(MistakeKind::NotOneVerb, second.key_place, "two faults in one step");
            self.decoder.report(two.label("second").help("write a step for each"));
            return None;
        }
        match first {
            Some(("brown_out", entry)) => self.brown_out(&entry.value),
            Some(("power_cut", entry)) => self.power_cut(&entry.value),
            Some((_, entry)) => self.load_step(&entry.value),
            None if entries.is_empty() => {
                let none = Mistake::new(MistakeKind::Empty, node.place, "a fault without a kind");
                let names = suggest::listed(FAULTS).unwrap_or_default();
                self.decoder.report(none.help(format!("write one of {names}")));
                None
            }
            None => None,
        }
    }

    fn aim(&mut self, fields: &Fields<'_>) -> Option<Aim> {
        let after = match fields.get("after") {
            None => Some(Span::ZERO),
            Some(node) => self.decoder.quantity(node),
        };
        let tolerance = match fields.get("tolerance") {
            None => Some(None),
            Some(node) => self.decoder.duration(node).map(Some),
        };
        Some(Aim { after: after?, tolerance: tolerance? })
    }

    fn required_duration(&mut self, fields: &Fields<'_>, key: &str) -> Option<Span> {
        let node = fields.required(&mut self.decoder, key)?;
        self.decoder.duration(node)
    }

    fn brown_out(&mut self, node: &Node) -> Option<(Aim, Fault)> {
        let known = ["after", "tolerance", "rail", "floor", "fall", "hold", "rise", "out_of_spec"];
        let fields = self.decoder.fields(node, "`brown_out`", &known)?;
        let aim = self.aim(&fields);
        let rail = fields.required(&mut self.decoder, "rail").and_then(|node| self.rail(node));
        let floor = fields.required(&mut self.decoder, "floor").and_then(|node| self.floor(node, rail));
        let allowed = match fields.get("out_of_spec") {
            None => Some(false),
            Some(node) => self.decoder.truth(node),
        };
        let specified = rail.filter(|_| allowed == Some(false));
        let fall = fields.required(&mut self.decoder, "fall");
        let fall = fall.and_then(|node| self.slew(node, specified.map(|rail| rail.fastest_fall), "falls"));
        let rise = match fields.get("rise") {
            None => fall,
            Some(node) => self.slew(node, specified.map(|rail| rail.fastest_rise), "rises"),
        };
        let hold = self.required_duration(&fields, "hold");
        let (aim, rail, floor) = (aim?, rail?.name.clone(), floor?);
        Some((aim, Fault::BrownOut { rail, floor, fall: fall?, hold: hold?, rise: rise? }))
    }

    fn floor(&mut self, node: &Node, rail: Option<&Rail>) -> Option<Voltage> {
        let floor = self.decoder.quantity::<Voltage>(node)?;
        let rail = rail?;
        if floor < Voltage::new(0) || floor >= rail.nominal {
            let message = format!("{floor} is no brown-out of rail `{}`", rail.name);
            let beyond = Mistake::new(MistakeKind::BeyondLimits, node.place, message);
            let help = format!("the floor lies between 0V and the rail's {}", rail.nominal);
            self.decoder.report(beyond.help(help));
            return None;
        }
        Some(floor)
    }

    /// A slew that is no faster than `fastest`, if that is given.
    fn slew(&mut self, node: &Node, fastest: Option<Slew>, moves: &str) -> Option<Slew> {
        let slew = self.decoder.quantity::<Slew>(node)?;
        match fastest {
            Some(fastest) if slew < fastest => {
                let message = format!("{slew} {moves} faster than the board is specified for");
                let fast = Mistake::new(MistakeKind::BeyondLimits, node.place, message);
                let help = format!("the fastest is {fastest}; if that is the question, add `out_of_spec: true`");
                self.decoder.report(fast.help(help));
                None
            }
            _ => Some(slew),
        }
    }

    fn power_cut(&mut self, node: &Node) -> Option<(Aim, Fault)> {
        let fields = self.decoder.fields(node, "`power_cut`", &["after", "tolerance", "hold"])?;
        let aim = self.aim(&fields);
        let hold = match fields.get("hold") {
            None => Some(None),
            Some(node) => self.decoder.duration(node).map(Some),
        };
        Some((aim?, Fault::PowerCut { hold: hold? }))
    }

    /// How far a load step has to pull the supply rail down.
    fn depth(&mut self, node: &Node) -> Option<Voltage> {
        let depth = self.decoder.quantity::<Voltage>(node)?;
        // A source feeds the first rail; the others hang on it.
        let rail = self.board?.rails.first()?;
        if depth <= Voltage::new(0) || depth >= rail.nominal {
            let message = format!("a load step does not pull rail `{}` down to {depth}", rail.name);
            let beyond = Mistake::new(MistakeKind::BeyondLimits, node.place, message);
            self.decoder.report(beyond.help(format!("it lies between 0V and the rail's {}", rail.nominal)));
            return None;
        }
        Some(depth)
    }

    fn load_step(&mut self, node: &Node) -> Option<(Aim, Fault)> {
        let fields = self.decoder.fields(node, "`load_step`", &["after", "tolerance", "current", "hold", "reaches"])?;
        let aim = self.aim(&fields);
        let reaches = match fields.get("reaches") {
            None => Some(None),
            Some(node) => self.depth(node).map(Some),
        };
        let current = fields.required(&mut self.decoder, "current").and_then(|node| self.supply_current(node));
        let hold = self.required_duration(&fields, "hold");
        Some((aim?, Fault::LoadStep { current: current?, hold: hold?, reaches: reaches? }))
    }
}

/// The trigger of a fault that is aimed from `awaited` on, or from the start of its step.
pub(crate) fn trigger(awaited: Option<Awaited>, Aim { after, tolerance }: Aim) -> Trigger {
    match awaited {
        Some(Awaited { cause, within }) => Trigger { cause: Some(cause), within, after, tolerance },
        None => Trigger { cause: None, within: Span::ZERO, after, tolerance },
    }
}
