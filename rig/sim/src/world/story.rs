//! What a board and its cloud do by themselves, put down so that it can be set beside what another board did.
//!
//! Boundary: nobody touches the board meanwhile, and nobody looks: neither the sensor nor the trial. What is put down is each character of the
//! console, each thing that the cloud learns and each edge of a wired pin, the light's among them, with its instant. Left open is what follows
//! from keys and from chance: numbers of eight and more hexadecimal digits (fingerprints, nonces, proofs), and what a line says to the cloud
//! after its first word: what that comes to is what the cloud learns.

use brickproof_cloud::CloudEvent;
use brickproof_keys::Fingerprint;
use brickproof_trial::Observation;
use brickproof_units::{Instant, Span};
use brickproof_virtual_board::chip::Drive;

use super::World;

/// So many hexadecimal digits in a row are a number that follows from keys or from chance.
const NUMBER: usize = 8;

/// What a board did, from one instant on for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// How long it is.
    span: Span,
    /// Whether the board did anything to its flash. How much that was is told by the time that it took.
    wrote: bool,
    /// What came of it: console and cloud first, then pin by pin, each in its order.
    beats: Vec<Beat>,
}

/// One thing that came of a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Beat {
    channel: u8,
    what: u8,
    /// Nanoseconds since the story began.
    at: u64,
}

/// What console and cloud say, in one channel: what a board hears decides what it says next.
const TEXT: u8 = 64;
/// The rail passed the level that is watched.
const RAIL: u8 = 65;
const LEFT_OPEN: u8 = b'#';

impl Story {
    /// Whether both tell the same, and nothing in them is further apart in time than `tolerance`.
    pub fn is_like(&self, other: &Self, tolerance: Span) -> bool {
        let mut channels = self.channels().zip(other.channels());
        self.span == other.span
            && self.wrote == other.wrote
            && self.channels().count() == other.channels().count()
            && channels.all(|(ours, theirs)| self.tells_like(ours, theirs, tolerance.as_nanos()))
    }

    fn channels(&self) -> impl Iterator<Item = &[Beat]> {
        self.beats.chunk_by(|one, next| one.channel == next.channel)
    }

    fn tells_like(&self, ours: &[Beat], theirs: &[Beat], tolerance: u64) -> bool {
        let alike = |(our, their): (&Beat, &Beat)| {
            (our.channel, our.what) == (their.channel, their.what) && our.at.abs_diff(their.at) <= tolerance
        };
        let common = ours.len().min(theirs.len());
        // What the later one would have done a little after its end.
        let is_late = |beat: &Beat| beat.at + tolerance >= self.span.as_nanos();
        ours.iter().zip(theirs).all(alike) && ours[common..].iter().chain(&theirs[common..]).all(is_late)
    }
}

/// A story while it is put down.
struct Writer {
    from: Instant,
    beats: Vec<Beat>,
    /// Where the digits stand of the number that may be going on.
    digits: Vec<usize>,
    line: ConsoleLine,
}

/// Where in a line the console is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ConsoleLine {
    AtItsStart,
    ForPeople,
    /// It begins with `~` and is for the cloud.
    ForTheCloud,
    AfterItsFirstWord,
}

impl ConsoleLine {
    fn after(self, character: u8) -> Self {
        match (self, character) {
            (_, b'\n') => Self::AtItsStart,
            (Self::AtItsStart, b'~') => Self::ForTheCloud,
            (Self::AtItsStart, _) => Self::ForPeople,
            (Self::ForTheCloud, b' ') => Self::AfterItsFirstWord,
            (other, _) => other,
        }
    }
}

impl Writer {
    fn beat(&mut self, at: Instant, channel: u8, what: u8) {
        self.beats.push(Beat { channel, what, at: at.since(self.from).as_nanos() });
    }

    fn console(&mut self, at: Instant, text: &[u8]) {
        for character in text {
            self.line = self.line.after(*character);
            if self.line != ConsoleLine::AfterItsFirstWord {
                self.text(at, &[*character]);
            }
        }
    }

    fn text(&mut self, at: Instant, text: &[u8]) {
        for character in text {
            if matches!(character, b'0'..=b'9' | b'a'..=b'f') {
                self.digits.push(self.beats.len());
            } else {
                self.digits.clear();
            }
            self.beat(at, TEXT, *character);
            if self.digits.len() >= NUMBER {
                for position in &self.digits {
                    self.beats[*position].what = LEFT_OPEN;
                }
                self.digits.drain(..self.digits.len() - (NUMBER - 1));
            }
        }
    }
}

impl World {
    /// What comes of board and cloud during the next `span`.
    pub(crate) fn story(mut self, span: Span) -> Story {
        let end = self.now + span;
        let operations = self.board.flash().operations();
        let mut writer =
            Writer { from: self.now, beats: Vec::new(), digits: Vec::new(), line: ConsoleLine::AtItsStart };
        loop {
            let agenda = self.agenda.first_key_value().map_or(Instant::NEVER, |((at, _), _)| *at);
            let next = end.min(agenda);
            if next > self.now {
                self.live_until(next);
            }
            self.put_down(&mut writer);
            if self.now >= end {
                break;
            }
            self.do_what_is_due();
        }
        let Writer { mut beats, .. } = writer;
        beats.sort_by_key(|beat| beat.channel);
        Story { span, wrote: self.board.flash().operations() > operations, beats }
    }

    fn put_down(&mut self, writer: &mut Writer) {
        for edge in self.board.drain_pin_edges() {
            let (port, number) = edge.pin.place();
            // Two ports of 32 pins.
            let channel = (port * 32) as u8 + number as u8;
            writer.beat(edge.at, channel, u8::from(edge.drive == Drive::High));
        }
        for passage in self.board.drain_rail_passages() {
            writer.beat(passage.at, RAIL, 0);
        }
        for (at, seen) in self.seen.drain(..) {
            match seen {
                Observation::Console(bytes) => writer.console(at, &bytes),
                Observation::Cloud(event) => writer.text(at, format!("({})", in_short(&event, self.issued)).as_bytes()),
                _ => {}
            }
        }
    }
}

/// What the cloud learned, without what follows from keys, but with the identity that connected.
fn in_short(event: &CloudEvent, issued: Option<Fingerprint>) -> String {
    match event {
        CloudEvent::LinkRefused { .. } => "link refused".to_owned(),
        CloudEvent::Connected { fingerprint } if Some(*fingerprint) == issued => "connected anew".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Span = Span::secs(1);

    fn told(lines: &[(u64, &str)], edges: &[(u64, u8)]) -> Story {
        let mut writer =
            Writer { from: Instant::START, beats: Vec::new(), digits: Vec::new(), line: ConsoleLine::AtItsStart };
        let at = |micros: u64| Instant::START + Span::micros(micros);
        lines.iter().for_each(|(micros, line)| writer.console(at(*micros), line.as_bytes()));
        edges.iter().for_each(|(micros, pin)| writer.beat(at(*micros), *pin, 1));
        writer.beats.sort_by_key(|beat| beat.channel);
        Story { span: SPAN, wrote: false, beats: writer.beats }
    }

    fn alike(one: &Story, other: &Story) -> bool {
        let both = [one.is_like(other, Span::millis(1)), other.is_like(one, Span::millis(1))];
        assert_eq!(both[0], both[1], "whichever is set beside the other");
        both[0]
    }

    #[test]
    fn keys_and_chance_and_what_is_said_to_the_cloud_are_left_open() {
        let one = told(&[(0, "device=good/1da0e8329da0beb6 code=17\n~hello 81e1 1da0\n")], &[]);
        assert!(alike(&one, &told(&[(0, "device=good/6bc6e8d6aeaf4a91 code=17\n~hello cd4 6bc6\n")], &[])));
        assert!(!alike(&one, &told(&[(0, "device=good/1da0e8329da0beb6 code=18\n~hello 81e1 1da0\n")], &[])));
        assert!(!alike(&one, &told(&[(0, "device=torn/1da0e8329da0beb6 code=17\n~hello 81e1 1da0\n")], &[])));
        assert!(!alike(&one, &told(&[(0, "device=good/1da0e8329da0beb6 code=17\n~proof 81e1 1da0\n")], &[])));
    }

    #[test]
    fn what_comes_at_another_time_or_from_another_pin_is_another_story() {
        let one = told(&[(5_000, "up\n")], &[(1_000, 13), (400_000, 13)]);
        assert!(alike(&one, &told(&[(5_400, "up\n")], &[(1_900, 13), (399_100, 13)])));
        assert!(!alike(&one, &told(&[(5_400, "up\n")], &[(1_000, 13), (401_001, 13)])));
        assert!(!alike(&one, &told(&[(5_000, "up\n")], &[(1_000, 13), (400_000, 14)])));
        assert!(!alike(&one, &told(&[(5_000, "up\n")], &[(1_000, 13)])));
        assert!(!alike(&one, &told(&[], &[(1_000, 13), (400_000, 13)])));
    }

    #[test]
    fn what_one_of_them_does_just_before_its_end_the_other_would_do_just_after() {
        let one = told(&[], &[(1_000, 13), (999_500, 13)]);
        assert!(alike(&one, &told(&[], &[(1_000, 13)])));
        assert!(!alike(&told(&[], &[(1_000, 13), (998_500, 13)]), &told(&[], &[(1_000, 13)])));
    }

    #[test]
    fn another_length_or_a_flash_that_was_written_is_another_story() {
        let one = told(&[(0, "up\n")], &[]);
        assert!(!alike(&one, &Story { span: Span::secs(2), ..one.clone() }));
        assert!(!alike(&one, &Story { wrote: true, ..one.clone() }));
    }
}
