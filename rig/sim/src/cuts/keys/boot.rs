//! One boot, listened to: what the board says of its keys before it goes to the network.
//!
//! Boundary: log lines (`fixtures/firmware/PROTOCOL.md` section 5). What is in flash is read by `fate`.

use brickproof_console::Lines;
use brickproof_keys::Fingerprint;
use brickproof_units::{Instant, Span};
use brickproof_virtual_board::board::Board;

use crate::cuts::terminal::{next_line, says};

/// Longer than any boot that generates a key and writes two copies of everything.
pub(super) const LONGEST_BOOT: Span = Span::secs(10);

const REPORT: &str = "system.keys] INFO: device=";
const GENERATING: &str = ", generating.";
/// Keys are loaded and healed before anything is connected.
const HEALED: &str = "Network: connecting";

/// A boot that is being listened to.
#[derive(Debug)]
pub(super) struct Boot {
    lines: Lines,
    deadline: Instant,
    /// The device key that the board calls good, by its fingerprint, as it found it.
    pub(super) claims: Option<Fingerprint>,
    /// The board said that it makes itself a new device key.
    pub(super) generates: bool,
}

impl Boot {
    /// The board was just switched on.
    pub(super) fn new(board: &Board) -> Self {
        Self { lines: Lines::new(), deadline: board.now() + LONGEST_BOOT, claims: None, generates: false }
    }

    /// Goes on until the board has reported its keys and before it repairs any. `None` if it never does.
    pub(super) fn until_report(&mut self, board: &mut Board) -> Option<()> {
        self.until(board, REPORT)
    }

    /// Goes on until the board has healed what it heals. `None` if it never does.
    pub(super) fn until_healed(&mut self, board: &mut Board) -> Option<()> {
        self.until(board, HEALED)
    }

    fn until(&mut self, board: &mut Board, awaited: &str) -> Option<()> {
        loop {
            let line = next_line(board, &mut self.lines, self.deadline)?;
            self.generates |= says(&line, GENERATING);
            if says(&line, REPORT) {
                self.claims = claimed_good(&line.bytes);
            }
            if says(&line, awaited) {
                return Some(());
            }
        }
    }
}

/// The fingerprint in `device=good/<16 digits>`.
fn claimed_good(line: &[u8]) -> Option<Fingerprint> {
    const CLAIM: &[u8] = b"device=good/";
    const DIGITS: usize = 16;
    let start = line.windows(CLAIM.len()).position(|window| window == CLAIM)? + CLAIM.len();
    Fingerprint::from_hex(line.get(start..start + DIGITS)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_good_key_is_claimed() {
        let fingerprint = Fingerprint::from_hex(b"1da0e8329da0beb6");
        let line = b"0000000002 [system.keys] INFO: device=good/1da0e8329da0beb6 server=good/51debd367ea1fd30";
        assert_eq!(claimed_good(line), fingerprint);
        assert_eq!(claimed_good(b"device=bad/1da0e8329da0beb6 server=good/51debd367ea1fd30"), None);
        assert_eq!(claimed_good(b"device=good/1da0"), None);
    }
}
