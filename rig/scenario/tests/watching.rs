//! What can be watched while other things are done, and what a board can wait for.

#![expect(clippy::unwrap_used, reason = "helpers of tests: clippy only knows the functions that are tests")]

use brickproof_boards::LedIndex;
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
    assert!(scenario.cells[0].needs.contains(&Need::Light(LedIndex::FIRST)));
}

#[test]
fn what_is_wrong_with_a_light_that_is_written_out_is_said_where_it_stands() {
    let looks = [
        "{ led: filament, amber }",
        "{ red, green, blink: 2Hz }",
        "{ red, colour: green, blink: 2Hz }",
        "{ red, flash: green }",
        "{ led: status, blink: 2Hz }",
        "{ led: status }",
        "{ led: status, off, count: 2 }",
    ];
    let steps: String = looks.iter().map(|look| format!("  - expect: {{ light: {look}, within: 9s }}\n")).collect();
    insta::assert_snapshot!(mistakes(&format!("steps:\n{steps}")));
}

#[test]
fn a_colour_may_stand_alone() {
    let names = |look: &str| {
        let text = format!("{HEAD}steps:\n  - expect: {{ light: {look}, within: 9s }}\n");
        load("t.yaml", text, &Library::built_in()).unwrap().cells[0].steps[0].text.clone()
    };
    for (short, long) in [
        ("{ amber, blink: 2Hz }", "{ colour: amber, blink: 500ms }"),
        ("{ cyan }", "{ solid: cyan }"),
        ("{ off }", "off"),
        ("{ magenta, sos: any }", "{ colour: magenta, sos: any }"),
    ] {
        assert_eq!(names(short), names(long));
    }
    assert_eq!(names("{ led: status, amber }"), "expect the light to be amber, solid, on `status` within 9s");
}
