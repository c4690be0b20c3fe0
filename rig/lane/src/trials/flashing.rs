//! The command goes from one release to another on the station whose board lives on the host, and is struck in the middle of it; what the flash
//! holds then is read by stock probe-rs, through the kernel's USB.

use std::fs;

use brickproof_instruments::Switch;
use libtest_mimic::Trial;
use probe_rs::probe::list::Lister;
use probe_rs::probe::{DebugProbeSelector, WireProtocol};
use probe_rs::{MemoryInterface as _, Permissions};
use serde_json::Value;

use super::bench::{BENCH, DEVICES, Fed, device_id, evidence, is_dark, run, write_bench};
use super::virtual_station::{lines, load_switch};
use super::{soon, trial};
use crate::far_side::{FarSide, Station};
use crate::{Mishap, note, same};

const OLD: &[u8] = include_bytes!("../../../../fixtures/firmware/images/lantern-no-heal.bin");
const NEW: &[u8] = include_bytes!("../../../../fixtures/firmware/images/lantern-heal-full.bin");
const REPORT: &str = "/tmp/flashing";

pub(super) fn all() -> Vec<Trial> {
    vec![
        trial("flashing::a_board_goes_to_another_release_and_back", there_and_back),
        trial("flashing::a_cut_in_the_middle_leaves_a_torn_release_and_flashing_again_heals_it", cut_and_flashed_again),
    ]
}

/// What the first bytes of the flash are, as stock probe-rs reads them from a board that is fed for it. The board must be dark, and is afterwards.
fn read_by_stock_probe_rs(length: usize) -> Result<Vec<u8>, Mishap> {
    let mut switch = load_switch(&lines()?)?;
    switch.switch(Switch::On, soon())?;
    let read = || -> Result<Vec<u8>, Mishap> {
        let (vendor_id, product_id, serial_number) = (0x1209, 0x0002, Some("VB0001".to_owned()));
        let mut probe =
            Lister::new().open(DebugProbeSelector { vendor_id, product_id, interface: None, serial_number })?;
        probe.select_protocol(WireProtocol::Swd)?;
        let mut session = probe.attach("nRF51822_xxAA", Permissions::default())?;
        let mut bytes = vec![0; length];
        session.core(0)?.read(0, &mut bytes)?;
        Ok(bytes)
    };
    let read = read();
    switch.switch(Switch::Off, soon())?;
    read
}

fn there_and_back() -> Result<(), Mishap> {
    let mut far = FarSide::plug(Station::Nrf51, &DEVICES)?;
    write_bench(Fed::ByLoadSwitch, &device_id()?)?;
    let cell = ["--set", "board=lantern-nrf51", "--set", "from=no-heal", "--set", "to=heal-full", "--bench", BENCH];
    let said = run(&[&["run", "/scenarios/transitions/there-and-back.yaml"], &cell[..]].concat())?;
    said.note();
    said.ended_with(0)?;
    is_dark(&mut far)?;
    same("stock probe-rs reads no-heal", read_by_stock_probe_rs(OLD.len())? == OLD, true)
}

/// How much was written when the fault struck, as was told last before it, and how much may have been once the board's capacitors were empty, as
/// was told at last.
fn surely_and_possibly_written() -> Result<[usize; 2], Mishap> {
    let trial = evidence(REPORT)?;
    let achieved = &trial["faults"][0]["achieved"];
    let began = achieved["began_ns"].as_u64().ok_or("the fault was not made")?;
    let folder = format!("{REPORT}/trials/{}", trial["id"].as_str().unwrap_or_default());
    let timeline = fs::read_to_string(format!("{folder}/timeline.jsonl"))?;
    let events = timeline.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let told: Vec<Value> = events.filter(|it| it["kind"] == "progress").collect();
    let struck = told.iter().rfind(|it| it["t"].as_u64() <= Some(began)).ok_or("no progress was told before it")?;
    let last = told.last().ok_or("no progress was told")?;
    note(&format!("told before the fault: {struck}; at last: {last}; {}", trial["faults"][0]["trigger"]));
    let bytes = |told: &Value, name: &str| told[name].as_u64().and_then(|bytes| usize::try_from(bytes).ok());
    let possibly = bytes(last, "done_bytes").zip(bytes(last, "uncertainty_bytes")).map(|(done, more)| done + more);
    Ok([bytes(struck, "done_bytes").ok_or("how much is not told")?, possibly.ok_or("how surely is not told")?])
}

fn cut_and_flashed_again() -> Result<(), Mishap> {
    let mut far = FarSide::plug(Station::Nrf51, &DEVICES)?;
    write_bench(Fed::ByLoadSwitch, &device_id()?)?;
    let torn = run(&["run", "/scenarios/torn.yaml", "--bench", BENCH, "--report", REPORT])?;
    torn.note();
    torn.ended_with(0)?;
    is_dark(&mut far)?;
    let [done, rest] = surely_and_possibly_written()?;
    let flash = read_by_stock_probe_rs(NEW.len().min(OLD.len()))?;
    same("what was told as written is the new release", flash[..done] == NEW[..done], true)?;
    same("what cannot have been written is the old one", flash[rest..] == OLD[rest..flash.len()], true)?;
    same("it is torn between them", flash == NEW[..flash.len()] || flash == OLD[..flash.len()], false)?;
    is_dark(&mut far)?;
    let healed = run(&["run", "/scenarios/flashed-again.yaml", "--bench", BENCH])?;
    healed.note();
    healed.ended_with(0)?;
    is_dark(&mut far)?;
    same("stock probe-rs reads heal-full", read_by_stock_probe_rs(NEW.len())? == NEW, true)
}
