//! What each shipped bench cannot run of the shipped scenarios, and why: told before anything is driven.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use brickproof_bench::file::{self, Driver, Station};
use brickproof_bench::fitness::unfit;
use brickproof_instruments::{DRIVERS, Kind, Settings, Value};
use brickproof_scenario::plan::CellModel;
use brickproof_scenario::{Library, Setting, load};
use brickproof_units::{Current, Voltage};

const BENCHES: [&str; 4] = ["pi-one.yaml", "pi-eight.yaml", "pc-scpi.yaml", "virtual.yaml"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn scenarios() -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![root().join("scenarios")]);
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(
                std::fs::read_dir(path).expect("it can be read").map(|entry| entry.expect("it can be read").path()),
            );
        } else if path.extension().is_some_and(|it| it == "yaml") && !asks_a_campaign(&path) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// What a campaign varies is a scenario of its own.
fn asks_a_campaign(path: &Path) -> bool {
    std::fs::read_to_string(path).expect("it can be read").lines().any(|line| line.starts_with("campaign:"))
}

#[test]
fn what_a_station_cannot_run_is_known_before_anything_is_driven() {
    let library = Library::built_in();
    let mut table = String::new();
    for bench in BENCHES {
        let text = std::fs::read_to_string(root().join("hardware/benches").join(bench)).unwrap();
        let read = file::load(bench, text, &library).expect("a shipped bench has no mistakes");
        let station = &read.stations[0];
        writeln!(table, "{bench}, station {} ({})", station.name, station.board.name).unwrap();
        for path in scenarios() {
            let text = std::fs::read_to_string(&path).unwrap();
            let scenario = load("scenario.yaml", text, &library).expect("a shipped scenario has no mistakes");
            let cells: Vec<_> = scenario.cells.iter().filter(|it| it.board.name == station.board.name).collect();
            let mut reasons = BTreeMap::<String, usize>::new();
            let fit = cells.iter().filter(|plan| {
                let why = unfit(plan, station);
                why.iter().for_each(|it| *reasons.entry(it.to_string()).or_default() += 1);
                why.is_empty()
            });
            let fit = fit.count();
            let name = path.strip_prefix(root().join("scenarios")).unwrap().display().to_string();
            writeln!(table, "  {name}: {fit} of {} cells for its board", cells.len()).unwrap();
            for (why, count) in reasons {
                writeln!(table, "    {count} x {why}").unwrap();
            }
        }
    }
    insta::assert_snapshot!(table);
}

/// Writing lantern's image and keys over another product's memory could leave it without its bootloader.
#[test]
fn boards_whose_key_areas_are_not_lanterns_are_not_written_to() {
    let library = Library::built_in();
    let text = std::fs::read_to_string(root().join("hardware/benches/pi-one.yaml")).unwrap();
    let station = file::load("pi-one.yaml", text, &library).unwrap().stations.remove(0);
    let mut asked = Vec::new();
    for board in library.boards() {
        let station = Station { board: Arc::clone(board), ..station.clone() };
        let text = format!(
            "scenario: T\nboard: {}\nfirmware: lantern-heal-full\nsteps:\n  - supply: {{ usb: 5V }}\n",
            board.name
        );
        let Ok(scenario) = load("t.yaml", text, &library) else { continue };
        let why: Vec<String> = unfit(&scenario.cells[0], &station).iter().map(ToString::to_string).collect();
        let is_refused = why.iter().any(|it| it.contains("has no key areas that the rig knows"));
        assert_eq!(is_refused, !board.name.starts_with("lantern-"), "{}: {why:?}", board.name);
        asked.push(board.name.as_str());
    }
    assert!(asked.contains(&"argon") && asked.contains(&"lantern-nrf52840"), "{asked:?}");
}

/// The same station with every driver of a supply.
#[test]
fn each_supply_says_which_faults_it_cannot_make() {
    let library = Library::built_in();
    let text = std::fs::read_to_string(root().join("hardware/benches/pi-one.yaml")).unwrap();
    let mut station = file::load("pi-one.yaml", text, &library).unwrap().stations.remove(0);
    let text = "scenario: Every fault\nboard: lantern-nrf52840\nfirmware: lantern-heal-full\nsteps:
  - supply: { usb: 5V }
  - fault: { power_cut: { hold: 200ms } }
  - fault: { power_cut: { hold: 20ms } }
  - fault: { power_cut: { after: 1ms, hold: 200ms } }
  - fault: { brown_out: { rail: 3V3, floor: 1.2V, fall: 50us/V, hold: 200ms } }
  - fault: { load_step: { current: 600mA, hold: 300ms } }
  - never: { current: { above: 300mA }, for: 1s }
  - supply: { bench: { voltage: 3.3V, current_limit: 500mA } }
  - fault: { power_cut: { tolerance: 500us, hold: 200ms } }
";
    let plan = load("faults.yaml", text, &library).unwrap_or_else(|it| panic!("{}", it.render(110))).cells.remove(0);
    let mut table = String::new();
    for factory in DRIVERS.iter().filter(|factory| factory.kind() == Kind::Supply) {
        let settings = Settings::new()
            .with("voltage", Value::Voltage(Voltage::new(5_000_000)))
            .with("voltage_ceiling", Value::Voltage(Voltage::new(5_500_000)))
            .with("current_ceiling", Value::Current(Current::new(1_000_000)))
            .with("measures", Value::TextList(vec!["voltage".to_owned()]));
        station.instruments.insert(Kind::Supply, Driver::Real(*factory, settings));
        writeln!(table, "{}", factory.driver()).unwrap();
        for why in unfit(&plan, &station) {
            writeln!(table, "  {why}").unwrap();
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn a_plan_for_another_board_fits_nowhere() {
    let library = Library::built_in();
    let text = std::fs::read_to_string(root().join("hardware/benches/pi-one.yaml")).unwrap();
    let read = file::load("pi-one.yaml", text, &library).unwrap();
    let text = std::fs::read_to_string(root().join("scenarios/first-light.yaml")).unwrap();
    let scenario = load("first-light.yaml", text, &library).unwrap();
    let other = scenario.cells.iter().find(|it| it.board.name == "lantern-nrf51").unwrap();
    let why = unfit(other, &read.stations[0]);
    assert_eq!(why.len(), 1);
    assert_eq!(why[0].to_string(), "it has a lantern-nrf52840, and the scenario is for a lantern-nrf51");
}

#[test]
fn no_real_station_chooses_how_the_cells_of_its_board_take_a_cut() {
    let library = Library::built_in();
    let text = std::fs::read_to_string(root().join("hardware/benches/pi-one.yaml")).unwrap();
    let read = file::load("pi-one.yaml", text, &library).unwrap();
    let text = "scenario: A cut\nboard: lantern-nrf52840\nfirmware: lantern-heal-full\nsteps:
  - supply: { usb: 5V }
  - fault: { power_cut: { hold: 200ms } }
";
    let plan = load("cut.yaml", text, &library).unwrap_or_else(|it| panic!("{}", it.render(110))).cells.remove(0);
    assert_eq!(unfit(&plan, &read.stations[0]), []);
    let turned = plan.turned(&[Setting::cells(CellModel::Marginal)]).unwrap();
    let why = unfit(&turned, &read.stations[0]);
    assert_eq!(why.len(), 1);
    assert!(why[0].why.contains("`fault.cells` chooses how those of a virtual board take a cut"), "{}", why[0]);
}

/// A press that lasts longer than it should may clear what nobody brings back, and that would be told only afterwards.
#[test]
fn a_press_that_could_mean_another_mode_is_refused_where_its_step_stands() {
    let library = Library::built_in();
    let text = "scenario: Presses\nboard: lantern-nrf52840\nfirmware: lantern-heal-full\nsteps:
  - supply: { usb: 5V }
  - enter: dfu
  - enter: listening
  - press: { button: mode, for: 2s, through: reset }
  - press: { button: mode, for: 100ms }
  - reset: pin
cleanup:
  - press: { button: mode, for: 4s }
";
    let plan = load("presses.yaml", text, &library).unwrap_or_else(|it| panic!("{}", it.render(110))).cells.remove(0);
    let bench = |lines: &str| {
        let text = std::fs::read_to_string(root().join("hardware/benches/pi-one.yaml")).unwrap();
        let mut station = file::load("pi-one.yaml", text, &library).unwrap().stations.remove(0);
        let text = format!("bench: b\nstations:\n  s:\n    board: lantern-nrf52840\n    lines: {lines}\n");
        let other = file::load("lines.yaml", text, &library).unwrap_or_else(|it| panic!("{}", it.render(110)));
        station.instruments.insert(Kind::Lines, other.stations[0].instruments[&Kind::Lines].clone());
        unfit(&plan, &station).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let stated = "{ driver: command, program: ./relays, lines: [reset, mode], uncertainty: 10ms }";
    assert_eq!(bench(stated), Vec::<String>::new());
    let not_stated = bench(&stated.replace(", uncertainty: 10ms", ""));
    insta::assert_snapshot!(not_stated.join("\n"));
}
