//! The STM32F205: what its flash comes to at a rail that sags, its brown-out reset, its lock-up.

use super::*;
use crate::usb::UsbDevice;

const FLASH: u32 = 0x4002_3C00;
const IWDG: u32 = 0x4000_3000;
const SECTOR: u32 = 0x0800_4000;
const BUSY_FROM: u64 = 3_000;

/// Erases sector 1, so many bits at a time: PSIZE 0 is 8 and 2 is 32.
fn eraser(psize: u32) -> Program {
    let control = 1 << 1 | 1 << 3 | psize << 8;
    Program::default()
        .write(FLASH + 0x04, 0x4567_0123)
        .write(FLASH + 0x04, 0xCDEF_89AB)
        .write(FLASH + 0x10, control)
        .write(FLASH + 0x10, control | 1 << 16)
        .stay()
}

/// The highest brown-out reset, from the option bytes.
fn guarded() -> Program {
    Program::default()
        .write(FLASH + 0x08, 0x0819_2A3B)
        .write(FLASH + 0x08, 0x4C5D_6E7F)
        .write(FLASH + 0x14, 0x0FFF_AAE0)
        .write(FLASH + 0x14, 0x0FFF_AAE2)
}

/// A sag to 2.5 V that begins before the first instruction can erase anything, and outlasts every erase of such a sector.
fn sag() -> Fault {
    let Fault::BrownOut(shape) = brown_out(2_500) else { panic!("it is one") };
    Fault::BrownOut(BrownOut { hold: Span::millis(600), ..shape })
}

/// Ones among the cells of the sector, all of which were programmed, once `program` has run through a sag.
fn ones_after(program: Program) -> (u32, Board) {
    let waiting = Program::default().wait(40_000).then(program);
    let mut board = waiting.on(Chip::Stm32f205);
    board.write_flash(SECTOR, &[0; 16 << 10]).unwrap();
    board.inject(at(BUSY_FROM), sag());
    board.run_until(at(1_000_000));
    let mut sector = vec![0; 16 << 10];
    board.flash().read_raw(SECTOR, &mut sector).unwrap();
    (sector.iter().map(|byte| byte.count_ones()).sum(), board)
}

#[test]
fn an_erase_of_32_bits_at_a_sagging_rail_leaves_torn_cells_though_the_power_never_went() {
    const CELLS: u32 = 8 * (16 << 10);
    let (ones, mut board) = ones_after(eraser(2));
    // Half the strength at 2.5 V, which is in the middle between 2.7 V and 2.3 V; each cell has followed with that chance.
    assert!(ones.abs_diff(CELLS / 2) < CELLS / 100, "{ones} of {CELLS}");
    let log = board.take_flash_log();
    assert!(!log[0].is_complete() && log[0].end.since(log[0].start) >= Span::millis(250), "{log:?}");
    assert_eq!((board.boots(), events(&mut board)), (1, vec![LifeEvent::Boot(ResetCause::PowerOn)]));

    let (ones, mut board) = ones_after(eraser(0));
    let log = board.take_flash_log();
    assert_eq!((ones, log[0].is_complete(), board.boots()), (CELLS, true, 1), "eight bits at a time take less");
    assert!(log[0].end.since(log[0].start) >= Span::millis(400));
}

/// Sector 1 is all zeros and the bootloader waits.
fn in_bootloader() -> Board {
    let button = BootButton { pin: Pin::pc(2), pressed: Level::Low };
    let config = BoardConfig { boot_button: Some(button), ..BoardConfig::new(Chip::Stm32f205) };
    let attaches = Program::default()
        .write(0x4002_3800, 0x0100_0083)
        .write(0x4002_3834, 1 << 7)
        .wait(4_000)
        .write(0x5000_000C, 1 << 30)
        .write(0x5000_0038, 1 << 16 | 1 << 21);
    let mut board = Board::new(config, &attaches.stay().image()).unwrap();
    board.write_flash(SECTOR, &[0; 16 << 10]).unwrap();
    board.set_pin(button.pin, Level::Low);
    board.run_until(at(10_000));
    assert_eq!(board.usb(), Some(UsbDevice::Dfu));
    board
}

#[test]
fn its_bootloader_erases_whole_sectors_with_32_bits_at_a_time_and_a_sagging_rail_tears_them() {
    let mut board = in_bootloader();
    board.bootloader_erase(SECTOR + 0x123).unwrap();
    board.run_until(at(300_000));
    let log = board.take_flash_log();
    let lasted = log[0].end.since(log[0].start);
    assert_eq!((log[0].operation, log[0].is_complete()), (FlashOperation::ErasePage { address: SECTOR }, true));
    assert!(lasted >= Span::millis(250) && lasted < Span::millis(251), "{lasted}");
    assert_eq!(word(&board, SECTOR + 0x3FFC), u32::MAX);

    let mut board = in_bootloader();
    board.inject(at(10_000), sag());
    board.run_until(at(20_000));
    board.bootloader_erase(SECTOR).unwrap();
    board.run_until(at(400_000));
    let log = board.take_flash_log();
    assert!(!log[0].is_complete(), "{log:?}");
    assert_eq!((board.boots(), board.usb()), (1, Some(UsbDevice::Dfu)), "nobody tells");

    // Words that wait are programmed in the same manner: at half the strength half of the cells follow.
    let mut board = in_bootloader();
    board.inject(at(10_000), sag());
    board.run_until(at(20_000));
    board.bootloader_program(SECTOR + (16 << 10), &[0; 1024]).unwrap();
    board.run_until(at(100_000));
    let log = board.take_flash_log();
    assert_eq!((log.len(), log.iter().filter(|record| record.is_complete()).count()), (256, 0));
}

#[test]
fn its_bootloader_is_what_firmware_left_a_number_for_or_the_button_asks_for() {
    let leaves = |number| {
        Program::default()
            .wait(4_000)
            .write(0x4002_3840, 1 << 28)
            .write(0x4000_7000, 1 << 8)
            .write(0x4000_2854, number)
            .write(AIRCR, 0x05FA_0004)
            .stay()
            .image()
    };
    for (number, has_bootloader, runs) in [(0xEDFA, true, true), (0xEDFB, true, false), (0xEDFA, false, false)] {
        let boot_button = has_bootloader.then_some(BootButton { pin: Pin::pc(2), pressed: Level::Low });
        let config = BoardConfig { boot_button, ..BoardConfig::new(Chip::Stm32f205) };
        let mut board = Board::new(config, &leaves(number)).unwrap();
        for micros in (100..30_000).step_by(100) {
            if board.boots() < 2 {
                board.run_until(at(micros));
            }
        }
        assert_eq!((board.boots(), board.state()), (2, BoardState::Running));
        assert_eq!(board.soc.boot_code_mut().runs(), runs, "{number:#x}");
    }
}

#[test]
fn the_brown_out_reset_is_what_the_option_bytes_say_and_outlasts_the_power() {
    let (_, mut board) = ones_after(guarded().then(eraser(2)));
    let life = events(&mut board);
    assert!(life.contains(&LifeEvent::BrownOut) && board.boots() > 1, "{life:?}");
    board.take_life_log();
    board.connect(Source::None);
    board.run_until(at(3_000_000));
    board.connect(BoardConfig::new(Chip::Stm32f205).source);
    board.run_until(at(3_100_000));
    assert_eq!(board.supply().chip_power(), crate::supply::ChipPower::Good);
    board.inject(at(3_200_000), brown_out(2_700));
    board.run_until(at(3_300_000));
    assert!(events(&mut board).iter().filter(|it| **it == LifeEvent::BrownOut).count() >= 2, "2.7 V is below level 3");
}

#[test]
fn a_locked_up_core_waits_for_its_watchdog() {
    // An undefined instruction in the handler of the fault that another one raises.
    let locks_up = || Program::default().step([0xDE00, 0xDE00, 0xDE00, 0xDE00], [0xDE00_DE00; 2]);
    let mut board = locks_up().on(Chip::Stm32f205);
    board.run_until(at(2_000_000));
    assert_eq!(board.boots(), 1, "nothing else resets it");
    let mut board = Program::default().write(IWDG, 0xCCCC).then(locks_up()).on(Chip::Stm32f205);
    board.run_until(at(1_300_000));
    let bites = events(&mut board).iter().filter(|it| **it == LifeEvent::Reset(ResetCause::Watchdog)).count();
    assert_eq!(bites, 2, "after 512 ms each, and the time that it takes to begin");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_firmware_writes_to_registers_how_a_run_is_cut_into_pieces_makes_no_difference(
        writes in prop::collection::vec((crate::stm32::addresses(), crate::stm32::values(), 0u32..2_000), 1..60),
        mut stops in prop::collection::vec(2_000u64..30_000, 1..20),
        source in prop::sample::select(sources().to_vec()),
    ) {
        stops.sort_unstable();
        let poke = |program: Program, (address, value, rounds): &(u32, u32, u32)| program.write(*address, *value).wait(*rounds);
        let clocks = [0x30, 0x34, 0x40, 0x44].map(|offset| (0x4002_3800 + offset, u32::MAX, 1));
        let image = clocks.iter().chain(&writes).fold(Program::default(), poke).sleep().stay().image();
        let pins = (0..16).map(|pin| WiredPin { pin: Pin::pa(pin), when_high: Current::new(10_000) }).collect();
        let config = BoardConfig { source, pins, ..BoardConfig::new(Chip::Stm32f205) };
        let run = |stops: &[u64]| {
            let mut board = Board::new(config.clone(), &image).unwrap();
            for stop in stops {
                board.run_until(at(*stop));
            }
            board.run_until(at(31_000));
            let happened = (board.take_life_log(), board.take_flash_log(), board.take_pin_edges(), board.take_console());
            (happened, board.core().instructions(), board.state(), board.rail(), board.supply().charge(board.now()))
        };
        prop_assert_eq!(run(&stops), run(&[]));
    }
}
