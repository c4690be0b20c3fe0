//! A board's memory, as far as keys are read from it and written to it.
//!
//! Boundary: the shapes. The simulation's is the emulated flash, a bench's is a probe.

/// Memory that can be read.
pub trait ReadMemory {
    /// Why it could not be read or written.
    type Error: std::fmt::Display;

    /// Copies `into.len()` bytes out.
    ///
    /// # Errors
    /// If there is no such memory, or whoever reaches it fails.
    fn read(&mut self, address: u32, into: &mut [u8]) -> Result<(), Self::Error>;
}

/// Memory that keeps what is written to it without power.
pub trait Memory: ReadMemory {
    /// Replaces what is there, whatever it was; what lies beside it stays.
    ///
    /// # Errors
    /// As [`ReadMemory::read`].
    fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), Self::Error>;
}
