//! A long trial on every station at once, and what is measured meanwhile and afterwards.
//!
//! Boundary: running and counting. It judges only whether every line came.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use brickproof_bench::OpenStation;
use brickproof_bench::driver::{Job, Outcome, Stop, run};
use brickproof_bench::file;
use brickproof_bench::state::StateFolder;
use brickproof_firmware::Firmware;
use brickproof_light::Sample;
use brickproof_scenario::plan::Plan;
use brickproof_scenario::{Library, load};
use brickproof_trial::{Event, Happening, Timeline};
use brickproof_units::{Instant, Span};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::generator::{Boards, Said};
use crate::load::Load;
use crate::station::Station;
use crate::stream::Heard;

/// Provisioning feeds a board once, the trial the second time.
const FEEDINGS: usize = 2;
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);
const KIB: u64 = 1024;

/// What became of one station.
#[derive(Debug)]
pub(crate) struct Row {
    /// In words.
    pub(crate) verdict: String,
    pub(crate) said: Said,
    pub(crate) heard: Heard,
    samples: usize,
    waited: Span,
    /// What the trial holds, in bytes.
    kept: u64,
}

impl Row {
    pub(crate) fn lost(&self) -> u64 {
        self.said.lines.saturating_sub(self.heard.lines)
    }

    fn is_whole(&self) -> bool {
        let Heard { lines, disordered, strange, .. } = self.heard;
        self.said.lines > 0 && lines == self.said.lines && (disordered, strange) == (0, 0)
    }
}

/// What became of all of them.
#[derive(Debug)]
pub(crate) struct Report {
    watched: Duration,
    pub(crate) rows: Vec<Row>,
    /// Before a station was opened; at the beginning of the time that they were watched, in its middle and at its end.
    idle: Load,
    looks: [Load; 3],
}

/// Runs the trial on each of the boards' stations.
pub(crate) async fn measure(boards: Boards, watched: Duration) -> io::Result<Report> {
    let folder = tempfile::tempdir()?;
    let state = StateFolder::at(folder.path()).map_err(io::Error::other)?;
    let plan = Arc::new(plan(watched)?);
    let idle = Load::look()?;
    let stations: Vec<_> = (0..boards.terminals.len()).map(|number| Station::new(number, boards.power())).collect();
    // Whoever holds it could ask for a stop; nobody does.
    let (_keep, stop) = watch::channel(Stop::No);
    let mut trials = JoinSet::new();
    for (number, (station, terminal)) in stations.iter().zip(&boards.terminals).enumerate() {
        let (file, state, plan, stop) = (station.file(terminal), state.clone(), Arc::clone(&plan), stop.clone());
        trials.spawn(async move { trial(&file, &state, plan, stop).await.map(|outcome| (number, outcome)) });
    }
    let mut looks = None;
    let mut outcomes = Vec::new();
    let looking = look(&stations, watched);
    tokio::pin!(looking);
    while outcomes.len() < stations.len() {
        tokio::select! {
            seen = &mut looking, if looks.is_none() => looks = Some(seen?),
            Some(done) = trials.join_next() => outcomes.push(done.map_err(io::Error::other)??),
        }
    }
    let said = boards.end()?;
    outcomes.sort_by_key(|(number, _)| *number);
    let rows = outcomes.iter().zip(&stations).map(|((number, outcome), station)| {
        let timeline = outcome.trial.timeline();
        let said = said.get(number).copied().unwrap_or_default();
        let heard = Heard::from(&timeline.console, *number, said.boot);
        Row {
            verdict: verdict(outcome),
            said,
            kept: kept(timeline, &heard),
            heard,
            samples: timeline.samples.len(),
            waited: station.waited(),
        }
    });
    let rows: Vec<Row> = rows.collect();
    let looks = looks.ok_or_else(|| {
        let verdicts: Vec<_> = rows.iter().map(|row| row.verdict.as_str()).collect();
        io::Error::other(format!("the trials ended before their time: {}", verdicts.join("; ")))
    })?;
    Ok(Report { watched, rows, idle, looks })
}

async fn trial(
    file: &file::Station,
    state: &StateFolder,
    plan: Arc<Plan>,
    stop: watch::Receiver<Stop>,
) -> io::Result<Outcome> {
    let (station, _) = OpenStation::open("load", file, state).await.map_err(io::Error::other)?;
    let firmware = Firmware::shipped(&plan.firmware.0).ok_or(io::ErrorKind::NotFound)?;
    let job = Job { plan, firmware, seed: 1, name: format!("load.{}", file.name) };
    run(&station, &job, stop, &mut ()).await.map_err(io::Error::other)
}

/// Looks at the process while all boards speak.
async fn look(stations: &[Arc<Station>], watched: Duration) -> io::Result<[Load; 3]> {
    while stations.iter().any(|station| station.times_fed() < FEEDINGS) {
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    let begin = Load::look()?;
    tokio::time::sleep(watched / 2).await;
    let middle = Load::look()?;
    tokio::time::sleep(watched / 2).await;
    Ok([begin, middle, Load::look()?])
}

/// The board's last line comes behind all others.
fn plan(watched: Duration) -> io::Result<Plan> {
    let text = format!(
        "scenario: A board that talks and shines without end
board: lantern-nrf51
firmware: lantern-heal-full
throughout:
  - not: {{ console: handshake failed }}
steps:
  - supply: {{ usb: 5V }}
  - never: {{ console: panic, for: {}ms }}
  - expect: {{ light: cloud_connected, within: 20s }}
  - supply: off
  - expect: {{ console: nothing more is said, within: 60s }}
",
        watched.as_millis()
    );
    let loaded = load("load.yaml", text, &Library::built_in());
    let mut cells = loaded.map_err(|mistakes| io::Error::other(mistakes.render(110)))?.cells;
    cells.pop().ok_or_else(|| io::Error::other("the scenario has no cell"))
}

fn verdict(outcome: &Outcome) -> String {
    match outcome.trial.verdict() {
        Some(verdict) if verdict.reason.is_empty() => verdict.kind.to_string(),
        Some(verdict) => format!("{}: {}", verdict.kind, verdict.reason),
        None => "none".to_owned(),
    }
}

/// What a trial's record holds: the console's bytes and a stamp for each read, the lines made of it, every event and every sample. What
/// the allocator needs beside that, and what a list has in reserve, is not in it.
fn kept(timeline: &Timeline, heard: &Heard) -> u64 {
    let lines = timeline.events.iter().filter_map(|event| match &event.what {
        // Counted by reference: two counts stand before the bytes.
        Happening::ConsoleLine { bytes, .. } => Some(bytes.len() + 2 * size_of::<usize>()),
        _ => None,
    });
    let events = timeline.events.len() * size_of::<Event>() + lines.sum::<usize>();
    let samples = timeline.samples.len() * size_of::<Sample>();
    heard.bytes + heard.chunks * size_of::<(Instant, usize)>() as u64 + (events + samples) as u64
}

impl Report {
    /// Whether every line of every station came, once and in order.
    pub(crate) fn is_whole(&self) -> bool {
        self.rows.iter().all(Row::is_whole)
    }

    /// Of one core, in percent, while all boards spoke.
    pub(crate) fn share(&self) -> f64 {
        let [begin, _, end] = &self.looks;
        end.share_since(begin)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milli = |span: Span| span.as_nanos() as f64 / 1e6;
        writeln!(
            f,
            "station      said     heard  lost  out of order  strange  held back  kept silent   samples  chunks  taken late  stamped late (999 of 1000)    kept  verdict"
        )?;
        for (number, row) in self.rows.iter().enumerate() {
            let (most, last) = row.heard.lateness();
            writeln!(
                f,
                "{:>7}  {:>8}  {:>8}  {:>4}  {:>12}  {:>7}  {:>7} B  {:>8.1} ms  {:>8}  {:>6}  {:>7.1} ms  {:>7.1} ms ({:>10.1} ms)  {:>4.1} MiB  {}",
                number + 1,
                row.said.lines,
                row.heard.lines,
                row.lost(),
                row.heard.disordered,
                row.heard.strange,
                row.said.held_back,
                milli(row.said.kept_silent),
                row.samples,
                row.heard.chunks,
                milli(row.waited),
                milli(last),
                milli(most),
                row.kept as f64 / (KIB * KIB) as f64,
                row.verdict,
            )?;
        }
        let [begin, middle, end] = &self.looks;
        let mib = |kib: u64| kib as f64 / KIB as f64;
        let stations = self.rows.len() as f64;
        let grown = end.resident.saturating_sub(begin.resident);
        writeln!(f)?;
        writeln!(f, "watched for {:.1} s, with {} threads", self.watched.as_secs_f64(), end.threads)?;
        writeln!(
            f,
            "cpu: {:.1} % of one core ({:.1} % in the first half, {:.1} % in the second), {:.2} % a station",
            self.share(),
            middle.share_since(begin),
            end.share_since(middle),
            self.share() / stations,
        )?;
        writeln!(
            f,
            "resident: {:.1} MiB idle, {:.1} MiB at the beginning, {:.1} MiB in the middle, {:.1} MiB at the end",
            mib(self.idle.resident),
            mib(begin.resident),
            mib(middle.resident),
            mib(end.resident),
        )?;
        let kept: u64 = self.rows.iter().map(|row| row.kept).sum();
        writeln!(
            f,
            "a station: {:.2} MiB open, and {:.2} MiB more at the end, of which its trial's record explains {:.2} MiB",
            mib(begin.resident.saturating_sub(self.idle.resident)) / stations,
            mib(grown) / stations,
            mib(kept / KIB) / stations,
        )
    }
}
