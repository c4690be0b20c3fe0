//! Keys as a person with a probe handles them, on the machine code that lives by them: saved, written back, renewed, and never so that the
//! board is locked out.

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
  - keys: { save: before }
  - corrupt: { slot: device_private, class: zeroed }
  - corrupt: { slot: server_public, class: torn_tail }
  - supply: { usb: 5V }
  - never: { light: cloud_connected, for: 10s }
  - keys: { doctor: new_identity }
  - keys: { server: genuine }
  - reset: pin
  - expect: { light: cloud_connected, within: 60s, holds: 8s }
  - expect: { identity: renewed }
  - expect: { slot: device_private, is: new }
  - expect: { slot: server_public, is: old }
  - keys: { save: after }
  - keys: { verify: after }
  - keys: { load: after }
cleanup:
  - keys: { load: before }
";
    // heal-full goes by its other copy and needs no doctor.
    for release in &RELEASES[..2] {
        let trial = run(release, body, 3);
        assert_eq!(verdict(&trial), "passed: ", "{release}");
        let refused = answers(&trial).into_iter().filter(|it| matches!(it, Achieved::Superseded(_))).count();
        assert_eq!(refused, 1, "{release}: the cleanup leaves the new identity alone");
    }
}

#[test]
fn every_image_takes_a_new_identity_and_the_old_one_is_void() {
    let body = "steps:
  - keys: { save: before }
  - supply: { usb: 5V }
  - expect: { light: cloud_connected, within: 30s }
  - expect: { identity: unchanged }
  - keys: { doctor: new_identity }
  - reset: pin
  - expect: { identity: renewed, within: 60s }
  - keys: { doctor: new_identity }
  - reset: pin
  - expect: { identity: renewed, within: 60s }
";
    for release in RELEASES {
        let trial = run(release, body, 1);
        assert_eq!(verdict(&trial), "passed: ", "{release}");
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
  - keys: { save: before }
  - supply: { usb: 5V }
  - expect: { light: cloud_connected, within: 30s }
  - send: keys rotate
  - expect: { identity: rotated, within: 60s }
  - keys: { load: before }
";
    let trial = run("no-heal", body, 1);
    assert_eq!(
        verdict(&trial),
        "error, scenario: since the keys were saved the cloud accepts 6bc6e8d6aeaf4a91 in place of 1da0e8329da0beb6: written back, \
         that would lock the board out"
    );
}

#[test]
fn what_is_written_back_is_what_was_saved() {
    let body = |check: &str| {
        format!(
            "steps:
  - keys: {{ save: before }}
  - corrupt: {{ slot: device_private, class: one_bit_set, part: private }}
  - corrupt: {{ slot: server_public, class: one_bit_set, part: header }}
{check}  - keys: {{ verify: before }}
  - supply: {{ usb: 5V }}
  - expect: {{ light: cloud_connected, within: 30s }}
  - expect: {{ identity: unchanged }}
"
        )
    };
    for release in RELEASES {
        assert_eq!(verdict(&run(release, &body("  - keys: { load: before }\n"), 1)), "passed: ", "{release}");
    }
    let differs = verdict(&run("no-heal", &body(""), 1));
    assert!(differs.starts_with("failed, firmware: device_private: what was saved as before with bit "), "{differs}");
    assert!(differs.contains("; server_public: what was saved as before with bit "), "{differs}");
}

#[test]
fn the_same_id_gives_the_same_key() {
    let body = "steps:\n  - keys: { doctor: new_identity }\n";
    let new = |seed| {
        let trial = run("heal-full", body, seed);
        assert_eq!(trial.verdict().map(|verdict| verdict.kind), Some(VerdictKind::Passed));
        answers(&trial).into_iter().find_map(|it| match it {
            Achieved::NewIdentity { new, .. } => Some(new),
            _ => None,
        })
    };
    assert!(new(1).is_some());
    assert_eq!(new(1), new(1));
    assert_ne!(new(1), new(2));
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
