//! The DfuSe protocol (USB DFU 1.1 with ST's extensions, AN3156): its states, its commands, blocks of memory.
//!
//! Boundary: one opened device. Every loop ends with the deadline: a device may stay busy for ever.

use std::fmt;
use std::time::Duration;

use crate::clock::{Deadline, Moment, now};
use crate::failure::FailureKind;
use crate::kinds::Region;

use super::layout::{Layout, Sector};
use super::usb::{UsbControl, UsbFault};

/// Blocks 0 and 1 are commands; data begins here.
const FIRST_DATA_BLOCK: u16 = 2;

/// After so many blocks the address is set anew: their number has 16 bits.
const RUN: usize = 32_768;

/// A device that wants to be asked at once is still not asked in a tight loop.
const SHORTEST_POLL: Duration = Duration::from_millis(1);

/// Requests of the class (DFU 1.1, table 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Download = 1,
    Upload = 2,
    GetStatus = 3,
    ClearStatus = 4,
    Abort = 6,
}

/// What the pointer and the flash are told in block 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    SetAddress = 0x21,
    Erase = 0x41,
}

/// Where the device stands (DFU 1.1, section 6.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    AppIdle,
    AppDetach,
    Idle,
    DownloadSync,
    DownloadBusy,
    DownloadIdle,
    ManifestSync,
    Manifest,
    ManifestWaitReset,
    UploadIdle,
    Error,
    Unknown(u8),
}

impl State {
    const NAMED: [(Self, &'static str); 11] = [
        (Self::AppIdle, "appIDLE"),
        (Self::AppDetach, "appDETACH"),
        (Self::Idle, "dfuIDLE"),
        (Self::DownloadSync, "dfuDNLOAD-SYNC"),
        (Self::DownloadBusy, "dfuDNBUSY"),
        (Self::DownloadIdle, "dfuDNLOAD-IDLE"),
        (Self::ManifestSync, "dfuMANIFEST-SYNC"),
        (Self::Manifest, "dfuMANIFEST"),
        (Self::ManifestWaitReset, "dfuMANIFEST-WAIT-RESET"),
        (Self::UploadIdle, "dfuUPLOAD-IDLE"),
        (Self::Error, "dfuERROR"),
    ];

    fn of(code: u8) -> Self {
        Self::NAMED.get(usize::from(code)).map_or(Self::Unknown(code), |(state, _)| *state)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMED.iter().find(|(state, _)| state == self) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "an unknown state ({self:?})"),
        }
    }
}

/// The specification's words for a status (DFU 1.1, section 6.1.2), and what they mean.
const STATUSES: [&str; 16] = [
    "OK",
    "errTARGET: not meant for this device",
    "errFILE: fails a test of the vendor's",
    "errWRITE: memory cannot be written",
    "errERASE: memory cannot be erased",
    "errCHECK_ERASED: memory is not erased",
    "errPROG: memory was written wrongly",
    "errVERIFY: memory reads differently after writing",
    "errADDRESS: address out of range",
    "errNOTDONE: more data was expected",
    "errFIRMWARE: the firmware is corrupt",
    "errVENDOR: an error of the vendor's",
    "errUSBR: unexpected USB reset",
    "errPOR: unexpected power-on reset",
    "errUNKNOWN: something went wrong",
    "errSTALLEDPKT: an unexpected request",
];

/// An answer to GETSTATUS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Status {
    status: u8,
    /// Not to be asked again earlier.
    poll: Duration,
    state: State,
}

impl Status {
    fn parse(bytes: &[u8]) -> Result<Self, FailureKind> {
        match *bytes {
            [status, low, middle, high, state, ..] => Ok(Self {
                status,
                poll: Duration::from_millis(u32::from_le_bytes([low, middle, high, 0]).into()),
                state: State::of(state),
            }),
            _ => Err(FailureKind::Answer(format!("a status of {} bytes, not 6", bytes.len()))),
        }
    }

    fn failed(self) -> bool {
        self.status != 0 || self.state == State::Error
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match STATUSES.get(usize::from(self.status)) {
            Some(words) => write!(f, "{words}, in {}", self.state),
            None => write!(f, "an unknown status ({:#04x}), in {}", self.status, self.state),
        }
    }
}

/// A client of one opened device, on one of its alternate settings.
pub(crate) struct Client<'u> {
    usb: &'u mut dyn UsbControl,
    layout: Layout,
    deadline: Deadline,
}

impl<'u> Client<'u> {
    /// Brings the device to idle, whatever it was left in, and chooses the alternate setting.
    pub(crate) fn new(usb: &'u mut dyn UsbControl, alternate: u8, deadline: Deadline) -> Result<Self, FailureKind> {
        let known = usb.alternates().iter().find(|known| known.number == alternate);
        let name = known.map(|known| known.name.clone()).ok_or_else(|| {
            let known: Vec<String> = usb.alternates().iter().map(|known| known.number.to_string()).collect();
            FailureKind::Unsupported(format!("no alternate setting {alternate}; there are {}", known.join(", ")))
        })?;
        let layout = Layout::parse(&name).map_err(|error| FailureKind::Answer(error.to_string()))?;
        let mut client = Self { usb, layout, deadline };
        client.idle()?;
        client.usb.select(alternate).map_err(|fault| match fault {
            UsbFault::Stall => FailureKind::Unsupported(format!("the device refuses alternate setting {alternate}")),
            UsbFault::Other(kind) => kind,
        })?;
        client.idle()?;
        Ok(client)
    }

    pub(crate) fn upload(&mut self, region: Region) -> Result<Vec<u8>, FailureKind> {
        for sector in self.sectors(region)? {
            if !sector.access.readable() {
                return Err(FailureKind::Unsupported(format!("{sector} cannot be read")));
            }
        }
        self.read(region)
    }

    /// Writes and reads back. Where an erase takes more than is written, the rest is put back; where it takes nothing, although the layout
    /// says that it would (the configuration store of Particle's bootloaders), nothing but the bytes themselves is written.
    pub(crate) fn download(&mut self, address: u32, bytes: &[u8]) -> Result<(), FailureKind> {
        let region = Region { address, length: length(bytes)? };
        let sectors = self.sectors(region)?;
        for sector in &sectors {
            if !sector.access.writable() {
                return Err(FailureKind::Unsupported(format!("{sector} cannot be written")));
            }
            if !sector.access.readable() {
                return Err(FailureKind::Unsupported(format!("{sector} cannot be read back")));
            }
        }
        let end = u64::from(address) + u64::from(region.length);
        for sector in sectors {
            let start = address.max(sector.region.address);
            let stop = end.min(u64::from(sector.region.address) + u64::from(sector.region.length));
            let (from, to) = (start - address, stop - u64::from(address));
            let part = bytes.get(from as usize..to as usize).unwrap_or_default();
            self.replace(sector, start, part).map_err(|kind| stopped(kind, from, region))?;
        }
        Ok(())
    }

    /// Starts the application; answers when the device let go of the bus. A bootloader that stays is a failure.
    pub(crate) fn leave(mut self, application: Option<u32>) -> Result<Moment, FailureKind> {
        if let Some(address) = application {
            self.command(Command::SetAddress, address)?;
        }
        self.send(Request::Download, FIRST_DATA_BLOCK, &[])?;
        let before = now();
        loop {
            let status = match self.status() {
                Err(FailureKind::Gone(_)) => return Ok(Moment::between(before, now())),
                status => status?,
            };
            match status.state {
                _ if status.failed() => return Err(self.refused(status)),
                State::ManifestSync | State::Manifest | State::DownloadSync | State::DownloadBusy => {
                    self.wait(status.poll)?;
                }
                State::ManifestWaitReset => {
                    return match self.usb.reset() {
                        Ok(()) | Err(UsbFault::Other(FailureKind::Gone(_) | FailureKind::Missing(_))) => {
                            Ok(Moment::between(before, now()))
                        }
                        Err(UsbFault::Other(kind)) => Err(kind),
                        Err(UsbFault::Stall) => Err(FailureKind::Answer("it refuses a USB reset".to_owned())),
                    };
                }
                state => return Err(FailureKind::Answer(format!("it stays in its bootloader, in {state}"))),
            }
        }
    }

    fn sectors(&self, region: Region) -> Result<Vec<Sector>, FailureKind> {
        self.layout.sectors(region).ok_or_else(|| {
            FailureKind::Unsupported(format!(
                "{} bytes at {:#010x} are not inside of the memory that this alternate setting has",
                region.length, region.address
            ))
        })
    }

    fn replace(&mut self, sector: Sector, address: u32, bytes: &[u8]) -> Result<(), FailureKind> {
        let Region { address: start, length } = sector.region;
        if !sector.access.erasable() {
            self.write(address, bytes)?;
            return self.verify(address, bytes);
        }
        if bytes.len() == length as usize {
            self.command(Command::Erase, start)?;
            self.write(address, bytes)?;
            return self.verify(address, bytes);
        }
        let before = self.read(sector.region)?;
        self.replace_part(sector, address, bytes, before).map_err(|kind| unfinished(kind, sector))
    }

    fn replace_part(&mut self, sector: Sector, address: u32, bytes: &[u8], before: Vec<u8>) -> Result<(), FailureKind> {
        let start = sector.region.address;
        self.command(Command::Erase, start)?;
        let erased = self.read(sector.region)?;
        let from = (address - start) as usize;
        let with = |mut memory: Vec<u8>| {
            memory.splice(from..from + bytes.len(), bytes.iter().copied());
            memory
        };
        let wanted = with(before);
        if with(erased) == wanted {
            self.write(address, bytes)?;
        } else {
            self.write(start, &wanted)?;
        }
        self.verify(start, &wanted)
    }

    fn verify(&mut self, address: u32, wanted: &[u8]) -> Result<(), FailureKind> {
        let found = self.read(Region { address, length: length(wanted)? })?;
        let differs =
            |(offset, (wanted, found)): (usize, (&u8, &u8))| (wanted != found).then_some((offset, *wanted, *found));
        match wanted.iter().zip(&found).enumerate().find_map(differs) {
            None => Ok(()),
            Some((offset, wanted, found)) => {
                let at = u64::from(address) + offset as u64;
                Err(FailureKind::ReadBack(format!("{found:#04x} at {at:#010x}, where {wanted:#04x} was written")))
            }
        }
    }

    fn read(&mut self, region: Region) -> Result<Vec<u8>, FailureKind> {
        let mut bytes = Vec::new();
        let end = u64::from(region.address) + u64::from(region.length);
        let size = u64::from(self.usb.transfer_size());
        let mut at = u64::from(region.address);
        let mut block = 0;
        while at < end {
            if block % RUN == 0 {
                self.point_at(at)?;
                // SET ADDRESS leaves it waiting for a download.
                self.idle()?;
            }
            let count = u16::try_from(size.min(end - at)).unwrap_or(u16::MAX);
            let got = self.receive(Request::Upload, block_number(block), count)?;
            if got.len() != usize::from(count) {
                return Err(FailureKind::Answer(format!("{} bytes at {at:#010x} instead of {count}", got.len())));
            }
            bytes.extend(got);
            at += u64::from(count);
            block += 1;
        }
        self.idle()?;
        Ok(bytes)
    }

    fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), FailureKind> {
        let size = usize::from(self.usb.transfer_size());
        for (block, chunk) in bytes.chunks(size.max(1)).enumerate() {
            if block % RUN == 0 {
                self.point_at(u64::from(address) + (block * size) as u64)?;
            }
            self.send(Request::Download, block_number(block), chunk)?;
            self.finish_download()?;
        }
        self.idle()
    }

    fn point_at(&mut self, address: u64) -> Result<(), FailureKind> {
        let address = u32::try_from(address)
            .map_err(|_| FailureKind::Unsupported(format!("{address:#x} is no address of 32 bits")))?;
        self.idle()?;
        self.command(Command::SetAddress, address)
    }

    fn command(&mut self, command: Command, address: u32) -> Result<(), FailureKind> {
        let mut bytes = vec![command as u8];
        bytes.extend(address.to_le_bytes());
        self.send(Request::Download, 0, &bytes)?;
        self.finish_download()
    }

    /// The device does what it was sent when it is asked for its status, and says how long that takes.
    fn finish_download(&mut self) -> Result<(), FailureKind> {
        loop {
            let status = self.status()?;
            match status.state {
                _ if status.failed() => return Err(self.refused(status)),
                State::DownloadIdle => return Ok(()),
                State::DownloadSync | State::DownloadBusy => self.wait(status.poll)?,
                state => return Err(FailureKind::Answer(format!("in {state} after a download"))),
            }
        }
    }

    /// Brings the device to dfuIDLE, out of whatever an earlier client left it in.
    fn idle(&mut self) -> Result<(), FailureKind> {
        loop {
            let status = self.status()?;
            match status.state {
                State::Idle if !status.failed() => return Ok(()),
                _ if status.failed() => {
                    self.send(Request::ClearStatus, 0, &[])?;
                    self.wait(SHORTEST_POLL)
                        .map_err(|_| FailureKind::Answer(format!("it does not get over {status}")))?;
                }
                State::DownloadIdle | State::UploadIdle => {
                    self.send(Request::Abort, 0, &[])?;
                    self.wait(status.poll)?;
                }
                State::DownloadSync | State::DownloadBusy | State::ManifestSync | State::Manifest => {
                    self.wait(status.poll)?;
                }
                state => return Err(FailureKind::Answer(format!("it is in {state}, not in its bootloader"))),
            }
        }
    }

    fn status(&mut self) -> Result<Status, FailureKind> {
        match self.usb.receive(Request::GetStatus as u8, 0, 6, self.deadline) {
            Ok(bytes) => Status::parse(&bytes),
            Err(UsbFault::Stall) => Err(FailureKind::Answer("it refuses to give its status".to_owned())),
            Err(UsbFault::Other(kind)) => Err(kind),
        }
    }

    fn wait(&self, poll: Duration) -> Result<(), FailureKind> {
        std::thread::sleep(poll.max(SHORTEST_POLL).min(self.deadline.left()));
        if self.deadline.has_passed() {
            return Err(FailureKind::NoAnswer(self.deadline.within()));
        }
        Ok(())
    }

    fn send(&mut self, request: Request, value: u16, bytes: &[u8]) -> Result<(), FailureKind> {
        self.usb.send(request as u8, value, bytes, self.deadline).map_err(|fault| self.explain(fault))
    }

    fn receive(&mut self, request: Request, value: u16, count: u16) -> Result<Vec<u8>, FailureKind> {
        self.usb.receive(request as u8, value, count, self.deadline).map_err(|fault| self.explain(fault))
    }

    fn explain(&mut self, fault: UsbFault) -> FailureKind {
        match fault {
            UsbFault::Other(kind) => kind,
            UsbFault::Stall => match self.status() {
                Ok(status) => self.refused(status),
                Err(kind) => kind,
            },
        }
    }

    /// Puts a refusal into words, and leaves the device ready for the next request.
    fn refused(&mut self, status: Status) -> FailureKind {
        // The refusal is what is reported; whether the device gets over it shows with the next request.
        let _ = self.usb.send(Request::ClearStatus as u8, 0, &[], self.deadline);
        FailureKind::Answer(status.to_string())
    }
}

/// How far a download had come whose device went away.
fn stopped(kind: FailureKind, done: u32, Region { address, length }: Region) -> FailureKind {
    match kind {
        FailureKind::Gone(words) => {
            let at = address.saturating_add(done);
            FailureKind::Gone(format!("{words}; it stopped after {done} of {length} bytes, at {at:#010x}"))
        }
        kind => kind,
    }
}

/// A replacement that was cut short may leave behind more than what it was to replace.
fn unfinished(kind: FailureKind, sector: Sector) -> FailureKind {
    match kind {
        FailureKind::Gone(words) => FailureKind::Gone(format!("{words}; {sector} may have lost what else it held")),
        kind => kind,
    }
}

/// Data blocks are numbered from the last address that was set.
fn block_number(block: usize) -> u16 {
    FIRST_DATA_BLOCK + u16::try_from(block % RUN).unwrap_or(u16::MAX - FIRST_DATA_BLOCK)
}

fn length(bytes: &[u8]) -> Result<u32, FailureKind> {
    u32::try_from(bytes.len()).map_err(|_| FailureKind::Unsupported("more than 4 GiB at once".to_owned()))
}
