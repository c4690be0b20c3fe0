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
use std::ops::Range;
use std::sync::Arc;

use brickproof_console::Line;
use brickproof_keys::SlotContent;

use self::parts::{begins_a_key, private_parts};
use self::views::View;

/// So many bytes of a known secret in a row are no coincidence (1 in 2^64), and fewer give nothing away.
const WINDOW: usize = 8;
const MASK: u8 = b'*';
/// So much is looked through at a time: the console of a long trial must not be held several times over.
const PIECE: usize = 128 * 1024;
/// The longest way in which a key can be written: an RSA key of 4096 bits has 2349 bytes and some, and is printed with up to ten characters for
/// each, a line for each byte. Pieces overlap by it.
const OVERLAP: usize = 10 * 2400;
/// The longest way in which the beginning of a key can be written, or a window.
const BEGINNING: usize = 512;

/// The private keys that must not be shown.
#[derive(Clone, Default)]
pub struct Secrets {
    windows: Arc<Windows>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(..)")
    }
}

/// Parts of secrets.
#[derive(Clone, Default)]
struct Windows {
    all: BTreeSet<[u8; WINDOW]>,
    /// A bit for each pair of bytes that one begins with: most do not have to be looked for further.
    begin: Vec<u64>,
}

impl Windows {
    fn of(all: BTreeSet<[u8; WINDOW]>) -> Self {
        let mut begin = vec![0; 1 << 10];
        for [first, second, ..] in &all {
            let pair = usize::from(u16::from_be_bytes([*first, *second]));
            begin[pair / 64] |= 1 << (pair % 64);
        }
        Self { all, begin }
    }

    fn has(&self, window: &[u8; WINDOW]) -> bool {
        let pair = usize::from(u16::from_be_bytes([window[0], window[1]]));
        self.begin.get(pair / 64).is_some_and(|bits| bits >> (pair % 64) & 1 == 1) && self.all.contains(window)
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
        Self { windows: Arc::new(Windows::of(windows)) }
    }

    /// These and the private keys that `bytes` show whole: where a line or two of them is shown without its beginning, it is known too.
    #[must_use]
    pub fn and_those_in(&self, bytes: &[u8]) -> Self {
        let mut found = BTreeSet::new();
        in_pieces(bytes, |_, view| {
            found.extend(private_parts(&view.bytes).into_iter().flat_map(|part| windows_of(&view.bytes[part])));
        });
        if found.is_subset(&self.windows.all) {
            return self.clone();
        }
        found.extend(&self.windows.all);
        Self { windows: Arc::new(Windows::of(found)) }
    }

    /// `bytes` with every byte of a private key masked.
    pub fn masked<'b>(&self, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        let mut masked = Cow::Borrowed(bytes);
        in_pieces(bytes, |start, view| {
            for part in self.found(view) {
                for place in view.places(part).map(|place| start + place) {
                    // A console keeps its lines.
                    if !matches!(bytes[place], b'\r' | b'\n') || view.is_raw() {
                        masked.to_mut()[place] = MASK;
                    }
                }
            }
        });
        masked
    }

    /// `text` with every byte of a private key masked.
    pub fn masked_text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.masked(text.as_bytes())).into_owned()
    }

    /// Where in `view` secret bytes are.
    fn found(&self, view: &View<'_>) -> Vec<Range<usize>> {
        let is_known = |at: &usize| view.bytes[*at..].first_chunk().is_some_and(|window| self.windows.has(window));
        let known = (0..view.bytes.len()).filter(is_known).map(|at| at..at + WINDOW);
        known.chain(private_parts(&view.bytes)).collect()
    }
}

/// Has everything looked at that a piece of `bytes` may mean, with where the piece begins.
fn in_pieces(bytes: &[u8], mut look: impl FnMut(usize, &View<'_>)) {
    for start in (0..bytes.len()).step_by(PIECE) {
        views::each(&bytes[start..(start + PIECE + OVERLAP).min(bytes.len())], |view| look(start, view));
    }
}

fn windows_of(bytes: &[u8]) -> impl Iterator<Item = [u8; WINDOW]> {
    bytes.windows(WINDOW).filter_map(|window| <[u8; WINDOW]>::try_from(window).ok())
}

/// A console that is heard line by line. A key may go over many of them, of which only the first begins as one does; and a line that was too
/// long to be kept may be cut anywhere.
#[derive(Clone, Debug)]
pub struct Listener {
    secrets: Secrets,
    /// What was heard last, as much as a key may take.
    heard: Vec<u8>,
    /// A key may have begun so little ago that it goes on.
    wary_for: usize,
}

impl Listener {
    /// Besides what begins like a private key, these are looked for.
    pub fn new(secrets: Secrets) -> Self {
        Self { secrets, heard: Vec::new(), wary_for: 0 }
    }

    /// The bytes of the next line with every one of a private key masked.
    pub fn masked(&mut self, line: &Line) -> Vec<u8> {
        let (before, end) = (self.heard.len(), line.end.bytes());
        let line = &*line.bytes;
        self.heard.extend(line);
        self.heard.extend(end);
        let recently = before.saturating_sub(BEGINNING);
        if begins_in(&self.heard[recently..]) {
            self.wary_for = OVERLAP + line.len();
        }
        let context = if self.wary_for > 0 { 0 } else { recently };
        if self.wary_for > 0 {
            self.secrets = self.secrets.and_those_in(&self.heard);
            self.wary_for = self.wary_for.saturating_sub(line.len() + end.len());
        }
        let masked = self.secrets.masked(&self.heard[context..])[before - context..][..line.len()].to_vec();
        self.heard.drain(..self.heard.len().saturating_sub(OVERLAP));
        masked
    }
}

/// Whether a private key may begin in `bytes`, however it is written.
fn begins_in(bytes: &[u8]) -> bool {
    let mut begins = false;
    in_pieces(bytes, |_, view| begins = begins || begins_a_key(&view.bytes));
    begins
}

#[cfg(test)]
mod tests {
    use brickproof_console::{LineEnd, Lines, display};
    use brickproof_keys::device_key_from_seed;
    use brickproof_units::Instant;
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
            let heard = String::from_utf8(listener.masked(&heard(line.as_bytes(), LineEnd::CrLf))).unwrap();
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

    /// A line as it comes from a console.
    fn heard(bytes: &[u8], end: LineEnd) -> Line {
        let at = Instant::START;
        Line { number: 1, offset: 0, began: at, completed: at, bytes: bytes.into(), end }
    }

    #[test]
    fn a_line_that_is_too_long_gives_nothing_away_wherever_it_is_cut() {
        const LIMIT: usize = 1000;
        let key = device_key_from_seed(3);
        let (der, scalar) = (key.expose_used(), &key.expose_used()[7..39]);
        for written in [der.to_vec(), hex(der).into_bytes(), base64(der).into_bytes(), display(der).into_bytes()] {
            for before in (LIMIT - written.len()..=LIMIT).chain([0]) {
                let text = [vec![b'.'; before], written.clone(), vec![b'.'; 3 * LIMIT]].concat();
                let (mut lines, mut listener) = (Lines::with_limit(LIMIT), Listener::new(Secrets::default()));
                let whole = lines.push(Instant::START, &text);
                // The key of seed 3 has an end of line among its bytes.
                let shown = whole.iter().flat_map(|line| [listener.masked(line), line.end.bytes().to_vec()]);
                let masked: Vec<u8> = shown.flatten().collect();
                assert!(whole.len() >= 3 && whole.iter().any(|line| line.end == LineEnd::Split), "it is cut");
                let wanted = Secrets::default().masked(&text)[..masked.len()].to_vec();
                assert!(!leaks(&masked, scalar), "{before} bytes before it: {}", display(&masked));
                // What came before the key could be told to begin has been shown, and gives nothing away.
                let shown = masked.iter().zip(&wanted).filter(|(masked, wanted)| masked != wanted).count();
                assert!(shown <= 4 * WINDOW, "{before} bytes before it: {shown} of them are shown");
            }
        }
    }

    /// Lines of sixteen bytes: an offset, the bytes in groups, what they are as characters.
    fn dumped(bytes: &[u8], line: impl Fn(usize, &[u8], &str) -> String) -> String {
        let printable = |byte: &u8| if (0x20..0x7F).contains(byte) { char::from(*byte) } else { '.' };
        let lines = bytes
            .chunks(16)
            .enumerate()
            .map(|(number, some)| line(16 * number, some, &some.iter().map(printable).collect::<String>()));
        lines.collect()
    }

    fn joined(bytes: &[u8], between: &str, written: impl Fn(&u8) -> String) -> String {
        bytes.iter().map(written).collect::<Vec<_>>().join(between)
    }

    /// As `hexdump -C` writes a line.
    fn hexdump(at: usize, some: &[u8], characters: &str) -> String {
        let two = |byte: &u8| format!("{byte:02x}");
        let halves: Vec<String> = some.chunks(8).map(|half| joined(half, " ", two)).collect();
        format!("{at:08x}  {:<48}  |{characters}|\r\n", halves.join("  "))
    }

    #[test]
    fn every_byte_of_a_key_in_a_dump_is_masked_as_a_number_and_as_a_character() {
        let two = |byte: &u8| format!("{byte:02x}");
        let xxd = |group: usize| {
            move |at: usize, some: &[u8], characters: &str| {
                let groups: Vec<String> = some.chunks(group).map(hex).collect();
                let width = 32 + 16 / group - 1;
                format!("{at:08x}: {:<width$}  {characters}\n", groups.join(" "))
            }
        };
        let key = device_key_from_seed(4);
        let [ec, rsa] = [(key.expose_used(), 7..39), (RSA, RSA_SECRET..RSA.len())];
        for (der, secret) in [ec, rsa] {
            for (what, text) in [
                ("hexdump -C", dumped(der, hexdump)),
                ("xxd", dumped(der, xxd(2))),
                ("xxd -g1", dumped(der, xxd(1))),
                ("xxd -g4", dumped(der, xxd(4))),
                (
                    "a log",
                    dumped(der, |at, some, characters| {
                        let time = 1_000 + at;
                        format!(
                            "{time:010} [app] INFO: {}0000002000 [system] INFO: tick\n",
                            hexdump(at, some, characters)
                        )
                    }),
                ),
                (
                    "esp-idf",
                    dumped(der, |at, some, characters| {
                        let halves: Vec<String> = some.chunks(8).map(|half| joined(half, " ", two)).collect();
                        let address = 0x3ffb_5a60 + at;
                        format!("I ({at}) key: {address:#x}   {:<48}  |{characters}|\n", halves.join("  "))
                    }),
                ),
                ("no characters", dumped(der, |at, some, _| format!("{at:04X}: {}\n", joined(some, " ", two)))),
            ] {
                let echo = format!("key\n{text}it ends\n");
                let masked = Secrets::default().masked_text(&echo);
                assert_eq!(masked.len(), echo.len(), "{what}: nothing is lost");
                assert!(masked.ends_with("it ends\n") && masked.lines().count() == echo.lines().count(), "{what}");
                let stars = masked.bytes().filter(|byte| *byte == MASK).count();
                let has_characters = what != "no characters";
                let wanted = secret.len() * if has_characters { 3 } else { 2 };
                let public = der[..secret.start].iter().chain(&der[secret.end..]).filter(|byte| **byte == MASK).count();
                // Offsets with a colon may be taken for bytes, too.
                let is_exact = stars == wanted + if has_characters { public } else { 0 };
                assert!(is_exact || !has_characters && stars > wanted, "{what}: {stars} of {wanted}\n{masked}");
            }
        }
    }

    #[test]
    fn a_key_in_decimal_numbers_is_masked_and_the_length_of_each_is_not_told() {
        let key = device_key_from_seed(5);
        let (der, scalar) = (key.expose_used(), &key.expose_used()[7..39]);
        let plain = |byte: &u8| byte.to_string();
        let twelve: Vec<String> = der.chunks(12).map(|some| joined(some, ", ", plain)).collect();
        for (what, text) in [
            ("Rust's debug", format!("key: {der:?}")),
            ("pretty", format!("{der:#?}").replace('\n', "\r\n")),
            ("an array of C", format!("static const uint8_t key[] = {{\n  {},\n}};", twelve.join(",\n  "))),
            ("blanks", joined(der, " ", |byte| format!("{byte:3}"))),
            ("no blanks", joined(der, ",", plain)),
            ("zeros", joined(der, ", ", |byte| format!("{byte:03}"))),
            ("signed", joined(der, ", ", |byte| (*byte as i8).to_string())),
        ] {
            let masked = Secrets::default().masked_text(&text);
            assert_eq!(masked.len(), text.len(), "{what}: nothing is lost");
            assert_eq!(masked.lines().count(), text.lines().count(), "{what}: its lines stay");
            let digits = |text: &str| text.bytes().filter(u8::is_ascii_digit).count();
            let number = |byte: &u8| if what == "signed" { (*byte as i8).to_string() } else { byte.to_string() };
            let secret = if what == "zeros" { 3 * scalar.len() } else { digits(&joined(scalar, "", number)) };
            assert_eq!(digits(&masked), digits(&text) - secret, "{what}:\n{masked}");
            if !["pretty", "an array of C"].contains(&what) {
                let stars = masked.split(|c| c != '*').filter(|run| !run.is_empty()).count();
                assert_eq!(stars, 1, "{what}: what stands between them is masked, too:\n{masked}");
            }
        }
        let sizes = "sizes: 48, 119, 2, 1, 1, 4, 32, 171 bytes";
        let text = format!("{sizes}, of 255 255 255 255 255 255 255 255 255");
        assert!(
            Secrets::default().masked_text(&text).starts_with("sizes: 48, 119, 2, 1, 1, 4, 32, "),
            "its head stays"
        );
        let counted: String = (0..40).map(|n| format!("{n}, ")).collect();
        assert_eq!(Secrets::default().masked_text(&counted), counted, "other numbers are no key");
    }

    #[test]
    fn a_part_of_a_known_key_is_masked_in_a_line_of_a_dump_and_in_numbers() {
        let key = device_key_from_seed(1);
        let secrets = Secrets::new([&key]);
        let part = &key.expose_used()[16..32];
        let line = hexdump(16, part, "................");
        let masked = secrets.masked_text(&line);
        assert_eq!(masked.bytes().filter(|byte| *byte == MASK).count(), 48, "{masked}");
        let numbers = format!("{part:?}");
        assert_eq!(secrets.masked_text(&numbers), format!("[{}]", "*".repeat(numbers.len() - 2)));
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
