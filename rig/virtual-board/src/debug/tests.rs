//! The laws of halting debug, held on the wire: what a debugger reads and writes, and what the board does meanwhile.

use brickproof_units::{Instant, Span};
use proptest::prelude::*;

use super::*;
use crate::board::{Board, BoardConfig, BoardState, LifeEvent, ResetCause};
use crate::chip::Chip;
use crate::supply::Source;

const LANTERN: &[u8] = include_bytes!("../../../../fixtures/firmware/images/lantern-no-heal.bin");
const CHIPS: [Chip; 2] = [Chip::Nrf51822, Chip::Nrf52840];
const RAM: u32 = 0x2000_0000;
const NVMC: u32 = 0x4001_E000;
const TIMER0: u32 = 0x4000_8000;
const WDT: u32 = 0x4001_0000;
const DHCSR: u32 = 0xE000_EDF0;
const DCRSR: u32 = 0xE000_EDF4;
const DCRDR: u32 = 0xE000_EDF8;
const DEMCR: u32 = 0xE000_EDFC;
const DFSR: u32 = 0xE000_ED30;
const AIRCR: u32 = 0xE000_ED0C;
const BREAKPOINTS: u32 = 0xE000_2000;
const CODE: u32 = 0xC0;

const ENABLE: u32 = 0xA05F_0001;
const HALT: u32 = 0xA05F_0003;
const STEP: u32 = 0xA05F_0005;
const STEP_MASKED: u32 = 0xA05F_000D;
const IS_HALTED: u32 = 1 << 17;
const LOCKED_UP: u32 = 1 << 19;
const WAS_RESET: u32 = 1 << 25;
const PC: u32 = 15;

const POWER_UP: u32 = 0x5000_0000;
const PORT: Bank = Bank::Port;
const ACCESS: Bank = Bank::Access;

#[derive(Clone)]
struct Rig {
    board: Board,
    port: DebugPort,
}

impl Rig {
    /// A board that has run for 50 ms, with nothing attached.
    fn fresh(chip: Chip, image: &[u8]) -> Self {
        let mut board = Board::new(BoardConfig::new(chip), image).unwrap();
        board.run_until(Instant::START + Span::millis(50));
        Self { board, port: DebugPort::new() }
    }

    /// With a debugger that has powered the port up and enabled halting.
    fn attached(chip: Chip, image: &[u8]) -> Self {
        let mut rig = Self::fresh(chip, image);
        rig.connect();
        rig.write(DHCSR, ENABLE);
        rig.read(DHCSR);
        rig
    }

    fn connect(&mut self) {
        self.port.reset_wire(&self.board);
        self.transfer(Request::Read(PORT, 0)).unwrap();
        self.transfer(Request::Write(PORT, 4, POWER_UP)).unwrap();
        self.transfer(Request::Write(PORT, 8, 0)).unwrap();
        self.transfer(Request::Write(ACCESS, 0, 0x0300_0002)).unwrap();
    }

    fn transfer(&mut self, request: Request) -> Result<u32, Refusal> {
        self.port.transfer(&mut self.board, request)
    }

    fn try_read(&mut self, address: u32) -> Result<u32, Refusal> {
        self.transfer(Request::Write(ACCESS, 4, address))?;
        self.transfer(Request::Read(ACCESS, 0xC))?;
        self.transfer(Request::Read(PORT, 0xC))
    }

    fn read(&mut self, address: u32) -> u32 {
        self.try_read(address).unwrap()
    }

    fn write(&mut self, address: u32, value: u32) {
        self.transfer(Request::Write(ACCESS, 4, address)).unwrap();
        self.transfer(Request::Write(ACCESS, 0xC, value)).unwrap();
        self.transfer(Request::Read(PORT, 0xC)).unwrap();
    }

    fn register(&mut self, number: u32) -> u32 {
        self.write(DCRSR, number);
        self.read(DCRDR)
    }

    fn set_register(&mut self, number: u32, value: u32) {
        self.write(DCRDR, value);
        self.write(DCRSR, 1 << 16 | number);
    }

    fn is_halted(&mut self) -> bool {
        self.read(DHCSR) & IS_HALTED != 0
    }

    fn run(&mut self, span: Span) {
        self.board.run_until(self.board.now() + span);
    }

    fn step(&mut self, how: u32) {
        self.write(DHCSR, how);
        self.run(Span::micros(50));
        assert!(self.is_halted(), "a step has an end");
    }
}

/// A vector table whose handlers all loop at their own place behind the code, and the code, from [`CODE`] on.
fn image(code: &[u16]) -> Vec<u8> {
    let handler = CODE + 2 * code.len() as u32;
    let mut image = (RAM + 0x2000).to_le_bytes().to_vec();
    image.extend((CODE | 1).to_le_bytes());
    image.extend(std::iter::repeat_n((handler | 1).to_le_bytes(), 46).flatten());
    // b .
    image.extend(code.iter().chain(&[0xE7FE]).flat_map(|halfword| halfword.to_le_bytes()));
    image
}

/// adds r0, 1; adds r1, 1; b back.
fn counting() -> Vec<u8> {
    image(&[0x3001, 0x3101, 0xE7FC])
}

#[test]
fn a_port_without_power_or_before_a_reset_of_the_wire_does_not_answer() {
    let mut rig = Rig::fresh(Chip::Nrf51822, &counting());
    let identify = Request::Read(PORT, 0);
    assert_eq!(rig.transfer(identify), Err(Refusal::NoAnswer), "the wire was not reset");
    rig.port.reset_wire(&rig.board);
    assert_eq!(rig.transfer(Request::Read(PORT, 4)), Err(Refusal::NoAnswer), "DPIDR comes first");
    rig.port.reset_wire(&rig.board);
    assert_eq!(rig.transfer(identify), Ok(0x0BB1_1477));
    rig.board.connect(Source::None);
    rig.run(Span::secs(2));
    assert_eq!(rig.board.state(), BoardState::Off);
    assert_eq!(rig.transfer(identify), Err(Refusal::NoAnswer));
    rig.port.reset_wire(&rig.board);
    assert_eq!(rig.transfer(identify), Err(Refusal::NoAnswer));
}

#[test]
fn a_loss_of_power_forgets_what_the_debugger_set_up() {
    for chip in CHIPS {
        let mut rig = Rig::attached(chip, &counting());
        rig.write(DEMCR, 1);
        rig.write(DHCSR, HALT);
        rig.board.connect(Source::None);
        rig.run(Span::secs(2));
        rig.board.connect(BoardConfig::new(chip).source);
        rig.run(Span::millis(100));
        assert_eq!(rig.transfer(Request::Read(PORT, 4)), Err(Refusal::NoAnswer), "the port sleeps again");
        let before = rig.board.core().instructions();
        rig.run(Span::millis(1));
        assert!(rig.board.core().instructions() > before, "it boots and is not caught");
        rig.connect();
        assert_eq!(rig.read(DHCSR) & 0xF, 0);
        assert_eq!(rig.read(DEMCR), 0);
    }
}

#[test]
fn nothing_is_reached_before_the_port_is_powered_up() {
    let mut rig = Rig::fresh(Chip::Nrf52840, &counting());
    rig.port.reset_wire(&rig.board);
    assert_eq!(rig.transfer(Request::Read(PORT, 0)), Ok(0x2BA0_1477));
    assert_eq!(rig.transfer(Request::Read(ACCESS, 0)), Err(Refusal::Fault));
}

#[test]
fn a_bus_error_shows_at_the_next_transfer_and_is_remembered_until_it_is_cleared() {
    let mut rig = Rig::attached(Chip::Nrf51822, &counting());
    assert_eq!(rig.try_read(0x7000_0000), Err(Refusal::Fault));
    assert_eq!(rig.transfer(Request::Read(ACCESS, 4)), Err(Refusal::Fault));
    assert_eq!(rig.transfer(Request::Write(PORT, 8, 0)), Err(Refusal::Fault));
    assert_eq!(rig.transfer(Request::Read(PORT, 4)).unwrap() & 0x20, 0x20, "CTRL/STAT says so");
    rig.transfer(Request::Write(PORT, 0, 1 << 2)).unwrap();
    assert_eq!(rig.read(0x1000_0010), 1024);
}

#[test]
fn bytes_lie_in_their_lanes_and_the_address_goes_on_within_a_kilobyte() {
    let mut rig = Rig::attached(Chip::Nrf52840, &counting());
    rig.write(RAM + 0x3FC, 0x4433_2211);
    rig.write(RAM, 0xDDCC_BBAA);
    // Bytes, one by one.
    rig.transfer(Request::Write(ACCESS, 0, 0x0300_0010)).unwrap();
    rig.transfer(Request::Write(ACCESS, 4, RAM + 0x3FE)).unwrap();
    rig.transfer(Request::Read(ACCESS, 0xC)).unwrap();
    assert_eq!(rig.transfer(Request::Read(ACCESS, 0xC)), Ok(0x0033_0000));
    assert_eq!(rig.transfer(Request::Read(ACCESS, 0xC)), Ok(0x4400_0000));
    assert_eq!(rig.transfer(Request::Write(ACCESS, 0xC, 0x0000_EE00)), Ok(0));
    assert_eq!(rig.transfer(Request::Read(ACCESS, 4)).map(drop), Ok(()));
    assert_eq!(rig.transfer(Request::Read(PORT, 0xC)), Ok(RAM + 2), "it wrapped behind the third byte");
    rig.transfer(Request::Write(ACCESS, 0, 0x0300_0002)).unwrap();
    assert_eq!(rig.read(RAM), 0xDDCC_EEAA);
    // Four bytes in one transfer.
    rig.transfer(Request::Write(ACCESS, 0, 0x0300_0020)).unwrap();
    rig.transfer(Request::Write(ACCESS, 4, RAM)).unwrap();
    rig.transfer(Request::Read(ACCESS, 0xC)).unwrap();
    assert_eq!(rig.transfer(Request::Read(ACCESS, 4)), Ok(0xDDCC_EEAA));
}

#[test]
fn a_halted_core_stands_still_and_the_rest_of_the_chip_does_not() {
    for chip in CHIPS {
        let mut rig = Rig::attached(chip, &counting());
        // TIMER0: started, then captured.
        rig.write(TIMER0, 1);
        rig.write(DHCSR, HALT);
        assert!(rig.is_halted());
        assert_eq!(rig.read(DFSR), 1);
        let before = (rig.board.core().instructions(), rig.board.core().registers());
        rig.run(Span::millis(5));
        assert_eq!((rig.board.core().instructions(), rig.board.core().registers()), before);
        rig.write(TIMER0 + 0x40, 1);
        assert!(rig.read(TIMER0 + 0x540) > 0, "the timer counts");
        rig.write(DHCSR, ENABLE);
        rig.run(Span::millis(1));
        assert!(!rig.is_halted() && rig.board.core().instructions() > before.0);
    }
}

#[test]
fn registers_are_read_and_written_of_a_halted_core_only() {
    for chip in CHIPS {
        let mut rig = Rig::attached(chip, &counting());
        rig.write(DCRDR, 0x1234);
        rig.write(DCRSR, 0);
        assert_eq!(rig.read(DCRDR), 0x1234, "it runs: nothing is moved");
        rig.write(DHCSR, HALT);
        for number in (0..13).chain([14]) {
            rig.set_register(number, 0x8000_0001 + number);
        }
        rig.set_register(17, RAM + 0x1000);
        rig.set_register(18, RAM + 0x800);
        rig.set_register(PC, CODE + 2);
        rig.set_register(16, 0xF100_0000);
        rig.set_register(20, 0x0200_0001);
        let registers = rig.board.core().registers();
        assert_eq!(
            (registers.msp, registers.psp, registers.primask, registers.control),
            (RAM + 0x1000, RAM + 0x800, 1, 2)
        );
        for number in (0..13).chain([14]) {
            assert_eq!(rig.register(number), 0x8000_0001 + number);
        }
        let read = [PC, 13, 16, 17, 18, 20].map(|number| rig.register(number));
        assert_eq!(read, [CODE + 2, RAM + 0x800, 0xF100_0000, RAM + 0x1000, RAM + 0x800, 0x0200_0001]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    /// Steps and runs do the same, instruction by instruction, whatever the firmware is at.
    #[test]
    fn a_step_executes_exactly_one_instruction(run in 0u64..20_000, steps in 1usize..40) {
        for chip in CHIPS {
            let mut rig = Rig::attached(chip, LANTERN);
            rig.run(Span::micros(run));
            rig.write(DHCSR, HALT);
            rig.run(Span::micros(1));
            for _ in 0..steps {
                let (count, mode) = (rig.board.core().instructions(), rig.board.core().mode());
                rig.step(STEP_MASKED);
                prop_assert_eq!(rig.board.core().instructions(), count + 1);
                prop_assert!(rig.board.core().mode() == mode || mode == crate::core::Mode::Handler, "an interrupt came");
            }
        }
    }

    #[test]
    fn no_packet_makes_a_probe_panic(packets in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 1..20)) {
        let mut rig = Rig::attached(Chip::Nrf51822, LANTERN);
        let mut probe = CmsisDap::new("1");
        for packet in packets {
            let answer = probe.execute(&packet, &mut Leash::new(&mut rig.board, &mut rig.port));
            prop_assert!(!answer.is_empty() && answer.len() <= CMSIS_DAP_PACKET_SIZE);
        }
    }

    /// Commands that are known, with anything behind them.
    #[test]
    fn no_parameters_make_a_probe_panic(command in 0u8..0x20, parameters in proptest::collection::vec(any::<u8>(), 0..600)) {
        let mut rig = Rig::attached(Chip::Nrf52840, LANTERN);
        let mut packet = vec![command];
        packet.extend(parameters);
        let answer = CmsisDap::new("1").execute(&packet, &mut Leash::new(&mut rig.board, &mut rig.port));
        prop_assert!(!answer.is_empty() && answer.len() <= CMSIS_DAP_PACKET_SIZE);
        prop_assert!(answer[0] == command || answer[0] == 0xFF);
    }

    #[test]
    fn no_characters_make_a_black_magic_panic(text in "(!(A[aAdRmM]|S[iIoO]|G[AZfFEP]|H[CA]|SS)[0-9a-f]{0,48}#|[!#&a-f0-9+]{0,20}){1,8}") {
        let mut rig = Rig::attached(Chip::Nrf51822, LANTERN);
        let mut probe = BlackMagic::new();
        let mut leash = Leash::new(&mut rig.board, &mut rig.port);
        let whole = probe.clone().receive(text.as_bytes(), &mut leash);
        let answers = whole.iter().filter(|byte| **byte == b'&').count();
        prop_assert_eq!(answers, whole.iter().filter(|byte| **byte == b'#').count());
        let _ = probe.receive(b"!", &mut leash);
    }

    /// A debugger that only looks makes no difference, neither to firmware that sleeps nor to code that counts every cycle.
    #[test]
    fn looking_at_a_board_changes_nothing(looks in proptest::collection::vec(1u64..3_000, 1..20)) {
        for image in [LANTERN, &counting()] {
            let mut rig = Rig::fresh(Chip::Nrf51822, image);
            let mut alone = rig.board.clone();
            rig.connect();
            for micros in &looks {
                rig.run(Span::micros(*micros));
                rig.read(RAM + 0x100);
                rig.read(DHCSR);
            }
            alone.run_until(rig.board.now());
            prop_assert_eq!(alone.core().registers(), rig.board.core().registers());
            prop_assert_eq!(alone.core().instructions(), rig.board.core().instructions());
            prop_assert_eq!(alone.take_console(), rig.board.take_console());
        }
    }
}

#[test]
fn a_breakpoint_stops_before_its_instruction() {
    for chip in CHIPS {
        for place in [CODE, CODE + 2, CODE + 4] {
            let mut rig = Rig::attached(chip, &counting());
            rig.write(DHCSR, HALT);
            let upper = if place & 2 == 0 { 1 << 30 } else { 2 << 30 };
            rig.write(BREAKPOINTS + 8, upper | place & !3 | 1);
            rig.write(BREAKPOINTS, 3);
            rig.set_register(PC, if place == CODE { CODE + 2 } else { CODE });
            rig.set_register(0, 0);
            rig.set_register(1, 0);
            rig.write(DFSR, 0x1F);
            rig.write(DHCSR, ENABLE);
            rig.run(Span::micros(10));
            assert!(rig.is_halted());
            assert_eq!(rig.read(DFSR), 2);
            let expected = [(CODE, 0, 1), (CODE + 2, 1, 0), (CODE + 4, 1, 1)];
            let read = (rig.register(PC), rig.register(0), rig.register(1));
            assert_eq!(read, expected[(place - CODE) as usize / 2]);
            // And once it is gone, the core is as fast as ever.
            rig.write(BREAKPOINTS, 2);
            rig.write(DHCSR, ENABLE);
            let before = rig.board.core().instructions();
            rig.run(Span::millis(1));
            assert!(rig.board.core().instructions() > before + 3_000);
        }
    }
}

#[test]
fn there_are_as_many_comparators_as_the_part_has() {
    for (chip, count) in [(Chip::Nrf51822, 4), (Chip::Nrf52840, 6)] {
        let mut rig = Rig::attached(chip, &counting());
        assert_eq!(rig.read(BREAKPOINTS) >> 4 & 0xF, count);
        for comparator in 0..8 {
            rig.write(BREAKPOINTS + 8 + 4 * comparator, 0x4000_00C1);
            let expected = if comparator < count { 0x4000_00C1 } else { 0 };
            assert_eq!(rig.read(BREAKPOINTS + 8 + 4 * comparator), expected);
        }
    }
}

#[test]
fn a_bkpt_halts_at_itself() {
    // adds r0, 1; bkpt 0
    let mut rig = Rig::fresh(Chip::Nrf51822, &image(&[0x3001, 0xBE00]));
    rig.connect();
    rig.write(DHCSR, ENABLE);
    rig.write(DEMCR, 1);
    rig.write(AIRCR, 0x05FA_0004);
    rig.run(Span::millis(1));
    rig.write(DFSR, 0x1F);
    rig.write(DHCSR, ENABLE);
    rig.run(Span::millis(1));
    assert!(rig.is_halted());
    assert_eq!((rig.register(PC), rig.read(DFSR)), (CODE + 2, 2));
    // Over it, and on.
    rig.set_register(PC, CODE + 4);
    rig.write(DHCSR, ENABLE);
    rig.run(Span::millis(1));
    assert!(!rig.is_halted());
}

#[test]
fn a_masked_step_takes_no_interrupt_and_an_unmasked_one_does() {
    // cpsie i, nothing more to do: the interrupt is pended by the debugger.
    for (how, expected) in [(STEP_MASKED, CODE + 2), (STEP, CODE + 6)] {
        let mut rig = Rig::attached(Chip::Nrf51822, &counting());
        rig.write(DHCSR, HALT);
        rig.set_register(PC, CODE);
        // SWI0, interrupt 20.
        rig.write(0xE000_E100, 1 << 20);
        rig.write(0xE000_E200, 1 << 20);
        rig.step(how);
        assert_eq!(rig.register(PC), expected);
        if how == STEP_MASKED {
            rig.step(STEP);
            assert_eq!(rig.register(PC), CODE + 6, "it had only waited");
        }
    }
}

#[test]
fn a_software_reset_is_caught_before_the_first_instruction() {
    for chip in CHIPS {
        let mut rig = Rig::attached(chip, &counting());
        rig.write(DHCSR, HALT);
        rig.write(DEMCR, 1);
        rig.board.take_life_log();
        rig.write(AIRCR, 0x05FA_0004);
        assert_eq!(rig.read(DHCSR) & (WAS_RESET | IS_HALTED), WAS_RESET);
        assert_eq!(rig.read(DHCSR) & WAS_RESET, WAS_RESET, "it lasts on");
        assert_eq!(rig.try_read(RAM), Err(Refusal::Fault), "the bus is in reset");
        rig.transfer(Request::Write(PORT, 0, 0x1E)).unwrap();
        let before = rig.board.core().instructions();
        rig.run(Span::millis(1));
        assert_eq!(rig.board.core().instructions(), before);
        assert_eq!(rig.read(DHCSR) & (WAS_RESET | IS_HALTED), WAS_RESET | IS_HALTED);
        assert_eq!(rig.read(DHCSR) & (WAS_RESET | IS_HALTED), IS_HALTED);
        assert_eq!((rig.register(PC), rig.read(DFSR) & 8), (CODE, 8));
        let events: Vec<_> = rig.board.take_life_log().into_iter().map(|record| record.event).collect();
        assert_eq!(events, [LifeEvent::Reset(ResetCause::Software), LifeEvent::Boot(ResetCause::Software)]);
        // Without the catch it runs.
        rig.write(DEMCR, 0);
        rig.write(AIRCR, 0x05FA_0004);
        rig.run(Span::millis(1));
        assert!(!rig.is_halted() && rig.board.core().instructions() > before);
    }
}

#[test]
fn a_board_held_in_reset_answers_and_does_not_run() {
    let mut rig = Rig::attached(Chip::Nrf52840, &counting());
    rig.board.press_reset();
    let before = rig.board.core().instructions();
    rig.run(Span::millis(5));
    assert_eq!(rig.board.core().instructions(), before);
    assert_eq!(rig.read(DHCSR) & WAS_RESET, WAS_RESET);
    rig.write(DHCSR, HALT);
    rig.board.release_reset();
    rig.run(Span::millis(1));
    assert!(rig.is_halted(), "what it was told in reset holds");
    assert_eq!(rig.board.core().instructions(), before);
}

#[test]
fn a_blank_chip_locks_up_and_can_be_halted() {
    for chip in CHIPS {
        let mut rig = Rig::fresh(chip, &[]);
        rig.connect();
        rig.run(Span::millis(1));
        rig.board.take_life_log();
        rig.write(DHCSR, ENABLE);
        assert_eq!(rig.read(DHCSR) & (LOCKED_UP | IS_HALTED), LOCKED_UP);
        rig.run(Span::secs(1));
        assert_eq!(rig.board.take_life_log(), [], "a debugger is there: it is not reset");
        rig.write(DHCSR, HALT);
        assert_eq!(rig.read(DHCSR) & (LOCKED_UP | IS_HALTED), IS_HALTED);
        rig.write(RAM, 0xE7FE_3001);
        rig.set_register(16, 1 << 24);
        rig.set_register(PC, RAM);
        rig.step(STEP);
        assert_eq!(rig.register(PC), RAM + 2);
    }
}

#[test]
fn a_hard_fault_is_caught_at_its_handler_if_that_is_asked_for() {
    for (catch, halts) in [(1 << 10, true), (0, false)] {
        // udf
        let mut rig = Rig::attached(Chip::Nrf51822, &image(&[0xE7FE, 0xDE00]));
        rig.write(DHCSR, HALT);
        rig.write(DEMCR, catch);
        rig.set_register(PC, CODE + 2);
        rig.write(DFSR, 0x1F);
        rig.write(DHCSR, ENABLE);
        rig.run(Span::millis(1));
        assert_eq!(rig.is_halted(), halts);
        if halts {
            assert_eq!((rig.register(PC), rig.register(16) & 0x3F, rig.read(DFSR)), (CODE + 4, 3, 8));
        }
    }
}

#[test]
fn the_flash_goes_on_while_the_core_is_halted_and_makes_a_debugger_wait() {
    for chip in CHIPS {
        let mut rig = Rig::attached(chip, LANTERN);
        rig.write(DHCSR, HALT);
        let page = 0x2_0000;
        rig.write(NVMC + 0x504, 1);
        rig.write(page, 0x1234_5678);
        assert_eq!(rig.read(NVMC + 0x400), 0, "it works");
        assert_eq!(rig.try_read(page), Err(Refusal::Wait));
        rig.run(Span::millis(1));
        assert_eq!((rig.read(NVMC + 0x400), rig.read(page)), (1, 0x1234_5678));
        rig.write(NVMC + 0x504, 2);
        rig.write(NVMC + 0x508, page);
        rig.run(Span::millis(10));
        assert_eq!(rig.try_read(page), Err(Refusal::Wait));
        rig.run(Span::millis(200));
        assert_eq!(rig.read(page), u32::MAX);
        assert!(rig.is_halted());
    }
}

#[test]
fn the_watchdog_pauses_while_the_core_is_halted_unless_it_is_told_otherwise() {
    for (config, resets) in [(1, false), (1 << 3 | 1, true)] {
        let mut rig = Rig::attached(Chip::Nrf51822, &counting());
        rig.write(WDT + 0x504, 3277);
        rig.write(WDT + 0x50C, config);
        rig.write(WDT, 1);
        rig.write(DHCSR, HALT);
        rig.board.take_life_log();
        rig.run(Span::millis(500));
        assert_eq!(!rig.board.take_life_log().is_empty(), resets);
        rig.write(DHCSR, ENABLE);
        rig.run(Span::millis(150));
        assert_eq!(!rig.board.take_life_log().is_empty(), !resets, "let go, it counts on");
    }
}

#[test]
fn systick_stands_still_with_the_core() {
    let mut rig = Rig::attached(Chip::Nrf52840, &counting());
    rig.write(0xE000_E014, 0xFF_FFFF);
    rig.write(0xE000_E010, 5);
    rig.run(Span::millis(1));
    rig.write(DHCSR, HALT);
    let value = rig.read(0xE000_E018);
    rig.run(Span::millis(1));
    assert_eq!(rig.read(0xE000_E018), value);
    rig.write(DHCSR, ENABLE);
    rig.run(Span::millis(1));
    let passed = value - rig.read(0xE000_E018);
    assert!((64_000..64_100).contains(&passed), "{passed} cycles in a millisecond");
}

#[test]
fn clones_go_the_same_way_from_the_same_place() {
    let mut rig = Rig::attached(Chip::Nrf51822, LANTERN);
    rig.write(DHCSR, HALT);
    let mut clone = rig.clone();
    for rig in [&mut rig, &mut clone] {
        rig.step(STEP);
        rig.write(DHCSR, ENABLE);
        rig.run(Span::millis(20));
    }
    assert_eq!(rig.board.core().registers(), clone.board.core().registers());
    assert_eq!(rig.board.take_console(), clone.board.take_console());
}

#[test]
fn ctrl_ap_resets_and_erases_an_nrf52840() {
    let mut rig = Rig::attached(Chip::Nrf52840, LANTERN);
    rig.transfer(Request::Write(PORT, 8, 1 << 24)).unwrap();
    rig.board.take_life_log();
    rig.transfer(Request::Write(ACCESS, 0, 1)).unwrap();
    assert_eq!(rig.board.state(), BoardState::InReset);
    rig.run(Span::millis(10));
    assert_eq!(rig.board.state(), BoardState::InReset, "it holds it");
    rig.board.press_reset();
    rig.transfer(Request::Write(ACCESS, 0, 0)).unwrap();
    rig.run(Span::millis(10));
    assert_eq!(rig.board.state(), BoardState::InReset, "the pin holds it too");
    // Erasing works on a chip in reset.
    rig.transfer(Request::Write(ACCESS, 4, 1)).unwrap();
    rig.transfer(Request::Read(ACCESS, 8)).unwrap();
    assert_eq!(rig.transfer(Request::Read(ACCESS, 8)), Ok(1));
    rig.run(Span::secs(1));
    rig.transfer(Request::Read(ACCESS, 8)).unwrap();
    assert_eq!(rig.transfer(Request::Read(ACCESS, 8)), Ok(0));
    rig.board.release_reset();
    let mut bytes = vec![0; LANTERN.len()];
    rig.board.flash().read_raw(0, &mut bytes).unwrap();
    assert!(bytes.iter().all(|byte| *byte == 0xFF));
    // The nRF51 has none.
    let mut rig = Rig::attached(Chip::Nrf51822, LANTERN);
    rig.transfer(Request::Write(PORT, 8, 1 << 24)).unwrap();
    rig.transfer(Request::Write(ACCESS, 4, 1)).unwrap();
    rig.run(Span::secs(1));
    rig.board.flash().read_raw(0, &mut bytes).unwrap();
    assert!(bytes == LANTERN);
}

#[test]
fn a_debugger_wakes_a_chip_that_switched_itself_off() {
    // ldr r0, =SYSTEMOFF; movs r1, 1; str r1, [r0]; b .
    let off = image(&[0x4801, 0x2101, 0x6001, 0xE7FE, 0x0500, 0x4000]);
    let mut rig = Rig::fresh(Chip::Nrf51822, &off);
    assert_eq!(rig.board.state(), BoardState::SystemOff);
    rig.board.take_life_log();
    rig.connect();
    assert_eq!(rig.board.take_life_log()[0].event, LifeEvent::Reset(ResetCause::DebugInterface));
}

#[test]
fn a_transfer_bit_by_bit_is_the_same_transfer() {
    let mut rig = Rig::fresh(Chip::Nrf51822, &counting());
    let mut probe = CmsisDap::new("1");
    let mut execute = |packet: &[u8]| probe.execute(packet, &mut Leash::new(&mut rig.board, &mut rig.port));
    // 51 ones and more, then zeros.
    assert_eq!(execute(&[0x12, 64, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x00]), [0x12, 0]);
    // The header of a read of DPIDR (0xA5); a turnaround; 36 bits in; a turnaround.
    let answer = execute(&[0x1D, 4, 8, 0xA5, 0x81, 0x80 | 36, 0x81]);
    let bits = answer[3..8].iter().rev().fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
    assert_eq!((bits & 7, bits >> 3 & 0xFFFF_FFFF), (1, 0x0BB1_1477));
    assert_eq!(bits >> 35 & 1, u64::from(0x0BB1_1477u32.count_ones() & 1));
    // CTRL/STAT is written: header 0xA9, turnaround, acknowledgement, turnaround, 33 bits.
    let mut packet = vec![0x1D, 5, 8, 0xA9, 0x81, 0x83, 0x81, 33];
    packet.extend(POWER_UP.to_le_bytes());
    packet.push((POWER_UP.count_ones() & 1) as u8);
    assert_eq!(execute(&packet)[3], 1);
    // And read by a whole transfer.
    let answer = execute(&[0x05, 0, 1, 0x06]);
    assert_eq!(answer, [0x05, 1, 1, 0, 0, 0, 0xF0]);
}

#[test]
fn cmsis_dap_moves_blocks_and_tells_where_one_failed() {
    let mut rig = Rig::attached(Chip::Nrf51822, &counting());
    let mut probe = CmsisDap::new("1");
    let mut execute = |packet: &[u8]| probe.execute(packet, &mut Leash::new(&mut rig.board, &mut rig.port));
    // CSW: words, address goes on. TAR.
    let mut packet = vec![0x05, 0, 2, 0x01, 0x12, 0, 0, 3, 0x05];
    packet.extend((RAM + 0x3FF0).to_le_bytes());
    assert_eq!(execute(&packet), [0x05, 2, 1]);
    let mut packet = vec![0x06, 0, 4, 0, 0x0D];
    (1u32..=4).for_each(|word| packet.extend(word.to_le_bytes()));
    assert_eq!(execute(&packet), [0x06, 4, 0, 1]);
    let mut back = vec![0x05, 0, 1, 0x05];
    back.extend((RAM + 0x3FF0).to_le_bytes());
    execute(&back);
    let answer = execute(&[0x06, 0, 4, 0, 0x0F]);
    assert_eq!(answer[..4], [0x06, 4, 0, 1]);
    assert_eq!(answer[4..].chunks(4).map(|word| word[0]).collect::<Vec<_>>(), [1, 2, 3, 4]);
    // A value that does not come.
    assert_eq!(execute(&[0x05, 0, 2, 0x20, 0xFF, 0, 0, 0, 0x12, 1, 0, 0, 0]), [0x05, 1, 1 | 1 << 4]);
    // Where nothing is.
    let answer = execute(&[0x05, 0, 2, 0x05, 0, 0, 0, 0x70, 0x0F]);
    assert_eq!((answer[1], answer[2]), (1, 4));
}

#[test]
fn a_probe_tells_what_it_is() {
    let mut rig = Rig::fresh(Chip::Nrf51822, &counting());
    let mut probe = CmsisDap::new("lantern-1");
    let mut execute = |packet: &[u8]| probe.execute(packet, &mut Leash::new(&mut rig.board, &mut rig.port));
    assert_eq!(execute(&[0, 3]), b"\0\x0Alantern-1\0");
    assert_eq!(execute(&[0, 0xFF]), [0, 2, 0, 2]);
    assert_eq!(execute(&[0, 0xF0]), [0, 1, 0x11]);
    assert_eq!(execute(&[0x7F, 2, 0x02, 1, 0x01, 0, 1]), [0x7F, 2, 0x02, 1, 0x01, 0]);
    assert_eq!(execute(&[0x02, 2]), [0x02, 0], "no JTAG");
    assert_eq!(execute(&[0x99]), [0xFF]);
    assert_eq!(execute(&[0x05, 0, 2, 0x01]), [0x05, 0xFF]);
    assert_eq!(execute(&[0x10, 0, 0x80, 0, 0, 0, 0]), [0x10, 0b11]);
    assert_eq!(rig.board.state(), BoardState::InReset);
}
