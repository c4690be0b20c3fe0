//! A folder of its own for every test, with copies of what ships, and the command called in it.
//!
//! Boundary: paths are relative to the folder, so that ids and reports are the same on every machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// A quick scenario whose every trial passes.
pub(crate) const BOOTS: &str = "\
scenario: A board boots and connects
board: lantern-nrf51
tags: [quick]
matrix:
  release: [no-heal, heal-full]
firmware: lantern-${release}
steps:
  - supply: { usb: 5V }
  - measure: { boot: { until: { console: Cloud connected }, within: 10s, at_most: 10s } }
  - expect: { identity: unchanged }
cleanup:
  - supply: off
";

/// A quick scenario that the firmware fails.
pub(crate) const FAILS: &str = "\
scenario: A board with somebody else's server key connects
board: lantern-nrf51
firmware: lantern-no-heal
steps:
  - corrupt: { slot: server_public, class: valid_but_wrong }
  - supply: { usb: 5V }
  - fault: { brown_out: { after: 2s, rail: 3V3, floor: 1.2V, fall: 50us/V, hold: 20ms } }
  - expect: { light: cloud_connected, within: 10s }
  - send: never sent
cleanup:
  - supply: off
";

/// A fault whose trigger does not fit the board.
pub(crate) const NO_TRIGGER: &str = "\
scenario: A trigger that this firmware never prints
board: lantern-nrf51
firmware: lantern-no-heal
steps:
  - supply: { usb: 5V }
  - on: { console: erasing everything, within: 2s }
    fault: { power_cut: { hold: 100ms } }
";

/// The folder, and what the command is called with in it.
pub(crate) struct Desk {
    folder: TempDir,
}

/// What came of a call.
pub(crate) struct Called {
    pub(crate) exit: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Called {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { exit: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

impl Called {
    /// Fails with everything that was printed.
    pub(crate) fn exits(&self, status: i32) -> &Self {
        assert_eq!(self.exit, Some(status), "{}\n{}", self.out, self.err);
        self
    }
}

impl Desk {
    /// With these scenarios, each a name and its text.
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let desk = Self { folder: TempDir::new().expect("there is room for a folder") };
        files.iter().for_each(|(name, text)| desk.put(name, text.as_bytes()));
        desk
    }

    /// With a copy of a folder of the repository, in the same place.
    pub(crate) fn with_shipped(folder: &str) -> Self {
        let desk = Self::with(&[]);
        for (name, bytes) in files_below(&repository().join(folder)) {
            desk.put(&format!("{folder}/{name}"), &bytes);
        }
        desk
    }

    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("it lies in the folder")).expect("the folder is ours");
        fs::write(path, bytes).expect("the folder is ours");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The command, ready to be called with these arguments.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_brickproof"));
        command.args(arguments).current_dir(self.folder.path()).env("NO_COLOR", "1").env_remove("GITHUB_ACTIONS");
        command
    }

    pub(crate) fn call(&self, arguments: &[&str]) -> Called {
        self.command(arguments).output().expect("the command was built").into()
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Every file below, with its path from there, in the order of their names.
    pub(crate) fn files(&self, name: &str) -> Vec<(String, Vec<u8>)> {
        files_below(&self.path(name))
    }
}

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn files_below(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let (mut files, mut open) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).expect("it is a folder").map(|entry| entry.expect("it is there").path()));
        } else {
            let name = path.strip_prefix(folder).expect("it was found there").to_string_lossy().replace('\\', "/");
            files.push((name, fs::read(&path).expect("it is a file")));
        }
    }
    files.sort();
    files
}

/// The ids of the trials in a results file.
pub(crate) fn ids(results: &Value) -> Vec<String> {
    let trials = results["trials"].as_array().expect("there are trials");
    trials.iter().map(|trial| trial["id"].as_str().expect("every trial has an id").to_owned()).collect()
}
