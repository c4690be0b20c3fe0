//! The clock that a paced board lives by: the kernel's monotonic one, which the rig stamps with too.
//!
//! Boundary: reading it. Nothing here sleeps.

use brickproof_units::Instant;

/// The present instant, in nanoseconds of CLOCK_MONOTONIC.
pub fn now() -> Instant {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    // Both are positive since boot and fit for five centuries.
    Instant::from_nanos(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}
