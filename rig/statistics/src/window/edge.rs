//! What is known about one edge: a posterior over its distance from an instant inside the window.
//!
//! Boundary: one side of one window, in nanoseconds of distance. The same code serves the opening and the closing edge.
//!
//! Without jitter the likelihood only steps where a trial was made, so the posterior is kept in cells whose borders are the trials'
//! distances: no grid, nothing lost to one that is too coarse. Where jitter is likely, cells are halved until they are finer than it.

use super::hypotheses::{Hypotheses, JITTERS, PAIRS, Weights};

/// How much is believed, before any trial, in a window that reaches to the end of what is searched.
const REACHES_THE_END: f64 = 0.05;

/// A jitter that is likelier than this is worth finer cells: more than is believed in the large ones before any trial.
const LIKELY: f64 = 0.06;

/// A cell with a smaller share of the belief is not looked into.
const NEGLIGIBLE: f64 = 1e-5;

/// How finely trials are placed around an edge, in units of the resolution: a credible interval of two steps is narrow enough.
const STEP: f64 = 0.475;

/// Below this, all likelihoods are raised by as much: 300 trials would underflow.
const TINY: f64 = 1e-150;

#[derive(Clone, Debug)]
struct Cell {
    low: f64,
    high: f64,
    prior: f64,
    likelihood: Weights,
}

impl Cell {
    fn middle(&self) -> f64 {
        f64::midpoint(self.low, self.high)
    }
}

#[derive(Clone, Copy, Debug)]
struct Trial {
    distance: f64,
    failed: bool,
    /// The likelihoods were raised after it.
    raised: bool,
}

/// The posterior of one edge.
#[derive(Clone, Debug)]
pub(super) struct Edge {
    /// In order of distance; the last one, without width, is a window that reaches to the end.
    cells: Vec<Cell>,
    trials: Vec<Trial>,
}

/// The weight of each cell, and what the next trial would do there.
#[derive(Clone, Debug)]
pub(super) struct Posterior {
    cells: Vec<Weighed>,
    total: f64,
}

#[derive(Clone, Copy, Debug)]
struct Weighed {
    low: f64,
    high: f64,
    mass: f64,
    /// The mass times the probability of a failure inside, and outside, of the edge.
    inside: f64,
    outside: f64,
}

/// A trial, and how much it says about the edge, in nats.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) distance: f64,
    pub(super) information: f64,
}

/// Whether what is searched may end inside the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The range ends there, or the next window begins.
    MayBeInside,
    /// So many trials there survived that it is outside.
    IsOutside,
}

impl Edge {
    /// An edge somewhere between distance 0 and `limit`.
    pub(super) fn new(limit: f64, end: End) -> Self {
        let reaching = match end {
            _ if limit <= 0.0 => 1.0,
            End::MayBeInside => REACHES_THE_END,
            End::IsOutside => 0.0,
        };
        let cell = |low, high, prior| Cell { low, high, prior, likelihood: [[1.0; PAIRS]; JITTERS] };
        Self { cells: vec![cell(0.0, limit, 1.0 - reaching), cell(limit, limit, reaching)], trials: Vec::new() }
    }

    /// How far it may be away.
    pub(super) fn limit(&self) -> f64 {
        self.cells.last().map_or(0.0, |cell| cell.high)
    }

    /// Learns from a trial.
    pub(super) fn observe(&mut self, hypotheses: &Hypotheses, distance: f64, failed: bool) {
        if let Some(index) = self.cells.iter().position(|cell| cell.low < distance && distance < cell.high) {
            self.split(hypotheses, index, distance);
        }
        for cell in &mut self.cells {
            multiply(cell, hypotheses, distance, failed);
        }
        let raised = !self.cells.iter().any(|cell| cell.likelihood.as_flattened().iter().any(|it| *it >= TINY));
        if raised {
            self.cells.iter_mut().for_each(raise);
        }
        self.trials.push(Trial { distance, failed, raised });
    }

    /// The likelihood of each hypothesis, with the place of the edge left open.
    pub(super) fn evidence(&self) -> Weights {
        let mut sums = [[0.0; PAIRS]; JITTERS];
        for cell in &self.cells {
            for (sum, likelihood) in sums.as_flattened_mut().iter_mut().zip(cell.likelihood.as_flattened()) {
                *sum += cell.prior * likelihood;
            }
        }
        sums
    }

    /// The posterior, with the hypotheses weighed by what everything but this edge says.
    pub(super) fn posterior(&self, hypotheses: &Hypotheses, others: &Weights) -> Posterior {
        let weigh = |cell: &Cell| {
            // Summed per pair first: additions that need not wait for each other.
            let mut by_pair = [0.0; PAIRS];
            for (likelihoods, weights) in cell.likelihood.iter().zip(others) {
                for pair in 0..PAIRS {
                    by_pair[pair] += likelihoods[pair] * weights[pair];
                }
            }
            let mut weighed = Weighed { low: cell.low, high: cell.high, mass: 0.0, inside: 0.0, outside: 0.0 };
            for (pair, mass) in by_pair.iter().enumerate() {
                weighed.mass += mass;
                weighed.inside += mass * hypotheses.inside[pair];
                weighed.outside += mass * hypotheses.outside[pair];
            }
            weighed.mass *= cell.prior;
            weighed.inside *= cell.prior;
            weighed.outside *= cell.prior;
            weighed
        };
        let cells: Vec<Weighed> = self.cells.iter().map(weigh).collect();
        Posterior { total: cells.iter().map(|cell| cell.mass).sum(), cells }
    }

    /// Halves the cells that matter and are coarser than a jitter that is likely. Says whether there was one.
    pub(super) fn refine(&mut self, hypotheses: &Hypotheses, posterior: &Posterior, jitters: &[f64; JITTERS]) -> bool {
        // Far from the trials at its borders a wide cell is flat, whatever the jitter.
        let too_coarse = |width: f64| {
            let of = |jitter: usize| {
                jitters[jitter] > LIKELY
                    && width > hypotheses.jitter[jitter] / 2.0
                    && width <= 8.0 * hypotheses.jitter[jitter]
            };
            width >= 2.0 && (1..JITTERS).any(of)
        };
        let matters = |cell: &&Weighed| cell.mass > 0.01 * posterior.total && too_coarse(cell.high - cell.low);
        let middles: Vec<f64> =
            posterior.cells.iter().filter(matters).map(|cell| f64::midpoint(cell.low, cell.high)).collect();
        for middle in &middles {
            if let Some(index) = self.cells.iter().position(|cell| cell.low < *middle && *middle < cell.high) {
                self.split(hypotheses, index, *middle);
            }
        }
        !middles.is_empty()
    }

    fn split(&mut self, hypotheses: &Hypotheses, index: usize, at: f64) {
        let whole = self.cells[index].clone();
        let width = whole.high - whole.low;
        let part = |low: f64, high: f64| {
            let mut cell =
                Cell { low, high, prior: whole.prior * (high - low) / width, likelihood: [[1.0; PAIRS]; JITTERS] };
            for trial in &self.trials {
                multiply(&mut cell, hypotheses, trial.distance, trial.failed);
                if trial.raised {
                    raise(&mut cell);
                }
            }
            cell
        };
        let parts = [part(whole.low, at), part(at, whole.high)];
        self.cells.splice(index..=index, parts);
    }
}

fn multiply(cell: &mut Cell, hypotheses: &Hypotheses, distance: f64, failed: bool) {
    let reaches_the_end = cell.low == cell.high;
    let depth = cell.middle() - distance;
    for (jitter, likelihoods) in cell.likelihood.iter_mut().enumerate() {
        let share = if reaches_the_end { 1.0 } else { hypotheses.share_inside(depth, jitter) };
        for (pair, likelihood) in likelihoods.iter_mut().enumerate() {
            let (inside, outside) = (hypotheses.inside[pair], hypotheses.outside[pair]);
            let failure = outside + (inside - outside) * share;
            *likelihood *= if failed { failure } else { 1.0 - failure };
        }
    }
}

fn raise(cell: &mut Cell) {
    cell.likelihood.as_flattened_mut().iter_mut().for_each(|likelihood| *likelihood /= TINY);
}

impl Posterior {
    /// The distance that the edge stays below with probability `share`.
    pub(super) fn quantile(&self, share: f64) -> f64 {
        let mut rest = share * self.total;
        for cell in &self.cells {
            if rest <= cell.mass && cell.mass > 0.0 {
                return cell.low + (cell.high - cell.low) * rest / cell.mass;
            }
            rest -= cell.mass;
        }
        self.cells.last().map_or(0.0, |cell| cell.high)
    }

    /// How likely it is that the window reaches to the end of what is searched.
    pub(super) fn reaches_the_end(&self) -> f64 {
        self.cells.last().map_or(0.0, |cell| cell.mass / self.total)
    }

    /// The trial that says most about the edge, before it is known how it ends. `resolution` is how closely the edge is to be known.
    ///
    /// Where in the heaviest stretch of that width the edge lies is not asked, and counts for nothing: else trials would go on into
    /// ever finer places there, and into a jitter that hides them, while a twentieth of the belief still lies elsewhere. For the same
    /// reason trials are made at multiples of half the resolution.
    pub(super) fn best(&self, hypotheses: &Hypotheses, resolution: f64, jitter: &Blur) -> Candidate {
        let cells = self.merged(resolution);
        // What lies nearer than the candidate, if the edge is there, is outside of it; what lies farther, inside.
        let mut nearer = vec![Sums::default()];
        let mut farther = vec![Sums::default()];
        for (first, last) in cells.iter().zip(cells.iter().rev()) {
            nearer.push(nearer.last().copied().unwrap_or_default().plus(first.if_inside(hypotheses, 0.0)));
            farther.push(farther.last().copied().unwrap_or_default().plus(last.if_inside(hypotheses, 1.0)));
        }
        let information = |index: usize, distance: f64| {
            let wide = cells[index].high - cells[index].low > 2.0 * jitter.reach;
            let blurred = |cell: &Weighed| (cell.middle() - distance).abs() <= jitter.reach;
            let first = cells[..index].iter().rposition(|cell| !blurred(cell)).map_or(0, |it| it + 1);
            let end = (index + 1..cells.len()).find(|it| !blurred(&cells[*it])).unwrap_or(cells.len());
            let mut sums = nearer[first].plus(farther[cells.len() - end]);
            for (at, cell) in cells.iter().enumerate().take(end).skip(first) {
                let part = match (at == index, wide) {
                    (true, true) => cell.if_split(hypotheses, (cell.high - distance) / (cell.high - cell.low)),
                    _ => cell.if_inside(hypotheses, jitter.share_inside(cell.middle() - distance)),
                };
                sums = sums.plus(part);
            }
            hypotheses.entropy(sums.failure / self.total) - sums.entropy / self.total
        };
        let mut best = Candidate { distance: 0.0, information: f64::NEG_INFINITY };
        let matters = |cell: &Weighed| cell.mass > NEGLIGIBLE * self.total;
        for (index, cell) in cells.iter().enumerate() {
            // Between cells that weigh nothing, no place tells more than the borders of those that do.
            if !matters(cell) && !index.checked_sub(1).is_some_and(|before| matters(&cells[before])) {
                continue;
            }
            let inner = (cell.high - cell.low > resolution).then(|| cell.multiples(STEP * resolution));
            for distance in std::iter::once(cell.low).chain(inner.into_iter().flatten()) {
                let information = information(index, distance);
                if information > best.information {
                    best = Candidate { distance, information };
                }
            }
        }
        best
    }

    /// The cells, with those of the heaviest stretch of `width` made one, and with those that lie between multiples of the step put
    /// together.
    fn merged(&self, width: f64) -> Vec<Weighed> {
        let (first, last) = self.heaviest(width);
        let mut cells: Vec<Weighed> = Vec::with_capacity(self.cells.len());
        for (index, cell) in self.cells.iter().enumerate() {
            let step_of = |distance: f64| libm::floor(distance / (STEP * width));
            let joins = |before: &&mut Weighed| {
                let inside = first < index && index <= last;
                let aside = index < first || index > last + 1;
                let together =
                    step_of(before.low) == step_of(cell.high) || before.mass + cell.mass < NEGLIGIBLE * self.total;
                inside || (aside && cell.low < cell.high && together)
            };
            match cells.last_mut().filter(joins) {
                Some(before) => before.join(cell),
                None => cells.push(*cell),
            }
        }
        cells
    }

    /// The first and the last cell of the stretch of `width` that holds most; a wide cell is a stretch of its own.
    fn heaviest(&self, width: f64) -> (usize, usize) {
        let (mut first, mut sum) = (0, 0.0);
        let mut heaviest = (0, 0, f64::NEG_INFINITY);
        for (last, cell) in self.cells.iter().enumerate() {
            sum += cell.mass;
            while first < last && cell.high - self.cells[first].low > width {
                sum -= self.cells[first].mass;
                first += 1;
            }
            // What is wider than asked weighs as much as the asked part of it.
            let weight = sum * (width / (cell.high - self.cells[first].low)).min(1.0);
            if weight > heaviest.2 {
                heaviest = (first, last, weight);
            }
        }
        (heaviest.0, heaviest.1)
    }
}

/// Sums over cells: of the probability of a failure, and of how uncertain the outcome is in each.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    failure: f64,
    entropy: f64,
}

impl Sums {
    fn plus(self, other: Self) -> Self {
        Self { failure: self.failure + other.failure, entropy: self.entropy + other.entropy }
    }
}

/// How far inside a trial lies, when it is not known how much the edge jitters.
#[derive(Clone, Debug)]
pub(super) struct Blur {
    /// The standard deviations that are believed in, with how much.
    jitters: Vec<(f64, f64)>,
    /// Farther from the edge, a trial is inside or outside.
    reach: f64,
}

impl Blur {
    pub(super) fn new(hypotheses: &Hypotheses, weights: &[f64; JITTERS]) -> Self {
        let all = hypotheses.jitter.into_iter().zip(*weights);
        let jitters: Vec<(f64, f64)> = all.filter(|(_, weight)| *weight > LIKELY).collect();
        let total: f64 = jitters.iter().map(|(_, weight)| weight).sum();
        let widest = jitters.iter().map(|(sigma, _)| *sigma).fold(0.0, f64::max);
        let reach = 2.0 * widest;
        Self { jitters: jitters.into_iter().map(|(sigma, weight)| (sigma, weight / total)).collect(), reach }
    }

    /// A straight ramp of two standard deviations to either side: it only steers, and takes no time.
    fn share_inside(&self, depth: f64) -> f64 {
        let ramp = |sigma: f64| {
            if sigma > 0.0 { (0.5 + depth / (4.0 * sigma)).clamp(0.0, 1.0) } else { f64::from(u8::from(depth >= 0.0)) }
        };
        self.jitters.iter().map(|(sigma, weight)| weight * ramp(*sigma)).sum()
    }
}

impl Weighed {
    /// Multiples of `step` in this cell: all of them, or some eight that are evenly spread.
    fn multiples(&self, step: f64) -> impl Iterator<Item = f64> + use<> {
        let high = self.high;
        let stride = step * libm::ceil((high - self.low) / (8.0 * step)).max(1.0);
        let first = step * libm::ceil(self.low / step);
        std::iter::successors(Some(first), move |distance| Some(distance + stride)).take_while(move |it| *it < high)
    }

    fn join(&mut self, next: &Self) {
        self.high = next.high;
        self.mass += next.mass;
        self.inside += next.inside;
        self.outside += next.outside;
    }

    fn middle(&self) -> f64 {
        f64::midpoint(self.low, self.high)
    }

    /// What a trial does that is so far inside, wherever in this cell the edge is.
    fn if_inside(&self, hypotheses: &Hypotheses, share: f64) -> Sums {
        if self.mass <= 0.0 {
            return Sums::default();
        }
        let failure = self.outside + (self.inside - self.outside) * share;
        Sums { failure, entropy: self.mass * hypotheses.entropy(failure / self.mass) }
    }

    /// What a trial does that is inside for this share of the cell and outside for the rest.
    fn if_split(&self, hypotheses: &Hypotheses, inside: f64) -> Sums {
        let (there, here) = (self.if_inside(hypotheses, 1.0), self.if_inside(hypotheses, 0.0));
        let mix = |a: f64, b: f64| b + (a - b) * inside;
        Sums { failure: mix(there.failure, here.failure), entropy: mix(there.entropy, here.entropy) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::hypotheses::Tally;
    use super::*;

    const LIMIT: f64 = 1000.0;

    /// Only one jitter is believed in.
    fn believing(hypotheses: &Hypotheses, jitter: usize) -> Weights {
        let mut weights = hypotheses.prior(Tally::default(), Tally::default());
        for (index, pairs) in weights.iter_mut().enumerate() {
            if index != jitter {
                *pairs = [0.0; PAIRS];
            }
        }
        weights
    }

    /// How much of the belief lies below each of `distances`, by Bayes' rule at 4,000 places.
    fn below_on_a_grid(
        hypotheses: &Hypotheses,
        weights: &Weights,
        jitter: usize,
        trials: &[(f64, bool)],
        distances: [f64; 3],
    ) -> [f64; 3] {
        const PLACES: usize = 4000;
        let place = |index: usize| (index as f64 + 0.5) * LIMIT / PLACES as f64;
        let mass = |index: usize| -> f64 {
            let mut products = weights[jitter];
            for (distance, failed) in trials {
                let inside = hypotheses.share_inside(place(index) - distance, jitter);
                for (pair, product) in products.iter_mut().enumerate() {
                    let (high, low) = (hypotheses.inside[pair], hypotheses.outside[pair]);
                    let failure = low + (high - low) * inside;
                    *product *= if *failed { failure } else { 1.0 - failure };
                }
            }
            products.iter().sum()
        };
        let masses: Vec<f64> = (0..PLACES).map(mass).collect();
        let total: f64 = masses.iter().sum();
        distances.map(|distance| {
            let share = |index: usize| ((distance - place(index)) * PLACES as f64 / LIMIT + 0.5).clamp(0.0, 1.0);
            masses.iter().enumerate().map(|(index, mass)| share(index) * mass).sum::<f64>() / total
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn an_edge_that_does_not_move_has_the_posterior_of_a_fine_grid(
            trials in prop::collection::vec((1u16..1000, any::<bool>()), 0..12),
        ) {
            // On the borders of the grid's places, so that both are exact.
            let trials: Vec<(f64, bool)> = trials.into_iter().map(|(at, failed)| (f64::from(at), failed)).collect();
            let hypotheses = Hypotheses::new(10.0);
            let weights = believing(&hypotheses, 0);
            let mut edge = Edge::new(LIMIT, End::IsOutside);
            trials.iter().for_each(|(distance, failed)| edge.observe(&hypotheses, *distance, *failed));
            let posterior = edge.posterior(&hypotheses, &weights);
            let shares = [0.025, 0.5, 0.975];
            let ours = shares.map(|share| posterior.quantile(share));
            let grid = below_on_a_grid(&hypotheses, &weights, 0, &trials, ours);
            for (share, below) in shares.into_iter().zip(grid) {
                prop_assert!((share - below).abs() < 1e-9, "{} here, {} there", share, below);
            }
        }

        /// Trials as a search makes them: they close in on the edge at 500, so that cells are refined there.
        #[test]
        fn an_edge_that_jitters_has_nearly_the_posterior_of_a_fine_grid(
            outcomes in prop::collection::vec((-60.0..60.0f64, 0.0..1.0f64), 30..50),
        ) {
            let hypotheses = Hypotheses::new(20.0);
            let weights = believing(&hypotheses, 2);
            let mut jitters = [0.0; JITTERS];
            jitters[2] = 1.0;
            let mut edge = Edge::new(LIMIT, End::IsOutside);
            let sure = (0..30).map(|step| (f64::from(step), 0.1)).flat_map(|(off, chance)| [(off - 130.0, chance), (off + 100.0, chance)]);
            let trials: Vec<(f64, bool)> = sure
                .chain(outcomes)
                .map(|(off, chance)| (500.0 + off, chance < 0.7 * hypotheses.share_inside(-off, 2)))
                .collect();
            for (distance, failed) in &trials {
                edge.observe(&hypotheses, *distance, *failed);
                while edge.refine(&hypotheses, &edge.posterior(&hypotheses, &weights), &jitters) {}
            }
            let posterior = edge.posterior(&hypotheses, &weights);
            let shares = [0.05, 0.5, 0.95];
            let ours = shares.map(|share| posterior.quantile(share));
            let grid = below_on_a_grid(&hypotheses, &weights, 2, &trials, ours);
            for (share, below) in shares.into_iter().zip(grid) {
                prop_assert!((share - below).abs() < 0.06, "{} here, {} there", share, below);
            }
        }

        #[test]
        fn the_cells_hold_all_belief_and_no_more(
            trials in prop::collection::vec((0.0..1000.0f64, any::<bool>()), 0..400),
        ) {
            let hypotheses = Hypotheses::new(10.0);
            let mut edge = Edge::new(LIMIT, End::MayBeInside);
            trials.iter().for_each(|(distance, failed)| edge.observe(&hypotheses, *distance, *failed));
            let prior: f64 = edge.cells.iter().map(|cell| cell.prior).sum();
            prop_assert!((prior - 1.0).abs() < 1e-9);
            prop_assert!(edge.cells.windows(2).all(|pair| pair[0].high == pair[1].low), "without a gap");
            let weights = hypotheses.prior(Tally::default(), Tally::default());
            let posterior = edge.posterior(&hypotheses, &weights);
            let sum: f64 = posterior.cells.iter().map(|cell| cell.mass / posterior.total).sum();
            prop_assert!((sum - 1.0).abs() < 1e-9, "{}", sum);
            prop_assert!(posterior.quantile(0.1) <= posterior.quantile(0.9));
            let best = posterior.best(&hypotheses, 10.0, &Blur::new(&hypotheses, &[1.0, 0.0, 0.0, 0.0, 0.0]));
            prop_assert!((0.0..=LIMIT).contains(&best.distance));
        }
    }

    /// With a board that always fails inside, this is plain bisection.
    #[test]
    fn the_first_trial_halves_what_is_searched() {
        let hypotheses = Hypotheses::new(10.0);
        let mut weights = believing(&hypotheses, 0);
        for (pair, weight) in weights[0].iter_mut().enumerate() {
            if hypotheses.inside[pair] < 0.99 {
                *weight = 0.0;
            }
        }
        let posterior = Edge::new(LIMIT, End::IsOutside).posterior(&hypotheses, &weights);
        let best = posterior.best(&hypotheses, 10.0, &Blur::new(&hypotheses, &[1.0, 0.0, 0.0, 0.0, 0.0]));
        assert!((best.distance - 500.0).abs() < 80.0, "{best:?}");
        assert!((best.information - std::f64::consts::LN_2).abs() < 0.03, "a bit, in nats: {best:?}");
    }
}
