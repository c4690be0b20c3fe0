//! What this process costs the computer.
//!
//! Boundary: the kernel's counts of one process.

use std::fs;
use std::io;

use brickproof_instruments::now;
use brickproof_units::{Instant, Span};
use rustix::time::{ClockId, clock_gettime};

/// A look at the process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    at: Instant,
    /// User's and system's, of all threads.
    cpu: Span,
    /// Resident, in KiB.
    pub(crate) resident: u64,
    pub(crate) threads: u64,
}

impl Load {
    pub(crate) fn look() -> io::Result<Self> {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        let status = fs::read_to_string("/proc/self/status")?;
        let number = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
            number.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("no {key} in /proc/self/status")))
        };
        Ok(Self {
            at: now(),
            cpu: Span::nanos(cpu.tv_sec as u64 * 1_000_000_000 + cpu.tv_nsec as u64),
            resident: number("VmRSS:")?,
            threads: number("Threads:")?,
        })
    }

    /// The share of one core that was used since then, in percent.
    pub(crate) fn share_since(&self, earlier: &Self) -> f64 {
        let (cpu, wall) = (self.cpu.as_nanos() - earlier.cpu.as_nanos(), self.at.since(earlier.at).as_nanos());
        cpu as f64 / wall.max(1) as f64 * 100.0
    }
}
