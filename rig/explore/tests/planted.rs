//! One unsafe word in a whole update is found: by striking every operation, and by searching for a window without knowing of any.

#[path = "common/planted.rs"]
mod planted;

use brickproof_statistics::WindowEdge;
use brickproof_units::Instant;
use planted::{PLANTED, Planted, RANGE, RESOLUTION, WORD};

const SEED: u64 = 1;

#[test]
fn every_operation_of_the_update_is_safe_but_the_planted_one() {
    let planted = Planted::read();
    let aimed = planted.aimed(SEED, 1);
    let mut sweep = planted::sweep(&aimed, 1, SEED);
    planted::conduct(&mut sweep, &planted.laboratory(SEED), |_| false);
    let failed: Vec<_> = planted::failed(&sweep, &aimed).map(|it| it.operation).collect();
    // Right after it counts as well: while the rail falls the flash is slower than it was when its operations were recorded.
    assert!(!failed.is_empty() && failed.iter().all(|it| *it == PLANTED), "of {} points: {failed:?}", aimed.len());
}

#[test]
fn a_search_finds_both_edges_of_the_planted_word() {
    let planted = Planted::read();
    let aimed = planted.aimed(SEED, 1);
    let word = aimed.iter().filter(|it| it.operation == PLANTED).map(|it| Instant::START + it.after);
    let (opens, closes) = (word.clone().min().expect("it is struck"), word.max().expect("it is struck"));
    let mut search = planted::find_window(SEED);
    planted::conduct(&mut search, &planted.laboratory(SEED), |course| !course.windows().is_empty());
    let found = search.windows();
    let [window] = &found[..] else { panic!("one word is unsafe: {found:?}") };
    for (edge, planted) in [(window.opens, opens), (window.closes, closes)] {
        let WindowEdge::Resolved { at, low, high } = edge else { panic!("not resolved: {edge:?}") };
        let error = if at > planted { at.since(planted) } else { planted.since(at) };
        assert!(error < RESOLUTION && high.since(low) <= RESOLUTION, "{planted}: {edge:?}");
    }
    let grid = RANGE.as_nanos() / RESOLUTION.as_nanos();
    assert!(search.progress().done < grid, "{} trials where a grid takes {grid}", search.progress().done);
    assert!(closes.since(opens) < WORD + RESOLUTION, "the variant is unsafe for a word, not for {opens} to {closes}");
}
