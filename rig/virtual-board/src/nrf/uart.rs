//! UART (the register set without DMA): bytes at line rate, in and out.
//!
//! Boundary: frames and registers. Pins are not looked at: whatever PSELTXD and PSELRXD say is wired to the console. Flow control
//! lines are never asserted against the chip. Source: nRF51 reference manual v3.0, chapter UART.

use std::collections::VecDeque;

use brickproof_units::Baud;

use crate::chip::{CoreRate, Frame, UartTiming, Wire};
use crate::nrf::peripheral::{EventSet, Events, NEVER, NONE, Peripheral, event};

const RECEIVED: EventSet = event(0x108);
const SENT: EventSet = event(0x11C);
const ERROR: EventSet = event(0x124);
const RECEIVER_TIMEOUT: EventSet = event(0x144);

const OVERRUN: u32 = 1 << 0;
const FRAMING: u32 = 1 << 2;

const FIFO: usize = 6;
const ENABLED: u32 = 4;
/// UART0.
#[derive(Clone, Debug)]
pub(crate) struct Uart {
    events: Events,
    rate: CoreRate,
    wire: Wire,
    enable: u32,
    baud: u32,
    config: u32,
    pins: [u32; 4],
    shorts: u32,
    error_source: u32,
    sending: Sending,
    receiving: Receiving,
    receiver_timeout: u64,
    received: VecDeque<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sending {
    Off,
    Idle,
    Byte {
        value: u8,
        end: u64,
    },
    /// The transmitter was stopped meanwhile: the byte is still sent, and none after it.
    LastByte {
        value: u8,
        end: u64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Receiving {
    Off,
    On,
}

impl Uart {
    pub(crate) fn new(rate: CoreRate, timing: UartTiming) -> Self {
        Self {
            events: Events::default(),
            rate,
            wire: Wire::new(rate, timing),
            enable: 0,
            // 250000 baud, the reset value.
            baud: 0x0400_0000,
            config: 0,
            pins: [u32::MAX; 4],
            shorts: 0,
            error_source: 0,
            sending: Sending::Off,
            receiving: Receiving::Off,
            receiver_timeout: NEVER,
            received: VecDeque::new(),
        }
    }

    /// The chip was reset: registers are lost, what is on the line or was seen outside is not.
    pub(crate) fn reset(&mut self) {
        let fresh = Self::new(self.rate, self.wire.timing());
        *self = Self { wire: std::mem::replace(&mut self.wire, fresh.wire.clone()), ..fresh };
    }

    /// The line that it hangs on.
    pub(crate) fn wire(&self) -> &Wire {
        &self.wire
    }

    /// The line that it hangs on.
    pub(crate) fn wire_mut(&mut self) -> &mut Wire {
        &mut self.wire
    }

    /// Core cycles of one frame at the rate that firmware set: the register is the rate times 2^32 / 16 MHz.
    fn frame(&self) -> u64 {
        self.wire.frame((Wire::FRAME_BITS << 32 << self.rate.tick_shift()) / u64::from(self.baud.max(1)))
    }

    fn is_enabled(&self) -> bool {
        self.enable == ENABLED
    }

    fn send(&mut self, value: u8, at: u64) -> EventSet {
        match self.sending {
            Sending::Idle if self.is_enabled() => {
                self.sending = Sending::Byte { value, end: at + self.frame() };
                if self.wire.timing() == UartTiming::Instant { self.finish_sending() } else { NONE }
            }
            // Undocumented; the byte is taken as lost, as firmware must wait for TXDRDY.
            Sending::Byte { .. } | Sending::LastByte { .. } => {
                self.wire.lose();
                NONE
            }
            _ => NONE,
        }
    }

    fn finish_sending(&mut self) -> EventSet {
        let (value, end, next) = match self.sending {
            Sending::Byte { value, end } => (value, end, Sending::Idle),
            Sending::LastByte { value, end } => (value, end, Sending::Off),
            Sending::Off | Sending::Idle => return NONE,
        };
        self.wire.send(end, value);
        self.sending = next;
        self.happen(SENT)
    }

    fn start_sending(&mut self) {
        self.sending = match self.sending {
            Sending::Off => Sending::Idle,
            Sending::LastByte { value, end } => Sending::Byte { value, end },
            under_way => under_way,
        };
    }

    fn stop_sending(&mut self) {
        self.sending = match self.sending {
            Sending::Idle => Sending::Off,
            Sending::Byte { value, end } => Sending::LastByte { value, end },
            stopped => stopped,
        };
    }

    fn sending_ends(&self) -> u64 {
        match self.sending {
            Sending::Byte { end, .. } | Sending::LastByte { end, .. } => end,
            Sending::Off | Sending::Idle => NEVER,
        }
    }

    fn happen(&mut self, events: EventSet) -> EventSet {
        self.events.happened |= events;
        events
    }

    fn receive(&mut self, frame: Frame) -> EventSet {
        if self.receiving == Receiving::Off || !self.is_enabled() {
            self.wire.lose();
            return NONE;
        }
        if !self.understands(frame.rate) {
            self.error_source |= FRAMING;
            return self.happen(ERROR);
        }
        if self.received.len() == FIFO {
            self.wire.lose();
            self.error_source |= OVERRUN;
            return self.happen(ERROR);
        }
        self.received.push_back(frame.value);
        // RXDRDY announces a byte in RXD; those behind it in the FIFO are announced as they move up.
        if self.received.len() == 1 { self.happen(RECEIVED) } else { NONE }
    }

    fn understands(&self, rate: Baud) -> bool {
        self.wire.understands((u64::from(self.baud) * 16_000_000) >> 32, rate)
    }
}

impl Peripheral for Uart {
    fn events(&mut self) -> &mut Events {
        &mut self.events
    }

    fn task(&mut self, offset: u32, at: u64) -> EventSet {
        match offset {
            0x000 if self.is_enabled() => self.receiving = Receiving::On,
            // Up to four bytes are still taken after STOPRX; the time-out is that of five frames.
            0x004 if self.receiving == Receiving::On => self.receiver_timeout = at + 5 * self.frame(),
            0x008 => self.start_sending(),
            0x00C => self.stop_sending(),
            0x01C => {
                self.receiving = Receiving::Off;
                self.receiver_timeout = NEVER;
                self.stop_sending();
            }
            _ => {}
        }
        NONE
    }

    fn read(&mut self, offset: u32, _: u64) -> u32 {
        match offset {
            0x200 => self.shorts,
            0x480 => self.error_source,
            0x500 => self.enable,
            0x508..=0x514 => self.pins[(offset as usize - 0x508) / 4],
            0x518 => {
                let value = self.received.pop_front().unwrap_or(0);
                if !self.received.is_empty() {
                    self.happen(RECEIVED);
                }
                u32::from(value)
            }
            0x524 => self.baud,
            0x56C => self.config,
            _ => 0,
        }
    }

    fn write(&mut self, offset: u32, value: u32, at: u64) -> EventSet {
        match offset {
            0x200 => self.shorts = value,
            0x480 => self.error_source &= !value,
            0x500 => self.enable = value,
            0x508..=0x514 => self.pins[(offset as usize - 0x508) / 4] = value,
            0x51C => return self.send(value as u8, at),
            0x524 => self.baud = value,
            0x56C => self.config = value,
            _ => {}
        }
        NONE
    }

    fn due(&self) -> u64 {
        let sent = self.sending_ends();
        sent.min(self.wire.due()).min(self.receiver_timeout)
    }

    fn advance(&mut self, at: u64) -> EventSet {
        let mut happened = NONE;
        if self.sending_ends() <= at {
            happened |= self.finish_sending();
        }
        if let Some(frame) = self.wire.arrived(at) {
            happened |= self.receive(frame);
        }
        if self.receiver_timeout <= at {
            self.receiver_timeout = NEVER;
            self.receiving = Receiving::Off;
            happened |= self.happen(RECEIVER_TIMEOUT);
        }
        happened
    }
}

#[cfg(test)]
mod tests {
    use brickproof_units::Instant;

    use super::*;
    use crate::chip::ConsoleByte;

    const RATE: Baud = Baud::new(115_200);

    fn open() -> Uart {
        let mut uart = Uart::new(CoreRate::Mhz16, UartTiming::Timed);
        uart.write(0x500, 4, 0);
        uart.write(0x524, 0x01D7_E000, 0);
        uart.task(0x000, 0);
        uart.task(0x008, 0);
        uart
    }

    #[test]
    fn a_byte_takes_ten_bits() {
        let mut uart = open();
        uart.write(0x51C, 0x41, 1000);
        assert_eq!(uart.due(), 1000 + 1388, "86.8 us at 16 MHz");
        assert_eq!(uart.advance(2388), SENT);
        assert_eq!(uart.wire.take_sent(), [ConsoleByte { at: Instant::from_nanos(149_250), value: 0x41 }]);
    }

    #[test]
    fn nothing_is_sent_before_start_or_while_disabled() {
        let mut uart = Uart::new(CoreRate::Mhz16, UartTiming::Instant);
        uart.write(0x51C, 1, 0);
        uart.task(0x008, 0);
        uart.write(0x51C, 2, 0);
        assert!(!uart.wire.has_sent());
        uart.write(0x500, 4, 0);
        assert_eq!(uart.write(0x51C, 3, 0), SENT);
    }

    #[test]
    fn a_transmitter_stopped_during_a_byte_sends_it_and_then_no_more() {
        let mut uart = open();
        uart.write(0x51C, 1, 0);
        uart.task(0x00C, 10);
        assert_eq!(uart.advance(uart.due()), SENT);
        uart.write(0x51C, 2, 2_000);
        assert_eq!(uart.due(), NEVER, "it is off");
        uart.task(0x008, 3_000);
        uart.write(0x51C, 3, 3_000);
        uart.task(0x00C, 3_010);
        uart.task(0x008, 3_020);
        uart.advance(uart.due());
        uart.write(0x51C, 4, 5_000);
        uart.advance(uart.due());
        let sent: Vec<u8> = uart.wire.take_sent().iter().map(|byte| byte.value).collect();
        assert_eq!(sent, [1, 3, 4], "started again before the byte ended, it was never off");
    }

    #[test]
    fn the_fifo_holds_six_bytes_and_announces_each() {
        let mut uart = open();
        let last = (0..7).map(|value| uart.wire.feed(0, value, RATE)).max().unwrap();
        assert_eq!(last, 7 * 1389);
        let mut happened = Vec::new();
        while uart.due() != NEVER {
            happened.push(uart.advance(uart.due()));
        }
        assert_eq!(happened, [RECEIVED, NONE, NONE, NONE, NONE, NONE, ERROR]);
        assert_eq!((uart.read(0x480, 0), uart.wire.lost()), (OVERRUN, 1));
        for value in 0..6 {
            uart.events.happened = 0;
            assert_eq!(uart.read(0x518, 0), value);
            assert_eq!(uart.events.happened == RECEIVED, value < 5);
        }
    }

    #[test]
    fn a_wrong_rate_is_a_framing_error() {
        let mut uart = open();
        uart.wire.feed(0, 0x55, Baud::new(57_600));
        assert_eq!(uart.advance(uart.due()), ERROR);
        assert_eq!(uart.read(0x480, 0), FRAMING);
        uart.wire.feed(0, 0x55, Baud::new(117_000));
        assert_eq!(uart.advance(uart.due()), RECEIVED);
    }

    #[test]
    fn stopping_takes_what_is_on_the_line_and_then_times_out() {
        let mut uart = open();
        uart.wire.feed(0, 9, RATE);
        uart.task(0x004, 10);
        assert_eq!(uart.advance(uart.due()), RECEIVED);
        assert_eq!(uart.advance(uart.due()), RECEIVER_TIMEOUT);
        uart.wire.feed(100_000, 9, RATE);
        uart.advance(uart.due());
        assert_eq!(uart.wire.lost(), 1);
    }
}
