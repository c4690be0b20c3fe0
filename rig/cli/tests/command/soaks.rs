//! Soaks as a person starts them: boards that go on, wear, what is kept on the disk, boards that die.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::desk::{Called, Desk};

const ROTATES: &str = "\
scenario: A brown-out strikes while the device key is being rewritten
board: lantern-nrf51
firmware: lantern-no-heal
steps:
  - supply: { usb: 5V }
  - expect: { console: Cloud connected, within: 30s }
  - send: keys rotate
  - on: { console: erasing key page, within: 5s }
    fault: { brown_out: { after: 22ms, rail: 3V3, floor: 1.2V, fall: 50us/V, hold: 200ms } }
  - expect: { console: Cloud connected, within: 8s }
cleanup:
  - supply: off
";

const BOOTS: &str = "\
scenario: A board comes up
board: lantern-nrf51
firmware: lantern-no-heal
steps:
  - supply: { usb: 5V }
  - expect: { console: Cloud connected, within: 5s }
";

/// With firmware that never says a word, and a key that nobody misses.
const CORRUPTS: &str = "\
scenario: A board whose server key is torn comes up
board: lantern-nrf51
firmware: ./mute.bin
steps:
  - corrupt: { slot: server_public, class: torn_tail }
  - supply: { usb: 5V }
  - expect: { console: Cloud connected, within: 5s }
";

const NEVER: &str = "\
scenario: A trigger that never comes
board: lantern-nrf51
firmware: lantern-heal-full
steps:
  - supply: { usb: 5V }
  - expect: { console: Cloud connected, within: 5s }
  - on: { console: no such line, within: 1s }
    fault: { brown_out: { after: 22ms, rail: 3V3, floor: 1.2V, fall: 50us/V, hold: 200ms } }
  - expect: { console: Cloud connected, within: 8s }
cleanup:
  - supply: off
";

const BENCH: &str = "\
bench: nowhere
stations:
  left:
    board: lantern-nrf51
    console: { driver: serial, path: /dev/no-such-port }
";

/// A vector table that leads to a branch to itself: it never says a word.
pub(crate) fn mute() -> Vec<u8> {
    [0x2000_4000_u32.to_le_bytes(), 9_u32.to_le_bytes(), [0xfe, 0xe7, 0xfe, 0xe7]].concat()
}

fn desk() -> Desk {
    let desk = Desk::with(&[("rotate.yaml", ROTATES), ("boots.yaml", BOOTS), ("bench.yaml", BENCH)]);
    desk.put("mute.bin", &mute());
    desk
}

fn soak(desk: &Desk, words: &[&str]) -> Called {
    desk.call(&[&["soak", "rotate.yaml"], words].concat())
}

fn bytes_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| {
        if entry.path().is_dir() { bytes_below(&entry.path()) } else { entry.metadata().map_or(0, |it| it.len()) }
    };
    entries.map(size).sum()
}

fn kept(desk: &Desk, report: &str) -> Vec<String> {
    let entries = fs::read_dir(desk.path(&format!("{report}/evidence"))).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|it| it.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn the_board_goes_on_from_cycle_to_cycle_and_its_wear_ends_the_soak() {
    let desk = desk();
    let firmware = ["--firmware", "lantern-heal-full", "--cycles", "100", "--endurance", "20", "--report", "worn"];
    let worn = soak(&desk, &firmware);
    worn.exits(0);
    assert!(worn.out.contains(" of virtual, 20 of at most 20 times"), "{}", worn.out);
    assert!(worn.out.contains("it ends there"), "{}", worn.out);
    let cycles = desk.read("worn/journal.jsonl").lines().count() - 1;
    assert!((5..=20).contains(&cycles), "{cycles}");
    let new = soak(&desk, &["--firmware", "lantern-heal-full", "--cycles", "5", "--boards", "new", "--report", "new"]);
    new.exits(0);
    assert!(new.out.contains("each cycle had a new board") && !new.out.contains("erased most"), "{}", new.out);
}

#[test]
fn several_boards_find_the_same_however_many_threads_there_are_and_each_is_told() {
    let desk = desk();
    for jobs in ["1", "3"] {
        let soaked = soak(&desk, &["--cycles", "21", "--boards", "3", "--jobs", jobs, "--report", jobs]);
        soaked.exits(1);
        assert!(soaked.out.contains("    virtual 3: "), "{}", soaked.out);
    }
    assert_eq!(desk.read("1/journal.jsonl"), desk.read("3/journal.jsonl"));
    assert_eq!(desk.read("1/answer.txt"), desk.read("3/answer.txt"));
}

/// Whatever was cut off, as a host that loses its power does.
#[test]
fn a_soak_goes_on_with_its_boards_as_they_were() {
    let desk = desk();
    let soaked = |report: &str| soak(&desk, &["--cycles", "12", "--boards", "2", "--report", report]);
    soaked("unbroken").exits(1);
    let unbroken = desk.read("unbroken/journal.jsonl");
    for keep in [1, unbroken.len() / 3, unbroken.len() - 5] {
        desk.put("cut/journal.jsonl", &unbroken.as_bytes()[..keep]);
        let again = soaked("cut");
        again.exits(1);
        assert_eq!(desk.read("cut/journal.jsonl"), unbroken);
    }
    // A journal that tells of something else than what these boards do.
    let changed = unbroken.replacen("0x0003ec00\",", "0x0003e800\",", 1);
    assert_ne!(changed, unbroken);
    desk.put("cut/journal.jsonl", &changed.as_bytes()[..changed.len() / 2]);
    let refused = soaked("cut");
    refused.exits(2);
    assert!(refused.err.contains("when it was made again"), "{}", refused.err);
}

#[test]
fn evidence_stays_within_its_share_and_failures_go_last() {
    let desk = desk();
    let capped = |report: &str, firmware: &str, cap: &str| {
        soak(&desk, &["--firmware", firmware, "--cycles", "30", "--evidence", cap, "--report", report])
    };
    let mixed = capped("mixed", "lantern-no-heal", "64MB");
    mixed.exits(1);
    let all = kept(&desk, "mixed");
    assert_eq!(all.len(), 30, "there was room for all: {all:?}");
    let is_failure = |name: &&String| !name.ends_with("-survived");
    let failures: Vec<&String> = all.iter().filter(is_failure).collect();
    assert!(!failures.is_empty());
    // A smaller share, of the campaign that is over already: it is made to fit.
    let most = 300_000;
    capped("mixed", "lantern-no-heal", "300kB").exits(1);
    assert!(bytes_below(&desk.path("mixed/evidence")) <= most);
    let passes = capped("passes", "lantern-heal-full", "300kB");
    passes.exits(0);
    assert!(bytes_below(&desk.path("passes/evidence")) <= most);
    let newest = kept(&desk, "passes");
    assert!(newest.last().is_some_and(|it| it.starts_with("0000000029")), "the oldest passes go first: {newest:?}");
    assert!(passes.out.contains(&format!("evidence of {} of 30 passes; ", newest.len())), "{}", passes.out);
    let none = capped("none", "lantern-no-heal", "0B");
    none.exits(1);
    assert_eq!(kept(&desk, "none"), Vec::<String>::new());
}

/// The kernel's own answer to a write that has no room.
#[test]
fn a_full_disk_ends_a_soak_cleanly_and_it_goes_on_when_there_is_room() {
    let desk = desk();
    let soaked = |report: &str| soak(&desk, &["--firmware", "lantern-heal-full", "--cycles", "8", "--report", report]);
    soaked("roomy").exits(0);
    // Where the sixth cycle would be kept, one of its files has no room. The link goes with what could not be written.
    for folder in ["full/evidence", "narrow"] {
        fs::create_dir_all(desk.path(folder)).expect("there is room");
    }
    symlink("/dev/full", desk.path("narrow/console.part")).expect("there is room");
    symlink(desk.path("narrow"), desk.path("full/evidence/0000000005-survived")).expect("there is room");
    let stopped = soaked("full");
    stopped.exits(3);
    assert!(stopped.out.contains("stopped: the disk is full; make room"), "{}", stopped.out);
    assert_eq!(desk.read("full/journal.jsonl").lines().count(), 1 + 5, "what was kept counts, and no more");
    soaked("full").exits(0);
    assert_eq!(desk.read("full/journal.jsonl"), desk.read("roomy/journal.jsonl"));
    assert_eq!(kept(&desk, "full"), kept(&desk, "roomy"));
}

#[test]
fn a_board_that_never_says_a_word_is_replaced_and_then_given_up_and_no_firmware_is_blamed() {
    let desk = desk();
    let called = desk.call(&["soak", "boots.yaml", "--firmware", "./mute.bin", "--cycles", "50", "--report", "mute"]);
    called.exits(3);
    assert!(called.out.contains("0 of 0 failed"), "{}", called.out);
    assert!(
        called.out.contains("stopped: 5 trials in a row told nothing, also after the board was recovered"),
        "{}",
        called.out
    );
    assert!(called.err.contains("board virtual told nothing several times in a row"), "{}", called.err);
    let journal = desk.read("mute/journal.jsonl");
    assert_eq!(journal.lines().filter(|line| *line == r#"{"recovered":"virtual"}"#).count(), 1, "{journal}");
    assert!(journal.contains(r#""heard":false"#));
}

#[test]
fn a_soak_whose_wear_ends_it_before_its_board_ever_answered_did_not_pass() {
    let desk = desk();
    desk.put("corrupts.yaml", CORRUPTS.as_bytes());
    let words = ["--cycles", "20", "--boards", "1", "--endurance", "3", "--report", "mute"];
    let called = desk.call(&[&["soak", "corrupts.yaml"], &words[..]].concat());
    called.exits(4);
    let out = &called.out;
    assert!(out.contains("0 of 0 failed") && out.contains(" not judged: nothing was heard of the board"), "{out}");
    assert!(out.contains(" that told nothing; ") && !out.contains("failures"), "{out}");
    let kept = kept(&desk, "mute");
    assert!(!kept.is_empty() && kept.iter().all(|it| it.ends_with("-unheard")), "{kept:?}");
}

#[test]
fn a_soak_that_judged_nothing_is_inconclusive_however_often_it_is_begun_again() {
    let desk = desk();
    desk.put("never.yaml", NEVER.as_bytes());
    for start in 1..=5 {
        let words = ["--cycles", "3", "--boards", "new", "--jobs", "1", "--report", "never"];
        let called = desk.call(&[&["soak", "never.yaml"], &words[..]].concat());
        called.exits(4);
        assert!(called.out.contains("stopped early: a trial told nothing"), "start {start}: {}", called.out);
    }
}

#[test]
fn what_a_station_cannot_tell_has_to_be_declared() {
    let desk = desk();
    let refused = |words: &[&str], told: &str| {
        let called = soak(&desk, &[&["--cycles", "5", "--bench", "bench.yaml"], words].concat());
        called.exits(2);
        assert!(called.err.contains(told), "{}", called.err);
    };
    refused(&["--endurance", "10000"], "erases_per_cycle");
    refused(&["--boards", "2"], "leave `boards` out");
    let sweep = "campaign: W?\nscenario: rotate.yaml\nbudget: { evidence: 5MB }\nsweep: { vary: { fault.after: { from: 0ms, to: 2ms, points: 3 } } }\n";
    desk.put("sweep.yaml", sweep.as_bytes());
    let called = desk.call(&["campaign", "sweep.yaml"]);
    called.exits(2);
    assert!(called.err.contains("only a soak keeps evidence"), "{}", called.err);
}
