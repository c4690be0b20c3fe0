//! The instruments' traits: small, blocking, each call with a deadline.
//!
//! Boundary: shapes. A driver that lacks one of these abilities answers [`FailureKind::Unsupported`](crate::FailureKind).

use brickproof_units::{Baud, Current, Instant, Span, Voltage};

use crate::clock::{Deadline, Moment};
use crate::failure::{Failure, FailureKind};

/// What a line is made to do. Whether asserted is high or low, and whether released floats, is the bench file's to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drive {
    /// RESET pulled, MODE held, a switch closed.
    Asserted,
    /// The safe state.
    Released,
}

/// What a line reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineState {
    /// At its active level.
    Active,
    /// At the other one.
    Inactive,
}

/// Which way a line went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EdgeKind {
    /// To its active level.
    Activated,
    /// Away from it.
    Deactivated,
}

/// A change of a watched line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The line's name in the bench file.
    pub line: String,
    /// Which way.
    pub kind: EdgeKind,
    /// When, as the kernel stamped it.
    pub moment: Moment,
}

/// RESET, MODE, switches, and lines that are only watched.
pub trait Lines: Send {
    /// Drives a line; answers when it was done.
    fn drive(&mut self, line: &str, drive: Drive, deadline: Deadline) -> Result<Moment, Failure>;
    /// What the line's pin reads now, whoever drives it.
    fn read(&mut self, line: &str, deadline: Deadline) -> Result<LineState, Failure>;
    /// The edges of the watched lines, to be waited for on another thread: whoever waits here keeps nobody from driving. `None` if no line
    /// is watched.
    ///
    /// # Errors
    ///
    /// [`FailureKind::Refused`] if they were taken before: there is one listener, who misses none.
    fn edges(&mut self) -> Result<Option<Box<dyn Edges>>, Failure>;
    /// Releases every line that can be driven, those after one that fails too.
    fn make_safe(&mut self, deadline: Deadline) -> Result<(), Failure>;
}

/// What the watched lines do, apart from the lines that are driven. Edges since the opening are kept until they are asked for.
pub trait Edges: Send {
    /// The next edge; `None` if none came before the deadline.
    fn next(&mut self, deadline: Deadline) -> Result<Option<Edge>, Failure>;
}

/// What a supply puts out while it is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    /// At which voltage.
    pub voltage: Voltage,
    /// No more than this current; `None` leaves the limit as it is.
    pub limit: Option<Current>,
}

/// Whether a supply puts anything out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// It does.
    On,
    /// The safe state.
    Off,
}

/// What a supply measured; what it cannot measure is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// At the output.
    pub voltage: Option<Voltage>,
    /// Out of it.
    pub current: Option<Current>,
    /// When.
    pub moment: Moment,
}

/// The source that the board lives on.
pub trait Supply: Send {
    /// Its name in failures.
    fn device(&self) -> &str;
    /// Sets what it puts out while on. Takes effect at once if it is on.
    fn set(&mut self, output: Output, deadline: Deadline) -> Result<(), Failure>;
    /// Switches it; answers when that took effect.
    fn switch(&mut self, switch: Switch, deadline: Deadline) -> Result<Moment, Failure>;
    /// Measures voltage and current.
    fn measure(&mut self, deadline: Deadline) -> Result<Reading, Failure>;
    /// Waits until the output measures as off: within `below` of zero volts. Switching does not wait for it, because a short cut must be
    /// over before the board's capacitors are empty.
    ///
    /// # Errors
    ///
    /// What it still measures at the deadline, as [`FailureKind::ReadBack`]; [`FailureKind::Unsupported`] if it cannot measure voltage.
    fn prove_off(&mut self, below: Voltage, deadline: Deadline) -> Result<Reading, Failure> {
        const ASKED: &str = "measure that off is off";
        let mut last = None;
        loop {
            match (self.measure(deadline), last) {
                (Ok(reading), _) => match reading.voltage {
                    Some(voltage) if voltage.get().abs() <= below.get() => return Ok(reading),
                    Some(voltage) => last = Some(voltage),
                    None => {
                        let kind = FailureKind::Unsupported("it does not measure its voltage".to_owned());
                        return Err(Failure::new(self.device(), ASKED, kind));
                    }
                },
                (Err(failure), None) => return Err(failure),
                (Err(_), Some(_)) => {}
            }
            if let (true, Some(voltage)) = (deadline.has_passed(), last) {
                let kind = FailureKind::ReadBack(format!("{voltage} at the output after {}", deadline.within()));
                return Err(Failure::new(self.device(), ASKED, kind)
                    .with_help("something else feeds the board: look at USB, UART and probe cables"));
            }
            std::thread::sleep(BETWEEN_MEASUREMENTS.min(deadline.left()));
        }
    }
}

/// Short beside the decay of any output capacitor, long beside a measurement over TCP.
const BETWEEN_MEASUREMENTS: std::time::Duration = std::time::Duration::from_millis(5);

/// When bytes arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When the read that brought them returned.
    pub at: Instant,
    /// They may have arrived this much earlier.
    pub uncertainty: Span,
}

/// Bytes that one read brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The bytes; never empty.
    pub bytes: Vec<u8>,
    /// When.
    pub arrival: Arrival,
}

/// The baud rates that ask a bootloader or an application for a mode when a port is opened at them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touch(pub Baud);

/// The serial console.
pub trait Console: Send {
    /// What has arrived; `None` if nothing did before the deadline.
    fn read(&mut self, deadline: Deadline) -> Result<Option<Chunk>, Failure>;
    /// Writes all of it; answers when the last byte was handed over.
    fn write(&mut self, bytes: &[u8], deadline: Deadline) -> Result<Moment, Failure>;
    /// Opens the port at a rate that asks for a mode, and comes back to the console's own.
    fn touch(&mut self, touch: Touch, deadline: Deadline) -> Result<Moment, Failure>;
}

/// A stretch of a device's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Its first address.
    pub address: u32,
    /// Its length in bytes.
    pub length: u32,
}

/// A chip's memory, read and written through its debug port while its core runs.
pub trait Memory {
    /// Where its RAM lies; nothing if that is not known.
    fn ram(&self) -> Vec<Region>;
    /// Reads bytes.
    fn read(&mut self, address: u32, bytes: &mut [u8]) -> Result<(), FailureKind>;
    /// Reads words, each in one access, so that none is half of what the core wrote.
    fn read_words(&mut self, address: u32, words: &mut [u32]) -> Result<(), FailureKind>;
    /// Writes bytes.
    fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), FailureKind>;
    /// Writes a word in one access.
    fn write_word(&mut self, address: u32, word: u32) -> Result<(), FailureKind>;
    /// Whether the core was reset since this was last asked, by whomever. A debugger that attaches may have taken the chip's note of it.
    fn take_reset(&mut self) -> Result<bool, FailureKind>;
}

/// What is done with a chip's memory in one look.
pub type Look<'a> = dyn FnMut(&mut dyn Memory) -> Result<(), FailureKind> + 'a;

/// A debug probe.
pub trait Probe: Send {
    /// Reads memory; also the device's unique identity, which lies where the board profile says.
    fn read(&mut self, region: Region, deadline: Deadline) -> Result<Vec<u8>, Failure>;
    /// Programs flash (what is erased with it is restored) and verifies it. The device stays halted until it is reset.
    fn program(&mut self, address: u32, bytes: &[u8], deadline: Deadline) -> Result<(), Failure>;
    /// The same, but if the device is lost meanwhile it stays as it was left: what is written is not written a second time.
    fn program_once(&mut self, address: u32, bytes: &[u8], deadline: Deadline) -> Result<(), Failure> {
        self.program(address, bytes, deadline)
    }
    /// Resets the device and lets it run.
    fn reset(&mut self, deadline: Deadline) -> Result<Moment, Failure>;
    /// Lets go of the device as it is, so that nothing of a debugger is left on it; whatever is asked next attaches anew.
    fn detach(&mut self, deadline: Deadline) -> Result<(), Failure>;
    /// Holds RESET from now on, also while the device has no power: whatever looks into its memory next attaches under it and finds the core
    /// halted before its first instruction, where it stays until [`Self::detach`]. Only for a device that is off: one that runs is reset by it.
    fn hold_reset(&mut self, _deadline: Deadline) -> Result<(), Failure> {
        let kind = FailureKind::Unsupported("this probe does not hold a device in reset".to_owned());
        Err(Failure::new("probe", "hold the device in reset", kind))
    }
    /// Does something with the memory of the device while it runs. Done once or not at all, and never by resetting the device.
    fn look(&mut self, _act: &mut Look<'_>, _deadline: Deadline) -> Result<(), Failure> {
        let kind = FailureKind::Unsupported("this probe does not look into a device that runs".to_owned());
        Err(Failure::new("probe", "look into the device's memory", kind))
    }
}

/// How a device on USB says who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsbId {
    /// `idVendor`.
    pub vendor: u16,
    /// `idProduct`.
    pub product: u16,
}

/// What a board is on the USB of this computer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Its firmware is there.
    Firmware,
    /// Its bootloader is.
    Bootloader,
    /// Neither is.
    Gone,
}

/// The board's USB bootloader, and the USB that it shares with the board's firmware.
pub trait Dfu: Send {
    /// Whether the device is there, waiting in its bootloader.
    fn is_there(&mut self, deadline: Deadline) -> Result<bool, Failure>;
    /// Reads memory of an alternate setting.
    fn upload(&mut self, alternate: u8, region: Region, deadline: Deadline) -> Result<Vec<u8>, Failure>;
    /// Writes memory of an alternate setting and reads it back.
    fn download(&mut self, alternate: u8, address: u32, bytes: &[u8], deadline: Deadline) -> Result<(), Failure>;
    /// Leaves the bootloader for the application.
    fn leave(&mut self, deadline: Deadline) -> Result<Moment, Failure>;
    /// What the board is now, whose firmware says that it is this.
    fn presence(&mut self, _firmware: UsbId, _deadline: Deadline) -> Result<Presence, Failure> {
        let kind = FailureKind::Unsupported("it knows nothing but a bootloader".to_owned());
        Err(Failure::new("dfu", "look what the board is on USB", kind))
    }
    /// Sends the firmware a request of Device OS without data: vendor, to the device, `bRequest` 0x50, this `wIndex`. Answers when it was
    /// accepted.
    ///
    /// # Errors
    /// [`FailureKind::Missing`] if it is not there, [`FailureKind::Refused`] if it stalls.
    fn request(&mut self, _firmware: UsbId, _index: u16, _deadline: Deadline) -> Result<Moment, Failure> {
        let kind = FailureKind::Unsupported("it knows nothing but a bootloader".to_owned());
        Err(Failure::new("dfu", "send the firmware a request", kind))
    }
}

/// One reading of a colour sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// Raw counts: red, green, blue, clear.
    pub counts: [u16; 4],
    /// How long the light was integrated.
    pub integration: Span,
    /// The end of the integration.
    pub end: Moment,
}

/// A colour sensor above the LED.
pub trait Light: Send {
    /// Chooses the longest integration that still tells phases of `phase` apart; answers which.
    fn watch_for(&mut self, phase: Span, deadline: Deadline) -> Result<Span, Failure>;
    /// Waits for the next reading.
    fn sample(&mut self, deadline: Deadline) -> Result<Exposure, Failure>;
}

/// What carries a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Connections.
    Tcp,
    /// Datagrams: DTLS and CoAP among them.
    Udp,
}

/// Some of what a board exchanges with the rest of the world. What is `None` is any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// What carries it.
    pub transport: Option<Transport>,
    /// The port at the other end, not the board's own.
    pub port: Option<u16>,
}

/// What becomes of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It vanishes both ways, and nobody is told.
    Dropped,
    /// What the board sends is answered: a TCP reset, or "port unreachable". What is sent to it vanishes.
    Rejected,
}

/// A flow that does not get through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Which.
    pub flow: Flow,
    /// And how.
    pub fate: Fate,
}

/// The gateway between the board and its cloud.
pub trait Firewall: Send {
    /// Blocks these flows and no others; with none, everything gets through. Answers when that took effect. A flow that is in several blocks
    /// has the fate of the first.
    fn block(&mut self, blocks: &[Block], deadline: Deadline) -> Result<Moment, Failure>;
    /// Whatever goes to the board arrives this much later. Zero is as it comes.
    fn delay(&mut self, by: Span, deadline: Deadline) -> Result<Moment, Failure>;
    /// Lets everything through as it comes.
    fn make_safe(&mut self, deadline: Deadline) -> Result<(), Failure>;
}
