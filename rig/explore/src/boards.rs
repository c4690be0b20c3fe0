//! The boards of a course: what came of each of them, and whether it still answers.
//!
//! Boundary: names and counts, and what to do about a run of trials that told nothing. Bringing a board back is the caller's.
//!
//! A failure of which nothing was heard, not even before the fault, may be the firmware's or that of a board that is dead already. It is
//! held back until the board answers; then it counts. After a run of such trials the board is dead: what was held back is made again once
//! the board was recovered, and is nobody's failure. A board that stays silent although it was recovered ends the course.
//! Where nothing shows whether a board lives until the course ends, what is held back of it is told as not judged.

use brickproof_statistics::Counts;

use crate::outcome::Class;
use crate::shot::{Finding, Shot};

/// A board of a course, by its place among [`crate::Course::boards`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BoardNumber(pub(crate) usize);

impl BoardNumber {
    /// The first one. Every course has it.
    pub const FIRST: Self = Self(0);
}

/// What a board came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BoardTally {
    /// What it is called.
    pub name: String,
    /// Trials that count.
    pub done: u64,
    /// Failures among them.
    pub failures: u64,
    /// Trials that told nothing: bench or scenario failed, or nothing was heard of a board that turned out to be dead.
    pub untold: u64,
    /// How often it was recovered.
    pub recoveries: u64,
}

impl BoardTally {
    /// Failures among the trials that count.
    pub fn counts(&self) -> Counts {
        Counts::new(self.failures, self.done).expect("each failure is a trial")
    }
}

/// So many trials in a row that tell nothing are a dead board or a broken bench, not bad luck.
const DEAD_AFTER: u32 = 5;

/// What a run of trials that told nothing calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alarm {
    /// Nothing yet.
    None,
    /// The board has to be recovered, and what was held back of it is nobody's failure.
    Recover,
    /// It was recovered, and is as silent as before: so many trials.
    Dead(u32),
}

#[derive(Clone, Debug, Default)]
struct Entry {
    tally: BoardTally,
    /// Failures of which nothing was heard, oldest first.
    held: Vec<(Shot, Finding)>,
    /// Checks since its last answer of which nothing was heard either.
    silent_checks: u64,
    /// What was held back and checked until it turned out to be dead.
    silences: u64,
    /// Trials in a row that told nothing, those among them.
    run: u32,
    /// Whether it was recovered and did not answer since.
    is_recovered: bool,
    awaits_recovery: bool,
    /// Whether a check of it was made by another board: it sits at no station.
    is_away: bool,
    /// Whether nothing recovers it as long as this process lasts. No journal has it: the board may be back for the next one.
    is_gone: bool,
}

/// All boards of a course; there is at least one.
#[derive(Clone, Debug)]
pub(crate) struct Boards(Vec<Entry>);

impl Boards {
    pub(crate) fn new(names: Vec<String>) -> Self {
        let mut boards = Self(Vec::new());
        for name in names {
            boards.number_of(&name);
        }
        if boards.0.is_empty() {
            boards.number_of("board");
        }
        boards
    }

    /// The board of that name, which is added if it is new.
    pub(crate) fn number_of(&mut self, name: &str) -> BoardNumber {
        BoardNumber(self.0.iter().position(|it| it.tally.name == name).unwrap_or_else(|| {
            self.0.push(Entry {
                tally: BoardTally { name: name.to_owned(), ..BoardTally::default() },
                ..Entry::default()
            });
            self.0.len() - 1
        }))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn tallies(&self) -> impl Iterator<Item = &BoardTally> {
        self.0.iter().map(|it| &it.tally)
    }

    pub(crate) fn name(&self, board: BoardNumber) -> &str {
        &self.0[board.0].tally.name
    }

    /// A trial that counts.
    pub(crate) fn counted(&mut self, finding: &Finding) {
        let tally = &mut self.0[finding.board.0].tally;
        tally.done += 1;
        tally.failures += u64::from(finding.class.is_failure());
    }

    /// The board lives: what was held back of it counts now.
    pub(crate) fn answered(&mut self, board: BoardNumber) -> Vec<(Shot, Finding)> {
        let entry = &mut self.0[board.0];
        (entry.run, entry.is_recovered, entry.is_away, entry.silent_checks) = (0, false, false, 0);
        std::mem::take(&mut entry.held)
    }

    /// A failure of which nothing was heard.
    pub(crate) fn hold(&mut self, shot: Shot, finding: Finding) -> Alarm {
        let board = finding.board;
        self.0[board.0].held.push((shot, finding));
        self.silent(board)
    }

    /// A trial that told nothing, and is not to be counted whatever turns out.
    pub(crate) fn untold(&mut self, board: BoardNumber) -> Alarm {
        self.0[board.0].tally.untold += 1;
        self.silent(board)
    }

    /// A check of which nothing was heard.
    pub(crate) fn silent_check(&mut self, board: BoardNumber) -> Alarm {
        self.0[board.0].silent_checks += 1;
        self.untold(board)
    }

    fn silent(&mut self, board: BoardNumber) -> Alarm {
        let entry = &mut self.0[board.0];
        entry.run += 1;
        // Trials of the same round end after the alarm was raised, and are the dead board's like those before it.
        if entry.awaits_recovery {
            Alarm::Recover
        } else if entry.run < DEAD_AFTER {
            Alarm::None
        } else if entry.is_recovered {
            Alarm::Dead(entry.run)
        } else {
            entry.awaits_recovery = true;
            Alarm::Recover
        }
    }

    /// A board that turned out to be dead: the trials that it did not make.
    pub(crate) fn take_held(&mut self, board: BoardNumber) -> impl Iterator<Item = Shot> + use<> {
        let entry = &mut self.0[board.0];
        let held = std::mem::take(&mut entry.held);
        entry.tally.untold += held.len() as u64;
        entry.silences += held.len() as u64 + std::mem::take(&mut entry.silent_checks);
        held.into_iter().map(|(shot, _)| shot)
    }

    /// How many trials were silent because their board was dead.
    pub(crate) fn silences(&self) -> u64 {
        self.0.iter().map(|it| it.silences).sum()
    }

    /// How many failures are held back.
    pub(crate) fn held(&self) -> u64 {
        self.0.iter().map(|it| it.held.len() as u64).sum()
    }

    /// A trial that may show whether a board lives: one that is held back. `None` if no board is in doubt that a check comes to.
    pub(crate) fn doubtful(&self) -> Option<Shot> {
        let there = self.0.iter().enumerate().filter(|(_, it)| !it.is_away);
        let mut held = there.filter_map(|(number, it)| Some((BoardNumber(number), it.held.first()?)));
        held.next().map(|(board, (shot, _))| Shot { board: Some(board), ..shot.clone() })
    }

    /// A check was made. One that another board made says that the one in doubt is not there, and asking again says no more.
    pub(crate) fn checked(&mut self, check: &Shot, finding: &Finding) {
        let meant = check.board.filter(|meant| *meant != finding.board && finding.class != Class::Invalid);
        if let Some(entry) = meant.and_then(|meant| self.0.get_mut(meant.0)) {
            entry.is_away = true;
        }
    }

    /// Which board has to be recovered.
    pub(crate) fn awaiting_recovery(&self) -> Option<BoardNumber> {
        self.0.iter().position(|it| it.awaits_recovery && !it.is_gone).map(BoardNumber)
    }

    /// It cannot be recovered here and now, and nobody is asked to.
    pub(crate) fn gone(&mut self, board: BoardNumber) {
        if let Some(entry) = self.0.get_mut(board.0) {
            entry.is_gone = true;
        }
    }

    /// It was. False if nobody had asked for it.
    pub(crate) fn recovered(&mut self, board: BoardNumber) -> bool {
        let Some(entry) = self.0.get_mut(board.0) else { return false };
        let asked = std::mem::take(&mut entry.awaits_recovery);
        if asked {
            entry.tally.recoveries += 1;
            (entry.run, entry.is_recovered) = (0, true);
        }
        asked
    }

    /// Begins to listen anew: somebody has looked at the boards.
    pub(crate) fn forgive(&mut self) {
        for entry in &mut self.0 {
            (entry.run, entry.is_recovered, entry.awaits_recovery) = (0, false, false);
        }
    }
}
