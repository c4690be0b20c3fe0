//! `brickproof console`: what a board says, and what somebody types, line by line.
//!
//! Boundary: a terminal for people; whoever wants bytes takes the port itself, under `brickproof power on`. Private keys that the rig knows are
//! masked; behind a line of the log stands what its codes mean.

use std::fs::File;
use std::io::{self, BufRead, Write};
use std::path::Path;
use std::thread;

use brickproof_bench::desk::{self, Conversation, Purpose, Source};
use brickproof_console::{Line, Lines};
use brickproof_report::{Listener, Secrets};
use brickproof_units::{Instant, Span};
use tokio::sync::mpsc;

use crate::arguments::Console;
use crate::exit::{Exit, Problem};
use crate::output;
use crate::stations::{self, Afterwards, AtDesk, failed};

/// One look at the port: short, so that what is typed does not wait.
const LOOK: Span = Span::millis(20);
/// After so many looks in vain a line that has no end is shown.
const PATIENCE: u32 = 15;

pub(crate) fn console(arguments: &Console) -> Result<Exit, Problem> {
    let (bench, station) = stations::one(&arguments.on)?;
    if arguments.power && !station.instruments.keys().any(|kind| kind.to_string() == "supply") {
        return Err(Problem::Selection {
            what: format!("station {bench}/{} has no `supply`", station.name),
            help: "leave --power out".to_owned(),
        });
    }
    let log = arguments.log.as_deref().map(create).transpose()?;
    stations::block_on(async |state| {
        let mut stop = stations::watch_signals();
        let desk = AtDesk::open(&bench, &station, &state, Purpose::Console).await?;
        let mut printer = Printer::new(arguments.stamps, log);
        let work = async {
            if arguments.power && desk.source == Source::Ours {
                desk::feed(&desk.station, None).await.map_err(|failure| failed(&failure))?;
            }
            let talk = talk(Conversation::begin(&desk.station), &mut printer);
            let ends = async {
                match arguments.ends_after {
                    Some(span) => tokio::time::sleep(std::time::Duration::from_nanos(span.as_nanos())).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                problem = talk => return Err(problem),
                () = ends => {}
                () = super::power::asked_to_stop(&mut stop) => {}
            }
            Ok(Exit::Passed)
        };
        let exit = desk.work("console", work, Afterwards::Safe).await;
        let shown = printer.end();
        exit.and_then(|exit| shown.map(|()| exit))
    })
}

fn create(path: &Path) -> Result<File, Problem> {
    File::create(path).map_err(|source| Problem::Unreadable { path: path.to_owned(), source })
}

/// Until something fails.
async fn talk(with: Conversation<'_>, printer: &mut Printer) -> Problem {
    let mut typed = typed_lines();
    loop {
        tokio::select! {
            biased;
            Some(line) = typed.recv() => {
                if let Err(failure) = with.say(line).await {
                    return failed(&failure);
                }
            }
            heard = with.hear(LOOK) => match heard {
                Err(failure) => return failed(&failure),
                Ok(Some((at, bytes))) => {
                    if let Err(problem) = printer.take(at, &bytes) {
                        return problem;
                    }
                }
                Ok(None) => {
                    if let Err(problem) = printer.pause() {
                        return problem;
                    }
                }
            },
        }
    }
}

/// What is typed, from a thread of its own that nobody waits for: a read from a terminal cannot be ended.
fn typed_lines() -> mpsc::UnboundedReceiver<Vec<u8>> {
    let (sender, receiver) = mpsc::unbounded_channel();
    thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if sender.send(format!("{line}\n").into_bytes()).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Lines as they come; of one that does not end, as much at a time as [`Lines`] keeps.
struct Printer {
    stamps: bool,
    log: Option<File>,
    listener: Listener,
    lines: Lines,
    looks_in_vain: u32,
}

impl Printer {
    fn new(stamps: bool, log: Option<File>) -> Self {
        let listener = Listener::new(Secrets::new(&brickproof_firmware::private_keys()));
        Self { stamps, log, listener, lines: Lines::new(), looks_in_vain: 0 }
    }

    fn take(&mut self, at: Span, bytes: &[u8]) -> Result<(), Problem> {
        self.looks_in_vain = 0;
        self.lines.push(Instant::START + at, bytes).iter().try_for_each(|line| self.show(line))
    }

    fn show(&mut self, line: &Line) -> Result<(), Problem> {
        let masked = self.listener.masked(line);
        let text = brickproof_console::with_explanations(&masked);
        match self.stamps {
            true => output::line(&format!("{:>12} {text}", line.began.since(Instant::START).to_string())),
            false => output::line(&text),
        }
        let Some(log) = &mut self.log else { return Ok(()) };
        let kept = log.write_all(&masked).and_then(|()| log.write_all(line.end.bytes()));
        kept.map_err(|error| Problem::Bench(vec![format!("the log could not be written: {error}")]))
    }

    /// Nothing came for the time of a look. A prompt has no end of line, and is to be seen all the same.
    fn pause(&mut self) -> Result<(), Problem> {
        self.looks_in_vain += 1;
        if self.looks_in_vain == PATIENCE { self.end() } else { Ok(()) }
    }

    /// Shows what has no end of line.
    fn end(&mut self) -> Result<(), Problem> {
        // When it ended is not told.
        self.lines.close(Instant::START).map_or(Ok(()), |line| self.show(&line))
    }
}
