//! A virtual board in wall-clock time, and the ends by which other people's tools hold it: USB devices, a pty, a debug port.
//!
//! Boundary: it lets the board of `brickproof-virtual-board` live by the kernel's monotonic clock and carries bytes between it and its
//! ends. It drives no board and judges none: whoever holds an end is as far from it as from a real board.

pub mod attach;
pub mod board;
pub mod clock;
pub mod devices;
pub mod far_side;
pub mod line;
pub mod news;
pub mod pace;
pub mod relay;
pub mod serve;
pub mod station;
pub mod usbip;
pub mod vhci;
