//! The drivers, a folder each.
//!
//! Boundary: the list. A driver that is not in it does not exist for a bench file.

mod gpiocdev;
mod rfc2217;
mod serial;
mod tcs3472;

use crate::factory::Factory;

/// Every driver.
pub static DRIVERS: &[&dyn Factory] =
    &[&gpiocdev::Gpiocdev, &rfc2217::Rfc2217Factory, &serial::SerialFactory, &tcs3472::Tcs3472Light];
