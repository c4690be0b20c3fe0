//! Signals for work on virtual boards: the first asks it to end, the second ends the process.
//!
//! Boundary: nothing of a real station. Those are left safe, whatever comes (`stations::watch_signals`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::exit::Exit;
use crate::output;

/// Set by the first signal. A virtual board is safe as soon as nobody runs it, so a second one need not wait for anything.
pub(crate) fn interrupted() -> Arc<AtomicBool> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupted);
    let handler = move || {
        if flag.swap(true, Ordering::SeqCst) {
            output::leave(Exit::Interrupted);
        }
    };
    // A second handler in one process is refused; the first one is as good.
    let _ = ctrlc::set_handler(handler);
    interrupted
}
