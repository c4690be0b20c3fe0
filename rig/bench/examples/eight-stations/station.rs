//! A station whose console is the real driver on a terminal of this computer's kernel; everything else answers as instruments do, in their
//! time, and does nothing but that.
//!
//! Boundary: what the bench meets. What the board says there comes from [`crate::generator`].

use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use brickproof_bench::file::{self, Cloud, Driver, World};
use brickproof_instruments::{
    Capabilities, Chunk, Console, Deadline, Drive, Edge, Edges, Exposure, Factory, Failure, FailureKind, Instrument,
    Kind, Light, LineState, Lines, Moment, Output, Probe, Reach, Reading, Region, Setting, Settings, Supply, Switch,
    Timing, Touch, Value, driver, now,
};
use brickproof_scenario::Library;
use brickproof_units::{Current, Instant, Span, Voltage};

use crate::generator::Power;

/// The sensor's step of integration, and its initialisation before each (data sheet DS000390, typical, as in the driver `tcs3472`).
const STEP: Span = Span::micros(2_400);
/// The driver waits a fifteenth longer than a conversion typically takes.
const TOLERANCE: u64 = 15;
/// Cyan, breathing: what a lantern shows that is connected.
const BREATH: Span = Span::secs(4);
const BRIGHTEST: f64 = 200.0;
const DARK: u16 = 3;
/// Code and UICR of an nRF51822, which a probe reads and writes.
const FLASH: usize = 256 * 1024;
const UICR: u32 = 0x1000_1000;

/// What became of one station.
pub(crate) struct Station {
    number: usize,
    power: Power,
    state: Mutex<State>,
    /// How often its source was switched on.
    fed: AtomicUsize,
    /// For how long the oldest bytes waited for the bench to take them, at the most, in nanoseconds.
    waited: AtomicU64,
}

#[derive(Default)]
struct State {
    voltage: Voltage,
    /// Since when it has power.
    on: Option<Instant>,
    flash: Vec<u8>,
    uicr: Vec<u8>,
}

impl Station {
    pub(crate) fn new(number: usize, power: Power) -> Arc<Self> {
        let state = State { flash: vec![0xff; FLASH], uicr: vec![0xff; 1024], ..State::default() };
        Arc::new(Self { number, power, state: Mutex::new(state), fed: AtomicUsize::new(0), waited: AtomicU64::new(0) })
    }

    pub(crate) fn times_fed(&self) -> usize {
        self.fed.load(Ordering::SeqCst)
    }

    pub(crate) fn waited(&self) -> Span {
        Span::nanos(self.waited.load(Ordering::SeqCst))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What would stand in a bench file.
    pub(crate) fn file(self: &Arc<Self>, terminal: &str) -> file::Station {
        let map = |name: &str, place: &str| Value::LineMap([(name.to_owned(), place.to_owned())].into());
        let bay = |kind, settings| {
            let factory: &'static dyn Factory = Box::leak(Box::new(Bay { kind, station: Arc::clone(self) }));
            (kind, Driver::Real(factory, settings))
        };
        let lines = Settings::new().with("drive", map("reset", "17")).with("watch", map("radio", "23 active-high"));
        let console = Settings::new().with("path", Value::Text(terminal.to_owned()));
        file::Station {
            name: format!("place-{}", self.number + 1),
            board: Arc::clone(Library::built_in().board("lantern-nrf51").expect("a profile that ships")),
            serial: None,
            world: World::Lane,
            instruments: [
                bay(Kind::Lines, lines),
                bay(Kind::Console, console),
                bay(Kind::Supply, Settings::new()),
                bay(Kind::Light, Settings::new()),
                bay(Kind::Probe, Settings::new()),
            ]
            .into(),
            lights: BTreeMap::new(),
            cloud: Some(Cloud::Console),
            keys: file::StationKeys::default(),
        }
    }
}

struct Bay {
    kind: Kind,
    station: Arc<Station>,
}

impl Factory for Bay {
    fn driver(&self) -> &'static str {
        if self.kind == Kind::Console { "serial" } else { "stand-in" }
    }

    fn kind(&self) -> Kind {
        self.kind
    }

    fn about(&self) -> &'static str {
        "an instrument of a station under load"
    }

    fn settings(&self) -> &'static [Setting] {
        &[]
    }

    fn capabilities(&self, _: &Settings) -> Capabilities {
        let timing = Timing { latency: Span::millis(1), uncertainty: Span::ZERO, source: "assumed" };
        Capabilities {
            voltage: Some(Reach { least: Voltage::new(0), most: Voltage::new(5_500_000) }),
            current: Some(Current::new(1_000_000)),
            measures_voltage: self.kind == Kind::Supply,
            measures_current: self.kind == Kind::Supply,
            ..Capabilities::only(timing)
        }
    }

    fn open(&self, settings: &Settings, deadline: Deadline) -> Result<Instrument, Failure> {
        let station = Arc::clone(&self.station);
        let missing = |what: &str| {
            Err(Failure::new(format!("the {}", self.kind), "be opened", FailureKind::Missing(what.to_owned())))
        };
        Ok(match self.kind {
            Kind::Lines => Instrument::Lines(Box::new(Still)),
            Kind::Supply => Instrument::Supply(Box::new(Source(station))),
            Kind::Light => Instrument::Light(Box::new(Sensor { station, steps: 1 })),
            Kind::Probe => Instrument::Probe(Box::new(Debugger(station))),
            Kind::Console => match driver(Kind::Console, "serial").map(|serial| serial.open(settings, deadline)) {
                Some(Ok(Instrument::Console(port))) => Instrument::Console(Box::new(Timed { port, station })),
                Some(Err(failure)) => return Err(failure),
                _ => return missing("no driver `serial`"),
            },
            _ => return missing("there is none"),
        })
    }
}

/// Lines that nothing happens on.
struct Still;

impl Lines for Still {
    fn drive(&mut self, _: &str, _: Drive, _: Deadline) -> Result<Moment, Failure> {
        Moment::of(|| Ok(())).map(|((), moment)| moment)
    }

    fn read(&mut self, _: &str, _: Deadline) -> Result<LineState, Failure> {
        Ok(LineState::Inactive)
    }

    fn edges(&mut self) -> Result<Option<Box<dyn Edges>>, Failure> {
        Ok(Some(Box::new(Self)))
    }

    fn make_safe(&mut self, _: Deadline) -> Result<(), Failure> {
        Ok(())
    }
}

impl Edges for Still {
    fn next(&mut self, deadline: Deadline) -> Result<Option<Edge>, Failure> {
        thread::sleep(deadline.left());
        Ok(None)
    }
}

/// The real port; notes how long bytes waited in it.
struct Timed {
    port: Box<dyn Console>,
    station: Arc<Station>,
}

impl Console for Timed {
    fn read(&mut self, deadline: Deadline) -> Result<Option<Chunk>, Failure> {
        let read = self.port.read(deadline)?;
        if let Some(chunk) = &read {
            self.station.waited.fetch_max(now().since(chunk.arrival.at).as_nanos(), Ordering::SeqCst);
        }
        Ok(read)
    }

    fn write(&mut self, bytes: &[u8], deadline: Deadline) -> Result<Moment, Failure> {
        self.port.write(bytes, deadline)
    }

    fn touch(&mut self, touch: Touch, deadline: Deadline) -> Result<Moment, Failure> {
        self.port.touch(touch, deadline)
    }
}

struct Source(Arc<Station>);

impl Supply for Source {
    fn device(&self) -> &str {
        "the source"
    }

    fn set(&mut self, output: Output, _: Deadline) -> Result<(), Failure> {
        self.0.state().voltage = output.voltage;
        Ok(())
    }

    fn switch(&mut self, switch: Switch, _: Deadline) -> Result<Moment, Failure> {
        let station = &self.0;
        let mut state = station.state();
        if state.on.is_some() == (switch == Switch::On) {
            return Ok(Moment::between(now(), now()));
        }
        state.on = (switch == Switch::On).then(now);
        if switch == Switch::On {
            station.fed.fetch_add(1, Ordering::SeqCst);
            // Nobody listens while a board is provisioned.
            station.waited.store(0, Ordering::SeqCst);
        }
        Moment::of(|| station.power.switch(station.number, switch))
            .map(|((), moment)| moment)
            .map_err(|error| Failure::system("the source", "be switched", error))
    }

    fn measure(&mut self, _: Deadline) -> Result<Reading, Failure> {
        let state = self.0.state();
        let voltage = if state.on.is_some() { state.voltage } else { Voltage::new(0) };
        Ok(Reading { voltage: Some(voltage), current: Some(Current::new(0)), moment: Moment::between(now(), now()) })
    }
}

struct Sensor {
    station: Arc<Station>,
    steps: u64,
}

impl Sensor {
    fn integration(&self) -> Span {
        Span::nanos(STEP.as_nanos() * self.steps)
    }

    /// What the LED gives in a step, that long after it was switched on: full at first, darkest in the middle of a breath.
    fn brightness(since: Span) -> f64 {
        let phase = (since.as_nanos() % BREATH.as_nanos()) as f64 / BREATH.as_nanos() as f64;
        BRIGHTEST * (0.5 + 0.5 * (TAU * phase).cos())
    }
}

impl Light for Sensor {
    fn watch_for(&mut self, phase: Span, _: Deadline) -> Result<Span, Failure> {
        // Four conversions in a phase, each with its initialisation and its tolerance, as the real driver has it.
        let longest = STEP.as_nanos() * (TOLERANCE + 1) / TOLERANCE;
        self.steps = (phase.as_nanos() / 4 / longest).saturating_sub(1).max(1);
        Ok(self.integration())
    }

    fn sample(&mut self, _: Deadline) -> Result<Exposure, Failure> {
        let begun = now();
        let typical = STEP + self.integration();
        let slack = Span::nanos(typical.as_nanos() / TOLERANCE);
        thread::sleep(Duration::from_nanos((typical + slack).as_nanos()));
        let end = begun + typical;
        let shown = self.station.state().on.map_or(0.0, |on| Self::brightness(end.since(on)));
        let lit = (shown * self.steps as f64) as u16 + DARK;
        Ok(Exposure {
            counts: [DARK, lit, lit, lit.saturating_mul(2)],
            integration: self.integration(),
            end: Moment { at: end, uncertainty: slack },
        })
    }
}

struct Debugger(Arc<Station>);

impl Debugger {
    /// Does something with this stretch of the board's memory.
    fn at<R>(&self, address: u32, length: usize, act: impl FnOnce(&mut [u8]) -> R) -> Result<R, Failure> {
        let mut state = self.0.state();
        let (memory, offset) =
            if address < UICR { (&mut state.flash, address) } else { (&mut state.uicr, address - UICR) };
        let stretch = memory.get_mut(offset as usize..).and_then(|rest| rest.get_mut(..length));
        stretch.map(act).ok_or_else(|| {
            let kind = FailureKind::Missing("no memory there".to_owned());
            Failure::new("the probe", format!("reach {length} bytes at {address:#010x}"), kind)
        })
    }
}

impl Probe for Debugger {
    fn read(&mut self, region: Region, _: Deadline) -> Result<Vec<u8>, Failure> {
        self.at(region.address, region.length as usize, |bytes| bytes.to_vec())
    }

    fn program(&mut self, address: u32, bytes: &[u8], _: Deadline) -> Result<(), Failure> {
        self.at(address, bytes.len(), |memory| memory.copy_from_slice(bytes))
    }

    fn reset(&mut self, _: Deadline) -> Result<Moment, Failure> {
        Moment::of(|| Ok(())).map(|((), moment)| moment)
    }

    fn detach(&mut self, _: Deadline) -> Result<(), Failure> {
        Ok(())
    }
}
