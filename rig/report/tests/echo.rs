//! A firmware that echoes the key that it was sent: no part of it is kept or printed.

use std::sync::Arc;

use brickproof_cloud::CloudEvent;
use brickproof_keys::device_key_from_seed;
use brickproof_report::evidence::Folder;
use brickproof_report::results::{Finished, FirmwareRef, Results, TrialResult, World};
use brickproof_report::{Secrets, junit, terminal};
use brickproof_scenario::{Library, load};
use brickproof_trial::{Achieved, Observation, Stamp, Trial, TrialId};
use brickproof_units::{Instant, Span};

const SCENARIO: &str = "scenario: T
board: lantern-nrf51
firmware: lantern-no-heal
steps:
  - expect: { console: '~newkee', within: 1s }
";

/// A trial that fails over a console on which this stands.
fn trial(console: &[u8]) -> Trial {
    let scenario = load("t.yaml", SCENARIO, &Library::built_in()).expect("it has no mistakes");
    let mut trial = Trial::new(Arc::new(scenario.cells[0].clone()), []);
    let stamp = |after: u64| Stamp::exact(Instant::START + Span::millis(after));
    let mut said = false;
    loop {
        while let Some(action) = trial.poll_action() {
            let result = Ok(Achieved::Done);
            trial.observe(Stamp::exact(trial.now()), Observation::Answered { id: action.id, result });
        }
        if !said && trial.current_step().is_some() {
            trial.observe(stamp(1), Observation::Console(console.to_vec().into()));
            // What a board asks the cloud for is told in words of its own.
            let asked = hex(device_key_from_seed(7).expose_used());
            trial.observe(stamp(1), Observation::Cloud(CloudEvent::LinkRefused { asked }));
            said = true;
        }
        let Some(wake) = trial.next_wake() else { return trial };
        trial.wake(wake);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn what_a_firmware_echoes_is_masked_in_everything_that_is_kept_or_printed() {
    let key = device_key_from_seed(7);
    let (der, scalar) = (key.expose_used(), &key.expose_used()[7..39]);
    let raw = [b"dump: ".as_slice(), der, b"\r\n"].concat();
    let console = [format!("~newkey {}\r\n", hex(der)).into_bytes(), raw].concat();
    let trial = trial(&console);
    let id = TrialId::new(trial.plan(), "", 1);
    let finished = Finished {
        attempt: 1,
        board_serial: None,
        id: id.clone(),
        trial,
        firmware: FirmwareRef::new("lantern-no-heal", ""),
        station: "virtual".into(),
        wall_ns: 0,
        replay: String::new(),
        secrets: Secrets::new([&key]),
    };
    let results = Results::new(World::Virtual, vec![TrialResult::new(&finished)]);
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let evidence = Folder::at(folder.path()).expect("it is ours");
    evidence.write(&results, std::slice::from_ref(&finished)).expect("it is ours");
    let file = |name: &str| std::fs::read(folder.path().join(name)).expect("it was written");
    let place = format!("trials/{id}");
    let told = &results.trials[0];
    assert!(told.evidence.iter().any(|line| line.text.contains("~newkey ")), "it is among what is told: {told:?}");
    let failure = terminal::failure(told, World::Virtual, terminal::Colour::Plain);
    let kept = [
        ("console.raw", file(&format!("{place}/console.raw"))),
        ("timeline.jsonl", file(&format!("{place}/timeline.jsonl"))),
        ("results.json", file("results.json")),
        ("junit.xml", junit::to_xml(&results).expect("it can be written").into_bytes()),
        ("the terminal", failure.into_bytes()),
    ];
    for (name, bytes) in kept {
        let has = |wanted: &[u8]| bytes.windows(wanted.len()).any(|window| window == wanted);
        for part in scalar.chunks(8) {
            assert!(!has(part) && !has(hex(part).as_bytes()), "{name} shows part of the key");
        }
        // Escapes stand in JSON with two backslashes; two bytes that were escaped say enough.
        let text = String::from_utf8_lossy(&bytes).replace("\\\\x", "\\x");
        let escaped = brickproof_console::display(&scalar[..8]);
        assert!(!text.contains(&escaped), "{name} shows part of the key");
    }
    assert_eq!(file(&format!("{place}/console.raw")).len(), console.len(), "the console loses nothing");
}
