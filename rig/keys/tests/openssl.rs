//! Keys against OpenSSL: what it makes is in order here, what is made here is in order there, and both call the same changed keys damaged.
//!
//! OpenSSL is a program of the system. Where it is missing the tests say so loudly and check nothing; with `BRICKPROOF_REQUIRE_ORACLES=1`, as
//! in the gate, that is a failure.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use brickproof_keys::{
    Algorithm, Part, PublicHalf, Slot, SlotContent, SlotShape, check, device_key_from_seed, seeded_device_key,
};

const RSA_PRIVATE: SlotShape = SlotShape { slot: Slot::DevicePrivate, algorithm: Algorithm::Rsa, length: 1216 };
const RSA_PUBLIC: SlotShape = SlotShape { slot: Slot::ServerPublic, algorithm: Algorithm::Rsa, length: 384 };

/// What it makes of the input; `None` if it refuses.
fn openssl(arguments: &str, input: &[u8]) -> Option<Vec<u8>> {
    let output = run(arguments, input);
    output.status.success().then_some(output.stdout)
}

/// Whether it says so in its check of a private key, of which the exit status tells nothing.
fn openssl_says(word: &str, arguments: &str, key: &[u8]) -> bool {
    let Output { stdout, stderr, .. } = run(arguments, key);
    [stdout, stderr].iter().any(|said| String::from_utf8_lossy(said).contains(word))
}

fn run(arguments: &str, input: &[u8]) -> Output {
    let mut child = Command::new("openssl")
        .args(arguments.split(' '))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl was there before");
    // It may have refused before it read all.
    let _ = child.stdin.take().expect("it is piped").write_all(input);
    child.wait_with_output().expect("it ends")
}

fn is_there() -> bool {
    let found = Command::new("openssl").arg("version").output().is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("NOT CHECKED: there is no openssl, so no key was compared with it");
        let required = std::env::var("BRICKPROOF_REQUIRE_ORACLES").is_ok_and(|value| value == "1");
        assert!(!required, "there is no openssl, and BRICKPROOF_REQUIRE_ORACLES is 1");
    }
    found
}

#[test]
fn what_openssl_makes_is_in_order() {
    if !is_there() {
        return;
    }
    for _ in 0..5 {
        let p256 = openssl("ecparam -name prime256v1 -genkey -noout -outform DER", b"").unwrap();
        let device = SlotContent::new(Slot::DevicePrivate, &p256).unwrap();
        assert_eq!(check(&device), Ok(()));
        let public = openssl("ec -inform DER -pubout -outform DER", &p256).unwrap();
        assert_eq!(check(&SlotContent::new(Slot::ServerPublic, &public).unwrap()), Ok(()));
        assert_eq!(PublicHalf::of(&device).unwrap().der(), public);

        let pem = openssl("genrsa -traditional 1024", b"").unwrap();
        let rsa = openssl("rsa -traditional -outform DER", &pem).unwrap();
        let device = SlotContent::shaped(RSA_PRIVATE, &rsa).unwrap();
        assert_eq!(check(&device), Ok(()));
        let public = openssl("rsa -inform DER -pubout -outform DER", &rsa).unwrap();
        assert_eq!(PublicHalf::of(&device).unwrap().der(), public);
        assert!(check(&SlotContent::shaped(RSA_PUBLIC, &public).unwrap()).is_err(), "1024 bits where 2048 belong");
    }
    let pem = openssl("genrsa 2048", b"").unwrap();
    let public = openssl("rsa -pubout -outform DER", &pem).unwrap();
    assert_eq!(check(&SlotContent::shaped(RSA_PUBLIC, &public).unwrap()), Ok(()));
}

#[test]
fn what_is_made_here_is_in_order_for_openssl() {
    if !is_there() {
        return;
    }
    for seed in 0..5 {
        let p256 = device_key_from_seed(seed);
        assert!(openssl_says("EC Key valid", "ec -inform DER -check -noout", p256.expose_used()), "{seed}");
        let half = PublicHalf::of(&p256).unwrap();
        assert_eq!(openssl("ec -inform DER -pubout", p256.expose_used()).unwrap(), half.pem().as_bytes());
        let rsa = seeded_device_key(RSA_PRIVATE, seed).unwrap();
        assert!(openssl_says("RSA key ok", "rsa -inform DER -check -noout", rsa.expose_used()), "{seed}");
        let half = PublicHalf::of(&rsa).unwrap();
        assert_eq!(openssl("rsa -inform DER -pubout", rsa.expose_used()).unwrap(), half.pem().as_bytes());
    }
}

/// OpenSSL's check of an RSA key is as strict as ours: its numbers must belong together, those of the remainder theorem among them.
#[test]
fn changed_rsa_keys_are_damaged_for_both() {
    if !is_there() {
        return;
    }
    let key = seeded_device_key(RSA_PRIVATE, 7).unwrap();
    // A bit of every part, spread over all of the key.
    for offset in (0..key.used()).step_by(23) {
        let mut bytes = key.expose_used().to_vec();
        bytes[offset] ^= 0x10;
        let accepted = openssl_says("RSA key ok", "rsa -inform DER -check -noout", &bytes);
        let changed = SlotContent::shaped(RSA_PRIVATE, &bytes).unwrap();
        assert!(check(&changed).is_err(), "byte {offset}");
        assert!(!accepted, "byte {offset}");
    }
}

/// The server's key has numbers of which any would do: whoever reads it finds the wrapping broken and nothing else, here and there.
#[test]
fn changed_server_keys_are_damaged_for_both_or_neither() {
    if !is_there() {
        return;
    }
    let pem = openssl("genrsa 2048", b"").unwrap();
    let public = openssl("rsa -pubout -outform DER", &pem).unwrap();
    let content = SlotContent::shaped(RSA_PUBLIC, &public).unwrap();
    let modulus = Part::Public.place(&content).unwrap();
    for offset in (0..public.len()).step_by(3) {
        let mut bytes = public.clone();
        bytes[offset] ^= 0x04;
        let accepted = openssl("rsa -pubin -inform DER -pubout -outform DER", &bytes).is_some();
        let ours = check(&SlotContent::shaped(RSA_PUBLIC, &bytes).unwrap()).is_ok();
        let inside = modulus.start < offset && offset < modulus.end - 1;
        if inside {
            assert!(ours && accepted, "byte {offset} of the modulus");
        } else if offset < modulus.start {
            assert!(!ours, "byte {offset} of the header");
        }
    }
}
