//! WFI, WFE, SEV and how sleep ends (DDI 0419 B1.5.18 and B1.5.19).

use brickproof_virtual_board::{
    bus::{Activity, Halt},
    core::Stop,
};

use crate::flat::{BX_LR, NOP, PROGRAM, Rig, STAY};

const NVIC_ISER: u32 = 0xE000_E100;
const NVIC_IPR0: u32 = 0xE000_E400;
const SCR: u32 = 0xE000_ED10;
const SLEEPONEXIT: u32 = 1 << 1;
const SLEEPDEEP: u32 = 1 << 2;
const SEVONPEND: u32 = 1 << 4;
const CPSID: u16 = 0xB672;
const WFE: u16 = 0xBF20;
const WFI: u16 = 0xBF30;
const SEV: u16 = 0xBF40;
const IRQ0: u32 = 16;

/// Asleep in the first instruction of `program`, with interrupt 0 enabled and due at cycle 10,000 of the clock.
fn sleeper(program: &[u16]) -> Rig {
    let mut rig = Rig::m0(program);
    rig.poke(NVIC_ISER, 1);
    rig.chip.script.push_back((10_000, 1));
    rig
}

#[test]
fn sleep_takes_no_host_time_and_all_of_the_boards() {
    let mut rig = sleeper(&[WFI, STAY]);
    assert_eq!(rig.core.run(&mut rig.chip, 9_000), Stop::Reached);
    assert_eq!((rig.core.clock.cycle, rig.core.pc()), (9_000, PROGRAM + 2));
    assert_eq!(rig.core.activity(), Activity::Asleep);
    rig.core.run(&mut rig.chip, 10_001);
    assert_eq!((rig.exception(), rig.core.clock.cycle), (IRQ0, 10_000 + 16));
}

#[test]
fn the_chip_is_told_of_sleep_and_waking() {
    let mut rig = sleeper(&[WFI, STAY]);
    rig.poke(SCR, SLEEPDEEP);
    let start = rig.core.clock.cycle;
    rig.core.run(&mut rig.chip, 20_000);
    assert_eq!(rig.chip.activity, [(start, Activity::DeeplyAsleep), (10_000, Activity::Awake)]);
}

#[test]
fn nothing_ever_due_is_said_so() {
    let mut rig = Rig::m0(&[WFI]);
    assert_eq!(rig.core.run(&mut rig.chip, u64::MAX), Stop::Asleep);
    assert_eq!(rig.step(), Some(Stop::Asleep));
    assert_eq!(rig.run(500), Stop::Reached, "a run with an end gets there");
}

#[test]
fn wfi_wakes_behind_primask_without_taking_the_interrupt() {
    let mut rig = sleeper(&[CPSID, WFI, NOP, STAY]);
    rig.core.run(&mut rig.chip, 10_001);
    assert_eq!((rig.exception(), rig.core.pc()), (0, PROGRAM + 6));
}

#[test]
fn wfi_sleeps_through_an_interrupt_that_is_not_enabled() {
    let mut rig = Rig::m0(&[WFI, STAY]);
    rig.chip.script.push_back((10_000, 1));
    assert_eq!(rig.core.run(&mut rig.chip, u64::MAX), Stop::Asleep);
}

#[test]
fn wfi_with_an_interrupt_pending_does_not_sleep() {
    let mut rig = Rig::m0(&[CPSID, WFI, STAY]);
    rig.poke(NVIC_ISER, 1);
    rig.steps(1);
    rig.core.pend_interrupt(0);
    let before = rig.core.clock.cycle;
    rig.steps(2);
    assert_eq!((rig.core.pc(), rig.core.clock.cycle), (PROGRAM + 4, before + 2 + 3));
}

#[test]
fn wfe_passes_once_after_sev() {
    let mut rig = Rig::m0(&[SEV, WFE, WFE]);
    rig.steps(2);
    assert_eq!(rig.core.activity(), Activity::Awake);
    assert_eq!(rig.core.run(&mut rig.chip, u64::MAX), Stop::Asleep);
    assert_eq!(rig.core.pc(), PROGRAM + 6);
}

#[test]
fn wfe_sleeps_behind_primask_unless_pending_is_an_event() {
    let mut rig = sleeper(&[CPSID, WFE, STAY]);
    assert_eq!(rig.clone().core.run(&mut rig.chip.clone(), u64::MAX), Stop::Asleep);
    rig.poke(SCR, SEVONPEND);
    rig.core.run(&mut rig.chip, 10_001);
    assert_eq!((rig.exception(), rig.core.pc()), (0, PROGRAM + 4));
    assert!(rig.core.clock.cycle >= 10_000);
}

#[test]
fn an_exception_is_an_event() {
    let mut rig = sleeper(&[NOP, WFE, NOP]).with_handler(IRQ0, &[BX_LR]);
    rig.chip.script.clear();
    rig.core.pend_interrupt(0);
    rig.steps(4);
    assert_eq!((rig.core.pc(), rig.core.activity()), (PROGRAM + 4, Activity::Awake));
}

#[test]
fn sleep_on_exit_sleeps_again_instead_of_returning_to_the_thread() {
    // The handler takes the line down: LDR R0, =LINES; STR R1, [R0] with R1 zero.
    let mut rig = sleeper(&[WFI, NOP, STAY]).with_handler(IRQ0, &[0x4801, 0x6001, BX_LR, NOP, 0, 0x4000]);
    rig.poke(SCR, SLEEPONEXIT);
    rig.chip.script.push_back((20_000, 1));
    assert_eq!(rig.core.run(&mut rig.chip, u64::MAX), Stop::Asleep);
    assert_eq!(rig.core.pc(), PROGRAM + 2, "the instruction after WFI was never reached");
    assert!(rig.core.clock.cycle > 20_000, "both interrupts were handled");
}

#[test]
fn an_interrupt_below_the_running_handler_does_not_wake_it() {
    let mut rig = Rig::m0(&[NOP]).with_handler(IRQ0, &[WFI, STAY]);
    rig.poke(NVIC_ISER, 3);
    rig.poke(NVIC_IPR0, 0x80_40);
    rig.core.pend_interrupt(0);
    rig.steps(2);
    rig.core.pend_interrupt(1);
    assert_eq!(rig.core.run(&mut rig.chip, u64::MAX), Stop::Asleep);
}

#[test]
fn a_halted_chip_stops_the_core() {
    let mut rig = Rig::m0(&[STAY]);
    rig.chip.halt = Some(Halt::PowerLost);
    assert_eq!(rig.run(100), Stop::Halted(Halt::PowerLost));
    assert_eq!(rig.core.instructions(), 0);
}
