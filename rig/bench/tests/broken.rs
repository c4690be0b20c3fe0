//! Bench files with planted mistakes: each is found, in one run, where it stands.
//!
//! The snapshots are what a person sees. Every file says in its first line how many mistakes were planted.

#![expect(clippy::unwrap_used, reason = "the files are fixtures: a missing one has to stop the test")]

use std::path::{Path, PathBuf};

use brickproof_bench::file::load;
use brickproof_scenario::{Diagnostics, Library};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/broken-benches")
}

fn broken(name: &str) -> (usize, Diagnostics) {
    let text = std::fs::read_to_string(folder().join(name)).unwrap();
    let planted = text.lines().next().and_then(|line| line.strip_prefix("# mistakes: ")).unwrap().parse().unwrap();
    let path = format!("fixtures/broken-benches/{name}");
    (planted, load(&path, text, &Library::built_in()).expect_err("the file is broken"))
}

macro_rules! broken_files {
    ($($test:ident => $file:literal),+ $(,)?) => {
        const FILES: &[&str] = &[$($file),+];
        $(
            #[test]
            fn $test() {
                let (planted, mistakes) = broken($file);
                let report = mistakes.render(110);
                insta::assert_snapshot!(stringify!($test), report);
                assert_eq!(mistakes.mistakes().len(), planted, "mistakes found and planted\n{report}");
            }
        )+
    };
}

broken_files! {
    keys => "01-keys.yaml",
    values => "02-values.yaml",
    names => "03-names.yaml",
    pins => "04-pins.yaml",
    places => "05-places.yaml",
    limits => "06-limits.yaml",
    together => "07-together.yaml",
    syntax => "08-syntax.yaml",
    switches => "09-switches.yaml",
    rtt => "10-rtt.yaml",
}

#[test]
fn every_broken_file_is_looked_at() {
    let mut found: Vec<String> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    found.sort();
    assert_eq!(found, FILES);
}
