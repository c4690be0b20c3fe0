//! Trials that nobody judged: no answer passes over them, however often a campaign is begun again.

use brickproof_explore::{
    Ask, Campaign, Class, Conclusion, Course, Erased, Finding, Kind, Repeats, Seen, SoakBoards, SoakSettings, Stopped,
    Strata, SweepSettings, Wear, journal,
};

#[path = "common/questions.rs"]
#[expect(dead_code, reason = "shared with tests that use the rest")]
mod questions;

use questions::{campaign, proof, range, window};

fn sweep() -> Campaign {
    campaign(Kind::Sweep(SweepSettings::Ranges { ranges: vec![range("0ms", "60ms", Some(5))], each: 1 }))
}

fn soak(cycles: u64, endurance: Option<u64>, boards: Option<SoakBoards>) -> Campaign {
    let wear = endurance.map(|endurance| Wear { endurance, per_cycle: Vec::new() });
    campaign(Kind::Soak(SoakSettings { cycles, stop_at_failures: None, wear, boards }))
}

fn unheard(class: Class) -> Finding {
    let erased = vec![Erased { sector: "keys".to_owned(), times: 1 }];
    Finding { heard: false, erased, ..Finding::new(class) }
}

#[test]
fn a_soak_whose_failures_were_held_back_to_its_end_is_inconclusive_and_tells_them() {
    let mut course = Course::new(soak(100, Some(3), None), Repeats::Exactly).expect("it can be asked");
    while let Ask::Shot(_) = course.ask() {
        course.record(&unheard(Class::Misbehaved));
    }
    let answer = course.answer();
    assert_eq!((answer.conclusion, course.stopped()), (Conclusion::Inconclusive, None), "{}", answer.text);
    insta::assert_snapshot!(answer.text);
}

#[test]
fn a_soak_that_passed_until_its_last_cycle_said_nothing_did_not_pass() {
    let mut course = Course::new(soak(100, Some(6), None), Repeats::Exactly).expect("it can be asked");
    while let Ask::Shot(shot) = course.ask() {
        let finding = unheard(Class::Silent);
        let is_last = shot.number == 5;
        course.record(&if is_last { finding } else { Finding { heard: true, class: Class::Survived, ..finding } });
    }
    let answer = course.answer();
    assert_eq!(answer.conclusion, Conclusion::Inconclusive, "{}", answer.text);
    assert!(answer.text.starts_with("0 of 5 failed") && answer.text.contains("1 trial not judged"), "{}", answer.text);
}

#[test]
fn what_is_held_back_when_somebody_stops_it_is_told() {
    for why in [Stopped::Interrupted, Stopped::OutOfTime] {
        let mut course = Course::new(soak(100, None, None), Repeats::Exactly).expect("it can be asked");
        for _ in 0..2 {
            assert!(matches!(course.ask(), Ask::Shot(_)));
            course.record(&unheard(Class::Silent));
        }
        course.stop(why);
        assert!(course.answer().text.contains("2 trials not judged"), "{}", course.answer().text);
    }
}

/// A soak that its budget of wear ends was to end there: what it judged until then is its answer.
#[test]
fn a_soak_that_wear_ends_among_passes_is_looked_at() {
    let mut course = Course::new(soak(100, Some(6), None), Repeats::Exactly).expect("it can be asked");
    while let Ask::Shot(_) = course.ask() {
        course.record(&Finding { heard: true, ..unheard(Class::Survived) });
    }
    assert_eq!(course.answer().conclusion, Conclusion::Looked, "{}", course.answer().text);
}

/// As if the trigger never came, and somebody began it again and again.
#[test]
fn a_campaign_whose_trials_told_nothing_says_why_it_stopped_however_often_it_is_begun_again() {
    for campaign in [soak(3, None, Some(SoakBoards::New)), window(), proof(Strata::bands(3))] {
        let name = campaign.kind.name();
        let mut kept = String::new();
        for start in 1..=6 {
            let mut course = Course::new(campaign.clone(), Repeats::Exactly).expect("it can be asked");
            journal::resume(&mut course, "d", &kept).expect("it is its own");
            if kept.is_empty() {
                kept = format!("{}\n", journal::head(&course, "d"));
            }
            while let Ask::Shot(shot) = course.ask() {
                let finding = Finding::UNTOLD;
                kept.push_str(&format!("{}\n", journal::line(&shot, &finding, Seen::Whole, "virtual", "id")));
                course.record(&finding);
            }
            let answer = course.answer();
            assert_eq!(answer.conclusion, Conclusion::Inconclusive, "{name}, start {start}: {}", answer.text);
            let why = "stopped early: a trial told nothing, and the virtual bench does the same again";
            assert!(answer.text.contains(why), "{name}, start {start}: {}", answer.text);
        }
    }
}

/// A board that is unplugged after its last trial, and another one in its place.
#[test]
fn a_board_that_another_one_was_put_in_place_of_is_checked_once_and_its_failure_is_told_as_not_judged() {
    for (campaign, size) in [(sweep(), 5), (soak(5, None, None), 5)] {
        let names = vec!["left (1)".to_owned()];
        let mut course = Course::on(campaign, Repeats::Roughly, names).expect("it can be asked");
        let (first, other) = (course.board("left (1)"), course.board("left (2)"));
        let mut made = 0;
        while let Ask::Shot(_) = course.ask() {
            made += 1;
            assert!(made <= size + 1, "one check says all that checks can say");
            course.record(&match made {
                5 => unheard(Class::Silent).on(first),
                ..5 => Finding::new(Class::Survived).on(first),
                _ => Finding::new(Class::Survived).on(other),
            });
        }
        let answer = course.answer();
        assert_eq!(made, size + 1);
        assert_eq!(answer.conclusion, Conclusion::Inconclusive, "{}", answer.text);
        assert!(answer.text.contains("1 trial not judged"), "{}", answer.text);
    }
}

/// A board at no station may be plugged in again while others still have something to do.
#[test]
fn a_board_that_comes_back_and_answers_has_its_failure_counted_and_is_checked_again() {
    let names = ["left", "right", "third"].map(str::to_owned).to_vec();
    let mut course = Course::on(soak(4, None, None), Repeats::Roughly, names).expect("it can be asked");
    let [left, right, third] = ["left", "right", "third"].map(|name| course.board(name));
    let silent = |board| unheard(Class::Silent).on(board);
    let passed = |board| Finding::new(Class::Survived).on(board);
    let tell = |course: &mut Course, meant, finding| {
        let Ask::Shot(shot) = course.ask() else { panic!("something is to be made: {}", course.answer().text) };
        assert_eq!(shot.board, meant);
        course.record(&finding);
    };
    for finding in [silent(left), silent(right), silent(right), passed(third)] {
        tell(&mut course, None, finding);
    }
    // The check of the left one finds another in its place; the right one is dead.
    tell(&mut course, Some(left), passed(third));
    for _ in 0..3 {
        tell(&mut course, Some(right), silent(right));
    }
    assert_eq!(course.ask(), Ask::Recover(right));
    assert!(course.recovered(right));
    assert_eq!(course.progress().counts.failures(), 0);
    // The left one is back and makes what the right one did not.
    tell(&mut course, None, passed(left));
    assert_eq!(course.progress().counts.failures(), 1, "its failure counts");
    tell(&mut course, None, silent(left));
    tell(&mut course, Some(left), passed(left));
    assert_eq!((course.ask(), course.progress().counts.failures()), (Ask::Over, 2));
}
