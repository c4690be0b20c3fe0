//! Tells a server of a new identity, in the way that a bench file names: a program that gets the public half of the new key.
//!
//! Boundary: one program, run once and killed when it takes too long. It never gets a private key.

use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use brickproof_instruments::{Deadline, Failure, FailureKind};
use brickproof_keys::PublicHalf;
use brickproof_units::Span;

/// A server at the other end of the world, asked by a program that starts an interpreter first; assumed.
pub(crate) const REGISTERING: Span = Span::secs(60);
/// Of what it says, so much is told.
const TOLD: usize = 400;
const LOOK: Duration = Duration::from_millis(10);

/// Runs `register`, a program and its arguments, with the key as PEM on its standard input. It has registered the key if it ends with status 0.
pub(crate) fn register(register: &[String], public: &PublicHalf, within: Span) -> Result<(), Failure> {
    let deadline = Deadline::after(within);
    let Some((program, arguments)) = register.split_first() else { return Ok(()) };
    let device = format!("command {program}");
    let failed = |kind| Failure::new(&device, "register the new public key", kind);
    let io = |error: std::io::Error| failed(error.into());
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // With a group of its own, so that what it has started ends with it.
    let mut child = command.process_group(0).spawn().map_err(io)?;
    if let Some(mut input) = child.stdin.take() {
        // One that does not read it is judged by how it ends.
        let _ = input.write_all(public.pem().as_bytes());
    }
    // Read beside it: one that says more than a pipe holds would wait for ever.
    let reads = [
        child.stdout.take().map(|out| thread::spawn(move || said(out))),
        child.stderr.take().map(|err| thread::spawn(move || said(err))),
    ];
    let status = loop {
        match child.try_wait().map_err(io)? {
            Some(status) => break Some(status),
            None if deadline.has_passed() => {
                if let Some(group) = rustix::process::Pid::from_raw(child.id().cast_signed()) {
                    let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
                }
                child.wait().map_err(io)?;
                break None;
            }
            None => thread::sleep(LOOK),
        }
    };
    let said: Vec<String> = reads.into_iter().flatten().filter_map(|reading| reading.join().ok()).collect();
    let said = said.join(" ");
    let told = |failure: Failure| match said.trim() {
        "" => failure,
        said => failure.with_help(format!("it said: {}", said.chars().take(TOLD).collect::<String>())),
    };
    match status {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(told(failed(FailureKind::Refused(format!("it ended with {status}"))))),
        None => Err(told(failed(FailureKind::NoAnswer(within)))),
    }
}

fn said(mut from: impl std::io::Read) -> String {
    let mut bytes = Vec::new();
    let _ = from.by_ref().take(64 * 1024).read_to_end(&mut bytes);
    // What is beyond that is read and forgotten, so that the program can end.
    let _ = std::io::copy(&mut from, &mut std::io::sink());
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use brickproof_keys::device_key_from_seed;

    use super::*;

    fn run(script: &str, within: Span) -> Result<(), Failure> {
        let words = ["sh", "-c", script].map(str::to_owned);
        register(&words, &PublicHalf::of(&device_key_from_seed(5)).unwrap(), within)
    }

    #[test]
    fn the_program_gets_the_public_half_and_its_end_decides() {
        run("grep -q 'BEGIN PUBLIC KEY'", Span::secs(10)).unwrap();
        let refused = run("cat >/dev/null; echo no such product >&2; exit 3", Span::secs(10)).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "command sh failed to register the new public key: refused: it ended with exit status: 3"
        );
        assert_eq!(refused.help(), Some("it said: no such product"));
        assert!(run("if grep -q PRIVATE; then exit 0; fi; exit 1", Span::secs(10)).is_err());
        // More than a pipe holds, on both.
        run("yes | head -c 300000; yes | head -c 300000 >&2", Span::secs(10)).unwrap();
    }

    #[test]
    fn one_that_does_not_end_is_killed() {
        let failure = run("cat >/dev/null; sleep 60", Span::millis(300)).unwrap_err();
        assert!(matches!(failure.kind(), FailureKind::NoAnswer(_)), "{failure}");
    }
}
