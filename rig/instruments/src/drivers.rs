//! The drivers, a folder each.
//!
//! Boundary: the list. A driver that is not in it does not exist for a bench file.

use crate::factory::Factory;

/// Every driver.
pub static DRIVERS: &[&dyn Factory] = &[];
