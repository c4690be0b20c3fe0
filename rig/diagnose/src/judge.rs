//! The order of the causes: how well each explains what was seen, and what was not.
//!
//! Boundary: arithmetic. Signs are taken for independent given a cause, which they are not (a red flash and its log line come together), so
//! that shares are too sure of themselves; their order is what counts.

use brickproof_boards::Transport;

use crate::cause::{Cause, Hypothesis};
use crate::knowledge::{Showing, prior_of};
use crate::next::{self, Measurement};
use crate::observed::Observed;
use crate::sign::Sign;

/// A sign that speaks for a cause or against it.
#[derive(Clone, Debug, PartialEq)]
pub struct Weight {
    /// Which.
    pub sign: Sign,
    /// Where it was seen. `None`: it was looked for and not seen.
    pub seen: Option<String>,
    /// The natural logarithm of how much likelier that is with this cause than with the others: above zero speaks for it.
    pub nats: f64,
}

/// A cause in its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    /// Which.
    pub hypothesis: Hypothesis,
    /// Its share of all explanations, 0 to 1.
    pub share: f64,
    /// What speaks for it, the strongest first.
    pub evidence_for: Vec<Weight>,
    /// What speaks against it, the strongest first.
    pub evidence_against: Vec<Weight>,
}

/// What an observation comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnosis {
    /// Every cause, the likeliest first; never none. A blocked network that is nearly as likely goes before a key.
    pub ranking: Vec<Ranked>,
    /// What would separate the first two. `None` if nothing that is known would.
    pub next: Option<Measurement>,
}

impl Diagnosis {
    /// The likeliest cause.
    pub fn first(&self) -> &Ranked {
        &self.ranking[0]
    }
}

/// Less than this speaks neither for nor against.
const WORTH_SAYING: f64 = 0.4;

/// Orders the causes. A board whose transport is unknown is taken for both kinds at once, each as likely.
pub fn diagnose(observed: &Observed, transport: Option<Transport>) -> Diagnosis {
    let transports = transport.map_or(vec![Transport::Udp, Transport::Tcp], |known| vec![known]);
    let mut explained: Vec<Explained> = Hypothesis::all().map(|it| Explained::new(it, observed, &transports)).collect();
    explained.sort_by(|one, other| other.score.total_cmp(&one.score));
    harmless_first(&mut explained);
    let whole: f64 = explained.iter().map(|it| it.score).sum();
    let ranked = |index: usize| {
        let (evidence_for, evidence_against) = weights(observed, &explained, index);
        let Explained { hypothesis, score, .. } = &explained[index];
        Ranked { hypothesis: *hypothesis, share: score / whole, evidence_for, evidence_against }
    };
    let ranking: Vec<Ranked> = (0..explained.len()).map(ranked).collect();
    let next = next::separating(ranking[0].hypothesis, ranking[1].hypothesis, observed);
    Diagnosis { ranking, next }
}

/// A network that explains what was seen nearly as well as a key does goes before it: it costs nothing to try another one, and an identity that
/// was written over is gone.
fn harmless_first(explained: &mut [Explained]) {
    let network = explained.iter().position(|it| it.hypothesis == Hypothesis::One(Cause::NetworkBlocked));
    let Some(network) = network else { return };
    let of_keys = |it: &Explained| it.hypothesis.causes().any(Cause::is_of_keys);
    if of_keys(&explained[0]) && explained[network].score * NEARLY >= explained[0].score {
        explained[..=network].rotate_right(1);
    }
}

/// One explanation is nearly as good as another that is no more likely than so many times.
const NEARLY: f64 = 3.0;

/// A cause held to what was observed.
struct Explained {
    hypothesis: Hypothesis,
    score: f64,
    /// Every way in which it shows itself, and how likely it is this one, given what was seen.
    showings: Vec<(Showing, f64)>,
}

impl Explained {
    fn new(hypothesis: Hypothesis, observed: &Observed, transports: &[Transport]) -> Self {
        let all = transports.iter().flat_map(|transport| Showing::all(hypothesis, *transport));
        let mut showings: Vec<(Showing, f64)> = all
            .map(|showing| {
                let nats: f64 = Sign::ALL.iter().map(|sign| one_sign(observed, *sign, showing.likelihood(*sign))).sum();
                (showing, showing.share * libm::exp(nats))
            })
            .collect();
        let explains: f64 = showings.iter().map(|(_, weight)| weight).sum();
        showings.iter_mut().for_each(|(_, weight)| *weight /= explains);
        Self { hypothesis, score: prior_of(hypothesis) * explains, showings }
    }

    /// How likely `sign` is with this cause, in the way in which it most likely shows itself.
    fn likelihood(&self, sign: Sign) -> f64 {
        self.showings.iter().map(|(showing, weight)| showing.likelihood(sign) * weight).sum()
    }

    /// How likely `sign` is with this cause before anything is known.
    fn likelihood_before(&self, sign: Sign) -> f64 {
        let shares: f64 = self.showings.iter().map(|(showing, _)| showing.share).sum();
        self.showings.iter().map(|(showing, _)| showing.likelihood(sign) * showing.share / shares).sum()
    }
}

fn one_sign(observed: &Observed, sign: Sign, likely: f64) -> f64 {
    match observed.seen(sign) {
        Some(_) => libm::log(likely),
        None => observed.absence(sign) * libm::log(1.0 - likely),
    }
}

/// What speaks for `explained[index]` and what against, in comparison with all others before anything was seen: two causes that show
/// themselves alike have the same evidence.
fn weights(observed: &Observed, explained: &[Explained], index: usize) -> (Vec<Weight>, Vec<Weight>) {
    let others = || explained.iter().enumerate().filter(|(at, _)| *at != index).map(|(_, other)| other);
    let whole: f64 = others().map(|other| prior_of(other.hypothesis)).sum();
    let (mut evidence_for, mut against) = (Vec::new(), Vec::new());
    for sign in Sign::ALL.iter().copied() {
        let weighed = others().map(|other| other.likelihood_before(sign) * prior_of(other.hypothesis) / whole);
        let elsewhere: f64 = weighed.sum();
        let nats = one_sign(observed, sign, explained[index].likelihood(sign)) - one_sign(observed, sign, elsewhere);
        let seen = observed.seen(sign).map(|seen| seen.evidence.clone());
        let weight = Weight { sign, seen, nats };
        if nats >= WORTH_SAYING {
            evidence_for.push(weight);
        } else if nats <= -WORTH_SAYING {
            against.push(weight);
        }
    }
    evidence_for.sort_by(|one, other| other.nats.total_cmp(&one.nats));
    against.sort_by(|one, other| one.nats.total_cmp(&other.nats));
    (evidence_for, against)
}
