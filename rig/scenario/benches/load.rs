//! How long it takes to read every scenario that ships: all of it happens before the first step of the first trial.

use std::path::Path;
use std::time::Duration;

use brickproof_scenario::{Library, load};
use criterion::{Criterion, criterion_group, criterion_main};

fn shipped() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "yaml") {
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                // A campaign is read by another crate.
                if !text.lines().any(|line| line.starts_with("campaign:")) {
                    found.push((path.display().to_string(), text));
                }
            }
        }
    }
    found.sort();
    found
}

fn load_shipped(criterion: &mut Criterion) {
    criterion.bench_function("built-in library", |bencher| bencher.iter(Library::built_in));
    let (library, files) = (Library::built_in(), shipped());
    let cells =
        || files.iter().flat_map(|(path, text)| load(path, text, &library)).map(|it| it.cells.len()).sum::<usize>();
    let name = format!("{} files, {} cells", files.len(), cells());
    criterion.bench_function(&name, |bencher| bencher.iter(cells));
}

criterion_group! {
    name = benches;
    // All benches together take some four minutes.
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = load_shipped
}
criterion_main!(benches);
