//! Diagnoses as a person asks for them: of words, of logs, and of what trials of the virtual board kept.

use crate::desk::{Desk, ids};

/// One cause after the other on a board that does not heal, as the scenarios of a rig would meet it.
const SICK: &str = "\
scenario: The board is damaged, and switched on
board: lantern-nrf52840
matrix:
  damaged: [device_private, server_public]
  class: [zeroed, torn_tail, valid_but_wrong]
firmware: lantern-no-heal
steps:
  - corrupt: { slot: \"${damaged}\", class: \"${class}\" }
  - supply: { usb: 5V }
  - expect: { console: Cloud handshake failed, within: 30s }
  - wait: 60s
cleanup:
  - supply: off
";

const CUT_OFF: &str = "\
scenario: A firewall drops what the board sends
board: lantern-nrf52840
firmware: lantern-no-heal
cloud: { behaviour: silent }
steps:
  - supply: { usb: 5V }
  - expect: { console: Cloud handshake failed, within: 90s }
  - wait: 20s
cleanup:
  - supply: off
";

/// The first line of the diagnosis of each trial that `run` kept, by the trial's id.
fn diagnosed(desk: &Desk, scenario: &str) -> Vec<(String, String)> {
    desk.call(&["run", scenario, "--report", "out"]).exits(0);
    let first = |id: String| {
        let told = desk.call(&["diagnose", &format!("out/trials/{id}"), "--board", "lantern-nrf52840"]);
        told.exits(0);
        let first = told.out.lines().next().unwrap_or("").to_owned();
        (id, first)
    };
    ids(&desk.json("out/results.json")).into_iter().map(first).collect()
}

#[test]
fn what_a_real_firmware_shows_is_led_back_to_what_was_damaged() {
    let desk = Desk::with(&[("sick.yaml", SICK)]);
    let found = diagnosed(&desk, "sick.yaml");
    assert_eq!(found.len(), 6);
    for (trial, first) in found {
        let cause = if trial.contains("device_private") { "device_key" } else { "server_key" };
        assert!(first.starts_with(&format!("1. {cause} (")), "{trial}: {first}");
    }
}

/// The rig's own resets are no crashes.
#[test]
fn a_board_that_the_rig_restarts_is_not_called_sick() {
    let text = "scenario: Resets\nboard: lantern-nrf52840\nfirmware: lantern-heal-full\nsteps:\n  - supply: { usb: 5V }\n  \
        - expect: { light: cloud_connected, within: 30s }\n  - reset: pin\n  - wait: 8s\n  - reset: pin\n  - wait: 8s\n  - supply: off\n  - wait: 1s\n  \
        - supply: { usb: 5V }\n  - expect: { light: cloud_connected, within: 30s, holds: 8s }\n";
    let desk = Desk::with(&[("resets.yaml", text)]);
    for (trial, first) in diagnosed(&desk, "resets.yaml") {
        assert!(first.starts_with("1. healthy ("), "{trial}: {first}");
    }
}

#[test]
fn a_firewall_is_no_key_fault() {
    let desk = Desk::with(&[("cut-off.yaml", CUT_OFF)]);
    let found = diagnosed(&desk, "cut-off.yaml");
    assert_eq!(found.len(), 1);
    for (trial, first) in found {
        assert!(first.starts_with("1. network_blocked ("), "{trial}: {first}");
    }
}

#[test]
fn words_and_logs_are_understood_or_refused() {
    let desk = Desk::with(&[
        (
            "argon.log",
            "0000000100 [system] INFO: Starting handshake: presense_announce=1\n0000045105 [comm.dtls] ERROR: handshake failed -6800\n",
        ),
        ("broken.jsonl", "{\"t\": 1}\nnot json\n"),
    ]);
    let told = desk.call(&["diagnose", "argon.log", "--board", "argon", "--seen", "cyan fast, then one red"]);
    told.exits(0);
    assert!(told.out.starts_with("1. network_blocked"), "{}", told.out);
    assert!(told.out.contains("[45.005s: 0000045105 [comm.dtls] ERROR: handshake failed -6800]"), "{}", told.out);
    let json = desk.call(&["diagnose", "--seen", "SOS", "--format", "json"]);
    json.exits(0);
    let value: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(value["schema"], "brickproof/diagnosis/1");
    assert_eq!(value["ranking"][0]["causes"][0], "firmware_crash");
    let refused = desk.call(&["diagnose", "--seen", "mauve"]);
    refused.exits(2);
    assert!(refused.err.contains("`mauve` says nothing that is known here"), "{}", refused.err);
    let refused = desk.call(&["diagnose", "broken.jsonl"]);
    refused.exits(2);
    assert!(refused.err.contains("broken.jsonl:2"), "{}", refused.err);
    desk.put("shopping.txt", b"milk\nbread\n");
    let refused = desk.call(&["diagnose", "shopping.txt"]);
    refused.exits(2);
    assert!(
        refused.err.contains("none of the 2 lines of shopping.txt is a line of Device OS's log"),
        "{}",
        refused.err
    );
    desk.call(&["diagnose"]).exits(2);
}
