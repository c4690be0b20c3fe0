//! Courses told by a made-up board: what they ask for, what they say, and that being killed or made in parallel changes nothing.

use std::collections::VecDeque;

use brickproof_explore::{
    Answer, Arm, Ask, Campaign, Class, Conclusion, Course, Erased, Finding, Kind, ProveSettings, Repeats, Seen, Shot,
    SoakSettings, Stopped, Strata, Wear, journal,
};
use proptest::prelude::*;

#[path = "common/questions.rs"]
mod questions;

use questions::{campaign, proof, range, sweep, window};

fn soak(stop_at_failures: Option<u64>, wear: Option<Wear>) -> Campaign {
    campaign(Kind::Soak(SoakSettings { cycles: 100, stop_at_failures, wear, boards: None }))
}

fn after(shot: &Shot) -> i64 {
    shot.settings.first().map_or(0, |setting| setting.amount())
}

/// Luck that belongs to the shot, not to the order of making.
fn luck(shot: &Shot) -> u64 {
    (shot.seed ^ (after(shot) as u64)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32
}

/// A firmware that fails in a window, mostly; some trials come to nothing.
fn board(shot: &Shot) -> Class {
    let inside = (20_000_000..45_000_000).contains(&after(shot));
    match luck(shot) % 20 {
        _ if shot.arm == Arm::Candidate => Class::Survived,
        0..=16 if inside => Class::LockedOut,
        _ => Class::Survived,
    }
}

/// Makes the trials `at_a_time`, tells them in the order of asking, and keeps the journal.
fn run(course: &mut Course, at_a_time: usize, kept: &mut String, most: usize, mut board: impl FnMut(&Shot) -> Class) {
    let mut under_way: VecDeque<Shot> = VecDeque::new();
    for _ in 0..most {
        while under_way.len() < at_a_time {
            match course.ask() {
                Ask::Shot(shot) => under_way.push_back(shot),
                Ask::Recover(board) => {
                    kept.push_str(&format!("{}\n", journal::recovery(course.name_of(board))));
                    course.recovered(board);
                }
                Ask::Wait | Ask::Over => break,
            }
        }
        let Some(shot) = under_way.pop_front() else { break };
        let finding = Finding::new(board(&shot));
        if course.is_over() {
            break;
        }
        kept.push_str(&format!("{}\n", journal::line(&shot, &finding, Seen::Whole, "virtual", "id")));
        course.record(&finding);
    }
}

fn whole(campaign: &Campaign, at_a_time: usize) -> (String, Answer) {
    let mut course = Course::new(campaign.clone(), Repeats::Roughly).expect("it can be asked");
    let mut kept = format!("{}\n", journal::head(&course, "d"));
    run(&mut course, at_a_time, &mut kept, usize::MAX, board);
    (kept, course.answer())
}

/// A proof whose baseline goes on alone: neither firmware fails where the faults are.
fn idle_proof() -> Campaign {
    let Kind::Prove(settings) = proof(Strata::bands(3)).kind else { unreachable!("it is one") };
    campaign(Kind::Prove(ProveSettings { ranges: vec![range("0ms", "10ms", None)], ..settings }))
}

fn campaigns() -> [Campaign; 5] {
    [sweep(), window(), proof(Strata::bands(3)), idle_proof(), soak(Some(3), None)]
}

#[test]
fn how_many_trials_run_at_a_time_changes_nothing() {
    for campaign in campaigns() {
        let alone = whole(&campaign, 1);
        for at_a_time in [2, 5] {
            assert_eq!(whole(&campaign, at_a_time), alone, "{}", campaign.kind.name());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    /// Killed anywhere, also in the middle of a line, and again.
    #[test]
    fn a_killed_campaign_goes_on_as_if_nothing_had_happened(which in 0_usize..5, cuts in prop::collection::vec(0.0_f64..1.0, 1..4)) {
        let campaign = &campaigns()[which];
        let (unbroken, answer) = whole(campaign, 3);
        let mut kept = unbroken.clone();
        for cut in cuts {
            kept.truncate((kept.len() as f64 * cut) as usize);
            let mut course = Course::new(campaign.clone(), Repeats::Roughly).unwrap();
            let length = journal::resume(&mut course, "d", &kept).unwrap().whole;
            kept.truncate(length);
            if length == 0 {
                kept.push_str(&format!("{}\n", journal::head(&course, "d")));
            }
            run(&mut course, 2, &mut kept, usize::MAX, board);
            prop_assert_eq!(&course.answer(), &answer);
        }
        prop_assert_eq!(kept, unbroken);
    }
}

#[test]
fn a_journal_of_something_else_is_refused() {
    let (kept, _) = whole(&sweep(), 1);
    let resumed = |digest: &str, text: &str| {
        let mut course = Course::new(sweep(), Repeats::Roughly).expect("it can be asked");
        journal::resume(&mut course, digest, text).map(|it| it.whole).map_err(|error| error.to_string())
    };
    let swapped: String = {
        let mut lines: Vec<&str> = kept.lines().collect();
        lines.swap(1, 2);
        lines.iter().map(|line| format!("{line}\n")).collect()
    };
    let told = [
        resumed("other", &kept),
        resumed("d", "hello\n"),
        resumed("d", &kept.replacen("\"outcome\":\"survived\"", "\"outcome\":\"shrugged\"", 1)),
        resumed("d", &swapped),
    ];
    let told: Vec<String> = told.into_iter().map(|it| it.expect_err("it does not fit")).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_trial_that_told_nothing_is_made_again_and_counted() {
    let mut course = Course::new(sweep(), Repeats::Roughly).expect("it can be asked");
    let mut missed = 0;
    run(&mut course, 1, &mut String::new(), usize::MAX, |shot| {
        let misses = shot.number % 7 == 3 && missed < 5;
        missed += u32::from(misses);
        if misses { Class::Discarded } else { board(shot) }
    });
    assert!(course.is_over());
    let progress = course.progress();
    assert_eq!((progress.done, progress.discarded), (62, 5), "every point was made good for");
    assert!(course.answer().text.contains("5 trials discarded"), "{}", course.answer().text);
}

#[test]
fn a_bench_that_is_not_exact_enough_is_told_so_and_not_asked_for_ever() {
    let mut course = Course::new(window(), Repeats::Roughly).expect("it can be asked");
    run(&mut course, 1, &mut String::new(), usize::MAX, |_| Class::Discarded);
    assert!(matches!(course.stopped(), Some(Stopped::Astray { discarded: 20 })));
    assert!(course.answer().text.contains("not exact enough"), "{}", course.answer().text);
}

/// Whoever starts it again has looked at the bench.
#[test]
fn a_campaign_that_stopped_at_a_dead_board_goes_on() {
    let mut course = Course::new(sweep(), Repeats::Roughly).expect("it can be asked");
    let mut kept = format!("{}\n", journal::head(&course, "d"));
    run(&mut course, 1, &mut kept, usize::MAX, |shot| if shot.number < 10 { board(shot) } else { Class::Invalid });
    assert!(matches!(course.stopped(), Some(Stopped::Dead { .. })));
    let mut again = Course::new(sweep(), Repeats::Roughly).expect("it can be asked");
    journal::resume(&mut again, "d", &kept).expect("it is its own");
    run(&mut again, 1, &mut kept, usize::MAX, board);
    assert_eq!((again.stopped(), again.progress().done), (None, 62));
}

#[test]
fn where_a_trial_repeats_itself_one_that_tells_nothing_is_not_made_again() {
    let late = |shot: &Shot| if after(shot) == 0 { Class::Invalid } else { board(shot) };
    let mut course = Course::new(sweep(), Repeats::Exactly).expect("it can be asked");
    run(&mut course, 1, &mut String::new(), usize::MAX, late);
    assert_eq!((course.stopped(), course.progress().done, course.progress().invalid), (None, 60, 2));
    let mut search = Course::new(window(), Repeats::Exactly).expect("it can be asked");
    run(&mut search, 1, &mut String::new(), usize::MAX, |_| Class::Invalid);
    assert_eq!((search.stopped(), search.progress().invalid), (Some(Stopped::Untellable), 1));
    assert_eq!(search.answer().conclusion, Conclusion::Inconclusive);
}

#[test]
fn a_run_of_trials_that_tell_nothing_also_after_a_recovery_is_a_dead_board() {
    let mut course = Course::new(sweep(), Repeats::Roughly).expect("it can be asked");
    run(&mut course, 2, &mut String::new(), usize::MAX, |_| Class::Invalid);
    assert!(matches!(course.stopped(), Some(Stopped::Dead { invalid: 5 })));
    assert_eq!((course.progress().invalid, course.boards().map(|it| it.recoveries).sum::<u64>()), (10, 1));
    assert_eq!(course.answer().conclusion, Conclusion::BenchFailed);
}

fn said(campaign: &Campaign, board: impl FnMut(&Shot) -> Class) -> Answer {
    let mut course = Course::new(campaign.clone(), Repeats::Roughly).expect("it can be asked");
    run(&mut course, 1, &mut String::new(), usize::MAX, board);
    course.answer()
}

#[test]
fn a_proof_says_what_its_counts_allow_and_no_more() {
    let fixed = said(&proof(Strata::bands(3)), board);
    let not_fixed = said(&proof(Strata::bands(3)), |shot| board(&Shot { arm: Arm::Only, ..shot.clone() }));
    let nothing_to_fix = said(&proof(Strata::bands(3)), |_| Class::Survived);
    let rare = said(&proof(Strata::bands(3)), |shot| match shot.arm {
        Arm::Baseline if shot.number == 10 => Class::Silent,
        _ => Class::Survived,
    });
    let conclusions = [&fixed, &not_fixed, &nothing_to_fix, &rare].map(|it| it.conclusion);
    use Conclusion::{Fixed, Inconclusive, NotFixed};
    assert_eq!(conclusions, [Fixed, NotFixed, Inconclusive, Inconclusive]);
    let text: String =
        [fixed, not_fixed, nothing_to_fix, rare].into_iter().map(|it| format!("{}\n", it.text)).collect();
    insta::assert_snapshot!(text);
}

#[test]
fn baseline_and_candidate_take_turns_and_meet_the_same_faults_with_the_same_luck() {
    let mut course = Course::new(proof(Strata::bands(3)), Repeats::Roughly).expect("it can be asked");
    let mut asked = Vec::new();
    run(&mut course, 1, &mut String::new(), 40, |shot| {
        asked.push((shot.arm, (shot.settings.clone(), shot.seed)));
        Class::Survived
    });
    for pair in asked.chunks_exact(2) {
        assert_eq!([pair[0].0, pair[1].0], [Arm::Baseline, Arm::Candidate]);
        assert_eq!(pair[0].1, pair[1].1);
    }
}

#[test]
fn a_soak_ends_at_its_failures_at_its_wear_or_at_its_end() {
    let fails_late = |shot: &Shot| if shot.number >= 60 { Class::Silent } else { Class::Survived };
    let stopped = said(&soak(Some(2), None), fails_late);
    let worn = said(
        &soak(None, Some(Wear { endurance: 200, per_cycle: vec![Erased { sector: "keys".to_owned(), times: 4 }] })),
        fails_late,
    );
    let drifted = said(&soak(None, None), fails_late);
    let text: String = [stopped, worn, drifted].into_iter().map(|it| format!("{}\n", it.text)).collect();
    insta::assert_snapshot!(text);
}

#[test]
fn a_window_is_found_with_both_of_its_edges() {
    let answer = said(&window(), board);
    assert_eq!(answer.conclusion, Conclusion::Looked, "{}", answer.text);
    insta::assert_snapshot!(answer.text);
}
