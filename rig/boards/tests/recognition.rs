//! Every status of Device OS, and patterns that are none, through a model of LED, room and sensor: which names are said, and when.
//!
//! `BRICKPROOF_LIGHT_ROUNDS=1000 cargo test --release -p brickproof-boards --test recognition -- --nocapture` prints the whole matrix.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "helpers of tests: clippy only knows the functions that are tests"
)]

#[path = "../../light/tests/bench/drive.rs"]
#[expect(dead_code, reason = "shared with the tests of the recogniser, which use the rest")]
mod drive;
#[path = "../../light/tests/bench/optics.rs"]
#[expect(dead_code, reason = "shared with the tests of the recogniser, which use the rest")]
mod optics;

use std::collections::{BTreeMap, BTreeSet};

use brickproof_boards::{BoardProfile, Shelf};
use brickproof_light::{Calibration, Recogniser, Watcher};
use brickproof_units::{Instant, Span};
use drive::{BLUE, CYAN, DARK, Drive, GREEN, LEAD, MAGENTA, ORANGE, RED, WHITE, YELLOW, oddities};
use optics::{Bench, Dice};

/// Times that each status is shown at each integration time, if nobody asks for more.
const ROUNDS: u64 = 12;
/// Integration times in µs, and periods of a PWM of which each holds whole ones.
const INTEGRATIONS: [(u64, u64); 5] =
    [(2_400, 2_400), (4_800, 2_400), (9_600, 4_800), (14_400, 2_400), (24_000, 2_400)];
/// The sensor's pause between two integrations, µs (TCS3472 data sheet).
const PAUSE: u64 = 2_400;

/// A status as a firmware shows it.
struct Shown {
    name: String,
    drive: Drive,
    /// When it begins, and when it has to be known: two periods and a second later.
    begins: u64,
    known_by: u64,
    /// What is shown around it.
    beside: &'static [&'static str],
    /// Its shortest phase, ms.
    phase: f64,
}

fn steady(name: &str, period: f64, phase: f64, build: impl FnOnce(Drive, usize) -> Drive) -> Shown {
    let times = (2.0 + 2_500.0 / period).ceil() as usize;
    let drive = build(Drive::dark().then(DARK, LEAD as f64), times);
    Shown { name: name.to_owned(), drive, begins: LEAD, known_by: LEAD + 2 * period as u64 + 1_000, beside: &[], phase }
}

fn blink(name: &str, light: [f64; 3], period: f64) -> Shown {
    steady(name, period, period / 2.0, |drive, times| drive.blink(light, period / 2.0, period / 2.0, times))
}

fn breath(name: &str, light: [f64; 3]) -> Shown {
    steady(name, 4_000.0, 2_000.0, |drive, times| drive.fade(light, 4_000.0, times))
}

/// A handshake, the flashes, and the next attempt.
fn flashes(name: &str, light: [f64; 3], count: usize) -> Shown {
    let before = 3_000.0;
    let drive = Drive::dark().then(DARK, LEAD as f64).blink(CYAN, 50.0, 50.0, (before / 100.0) as usize);
    let drive = if count == 1 { drive.then(light, 250.0) } else { drive.blink(light, 250.0, 250.0, count) };
    let drive = drive.blink(CYAN, 100.0, 100.0, 25);
    let (begins, length) = (LEAD + before as u64, (count * 500 - 250) as u64);
    let beside = &["cloud_handshake", "cloud_connecting"];
    // The handshake around it is faster.
    Shown { name: name.to_owned(), drive, begins, known_by: begins + 2 * length + 1_000, beside, phase: 50.0 }
}

fn sos(code: usize) -> Shown {
    let drive = Drive::dark().then(DARK, LEAD as f64).sos(RED, code).sos(RED, code);
    let once = (3_600 + 600 * code) as u64;
    Shown { name: "sos".to_owned(), drive, begins: LEAD, known_by: LEAD + 2 * once + 1_000, beside: &[], phase: 100.0 }
}

/// As `system_led_signal.cpp:52-83`, `system_task.cpp:185-260` and `panic.c` show them.
fn statuses(round: u64) -> Vec<Shown> {
    vec![
        breath("network_off", WHITE),
        breath("network_on", BLUE),
        blink("network_connecting", GREEN, 200.0),
        blink("network_dhcp", GREEN, 100.0),
        breath("network_connected", GREEN),
        blink("cloud_connecting", CYAN, 200.0),
        blink("cloud_handshake", CYAN, 100.0),
        breath("cloud_connected", CYAN),
        breath("safe_mode", MAGENTA),
        blink("listening_mode", BLUE, 500.0),
        blink("dfu_mode", YELLOW, 200.0),
        blink("firmware_update", MAGENTA, 100.0),
        blink("key_generation", WHITE, 200.0),
        flashes("handshake_error", RED, 1),
        flashes("decryption_error", ORANGE, 1),
        flashes("authentication_error", MAGENTA, 1),
        flashes("no_internet", ORANGE, 2),
        flashes("cloud_unreachable", ORANGE, 3),
        sos(1 + (round % 15) as usize),
    ]
}

/// Driven at 7 % of full brightness: in some of the places that the model knows it is below the noise, and nobody could name it there.
const TOO_DIM: &str = "power_off";

/// A status that nobody shows is one that nobody knows to be recognised.
#[test]
fn every_status_of_the_profile_is_shown_but_the_one_that_is_too_dim() {
    let shelf = Shelf::shipped();
    let known = shelf.board("argon").unwrap().light.iter().map(|status| status.name.clone()).collect::<BTreeSet<_>>();
    let mut shown: BTreeSet<String> = statuses(0).into_iter().map(|shown| shown.name).collect();
    assert!(shown.insert(TOO_DIM.to_owned()), "{TOO_DIM} is shown after all");
    assert_eq!(shown, known);
}

fn bench(dice: &mut Dice, (integration, pwm): (u64, u64)) -> Bench {
    Bench { integration, pwm, ..Bench::random(dice) }
}

/// Every status that is named until `known_by`, and when, ms.
fn named(board: &BoardProfile, drive: &Drive, known_by: u64, bench: &Bench, dice: &mut Dice) -> BTreeMap<String, u64> {
    let mut recogniser = Recogniser::new(Calibration::default().with_dark(&bench.dark(dice)).unwrap());
    let watchers: Vec<_> = board.light.iter().map(|it| (it, Watcher::new(it.look.pattern(), Instant::START))).collect();
    let (mut named, mut revision) = (BTreeMap::new(), None);
    for sample in bench.watch(drive, known_by.min(drive.length()), dice) {
        recogniser.feed(&sample);
        if revision == Some(recogniser.revision()) {
            continue;
        }
        revision = Some(recogniser.revision());
        for (status, watcher) in &watchers {
            if !named.contains_key(&status.name) && watcher.latest(&recogniser).is_some() {
                named.insert(status.name.clone(), sample.at.since(Instant::START).get() / 1_000_000);
            }
        }
    }
    named
}

#[derive(Default)]
struct Row {
    shown: u64,
    right: u64,
    /// Nothing was said of it, and nothing wrong.
    unknown: u64,
    wrong: BTreeMap<String, u64>,
    /// ms from its beginning to its name.
    latencies: Vec<u64>,
}

impl Row {
    fn count(&mut self, shown: &Shown, named: &BTreeMap<String, u64>) {
        self.shown += 1;
        let expected = |name: &String| *name == shown.name || shown.beside.contains(&name.as_str());
        let wrong: BTreeSet<&String> = named.keys().filter(|name| !expected(name)).collect();
        match (wrong.is_empty(), named.get(&shown.name)) {
            (true, Some(at)) => {
                self.right += 1;
                self.latencies.push(at.saturating_sub(shown.begins));
            }
            (true, None) => self.unknown += 1,
            (false, _) => wrong.into_iter().for_each(|name| *self.wrong.entry(name.clone()).or_default() += 1),
        }
    }
}

/// Wilson's interval for 95 %, in percent.
fn interval(right: u64, shown: u64) -> (f64, f64) {
    let (n, p, z) = (shown as f64, right as f64 / shown as f64, 1.96_f64);
    let middle = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    (100.0 * (middle - half), 100.0 * (middle + half).min(1.0))
}

fn print(integration: u64, rows: &mut BTreeMap<String, Row>) {
    println!(
        "\nintegration {:.1} ms, a sample every {:.1} ms",
        integration as f64 / 1e3,
        (integration + PAUSE) as f64 / 1e3
    );
    println!("{:22} {:>6} {:>6} {:>8}  {:>7} {:>7}  wrong", "status", "shown", "right", "unknown", "median", "worst");
    for (name, row) in rows {
        row.latencies.sort_unstable();
        let ms = |value: Option<&u64>| value.map_or(String::new(), |ms| format!("{ms} ms"));
        let (median, worst) = (ms(row.latencies.get(row.latencies.len() / 2)), ms(row.latencies.last()));
        let wrong: Vec<_> = row.wrong.iter().map(|(name, times)| format!("{name} {times}")).collect();
        println!(
            "{name:22} {:6} {:6} {:8}  {median:>7} {worst:>7}  {}",
            row.shown,
            row.right,
            row.unknown,
            wrong.join(", ")
        );
    }
}

fn rounds() -> u64 {
    std::env::var("BRICKPROOF_LIGHT_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS)
}

#[test]
fn statuses_are_named_as_a_person_would_and_in_time() {
    let shelf = Shelf::shipped();
    let board = shelf.board("argon").unwrap();
    for (integration, pwm) in INTEGRATIONS {
        let mut rows: BTreeMap<String, Row> = BTreeMap::new();
        for round in 0..rounds() {
            let mut dice = Dice(round * 7_919 + integration);
            for shown in statuses(round) {
                let bench = bench(&mut dice, (integration, pwm));
                let named = named(board, &shown.drive, shown.known_by, &bench, &mut dice);
                rows.entry(shown.name.clone()).or_default().count(&shown, &named);
            }
        }
        print(integration, &mut rows);
        // A phase has to hold two samples to be told from its neighbours.
        let phases: BTreeMap<String, f64> = statuses(0).into_iter().map(|it| (it.name, it.phase)).collect();
        let is_possible = |name: &String| phases[name] * 1e3 >= 2.0 * (integration + PAUSE) as f64;
        let possible = rows.iter().filter(|(name, _)| is_possible(name));
        let (right, shown) = possible.fold((0, 0), |sum, (_, row)| (sum.0 + row.right, sum.1 + row.shown));
        let (low, high) = interval(right, shown);
        println!(
            "right where an answer is possible: {right} of {shown}: {:.3} % [{low:.3}, {high:.3}]",
            100.0 * right as f64 / shown as f64
        );
        if integration <= 4_800 {
            assert!(right * 1_000 >= shown * 995, "{right} of {shown} at {integration} us");
        }
        let wrong: Vec<_> =
            rows.iter().filter(|(_, row)| !row.wrong.is_empty()).map(|(name, row)| (name, &row.wrong)).collect();
        let misled: u64 = wrong.iter().flat_map(|(_, names)| names.values()).sum();
        let all: u64 = rows.values().map(|row| row.shown).sum();
        println!("wrong names: {misled} of {all}");
        assert!(misled * 1_000 <= all * 2, "{wrong:?} at {integration} us");
    }
}

#[test]
fn what_is_no_status_is_not_called_one() {
    let shelf = Shelf::shipped();
    let board = shelf.board("argon").unwrap();
    for (integration, pwm) in INTEGRATIONS {
        let mut called: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
        let mut shown = 0;
        for round in 0..rounds() {
            let mut dice = Dice(round * 104_729 + integration);
            for case in oddities(&mut dice) {
                let bench = bench(&mut dice, (integration, pwm));
                shown += 1;
                for name in named(board, &case.drive, case.drive.length(), &bench, &mut dice).into_keys() {
                    *called.entry(case.name.clone()).or_default().entry(name).or_default() += 1;
                }
            }
        }
        let misled: u64 = called.values().flat_map(BTreeMap::values).sum();
        println!(
            "integration {:.1} ms: {misled} names for {shown} patterns that are no status: {called:?}",
            integration as f64 / 1e3
        );
        assert!(misled * 1_000 <= shown * 5, "{called:?}");
    }
}

/// A panic says which.
#[test]
fn sos_is_counted_to_its_code() {
    let shelf = Shelf::shipped();
    let board = shelf.board("argon").unwrap();
    assert!(board.status("sos").is_some());
    for code in 1..=15_u8 {
        let mut dice = Dice(u64::from(code));
        let bench = Bench { integration: 4_800, ..Bench::quiet() };
        let shown = sos(usize::from(code));
        let mut recogniser = Recogniser::new(Calibration::default().with_dark(&bench.dark(&mut dice)).unwrap());
        let wanted = Watcher::new(
            brickproof_light::Pattern {
                rhythm: brickproof_light::RhythmPattern::Sos { code: Some(code) },
                ..brickproof_light::Pattern::sos()
            },
            Instant::START,
        );
        bench.watch(&shown.drive, shown.drive.length(), &mut dice).iter().for_each(|sample| recogniser.feed(sample));
        let found = wanted.latest(&recogniser);
        assert!(found.is_some_and(|it| it.length() > Span::ZERO), "{code}: {}", recogniser.now());
    }
}
