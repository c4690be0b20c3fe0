//! Cuts the power inside every flash operation of key updates and shows what is left of the keys, per release and cell model.
//!
//! Boundary: arguments, the clock on the wall and printing. What is done is `brickproof_sim::cuts`.
//!
//! `cargo run --release -p brickproof-sim --example torn-keys -- --help`

#[path = "torn/options.rs"]
mod options;
#[path = "torn/report.rs"]
mod report;

use std::num::NonZero;
use std::process::ExitCode;
use std::time::Instant;

use brickproof_sim::cuts::keys::{self, Release, Tally};
use brickproof_sim::cuts::{self, CutsError};
use brickproof_virtual_board::chip::Chip;
use brickproof_virtual_board::flash::Cells;
use options::{Given, print};
use report::Report;

const HELP: &str = "\
Cuts the power inside every flash operation of key updates and shows what is left of the keys.

usage: torn-keys [OPTIONS]

  --chip NAME              nrf51, nrf52840 or stm32f205 [nrf51]
  --release NAME           no-heal, heal-blank, heal-parse or heal-full [all of them]
  --cells MODEL            ideal, fractional or marginal [all of them]
  --seeds N                seeds per operation and cut point [100; 1 for ideal cells, which leave nothing to chance]
  --fractions N            cut points inside an operation, besides before and after it [16]
  --second-cuts N          first cuts of heal-full whose healing boot is cut in turn, at most [66]
  --second-seeds N         seeds per second cut [1]
  --threads N              [as many as there are processors]
  --help
";

struct Arguments {
    chip: Chip,
    releases: Vec<Release>,
    cells: Vec<Cells>,
    seeds: Option<u64>,
    fractions: u32,
    second_cuts: usize,
    second_seeds: u64,
    threads: NonZero<usize>,
}

impl Default for Arguments {
    fn default() -> Self {
        Self {
            chip: Chip::Nrf51822,
            releases: Release::ALL.to_vec(),
            cells: cuts::models().to_vec(),
            seeds: None,
            fractions: 16,
            second_cuts: 66,
            second_seeds: 1,
            threads: options::processors(),
        }
    }
}

impl Arguments {
    fn set(&mut self, given: &Given) -> Result<(), String> {
        match given.option.as_str() {
            "--chip" => self.chip = given.named(cuts::chip_named)?,
            "--release" => self.releases = vec![given.named(Release::from_name)?],
            "--cells" => self.cells = vec![given.named(cuts::cells_named)?],
            "--seeds" => self.seeds = Some(given.number()?.into()),
            "--fractions" => self.fractions = given.number()?,
            "--second-cuts" => self.second_cuts = given.number()? as usize,
            "--second-seeds" => self.second_seeds = given.number()?.into(),
            "--threads" => self.threads = given.threads()?,
            _ => given.unknown()?,
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    options::run(HELP, Arguments::default(), Arguments::set, sweep_all)
}

fn sweep_all(arguments: Arguments) -> Result<(), CutsError> {
    let Arguments { chip, fractions, threads, .. } = arguments;
    print(&format!(
        "{chip:?}; cut before each operation, at {fractions} fractions of it and after it; {threads} threads\n\n"
    ));
    let mut report = Report::new(threads);
    for cells in &arguments.cells {
        for release in &arguments.releases {
            sweep(&arguments, *cells, *release, &mut report)?;
        }
    }
    print(&report.text(""));
    Ok(())
}

fn sweep(arguments: &Arguments, cells: Cells, release: Release, report: &mut Report<Tally>) -> Result<(), CutsError> {
    let Arguments { chip, fractions, threads, second_cuts, second_seeds, .. } = *arguments;
    let seeds = arguments.seeds.unwrap_or(if cells == Cells::Ideal { 1 } else { 100 });
    let points = cuts::cut_points(fractions.saturating_add(1));
    let label = format!("{} {}", release.name(), cuts::name_of_cells(cells));
    let updates = keys::record(chip, release, cells, 0)?;
    let began = Instant::now();
    let sweep = cuts::sweep(&updates.steps, &points, seeds, threads);
    report.add(label.clone(), &sweep, began.elapsed());
    if release == Release::HealFull {
        let stride = updates.steps.len().div_ceil(second_cuts);
        let stride = NonZero::new(stride).unwrap_or(NonZero::<usize>::MIN);
        let began = Instant::now();
        let second = cuts::sweep_healing(&updates.steps, stride, &points, second_seeds, threads);
        eprintln!("{label}: {} first cuts, {} of them healed", second.first_cuts, second.healed);
        report.add(format!("{label}, second cut"), &second.sweep, began.elapsed());
    }
    Ok(())
}
