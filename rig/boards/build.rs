//! Lists the profiles that come with the rig, so that adding one takes no Rust.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

const FOLDERS: [&str; 2] = ["hardware/families", "hardware/boards"];

fn main() {
    // Asked when it runs: a checkout that was moved, or whose build folder is shared, has another.
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../..");
    let mut list = String::from("[\n");
    for folder in FOLDERS {
        println!("cargo::rerun-if-changed={}", root.join(folder).display());
        let entries = fs::read_dir(root.join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
        let names = entries.map(|entry| entry.expect("the folder can be read").file_name());
        let mut names: Vec<String> = names.filter_map(|name| name.into_string().ok()).collect();
        names.retain(|name| name.ends_with(".yaml"));
        names.sort();
        for name in names {
            let path = root.join(folder).join(&name).canonicalize().expect("it was listed");
            writeln!(list, "    ({:?}, include_str!({path:?})),", format!("{folder}/{name}"))
                .expect("a string takes it");
        }
    }
    list.push(']');
    let out = env::var("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&out).join("shipped.rs"), list).expect("cargo's folder can be written to");
}
