//! The ways in which bytes are written in a text: as they are, as escapes, as hexadecimal digits, in base64.
//!
//! Boundary: what a text would mean if it were written in such a way, with the places of the characters that each byte takes. Whether it is, is not
//! decided here.

/// Shorter runs give nothing away.
const SHORTEST: usize = 8;

/// Bytes, each with the places of the characters that it is written with; a place may be named twice.
pub(super) type View = Vec<(u8, [usize; 4])>;

/// Everything that `bytes` may mean.
pub(super) fn views(bytes: &[u8]) -> Vec<View> {
    let mut views = vec![raw(bytes), escaped(bytes)];
    for run in runs(bytes, digit, hexadecimal_gap, 2 * SHORTEST) {
        views.extend((0..2).map(|skipped| hexadecimal(&run[skipped.min(run.len())..])));
    }
    for run in runs(bytes, sextet, line_break, SHORTEST.div_ceil(3) * 4) {
        views.extend((0..4).map(|skipped| base64(&run[skipped.min(run.len())..])));
    }
    views
}

fn raw(bytes: &[u8]) -> View {
    bytes.iter().enumerate().map(|(at, byte)| (*byte, [at; 4])).collect()
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
        match byte {
            Some(byte) => view.push((byte, [at, at + 1, at + 2, at + 3])),
            None => view.push((bytes[at], [at; 4])),
        }
        at += if byte.is_some() { 4 } else { 1 };
    }
    view
}

/// Digits with their places.
type Run = Vec<(u8, usize)>;

/// Every run of at least `shortest` digits, with nothing between them but gaps.
fn runs(bytes: &[u8], value: impl Fn(u8) -> Option<u8>, gap: impl Fn(&[u8]) -> usize, shortest: usize) -> Vec<Run> {
    let (mut runs, mut run, mut at) = (Vec::new(), Run::new(), 0);
    while at < bytes.len() {
        let length = gap(&bytes[at..]);
        if length > 0 {
            at += length;
            continue;
        }
        match value(bytes[at]) {
            Some(value) => run.push((value, at)),
            None => runs.push(std::mem::take(&mut run)),
        }
        at += 1;
    }
    runs.push(run);
    runs.retain(|run| run.len() >= shortest);
    runs
}

/// What dumps put between bytes, `0x` before each among it.
fn hexadecimal_gap(bytes: &[u8]) -> usize {
    match bytes {
        [b'0', b'x' | b'X', ..] => 2,
        [b' ' | b':' | b',' | b'\t', ..] => 1,
        _ => line_break(bytes),
    }
}

/// PEM has lines of 64 characters.
fn line_break(bytes: &[u8]) -> usize {
    usize::from(matches!(bytes, [b'\r' | b'\n', ..]))
}

/// Two digits a byte.
fn hexadecimal(run: &[(u8, usize)]) -> View {
    let byte =
        |[(high, first), (low, second)]: &[(u8, usize); 2]| (high << 4 | low, [*first, *second, *second, *second]);
    run.as_chunks().0.iter().map(byte).collect()
}

/// Four characters for three bytes; of the last ones, as many bytes as they make.
fn base64(run: &[(u8, usize)]) -> View {
    let mut view = View::new();
    for group in run.chunks(4) {
        for pair in group.windows(2).enumerate() {
            let (number, [(before, first), (behind, second)]) = pair else { continue };
            let shift = 2 * (number as u32 + 1);
            let byte = u16::from(*before) << shift | u16::from(*behind) >> (6 - shift);
            view.push((byte as u8, [*first, *second, *second, *second]));
        }
    }
    view
}

fn digit(c: u8) -> Option<u8> {
    char::from(c).to_digit(16).and_then(|value| u8::try_from(value).ok())
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
