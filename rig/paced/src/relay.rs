//! Carries USB/IP between a device here and a kernel elsewhere, over a stream that outlives the plug.
//!
//! Boundary: plugs and bytes. Messages are a kind, a length and that many bytes. The side with the device says when it is plugged in and
//! pulled out: by whoever has its cable, or by the device itself, which may leave the bus and come back while its cable stays in. The side with
//! the kernel says when its controller has let go; once the other side has said the same, whatever still was on its way of that plug has arrived
//! and was dropped, and the next plug begins with nothing old in between.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::news::News;
use crate::usbip::{self, Device, Speed};
use crate::vhci::{self, Plugged};

/// As much as one message holds at most.
const CHUNK: usize = 1 << 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Message {
    Plug(Speed),
    Unplug,
    LetGo,
    /// This many follow.
    Bytes(usize),
    /// The cable was pulled: nothing is plugged in again before somebody puts it back.
    Out,
}

impl Message {
    fn encode(self) -> [u8; 8] {
        let (kind, number) = match self {
            Self::Plug(speed) => (1, speed as u32),
            Self::Unplug => (2, 0),
            Self::LetGo => (3, 0),
            // A chunk at most.
            Self::Bytes(count) => (4, count as u32),
            Self::Out => (5, 0),
        };
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&u32::to_be_bytes(kind));
        bytes[4..].copy_from_slice(&u32::to_be_bytes(number));
        bytes
    }

    fn decode(bytes: [u8; 8]) -> io::Result<Self> {
        let [a, b, c, d, e, f, g, h] = bytes;
        match (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h])) {
            (1, speed) if speed == Speed::Full as u32 => Ok(Self::Plug(Speed::Full)),
            (1, speed) if speed == Speed::High as u32 => Ok(Self::Plug(Speed::High)),
            (2, 0) => Ok(Self::Unplug),
            (3, 0) => Ok(Self::LetGo),
            (4, count) if count as usize <= CHUNK => Ok(Self::Bytes(count as usize)),
            (5, 0) => Ok(Self::Out),
            (kind, number) => Err(io::Error::other(format!("message {kind} with {number} is not one of the relay"))),
        }
    }

    fn read(from: &mut impl Read) -> io::Result<Self> {
        let mut bytes = [0; 8];
        from.read_exact(&mut bytes)?;
        Self::decode(bytes)
    }
}

/// Copies what comes from a plug's own stream to the relay's, until the former ends.
fn pump(mut from: UnixStream, mut to: impl Write) {
    let mut chunk = vec![0; CHUNK];
    loop {
        match from.read(&mut chunk) {
            Ok(0) | Err(_) => return,
            Ok(count) => {
                let message = Message::Bytes(count).encode();
                if to.write_all(&message).and_then(|()| to.write_all(&chunk[..count])).is_err() {
                    return;
                }
            }
        }
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Longer than an emulated kernel takes to let go of a device.
const PATIENCE: Duration = Duration::from_secs(30);

/// One plug.
struct Session {
    /// Leads to the device.
    stream: UnixStream,
    pump: JoinHandle<()>,
}

/// Where the end of the device's cable is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Out,
    In,
    /// The stream to the kernel has ended.
    Lost,
}

struct Socket {
    end: End,
    /// `None` also while the device is not on the bus.
    session: Option<Session>,
}

struct Near {
    device: Arc<Mutex<dyn Device>>,
    to_kernel: Arc<Mutex<UnixStream>>,
    socket: Mutex<Socket>,
    news: News,
}

/// The side with the device. Once the stream ends, nothing is plugged in any more.
pub struct DeviceSide(Arc<Near>);

/// Writes whole messages, whoever else writes.
struct InTurn(Arc<Mutex<UnixStream>>, Vec<u8>);

impl Write for InTurn {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The head of a message waits for its body.
        self.1.extend_from_slice(bytes);
        if self.1.len() > size_of::<[u8; 8]>() {
            lock(&self.0).write_all(&std::mem::take(&mut self.1))?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl DeviceSide {
    /// A device at this end of the stream, not plugged in yet.
    ///
    /// # Errors
    ///
    /// When the stream cannot be had twice.
    pub fn new(stream: UnixStream, device: Arc<Mutex<dyn Device>>) -> io::Result<Self> {
        let to_kernel = Arc::new(Mutex::new(stream.try_clone()?));
        let socket = Mutex::new(Socket { end: End::Out, session: None });
        let near = Arc::new(Near { device, to_kernel, socket, news: News::default() });
        let (listener, keeper) = (Arc::clone(&near), Arc::clone(&near));
        thread::spawn(move || {
            // Whatever ends it, the plug is pulled.
            let _ = listener.listen(stream);
            {
                let mut socket = lock(&listener.socket);
                socket.end = End::Lost;
                end(&mut socket);
            }
            listener.news.tell();
        });
        let comes_and_goes = {
            let mut device = lock(&near.device);
            device.tells(near.news.clone());
            device.comes_and_goes()
        };
        if comes_and_goes {
            thread::spawn(move || keeper.keep_plugged());
        }
        Ok(Self(near))
    }

    /// Puts the cable in; nothing happens if it is. A device that is on the bus is plugged in by that, any other when it comes.
    ///
    /// # Errors
    ///
    /// When the stream has ended.
    pub fn plug(&self) -> io::Result<()> {
        let mut socket = lock(&self.0.socket);
        if socket.end == End::Lost {
            return Err(io::ErrorKind::NotConnected.into());
        }
        socket.end = End::In;
        self.0.plug_what_is_there(&mut socket)
    }

    /// Pulls the cable, and waits until the kernel has let go.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub fn unplug(&self) -> io::Result<()> {
        let began = Instant::now();
        {
            let mut socket = lock(&self.0.socket);
            if socket.end != End::In {
                return Ok(());
            }
            socket.end = End::Out;
            if let Some(session) = &socket.session {
                // What the device has said so far still passes, and then the pump tells that there is no more.
                let _ = session.stream.shutdown(Shutdown::Read);
            }
        }
        loop {
            let known = self.0.news.known();
            let socket = lock(&self.0.socket);
            if socket.session.is_none() {
                return lock(&self.0.to_kernel).write_all(&Message::Out.encode());
            }
            drop(socket);
            if began.elapsed() > PATIENCE {
                return Err(io::Error::other(format!("the kernel has not let go of the device after {PATIENCE:?}")));
            }
            self.0.news.wait(known, PATIENCE);
        }
    }
}

impl Near {
    fn listen(&self, mut from_kernel: UnixStream) -> io::Result<()> {
        let mut chunk = vec![0; CHUNK];
        loop {
            match Message::read(&mut from_kernel)? {
                Message::Bytes(count) => {
                    from_kernel.read_exact(&mut chunk[..count])?;
                    if let Some(session) = &lock(&self.socket).session {
                        // A device that does not listen any more is about to be let go.
                        let _ = (&session.stream).write_all(&chunk[..count]);
                    }
                }
                Message::LetGo => {
                    let mut socket = lock(&self.socket);
                    end(&mut socket);
                    // Before anything else can be plugged in.
                    lock(&self.to_kernel).write_all(&Message::LetGo.encode())?;
                    drop(socket);
                    self.news.tell();
                }
                other => return Err(io::Error::other(format!("{other:?} is for the other side to say"))),
            }
        }
    }

    /// Plugs the device in whenever it comes to the bus while its cable is in. How it leaves is between it and whoever serves it.
    fn keep_plugged(&self) {
        const LONG: Duration = Duration::from_secs(3_600);
        loop {
            let known = self.news.known();
            let mut socket = lock(&self.socket);
            if socket.end == End::Lost || self.plug_what_is_there(&mut socket).is_err() {
                return;
            }
            drop(socket);
            self.news.wait(known, LONG);
        }
    }

    fn plug_what_is_there(&self, socket: &mut Socket) -> io::Result<()> {
        if socket.end != End::In || socket.session.is_some() || !lock(&self.device).is_there() {
            return Ok(());
        }
        let (stream, device_end) = UnixStream::pair()?;
        usbip::serve(device_end, Arc::clone(&self.device), self.news.clone())?;
        let speed = lock(&self.device).speed();
        lock(&self.to_kernel).write_all(&Message::Plug(speed).encode())?;
        let (from, to_kernel) = (stream.try_clone()?, Arc::clone(&self.to_kernel));
        let pump = thread::spawn(move || {
            pump(from, InTurn(Arc::clone(&to_kernel), Vec::new()));
            // If that fails, the listener sees the end of the stream.
            let _ = lock(&to_kernel).write_all(&Message::Unplug.encode());
        });
        socket.session = Some(Session { stream, pump });
        Ok(())
    }
}

/// Ends what is plugged in.
fn end(socket: &mut Socket) {
    if let Some(Session { stream, pump }) = socket.session.take() {
        // It may have ended already; either way the pump stops.
        let _ = stream.shutdown(Shutdown::Both);
        let _ = pump.join();
    }
}

/// When the side with the kernel has done its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// The stream ends.
    Eof,
    /// The device's cable is pulled.
    Unplugged,
}

/// The side with the kernel: plugs what is at the other end into a port of this kernel's controller, 0 to 7, whenever it is said to.
///
/// # Errors
///
/// What the kernel says, and what is not understood.
pub fn kernel_side(mut stream: File, mut port: impl FnMut() -> io::Result<u32>, until: Until) -> io::Result<()> {
    let mut plug: Option<(UnixStream, Plugged)> = None;
    let mut chunk = vec![0; CHUNK];
    loop {
        match Message::read(&mut stream) {
            Ok(Message::Plug(speed)) => {
                let (ours, plugged) = vhci::attach(port()?, speed)?;
                let (from, mut to) = (ours.try_clone()?, stream.try_clone()?);
                thread::spawn(move || {
                    pump(from, &mut to);
                    // If that fails too, the reader sees the end of the stream.
                    let _ = to.write_all(&Message::LetGo.encode());
                });
                plug = Some((ours, plugged));
            }
            Ok(Message::Unplug) => {
                if let Some((_, plugged)) = &mut plug {
                    plugged.pull()?;
                }
            }
            Ok(Message::Bytes(count)) => {
                stream.read_exact(&mut chunk[..count])?;
                if let Some((ours, _)) = &plug {
                    // For a plug that the kernel has let go of.
                    let _ = (&*ours).write_all(&chunk[..count]);
                }
            }
            Ok(Message::LetGo) => plug = None,
            Ok(Message::Out) if until == Until::Eof => {}
            Ok(Message::Out) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// The virtio-serial port of that name, by which a host leads a stream into a guest.
///
/// # Errors
///
/// When there is none, or another program has it open.
pub fn virtio_port(name: &str) -> io::Result<File> {
    const PORTS: &str = "/sys/class/virtio-ports";
    for entry in fs::read_dir(PORTS)? {
        let entry = entry?;
        // Not every port has a name.
        let found = fs::read_to_string(entry.path().join("name")).unwrap_or_default();
        if found.trim() == name {
            let node = PathBuf::from("/dev").join(entry.file_name());
            return File::options().read(true).write(true).open(node);
        }
    }
    Err(io::Error::new(io::ErrorKind::NotFound, format!("no virtio-serial port is called {name}")))
}
