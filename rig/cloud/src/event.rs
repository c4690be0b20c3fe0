//! What the cloud has learnt of the device.
//!
//! Boundary: facts with fingerprints, for the timeline and for expectations such as `identity: unchanged`.

use std::fmt;

use brickproof_keys::Fingerprint;

use crate::protocol::Malformed;

/// Something that happened between the device and the cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloudEvent {
    /// The device asked for a connection to the right place and got it.
    LinkOpened,
    /// The device asked for a connection and was refused: the wrong place, or nothing can be reached.
    LinkRefused {
        /// The place it asked for, as `host:port`.
        asked: String,
    },
    /// The device asked for a handshake, for the first time or again.
    Hello {
        /// The identity it claims.
        fingerprint: Fingerprint,
        /// Whether it gets an answer. It gets none through a firewall.
        answered: bool,
    },
    /// The device has proven an identity that is registered.
    Connected {
        /// The identity.
        fingerprint: Fingerprint,
    },
    /// The device was turned away.
    Rejected {
        /// The identity it claimed.
        fingerprint: Fingerprint,
        /// Why.
        reason: Rejection,
    },
    /// The device got a new key. Until it has proven one of the two, both are accepted.
    KeyOffered {
        /// The identity it has.
        old: Fingerprint,
        /// The identity it was given.
        new: Fingerprint,
    },
    /// The device says that it has stored the key with this fingerprint.
    Rekeyed {
        /// What it says.
        fingerprint: Fingerprint,
    },
    /// The device has proven the new identity; the old one is void.
    Rotated {
        /// The void one.
        old: Fingerprint,
        /// The one that is registered now.
        new: Fingerprint,
    },
    /// The device has proven the old identity after a new one was offered; the new one is void.
    RotationAbandoned {
        /// The one that stays registered.
        kept: Fingerprint,
        /// The void one.
        dropped: Fingerprint,
    },
    /// A line that can be read came when it made no sense; it was not answered.
    OutOfOrder {
        /// Its first word, as in `~proof`.
        line: &'static str,
    },
    /// A line could not be read; it was not answered.
    Malformed(Malformed),
}

/// Why a device was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rejection {
    /// No registered key has this fingerprint.
    UnknownIdentity,
    /// The fingerprint is registered, and the proof was made with other key bytes.
    WrongProof,
    /// It asked for a new key without being connected.
    NotConnected,
}

impl fmt::Display for CloudEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LinkOpened => f.write_str("link opened"),
            Self::LinkRefused { asked } => write!(f, "link to {asked} refused"),
            Self::Hello { fingerprint, answered: true } => write!(f, "hello from {fingerprint}, answered"),
            Self::Hello { fingerprint, answered: false } => write!(f, "hello from {fingerprint}, not answered"),
            Self::Connected { fingerprint } => write!(f, "connected as {fingerprint}"),
            Self::Rejected { fingerprint, reason } => write!(f, "rejected {fingerprint}: {reason}"),
            Self::KeyOffered { old, new } => write!(f, "offered key {new} in place of {old}"),
            Self::Rekeyed { fingerprint } => write!(f, "device says it has stored key {fingerprint}"),
            Self::Rotated { old, new } => write!(f, "identity changed from {old} to {new}"),
            Self::RotationAbandoned { kept, dropped } => write!(f, "identity {kept} kept, offered {dropped} void"),
            Self::OutOfOrder { line } => write!(f, "`{line}` out of order"),
            Self::Malformed(malformed) => malformed.fmt(f),
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownIdentity => "unknown identity",
            Self::WrongProof => "wrong proof",
            Self::NotConnected => "not connected",
        })
    }
}
