//! The errors of a whole proof hold, positive control included, and a real fix is not refused.
//!
//! Boundary: fewer proofs of fewer firmwares than the example `proof-characteristic`, and a wider gap between good and bad.

use brickproof_statistics::Asked;

#[path = "common/simulated.rs"]
mod simulated;

use simulated::{Ends, Luck, Pair, beginning, proofs, share};

const GOOD: f64 = 0.01;
const BAD: f64 = 0.1;
const ERROR: f64 = 0.05;

fn asked() -> Asked {
    Asked { good: share(GOOD), bad: share(BAD), alpha: share(ERROR), beta: share(ERROR), cap: 200 }
}

/// With so many proofs, two and a half times the error that was asked would be seen.
fn ends(baseline: f64, candidate: f64, luck: Luck) -> Ends {
    proofs(&beginning(asked()), Pair { baseline, candidate, luck }, 300)
}

#[test]
fn a_real_fix_is_shown_and_a_missing_one_is_not() {
    let fixed = ends(0.5, 0.0, Luck::Own);
    assert_eq!(fixed.fixed, fixed.proofs, "{fixed:?}");
    let good = ends(0.5, GOOD, Luck::Own);
    assert!(good.allows(good.not_fixed, asked().alpha), "{good:?}");
    for luck in [Luck::Own, Luck::Shared] {
        let bad = ends(0.5, BAD, luck);
        assert!(bad.fixed > 0, "it is an error rate, not never: {bad:?}");
        assert!(bad.allows(bad.fixed, asked().beta), "{bad:?}");
    }
}

#[test]
fn without_a_bad_baseline_nothing_is_called_fixed() {
    for candidate in [0.0, GOOD] {
        let edge = ends(BAD, candidate, Luck::Own);
        assert!(edge.allows(edge.fixed, asked().alpha), "{edge:?}");
        assert!(edge.said.keys().any(|said| said.contains("the baseline was not shown")), "{edge:?}");
    }
    let idle = ends(0.0, 0.0, Luck::Own);
    let said = "INCONCLUSIVE: the baseline never failed, so nothing shows that this can tell a fix";
    assert_eq!(idle.said.get(said), Some(&idle.proofs), "{idle:?}");
}

#[test]
fn firmwares_that_are_alike_are_seldom_told_apart() {
    for rate in [BAD, 2.0 * BAD] {
        for luck in [Luck::Own, Luck::Shared] {
            let alike = ends(rate, rate, luck);
            assert!(alike.allows(alike.fixed, share(ERROR)), "{rate}: {alike:?}");
        }
    }
}
