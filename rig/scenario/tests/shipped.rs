//! Every scenario and board profile that ships is without mistakes, and says what it means.

#![expect(clippy::unwrap_used, reason = "the files are fixtures: a missing one has to stop the test")]

use std::path::{Path, PathBuf};

use brickproof_scenario::plan::Plan;
use brickproof_scenario::{Library, Scenario, explain, load};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every `.yaml` below `folder`, with its path in the repository, sorted.
fn yaml_files(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![repository().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "yaml") {
                let name = path.strip_prefix(repository()).unwrap().to_str().unwrap().replace('\\', "/");
                found.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// Those that are no campaigns.
fn scenarios() -> impl Iterator<Item = (String, String)> {
    let asks_a_campaign = |text: &str| text.lines().any(|line| line.starts_with("campaign:"));
    yaml_files("scenarios").into_iter().filter(move |(_, text)| !asks_a_campaign(text))
}

fn shipped(name: &str) -> Scenario {
    let text = std::fs::read_to_string(repository().join(name)).unwrap();
    load(name, text, &Library::built_in()).unwrap_or_else(|mistakes| panic!("{}", mistakes.render(110)))
}

fn cell<'s>(scenario: &'s Scenario, wanted: &[(&str, &str)]) -> &'s Plan {
    let has = |plan: &&Plan, axis: &str, value: &str| plan.parameters.iter().any(|(a, v)| a == axis && v == value);
    scenario.cells.iter().find(|plan| wanted.iter().all(|(axis, value)| has(plan, axis, value))).unwrap()
}

#[test]
fn every_shipped_scenario_is_without_mistakes() {
    let library = Library::built_in();
    let mut summary = String::new();
    for (path, text) in scenarios() {
        let scenario = load(&path, text, &library).unwrap_or_else(|mistakes| panic!("{}", mistakes.render(110)));
        let plan = &scenario.cells[0];
        summary += &format!("{path}: {} cells of {} steps\n", scenario.cells.len(), plan.steps.len());
    }
    insta::assert_snapshot!(summary, @"
    scenarios/battery-death/brown-out.yaml: 12 cells of 6 steps
    scenarios/battery-death/load-step.yaml: 12 cells of 7 steps
    scenarios/battery-death/low-voltage-erase.yaml: 24 cells of 12 steps
    scenarios/battery-death/protection.yaml: 24 cells of 6 steps
    scenarios/brown-out-loop.yaml: 12 cells of 15 steps
    scenarios/firewall/bad-key.yaml: 3 cells of 9 steps
    scenarios/firewall/silent-cloud.yaml: 3 cells of 7 steps
    scenarios/firewall/wrong-cloud.yaml: 3 cells of 6 steps
    scenarios/first-light.yaml: 12 cells of 5 steps
    scenarios/heal-matrix/controls.yaml: 36 cells of 9 steps
    scenarios/heal-matrix/device-key.yaml: 96 cells of 8 steps
    scenarios/heal-matrix/server-address.yaml: 87 cells of 8 steps
    scenarios/heal-matrix/server-key.yaml: 96 cells of 8 steps
    scenarios/particle/argon-never-connects.yaml: 2 cells of 15 steps
    scenarios/particle/dead-keys.yaml: 4 cells of 20 steps
    scenarios/particle/hypotheses/tcp-blank-server.yaml: 2 cells of 9 steps
    scenarios/particle/hypotheses/tcp-new-device-key.yaml: 1 cells of 10 steps
    scenarios/particle/hypotheses/tcp-server-key-wrapping.yaml: 1 cells of 8 steps
    scenarios/particle/hypotheses/tcp-wrong-address.yaml: 1 cells of 9 steps
    scenarios/particle/hypotheses/tcp-wrong-exponent.yaml: 1 cells of 9 steps
    scenarios/particle/hypotheses/tcp-wrong-modulus.yaml: 2 cells of 10 steps
    scenarios/particle/hypotheses/udp-blank-server.yaml: 1 cells of 9 steps
    scenarios/particle/hypotheses/udp-unreadable-device.yaml: 1 cells of 9 steps
    scenarios/particle/hypotheses/udp-unreadable-server.yaml: 1 cells of 10 steps
    scenarios/particle/hypotheses/udp-wrong-server.yaml: 1 cells of 10 steps
    scenarios/particle/photon-battery-died.yaml: 2 cells of 14 steps
    scenarios/transitions/cut-and-flashed-again.yaml: 18 cells of 9 steps
    scenarios/transitions/cut-in-its-bootloader.yaml: 12 cells of 13 steps
    scenarios/transitions/cut.yaml: 5 cells of 6 steps
    scenarios/transitions/damaged-after-the-upgrade.yaml: 3 cells of 7 steps
    scenarios/transitions/rescued-through-its-bootloader.yaml: 4 cells of 20 steps
    scenarios/transitions/rotated-then-downgraded.yaml: 3 cells of 8 steps
    scenarios/transitions/there-and-back-through-dfu.yaml: 12 cells of 19 steps
    scenarios/transitions/there-and-back.yaml: 24 cells of 13 steps
    ");
}

#[test]
fn a_plan_can_be_read_aloud() {
    let scenario = shipped("scenarios/battery-death/brown-out.yaml");
    insta::assert_snapshot!(explain(cell(&scenario, &[("geometry", "nrf51"), ("release", "no-heal")])), @r#"
    A brown-out strikes while the device key is being rewritten
    with geometry=nrf51, release=no-heal
    tagged nightly, battery, keys

    On a lantern-nrf51 (nRF51822) that runs lantern-no-heal; the cloud answers genuinely after 50ms.

    From the first step to the last
      - never see the light sos

    Steps
       1. supply 5V over USB
       2. expect the light to be cloud_connected within 30s
       3. send `keys rotate` to the console
       4. 12.4ms after the console prints `erasing key page` (within 5s), brown out rail 3V3: down to 1.2V at 50us/V, there for 200ms, back up at 50us/V
       5. expect the light to be cloud_connected within 60s, for 8s
       6. expect the identity to be unchanged or rotated

    Afterwards, whatever happened
       1. switch the supply off

    Expected: the board is bricked: after the fault an expectation is missed; a brick that does not come is a failure

    The station must offer
      - a supply that can be switched
      - a supply that can force a shape on a rail
      - the serial console
      - a colour sensor on the light
      - a cloud peer that can be told how to behave
    "#);
}

#[test]
fn the_other_kinds_of_steps_can_be_read_aloud_too() {
    let silent = shipped("scenarios/firewall/silent-cloud.yaml");
    insta::assert_snapshot!(explain(&silent.cells[0]), @r#"
    A firewall swallows the handshake, and later lets it through
    with geometry=nrf51
    tagged nightly, network

    On a lantern-nrf51 (nRF51822) that runs lantern-heal-full; the cloud is silent, as behind a firewall.

    From the first step to the last
      - never see the light sos
      - never read `erasing key page` on the console
      - never read `was (blank|lost), (generating|restoring)` on the console

    Steps
       1. supply 5V over USB
       2. expect the console to print `Starting handshake` within 10s
       3. measure `silence`: the time until the console prints `handshake failed -6800`, waiting at most 60s; at least 44s; at most 46s
       4. expect the light to be handshake_error within 5s
       5. the cloud answers genuinely after 50ms
       6. expect the light to be cloud_connected within 60s, for 8s
       7. expect the identity to be unchanged

    Afterwards, whatever happened
       1. the cloud answers genuinely after 50ms
       2. switch the supply off

    Expected: the board survives; every step holds

    The station must offer
      - a supply that can be switched
      - the serial console
      - a colour sensor on the light
      - a cloud peer that can be told how to behave
    "#);
    let battery = shipped("scenarios/battery-death/load-step.yaml");
    insta::assert_snapshot!(explain(cell(&battery, &[("release", "no-heal")])), @"
    An aged battery gives way under load while the device key is being rewritten
    with geometry=nrf51, release=no-heal
    tagged nightly, battery, keys

    On a lantern-nrf51 (nRF51822) that runs lantern-no-heal; the cloud answers genuinely after 50ms.

    From the first step to the last
      - never see the light sos

    Steps
       1. supply from an aged 1.2Ah cell, 6% full
       2. expect the light to be cloud_connected within 30s
       3. send `keys rotate` to the console
       4. 4ms after the console prints `erasing key page` (within 5s), draw 600mA more for 300ms, which must pull the rail down to 1.7V
       5. supply 5V over USB
       6. expect the light to be cloud_connected within 60s, for 8s
       7. expect the identity to be unchanged or rotated

    Afterwards, whatever happened
       1. switch the supply off

    Expected: the board is bricked, and after the fault we read `handshake failed` on the console or read `Cloud not reachable` on the console

    The station must offer
      - a supply that can be switched
      - a supply that can play a battery
      - a supply that can add load
      - the serial console
      - a colour sensor on the light
      - a cloud peer that can be told how to behave
    ");
}

#[test]
fn repetitions_are_written_out_and_numbered() {
    let scenario = shipped("scenarios/brown-out-loop.yaml");
    let steps = &scenario.cells[0].steps;
    assert!(steps.iter().map(|step| step.index).eq(1..=steps.len()));
    let rounds: Vec<&str> = steps.iter().map(|step| step.text.as_str()).filter(|text| text.contains("round")).collect();
    assert_eq!(rounds.len(), 10);
    assert!(rounds[9].ends_with("(round 10 of 10)"), "{}", rounds[9]);
}
