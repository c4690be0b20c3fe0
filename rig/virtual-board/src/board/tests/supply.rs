//! What a failing supply does to a board, and what firmware may know of it.
//!
//! Boundary: waveforms and cells; cuts aimed at an operation are in `flash`.

use super::*;

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
    config.supply.flash = FlashRange { minimum: Voltage::new(3_000_000), collapse: Voltage::new(2_000_000) };
    let torn = |pressed: bool| {
        let mut board = Board::new(config.clone(), &watchdog.clone().image()).unwrap();
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
        let elapsed = log[0].end.since(log[0].start).get() * 1_000_000 / Chip::Nrf51822.flash().sectors[0].erase.get();
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
        Board::new(config, &hungry.clone().image()).unwrap()
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
