//! Cuts the power inside every flash operation of key updates and shows what is left of the keys, per release and cell model.
//!
//! Boundary: arguments, the clock on the wall and printing. What is done is `brickproof_sim::cuts`.
//!
//! `cargo run --release -p brickproof-sim --example torn-keys -- --help`

use std::num::NonZero;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use brickproof_sim::cuts::keys::{self, Release, Tally};
use brickproof_sim::cuts::{self, CutsError, Row, Sweep};
use brickproof_virtual_board::flash::{Cells, CutPoint};
use brickproof_virtual_board::nrf::Chip;

const HELP: &str = "\
Cuts the power inside every flash operation of key updates and shows what is left of the keys.

usage: torn-keys [OPTIONS]

  --chip nrf51|nrf52840    the part [nrf51]
  --release NAME           no-heal, heal-blank, heal-parse or heal-full [all of them]
  --cells MODEL            ideal, fractional or marginal [all of them]
  --seeds N                seeds per operation and cut point [100; 1 for ideal cells, which leave nothing to chance]
  --fractions N            cut points inside an operation, besides before and after it [16]
  --second-cuts N          first cuts of heal-full whose healing boot is cut in turn, at most [66]
  --second-seeds N         seeds per second cut [1]
  --threads N              [as many as there are processors]
  --help
";

const MODELS: [(&str, Cells); 3] =
    [("ideal", Cells::Ideal), ("fractional", Cells::Fractional), ("marginal", Cells::Marginal)];

struct Arguments {
    chip: Chip,
    releases: Vec<Release>,
    cells: Vec<(&'static str, Cells)>,
    seeds: Option<u64>,
    fractions: u32,
    second_cuts: usize,
    second_seeds: u64,
    threads: NonZero<usize>,
}

enum Asked {
    Help,
    Sweep(Arguments),
}

impl Arguments {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Asked, String> {
        let mut parsed = Self {
            chip: Chip::Nrf51822,
            releases: Release::ALL.to_vec(),
            cells: MODELS.to_vec(),
            seeds: None,
            fractions: 16,
            second_cuts: 66,
            second_seeds: 1,
            threads: std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN),
        };
        while let Some(option) = words.next() {
            if option == "--help" {
                return Ok(Asked::Help);
            }
            let value = words.next().ok_or_else(|| format!("`{option}` is unknown or lacks its value"))?;
            parsed.set(&option, &value)?;
        }
        Ok(Asked::Sweep(parsed))
    }

    fn set(&mut self, option: &str, value: &str) -> Result<(), String> {
        let unknown = || format!("`{value}` is nothing for `{option}`");
        let number = || value.parse::<u32>().ok().filter(|number| *number > 0).ok_or_else(unknown);
        match option {
            "--chip" => self.chip = chip(value).ok_or_else(unknown)?,
            "--release" => self.releases = vec![Release::from_name(value).ok_or_else(unknown)?],
            "--cells" => {
                self.cells = vec![*MODELS.iter().find(|(name, _)| *name == value).ok_or_else(unknown)?];
            }
            "--seeds" => self.seeds = Some(number()?.into()),
            "--fractions" => self.fractions = number()?,
            "--second-cuts" => self.second_cuts = number()? as usize,
            "--second-seeds" => self.second_seeds = number()?.into(),
            "--threads" => self.threads = NonZero::new(number()? as usize).ok_or_else(unknown)?,
            _ => return Err(format!("`{option}` is unknown")),
        }
        Ok(())
    }

    fn points(&self) -> Vec<CutPoint> {
        cuts::cut_points(self.fractions.saturating_add(1))
    }
}

fn chip(name: &str) -> Option<Chip> {
    match name {
        "nrf51" => Some(Chip::Nrf51822),
        "nrf52840" => Some(Chip::Nrf52840),
        _ => None,
    }
}

fn main() -> ExitCode {
    match Arguments::parse(std::env::args().skip(1)) {
        Ok(Asked::Help) => {
            print(HELP);
            ExitCode::SUCCESS
        }
        Ok(Asked::Sweep(arguments)) => match Report::new(arguments).run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("failed to record the updates: {error}");
                ExitCode::FAILURE
            }
        },
        Err(mistake) => {
            eprintln!("{mistake}; try --help");
            ExitCode::from(2)
        }
    }
}

#[expect(clippy::print_stdout, reason = "printing is what this program is for")]
fn print(text: &str) {
    print!("{text}");
}

/// What was swept so far.
struct Report {
    arguments: Arguments,
    rows: Vec<Row<Tally>>,
    breakdowns: String,
    digests: String,
    spent: Duration,
}

impl Report {
    fn new(arguments: Arguments) -> Self {
        Self { arguments, rows: Vec::new(), breakdowns: String::new(), digests: String::new(), spent: Duration::ZERO }
    }

    fn run(mut self) -> Result<(), CutsError> {
        print(&self.head());
        for (model, cells) in self.arguments.cells.clone() {
            for release in self.arguments.releases.clone() {
                self.sweep(model, cells, release)?;
            }
        }
        print(&cuts::table(&self.rows));
        print(&format!("\nwhere boards are lost:\n{}", self.breakdowns));
        print(&format!("\ndigests over the fate of every trial, whatever the number of threads:\n{}", self.digests));
        print(&self.foot());
        Ok(())
    }

    fn sweep(&mut self, model: &str, cells: Cells, release: Release) -> Result<(), CutsError> {
        let seeds = self.arguments.seeds.unwrap_or(if cells == Cells::Ideal { 1 } else { 100 });
        let (points, threads) = (self.arguments.points(), self.arguments.threads);
        let label = format!("{} {model}", release.name());
        let updates = keys::record(self.arguments.chip, release, cells, 0)?;
        let began = Instant::now();
        let sweep = cuts::sweep(&updates.steps, &points, seeds, threads);
        self.add(label.clone(), &sweep, began.elapsed());
        if release == Release::HealFull {
            let stride = updates.steps.len().div_ceil(self.arguments.second_cuts);
            let stride = NonZero::new(stride).unwrap_or(NonZero::<usize>::MIN);
            let began = Instant::now();
            let second = cuts::sweep_healing(&updates.steps, stride, &points, self.arguments.second_seeds, threads);
            eprintln!("{label}: {} first cuts, {} of them healed", second.first_cuts, second.healed);
            self.add(format!("{label}, second cut"), &second.sweep, began.elapsed());
        }
        Ok(())
    }

    fn add(&mut self, label: String, sweep: &Sweep<Tally>, took: Duration) {
        let tally = sweep.total();
        eprintln!(
            "{label}: {} trials in {:.1} s, {:.0} per second",
            tally.trials,
            took.as_secs_f64(),
            rate(tally.trials, took)
        );
        self.spent += took;
        let where_lost = cuts::breakdown(sweep);
        if !where_lost.is_empty() {
            self.breakdowns += &format!("{label}\n{where_lost}");
        }
        let hex: String = sweep.digest().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        self.digests += &format!("  {label}: {hex}\n");
        self.rows.push(Row { label, operations: sweep.operations.len(), tally });
    }

    fn head(&self) -> String {
        let Arguments { chip, fractions, threads, .. } = &self.arguments;
        format!(
            "{chip:?}; cut before each operation, at {fractions} fractions of it and after it; {threads} threads\n\n"
        )
    }

    fn foot(&self) -> String {
        let trials: u64 = self.rows.iter().map(|row| row.tally.trials).sum();
        let seconds = self.spent.as_secs_f64();
        let rate = rate(trials, self.spent);
        format!("\n{trials} trials in {seconds:.0} s: {rate:.0} per second on {} threads\n", self.arguments.threads)
    }
}

fn rate(trials: u64, took: Duration) -> f64 {
    trials as f64 / took.as_secs_f64().max(1e-9)
}
