//! Sensors above several lights of a board, as a bench file has them, and what a station without one cannot run.

use std::collections::BTreeMap;

use brickproof_bench::file::{self, Bench};
use brickproof_bench::fitness::unfit;
use brickproof_boards::LedIndex;
use brickproof_instruments::Kind;
use brickproof_scenario::{Diagnostics, Library, load};

const LAMP: &str = "
board: lamp
like: lantern-nrf52840
about: A lamp with a lantern in it
leds: { filament: { amber: { pin: P0.16, active: high } } }
light:
  lamp_on: { led: filament, amber }
";

fn library() -> Library {
    let mut library = Library::built_in();
    library.add_board("lamp.yaml", LAMP).unwrap_or_else(|mistakes| panic!("{}", mistakes.render(110)));
    library
}

fn bench(lights: &str) -> Result<Bench, Diagnostics> {
    let text = format!(
        "bench: desk\nstations:\n  left:\n    board: lamp\n    light: {{ driver: tcs3472, bus: /dev/i2c-1 }}\n{lights}"
    );
    file::load("bench.yaml", text, &library())
}

#[test]
fn each_light_has_a_sensor_of_its_own() {
    let bench = bench("    lights:\n      filament: { driver: tcs3472, bus: /dev/i2c-2 }\n").expect("no mistakes");
    let station = &bench.stations[0];
    let buses: BTreeMap<LedIndex, Option<&str>> = station
        .fitted()
        .filter(|(which, _)| which.kind == Kind::Light)
        .map(|(which, driver)| match driver {
            file::Driver::Real(_, settings) => (which.led, settings.text("bus")),
            file::Driver::Virtual => (which.led, None),
        })
        .collect();
    assert_eq!(buses, BTreeMap::from([(LedIndex(0), Some("/dev/i2c-1")), (LedIndex(1), Some("/dev/i2c-2"))]));
}

#[test]
fn lights_that_are_not_there_and_sensors_at_one_place_are_mistakes() {
    let lights = "    lights:
      filamnet: { driver: tcs3472, bus: /dev/i2c-2 }
      status: { driver: tcs3472, bus: /dev/i2c-3 }
      filament: { driver: tcs3472, bus: /dev/i2c-1 }
";
    insta::assert_snapshot!(bench(lights).expect_err("three mistakes").render(110));
}

#[test]
fn a_station_without_that_sensor_cannot_look_at_that_light() {
    let scenario =
        "scenario: T\nboard: lamp\nfirmware: lantern-heal-full\nsteps:\n  - expect: { light: lamp_on, within: 30s }\n";
    let plan = load("t.yaml", scenario, &library()).expect("no mistakes").cells.remove(0);
    let why = |lights: &str| -> Vec<String> {
        let bench = bench(lights).expect("no mistakes");
        unfit(&plan, &bench.stations[0]).iter().map(ToString::to_string).filter(|why| why.contains("sensor")).collect()
    };
    assert_eq!(why(""), ["it has no sensor above the light `filament`, in `lights`"]);
    assert!(why("    lights: { filament: { driver: tcs3472, bus: /dev/i2c-2 } }\n").is_empty());
}
