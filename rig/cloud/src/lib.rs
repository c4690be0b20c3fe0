//! (cloud)
