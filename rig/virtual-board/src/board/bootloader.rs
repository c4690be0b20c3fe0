//! The board as its bootloader's host sees it: memory that is erased and programmed in the flash's own time, and a way out.
//!
//! Boundary: a model over the board's own flash controller, where a product has machine code. What is under way is cut by a loss of power like
//! any other operation. How blocks come over USB is the host's and the device's business.

use crate::board::{Board, Life, ResetCause};
use crate::chip::{Level, Pin};
use crate::flash::FlashOperation;

use crate::usb::{NotAttached, Setup, UsbAnswer, UsbDevice, UsbEdge};

/// How a board's bootloader is asked to stay, besides by what the firmware leaves for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootButton {
    /// The pin of the MODE button.
    pub pin: Pin,
    /// Its level while the button is held.
    pub pressed: Level,
}

impl Board {
    /// What the board is to the host at the other end of its USB cable. `None` if it is not attached: without power, in reset, with firmware
    /// that does not want to be, on a chip without USB, or fed by something else than a USB port.
    pub fn usb(&self) -> Option<UsbDevice> {
        self.soc.presence().now()
    }

    /// Takes the changes of that one by one.
    pub fn drain_usb_edges(&mut self) -> impl Iterator<Item = UsbEdge> + '_ {
        self.soc.presence_mut().drain_edges()
    }

    /// The host begins a control transfer that the firmware has to serve; one that it has not served is over. Standard requests and those of the
    /// bootloader's class are not for the firmware.
    ///
    /// # Errors
    /// Nobody is there.
    pub fn usb_control(&mut self, setup: Setup, data: &[u8]) -> Result<(), NotAttached> {
        self.soc.ask_over_usb(setup, data, &mut self.core.clock)
    }

    /// What came of the control transfer, once; `None` while the firmware has not served it, which may be for ever.
    pub fn take_usb_answer(&mut self) -> Option<UsbAnswer> {
        self.soc.take_usb_answer()
    }

    /// Has the bootloader erase the page, or sector, that holds `address`. Other operations are ended first; whether this one is, is told by
    /// [`Board::is_bootloader_busy`].
    ///
    /// # Errors
    /// The board is not in its bootloader.
    pub fn bootloader_erase(&mut self, address: u32) -> Result<(), NotAttached> {
        self.bootloader_begin([FlashOperation::ErasePage { address }])
    }

    /// Has the bootloader program bytes, word by word; both ends of them are made up to whole words with ones, which change nothing.
    ///
    /// # Errors
    /// The board is not in its bootloader.
    pub fn bootloader_program(&mut self, address: u32, bytes: &[u8]) -> Result<(), NotAttached> {
        let lead = (address % 4) as usize;
        let mut whole = vec![0xFF; lead];
        whole.extend_from_slice(bytes);
        whole.resize(whole.len().next_multiple_of(4), 0xFF);
        let words = whole.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
        let places = (address - address % 4..).step_by(4);
        // Words of ones are not worth their time, and a word bears few writes.
        let operations = places.zip(words).filter(|(_, value)| *value != u32::MAX);
        self.bootloader_begin(operations.map(|(address, value)| FlashOperation::Program { address, value }))
    }

    /// Whether something that the bootloader was asked for is under way. A loss of power and a reset end it.
    pub fn is_bootloader_busy(&self) -> bool {
        self.soc.flash().under_way().is_some()
    }

    /// Has the bootloader start the application, which resets the chip.
    ///
    /// # Errors
    /// The board is not in its bootloader.
    pub fn leave_bootloader(&mut self) -> Result<(), NotAttached> {
        self.in_bootloader()?;
        self.soc.want_no_bootloader();
        self.begin_reset(ResetCause::Software);
        Ok(())
    }

    fn in_bootloader(&self) -> Result<(), NotAttached> {
        if self.usb() == Some(UsbDevice::Dfu) && self.life == Life::Running { Ok(()) } else { Err(NotAttached) }
    }

    fn bootloader_begin(&mut self, operations: impl IntoIterator<Item = FlashOperation>) -> Result<(), NotAttached> {
        self.in_bootloader()?;
        let was_idle = !self.is_bootloader_busy();
        let now = self.now();
        for operation in operations {
            let manner = self.soc.manner_of_bootloader(operation);
            self.soc.flash_mut().begin_or_wait(operation, manner, now);
        }
        if was_idle && self.is_bootloader_busy() {
            self.begin_ride(self.core.pc());
            self.report_load();
        }
        Ok(())
    }

    /// The first instruction is the bootloader's if the start before left it to that, or if the button is held.
    pub(super) fn choose_code(&mut self) {
        let is_pressed = |button: BootButton| self.soc.outside(button.pin) == button.pressed;
        if self.soc.is_bootloader_wanted() || self.boot_button.is_some_and(is_pressed) {
            self.soc.boot_code_mut().run();
        }
    }
}
