//! How the time to connect went, where it is known: because the test planted it.
//!
//! Boundary: made-up starts; how a person reads it is held by snapshots of the command.

mod support;

use brickproof_history::{Filter, History, Trend, TrendBy};
use brickproof_report::results::{SeenBy, TrialResult, World};
use support::{PASSES, Told, begin, empty, record};

/// Starts of a night: the median is that of `from`, and the middle half lies within 100 ms of it.
fn starts(firmware: &str, around_ms: u64, number: u64) -> Vec<TrialResult> {
    let at = |seed: u64| Some(around_ms + seed % 5 * 40 - 80);
    (0..number).map(|seed| Told { firmware, seed, connect_ms: at(seed), ..PASSES }.result()).collect()
}

fn keep(history: &mut History, night: &str, world: World, trials: &[TrialResult]) {
    let run = begin(history, night, world);
    record(history, run, trials);
}

fn trends(history: &History, by: TrendBy) -> Vec<Trend> {
    history.trends(&Filter::default(), by).expect("it can be read")
}

#[test]
fn a_board_that_connects_later_from_one_night_on_is_seen_from_that_night_on() {
    let (mut history, _folder) = empty();
    for night in 1..=20 {
        let around = if night < 12 { 2_000 } else { 2_300 };
        keep(&mut history, &format!("2026-03-{night:02}"), World::Hardware, &starts("lantern-a", around, 15));
    }
    let trends = trends(&history, TrendBy::Night);
    let [trend] = &trends[..] else { panic!("one kind of board: {trends:?}") };
    let labels: Vec<&str> = trend.points.iter().map(|it| it.label.as_str()).collect();
    assert_eq!((labels.len(), labels[0], labels[11], labels[19]), (20, "2026-03-01", "2026-03-12", "2026-03-20"));
    assert!(labels.is_sorted());
    let interval = |point: usize| trend.points[point].times.interval_ns.expect("there are fifteen");
    for before in 0..11 {
        assert_eq!((trend.points[before].times.n, trend.points[before].times.median_ns), (15, 2_000_000_000));
        for after in 11..20 {
            assert!(interval(before).1 < interval(after).0, "{before} and {after}");
        }
    }
    assert!((12..20).all(|night| trend.points[night].times == trend.points[11].times), "and it stays so");
}

#[test]
fn firmwares_stand_in_the_order_in_which_they_first_ran() {
    let (mut history, _folder) = empty();
    for (night, firmware, around) in [
        ("2026-03-01", "lantern-z", 2_000),
        ("2026-03-02", "lantern-a", 2_500),
        ("2026-03-03", "lantern-z", 2_000),
        ("2026-03-04", "lantern-m", 1_500),
    ] {
        keep(&mut history, night, World::Hardware, &starts(firmware, around, 5));
    }
    let trends = trends(&history, TrendBy::Firmware);
    let told = trends[0].points.iter().map(|it| (&it.label[..9], it.night.to_string(), it.times.n, it.times.median_ns));
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            ("lantern-z", "2026-03-01".to_owned(), 10, 2_000_000_000),
            ("lantern-a", "2026-03-02".to_owned(), 5, 2_500_000_000),
            ("lantern-m", "2026-03-04".to_owned(), 5, 1_500_000_000),
        ]
    );
}

#[test]
fn worlds_boards_and_who_saw_it_are_never_mixed() {
    let (mut history, _folder) = empty();
    let mut of_another_board = starts("lantern-a", 3_000, 2);
    of_another_board.iter_mut().for_each(|it| it.board = "photon".to_owned());
    let mut seen_by_its_light = starts("lantern-a", 4_000, 3);
    seen_by_its_light.iter_mut().for_each(|it| {
        it.time_to_connect.as_mut().expect("it connected").seen_by = SeenBy::Light;
    });
    let never = Told { connect_ms: None, came_to: "failed firmware", ..PASSES }.result();
    let real = [starts("lantern-a", 2_000, 4), of_another_board, seen_by_its_light, vec![never]].concat();
    keep(&mut history, "2026-03-01", World::Hardware, &real);
    keep(&mut history, "2026-03-01", World::Virtual, &starts("lantern-a", 1_000, 5));
    for by in [TrendBy::Night, TrendBy::Firmware] {
        let told: Vec<_> = trends(&history, by)
            .into_iter()
            .map(|it| (it.world, it.board, it.seen_by, it.points.iter().map(|it| it.times.n).collect::<Vec<_>>()))
            .collect();
        let (lantern, photon) = (|| "lantern-nrf51".to_owned(), || "photon".to_owned());
        assert_eq!(
            told,
            [
                (World::Virtual, lantern(), SeenBy::Cloud, vec![5]),
                (World::Hardware, lantern(), SeenBy::Cloud, vec![4]),
                (World::Hardware, lantern(), SeenBy::Light, vec![3]),
                (World::Hardware, photon(), SeenBy::Cloud, vec![2]),
            ]
        );
    }
}
