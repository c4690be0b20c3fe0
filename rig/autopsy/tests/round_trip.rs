//! Damaged boards go round: found, written as a scenario, linted, begun with the same bytes, and found to be the same.

#[path = "../examples/round-trip/confusion.rs"]
mod confusion;
#[path = "../examples/round-trip/damage.rs"]
mod damage;
#[path = "../examples/round-trip/trip.rs"]
mod trip;

use std::collections::BTreeSet;

use brickproof_keys::Corruption;
use brickproof_scenario::Library;
use confusion::Confusion;
use damage::{Damaged, Done, Size, Subject};
use trip::Round;

#[test]
fn five_hundred_damaged_boards_are_found_as_they_were_made_and_begin_as_they_were_found() {
    let (subjects, library) = (damage::subjects(), Library::built_in());
    let (first, second) = subjects.split_at(subjects.len() / 2);
    let gone = std::thread::scope(|scope| {
        let other = scope.spawn(|| go(second, &library));
        let first = go(first, &library);
        first.into_iter().chain(other.join().expect("nothing panics")).collect::<Vec<_>>()
    });
    let cuts = gone.iter().filter(|(damaged, _)| matches!(damaged.done, Done::Cut { .. })).count();
    assert!(gone.len() >= 500 && cuts >= 100, "{} boards, {cuts} of them cut", gone.len());
    let class = |(damaged, _): &(Damaged, _)| match damaged.done {
        Done::Corrupted { class, .. } => Some(class),
        Done::Cut { .. } => None,
    };
    let classes: BTreeSet<Corruption> = gone.iter().filter_map(class).collect();
    assert_eq!(classes.len(), Corruption::ALL.len(), "{classes:?}");
    let mut confusion = Confusion::default();
    for (damaged, round) in &gone {
        assert!(round.foretold.is_some(), "{:?}: not foretold", damaged.done);
        confusion.count(damaged, &round.findings);
    }
    assert!(confusion.slots() >= 6 * 500, "both areas of every board were looked at");
    assert!(confusion.wrong.is_empty(), "{confusion}\n{:#?}", confusion.wrong);
}

/// The damaged boards of these, each without its bytes, and what came of them.
fn go(subjects: &[Subject], library: &Library) -> Vec<(Damaged, Round)> {
    let size = Size { seeds: 1, stride: 42, fractions: 2 };
    let mut gone = Vec::new();
    for damaged in subjects.iter().flat_map(|subject| damage::of(subject, size).expect("boards update their keys")) {
        let round = trip::go(&damaged, library).unwrap_or_else(|why| panic!("{:?}: {why}", damaged.done));
        gone.push((Damaged { flash: Vec::new(), ..damaged }, round));
    }
    gone
}
