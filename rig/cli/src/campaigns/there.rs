//! Shots on the stations of a bench.
//!
//! Boundary: as many shots at a time as there are stations that can make them. A shot whose fault struck outside its tolerance is the
//! course's to make again, so each is begun once.

use std::sync::{Arc, mpsc};

use brickproof_explore::{Arm, Ask, Finding, Seen, Shot};
use brickproof_report::Secrets;

use super::Desk;
use crate::arguments::Conduct;
use crate::commands::run::{Ended, Job};
use crate::exit::Problem;
use crate::stations::{self, Chosen, Interrupted};

pub(super) fn make(desk: &mut Desk<'_>, chosen: &Chosen, conduct: &Conduct) -> Result<Interrupted, Problem> {
    if desk.prepared.subjects.iter().any(|subject| subject.arm != Arm::Only) && chosen.stations.len() > 1 {
        return Err(Problem::Selection {
            what: format!(
                "bench {} has several stations, and a proof compares two firmwares on the same board",
                chosen.bench
            ),
            help: "say which with --station".to_owned(),
        });
    }
    let secrets = Secrets::new(&brickproof_firmware::private_keys());
    while !desk.is_over() {
        let (shots, jobs) = next_round(desk, chosen, conduct)?;
        if shots.is_empty() {
            break;
        }
        chosen.check(&jobs)?;
        let jobs: Vec<Arc<Job>> = jobs.into_iter().map(Arc::new).collect();
        let (sender, receiver) = mpsc::channel();
        let outcome = stations::run_all(chosen, &jobs, 1, &secrets, &sender);
        drop(sender);
        let mut findings: Vec<Option<Finding>> = vec![None; shots.len()];
        for Ended { position, attempts } in receiver {
            findings[position] = attempts.last().and_then(|it| Finding::of(&it.trial));
        }
        let interrupted = matches!(outcome, Ok(Interrupted::Yes));
        for (shot, finding) in shots.iter().zip(findings) {
            match finding {
                Some(finding) => desk.take(shot, &finding, Seen::Whole),
                // What was not begun, for an interruption or a bench that cannot go on, told nothing and is not told.
                None if interrupted || outcome.is_err() => break,
                None => desk.take(shot, &Finding::UNTOLD, Seen::Whole),
            }
        }
        if let Interrupted::Yes = outcome? {
            return Ok(Interrupted::Yes);
        }
    }
    Ok(Interrupted::No)
}

fn next_round(desk: &mut Desk<'_>, chosen: &Chosen, conduct: &Conduct) -> Result<(Vec<Shot>, Vec<Job>), Problem> {
    let (mut shots, mut jobs) = (Vec::new(), Vec::new());
    while shots.len() < chosen.stations.len() {
        let Ask::Shot(shot) = desk.course.ask() else { break };
        let subject = desk.prepared.subject(&shot);
        let (plan, id) = subject.plan_of(&shot)?;
        let mut replay = subject.replay(&plan, &id);
        if let Some(path) = &conduct.on.bench {
            replay.push_str(&format!(" --bench {}", path.display()));
        }
        jobs.push(Job { id, plan, firmware: subject.firmware.clone(), replay });
        shots.push(shot);
    }
    Ok((shots, jobs))
}
