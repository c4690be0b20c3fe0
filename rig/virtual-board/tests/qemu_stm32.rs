//! lantern for the STM32F205 in QEMU's `netduino2`, which is one that we did not write: its boot says the same there as on the virtual board.
//!
//! Boundary: as far as that machine goes. It has USART1, timers that overflow (and do not compare) and flash that only reads; no RCC, no GPIO,
//! no flash controller, no watchdog and no random numbers, for which the firmware waits in the end. So what is compared is the boot with blank
//! keys up to there: vectors, start-up code, ticks, console, the reading of both key sectors and what each release makes of them. Not compared:
//! time, and why the chip was reset.
//!
//! Without `qemu-system-arm` nothing is checked, loudly; with BRICKPROOF_REQUIRE_ORACLES=1 that fails.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use brickproof_oracle::qemu;
use brickproof_units::{Instant, Span};
use brickproof_virtual_board::board::{Board, BoardConfig};
use brickproof_virtual_board::chip::Chip;

/// A release and its image.
macro_rules! release {
    ($name:literal) => {
        ($name, include_bytes!(concat!("../../../fixtures/firmware/images/lantern-", $name, "-stm32f205.bin")))
    };
}

const RELEASES: [(&str, &[u8]); 4] =
    [release!("no-heal"), release!("heal-blank"), release!("heal-parse"), release!("heal-full")];
/// What every release says of a device key that is blank before it asks for random numbers.
const LAST: &str = "generating.";

/// A line without its time and the cause of the reset.
fn told(line: &str) -> String {
    let text = line.trim_end().split_once(' ').map_or("", |(_, text)| text);
    text.split(", reset 0x").next().unwrap_or_default().to_owned()
}

fn up_to_last(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = Vec::new();
    for line in lines {
        seen.push(told(&line));
        if line.contains(LAST) {
            return seen;
        }
    }
    panic!("no line with `{LAST}` among {seen:#?}")
}

fn on_the_board(image: &[u8]) -> Vec<String> {
    let mut board = Board::new(BoardConfig::new(Chip::Stm32f205), image).expect("it fits");
    board.run_until(Instant::START + Span::millis(500));
    let bytes: Vec<u8> = board.take_console().iter().map(|byte| byte.value).collect();
    up_to_last(String::from_utf8_lossy(&bytes).lines().map(str::to_owned))
}

fn in_qemu(name: &str, image: &[u8]) -> Vec<String> {
    // Erased flash is ff, also where the image ends.
    let mut flash = image.to_vec();
    flash.resize(1 << 20, 0xFF);
    let path = std::env::temp_dir().join(format!("brickproof-{}-{name}-stm32f205.bin", std::process::id()));
    std::fs::write(&path, flash).expect("there is room for an image");
    let mut child = Command::new("qemu-system-arm")
        .args(["-M", "netduino2", "-display", "none", "-nodefaults", "-monitor", "none", "-serial", "stdio", "-kernel"])
        .arg(&path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("qemu-system-arm starts");
    let output = BufReader::new(child.stdout.take().expect("it is piped"));
    let lines = up_to_last(output.lines().map(|line| line.expect("a line of text")));
    child.kill().expect("it is still waiting for random numbers");
    child.wait().expect("it ends");
    std::fs::remove_file(path).expect("it was written");
    lines
}

#[test]
fn the_boot_of_every_release_says_the_same_in_qemu() {
    if qemu::version().is_none() {
        let required = std::env::var("BRICKPROOF_REQUIRE_ORACLES").is_ok_and(|value| value == "1");
        assert!(!required, "qemu-system-arm is missing and BRICKPROOF_REQUIRE_ORACLES is 1");
        eprintln!("NOT CHECKED: qemu-system-arm is missing; lantern for the STM32F205 was not compared with it");
        return;
    }
    for (name, image) in RELEASES {
        let (ours, theirs) = (on_the_board(image), in_qemu(name, image));
        assert!(ours.len() >= 3 && ours[0].contains(name), "{ours:#?}");
        assert_eq!(ours, theirs, "{name}");
    }
}
