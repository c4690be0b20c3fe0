//! Signs, as they are written in a log, shown by a light, or told by a person.
//!
//! Boundary: recognition. What a sign means is `knowledge`'s.

pub(crate) mod light;
pub(crate) mod log;
pub(crate) mod words;
