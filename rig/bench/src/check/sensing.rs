//! What a check hears, sees and feels of a board.
//!
//! Boundary: readings over a while, and what they come to; what that means is for the steps.

use std::collections::BTreeMap;
use std::fmt;

use brickproof_instruments::{Deadline, Failure};
use brickproof_light::Sample;
use brickproof_units::{Instant, Span};

use super::{BOOT, Check};
use crate::asking::ask;
use crate::eyes::{self, DARK_READINGS};
use crate::station::ACTION;

/// One look at the console: short, so that an end is noticed.
const LOOK: Span = Span::millis(20);
/// How long a board that has begun to speak is listened to.
const SPEECH: Span = Span::secs(1);
/// How long the light of a board is looked at: some patterns are dark for more than a second.
const LIT: Span = Span::secs(4);
/// Light is light if it is this many counts above the dark, and more than the dark itself moves; assumed.
const LEAST: u16 = 10;
const TIMES_THE_NOISE: u16 = 4;
/// How much of a line is shown.
const SHOWN: usize = 80;

/// What came from the console.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    bytes: Vec<u8>,
}

impl Heard {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// `212 bytes: "0000000012 [app] INFO: hello"`; `None` if there was nothing.
    pub(super) fn words(&self) -> Option<String> {
        let first = self.first_line()?;
        let plural = if self.bytes.len() == 1 { "" } else { "s" };
        Some(format!("{} byte{plural}: \"{first}\"", self.bytes.len()))
    }

    /// The first line that has anything in it, shortened and fit for a terminal; `None` if there was nothing.
    pub(super) fn first_line(&self) -> Option<String> {
        let ends = |byte: &u8| matches!(byte, b'\r' | b'\n');
        if self.bytes.is_empty() {
            return None;
        }
        let line = self.bytes.split(ends).find(|line| !line.is_empty()).unwrap_or_default();
        Some(brickproof_console::display(line).chars().take(SHOWN).collect())
    }
}

/// A line with its figures left out: two boots differ in their times.
pub(super) fn without_figures(line: &str) -> String {
    line.chars().filter(|c| !c.is_ascii_digit()).collect()
}

/// How bright it was over a while, in counts behind the sensor's clear filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Brightness {
    least: u16,
    most: u16,
    pub(super) is_clipped: bool,
}

impl Brightness {
    /// Clearly brighter than `dark`.
    pub(super) fn outshines(&self, dark: &Self) -> bool {
        let noise = dark.most - dark.least;
        self.most > dark.most.saturating_add(noise.saturating_mul(TIMES_THE_NOISE).max(LEAST))
    }

    /// How many times as bright as `dark` at its brightest.
    pub(super) fn times(&self, dark: &Self) -> u16 {
        self.most / dark.most.max(1)
    }

    fn with(self, other: Self) -> Self {
        Self {
            least: self.least.min(other.least),
            most: self.most.max(other.most),
            is_clipped: self.is_clipped || other.is_clipped,
        }
    }
}

impl fmt::Display for Brightness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {} counts", self.least, self.most)
    }
}

impl Check<'_> {
    /// What comes within a time.
    pub(super) async fn hear(&self, within: Span) -> Result<Heard, Failure> {
        let deadline = Deadline::after(within);
        let mut heard = Heard::default();
        while !deadline.has_passed() {
            if let Some(bytes) = self.chunk().await? {
                heard.bytes.extend(bytes);
            }
        }
        Ok(heard)
    }

    /// What a board says that begins: its first byte may take long, the rest is listened to for a while.
    pub(super) async fn hear_boot(&self) -> Result<Heard, Failure> {
        let deadline = Deadline::after(BOOT);
        while !deadline.has_passed() {
            if let Some(mut bytes) = self.chunk().await? {
                bytes.extend(self.hear(SPEECH).await?.bytes);
                return Ok(Heard { bytes });
            }
        }
        Ok(Heard::default())
    }

    async fn chunk(&self) -> Result<Option<Vec<u8>>, Failure> {
        let chunk =
            ask(self.station.console()?, "read from it", LOOK, |console, deadline| console.read(deadline)).await?;
        Ok(chunk.map(|chunk| chunk.bytes))
    }

    /// What the console says of a board that got power; `None` if there is no console.
    pub(super) async fn boot(&self) -> Option<Result<Heard, Failure>> {
        self.station.console.as_ref()?;
        Some(self.hear_boot().await)
    }

    /// How bright a board with power is; `None` if there is no sensor.
    pub(super) async fn lit(&self) -> Option<Result<Brightness, Failure>> {
        self.station.light.as_ref()?;
        let deadline = Deadline::after(LIT);
        Some(self.look_while(move |_| !deadline.has_passed()).await)
    }

    pub(super) async fn look_at_the_dark(&self) -> Result<Brightness, Failure> {
        eyes::open(self.station).await?;
        self.look_while(|readings| readings < DARK_READINGS).await
    }

    /// At least one reading.
    async fn look_while(&self, goes_on: impl Fn(usize) -> bool) -> Result<Brightness, Failure> {
        let mut all = self.look().await?;
        let mut readings = 1;
        while goes_on(readings) {
            all = all.with(self.look().await?);
            readings += 1;
        }
        Ok(all)
    }

    async fn look(&self) -> Result<Brightness, Failure> {
        let light = self.station.light()?;
        let exposure = ask(light, "see the light", ACTION, |light, deadline| light.sample(deadline)).await?;
        let [red, green, blue, clear] = exposure.counts;
        let sample = Sample { at: Instant::START, integration: exposure.integration, red, green, blue, clear };
        Ok(Brightness { least: clear, most: clear, is_clipped: sample.is_clipped() })
    }

    /// Edges since the opening, of each line.
    pub(super) async fn count_edges(&self) -> Result<BTreeMap<String, usize>, Failure> {
        let mut counted = BTreeMap::new();
        let Some(edges) = &self.station.edges else { return Ok(counted) };
        let seen = ask(edges, "count edges", ACTION, |edges, deadline| {
            let mut lines = Vec::new();
            // A line that never rests must not hold the check up.
            while let (Some(edge), false) = (edges.next(Deadline::after(Span::ZERO))?, deadline.has_passed()) {
                lines.push(edge.line);
            }
            Ok(lines)
        });
        for line in seen.await? {
            *counted.entry(line).or_default() += 1;
        }
        Ok(counted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(least: u16, most: u16) -> Brightness {
        Brightness { least, most, is_clipped: false }
    }

    #[test]
    fn light_is_more_than_the_dark_moves_by_itself() {
        assert!(between(5, 200).outshines(&between(3, 5)));
        assert!(!between(3, 12).outshines(&between(3, 5)), "a few counts are nothing");
        assert!(!between(300, 460).outshines(&between(300, 360)), "a lamp flickers more than that");
        assert!(!between(65_000, 65_535).outshines(&between(0, 60_000)), "the sum has an end");
        assert_eq!(between(5, 200).times(&between(0, 0)), 200);
    }

    #[test]
    fn what_was_said_is_shown_shortened_and_without_control_characters() {
        let heard = |bytes: &[u8]| Heard { bytes: bytes.to_vec() };
        assert_eq!(heard(b"").words(), None);
        assert_eq!(heard(b"\r\n").first_line().as_deref(), Some(""));
        insta::assert_snapshot!(heard(b"\r\n0000000012 [app] INFO: \x1b[31mhello\r\nmore").words().unwrap(), @r#"41 bytes: "0000000012 [app] INFO: \x1b[31mhello""#);
        assert_eq!(heard(&[b'x'; 200]).first_line().map(|line| line.len()), Some(SHOWN));
    }
}
