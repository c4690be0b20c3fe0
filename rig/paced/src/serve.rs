//! A board for other people's tools (`brickproof virtual serve`): its console as a pty, its debug port as a Black Magic probe behind TCP.
//!
//! Boundary: bytes. A probe has one user at a time: who connects second waits until the first has gone.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use brickproof_virtual_board::debug::BlackMagic;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use crate::board::{Ear, Hand};
use crate::news::News;
use crate::station::Wires;

/// What is served, and where.
#[derive(Clone, Copy, Debug)]
pub struct ServeOptions {
    /// Where the debug port listens; port 0 is any that is free.
    pub debug: SocketAddr,
}

impl Default for ServeOptions {
    /// To this machine alone, on any port.
    fn default() -> Self {
        Self { debug: SocketAddr::from(([127, 0, 0, 1], 0)) }
    }
}

/// A board that is served, until this is dropped.
pub struct Served {
    console: PathBuf,
    debug: SocketAddr,
    stop: Stop,
    threads: Vec<JoinHandle<()>>,
    /// A terminal that nobody has open would look hung up.
    _held_open: OwnedFd,
}

/// Tells threads that wait for a file to stop.
struct Stop {
    ended: Arc<AtomicBool>,
    news: News,
    /// Hung up when this is dropped, which the threads' ends of it notice.
    cord: Option<UnixStream>,
}

/// Serves a board.
///
/// # Errors
///
/// What the operating system says.
pub fn serve(hand: &Hand, options: ServeOptions) -> io::Result<Served> {
    let (master, slave, console) = terminal()?;
    let listener = TcpListener::bind(options.debug)?;
    let debug = listener.local_addr()?;
    let (cord, ours) = UnixStream::pair()?;
    let stop = Stop { ended: Arc::default(), news: News::default(), cord: Some(cord) };
    let ear = hand.listen();
    ear.tell(stop.news.clone());
    let typing = {
        let (hand, master, cord) = (hand.clone(), master.try_clone()?, ours.try_clone()?);
        move || type_in(&hand, master, &cord)
    };
    let speaking = {
        let (ended, news, cord) = (Arc::clone(&stop.ended), stop.news.clone(), ours.try_clone()?);
        move || speak(&ear, master, &cord, &news, &ended)
    };
    let debugging = {
        let hand = hand.clone();
        move || debug_over(&listener, &hand, &ours)
    };
    let mut served = Served { console, debug, stop, threads: Vec::new(), _held_open: slave };
    // Each ends when the cord is pulled, or when its file is broken: then there is nobody to tell.
    for act in [Box::new(typing) as Box<dyn FnOnce() -> io::Result<()> + Send>, Box::new(speaking), Box::new(debugging)]
    {
        let thread = thread::Builder::new().name("virtual board's end".to_owned()).spawn(|| drop(act()))?;
        served.threads.push(thread);
    }
    Ok(served)
}

impl Served {
    /// The console's terminal.
    pub fn console(&self) -> &Path {
        &self.console
    }

    /// Where the Black Magic probe listens.
    pub fn debug(&self) -> SocketAddr {
        self.debug
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.ended.store(true, Ordering::Relaxed);
        self.stop.cord = None;
        self.stop.news.tell();
        for thread in self.threads.drain(..) {
            // It has nothing to say.
            let _ = thread.join();
        }
    }
}

/// A terminal that leaves bytes as they are: its master, itself, and its path.
fn terminal() -> io::Result<(File, OwnedFd, PathBuf)> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let name = ptsname(&master, Vec::new())?;
    let path = PathBuf::from(name.to_string_lossy().into_owned());
    let slave = rustix::fs::open(&path, OFlags::RDWR | OFlags::NOCTTY, Mode::empty())?;
    let mut settings = tcgetattr(&slave)?;
    settings.make_raw();
    tcsetattr(&slave, OptionalActions::Now, &settings)?;
    rustix::io::ioctl_fionbio(&master, true)?;
    Ok((File::from(master), slave, path))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Go,
    Stop,
}

/// Waits until a file is ready or the cord is pulled.
fn wait(file: impl AsFd, what: PollFlags, cord: &UnixStream) -> io::Result<Next> {
    loop {
        let mut files = [PollFd::new(&file, what), PollFd::new(cord, PollFlags::IN)];
        match poll(&mut files, None) {
            Ok(_) if !files[1].revents().is_empty() => return Ok(Next::Stop),
            Ok(_) if !files[0].revents().is_empty() => return Ok(Next::Go),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// What somebody types goes to the board.
fn type_in(hand: &Hand, mut terminal: File, cord: &UnixStream) -> io::Result<()> {
    let mut bytes = [0; 4096];
    while wait(&terminal, PollFlags::IN, cord)? == Next::Go {
        match terminal.read(&mut bytes) {
            Ok(count) => drop(hand.type_bytes(&bytes[..count])),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What the board says goes to the terminal, as fast as somebody reads there.
fn speak(ear: &Ear, mut terminal: File, cord: &UnixStream, news: &News, ended: &AtomicBool) -> io::Result<()> {
    const AT_ONCE: usize = 256;
    const LONG: Duration = Duration::from_secs(3_600);
    loop {
        let known = news.known();
        if ended.load(Ordering::Relaxed) {
            return Ok(());
        }
        let bytes: Vec<u8> = ear.take(AT_ONCE).iter().map(|byte| byte.value).collect();
        if bytes.is_empty() {
            news.wait(known, LONG);
            continue;
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            if wait(&terminal, PollFlags::OUT, cord)? == Next::Stop {
                return Ok(());
            }
            match terminal.write(rest) {
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn debug_over(listener: &TcpListener, hand: &Hand, cord: &UnixStream) -> io::Result<()> {
    while wait(listener, PollFlags::IN, cord)? == Next::Go {
        let (stream, _) = listener.accept()?;
        // A debugger that breaks off leaves the probe to the next.
        let _ = debug_one(stream, hand, cord);
    }
    Ok(())
}

fn debug_one(mut stream: TcpStream, hand: &Hand, cord: &UnixStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut probe, mut wires, mut bytes) = (BlackMagic::new(), Wires::new(hand.clone()), [0; 4096]);
    while wait(&stream, PollFlags::IN, cord)? == Next::Go {
        let count = stream.read(&mut bytes)?;
        if count == 0 {
            break;
        }
        stream.write_all(&probe.receive(&bytes[..count], &mut wires))?;
    }
    Ok(())
}
