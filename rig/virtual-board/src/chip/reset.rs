//! Why a chip was reset.
//!
//! Boundary: causes. What each resets, and in which register it shows, is each family's.

/// Why the chip was reset; RESETREAS of an nRF and RCC_CSR of an STM32 show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResetCause {
    /// The supply came up, after any kind of loss.
    PowerOn,
    /// The RESET pin.
    Pin,
    /// The watchdog.
    Watchdog,
    /// AIRCR.SYSRESETREQ.
    Software,
    /// A fault inside a fault.
    Lockup,
    /// A pin woke the chip from System OFF.
    WakeFromOff,
    /// A debugger woke the chip from System OFF.
    DebugInterface,
}
