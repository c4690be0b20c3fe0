//! The core against its manual and an independent oracle.
//!
//! Boundary: the core alone, on a chip that is nothing but memory, one interrupt controller input and a script of events.

#[path = "core/exceptions.rs"]
mod exceptions;
#[path = "core/flat.rs"]
mod flat;
#[path = "core/laws.rs"]
mod laws;
#[path = "core/sleep.rs"]
mod sleep;
#[path = "core/system.rs"]
mod system;
#[path = "core/timing.rs"]
mod timing;
#[path = "core/vectors.rs"]
mod vectors;
