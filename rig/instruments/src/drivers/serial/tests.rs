//! The driver on real pseudo-terminals: the kernel is between it and the test, which sits where a board would.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::thread;

use super::*;
use crate::clock::now;
use crate::kinds::Console;
use crate::settings::Value;

const SOON: Span = Span::secs(10);

/// The board's end of a line.
struct Board {
    end: File,
    node: PathBuf,
}

impl Board {
    fn new() -> Self {
        let (end, node) = crate::drivers::test_terminal();
        Self { end, node }
    }

    /// The rate that the host chose, as the board's end sees it.
    fn baud(&self) -> u32 {
        rustix::termios::tcgetattr(&self.end).unwrap().output_speed()
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.end.read_exact(&mut bytes).unwrap();
        bytes
    }
}

fn settings(path: &Path) -> Settings {
    Settings::new()
        .with("path", Value::Text(path.to_string_lossy().into_owned()))
        .with("settle", Value::Span(Span::millis(1)))
}

fn try_open(settings: &Settings) -> Result<Box<dyn Console>, Failure> {
    match SerialFactory.open(settings, Deadline::after(SOON))? {
        Instrument::Console(console) => Ok(console),
        _ => panic!("a serial port is a console"),
    }
}

fn open(path: &Path) -> Box<dyn Console> {
    try_open(&settings(path)).unwrap()
}

fn read(console: &mut dyn Console, count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < count {
        let chunk = console.read(Deadline::after(SOON)).unwrap().expect("more bytes");
        assert!(!chunk.bytes.is_empty());
        bytes.extend(chunk.bytes);
    }
    bytes
}

#[test]
fn every_byte_passes_unchanged_both_ways() {
    let mut board = Board::new();
    let mut console = open(&board.node);
    let every: Vec<u8> = (0..=255).collect();
    board.end.write_all(&every).unwrap();
    assert_eq!(read(&mut *console, 256), every);
    let written = console.write(&every, Deadline::after(SOON)).unwrap();
    assert_eq!(board.take(256), every);
    assert!(written.at <= now());
}

#[test]
fn nothing_is_lost_while_nobody_reads() {
    let board = Board::new();
    let mut console = open(&board.node);
    // Far more than the kernel keeps for a terminal.
    let stream: Vec<u8> = (0..50_000u32).flat_map(|n| format!("{n:06}\n").into_bytes()).collect();
    let (sent, mut end) = (stream.clone(), board.end.try_clone().unwrap());
    thread::spawn(move || end.write_all(&sent)).join().unwrap().unwrap();
    assert!(read(&mut *console, stream.len()) == stream, "the streams differ");
    assert_eq!(console.read(Deadline::after(Span::millis(5))).unwrap(), None);
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(24))]
    #[test]
    fn pieces_of_any_size_come_whole_and_in_order(sizes in proptest::collection::vec(1..6000usize, 1..12)) {
        let board = Board::new();
        let mut console = open(&board.node);
        let stream: Vec<u8> = (0..sizes.iter().sum()).map(|n: usize| (n / 3) as u8).collect();
        let (sent, mut end) = (stream.clone(), board.end.try_clone().unwrap());
        let writer = thread::spawn(move || {
            let mut rest = &sent[..];
            for size in sizes {
                let (piece, after) = rest.split_at(size);
                end.write_all(piece).unwrap();
                rest = after;
            }
        });
        proptest::prop_assert!(read(&mut *console, stream.len()) == stream);
        writer.join().unwrap();
    }
}

#[test]
fn the_other_end_sees_the_rate_of_the_bench_file_and_raw_mode() {
    let board = Board::new();
    for baud in [9_600, 115_200, 250_000, 1_500_000] {
        let console = try_open(&settings(&board.node).with("baud", Value::Baud(Baud::new(baud)))).unwrap();
        assert_eq!(board.baud(), baud);
        let modes = rustix::termios::tcgetattr(&board.end).unwrap();
        assert!(!modes.local_modes.intersects(rustix::termios::LocalModes::ECHO | rustix::termios::LocalModes::ICANON));
        drop(console);
    }
}

#[test]
fn a_touch_is_seen_at_its_rate_and_the_console_comes_back_with_every_byte() {
    for rate in [1_200, 14_400, 28_800] {
        let mut board = Board::new();
        let mut slow = try_open(&settings(&board.node).with("settle", Value::Span(Span::millis(200)))).unwrap();
        board.end.write_all(b"before").unwrap();
        let watched = board.end.try_clone().unwrap();
        let watch = thread::spawn(move || {
            let deadline = Deadline::after(SOON);
            while rustix::termios::tcgetattr(&watched).unwrap().output_speed() != rate {
                assert!(!deadline.has_passed(), "the board never saw {rate} Bd");
                thread::yield_now();
            }
        });
        slow.touch(Touch(Baud::new(rate)), Deadline::after(SOON)).unwrap();
        watch.join().unwrap();
        assert_eq!(board.baud(), 115_200, "not back at the console's rate");
        board.end.write_all(b"after").unwrap();
        assert_eq!(read(&mut *slow, 11), b"beforeafter");
    }
}

#[test]
fn a_device_that_goes_away_at_a_touch_is_not_lost_but_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("by-id");
    let board = Board::new();
    symlink(&board.node, &link).unwrap();
    let with = settings(&link).with("settle", Value::Span(Span::millis(200)));
    let mut console = try_open(&with).unwrap();
    let unplug = thread::spawn(move || {
        let deadline = Deadline::after(SOON);
        while board.baud() != 14_400 {
            assert!(!deadline.has_passed(), "the board never saw the touch");
            thread::yield_now();
        }
    });
    console.touch(Touch(Baud::new(14_400)), Deadline::after(SOON)).unwrap();
    unplug.join().unwrap();
    let mut bootloader = Board::new();
    std::fs::remove_file(&link).unwrap();
    symlink(&bootloader.node, &link).unwrap();
    bootloader.end.write_all(b"ready").unwrap();
    assert_eq!(read(&mut *console, 5), b"ready");
}

#[test]
fn a_port_in_use_is_refused_as_busy_and_free_again_when_dropped() {
    let board = Board::new();
    let first = open(&board.node);
    let failure = try_open(&settings(&board.node)).err().expect("the second opening must be refused");
    assert!(matches!(failure.kind(), FailureKind::Busy(_)), "{failure}");
    let theirs = serialport::new(board.node.to_string_lossy(), 9_600).open_native();
    assert_eq!(theirs.unwrap_err().kind, serialport::ErrorKind::NoDevice, "another program got it");
    drop(first);
    drop(open(&board.node));
}

#[test]
fn a_port_that_another_program_holds_is_refused_and_left_as_it_is() {
    let board = Board::new();
    let _theirs = serialport::new(board.node.to_string_lossy(), 9_600).open_native().unwrap();
    let failure = try_open(&settings(&board.node)).err().expect("it is theirs");
    assert!(matches!(failure.kind(), FailureKind::Busy(_)), "{failure}");
    assert_eq!(board.baud(), 9_600);
}

#[test]
fn a_missing_modem_line_is_unsupported_and_only_asked_for_when_configured() {
    let board = Board::new();
    for (name, word) in [("dtr", "asserted"), ("dtr", "released"), ("rts", "released")] {
        let with = settings(&board.node).with(name, Value::Text(word.to_owned()));
        let failure = try_open(&with).err().expect("a pseudo-terminal has no modem lines");
        assert!(matches!(failure.kind(), FailureKind::Unsupported(_)), "{failure}");
    }
    open(&board.node);
}

#[test]
fn an_unplugged_device_is_gone_once_and_found_again_at_another_node() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("by-id");
    let board = Board::new();
    symlink(&board.node, &link).unwrap();
    let mut console = open(&link);

    drop(board);
    let failure = console.read(Deadline::after(SOON)).unwrap_err();
    assert!(matches!(failure.kind(), FailureKind::Gone(_)), "{failure}");
    std::fs::remove_file(&link).unwrap();
    let failure = console.read(Deadline::after(Span::millis(30))).unwrap_err();
    assert!(matches!(failure.kind(), FailureKind::Missing(_)), "{failure}");

    let mut back = Board::new();
    let node = back.node.clone();
    let plug = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        symlink(node, link).unwrap();
    });
    console.write(b"hello again", Deadline::after(SOON)).unwrap();
    plug.join().unwrap();
    assert_eq!(back.take(11), b"hello again");
    back.end.write_all(b"and back").unwrap();
    assert_eq!(read(&mut *console, 8), b"and back");
}

#[test]
fn a_write_to_a_board_that_does_not_read_ends_with_its_deadline() {
    let board = Board::new();
    let mut console = open(&board.node);
    let written = console.write(&vec![0; 1 << 20], Deadline::after(Span::millis(50)));
    assert!(matches!(written.unwrap_err().kind(), FailureKind::NoAnswer(_)));
}

#[test]
fn a_node_that_is_not_there_or_no_terminal_is_a_failure_that_names_it() {
    let failure = try_open(&settings(Path::new("/dev/brickproof-nothing"))).err().expect("it is not there");
    insta::assert_snapshot!(failure, @"console /dev/brickproof-nothing failed to open it at 115200Bd: not found: No such file or directory (os error 2)");
    let failure = try_open(&settings(Path::new("/dev/null"))).err().expect("it is no terminal");
    insta::assert_snapshot!(failure, @"console /dev/null failed to open it at 115200Bd: unsupported: this is no terminal");
}

#[test]
fn a_port_that_comes_and_goes_is_silent_while_it_is_away() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("by-id");
    assert!(try_open(&settings(&link)).is_err(), "one that lasts is missed");
    let passing = settings(&link).with("presence", Value::Text("passing".to_owned()));
    let mut console = try_open(&passing).unwrap();
    let moment = || Deadline::after(Span::millis(20));
    assert!(console.read(moment()).unwrap().is_none());
    let failure = console.write(b"x", moment()).unwrap_err();
    assert!(matches!(failure.kind(), FailureKind::Missing(_)), "who writes wants it to arrive: {failure}");
    for _ in 0..2 {
        let mut board = Board::new();
        symlink(&board.node, &link).unwrap();
        assert!(console.read(Deadline::after(Span::millis(100))).unwrap().is_none());
        board.end.write_all(b"here").unwrap();
        assert_eq!(read(&mut *console, 4), b"here");
        drop(board);
        std::fs::remove_file(&link).unwrap();
        assert!(console.read(moment()).unwrap().is_none(), "it has gone");
    }
}
