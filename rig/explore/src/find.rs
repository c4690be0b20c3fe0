//! Find-window: at which instants the firmware fails, edge by edge.
//!
//! Boundary: the search is `brickproof-statistics`'; here it is asked for one trial after the other.

use brickproof_scenario::{Knob, Setting};
use brickproof_statistics::{Outcome, WindowSearch, WindowSettings};
use brickproof_units::{Instant, Span};

use crate::asking::Question;
use crate::campaign::{Budget, CampaignError, WindowAsked, as_instant, as_span, check_count};
use crate::shot::{Finding, Shot, seed_of};

/// How many trials a search takes at the most unless somebody says.
const CAP: u64 = 20_000;
/// And for one window.
const CAP_PER_WINDOW: u64 = 2_000;

/// A search under way.
#[derive(Clone, Debug)]
pub(crate) struct FindWindow {
    search: WindowSearch,
    seed: u64,
    asked: u64,
    /// The next trial depends on what comes of this one.
    awaited: bool,
    /// Every trial that counts, at the instant at which its fault struck.
    tried: Vec<(Instant, Outcome)>,
    range: (Instant, Instant),
}

impl FindWindow {
    pub(crate) fn new(asked: &WindowAsked, seed: u64, budget: Budget) -> Result<Self, CampaignError> {
        if asked.range.knob() != Knob::After {
            return Err(CampaignError::NotInstants(asked.range.knob()));
        }
        let instant = |setting: Setting| as_instant(Span::nanos(setting.amount().unsigned_abs()));
        let cap = budget.trials.unwrap_or(CAP);
        check_count("a number of trials", cap)?;
        let search = WindowSearch::new(WindowSettings {
            from: instant(asked.range.from()),
            to: instant(asked.range.to()),
            resolution: asked.resolution,
            credibility: asked.credibility,
            smallest_width: asked.narrowest,
            weakest: asked.weakest,
            confidence: asked.confidence,
            cap,
            cap_per_window: CAP_PER_WINDOW.min(cap),
            seed,
        })?;
        let range = (instant(asked.range.from()), instant(asked.range.to()));
        Ok(Self { search, seed, asked: 0, awaited: false, tried: Vec::new(), range })
    }

    pub(crate) fn tried(&self) -> &[(Instant, Outcome)] {
        &self.tried
    }

    pub(crate) fn range(&self) -> (Instant, Instant) {
        self.range
    }

    pub(crate) fn search(&self) -> &WindowSearch {
        &self.search
    }
}

impl Question for FindWindow {
    fn next(&mut self) -> Option<Shot> {
        if self.awaited {
            return None;
        }
        let query = self.search.query()?;
        let number = self.asked;
        self.asked += 1;
        self.awaited = true;
        let settings = vec![Setting::after(as_span(query.instant))];
        Some(Shot::new(number, settings, seed_of(self.seed, number)))
    }

    fn record(&mut self, shot: &Shot, finding: &Finding) {
        self.awaited = false;
        // A trial that counts was struck, or its firmware survived without: then the instant that was asked for was no harm.
        let asked = shot.settings.first().map(|setting| Span::nanos(setting.amount().unsigned_abs()));
        if let (Some(outcome), Some(after)) = (finding.class.counted(), finding.struck_after.or(asked)) {
            self.search.record(as_instant(after), outcome);
            self.tried.push((as_instant(after), outcome));
        }
    }

    fn is_answered(&self) -> bool {
        !self.awaited && self.search.end().is_some()
    }

    fn size(&self) -> Option<u64> {
        None
    }
}
