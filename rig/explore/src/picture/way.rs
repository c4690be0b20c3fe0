//! The way of a proof: how the failures of baseline and candidate grew, trial by trial, and where the candidate would have to stay below.
//!
//! Boundary: what a proof counted, in the order in which it counted.

use brickproof_statistics::Outcome;

use super::field::{Field, Labels};
use super::rows::{self, Axis, Row};
use super::sheet::Sheet;
use super::svg::Svg;
use super::{Caption, share};
use crate::prove::Prove;
use crate::shot::Arm;

const HIGH: f64 = 240.0;
const BASELINE: &str = "#d1495b";
const CANDIDATE: &str = "#2b7bba";

pub(super) fn draw(prove: &Prove, caption: &Caption<'_>, sheet: Sheet) -> Option<String> {
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
    let mut svg = Svg::new(sheet);
    let counts = [prove.baseline(), prove.candidate().counts()].map(share);
    let legend = [(BASELINE, format!("baseline: {}", counts[0])), (CANDIDATE, format!("candidate: {}", counts[1]))];
    let below = svg.head(caption, &legend);
    let up = Labels { low: "0".to_owned(), name: "failures", high: most.to_string() };
    let field = Field::new(sheet, below + sheet.line(), HIGH, &[&up], &[]);
    let x = |trial: usize| field.x(trial as f64 / trials as f64);
    let y = |failures: u64| field.y(failures as f64 / most as f64);
    for (failures, stroke) in [(&baseline, BASELINE), (&candidate, CANDIDATE)] {
        let points: Vec<(f64, f64)> = std::iter::once((x(0), y(0)))
            .chain(failures.iter().zip(1..).map(|(it, trial)| (x(trial), y(*it))))
            .collect();
        svg.path(&points, stroke);
    }
    let clean = prove.design().clean_run();
    if clean as usize <= trials {
        let place = x(clean as usize);
        svg.line([place, field.above + 4.0, place, field.bottom()], "#909090");
        let words = format!("FIXED here without a failure ({clean})");
        svg.over([place, field.above], 0.0, &words);
    }
    field.up(&mut svg, &up);
    let labels = Labels { low: "0".to_owned(), name: "trials of each", high: trials.to_string() };
    let bottom = field.across(&mut svg, &labels);
    Some(svg.finish(bottom + 8.0))
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
