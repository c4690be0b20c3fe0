//! What a trial asks for, carried out by the instruments of a station.
//!
//! Boundary: from commands to instruments. Each command is a task of its own and ends in one answer; what an instrument is asked for is done
//! in the order in which the trial asked.

mod download;
mod flash;
pub(crate) mod keys;
pub(crate) mod mode;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use brickproof_firmware::{Firmware, KeyStore, StoreError};
use brickproof_instruments::{Deadline, Failure, FailureKind, Kind, Output, Reading};
use brickproof_keys::{KeySet, SlotContent};
use brickproof_scenario::plan::{CloudBehaviour, CloudSetting, Door, Fault, Plan, SupplySetting};
use brickproof_trial::{
    Achieved, Action, ActionId, Command, CommandError, Injection, Observation, ShapeAchieved, Stamp,
};
use brickproof_units::{Instant, Span, Voltage};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

use crate::asking::ask;
use crate::clock::Clock;
use crate::cut::{CARRIES, Cut, READINGS};
use crate::fitness::offer;
use crate::gateway;
use crate::hands::keys::Ring;
use crate::provision::{self, AsFound, Retired, leave_as_found, provision, rail_of};
use crate::senses::{Sense, Senses};
use crate::station::{ACTION, DARK, OpenStation, told};

/// A console line at 115200 Bd takes a millisecond for eleven bytes; assumed to be enough for the slowest rate and a long line.
const SENDING: Span = Span::secs(5);
/// How long a rail may take to come up before its supply counts as switched on all the same: regulators need milliseconds; assumed.
const COMING_UP: Span = Span::millis(500);
/// How long before a cut the supply's thread is taken for it.
const BEFORE_A_CUT: Span = Span::millis(50);
/// As for [`OpenStation::power_off`].
const DISCHARGE: Span = Span::secs(5);

/// What a trial is told, and what its driver has to know.
#[derive(Debug)]
pub(crate) enum News {
    /// For the trial.
    Seen(Stamp, Observation),
    /// Everything that this sense saw up to then has been told.
    UpTo(Sense, Instant),
    /// The board is ready, and looked at from now on; or why it is not.
    Provisioned(ActionId, Result<Ready, Unready>),
    /// The board has a new device key: the rig's own cloud is to accept it, and the answer to be given then.
    Renewed(ActionId, Box<Renewed>),
    /// The board is about to begin anew for this request. What it does then comes after the answer, which names the instant.
    BeginsAnew(ActionId),
    /// The station could not be made safe.
    LeftUnsafe(Arc<str>),
    /// The board's rail, for whoever looks on.
    Rail(Voltage),
}

/// A board's new identity.
#[derive(Debug)]
pub(crate) struct Renewed {
    pub(crate) device: SlotContent,
    /// What was done for it.
    pub(crate) words: Arc<str>,
}

/// A board on which a trial can begin.
#[derive(Debug)]
pub(crate) struct Ready {
    /// What was done for it.
    pub(crate) words: Arc<str>,
    pub(crate) senses: Senses,
    /// The keys that were there, if they were left as they are and could be read.
    pub(crate) found: Option<KeySet>,
    /// SHA-256 of the flash of such a board.
    pub(crate) sha256: Option<Arc<str>>,
}

/// Why a trial cannot begin.
#[derive(Debug)]
pub(crate) enum Unready {
    Retired(Retired),
    /// Something with which it is to be looked at failed.
    Blind(CommandError),
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
    /// How its image keeps keys; `None` if nobody knows.
    keys: Arc<Mutex<Option<KeyStore>>>,
    /// What the plan writes or looks for.
    images: Arc<[Firmware]>,
    pub(crate) seed: u64,
    minimum: Voltage,
    ring: Arc<Mutex<Ring>>,
    /// Whether the source is on by order.
    fed: Arc<AtomicBool>,
    watched: Arc<watch::Sender<Watched>>,
    /// What is under way.
    tasks: Arc<Mutex<JoinSet<()>>>,
    /// Nothing that was asked for before the trial was decided is of use any more.
    decided: Arc<AtomicBool>,
    /// Whoever holds it has the supply for a while.
    pub(crate) supply_in_use: Arc<tokio::sync::Mutex<()>>,
    /// Whoever holds it has the console for a while.
    pub(crate) console_in_use: Arc<tokio::sync::Mutex<()>>,
    /// Whoever holds it has the bootloader for a while.
    pub(crate) dfu_in_use: Arc<tokio::sync::Mutex<()>>,
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
        let keys = if firmware.is_not_written() { None } else { KeyStore::of(&plan.board, firmware) };
        Self {
            keys: Arc::new(Mutex::new(keys)),
            images: images(plan, firmware),
            minimum: plan.board.rails.first().map(|rail| rail.minimum).unwrap_or_default(),
            firmware: firmware.clone(),
            seed,
            ..Self::without_a_plan(station, clock, news)
        }
    }

    /// For somebody at a desk, who leaves the board's memory alone.
    pub(crate) fn without_a_plan(station: Arc<OpenStation>, clock: Clock, news: mpsc::UnboundedSender<News>) -> Self {
        Self {
            keys: Arc::default(),
            images: Arc::default(),
            minimum: Voltage::default(),
            station,
            clock,
            news,
            firmware: Firmware::not_written(),
            seed: 0,
            ring: Arc::default(),
            fed: Arc::default(),
            watched: Arc::new(watch::Sender::default()),
            tasks: Arc::default(),
            decided: Arc::default(),
            supply_in_use: Arc::default(),
            console_in_use: Arc::default(),
            dfu_in_use: Arc::default(),
        }
    }

    /// How the firmware that is on the board keeps keys.
    pub(crate) fn keys(&self) -> Option<KeyStore> {
        *self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something beside what else is under way.
    pub(crate) fn begin(&self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        // A trial of an hour does not keep what it did in its first minute.
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task)
    }

    /// The trial is decided: what it began and would end by itself, a cut above all, ends now.
    pub(crate) fn decided(&self) {
        self.decided.store(true, Ordering::SeqCst);
    }

    /// Ends whatever is still under way: nothing of this trial may reach into the next.
    pub(crate) async fn stop(self) {
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.shutdown().await;
    }

    /// Whether the source is on by order.
    pub(crate) fn is_fed(&self) -> bool {
        self.fed.load(Ordering::SeqCst)
    }

    /// How the supply is to be read, from now on.
    pub(crate) fn watched(&self) -> watch::Receiver<Watched> {
        self.watched.subscribe()
    }

    pub(crate) fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Nothing is seen with it any more since then, which may be a while ago: what was not seen is not the board's fault.
    pub(crate) fn fails_to_see(&self, sense: Sense, since: Instant, failure: &Failure) {
        let stamp = Stamp { at: since, uncertainty: self.clock.now().since(since) };
        self.tell(stamp, Observation::InstrumentFailed(in_words(failure)));
        self.tell_up_to(sense, Instant::NEVER);
    }

    fn answer(&self, id: ActionId, result: Result<Achieved, CommandError>) {
        self.tell(self.now(), Observation::Answered { id, result });
    }

    /// Everything that a sense saw up to now has been told.
    pub(crate) fn tell_up_to(&self, sense: Sense, at: Instant) {
        let _ = self.news.send(News::UpTo(sense, at));
    }

    /// Begins what is asked for; the answer comes as news. Answers with the task, if there has to be one.
    pub(crate) fn carry_out(&self, action: Action) -> Option<AbortHandle> {
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
            Command::MakeSafe => {
                // Before anything else has a turn: nothing is switched on any more.
                self.station.call_off();
                let hands = self.clone();
                return Some(self.begin(async move {
                    let safe = hands.station.make_safe().await.map_err(|failures| all_in_words(&failures));
                    if let Err(error) = &safe {
                        let _ = hands.news.send(News::LeftUnsafe(error.to_string().into()));
                    }
                    hands.answer(id, safe.map(|()| Achieved::Done));
                }));
            }
            Command::Provision => {
                let hands = self.clone();
                return Some(self.begin(async move {
                    let ready = hands.make_ready().await;
                    let _ = hands.news.send(News::Provisioned(id, ready));
                }));
            }
            Command::Flash { transfer, tell_at: _ } => {
                let hands = self.clone();
                return Some(self.begin(async move {
                    let flashed = match transfer.through {
                        Door::Probe => hands.flash(id, &transfer).await,
                        Door::Dfu => hands.download(id, &transfer).await,
                    };
                    let (stamp, result) = match flashed {
                        Ok((began_anew, achieved)) => (began_anew, Ok(achieved)),
                        Err(error) => (hands.now(), Err(error)),
                    };
                    hands.tell(stamp, Observation::Answered { id, result });
                }));
            }
            Command::Keys { work, through } => {
                let hands = self.clone();
                return Some(self.begin(async move {
                    if let Some(result) = hands.work_on_keys(id, &work, through).await.transpose() {
                        hands.answer(id, result);
                    }
                }));
            }
            command => {
                let hands = self.clone();
                return Some(self.begin(async move {
                    let result = hands.act(command).await;
                    hands.answer(id, result);
                }));
            }
        }
        None
    }

    async fn make_ready(&self) -> Result<Ready, Unready> {
        let (words, found, sha256) = if self.firmware.is_not_written() {
            let AsFound { words, keys, sha256 } = leave_as_found(&self.station).await.map_err(Unready::Retired)?;
            (words, keys, sha256)
        } else {
            // Whether a station can run a plan is asked first, and this is part of it.
            let nobody = || Unready::Retired(Retired("nobody knows where its board keeps its keys".into()));
            let keys = self.keys().ok_or_else(nobody)?;
            (provision(&self.station, &self.firmware, keys).await.map_err(Unready::Retired)?, None, None)
        };
        self.ring().first = found.clone();
        let senses = Senses::begin(self).await.map_err(|failure| Unready::Blind(in_words(&failure)))?;
        Ok(Ready { words, senses, found, sha256 })
    }

    fn watch(&self, change: impl FnOnce(&mut Watched)) {
        self.watched.send_modify(|watched| {
            change(watched);
            watched.wishes += 1;
        });
    }

    /// The rig's own cloud is the driver's, which follows the same command. Without one the board has its own, and the station's gateway lets
    /// what goes there through, or does not.
    async fn cloud(&self, setting: CloudSetting) -> Result<Achieved, CommandError> {
        let file = self.station.file();
        if file.cloud.is_some() {
            return Ok(Achieved::Done);
        }
        let unsupported = |asked: &str| CommandError::Unsupported {
            instrument: format!("station {}", self.station.name()).into(),
            asked: asked.into(),
        };
        let Some(firewall) = &self.station.firewall else {
            let is_genuine = setting.behaviour == CloudBehaviour::Genuine;
            return if is_genuine { Ok(Achieved::Done) } else { Err(unsupported("misbehave as a cloud")) };
        };
        let blocks = if setting.behaviour == CloudBehaviour::Genuine {
            Vec::new()
        } else {
            let unknown = || unsupported("tell what goes to the board's cloud");
            let flow = gateway::flow_of(&file.board).ok_or_else(unknown)?;
            gateway::blocks(setting.behaviour, flow).ok_or_else(|| unsupported("be the wrong cloud"))?
        };
        let block = ask(firewall, "block what goes to the cloud", ACTION, move |firewall, deadline| {
            firewall.block(&blocks, deadline)
        });
        block.await.map(|_| Achieved::Done).map_err(|failure| in_words(&failure))
    }

    async fn act(&self, command: Command) -> Result<Achieved, CommandError> {
        let done = match command {
            Command::Supply(setting) => self.feed(setting).await.map(|()| Achieved::Done),
            Command::Send(text) => self.type_line(&text).await.map(|()| Achieved::Done),
            Command::Reset { hold } => self.reset(hold).await.map(|()| Achieved::Done),
            Command::Press { button, hold } => return self.press(&button, hold).await.map(held),
            Command::PressThroughReset { button, reset, hold } => {
                return self.press_through_reset(&button, reset, hold).await.map(held);
            }
            Command::Enter(entry) => return self.enter(&entry).await,
            Command::Corrupt { slot, class, part, through } => return self.corrupt(slot, class, part, through).await,
            Command::ReadSlot { slot } => return self.read_slot(slot).await,
            Command::ReadFirmware => return self.read_firmware().await,
            Command::Inject(injection) => return self.inject(&injection).await,
            Command::Cloud(setting) => return self.cloud(setting).await,
            Command::Provision
            | Command::Flash { .. }
            | Command::Keys { .. }
            | Command::WatchRail { .. }
            | Command::ReadSupply { .. }
            | Command::MakeSafe => Ok(Achieved::Done),
        };
        done.map_err(|failure| in_words(&failure))
    }

    async fn feed(&self, setting: SupplySetting) -> Result<(), Failure> {
        // A reading that waited behind the proof that off is off would seem not to come at all.
        let _in_use = self.supply_in_use.lock().await;
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
        self.see_it_come_up().await
    }

    /// A fault may strike at once: that the rail had come up must be known by then. One that does not is for the trial to judge.
    async fn see_it_come_up(&self) -> Result<(), Failure> {
        let patience = Deadline::after(COMING_UP);
        loop {
            let reading = self.station.measure().await?;
            self.tell_reading(&reading);
            let is_up = |input: Voltage| rail_of(self.station.board(), input) >= self.minimum;
            if reading.voltage.is_none_or(is_up) || patience.has_passed() {
                return Ok(());
            }
        }
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
        let _in_use = self.console_in_use.lock().await;
        let write = ask(self.station.console()?, "write to it", SENDING, move |console, deadline| {
            console.write(&bytes, deadline).map(drop)
        });
        write.await
    }

    /// Has the board fed for the probe's sake if it is not, does something with its memory, and leaves it as it was: without power, or
    /// begun anew where its memory was written, because programming uses its RAM.
    async fn with_memory<R: Send + 'static>(
        &self,
        asked: &'static str,
        within: Span,
        writes: Writes,
        act: impl FnOnce(&mut provision::Probed<'_>) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, CommandError> {
        let words = |failure: Failure| in_words(&failure);
        let fed = self.fed.load(Ordering::SeqCst);
        let in_use = if fed { None } else { Some(self.supply_in_use.lock().await) };
        if !fed {
            provision::feed(&self.station).await.map_err(words)?;
        }
        let done = provision::with_memory(&self.station, asked, within, act).await.map_err(words)?;
        if !fed {
            self.station.power_off().await.map_err(words)?;
            drop(in_use);
        } else if writes == Writes::Yes {
            provision::restart(&self.station).await.map_err(words)?;
        }
        done.map_err(|StoreError { asked, happened }| CommandError::Failed {
            instrument: format!("probe of {}", self.station.name()).into(),
            asked: asked.into(),
            happened: happened.into(),
        })
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
        let (hands, called_off, decided) = (self.clone(), self.station.calling_off(), Arc::clone(&self.decided));
        let within = BEFORE_A_CUT + hold.unwrap_or(DISCHARGE) + ACTION + ACTION + ACTION;
        let supply = self.station.supply().map_err(|failure| in_words(&failure))?;
        let made = ask(supply, "cut the power", within, move |supply, _| {
            let rail = |input| rail_of(hands.station.board(), input);
            let ended = || called_off.load(Ordering::SeqCst) || decided.load(Ordering::SeqCst);
            cut.make(supply, ended, rail, |reading| hands.tell_reading(&reading))
        });
        let made = made.await.map_err(|failure| in_words(&failure))?;
        if hold.is_none() {
            self.fed.store(false, Ordering::SeqCst);
        } else if made.lowest < self.minimum && made.below + READINGS < CARRIES {
            return Err(CommandError::Failed {
                instrument: supply.device().to_owned().into(),
                asked: "prove that the cut stopped the board".into(),
                happened: format!(
                    "its input was below {} for {}, and the board's capacitors may carry it for {CARRIES}",
                    self.minimum, made.below
                )
                .into(),
            });
        }
        Ok(Achieved::Injected(ShapeAchieved {
            began: self.clock.of(made.began.at),
            uncertainty: made.began.uncertainty,
            lowest: made.lowest,
            below_brown_out: made.below,
        }))
    }

    /// Tells the trial what the supply measured.
    /// For whoever looks on: the trial is told nothing of it.
    pub(crate) fn show_rail(&self, reading: &Reading) {
        if let Some(input) = reading.voltage {
            let _ = self.news.send(News::Rail(rail_of(self.station.board(), input)));
        }
    }

    pub(crate) fn tell_reading(&self, reading: &Reading) {
        if let Some(voltage) = reading.voltage {
            let rail = rail_of(self.station.board(), voltage);
            let current = reading.current.unwrap_or_default();
            self.tell(self.clock.stamp(reading.moment), Observation::Supply { rail, current });
            self.tell_up_to(Sense::Supply, self.clock.of(reading.moment.at));
        }
    }
}

fn held((hold, uncertainty): (Span, Span)) -> Achieved {
    Achieved::Held { hold, uncertainty }
}

/// Every firmware that the plan writes or names, as far as it is there. A whole flash that was read out is none: its keys change.
fn images(plan: &Plan, firmware: &Firmware) -> Arc<[Firmware]> {
    let known = plan.images().into_iter().filter_map(|name| firmware.known_as(&name.0, plan.board.flash.at.0));
    known.filter(|image| !image.is_as_found() && !image.is_not_written()).collect()
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
