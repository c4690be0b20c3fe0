//! RTC: counts the 32768 Hz clock.
//!
//! Boundary: one instance. It stands still while no low-frequency clock runs; CLOCK tells it so. Source: nRF51 reference manual
//! v3.0, chapter RTC.

use crate::chip::CoreRate;
use crate::nrf::peripheral::{EventSet, Events, NEVER, NONE, Peripheral, event};

const TICK: EventSet = event(0x100);
const OVERFLOW: EventSet = event(0x104);
const COMPARE0: EventSet = event(0x140);
const MASK: u32 = 0xFF_FFFF;

/// Whether the 32768 Hz clock runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LowFrequencyClock {
    Stopped,
    Running,
}

/// One RTC instance.
#[derive(Clone, Debug)]
pub(crate) struct Rtc {
    events: Events,
    rate: CoreRate,
    channels: usize,
    clock: LowFrequencyClock,
    started: bool,
    /// The counter had the value `counted` at the 32768 Hz tick `since`.
    counted: u32,
    since: u64,
    prescaler: u32,
    routing: EventSet,
    compare: [u32; 4],
    due: u64,
}

impl Rtc {
    /// With so many compare channels, at most four.
    pub(crate) fn new(rate: CoreRate, channels: usize) -> Self {
        Self {
            events: Events::default(),
            rate,
            channels: channels.min(4),
            clock: LowFrequencyClock::Stopped,
            started: false,
            counted: 0,
            since: 0,
            prescaler: 0,
            routing: NONE,
            compare: [0; 4],
            due: NEVER,
        }
    }

    /// The 32768 Hz clock started or stopped.
    pub(crate) fn clock_changed(&mut self, clock: LowFrequencyClock, at: u64) {
        self.rebase(at);
        self.clock = clock;
        self.reschedule();
    }

    fn counts(&self) -> bool {
        self.started && self.clock == LowFrequencyClock::Running
    }

    fn ticks_per_count(&self) -> u64 {
        u64::from(self.prescaler) + 1
    }

    fn count(&self, at: u64) -> u32 {
        if !self.counts() {
            return self.counted;
        }
        let ticks = self.rate.low_frequency_ticks(at).saturating_sub(self.since);
        self.counted.wrapping_add((ticks / self.ticks_per_count()) as u32) & MASK
    }

    /// Moves the start of counting to the last whole count; a counter that stood still starts from the present tick.
    fn rebase(&mut self, at: u64) {
        let tick = self.rate.low_frequency_ticks(at);
        let count = self.count(at);
        let phase = if self.counts() { tick.saturating_sub(self.since) % self.ticks_per_count() } else { 0 };
        self.counted = count;
        self.since = tick - phase;
    }

    /// Events that are generated at all: those enabled for the PPI or for an interrupt.
    fn generated(&self) -> EventSet {
        self.routing | self.events.interrupting
    }

    fn noticed(&self, events: EventSet) -> bool {
        self.events.matter(events & self.generated())
    }

    fn reschedule(&mut self) {
        self.due = self.next_event();
    }

    fn next_event(&self) -> u64 {
        if !self.counts() {
            return NEVER;
        }
        let counts_until = |value: u32| {
            let distance = value.wrapping_sub(self.counted) & MASK;
            if distance == 0 { u64::from(MASK) + 1 } else { u64::from(distance) }
        };
        let compares = (0..self.channels)
            .filter(|channel| self.noticed(COMPARE0 << channel))
            .map(|channel| counts_until(self.compare[channel] & MASK));
        let overflow = self.noticed(OVERFLOW).then(|| counts_until(0));
        let tick = self.noticed(TICK).then_some(1);
        let soonest = compares.chain(overflow).chain(tick).min();
        soonest.map_or(NEVER, |counts| self.rate.low_frequency_cycle(self.since + counts * self.ticks_per_count()))
    }
}

impl Peripheral for Rtc {
    fn events(&mut self) -> &mut Events {
        &mut self.events
    }

    fn task(&mut self, offset: u32, at: u64) -> EventSet {
        self.rebase(at);
        match offset {
            0x000 => self.started = true,
            0x004 => self.started = false,
            0x008 => self.counted = 0,
            // TRIGOVRFLW: sixteen counts before the overflow.
            0x00C => self.counted = 0xFF_FFF0,
            _ => {}
        }
        self.reschedule();
        NONE
    }

    fn read(&mut self, offset: u32, at: u64) -> u32 {
        match offset {
            0x340 | 0x344 | 0x348 => self.routing,
            0x504 => self.count(at),
            0x508 => self.prescaler,
            0x540..=0x54C => self.compare[..self.channels].get((offset as usize - 0x540) / 4).copied().unwrap_or(0),
            _ => 0,
        }
    }

    fn write(&mut self, offset: u32, value: u32, at: u64) -> EventSet {
        self.rebase(at);
        match offset {
            0x340 => self.routing = value,
            0x344 => self.routing |= value,
            0x348 => self.routing &= !value,
            // The prescaler can only be written while the counter is stopped.
            0x508 if !self.started => self.prescaler = value & 0xFFF,
            0x540..=0x54C => {
                if let Some(compare) = self.compare[..self.channels].get_mut((offset as usize - 0x540) / 4) {
                    *compare = value & MASK;
                }
            }
            _ => {}
        }
        self.reschedule();
        NONE
    }

    fn due(&self) -> u64 {
        self.due
    }

    fn advance(&mut self, at: u64) -> EventSet {
        let before = self.counted;
        self.rebase(at);
        let mut happened = NONE;
        if self.counted != before {
            happened |= TICK;
        }
        if self.counted == 0 && before != 0 {
            happened |= OVERFLOW;
        }
        for channel in 0..self.channels {
            if self.compare[channel] & MASK == self.counted {
                happened |= COMPARE0 << channel;
            }
        }
        happened &= self.generated();
        self.events.happened |= happened;
        self.reschedule();
        happened
    }

    fn listeners_changed(&mut self, at: u64) {
        self.rebase(at);
        self.reschedule();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(prescaler: u32) -> Rtc {
        let mut rtc = Rtc::new(CoreRate::Mhz16, 4);
        rtc.clock_changed(LowFrequencyClock::Running, 0);
        rtc.write(0x508, prescaler, 0);
        rtc.task(0x000, 0);
        rtc
    }

    #[test]
    fn counts_seconds_to_the_tick() {
        let mut rtc = running(0);
        assert_eq!([rtc.read(0x504, 16_000_000 - 1), rtc.read(0x504, 16_000_000)], [32_767, 32_768]);
        let mut slow = running(4095);
        assert_eq!(slow.read(0x504, 16_000_000), 8);
    }

    #[test]
    fn stands_still_without_a_clock() {
        let mut rtc = Rtc::new(CoreRate::Mhz16, 4);
        rtc.task(0x000, 0);
        assert_eq!(rtc.read(0x504, 16_000_000), 0);
        rtc.clock_changed(LowFrequencyClock::Running, 16_000_000);
        assert_eq!(rtc.read(0x504, 32_000_000), 32_768);
    }

    #[test]
    fn compares_only_what_is_enabled() {
        let mut rtc = running(0);
        rtc.write(0x540, 32_768, 0);
        assert_eq!(rtc.due(), NEVER);
        rtc.events.write(0x304, COMPARE0);
        rtc.listeners_changed(0);
        assert_eq!(rtc.due(), 16_000_000);
        assert_eq!(rtc.advance(16_000_000), COMPARE0);
    }

    #[test]
    fn ticks_and_overflows() {
        let mut rtc = running(0);
        rtc.task(0x00C, 0);
        rtc.write(0x344, OVERFLOW, 0);
        let at = rtc.due();
        assert_eq!(at, CoreRate::Mhz16.low_frequency_cycle(16));
        assert_eq!(rtc.advance(at), OVERFLOW);
        rtc.write(0x344, TICK, at);
        assert_eq!(rtc.due(), CoreRate::Mhz16.low_frequency_cycle(17));
    }

    #[test]
    fn an_rtc_of_three_channels_has_no_fourth() {
        let mut rtc = Rtc::new(CoreRate::Mhz16, 3);
        rtc.write(0x548, 7, 0);
        rtc.write(0x54C, 7, 0);
        assert_eq!((rtc.read(0x548, 0), rtc.read(0x54C, 0)), (7, 0));
    }
}
