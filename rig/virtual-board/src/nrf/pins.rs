//! GPIO ports and GPIOTE: what the chip drives, what it is driven by, and tasks and events on pins.
//!
//! Boundary: levels, not currents. A pin is driven high, driven low or not at all; what hangs on it is the board's. Source: nRF51
//! reference manual v3.0, GPIO and GPIOTE; nRF52840 product specification v1.1 for the second port, LATCH, and SET and CLR tasks.

use crate::chip::{CoreRate, Drive, Level, Pin, PinEdge, PinSet};
use crate::nrf::peripheral::{EventSet, Events, NEVER, NONE, Peripheral, bits, event};
use crate::nrf::resources::PinResources;

const PORT_EVENT: EventSet = event(0x17C);
const IN0: EventSet = event(0x100);
const MOST_CHANNELS: usize = 8;

const DIRECTION: u32 = 1 << 0;
const INPUT_DISCONNECTED: u32 = 1 << 1;
/// DETECTMODE: DETECT is the "or" of LATCH.
const LDETECT: u32 = 1;
/// The reset value of PIN_CNF: input, buffer disconnected.
const PIN_RESET: u32 = INPUT_DISCONNECTED;

/// One port of 32 pins.
#[derive(Clone, Debug)]
struct Port {
    out: u32,
    config: [u32; 32],
    direction: u32,
    buffered: u32,
    pulled_up: u32,
    /// Pins whose output a GPIOTE channel in task mode owns, and what it makes of it.
    claimed: u32,
    claimed_out: u32,
    /// What the outside does.
    driven: u32,
    driven_high: u32,
    /// Outputs of which one half is disconnected (DRIVE 4 to 7).
    half_driven: u32,
    sense_high: u32,
    sense_low: u32,
    latch: u32,
    detect_mode: u32,
    detected: bool,
}

impl Port {
    fn new() -> Self {
        Self {
            out: 0,
            config: [PIN_RESET; 32],
            direction: 0,
            buffered: 0,
            pulled_up: 0,
            claimed: 0,
            claimed_out: 0,
            driven: 0,
            driven_high: 0,
            half_driven: 0,
            sense_high: 0,
            sense_low: 0,
            latch: 0,
            detect_mode: 0,
            detected: false,
        }
    }

    fn reset(&mut self) {
        *self = Self { driven: self.driven, driven_high: self.driven_high, ..Self::new() };
    }

    fn output(&self) -> u32 {
        self.out & !self.claimed | self.claimed_out & self.claimed
    }

    /// Pins that are driven high and pins that are driven low.
    fn drives(&self) -> (u32, u32) {
        let (output, driving) = (self.output(), self.direction | self.claimed);
        let (mut high, mut low) = (output & driving, !output & driving);
        // DRIVE 4 and 5 disconnect the low side, 6 and 7 the high side.
        for pin in bits(driving & self.half_driven) {
            if self.config[pin as usize] & 0x200 != 0 { high &= !(1 << pin) } else { low &= !(1 << pin) }
        }
        (high, low)
    }

    fn levels(&self) -> u32 {
        let (high, low) = self.drives();
        let outside = self.driven & self.driven_high | !self.driven & self.pulled_up;
        high | !low & outside
    }

    fn configure(&mut self, pin: usize, value: u32) {
        let bit = 1u32 << pin;
        self.config[pin] = value & 0x3_070F;
        let place = |set: &mut u32, member: bool| *set = if member { *set | bit } else { *set & !bit };
        place(&mut self.direction, value & DIRECTION != 0);
        place(&mut self.buffered, value & INPUT_DISCONNECTED == 0);
        place(&mut self.pulled_up, value >> 2 & 3 == 3);
        place(&mut self.half_driven, value & 0x400 != 0);
        place(&mut self.sense_high, value >> 16 & 3 == 2);
        place(&mut self.sense_low, value >> 16 & 3 == 3);
    }

    fn set_direction(&mut self, direction: u32) {
        for pin in bits(self.direction ^ direction) {
            self.config[pin as usize] ^= DIRECTION;
        }
        self.direction = direction;
    }

    /// Pins that make DETECT high: those whose SENSE condition is met, or with LDETECT those that met it since LATCH was cleared.
    fn detecting(&self) -> u32 {
        if self.detect_mode == LDETECT { self.latch } else { self.sensed() }
    }

    /// LATCH bits are cleared. What keeps LDETECT high makes it rise anew, so that none is missed.
    fn clear_latch(&mut self, value: u32) {
        self.latch &= !value;
        self.detected &= self.detect_mode != LDETECT;
    }

    /// Pins whose SENSE condition is met.
    fn sensed(&self) -> u32 {
        if self.sense_high | self.sense_low == 0 {
            return 0;
        }
        let levels = self.levels();
        levels & self.sense_high | !levels & self.sense_low
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Channel {
    Disabled,
    Event { pin: Pin, polarity: Polarity },
    Task { pin: Pin, polarity: Polarity },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Polarity {
    None,
    Rising,
    Falling,
    Toggle,
}

/// How a GPIOTE task changes its pin.
#[derive(Clone, Copy)]
enum PinTask {
    Polarity,
    Set,
    Clear,
}

/// All ports and GPIOTE.
#[derive(Clone, Debug)]
pub(crate) struct Pins {
    events: Events,
    rate: CoreRate,
    resources: PinResources,
    ports: Vec<Port>,
    channels: [Channel; MOST_CHANNELS],
    channel_registers: [u32; MOST_CHANNELS],
    /// Channels in event mode.
    event_channels: u32,
    /// What event channels saw last.
    levels: [u32; 2],
    watched: PinSet,
    /// Which of the watched pins are driven high, and which low, as last logged.
    logged: [(u32, u32); 2],
    edges: Vec<PinEdge>,
}

impl Pins {
    pub(crate) fn new(rate: CoreRate, resources: PinResources, watched: PinSet) -> Self {
        Self {
            events: Events::default(),
            rate,
            resources,
            ports: vec![Port::new(); resources.ports],
            channels: [Channel::Disabled; MOST_CHANNELS],
            channel_registers: [0; MOST_CHANNELS],
            event_channels: 0,
            levels: [0; 2],
            watched,
            logged: [(0, 0); 2],
            edges: Vec::new(),
        }
    }

    /// The chip was reset: every pin is released. What the outside does stays.
    pub(crate) fn reset(&mut self, at: u64) {
        self.ports.iter_mut().for_each(Port::reset);
        self.reset_tasks_and_events(at);
    }

    /// The chip was reset but for GPIO: GPIOTE lets its pins go and watches none.
    pub(crate) fn reset_tasks_and_events(&mut self, at: u64) {
        self.ports.iter_mut().for_each(|port| port.claimed = 0);
        self.events = Events { routed: self.events.routed, ..Events::default() };
        self.channels = [Channel::Disabled; MOST_CHANNELS];
        self.channel_registers = [0; MOST_CHANNELS];
        self.event_channels = 0;
        (0..self.ports.len()).for_each(|port| self.log(port, at));
    }

    /// Changes what the outside does to a pin. A pin that the part does not have is nobody's.
    pub(crate) fn drive_from_outside(&mut self, pin: Pin, level: Level) -> EventSet {
        let (port_number, number) = pin.place();
        let Some(port) = self.ports.get_mut(port_number) else { return NONE };
        let bit = 1 << number;
        port.driven = if level == Level::Floating { port.driven & !bit } else { port.driven | bit };
        port.driven_high = if level == Level::High { port.driven_high | bit } else { port.driven_high & !bit };
        self.observe()
    }

    /// What the outside does to `pin`.
    pub(crate) fn outside(&self, pin: Pin) -> Level {
        let (port, number) = pin.place();
        let Some(port) = self.ports.get(port) else { return Level::Floating };
        match (port.driven >> number & 1, port.driven_high >> number & 1) {
            (0, _) => Level::Floating,
            (_, 0) => Level::Low,
            _ => Level::High,
        }
    }

    /// What the chip does to `pin`.
    pub(crate) fn drive(&self, pin: Pin) -> Drive {
        let (port, number) = pin.place();
        let (high, low) = self.ports.get(port).map_or((0, 0), Port::drives);
        match (high >> number & 1, low >> number & 1) {
            (1, _) => Drive::High,
            (_, 1) => Drive::Low,
            _ => Drive::Released,
        }
    }

    /// The pins that are driven high.
    pub(crate) fn driven_high(&self) -> PinSet {
        PinSet::of_nrf(self.ports.iter().map(|port| port.drives().0))
    }

    /// Whether a pin meets its SENSE condition, which wakes the chip from System OFF.
    pub(crate) fn detects(&self) -> bool {
        self.ports.iter().any(|port| port.detecting() != 0)
    }

    pub(crate) fn edges(&self) -> &[PinEdge] {
        &self.edges
    }

    /// The buffer stays: an LED fills it several hundred times a second.
    pub(crate) fn drain_edges(&mut self) -> std::vec::Drain<'_, PinEdge> {
        self.edges.drain(..)
    }

    /// Reads a register of GPIO port `port`.
    pub(crate) fn read_port(&mut self, port: usize, offset: u32) -> u32 {
        let Some(port) = self.ports.get_mut(port) else { return 0 };
        match offset {
            0x504 | 0x508 | 0x50C => port.out,
            0x510 => port.levels() & port.buffered,
            0x514 | 0x518 | 0x51C => port.direction,
            0x520 if self.resources.latch => port.latch,
            0x524 => port.detect_mode,
            0x700..=0x77C => port.config[(offset as usize - 0x700) / 4],
            _ => 0,
        }
    }

    /// Writes a register of GPIO port `number` at the cycle `at`. Answers GPIOTE's events.
    pub(crate) fn write_port(&mut self, number: usize, offset: u32, value: u32, at: u64) -> EventSet {
        let Some(port) = self.ports.get_mut(number) else { return NONE };
        match offset {
            0x504 => port.out = value,
            0x508 => port.out |= value,
            0x50C => port.out &= !value,
            0x514 => port.set_direction(value),
            0x518 => port.set_direction(port.direction | value),
            0x51C => port.set_direction(port.direction & !value),
            0x520 => port.clear_latch(value),
            0x524 if self.resources.latch => port.detect_mode = value & 1,
            0x700..=0x77C => port.configure((offset as usize - 0x700) / 4, value),
            _ => return NONE,
        }
        self.log(number, at);
        self.observe()
    }

    /// Writes CONFIG of a GPIOTE channel: MODE, PSEL (with the port in bit 13), POLARITY, OUTINIT.
    fn configure_channel(&mut self, channel: usize, value: u32, at: u64) -> EventSet {
        // Other channels see what releasing and claiming does to a pin; a channel that begins to watch one does not.
        self.look_at_levels();
        self.event_channels &= !(1 << channel);
        let released = std::mem::replace(&mut self.channels[channel], Channel::Disabled);
        if let Channel::Task { pin, .. } = released {
            let (port, bit) = pin.place();
            self.ports[port].claimed &= !(1 << bit);
        }
        let configured = self.channel_of(value);
        if let Channel::Task { pin, .. } = configured {
            let (port, bit) = pin.place();
            let port = &mut self.ports[port];
            port.claimed |= 1 << bit;
            port.claimed_out = port.claimed_out & !(1 << bit) | (value >> 20 & 1) << bit;
        }
        (0..self.ports.len()).for_each(|port| self.log(port, at));
        let happened = self.observe();
        self.look_at_levels();
        self.channel_registers[channel] = value;
        self.event_channels |= u32::from(matches!(configured, Channel::Event { .. })) << channel;
        self.channels[channel] = configured;
        happened
    }

    fn channel_of(&self, value: u32) -> Channel {
        let number = (value >> 8 & 31) as u8;
        let pin = if value >> 13 & 1 == 1 && self.ports.len() > 1 { Pin::p1(number) } else { Pin::p0(number) };
        let polarity =
            [Polarity::None, Polarity::Rising, Polarity::Falling, Polarity::Toggle][(value >> 16 & 3) as usize];
        match value & 3 {
            1 => Channel::Event { pin, polarity },
            3 => Channel::Task { pin, polarity },
            _ => Channel::Disabled,
        }
    }

    /// While no channel watches, nobody keeps up with the levels.
    fn look_at_levels(&mut self) {
        for (levels, port) in self.levels.iter_mut().zip(&self.ports) {
            *levels = port.levels();
        }
    }

    /// Compares the pins with what was seen last; answers the events of what changed.
    fn observe(&mut self) -> EventSet {
        if !self.is_observed() {
            return NONE;
        }
        let mut happened = NONE;
        let before = self.levels;
        for (number, port) in self.ports.iter_mut().enumerate() {
            self.levels[number] = port.levels();
            port.latch |= port.sensed();
            // DETECT is the "or" of all pins, so a second pin that joins raises no second event.
            let detects = port.detecting() != 0;
            if detects && !port.detected {
                happened |= PORT_EVENT;
            }
            port.detected = detects;
        }
        if before != self.levels {
            happened |= self.channel_events(before);
        }
        self.events.happened |= happened;
        happened
    }

    /// Whether anything waits for a change on a pin. Nearly always nothing does, and an LED is toggled hundreds of times a second.
    fn is_observed(&self) -> bool {
        self.event_channels != 0
            || self.ports.iter().any(|port| port.sense_high | port.sense_low | port.latch != 0 || port.detected)
    }

    fn channel_events(&self, before: [u32; 2]) -> EventSet {
        let mut happened = NONE;
        for (number, channel) in self.channels.iter().enumerate() {
            let Channel::Event { pin, polarity } = channel else { continue };
            let (port, bit) = pin.place();
            let (was, is) = (before[port] >> bit & 1, self.levels[port] >> bit & 1);
            let counts = match polarity {
                Polarity::None => false,
                Polarity::Rising => was < is,
                Polarity::Falling => was > is,
                Polarity::Toggle => was != is,
            };
            happened |= if counts { IN0 << number } else { NONE };
        }
        happened
    }

    /// Logs what changed on watched pins of port `number`.
    fn log(&mut self, number: usize, at: u64) {
        let watched = self.watched.of_nrf_port(number);
        if watched == 0 {
            return;
        }
        let (high, low) = self.ports[number].drives();
        let (high, low) = (high & watched, low & watched);
        let (was_high, was_low) = std::mem::replace(&mut self.logged[number], (high, low));
        for bit in bits((high ^ was_high) | (low ^ was_low)) {
            let drive = match (high >> bit & 1, low >> bit & 1) {
                (1, _) => Drive::High,
                (_, 1) => Drive::Low,
                _ => Drive::Released,
            };
            let at = self.rate.instant(at);
            self.edges.push(PinEdge { at, pin: Pin::of_nrf(number, bit), drive });
        }
    }
}

impl Peripheral for Pins {
    fn events(&mut self) -> &mut Events {
        &mut self.events
    }

    fn task(&mut self, offset: u32, at: u64) -> EventSet {
        let (channel, task) = match offset {
            0x000..=0x01C => (offset / 4, PinTask::Polarity),
            0x030..=0x04C => ((offset - 0x30) / 4, PinTask::Set),
            0x060..=0x07C => ((offset - 0x60) / 4, PinTask::Clear),
            _ => return NONE,
        };
        if matches!(task, PinTask::Set | PinTask::Clear) && !self.resources.set_and_clear {
            return NONE;
        }
        let Channel::Task { pin, polarity } = self.channels[channel as usize] else { return NONE };
        let (number, bit) = pin.place();
        let Some(port) = self.ports.get_mut(number) else { return NONE };
        let was = port.claimed_out >> bit & 1;
        let high = match (task, polarity) {
            (PinTask::Set, _) | (PinTask::Polarity, Polarity::Rising) => 1,
            (PinTask::Clear, _) | (PinTask::Polarity, Polarity::Falling) => 0,
            (PinTask::Polarity, Polarity::Toggle) => was ^ 1,
            (PinTask::Polarity, Polarity::None) => was,
        };
        port.claimed_out = port.claimed_out & !(1 << bit) | high << bit;
        self.log(number, at);
        self.observe()
    }

    fn read(&mut self, offset: u32, _: u64) -> u32 {
        match offset {
            0x510..=0x52C => self.channel_registers[(offset as usize - 0x510) / 4],
            _ => 0,
        }
    }

    fn write(&mut self, offset: u32, value: u32, at: u64) -> EventSet {
        match offset {
            0x510..=0x52C if (offset as usize - 0x510) / 4 < self.resources.channels => {
                self.configure_channel((offset as usize - 0x510) / 4, value, at)
            }
            _ => NONE,
        }
    }

    fn due(&self) -> u64 {
        NEVER
    }

    fn advance(&mut self, _: u64) -> EventSet {
        NONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nrf::Part;
    use crate::nrf::resources::Resources;

    const LED: Pin = Pin::p0(13);
    const NOW: u64 = 0;

    fn pins() -> Pins {
        let resources = Resources::of(Part::Nrf52840).pins;
        Pins::new(CoreRate::Mhz64, resources, [LED, Pin::p1(2)].into_iter().collect())
    }

    fn drives(pins: &mut Pins) -> Vec<(Pin, Drive)> {
        pins.drain_edges().map(|edge| (edge.pin, edge.drive)).collect()
    }

    #[test]
    fn only_watched_pins_that_change_make_edges() {
        let mut pins = pins();
        pins.write_port(0, 0x508, 1 << 13 | 1 << 14, NOW);
        assert_eq!(drives(&mut pins), [], "not an output yet");
        pins.write_port(0, 0x518, 1 << 13 | 1 << 14, NOW);
        pins.write_port(0, 0x508, 1 << 13, NOW);
        pins.write_port(0, 0x50C, 1 << 13, NOW);
        pins.write_port(1, 0x708, 1, NOW);
        pins.reset(NOW);
        let p1 = Pin::p1(2);
        let expected =
            [(LED, Drive::High), (LED, Drive::Low), (p1, Drive::Low), (LED, Drive::Released), (p1, Drive::Released)];
        assert_eq!(drives(&mut pins), expected);
    }

    #[test]
    fn an_open_drain_output_releases_instead_of_driving_high() {
        let mut pins = pins();
        pins.write_port(0, 0x734, 1 | 6 << 8, NOW);
        pins.write_port(0, 0x508, 1 << 13, NOW);
        assert_eq!(drives(&mut pins), [(LED, Drive::Low), (LED, Drive::Released)]);
    }

    #[test]
    fn an_input_reads_what_is_outside_or_its_pull_and_only_when_connected() {
        let mut pins = pins();
        let button = Pin::p0(17);
        let read = |pins: &mut Pins| pins.read_port(0, 0x510) >> 17 & 1;
        pins.write_port(0, 0x744, 3 << 2, NOW);
        assert_eq!(read(&mut pins), 1, "pulled up");
        pins.drive_from_outside(button, Level::Low);
        assert_eq!(read(&mut pins), 0);
        pins.drive_from_outside(button, Level::Floating);
        pins.write_port(0, 0x744, 0, NOW);
        assert_eq!(read(&mut pins), 0, "floating");
        pins.drive_from_outside(button, Level::High);
        assert_eq!(read(&mut pins), 1);
        pins.write_port(0, 0x744, INPUT_DISCONNECTED, NOW);
        assert_eq!(read(&mut pins), 0, "the input buffer is off");
    }

    #[test]
    fn direction_and_pin_configuration_are_the_same_bit() {
        let mut pins = pins();
        pins.write_port(0, 0x518, 1 << 5, NOW);
        assert_eq!(pins.read_port(0, 0x714), PIN_RESET | DIRECTION);
        pins.write_port(0, 0x714, 0, NOW);
        assert_eq!(pins.read_port(0, 0x514), 0);
    }

    #[test]
    fn a_task_channel_owns_its_pin() {
        let mut pins = pins();
        pins.write(0x510, 3 | 13 << 8 | 3 << 16 | 1 << 20, 0);
        pins.task(0x000, NOW);
        pins.write_port(0, 0x508, 1 << 13, NOW);
        pins.task(0x030, NOW);
        pins.task(0x060, NOW);
        pins.write(0x510, 0, NOW);
        let claimed = [Drive::High, Drive::Low, Drive::High, Drive::Low].map(|drive| (LED, drive));
        assert_eq!(drives(&mut pins), [&claimed[..], &[(LED, Drive::Released)]].concat());
    }

    #[test]
    fn what_claiming_and_releasing_does_to_a_pin_is_an_event_to_other_channels_only() {
        let mut pins = pins();
        let claim = |out: u32| 3 | 13 << 8 | 3 << 16 | out << 20;
        let watch = 1 | 13 << 8 | 3 << 16;
        assert_eq!(pins.write(0x514, watch, NOW), NONE);
        assert_eq!(pins.write(0x510, claim(1), NOW), IN0 << 1, "it rises to OUTINIT");
        assert_eq!(pins.write(0x510, claim(1), NOW), NONE, "claimed again");
        assert_eq!(pins.write(0x510, watch, NOW), IN0 << 1, "it falls as it is released");
    }

    #[test]
    fn event_channels_follow_their_polarity_and_port_events_the_sense() {
        let mut pins = pins();
        let button = Pin::p0(17);
        pins.write_port(0, 0x744, 3 << 2 | 3 << 16, NOW);
        pins.write(0x514, 1 | 17 << 8 | 2 << 16, 0);
        assert_eq!(pins.drive_from_outside(button, Level::Low), PORT_EVENT | IN0 << 1);
        assert_eq!(pins.drive_from_outside(button, Level::High), NONE);
        assert_eq!(pins.read_port(0, 0x520), 1 << 17, "latched");
        assert!(!pins.detects());
    }

    #[test]
    fn latched_detection_asks_again_for_what_is_still_latched() {
        let mut pins = pins();
        for (pin, register) in [(17, 0x744), (18, 0x748)] {
            pins.drive_from_outside(Pin::p0(pin), Level::High);
            pins.write_port(0, register, 3 << 16, NOW);
        }
        pins.write_port(0, 0x524, LDETECT, NOW);
        assert_eq!(pins.drive_from_outside(Pin::p0(17), Level::Low), PORT_EVENT);
        assert_eq!(pins.drive_from_outside(Pin::p0(17), Level::High), NONE);
        assert!(pins.detects(), "a short press is not forgotten");
        assert_eq!(pins.drive_from_outside(Pin::p0(18), Level::Low), NONE);
        assert_eq!(pins.write_port(0, 0x520, 1 << 17, NOW), PORT_EVENT, "pin 18 is still to be seen to");
        assert_eq!(pins.write_port(0, 0x520, 1 << 18, NOW), PORT_EVENT, "and is still low");
        pins.drive_from_outside(Pin::p0(18), Level::High);
        assert_eq!(pins.write_port(0, 0x520, 1 << 18, NOW), NONE);
        assert!(!pins.detects());
    }

    #[test]
    fn the_nrf51_has_four_channels_without_set_and_clear_and_no_latch() {
        let mut pins = Pins::new(CoreRate::Mhz16, Resources::of(Part::Nrf51822).pins, [LED].into_iter().collect());
        pins.write(0x520, 3 | 13 << 8 | 1 << 20, NOW);
        assert_eq!((pins.read(0x520, NOW), drives(&mut pins)), (0, vec![]), "there is no channel 4");
        pins.write(0x51C, 3 | 13 << 8 | 3 << 16, NOW);
        pins.task(0x30 + 12, NOW);
        assert_eq!(drives(&mut pins), [(LED, Drive::Low)], "SET does nothing");
        pins.task(12, NOW);
        assert_eq!(drives(&mut pins), [(LED, Drive::High)]);
        pins.write_port(0, 0x744, 2 << 16, NOW);
        pins.write_port(0, 0x524, 1, NOW);
        pins.drive_from_outside(Pin::p0(17), Level::High);
        assert_eq!((pins.read_port(0, 0x520), pins.read_port(0, 0x524)), (0, 0));
    }
}
