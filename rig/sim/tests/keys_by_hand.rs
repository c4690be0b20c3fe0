//! Keys as a person handles them with a probe, or through the board's bootloader, on the machine code that lives by them: saved, written back,
//! renewed, and never so that the board is locked out.

use brickproof_scenario::plan::Plan;
use brickproof_trial::{Achieved, Happening, Trial, VerdictKind};

#[path = "common/shipped.rs"]
#[expect(dead_code, reason = "shared with tests that use the rest")]
mod shipped;

use shipped::{cells_of, simulation};

const RELEASES: [&str; 4] = ["no-heal", "heal-blank", "heal-parse", "heal-full"];

fn plan(release: &str, body: &str) -> Plan {
    let text = format!("scenario: T\nboard: lantern-nrf52840\nfirmware: lantern-{release}\n{body}");
    let [plan] = <[Plan; 1]>::try_from(cells_of("t.yaml", &text)).expect("one cell");
    plan
}

/// The ways to the keys.
const DOORS: [&str; 2] = ["probe", "dfu"];

/// Steps that go one of the ways: what it takes to come to the keys stands for `- REACH`, what is said of the way for `WAY`, and what ends it for
/// `- LEAVE`. A board on which a probe works may have no power.
fn by(door: &str, body: &str) -> String {
    let (reach, leave) = match door {
        "dfu" => ("- supply: { usb: 5V }\n  - enter: { mode: dfu, by: buttons }", "- supply: off\n  - wait: 1s"),
        _ => ("- wait: 1ms", "- wait: 1ms"),
    };
    body.replace("- REACH", reach).replace("- LEAVE", leave).replace("WAY", &format!("through: {door}"))
}

fn run(release: &str, body: &str, seed: u64) -> Trial {
    let mut simulation = simulation(plan(release, body), seed);
    simulation.run();
    simulation.into_trial()
}

fn verdict(trial: &Trial) -> String {
    let verdict = trial.verdict().expect("it is over");
    let blame = verdict.blame.map(|blame| format!(", {blame}")).unwrap_or_default();
    format!("{}{blame}: {}", verdict.kind, verdict.reason)
}

fn answers(trial: &Trial) -> Vec<Achieved> {
    let answered = trial.timeline().events.iter().filter_map(|event| match &event.what {
        Happening::Answered { result: Ok(achieved), .. } => Some(achieved.clone()),
        _ => None,
    });
    answered.collect()
}

#[test]
fn a_board_with_dead_keys_lives_on_under_another_identity() {
    let body = "steps:
  - REACH
  - keys: { save: before, WAY }
  - corrupt: { slot: device_private, class: zeroed, WAY }
  - corrupt: { slot: server_public, class: torn_tail, WAY }
  - LEAVE
  - supply: { usb: 5V }
  - never: { light: cloud_connected, for: 10s }
  - REACH
  - keys: { doctor: new_identity, WAY }
  - keys: { server: genuine, WAY }
  - supply: { usb: 5V }
  - reset: pin
  - expect: { light: cloud_connected, within: 60s, holds: 8s }
  - expect: { identity: renewed }
  - expect: { slot: device_private, is: new }
  - expect: { slot: server_public, is: old }
  - REACH
  - keys: { save: after, WAY }
  - keys: { verify: after, WAY }
  - keys: { load: after, WAY }
cleanup:
  - keys: { load: before, WAY }
";
    // heal-full goes by its other copy and needs no doctor.
    for (door, release) in DOORS.iter().flat_map(|door| RELEASES[..2].iter().map(move |release| (door, release))) {
        let trial = run(release, &by(door, body), 3);
        assert_eq!(verdict(&trial), "passed: ", "{release} by {door}");
        let refused = answers(&trial).into_iter().filter(|it| matches!(it, Achieved::Superseded(_))).count();
        assert_eq!(refused, 1, "{release} by {door}: the cleanup leaves the new identity alone");
    }
}

#[test]
fn every_image_takes_a_new_identity_and_the_old_one_is_void() {
    let body = "steps:
  - supply: { usb: 5V }
  - expect: { light: cloud_connected, within: 30s }
  - expect: { identity: unchanged }
  - REACH
  - keys: { doctor: new_identity, WAY }
  - reset: pin
  - expect: { identity: renewed, within: 60s }
  - REACH
  - keys: { doctor: new_identity, WAY }
  - reset: pin
  - expect: { identity: renewed, within: 60s }
";
    for (door, release) in DOORS.iter().flat_map(|door| RELEASES.iter().map(move |release| (door, release))) {
        let trial = run(release, &by(door, body), 1);
        assert_eq!(verdict(&trial), "passed: ", "{release} by {door}");
        let events = trial.timeline().events.iter();
        let changes: Vec<_> = events
            .filter_map(|event| match event.what {
                Happening::IdentityChanged { old, new } => Some((old, new)),
                _ => None,
            })
            .collect();
        let [(Some(first), second), (before_third, third)] = changes[..] else { panic!("{changes:?}") };
        assert!(before_third == Some(second) && first != second && second != third && first != third, "{release}");
    }
}

#[test]
fn what_the_cloud_took_back_by_itself_is_not_written_either() {
    let body = "steps:
  - REACH
  - keys: { save: before, WAY }
  - LEAVE
  - supply: { usb: 5V }
  - expect: { light: cloud_connected, within: 30s }
  - send: keys rotate
  - expect: { identity: rotated, within: 60s }
  - REACH
  - keys: { load: before, WAY }
";
    for door in DOORS {
        let trial = run("no-heal", &by(door, body), 1);
        assert_eq!(
            verdict(&trial),
            "error, scenario: since the keys were saved the cloud accepts 6bc6e8d6aeaf4a91 in place of 1da0e8329da0beb6: written \
             back, that would lock the board out",
            "{door}"
        );
    }
}

#[test]
fn what_is_written_back_is_what_was_saved() {
    let body = |check: &str| {
        format!(
            "steps:
  - REACH
  - keys: {{ save: before, WAY }}
  - corrupt: {{ slot: device_private, class: one_bit_set, part: private, WAY }}
  - corrupt: {{ slot: server_public, class: one_bit_set, part: header, WAY }}
{check}  - keys: {{ verify: before, WAY }}
  - LEAVE
  - supply: {{ usb: 5V }}
  - expect: {{ light: cloud_connected, within: 30s }}
  - expect: {{ identity: unchanged }}
"
        )
    };
    for door in DOORS {
        for release in RELEASES {
            let trial = run(release, &by(door, &body("  - keys: { load: before, WAY }\n")), 1);
            assert_eq!(verdict(&trial), "passed: ", "{release} by {door}");
        }
        let differs = verdict(&run("no-heal", &by(door, &body("")), 1));
        let first = "failed, firmware: device_private: what was saved as before with bit ";
        assert!(differs.starts_with(first), "{door}: {differs}");
        assert!(differs.contains("; server_public: what was saved as before with bit "), "{door}: {differs}");
    }
}

#[test]
fn the_same_id_gives_the_same_key() {
    let body = "steps:\n  - REACH\n  - keys: { doctor: new_identity, WAY }\n";
    let new = |door, seed| {
        let trial = run("heal-full", &by(door, body), seed);
        assert_eq!(trial.verdict().map(|verdict| verdict.kind), Some(VerdictKind::Passed));
        answers(&trial).into_iter().find_map(|it| match it {
            Achieved::NewIdentity { new, .. } => Some(new),
            _ => None,
        })
    };
    assert!(new("probe", 1).is_some());
    assert_eq!(new("probe", 1), new("probe", 1));
    assert_eq!(new("probe", 1), new("dfu", 1), "whichever way it comes onto the board");
    assert_ne!(new("dfu", 1), new("dfu", 2));
}

#[test]
fn keys_that_were_never_saved_are_not_written_back() {
    let body = "steps:\n  - expect: { console: never, within: 1s }\n  - keys: { save: before }\ncleanup:\n  - keys: { load: before }\n";
    let trial = run("no-heal", body, 1);
    // What the first step came to stands.
    assert!(verdict(&trial).starts_with("error, scenario: nothing fed the board"), "{}", verdict(&trial));
    let told = Achieved::Changed("nothing was saved as `before`: nothing is written".into());
    assert!(answers(&trial).contains(&told));
}
