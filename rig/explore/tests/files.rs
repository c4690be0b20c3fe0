//! Campaigns as files: the four questions, and every mistake at once.

use brickproof_explore::{Exhaustive, Firmwares, Kind, SecondCuts, SweepSettings, load};
use brickproof_scenario::plan::CellModel;
use brickproof_units::Span;

const QUESTIONS: [&str; 5] = [
    "sweep: { vary: { fault.after: { from: 0ms, to: 60ms, points: 61 }, fault.floor: { from: 0V, to: 2V, points: 9 } }, each: 3 }",
    "find_window: { from: 0ms, to: 3s, resolution: 1ms, narrowest: 5ms, weakest: 30% }",
    "prove: { baseline: lantern-no-heal, candidate: lantern-heal-full, vary: { fault.after: { from: 0ms, to: 60ms } }, strata: 4, good: 0.1%, bad: 2%, cap: 1000 }",
    "sweep: { exhaustive: { window: 100ms, fractions: 4, cells: [ideal, marginal], second_cuts: true }, each: 2 }",
    "soak: { cycles: 5000, stop_at_failures: 1, wear: { erases_per_cycle: { 0x3e800: 2 }, endurance: 10000 }, boards: 2 }",
];

fn file(question: &str) -> String {
    format!(
        "campaign: Which instants?\nscenario: brown-out.yaml\nset: {{ geometry: nrf51 }}\nbudget: {{ trials: 500, time: 2h }}\n{question}\n"
    )
}

#[test]
fn every_question_can_be_asked_in_a_file() {
    let read: Vec<_> = QUESTIONS
        .iter()
        .map(|question| load("c.yaml", file(question)).unwrap_or_else(|it| panic!("{}", it.render(110))))
        .collect();
    let names: Vec<&str> = read.iter().map(|it| it.campaign.kind.name()).collect();
    assert_eq!(names, ["sweep", "find-window", "prove", "sweep", "soak"]);
    assert_eq!(read[0].scenario, "brown-out.yaml");
    assert_eq!(read[0].campaign.budget.trials, Some(500));
    assert!(matches!(&read[2].firmware, Firmwares::Two { baseline, .. } if baseline == "lantern-no-heal"));
    let exhaustive = Exhaustive {
        window: Span::millis(100),
        fractions: 4,
        cells: vec![CellModel::Ideal, CellModel::Marginal],
        second_cuts: SecondCuts::Every,
        each: 2,
    };
    assert_eq!(read[3].campaign.kind, Kind::Sweep(SweepSettings::Exhaustive(exhaustive)));
    assert!(
        matches!(&read[4].campaign.kind, Kind::Soak(soak) if soak.wear.as_ref().is_some_and(|wear| wear.per_cycle[0].sector == "0x3e800"))
    );
}

#[test]
fn every_mistake_of_a_file_is_told_with_its_place() {
    let broken = "\
campaign: Which instants?
scenari: brown-out.yaml
budget: { trials: none, time: 2 }
firmware: lantern-no-heal
prove:
  baseline: lantern-no-heal
  vary: { fault.after: { from: 60ms, to: 0ms }, fault.flor: { from: 0V, to: 1V }, fault.hold: { from: 1, to: 2s } }
  good: 200%
  bad: 2%
  alpha: many
soak: { cycles: 0 }
";
    insta::assert_snapshot!(load("c.yaml", broken).expect_err("it is broken").render(100));
}

#[test]
fn what_cannot_be_asked_is_said_at_the_question() {
    let impossible = [
        "sweep: { vary: {} }",
        "find_window: { from: 0ms, to: 3s, resolution: 1ms, narrowest: 5s }",
        "prove: { baseline: a, candidate: b, good: 2%, bad: 1%, cap: 1000 }",
        "prove: { baseline: a, candidate: b, good: 0.1%, bad: 2%, cap: 50 }",
        "prove: { baseline: a, candidate: b, vary: { fault.after: { from: 0ms, to: 9ms, points: 3 } }, strata: 4, good: 0.1%, bad: 2%, cap: 500 }",
        "sweep: { vary: { fault.after: { from: 0ms, to: 9ms } }, each: 3 }",
        "sweep: { exhaustive: { window: 100, fractions: many, cells: [ideal, marginel, ideal], second_cut: true, second_cuts: 1 }, vary: {} }",
        "sweep: { exhaustive: true }",
        "sweep: { exhaustive: { cells: ideal } }",
        "sweep: { exhaustive: { cells: [] } }",
    ];
    let told: Vec<String> =
        impossible.iter().map(|it| load("c.yaml", file(it)).expect_err("it cannot be asked").render(110)).collect();
    insta::assert_snapshot!(told.join("\n"));
}
