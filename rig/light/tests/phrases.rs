//! What a person would have told about a device: patterns that follow each other, flashes over a rhythm, SOS.

#![expect(clippy::unwrap_used, reason = "helpers of tests: clippy only knows the functions that are tests")]

#[path = "bench/drive.rs"]
#[expect(dead_code, reason = "shared with the other tests, which use the rest")]
mod drive;
#[path = "bench/optics.rs"]
#[expect(dead_code, reason = "shared with the other tests, which use the rest")]
mod optics;

use brickproof_light::{Calibration, Colour, Pattern, Recogniser, Sample, Watcher};
use brickproof_units::{Instant, Span};
use drive::{BLUE, CYAN, DARK, Drive, GREEN, MAGENTA, ORANGE, RED};
use insta::assert_snapshot;
use optics::{Bench, Dice};

fn samples(drive: &Drive) -> Vec<Sample> {
    Bench::quiet().watch(drive, drive.length(), &mut Dice(3))
}

fn recogniser() -> Recogniser {
    Recogniser::new(Calibration::default().with_dark(&Bench::quiet().dark(&mut Dice(5))).unwrap())
}

fn watched(drive: &Drive) -> Recogniser {
    let mut recogniser = recogniser();
    samples(drive).iter().for_each(|sample| recogniser.feed(sample));
    recogniser
}

fn history(drive: &Drive) -> String {
    watched(drive).history(Span::secs(60)).to_string()
}

fn dark(millis: f64) -> Drive {
    Drive::dark().then(DARK, millis)
}

#[test]
fn a_handshake_that_fails_is_one_red_flash_over_the_blink() {
    let drive =
        dark(1_000.0).blink(CYAN, 50.0, 50.0, 20).then(RED, 250.0).blink(CYAN, 100.0, 100.0, 10).then(DARK, 1_500.0);
    assert_snapshot!(history(&drive), @r"
    0.00s-1.00s      off
    1.00s-2.99s      cyan, blinking, 100 ms (50 % on)
    2.99s-3.25s      one red flash, 250 ms
    3.25s-5.14s      cyan, blinking, 200 ms (50 % on)
    5.14s-           off
    ");
}

#[test]
fn a_device_that_connects() {
    let drive = dark(1_000.0)
        .then([1.0; 3], 1_500.0)
        .blink(GREEN, 100.0, 100.0, 12)
        .blink(GREEN, 50.0, 50.0, 15)
        .blink(CYAN, 100.0, 100.0, 10)
        .blink(CYAN, 50.0, 50.0, 16)
        .fade(CYAN, 4_000.0, 3);
    assert_snapshot!(history(&drive), @r"
    0.00s-1.00s      off
    1.00s-2.60s      white, solid
    2.60s-4.89s      green, blinking, 200 ms (50 % on)
    4.89s-6.40s      green, blinking, 100 ms (50 % on)
    6.40s-8.39s      cyan, blinking, 200 ms (50 % on)
    8.39s-10.00s     cyan, blinking, 100 ms (50 % on)
    10.00s-          cyan, breathing, 4 s
    ");
}

#[test]
fn two_and_three_orange_flashes_over_a_blink() {
    let base = |drive: Drive| drive.blink(CYAN, 100.0, 100.0, 12);
    let drive = base(dark(1_000.0)).blink(ORANGE, 250.0, 250.0, 2);
    let drive = base(base(drive).blink(ORANGE, 250.0, 250.0, 3)).then(DARK, 2_000.0);
    assert_snapshot!(history(&drive), @r"
    0.00s-1.00s      off
    1.00s-3.40s      cyan, blinking, 200 ms (50 % on)
    3.40s-4.40s      two orange flashes, 250 ms on, 250 ms off
    4.40s-6.80s      cyan, blinking, 200 ms (50 % on)
    6.80s-8.30s      three orange flashes, 250 ms on, 250 ms off
    8.30s-10.60s     cyan, blinking, 200 ms (50 % on)
    10.60s-          off
    ");
}

#[test]
fn a_flash_over_a_breath_and_the_listening_blink() {
    let drive = dark(800.0).fade(MAGENTA, 4_000.0, 2).then(RED, 250.0).blink(BLUE, 250.0, 250.0, 6).then(BLUE, 2_000.0);
    assert_snapshot!(history(&drive), @r"
    0.00s-0.80s      off
    0.80s-8.80s      magenta, breathing, 4 s
    8.80s-9.04s      one red flash, 250 ms
    9.04s-12.04s     blue, blinking, 500 ms (50 % on)
    12.04s-          blue, solid
    ");
}

#[test]
fn sos_with_its_code() {
    let drive =
        dark(1_000.0).blink(CYAN, 50.0, 50.0, 10).then(DARK, 1_000.0).sos(RED, 1).sos(RED, 1).then(DARK, 2_500.0);
    assert_snapshot!(history(&drive), @r"
    0.00s-1.00s      off
    1.00s-1.95s      cyan, blinking, 100 ms (50 % on)
    1.95s-2.99s      off
    2.99s-11.90s     red, SOS and one flash
    11.90s-          off
    ");
}

#[test]
fn the_code_of_an_sos_is_known_when_its_flashes_are_over() {
    for code in [1, 4, 10, 15] {
        let mut recogniser = recogniser();
        let drive = dark(1_000.0).sos(RED, code);
        samples(&drive).iter().for_each(|sample| recogniser.feed(sample));
        let expected =
            if code == 1 { "red, SOS and one flash".to_owned() } else { format!("red, SOS and {code} flashes") };
        assert_eq!(recogniser.now().to_string(), expected);
    }
}

/// What `within` and `holds` are made of.
#[test]
fn a_watcher_knows_since_when() {
    let drive = dark(1_000.0).blink(CYAN, 50.0, 50.0, 20).fade(CYAN, 4_000.0, 3);
    let breathing = Watcher::new(Pattern::breathe(Colour::Cyan, Span::secs(4)), Instant::START);
    let mut recogniser = recogniser();
    let mut matches = Vec::new();
    for sample in samples(&drive) {
        recogniser.feed(&sample);
        matches.extend(breathing.now(&recogniser));
    }
    let first = matches[0];
    assert!(first.since.as_nanos().abs_diff(3_000_000_000) < 10_000_000, "{first:?}");
    assert!(first.length() < Span::secs(3), "{first:?}");
    assert!(matches.iter().all(|later| later.since == first.since));
    assert!(matches.is_sorted_by_key(|later| later.confidence));
    assert!(matches.last().unwrap().length() > Span::secs(11));
}

#[test]
fn a_flash_is_found_after_it_is_over_and_only_by_those_who_watched_then() {
    let drive = dark(1_000.0).blink(CYAN, 50.0, 50.0, 20).then(RED, 250.0).blink(CYAN, 50.0, 50.0, 20);
    let recogniser = watched(&drive);
    let flash = Pattern::flashes(Colour::Red, 1);
    let found = Watcher::new(flash, Instant::START + Span::secs(2)).latest(&recogniser).unwrap();
    assert!(found.length().get().abs_diff(250_000_000) < 6_000_000, "{found:?}");
    assert!(Watcher::new(flash, Instant::START + Span::millis(3_100)).latest(&recogniser).is_some(), "it was going on");
    assert_eq!(Watcher::new(flash, Instant::START + Span::millis(3_300)).latest(&recogniser), None);
    assert_eq!(Watcher::new(Pattern::flashes(Colour::Red, 2), Instant::START).latest(&recogniser), None);
    assert_eq!(Watcher::new(flash, Instant::START).now(&recogniser), None);
}

#[test]
fn a_sensor_that_is_over_its_range_tells_the_rhythm_but_no_colour() {
    let drive = dark(1_000.0).blink(CYAN, 100.0, 100.0, 10);
    let mut recogniser = recogniser();
    for mut sample in samples(&drive) {
        if sample.green > 100 {
            sample.clear = 1_023;
        }
        recogniser.feed(&sample);
    }
    assert_eq!(recogniser.now().to_string(), "unknown colour, blinking, 200 ms (50 % on)");
}

#[test]
fn a_sensor_that_stalls_ends_every_statement() {
    let drive = dark(1_000.0).then(GREEN, 2_000.0);
    let mut recogniser = watched(&drive);
    let Some(last) = samples(&drive).pop() else { panic!("no samples") };
    assert_eq!(recogniser.now().to_string(), "green, solid");
    recogniser.feed(&Sample { at: last.at + Span::secs(1), ..last });
    assert_eq!(recogniser.now().to_string(), "green, rhythm unknown");
}

#[test]
fn after_a_new_beginning_only_later_light_counts() {
    let drive = dark(1_000.0).fade(CYAN, 4_000.0, 3);
    let mut recogniser = watched(&drive);
    let (breathing, from) = (Pattern::breathe(Colour::Cyan, Span::secs(4)), Instant::START + Span::millis(13_010));
    assert!(Watcher::new(breathing, from).latest(&recogniser).is_some(), "it breathes");
    recogniser.begin_anew();
    assert_eq!(Watcher::new(breathing, from).latest(&recogniser), None, "nothing was seen since");
    assert_eq!(recogniser.now().to_string(), "unknown");
    let again = samples(&drive).into_iter().map(|sample| Sample { at: sample.at + Span::millis(13_010), ..sample });
    again.for_each(|sample| recogniser.feed(&sample));
    let found = Watcher::new(breathing, from).now(&recogniser).unwrap();
    assert!(found.since >= from, "{found:?}");
}

#[test]
fn a_light_is_recognised_in_the_time_that_its_pattern_states() {
    let second = Span::secs(1);
    let sos = |code| Pattern { rhythm: brickproof_light::RhythmPattern::Sos { code }, ..Pattern::sos() };
    let lights = [
        (Pattern::OFF, dark(1_000.0).then(GREEN, 2_000.0).then(DARK, 4_000.0), Span::millis(3_000)),
        (Pattern::solid(Colour::Green), dark(1_000.0).then(GREEN, 5_000.0), second),
        (Pattern::solid(Colour::Green), dark(1_000.0).fade(CYAN, 4_000.0, 2).then(GREEN, 5_000.0), Span::secs(9)),
        (Pattern::blink(Colour::Cyan, Span::millis(100)), dark(1_000.0).blink(CYAN, 50.0, 50.0, 40), second),
        (Pattern::blink(Colour::Blue, Span::millis(500)), dark(1_000.0).blink(BLUE, 250.0, 250.0, 12), second),
        (Pattern::breathe(Colour::Cyan, Span::secs(4)), dark(1_000.0).fade(CYAN, 4_000.0, 3), second),
        (Pattern::breathe(Colour::Cyan, Span::secs(1)), dark(1_000.0).fade(CYAN, 1_000.0, 9), second),
        (Pattern::flashes(Colour::Orange, 3), dark(1_000.0).blink(ORANGE, 250.0, 250.0, 3).then(DARK, 4_000.0), second),
        (Pattern::flashes(Colour::Red, 1), dark(1_000.0).then(RED, 250.0).then(DARK, 4_000.0), second),
        (sos(None), dark(1_000.0).sos(RED, 10).sos(RED, 10), second),
        (sos(Some(10)), dark(1_000.0).sos(RED, 10).sos(RED, 10), second),
    ];
    for (pattern, drive, begins) in lights {
        let begins = Instant::START + begins;
        let watcher = Watcher::new(pattern, begins - Span::millis(50));
        let mut recogniser = recogniser();
        let seen = samples(&drive).into_iter().find_map(|sample| {
            recogniser.feed(&sample);
            watcher.latest(&recogniser).map(|_| sample.at.since(begins))
        });
        assert!(seen.is_some_and(|took| took <= pattern.recognised_within()), "{pattern:?}: {seen:?}");
    }
}
