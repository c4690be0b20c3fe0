//! The commands, one file each.
//!
//! Boundary: each turns its arguments into calls and ends with an exit status or a problem.

pub(crate) mod autopsy;
pub(crate) mod bench;
pub(crate) mod board;
pub(crate) mod campaign;
pub(crate) mod check;
pub(crate) mod console;
pub(crate) mod diagnose;
pub(crate) mod discover;
pub(crate) mod enter;
pub(crate) mod explain;
pub(crate) mod flash;
pub(crate) mod history;
pub(crate) mod keys;
pub(crate) mod lint;
pub(crate) mod make_safe;
pub(crate) mod manual;
pub(crate) mod power;
pub(crate) mod replay;
pub(crate) mod report;
pub(crate) mod reset;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod serve;
pub(crate) mod virtual_board;
pub(crate) mod waves;
