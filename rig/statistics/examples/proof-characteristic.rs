//! Proves simulated firmwares, good and bad, ten thousand times each, and shows how often the answer is wrong.
//!
//! Boundary: a firmware is its failure probability. The trials are drawn one by one; beside them stands what the design computes exactly.
//!
//! `cargo run --release -p brickproof-statistics --example proof-characteristic [PROOFS]`

#![expect(clippy::print_stdout, reason = "it is an example: printing is its purpose")]

use brickproof_statistics::{Asked, Characteristic, Counts, Decision, Design, Outcome, Probability};

/// SplitMix64.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn p(value: f64) -> Probability {
    Probability::new(value).expect("a probability")
}

/// How many proofs ended so, and how many trials they took.
#[derive(Default)]
struct Ends {
    fixed: u64,
    not_fixed: u64,
    inconclusive: u64,
    trials: u64,
}

fn prove(design: &Design, failure: Probability, proofs: u64, seed: u64) -> Ends {
    let mut noise = Noise(seed);
    let mut ends = Ends::default();
    for _ in 0..proofs {
        let mut proof = design.start();
        let decision = loop {
            let outcome = if noise.next() < failure.get() { Outcome::Failed } else { Outcome::Survived };
            match proof.record(outcome) {
                Decision::Continue => {}
                decision => break decision,
            }
        };
        match decision {
            Decision::Fixed => ends.fixed += 1,
            Decision::NotFixed => ends.not_fixed += 1,
            _ => ends.inconclusive += 1,
        }
        ends.trials += proof.counts().trials();
    }
    ends
}

fn share(part: u64, whole: u64, exact: Probability) -> String {
    let counts = Counts::new(part, whole).expect("a part of the whole");
    let estimate = counts.estimate().unwrap_or_default();
    format!("{estimate:>7} ({}; exact {exact})", counts.clopper_pearson(p(0.95)))
}

/// Whether the error that was asked holds: exactly, and not refuted by the simulation.
fn error(what: &str, wrong: u64, proofs: u64, exact: Probability, asked: Probability) -> String {
    let interval = Counts::new(wrong, proofs).expect("a part of the whole").clopper_pearson(p(0.95));
    let held = exact <= asked && interval.low <= asked;
    format!("{what} {asked} asked: {}", if held { "held" } else { "NOT HELD" })
}

fn main() {
    let proofs = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(10_000);
    println!("{proofs} proofs each; alpha = beta = 5 %; intervals: Clopper-Pearson, 95 %");
    // The second cap of the first design leaves some proofs open.
    for (good, bad, cap) in [(0.001, 0.02, 1000), (0.001, 0.02, 200), (0.0005, 0.01, 2000), (0.01, 0.05, 1000)] {
        let asked = Asked { good: p(good), bad: p(bad), alpha: p(0.05), beta: p(0.05), cap };
        let design = Design::new(asked).expect("a design that can be");
        println!(
            "\np0 = {}, p1 = {}, cap {cap}: FIXED after {} clean trials",
            asked.good,
            asked.bad,
            design.clean_run()
        );
        for (index, (name, failure)) in
            [("0", 0.0), ("p0", good), ("p1", bad), ("2 p1", 2.0 * bad)].into_iter().enumerate()
        {
            let ends = prove(&design, p(failure), proofs, cap * 10 + index as u64);
            let Characteristic { fixed, not_fixed, inconclusive, average_trials } = design.characteristic(p(failure));
            println!("  p = {name}");
            println!("    FIXED        {}", share(ends.fixed, proofs, fixed));
            println!("    NOT FIXED    {}", share(ends.not_fixed, proofs, not_fixed));
            println!("    INCONCLUSIVE {}", share(ends.inconclusive, proofs, inconclusive));
            println!(
                "    trials       {:.1} on average (exact {average_trials:.1})",
                ends.trials as f64 / proofs as f64
            );
            let judged = if failure <= good {
                error("alpha", ends.not_fixed, proofs, not_fixed, asked.alpha)
            } else {
                error("beta", ends.fixed, proofs, fixed, asked.beta)
            };
            println!("    {judged}");
        }
    }
}
