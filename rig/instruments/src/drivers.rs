//! The drivers, a folder each.
//!
//! Boundary: the list. A driver that is not in it does not exist for a bench file.

mod command;
mod defmt;
mod dfuse;
mod gpiocdev;
mod hub_port;
mod load_switch;
mod nftables;
mod ppk2;
mod probe_rs;
mod rfc2217;
mod rppal;
mod rtt;
mod scpi;
mod serial;
mod tcs3472;

use crate::factory::Factory;

pub use gpiocdev::place::{Place as LinePlace, PlaceError as LinePlaceError, Polarity, Style};

/// Every driver.
pub static DRIVERS: &[&dyn Factory] = &[
    &command::LinesCommand,
    &command::SupplyCommand,
    &defmt::DefmtFactory,
    &dfuse::DfuseFactory,
    &gpiocdev::Gpiocdev,
    &hub_port::HubPort,
    &load_switch::LoadSwitch,
    &nftables::Nftables,
    &ppk2::Ppk2,
    &probe_rs::ProbeRsFactory,
    &rfc2217::Rfc2217Factory,
    &rppal::Rppal,
    &rtt::RttFactory,
    &scpi::Scpi,
    &serial::SerialFactory,
    &tcs3472::Tcs3472Light,
];

/// A pseudo-terminal for tests: the board's end, and the node that a driver opens.
#[cfg(test)]
fn test_terminal() -> (std::fs::File, std::path::PathBuf) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    let end = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&end).unwrap();
    unlockpt(&end).unwrap();
    let node = ptsname(&end, Vec::new()).unwrap().into_string().unwrap();
    (end.into(), node.into())
}
