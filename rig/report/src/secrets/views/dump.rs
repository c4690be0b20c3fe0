//! Dumps of memory, as `hexdump -C`, `xxd` and their relatives print them: an offset, the bytes, and perhaps what they are as characters. Something
//! may stand before the offset, such as the beginning of a line of a log.
//!
//! Boundary: lines, each by itself; the bytes of one follow those of the one before it, whatever was said in between.

use super::{Places, Written, digit, place};

/// So many are in a line that has gaps among them, which look like the one behind them.
const WIDEST: usize = 16;
/// What stands behind so many of a line is no part of a dump.
const MOST: usize = 64;
/// The shortest offset, unless a colon follows it.
const SHORTEST_OFFSET: usize = 4;

/// The bytes of every line that is one of a dump.
pub(super) fn lines(text: &[u8]) -> Written {
    let mut written = Written::default();
    let mut begin = 0;
    for line in text.split(|byte| matches!(byte, b'\n' | b'\r')) {
        // A number before the offset looks like one, and has fewer behind it.
        if let Some(bytes) = (0..line.len()).filter_map(|at| behind_offset(line, at)).max_by_key(Vec::len) {
            let moved = |places: Places| places.map(|at| at + place(begin));
            written.0.extend(bytes.iter().map(|(byte, _)| *byte));
            written.1.extend(bytes.iter().map(|(_, places)| moved(*places)));
        }
        begin += line.len() + 1;
    }
    written
}

/// Bytes with their places in the line.
type Bytes = Vec<(u8, Places)>;

/// The bytes of a line that has its offset at `at`.
fn behind_offset(line: &[u8], at: usize) -> Option<Bytes> {
    let begins = at == 0 || !line[at - 1].is_ascii_hexdigit();
    if !begins {
        return None;
    }
    let length = digits(&line[at..]);
    let colon = usize::from(line.get(at + length) == Some(&b':'));
    let is_offset = length >= SHORTEST_OFFSET || length > 0 && colon == 1;
    let behind = at + length + colon;
    let blanks = blanks(&line[behind..]);
    if is_offset && blanks > 0 { bytes(line, behind + blanks) } else { None }
}

/// Groups of one length from `at` on, of which the last may be shorter, and the characters that stand for them.
fn bytes(line: &[u8], mut at: usize) -> Option<Bytes> {
    let group = digits(&line[at..]);
    let mut bytes = Bytes::new();
    loop {
        let length = digits(&line[at..]);
        if length == 0
            || length > group
            || !length.is_multiple_of(2)
            || line.get(at + length).is_some_and(u8::is_ascii_alphanumeric)
        {
            break;
        }
        for first in (at..at + length).step_by(2) {
            let byte = digit(line[first])? << 4 | digit(line[first + 1])?;
            bytes.push((byte, [place(first), place(first + 1), place(first + 1), place(first + 1)]));
        }
        at += length;
        let gap = blanks(&line[at..]);
        let in_the_middle = group == 2 && gap <= 3 && bytes.len().is_multiple_of(4) && bytes.len() < WIDEST;
        if gap == 0 || gap > 1 && !in_the_middle || length < group || bytes.len() >= MOST {
            break;
        }
        at += gap;
    }
    // Of another line, such as one of a log, this is no dump.
    let is_one = !bytes.is_empty() && (at >= line.len() || !line[at].is_ascii_hexdigit());
    is_one.then(|| with_characters(line, at, bytes))
}

/// The same with the places of the characters behind them, if there are as many: between bars, or up to the end of the line.
fn with_characters(line: &[u8], at: usize, mut bytes: Bytes) -> Bytes {
    let behind = at + blanks(&line[at..]);
    let begin = match line.get(behind) {
        Some(b'|') if line.get(behind + 1 + bytes.len()) == Some(&b'|') => Some(behind + 1),
        // The first of them may be blanks.
        _ => line.len().checked_sub(bytes.len()).filter(|begin| (at + 1..=behind).contains(begin)),
    };
    if let Some(begin) = begin {
        bytes.iter_mut().zip(begin..).for_each(|((_, places), at)| places[2..].fill(place(at)));
    }
    bytes
}

fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|c| c.is_ascii_hexdigit()).count()
}

fn blanks(text: &[u8]) -> usize {
    text.iter().take_while(|c| matches!(c, b' ' | b'\t')).count()
}
