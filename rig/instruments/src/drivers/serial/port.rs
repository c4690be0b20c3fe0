//! One open port. Serialport makes the settings, the modem lines among them; the bytes go over a descriptor of our own.
//!
//! Boundary: one opening of one device node. Two descriptors are needed for a moment because serialport's own reads drop the bytes that came
//! with a hang-up, and its writes can block beyond any deadline.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use brickproof_units::{Baud, Span};
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use serialport::SerialPort as _;

use crate::clock::{Deadline, Moment};
use crate::failure::FailureKind;
use crate::kinds::Chunk;
use crate::reopening::Port;
use crate::stream::{Arrivals, Lateness, write_all};

use super::place::Place;

/// A full-speed USB device is asked for bytes once a frame.
const USB_FRAME: Span = Span::millis(1);

/// Serialport keeps only the words of an error that it does not know; these are for ENOTTY.
const NOT_A_TERMINAL: &str = "Not a typewriter";

/// Its words for EIO, ENXIO and ENODEV: a device that goes away while it is opened.
const GOING: [&str; 3] = ["I/O error", "No such device or address", "No such device"];

/// What a modem line is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Asserted,
    Released,
}

/// The modem lines to set; `None` leaves one as the kernel does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Modem {
    pub(crate) dtr: Option<Line>,
    pub(crate) rts: Option<Line>,
}

/// An open port, held for us alone until it is closed.
pub(crate) struct OpenPort {
    output: OwnedFd,
    arrivals: Arrivals,
}

impl OpenPort {
    /// Opens the node: eight bits, no parity, raw, exclusive. What had arrived before is kept.
    pub(crate) fn new(node: &Path, baud: Baud, modem: Modem) -> Result<Self, FailureKind> {
        // Before the settings are made, because a terminal that is held exclusively cannot be opened again.
        let output =
            rustix::fs::open(node, OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())
                .map_err(io::Error::from)?;
        set_up(node, baud, modem)?;
        hold(&output)?;
        let lateness = Lateness {
            transport: Place::latency_timer_ms(Path::new("/sys"), node).map_or(USB_FRAME, Span::millis),
            baud,
        };
        let name = node.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let input = output.try_clone()?;
        Ok(Self { output, arrivals: Arrivals::start(&name, input, lateness)? })
    }
}

impl Port for OpenPort {
    fn next(&mut self, deadline: Deadline) -> Result<Option<Chunk>, FailureKind> {
        // A terminal that was hung up can say so in many ways; whoever reads it only needs to know that it is gone.
        self.arrivals.next(deadline).map_err(|kind| match kind {
            FailureKind::Gone(_) => kind,
            other => FailureKind::Gone(other.to_string()),
        })
    }

    fn write(&mut self, bytes: &[u8], deadline: Deadline) -> Result<Moment, FailureKind> {
        write_all(&self.output, bytes, deadline)
    }

    fn close(self) -> Vec<Chunk> {
        self.arrivals.stop()
    }
}

fn set_up(node: &Path, baud: Baud, modem: Modem) -> Result<(), FailureKind> {
    let mut settings =
        serialport::new(node.to_string_lossy(), baud.get()).timeout(Duration::ZERO).open_native().map_err(kind)?;
    if let Some(dtr) = modem.dtr {
        settings.write_data_terminal_ready(dtr == Line::Asserted).map_err(|error| line_kind("DTR", error))?;
    }
    if let Some(rts) = modem.rts {
        settings.write_request_to_send(rts == Line::Asserted).map_err(|error| line_kind("RTS", error))?;
    }
    Ok(())
}

/// Keeps others away: those who lock, as serialport and minicom do, and (but for root) those who do not.
fn hold(descriptor: &OwnedFd) -> Result<(), FailureKind> {
    match rustix::fs::flock(descriptor, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::AGAIN) => return Err(FailureKind::Busy("another program locked it".to_owned())),
        Err(errno) => return Err(io::Error::from(errno).into()),
    }
    Ok(rustix::termios::ioctl_tiocexcl(descriptor).map_err(io::Error::from)?)
}

fn kind(error: serialport::Error) -> FailureKind {
    match error.kind {
        // Its word for EBUSY, and for a lock that another program has.
        serialport::ErrorKind::NoDevice => FailureKind::Busy(error.to_string()),
        _ if GOING.contains(&error.description.as_str()) => FailureKind::Gone(error.to_string()),
        _ if error.description == NOT_A_TERMINAL => FailureKind::Unsupported("this is no terminal".to_owned()),
        _ => io::Error::from(error).into(),
    }
}

/// A terminal without modem lines answers ENOTTY, on older kernels EINVAL.
fn line_kind(line: &str, error: serialport::Error) -> FailureKind {
    match error.description.as_str() {
        NOT_A_TERMINAL | "Invalid argument" => FailureKind::Unsupported(format!("this port has no {line}")),
        _ => kind(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_serialport_only_has_words_for_is_sorted_all_the_same() {
        let said = |words: &str| kind(serialport::Error::new(serialport::ErrorKind::Unknown, words));
        for words in GOING {
            assert!(matches!(said(words), FailureKind::Gone(_)), "{words}");
        }
        assert!(matches!(said(NOT_A_TERMINAL), FailureKind::Unsupported(_)));
        assert!(matches!(said("something else"), FailureKind::System(_)));
    }
}
