//! IWDG: resets the chip unless it is reloaded in time.
//!
//! Boundary: counting and reloading; the reset itself is the chip's. The internal low-speed oscillator is taken to have its nominal 32 kHz
//! (17 to 47 kHz are specified, recalled), and the watchdog counts also while a debugger halts the core. Source: RM0033, chapter 17.

use super::{HERTZ, NEVER};

const RELOAD: u32 = 0xAAAA;
const UNLOCK: u32 = 0x5555;
const START: u32 = 0xCCCC;
const LOW_SPEED: u64 = HERTZ / 32_000;

/// The watchdog.
#[derive(Clone, Debug)]
pub(super) struct Watchdog {
    running: bool,
    unlocked: bool,
    prescaler: u32,
    reload: u32,
    expires: u64,
}

impl Watchdog {
    pub(super) fn new() -> Self {
        Self { running: false, unlocked: false, prescaler: 0, reload: 0xFFF, expires: NEVER }
    }

    /// The cycle at which it resets the chip.
    #[inline]
    pub(super) fn due(&self) -> u64 {
        self.expires
    }

    pub(super) fn read(&self, offset: u32) -> u32 {
        match offset {
            0x04 => self.prescaler,
            0x08 => self.reload,
            _ => 0,
        }
    }

    pub(super) fn write(&mut self, offset: u32, value: u32, at: u64) {
        match offset {
            0x00 => {
                let key = value & 0xFFFF;
                self.unlocked = key == UNLOCK;
                self.running |= key == START;
                if self.running && matches!(key, RELOAD | START) {
                    // Seven is six: 256 is the longest.
                    let divider = 4u64 << self.prescaler.min(6);
                    self.expires = at + (u64::from(self.reload) + 1) * divider * LOW_SPEED;
                }
            }
            0x04 if self.unlocked => self.prescaler = value & 7,
            0x08 if self.unlocked => self.reload = value & 0xFFF,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_out_after_its_time_and_cannot_be_stopped() {
        let mut watchdog = Watchdog::new();
        watchdog.write(0x08, 3_999, 0);
        assert_eq!(watchdog.read(0x08), 0xFFF, "locked");
        for (offset, value) in [(0x00, UNLOCK), (0x04, 4), (0x08, 3_999), (0x00, START)] {
            watchdog.write(offset, value, 0);
        }
        assert_eq!(watchdog.due(), 8 * HERTZ);
        watchdog.write(0x00, RELOAD, HERTZ);
        assert_eq!(watchdog.due(), 9 * HERTZ);
        watchdog.write(0x00, 0, HERTZ);
        assert_eq!(watchdog.due(), 9 * HERTZ);
    }
}
