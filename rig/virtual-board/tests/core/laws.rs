//! Laws that hold for every program: nothing panics, how a run is cut makes no difference, and code that changes is seen.

use brickproof_virtual_board::core::{CoreOptions, Register, Stop};
use proptest::prelude::*;

use crate::flat::{CODE_BYTES, Lending, PROGRAM, RAM, Rig, STAY};

const NVIC_ISER: u32 = 0xE000_E100;
const NVIC_IPR0: u32 = 0xE000_E400;

/// Halfwords in which no encoding is rare.
fn halfword() -> impl Strategy<Value = u16> {
    prop_oneof![
        8 => any::<u16>(),
        2 => 0xB000u16..0xC000,
        1 => 0xF000u16..=0xFFFF,
        1 => Just(0xBF30),
        1 => Just(0x4770),
    ]
}

prop_compose! {
    /// A rig with random code, registers that often point at memory, and interrupts to come.
    fn random_rig()(
        code in proptest::collection::vec(halfword(), 64..256),
        registers in proptest::array::uniform13(prop_oneof![
            any::<u32>(),
            (0u32..0x400).prop_map(|offset| RAM + 4 * offset),
            (0xE000_E000u32..0xE000_F000).prop_map(|address| address & !3),
            (PROGRAM..PROGRAM + 0x200),
        ]),
        script in proptest::collection::vec((0u64..4000, any::<u32>()), 0..12),
        levels: u32,
        full in any::<bool>(),
    ) -> Rig {
        let options = if full { CoreOptions::NRF52840 } else { CoreOptions::NRF51 };
        let mut rig = Rig::new(options, &code);
        for number in 2..48 {
            // Handlers do something, and most of them return.
            rig = rig.with_handler(number, &[0x3401, 0x4044, 0x4770]);
        }
        rig.poke(NVIC_ISER, u32::MAX);
        rig.poke(NVIC_IPR0, levels);
        for (number, value) in (0..).zip(registers) {
            rig.set(Register::General(number), value);
        }
        let mut script = script;
        script.sort_unstable();
        rig.chip.script = script.into();
        rig
    }
}

/// Everything that a difference would show in.
fn state(rig: &Rig) -> impl PartialEq + std::fmt::Debug {
    let core = &rig.core;
    (
        core.registers(),
        core.clock.cycle,
        core.instructions(),
        core.activity(),
        rig.chip.ram.clone(),
        rig.chip.activity.clone(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_program_panics_and_the_pc_is_always_even(mut rig in random_rig()) {
        for _ in 0..500 {
            let stop = rig.step();
            prop_assert_eq!(rig.core.pc() % 2, 0);
            prop_assert_eq!(rig.register(13) % 4, 0);
            if stop.is_some() {
                break;
            }
        }
    }

    #[test]
    fn how_a_run_is_cut_into_pieces_makes_no_difference(
        rig in random_rig(),
        mut cuts in proptest::collection::vec(0u64..5000, 0..20),
    ) {
        cuts.sort_unstable();
        let mut whole = rig.clone();
        let whole_stop = whole.core.run(&mut whole.chip, 5000);
        let mut pieces = rig;
        let mut stop = Stop::Reached;
        for until in cuts.into_iter().chain([5000]) {
            stop = pieces.core.run(&mut pieces.chip, until);
            // A clone goes on exactly as the original would.
            pieces = pieces.clone();
        }
        prop_assert_eq!(stop, whole_stop);
        prop_assert_eq!(state(&pieces), state(&whole));
    }

    #[test]
    fn decoded_pages_do_what_fetches_do(rig in random_rig()) {
        let mut decoded = rig.clone();
        let mut fetched = rig;
        fetched.chip.lending = Lending::Fetches;
        prop_assert_eq!(decoded.run(5000), fetched.run(5000));
        prop_assert_eq!(state(&decoded), state(&fetched));
    }

    #[test]
    fn stepping_does_what_running_does(rig in random_rig()) {
        let mut ran = rig.clone();
        let stop = ran.run(3000);
        let end = ran.core.clock.cycle;
        let mut stepped = rig;
        let mut last = None;
        while last.is_none() && stepped.core.clock.cycle < end {
            last = stepped.step();
        }
        // A step of a sleeping core goes to the next event, which a run may end before.
        if stop == Stop::Reached && stepped.core.clock.cycle == end {
            prop_assert_eq!(state(&stepped), state(&ran));
        }
    }
}

#[test]
fn code_that_is_rewritten_is_executed_anew() {
    // movs r0, #1; b .  ->  movs r0, #2, by a store to the code itself.
    let mut rig = Rig::m0(&[0x2001, 0xE7FD]);
    rig.run(50);
    assert_eq!(rig.register(0), 1);
    rig.burn(PROGRAM, &[0x2002]);
    rig.run(50);
    assert_eq!(rig.register(0), 2);

    // strh r1, [r2] over the instruction that follows it.
    let mut rig = Rig::m0(&[0x8011, 0x2001, STAY]);
    rig.set(Register::General(1), 0x2007);
    rig.set(Register::General(2), PROGRAM + 2);
    rig.run(50);
    assert_eq!(rig.register(0), 7, "within one run, in the very next instruction");
}

#[test]
fn an_instruction_across_two_pages_is_whole() {
    // BL at the last halfword of a page: to itself plus 4 plus 2.
    let mut rig = Rig::m0(&[STAY]);
    rig.burn(0x3FE, &[0xF000, 0xF801, STAY, 0x2005, STAY]);
    rig.set(Register::General(15), 0x3FE);
    rig.run(50);
    assert_eq!((rig.register(0), rig.register(14)), (5, 0x403));
}

#[test]
fn code_runs_from_ram_and_off_the_end_of_memory_faults() {
    let mut rig = Rig::m0(&[STAY]);
    rig.chip.set_word(RAM, u32::from(STAY) << 16 | 0x2005);
    rig.set(Register::General(15), RAM);
    rig.run(50);
    assert_eq!((rig.register(0), rig.core.pc()), (5, RAM + 2));
    rig.burn(CODE_BYTES as u32 - 2, &[0xBF00]);
    rig.set(Register::General(15), CODE_BYTES as u32 - 2);
    rig.run(50);
    assert_eq!((rig.exception(), rig.stacked(6)), (3, CODE_BYTES as u32));
}
