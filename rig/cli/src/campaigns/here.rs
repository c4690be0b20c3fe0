//! Shots on virtual boards, several at a time, forked from what they share.
//!
//! Boundary: threads. Findings are taken in the order in which the shots were asked for, so that the course does not depend on how many
//! run at a time. What dies with the process is what was under way: a trial of each thread, and what waited for an older one.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use brickproof_explore::{Arm, Ask, Finding, Laboratory, Seen, Shot, Spared};
use brickproof_scenario::plan::Plan;
use brickproof_trial::Trial;

use super::Desk;
use crate::arguments::Conduct;
use crate::signals;
use crate::stations::Interrupted;

/// What the threads share.
struct Table<'d, 'p> {
    desk: &'d mut Desk<'p>,
    /// The ticket of the next shot, and of the next finding to be taken.
    asked: u64,
    taken: u64,
    /// Findings that wait for older ones.
    waiting: BTreeMap<u64, (Shot, Made)>,
}

/// What came of a shot, and its trial where that is kept: it is large, and waits for its turn only where it is wanted.
struct Made {
    finding: Finding,
    seen: Seen,
    trial: Option<Trial>,
}

impl Made {
    fn find(laboratory: &Laboratory, plan: Arc<Plan>, shot: &Shot) -> Self {
        let (finding, seen) = laboratory.find(plan, shot);
        Self { finding, seen, trial: None }
    }

    fn keep(laboratory: &Laboratory, plan: Arc<Plan>, shot: &Shot) -> Self {
        let trial = laboratory.make(plan, shot);
        Self { finding: Finding::of(&trial).unwrap_or(Finding::UNTOLD), seen: Seen::Whole, trial: Some(trial) }
    }
}

impl Table<'_, '_> {
    fn take_what_can_be(&mut self) {
        while let Some((shot, Made { finding, seen, trial })) = self.waiting.remove(&self.taken) {
            self.taken += 1;
            self.desk.take(&shot, &finding, seen, trial.as_ref());
        }
    }
}

pub(super) fn make(desk: &mut Desk<'_>, conduct: &Conduct) -> Interrupted {
    let interrupted = signals::interrupted();
    let jobs = conduct.jobs.map_or_else(|| thread::available_parallelism().map_or(1, NonZero::get), usize::from);
    let seed = desk.prepared.campaign.seed;
    let may_be_told = desk.prepared.may_be_told() && !conduct.whole;
    let laboratories: BTreeMap<(Arm, usize), Laboratory> = desk
        .prepared
        .subjects
        .iter()
        .map(|subject| {
            let laboratory = Laboratory::new(Arc::clone(&subject.plan), subject.firmware.clone(), seed);
            ((subject.arm, subject.cell), if may_be_told { laboratory.sparing() } else { laboratory })
        })
        .collect();
    let table = Mutex::new(Table { desk, asked: 0, taken: 0, waiting: BTreeMap::new() });
    let moved = Condvar::new();
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| work(&table, &moved, &laboratories, &interrupted));
        }
    });
    let table = table.into_inner().unwrap_or_else(PoisonError::into_inner);
    let before = table.desk.journal.before();
    table.desk.showing.spared(laboratories.values().map(Laboratory::spared).fold(before, Spared::and));
    if interrupted.load(Ordering::SeqCst) { Interrupted::Yes } else { Interrupted::No }
}

/// Wakes the others when its thread panics: what it was at will never be told.
struct Alarm<'a> {
    over: &'a AtomicBool,
    moved: &'a Condvar,
}

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.over.store(true, Ordering::SeqCst);
            self.moved.notify_all();
        }
    }
}

fn work(
    table: &Mutex<Table<'_, '_>>,
    moved: &Condvar,
    laboratories: &BTreeMap<(Arm, usize), Laboratory>,
    interrupted: &AtomicBool,
) {
    let _alarm = Alarm { over: interrupted, moved };
    let mut at_table = table.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if interrupted.load(Ordering::SeqCst) || at_table.desk.is_over() {
            break;
        }
        match at_table.desk.course.ask() {
            // A new board is never a dead one.
            Ask::Over | Ask::Recover(_) => break,
            Ask::Wait => at_table = moved.wait(at_table).unwrap_or_else(PoisonError::into_inner),
            Ask::Shot(shot) => {
                let ticket = at_table.asked;
                at_table.asked += 1;
                let subject = at_table.desk.prepared.subject(&shot);
                let laboratory = &laboratories[&(subject.arm, subject.cell)];
                let make = if at_table.desk.keeps_evidence() { Made::keep } else { Made::find };
                drop(at_table);
                // What cannot be turned was refused before the campaign began.
                let made = laboratory.plan_of(&shot.settings).ok().map(|plan| make(laboratory, plan, &shot));
                let made = made.unwrap_or(Made { finding: Finding::UNTOLD, seen: Seen::Whole, trial: None });
                at_table = table.lock().unwrap_or_else(PoisonError::into_inner);
                at_table.waiting.insert(ticket, (shot, made));
                at_table.take_what_can_be();
                moved.notify_all();
            }
        }
    }
    moved.notify_all();
}
