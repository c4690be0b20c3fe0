//! Plays lantern's cloud on the console line: genuine, silent, wrong, or not to be reached.
//!
//! Boundary: no I/O and no clock. Lines from the device go in with their instants; lines for the device come out with the instants at which
//! they are due, and events say what the cloud now knows of the device's identity. What that means for a verdict is the trial's business.
//!
//! The protocol, a stand-in for DTLS that secures nothing, is `fixtures/firmware/PROTOCOL.md`, sections 1 to 3.
//!
//! Descriptions and events name keys by fingerprint. One line carries a private key, `~newkey`; it is marked secret, and a timeline or raw
//! console must show its description instead.

mod event;
mod identities;
mod peer;
mod protocol;

pub use event::{CloudEvent, Rejection};
pub use peer::{Behaviour, Cloud, CloudConfig, CloudSend};
pub use protocol::Malformed;
