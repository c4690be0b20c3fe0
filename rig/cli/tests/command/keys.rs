//! The keys of a real station's board by hand: a served board with its probe, and files for its owner alone.

use std::os::unix::fs::PermissionsExt;

use crate::desk::{Called, Desk};
use crate::stations::{Fed, Station, bench_of, call};

/// The station with more lines in its bench file.
fn with_lines(desk: &Desk, lines: &str) {
    let text = desk.read("bench.yaml");
    desk.put("bench.yaml", format!("{}{lines}", text.trim_end_matches('\n').to_owned() + "\n").as_bytes());
}

fn keys(desk: &Desk, words: &[&str]) -> Called {
    let words: Vec<&str> = ["keys"].iter().chain(words).copied().collect();
    call(desk, &words)
}

/// The fingerprint of the device key that is on the board.
fn device(desk: &Desk) -> String {
    let shown = keys(desk, &["show"]);
    shown.exits(0);
    let line = shown.out.lines().find(|line| line.contains("device_private")).expect("it is shown").to_owned();
    assert!(line.ends_with(": in order"), "{line}");
    line.split([' ', ':']).find(|word| word.len() == 16).expect("a fingerprint").to_owned()
}

#[test]
fn keys_are_saved_compared_renewed_and_never_written_back_once_they_are_void() {
    let station = Station::with("lantern-nrf51", "lantern-heal-full", 1);
    let desk = bench_of(&[("one", &station)], Fed::ByTheStation);
    with_lines(&desk, "    keys: { register: [sh, -c, \"cat >registered.pem\"] }\n");
    assert_eq!(device(&desk), "1da0e8329da0beb6");

    keys(&desk, &["save", "before.json"]).exits(0);
    let mode = std::fs::metadata(desk.path("before.json")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    keys(&desk, &["save", "before.json"]).exits(2);
    keys(&desk, &["verify", "before.json"]).exits(0);
    // While the cloud accepts it, it may be written.
    keys(&desk, &["load", "before.json"]).exits(0);

    let doctor = keys(&desk, &["doctor", "--new-identity"]);
    doctor.exits(0);
    let new = device(&desk);
    assert!(doctor.out.contains(&format!("identity changed from 1da0e8329da0beb6 to {new}")), "{}", doctor.out);
    let pem = desk.read("registered.pem");
    assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----") && !pem.contains("PRIVATE"), "{pem}");
    let saved = desk.read("before.json");
    let private = saved.lines().find(|line| line.contains("\"bytes\": \"3077")).expect("the private key is saved");
    let digits = private.split('"').nth(3).expect("its digits");
    assert!(!doctor.out.contains(&digits[20..60]) && !doctor.err.contains(&digits[20..60]), "no key is shown");

    let differs = keys(&desk, &["verify", "before.json"]);
    differs.exits(1);
    assert!(differs.out.contains("device_private: valid but unknown"), "{}", differs.out);
    let void = keys(&desk, &["load", "before.json"]);
    void.exits(3);
    assert!(void.err.contains(&format!("the cloud accepts {new} in place of 1da0e8329da0beb6")), "{}", void.err);
    // Nor does a trial provision the board with it.
    call(&desk, &["run", "boots.yaml"]).exits(3);
    call(&desk, &["flash", "lantern-heal-full"]).exits(3);
    assert_eq!(device(&desk), new);
}

#[test]
fn a_doctor_whom_nobody_believes_changes_nothing() {
    let station = Station::with("lantern-nrf51", "lantern-no-heal", 1);
    let desk = bench_of(&[("one", &station)], Fed::ByTheStation);
    let nobody = keys(&desk, &["doctor", "--new-identity"]);
    nobody.exits(2);
    assert!(nobody.err.contains("nobody would accept a new identity"), "{}", nobody.err);
    keys(&desk, &["doctor"]).exits(2);
    keys(&desk, &["server"]).exits(3);
    keys(&desk, &["show", "--through", "dfu"]).exits(2);
    desk.put("half.json", b"{\"schema\": \"brickproof/keys/1\"");
    keys(&desk, &["load", "half.json"]).exits(2);
    keys(&desk, &["verify", "missing.json"]).exits(2);

    with_lines(&desk, "    keys: { register: [sh, -c, \"echo no such product >&2; exit 4\"] }\n");
    let refused = keys(&desk, &["doctor", "--new-identity"]);
    refused.exits(3);
    for words in ["register the new public key", "no such product", "the old key is written back"] {
        assert!(refused.err.contains(words), "{words}: {}", refused.err);
    }
    assert_eq!(device(&desk), "1da0e8329da0beb6");

    // By hand the cloud is told later, and until then the old key is good.
    keys(&desk, &["save", "before.json"]).exits(0);
    keys(&desk, &["doctor", "--new-identity", "--public-key-to", "new.pem"]).exits(0);
    assert!(desk.read("new.pem").starts_with("-----BEGIN PUBLIC KEY-----"));
    assert_ne!(device(&desk), "1da0e8329da0beb6");
    keys(&desk, &["load", "before.json"]).exits(0);
    assert_eq!(device(&desk), "1da0e8329da0beb6");
}
