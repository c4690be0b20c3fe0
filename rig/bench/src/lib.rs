//! Bench and board YAML to stations.
//!
//! Boundary: what stands in a bench file, and whether it can be true. Nothing is opened and nothing is driven here; a station that comes
//! out of [`file::load`] is ready for the factories of `brickproof-instruments`.

pub mod file;
