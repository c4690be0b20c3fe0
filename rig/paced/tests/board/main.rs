//! A paced board, held by its ends.

mod console;
mod living;
mod own_usb;
mod serving;
mod telling;

use std::time::Duration;

use brickproof_paced::board::PacedBoard;
use brickproof_units::Voltage;
use brickproof_virtual_board::board::{Board, BoardConfig};
use brickproof_virtual_board::chip::{Chip, Pin};
use brickproof_virtual_board::supply::Source;
use brickproof_virtual_board::wiring::Wiring;

const LANTERN: &[u8] = include_bytes!("../../../../fixtures/firmware/images/lantern-heal-parse.bin");
const USB: Voltage = Voltage::new(5_000_000);
const PATIENCE: Duration = Duration::from_secs(20);

/// A CPU that never rests.
const BUSY: &[u8] = include_bytes!("../../../../fixtures/firmware/images/lantern-bench.bin");

fn start() -> PacedBoard {
    start_with(LANTERN)
}

fn start_with(image: &[u8]) -> PacedBoard {
    let wiring = Wiring { light: [13, 14, 15].map(Pin::p0), modem: Some(Pin::p0(16)) };
    let config = BoardConfig { source: Source::None, pins: wiring.pins(), ..BoardConfig::new(Chip::Nrf51822) };
    let board = Board::new(config, image).expect("the image fits");
    PacedBoard::start(board, wiring, 1).expect("there is a thread to be had")
}
