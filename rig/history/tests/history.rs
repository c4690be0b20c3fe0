//! What is written down is found again: counted, by itself, and by other people's tools.

mod support;

use std::process::Command;

use brickproof_history::{Filter, Glob, History, Rate};
use brickproof_report::results::{TrialResult, World};
use proptest::prelude::*;
use support::{PASSES, Told, begin, empty, record};

const FAILS: Told<'static> = Told { came_to: "failed firmware", connect_ms: None, seed: 2, ..PASSES };

#[test]
fn a_trial_is_found_again_as_it_was_told() {
    let (mut history, folder) = empty();
    let run = begin(&mut history, "2026-11-27", World::Hardware);
    record(&mut history, run, &[PASSES.result(), FAILS.result()]);
    drop(history);
    let history = History::open_read_only(&folder.path().join("below/history.sqlite")).expect("it is there");
    let result = FAILS.result();
    let found = history.trial(&result.id, 10).expect("it can be read");
    let [found] = &found[..] else { panic!("one trial: {found:?}") };
    assert_eq!((&found.id, found.run, found.world), (&result.id, run, World::Hardware));
    assert_eq!(
        (found.bench.as_str(), found.station.as_str(), found.board_serial.as_str()),
        ("pi-one", "left", "3f00aa01")
    );
    assert_eq!((found.verdict.as_str(), found.blame.as_deref()), ("failed", Some("firmware")));
    assert_eq!(found.reason, result.reason);
    assert_eq!(found.step, Some((2, 6, "expect the light to be cloud_connected within 10s".to_owned())));
    assert_eq!((found.duration_ns, found.wall_ns, found.connect_ns), (12_000_000_000, 20_000_000, None));
    assert_eq!(found.parameters, serde_json::json!({"supply": "usb"}));
    assert_eq!(found.evidence, format!(".brickproof/runs/000001/trials/{}", result.id));
    assert_eq!(
        (found.night.to_string(), found.started.to_string()),
        ("2026-11-27".into(), "2026-11-27T22:00:00Z".into())
    );
    let passed = history.trial(&PASSES.result().id, 10).expect("it can be read").remove(0);
    assert_eq!(
        (passed.connect_ns, passed.connect_by.as_deref(), passed.blame),
        (Some(2_000_000_000), Some("cloud"), None)
    );
    assert_eq!(history.trial("boots.usb.3-5f3a09c2", 10).expect("it can be read"), []);
}

#[test]
fn what_is_asked_for_is_counted_and_nothing_else() {
    let (mut history, _folder) = empty();
    let virtually = begin(&mut history, "2026-11-25", World::Virtual);
    record(&mut history, virtually, &[FAILS.result(), PASSES.result()]);
    let really = begin(&mut history, "2026-11-26", World::Hardware);
    let other =
        Told { scenario: "scenarios/dies.yaml", firmware: "lantern-no-heal", station: "right", serial: None, ..PASSES };
    let undecided = Told { came_to: "inconclusive bench", ..PASSES };
    let in_error = Told { came_to: "error bench", ..PASSES };
    let crashed = Told { came_to: "error firmware", ..PASSES };
    record(&mut history, really, &[PASSES, other, undecided, in_error, crashed].map(|it| it.result()));
    let rate = |passed, failed, error, inconclusive| Rate { passed, failed, error, inconclusive, discarded: 0 };
    let of = |filter: Filter| -> Vec<(World, Rate)> {
        history.rates(&filter).expect("it can be read").iter().map(|it| (it.world, it.all)).collect()
    };
    let really = rate(2, 1, 1, 1);
    assert_eq!(of(Filter::default()), [(World::Virtual, rate(1, 1, 0, 0)), (World::Hardware, really)]);
    assert_eq!(of(Filter { world: Some(World::Hardware), ..Filter::default() }), [(World::Hardware, really)]);
    let since = "2026-11-26".parse().ok();
    assert_eq!(of(Filter { since, ..Filter::default() }), [(World::Hardware, really)]);
    let until = "2026-11-25".parse().ok();
    assert_eq!(of(Filter { until, ..Filter::default() }), [(World::Virtual, rate(1, 1, 0, 0))]);
    let one = [(World::Hardware, rate(1, 0, 0, 0))];
    let hardware = || Filter { world: Some(World::Hardware), ..Filter::default() };
    assert_eq!(of(Filter { scenario: Some(Glob::new("dies.yaml")), ..hardware() }), one);
    assert_eq!(of(Filter { station: Some("right".into()), ..hardware() }), one);
    assert_eq!(of(Filter { station: Some("3f00aa01".into()), ..hardware() }), [(World::Hardware, rate(1, 1, 1, 1))]);
    assert_eq!(of(Filter { firmware: Some("lantern-no-heal".into()), ..hardware() }), one);
    assert_eq!(of(Filter { board: Some("photon".into()), ..hardware() }), []);
    // Each by itself, too.
    assert_eq!(of(Filter { station: Some("right".into()), ..Filter::default() }), one);
    assert_eq!(of(Filter { firmware: Some("lantern-no-heal".into()), ..Filter::default() }), one);
    assert_eq!(of(Filter { board: Some("photon".into()), ..Filter::default() }), []);
    let run = history.runs(&hardware(), 5).expect("it can be read");
    assert_eq!((run.len(), run[0].rate), (1, really));
    let nights = |since: &str, until: &str| {
        let filter = Filter { since: since.parse().ok(), until: until.parse().ok(), ..Filter::default() };
        history.runs(&filter, 5).expect("it can be read").len()
    };
    assert_eq!(nights("2026-11-25", "2026-11-26"), 2, "both days belong to it");
    assert_eq!([nights("2026-11-26", "2026-11-26"), nights("2026-11-25", "2026-11-25")], [1, 1]);
    assert_eq!([nights("2026-11-27", "2026-11-30"), nights("2026-11-01", "2026-11-24")], [0, 0]);
}

/// Somebody else's reader, through the view that is made for it.
#[test]
fn stock_tools_read_it() {
    let (mut history, _folder) = empty();
    let run = begin(&mut history, "2026-11-27", World::Hardware);
    record(&mut history, run, &[PASSES.result(), FAILS.result(), Told { seed: u64::MAX, ..FAILS }.result()]);
    let sql =
        "SELECT id, seed, world, station, verdict, blame, step_line, connect_ns, started FROM trials ORDER BY number";
    let script = "import sqlite3, sys\nfor row in sqlite3.connect(sys.argv[1]).execute(sys.argv[2]):\n    print('|'.join('' if it is None else str(it) for it in row))\n";
    let path = history.path().as_os_str();
    let mut asked = 0;
    for (tool, words) in
        [("sqlite3", vec![path, sql.as_ref()]), ("python3", vec!["-c".as_ref(), script.as_ref(), path, sql.as_ref()])]
    {
        let Ok(output) = Command::new(tool).args(words).output() else { continue };
        assert!(output.status.success(), "{tool}: {}", String::from_utf8_lossy(&output.stderr));
        let expected = "\
boots.usb.1-5f3a09c2|1|hardware|left|passed|||2000000000|2026-11-27T22:00:00.000Z
boots.usb.2-5f3a09c2|2|hardware|left|failed|firmware|6||2026-11-27T22:00:00.000Z
boots.usb.18446744073709551615-5f3a09c2|18446744073709551615|hardware|left|failed|firmware|6||2026-11-27T22:00:00.000Z
";
        assert_eq!(String::from_utf8_lossy(&output.stdout).replace("\r\n", "\n"), expected, "{tool}");
        asked += 1;
    }
    if asked == 0 {
        assert!(std::env::var_os("BRICKPROOF_REQUIRE_ORACLES").is_none(), "neither sqlite3 nor python3 is here");
        eprintln!("NOT CHECKED: neither sqlite3 nor python3 is here to read a history");
    }
}

fn any_trial() -> impl Strategy<Value = TrialResult> {
    let came_to = prop::sample::select(vec![
        "passed",
        "failed firmware",
        "failed board",
        "error bench",
        "error firmware",
        "inconclusive bench",
    ]);
    let scenario = prop::sample::select(vec!["a.yaml", "b/a.yaml", "c.yaml"]);
    let station = prop::sample::select(vec!["left", "right"]);
    let firmware = prop::sample::select(vec!["lantern-no-heal", "lantern-heal-full"]);
    (came_to, scenario, station, firmware, 0..3_u64, prop::option::of(1..9_u64)).prop_map(
        |(came_to, scenario, station, firmware, seed, connect_ms)| {
            Told { scenario, station, firmware, seed, came_to, connect_ms, ..PASSES }.result()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn counts_add_up_and_the_order_of_writing_does_not_matter(trials in prop::collection::vec(any_trial(), 1..30), parts in 1..5_usize) {
        let (mut one, _keep) = empty();
        let run = begin(&mut one, "2026-11-27", World::Virtual);
        record(&mut one, run, &trials);
        let (mut other, _keep_too) = empty();
        let run = begin(&mut other, "2026-11-27", World::Virtual);
        let backwards: Vec<TrialResult> = trials.iter().rev().cloned().collect();
        backwards.chunks(parts).for_each(|part| record(&mut other, run, part));
        let all = Filter::default();
        let rates = one.rates(&all).expect("it can be read");
        prop_assert_eq!(&rates, &other.rates(&all).expect("it can be read"));
        prop_assert_eq!(one.flakiness(&all).expect("it can be read"), other.flakiness(&all).expect("it can be read"));
        prop_assert_eq!(rates[0].all.all(), trials.len() as u64);
        let sum = |rates: Vec<Rate>| rates.into_iter().fold(Rate::default(), Rate::and);
        prop_assert_eq!(sum(rates[0].scenarios.iter().map(|it| it.1).collect()), rates[0].all);
        prop_assert_eq!(sum(rates[0].boards.iter().map(|it| it.1).collect()), rates[0].all);
        prop_assert_eq!(sum(rates[0].firmwares.iter().map(|it| it.1).collect()), rates[0].all);
        prop_assert_eq!(one.runs(&all, 1).expect("it can be read")[0].rate, rates[0].all);
    }
}
