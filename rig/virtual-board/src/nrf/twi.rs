//! TWI: the two-wire master without DMA, and the devices on its bus.
//!
//! Boundary: whole bytes with their acknowledge bits; clock stretching and arbitration do not occur. Source: nRF51 reference manual
//! v3.0, TWI. Where a byte boundary lies relative to RXDREADY was read from drivers that rely on it (the BB_SUSPEND and BB_STOP
//! shortcuts of nrfx_twi), not from silicon.

use std::fmt;

use crate::chip::CoreRate;
use crate::nrf::peripheral::{EventSet, Events, NEVER, NONE, Peripheral, event};

const STOPPED: EventSet = event(0x104);
const RECEIVED: EventSet = event(0x108);
const SENT: EventSet = event(0x11C);
const ERROR: EventSet = event(0x124);
const BYTE_BOUNDARY: EventSet = event(0x138);
const SUSPENDED: EventSet = event(0x148);

const BOUNDARY_SUSPENDS: u32 = 1 << 0;
const BOUNDARY_STOPS: u32 = 1 << 1;
const ADDRESS_NOT_ACKNOWLEDGED: u32 = 1 << 1;
const DATA_NOT_ACKNOWLEDGED: u32 = 1 << 2;
const ENABLED: u32 = 5;
/// Eight bits and the acknowledge bit.
const BYTE_BITS: u64 = 9;

/// Which way the bytes of a transfer go, seen from the master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the device.
    Write,
    /// From the device.
    Read,
}

/// What a device answers in the acknowledge bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledge {
    /// Yes.
    Ack,
    /// No, or nobody is there.
    Nack,
}

/// Devices on a two-wire bus. One value plays all devices of a bus and tells them apart by address.
pub trait TwoWireDevice: Send + Sync {
    /// A start (or repeated start) condition with this 7-bit address.
    fn start(&mut self, address: u8, direction: Direction) -> Acknowledge;
    /// The master sent a byte.
    fn write(&mut self, byte: u8) -> Acknowledge;
    /// The master reads a byte.
    fn read(&mut self) -> u8;
    /// A stop condition.
    fn stop(&mut self);
    /// A copy that goes its own way: boards are cloned together with what hangs on them.
    fn fork(&self) -> Box<dyn TwoWireDevice>;
}

/// A bus with whatever is on it.
pub(crate) struct TwoWireBus(Option<Box<dyn TwoWireDevice>>);

impl Clone for TwoWireBus {
    fn clone(&self) -> Self {
        Self(self.0.as_ref().map(|device| device.fork()))
    }
}

impl fmt::Debug for TwoWireBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "TwoWireBus(occupied)" } else { "TwoWireBus(empty)" })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    /// The address is on the bus.
    Addressing {
        end: u64,
        direction: Direction,
    },
    /// The device was addressed and the master has nothing to send yet.
    WaitingToSend,
    Sending {
        end: u64,
        byte: u8,
    },
    Receiving {
        end: u64,
    },
    /// A byte lies in RXD; the next is fetched when it has been read.
    Received,
    /// The clock is held until RESUME.
    Suspended {
        direction: Direction,
    },
    Stopping {
        end: u64,
    },
}

/// One TWI instance.
#[derive(Clone, Debug)]
pub(crate) struct Twi {
    events: Events,
    rate: CoreRate,
    bus: TwoWireBus,
    phase: Phase,
    shorts: u32,
    error_source: u32,
    enable: u32,
    pins: [u32; 2],
    frequency: u32,
    address: u8,
    received: u8,
    /// A byte written to TXD before the device was ready for it.
    to_send: Option<u8>,
    /// SUSPEND came while a byte was on the wire; it takes effect at the byte's end.
    suspend_asked: bool,
}

impl Twi {
    pub(crate) fn new(rate: CoreRate) -> Self {
        Self::with_bus(rate, TwoWireBus(None))
    }

    fn with_bus(rate: CoreRate, bus: TwoWireBus) -> Self {
        Self {
            events: Events::default(),
            rate,
            bus,
            phase: Phase::Idle,
            shorts: 0,
            error_source: 0,
            enable: 0,
            pins: [u32::MAX; 2],
            frequency: 0x0400_0000,
            address: 0,
            received: 0,
            to_send: None,
            suspend_asked: false,
        }
    }

    /// The chip was reset; the devices were not.
    pub(crate) fn reset(&mut self) {
        let bus = TwoWireBus(self.bus.0.take());
        *self = Self::with_bus(self.rate, bus);
    }

    pub(crate) fn attach(&mut self, device: Box<dyn TwoWireDevice>) {
        self.bus = TwoWireBus(Some(device));
    }

    /// Core cycles of `bits` on the wire: FREQUENCY is the rate times 2^32 / 16 MHz.
    fn wire_time(&self, bits: u64) -> u64 {
        (bits << 32 << self.rate.tick_shift()) / u64::from(self.frequency.max(1))
    }

    fn happen(&mut self, events: EventSet) -> EventSet {
        self.events.happened |= events;
        events
    }

    fn start(&mut self, direction: Direction, at: u64) {
        if self.enable == ENABLED {
            self.suspend_asked = false;
            // The start condition takes one more bit.
            self.phase = Phase::Addressing { end: at + self.wire_time(BYTE_BITS + 1), direction };
        }
    }

    fn fail(&mut self, source: u32) -> EventSet {
        self.error_source |= source;
        self.to_send = None;
        self.suspend_asked = false;
        self.phase = Phase::WaitingToSend;
        self.happen(ERROR)
    }

    fn addressed(&mut self, direction: Direction, at: u64) -> EventSet {
        let answer = match &mut self.bus.0 {
            Some(device) => device.start(self.address, direction),
            None => Acknowledge::Nack,
        };
        match (answer, direction) {
            (Acknowledge::Nack, _) => self.fail(ADDRESS_NOT_ACKNOWLEDGED),
            _ if self.suspend_asked => self.suspend(direction),
            (_, Direction::Read) => {
                self.receive(at);
                NONE
            }
            (_, Direction::Write) => {
                self.phase = Phase::WaitingToSend;
                self.send_next(at);
                NONE
            }
        }
    }

    fn receive(&mut self, at: u64) {
        self.phase = Phase::Receiving { end: at + self.wire_time(BYTE_BITS) };
    }

    fn send_next(&mut self, at: u64) {
        if let (Phase::WaitingToSend, Some(byte)) = (self.phase, self.to_send) {
            self.to_send = None;
            self.phase = Phase::Sending { end: at + self.wire_time(BYTE_BITS), byte };
        }
    }

    fn sent(&mut self, byte: u8, at: u64) -> EventSet {
        let answer = self.bus.0.as_mut().map_or(Acknowledge::Nack, |device| device.write(byte));
        if answer == Acknowledge::Nack {
            return self.fail(DATA_NOT_ACKNOWLEDGED);
        }
        self.phase = Phase::WaitingToSend;
        let happened = self.happen(SENT | BYTE_BOUNDARY) | self.take_shortcut(Direction::Write, at);
        self.send_next(at);
        happened
    }

    fn arrived(&mut self, at: u64) -> EventSet {
        self.received = self.bus.0.as_mut().map_or(0xFF, |device| device.read());
        self.phase = Phase::Received;
        self.happen(BYTE_BOUNDARY | RECEIVED) | self.take_shortcut(Direction::Read, at)
    }

    fn take_shortcut(&mut self, direction: Direction, at: u64) -> EventSet {
        if self.shorts & BOUNDARY_STOPS != 0 {
            self.stop(at);
            NONE
        } else if self.suspend_asked || self.shorts & BOUNDARY_SUSPENDS != 0 {
            self.suspend(direction)
        } else {
            NONE
        }
    }

    fn suspend(&mut self, direction: Direction) -> EventSet {
        self.suspend_asked = false;
        self.phase = Phase::Suspended { direction };
        self.happen(SUSPENDED)
    }

    fn stop(&mut self, at: u64) {
        self.to_send = None;
        self.suspend_asked = false;
        self.phase = Phase::Stopping { end: at + self.wire_time(1) };
    }
}

impl Peripheral for Twi {
    fn events(&mut self) -> &mut Events {
        &mut self.events
    }

    fn task(&mut self, offset: u32, at: u64) -> EventSet {
        match (offset, self.phase) {
            (0x000, _) => self.start(Direction::Read, at),
            (0x008, _) => self.start(Direction::Write, at),
            (0x014, _) => self.stop(at),
            (0x01C, Phase::WaitingToSend) => return self.suspend(Direction::Write),
            (0x01C, Phase::Received) => return self.suspend(Direction::Read),
            (0x01C, Phase::Addressing { .. } | Phase::Sending { .. } | Phase::Receiving { .. }) => {
                self.suspend_asked = true;
            }
            (0x020, _) if self.suspend_asked => self.suspend_asked = false,
            (0x020, Phase::Suspended { direction: Direction::Read }) => self.receive(at),
            (0x020, Phase::Suspended { direction: Direction::Write }) => {
                self.phase = Phase::WaitingToSend;
                self.send_next(at);
            }
            _ => {}
        }
        NONE
    }

    fn read(&mut self, offset: u32, at: u64) -> u32 {
        match offset {
            0x200 => self.shorts,
            0x4C4 => self.error_source,
            0x500 => self.enable,
            0x508 | 0x50C => self.pins[(offset as usize - 0x508) / 4],
            0x518 => {
                if self.phase == Phase::Received {
                    self.receive(at);
                }
                u32::from(self.received)
            }
            0x524 => self.frequency,
            0x588 => u32::from(self.address),
            _ => 0,
        }
    }

    fn write(&mut self, offset: u32, value: u32, at: u64) -> EventSet {
        match offset {
            0x200 => self.shorts = value,
            0x4C4 => self.error_source &= !value,
            0x500 => {
                self.enable = value;
                if value != ENABLED {
                    self.suspend_asked = false;
                    self.phase = Phase::Idle;
                }
            }
            0x508 | 0x50C => self.pins[(offset as usize - 0x508) / 4] = value,
            0x51C => {
                self.to_send = Some(value as u8);
                self.send_next(at);
            }
            0x524 => self.frequency = value,
            0x588 => self.address = value as u8 & 0x7F,
            _ => {}
        }
        NONE
    }

    fn due(&self) -> u64 {
        match self.phase {
            Phase::Addressing { end, .. }
            | Phase::Sending { end, .. }
            | Phase::Receiving { end }
            | Phase::Stopping { end } => end,
            Phase::Idle | Phase::WaitingToSend | Phase::Received | Phase::Suspended { .. } => NEVER,
        }
    }

    fn advance(&mut self, at: u64) -> EventSet {
        match self.phase {
            Phase::Addressing { direction, .. } => self.addressed(direction, at),
            Phase::Sending { byte, .. } => self.sent(byte, at),
            Phase::Receiving { .. } => self.arrived(at),
            Phase::Stopping { .. } => {
                if let Some(device) = &mut self.bus.0 {
                    device.stop();
                }
                self.phase = Phase::Idle;
                self.happen(STOPPED)
            }
            Phase::Idle | Phase::WaitingToSend | Phase::Received | Phase::Suspended { .. } => NONE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A register file at address 0x29 with an auto-incrementing pointer.
    #[derive(Clone, Default)]
    struct Registers {
        bytes: [u8; 4],
        pointer: Option<usize>,
    }

    impl TwoWireDevice for Registers {
        fn start(&mut self, address: u8, direction: Direction) -> Acknowledge {
            if direction == Direction::Write {
                self.pointer = None;
            }
            if address == 0x29 { Acknowledge::Ack } else { Acknowledge::Nack }
        }
        fn write(&mut self, byte: u8) -> Acknowledge {
            match &mut self.pointer {
                None => self.pointer = Some(byte as usize % 4),
                Some(pointer) => {
                    self.bytes[*pointer] = byte;
                    *pointer = (*pointer + 1) % 4;
                }
            }
            Acknowledge::Ack
        }
        fn read(&mut self) -> u8 {
            let pointer = self.pointer.get_or_insert(0);
            let byte = self.bytes[*pointer];
            *pointer = (*pointer + 1) % 4;
            byte
        }
        fn stop(&mut self) {}
        fn fork(&self) -> Box<dyn TwoWireDevice> {
            Box::new(self.clone())
        }
    }

    fn master(address: u32) -> Twi {
        let mut twi = Twi::new(CoreRate::Mhz16);
        twi.attach(Box::new(Registers { bytes: [0xA0, 0xA1, 0xA2, 0xA3], pointer: None }));
        twi.write(0x500, ENABLED, 0);
        twi.write(0x588, address, 0);
        twi
    }

    fn next(twi: &mut Twi) -> EventSet {
        let at = twi.due();
        assert_ne!(at, NEVER, "nothing is under way in {:?}", twi.phase);
        twi.advance(at)
    }

    #[test]
    fn an_absent_device_does_not_acknowledge() {
        let mut twi = master(0x30);
        twi.task(0x008, 0);
        twi.write(0x51C, 0, 0);
        assert_eq!(twi.due(), 640, "ten bits at 250 kHz");
        assert_eq!(next(&mut twi), ERROR);
        assert_eq!(twi.read(0x4C4, 0), ADDRESS_NOT_ACKNOWLEDGED);
        twi.task(0x014, 1000);
        assert_eq!(next(&mut twi), STOPPED);
    }

    #[test]
    fn a_register_is_written_and_read_back_with_a_repeated_start() {
        let mut twi = master(0x29);
        twi.task(0x008, 0);
        for byte in [2, 0x55] {
            twi.write(0x51C, byte, 0);
            while next(&mut twi) & SENT == 0 {}
        }
        twi.task(0x008, 10_000);
        twi.write(0x51C, 2, 10_000);
        while next(&mut twi) & SENT == 0 {}
        twi.write(0x200, BOUNDARY_SUSPENDS, 0);
        twi.task(0x000, 20_000);
        assert_eq!(next(&mut twi), NONE);
        assert_eq!(next(&mut twi), RECEIVED | BYTE_BOUNDARY | SUSPENDED);
        assert_eq!((twi.read(0x518, 0), twi.due()), (0x55, NEVER), "the clock is held until RESUME");
        twi.write(0x200, BOUNDARY_STOPS, 0);
        twi.task(0x020, 30_000);
        assert_eq!(next(&mut twi), RECEIVED | BYTE_BOUNDARY);
        assert_eq!(twi.read(0x518, 0), 0xA3);
        assert_eq!(next(&mut twi), STOPPED);
    }

    #[test]
    fn a_master_suspended_during_a_byte_holds_the_clock_after_it() {
        let mut twi = master(0x29);
        twi.task(0x008, 0);
        twi.write(0x51C, 2, 0);
        twi.task(0x01C, 10);
        assert_eq!(next(&mut twi), SUSPENDED, "after the address");
        assert_eq!(twi.due(), NEVER);
        twi.task(0x020, 1_000);
        twi.task(0x01C, 1_010);
        assert_eq!(next(&mut twi), SENT | BYTE_BOUNDARY | SUSPENDED);
        twi.write(0x51C, 0x55, 3_000);
        assert_eq!(twi.due(), NEVER);
        twi.task(0x020, 4_000);
        assert_eq!(next(&mut twi), SENT | BYTE_BOUNDARY);
        twi.task(0x000, 10_000);
        next(&mut twi);
        twi.task(0x01C, 11_000);
        twi.task(0x020, 11_010);
        assert_eq!(next(&mut twi), RECEIVED | BYTE_BOUNDARY, "RESUME takes it back");
        assert_eq!(twi.task(0x01C, 12_000), SUSPENDED);
    }

    #[test]
    fn a_fork_has_its_own_devices() {
        let mut twi = master(0x29);
        let mut fork = twi.clone();
        twi.task(0x000, 0);
        next(&mut twi);
        next(&mut twi);
        fork.task(0x000, 0);
        next(&mut fork);
        next(&mut fork);
        assert_eq!((twi.received, fork.received), (0xA0, 0xA0));
    }
}
