//! The clock of one trial: it begins with the trial, and is the kernel's monotonic one underneath.
//!
//! Boundary: arithmetic.

use std::time::Duration;

use brickproof_instruments::{Moment, now};
use brickproof_trial::Stamp;
use brickproof_units::{Instant, Span};

/// The clock of one trial.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    epoch: Instant,
}

impl Clock {
    /// One that begins now.
    pub(crate) fn begin() -> Self {
        Self { epoch: now() }
    }

    /// The present instant of the trial.
    pub(crate) fn now(self) -> Instant {
        self.of(now())
    }

    /// An instant of the kernel's clock on the trial's.
    pub(crate) fn of(self, kernel: Instant) -> Instant {
        Instant::START + kernel.since(self.epoch)
    }

    /// An instant of the trial on the kernel's clock.
    pub(crate) fn on_kernel(self, trial: Instant) -> Instant {
        self.epoch + trial.since(Instant::START)
    }

    /// A moment as the trial takes it.
    pub(crate) fn stamp(self, moment: Moment) -> Stamp {
        Stamp { at: self.of(moment.at), uncertainty: moment.uncertainty }
    }

    /// Waits until the trial's clock shows `at`, which may have passed.
    pub(crate) async fn until(self, at: Instant) {
        let left = at.since(self.now());
        if left > Span::ZERO {
            tokio::time::sleep(Duration::from_nanos(left.as_nanos())).await;
        }
    }
}
