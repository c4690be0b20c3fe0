//! Firmware on its way: what is struck where it was to be, what breaks by itself, what comes late or out of order, and whose fault it is.

use brickproof_cloud::CloudEvent;
use brickproof_scenario::plan::Door;
use brickproof_trial::{ActionId, Command, Happening, Observation, Progress, StepVerdict};
use brickproof_units::{Ratio, Voltage};

use crate::station::Beat::{Breaks, Told, Whole};
use crate::station::{Reply, Station, answers, at, key};

const PLAIN: &str = "steps:\n  - supply: { usb: 5V }\n  - flash: lantern-heal-full\n";
const UP: Voltage = Voltage::new(3_300_000);
const DOWN: Voltage = Voltage::new(300_000);

/// Struck with 40 % written, and so long after it; the power is away for 200 ms.
fn struck(after: &str) -> String {
    format!(
        "steps:\n  - on: {{ flash: lantern-heal-full, at: 40% }}\n    fault: {{ power_cut: {{ after: {after}, hold: 200ms }} }}\n  - wait: 1s\n"
    )
}

/// How a trial goes whose transfer goes so.
macro_rules! transfer {
    ($body:expr, [$($beat:expr),*]) => {
        Station::with_rule($body, answers!(Command::Flash { .. } => Reply::Transfer(&[$($beat),*])))
    };
}

fn strikes(station: &Station) -> usize {
    station.happened(|it| matches!(it, Happening::Triggered { .. }))
}

#[test]
fn a_step_that_flashes_is_over_when_all_is_written_and_what_was_before_is_the_past() {
    let body = format!("{PLAIN}  - expect: {{ identity: unchanged, within: 1s }}\n");
    let connected = |station: Station, millis| {
        let fingerprint = key(1);
        station.cloud(millis, CloudEvent::LinkOpened).cloud(millis, CloudEvent::Connected { fingerprint })
    };
    let flashed = || transfer!(&body, [Told(0, 0, 0), Told(900, 1_000, 0), Whole(2_000)]);
    let before = connected(flashed(), 1_000).run();
    assert_eq!(before.outcome(), "failed, firmware", "it was the old one that connected");
    let after = connected(flashed(), 2_500).run();
    assert_eq!(after.outcome(), "passed");
    assert_eq!(after.trial.steps()[1].ran, Some((at(0), at(2_000))));
    assert_eq!(after.happened(|it| matches!(it, Happening::Progress { .. })), 2, "how far it came is kept");
}

#[test]
fn a_transfer_that_breaks_is_the_benchs_failure_while_the_board_has_its_power() {
    for body in [PLAIN, &struck("2ms")] {
        let station = transfer!(body, [Told(100, 100, 0), Breaks(200)]).rail(0..1_000, UP).run();
        assert_eq!((station.outcome(), strikes(&station)), ("error, bench".to_owned(), 0), "{body}");
        assert_eq!(station.verdict().reason, "the instrument failed to obey: the cable is off");
        assert!(station.trial.steps().iter().any(|step| step.verdict == StepVerdict::Error));
    }
}

#[test]
fn a_transfer_to_a_board_without_power_fails_whoever_was_to_feed_it() {
    let cases = [
        (
            "steps:\n  - flash: lantern-heal-full\n",
            DOWN,
            "error, scenario",
            "nothing fed the board: the rail fell short of",
        ),
        (
            "steps:\n  - supply: { battery: { cell: 300mAh, charge: 6% } }\n  - flash: lantern-heal-full\n",
            UP,
            "error, scenario",
            "what the scenario feeds the board with does not carry it",
        ),
        (PLAIN, UP, "error, bench", "the supply failed (supply 5V over USB)"),
    ];
    for (body, rail, outcome, why) in cases {
        let station = transfer!(body, [Told(100, 100, 0), Breaks(600)]);
        let station = station.rail(0..500, rail).rail(500..1_000, DOWN).run();
        assert_eq!(station.outcome(), outcome, "{body}");
        let reason = &station.verdict().reason;
        assert!(
            reason.starts_with(why) && reason.ends_with("; the instrument failed to obey: the cable is off"),
            "{reason}"
        );
        assert!(station.verdict().evidence.iter().any(|it| it.kind == "supply"), "{:?}", station.verdict().evidence);
    }
}

#[test]
fn a_transfer_that_breaks_because_it_is_struck_is_what_was_meant() {
    // The answer comes while the fault is on its way, and after it.
    for station in [
        transfer!(&struck("2ms"), [Told(100, 300, 0), Told(200, 400, 0), Breaks(250)]),
        transfer!(&struck("2ms"), [Told(100, 300, 0), Told(200, 400, 0), Breaks(5_000)]),
    ] {
        let station = station.run();
        assert_eq!((station.outcome(), strikes(&station)), ("passed".to_owned(), 1));
        let fault = &station.trial.faults()[0];
        assert_eq!((fault.triggered, fault.asked.at), (at(200), at(202)));
        let (asked, reached) = fault.progress.expect("it hung on a transfer");
        assert_eq!((asked.to_string(), reached.done), ("40%".to_owned(), 400));
    }
}

#[test]
fn a_transfer_that_breaks_before_its_fault_has_struck_broke_by_itself() {
    let station = transfer!(&struck("500ms"), [Told(200, 400, 0), Breaks(300)]).run();
    assert_eq!(station.outcome(), "error, bench");
    assert_eq!(station.verdict().reason, "the instrument failed to obey: the cable is off");
}

#[test]
fn a_transfer_that_is_over_before_its_fault_strikes_was_not_struck() {
    let never_told = transfer!(&struck("2ms"), [Told(100, 300, 0), Whole(200)]).run();
    let too_late = transfer!(&struck("500ms"), [Told(200, 400, 0), Whole(300)]).run();
    for station in [&never_told, &too_late] {
        assert_eq!(station.outcome(), "error, scenario");
    }
    assert_eq!((strikes(&never_told), strikes(&too_late)), (0, 1));
    assert_eq!(
        too_late.verdict().reason,
        "the fault was not made where it was asked for, after 40% of lantern-heal-full is written through the probe: the transfer was \
         over at 0.300s"
    );
    // One that is whole all the same, because capacitors carried the board, was struck.
    assert_eq!(transfer!(&struck("2ms"), [Told(200, 400, 0), Whole(300)]).run().outcome(), "passed");
}

#[test]
fn what_is_told_out_of_order_strikes_once_and_where_it_was_first_reached() {
    let station = transfer!(
        &struck("2ms"),
        [Told(100, 900, 0), Told(110, 300, 0), Told(120, 400, 0), Told(130, 1_000, 0), Breaks(200)]
    );
    let station = station.run();
    assert_eq!((station.outcome(), strikes(&station)), ("passed".to_owned(), 1));
    assert_eq!(station.trial.faults()[0].progress.map(|(_, reached)| reached.done), Some(900));
    assert_eq!(station.happened(|it| matches!(it, Happening::Progress { .. })), 4);
    // Neither is it once more by a board that came back and was written on.
    let came_back = transfer!(&struck("2ms"), [Told(200, 400, 0), Told(1_000, 900, 0), Breaks(1_100)]).run();
    assert_eq!((came_back.outcome(), strikes(&came_back)), ("passed".to_owned(), 1));
    // After its end nothing is struck any more.
    let after = transfer!(&struck("2ms"), [Told(100, 300, 0), Whole(200), Told(200, 400, 0)]).run();
    assert_eq!((after.outcome(), strikes(&after)), ("error, scenario".to_owned(), 0));
}

#[test]
fn what_may_be_written_already_counts_and_what_cannot_be_does_not() {
    let triggered = |station: Station| station.run().trial.faults()[0].triggered;
    let surely_not = transfer!(&struck("2ms"), [Told(100, 300, 100), Told(200, 400, 0), Breaks(250)]);
    assert_eq!(triggered(surely_not), at(200));
    let perhaps = transfer!(&struck("2ms"), [Told(100, 300, 101), Told(200, 400, 0), Breaks(250)]);
    assert_eq!(triggered(perhaps), at(100));
}

#[test]
fn a_share_is_the_first_byte_with_which_it_is_written() {
    let place = |parts_per_million, total| Progress::place(Ratio::new(parts_per_million), total);
    assert_eq!([place(0, 150), place(10_000, 150), place(1_000_000, 150), place(1, u32::MAX)], [0, 2, 150, 4_295]);
}

#[test]
fn progress_of_something_else_strikes_nothing() {
    let progress = Progress { done: 900, uncertainty: 0, total: 1_000 };
    let station = transfer!(&struck("2ms"), [Told(200, 400, 0), Breaks(250)]);
    let station = station.observe(50, Observation::Progress { id: ActionId(999), progress }).run();
    assert_eq!(station.outcome(), "passed");
    assert_eq!(station.trial.faults()[0].triggered, at(200));
}

#[test]
fn a_transfer_that_is_not_answered_is_given_up_struck_or_not_and_a_late_answer_changes_nothing() {
    let cases = [
        transfer!(PLAIN, [Told(200, 400, 0), Whole(300_001)]),
        transfer!(&struck("2ms"), [Told(200, 300, 0), Breaks(300_001)]),
        transfer!(&struck("2ms"), [Told(200, 400, 0), Breaks(300_001)]),
    ];
    for station in cases {
        let station = station.run();
        assert_eq!((station.outcome(), station.verdict().at), ("error, bench".to_owned(), at(300_000)));
        assert!(station.verdict().reason.ends_with("no answer came within 300s"), "{}", station.verdict().reason);
    }
}

#[test]
fn a_fault_on_a_transfer_that_is_not_made_is_the_benchs_failure() {
    let rule = |command: &Command| match command {
        Command::Flash { .. } => Reply::Transfer(&[Told(200, 400, 0), Breaks(250)]),
        Command::Inject(_) => Reply::Refusal,
        _ => Reply::Usual,
    };
    let station = Station::with_rule(&struck("2ms"), rule).run();
    assert_eq!(station.outcome(), "error, bench");
    assert_eq!(station.trial.faults()[0].achieved, None);
}

#[test]
fn the_world_is_told_which_way_and_where_progress_matters() {
    let station = transfer!(&struck("2ms"), [Told(200, 400, 0), Breaks(250)]).run();
    let asked = station.asked.iter().find_map(|command| match command {
        Command::Flash { transfer, tell_at } => Some((transfer.through, tell_at.map(|at| at.to_string()))),
        _ => None,
    });
    assert_eq!(asked, Some((Door::Probe, Some("40%".to_owned()))));
}
