//! How far long work is: a line of the terminal that each further one replaces, and in a log a line now and then.
//!
//! Boundary: standard error, whose kind is asked once; its width is asked anew for every line, since windows change.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use brickproof_report::terminal;
use brickproof_units::in_words;

use super::{screen, steers};

/// A log is told so often.
const EVERY: Duration = Duration::from_secs(30);

/// What has been told of some work.
pub(crate) struct Progress {
    way: Way,
    began: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// In a line of the terminal.
    Line,
    /// In lines of a log, the next one so long after the beginning.
    Log { next: Duration },
}

impl Progress {
    pub(crate) fn new() -> Self {
        let err = io::stderr();
        let way = if err.is_terminal() && steers() { Way::Line } else { Way::Log { next: EVERY } };
        Self { way, began: Instant::now() }
    }

    /// How far the work is; what matters most stands first, since a narrow window shows no more.
    pub(crate) fn show(&mut self, told: &str) {
        let after = self.began.elapsed();
        if let Some(text) = self.way.text(told, after, || screen::columns(&io::stderr())) {
            let mut err = io::stderr().lock();
            // Whoever closed it does not want to know.
            let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
        }
    }

    /// Makes room for other lines.
    pub(crate) fn clear(&self) {
        if self.way == Way::Line {
            let _ = io::stderr().lock().write_all(b"\r\x1b[K");
        }
    }

    /// How long the work has taken so far, as it is told.
    pub(crate) fn elapsed(&self) -> String {
        in_words(self.began.elapsed())
    }
}

impl Way {
    fn text(&mut self, told: &str, after: Duration, columns: impl FnOnce() -> usize) -> Option<String> {
        match self {
            // In the last column some terminals are already on the next line.
            Self::Line => Some(format!("\r\x1b[K{}", terminal::fit(told, columns().saturating_sub(1)))),
            Self::Log { next } if after >= *next => {
                *next = after + EVERY;
                Some(format!("progress: {told}\n"))
            }
            Self::Log { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_told_now_and_then() {
        let mut way = Way::Log { next: EVERY };
        let told = |way: &mut Way, seconds| way.text("7 of 9 trials", Duration::from_secs(seconds), || 20);
        let lines: Vec<u64> = (0..100).filter(|second| told(&mut way, *second).is_some()).collect();
        assert_eq!(lines, [30, 60, 90]);
        assert_eq!(
            told(&mut way, 500).as_deref(),
            Some("progress: 7 of 9 trials\n"),
            "whole, and without control characters"
        );
        assert_eq!(told(&mut way, 501), None);
    }

    #[test]
    fn a_line_fits_the_window_and_leaves_its_last_column() {
        let shown = |columns| Way::Line.text("7 of 9 trials, 1 failed", Duration::ZERO, || columns);
        assert_eq!(shown(80).as_deref(), Some("\r\x1b[K7 of 9 trials, 1 failed"));
        assert_eq!(shown(20).as_deref(), Some("\r\x1b[K7 of 9 trials, 1 f…"));
        assert_eq!(shown(1).as_deref(), Some("\r\x1b[K"));
    }
}
