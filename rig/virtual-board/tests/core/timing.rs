//! What each instruction costs on a Cortex-M0 (ARM DDI 0432C, table 3-1, zero wait states).

use brickproof_virtual_board::core::Register;

use crate::flat::{NOP, PROGRAM, RAM, Rig, STACK};

/// Cycles, and the instruction with R0 = RAM and R1 = PROGRAM + 0x21, flags clear.
const COSTS: &[(u64, &[u16], &str)] = &[
    (1, &[0x2000], "MOVS"),
    (1, &[0x1840], "ADDS"),
    (1, &[0x4348], "MULS"),
    (1, &[0x4188], "SBCS"),
    (1, &[0x4608], "MOV"),
    (3, &[0x468F], "MOV PC"),
    (3, &[0x448F], "ADD PC"),
    (2, &[0x6802], "LDR"),
    (2, &[0x7002], "STRB"),
    (2, &[0x4A00], "LDR literal"),
    (1 + 3, &[0xC81C], "LDM of three"),
    (1 + 3, &[0xC01C], "STM of three"),
    (1 + 2, &[0xB510], "PUSH of two"),
    (1 + 2, &[0xBC18], "POP of two"),
    (4 + 2, &[0xBD10], "POP of two with the PC"),
    (3, &[0xE000], "B"),
    (1, &[0xD000], "BEQ not taken"),
    (3, &[0xD100], "BNE taken"),
    (4, &[0xF000, 0xF800], "BL"),
    (3, &[0x4708], "BX"),
    (3, &[0x4788], "BLX"),
    (1, &[0xB2C0], "UXTB"),
    (1, &[0xBA00], "REV"),
    (1, &[0xB672], "CPS"),
    (4, &[0xF3EF, 0x8010], "MRS"),
    (4, &[0xF380, 0x8810], "MSR"),
    (4, &[0xF3BF, 0x8F4F], "DSB"),
    (4, &[0xF3BF, 0x8F6F], "ISB"),
    (1, &[NOP], "NOP"),
    (1, &[0xBF40], "SEV"),
    (2, &[0xBF30], "WFI"),
];

#[test]
fn instructions_cost_what_the_manual_says() {
    for &(cycles, program, text) in COSTS {
        let mut rig = Rig::m0(program);
        rig.set(Register::General(0), RAM);
        rig.set(Register::General(1), PROGRAM + 0x21);
        rig.set(Register::Msp, STACK - 8);
        rig.chip.set_word(STACK - 4, PROGRAM | 1);
        let start = rig.core.clock.cycle;
        rig.steps(1);
        assert_eq!(rig.core.clock.cycle - start, cycles, "{text}");
    }
}

#[test]
fn an_exception_takes_sixteen_cycles_each_way() {
    let mut rig = Rig::m0(&[0xDF00]).with_handler(11, &[0x4770]);
    rig.steps(1);
    let called = rig.core.clock.cycle;
    rig.steps(1);
    let entered = rig.core.clock.cycle;
    rig.steps(1);
    assert_eq!((entered - called, rig.core.clock.cycle - entered), (16, 16));
}

#[test]
fn a_run_passes_its_end_by_less_than_an_instruction() {
    let mut rig = Rig::m0(&[0xE7FE]);
    rig.core.run(&mut rig.chip, 100);
    assert_eq!(rig.core.clock.cycle, 102, "34 branches of three cycles");
    rig.core.run(&mut rig.chip, 102);
    assert_eq!(rig.core.clock.cycle, 102, "already there");
}
