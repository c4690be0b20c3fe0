//! The far side of a guest: stations whose boards run on the host, their devices on a unix socket each, and one socket more to ask
//! what no device tells.
//!
//! Boundary: sockets. Who leads them into the guest, QEMU's virtio-serial ports for instance, is the caller's.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread;

use brickproof_virtual_board::board::Board;

use crate::board::Hand;
use crate::relay::DeviceSide;
use crate::station::StationDevice;

/// The name of the socket and of the port by which the far side is asked.
pub const CONTROL: &str = "control";

/// A device's name as the name of a port.
pub fn port_name(device: &str) -> String {
    format!("brickproof.{device}")
}

/// A station of the far side.
pub struct FarStation {
    /// What it is called.
    pub name: &'static str,
    /// A hand on its board.
    pub hand: Hand,
    /// What can be fetched of it.
    pub devices: Vec<StationDevice>,
}

/// The name of a device of a station, among those of other stations.
pub fn device_name(station: &str, device: &str) -> String {
    format!("{station}.{device}")
}

struct Door {
    name: String,
    side: DeviceSide,
}

/// Waits in `folder` until each device is fetched, by whoever connects to its socket, and then answers what the control socket asks until
/// that is closed. `ready` is called when all of the sockets are there.
///
/// # Errors
///
/// What the operating system says.
pub fn serve(stations: &[FarStation], folder: &Path, ready: impl FnOnce()) -> io::Result<()> {
    let listen = |name: &str| UnixListener::bind(folder.join(format!("{name}.sock")));
    let control = listen(CONTROL)?;
    let devices: Vec<_> = stations
        .iter()
        .flat_map(|station| station.devices.iter().map(|device| (device_name(station.name, device.name), device)))
        .collect();
    let listeners = devices.iter().map(|(name, _)| listen(name)).collect::<io::Result<Vec<_>>>()?;
    ready();
    // In whatever order they are fetched.
    let waiting = thread::spawn(move || {
        listeners.iter().map(|listener| listener.accept().map(|(stream, _)| stream)).collect::<io::Result<Vec<_>>>()
    });
    let (asked, _) = control.accept()?;
    let streams = waiting.join().map_err(|_| io::Error::other("waiting for the devices' sockets failed"))??;
    let doors = devices
        .into_iter()
        .zip(streams)
        .map(|((name, device), stream)| Ok(Door { name, side: DeviceSide::new(stream, device.device.clone())? }))
        .collect::<io::Result<Vec<_>>>()?;
    let mut answers = asked.try_clone()?;
    for line in BufReader::new(asked).lines() {
        let answer = answer(stations, &doors, &line?).unwrap_or_else(|error| format!("error: {error}"));
        writeln!(answers, "{answer}")?;
    }
    Ok(())
}

fn answer(stations: &[FarStation], doors: &[Door], question: &str) -> io::Result<String> {
    let words: Vec<&str> = question.split_whitespace().collect();
    match *words.as_slice() {
        ["plug", name] => door(doors, name)?.side.plug().map(|()| "plugged".to_owned()),
        ["unplug", name] => door(doors, name)?.side.unplug().map(|()| "unplugged".to_owned()),
        [station, ref asked @ ..] => {
            let station = stations.iter().find(|known| known.name == station);
            let station = station.ok_or_else(|| io::Error::other(format!("{question:?} is of no station")))?;
            of_board(&station.hand, asked).ok_or_else(|| io::Error::other(format!("{question:?} is no question")))
        }
        [] => Err(io::Error::other("nothing was asked")),
    }
}

/// What a board is asked that no device of its station tells; `None` if it is no such question.
fn of_board(hand: &Hand, asked: &[&str]) -> Option<String> {
    Some(match *asked {
        ["boots"] => hand.boots().to_string(),
        ["input"] => hand.read_supply().input.get().to_string(),
        ["rail"] => hand.read_supply().rail.get().to_string(),
        ["id"] => hand.with_board(|board| unique_id(board)),
        ["flash", address, length] => {
            let mut bytes = vec![0; length.parse().ok()?];
            let address = address.parse().ok()?;
            hand.with_board(|board| board.flash().read_raw(address, &mut bytes)).ok()?;
            hex(&bytes)
        }
        ["pace"] => {
            let pace = hand.pace();
            let [median, p99, latest] = [pace.median(), pace.p99(), pace.latest()].map(|span| span.as_nanos());
            format!("{} {median} {p99} {latest}", pace.count_of_due())
        }
        ["begin"] => {
            hand.begin_pace();
            "begun".to_owned()
        }
        _ => return None,
    })
}

/// The unique id of its chip as a bench file and its USB have it.
pub(crate) fn unique_id(board: &Board) -> String {
    hex(&board.soc().unique_id())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn door<'a>(doors: &'a [Door], name: &str) -> io::Result<&'a Door> {
    doors.iter().find(|door| door.name == name).ok_or_else(|| io::Error::other(format!("no device is called {name}")))
}
