//! Other ends: a device behind a TCP port and one behind a pty, each on its own thread.

use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use brickproof_ends::{Device, Then};
use brickproof_instruments::{Deadline, Factory, Failure, Instrument, Kind, Settings, Supply, driver};
use brickproof_units::Span;
use serialport::{SerialPort, TTYPort};

/// A running device; it ends with this.
pub(crate) struct Running {
    pub(crate) at: String,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "the other end panicked");
        }
    }
}

const TICK: Duration = Duration::from_millis(2);

fn run(at: String, act: impl FnOnce(&AtomicBool) + Send + 'static) -> Running {
    let stop = Arc::new(AtomicBool::new(false));
    let inside = Arc::clone(&stop);
    Running { at, stop, thread: Some(thread::spawn(move || act(&inside))) }
}

fn serve(mut port: impl Read + Write, device: &mut impl Device, stop: &AtomicBool) {
    let mut buffer = [0; 4096];
    while !stop.load(Ordering::Relaxed) {
        let then = match port.read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => device.hear(&buffer[..read], &mut port),
            Err(error) if matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock) => {
                device.idle(&mut port)
            }
            // A pty whose other side is not open yet, or is closed between two connections.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe || error.raw_os_error() == Some(5) => {
                thread::sleep(TICK);
                Ok(Then::Stay)
            }
            Err(_) => return,
        };
        if let Ok(Then::Unplug) = then {
            return;
        }
    }
}

/// Puts a device behind a TCP port; it may be connected to again and again.
pub(crate) fn behind_tcp(mut device: impl Device) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is to be had");
    let at = listener.local_addr().expect("it is bound").to_string();
    listener.set_nonblocking(true).expect("sockets can");
    run(at, move |stop| {
        while !stop.load(Ordering::Relaxed) {
            match listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false).expect("sockets can");
                    stream.set_read_timeout(Some(TICK)).expect("sockets can");
                    serve(stream, &mut device, stop);
                }
                Err(_) => thread::sleep(TICK),
            }
        }
    })
}

/// Puts a device behind a pty. Unplugged, the pty is gone.
pub(crate) fn behind_pty(mut device: impl Device) -> Running {
    let (mut master, slave) = TTYPort::pair().expect("a pty is to be had");
    let at = slave.name().expect("it has a name");
    master.set_timeout(TICK).expect("ptys can");
    // As a device has it: nobody echoes and nobody turns newlines round before the port is opened.
    run(at, move |stop| {
        let _open = slave;
        serve(master, &mut device, stop);
    })
}

pub(crate) fn soon() -> Deadline {
    Deadline::after(Span::secs(5))
}

pub(crate) fn open_supply(word: &str, settings: &Settings, deadline: Deadline) -> Result<Box<dyn Supply>, Failure> {
    let factory: &dyn Factory = driver(Kind::Supply, word).expect("it is in the list");
    match factory.open(settings, deadline)? {
        Instrument::Supply(supply) => Ok(supply),
        _ => panic!("{word} is no supply"),
    }
}
