//! GPIO: what the chip drives, and what it is driven by.
//!
//! Boundary: levels, not currents. A pin that a peripheral owns (MODER: alternate function) counts as released, because peripherals are not
//! wired to pins here. Source: RM0033, chapter 6.

use super::RATE;
use crate::chip::{Drive, Level, Pin, PinEdge, PinSet};

/// GPIOA to GPIOD; the package has no pins of the others.
pub(super) const PORTS: usize = 4;

/// The debug pins (PA13 to PA15, PB3, PB4) are not inputs after reset.
const MODES_AT_RESET: [u32; PORTS] = [0xA800_0000, 0x280, 0, 0];
const PULLS_AT_RESET: [u32; PORTS] = [0x6400_0000, 0x100, 0, 0];

const OUTPUT: u32 = 1;
const ANALOG: u32 = 3;
const PULL_UP: u32 = 1;

/// The pins of a port whose two bits in `register` are `value`.
fn pins_with(register: u32, value: u32) -> u16 {
    // Pairs that differ are not zero; each is folded onto its low bit, and those bits are brought together.
    let differs = register ^ (0x5555_5555 * value);
    let mut same = !(differs | differs >> 1) & 0x5555_5555;
    for (shift, kept) in [(1, 0x3333_3333), (2, 0x0F0F_0F0F), (4, 0x00FF_00FF), (8, 0x0000_FFFF)] {
        same = (same | same >> shift) & kept;
    }
    same as u16
}

#[derive(Clone, Debug)]
struct Port {
    modes: u32,
    open_drain: u16,
    speeds: u32,
    pulls: u32,
    out: u16,
    functions: [u32; 2],
    /// Of `modes` and `pulls`, pin by pin.
    outputs: u16,
    readable: u16,
    pulled_up: u16,
    /// What the outside does.
    driven: u16,
    driven_high: u16,
    logged: (u16, u16),
}

impl Port {
    fn new(number: usize) -> Self {
        let mut port = Self {
            modes: MODES_AT_RESET[number],
            open_drain: 0,
            speeds: 0,
            pulls: PULLS_AT_RESET[number],
            out: 0,
            functions: [0; 2],
            outputs: 0,
            readable: 0,
            pulled_up: 0,
            driven: 0,
            driven_high: 0,
            logged: (0, 0),
        };
        port.configured();
        port
    }

    fn configured(&mut self) {
        self.outputs = pins_with(self.modes, OUTPUT);
        self.readable = !pins_with(self.modes, ANALOG);
        self.pulled_up = pins_with(self.pulls, PULL_UP);
    }

    /// Pins that are driven high and pins that are driven low.
    fn drives(&self) -> (u16, u16) {
        (self.outputs & self.out & !self.open_drain, self.outputs & !self.out)
    }

    fn levels(&self) -> u16 {
        let (high, low) = self.drives();
        let outside = self.driven & self.driven_high | !self.driven & self.pulled_up;
        high | !low & outside
    }

    fn read(&self, offset: u32) -> u32 {
        match offset {
            0x00 => self.modes,
            0x04 => self.open_drain.into(),
            0x08 => self.speeds,
            0x0C => self.pulls,
            0x10 => (self.levels() & self.readable).into(),
            0x14 => self.out.into(),
            0x20 => self.functions[0],
            0x24 => self.functions[1],
            _ => 0,
        }
    }

    fn write(&mut self, offset: u32, value: u32) {
        match offset {
            0x00 => self.modes = value,
            0x04 => self.open_drain = value as u16,
            0x08 => self.speeds = value,
            0x0C => self.pulls = value,
            0x14 => self.out = value as u16,
            // BSRR: where both are asked for, setting wins.
            0x18 => self.out = self.out & !((value >> 16) as u16) | value as u16,
            0x20 => self.functions[0] = value,
            0x24 => self.functions[1] = value,
            _ => return,
        }
        if matches!(offset, 0x00 | 0x0C) {
            self.configured();
        }
    }
}

/// All ports.
#[derive(Clone, Debug)]
pub(super) struct Gpio {
    ports: [Port; PORTS],
    watched: PinSet,
    edges: Vec<PinEdge>,
}

impl Gpio {
    pub(super) fn new(watched: PinSet) -> Self {
        Self { ports: [0, 1, 2, 3].map(Port::new), watched, edges: Vec::new() }
    }

    /// The chip was reset: every pin is released. What the outside does stays.
    pub(super) fn reset(&mut self, at: u64) {
        for number in 0..PORTS {
            let Port { driven, driven_high, logged, .. } = self.ports[number];
            self.ports[number] = Port { driven, driven_high, logged, ..Port::new(number) };
            self.log(number, at);
        }
    }

    pub(super) fn drive_from_outside(&mut self, pin: Pin, level: Level) {
        let Some((port, number)) = pin.stm32_place() else { return };
        let (port, bit) = (&mut self.ports[port], 1 << number);
        port.driven = if level == Level::Floating { port.driven & !bit } else { port.driven | bit };
        port.driven_high = if level == Level::High { port.driven_high | bit } else { port.driven_high & !bit };
    }

    pub(super) fn drive(&self, pin: Pin) -> Drive {
        let Some((port, number)) = pin.stm32_place() else { return Drive::Released };
        let (high, low) = self.ports[port].drives();
        Drive::of(high >> number & 1 == 1, low >> number & 1 == 1)
    }

    /// What the outside does to a pin.
    pub(super) fn outside(&self, pin: Pin) -> Level {
        let Some((port, number)) = pin.stm32_place() else { return Level::Floating };
        let port = &self.ports[port];
        match (port.driven >> number & 1, port.driven_high >> number & 1) {
            (0, _) => Level::Floating,
            (_, 0) => Level::Low,
            _ => Level::High,
        }
    }

    pub(super) fn driven_high(&self) -> PinSet {
        PinSet::of_stm32(self.ports.iter().map(|port| port.drives().0))
    }

    pub(super) fn edges(&self) -> usize {
        self.edges.len()
    }

    /// The buffer stays: an LED fills it several hundred times a second.
    pub(super) fn drain_edges(&mut self) -> std::vec::Drain<'_, PinEdge> {
        self.edges.drain(..)
    }

    pub(super) fn read(&self, port: usize, offset: u32) -> u32 {
        self.ports[port].read(offset)
    }

    pub(super) fn write(&mut self, port: usize, offset: u32, value: u32, at: u64) {
        self.ports[port].write(offset, value);
        self.log(port, at);
    }

    /// Logs what changed on watched pins of a port.
    fn log(&mut self, number: usize, at: u64) {
        let watched = self.watched.of_stm32_port(number);
        let port = &mut self.ports[number];
        let (high, low) = port.drives();
        let (high, low) = (high & watched, low & watched);
        let (was_high, was_low) = std::mem::replace(&mut port.logged, (high, low));
        let mut changed = (high ^ was_high) | (low ^ was_low);
        while changed != 0 {
            let bit = changed.trailing_zeros();
            changed &= changed - 1;
            let drive = Drive::of(high >> bit & 1 == 1, low >> bit & 1 == 1);
            self.edges.push(PinEdge { at: RATE.instant(at), pin: Pin::of_stm32(number, bit), drive });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LED: Pin = Pin::pa(1);
    const BUTTON: Pin = Pin::pc(2);

    #[test]
    fn an_output_drives_and_its_edges_are_logged() {
        let mut gpio = Gpio::new([LED].into_iter().collect());
        gpio.write(0, 0x18, 1 << 1, 0);
        assert_eq!((gpio.drive(LED), gpio.edges()), (Drive::Released, 0));
        gpio.write(0, 0x00, 0xA800_0000 | 1 << 2, 16);
        gpio.write(0, 0x18, 1 << 17, 32);
        gpio.write(0, 0x18, 1 << 17 | 1 << 1, 48);
        gpio.reset(64);
        let drives: Vec<Drive> = gpio.drain_edges().map(|edge| edge.drive).collect();
        assert_eq!(drives, [Drive::High, Drive::Low, Drive::High, Drive::Released]);
    }

    #[test]
    fn an_input_reads_the_outside_and_else_its_pull() {
        let mut gpio = Gpio::new(PinSet::default());
        assert_eq!(gpio.read(2, 0x10), 0);
        gpio.write(2, 0x0C, 1 << 4, 0);
        assert_eq!(gpio.read(2, 0x10), 1 << 2);
        gpio.drive_from_outside(BUTTON, Level::Low);
        assert_eq!(gpio.read(2, 0x10), 0);
        gpio.drive_from_outside(Pin::p0(2), Level::High);
        assert_eq!(gpio.read(0, 0x10) & 4, 0, "a pin of another family is nobody's");
    }

    proptest! {
        #[test]
        fn pairs_of_bits_are_taken_pin_by_pin(register: u32, value in 0u32..4) {
            let expected = (0..16).filter(|pin| register >> (2 * pin) & 3 == value).fold(0u16, |set, pin| set | 1 << pin);
            prop_assert_eq!(pins_with(register, value), expected);
        }
    }
}
