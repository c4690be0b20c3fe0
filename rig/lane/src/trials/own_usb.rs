//! The board's own USB behind this kernel: a serial port, a bootloader, or nothing, as its machine code has it. Our drivers ask it for modes and
//! write its flash; `dfu-util` and `picocom` do the same beside them.
//!
//! Boundary: the board lives on the host, in wall-clock time. What its flash holds is asked there.

use std::fs;
use std::process::Command;
use std::sync::mpsc::{self, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use brickproof_instruments::{
    Console, Deadline, Dfu, Drive, Failure, FailureKind, Instrument, Kind, Lines, Owner, Presence, Region, Settings,
    Supply, Switch, Touch, UsbId, Value,
};
use brickproof_units::{Baud, Span};
use libtest_mimic::Trial;

use super::bench::{BENCH, await_devices, is_dark, run};
use super::virtual_station::{FIRST_LINE, PATIENCE, Talk, drive, lines, load_switch, serial_port};
use super::{open, soon, trial};
use crate::far_side::{FarSide, Station};
use crate::{Mishap, eventually, note, same};

/// Numbers that pid.codes keeps for tests (hardware/boards/lantern-nrf52840.yaml).
const NORMAL: UsbId = UsbId { vendor: 0x1209, product: 0x0005 };
const DFU: &str = "1209:0006";
const NO_HEAL: &[u8] = include_bytes!("../../../../fixtures/firmware/images/lantern-no-heal.bin");
const HEAL_FULL: &[u8] = include_bytes!("../../../../fixtures/firmware/images/lantern-heal-full.bin");
/// With which the board is born.
const HEAL_PARSE: &[u8] = include_bytes!("../../../../fixtures/firmware/images/lantern-heal-parse.bin");
const PAGE: u32 = 4096;
/// Rates and requests of hardware/families/lantern.yaml.
const TO_DFU: Baud = Baud::new(14_400);
const TO_LISTENING: Baud = Baud::new(28_800);

pub(super) fn all() -> Vec<Trial> {
    vec![
        trial("own_usb::dfu_util_lists_uploads_downloads_and_leaves", dfu_util_lists_uploads_downloads_and_leaves),
        trial("own_usb::our_client_writes_firmware_that_then_runs", our_client_writes_firmware_that_then_runs),
        trial("own_usb::a_cut_in_a_download_is_told_and_a_second_one_heals", a_cut_in_a_download_is_told),
        trial("own_usb::a_touch_of_ours_changes_the_mode", || touched(Hand::Ours)),
        trial("own_usb::a_touch_of_picocom_changes_the_mode", || touched(Hand::Picocom)),
        trial("own_usb::requests_change_the_mode_or_are_refused", requests_change_the_mode_or_are_refused),
        trial("own_usb::it_comes_and_goes_in_order", it_comes_and_goes_in_order),
        trial("own_usb::a_trial_enters_dfu_by_buttons_and_by_request", a_trial_enters_dfu_by_buttons_and_by_request),
        trial("own_usb::a_trial_enters_dfu_by_baud_through_the_boards_own_port", a_trial_enters_dfu_by_baud),
        trial("own_usb::a_trial_rescues_keys_and_firmware_through_the_bootloader", a_trial_rescues_keys_and_firmware),
    ]
}

/// The board in its station, which feeds it.
struct Bench {
    lines: Arc<Owner<dyn Lines>>,
    switch: Box<dyn Supply>,
    talk: Talk,
    dfu: Box<dyn Dfu>,
    /// The last to go: the others hold devices of it.
    far: FarSide,
}

impl Bench {
    /// With power; its firmware is on the bus.
    fn start() -> Result<Self, Mishap> {
        let mut bench = Self::plug()?;
        bench.power(Switch::On)?;
        bench.becomes(Presence::Firmware)?;
        Ok(bench)
    }

    /// Without power.
    fn plug() -> Result<Self, Mishap> {
        let mut far = FarSide::plug(Station::Nrf52840, &["lines", "bus", "console", "usb"])?;
        let (lines, talk) = (lines()?, Talk::open("VB0840")?);
        let switch = load_switch(&lines)?;
        let dfu = dfu(&far.ask("id")?)?;
        Ok(Self { lines, switch, talk, dfu, far })
    }

    fn power(&mut self, switch: Switch) -> Result<(), Mishap> {
        Ok(self.switch.switch(switch, soon()).map(drop)?)
    }

    fn becomes(&mut self, wanted: Presence) -> Result<(), Mishap> {
        let is_it = || (self.dfu.presence(NORMAL, soon()).ok()? == wanted).then_some(());
        eventually(&format!("the board is {wanted:?} on USB"), PATIENCE, is_it)
    }

    /// Into the bootloader, by the request that the firmware serves.
    fn enter_dfu(&mut self) -> Result<(), Mishap> {
        self.dfu.request(NORMAL, 50, soon())?;
        self.becomes(Presence::Bootloader)?;
        self.talk.until("DFU mode").map(drop)
    }

    /// Into the bootloader without any firmware: MODE held through a reset, for longer than safe mode and shorter than 6.5 s.
    fn enter_dfu_by_buttons(&mut self) -> Result<(), Mishap> {
        drive(&self.lines, "mode", Drive::Asserted)?;
        drive(&self.lines, "reset", Drive::Asserted)?;
        drive(&self.lines, "reset", Drive::Released)?;
        thread::sleep(Duration::from_millis(4_500));
        drive(&self.lines, "mode", Drive::Released)?;
        self.becomes(Presence::Bootloader)?;
        self.talk.until("DFU mode").map(drop)
    }

    /// The application says which it is.
    fn runs(&mut self, release: &str) -> Result<(), Mishap> {
        let heard = self.talk.until(FIRST_LINE)?;
        let first = heard.lines().last().unwrap_or_default();
        note(first);
        same(&format!("it is {release}"), first.contains(&format!(" {release},")), true)?;
        self.becomes(Presence::Firmware)
    }
}

fn text(word: &str) -> Value {
    Value::Text(word.to_owned())
}

fn dfu(serial: &str) -> Result<Box<dyn Dfu>, Failure> {
    let settings = Settings::new().with("usb", text(DFU)).with("serial", text(serial));
    match open(Kind::Dfu, "dfuse", &settings)? {
        Instrument::Dfu(dfu) => Ok(dfu),
        _ => unreachable!("the factory of bootloaders opens bootloaders"),
    }
}

/// Erasing a page takes 85 ms, programming it 42 ms.
fn long() -> Deadline {
    Deadline::after(Span::secs(60))
}

/// The pages that an image lies in.
fn pages(image: &[u8]) -> u32 {
    (image.len() as u32).next_multiple_of(PAGE)
}

/// Runs the stock client; answers what it printed.
fn dfu_util(arguments: &[&str]) -> Result<String, Mishap> {
    let output = Command::new("dfu-util").args(arguments).output()?;
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(said) } else { Err(format!("dfu-util {arguments:?}: {said}").into()) }
}

fn dfu_util_lists_uploads_downloads_and_leaves() -> Result<(), Mishap> {
    const FILE: &str = "/tmp/flash.bin";
    let mut bench = Bench::start()?;
    bench.enter_dfu()?;
    let listed = dfu_util(&["-l"])?;
    let found = listed.lines().find(|line| line.contains("Found DFU")).unwrap_or_default();
    note(found);
    for part in [DFU, "alt=0", "name=\"@internal   /0x00000000/256*004Kg\"", &bench.far.ask("id")?] {
        same(&format!("it lists {part}"), found.contains(part), true)?;
    }
    let length = pages(HEAL_PARSE) as usize;
    dfu_util(&["-d", DFU, "-a", "0", "-s", &format!("0:{length}"), "-U", FILE])?;
    let uploaded = fs::read(FILE)?;
    same("what it reads is in the flash", uploaded == bench.far.flash(0, length)?, true)?;
    fs::remove_file(FILE)?;

    fs::write(FILE, NO_HEAL)?;
    let said = dfu_util(&["-d", DFU, "-a", "0", "-s", "0:leave", "-D", FILE])?;
    said.lines().rev().take(3).for_each(note);
    bench.runs("no-heal")?;
    same("the image is in the flash", bench.far.flash(0, NO_HEAL.len())? == NO_HEAL, true)?;
    bench.power(Switch::Off)
}

fn our_client_writes_firmware_that_then_runs() -> Result<(), Mishap> {
    let mut bench = Bench::start()?;
    bench.enter_dfu()?;
    // To the end of its last page, and the next page.
    let (start, end) = (HEAL_FULL.len() as u32, pages(HEAL_FULL) + PAGE);
    let behind = Region { address: start, length: end - start };
    let neighbours = bench.far.flash(start, behind.length as usize)?;
    same("what it reads is in the flash", bench.dfu.upload(0, behind, long())? == neighbours, true)?;
    bench.dfu.download(0, 0, HEAL_FULL, long())?;
    same("the image is in the flash", bench.far.flash(0, HEAL_FULL.len())? == HEAL_FULL, true)?;
    let after = bench.far.flash(start, behind.length as usize)?;
    same("what stood behind it in its page and in the next", after == neighbours, true)?;
    bench.dfu.leave(soon())?;
    bench.runs("heal-full")?;
    bench.power(Switch::Off)
}

/// The power goes while the bootloader erases and programs; what it has written so far is what is there then.
fn a_cut_in_a_download_is_told() -> Result<(), Mishap> {
    let mut bench = Bench::start()?;
    bench.enter_dfu()?;
    // Nothing of it is in any of the images.
    let image: Vec<u8> = HEAL_PARSE.iter().map(|byte| byte.rotate_left(3) ^ 0x5A).collect();
    let serial = bench.far.ask("id")?;
    let (tell, told) = mpsc::channel();
    let (mut client, whole) = (dfu(&serial)?, image.clone());
    let writer = thread::spawn(move || {
        // Nobody listens if the trial has failed already.
        let _ = tell.send(client.download(0, 0, &whole, long()));
    });
    let reached = 4 * PAGE;
    let has_come =
        |far: &mut FarSide| far.flash(reached, 256).is_ok_and(|there| there == image[reached as usize..][..256]);
    eventually("the fifth page is being written", PATIENCE, || has_come(&mut bench.far).then_some(()))?;
    same("and the transfer goes on", told.try_recv().err(), Some(TryRecvError::Empty))?;
    bench.power(Switch::Off)?;
    let failure = told.recv_timeout(PATIENCE)?.err().ok_or("it went on without power")?;
    writer.join().map_err(|_| "the client panicked")?;
    note(&failure.to_string());
    let words = failure.to_string();
    same("it is gone", matches!(failure.into_kind(), FailureKind::Gone(_)), true)?;
    same(
        "it tells where it stopped",
        words.contains(&format!("it stopped after {reached} of {} bytes", image.len())),
        true,
    )?;
    let there = bench.far.flash(0, image.len())?;
    let written = there.iter().zip(&image).take_while(|(there, wanted)| there == wanted).count() as u32;
    note(&format!("the flash holds the first {written} bytes of the new image"));
    same("a part of it is there", (reached..image.len() as u32).contains(&written), true)?;

    bench.power(Switch::On)?;
    bench.enter_dfu_by_buttons()?;
    bench.dfu.download(0, 0, HEAL_PARSE, long())?;
    bench.dfu.leave(soon())?;
    bench.runs("heal-parse")?;
    bench.power(Switch::Off)
}

/// Who opens the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hand {
    Ours,
    Picocom,
}

fn own_port() -> Result<String, Mishap> {
    eventually("the board's own port", PATIENCE, || serial_port("0005"))
}

fn touch(hand: Hand, baud: Baud) -> Result<(), Mishap> {
    let port = own_port()?;
    match hand {
        Hand::Ours => {
            let settings = Settings::new().with("usb", text("1209:0005"));
            let console = |settings: &Settings| match open(Kind::Console, "serial", settings)? {
                Instrument::Console(console) => Ok::<Box<dyn Console>, Failure>(console),
                _ => unreachable!("the factory of consoles opens consoles"),
            };
            console(&settings)?.touch(Touch(baud), soon()).map(drop)?;
        }
        Hand::Picocom => {
            // It sets the rate, and ends.
            let output =
                Command::new("picocom").args(["--quiet", "--exit", "-b", &baud.get().to_string(), &port]).output()?;
            note(&format!("picocom -b {} {port}: {}", baud.get(), output.status));
        }
    }
    Ok(())
}

fn touched(hand: Hand) -> Result<(), Mishap> {
    let mut bench = Bench::start()?;
    bench.talk.until(FIRST_LINE)?;
    let boots = bench.far.boots()?;
    // A rate that means nothing.
    touch(hand, Baud::new(115_200))?;
    touch(hand, TO_LISTENING)?;
    bench.talk.until("Listening mode")?;
    same("it has not booted for that", bench.far.boots()?, boots)?;
    bench.becomes(Presence::Firmware)?;
    touch(hand, TO_DFU)?;
    bench.talk.until("DFU mode")?;
    bench.becomes(Presence::Bootloader)?;
    same("it has booted once for that", bench.far.boots()?, boots + 1)?;
    bench.dfu.leave(soon())?;
    bench.becomes(Presence::Firmware)?;
    bench.power(Switch::Off)
}

fn requests_change_the_mode_or_are_refused() -> Result<(), Mishap> {
    let mut bench = Bench::start()?;
    bench.talk.until(FIRST_LINE)?;
    // Factory reset, for which there is no image; and what nobody knows.
    for refused in [41, 99] {
        let failure = bench.dfu.request(NORMAL, refused, soon()).err().ok_or("it was accepted")?;
        note(&failure.to_string());
        same("it refuses", matches!(failure.into_kind(), FailureKind::Refused(_)), true)?;
    }
    bench.dfu.request(NORMAL, 70, soon())?;
    bench.talk.until("Listening mode")?;
    bench.dfu.request(NORMAL, 71, soon())?;
    bench.talk.until("Listening mode ended")?;
    bench.dfu.request(NORMAL, 60, soon())?;
    bench.talk.until("Safe mode")?;
    bench.becomes(Presence::Firmware)?;
    bench.enter_dfu()?;
    let failure = bench.dfu.request(NORMAL, 50, soon()).err().ok_or("a bootloader served it")?;
    note(&failure.to_string());
    same("its firmware is not there", matches!(failure.into_kind(), FailureKind::Missing(_)), true)?;
    bench.dfu.leave(soon())?;
    bench.becomes(Presence::Firmware)?;
    bench.power(Switch::Off)
}

/// What a watcher sees that looks every few milliseconds.
fn it_comes_and_goes_in_order() -> Result<(), Mishap> {
    let mut bench = Bench::plug()?;
    let mut watcher = dfu(&bench.far.ask("id")?)?;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (stop, stopped) = mpsc::channel::<()>();
    let noted = Arc::clone(&seen);
    let watching = thread::spawn(move || {
        while stopped.try_recv() == Err(TryRecvError::Empty) {
            let presence = watcher.presence(NORMAL, soon()).map_err(|failure| failure.to_string())?;
            let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
            if noted.last() != Some(&presence) {
                noted.push(presence);
            }
            drop(noted);
            thread::sleep(Duration::from_millis(2));
        }
        Ok::<_, String>(())
    });
    let seen = || seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let sees = |presence| {
        eventually(&format!("the watcher sees {presence:?}"), PATIENCE, || {
            (seen().last() == Some(&presence)).then_some(())
        })
    };
    sees(Presence::Gone)?;
    bench.power(Switch::On)?;
    sees(Presence::Firmware)?;
    bench.enter_dfu()?;
    sees(Presence::Bootloader)?;
    bench.dfu.leave(soon())?;
    sees(Presence::Firmware)?;
    bench.power(Switch::Off)?;
    sees(Presence::Gone)?;
    drop(stop);
    watching.join().map_err(|_| "the watcher panicked")??;
    note(&format!("{:?}", seen()));
    let [gone, firmware, bootloader] = [Presence::Gone, Presence::Firmware, Presence::Bootloader];
    same("in order", seen(), vec![gone, firmware, gone, bootloader, gone, firmware, gone])
}

/// Writes the bench file of this station, whose console is this.
fn write_bench(far: &mut FarSide, console: &str) -> Result<(), Mishap> {
    let (bus, id) = (await_devices()?, far.ask("id")?);
    let text = format!(
        r#"bench: lane
world: lane
stations:
  own-usb:
    board: lantern-nrf52840
    serial: "{id}"
    lines: {{ driver: gpiocdev, chip: cp2112_gpio, drive: {{ reset: "0", mode: "1", power: "3 push-pull active-high" }} }}
    supply: {{ driver: load-switch, line: power, voltage: 5V, settles: 2ms, monitor: ina226, bus: {bus} }}
    probe: {{ driver: probe-rs, usb: "1209:0002", serial: VB0840, chip: nRF52840_xxAA }}
    dfu: {{ driver: dfuse, usb: "1209:0006", serial: "{id}" }}
    {console}
"#
    );
    Ok(fs::write(BENCH, text)?)
}

const DEVICES: [&str; 5] = ["lines", "bus", "console", "probe", "usb"];
/// The rig plays the cloud on the board's UART.
const WITH_CLOUD: &str =
    "console: { driver: serial, usb: \"2b04:c006\", serial: VB0840 }\n    cloud: { driver: console }";
const OWN_CONSOLE: &str = "console: { driver: serial, usb: \"1209:0005\" }";

/// Runs a scenario on the station with that console, and sees that it passes and leaves the board without power.
fn passes(console: &str, scenario: &[&str]) -> Result<(), Mishap> {
    let mut far = FarSide::plug(Station::Nrf52840, &DEVICES)?;
    write_bench(&mut far, console)?;
    let said = run(&[&["run"], scenario, &["--bench", BENCH]].concat())?;
    said.note();
    said.ended_with(0)?;
    said.says("in the lane world")?;
    is_dark(&mut far)
}

fn a_trial_enters_dfu_by_buttons_and_by_request() -> Result<(), Mishap> {
    for way in ["way=buttons", "way=request"] {
        passes(WITH_CLOUD, &["/scenarios/into-dfu-and-back.yaml", "--set", way])?;
    }
    Ok(())
}

fn a_trial_enters_dfu_by_baud() -> Result<(), Mishap> {
    passes(OWN_CONSOLE, &["/scenarios/into-dfu-and-back.yaml", "--set", "way=baud"])
}

/// Keys saved, damaged, written back, and firmware torn and written again, all of it through the bootloader.
fn a_trial_rescues_keys_and_firmware() -> Result<(), Mishap> {
    passes(WITH_CLOUD, &["/scenarios/rescued-through-dfu.yaml", "--attempts", "5"])
}
