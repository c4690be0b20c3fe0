//! Private keys in what is kept and printed: masked, wherever they turn up.
//!
//! Boundary: bytes in, bytes out. A firmware may echo what it was sent, or print its own flash: the console is not ours, so its content is
//! looked through before anybody reads it. Found are the keys that the rig knows, in part or whole, and anything that begins as a private
//! key does; as bytes, as hexadecimal digits, and as the escapes with which bytes are displayed. What was found keeps its length.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use brickproof_keys::SlotContent;

/// How a P-256 key in SEC1 DER begins (RFC 5915): a sequence, version 1, an octet string of 32 bytes. The scalar follows.
const HEADER: [u8; 7] = [0x30, 0x77, 0x02, 0x01, 0x01, 0x04, 0x20];
/// The length of the scalar, the only part of the key that is secret.
const SCALAR: usize = 32;
/// So many bytes of a known scalar in a row are no coincidence (1 in 2^64), and fewer give nothing away.
const WINDOW: usize = 8;
const MASK: u8 = b'*';
/// So much is looked through at a time: the console of a long trial must not be held several times over.
const PIECE: usize = 64 * 1024;
/// The longest way in which a key can be written, four characters a byte. Pieces overlap by it.
const OVERLAP: usize = 4 * (HEADER.len() + SCALAR);

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

/// Bytes as they are written in one of several ways: each with the place at which it is written.
type View = Vec<(u8, Range<usize>)>;

impl Secrets {
    /// Besides what begins like a private key, these keys are looked for.
    pub fn new<'k>(keys: impl IntoIterator<Item = &'k SlotContent>) -> Self {
        let mut windows = BTreeSet::new();
        for key in keys {
            let bytes = key.expose_used();
            let scalar = bytes.strip_prefix(&HEADER).map_or(bytes, |rest| &rest[..SCALAR.min(rest.len())]);
            windows.extend(scalar.windows(WINDOW).filter_map(|window| <[u8; WINDOW]>::try_from(window).ok()));
        }
        Self { windows: Arc::new(windows) }
    }

    /// `bytes` with every byte of a private key masked.
    pub fn masked<'b>(&self, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        let mut masked = Cow::Borrowed(bytes);
        for start in (0..bytes.len()).step_by(PIECE) {
            let piece = start..(start + PIECE + OVERLAP).min(bytes.len());
            for place in self.found_in(&bytes[piece]) {
                masked.to_mut()[start + place.start..start + place.end].fill(MASK);
            }
        }
        masked
    }

    fn found_in(&self, piece: &[u8]) -> Vec<Range<usize>> {
        let mut found = self.found(&raw(piece));
        found.extend(self.found(&escaped(piece)));
        found.extend(hexadecimal(piece).iter().flat_map(|view| self.found(view)));
        found
    }

    /// `text` with every byte of a private key masked.
    pub fn masked_text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.masked(text.as_bytes())).into_owned()
    }

    /// Where in the text of `view` secret bytes are written.
    fn found(&self, view: &View) -> Vec<Range<usize>> {
        let bytes: Vec<u8> = view.iter().map(|(byte, _)| *byte).collect();
        let known = bytes.windows(WINDOW).enumerate().filter(|(_, window)| self.knows(window));
        let known = known.map(|(at, _)| at..at + WINDOW);
        let headed = bytes.windows(HEADER.len()).enumerate().filter(|(_, window)| *window == HEADER);
        let headed = headed.map(|(at, _)| at + HEADER.len()..(at + HEADER.len() + SCALAR).min(bytes.len()));
        known.chain(headed).flatten().map(|at| view[at].1.clone()).collect()
    }

    fn knows(&self, window: &[u8]) -> bool {
        <&[u8; WINDOW]>::try_from(window).is_ok_and(|window| self.windows.contains(window))
    }
}

fn raw(bytes: &[u8]) -> View {
    bytes.iter().enumerate().map(|(at, byte)| (*byte, at..at + 1)).collect()
}

/// With `\x1b` for one byte, as bytes are displayed.
fn escaped(bytes: &[u8]) -> View {
    let mut view = View::new();
    let mut at = 0;
    while at < bytes.len() {
        let byte = match &bytes[at..] {
            [b'\\', b'x', high, low, ..] => digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        let length = if byte.is_some() { 4 } else { 1 };
        view.push((byte.unwrap_or(bytes[at]), at..at + length));
        at += length;
    }
    view
}

/// Every run of digits that is long enough to give something away, read from its first and from its second digit on.
fn hexadecimal(bytes: &[u8]) -> Vec<View> {
    let mut views = Vec::new();
    let mut start = 0;
    for run in bytes.split(|byte| digit(*byte).is_none()) {
        if run.len() >= 2 * WINDOW {
            views.extend([0, 1].map(|skipped| pairs(&run[skipped..], start + skipped)));
        }
        start += run.len() + 1;
    }
    views
}

/// Two digits a byte; `start` is where the first one stands.
fn pairs(digits: &[u8], start: usize) -> View {
    let value = |digit_of: u8| digit(digit_of).unwrap_or(0);
    let byte = |(number, pair): (usize, &[u8])| {
        let at = start + 2 * number;
        (value(pair[0]) << 4 | value(pair[1]), at..at + 2)
    };
    digits.chunks_exact(2).enumerate().map(byte).collect()
}

fn digit(c: u8) -> Option<u8> {
    char::from(c).to_digit(16).and_then(|value| u8::try_from(value).ok())
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
