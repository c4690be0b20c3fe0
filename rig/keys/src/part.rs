//! What lies where in a key: a change of its wrapping, of its public and of its private numbers are different faults.
//!
//! Boundary: places in keys that are in order. A damaged key has no parts to tell apart.

use std::fmt;
use std::ops::Range;

use p256::SecretKey;
use rsa::pkcs1::DecodeRsaPrivateKey as _;
use rsa::pkcs8::DecodePublicKey as _;
use rsa::traits::PublicKeyParts as _;

use crate::check::der;
use crate::{Algorithm, Slot, SlotContent, check};

/// A part of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// What stands before the first number, without byte 0, whose damage is a class of its own.
    Header,
    /// The modulus of an RSA key, the point of a P-256 one.
    Public,
    /// What only the owner knows: the scalar of a P-256 key; the private exponent of an RSA key, its primes and what follows from them.
    Private,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Header, Self::Public, Self::Private];

    /// The name in YAML and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Public => "public",
            Self::Private => "private",
        }
    }

    /// Where it lies in the slot, in bytes from its beginning. `None` if the slot holds no key in order, or the key has no such part.
    pub fn place(self, content: &SlotContent) -> Option<Range<usize>> {
        check(content).ok()?;
        let bytes = der(content).ok()?;
        let shape = content.shape();
        let (public, private) = match (shape.slot, shape.algorithm) {
            (Slot::DevicePrivate, Algorithm::P256) => {
                let key = SecretKey::from_sec1_der(bytes).ok()?;
                (place_of(&point(&key.public_key()), bytes), place_of(&key.to_bytes(), bytes))
            }
            (Slot::ServerPublic, Algorithm::P256) => {
                let key = p256::PublicKey::from_public_key_der(bytes).ok()?;
                (place_of(&point(&key), bytes), None)
            }
            (Slot::DevicePrivate, Algorithm::Rsa) => {
                let modulus = place_of(&rsa::PrivateKey::from_pkcs1_der(bytes).ok()?.n_bytes(), bytes)?;
                // The public exponent stands between them: its own DER says where it ends.
                let exponent = modulus.end..modulus.end + 2 + usize::from(*bytes.get(modulus.end + 1)?);
                (Some(modulus), Some(exponent.end..bytes.len()))
            }
            (Slot::ServerPublic, Algorithm::Rsa) => {
                (place_of(&rsa::PublicKey::from_public_key_der(bytes).ok()?.n_bytes(), bytes), None)
            }
            (Slot::ServerAddress, _) => return None,
        };
        match self {
            Self::Header => {
                let first = [&public, &private].into_iter().flatten().map(|part| part.start).min()?;
                Some(1..first)
            }
            Self::Public => public,
            Self::Private => private,
        }
    }
}

/// Both coordinates, without the byte that says how they are written.
fn point(key: &p256::PublicKey) -> Vec<u8> {
    key.to_sec1_bytes().get(1..).map(<[u8]>::to_vec).unwrap_or_default()
}

fn place_of(part: &[u8], whole: &[u8]) -> Option<Range<usize>> {
    let start = whole.windows(part.len().max(1)).position(|window| window == part)?;
    Some(start..start + part.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn the_parts_lie_where_device_os_reads_them() {
        let places = |content: SlotContent| Part::ALL.map(|part| part.place(&content));
        // device-os v1.4.4 `handshake.cpp` and `core_protocol.cpp`: the server's modulus is bytes 33 to 288, the device's 11 to 138.
        assert_eq!(places(fixtures::rsa_server()), [Some(1..33), Some(33..289), None]);
        let device = fixtures::rsa_device();
        assert_eq!(places(device.clone()), [Some(1..11), Some(11..139), Some(144..device.used())]);
        assert_eq!(places(fixtures::device_old()), [Some(1..7), Some(57..121), Some(7..39)]);
        assert_eq!(places(fixtures::server()), [Some(1..27), Some(27..91), None]);
        assert_eq!(places(fixtures::address()), [None, None, None]);
        assert_eq!(places(fixtures::server().map(|bytes| bytes[3] ^= 1)), [None, None, None]);
    }
}
