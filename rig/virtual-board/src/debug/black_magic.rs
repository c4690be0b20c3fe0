//! The Black Magic probe's remote protocol, version 4: characters in, characters out.
//!
//! Boundary: SWD, its ADIv5 accelerator and the RESET line; no JTAG, no other accelerators. Source: the firmware's remote.h (blackmagic v2.0,
//! recalled) and what probe-rs 0.32 sends and reads.

use super::wire::Wire;
use super::{Bank, Refusal, Request, ResetDrive, Swd, transfer_patiently};

const GREETING: &str = "Brickproof (Black Magic remote)";
const VERSION: u32 = 4;
const ACCELERATOR_ADIV5: u32 = 1;
/// What probes buffer of a command (REMOTE_MAX_MSG_SIZE).
const LONGEST_COMMAND: usize = 1024;
/// The clock that is told when asked: 4 MHz.
const CLOCK: u32 = 4_000_000;
/// At 20 us between two tries, longer than any flash operation.
const RETRIES: u32 = 50_000;

const ERROR_FAULT: u32 = 4;
const ERROR_WRONG_LENGTH: u32 = 2;

const ABORT: u8 = 0x0;
const SELECT: u8 = 0x8;
const RDBUFF: u8 = 0xC;
/// All of ABORT's clears.
const CLEAR_ERRORS: u32 = 0x1E;

const CSW: u8 = 0x0;
const TAR: u8 = 0x4;
const DRW: u8 = 0xC;
const CSW_INCREMENT: u32 = 1 << 4;
const CSW_SIZE_AND_INCREMENT: u32 = 0x37;

/// Which way the data line was used last: the probe itself makes the clock of a turnaround.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Direction {
    #[default]
    Out,
    In,
}

/// A probe that speaks the remote protocol.
#[derive(Clone, Debug, Default)]
pub struct BlackMagic {
    command: Option<Vec<u8>>,
    wire: Wire,
    direction: Direction,
}

/// Why a command was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failed {
    /// Not a command of this probe.
    Unknown,
    /// A command, but not its parameters.
    Parameter,
    Target(u32),
}

impl From<Refusal> for Failed {
    fn from(_: Refusal) -> Self {
        Self::Target(ERROR_FAULT)
    }
}

/// Reads a command from its front.
struct Digits<'a>(&'a [u8]);

impl Digits<'_> {
    fn number(&mut self, digits: usize) -> Result<u64, Failed> {
        let (taken, rest) = self.0.split_at_checked(digits).ok_or(Failed::Parameter)?;
        self.0 = rest;
        taken.iter().try_fold(0, |number, digit| {
            let digit = char::from(*digit).to_digit(16).ok_or(Failed::Parameter)?;
            Ok(number << 4 | u64::from(digit))
        })
    }

    fn byte(&mut self) -> Result<u8, Failed> {
        self.number(2).map(|number| number as u8)
    }

    fn word(&mut self) -> Result<u32, Failed> {
        self.number(8).map(|number| number as u32)
    }

    /// Of as many digits as there are left.
    fn rest(&mut self) -> Result<u64, Failed> {
        if self.0.len() > 16 { Err(Failed::Parameter) } else { self.number(self.0.len()) }
    }
}

impl BlackMagic {
    /// A probe.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes characters as they come, in pieces of any length, and answers what is to be sent back.
    pub fn receive(&mut self, bytes: &[u8], swd: &mut impl Swd) -> Vec<u8> {
        let mut answer = Vec::new();
        for byte in bytes {
            match (byte, &mut self.command) {
                (b'!', _) => self.command = Some(Vec::new()),
                (b'#', command) => {
                    let Some(command) = command.take() else { continue };
                    answer.extend(self.execute(&command, swd).into_bytes());
                }
                (_, Some(command)) if command.len() < LONGEST_COMMAND => command.push(*byte),
                // Too long to be one: as if it had not begun.
                (_, command) => *command = None,
            }
        }
        answer
    }

    fn execute(&mut self, command: &[u8], swd: &mut impl Swd) -> String {
        match self.command(command, swd) {
            Ok(words) => format!("&K{words}#"),
            Err(Failed::Unknown) => "&N0#".to_owned(),
            Err(Failed::Parameter) => "&P0#".to_owned(),
            Err(Failed::Target(code)) => format!("&E{code:x}#"),
        }
    }

    fn command(&mut self, command: &[u8], swd: &mut impl Swd) -> Result<String, Failed> {
        let (name, parameters) = command.split_at_checked(2).ok_or(Failed::Unknown)?;
        let mut digits = Digits(parameters);
        match name {
            b"GA" => Ok(GREETING.to_owned()),
            b"HC" => Ok(format!("{VERSION:x}")),
            b"HA" => Ok(format!("{ACCELERATOR_ADIV5:x}")),
            b"GZ" => {
                swd.drive_reset(if digits.rest()? == 0 { ResetDrive::Released } else { ResetDrive::Low });
                done()
            }
            b"Gz" => Err(Failed::Unknown),
            b"Gf" => Ok(little_endian(CLOCK)),
            // The clock, whether it is driven, the power of the target: as the caller has them.
            b"GF" | b"GE" | b"GP" => done(),
            b"SS" => {
                self.wire.step_over();
                self.direction = Direction::Out;
                done()
            }
            b"So" | b"SO" => self.bits_out(name == b"SO", &mut digits, swd),
            b"Si" | b"SI" => self.bits_in(name == b"SI", &mut digits),
            [b'A', operation] => {
                self.wire.step_over();
                let result = accelerated(*operation, &mut digits, swd);
                if matches!(result, Err(Failed::Target(_))) {
                    // So that the next command finds a port that answers.
                    let _ = swd.transfer(Request::Write(Bank::Port, ABORT, CLEAR_ERRORS));
                }
                result
            }
            _ => Err(Failed::Unknown),
        }
    }

    fn bits_out(&mut self, parity: bool, digits: &mut Digits<'_>, swd: &mut impl Swd) -> Result<String, Failed> {
        let count = u32::from(digits.byte()?);
        let value = digits.rest()?;
        if count > 32 {
            return Err(Failed::Parameter);
        }
        if self.direction == Direction::In {
            self.wire.listen();
            self.direction = Direction::Out;
        }
        let value = value & ((1 << count) - 1);
        for place in 0..count {
            self.wire.drive(value >> place & 1 == 1, swd);
        }
        if parity {
            self.wire.drive(value.count_ones() & 1 == 1, swd);
        }
        done()
    }

    fn bits_in(&mut self, parity: bool, digits: &mut Digits<'_>) -> Result<String, Failed> {
        let count = u32::from(digits.byte()?);
        if count > 32 {
            return Err(Failed::Parameter);
        }
        if self.direction == Direction::Out {
            self.wire.listen();
            self.direction = Direction::In;
        }
        let value = (0..count).fold(0u64, |value, place| value | u64::from(self.wire.listen()) << place);
        if parity && self.wire.listen() != (value.count_ones() & 1 == 1) {
            return Err(Failed::Parameter);
        }
        Ok(format!("{value:x}"))
    }
}

fn done() -> Result<String, Failed> {
    Ok("0".to_owned())
}

/// A word as the probe sends its memory: byte by byte.
fn little_endian(value: u32) -> String {
    format!("{:08x}", value.swap_bytes())
}

/// The commands `!A...`: whole accesses. Each names a device, of which there is one, and an access port.
fn accelerated(operation: u8, digits: &mut Digits<'_>, swd: &mut impl Swd) -> Result<String, Failed> {
    let _device = digits.byte()?;
    match operation {
        b'd' => {
            let _access_port = digits.byte()?;
            let address = digits.number(4)? as u8;
            transfer(swd, Request::Read(Bank::Port, address & 0xC)).map(little_endian)
        }
        b'R' => {
            let is_read = digits.byte()? != 0;
            let address = digits.number(4)?;
            let value = digits.word()?;
            let bank = if address & 0x100 == 0 { Bank::Port } else { Bank::Access };
            let address = address as u8 & 0xC;
            let request = if is_read { Request::Read(bank, address) } else { Request::Write(bank, address, value) };
            transfer(swd, request).map(|value| if is_read { little_endian(value) } else { "0".to_owned() })
        }
        b'a' => {
            let (access_port, address) = (digits.byte()?, digits.number(4)? as u8);
            select(swd, access_port, address)?;
            read_access(swd, address).map(little_endian)
        }
        b'A' => {
            let (access_port, address) = (digits.byte()?, digits.number(4)? as u8);
            let value = digits.word()?.swap_bytes();
            select(swd, access_port, address)?;
            transfer(swd, Request::Write(Bank::Access, address & 0xC, value))?;
            check(swd)?;
            done()
        }
        b'm' => read_memory(digits, swd),
        b'M' => write_memory(digits, swd),
        _ => Err(Failed::Unknown),
    }
}

fn transfer(swd: &mut impl Swd, request: Request) -> Result<u32, Failed> {
    Ok(transfer_patiently(swd, request, RETRIES)?)
}

fn select(swd: &mut impl Swd, access_port: u8, address: u8) -> Result<(), Failed> {
    let value = u32::from(access_port) << 24 | u32::from(address & 0xF0);
    transfer(swd, Request::Write(Bank::Port, SELECT, value)).map(drop)
}

fn read_access(swd: &mut impl Swd, address: u8) -> Result<u32, Failed> {
    transfer(swd, Request::Read(Bank::Access, address & 0xC))?;
    transfer(swd, Request::Read(Bank::Port, RDBUFF))
}

/// Whether the writes before went well.
fn check(swd: &mut impl Swd) -> Result<(), Failed> {
    transfer(swd, Request::Read(Bank::Port, RDBUFF)).map(drop)
}

/// A stretch of memory and the size of access for it, as a power of two of bytes.
struct Stretch {
    address: u32,
    len: u32,
    size: u32,
}

impl Stretch {
    /// Prepares the access port; the accesses follow by [`Stretch::accesses`].
    fn begin(&self, swd: &mut impl Swd, access_port: u8, control: u32) -> Result<(), Failed> {
        select(swd, access_port, CSW)?;
        let control = control & !CSW_SIZE_AND_INCREMENT | CSW_INCREMENT | self.size;
        transfer(swd, Request::Write(Bank::Access, CSW, control)).map(drop)
    }

    fn accesses(&self) -> impl Iterator<Item = u32> {
        (0..self.len).step_by(1 << self.size).map(|offset| self.address.wrapping_add(offset))
    }

    /// TAR goes on by itself within 1 KiB only.
    fn follow(&self, address: u32, swd: &mut impl Swd) -> Result<(), Failed> {
        if address == self.address || address & 0x3FF == 0 {
            transfer(swd, Request::Write(Bank::Access, TAR, address))?;
        }
        Ok(())
    }

    fn lane(&self, address: u32) -> u32 {
        8 * (address & 3 & !((1 << self.size) - 1))
    }
}

fn read_memory(digits: &mut Digits<'_>, swd: &mut impl Swd) -> Result<String, Failed> {
    let access_port = digits.byte()?;
    let control = digits.word()?;
    let address = address(digits.number(16)?)?;
    let len = digits.word()?;
    if 2 * len as usize + 4 > LONGEST_COMMAND {
        return Err(Failed::Target(ERROR_WRONG_LENGTH));
    }
    // The largest access that both the place and the length allow.
    let size = (address | len | 4).trailing_zeros();
    let stretch = Stretch { address, len, size };
    stretch.begin(swd, access_port, control)?;
    let mut words = String::new();
    for address in stretch.accesses() {
        stretch.follow(address, swd)?;
        let value = read_access(swd, DRW)? >> stretch.lane(address);
        words.extend(value.to_le_bytes().iter().take(1 << size).map(|byte| format!("{byte:02x}")));
    }
    Ok(words)
}

fn write_memory(digits: &mut Digits<'_>, swd: &mut impl Swd) -> Result<String, Failed> {
    let access_port = digits.byte()?;
    let control = digits.word()?;
    let size = u32::from(digits.byte()?).min(2);
    let address = address(digits.number(16)?)?;
    let len = digits.word()?;
    let bytes = 1 << size;
    if !len.is_multiple_of(bytes) || !address.is_multiple_of(bytes) || digits.0.len() != 2 * len as usize {
        return Err(Failed::Target(ERROR_WRONG_LENGTH));
    }
    let stretch = Stretch { address, len, size };
    stretch.begin(swd, access_port, control)?;
    for address in stretch.accesses() {
        stretch.follow(address, swd)?;
        let mut value = 0;
        for place in 0..bytes {
            value |= u32::from(digits.byte()?) << (8 * place);
        }
        transfer(swd, Request::Write(Bank::Access, DRW, value << stretch.lane(address)))?;
    }
    check(swd)?;
    done()
}

fn address(number: u64) -> Result<u32, Failed> {
    u32::try_from(number).map_err(|_| Failed::Parameter)
}
