//! Bytes to and from a device on a serial line or a TCP connection, with deadlines that hold.
//!
//! Boundary: framing. What the bytes mean is each driver's.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use brickproof_units::{Baud, Span};
use serialport::SerialPort;

use crate::clock::Deadline;
use crate::failure::FailureKind;

/// One answer is never longer; a device that sends more without an end is not the one that was meant.
const LONGEST: usize = 64 * 1024;

/// What bytes go through.
trait Port: Send {
    /// As [`Read::read`], for no longer than `patience`.
    fn receive(&mut self, buffer: &mut [u8], patience: Duration) -> io::Result<usize>;
    /// As [`Write::write`], for no longer than `patience`.
    fn send(&mut self, bytes: &[u8], patience: Duration) -> io::Result<usize>;
}

impl Port for TcpStream {
    fn receive(&mut self, buffer: &mut [u8], patience: Duration) -> io::Result<usize> {
        self.set_read_timeout(Some(patience))?;
        self.read(buffer)
    }

    fn send(&mut self, bytes: &[u8], patience: Duration) -> io::Result<usize> {
        self.set_write_timeout(Some(patience))?;
        self.write(bytes)
    }
}

impl Port for Box<dyn SerialPort> {
    fn receive(&mut self, buffer: &mut [u8], patience: Duration) -> io::Result<usize> {
        self.set_timeout(patience)?;
        self.read(buffer)
    }

    fn send(&mut self, bytes: &[u8], patience: Duration) -> io::Result<usize> {
        self.set_timeout(patience)?;
        self.write(bytes)
    }
}

/// A line or a connection, and what was read from it ahead of time.
pub(crate) struct Wire {
    port: Box<dyn Port>,
    ahead: Vec<u8>,
}

impl Wire {
    /// Connects to `host:port`.
    pub(crate) fn tcp(address: &str, deadline: Deadline) -> Result<Self, FailureKind> {
        let mut refusal = None;
        for place in address.to_socket_addrs().map_err(|error| FailureKind::Missing(error.to_string()))? {
            match TcpStream::connect_timeout(&place, patience(deadline)?) {
                Ok(stream) => {
                    // Commands are short and each waits for its answer.
                    stream.set_nodelay(true)?;
                    return Ok(Self { port: Box::new(stream), ahead: Vec::new() });
                }
                Err(error) => refusal = Some(error),
            }
        }
        Err(match refusal {
            Some(error) if error.kind() == io::ErrorKind::TimedOut => FailureKind::NoAnswer(deadline.within()),
            Some(error) => FailureKind::Missing(error.to_string()),
            None => FailureKind::Missing("this name has no address".to_owned()),
        })
    }

    /// Opens a serial line, eight bits, no parity, for nobody else.
    pub(crate) fn serial(path: &str, baud: Baud) -> Result<Self, FailureKind> {
        // A device behind a CDC port may stay silent until its host raises DTR.
        let port = serialport::new(path, baud.get()).dtr_on_open(true).open().map_err(of_serial_port)?;
        Ok(Self { port: Box::new(port), ahead: Vec::new() })
    }

    /// Hands all of it over.
    pub(crate) fn send(&mut self, mut bytes: &[u8], deadline: Deadline) -> Result<(), FailureKind> {
        while !bytes.is_empty() {
            match self.port.send(bytes, patience(deadline)?) {
                Ok(0) => return Err(FailureKind::Gone("it takes no more bytes".to_owned())),
                Ok(sent) => bytes = &bytes[sent..],
                Err(error) => interrupted(error, deadline)?,
            }
        }
        Ok(())
    }

    /// Everything before the next `end`, which is taken away.
    pub(crate) fn until(&mut self, end: &[u8], deadline: Deadline) -> Result<Vec<u8>, FailureKind> {
        loop {
            if let Some(at) = self.ahead.windows(end.len()).position(|window| window == end) {
                let mut answer: Vec<u8> = self.ahead.drain(..at + end.len()).collect();
                answer.truncate(at);
                return Ok(answer);
            }
            self.read_ahead(deadline)?;
        }
    }

    /// The next `count` bytes.
    pub(crate) fn exactly(&mut self, count: usize, deadline: Deadline) -> Result<Vec<u8>, FailureKind> {
        while self.ahead.len() < count {
            self.read_ahead(deadline)?;
        }
        Ok(self.ahead.drain(..count).collect())
    }

    /// Whatever comes until the line was quiet for this long. At least one byte, unless `deadline` passes without any.
    pub(crate) fn until_quiet(&mut self, quiet: Span, deadline: Deadline) -> Result<Vec<u8>, FailureKind> {
        if self.ahead.is_empty() {
            self.read_ahead(deadline)?;
        }
        self.settle(quiet)?;
        Ok(std::mem::take(&mut self.ahead))
    }

    /// Throws away what arrives until the line was quiet for this long.
    pub(crate) fn discard(&mut self, quiet: Span) -> Result<(), FailureKind> {
        self.settle(quiet)?;
        self.ahead.clear();
        Ok(())
    }

    fn settle(&mut self, quiet: Span) -> Result<(), FailureKind> {
        loop {
            match self.read_ahead(Deadline::after(quiet)) {
                Ok(()) => {}
                Err(FailureKind::NoAnswer(_)) => return Ok(()),
                Err(kind) => return Err(kind),
            }
        }
    }

    fn read_ahead(&mut self, deadline: Deadline) -> Result<(), FailureKind> {
        let mut buffer = [0; 4096];
        loop {
            match self.port.receive(&mut buffer, patience(deadline)?) {
                Ok(0) => {
                    let read = String::from_utf8_lossy(&self.ahead);
                    let kind = match self.ahead.is_empty() {
                        true => "it closed the connection".to_owned(),
                        false => format!("it closed the connection in the middle of an answer, after {read:?}"),
                    };
                    return Err(FailureKind::Gone(kind));
                }
                Ok(read) => {
                    self.ahead.extend_from_slice(&buffer[..read]);
                    if self.ahead.len() > LONGEST {
                        return Err(FailureKind::Answer(format!("more than {LONGEST} bytes without an end")));
                    }
                    return Ok(());
                }
                Err(error) => interrupted(error, deadline)?,
            }
        }
    }
}

/// What is left, for calls that take zero to mean for ever.
fn patience(deadline: Deadline) -> Result<Duration, FailureKind> {
    let left = deadline.left();
    if left.is_zero() { Err(FailureKind::NoAnswer(deadline.within())) } else { Ok(left.max(Duration::from_millis(1))) }
}

/// A signal is no reason to stop; a timeout is no answer.
fn interrupted(error: io::Error, deadline: Deadline) -> Result<(), FailureKind> {
    match error.kind() {
        io::ErrorKind::Interrupted => Ok(()),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Err(FailureKind::NoAnswer(deadline.within())),
        _ => Err(error.into()),
    }
}

/// `serialport` has one kind for a port that is missing and for one that is locked.
fn of_serial_port(error: serialport::Error) -> FailureKind {
    match error.kind() {
        serialport::ErrorKind::NoDevice if error.description.contains("lock") => FailureKind::Busy(error.description),
        serialport::ErrorKind::NoDevice => FailureKind::Missing(error.description),
        _ => io::Error::from(error).into(),
    }
}
