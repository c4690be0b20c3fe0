//! The last bytes of the stream, for reading the groups of a match.
//!
//! Boundary: a window. The whole stream is kept by [`Transcript`](crate::Transcript).

/// How many bytes before the last read are kept, at least. Short enough that a clone of the matcher is cheap, long enough for many lines.
pub(super) const RETAINED: usize = 8 * 1024;

#[derive(Clone, Debug, Default)]
pub(super) struct Tail {
    start: u64,
    bytes: Vec<u8>,
}

impl Tail {
    /// Appends `bytes`; all of them are kept until the next call. Old ones are dropped only when there are twice as many as need be, so
    /// that each is moved once.
    #[inline]
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.bytes.len() > 2 * RETAINED {
            let surplus = self.bytes.len() - RETAINED;
            self.bytes.drain(..surplus);
            self.start += surplus as u64;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Offset in the stream of the first byte kept.
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn last(&self) -> Option<u8> {
        self.bytes.last().copied()
    }

    /// Where in [`Self::bytes`] the place `offset` of the stream is.
    pub(super) fn index(&self, offset: u64) -> Option<usize> {
        let index = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        (index <= self.bytes.len()).then_some(index)
    }
}
