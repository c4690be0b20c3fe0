//! Private keys in what is kept and printed: masked, wherever they turn up.
//!
//! Boundary: bytes in, bytes out. A firmware may echo what it was sent, or print its own flash: the console is not ours, so its content is
//! looked through before anybody reads it. Found are the keys that the rig knows, in part or whole, and anything that begins as a private
//! key does ([`parts`]), in every way in which bytes are written ([`views`]). What was found keeps its length.

mod parts;
mod views;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use brickproof_keys::SlotContent;

use self::parts::private_parts;
use self::views::{View, views};

/// So many bytes of a known secret in a row are no coincidence (1 in 2^64), and fewer give nothing away.
const WINDOW: usize = 8;
const MASK: u8 = b'*';
/// So much is looked through at a time: the console of a long trial must not be held several times over.
const PIECE: usize = 64 * 1024;
/// The longest way in which a key can be written: an RSA key of 4096 bits has 2349 bytes and some, and is displayed with four characters for each.
/// Pieces overlap by it.
const OVERLAP: usize = 4 * 2400;

/// The private keys that must not be shown.
#[derive(Clone, Default)]
pub struct Secrets {
    windows: Arc<BTreeSet<[u8; WINDOW]>>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(..)")
    }
}

impl Secrets {
    /// Besides what begins like a private key, these keys are looked for.
    pub fn new<'k>(keys: impl IntoIterator<Item = &'k SlotContent>) -> Self {
        let mut windows = BTreeSet::new();
        for key in keys {
            let bytes = key.expose_used();
            let parts = private_parts(bytes);
            let whole = parts.is_empty().then_some(0..bytes.len());
            for part in parts.into_iter().chain(whole) {
                windows.extend(windows_of(&bytes[part]));
            }
        }
        Self { windows: Arc::new(windows) }
    }

    /// These and the private keys that `bytes` show whole: where a line or two of them is shown without its beginning, it is known too.
    #[must_use]
    pub fn and_those_in(&self, bytes: &[u8]) -> Self {
        let mut found = BTreeSet::new();
        for start in (0..bytes.len()).step_by(PIECE) {
            for view in views(&bytes[start..(start + PIECE + OVERLAP).min(bytes.len())]) {
                let written: Vec<u8> = view.iter().map(|(byte, _)| *byte).collect();
                found.extend(private_parts(&written).into_iter().flat_map(|part| windows_of(&written[part])));
            }
        }
        if found.is_subset(&self.windows) {
            return self.clone();
        }
        found.extend(&*self.windows);
        Self { windows: Arc::new(found) }
    }

    /// `bytes` with every byte of a private key masked.
    pub fn masked<'b>(&self, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        let mut masked = Cow::Borrowed(bytes);
        for start in (0..bytes.len()).step_by(PIECE) {
            for view in views(&bytes[start..(start + PIECE + OVERLAP).min(bytes.len())]) {
                for place in self.found(&view) {
                    masked.to_mut()[start + place] = MASK;
                }
            }
        }
        masked
    }

    /// `text` with every byte of a private key masked.
    pub fn masked_text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.masked(text.as_bytes())).into_owned()
    }

    /// Where in the text of `view` secret bytes are written.
    fn found(&self, view: &View) -> Vec<usize> {
        let bytes: Vec<u8> = view.iter().map(|(byte, _)| *byte).collect();
        let known = bytes.windows(WINDOW).enumerate().filter(|(_, window)| self.knows(window));
        let known = known.map(|(at, _)| at..at + WINDOW);
        known.chain(private_parts(&bytes)).flatten().flat_map(|at| view[at].1).collect()
    }

    fn knows(&self, window: &[u8]) -> bool {
        <&[u8; WINDOW]>::try_from(window).is_ok_and(|window| self.windows.contains(window))
    }
}

fn windows_of(bytes: &[u8]) -> impl Iterator<Item = [u8; WINDOW]> {
    bytes.windows(WINDOW).filter_map(|window| <[u8; WINDOW]>::try_from(window).ok())
}

/// A console that is heard line by line. A key may go over many of them, of which only the first begins as one does.
#[derive(Clone, Debug)]
pub struct Listener {
    secrets: Secrets,
    /// What was heard last, as much as a key may take.
    heard: Vec<u8>,
}

impl Listener {
    /// Besides what begins like a private key, these are looked for.
    pub fn new(secrets: Secrets) -> Self {
        Self { secrets, heard: Vec::new() }
    }

    /// The next line with every byte of a private key masked.
    pub fn masked(&mut self, line: &[u8]) -> Vec<u8> {
        self.heard.extend(line);
        self.heard.push(b'\n');
        let surplus = self.heard.len().saturating_sub(OVERLAP);
        self.heard.drain(..surplus);
        self.secrets = self.secrets.and_those_in(&self.heard);
        self.secrets.masked(line).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use brickproof_console::display;
    use brickproof_keys::device_key_from_seed;
    use proptest::prelude::*;

    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    const RSA: &[u8] = include_bytes!("../../../fixtures/keys/device.rsa1024.pkcs1.der");
    /// Four bytes of the sequence's head, three of the version, 132 of the modulus, five of the public exponent: what follows is secret.
    const RSA_SECRET: usize = 144;

    fn base64(bytes: &[u8]) -> String {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let character = |group: u32, place: u32| char::from(ALPHABET[(group >> (18 - 6 * place) & 63) as usize]);
        let group = |three: &[u8]| {
            let group = (0..3).fold(0, |group, at| group << 8 | u32::from(three.get(at).copied().unwrap_or(0)));
            (0..4)
                .map(|place| if place as usize <= three.len() { character(group, place) } else { '=' })
                .collect::<String>()
        };
        bytes.chunks(3).map(group).collect()
    }

    fn pem(bytes: &[u8]) -> Vec<String> {
        let text = base64(bytes);
        let lines = text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned());
        let begin = std::iter::once("-----BEGIN RSA PRIVATE KEY-----".to_owned());
        begin.chain(lines).chain(["-----END RSA PRIVATE KEY-----".to_owned()]).collect()
    }

    /// Whether eight bytes of `scalar` in a row stand in `text`, in any of the ways in which bytes are written.
    fn leaks(text: &[u8], scalar: &[u8]) -> bool {
        let has = |wanted: &[u8]| text.windows(wanted.len()).any(|window| window == wanted);
        scalar.windows(WINDOW).any(|part| {
            has(part)
                || has(hex(part).as_bytes())
                || has(hex(part).to_uppercase().as_bytes())
                || has(display(part).as_bytes())
        })
    }

    #[test]
    fn an_echoed_key_is_masked_whether_it_is_known_or_not() {
        let known = device_key_from_seed(1);
        let secrets = Secrets::new([&known]);
        for (key, whose) in [(known, "known"), (device_key_from_seed(2), "made by the firmware")] {
            let der = key.expose_used();
            let scalar = &der[7..39];
            let raw = [b"before ", der, b" after"].concat();
            let echoes = [
                raw.clone(),
                display(&raw).into_bytes(),
                format!("~newkey {}\r\n", hex(der)).into_bytes(),
                format!("~newkey {}", hex(&der[..20])).into_bytes(),
                format!("f{}", hex(der).to_uppercase()).into_bytes(),
            ];
            for echo in echoes {
                assert!(leaks(&echo, scalar), "{whose}: the test would see it");
                let masked = secrets.masked(&echo);
                assert!(!leaks(&masked, scalar), "{whose}: {}", display(&masked));
                assert_eq!(masked.len(), echo.len(), "nothing is lost");
            }
        }
    }

    #[test]
    fn part_of_a_known_key_is_masked_and_what_surrounds_it_stays() {
        let key = device_key_from_seed(1);
        let secrets = Secrets::new([&key]);
        let part = hex(&key.expose_used()[20..32]);
        assert_eq!(secrets.masked_text(&format!("key={part} ok")), format!("key={} ok", "*".repeat(24)));
        let public = hex(&key.expose_used()[60..]);
        assert_eq!(secrets.masked_text(&public), public, "the public half is no secret");
        assert_eq!(format!("{secrets:?}"), "Secrets(..)");
    }

    #[test]
    fn a_key_in_a_long_console_is_found_wherever_it_is_cut() {
        let key = device_key_from_seed(1);
        let scalar = &key.expose_used()[7..39];
        for written in [key.expose_used()[..39].to_vec(), hex(&key.expose_used()[..39]).into_bytes()] {
            for before in PIECE - written.len()..=PIECE {
                let text = [vec![b'.'; before], written.clone(), vec![b'.'; 9]].concat();
                assert!(!leaks(&Secrets::default().masked(&text)[PIECE - 200..], scalar), "{before} bytes before it");
            }
        }
    }

    /// What of the key is secret is masked, and what is public stays.
    fn rsa_is_masked(echo: &[u8], secrets: &Secrets, what: &str) {
        let secret = &RSA[RSA_SECRET..];
        let masked = secrets.masked(echo);
        assert!(!leaks(&masked, secret), "{what}: {}", display(&masked));
        let stars = masked.iter().filter(|byte| **byte == MASK).count();
        assert!(stars >= secret.len(), "{what}: {stars}");
        assert_eq!(masked.len(), echo.len(), "nothing is lost");
        assert!(masked.iter().zip(echo).take(40).all(|(masked, byte)| masked == byte), "{what}: its head is no secret");
    }

    #[test]
    fn an_rsa_key_that_nobody_knows_is_masked_in_every_way_of_writing_it() {
        let spaced: String = RSA.iter().map(|byte| format!("{byte:02x}:")).collect();
        let as_c: String = RSA.iter().map(|byte| format!("0x{byte:02X}, ")).collect();
        let wrapped = hex(RSA).as_bytes().chunks(32).map(String::from_utf8_lossy).collect::<Vec<_>>().join("\r\n");
        let in_pkcs8 = [&[0x30, 0x82, 0x02, 0x7B, 0x02, 0x01, 0x00][..], RSA].concat();
        for (what, echo) in [
            ("raw", RSA.to_vec()),
            ("hexadecimal", hex(RSA).into_bytes()),
            ("with colons", spaced.into_bytes()),
            ("for C", as_c.into_bytes()),
            ("in lines", wrapped.into_bytes()),
            ("displayed", display(RSA).into_bytes()),
            ("PKCS#8", in_pkcs8),
        ] {
            let echo = [b"private key of this device, as it is in flash: ".as_slice(), &echo].concat();
            assert!(leaks(&echo, &RSA[RSA_SECRET..]) || what != "raw", "the test would see it");
            rsa_is_masked(&echo, &Secrets::default(), what);
        }
        let public = include_bytes!("../../../fixtures/keys/server.rsa2048.spki.der");
        for text in [hex(public), base64(public)] {
            assert_eq!(Secrets::default().masked_text(&text), text, "a public key is no secret");
        }
    }

    #[test]
    fn of_an_rsa_key_in_base64_every_character_behind_the_public_half_is_masked() {
        for before in ["", "k", "ke", "key"] {
            let text = base64(&[before.as_bytes(), RSA].concat());
            let first_secret = (before.len() + RSA_SECRET) * 4 / 3;
            let masked = Secrets::default().masked_text(&text);
            assert_eq!(masked[..first_secret], text[..first_secret]);
            assert!(masked[first_secret..].trim_end_matches('=').bytes().all(|byte| byte == MASK), "{masked}");
        }
    }

    #[test]
    fn lines_of_a_key_without_its_beginning_are_masked_once_all_of_it_was_heard_or_as_it_is_heard() {
        let lines = pem(RSA);
        let first_secret = 1 + RSA_SECRET * 4 / 3 / 64;
        let learned = Secrets::default().and_those_in(lines.join("\r\n").as_bytes());
        let mut listener = Listener::new(Secrets::default());
        for (number, line) in lines.iter().enumerate().take(lines.len() - 1) {
            let heard = String::from_utf8(listener.masked(line.as_bytes())).unwrap();
            let is_secret = number >= first_secret;
            for masked in [learned.masked_text(line), heard] {
                assert_eq!(
                    masked.trim_end_matches('=').bytes().all(|byte| byte == MASK),
                    is_secret,
                    "{number}: {masked}"
                );
                assert!(number >= first_secret || masked == *line, "{number}: {masked}");
            }
        }
        assert_eq!(
            Secrets::default().masked_text(&lines[first_secret + 1]),
            lines[first_secret + 1],
            "it is not known"
        );
    }

    #[test]
    fn other_curves_are_masked_too() {
        let scalar: Vec<u8> = (1..=66).map(|n| n * 3).collect();
        for (head, length) in [
            (&[0x30, 0x6B, 0x02, 0x01, 0x01, 0x04, 0x20][..], 32),
            (&[0x30, 0x81, 0xA4, 0x02, 0x01, 0x01, 0x04, 0x30], 48),
            (&[0x30, 0x81, 0xDC, 0x02, 0x01, 0x01, 0x04, 0x42], 66),
            (&[0x30, 0x2E, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20], 32),
        ] {
            let echo = hex(&[head, &scalar[..length]].concat());
            assert_eq!(Secrets::default().masked_text(&echo), format!("{}{}", hex(head), "*".repeat(2 * length)));
        }
    }

    proptest! {
        #[test]
        fn what_holds_no_key_is_left_alone(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let secrets = Secrets::new([&device_key_from_seed(1)]);
            prop_assert!(*secrets.masked(&bytes) == *bytes);
        }

        #[test]
        fn wherever_it_stands_a_key_is_masked(before in "[ -~]{0,40}", after in "[ -~]{0,40}", seed in any::<u64>()) {
            let key = device_key_from_seed(seed);
            let scalar = &key.expose_used()[7..39];
            let text = format!("{before}{}{after}", hex(scalar));
            prop_assert!(!leaks(Secrets::new([&key]).masked_text(&text).as_bytes(), scalar));
        }
    }
}
