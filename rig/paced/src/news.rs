//! Tells a thread that waits that there is something new.
//!
//! Boundary: that, and not what.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Something may be told through any clone, and waited for at any.
#[derive(Clone, Default)]
pub struct News(Arc<(Mutex<u64>, Condvar)>);

/// How much somebody has been told so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known(u64);

impl News {
    /// There is something new.
    pub fn tell(&self) {
        *self.count() += 1;
        self.0.1.notify_all();
    }

    /// What has been told so far. Whoever takes this first, then looks and finds nothing, and then waits misses nothing.
    pub fn known(&self) -> Known {
        Known(*self.count())
    }

    /// Waits until there is more than `known`, or until the time is over.
    pub fn wait(&self, known: Known, limit: Duration) {
        let nothing = |count: &mut u64| *count == known.0;
        drop(self.0.1.wait_timeout_while(self.count(), limit, nothing).unwrap_or_else(PoisonError::into_inner));
    }

    fn count(&self) -> MutexGuard<'_, u64> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
