//! The kernel's vhci-hcd, the USB controller whose devices are simulated by programs.
//!
//! Boundary: plugging in and pulling out. What goes over the stream is USB/IP ([`crate::usbip`]).

use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use crate::news::News;
use crate::usbip::{self, Device, Speed};

const CONTROLLER: &str = "/sys/devices/platform/vhci_hcd.0";

/// A device that is plugged in. Dropping it pulls the plug.
pub struct Plugged {
    /// `None` once it was pulled: another device may sit in the port by now.
    port: Option<u32>,
    /// At whose other end the kernel is.
    stream: UnixStream,
}

impl Plugged {
    /// Pulls the plug, and waits until the kernel has let go of the port. It closes the stream and does not tell the controller (`detach`), which
    /// would drop what the device has said and the kernel has not read.
    ///
    /// # Errors
    ///
    /// That the kernel does not let go.
    pub fn pull(&mut self) -> io::Result<()> {
        let Some(port) = self.port.take() else { return Ok(()) };
        // It may be closed already, from either end.
        let _ = self.stream.shutdown(Shutdown::Write);
        let began = Instant::now();
        while !is_free(port) {
            if began.elapsed() > PATIENCE {
                return Err(io::Error::other(format!("port {port} of the controller is not free after {PATIENCE:?}")));
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }
}

/// Longer than the kernel takes to let go of a device, on an emulated processor too.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(2);

/// A port in which nothing is plugged, for a device of up to 480 Mbit/s; `None` if all are taken.
///
/// # Errors
///
/// When there is no such controller.
pub fn free_port() -> io::Result<Option<u32>> {
    let table = fs::read_to_string(format!("{CONTROLLER}/status"))?;
    let free = |line: &str| {
        let mut words = line.split_whitespace();
        let (hub, number, state) = (words.next()?, words.next()?, words.next()?);
        let number = number.parse().ok()?;
        (hub == "hs" && state == "004").then_some(number)
    };
    Ok(table.lines().find_map(free))
}

/// Whether the controller's table shows the port as not connected (VDEV_ST_NULL, 4).
fn is_free(port: u32) -> bool {
    let table = fs::read_to_string(format!("{CONTROLLER}/status")).unwrap_or_default();
    table.lines().skip(1).any(|line| {
        let mut words = line.split_whitespace();
        let (number, state) = (words.nth(1), words.next());
        number.and_then(|number| number.parse().ok()) == Some(port) && state == Some("004")
    })
}

impl Drop for Plugged {
    fn drop(&mut self) {
        // Whoever plugs in the next device will be told.
        let _ = self.pull();
    }
}

/// Plugs a device into a port of the controller, 0 to 7.
///
/// # Errors
///
/// What the kernel says.
pub fn plug(port: u32, device: Arc<Mutex<dyn Device>>) -> io::Result<Plugged> {
    let speed = device.lock().unwrap_or_else(PoisonError::into_inner).speed();
    let (stream, plugged) = attach(port, speed)?;
    usbip::serve(stream, device, News::default())?;
    Ok(plugged)
}

/// Gives the kernel a stream, and hands out its other end, for a device or for somebody who leads to one. The kernel's end is open as long as
/// the kernel keeps it so: when it has let go of the port, the stream ends.
///
/// # Errors
///
/// What the kernel says.
pub fn attach(port: u32, speed: Speed) -> io::Result<(UnixStream, Plugged)> {
    let (ours, theirs) = UnixStream::pair()?;
    let stream = ours.try_clone()?;
    let (identity, speed) = (1 << 16 | (port + 2), speed as u32);
    fs::write(format!("{CONTROLLER}/attach"), format!("{port} {} {identity} {speed}", theirs.as_raw_fd()))?;
    Ok((ours, Plugged { port: Some(port), stream }))
}
