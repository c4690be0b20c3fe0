//! CMSIS-DAP, version 2: the commands of a debug probe, packet in, packet out.
//!
//! Boundary: SWD and the RESET line; no JTAG, no trace, no UART. Source: the CMSIS-DAP handbook (Arm, DAP_* commands) and, for what it leaves
//! open, the reference firmware's DAP.c (recalled).

use brickproof_units::Span;

use super::wire::Wire;
use super::{Bank, Refusal, Request, ResetDrive, Swd, transfer_patiently};

/// Bytes in a packet: one bulk transfer of high-speed USB, so that flashing is quick.
pub const PACKET_SIZE: usize = 512;
/// Packets that the host may send ahead. They wait in the host's queue: one is enough.
const PACKETS: u8 = 1;

const OK: u8 = 0x00;
const ERROR: u8 = 0xFF;
const INVALID: u8 = 0xFF;

const INFO: u8 = 0x00;
const HOST_STATUS: u8 = 0x01;
const CONNECT: u8 = 0x02;
const DISCONNECT: u8 = 0x03;
const TRANSFER_CONFIGURE: u8 = 0x04;
const TRANSFER: u8 = 0x05;
const TRANSFER_BLOCK: u8 = 0x06;
const TRANSFER_ABORT: u8 = 0x07;
const WRITE_ABORT: u8 = 0x08;
const DELAY: u8 = 0x09;
const RESET_TARGET: u8 = 0x0A;
const SWJ_PINS: u8 = 0x10;
const SWJ_CLOCK: u8 = 0x11;
const SWJ_SEQUENCE: u8 = 0x12;
const SWD_CONFIGURE: u8 = 0x13;
const SWD_SEQUENCE: u8 = 0x1D;
const EXECUTE_COMMANDS: u8 = 0x7F;

const PORT_SWD: u8 = 1;
const SELECT: u8 = 0x8;
const RDBUFF: u8 = 0xC;

const ACCESS_PORT: u8 = 1 << 0;
const READ: u8 = 1 << 1;
const MATCH_VALUE: u8 = 1 << 4;
const MATCH_MASK: u8 = 1 << 5;

const ACK_OK: u8 = 1;
const MISMATCH: u8 = 1 << 4;

const PIN_SWCLK: u8 = 1 << 0;
const PIN_SWDIO: u8 = 1 << 1;
const PIN_RESET: u8 = 1 << 7;

/// A probe that speaks CMSIS-DAP.
#[derive(Clone, Debug)]
pub struct CmsisDap {
    serial: String,
    wire: Wire,
    reset: ResetDrive,
    retries: u32,
    match_retries: u32,
    match_mask: u32,
}

/// A command that ends before it has said everything.
struct Truncated;

/// Reads a command from its front.
struct Command<'a>(&'a [u8]);

impl<'a> Command<'a> {
    fn bytes(&mut self, count: usize) -> Result<&'a [u8], Truncated> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Truncated> {
        self.bytes(1).map(|bytes| bytes[0])
    }

    fn half(&mut self) -> Result<u16, Truncated> {
        self.bytes(2).map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    fn word(&mut self) -> Result<u32, Truncated> {
        self.bytes(4).map(|bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }
}

/// How a sequence of transfers ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failed {
    Refused(Refusal),
    Mismatch,
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Failed {
    fn acknowledgement(self) -> u8 {
        match self {
            Self::Refused(Refusal::Wait) => 2,
            Self::Refused(Refusal::Fault) => 4,
            Self::Refused(Refusal::NoAnswer) => 7,
            Self::Mismatch => ACK_OK | MISMATCH,
        }
    }
}

impl CmsisDap {
    /// A probe that tells this serial number.
    pub fn new(serial: impl Into<String>) -> Self {
        Self {
            serial: serial.into(),
            wire: Wire::default(),
            reset: ResetDrive::default(),
            retries: 100,
            match_retries: 0,
            match_mask: 0,
        }
    }

    /// Executes one packet of commands. Answers the packet to send back, at most [`PACKET_SIZE`] bytes.
    pub fn execute(&mut self, packet: &[u8], swd: &mut impl Swd) -> Vec<u8> {
        let mut answer = Vec::with_capacity(PACKET_SIZE);
        let mut command = Command(packet);
        match command.byte() {
            Ok(EXECUTE_COMMANDS) => {
                let count = command.byte().unwrap_or(0);
                answer.extend([EXECUTE_COMMANDS, count]);
                for _ in 0..count {
                    self.command(&mut command, swd, &mut answer);
                }
            }
            _ => self.command(&mut Command(packet), swd, &mut answer),
        }
        answer.truncate(PACKET_SIZE);
        answer
    }

    fn command(&mut self, command: &mut Command<'_>, swd: &mut impl Swd, answer: &mut Vec<u8>) {
        let Ok(id) = command.byte() else { return answer.push(INVALID) };
        let begin = answer.len();
        answer.push(id);
        let done = match id {
            INFO => self.info(command, answer),
            HOST_STATUS => command.half().map(|_| answer.push(OK)),
            CONNECT => command.byte().map(|port| answer.push(if port <= PORT_SWD { PORT_SWD } else { 0 })),
            DISCONNECT | TRANSFER_ABORT => {
                // Nothing is under way that could be aborted, and that command has no answer of its own.
                answer.push(OK);
                Ok(())
            }
            TRANSFER_CONFIGURE => self.configure(command, answer),
            TRANSFER => self.transfer(command, swd, answer),
            TRANSFER_BLOCK => self.transfer_block(command, swd, answer),
            WRITE_ABORT => self.write_abort(command, swd, answer),
            DELAY => command.half().map(|micros| {
                swd.pass(Span::micros(u64::from(micros)));
                answer.push(OK);
            }),
            // There is no reset that only the device knows.
            RESET_TARGET => {
                answer.extend([OK, 0]);
                Ok(())
            }
            SWJ_PINS => self.pins(command, swd, answer),
            // The wire is as fast as the caller has it.
            SWJ_CLOCK => command.word().map(|clock| answer.push(if clock == 0 { ERROR } else { OK })),
            SWJ_SEQUENCE => self.sequence(command, swd, answer),
            // A turnaround of one clock, and no data after a refusal.
            SWD_CONFIGURE => command.byte().map(|bits| answer.push(if bits & 0b111 == 0 { OK } else { ERROR })),
            SWD_SEQUENCE => self.swd_sequence(command, swd, answer),
            _ => {
                answer[begin] = INVALID;
                Ok(())
            }
        };
        if let Err(Truncated) = done {
            answer.truncate(begin);
            answer.extend([id, ERROR]);
        }
    }

    fn info(&self, command: &mut Command<'_>, answer: &mut Vec<u8>) -> Result<(), Truncated> {
        let text = |answer: &mut Vec<u8>, text: &str| {
            let bytes = &text.as_bytes()[..text.len().min(60)];
            answer.push(bytes.len() as u8 + 1);
            answer.extend(bytes);
            answer.push(0);
        };
        match command.byte()? {
            0x01 => text(answer, "Brickproof"),
            0x02 => text(answer, "Brickproof CMSIS-DAP"),
            0x03 => text(answer, &self.serial),
            // The version of the protocol, and of this.
            0x04 => text(answer, "2.1.1"),
            0x09 => text(answer, env!("CARGO_PKG_VERSION")),
            // SWD and atomic commands.
            0xF0 => answer.extend([1, 0x11]),
            0xFE => answer.extend([1, PACKETS]),
            0xFF => {
                answer.push(2);
                answer.extend((PACKET_SIZE as u16).to_le_bytes());
            }
            _ => answer.push(0),
        }
        Ok(())
    }

    fn configure(&mut self, command: &mut Command<'_>, answer: &mut Vec<u8>) -> Result<(), Truncated> {
        let _idle_clocks = command.byte()?;
        self.retries = command.half()?.into();
        self.match_retries = command.half()?.into();
        answer.push(OK);
        Ok(())
    }

    fn transfer(
        &mut self,
        command: &mut Command<'_>,
        swd: &mut impl Swd,
        answer: &mut Vec<u8>,
    ) -> Result<(), Truncated> {
        let _index = command.byte()?;
        let count = command.byte()?;
        self.wire.step_over();
        let begin = answer.len();
        answer.extend([0, 0]);
        let (mut done, mut acknowledgement, mut unchecked) = (0, ACK_OK, false);
        for _ in 0..count {
            let kind = command.byte()?;
            let value = if kind & READ == 0 || kind & MATCH_VALUE != 0 { Some(command.word()?) } else { None };
            // What follows a failure is only read over.
            if acknowledgement != ACK_OK {
                continue;
            }
            match self.one(kind, value, swd) {
                Ok(read) => {
                    answer.extend(read.iter().flat_map(|value| value.to_le_bytes()));
                    done += 1;
                    unchecked = kind & READ == 0;
                }
                Err(failed) => acknowledgement = failed.acknowledgement(),
            }
        }
        // A write that the target only buffered.
        if unchecked
            && acknowledgement == ACK_OK
            && let Err(refusal) = self.patiently(Request::Read(Bank::Port, RDBUFF), swd)
        {
            acknowledgement = Failed::Refused(refusal).acknowledgement();
        }
        answer[begin] = done;
        answer[begin + 1] = acknowledgement;
        Ok(())
    }

    fn patiently(&self, request: Request, swd: &mut impl Swd) -> Result<u32, Refusal> {
        transfer_patiently(swd, request, self.retries)
    }

    fn one(&mut self, kind: u8, value: Option<u32>, swd: &mut impl Swd) -> Result<Option<u32>, Failed> {
        let (bank, address) = register(kind);
        match value {
            Some(mask) if kind & READ == 0 && kind & MATCH_MASK != 0 => {
                self.match_mask = mask;
                Ok(None)
            }
            Some(value) if kind & READ == 0 => {
                self.patiently(Request::Write(bank, address, value), swd)?;
                Ok(None)
            }
            Some(expected) => {
                for _ in 0..=self.match_retries {
                    if self.read(bank, address, swd)? & self.match_mask == expected {
                        return Ok(None);
                    }
                }
                Err(Failed::Mismatch)
            }
            None => Ok(Some(self.read(bank, address, swd)?)),
        }
    }

    fn read(&self, bank: Bank, address: u8, swd: &mut impl Swd) -> Result<u32, Refusal> {
        let value = self.patiently(Request::Read(bank, address), swd)?;
        match bank {
            Bank::Port => Ok(value),
            Bank::Access => self.patiently(Request::Read(Bank::Port, RDBUFF), swd),
        }
    }

    fn transfer_block(
        &mut self,
        command: &mut Command<'_>,
        swd: &mut impl Swd,
        answer: &mut Vec<u8>,
    ) -> Result<(), Truncated> {
        let _index = command.byte()?;
        let count = usize::from(command.half()?);
        let kind = command.byte()?;
        self.wire.step_over();
        let begin = answer.len();
        answer.extend([0, 0, 0]);
        let (done, result) = if kind & READ != 0 {
            // More does not fit into the answer.
            let room = (PACKET_SIZE - answer.len()) / 4;
            self.read_block(kind, count.min(room), swd, answer)
        } else {
            let words = command.bytes(4 * count)?.chunks_exact(4);
            self.write_block(kind, words.map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]])), swd)
        };
        answer[begin..begin + 2].copy_from_slice(&done.to_le_bytes());
        answer[begin + 2] = result.err().map_or(ACK_OK, |refusal| Failed::Refused(refusal).acknowledgement());
        Ok(())
    }

    /// Reads one register again and again. From an access port each read gives what the one before it got.
    fn read_block(
        &self,
        kind: u8,
        count: usize,
        swd: &mut impl Swd,
        answer: &mut Vec<u8>,
    ) -> (u16, Result<(), Refusal>) {
        let (bank, address) = register(kind);
        let request = Request::Read(bank, address);
        if bank == Bank::Access
            && count > 0
            && let Err(refusal) = self.patiently(request, swd)
        {
            return (0, Err(refusal));
        }
        for done in 0..count {
            let is_last = done + 1 == count;
            let next = if bank == Bank::Access && is_last { Request::Read(Bank::Port, RDBUFF) } else { request };
            match self.patiently(next, swd) {
                Ok(value) => answer.extend(value.to_le_bytes()),
                Err(refusal) => return (done as u16, Err(refusal)),
            }
        }
        (count as u16, Ok(()))
    }

    fn write_block(
        &self,
        kind: u8,
        words: impl Iterator<Item = u32>,
        swd: &mut impl Swd,
    ) -> (u16, Result<(), Refusal>) {
        let (bank, address) = register(kind);
        let mut done = 0;
        for word in words {
            if let Err(refusal) = self.patiently(Request::Write(bank, address, word), swd) {
                return (done, Err(refusal));
            }
            done += 1;
        }
        (done, self.patiently(Request::Read(Bank::Port, RDBUFF), swd).map(drop))
    }

    fn write_abort(
        &mut self,
        command: &mut Command<'_>,
        swd: &mut impl Swd,
        answer: &mut Vec<u8>,
    ) -> Result<(), Truncated> {
        let _index = command.byte()?;
        let value = command.word()?;
        self.wire.step_over();
        let written = self.patiently(Request::Write(Bank::Port, 0, value), swd);
        answer.push(if written.is_ok() { OK } else { ERROR });
        Ok(())
    }

    fn pins(&mut self, command: &mut Command<'_>, swd: &mut impl Swd, answer: &mut Vec<u8>) -> Result<(), Truncated> {
        let (level, select) = (command.byte()?, command.byte()?);
        let wait = command.word()?;
        if select & PIN_RESET != 0 {
            self.reset = if level & PIN_RESET == 0 { ResetDrive::Low } else { ResetDrive::Released };
            swd.drive_reset(self.reset);
        }
        // Open-drain lines may take that long to rise (three seconds at most).
        if select != 0 {
            swd.pass(Span::micros(u64::from(wait).min(3_000_000)));
        }
        let reset = if self.reset == ResetDrive::Low { 0 } else { PIN_RESET };
        answer.push(PIN_SWCLK | PIN_SWDIO | reset);
        Ok(())
    }

    fn sequence(
        &mut self,
        command: &mut Command<'_>,
        swd: &mut impl Swd,
        answer: &mut Vec<u8>,
    ) -> Result<(), Truncated> {
        let count = clocks(command.byte()?, 256);
        for bit in bits(command.bytes(count.div_ceil(8))?).take(count) {
            self.wire.drive(bit, swd);
        }
        answer.push(OK);
        Ok(())
    }

    fn swd_sequence(
        &mut self,
        command: &mut Command<'_>,
        swd: &mut impl Swd,
        answer: &mut Vec<u8>,
    ) -> Result<(), Truncated> {
        const INPUT: u8 = 1 << 7;
        answer.push(OK);
        for _ in 0..command.byte()? {
            let info = command.byte()?;
            let count = clocks(info & 0x3F, 64);
            if info & INPUT == 0 {
                for bit in bits(command.bytes(count.div_ceil(8))?).take(count) {
                    self.wire.drive(bit, swd);
                }
                continue;
            }
            let heard: Vec<bool> = (0..count).map(|_| self.wire.listen()).collect();
            let byte = |bits: &[bool]| bits.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
            answer.extend(heard.chunks(8).map(byte));
        }
        Ok(())
    }
}

/// Zero stands for the most.
fn clocks(count: u8, most: usize) -> usize {
    if count == 0 { most } else { usize::from(count) }
}

/// Each byte from its lowest bit.
fn bits(bytes: &[u8]) -> impl Iterator<Item = bool> {
    bytes.iter().flat_map(|byte| (0..8).map(move |place| byte >> place & 1 == 1))
}

fn register(kind: u8) -> (Bank, u8) {
    let bank = if kind & ACCESS_PORT == 0 { Bank::Port } else { Bank::Access };
    (bank, kind & (SELECT | 0x4))
}
