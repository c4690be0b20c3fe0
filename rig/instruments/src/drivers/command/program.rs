//! A program that answers each line with a line, and is killed when it does not.
//!
//! Boundary: processes and lines. What a request means is the instrument's; the protocol as a whole is in `hardware/command-protocol.md`.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::clock::Deadline;
use crate::failure::{Failure, FailureKind};

/// The version of the protocol that is spoken here.
pub(super) const VERSION: &str = "brickproof-command/1";
/// No answer is longer.
const LONGEST: u64 = 4 * 1024;
/// Of what it says on its standard error, the end is kept.
const KEPT: usize = 1_024;
/// For leaving its safe state behind once its input has ended.
const FAREWELL: Duration = Duration::from_millis(500);
const LOOK: Duration = Duration::from_millis(5);

/// What is started, and what it promised when it was.
pub(super) struct Program {
    device: String,
    path: String,
    arguments: Vec<String>,
    kind: &'static str,
    running: Option<Running>,
    abilities: BTreeSet<String>,
    murmur: Murmur,
    /// How often it was started.
    lives: u32,
}

struct Running {
    child: Child,
    input: Option<ChildStdin>,
    answers: Receiver<io::Result<String>>,
    listener: JoinHandle<()>,
}

impl Program {
    /// `kind` is the instrument that it is asked to be.
    pub(super) fn new(path: &str, arguments: Vec<String>, kind: &'static str) -> Self {
        Self {
            device: format!("command {path}"),
            path: path.to_owned(),
            arguments,
            kind,
            running: None,
            abilities: BTreeSet::new(),
            murmur: Murmur::default(),
            lives: 0,
        }
    }

    pub(super) fn device(&self) -> &str {
        &self.device
    }

    /// Whether it said that it can.
    pub(super) fn can(&self, ability: &str) -> bool {
        self.abilities.contains(ability)
    }

    /// Starts it if it does not run, and has it say what it can. Answers which of its lives this is: one knows nothing of the other.
    pub(super) fn start(&mut self, deadline: Deadline) -> Result<u32, Failure> {
        let running = self.started(deadline).map_err(|kind| self.failure("start it", kind))?;
        self.running = Some(running);
        Ok(self.lives)
    }

    /// One request, one answer; what stands behind `value`, or nothing for `ok`.
    pub(super) fn ask(&mut self, asked: &str, request: &str, deadline: Deadline) -> Result<String, Failure> {
        let result = self.started(deadline).and_then(|mut running| {
            let answer = running.exchange(request, deadline)?;
            // Only one that answered in time is spoken to again.
            self.running = Some(running);
            read(&answer, request)
        });
        result.map_err(|kind| self.failure(asked, kind))
    }

    /// As [`ask`](Self::ask), where nothing but `ok` is an answer.
    pub(super) fn tell(&mut self, asked: &str, request: &str, deadline: Deadline) -> Result<(), Failure> {
        match self.ask(asked, request, deadline)? {
            value if value.is_empty() => Ok(()),
            value => Err(self.failure(asked, FailureKind::Answer(format!("a value, {value:?}, to {request:?}")))),
        }
    }

    /// With what it said on its standard error.
    pub(super) fn failure(&self, asked: &str, kind: FailureKind) -> Failure {
        let failure = Failure::new(&self.device, asked, kind);
        let murmur = self.murmur.text();
        match murmur.trim() {
            "" => failure,
            said => failure.with_help(format!("it said: {said}")),
        }
    }

    fn started(&mut self, deadline: Deadline) -> Result<Running, FailureKind> {
        if let Some(running) = self.running.take() {
            return Ok(running);
        }
        self.lives += 1;
        self.murmur.clear();
        let mut running = Running::start(&self.path, &self.arguments, &self.murmur)?;
        let request = format!("hello {VERSION} {}", self.kind);
        let answer = running.exchange(&request, deadline)?;
        let value = read(&answer, &request)?;
        let mut words = value.split_whitespace().map(str::to_owned);
        match words.next() {
            Some(version) if version == VERSION => self.abilities = words.collect(),
            _ => return Err(FailureKind::Answer(format!("{answer:?} to {request:?}"))),
        }
        Ok(running)
    }
}

/// Reads an answer; what stands behind `value`, or nothing for `ok`.
fn read(answer: &str, request: &str) -> Result<String, FailureKind> {
    let (word, rest) = answer.split_once(' ').unwrap_or((answer, ""));
    match (word, rest.trim()) {
        ("ok", "") => Ok(String::new()),
        ("value", value) if !value.is_empty() => Ok(value.to_owned()),
        ("error", text) => Err(FailureKind::Answer(text.to_owned())),
        _ => Err(FailureKind::Answer(format!("{answer:?} to {request:?}"))),
    }
}

impl Running {
    fn start(path: &str, arguments: &[String], murmur: &Murmur) -> Result<Self, FailureKind> {
        let mut child = Command::new(path)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own: Ctrl-C is for the rig, which then makes things safe through this very program.
            .process_group(0)
            .spawn()?;
        let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (answer, answers) = mpsc::channel();
        thread::Builder::new().name("command".to_owned()).spawn(move || {
            let mut output = BufReader::new(Pipe(output));
            while let Some(line) = next_line(&mut output) {
                if answer.send(line).is_err() {
                    return;
                }
            }
        })?;
        let murmur = murmur.clone();
        let listener =
            thread::Builder::new().name("command-stderr".to_owned()).spawn(move || murmur.listen(Pipe(errors)))?;
        Ok(Self { child, input, answers, listener })
    }

    fn exchange(&mut self, request: &str, deadline: Deadline) -> Result<String, FailureKind> {
        match self.answers.try_recv() {
            Ok(line) => return Err(FailureKind::Answer(format!("{:?}, and nobody asked", line?))),
            Err(TryRecvError::Disconnected) => return Err(self.ended()),
            Err(TryRecvError::Empty) => {}
        }
        let Some(input) = self.input.as_mut() else { return Err(self.ended()) };
        if input.write_all(format!("{request}\n").as_bytes()).is_err() {
            return Err(self.ended());
        }
        match self.answers.recv_timeout(deadline.left()) {
            Ok(line) => Ok(line?),
            Err(RecvTimeoutError::Timeout) => Err(FailureKind::NoAnswer(deadline.within())),
            Err(RecvTimeoutError::Disconnected) => Err(self.ended()),
        }
    }

    fn ended(&mut self) -> FailureKind {
        let status =
            self.wait(FAREWELL).map_or("it closed its output".to_owned(), |status| format!("it ended: {status}"));
        // Its last words may still be on their way; something that it started may keep them from ever ending.
        let mut waited = Duration::ZERO;
        while !self.listener.is_finished() && waited < FAREWELL {
            thread::sleep(LOOK);
            waited += LOOK;
        }
        FailureKind::Gone(status)
    }

    fn wait(&mut self, patience: Duration) -> Option<std::process::ExitStatus> {
        let mut waited = Duration::ZERO;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if waited < patience => {
                    thread::sleep(LOOK);
                    waited += LOOK;
                }
                _ => return None,
            }
        }
    }
}

impl Drop for Running {
    /// Its input ends, which is its cue to make things safe; then it is killed with all that it started.
    fn drop(&mut self) {
        self.input = None;
        let left = self.wait(FAREWELL).is_some();
        if let (false, Some(group)) = (left, rustix::process::Pid::from_raw(self.child.id() as i32)) {
            // It may be gone by now, and nothing else can be done about a process that cannot be killed.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

/// What a pipe brings; nothing where there is none.
struct Pipe<R>(Option<R>);

impl<R: Read> Read for Pipe<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.as_mut().map_or(Ok(0), |pipe| pipe.read(buffer))
    }
}

/// The next line without its end; `None` at the end of all lines.
fn next_line(output: &mut impl BufRead) -> Option<io::Result<String>> {
    let mut line = Vec::new();
    match output.take(LONGEST).read_until(b'\n', &mut line) {
        Ok(0) => None,
        Ok(_) => Some(Ok(String::from_utf8_lossy(&line).trim_end().to_owned())),
        Err(error) => Some(Err(error)),
    }
}

/// The end of what it said on its standard error.
#[derive(Clone, Default)]
struct Murmur(Arc<Mutex<Vec<u8>>>);

impl Murmur {
    fn listen(&self, mut errors: impl Read) {
        let mut buffer = [0; KEPT];
        while let Ok(read @ 1..) = errors.read(&mut buffer) {
            let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            said.extend_from_slice(&buffer[..read]);
            let surplus = said.len().saturating_sub(KEPT);
            said.drain(..surplus);
        }
    }

    fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_answer_makes_the_reader_panic(answer in "(ok|value|error)?[ -~]{0,20}", noise: Vec<u8>) {
            let _ = read(&answer, "measure");
            let mut output = &noise[..];
            while let Some(Ok(line)) = next_line(&mut output) {
                prop_assert!(!line.contains('\n'));
            }
        }
    }
}
