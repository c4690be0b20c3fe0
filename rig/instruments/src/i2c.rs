//! I2C buses of this computer, each with one owner, and what lies behind their multiplexers.
//!
//! Boundary: transfers. A bus that several instruments share is locked for one transfer and the selection of its channel together, so
//! that two sensors of the same address behind one multiplexer never answer for each other.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use embedded_hal::i2c::{ErrorType, I2c, Operation};
use i2cdev::linux::LinuxI2CError;
use linux_embedded_hal::I2cdev;

use crate::failure::{Failure, FailureKind};

/// A channel of a TCA9548A or one of its kin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Channel {
    /// The multiplexer's address, 0x70 to 0x77.
    pub(crate) mux: u8,
    /// 0 to 7.
    pub(crate) number: u8,
}

/// A bus and the channel that is open on it.
struct Shared<B> {
    bus: B,
    open: Option<Channel>,
}

impl<B: I2c> Shared<B> {
    /// Opens `channel`, and closes that of another multiplexer: two open ones would be one bus.
    fn select(&mut self, channel: Option<Channel>) -> Result<(), B::Error> {
        if self.open == channel {
            return Ok(());
        }
        if let Some(other) = self.open.take().filter(|open| channel.is_none_or(|wanted| wanted.mux != open.mux)) {
            self.bus.write(other.mux, &[0])?;
        }
        if let Some(Channel { mux, number }) = channel {
            self.bus.write(mux, &[1 << number])?;
        }
        self.open = channel;
        Ok(())
    }
}

/// One place on a shared bus.
pub(crate) struct Port<B> {
    shared: Arc<Mutex<Shared<B>>>,
    channel: Option<Channel>,
}

impl<B> Port<B> {
    fn new(shared: Arc<Mutex<Shared<B>>>, channel: Option<Channel>) -> Self {
        Self { shared, channel }
    }

    /// A transfer that panicked left the bus in a state that the next selection puts right.
    fn lock(&self) -> MutexGuard<'_, Shared<B>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B: ErrorType> ErrorType for Port<B> {
    type Error = B::Error;
}

impl<B: I2c> I2c for Port<B> {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), B::Error> {
        let mut shared = self.lock();
        let done = shared.select(self.channel).and_then(|()| shared.bus.transaction(address, operations));
        if done.is_err() {
            // The multiplexer may have lost its power with everything else.
            shared.open = None;
        }
        done
    }
}

/// A port on the kernel's bus at `bus`: `/dev/i2c-1`, or the name of an adapter.
pub(crate) fn port(bus: &str, channel: Option<Channel>) -> Result<Port<I2cdev>, Failure> {
    type Buses = BTreeMap<PathBuf, Weak<Mutex<Shared<I2cdev>>>>;
    static OPEN: Mutex<Buses> = Mutex::new(BTreeMap::new());
    let path = find(bus)?;
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(shared) = open.get(&path).and_then(Weak::upgrade) {
        return Ok(Port::new(shared, channel));
    }
    let device = I2cdev::new(&path).map_err(|error| failed(bus, "open it", &error))?;
    let shared = Arc::new(Mutex::new(Shared { bus: device, open: None }));
    open.insert(path, Arc::downgrade(&shared));
    Ok(Port::new(shared, channel))
}

fn find(bus: &str) -> Result<PathBuf, Failure> {
    if bus.starts_with('/') {
        return Ok(PathBuf::from(bus));
    }
    let mut seen = Vec::new();
    for entry in fs::read_dir("/sys/bus/i2c/devices").into_iter().flatten().flatten() {
        let (folder, node) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let Ok(name) = fs::read_to_string(folder.join("name")) else { continue };
        let device = Path::new("/dev").join(&node);
        if !node.starts_with("i2c-") || !device.exists() {
            continue;
        }
        if name.trim().contains(bus) {
            return Ok(device);
        }
        seen.push(format!("{} ({})", device.display(), name.trim()));
    }
    let there = match seen.as_slice() {
        [] => "this computer has no I2C bus with a device node".to_owned(),
        _ => format!("there is {}", seen.join(", ")),
    };
    let failure = Failure::new(format!("I2C bus `{bus}`"), "find it", FailureKind::Missing(there));
    Err(failure.with_help("is the module i2c-dev loaded?"))
}

/// A transfer's failure, as the kernel tells it.
pub(crate) fn failed(device: &str, asked: &str, error: &LinuxI2CError) -> Failure {
    bus_failure(device, asked, error.to_string(), raw_number(error))
}

fn raw_number(error: &LinuxI2CError) -> Option<i32> {
    match error {
        LinuxI2CError::Errno(number) => Some(*number),
        LinuxI2CError::Io(error) => error.raw_os_error(),
    }
}

fn bus_failure(device: &str, asked: &str, said: String, number: Option<i32>) -> Failure {
    const NO_DEVICE_OR_ADDRESS: i32 = rustix::io::Errno::NXIO.raw_os_error();
    const REMOTE_IO: i32 = rustix::io::Errno::REMOTEIO.raw_os_error();
    let kind = match number {
        // What adapters answer for a byte that nobody acknowledges.
        Some(NO_DEVICE_OR_ADDRESS | REMOTE_IO) => {
            FailureKind::Missing(format!("nobody answers at its address ({said})"))
        }
        Some(number) => FailureKind::from(std::io::Error::from_raw_os_error(number)),
        None => FailureKind::Answer(said),
    };
    Failure::new(device, asked, kind)
}

#[cfg(test)]
mod tests {
    use embedded_hal::i2c::{ErrorKind, NoAcknowledgeSource};

    use super::*;

    /// Two multiplexers at 0x70 and 0x71 with eight one-register devices at 0x29 each; answers with what is open when asked.
    #[derive(Default)]
    struct Wires {
        open: BTreeMap<u8, u8>,
    }

    impl ErrorType for Wires {
        type Error = ErrorKind;
    }

    impl I2c for Wires {
        fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), ErrorKind> {
            for operation in operations {
                match (address, operation) {
                    (0x70 | 0x71, Operation::Write(bytes)) => {
                        self.open.insert(address, *bytes.last().ok_or(ErrorKind::Other)?);
                    }
                    (0x29, Operation::Read(bytes)) => {
                        let open: u32 = self.open.values().map(|channels| channels.count_ones()).sum();
                        if open != 1 {
                            return Err(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address));
                        }
                        let (mux, channels) =
                            self.open.iter().find(|(_, channels)| **channels != 0).ok_or(ErrorKind::Other)?;
                        bytes.fill(mux << 3 | channels.trailing_zeros() as u8);
                    }
                    _ => return Err(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address)),
                }
            }
            Ok(())
        }
    }

    #[test]
    fn every_sensor_behind_two_multiplexers_answers_for_itself() {
        let shared = Arc::new(Mutex::new(Shared { bus: Wires::default(), open: None }));
        let channels: Vec<Channel> =
            [0x70, 0x71].into_iter().flat_map(|mux| (0..8).map(move |number| Channel { mux, number })).collect();
        let mut ports: Vec<_> = channels.iter().map(|it| Port::new(Arc::clone(&shared), Some(*it))).collect();
        for round in 0..3 {
            // In another order each time, so that each follows different ones.
            for index in (0..ports.len()).map(|step| step * (2 * round + 1) % channels.len()) {
                let mut answer = [0];
                ports[index].read(0x29, &mut answer).unwrap();
                assert_eq!(answer[0], channels[index].mux << 3 | channels[index].number);
            }
        }
    }

    #[test]
    fn a_failed_transfer_selects_anew() {
        let shared = Arc::new(Mutex::new(Shared { bus: Wires::default(), open: None }));
        let mut port = Port::new(Arc::clone(&shared), Some(Channel { mux: 0x70, number: 3 }));
        assert!(port.read(0x55, &mut [0]).is_err());
        shared.lock().unwrap().bus.open.clear();
        let mut answer = [0];
        port.read(0x29, &mut answer).unwrap();
        assert_eq!(answer[0], 0x70 << 3 | 3);
    }
}
