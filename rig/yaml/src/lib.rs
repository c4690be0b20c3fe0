//! YAML text to a tree whose every value knows its place, and every mistake of a file at once.
//!
//! Boundary: the shapes that all files share. It reads no files, and what a key means is the business of the crate that reads that kind of
//! file: scenarios and board profiles in `brickproof-scenario`, bench files in `brickproof-bench`. Only the list of [`MistakeKind`]s is
//! common to all of them, because their codes are.

pub mod decode;
mod mistake;
mod printable;
pub mod schema;
mod source;
pub mod suggest;
pub mod tree;

pub use mistake::{Diagnostics, LineIndex, Mistake, MistakeKind, Mistakes, Place, counted};
pub use printable::printable;
pub use source::utf8;
