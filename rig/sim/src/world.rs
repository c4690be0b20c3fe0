//! The world of one trial: a virtual board with its supply, colour sensors above its lights, a cloud at the other end of its console.
//!
//! Boundary: it does what it is asked and reports what it sees, each thing at its instant; it decides nothing. Whatever it has to do
//! later stands in its agenda, in the order in which it was put there.

mod bootloader;
mod keys;
mod story;
mod transfer;
mod usb;

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use brickproof_boards::{ActiveLevel, BoardProfile, LedIndex};
use brickproof_cloud::{Behaviour, Cloud, CloudConfig, CloudEvent};
use brickproof_console::Lines;
use brickproof_firmware::{Firmware, KeyRing, KeyStore, Memory as _, PUBLISHED};
use brickproof_keys::Fingerprint;
use brickproof_scenario::plan::{
    CellCondition, CellModel, CloudBehaviour, CloudSetting, Door, Edge, Fault, Need, Plan, SupplySetting, UsbPresence,
};
use brickproof_trial::{
    Achieved, Action, ActionId, Command, CommandError, Glimpse, Injection, Observation, ShapeAchieved,
};
use brickproof_units::{Instant, Span, Voltage};
use brickproof_virtual_board::board::{Board, BoardState, Pause, PauseOn, Records};
use brickproof_virtual_board::chip::{Drive, Level, Pin};
use brickproof_virtual_board::flash::{Cells, Flash};
use brickproof_virtual_board::led::Led;
use brickproof_virtual_board::sensor::SensorHead;
use brickproof_virtual_board::supply::{self, Battery, BrownOut, FaultId, Passage, Source};
use brickproof_virtual_board::wiring::{CABLE, Wiring};

pub use brickproof_virtual_board::chip::UartTiming;
pub use story::Story;

use crate::board::config_of;
use crate::cuts::cells_of;
use crate::lamp::Lamp;
use crate::memory::{InFlash, WhatDiffers, board_with, failed};
use crate::sensor;

use bootloader::Session;
use keys::KeysThere;
use usb::{Asking, Host};

/// How often a board whose source was unplugged is looked at until it is dark.
const DARK_CHECK: Span = Span::millis(1);
/// No capacitor keeps a rail up for longer; assumed.
const DARK_WITHIN: Span = Span::secs(60);
/// A rail below this is off: no transistor of the parts conducts there; assumed.
const DARK: Voltage = Voltage::new(500_000);

/// What may differ between worlds for the same plan.
#[derive(Clone, Copy, Debug)]
pub struct WorldConfig {
    /// Decides everything that is left to chance. Seeds that differ in their upper half alone have the same past up to the first harm, a
    /// fault or a damaged key, and chance decides anew from there on: so thousands of trials share one beginning, and a seed still names each of them.
    pub seed: u64,
    /// How flash takes a cut, where the plan does not say.
    pub cells: Cells,
    /// Whether console bytes take time.
    pub uart: UartTiming,
    /// Whether the board keeps a record of its flash operations.
    pub records: Records,
}

impl WorldConfig {
    /// What trials run on: fractional cells, and a console that takes its time.
    pub fn new(seed: u64) -> Self {
        // What is to be known of a trial is in its timeline.
        Self { seed, cells: Cells::default(), uart: UartTiming::default(), records: Records::Dropped }
    }

    /// What decides up to the first fault.
    pub(crate) fn early_seed(&self) -> u64 {
        early(self.seed)
    }
}

/// The half of a seed that decides from the beginning.
fn early(seed: u64) -> u64 {
    seed & u64::from(u32::MAX)
}

/// What stands in the agenda.
#[derive(Clone, Debug)]
enum Due {
    Answer(ActionId, Result<Achieved, CommandError>),
    ReleaseReset(ActionId),
    /// RESET goes up, and what was asked for is not over.
    LetGoOfReset,
    ReleaseButton(Pin, ActionId, Achieved),
    CloudLine(Arc<[u8]>),
    Unplug(ActionId),
    LookWhetherDark {
        id: ActionId,
        unplugged: Unplugged,
    },
    SupplyReading,
    /// The host has enumerated the board, if that did not go away since.
    Enumerated {
        edge: u64,
    },
    /// The board is asked for a mode, as soon as it is on USB.
    AskForMode(Box<Asking>),
    /// Whether the firmware has served what it was asked.
    LookWhetherServed(Box<Asking>),
    /// Something that is done through the bootloader goes on.
    ThroughDfu(Box<Session>),
    Transfer,
}

/// A board whose source was taken away.
#[derive(Clone, Copy, Debug)]
enum Unplugged {
    /// By a step.
    ByOrder,
    /// By a fault, at `at`; since `stopped` the chip does not run.
    AsFault { at: Instant, stopped: Option<Instant> },
}

/// A line of the board that a scenario may watch.
#[derive(Clone, Debug)]
struct WatchedLine {
    pin: Pin,
    name: Arc<str>,
}

/// The lights that a trial of that plan has sensors above: the first one, whether or not the plan asks for it.
pub(crate) fn lights_of(plan: &Plan) -> impl Iterator<Item = LedIndex> {
    let others = plan.needs.iter().filter_map(|need| match need {
        Need::Light(led) if *led != LedIndex::FIRST => Some(*led),
        _ => None,
    });
    std::iter::once(LedIndex::FIRST).chain(others)
}

/// Everything around a trial.
#[derive(Clone, Debug)]
pub struct World {
    now: Instant,
    board: Board,
    store: KeyStore,
    profile: Arc<BoardProfile>,
    /// What the plan writes or looks for.
    images: Arc<[Firmware]>,
    transfer: Option<transfer::Transfer>,
    seed: u64,
    /// Where a plan does not say.
    usual_cells: Cells,
    /// Whether chance was left to the whole seed.
    reseeded: bool,
    led: Led,
    wiring: Wiring,
    /// There whether or not the plan asks for a light: a failure tells what the light was.
    sensor: SensorHead,
    /// The other lights that the plan asks for.
    lamps: Vec<Lamp>,
    watched: Arc<[WatchedLine]>,
    buttons: Arc<[(Arc<str>, Pin, Level)]>,
    cloud: Cloud,
    cloud_lines: Lines,
    /// The identity that the cloud handed out.
    issued: Option<Fingerprint>,
    /// Those that the rig gave it.
    renewed: Vec<Fingerprint>,
    ring: KeyRing,
    agenda: BTreeMap<(Instant, u64), Due>,
    entries: u64,
    /// When the supply was last read: it is not read twice at one instant.
    read_at: Option<Instant>,
    reading_every: Option<Span>,
    /// Whether the next reading stands in the agenda already: readings that stop and begin again must not come twice.
    reading_planned: bool,
    injected: Vec<(FaultId, ActionId)>,
    host: Host,
    /// Whether a USB port feeds the board, whose data lines come with it.
    fed_by_port: bool,
    seen: VecDeque<(Instant, Observation)>,
}

impl World {
    /// A station with the board of `plan`, not yet provisioned and without power.
    pub fn new(plan: &Plan, firmware: &Firmware, config: WorldConfig) -> Self {
        let profile = &plan.board;
        let usual_cells = config.cells;
        let config = WorldConfig { cells: plan.cells.map_or(config.cells, cells_of), ..config };
        let (mut board_config, wiring) = config_of(profile, config);
        let lamps: Vec<_> = lights_of(plan)
            .filter(|led| *led != LedIndex::FIRST)
            .filter_map(|led| Lamp::of(profile, led, config.early_seed()))
            .collect();
        for wired in lamps.iter().flat_map(Lamp::wired) {
            // A diode may hang on a line that is wired anyway.
            if board_config.pins.iter().all(|known| known.pin != wired.pin) {
                board_config.pins.push(wired);
            }
        }
        let mut board = board_with(firmware, board_config).expect("the caller has checked that the image fits");
        board.pause_on(PauseOn::ConsoleByte);
        let level = |active: ActiveLevel| match active {
            ActiveLevel::High => Level::High,
            ActiveLevel::Low => Level::Low,
        };
        let button = |line: &brickproof_boards::Line| {
            Some((Arc::from(line.name.as_str()), line.pin.parse().ok()?, level(line.active)))
        };
        let watched = |line: &brickproof_boards::Line| {
            Some(WatchedLine { pin: line.pin.parse().ok()?, name: line.name.as_str().into() })
        };
        Self {
            now: Instant::START,
            board,
            profile: Arc::clone(profile),
            images: images(plan, firmware),
            transfer: None,
            store: KeyStore::of(profile, firmware).expect("a board that is emulated keeps its keys as lantern does"),
            seed: config.seed,
            usual_cells,
            reseeded: false,
            led: Led::new(),
            wiring,
            sensor: sensor::head(config.early_seed()),
            lamps,
            watched: profile.lines.iter().filter_map(watched).collect(),
            buttons: profile.buttons.iter().filter_map(button).collect(),
            cloud: Cloud::new(CloudConfig {
                behaviour: behaviour(plan.cloud.behaviour),
                latency: plan.cloud.latency,
                devices: vec![PUBLISHED.device_old.clone()],
                server: PUBLISHED.server.clone(),
                address: PUBLISHED.address.clone(),
                next_device_keys: vec![PUBLISHED.device_new.clone()],
                seed: config.early_seed(),
            }),
            cloud_lines: Lines::new(),
            issued: None,
            renewed: Vec::new(),
            ring: KeyRing::default(),
            agenda: BTreeMap::new(),
            entries: 0,
            read_at: None,
            reading_every: None,
            reading_planned: false,
            injected: Vec::new(),
            host: Host::of(profile),
            fed_by_port: false,
            seen: profile.usb.map(|_| (Instant::START, Observation::Usb(UsbPresence::Gone))).into_iter().collect(),
        }
    }

    /// The same station with a board that had trials before, of which this is the flash. Of the firmware only what differs is written.
    pub fn on_a_used_board(plan: &Plan, firmware: &Firmware, config: WorldConfig, flash: Flash) -> Self {
        let mut world = Self::new(plan, firmware, config);
        world.board.take_flash(flash);
        let first = world.board.flash().geometry().base;
        let mut memory = WhatDiffers(&mut world.board);
        let written = firmware.pieces(first).try_for_each(|(address, bytes)| memory.write(address, bytes));
        written.expect("the caller has checked that the image fits");
        world
    }

    /// What is left of the board once it is without power.
    pub fn into_flash(mut self) -> Flash {
        self.board.connect(Source::None);
        let end = self.now + DARK_WITHIN;
        while self.board.rail() >= DARK && self.now < end {
            self.now += DARK_CHECK;
            while !matches!(self.board.run_until(self.now), Pause::Reached | Pause::PowerCut | Pause::Quiet) {
                self.board.drain_rail_passages().for_each(drop);
            }
        }
        self.board.flash().clone()
    }

    /// The instant up to which everything has happened.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The board, to be looked at.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// The board, to be aimed at.
    pub fn board_mut(&mut self) -> &mut Board {
        &mut self.board
    }

    /// Begins what is asked for; the answer comes as an observation.
    pub fn carry_out(&mut self, action: Action) {
        let Action { id, command } = action;
        let done = match command {
            Command::Provision => self.provision(),
            Command::Supply(setting) => {
                self.plug(source(setting));
                if setting == SupplySetting::Off {
                    return self.put(self.now, Due::LookWhetherDark { id, unplugged: Unplugged::ByOrder });
                }
                Ok(Achieved::Done)
            }
            Command::Send(text) => {
                let arrived = self.type_line(text.as_bytes());
                return self.put(arrived, Due::Answer(id, Ok(Achieved::Done)));
            }
            Command::Reset { hold } => {
                self.board.press_reset();
                return self.put(self.now + hold, Due::ReleaseReset(id));
            }
            Command::Press { button, hold } => match self.press(&button) {
                Ok(pin) => return self.put(self.now + hold, Due::ReleaseButton(pin, id, held(hold))),
                Err(error) => Err(error),
            },
            Command::PressThroughReset { button, reset, hold } => match self.press(&button) {
                Ok(pin) => {
                    self.board.press_reset();
                    self.put(self.now + reset, Due::LetGoOfReset);
                    return self.put(self.now + reset + hold, Due::ReleaseButton(pin, id, held(hold)));
                }
                Err(error) => Err(error),
            },
            Command::Enter(entry) => match self.enter(id, entry) {
                Ok(()) => return,
                Err(error) => Err(error),
            },
            Command::Cloud(setting) => {
                self.set_cloud(setting);
                Ok(Achieved::Done)
            }
            Command::Corrupt { slot, class, part, through: Door::Probe } => {
                self.leave_to_the_whole_seed();
                let memory = &mut InFlash(&mut self.board);
                self.store.corrupt(memory, slot, class, part, self.seed).map(Achieved::Changed).map_err(failed)
            }
            Command::Keys { work, through: Door::Probe } => self.work_on_keys(&work),
            Command::Corrupt { slot, class, part, through: Door::Dfu } => {
                return self.through_dfu(id, KeysThere::Corrupt { slot, class, part });
            }
            Command::Keys { work, through: Door::Dfu } => return self.through_dfu(id, KeysThere::Work(work)),
            Command::ReadSlot { slot } => self.read_slot(slot),
            Command::ReadFirmware => self.read_firmware(),
            Command::Flash { transfer, tell_at } => match self.begin_transfer(id, &transfer, tell_at) {
                Ok(()) => return,
                Err(error) => Err(error),
            },
            Command::Inject(injection) => return self.inject(id, &injection),
            Command::WatchRail { minimum } => {
                self.read_supply_now();
                self.board.watch_rail(Some(minimum));
                Ok(Achieved::Done)
            }
            Command::ReadSupply { every } => {
                self.read_supply(every);
                Ok(Achieved::Done)
            }
            Command::MakeSafe => {
                self.make_safe();
                Ok(Achieved::Done)
            }
        };
        self.put(self.now, Due::Answer(id, done));
    }

    fn put(&mut self, at: Instant, due: Due) {
        self.agenda.insert((at.max(self.now), self.entries), due);
        self.entries += 1;
    }

    fn provision(&mut self) -> Result<Achieved, CommandError> {
        self.store.provision(&mut WhatDiffers(&mut self.board)).map(|()| Achieved::Done).map_err(failed)
    }

    /// Sends a line and its end to the console; answers when the last bit has arrived.
    fn type_line(&mut self, text: &[u8]) -> Instant {
        let send = |arrived: Instant, byte: &u8| self.board.console_input(arrived, *byte);
        text.iter().chain(b"\n").fold(self.now, send)
    }

    fn press(&mut self, name: &str) -> Result<Pin, CommandError> {
        let button = self.buttons.iter().find(|(known, _, _)| **known == *name);
        let Some((_, pin, level)) = button else {
            return Err(CommandError::Unsupported {
                instrument: "the board".into(),
                asked: format!("press {name}").into(),
            });
        };
        self.board.set_pin(*pin, *level);
        Ok(*pin)
    }

    fn set_cloud(&mut self, setting: CloudSetting) {
        self.cloud.set_behaviour(behaviour(setting.behaviour));
        self.cloud.set_latency(setting.latency);
    }

    fn inject(&mut self, id: ActionId, injection: &Injection) {
        self.leave_to_the_whole_seed();
        let fault = match &injection.fault {
            Fault::BrownOut { floor, fall, hold, rise, .. } => supply::Fault::BrownOut(BrownOut {
                rail: supply::Rail::Logic,
                floor: *floor,
                fall: *fall,
                hold: *hold,
                rise: *rise,
                bump: None,
            }),
            Fault::PowerCut { hold: Some(hold) } => supply::Fault::Interrupt(*hold),
            Fault::PowerCut { hold: None } => return self.put(injection.at, Due::Unplug(id)),
            Fault::LoadStep { current, hold, .. } => supply::Fault::ExtraLoad(*current, *hold),
        };
        let fault = self.board.inject(injection.at, fault);
        self.injected.push((fault, id));
    }

    fn leave_to_the_whole_seed(&mut self) {
        if self.seed != early(self.seed) && !self.reseeded {
            self.board.reseed(self.seed);
        }
        self.reseeded = true;
    }

    /// Has another seed decide from the first harm on. False if that was already, or the seeds differ in what was before it.
    pub(crate) fn take_seed(&mut self, seed: u64) -> bool {
        let can = !self.reseeded && early(seed) == early(self.seed);
        if can {
            self.seed = seed;
        }
        can
    }

    /// Has cells take what is to come as another model says. The past is the same: nothing was cut in it.
    pub(crate) fn take_cells(&mut self, model: Option<CellModel>) {
        self.board.set_cells(model.map_or(self.usual_cells, cells_of));
    }

    fn read_supply(&mut self, every: Option<Span>) {
        self.reading_every = every;
        if every.is_some() {
            self.read_supply_now();
        }
        self.plan_reading();
    }

    fn read_supply_now(&mut self) {
        if self.read_at.replace(self.now) != Some(self.now) {
            let reading = Observation::Supply { rail: self.board.rail(), current: self.board.current() };
            self.seen.push_back((self.now, reading));
        }
    }

    fn plan_reading(&mut self) {
        if let (Some(every), false) = (self.reading_every, self.reading_planned) {
            self.reading_planned = true;
            self.put(self.now + every, Due::SupplyReading);
        }
    }

    fn make_safe(&mut self) {
        self.transfer = None;
        self.plug(Source::None);
        self.board.release_reset();
        for (_, pin, _) in self.buttons.iter() {
            self.board.set_pin(*pin, Level::Floating);
        }
    }

    /// Lets time pass until something can be observed, at most until `limit`.
    pub fn run_until(&mut self, limit: Instant) {
        let agenda = self.agenda.first_key_value().map_or(Instant::NEVER, |((at, _), _)| *at);
        let samples = self.lamps.iter().map(Lamp::next_sample).chain([self.sensor.next_sample()]);
        let next = samples.fold(limit.min(agenda), Instant::min);
        if next <= self.now {
            return;
        }
        self.live_until(next);
    }

    /// Lets the board live until `next`, or until it says something.
    fn live_until(&mut self, next: Instant) {
        self.now = match self.board.run_until(next) {
            Pause::ConsoleByte(byte) => {
                self.hear(byte.at, byte.value);
                byte.at.max(self.now)
            }
            Pause::RailPassage(at) => at.max(self.now),
            Pause::Reached | Pause::ConsoleLine | Pause::PowerCut | Pause::Quiet => next,
        };
    }

    fn hear(&mut self, at: Instant, byte: u8) {
        self.seen.push_back((at, Observation::Console(Cow::Borrowed(one_byte(byte)))));
        for line in self.cloud_lines.push(at, &[byte]) {
            self.cloud.observe_line(at, &line.bytes);
        }
        while let Some((at, event)) = self.cloud.poll_event() {
            match &event {
                CloudEvent::KeyOffered { new, .. } => self.issued = Some(*new),
                CloudEvent::Rotated { new, .. } => self.ring.identity_changed(*new),
                _ => {}
            }
            self.seen.push_back((at, Observation::Cloud(event)));
        }
        while let Some((due, send)) = self.cloud.poll() {
            self.put(due, Due::CloudLine(send.bytes.into()));
        }
    }

    /// Hands over everything that can be observed by now, in order.
    pub fn deliver(&mut self, mut observe: impl FnMut(Instant, Observation)) {
        self.look_at_pins();
        self.look_at_usb();
        self.look_at_rail_passages();
        self.look_at_lights();
        self.look_at_faults();
        self.do_what_is_due();
        // Pin edges are collected up to now, and one may have come before the byte that is looked at. The sort keeps the order of equals.
        self.seen.make_contiguous().sort_by_key(|(at, _)| *at);
        for (at, observation) in self.seen.drain(..) {
            observe(at, observation);
        }
    }

    fn look_at_pins(&mut self) {
        for edge in self.board.drain_pin_edges() {
            self.lamps.iter_mut().for_each(|lamp| lamp.follow(&edge));
            if self.wiring.shine(&mut self.led, &edge).is_some() {
                continue;
            }
            if let Some(line) = self.watched.iter().find(|line| line.pin == edge.pin) {
                let direction = if edge.drive == Drive::High { Edge::Rising } else { Edge::Falling };
                let observation = Observation::Edge { line: Arc::clone(&line.name), edge: direction };
                self.seen.push_back((edge.at, observation));
            }
        }
    }

    fn look_at_rail_passages(&mut self) {
        for Passage { at, rail, current, .. } in self.board.drain_rail_passages() {
            self.read_at = Some(at);
            self.seen.push_back((at, Observation::Supply { rail, current }));
        }
    }

    fn look_at_lights(&mut self) {
        let others = self.lamps.iter_mut().filter_map(|lamp| lamp.glimpse(self.now));
        self.seen.extend(others.map(|glimpse| (glimpse.sample.at, Observation::Light(glimpse))));
        if self.sensor.next_sample() > self.now {
            return;
        }
        // The sensor was set up and is read only when a conversion has ended, so it answers.
        if let Ok(sample) = self.sensor.sample(&mut self.led) {
            let glimpse = Glimpse { led: LedIndex::FIRST, sample: sensor::as_seen(&sample) };
            self.seen.push_back((glimpse.sample.at, Observation::Light(glimpse)));
        }
    }

    fn look_at_faults(&mut self) {
        if self.injected.is_empty() {
            return;
        }
        for achieved in self.board.take_achieved() {
            let Some(position) = self.injected.iter().position(|(fault, _)| *fault == achieved.id) else { continue };
            let (_, id) = self.injected.remove(position);
            let shape = ShapeAchieved {
                began: achieved.start,
                uncertainty: Span::ZERO,
                lowest: achieved.floor,
                below_brown_out: achieved.below_brown_out,
            };
            let result = Ok(Achieved::Injected(shape));
            self.seen.push_back((self.now, Observation::Answered { id, result }));
        }
    }

    fn do_what_is_due(&mut self) {
        while let Some(entry) = self.agenda.first_entry() {
            if entry.key().0 > self.now {
                break;
            }
            let due = entry.remove();
            self.do_now(due);
        }
    }

    fn do_now(&mut self, due: Due) {
        match due {
            Due::Answer(id, result) => self.answer(id, result),
            Due::ReleaseReset(id) => {
                self.board.release_reset();
                self.answer(id, Ok(Achieved::Done));
            }
            Due::LetGoOfReset => self.board.release_reset(),
            Due::ReleaseButton(pin, id, achieved) => {
                self.board.set_pin(pin, Level::Floating);
                self.answer(id, Ok(achieved));
            }
            Due::CloudLine(bytes) => {
                let send = |arrived: Instant, byte: &u8| self.board.console_input(arrived, *byte);
                bytes.iter().fold(self.now, send);
            }
            Due::Unplug(id) => {
                self.plug(Source::None);
                let unplugged = Unplugged::AsFault { at: self.now, stopped: None };
                self.put(self.now, Due::LookWhetherDark { id, unplugged });
            }
            Due::Enumerated { edge } => self.enumerated(edge),
            Due::AskForMode(asking) => self.ask_for_mode(asking),
            Due::LookWhetherServed(asking) => self.look_whether_served(asking),
            Due::ThroughDfu(session) => self.go_on_through_dfu(session),
            Due::LookWhetherDark { id, unplugged } => self.look_whether_dark(id, unplugged),
            Due::Transfer => self.go_on_with_transfer(),
            Due::SupplyReading => {
                self.reading_planned = false;
                if self.reading_every.is_some() {
                    self.read_supply_now();
                }
                self.plan_reading();
            }
        }
    }

    /// Answers when the rail is measured to be off; until then looks again and again.
    fn look_whether_dark(&mut self, id: ActionId, unplugged: Unplugged) {
        let rail = self.board.rail();
        let unplugged = match unplugged {
            Unplugged::AsFault { at, stopped: None } if self.board.state() == BoardState::Off => {
                Unplugged::AsFault { at, stopped: Some(self.now) }
            }
            known => known,
        };
        if rail >= DARK {
            return self.put(self.now + DARK_CHECK, Due::LookWhetherDark { id, unplugged });
        }
        let achieved = match unplugged {
            Unplugged::ByOrder => Achieved::Done,
            Unplugged::AsFault { at: began, stopped } => {
                let below_brown_out = stopped.map_or(Span::ZERO, |stopped| self.now.since(stopped));
                Achieved::Injected(ShapeAchieved { began, uncertainty: Span::ZERO, lowest: rail, below_brown_out })
            }
        };
        self.answer(id, Ok(achieved));
    }

    fn answer(&mut self, id: ActionId, result: Result<Achieved, CommandError>) {
        self.seen.push_back((self.now, Observation::Answered { id, result }));
    }
}

/// A button that was held so long.
fn held(hold: Span) -> Achieved {
    Achieved::Held { hold, uncertainty: Span::ZERO }
}

/// Every firmware that the plan writes or names, as far as it is there. A whole flash that was read out is none: its keys change.
fn images(plan: &Plan, firmware: &Firmware) -> Arc<[Firmware]> {
    let known = plan.images().into_iter().filter_map(|name| firmware.known_as(&name.0, plan.board.flash.at.0));
    known.filter(|image| !image.is_as_found() && !image.is_not_written()).collect()
}

/// The byte as a chunk of one, without an allocation: a trial hears a thousand of them.
fn one_byte(byte: u8) -> &'static [u8] {
    static EVERY: [u8; 256] = {
        let mut every = [0; 256];
        let mut value = 0;
        while value < every.len() {
            every[value] = value as u8;
            value += 1;
        }
        every
    };
    std::slice::from_ref(&EVERY[usize::from(byte)])
}

fn behaviour(behaviour: CloudBehaviour) -> Behaviour {
    match behaviour {
        CloudBehaviour::Genuine => Behaviour::Genuine,
        CloudBehaviour::Silent => Behaviour::Silent,
        CloudBehaviour::Wrong => Behaviour::Wrong { server: PUBLISHED.server_other.clone() },
        CloudBehaviour::Unreachable => Behaviour::Unreachable,
    }
}

fn source(setting: SupplySetting) -> Source {
    match setting {
        SupplySetting::Off => Source::None,
        SupplySetting::Usb { voltage } => Source::Usb { voltage, cable: CABLE },
        SupplySetting::Bench { voltage, current_limit } => Source::Bench { voltage, current_limit },
        SupplySetting::Battery { cell, charge, condition } => Source::Battery(match condition {
            CellCondition::Fresh => Battery::fresh(cell, charge),
            CellCondition::Aged => Battery::aged(cell, charge),
        }),
    }
}
