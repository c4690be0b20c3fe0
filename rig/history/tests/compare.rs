//! What changed from one side to the other, where it is known: because the test planted it.
//!
//! Boundary: made-up trials; how a person reads it is held by snapshots of the command.

mod support;

use std::collections::BTreeMap;

use brickproof_history::{CHANCE, Change, CompareError, Comparison, Filter, History, Selector};
use brickproof_report::results::{TrialResult, World};
use proptest::prelude::*;
use support::{PASSES, Told, begin, empty, record};

const A: &str = "lantern-a";
const B: &str = "lantern-b";

/// So many trials of a scenario with a firmware, so many of which failed.
fn trials(scenario: &str, firmware: &str, failed: u64, all: u64) -> Vec<TrialResult> {
    let came_to = |seed| if seed < failed { "failed firmware" } else { "passed" };
    (0..all).map(|seed| Told { scenario, firmware, seed, came_to: came_to(seed), ..PASSES }.result()).collect()
}

fn in_error(scenario: &str, firmware: &str) -> Vec<TrialResult> {
    vec![Told { scenario, firmware, came_to: "error bench", connect_ms: None, ..PASSES }.result()]
}

fn keep(history: &mut History, night: &str, world: World, trials: &[TrialResult]) {
    let run = begin(history, night, world);
    record(history, run, trials);
}

fn compare(history: &History, a: &str, b: &str) -> Result<Vec<Comparison>, CompareError> {
    let side = |text: &str| text.parse::<Selector>().expect("it is one");
    history.compare(&Filter::default(), &side(a), &side(b))
}

fn changes(comparison: &Comparison) -> BTreeMap<&str, Change> {
    comparison.questions.iter().map(|it| (it.scenario.as_str(), it.change)).collect()
}

#[test]
fn what_became_of_every_scenario_between_two_releases_is_told() {
    let (mut history, _folder) = empty();
    let of_a = [
        trials("new.yaml", A, 0, 20),
        trials("few.yaml", A, 0, 2),
        trials("fixed.yaml", A, 20, 20),
        trials("still.yaml", A, 18, 20),
        trials("worse.yaml", A, 1, 20),
        trials("passes.yaml", A, 0, 20),
        trials("gone.yaml", A, 3, 20),
        trials("kept-from.yaml", A, 0, 20),
        in_error("broken-bench.yaml", A),
    ];
    let of_b = [
        trials("new.yaml", B, 14, 20),
        trials("few.yaml", B, 1, 2),
        trials("fixed.yaml", B, 0, 20),
        trials("still.yaml", B, 19, 20),
        trials("worse.yaml", B, 19, 20),
        trials("passes.yaml", B, 0, 20),
        trials("came-and-fails.yaml", B, 1, 1),
        trials("came-and-passes.yaml", B, 0, 1),
        in_error("kept-from.yaml", B),
        in_error("broken-bench.yaml", B),
    ];
    keep(&mut history, "2026-11-26", World::Hardware, &of_a.concat());
    keep(&mut history, "2026-11-27", World::Hardware, &of_b.concat());
    for (a, b) in [(A, B), ("previous", "last"), ("1", "2"), ("2026-11-26", "2026-11-27")] {
        let compared = compare(&history, a, b).expect("it can be compared");
        let [compared] = &compared[..] else { panic!("one world: {compared:?}") };
        let wanted = [
            ("broken-bench.yaml", Change::NotJudged),
            ("came-and-fails.yaml", Change::FailsSinceJudged),
            ("came-and-passes.yaml", Change::Passes),
            ("few.yaml", Change::NewlyFails),
            ("fixed.yaml", Change::Fixed),
            ("gone.yaml", Change::NoLongerJudged),
            ("kept-from.yaml", Change::NoLongerJudged),
            ("new.yaml", Change::NewlyFails),
            ("passes.yaml", Change::Passes),
            ("still.yaml", Change::StillFails),
            ("worse.yaml", Change::StillFails),
        ];
        assert_eq!(changes(compared), BTreeMap::from(wanted));
        let shown = compared.questions.iter().filter(|it| it.p.is_some_and(|p| p <= CHANCE));
        let mut shown: Vec<&str> = shown.map(|it| it.scenario.as_str()).collect();
        shown.sort_unstable();
        assert_eq!(shown, ["fixed.yaml", "new.yaml", "worse.yaml"], "the others may be chance");
        let told: Vec<Change> = compared.questions.iter().map(|it| it.change).collect();
        assert!(told.is_sorted(), "what newly fails stands first: {told:?}");
        assert_eq!((compared.a.error, compared.b.error), (1, 2));
    }
}

#[test]
fn the_same_release_twice_changes_nothing() {
    let (mut history, _folder) = empty();
    let all = [trials("a.yaml", A, 0, 9), trials("b.yaml", A, 3, 9), trials("c.yaml", A, 9, 9)].concat();
    keep(&mut history, "2026-11-26", World::Hardware, &all);
    keep(&mut history, "2026-11-27", World::Hardware, &all);
    for (a, b) in [(A, A), ("1", "2")] {
        let compared = compare(&history, a, b).expect("it can be compared").remove(0);
        assert_eq!(compared.a, compared.b);
        assert!(compared.questions.iter().all(|it| it.a == it.b && it.p == Some(1.0)), "{compared:?}");
        let (still, passes) = (Change::StillFails, Change::Passes);
        assert_eq!(changes(&compared), BTreeMap::from([("a.yaml", passes), ("b.yaml", still), ("c.yaml", still)]));
        assert!(compared.times.iter().all(|it| it.a == it.b), "{:?}", compared.times);
    }
}

#[test]
fn worlds_are_compared_each_by_itself() {
    let (mut history, _folder) = empty();
    for (world, failed) in [(World::Virtual, 0), (World::Hardware, 20)] {
        keep(&mut history, "2026-11-26", world, &trials("boots.yaml", A, 20 - failed, 20));
        keep(&mut history, "2026-11-27", world, &trials("boots.yaml", B, failed, 20));
    }
    for (a, b) in [(A, B), ("previous", "last")] {
        let compared = compare(&history, a, b).expect("it can be compared");
        let told: Vec<_> = compared.iter().map(|it| (it.world, it.questions[0].change)).collect();
        assert_eq!(told, [(World::Virtual, Change::Fixed), (World::Hardware, Change::NewlyFails)]);
    }
    assert_eq!(compare(&history, "1", "4").expect("both have trials"), [], "they have no world in common");
}

/// Who tries something on a virtual board in the morning, before the night is looked at, does not stand in its way; nor does a run that
/// has only begun.
#[test]
fn the_last_night_of_a_bench_is_one_of_that_bench_and_has_trials() {
    let (mut history, _folder) = empty();
    keep(&mut history, "2026-11-25", World::Hardware, &trials("boots.yaml", A, 0, 20));
    keep(&mut history, "2026-11-26", World::Hardware, &trials("boots.yaml", B, 20, 20));
    keep(&mut history, "2026-11-27", World::Virtual, &trials("boots.yaml", B, 0, 1));
    begin(&mut history, "2026-11-28", World::Hardware);
    let compared = compare(&history, "previous", "last").expect("it can be compared");
    let [compared] = &compared[..] else { panic!("one world has two nights: {compared:?}") };
    assert_eq!((compared.world, compared.questions[0].change), (World::Hardware, Change::NewlyFails));
    assert_eq!(compared.sides, ["night 2026-11-25", "night 2026-11-26"]);
}

#[test]
fn a_side_without_a_trial_is_told_as_that() {
    let (mut history, _folder) = empty();
    let told = |history: &History, a: &str, b: &str| compare(history, a, b).unwrap_err().to_string();
    assert_eq!(
        told(&history, "previous", "last"),
        "there is no trial of the night before: the history is of one night alone, or of none"
    );
    keep(&mut history, "2026-11-26", World::Hardware, &trials("boots.yaml", A, 0, 2));
    assert_eq!(
        told(&history, "previous", "last"),
        "there is no trial of the night before: the history is of one night alone, or of none"
    );
    assert_eq!(told(&history, "last", "77"), "there is no trial of run 77");
    assert_eq!(told(&history, "lantern-z", "last"), "there is no trial of firmware lantern-z");
}

#[test]
fn a_longer_time_to_connect_is_seen_between_two_nights() {
    let (mut history, _folder) = empty();
    let starts = |from: u64| -> Vec<TrialResult> {
        (0..12).map(|seed| Told { seed, connect_ms: Some(from + 10 * seed), ..PASSES }.result()).collect()
    };
    // What the other night was not asked says nothing about the time of what it was.
    let slow = Told { scenario: "slow.yaml", connect_ms: Some(30_000), ..PASSES }.result();
    keep(&mut history, "2026-11-26", World::Hardware, &[starts(2_000), vec![slow]].concat());
    keep(&mut history, "2026-11-27", World::Hardware, &starts(2_300));
    let compared = compare(&history, "previous", "last").expect("it can be compared").remove(0);
    let [times] = &compared.times[..] else { panic!("one kind of board: {:?}", compared.times) };
    let (before, after) = (times.a.expect("it connected"), times.b.expect("it connected"));
    assert_eq!((before.n, before.median_ns, after.median_ns), (12, 2_055_000_000, 2_355_000_000));
    let (before, after) = (before.interval_ns.expect("there are twelve"), after.interval_ns.expect("there are twelve"));
    assert!(before.1 < after.0, "{before:?} and {after:?}");
}

fn any_trial() -> impl Strategy<Value = TrialResult> {
    let came_to = prop::sample::select(vec!["passed", "failed firmware", "error bench", "inconclusive bench"]);
    let scenario = prop::sample::select(vec!["a.yaml", "b.yaml", "c.yaml", "d.yaml"]);
    let cell = prop::sample::select(vec!["usb", "battery"]);
    let firmware = prop::sample::select(vec![A, B]);
    (came_to, scenario, cell, firmware, 0..9_u64, prop::option::of(1..9_u64)).prop_map(
        |(came_to, scenario, cell, firmware, seed, connect_ms)| {
            Told { scenario, cell, firmware, seed, came_to, connect_ms, ..PASSES }.result()
        },
    )
}

/// What a change is when it is looked at from the other side.
fn mirrored(change: Change, is_judged_before: bool, fails_before: bool) -> Change {
    match change {
        Change::NewlyFails => Change::Fixed,
        Change::Fixed => Change::NewlyFails,
        Change::FailsSinceJudged => Change::NoLongerJudged,
        Change::Passes if !is_judged_before => Change::NoLongerJudged,
        Change::NoLongerJudged if fails_before => Change::FailsSinceJudged,
        Change::NoLongerJudged => Change::Passes,
        same => same,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn a_comparison_mirrored_is_that_of_the_sides_exchanged(
        trials in prop::collection::vec(any_trial(), 2..40).prop_filter("both are there", |trials| {
            [A, B].iter().all(|firmware| trials.iter().any(|it| it.firmware.name == *firmware))
        }),
        parts in 1..6_usize,
    ) {
        let (mut one, _keep) = empty();
        keep(&mut one, "2026-11-27", World::Virtual, &trials);
        let (mut other, _keep_too) = empty();
        let run = begin(&mut other, "2026-11-27", World::Virtual);
        let backwards: Vec<TrialResult> = trials.iter().rev().cloned().collect();
        backwards.chunks(parts).for_each(|part| record(&mut other, run, part));
        let there = compare(&one, A, B).expect("it can be compared");
        prop_assert_eq!(&there, &compare(&other, A, B).expect("it can be compared"), "the order of writing does not matter");
        let back = compare(&one, B, A).expect("it can be compared");
        let ([there], [back]) = (&there[..], &back[..]) else { panic!("one world") };
        prop_assert_eq!((there.a, there.b), (back.b, back.a));
        let times: Vec<_> = back.times.iter().map(|it| (&it.board, it.b, it.a)).collect();
        prop_assert_eq!(there.times.iter().map(|it| (&it.board, it.a, it.b)).collect::<Vec<_>>(), times);
        prop_assert_eq!(there.questions.len(), back.questions.len());
        for it in &there.questions {
            let same = back.questions.iter().find(|back| (&back.scenario, &back.cell) == (&it.scenario, &it.cell));
            let same = same.expect("it is asked there, too");
            prop_assert_eq!((same.a, same.b), (it.b, it.a));
            prop_assert_eq!(same.change, mirrored(it.change, it.a.judged() > 0, it.a.failed > 0));
            let apart = same.p.zip(it.p).map(|(p, q)| (p - q).abs());
            prop_assert!(same.p.is_some() == it.p.is_some() && apart.is_none_or(|apart| apart < 1e-9), "{:?}", it);
        }
    }
}
