//! HalfSipHash-2-4 with 64-bit output: lantern's handshake hash and the fingerprints by which keys are named.
//!
//! Boundary: naming and a stand-in for a handshake. Eight bytes under a published key secure nothing.

use std::fmt;

/// The key of the handshake hash (PROTOCOL.md section 2).
const HANDSHAKE_KEY: [u8; 8] = [0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07];

/// The key of fingerprints: another one, so that a fingerprint in a log is never an answer in a handshake.
const FINGERPRINT_KEY: [u8; 8] = [0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f];

/// Eight bytes of hash, in the order in which the reference implementation stores them. Prints as 16 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 8]);

impl Digest {
    /// The digest with these bytes.
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn bytes(self) -> [u8; 8] {
        self.0
    }

    /// Reads 16 lower-case hex digits.
    pub fn from_hex(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; 8];
        if text.len() != 16 {
            return None;
        }
        for (byte, digits) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            *byte = nibble(digits[0])? << 4 | nibble(digits[1])?;
        }
        Some(Self(bytes))
    }
}

/// Upper case is refused: on lantern's line all hexadecimal is lower case.
fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The name of a slot's content: tells contents apart without showing them. Prints as 16 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(Digest);

impl Fingerprint {
    /// The fingerprint of these bytes. For a slot: all of them, padding included.
    pub fn of(bytes: &[u8]) -> Self {
        Self(hash(FINGERPRINT_KEY, [bytes]))
    }

    /// Reads 16 lower-case hex digits.
    pub fn from_hex(text: &[u8]) -> Option<Self> {
        Digest::from_hex(text).map(Self)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Lantern's handshake hash over `parts`, one after the other.
pub fn handshake_hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Digest {
    hash(HANDSHAKE_KEY, parts)
}

fn hash<'a>(key: [u8; 8], parts: impl IntoIterator<Item = &'a [u8]>) -> Digest {
    let mut state = HalfSipHash::new(key);
    for byte in parts.into_iter().flatten() {
        state.push(*byte);
    }
    state.finish()
}

/// HalfSipHash-2-4 after the public-domain reference (veorq/SipHash, `halfsiphash.c`, `outlen = 8`).
struct HalfSipHash {
    v: [u32; 4],
    word: u32,
    length: usize,
}

impl HalfSipHash {
    const COMPRESSION_ROUNDS: usize = 2;
    const FINAL_ROUNDS: usize = 4;

    fn new(key: [u8; 8]) -> Self {
        let [a, b, c, d, e, f, g, h] = key;
        let (k0, k1) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
        Self { v: [k0, k1 ^ 0xee, 0x6c79_6765 ^ k0, 0x7465_6462 ^ k1], word: 0, length: 0 }
    }

    fn push(&mut self, byte: u8) {
        self.word |= u32::from(byte) << (8 * (self.length % 4));
        self.length += 1;
        if self.length.is_multiple_of(4) {
            let word = std::mem::take(&mut self.word);
            self.compress(word);
        }
    }

    fn compress(&mut self, word: u32) {
        self.v[3] ^= word;
        self.rounds(Self::COMPRESSION_ROUNDS);
        self.v[0] ^= word;
    }

    fn finish(mut self) -> Digest {
        let length_byte = (self.length as u32) << 24;
        self.compress(self.word | length_byte);
        self.v[2] ^= 0xee;
        self.rounds(Self::FINAL_ROUNDS);
        let low = self.v[1] ^ self.v[3];
        self.v[1] ^= 0xdd;
        self.rounds(Self::FINAL_ROUNDS);
        let high = self.v[1] ^ self.v[3];
        let [a, b, c, d] = low.to_le_bytes();
        let [e, f, g, h] = high.to_le_bytes();
        Digest([a, b, c, d, e, f, g, h])
    }

    fn rounds(&mut self, count: usize) {
        let [mut v0, mut v1, mut v2, mut v3] = self.v;
        for _ in 0..count {
            v0 = v0.wrapping_add(v1);
            v1 = v1.rotate_left(5) ^ v0;
            v0 = v0.rotate_left(16);
            v2 = v2.wrapping_add(v3);
            v3 = v3.rotate_left(8) ^ v2;
            v0 = v0.wrapping_add(v3);
            v3 = v3.rotate_left(7) ^ v0;
            v2 = v2.wrapping_add(v1);
            v1 = v1.rotate_left(13) ^ v2;
            v2 = v2.rotate_left(16);
        }
        self.v = [v0, v1, v2, v3];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    /// veorq/SipHash `vectors.h`, `vectors_hsip64`: key 00..07, the message 00 01 02 ... of each length.
    const REFERENCE: [(u8, &str); 17] = [
        (0, "218d1f59b9b83cc8"),
        (1, "be552412f8387315"),
        (2, "064f39ef7c50eb57"),
        (3, "ce0f1a45f7060679"),
        (4, "d5e78a175be52ea1"),
        (5, "cb9d7c3f2f3db580"),
        (6, "ce3e91358aa2bc25"),
        (7, "ff202728b07bc684"),
        (8, "edfee820bce4858c"),
        (9, "5b51cccc13888307"),
        (10, "95b0469f06a6f2ee"),
        (11, "ae26333994ddcd48"),
        (12, "7bc71f9faef5c799"),
        (14, "3bb1a870eae8e658"),
        (61, "313563a4b7ed5cf3"),
        (62, "f90b3ab572d46693"),
        (63, "2ea63c71bf326087"),
    ];

    #[test]
    fn the_reference_vectors_come_out() {
        for (length, expected) in REFERENCE {
            let message: Vec<u8> = (0..length).collect();
            assert_eq!(handshake_hash([message.as_slice()]).to_string(), expected, "{length} bytes");
        }
    }

    #[test]
    fn the_published_fingerprints_of_the_test_keys_come_out() {
        let fingerprints = [
            (fixtures::device_old(), "1da0e8329da0beb6"),
            (fixtures::device_new(), "6bc6e8d6aeaf4a91"),
            (fixtures::server(), "f3ad1df70b75e23d"),
            (fixtures::server_other(), "51debd367ea1fd30"),
            (fixtures::address(), "94ed75c06913ac9e"),
        ];
        for (content, expected) in fingerprints {
            assert_eq!(content.fingerprint().to_string(), expected);
        }
    }

    #[test]
    fn a_message_in_parts_hashes_as_one() {
        assert_eq!(handshake_hash([&b"abc"[..], b"", b"defgh"]), handshake_hash([&b"abcdefgh"[..]]));
    }

    #[test]
    fn hex_is_read_back_and_anything_else_refused() {
        let digest = handshake_hash([&b"x"[..]]);
        assert_eq!(Digest::from_hex(digest.to_string().as_bytes()), Some(digest));
        for text in
            ["", "218d1f59b9b83cc", "218d1f59b9b83cc80", "218D1F59B9B83CC8", "218d1f59b9b83cg8", "+18d1f59b9b83cc8"]
        {
            assert_eq!(Digest::from_hex(text.as_bytes()), None, "{text}");
        }
    }
}
