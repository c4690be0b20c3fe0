//! Plugs a station into this machine's kernel (`brickproof virtual attach`).
//!
//! Boundary: plugs. Needs vhci-hcd in the kernel and, as its files are, root.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crate::relay::{self, DeviceSide, Until};
use crate::station::StationDevice;
use crate::usbip::Device;
use crate::vhci::{self, Plugged};

/// Devices that are plugged in. Dropping this pulls them.
pub struct Attached {
    plugged: Vec<(&'static str, Plug)>,
}

enum Plug {
    /// As long as it is there.
    Lasting(Plugged),
    /// Whenever its device is on the bus.
    Passing(Passing),
}

/// A device that comes and goes. It takes a port of the controller when it comes.
struct Passing {
    side: DeviceSide,
    /// `None` once it was pulled.
    kernel: Option<JoinHandle<io::Result<()>>>,
}

impl Passing {
    fn plug(device: Arc<Mutex<dyn Device>>) -> io::Result<Self> {
        let (near, far) = UnixStream::pair()?;
        let side = DeviceSide::new(near, device)?;
        let port = || vhci::free_port()?.ok_or_else(|| io::Error::other("all ports of the controller are taken"));
        let kernel = thread::Builder::new()
            .name("passing device".to_owned())
            .spawn(move || relay::kernel_side(File::from(OwnedFd::from(far)), port, Until::Unplugged))?;
        side.plug()?;
        Ok(Self { side, kernel: Some(kernel) })
    }

    fn pull(&mut self) -> io::Result<()> {
        let Some(kernel) = self.kernel.take() else { return Ok(()) };
        self.side.unplug()?;
        // What ended it before is why it was not plugged in any more.
        kernel.join().unwrap_or_else(|_| Err(io::Error::other("its relay panicked")))
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        // Whoever plugs in the next device will be told.
        let _ = self.pull();
    }
}

/// Why a station was not plugged in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttachError {
    /// The kernel has no controller for simulated devices.
    #[error("find the kernel's USB controller for simulated devices (is vhci-hcd loaded?)")]
    Controller(#[source] io::Error),
    /// Others have plugged in too much.
    #[error("find a free port for `{device}`: all of the controller's are taken")]
    Full {
        /// The device.
        device: &'static str,
    },
    /// The kernel does not take it.
    #[error("plug in `{device}`")]
    Plug {
        /// The device.
        device: &'static str,
        /// What the kernel says.
        #[source]
        source: io::Error,
    },
}

/// Plugs in all of these devices, each into the next free port; if one is refused, none. One that comes and goes finds its port when it comes.
///
/// # Errors
///
/// What is missing, or what the kernel says.
pub fn attach(devices: &[StationDevice]) -> Result<Attached, AttachError> {
    let mut attached = Attached { plugged: Vec::with_capacity(devices.len()) };
    for StationDevice { name, device } in devices {
        let port = vhci::free_port().map_err(AttachError::Controller)?.ok_or(AttachError::Full { device: name })?;
        let refused = |source| AttachError::Plug { device: name, source };
        let passing = device.lock().unwrap_or_else(PoisonError::into_inner).comes_and_goes();
        let plug = if passing {
            Plug::Passing(Passing::plug(device.clone()).map_err(refused)?)
        } else {
            Plug::Lasting(vhci::plug(port, device.clone()).map_err(refused)?)
        };
        attached.plugged.push((name, plug));
    }
    Ok(attached)
}

impl Attached {
    /// The devices that are plugged in as long as this is.
    pub fn lasting(&self) -> impl Iterator<Item = &'static str> {
        self.plugged.iter().filter(|(_, plug)| matches!(plug, Plug::Lasting(_))).map(|(name, _)| *name)
    }

    /// The devices that are plugged in whenever they are on the bus.
    pub fn passing(&self) -> impl Iterator<Item = &'static str> {
        self.plugged.iter().filter(|(_, plug)| matches!(plug, Plug::Passing(_))).map(|(name, _)| *name)
    }

    /// Pulls the plug of each, the last first; after one that fails too.
    ///
    /// # Errors
    ///
    /// The first that the kernel says.
    pub fn detach(mut self) -> io::Result<()> {
        let pulled: Vec<_> = self.plugged.iter_mut().rev().map(|(_, plug)| plug.pull()).collect();
        pulled.into_iter().collect()
    }
}

impl Plug {
    fn pull(&mut self) -> io::Result<()> {
        match self {
            Self::Lasting(plugged) => plugged.pull(),
            Self::Passing(passing) => passing.pull(),
        }
    }
}
