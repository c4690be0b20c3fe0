//! Drivers of supplies and of what cuts a board off, against other ends that are real for the operating system: sockets, ptys, processes,
//! network namespaces.

#![expect(clippy::unwrap_used, reason = "a test that meets what it does not expect has failed, in its helpers too")]

mod command_program;
mod ends;
mod gateway;
mod ppk2_supply;
mod scpi_supply;
