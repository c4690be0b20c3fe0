//! The SysTick timer (DDI 0419 B3.3), computed from the clock instead of counted.
//!
//! Boundary: one 24-bit counter on the core clock. Where it is absent (nRF51) the register file does not reach it.

use super::bits_if;

const CSR_ENABLE: u32 = 1 << 0;
const CSR_TICKINT: u32 = 1 << 1;
const CSR_CLKSOURCE: u32 = 1 << 2;
const CSR_COUNTFLAG: u32 = 1 << 16;
const COUNTER_MASK: u32 = 0xFF_FFFF;

#[derive(Clone, Copy, Debug)]
enum Counter {
    /// Disabled, at this value.
    Held(u32),
    /// Counting down, and zero at this cycle.
    ZeroAt(u64),
    /// Enabled, with nothing to reload: it stays at zero.
    Spent,
    /// Enabled, and zero after so many cycles, once the core is no longer halted by a debugger.
    Frozen(u64),
}

#[derive(Clone, Debug)]
pub(super) struct SysTick {
    reload: u32,
    counter: Counter,
    interrupt: bool,
    /// CSR.COUNTFLAG: the counter reached zero since the register was read.
    reached_zero: bool,
}

impl SysTick {
    pub(super) fn new() -> Self {
        SysTick { reload: 0, counter: Counter::Held(0), interrupt: false, reached_zero: false }
    }

    /// The cycle at which the counter reaches zero next; `u64::MAX` if never.
    #[inline]
    pub(super) fn next_event(&self) -> u64 {
        match self.counter {
            Counter::ZeroAt(cycle) => cycle,
            Counter::Held(_) | Counter::Spent | Counter::Frozen(_) => u64::MAX,
        }
    }

    /// Lets time pass until `now`. True if the SysTick exception becomes pending.
    pub(super) fn advance(&mut self, now: u64) -> bool {
        let Counter::ZeroAt(zero) = self.counter else { return false };
        if zero > now {
            return false;
        }
        self.reached_zero = true;
        self.counter = if self.reload == 0 {
            Counter::Spent
        } else {
            let period = u64::from(self.reload) + 1;
            Counter::ZeroAt(zero + ((now - zero) / period + 1) * period)
        };
        self.interrupt
    }

    /// SYST_CSR. Reading clears COUNTFLAG.
    pub(super) fn read_control(&mut self) -> u32 {
        let enabled = !matches!(self.counter, Counter::Held(_));
        let flag = std::mem::take(&mut self.reached_zero);
        // There is no reference clock (SYST_CALIB.NOREF), so CLKSOURCE reads as one.
        CSR_CLKSOURCE
            | bits_if(enabled, CSR_ENABLE)
            | bits_if(self.interrupt, CSR_TICKINT)
            | bits_if(flag, CSR_COUNTFLAG)
    }

    pub(super) fn write_control(&mut self, value: u32, now: u64) {
        self.interrupt = value & CSR_TICKINT != 0;
        let enable = value & CSR_ENABLE != 0;
        match (self.counter, enable) {
            (Counter::Held(value), true) => self.start(value, now),
            (Counter::ZeroAt(_) | Counter::Spent | Counter::Frozen(_), false) => {
                self.counter = Counter::Held(self.value(now));
            }
            (Counter::Held(_), false) | (Counter::ZeroAt(_) | Counter::Spent | Counter::Frozen(_), true) => {}
        }
    }

    pub(super) fn reload(&self) -> u32 {
        self.reload
    }

    pub(super) fn write_reload(&mut self, value: u32, now: u64) {
        self.reload = value & COUNTER_MASK;
        if matches!(self.counter, Counter::Spent) {
            self.start(0, now);
        }
    }

    /// SYST_CVR.
    pub(super) fn value(&self, now: u64) -> u32 {
        match self.counter {
            Counter::Held(value) => value,
            Counter::Spent => 0,
            Counter::ZeroAt(zero) => self.shown(zero.saturating_sub(now)),
            Counter::Frozen(left) => self.shown(left),
        }
    }

    /// Any write clears the counter and COUNTFLAG; the reload follows on the next cycle and pends nothing.
    pub(super) fn clear_value(&mut self, now: u64) {
        self.reached_zero = false;
        match self.counter {
            Counter::Held(_) => self.counter = Counter::Held(0),
            Counter::ZeroAt(_) | Counter::Spent | Counter::Frozen(_) => self.start(0, now),
        }
    }

    /// The core is halted by a debugger: the counter stands still (DDI 0419 B3.3.1). What it has come to must have been taken by
    /// [`SysTick::advance`].
    pub(super) fn freeze(&mut self, now: u64) {
        if let Counter::ZeroAt(zero) = self.counter {
            self.counter = Counter::Frozen(zero.saturating_sub(now));
        }
    }

    /// The core goes on, and the counter from where it stood.
    pub(super) fn thaw(&mut self, now: u64) {
        if let Counter::Frozen(left) = self.counter {
            self.counter = Counter::ZeroAt(now + left);
        }
    }

    fn shown(&self, left: u64) -> u32 {
        // The cycle on which the counter is reloaded still shows zero.
        if left > u64::from(self.reload) { 0 } else { left as u32 }
    }

    fn start(&mut self, value: u32, now: u64) {
        self.counter = match (value, self.reload) {
            (0, 0) => Counter::Spent,
            (0, reload) => Counter::ZeroAt(now + u64::from(reload) + 1),
            (value, _) => Counter::ZeroAt(now + u64::from(value)),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(reload: u32) -> SysTick {
        let mut timer = SysTick::new();
        timer.write_reload(reload, 0);
        timer.write_control(CSR_ENABLE | CSR_TICKINT, 0);
        timer
    }

    #[test]
    fn the_period_is_one_more_than_the_reload_value() {
        let mut timer = running(9);
        assert_eq!(timer.next_event(), 10);
        assert!(!timer.advance(9));
        assert!(timer.advance(10));
        assert_eq!(timer.next_event(), 20);
        assert!(timer.advance(45), "late by several periods is one exception");
        assert_eq!(timer.next_event(), 50);
    }

    #[test]
    fn the_counter_counts_down_from_the_reload_value() {
        let timer = running(9);
        assert_eq!([0, 1, 2, 9].map(|now| timer.value(now)), [0, 9, 8, 1]);
    }

    #[test]
    fn countflag_is_cleared_by_reading_control() {
        let mut timer = running(9);
        timer.advance(10);
        assert_eq!(timer.read_control(), CSR_COUNTFLAG | CSR_CLKSOURCE | CSR_TICKINT | CSR_ENABLE);
        assert_eq!(timer.read_control() & CSR_COUNTFLAG, 0);
    }

    #[test]
    fn disabling_holds_the_value_and_enabling_goes_on_from_it() {
        let mut timer = running(9);
        timer.write_control(0, 4);
        assert_eq!((timer.value(100), timer.next_event()), (6, u64::MAX));
        timer.write_control(CSR_ENABLE, 100);
        assert_eq!(timer.next_event(), 106);
        assert!(!timer.advance(106), "TICKINT is clear");
    }

    #[test]
    fn writing_the_value_restarts_without_an_exception() {
        let mut timer = running(9);
        timer.clear_value(5);
        assert_eq!((timer.value(5), timer.next_event()), (0, 15));
    }

    #[test]
    fn a_reload_value_of_zero_stops_at_the_next_zero() {
        let mut timer = running(9);
        timer.write_reload(0, 1);
        assert!(timer.advance(10));
        assert_eq!((timer.value(11), timer.next_event()), (0, u64::MAX));
    }
}
