//! Cuts the power inside every flash operation of stores that others wrote, and shows what they lose, per store, part and cell model.
//!
//! Boundary: arguments, the clock on the wall and printing. What is done is `brickproof_sim::cuts`.
//!
//! `cargo run --release -p brickproof-sim --example torn-stores -- --help`

#[path = "torn/options.rs"]
mod options;
#[path = "torn/report.rs"]
mod report;

use std::collections::BTreeMap;
use std::num::NonZero;
use std::process::ExitCode;
use std::time::Instant;

use brickproof_sim::cuts::stores::{self, Id, IdError, Store, Tally, Updates};
use brickproof_sim::cuts::{self, CutsError, Sweep, Trial};
use brickproof_virtual_board::chip::Chip;
use brickproof_virtual_board::flash::{Cells, CutPoint, FlashOperation};
use options::{Given, print};
use report::Report;

const HELP: &str = "\
Cuts the power inside every flash operation of stores that others wrote, and shows what they lose.

usage: torn-stores [OPTIONS]

  --store NAME             sequential-storage, ekv or littlefs [all of them]
  --chip NAME              nrf51 or nrf52840 [both of them]
  --cells MODEL            ideal, fractional or marginal [all of them]
  --seeds N                seeds per operation and cut point [1]
  --erase-seeds N          seeds per erase and cut point, in rows of their own; ideal cells leave nothing to chance [100]
  --fractions N            cut points inside an operation, besides before and after it [16]
  --rows WHICH             operations, erases or second-cuts [all of them]
  --threads N              [as many as there are processors]
  --replay ID              makes one trial again and prints all that is said in it
  --help
";

/// So many trials of each kind of loss are named.
const NAMED: usize = 3;

struct Arguments {
    stores: Vec<Store>,
    chips: Vec<Chip>,
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

impl Default for Arguments {
    fn default() -> Self {
        Self {
            stores: Store::ALL.to_vec(),
            chips: stores::CHIPS.to_vec(),
            cells: cuts::models().to_vec(),
            seeds: 1,
            erase_seeds: 100,
            fractions: 16,
            rows: Which::ALL.map(|(_, which)| which).to_vec(),
            threads: options::processors(),
            replay: None,
        }
    }
}

impl Arguments {
    fn set(&mut self, given: &Given) -> Result<(), String> {
        match given.option.as_str() {
            "--store" => self.stores = vec![given.named(Store::from_name)?],
            "--chip" => self.chips = vec![given.named(cuts::chip_named)?],
            "--cells" => self.cells = vec![given.named(cuts::cells_named)?],
            "--seeds" => self.seeds = given.number()?.into(),
            "--erase-seeds" => self.erase_seeds = given.number()?.into(),
            "--fractions" => self.fractions = given.number()?,
            "--rows" => self.rows = vec![given.named(Which::named)?],
            "--threads" => self.threads = given.threads()?,
            "--replay" => self.replay = Some(given.value.parse().map_err(|error: IdError| error.to_string())?),
            _ => given.unknown()?,
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    options::run(HELP, Arguments::default(), Arguments::set, |arguments| match &arguments.replay {
        Some(id) => replay(id),
        None => sweep_all(&arguments),
    })
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

fn sweep_all(arguments: &Arguments) -> Result<(), CutsError> {
    let Arguments { fractions, threads, .. } = *arguments;
    print(&format!("cut before each operation, at {fractions} fractions of it and after it; {threads} threads\n\n"));
    let mut report = Report::new(threads);
    let mut named = String::new();
    for chip in &arguments.chips {
        for store in &arguments.stores {
            for cells in &arguments.cells {
                let subject = Subject { store: *store, chip: *chip, cells: *cells };
                subject.sweep(arguments, &mut report, &mut named)?;
            }
        }
    }
    print(&report.text(&format!("\ntrials of each kind of loss, for --replay:\n{named}")));
    Ok(())
}

/// What is cut.
struct Subject {
    store: Store,
    chip: Chip,
    cells: Cells,
}

impl Subject {
    fn sweep(&self, arguments: &Arguments, report: &mut Report<Tally>, named: &mut String) -> Result<(), CutsError> {
        let Arguments { fractions, threads, seeds, erase_seeds, .. } = *arguments;
        let Self { store, chip, cells } = *self;
        let points = cuts::cut_points(fractions.saturating_add(1));
        let erase_seeds = if cells == Cells::Ideal { 1 } else { erase_seeds };
        let label = format!("{} {} {}", cuts::name_of_chip(chip), store.name(), cuts::name_of_cells(cells));
        let updates = stores::record(chip, store, cells)?;
        eprintln!("{label}: {} updates, {} operations", updates.updates, updates.steps.len());
        for which in &arguments.rows {
            let began = Instant::now();
            let (what, sweep) = match which {
                Which::Operations => ("", cuts::sweep(&updates.steps, &points, seeds, threads)),
                Which::Erases => (", erases", cuts::sweep(&updates.erases(), &points, erase_seeds, threads)),
                Which::SecondCuts => (", second cut", second_cuts(&updates, &points, threads)),
            };
            report.add(format!("{label}{what}"), &sweep, began.elapsed());
            *named += &self.named(&sweep);
        }
        Ok(())
    }

    /// The first trials of each kind of loss, from as many operations, those in erases apart from those in words.
    fn named(&self, sweep: &Sweep<Tally>) -> String {
        let Self { store, chip, cells } = *self;
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
            format!("  {kind}, {cut_in} cut: {}\n", Id { store, chip, cells, trial: *trial })
        };
        kinds.iter().flat_map(|(kind, trials)| trials.iter().take(NAMED).map(move |trial| line(kind, trial))).collect()
    }
}

/// Every flash operation of the boot and first update after cuts of erases, one at each cut point: a store has most to heal after those.
fn second_cuts(updates: &Updates, points: &[CutPoint], threads: NonZero<usize>) -> Sweep<Tally> {
    let firsts: Vec<_> = updates.erases().iter().flat_map(|step| vec![step.clone(); points.len()]).collect();
    let second = cuts::sweep_healing(&firsts, NonZero::<usize>::MIN, points, 1, threads);
    eprintln!("{} first cuts, after {} of them the store is written to", second.first_cuts, second.healed);
    second.sweep
}
