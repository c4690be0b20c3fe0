//! Proofs of simulated firmwares, each decided by a real course, and how often which answer came.
//!
//! Boundary: a firmware is its failure probability. What trial comes next and what follows from all of them is the course's.

use std::collections::BTreeMap;

use brickproof_explore::{
    Arm, Ask, Budget, Campaign, Class, Conclusion, Course, Finding, Kind, ProveSettings, Repeats, Strata,
};
use brickproof_statistics::{Asked, Counts, Interval, Probability};

/// Confidence of the intervals of what is simulated.
const SHOWN: f64 = 0.95;

pub(crate) fn share(value: f64) -> Probability {
    Probability::new(value).expect("a probability")
}

/// Whether the two firmwares of a pair of trials meet with the same luck.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Luck {
    /// Each with its own, as on a real board.
    Own,
    /// Both with that of the trial's seed, as on a virtual one: firmwares that are alike fare alike.
    Shared,
}

/// Two firmwares, by how often they fail.
#[derive(Clone, Copy)]
pub(crate) struct Pair {
    pub(crate) baseline: f64,
    pub(crate) candidate: f64,
    pub(crate) luck: Luck,
}

impl Pair {
    /// Luck is drawn by trial, not in the order of making: SplitMix64 of the proof and the trial's seed.
    fn fails(self, proof: u64, arm: Arm, seed: u64) -> bool {
        let (p, own) = match arm {
            Arm::Baseline | Arm::Only => (self.baseline, 0),
            Arm::Candidate => (self.candidate, u64::from(self.luck == Luck::Own)),
        };
        let stream = mixed(mixed(2 * proof + own).wrapping_add(seed));
        ((stream >> 11) as f64 / (1u64 << 53) as f64) < p
    }
}

fn mixed(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// How many proofs ended how, and how many trials they took.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    pub(crate) proofs: u64,
    pub(crate) fixed: u64,
    pub(crate) not_fixed: u64,
    /// Each answer in its own words, up to the first number that differs from proof to proof.
    pub(crate) said: BTreeMap<String, u64>,
    pub(crate) baseline_trials: u64,
    pub(crate) candidate_trials: u64,
}

impl Ends {
    /// So many of the proofs, as a share with its interval.
    pub(crate) fn interval(&self, part: u64) -> Interval {
        Counts::new(part, self.proofs).expect("a part of the whole").clopper_pearson(share(SHOWN))
    }

    /// Whether so many may be a share of `asked` at the most.
    pub(crate) fn allows(&self, part: u64, asked: Probability) -> bool {
        self.interval(part).low <= asked
    }

    fn add(&mut self, met: Met, (conclusion, said): &(Conclusion, String)) {
        self.proofs += 1;
        self.baseline_trials += met.baseline.trials;
        self.candidate_trials += met.candidate.trials;
        match conclusion {
            Conclusion::Fixed => self.fixed += 1,
            Conclusion::NotFixed => self.not_fixed += 1,
            _ => {}
        }
        *self.said.entry(said.clone()).or_default() += 1;
    }

    fn join(mut self, other: Self) -> Self {
        self.proofs += other.proofs;
        self.fixed += other.fixed;
        self.not_fixed += other.not_fixed;
        self.baseline_trials += other.baseline_trials;
        self.candidate_trials += other.candidate_trials;
        other.said.into_iter().for_each(|(said, count)| *self.said.entry(said).or_default() += count);
        self
    }
}

/// What a proof met: all that its answer follows from.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Met {
    baseline: Tried,
    candidate: Tried,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Tried {
    trials: u64,
    failures: u64,
}

/// The answer after what was met, made out once: how many more trials would do takes long to say, and the same is met again and again.
type Answers = BTreeMap<Met, (Conclusion, String)>;

/// A proof of nothing in particular: where faults strike is all the same to a firmware that is a probability.
pub(crate) fn beginning(asked: Asked) -> Course {
    let kind = Kind::Prove(ProveSettings { asked, ranges: Vec::new(), strata: Strata::bands(1) });
    let campaign = Campaign { title: "T".to_owned(), kind, seed: 1, budget: Budget::default() };
    Course::new(campaign, Repeats::Roughly).expect("it can be asked")
}

/// Makes one proof to its end.
fn prove(course: &mut Course, pair: Pair, number: u64) -> Met {
    let mut met = Met::default();
    // One at a time: there is always something to ask until it is over.
    while let Ask::Shot(shot) = course.ask() {
        let failed = pair.fails(number, shot.arm, shot.seed);
        let tried = match shot.arm {
            Arm::Candidate => &mut met.candidate,
            Arm::Baseline | Arm::Only => &mut met.baseline,
        };
        tried.trials += 1;
        tried.failures += u64::from(failed);
        let class = if failed { Class::Silent } else { Class::Survived };
        course.record(&Finding::new(class));
    }
    met
}

fn answered(course: &Course) -> (Conclusion, String) {
    let answer = course.answer();
    let head = answer.text.lines().next().unwrap_or_default();
    (answer.conclusion, head.split(';').next().unwrap_or_default().to_owned())
}

/// Makes so many proofs of a pair, each from the beginning; the same ones every time.
pub(crate) fn proofs(beginning: &Course, pair: Pair, count: u64) -> Ends {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let part = |first: u64| {
        let (mut ends, mut answers) = (Ends::default(), Answers::new());
        for number in (first..count).step_by(threads as usize) {
            let mut course = beginning.clone();
            let met = prove(&mut course, pair, number);
            ends.add(met, answers.entry(met).or_insert_with(|| answered(&course)));
        }
        ends
    };
    std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|first| scope.spawn(move || part(first))).collect();
        let ends = handles.into_iter().map(|handle| handle.join().expect("a proof does not panic"));
        ends.fold(Ends::default(), Ends::join)
    })
}
