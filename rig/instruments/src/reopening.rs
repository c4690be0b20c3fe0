//! A console whose device may go away and come back: lost once, then looked for by whoever reads or writes next; or silent while it is away, if
//! that is its way.
//!
//! Boundary: losing and finding. What a port is and how it is opened is its [`Source`]'s.

use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::{Deadline, Moment};
use crate::failure::{Failure, FailureKind};
use crate::kinds::{Chunk, Console, Touch};

/// How often a device that is away is looked for.
const SEARCH: Duration = Duration::from_millis(20);

/// Where ports come from.
pub(crate) trait Source: Send {
    type Port: Port + Send;
    /// Reads after "failed to".
    fn asked(&self) -> String;
    fn open(&self, deadline: Deadline) -> Result<Self::Port, FailureKind>;
    fn touch(&self, port: Self::Port, touch: Touch, deadline: Deadline) -> Touched<Self::Port>;
    /// Whether its device comes and goes by itself, so that its absence is no failure of whoever listens.
    fn is_passing(&self) -> bool {
        false
    }
}

/// A port as long as it is open. A failure of kind [`Gone`](FailureKind::Gone) is its end.
pub(crate) trait Port {
    /// The next bytes; `None` if none came before the deadline.
    fn next(&mut self, deadline: Deadline) -> Result<Option<Chunk>, FailureKind>;
    fn write(&mut self, bytes: &[u8], deadline: Deadline) -> Result<Moment, FailureKind>;
    /// Lets go of it; answers with what had arrived and was not asked for.
    fn close(self) -> Vec<Chunk>;
}

/// What a touch left.
pub(crate) struct Touched<P> {
    pub(crate) done: Result<Moment, FailureKind>,
    /// None if the device went away, as one that understood it does.
    pub(crate) port: Option<P>,
    /// What had arrived from ports that were closed for it.
    pub(crate) unread: Vec<Chunk>,
}

/// A console that survives its device's absence.
pub(crate) struct Reopening<S: Source> {
    device: String,
    source: S,
    /// `None` while the device is away.
    port: Option<S::Port>,
    /// Read from a port that was closed since.
    unread: VecDeque<Chunk>,
}

impl<S: Source> Reopening<S> {
    /// Opens it for the first time: a device that is not there at the start is not waited for, and missed unless it comes and goes by itself.
    pub(crate) fn open(device: String, source: S, deadline: Deadline) -> Result<Self, Failure> {
        match source.open(deadline) {
            Ok(port) => Ok(Self { device, source, port: Some(port), unread: VecDeque::new() }),
            Err(kind) if source.is_passing() && may_pass(&kind) => {
                Ok(Self { device, source, port: None, unread: VecDeque::new() })
            }
            Err(kind) => Err(explained(Failure::new(device, source.asked(), kind))),
        }
    }

    fn fail(&self, asked: &str, kind: FailureKind) -> Failure {
        explained(Failure::new(&self.device, asked, kind))
    }

    /// Takes the open port; one that is away is looked for until the deadline.
    fn take(&mut self, deadline: Deadline) -> Result<S::Port, Failure> {
        if let Some(port) = self.port.take() {
            return Ok(port);
        }
        loop {
            match self.source.open(deadline) {
                Ok(port) => return Ok(port),
                Err(kind) if deadline.has_passed() || !may_pass(&kind) => {
                    return Err(self.fail(&self.source.asked(), kind));
                }
                Err(_) => std::thread::sleep(deadline.left().min(SEARCH)),
            }
        }
    }

    /// Has the port do something, and closes it if that shows that it is gone.
    fn with<R>(
        &mut self,
        asked: &str,
        deadline: Deadline,
        act: impl FnOnce(&mut S::Port) -> Result<R, FailureKind>,
    ) -> Result<R, Failure> {
        let mut port = self.take(deadline)?;
        let result = act(&mut port);
        if let Err(FailureKind::Gone(_)) = result {
            self.unread.extend(port.close());
        } else {
            self.port = Some(port);
        }
        result.map_err(|kind| self.fail(asked, kind))
    }
}

impl<S: Source> Console for Reopening<S> {
    fn read(&mut self, deadline: Deadline) -> Result<Option<Chunk>, Failure> {
        if let Some(chunk) = self.unread.pop_front() {
            return Ok(Some(chunk));
        }
        let read = self.with("read from it", deadline, |port| port.next(deadline));
        match read {
            // What had arrived before it went is still to be read.
            Err(failure) if self.source.is_passing() && may_pass(failure.kind()) => Ok(self.unread.pop_front()),
            read => read,
        }
    }

    fn write(&mut self, bytes: &[u8], deadline: Deadline) -> Result<Moment, Failure> {
        self.with("write to it", deadline, |port| port.write(bytes, deadline))
    }

    fn touch(&mut self, touch: Touch, deadline: Deadline) -> Result<Moment, Failure> {
        let port = self.take(deadline)?;
        let touched = self.source.touch(port, touch, deadline);
        self.port = touched.port;
        self.unread.extend(touched.unread);
        touched.done.map_err(|kind| self.fail(&format!("open it at {} and come back", touch.0), kind))
    }
}

fn explained(failure: Failure) -> Failure {
    match failure.kind() {
        FailureKind::Gone(_) => failure.with_help("connect it again: it is reopened when the device is back"),
        FailureKind::Denied(_) => failure.with_help("this user needs the group of the port, mostly `dialout`"),
        FailureKind::Busy(_) => failure.with_help("`fuser` names the program that holds the port"),
        _ => failure,
    }
}

/// Whether waiting may help. A new node is denied for a moment, until udev has given it its group.
fn may_pass(kind: &FailureKind) -> bool {
    matches!(kind, FailureKind::Missing(_) | FailureKind::Gone(_) | FailureKind::Denied(_))
}
