//! The wire clock by clock, for probes that are told bits instead of transfers.
//!
//! Boundary: SWD framing (IHI 0031 B4): resets of the wire, headers, acknowledgements, data, parity. A write is acknowledged before its data is
//! there, so here always with OK; what becomes of it shows at the next transfer, as after every buffered write.

use super::{Bank, Refusal, Request, Swd};

/// Ones in a row that reset the wire.
const RESET_ONES: u32 = 50;
/// Of a header: start, bank, direction, two address bits, parity, stop, park.
const HEADER_BITS: u32 = 8;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Between transfers: zeros, until a start bit.
    #[default]
    Idle,
    Header {
        bits: u32,
        count: u32,
    },
    /// The target drives these bits, least first, after a turnaround clock that is the first of them.
    Answer {
        bits: u64,
        left: u32,
        then: Then,
    },
    /// The host drives the 32 bits of a write and their parity.
    Data {
        bank: Bank,
        address: u8,
        bits: u64,
        count: u32,
    },
    /// Step was lost; only a reset of the wire helps.
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Idle,
    Lost,
    Data { bank: Bank, address: u8 },
}

/// Follows the wire.
#[derive(Clone, Debug, Default)]
pub(super) struct Wire {
    phase: Phase,
    ones: u32,
}

impl Wire {
    /// The probe makes whole transfers now.
    pub(super) fn step_over(&mut self) {
        *self = Self::default();
    }

    /// One clock in which the host drives `bit`.
    pub(super) fn drive(&mut self, bit: bool, swd: &mut impl Swd) {
        self.ones = if bit { self.ones + 1 } else { 0 };
        if self.ones >= RESET_ONES {
            if self.ones == RESET_ONES {
                swd.reset_wire();
            }
            self.phase = Phase::Idle;
            return;
        }
        self.phase = match self.phase {
            Phase::Idle | Phase::Answer { left: 0, then: Then::Idle, .. } if bit => Phase::Header { bits: 1, count: 1 },
            Phase::Idle | Phase::Answer { left: 0, then: Then::Idle, .. } => Phase::Idle,
            Phase::Header { bits, count } => {
                let (bits, count) = (bits | u32::from(bit) << count, count + 1);
                if count == HEADER_BITS { answer(bits, swd) } else { Phase::Header { bits, count } }
            }
            Phase::Answer { left: 0, then: Then::Data { bank, address }, .. } => {
                Phase::Data { bank, address, bits: u64::from(bit), count: 1 }
            }
            Phase::Data { bank, address, bits, count } => {
                let (bits, count) = (bits | u64::from(bit) << count, count + 1);
                if count <= 32 { Phase::Data { bank, address, bits, count } } else { write(bank, address, bits, swd) }
            }
            Phase::Answer { .. } | Phase::Lost => Phase::Lost,
        };
    }

    /// One clock in which the host listens; what it hears. Nobody driving is a one: the line is pulled up.
    pub(super) fn listen(&mut self) -> bool {
        self.ones = 0;
        let Phase::Answer { bits, left, then } = &mut self.phase else { return true };
        if *left == 0 {
            return true;
        }
        let bit = *bits & 1 == 1;
        *bits >>= 1;
        *left -= 1;
        if *left == 0 && *then == Then::Lost {
            self.phase = Phase::Lost;
        }
        bit
    }
}

fn answer(header: u32, swd: &mut impl Swd) -> Phase {
    let bit = |place: u32| header >> place & 1 == 1;
    let parity = (header >> 1 & 0xF).count_ones() & 1 == 1;
    // Stop is zero and park is one.
    if bit(5) != parity || bit(6) || !bit(7) {
        return Phase::Lost;
    }
    let bank = if bit(1) { Bank::Access } else { Bank::Port };
    let address = (header >> 3 & 3) as u8 * 4;
    if !bit(2) {
        return acknowledge(0b001, Then::Data { bank, address });
    }
    match swd.transfer(Request::Read(bank, address)) {
        Ok(value) => {
            let parity = u64::from(value.count_ones() & 1);
            Phase::Answer { bits: 0b0011 | u64::from(value) << 4 | parity << 36, left: 37, then: Then::Idle }
        }
        Err(Refusal::Wait) => acknowledge(0b010, Then::Idle),
        Err(Refusal::Fault) => acknowledge(0b100, Then::Idle),
        Err(Refusal::NoAnswer) => Phase::Answer { bits: u64::MAX, left: 37, then: Then::Lost },
    }
}

fn acknowledge(bits: u64, then: Then) -> Phase {
    Phase::Answer { bits: bits << 1 | 1, left: 4, then }
}

fn write(bank: Bank, address: u8, bits: u64, swd: &mut impl Swd) -> Phase {
    let value = bits as u32;
    if bits >> 32 & 1 != u64::from(value.count_ones() & 1) {
        return Phase::Lost;
    }
    match swd.transfer(Request::Write(bank, address, value)) {
        Ok(_) | Err(Refusal::Wait | Refusal::Fault) => Phase::Idle,
        Err(Refusal::NoAnswer) => Phase::Lost,
    }
}
