//! Before a trial: the right board, what helps one that does not answer, and keys that are somebody's.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use brickproof_bench::driver::{self, Outcome};
use brickproof_firmware::{Firmware, KeyStore, private_keys};
use brickproof_instruments::Kind;
use brickproof_keys::lantern_layout::{AREA_SIZE, Area};
use brickproof_keys::{Slot, SlotContent, device_key_from_seed};
use brickproof_scenario::plan::Plan;
use brickproof_trial::{Achieved, Blame, Command, Happening, VerdictKind};

use crate::model::{Deaf, How, SERIAL, When};
use crate::passing::everything_was_answered;
use crate::rig::{Rig, scenario, verdict};

fn boots() -> Plan {
    scenario("heal-full", "steps:\n  - supply: { usb: 5V }\n  - expect: { console: device=good, within: 10s }\n")
}

/// What was said about the provisioning.
fn provisioned(outcome: &Outcome) -> String {
    let events = || outcome.trial.timeline().events.iter();
    let asked = events().find_map(|event| match &event.what {
        Happening::Asked { id, command: Command::Provision } => Some(*id),
        _ => None,
    });
    let answer = events().find_map(|event| match &event.what {
        Happening::Answered { id, result } if Some(*id) == asked => Some(result.clone()),
        _ => None,
    });
    match answer {
        Some(Ok(Achieved::Changed(words))) => words.to_string(),
        other => format!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_written_to_another_board_and_both_ids_are_told() {
    let rig = Rig::new();
    rig.model.is_another_board([0xab; 8]);
    let outcome = rig.run(boots()).await;
    let decided = outcome.trial.verdict().expect("it is over");
    assert_eq!((decided.kind, decided.blame), (VerdictKind::Error, Some(Blame::Bench)));
    assert_eq!(rig.model.written(), []);
    let retired = outcome.retired.as_deref().expect("it is of no use");
    let ours: String = SERIAL.iter().map(|byte| format!("{byte:02x}")).collect();
    for id in ["abababababababab", ours.as_str()] {
        assert!(retired.contains(id) && decided.reason.contains(id), "{}", decided.reason);
    }
    // No ladder: one look was enough.
    assert_eq!(rig.model.times_fed(), 1);
    assert!(rig.model.is_safe() && !rig.journal().exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_board_that_does_not_answer_is_reset_then_power_cycled_then_given_up() {
    for (deaf, words) in [
        (Deaf::No, "bytes"),
        (Deaf::UntilReset, "bytes after a reset; before that: the model's probe failed to read 8 bytes"),
        (Deaf::UntilPowerCycle, "bytes after a power cycle; before that: the model's probe failed to read 8 bytes"),
    ] {
        let rig = Rig::new();
        rig.model.probe_is_deaf(deaf);
        let outcome = rig.run(boots()).await;
        assert_eq!(verdict(&outcome), "passed: ", "{deaf:?}");
        assert!(provisioned(&outcome).contains(words), "{deaf:?}: {}", provisioned(&outcome));
        assert_eq!(outcome.retired, None);
    }
    let rig = Rig::new();
    rig.model.probe_is_deaf(Deaf::ForGood);
    let outcome = rig.run(boots()).await;
    let retired = outcome.retired.as_deref().expect("it is of no use");
    println!("{retired}");
    for rung in ["could not be provisioned: the model's probe", "; after a reset: the", "; after a power cycle: the"] {
        assert!(retired.contains(rung), "{retired}");
    }
    assert!(verdict(&outcome).starts_with("error, blame: bench: "), "{}", verdict(&outcome));
    assert!(rig.model.is_safe() && !rig.journal().exists());
    everything_was_answered(&outcome);
}

/// Between two cycles of a soak.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_board_that_is_recovered_is_dark_for_a_while_and_has_its_firmware_and_keys_afterwards() {
    let image = Firmware::shipped("lantern-heal-full").unwrap();
    for (deaf, words) in [(Deaf::No, "wrote"), (Deaf::UntilReset, "after a reset")] {
        let rig = Rig::new();
        rig.model.probe_is_deaf(deaf);
        rig.model.write_flash(0x100, &[0x55; 64]);
        let done = driver::recover(&rig.open().await, &image).await.expect("it can be");
        assert!(done.contains(words), "{done}");
        assert_eq!(rig.model.flash(0, image.image().len()), image.image());
        assert!(rig.model.is_safe() && !rig.journal().exists());
        // And again, when there is nothing to be written.
        let done = driver::recover(&rig.open().await, &image).await.expect("it can be");
        assert_eq!(done, "firmware and keys were there");
    }
    let rig = Rig::new();
    rig.model.probe_is_deaf(Deaf::ForGood);
    let why = driver::recover(&rig.open().await, &image).await.expect_err("it cannot be");
    assert!(why.contains("its board could not be provisioned") && why.contains("; after a power cycle: the"), "{why}");
    assert!(rig.model.is_safe() && !rig.journal().exists());
}

/// A probe that hangs before anything else can be known of the board.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_probe_that_hangs_while_provisioning_retires_the_station_within_its_bound() {
    let rig = Rig::new();
    rig.model.fails(Kind::Probe, How::Hangs, When::Fed(1, Duration::ZERO));
    let began = Instant::now();
    let outcome = rig.run(boots()).await;
    println!("{} after {:.1?}", verdict(&outcome), began.elapsed());
    assert!(verdict(&outcome).starts_with("error, blame: bench: "), "{}", verdict(&outcome));
    assert!(outcome.retired.is_some() && rig.model.is_safe());
    assert!(began.elapsed() < Duration::from_secs(60), "three attempts of 10 s each, and what lies between them");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_are_somebodys_are_kept_before_they_are_written_over() {
    let image = Firmware::shipped("lantern-heal-full").unwrap();
    let keys = |rig: &Rig| KeyStore::of(&rig.file.board, &image).expect("it is lantern's");
    let theirs = device_key_from_seed(77);
    let kept = |rig: &Rig| {
        let files = std::fs::read_dir(&rig.folder).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|it| it == "keys")).collect::<Vec<_>>()
    };
    let put = |rig: &Rig, area: Area, key: &SlotContent| {
        let at = area.address(keys(rig).chip) + Slot::DevicePrivate.dct_offset();
        rig.model.write_flash(at, key.expose());
    };

    let rig = Rig::new();
    put(&rig, Area::B, &theirs);
    let there = rig.model.flash(Area::B.address(keys(&rig).chip), AREA_SIZE);
    let outcome = rig.run(boots()).await;
    assert_eq!(verdict(&outcome), "passed: ");
    let [file] = &kept(&rig)[..] else { panic!("one file: {:?}", kept(&rig)) };
    assert!(file.to_string_lossy().contains(&theirs.fingerprint().to_string()), "{file:?}");
    assert_eq!(std::fs::read(file).unwrap(), there);
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_ne!(rig.model.flash(Area::B.address(keys(&rig).chip), AREA_SIZE), there);

    for ours in private_keys() {
        let rig = Rig::new();
        put(&rig, Area::A, &ours);
        let outcome = rig.run(boots()).await;
        assert_eq!(verdict(&outcome), "passed: ");
        assert_eq!(kept(&rig), Vec::<std::path::PathBuf>::new());
    }

    // Where they cannot be kept, they are not written over.
    let rig = Rig::new();
    put(&rig, Area::A, &theirs);
    let name = format!("model.desk.{}.keys", theirs.fingerprint());
    std::fs::create_dir(rig.folder.join(name)).unwrap();
    let outcome = rig.run(boots()).await;
    assert!(verdict(&outcome).contains("keep the keys of its board"), "{}", verdict(&outcome));
    assert_eq!(rig.model.written(), []);
}
