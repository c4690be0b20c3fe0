//! The command itself in this guest: whole scenarios on the station whose board lives on the host, with nothing but drivers of this kernel
//! between the rig and the board.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use brickproof_virtual_board::board::{Board, BoardConfig};
use brickproof_virtual_board::chip::Chip;
use libtest_mimic::Trial;
use serde_json::Value;

use super::trial;
use super::virtual_station::{bus, serial_port};
use crate::far_side::{FarSide, Station};
use crate::{Mishap, eventually, note, same};

const PATIENCE: Duration = Duration::from_secs(240);
/// What a station whose supply is a load switch is made of.
pub(super) const DEVICES: [&str; 4] = ["lines", "bus", "console", "probe"];
/// Files that these trials make lie in the guest's own memory: `guest/init` mounts it at `/tmp`, whatever computer boots the guest.
pub(super) const BENCH: &str = "/tmp/lane.yaml";
/// A rail below this is off, in microvolts.
const DARK: i64 = 500_000;
/// How often the rig is killed unless `BRICKPROOF_LANE_KILLS` says otherwise.
const KILLS: u32 = 3;

pub(super) fn all() -> Vec<Trial> {
    vec![
        trial("bench::battery_death_passes_through_a_load_switch", battery_death_through_a_load_switch),
        trial("bench::battery_death_bricks_no_heal_through_a_load_switch", battery_death_bricks_no_heal),
        trial("bench::battery_death_is_refused_or_made_by_a_scpi_supply", battery_death_by_a_scpi_supply),
        trial("bench::an_unplugged_console_is_the_benchs_failure", || unplugged("console", Left::Safe)),
        trial("bench::an_unplugged_probe_is_noticed_by_the_next_trial", an_unplugged_probe),
        trial("bench::unplugged_lines_are_the_benchs_failure", || unplugged("lines", Left::Unproven)),
        trial("bench::an_unplugged_bus_is_the_benchs_failure", || unplugged("bus", Left::Unproven)),
        trial("bench::another_board_is_not_written_to", another_board),
        trial("bench::discover_drafts_a_file_of_the_station", discover),
        trial("bench::check_passes_on_the_station", check_passes),
        trial("bench::check_of_the_station_finds_an_unplugged_console", check_finds_an_unplugged_console),
        trial("bench::a_campaign_is_carried_out_on_a_station_and_goes_on_where_it_was", a_campaign),
        trial("bench::a_rig_that_was_killed_in_a_fault_is_made_safe_by_the_next_start", killed),
    ]
}

/// How the station's supply is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fed {
    ByLoadSwitch,
    ByScpi,
}

pub(super) fn device_id() -> Result<String, Mishap> {
    let board = Board::new(BoardConfig::new(Chip::Nrf51822), &[])?;
    let bytes = board.soc().unique_id().into_iter();
    Ok(bytes.fold(String::new(), |mut text, byte| {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

/// Whether a USB device with these numbers is there.
fn has_usb_device(vendor: &str, product: &str) -> bool {
    let is = |entry: &fs::DirEntry, file: &str, wanted: &str| {
        fs::read_to_string(entry.path().join(file)).is_ok_and(|text| text.trim() == wanted)
    };
    let mut entries = fs::read_dir("/sys/bus/usb/devices").into_iter().flatten().flatten();
    entries.any(|entry| is(&entry, "idVendor", vendor) && is(&entry, "idProduct", product))
}

/// Waits for the devices of a station; answers with the bus of its sensors.
pub(super) fn await_devices() -> Result<String, Mishap> {
    let bus = eventually("the bus of the sensors", PATIENCE, || bus("i2c-tiny-usb"))?;
    eventually("the board's port", PATIENCE, || serial_port("c006"))?;
    eventually("the probe", PATIENCE, || has_usb_device("1209", "0002").then_some(()))?;
    let chip = |entry: fs::DirEntry| fs::read_to_string(entry.path().join("label")).unwrap_or_default();
    let is_there = || {
        let mut chips = fs::read_dir("/sys/class/gpio").ok()?.flatten();
        chips.any(|entry| chip(entry).trim() == "cp2112_gpio").then_some(())
    };
    eventually("the adapter of the lines", PATIENCE, is_there)?;
    Ok(bus)
}

/// Waits for the devices of the station, and writes its bench file.
pub(super) fn write_bench(fed: Fed, serial: &str) -> Result<(), Mishap> {
    let bus = await_devices()?;
    let supply = match fed {
        Fed::ByLoadSwitch => {
            format!("{{ driver: load-switch, line: power, voltage: 5V, settles: 2ms, monitor: ina226, bus: {bus} }}")
        }
        Fed::ByScpi => {
            let at = eventually("the port of the supply", PATIENCE, || serial_port("0001"))?;
            format!(
                "{{ driver: scpi, at: {at}, identity: \"virtual supply,VB0001\", voltage_ceiling: 5.5V, current_ceiling: 1A }}"
            )
        }
    };
    let power = if fed == Fed::ByLoadSwitch { r#", power: "3 push-pull active-high""# } else { "" };
    let text = format!(
        r#"bench: lane
world: lane
stations:
  virtual-board:
    board: lantern-nrf51
    serial: "{serial}"
    lines: {{ driver: gpiocdev, chip: cp2112_gpio, drive: {{ reset: "0", mode: "1"{power} }} }}
    console: {{ driver: serial, usb: "2b04:c006", serial: VB0001 }}
    supply: {supply}
    light: {{ driver: tcs3472, bus: i2c-tiny-usb }}
    probe: {{ driver: probe-rs, usb: "1209:0002", serial: VB0001, chip: nRF51822_xxAA }}
    cloud: {{ driver: console }}
"#
    );
    Ok(fs::write(BENCH, text)?)
}

pub(super) fn brickproof(arguments: &[&str]) -> Command {
    let mut command = Command::new("/bin/brickproof");
    command.args(arguments).current_dir("/tmp").env("BRICKPROOF_STATE", "/tmp/state").env("HOME", "/tmp");
    command
}

/// What a command printed, and its status.
pub(super) struct Said {
    status: Option<i32>,
    pub(super) out: String,
    err: String,
}

impl Said {
    pub(super) fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { status: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    pub(super) fn note(&self) {
        self.out.lines().chain(self.err.lines()).filter(|line| !line.is_empty()).for_each(note);
    }

    pub(super) fn ended_with(&self, status: i32) -> Result<(), Mishap> {
        if self.status == Some(status) {
            return Ok(());
        }
        Err(format!("status {:?}, and not {status}\n{}{}", self.status, self.out, self.err).into())
    }

    pub(super) fn says(&self, what: &str) -> Result<(), Mishap> {
        if self.out.contains(what) || self.err.contains(what) {
            return Ok(());
        }
        Err(format!("nothing of {what:?} in\n{}{}", self.out, self.err).into())
    }
}

pub(super) fn run(arguments: &[&str]) -> Result<Said, Mishap> {
    Ok(Said::of(&brickproof(arguments).output()?))
}

/// As often as it takes an emulated kernel on a busy host to strike in time.
const ATTEMPTS: &str = "25";

const CELL: [&str; 10] = [
    "run",
    "/scenarios/battery-death/protection.yaml",
    "--set",
    "geometry=nrf51",
    "--set",
    "instant=5ms",
    "--bench",
    BENCH,
    "--attempts",
    ATTEMPTS,
];

fn battery_death_through_a_load_switch() -> Result<(), Mishap> {
    let mut far = FarSide::plug(Station::Nrf51, &DEVICES)?;
    write_bench(Fed::ByLoadSwitch, &device_id()?)?;
    far.ask("begin")?;
    let said = run(&[&CELL[..], &["--set", "release=heal-full", "--report", "/tmp/real"]].concat())?;
    said.note();
    said.ended_with(0)?;
    said.says("in the lane world")?;
    let simulated = run(&[&CELL[..6], &["--set", "release=heal-full", "--report", "/tmp/simulated"]].concat())?;
    simulated.ended_with(0)?;
    beside("/tmp/real", "/tmp/simulated")?;
    let pace = far.pace()?;
    note(&format!(
        "the board kept pace: {} things due, late by {} (median), {} (p99), {} (most)",
        pace.count, pace.median, pace.p99, pace.latest
    ));
    is_dark(&mut far)
}

fn battery_death_bricks_no_heal() -> Result<(), Mishap> {
    let mut far = FarSide::plug(Station::Nrf51, &DEVICES)?;
    write_bench(Fed::ByLoadSwitch, &device_id()?)?;
    let said = run(&[&CELL[..], &["--set", "release=no-heal"]].concat())?;
    said.note();
    said.ended_with(0)?;
    said.says("bricked, as expected")?;
    is_dark(&mut far)
}

/// 5 ms are too soon for a bench supply, which is said before anything is driven; at 60 ms it makes the cut.
fn battery_death_by_a_scpi_supply() -> Result<(), Mishap> {
    let mut far = FarSide::plug(Station::Nrf51, &["lines", "bus", "console", "probe", "supply"])?;
    write_bench(Fed::ByScpi, &device_id()?)?;
    let boots = far.boots()?;
    let refused = run(&[&CELL[..], &["--set", "release=heal-full"]].concat())?;
    refused.note();
    refused.ended_with(2)?;
    refused.says("acts 50ms after it was asked, and the cut is to come 5ms after its trigger")?;
    same("nothing was driven", far.boots()?, boots)?;
    let later = ["run", "/scenarios/slow-supply.yaml"];
    let made = run(&[&later[..], &["--bench", BENCH, "--report", "/tmp/real"]].concat())?;
    made.note();
    made.ended_with(0)?;
    run(&[&later[..], &["--report", "/tmp/simulated"]].concat())?.ended_with(0)?;
    beside("/tmp/real", "/tmp/simulated")?;
    is_dark(&mut far)
}

/// What the only trial of a folder of evidence came to in its last attempt.
pub(super) fn evidence(folder: &str) -> Result<Value, Mishap> {
    let results: Value = serde_json::from_str(&fs::read_to_string(Path::new(folder).join("results.json"))?)?;
    let attempts = results["trials"].as_array().and_then(|trials| trials.last());
    Ok(attempts.cloned().unwrap_or_default())
}

/// Prints the real trial's instants beside the simulated one's.
fn beside(real: &str, simulated: &str) -> Result<(), Mishap> {
    let (real, simulated) = (evidence(real)?, evidence(simulated)?);
    let millis = |value: &Value| value.as_f64().map_or("-".to_owned(), |nanos| format!("{:.3} ms", nanos / 1e6));
    let length = |step: &Value| {
        (step["end_ns"].as_f64().unwrap_or_default() - step["start_ns"].as_f64().unwrap_or_default()).into()
    };
    note(&format!("{:<72} {:>14} {:>14}", "step: how long it took", "drivers", "simulated"));
    for (here, there) in
        real["steps"].as_array().into_iter().flatten().zip(simulated["steps"].as_array().into_iter().flatten())
    {
        let text: String = here["text"].as_str().unwrap_or_default().chars().take(70).collect();
        note(&format!("{text:<72} {:>14} {:>14}", millis(&length(here)), millis(&length(there))));
    }
    for (name, trial) in [("drivers", &real), ("simulated", &simulated)] {
        let (trigger, fault) = (&trial["faults"][0]["trigger"]["seen_ns"], &trial["faults"][0]);
        let (asked, achieved) = (&fault["asked"]["at_ns"], &fault["achieved"]);
        let after =
            |instant: &Value| (instant.as_f64().unwrap_or_default() - trigger.as_f64().unwrap_or_default()).into();
        note(&format!(
            "{name}: trigger seen at {}, cut asked for {} later, achieved {} later (within {}), rail down to {} uV, below its minimum for {}",
            millis(trigger),
            millis(&after(asked)),
            millis(&after(&achieved["began_ns"])),
            millis(&achieved["uncertainty_ns"]),
            achieved["lowest_uv"],
            millis(&achieved["below_brown_out_ns"]),
        ));
    }
    Ok(())
}

fn rail(far: &mut FarSide) -> Result<i64, Mishap> {
    Ok(far.ask("rail")?.parse()?)
}

/// The board itself says so: no driver is asked.
pub(super) fn is_dark(far: &mut FarSide) -> Result<(), Mishap> {
    eventually("the board has no power", PATIENCE, || (rail(far).ok()? < DARK).then_some(()))
}

/// The rig at work on a trial, from the moment at which its board is fed in it.
fn at_work(far: &mut FarSide, arguments: &[&str]) -> Result<Child, Mishap> {
    let child = brickproof(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    // On to be provisioned, off, and on for the scenario.
    for feed in [Feed::On, Feed::Off, Feed::On] {
        await_feed(far, feed)?;
    }
    Ok(child)
}

/// What comes in at the board. Its rail says little of that: capacitors hold it up for longer than a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Feed {
    On,
    Off,
}

fn feed(far: &mut FarSide) -> Result<Feed, Mishap> {
    Ok(if far.ask("input")?.parse::<i64>()? < DARK { Feed::Off } else { Feed::On })
}

fn await_feed(far: &mut FarSide, wanted: Feed) -> Result<(), Mishap> {
    eventually(&format!("the board's feed is {wanted:?}"), PATIENCE, || (feed(far).ok()? == wanted).then_some(()))
}

/// What becomes of a station whose instrument is gone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    /// It is safe, and that is measured.
    Safe,
    /// It may be safe, and that cannot be told: the verdict says so, and the next start makes it safe before anything else.
    Unproven,
}

fn unplugged(name: &'static str, left: Left) -> Result<(), Mishap> {
    let mut far = FarSide::plug(Station::Nrf51, &DEVICES)?;
    write_bench(Fed::ByLoadSwitch, &device_id()?)?;
    let child = at_work(&mut far, &[&CELL[..], &["--set", "release=heal-full"]].concat())?;
    let began = Instant::now();
    far.pull(name)?;
    let said = Said::of(&child.wait_with_output()?);
    note(&format!("ended {:.1} s after it was unplugged", began.elapsed().as_secs_f64()));
    said.note();
    said.ended_with(3)?;
    said.says("blame: bench")?;
    // Whether or not the rig could measure it: the switch opened, or nothing held it closed any more.
    is_dark(&mut far)?;
    match left {
        Left::Safe => {}
        Left::Unproven => said.says("could not be left safe")?,
    }
    far.plug_again(name)?;
    write_bench(Fed::ByLoadSwitch, &device_id()?)?;
    let next = run(&["run", "/scenarios/kill.yaml", "--bench", BENCH])?;
    next.err.lines().filter(|line| line.starts_with("note:")).for_each(note);
    next.ended_with(0)?;
    if left == Left::Unproven {
        next.says("ended without leaving lane/virtual-board safe")?;
    }
    is_dark(&mut far)
}

/// A trial that does not need its probe any more goes on; the next one cannot begin.
fn an_unplugged_probe() -> Result<(), Mishap> {
    let mut far = FarSide::plug(Station::Nrf51, &DEVICES)?;
    write_bench(Fed::ByLoadSwitch, &device_id()?)?;
    let child = at_work(&mut far, &["run", "/scenarios/kill.yaml", "--bench", BENCH])?;
    far.pull("probe")?;
    let said = Said::of(&child.wait_with_output()?);
    said.note();
    said.ended_with(0)?;
    let next = run(&["run", "/scenarios/kill.yaml", "--bench", BENCH])?;
    next.note();
    next.ended_with(3)?;
    is_dark(&mut far)
}

fn another_board() -> Result<(), Mishap> {
    let mut far = FarSide::plug(Station::Nrf51, &DEVICES)?;
    write_bench(Fed::ByLoadSwitch, "0011223344556677")?;
    let said = run(&["run", "/scenarios/kill.yaml", "--bench", BENCH])?;
    said.note();
    said.ended_with(3)?;
    said.says(&device_id()?)?;
    said.says("0011223344556677")?;
    is_dark(&mut far)
}

/// Each device is found by what it says of itself; which line is RESET is left to a person.
fn discover() -> Result<(), Mishap> {
    let _far = FarSide::plug(Station::Nrf51, &DEVICES)?;
    // Waits until all of it is there.
    write_bench(Fed::ByLoadSwitch, &device_id()?)?;
    let said = run(&["bench", "discover", "--board", "lantern-nrf51", "--probe-i2c"])?;
    said.note();
    said.ended_with(0)?;
    for found in ["cp2112_gpio", "2b04:c006", "1209:0002", "tcs3472", "FILL IN"] {
        said.says(found)?;
    }
    Ok(())
}

fn check_passes() -> Result<(), Mishap> {
    let mut far = FarSide::plug(Station::Nrf51, &DEVICES)?;
    write_bench(Fed::ByLoadSwitch, &device_id()?)?;
    let said = run(&["bench", "check", BENCH])?;
    said.note();
    said.ended_with(0)?;
    said.says(" 0 failed")?;
    is_dark(&mut far)
}

fn check_finds_an_unplugged_console() -> Result<(), Mishap> {
    let mut far = FarSide::plug(Station::Nrf51, &DEVICES)?;
    write_bench(Fed::ByLoadSwitch, &device_id()?)?;
    far.pull("console")?;
    let said = run(&["bench", "check", BENCH])?;
    said.note();
    said.ended_with(3)?;
    let failed: Vec<&str> = said.out.lines().filter(|line| line.trim_start().starts_with("failed")).collect();
    same("only the console is found", failed.iter().all(|line| line.contains("console")), true)?;
    same("it is found", failed.is_empty(), false)?;
    is_dark(&mut far)
}

/// Two instants of a cut, the second in another process: what was found before is not made again.
fn a_campaign() -> Result<(), Mishap> {
    let mut far = FarSide::plug(Station::Nrf51, &DEVICES)?;
    write_bench(Fed::ByLoadSwitch, &device_id()?)?;
    let sweep = ["sweep", "/scenarios/campaign.yaml", "--vary", "fault.after=20ms..120ms/2", "--bench", BENCH];
    let kept = ["--report", "/tmp/campaign"];
    let whole = run(&[&sweep[..], &kept].concat())?;
    whole.note();
    whole.ended_with(0)?;
    whole.says("(lane world)")?;
    whole.says("0 of 2 failed")?;
    let journal = fs::read_to_string("/tmp/campaign/journal.jsonl")?;
    let first_two: String = journal.lines().take(2).map(|line| format!("{line}\n")).collect();
    fs::write("/tmp/campaign/journal.jsonl", first_two)?;
    let boots = far.boots()?;
    let rest = run(&[&sweep[..], &kept].concat())?;
    rest.ended_with(0)?;
    rest.says("1 trials were made before")?;
    rest.says("0 of 2 failed")?;
    same("the board was fed again", far.boots()? > boots, true)?;
    is_dark(&mut far)
}

fn killed() -> Result<(), Mishap> {
    let kills = std::env::var("BRICKPROOF_LANE_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    let mut far = FarSide::plug(Station::Nrf51, &DEVICES)?;
    write_bench(Fed::ByLoadSwitch, &device_id()?)?;
    // Any sequence does, as long as it is the same each time.
    let mut random: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut left: BTreeMap<&str, u32> = BTreeMap::new();
    for _ in 0..kills {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut child = at_work(&mut far, &["run", "/scenarios/kill.yaml", "--bench", BENCH])?;
        // From the first of two cuts of 400 ms on, with the boot between them.
        await_feed(&mut far, Feed::Off)?;
        thread::sleep(Duration::from_millis((random >> 33) % 1_000));
        child.kill()?;
        child.wait()?;
        let state = match feed(&mut far)? {
            Feed::On => "fed",
            Feed::Off => "cut off",
        };
        *left.entry(state).or_default() += 1;
        let next = run(&["run", "/scenarios/kill.yaml", "--bench", BENCH])?;
        next.ended_with(0)?;
        if !next.err.contains("ended without leaving lane/virtual-board safe") {
            *left.entry("after its end: nothing to be made safe").or_default() += 1;
        }
        is_dark(&mut far)?;
    }
    note(&format!(
        "{kills} kills; right after them the board was: {left:?}; each next start made the station safe and its trial passed"
    ));
    Ok(())
}
