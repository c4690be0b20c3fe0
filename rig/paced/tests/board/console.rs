//! The board's console as the device of a station.
//!
//! Boundary: requests and bytes; no kernel.

#![expect(clippy::unwrap_used, reason = "a test that meets what it does not expect has failed, in its helpers too")]

use std::time::Instant;

use brickproof_paced::board::{Button, Holder};
use brickproof_paced::devices::cdc_acm::SAID;
use brickproof_paced::station::{StationConfig, devices};
use brickproof_paced::usbip::Device;

use crate::{PATIENCE, USB, start};

/// A host has the port open, does not fetch all of a line, and leaves in this way; the board says more; the next host asks for what it says.
fn hears_nothing_after(leaves: impl FnOnce(&mut dyn Device)) {
    let board = start();
    let hand = board.hand();
    let station = devices(&hand, &StationConfig::lantern_nrf51("VB0001"));
    let device = station.iter().find(|device| device.name == "console").unwrap();
    let mut port = device.device.lock().unwrap();
    assert_eq!(port.to_send(SAID, 64), None);
    let ear = hand.listen();
    let line = || {
        let (began, mut said) = (Instant::now(), Vec::new());
        while !said.contains(&b'\n') {
            assert!(began.elapsed() < PATIENCE, "{said:?}");
            said.extend(ear.take(usize::MAX).iter().map(|byte| byte.value));
        }
        said
    };
    hand.feed_from_usb(Some(USB));
    let said = line();
    hand.reset(Holder::Lines, Button::Pressed);
    // The rest of the line is the port's now, and nobody fetches it.
    assert_eq!(port.to_send(SAID, 8).unwrap(), said[..8]);
    leaves(&mut *port);
    ear.take(usize::MAX);
    hand.reset(Holder::Lines, Button::Released);
    line();
    hand.reset(Holder::Lines, Button::Pressed);
    assert_eq!(port.to_send(SAID, 64), None);
    assert_eq!(port.to_send(SAID, 64), None);
}

#[test]
fn who_asks_a_port_hears_nothing_of_what_was_said_before() {
    hears_nothing_after(|port| port.no_longer_asked(SAID));
    // Its plug is pulled while it is open.
    hears_nothing_after(|port| port.unplugged());
}
