//! A campaign under way: one shot after the other, each judged, discarded or made again, until there is an answer.
//!
//! Boundary: it keeps no file and runs nothing. The order in which findings are told is the order in which shots were asked for, whoever
//! made them and however many at a time: so that the same findings always lead to the same place.

use std::collections::VecDeque;

use brickproof_statistics::{Counts, Interval, Probability, Window};

use crate::answer::{self, Answer};
use crate::campaign::{Campaign, CampaignError, Kind};
use crate::find::FindWindow;
use crate::group::{self, Group};
use crate::outcome::Class;
use crate::prove::Prove;
use crate::shot::{Finding, Shot};
use crate::soak::Soak;
use crate::sweep::Sweep;

/// What every question can do.
pub(crate) trait Question {
    /// The next trial; `None` if what is awaited has to come first, or there is none.
    fn next(&mut self) -> Option<Shot>;
    /// Takes a finding that counts. Findings come in the order of the shots.
    fn record(&mut self, shot: &Shot, finding: &Finding);
    /// Whether nothing more has to be tried.
    fn is_answered(&self) -> bool;
    /// How many findings it takes, if that is known.
    fn size(&self) -> Option<u64>;
}

/// A question of one kind.
#[derive(Clone, Debug)]
pub(crate) enum Asking {
    Sweep(Sweep),
    FindWindow(Box<FindWindow>),
    Prove(Box<Prove>),
    Soak(Soak),
}

impl Asking {
    fn question(&self) -> &dyn Question {
        match self {
            Self::Sweep(it) => it,
            Self::FindWindow(it) => &**it,
            Self::Prove(it) => &**it,
            Self::Soak(it) => it,
        }
    }

    fn question_mut(&mut self) -> &mut dyn Question {
        match self {
            Self::Sweep(it) => it,
            Self::FindWindow(it) => &mut **it,
            Self::Prove(it) => &mut **it,
            Self::Soak(it) => it,
        }
    }
}

/// So many trials in a row that tell nothing are a dead board or a broken bench, not bad luck.
const DEAD_AFTER: u32 = 5;
/// So many discarded trials in a row: this bench does not strike as exactly as the scenario asks.
const ASTRAY_AFTER: u32 = 20;

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// This trial.
    Shot(Shot),
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

/// Why a course ended without its question being answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Too many trials in a row told nothing.
    Dead {
        /// How many.
        invalid: u32,
    },
    /// Too many faults in a row struck outside their tolerance.
    Astray {
        /// How many.
        discarded: u32,
    },
    /// The virtual bench does the same again: a trial that told nothing never will.
    Untellable,
    /// Its budget of time is spent.
    OutOfTime,
    /// Somebody stopped it.
    Interrupted,
}

/// How far a course is.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Trials that count.
    pub done: u64,
    /// How many it takes in all, where that is known.
    pub size: Option<u64>,
    /// Failures among those that count.
    pub counts: Counts,
    /// Trials whose fault struck outside its tolerance.
    pub discarded: u64,
    /// Trials that told nothing because bench or scenario failed.
    pub invalid: u64,
}

impl Progress {
    /// The share of failures with its interval, in words.
    pub fn told(&self) -> String {
        answer::told(self.counts)
    }

    /// Where the share of failures lies, as surely as estimates are shown.
    pub fn interval(&self) -> Interval {
        self.counts.clopper_pearson(shown_confidence())
    }
}

/// A campaign under way.
#[derive(Clone, Debug)]
pub struct Course {
    campaign: Campaign,
    repeats: Repeats,
    asking: Asking,
    /// Shots whose findings were not told yet, in their order.
    open: VecDeque<Shot>,
    /// Shots that have to be made again.
    again: VecDeque<Shot>,
    done: u64,
    failures: u64,
    classes: [u64; Class::ALL.len()],
    discarded: u64,
    invalid: u64,
    invalid_in_a_row: u32,
    discarded_in_a_row: u32,
    stopped: Option<Stopped>,
}

impl Course {
    /// A campaign at its beginning, in a world that repeats itself so.
    ///
    /// # Errors
    /// What it asks for cannot be asked.
    pub fn new(campaign: Campaign, repeats: Repeats) -> Result<Self, CampaignError> {
        let Campaign { kind, seed, budget, .. } = &campaign;
        let asking = match kind {
            Kind::Sweep(settings) => Asking::Sweep(Sweep::new(settings, *seed, *budget)?),
            Kind::FindWindow(asked) => Asking::FindWindow(Box::new(FindWindow::new(asked, *seed, *budget)?)),
            Kind::Prove(settings) => Asking::Prove(Box::new(Prove::new(settings, *seed, *budget)?)),
            Kind::Soak(settings) => Asking::Soak(Soak::new(*settings, *seed, *budget)?),
        };
        Ok(Self {
            campaign,
            repeats,
            asking,
            open: VecDeque::new(),
            again: VecDeque::new(),
            done: 0,
            failures: 0,
            classes: [0; Class::ALL.len()],
            discarded: 0,
            invalid: 0,
            invalid_in_a_row: 0,
            discarded_in_a_row: 0,
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
        // What has to be made again comes when nothing new can: an order that does not depend on how many are made at a time.
        let shot = self.asking.question_mut().next().or_else(|| self.again.pop_front());
        match shot {
            Some(shot) => {
                self.open.push_back(shot.clone());
                Ask::Shot(shot)
            }
            None if self.open.is_empty() => Ask::Over,
            None => Ask::Wait,
        }
    }

    /// Takes what came of the oldest shot that is open; that shot. `None`, and nothing is taken, if none is open or all is over.
    pub fn record(&mut self, finding: &Finding) -> Option<Shot> {
        if self.is_over() {
            return None;
        }
        let shot = self.open.pop_front()?;
        self.classes[finding.class as usize] += 1;
        match finding.class {
            Class::Discarded => {
                self.discarded += 1;
                self.discarded_in_a_row += 1;
                self.again.push_back(shot.clone());
                if self.discarded_in_a_row >= ASTRAY_AFTER {
                    self.stop(Stopped::Astray { discarded: self.discarded_in_a_row });
                }
            }
            Class::Invalid => {
                self.invalid += 1;
                self.invalid_in_a_row += 1;
                match (self.repeats, &mut self.asking) {
                    (Repeats::Exactly, Asking::Sweep(sweep)) => {
                        sweep.record(&shot, finding);
                        self.invalid_in_a_row = 0;
                    }
                    (Repeats::Exactly, _) => self.stop(Stopped::Untellable),
                    (Repeats::Roughly, _) => self.again.push_back(shot.clone()),
                }
                if self.invalid_in_a_row >= DEAD_AFTER {
                    self.stop(Stopped::Dead { invalid: self.invalid_in_a_row });
                }
            }
            class => {
                self.invalid_in_a_row = 0;
                self.discarded_in_a_row = 0;
                self.done += 1;
                self.failures += u64::from(class.is_failure());
                self.asking.question_mut().record(&shot, finding);
            }
        }
        Some(shot)
    }

    /// Ends it where it is.
    pub fn stop(&mut self, why: Stopped) {
        self.stopped.get_or_insert(why);
    }

    /// Forgets why it stopped, and that trials in a row told nothing: whoever starts it again has looked at the bench.
    pub(crate) fn forgive(&mut self) {
        (self.stopped, self.invalid_in_a_row, self.discarded_in_a_row) = (None, 0, 0);
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

/// With how much confidence estimates are shown while a campaign runs.
pub(crate) fn shown_confidence() -> Probability {
    Probability::new(0.95).expect("it is one")
}
