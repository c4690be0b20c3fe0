//! Keys that are saved, written back and renewed: what a trial makes of the answers.

use std::sync::Arc;

use brickproof_cloud::CloudEvent;
use brickproof_scenario::plan::KeyWork;
use brickproof_trial::{Achieved, Command, Happening};

use crate::station::{Reply, Station, answers, key};

const NEW_IDENTITY: &str = "steps:\n  - keys: { doctor: new_identity }\n";

#[test]
fn a_new_identity_is_an_event_and_can_be_asked_for() {
    let renewed = answers!(Command::Keys { .. } => Reply::Renewed(1, 2));
    let body = format!("{NEW_IDENTITY}  - expect: {{ identity: renewed, within: 5s }}\n");
    let connected = |fingerprint| {
        Station::with_rule(&body, renewed)
            .cloud(1_000, CloudEvent::LinkOpened)
            .cloud(1_100, CloudEvent::Connected { fingerprint })
            .run()
    };
    let station = connected(key(2));
    assert_eq!(station.outcome(), "passed");
    let changed = station.trial.timeline().events.iter().any(
        |event| matches!(event.what, Happening::IdentityChanged { old: Some(old), new } if (old, new) == (key(1), key(2))),
    );
    assert!(changed, "it is in the timeline");
    // Whoever still has the one from before is not who was asked for.
    assert_eq!(connected(key(1)).outcome(), "failed, firmware");
}

#[test]
fn a_connection_from_before_says_nothing_of_the_new_key() {
    let body =
        "steps:\n  - wait: 2s\n  - keys: { doctor: new_identity }\n  - expect: { identity: unchanged, within: 1s }\n";
    let before = Station::with_rule(body, answers!(Command::Keys { .. } => Reply::Renewed(1, 2)))
        .cloud(1_000, CloudEvent::LinkOpened)
        .cloud(1_100, CloudEvent::Connected { fingerprint: key(1) })
        .run();
    assert_eq!(before.outcome(), "failed, firmware");
}

#[test]
fn keys_that_are_not_what_was_saved_fail_the_firmware() {
    let body = "steps:\n  - keys: { save: before }\n  - keys: { verify: before }\n";
    let differ = answers!(Command::Keys { work: KeyWork::Verify(_), .. } => Reply::Differ);
    let station = Station::with_rule(body, differ).run();
    assert_eq!(station.outcome(), "failed, firmware");
    let reason = &station.verdict().reason;
    assert_eq!(reason, "device_private: blank (make sure that the keys are those saved as `before`)");
}

#[test]
fn a_void_identity_is_not_written_back_and_that_is_the_scenarios_doing() {
    let superseded = answers!(Command::Keys { work: KeyWork::Load(_), .. } => Reply::Superseded);
    let steps = "steps:\n  - keys: { save: before }\n  - keys: { load: before }\n";
    let station = Station::with_rule(steps, superseded).run();
    assert_eq!(station.outcome(), "error, scenario");
    assert_eq!(station.verdict().reason, "the cloud accepts another one");
    // On the way out the keys are left alone, and the verdict stands.
    let cleanup = "steps:\n  - keys: { save: before }\ncleanup:\n  - keys: { load: before }\n";
    let station = Station::with_rule(cleanup, superseded).run();
    assert_eq!(station.outcome(), "passed");
    let told = Ok(Achieved::Superseded(Arc::from("the cloud accepts another one")));
    let answers = station.trial.timeline().events.iter();
    let mut answers = answers.filter_map(|event| match &event.what {
        Happening::Answered { result, .. } => Some(result),
        _ => None,
    });
    assert!(answers.any(|result| *result == told), "it is in the timeline");
}

#[test]
fn keys_that_could_not_be_read_back_are_the_benchs_failure() {
    for step in ["save: a", "server: genuine", "doctor: new_identity"] {
        let body = format!("steps:\n  - keys: {{ {step} }}\n");
        let refused = Station::with_rule(&body, answers!(Command::Keys { .. } => Reply::Refusal)).run();
        assert_eq!(refused.outcome(), "error, bench", "{step}");
        let silent = Station::with_rule(&body, answers!(Command::Keys { .. } => Reply::Silence)).run();
        assert_eq!(silent.outcome(), "error, bench", "{step}");
        assert!(silent.verdict().reason.ends_with("no answer came within 120s"), "{}", silent.verdict().reason);
    }
}
