//! Runs a program to its end, and kills it at the deadline.
//!
//! Boundary: one run. What it is told and what its words mean is the driver's.

use std::io::{self, Read, Write};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::clock::Deadline;
use crate::failure::FailureKind;

const LOOK: Duration = Duration::from_millis(1);

/// What it wrote, if it ended well.
pub(super) fn run(command: &[String], input: &str, deadline: Deadline) -> Result<String, FailureKind> {
    let Some((program, arguments)) = command.split_first() else { return Ok(String::new()) };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                FailureKind::Missing(format!("the program `{program}`, which is to be installed"))
            }
            _ => error.into(),
        })?;
    let (output, errors) = (collect(child.stdout.take())?, collect(child.stderr.take())?);
    if let Some(mut pipe) = child.stdin.take() {
        // One that ends without reading says why by itself.
        let _ = pipe.write_all(input.as_bytes());
    }
    let status = end(&mut child, deadline)?;
    let (output, errors) = (output.join().unwrap_or_default(), errors.join().unwrap_or_default());
    if status.success() {
        return Ok(output);
    }
    let told = errors.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    Err(match told {
        "" => FailureKind::Answer(format!("`{}`: {status}", command.join(" "))),
        told if told.contains("not permitted") => FailureKind::Denied(told.to_owned()),
        told if told.contains("Cannot find device") || told.contains("Cannot open network namespace") => {
            FailureKind::Missing(told.to_owned())
        }
        told if told.contains("qdisc kind is unknown") => {
            FailureKind::Unsupported("this kernel cannot delay: it has no sch_netem".to_owned())
        }
        told => FailureKind::Answer(told.to_owned()),
    })
}

fn end(child: &mut Child, deadline: Deadline) -> Result<std::process::ExitStatus, FailureKind> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if deadline.has_passed() {
            child.kill()?;
            child.wait()?;
            return Err(FailureKind::NoAnswer(deadline.within()));
        }
        thread::sleep(LOOK);
    }
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> io::Result<JoinHandle<String>> {
    thread::Builder::new().name("nftables".to_owned()).spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What came before an error is still worth showing.
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

#[cfg(test)]
mod tests {
    use brickproof_units::Span;

    use super::*;

    fn sh(script: &str, within: Span) -> Result<String, FailureKind> {
        run(&["sh", "-c", script].map(str::to_owned), "input", Deadline::after(within))
    }

    #[test]
    fn a_program_is_told_heard_and_killed_at_its_deadline() {
        assert_eq!(sh("cat", Span::secs(10)).unwrap(), "input");
        let told = [
            sh("echo; echo first >&2; echo second >&2; exit 1", Span::secs(10)),
            sh("exit 3", Span::secs(10)),
            sh("echo 'Operation not permitted (you must be root)' >&2; exit 1", Span::secs(10)),
            sh("exec sleep 60", Span::millis(50)),
            run(&["no-such-program".to_owned()], "", Deadline::after(Span::secs(10))),
        ]
        .map(|result| result.unwrap_err().to_string());
        insta::assert_snapshot!(told.join("\n"), @r"
        unexpected answer: first
        unexpected answer: `sh -c exit 3`: exit status: 3
        not permitted: Operation not permitted (you must be root)
        no answer within 50ms
        not found: the program `no-such-program`, which is to be installed
        ");
    }
}
