//! SIGKILL while trials are written: what was acknowledged is there, whole.
//!
//! Boundary: a process of its own writes and is killed; this one reads. It has no harness, because it is its own child.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use brickproof_history::{Filter, History};
use brickproof_report::results::{TrialResult, World};
use support::{PASSES, Told, begin, empty, record};

/// What the child is called with.
const WRITE: &str = "--write";

/// How often; the figure that is published is made with `BRICKPROOF_KILLS=100`.
fn kills() -> u64 {
    std::env::var("BRICKPROOF_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(10)
}

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    match (words.next().as_deref(), words.next(), words.next()) {
        (Some(WRITE), Some(path), Some(from)) => write(Path::new(&path), from.parse().expect("a number")),
        // Somebody asks for another test by its name.
        (Some(word), ..) if !word.starts_with('-') && !"killed".contains(word) => ExitCode::SUCCESS,
        (Some("--list"), ..) => ExitCode::SUCCESS,
        _ => killed_again_and_again(),
    }
}

/// Writes trials until it is killed, a few in each transaction, and says which are acknowledged.
fn write(path: &Path, from: u64) -> ExitCode {
    let mut history = History::open(path).expect("there is room");
    let run = begin(&mut history, "2026-11-27", World::Virtual);
    let mut seed = from;
    loop {
        let many = 1 + seed % 7;
        let trials: Vec<TrialResult> = (0..many)
            .map(|it| {
                Told { seed: seed + it, firmware: ["lantern-a", "lantern-b"][(seed % 2) as usize], ..PASSES }.result()
            })
            .collect();
        record(&mut history, run, &trials);
        seed += many;
        let mut out = std::io::stdout().lock();
        writeln!(out, "{seed}").expect("somebody listens");
        out.flush().expect("somebody listens");
    }
}

fn killed_again_and_again() -> ExitCode {
    let (history, _folder) = empty();
    let path = history.path().to_owned();
    drop(history);
    let itself = std::env::current_exe().expect("it runs");
    // Any sequence does, as long as it is the same each time.
    let (mut random, mut next, mut acknowledged) = (0x9E37_79B9_7F4A_7C15_u64, 0, 0);
    for kill in 1..=kills() {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut child = Command::new(&itself)
            .args([WRITE.as_ref(), path.as_os_str(), next.to_string().as_ref()])
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut out = BufReader::new(child.stdout.take().expect("it is piped"));
        // The first word says that it is at work; then it is killed at any moment.
        let mut said = String::new();
        out.read_line(&mut said).expect("it prints");
        std::thread::sleep(Duration::from_micros((random >> 33) % 60_000));
        child.kill().expect("it can be killed");
        assert_eq!(child.wait().expect("it ended").code(), None, "it was killed at work");
        let lines = std::iter::once(said).chain(out.lines().map(|line| line.expect("it prints")));
        // A word that was cut off in the middle acknowledges nothing that can be named.
        let last = lines.filter_map(|line| line.trim().parse().ok()).max().unwrap_or(next);
        acknowledged += last - next;
        let history = History::open(&path).expect("it is whole");
        let found = history.rates(&Filter::default()).expect("it can be read")[0].all.passed;
        assert!(found >= acknowledged, "kill {kill}: {acknowledged} were acknowledged and {found} are there");
        assert!(found - acknowledged <= 7, "kill {kill}: no more than one transaction was not told");
        for seed in [next, next + (last - next) / 2, last - 1] {
            let id = Told { seed, ..PASSES }.result().id;
            assert_eq!(
                history.trial(&id, 9).expect("it can be read").len(),
                1,
                "kill {kill}: trial {seed} is there, once"
            );
        }
        let integrity: String = rusqlite::Connection::open(&path)
            .and_then(|it| it.query_row("PRAGMA integrity_check", [], |row| row.get(0)))
            .expect("it can be read");
        assert_eq!(integrity, "ok", "kill {kill}");
        // What was committed and not told any more is not written again.
        (next, acknowledged) = (next + (found - (acknowledged - (last - next))), found);
    }
    eprintln!("killed {} times: {acknowledged} trials, nothing acknowledged was lost", kills());
    ExitCode::SUCCESS
}
