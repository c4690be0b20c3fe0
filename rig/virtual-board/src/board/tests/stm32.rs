//! The STM32F205: what its flash comes to at a rail that sags, its brown-out reset, its lock-up.

use super::*;

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
