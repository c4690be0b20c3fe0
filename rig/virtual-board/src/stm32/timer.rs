//! TIM2 to TIM5: count up at the prescaled core clock, overflow, compare.
//!
//! Boundary: one instance. Counting down, one-pulse mode's output, inputs, outputs on pins, slave modes and DMA are not modelled. Source:
//! RM0033, chapter 13.

use super::NEVER;

const ENABLED: u32 = 1 << 0;
const UPDATE_DISABLED: u32 = 1 << 1;
/// URS: only an overflow sets UIF, not EGR.UG.
const ONLY_OVERFLOW: u32 = 1 << 2;
const ONE_PULSE: u32 = 1 << 3;

const UPDATE: u32 = 1 << 0;
const CHANNELS: usize = 4;
const FLAGS: u32 = 0b1_1111;

/// One timer.
#[derive(Clone, Debug)]
pub(super) struct Timer {
    /// The highest value that it counts to: 16 or 32 bits.
    widest: u32,
    control: u32,
    interrupting: u32,
    happened: u32,
    modes: [u32; 3],
    /// The prescaler that firmware wrote; the one in use follows at the next update.
    prescaler: u32,
    prescaler_in_use: u32,
    reload: u32,
    compare: [u32; CHANNELS],
    /// The counter had the value `count` at the cycle `since`, at the beginning of that count.
    count: u32,
    since: u64,
    due: u64,
}

impl Timer {
    pub(super) fn new(bits: u32) -> Self {
        let widest = u32::MAX >> (32 - bits);
        Self {
            widest,
            control: 0,
            interrupting: 0,
            happened: 0,
            modes: [0; 3],
            prescaler: 0,
            prescaler_in_use: 0,
            reload: widest,
            compare: [0; CHANNELS],
            count: 0,
            since: 0,
            due: NEVER,
        }
    }

    #[inline]
    pub(super) fn interrupts(&self) -> bool {
        self.happened & self.interrupting != 0
    }

    #[inline]
    pub(super) fn due(&self) -> u64 {
        self.due
    }

    /// Lets happen what is due at `at`.
    pub(super) fn advance(&mut self, at: u64) {
        self.catch_up(at);
        self.reschedule();
    }

    pub(super) fn read(&mut self, offset: u32, at: u64) -> u32 {
        self.catch_up(at);
        match offset {
            0x00 => self.control,
            0x0C => self.interrupting,
            0x10 => self.happened,
            0x18..=0x20 => self.modes[(offset as usize - 0x18) / 4],
            0x24 => self.count,
            0x28 => self.prescaler,
            0x2C => self.reload,
            0x34..=0x40 => self.compare[(offset as usize - 0x34) / 4],
            _ => 0,
        }
    }

    pub(super) fn write(&mut self, offset: u32, value: u32, at: u64) {
        self.catch_up(at);
        match offset {
            0x00 => {
                if value & ENABLED != 0 && self.control & ENABLED == 0 {
                    self.since = at;
                }
                self.control = value & 0x3FF;
            }
            0x0C => self.interrupting = value & FLAGS,
            // Flags are cleared by writing zeros.
            0x10 => self.happened &= value,
            0x14 => self.generate(value, at),
            0x18..=0x20 => self.modes[(offset as usize - 0x18) / 4] = value,
            0x24 => {
                self.count = value & self.widest;
                self.since = at;
            }
            0x28 => self.prescaler = value & 0xFFFF,
            0x2C => self.reload = value & self.widest,
            0x34..=0x40 => self.compare[(offset as usize - 0x34) / 4] = value & self.widest,
            _ => {}
        }
        self.reschedule();
    }

    /// EGR.
    fn generate(&mut self, value: u32, at: u64) {
        if value & UPDATE != 0 {
            self.count = 0;
            self.since = at;
            self.prescaler_in_use = self.prescaler;
            if self.control & (ONLY_OVERFLOW | UPDATE_DISABLED) == 0 {
                self.happened |= UPDATE;
            }
        }
        self.happened |= value & FLAGS & !UPDATE;
    }

    fn is_running(&self) -> bool {
        // "The counter is blocked while the auto-reload value is null."
        self.control & ENABLED != 0 && self.reload != 0
    }

    fn period(&self) -> u64 {
        u64::from(self.prescaler_in_use) + 1
    }

    /// Counts from the present one to the overflow. Beyond the reload value the counter goes on to its widest.
    fn to_overflow(&self) -> u64 {
        let end = if self.count > self.reload { self.widest } else { self.reload };
        u64::from(end - self.count) + 1
    }

    /// Counts from the present one to the next match of a compare value, if it comes before the overflow or with it.
    fn to_match(&self, compare: u32) -> Option<u64> {
        match compare {
            0 => Some(self.to_overflow()),
            _ if compare > self.count => {
                let counts = u64::from(compare - self.count);
                (counts < self.to_overflow()).then_some(counts)
            }
            _ => None,
        }
    }

    /// Sets the flags of everything that happened up to `at`.
    fn catch_up(&mut self, at: u64) {
        while self.is_running() {
            let counts = at.saturating_sub(self.since) / self.period();
            if counts == 0 {
                return;
            }
            let (overflow, step) = (self.to_overflow(), counts.min(self.to_overflow()));
            for channel in 0..CHANNELS {
                if self.to_match(self.compare[channel]).is_some_and(|counts| counts <= step) {
                    self.happened |= 2 << channel;
                }
            }
            self.since += step * self.period();
            if step == overflow {
                self.overflow();
                self.skip_whole_rounds(at);
            } else {
                self.count += step as u32;
            }
        }
    }

    fn overflow(&mut self) {
        self.count = 0;
        if self.control & UPDATE_DISABLED == 0 {
            self.happened |= UPDATE;
            self.prescaler_in_use = self.prescaler;
        }
        if self.control & ONE_PULSE != 0 {
            self.control &= !ENABLED;
        }
    }

    /// Of many rounds each sets the flags that the first one sets.
    fn skip_whole_rounds(&mut self, at: u64) {
        let round = (u64::from(self.reload) + 1) * self.period();
        let rounds = at.saturating_sub(self.since) / round;
        if rounds > 1 && self.is_running() {
            self.since += (rounds - 1) * round;
        }
    }

    /// Finds the next cycle at which an interrupt line would rise. What nobody is interrupted for is found out when somebody looks.
    fn reschedule(&mut self) {
        self.due = NEVER;
        if !self.is_running() {
            return;
        }
        let missing = self.interrupting & !self.happened;
        if missing == 0 {
            return;
        }
        let overflow = self.to_overflow();
        let mut counts =
            if missing & UPDATE != 0 && self.control & UPDATE_DISABLED == 0 { Some(overflow) } else { None };
        for channel in 0..CHANNELS {
            if missing & 2 << channel == 0 {
                continue;
            }
            // A match behind the overflow is looked for again there.
            let next = self.to_match(self.compare[channel]).unwrap_or(overflow);
            counts = Some(counts.map_or(next, |counts| counts.min(next)));
        }
        self.due = counts.map_or(NEVER, |counts| self.since + counts * self.period());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn microseconds() -> Timer {
        let mut timer = Timer::new(16);
        timer.write(0x28, 15, 0);
        timer.write(0x00, ONLY_OVERFLOW, 0);
        timer.write(0x14, UPDATE, 0);
        timer
    }

    #[test]
    fn overflows_after_reload_and_one_counts_and_keeps_its_phase() {
        let mut timer = microseconds();
        timer.write(0x2C, 24_999, 0);
        timer.write(0x0C, UPDATE, 0);
        timer.write(0x00, ENABLED | ONLY_OVERFLOW, 7);
        assert_eq!(timer.due(), 7 + 25_000 * 16);
        timer.advance(timer.due());
        assert!(timer.interrupts());
        timer.write(0x10, !UPDATE, 7 + 25_000 * 16 + 333);
        assert_eq!(timer.due(), 7 + 50_000 * 16, "clearing late loses nothing");
        assert_eq!(timer.read(0x24, 7 + 25_100 * 16), 100);
    }

    #[test]
    fn compares_within_the_round_and_again_in_the_next() {
        let mut timer = microseconds();
        timer.write(0x2C, 2_399, 0);
        timer.write(0x34, 100, 0);
        timer.write(0x0C, 0b11, 0);
        timer.write(0x00, ENABLED | ONLY_OVERFLOW, 0);
        let mut seen = Vec::new();
        while timer.due() < 5_000 * 16 {
            let at = timer.due();
            timer.advance(at);
            seen.push((at / 16, timer.read(0x10, at) & 0b11));
            timer.write(0x10, 0, at + 20);
        }
        assert_eq!(seen, [(100, 2), (2_400, 1), (2_500, 2), (4_800, 1), (4_900, 2)]);
    }

    #[test]
    fn a_new_prescaler_waits_for_the_update() {
        let mut timer = microseconds();
        timer.write(0x2C, 9, 0);
        timer.write(0x00, ENABLED, 0);
        timer.write(0x28, 31, 16);
        assert_eq!(timer.read(0x24, 5 * 16), 5);
        assert_eq!(timer.read(0x24, 10 * 16 + 5 * 32), 5);
    }

    proptest! {
        /// The law: whoever looks often and whoever looks once see the same.
        #[test]
        fn looking_changes_nothing(reload in 1u32..300, compare in prop::array::uniform4(0u32..400), looks in prop::collection::vec(1u64..3_000, 1..40)) {
            let mut timer = Timer::new(16);
            timer.write(0x28, 2, 0);
            timer.write(0x14, UPDATE, 0);
            timer.write(0x10, 0, 0);
            timer.write(0x2C, reload, 0);
            for (offset, compare) in (0x34..).step_by(4).zip(compare) {
                timer.write(offset, compare, 0);
            }
            timer.write(0x00, ENABLED, 0);
            let mut once = timer.clone();
            let mut at = 0;
            for look in looks {
                at += look;
                timer.read(0x24, at);
            }
            prop_assert_eq!([timer.read(0x24, at), timer.read(0x10, at)], [once.read(0x24, at), once.read(0x10, at)]);
            let counts = at / 3;
            prop_assert_eq!(u64::from(timer.read(0x24, at)), counts % (u64::from(reload) + 1));
        }
    }
}
