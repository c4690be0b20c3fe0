//! The host's program of the lane: two stations with a virtual board each, a unix socket for each of their devices in the folder that is the
//! only argument. Says `ready` when they are there, ends when the guest does, and then says how the boards kept pace.
//!
//! An example and no binary, so that `cargo run` at the top has one command to run.

use std::error::Error;
use std::path::Path;

use brickproof_paced::board::PacedBoard;
use brickproof_paced::far_side::{self, FarStation};
use brickproof_paced::station::{StationConfig, devices};
use brickproof_virtual_board::board::{Board, BoardConfig, BootButton};
use brickproof_virtual_board::chip::{Chip, Level, Pin};
use brickproof_virtual_board::supply::Source;
use brickproof_virtual_board::wiring::Wiring;

const LANTERN: &[u8] = include_bytes!("../../../fixtures/firmware/images/lantern-heal-parse.bin");

/// A board without a source, and what is plugged in beside it.
fn station(
    name: &'static str,
    chip: Chip,
    boot_button: Option<BootButton>,
    config: &StationConfig,
) -> Result<(PacedBoard, FarStation), Box<dyn Error>> {
    let wiring = Wiring { light: [13, 14, 15].map(Pin::p0), modem: Some(config.radio) };
    let board = BoardConfig { source: Source::None, pins: wiring.pins(), boot_button, ..BoardConfig::new(chip) };
    let board = PacedBoard::start(Board::new(board, LANTERN)?, wiring, 1)?;
    let hand = board.hand();
    let devices = devices(&hand, config);
    Ok((board, FarStation { name, hand, devices }))
}

#[expect(clippy::print_stdout, reason = "it tells whoever started it")]
fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("a folder for the sockets is missing")?;
    let (nrf51, nrf52840) = (StationConfig::lantern_nrf51("VB0001"), StationConfig::lantern_nrf52840("VB0840"));
    let button = BootButton { pin: nrf52840.mode, pressed: Level::Low };
    let (_first, nrf51) = station("nrf51", Chip::Nrf51822, None, &nrf51)?;
    let (_second, nrf52840) = station("nrf52840", Chip::Nrf52840, Some(button), &nrf52840)?;
    let stations = [nrf51, nrf52840];
    far_side::serve(&stations, Path::new(&folder), || println!("ready"))?;
    for FarStation { name, hand, .. } in &stations {
        println!("the pace of {name}: {}", hand.pace());
    }
    Ok(())
}
