//! The board's console as the device of a station.
//!
//! Boundary: requests and bytes; no kernel.

#![expect(clippy::unwrap_used, reason = "a test that meets what it does not expect has failed, in its helpers too")]

use std::time::Instant;

use brickproof_paced::board::{Button, Holder};
use brickproof_paced::station::{StationConfig, devices};
use brickproof_paced::usbip::{Device, Setup};

use crate::{PATIENCE, USB, start};

const TO_HOST: u8 = 1;

fn open(port: &mut dyn Device, is_open: bool) {
    let setup = Setup { kind: 0x21, request: 0x22, value: is_open.into(), index: 0, length: 0 };
    port.control(setup, &[]).unwrap();
}

/// A host has the port open, does not fetch all of a line, and leaves in this way; the next one opens it.
fn hears_nothing_after(leaves: impl FnOnce(&mut dyn Device)) {
    let board = start();
    let hand = board.hand();
    let station = devices(&hand, &StationConfig::lantern_nrf51("VB0001"));
    let device = station.iter().find(|device| device.name == "console").unwrap();
    let mut port = device.device.lock().unwrap();
    open(&mut *port, true);
    let ear = hand.listen();
    hand.feed_from_usb(Some(USB));
    let (began, mut heard) = (Instant::now(), Vec::new());
    while !heard.contains(&b'\n') {
        assert!(began.elapsed() < PATIENCE, "{heard:?}");
        heard.extend(ear.take(usize::MAX).iter().map(|byte| byte.value));
    }
    hand.reset(Holder::Lines, Button::Pressed);
    // The rest of the line is the port's now, and nobody fetches it.
    assert_eq!(port.to_send(TO_HOST, 8).unwrap(), heard[..8]);
    leaves(&mut *port);
    open(&mut *port, true);
    assert_eq!(port.to_send(TO_HOST, 64), None);
}

#[test]
fn who_opens_the_port_hears_nothing_of_what_was_meant_for_the_one_before() {
    hears_nothing_after(|port| open(port, false));
    // Its plug is pulled while it is open.
    hears_nothing_after(|port| port.unplugged());
}
