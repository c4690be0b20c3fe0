//! An end of bytes behind a CDC-ACM device: what a supply with a USB socket is to the kernel.
//!
//! Boundary: carrying bytes. What the end says is its own (`brickproof-ends`).

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use brickproof_ends::{Device, Then};
use brickproof_paced::devices::cdc_acm::CdcAcm;
use brickproof_paced::vhci::{self, Plugged};

use crate::{Mishap, eventually};

const LOOK: Duration = Duration::from_millis(1);
/// What the device keeps for its host; a few packets.
const MEMORY: usize = 512;

/// The device, plugged in. Dropping it pulls the plug.
pub struct Adapter {
    at: PathBuf,
    acm: Arc<Mutex<CdcAcm>>,
    port: u32,
    plugged: Arc<Mutex<Option<Plugged>>>,
    stop: Arc<AtomicBool>,
    carrier: Option<JoinHandle<()>>,
}

/// What the end says goes to the host.
struct ToHost<'a>(&'a Mutex<CdcAcm>);

impl io::Write for ToHost<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).send(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Adapter {
    /// Plugs it into a port of the controller, and waits for its node.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn plug(port: u32, mut end: impl Device) -> Result<Self, Mishap> {
        let acm = Arc::new(Mutex::new(CdcAcm::new("supply")));
        // The board's own port of a trial before may be on its way out.
        eventually("no other node is there", Duration::from_secs(10), || node().is_none().then_some(()))?;
        let plugged = Arc::new(Mutex::new(Some(vhci::plug(port, acm.clone())?)));
        let at = eventually("its node appears", Duration::from_secs(10), node)?;
        let stop = Arc::new(AtomicBool::new(false));
        let (device, plug, ended) = (Arc::clone(&acm), Arc::clone(&plugged), Arc::clone(&stop));
        let carrier = thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                let (heard, backlog) = {
                    let mut device = device.lock().unwrap_or_else(PoisonError::into_inner);
                    (device.take_received(), device.backlog())
                };
                let mut say = ToHost(&device);
                let then = match (heard.as_slice(), backlog) {
                    ([], ..MEMORY) => end.idle(&mut say),
                    // It has to wait for its host.
                    ([], _) => Ok(Then::Stay),
                    (heard, _) => end.hear(heard, &mut say),
                };
                if matches!(then, Ok(Then::Unplug)) {
                    drop(plug.lock().unwrap_or_else(PoisonError::into_inner).take());
                    return;
                }
                thread::sleep(LOOK);
            }
        });
        Ok(Self { at, acm, port, plugged, stop, carrier: Some(carrier) })
    }

    /// Its node.
    pub fn at(&self) -> String {
        self.at.display().to_string()
    }

    /// Pulls the plug, and waits until its node is gone.
    ///
    /// # Errors
    ///
    /// When it stays.
    pub fn pull(&self) -> Result<(), Mishap> {
        if let Some(mut plugged) = self.plugged.lock().unwrap_or_else(PoisonError::into_inner).take() {
            plugged.pull()?;
        }
        eventually("its node goes", Duration::from_secs(10), || node().is_none().then_some(()))
    }

    /// Plugs it in again; it is the same device.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn plug_in_again(&self) -> Result<(), Mishap> {
        let plugged = vhci::plug(self.port, self.acm.clone())?;
        *self.plugged.lock().unwrap_or_else(PoisonError::into_inner) = Some(plugged);
        let back = || node().filter(|node| *node == self.at).map(|_| ());
        eventually("its node is back", Duration::from_secs(10), back)
    }
}

/// The only serial port of a CDC-ACM device that there is.
fn node() -> Option<PathBuf> {
    let names = std::fs::read_dir("/dev").ok()?.flatten().map(|entry| entry.path());
    names.into_iter().find(|path| path.to_string_lossy().starts_with("/dev/ttyACM"))
}

impl Drop for Adapter {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(carrier) = self.carrier.take() {
            // One that panicked has nothing more to say.
            let _ = carrier.join();
        }
        // The next test waits for a node of its own.
        let _ = self.pull();
    }
}
