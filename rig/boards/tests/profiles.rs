//! What the shipped profiles say, what a product may say over one, and what is told of a broken one.

#![expect(clippy::unwrap_used, reason = "the files are fixtures: a missing one has to stop the test")]

use std::path::Path;
use std::sync::LazyLock;

use brickproof_boards::{
    Address, BoardProfile, Bytes, Held, IdentityPlace, LedIndex, Shelf, Target, VirtualChip, describe,
};
use brickproof_keys::Slot;
use brickproof_units::Span;

fn text_of(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).unwrap()
}

fn board(name: &str) -> BoardProfile {
    BoardProfile::clone(Shelf::shipped().board(name).unwrap())
}

/// What a product that is written over the shipped boards is, or every mistake of its file.
fn product(text: &str) -> Result<BoardProfile, String> {
    static SHIPPED: LazyLock<Shelf> = LazyLock::new(Shelf::shipped);
    let mut shelf = SHIPPED.clone();
    shelf.add("lamp.yaml", text).map_err(|mistakes| {
        mistakes.mistakes().iter().map(|it| format!("{}: {it}\n", it.kind().code())).collect::<String>()
    })?;
    shelf.board("lamp").map(|board| BoardProfile::clone(board)).ok_or_else(|| "no lamp\n".to_owned())
}

#[test]
fn the_shipped_profiles_say_what_the_protocol_says() {
    let profile = board("lantern-nrf51");
    assert_eq!((profile.mcu.as_str(), profile.virtual_chip), ("nRF51822", Some(VirtualChip::Nrf51822)));
    assert_eq!(profile.identity, IdentityPlace { address: Address(0x1000_0060), length: Bytes(8) });
    assert_eq!(profile.keys.as_ref().unwrap().areas, [Address(0x3e000), Address(0x3f000)]);
    assert_eq!(profile.light.len(), 20);
    assert_eq!(profile.fastest_phase(LedIndex::FIRST), Some(Span::millis(50)));
    // The crate that reads and damages slots has the same table, and so have the boards that lantern stands in for.
    for slot in Slot::ALL {
        for name in ["lantern-nrf51", "lantern-nrf52840", "electron", "argon", "boron", "xenon"] {
            let board = board(name);
            let known = board.key_slot(slot).unwrap();
            let place = (known.offset.0, known.length.0 as usize);
            assert_eq!(place, (slot.dct_offset(), slot.size()), "{name} {}", slot.name());
        }
    }
}

#[test]
fn every_shipped_profile_is_read_and_only_lantern_is_virtual() {
    let shelf = Shelf::shipped();
    let told: String = shelf
        .boards()
        .map(|it| format!("{}: {}, {} statuses, {} parts\n", it.name, it.mcu, it.light.len(), it.parts.len()))
        .collect();
    insta::assert_snapshot!(told);
    let is_virtual = |it: &&std::sync::Arc<BoardProfile>| it.virtual_chip.is_some();
    assert!(shelf.boards().filter(is_virtual).all(|it| it.name.starts_with("lantern-")));
}

#[test]
fn boards_are_told_in_plain_words() {
    insta::assert_snapshot!(["photon", "lantern-nrf51"].map(|name| describe(&board(name))).join("\n---\n\n"));
}

#[test]
fn a_product_says_only_what_differs() {
    let lamp = product(
        "board: lamp
like: photon
about: A lamp with a Photon in it
usb: { normal: \"2b04:c106\", dfu: \"2b04:d106\" }
parts: { user: { at: 0x080a0000, length: 64KiB }, ota: absent }
light:
  cloud_connected: { colour: green, breathe: 2s }
  cloud_handshake: absent
  lamp_burnt: { colour: amber, blink: 2Hz }
",
    )
    .unwrap();
    let photon = board("photon");
    assert_eq!(
        (&lamp.mcu, &lamp.flash, &lamp.keys, &lamp.modes),
        (&photon.mcu, &photon.flash, &photon.keys, &photon.modes)
    );
    assert_eq!(lamp.usb.unwrap().dfu.to_string(), "2b04:d106");
    let names = |board: &BoardProfile| board.parts.iter().map(|part| part.name.clone()).collect::<Vec<_>>();
    let without_ota: Vec<_> = names(&photon).into_iter().filter(|name| name != "ota").collect();
    assert_eq!(names(&lamp), without_ota);
    let look = |name: &str| lamp.status(name).map(|status| status.look.to_string());
    assert_eq!(look("cloud_connected").as_deref(), Some("green, breathing every 2s"));
    assert_eq!(look("lamp_burnt").as_deref(), Some("amber, blinking every 500ms"));
    assert_eq!(look("cloud_handshake"), None);
    assert_eq!(lamp.light.len(), photon.light.len());
    // What another board is emulated by emulates that one.
    assert_eq!(product("board: lamp\nlike: lantern-nrf51\nabout: A lantern in a lamp\n").unwrap().virtual_chip, None);
}

#[test]
fn a_light_besides_the_first_has_statuses_of_its_own() {
    let text = "board: lamp
like: photon
about: A lamp with a Photon and a second light in it
leds: { filament: { amber: { pin: PB5, active: high } } }
light:
  lamp_burnt: { led: filament, amber, blink: 2Hz }
  lamp_on: { led: filament, amber }
";
    let lamp = product(text).unwrap();
    let filament = lamp.led_named("filament").unwrap();
    assert_eq!((lamp.led(filament).unwrap().name.as_str(), filament), ("filament", LedIndex(1)));
    let of = |name: &str| lamp.status(name).map(|status| (lamp.led_of(status), status.look.to_string()));
    assert_eq!(of("lamp_burnt"), Some((filament, "amber, blinking every 500ms".to_owned())));
    assert_eq!(of("lamp_on"), Some((filament, "amber, solid".to_owned())));
    assert_eq!(of("dfu_mode").unwrap().0, LedIndex::FIRST);
    // A sensor above the second light need not be as fast as one above the first.
    let phases = [LedIndex::FIRST, filament].map(|led| lamp.fastest_phase(led));
    assert_eq!(phases, [Some(Span::millis(50)), Some(Span::millis(250))]);
    let told = describe(&lamp);
    assert!(told.contains("lamp_burnt           amber, blinking every 500ms, on `filament`"), "{told}");
    // Neither a light that is not there nor a colour that it cannot make.
    assert_eq!(
        product(&text.replace("led: filament, amber }", "led: filamnet, amber }")).unwrap_err(),
        "unknown-name: unknown light `filamnet` in `light`\n"
    );
    let cyan = product(&text.replace("led: filament, amber }", "led: filament, cyan }")).unwrap_err();
    assert_eq!(cyan, "beyond-limits: the light `filament` cannot show `lamp_on`: it makes no cyan\n");
}

#[test]
fn a_lamp_that_is_only_red_and_green_has_no_status_in_blue() {
    let leds = "leds: { status: { red: { pin: PA1, active: low }, green: { pin: PA2, active: low } } }\n";
    let text = format!("board: lamp\nlike: photon\nabout: A lamp\n{leds}");
    let lamp = product(&text).unwrap();
    let named: Vec<_> = lamp.light.iter().map(|status| status.name.as_str()).collect();
    insta::assert_snapshot!(
        named.join(" "),
        @"network_connecting network_dhcp network_connected dfu_mode handshake_error decryption_error no_internet cloud_unreachable sos"
    );
    // A mode is not confirmed by a light that is never seen.
    let confirmed = |target| lamp.modes.as_ref().and_then(|modes| modes.mode(target)?.light.clone());
    assert_eq!((confirmed(Target::Dfu).as_deref(), confirmed(Target::Listening)), (Some("dfu_mode"), None));
    insta::assert_snapshot!(product(&format!("{text}light: {{ ready: {{ solid: cyan }} }}\n")).unwrap_err(), @"beyond-limits: the light `status` cannot show `ready`: it makes no cyan");
}

#[test]
fn nothing_is_like_what_nobody_knows() {
    insta::assert_snapshot!(product("board: lamp\nlike: foton\nabout: A lamp\n").unwrap_err(), @"unknown-name: unknown board or family `foton`");
    insta::assert_snapshot!(product("board: lamp\nlike: photon\nabout: A lamp\nrails: { 5V: absent }\n").unwrap_err(), @"unknown-name: there is no `5V` to be absent");
    // Each waits for the other.
    let (one, other) = ("board: one\nlike: other\nabout: x\n", "board: other\nlike: one\nabout: x\n");
    let mistakes = Shelf::shipped().add_all([("one", one.as_bytes()), ("other", other.as_bytes())]);
    assert_eq!(mistakes.len(), 2);
}

#[test]
fn files_may_come_before_those_that_they_are_like() {
    let files = [
        ("a", "board: a\nlike: b\nabout: x\n"),
        ("b", "family: b\nlike: c\n"),
        ("c", "board: c\nlike: photon\nabout: y\n"),
    ];
    let mut shelf = Shelf::shipped();
    let mistakes = shelf.add_all(files.map(|(path, text)| (path, text.as_bytes())));
    assert!(mistakes.is_empty(), "{mistakes:?}");
    assert_eq!(shelf.board("a").unwrap().flash, shelf.board("photon").unwrap().flash);
    assert!(shelf.board("b").is_none(), "a family is no board");
}

/// Which one a scenario means is not left to the order of the files.
#[test]
fn two_files_of_a_batch_are_not_about_one_board() {
    let files = [
        ("first.yaml", "board: lamp\nlike: photon\nabout: The first\n"),
        ("other.yaml", "board: other\nlike: lamp\nabout: Another\n"),
        ("second.yaml", "board: lamp\nlike: argon\nabout: The second\n"),
    ];
    for first in 0..files.len() {
        let mut shelf = Shelf::shipped();
        let batch = files.iter().cycle().skip(first).take(files.len());
        let mistakes = shelf.add_all(batch.map(|(path, text)| (*path, text.as_bytes())));
        let [mistakes] = &mistakes[..] else { panic!("{mistakes:?}") };
        let (kept, told) = if first > 0 { ("The second", "second.yaml") } else { ("The first", "first.yaml") };
        assert_eq!(shelf.board("lamp").unwrap().about, kept);
        assert_eq!(mistakes.mistakes()[0].to_string(), format!("`lamp` is described by {told}, too"));
        assert_eq!(mistakes.mistakes()[0].line(), 1);
        assert_eq!(shelf.board("other").unwrap().mcu, shelf.board("lamp").unwrap().mcu);
    }
    // A batch may well replace what was there before.
    let mut shelf = Shelf::shipped();
    let again = "board: photon\nlike: argon\nabout: Mine\n";
    assert!(shelf.add_all([("mine.yaml", again.as_bytes())]).is_empty());
    assert_eq!(shelf.board("photon").unwrap().about, "Mine");
}

#[test]
fn a_broken_profile_is_told_all_at_once() {
    let broken = text_of("hardware/boards/lantern-nrf51822.yaml")
        .replace("size: 256KiB", "size: 256")
        .replace("0x3f000", "3f000")
        .replace("nominal: 3.3V", "nominal: 3.9V")
        .replace("red: { pin: P0.13, active: high }", "rot: { pin: P0.13, active: high }")
        .replace("ram: 16KiB\n", "")
        + "light: { cloud_connected: { colour: cyan, breath: 4s } }\nconsole: { baud: 115200Bd, log: syslog }\n";
    let mut shelf = Shelf::shipped();
    let found = shelf.add("nrf51", broken).unwrap_err();
    let found: String = found.mistakes().iter().map(|it| format!("{}: {it}\n", it.kind().code())).collect();
    insta::assert_snapshot!(found, @r"
    missing-key: a board profile lacks `ram`
    wrong-quantity: `256` is not a number of bytes
    wrong-quantity: `3f000` is not an address
    beyond-limits: the nominal 3.9V of rail `3V3` is not between 1.8V and 3.6V
    unknown-name: `rot` is not the colour of a diode
    unknown-key: unknown key `breath` in a look
    unknown-value: `syslog` is not a log format
    ");
}

#[test]
fn what_two_sections_say_of_each_other_has_to_agree() {
    let wrong = |text: &str| product(&format!("board: lamp\nlike: photon\nabout: A lamp\n{text}")).unwrap_err();
    let mut told = String::new();
    for text in [
        "parts: { user: { at: 0x080e0000, length: 512KiB } }",
        "parts: { user: { at: 0x0, length: 1KiB, through: flash_chip } }",
        "keys: { algorithm: rsa, through: dcd, slots: {} }",
        "keys: { algorithm: rsa, slots: {} }",
        "keys: { algorithm: rsa, areas: [0x1000], slots: {} }",
        "flash: { at: 0x08000000, sectors: [] }",
        "flash: { at: 0x08000000, size: 1MiB, sectors: [4 x 16KiB] }",
        "flash: { at: 0xfff00000, sectors: [4096 x 1MiB] }",
        "flash: { at: 0x0, sectors: [4096 x 1MiB] }",
        "flash: { size: 10KiB, page: 4KiB }",
        "flash: { at: 0x08000000, size: 1MiB, page: 16KiB, through: intern }",
        "modes: { reset: 50ms, debounce: 10ms, dfu: { hold: { from: 1s, to: 2s, aim: 1995ms }, within: 1s } }",
        "modes: { reset: 50ms, debounce: 10ms, dfu: { light: dfu_mode, within: 1s } }",
        "modes: { reset: 50ms, debounce: 10ms, dfu: { request: 1, light: dfu, within: 1s } }",
        "modes: { reset: 50ms, debounce: 10ms, dfu: { hold: { from: 1s, to: 3s, aim: 2s }, within: 1s }, safe: { hold: { from: 2s, to: 4s, aim: 3s }, within: 1s } }",
        "parts: { user: { at: 0x080a0000, length: 0B } }",
        "parts: { more: { at: 0x080a0000, length: 1B } }",
        "parts: { one: { at: 0x0, length: 9B, through: dct }, two: { at: 0x8, length: 9B, through: dct } }",
        "keys: { algorithm: rsa, areas: [0x08000000, 0x080fff00], slots: { device_private: { offset: 0B, length: 257B } } }",
        "keys: { algorithm: rsa, through: dct, slots: { device_private: { offset: 1B, length: 0B } } }",
        "keys: { algorithm: rsa, through: dct, slots: { device_private: { offset: 0B, length: 9B }, server_public: { offset: 8B, length: 9B } } }",
        "identity: { address: 0x1fff7a10, length: 0B }",
        "input: { minimum: 5V, maximum: 3V, current_ceiling: 0A }",
        "usb: { normal: \"2b04\", dfu: \"2b04:d006\" }",
        "family: lamps",
    ] {
        told += &format!("{text}\n    {}", wrong(text));
    }
    insta::assert_snapshot!(told);
}

#[test]
fn the_rig_holds_the_button_away_from_every_threshold() {
    for board in Shelf::shipped().boards() {
        for mode in board.modes.iter().flat_map(|modes| &modes.modes) {
            let Some(hold) = mode.hold else { continue };
            assert!(hold.aim.get() >= hold.from.get() + Span::millis(500).get(), "{} {}", board.name, mode.target);
            assert!(hold.aim.get() + Span::millis(500).get() <= hold.to.get(), "{} {}", board.name, mode.target);
        }
        let aim = |target| board.modes.as_ref().and_then(|it| it.mode(target)?.hold).map(|hold| hold.aim);
        // A settings reset is what the others must never become.
        if let (Some(factory), Some(settings)) = (aim(Target::FactoryReset), aim(Target::SettingsReset)) {
            assert!(factory + Span::secs(2) < settings, "{}", board.name);
        }
    }
}

/// What a press that was let go late, or counted from too late an instant, may have meant instead.
#[test]
fn a_press_across_a_threshold_is_not_the_one_that_was_asked_for() {
    let photon = board("photon");
    let modes = photon.modes.unwrap();
    let crossed = |held, asked, shortest, longest| {
        let spans = [asked, shortest, longest].map(Span::millis);
        modes.crossed(held, spans[0], spans[1], spans[2]).map(|(mode, at)| format!("{} {at}", mode.target))
    };
    let through = |asked, shortest, longest| crossed(Held::ThroughReset, asked, shortest, longest);
    assert_eq!(through(4_500, 4_499, 6_499), None);
    assert_eq!(through(4_500, 4_499, 6_500).as_deref(), Some("dfu 6.5s"));
    assert_eq!(through(4_500, 2_991, 4_600), None);
    assert_eq!(through(4_500, 2_989, 4_600).as_deref(), Some("safe 3s"));
    // Neither was a mode, and it passed through all of them.
    assert_eq!(through(500, 500, 13_000).as_deref(), Some("safe 1s"));
    assert_eq!(through(500, 500, 999), None);
    // At a threshold it is the later mode, whose step covers what the clocks do not know.
    assert_eq!(crossed(Held::WhileRunning, 3_000, 2_995, 3_005), None);
    assert_eq!(crossed(Held::WhileRunning, 9_000, 9_000, 10_000).as_deref(), Some("listening 10s"));
}

proptest::proptest! {
    /// Whatever somebody writes, it is read or refused.
    #[test]
    fn no_text_is_too_much(text in "(board|family|like|flash|leds|light|modes|keys|parts): ?[a-zA-Z0-9{}\\[\\]:,\\n -]{0,80}") {
        let _ = product(&text);
    }

    /// ... and so is flash of any size, wherever it lies.
    #[test]
    fn no_flash_is_too_much(
        at in proptest::num::u32::ANY,
        sectors in proptest::collection::vec((0_u32..=4_200, 0_u32..=4_200, "B|KiB|MiB"), 1..4),
    ) {
        let sectors: Vec<String> = sectors.iter().map(|(count, size, unit)| format!("{count} x {size}{unit}")).collect();
        let read = product(&format!(
            "board: lamp\nlike: microbit\nabout: A lamp\nflash: {{ at: {at:#x}, sectors: [{}] }}\n", sectors.join(", ")
        ));
        if let Ok(lamp) = read {
            proptest::prop_assert!(lamp.flash.range().end <= 1 << 32);
        }
    }
}
