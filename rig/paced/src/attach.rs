//! Plugs a station into this machine's kernel (`brickproof virtual attach`).
//!
//! Boundary: plugs. Needs vhci-hcd in the kernel and, as its files are, root.

use std::io;

use crate::station::StationDevice;
use crate::vhci::{self, Plugged};

/// Devices that are plugged in. Dropping this pulls them.
pub struct Attached {
    plugged: Vec<(&'static str, Plugged)>,
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

/// Plugs in all of these devices, each into the next free port; if one is refused, none.
///
/// # Errors
///
/// What is missing, or what the kernel says.
pub fn attach(devices: &[StationDevice]) -> Result<Attached, AttachError> {
    let mut attached = Attached { plugged: Vec::with_capacity(devices.len()) };
    for StationDevice { name, device } in devices {
        let port = vhci::free_port().map_err(AttachError::Controller)?.ok_or(AttachError::Full { device: name })?;
        let plugged = vhci::plug(port, device.clone()).map_err(|source| AttachError::Plug { device: name, source })?;
        attached.plugged.push((name, plugged));
    }
    Ok(attached)
}

impl Attached {
    /// The devices that are plugged in.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.plugged.iter().map(|(name, _)| *name)
    }

    /// Pulls the plug of each, the last first; after one that fails too.
    ///
    /// # Errors
    ///
    /// The first that the kernel says.
    pub fn detach(mut self) -> io::Result<()> {
        let pulled: Vec<_> = self.plugged.iter_mut().rev().map(|(_, plugged)| plugged.pull()).collect();
        pulled.into_iter().collect()
    }
}
