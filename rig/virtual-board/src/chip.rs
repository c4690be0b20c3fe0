//! A chip as its board sees it, whatever its maker: parts, pins, the console's line, resets, time and RAM.
//!
//! Boundary: what all families have in common, and which family a part is of. Registers are behind it: [`crate::nrf`] and
//! [`crate::stm32`]. The core executes inside a family (`Soc::run`), so that nothing of this costs it anything.

mod boot_code;
mod console;
mod pin;
mod ram;
mod reset;
mod time;

use brickproof_units::{Baud, Ratio, Voltage};

pub(crate) use boot_code::BootCode;
pub use console::{ConsoleByte, UartTiming};
pub(crate) use console::{ConsoleWatch, Frame, Wire};
pub use pin::{Drive, Level, NoPin, Pin, PinEdge, PinSet};
pub(crate) use ram::Ram;
pub use ram::RamAtPowerUp;
pub use reset::ResetCause;
pub use time::CoreRate;

use crate::bus::{Activity, Bus, BusFault, Clock, Halt, Width};
use crate::core::{Core, CoreOptions, Stop};
use crate::flash::{Cells, Flash, FlashGeometry, FlashOperation, Manner};
use crate::nrf::{self, TwoWireDevice};
use crate::stm32;
use crate::supply::Hysteresis;
use crate::usb::{NotAttached, Presence, Setup, UsbAnswer};

/// A part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Chip {
    /// Cortex-M0 at 16 MHz, 256 KiB of flash, 16 KiB of RAM (nRF51822-QFAA): the micro:bit v1.
    Nrf51822,
    /// The nRF52840 with the ARMv6-M subset of its core at 64 MHz, 1 MiB of flash, 256 KiB of RAM.
    Nrf52840,
    /// The STM32F205RG with the ARMv6-M subset of its core at the 16 MHz of its internal oscillator, 1 MiB of flash in uneven sectors,
    /// 128 KiB of RAM: the Photon's.
    Stm32f205,
}

impl Chip {
    /// The part in the words of its family, if that is Nordic's.
    pub const fn nrf(self) -> Option<nrf::Part> {
        match self {
            Self::Nrf51822 => Some(nrf::Part::Nrf51822),
            Self::Nrf52840 => Some(nrf::Part::Nrf52840),
            Self::Stm32f205 => None,
        }
    }

    /// Its flash.
    pub const fn flash(self) -> FlashGeometry {
        match self.nrf() {
            Some(part) => part.flash(),
            None => FlashGeometry::STM32F205,
        }
    }

    /// Its core clock.
    pub const fn rate(self) -> CoreRate {
        match self.nrf() {
            Some(part) => part.rate(),
            None => stm32::RATE,
        }
    }

    /// What its core has.
    pub const fn core(self) -> CoreOptions {
        match self.nrf() {
            Some(part) => part.core(),
            None => CoreOptions::STM32F205,
        }
    }

    /// Whether a core that locks up is reset. An STM32's stays so until its watchdog bites (recalled from RM0033, which names no such
    /// reset).
    pub(crate) const fn lockup_resets(self) -> bool {
        !matches!(self, Self::Stm32f205)
    }
}

/// What makes two chips of a kind different.
#[derive(Clone, Copy, Debug)]
pub struct SocOptions {
    /// How flash takes a cut.
    pub cells: Cells,
    /// Whether the console takes time.
    pub uart: UartTiming,
    /// What RAM holds at power-up.
    pub ram: RamAtPowerUp,
    /// Decides every cell, random byte and identity.
    pub seed: u64,
    /// Pins whose changes are logged.
    pub watched: PinSet,
}

/// At which of the chip's doings the core is to pause, so that the board can act.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Watch {
    /// What has left the console.
    pub(crate) console: ConsoleWatch,
    /// Something changed that the supply feels: a watched pin, sleep.
    pub(crate) load: bool,
}

/// Whether an access of that width may be made there.
pub(crate) fn is_aligned(address: u32, width: Width) -> bool {
    match width {
        Width::Byte => true,
        Width::Half => address & 1 == 0,
        Width::Word => address & 3 == 0,
    }
}

/// The chip around the core, of one family or another.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a board holds one, and a clone of it would have to follow the box")]
pub enum Soc {
    /// Nordic's.
    Nrf(nrf::Soc),
    /// ST's.
    Stm32(stm32::Soc),
}

/// Asks the chip, whichever it is.
macro_rules! of_either {
    ($soc:expr, $chip:ident => $asked:expr) => {
        match $soc {
            Soc::Nrf($chip) => $asked,
            Soc::Stm32($chip) => $asked,
        }
    };
}

impl Soc {
    /// A chip that has never been powered, with erased flash.
    pub fn new(chip: Chip, options: SocOptions) -> Self {
        match chip.nrf() {
            Some(part) => Self::Nrf(nrf::Soc::new(part, options)),
            None => Self::Stm32(stm32::Soc::new(options)),
        }
    }

    /// Which part it is.
    pub fn chip(&self) -> Chip {
        match self {
            Self::Nrf(soc) => match soc.part() {
                nrf::Part::Nrf51822 => Chip::Nrf51822,
                nrf::Part::Nrf52840 => Chip::Nrf52840,
            },
            Self::Stm32(_) => Chip::Stm32f205,
        }
    }

    /// Lets the core execute in it: see [`Core::run`].
    #[inline]
    pub(crate) fn run(&mut self, core: &mut Core, until_cycle: u64) -> Stop {
        of_either!(self, soc => core.run(soc, until_cycle))
    }

    /// Its flash.
    #[inline]
    pub fn flash(&self) -> &Flash {
        of_either!(self, soc => soc.flash())
    }

    /// Its flash, to be changed by a programmer or a fault.
    pub fn flash_mut(&mut self) -> &mut Flash {
        of_either!(self, soc => soc.flash_mut())
    }

    /// Lets chance decide anew; the identity stays.
    pub(crate) fn reseed(&mut self, seed: u64) {
        of_either!(self, soc => soc.reseed(seed));
    }

    /// Copies RAM out without side effects; `None` outside.
    pub fn read_ram(&mut self, address: u32, into: &mut [u8]) -> Option<()> {
        of_either!(self, soc => soc.read_ram(address, into))
    }

    /// Its unique id as it lies in memory: FICR.DEVICEID of an nRF, U_ID of an STM32.
    pub fn unique_id(&self) -> Vec<u8> {
        match self {
            Self::Nrf(soc) => soc.device_id().into_iter().flat_map(u32::to_le_bytes).collect(),
            Self::Stm32(soc) => soc.unique_id().into_iter().flat_map(u32::to_le_bytes).collect(),
        }
    }

    /// Why it was reset, as firmware would read it: RESETREAS of an nRF, RCC_CSR of an STM32.
    pub fn reset_reasons(&self) -> u32 {
        of_either!(self, soc => soc.reset_reasons())
    }

    /// Puts devices on two-wire bus 0 or 1, in place of those that were there. An STM32's I2C is not modelled: nothing ever speaks to
    /// them.
    pub fn attach(&mut self, bus: usize, device: Box<dyn TwoWireDevice>) {
        if let Self::Nrf(soc) = self {
            soc.attach(bus, device);
        }
    }

    /// What the chip does to a pin.
    pub fn drive(&self, pin: Pin) -> Drive {
        of_either!(self, soc => soc.drive(pin))
    }

    /// The pins that the chip drives high.
    pub(crate) fn pins_driven_high(&self) -> PinSet {
        of_either!(self, soc => soc.pins_driven_high())
    }

    /// What the core does.
    pub fn activity(&self) -> Activity {
        of_either!(self, soc => soc.activity())
    }

    /// Bytes that the console lost: sent to a receiver that was off or full, or overwritten while another was being sent.
    pub fn console_bytes_lost(&self) -> u64 {
        of_either!(self, soc => soc.console().lost())
    }

    /// Resets the chip, which then starts over. A flash operation under way must have been ended by [`Soc::finish_flash`] before: only
    /// the owner of the supply knows what share of it the cells saw.
    pub fn reset(&mut self, cause: ResetCause, clock: &mut Clock) {
        of_either!(self, soc => soc.reset(cause, clock));
    }

    /// The power is gone: nothing moves, pins are released.
    pub(crate) fn lose_power(&mut self, at: u64) {
        of_either!(self, soc => soc.lose_power(at));
    }

    pub(crate) fn set_watch(&mut self, watch: Watch) {
        of_either!(self, soc => soc.set_watch(watch));
    }

    /// Lets a paused core go on.
    pub fn resume(&mut self) {
        of_either!(self, soc => soc.resume());
    }

    /// Whether firmware switched the chip off. An STM32's standby is not modelled.
    pub(crate) fn is_off_requested(&self) -> bool {
        match self {
            Self::Nrf(soc) => soc.is_off_requested(),
            Self::Stm32(_) => false,
        }
    }

    /// Whether a pin asks for the chip to be woken from off.
    pub(crate) fn detects(&self) -> bool {
        match self {
            Self::Nrf(soc) => soc.detects(),
            Self::Stm32(_) => false,
        }
    }

    /// The threshold that firmware armed the power-fail comparator at: POFCON of an nRF, PVD of an STM32.
    pub(crate) fn power_fail_threshold(&self) -> Option<Voltage> {
        of_either!(self, soc => soc.power_fail_threshold())
    }

    /// The supply fell to the power-fail threshold.
    pub(crate) fn warn_of_power_failure(&mut self, clock: &mut Clock) {
        of_either!(self, soc => soc.warn_of_power_failure(clock));
    }

    pub(crate) fn power_failure_cleared(&mut self) {
        of_either!(self, soc => soc.power_failure_cleared());
    }

    /// The brown-out reset that the chip was told to have, if that is for it to say: BOR_LEV of an STM32.
    pub(crate) fn brown_out(&self) -> Option<Hysteresis> {
        match self {
            Self::Nrf(_) => None,
            Self::Stm32(soc) => Some(soc.brown_out()),
        }
    }

    /// Whether debuggers are kept out of the memory: UICR.APPROTECT of an nRF, RDP of an STM32.
    pub(crate) fn is_protected(&mut self) -> bool {
        of_either!(self, soc => soc.is_protected())
    }

    /// Feeds the console with a byte whose start bit comes at the cycle `start`; answers the cycle at which it has arrived.
    pub(crate) fn feed_console(&mut self, start: u64, value: u8, rate: Baud, clock: &mut Clock) -> u64 {
        of_either!(self, soc => soc.feed_console(start, value, rate, clock))
    }

    /// Takes the oldest byte that the console sent.
    pub(crate) fn take_console_byte(&mut self) -> Option<ConsoleByte> {
        of_either!(self, soc => soc.console_mut().take_first_sent())
    }

    /// Whether the console sent a line feed since this was last asked.
    pub(crate) fn take_line_end(&mut self) -> bool {
        of_either!(self, soc => soc.console_mut().take_line_end())
    }

    /// Takes the bytes that the console sent.
    pub fn take_console(&mut self) -> Vec<ConsoleByte> {
        of_either!(self, soc => soc.take_console())
    }

    /// The code of its bootloader, if it has one.
    pub(crate) fn boot_code_mut(&mut self) -> &mut BootCode {
        of_either!(self, soc => soc.boot_code_mut())
    }

    /// Whether firmware left the start that is due to the bootloader.
    pub(crate) fn is_bootloader_wanted(&self) -> bool {
        of_either!(self, soc => soc.is_bootloader_wanted())
    }

    /// Has the start after the next reset be an ordinary one.
    pub(crate) fn want_no_bootloader(&mut self) {
        of_either!(self, soc => soc.want_no_bootloader());
    }

    /// How the bootloader has the flash do that, where the controller leaves it to its user.
    pub(crate) fn manner_of_bootloader(&self, operation: FlashOperation) -> Option<Manner> {
        match self {
            Self::Nrf(_) => None,
            Self::Stm32(soc) => Some(soc.manner_of_bootloader(operation)),
        }
    }

    /// Does something with the flash as it is, whatever code the core executes.
    pub(crate) fn past_the_bootloader<R>(&mut self, act: impl FnOnce(&mut Self) -> R) -> R {
        let runs = self.boot_code_mut().runs();
        self.boot_code_mut().stop();
        let done = act(self);
        if runs {
            self.boot_code_mut().run();
        }
        done
    }

    /// What the outside does to a pin.
    pub(crate) fn outside(&self, pin: Pin) -> Level {
        of_either!(self, soc => soc.outside(pin))
    }

    /// There is voltage on VBUS, or not any more.
    pub(crate) fn set_bus_power(&mut self, present: bool, at: u64) {
        of_either!(self, soc => soc.set_bus_power(present, at));
    }

    /// What it is to a host on USB.
    pub(crate) fn presence(&self) -> &Presence {
        of_either!(self, soc => soc.presence())
    }

    /// What it is to a host on USB.
    pub(crate) fn presence_mut(&mut self) -> &mut Presence {
        of_either!(self, soc => soc.presence_mut())
    }

    /// The host begins a control transfer.
    pub(crate) fn ask_over_usb(&mut self, setup: Setup, data: &[u8], clock: &mut Clock) -> Result<(), NotAttached> {
        of_either!(self, soc => soc.ask_over_usb(setup, data, clock))
    }

    /// What came of it, once.
    pub(crate) fn take_usb_answer(&mut self) -> Option<UsbAnswer> {
        of_either!(self, soc => soc.take_usb_answer())
    }

    pub(crate) fn drain_pin_edges(&mut self) -> std::vec::Drain<'_, PinEdge> {
        of_either!(self, soc => soc.drain_pin_edges())
    }

    /// Changes what the outside does to a pin.
    pub(crate) fn drive_from_outside(&mut self, pin: Pin, level: Level, clock: &mut Clock) {
        of_either!(self, soc => soc.drive_from_outside(pin, level, clock));
    }

    /// Ends the flash operation under way, fully or with the share that its cells saw. The core can go on unless
    /// [`Soc::begin_waiting_flash`] finds another that it waits for.
    pub fn finish_flash(&mut self, share: Ratio, clock: &mut Clock) {
        of_either!(self, soc => soc.finish_flash(share, clock));
    }

    /// Begins the next word of a store of several, if there is one; whether there was.
    pub fn begin_waiting_flash(&mut self, clock: &Clock) -> bool {
        of_either!(self, soc => soc.begin_waiting_flash(clock))
    }
}

/// For whoever does not execute in it: the board between two runs, and a debugger.
impl Bus for Soc {
    fn fetch(&mut self, address: u32) -> Result<u16, BusFault> {
        of_either!(self, soc => soc.fetch(address))
    }
    fn read(&mut self, address: u32, width: Width, clock: &mut Clock) -> Result<u32, BusFault> {
        of_either!(self, soc => soc.read(address, width, clock))
    }
    fn write(&mut self, address: u32, value: u32, width: Width, clock: &mut Clock) -> Result<(), BusFault> {
        of_either!(self, soc => soc.write(address, value, width, clock))
    }
    #[inline]
    fn next_event(&self) -> u64 {
        of_either!(self, soc => soc.next_event())
    }
    fn tick(&mut self, clock: &mut Clock) {
        of_either!(self, soc => soc.tick(clock));
    }
    fn interrupt_lines(&self) -> u64 {
        of_either!(self, soc => soc.interrupt_lines())
    }
    #[inline]
    fn halt(&self) -> Option<Halt> {
        of_either!(self, soc => soc.halt())
    }
    fn activity_changed(&mut self, activity: Activity, clock: &mut Clock) {
        of_either!(self, soc => soc.activity_changed(activity, clock));
    }
}
