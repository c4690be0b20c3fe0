//! USART1: bytes at line rate, in and out.
//!
//! Boundary: frames of eight bits and registers. Pins are not looked at: USART1 is wired to the console whatever the ports say. Parity,
//! flow control, synchronous modes and DMA are not modelled. Source: RM0033, chapter 24.

use brickproof_units::Baud;

use super::{HERTZ, NEVER};
use crate::chip::{Frame, UartTiming, Wire};

const FRAMING: u32 = 1 << 1;
const OVERRUN: u32 = 1 << 3;
const RECEIVED: u32 = 1 << 5;
const COMPLETE: u32 = 1 << 6;
const EMPTY: u32 = 1 << 7;

const RECEIVER: u32 = 1 << 2;
const TRANSMITTER: u32 = 1 << 3;
const ENABLED: u32 = 1 << 13;

/// USART1.
#[derive(Clone, Debug)]
pub(super) struct Usart {
    wire: Wire,
    status: u32,
    control: [u32; 3],
    divider: u32,
    received: u8,
    /// The byte in the shift register and the cycle at which its stop bit ends.
    sending: Option<(u8, u64)>,
    /// The byte behind it.
    waiting: Option<u8>,
}

impl Usart {
    pub(super) fn new(timing: UartTiming) -> Self {
        Self::on(Wire::new(super::RATE, timing))
    }

    fn on(wire: Wire) -> Self {
        Self { wire, status: COMPLETE | EMPTY, control: [0; 3], divider: 0, received: 0, sending: None, waiting: None }
    }

    /// The chip was reset: registers are lost, what is on the line or was seen outside is not.
    pub(super) fn reset(&mut self) {
        *self = Self::on(self.wire.clone());
    }

    pub(super) fn wire(&self) -> &Wire {
        &self.wire
    }

    pub(super) fn wire_mut(&mut self) -> &mut Wire {
        &mut self.wire
    }

    #[inline]
    pub(super) fn interrupts(&self) -> bool {
        // RXNEIE, TCIE and TXEIE stand where their flags do; an overrun comes with RXNEIE.
        let asked = self.control[0] & (RECEIVED | COMPLETE | EMPTY);
        let overrun = if asked & RECEIVED != 0 { self.status & OVERRUN } else { 0 };
        self.control[0] & ENABLED != 0 && (self.status & asked | overrun) != 0
    }

    #[inline]
    pub(super) fn due(&self) -> u64 {
        self.sending.map_or(NEVER, |(_, end)| end).min(self.wire.due())
    }

    /// Lets happen what is due at `at`.
    pub(super) fn advance(&mut self, at: u64) {
        self.finish_sending(at);
        if let Some(frame) = self.wire.arrived(at) {
            self.receive(frame);
        }
    }

    pub(super) fn read(&mut self, offset: u32) -> u32 {
        match offset {
            0x00 => self.status,
            0x04 => {
                // Reading the status and then the data clears the errors; whoever reads the data has read the status here.
                self.status &= !(RECEIVED | OVERRUN | FRAMING);
                self.received.into()
            }
            0x08 => self.divider,
            0x0C..=0x14 => self.control[(offset as usize - 0x0C) / 4],
            _ => 0,
        }
    }

    pub(super) fn write(&mut self, offset: u32, value: u32, at: u64) {
        match offset {
            // RXNE and TC are cleared by writing zeros.
            0x00 => self.status &= value | !(RECEIVED | COMPLETE),
            0x04 => self.send(value as u8, at),
            0x08 => self.divider = value & 0xFFFF,
            0x0C..=0x14 => self.control[(offset as usize - 0x0C) / 4] = value,
            _ => {}
        }
    }

    fn has(&self, control: u32) -> bool {
        self.control[0] & (ENABLED | control) == ENABLED | control
    }

    /// The divider is the bus clock over the rate: its low four bits are the sixteenths.
    fn frame(&self) -> u64 {
        self.wire.frame(Wire::FRAME_BITS * u64::from(self.divider.max(16)))
    }

    fn send(&mut self, value: u8, at: u64) {
        if !self.has(TRANSMITTER) {
            return;
        }
        if self.waiting.replace(value).is_some() {
            self.wire.lose();
        }
        self.status &= !(COMPLETE | EMPTY);
        if self.sending.is_none() {
            self.shift(at);
        }
    }

    /// The waiting byte goes into the shift register.
    fn shift(&mut self, at: u64) {
        self.sending = self.waiting.take().map(|value| (value, at + self.frame()));
        self.status |= EMPTY;
        if self.wire.timing() == UartTiming::Instant {
            self.finish_sending(at);
        }
    }

    fn finish_sending(&mut self, at: u64) {
        let Some((value, end)) = self.sending.filter(|(_, end)| *end <= at) else { return };
        self.wire.send(end, value);
        self.sending = None;
        if self.waiting.is_some() {
            self.shift(end);
        } else {
            self.status |= COMPLETE;
        }
    }

    fn receive(&mut self, frame: Frame) {
        if !self.has(RECEIVER) {
            return self.wire.lose();
        }
        if !self.understands(frame.rate) {
            self.status |= FRAMING | RECEIVED;
            self.received = 0;
            return self.wire.lose();
        }
        if self.status & RECEIVED != 0 {
            // The byte in the data register stays, the new one is lost.
            self.status |= OVERRUN;
            return self.wire.lose();
        }
        self.received = frame.value;
        self.status |= RECEIVED;
    }

    fn understands(&self, rate: Baud) -> bool {
        self.wire.understands(HERTZ / u64::from(self.divider.max(16)), rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Baud = Baud::new(115_200);

    fn open() -> Usart {
        let mut usart = Usart::new(UartTiming::Timed);
        usart.write(0x08, 139, 0);
        usart.write(0x0C, ENABLED | TRANSMITTER | RECEIVER | RECEIVED, 0);
        usart
    }

    #[test]
    fn two_bytes_go_out_back_to_back_and_a_third_overwrites() {
        let mut usart = open();
        [1, 2, 3].into_iter().for_each(|byte| usart.write(0x04, byte, 0));
        assert_eq!(usart.read(0x00) & (EMPTY | COMPLETE), 0);
        usart.advance(1_390);
        assert_eq!(usart.read(0x00) & (EMPTY | COMPLETE), EMPTY);
        assert_eq!(usart.due(), 2_780);
        usart.advance(2_780);
        assert_eq!(usart.read(0x00) & (EMPTY | COMPLETE), EMPTY | COMPLETE);
        let sent: Vec<u8> = usart.wire.take_sent().iter().map(|byte| byte.value).collect();
        assert_eq!((sent, usart.wire.lost()), (vec![1, 3], 1));
    }

    #[test]
    fn a_byte_that_nobody_fetched_keeps_the_next_one_out() {
        let mut usart = open();
        for byte in [7, 8] {
            usart.wire.feed(0, byte, RATE);
        }
        usart.advance(usart.due());
        assert!(usart.interrupts());
        usart.advance(usart.due());
        assert_eq!(usart.read(0x00) & OVERRUN, OVERRUN);
        assert_eq!((usart.read(0x04), usart.wire.lost()), (7, 1));
        assert!(!usart.interrupts());
    }

    #[test]
    fn a_wrong_rate_is_a_framing_error_and_a_receiver_that_is_off_hears_nothing() {
        let mut usart = open();
        usart.wire.feed(0, 0x55, Baud::new(57_600));
        usart.advance(usart.due());
        assert_eq!(usart.read(0x00) & FRAMING, FRAMING);
        let mut usart = Usart::new(UartTiming::Timed);
        usart.wire.feed(0, 0x55, RATE);
        usart.advance(usart.due());
        assert_eq!((usart.read(0x00) & RECEIVED, usart.wire.lost()), (0, 1));
    }
}
