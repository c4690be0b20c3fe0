//! The bytes of a console, both ways, over a descriptor that never blocks: read without pause on a thread of its own and stamped at once,
//! written with a deadline that holds.
//!
//! Boundary: bytes and instants. How the descriptor came to be, and what the bytes mean, is the driver's.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use brickproof_units::{Baud, Instant, Span};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;

use crate::clock::{Deadline, Moment, now};
use crate::failure::FailureKind;
use crate::kinds::{Arrival, Chunk};

/// Bytes taken by one read: as many as the kernel's buffer for a terminal gives at once.
const READ: usize = 4096;

/// Reads after the owner let go, so that what had arrived by then is not lost; a device that never stops talking cannot keep the port.
const LAST_READS: usize = 64;

/// Between the wake-up that a byte causes and the stamp, on a quiet host; a bound by convention, not by the kernel.
const WAKE_UP: Span = Span::millis(1);

/// How late bytes are on their way from the wire to this computer, whatever the host does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lateness {
    /// What the adapter or the bus may wait before it hands bytes over.
    pub(crate) transport: Span,
    /// At this rate the first byte of a chunk came before its last.
    pub(crate) baud: Baud,
}

impl Lateness {
    fn of(self, bytes: usize) -> Span {
        // A start bit, eight of data, a stop bit.
        let bits = 10 * bytes as u64;
        self.transport + Span::nanos(bits.saturating_mul(1_000_000_000) / u64::from(self.baud.get()).max(1))
    }
}

/// What arrives, read as it comes: while nobody asks, bytes wait here and not in a kernel buffer that overflows.
pub(crate) struct Arrivals {
    inbox: mpsc::Receiver<Result<Chunk, FailureKind>>,
    bell: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Arrivals {
    /// Starts reading `source`, which must not block. What the kernel kept from before is stamped as if it came now.
    pub(crate) fn start(name: &str, source: OwnedFd, lateness: Lateness) -> io::Result<Self> {
        let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let (outbox, inbox) = mpsc::channel();
        let (heard, emptied) = (Arc::clone(&bell), now());
        let thread = thread::Builder::new()
            .name(name.chars().take(15).collect())
            .spawn(move || Reader { source, bell: heard, outbox, lateness }.run(emptied))?;
        Ok(Self { inbox, bell, thread: Some(thread) })
    }

    /// The next bytes; `None` if none came before the deadline. An error is the last that comes.
    pub(crate) fn next(&self, deadline: Deadline) -> Result<Option<Chunk>, FailureKind> {
        match self.inbox.recv_timeout(deadline.left()) {
            Ok(Ok(chunk)) => Ok(Some(chunk)),
            Ok(Err(kind)) => Err(kind),
            Err(mpsc::RecvTimeoutError::Timeout) => Ok(None),
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(FailureKind::Gone("its reader ended".to_owned())),
        }
    }

    /// Lets go of the source and answers with what had arrived and nobody asked for.
    pub(crate) fn stop(mut self) -> Vec<Chunk> {
        self.join();
        self.inbox.try_iter().map_while(Result::ok).collect()
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            // Neither can fail in a way that leaves the thread running: a full counter rings the bell just as well.
            let _ = rustix::io::write(&self.bell, &1u64.to_ne_bytes());
            let _ = thread.join();
        }
    }
}

impl Drop for Arrivals {
    fn drop(&mut self) {
        self.join();
    }
}

struct Reader {
    source: OwnedFd,
    bell: Arc<OwnedFd>,
    outbox: mpsc::Sender<Result<Chunk, FailureKind>>,
    lateness: Lateness,
}

enum Heard {
    Bytes,
    Bell,
}

impl Reader {
    /// The source is known to have been empty at `emptied`.
    fn run(self, mut emptied: Instant) {
        let mut buffer = [0; READ];
        let mut last_reads = LAST_READS;
        while last_reads > 0 {
            let came = match self.wait(emptied) {
                Ok((Heard::Bytes, came)) => came,
                Ok((Heard::Bell, came)) => {
                    last_reads -= 1;
                    came
                }
                Err(errno) => return self.end(errno.into()),
            };
            match rustix::io::read(&self.source, &mut buffer) {
                Ok(0) => return self.end(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    let at = now();
                    let uncertainty = at.since(came) + self.lateness.of(count);
                    let bytes = buffer.get(..count).unwrap_or_default().to_vec();
                    if self.outbox.send(Ok(Chunk { bytes, arrival: Arrival { at, uncertainty } })).is_err() {
                        return;
                    }
                    emptied = at;
                }
                Err(Errno::AGAIN) if last_reads < LAST_READS => return,
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(errno) => return self.end(errno.into()),
            }
        }
    }

    /// Waits for bytes or the bell, and answers since when bytes may have been there: since the last read if they were already waiting,
    /// otherwise since about now.
    fn wait(&self, emptied: Instant) -> Result<(Heard, Instant), Errno> {
        let nothing = Timespec { tv_sec: 0, tv_nsec: 0 };
        let looked = now();
        if let Some(heard) = self.poll(Some(&nothing))? {
            return Ok((heard, emptied));
        }
        loop {
            if let Some(heard) = self.poll(None)? {
                let woken = now();
                return Ok((heard, looked.max(woken - WAKE_UP)));
            }
        }
    }

    fn poll(&self, timeout: Option<&Timespec>) -> Result<Option<Heard>, Errno> {
        let mut both = [PollFd::new(&self.source, PollFlags::IN), PollFd::new(&self.bell, PollFlags::IN)];
        match poll(&mut both, timeout) {
            Ok(0) | Err(Errno::INTR) => Ok(None),
            Ok(_) if both[1].revents().is_empty() => Ok(Some(Heard::Bytes)),
            Ok(_) => Ok(Some(Heard::Bell)),
            Err(errno) => Err(errno),
        }
    }

    fn end(self, error: io::Error) {
        // Nobody listens any more if the owner let go first.
        let _ = self.outbox.send(Err(FailureKind::from(error)));
    }
}

/// Writes all of it to a descriptor that does not block; answers when the last byte was handed to the kernel.
pub(crate) fn write_all(to: impl AsFd, mut bytes: &[u8], deadline: Deadline) -> Result<Moment, FailureKind> {
    let mut moment = Moment::between(now(), now());
    while !bytes.is_empty() {
        match Moment::of(|| rustix::io::write(&to, bytes)) {
            Ok((count, written)) => {
                moment = written;
                bytes = bytes.get(count..).unwrap_or_default();
            }
            Err(Errno::AGAIN) if deadline.has_passed() => return Err(FailureKind::NoAnswer(deadline.within())),
            Err(Errno::AGAIN) => await_room(&to, deadline)?,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(io::Error::from(errno).into()),
        }
    }
    Ok(moment)
}

fn await_room(to: impl AsFd, deadline: Deadline) -> Result<(), FailureKind> {
    // Centuries need no limit.
    let timeout = Timespec::try_from(deadline.left()).ok();
    match poll(&mut [PollFd::new(&to, PollFlags::OUT)], timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(errno) => Err(io::Error::from(errno).into()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::net::UnixStream;

    use super::*;

    const SOON: Span = Span::secs(10);

    fn pair() -> (UnixStream, Arrivals) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        let lateness = Lateness { transport: Span::ZERO, baud: Baud::new(1_000_000) };
        (ours, Arrivals::start("test", theirs.into(), lateness).unwrap())
    }

    #[test]
    fn a_stamp_is_never_early_and_its_uncertainty_reaches_back_to_the_write() {
        let (mut peer, arrivals) = pair();
        let mut covered = 0;
        for _ in 0..50 {
            let before = now();
            peer.write_all(b"line\n").unwrap();
            let after = now();
            let arrival = arrivals.next(Deadline::after(SOON)).unwrap().unwrap().arrival;
            assert!(arrival.at >= before, "stamped before it was written");
            covered += u32::from(arrival.at - arrival.uncertainty <= after);
        }
        // A busy host wakes a thread later than the bound that holds on a quiet one.
        assert!(covered > 25, "only {covered} of 50 stamps cover their write");
    }

    #[test]
    fn bytes_that_nobody_could_take_yet_may_be_as_old_as_the_start() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        ours.write_all(b"early").unwrap();
        let (bell, (outbox, inbox)) = (eventfd(1, EventfdFlags::NONBLOCK).unwrap(), mpsc::channel());
        let lateness = Lateness { transport: Span::ZERO, baud: Baud::new(1_000_000) };
        let emptied = now();
        thread::sleep(std::time::Duration::from_millis(20));
        Reader { source: theirs.into(), bell: Arc::new(bell), outbox, lateness }.run(emptied);
        let arrival = inbox.recv().unwrap().unwrap().arrival;
        assert!(arrival.at - arrival.uncertainty <= emptied, "{arrival:?} says nothing of {emptied:?}");
    }

    #[test]
    fn what_arrived_before_the_stop_is_handed_over() {
        let (mut peer, arrivals) = pair();
        peer.write_all(&[7; 100_000]).unwrap();
        let bytes: usize = arrivals.stop().iter().map(|chunk| chunk.bytes.len()).sum();
        assert_eq!(bytes, 100_000);
    }

    #[test]
    fn the_end_of_the_stream_comes_after_its_last_byte() {
        let (mut peer, arrivals) = pair();
        peer.write_all(b"last words").unwrap();
        drop(peer);
        assert_eq!(arrivals.next(Deadline::after(SOON)).unwrap().unwrap().bytes, b"last words");
        assert!(matches!(arrivals.next(Deadline::after(SOON)), Err(FailureKind::Gone(_))));
    }

    #[test]
    fn a_peer_that_does_not_read_cannot_hold_a_write_beyond_its_deadline() {
        let (ours, _unread) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let written = write_all(&ours, &vec![0; 10_000_000], Deadline::after(Span::millis(20)));
        assert!(matches!(written, Err(FailureKind::NoAnswer(_))), "{written:?}");
    }
}
