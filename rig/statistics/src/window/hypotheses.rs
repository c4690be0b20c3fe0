//! What may be true of a window besides the place of its edges, and how likely each outcome is then.
//!
//! Boundary: numbers that are weighed against each other; the weighing is in `edge` and `location`.

/// In-window failure probabilities. A search that believed in a wrong one ended 90 ms off (Brickproof's notes on power faults,
/// section 4), so all of these are kept open.
const INSIDE: [f64; 9] = [0.1, 0.2, 0.3, 0.45, 0.6, 0.75, 0.87, 0.95, 0.999];

/// Failure probabilities outside of all windows. None of them is zero: a failure outside is rare, not impossible.
const OUTSIDE: [f64; 3] = [1e-5, 3e-3, 2e-2];

/// Jitter of an edge from trial to trial, as a standard deviation in units of the resolution, and how much it is believed in before the
/// first trial.
const JITTER: [(f64, f64); JITTERS] = [(0.0, 0.42), (0.25, 0.3), (1.0, 0.2), (4.0, 0.05), (16.0, 0.03)];

/// How many jitters.
pub(super) const JITTERS: usize = 5;
/// How many pairs of probabilities.
pub(super) const PAIRS: usize = INSIDE.len() * OUTSIDE.len();

/// A number for each hypothesis.
pub(super) type Weights = [[f64; PAIRS]; JITTERS];

/// All hypotheses of one search.
#[derive(Clone, Debug)]
pub(super) struct Hypotheses {
    /// Failure probability inside, per pair.
    pub(super) inside: [f64; PAIRS],
    /// Failure probability outside, per pair.
    pub(super) outside: [f64; PAIRS],
    /// Standard deviations, in nanoseconds.
    pub(super) jitter: [f64; JITTERS],
    /// Entropies of probabilities in steps of 1/ENTROPIES.
    entropies: Vec<f64>,
}

/// How finely the entropy is tabulated: it steers trials, and is looked up a thousand times for each.
const ENTROPIES: usize = 4096;

impl Hypotheses {
    /// For a search to `resolution` nanoseconds.
    pub(super) fn new(resolution: f64) -> Self {
        Self {
            inside: std::array::from_fn(|pair| INSIDE[pair / OUTSIDE.len()]),
            outside: std::array::from_fn(|pair| OUTSIDE[pair % OUTSIDE.len()]),
            jitter: JITTER.map(|(sigma, _)| sigma * resolution),
            entropies: (0..=ENTROPIES).map(|step| entropy(step as f64 / ENTROPIES as f64)).collect(),
        }
    }

    /// What is believed before any trial, and after trials that lie surely inside and surely outside.
    pub(super) fn prior(&self, inside: Tally, outside: Tally) -> Weights {
        let logs: [f64; PAIRS] = std::array::from_fn(|pair| {
            inside.ln_likelihood(self.inside[pair]) + outside.ln_likelihood(self.outside[pair])
        });
        // The largest becomes 1: hundreds of trials would underflow.
        let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        std::array::from_fn(|jitter| std::array::from_fn(|pair| JITTER[jitter].1 * libm::exp(logs[pair] - largest)))
    }

    /// How uncertain an outcome of probability `p` is, in nats.
    pub(super) fn entropy(&self, p: f64) -> f64 {
        let place = p.clamp(0.0, 1.0) * ENTROPIES as f64;
        let below = (place as usize).min(ENTROPIES - 1);
        let (low, high) = (self.entropies[below], self.entropies[below + 1]);
        low + (high - low) * (place - below as f64)
    }

    /// How far inside a trial lies, from 0 to 1, that is `depth` nanoseconds inside of the edge.
    pub(super) fn share_inside(&self, depth: f64, jitter: usize) -> f64 {
        match self.jitter[jitter] {
            0.0 => f64::from(u8::from(depth >= 0.0)),
            // Beyond, the share is a thirtieth of the rarest failure outside that is believed in.
            sigma if depth > 5.0 * sigma => 1.0,
            sigma if depth < -5.0 * sigma => 0.0,
            sigma => libm::erfc(-depth / sigma * std::f64::consts::FRAC_1_SQRT_2) / 2.0,
        }
    }
}

/// Failures and survivals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) failed: u64,
    pub(super) survived: u64,
}

impl Tally {
    pub(super) fn count(&mut self, failed: bool) {
        if failed { self.failed += 1 } else { self.survived += 1 }
    }

    fn ln_likelihood(self, p: f64) -> f64 {
        self.failed as f64 * libm::log(p) + self.survived as f64 * libm::log1p(-p)
    }
}

fn entropy(p: f64) -> f64 {
    if p <= 0.0 || p >= 1.0 { 0.0 } else { -p * libm::log(p) - (1.0 - p) * libm::log1p(-p) }
}
