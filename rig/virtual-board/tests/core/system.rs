//! The registers of the system control space as a program sees them (DDI 0419 B3.2 to B3.4).

use brickproof_virtual_board::core::{CoreOptions, Register, Stop};

use crate::flat::{NOP, PROGRAM, Rig, STAY};

const SYST_CSR: u32 = 0xE000_E010;
const SYST_RVR: u32 = 0xE000_E014;
const SYST_CVR: u32 = 0xE000_E018;
const SYST_CALIB: u32 = 0xE000_E01C;
const NVIC_ISER: u32 = 0xE000_E100;
const NVIC_ICER: u32 = 0xE000_E180;
const NVIC_ISPR: u32 = 0xE000_E200;
const NVIC_ICPR: u32 = 0xE000_E280;
const NVIC_IPR0: u32 = 0xE000_E400;
const CPUID: u32 = 0xE000_ED00;
const ICSR: u32 = 0xE000_ED04;
const AIRCR: u32 = 0xE000_ED0C;
const SCR: u32 = 0xE000_ED10;
const CCR: u32 = 0xE000_ED14;
const SHPR2: u32 = 0xE000_ED1C;
const SHPR3: u32 = 0xE000_ED20;
const SHCSR: u32 = 0xE000_ED24;
const CPSID: u16 = 0xB672;

/// What each register reads after all ones were written to it with interrupts masked, and what it reads then.
#[test]
fn only_the_bits_that_exist_can_be_written() {
    let expected: &[(u32, u32)] = &[
        (NVIC_ISER, 0xFFFF_FFFF),
        (NVIC_ICER, 0),
        (NVIC_ISPR, 0xFFFF_FFFF),
        (NVIC_ICPR, 0),
        (NVIC_IPR0, 0xC0C0_C0C0),
        (NVIC_IPR0 + 0x1C, 0xC0C0_C0C0),
        (NVIC_IPR0 + 0x20, 0),
        (CPUID, 0x410C_C200),
        (0xE000_ED08, 0),
        (SCR, 0x16),
        (CCR, 0x208),
        (SHPR2, 0xC000_0000),
        (SHPR3, 0xC0C0_0000),
        (0xE000_ED18, 0),
        (0xE000_EDF0, 0),
        (0xE000_1000, 0),
        (SYST_CSR, 0),
        (SYST_RVR, 0),
        (SYST_CALIB, 0),
    ];
    for &(address, value) in expected {
        let mut rig = Rig::m0(&[CPSID, NOP]);
        rig.steps(1);
        rig.poke(address, u32::MAX);
        // LDR R0, [R1], as a program reads it.
        rig.burn(PROGRAM + 2, &[0x6808]);
        rig.set(Register::General(1), address);
        rig.steps(1);
        assert_eq!(rig.register(0), value, "{address:#x}");
    }
}

#[test]
fn interrupts_are_enabled_and_pended_bit_by_bit() {
    let mut rig = Rig::m0(&[CPSID, STAY]);
    rig.steps(1);
    rig.poke(NVIC_ISER, 0b1010);
    rig.poke(NVIC_ISER, 0b0100);
    rig.poke(NVIC_ICER, 0b0010);
    assert_eq!((rig.peek(NVIC_ISER), rig.peek(NVIC_ICER)), (0b1100, 0b1100));
    rig.poke(NVIC_ISPR, 0b1100);
    rig.poke(NVIC_ICPR, 0b0100);
    assert_eq!((rig.peek(NVIC_ISPR), rig.peek(NVIC_ICPR)), (0b1000, 0b1000));
}

#[test]
fn icsr_tells_what_is_pending_and_what_is_active() {
    let mut rig = Rig::m0(&[CPSID, STAY]);
    rig.steps(1);
    rig.poke(ICSR, 1 << 28);
    assert_eq!(rig.peek(ICSR), 1 << 28 | 14 << 12);
    rig.poke(NVIC_ISER, 1 << 5);
    rig.poke(NVIC_ISPR, 1 << 5 | 1 << 3);
    rig.poke(SHPR3, 0x00C0_0000);
    assert_eq!(rig.peek(ICSR), 1 << 28 | 1 << 22 | 21 << 12, "VECTPENDING ignores PRIMASK and what is not enabled");
    rig.poke(ICSR, 1 << 27);
    assert_eq!(rig.peek(ICSR) & 1 << 28, 0);
    rig.poke(ICSR, 1 << 31);
    rig.steps(1);
    assert_eq!(rig.peek(ICSR) & 0x3F, 2, "VECTACTIVE");
}

#[test]
fn svcall_can_be_pended_by_the_debugger_register() {
    let mut rig = Rig::m0(&[CPSID, STAY]);
    rig.steps(1);
    rig.poke(SHCSR, 1 << 15);
    assert_eq!(rig.peek(SHCSR), 1 << 15);
    rig.poke(SHCSR, 0);
    assert_eq!(rig.peek(SHCSR), 0);
}

#[test]
fn a_reset_request_needs_the_key() {
    let mut rig = Rig::m0(&[STAY]);
    rig.poke(AIRCR, 0x1234_0004);
    assert_eq!(rig.run(10), Stop::Reached);
    assert_eq!(rig.peek(AIRCR), 0xFA05_0000);
    rig.poke(AIRCR, 0x05FA_0004);
    assert_eq!(rig.run(10), Stop::ResetRequested);
    rig.core.reset(&mut rig.chip);
    assert_eq!(rig.run(10), Stop::Reached);
}

#[test]
fn unprivileged_code_cannot_reach_the_system_registers() {
    let mut rig = Rig::new(CoreOptions::NRF52840, &[0x6808]); // ldr r0, [r1]
    rig.set(Register::General(1), CPUID);
    rig.set(Register::Control, 1);
    rig.steps(1);
    assert_eq!(rig.exception(), 3);
}

#[test]
fn systick_interrupts_every_reload_plus_one_cycles() {
    // The handler counts in R4 and returns.
    let mut rig = Rig::new(CoreOptions::NRF52840, &[STAY]).with_handler(15, &[0x3401, 0x4770]);
    rig.poke(SYST_RVR, 999);
    rig.poke(SYST_CVR, 0);
    rig.poke(SYST_CSR, 0b111);
    assert_eq!(rig.run(100_100), Stop::Reached);
    assert_eq!(rig.register(4), 100);
    assert_eq!(rig.peek(SYST_CSR) & 1 << 16, 1 << 16);
    assert_eq!(rig.peek(SYST_CSR) & 1 << 16, 0, "COUNTFLAG was read");
}

#[test]
fn systick_wakes_a_sleeping_core() {
    let mut rig = Rig::new(CoreOptions::NRF52840, &[0xBF30, STAY]);
    rig.poke(SYST_RVR, 0xFFFF);
    rig.poke(SYST_CSR, 0b111);
    rig.run(0x1_0020);
    assert_eq!(rig.exception(), 15);
}

#[test]
fn without_a_systick_its_pending_bit_cannot_be_set() {
    let mut rig = Rig::m0(&[CPSID, STAY]);
    rig.steps(1);
    rig.poke(ICSR, 1 << 26);
    assert_eq!(rig.peek(ICSR), 0);
}
