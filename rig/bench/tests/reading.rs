//! What stands in a bench file comes out as stations that factories can open, and no file makes the reader panic.

use brickproof_bench::file::{Bench, Cloud, Driver, World, load};
use brickproof_instruments::Kind;
use brickproof_scenario::Library;
use brickproof_units::{Span, Voltage};
use proptest::prelude::*;

const ONE: &str = include_str!("../../../hardware/benches/pi-one.yaml");
const EIGHT: &str = include_str!("../../../hardware/benches/pi-eight.yaml");
const PC: &str = include_str!("../../../hardware/benches/pc-scpi.yaml");
const VIRTUAL: &str = include_str!("../../../hardware/benches/virtual.yaml");

fn read(text: &str) -> Bench {
    load("bench.yaml", text, &Library::built_in()).unwrap_or_else(|mistakes| panic!("{}", mistakes.render(110)))
}

#[test]
fn the_shipped_benches_have_no_mistakes() {
    let stations =
        |text| read(text).stations.iter().map(|station| (station.world, station.instruments.len())).collect();
    let read: [Vec<(World, usize)>; 4] = [ONE, EIGHT, PC, VIRTUAL].map(stations);
    assert_eq!(read[0], [(World::Hardware, 5)]);
    assert_eq!(read[1], [(World::Hardware, 5); 8]);
    assert_eq!(read[2], [(World::Hardware, 5)]);
    assert_eq!(read[3], [(World::Virtual, 5); 2]);
}

#[test]
fn the_example_of_the_manual_has_no_mistakes() {
    let manual = include_str!("../../../hardware/benches/README.md");
    let example = manual.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert_eq!(read(example).name, "desk");
}

#[test]
fn settings_are_what_the_factories_take() {
    let bench = read(ONE);
    let station = &bench.stations[0];
    assert_eq!((bench.name.as_str(), station.name.as_str()), ("pi-one", "desk"));
    assert_eq!(station.board.name, "lantern-nrf52840");
    assert_eq!(station.serial.as_ref().unwrap().bytes()[..2], [0x6c, 0x1f]);
    assert_eq!(station.cloud, Some(Cloud::Console));
    let Driver::Real(factory, settings) = &station.instruments[&Kind::Supply] else { panic!("a real one") };
    assert_eq!(factory.over(), Some(Kind::Lines));
    assert_eq!(settings.span("settles"), Some(Span::millis(2)));
    assert_eq!(settings.voltage("voltage"), Some(Voltage::new(5_000_000)));
    assert_eq!(settings.number("address"), Some(0x40));
    let Driver::Real(_, settings) = &station.instruments[&Kind::Lines] else { panic!("a real one") };
    assert_eq!(settings.lines("drive")["power"], "22 push-pull active-high");
}

#[test]
fn the_lane_is_said_and_the_virtual_board_is_virtual_whatever_is_said() {
    let lane = |text: &str| read(&format!("world: lane\n{text}"));
    assert_eq!((lane(ONE).world, lane(ONE).stations[0].world), (World::Lane, World::Lane));
    assert_eq!(lane(VIRTUAL).stations[0].world, World::Virtual);
}

fn damaged(text: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let pieces = ["{", "}", "[", "]", ":", "\n", "- ", "${", "\"", "&a ", "*a", "!", "0x", "é", "\t", "driver", "~"];
    let piece = prop_oneof![
        prop::sample::select(pieces.map(|piece| piece.as_bytes().to_vec()).to_vec()),
        any::<u8>().prop_map(|byte| vec![byte]),
        Just(Vec::new()),
    ];
    prop::collection::vec((0..text.len(), 0..4_usize, piece), 1..6).prop_map(move |changes| {
        let mut bytes = text.as_bytes().to_vec();
        for (at, length, piece) in changes {
            let at = at.min(bytes.len());
            bytes.splice(at..(at + length).min(bytes.len()), piece);
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_slip_of_the_fingers_panics(input in prop_oneof![damaged(ONE), damaged(EIGHT), damaged(PC), damaged(VIRTUAL)]) {
        if let Err(mistakes) = load("bench.yaml", &input, &Library::built_in()) {
            prop_assert!(!mistakes.mistakes().is_empty());
            prop_assert!(!mistakes.render(100).is_empty());
        }
    }
}
