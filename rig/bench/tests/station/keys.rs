//! Keys of a station's board in a trial: saved, written back, renewed, through its probe and through its bootloader.

use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex, PoisonError};

use brickproof_bench::driver::Outcome;
use brickproof_bench::file::{Driver, Station, StationKeys};
use brickproof_bench::fitness::unfit;
use brickproof_bench::keyfile;
use brickproof_firmware::{Firmware, KeyStore, PUBLISHED};
use brickproof_instruments::{
    Block, Capabilities, Deadline, Dfu, Factory, Failure, Firewall, Instrument, Kind, Moment, Presence, Region,
    Setting, Settings, Timing, UsbId, Value,
};
use brickproof_keys::lantern_layout::Area;
use brickproof_keys::{Algorithm, Fingerprint, KeySet, Slot, SlotContent, SlotShape, check, device_key_from_seed};
use brickproof_scenario::plan::Plan;
use brickproof_scenario::{Library, load};
use brickproof_trial::{Achieved, Happening};
use brickproof_units::Span;

use crate::passing::everything_was_answered;
use crate::rig::{Rig, run_on, scenario, verdict};

fn plan(board: &str, firmware: &str, body: &str) -> Plan {
    let text = format!("scenario: A trial on the model\nboard: {board}\nfirmware: {firmware}\n{body}");
    let loaded = load("model.yaml", text, &Library::built_in());
    loaded.unwrap_or_else(|mistakes| panic!("{}", mistakes.render(110))).cells.remove(0)
}

fn answers(outcome: &Outcome) -> Vec<Achieved> {
    let events = outcome.trial.timeline().events.iter();
    let answered = events.filter_map(|event| match &event.what {
        Happening::Answered { result: Ok(achieved), .. } => Some(achieved.clone()),
        _ => None,
    });
    answered.collect()
}

fn renewed(outcome: &Outcome) -> Option<(Option<Fingerprint>, Fingerprint)> {
    outcome.trial.timeline().events.iter().find_map(|event| match event.what {
        Happening::IdentityChanged { old, new } => Some((old, new)),
        _ => None,
    })
}

/// Every file with the keys of a board.
fn kept(rig: &Rig) -> Vec<std::path::PathBuf> {
    let files = std::fs::read_dir(&rig.folder).expect("it is there").map(|entry| entry.expect("it is there").path());
    files.filter(|path| path.to_string_lossy().ends_with(".keys.json")).collect()
}

fn store(rig: &Rig) -> KeyStore {
    KeyStore::of(&rig.file.board, &Firmware::shipped("lantern-no-heal").expect("it ships")).expect("it is lantern's")
}

fn device_key(rig: &Rig) -> SlotContent {
    let at = Area::A.address(store(rig).chip) + Slot::DevicePrivate.dct_offset();
    SlotContent::new(Slot::DevicePrivate, &rig.model.flash(at, Slot::DevicePrivate.size())).expect("it fits")
}

const DOCTOR: &str = "steps:
  - keys: { save: before }
  - keys: { doctor: new_identity }
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_board_connects_under_its_new_identity_and_the_old_one_is_not_written_back() {
    let rig = Rig::new();
    let body = "steps:
  - keys: { save: before }
  - corrupt: { slot: device_private, class: zeroed }
  - keys: { doctor: new_identity }
  - supply: { usb: 5V }
  - expect: { identity: renewed, within: 10s }
  - expect: { slot: device_private, is: new, within: 5s }
cleanup:
  - keys: { load: before }
";
    let outcome = rig.run(scenario("no-heal", body)).await;
    assert_eq!(verdict(&outcome), "passed: ");
    let (old, new) = renewed(&outcome).expect("it is in the timeline");
    assert_eq!(old, Some(PUBLISHED.device_old.fingerprint()));
    assert_eq!((device_key(&rig).fingerprint(), check(&device_key(&rig))), (new, Ok(())));
    assert!(answers(&outcome).iter().any(|it| matches!(it, Achieved::Superseded(_))), "the cleanup leaves it alone");
    // What was there before is kept, for its owner alone: in this trial a damaged key.
    let [file] = &kept(&rig)[..] else { panic!("one file: {:?}", kept(&rig)) };
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    let (board, keys) = keyfile::read(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!((board.as_str(), keys.get(Slot::ServerPublic)), ("lantern-nrf51", &PUBLISHED.server));
    assert!(rig.model.is_safe());
    everything_was_answered(&outcome);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_file_of_the_old_key_there_is_no_new_one() {
    let rig = Rig::new();
    std::fs::create_dir(rig.folder.join(format!("model.desk.{}.keys.json", PUBLISHED.device_old.fingerprint())))
        .unwrap();
    let outcome = rig.run(scenario("no-heal", DOCTOR)).await;
    assert!(
        verdict(&outcome).starts_with("error, blame: bench: ") && verdict(&outcome).contains("before they are changed"),
        "{}",
        verdict(&outcome)
    );
    assert_eq!((renewed(&outcome), device_key(&rig)), (None, PUBLISHED.device_old.clone()));
}

/// A cloud that is not the rig's: a program tells it.
fn with_program(rig: &mut Rig, script: &str) {
    rig.file.cloud = None;
    let register = ["sh", "-c", script].map(str::to_owned).to_vec();
    rig.file.keys = StationKeys { register: Some(register), server: None };
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cloud_elsewhere_is_told_and_from_then_on_the_old_key_is_void() {
    let mut rig = Rig::new();
    let pem = rig.folder.join("registered.pem");
    with_program(&mut rig, &format!("cat >{}", pem.display()));
    let outcome = rig.run(scenario("no-heal", DOCTOR)).await;
    assert_eq!(verdict(&outcome), "passed: ");
    let told = std::fs::read_to_string(&pem).unwrap();
    assert!(told.starts_with("-----BEGIN PUBLIC KEY-----") && !told.contains("PRIVATE"), "{told}");
    let (_, new) = renewed(&outcome).unwrap();
    assert_eq!(device_key(&rig).fingerprint(), new);

    // Provisioning would write the old one: it is refused, whenever that is.
    let outcome = rig.run(scenario("no-heal", "steps:\n  - supply: { usb: 5V }\n")).await;
    let old = PUBLISHED.device_old.fingerprint();
    assert!(verdict(&outcome).contains(&format!("the cloud accepts {new} in place of {old}")), "{}", verdict(&outcome));
    assert_eq!(device_key(&rig).fingerprint(), new);
    assert!(outcome.retired.is_some() && rig.model.is_safe());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cloud_that_refuses_the_new_key_leaves_the_board_with_the_old_one() {
    let mut rig = Rig::new();
    with_program(&mut rig, "echo no such product >&2; exit 4");
    let outcome = rig.run(scenario("no-heal", DOCTOR)).await;
    let told = verdict(&outcome);
    for words in
        ["error, blame: bench: ", "register the new public key", "no such product", "the old key is written back"]
    {
        assert!(told.contains(words), "{told}");
    }
    assert_eq!((renewed(&outcome), device_key(&rig)), (None, PUBLISHED.device_old.clone()));
    assert!(rig.run(scenario("no-heal", "steps:\n  - supply: { usb: 5V }\n")).await.retired.is_none());
}

#[test]
fn what_cannot_be_done_with_keys_is_known_before_anything_is_driven() {
    let mut rig = Rig::new();
    let body = "steps:\n  - keys: { save: a }\n  - keys: { server: genuine }\n  - keys: { doctor: new_identity }\n";
    let on_lantern = plan("lantern-nrf51", "lantern-no-heal", body);
    assert_eq!(unfit(&on_lantern, &rig.file), []);
    rig.file.cloud = None;
    let told = |plan: &Plan, station: &Station| {
        unfit(plan, station).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let mut photon = Photon::new();
    photon.rig.file.instruments.insert(Kind::Dfu, Driver::Real(photon.factory, Settings::new()));
    photon.rig.file.keys.server = None;
    let of_photon = plan("photon", "as_found", &body.replace("steps:\n", &format!("steps:\n{IN_DFU}")));
    let told = [
        told(&on_lantern, &rig.file),
        told(&plan("photon", "lantern-no-heal", "steps:\n  - supply: off\n"), &photon.rig.file),
        told(&of_photon, &photon.rig.file),
        {
            photon.rig.file.instruments.remove(&Kind::Dfu);
            told(&of_photon, &photon.rig.file)
        },
    ];
    insta::assert_snapshot!(told.join("\n---\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_board_that_is_left_as_found_keeps_its_firmware_and_its_identity() {
    let rig = Rig::new();
    // It was somebody's before.
    let first = rig.run(scenario("heal-blank", "steps:\n  - supply: { usb: 5V }\n")).await;
    assert_eq!(verdict(&first), "passed: ");
    let theirs = device_key_from_seed(77);
    rig.model.write_flash(Area::A.address(store(&rig).chip) + Slot::DevicePrivate.dct_offset(), theirs.expose());
    let before = rig.model.written().len();

    let body = "steps:\n  - supply: { usb: 5V }\n  - expect: { identity: unchanged, within: 10s }\n  - expect: { slot: device_private, is: as_found, within: 5s }\n";
    let outcome = rig.run(plan("lantern-nrf51", "as_found", body)).await;
    assert_eq!(verdict(&outcome), "passed: ");
    assert_eq!(rig.model.written().len(), before, "nothing is written");
    let found = answers(&outcome).into_iter().find_map(|it| match it {
        Achieved::Changed(words) if words.starts_with("left as found: flash sha256 ") => Some(words),
        _ => None,
    });
    let found = found.expect("what was found is recorded");
    let digest = outcome.found_sha256.as_deref().expect("the probe read it");
    assert!(digest.len() == 64 && found.contains(digest), "{found}");
    assert!(found.contains(&format!("device_private {}", theirs.fingerprint())), "{found}");
}

/// The key store of a Photon, behind alternate setting 1 of its bootloader.
struct Photon {
    rig: Rig,
    factory: &'static dyn Factory,
    device: Arc<Mutex<Bootloader>>,
}

struct Bootloader {
    store: Vec<u8>,
    is_there: bool,
    /// What it says it has written, and has not.
    forgets: bool,
    written: usize,
}

#[derive(Clone)]
struct BootloaderFactory(Arc<Mutex<Bootloader>>);

impl Factory for BootloaderFactory {
    fn driver(&self) -> &'static str {
        "model"
    }
    fn kind(&self) -> Kind {
        Kind::Dfu
    }
    fn about(&self) -> &'static str {
        "a bootloader of a test"
    }
    fn settings(&self) -> &'static [Setting] {
        &[]
    }
    fn capabilities(&self, _: &Settings) -> Capabilities {
        Capabilities::only(Timing { latency: Span::ZERO, uncertainty: Span::ZERO, source: "a test" })
    }
    fn open(&self, _: &Settings, _: Deadline) -> Result<Instrument, Failure> {
        Ok(Instrument::Dfu(Box::new(self.clone())))
    }
}

impl BootloaderFactory {
    fn device(&self) -> std::sync::MutexGuard<'_, Bootloader> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Dfu for BootloaderFactory {
    fn is_there(&mut self, _: Deadline) -> Result<bool, Failure> {
        Ok(self.device().is_there)
    }
    fn upload(&mut self, alternate: u8, region: Region, _: Deadline) -> Result<Vec<u8>, Failure> {
        assert_eq!(alternate, 1);
        let start = region.address as usize;
        Ok(self.device().store[start..start + region.length as usize].to_vec())
    }
    fn download(&mut self, alternate: u8, address: u32, bytes: &[u8], _: Deadline) -> Result<(), Failure> {
        assert_eq!(alternate, 1);
        let mut device = self.device();
        device.written += 1;
        if !device.forgets {
            device.store[address as usize..address as usize + bytes.len()].copy_from_slice(bytes);
        }
        Ok(())
    }
    fn leave(&mut self, _: Deadline) -> Result<Moment, Failure> {
        Moment::of(|| Ok(())).map(|((), moment)| moment)
    }
    fn presence(&mut self, _: UsbId, _: Deadline) -> Result<Presence, Failure> {
        Ok(if self.device().is_there { Presence::Bootloader } else { Presence::Firmware })
    }
}

const RSA_DEVICE: &[u8] = include_bytes!("../../../../fixtures/keys/device.rsa1024.pkcs1.der");
const RSA_SERVER: &[u8] = include_bytes!("../../../../fixtures/keys/server.rsa2048.spki.der");
const RSA_SERVER_OTHER: &[u8] = include_bytes!("../../../../fixtures/keys/server-other.rsa2048.spki.der");

fn on_photon(slot: Slot, length: usize, bytes: &[u8]) -> SlotContent {
    SlotContent::shaped(SlotShape { slot, algorithm: Algorithm::Rsa, length }, bytes).expect("it fits")
}

fn photons_keys() -> KeySet {
    KeySet::new(
        on_photon(Slot::DevicePrivate, 1216, RSA_DEVICE),
        on_photon(Slot::ServerPublic, 384, RSA_SERVER),
        on_photon(Slot::ServerAddress, 128, PUBLISHED.address.expose()),
    )
    .expect("each is of its slot")
}

/// A board of which nothing is known but that it sits in its bootloader.
const IN_DFU: &str = "  - expect: { usb: dfu, within: 5s }\n";

impl Photon {
    fn new() -> Self {
        let mut store = vec![0x5A; 0x4000];
        for (content, at) in photons_keys().contents().iter().zip([34, 2082, 2466]) {
            store[at..at + content.expose().len()].copy_from_slice(content.expose());
        }
        let device = Arc::new(Mutex::new(Bootloader { store, is_there: true, forgets: false, written: 0 }));
        let factory: &'static dyn Factory = Box::leak(Box::new(BootloaderFactory(Arc::clone(&device))));
        let mut rig = Rig::new();
        rig.file.board = Arc::clone(Library::built_in().board("photon").expect("it ships"));
        rig.file.instruments.remove(&Kind::Probe);
        let settings = Settings::new().with("serial", Value::Text("00000000050C".to_owned()));
        rig.file.instruments.insert(Kind::Dfu, Driver::Real(factory, settings));
        rig.file.cloud = None;
        rig.file.keys.server = Some([
            on_photon(Slot::ServerPublic, 384, RSA_SERVER),
            on_photon(Slot::ServerAddress, 128, PUBLISHED.address.expose()),
        ]);
        Self { rig, factory, device }
    }

    fn device(&self) -> std::sync::MutexGuard<'_, Bootloader> {
        self.device.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keys(&self) -> KeySet {
        let cut = |slot, at: usize, length: usize| on_photon(slot, length, &self.device().store[at..at + length]);
        KeySet::new(
            cut(Slot::DevicePrivate, 34, 1216),
            cut(Slot::ServerPublic, 2082, 384),
            cut(Slot::ServerAddress, 2466, 128),
        )
        .expect("each is of its slot")
    }

    async fn run(&self, body: &str) -> Outcome {
        let plan = plan("photon", "as_found", body);
        assert_eq!(unfit(&plan, &self.rig.file), []);
        run_on(&self.rig.open().await, plan).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_photons_keys_are_damaged_and_written_back_through_its_bootloader() {
    for damage in [
        "slot: server_public, class: one_bit_set, part: header",
        "slot: server_public, class: one_bit_cleared, part: public",
        "slot: server_public, class: valid_but_wrong",
        "slot: device_private, class: first_byte",
        "slot: device_private, class: one_bit_set, part: private",
        "slot: server_address, class: address",
    ] {
        let photon = Photon::new();
        let slot = damage.split(&[' ', ','][..]).nth(1).expect("it has a slot");
        let body = format!(
            "steps:\n{IN_DFU}  - keys: {{ save: found }}\n  - corrupt: {{ {damage} }}\n  - expect: {{ slot: {slot}, is: torn }}\ncleanup:\n  - keys: {{ load: found }}\n"
        );
        let outcome = photon.run(&body).await;
        assert_eq!(verdict(&outcome), "passed: ", "{damage}");
        assert!(photon.keys() == photons_keys(), "{damage}: it is as it was");
        // The damage and its repair, and no slot besides.
        assert_eq!(photon.device().written, 2, "{damage}");
        assert_eq!(kept(&photon.rig).len(), 1, "{damage}: kept before it was changed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_photon_gets_a_new_rsa_identity_and_the_genuine_server() {
    let mut photon = Photon::new();
    photon.device().store[2082..2082 + 294].copy_from_slice(RSA_SERVER_OTHER);
    photon.device().store[34 + 200..34 + 1216].fill(0xff);
    photon.rig.file.keys.register = Some(["grep", "-q", "BEGIN PUBLIC KEY"].map(str::to_owned).to_vec());
    let body = format!("steps:\n{IN_DFU}  - keys: {{ doctor: new_identity }}\n  - keys: {{ server: genuine }}\n");
    let outcome = photon.run(&body).await;
    assert_eq!(verdict(&outcome), "passed: ");
    let (old, new) = renewed(&outcome).expect("it is in the timeline");
    assert_eq!(old, None, "what was there was no key");
    let keys = photon.keys();
    assert_eq!((keys.get(Slot::DevicePrivate).fingerprint(), check(keys.get(Slot::DevicePrivate))), (new, Ok(())));
    assert_eq!(keys.get(Slot::ServerPublic), photons_keys().get(Slot::ServerPublic));
    assert!(photon.device().store[..34].iter().all(|byte| *byte == 0x5A), "nothing beside the slots changes");
}

/// A gateway of a test: what is blocked, in the order in which that was asked.
#[derive(Clone, Default)]
struct Gateway(Arc<Mutex<Vec<String>>>);

impl Gateway {
    fn note(&self, what: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }
}

impl Firewall for Gateway {
    fn block(&mut self, blocks: &[Block], _: Deadline) -> Result<Moment, Failure> {
        self.note(format!("{blocks:?}"));
        Moment::of(|| Ok(())).map(|((), moment)| moment)
    }
    fn delay(&mut self, by: Span, _: Deadline) -> Result<Moment, Failure> {
        self.note(format!("delay {by}"));
        Moment::of(|| Ok(())).map(|((), moment)| moment)
    }
    fn make_safe(&mut self, _: Deadline) -> Result<(), Failure> {
        self.note("safe".to_owned());
        Ok(())
    }
}

impl Factory for Gateway {
    fn driver(&self) -> &'static str {
        "model"
    }
    fn kind(&self) -> Kind {
        Kind::Firewall
    }
    fn about(&self) -> &'static str {
        "a gateway of a test"
    }
    fn settings(&self) -> &'static [Setting] {
        &[]
    }
    fn capabilities(&self, _: &Settings) -> Capabilities {
        Capabilities::only(Timing { latency: Span::ZERO, uncertainty: Span::ZERO, source: "a test" })
    }
    fn open(&self, _: &Settings, _: Deadline) -> Result<Instrument, Failure> {
        Ok(Instrument::Firewall(Box::new(self.clone())))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cloud_of_a_real_board_is_kept_from_it_by_the_gateway() {
    let mut photon = Photon::new();
    let body = "cloud: silent\nsteps:\n  - cloud: unreachable\n  - cloud: genuine\n";
    let gateway = Gateway::default();
    let refused = unfit(&plan("photon", "as_found", body), &photon.rig.file);
    assert!(refused.iter().any(|it| it.to_string().contains("it has no `cloud` that could misbehave")), "{refused:?}");
    let factory: &'static dyn Factory = Box::leak(Box::new(gateway.clone()));
    photon.rig.file.instruments.insert(Kind::Firewall, Driver::Real(factory, Settings::new()));
    let outcome = photon.run(body).await;
    assert_eq!(verdict(&outcome), "passed: ");
    let flow = "flow: Flow { transport: Some(Tcp), port: Some(5683) }";
    let asked = gateway.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    assert_eq!(
        asked,
        [
            format!("[Block {{ {flow}, fate: Dropped }}]"),
            format!("[Block {{ {flow}, fate: Rejected }}]"),
            "[]".to_owned(),
            "safe".to_owned(),
        ]
    );
    for (body, why) in [
        ("cloud: wrong\nsteps:\n  - wait: 1s\n", "cannot be the wrong cloud"),
        ("steps:\n  - cloud: { behaviour: genuine, latency: 2s }\n", "that of the board's own is what it is"),
        ("steps:\n  - expect: { identity: unchanged, within: 5s }\n", "cannot tell with which identity"),
    ] {
        let refused = unfit(&plan("photon", "as_found", body), &photon.rig.file);
        assert!(refused.iter().any(|it| it.to_string().contains(why)), "{why}: {refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bootloader_that_is_not_there_or_forgets_is_the_benchs_failure() {
    let photon = Photon::new();
    photon.device().is_there = false;
    // On the way out nobody knows where a board is.
    let told = verdict(&photon.run("steps:\n  - wait: 1ms\ncleanup:\n  - keys: { server: genuine }\n").await);
    assert!(told.contains("the board is not in its bootloader") && told.contains("enter: dfu"), "{told}");
    let photon = Photon::new();
    photon.device().forgets = true;
    let body = format!("steps:\n{IN_DFU}  - corrupt: {{ slot: server_public, class: blank }}\n");
    let told = verdict(&photon.run(&body).await);
    assert!(
        told.starts_with("error, blame: bench: ") && told.contains("it reads back otherwise: server_public"),
        "{told}"
    );
}
