//! Exceptions, priorities, faults and lock-up, after the pseudo-code of DDI 0419 B1.5.

use brickproof_virtual_board::core::{CoreOptions, Mode, Register, Stop};
use proptest::prelude::*;

use crate::flat::{BX_LR, NOP, PROGRAM, RAM, RAM_BYTES, Rig, STACK, STAY, handler};

const NVIC_ISER: u32 = 0xE000_E100;
const NVIC_IPR0: u32 = 0xE000_E400;
const ICSR: u32 = 0xE000_ED04;
const SHPR2: u32 = 0xE000_ED1C;
const SHPR3: u32 = 0xE000_ED20;
const ICSR_NMIPENDSET: u32 = 1 << 31;
const ICSR_PENDSVSET: u32 = 1 << 28;

const SVC: u16 = 0xDF00;
const UDF: u16 = 0xDE00;
const CPSID: u16 = 0xB672;
const WFI: u16 = 0xBF30;
const BX_R0: u16 = 0x4700;
const BLX_R0: u16 = 0x4780;
const LDR_R1_R0: u16 = 0x6801;
const STR_R1_R0: u16 = 0x6001;

const HARD_FAULT: u32 = 3;
const SV_CALL: u32 = 11;
const PEND_SV: u32 = 14;
const IRQ0: u32 = 16;

/// A rig at its program with interrupts 0 to 3 enabled, at these levels.
fn with_interrupts(program: &[u16], levels: [u32; 4]) -> Rig {
    let mut rig = Rig::m0(program);
    rig.poke(NVIC_ISER, 0xF);
    rig.poke(NVIC_IPR0, (0..).zip(levels).map(|(i, level)| level << (8 * i + 6)).sum());
    rig
}

#[test]
fn entry_stacks_eight_words_and_starts_the_handler_on_the_main_stack() {
    let mut rig = with_interrupts(&[NOP, NOP], [0; 4]);
    for number in 0..=12 {
        rig.set(Register::General(number), 0x100 + u32::from(number));
    }
    rig.set(Register::General(14), 0x1234_5679);
    rig.set(Register::Xpsr, 0xA100_0000);
    rig.steps(1);
    rig.core.pend_interrupt(0);
    rig.steps(1);
    assert_eq!(rig.register(15), handler(IRQ0));
    assert_eq!(rig.register(14), 0xFFFF_FFF9);
    assert_eq!(rig.register(13), STACK - 32);
    let frame: Vec<u32> = (0..8).map(|index| rig.stacked(index)).collect();
    assert_eq!(frame, [0x100, 0x101, 0x102, 0x103, 0x10C, 0x1234_5679, PROGRAM + 2, 0xA100_0000]);
    assert_eq!((rig.exception(), rig.core.mode()), (IRQ0, Mode::Handler));
}

#[test]
fn an_unaligned_stack_is_padded_and_the_padding_is_taken_back() {
    let mut rig = with_interrupts(&[NOP], [0; 4]).with_handler(IRQ0, &[BX_LR]);
    rig.set(Register::Msp, STACK - 4);
    rig.core.pend_interrupt(0);
    rig.steps(1);
    assert_eq!(rig.register(13), STACK - 40);
    assert_eq!(rig.stacked(7) & 1 << 9, 1 << 9);
    rig.steps(1);
    assert_eq!(rig.register(13), STACK - 4);
    assert_eq!(rig.core.registers().xpsr & 1 << 9, 0, "the bit is of the frame, not of the program");
}

#[test]
fn a_thread_on_the_process_stack_is_stacked_there_and_goes_back_to_it() {
    let mut rig = with_interrupts(&[NOP], [0; 4]).with_handler(IRQ0, &[BX_LR]);
    rig.set(Register::Psp, RAM + 0x400);
    rig.set(Register::Control, 2);
    rig.core.pend_interrupt(0);
    rig.steps(1);
    let registers = rig.core.registers();
    assert_eq!((registers.psp, registers.msp, registers.general[13]), (RAM + 0x400 - 32, STACK, STACK));
    assert_eq!((registers.control, registers.general[14]), (0, 0xFFFF_FFFD));
    rig.steps(1);
    let registers = rig.core.registers();
    assert_eq!((registers.psp, registers.control, registers.general[13]), (RAM + 0x400, 2, RAM + 0x400));
}

proptest! {
    #[test]
    fn entering_and_leaving_an_exception_changes_nothing(
        values in proptest::array::uniform13(any::<u32>()),
        link: u32,
        flags in 0u32..16,
        stack_words in 16u32..0x100,
        process in 0u32..2,
    ) {
        let mut rig = with_interrupts(&[NOP], [0; 4]).with_handler(IRQ0, &[BX_LR]);
        for (number, value) in (0..).zip(values) {
            rig.set(Register::General(number), value);
        }
        rig.set(Register::General(14), link);
        rig.set(Register::Xpsr, flags << 28 | 1 << 24);
        rig.set(Register::Control, process << 1);
        rig.set(Register::General(13), RAM + 4 * stack_words);
        let before = rig.core.registers();
        rig.core.pend_interrupt(0);
        rig.steps(1);
        prop_assert_eq!(rig.exception(), IRQ0);
        prop_assert_eq!(rig.register(13) % 8, 0);
        rig.steps(1);
        prop_assert_eq!(rig.core.registers(), before);
    }
}

#[test]
fn a_more_urgent_interrupt_preempts_and_an_equal_one_waits_for_the_return() {
    let mut rig = with_interrupts(&[NOP], [2, 1, 2, 3]).with_handler(IRQ0, &[NOP, BX_LR]).with_handler(17, &[BX_LR]);
    rig.core.pend_interrupt(0);
    rig.steps(1);
    rig.core.pend_interrupt(2);
    rig.core.pend_interrupt(1);
    rig.steps(1);
    assert_eq!((rig.exception(), rig.register(14)), (17, 0xFFFF_FFF1), "level 1 preempts level 2");
    rig.steps(1);
    assert_eq!((rig.exception(), rig.register(15)), (IRQ0, handler(IRQ0)));
    rig.steps(3);
    assert_eq!(rig.exception(), 18, "level 2 after level 2");
}

#[test]
fn of_equals_the_lowest_number_goes_first() {
    let mut rig = with_interrupts(&[NOP], [1, 1, 1, 0]);
    for line in [2, 1, 3] {
        rig.core.pend_interrupt(line);
    }
    rig.steps(1);
    assert_eq!(rig.exception(), 19, "level 0 before level 1");
    let mut rig = with_interrupts(&[NOP], [1, 1, 1, 1]);
    for line in [2, 1, 3] {
        rig.core.pend_interrupt(line);
    }
    rig.steps(1);
    assert_eq!(rig.exception(), 17);
}

#[test]
fn primask_holds_interrupts_back_but_neither_nmi_nor_hard_fault() {
    let mut rig = with_interrupts(&[CPSID, NOP, NOP, UDF], [0; 4]);
    rig.steps(1);
    rig.core.pend_interrupt(0);
    rig.steps(2);
    assert_eq!(rig.exception(), 0);
    let mut faulting = rig.clone();
    faulting.steps(1);
    assert_eq!(faulting.exception(), HARD_FAULT);
    rig.poke(ICSR, ICSR_NMIPENDSET);
    rig.steps(1);
    assert_eq!(rig.exception(), 2);
}

#[test]
fn enabling_interrupts_takes_a_pending_one_before_the_next_instruction() {
    let mut rig = with_interrupts(&[CPSID, 0xB662, NOP], [0; 4]);
    rig.steps(1);
    rig.core.pend_interrupt(0);
    rig.steps(2);
    assert_eq!((rig.exception(), rig.stacked(6)), (IRQ0, PROGRAM + 4));
}

#[test]
fn a_handler_that_returns_runs_again_while_its_line_is_high() {
    let mut rig = with_interrupts(&[NOP; 8], [0; 4]).with_handler(IRQ0, &[BX_LR]);
    rig.chip.lines = 1;
    rig.core.clock.call_attention();
    rig.steps(2);
    assert_eq!(rig.exception(), 0);
    rig.steps(1);
    assert_eq!(rig.exception(), IRQ0);
    rig.chip.lines = 0;
    rig.steps(2);
    assert_eq!((rig.exception(), rig.register(15)), (0, PROGRAM + 2));
}

#[test]
fn svc_calls_the_supervisor_and_returns_behind_itself() {
    let mut rig = Rig::m0(&[SVC, NOP]).with_handler(SV_CALL, &[BX_LR]);
    rig.steps(2);
    assert_eq!((rig.exception(), rig.stacked(6)), (SV_CALL, PROGRAM + 2));
    rig.steps(1);
    assert_eq!(rig.register(15), PROGRAM + 2);
}

#[test]
fn svc_that_cannot_be_taken_becomes_a_hard_fault() {
    let mut masked = Rig::m0(&[CPSID, SVC]);
    masked.steps(2);
    assert_eq!((masked.exception(), masked.stacked(6)), (HARD_FAULT, PROGRAM + 4));

    let mut nested = Rig::m0(&[SVC]).with_handler(SV_CALL, &[SVC]);
    nested.steps(3);
    assert_eq!((nested.exception(), nested.stacked(6)), (HARD_FAULT, handler(SV_CALL) + 2));

    let mut outranked = with_interrupts(&[NOP], [1; 4]).with_handler(IRQ0, &[SVC]);
    outranked.poke(SHPR2, 1 << 30);
    outranked.core.pend_interrupt(0);
    outranked.steps(2);
    assert_eq!(outranked.exception(), HARD_FAULT);
    let mut allowed = with_interrupts(&[NOP], [1; 4]).with_handler(IRQ0, &[SVC]);
    allowed.core.pend_interrupt(0);
    allowed.steps(3);
    assert_eq!(allowed.exception(), SV_CALL);
}

#[test]
fn pend_sv_waits_until_everything_more_urgent_is_done() {
    const STR_R0_R1: u16 = 0x6008;
    let mut rig = with_interrupts(&[NOP, NOP], [1; 4])
        .with_handler(IRQ0, &[STR_R0_R1, NOP, BX_LR])
        .with_handler(PEND_SV, &[BX_LR]);
    rig.poke(SHPR3, 3 << 22);
    rig.set(Register::General(0), ICSR_PENDSVSET);
    rig.set(Register::General(1), ICSR);
    rig.core.pend_interrupt(0);
    rig.steps(3);
    assert_eq!((rig.exception(), rig.register(15)), (IRQ0, handler(IRQ0) + 4), "pended, and not yet taken");
    rig.steps(2);
    assert_eq!((rig.exception(), rig.stacked(6)), (PEND_SV, PROGRAM));
    rig.steps(1);
    assert_eq!(rig.exception(), 0);
}

/// Everything that faults: what, the program, R0 and R1 before it.
const FAULTS: &[(&str, &[u16], u32, u32)] = &[
    ("UDF", &[UDF], 0, 0),
    ("UDF.W", &[0xF7F0, 0xA000], 0, 0),
    ("an encoding of ARMv7-M (CBZ)", &[0xB100], 0, 0),
    ("an encoding of ARMv7-M (IT)", &[0xBF08], 0, 0),
    ("a 32-bit encoding of ARMv7-M", &[0xF8D0, 0x1000], RAM, 0),
    ("MRS to SP", &[0xF3EF, 0x8D08], 0, 0),
    ("LDR of an unaligned word", &[LDR_R1_R0], RAM + 2, 0),
    ("STR of an unaligned word", &[STR_R1_R0], RAM + 1, 0),
    ("LDRH of an unaligned halfword", &[0x8801], RAM + 1, 0),
    ("STRH of an unaligned halfword", &[0x8001], RAM + 1, 0),
    ("LDRSH of an unaligned halfword", &[0x5E41], RAM, 1),
    ("LDM from an unaligned address", &[0xC806], RAM + 2, 0),
    ("STM to an unaligned address", &[0xC006], RAM + 2, 0),
    ("LDR where nothing is", &[LDR_R1_R0], 0x3000_0000, 0),
    ("STR where nothing is", &[STR_R1_R0], 0x3000_0000, 0),
    ("LDM across the end of RAM", &[0xC806], RAM + RAM_BYTES as u32 - 4, 0),
    ("STM across the end of RAM", &[0xC006], RAM + RAM_BYTES as u32 - 4, 0),
    ("LDR above the private bus", &[LDR_R1_R0], 0xE010_0000, 0),
    ("LDRB of a system register", &[0x7801], 0xE000_ED00, 0),
    ("LDRH of a system register", &[0x8801], 0xE000_ED00, 0),
    ("STRB to a system register", &[0x7001], 0xE000_E100, 0),
    ("LDR of an unaligned system register", &[LDR_R1_R0], 0xE000_ED02, 0),
];

#[test]
fn faults_leave_the_registers_and_return_to_the_instruction() {
    for &(what, program, r0, r1) in FAULTS {
        let mut rig = Rig::m0(program);
        rig.set(Register::General(0), r0);
        rig.set(Register::General(1), r1);
        let before = rig.core.registers().general;
        rig.steps(1);
        assert_eq!(rig.exception(), HARD_FAULT, "{what}");
        assert_eq!(rig.stacked(6), PROGRAM, "{what}");
        assert_eq!([rig.stacked(0), rig.stacked(1), rig.stacked(2)], before[..3], "{what}");
        assert_eq!(rig.core.instructions(), 0, "{what} was not executed");
    }
}

#[test]
fn a_branch_without_the_thumb_bit_faults_at_its_target() {
    for branch in [BX_R0, BLX_R0] {
        let mut rig = Rig::m0(&[branch]);
        rig.set(Register::General(0), PROGRAM + 0x10);
        rig.steps(2);
        assert_eq!((rig.exception(), rig.stacked(6)), (HARD_FAULT, PROGRAM + 0x10));
        assert_eq!(rig.stacked(7) & 1 << 24, 0, "the stacked EPSR.T is clear");
    }
}

#[test]
fn pop_into_the_pc_without_the_thumb_bit_faults_at_its_target() {
    let mut rig = Rig::m0(&[0xBD00]);
    rig.set(Register::Msp, STACK - 4);
    rig.chip.set_word(STACK - 4, PROGRAM + 0x10);
    rig.steps(2);
    assert_eq!((rig.exception(), rig.stacked(6)), (HARD_FAULT, PROGRAM + 0x10));
}

#[test]
fn code_cannot_be_executed_from_device_or_system_space() {
    for target in [0x4000_0001, 0xA000_0001, 0xE000_E001, 0xFFFF_FFF9] {
        let mut rig = Rig::m0(&[BX_R0]);
        rig.set(Register::General(0), target);
        rig.steps(2);
        assert_eq!((rig.exception(), rig.stacked(6)), (HARD_FAULT, target - 1), "{target:#x} in Thread mode");
    }
}

#[test]
fn bkpt_stops_for_a_debugger_and_faults_without_one() {
    let mut rig = Rig::m0(&[0xBEAB]);
    assert_eq!(rig.step(), Some(Stop::Breakpoint(0xAB)));
    assert_eq!(rig.run(100), Stop::Breakpoint(0xAB), "the PC stays at the breakpoint");
    assert_eq!((rig.core.pc(), rig.core.instructions()), (PROGRAM, 0));
    rig.core.options_mut().halting_debug = false;
    rig.steps(1);
    assert_eq!((rig.exception(), rig.stacked(6)), (HARD_FAULT, PROGRAM));
}

#[test]
fn a_fault_in_hard_fault_or_nmi_locks_up() {
    let mut rig = Rig::m0(&[UDF]).with_handler(HARD_FAULT, &[UDF]);
    rig.steps(1);
    assert_eq!(rig.step(), Some(Stop::Lockup { pc: handler(HARD_FAULT) }));
    assert_eq!(rig.run(1000), Stop::Lockup { pc: handler(HARD_FAULT) }, "for good");
    rig.core.reset(&mut rig.chip);
    assert_eq!(rig.step(), None, "until reset");

    let mut rig = Rig::m0(&[NOP]).with_handler(2, &[SVC]);
    rig.poke(ICSR, ICSR_NMIPENDSET);
    rig.steps(1);
    assert_eq!(rig.step(), Some(Stop::Lockup { pc: handler(2) + 2 }), "SVC escalates, and then there is nowhere to go");
}

/// As QEMU does (`fixtures/vectors/exceptions.txt`, "push while the main stack points nowhere"). The handler's first use of the stack
/// is then the fault that locks up.
#[test]
fn a_hard_fault_without_a_stack_is_taken_and_its_first_push_locks_up() {
    let mut rig = Rig::m0(&[0xB500]).with_handler(HARD_FAULT, &[0xB500]); // push {lr}
    rig.set(Register::Msp, RAM);
    rig.steps(1);
    assert_eq!((rig.exception(), rig.core.pc()), (HARD_FAULT, handler(HARD_FAULT)));
    assert_eq!(rig.step(), Some(Stop::Lockup { pc: handler(HARD_FAULT) }));
}

#[test]
fn an_interrupt_without_a_stack_is_a_hard_fault_and_stays_pending() {
    let mut rig = with_interrupts(&[NOP], [0; 4]);
    rig.set(Register::Msp, RAM + 8);
    rig.core.pend_interrupt(0);
    rig.steps(1);
    assert_eq!(rig.exception(), HARD_FAULT);
    assert_eq!(rig.peek(0xE000_E200), 1, "ISPR");
}

#[test]
fn a_vector_without_the_thumb_bit_faults_in_the_handler() {
    let mut rig = with_interrupts(&[NOP], [0; 4]);
    rig.vector(IRQ0, handler(IRQ0));
    rig.core.pend_interrupt(0);
    rig.steps(2);
    assert_eq!((rig.exception(), rig.stacked(6)), (HARD_FAULT, handler(IRQ0)));
    assert_eq!(rig.stacked(7) & (1 << 24 | 0x3F), IRQ0);
}

#[test]
fn returns_that_contradict_the_state_fault() {
    for code in [0xFFFF_FFF1, 0xFFFF_FFF0, 0xFFFF_FFFB, 0xFFFF_FFFF, 0xF000_0009, 0xFFFF_FFE9] {
        let mut rig = with_interrupts(&[NOP], [0; 4]).with_handler(IRQ0, &[BX_LR]);
        rig.core.pend_interrupt(0);
        rig.steps(1);
        rig.set(Register::General(14), code);
        rig.steps(1);
        assert_eq!((rig.exception(), rig.stacked(6)), (HARD_FAULT, handler(IRQ0)), "{code:#x}");
    }
}

#[test]
fn a_nested_handler_cannot_return_to_thread_mode() {
    let mut rig = with_interrupts(&[NOP], [1, 0, 0, 0]).with_handler(17, &[BX_LR]);
    rig.core.pend_interrupt(0);
    rig.steps(1);
    rig.core.pend_interrupt(1);
    rig.steps(1);
    rig.set(Register::General(14), 0xFFFF_FFF9);
    rig.steps(1);
    assert_eq!(rig.exception(), HARD_FAULT);
}

#[test]
fn a_frame_whose_exception_number_contradicts_the_code_faults() {
    let mut rig = with_interrupts(&[NOP], [0; 4]).with_handler(IRQ0, &[BX_LR]);
    rig.core.pend_interrupt(0);
    rig.steps(1);
    rig.chip.set_word(STACK - 4, 1 << 24 | 5);
    rig.steps(1);
    assert_eq!(rig.exception(), HARD_FAULT);
}

#[test]
fn a_frame_with_the_thumb_bit_clear_faults_where_it_resumes() {
    let mut rig = with_interrupts(&[NOP], [0; 4]).with_handler(IRQ0, &[BX_LR]);
    rig.core.pend_interrupt(0);
    rig.steps(1);
    rig.chip.set_word(STACK - 4, 0);
    rig.steps(2);
    assert_eq!((rig.exception(), rig.stacked(6)), (HARD_FAULT, PROGRAM));
}

#[test]
fn pop_returns_from_an_exception_too() {
    let mut rig = with_interrupts(&[NOP], [0; 4]).with_handler(IRQ0, &[0xB510, 0xBD10]); // push, pop {r4, pc}
    rig.core.pend_interrupt(0);
    rig.steps(3);
    assert_eq!((rig.exception(), rig.register(15), rig.register(13)), (0, PROGRAM, STACK));
}

#[test]
fn reset_without_a_thumb_vector_faults_and_without_a_table_locks_up() {
    let mut rig = Rig::m0(&[NOP]);
    rig.vector(1, PROGRAM);
    rig.core.reset(&mut rig.chip);
    rig.steps(1);
    assert_eq!((rig.exception(), rig.stacked(6)), (HARD_FAULT, PROGRAM));
    rig.chip.forget_code();
    rig.core.reset(&mut rig.chip);
    assert_eq!(rig.step(), Some(Stop::Lockup { pc: 0xFFFF_FFFE }));
}

#[test]
fn reset_forgets_everything_but_time_and_the_instruction_count() {
    let mut rig = with_interrupts(&[SVC], [3; 4]).with_handler(SV_CALL, &[CPSID, WFI]);
    let fresh = Rig::m0(&[SVC]).core;
    rig.core.pend_interrupt(0);
    rig.run(1000);
    let (cycle, instructions) = (rig.core.clock.cycle, rig.core.instructions());
    rig.core.reset(&mut rig.chip);
    assert_eq!(rig.core.registers(), fresh.registers());
    assert_eq!((rig.core.clock.cycle, rig.core.instructions()), (cycle, instructions));
    assert_eq!((rig.peek(NVIC_ISER), rig.peek(NVIC_IPR0), rig.peek(0xE000_E200)), (0, 0, 0));
}

#[test]
fn the_vector_table_moves_only_where_vtor_exists() {
    const VTOR: u32 = 0xE000_ED08;
    for (options, entered) in [(CoreOptions::NRF51, handler(SV_CALL)), (CoreOptions::NRF52840, 0x2000)] {
        let mut rig = Rig::new(options, &[SVC]);
        rig.poke(VTOR, RAM + 0x17F);
        assert_eq!(rig.peek(VTOR), if options.vtor { RAM + 0x100 } else { 0 });
        rig.chip.set_word(RAM + 0x100 + 4 * SV_CALL, 0x2001);
        rig.burn(0x2000, &[STAY]);
        rig.steps(2);
        assert_eq!(rig.core.pc(), entered);
    }
}
