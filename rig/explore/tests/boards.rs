//! Boards that die, of which there are several, and that wear out: told by made-up ones.

use std::collections::VecDeque;

use brickproof_explore::{
    Arm, Ask, BoardNumber, Campaign, Class, Conclusion, Course, Erased, Finding, Kind, Repeats, Seen, Shot, SoakBoards,
    SoakSettings, Stopped, Strata, Wear, journal,
};
use proptest::prelude::*;

#[path = "common/questions.rs"]
mod questions;

use questions::{campaign, proof, sweep, window};

fn soak(wear: Option<Wear>, boards: Option<SoakBoards>) -> Campaign {
    campaign(Kind::Soak(SoakSettings { cycles: 100, stop_at_failures: None, wear, boards }))
}

fn kinds() -> [Campaign; 4] {
    [sweep(), window(), proof(Strata::bands(3)), soak(None, None)]
}

/// A firmware that locks itself out in a window.
fn firmware(shot: &Shot) -> Class {
    let after = shot.settings.first().map_or(0, |setting| setting.amount());
    let inside = (20_000_000..45_000_000).contains(&after) && shot.arm != Arm::Candidate;
    if inside { Class::LockedOut } else { Class::Survived }
}

/// A board that dies after so many trials, and lives again once it was recovered, or not.
#[derive(Clone)]
struct Mortal {
    made: usize,
    dies_at: usize,
    comes_back: bool,
    is_dead: bool,
}

impl Mortal {
    fn new(dies_at: usize) -> Self {
        Self { made: 0, dies_at, comes_back: true, is_dead: false }
    }

    fn make(&mut self, shot: &Shot) -> Finding {
        self.made += 1;
        self.is_dead |= self.made == self.dies_at;
        if self.is_dead { unheard() } else { Finding::new(firmware(shot)) }
    }

    fn recover(&mut self) {
        self.is_dead = !self.comes_back;
    }
}

fn unheard() -> Finding {
    Finding { heard: false, ..Finding::new(Class::Silent) }
}

/// Makes the trials `at_a_time`, tells them in the order of asking, and keeps the journal.
fn run(course: &mut Course, at_a_time: usize, kept: &mut String, board: &mut Mortal) {
    let mut under_way: VecDeque<Shot> = VecDeque::new();
    loop {
        while under_way.len() < at_a_time {
            match course.ask() {
                Ask::Shot(shot) => under_way.push_back(shot),
                Ask::Recover(number) => {
                    board.recover();
                    assert!(course.recovered(number));
                    kept.push_str(&format!("{}\n", journal::recovery(course.name_of(number))));
                }
                Ask::Wait | Ask::Over => break,
            }
        }
        let Some(shot) = under_way.pop_front().filter(|_| !course.is_over()) else { return };
        let finding = board.make(&shot);
        kept.push_str(&format!("{}\n", journal::line(&shot, &finding, Seen::Whole, "virtual", "id")));
        course.record(&finding);
    }
}

/// Makes a round of trials before it tells any of them, as a bench does.
fn run_in_rounds(course: &mut Course, at_a_time: usize, board: &mut Mortal) {
    loop {
        let mut round = Vec::new();
        while round.len() < at_a_time {
            match course.ask() {
                Ask::Shot(shot) => round.push(board.make(&shot)),
                Ask::Recover(number) if round.is_empty() => {
                    board.recover();
                    assert!(course.recovered(number));
                }
                Ask::Recover(_) | Ask::Wait | Ask::Over => break,
            }
        }
        if round.is_empty() {
            return;
        }
        for finding in round {
            course.record(&finding);
        }
    }
}

fn begun(campaign: &Campaign) -> Course {
    Course::new(campaign.clone(), Repeats::Roughly).expect("it can be asked")
}

#[test]
fn a_board_that_dies_is_recovered_and_what_it_did_not_make_is_made_again_whatever_is_asked() {
    for campaign in kinds() {
        let (mut healthy, mut course) = (begun(&campaign), begun(&campaign));
        run(&mut healthy, 1, &mut String::new(), &mut Mortal::new(usize::MAX));
        run(&mut course, 1, &mut String::new(), &mut Mortal::new(12));
        let (name, board) = (campaign.kind.name(), course.boards().next().expect("there is one"));
        assert_eq!((board.recoveries, board.untold), (1, 5), "{name}: {}", course.answer().text);
        assert_eq!(course.stopped(), None, "{name}");
        let progress = course.progress();
        assert_eq!((progress.silences, progress.invalid, progress.unjudged), (5, 0, 0), "{name}");
        let text = course.answer().text;
        assert!(
            text.contains("5 trials told nothing: the board was dead, which is nobody's failure"),
            "{name}: {text}"
        );
        assert!(!text.contains("the bench or the scenario failed"), "{name}: {text}");
        assert_eq!(course.answer().conclusion, healthy.answer().conclusion, "{name}");
        let failures = |course: &Course| course.progress().counts.failures();
        assert_eq!(failures(&course), failures(&healthy), "{name}: a dead board's silence is nobody's failure");
    }
}

#[test]
fn what_a_dead_board_did_not_make_in_the_round_of_the_alarm_is_nobodys_failure_either() {
    for campaign in kinds() {
        let mut healthy = begun(&campaign);
        run(&mut healthy, 1, &mut String::new(), &mut Mortal::new(usize::MAX));
        for (at_a_time, dies_at) in [(2, 12), (2, 13), (3, 12), (4, 9), (6, 7), (8, 10)] {
            let mut course = begun(&campaign);
            run_in_rounds(&mut course, at_a_time, &mut Mortal::new(dies_at));
            let (name, text) = (campaign.kind.name(), course.answer().text);
            let failures = |course: &Course| course.progress().counts.failures();
            assert_eq!(failures(&course), failures(&healthy), "{name}, {at_a_time} from {dies_at}: {text}");
            assert_eq!(course.progress().done, healthy.progress().done, "{name}, {at_a_time} from {dies_at}: {text}");
            assert_eq!(course.boards().next().map(|it| it.recoveries), Some(1), "{name}: {text}");
        }
    }
}

#[test]
fn a_board_that_stays_dead_ends_the_campaign_and_blames_no_firmware() {
    for campaign in kinds() {
        let mut course = begun(&campaign);
        run(&mut course, 1, &mut String::new(), &mut Mortal { comes_back: false, ..Mortal::new(1) });
        assert_eq!(course.stopped(), Some(Stopped::Dead { invalid: 5 }), "{}", campaign.kind.name());
        assert_eq!(course.progress().counts.trials(), 0);
        assert_eq!(course.answer().conclusion, Conclusion::BenchFailed);
    }
}

/// One cycle in which a firmware does not come up is what a soak is for.
#[test]
fn a_failure_of_which_nothing_was_heard_counts_once_its_board_answers_again() {
    // In the middle, and at the end, where a check has to show that the board lives.
    for silent in [50..=50, 50..=53, 99..=99, 97..=99] {
        let (mut course, mut made) = (begun(&soak(None, None)), 0);
        while let Ask::Shot(shot) = course.ask() {
            let is_check = shot.number < made;
            made += u64::from(!is_check);
            let is_silent = silent.contains(&shot.number) && !is_check;
            course.record(&if is_silent { unheard() } else { Finding::new(Class::Survived) });
        }
        let progress = course.progress();
        assert_eq!((progress.done, progress.counts.failures()), (100, silent.clone().count() as u64), "{silent:?}");
        assert_eq!((course.stopped(), progress.invalid), (None, 0));
    }
}

#[test]
fn a_new_virtual_board_is_never_a_dead_one() {
    let mut course = Course::new(sweep(), Repeats::Exactly).expect("it can be asked");
    while let Ask::Shot(_) = course.ask() {
        course.record(&unheard());
    }
    assert_eq!((course.stopped(), course.progress().counts.failures()), (None, 62));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    /// Killed anywhere, also between the death of a board and its recovery.
    #[test]
    fn a_killed_campaign_whose_board_died_goes_on_as_if_nothing_had_happened(
        which in 0_usize..4, dies_at in 1_usize..30, cut in 0.0_f64..1.0, at_a_time in 1_usize..5,
    ) {
        let campaign = &kinds()[which];
        let whole = |at_a_time: usize| {
            let mut course = begun(campaign);
            let mut kept = format!("{}\n", journal::head(&course, "d"));
            run(&mut course, at_a_time, &mut kept, &mut Mortal::new(dies_at));
            (kept, course.answer())
        };
        let (unbroken, answer) = whole(1);
        prop_assert_eq!(&whole(at_a_time), &(unbroken.clone(), answer.clone()));
        let mut kept = unbroken.clone();
        kept.truncate((kept.len() as f64 * cut) as usize);
        let mut course = begun(campaign);
        let resumed = journal::resume(&mut course, "d", &kept).unwrap();
        kept.truncate(resumed.whole);
        if kept.is_empty() {
            kept = format!("{}\n", journal::head(&course, "d"));
        }
        let mut board = Mortal::new(dies_at);
        for told in &resumed.told {
            match told {
                journal::Told::Made(shot, finding) => prop_assert_eq!(&board.make(shot), finding),
                journal::Told::Recovered(_) => board.recover(),
            }
        }
        run(&mut course, at_a_time, &mut kept, &mut board);
        prop_assert_eq!(&course.answer(), &answer);
        prop_assert_eq!(kept, unbroken);
    }
}

#[test]
fn a_recovery_that_nothing_calls_for_is_refused() {
    let mut course = begun(&sweep());
    let kept = format!("{}\n{}\n", journal::head(&course, "d"), journal::recovery("left"));
    let refused = journal::resume(&mut course, "d", &kept).expect_err("nothing calls for it");
    assert_eq!(refused.to_string(), "line 2 tells that board left was recovered, and nothing before it calls for that");
}

/// A line of the time before boards were told.
#[test]
fn an_older_journal_is_read_and_its_board_is_not_made_up() {
    let mut course = begun(&sweep());
    let Ask::Shot(shot) = begun(&sweep()).ask() else { unreachable!("there are some") };
    let line =
        journal::line(&shot, &Finding::new(Class::Silent), Seen::Whole, "x", "id").replace(r#""board":"x","#, "");
    let kept = format!("{}\n{line}\n", journal::head(&course, "d"));
    journal::resume(&mut course, "d", &kept).expect("it is its own");
    let told: Vec<(&str, u64)> = course.boards().map(|it| (it.name.as_str(), it.failures)).collect();
    assert_eq!(told, [("virtual", 0), ("board not told", 1)]);
}

fn on_two(campaign: Campaign) -> Course {
    let names = ["left", "right"].map(str::to_owned).to_vec();
    Course::on(campaign, Repeats::Roughly, names).expect("it can be asked")
}

/// The board of a trial: the one that has to make it, or one after the other.
fn maker(course: &mut Course, shot: &Shot) -> BoardNumber {
    let name = if shot.number.is_multiple_of(2) { "left" } else { "right" };
    let free = course.board(name);
    shot.board.unwrap_or(free)
}

#[test]
fn what_each_board_came_to_is_told() {
    let mut course = on_two(soak(None, None));
    while let Ask::Shot(shot) = course.ask() {
        let board = maker(&mut course, &shot);
        let fails = course.name_of(board) == "right" && shot.number.is_multiple_of(3);
        let class = if fails { Class::Misbehaved } else { Class::Survived };
        course.record(&Finding::new(class).on(board));
    }
    insta::assert_snapshot!(course.answer().text);
}

#[test]
fn each_board_of_a_proof_meets_both_firmwares_in_turn_and_is_a_stratum() {
    let mut course = on_two(proof(Strata::bands(2)));
    let mut asked: Vec<Shot> = Vec::new();
    while let Ask::Shot(shot) = course.ask() {
        let board = maker(&mut course, &shot);
        course.record(&Finding::new(firmware(&shot)).on(board));
        asked.push(shot);
    }
    for pair in asked.chunks_exact(2).take(20) {
        assert_eq!([pair[0].arm, pair[1].arm], [Arm::Baseline, Arm::Candidate]);
        assert_eq!(pair[0].board, pair[1].board, "on the same board");
    }
    assert_eq!(course.answer().conclusion, Conclusion::Fixed);
    insta::assert_snapshot!(course.answer().text);
}

#[test]
fn classes_and_bands_are_told_apart_together() {
    let cells = ["damage torn", "damage stale"].map(str::to_owned).to_vec();
    let mut course = begun(&proof(Strata { cells, bands: 3 }));
    while let Ask::Shot(shot) = course.ask() {
        let class = match shot.arm {
            Arm::Candidate if shot.cell == 0 => Class::Survived,
            _ => firmware(&Shot { arm: Arm::Only, ..shot }),
        };
        course.record(&Finding::new(class));
    }
    assert_eq!(course.answer().conclusion, Conclusion::NotFixed);
    insta::assert_snapshot!(course.answer().text);
}

#[test]
fn the_sector_that_is_worn_most_ends_a_soak_on_the_board_that_tells() {
    let wear = Wear { endurance: 100, per_cycle: Vec::new() };
    let campaign = soak(Some(wear), Some(SoakBoards::Carried(2)));
    let names = SoakBoards::names(Some(SoakBoards::Carried(2)));
    let mut course = Course::on(campaign, Repeats::Exactly, names).expect("it can be asked");
    while let Ask::Shot(shot) = course.ask() {
        let board = shot.board.expect("boards take turns");
        let erased = |sector: &str, times| Erased { sector: sector.to_owned(), times };
        let erased = vec![erased("0x0003e800", 2 + shot.number % 2), erased("0x0003f800", 1)];
        course.record(&Finding { erased, ..Finding::new(Class::Survived).on(board) });
    }
    insta::assert_snapshot!(course.answer().text);
}

#[test]
fn a_new_board_in_the_place_of_a_dead_one_is_not_worn() {
    let wear = Wear { endurance: 40, per_cycle: Vec::new() };
    let mut course = Course::new(soak(Some(wear), None), Repeats::Exactly).expect("it can be asked");
    let mut made = 0;
    loop {
        match course.ask() {
            Ask::Shot(_) => {
                made += 1;
                let erased = vec![Erased { sector: "0x0003e800".to_owned(), times: 1 }];
                let finding = if (20..25).contains(&made) { unheard() } else { Finding::new(Class::Survived) };
                course.record(&Finding { erased, ..finding });
            }
            Ask::Recover(board) => assert!(course.recovered(board)),
            Ask::Wait | Ask::Over => break,
        }
    }
    assert_eq!(made, 24 + 40, "{}", course.answer().text);
}

#[test]
fn a_soak_of_new_boards_says_that_there_is_no_drift_to_look_for() {
    let mut course = Course::new(soak(None, Some(SoakBoards::New)), Repeats::Exactly).expect("it can be asked");
    while let Ask::Shot(_) = course.ask() {
        course.record(&Finding::new(Class::Survived));
    }
    let text = course.answer().text;
    assert!(text.contains("each cycle had a new board") && !text.contains("half"), "{text}");
}
