//! The far side of a guest: a station whose board runs on the host, its devices on a unix socket each, and one socket more to ask it
//! what no device tells.
//!
//! Boundary: sockets. Who leads them into the guest, QEMU's virtio-serial ports for instance, is the caller's.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread;

use crate::board::Hand;
use crate::relay::DeviceSide;
use crate::station::StationDevice;

/// The name of the socket and of the port by which the far side is asked.
pub const CONTROL: &str = "control";

/// A device's name as the name of a port.
pub fn port_name(device: &str) -> String {
    format!("brickproof.{device}")
}

struct Door {
    name: &'static str,
    side: DeviceSide,
}

/// Waits in `folder` until each device is fetched, by whoever connects to its socket, and then answers what the control socket asks until
/// that is closed. `ready` is called when all of the sockets are there.
///
/// # Errors
///
/// What the operating system says.
pub fn serve(hand: &Hand, devices: &[StationDevice], folder: &Path, ready: impl FnOnce()) -> io::Result<()> {
    let listen = |name: &str| UnixListener::bind(folder.join(format!("{name}.sock")));
    let control = listen(CONTROL)?;
    let listeners = devices.iter().map(|device| listen(device.name)).collect::<io::Result<Vec<_>>>()?;
    ready();
    // In whatever order they are fetched.
    let waiting = thread::spawn(move || {
        listeners.iter().map(|listener| listener.accept().map(|(stream, _)| stream)).collect::<io::Result<Vec<_>>>()
    });
    let (asked, _) = control.accept()?;
    let streams = waiting.join().map_err(|_| io::Error::other("waiting for the devices' sockets failed"))??;
    let doors = devices
        .iter()
        .zip(streams)
        .map(|(StationDevice { name, device }, stream)| {
            Ok(Door { name, side: DeviceSide::new(stream, device.clone())? })
        })
        .collect::<io::Result<Vec<_>>>()?;
    let mut answers = asked.try_clone()?;
    for line in BufReader::new(asked).lines() {
        let answer = answer(hand, &doors, &line?).unwrap_or_else(|error| format!("error: {error}"));
        writeln!(answers, "{answer}")?;
    }
    Ok(())
}

fn answer(hand: &Hand, doors: &[Door], question: &str) -> io::Result<String> {
    let words: Vec<&str> = question.split_whitespace().collect();
    match *words.as_slice() {
        ["plug", name] => door(doors, name)?.side.plug().map(|()| "plugged".to_owned()),
        ["unplug", name] => door(doors, name)?.side.unplug().map(|()| "unplugged".to_owned()),
        ["boots"] => Ok(hand.boots().to_string()),
        ["input"] => Ok(hand.read_supply().input.get().to_string()),
        ["rail"] => Ok(hand.read_supply().rail.get().to_string()),
        ["pace"] => {
            let pace = hand.pace();
            let [median, p99, latest] = [pace.median(), pace.p99(), pace.latest()].map(|span| span.as_nanos());
            Ok(format!("{} {median} {p99} {latest}", pace.count_of_due()))
        }
        ["begin"] => {
            hand.begin_pace();
            Ok("begun".to_owned())
        }
        _ => Err(io::Error::other(format!("{question:?} is no question"))),
    }
}

fn door<'a>(doors: &'a [Door], name: &str) -> io::Result<&'a Door> {
    doors.iter().find(|door| door.name == name).ok_or_else(|| io::Error::other(format!("no device is called {name}")))
}
