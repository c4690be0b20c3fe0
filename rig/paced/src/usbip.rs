//! The device's side of USB/IP, over a stream.
//!
//! Boundary: transfers and standard requests. Who is at the other end is not known here: a kernel's vhci-hcd ([`crate::vhci`]), or a relay to one. What a device answers to the rest is its own ([`Device`]). The wire format is that of the
//! Linux kernel, Documentation/usb/usbip_protocol.rst. Of control transfers one is served after the other, as on a bus; the others go on meanwhile.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

pub use brickproof_virtual_board::usb::Setup;

use crate::news::News;

const HEADER: usize = 48;

const CMD_SUBMIT: u32 = 1;
const CMD_UNLINK: u32 = 2;
const RET_SUBMIT: u32 = 3;
const RET_UNLINK: u32 = 4;
/// -EPIPE: how a stall is told.
const STALLED: i32 = -32;
/// -ECONNRESET: the transfer was taken back in time.
const UNLINKED: i32 = -104;

/// How fast a device is; the numbers are the kernel's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speed {
    /// 12 Mbit/s.
    Full = 2,
    /// 480 Mbit/s.
    High = 3,
}

/// The device refuses the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall;

/// What came of a request.
pub type Answer = Result<Vec<u8>, Stall>;

/// What begins a control transfer: the last eight bytes of its header.
fn setup(header: &[u8; HEADER]) -> Setup {
    let [.., kind, request, value, value_high, index, index_high, length, length_high] = *header;
    let word = |low, high| u16::from_le_bytes([low, high]);
    Setup {
        kind,
        request,
        value: word(value, value_high),
        index: word(index, index_high),
        length: word(length, length_high),
    }
}

/// A simulated device.
pub trait Device: Send {
    /// How fast it is.
    fn speed(&self) -> Speed {
        Speed::Full
    }
    /// Its device descriptor.
    fn device_descriptor(&self) -> Vec<u8>;
    /// Its configuration, with everything that belongs to it.
    fn configuration(&self) -> Vec<u8>;
    /// Its strings, from number 1 on.
    fn strings(&self) -> Vec<String>;
    /// A descriptor of another kind, an HID report's for instance.
    fn descriptor(&self, _kind: u8) -> Option<Vec<u8>> {
        None
    }
    /// The host chose an alternate setting.
    fn select(&mut self, _alternate: u8) {}
    /// A request that is not standard.
    ///
    /// # Errors
    ///
    /// A stall.
    fn control(&mut self, setup: Setup, data: &[u8]) -> Answer;
    /// The same, of a device that takes its time: `None` says that [`answer`](Self::answer) will tell. The host may not wait for it, and begin
    /// another one.
    fn begin_control(&mut self, setup: Setup, data: &[u8]) -> Option<Answer> {
        Some(self.control(setup, data))
    }
    /// What came of the request that was begun last; `None` while it was not served, which may be for ever.
    fn answer(&mut self) -> Option<Answer> {
        None
    }
    /// Whether it leaves the bus by itself, and comes back, while its cable stays where it is.
    fn comes_and_goes(&self) -> bool {
        false
    }
    /// Whether it is on the bus.
    fn is_there(&mut self) -> bool {
        true
    }
    /// The host has it from now on, as what it is now.
    fn plugged(&mut self) {}
    /// Whether it left the bus since it was plugged in, be it back or not. What it said before still arrives.
    fn has_left(&mut self) -> bool {
        false
    }
    /// Through this it tells, whenever it has something for the host that it did not have when it was asked last, or comes or goes. It has to
    /// tell nothing after [`received`](Self::received).
    fn tells(&mut self, _news: News) {}
    /// Bytes that the host sent to an endpoint.
    fn received(&mut self, _endpoint: u8, _bytes: &[u8]) {}
    /// Bytes for the host, no more than it has room for; `None` when there are none yet.
    fn to_send(&mut self, _endpoint: u8, _room: usize) -> Option<Vec<u8>> {
        None
    }
    /// The host has taken back all that it had asked of an endpoint: what is said there from now on is heard by nobody, until it asks again.
    fn no_longer_asked(&mut self, _endpoint: u8) {}
    /// Its plug was pulled, and with it the power that it lived on.
    fn unplugged(&mut self) {}
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Transfers from an endpoint that wait for bytes: their numbers and how much each has room for.
type Waiting = BTreeMap<u8, VecDeque<(u32, usize)>>;

/// A control transfer that is not over.
struct Control {
    number: u32,
    setup: Setup,
    data: Vec<u8>,
    /// Which way the host expects data: what begins a transfer without any need not say.
    direction: Direction,
    progress: Progress,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    ToDevice,
    ToHost,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Others come first.
    Queued,
    /// The device has it.
    Begun,
}

struct Link {
    device: Arc<Mutex<dyn Device>>,
    writer: Mutex<UnixStream>,
    controls: Mutex<VecDeque<Control>>,
    waiting: Mutex<Waiting>,
    news: News,
    closed: AtomicBool,
}

/// Serves a device on its end of a stream, until the other end is closed or the device leaves the bus, which closes this one. The device tells
/// through `news` from now on.
///
/// # Errors
///
/// When the stream cannot be had twice: one thread listens, one answers.
pub fn serve(stream: UnixStream, device: Arc<Mutex<dyn Device>>, news: News) -> io::Result<()> {
    let link = Arc::new(Link {
        device,
        writer: Mutex::new(stream.try_clone()?),
        controls: Mutex::default(),
        waiting: Mutex::default(),
        news,
        closed: AtomicBool::new(false),
    });
    {
        let mut device = lock(&link.device);
        device.tells(link.news.clone());
        device.plugged();
    }
    let listener = Arc::clone(&link);
    thread::spawn(move || {
        while listener.serve(&stream).is_ok() {}
        lock(&listener.device).unplugged();
        listener.closed.store(true, Ordering::Relaxed);
        listener.news.tell();
    });
    thread::spawn(move || {
        loop {
            if link.closed.load(Ordering::Relaxed) || link.feed().is_err() {
                break;
            }
        }
    });
    Ok(())
}

impl Link {
    /// Takes one message from the kernel and does what it says.
    fn serve(&self, mut reader: &UnixStream) -> io::Result<()> {
        let mut header = [0; HEADER];
        reader.read_exact(&mut header)?;
        let word = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let (command, number, inward, endpoint) = (word(0), word(4), word(12) == 1, word(16) as u8);
        match command {
            CMD_SUBMIT => {
                let room = word(24) as usize;
                let mut data = vec![0; if inward { 0 } else { room }];
                reader.read_exact(&mut data)?;
                match (endpoint, inward) {
                    (0, _) => {
                        let direction = if inward { Direction::ToHost } else { Direction::ToDevice };
                        let control =
                            Control { number, setup: setup(&header), data, direction, progress: Progress::Queued };
                        lock(&self.controls).push_back(control);
                        self.serve_controls()
                    }
                    (_, false) => {
                        lock(&self.device).received(endpoint, &data);
                        self.finish(number, 0, room, &[])?;
                        self.news.tell();
                        Ok(())
                    }
                    (_, true) => {
                        lock(&self.waiting).entry(endpoint).or_default().push_back((number, room));
                        self.news.tell();
                        Ok(())
                    }
                }
            }
            CMD_UNLINK => {
                let victim = word(20);
                let mut taken = false;
                lock(&self.controls).retain(|control| {
                    taken |= control.number == victim;
                    control.number != victim
                });
                for (endpoint, queue) in lock(&self.waiting).iter_mut() {
                    let before = queue.len();
                    queue.retain(|(number, _)| *number != victim);
                    if queue.len() != before {
                        taken = true;
                        if queue.is_empty() {
                            lock(&self.device).no_longer_asked(*endpoint);
                        }
                    }
                }
                self.say(RET_UNLINK, number, if taken { UNLINKED } else { 0 }, 0, &[])?;
                self.serve_controls()
            }
            other => Err(io::Error::other(format!("message {other} is not one of USB/IP"))),
        }
    }

    /// Serves control transfers as far as the device has answered.
    fn serve_controls(&self) -> io::Result<()> {
        let (mut controls, mut device) = (lock(&self.controls), lock(&self.device));
        self.go_on(&mut controls, &mut *device)
    }

    /// An answer is on its way before anybody else has the device: it may leave the bus by what it was asked for.
    fn go_on(&self, controls: &mut VecDeque<Control>, device: &mut dyn Device) -> io::Result<()> {
        while let Some(control) = controls.front_mut() {
            let answer = match std::mem::replace(&mut control.progress, Progress::Begun) {
                Progress::Queued => begin(device, control),
                Progress::Begun => device.answer(),
            };
            let Some(answer) = answer else { break };
            let Some(Control { number, setup, data, direction, .. }) = controls.pop_front() else { break };
            match answer {
                Ok(mut bytes) if direction == Direction::ToHost => {
                    bytes.truncate(usize::from(setup.length));
                    self.finish(number, 0, bytes.len(), &bytes)?;
                }
                Ok(_) => self.finish(number, 0, data.len(), &[])?,
                Err(Stall) => self.finish(number, STALLED, 0, &[])?,
            }
        }
        Ok(())
    }

    /// Closes its end if the device has left the bus, after everything that the device said before.
    fn leave_with_device(&self) -> io::Result<()> {
        let (mut controls, mut device) = (lock(&self.controls), lock(&self.device));
        if device.has_left() {
            self.go_on(&mut controls, &mut *device)?;
            lock(&self.writer).shutdown(Shutdown::Write)?;
            return Err(io::ErrorKind::NotConnected.into());
        }
        Ok(())
    }

    /// Completes what waits for the device, as far as it has something; if it has nothing, waits for news.
    fn feed(&self) -> io::Result<()> {
        const LONG: Duration = Duration::from_secs(3_600);
        let known = self.news.known();
        self.serve_controls()?;
        let mut waiting = lock(&self.waiting);
        let mut fed = false;
        for (endpoint, queue) in waiting.iter_mut() {
            let Some(&(number, room)) = queue.front() else { continue };
            if let Some(bytes) = lock(&self.device).to_send(*endpoint, room) {
                queue.pop_front();
                self.finish(number, 0, bytes.len(), &bytes)?;
                fed = true;
            }
        }
        drop(waiting);
        self.leave_with_device()?;
        if !fed {
            self.news.wait(known, LONG);
        }
        Ok(())
    }

    fn finish(&self, number: u32, status: i32, length: usize, bytes: &[u8]) -> io::Result<()> {
        self.say(RET_SUBMIT, number, status, length, bytes)
    }

    fn say(&self, what: u32, number: u32, status: i32, length: usize, bytes: &[u8]) -> io::Result<()> {
        let mut message = Vec::with_capacity(HEADER + bytes.len());
        let words = [what, number, 0, 0, 0, status as u32, length as u32, 0, 0, 0, 0, 0];
        message.extend(words.into_iter().flat_map(u32::to_be_bytes));
        message.extend_from_slice(bytes);
        lock(&self.writer).write_all(&message)
    }
}

/// Has the device begin with a request. What it answers at once is known then.
fn begin(device: &mut dyn Device, Control { setup, data, .. }: &Control) -> Option<Answer> {
    const SET_INTERFACE: (u8, u8) = (0x01, 11);
    if (setup.kind, setup.request) == SET_INTERFACE {
        device.select(setup.value as u8);
    }
    standard(device, *setup).or_else(|| device.begin_control(*setup, data))
}

/// The requests that every device answers alike; `None` for others.
fn standard(device: &dyn Device, setup: Setup) -> Option<Answer> {
    const NOT_STANDARD: u8 = 0x60;
    const ENGLISH: [u8; 4] = [4, 3, 0x09, 0x04];
    if setup.kind & NOT_STANDARD != 0 {
        return None;
    }
    let [low, high] = setup.value.to_le_bytes();
    Some(match (setup.request, high) {
        (6, 1) => Ok(device.device_descriptor()),
        (6, 2) => Ok(device.configuration()),
        (6, 3) if low == 0 => Ok(ENGLISH.to_vec()),
        (6, 3) => device.strings().get(usize::from(low) - 1).map(|text| string_descriptor(text)).ok_or(Stall),
        (6, kind) => device.descriptor(kind).ok_or(Stall),
        // GET_STATUS, GET_CONFIGURATION, GET_INTERFACE.
        (0, _) => Ok(vec![0, 0]),
        (8, _) => Ok(vec![1]),
        (10, _) => Ok(vec![0]),
        // CLEAR_FEATURE, SET_FEATURE, SET_ADDRESS, SET_CONFIGURATION, SET_INTERFACE.
        (1 | 3 | 5 | 9 | 11, _) => Ok(Vec::new()),
        _ => Err(Stall),
    })
}

fn string_descriptor(text: &str) -> Vec<u8> {
    let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut descriptor = vec![units.len() as u8 + 2, 3];
    descriptor.extend(units);
    descriptor
}
