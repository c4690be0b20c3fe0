//! Stock probe-rs on the virtual board: what it does to real silicon, with its own flash algorithms on the emulated core.
//!
//! Boundary: probe-rs is the other end, as a library; the debug port and the probes are the virtual board's. A board's time passes by its
//! transfers, so that nothing here waits for a clock but probe-rs's own pauses.

#![expect(clippy::unwrap_used, reason = "a test that meets what it does not expect has failed, in its helpers too")]

#[path = "virtual_probe/cable.rs"]
mod cable;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use brickproof_units::Span;
use brickproof_virtual_board::board::{Board, BoardConfig, LifeEvent, ResetCause};
use brickproof_virtual_board::chip::Chip;
use brickproof_virtual_board::debug::BlackMagic;
use cable::Bench;
use probe_rs::config::TargetSelector;
use probe_rs::flashing::{DownloadOptions, FlashProgress, erase_all};
use probe_rs::probe::list::Lister;
use probe_rs::probe::{DebugProbeSelector, Probe, WireProtocol};
use probe_rs::{CoreStatus, HaltReason, MemoryInterface as _, Permissions, Session};

const LANTERN: &[u8] = include_bytes!("../../../fixtures/firmware/images/lantern-heal-full.bin");
const LANTERN_STM32: &[u8] = include_bytes!("../../../fixtures/firmware/images/lantern-heal-full-stm32f205.bin");
const STM32: &str = "STM32F205RG";
const STM32_FLASH: u64 = 0x0800_0000;
const CHIPS: [(Chip, &str); 2] = [(Chip::Nrf51822, "nRF51822_xxAA"), (Chip::Nrf52840, "nRF52840_xxAA")];
/// A debugger in no hurry: then an erase is over after a few looks.
const PER_TRANSFER: Span = Span::micros(500);

/// A board with nothing in its flash.
fn blank(chip: Chip) -> Board {
    let mut board = Board::new(BoardConfig::new(chip), &[]).unwrap();
    board.run_until(board.now() + Span::millis(100));
    board
}

fn flash(session: &mut Session, image: &[u8]) {
    flash_at(session, 0, image);
}

fn flash_at(session: &mut Session, base: u64, image: &[u8]) {
    let mut loader = session.target().flash_loader();
    loader.add_data(base, image).unwrap();
    let mut options = DownloadOptions::default();
    options.verify = true;
    loader.commit(session, options).unwrap();
}

fn contents(board: &Board, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    board.flash().read_raw(0, &mut bytes).unwrap();
    bytes
}

fn console(board: &mut Board) -> String {
    board.take_console().iter().map(|byte| char::from(byte.value)).collect()
}

/// Flashes a blank board, lets it run, and looks at what it then is.
fn flash_and_run(session: &mut Session, device_id: Vec<u8>) {
    let mut read = [0; 8];
    session.core(0).unwrap().read_8(0x1000_0060, &mut read).unwrap();
    assert_eq!(read.to_vec(), device_id);
    flash(session, LANTERN);
    session.core(0).unwrap().reset().unwrap();
}

fn assert_boots(board: &mut Board) {
    assert!(contents(board, LANTERN.len()) == LANTERN, "the flash differs");
    board.run_until(board.now() + Span::secs(2));
    let printed = console(board);
    assert!(printed.contains("[app] INFO: lantern 1.0.0 heal-full"), "{printed:?}");
}

#[test]
fn a_blank_board_is_flashed_and_boots() {
    for (chip, name) in CHIPS {
        let bench = Bench::new(blank(chip), PER_TRANSFER);
        let mut session = bench.probe().attach(name, Permissions::default()).unwrap();
        let device_id = bench.board(|board| board.soc().unique_id());
        flash_and_run(&mut session, device_id);
        bench.board(assert_boots);
    }
}

#[test]
fn black_magic_over_tcp_flashes_a_blank_board() {
    for (chip, name) in CHIPS {
        let bench = Bench::new(blank(chip), PER_TRANSFER);
        let device_id = bench.board(|board| board.soc().unique_id());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = listener.local_addr().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (mut stream, _) = listener.accept().unwrap();
                stream.set_nodelay(true).unwrap();
                let (mut probe, mut buffer) = (BlackMagic::new(), [0; 4096]);
                while let Ok(count @ 1..) = stream.read(&mut buffer) {
                    let answer = bench.with(|leash| probe.receive(&buffer[..count], leash));
                    if stream.write_all(&answer).is_err() {
                        return;
                    }
                }
            });
            let selector = DebugProbeSelector {
                vendor_id: 0x1D50,
                product_id: 0x6018,
                interface: None,
                serial_number: Some(place.to_string()),
            };
            let mut probe: Probe = Lister::new().open(selector).unwrap();
            probe.select_protocol(WireProtocol::Swd).unwrap();
            let mut session = probe.attach(name, Permissions::default()).unwrap();
            flash_and_run(&mut session, device_id);
        });
        bench.board(assert_boots);
    }
}

#[test]
fn an_stm32_is_read_halted_and_goes_on() {
    let board = Board::new(BoardConfig::new(Chip::Stm32f205), LANTERN_STM32).unwrap();
    let bench = Bench::new(board, PER_TRANSFER);
    bench.board(|board| board.run_until(board.now() + Span::millis(100)));
    let mut session = bench.probe().attach(STM32, Permissions::default()).unwrap();
    let mut core = session.core(0).unwrap();
    let mut read = vec![0; LANTERN_STM32.len()];
    core.read(STM32_FLASH, &mut read).unwrap();
    // Its keys are written at the first start; its code is as it was linked.
    let mut there = vec![0; read.len()];
    bench.board(|board| board.flash().read_raw(STM32_FLASH as u32, &mut there)).unwrap();
    assert!(read == there && read[..0x4000] == LANTERN_STM32[..0x4000], "the flash differs");
    let mut id = [0; 12];
    core.read_8(0x1FFF_7A10, &mut id).unwrap();
    assert_eq!(id.to_vec(), bench.board(|board| board.soc().unique_id()));
    core.halt(Duration::from_secs(1)).unwrap();
    assert!(matches!(core.status().unwrap(), CoreStatus::Halted(_)));
    let pc: u32 = core.read_core_reg(core.program_counter()).unwrap();
    core.step().unwrap();
    let next: u32 = core.read_core_reg(core.program_counter()).unwrap();
    assert!(pc != next, "{pc:#010x}");
    core.run().unwrap();
    drop(core);
    bench.board(|board| {
        board.run_until(board.now() + Span::secs(2));
        let printed = console(board);
        assert!(printed.contains("[app] INFO: lantern 1.0.0 heal-full"), "{printed:?}");
    });
}

#[test]
fn an_stm32_is_flashed_and_boots() {
    let bench = Bench::new(blank(Chip::Stm32f205), PER_TRANSFER);
    let mut session = bench.probe().attach(STM32, Permissions::default()).unwrap();
    flash_at(&mut session, STM32_FLASH, LANTERN_STM32);
    session.core(0).unwrap().reset().unwrap();
    bench.board(|board| {
        board.run_until(board.now() + Span::secs(2));
        let printed = console(board);
        assert!(printed.contains("[app] INFO: lantern 1.0.0 heal-full"), "{printed:?}");
    });
}

#[test]
fn the_chip_is_recognised_without_its_name() {
    for (chip, name) in CHIPS {
        let bench = Bench::new(blank(chip), PER_TRANSFER);
        let session = bench.probe().attach(TargetSelector::Auto, Permissions::default()).unwrap();
        assert_eq!(session.target().name, name);
    }
}

#[test]
fn attaching_under_reset_halts_before_the_first_instruction() {
    for (chip, name) in CHIPS {
        let board = Board::new(BoardConfig::new(chip), LANTERN).unwrap();
        let bench = Bench::new(board, PER_TRANSFER);
        bench.board(|board| board.run_until(board.now() + Span::millis(100)));
        let mut session = bench.probe().attach_under_reset(name, Permissions::default()).unwrap();
        let mut core = session.core(0).unwrap();
        assert!(matches!(core.status().unwrap(), CoreStatus::Halted(_)));
        let start = u32::from_le_bytes(LANTERN[4..8].try_into().unwrap()) & !1;
        let pc: u32 = core.read_core_reg(core.program_counter()).unwrap();
        assert_eq!(pc, start);
        core.run().unwrap();
        drop(core);
        bench.board(|board| {
            assert!(board.take_life_log().iter().any(|record| record.event == LifeEvent::Boot(ResetCause::Pin)));
            board.run_until(board.now() + Span::secs(1));
            let printed = console(board);
            assert!(printed.contains("[app] INFO: lantern 1.0.0 heal-full"), "{printed:?}");
            assert!(printed.contains("reset 0x00000001"), "it does not say that the pin reset it: {printed:?}");
        });
    }
}

#[test]
fn a_breakpoint_stops_before_its_instruction_and_a_step_executes_it() {
    for (chip, name) in CHIPS {
        let bench = Bench::new(Board::new(BoardConfig::new(chip), LANTERN).unwrap(), PER_TRANSFER);
        bench.board(|board| board.run_until(board.now() + Span::millis(100)));
        let mut session = bench.probe().attach(name, Permissions::default()).unwrap();
        let mut core = session.core(0).unwrap();
        let stopped = core.reset_and_halt(Duration::from_millis(100)).unwrap();
        let next = core.step().unwrap();
        assert_ne!(next.pc, stopped.pc);
        core.reset_and_halt(Duration::from_millis(100)).unwrap();
        core.set_hw_breakpoint(next.pc).unwrap();
        core.run().unwrap();
        // `run` steps once before it lets go, so the breakpoint is met at the second instruction from the start or not at all.
        core.wait_for_core_halted(Duration::from_millis(500)).unwrap();
        let pc: u32 = core.read_core_reg(core.program_counter()).unwrap();
        assert_eq!(u64::from(pc), next.pc);
        assert!(matches!(core.status().unwrap(), CoreStatus::Halted(HaltReason::Breakpoint(_) | HaltReason::Multiple)));
    }
}

#[test]
fn memory_is_read_and_written_at_any_width_and_a_hole_is_an_error() {
    for (chip, name) in CHIPS {
        let bench = Bench::new(blank(chip), PER_TRANSFER);
        let mut session = bench.probe().attach(name, Permissions::default()).unwrap();
        let mut core = session.core(0).unwrap();
        let bytes: Vec<u8> = (0..3001u32).map(|n| (n * 7) as u8).collect();
        core.write_8(0x2000_0101, &bytes).unwrap();
        let mut read = vec![0; bytes.len()];
        core.read_8(0x2000_0101, &mut read).unwrap();
        assert!(read == bytes);
        core.write_16(0x2000_0002, &[0xBEEF]).unwrap();
        assert_eq!(core.read_word_16(0x2000_0002).unwrap(), 0xBEEF);
        assert!(core.read_word_32(0x7000_0000).is_err());
        assert_eq!(core.read_word_16(0x2000_0002).unwrap(), 0xBEEF, "the error is over");
    }
}

#[test]
fn everything_is_erased() {
    for (chip, name) in CHIPS {
        let bench = Bench::new(Board::new(BoardConfig::new(chip), LANTERN).unwrap(), PER_TRANSFER);
        bench.board(|board| board.run_until(board.now() + Span::millis(100)));
        let mut session = bench.probe().attach(name, Permissions::default()).unwrap();
        erase_all(&mut session, &mut FlashProgress::empty(), false).unwrap();
        bench.board(|board| assert!(contents(board, LANTERN.len()).iter().all(|byte| *byte == 0xFF)));
    }
}

#[test]
fn a_locked_chip_is_opened_only_by_erasing_it() {
    let locked = || {
        let mut board = Board::new(BoardConfig::new(Chip::Nrf52840), LANTERN).unwrap();
        board.write_flash(0x1000_1208, &[0, 0xFF, 0xFF, 0xFF]).unwrap();
        board.run_until(board.now() + Span::millis(100));
        Bench::new(board, PER_TRANSFER)
    };
    let bench = locked();
    let refused = bench.probe().attach("nRF52840_xxAA", Permissions::default());
    assert!(matches!(refused, Err(probe_rs::Error::MissingPermissions(_) | probe_rs::Error::Arm(_))));
    bench.board(|board| assert!(contents(board, LANTERN.len()) == LANTERN, "refused, and yet erased"));
    let bench = locked();
    let mut session = bench.probe().attach("nRF52840_xxAA", Permissions::default().allow_erase_all()).unwrap();
    assert_eq!(session.core(0).unwrap().read_word_32(0).unwrap(), u32::MAX);
}

#[test]
fn a_board_without_power_does_not_answer() {
    let mut board = Board::new(BoardConfig::new(Chip::Nrf51822), LANTERN).unwrap();
    let bench = {
        board.connect(brickproof_virtual_board::supply::Source::None);
        board.run_until(board.now() + Span::secs(2));
        Bench::new(board, PER_TRANSFER)
    };
    assert!(bench.probe().attach("nRF51822_xxAA", Permissions::default()).is_err());
}
