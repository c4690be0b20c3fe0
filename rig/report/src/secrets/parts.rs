//! Where in bytes the secret parts of private keys are: those that are whole or cut off behind their beginning.
//!
//! Boundary: the DER of elliptic curves (RFC 5915), of RSA (RFC 8017, A.1.2) and of Curve25519 (RFC 8410), in PKCS#8 too, which holds them as they
//! are. Whether a key is a good one is for `brickproof-keys`.

use std::ops::Range;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
/// An octet string in an octet string, 32 bytes, behind the names of X25519 and Ed25519.
const CURVE25519: [[u8; 9]; 2] =
    [[0x06, 0x03, 0x2B, 0x65, 0x6E, 0x04, 0x22, 0x04, 0x20], [0x06, 0x03, 0x2B, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20]];
/// The lengths of the scalars of P-192, P-224, P-256, P-384 and P-521.
const SCALARS: [u8; 5] = [24, 28, 32, 48, 66];
/// No modulus is shorter: 512 bits.
const SHORTEST_MODULUS: usize = 64;

/// Every stretch of secret bytes.
pub(super) fn private_parts(bytes: &[u8]) -> Vec<Range<usize>> {
    let begins = |at: usize| elliptic(bytes, at).or_else(|| rsa(bytes, at)).or_else(|| curve25519(bytes, at));
    (0..bytes.len()).filter_map(begins).collect()
}

/// Whether something in `bytes` begins like a key, whose secret part may not have come yet.
pub(super) fn begins_a_key(bytes: &[u8]) -> bool {
    let begins = |at: usize| {
        let version = value(bytes, at, SEQUENCE).and_then(|(version, _)| bytes.get(version..));
        matches!(version, Some([INTEGER, 1, 0 | 1, ..])) || curve25519(bytes, at).is_some()
    };
    (0..bytes.len()).any(begins)
}

/// What stands behind a tag at `at`: from where on, and how long it says that it is.
fn value(bytes: &[u8], at: usize, tag: u8) -> Option<(usize, usize)> {
    match bytes.get(at..)? {
        [found, 0x82, high, low, ..] if *found == tag => Some((at + 4, usize::from(*high) << 8 | usize::from(*low))),
        [found, 0x81, length, ..] if *found == tag => Some((at + 3, usize::from(*length))),
        [found, length @ 0..=0x7F, ..] if *found == tag => Some((at + 2, usize::from(*length))),
        _ => None,
    }
}

/// A sequence, version 1, an octet string: the scalar.
fn elliptic(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let (version, _) = value(bytes, at, SEQUENCE)?;
    match bytes.get(version..)? {
        [INTEGER, 1, 1, 0x04, length, ..] if SCALARS.contains(length) => {
            let scalar = version + 5;
            Some(scalar..(scalar + usize::from(*length)).min(bytes.len()))
        }
        _ => None,
    }
}

/// A sequence, version 0, modulus and public exponent; whatever follows is secret.
fn rsa(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let (version, length) = value(bytes, at, SEQUENCE)?;
    let modulus = match bytes.get(version..)? {
        [INTEGER, 1, 0, ..] => version + 3,
        _ => return None,
    };
    let (modulus, size) = value(bytes, modulus, INTEGER)?;
    if size < SHORTEST_MODULUS {
        return None;
    }
    let end = (version + length).min(bytes.len());
    // One that is damaged between them has its secrets all the same.
    let behind = match value(bytes, modulus + size, INTEGER) {
        Some((exponent, length)) if length <= 8 => exponent + length,
        _ => modulus + size,
    };
    (behind < end).then_some(behind..end)
}

fn curve25519(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let behind = bytes.get(at..)?;
    let key = at + CURVE25519.iter().find(|name| behind.starts_with(&name[..]))?.len();
    Some(key..(key + 32).min(bytes.len()))
}
