//! Every byte that arrived, in order, with the instant at which it did.
//!
//! Boundary: storage only. Lines, matches and files are made from it elsewhere.

use std::sync::Arc;

use brickproof_units::Instant;

/// Segments are sealed at this size, or when asked for. A clone shares the sealed ones, so forking a trial copies at most this much.
const SEGMENT: usize = 16 * 1024;

/// The raw console: all bytes, and for each the instant at which it arrived.
#[derive(Clone, Debug, Default)]
pub struct Transcript {
    sealed: Vec<Arc<Segment>>,
    open: Segment,
}

#[derive(Clone, Debug, Default)]
struct Segment {
    /// Offset in the transcript of the first byte of the segment.
    start: u64,
    bytes: Vec<u8>,
    /// Bytes that arrived together: the stamp, and where in `bytes` they end.
    runs: Vec<(Instant, usize)>,
}

impl Segment {
    fn push(&mut self, at: Instant, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        let end = self.bytes.len();
        match self.runs.last_mut() {
            Some((stamp, run_end)) if *stamp == at => *run_end = end,
            _ => self.runs.push((at, end)),
        }
    }

    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    fn arrival(&self, offset: u64) -> Option<Instant> {
        let within = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        let run = self.runs.partition_point(|(_, end)| *end <= within);
        self.runs.get(run).map(|(stamp, _)| *stamp)
    }
}

impl Transcript {
    /// An empty transcript.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends bytes that arrived together at `at`.
    pub fn push(&mut self, at: Instant, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = SEGMENT - self.open.bytes.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.open.push(at, now);
            if self.open.bytes.len() == SEGMENT {
                self.freeze();
            }
            bytes = later;
        }
    }

    /// Makes what has arrived so far a part that every later clone shares.
    pub fn freeze(&mut self) {
        if !self.open.bytes.is_empty() {
            let next = Segment { start: self.open.end(), ..Segment::default() };
            self.sealed.push(Arc::new(std::mem::replace(&mut self.open, next)));
        }
    }

    /// How many bytes have arrived.
    pub fn len(&self) -> u64 {
        self.open.end()
    }

    /// Whether nothing has arrived yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All bytes, as slices to be written one after the other.
    pub fn chunks(&self) -> impl Iterator<Item = &[u8]> {
        self.segments().map(|segment| segment.bytes.as_slice())
    }

    /// The bytes in runs that arrived together, each with its stamp. A run that crosses a segment comes in two pieces.
    pub fn stamped(&self) -> impl Iterator<Item = (Instant, &[u8])> {
        self.segments().flat_map(|segment| {
            let starts = std::iter::once(0).chain(segment.runs.iter().map(|(_, end)| *end));
            starts.zip(&segment.runs).map(|(start, (stamp, end))| (*stamp, &segment.bytes[start..*end]))
        })
    }

    /// When the byte at `offset` arrived; `None` if it has not.
    pub fn arrival(&self, offset: u64) -> Option<Instant> {
        let index = self.sealed.partition_point(|segment| segment.end() <= offset);
        self.sealed.get(index).map_or(&self.open, Arc::as_ref).arrival(offset)
    }

    fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.sealed
            .iter()
            .map(Arc::as_ref)
            .chain(std::iter::once(&self.open))
            .filter(|segment| !segment.bytes.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    #[test]
    fn a_read_larger_than_a_segment_is_kept_whole_with_one_stamp() {
        let bytes: Vec<u8> = (0..40_000u32).map(|i| i as u8).collect();
        let mut transcript = Transcript::new();
        transcript.push(at(7), &bytes);
        assert_eq!(transcript.chunks().collect::<Vec<_>>().concat(), bytes);
        assert_eq!(transcript.len(), 40_000);
        assert_eq!(transcript.arrival(39_999), Some(at(7)));
        assert_eq!(transcript.arrival(40_000), None);
    }

    #[test]
    fn a_clone_goes_its_own_way() {
        let mut transcript = Transcript::new();
        transcript.push(at(1), &[b'a'; SEGMENT + 1]);
        let fork = transcript.clone();
        transcript.push(at(2), b"b");
        assert_eq!(fork.len() + 1, transcript.len());
        assert!(Arc::ptr_eq(&fork.sealed[0], &transcript.sealed[0]), "the sealed part is shared, not copied");
    }

    proptest! {
        #[test]
        fn every_byte_keeps_its_place_and_its_stamp(reads in prop::collection::vec((0u64..4, prop::collection::vec(any::<u8>(), 0..9_000)), 0..12)) {
            let mut transcript = Transcript::new();
            let mut expected = Vec::new();
            let mut now = 0;
            for (pause, bytes) in &reads {
                now += pause;
                transcript.push(at(now), bytes);
                expected.extend(bytes.iter().map(|byte| (at(now), *byte)));
            }
            let stamped: Vec<_> = transcript.stamped().flat_map(|(stamp, run)| run.iter().map(move |byte| (stamp, *byte))).collect();
            prop_assert_eq!(&stamped, &expected);
            for offset in (0..expected.len()).step_by(997) {
                prop_assert_eq!(transcript.arrival(offset as u64), Some(expected[offset].0));
            }
        }
    }
}
