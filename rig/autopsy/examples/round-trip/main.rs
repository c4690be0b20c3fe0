//! Sends damaged boards round (found, written as a scenario, linted, begun, read out again) and prints what was done against what was found.
//!
//! Boundary: arguments and printing.
//!
//! `cargo run --release -p brickproof-autopsy --example round-trip -- [SEEDS [STRIDE [FRACTIONS]]]`

mod confusion;
mod damage;
mod trip;

use std::io::{self, Write as _};
use std::process::ExitCode;

use brickproof_autopsy::Foretold;
use brickproof_scenario::Library;
use confusion::Confusion;
use damage::{Done, Size};

fn main() -> ExitCode {
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|it| it.parse().ok()).collect();
    let number = |index: usize, usual| numbers.get(index).copied().unwrap_or(usual);
    let size = Size { seeds: number(0, 4) as u64, stride: number(1, 9).max(1), fractions: number(2, 3) as u32 };
    let library = Library::built_in();
    let (mut confusion, mut failed) = (Confusion::default(), Vec::new());
    let (mut all, mut cuts, mut connect) = (0, 0, 0);
    for subject in damage::subjects() {
        let boards = match damage::of(&subject, size) {
            Ok(boards) => boards,
            Err(error) => {
                let _ = writeln!(io::stderr(), "{error}");
                return ExitCode::FAILURE;
            }
        };
        all += boards.len();
        for damaged in &boards {
            cuts += usize::from(matches!(damaged.done, Done::Cut { .. }));
            match trip::go(damaged, &library) {
                Ok(round) => {
                    connect += usize::from(round.foretold == Some(Foretold::Connects));
                    confusion.count(damaged, &round.findings);
                }
                Err(why) => failed.push(format!("{:?}: {why}", damaged.done)),
            }
        }
    }
    let _ = writeln!(
        io::stdout(),
        "{all} boards ({} damaged slots, {cuts} cuts in flash operations): {} came round, {} did not; {connect} of them connect\n\n{confusion}\n\n{} slots, \
         {} of them found to be what cannot have come of what was done",
        all - cuts,
        all - failed.len(),
        failed.len(),
        confusion.slots(),
        confusion.wrong.len(),
    );
    for told in failed.iter().chain(&confusion.wrong).take(40) {
        let _ = writeln!(io::stdout(), "{told}");
    }
    if failed.is_empty() && confusion.wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
