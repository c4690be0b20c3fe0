//! Cuts the power inside every flash operation of stores that others wrote, and shows what they lose, per store and cell model.
//!
//! Boundary: arguments, the clock on the wall and printing. What is done is `brickproof_sim::cuts`.
//!
//! `cargo run --release -p brickproof-sim --example torn-stores -- --help`

use std::collections::BTreeMap;
use std::num::NonZero;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use brickproof_sim::cuts::stores::{self, Id, Store, Tally, Updates};
use brickproof_sim::cuts::{self, CutsError, Row, Sweep, Tally as _, Trial};
use brickproof_virtual_board::flash::{Cells, CutPoint, FlashOperation};

const HELP: &str = "\
Cuts the power inside every flash operation of stores that others wrote, and shows what they lose.

usage: torn-stores [OPTIONS]

  --store NAME             sequential-storage, ekv or littlefs [all of them]
  --cells MODEL            ideal, fractional or marginal [all of them]
  --seeds N                seeds per operation and cut point [1]
  --erase-seeds N          seeds per erase and cut point, in rows of their own; ideal cells leave nothing to chance [100]
  --fractions N            cut points inside an operation, besides before and after it [16]
  --rows WHICH             operations, erases or second-cuts [all of them]
  --threads N              [as many as there are processors]
  --replay ID              makes one trial again and prints all that is said in it
  --help
";

const MODELS: [Cells; 3] = [Cells::Ideal, Cells::Fractional, Cells::Marginal];
/// So many trials of each kind of loss are named.
const NAMED: usize = 3;

struct Arguments {
    stores: Vec<Store>,
    cells: Vec<Cells>,
    seeds: u64,
    erase_seeds: u64,
    fractions: u32,
    rows: Vec<Which>,
    threads: NonZero<usize>,
    replay: Option<Id>,
}

/// A part of what is swept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Operations,
    Erases,
    SecondCuts,
}

impl Which {
    const ALL: [(&str, Self); 3] =
        [("operations", Self::Operations), ("erases", Self::Erases), ("second-cuts", Self::SecondCuts)];

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, which)| which)
    }
}

enum Asked {
    Help,
    Run(Arguments),
}

impl Arguments {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Asked, String> {
        let mut parsed = Self {
            stores: Store::ALL.to_vec(),
            cells: MODELS.to_vec(),
            seeds: 1,
            erase_seeds: 100,
            fractions: 16,
            rows: Which::ALL.map(|(_, which)| which).to_vec(),
            threads: std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN),
            replay: None,
        };
        while let Some(option) = words.next() {
            if option == "--help" {
                return Ok(Asked::Help);
            }
            let value = words.next().ok_or_else(|| format!("`{option}` is unknown or lacks its value"))?;
            parsed.set(&option, &value)?;
        }
        Ok(Asked::Run(parsed))
    }

    fn set(&mut self, option: &str, value: &str) -> Result<(), String> {
        let unknown = || format!("`{value}` is nothing for `{option}`");
        let number = || value.parse::<u32>().ok().filter(|number| *number > 0).ok_or_else(unknown);
        match option {
            "--store" => self.stores = vec![Store::from_name(value).ok_or_else(unknown)?],
            "--cells" => self.cells = vec![stores::cells_named(value).ok_or_else(unknown)?],
            "--seeds" => self.seeds = number()?.into(),
            "--erase-seeds" => self.erase_seeds = number()?.into(),
            "--fractions" => self.fractions = number()?,
            "--rows" => self.rows = vec![Which::named(value).ok_or_else(unknown)?],
            "--threads" => self.threads = NonZero::new(number()? as usize).ok_or_else(unknown)?,
            "--replay" => self.replay = Some(value.parse().map_err(|error| format!("{error}"))?),
            _ => return Err(format!("`{option}` is unknown")),
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    let done = match Arguments::parse(std::env::args().skip(1)) {
        Ok(Asked::Help) => {
            print(HELP);
            return ExitCode::SUCCESS;
        }
        Ok(Asked::Run(Arguments { replay: Some(id), .. })) => replay(&id),
        Ok(Asked::Run(arguments)) => Report::new(arguments).run(),
        Err(mistake) => {
            eprintln!("{mistake}; try --help");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("failed to record the updates: {error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "printing is what this program is for")]
fn print(text: &str) {
    print!("{text}");
}

fn replay(id: &Id) -> Result<(), CutsError> {
    match stores::replay(id)? {
        Some(replay) => print(&format!("{id}\n{replay}")),
        None => print(&format!(
            "{id}\nfailed to find that operation: the updates, or the boot after the first cut, have no such one\n"
        )),
    }
    Ok(())
}

/// What was swept so far.
struct Report {
    arguments: Arguments,
    rows: Vec<Row<Tally>>,
    breakdowns: String,
    named: String,
    digests: String,
    spent: Duration,
}

impl Report {
    fn new(arguments: Arguments) -> Self {
        Self {
            arguments,
            rows: Vec::new(),
            breakdowns: String::new(),
            named: String::new(),
            digests: String::new(),
            spent: Duration::ZERO,
        }
    }

    fn run(mut self) -> Result<(), CutsError> {
        let Arguments { fractions, threads, .. } = &self.arguments;
        print(&format!(
            "{}; cut before each operation, at {fractions} fractions of it and after it; {threads} threads\n\n",
            stores::CHIP
        ));
        for store in self.arguments.stores.clone() {
            for cells in self.arguments.cells.clone() {
                self.sweep(store, cells)?;
            }
        }
        print(&cuts::table(&self.rows));
        print(&format!("\nwhere something is lost:\n{}", self.breakdowns));
        print(&format!("\ntrials of each kind of loss, for --replay:\n{}", self.named));
        print(&format!("\ndigests over the fate of every trial, whatever the number of threads:\n{}", self.digests));
        let trials: u64 = self.rows.iter().map(|row| row.tally.trials()).sum();
        let (seconds, rate) = (self.spent.as_secs_f64(), rate(trials, self.spent));
        print(&format!(
            "\n{trials} trials in {seconds:.0} s: {rate:.0} per second on {} threads\n",
            self.arguments.threads
        ));
        Ok(())
    }

    fn sweep(&mut self, store: Store, cells: Cells) -> Result<(), CutsError> {
        let Arguments { fractions, threads, seeds, erase_seeds, .. } = self.arguments;
        let points = cuts::cut_points(fractions.saturating_add(1));
        let erase_seeds = if cells == Cells::Ideal { 1 } else { erase_seeds };
        let label = format!("{} {}", store.name(), stores::name_of_cells(cells));
        let updates = stores::record(store, cells)?;
        eprintln!("{label}: {} updates, {} operations", updates.updates, updates.steps.len());
        for which in self.arguments.rows.clone() {
            let began = Instant::now();
            let (what, sweep) = match which {
                Which::Operations => ("", cuts::sweep(&updates.steps, &points, seeds, threads)),
                Which::Erases => (", erases", cuts::sweep(&updates.erases(), &points, erase_seeds, threads)),
                Which::SecondCuts => (", second cut", second_cuts(&updates, &points, threads)),
            };
            self.add(format!("{label}{what}"), store, cells, &sweep, began.elapsed());
        }
        Ok(())
    }

    fn add(&mut self, label: String, store: Store, cells: Cells, sweep: &Sweep<Tally>, took: Duration) {
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
        self.named += &named(store, cells, sweep);
        let hex: String = sweep.digest().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        self.digests += &format!("  {label}: {hex}\n");
        self.rows.push(Row { label, operations: sweep.operations.len(), tally });
    }
}

/// Every flash operation of the boot and first update after cuts of erases, one at each cut point: a store has most to heal after those.
fn second_cuts(updates: &Updates, points: &[CutPoint], threads: NonZero<usize>) -> Sweep<Tally> {
    let firsts: Vec<_> = updates.erases().iter().flat_map(|step| vec![step.clone(); points.len()]).collect();
    let second = cuts::sweep_healing(&firsts, NonZero::<usize>::MIN, points, 1, threads);
    eprintln!("{} first cuts, after {} of them the store is written to", second.first_cuts, second.healed);
    second.sweep
}

/// The first trials of each kind of loss, from as many operations, those in erases apart from those in words.
fn named(store: Store, cells: Cells, sweep: &Sweep<Tally>) -> String {
    let mut kinds: BTreeMap<(&str, &str), Vec<Trial>> = BTreeMap::new();
    for outcome in &sweep.operations {
        let cut_in = match outcome.operation {
            FlashOperation::Program { .. } => "word",
            _ => "erase",
        };
        for (kind, trial) in &outcome.losses {
            kinds.entry((kind, cut_in)).or_default().push(*trial);
        }
    }
    let line = |(kind, cut_in): &(&str, &str), trial: &Trial| {
        format!("  {kind}, {cut_in} cut: {}\n", Id { store, cells, trial: *trial })
    };
    kinds.iter().flat_map(|(kind, trials)| trials.iter().take(NAMED).map(move |trial| line(kind, trial))).collect()
}

fn rate(trials: u64, took: Duration) -> f64 {
    trials as f64 / took.as_secs_f64().max(1e-9)
}
