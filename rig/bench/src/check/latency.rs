//! How long a cut takes, from the decision to the supply's own moment.
//!
//! Boundary: cuts without a trial. The board is held in reset where that can be done.

use std::fmt;

use brickproof_instruments::{Drive, Failure, FailureKind, Lines, Moment, Owner, Switch, now};
use brickproof_units::Span;

use super::{BEFORE_A_CUT, Check, RESET, pause};
use crate::asking::ask;
use crate::provision::usual_output;
use crate::station::{ACTION, DARK};

/// Emptying the board's capacitors between two cuts; assumed, as for a trial.
const DISCHARGE: Span = Span::secs(5);

/// Durations of several cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    /// How many.
    pub n: usize,
    /// Half took no longer.
    pub median: Span,
    /// Ninety-nine of a hundred took no longer; of fewer than a hundred it is the longest.
    pub p99: Span,
    /// The longest.
    pub max: Span,
    /// How far each may be from the truth.
    pub uncertainty: Span,
}

impl Latency {
    /// Of these; `None` if there are none.
    fn of(mut taken: Vec<(Span, Span)>) -> Option<Self> {
        taken.sort();
        let max = taken.last()?.0;
        let n = taken.len();
        // The nearest rank: the least duration that this share of them does not exceed.
        let rank =
            |percent: usize| taken.get((n * percent).div_ceil(100).saturating_sub(1)).map_or(max, |taken| taken.0);
        let uncertainty = taken.iter().map(|taken| taken.1).max().unwrap_or_default();
        Some(Self { n, median: rank(50), p99: rank(99), max, uncertainty })
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { n, median, p99, max, uncertainty } = self;
        write!(f, "n {n}, median {median}, p99 {p99}, max {max}, each ±{uncertainty}")
    }
}

impl Check<'_> {
    /// Cuts through the supply, and as many through its `line` alone if it works over one.
    pub(super) async fn measure_cuts(
        &self,
        cuts: u32,
        held: bool,
        line: Option<String>,
    ) -> Result<(Latency, Option<Latency>), Failure> {
        if held {
            self.station.drive(RESET, Drive::Asserted).await?;
        }
        let mut taken = Vec::new();
        for _ in 0..cuts {
            self.on().await?;
            let supply = self.station.supply()?;
            let decided = now();
            let moment =
                ask(supply, "cut the power", ACTION, |supply, deadline| supply.switch(Switch::Off, deadline)).await?;
            taken.push((moment.at.since(decided), moment.uncertainty));
            self.empty().await?;
        }
        let mut bare = Vec::new();
        if let (Some(line), Some(lines)) = (line, &self.station.lines) {
            for _ in 0..cuts {
                self.on().await?;
                let (took, moment) = release(lines, line.clone()).await?;
                bare.push((took, moment.uncertainty));
                // The supply is told what became of it, and closes what it has to close behind the switch.
                self.empty().await?;
            }
        }
        if held {
            self.station.drive(RESET, Drive::Released).await?;
        }
        let none =
            || Failure::new(self.station.name(), "measure cuts", FailureKind::Refused("there were none".to_owned()));
        Ok((Latency::of(taken).ok_or_else(none)?, Latency::of(bare)))
    }

    async fn on(&self) -> Result<(), Failure> {
        self.station.power_on(usual_output(self.station)).await?;
        pause(BEFORE_A_CUT).await;
        Ok(())
    }

    /// Off, and down if that can be measured.
    async fn empty(&self) -> Result<(), Failure> {
        let supply = self.station.supply()?;
        ask(supply, "switch off", ACTION, |supply, deadline| supply.switch(Switch::Off, deadline)).await?;
        if self.station.measures_voltage() {
            let proven =
                ask(supply, "measure that off is off", DISCHARGE, |supply, deadline| supply.prove_off(DARK, deadline));
            proven.await?;
        }
        Ok(())
    }
}

/// As tight as it gets: decided and done on the lines' own thread.
async fn release(lines: &Owner<dyn Lines>, line: String) -> Result<(Span, Moment), Failure> {
    ask(lines, "release the line of the switch", ACTION, move |lines, deadline| {
        let decided = now();
        let moment = lines.drive(&line, Drive::Released, deadline)?;
        Ok((moment.at.since(decided), moment))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_of_durations_that_were_measured() {
        let of = |millis: &[u64]| {
            Latency::of(millis.iter().map(|millis| (Span::millis(*millis), Span::micros(*millis))).collect())
        };
        assert_eq!(of(&[]), None);
        insta::assert_snapshot!(of(&[7]).unwrap(), @"n 1, median 7ms, p99 7ms, max 7ms, each ±7us");
        insta::assert_snapshot!(of(&[9, 1, 2, 3]).unwrap(), @"n 4, median 2ms, p99 9ms, max 9ms, each ±9us");
        let hundred: Vec<u64> = (1..=100).rev().collect();
        insta::assert_snapshot!(of(&hundred).unwrap(), @"n 100, median 50ms, p99 99ms, max 100ms, each ±100us");
    }
}
