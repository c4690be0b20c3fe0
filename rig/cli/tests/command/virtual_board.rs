//! A virtual board that other people's tools hold, as the command offers it: where its ends are told, what answers there, how it ends.
#![cfg(unix)]

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::desk::Desk;

/// Longer than a busy computer takes, and short enough to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A board that is served; killed if a test fails before it ended it.
struct Serving {
    child: Child,
    printed: BufReader<ChildStdout>,
    board: String,
    console: String,
    debug: String,
    _desk: Desk,
}

impl Serving {
    fn start(arguments: &[&str]) -> Self {
        let desk = Desk::with(&[]);
        let mut command = desk.command(&[&["virtual", "serve"], arguments].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the command was built");
        let printed = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut serving =
            Self { child, printed, board: String::new(), console: String::new(), debug: String::new(), _desk: desk };
        serving.board = serving.line("board");
        serving.console = serving.line("console");
        serving.debug = serving.line("debug").split(',').next().unwrap_or_default().to_owned();
        serving
    }

    /// The next line that is printed, without the word that it begins with.
    fn line(&mut self, word: &str) -> String {
        let mut line = String::new();
        self.printed.read_line(&mut line).expect("it prints");
        line.strip_prefix(word).unwrap_or_else(|| panic!("{word} is told: {line:?}")).trim().to_owned()
    }

    fn interrupt(mut self) -> Option<i32> {
        let sent = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        assert!(sent.expect("there is a kill").success());
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It has ended already, if all is well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What comes from a terminal, as it comes.
fn heard_from(mut terminal: File) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = [0; 256];
        while let Ok(count) = terminal.read(&mut bytes) {
            if count == 0 || sender.send(bytes[..count].to_vec()).is_err() {
                break;
            }
        }
    });
    receiver
}

fn until(heard: &Receiver<Vec<u8>>, text: &str) -> String {
    let (mut all, end) = (String::new(), Instant::now() + PATIENCE);
    while !all.contains(text) {
        let left = end.saturating_duration_since(Instant::now());
        let bytes = heard.recv_timeout(left).unwrap_or_else(|_| panic!("{text:?} was not said: {all:?}"));
        all.push_str(&String::from_utf8_lossy(&bytes));
    }
    all
}

#[test]
fn the_console_is_where_it_is_told_and_answers() {
    let serving = Serving::start(&["--firmware", "lantern-heal-parse"]);
    let mut terminal = File::options().read(true).write(true).open(&serving.console).expect("it is a terminal");
    let heard = heard_from(terminal.try_clone().expect("it is open"));
    until(&heard, "heal-parse");
    until(&heard, "~connect");
    terminal.write_all(b"help\n").expect("somebody listens");
    until(&heard, "keys rotate");
    assert_eq!(serving.interrupt(), Some(130));
}

/// Somebody who types a cloud's part badly reads why the board hangs up; the bytes that are kept stay the board's.
#[test]
fn the_console_command_explains_the_codes_that_the_board_prints() {
    let serving = Serving::start(&["--firmware", "lantern-no-heal"]);
    let console = &serving.console;
    let bench = format!(
        "bench: desk\nstations:\n  one:\n    board: lantern-nrf51\n    console: {{ driver: serial, path: {console} }}\n"
    );
    let desk = Desk::with(&[("bench.yaml", &bench)]);
    let mut command = desk.command(&["console", "--bench", "bench.yaml", "--log", "kept.log"]);
    command.env("BRICKPROOF_STATE", desk.path("state")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("the command was built");
    let mut typed = child.stdin.take().expect("it is piped");
    let mut seen = Vec::new();
    for line in BufReader::new(child.stdout.take().expect("it is piped")).lines() {
        let line = line.expect("it prints text");
        let answer: &[u8] = match line.split(' ').next() {
            Some("~connect") => b"~connected\n",
            Some("~hello") => b"~challenge 0000000000000000 0000000000000000\n",
            _ => b"",
        };
        typed.write_all(answer).expect("it listens");
        let ended = line.contains("code=17");
        seen.push(line);
        if ended {
            break;
        }
    }
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.expect("there is a kill").success());
    child.wait().expect("it ends");
    let has = |text: &str| seen.iter().any(|line| line.contains(text));
    assert!(has("handshake failed -7b00 (mbedTLS SSL_BAD_HS_SERVER_KEY_EXCHANGE: "), "{seen:?}");
    assert!(has("Cloud handshake failed, code=17 (ProtocolError IO_ERROR_GENERIC_ESTABLISH: "), "{seen:?}");
    let kept = std::fs::read_to_string(desk.path("kept.log")).expect("it was asked for");
    assert!(kept.contains("handshake failed -7b00\r\n") && !kept.contains("mbedTLS"), "{kept:?}");
    assert_eq!(serving.interrupt(), Some(130));
}

#[test]
fn the_debug_port_answers_as_a_black_magic_probe() {
    let serving = Serving::start(&[]);
    let mut probe = TcpStream::connect(&serving.debug).expect("it listens");
    probe.set_read_timeout(Some(PATIENCE)).expect("it is a socket");
    // Who are you? `&K` and a text.
    probe.write_all(b"!GA#").expect("it listens");
    let mut answer = [0; 2];
    probe.read_exact(&mut answer).expect("it answers");
    assert_eq!(&answer, b"&K");
    assert_eq!(serving.interrupt(), Some(130));
}

#[test]
fn both_geometries_are_told_in_the_words_of_probe_rs() {
    for (board, chip) in [("lantern-nrf51", "nRF51822_xxAA"), ("lantern-nrf52840", "nRF52840_xxAA")] {
        let mut serving = Serving::start(&["--board", board, "--seed", "7"]);
        let named = format!("{board} with lantern-heal-full, seed 7, serial ");
        let serial = serving.board.strip_prefix(&named).expect(&serving.board);
        assert!(serial.len() == 16 && serial.chars().all(|it| it.is_ascii_hexdigit()), "{serial}");
        let told = serving.line("probe-rs");
        assert_eq!(told, format!("info --probe 1d50:6018:{} --protocol swd --chip {chip}", serving.debug));
        assert_eq!(serving.interrupt(), Some(130));
    }
}

#[test]
fn what_does_not_exist_is_refused_with_what_does() {
    let desk = Desk::with(&[]);
    for (arguments, help) in
        [(["--board", "lantern-nrf5"], "`lantern-nrf51`"), (["--firmware", "lantern-heal-ful"], "`lantern-heal-full`")]
    {
        for verb in ["serve", "attach"] {
            let called = desk.call(&[&["virtual", verb], &arguments[..]].concat());
            assert!(called.exits(2).err.contains(&format!("help: did you mean {help}?")), "{}", called.err);
            assert_eq!(called.out, "");
        }
    }
}

#[test]
fn an_address_that_is_taken_is_told() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let address = taken.local_addr().expect("it is bound").to_string();
    let called = Desk::with(&[]).call(&["virtual", "serve", "--debug", &address]);
    assert!(
        called.exits(3).err.contains(&format!("error: the board cannot be served at {address}: ")),
        "{}",
        called.err
    );
    assert_eq!(called.out, "");
}
