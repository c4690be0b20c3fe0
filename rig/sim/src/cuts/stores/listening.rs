//! What the firmware says of its store.
//!
//! Boundary: its lines (`fixtures/firmware/stores/README.md`), one by one; all that was said is kept.

use brickproof_console::Lines;
use brickproof_units::Span;
use brickproof_virtual_board::board::Board;

use super::workload::Update;
use crate::cuts::terminal::{Keystroke, next_line, type_line};

/// How many items a store holds.
pub const ITEMS: usize = 8;

/// Longer than any boot, report or update takes that ends.
const PATIENCE: Span = Span::secs(3);

/// What the firmware found of one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The whole value of this generation.
    Generation(u32),
    /// Nothing.
    Missing,
    /// A value that nobody ever wrote, and the store took for good.
    Corrupt,
    /// The store refused to read it.
    Unreadable,
}

/// What the firmware found of all items.
pub type Report = [State; ITEMS];

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Deaf {
    /// The store cannot be mounted.
    Unmountable,
    /// The firmware gave up: it panicked, or the core faulted.
    Panicked,
    /// Nothing was heard for as long as anything could take.
    Silent,
}

/// One line, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Item(usize, State),
    Ready,
    Written,
    Refused,
    Deaf(Deaf),
    Other,
}

impl Said {
    fn parse(line: &str) -> Self {
        if line == "ready" {
            Self::Ready
        } else if let Some(rest) = line.strip_prefix("item ") {
            item(rest).map_or(Self::Other, |(index, state)| Self::Item(index, state))
        } else if line.starts_with("written ") {
            Self::Written
        } else if line.starts_with("refused ") {
            Self::Refused
        } else if line.starts_with("mount failed: ") {
            Self::Deaf(Deaf::Unmountable)
        } else if line.contains("] PANIC: ") {
            Self::Deaf(Deaf::Panicked)
        } else {
            Self::Other
        }
    }
}

/// `3: generation 7`.
fn item(text: &str) -> Option<(usize, State)> {
    let (index, state) = text.split_once(": ")?;
    let state = match state {
        "missing" => State::Missing,
        "corrupt" => State::Corrupt,
        other if other.starts_with("unreadable: ") => State::Unreadable,
        other => State::Generation(other.strip_prefix("generation ")?.parse().ok()?),
    };
    Some((index.parse().ok()?, state))
}

/// Somebody at the console of a board.
#[derive(Debug)]
pub(super) struct Listener<'a> {
    board: &'a mut Board,
    lines: Lines,
    /// All lines, with what was typed.
    pub(super) transcript: Vec<String>,
    /// What was typed, byte by byte.
    pub(super) typed: Vec<Keystroke>,
}

impl<'a> Listener<'a> {
    pub(super) fn new(board: &'a mut Board) -> Self {
        Self { board, lines: Lines::new(), transcript: Vec::new(), typed: Vec::new() }
    }

    /// The board that is listened to.
    pub(super) fn board(&self) -> &Board {
        self.board
    }

    /// Listens until the board has told what it holds. What it does not tell of is missing.
    pub(super) fn until_report(&mut self) -> Result<Report, Deaf> {
        let mut report = [State::Missing; ITEMS];
        loop {
            match self.next()? {
                Said::Item(index, state) => report.iter_mut().skip(index).take(1).for_each(|item| *item = state),
                Said::Ready => return Ok(report),
                _ => {}
            }
        }
    }

    /// Asks what the board holds.
    pub(super) fn report(&mut self) -> Result<Report, Deaf> {
        self.type_line("report");
        self.until_report()
    }

    /// Lets it update an item; whether the store did.
    pub(super) fn write(&mut self, update: Update) -> Result<bool, Deaf> {
        self.type_line(&update.command());
        loop {
            match self.next()? {
                Said::Written => return Ok(true),
                Said::Refused => return Ok(false),
                _ => {}
            }
        }
    }

    fn type_line(&mut self, text: &str) {
        self.transcript.push(format!("> {text}"));
        let now = self.board.now();
        self.typed.extend(type_line(self.board, now, format!("{text}\n").as_bytes()));
    }

    fn next(&mut self) -> Result<Said, Deaf> {
        let deadline = self.board.now() + PATIENCE;
        let line = next_line(self.board, &mut self.lines, deadline).ok_or(Deaf::Silent)?;
        let text = line.to_string();
        let said = Said::parse(&text);
        self.transcript.push(text);
        match said {
            Said::Deaf(deaf) => Err(deaf),
            said => Ok(said),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_say_what_the_firmware_means() {
        let said = |line| Said::parse(line);
        assert_eq!(said("item 3: generation 17"), Said::Item(3, State::Generation(17)));
        assert_eq!(said("item 0: missing"), Said::Item(0, State::Missing));
        assert_eq!(said("item 7: corrupt"), Said::Item(7, State::Corrupt));
        assert_eq!(said("item 7: unreadable: corrupted"), Said::Item(7, State::Unreadable));
        assert_eq!(said("ready"), Said::Ready);
        assert_eq!(said("written 3 17"), Said::Written);
        assert_eq!(said("writing 3 17"), Said::Other);
        assert_eq!(said("refused 3 17: full"), Said::Refused);
        assert_eq!(said("mount failed: corrupted"), Said::Deaf(Deaf::Unmountable));
        assert_eq!(said("0000001234 [app] PANIC: hard fault, code 1"), Said::Deaf(Deaf::Panicked));
    }
}
