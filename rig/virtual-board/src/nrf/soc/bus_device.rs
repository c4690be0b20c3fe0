//! The chip on USB, and the code of a bootloader that is none of the flash's.
//!
//! Boundary: what follows for the chip from USBD's registers and from a bootloader being run. When one is, the board decides.

use super::{RAM, Soc, Unit};
use crate::bus::{Clock, Width};
use crate::chip::{BootCode, Level, Pin};
use crate::nrf::peripheral::{EventSet, NONE};
use crate::nrf::usbd::Transfer;
use crate::usb::{NotAttached, Presence, Setup, UsbAnswer, UsbDevice};

/// What lantern leaves in GPREGRET for a start of its bootloader.
const STAY_IN_BOOTLOADER: u32 = 0xB1;

impl Soc {
    /// The code of its bootloader.
    pub(crate) fn boot_code_mut(&mut self) -> &mut BootCode {
        &mut self.boot_code
    }

    /// Whether the start that is due was left to the bootloader.
    pub(crate) fn is_bootloader_wanted(&self) -> bool {
        self.power.retained() == STAY_IN_BOOTLOADER
    }

    /// Has the start after the next reset be an ordinary one.
    pub(crate) fn want_no_bootloader(&mut self) {
        self.power.forget_retained();
    }

    #[inline]
    pub(super) fn read_code<const N: usize>(&mut self, address: u32) -> Option<[u8; N]> {
        match self.boot_code.read(address) {
            None => self.flash.read_code(address),
            bytes => bytes,
        }
    }

    /// What the outside does to a pin.
    pub(crate) fn outside(&self, pin: Pin) -> Level {
        self.pins.outside(pin)
    }

    /// There is voltage on VBUS, or not any more.
    pub(crate) fn set_bus_power(&mut self, present: bool, at: u64) {
        self.power.set_bus_power(present);
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
    pub(crate) fn ask_over_usb(&mut self, setup: Setup, data: &[u8], clock: &mut Clock) -> Result<(), NotAttached> {
        self.presence.now().ok_or(NotAttached)?;
        let happened = self.usbd.ask(setup, data);
        self.settle(Unit::Usbd, happened, clock);
        Ok(())
    }

    /// What came of it, once.
    pub(crate) fn take_usb_answer(&mut self) -> Option<UsbAnswer> {
        self.usbd.take_answer()
    }

    /// Moves what a task of USBD asked for.
    pub(super) fn move_for_usb(&mut self) -> EventSet {
        match self.usbd.take_transfer() {
            None => NONE,
            Some(Transfer::ToMemory { address, bytes }) => {
                for (address, byte) in (address..).zip(bytes) {
                    // Outside RAM EasyDMA gets a bus error, of which it tells nobody.
                    let _ = self.ram.write(address.wrapping_sub(RAM) as usize, byte.into(), Width::Byte);
                }
                NONE
            }
            Some(Transfer::FromMemory { address, count }) => {
                let mut bytes = vec![0; count];
                let _ = self.ram.copy_out(address.wrapping_sub(RAM) as usize, &mut bytes);
                self.usbd.given(bytes)
            }
        }
    }

    /// Notes whether it has become something else to a host.
    pub(super) fn follow_usb(&mut self, at: u64) {
        let attached = self.usbd.is_attached() && self.power.has_bus_power();
        // A product that was started with its button held has not chosen yet, and is not attached.
        let device = if self.is_bootloader_wanted() { UsbDevice::Dfu } else { UsbDevice::Normal };
        self.presence.follow(attached.then_some(device), self.rate.instant(at));
    }
}
