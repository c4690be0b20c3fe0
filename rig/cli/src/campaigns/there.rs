//! Shots on the stations of a bench.
//!
//! Boundary: as many shots at a time as there are stations that can make them. A shot whose fault struck outside its tolerance is the
//! course's to make again, so each is begun once.

use std::sync::{Arc, mpsc};

use brickproof_bench::driver;
use brickproof_explore::{Ask, BoardNumber, Finding, Seen, Shot, Stopped};
use brickproof_report::Secrets;
use brickproof_report::results::Finished;

use super::Desk;
use crate::arguments::Conduct;
use crate::exit::Problem;
use crate::files::Reached;
use crate::jobs::{Begun, Ended, Job};
use crate::live::Teller;
use crate::output;
use crate::stations::{self, Chosen, Interrupted};

pub(super) fn make(
    desk: &mut Desk<'_>,
    chosen: &Chosen,
    conduct: &Conduct,
    live: &Teller,
) -> Result<Interrupted, Problem> {
    let secrets = desk.prepared.secrets();
    while !desk.is_over() {
        let (shots, interrupted) = next_round(desk, chosen)?;
        if interrupted == Interrupted::Yes {
            return Ok(Interrupted::Yes);
        }
        if shots.is_empty() {
            break;
        }
        if make_round(desk, chosen, conduct, &shots, (&secrets, live))? == Interrupted::Yes {
            return Ok(Interrupted::Yes);
        }
    }
    Ok(Interrupted::No)
}

/// Recovers boards that told nothing any more, and asks for as many shots as there are stations that make them; for none once somebody has
/// interrupted a recovery, which is brought to its end.
fn next_round(desk: &mut Desk<'_>, chosen: &Chosen) -> Result<(Vec<Shot>, Interrupted), Problem> {
    let at_a_time = desk.prepared.stations(chosen).len();
    let mut shots = Vec::new();
    while shots.len() < at_a_time && !desk.is_over() {
        match desk.course.ask() {
            Ask::Shot(shot) => shots.push(shot),
            Ask::Recover(board) if shots.is_empty() => {
                if recover(desk, chosen, board)? == Interrupted::Yes {
                    return Ok((shots, Interrupted::Yes));
                }
            }
            // First what is asked for already.
            Ask::Recover(_) | Ask::Wait | Ask::Over => break,
        }
    }
    Ok((shots, Interrupted::No))
}

/// Makes what was asked for; shots that need the same board one after the other.
fn make_round(
    desk: &mut Desk<'_>,
    chosen: &Chosen,
    conduct: &Conduct,
    shots: &[Shot],
    (secrets, live): (&Secrets, &Teller),
) -> Result<Interrupted, Problem> {
    let mut ended: Vec<Option<Finished>> = std::iter::repeat_with(|| None).take(shots.len()).collect();
    let mut outcome = Ok(Interrupted::No);
    for (stations, places) in by_station(desk, chosen, shots) {
        let jobs: Vec<Job> = places.iter().map(|place| job(desk, conduct, &shots[*place])).collect::<Result<_, _>>()?;
        stations.check(&jobs)?;
        let jobs: Vec<Arc<Job>> = jobs.into_iter().map(Arc::new).collect();
        let (sender, receiver) = mpsc::channel();
        outcome = stations::run_all(&stations, &jobs, 1, secrets, &sender, live);
        drop(sender);
        // What no station was left for is no trial: it is asked for again when the campaign goes on.
        for Ended { position, mut attempts, .. } in receiver.into_iter().filter(|it| it.begun == Begun::Yes) {
            ended[places[position]] = attempts.pop();
        }
        if !matches!(outcome, Ok(Interrupted::No)) {
            break;
        }
    }
    let goes_on = matches!(outcome, Ok(Interrupted::No));
    for (shot, ended) in shots.iter().zip(ended) {
        match ended {
            Some(ended) => {
                let board = desk.course.board(&board_of(&ended));
                let finding = Finding::of(&ended.trial).unwrap_or(Finding::UNTOLD);
                desk.take(shot, &finding.on(board), Seen::Whole, Some(&ended.trial));
            }
            None if goes_on => desk.take(shot, &Finding::UNTOLD, Seen::Whole, None),
            // What was not begun, for an interruption or a bench that cannot go on, told nothing and is not told.
            None => break,
        }
    }
    outcome
}

/// The shots by their place, each with the stations that may make them.
fn by_station(desk: &Desk<'_>, chosen: &Chosen, shots: &[Shot]) -> Vec<(Chosen, Vec<usize>)> {
    let mut groups: Vec<(Option<BoardNumber>, Vec<usize>)> = Vec::new();
    for (place, shot) in shots.iter().enumerate() {
        match groups.iter_mut().find(|(board, _)| *board == shot.board) {
            Some((_, places)) => places.push(place),
            None => groups.push((shot.board, vec![place])),
        }
    }
    let stations = |board: Option<BoardNumber>| match board.and_then(|board| station_of(desk, chosen, board)) {
        Some(station) => chosen.alone(station),
        None => chosen.clone(),
    };
    groups.into_iter().map(|(board, places)| (stations(board), places)).collect()
}

/// At which station the board sits.
fn station_of(desk: &Desk<'_>, chosen: &Chosen, board: BoardNumber) -> Option<usize> {
    (0..chosen.stations.len()).find(|index| chosen.board_of(*index) == desk.course.name_of(board))
}

/// As [`Chosen::board_of`] calls it.
fn board_of(ended: &Finished) -> String {
    match &ended.board_serial {
        Some(serial) => format!("{} ({serial})", ended.station),
        None => ended.station.to_string(),
    }
}

fn job(desk: &Desk<'_>, conduct: &Conduct, shot: &Shot) -> Result<Job, Problem> {
    let subject = desk.prepared.subject(shot);
    let (plan, id) = subject.plan_of(shot)?;
    let mut replay = subject.replay(&plan, &id);
    if let Some(path) = &conduct.on.bench {
        replay.push_str(&format!(" --bench {}", path.display()));
    }
    Ok(Job { id, plan, firmware: subject.firmware.clone(), replay, reached: Reached::Named })
}

/// Writes firmware and keys to the board anew, up the ladder of what may help. A board that cannot be recovered ends the campaign.
fn recover(desk: &mut Desk<'_>, chosen: &Chosen, board: BoardNumber) -> Result<Interrupted, Problem> {
    let Some(station) = station_of(desk, chosen, board) else {
        // Another board sits at its station, or its station is not among those of this bench any more.
        output::note(&format!(
            "board {} told nothing several times in a row and is no longer on this bench: it was not recovered",
            desk.course.name_of(board)
        ));
        desk.course.gone(board);
        return Ok(Interrupted::No);
    };
    let firmware = desk.prepared.subjects[0].firmware.clone();
    let (recovered, interrupted) =
        stations::on_one(chosen, station, async |opened| driver::recover(opened, &firmware).await)?;
    match recovered {
        Ok(done) => {
            output::note(&format!("{}: {done}", chosen.board_of(station)));
            desk.recovered(board);
        }
        Err(why) => {
            output::note(&format!("{}: {why}", chosen.board_of(station)));
            desk.course.stop(Stopped::Lost);
        }
    }
    Ok(interrupted)
}
