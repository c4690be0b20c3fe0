//! The host at the other end of the board's USB cable: notices it, enumerates it, asks it for modes.
//!
//! Boundary: the host's side and its times. Whether the board is attached, and what it makes of a request, is its chip's.

use std::sync::Arc;

use brickproof_boards::BoardProfile;
use brickproof_scenario::plan::{Entry, UsbPresence, Way};
use brickproof_trial::{Achieved, ActionId, Blame, CommandError, Observation};
use brickproof_units::{Instant, Span};
use brickproof_virtual_board::supply::Source;
use brickproof_virtual_board::usb::{Setup, UsbAnswer, UsbDevice};

use super::{Due, World};

/// From the pull-up to a device that programs can open: 100 ms of debouncing (USB 2.0, 7.1.7.3, TATTDB), and as much again for resets, an address
/// and descriptors as Linux takes for them; the sum is an assumption. That a device has gone is seen at once.
const ENUMERATION: Span = Span::millis(250);
/// How long a host waits for a control transfer to be served (Linux, USB_CTRL_SET_TIMEOUT).
const SERVED_WITHIN: Span = Span::secs(5);
/// How often it is looked whether a board has come, or has served something.
const LOOK: Span = Span::millis(1);

/// What the host knows of the board.
#[derive(Clone, Debug)]
pub(super) struct Host {
    /// Whether the board's profile says who it is: what nobody knows is not looked for.
    looks: bool,
    presence: UsbPresence,
    /// Counts what the board did on the bus.
    edges: u64,
}

impl Host {
    pub(super) fn of(profile: &BoardProfile) -> Self {
        Self { looks: profile.usb.is_some(), presence: UsbPresence::Gone, edges: 0 }
    }
}

/// A mode that the board is to be asked for.
#[derive(Clone, Debug)]
pub(super) struct Asking {
    id: ActionId,
    by: Way,
    setup: Setup,
    data: Vec<u8>,
    deadline: Instant,
}

impl World {
    /// Begins to bring the board into a mode; the answer comes when it was asked.
    pub(super) fn enter(&mut self, id: ActionId, entry: Arc<Entry>) -> Result<(), CommandError> {
        // The lines of a virtual board are all wired.
        let by = entry.ways().next();
        match (by, &entry.buttons, entry.baud, entry.request) {
            (Some(Way::Buttons), Some(buttons), ..) => {
                let pin = self.press(&buttons.button)?;
                let mut until = self.now + buttons.hold;
                if buttons.after_reset().is_some() {
                    self.board.press_reset();
                    self.put(self.now + buttons.reset, Due::LetGoOfReset);
                    until += buttons.reset;
                }
                let asked = self.asked(Way::Buttons, Some((buttons.hold, Span::ZERO)));
                self.put(until, Due::ReleaseButton(pin, id, asked));
            }
            (Some(by @ Way::Baud), _, Some(baud), _) => {
                let mut data = baud.get().to_le_bytes().to_vec();
                // One stop bit, no parity, eight bits.
                data.extend([0, 0, 8]);
                let setup = Setup { kind: 0x21, request: 0x20, value: 0, index: 0, length: 7 };
                self.ask(id, by, setup, data, entry.within);
            }
            (Some(by @ Way::Request), _, _, Some(request)) => {
                let setup = Setup { kind: 0x40, request: 0x50, value: 0, index: request, length: 0 };
                self.ask(id, by, setup, Vec::new(), entry.within);
            }
            _ => {
                let asked = format!("bring it into {}", entry.mode).into();
                return Err(CommandError::Unsupported { instrument: "the board".into(), asked });
            }
        }
        Ok(())
    }

    fn ask(&mut self, id: ActionId, by: Way, setup: Setup, data: Vec<u8>, within: Span) {
        let asking = Asking { id, by, setup, data, deadline: self.now + within };
        self.ask_for_mode(Box::new(asking));
    }

    /// A station in simulation sees whatever there is to be seen.
    fn asked(&self, by: Way, held: Option<(Span, Span)>) -> Achieved {
        Achieved::Asked { by, held, light: true, usb: self.host.looks }
    }

    pub(super) fn ask_for_mode(&mut self, asking: Box<Asking>) {
        if self.host.presence == UsbPresence::Normal && self.board.usb_control(asking.setup, &asking.data).is_ok() {
            let asking = Asking { deadline: self.now + SERVED_WITHIN, ..*asking };
            return self.put(self.now + LOOK, Due::LookWhetherServed(Box::new(asking)));
        }
        if self.now < asking.deadline {
            return self.put(self.now + LOOK, Due::AskForMode(asking));
        }
        let why = match self.host.presence {
            UsbPresence::Dfu => "it is in its bootloader, which serves no such request; a reset starts its firmware",
            _ => {
                "it did not come to USB, where its firmware would serve it; the buttons need no firmware: `by: buttons`"
            }
        };
        self.unserved(&asking, why);
    }

    pub(super) fn look_whether_served(&mut self, asking: Box<Asking>) {
        match self.board.take_usb_answer() {
            Some(UsbAnswer::Accepted(_)) => {
                let asked = self.asked(asking.by, None);
                self.answer(asking.id, Ok(asked));
            }
            Some(UsbAnswer::Refused) => {
                self.unserved(&asking, "its firmware refused (a stall); the buttons need no firmware: `by: buttons`");
            }
            None if self.board.usb().is_none() => {
                self.unserved(&asking, "it left USB before it served it; the buttons need no firmware: `by: buttons`");
            }
            None if self.now < asking.deadline => self.put(self.now + LOOK, Due::LookWhetherServed(asking)),
            None => {
                self.unserved(
                    &asking,
                    "its firmware is on USB and did not serve it within 5s; the buttons need no firmware: `by: buttons`",
                );
            }
        }
    }

    /// Whoever feeds the board by something else than a port has not plugged it in.
    fn unserved(&mut self, asking: &Asking, why: &str) {
        let blame = if self.fed_by_port { Blame::Firmware } else { Blame::Scenario };
        let why = match blame {
            Blame::Scenario => "no USB port feeds it, so that it is on no bus: `supply: { usb: 5V }`",
            _ => why,
        };
        self.answer(asking.id, Ok(Achieved::Unserved { by: asking.by, why: why.into(), blame }));
    }

    /// What feeds the board from now on.
    pub(super) fn plug(&mut self, source: Source) {
        self.fed_by_port = matches!(source, Source::Usb { .. });
        self.board.connect(source);
    }

    pub(super) fn look_at_usb(&mut self) {
        let edges: Vec<_> = self.board.drain_usb_edges().collect();
        if !self.host.looks {
            return;
        }
        for edge in edges {
            self.host.edges += 1;
            match edge.device {
                Some(_) => self.put(edge.at + ENUMERATION, Due::Enumerated { edge: self.host.edges }),
                None if self.host.presence != UsbPresence::Gone => self.see(edge.at, UsbPresence::Gone),
                None => {}
            }
        }
    }

    pub(super) fn enumerated(&mut self, edge: u64) {
        if edge == self.host.edges {
            match self.board.usb() {
                Some(UsbDevice::Normal) => self.see(self.now, UsbPresence::Normal),
                Some(UsbDevice::Dfu) => self.see(self.now, UsbPresence::Dfu),
                None => {}
            }
        }
    }

    fn see(&mut self, at: Instant, presence: UsbPresence) {
        self.host.presence = presence;
        self.seen.push_back((at, Observation::Usb(presence)));
    }

    /// Whether the board is in its bootloader, as far as the host knows.
    pub(super) fn has_bootloader(&self) -> bool {
        self.host.presence == UsbPresence::Dfu && self.board.usb() == Some(UsbDevice::Dfu)
    }
}
