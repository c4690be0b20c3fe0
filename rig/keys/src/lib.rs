//! (keys)
