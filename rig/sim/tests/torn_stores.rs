//! Stores that others wrote lose what `fixtures/firmware/stores/README.md` says, and nothing else.
//!
//! Boundary: fewer operations, fractions and seeds than the example `torn-stores`. The counts are what these versions of the stores do; a
//! change of them is a change of the images, of the physics or of the judgement.

use std::num::NonZero;

use brickproof_sim::cuts::stores::{self, Finding, Found, Id, Store, Tally};
use brickproof_sim::cuts::{self, Row, Step, Sweep, Tally as _};
use brickproof_virtual_board::flash::{Cells, CutPoint, FlashOperation};

const TWO: NonZero<usize> = NonZero::<usize>::MIN.saturating_add(1);
const MODELS: [Cells; 3] = [Cells::Ideal, Cells::Fractional, Cells::Marginal];

fn steps(store: Store, cells: Cells) -> Vec<Step<Store>> {
    stores::record(store, cells).expect("an undisturbed store acknowledges every update").steps
}

/// Every `stride`th operation, before it, in the middle of it and after it.
fn swept(store: Store, cells: Cells, stride: usize) -> Sweep<Tally> {
    let some: Vec<_> = steps(store, cells).into_iter().step_by(stride).collect();
    cuts::sweep(&some, &cuts::cut_points(2), 1, TWO)
}

fn page_erased(step: &Step<Store>) -> Option<u32> {
    match step.operation().operation {
        FlashOperation::ErasePage { address } => Some(address),
        _ => None,
    }
}

#[test]
fn a_thinned_sweep_of_every_store_comes_to_the_same_as_ever() {
    // Coprime to the lengths of what the stores write, so that every part of a record is met.
    const STRIDE: usize = 23;
    let row = |(store, cells): (Store, Cells)| {
        let sweep = swept(store, cells, STRIDE);
        let label = format!("{} {}", store.name(), stores::name_of_cells(cells));
        Row { label, operations: sweep.operations.len(), tally: sweep.total() }
    };
    let rows: Vec<_> = Store::ALL.into_iter().flat_map(|store| MODELS.map(|cells| (store, cells))).map(row).collect();
    insta::assert_snapshot!(cuts::table(&rows));
}

#[test]
fn pages_are_erased_twice_before_the_last_cut() {
    let erased_twice = |store| {
        let mut pages: Vec<_> = steps(store, Cells::Ideal).iter().filter_map(page_erased).collect();
        pages.sort_unstable();
        pages.chunk_by(|a, b| a == b).filter(|same| same.len() >= 2).count()
    };
    assert_eq!(Store::ALL.map(erased_twice), [2, 13, 2]);
}

/// An erase that stops in its first half leaves the marks of a page that is in use, and the repair at the next update takes the whole page next
/// to it for the broken one.
#[test]
fn sequential_storage_loses_a_whole_page_to_the_repair_after_half_an_erase() {
    let erase = |cells| {
        let mut steps = steps(Store::SequentialStorage, cells).into_iter();
        steps.find(|step| page_erased(step).is_some()).expect("a page is erased")
    };
    let third = CutPoint::Fraction { numerator: 1, denominator: 3 };
    let fate = erase(Cells::Fractional).cut(third, 0).expect("a cut falls");
    assert_eq!((fate.finding, fate.found), (Finding::Lost, Found::Later), "{fate}");
    assert!(fate.items.contains(7), "the device key is among them: {fate}");
    let fate = erase(Cells::Ideal).cut(third, 0).expect("a cut falls");
    assert_eq!(fate.finding, Finding::Old, "{fate}");
}

#[test]
fn littlefs_loses_nothing_where_erases_are_cut() {
    for cells in [Cells::Ideal, Cells::Fractional] {
        let erases: Vec<_> =
            steps(Store::LittleFs, cells).into_iter().filter(|step| page_erased(step).is_some()).collect();
        let total = cuts::sweep(&erases, &cuts::cut_points(5), 2, TWO).total();
        assert!(total.trials >= 48, "{total:?}");
        assert_eq!(total.lost(), 0, "{cells:?}: {}", total.losses());
    }
}

/// The finding that needs no physics: a header of two words, of which only the first was written.
#[test]
fn ekv_cannot_be_mounted_after_half_a_chunk_header() {
    let steps = steps(Store::Ekv, Cells::Ideal);
    let finding = |step: &Step<Store>, at| step.cut(at, 0).expect("a cut falls").finding;
    let breaks = |step: &&Step<Store>| finding(step, CutPoint::After) == Finding::Unmountable;
    let first = steps.iter().take(300).find(breaks).expect("the first commit has such a word");
    let next =
        steps.iter().find(|step| step.operation().index == first.operation().index + 1).expect("it has a second word");
    assert_eq!(finding(first, CutPoint::Before), Finding::Old);
    assert_eq!(finding(next, CutPoint::Before), Finding::Unmountable);
    let whole = finding(next, CutPoint::After);
    assert!(whole <= Finding::New, "{whole:?}");
}

#[test]
fn a_replay_tells_what_the_sweep_counted_and_what_was_said() {
    let sweep = cuts::sweep(&steps(Store::Ekv, Cells::Ideal)[..80], &cuts::cut_points(1), 1, TWO);
    let lost = sweep.operations.iter().filter(|outcome| outcome.tally.lost() > 0);
    let trial = lost.clone().find_map(|outcome| outcome.losses.get("unmountable")).expect("ekv has that window");
    let id = Id { store: Store::Ekv, cells: Cells::Ideal, trial: *trial };
    let again = id.to_string().parse::<Id>().expect("a name reads as it is written");
    let replay = stores::replay(&again).expect("it was recorded before").expect("it was swept");
    insta::assert_snapshot!(format!("{id}\n{replay}"));
}

#[test]
fn a_sweep_is_the_same_again_and_with_any_number_of_threads() {
    let steps = &steps(Store::SequentialStorage, Cells::Marginal)[..12];
    let digest = |threads, seeds| cuts::sweep(steps, &cuts::cut_points(3), seeds, threads).digest();
    let alone = digest(NonZero::<usize>::MIN, 1);
    assert_eq!((alone, alone), (digest(NonZero::<usize>::MIN, 1), digest(TWO, 1)));
    assert_ne!(alone, digest(TWO, 2), "seeds matter");
}
