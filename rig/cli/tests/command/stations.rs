//! Campaigns on the stations of a bench: real drivers, and boards in wall-clock time behind them.
//!
//! Boundary: this machine. Each board is served by the test as a console and a Black Magic probe; its supply is a program that asks the test.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::thread;

use brickproof_boards::BoardProfile;
use brickproof_firmware::Firmware;
use brickproof_paced::board::{Hand, PacedBoard};
use brickproof_paced::serve::{ServeOptions, Served, serve};
use brickproof_scenario::Library;
use brickproof_sim::factory_board;
use brickproof_units::Voltage;

use crate::desk::{Called, Desk};

pub(crate) const USB: Voltage = Voltage::new(5_000_000);

/// It fails with the firmware alone: the key is wrong before the board has its power.
const WRONG_KEY: &str = "\
scenario: A board with a torn server key connects
board: lantern-nrf51
firmware: lantern-no-heal
steps:
  - corrupt: { slot: server_public, class: torn_tail }
  - supply: { usb: 5V }
  - expect: { console: Cloud connected, within: 3s }
";

const BOOTS: &str = "\
scenario: A board comes up
board: lantern-nrf51
firmware: lantern-heal-full
steps:
  - supply: { usb: 5V }
  - expect: { console: Cloud connected, within: 10s }
";

/// With firmware that never says a word.
const MUTE: &str = "\
scenario: A board says something
board: lantern-nrf51
firmware: ./mute.bin
steps:
  - supply: { usb: 5V }
  - expect: { console: lantern, within: 500ms }
";

/// The other end of a station's supply: the rig's program relays every line to the test.
const RELAY: &str = "\
#!/bin/bash
exec 3<>\"/dev/tcp/127.0.0.1/$1\"
while read -r request; do
    echo \"$request\" >&3 && read -r answer <&3 && echo \"$answer\"
done
";

/// The same with a switch that sticks once it was on.
const STUCK: &str = "\
#!/bin/bash
exec 3<>\"/dev/tcp/127.0.0.1/$1\"
while read -r request; do
    if [[ -n $on && $request == 'switch off' ]]; then
        echo 'error cannot: it is stuck'
        continue
    fi
    [[ $request == 'switch on' ]] && on=yes
    echo \"$request\" >&3 && read -r answer <&3 && echo \"$answer\"
done
";

/// A board and its ends.
pub(crate) struct Station {
    board: PacedBoard,
    served: Served,
    supply: SocketAddr,
    serial: String,
    profile: Arc<BoardProfile>,
}

impl Station {
    fn new(seed: u64) -> Self {
        Self::with("lantern-nrf51", "lantern-heal-full", seed)
    }

    /// A board of that kind with this firmware, as a factory leaves it.
    pub(crate) fn with(board: &str, firmware: &str, seed: u64) -> Self {
        Self::of(board, &Firmware::shipped(firmware).expect("it ships"), seed)
    }

    /// The same with firmware that need not ship.
    pub(crate) fn of(board: &str, firmware: &Firmware, seed: u64) -> Self {
        let profile = Arc::clone(Library::built_in().board(board).expect("it ships"));
        let (board, wiring) = factory_board(&profile, firmware, seed).expect("it fits");
        let serial = board.soc().unique_id().iter().map(|byte| format!("{byte:02x}")).collect();
        let board = PacedBoard::start(board, wiring, seed).expect("there is a thread");
        let served = serve(&board.hand(), ServeOptions::default()).expect("there is a port");
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
        let supply = listener.local_addr().expect("it has one");
        let hand = board.hand();
        thread::spawn(move || {
            for program in listener.incoming().flatten() {
                obey(&hand, &program);
            }
        });
        Self { board, served, supply, serial, profile }
    }

    /// The board, as its surroundings hold it.
    pub(crate) fn hand(&self) -> Hand {
        self.board.hand()
    }

    /// Its unique id.
    pub(crate) fn serial(&self) -> &str {
        &self.serial
    }

    fn in_bench(&self, name: &str) -> String {
        format!(
            "  {name}:
    board: {}
    serial: \"{}\"
    console: {{ driver: serial, path: {} }}
    probe: {{ driver: probe-rs, usb: \"1d50:6018\", serial: \"{}\", chip: {} }}
    supply: {{ driver: command, program: ./relay, arguments: [\"{}\"], voltage_ceiling: 5V, measures: [voltage] }}
    cloud: {{ driver: console }}
",
            self.profile.name,
            self.serial,
            self.served.console().display(),
            self.served.debug(),
            self.profile.probe,
            self.supply.port()
        )
    }
}

/// Answers one program in the words of `hardware/command-protocol.md` until it is gone.
fn obey(hand: &Hand, program: &TcpStream) {
    for request in BufReader::new(program).lines().map_while(Result::ok) {
        let answer = match request.as_str() {
            "hello brickproof-command/1 supply" => "value brickproof-command/1 switch set measure-voltage".to_owned(),
            "switch on" => {
                hand.feed_from_usb(Some(USB));
                "ok".to_owned()
            }
            "switch off" => {
                hand.feed_from_usb(None);
                "ok".to_owned()
            }
            "measure" => format!("value {} -", hand.read_supply().input),
            set if set.starts_with("set 5000000uV") => "ok".to_owned(),
            other => format!("error cannot: {other}"),
        };
        let mut program = program;
        if writeln!(program, "{answer}").is_err() {
            return;
        }
    }
    hand.feed_from_usb(None);
}

/// Who feeds a board.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fed {
    /// The supply of its station.
    ByTheStation,
    /// Somebody whom the bench does not know.
    ByOthers,
}

/// A folder with a bench of these stations.
pub(crate) fn bench_of(stations: &[(&str, &Station)], fed: Fed) -> Desk {
    let desk = desk(stations);
    if fed == Fed::ByOthers {
        let lines = desk.read("bench.yaml");
        let lines: String =
            lines.lines().filter(|line| !line.contains("supply:")).map(|it| format!("{it}\n")).collect();
        desk.put("bench.yaml", lines.as_bytes());
    }
    desk
}

fn desk(stations: &[(&str, &Station)]) -> Desk {
    let scenarios =
        [("wrong.yaml", WRONG_KEY), ("boots.yaml", BOOTS), ("mute.yaml", MUTE), ("relay", RELAY), ("stuck", STUCK)];
    let desk = Desk::with(&scenarios);
    desk.put("mute.bin", &crate::soaks::mute());
    put_bench(&desk, stations);
    for program in ["relay", "stuck"] {
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(desk.path(program), executable).expect("it is ours");
    }
    desk
}

/// Has the bench be of these stations from now on.
pub(crate) fn put_bench(desk: &Desk, stations: &[(&str, &Station)]) {
    let stations: String = stations.iter().map(|(name, station)| station.in_bench(name)).collect();
    desk.put("bench.yaml", format!("bench: pair\nworld: lane\nstations:\n{stations}").as_bytes());
}

pub(crate) fn call(desk: &Desk, words: &[&str]) -> Called {
    let mut command = desk.command(&[words, &["--bench", "bench.yaml"]].concat());
    command.env("BRICKPROOF_STATE", desk.path("state"));
    command.output().expect("the command was built").into()
}

/// The values of a key in the lines of a journal.
fn told<'j>(journal: &'j str, key: &str) -> Vec<&'j str> {
    let value = |line: &'j str| line.split_once(&format!("\"{key}\":\""))?.1.split_once('"').map(|it| it.0);
    journal.lines().filter_map(value).collect()
}

#[test]
fn each_board_of_two_stations_meets_both_firmwares_in_turn() {
    let (left, right) = (Station::new(1), Station::new(2));
    let desk = desk(&[("left", &left), ("right", &right)]);
    let firmware = ["--baseline", "lantern-no-heal", "--candidate", "lantern-heal-full", "--report", "proof"];
    let test = ["--good", "10%", "--bad", "40%", "--alpha", "20%", "--beta", "20%", "--cap", "8"];
    let proof = call(&desk, &[&["prove", "wrong.yaml"], &firmware[..], &test].concat());
    proof.exits(0);
    let journal = desk.read("proof/journal.jsonl");
    let [left, right] = [("left", &left), ("right", &right)].map(|(name, it)| format!("{name} ({})", it.serial));
    for (name, boards) in told(&journal, "arm").chunks(2).zip(told(&journal, "board").chunks(2)).take(4) {
        assert_eq!(name, ["baseline", "candidate"], "{journal}");
        assert_eq!(boards[0], boards[1], "{journal}");
    }
    for board in [left, right] {
        assert!(proof.out.contains(&format!("    {board}: baseline 2 of 2, candidate 0 of 2, p = ")), "{}", proof.out);
    }
}

#[test]
fn a_soak_on_two_stations_counts_by_board_and_ends_with_the_wear_that_is_declared() {
    let (left, right) = (Station::new(3), Station::new(4));
    let desk = desk(&[("left", &left), ("right", &right)]);
    let file = "campaign: Does it last?\nscenario: boots.yaml\nsoak:\n  cycles: 50\n  wear: { endurance: 4, erases_per_cycle: { keys: 2, log: 1 } }\n";
    desk.put("soak.yaml", file.as_bytes());
    let soaked = call(&desk, &["campaign", "soak.yaml", "--report", "soak"]);
    soaked.exits(0);
    assert!(soaked.out.contains("4 of at most 4 times"), "{}", soaked.out);
    assert!(soaked.out.contains("  erased most: keys of "), "{}", soaked.out);
    for (name, station) in [("left", &left), ("right", &right)] {
        assert!(soaked.out.contains(&format!("    {name} ({}): 0 of ", station.serial)), "{}", soaked.out);
    }
    assert!(desk.path("soak/evidence/0000000000-survived/timeline.jsonl").exists());
}

#[test]
fn a_board_of_which_nothing_is_heard_is_recovered_and_then_given_up() {
    let station = Station::new(5);
    let desk = desk(&[("left", &station)]);
    let soaked = call(&desk, &["soak", "mute.yaml", "--cycles", "50", "--report", "mute"]);
    soaked.exits(3);
    assert!(soaked.err.contains(&format!("left ({}): firmware and keys were there", station.serial)), "{}", soaked.err);
    assert!(soaked.out.contains("0 of 0 failed") && soaked.out.contains("recovered once"), "{}", soaked.out);
    assert!(soaked.out.contains("also after the board was recovered"), "{}", soaked.out);
    assert_eq!(told(&desk.read("mute/journal.jsonl"), "recovered").len(), 1);
}

/// What the bench file has, with the first `old` made `new`.
fn change(desk: &Desk, file: &str, old: &str, new: &str) {
    let text = desk.read(file);
    assert!(text.contains(old), "{text}");
    desk.put(file, text.replacen(old, new, 1).as_bytes());
}

#[test]
fn a_station_that_can_make_no_trial_is_not_counted_when_a_round_is_asked_for() {
    let station = Station::new(6);
    let desk = desk(&[("left", &station)]);
    let bare =
        "stations:\n  bare:\n    board: lantern-nrf51\n    console: { driver: serial, path: /dev/no-such-port }\n";
    change(&desk, "bench.yaml", "stations:\n", bare);
    call(&desk, &["soak", "mute.yaml", "--cycles", "50", "--report", "mute"]).exits(3);
    let journal = desk.read("mute/journal.jsonl");
    let before = journal.lines().take_while(|line| !line.contains("recovered")).count();
    assert_eq!(before, 1 + 5, "one at a time: {journal}");
}

#[test]
fn a_board_that_was_taken_away_is_not_recovered_and_its_successor_answers_for_itself() {
    let (first, other) = (Station::new(7), Station::new(8));
    let desk = desk(&[("left", &first)]);
    let soaked = || call(&desk, &["soak", "mute.yaml", "--cycles", "50", "--report", "mute"]);
    soaked().exits(3);
    // As if the process had died when the first board was to be recovered.
    let journal = desk.read("mute/journal.jsonl");
    let until: String = journal.lines().take(6).map(|line| format!("{line}\n")).collect();
    assert!(!until.contains("recovered"), "{until}");
    desk.put("mute/journal.jsonl", until.as_bytes());
    desk.put("bench.yaml", format!("bench: pair\nworld: lane\nstations:\n{}", other.in_bench("left")).as_bytes());
    let went_on = soaked();
    went_on.exits(3);
    let gone =
        format!("board left ({}) told nothing several times in a row and is no longer on this bench", first.serial);
    assert!(went_on.err.contains(&gone), "{}", went_on.err);
    let of_other = format!("left ({})", other.serial);
    assert_eq!(told(&desk.read("mute/journal.jsonl"), "recovered"), [of_other.as_str()]);
    let tally = format!("    left ({}): 0 of 0 failed", first.serial);
    let line = went_on.out.lines().find(|line| line.starts_with(&tally)).expect("it is told");
    assert!(line.ends_with("5 trials told nothing"), "{line}");
}

#[test]
fn a_trial_that_no_station_was_left_for_is_not_kept_as_one_that_was_made() {
    let (left, right) = (Station::new(9), Station::new(10));
    let desk = desk(&[("left", &left), ("right", &right)]);
    change(&desk, "bench.yaml", "./relay", "./stuck");
    // Both firmwares on the board of the first station, which is retired after the first trial.
    let firmware = ["--baseline", "lantern-no-heal", "--candidate", "lantern-heal-full", "--report", "proof"];
    let proof = call(&desk, &[&["prove", "wrong.yaml"], &firmware[..]].concat());
    proof.exits(3);
    assert!(proof.err.contains("station pair/left is retired"), "{}", proof.err);
    let journal = desk.read("proof/journal.jsonl");
    assert_eq!(told(&journal, "arm"), ["baseline"], "{journal}");
}

#[test]
fn a_failure_that_was_held_back_is_filed_as_one_when_its_board_answers() {
    let station = Station::new(11);
    let desk = desk(&[("left", &station)]);
    let soaked = || call(&desk, &["soak", "boots.yaml", "--cycles", "2", "--report", "soak"]);
    soaked().exits(0);
    // As if the first cycle had been silent, and the process had died after it.
    let journal = desk.read("soak/journal.jsonl");
    let until: String = journal.lines().take(2).map(|line| format!("{line}\n")).collect();
    desk.put("soak/journal.jsonl", until.as_bytes());
    change(&desk, "soak/journal.jsonl", r#""outcome":"survived""#, r#""outcome":"silent","heard":false"#);
    let evidence = desk.path("soak/evidence");
    std::fs::rename(evidence.join("0000000000-survived"), evidence.join("0000000000-silent-unheard"))
        .expect("it is ours");
    std::fs::remove_dir_all(evidence.join("0000000001-survived")).expect("it is ours");
    let went_on = soaked();
    went_on.exits(1);
    assert!(
        went_on.out.contains("1 of 2 failed") && went_on.out.contains("evidence of 1 failures, 1 passes;"),
        "{}",
        went_on.out
    );
    assert!(evidence.join("0000000000-silent/timeline.jsonl").exists());
    assert!(!evidence.join("0000000000-silent-unheard").exists());
}
