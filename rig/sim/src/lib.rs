//! The simulation driver: a discrete-event loop that runs trials on virtual boards, thousands of times faster than the clock, and forks them.
//!
//! Boundary: no tokio, no sleeping, no wall clock, no files. It carries actions to the board, its supply, its sensor and its cloud, and
//! carries back what they show, each with its exact instant. The same plan, image and seed give the same timeline, byte for byte.

mod backstage;
mod board;
pub mod cuts;
mod lamp;
mod memory;
mod sensor;
mod simulation;
mod world;

pub use backstage::Backstage;
pub use board::{FactoryError, factory_board};
pub use memory::board_with;
pub use simulation::Simulation;
pub use world::{Story, UartTiming, World, WorldConfig};
