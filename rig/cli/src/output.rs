//! Printing: results to standard output, progress and problems to standard error.
//!
//! Boundary: the only place that writes to the terminal and that asks what kind it is.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::OnceLock;

use brickproof_report::terminal::Colour;
use brickproof_scenario::Diagnostics;

use crate::exit::{Exit, Problem};
use crate::runner;

/// Mistakes are shown this wide.
const WIDTH: usize = 120;

/// Why a line of results could not be printed.
static NOT_PRINTED: OnceLock<io::Error> = OnceLock::new();

/// Whether colour is welcome on standard output: a terminal, and no `NO_COLOR`.
pub(crate) fn colour() -> Colour {
    if io::stdout().is_terminal() && !colour_forbidden() { Colour::Ansi } else { Colour::Plain }
}

fn colour_forbidden() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|it| !it.is_empty())
}

/// One line of results. A reader that went away (`| head`) is no problem of ours; any other failure is told by [`finish`].
pub(crate) fn line(text: &str) {
    match writeln!(io::stdout().lock(), "{}", runner::inert(text)) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            let _ = NOT_PRINTED.set(error);
        }
        _ => {}
    }
}

/// Something to know about what is going to be done.
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "note: {}", runner::inert(text));
}

/// What GitHub's runner is to read, and nobody else.
pub(crate) fn annotation(command: &str) {
    let _ = writeln!(io::stderr().lock(), "{command}");
}

/// The status to end with, given the one that the work came to: results that were not printed are a failure too.
pub(crate) fn finish(exit: Exit) -> Exit {
    match NOT_PRINTED.get() {
        Some(error) => exit.min(problem(&Problem::Print(error.kind().into()))),
        None => exit,
    }
}

/// What went wrong, and what to try. Gives the status that it calls for.
pub(crate) fn problem(problem: &Problem) -> Exit {
    let mut err = runner::Inert::new(io::stderr());
    match problem {
        Problem::Mistakes(files) => {
            for diagnostics in files {
                let _ = writeln!(err, "{}", rendered(diagnostics));
            }
            let _ = writeln!(err, "error: {problem}");
            let _ = err.flush();
            files.iter().flat_map(runner::of_mistakes).for_each(|command| annotation(&command));
        }
        Problem::Unfit(refused) => {
            for (scenario, lacking) in refused {
                let _ = writeln!(err, "{scenario}");
                lacking.iter().for_each(|told| drop(writeln!(err, "  {told}")));
            }
            let _ = writeln!(
                err,
                "error: {problem}\nhelp: --set and --tag choose cells, --station chooses stations; `brickproof explain PATH --bench FILE` tells it cell by cell"
            );
        }
        Problem::Bench(problems) => {
            if let [_, _, ..] = problems.as_slice() {
                for told in problems {
                    let _ = writeln!(err, "{told}");
                }
            }
            let _ = writeln!(err, "error: {problem}");
        }
        Problem::History(_) | Problem::NotRemembered(_) => {
            let _ = writeln!(err, "error: {problem}");
        }
        Problem::Selection { help, .. } => {
            let _ = writeln!(err, "error: {problem}\nhelp: {help}");
        }
        Problem::Unreadable { .. }
        | Problem::Journal { .. }
        | Problem::NotKept { .. }
        | Problem::Report(_)
        | Problem::Evidence(_)
        | Problem::Print(_) => {
            let mut text = format!("error: {problem}");
            let mut source = std::error::Error::source(problem);
            while let Some(error) = source {
                text.push_str(&format!(": {error}"));
                source = error.source();
            }
            let _ = writeln!(err, "{text}");
        }
    }
    let _ = err.flush();
    problem.exit()
}

fn rendered(diagnostics: &Diagnostics) -> String {
    let coloured = io::stderr().is_terminal() && !colour_forbidden();
    if coloured { diagnostics.render_coloured(WIDTH) } else { diagnostics.render(WIDTH) }
}

/// A line on standard error that each further one replaces; nothing at all where standard error is no terminal.
pub(crate) struct Progress {
    live: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { live: io::stderr().is_terminal() }
    }

    pub(crate) fn show(&self, text: &str) {
        if self.live {
            let mut err = io::stderr().lock();
            let _ = write!(err, "\r\x1b[K{text}");
            let _ = err.flush();
        }
    }

    pub(crate) fn clear(&self) {
        self.show("");
    }
}
