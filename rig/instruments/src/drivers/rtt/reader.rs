//! Reads a ring without pause, on a thread of its own: while nobody asks, bytes wait here and not in a small ring in the chip.
//!
//! Boundary: when to look, what a look's failure means, and the lines that the rig itself says. The probe's own thread does the looking, between
//! whatever else the probe is asked.

use std::collections::VecDeque;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use brickproof_units::{Instant, Span};

use crate::clock::{Deadline, now};
use crate::failure::{Failure, FailureKind};
use crate::kinds::{Arrival, Chunk, Memory, Probe};
use crate::owner::Owner;

use super::ring::{Heard, Life, Next, Ring, Seen, look_deadline};

/// How often a board that does not answer is looked for: attaching in vain takes a probe for some 100 ms.
const SEARCH: Duration = Duration::from_millis(50);
/// How often it is looked whether anybody still wants to hear.
const WANTED: Duration = Duration::from_millis(50);
/// How long a running board may have no ring before that is said.
const SPEECHLESS: Span = Span::secs(1);
/// A chip that says it is locked may only be about to start, or to lose its power; it is believed after this long.
const LOCKED: Span = Span::secs(1);
/// How long the end of a reader is waited for.
const ENDING: Duration = Duration::from_millis(500);

/// What the bytes of a channel say.
pub(crate) trait Language: Send {
    fn listener(&self) -> Box<dyn Listener + '_>;
}

/// What follows from bytes, in their order.
pub(crate) trait Listener {
    /// The text that these bytes complete. What they say wrongly is said in it.
    fn hear(&mut self, bytes: Vec<u8>) -> Vec<u8>;
    /// What comes next does not follow on what came.
    fn anew(&mut self);
}

/// Bytes that are text.
pub(crate) struct Text;

impl Language for Text {
    fn listener(&self) -> Box<dyn Listener + '_> {
        Box::new(Self)
    }
}

impl Listener for Text {
    fn hear(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }

    fn anew(&mut self) {}
}

#[derive(Debug, Default)]
struct Inbox {
    chunks: VecDeque<Chunk>,
    /// What keeps the probe or the ring from being read, as of the last look.
    trouble: Option<FailureKind>,
    stopping: bool,
    ended: bool,
}

/// The inbox, and its bell.
#[derive(Debug, Default)]
struct Shared {
    inbox: Mutex<Inbox>,
    bell: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'i>(&self, inbox: MutexGuard<'i, Inbox>, time: Duration) -> MutexGuard<'i, Inbox> {
        self.bell.wait_timeout(inbox, time).unwrap_or_else(PoisonError::into_inner).0
    }

    fn change(&self, act: impl FnOnce(&mut Inbox)) {
        act(&mut self.lock());
        self.bell.notify_all();
    }
}

/// The ring, wherever it is just being looked at.
#[derive(Clone)]
pub(crate) struct RingAtProbe {
    pub(crate) probe: Arc<Owner<dyn Probe>>,
    pub(crate) ring: Arc<Mutex<Ring>>,
}

impl RingAtProbe {
    /// Has the probe do something with the ring; waits as long as somebody wants the answer. `None` if nobody does.
    fn ask<R: Send + 'static>(
        &self,
        asked: &'static str,
        is_wanted: impl Fn() -> bool,
        mut act: impl FnMut(&mut Ring, &mut dyn Memory) -> Result<R, FailureKind> + Send + 'static,
    ) -> Option<Result<R, Failure>> {
        let (answer, answered) = mpsc::sync_channel(1);
        let ring = Arc::clone(&self.ring);
        let sent = self.probe.send(asked, move |probe| {
            let mut ring = ring.lock().unwrap_or_else(PoisonError::into_inner);
            let mut result = None;
            let looked = probe.look(
                &mut |memory| {
                    result = Some(act(&mut ring, memory)?);
                    Ok(())
                },
                look_deadline(),
            );
            if looked.is_err() {
                ring.lose();
            }
            // Nobody listens any more if it came too late.
            let _ = answer.send(looked.map(|()| result));
        });
        if let Err(failure) = sent {
            return Some(Err(failure));
        }
        loop {
            match answered.recv_timeout(WANTED) {
                Ok(Ok(Some(result))) => return Some(Ok(result)),
                // A probe that says it looked, and did not.
                Ok(Ok(None)) => return Some(Err(self.probe.gone(asked))),
                Ok(Err(failure)) => return Some(Err(failure)),
                Err(RecvTimeoutError::Disconnected) => return Some(Err(self.probe.gone(asked))),
                Err(RecvTimeoutError::Timeout) if is_wanted() => {}
                Err(RecvTimeoutError::Timeout) => return None,
            }
        }
    }

    /// Writes what there is room for.
    pub(crate) fn write(&self, bytes: &[u8], deadline: Deadline) -> Result<usize, FailureKind> {
        let bytes = bytes.to_vec();
        let written = self.ask(
            "write to its console",
            || !deadline.has_passed(),
            move |ring, memory| {
                // Given up by whoever asked: what is written now is written twice.
                if deadline.has_passed() { Ok(0) } else { ring.write(memory, &bytes) }
            },
        );
        match written {
            None => Ok(0),
            Some(Ok(count)) => Ok(count),
            Some(Err(failure)) => Err(failure.into_kind()),
        }
    }
}

/// What arrives. Dropping it ends the reading.
pub(crate) struct Arrivals(Arc<Shared>);

impl Arrivals {
    /// Starts reading. `name` is what the rig's own lines call the console.
    pub(crate) fn start(
        name: String,
        ring: RingAtProbe,
        language: Box<dyn Language>,
        poll: Span,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let reader = Reader {
            name,
            ring,
            shared: Arc::clone(&shared),
            poll: Duration::from_nanos(poll.as_nanos()),
            column: 0,
            speech: Speech::Heard,
            locked: None,
        };
        std::thread::Builder::new().name("rtt".to_owned()).spawn(move || {
            let ended = Ended(Arc::clone(&reader.shared));
            reader.run(language.as_ref());
            drop(ended);
        })?;
        Ok(Self(shared))
    }

    /// The next bytes; `None` if none came before the deadline.
    pub(crate) fn next(&self, deadline: Deadline) -> Result<Option<Chunk>, FailureKind> {
        let mut inbox = self.0.lock();
        loop {
            if let Some(chunk) = inbox.chunks.pop_front() {
                return Ok(Some(chunk));
            }
            if let Some(trouble) = inbox.trouble.take() {
                return Err(trouble);
            }
            if inbox.ended {
                return Err(FailureKind::Gone("its reader ended".to_owned()));
            }
            if deadline.has_passed() {
                return Ok(None);
            }
            inbox = self.0.wait(inbox, deadline.left());
        }
    }
}

impl Drop for Arrivals {
    fn drop(&mut self) {
        self.0.change(|inbox| inbox.stopping = true);
        // So that a board is not left waiting for a reader who is gone; a probe that hangs is not waited for.
        let until = Deadline::after(Span::nanos(ENDING.as_nanos() as u64));
        let mut inbox = self.0.lock();
        while !inbox.ended && !until.has_passed() {
            inbox = self.0.wait(inbox, until.left());
        }
    }
}

/// Tells the end of a reader, also of one that panicked.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.change(|inbox| inbox.ended = true);
    }
}

struct Reader {
    name: String,
    ring: RingAtProbe,
    shared: Arc<Shared>,
    poll: Duration,
    /// How far the last line got.
    column: usize,
    speech: Speech,
    /// Since when the chip says that it is locked.
    locked: Option<Instant>,
}

/// Whether a board that answers has a ring. That it has none is said once.
#[derive(Clone, Copy, Debug)]
enum Speech {
    Heard,
    MissedSince(Instant),
    MissedAndSaid,
}

impl Reader {
    fn run(mut self, language: &dyn Language) {
        let mut listener = language.listener();
        while self.is_wanted() {
            let shared = Arc::clone(&self.shared);
            let wanted = move || !shared.lock().stopping;
            let Some(seen) = self.ring.ask("listen to its console", wanted, Ring::look) else { break };
            let pause = match seen {
                Ok(seen) => self.saw(seen, listener.as_mut()),
                Err(failure) => self.failed(failure.into_kind()),
            };
            self.rest(pause);
        }
        let patience = look_deadline();
        // A board that does not answer any more has no mode.
        let _ = self.ring.ask("let go of its console", || !patience.has_passed(), Ring::release);
    }

    fn is_wanted(&self) -> bool {
        !self.shared.lock().stopping
    }

    fn rest(&self, pause: Duration) {
        let until = Deadline::after(Span::nanos(pause.as_nanos() as u64));
        let mut inbox = self.shared.lock();
        while !inbox.stopping && !until.has_passed() {
            inbox = self.shared.wait(inbox, until.left());
        }
    }

    /// Answers how long nothing has to be done.
    fn saw(&mut self, seen: Seen, listener: &mut dyn Listener) -> Duration {
        self.shared.change(|inbox| inbox.trouble = None);
        self.locked = None;
        match seen {
            Seen::Nothing { why, next } => {
                if next == Next::Later {
                    self.saw_nothing(&why);
                }
                if next == Next::AtOnce { Duration::ZERO } else { SEARCH.min(self.poll) }
            }
            Seen::Bytes(heard) => {
                self.speech = Speech::Heard;
                let next = heard.next;
                self.heard(heard, listener);
                if next == Next::AtOnce { Duration::ZERO } else { self.poll }
            }
        }
    }

    fn saw_nothing(&mut self, why: &str) {
        match self.speech {
            Speech::Heard => self.speech = Speech::MissedSince(now()),
            Speech::MissedSince(since) if now().since(since) >= SPEECHLESS => {
                self.speech = Speech::MissedAndSaid;
                self.say(&format!("nothing to hear: {why}"), now(), Span::ZERO);
            }
            Speech::MissedSince(_) | Speech::MissedAndSaid => {}
        }
    }

    fn heard(&mut self, heard: Heard, listener: &mut dyn Listener) {
        let uncertainty = heard.at.since(heard.since);
        if heard.life == Life::Anew {
            listener.anew();
            let words = format!("the ring began anew: what the board wrote in the {uncertainty} before is lost");
            self.say(&words, heard.at, uncertainty);
        }
        if !heard.bytes.is_empty() {
            self.push(listener.hear(heard.bytes), heard.at, uncertainty);
        }
        if let Some(address) = heard.differs {
            let words = format!(
                "`elf` is not that of the firmware that runs: the board holds something else at {address:#010x}"
            );
            self.say(&words, heard.at, uncertainty);
        }
    }

    /// A board that has no power does not answer, and says nothing; whatever else is wrong is the bench's.
    fn failed(&mut self, kind: FailureKind) -> Duration {
        self.speech = Speech::Heard;
        if !matches!(kind, FailureKind::Denied(_)) {
            self.locked = None;
        }
        let is_silence = match kind {
            FailureKind::Answer(_) | FailureKind::NoAnswer(_) => true,
            FailureKind::Denied(_) => now().since(*self.locked.get_or_insert_with(now)) < LOCKED,
            _ => false,
        };
        self.shared.change(|inbox| inbox.trouble = (!is_silence).then_some(kind));
        SEARCH
    }

    /// A line of the rig's own.
    fn say(&mut self, words: &str, at: Instant, uncertainty: Span) {
        let before = if self.column == 0 { "" } else { "\n" };
        self.push(format!("{before}[rig] {}: {words}\n", self.name).into_bytes(), at, uncertainty);
    }

    fn push(&mut self, bytes: Vec<u8>, at: Instant, uncertainty: Span) {
        if bytes.is_empty() {
            return;
        }
        self.column = bytes.iter().rev().take_while(|byte| **byte != b'\n').count();
        self.shared.change(|inbox| inbox.chunks.push_back(Chunk { bytes, arrival: Arrival { at, uncertainty } }));
    }
}
