//! A firmware that echoes the key that it was sent: no part of it is kept or printed.

use std::sync::Arc;

use brickproof_cloud::CloudEvent;
use brickproof_keys::device_key_from_seed;
use brickproof_report::evidence::Folder;
use brickproof_report::results::{Finished, FirmwareRef, Results, TrialResult, World};
use brickproof_report::{Backstage, Secrets, junit, terminal};
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

/// Everything that is kept or printed of a trial over whose console this came, each with its name; and the folder of it.
fn kept(console: &[u8], secrets: Secrets) -> (Vec<(&'static str, Vec<u8>)>, tempfile::TempDir) {
    let trial = trial(console);
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
        secrets,
        backstage: Backstage::default(),
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
    let kept = vec![
        ("console.raw", file(&format!("{place}/console.raw"))),
        ("timeline.jsonl", file(&format!("{place}/timeline.jsonl"))),
        ("results.json", file("results.json")),
        ("junit.xml", junit::to_xml(&results).expect("it can be written").into_bytes()),
        ("the terminal", failure.into_bytes()),
    ];
    assert_eq!(kept[0].1.len(), console.len(), "the console loses nothing");
    (kept, folder)
}

/// As `openssl` writes a key, without the lines around it.
fn in_base64(bytes: &[u8]) -> Vec<String> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    assert!(bytes.len().is_multiple_of(3), "it needs no padding");
    let group = |three: &[u8]| {
        let group = three.iter().fold(0, |group, byte| group << 8 | u32::from(*byte));
        [18, 12, 6, 0].map(|shift| char::from(ALPHABET[(group >> shift & 63) as usize]))
    };
    let text: Vec<char> = bytes.chunks(3).flat_map(group).collect();
    text.chunks(64).map(|line| line.iter().collect()).collect()
}

/// Where its secret half begins: behind the modulus and the public exponent, at the beginning of a line of 64 characters.
const PUBLIC_LINES: usize = 3;

#[test]
fn an_rsa_key_that_a_firmware_prints_is_masked_in_everything_that_is_kept_or_printed() {
    let der = include_bytes!("../../../fixtures/keys/device.rsa1024.pkcs1.der");
    let raw = [b"dump: ".as_slice(), der, b"\r\n"].concat();
    let lines = in_base64(der);
    let pem = format!("-----BEGIN RSA PRIVATE KEY-----\r\n{}\r\n-----END RSA PRIVATE KEY-----\r\n", lines.join("\r\n"));
    // The last lines are told where the trial failed.
    let console = [format!("~newkey {}\r\n", hex(der)).into_bytes(), raw, pem.into_bytes()].concat();
    let (kept, folder) = kept(&console, Secrets::default());
    for (name, bytes) in &kept {
        let has = |wanted: &[u8]| bytes.windows(wanted.len()).any(|window| window == wanted);
        for part in der[144..].chunks_exact(16) {
            assert!(!has(part) && !has(hex(part).as_bytes()), "{name} shows part of the key");
        }
        for line in &lines[PUBLIC_LINES..] {
            assert!(!has(line.as_bytes()), "{name} shows {line}");
        }
    }
    let timeline = String::from_utf8_lossy(&kept[1].1).into_owned();
    assert!(timeline.contains(&lines[0]), "its public half stands there");
    drop(folder);
}

#[test]
fn what_a_firmware_echoes_is_masked_in_everything_that_is_kept_or_printed() {
    let key = device_key_from_seed(7);
    let (der, scalar) = (key.expose_used(), &key.expose_used()[7..39]);
    let raw = [b"dump: ".as_slice(), der, b"\r\n"].concat();
    let console = [format!("~newkey {}\r\n", hex(der)).into_bytes(), raw].concat();
    let (kept, _folder) = kept(&console, Secrets::new([&key]));
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
}
