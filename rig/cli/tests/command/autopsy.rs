//! `brickproof autopsy`, on dumps and on boards in wall-clock time behind a stock probe: what it says, what it writes, and that the board does not
//! notice.
//!
//! Boundary: this machine. Where a station's supply and probe are served is `stations`'.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use brickproof_firmware::Firmware;
use brickproof_paced::board::{Ear, Hand};
use serde_json::Value;

use crate::desk::{Called, Desk};
use crate::stations::{Fed, Station, USB, bench_of, call, put_bench};

const PATIENCE: Duration = Duration::from_secs(20);
/// RAM that lantern does not use: between its data and its stack.
const SPARE_RAM: u32 = 0x2000_2000;
const KEYS: u32 = 0x3_e000;
/// The second half of the server's key.
const TAIL: (u32, u32) = (KEYS + 3298 + 40, 192 - 40);

/// All of the flash of a board.
fn flash_of(hand: &Hand) -> Vec<u8> {
    let mut flash = vec![0; 256 << 10];
    hand.with_board(|board| board.flash().read_raw(0, &mut flash)).expect("it is there");
    flash
}

/// What nobody may have changed: operations of the flash, boots, what stands in spare RAM.
fn untouched(hand: &Hand) -> (u64, u64, Vec<u8>) {
    let mut ram = vec![0; 64];
    hand.with_board(|board| board.read_ram(SPARE_RAM, &mut ram));
    (hand.with_board(|board| board.flash().operations()), hand.boots(), ram)
}

fn tear(hand: &Hand) {
    let (address, length) = TAIL;
    hand.with_board(|board| board.write_flash(address, &vec![0xFF; length as usize])).expect("it is there");
}

/// What is said until this and the end of its line.
fn heard_until(ear: &Ear, text: &str) -> String {
    let (mut heard, began) = (String::new(), Instant::now());
    while !heard.split_once(text).is_some_and(|(_, rest)| rest.contains('\n')) {
        assert!(began.elapsed() < PATIENCE, "{text:?} was not said; {heard:?}");
        heard.extend(ear.take(usize::MAX).into_iter().map(|byte| char::from(byte.value)));
        std::thread::yield_now();
    }
    heard
}

/// What the board answers to `status`: its uptime in milliseconds.
fn uptime(hand: &Hand) -> u64 {
    let ear = hand.listen();
    hand.type_bytes(b"status\n");
    let heard = heard_until(&ear, " uptime ");
    let number = heard.split_once(" uptime ").and_then(|(_, rest)| rest.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no uptime: {heard:?}"))
}

fn findings(desk: &Desk) -> Value {
    serde_json::from_str(&desk.read("unit/autopsy.json")).expect("it is JSON")
}

fn class(findings: &Value, slot: usize) -> &str {
    findings["areas"][0]["slots"][slot]["class"].as_str().expect("it is told")
}

fn lint_and_run(desk: &Desk) -> Called {
    let virtually = |words: &[&str]| Called::from(desk.command(words).output().expect("the command was built"));
    virtually(&["lint", "unit"]).exits(0);
    virtually(&["run", "unit/as-found.yaml"])
}

#[test]
fn a_board_that_runs_does_not_notice_that_it_is_read_out() {
    let station = Station::with("lantern-nrf51", "lantern-no-heal", 21);
    let hand = station.hand();
    tear(&hand);
    let ear = hand.listen();
    hand.feed_from_usb(Some(USB));
    heard_until(&ear, "~connect");
    let before = uptime(&hand);
    let untouched_before = untouched(&hand);
    let desk = bench_of(&[("left", &station)], Fed::ByOthers);
    let called = call(&desk, &["autopsy", "--out", "unit"]);
    called.exits(0);
    assert!(called.out.contains("it had power and ran on, neither reset nor halted"), "{}", called.out);
    assert!(fs::read(desk.path("unit/state/flash.bin")).expect("it was written") == flash_of(&hand), "other bytes");
    assert_eq!(untouched(&hand), untouched_before, "operations of the flash, boots, RAM");
    assert!(uptime(&hand) > before, "it began anew");
    let findings = findings(&desk);
    assert_eq!([0, 1, 2].map(|slot| class(&findings, slot)), ["good", "torn", "good"]);
    assert_eq!(findings["board_serial"].as_str(), Some(station.serial()));
    assert_eq!(findings["registers"][0]["name"].as_str(), Some("POWER.RESETREAS"));
    lint_and_run(&desk).exits(0);
}

#[test]
fn a_board_that_is_off_is_read_before_its_firmware_heals_what_it_came_back_with() {
    let station = Station::with("lantern-nrf51", "lantern-heal-parse", 22);
    let hand = station.hand();
    tear(&hand);
    let (before, operations) = (flash_of(&hand), hand.with_board(|board| board.flash().operations()));
    let ear = hand.listen();
    let desk = bench_of(&[("left", &station)], Fed::ByTheStation);
    let called = call(&desk, &["autopsy", "--out", "unit"]);
    called.exits(0);
    assert!(called.out.contains("held in reset until its core was halted"), "{}", called.out);
    assert!(fs::read(desk.path("unit/state/flash.bin")).expect("it was written") == before, "other bytes");
    assert!(flash_of(&hand) == before, "the board was changed");
    assert_eq!(hand.with_board(|board| board.flash().operations()), operations);
    assert!(ear.take(usize::MAX).is_empty(), "its firmware ran");
    assert_eq!(class(&findings(&desk), 1), "torn");
    let run = lint_and_run(&desk);
    run.exits(0);
    // The same board, left to itself, heals: there was something to lose.
    hand.feed_from_usb(Some(USB));
    let began = Instant::now();
    while flash_of(&hand) == before {
        assert!(began.elapsed() < PATIENCE, "it does not heal");
        std::thread::yield_now();
    }
}

#[test]
fn a_part_that_keeps_debuggers_out_is_told_as_what_it_is_and_stays_as_it_is() {
    let station = Station::with("lantern-nrf52840", "lantern-no-heal", 23);
    let hand = station.hand();
    hand.with_board(|board| board.write_flash(0x1000_1208, &[0; 4])).expect("UICR.APPROTECT is there");
    let ear = hand.listen();
    hand.feed_from_usb(Some(USB));
    heard_until(&ear, "~connect");
    let operations = hand.with_board(|board| board.flash().operations());
    let desk = bench_of(&[("left", &station)], Fed::ByOthers);
    let called = call(&desk, &["autopsy", "--out", "unit"]);
    called.exits(3);
    assert!(called.err.contains("the chip is locked, and unlocking would erase it"), "{}", called.err);
    assert!(!desk.path("unit").exists(), "there is nothing to keep");
    assert_eq!(hand.with_board(|board| board.flash().operations()), operations);
}

/// What a unit's state does on the board of a station: against a cloud at the console, without an eye on its light.
const ON_A_STATION: &str = "\
scenario: The unit begins on another board
board: lantern-nrf51
state: unit/state/
steps:
  - expect: { slot: server_public, is: as_found }
  - supply: { usb: 5V }
  - expect: { console: Cloud connected, within: 10s }
outcome: { bricked: { shows: [{ console: handshake failed -7b00 }] } }
";

#[test]
fn the_state_of_one_board_is_written_to_another_one_and_bricks_it_in_the_same_way() {
    let unit = Station::with("lantern-nrf51", "lantern-no-heal", 24);
    tear(&unit.hand());
    let desk = bench_of(&[("left", &unit)], Fed::ByTheStation);
    call(&desk, &["autopsy", "--out", "unit"]).exits(0);
    let found = fs::read(desk.path("unit/state/flash.bin")).expect("it was written");
    let other = Station::with("lantern-nrf51", "lantern-heal-full", 25);
    put_bench(&desk, &[("left", &other)]);
    desk.put("again.yaml", ON_A_STATION.as_bytes());
    call(&desk, &["run", "again.yaml"]).exits(0);
    // No release without a check writes to its flash at boot.
    assert!(flash_of(&other.hand()) == found, "other bytes");
}

#[test]
fn a_dump_of_a_bootloaders_table_is_told_and_begins_nothing() {
    let desk = Desk::with(&[]);
    desk.put("dct.bin", &[0xFF; 16 << 10]);
    let called = |board: &str| {
        let words = ["autopsy", "--dct", "dct.bin", "--board", board, "--out", "unit"];
        Called::from(desk.command(&words).output().expect("the command was built"))
    };
    let misplaced = called("lantern-nrf51");
    misplaced.exits(2);
    assert!(misplaced.err.contains("do not stand behind a bootloader"), "{}", misplaced.err);
    let told = called("photon");
    told.exits(0);
    assert!(told.out.contains("keys behind the bootloader's alternate `dct`"), "{}", told.out);
    assert!(told.out.contains("no scenario begins so: the flash was not read"), "{}", told.out);
    assert!(!desk.path("unit/state").exists() && !desk.path("unit/as-found.yaml").exists());
}

#[test]
fn what_is_written_is_for_its_owner_alone_and_nothing_is_written_over() {
    let firmware = Firmware::shipped("lantern-no-heal").expect("it ships");
    let mut flash = vec![0xFF; 256 << 10];
    flash[..firmware.image().len()].copy_from_slice(firmware.image());
    let desk = Desk::with(&[]);
    desk.put("flash.bin", &flash);
    let called = |image: &str| {
        let words = ["autopsy", "--image", image, "--board", "lantern-nrf51", "--out", "unit"];
        Called::from(desk.command(&words).output().expect("the command was built"))
    };
    desk.put("short.bin", &flash[..1000]);
    let short = called("short.bin");
    short.exits(2);
    assert!(short.err.contains("its flash has 1000 bytes") && !desk.path("unit").exists(), "{}", short.err);
    called("flash.bin").exits(0);
    for name in ["state/flash.bin", "state/state.json", "autopsy.json", "autopsy.txt", "as-found.yaml"] {
        let mode = fs::metadata(desk.path("unit").join(name)).expect("it was written").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let again = called("flash.bin");
    again.exits(2);
    assert!(again.err.contains("unit is there already"), "{}", again.err);
    // A state that was altered is a mistake of the line that names it.
    let mut altered = fs::read(desk.path("unit/state/flash.bin")).expect("it is there");
    altered[0x3_0000] ^= 1;
    desk.put("unit/state/flash.bin", &altered);
    let lint = Called::from(desk.command(&["lint", "unit"]).output().expect("the command was built"));
    lint.exits(2);
    assert!(lint.err.contains("flash.bin was altered") && lint.err.contains("as-found.yaml:"), "{}", lint.err);
}
