//! What a trial asks for, carried out by the instruments of a station.
//!
//! Boundary: from commands to instruments. Each command is a task of its own and ends in one answer; what an instrument is asked for is done
//! in the order in which the trial asked.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use brickproof_firmware::{Firmware, KeyStore, StoreError};
use brickproof_instruments::{Drive, Failure, FailureKind, Kind, Output, Reading};
use brickproof_keys::{Corruption, Fingerprint, Slot};
use brickproof_scenario::plan::{CloudBehaviour, CloudSetting, Fault, Plan, SupplySetting};
use brickproof_trial::{
    Achieved, Action, ActionId, Command, CommandError, Injection, Observation, ShapeAchieved, Stamp,
};
use brickproof_units::{Span, Voltage};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::asking::ask;
use crate::clock::Clock;
use crate::cut::Cut;
use crate::fitness::offer;
use crate::provision::{self, provision, rail_of};
use crate::station::{ACTION, DARK, OpenStation, told};

/// A console line at 115200 Bd takes a millisecond for eleven bytes; assumed to be enough for the slowest rate and a long line.
const SENDING: Span = Span::secs(5);
/// How long before a cut the supply's thread is taken for it.
const BEFORE_A_CUT: Span = Span::millis(50);
/// As for [`OpenStation::power_off`].
const DISCHARGE: Span = Span::secs(5);

/// What a trial is told, and what its driver has to know.
#[derive(Debug)]
pub(crate) enum News {
    /// For the trial.
    Seen(Stamp, Observation),
    /// The board is ready: from now on it may be looked at.
    Provisioned(ActionId, Result<Arc<str>, provision::Retired>),
}

/// How the supply is to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Watched {
    /// Every passage of this level is told.
    pub(crate) minimum: Option<Voltage>,
    /// Every reading is told, so often.
    pub(crate) every: Option<Span>,
    /// Counts the wishes to be told at once.
    pub(crate) wishes: u32,
}

/// What is asked of a station on behalf of one trial.
#[derive(Clone)]
pub(crate) struct Hands {
    pub(crate) station: Arc<OpenStation>,
    pub(crate) clock: Clock,
    pub(crate) news: mpsc::UnboundedSender<News>,
    pub(crate) firmware: Firmware,
    pub(crate) keys: KeyStore,
    pub(crate) seed: u64,
    minimum: Voltage,
    /// The identity that the cloud handed out.
    issued: Arc<Mutex<Option<Fingerprint>>>,
    /// Whether the source is on by order.
    fed: Arc<AtomicBool>,
    watched: Arc<watch::Sender<Watched>>,
    /// What is under way.
    tasks: Arc<Mutex<JoinSet<()>>>,
    /// Whoever holds it has the supply for a while.
    pub(crate) supply_in_use: Arc<tokio::sync::Mutex<()>>,
}

impl Hands {
    pub(crate) fn new(
        station: Arc<OpenStation>,
        plan: &Plan,
        firmware: &Firmware,
        seed: u64,
        clock: Clock,
        news: mpsc::UnboundedSender<News>,
    ) -> Self {
        Self {
            keys: KeyStore::of(&plan.board, firmware),
            minimum: plan.board.rails.first().map(|rail| rail.minimum).unwrap_or_default(),
            station,
            clock,
            news,
            firmware: firmware.clone(),
            seed,
            issued: Arc::default(),
            fed: Arc::default(),
            watched: Arc::new(watch::Sender::default()),
            tasks: Arc::default(),
            supply_in_use: Arc::default(),
        }
    }

    /// Does something beside what else is under way.
    pub(crate) fn begin(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).spawn(task);
    }

    /// Ends whatever is still under way: nothing of this trial may reach into the next.
    pub(crate) async fn stop(self) {
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.shutdown().await;
    }

    /// How the supply is to be read, from now on.
    pub(crate) fn watched(&self) -> watch::Receiver<Watched> {
        self.watched.subscribe()
    }

    /// The cloud handed out this identity.
    pub(crate) fn issued(&self, fingerprint: Fingerprint) {
        *self.issued.lock().unwrap_or_else(PoisonError::into_inner) = Some(fingerprint);
    }

    pub(crate) fn tell(&self, stamp: Stamp, observation: Observation) {
        // Nobody listens any more once the trial is over.
        let _ = self.news.send(News::Seen(stamp, observation));
    }

    fn now(&self) -> Stamp {
        Stamp::exact(self.clock.now())
    }

    /// An instrument failed that was not asked for anything.
    pub(crate) fn tell_failure(&self, failure: &Failure) {
        self.tell(self.now(), Observation::InstrumentFailed(in_words(failure)));
    }

    fn answer(&self, id: ActionId, result: Result<Achieved, CommandError>) {
        self.tell(self.now(), Observation::Answered { id, result });
    }

    /// Begins what is asked for; the answer comes as news.
    pub(crate) fn carry_out(&self, action: Action) {
        let Action { id, command } = action;
        match command {
            // What is known at once is answered at once.
            Command::WatchRail { minimum } => {
                self.watch(|watched| watched.minimum = Some(minimum));
                self.answer(id, Ok(Achieved::Done));
            }
            Command::ReadSupply { every } => {
                self.watch(|watched| watched.every = every);
                self.answer(id, Ok(Achieved::Done));
            }
            Command::Cloud(setting) => self.answer(id, self.cloud(setting)),
            Command::MakeSafe => {
                // Before anything else has a turn: a cut under way must end.
                self.station.called_off.store(true, Ordering::SeqCst);
                let hands = self.clone();
                self.begin(async move {
                    let safe = hands.station.make_safe().await;
                    hands.answer(id, safe.map(|()| Achieved::Done).map_err(|failures| all_in_words(&failures)));
                });
            }
            Command::Provision => {
                let hands = self.clone();
                self.begin(async move {
                    let ready = provision(&hands.station, &hands.firmware, hands.keys).await;
                    let _ = hands.news.send(News::Provisioned(id, ready));
                });
            }
            command => {
                let hands = self.clone();
                self.begin(async move {
                    let result = hands.act(command).await;
                    hands.answer(id, result);
                });
            }
        }
    }

    fn watch(&self, change: impl FnOnce(&mut Watched)) {
        self.watched.send_modify(|watched| {
            change(watched);
            watched.wishes += 1;
        });
    }

    /// The cloud itself is the driver's, which follows the same command; a station without one has the board's own.
    fn cloud(&self, setting: CloudSetting) -> Result<Achieved, CommandError> {
        match (self.station.file().cloud, setting.behaviour) {
            (None, behaviour) if behaviour != CloudBehaviour::Genuine => Err(CommandError::Unsupported {
                instrument: "the station".to_owned().into(),
                asked: "misbehave as a cloud".into(),
            }),
            _ => Ok(Achieved::Done),
        }
    }

    async fn act(&self, command: Command) -> Result<Achieved, CommandError> {
        let done = match command {
            Command::Supply(setting) => self.feed(setting).await.map(|()| Achieved::Done),
            Command::Send(text) => self.type_line(&text).await.map(|()| Achieved::Done),
            Command::Reset { hold } => self.pulse("reset".into(), hold).await.map(|()| Achieved::Done),
            Command::Press { button, hold } => self.pulse(button, hold).await.map(|()| Achieved::Done),
            Command::Corrupt { slot, class } => return self.corrupt(slot, class).await,
            Command::ReadSlot { slot } => return self.read_slot(slot).await,
            Command::Inject(injection) => return self.inject(&injection).await,
            Command::Provision
            | Command::Cloud(_)
            | Command::WatchRail { .. }
            | Command::ReadSupply { .. }
            | Command::MakeSafe => Ok(Achieved::Done),
        };
        done.map_err(|failure| in_words(&failure))
    }

    async fn feed(&self, setting: SupplySetting) -> Result<(), Failure> {
        let output = match setting {
            SupplySetting::Off => {
                self.fed.store(false, Ordering::SeqCst);
                return self.station.power_off().await;
            }
            SupplySetting::Usb { voltage } => Output { voltage, limit: self.ceiling() },
            SupplySetting::Bench { voltage, current_limit } => Output { voltage, limit: Some(current_limit) },
            SupplySetting::Battery { .. } => {
                let kind = FailureKind::Unsupported("no driver plays a cell".to_owned());
                return Err(Failure::new(format!("supply of {}", self.station.name()), "behave like a battery", kind));
            }
        };
        self.station.power_on(output).await?;
        self.fed.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// As much as the board bears, of what the supply can limit.
    fn ceiling(&self) -> Option<brickproof_units::Current> {
        let (capabilities, _) = offer(self.station.file(), Kind::Supply)?;
        Some(capabilities.current?.min(self.station.board().input.current_ceiling))
    }

    async fn type_line(&self, text: &str) -> Result<(), Failure> {
        let bytes = format!("{text}\n").into_bytes();
        self.write_console(bytes).await
    }

    pub(crate) async fn write_console(&self, bytes: Vec<u8>) -> Result<(), Failure> {
        let write = ask(self.station.console()?, "write to it", SENDING, move |console, deadline| {
            console.write(&bytes, deadline).map(drop)
        });
        write.await
    }

    async fn pulse(&self, line: Arc<str>, hold: Span) -> Result<(), Failure> {
        let drive = |drive: Drive| {
            let line = Arc::clone(&line);
            let asked = format!("drive `{line}`");
            async move {
                let lines = self.station.lines()?;
                ask(lines, &asked, ACTION, move |lines, deadline| lines.drive(&line, drive, deadline)).await
            }
        };
        let began = drive(Drive::Asserted).await?;
        self.clock.until(self.clock.of(began.at) + hold).await;
        drive(Drive::Released).await.map(drop)
    }

    /// Has the board fed for the probe's sake if it is not, does something with its memory, and leaves it as it was: without power, or
    /// begun anew where its memory was written, because programming uses its RAM.
    async fn with_memory<R: Send + 'static>(
        &self,
        asked: &'static str,
        writes: Writes,
        act: impl FnOnce(&mut provision::Probed<'_>) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, CommandError> {
        let words = |failure: Failure| in_words(&failure);
        let fed = self.fed.load(Ordering::SeqCst);
        if !fed {
            provision::feed(&self.station).await.map_err(words)?;
        }
        let done = provision::with_memory(&self.station, asked, act).await.map_err(words)?;
        if !fed {
            self.station.power_off().await.map_err(words)?;
        } else if writes == Writes::Yes {
            provision::restart(&self.station).await.map_err(words)?;
        }
        done.map_err(|StoreError { asked, happened }| CommandError::Failed {
            instrument: format!("probe of {}", self.station.name()).into(),
            asked: asked.into(),
            happened: happened.into(),
        })
    }

    async fn corrupt(&self, slot: Slot, class: Corruption) -> Result<Achieved, CommandError> {
        let (keys, seed) = (self.keys, self.seed);
        let corrupt = move |memory: &mut provision::Probed<'_>| keys.corrupt(memory, slot, class, seed);
        self.with_memory("damage a key slot", Writes::Yes, corrupt).await.map(Achieved::Changed)
    }

    async fn read_slot(&self, slot: Slot) -> Result<Achieved, CommandError> {
        let (keys, issued) = (self.keys, *self.issued.lock().unwrap_or_else(PoisonError::into_inner));
        let read = move |memory: &mut provision::Probed<'_>| keys.read_slot(memory, slot, issued);
        self.with_memory("read a key slot", Writes::No, read).await.map(Achieved::Slot)
    }

    async fn inject(&self, injection: &Injection) -> Result<Achieved, CommandError> {
        let unsupported = |asked: &str| CommandError::Unsupported {
            instrument: format!("supply of {}", self.station.name()).into(),
            asked: asked.into(),
        };
        let hold = match injection.fault {
            Fault::PowerCut { hold } => hold,
            Fault::BrownOut { .. } => return Err(unsupported("make a brown-out")),
            Fault::LoadStep { .. } => return Err(unsupported("draw a load")),
        };
        self.clock.until(injection.at - BEFORE_A_CUT).await;
        let _in_use = self.supply_in_use.lock().await;
        let cut = Cut {
            at: self.clock.on_kernel(injection.at),
            hold,
            minimum: self.minimum,
            dark: DARK,
            discharge: DISCHARGE,
        };
        let (hands, called_off) = (self.clone(), Arc::clone(&self.station.called_off));
        let within = BEFORE_A_CUT + hold.unwrap_or(DISCHARGE) + ACTION + ACTION + ACTION;
        let supply = self.station.supply().map_err(|failure| in_words(&failure))?;
        let made = ask(supply, "cut the power", within, move |supply, _| {
            let rail = |input| rail_of(hands.station.board(), input);
            cut.make(supply, &called_off, rail, |reading| hands.tell_reading(&reading))
        });
        let made = made.await.map_err(|failure| in_words(&failure))?;
        if hold.is_none() {
            self.fed.store(false, Ordering::SeqCst);
        }
        Ok(Achieved::Injected(ShapeAchieved {
            began: self.clock.of(made.began.at),
            uncertainty: made.began.uncertainty,
            lowest: made.lowest,
            below_brown_out: made.below,
        }))
    }

    /// Tells the trial what the supply measured.
    pub(crate) fn tell_reading(&self, reading: &Reading) {
        if let Some(voltage) = reading.voltage {
            let rail = rail_of(self.station.board(), voltage);
            let current = reading.current.unwrap_or_default();
            self.tell(self.clock.stamp(reading.moment), Observation::Supply { rail, current });
        }
    }
}

/// Whether a board's memory is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writes {
    Yes,
    No,
}

/// A failure as a trial takes it: of which device, what it was asked, what happened, what to try.
pub(crate) fn in_words(failure: &Failure) -> CommandError {
    let happened = match failure.help() {
        Some(help) => format!("{} ({help})", failure.kind()),
        None => failure.kind().to_string(),
    };
    CommandError::Failed {
        instrument: failure.device().to_owned().into(),
        asked: failure.asked().into(),
        happened: happened.into(),
    }
}

fn all_in_words(failures: &[Failure]) -> CommandError {
    match failures {
        [one] => in_words(one),
        _ => CommandError::Failed {
            instrument: "the station".into(),
            asked: "be made safe".into(),
            happened: failures.iter().map(told).collect::<Vec<_>>().join("; ").into(),
        },
    }
}
