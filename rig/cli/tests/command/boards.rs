//! Boards of one's own: known by `--profiles`, judged by `board lint`, and never run as another's.

use crate::desk::Desk;

/// The theme of a Photon whose owner had it breathe red once it is connected.
#[test]
fn a_theme_becomes_a_profile() {
    let mut dct = vec![0xFF; 3759];
    dct.push(1);
    let factory: [u8; 39] = [
        0xFF, 0xF3, 80, 0x00, 0xF3, 80, 0x0F, 0x02, 4, 0x0F, 0x02, 2, 0x0F, 0x03, 80, 0x0F, 0xF2, 4, 0x0F, 0xF2, 2,
        0xF0, 0x03, 20, 0xF0, 0xF3, 80, 0x00, 0xF2, 10, 0xFF, 0x02, 4, 0xF0, 0xF2, 2, 0x11, 0x11, 0,
    ];
    dct.extend(factory);
    dct.resize(8391, 0xFF);
    let desk = Desk::with(&[]);
    std::fs::write(desk.path("dct.bin"), &dct).expect("there is room");
    std::fs::write(desk.path("short.bin"), &dct[..100]).expect("there is room");
    let made = desk.call(&["board", "theme", "dct.bin", "--board", "photon"]);
    assert!(made.exits(0).out.contains("cloud_connected: { colour: red, breathe: 1s }"), "{}", made.out);
    std::fs::write(desk.path("themed.yaml"), &made.out).expect("there is room");
    desk.call(&["board", "lint", "themed.yaml"]).exits(0);
    let refused = desk.call(&["board", "theme", "short.bin", "--board", "photon"]);
    assert!(refused.exits(2).err.contains("100 bytes are neither"), "{}", refused.err);
}

const LAMP: &str =
    "board: lamp\nlike: argon\nabout: A lamp with an Argon in it\nlight:\n  burnt: { colour: amber, blink: 2Hz }\n";

const WATCH: &str = "\
scenario: The lamp says that it is burnt
board: lamp
firmware: lantern-heal-full
steps:
  - supply: { usb: 5V }
  - expect: { light: burnt, within: 30s }
";

#[test]
fn a_board_of_ones_own_is_known_where_it_is_named() {
    let desk = Desk::with(&[("boards/lamp.yaml", LAMP), ("watch.yaml", WATCH)]);
    let unknown = desk.call(&["lint", "watch.yaml"]);
    unknown.exits(2);
    assert!(unknown.err.contains("unknown board `lamp`"), "{}", unknown.err);
    desk.call(&["lint", "watch.yaml", "--profiles", "boards"]).exits(0);
    let listed = desk.call(&["board", "list", "--profiles", "boards/lamp.yaml"]);
    listed.exits(0);
    assert!(listed.out.contains("A lamp with an Argon in it"), "{}", listed.out);
    let shown = desk.call(&["--profiles", "boards", "board", "show", "lamp"]);
    shown.exits(0);
    assert!(shown.out.contains("amber, blinking every 500ms") && shown.out.contains("2b04:d00c"), "{}", shown.out);
}

#[test]
fn a_board_that_nobody_has_emulated_is_not_run_as_another() {
    let desk = Desk::with(&[("boards/lamp.yaml", LAMP), ("watch.yaml", WATCH)]);
    for command in [&["run", "watch.yaml"][..], &["soak", "watch.yaml", "--cycles", "2"]] {
        let refused = desk.call(&[command, &["--profiles", "boards"]].concat());
        refused.exits(2);
        assert!(refused.err.contains("there is no virtual lamp: nothing was executed"), "{}", refused.err);
        assert!(
            refused.err.contains("virtual boards: lantern-nrf51, lantern-nrf52840, lantern-stm32f205"),
            "{}",
            refused.err
        );
    }
    let served = desk.call(&["virtual", "serve", "--board", "argon"]);
    served.exits(2);
    assert!(served.err.contains("there is no virtual argon"), "{}", served.err);
}

#[test]
fn a_replay_line_knows_the_same_boards() {
    let lamp = LAMP.replace("like: argon", "like: lantern-nrf51\nvirtual_chip: nRF51822");
    let desk = Desk::with(&[("boards/lamp.yaml", &lamp), ("watch.yaml", WATCH)]);
    let ran = desk.call(&["run", "watch.yaml", "--profiles", "boards"]);
    ran.exits(1);
    let line = ran.out.lines().find_map(|line| line.trim().strip_prefix("replay: brickproof "));
    let words: Vec<&str> = line.expect("a failure says how it is made again").split(' ').collect();
    assert!(words.ends_with(&["--profiles", "boards"]), "{words:?}");
    desk.call(&words).exits(1);
}

#[test]
fn every_mistake_of_a_profile_is_told() {
    let broken = "board: lamp\nlike: argon\nabout: A lamp\nusb: { normal: \"2b04\", dfu: \"2b04:d006\" }\nlight: { burnt: { colour: mauve, blink: 2Hz } }\n";
    let desk = Desk::with(&[("lamp.yaml", broken)]);
    let told = desk.call(&["board", "lint", "lamp.yaml"]);
    told.exits(2);
    assert!(told.err.contains("2 mistakes in 1 file"), "{}", told.err);
    assert!(told.err.contains("lamp.yaml:4"), "{}", told.err);
}
