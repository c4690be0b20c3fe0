//! The host's program of the lane: a station with a virtual board, a unix socket for each of its devices in the folder that is the only
//! argument. Says `ready` when they are there, ends when the guest does, and then says how the board kept pace.
//!
//! An example and no binary, so that `cargo run` at the top has one command to run.

use std::error::Error;
use std::path::Path;

use brickproof_paced::board::PacedBoard;
use brickproof_paced::far_side;
use brickproof_paced::station::{StationConfig, devices};
use brickproof_virtual_board::board::{Board, BoardConfig};
use brickproof_virtual_board::chip::{Chip, Pin};
use brickproof_virtual_board::supply::Source;
use brickproof_virtual_board::wiring::Wiring;

const LANTERN: &[u8] = include_bytes!("../../../fixtures/firmware/images/lantern-heal-parse.bin");
const SERIAL: &str = "VB0001";

#[expect(clippy::print_stdout, reason = "it tells whoever started it")]
fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("a folder for the sockets is missing")?;
    let wiring = Wiring { light: [13, 14, 15].map(Pin::p0), modem: Some(Pin::p0(16)) };
    let config = BoardConfig { source: Source::None, pins: wiring.pins(), ..BoardConfig::new(Chip::Nrf51822) };
    let board = PacedBoard::start(Board::new(config, LANTERN)?, wiring, 1)?;
    let hand = board.hand();
    let devices = devices(&hand, &StationConfig::lantern_nrf51(SERIAL));
    far_side::serve(&hand, &devices, Path::new(&folder), || println!("ready"))?;
    println!("the board's pace: {}", hand.pace());
    Ok(())
}
