//! What people and programs are told of a returned unit.

use std::sync::Arc;

use brickproof_autopsy::{Findings, Foretold, Reading, as_json, foretell, known_with, scenario, tell, wanted};
use brickproof_boards::BoardProfile;
use brickproof_firmware::{Firmware, PUBLISHED, State};
use brickproof_keys::{KnownKey, Slot, SlotContent, Standing, device_key_from_seed};
use brickproof_scenario::Library;

fn board(name: &str) -> Arc<BoardProfile> {
    Arc::clone(Library::built_in().board(name).expect("it is shipped"))
}

/// A unit with two copies: a torn server key in the newer one, so that its firmware goes by the older one.
fn flash() -> Vec<u8> {
    let firmware = Firmware::shipped("lantern-heal-full").expect("it is shipped");
    let mut flash = vec![0xFF; 256 << 10];
    flash[..firmware.image().len()].copy_from_slice(firmware.image());
    let keys = brickproof_firmware::KeyStore::of(&board("lantern-nrf51"), &firmware).expect("it is lantern's");
    for content in keys.factory_content() {
        let start = content.address as usize;
        flash[start..start + content.bytes.len()].copy_from_slice(&content.bytes);
    }
    flash[0x3_f000 + 3298 + 40..0x3_f000 + 3298 + 192].fill(0xFF);
    flash[0x3_f000 + 3106 + 9] ^= 0x10;
    flash
}

/// What reading it gives, register by register as they are asked for.
fn reading() -> Reading {
    let wanted = wanted(&board("lantern-nrf51"));
    let bytes = wanted.iter().map(|it| match it.address {
        0x4000_0400 => vec![0b110, 0, 0, 0],
        0x4000_0510 => vec![0b101, 0, 0, 0],
        0x1000_0060 => vec![0x11; 8],
        0 => flash(),
        _ => vec![0xFF; it.length as usize],
    });
    Reading::of("read out of desk/left through its probe; it ran on".to_owned(), &wanted, bytes.collect())
}

#[test]
fn the_reason_of_the_reset_is_read_first_and_the_flash_twice() {
    for name in ["lantern-nrf51", "lantern-nrf52840", "photon", "argon"] {
        let wanted = wanted(&board(name));
        assert_eq!(wanted[0].address, if name == "photon" { 0x4002_3874 } else { 0x4000_0400 }, "{name}");
        let flash = board(name).flash.size().0;
        assert_eq!(wanted.iter().filter(|it| it.length == flash).count(), 2, "{name}");
    }
}

#[test]
fn a_unit_is_told_in_words() {
    let board = board("lantern-nrf51");
    let findings = Findings::of(&board, &reading(), &known_with(Vec::new()));
    // The image changes with its source.
    let mut settings = insta::Settings::clone_current();
    settings.add_filter("[0-9a-f]{64}", "[SHA-256]");
    settings.add_filter("[0-9]{5} bytes", "[N] bytes");
    settings.add_filter("\"length\": [0-9]+", "\"length\": [N]");
    let _filtered = settings.bind_to_scope();
    insta::assert_snapshot!(tell(&board, &findings));
    insta::assert_snapshot!("json", serde_json::to_string_pretty(&as_json(&findings)).expect("it is JSON"));
    let state = State::new(&board, flash(), vec![0xFF; 256]).expect("it is a whole flash");
    let foretold = foretell(&board, &findings, &state, &Library::built_in());
    assert_eq!(foretold, Some(Foretold::Connects), "the older copy is good");
    insta::assert_snapshot!("scenario", scenario(&board, &findings, foretold.as_ref()));
}

#[test]
fn flash_that_changes_while_it_is_read_is_told() {
    let board = board("lantern-nrf51");
    let mut moved = reading();
    moved.moved = Some(0x3_ec22);
    let told = tell(&board, &Findings::of(&board, &moved, &known_with(Vec::new())));
    assert!(told.contains("CHANGED WHILE IT WAS READ, from 0x0003ec22 on"), "{told}");
}

#[test]
fn a_board_whose_keys_have_no_address_is_searched_for_whole_ones() {
    let board = board("argon");
    let mut flash = vec![0xFF; 1 << 20];
    let theirs = device_key_from_seed(3);
    for (at, key) in [(0x4_0001, &theirs), (0x4_1000, &PUBLISHED.server)] {
        flash[at..at + key.used()].copy_from_slice(key.expose_used());
    }
    let known = KnownKey { name: "unit-7".to_owned(), standing: Standing::Registered, content: theirs };
    let findings =
        Findings::of(&board, &Reading::of_dump("a dump".to_owned(), flash, Vec::new()), &known_with(vec![known]));
    let told = tell(&board, &findings);
    assert!(told.contains("0x00040001 device_private  good: unit-7"), "{told}");
    assert!(told.contains("0x00041000 server_public   good: server"), "{told}");
    assert!(told.contains("firmware: unknown"), "{told}");
}

#[test]
fn keys_behind_a_bootloader_are_told_slot_by_slot() {
    let photon = board("photon");
    let mut dct = vec![0xFF; 16 << 10];
    let server = include_bytes!("../../../fixtures/keys/server.rsa2048.spki.der");
    dct[2082..2082 + 100].copy_from_slice(&server[..100]);
    let shape = photon.keys.as_ref().and_then(|keys| keys.shape(Slot::ServerPublic)).expect("it has one");
    let content = SlotContent::shaped(shape, server).expect("it fits");
    let known = KnownKey { name: "server-of-2016".to_owned(), standing: Standing::Registered, content };
    let dump = Reading::of_dump("as it stands in dct.bin".to_owned(), Vec::new(), Vec::new());
    let findings = Findings::of(&photon, &Reading { behind: Some(dct), ..dump }, &known_with(vec![known]));
    insta::assert_snapshot!("behind", tell(&photon, &findings));
}

#[test]
fn a_key_that_somebody_gives_takes_the_place_of_the_published_one() {
    let board = board("lantern-nrf51");
    let given =
        KnownKey { name: "unit-7".to_owned(), standing: Standing::Registered, content: device_key_from_seed(3) };
    let findings = Findings::of(&board, &reading(), &known_with(vec![given]));
    let told = tell(&board, &findings);
    assert!(told.contains("valid but wrong: device-old"), "{told}");
}

#[test]
fn nothing_that_is_told_holds_a_private_byte() {
    let board = board("lantern-nrf51");
    let findings = Findings::of(&board, &reading(), &known_with(Vec::new()));
    let all = [
        tell(&board, &findings),
        as_json(&findings).to_string(),
        scenario(&board, &findings, None),
        format!("{findings:?}{:?}", reading()),
    ];
    let secret: String = PUBLISHED.device_old.expose()[7..15].iter().map(|byte| format!("{byte:02x}")).collect();
    for text in all {
        assert!(!text.replace([' ', ','], "").contains(&secret), "{text}");
    }
}
