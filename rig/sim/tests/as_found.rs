//! A trial that begins in a state begins with exactly its bytes, and with nothing that a factory writes.

use std::sync::Arc;

use brickproof_firmware::{Firmware, PUBLISHED, State};
use brickproof_keys::Slot;
use brickproof_scenario::plan::Plan;
use brickproof_scenario::{Library, load};
use brickproof_sim::{Simulation, World, WorldConfig};
use brickproof_trial::VerdictKind;
use brickproof_units::{Instant, Span};

/// Where the keys of the nRF51 are.
const AREA: usize = 0x3_e000;

fn plan(steps: &str) -> Arc<Plan> {
    let text = format!("scenario: T\nboard: lantern-nrf51\nstate: unit\nsteps:\n{steps}");
    let scenario = load("t.yaml", text, &Library::built_in()).unwrap_or_else(|it| panic!("{}", it.render(100)));
    Arc::new(scenario.cells.into_iter().next().expect("it has one cell"))
}

/// A board with that image, torn server key, used flash between image and keys, and an UICR of its own.
fn state(release: &str) -> State {
    let firmware = Firmware::shipped(release).expect("it ships");
    let mut flash = vec![0xFF; 256 << 10];
    flash[..firmware.image().len()].copy_from_slice(firmware.image());
    flash[0x3_0000..0x3_0100].fill(0x5A);
    for slot in Slot::ALL {
        let range = slot.dct_range();
        flash[AREA + range.start..AREA + range.end].copy_from_slice(PUBLISHED.set.get(slot).expose());
    }
    flash[AREA + 3298 + 40..AREA + 3298 + 192].fill(0xFF);
    let uicr: Vec<u8> = (0..=255).collect();
    State::new(&plan("  - supply: { usb: 5V }\n").board, flash, uicr).expect("it is a whole flash")
}

#[test]
fn a_board_holds_the_state_and_nothing_else_before_its_first_instruction() {
    let (plan, state) = (plan("  - supply: { usb: 5V }\n"), state("lantern-no-heal"));
    let firmware = state.as_firmware("as_found");
    let mut simulation = Simulation::new(Arc::clone(&plan), &firmware, 7);
    simulation.run_to(Instant::START + Span::nanos(1));
    let used = World::on_a_used_board(&plan, &firmware, WorldConfig::new(7), {
        let other = Firmware::shipped("lantern-heal-full").unwrap();
        World::new(&plan, &other, WorldConfig::new(1)).into_flash()
    });
    for (called, world) in [("new", simulation.world()), ("used", &used)] {
        let (mut flash, mut uicr) = (vec![0; 256 << 10], vec![0; 256]);
        world.board().flash().read_raw(0, &mut flash).unwrap();
        world.board().flash().read_raw(0x1000_1000, &mut uicr).unwrap();
        assert!(flash == state.flash(), "{called}: the flash differs");
        assert!(uicr == state.uicr(), "{called}: the UICR differs");
    }
}

#[test]
fn what_was_found_is_told_from_genuine_blank_and_healed_keys() {
    let look = |server: &str| {
        plan(&format!(
            "  - expect: {{ slot: device_private, is: old }}\n  - expect: {{ slot: server_public, is: as_found }}\n  \
             - supply: {{ usb: 5V }}\n  - wait: 5s\n  - expect: {{ slot: server_public, is: {server} }}\n"
        ))
    };
    let verdict = |firmware: &Firmware, server: &str| {
        let mut simulation = Simulation::new(look(server), firmware, 7);
        simulation.run();
        let verdict = simulation.into_trial().verdict().cloned().expect("it is over");
        (verdict.kind, verdict.reason)
    };
    let torn = state("lantern-no-heal");
    let found = torn.as_firmware("as_found");
    assert_eq!(verdict(&found, "as_found").0, VerdictKind::Passed, "{:?}", verdict(&found, "as_found"));
    assert_eq!(verdict(&found, "old").0, VerdictKind::Failed, "nothing heals it");
    let healed = torn.with(&Firmware::shipped("lantern-heal-parse").unwrap()).unwrap();
    assert_eq!(verdict(&healed, "old").0, VerdictKind::Passed, "{:?}", verdict(&healed, "old"));
}
