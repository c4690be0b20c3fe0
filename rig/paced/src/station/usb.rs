//! The board's own USB: a serial port while its firmware runs, a DfuSe bootloader while it is in that, nothing while it is neither.
//!
//! Boundary: the cable. When the board is on the bus, and what its firmware makes of a request, is its machine code's; descriptors and the
//! bootloader's protocol are models. Its serial port carries no bytes: the console is its UART.

use std::time::Duration;

use brickproof_units::Span;
use brickproof_virtual_board::board::Board;
use brickproof_virtual_board::usb::{NotAttached, UsbAnswer, UsbDevice};

use crate::board::{Hand, OnUsb};
use crate::devices::cdc_acm::CdcAcm;
use crate::devices::descriptors::Identity;
use crate::devices::dfuse::{Dfuse, Fault, Memory};
use crate::far_side::unique_id;
use crate::news::News;
use crate::usbip::{Answer, Device, Setup, Stall};

/// What a board is called on USB. Its serial number is its chip's unique id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsbNames {
    /// idVendor and idProduct while its firmware runs.
    pub normal: (u16, u16),
    /// The same in its bootloader.
    pub dfu: (u16, u16),
    /// The alternate settings of its bootloader, in order; behind each is all of its flash.
    pub alternates: Vec<String>,
}

impl UsbNames {
    /// Those of `lantern-nrf52840`: numbers that pid.codes keeps for tests.
    pub fn lantern_nrf52840() -> Self {
        Self { normal: (0x1209, 0x0005), dfu: (0x1209, 0x0006), alternates: vec!["internal".to_owned()] }
    }
}

enum Face {
    Port(CdcAcm),
    Bootloader(Dfuse<OwnFlash>),
}

pub(super) struct OwnUsb {
    hand: Hand,
    names: UsbNames,
    /// As what it was plugged in.
    plugged: OnUsb,
    face: Face,
}

impl OwnUsb {
    pub(super) fn new(hand: Hand, names: UsbNames) -> Self {
        let face = face(&hand, &names, UsbDevice::Normal);
        Self { hand, names, plugged: OnUsb::default(), face }
    }

    fn face(&self) -> &dyn Device {
        match &self.face {
            Face::Port(port) => port,
            Face::Bootloader(bootloader) => bootloader,
        }
    }
}

fn face(hand: &Hand, names: &UsbNames, device: UsbDevice) -> Face {
    let serial = hand.with_board(|board| unique_id(board));
    let (normal, dfu) = (names.normal, names.dfu);
    match device {
        UsbDevice::Normal => Face::Port(CdcAcm::of(Identity::new(normal.0, normal.1, "lantern", &serial))),
        UsbDevice::Dfu => {
            let memory = OwnFlash { hand: hand.clone(), alternates: alternates(hand, names) };
            Face::Bootloader(Dfuse::of(Identity::new(dfu.0, dfu.1, "lantern's bootloader", &serial), memory))
        }
    }
}

/// What each of its alternate settings says of the flash: sectors that can be read, erased and written.
fn alternates(hand: &Hand, names: &UsbNames) -> Vec<String> {
    let (base, sectors) = hand.with_board(|board| {
        let geometry = board.flash().geometry();
        let parts = geometry.sectors.iter().map(|part| format!("{:02}*{:03}Kg", part.count, part.size / 1024));
        (geometry.base, parts.collect::<Vec<_>>().join(","))
    });
    names.alternates.iter().map(|name| format!("@{name}   /{base:#010x}/{sectors}")).collect()
}

impl Device for OwnUsb {
    fn device_descriptor(&self) -> Vec<u8> {
        self.face().device_descriptor()
    }

    fn configuration(&self) -> Vec<u8> {
        self.face().configuration()
    }

    fn strings(&self) -> Vec<String> {
        self.face().strings()
    }

    fn select(&mut self, alternate: u8) {
        if let Face::Bootloader(bootloader) = &mut self.face {
            bootloader.select(alternate);
        }
    }

    fn control(&mut self, setup: Setup, data: &[u8]) -> Answer {
        self.begin_control(setup, data).unwrap_or(Err(Stall))
    }

    fn begin_control(&mut self, setup: Setup, data: &[u8]) -> Option<Answer> {
        match &mut self.face {
            Face::Bootloader(bootloader) => bootloader.begin_control(setup, data),
            Face::Port(_) => {
                // Who is not there does not answer.
                let _ = self.hand.ask_over_usb(setup, data);
                None
            }
        }
    }

    fn answer(&mut self) -> Option<Answer> {
        let answer = self.hand.take_usb_answer()?;
        Some(match answer {
            UsbAnswer::Accepted(bytes) => Ok(bytes),
            UsbAnswer::Refused => Err(Stall),
        })
    }

    fn comes_and_goes(&self) -> bool {
        true
    }

    fn is_there(&mut self) -> bool {
        self.hand.on_usb().device.is_some()
    }

    fn plugged(&mut self) {
        self.plugged = self.hand.on_usb();
        if let Some(device) = self.plugged.device {
            self.face = face(&self.hand, &self.names, device);
        }
    }

    fn has_left(&mut self) -> bool {
        self.plugged.device.is_none() || self.hand.on_usb() != self.plugged
    }

    fn tells(&mut self, news: News) {
        self.hand.follow_usb(news);
    }
}

/// The board's flash as its bootloader has it.
struct OwnFlash {
    hand: Hand,
    alternates: Vec<String>,
}

impl OwnFlash {
    /// Has the bootloader begin something; so long it will take.
    fn begin(
        &self,
        address: u32,
        length: usize,
        takes: impl FnOnce(&Board) -> Span,
        act: impl FnOnce(&mut Board) -> Result<(), NotAttached>,
    ) -> Result<Duration, Fault> {
        self.hand.with_board(|board| {
            let mut there = vec![0; length];
            board.flash().read_raw(address, &mut there).map_err(|_| Fault::Address)?;
            let takes = takes(board);
            act(board).map_err(|NotAttached| Fault::Gone)?;
            Ok(Duration::from_nanos(takes.as_nanos()))
        })
    }
}

impl Memory for OwnFlash {
    fn alternates(&self) -> Vec<String> {
        self.alternates.clone()
    }

    fn first(&self, _: u8) -> u32 {
        self.hand.with_board(|board| board.flash().geometry().base)
    }

    fn read(&mut self, _: u8, address: u32, length: usize) -> Result<Vec<u8>, Fault> {
        self.hand.with_board(|board| {
            let mut bytes = vec![0; length];
            match board.usb() {
                Some(UsbDevice::Dfu) => board.flash().read_raw(address, &mut bytes).map_err(|_| Fault::Address)?,
                _ => return Err(Fault::Gone),
            }
            Ok(bytes)
        })
    }

    fn erase(&mut self, _: u8, address: u32) -> Result<Duration, Fault> {
        let takes =
            |board: &Board| board.flash().geometry().sector_at(address).map_or(Span::ZERO, |sector| sector.erase);
        self.begin(address, 1, takes, |board| board.bootloader_erase(address))
    }

    fn write(&mut self, _: u8, address: u32, bytes: &[u8]) -> Result<Duration, Fault> {
        let words = bytes.len().div_ceil(size_of::<u32>()) as u64;
        let takes = |board: &Board| Span::nanos(board.flash().geometry().program.as_nanos() * words);
        self.begin(address, bytes.len(), takes, |board| board.bootloader_program(address, bytes))
    }

    fn is_busy(&mut self) -> bool {
        self.hand.with_board(|board| board.is_bootloader_busy())
    }

    fn leave(&mut self) {
        // One that has left already need not.
        let _ = self.hand.with_board(Board::leave_bootloader);
    }
}
