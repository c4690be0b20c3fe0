//! TIMER: counts 16 MHz ticks (or tasks) and compares.
//!
//! Boundary: one instance. Source: nRF51 reference manual v3.0, chapter TIMER; nRF52840 product specification v1.1, TIMER.

use crate::chip::CoreRate;
use crate::nrf::peripheral::{EventSet, Events, NEVER, NONE, Peripheral, bits, event};
use crate::nrf::resources::TimerResources;

const MAX_CHANNELS: usize = 6;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Running {
    Stopped,
    /// The counter had the value `Timer::counted` at the cycle `since`.
    Counting {
        since: u64,
    },
}

/// One TIMER instance.
#[derive(Clone, Debug)]
pub(crate) struct Timer {
    events: Events,
    rate: CoreRate,
    channels: usize,
    widest: u32,
    running: Running,
    counted: u32,
    mode: u32,
    bit_mode: u32,
    prescaler: u32,
    shorts: u32,
    compare: [u32; MAX_CHANNELS],
    due: u64,
}

impl Timer {
    pub(crate) fn new(rate: CoreRate, resources: TimerResources) -> Self {
        Self {
            events: Events::default(),
            rate,
            channels: resources.channels.min(MAX_CHANNELS),
            widest: u32::MAX.checked_shr(32 - resources.bits).unwrap_or(0),
            running: Running::Stopped,
            counted: 0,
            mode: 0,
            bit_mode: 0,
            prescaler: 4,
            shorts: 0,
            compare: [0; MAX_CHANNELS],
            due: NEVER,
        }
    }

    fn mask(&self) -> u32 {
        // The order of BITMODE is 16, 8, 24, 32.
        [0xFFFF, 0xFF, 0xFF_FFFF, 0xFFFF_FFFF][self.bit_mode as usize & 3] & self.widest
    }

    fn counts_ticks(&self) -> bool {
        self.mode == 0
    }

    /// Core cycles per count, as a power of two.
    fn count_shift(&self) -> u32 {
        self.rate.tick_shift() + self.prescaler
    }

    fn count(&self, at: u64) -> u32 {
        match self.running {
            Running::Counting { since } if self.counts_ticks() => {
                let ticks = at.saturating_sub(since) >> self.count_shift();
                self.counted.wrapping_add(ticks as u32) & self.mask()
            }
            _ => self.counted,
        }
    }

    /// Takes the present count as the new start, so that a changed setting counts from now.
    fn rebase(&mut self, at: u64) {
        self.counted = self.count(at);
        if let Running::Counting { since } = &mut self.running {
            *since = at;
        }
    }

    /// The event and both shortcuts of a channel.
    fn compare_event(channel: usize) -> EventSet {
        event(0x140) << channel
    }

    /// The channels of which a match would be noticed: by somebody who listens, or by the timer itself through a shortcut.
    fn noticed_channels(&self) -> u32 {
        let listened_to = (!self.events.happened | self.events.routed) >> Self::compare_event(0).trailing_zeros();
        (listened_to | self.shorts | self.shorts >> 8) & ((1 << self.channels) - 1)
    }

    fn reschedule(&mut self) {
        self.due = self.next_compare();
    }

    fn next_compare(&self) -> u64 {
        let Running::Counting { since } = self.running else { return NEVER };
        if !self.counts_ticks() {
            return NEVER;
        }
        let mask = self.mask();
        let counts_until = |channel: usize| {
            let distance = self.compare[channel].wrapping_sub(self.counted) & mask;
            if distance == 0 { u64::from(mask) + 1 } else { u64::from(distance) }
        };
        let soonest = bits(self.noticed_channels()).map(|channel| counts_until(channel as usize)).min();
        soonest.map_or(NEVER, |counts| since + (counts << self.count_shift()))
    }

    /// The counter has just become `self.counted`: what compares equal happens.
    fn compare_now(&mut self, at: u64) -> EventSet {
        let matching = (0..self.channels).filter(|channel| self.compare[*channel] & self.mask() == self.counted);
        let (mut happened, mut shortened) = (NONE, 0);
        for channel in matching {
            happened |= Self::compare_event(channel);
            shortened |= self.shorts >> channel & 0x0101;
        }
        self.events.happened |= happened;
        if shortened & 0x0001 != 0 {
            self.clear(at);
        }
        if shortened & 0x0100 != 0 {
            self.running = Running::Stopped;
        }
        happened
    }

    fn clear(&mut self, at: u64) {
        self.counted = 0;
        if let Running::Counting { since } = &mut self.running {
            *since = at;
        }
    }
}

impl Peripheral for Timer {
    fn events(&mut self) -> &mut Events {
        &mut self.events
    }

    fn task(&mut self, offset: u32, at: u64) -> EventSet {
        let mut happened = NONE;
        match offset {
            0x000 if self.running == Running::Stopped => self.running = Running::Counting { since: at },
            0x004 | 0x010 => {
                self.rebase(at);
                self.running = Running::Stopped;
            }
            0x008 if !self.counts_ticks() && self.running != Running::Stopped => {
                self.counted = self.counted.wrapping_add(1) & self.mask();
                happened = self.compare_now(at);
            }
            0x00C => self.clear(at),
            0x040..=0x054 => {
                let count = self.count(at);
                if let Some(compare) = self.compare[..self.channels].get_mut((offset as usize - 0x40) / 4) {
                    *compare = count;
                }
            }
            _ => {}
        }
        self.reschedule();
        happened
    }

    fn read(&mut self, offset: u32, _: u64) -> u32 {
        match offset {
            0x200 => self.shorts,
            0x504 => self.mode,
            0x508 => self.bit_mode,
            0x510 => self.prescaler,
            0x540..=0x554 => self.compare[..self.channels].get((offset as usize - 0x540) / 4).copied().unwrap_or(0),
            _ => 0,
        }
    }

    fn write(&mut self, offset: u32, value: u32, at: u64) -> EventSet {
        // Of a compare value that is passed between two looks nothing may be lost, so the count is taken first.
        self.rebase_to_whole_counts(at);
        match offset {
            0x200 => self.shorts = value,
            0x504 => self.mode = value & 3,
            0x508 => self.bit_mode = value & 3,
            0x510 => self.prescaler = (value & 15).min(9),
            0x540..=0x554 => {
                if let Some(compare) = self.compare[..self.channels].get_mut((offset as usize - 0x540) / 4) {
                    *compare = value;
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
        self.counted = self.count(at);
        if let Running::Counting { since } = &mut self.running {
            *since = at;
        }
        let happened = self.compare_now(at);
        self.reschedule();
        happened
    }

    fn listeners_changed(&mut self, at: u64) {
        self.rebase_to_whole_counts(at);
        self.reschedule();
    }
}

impl Timer {
    /// Moves the start of counting to the last whole count, keeping the prescaler's phase.
    fn rebase_to_whole_counts(&mut self, at: u64) {
        let shift = self.count_shift();
        let counts_ticks = self.counts_ticks();
        let count = self.count(at);
        if let Running::Counting { since } = &mut self.running
            && counts_ticks
        {
            *since += at.saturating_sub(*since) >> shift << shift;
        }
        self.counted = count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPARE0: EventSet = event(0x140);
    const COMPARE1: EventSet = event(0x144);

    fn microsecond_timer() -> Timer {
        let mut timer = Timer::new(CoreRate::Mhz16, TimerResources { bits: 32, channels: 4 });
        timer.write(0x508, 3, 0);
        timer
    }

    fn capture(timer: &mut Timer, at: u64) -> u32 {
        timer.task(0x04C, at);
        timer.read(0x54C, at)
    }

    #[test]
    fn counts_at_the_prescaled_rate_of_either_part() {
        for (rate, second) in [(CoreRate::Mhz16, 16_000_000), (CoreRate::Mhz64, 64_000_000)] {
            let mut timer = Timer::new(rate, TimerResources { bits: 32, channels: 4 });
            timer.write(0x508, 3, 0);
            timer.task(0x000, 0);
            assert_eq!(capture(&mut timer, second), 1_000_000, "the default prescaler counts microseconds");
        }
    }

    #[test]
    fn compares_once_and_again_only_when_somebody_listens() {
        let mut timer = microsecond_timer();
        (1..4).for_each(|channel| timer.events.happened |= COMPARE0 << channel);
        timer.write(0x540, 100, 0);
        timer.task(0x000, 0);
        assert_eq!(timer.due(), 1600);
        assert_eq!(timer.advance(1600), COMPARE0);
        assert_eq!(timer.due(), NEVER, "the event is set and nobody clears it");
        timer.events.write(0x140, 0);
        timer.listeners_changed(1700);
        assert_eq!(timer.due(), 1600 + (1u64 << 32) * 16);
    }

    #[test]
    fn a_clear_shortcut_makes_an_exact_period() {
        let mut timer = microsecond_timer();
        timer.write(0x200, 1, 0);
        timer.write(0x540, 2400, 0);
        timer.write(0x544, 100, 0);
        timer.task(0x000, 7);
        let mut seen = Vec::new();
        while timer.due() < 100_000 {
            let at = timer.due();
            let happened = timer.advance(at);
            seen.push((at, happened));
            timer.events.happened = 0;
            timer.listeners_changed(at + 30);
        }
        assert_eq!(
            seen,
            [(1607, COMPARE1), (38_407, COMPARE0), (40_007, COMPARE1), (76_807, COMPARE0), (78_407, COMPARE1)]
        );
    }

    #[test]
    fn a_stop_shortcut_stops_at_the_compare_value() {
        let mut timer = microsecond_timer();
        timer.write(0x200, 0x100, 0);
        timer.write(0x540, 50, 0);
        timer.task(0x000, 0);
        timer.advance(800);
        assert_eq!((timer.due(), capture(&mut timer, 10_000)), (NEVER, 50));
    }

    #[test]
    fn a_counter_counts_tasks() {
        let mut timer = Timer::new(CoreRate::Mhz64, TimerResources { bits: 32, channels: 6 });
        timer.write(0x504, 1, 0);
        timer.write(0x554, 2, 0);
        timer.task(0x000, 0);
        assert_eq!([timer.task(0x008, 5), timer.task(0x008, 6)], [NONE, event(0x154)]);
        assert_eq!(capture(&mut timer, 1_000_000), 2);
    }

    #[test]
    fn wraps_at_its_width_and_keeps_its_phase_over_register_writes() {
        let mut timer = microsecond_timer();
        timer.write(0x508, 1, 0);
        timer.task(0x000, 0);
        for at in (1..300 * 16).step_by(5) {
            timer.write(0x544, 3, at);
        }
        assert_eq!(capture(&mut timer, 300 * 16), 300 - 256);
    }

    #[test]
    fn a_sixteen_bit_timer_counts_no_wider_than_it_is() {
        let mut timer = Timer::new(CoreRate::Mhz16, TimerResources { bits: 16, channels: 4 });
        timer.write(0x508, 3, 0);
        timer.write(0x510, 0, 0);
        timer.task(0x000, 0);
        timer.task(0x040, 0x1_0005);
        assert_eq!(timer.read(0x540, 0), 5);
    }
}
