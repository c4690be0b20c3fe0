//! Holds a served board by its ends: a serial program at its pty, stock probe-rs at its debug port.
//!
//! Boundary: this machine, no privileges.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use brickproof_instruments::{Deadline, Instrument, Kind, Region, Settings, Value, driver};
use brickproof_paced::serve::{ServeOptions, serve};
use brickproof_units::Span;

use crate::{LANTERN, PATIENCE, USB, start};

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
fn stock_probe_rs_reads_programs_and_resets_the_board_that_lives_meanwhile() {
    /// Behind the image and before the key pages.
    const FREE: u32 = 0x0003_0000;
    let board = start();
    let hand = board.hand();
    hand.feed_from_usb(Some(USB));
    let served = serve(&hand, ServeOptions::default()).unwrap();
    let text = |text: &str| Value::Text(text.to_owned());
    let settings = Settings::new()
        .with("usb", text("1d50:6018"))
        .with("serial", text(&served.debug().to_string()))
        .with("chip", text("nRF51822_xxAA"));
    let soon = || Deadline::after(Span::secs(60));
    let opened = driver(Kind::Probe, "probe-rs").unwrap().open(&settings, soon()).unwrap();
    let Instrument::Probe(mut probe) = opened else { panic!("the factory of probes opens probes") };
    let read = probe.read(Region { address: 0, length: LANTERN.len() as u32 }, soon()).unwrap();
    assert!(read == LANTERN);
    let page: Vec<u8> = (0..1024_u32).map(|at| (at * 37) as u8).collect();
    probe.program(FREE, &page, soon()).unwrap();
    let mut programmed = [0; 1024];
    hand.with_board(|board| board.flash().read_raw(FREE, &mut programmed)).unwrap();
    assert_eq!(programmed[..], page);
    let boots = hand.boots();
    probe.reset(soon()).unwrap();
    let began = Instant::now();
    while hand.boots() == boots {
        assert!(began.elapsed() < PATIENCE, "it boots after a reset");
        std::thread::yield_now();
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
