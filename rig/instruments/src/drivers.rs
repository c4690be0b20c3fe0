//! The drivers, a folder each.
//!
//! Boundary: the list. A driver that is not in it does not exist for a bench file.

mod gpiocdev;
mod tcs3472;

use crate::factory::Factory;

/// Every driver.
pub static DRIVERS: &[&dyn Factory] = &[&gpiocdev::Gpiocdev, &tcs3472::Tcs3472Light];
