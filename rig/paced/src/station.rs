//! A station around a paced board, as USB devices: an adapter for its lines, one for its sensors, its console, its supply, its probe, and
//! the board itself if it has USB.
//!
//! Boundary: wiring, one module per device that is more than a wire. The devices' own protocols are in [`crate::devices`].

mod bus;
mod console;
mod lines;
mod monitor;
mod supply;
mod usb;
mod wires;

use std::sync::{Arc, Mutex};

use brickproof_units::{Resistance, Voltage};
use brickproof_virtual_board::chip::Pin;
use brickproof_virtual_board::debug;

use crate::board::Hand;
use crate::devices::cmsis_dap::CmsisDap;
use crate::devices::cp2112::Cp2112;
use crate::devices::descriptors::Identity;
use crate::devices::tiny_i2c::TinyI2c;
use crate::usbip::Device;

pub use lines::{MODE, POWER, RADIO, RESET};
pub use monitor::ADDRESS as MONITOR_ADDRESS;
pub use usb::UsbNames;
pub use wires::Wires;

/// How a station is wired.
#[derive(Clone, Debug)]
pub struct StationConfig {
    /// Ends the serial number of every device, and tells two stations apart.
    pub serial: String,
    /// The MODE button, pressed while low.
    pub mode: Pin,
    /// High while the modem draws its current.
    pub radio: Pin,
    /// What the load switch switches.
    pub usb: Voltage,
    /// The shunt of the monitor in the board's input.
    pub shunt: Resistance,
    /// What the board is called on USB, where its cable leads to the station's computer. Where none does, there is no such device.
    pub own_usb: Option<UsbNames>,
}

impl StationConfig {
    /// A station of `lantern-nrf51`, fed with 5 V, with the usual shunt of a breakout board (recalled).
    pub fn lantern_nrf51(serial: &str) -> Self {
        Self {
            serial: serial.to_owned(),
            mode: Pin::p0(17),
            radio: Pin::p0(16),
            usb: Voltage::new(5_000_000),
            shunt: Resistance::new(100_000),
            own_usb: None,
        }
    }

    /// The same of `lantern-nrf52840`, whose data lines lead to the station's computer, too.
    pub fn lantern_nrf52840(serial: &str) -> Self {
        let own_usb = Some(UsbNames::lantern_nrf52840());
        Self { mode: Pin::p0(11), own_usb, ..Self::lantern_nrf51(serial) }
    }
}

/// A device of a station.
#[derive(Clone)]
pub struct StationDevice {
    /// What it is called.
    pub name: &'static str,
    /// The device.
    pub device: Arc<Mutex<dyn Device>>,
}

/// The devices of a station whose board this hand is on.
pub fn devices(hand: &Hand, config: &StationConfig) -> Vec<StationDevice> {
    let serial = config.serial.as_str();
    let mut devices = vec![
        device("lines", Cp2112::wired(lines::BoardLines::new(hand.clone(), config), serial)),
        device("bus", TinyI2c::new(bus::BoardBus::new(hand.clone(), config.shunt)).with_serial(serial)),
        device("console", console::Console::new(hand.clone(), serial)),
        device("supply", supply::BenchSupply::new(hand.clone(), serial)),
        device("probe", probe(hand, serial)),
    ];
    let own_usb = config.own_usb.clone();
    devices.extend(own_usb.map(|names| device("usb", usb::OwnUsb::new(hand.clone(), names))));
    devices
}

fn device(name: &'static str, device: impl Device + 'static) -> StationDevice {
    StationDevice { name, device: Arc::new(Mutex::new(device)) }
}

fn probe(hand: &Hand, serial: &str) -> CmsisDap {
    // A number that pid.codes keeps for tests; tools know such a probe by its name.
    let identity = Identity::new(0x1209, 0x0002, "virtual CMSIS-DAP", serial);
    let (mut processor, mut wires) = (debug::CmsisDap::new(serial), Wires::new(hand.clone()));
    CmsisDap::new(identity, Box::new(move |packet| processor.execute(packet, &mut wires)))
}
