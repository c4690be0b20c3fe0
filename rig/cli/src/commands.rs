//! The commands, one file each.
//!
//! Boundary: each turns its arguments into calls and ends with an exit status or a problem.

pub(crate) mod bench;
pub(crate) mod explain;
pub(crate) mod lint;
pub(crate) mod replay;
pub(crate) mod run;
