//! Simulated USB devices: what a kernel driver or a library finds when it looks.
//!
//! Boundary: the far side of USB; one module per device.

pub mod cdc_acm;
pub mod cmsis_dap;
pub mod cp2112;
pub mod descriptors;
pub mod dfuse;
pub mod tiny_i2c;
