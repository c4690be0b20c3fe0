//! The driver `dfuse` over libusb on a simulated bootloader, with `dfu-util` as its witness.

use std::fs;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use brickproof_instruments::{Dfu, Failure, FailureKind, Instrument, Kind, Region, Settings, Value};
use brickproof_paced::devices::dfuse::{Dfuse, FLASH, Pattern};
use brickproof_paced::vhci::{self, Plugged};
use libtest_mimic::Trial;

use super::{open, soon, trial};
use crate::{Mishap, eventually, note, same};

/// The device key in the store: `dfu-util -d 2b04:d006 -a 1 -s 34:612`.
const KEY: Region = Region { address: 34, length: 612 };

pub(super) fn all() -> Vec<Trial> {
    vec![
        trial("dfuse::sees_the_bootloader_come_and_go", sees_the_bootloader_come_and_go),
        trial("dfuse::uploads_what_the_device_holds", uploads_what_the_device_holds),
        trial("dfuse::downloads_firmware_and_spares_its_neighbours", downloads_firmware_and_spares_its_neighbours),
        trial("dfuse::agrees_with_dfu_util_on_a_key_slot_both_ways", agrees_with_dfu_util_on_a_key_slot_both_ways),
        trial("dfuse::leaves_for_the_application", leaves_for_the_application),
        trial("dfuse::what_the_device_refuses_is_told", what_the_device_refuses_is_told),
        trial("dfuse::a_plug_that_is_pulled_in_the_middle_is_gone", a_plug_that_is_pulled_in_the_middle_is_gone),
    ]
}

struct Board {
    device: Arc<Mutex<Dfuse<Pattern>>>,
    plugged: Plugged,
}

impl Board {
    fn plug() -> Result<Self, Mishap> {
        let device = Arc::new(Mutex::new(Dfuse::with_pattern()));
        let plugged = vhci::plug(4, device.clone())?;
        let board = Self { device, plugged };
        let mut dfu = driver()?;
        eventually("the bootloader appears", Duration::from_secs(10), || dfu.is_there(soon()).ok()?.then_some(()))?;
        Ok(board)
    }

    fn device(&self) -> MutexGuard<'_, Dfuse<Pattern>> {
        self.device.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn driver() -> Result<Box<dyn Dfu>, Failure> {
    let settings = Settings::new().with("usb", Value::Text("2b04:d006".to_owned()));
    match open(Kind::Dfu, "dfuse", &settings)? {
        Instrument::Dfu(dfu) => Ok(dfu),
        _ => unreachable!("the factory of bootloaders opens bootloaders"),
    }
}

fn pattern(length: usize, salt: u8) -> Vec<u8> {
    (0..length).map(|at| (at as u8).wrapping_mul(37) ^ salt).collect()
}

fn sees_the_bootloader_come_and_go() -> Result<(), Mishap> {
    let mut dfu = driver()?;
    same("before it is plugged in", dfu.is_there(soon())?, false)?;
    let mut board = Board::plug()?;
    same("while it is", dfu.is_there(soon())?, true)?;
    board.plugged.pull()?;
    let is_gone = || (!dfu.is_there(soon()).ok()?).then_some(());
    eventually("it is gone", Duration::from_secs(10), is_gone)
}

fn uploads_what_the_device_holds() -> Result<(), Mishap> {
    let board = Board::plug()?;
    let mut dfu = driver()?;
    let key = dfu.upload(1, KEY, soon())?;
    same("the key slot", key == board.device().memory().store()[34..646], true)?;
    let region = Region { address: FLASH + 0x1_F000, length: 10_000 };
    let flash = dfu.upload(0, region, soon())?;
    same("flash across a sector's border", flash == board.device().memory().flash()[0x1_F000..0x1_F000 + 10_000], true)
}

fn downloads_firmware_and_spares_its_neighbours() -> Result<(), Mishap> {
    let board = Board::plug()?;
    let before = board.device().memory().flash().to_vec();
    let firmware = pattern(200_000, 0x5A);
    driver()?.download(0, FLASH + 0x2_0100, &firmware, soon())?;
    let device = board.device();
    let (start, end) = (0x2_0100, 0x2_0100 + firmware.len());
    same("the firmware", device.memory().flash()[start..end] == firmware, true)?;
    same("what stood before it in its sector", device.memory().flash()[..start] == before[..start], true)?;
    same("what stood behind it in its sector", device.memory().flash()[end..] == before[end..], true)?;
    same("the sectors", device.memory().erased(), &[FLASH + 0x2_0000, FLASH + 0x4_0000])
}

/// Runs the stock client; answers what it said when it failed.
fn dfu_util(arguments: &[&str]) -> Result<(), Mishap> {
    let output = Command::new("dfu-util").args(["-d", "2b04:d006"]).args(arguments).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("dfu-util: {}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
        .into())
}

fn agrees_with_dfu_util_on_a_key_slot_both_ways() -> Result<(), Mishap> {
    let board = Board::plug()?;
    let mut dfu = driver()?;
    let file = "/tmp/key.der";
    let slot = || board.device().memory().store()[34..646].to_vec();

    // What dfu-util reads, our client reads.
    dfu_util(&["-a", "1", "-s", "34:612", "-U", file])?;
    same("read", (fs::read(file)? == slot(), dfu.upload(1, KEY, soon())? == slot()), (true, true))?;
    // What dfu-util writes, our client reads.
    let theirs = pattern(612, 0x11);
    fs::write(file, &theirs)?;
    dfu_util(&["-a", "1", "-s", "34", "-D", file])?;
    same("written by dfu-util", (slot() == theirs, dfu.upload(1, KEY, soon())? == theirs), (true, true))?;
    // What our client writes, dfu-util reads.
    let ours = pattern(612, 0x22);
    dfu.download(1, 34, &ours, soon())?;
    fs::remove_file(file)?;
    dfu_util(&["-a", "1", "-s", "34:612", "-U", file])?;
    same("written by our client", (slot() == ours, fs::read(file)? == ours), (true, true))?;
    note("dfu-util -d 2b04:d006 -a 1 -s 34:612 and our client agree byte for byte");
    Ok(())
}

fn leaves_for_the_application() -> Result<(), Mishap> {
    let mut board = Board::plug()?;
    let device = board.device.clone();
    // A board that leaves goes from the bus.
    let resets = std::thread::spawn(move || {
        let told = || device.lock().unwrap_or_else(PoisonError::into_inner).memory().has_left().then_some(());
        eventually("it is told to leave", Duration::from_secs(10), told).map_err(|error| error.to_string())?;
        board.plugged.pull().map_err(|error| error.to_string())
    });
    let left = driver()?.leave(soon());
    resets.join().map_err(|_| "the board panicked")??;
    left?;
    same("it is gone", driver()?.is_there(soon())?, false)
}

fn what_the_device_refuses_is_told() -> Result<(), Mishap> {
    let _board = Board::plug()?;
    let mut dfu = driver()?;
    let beyond = Region { address: FLASH + 0x20_0000, length: 16 };
    let failure = dfu.upload(0, beyond, soon()).err().ok_or("memory that is not there was read")?;
    note(&failure.to_string());
    same("and it works again", dfu.upload(1, KEY, soon()).is_ok(), true)
}

fn a_plug_that_is_pulled_in_the_middle_is_gone() -> Result<(), Mishap> {
    let mut board = Board::plug()?;
    let mut dfu = driver()?;
    let puller = std::thread::spawn(move || {
        // Once the first sector is erased, the transfer is under way.
        let begun = || (!board.device().memory().erased().is_empty()).then_some(());
        let waited =
            eventually("the download begins", Duration::from_secs(10), begun).map_err(|error| error.to_string());
        waited.and_then(|()| board.plugged.pull().map_err(|error| error.to_string()))
    });
    let result = dfu.download(0, FLASH + 0x2_0000, &pattern(800_000, 0x33), soon());
    puller.join().map_err(|_| "the puller panicked")??;
    let failure = result.err().ok_or("it went on without its plug")?;
    note(&failure.to_string());
    match failure.into_kind() {
        FailureKind::Gone(_) | FailureKind::Missing(_) => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}
