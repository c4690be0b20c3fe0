//! Printing: results to standard output, progress and problems to standard error.
//!
//! Boundary: the only place that writes to the terminal and that asks what kind it is.

use std::io::{self, IsTerminal, Write};

use brickproof_report::terminal::Colour;
use miette::{GraphicalReportHandler, GraphicalTheme};

use crate::exit::Problem;

/// Whether colour is welcome on standard output: a terminal, and no `NO_COLOR`.
pub(crate) fn colour() -> Colour {
    let forbidden = std::env::var_os("NO_COLOR").is_some_and(|it| !it.is_empty());
    if io::stdout().is_terminal() && !forbidden { Colour::Ansi } else { Colour::Plain }
}

/// One line of results. A reader that went away (`| head`) is no problem of ours.
pub(crate) fn line(text: &str) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// What went wrong, and what to try.
pub(crate) fn problem(problem: &Problem) {
    let mut err = io::stderr().lock();
    match problem {
        Problem::Mistakes(files) => {
            for diagnostics in files {
                let _ = writeln!(err, "{}", rendered(diagnostics));
            }
            let _ = writeln!(err, "error: {problem}");
        }
        Problem::Selection { help, .. } => {
            let _ = writeln!(err, "error: {problem}\nhelp: {help}");
        }
        Problem::Unreadable { .. } | Problem::Evidence(_) => {
            let mut text = format!("error: {problem}");
            let mut source = std::error::Error::source(problem).and_then(std::error::Error::source);
            while let Some(error) = source {
                text.push_str(&format!(": {error}"));
                source = error.source();
            }
            let _ = writeln!(err, "{text}");
        }
    }
}

fn rendered(diagnostics: &dyn miette::Diagnostic) -> String {
    let plain = !io::stderr().is_terminal() || std::env::var_os("NO_COLOR").is_some_and(|it| !it.is_empty());
    let theme = if plain { GraphicalTheme::unicode_nocolor() } else { GraphicalTheme::unicode() };
    let mut text = String::new();
    let handler = GraphicalReportHandler::new_themed(theme).with_width(120);
    match handler.render_report(&mut text, diagnostics) {
        Ok(()) => text,
        Err(_) => diagnostics.to_string(),
    }
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
