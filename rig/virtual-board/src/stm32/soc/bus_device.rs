//! The chip on USB, and what it leaves for a bootloader that is none of the flash's.
//!
//! Boundary: what follows for the chip from OTG's registers and from a bootloader being run. When one is, the board decides.

use super::{RATE, Soc};
use crate::bus::Clock;
use crate::chip::{BootCode, Level, Pin};
use crate::flash::{FlashOperation, Manner};
use crate::stm32::flash_controller::Parallelism;
use crate::usb::{NotAttached, Presence, Setup, UsbAnswer, UsbDevice};

/// What firmware leaves in RTC_BKP1R for a start of the bootloader, as Device OS does (v1.4.4 hal/inc/syshealth_hal.h, ENTER_DFU_APP_REQUEST).
const STAY_IN_BOOTLOADER: u32 = 0xEDFA;

impl Soc {
    /// The code of its bootloader.
    pub(crate) fn boot_code_mut(&mut self) -> &mut BootCode {
        &mut self.boot_code
    }

    /// Whether the start that is due was left to the bootloader, which takes that back when it has read it.
    pub(crate) fn is_bootloader_wanted(&self) -> bool {
        self.backup.second() == STAY_IN_BOOTLOADER
    }

    /// Has the start after the next reset be an ordinary one.
    pub(crate) fn want_no_bootloader(&mut self) {
        self.backup.forget_second();
    }

    /// How the bootloader has the flash do that: 32 bits at a time, whatever the supply is, as Device OS's (`FLASH_EraseSector(...,
    /// VoltageRange_3)`).
    pub(crate) fn manner_of_bootloader(&self, operation: FlashOperation) -> Manner {
        let parallelism = Parallelism::X32;
        let needed = match operation {
            FlashOperation::ErasePage { address } => {
                parallelism.erase(self.flash.geometry().sector_at(address).map_or(0, |sector| sector.size))
            }
            FlashOperation::EraseAll | FlashOperation::EraseUicr => parallelism.erase_all(),
            FlashOperation::Program { .. } => parallelism.program(),
        };
        Manner { needed, rail: parallelism.rail() }
    }

    /// `N` bytes of the code memory at `offset`, a multiple of `N`, as the core sees them.
    #[inline]
    pub(super) fn read_code<const N: usize>(&mut self, offset: u32) -> Option<[u8; N]> {
        match self.boot_code.read(offset) {
            None => self.flash.read_code(offset),
            bytes => bytes,
        }
    }

    /// What the outside does to a pin.
    pub(crate) fn outside(&self, pin: Pin) -> Level {
        self.gpio.outside(pin)
    }

    /// There is voltage on VBUS, or not any more.
    pub(crate) fn set_bus_power(&mut self, present: bool, at: u64) {
        self.otg.set_bus_power(present);
        self.follow_usb(at);
    }

    /// What it is to a host.
    pub(crate) fn presence(&self) -> &Presence {
        &self.presence
    }

    /// What it is to a host.
    pub(crate) fn presence_mut(&mut self) -> &mut Presence {
        &mut self.presence
    }

    /// The host begins a control transfer.
    pub(crate) fn ask_over_usb(&mut self, setup: Setup, data: &[u8], _: &mut Clock) -> Result<(), NotAttached> {
        self.presence.now().ok_or(NotAttached)?;
        self.otg.ask(setup, data);
        Ok(())
    }

    /// What came of it, once.
    pub(crate) fn take_usb_answer(&mut self) -> Option<UsbAnswer> {
        self.otg.take_answer()
    }

    /// The chip is reset, or without power.
    pub(super) fn leave_usb(&mut self, at: u64) {
        self.otg.reset();
        self.boot_code.stop();
        self.follow_usb(at);
    }

    /// Notes whether it has become something else to a host. The PHY runs from the PLL.
    pub(super) fn follow_usb(&mut self, at: u64) {
        let attached = self.otg.is_attached() && self.clocks.has_48_mhz(at);
        // A bootloader that was started with its button held has not chosen yet, and is not attached.
        let device = if self.boot_code.runs() { UsbDevice::Dfu } else { UsbDevice::Normal };
        if self.presence.follow(attached.then_some(device), RATE.instant(at)) && attached {
            self.otg.reset_by_host();
        }
    }
}
