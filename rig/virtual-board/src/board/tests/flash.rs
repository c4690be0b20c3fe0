//! What firmware does to its flash, and what a cut or a reset in the middle leaves.
//!
//! Boundary: the cut is aimed, or the reset comes at an instant; how a supply comes to fail is in `supply`.

use super::*;

#[test]
fn flash_operations_take_their_time_and_are_logged_with_their_instruction() {
    for chip in CHIPS {
        let mut board = rewriter().on(chip);
        board.write_flash(PAGE, &[0; 4]).unwrap();
        board.run_until(at(200_000));
        assert_eq!(word(&board, PAGE), 0x1234_5678);
        let log = board.take_flash_log();
        let spans: Vec<u64> = log.iter().map(|record| record.end.since(record.start).as_nanos()).collect();
        let geometry = chip.flash();
        let slack = |span: u64, wanted: Span| span.abs_diff(wanted.as_nanos()) <= 63;
        assert!(slack(spans[0], geometry.sectors[0].erase) && slack(spans[1], geometry.program), "{spans:?}");
        assert_eq!(log.iter().map(|record| record.pc).collect::<Vec<_>>(), [48 * 4 + 16 + 4, 48 * 4 + 48 + 4]);
        assert!(log.iter().all(FlashRecord::is_complete));
        assert_eq!(log[1].operation, FlashOperation::Program { address: PAGE, value: 0x1234_5678 });
    }
}

#[test]
fn a_write_to_flash_that_is_not_enabled_does_nothing_and_does_not_fault() {
    for chip in CHIPS {
        for mode in [0, 2] {
            let program = Program::default().write(NVMC + 0x504, mode).write(PAGE, 0).write(0x2000_0100, 1).stay();
            let mut board = program.on(chip);
            board.run_until(at(20_000));
            let mut after = [0; 4];
            board.read_ram(0x2000_0100, &mut after).unwrap();
            assert_eq!(
                (word(&board, PAGE), board.flash().operations(), after),
                (u32::MAX, 0, [1, 0, 0, 0]),
                "{chip:?}"
            );
        }
    }
}

#[test]
fn an_aimed_cut_removes_the_power_at_its_place() {
    let half = CutPoint::Fraction { numerator: 1, denominator: 2 };
    let cuts = [(0, CutPoint::Before), (0, half), (0, CutPoint::After), (1, half), (1, CutPoint::After)];
    let after: Vec<_> = cuts
        .into_iter()
        .map(|(operation, at_point)| {
            let mut board = rewriter().on(Chip::Nrf51822);
            board.write_flash(PAGE, &[0; 1024]).unwrap();
            board.aim(FlashCut { operation, at: at_point });
            assert_eq!(board.run_until(at(200_000)), Pause::PowerCut);
            assert_eq!(board.state(), BoardState::Off);
            let log = board.take_flash_log();
            assert_eq!(log.len() as u64, operation + 1);
            let completed = log.last().map(|record| record.completed.get());
            assert_eq!(board.run_until(at(200_000)), Pause::Reached, "told only once");
            let mut page = [0; 1024];
            board.flash().read_raw(PAGE, &mut page).unwrap();
            let ones: u32 = page.iter().map(|byte| byte.count_ones()).sum();
            board.power_on();
            board.run_until(at(500_000));
            assert_eq!((word(&board, PAGE), board.boots()), (0x1234_5678, 2), "the second boot gets through");
            (completed, ones)
        })
        .collect();
    assert_eq!(after[0], (Some(0), 0));
    assert!((3_800..4_400).contains(&after[1].1) && after[1].0 == Some(500_000), "{after:?}");
    assert_eq!(after[2], (Some(1_000_000), 8192));
    assert!(after[3].0 == Some(500_000) && after[3].1 > 8192 - 19, "{after:?}");
    assert_eq!(after[4], (Some(1_000_000), 8192 - 19));
}

/// Stores 0x1111_0000 and 0x2222_0000 to the beginning of the page with the one instruction `store`, from r1 and r2; r0 points there.
fn store_of_two(prepare: u16, store: u16, pointer: u32) -> Program {
    Program::default()
        .write(NVMC + 0x504, 1)
        .step([0x4801, 0x4902, 0xBF00, 0xE003], [pointer, 0x1111_0000])
        .step([0x4A01, prepare, store, 0xE003], [0x2222_0000, 0])
        .write(0x2000_0100, 1)
        .stay()
}

fn stores_of_two() -> [Program; 2] {
    // stm r0!, {r1, r2}, and mov sp, r0; push {r1, r2}
    [store_of_two(0xBF00, 0xC006, PAGE), store_of_two(0x4685, 0xB406, PAGE + 8)]
}

#[test]
fn a_store_of_several_words_programs_each_of_them_in_its_own_time() {
    for chip in CHIPS {
        for program in stores_of_two() {
            let mut board = program.on(chip);
            board.run_until(at(200_000));
            assert_eq!([PAGE, PAGE + 4].map(|address| word(&board, address)), [0x1111_0000, 0x2222_0000]);
            let log = board.take_flash_log();
            assert_eq!(log.iter().map(|record| record.index).collect::<Vec<_>>(), [0, 1]);
            assert!(log.iter().all(|record| record.is_complete() && record.pc == 48 * 4 + 36), "{log:?}");
            let slack = |record: &FlashRecord| record.end.since(record.start) - chip.flash().program;
            assert!(log.iter().all(|record| slack(record) < Span::nanos(64)), "{log:?}");
            assert!(log[1].start >= log[0].end);
            let mut after = [0; 4];
            board.read_ram(0x2000_0100, &mut after).unwrap();
            assert_eq!(after, [1, 0, 0, 0], "the program goes on");
        }
    }
}

#[test]
fn a_cut_in_one_word_of_a_store_of_several_leaves_those_behind_it_unwritten() {
    let half = CutPoint::Fraction { numerator: 1, denominator: 2 };
    for (operation, at_point, expected) in [
        (0, half, [None, Some(u32::MAX)]),
        (0, CutPoint::After, [Some(0x1111_0000), Some(u32::MAX)]),
        (1, CutPoint::Before, [Some(0x1111_0000), Some(u32::MAX)]),
        (1, half, [Some(0x1111_0000), None]),
    ] {
        for program in stores_of_two() {
            let mut board = program.on(Chip::Nrf51822);
            board.aim(FlashCut { operation, at: at_point });
            assert_eq!(board.run_until(at(200_000)), Pause::PowerCut);
            assert_eq!(board.take_flash_log().len() as u64, operation + 1, "nothing more was begun");
            for (address, expected) in [PAGE, PAGE + 4].into_iter().zip(expected) {
                assert!(expected.is_none_or(|expected| word(&board, address) == expected), "{operation} {at_point:?}");
            }
            board.power_on();
            board.run_until(at(400_000));
            assert_eq!([PAGE, PAGE + 4].map(|address| word(&board, address)), [0x1111_0000, 0x2222_0000]);
        }
    }
}

#[test]
fn a_reset_in_the_first_word_of_a_store_of_several_forgets_the_others() {
    let [program, _] = stores_of_two();
    let mut board = program.on(Chip::Nrf51822);
    while board.flash().under_way().is_none() {
        let next = board.now() + Span::micros(1);
        board.run_until(next);
    }
    board.press_reset();
    board.run_until(board.now() + Span::millis(1));
    assert_eq!((word(&board, PAGE + 4), board.take_flash_log().len()), (u32::MAX, 1));
}

#[test]
fn a_reseeded_fork_takes_the_same_cut_as_a_board_made_with_that_seed() {
    let torn = |made_with: u64, reseeded_with: Option<u64>| {
        let config = BoardConfig { seed: made_with, ..BoardConfig::new(Chip::Nrf51822) };
        let mut board = Board::new(config, &rewriter().image()).unwrap();
        board.write_flash(PAGE, &[0; 1024]).unwrap();
        board.run_until(at(1_000));
        reseeded_with.into_iter().for_each(|seed| board.reseed(seed));
        board.aim(FlashCut { operation: 0, at: CutPoint::Fraction { numerator: 1, denominator: 2 } });
        assert_eq!(board.run_until(at(200_000)), Pause::PowerCut);
        let mut page = [0; 1024];
        board.flash().read_raw(PAGE, &mut page).unwrap();
        page
    };
    assert_eq!(torn(1, Some(2)), torn(2, None));
    assert_ne!(torn(1, Some(2)), torn(1, None));
}
