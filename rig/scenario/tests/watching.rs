//! What can be watched while other things are done, and what a board can wait for.

#![expect(clippy::unwrap_used, reason = "helpers of tests: clippy only knows the functions that are tests")]

use brickproof_scenario::plan::Need;
use brickproof_scenario::{Library, load};

const HEAD: &str = "scenario: T\nboard: lantern-nrf51\nfirmware: lantern-no-heal\n";

fn mistakes(body: &str) -> String {
    load("t.yaml", format!("{HEAD}{body}"), &Library::built_in()).unwrap_err().render(110)
}

#[test]
fn a_slot_cannot_be_watched_throughout_or_shown_by_a_brick() {
    let steps = "steps:\n  - corrupt: { slot: server_public, class: blank }\n  - expect: { console: up, within: 1s }\n";
    let any = "throughout:\n  - not: { any: [{ console: x }, { slot: device_private, is: torn }] }\n";
    let shows = "outcome: { bricked: { shows: [{ slot: server_public, is: torn }] } }\n";
    insta::assert_snapshot!(mistakes(&format!("{any}{steps}{shows}")));
}

#[test]
fn a_latency_that_no_board_waits_for_is_a_mistake() {
    let cloud = |latency: &str| {
        format!(
            "cloud: {{ behaviour: genuine, latency: {latency} }}\nsteps:\n  - expect: {{ console: up, within: 1s }}\n"
        )
    };
    insta::assert_snapshot!(mistakes(&cloud("15s")));
    assert!(load("t.yaml", format!("{HEAD}{}", cloud("14999ms")), &Library::built_in()).is_ok());
}

#[test]
fn what_a_brick_must_show_has_to_be_seen_by_something() {
    let body = "steps:\n  - corrupt: { slot: server_public, class: blank }\n  - expect: { console: up, within: 1s }\n\
                outcome: { bricked: { shows: [{ light: handshake_error }] } }\n";
    let scenario = load("t.yaml", format!("{HEAD}{body}"), &Library::built_in()).unwrap();
    assert!(scenario.cells[0].needs.contains(&Need::Light));
}
