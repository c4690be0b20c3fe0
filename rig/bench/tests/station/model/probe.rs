//! The debug probe of the model's board: a short cut into its flash.
//!
//! Boundary: what is read and written, and whether the board answers. Stock probe-rs at the same board is `flashing`'s.

use std::sync::Arc;

use brickproof_instruments::{Deadline, Failure, FailureKind, Kind, Moment, Probe, Region};
use brickproof_paced::board::{Button, Hand, Holder};
use brickproof_units::Voltage;

use super::Model;

/// Where the part keeps its unique id; see the board's profile.
const IDENTITY: u32 = 0x1000_0060;
/// The unique id of the model's board.
pub(crate) const SERIAL: [u8; 8] = [0x6c, 0x1f, 0x3a, 0x90, 0xd2, 0xe4, 0xb8, 0x57];
/// A rail that a probe takes for a target's.
const ALIVE: Voltage = Voltage::new(1_800_000);

/// What a probe needs before it reaches the board.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Deaf {
    #[default]
    No,
    UntilReset,
    UntilPowerCycle,
    ForGood,
}

pub(super) struct ModelProbe {
    model: Arc<Model>,
}

impl ModelProbe {
    pub(super) fn open(model: Arc<Model>) -> Self {
        Self { model }
    }

    /// Reaches the board, if it can be reached.
    fn reach(&self, asked: &str) -> Result<Hand, Failure> {
        self.model.obey(Kind::Probe, asked)?;
        let hand = self.model.hand();
        let failure = |what: &str| Failure::new("the model's probe", asked, FailureKind::Missing(what.to_owned()));
        if hand.read_supply().rail < ALIVE {
            return Err(failure("no target voltage"));
        }
        if self.model.state().deaf != Deaf::No {
            return Err(failure("no target answers"));
        }
        Ok(hand)
    }
}

impl Probe for ModelProbe {
    fn read(&mut self, region: Region, _: Deadline) -> Result<Vec<u8>, Failure> {
        let asked = format!("read {} bytes at {:#010x}", region.length, region.address);
        let hand = self.reach(&asked)?;
        if region.address == IDENTITY {
            return Ok(self.model.state().serial.unwrap_or(SERIAL).to_vec());
        }
        let mut bytes = vec![0; region.length as usize];
        hand.with_board(|board| board.flash().read_raw(region.address, &mut bytes))
            .map_err(|error| Failure::new("the model's probe", &asked, FailureKind::Answer(error.to_string())))?;
        Ok(bytes)
    }

    fn program(&mut self, address: u32, bytes: &[u8], _: Deadline) -> Result<(), Failure> {
        let asked = format!("program {} bytes at {address:#010x}", bytes.len());
        let hand = self.reach(&asked)?;
        self.model.state().halted = true;
        // A halted core does nothing, as one in reset.
        hand.reset(Holder::Probe, Button::Pressed);
        self.model.state().written.push((address, bytes.len()));
        hand.with_board(|board| board.write_flash(address, bytes))
            .map_err(|error| Failure::new("the model's probe", &asked, FailureKind::Answer(error.to_string())))
    }

    fn reset(&mut self, _: Deadline) -> Result<Moment, Failure> {
        let hand = self.reach("reset the board")?;
        self.model.state().halted = false;
        Moment::of(|| {
            hand.reset(Holder::Probe, Button::Pressed);
            hand.reset(Holder::Probe, Button::Released);
            Ok(())
        })
        .map(|((), moment)| moment)
    }

    fn detach(&mut self, _: Deadline) -> Result<(), Failure> {
        self.model.obey(Kind::Probe, "let go of the board")
    }
}
