//! A station without devices: the instruments of a test, over one virtual board in wall-clock time. Each can be told to fail.
//!
//! Boundary: what the bench driver would meet on a real station. What it makes of it is for the tests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use brickproof_bench::OpenStation;
use brickproof_bench::driver::{Job, Outcome, Stop, run};
use brickproof_bench::file::{self, Cloud, Identity, World};
use brickproof_bench::state::StateFolder;
use brickproof_firmware::Firmware;
use brickproof_instruments::{
    Arrival, Capabilities, Chunk, Console, Deadline, Drive, Edge, EdgeKind, Edges, Exposure, Factory, Failure,
    FailureKind, Instrument, Kind, Light, LineState, Lines, Moment, Output, Probe, Reach, Reading, Region, Setting,
    Settings, Supply, Switch, Timing, Touch, Value, now,
};
use brickproof_paced::board::{Button, Ear, Hand, Holder, PacedBoard};
use brickproof_paced::news::News;
use brickproof_scenario::plan::Plan;
use brickproof_scenario::{Library, load};
use brickproof_units::{Current, Instant, Span, Voltage};
use brickproof_virtual_board::board::{Board, BoardConfig, Records};
use brickproof_virtual_board::chip::{self, Chip, Pin};
use brickproof_virtual_board::supply::Source;
use brickproof_virtual_board::wiring::Wiring;
use embedded_hal::i2c::{ErrorKind, ErrorType, I2c, Operation};
use tcs3472::Tcs3472;
use tokio::sync::watch;

/// Where the part keeps its unique id; see the board's profile.
const IDENTITY: u32 = 0x1000_0060;
/// The unique id of the model's board.
pub(crate) const SERIAL: [u8; 8] = [0x6c, 0x1f, 0x3a, 0x90, 0xd2, 0xe4, 0xb8, 0x57];
const MODE: Pin = Pin::p0(17);
const RADIO: Pin = Pin::p0(16);
/// A rail that a probe takes for a target's.
const ALIVE: Voltage = Voltage::new(1_800_000);

/// In which way an instrument fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// Its device is unplugged.
    Gone,
    /// It does not return.
    Hangs,
    /// It does everything this much later.
    Late(Duration),
    /// It answers with something else.
    Wrong,
}

/// When an instrument begins to fail.
#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
    /// When it is opened.
    Opened,
    /// So long after the source was switched on for the n-th time, counted from 1.
    Fed(usize, Duration),
}

/// What a probe needs before it reaches the board.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Deaf {
    #[default]
    No,
    UntilReset,
    UntilPowerCycle,
    ForGood,
}

#[derive(Default)]
struct State {
    voltage: Voltage,
    on: bool,
    /// Something else feeds the board, whatever the supply does.
    elsewhere: bool,
    /// What is left at its output when it was switched off goes away after so long.
    lingers: Span,
    off_since: Option<Instant>,
    asserted: BTreeSet<String>,
    /// Lines whose pins stay as they are.
    stuck: BTreeSet<String>,
    /// Something lies between the LED and its sensor.
    covered: bool,
    /// When the source was switched on.
    fed: Vec<Instant>,
    failing: BTreeMap<Kind, (How, When)>,
    deaf: Deaf,
    halted: bool,
    serial: Option<[u8; 8]>,
    written: Vec<(u32, usize)>,
}

impl State {
    fn is_safe(&self) -> bool {
        !self.on && self.asserted.is_empty()
    }
}

/// The board and what was driven.
pub(crate) struct Model {
    board: PacedBoard,
    state: Mutex<State>,
}

impl Model {
    fn new() -> Arc<Self> {
        let wiring = Wiring { light: [13, 14, 15].map(Pin::p0), modem: Some(RADIO) };
        let config = BoardConfig {
            source: Source::None,
            pins: wiring.pins(),
            records: Records::Dropped,
            ..BoardConfig::new(Chip::Nrf51822)
        };
        let board = Board::new(config, &[]).expect("nothing fits");
        let board = PacedBoard::start(board, wiring, 1).expect("there is a thread to be had");
        Arc::new(Self { board, state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn hand(&self) -> Hand {
        self.board.hand()
    }

    pub(crate) fn fails(&self, kind: Kind, how: How, when: When) {
        self.state().failing.insert(kind, (how, when));
    }

    pub(crate) fn works_again(&self, kind: Kind) {
        self.state().failing.remove(&kind);
    }

    pub(crate) fn probe_is_deaf(&self, deaf: Deaf) {
        self.state().deaf = deaf;
    }

    /// Another board sits there.
    pub(crate) fn is_another_board(&self, serial: [u8; 8]) {
        self.state().serial = Some(serial);
    }

    /// The pin of this line stays as it is.
    pub(crate) fn line_is_stuck(&self, line: &str) {
        self.state().stuck.insert(line.to_owned());
    }

    /// The sensor sees nothing any more.
    pub(crate) fn sensor_is_covered(&self) {
        self.state().covered = true;
    }

    /// A cable feeds the board, whatever the supply does.
    pub(crate) fn is_fed_from_elsewhere(&self) {
        self.state().elsewhere = true;
        self.feed();
    }

    /// What its capacitors hold takes so long to go.
    pub(crate) fn lingers(&self, span: Span) {
        self.state().lingers = span;
    }

    /// Whether the source is on.
    pub(crate) fn is_on(&self) -> bool {
        self.state().on
    }

    /// Whether the source is off and every line released.
    pub(crate) fn is_safe(&self) -> bool {
        self.state().is_safe()
    }

    pub(crate) fn asserted(&self) -> Vec<String> {
        self.state().asserted.iter().cloned().collect()
    }

    /// When the source was switched on for the n-th time, counted from 1.
    pub(crate) fn fed_at(&self, times: usize) -> Option<Instant> {
        self.state().fed.get(times - 1).copied()
    }

    /// How often the source was switched on.
    pub(crate) fn times_fed(&self) -> usize {
        self.state().fed.len()
    }

    /// Where the probe wrote, and how much.
    pub(crate) fn written(&self) -> Vec<(u32, usize)> {
        self.state().written.clone()
    }

    pub(crate) fn flash(&self, address: u32, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.hand().with_board(|board| board.flash().read_raw(address, &mut bytes)).expect("it is in flash");
        bytes
    }

    pub(crate) fn write_flash(&self, address: u32, bytes: &[u8]) {
        self.hand().with_board(|board| board.write_flash(address, bytes)).expect("it is in flash");
    }

    fn feed(&self) {
        let state = self.state();
        let volts = if state.elsewhere { Some(Voltage::new(5_000_000)) } else { state.on.then_some(state.voltage) };
        drop(state);
        self.hand().feed_from_usb(volts);
    }

    /// Fails as it was told to; whatever returns is to be done.
    fn obey(&self, kind: Kind, asked: &str) -> Result<(), Failure> {
        let state = self.state();
        let due = state.failing.get(&kind).filter(|(_, when)| match when {
            When::Opened => true,
            When::Fed(times, after) => {
                let after = Span::nanos(after.as_nanos() as u64);
                state.fed.get(times - 1).is_some_and(|at| now() >= *at + after)
            }
        });
        let how = due.map(|(how, _)| *how);
        drop(state);
        let failure = |kind_of| Err(Failure::new(format!("the model's {kind}"), asked, kind_of));
        match how {
            None => Ok(()),
            Some(How::Gone) => failure(FailureKind::Gone("it was unplugged".to_owned())),
            Some(How::Wrong) => failure(FailureKind::Answer("a picture of a cat".to_owned())),
            Some(How::Late(late)) => {
                thread::sleep(late);
                Ok(())
            }
            Some(How::Hangs) => loop {
                thread::park();
            },
        }
    }
}

struct Bay {
    kind: Kind,
    model: Arc<Model>,
}

impl Factory for Bay {
    fn driver(&self) -> &'static str {
        "model"
    }

    fn kind(&self) -> Kind {
        self.kind
    }

    fn about(&self) -> &'static str {
        "an instrument of the model station"
    }

    fn settings(&self) -> &'static [Setting] {
        &[]
    }

    fn capabilities(&self, _: &Settings) -> Capabilities {
        let timing = Timing { latency: Span::millis(1), uncertainty: Span::ZERO, source: "assumed" };
        match self.kind {
            Kind::Supply => Capabilities {
                voltage: Some(Reach { least: Voltage::new(0), most: Voltage::new(5_500_000) }),
                current: Some(Current::new(1_000_000)),
                cut: Some(Span::millis(1)),
                measures_voltage: true,
                measures_current: true,
                ..Capabilities::only(timing)
            },
            _ => Capabilities::only(timing),
        }
    }

    fn open(&self, _: &Settings, _: Deadline) -> Result<Instrument, Failure> {
        let model = Arc::clone(&self.model);
        {
            let opened_failing = matches!(model.state().failing.get(&self.kind), Some((_, When::Opened)));
            if opened_failing {
                model.obey(self.kind, "be opened")?;
            }
        }
        let hand = model.hand();
        Ok(match self.kind {
            Kind::Lines => {
                model.state().asserted.clear();
                hand.reset(Holder::Lines, Button::Released);
                hand.set_pin(MODE, chip::Level::Floating);
                Instrument::Lines(Box::new(ModelLines { model, edges: Some(()) }))
            }
            Kind::Console => {
                let (ear, news) = (hand.listen(), News::default());
                ear.tell(news.clone());
                Instrument::Console(Box::new(ModelConsole { model, ear, news }))
            }
            Kind::Supply => {
                model.state().on = false;
                model.feed();
                Instrument::Supply(Box::new(ModelSupply { model }))
            }
            Kind::Light => Instrument::Light(Box::new(ModelLight::new(model))),
            Kind::Probe => Instrument::Probe(Box::new(ModelProbe { model })),
            kind => {
                let missing = FailureKind::Missing("the model has none".to_owned());
                return Err(Failure::new(format!("the model's {kind}"), "be opened", missing));
            }
        })
    }
}

struct ModelLines {
    model: Arc<Model>,
    edges: Option<()>,
}

impl ModelLines {
    fn put(&self, line: &str, drive: Drive) {
        let hand = self.model.hand();
        let is_stuck = self.model.state().stuck.contains(line);
        match (line, drive) {
            _ if is_stuck => {}
            ("reset", Drive::Asserted) => hand.reset(Holder::Lines, Button::Pressed),
            ("reset", Drive::Released) => {
                let mut state = self.model.state();
                if state.deaf == Deaf::UntilReset {
                    state.deaf = Deaf::No;
                }
                drop(state);
                hand.reset(Holder::Lines, Button::Released);
            }
            (_, Drive::Asserted) => hand.set_pin(MODE, chip::Level::Low),
            (_, Drive::Released) => hand.set_pin(MODE, chip::Level::Floating),
        }
        let mut state = self.model.state();
        match drive {
            Drive::Asserted => state.asserted.insert(line.to_owned()),
            Drive::Released => state.asserted.remove(line),
        };
        drop(state);
    }
}

impl Lines for ModelLines {
    fn drive(&mut self, line: &str, drive: Drive, _: Deadline) -> Result<Moment, Failure> {
        self.model.obey(Kind::Lines, &format!("drive `{line}`"))?;
        Moment::of(|| {
            self.put(line, drive);
            Ok(())
        })
        .map(|((), moment)| moment)
    }

    fn read(&mut self, line: &str, _: Deadline) -> Result<LineState, Failure> {
        self.model.obey(Kind::Lines, &format!("read `{line}`"))?;
        let state = self.model.state();
        Ok(if state.asserted.contains(line) && !state.stuck.contains(line) {
            LineState::Active
        } else {
            LineState::Inactive
        })
    }

    fn edges(&mut self) -> Result<Option<Box<dyn Edges>>, Failure> {
        let model = Arc::clone(&self.model);
        Ok(self.edges.take().map(|()| Box::new(ModelEdges { model, last: None }) as Box<dyn Edges>))
    }

    fn make_safe(&mut self, _: Deadline) -> Result<(), Failure> {
        self.model.obey(Kind::Lines, "release all lines")?;
        for line in self.model.asserted() {
            self.put(&line, Drive::Released);
        }
        Ok(())
    }
}

struct ModelEdges {
    model: Arc<Model>,
    last: Option<chip::Drive>,
}

impl Edges for ModelEdges {
    fn next(&mut self, deadline: Deadline) -> Result<Option<Edge>, Failure> {
        let mut before = now();
        loop {
            self.model.obey(Kind::Lines, "wait for an edge")?;
            let drive = self.model.hand().drive(RADIO);
            let is_high = drive == chip::Drive::High;
            let was_high = self.last.replace(drive) == Some(chip::Drive::High);
            if is_high != was_high {
                let kind = if is_high { EdgeKind::Activated } else { EdgeKind::Deactivated };
                let moment = Moment::between(before, now());
                return Ok(Some(Edge { line: "radio".to_owned(), kind, moment }));
            }
            if deadline.has_passed() {
                return Ok(None);
            }
            before = now();
            thread::sleep(Duration::from_millis(2).min(deadline.left()));
        }
    }
}

struct ModelConsole {
    model: Arc<Model>,
    ear: Ear,
    news: News,
}

impl Console for ModelConsole {
    fn read(&mut self, deadline: Deadline) -> Result<Option<Chunk>, Failure> {
        loop {
            self.model.obey(Kind::Console, "read")?;
            let known = self.news.known();
            let bytes = self.ear.take(usize::MAX);
            if let Some(first) = bytes.first() {
                let at = now();
                let uncertainty = at.since(self.model.hand().in_kernel_time(first.at));
                let bytes = bytes.iter().map(|byte| byte.value).collect();
                return Ok(Some(Chunk { bytes, arrival: Arrival { at, uncertainty } }));
            }
            if deadline.has_passed() {
                return Ok(None);
            }
            self.news.wait(known, deadline.left());
        }
    }

    fn write(&mut self, bytes: &[u8], _: Deadline) -> Result<Moment, Failure> {
        self.model.obey(Kind::Console, "write")?;
        let hand = self.model.hand();
        Moment::of(|| Ok(hand.type_bytes(bytes))).map(|(_, moment)| moment)
    }

    fn touch(&mut self, _: Touch, _: Deadline) -> Result<Moment, Failure> {
        let kind = FailureKind::Unsupported("it has no modes".to_owned());
        Err(Failure::new("the model's console", "ask for a mode", kind))
    }
}

struct ModelSupply {
    model: Arc<Model>,
}

impl Supply for ModelSupply {
    fn device(&self) -> &str {
        "the model's supply"
    }

    fn set(&mut self, output: Output, _: Deadline) -> Result<(), Failure> {
        self.model.obey(Kind::Supply, "set its output")?;
        self.model.state().voltage = output.voltage;
        self.model.feed();
        Ok(())
    }

    fn switch(&mut self, switch: Switch, _: Deadline) -> Result<Moment, Failure> {
        self.model.obey(Kind::Supply, &format!("switch {switch:?}").to_lowercase())?;
        let ((), moment) = Moment::of(|| {
            {
                let mut state = self.model.state();
                let on = switch == Switch::On;
                if on && !std::mem::replace(&mut state.on, on) {
                    let at = now();
                    state.fed.push(at);
                    if state.deaf == Deaf::UntilPowerCycle && state.fed.len() > 1 {
                        state.deaf = Deaf::No;
                    }
                }
                state.off_since = if on { None } else { state.off_since.or_else(|| Some(now())) };
                state.on = on;
                // A chip without power has no debugger on it.
                if !on && std::mem::take(&mut state.halted) {
                    drop(state);
                    self.model.hand().reset(Holder::Probe, Button::Released);
                }
            }
            self.model.feed();
            Ok(())
        })?;
        Ok(moment)
    }

    fn measure(&mut self, _: Deadline) -> Result<Reading, Failure> {
        self.model.obey(Kind::Supply, "measure")?;
        let (reading, moment) = Moment::of(|| Ok(self.model.hand().read_supply()))?;
        let state = self.model.state();
        let lingers = state.off_since.is_some_and(|off| now().since(off) < state.lingers);
        let voltage = if lingers { state.voltage } else { reading.input };
        Ok(Reading { voltage: Some(voltage), current: Some(reading.current), moment })
    }
}

/// The board's sensor as a part on a bus.
struct Bus(Hand);

impl ErrorType for Bus {
    type Error = ErrorKind;
}

impl I2c for Bus {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), ErrorKind> {
        self.0.sensor(address, operations)
    }
}

struct ModelLight {
    model: Arc<Model>,
    sensor: Tcs3472<Bus>,
    steps: u64,
}

impl ModelLight {
    fn new(model: Arc<Model>) -> Self {
        let mut sensor = Tcs3472::new(Bus(model.hand()));
        sensor.set_rgbc_gain(tcs3472::RgbCGain::_4x).expect("the part is there");
        sensor.enable().expect("the part is there");
        Self { model, sensor, steps: 1 }
    }

    fn integration(&self) -> Span {
        Span::micros(2_400 * self.steps)
    }

    fn read(&mut self) -> Result<[u16; 4], tcs3472::Error<ErrorKind>> {
        self.sensor.disable_rgbc()?;
        self.sensor.enable_rgbc()?;
        while !self.sensor.is_rgbc_status_valid()? {
            thread::sleep(Duration::from_micros(300));
        }
        let counts = self.sensor.read_all_channels()?;
        Ok([counts.red, counts.green, counts.blue, counts.clear])
    }
}

impl Light for ModelLight {
    fn watch_for(&mut self, phase: Span, _: Deadline) -> Result<Span, Failure> {
        self.model.obey(Kind::Light, "choose its integration time")?;
        self.steps = (phase.as_nanos() / 4 / 2_560_000).saturating_sub(1).max(1);
        self.sensor.set_integration_cycles(self.steps as u16).expect("a number of steps that the part has");
        Ok(self.integration())
    }

    fn sample(&mut self, _: Deadline) -> Result<Exposure, Failure> {
        self.model.obey(Kind::Light, "see the light")?;
        let counts = self.read().map_err(|error| {
            Failure::new("the model's light", "see the light", FailureKind::Answer(format!("{error:?}")))
        })?;
        let counts = if self.model.state().covered { [1; 4] } else { counts };
        Ok(Exposure {
            counts,
            integration: self.integration(),
            end: Moment { at: now(), uncertainty: Span::millis(1) },
        })
    }
}

struct ModelProbe {
    model: Arc<Model>,
}

impl ModelProbe {
    /// Reaches the board, if it can be reached.
    fn reach(&self, asked: &str) -> Result<Hand, Failure> {
        self.model.obey(Kind::Probe, asked)?;
        let hand = self.model.hand();
        let failure = |what: &str| Failure::new("the model's probe", asked, FailureKind::Missing(what.to_owned()));
        if hand.read_supply().rail < ALIVE {
            return Err(failure("no target voltage"));
        }
        if self.model.state().deaf != Deaf::No {
            return Err(failure("no target answers"));
        }
        Ok(hand)
    }
}

impl Probe for ModelProbe {
    fn read(&mut self, region: Region, _: Deadline) -> Result<Vec<u8>, Failure> {
        let asked = format!("read {} bytes at {:#010x}", region.length, region.address);
        let hand = self.reach(&asked)?;
        if region.address == IDENTITY {
            return Ok(self.model.state().serial.unwrap_or(SERIAL).to_vec());
        }
        let mut bytes = vec![0; region.length as usize];
        hand.with_board(|board| board.flash().read_raw(region.address, &mut bytes))
            .map_err(|error| Failure::new("the model's probe", &asked, FailureKind::Answer(error.to_string())))?;
        Ok(bytes)
    }

    fn program(&mut self, address: u32, bytes: &[u8], _: Deadline) -> Result<(), Failure> {
        let asked = format!("program {} bytes at {address:#010x}", bytes.len());
        let hand = self.reach(&asked)?;
        self.model.state().halted = true;
        // A halted core does nothing, as one in reset.
        hand.reset(Holder::Probe, Button::Pressed);
        self.model.state().written.push((address, bytes.len()));
        hand.with_board(|board| board.write_flash(address, bytes))
            .map_err(|error| Failure::new("the model's probe", &asked, FailureKind::Answer(error.to_string())))
    }

    fn reset(&mut self, _: Deadline) -> Result<Moment, Failure> {
        let hand = self.reach("reset the board")?;
        self.model.state().halted = false;
        Moment::of(|| {
            hand.reset(Holder::Probe, Button::Pressed);
            hand.reset(Holder::Probe, Button::Released);
            Ok(())
        })
        .map(|((), moment)| moment)
    }

    fn detach(&mut self, _: Deadline) -> Result<(), Failure> {
        self.model.obey(Kind::Probe, "let go of the board")
    }
}

/// A model with its bench file and a folder for its state.
pub(crate) struct Rig {
    pub(crate) model: Arc<Model>,
    pub(crate) file: file::Station,
    pub(crate) state: StateFolder,
    pub(crate) folder: PathBuf,
    _folder: tempfile::TempDir,
}

/// Every instrument that the model has.
pub(crate) const KINDS: [Kind; 5] = [Kind::Lines, Kind::Console, Kind::Supply, Kind::Light, Kind::Probe];

impl Rig {
    pub(crate) fn new() -> Self {
        let model = Model::new();
        let folder = tempfile::tempdir().expect("there is room");
        let state = StateFolder::at(folder.path()).expect("it is there");
        let map = |lines: &[(&str, &str)]| {
            Value::LineMap(lines.iter().map(|(name, place)| ((*name).to_owned(), (*place).to_owned())).collect())
        };
        let lines = Settings::new()
            .with("drive", map(&[("reset", "17"), ("mode", "27")]))
            .with("watch", map(&[("radio", "23 active-high")]));
        let driver = |kind| {
            let factory: &'static dyn Factory = Box::leak(Box::new(Bay { kind, model: Arc::clone(&model) }));
            let settings = if kind == Kind::Lines { lines.clone() } else { Settings::new() };
            (kind, file::Driver::Real(factory, settings))
        };
        let file = file::Station {
            name: "desk".to_owned(),
            board: Arc::clone(Library::built_in().board("lantern-nrf51").expect("a profile that ships")),
            serial: Some(Identity::of(SERIAL.to_vec())),
            world: World::Lane,
            instruments: KINDS.into_iter().map(driver).collect(),
            lights: BTreeMap::new(),
            cloud: Some(Cloud::Console),
            keys: file::StationKeys::default(),
        };
        let path = folder.path().to_owned();
        Self { model, file, state, folder: path, _folder: folder }
    }

    pub(crate) async fn open(&self) -> Arc<OpenStation> {
        let (station, restored) = OpenStation::open("model", &self.file, &self.state).await.expect("it opens");
        assert_eq!(restored, None);
        station
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.folder.join("model.desk.journal")
    }

    /// Opens the station and runs one trial to its end.
    pub(crate) async fn run(&self, plan: Plan) -> Outcome {
        let station = self.open().await;
        run_on(&station, plan).await
    }
}

/// Runs a trial to its end.
pub(crate) async fn run_on(station: &Arc<OpenStation>, plan: Plan) -> Outcome {
    let (_keep, stop) = watch::channel(Stop::No);
    run(station, &job(plan), stop).await.expect("the journal can be written")
}

/// A trial with the firmware of its plan.
pub(crate) fn job(plan: Plan) -> Job {
    let firmware = if plan.leaves_the_board_alone() {
        Firmware::not_written()
    } else {
        Firmware::shipped(&plan.firmware.0).expect("an image that ships")
    };
    Job { plan: Arc::new(plan), firmware, seed: 1, name: "model.1-00000000".to_owned() }
}

/// The only cell of a scenario with this firmware and these lines behind the head.
pub(crate) fn scenario(release: &str, lines: &str) -> Plan {
    let text = format!("scenario: A trial on the model\nboard: lantern-nrf51\nfirmware: lantern-{release}\n{lines}");
    let loaded = load("model.yaml", text, &Library::built_in());
    let mut cells = loaded.unwrap_or_else(|mistakes| panic!("{}", mistakes.render(110))).cells;
    assert_eq!(cells.len(), 1);
    cells.remove(0)
}

/// The cell of a shipped scenario on the model's board with this release.
pub(crate) fn shipped(path: &str, release: &str) -> Plan {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    let text = std::fs::read_to_string(&path).expect("the scenario is shipped");
    let loaded = load("shipped.yaml", text, &Library::built_in()).expect("it has no mistakes");
    let firmware = format!("lantern-{release}");
    let mut cells = loaded.cells.into_iter().filter(|it| it.board.name == "lantern-nrf51" && it.firmware.0 == firmware);
    cells.next().expect("it has this release")
}

/// The verdict in one line.
pub(crate) fn verdict(outcome: &Outcome) -> String {
    let verdict = outcome.trial.verdict().expect("it is over");
    let blame = verdict.blame.map(|blame| format!(", blame: {blame}")).unwrap_or_default();
    format!("{}{blame}: {}", verdict.kind, verdict.reason)
}
