//! Torn keys come from cut flash operations: every operation of real key updates is cut, on the real board with the shipped images.
//!
//! Boundary: fewer fractions and seeds than the example `torn-keys`, and the laws that must hold for any number of them.

use std::num::NonZero;

use brickproof_sim::cuts::keys::{self, Release, Survival, Tally, Updates};
use brickproof_sim::cuts::{self, CHIPS, SecondCuts, Sweep};
use brickproof_virtual_board::chip::Chip;
use brickproof_virtual_board::flash::{Cells, CutPoint, FlashOperation};

const TWO: NonZero<usize> = NonZero::<usize>::MIN.saturating_add(1);

fn updates(chip: Chip, release: Release, cells: Cells) -> Updates {
    keys::record(chip, release, cells, 0).expect("an undisturbed board updates its key")
}

/// Every operation, before it, at four fractions and after it.
fn swept(release: Release, cells: Cells, seeds: u64) -> Sweep<Tally> {
    cuts::sweep(&updates(Chip::Nrf51822, release, cells).steps, &cuts::cut_points(5), seeds, TWO)
}

/// One first cut in every 23 operations, and then every operation of the healing.
fn cut_twice(chip: Chip, cells: Cells) -> SecondCuts<Tally> {
    const STRIDE: NonZero<usize> = NonZero::<usize>::MIN.saturating_add(22);
    let steps = updates(chip, Release::HealFull, cells).steps;
    cuts::sweep_healing(&steps, STRIDE, &cuts::cut_points(3), 1, TWO)
}

fn erased_pages(updates: &Updates) -> Vec<u32> {
    let page = |operation| match operation {
        FlashOperation::ErasePage { address } => Some(address),
        _ => None,
    };
    updates.steps.iter().filter_map(|step| page(step.operation().operation)).collect()
}

#[test]
fn each_key_page_is_erased_twice_before_the_last_cut() {
    let pages = |chip, release| erased_pages(&updates(chip, release, Cells::Ideal));
    assert_eq!(pages(Chip::Nrf51822, Release::NoHeal), [0x3_ec00, 0x3_ec00]);
    assert_eq!(pages(Chip::Nrf52840, Release::HealParse), [0xf_e000, 0xf_e000]);
    assert_eq!(pages(Chip::Stm32f205, Release::HealBlank), [0x0800_4000, 0x0800_4000]);
    // First the copy touched last, then the other one; the next update begins with that.
    assert_eq!(pages(Chip::Nrf51822, Release::HealFull), [0x3_fc00, 0x3_ec00, 0x3_ec00, 0x3_fc00]);
    assert_eq!(pages(Chip::Nrf52840, Release::HealFull), [0xf_f000, 0xf_e000, 0xf_e000, 0xf_f000]);
    assert_eq!(pages(Chip::Stm32f205, Release::HealFull), [0x0800_8000, 0x0800_4000, 0x0800_4000, 0x0800_8000]);
}

#[test]
fn heal_full_loses_nothing_when_cells_change_one_by_one() {
    for cells in [Cells::Ideal, Cells::Fractional] {
        let total = swept(Release::HealFull, cells, 1).total();
        assert!(total.trials > 1500 && total.old > 0 && total.new > 0, "{cells:?}: {total:?}");
        assert_eq!((total.lost, total.silently_wrong, total.torn + total.blank), (0, 0, 0), "{cells:?}: {total:?}");
    }
}

#[test]
fn heal_full_loses_nothing_when_the_healing_is_cut_too() {
    for (chip, cells) in CHIPS.into_iter().flat_map(|chip| [(chip, Cells::Ideal), (chip, Cells::Fractional)]) {
        let second = cut_twice(chip, cells);
        let total = second.sweep.total();
        assert!(second.healed >= second.first_cuts / 2 && total.trials > 1500, "{chip:?} {cells:?}: {second:?}");
        assert_eq!((total.lost, total.silently_wrong), (0, 0), "{chip:?} {cells:?}: {total:?}");
    }
}

#[test]
fn heal_full_never_takes_a_wrong_key_for_good_even_when_cells_read_at_random() {
    let once = swept(Release::HealFull, Cells::Marginal, 1).total();
    let twice = cut_twice(Chip::Nrf51822, Cells::Marginal).sweep.total();
    assert_eq!((once.silently_wrong, twice.silently_wrong), (0, 0), "{once:?} {twice:?}");
}

#[test]
fn a_single_copy_is_torn_blanked_and_believed() {
    let total = swept(Release::NoHeal, Cells::Fractional, 1).total();
    for (what, count) in [("old", total.old), ("new", total.new), ("torn", total.torn), ("blank", total.blank)] {
        assert!(count > 0, "no {what} key in {total:?}");
    }
    // The public half of the key is torn, and nothing in the release looks at it.
    assert!(total.silently_wrong > 0 && total.lost > total.silently_wrong, "{total:?}");
}

#[test]
fn each_step_of_healing_loses_fewer_boards() {
    let lost = Release::ALL.map(|release| swept(release, Cells::Fractional, 1).total().lost);
    assert!(lost.is_sorted_by(|careless, careful| careless > careful), "{lost:?}");
}

/// What is read from flash is what the firmware and the cloud make of it.
#[test]
fn a_board_is_lost_exactly_if_its_cloud_turns_it_away() {
    let half = CutPoint::Fraction { numerator: 1, denominator: 2 };
    for (release, chip) in Release::ALL.into_iter().zip(CHIPS.into_iter().cycle()) {
        let steps = updates(chip, release, Cells::Fractional).steps;
        for (index, step) in steps.iter().enumerate().step_by(5) {
            let at = [CutPoint::Before, half, CutPoint::After][index % 3];
            let fate = step.cut(at, 7).unwrap();
            let alive = fate.survival == Survival::Alive;
            assert_eq!(step.connects(at, 7), alive, "{release:?}, operation {index} {at:?}: {fate:?}");
        }
    }
}

#[test]
fn a_sweep_is_the_same_again_and_with_any_number_of_threads() {
    let steps = updates(Chip::Nrf51822, Release::HealFull, Cells::Marginal).steps;
    let digest = |threads| cuts::sweep(&steps[..40], &cuts::cut_points(3), 3, threads).digest();
    let alone = digest(NonZero::<usize>::MIN);
    assert_eq!((alone, alone), (digest(TWO), digest(TWO)));
    let again = updates(Chip::Nrf51822, Release::HealFull, Cells::Marginal).steps;
    assert_eq!(alone, cuts::sweep(&again[..40], &cuts::cut_points(3), 3, TWO).digest());
    assert_ne!(alone, cuts::sweep(&steps[..40], &cuts::cut_points(3), 4, TWO).digest(), "seeds matter");
}
