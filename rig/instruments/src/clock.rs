//! The one clock of a bench: the kernel's monotonic one, which also stamps the edges that a GPIO driver reports.
//!
//! Boundary: reading it. Nothing here sleeps.

use brickproof_units::{Instant, Span};

/// The present instant, in nanoseconds of CLOCK_MONOTONIC. A bench subtracts the instant at which its trial began.
pub fn now() -> Instant {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    // Both are positive since boot and fit for five centuries.
    Instant::from_nanos(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

/// When something was done: the best estimate, and how far the true instant may be from it on either side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The best estimate, on the clock of [`now`].
    pub at: Instant,
    /// Half the width of the window in which it happened.
    pub uncertainty: Span,
}

impl Moment {
    /// Runs `act`, which does one thing somewhere between its call and its return.
    pub fn of<T, E>(act: impl FnOnce() -> Result<T, E>) -> Result<(T, Self), E> {
        let before = now();
        let done = act()?;
        Ok((done, Self::between(before, now())))
    }

    /// The middle of a window.
    pub fn between(before: Instant, after: Instant) -> Self {
        let half = Span::nanos(after.since(before).as_nanos().div_ceil(2));
        Self { at: before + half, uncertainty: half }
    }

    /// The same, known `by` less exactly.
    pub fn blurred(self, by: Span) -> Self {
        Self { uncertainty: self.uncertainty + by, ..self }
    }
}

/// Until when a call must have come to its end, for good or ill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    at: Instant,
    within: Span,
}

impl Deadline {
    /// `within` from now.
    pub fn after(within: Span) -> Self {
        Self { at: now() + within, within }
    }

    /// What is left of it; zero once it has passed.
    pub fn left(self) -> std::time::Duration {
        std::time::Duration::from_nanos(self.at.since(now()).as_nanos())
    }

    /// Whether it has passed.
    pub fn has_passed(self) -> bool {
        self.left().is_zero()
    }

    /// How long it gave from the beginning, for messages.
    pub fn within(self) -> Span {
        self.within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_covers_the_whole_window() {
        let at = Instant::from_nanos;
        let moment = Moment::between(at(100), at(107));
        assert!(moment.at - moment.uncertainty <= at(100) && moment.at + moment.uncertainty >= at(107));
    }

    #[test]
    fn a_deadline_in_the_past_leaves_nothing() {
        assert!(Deadline::after(Span::ZERO).has_passed());
        assert!(!Deadline::after(Span::secs(3_600)).has_passed());
    }
}
