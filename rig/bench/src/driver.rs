//! The bench driver: runs one trial on one station, in real time.
//!
//! Boundary: the loop and its order. What is observed is told to the trial as it comes, each thing with its own instant and how sure that
//! is; what is due is decided once every instrument has told what it saw until then, or has failed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use brickproof_cloud::CloudEvent;
use brickproof_firmware::{Firmware, KeyStore, PUBLISHED};
use brickproof_keys::Slot;
use brickproof_scenario::plan::Plan;
use brickproof_trial::{Achieved, ActionId, Command, CommandError, Observation, Stamp, Trial};
use brickproof_units::{Instant, Span, Voltage};
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;

use crate::clock::Clock;
use crate::eyes;
use crate::hands::{Hands, News, Ready, Renewed, Unready, in_words};
use crate::peer::Peer;
use crate::provision::{Retired, power_cycle, provision};
use crate::senses::{Sense, Senses};
use crate::state::StateError;
use crate::station::{OpenStation, told};

/// How late an observation may be told, at the most, by a host that is not overloaded: a look at the console, and a turn of the tasks. Assumed.
const LATE: Span = Span::millis(25);

/// What a trial is run with.
#[derive(Clone, Debug)]
pub struct Job {
    /// What to do. It must fit the station, see [`crate::fitness::unfit`].
    pub plan: Arc<Plan>,
    /// What runs on the board.
    pub firmware: Firmware,
    /// The seed of everything that is left to chance.
    pub seed: u64,
    /// What the journal calls it: the trial's id.
    pub name: String,
}

/// How far somebody wants a run to stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// Not at all.
    #[default]
    No,
    /// The trial ends, is cleaned up, and the station made safe.
    Soon,
    /// The same, and no step of the cleanup waits.
    Now,
}

/// A trial at its end.
#[derive(Debug)]
pub struct Outcome {
    /// The engine.
    pub trial: Trial,
    /// Why the station is of no use any more, if it is not.
    pub retired: Option<Arc<str>>,
    /// SHA-256 of all of the flash of a board that was left as it was found; `None` if it was not, or could not be read.
    pub found_sha256: Option<Arc<str>>,
}

/// Somebody who looks on while a trial runs, and whom the trial never hears of.
pub trait Onlooker: Send {
    /// Called whenever something may have changed, from the task that drives the trial: to be brief about it is the onlooker's business.
    fn look(&mut self, view: View<'_>);
}

/// Nobody looks on.
impl Onlooker for () {
    fn look(&mut self, _: View<'_>) {}
}

/// What an onlooker is shown.
#[derive(Clone, Copy, Debug)]
pub struct View<'t> {
    /// The trial, as far as it has come.
    pub trial: &'t Trial,
    /// The board's rail as it was read last, also where the trial has no use for the reading.
    pub rail: Option<Voltage>,
}

/// Runs a trial to its end. The station is safe afterwards, or the verdict says that it is not.
///
/// # Errors
/// If nothing can be noted about the station: nothing was driven then.
pub async fn run(
    station: &Arc<OpenStation>,
    job: &Job,
    stop: watch::Receiver<Stop>,
    onlooker: &mut dyn Onlooker,
) -> Result<Outcome, StateError> {
    station.leave_safe_state(&job.name)?;
    let (news, inbox) = mpsc::unbounded_channel();
    let calibrations = eyes::calibrate_all(station).await;
    let clock = Clock::begin();
    let hands = Hands::new(Arc::clone(station), &job.plan, &job.firmware, job.seed, clock, news);
    let mut trial = Trial::new(Arc::clone(&job.plan), calibrations.as_ref().cloned().unwrap_or_default());
    if let Err(failure) = &calibrations {
        trial.observe(Stamp::exact(clock.now()), Observation::InstrumentFailed(in_words(failure)));
    }
    let peer = station.file().cloud.map(|_| Peer::new(job.plan.cloud, vec![PUBLISHED.device_old.clone()], job.seed));
    let run = Run {
        trial,
        hands,
        inbox,
        peer,
        senses: None,
        told: BTreeMap::new(),
        seen: BTreeMap::new(),
        count: 0,
        woken: None,
        open: BTreeSet::new(),
        provisioning: None,
        begins_anew: None,
        retired: None,
        found_sha256: None,
        rail: None,
        stop,
    };
    Ok(run.finish(onlooker).await)
}

/// Brings a board back that told nothing any more: dark for a while, then firmware and genuine keys are verified and what differs is written,
/// up the ladder of what may help. The station is safe afterwards. What was written is told.
///
/// # Errors
/// Why it cannot be brought back, or that the station is not known to be safe.
pub async fn recover(station: &Arc<OpenStation>, firmware: &Firmware) -> Result<String, String> {
    if firmware.is_not_written() {
        return recover_as_found(station).await;
    }
    let Some(keys) = KeyStore::of(station.board(), firmware) else {
        return Err(format!("firmware and keys of a {} cannot be written yet", station.board().name));
    };
    station.leave_safe_state("recover its board").map_err(|error| error.to_string())?;
    // A board that hangs is not woken by being written to alone.
    let provisioned = match power_cycle(station).await {
        Ok(()) => provision(station, firmware, keys).await.map_err(|it| it.0),
        Err(failure) => Err(told(&failure).into()),
    };
    let safe = station.make_safe().await.map_err(|failures| {
        let told: Vec<String> = failures.iter().map(told).collect();
        format!("station {} is not known to be safe: {}", station.name(), told.join("; "))
    });
    match (provisioned, safe) {
        (_, Err(unsafe_)) => Err(unsafe_),
        (Ok(done), Ok(())) => Ok(done.to_string()),
        (Err(why), Ok(())) => Err(why.to_string()),
    }
}

/// The same for a board whose firmware and keys nobody knows: it is dark for a while, and nothing is written to it.
async fn recover_as_found(station: &Arc<OpenStation>) -> Result<String, String> {
    station.leave_safe_state("recover its board").map_err(|error| error.to_string())?;
    let cycled = power_cycle(station).await.map_err(|failure| told(&failure));
    let safe = station.make_safe().await.map_err(|failures| {
        let told: Vec<String> = failures.iter().map(told).collect();
        format!("station {} is not known to be safe: {}", station.name(), told.join("; "))
    });
    safe.and(cycled).map(|()| "it had no power for a while; firmware and keys are as they were".to_owned())
}

struct Run {
    trial: Trial,
    hands: Hands,
    inbox: mpsc::UnboundedReceiver<News>,
    peer: Option<Peer>,
    senses: Option<Senses>,
    /// Up to when everything that a sense saw has been told.
    told: BTreeMap<Sense, Instant>,
    /// What was seen and not yet told to the trial, in the order of its instants.
    seen: BTreeMap<(Instant, u64), (Stamp, Observation)>,
    count: u64,
    /// What the trial was woken for last.
    woken: Option<Instant>,
    /// What was asked for and not answered.
    open: BTreeSet<ActionId>,
    provisioning: Option<(ActionId, AbortHandle)>,
    /// For this request the board begins anew: nothing is told before it is answered, because what the board does then belongs to what follows.
    begins_anew: Option<ActionId>,
    retired: Option<Arc<str>>,
    found_sha256: Option<Arc<str>>,
    /// As it was read last.
    rail: Option<Voltage>,
    stop: watch::Receiver<Stop>,
}

impl Run {
    async fn finish(mut self, onlooker: &mut dyn Onlooker) -> Outcome {
        let clock = self.hands.clock;
        let mut stopping = Stop::No;
        loop {
            let wanted = *self.stop.borrow();
            while stopping < wanted {
                stopping = if stopping == Stop::No { Stop::Soon } else { Stop::Now };
                self.trial.abort("interrupted");
            }
            self.settle();
            onlooker.look(View { trial: &self.trial, rail: self.rail });
            let Some(wake) = self.trial.next_wake() else { break };
            let due = self.peer.as_ref().and_then(Peer::next_due).unwrap_or(Instant::NEVER);
            // A trial that was woken in vain waits for something to be seen.
            let waits = self.woken != Some(wake) && self.is_told(wake) && !self.holds_back();
            tokio::select! {
                biased;
                // Whoever held the other end is gone: nobody will ask for a stop any more.
                Ok(()) = self.stop.changed() => {}
                Some(news) = self.inbox.recv() => self.take(news),
                () = clock.until(due) => self.send_due(),
                () = clock.until(wake + LATE), if waits => {}
            }
        }
        if let Some(senses) = self.senses.take() {
            senses.stop().await;
        }
        self.hands.clone().stop().await;
        self.answer_what_is_open();
        Outcome { trial: self.trial, retired: self.retired, found_sha256: self.found_sha256 }
    }

    /// Tells the trial what was seen, and wakes it, as far as that can be done without telling it of something later first: what is
    /// stamped after an instant at which something is due waits until that is decided.
    fn settle(&mut self) {
        loop {
            self.carry_out();
            let Some(wake) = self.trial.next_wake() else { return };
            if self.holds_back() {
                return;
            }
            if let Some(entry) = self.seen.first_entry()
                && (entry.key().0 <= wake || self.woken == Some(wake))
            {
                let (stamp, observation) = entry.remove();
                self.observe(stamp, observation);
            } else if self.woken != Some(wake) && self.hands.clock.now() >= wake + LATE && self.is_told(wake) {
                self.woken = Some(wake);
                self.trial.wake(wake);
            } else {
                return;
            }
        }
    }

    /// Whether everything has been told that was seen by then. An instrument that hangs must fail before the board is judged without it; it
    /// does, because whoever asks it waits no longer than it must.
    fn is_told(&self, at: Instant) -> bool {
        self.trial.is_decided() || self.told.values().all(|told| *told >= at)
    }

    /// Whether what is seen is kept until it is known when the board began anew.
    fn holds_back(&self) -> bool {
        self.begins_anew.is_some() && !self.trial.is_decided()
    }

    fn observe(&mut self, stamp: Stamp, observation: Observation) {
        if let Observation::Answered { id, .. } = &observation {
            self.open.remove(id);
        }
        self.trial.observe(stamp, observation);
    }

    fn carry_out(&mut self) {
        if self.trial.is_decided() {
            self.hands.decided();
            if let Some((id, task)) = self.provisioning.take() {
                task.abort();
                self.observe(self.now(), Observation::Answered { id, result: Err(ended("make the board ready")) });
            }
        }
        while let Some(action) = self.trial.poll_action() {
            let (id, provisions) = (action.id, action.command == Command::Provision);
            self.open.insert(id);
            if provisions && self.trial.is_decided() {
                self.observe(self.now(), Observation::Answered { id, result: Err(ended("make the board ready")) });
                continue;
            }
            if let (Command::Cloud(setting), Some(peer)) = (&action.command, &mut self.peer) {
                peer.behave(*setting);
            }
            let task = self.hands.carry_out(action);
            if let (true, Some(task)) = (provisions, task) {
                self.provisioning = Some((id, task));
            }
        }
    }

    fn now(&self) -> Stamp {
        Stamp::exact(self.hands.clock.now())
    }

    /// What the trial asked for and did not wait for to the end.
    fn answer_what_is_open(&mut self) {
        while let Ok(news) = self.inbox.try_recv() {
            self.take(news);
        }
        for (stamp, observation) in std::mem::take(&mut self.seen).into_values() {
            if matches!(observation, Observation::Answered { .. }) {
                self.observe(stamp, observation);
            }
        }
        for id in std::mem::take(&mut self.open) {
            self.observe(self.now(), Observation::Answered { id, result: Err(ended("go on")) });
        }
    }

    fn take(&mut self, news: News) {
        match news {
            News::Provisioned(id, ready) => {
                if self.provisioning.take_if(|(asked, _)| *asked == id).is_some() {
                    let result = self.begin(ready);
                    self.keep(self.now(), Observation::Answered { id, result });
                }
            }
            News::UpTo(sense, at) => {
                // None before the board is ready: nothing is judged until then.
                if let Some(told) = self.told.get_mut(&sense) {
                    *told = at.max(*told);
                }
            }
            News::Renewed(id, renewed) => {
                let result = self.renewed(*renewed);
                self.keep(self.now(), Observation::Answered { id, result });
            }
            News::BeginsAnew(id) => self.begins_anew = Some(id),
            News::LeftUnsafe(why) => self.retired = Some(why),
            News::Rail(rail) => self.rail = Some(rail),
            News::Seen(stamp, Observation::Console(bytes)) => {
                let events = self.peer.as_mut().map(|peer| peer.hear(stamp.at, &bytes)).unwrap_or_default();
                self.keep(stamp, Observation::Console(bytes));
                for (at, event) in events {
                    match &event {
                        CloudEvent::KeyOffered { new, .. } => self.hands.ring().issued(*new),
                        CloudEvent::Rotated { new, .. } => self.hands.ring().rotated(*new),
                        _ => {}
                    }
                    self.keep(Stamp { at, ..stamp }, Observation::Cloud(event));
                }
            }
            News::Seen(stamp, observation) => {
                match &observation {
                    Observation::Answered { id, .. } => drop(self.begins_anew.take_if(|asked| asked == id)),
                    Observation::Supply { rail, .. } => self.rail = Some(*rail),
                    _ => {}
                }
                self.keep(stamp, observation);
            }
        }
    }

    fn keep(&mut self, stamp: Stamp, observation: Observation) {
        self.seen.insert((stamp.at, self.count), (stamp, observation));
        self.count += 1;
    }

    /// The rig's own cloud accepts the board's new key from now on.
    fn renewed(&mut self, renewed: Renewed) -> Result<Achieved, CommandError> {
        let Renewed { device, words } = renewed;
        let new = device.fingerprint();
        let Some(peer) = &mut self.peer else { return Err(ended("register a new identity")) };
        let old = peer.renew(device);
        self.hands.ring().renewed(new);
        Ok(Achieved::NewIdentity { old, new, words })
    }

    fn begin(&mut self, ready: Result<Ready, Unready>) -> Result<Achieved, CommandError> {
        match ready {
            Ok(Ready { words, senses, found, sha256 }) => {
                self.found_sha256 = sha256;
                // A board that was left as it is has its own identity, which the rig's own cloud is to know.
                if let (Some(keys), Some(peer)) = (found, &mut self.peer) {
                    peer.renew(keys.get(Slot::DevicePrivate).clone());
                }
                self.senses = Some(senses);
                self.told = Senses::all(&self.hands).map(|sense| (sense, Instant::START)).collect();
                Ok(Achieved::Changed(words))
            }
            Err(Unready::Blind(error)) => Err(error),
            Err(Unready::Retired(Retired(why))) => {
                self.retired = Some(Arc::clone(&why));
                Err(CommandError::Failed {
                    instrument: format!("station {}", self.hands.station.name()).into(),
                    asked: "make its board ready".into(),
                    happened: why,
                })
            }
        }
    }

    fn send_due(&mut self) {
        let Some(peer) = &mut self.peer else { return };
        // In one piece: tasks of their own might overtake each other.
        let bytes = peer.take_due(self.hands.clock.now()).concat();
        if bytes.is_empty() {
            return;
        }
        let hands = self.hands.clone();
        self.hands.begin(async move {
            if let Err(failure) = hands.write_console(bytes).await {
                hands.tell_failure(&failure);
            }
        });
    }
}

fn ended(asked: &str) -> CommandError {
    CommandError::Failed {
        instrument: "the station".into(),
        asked: asked.into(),
        happened: "the trial ended before that was done".into(),
    }
}
