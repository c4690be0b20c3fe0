//! The chip on USB, and the code of a bootloader that is none of the flash's.
//!
//! Boundary: what follows for the chip from USBD's registers and from a bootloader being run. When one is, the board decides.

use super::{RAM, Soc, Unit};
use crate::bus::{Clock, Width};
use crate::chip::{Level, Pin};
use crate::nrf::boot_code::BootCode;
use crate::nrf::peripheral::{EventSet, NONE};
use crate::nrf::usbd::Transfer;
use crate::usb::{NotAttached, Setup, UsbAnswer, UsbDevice, UsbEdge};

/// What lantern leaves in GPREGRET for a start of its bootloader.
const STAY_IN_BOOTLOADER: u32 = 0xB1;

impl Soc {
    /// Keeps a copy of the image for a bootloader to run from.
    pub(crate) fn keep_boot_code(&mut self, image: &[u8]) {
        self.boot_code = Some(BootCode::of(image));
    }

    /// Whether the start that is due was left to the bootloader.
    pub(crate) fn is_bootloader_wanted(&self) -> bool {
        self.power.retained() == STAY_IN_BOOTLOADER
    }

    /// Has the core execute the bootloader's code from here to the next reset, if there is any.
    pub(crate) fn run_bootloader(&mut self) {
        self.in_bootloader = self.boot_code.is_some();
    }

    /// Has the start after the next reset be an ordinary one.
    pub(crate) fn want_no_bootloader(&mut self) {
        self.power.forget_retained();
    }

    /// Replaces the bootloader's code, and hands out what it was.
    pub(crate) fn put_boot_code(&mut self, code: Option<BootCode>) -> Option<BootCode> {
        std::mem::replace(&mut self.boot_code, code)
    }

    #[inline]
    pub(super) fn boot_code_in_use(&self) -> Option<&BootCode> {
        if self.in_bootloader { self.boot_code.as_ref() } else { None }
    }

    #[inline]
    pub(super) fn read_code<const N: usize>(&mut self, address: u32) -> Option<[u8; N]> {
        match self.boot_code_in_use().and_then(|code| code.read(address)) {
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
    pub(crate) fn on_usb(&self) -> Option<UsbDevice> {
        self.on_usb
    }

    /// Takes the changes of that.
    pub(crate) fn drain_usb_edges(&mut self) -> impl Iterator<Item = UsbEdge> + '_ {
        self.usb_edges.drain(..)
    }

    /// The host begins a control transfer.
    pub(crate) fn ask_over_usb(&mut self, setup: Setup, data: &[u8], clock: &mut Clock) -> Result<(), NotAttached> {
        self.on_usb.ok_or(NotAttached)?;
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
        let device = attached.then_some(device);
        if device != self.on_usb {
            self.on_usb = device;
            self.usb_edges.push(UsbEdge { at: self.rate.instant(at), device });
        }
    }
}
