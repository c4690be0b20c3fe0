//! The committed images are what the committed sources make: rebuilt and compared, byte for byte.
//!
//! Boundary: needs the compilers that made them (`images/toolchain.txt`), the target thumbv6m-none-eabi and Python. Where one is missing
//! the test says so loudly and checks nothing; with `BRICKPROOF_REQUIRE_ORACLES=1`, as in the gate, that is a failure.

use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

const TARGET: &str = "thumbv6m-none-eabi";

/// Folders with a `build.sh` and `images`, below `fixtures/firmware`.
#[derive(Clone, Copy, Debug)]
enum Package {
    Lantern,
    Stores,
}

impl Package {
    fn folder(self) -> PathBuf {
        let firmware = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/firmware");
        match self {
            Self::Lantern => firmware,
            Self::Stores => firmware.join("stores"),
        }
    }

    /// What is missing to compile the C in it.
    fn c_compiler(self, recorded: Option<&str>) -> Result<(), String> {
        let Self::Stores = self else { return Ok(()) };
        let recorded = recorded.ok_or("the images do not say which C compiler made them")?;
        let zig = std::env::var("ZIG").map_err(|_| format!("ZIG names no program, and {recorded} made the images"))?;
        std::env::var("LIBCLANG_PATH").map_err(|_| "LIBCLANG_PATH names no folder".to_owned())?;
        let version = output(&zig, &["version"]).ok_or(format!("`{zig} version` fails"))?;
        if recorded == format!("zig {version}") {
            Ok(())
        } else {
            Err(format!("zig is {version}, and {recorded} made the images"))
        }
    }
}

/// What a command prints, if it is there and succeeds.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Arguments of `rustup run` before which a command uses a toolchain.
fn with_toolchain<'a>(name: &'a str, command: &[&'a str]) -> Option<String> {
    match name {
        "" => output(command[0], &command[1..]),
        name => output("rustup", &[&["run", name], command].concat()),
    }
}

/// The rustup name of an installed toolchain that reports `version`; empty for the one that is active.
fn toolchain(version: &str) -> Option<String> {
    let number = version.split(' ').nth(1).unwrap_or_default();
    let candidates = ["", number].into_iter();
    let mut fitting =
        candidates.filter(|name| with_toolchain(name, &["rustc", "--version"]).as_deref() == Some(version));
    fitting.next().map(str::to_owned)
}

/// Builds the images into a folder; says what is missing if that cannot be tried.
fn rebuild(package: Package, into: &Path) -> Result<(), String> {
    let recorded = std::fs::read_to_string(package.folder().join("images/toolchain.txt")).expect("it is committed");
    let mut compilers = recorded.lines();
    let rustc = compilers.next().unwrap_or_default();
    let toolchain = toolchain(rustc).ok_or(format!("{rustc} is not installed"))?;
    package.c_compiler(compilers.next())?;
    let sysroot = with_toolchain(&toolchain, &["rustc", "--print", "sysroot"]).ok_or("the compiler has no home")?;
    if !Path::new(&sysroot).join("lib/rustlib").join(TARGET).is_dir() {
        return Err(format!("the target {TARGET} is not installed"));
    }
    output("python3", &["--version"]).ok_or("python3 is not installed")?;
    let mut build = Command::new("sh");
    build.arg(package.folder().join("build.sh")).arg(into);
    // What cargo sets for this test would reach the build and change it.
    let is_cargos = |name: &String| name.starts_with("CARGO") || name.starts_with("RUST");
    let kept = ["CARGO_HOME", "RUSTUP_HOME"];
    for (name, _) in std::env::vars().filter(|(name, _)| is_cargos(name) && !kept.contains(&name.as_str())) {
        build.env_remove(name);
    }
    build.env("CARGO_TARGET_DIR", into.join("target"));
    if !toolchain.is_empty() {
        build.env("RUSTUP_TOOLCHAIN", toolchain);
    }
    let built = build.output().expect("a shell runs");
    assert!(built.status.success(), "the firmware does not build:\n{}", String::from_utf8_lossy(&built.stderr));
    Ok(())
}

fn sums(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("SHA256SUMS")).expect("there are sums")
}

/// The sums of the images made anew; says what is missing if that cannot be tried.
fn sums_of_rebuilt(package: Package) -> Result<String, String> {
    let into = std::env::temp_dir().join(format!("brickproof-images-{package:?}-{}", std::process::id()));
    rebuild(package, &into)?;
    let rebuilt = sums(&into);
    std::fs::remove_dir_all(&into).expect("it was made by this test");
    Ok(rebuilt)
}

#[test]
fn images_are_what_the_sources_make() {
    for package in [Package::Lantern, Package::Stores] {
        let folder = package.folder();
        match sums_of_rebuilt(package) {
            Ok(rebuilt) => {
                assert_eq!(
                    rebuilt,
                    sums(&folder.join("images")),
                    "run {}/build.sh and commit the images",
                    folder.display()
                );
            }
            Err(missing) => {
                println!("\nNOT CHECKED: whether the images of {package:?} are what their sources make: {missing}\n");
                assert!(std::env::var_os("BRICKPROOF_REQUIRE_ORACLES").is_none(), "{missing}");
            }
        }
    }
}

#[test]
fn images_are_what_their_sums_say() {
    for package in [Package::Lantern, Package::Stores] {
        let folder = package.folder().join("images");
        let sums = sums(&folder);
        let is_image = |entry: &std::fs::DirEntry| {
            Path::new(&entry.file_name()).extension().is_some_and(|ending| ending == "bin" || ending == "elf")
        };
        let images = std::fs::read_dir(&folder).expect("it is there").flatten().filter(is_image).count();
        assert!(images > 0);
        assert_eq!(sums.lines().count(), images, "every image has its sum: {}", folder.display());
        for line in sums.lines() {
            let (sum, name) = line.split_once("  ").expect("the format of sha256sum");
            let bytes = std::fs::read(folder.join(name)).expect("every summed image is there");
            let actual: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(actual, sum, "{name}");
        }
    }
}
