//! Holds a served board by its ends: a serial program at its pty, stock probe-rs at its debug port.
//!
//! Boundary: this machine, no privileges.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use brickproof_paced::serve::{ServeOptions, serve};

use crate::{PATIENCE, USB, start};

fn read_until(terminal: &mut File, text: &str) -> String {
    let (mut heard, mut bytes, began) = (String::new(), [0; 256], Instant::now());
    while !heard.contains(text) {
        assert!(began.elapsed() < PATIENCE, "{text:?} was not said; {heard:?}");
        let count = terminal.read(&mut bytes).expect("the terminal can be read");
        heard.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    heard
}

#[test]
fn the_console_is_a_terminal_that_changes_no_byte() {
    let board = start();
    let served = serve(&board.hand(), ServeOptions::default()).unwrap();
    let mut terminal = File::options().read(true).write(true).open(served.console()).unwrap();
    board.hand().feed_from_usb(Some(USB));
    let heard = read_until(&mut terminal, "~connect");
    assert!(heard.contains("\r\n") && !heard.contains("\r\r"), "{heard:?}");
    terminal.write_all(b"status\n").unwrap();
    let answer = read_until(&mut terminal, " uptime ");
    assert!(!answer.contains("status\n"), "no echo: {answer:?}");
}

#[test]
fn the_debug_port_answers_the_remote_protocol_one_user_after_the_other() {
    let board = start();
    board.hand().feed_from_usb(Some(USB));
    let served = serve(&board.hand(), ServeOptions::default()).unwrap();
    for _ in 0..2 {
        let mut probe = TcpStream::connect(served.debug()).unwrap();
        probe.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        // Who are you? `&K` and a text.
        probe.write_all(b"!GA#").unwrap();
        let mut answer = [0; 2];
        probe.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"&K");
    }
}

#[test]
fn dropping_it_ends_it_with_somebody_at_either_end() {
    let board = start();
    board.hand().feed_from_usb(Some(USB));
    let served = serve(&board.hand(), ServeOptions::default()).unwrap();
    let _terminal = File::options().read(true).write(true).open(served.console()).unwrap();
    let _probe = TcpStream::connect(served.debug()).unwrap();
    let began = Instant::now();
    drop(served);
    assert!(began.elapsed() < PATIENCE);
}
