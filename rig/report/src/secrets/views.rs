//! The ways in which bytes are written in a text: as they are, as escapes, as hexadecimal or decimal numbers, in base64, and in the lines of a
//! dump ([`dump`]).
//!
//! Boundary: what a text would mean if it were written in such a way, with the places of the characters that each byte takes. Whether it is, is not
//! decided here.

mod dump;

use std::borrow::Cow;
use std::ops::Range;

/// Shorter runs give nothing away.
const SHORTEST: usize = 8;

/// The places of the characters that a byte is written with; one may be named twice.
type Places = [u32; 4];

/// What a text may mean.
pub(super) struct View<'t> {
    /// The bytes that it would be.
    pub(super) bytes: Cow<'t, [u8]>,
    /// Where each of them is written; empty, if each is where it is.
    places: Vec<Places>,
    /// Whether what stands between two of them tells how long they are written.
    gaps_tell: bool,
}

impl View<'_> {
    /// Whether each byte is itself.
    pub(super) fn is_raw(&self) -> bool {
        self.places.is_empty()
    }

    /// The places at which these bytes are written.
    pub(super) fn places(&self, bytes: Range<usize>) -> impl Iterator<Item = usize> {
        let (as_they_are, written) = match self.places.as_slice() {
            [] => (bytes, &[][..]),
            places => (0..0, &places[bytes]),
        };
        let between = written.windows(2).filter(|_| self.gaps_tell).flat_map(|two| two[0][0]..two[1][0]);
        as_they_are.chain(written.iter().flatten().copied().chain(between).map(|place| place as usize))
    }
}

/// Has everything looked at that `text` may mean.
pub(super) fn each(text: &[u8], mut look: impl FnMut(&View<'_>)) {
    look(&View { bytes: Cow::Borrowed(text), places: Vec::new(), gaps_tell: false });
    let mut written = |written: Written, gaps_tell| {
        let (bytes, places) = written;
        if bytes.len() >= SHORTEST {
            look(&View { bytes: Cow::Owned(bytes), places, gaps_tell });
        }
    };
    if text.contains(&b'\\') {
        written(escaped(text), false);
    }
    for run in runs(text, digit, hexadecimal_gap, 2 * SHORTEST) {
        (0..2).for_each(|skipped| written(hexadecimal(&run[skipped.min(run.len())..]), false));
    }
    for run in runs(text, sextet, line_break, SHORTEST.div_ceil(3) * 4) {
        (0..4).for_each(|skipped| written(base64(&run[skipped.min(run.len())..]), false));
    }
    decimal(text).into_iter().for_each(|run| written(run, true));
    written(dump::lines(text), false);
}

/// Bytes, and where each of them is written.
type Written = (Vec<u8>, Vec<Places>);

/// Texts are looked through in pieces, so that every place in one is that small.
fn place(at: usize) -> u32 {
    at as u32
}

/// With `\x1b` for one byte, as bytes are displayed.
fn escaped(text: &[u8]) -> Written {
    let mut written = Written::default();
    let mut at = 0;
    while at < text.len() {
        let byte = match &text[at..] {
            [b'\\', b'x', high, low, ..] => digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        let length = if byte.is_some() { 4 } else { 1 };
        written.0.push(byte.unwrap_or(text[at]));
        written.1.push([0, 1, 2, 3].map(|character: usize| place(at + character.min(length - 1))));
        at += length;
    }
    written
}

/// Digits with their places.
type Run = Vec<(u8, u32)>;

/// Every run of at least `shortest` digits, with nothing between them but gaps.
fn runs(text: &[u8], value: impl Fn(u8) -> Option<u8>, gap: impl Fn(&[u8]) -> usize, shortest: usize) -> Vec<Run> {
    let (mut runs, mut run, mut at) = (Vec::new(), Run::new(), 0);
    let mut end = |run: &mut Run| {
        if run.len() >= shortest {
            runs.push(std::mem::take(run));
        }
        run.clear();
    };
    while at < text.len() {
        let length = gap(&text[at..]);
        if length > 0 {
            at += length;
            continue;
        }
        match value(text[at]) {
            Some(value) => run.push((value, place(at))),
            None => end(&mut run),
        }
        at += 1;
    }
    end(&mut run);
    runs
}

/// What is put between bytes, `0x` before each among it.
fn hexadecimal_gap(text: &[u8]) -> usize {
    match text {
        [b'0', b'x' | b'X', ..] => 2,
        [b' ' | b':' | b',' | b'\t', ..] => 1,
        _ => line_break(text),
    }
}

/// PEM has lines of 64 characters.
fn line_break(text: &[u8]) -> usize {
    usize::from(matches!(text, [b'\r' | b'\n', ..]))
}

/// Two digits a byte.
fn hexadecimal(run: &[(u8, u32)]) -> Written {
    let byte = |[(high, first), (low, second)]: &[(u8, u32); 2]| (high << 4 | low, [*first, *second, *second, *second]);
    run.as_chunks().0.iter().map(byte).unzip()
}

/// Four characters for three bytes; of the last ones, as many bytes as they make.
fn base64(run: &[(u8, u32)]) -> Written {
    let mut written = Written::default();
    for group in run.chunks(4) {
        for pair in group.windows(2).enumerate() {
            let (number, [(before, first), (behind, second)]) = pair else { continue };
            let shift = 2 * (number as u32 + 1);
            let byte = u16::from(*before) << shift | u16::from(*behind) >> (6 - shift);
            written.0.push(byte as u8);
            written.1.push([*first, *second, *second, *second]);
        }
    }
    written
}

/// Runs of numbers from -128 to 255 with nothing between them but blanks and commas, as arrays are printed: each a byte.
fn decimal(text: &[u8]) -> Vec<Written> {
    let (mut runs, mut run, mut at) = (Vec::new(), Written::default(), 0);
    let mut end = |run: &mut Written| {
        if run.0.len() >= SHORTEST {
            runs.push(std::mem::take(run));
        }
        run.0.clear();
        run.1.clear();
    };
    while at < text.len() {
        match number(&text[at..]) {
            Some((byte, length)) => {
                run.0.push(byte);
                run.1.push([0, 1, 2, 3].map(|character: usize| place(at + character.min(length - 1))));
                at += length;
            }
            None => {
                if !matches!(text[at], b' ' | b',' | b';' | b'\t' | b'\r' | b'\n') {
                    end(&mut run);
                }
                at += 1;
            }
        }
    }
    end(&mut run);
    runs
}

/// The byte that `text` begins with as a number, and with how many characters.
fn number(text: &[u8]) -> Option<(u8, usize)> {
    let sign = usize::from(text.first() == Some(&b'-'));
    let digits = text[sign..].iter().take(4).take_while(|c| c.is_ascii_digit()).count();
    if !(1..=3).contains(&digits) {
        return None;
    }
    let length = sign + digits;
    let value = text[sign..length].iter().fold(0_i16, |value, c| 10 * value + i16::from(c - b'0'));
    let value = if sign == 1 { -value } else { value };
    // A negative one is what a signed character is printed as.
    u8::try_from(value).ok().or_else(|| i8::try_from(value).ok().map(|it| it as u8)).map(|byte| (byte, length))
}

fn digit(c: u8) -> Option<u8> {
    match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        b'A'..=b'F' => Some(c - b'A' + 10),
        _ => None,
    }
}

/// Of both alphabets of RFC 4648.
fn sextet(c: u8) -> Option<u8> {
    match c {
        b'A'..=b'Z' => Some(c - b'A'),
        b'a'..=b'z' => Some(c - b'a' + 26),
        b'0'..=b'9' => Some(c - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}
