//! What is visible of the board, and whether a condition is.
//!
//! Boundary: it remembers and compares; it decides nothing. Conditions that last (a light, an identity) answer with the instant since
//! when they have held; those that happen (a console match, an edge) with the instant at which they did.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use brickproof_boards::{BoardProfile, LedIndex};
use brickproof_cloud::CloudEvent;
use brickproof_console::{Line, Lines, Matcher, PatternId};
use brickproof_keys::{Fingerprint, Slot};
use brickproof_light::{Calibration, Sight, Watcher};
use brickproof_scenario::plan::{
    Cause, CloudSetting, Condition, Edge, FirmwareContent, Identity, Level, Measurand, Measurement, SlotContent,
    StepAction, UsbPresence,
};
use brickproof_units::{Current, Instant, Span, Voltage};

use crate::handshake::Handshakes;
use crate::lights::Lights;
use crate::ports::Glimpse;
use crate::rail::{Rail, Reading};

/// How many console lines are kept for evidence and for the search of the nearest one.
const LINES_KEPT: usize = 512;

/// A condition, prepared for looking.
#[derive(Clone, Debug)]
pub(crate) enum Look {
    Light(LedIndex, brickproof_light::Pattern),
    /// The position of its pattern among the watched ones.
    Console(usize),
    Identity(Vec<Identity>),
    Slot {
        slot: Slot,
        accepts: Vec<SlotContent>,
    },
    Firmware(Vec<FirmwareContent>),
    /// The position of its level among the watched ones.
    Level(usize),
    Edge {
        line: Arc<str>,
        edge: Edge,
    },
    Usb(UsbPresence),
    /// What has to agree of what the station sees.
    Mode {
        light: Option<(LedIndex, brickproof_light::Pattern)>,
        usb: Option<UsbPresence>,
    },
    Any(Vec<Look>),
}

impl Look {
    /// What has to be read through the probe for it.
    pub(crate) fn probed(&self) -> Vec<Probed> {
        match self {
            Self::Slot { slot, .. } => vec![Probed::Slot(*slot)],
            Self::Firmware(_) => vec![Probed::Firmware],
            Self::Any(looks) => looks.iter().flat_map(Self::probed).collect(),
            _ => Vec::new(),
        }
    }

    /// How long after it is there it is known at the latest.
    pub(crate) fn lag(&self) -> Span {
        match self {
            Self::Light(_, pattern) | Self::Mode { light: Some((_, pattern)), .. } => pattern.recognised_within(),
            Self::Any(looks) => looks.iter().map(Self::lag).max().unwrap_or_default(),
            _ => Span::ZERO,
        }
    }

    /// Whether the supply has to be read for it.
    pub(crate) fn needs_supply(&self) -> bool {
        match self {
            Self::Level(_) => true,
            Self::Any(looks) => looks.iter().any(Self::needs_supply),
            _ => false,
        }
    }
}

/// Something that is read through the probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probed {
    Slot(Slot),
    Firmware,
}

/// Prepares conditions; every console pattern of the plan goes into one matcher, once.
#[derive(Debug, Default)]
pub(crate) struct LookOut {
    matcher: Matcher,
    patterns: Vec<PatternId>,
    levels: Vec<Measured>,
}

/// A level and what has to be on the right side of it.
#[derive(Clone, Copy, Debug)]
enum Measured {
    Rail(Level<Voltage>),
    /// That the rail is below this once it has come up.
    Sag(Voltage),
    Current(Level<Current>),
}

/// What a condition is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It has to come.
    Wanted,
    /// It must not come.
    Forbidden,
}

impl LookOut {
    pub(crate) fn prepare(&mut self, condition: &Condition, purpose: Purpose) -> Look {
        match condition {
            Condition::Light { led, pattern, .. } => Look::Light(*led, *pattern),
            Condition::Console(pattern) => {
                self.patterns.push(self.matcher.add(pattern));
                Look::Console(self.patterns.len() - 1)
            }
            Condition::Identity(accepts) => Look::Identity(accepts.clone()),
            Condition::Slot { slot, accepts } => Look::Slot { slot: *slot, accepts: accepts.clone() },
            Condition::Firmware(accepts) => Look::Firmware(accepts.clone()),
            Condition::Rail { is: Level::Below(threshold), .. } if purpose == Purpose::Forbidden => {
                self.level(Measured::Sag(*threshold))
            }
            Condition::Rail { is, .. } => self.level(Measured::Rail(*is)),
            Condition::Current(is) => self.level(Measured::Current(*is)),
            Condition::Usb(usb) => Look::Usb(*usb),
            Condition::Mode { light, usb, .. } => {
                Look::Mode { light: light.as_ref().map(|(led, _, pattern)| (*led, *pattern)), usb: *usb }
            }
            Condition::Any(conditions) => Look::Any(conditions.iter().map(|it| self.prepare(it, purpose)).collect()),
        }
    }

    fn level(&mut self, level: Measured) -> Look {
        self.levels.push(level);
        Look::Level(self.levels.len() - 1)
    }

    /// What a step waits for or guards against, if it does.
    pub(crate) fn prepare_step(&mut self, action: &StepAction) -> Option<Look> {
        match action {
            StepAction::Expect(expectation) => Some(self.prepare(&expectation.condition, Purpose::Wanted)),
            StepAction::Never { condition, .. } => Some(self.prepare(condition, Purpose::Forbidden)),
            StepAction::Fault { trigger, .. } => match trigger.cause.as_ref()? {
                Cause::Seen(condition) => Some(self.prepare(condition, Purpose::Wanted)),
                Cause::Edge { line, edge } => Some(Look::Edge { line: line.as_str().into(), edge: *edge }),
                // The rig does it itself.
                Cause::Transferred { .. } => None,
            },
            StepAction::Measure(Measurement { what: Measurand::TimeUntil { condition, .. }, .. }) => {
                Some(self.prepare(condition, Purpose::Wanted))
            }
            _ => None,
        }
    }

    /// `sensors` are the board's lights that have one, each with its calibration; `minimum` is the least voltage with which the board works.
    pub(crate) fn open_eyes(
        self,
        board: &BoardProfile,
        sensors: impl IntoIterator<Item = (LedIndex, Calibration)>,
        minimum: Voltage,
    ) -> Eyes {
        Eyes {
            matches: self.patterns.into_iter().map(|id| (id, None)).collect(),
            matcher: self.matcher,
            lines: Lines::new(),
            kept: VecDeque::new(),
            heard_at: None,
            lights: Lights::new(board, sensors),
            slots: BTreeMap::new(),
            firmware: None,
            levels: self.levels.into_iter().map(|level| (level, None)).collect(),
            lowest: None,
            lowest_up: None,
            rail: Rail::new(minimum),
            edges: Vec::new(),
            usb: None,
            was_on_usb: false,
            signs: Signs::default(),
            handshakes: Handshakes::default(),
        }
    }
}

/// What a byte of the console brought.
pub(crate) struct Heard {
    /// The line it completed.
    pub(crate) line: Option<Line>,
    /// Whether it completed a match of any pattern.
    pub(crate) matched: bool,
}

/// What a station can see of a mode.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Signs {
    pub(crate) light: bool,
    pub(crate) usb: bool,
}

/// Everything that is visible of the board.
#[derive(Clone, Debug)]
pub(crate) struct Eyes {
    matcher: Matcher,
    /// The last match of each pattern.
    matches: Vec<(PatternId, Option<Instant>)>,
    lines: Lines,
    kept: VecDeque<Line>,
    heard_at: Option<Instant>,
    lights: Lights,
    slots: BTreeMap<Slot, (SlotContent, Instant)>,
    firmware: Option<(FirmwareContent, Instant)>,
    /// Each level, and since when every reading has been on the right side of it.
    levels: Vec<(Measured, Option<Instant>)>,
    /// The rail's lowest voltage in this step; `None` if it was not read.
    lowest: Option<Voltage>,
    /// The same since it had come up; `None` if it had not.
    lowest_up: Option<Voltage>,
    rail: Rail,
    edges: Vec<(Arc<str>, Edge, Instant)>,
    /// What the board is on USB, and since when; `None` as long as nobody looked.
    usb: Option<(UsbPresence, Instant)>,
    was_on_usb: bool,
    signs: Signs,
    handshakes: Handshakes,
}

impl Eyes {
    /// What happened before does not count for the step that begins and looks for `look`; what lasts does.
    pub(crate) fn begin_step(&mut self, now: Instant, look: Option<&Look>) {
        self.slots.clear();
        self.firmware = None;
        self.levels.iter_mut().for_each(|(_, since)| *since = None);
        (self.lowest, self.lowest_up) = (None, None);
        // The supply is not read twice at one instant.
        if let Some(reading) = self.rail.last().filter(|reading| reading.at == now) {
            self.look_at_levels(reading);
        }
        self.edges.clear();
        if let Some(look) = look {
            self.forget_matches(look);
        }
    }

    /// Instants do not tell what was printed before a step from what was printed in it: a whole chunk of bytes has one.
    fn forget_matches(&mut self, look: &Look) {
        match look {
            Look::Console(position) => self.matches[*position].1 = None,
            Look::Any(looks) => looks.iter().for_each(|it| self.forget_matches(it)),
            _ => {}
        }
    }

    pub(crate) fn cloud_is(&mut self, setting: CloudSetting) {
        self.handshakes.cloud_is(setting);
    }

    pub(crate) fn hear(&mut self, now: Instant, byte: u8) -> Heard {
        self.heard_at = Some(now);
        let mut matched = false;
        for found in self.matcher.feed(now, &[byte]) {
            if let Some((_, last)) = self.matches.iter_mut().find(|(id, _)| *id == found.pattern) {
                *last = Some(now);
                matched = true;
            }
        }
        let line = self.lines.push(now, &[byte]).pop();
        if let Some(line) = &line {
            if self.kept.len() == LINES_KEPT {
                self.kept.pop_front();
            }
            self.kept.push_back(line.clone());
        }
        Heard { line, matched }
    }

    /// The new sight, if the recogniser changed its mind.
    pub(crate) fn see_light(&mut self, glimpse: &Glimpse) -> Option<Sight> {
        self.lights.see(glimpse)
    }

    /// The board was switched, reset or struck: what its lights showed before says nothing about what they show now. Returns what can still
    /// be said where that is something else.
    pub(crate) fn distrust_lights(&mut self) -> Vec<(LedIndex, Sight)> {
        self.lights.begin_anew()
    }

    pub(crate) fn board_stopped_before(&mut self, at: Instant) {
        self.handshakes.forget_before(at);
    }

    pub(crate) fn forget_connection_before(&mut self, at: Instant) {
        self.handshakes.forget_connection_before(at);
    }

    pub(crate) fn see_edge(&mut self, line: &Arc<str>, edge: Edge, now: Instant) {
        self.edges.retain(|(name, direction, _)| (name, *direction) != (line, edge));
        self.edges.push((Arc::clone(line), edge, now));
    }

    pub(crate) fn see_usb(&mut self, now: Instant, usb: UsbPresence) {
        self.was_on_usb |= usb != UsbPresence::Gone;
        if self.usb.is_none_or(|(known, _)| known != usb) {
            self.usb = Some((usb, now));
        }
    }

    /// What the board is on USB, if somebody looks.
    pub(crate) fn usb(&self) -> Option<UsbPresence> {
        self.usb.map(|(usb, _)| usb)
    }

    /// Whether it was ever there: then its cable is.
    pub(crate) fn was_on_usb(&self) -> bool {
        self.was_on_usb
    }

    /// What the station says that it can see of a mode.
    pub(crate) fn rely_on(&mut self, signs: Signs) {
        self.signs = signs;
    }

    /// Since when each sign of a mode that the station can see has been there, if all are; `light` says it of the light. Without any there
    /// is none.
    fn agree(&self, light: Option<Option<Instant>>, usb: Option<UsbPresence>, from: Instant) -> Option<Instant> {
        let light = light.filter(|_| self.signs.light);
        let usb = usb.filter(|_| self.signs.usb).map(|usb| self.is_on_usb(usb, from));
        light.into_iter().chain(usb).reduce(|one, other| Some(one?.max(other?))).flatten()
    }

    fn is_on_usb(&self, wanted: UsbPresence, from: Instant) -> Option<Instant> {
        self.usb.filter(|(usb, _)| *usb == wanted).map(|(_, since)| since.max(from))
    }

    /// True if the board lost its power with this reading.
    pub(crate) fn see_supply(&mut self, reading: Reading) -> bool {
        let lost = self.rail.see(reading);
        self.look_at_levels(reading);
        lost
    }

    fn look_at_levels(&mut self, Reading { at, rail, current }: Reading) {
        let lower = |lowest: Option<Voltage>| Some(lowest.map_or(rail, |lowest| lowest.min(rail)));
        let has_come_up = self.rail.has_come_up();
        self.lowest = lower(self.lowest);
        if has_come_up {
            self.lowest_up = lower(self.lowest_up);
        }
        for (level, since) in &mut self.levels {
            let there = match level {
                Measured::Rail(level) => is_on_side(*level, rail),
                Measured::Sag(threshold) => has_come_up && rail < *threshold,
                Measured::Current(level) => is_on_side(*level, current),
            };
            *since = there.then(|| since.unwrap_or(at));
        }
    }

    pub(crate) fn rail(&self) -> &Rail {
        &self.rail
    }

    pub(crate) fn rail_mut(&mut self) -> &mut Rail {
        &mut self.rail
    }

    pub(crate) fn see_slot(&mut self, now: Instant, slot: Slot, content: SlotContent) {
        self.slots.insert(slot, (content, now));
    }

    pub(crate) fn identity_renewed(&mut self, new: Fingerprint) {
        self.handshakes.renewed(new);
    }

    pub(crate) fn see_firmware(&mut self, now: Instant, content: FirmwareContent) {
        self.firmware = Some((content, now));
    }

    pub(crate) fn firmware(&self) -> Option<&FirmwareContent> {
        self.firmware.as_ref().map(|(content, _)| content)
    }

    pub(crate) fn see_cloud(&mut self, now: Instant, event: &CloudEvent) {
        self.handshakes.see(now, event);
    }

    /// Whether `look` was visible at any time from `from` on, and since when.
    pub(crate) fn saw(&self, look: &Look, from: Instant) -> Option<Instant> {
        match look {
            Look::Light(led, pattern) => {
                Watcher::new(*pattern, from).latest(self.lights.recogniser(*led)?).map(|it| it.since)
            }
            Look::Mode { light, usb } => {
                let latest = |(led, pattern)| {
                    Watcher::new(pattern, from).latest(self.lights.recogniser(led)?).map(|it| it.since)
                };
                self.agree(light.map(latest), *usb, from)
            }
            Look::Any(looks) => looks.iter().filter_map(|it| self.saw(it, from)).min(),
            _ => self.sees(look, from),
        }
    }

    /// Whether `look` was visible at any time from `from` to `until`, even if that is known only later, and since when.
    pub(crate) fn saw_in(&self, look: &Look, from: Instant, until: Instant) -> Option<Instant> {
        self.in_time(look, until, &|look| self.saw(look, from))
    }

    /// Whether `look` is visible now and has been since an instant between `from` and `until`.
    pub(crate) fn sees_since(&self, look: &Look, from: Instant, until: Instant) -> Option<Instant> {
        self.in_time(look, until, &|look| self.sees(look, from))
    }

    fn in_time(&self, look: &Look, until: Instant, since: &impl Fn(&Look) -> Option<Instant>) -> Option<Instant> {
        match look {
            Look::Any(looks) => looks.iter().filter_map(|it| self.in_time(it, until, since)).min(),
            // What was asked for in time says what was there in time, whenever the answer comes.
            Look::Slot { .. } | Look::Firmware(_) => since(look),
            _ => since(look).filter(|since| *since <= until),
        }
    }

    /// Whether `look` is visible now, and since when; what was before `from` does not count.
    pub(crate) fn sees(&self, look: &Look, from: Instant) -> Option<Instant> {
        match look {
            Look::Light(led, pattern) => {
                Watcher::new(*pattern, from).now(self.lights.recogniser(*led)?).map(|it| it.since)
            }
            Look::Console(position) => self.matches[*position].1.filter(|at| *at >= from),
            Look::Identity(accepts) => {
                let accepted = |(identity, _): &(Identity, Instant)| accepts.contains(identity);
                self.handshakes.connected_as().filter(accepted).map(|(_, at)| at.max(from))
            }
            Look::Slot { slot, accepts } => {
                self.slots.get(slot).filter(|(content, _)| accepts.contains(content)).map(|(_, at)| *at)
            }
            Look::Firmware(accepts) => {
                self.firmware.as_ref().filter(|(content, _)| accepts.contains(content)).map(|(_, at)| *at)
            }
            Look::Level(position) => self.levels[*position].1,
            Look::Usb(usb) => self.is_on_usb(*usb, from),
            Look::Mode { light, usb } => {
                let now =
                    |(led, pattern)| Watcher::new(pattern, from).now(self.lights.recogniser(led)?).map(|it| it.since);
                self.agree(light.map(now), *usb, from)
            }
            Look::Edge { line, edge } => {
                let wanted = |seen: &&(Arc<str>, Edge, Instant)| seen.0 == *line && seen.1 == *edge && seen.2 >= from;
                self.edges.iter().find(wanted).map(|(_, _, at)| *at)
            }
            Look::Any(looks) => looks.iter().filter_map(|it| self.sees(it, from)).min(),
        }
    }

    pub(crate) fn heard_since(&self, from: Instant) -> bool {
        self.heard_at.is_some_and(|at| at >= from)
    }

    /// The rail's lowest voltage in this step, not counting its way up; `None` if it was not read.
    pub(crate) fn lowest_rail(&self) -> Option<Voltage> {
        self.lowest_up.or(self.lowest)
    }

    pub(crate) fn slot_content(&self, slot: Slot) -> Option<SlotContent> {
        self.slots.get(&slot).map(|(content, _)| *content)
    }

    pub(crate) fn handshakes(&self) -> &Handshakes {
        &self.handshakes
    }

    /// The last console lines, oldest first.
    pub(crate) fn lines(&self) -> impl DoubleEndedIterator<Item = &Line> {
        self.kept.iter()
    }

    pub(crate) fn lights(&self) -> &Lights {
        &self.lights
    }

    /// The last seconds of the board's lights, a line each.
    pub(crate) fn light_in_words(&self) -> Vec<String> {
        self.lights.in_words()
    }
}

fn is_on_side<Q: PartialOrd>(level: Level<Q>, value: Q) -> bool {
    match level {
        Level::Above(threshold) => value > threshold,
        Level::Below(threshold) => value < threshold,
    }
}
