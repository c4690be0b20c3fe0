//! The cloud's half of the line format: reading the device's lines, writing the peer's.
//!
//! Boundary: one line at a time, no state. Whether a line is in order at this point is the peer's question.

use std::fmt;

use brickproof_keys::{Digest, Fingerprint, SlotContent};

/// What begins a line of the cloud link; every other line is log.
const MARK: u8 = b'~';

/// A line of the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// `~connect <host> <port>`.
    Connect { host: String, port: u16 },
    /// `~hello <client nonce> <device fingerprint>`.
    Hello { nonce: Digest, device: Fingerprint },
    /// `~proof <device proof>`.
    Proof { proof: Digest },
    /// `~rekey <client nonce>`: the nonce only tells a repeated request from a new one.
    Rekey,
    /// `~rekeyed <device fingerprint>`.
    Rekeyed { device: Fingerprint },
}

/// A line of the cloud link that cannot be read. It is described, not repeated: its bytes could be anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The first word, as far as it is letters.
    pub word: String,
    /// Length of the line in bytes, without its ending.
    pub length: usize,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unreadable cloud line `~{}` of {} bytes", self.word, self.length)
    }
}

/// The line without CR and LF at its end: the device sends both, and the console may have cut them off already.
pub(crate) fn without_ending(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |last| last + 1);
    &line[..end]
}

/// Reads a line of the device, with or without its ending. `None` if it does not belong to the cloud link.
pub(crate) fn read(line: &[u8]) -> Option<Result<Request, Malformed>> {
    let body = without_ending(line).strip_prefix(&[MARK])?;
    Some(request(body).ok_or_else(|| malformed(body)))
}

fn request(body: &[u8]) -> Option<Request> {
    let fields: Vec<&[u8]> = body.split(|byte| *byte == b' ').collect();
    Some(match fields.as_slice() {
        [b"connect", host, port] => Request::Connect { host: host_name(host)?, port: port_number(port)? },
        [b"hello", nonce, device] => {
            Request::Hello { nonce: Digest::from_hex(nonce)?, device: Fingerprint::from_hex(device)? }
        }
        [b"proof", proof] => Request::Proof { proof: Digest::from_hex(proof)? },
        [b"rekey", nonce] => Digest::from_hex(nonce).map(|_| Request::Rekey)?,
        [b"rekeyed", device] => Request::Rekeyed { device: Fingerprint::from_hex(device)? },
        _ => return None,
    })
}

fn host_name(field: &[u8]) -> Option<String> {
    let printable = !field.is_empty() && field.iter().all(u8::is_ascii_graphic);
    printable.then(|| field.iter().map(|byte| char::from(*byte)).collect())
}

/// Digits only: `parse` would take a sign.
fn port_number(field: &[u8]) -> Option<u16> {
    let digits = field.iter().all(u8::is_ascii_digit);
    digits.then(|| std::str::from_utf8(field).ok()?.parse().ok()).flatten()
}

fn malformed(body: &[u8]) -> Malformed {
    const LONGEST_WORD: usize = 12;
    let letters = body.iter().take_while(|byte| byte.is_ascii_alphabetic()).take(LONGEST_WORD);
    Malformed { word: letters.map(|byte| char::from(*byte)).collect(), length: body.len() + 1 }
}

/// A line of the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Connected,
    Refused,
    Challenge { nonce: Digest, proof: Digest },
    Welcome,
    Reject,
    NewKey(SlotContent),
}

impl Reply {
    /// The bytes of the line, ending included.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let line = match self {
            Self::Connected => "~connected\n".to_owned(),
            Self::Refused => "~refused\n".to_owned(),
            Self::Challenge { nonce, proof } => format!("~challenge {nonce} {proof}\n"),
            Self::Welcome => "~welcome\n".to_owned(),
            Self::Reject => "~reject\n".to_owned(),
            Self::NewKey(key) => {
                let hex: String = key.expose_used().iter().map(|byte| format!("{byte:02x}")).collect();
                format!("~newkey {hex}\n")
            }
        };
        line.into_bytes()
    }

    /// Whether the line must not be shown.
    pub(crate) fn is_secret(&self) -> bool {
        matches!(self, Self::NewKey(_))
    }
}

impl fmt::Display for Reply {
    /// What the line says, with fingerprints in place of keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected => f.write_str("~connected"),
            Self::Refused => f.write_str("~refused"),
            Self::Challenge { nonce, proof } => write!(f, "~challenge {nonce} {proof}"),
            Self::Welcome => f.write_str("~welcome"),
            Self::Reject => f.write_str("~reject"),
            Self::NewKey(key) => write!(f, "~newkey [device key {}]", key.fingerprint()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_the_device_are_read() {
        let digest = Digest::from_hex(b"0011223344556677").unwrap();
        let device = Fingerprint::from_hex(b"1da0e8329da0beb6").unwrap();
        let read = |line: &str| read(line.as_bytes()).unwrap().unwrap();
        let connect = Request::Connect { host: "lantern.invalid".to_owned(), port: 5684 };
        assert_eq!(read("~connect lantern.invalid 5684\r\n"), connect);
        assert_eq!(read("~hello 0011223344556677 1da0e8329da0beb6"), Request::Hello { nonce: digest, device });
        assert_eq!(read("~proof 0011223344556677\n"), Request::Proof { proof: digest });
        assert_eq!(read("~rekey 0011223344556677"), Request::Rekey);
        assert_eq!(read("~rekeyed 1da0e8329da0beb6"), Request::Rekeyed { device });
    }

    #[test]
    fn log_lines_are_not_of_the_link() {
        assert_eq!(read(b"0000000001 [system] INFO: ~connect"), None);
        assert_eq!(read(b"\r\n"), None);
        assert_eq!(read(b""), None);
    }

    #[test]
    fn what_cannot_be_read_is_described_without_its_bytes() {
        for line in [
            "~",
            "~connect lantern.invalid",
            "~connect lantern.invalid 65536",
            "~connect lantern.invalid +5684",
            "~connect  5684",
            "~hello 0011223344556677  1da0e8329da0beb6",
            "~hello 0011223344556677 1DA0E8329DA0BEB6",
            "~proof 00112233445566",
            "~welcome",
        ] {
            assert!(read(line.as_bytes()).unwrap().is_err(), "{line}");
        }
        let malformed = read(b"~newkey 3077020101\xff\n").unwrap().unwrap_err();
        assert_eq!(malformed.to_string(), "unreadable cloud line `~newkey` of 19 bytes");
    }
}
