//! The live page in a real browser, beside a real run on real drivers.
//!
//! Boundary: what a person sees. Lights need a sensor, which this machine has not: stations with lights are put there as a run puts them.

use std::time::{Duration, Instant};

use brickproof_browser::{Browser, Scheme, Screen};
use brickproof_history::{History, NewRun, NewTrial};
use brickproof_report::live::folder::Place;
use brickproof_report::live::{self, Ended, Light, Live, Progress, Rhythm, Stage, Step};
use brickproof_report::results::{TrialResult, World};
use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};
use serde_json::json;

use crate::desk::{BOOTS, Desk};
use crate::serve::{STAYS, Served, begin};
use crate::stations::{Fed, Station, bench_of};

/// What somebody's board may say: markup, an escape sequence as it is told, broken UTF-8 as it is told, the wrong way round, and no end.
fn hostile() -> String {
    let text =
        "</code></p><script>window.struck = 1</script><img src=x onerror='window.struck = 1'>\\x1b[31m\\xff\u{202e}txt";
    format!("{text}{}", "A".repeat(300))
}

fn unix_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is later");
    u64::try_from(since.as_millis()).expect("it is not that late")
}

fn station(name: &str, light: Option<(&str, &str, Rhythm)>, console: &str) -> live::Station {
    let trial = light.map(|(colour, words, rhythm)| live::Trial {
        id: format!("brown-out.nrf52840.heal-full.{}-731fa22a", name.len()),
        attempt: 1,
        scenario: "The battery dies while the device key is being rewritten".to_owned(),
        began_unix_ms: unix_ms() - 17_000,
        stage: Stage::Steps,
        step: Some(Step {
            index: 5,
            count: 7,
            text: "expect the light to be cloud_connected within 60s, for 8s".to_owned(),
        }),
        lights: vec![Light { name: "status".to_owned(), words: words.to_owned(), colour: colour.to_owned(), rhythm }],
        console: Some(console.to_owned()),
        rail_uv: Some(3_296_000),
    });
    live::Station { name: name.to_owned(), board: "lantern-nrf52840".to_owned(), trial }
}

/// A night on four stations.
fn night(console: &str) -> Live {
    let ended = |verdict: &str, blame: Option<&str>, reason: &str| Ended {
        id: "brown-out.nrf52840.no-heal.1-8dfb35d9".to_owned(),
        station: "shelf-2".to_owned(),
        scenario: "The battery dies while the device key is being rewritten".to_owned(),
        verdict: verdict.to_owned(),
        blame: blame.map(str::to_owned),
        reason: reason.to_owned(),
        duration_ns: 69_606_000_000,
    };
    Live {
        schema: live::SCHEMA.to_owned(),
        version: "0.1.0".to_owned(),
        pid: std::process::id(),
        title: "scenarios/battery-death".to_owned(),
        world: World::Lane,
        bench: Some("shelf".to_owned()),
        run: Some(12),
        began_unix_ms: unix_ms() - 754_000,
        told_unix_ms: unix_ms(),
        progress: Progress { total: Some(40), done: 23, passed: 21, failed: 1, error: 1, ..Progress::default() },
        stations: vec![
            station("shelf-1", Some(("cyan", "cyan, breathing, 4 s", Rhythm::Breathe { period_ms: 3_970 })), console),
            station(
                "shelf-2",
                Some(("magenta", "magenta, blinking, 250 ms (50 % on)", Rhythm::Blink { period_ms: 248 })),
                "0000003790 [system] INFO: Cloud connected",
            ),
            station("shelf-3", Some(("red", "red, SOS and 10 flashes", Rhythm::Flashes)), "PANIC: failed assertion"),
            station("shelf-4", None, ""),
        ],
        ended: Vec::new(),
        failures: vec![
            ended(
                "failed",
                Some("firmware"),
                "the board does not accept the server's key: answered at 57.718s, it gave no proof",
            ),
            ended("error", Some("bench"), "the supply did not answer within 1s"),
        ],
    }
}

#[test]
fn a_run_is_watched_as_it_goes_until_it_is_killed_and_the_page_ends() {
    let Some(desk_browser) = Browser::start(Screen::Desk, Scheme::Light) else { return };
    let phone = Browser::start(Screen::Phone, Scheme::Dark).expect("there was one a moment ago");
    let board = Station::with("lantern-nrf51", "lantern-heal-full", 42);
    let desk = bench_of(&[("left", &board)], Fed::ByTheStation);
    desk.put("stays.yaml", STAYS.as_bytes());
    desk.put("boots.yaml", BOOTS.as_bytes());
    desk.call(&["run", "boots.yaml"]).exits(0);
    let page = Served::begin(&desk, &[]);
    for browser in [&desk_browser, &phone] {
        browser.open(&page.address);
        assert!(browser.text("main").contains("Nothing is running"));
        assert!(browser.text(".runs").contains("2 passed"), "{}", browser.text(".runs"));
        browser.run("window.opened = true", &[]);
    }

    // A real run, seen by two browsers while it goes on, without their loading anything anew.
    let mut run = begin(&desk, &["run", "stays.yaml", "--bench", "bench.yaml"]);
    for browser in [&desk_browser, &phone] {
        browser.until("document.querySelector('.station')?.innerText.includes('step 3 of 3')");
        browser.until("/[34]\\.\\d\\d V/.test(document.querySelector('.rail')?.innerText)");
        let seen = browser.text(".station");
        assert!(
            seen.contains("left") && seen.contains("[system] INFO: Cloud connected") || seen.contains("console"),
            "{seen}"
        );
        assert_eq!(browser.run("return window.opened", &[]), json!(true), "it was not loaded anew");
        assert_eq!((browser.overhang(), browser.complaints()), (0, vec![]));
    }
    desk_browser.screenshot("live-run-1440-light");

    // Stations with lights.
    let place = Place::take(&desk.path(".brickproof/live")).expect("there is room");
    place.put(&night("0000004011 [app] INFO: rotated the device key")).expect("there is room");
    let dot = "document.querySelector('.led.magenta')";
    let shown = format!("{dot} && getComputedStyle({dot}, '::after')");
    desk_browser.until(&format!("({shown})?.animationName === 'blinks'"));
    assert_eq!(desk_browser.run(&format!("return ({shown}).animationDuration"), &[]), json!("0.25s"));
    assert_eq!(desk_browser.run(&format!("return ({shown}).backgroundColor"), &[]), json!("rgb(227, 56, 227)"));
    desk_browser.run(&format!("window.dot = {dot}; return null"), &[]);
    for (browser, screen) in [(&desk_browser, Screen::Desk), (&phone, Screen::Phone)] {
        browser.until("document.querySelectorAll('.station').length === 5");
        for scheme in Scheme::ALL {
            browser.prefer(scheme);
            browser.screenshot(&format!("live-{}-{}", screen.name(), scheme.name()));
        }
        assert_eq!(browser.overhang(), 0, "nothing is wider than the screen");
    }

    // What a board says is text, however long, and what has not changed keeps its rhythm.
    place.put(&night(&hostile())).expect("there is room");
    for browser in [&desk_browser, &phone] {
        browser.until("document.body.innerText.includes('window.struck = 1')");
        assert_eq!(browser.run("return window.struck ?? null", &[]), json!(null));
        assert_eq!((browser.count("main script"), browser.count("main img")), (0, 0));
        assert_eq!((browser.overhang(), browser.complaints()), (0, vec![]));
    }
    assert_eq!(desk_browser.run(&format!("return window.dot === {dot}"), &[]), json!(true), "the light blinks on");
    phone.screenshot("live-hostile-390");
    let still = json!({ "features": [{ "name": "prefers-reduced-motion", "value": "reduce" }] });
    desk_browser.devtools("Emulation.setEmulatedMedia", still);
    desk_browser.until(&format!("({shown})?.animationName === 'none'"));
    drop(place);

    run.signal("-KILL");
    drop(run.wait());
    for browser in [&desk_browser, &phone] {
        browser.until("document.body.innerText.includes('Ended without a word')");
        assert_eq!(browser.count(".blinks, .breathes"), 0);
        assert_eq!(browser.run("return window.opened", &[]), json!(true), "it was not loaded anew");
    }
    phone.screenshot("live-killed-390");

    let ends = Instant::now();
    assert_eq!(page.end().exit, Some(130));
    assert!(ends.elapsed() < Duration::from_secs(30), "nobody who watches keeps it: {:?}", ends.elapsed());
    desk_browser.until("getComputedStyle(document.querySelector('.offline')).display !== 'none'");
}

#[test]
fn without_a_script_the_page_loads_itself_anew_and_the_token_leaves_the_address() {
    let Some(browser) = Browser::start(Screen::Phone, Scheme::Light) else { return };
    let desk = Desk::with(&[("token", "a-token-of-somebody"), ("boots.yaml", BOOTS)]);
    desk.call(&["run", "boots.yaml"]).exits(0);
    let page = Served::begin(&desk, &["--token-file", "token"]);
    browser.open(&format!("{}?token=a-token-of-somebody", page.address));
    assert_eq!(browser.run("return location.href", &[]), json!(page.address), "the token is gone from the address");
    assert_eq!(browser.run("return document.cookie", &[]), json!(""), "no script can read what took its place");
    browser.until("document.querySelector('.runs a')");
    browser.open(&format!("{}runs/1/files", page.address));
    assert!(browser.text("main").contains("results.json"));
    assert_eq!((browser.overhang(), browser.complaints()), (0, vec![]));
    browser.screenshot("live-files-390");
    browser.run("document.querySelector('.trials a').click()", &[]);
    browser.until("document.querySelector('.steps')");
    assert_eq!((browser.overhang(), browser.complaints()), (0, vec![]));
    browser.screenshot("live-trial-390");

    browser.run_scripts(false);
    browser.open(&page.address);
    let began = Instant::now();
    let mut loads = 0;
    while loads < 2 {
        assert!(began.elapsed() < Duration::from_secs(60), "it was loaded {loads} times");
        loads += browser.asked_for().iter().filter(|address| **address == page.address).count();
        std::thread::sleep(Duration::from_millis(100));
    }
    page.end();
}

/// One trial of the nights below.
fn of_a_night(scenario: &str, station: &str, firmware: &str, verdict: &str, connects_ms: u64) -> TrialResult {
    let blame = (verdict == "failed").then_some("firmware");
    serde_json::from_value(json!({
        "id": "night.usb.1-5f3a09c2",
        "scenario": { "path": scenario, "sha256": "aa11", "title": "A board boots" },
        "parameters": { "supply": "usb" },
        "board": "lantern-nrf52840", "board_serial": format!("3f00aa0{}", station.len()), "station": station,
        "firmware": { "name": firmware, "sha256": format!("{firmware}-0123456789abcdef") },
        "seed": 1, "attempt": 1, "expected": "passed", "verdict": verdict, "blame": blame, "reason": "", "evidence": [], "light": [],
        "duration_ns": 12_000_000_000_u64, "wall_ns": 20_000_000, "faults": [], "measurements": [], "steps": [], "replay": "",
        "time_to_connect": { "after_ns": connects_ms * 1_000_000, "seen_by": "cloud" },
    }))
    .expect("it is written as results are")
}

/// Three weeks on two stations, of which one board fails now and then, and connects a little later every night.
fn keep_nights(desk: &Desk) {
    let mut history = History::open(&desk.path(".brickproof/history.sqlite")).expect("there is room");
    for night in 1..=21_i8 {
        let started =
            civil::date(2026, 3, night).at(22, 0, 0, 0).to_zoned_datetime(TimeZone::UTC).expect("UTC has every hour");
        let evidence = std::path::Path::new(".brickproof/runs/000001");
        let run = NewRun { started: &started, world: World::Hardware, bench: "pi-eight", evidence };
        let run = history.begin_run(&run).expect("there is room");
        let mut trials = Vec::new();
        for place in 0..12_u64 {
            let station = if place % 2 == 0 { "left" } else { "right" };
            let scenario =
                if place < 6 { "scenarios/first-light.yaml" } else { "scenarios/<img src=x onerror=alert(1)>.yaml" };
            let firmware = if place % 3 == 0 { "lantern-heal-parse" } else { "lantern-heal-full" };
            let fails = station == "right" && place == 7 && night % 2 == 0;
            let connects = 1_900 + 40 * u64::from(night.unsigned_abs()) + 60 * place;
            trials.push(of_a_night(scenario, station, firmware, if fails { "failed" } else { "passed" }, connects));
        }
        let started: Timestamp = started.timestamp();
        let trials: Vec<NewTrial<'_>> =
            trials.iter().map(|result| NewTrial { result, started, discarded: false }).collect();
        history.record(run, &trials).expect("there is room");
    }
}

#[test]
fn the_history_is_seen_with_its_numbers_and_intervals() {
    let Some(browser) = Browser::start(Screen::Desk, Scheme::Light) else { return };
    let desk = Desk::with(&[]);
    let page = Served::begin(&desk, &[]);
    let address = format!("{}history", page.address);
    browser.open(&address);
    assert!(browser.text("main").contains("There is no history yet"));
    keep_nights(&desk);
    browser.open(&address);
    let seen = browser.text("main").replace('\u{a0}', " ");
    // 252 trials, 10 of which failed: the interval is that of Clopper and Pearson.
    for wanted in ["passed, of 252 trials (92.8 % to 98.1 %)", "real boards", "time to connect", "it follows the board"]
    {
        assert!(seen.contains(wanted), "{wanted}: {seen}");
    }
    assert_eq!((browser.count("main img"), browser.overhang(), browser.complaints()), (0, 0, vec![]));
    for scheme in Scheme::ALL {
        browser.prefer(scheme);
        browser.screenshot(&format!("live-history-1440-{}", scheme.name()));
    }
    let phone = Browser::start(Screen::Phone, Scheme::Light).expect("there was one a moment ago");
    phone.open(&address);
    assert_eq!((phone.overhang(), phone.complaints()), (0, vec![]));
    phone.screenshot("live-history-390-light");
    page.end();
}
