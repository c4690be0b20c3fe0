//! Runs one long trial on each of several stations at once, with every console as busy as its wire allows, and tells what was lost (no line
//! may be) and what it cost.
//!
//! Boundary: arguments and printing. The bench is the real one with its real `serial` driver; [`station`] says what the rest stands in for.
//!
//! `cargo run --release -p brickproof-bench --example eight-stations`

mod generator;
mod load;
mod measure;
mod station;
mod stream;
#[cfg(test)]
mod tests;

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use brickproof_units::Span;
use clap::Parser;

use crate::generator::{Boards, Manner};
use crate::measure::{Report, measure};

/// Runs a long trial on several stations at once, each with a console at 115200 Bd that never pauses, and tells what was lost and what it
/// cost. The exit status is 1 if a line was lost.
#[derive(Clone, Debug, Parser)]
struct Arguments {
    /// How long they are watched.
    #[arg(long, default_value_t = 10.0, value_parser = minutes)]
    minutes: f64,
    /// How many stations there are.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    stations: u16,
    /// How often bytes are handed to the kernel, in milliseconds; a frame of full-speed USB if not given.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    frame: u16,
    /// Loses this line of the first station on its way, to see whether that is noticed.
    #[arg(long)]
    lose: Option<u64>,
    /// Plays the boards of another process.
    #[arg(long, hide = true)]
    boards: bool,
}

fn minutes(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(minutes) if (0.01..=10_000.0).contains(&minutes) => Ok(minutes),
        _ => Err("from 0.01 to 10000".to_owned()),
    }
}

impl Arguments {
    fn manner(&self) -> Manner {
        Manner { stations: self.stations.into(), frame: Span::millis(self.frame.into()), lost: self.lose }
    }

    /// What tells another process of this program to play the boards.
    fn for_boards(&self) -> Vec<String> {
        let mut words = vec!["--boards".to_owned()];
        words.extend([format!("--stations={}", self.stations), format!("--frame={}", self.frame)]);
        words.extend(self.lose.map(|line| format!("--lose={line}")));
        words
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.boards {
        return ended(generator::serve(arguments.manner(), io::stdin(), io::stdout()).map(|()| ExitCode::SUCCESS));
    }
    ended(run(&arguments).map(|report| {
        show(&report);
        if report.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }))
}

fn ended(result: io::Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| {
        eprintln!("failed to run the stations: {error}");
        ExitCode::from(3)
    })
}

fn run(arguments: &Arguments) -> io::Result<Report> {
    let boards = Boards::start_process(arguments.manner(), &arguments.for_boards())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build()?;
    runtime.block_on(measure(boards, Duration::from_secs_f64(arguments.minutes * 60.0)))
}

#[expect(clippy::print_stdout, reason = "printing is what this program is for")]
fn show(report: &Report) {
    print!("{report}");
}
