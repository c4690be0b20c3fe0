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
use damage::{Done, Size};

#[test]
fn five_hundred_damaged_boards_are_found_as_they_were_made_and_begin_as_they_were_found() {
    let boards = damage::all(Size { seeds: 1, stride: 30, fractions: 2 }).expect("boards update their keys");
    let cuts = boards.iter().filter(|it| matches!(it.done, Done::Cut { .. })).count();
    assert!(boards.len() >= 500 && cuts >= 100, "{} boards, {cuts} of them cut", boards.len());
    let classes: BTreeSet<Corruption> = boards
        .iter()
        .filter_map(|it| match it.done {
            Done::Corrupted { class, .. } => Some(class),
            Done::Cut { .. } => None,
        })
        .collect();
    assert_eq!(classes.len(), Corruption::ALL.len(), "{classes:?}");
    let library = Library::built_in();
    let go = |half: &[damage::Damaged]| half.iter().map(|board| trip::go(board, &library)).collect::<Vec<_>>();
    let (first, second) = boards.split_at(boards.len() / 2);
    let gone = std::thread::scope(|scope| {
        let other = scope.spawn(|| go(second));
        let first = go(first);
        first.into_iter().chain(other.join().expect("nothing panics")).collect::<Vec<_>>()
    });
    let mut confusion = Confusion::default();
    for (damaged, gone) in boards.iter().zip(gone) {
        let round = gone.unwrap_or_else(|why| panic!("{:?}: {why}", damaged.done));
        confusion.count(damaged, &round.findings);
        assert!(round.foretold.is_some(), "{:?}: not foretold", damaged.done);
    }
    assert!(confusion.slots() >= 6 * 500, "both areas of every board were looked at");
    assert!(confusion.wrong.is_empty(), "{confusion}\n{:#?}", confusion.wrong);
}
