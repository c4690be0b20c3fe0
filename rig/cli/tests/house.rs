//! Holds the arrows of the house: which crate may know which, and which crates never reach the operating system.
//!
//! Boundary: it reads `cargo metadata`; it does not read code.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Each crate and those it may depend on, upper floors first. A crate that is not here fails the test: decide where it belongs.
const HOUSE: &[(&str, &[&str])] = &[
    (
        "brickproof",
        &[
            "serve",
            "history",
            "report",
            "explore",
            "bench",
            "paced",
            "autopsy",
            "sim",
            "trial",
            "virtual-board",
            "firmware",
            "scenario",
            "boards",
            "diagnose",
            "statistics",
            "console",
            "light",
            "keys",
            "cloud",
            "units",
        ],
    ),
    ("brickproof-autopsy", &["sim", "trial", "firmware", "scenario", "boards", "keys"]),
    ("brickproof-explore", &["sim", "trial", "virtual-board", "firmware", "scenario", "statistics", "yaml", "units"]),
    ("brickproof-serve", &["history", "report", "statistics", "units"]),
    ("brickproof-history", &["report", "statistics", "yaml", "units"]),
    ("brickproof-report", &["trial", "scenario", "boards", "console", "light", "keys", "cloud", "units"]),
    (
        "brickproof-sim",
        &["trial", "virtual-board", "firmware", "scenario", "boards", "console", "light", "keys", "cloud", "units"],
    ),
    ("brickproof-lane", &["ends", "instruments", "paced", "virtual-board", "units"]),
    ("brickproof-paced", &["virtual-board", "units"]),
    (
        "brickproof-bench",
        &[
            "trial",
            "instruments",
            "firmware",
            "scenario",
            "boards",
            "yaml",
            "console",
            "light",
            "keys",
            "cloud",
            "units",
        ],
    ),
    ("brickproof-instruments", &["units"]),
    ("brickproof-trial", &["scenario", "boards", "console", "light", "keys", "cloud", "units"]),
    ("brickproof-virtual-board", &["units"]),
    ("brickproof-firmware", &["scenario", "boards", "keys"]),
    ("brickproof-scenario", &["boards", "yaml", "console", "light", "keys", "units"]),
    ("brickproof-diagnose", &["boards", "console", "light", "units"]),
    ("brickproof-boards", &["yaml", "light", "keys", "units"]),
    ("brickproof-yaml", &["units"]),
    ("brickproof-cloud", &["keys", "units"]),
    ("brickproof-console", &["units"]),
    ("brickproof-light", &["units"]),
    ("brickproof-keys", &["units"]),
    ("brickproof-statistics", &["units"]),
    ("brickproof-units", &[]),
    // What tests are held against; it stands beside the house, in `fixtures/`.
    ("brickproof-browser", &[]),
    ("brickproof-ends", &[]),
    ("brickproof-oracle", &[]),
];

/// Crates whose state is plain data and whose time is an argument.
const PURE: &[&str] = &[
    "autopsy",
    "explore",
    "sim",
    "trial",
    "virtual-board",
    "firmware",
    "scenario",
    "diagnose",
    "boards",
    "yaml",
    "cloud",
    "console",
    "light",
    "keys",
    "statistics",
    "units",
];

/// What reaches devices, tasks or wall clocks.
const IMPURE_PACKAGES: &[&str] = &[
    "tokio",
    "async-std",
    "smol",
    "mio",
    "probe-rs",
    "serialport",
    "rusb",
    "nusb",
    "rppal",
    "gpiocdev",
    "socket2",
    "chrono",
    "jiff",
    "rand",
];

/// What a pure crate's source must not name. Scoped threads are none of it: work that is only shared out comes back before the call ends.
const IMPURE_WORDS: &[&str] = &[
    "std::fs",
    "std::net",
    "std::process",
    "thread::spawn",
    "thread::sleep",
    "available_parallelism",
    "std::env::",
    "SystemTime",
    "std::time::Instant",
];

fn metadata() -> Value {
    // For this computer's platform only: the build has brought just those packages here, and the test needs no network.
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", &host()])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .output()
        .expect("cargo runs, it built this test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
}

fn host() -> String {
    let output = Command::new(env!("CARGO")).arg("-vV").output().expect("cargo runs, it built this test");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.lines().find_map(|line| line.strip_prefix("host: ")).expect("cargo says what it runs on").to_owned()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn members(metadata: &Value) -> BTreeMap<String, Value> {
    let ids: BTreeSet<&str> =
        metadata["workspace_members"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    let packages = metadata["packages"].as_array().expect("a list").iter();
    packages.filter(|it| ids.contains(text(it, "id"))).map(|it| (text(it, "name").to_owned(), it.clone())).collect()
}

#[test]
fn arrows_run_downwards_only() {
    let members = members(&metadata());
    let rooms: BTreeSet<&str> = HOUSE.iter().map(|(name, _)| *name).collect();
    let present: BTreeSet<&str> = members.keys().map(String::as_str).collect();
    assert_eq!(present, rooms, "the crates of the workspace and the rooms of the house differ");
    for (name, below) in HOUSE {
        let allowed: BTreeSet<String> = below.iter().map(|it| format!("brickproof-{it}")).collect();
        let dependencies = members[*name]["dependencies"].as_array().unwrap().iter();
        let normal = dependencies.filter(|it| it["kind"].as_str() != Some("dev"));
        for dependency in normal.map(|it| text(it, "name")).filter(|it| it.starts_with("brickproof")) {
            assert!(allowed.contains(dependency), "{name} must not know {dependency}");
        }
    }
}

#[test]
fn pure_crates_never_reach_the_operating_system() {
    let metadata = metadata();
    let names: BTreeMap<&str, &str> =
        metadata["packages"].as_array().unwrap().iter().map(|it| (text(it, "id"), text(it, "name"))).collect();
    let edges: BTreeMap<&str, Vec<&str>> = metadata["resolve"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| {
            let normal = |dep: &&Value| dep["dep_kinds"].as_array().unwrap().iter().any(|kind| kind["kind"].is_null());
            let deps = node["deps"].as_array().unwrap().iter().filter(normal).map(|dep| text(dep, "pkg"));
            (text(node, "id"), deps.collect())
        })
        .collect();
    for room in PURE {
        let name = format!("brickproof-{room}");
        let start = names.iter().find(|(_, it)| **it == name).map(|(id, _)| *id).expect("a member");
        let (mut reached, mut open) = (BTreeSet::new(), vec![start]);
        while let Some(id) = open.pop() {
            if reached.insert(id) {
                open.extend(&edges[id]);
            }
        }
        for id in reached {
            assert!(!IMPURE_PACKAGES.contains(&names[id]), "{name} reaches {}", names[id]);
        }
    }
}

#[test]
fn pure_crates_do_not_name_the_operating_system() {
    for room in PURE {
        let folder = format!("{}/../{room}/src", env!("CARGO_MANIFEST_DIR"));
        let mut open = vec![std::path::PathBuf::from(folder)];
        while let Some(path) = open.pop() {
            if path.is_dir() {
                open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap();
            for word in IMPURE_WORDS {
                assert!(!source.contains(word), "{} names {word}", path.display());
            }
        }
    }
}

#[test]
fn every_crate_says_its_promise_and_its_boundary_at_the_door() {
    let members = members(&metadata());
    for (name, _) in HOUSE {
        let door = if *name == "brickproof" { "main.rs" } else { "lib.rs" };
        let room = std::path::Path::new(text(&members[*name], "manifest_path")).with_file_name("src");
        let source = std::fs::read_to_string(room.join(door)).unwrap();
        let head: String = source.lines().take_while(|line| line.starts_with("//!")).collect::<Vec<_>>().join("\n");
        assert!(head.contains("Boundary:"), "{name} does not say its boundary at the door");
    }
}
