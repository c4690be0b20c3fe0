//! The whole board, driven by the reference firmware and by programs of a few instructions.

use brickproof_units::{Capacitance, Charge, Ratio, Resistance, Slew};
use proptest::prelude::*;

use super::*;
use crate::flash::FlashOperation;
use crate::supply::{Battery, BrownOut, Rail};

mod flash;
mod program;
mod stm32;
mod supply;

use program::*;

const LANTERN: &[u8] = include_bytes!("../../../../fixtures/firmware/images/lantern-no-heal.bin");
const CHIPS: [Chip; 2] = [Chip::Nrf51822, Chip::Nrf52840];

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

#[test]
fn a_board_whose_records_nobody_takes_keeps_none() {
    let config = BoardConfig { records: Records::Dropped, ..BoardConfig::new(Chip::Nrf51822) };
    let mut board = Board::new(config, &rewriter().image()).unwrap();
    board.run_until(at(200_000));
    assert_eq!((board.flash().operations(), board.boots()), (2, 1));
    assert_eq!((board.take_flash_log(), board.take_life_log()), (vec![], vec![]));
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
