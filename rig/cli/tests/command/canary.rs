//! Private keys in slots, on consoles and in a ring of RTT: no eight bytes of one stand in anything that the rig prints or keeps, however they
//! are written, but where the documents say that they do.
//!
//! Boundary: real trials and commands; then every file is searched. What a file embeds is unpacked first.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use brickproof_firmware::{Firmware, private_keys};
use brickproof_keys::device_key_from_seed;
use regex::bytes::{Regex, RegexBuilder};

use crate::desk::{Called, Desk, ids};
use crate::hostile::unpacked;
use crate::mouthpiece;
use crate::stations::{Fed, Station, bench_of, call};

/// So many bytes of a secret in a row give it away.
const WINDOW: usize = 8;
/// Where the device key stands in the flash of `lantern-nrf51`.
const SLOT: usize = 0x3_e000 + 3106;
/// The scalar of a P-256 key in SEC1.
const SCALAR: std::ops::Range<usize> = 7..39;
const RSA: &[u8] = include_bytes!("../../../../fixtures/keys/device.rsa1024.pkcs1.der");
/// What follows is secret: the exponent, the primes and what is computed of them.
const RSA_SECRET: usize = 144;

const SCENARIO: &str = "\
scenario: A board prints its key
board: lantern-nrf51
matrix:
  way: [WAYS]
firmware: ./says-${way}.bin
steps:
  - supply: { usb: 5V }
  - expect: { console: never said by anybody, within: 1500ms }
cleanup:
  - supply: off
";

fn hex(bytes: &[u8]) -> String {
    joined(bytes, "", |byte| format!("{byte:02x}"))
}

fn joined(bytes: &[u8], between: &str, written: impl Fn(&u8) -> String) -> String {
    bytes.iter().map(written).collect::<Vec<_>>().join(between)
}

fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn lines(text: &str, length: usize) -> String {
    text.as_bytes().chunks(length).map(String::from_utf8_lossy).collect::<Vec<_>>().join("\r\n")
}

/// So many bytes in each line.
fn lines_of(bytes: &[u8], length: usize, written: impl Fn(&u8) -> String) -> String {
    bytes.chunks(length).map(|some| joined(some, "", &written)).collect::<Vec<_>>().join("\r\n")
}

/// The lines of a dump, each with its offset, and what its bytes are as characters.
fn dumped(bytes: &[u8], line: impl Fn(usize, &[u8], &str) -> String) -> String {
    let printable = |byte: &u8| if (0x20..0x7f).contains(byte) { char::from(*byte) } else { '.' };
    let lines = bytes.chunks(16).enumerate().map(|(number, some)| {
        let characters: String = some.iter().map(printable).collect();
        line(16 * number, some, &characters)
    });
    lines.collect::<Vec<_>>().join("\r\n")
}

/// The ways in which a firmware may print a key, each with a name that an axis can have.
fn ways(key: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let pem = |label: &str| format!("-----BEGIN {label}-----\r\n{}\r\n-----END {label}-----", lines(&base64(key), 64));
    let text = [
        ("hex", hex(key)),
        ("HEX", hex(key).to_uppercase()),
        ("colons", joined(key, ":", |byte| format!("{byte:02X}"))),
        ("spaces", joined(key, " ", |byte| format!("{byte:02x}"))),
        ("for_c", joined(key, ", ", |byte| format!("0x{byte:02x}"))),
        ("escaped", joined(key, "", |byte| format!("\\x{byte:02x}"))),
        ("hex_lines", lines(&hex(key), 32)),
        ("spaced_lines", lines(&joined(key, " ", |byte| format!("{byte:02x}")), 48)),
        ("base64", base64(key)),
        ("base64_1", base64(&[b"k", key].concat())),
        ("base64_2", base64(&[b"ke", key].concat())),
        ("base64_url", base64(key).replace('+', "-").replace('/', "_")),
        ("pem", pem("EC PRIVATE KEY")),
        ("json", format!("{{\"key\": \"{}\"}}", hex(key))),
        (
            "hexdump",
            dumped(key, |at, some, characters| {
                let halves: Vec<String> =
                    some.chunks(8).map(|half| joined(half, " ", |byte| format!("{byte:02x}"))).collect();
                format!("{at:08x}  {:<48}  |{characters}|", halves.join("  "))
            }),
        ),
        (
            "xxd",
            dumped(key, |at, some, characters| {
                let pairs: Vec<String> = some.chunks(2).map(hex).collect();
                format!("{at:08x}: {:<39}  {characters}", pairs.join(" "))
            }),
        ),
        ("debug", format!("{key:?}")),
        ("decimal_lines", lines_of(key, 12, |byte| format!("{byte}, "))),
    ];
    let raw = [("der", key.to_vec()), ("der_in_text", [b"key is ", key, b" that was it"].concat())];
    text.into_iter().map(|(name, text)| (name, text.into_bytes())).chain(raw).collect()
}

/// What is searched for.
struct Needles(Vec<(&'static str, Regex)>);

impl Needles {
    fn of(secrets: &[&[u8]]) -> Self {
        // Of a long one every so many-th: whoever shows more than three of these windows' bytes in a row is found.
        let step = |secret: &[u8]| (secret.len() / 32).max(1);
        let windows: Vec<&[u8]> = secrets.iter().flat_map(|it| it.windows(WINDOW).step_by(step(it))).collect();
        let any = |name, written: &dyn Fn(&[u8]) -> Vec<String>| {
            let all: Vec<String> = windows.iter().flat_map(|window| written(window)).collect();
            let regex = RegexBuilder::new(&all.join("|")).unicode(false).size_limit(1 << 28).build();
            (name, regex.expect("it is a pattern"))
        };
        let escaped = |byte: &u8| format!("\\x{byte:02x}");
        let separated = |between: &'static str| {
            move |window: &[u8]| vec![joined(window, between, |byte| format!("(?i:{byte:02x})"))]
        };
        Self(vec![
            any("raw", &|window| vec![joined(window, "", escaped)]),
            any("hexadecimal", &separated(r"(?:\\[rnt]|[\s:,]|0x|\\x|\\u00)*")),
            // Printable bytes as they are, and others as JSON or a terminal have them.
            any("displayed", &|window| {
                vec![joined(window, "", |byte| {
                    format!(r"(?:{}|\\{{1,2}}x{byte:02x}|\\u00{byte:02x}|\\{})", escaped(byte), escaped(byte))
                })]
            }),
            any("decimal", &|window| vec![joined(window, r"\s*,\s*", |byte| format!(r"\b{byte}\b"))]),
            any("base64", &|window| (0..3).map(|before| inner_base64(window, before)).collect()),
        ])
    }

    fn found(&self, bytes: &[u8]) -> Option<String> {
        self.0.iter().find_map(|(name, regex)| {
            let found = regex.find(bytes)?;
            let around = &bytes[found.start().saturating_sub(60)..(found.end() + 60).min(bytes.len())];
            Some(format!("{name}, at byte {}: {}", found.start(), String::from_utf8_lossy(around)))
        })
    }
}

/// The characters that depend on `window` alone, where so many bytes stand before it in its group.
fn inner_base64(window: &[u8], before: usize) -> String {
    let text = base64(&[&[0; 2][..before], window].concat());
    let first = (8 * before).div_ceil(6);
    let last = 8 * (before + window.len()) / 6;
    let mut pattern = String::new();
    for c in text[first..last].chars() {
        let _ = match c {
            '+' | '-' => write!(pattern, "[+-]"),
            '/' | '_' => write!(pattern, "[/_]"),
            c => write!(pattern, "{c}"),
        };
    }
    pattern
}

/// Files that hold keys: what the test put there, and what the documents say.
fn may_hold_keys(name: &str) -> bool {
    let put = name.starts_with("says-") || name == "dump.bin";
    // The rig's own folder of backups, for its owner alone; `keys save`; the state of a unit that was read out.
    let documented = name.starts_with("state/") || name == "saved.json" || name.starts_with("unit/state/");
    put || documented
}

fn search(desk: &Desk, needles: &Needles) {
    for (name, bytes) in desk.files("").into_iter().filter(|(name, _)| !may_hold_keys(name)) {
        assert_eq!(needles.found(&bytes), None, "{name} gives a key away");
        if name.ends_with(".html") {
            for packed in unpacked(&String::from_utf8_lossy(&bytes)) {
                assert_eq!(needles.found(&packed), None, "what {name} packs gives a key away");
            }
        }
    }
}

fn quiet(called: &Called, what: &str, needles: &Needles) {
    for (stream, text) in [("out", &called.out), ("err", &called.err)] {
        assert_eq!(needles.found(text.as_bytes()), None, "{what}, {stream}");
    }
}

/// A board whose firmware prints `key` in every way.
fn desk(key: &[u8]) -> Desk {
    let ways = ways(key);
    let names: Vec<&str> = ways.iter().map(|(name, _)| *name).collect();
    let desk = Desk::with(&[("prints.yaml", &SCENARIO.replace("WAYS", &names.join(", ")))]);
    for (name, text) in &ways {
        desk.put(&format!("says-{name}.bin"), &mouthpiece::says(&[b"key: ", &text[..], b"\r\nit ends\r\n"].concat()));
    }
    desk
}

#[test]
fn the_test_would_see_a_key() {
    let key = device_key_from_seed(7);
    let key = key.expose_used();
    let needles = Needles::of(&[&key[SCALAR]]);
    for (name, text) in ways(key) {
        assert!(needles.found(&text).is_some(), "{name}");
        let in_json = serde_json::to_vec(&brickproof_console::display(&text)).expect("it is a text");
        assert!(needles.found(&in_json).is_some() || name == "hex_lines" || name == "pem", "{name} in JSON");
    }
    assert!(needles.found(serde_json::to_string_pretty(&key).expect("it is a list").as_bytes()).is_some());
    assert_eq!(needles.found(&key[60..]), None, "what is public is no secret");
}

#[test]
fn a_key_that_a_board_prints_is_in_nothing_that_trials_keep_or_print() {
    let known = private_keys()[0].clone();
    let made = device_key_from_seed(7);
    let keys = [(known.expose_used(), SCALAR), (made.expose_used(), SCALAR), (RSA, RSA_SECRET..RSA.len())];
    for (key, secret) in keys {
        let needles = Needles::of(&[&key[secret]]);
        let desk = desk(key);
        let ran = desk.call(&["run", "prints.yaml", "--report", "run"]);
        quiet(ran.exits(1), "run", &needles);
        quiet(desk.call(&["run", "prints.yaml", "--format", "json"]).exits(1), "run --format json", &needles);
        for id in ids(&desk.json("run/results.json")) {
            let raw = std::fs::read(desk.path(&format!("run/trials/{id}/console.raw"))).expect("it is kept");
            let told = |text: &[u8]| raw.windows(text.len()).any(|part| part == text);
            assert!(told(b"it ends") && told(b"**"), "{id}: it was said, and masked");
            for format in ["human", "json"] {
                let words = ["diagnose", &format!("run/trials/{id}"), "--format", format];
                quiet(&desk.call(&words), "diagnose", &needles);
            }
        }
        let replayed = &ids(&desk.json("run/results.json"))[0];
        quiet(&desk.call(&["replay", replayed, "--scenarios", "prints.yaml"]), "replay", &needles);
        for way in ["hex", "base64_1", "der"] {
            let cell = format!("way={way}");
            let soak = ["soak", "prints.yaml", "--set", &cell, "--cycles", "2", "--report", &format!("soak-{way}")];
            quiet(desk.call(&soak).exits(1), "soak", &needles);
        }
        search(&desk, &needles);
    }
}

#[test]
fn the_key_of_a_unit_that_was_read_out_is_in_its_state_alone() {
    let key = device_key_from_seed(9);
    let key = key.expose_used();
    let needles = Needles::of(&[&key[SCALAR]]);
    // It prints the second half alone, which begins like nothing.
    let mut flash = mouthpiece::says(format!("half: {}\r\n{}\r\n", hex(&key[20..]), base64(&key[23..])).as_bytes());
    let image = flash.len();
    flash.resize(256 << 10, 0xFF);
    flash[SLOT..SLOT + key.len()].copy_from_slice(key);
    let desk = Desk::with(&[]);
    desk.put("dump.bin", &flash);
    for format in ["human", "json"] {
        let words = ["autopsy", "--image", "dump.bin", "--board", "lantern-nrf51", "--out", "unit", "--format", format];
        quiet(desk.call(&words).exits(0), "autopsy", &needles);
        assert!(needles.found(&std::fs::read(desk.path("unit/state/flash.bin")).expect("it is kept")).is_some());
        quiet(&desk.call(&["run", "unit/as-found.yaml", "--report", "found", "--format", format]), "run", &needles);
        search(&desk, &needles);
        std::fs::remove_dir_all(desk.path("unit")).expect("it is ours");
    }
    assert!(image < SLOT, "the image ends before the keys");
}

#[test]
fn keys_on_a_real_station_stay_in_the_file_that_was_asked_for() {
    let secrets = private_keys();
    let needles = Needles::of(&secrets.each_ref().map(|key| &key.expose_used()[SCALAR]));
    let station = Station::with("lantern-nrf51", "lantern-heal-full", 31);
    let desk = bench_of(&[("one", &station)], Fed::ByTheStation);
    for words in [
        &["keys", "show"][..],
        &["keys", "save", "saved.json"],
        &["keys", "verify", "saved.json"],
        &["keys", "load", "saved.json"],
        &["run", "wrong.yaml", "--report", "wrong"],
        &["autopsy", "--out", "unit"],
        &["diagnose", "--for", "2s"],
    ] {
        let called = call(&desk, words);
        assert!(matches!(called.exit, Some(0 | 1)), "{words:?}: {}\n{}", called.out, called.err);
        quiet(&called, &words.join(" "), &needles);
    }
    assert!(needles.found(desk.read("saved.json").as_bytes()).is_some(), "the file of `save` has the keys");
    search(&desk, &needles);
}

#[test]
fn a_key_in_a_ring_of_rtt_is_masked_like_one_on_a_line() {
    let key = device_key_from_seed(11);
    let key = key.expose_used();
    let needles = Needles::of(&[&key[SCALAR]]);
    let said: Vec<u8> =
        ways(key).into_iter().flat_map(|(name, text)| [name.as_bytes(), b": ", &text, b"\n"].concat()).collect();
    let image = mouthpiece::has_in_its_ring(&[&said[..], b"it ends\n"].concat());
    let firmware = Firmware::from_file("ring.bin", &image).expect("it is an image");
    let station = Station::of("lantern-nrf51", &firmware, 32);
    let desk = bench_of(&[("one", &station)], Fed::ByTheStation);
    let console = format!("console: {{ driver: rtt, address: {:#x} }}", mouthpiece::BLOCK);
    let bench: Vec<String> = desk
        .read("bench.yaml")
        .lines()
        .filter(|line| !line.contains("cloud:"))
        .map(|line| if line.contains("console:") { format!("    {console}") } else { line.to_owned() })
        // The probe keeps the board busy, and this computer.
        .map(|line| line.replace("measures: [voltage]", "measures: [voltage], latency: 5s"))
        .collect();
    desk.put("bench.yaml", bench.join("\n").as_bytes());
    let scenario = "scenario: A ring is heard\nboard: lantern-nrf51\nfirmware: as_found\nsteps:\n  - supply: { usb: 5V }\n  \
        - expect: { console: it ends, within: 10s }\n  - expect: { console: never said by anybody, within: 200ms }\n";
    desk.put("heard.yaml", scenario.as_bytes());
    let ran = call(&desk, &["run", "heard.yaml", "--report", "heard"]);
    quiet(ran.exits(1), "run", &needles);
    let console = ["console", "--power", "--for", "2s", "--log", "heard.log"];
    quiet(call(&desk, &console).exits(0), "console", &needles);
    let log = std::fs::read(desk.path("heard.log")).expect("it is kept");
    assert!(log.windows(7).any(|part| part == b"it ends"), "it is heard");
    search(&desk, &needles);
}
