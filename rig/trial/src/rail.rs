//! What the rail did: whether the board had the power that it needs, and whether a low rail is worth a complaint yet.
//!
//! Boundary: it remembers readings and what was ordered of the supply. Whose fault a lack of power is, is the account's business.

use std::fmt;

use brickproof_scenario::plan::SupplySetting;
use brickproof_units::{Current, Instant, Span, Voltage};

/// A rail that has been above its minimum for so long has come up: regulators need 1 to 3 ms from there to their nominal voltage.
const RISES_WITHIN: Span = Span::millis(10);

/// One reading of the supply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) at: Instant,
    pub(crate) rail: Voltage,
    pub(crate) current: Current,
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on the rail, {} drawn", self.rail, self.current)
    }
}

/// A side of the least voltage with which the board works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Below,
    Above,
}

/// Whether a low rail would mean anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attention {
    /// The scenario has it low on purpose.
    Away,
    /// It may be coming up since then.
    Rising(Instant),
    /// It has been up.
    Here,
}

/// A time without the power that the board needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lack {
    pub(crate) since: Instant,
    /// What the rail has to have.
    pub(crate) minimum: Voltage,
}

/// The rail of the board, as far as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Rail {
    minimum: Voltage,
    /// Each reading that was on another side than the one before it; the first only says where the rail was.
    passages: Vec<(Instant, Side)>,
    attention: Attention,
    /// The scenario does something to the supply at present.
    struck: bool,
    source: Option<SupplySetting>,
    last: Option<Reading>,
}

impl Rail {
    /// A rail on which the board works from `minimum` up, not read yet.
    pub(crate) fn new(minimum: Voltage) -> Self {
        let attention = Attention::Rising(Instant::START);
        Self { minimum, passages: Vec::new(), attention, struck: false, source: None, last: None }
    }

    /// Takes a reading. True if the board lost its power with it.
    pub(crate) fn see(&mut self, reading: Reading) -> bool {
        self.attend(reading.at);
        self.last = Some(reading);
        let side = if reading.rail < self.minimum { Side::Below } else { Side::Above };
        let before = self.passages.last().map(|(_, side)| *side);
        if before != Some(side) {
            self.passages.push((reading.at, side));
        }
        (before, side) == (Some(Side::Above), Side::Below)
    }

    fn attend(&mut self, now: Instant) {
        if let (Attention::Rising(from), Some((since, Side::Above))) = (self.attention, self.passages.last())
            && now.since(from.max(*since)) >= RISES_WITHIN
        {
            self.attention = Attention::Here;
        }
    }

    /// The scenario chose this source.
    pub(crate) fn feed(&mut self, now: Instant, source: SupplySetting) {
        self.source = Some(source);
        self.struck = false;
        self.attention = match source {
            SupplySetting::Off => Attention::Away,
            _ => Attention::Rising(now),
        };
    }

    /// The scenario forces the rail down.
    pub(crate) fn force(&mut self) {
        self.attention = Attention::Away;
    }

    /// The scenario does something to the supply: until it is over, a low rail is its doing.
    pub(crate) fn strike(&mut self) {
        self.struck = true;
    }

    pub(crate) fn is_struck(&self) -> bool {
        self.struck
    }

    /// The rail is left to its source again.
    pub(crate) fn release(&mut self, now: Instant) {
        self.struck = false;
        self.attention = Attention::Rising(now);
    }

    /// Whether the rail has come up, so that one that is low is more than a rail that was not switched on yet.
    pub(crate) fn has_come_up(&self) -> bool {
        self.attention == Attention::Here
    }

    /// What the scenario feeds the board with; `None` if it never said.
    pub(crate) fn source(&self) -> Option<SupplySetting> {
        self.source
    }

    pub(crate) fn last(&self) -> Option<Reading> {
        self.last
    }

    /// Whether the board had its power just before `at`; that of a rail which was never read is not doubted.
    pub(crate) fn was_up_before(&self, at: Instant) -> bool {
        let before = self.passages.iter().rev().find(|(passed, _)| *passed < at);
        before.or(self.passages.first()).is_none_or(|(_, side)| *side == Side::Above)
    }

    /// Whether the board lacked its power at any time from `from` on. A rail that was only still coming up then is no lack.
    pub(crate) fn lack(&self, from: Instant) -> Option<Lack> {
        let falls = self.passages.iter().skip(1).rev().find(|(_, side)| *side == Side::Below);
        let low = match self.passages.last() {
            Some((since, Side::Below)) => Some(*since),
            _ => falls.map(|(since, _)| *since).filter(|since| *since >= from),
        };
        low.map(|since| Lack { since, minimum: self.minimum })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::START + Span::millis(millis)
    }

    fn rail(readings: &[(u64, i64)]) -> Rail {
        let mut it = Rail::new(Voltage::new(1_800_000));
        for (millis, microvolts) in readings {
            it.see(Reading { at: at(*millis), rail: Voltage::new(*microvolts), current: Current::new(0) });
        }
        it
    }

    #[test]
    fn a_rail_that_is_only_coming_up_is_no_lack_and_one_that_falls_is() {
        let up = rail(&[(0, 0), (3, 3_300_000)]);
        assert_eq!(up.lack(at(0)), None);
        let dipped = rail(&[(0, 0), (3, 3_300_000), (50, 1_700_000), (60, 3_300_000)]);
        assert_eq!(dipped.lack(at(40)).map(|it| it.since), Some(at(50)));
        assert_eq!(dipped.lack(at(51)), None, "it fell before");
        assert_eq!(rail(&[(0, 0)]).lack(at(1_000)).map(|it| it.since), Some(at(0)), "it never came");
        assert_eq!(rail(&[]).lack(at(0)), None, "nobody looked");
    }

    #[test]
    fn a_rail_was_up_as_it_was_before_the_instant() {
        let it = rail(&[(0, 0), (3, 3_300_000), (50, 1_700_000)]);
        assert!(!it.was_up_before(at(0)), "the first reading tells where it was");
        assert!(!it.was_up_before(at(3)));
        assert!(it.was_up_before(at(50)), "what happens at the instant is not before it");
        assert!(!it.was_up_before(at(51)));
        assert!(rail(&[]).was_up_before(at(7)));
    }

    #[test]
    fn a_low_rail_means_something_once_it_has_come_up_and_was_not_ordered_down() {
        let mut it = rail(&[(0, 0), (3, 1_900_000), (12, 3_300_000)]);
        assert!(!it.has_come_up());
        let read = |it: &mut Rail, millis, volts| {
            it.see(Reading { at: at(millis), rail: Voltage::new(volts), current: Current::new(0) })
        };
        read(&mut it, 13, 3_300_000);
        assert!(it.has_come_up());
        it.feed(at(20), SupplySetting::Off);
        read(&mut it, 40, 3_000_000);
        assert!(!it.has_come_up(), "it falls by order");
        it.feed(at(60), SupplySetting::Usb { voltage: Voltage::new(5_000_000) });
        read(&mut it, 61, 3_300_000);
        assert!(!it.has_come_up());
        read(&mut it, 70, 3_300_000);
        assert!(it.has_come_up());
    }
}
