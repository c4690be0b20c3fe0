//! The virtual boards on the host, as the guest sees them: devices that come through virtio-serial ports, and one port more by which the
//! tests ask what no device tells.
//!
//! Boundary: plugging in, pulling out, asking. What is there is `brickproof-paced`'s.

use std::fs::File;
use std::io::{self, Read, Write};
use std::thread::{self, JoinHandle};

use brickproof_paced::far_side::{CONTROL, device_name, port_name};
use brickproof_paced::relay::{self, Until};
use brickproof_units::Span;

use crate::Mishap;

/// A station of the far side (`rig/paced/examples/far_side.rs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Station {
    /// `lantern-nrf51`, which has no USB of its own.
    Nrf51,
    /// `lantern-nrf52840`.
    Nrf52840,
}

impl Station {
    const fn name(self) -> &'static str {
        match self {
            Self::Nrf51 => "nrf51",
            Self::Nrf52840 => "nrf52840",
        }
    }
}

/// The far side, and what is plugged in of one of its stations. Pulls all of it when it is dropped.
pub struct FarSide {
    control: File,
    station: Station,
    plugged: Vec<Plug>,
}

/// A device and its port.
struct Plug {
    name: &'static str,
    port: u32,
    /// `None` once it was pulled.
    carried: Option<JoinHandle<io::Result<()>>>,
}

/// Plugs these devices, each with its station (`nrf51.lines`), into this kernel and keeps them there as long as the far side lives: for other
/// programs.
///
/// # Errors
///
/// When there is no far side, or the first that ends says why.
pub fn carry(names: &[String]) -> Result<(), Mishap> {
    let mut control = relay::virtio_port(&port_name(CONTROL))?;
    let mut carried = Vec::new();
    for (port, name) in (0..).zip(names) {
        let stream = relay::virtio_port(&port_name(name))?;
        carried.push(thread::spawn(move || relay::kernel_side(stream, || Ok(port), Until::Eof)));
        ask(&mut control, &format!("plug {name}"))?;
    }
    // Somebody else may want to ask.
    drop(control);
    for carried in carried {
        carried.join().map_err(|_| "a relay panicked")??;
    }
    Ok(())
}

/// How late the board was, as the far side tells.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How many things were due.
    pub count: u64,
    /// Half of them were done earlier than this after they were due.
    pub median: Span,
    /// All but a hundredth of them.
    pub p99: Span,
    /// All of them.
    pub latest: Span,
}

impl FarSide {
    /// Plugs these devices into this kernel, each into a port of its own.
    ///
    /// # Errors
    ///
    /// When there is no far side, or it refuses.
    pub fn plug(station: Station, names: &[&'static str]) -> Result<Self, Mishap> {
        let mut far = Self { control: relay::virtio_port(&port_name(CONTROL))?, station, plugged: Vec::new() };
        for (port, name) in (0..).zip(names) {
            far.plug_into(port, name)?;
        }
        Ok(far)
    }

    fn plug_into(&mut self, port: u32, name: &'static str) -> Result<(), Mishap> {
        let device = device_name(self.station.name(), name);
        let stream = relay::virtio_port(&port_name(&device))?;
        let carried = thread::spawn(move || relay::kernel_side(stream, || Ok(port), Until::Unplugged));
        self.plugged.push(Plug { name, port, carried: Some(carried) });
        ask(&mut self.control, &format!("plug {device}")).map(drop)
    }

    fn unplug(&mut self, name: &str) -> Result<(), Mishap> {
        ask(&mut self.control, &format!("unplug {}", device_name(self.station.name(), name))).map(drop)
    }

    /// Pulls the plug of one of them.
    ///
    /// # Errors
    ///
    /// When it is not plugged in, or the kernel does not let go of it.
    pub fn pull(&mut self, name: &str) -> Result<(), Mishap> {
        self.unplug(name)?;
        let plug = self.plugged.iter_mut().find(|plug| plug.name == name);
        if let Some(carried) = plug.and_then(|plug| plug.carried.take()) {
            carried.join().map_err(|_| "its relay failed")??;
        }
        Ok(())
    }

    /// Plugs one that was pulled into its port again.
    ///
    /// # Errors
    ///
    /// As for [`FarSide::plug`].
    pub fn plug_again(&mut self, name: &str) -> Result<(), Mishap> {
        let place = self.plugged.iter().position(|plug| plug.name == name && plug.carried.is_none());
        let Plug { name, port, .. } = self.plugged.remove(place.ok_or("it was not pulled")?);
        self.plug_into(port, name)
    }

    /// Asks what the board of the station does, in the far side's words.
    ///
    /// # Errors
    ///
    /// What it answers if that begins with `error: `.
    pub fn ask(&mut self, question: &str) -> Result<String, Mishap> {
        ask(&mut self.control, &format!("{} {question}", self.station.name()))
    }

    /// What the board's flash holds there, whatever runs on it.
    ///
    /// # Errors
    ///
    /// When the far side does not answer, or the flash ends before.
    pub fn flash(&mut self, address: u32, length: usize) -> Result<Vec<u8>, Mishap> {
        let digits = self.ask(&format!("flash {address} {length}"))?;
        let byte = |at: usize| u8::from_str_radix(digits.get(2 * at..2 * at + 2).unwrap_or_default(), 16);
        Ok((0..length).map(byte).collect::<Result<_, _>>()?)
    }

    /// How often the board has booted.
    ///
    /// # Errors
    ///
    /// When the far side does not answer.
    pub fn boots(&mut self) -> Result<u64, Mishap> {
        Ok(self.ask("boots")?.parse()?)
    }

    /// How late the board was since `ask("begin")`.
    ///
    /// # Errors
    ///
    /// When the far side does not answer.
    pub fn pace(&mut self) -> Result<Pace, Mishap> {
        let answer = self.ask("pace")?;
        let figures = answer.split(' ').map(str::parse).collect::<Result<Vec<u64>, _>>()?;
        let [count, median, p99, latest] = *figures.as_slice() else {
            return Err(format!("{answer:?} is no pace").into());
        };
        let [median, p99, latest] = [median, p99, latest].map(Span::nanos);
        Ok(Pace { count, median, p99, latest })
    }
}

fn ask(control: &mut File, question: &str) -> Result<String, Mishap> {
    writeln!(control, "{question}")?;
    let (mut answer, mut byte) = (Vec::new(), [0]);
    // No further than to the end of this answer.
    loop {
        control.read_exact(&mut byte)?;
        if byte == *b"\n" {
            break;
        }
        answer.extend(byte);
    }
    let answer = String::from_utf8(answer)?;
    match answer.strip_prefix("error: ") {
        Some(error) => Err(format!("the far side, asked to {question}: {error}").into()),
        None => Ok(answer),
    }
}

impl Drop for FarSide {
    fn drop(&mut self) {
        for Plug { name, carried, .. } in std::mem::take(&mut self.plugged) {
            let Some(carried) = carried else { continue };
            // A test that failed has failed already, and the next one will find what is still there.
            if self.unplug(name).is_ok() {
                let _ = carried.join();
            }
        }
    }
}
