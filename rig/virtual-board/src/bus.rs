//! What a processor core sees of the chip around it.
//!
//! Boundary: the shapes only. The core implements none of it and the chip (`nrf`) knows nothing of instructions.

use std::sync::Arc;

/// How wide a data access is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// One byte.
    Byte,
    /// Two bytes; the address is even or the access faults.
    Half,
    /// Four bytes; the address is a multiple of four or the access faults.
    Word,
}

/// Nothing answers at the address, or not at this width or alignment. The core turns it into a HardFault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BusFault;

/// The core's clock, lent to a device for the time of one access.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// Core clock cycles since the board was made. Monotonic, also while the board is off or a flash operation stalls the core: then
    /// the board moves it forward.
    pub cycle: u64,
    /// Up to here the core may execute without looking at the chip.
    horizon: u64,
    /// Lines that fell since the core last sampled them.
    fallen: u64,
}

impl Clock {
    /// A device changed in a way that the core must look at before the next instruction: an interrupt line that rose, a halt, code.
    #[inline]
    pub fn call_attention(&mut self) {
        self.horizon = 0;
    }

    /// [`Bus::next_event`] has become `cycle`. Without this the core may execute past an event that came closer.
    #[inline]
    pub fn expect_event(&mut self, cycle: u64) {
        self.horizon = self.horizon.min(cycle);
    }

    /// The interrupt lines in `lines` fell. That stops nothing, so the core need not look at once; but it has to know when it looks,
    /// because a line that rises again asks again.
    #[inline]
    pub fn lines_fell(&mut self, lines: u64) {
        self.fallen |= lines;
    }

    /// Whether the core may execute at `cycle` without looking.
    #[inline(always)]
    pub(crate) fn is_undisturbed_at(&self, cycle: u64) -> bool {
        cycle < self.horizon
    }

    /// The core is about to look.
    #[inline]
    pub(crate) fn clear_attention(&mut self) {
        self.horizon = u64::MAX;
    }

    #[inline]
    pub(crate) fn take_fallen_lines(&mut self) -> u64 {
        std::mem::take(&mut self.fallen)
    }
}

/// Why the chip no longer executes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    /// The supply fell below what the chip runs on; everything but flash is lost.
    PowerLost,
    /// A reset other than by power: the watchdog or the RESET pin. RAM keeps its content.
    Reset,
    /// Nothing is wrong: the board wants to look before the next instruction, for instance because a flash operation now stalls the
    /// core. Running again continues where it stopped.
    Paused,
}

/// A page of memory as the core may keep it: instructions are decoded once and reused for as long as the page is the same
/// allocation, also across clones of a board.
#[derive(Clone, Copy, Debug)]
pub struct CodePage<'a> {
    /// The address of the first byte; even.
    pub base: u32,
    /// The bytes. Changed only copy-on-write (`Arc::make_mut` or a new `Arc`), so that a holder of the old page sees it unchanged
    /// and recognises the new one by its address.
    pub bytes: &'a Arc<[u8]>,
}

/// What the core is doing, as far as the supply can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// Executing instructions.
    Awake,
    /// Waiting in WFI or WFE.
    Asleep,
    /// Waiting in WFI or WFE with SCR.SLEEPDEEP set.
    DeeplyAsleep,
    /// Halted by a debugger.
    Halted,
}

/// The chip around a core. Addresses 0xE000_0000 to 0xE00F_FFFF (the private peripheral bus) belong to the core and are never passed
/// on; those above are the vendor's and are (nRF51 start-up code reads its part number at 0xF000_0FE0).
pub trait Bus {
    /// The halfword to execute at `address` (always even).
    fn fetch(&mut self, address: u32) -> Result<u16, BusFault>;
    /// Reads `width` at `address`, zero-extended.
    fn read(&mut self, address: u32, width: Width, clock: &mut Clock) -> Result<u32, BusFault>;
    /// Writes the low `width` of `value` at `address`.
    fn write(&mut self, address: u32, value: u32, width: Width, clock: &mut Clock) -> Result<(), BusFault>;
    /// The cycle at which [`Bus::tick`] must run next; `u64::MAX` if nothing is due.
    fn next_event(&self) -> u64;
    /// Lets every device catch up with `clock.cycle`.
    fn tick(&mut self, clock: &mut Clock);
    /// The interrupt lines 0 to 47, as levels. Those that the core does not have stay low.
    fn interrupt_lines(&self) -> u64;
    /// Whether the chip stopped executing, and why.
    fn halt(&self) -> Option<Halt>;

    /// The page that holds the code at `address`, if it is of the kind that changes rarely (flash, not RAM) and gives the same at every
    /// fetch. A write that changes such a page calls [`Clock::call_attention`]; without that the core goes on executing what the page
    /// held before. `None` sends the core to [`Bus::fetch`], which is always right and slower.
    fn code_page(&self, address: u32) -> Option<CodePage<'_>> {
        let _ = address;
        None
    }

    /// The `len` bytes at `address`, if all of them are memory that stands for nothing but itself: reading or writing it does nothing
    /// else and takes no time. The core moves several words at once through it. `None` sends it to [`Bus::read`] and [`Bus::write`].
    fn plain_memory(&mut self, address: u32, len: usize) -> Option<&mut [u8]> {
        let _ = (address, len);
        None
    }

    /// The core fell asleep, woke up, was halted or let go, at `clock.cycle`.
    fn activity_changed(&mut self, activity: Activity, clock: &mut Clock) {
        let _ = (activity, clock);
    }
}
