//! The whole board, driven by the reference firmware and by programs of a few instructions.

use brickproof_units::{Capacitance, Charge, Ratio, Resistance, Slew};
use proptest::prelude::*;

use super::*;
use crate::flash::FlashOperation;
use crate::supply::{Battery, BrownOut, Rail};

const LANTERN: &[u8] = include_bytes!("../../../../fixtures/firmware/images/lantern-no-heal.bin");
const CHIPS: [Chip; 2] = [Chip::Nrf51822, Chip::Nrf52840];

/// A program for the bare chip, put together from steps of sixteen bytes each.
#[derive(Default)]
struct Program(Vec<u8>);

impl Program {
    fn step(mut self, code: [u16; 4], literals: [u32; 2]) -> Self {
        self.0.extend(code.iter().flat_map(|halfword| halfword.to_le_bytes()));
        self.0.extend(literals.iter().flat_map(|literal| literal.to_le_bytes()));
        self
    }

    /// ldr r0, =address; ldr r1, =value; str r1, [r0]; b over the literals
    fn write(self, address: u32, value: u32) -> Self {
        self.step([0x4801, 0x4902, 0x6001, 0xE003], [address, value])
    }

    /// ldr r0, =from; ldr r1, =to; b to the next step, which moves
    fn copy(self, from: u32, to: u32) -> Self {
        // ldr r0, [pc, 4]; ldr r0, [r0]; ldr r1, [pc, 4]; b to str at +16; then str r0, [r1] and on.
        self.step([0x4801, 0x6800, 0x4901, 0xE003], [from, to]).step([0x6008, 0xE005, 0xBF00, 0xBF00], [0, 0])
    }

    /// Loops until the word at `address` is not zero.
    fn await_event(self, address: u32) -> Self {
        self.step([0x4802, 0x6801, 0x2900, 0xD0FC], [0xBF00_E001, address])
    }

    /// Goes round so many times, three cycles each.
    fn wait(self, rounds: u32) -> Self {
        self.step([0x4801, 0x3801, 0xD1FD, 0xE003], [rounds.max(1), 0])
    }

    fn then(mut self, next: Self) -> Self {
        self.0.extend(next.0);
        self
    }

    fn sleep(self) -> Self {
        self.step([0xBF30, 0xE005, 0xBF00, 0xBF00], [0, 0])
    }

    fn stay(self) -> Self {
        self.step([0xE7FE, 0xBF00, 0xBF00, 0xBF00], [0, 0])
    }

    /// The image: a vector table of 48 entries whose handlers all lead to the last step, and the steps.
    fn image(self) -> Vec<u8> {
        const TABLE: u32 = 48 * 4;
        let last = TABLE + self.0.len() as u32 - 16;
        let mut image = 0x2000_4000u32.to_le_bytes().to_vec();
        image.extend((TABLE | 1).to_le_bytes());
        image.extend(std::iter::repeat_n((last | 1).to_le_bytes(), 46).flatten());
        image.extend(self.0);
        image
    }

    fn on(self, chip: Chip) -> Board {
        Board::new(BoardConfig::new(chip), &self.image()).unwrap()
    }
}

const UART: u32 = 0x4000_2000;
const NVMC: u32 = 0x4001_E000;
const POWER: u32 = 0x4000_0000;
const WDT: u32 = 0x4001_0000;
const TIMER0: u32 = 0x4000_8000;
const GPIO: u32 = 0x5000_0000;
const AIRCR: u32 = 0xE000_ED0C;
const PAGE: u32 = 0x3_F000;

fn console() -> Program {
    Program::default().write(UART + 0x500, 4).write(UART + 0x524, 0x01D7_E000).write(UART + 8, 1).write(UART, 1)
}

fn at(micros: u64) -> Instant {
    Instant::START + Span::micros(micros)
}

fn text(board: &mut Board) -> String {
    String::from_utf8_lossy(&board.take_console().iter().map(|byte| byte.value).collect::<Vec<_>>()).into_owned()
}

fn events(board: &mut Board) -> Vec<LifeEvent> {
    board.take_life_log().iter().map(|record| record.event).collect()
}

fn word(board: &Board, address: u32) -> u32 {
    let mut bytes = [0; 4];
    board.flash().read_raw(address, &mut bytes).unwrap();
    u32::from_le_bytes(bytes)
}

/// Sources that no load of these boards bends, one of which is a cell that every load discharges, and one that every load bends.
fn sources() -> [Source; 3] {
    let new = Battery::fresh(Charge::new(400_000), Ratio::new(700_000));
    let worn = Battery::aged(Charge::new(1_200_000), Ratio::new(300_000));
    [BoardConfig::new(Chip::Nrf51822).source, Source::Battery(new), Source::Battery(worn)]
}

/// Something that draws current on every pin of port 0.
fn all_pins() -> Vec<WiredPin> {
    (0..32).map(|pin| WiredPin { pin: Pin::p0(pin), when_high: Current::new(10_000) }).collect()
}

fn lantern(chip: Chip) -> Board {
    Board::new(BoardConfig::new(chip), LANTERN).unwrap()
}

#[test]
fn the_reference_firmware_boots_and_blinks_on_both_parts() {
    for (chip, page) in CHIPS.into_iter().zip(["1024", "4096"]) {
        let mut board = lantern(chip);
        assert_eq!(board.run_until(at(3_000_000)), Pause::Reached);
        let log = text(&mut board);
        assert!(log.contains("lantern") && log.contains(page), "{chip:?}: {log}");
        assert!(!board.take_pin_edges().is_empty());
        assert_eq!((board.boots(), board.state()), (1, BoardState::Running), "{log}");
    }
}

#[test]
fn two_runs_are_the_same_and_pauses_do_not_change_them() {
    let run = |source, pause| {
        let config = BoardConfig { source, ..BoardConfig::new(Chip::Nrf51822) };
        let mut board = Board::new(config, LANTERN).unwrap();
        board.pause_on(pause);
        let mut bytes = Vec::new();
        while let Pause::ConsoleByte(byte) = board.run_until(at(2_000_000)) {
            bytes.push(byte);
        }
        bytes.extend(board.take_console());
        let edges: Vec<_> = board.take_pin_edges();
        (bytes, edges, board.core().instructions(), board.rail(), board.supply().charge(board.now()))
    };
    for source in sources() {
        let whole = run(source, PauseOn::Nothing);
        assert!(whole.0.len() > 50);
        assert_eq!(whole, run(source, PauseOn::Nothing));
        assert_eq!(whole, run(source, PauseOn::ConsoleByte));
    }
}

#[test]
fn a_run_pauses_at_line_feeds_and_leaves_the_bytes_to_be_taken() {
    let mut whole = lantern(Chip::Nrf51822);
    whole.run_until(at(2_000_000));
    let said = whole.take_console();
    let lines: Vec<Instant> = said.iter().filter(|byte| byte.value == b'\n').map(|byte| byte.at).collect();
    assert!(lines.len() > 1, "the program prints lines");

    let mut board = lantern(Chip::Nrf51822);
    board.pause_on(PauseOn::ConsoleLine);
    let (mut paused_at, mut taken) = (Vec::new(), Vec::new());
    while board.run_until(at(2_000_000)) == Pause::ConsoleLine {
        let bytes = board.take_console();
        paused_at.extend(bytes.last().map(|byte| byte.at));
        taken.extend(bytes);
    }
    taken.extend(board.take_console());
    assert_eq!((paused_at, taken), (lines, said));
}

#[test]
fn a_fork_goes_on_as_the_original_would() {
    let mut original = lantern(Chip::Nrf52840);
    original.run_until(at(700_000));
    let mut fork = original.clone();
    fork.run_until(at(1_500_000));
    original.run_until(at(900_000));
    original.run_until(at(1_500_000));
    assert_eq!(original.take_console(), fork.take_console());
    assert_eq!(original.take_pin_edges(), fork.take_pin_edges());
}

#[test]
fn a_console_byte_pauses_right_after_its_stop_bit() {
    let mut board = console().write(UART + 0x51C, 0x41).await_event(UART + 0x11C).stay().on(Chip::Nrf51822);
    board.pause_on(PauseOn::ConsoleByte);
    let Pause::ConsoleByte(byte) = board.run_until(at(1_000_000)) else { panic!("no byte came") };
    assert_eq!(byte.value, 0x41);
    assert!(board.now().since(byte.at) < Span::nanos(500), "paused {} after the byte", board.now().since(byte.at));
    assert_eq!(board.run_until(at(1_000_000)), Pause::Reached);
}

#[test]
fn console_input_arrives_at_line_rate() {
    let echo = console().await_event(UART + 0x108).copy(UART + 0x518, UART + 0x51C).await_event(UART + 0x11C).stay();
    let mut board = echo.on(Chip::Nrf52840);
    board.run_until(at(5_000));
    let arrives = board.console_input(at(6_000), b'x');
    assert_eq!(arrives.since(at(6_000)).as_nanos() / 100, 868, "ten bits at 115200 baud");
    board.run_until(at(10_000));
    assert_eq!(text(&mut board), "x");
}

fn rewriter() -> Program {
    Program::default()
        .write(NVMC + 0x504, 2)
        .write(NVMC + 0x508, PAGE)
        .write(NVMC + 0x504, 1)
        .write(PAGE, 0x1234_5678)
        .write(NVMC + 0x504, 0)
        .stay()
}

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
        assert!(slack(spans[0], geometry.erase_page) && slack(spans[1], geometry.program), "{spans:?}");
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
fn a_board_whose_records_nobody_takes_keeps_none() {
    let config = BoardConfig { records: Records::Dropped, ..BoardConfig::new(Chip::Nrf51822) };
    let mut board = Board::new(config, &rewriter().image()).unwrap();
    board.run_until(at(200_000));
    assert_eq!((board.flash().operations(), board.boots()), (2, 1));
    assert_eq!((board.take_flash_log(), board.take_life_log()), (vec![], vec![]));
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

fn brown_out(floor_millivolts: i64) -> Fault {
    Fault::BrownOut(BrownOut {
        rail: Rail::Logic,
        floor: Voltage::new(floor_millivolts * 1000),
        fall: Slew::new(50_000),
        hold: Span::millis(20),
        rise: Slew::new(50_000),
        bump: None,
    })
}

#[test]
fn a_brown_out_tears_the_operation_under_way_and_the_board_comes_back() {
    let mut board = rewriter().on(Chip::Nrf51822);
    board.write_flash(PAGE, &[0; 1024]).unwrap();
    board.run_until(at(10_000));
    assert!(board.flash().under_way().is_some(), "the erase runs from about 2 ms to 24 ms");
    board.inject(at(13_000), brown_out(1_200));
    board.run_until(at(25_000));
    assert_eq!(board.state(), BoardState::Off);
    let log = board.take_flash_log();
    let completed = log[0].completed.get();
    assert!((300_000..600_000).contains(&completed), "{log:?}");
    board.run_until(at(200_000));
    let happened = events(&mut board);
    let power_on = LifeEvent::Boot(ResetCause::PowerOn);
    assert_eq!(happened, [power_on, LifeEvent::BrownOut, power_on]);
    assert_eq!(board.soc().reset_reasons(), 0, "RESETREAS shows nothing after a loss of power");
    assert_eq!(board.take_achieved().len(), 1);
}

/// The rail passes the threshold at every nanosecond of the cycles in which an operation begins and ends, and changes what the chip draws.
#[test]
fn no_loss_of_power_is_overlooked_because_the_load_changes_in_the_same_cycle() {
    let mut whole = rewriter().on(Chip::Nrf51822);
    whole.run_until(at(100_000));
    let operation = whole.take_flash_log().pop().expect("it programs a word");
    for turn in [operation.start, operation.end] {
        for early in 0..200 {
            let mut board = rewriter().on(Chip::Nrf51822);
            // From 3.3 V it takes 80 us to 1.7 V.
            board.inject(turn + Span::nanos(50) - Span::micros(80) - Span::nanos(early), brown_out(1_200));
            board.run_until(operation.end + Span::micros(50));
            assert!(events(&mut board).contains(&LifeEvent::BrownOut), "{early} ns before {turn}");
        }
    }
}

#[test]
fn a_reset_tears_an_operation_where_a_weak_supply_has_let_it_come_to() {
    let watchdog = Program::default().write(WDT + 0x504, 327).write(WDT, 1).then(rewriter());
    let mut config = BoardConfig::new(Chip::Nrf51822);
    config.supply.flash =
        crate::supply::FlashRange { minimum: Voltage::new(3_000_000), collapse: Voltage::new(2_000_000) };
    let torn = |pressed: bool| {
        let mut board = Board::new(config.clone(), &Program(watchdog.0.clone()).image()).unwrap();
        board.write_flash(PAGE, &[0; 1024]).unwrap();
        board.press_reset();
        board.run_until(at(10_000));
        board.inject(at(10_000), brown_out(2_500));
        board.run_until(at(11_000));
        board.release_reset();
        while board.flash().under_way().is_none() {
            board.run_until(board.now() + Span::micros(100));
        }
        board.run_until(board.now() + Span::millis(if pressed { 5 } else { 15 }));
        if pressed {
            board.press_reset();
        }
        let log = board.take_flash_log();
        let elapsed = log[0].end.since(log[0].start).get() * 1_000_000 / Chip::Nrf51822.flash().erase_page.get();
        (log[0].completed.get(), elapsed)
    };
    for pressed in [true, false] {
        let (completed, elapsed) = torn(pressed);
        assert!(
            elapsed > 200_000 && completed.abs_diff(elapsed / 2) < 10_000,
            "{completed} of {elapsed} at half strength"
        );
    }
}

#[test]
fn a_sag_above_the_brown_out_threshold_disturbs_nothing() {
    let mut board = rewriter().on(Chip::Nrf51822);
    board.run_until(at(10_000));
    board.inject(at(13_000), brown_out(2_000));
    board.run_until(at(200_000));
    assert!(board.take_flash_log().iter().all(FlashRecord::is_complete));
    assert_eq!((word(&board, PAGE), board.boots()), (0x1234_5678, 1));
}

#[test]
fn ram_survives_a_reset_but_not_the_loss_of_power() {
    let keep = 0x2000_0100;
    let mut board = Program::default().write(keep, 0xCAFE_F00D).stay().on(Chip::Nrf51822);
    let ram = |board: &mut Board| {
        let mut bytes = [0; 4];
        board.read_ram(keep, &mut bytes).unwrap();
        u32::from_le_bytes(bytes)
    };
    board.run_until(at(10_000));
    board.press_reset();
    board.run_until(at(11_000));
    assert_eq!((ram(&mut board), board.state()), (0xCAFE_F00D, BoardState::InReset));
    board.release_reset();
    board.run_until(at(12_000));
    assert_eq!((board.state(), board.soc().reset_reasons()), (BoardState::Running, 1));
    board.connect(Source::None);
    board.run_until(at(2_000_000));
    assert_eq!(board.state(), BoardState::Off);
    assert!(board.rail() < Voltage::new(1_700_000));
}

#[test]
fn resets_leave_their_reasons() {
    let software = Program::default().write(AIRCR, 0x05FA_0004).stay();
    let watchdog = Program::default().write(WDT + 0x504, 327).write(WDT, 1).stay();
    let lockup = Program::default().write(0x3000_0000, 0).write(0x3000_0000, 0);
    for (program, cause, reasons) in [
        (software, ResetCause::Software, 0b100),
        (watchdog, ResetCause::Watchdog, 0b010),
        (lockup, ResetCause::Lockup, 0b1000),
    ] {
        let mut board = program.on(Chip::Nrf51822);
        board.run_until(at(20_000));
        let happened = events(&mut board);
        assert_eq!(happened[1..3], [LifeEvent::Reset(cause), LifeEvent::Boot(cause)], "{happened:?}");
        assert_eq!(board.soc().reset_reasons(), reasons);
    }
}

#[test]
fn an_erased_chip_locks_up_for_ever_without_occupying_the_host() {
    let mut board = Board::new(BoardConfig::new(Chip::Nrf51822), &[]).unwrap();
    board.run_until(at(1_000_000));
    assert!((5_000..10_001).contains(&board.boots()), "{}", board.boots());
}

#[test]
fn system_off_ends_at_once_if_a_pin_is_sensed_already() {
    let off = Program::default().write(GPIO + 0x744, 3 << 2 | 3 << 16).write(POWER + 0x500, 1).stay();
    let mut board = off.on(Chip::Nrf51822);
    board.set_pin(Pin::p0(17), Level::Low);
    board.run_until(at(10_000));
    let wake = ResetCause::WakeFromOff;
    let round = [LifeEvent::SystemOff, LifeEvent::Reset(wake), LifeEvent::Boot(wake)];
    assert_eq!(events(&mut board)[1..4], round);
}

#[test]
fn system_off_keeps_pins_driven_and_stops_the_watchdog() {
    let off = Program::default()
        .write(GPIO + 0x518, 1 << 13)
        .write(GPIO + 0x508, 1 << 13)
        .write(GPIO + 0x744, 3 << 2 | 3 << 16)
        .write(WDT + 0x504, 327)
        .write(WDT, 1)
        .write(POWER + 0x500, 1)
        .stay();
    let mut board = off.on(Chip::Nrf51822);
    board.run_until(at(1_000_000));
    assert_eq!((board.state(), board.drive(Pin::p0(13))), (BoardState::SystemOff, Drive::High));
    let Consumption { off, .. } = Consumption::of(Chip::Nrf51822);
    assert_eq!(board.current(), Current::new(off.get() + 5_000), "the LED still shines");
    board.take_pin_edges();
    board.set_pin(Pin::p0(17), Level::Low);
    board.set_pin(Pin::p0(17), Level::High);
    board.run_until(at(1_005_000));
    assert_eq!((board.state(), board.boots()), (BoardState::SystemOff, 2), "no watchdog bit before it was off again");
    assert_eq!(board.take_pin_edges(), []);
}

#[test]
fn system_off_ends_with_a_sensed_pin() {
    let off = Program::default().write(GPIO + 0x744, 3 << 2 | 3 << 16).write(POWER + 0x500, 1).stay();
    let mut board = off.on(Chip::Nrf51822);
    board.run_until(at(10_000));
    assert_eq!(board.state(), BoardState::SystemOff);
    board.set_pin(Pin::p0(17), Level::Low);
    board.run_until(at(10_200));
    assert_eq!(board.soc().reset_reasons(), 1 << 16);
}

/// P0.13 toggles every so many microseconds without the core.
fn blinking(micros: u32) -> Program {
    Program::default()
        .write(0x4000_6510, 3 | 13 << 8 | 3 << 16)
        .write(TIMER0 + 0x540, micros)
        .write(TIMER0 + 0x200, 1)
        .write(0x4001_F510, TIMER0 + 0x140)
        .write(0x4001_F514, 0x4000_6000)
        .write(0x4001_F504, 1)
        .write(TIMER0, 1)
}

#[test]
fn the_ppi_toggles_a_pin_from_a_timer_while_the_core_sleeps() {
    let mut board = blinking(500).sleep().stay().on(Chip::Nrf52840);
    board.run_until(at(20_000));
    let edges: Vec<_> = board.take_pin_edges().into_iter().skip(1).collect();
    assert!(edges.len() > 30);
    assert!(
        edges
            .windows(2)
            .all(|pair| pair[1].at.since(pair[0].at) == Span::micros(500) && pair[0].drive != pair[1].drive)
    );
}

#[test]
fn a_failing_supply_warns_the_firmware_that_asked_for_it() {
    let armed = console()
        .write(POWER + 0x510, 0b111)
        .await_event(POWER + 0x108)
        .write(UART + 0x51C, u32::from(b'!'))
        .await_event(UART + 0x11C)
        .stay();
    let mut board = armed.on(Chip::Nrf51822);
    board.run_until(at(10_000));
    board.inject(at(11_000), brown_out(2_300));
    board.run_until(at(40_000));
    assert_eq!((text(&mut board).as_str(), board.boots()), ("!", 1));
}

#[test]
fn below_the_power_fail_threshold_the_nrf52840_writes_no_flash_until_the_comparator_is_disarmed_or_lowered() {
    const ARMED_AT_2V8: u32 = 15 << 1 | 1;
    const ARMED_AT_2V0: u32 = 7 << 1 | 1;
    let word_after = |chip, settings: &[u32]| {
        let armed = Program::default().write(POWER + 0x510, ARMED_AT_2V8).await_event(POWER + 0x108);
        let set = settings.iter().fold(armed, |program, setting| program.write(POWER + 0x510, *setting));
        let mut board = set.write(NVMC + 0x504, 1).write(PAGE, 0).stay().on(chip);
        board.run_until(at(10_000));
        board.inject(at(11_000), brown_out(2_300));
        board.run_until(at(100_000));
        assert_eq!(board.boots(), 1);
        word(&board, PAGE)
    };
    assert_eq!(word_after(Chip::Nrf52840, &[]), u32::MAX, "blocked");
    assert_eq!(word_after(Chip::Nrf52840, &[0]), 0, "disarmed");
    assert_eq!(word_after(Chip::Nrf52840, &[ARMED_AT_2V0]), 0, "the rail is above 2.0 V");
    assert_eq!(word_after(Chip::Nrf52840, &[ARMED_AT_2V0, ARMED_AT_2V8]), u32::MAX, "blocked again");
    assert_eq!(word_after(Chip::Nrf51822, &[]), 0, "the nRF51 only warns");
}

#[test]
fn a_worn_cell_and_a_hungry_pin_make_a_brown_out_loop() {
    let hungry = Program::default().write(GPIO + 0x518, 1 << 16).write(GPIO + 0x508, 1 << 16).stay();
    let mut config = BoardConfig::new(Chip::Nrf51822);
    config.pins.push(WiredPin { pin: Pin::p0(16), when_high: Current::new(400_000) });
    let board_on = |battery| {
        let mut config = config.clone();
        config.source = Source::Battery(battery);
        config.supply.bulk = Capacitance::new(47_000_000);
        Board::new(config, &Program(hungry.0.clone()).image()).unwrap()
    };
    let mut fresh = board_on(Battery::fresh(Charge::new(2_000_000), Ratio::new(500_000)));
    fresh.run_until(at(500_000));
    assert_eq!(fresh.boots(), 1);
    let mut worn = board_on(Battery::aged(Charge::new(600_000), Ratio::new(60_000)));
    worn.run_until(at(500_000));
    let happened = events(&mut worn);
    assert!(worn.boots() > 3, "{happened:?}");
    assert!(happened.iter().filter(|event| **event == LifeEvent::BrownOut).count() + 1 >= worn.boots() as usize);
}

#[test]
fn nothing_to_come_is_told_when_the_end_is_never() {
    let mut board = Program::default().sleep().stay().on(Chip::Nrf51822);
    board.connect(Source::Bench { voltage: Voltage::new(0), current_limit: Current::new(0) });
    assert_eq!(board.run_until(Instant::NEVER), Pause::Quiet);
}

#[test]
fn a_core_asleep_for_ever_leaves_the_clock_where_it_is_and_can_be_woken() {
    let button = Program::default().write(GPIO + 0x744, 3 << 2).write(0x4000_6510, 1 | 17 << 8 | 2 << 16);
    let wait = button.write(0x4000_6304, 1).write(0xE000_E100, 1 << 6).sleep().stay();
    let mut board = wait.on(Chip::Nrf51822);
    assert_eq!(board.run_until(Instant::NEVER), Pause::Quiet);
    assert!((at(1_000)..at(100_000)).contains(&board.now()), "asleep since shortly after its boot: {}", board.now());
    board.set_pin(Pin::p0(17), Level::Low);
    let woken = board.now() + Span::millis(1);
    assert_eq!(board.run_until(woken), Pause::Reached);
    assert_eq!(board.core().mode(), crate::core::Mode::Handler);
}

#[test]
fn quantities_of_the_default_board_are_its_documented_ones() {
    let config = BoardConfig::new(Chip::Nrf52840);
    let usb = Source::Usb { voltage: Voltage::new(5_000_000), cable: Resistance::new(200_000) };
    assert_eq!((config.source, config.pins.len()), (usb, 3));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_firmware_and_any_cut_leave_a_board_that_still_runs(image in prop::collection::vec(any::<u16>(), 0..256), cut in 0u64..40_000) {
        let mut bytes = vec![0x00, 0x40, 0x00, 0x20, 0xC1, 0x00, 0x00, 0x00];
        bytes.resize(192, 0xC1);
        bytes.extend(image.iter().flat_map(|halfword| halfword.to_le_bytes()));
        let mut board = Board::new(BoardConfig::new(Chip::Nrf52840), &bytes).unwrap();
        board.inject(at(cut), brown_out(900));
        board.run_until(at(60_000));
        prop_assert!(board.now() >= at(60_000));
    }

    #[test]
    fn whatever_firmware_writes_to_registers_how_a_run_is_cut_into_pieces_makes_no_difference(
        writes in prop::collection::vec((crate::nrf::addresses(), crate::nrf::values(), 0u32..2_000), 1..60),
        mut stops in prop::collection::vec(2_000u64..30_000, 1..20),
        source in prop::sample::select(sources().to_vec()),
        chip in prop::sample::select(CHIPS.to_vec()),
    ) {
        stops.sort_unstable();
        let poke = |program: Program, (address, value, rounds): &(u32, u32, u32)| {
            program.write(address & !3, *value).wait(*rounds)
        };
        let image = writes.iter().fold(Program::default(), poke).sleep().stay().image();
        let config = BoardConfig { source, pins: all_pins(), ..BoardConfig::new(chip) };
        let run = |stops: &[u64]| {
            let mut board = Board::new(config.clone(), &image).unwrap();
            for stop in stops {
                board.run_until(at(*stop));
            }
            board.run_until(at(31_000));
            let happened = (board.take_life_log(), board.take_flash_log(), board.take_pin_edges(), board.take_console());
            let charge = board.supply().charge(board.now());
            (happened, board.core().instructions(), board.state(), board.rail(), charge)
        };
        prop_assert_eq!(run(&stops), run(&[]));
    }

    #[test]
    fn how_a_run_is_cut_into_pieces_makes_no_difference(
        mut stops in prop::collection::vec(2_000u64..60_000, 1..12),
        source in prop::sample::select(sources().to_vec()),
        floor in prop::sample::select(vec![1_500, 1_720, 2_500]),
    ) {
        stops.sort_unstable();
        let mut config = BoardConfig { source, ..BoardConfig::new(Chip::Nrf51822) };
        config.pins[0].when_high = Current::new(300_000);
        // Weak when the rail is between brown-out and full strength.
        config.supply.flash.minimum = Voltage::new(3_000_000);
        let image = blinking(1_300).then(rewriter()).image();
        let run = |stops: &[u64]| {
            let mut board = Board::new(config.clone(), &image).unwrap();
            board.inject(at(14_000), brown_out(floor));
            for stop in stops {
                board.run_until(at(*stop));
            }
            board.run_until(at(70_000));
            let mut page = [0; 1024];
            board.flash().read_raw(PAGE, &mut page).unwrap();
            let happened = (board.take_life_log(), board.take_flash_log(), board.take_pin_edges());
            let charge = board.supply().charge(board.now());
            (page.to_vec(), happened, board.core().instructions(), board.rail(), charge)
        };
        prop_assert_eq!(run(&stops), run(&[]));
    }
}
