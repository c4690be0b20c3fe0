//! Bytes to lines: CR, LF and CRLF end one; nothing else does, and nothing is dropped.
//!
//! Boundary: a line keeps its bytes as they arrived. Making them readable happens in [`display`], at the edge.

use std::fmt;
use std::sync::Arc;

use brickproof_units::{Instant, push_inert};

/// What ended a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LineEnd {
    /// `\n`.
    Lf,
    /// `\r` that no `\n` follows: a progress display, an old terminal.
    Cr,
    /// `\r\n`.
    CrLf,
    /// Nothing: the line reached the limit of [`Lines::with_limit`] and goes on in the next one.
    Split,
    /// Nothing: the console was closed.
    Closed,
}

impl LineEnd {
    /// The bytes that ended the line.
    pub const fn bytes(self) -> &'static [u8] {
        match self {
            Self::Lf => b"\n",
            Self::Cr => b"\r",
            Self::CrLf => b"\r\n",
            Self::Split | Self::Closed => b"",
        }
    }
}

/// A line that is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Counted from 1, as editors do.
    pub number: u64,
    /// Offset in the stream of its first byte.
    pub offset: u64,
    /// Arrival of its first byte; of what ended it, if it is empty.
    pub began: Instant,
    /// Arrival of the last byte of what ended it.
    pub completed: Instant,
    /// The line without what ended it, exactly as it arrived.
    pub bytes: Arc<[u8]>,
    /// What ended it.
    pub end: LineEnd,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&display(&self.bytes))
    }
}

/// A line that has begun and not ended: a prompt, perhaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partial<'a> {
    /// Offset in the stream of its first byte.
    pub offset: u64,
    /// Arrival of its first byte.
    pub began: Instant,
    /// What there is of it. A `\r` of which it is not yet known whether `\n` follows is not among it.
    pub bytes: &'a [u8],
}

/// Bytes as text for people: UTF-8 stays, but broken UTF-8 and what steers or deceives a reader (control characters, turns of the direction
/// of reading) become `\xff`, `\x1b`, byte by byte; a tab stays a tab.
///
/// For display only: the escapes are not unambiguous, a backslash stays a backslash.
pub fn display(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\t' => text.push('\t'),
                c => push_inert(&mut text, c),
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// Cuts a stream of stamped bytes into lines. The lines depend on the bytes alone, not on how the reads cut them.
#[derive(Clone, Debug)]
pub struct Lines {
    limit: usize,
    next_number: u64,
    offset: u64,
    current: Vec<u8>,
    current_offset: u64,
    began: Option<Instant>,
    pending_cr: Option<Instant>,
}

impl Default for Lines {
    fn default() -> Self {
        Self::with_limit(Self::DEFAULT_LIMIT)
    }
}

impl Lines {
    /// Longer lines are split: a board that spews garbage at the wrong rate may never send a line end.
    pub const DEFAULT_LIMIT: usize = 64 * 1024;

    /// Lines of at most [`Self::DEFAULT_LIMIT`] bytes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lines of at most `limit` bytes (at least one), what ends them not counted.
    pub fn with_limit(limit: usize) -> Self {
        Self {
            limit: limit.max(1),
            next_number: 1,
            offset: 0,
            current: Vec::new(),
            current_offset: 0,
            began: None,
            pending_cr: None,
        }
    }

    /// Takes bytes that arrived together at `at`; gives the lines they completed.
    ///
    /// A line that ends with `\r` is given with the byte that follows, since that may be `\n`; its stamp is still that of the `\r`.
    pub fn push(&mut self, at: Instant, bytes: &[u8]) -> Vec<Line> {
        let mut done = Vec::new();
        let mut rest = bytes;
        while let Some(&first) = rest.first() {
            if self.settle_cr(at, first, &mut done) {
                rest = &rest[1..];
                continue;
            }
            let text = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(rest.len());
            self.take_text(at, &rest[..text], &mut done);
            rest = &rest[text..];
            if let Some((end, after)) = rest.split_first() {
                self.take_line_end(at, *end, &mut done);
                rest = after;
            }
        }
        done
    }

    /// The line that has begun and not ended, if any byte of it is there.
    pub fn partial(&self) -> Option<Partial<'_>> {
        let began = self.began?;
        (!self.current.is_empty()).then_some(Partial { offset: self.current_offset, began, bytes: &self.current })
    }

    /// Ends the stream: gives what was still open, and begins anew after it.
    pub fn close(&mut self, at: Instant) -> Option<Line> {
        match self.pending_cr.take() {
            Some(cr) => Some(self.complete(cr, LineEnd::Cr)),
            None if self.current.is_empty() => None,
            None => Some(self.complete(at, LineEnd::Closed)),
        }
    }

    /// Decides what a `\r` that came before `next` was. True if `next` belongs to it.
    fn settle_cr(&mut self, at: Instant, next: u8, done: &mut Vec<Line>) -> bool {
        let Some(cr) = self.pending_cr.take() else { return false };
        if next == b'\n' {
            self.offset += 1;
            done.push(self.complete(at, LineEnd::CrLf));
            return true;
        }
        done.push(self.complete(cr, LineEnd::Cr));
        false
    }

    fn take_text(&mut self, at: Instant, mut text: &[u8], done: &mut Vec<Line>) {
        while !text.is_empty() {
            if self.current.len() == self.limit {
                done.push(self.complete(at, LineEnd::Split));
            }
            let (now, later) = text.split_at(text.len().min(self.limit - self.current.len()));
            self.began.get_or_insert(at);
            self.current.extend_from_slice(now);
            self.offset += now.len() as u64;
            text = later;
        }
    }

    fn take_line_end(&mut self, at: Instant, end: u8, done: &mut Vec<Line>) {
        self.began.get_or_insert(at);
        self.offset += 1;
        if end == b'\r' {
            self.pending_cr = Some(at);
        } else {
            done.push(self.complete(at, LineEnd::Lf));
        }
    }

    fn complete(&mut self, completed: Instant, end: LineEnd) -> Line {
        let line = Line {
            number: self.next_number,
            offset: self.current_offset,
            began: self.began.take().unwrap_or(completed),
            completed,
            bytes: self.current.as_slice().into(),
            end,
        };
        self.current.clear();
        self.next_number += 1;
        self.current_offset = self.offset;
        line
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    fn shown(lines: &[Line]) -> Vec<(String, LineEnd)> {
        lines.iter().map(|line| (line.to_string(), line.end)).collect()
    }

    #[test]
    fn each_line_end_ends_a_line_and_is_named() {
        let lines = Lines::new().push(at(0), b"lf\ncrlf\r\ncr\rempty:\n\n\r\nx");
        let named: Vec<_> = lines.iter().map(|line| (line.to_string(), line.end)).collect();
        let expected = [
            ("lf", LineEnd::Lf),
            ("crlf", LineEnd::CrLf),
            ("cr", LineEnd::Cr),
            ("empty:", LineEnd::Lf),
            ("", LineEnd::Lf),
            ("", LineEnd::CrLf),
        ];
        assert_eq!(named, expected.map(|(text, end)| (text.to_owned(), end)));
        assert_eq!(lines.iter().map(|line| line.number).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
        assert_eq!(lines.iter().map(|line| line.offset).collect::<Vec<_>>(), [0, 3, 9, 12, 19, 20]);
    }

    #[test]
    fn stamps_are_those_of_the_first_byte_and_of_the_line_end() {
        let mut lines = Lines::new();
        assert!(lines.push(at(1), b"o").is_empty());
        assert!(lines.push(at(2), b"k\r").is_empty());
        let done = lines.push(at(3), b"\n");
        assert_eq!((done[0].began, done[0].completed), (at(1), at(3)));
        lines.push(at(4), b"a\r");
        let done = lines.push(at(9), b"b");
        assert_eq!((done[0].end, done[0].completed), (LineEnd::Cr, at(4)), "a bare CR was complete when it came");
        assert_eq!(lines.partial().map(|partial| partial.began), Some(at(9)));
    }

    #[test]
    fn a_prompt_is_visible_before_its_line_ends() {
        let mut lines = Lines::new();
        lines.push(at(5), b"booted\r\n> ");
        let prompt = lines.partial().unwrap();
        assert_eq!((prompt.bytes, prompt.began, prompt.offset), (&b"> "[..], at(5), 8));
        assert_eq!(shown(&lines.close(at(6)).into_iter().collect::<Vec<_>>()), [("> ".to_owned(), LineEnd::Closed)]);
        assert_eq!(lines.partial(), None);
    }

    #[test]
    fn a_line_of_exactly_the_limit_is_not_split() {
        let mut lines = Lines::with_limit(4);
        assert_eq!(shown(&lines.push(at(0), b"abcd\r\n")), [("abcd".to_owned(), LineEnd::CrLf)]);
        assert_eq!(
            shown(&lines.push(at(0), b"abcde\n")),
            [("abcd".to_owned(), LineEnd::Split), ("e".to_owned(), LineEnd::Lf)]
        );
    }

    #[test]
    fn garbage_is_readable() {
        assert_eq!(display(b"a\x1b[31m\xff\xfe\tgr\xc3\xbcn\x00"), "a\\x1b[31m\\xff\\xfe\tgrün\\x00");
    }

    fn console_bytes() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![4 => Just(b'a'), 2 => Just(b'\r'), 2 => Just(b'\n'), 1 => any::<u8>()];
        prop::collection::vec(byte, 0..200)
    }

    fn cut(bytes: &[u8], cuts: &[usize], limit: usize) -> (Vec<Line>, Option<Line>) {
        let mut lines = Lines::with_limit(limit);
        let mut done = Vec::new();
        let mut start = 0;
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
        ends.sort_unstable();
        ends.push(bytes.len());
        for end in ends {
            done.extend(lines.push(at(0), &bytes[start..end]));
            start = end;
        }
        let last = lines.close(at(0));
        (done, last)
    }

    proptest! {
        #[test]
        fn any_cut_of_the_bytes_gives_the_same_lines(bytes in console_bytes(), cuts in prop::collection::vec(any::<usize>(), 0..20), limit in 1usize..20) {
            prop_assert_eq!(cut(&bytes, &cuts, limit), cut(&bytes, &[], limit));
        }

        #[test]
        fn lines_and_their_ends_put_together_are_the_bytes(bytes in console_bytes(), limit in 1usize..20) {
            let (done, last) = cut(&bytes, &[], limit);
            let mut joined = Vec::new();
            for line in done.iter().chain(&last) {
                prop_assert_eq!(line.offset, joined.len() as u64);
                prop_assert!(line.bytes.len() <= limit);
                joined.extend_from_slice(&line.bytes);
                joined.extend_from_slice(line.end.bytes());
            }
            prop_assert_eq!(joined, bytes);
        }
    }
}
