//! The bench driver on a station of real-time instruments without devices.
//!
//! Boundary: no kernel devices. Limits of time are wide, for computers that are busy with something else.

mod bootloading;
mod checking;
mod desk;
mod failing;
mod flashing;
mod keeping;
mod keys;
mod laws;
mod model;
mod modes;
mod passing;
mod provisioning;
mod returning;
mod rig;
mod several_lights;
mod stopping;
