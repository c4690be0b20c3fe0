//! The USB of the model's board: its bootloader as a DfuSe client reaches it, and its firmware as a host asks it for a mode.
//!
//! Boundary: the board decides whether it is there; its bootloader writes in the flash's own time. How blocks come over USB is the lane's to show.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use brickproof_instruments::{Deadline, Dfu, Failure, FailureKind, Kind, Moment, Presence, Region, UsbId};
use brickproof_virtual_board::board::Board;
use brickproof_virtual_board::usb::{Setup, UsbAnswer, UsbDevice};

use super::Model;

const POLL: Duration = Duration::from_millis(1);

pub(super) struct ModelDfu {
    model: Arc<Model>,
}

impl ModelDfu {
    pub(super) fn open(model: Arc<Model>) -> Self {
        Self { model }
    }

    fn on_usb(&self) -> Option<UsbDevice> {
        self.model.hand().on_usb().device
    }

    /// Does something with a board that is in its bootloader.
    fn with<R>(&self, asked: &str, act: impl FnOnce(&mut Board) -> R) -> Result<R, Failure> {
        self.model.obey(Kind::Dfu, asked)?;
        let there = |board: &mut Board| (board.usb() == Some(UsbDevice::Dfu)).then(|| act(board));
        let gone = || Failure::new("the model's dfu", asked, FailureKind::Gone("it left the bus".to_owned()));
        self.model.hand().with_board(there).ok_or_else(gone)
    }

    /// Has the bootloader do something, and waits until its flash has.
    fn work(&self, asked: &str, act: impl FnOnce(&mut Board)) -> Result<(), Failure> {
        self.with(asked, act)?;
        while self.with(asked, |board| board.is_bootloader_busy())? {
            thread::sleep(POLL);
        }
        Ok(())
    }
}

impl Dfu for ModelDfu {
    fn is_there(&mut self, _: Deadline) -> Result<bool, Failure> {
        self.model.obey(Kind::Dfu, "look for it")?;
        Ok(self.on_usb() == Some(UsbDevice::Dfu))
    }

    fn upload(&mut self, alternate: u8, region: Region, _: Deadline) -> Result<Vec<u8>, Failure> {
        assert_eq!(alternate, 0, "it shows its flash and nothing else");
        let mut bytes = vec![0; region.length as usize];
        let asked = format!("read {} bytes at {:#010x}", region.length, region.address);
        let read = self.with(&asked, |board| board.flash().read_raw(region.address, &mut bytes))?;
        let outside = |error: brickproof_virtual_board::flash::OutsideFlash| FailureKind::Answer(error.to_string());
        read.map(|()| bytes).map_err(|error| Failure::new("the model's dfu", asked, outside(error)))
    }

    fn download(&mut self, alternate: u8, address: u32, bytes: &[u8], deadline: Deadline) -> Result<(), Failure> {
        assert_eq!(alternate, 0, "it shows its flash and nothing else");
        let asked = format!("write {} bytes at {address:#010x}", bytes.len());
        let sector = self.with(&asked, |board| board.flash().geometry().sector_at(address))?;
        let sector = sector.expect("it is in flash");
        let mut content = self.upload(alternate, Region { address: sector.address, length: sector.size }, deadline)?;
        let at = (address - sector.address) as usize;
        content[at..at + bytes.len()].copy_from_slice(bytes);
        self.work(&asked, |board| board.bootloader_erase(sector.address).expect("it is there"))?;
        self.work(&asked, |board| board.bootloader_program(sector.address, &content).expect("it is there"))?;
        let there = self.upload(alternate, Region { address: sector.address, length: sector.size }, deadline)?;
        assert!(there == content, "nothing is cut that nobody noticed");
        Ok(())
    }

    fn leave(&mut self, _: Deadline) -> Result<Moment, Failure> {
        Moment::of(|| self.with("leave its bootloader", |board| board.leave_bootloader().expect("it is there")))
            .map(|((), moment)| moment)
    }

    fn presence(&mut self, _: UsbId, _: Deadline) -> Result<Presence, Failure> {
        self.model.obey(Kind::Dfu, "look what the board is on USB")?;
        Ok(match self.on_usb() {
            Some(UsbDevice::Normal) => Presence::Firmware,
            Some(UsbDevice::Dfu) => Presence::Bootloader,
            None => Presence::Gone,
        })
    }

    fn request(&mut self, _: UsbId, index: u16, deadline: Deadline) -> Result<Moment, Failure> {
        let asked = format!("send the firmware request {index}");
        let failure = |kind| Failure::new("the model's dfu", &asked, kind);
        self.model.obey(Kind::Dfu, &asked)?;
        let setup = Setup { kind: 0x40, request: 0x50, value: 0, index, length: 0 };
        let hand = self.model.hand();
        if self.on_usb() != Some(UsbDevice::Normal) || hand.ask_over_usb(setup, &[]).is_err() {
            return Err(failure(FailureKind::Missing("it is not on the bus".to_owned())));
        }
        let served = || loop {
            match hand.take_usb_answer() {
                Some(UsbAnswer::Accepted(_)) => return Ok(()),
                Some(UsbAnswer::Refused) => return Err(failure(FailureKind::Refused("a stall".to_owned()))),
                None if deadline.has_passed() => return Err(failure(FailureKind::NoAnswer(deadline.within()))),
                None => thread::sleep(POLL),
            }
        };
        Moment::of(served).map(|((), moment)| moment)
    }
}
