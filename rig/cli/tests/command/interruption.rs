//! Ctrl-C: the trial that runs is ended, what finished before is kept, and the status says so.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use crate::desk::{Called, Desk, ids};

/// One trial of a second and one of a week, which would take many minutes.
const LONG: &str = "\
scenario: A short trial and one that nobody waits for
board: lantern-nrf51
matrix:
  length: [1s, 100h]
firmware: lantern-no-heal
steps:
  - supply: { usb: 5V }
  - wait: ${length}
cleanup:
  - supply: off
";

#[test]
fn an_interruption_is_told_and_what_finished_is_kept() {
    let desk = Desk::with(&[("long.yaml", LONG)]);
    let mut command = desk.command(&["run", "long.yaml", "--jobs", "1", "--report", "report"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command was built");
    let mut printed = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut out = String::new();
    // The first trial is over, so the second one is running or about to.
    printed.read_line(&mut out).expect("it prints");
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("there is a kill");
    assert!(sent.success());
    printed.read_to_string(&mut out).expect("it prints");
    let Called { exit, err, .. } = child.wait_with_output().expect("it ends").into();
    assert_eq!(exit, Some(130), "{out}\n{err}");
    let results = desk.json("report/results.json");
    let verdicts: Vec<_> = results["trials"].as_array().expect("a list").iter().map(|it| &it["verdict"]).collect();
    assert_eq!(verdicts[0], "passed", "{out}");
    // An interruption between two trials leaves the second one out.
    assert!(verdicts[1..].iter().all(|it| *it == "inconclusive"), "{out}");
    for id in ids(&results) {
        let timeline = desk.read(&format!("report/trials/{id}/timeline.jsonl"));
        assert!(timeline.contains("make safe"), "{id} was left safe");
    }
}

/// Interrupted, it still has its cleanup before it.
const SLOW_TO_END: &str = "\
scenario: A cleanup that nobody waits for
board: lantern-nrf51
firmware: lantern-no-heal
steps:
  - supply: { usb: 5V }
  - wait: 100h
cleanup:
  - wait: 100000h
";

#[test]
fn who_interrupts_twice_waits_no_longer() {
    let desk = Desk::with(&[("slow.yaml", SLOW_TO_END)]);
    let mut child = desk.command(&["run", "slow.yaml"]).stdout(Stdio::null()).spawn().expect("the command was built");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    // The folder for the evidence is there: from now on an interruption is heard, if not the first then the next.
    let status = loop {
        assert!(std::time::Instant::now() < deadline, "it does not end");
        if desk.path(".brickproof/runs/000001").exists() {
            let _ = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
        if let Some(status) = child.try_wait().expect("it is our child") {
            break status;
        }
    };
    assert_eq!(status.code(), Some(130));
}
