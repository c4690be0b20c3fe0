//! The boards' ends of the consoles, in a process of their own, so that what they cost is not counted as the bench's: pseudo-terminals on
//! which each board speaks while it has power.
//!
//! Boundary: words and bytes. The other process says which board has power; this one says where the terminals are and what was said.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use brickproof_instruments::{Deadline, Switch, now};
use brickproof_units::{Instant, Span};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::stream::{BYTES_PER_SECOND, LAST, Speech};

/// No more is handed over at once: what an FTDI adapter gathers in 16 ms, with which Linux starts it (`ftdi_sio`). A board that was kept
/// from speaking for longer does not make up for it, as no wire does.
const BURST: u64 = 16 * BYTES_PER_SECOND / 1_000;

/// A board that was switched off says its last line so much later: by then the trial looks out for it.
const BEFORE_THE_LAST: Span = Span::millis(500);
/// How long the kernel may have no room.
const TAKEN: Span = Span::secs(30);

/// How the boards speak.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    pub(crate) stations: usize,
    /// How often bytes are handed over.
    pub(crate) frame: Span,
    /// A line of the first station that gets lost on the wire.
    pub(crate) lost: Option<u64>,
}

/// What a board said since it was switched on, until it was switched off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// The how many-th time it was, counted from 1.
    pub(crate) boot: u64,
    pub(crate) lines: u64,
    pub(crate) bytes: u64,
    /// So many bytes had to wait, at the most, because the kernel had no room for them. A USB device keeps them, as the bus answers for.
    pub(crate) held_back: u64,
    /// For how long it was kept from speaking by its own process.
    pub(crate) kept_silent: Span,
}

/// Plays the boards until `orders` end.
pub(crate) fn serve(manner: Manner, orders: impl Read, answers: impl Write + Send + 'static) -> io::Result<()> {
    let answers = Arc::new(Mutex::new(answers));
    let mut boards = Vec::new();
    for station in 0..manner.stations {
        let (master, path) = terminal()?;
        answer(&answers, format_args!("terminal {station} {path}"))?;
        let (order, inbox) = mpsc::channel();
        let answers = Arc::clone(&answers);
        let board = thread::Builder::new().spawn(move || -> io::Result<()> {
            for boot in 1.. {
                let Some(said) = live(manner, (station, boot), &master, &inbox)? else { break };
                let Said { lines, bytes, held_back, kept_silent, .. } = said;
                let kept_silent = kept_silent.as_nanos();
                answer(&answers, format_args!("said {station} {boot} {lines} {bytes} {held_back} {kept_silent}"))?;
            }
            Ok(())
        })?;
        boards.push((order, board));
    }
    for line in BufReader::new(orders).lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let (switch, station) = match words[..] {
            ["on", station] => (Switch::On, station),
            ["off", station] => (Switch::Off, station),
            _ => return Err(garbled(&line)),
        };
        let (order, _) = station.parse().ok().and_then(|it: usize| boards.get(it)).ok_or_else(|| garbled(&line))?;
        // A board that ended tells why when it is joined.
        let _ = order.send(switch);
    }
    for (order, board) in boards {
        drop(order);
        board.join().map_err(|_| io::Error::other("a board's thread panicked"))??;
    }
    Ok(())
}

fn answer(answers: &Mutex<impl Write>, words: std::fmt::Arguments<'_>) -> io::Result<()> {
    let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
    writeln!(answers, "{words}")?;
    answers.flush()
}

fn garbled(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("`{line}` was not understood"))
}

fn terminal() -> io::Result<(OwnedFd, String)> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    rustix::io::ioctl_fionbio(&master, true)?;
    let path = ptsname(&master, Vec::new())?.to_string_lossy().into_owned();
    Ok((master, path))
}

/// From one switching on to the next switching off; `None` if nobody gives orders any more.
fn live(
    manner: Manner,
    (station, boot): (usize, u64),
    wire: &OwnedFd,
    orders: &Receiver<Switch>,
) -> io::Result<Option<Said>> {
    loop {
        match orders.recv() {
            Ok(Switch::On) => break,
            Ok(Switch::Off) => {}
            Err(_) => return Ok(None),
        }
    }
    let mut speech = Speech::new(station, boot, manner.lost.filter(|_| station == 0));
    let (mut said, mut waiting) = (Said { boot, ..Said::default() }, Vec::new());
    let began = now();
    // Boards do not speak in step.
    let mut next = began + Span::nanos(manner.frame.as_nanos() * station as u64 / manner.stations as u64);
    loop {
        sleep_until(next);
        next += manner.frame;
        let off = match orders.try_recv() {
            Ok(Switch::Off) | Err(TryRecvError::Disconnected) => true,
            Ok(Switch::On) | Err(TryRecvError::Empty) => false,
        };
        if off {
            break;
        }
        let now = now();
        let spoken = now.since(began).as_nanos().saturating_sub(said.kept_silent.as_nanos());
        let due = (spoken / 1_000 * BYTES_PER_SECOND / 1_000_000).saturating_sub(said.bytes);
        let missed = due.saturating_sub(BURST);
        said.kept_silent = said.kept_silent + Span::micros(missed * 1_000_000 / BYTES_PER_SECOND);
        let bytes = speech.take((due - missed) as usize, now);
        said.bytes += bytes.len() as u64;
        waiting.extend(bytes);
        hand_over(wire, &mut waiting)?;
        said.held_back = said.held_back.max(waiting.len() as u64);
    }
    waiting.extend(speech.rest());
    drain(wire, &mut waiting, manner)?;
    sleep_until(now() + BEFORE_THE_LAST);
    waiting.extend_from_slice(LAST);
    drain(wire, &mut waiting, manner)?;
    said.lines = speech.lines();
    Ok(Some(said))
}

/// All of it, which somebody must take.
fn drain(wire: &OwnedFd, waiting: &mut Vec<u8>, manner: Manner) -> io::Result<()> {
    let deadline = Deadline::after(TAKEN);
    hand_over(wire, waiting)?;
    while !waiting.is_empty() {
        if deadline.has_passed() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        sleep_until(now() + manner.frame);
        hand_over(wire, waiting)?;
    }
    Ok(())
}

/// As much of it as the kernel has room for.
fn hand_over(wire: &OwnedFd, waiting: &mut Vec<u8>) -> io::Result<()> {
    while !waiting.is_empty() {
        match rustix::io::write(wire, waiting) {
            Ok(count) => drop(waiting.drain(..count)),
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::AGAIN) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn sleep_until(at: Instant) {
    thread::sleep(Duration::from_nanos(at.since(now()).as_nanos()));
}

/// The boards, as the bench sees them.
pub(crate) struct Boards {
    /// Where each board's console is.
    pub(crate) terminals: Vec<String>,
    power: Power,
    hearing: JoinHandle<io::Result<BTreeMap<usize, Said>>>,
    process: Option<Child>,
}

/// Switches boards on and off.
#[derive(Clone)]
pub(crate) struct Power(Arc<Mutex<Option<Box<dyn Write + Send>>>>);

impl Power {
    pub(crate) fn switch(&self, station: usize, switch: Switch) -> io::Result<()> {
        let mut orders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let orders = orders.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        let word = if switch == Switch::On { "on" } else { "off" };
        writeln!(orders, "{word} {station}")?;
        orders.flush()
    }
}

impl Boards {
    /// This program once more, which is told by `words` to [`serve`].
    pub(crate) fn start_process(manner: Manner, words: &[String]) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut process = command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (orders, answers) = process.stdin.take().zip(process.stdout.take()).ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self { process: Some(process), ..Self::over(manner, orders, answers)? })
    }

    /// The boards behind these pipes.
    pub(crate) fn over(
        manner: Manner,
        orders: impl Write + Send + 'static,
        answers: impl Read + Send + 'static,
    ) -> io::Result<Self> {
        let mut answers = BufReader::new(answers).lines();
        let terminals = answers.by_ref().take(manner.stations).map(|line| {
            let line = line?;
            line.split_whitespace().nth(2).map(str::to_owned).ok_or_else(|| garbled(&line))
        });
        let terminals: Vec<String> = terminals.collect::<io::Result<_>>()?;
        let hearing = thread::Builder::new().spawn(move || {
            let mut last = BTreeMap::new();
            for line in answers {
                let line = line?;
                let numbers: Vec<u64> = line.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
                let [station, boot, lines, bytes, held_back, kept_silent] = numbers[..] else {
                    return Err(garbled(&line));
                };
                let kept_silent = Span::nanos(kept_silent);
                last.insert(station as usize, Said { boot, lines, bytes, held_back, kept_silent });
            }
            Ok(last)
        })?;
        let power = Power(Arc::new(Mutex::new(Some(Box::new(orders)))));
        Ok(Self { terminals, power, hearing, process: None })
    }

    pub(crate) fn power(&self) -> Power {
        self.power.clone()
    }

    /// Ends them; answers with what each said when it had power for the last time.
    pub(crate) fn end(self) -> io::Result<BTreeMap<usize, Said>> {
        *self.power.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let said = self.hearing.join().map_err(|_| io::Error::other("the thread that hears the boards panicked"))?;
        if let Some(mut process) = self.process {
            let status = process.wait()?;
            if !status.success() {
                return Err(io::Error::other(format!("the boards' process ended with {status}")));
            }
        }
        said
    }
}
