//! The way of a proof: how the failures of baseline and candidate grew, trial by trial, and where the candidate would have to stay below.
//!
//! Boundary: what a proof counted, in the order in which it counted.

use brickproof_statistics::Outcome;

use super::rows::{self, Axis, Row};
use super::svg::{Anchor, Svg};
use super::{Caption, share};
use crate::prove::Prove;
use crate::shot::Arm;

const LEFT: f64 = 70.0;
const WIDE: f64 = 770.0;
const TOP: f64 = 74.0;
const HIGH: f64 = 240.0;

pub(super) fn draw(prove: &Prove, caption: &Caption<'_>) -> Option<String> {
    let grown = |arm: Arm| {
        let outcomes = prove.history().iter().filter(move |(of, _)| *of == arm);
        outcomes.scan(0_u64, |failures, (_, outcome)| {
            *failures += u64::from(*outcome == Outcome::Failed);
            Some(*failures)
        })
    };
    let (baseline, candidate): (Vec<u64>, Vec<u64>) = (grown(Arm::Baseline).collect(), grown(Arm::Candidate).collect());
    let trials = baseline.len().max(candidate.len()).max(1);
    let most = baseline.last().copied().unwrap_or(0).max(candidate.last().copied().unwrap_or(0)).max(1);
    baseline.first()?;
    let x = |trial: usize| LEFT + trial as f64 / trials as f64 * WIDE;
    let y = |failures: u64| TOP + HIGH - failures as f64 / most as f64 * HIGH;
    let mut svg = Svg::new(LEFT + WIDE + 40.0, TOP + HIGH + 50.0);
    svg.words(LEFT, 20.0, Anchor::Start, &format!("{} ({} world)", caption.title, caption.world));
    let counts = [prove.baseline(), prove.candidate().counts()].map(share);
    let legend = [("#d1495b", format!("baseline: {}", counts[0])), ("#2b7bba", format!("candidate: {}", counts[1]))];
    svg.legend(LEFT, 42.0, &legend);
    svg.line([LEFT, TOP + HIGH, LEFT + WIDE, TOP + HIGH], "#404040");
    svg.line([LEFT, TOP, LEFT, TOP + HIGH], "#404040");
    for (failures, stroke) in [(&baseline, "#d1495b"), (&candidate, "#2b7bba")] {
        let points: Vec<(f64, f64)> = std::iter::once((x(0), y(0)))
            .chain(failures.iter().zip(1..).map(|(it, trial)| (x(trial), y(*it))))
            .collect();
        svg.path(&points, stroke);
    }
    let clean = prove.design().clean_run();
    if clean as usize <= trials {
        svg.line([x(clean as usize), TOP, x(clean as usize), TOP + HIGH], "#909090");
        svg.words(x(clean as usize), TOP - 2.0, Anchor::End, &format!("FIXED here without a failure ({clean})"));
    }
    svg.words(LEFT - 6.0, TOP + 10.0, Anchor::End, &most.to_string());
    svg.words(LEFT - 6.0, TOP + HIGH, Anchor::End, "0");
    svg.words(LEFT - 6.0, TOP + HIGH / 2.0, Anchor::End, "failures");
    svg.words(LEFT + WIDE / 2.0, TOP + HIGH + 18.0, Anchor::Middle, "trials of each");
    svg.words(LEFT + WIDE, TOP + HIGH + 18.0, Anchor::End, &trials.to_string());
    Some(svg.finish())
}

/// What came of both, trial by trial, and where the candidate would be through.
pub(super) fn text(prove: &Prove, width: usize) -> Option<String> {
    prove.history().first()?;
    let of = |arm: Arm| prove.history().iter().filter(move |(of, _)| *of == arm);
    let trials = of(Arm::Baseline).count().max(of(Arm::Candidate).count());
    let columns = width.clamp(1, 200).min(trials);
    let row = |arm: Arm, counts| {
        let outcomes = of(arm).enumerate();
        let outcomes = outcomes.map(|(place, (_, it))| (rows::column(place, trials, columns), *it == Outcome::Failed));
        Row { name: arm.name(), cells: rows::outcomes(outcomes, columns), note: share(counts) }
    };
    let mut rows = vec![row(Arm::Baseline, prove.baseline()), row(Arm::Candidate, prove.candidate().counts())];
    let clean = usize::try_from(prove.design().clean_run()).unwrap_or(usize::MAX);
    let note = format!("FIXED after {clean} without a failure");
    let place = rows::column(clean.saturating_sub(1), trials, columns);
    let mark = if clean <= trials { format!("{}^", " ".repeat(place)) } else { String::new() };
    rows.push(Row { name: "", cells: mark, note });
    let axis = Axis { from: "1".to_owned(), to: trials.to_string(), name: "trials of each" };
    Some(rows::render(&rows, &axis, rows::MARKS))
}
