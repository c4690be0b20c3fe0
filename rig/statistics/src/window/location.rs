//! Both edges of the window around one failure, by probabilistic bisection.
//!
//! Boundary: one window, from what the record says around it. Which trials are made elsewhere, and when it is given up, is decided above.
//!
//! Given the failure probabilities and the jitter, what happens on one side of a failure inside the window says nothing about the other
//! side; so each edge has a posterior of its own per hypothesis, and they meet only in the hypotheses' weights.

use brickproof_units::Instant;

use super::edge::{Blur, Edge, End, Posterior};
use super::hypotheses::{Hypotheses, JITTERS, PAIRS, Tally, Weights};
use super::record::{Reach, Record, Side};
use crate::{Outcome, Probability};

/// What is searched on one side.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    /// Nothing beyond it belongs to this window.
    pub(super) end: Instant,
    /// The trials that lie beyond say that the window ended before.
    pub(super) is_outside: bool,
    /// A failure there needs another explanation.
    pub(super) gap: bool,
}

/// What is known about one edge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Estimate {
    /// Half of the belief lies on either side.
    pub(super) at: Instant,
    /// The end of the credible interval that is nearer to the inside.
    pub(super) inner: Instant,
    /// The end that is farther out.
    pub(super) outer: Instant,
    /// How likely the window goes on to the end of what is searched.
    pub(super) reaches_the_end: f64,
}

impl Estimate {
    /// How wide the credible interval is.
    pub(super) fn width(&self) -> u64 {
        self.outer.since(self.inner).max(self.inner.since(self.outer)).as_nanos()
    }
}

#[derive(Clone, Debug)]
struct Searched {
    side: Side,
    bound: Bound,
    edge: Edge,
    evidence: Weights,
    posterior: Posterior,
}

/// The search for both edges around a failure.
#[derive(Clone, Debug)]
pub(super) struct Location {
    pub(super) anchor: Instant,
    at_anchor: Tally,
    elsewhere: Tally,
    /// How much each jitter is believed in.
    jitters: [f64; JITTERS],
    sides: [Searched; 2],
}

impl Location {
    /// From all that is recorded around the failure at `anchor`; nothing of it belongs to what lies beyond `bounds`.
    pub(super) fn new(
        hypotheses: &Hypotheses,
        record: &Record,
        strays: &[Instant],
        anchor: Instant,
        bounds: [Bound; 2],
    ) -> Self {
        let (mut at_anchor, mut elsewhere) = (Tally::default(), Tally::default());
        let mut trials: [Vec<(f64, bool)>; 2] = [Vec::new(), Vec::new()];
        for trial in record.iter() {
            let failed = trial.outcome == Outcome::Failed;
            if trial.at == anchor {
                at_anchor.count(failed);
                continue;
            }
            let side = usize::from(trial.at > anchor);
            let distance = Side::BOTH[side].distance(anchor, trial.at).unwrap_or_default();
            let limit = Side::BOTH[side].distance(anchor, bounds[side].end).unwrap_or_default();
            // Of the failures far away, only strays tell how rare failures outside are; the others are another window's.
            if distance < limit || (distance == limit && !bounds[side].gap) {
                trials[side].push((distance, failed));
            } else if !failed || strays.contains(&trial.at) {
                elsewhere.count(failed);
            }
        }
        let searched = |index: usize| {
            let (side, bound) = (Side::BOTH[index], bounds[index]);
            let limit = side.distance(anchor, bound.end).unwrap_or_default();
            let mut edge = Edge::new(limit, if bound.is_outside { End::IsOutside } else { End::MayBeInside });
            for (distance, failed) in &trials[index] {
                edge.observe(hypotheses, *distance, *failed);
            }
            let evidence = edge.evidence();
            let posterior = edge.posterior(hypotheses, &evidence);
            Searched { side, bound, edge, evidence, posterior }
        };
        let mut location =
            Self { anchor, at_anchor, elsewhere, jitters: [0.0; JITTERS], sides: [searched(0), searched(1)] };
        location.weigh(hypotheses);
        location
    }

    /// What is searched on both sides.
    pub(super) fn bounds(&self) -> [Bound; 2] {
        [self.sides[0].bound, self.sides[1].bound]
    }

    /// Learns from one more trial.
    pub(super) fn observe(&mut self, hypotheses: &Hypotheses, at: Instant, outcome: Outcome) {
        let failed = outcome == Outcome::Failed;
        if at == self.anchor {
            self.at_anchor.count(failed);
        } else {
            let searched = &mut self.sides[usize::from(at > self.anchor)];
            let distance = searched.side.distance(self.anchor, at).unwrap_or_default();
            if distance <= searched.edge.limit() {
                searched.edge.observe(hypotheses, distance, failed);
                searched.evidence = searched.edge.evidence();
            } else if !failed {
                self.elsewhere.count(false);
            }
        }
        self.weigh(hypotheses);
    }

    fn weigh(&mut self, hypotheses: &Hypotheses) {
        let prior = hypotheses.prior(self.at_anchor, self.elsewhere);
        for index in 0..2 {
            let others = product(&prior, &self.sides[1 - index].evidence);
            let searched = &mut self.sides[index];
            searched.posterior = searched.edge.posterior(hypotheses, &others);
            self.jitters = by_jitter(&product(&others, &searched.evidence));
            // Each halving brings the cells nearer to the finest that is needed, which is a fraction of the jitter.
            while searched.edge.refine(hypotheses, &searched.posterior, &self.jitters) {
                searched.evidence = searched.edge.evidence();
                searched.posterior = searched.edge.posterior(hypotheses, &others);
            }
        }
    }

    /// How likely the edges jitter by the resolution or more.
    pub(super) fn jitter(&self) -> Probability {
        Probability::clamped(self.jitters[2..].iter().sum())
    }

    /// Whether the edges jitter so much that not even the largest jitter that is thought of is enough.
    pub(super) fn jitters_beyond(&self) -> bool {
        self.jitters.last().is_some_and(|weight| *weight > 0.5)
    }

    /// What is known about the edge on one side, with a central interval of so much belief.
    pub(super) fn estimate(&self, side: usize, credibility: Probability) -> Estimate {
        let searched = &self.sides[side];
        let tail = (1.0 - credibility.get()) / 2.0;
        let at = |share: f64| searched.side.at(self.anchor, searched.posterior.quantile(share));
        Estimate {
            at: at(0.5),
            inner: at(tail),
            outer: at(1.0 - tail),
            reaches_the_end: searched.posterior.reaches_the_end(),
        }
    }

    /// The most telling trial on one side: where, and how much it tells.
    pub(super) fn best(&self, hypotheses: &Hypotheses, side: usize, resolution: f64) -> (Instant, f64) {
        let searched = &self.sides[side];
        let candidate = searched.posterior.best(hypotheses, resolution, &Blur::new(hypotheses, &self.jitters));
        (searched.side.at(self.anchor, candidate.distance), candidate.information)
    }

    /// The bounds that the record asks for now, which are nearer than those searched if a gap has shown itself.
    pub(super) fn bounds_now(record: &Record, anchor: Instant, ends: [Instant; 2]) -> [Bound; 2] {
        let bound = |index: usize| match record.reach(anchor, Side::BOTH[index], ends[index]) {
            Reach::End => Bound { end: ends[index], is_outside: false, gap: false },
            Reach::Quiet(end) => Bound { end, is_outside: true, gap: false },
            Reach::Gap(end) => Bound { end, is_outside: true, gap: true },
        };
        [bound(0), bound(1)]
    }
}

fn product(a: &Weights, b: &Weights) -> Weights {
    let mut product = *a;
    for (left, right) in product.as_flattened_mut().iter_mut().zip(b.as_flattened()) {
        *left *= right;
    }
    product
}

fn by_jitter(weights: &Weights) -> [f64; JITTERS] {
    let total: f64 = weights.as_flattened().iter().sum();
    weights.map(|pairs: [f64; PAIRS]| pairs.iter().sum::<f64>() / total)
}
