//! The laws of torn flash, for every cell model.

use brickproof_units::{Instant, Ratio};
use proptest::prelude::*;

use super::*;

const PAGE: u32 = 3 * 4096;

fn flash(cells: Cells) -> Flash {
    let mut flash = Flash::new(FlashGeometry::NRF52840, cells, 42);
    flash.write_raw(PAGE - 4096, &[0xA5; 3 * 4096]).unwrap();
    flash
}

fn bytes(flash: &Flash, address: u32, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    flash.read_raw(address, &mut bytes).unwrap();
    bytes
}

fn cut(flash: &mut Flash, operation: FlashOperation, ppm: u64) {
    flash.begin(operation, Instant::START).unwrap();
    flash.cut(Instant::from_nanos(1), Ratio::new(ppm));
}

const MODELS: [Cells; 3] = [Cells::Ideal, Cells::Fractional, Cells::Marginal];
const ERASE: FlashOperation = FlashOperation::ErasePage { address: PAGE };
const PROGRAM: FlashOperation = FlashOperation::Program { address: PAGE + 8, value: 0x0FF0_1234 };

#[test]
fn a_cut_at_the_start_changes_nothing_and_one_at_the_end_changes_everything() {
    for cells in MODELS {
        for operation in [ERASE, PROGRAM] {
            let mut untouched = flash(cells);
            cut(&mut untouched, operation, 0);
            assert_eq!(bytes(&untouched, PAGE, 4096), [0xA5; 4096]);
            let (mut cut_late, mut complete) = (flash(cells), flash(cells));
            cut(&mut cut_late, operation, 1_000_000);
            complete.begin(operation, Instant::START).unwrap();
            complete.complete(Instant::from_nanos(1));
            assert_eq!(bytes(&cut_late, PAGE, 4096), bytes(&complete, PAGE, 4096));
            assert_eq!(cut_late.weak_cells(), 0);
        }
        let mut erased = flash(cells);
        cut(&mut erased, ERASE, 1_000_000);
        assert_eq!(bytes(&erased, PAGE, 4096), [0xFF; 4096]);
    }
}

#[test]
fn ideal_cells_keep_the_old_content_until_the_end() {
    let mut flash = flash(Cells::Ideal);
    cut(&mut flash, ERASE, 999_999);
    cut(&mut flash, PROGRAM, 999_999);
    assert_eq!(bytes(&flash, PAGE, 4096), [0xA5; 4096]);
}

#[test]
fn fractional_cells_change_in_proportion() {
    let mut flash = flash(Cells::Fractional);
    cut(&mut flash, ERASE, 250_000);
    let ones: u32 = bytes(&flash, PAGE, 4096).iter().map(|byte| (byte & !0xA5).count_ones()).sum();
    assert!((3_800..4_400).contains(&ones), "a quarter of 16384 zeros was to be erased: {ones}");
    assert!(
        bytes(&flash, PAGE, 4096).iter().all(|byte| byte & 0xA5 == 0xA5),
        "an erase never clears a fractional cell"
    );
}

#[test]
fn an_erase_programs_to_zero_before_it_erases() {
    let mut flash = flash(Cells::Marginal);
    cut(&mut flash, ERASE, 330_000);
    let ones: u32 = bytes(&flash, PAGE, 4096).iter().map(|byte| byte.count_ones()).sum();
    assert!(ones < 2_000, "a third into the erase the page is mostly zero: {ones} ones");
}

#[test]
fn an_erase_cut_near_its_end_leaves_few_stragglers() {
    let zeros_at = |ppm| {
        let mut flash = flash(Cells::Marginal);
        cut(&mut flash, ERASE, ppm);
        bytes(&flash, PAGE, 4096).iter().map(|byte| byte.count_zeros()).sum::<u32>()
    };
    assert_eq!(zeros_at(999_000), 0);
    assert!((1..200).contains(&zeros_at(930_000)), "{}", zeros_at(930_000));
    assert!(zeros_at(700_000) > zeros_at(930_000));
}

#[test]
fn weak_cells_read_differently_between_reads_and_between_power_ups() {
    let mut flash = flash(Cells::Marginal);
    cut(&mut flash, ERASE, 600_000);
    assert!(flash.weak_cells() > 100, "{}", flash.weak_cells());
    let page = |flash: &mut Flash| -> Vec<[u8; 4]> {
        (0..1024).map(|word| flash.read_code(PAGE + 4 * word).unwrap()).collect()
    };
    let (first, second) = (page(&mut flash), page(&mut flash));
    assert_ne!(first, second);
    let settled = bytes(&flash, PAGE, 4096);
    flash.power_up();
    assert_ne!(bytes(&flash, PAGE, 4096), settled);
    assert_eq!(bytes(&flash, PAGE - 4096, 4096), [0xA5; 4096], "only the torn page is unstable");
}

#[test]
fn code_with_weak_cells_is_read_again_each_time_it_is_executed() {
    let mut flash = flash(Cells::Marginal);
    cut(&mut flash, ERASE, 600_000);
    assert!(flash.weak_cells() > 0);
    assert!(flash.code_leaf(PAGE).is_none(), "not to be decoded once and kept");
    assert!(flash.code_leaf(PAGE - 4096).is_some());
    flash.begin(ERASE, Instant::START).unwrap();
    flash.complete(Instant::from_nanos(2));
    assert!(flash.code_leaf(PAGE).is_some(), "healed");
}

#[test]
fn weak_cells_drift_from_one_power_up_to_the_next() {
    let mut flash = flash(Cells::Marginal);
    cut(&mut flash, ERASE, 600_000);
    let snapshots: Vec<Vec<u8>> = (0..8)
        .map(|_| {
            flash.power_up();
            bytes(&flash, PAGE, 4096)
        })
        .collect();
    let stable = |window: &[Vec<u8>]| window.windows(2).all(|pair| pair[0] == pair[1]);
    assert!(!stable(&snapshots));
}

#[test]
fn a_whole_erase_heals_weak_cells() {
    let mut flash = flash(Cells::Marginal);
    cut(&mut flash, ERASE, 600_000);
    flash.begin(ERASE, Instant::START).unwrap();
    flash.complete(Instant::from_nanos(2));
    assert_eq!((flash.weak_cells(), bytes(&flash, PAGE, 4096)), (0, vec![0xFF; 4096]));
}

#[test]
fn programming_an_incompletely_erased_page_leaves_its_other_cells_weak() {
    let mut flash = flash(Cells::Marginal);
    cut(&mut flash, ERASE, 600_000);
    let before = flash.weak_cells();
    for word in 0..64 {
        flash.begin(FlashOperation::Program { address: PAGE + 4 * word, value: 0xFFFF_0000 }, Instant::START).unwrap();
        flash.complete(Instant::from_nanos(2));
    }
    let after = flash.weak_cells();
    assert!(0 < after && after < before, "{before} weak cells before, {after} after");
}

#[test]
fn clones_share_until_they_change_and_never_after() {
    let original = flash(Cells::Fractional);
    let mut fork = original.clone();
    cut(&mut fork, ERASE, 500_000);
    assert_eq!(bytes(&original, PAGE, 4096), [0xA5; 4096]);
    let address = |flash: &Flash, at| Arc::as_ptr(flash.code_leaf(at).unwrap().1);
    assert_eq!(address(&original, 0), address(&fork, 0));
    assert_ne!(address(&original, PAGE), address(&fork, PAGE));
}

#[test]
fn words_written_too_often_are_counted_until_erased() {
    let mut flash = flash(Cells::Ideal);
    let program = |flash: &mut Flash| {
        flash.begin(PROGRAM, Instant::START).unwrap();
        flash.complete(Instant::START);
        flash.excess_writes()
    };
    assert_eq!([program(&mut flash), program(&mut flash), program(&mut flash)], [0, 0, 1]);
    flash.begin(ERASE, Instant::START).unwrap();
    flash.complete(Instant::START);
    assert_eq!(program(&mut flash), 1);
}

#[test]
fn operations_outside_the_flash_are_none() {
    let mut flash = flash(Cells::Ideal);
    for operation in
        [FlashOperation::ErasePage { address: 1 << 20 }, FlashOperation::Program { address: 0x2000_0000, value: 0 }]
    {
        assert_eq!(flash.begin(operation, Instant::START), None);
    }
    assert_eq!(flash.operations(), 0);
    let error = flash.write_raw((1 << 20) - 2, &[0; 4]).unwrap_err();
    insta::assert_snapshot!(error, @"4 bytes at 0x000ffffe are not flash of this part");
}

#[test]
fn uicr_is_programmed_and_erased_like_the_rest() {
    let mut flash = flash(Cells::Fractional);
    flash.begin(FlashOperation::Program { address: UICR + 0x14, value: 0x3_C000 }, Instant::START).unwrap();
    flash.complete(Instant::START);
    assert_eq!(flash.read_uicr(0x14), 0x3_C000);
    flash.begin(FlashOperation::EraseUicr, Instant::START).unwrap();
    flash.complete(Instant::START);
    assert_eq!(flash.read_uicr(0x14), u32::MAX);
}

#[test]
fn an_aimed_cut_falls_where_it_is_aimed() {
    let needed = Span::micros(40);
    assert_eq!(CutPoint::Before.time_into(needed), Span::ZERO);
    assert_eq!(CutPoint::Fraction { numerator: 3, denominator: 8 }.time_into(needed), Span::micros(15));
    assert_eq!(CutPoint::Fraction { numerator: 9, denominator: 8 }.time_into(needed), needed);
    assert_eq!(CutPoint::Fraction { numerator: 1, denominator: 0 }.time_into(needed), needed);
    assert_eq!(CutPoint::After.time_into(needed), needed);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_torn_word_only_loses_bits_that_were_to_be_cleared(old: u32, target: u32, ppm in 0u64..1_000_000, model in 0usize..3) {
        let mut flash = flash(MODELS[model]);
        flash.write_raw(PAGE, &old.to_le_bytes()).unwrap();
        cut(&mut flash, FlashOperation::Program { address: PAGE, value: target }, ppm);
        let torn = flash.read_code(PAGE).map(u32::from_le_bytes).unwrap();
        prop_assert_eq!(torn & !old, 0, "a program set a bit");
        prop_assert_eq!(torn & target & old, target & old, "a program cleared a bit it was not asked to");
        prop_assert_eq!(bytes(&flash, PAGE + 4, 4092), vec![0xA5; 4092]);
    }

    #[test]
    fn a_cut_is_a_function_of_its_seed_and_place(ppm in 1u64..1_000_000, model in 0usize..3) {
        let torn = |seed| {
            let mut flash = Flash::new(FlashGeometry::NRF51822, MODELS[model], seed);
            flash.write_raw(0, &[0x3C; 2048]).unwrap();
            cut(&mut flash, FlashOperation::ErasePage { address: 1024 }, ppm);
            (bytes(&flash, 1024, 1024), bytes(&flash, 0, 1024))
        };
        prop_assert_eq!(torn(1), torn(1));
        prop_assert_eq!(torn(2).1, vec![0x3C; 1024], "other pages are unaffected");
    }
}

#[test]
fn every_erase_of_a_page_is_counted_whoever_made_it_and_however_it_ended() {
    let mut flash = Flash::new(FlashGeometry::NRF52840, Cells::Fractional, 42);
    flash.write_raw(PAGE, &[0xA5; 8192]).unwrap();
    assert_eq!(flash.erases().count(), 0, "what was blank is only programmed");
    flash.write_raw(PAGE + 16, &[0xA0; 4]).unwrap();
    assert_eq!(flash.erases().count(), 0, "bits that fall need no erase");
    cut(&mut flash, ERASE, 300_000);
    cut(&mut flash, ERASE, 1_000_000);
    cut(&mut flash, PROGRAM, 1_000_000);
    // The second of the two pages holds 0xA5 still.
    flash.write_raw(PAGE + 4090, &[0xFF; 10]).unwrap();
    assert_eq!(flash.erases().collect::<Vec<_>>(), [(PAGE, 2), (PAGE + 4096, 1)]);
    let before = flash.clone();
    flash.begin(FlashOperation::EraseAll, Instant::START).unwrap();
    assert_eq!(flash.erases().count(), FlashGeometry::NRF52840.each_sector().count() + 1);
    assert_eq!(before.erases().count(), 2, "a clone goes its own way");
}
