//! Stores that others wrote lose what `fixtures/firmware/stores/README.md` says, and nothing else.
//!
//! Boundary: fewer operations, fractions and seeds than the example `torn-stores`. The counts are what these versions of the stores do; a
//! change of them is a change of the images, of the physics or of the judgement.

use std::num::NonZero;

use brickproof_sim::cuts::stores::{self, CHIPS, Fate, Finding, Found, Id, Store, Tally, Updates};
use brickproof_sim::cuts::{self, Row, Step, Sweep, Tally as _};
use brickproof_virtual_board::chip::Chip;
use brickproof_virtual_board::flash::{Cells, CutPoint, FlashOperation};

const TWO: NonZero<usize> = NonZero::<usize>::MIN.saturating_add(1);

fn updates(chip: Chip, store: Store, cells: Cells) -> Updates {
    stores::record(chip, store, cells).expect("an undisturbed store acknowledges every update")
}

fn steps(chip: Chip, store: Store, cells: Cells) -> Vec<Step<Store>> {
    updates(chip, store, cells).steps
}

/// Every `stride`th operation, before it, in the middle of it and after it.
fn swept(chip: Chip, store: Store, cells: Cells, stride: usize) -> Sweep<Tally> {
    let some: Vec<_> = steps(chip, store, cells).into_iter().step_by(stride).collect();
    cuts::sweep(&some, &cuts::cut_points(2), 1, TWO)
}

fn page_erased(step: &Step<Store>) -> Option<u32> {
    match step.operation().operation {
        FlashOperation::ErasePage { address } => Some(address),
        _ => None,
    }
}

/// Coprime to the lengths of what the stores write, so that every part of a record is met. The larger a page, the more is written before one is
/// erased.
const fn stride(chip: Chip) -> usize {
    match chip {
        Chip::Nrf51822 => 23,
        Chip::Nrf52840 | Chip::Stm32f205 => 211,
    }
}

#[test]
fn a_thinned_sweep_of_every_store_comes_to_the_same_as_ever() {
    let row = |chip, store: Store, cells| {
        let sweep = swept(chip, store, cells, stride(chip));
        let label = format!("{} {} {}", cuts::name_of_chip(chip), store.name(), cuts::name_of_cells(cells));
        Row { label, operations: sweep.operations.len(), tally: sweep.total() }
    };
    let stores = CHIPS.into_iter().flat_map(|chip| Store::ALL.map(|store| (chip, store)));
    let rows: Vec<_> = stores.flat_map(|(chip, store)| cuts::models().map(|cells| row(chip, store, cells))).collect();
    insta::assert_snapshot!(cuts::table(&rows));
}

#[test]
fn pages_are_erased_twice_before_the_last_cut() {
    let erased_twice = |chip, store| {
        let mut pages: Vec<_> = steps(chip, store, Cells::Ideal).iter().filter_map(page_erased).collect();
        pages.sort_unstable();
        pages.chunk_by(|a, b| a == b).filter(|same| same.len() >= 2).count()
    };
    let stores = CHIPS.map(|chip| Store::ALL.map(|store| erased_twice(chip, store)));
    assert_eq!(stores, [[2, 13, 2], [2, 13, 2]]);
}

/// A page of nRF52840 may be programmed twice in each of its words (nWRITE): no store relies on more.
#[test]
fn no_store_programs_a_word_more_often_than_the_part_allows() {
    assert!(Chip::Nrf52840.flash().writes_per_word.is_some());
    for store in Store::ALL {
        assert_eq!(updates(Chip::Nrf52840, store, Cells::Ideal).excess_writes, 0, "{store:?}");
    }
}

/// An erase that stops in its first half leaves the marks of a page that is in use, and the repair at the next update takes the whole page next
/// to it for the broken one.
#[test]
fn sequential_storage_loses_a_whole_page_to_the_repair_after_half_an_erase() {
    const SEEDS: u64 = 4;
    let early = CutPoint::Fraction { numerator: 1, denominator: 5 };
    // A loss that is seen only after one more update, the device key among what is lost.
    let is_by_the_repair =
        |fate: &Fate| (fate.finding, fate.found) == (Finding::Lost, Found::Later) && fate.items.contains(7);
    let lost_by_the_repair = |chip, cells| {
        let erases = updates(chip, Store::SequentialStorage, cells).erases();
        let cuts = erases.iter().flat_map(|erase| (0..SEEDS).map(move |seed| erase.cut(early, seed)));
        cuts.map(|fate| fate.expect("a cut falls")).filter(is_by_the_repair).count()
    };
    for chip in CHIPS {
        assert!(lost_by_the_repair(chip, Cells::Fractional) >= 2, "{chip:?}");
        assert_eq!(lost_by_the_repair(chip, Cells::Ideal), 0, "{chip:?}");
    }
}

#[test]
fn littlefs_loses_nothing_where_erases_are_cut() {
    for (chip, cells) in CHIPS.into_iter().flat_map(|chip| [(chip, Cells::Ideal), (chip, Cells::Fractional)]) {
        let erases = updates(chip, Store::LittleFs, cells).erases();
        let total = cuts::sweep(&erases, &cuts::cut_points(5), 2, TWO).total();
        assert!(total.trials >= 48, "{total:?}");
        assert_eq!(total.lost(), 0, "{chip:?} {cells:?}: {}", total.losses());
    }
}

/// The finding that needs no physics: a header of two words, of which only the first was written.
#[test]
fn ekv_cannot_be_mounted_after_half_a_chunk_header() {
    let steps = steps(Chip::Nrf51822, Store::Ekv, Cells::Ideal);
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
    let sweep = cuts::sweep(&steps(Chip::Nrf51822, Store::Ekv, Cells::Ideal)[..80], &cuts::cut_points(1), 1, TWO);
    let lost = sweep.operations.iter().filter(|outcome| outcome.tally.lost() > 0);
    let trial = lost.clone().find_map(|outcome| outcome.losses.get("unmountable")).expect("ekv has that window");
    let id = Id { store: Store::Ekv, chip: Chip::Nrf51822, cells: Cells::Ideal, trial: *trial };
    let again = id.to_string().parse::<Id>().expect("a name reads as it is written");
    let replay = stores::replay(&again).expect("it was recorded before").expect("it was swept");
    insta::assert_snapshot!(format!("{id}\n{replay}"));
}

#[test]
fn a_sweep_is_the_same_again_and_with_any_number_of_threads() {
    let steps = &steps(Chip::Nrf51822, Store::SequentialStorage, Cells::Marginal)[..12];
    let digest = |threads, seeds| cuts::sweep(steps, &cuts::cut_points(3), seeds, threads).digest();
    let alone = digest(NonZero::<usize>::MIN, 1);
    assert_eq!((alone, alone), (digest(NonZero::<usize>::MIN, 1), digest(TWO, 1)));
    assert_ne!(alone, digest(TWO, 2), "seeds matter");
}
