//! Cycles on virtual boards that go on from one to the next.
//!
//! Boundary: threads. A board makes its cycles one after the other, and several boards make theirs at the same time; findings are taken in
//! the order in which the shots were asked for. The boards are not kept: a campaign that goes on makes the cycles again that its journal has.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use brickproof_explore::journal::Told;
use brickproof_explore::{Ask, BoardNumber, Finding, Seen, Shot, UsedBoard};
use brickproof_trial::Trial;

use super::{Desk, Prepared};
use crate::exit::Problem;
use crate::stations::Interrupted;
use crate::{output, signals};

/// A board and what it has to do next.
struct Turn<T> {
    number: BoardNumber,
    board: UsedBoard,
    tasks: Vec<T>,
}

/// A cycle that was made.
struct Made {
    finding: Finding,
    trial: Option<Trial>,
}

pub(super) fn make(desk: &mut Desk<'_>, jobs: Option<u16>, told: &[Told]) -> Result<Interrupted, Problem> {
    let interrupted = signals::interrupted();
    let jobs = jobs.map_or_else(|| thread::available_parallelism().map_or(1, NonZero::get), usize::from);
    let mut boards = bring_back(desk, jobs, told, &interrupted)?;
    let at_a_time = desk.course.boards().count();
    while !interrupted.load(Ordering::SeqCst) && !desk.is_over() {
        let shots = next_round(desk, &mut boards, at_a_time);
        if shots.is_empty() {
            break;
        }
        let mut turns: BTreeMap<BoardNumber, Turn<(usize, &Shot)>> = BTreeMap::new();
        for (place, shot) in shots.iter().enumerate() {
            let number = shot.board.unwrap_or_default();
            let begin = || Turn { number, board: boards.remove(&number).unwrap_or_default(), tasks: Vec::new() };
            turns.entry(number).or_insert_with(begin).tasks.push((place, shot));
        }
        boards.extend(one_round(desk, &shots, turns.into_values().collect(), jobs, &interrupted));
    }
    Ok(if interrupted.load(Ordering::SeqCst) { Interrupted::Yes } else { Interrupted::No })
}

/// Has each board make its cycles, and takes what came of them as soon as it can be, in the order of asking; the boards afterwards. After an
/// interruption those that were not begun are left out.
fn one_round(
    desk: &mut Desk<'_>,
    shots: &[Shot],
    turns: Vec<Turn<(usize, &Shot)>>,
    jobs: usize,
    interrupted: &AtomicBool,
) -> Vec<(BoardNumber, UsedBoard)> {
    let prepared = desk.prepared;
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        let worker = scope.spawn(move || {
            at_work(turns, jobs, |turn| {
                for (place, shot) in &turn.tasks {
                    if interrupted.load(Ordering::SeqCst) {
                        break;
                    }
                    let made = one(prepared, &mut turn.board, turn.number, shot);
                    // Who receives waits until everybody is through.
                    let _ = sender.send((*place, made));
                }
            })
        });
        let mut waiting: BTreeMap<usize, Made> = BTreeMap::new();
        let mut taken = 0;
        for (place, made) in receiver {
            waiting.insert(place, made);
            while let Some(Made { finding, trial }) = waiting.remove(&taken) {
                desk.take(&shots[taken], &finding, Seen::Whole, trial.as_ref());
                taken += 1;
            }
        }
        let worked = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        worked.into_iter().map(|(number, board, ())| (number, board)).collect()
    })
}

/// Puts new boards in the place of dead ones, and asks for as many shots as there are boards.
fn next_round(desk: &mut Desk<'_>, boards: &mut BTreeMap<BoardNumber, UsedBoard>, at_a_time: usize) -> Vec<Shot> {
    let mut shots = Vec::new();
    while shots.len() < at_a_time && !desk.is_over() {
        match desk.course.ask() {
            Ask::Shot(shot) => shots.push(shot),
            Ask::Recover(board) => {
                boards.insert(board, UsedBoard::new());
                desk.recovered(board);
            }
            Ask::Wait | Ask::Over => break,
        }
    }
    shots
}

fn one(prepared: &Prepared, board: &mut UsedBoard, number: BoardNumber, shot: &Shot) -> Made {
    let subject = prepared.subject(shot);
    // What cannot be turned was refused before the campaign began.
    let Ok((plan, _)) = subject.plan_of(shot) else {
        return Made { finding: Finding::UNTOLD.on(number), trial: None };
    };
    let (trial, erased) = board.make(plan, &subject.firmware, shot.seed);
    let finding = Finding::of(&trial).unwrap_or(Finding::UNTOLD);
    Made { finding: Finding { erased, ..finding.on(number) }, trial: Some(trial) }
}

/// Has each turn taken, so many at the same time; the boards afterwards, and what came of them.
fn at_work<T: Send, R: Send>(
    turns: Vec<Turn<T>>,
    jobs: usize,
    work: impl Fn(&mut Turn<T>) -> R + Sync,
) -> Vec<(BoardNumber, UsedBoard, R)> {
    let threads = jobs.min(turns.len());
    let (waiting, done) = (Mutex::new(turns.into_iter()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some(mut turn) = next else { return };
                    let result = work(&mut turn);
                    let Turn { number, board, .. } = turn;
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((number, board, result));
                }
            });
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// The boards as the journal's last lines left them: their cycles are made again.
fn bring_back(
    desk: &Desk<'_>,
    jobs: usize,
    told: &[Told],
    interrupted: &AtomicBool,
) -> Result<BTreeMap<BoardNumber, UsedBoard>, Problem> {
    let mut turns: BTreeMap<BoardNumber, Turn<&Told>> = BTreeMap::new();
    for it in told {
        let number = match it {
            Told::Made(_, finding) => finding.board,
            Told::Recovered(board) => *board,
        };
        let begin = || Turn { number, board: UsedBoard::new(), tasks: Vec::new() };
        let turn = turns.entry(number).or_insert_with(begin);
        // What a board went through that another took the place of leads nowhere.
        match it {
            Told::Made(..) => turn.tasks.push(it),
            Told::Recovered(_) => turn.tasks.clear(),
        }
    }
    let cycles: usize = turns.values().map(|turn| turn.tasks.len()).sum();
    if cycles > 0 {
        output::note(&format!("{cycles} cycles are made again, so that the boards are as they were"));
    }
    let brought = at_work(turns.into_values().collect(), jobs, |turn| {
        for task in &turn.tasks {
            let (Told::Made(shot, kept), false) = (task, interrupted.load(Ordering::SeqCst)) else { continue };
            let made = one(desk.prepared, &mut turn.board, turn.number, shot).finding;
            if made != *kept {
                return Err(desk.journal.elsewise(shot, kept, &made));
            }
        }
        Ok(())
    });
    brought.into_iter().map(|(number, board, same)| same.map(|()| (number, board))).collect()
}
