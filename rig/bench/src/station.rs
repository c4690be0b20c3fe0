//! A station whose instruments are open: locked for this process, journalled while it is not safe, and made safe again.
//!
//! Boundary: instruments and their safe state. What a trial wants of them is for `hands` and `senses`; what stands in the bench file is
//! [`file`]'s.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use brickproof_boards::{BoardProfile, LedIndex};
use brickproof_instruments::{
    Below, Console, Deadline, Dfu, Drive, Edges, Factory, Failure, FailureKind, Firewall, Instrument, Kind, Light,
    Lines, Moment, Output, Owner, Probe, Reading, Settings, Supply, Switch, Value,
};
use brickproof_keys::{Fingerprint, SlotContent};
use brickproof_units::{Span, Voltage};
use tokio::sync::oneshot;

use crate::asking::ask;
use crate::file::{self, Driver, Which};
use crate::state::{Entry, Holder, Journal, Lock, StateError, StateFolder};
use crate::ways;

/// Opening a device: a probe on a busy bus takes a second, a supply answers in tens of milliseconds; assumed.
const OPENING: Span = Span::secs(10);
/// One action on an instrument; assumed, far beyond what any of them takes.
pub(crate) const ACTION: Span = Span::secs(2);
/// How long the capacitors of a board and its supply may take to empty; assumed.
const DISCHARGE: Span = Span::secs(5);
/// Switching the source off on the way to the safe state: it may have to wait for a proof that is under way.
const SWITCHING_OFF: Span = Span::secs(7);
/// How long a board stays without power until it has forgotten what it did. What its capacitors hold behind a regulator no supply sees, and one that
/// draws little, in its listening mode for instance, lives on it. Assumed: 470 uF fall by 1.5 V in 1.2 s under 600 uA.
pub(crate) const FORGETS: Duration = Duration::from_millis(1_500);
/// A supply input below this is off: no transistor of the parts conducts there; assumed.
pub(crate) const DARK: Voltage = Voltage::new(500_000);

/// What the journal says of a source that somebody wanted to stay on.
const LEFT_ON: &str = "power on --stay";

/// A station that is this process's, with its instruments open.
pub struct OpenStation {
    /// What stands in the bench file.
    pub(crate) file: file::Station,
    /// Its name with that of its bench.
    full_name: String,
    pub(crate) lines: Option<Arc<Owner<dyn Lines>>>,
    pub(crate) edges: Option<Owner<dyn Edges>>,
    pub(crate) console: Option<Owner<dyn Console>>,
    pub(crate) supply: Option<Owner<dyn Supply>>,
    pub(crate) light: Option<Owner<dyn Light>>,
    /// The sensors above the board's other lights.
    other_lights: Vec<(LedIndex, Owner<dyn Light>)>,
    pub(crate) probe: Option<Arc<Owner<dyn Probe>>>,
    pub(crate) dfu: Option<Owner<dyn Dfu>>,
    pub(crate) firewall: Option<Owner<dyn Firewall>>,
    /// Whether what is being done with the station has to end. Each use has its own: what an earlier one left in a queue stays called off.
    called_off: Mutex<Arc<AtomicBool>>,
    state: StateFolder,
    journal: Journal,
    holder: Holder,
    /// The source was left on for somebody, whoever has the station meanwhile.
    source_stays: bool,
    _lock: Lock,
}

/// A station of which everything is open that is there.
#[derive(Debug)]
pub struct Opened {
    /// The station.
    pub station: Arc<OpenStation>,
    /// What could not be opened, and why.
    pub missing: Vec<(Which, Failure)>,
    /// What was done about an earlier process.
    pub restored: Option<Restored>,
}

impl fmt::Debug for OpenStation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenStation").field("name", &self.full_name).finish_non_exhaustive()
    }
}

/// What was found and done when a station was opened that an earlier process had not left safe, or tried to be made safe in vain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The station, with its bench.
    pub station: String,
    /// What the journal said; or why it could not be read.
    pub left_by: Result<Entry, String>,
    /// Why it is not safe now; `None` if it is.
    pub still_unsafe: Option<String>,
}

impl fmt::Display for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.left_by {
            Ok(Entry { holder, doing }) => {
                write!(f, "{holder} ended without leaving {} safe, in {doing}", self.station)?;
            }
            Err(error) => write!(
                f,
                "somebody ended without leaving {} safe, and the journal cannot be read ({error})",
                self.station
            )?,
        }
        match &self.still_unsafe {
            None => f.write_str(": it is safe now"),
            Some(why) => write!(f, ": it could not be made safe ({why})"),
        }
    }
}

/// Why a station cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It is virtual: nothing is there that could be opened.
    #[error("station {0} is virtual")]
    Virtual(String),
    /// Somebody else has it, or nothing can be remembered about it.
    #[error(transparent)]
    State(#[from] StateError),
    /// Instruments are not there, or do not work. Those that were opened have been made safe.
    #[error("station {station}: {}{}", listed(failures), after(restored.as_deref()))]
    Instruments {
        /// The station, with its bench.
        station: String,
        /// Every one that failed.
        failures: Vec<Failure>,
        /// What became of the station if an earlier process had not left it safe.
        restored: Option<Box<Restored>>,
    },
    /// An earlier process left it unsafe, and it cannot be made safe.
    #[error("{0}")]
    Unsafe(Box<Restored>),
}

fn after(restored: Option<&Restored>) -> String {
    restored.map(|restored| format!("; {restored}")).unwrap_or_default()
}

fn being_made_safe(device: &str, asked: &str) -> Failure {
    Failure::new(device, asked, FailureKind::Refused("the station is being made safe".to_owned()))
}

/// Failures in one line, each with what to try.
pub(crate) fn listed(failures: &[Failure]) -> String {
    failures.iter().map(told).collect::<Vec<_>>().join("; ")
}

/// A failure and what to try.
pub fn told(failure: &Failure) -> String {
    match failure.help() {
        Some(help) => format!("{failure} ({help})"),
        None => failure.to_string(),
    }
}

impl OpenStation {
    /// Takes the station for this process, opens its instruments, each of which is left in its safe state, and makes safe what an earlier
    /// process did not.
    ///
    /// # Errors
    /// Everything that keeps the station from being used.
    pub async fn open(
        bench: &str,
        station: &file::Station,
        state: &StateFolder,
    ) -> Result<(Arc<Self>, Option<Restored>), OpenError> {
        let Opened { station, missing, restored } = Self::open_what_is_there(bench, station, state).await?;
        match restored {
            _ if !missing.is_empty() => Err(OpenError::Instruments {
                station: station.full_name.clone(),
                failures: missing.into_iter().map(|(_, failure)| failure).collect(),
                restored: restored.map(Box::new),
            }),
            Some(restored) if restored.still_unsafe.is_some() => Err(OpenError::Unsafe(Box::new(restored))),
            restored => Ok((station, restored)),
        }
    }

    /// As [`open`](Self::open), with what is there: what is missing is told and left out.
    ///
    /// # Errors
    /// If the station is virtual or cannot be had.
    pub async fn open_what_is_there(
        bench: &str,
        station: &file::Station,
        state: &StateFolder,
    ) -> Result<Opened, OpenError> {
        let mut opened = Self::take_over(bench, station, state)?;
        let left_over = opened.journal.left_over();
        let missing = opened.open_all().await;
        let mut restored = None;
        if let Some(left_by) = left_over {
            // Whatever else is missing: what can be made safe is.
            let still_unsafe = opened.make_safe().await.err().map(|failures| listed(&failures));
            restored = Some(Restored { station: opened.full_name.clone(), left_by, still_unsafe });
        }
        Ok(Opened { station: Arc::new(opened), missing, restored })
    }

    /// As [`open`](Self::open), for work on a board whose source was [left on](Self::leave_on): the supply is not touched and stays on
    /// afterwards. `None` if no source was left on.
    ///
    /// # Errors
    /// Everything that keeps the station from being used.
    pub async fn open_beside_its_source(
        bench: &str,
        station: &file::Station,
        state: &StateFolder,
    ) -> Result<Option<Arc<Self>>, OpenError> {
        let mut without = station.clone();
        without.instruments.remove(&Kind::Supply);
        let mut opened = Self::take_over(bench, &without, state)?;
        if !matches!(opened.journal.left_over(), Some(Ok(entry)) if entry.doing == LEFT_ON) {
            return Ok(None);
        }
        opened.source_stays = true;
        let missing = opened.open_all().await;
        if missing.is_empty() {
            return Ok(Some(Arc::new(opened)));
        }
        let failures = missing.into_iter().map(|(_, failure)| failure).collect();
        Err(OpenError::Instruments { station: opened.full_name, failures, restored: None })
    }

    /// The station under lock, with nothing open.
    fn take_over(bench: &str, station: &file::Station, state: &StateFolder) -> Result<Self, OpenError> {
        let full_name = format!("{bench}/{}", station.name);
        if station.instruments.values().any(|driver| matches!(driver, Driver::Virtual)) {
            return Err(OpenError::Virtual(full_name));
        }
        let holder = Holder::this();
        let lock = state.lock(bench, &station.name, &holder)?;
        Ok(Self {
            file: station.clone(),
            full_name,
            lines: None,
            edges: None,
            console: None,
            supply: None,
            light: None,
            other_lights: Vec::new(),
            probe: None,
            dfu: None,
            firewall: None,
            called_off: Mutex::default(),
            state: state.clone(),
            journal: state.journal(bench, &station.name),
            holder,
            source_stays: false,
            _lock: lock,
        })
    }

    /// Opens every instrument that can be opened, last those that work through another one.
    async fn open_all(&mut self) -> Vec<(Which, Failure)> {
        let mut failures = Vec::new();
        let mut drivers: Vec<_> = self.file.fitted().map(|(which, driver)| (which, driver.clone())).collect();
        drivers.sort_by_key(|(_, driver)| driver.over().is_some());
        for (which, driver) in drivers {
            let Driver::Real(factory, mut settings) = driver else { continue };
            if which.kind == Kind::Console && ways::has_own_console(&self.file) && settings.text("presence").is_none() {
                // It goes with the board's power, and with every reset.
                settings = settings.with("presence", Value::Text("passing".to_owned()));
            }
            let opened = match self.below(factory) {
                Ok(below) => open_one(factory, settings, below).await,
                Err(failure) => Err(failure),
            };
            if let Err(failure) = opened.and_then(|instrument| self.take(which, instrument)) {
                failures.push((which, failure));
            }
        }
        failures
    }

    /// What an instrument works through; `None` if it works by itself.
    fn below(&self, factory: &dyn Factory) -> Result<Option<Below>, Failure> {
        let below = match factory.over() {
            None => return Ok(None),
            Some(Kind::Lines) => self.lines.clone().map(Below::Lines),
            Some(Kind::Probe) => self.probe.clone().map(Below::Probe),
            Some(_) => None,
        };
        below.map(Some).ok_or_else(|| {
            let kind = factory.over().map_or_else(String::new, |kind| kind.to_string());
            let missing =
                FailureKind::Missing(format!("it works through the {kind} of the station, which is not open"));
            Failure::new(format!("{} {}", factory.kind(), factory.driver()), "be opened", missing)
        })
    }

    fn take(&mut self, Which { kind, led }: Which, instrument: Instrument) -> Result<(), Failure> {
        let other = self.file.board.led(led).filter(|_| led != LedIndex::FIRST);
        let other = other.map_or(String::new(), |led| format!(" `{}`", led.name));
        let name = format!("{kind}{other} of {}", self.full_name);
        match instrument {
            Instrument::Lines(mut lines) => {
                self.edges = lines
                    .edges()?
                    .map(|edges| Owner::new(format!("edges of {}", self.full_name), edges))
                    .transpose()?;
                self.lines = Some(Arc::new(Owner::new(name, lines)?));
            }
            Instrument::Console(console) => self.console = Some(Owner::new(name, console)?),
            Instrument::Supply(supply) => self.supply = Some(Owner::new(name, supply)?),
            Instrument::Probe(probe) => self.probe = Some(Arc::new(Owner::new(name, probe)?)),
            Instrument::Dfu(dfu) => self.dfu = Some(Owner::new(name, dfu)?),
            Instrument::Light(light) if led == LedIndex::FIRST => self.light = Some(Owner::new(name, light)?),
            Instrument::Light(light) => self.other_lights.push((led, Owner::new(name, light)?)),
            Instrument::Firewall(firewall) => self.firewall = Some(Owner::new(name, firewall)?),
        }
        Ok(())
    }

    /// Its name with that of its bench.
    pub fn name(&self) -> &str {
        &self.full_name
    }

    /// What stands in the bench file.
    pub fn file(&self) -> &file::Station {
        &self.file
    }

    /// The kind of board that sits there.
    pub fn board(&self) -> &BoardProfile {
        &self.file.board
    }

    /// Notes on the disk that the station leaves its safe state.
    ///
    /// # Errors
    /// If it cannot be noted: then nothing must be driven.
    pub fn leave_safe_state(&self, doing: &str) -> Result<(), StateError> {
        *self.called_off.lock().unwrap_or_else(PoisonError::into_inner) = Arc::default();
        if self.source_stays {
            // The journal says already that the station is not safe, and why.
            return Ok(());
        }
        self.journal.open(&Entry { holder: self.holder.clone(), doing: doing.to_owned() })
    }

    /// Whether its source stays on when this process ends and lets go of it.
    ///
    /// # Errors
    /// That it would not.
    pub fn can_leave_on(&self) -> Result<(), Failure> {
        let supply = self.supply()?;
        if self.file.instruments.get(&Kind::Supply).is_some_and(|driver| driver.over() == Some(Kind::Lines)) {
            let kind = FailureKind::Unsupported("its line is let go when the process that holds it ends".to_owned());
            return Err(Failure::new(supply.device(), "stay on without a process", kind)
                .with_help("leave this process running instead, without --stay"));
        }
        Ok(())
    }

    /// Notes that the source, which is on, is left on when this process ends, because somebody wants it so. Whoever opens the station next
    /// makes it safe, unless they [open it beside its source](Self::open_beside_its_source).
    ///
    /// # Errors
    /// If it cannot be noted, or the source would not stay on.
    pub fn leave_on(&self) -> Result<(), OpenError> {
        self.can_leave_on().map_err(|failure| OpenError::Instruments {
            station: self.full_name.clone(),
            failures: vec![failure],
            restored: None,
        })?;
        Ok(self.journal.open(&Entry { holder: self.holder.clone(), doing: LEFT_ON.to_owned() })?)
    }

    /// Tells whether what is being done with the station now has to end.
    pub(crate) fn calling_off(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.called_off.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Has whatever is being done with the station end: from now on nothing is switched on or asserted.
    pub(crate) fn call_off(&self) {
        self.calling_off().store(true, Ordering::SeqCst);
    }

    /// Switches the source on with this output. The station must have left its safe state.
    ///
    /// # Errors
    /// The supply's.
    pub async fn power_on(&self, output: Output) -> Result<(), Failure> {
        let called_off = self.calling_off();
        ask(self.supply()?, "switch on", ACTION, move |supply, deadline| {
            if called_off.load(Ordering::SeqCst) {
                return Err(being_made_safe(supply.device(), "switch on"));
            }
            supply.set(output, deadline)?;
            supply.switch(Switch::On, deadline)
        })
        .await
        .map(drop)
    }

    /// Drives a line. The station must have left its safe state.
    ///
    /// # Errors
    /// Those of the lines.
    pub async fn drive(&self, line: &str, drive: Drive) -> Result<Moment, Failure> {
        let (called_off, lines) = (self.calling_off(), self.lines()?);
        let (device, asked) = (lines.device().to_owned(), format!("drive `{line}`"));
        let line = line.to_owned();
        ask(lines, &asked.clone(), ACTION, move |lines, deadline| {
            // What is asserted behind the safe state's back would stay so.
            if drive == Drive::Asserted && called_off.load(Ordering::SeqCst) {
                return Err(being_made_safe(&device, &asked));
            }
            lines.drive(&line, drive, deadline)
        })
        .await
    }

    /// Switches the source off and measures that it is.
    ///
    /// # Errors
    /// The supply's; also that it does not measure as off, or cannot measure.
    pub async fn power_off(&self) -> Result<(), Failure> {
        let supply = self.supply()?;
        ask(supply, "switch off", ACTION, |supply, deadline| supply.switch(Switch::Off, deadline)).await?;
        let proven =
            ask(supply, "measure that off is off", DISCHARGE, |supply, deadline| supply.prove_off(DARK, deadline));
        proven.await.map(drop)
    }

    /// Measures the source once.
    ///
    /// # Errors
    /// The supply's.
    pub async fn measure(&self) -> Result<Reading, Failure> {
        ask(self.supply()?, "measure", ACTION, |supply, deadline| supply.measure(deadline)).await
    }

    /// Makes the station safe: ends what is being done on purpose, source off and measured off, lines released, the network open. All of it is
    /// tried at the same time, whatever fails. Once it is done, nothing is left to be restored, and the board begins anew when it is fed again,
    /// in whichever mode it was. It takes no longer than the 7 s in which a supply must have switched off, the 5 s in which its output must have
    /// emptied, the 1.5 s in which the board forgets, and as long as an [`Owner`] waits beyond a deadline.
    ///
    /// # Errors
    /// Everything that failed.
    pub async fn make_safe(&self) -> Result<(), Vec<Failure>> {
        self.call_off();
        let (off, released, opened) = tokio::join!(self.take_power(), self.release_lines(), self.open_network());
        let failures: Vec<Failure> = [off, released, opened].into_iter().filter_map(Result::err).collect();
        if self.source_stays && failures.is_empty() {
            return Ok(());
        }
        if failures.is_empty() {
            // A journal that stays has the next start make the station safe once more, which harms nobody.
            let _ = self.journal.close();
            return Ok(());
        }
        Err(failures)
    }

    async fn take_power(&self) -> Result<(), Failure> {
        if !self.has(Kind::Supply) {
            return Ok(());
        }
        let supply = self.supply()?;
        ask(supply, "switch off", SWITCHING_OFF, |supply, deadline| supply.switch(Switch::Off, deadline)).await?;
        if self.measures_voltage() {
            ask(supply, "measure that off is off", DISCHARGE, |supply, deadline| supply.prove_off(DARK, deadline))
                .await?;
        }
        tokio::time::sleep(FORGETS).await;
        Ok(())
    }

    async fn release_lines(&self) -> Result<(), Failure> {
        if !self.has(Kind::Lines) {
            return Ok(());
        }
        ask(self.lines()?, "release all lines", ACTION, |lines, deadline| lines.make_safe(deadline)).await
    }

    async fn open_network(&self) -> Result<(), Failure> {
        if !self.has(Kind::Firewall) {
            return Ok(());
        }
        let firewall = self.firewall.as_ref().ok_or_else(|| self.lacks(Kind::Firewall))?;
        ask(firewall, "let everything through", ACTION, |it, deadline| it.make_safe(deadline)).await
    }

    /// Whether it should have one, open or not.
    fn has(&self, kind: Kind) -> bool {
        self.file.instruments.contains_key(&kind)
    }

    /// Keeps what a board's memory held, before it is written over.
    pub(crate) fn keep_backup(&self, what: &str, bytes: &[u8]) -> Result<PathBuf, StateError> {
        self.state.keep_backup(&format!("{}.{what}", self.full_name.replace('/', ".")), bytes)
    }

    /// Notes which identity its board's cloud accepts from now on.
    pub(crate) fn note_identity(&self, old: Option<Fingerprint>, new: Fingerprint) -> Result<(), StateError> {
        self.state.note_identity(&self.full_name, old, new)
    }

    /// Refuses to write a device key that the cloud of its board no longer accepts, as far as the rig has had to do with it.
    pub(crate) fn may_write(&self, device: &SlotContent) -> Result<(), Failure> {
        let identity = device.fingerprint();
        let refused = |why: String| {
            Failure::new(format!("station {}", self.full_name), "write a device key", FailureKind::Refused(why))
        };
        match self.state.in_place_of(&self.full_name, identity) {
            Ok(None) => Ok(()),
            Ok(Some(new)) => Err(refused(format!(
                "the cloud accepts {new} in place of {identity}: written back, that would lock the board out"
            ))
            .with_help("`brickproof keys doctor --new-identity` gives the board another identity; `firmware: as_found` leaves its keys alone")),
            Err(error) => Err(refused(error.to_string())),
        }
    }

    pub(crate) fn measures_voltage(&self) -> bool {
        crate::fitness::offer(&self.file, Kind::Supply).is_some_and(|(capabilities, _)| capabilities.measures_voltage)
    }

    pub(crate) fn supply(&self) -> Result<&Owner<dyn Supply>, Failure> {
        self.supply.as_ref().ok_or_else(|| self.lacks(Kind::Supply))
    }

    pub(crate) fn lines(&self) -> Result<&Owner<dyn Lines>, Failure> {
        self.lines.as_deref().ok_or_else(|| self.lacks(Kind::Lines))
    }

    pub(crate) fn console(&self) -> Result<&Owner<dyn Console>, Failure> {
        self.console.as_ref().ok_or_else(|| self.lacks(Kind::Console))
    }

    pub(crate) fn probe(&self) -> Result<&Owner<dyn Probe>, Failure> {
        self.probe.as_deref().ok_or_else(|| self.lacks(Kind::Probe))
    }

    pub(crate) fn dfu(&self) -> Result<&Owner<dyn Dfu>, Failure> {
        self.dfu.as_ref().ok_or_else(|| self.lacks(Kind::Dfu))
    }

    /// The sensors that are open, each with its light.
    pub(crate) fn sensors(&self) -> impl Iterator<Item = (LedIndex, &Owner<dyn Light>)> {
        let first = self.light.as_ref().map(|sensor| (LedIndex::FIRST, sensor));
        first.into_iter().chain(self.other_lights.iter().map(|(led, sensor)| (*led, sensor)))
    }

    pub(crate) fn light(&self) -> Result<&Owner<dyn Light>, Failure> {
        self.light.as_ref().ok_or_else(|| self.lacks(Kind::Light))
    }

    fn lacks(&self, kind: Kind) -> Failure {
        let missing = FailureKind::Missing(match self.has(kind) {
            true => "it could not be opened".to_owned(),
            false => format!("the bench file has no `{kind}` there"),
        });
        Failure::new(format!("station {}", self.full_name), format!("use its {kind}"), missing)
    }
}

/// Opens an instrument on a thread that may be left behind: a device that hangs must not keep the others from being made safe.
async fn open_one(
    factory: &'static dyn Factory,
    settings: Settings,
    below: Option<Below>,
) -> Result<Instrument, Failure> {
    let deadline = Deadline::after(OPENING);
    let device = || format!("{} {}", factory.kind(), factory.driver());
    let (answer, opening) = oneshot::channel();
    // Not one of the runtime's: a runtime waits at its end for all that it has.
    let begun = thread::Builder::new().name("opening".to_owned()).spawn(move || {
        let opened = match below {
            Some(below) => factory.open_over(below, &settings, deadline),
            None => factory.open(&settings, deadline),
        };
        // Nobody listens any more if it came too late.
        let _ = answer.send(opened);
    });
    if let Err(error) = begun {
        return Err(Failure::system(device(), "be opened", error));
    }
    match tokio::time::timeout(Owner::<dyn Lines>::patience(deadline), opening).await {
        Ok(Ok(opened)) => opened,
        Ok(Err(_)) => {
            let gone = FailureKind::Gone("its driver ended".to_owned());
            Err(Failure::new(device(), "be opened", gone))
        }
        Err(_) => {
            let late = FailureKind::NoAnswer(deadline.within());
            Err(Failure::new(device(), "be opened", late))
        }
    }
}
