//! The page of what runs, beside runs: real ones on real drivers, campaigns, killed ones.
//!
//! Boundary: this machine and plain HTTP; what it looks like in a browser is tested in `fixtures/browser`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::desk::{BOOTS, Called, Desk};
use crate::stations::{Fed, Station, bench_of};

/// Longer than anything here takes on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(120);

/// Long enough to be looked at.
pub(crate) const STAYS: &str = "\
scenario: A board comes up and stays
board: lantern-nrf51
firmware: lantern-heal-full
steps:
  - supply: { usb: 5V }
  - expect: { console: Cloud connected, within: 10s }
  - never: { console: a word that nobody says, for: 60s }
";

/// A trial that takes many minutes, of which nobody waits for the end.
const LONG: &str = "\
scenario: A trial that nobody waits for
board: lantern-nrf51
matrix: { length: [1s, 1000h] }
firmware: lantern-no-heal
steps:
  - supply: { usb: 5V }
  - wait: ${length}
";

/// A command that goes on by itself, and not beyond its test.
pub(crate) struct Running(Option<Child>);

impl Running {
    pub(crate) fn child(&mut self) -> &mut Child {
        self.0.as_mut().expect("it was not waited for")
    }

    pub(crate) fn signal(&mut self, which: &str) {
        let id = self.child().id().to_string();
        let sent = Command::new("kill").args([which, &id]).status().expect("there is a kill");
        assert!(sent.success());
    }

    pub(crate) fn wait(mut self) -> Called {
        self.0.take().expect("it was not waited for").wait_with_output().expect("it ends").into()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // The test has failed: it has other worries.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The page, served beside whatever else runs in the folder.
pub(crate) struct Served {
    running: Running,
    /// As it was printed.
    pub(crate) address: String,
}

impl Served {
    pub(crate) fn begin(desk: &Desk, further: &[&str]) -> Self {
        Self::begin_at(desk, "127.0.0.1:0", further)
    }

    fn begin_at(desk: &Desk, listen: &str, further: &[&str]) -> Self {
        let mut running = begin(desk, &[&["serve", "--listen", listen], further].concat());
        let address = first_line(running.child().stdout.as_mut().expect("it is piped"));
        Self { running, address }
    }

    /// Status and body.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let host = self.address.trim_start_matches("http://").split('/').next().expect("it has an address");
        let port = host.rsplit(':').next().expect("it has a port");
        let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).expect("it listens");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").expect("it listens");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("it answers");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").expect("it has a head");
        (head.split(' ').nth(1).and_then(|it| it.parse().ok()).expect("it has a status"), body.to_owned())
    }

    fn now(&self) -> Value {
        serde_json::from_str(&self.get("/api/now").1).expect("it is JSON")
    }

    /// What the page tells programs, once it is like that.
    fn until(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let now = self.now();
            if wanted(&now) {
                return now;
            }
            assert!(began.elapsed() < PATIENCE, "it stays {now}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn end(mut self) -> Called {
        self.running.signal("-INT");
        let called = self.running.wait();
        assert_eq!(called.out, "", "nothing is printed but the address");
        called
    }
}

/// Byte by byte: what comes behind it is for whoever reads on.
fn first_line(from: &mut impl Read) -> String {
    let (mut line, mut byte) = (Vec::new(), [0]);
    while from.read_exact(&mut byte).is_ok() && byte != *b"\n" {
        line.extend(byte);
    }
    String::from_utf8_lossy(&line).into_owned()
}

pub(crate) fn begin(desk: &Desk, arguments: &[&str]) -> Running {
    let mut command = desk.command(arguments);
    command.env("BRICKPROOF_STATE", desk.path("state")).stdout(Stdio::piped()).stderr(Stdio::piped());
    Running(Some(command.spawn().expect("the command was built")))
}

#[test]
fn a_station_is_seen_at_work_and_killed_at_it() {
    let station = Station::with("lantern-nrf51", "lantern-heal-full", 41);
    let desk = bench_of(&[("left", &station)], Fed::ByTheStation);
    desk.put("stays.yaml", STAYS.as_bytes());
    let page = Served::begin(&desk, &[]);
    assert_eq!(page.now(), serde_json::json!([]));
    let mut run = begin(&desk, &["run", "stays.yaml", "--bench", "bench.yaml"]);
    let now = page.until(|now| {
        let trial = &now[0]["live"]["stations"][0]["trial"];
        trial["step"]["index"] == 3 && trial["rail_uv"].as_i64().is_some_and(|rail| rail > 3_000_000)
    });
    let (live, trial) = (&now[0]["live"], &now[0]["live"]["stations"][0]["trial"]);
    assert_eq!(
        (&now[0]["alive"], &live["schema"], &live["world"], &live["bench"], &live["run"], &live["progress"]["total"]),
        (&true.into(), &"brickproof/live/1".into(), &"lane".into(), &"pair".into(), &1.into(), &1.into())
    );
    assert_eq!(live["pid"], run.child().id());
    assert_eq!((&trial["scenario"], &trial["stage"]), (&"A board comes up and stays".into(), &"steps".into()));
    assert_eq!(trial["step"]["count"], 3);
    assert!(trial["console"].as_str().is_some_and(|line| !line.is_empty()), "{trial}");
    assert_eq!(trial["lights"], serde_json::json!([]), "no sensor is above its light");
    let shown = page.get("/").1;
    for wanted in ["bench <b>pair</b>", "left", "step 3 of 3", "A board comes up and stays"] {
        assert!(shown.contains(wanted), "{wanted}: {shown}");
    }

    run.signal("-KILL");
    drop(run.wait());
    page.until(|now| now[0]["alive"] == false);
    let shown = page.get("/").1;
    assert!(shown.contains("Ended without a word") && shown.contains("make-safe"), "{shown}");
    assert_eq!(page.end().exit, Some(130));
}

#[test]
fn a_run_and_a_campaign_tell_how_far_they_are_and_leave_nothing_behind() {
    let desk = Desk::with(&[("long.yaml", LONG), ("boots.yaml", BOOTS)]);
    let page = Served::begin(&desk, &[]);
    let run = begin(&desk, &["run", "long.yaml", "--jobs", "1"]);
    let now = page.until(|now| now[0]["live"]["progress"]["done"] == 1);
    let live = &now[0]["live"];
    assert_eq!((&live["world"], &live["title"]), (&"virtual".into(), &"long.yaml".into()));
    assert_eq!((&live["progress"]["total"], &live["progress"]["passed"]), (&2.into(), &1.into()));
    assert_eq!(live["ended"][0]["verdict"], "passed", "{live}");
    assert_eq!(live["stations"], serde_json::json!([]));
    let campaign = begin(&desk, &["soak", "boots.yaml", "--set", "release=heal-full", "--cycles", "1000000"]);
    let is_soak = |live: &Value| live["live"]["progress"]["total"] == 1_000_000;
    let soaked = |now: &Value| {
        now.as_array().is_some_and(|all| all.iter().any(|it| is_soak(it) && it["live"]["progress"]["done"] != 0))
    };
    let now = page.until(soaked);
    let soak = now.as_array().expect("a list").iter().find(|it| is_soak(it)).expect("it is there");
    assert!(soak["live"]["progress"]["told"].as_str().is_some_and(|told| told.contains("interval")), "{soak}");
    for mut running in [run, campaign] {
        running.signal("-INT");
        assert_eq!(running.wait().exit, Some(130));
    }
    assert_eq!(page.now(), serde_json::json!([]));
    assert_eq!(desk.files(".brickproof/live"), [], "nothing is left");
    assert!(page.get("/").1.contains("Run 1"), "the run is among those that are over");
    assert_eq!(page.end().exit, Some(130));
}

#[test]
fn news_that_cannot_be_written_is_told_once_and_nothing_fails_with_it() {
    let desk = Desk::with(&[("boots.yaml", BOOTS), (".brickproof/live", "in the way")]);
    let run = desk.call(&["run", "boots.yaml", "--jobs", "1"]);
    run.exits(0);
    assert!(run.err.matches(".brickproof/live cannot be written").count() <= 1, "{}", run.err);
    assert_eq!(desk.read(".brickproof/live"), "in the way");
    let desk = Desk::with(&[("long.yaml", LONG), (".brickproof/live", "in the way")]);
    let mut run = begin(&desk, &["run", "long.yaml", "--jobs", "1"]);
    // The first trial is over, so an interruption is heard.
    assert!(first_line(run.child().stdout.as_mut().expect("it is piped")).starts_with("passed"));
    run.signal("-INT");
    let ended = run.wait();
    ended.exits(130);
    assert_eq!(ended.err.matches("note: .brickproof/live cannot be written (").count(), 1, "{}", ended.err);
}

#[test]
fn other_computers_need_the_token_that_is_printed_or_the_one_of_a_file() {
    let desk = Desk::with(&[("token", "0123456789abcdef\n"), ("short", "secret")]);
    let page = Served::begin_at(&desk, "0.0.0.0:0", &[]);
    let (_, token) = page.address.split_once("/?token=").expect("it is printed");
    assert!(token.len() >= 32, "{token}");
    assert_eq!((page.get("/").0, page.get("/?token=0123456789abcdef").0), (401, 401));
    assert_eq!(page.get(&format!("/?token={token}")).0, 303);
    let ended = page.end();
    assert!(!ended.err.contains("token"), "{}", ended.err);

    let page = Served::begin(&desk, &["--token-file", "token"]);
    assert!(!page.address.contains("token"), "whoever wrote it knows it: {}", page.address);
    assert_eq!((page.get("/").0, page.get("/?token=0123456789abcdef").0), (401, 303));
    page.end();

    let refused = desk.call(&["serve", "--listen", "0.0.0.0:0", "--token-file", "short"]);
    refused.exits(2);
    assert!(refused.err.contains("short holds no token") && !refused.err.contains("secret"), "{}", refused.err);
}
