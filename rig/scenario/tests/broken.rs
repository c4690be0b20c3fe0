//! Files with planted mistakes: each is found, in one run, where it stands.
//!
//! The snapshots are what a person sees. Every file says in its first line how many mistakes were planted.

#![expect(clippy::unwrap_used, reason = "the files are fixtures: a missing one has to stop the test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use brickproof_scenario::{Diagnostics, Library, MistakeKind, load};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/broken-scenarios")
}

fn broken(name: &str) -> (usize, Diagnostics) {
    let text = std::fs::read_to_string(folder().join(name)).unwrap();
    let planted = text.lines().next().and_then(|line| line.strip_prefix("# mistakes: ")).unwrap().parse().unwrap();
    let path = format!("fixtures/broken-scenarios/{name}");
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
    names => "01-names.yaml",
    units => "02-units.yaml",
    keys => "03-keys.yaml",
    types => "04-types.yaml",
    matrix => "05-matrix.yaml",
    outcome => "06-outcome.yaml",
    limits => "07-limits.yaml",
    timing => "08-timing.yaml",
    patterns => "09-patterns.yaml",
    syntax => "10-syntax.yaml",
    key_work => "11-key-work.yaml",
}

#[test]
fn every_broken_file_is_looked_at() {
    let mut found: Vec<String> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    found.sort();
    assert_eq!(found, FILES);
}

#[test]
fn together_they_make_every_kind_of_mistake() {
    let made: BTreeSet<MistakeKind> = FILES
        .iter()
        .flat_map(|file| broken(file).1.mistakes().iter().map(|it| it.kind()).collect::<Vec<_>>())
        .collect();
    // These cannot be planted in a file that people read: it would be no text, or too long, or need another file.
    let elsewhere =
        BTreeSet::from([MistakeKind::Encoding, MistakeKind::TooLarge, MistakeKind::BadFirmware, MistakeKind::BadState]);
    let missing: Vec<_> =
        MistakeKind::ALL.iter().filter(|kind| !made.contains(kind) && !elsewhere.contains(kind)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
