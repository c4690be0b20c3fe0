//! Whether a station can run a plan: what it lacks, which faults it cannot make, before anything is driven.
//!
//! Boundary: statements of drivers against demands of plans. Nothing is opened.

use std::fmt;

use brickproof_boards::{Held, LedIndex};
use brickproof_firmware::{KeyStore, KeysBehind};
use brickproof_instruments::{Capabilities, Kind, Settings};
use brickproof_scenario::plan::{
    Cause, CloudBehaviour, CloudSetting, Condition, Door, Entry, Fault, KeyWork, Need, Plan, StepAction, SupplySetting,
    Trigger, UsbPresence, Way,
};
use brickproof_units::{Span, Voltage};

use crate::bootloader;
use crate::cut::CARRIES;
use crate::file::{Driver, Station};
use crate::gateway;
use crate::ways;

/// Why a station cannot run a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// The line of the scenario that asks for it; `None` if every trial does.
    pub line: Option<usize>,
    /// What is asked for and why it cannot be had, in one sentence without a full stop.
    pub why: String,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.why),
            None => f.write_str(&self.why),
        }
    }
}

/// Everything that keeps `station` from running `plan`; nothing if it can. A virtual station can do all that a plan may contain.
pub fn unfit(plan: &Plan, station: &Station) -> Vec<Unfit> {
    let mut found = Found { station, plan, unfit: Vec::new() };
    if station.board.name != plan.board.name {
        found.report(None, format!("it has a {}, and the scenario is for a {}", station.board.name, plan.board.name));
        return found.unfit;
    }
    if station.instruments.values().any(|driver| matches!(driver, Driver::Virtual)) {
        return found.unfit;
    }
    found.needs();
    found.every_trial();
    for step in plan.steps.iter().chain(&plan.cleanup) {
        found.step(step.line, &step.action);
    }
    found.cloud(None, plan.cloud);
    found.unfit
}

/// What one instrument of a station offers.
pub(crate) fn offer(station: &Station, kind: Kind) -> Option<(Capabilities, &Settings)> {
    match station.instruments.get(&kind)? {
        Driver::Virtual => None,
        Driver::Real(factory, settings) => Some((factory.capabilities(settings), settings)),
    }
}

/// Whether keys are written, or looked at alone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Writes {
    Yes,
    No,
}

/// The lines of a station that are driven, or watched.
pub(crate) fn line_names(station: &Station, key: &str) -> Vec<String> {
    match offer(station, Kind::Lines) {
        // A program is asked for its lines by their names alone.
        Some((_, settings)) => {
            settings.lines(key).into_keys().chain(settings.texts("lines").unwrap_or_default()).collect()
        }
        None => Vec::new(),
    }
}

struct Found<'a> {
    station: &'a Station,
    plan: &'a Plan,
    unfit: Vec<Unfit>,
}

impl Found<'_> {
    fn report(&mut self, line: Option<usize>, why: impl Into<String>) {
        let unfit = Unfit { line, why: why.into() };
        if !self.unfit.contains(&unfit) {
            self.unfit.push(unfit);
        }
    }

    fn supply(&self) -> Option<(Capabilities, &'static str)> {
        let (capabilities, _) = offer(self.station, Kind::Supply)?;
        Some((capabilities, self.station.instruments.get(&Kind::Supply).map_or("", Driver::word)))
    }

    fn needs(&mut self) {
        let has = |kind: Kind| self.station.instruments.contains_key(&kind);
        let blind = self.plan.needs.iter().filter_map(|need| match need {
            Need::Light(led) if *led != LedIndex::FIRST && !self.station.lights.contains_key(led) => {
                self.plan.board.led(*led)
            }
            _ => None,
        });
        let blind: Vec<_> =
            blind.map(|led| format!("it has no sensor above the light `{}`, in `lights`", led.name)).collect();
        blind.into_iter().for_each(|why| self.report(None, why));
        let lacking: Vec<&str> = self
            .plan
            .needs
            .iter()
            .filter_map(|need| match need {
                Need::Console if !has(Kind::Console) => Some("it has no `console`"),
                Need::Light(LedIndex::FIRST) if !has(Kind::Light) => Some("it has no `light`"),
                Need::Lines if !has(Kind::Lines) => Some("it has no `lines`"),
                Need::Supply | Need::SupplyReading if !has(Kind::Supply) => Some("it has no `supply`"),
                Need::Usb if !ways::has_usb(self.station) => {
                    Some("it has no `dfu`, through which the USB of its board is watched")
                }
                // Of a gateway each step is asked what it wants.
                Need::Cloud if self.station.cloud.is_none() && !self.has_gateway() => {
                    Some("it has no `cloud`: nobody can tell with which identity the board connects, or misbehave on purpose")
                }
                Need::CellModel => {
                    Some("the cells of its flash are what they are: `fault.cells` chooses how those of a virtual board take a cut")
                }
                _ => None,
            })
            .collect();
        lacking.into_iter().for_each(|why| self.report(None, why));
    }

    /// What a trial takes whatever its plan says: a board with known content, and power that is watched.
    fn every_trial(&mut self) {
        if self.plan.leaves_the_board_alone() {
            // Nothing is written, and without a probe not even looked at.
        } else if !KeyStore::is_known_for(&self.station.board) {
            let board = &self.station.board.name;
            self.report(None, format!("firmware and keys of a {board} cannot be written yet: its profile has no key areas that the rig knows; `firmware: as_found` leaves both alone"));
        }
        if !self.plan.leaves_the_board_alone() && !self.station.instruments.contains_key(&Kind::Probe) {
            self.report(None, "it has no `probe`: firmware and keys are written through one before each trial");
        }
        match self.supply() {
            None => self.report(None, "it has no `supply`"),
            Some((capabilities, word)) if !capabilities.measures_voltage => self.report(
                None,
                format!(
                    "its supply ({word}) does not measure voltage: off could not be proven, and a board without power would be \
                     blamed for it"
                ),
            ),
            Some(_) => {}
        }
    }

    fn step(&mut self, line: usize, action: &StepAction) {
        let line = Some(line);
        match action {
            StepAction::Supply(setting) => self.source(line, *setting),
            StepAction::Reset { .. } => self.driven(line, "reset"),
            StepAction::Press { button, hold } => {
                self.driven(line, button);
                self.held(line, button, Held::WhileRunning, *hold);
            }
            StepAction::PressThroughReset { button, hold, .. } => {
                self.driven(line, "reset");
                self.driven(line, button);
                self.held(line, button, Held::ThroughReset, *hold);
            }
            StepAction::Enter(entry) => self.entry(line, entry),
            StepAction::Cloud(setting) => self.cloud(line, *setting),
            StepAction::Corrupt { through, .. } => self.door(line, *through, Writes::Yes),
            StepAction::Keys { work, through } => self.keys(line, work, *through),
            StepAction::Flash(transfer) => self.transfer(line, transfer.through),
            StepAction::Fault { trigger, fault } => {
                if let Some(Cause::Transferred { transfer, .. }) = &trigger.cause {
                    self.transfer(line, transfer.through);
                }
                if let Some(Cause::Edge { line: name, .. }) = &trigger.cause {
                    self.watched(line, name);
                }
                self.fault(line, trigger, fault);
            }
            StepAction::Expect(expectation) => self.seen(line, &expectation.condition),
            StepAction::Never { condition, .. } => self.seen(line, condition),
            _ => {}
        }
    }

    fn entry(&mut self, line: Option<usize>, entry: &Entry) {
        match (ways::way(self.station, entry), &entry.buttons) {
            (None, _) => self.report(line, ways::no_way(self.station, entry)),
            (Some(Way::Buttons), Some(buttons)) => self.held(line, &buttons.button, buttons.held, buttons.hold),
            _ => {}
        }
    }

    /// Whether nobody could take the press for another one: what was overheld has happened by the time that it is known.
    fn held(&mut self, line: Option<usize>, button: &str, held: Held, hold: Span) {
        let Some(uncertainty) = ways::too_vague(self.station, button, held, hold) else { return };
        let word = self.station.instruments.get(&Kind::Lines).map_or("", Driver::word);
        let why = format!(
            "its lines ({word}) are known to within {uncertainty} only, and holding `{button}` for {hold} could come to mean another \
             mode: say in the bench file how exact they are (`uncertainty`), or take others"
        );
        self.report(line, why);
    }

    /// Whether firmware can be written in the course of a trial. That there is a probe is told once.
    fn transfer(&mut self, line: Option<usize>, through: Door) {
        if through == Door::Dfu {
            if self.station.instruments.contains_key(&Kind::Dfu) {
                self.written_through_dfu(line);
            } else {
                self.report(line, "it has no `dfu` that firmware could be written through");
            }
        }
        if !KeyStore::is_known_for(&self.station.board) {
            let board = &self.station.board.name;
            self.report(
                line,
                format!("firmware of a {board} cannot be written yet: its profile has no key areas that the rig knows"),
            );
        }
    }

    fn seen(&mut self, line: Option<usize>, condition: &Condition) {
        match condition {
            Condition::Current(_) => {
                if let Some((Capabilities { measures_current: false, .. }, word)) = self.supply() {
                    self.report(line, format!("its supply ({word}) does not measure current"));
                }
            }
            Condition::Identity(_) if self.station.cloud.is_none() && self.has_gateway() => {
                self.report(line, "it has no `cloud`: a `firewall` cannot tell with which identity the board connects");
            }
            Condition::Slot { .. } => self.door(line, Door::usual(&self.station.board), Writes::No),
            Condition::Mode { mode, light: Some(_), usb: Some(UsbPresence::Dfu) } => {
                let sees_light = self.station.instruments.contains_key(&Kind::Light);
                if !sees_light && !ways::has_usb(self.station) {
                    self.report(
                        line,
                        format!("it has neither `light` nor `dfu`, so that nothing confirms mode {mode}"),
                    );
                }
            }
            Condition::Any(conditions) => conditions.iter().for_each(|it| self.seen(line, it)),
            _ => {}
        }
    }

    fn keys(&mut self, line: Option<usize>, work: &KeyWork, through: Door) {
        let Station { keys, cloud, .. } = self.station;
        let writes = match work {
            KeyWork::Save(_) | KeyWork::Verify(_) => Writes::No,
            KeyWork::Load(_) | KeyWork::NewIdentity | KeyWork::GenuineServer => Writes::Yes,
        };
        match work {
            KeyWork::NewIdentity if cloud.is_none() && keys.register.is_none() => self.report(
                line,
                "nobody would accept a new identity: it has no `cloud`, and its `keys` name no program that registers one (`register`)",
            ),
            KeyWork::GenuineServer if cloud.is_none() && keys.server.is_none() => {
                self.report(line, "nothing says which server is the genuine one: its `keys` name no `server`");
            }
            _ => {}
        }
        self.door(line, through, writes);
    }

    /// Whether the board's keys can be reached in that way.
    fn door(&mut self, line: Option<usize>, through: Door, writes: Writes) {
        let has = |kind: Kind| self.station.instruments.contains_key(&kind);
        match through {
            Door::Probe if !has(Kind::Probe) => {
                self.report(line, "it has no `probe` that its board's keys could be reached through");
            }
            Door::Dfu if !has(Kind::Dfu) => {
                self.report(line, "it has no `dfu` that its board's keys could be reached through");
            }
            _ => {
                if let Err(why) = KeysBehind::are_known(&self.station.board, through) {
                    self.report(line, why);
                }
                if (through, writes) == (Door::Dfu, Writes::Yes) {
                    self.written_through_dfu(line);
                }
            }
        }
    }

    fn written_through_dfu(&mut self, line: Option<usize>) {
        if !bootloader::knows_its_board(self.station) {
            self.report(line, "its `dfu` has no `serial`: nothing is written to a board that may be another one");
        }
    }

    /// Whether it can keep the board from a cloud of its own.
    fn has_gateway(&self) -> bool {
        self.station.instruments.contains_key(&Kind::Firewall)
    }

    fn cloud(&mut self, line: Option<usize>, setting: CloudSetting) {
        if self.station.cloud.is_some() {
            return;
        }
        if setting.latency != CloudSetting::USUAL_LATENCY {
            self.report(
                line,
                "it has no `cloud` whose `latency` could be chosen: that of the board's own is what it is",
            );
        }
        if setting.behaviour == CloudBehaviour::Genuine {
            return;
        }
        if !self.has_gateway() {
            return self.report(line, "it has no `cloud` that could misbehave on purpose");
        }
        match gateway::flow_of(&self.station.board) {
            None => {
                let board = &self.station.board.name;
                let why =
                    format!("its `firewall` does not know what goes to the cloud: the profile of {board} names none");
                self.report(line, why);
            }
            Some(flow) if gateway::blocks(setting.behaviour, flow).is_none() => {
                self.report(line, "its `firewall` cannot be the wrong cloud: that takes a `cloud` of the rig's own");
            }
            Some(_) => {}
        }
    }

    fn line_names(&self, key: &str) -> Vec<String> {
        line_names(self.station, key)
    }

    fn driven(&mut self, line: Option<usize>, name: &str) {
        if !self.line_names("drive").iter().any(|known| known == name) {
            self.report(line, format!("it does not drive `{name}`: the bench file has no such line in `lines.drive`"));
        }
    }

    fn watched(&mut self, line: Option<usize>, name: &str) {
        if !self.line_names("watch").iter().any(|known| known == name) {
            self.report(line, format!("it does not watch `{name}`: the bench file has no such line in `lines.watch`"));
        }
    }

    fn source(&mut self, line: Option<usize>, setting: SupplySetting) {
        let Some((capabilities, word)) = self.supply() else { return };
        let (voltage, limit) = match setting {
            SupplySetting::Off => return,
            SupplySetting::Battery { .. } => {
                return self
                    .report(line, format!("its supply ({word}) cannot behave like a battery cell; no driver can"));
            }
            SupplySetting::Usb { voltage } => (voltage, None),
            SupplySetting::Bench { voltage, current_limit } => (voltage, Some(current_limit)),
        };
        self.voltage(line, &capabilities, word, voltage);
        if let (Some(limit), Some(most)) = (limit, capabilities.current)
            && limit > most
        {
            self.report(line, format!("its supply ({word}) gives no more than {most}, and {limit} is asked for"));
        }
        if let (Some(limit), None) = (limit, capabilities.current) {
            self.report(line, format!("its supply ({word}) has no current limit that could be set to {limit}"));
        }
    }

    fn voltage(&mut self, line: Option<usize>, capabilities: &Capabilities, word: &str, voltage: Voltage) {
        let Some(reach) = capabilities.voltage else {
            return self.report(line, format!("its supply ({word}) does not say which voltage it gives"));
        };
        if !reach.holds(voltage) {
            let gives = if reach.least == reach.most {
                format!("gives {}", reach.least)
            } else {
                format!("gives {} to {}", reach.least, reach.most)
            };
            self.report(line, format!("its supply ({word}) {gives}, and {voltage} is asked for"));
        }
    }

    fn fault(&mut self, line: Option<usize>, trigger: &Trigger, fault: &Fault) {
        let Some((capabilities, word)) = self.supply() else { return };
        match fault {
            Fault::PowerCut { hold } => self.cut(line, &capabilities, word, trigger, *hold),
            Fault::BrownOut { floor, fall, .. } => match capabilities.fall {
                Some(reach) if reach.holds(*fall) => {}
                Some(reach) => self.report(
                    line,
                    format!("its supply ({word}) falls by {} to {}, and {fall} is asked for", reach.least, reach.most),
                ),
                None => self.report(
                    line,
                    format!(
                        "its supply ({word}) cannot make a brown-out: it has no say in how fast the rail falls, nor that it \
                         stays at {floor}; a `power_cut` it can make{}",
                        if capabilities.cut.is_some() { "" } else { " neither" }
                    ),
                ),
            },
            Fault::LoadStep { .. } => {
                self.report(line, format!("its supply ({word}) cannot draw a load: no driver of the rig does"));
            }
        }
    }

    fn cut(
        &mut self,
        line: Option<usize>,
        capabilities: &Capabilities,
        word: &str,
        trigger: &Trigger,
        hold: Option<Span>,
    ) {
        let Some(shortest) = capabilities.cut else {
            return self.report(line, format!("its supply ({word}) does not cut the power"));
        };
        if let Some(hold) = hold.filter(|hold| *hold < shortest) {
            let why = format!("its supply ({word}) cuts the power for {shortest} at least, and {hold} is asked for");
            self.report(line, why);
        }
        if let Some(hold) = hold.filter(|hold| *hold < CARRIES) {
            let why = format!(
                "its supply ({word}) sees the board's input and not what is left behind it: after a cut of {hold} nothing would tell \
                 whether the board stopped, after {CARRIES} or more it has"
            );
            self.report(line, why);
        }
        let latency = capabilities.timing.latency;
        // Without `after` the cut is to come as soon as it can.
        if trigger.after > Span::ZERO && trigger.after < latency {
            let why = format!(
                "its supply ({word}) acts {latency} after it was asked, and the cut is to come {} after its trigger",
                trigger.after
            );
            self.report(line, why);
        }
        let uncertainty = capabilities.timing.uncertainty;
        if let Some(tolerance) = trigger.tolerance.filter(|tolerance| *tolerance < uncertainty) {
            let why = format!(
                "its supply ({word}) cannot tell when it acts more exactly than within {uncertainty}, and {tolerance} is all that is \
                 tolerated: every trial would be discarded"
            );
            self.report(line, why);
        }
    }
}
