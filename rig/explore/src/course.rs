//! A campaign under way: one shot after the other, each judged, discarded or made again, until there is an answer.
//!
//! Boundary: it keeps no file and runs nothing. The order in which findings are told is the order in which shots were asked for, whoever
//! made them and however many at a time: so that the same findings always lead to the same place.

use std::collections::VecDeque;

use brickproof_statistics::{Counts, Window};

use crate::answer::{self, Answer};
use crate::asking::{Asking, Question as _};
use crate::boards::{Alarm, BoardNumber, BoardTally, Boards};
use crate::campaign::{Campaign, CampaignError, Kind};
use crate::find::FindWindow;
use crate::group::{self, Group};
use crate::outcome::Class;
use crate::progress::{Progress, Stopped};
use crate::prove::Prove;
use crate::shot::{Finding, Shot};
use crate::soak::Soak;
use crate::sweep::Sweep;

/// So many discarded trials in a row: this bench does not strike as exactly as the scenario asks.
const ASTRAY_AFTER: u32 = 20;

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// This trial.
    Shot(Shot),
    /// Bring this board back, or put another in its place, and tell [`Course::recovered`]; or [`Course::gone`] if it is not there.
    Recover(BoardNumber),
    /// Nothing, until findings that are under way were told.
    Wait,
    /// Nothing any more.
    Over,
}

/// Whether a trial that is made again comes to the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// On a virtual board.
    Exactly,
    /// On a real one.
    Roughly,
}

/// A campaign under way.
#[derive(Clone, Debug)]
pub struct Course {
    campaign: Campaign,
    repeats: Repeats,
    asking: Asking,
    boards: Boards,
    /// Shots whose findings were not told yet, in their order.
    open: VecDeque<Open>,
    /// Shots that have to be made again.
    again: VecDeque<Shot>,
    done: u64,
    failures: u64,
    classes: [u64; Class::ALL.len()],
    discarded: u64,
    invalid: u64,
    /// Trials that told nothing and are not made again, since they would come to the same.
    untellable: u64,
    discarded_in_a_row: u32,
    /// Failures that were held back and count by now, until somebody asks.
    late: Vec<(Shot, Class)>,
    stopped: Option<Stopped>,
}

/// A shot under way.
#[derive(Clone, Debug)]
struct Open {
    shot: Shot,
    why: Why,
}

/// What a shot is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// The question asks for it.
    Asked,
    /// To see whether its board lives. It does not count.
    Check,
}

impl Course {
    /// A campaign at its beginning, on one board, in a world that repeats itself so.
    ///
    /// # Errors
    /// What it asks for cannot be asked.
    pub fn new(campaign: Campaign, repeats: Repeats) -> Result<Self, CampaignError> {
        Self::on(campaign, repeats, vec!["virtual".to_owned()])
    }

    /// The same on boards that are called so.
    ///
    /// # Errors
    /// What it asks for cannot be asked.
    pub fn on(campaign: Campaign, repeats: Repeats, boards: Vec<String>) -> Result<Self, CampaignError> {
        if campaign.budget.evidence.is_some() && !matches!(campaign.kind, Kind::Soak(_)) {
            return Err(CampaignError::NoEvidence);
        }
        let boards = Boards::new(boards);
        let Campaign { kind, seed, budget, .. } = &campaign;
        let asking = match kind {
            Kind::Sweep(settings) => Asking::Sweep(Sweep::new(settings, *seed, *budget)?),
            Kind::FindWindow(asked) => Asking::FindWindow(Box::new(FindWindow::new(asked, *seed, *budget)?)),
            Kind::Prove(settings) => Asking::Prove(Box::new(Prove::new(settings, *seed, *budget, boards.len())?)),
            Kind::Soak(settings) => Asking::Soak(Soak::new(settings, *seed, *budget, repeats)?),
        };
        Ok(Self {
            campaign,
            repeats,
            asking,
            boards,
            open: VecDeque::new(),
            again: VecDeque::new(),
            done: 0,
            failures: 0,
            classes: [0; Class::ALL.len()],
            discarded: 0,
            invalid: 0,
            untellable: 0,
            discarded_in_a_row: 0,
            late: Vec::new(),
            stopped: None,
        })
    }

    /// What is asked.
    pub fn campaign(&self) -> &Campaign {
        &self.campaign
    }

    /// What to do next.
    pub fn ask(&mut self) -> Ask {
        if self.is_over() {
            return Ask::Over;
        }
        match self.boards.awaiting_recovery() {
            Some(board) => Ask::Recover(board),
            None => self.ask_for_a_shot(),
        }
    }

    /// The next shot, whatever has to be done to a board before it is made.
    pub(crate) fn ask_for_a_shot(&mut self) -> Ask {
        if self.is_over() {
            return Ask::Over;
        }
        // What has to be made again comes when nothing new can: an order that does not depend on how many are made at a time.
        let shot = self.asking.question_mut().next().or_else(|| self.again.pop_front());
        let asked = shot.map(|shot| Open { shot, why: Why::Asked });
        let idle = self.open.is_empty();
        // Nothing else will show whether a board lives of which nothing was heard.
        let check = || self.boards.doubtful().filter(|_| idle).map(|shot| Open { shot, why: Why::Check });
        match asked.or_else(check) {
            Some(open) => {
                self.open.push_back(open.clone());
                Ask::Shot(open.shot)
            }
            None if idle => {
                // Whoever went on after such a trial found that nothing else can be tried.
                if self.untellable > 0 {
                    self.stop(Stopped::Untellable);
                }
                Ask::Over
            }
            None => Ask::Wait,
        }
    }

    /// Takes what came of the oldest shot that is open; that shot. `None`, and nothing is taken, if none is open or all is over.
    pub fn record(&mut self, finding: &Finding) -> Option<Shot> {
        if self.is_over() {
            return None;
        }
        let Open { shot, why } = self.open.pop_front()?;
        if let Asking::Soak(soak) = &mut self.asking {
            soak.wears(finding);
        }
        if why == Why::Check {
            self.boards.checked(&shot, finding);
        }
        match finding.class {
            Class::Discarded => self.take_discarded(&shot, why),
            Class::Invalid => self.take_invalid(&shot, why, finding),
            _ if self.holds_back(finding) => {
                let alarm = match why {
                    Why::Asked => self.boards.hold(shot.clone(), finding.clone()),
                    Why::Check => self.boards.silent_check(finding.board),
                };
                self.heed(alarm, finding.board);
            }
            _ => {
                for (shot, held) in self.boards.answered(finding.board) {
                    self.count(&shot, &held);
                    self.late.push((shot, held.class));
                }
                if why == Why::Asked {
                    self.count(&shot, finding);
                }
            }
        }
        Some(shot)
    }

    /// Whether a failure may be that of a dead board, and counts only once its board answers. A new virtual one is not dead.
    pub fn holds_back(&self, finding: &Finding) -> bool {
        finding.class.is_failure() && !finding.heard && self.carries()
    }

    /// The failures that were held back and began to count since this was asked last, oldest first.
    pub fn take_late(&mut self) -> Vec<(Shot, Class)> {
        std::mem::take(&mut self.late)
    }

    /// Whether its boards go on from trial to trial, as real ones do; each trial has a new one otherwise.
    pub fn carries(&self) -> bool {
        self.repeats == Repeats::Roughly || matches!(&self.asking, Asking::Soak(soak) if soak.carries())
    }

    fn count(&mut self, shot: &Shot, finding: &Finding) {
        self.discarded_in_a_row = 0;
        self.classes[finding.class as usize] += 1;
        self.done += 1;
        self.failures += u64::from(finding.class.is_failure());
        self.boards.counted(finding);
        self.asking.question_mut().record(shot, finding);
    }

    fn take_discarded(&mut self, shot: &Shot, why: Why) {
        self.classes[Class::Discarded as usize] += 1;
        self.discarded += 1;
        self.discarded_in_a_row += 1;
        if why == Why::Asked {
            self.again.push_back(shot.clone());
        }
        if self.discarded_in_a_row >= ASTRAY_AFTER {
            self.stop(Stopped::Astray { discarded: self.discarded_in_a_row });
        }
    }

    fn take_invalid(&mut self, shot: &Shot, why: Why, finding: &Finding) {
        self.classes[Class::Invalid as usize] += 1;
        self.invalid += 1;
        if self.carries() {
            if why == Why::Asked {
                self.again.push_back(shot.clone());
            }
            let alarm = self.boards.untold(finding.board);
            return self.heed(alarm, finding.board);
        }
        // A board that begins anew does the same again.
        match &mut self.asking {
            Asking::Sweep(sweep) => sweep.record(shot, finding),
            _ => {
                self.untellable += 1;
                self.stop(Stopped::Untellable);
            }
        }
    }

    fn heed(&mut self, alarm: Alarm, board: BoardNumber) {
        if alarm == Alarm::None {
            return;
        }
        for shot in self.boards.take_held(board) {
            self.again.push_back(shot);
        }
        if let Alarm::Dead(invalid) = alarm {
            self.stop(Stopped::Dead { invalid });
        }
    }

    /// A board was brought back, or another one put in its place. False, and nothing is changed, if that was not asked for.
    pub fn recovered(&mut self, board: BoardNumber) -> bool {
        let was_asked = self.boards.recovered(board);
        if was_asked
            && self.repeats == Repeats::Exactly
            && let Asking::Soak(soak) = &mut self.asking
        {
            soak.replaced(board);
        }
        was_asked
    }

    /// A board that has to be recovered sits nowhere any more: it is not asked for again, and others make its trials. Whoever goes on from
    /// the journal is asked anew.
    pub fn gone(&mut self, board: BoardNumber) {
        self.boards.gone(board);
    }

    /// The board of that name; it is one of the course's from now on.
    pub fn board(&mut self, name: &str) -> BoardNumber {
        self.boards.number_of(name)
    }

    /// What a board is called.
    pub fn name_of(&self, board: BoardNumber) -> &str {
        self.boards.name(board)
    }

    /// What each board came to.
    pub fn boards(&self) -> impl Iterator<Item = &BoardTally> {
        self.boards.tallies()
    }

    /// Ends it where it is.
    pub fn stop(&mut self, why: Stopped) {
        self.stopped.get_or_insert(why);
    }

    /// Forgets why it stopped, and that trials in a row told nothing: whoever starts it again has looked at the bench.
    pub(crate) fn forgive(&mut self) {
        (self.stopped, self.discarded_in_a_row) = (None, 0);
        self.boards.forgive();
    }

    /// Whether it ended, with an answer or without.
    pub fn is_over(&self) -> bool {
        self.stopped.is_some() || self.asking.question().is_answered()
    }

    /// Why it ended early, if it did.
    pub fn stopped(&self) -> Option<Stopped> {
        self.stopped
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        Progress {
            done: self.done,
            size: self.asking.question().size(),
            counts: Counts::new(self.failures, self.done).expect("each failure is a trial"),
            discarded: self.discarded,
            invalid: self.invalid,
            silences: self.boards.silences(),
            unjudged: self.boards.held(),
        }
    }

    /// How many trials ended in each class.
    pub fn classes(&self) -> impl Iterator<Item = (Class, u64)> + '_ {
        Class::ALL.into_iter().zip(self.classes).filter(|(_, count)| *count > 0)
    }

    /// What can be said by now.
    pub fn answer(&self) -> Answer {
        answer::of(self, &self.asking)
    }

    /// The windows that a search has both edges of by now. Empty for other questions.
    pub fn windows(&self) -> Vec<Window> {
        match &self.asking {
            Asking::FindWindow(find) => find.search().windows(),
            _ => Vec::new(),
        }
    }

    /// What a sweep counts apart: models of cells, first and second cuts. Empty if it has but one kind of trials, and for other questions.
    pub fn groups(&self) -> Vec<Group> {
        group::groups(self.points())
    }

    pub(crate) fn asking(&self) -> &Asking {
        &self.asking
    }

    /// The points of a sweep and what came of each, in the order of trying. Empty for other questions.
    pub fn points(&self) -> &[(Vec<brickproof_scenario::Setting>, Class)] {
        match &self.asking {
            Asking::Sweep(sweep) => sweep.tried(),
            _ => &[],
        }
    }
}
