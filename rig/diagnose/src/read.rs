//! Signs, as they are written in a log, shown by a light, or told by a person.
//!
//! Boundary: recognition. What a sign means is `knowledge`'s.

use brickproof_units::Span;

/// After so long a handshake that nobody answers is given up: of a board whose transport is unknown it may be either.
pub(crate) type Silences = [Span; 2];

pub(crate) mod light;
pub(crate) mod log;
pub(crate) mod words;
