//! The statistics against the numbers of other implementations: `reference/make.py` says which and how.

use brickproof_statistics::{
    Counts, Probability, fisher_baseline_fails_more, fisher_differ, fisher_stratified, holm, median_ranks, success_run,
};

/// The rows of a table, without its two lines of header.
fn rows(table: &str) -> Vec<Vec<f64>> {
    let path = format!("{}/tests/reference/{table}.csv", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect("the table is committed beside this file");
    let rows: Vec<Vec<f64>> = text
        .lines()
        .skip(2)
        .map(|line| line.split(',').map(|cell| cell.parse().expect("a number")).collect())
        .collect();
    assert!(rows.len() > 9, "{path} has {} rows", rows.len());
    rows
}

#[track_caller]
fn near(ours: Probability, theirs: f64, within: f64, what: &str) {
    let off = (ours.get() - theirs).abs();
    // statsmodels leaves the rounding where Wilson's interval ends at zero.
    assert!(off <= within * theirs.abs() || off < 1e-16, "{what}: {} here, {theirs} there", ours.get());
}

fn p(value: f64) -> Probability {
    Probability::new(value).expect("the table has probabilities")
}

fn counts(failures: f64, trials: f64) -> Counts {
    Counts::new(failures as u64, trials as u64).expect("the table has counts")
}

#[test]
fn intervals_of_proportions_are_those_of_scipy_and_statsmodels() {
    for row in rows("proportion") {
        let (counts, confidence) = (counts(row[0], row[1]), p(row[2]));
        let (exact, wilson) = (counts.clopper_pearson(confidence), counts.wilson(confidence));
        near(exact.low, row[3], 1e-9, &format!("Clopper-Pearson low {row:?}"));
        near(exact.high, row[4], 1e-9, &format!("Clopper-Pearson high {row:?}"));
        near(counts.upper_bound(confidence), row[5], 1e-9, &format!("upper bound {row:?}"));
        near(wilson.low, row[6], 1e-9, &format!("Wilson low {row:?}"));
        near(wilson.high, row[7], 1e-9, &format!("Wilson high {row:?}"));
    }
}

#[test]
fn success_runs_are_those_of_the_binomial_distribution_of_scipy() {
    for row in rows("success-run") {
        assert_eq!(success_run(p(row[0]), p(row[1])), Some(row[2] as u64), "{row:?}");
    }
}

#[test]
fn fishers_test_is_that_of_scipy() {
    for row in rows("fisher") {
        let (baseline, candidate) = (counts(row[0], row[1]), counts(row[2], row[3]));
        near(fisher_baseline_fails_more(baseline, candidate), row[4], 1e-8, &format!("one-sided {row:?}"));
        near(fisher_differ(baseline, candidate), row[5], 1e-8, &format!("two-sided {row:?}"));
    }
}

#[test]
fn the_test_over_strata_is_every_split_of_the_failures_counted() {
    let rows = rows("strata");
    for case in rows.chunk_by(|a, b| a[0] == b[0]) {
        let strata: Vec<_> = case.iter().map(|row| (counts(row[1], row[2]), counts(row[3], row[4]))).collect();
        for (found, what) in [
            (fisher_stratified(strata.iter().copied()), "as they stand"),
            (fisher_stratified(strata.iter().rev().copied()), "backwards"),
        ] {
            near(found.p, case[0][5], 1e-9, &format!("p {what} {case:?}"));
            near(found.least, case[0][6], 1e-9, &format!("least {what} {case:?}"));
        }
    }
}

#[test]
fn the_ranks_around_a_median_are_those_of_the_binomial_distribution() {
    for row in rows("median-ranks") {
        let ranks = (row[2] >= 0.0).then_some((row[2] as usize, row[3] as usize));
        assert_eq!(median_ranks(row[0] as usize, p(row[1])), ranks, "{row:?}");
    }
}

#[test]
fn holms_method_is_that_of_statsmodels() {
    let rows = rows("holm");
    for case in rows.chunk_by(|a, b| a[0] == b[0]) {
        let adjusted = holm(&case.iter().map(|row| p(row[1])).collect::<Vec<_>>());
        for (ours, row) in adjusted.iter().zip(case) {
            near(*ours, row[2], 1e-12, &format!("{row:?}"));
        }
    }
}
