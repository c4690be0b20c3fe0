//! Holds a paced board to the clock on the wall, and sees that it is touched as a board on a bench would be.
//!
//! Boundary: no kernel devices. Limits of time are wide, for computers that are busy with something else.

use std::fmt::Write;
use std::time::{Duration, Instant};

use brickproof_paced::board::{Button, Ear, Hand, Holder};
use brickproof_paced::news::News;
use brickproof_units::{Span, Voltage};
use brickproof_virtual_board::board::BoardState;

use crate::{BUSY, PATIENCE, USB, start, start_with};

/// Reads what the board says, until it says `text` or the time is over.
fn hear(ear: &Ear, text: &str) -> Result<String, String> {
    let (news, mut heard, began) = (News::default(), String::new(), Instant::now());
    ear.tell(news.clone());
    while began.elapsed() < PATIENCE {
        let known = news.known();
        let bytes = ear.take(usize::MAX);
        heard.extend(bytes.iter().map(|byte| char::from(byte.value)));
        if heard.contains(text) {
            return Ok(heard);
        }
        news.wait(known, Duration::from_millis(100));
    }
    Err(format!("{text:?} was not said; {heard:?}"))
}

fn boots(hand: &Hand) -> Ear {
    let ear = hand.listen();
    hand.feed_from_usb(Some(USB));
    hear(&ear, "[system.keys] INFO: device=").expect("it boots");
    ear
}

#[test]
fn it_boots_when_it_is_fed_and_again_when_it_is_reset() {
    let board = start();
    let hand = board.hand();
    assert_eq!((hand.state(), hand.boots()), (BoardState::Off, 0));
    let ear = boots(&hand);
    hand.reset(Holder::Lines, Button::Pressed);
    assert_eq!(hand.state(), BoardState::InReset);
    // Held is held, however often it is said.
    hand.reset(Holder::Lines, Button::Pressed);
    // By whoever holds it last.
    hand.reset(Holder::Probe, Button::Pressed);
    hand.reset(Holder::Lines, Button::Released);
    // Longer than it takes to come out of reset.
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(hand.state(), BoardState::InReset);
    hand.reset(Holder::Probe, Button::Released);
    hear(&ear, "[app] INFO: lantern").unwrap();
    assert_eq!(hand.boots(), 2);
    let reading = hand.read_supply();
    assert!(reading.rail > Voltage::new(3_200_000) && reading.input > Voltage::new(4_900_000), "{reading:?}");
    hand.feed_from_usb(None);
    let began = Instant::now();
    while hand.read_supply().rail > Voltage::new(500_000) {
        assert!(began.elapsed() < PATIENCE, "{:?}", hand.read_supply());
        std::thread::yield_now();
    }
    assert_eq!(hand.state(), BoardState::Off);
}

#[test]
fn a_second_on_the_wall_is_a_second_of_the_board() {
    let board = start();
    let hand = board.hand();
    let ear = boots(&hand);
    let uptime = |answer: &str| {
        let (_, rest) = answer.split_once(" uptime ").expect("the answer says the uptime");
        rest.trim().parse::<u64>().expect("a number of milliseconds")
    };
    let ask = || {
        hand.type_bytes(b"status\n");
        let mut heard = hear(&ear, " uptime ").unwrap();
        // The number comes behind the word.
        while !heard.ends_with('\n') {
            heard.push_str(&hear(&ear, "\n").unwrap());
        }
        let line = heard.lines().find(|line| line.contains(" uptime ")).unwrap().to_owned();
        (uptime(&line), Instant::now())
    };
    let (first, began) = ask();
    std::thread::sleep(Duration::from_secs(1));
    let (second, ended) = ask();
    let (on_the_board, on_the_wall) = ((second - first) as f64, (ended - began).as_secs_f64() * 1e3);
    // Each answer may have been noticed late.
    assert!((on_the_board - on_the_wall).abs() < 200.0, "{on_the_board} ms of the board in {on_the_wall} ms");
}

#[test]
fn bytes_are_stamped_when_they_ended_and_passed_on_soon_after() {
    let board = start();
    let hand = board.hand();
    let ear = hand.listen();
    let news = News::default();
    ear.tell(news.clone());
    hand.feed_from_usb(Some(USB));
    let (mut lates, mut last) = (Vec::new(), None);
    while lates.len() < 200 {
        let known = news.known();
        let bytes = ear.take(usize::MAX);
        let now = hand.now();
        for byte in bytes {
            assert!(Some(byte.at) > last, "in order");
            last = Some(byte.at);
            lates.push(now.since(byte.at));
        }
        news.wait(known, PATIENCE);
    }
    lates.sort();
    assert!(lates[lates.len() / 2] < Span::millis(20), "half of the bytes came later than {}", lates[lates.len() / 2]);
}

#[test]
fn a_whole_key_is_heard_at_the_rate_of_the_line() {
    let board = start();
    let hand = board.hand();
    let ear = boots(&hand);
    // While it erases a page it is deaf.
    hear(&ear, "~connect").unwrap();
    let key = include_bytes!("../../../../fixtures/keys/device-old.sec1.der");
    let hex = key.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    hand.type_bytes(format!("keys put device {hex}\n").as_bytes());
    // Its fingerprint, fixtures/keys/README.md.
    hear(&ear, "keys put device 1da0e8329da0beb6").unwrap();
}

#[test]
fn a_board_that_nobody_feeds_is_left_alone_and_one_that_runs_is_not_run_all_the_time() {
    let board = start_with(BUSY);
    let hand = board.hand();
    std::thread::sleep(Duration::from_millis(200));
    // Once, to find that nothing is due.
    assert!(hand.pace().count_of_due() <= 1, "{}", hand.pace());
    hand.feed_from_usb(Some(USB));
    let fed = Instant::now();
    while hand.boots() == 0 {
        assert!(fed.elapsed() < PATIENCE, "it boots");
        std::thread::yield_now();
    }
    let (before, began) = (hand.pace().count_of_due(), Instant::now());
    std::thread::sleep(Duration::from_millis(500));
    let (passes, most) = (hand.pace().count_of_due() - before, began.elapsed().as_micros() as u64 / 500 + 10);
    assert!((1..=most).contains(&passes), "{passes} times, and {most} are enough");
}
