//! A virtual board that lives by the kernel's clock: whenever somebody touches it, and whenever something is due, it is run up to the
//! present instant.
//!
//! Boundary: time. The board has no other life than that of `brickproof-virtual-board`, and nobody sees it but through what a station
//! would have: lines, the console, the supply, the sensor above its light.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use brickproof_units::{Current, Instant, Span, Voltage};
use brickproof_virtual_board::board::{Board, BoardState, Pause};
use brickproof_virtual_board::chip::{ConsoleByte, Drive, Level, Pin};
use brickproof_virtual_board::led::Led;
use brickproof_virtual_board::sensor::{Optics, SensorPart};
use brickproof_virtual_board::supply::Source;
use brickproof_virtual_board::usb::{NotAttached, Setup, UsbAnswer, UsbDevice};
use brickproof_virtual_board::wiring::{CABLE, Wiring};
use embedded_hal::i2c::{ErrorKind, I2c, Operation};

use crate::clock;
use crate::news::News;
use crate::pace::Pace;

/// How finely a board is run while it executes: what it does may be seen this much later than it does it. Half a frame of USB, through
/// which nothing is seen sooner.
pub const GRAIN: Span = Span::micros(500);
/// How many bytes an ear keeps that nobody takes, the latest: more than a minute of them.
const LONGEST_MEMORY: usize = 1 << 20;
/// How long the sleeper waits at most: nothing that is due is further away than it cares to look.
const LONGEST_SLEEP: Duration = Duration::from_secs(3_600);

/// What the supply shows at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SupplyReading {
    /// At the input of the board's regulator.
    pub input: Voltage,
    /// What chip and pins draw. The regulator is linear: the same current flows into it, save for what charges its capacitors.
    pub current: Current,
    /// The chip's rail.
    pub rail: Voltage,
}

/// A laboratory supply at the board's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BenchFeed {
    /// What it is set to.
    pub voltage: Voltage,
    /// Its limit.
    pub current_limit: Current,
}

/// What may feed the board. A station has one of them; if both do, the laboratory supply is the stiffer one.
#[derive(Clone, Copy, Debug, Default)]
struct Feeds {
    /// The load switch in the USB cable is closed, and this is at the port.
    usb: Option<Voltage>,
    bench: Option<BenchFeed>,
}

impl Feeds {
    fn source(self) -> Source {
        match (self.bench, self.usb) {
            (Some(BenchFeed { voltage, current_limit }), _) => Source::Bench { voltage, current_limit },
            (None, Some(voltage)) => Source::Usb { voltage, cable: CABLE },
            (None, None) => Source::None,
        }
    }
}

/// Whether a line of the board is held to ground from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Button {
    /// It is.
    Pressed,
    /// It is let go.
    Released,
}

/// Who may hold the RESET line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// The station's lines.
    Lines,
    /// The debug probe.
    Probe,
}

/// What the board is on USB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OnUsb {
    /// `None`: it is not attached.
    pub device: Option<UsbDevice>,
    /// How often that has changed: who finds another number knows that it was away meanwhile.
    pub changes: u64,
}

/// The board's USB as the host at the other end of the cable sees it.
#[derive(Default)]
struct Cable {
    on_usb: OnUsb,
    /// What the firmware answered and nobody has taken.
    answer: Option<UsbAnswer>,
    news: News,
}

impl Cable {
    /// Takes what the board did on the bus.
    fn follow(&mut self, board: &mut Board) {
        let before = self.on_usb.changes;
        for edge in board.drain_usb_edges() {
            self.on_usb = OnUsb { device: edge.device, changes: self.on_usb.changes + 1 };
        }
        let answer = board.take_usb_answer();
        if answer.is_some() || self.on_usb.changes != before {
            self.answer = answer.or(self.answer.take());
            self.news.tell();
        }
    }
}

struct Living {
    board: Board,
    wiring: Wiring,
    led: Led,
    sensor: SensorPart,
    feeds: Feeds,
    /// Those who hold the RESET line.
    reset: [Button; 2],
    /// The instant of the kernel's clock at which the board's clock was at its start.
    born: Instant,
    /// When it has to be run again; never, if only a touch changes anything.
    due: Instant,
    pace: Pace,
    ears: Vec<Weak<EarBuffer>>,
    cable: Cable,
}

impl Living {
    fn present(&self) -> Instant {
        Instant::START + clock::now().since(self.born)
    }

    /// Runs the board up to the present instant, and passes on what it emitted.
    fn catch_up(&mut self) {
        let present = self.present();
        while !matches!(self.board.run_until(present), Pause::Reached | Pause::Quiet) {
            // Nobody asked to be told of anything, unless somebody handled the board himself.
            self.board.drain_rail_passages().for_each(drop);
        }
        for edge in self.board.take_pin_edges() {
            // Other pins are looked at when somebody reads them.
            let _ = self.wiring.shine(&mut self.led, &edge);
        }
        self.sensor.advance(present, &mut self.led);
        self.pass_on_console();
        self.cable.follow(&mut self.board);
        if self.due <= present {
            self.pace.count(self.present().since(self.due));
        }
        self.plan();
    }

    fn plan(&mut self) {
        self.due = match self.board.next_due() {
            Instant::NEVER => Instant::NEVER,
            due => due.max(self.board.now() + GRAIN),
        };
    }

    fn pass_on_console(&mut self) {
        let bytes = self.board.take_console();
        if bytes.is_empty() {
            return;
        }
        self.ears.retain(|ear| {
            let Some(ear) = ear.upgrade() else { return false };
            let mut kept = lock(&ear.bytes);
            kept.extend(&bytes);
            let surplus = kept.len().saturating_sub(LONGEST_MEMORY);
            kept.drain(..surplus);
            drop(kept);
            lock(&ear.news).tell();
            true
        });
    }
}

struct Shared {
    living: Mutex<Living>,
    touched: Condvar,
    ended: Mutex<Ended>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    No,
    Yes,
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A board that lives. It stops when this is dropped; hands that are still on it then only let it live while they touch it.
pub struct PacedBoard {
    hand: Hand,
    runner: Option<JoinHandle<()>>,
}

impl PacedBoard {
    /// Lets `board` live from now on. Its light and its modem hang where `wiring` says; a sensor sits above its light, whose noise comes
    /// from `seed`.
    ///
    /// # Errors
    ///
    /// When there is no thread to be had.
    pub fn start(board: Board, wiring: Wiring, seed: u64) -> io::Result<Self> {
        let start = board.now();
        let living = Living {
            sensor: SensorPart::new(start, Optics::default(), seed),
            born: clock::now() - start.since(Instant::START),
            board,
            wiring,
            led: Led::new(),
            feeds: Feeds::default(),
            reset: [Button::Released; 2],
            due: start,
            pace: Pace::default(),
            ears: Vec::new(),
            cable: Cable::default(),
        };
        let shared =
            Arc::new(Shared { living: Mutex::new(living), touched: Condvar::new(), ended: Mutex::new(Ended::No) });
        let hand = Hand(Arc::clone(&shared));
        let runner = thread::Builder::new().name("paced board".to_owned()).spawn(move || run(&shared))?;
        Ok(Self { hand, runner: Some(runner) })
    }

    /// Something to touch the board with.
    pub fn hand(&self) -> Hand {
        self.hand.clone()
    }
}

impl Drop for PacedBoard {
    fn drop(&mut self) {
        {
            let _living = lock(&self.hand.0.living);
            *lock(&self.hand.0.ended) = Ended::Yes;
        }
        self.hand.0.touched.notify_all();
        if let Some(runner) = self.runner.take() {
            // It ends by itself, and has nothing to say.
            let _ = runner.join();
        }
    }
}

/// Sleeps until something is due or the board was touched, and lets the board catch up.
fn run(shared: &Shared) {
    let mut living = lock(&shared.living);
    while *lock(&shared.ended) == Ended::No {
        let rest = living.due.since(living.present());
        if rest == Span::ZERO {
            living.catch_up();
            continue;
        }
        let sleep = Duration::from_nanos(rest.as_nanos()).min(LONGEST_SLEEP);
        living = shared.touched.wait_timeout(living, sleep).unwrap_or_else(PoisonError::into_inner).0;
    }
}

/// A hand on a board. Whatever it does, it does at the present instant, after everything that the board did until then.
#[derive(Clone)]
pub struct Hand(Arc<Shared>);

impl Hand {
    fn touch<T>(&self, act: impl FnOnce(&mut Living) -> T) -> T {
        let mut living = lock(&self.0.living);
        living.catch_up();
        let done = act(&mut living);
        // A board that was cut off or reset has left USB at once.
        let Living { cable, board, .. } = &mut *living;
        cable.follow(board);
        living.plan();
        drop(living);
        self.0.touched.notify_all();
        done
    }

    /// The board's clock, and the board lives up to it.
    pub fn now(&self) -> Instant {
        self.touch(|living| living.board.now())
    }

    /// The instant of the board's clock in the kernel's.
    pub fn in_kernel_time(&self, at: Instant) -> Instant {
        lock(&self.0.living).born + at.since(Instant::START)
    }

    /// What the board does.
    pub fn state(&self) -> BoardState {
        self.touch(|living| living.board.state())
    }

    /// How often it has booted.
    pub fn boots(&self) -> u64 {
        self.touch(|living| living.board.boots())
    }

    /// Has the board looked at, or handled by something that knows boards: a debug port for instance.
    pub fn with_board<T>(&self, act: impl FnOnce(&mut Board) -> T) -> T {
        self.touch(|living| act(&mut living.board))
    }

    /// Holds the RESET line to ground, or lets it go. It is low as long as anybody holds it.
    pub fn reset(&self, holder: Holder, button: Button) {
        self.touch(|living| {
            let level = |holders: &[Button]| holders.contains(&Button::Pressed);
            let was_low = level(&living.reset);
            living.reset[holder as usize] = button;
            match (was_low, level(&living.reset)) {
                (false, true) => living.board.press_reset(),
                (true, false) => living.board.release_reset(),
                _ => {}
            }
        });
    }

    /// Does something to a pin.
    pub fn set_pin(&self, pin: Pin, level: Level) {
        self.touch(|living| living.board.set_pin(pin, level));
    }

    /// What the chip does to a pin.
    pub fn drive(&self, pin: Pin) -> Drive {
        self.touch(|living| living.board.drive(pin))
    }

    /// Feeds the board from a USB port with that voltage, or not from one.
    pub fn feed_from_usb(&self, usb: Option<Voltage>) {
        self.feed(|feeds| feeds.usb = usb);
    }

    /// Feeds the board from a laboratory supply, or not from one.
    pub fn feed_from_bench(&self, bench: Option<BenchFeed>) {
        self.feed(|feeds| feeds.bench = bench);
    }

    fn feed(&self, change: impl FnOnce(&mut Feeds)) {
        self.touch(|living| {
            let before = living.feeds.source();
            change(&mut living.feeds);
            let source = living.feeds.source();
            if source != before {
                living.board.connect(source);
            }
        });
    }

    /// Reads the supply.
    pub fn read_supply(&self) -> SupplyReading {
        self.touch(|living| {
            let now = living.board.now();
            SupplyReading {
                input: living.board.supply().input(now),
                current: living.board.current(),
                rail: living.board.rail(),
            }
        })
    }

    /// Sends bytes to the board's console, one behind the other at its rate; answers when the last will have arrived.
    pub fn type_bytes(&self, bytes: &[u8]) -> Instant {
        self.touch(|living| {
            let now = living.board.now();
            bytes.iter().fold(now, |_, byte| living.board.console_input(now, *byte))
        })
    }

    /// Listens to the board's console from now on.
    pub fn listen(&self) -> Ear {
        let buffer = Arc::<EarBuffer>::default();
        self.touch(|living| living.ears.push(Arc::downgrade(&buffer)));
        Ear(buffer)
    }

    /// What the board is on USB.
    pub fn on_usb(&self) -> OnUsb {
        self.touch(|living| living.cable.on_usb)
    }

    /// Begins a control transfer that the firmware has to serve; one that it has not served is over, and so is what it answered to that.
    ///
    /// # Errors
    ///
    /// Nobody is there.
    pub fn ask_over_usb(&self, setup: Setup, data: &[u8]) -> Result<(), NotAttached> {
        self.touch(|living| {
            living.cable.answer = None;
            living.board.usb_control(setup, data)
        })
    }

    /// What the firmware answered, once; `None` while it has not, which may be for ever.
    pub fn take_usb_answer(&self) -> Option<UsbAnswer> {
        self.touch(|living| living.cable.answer.take())
    }

    /// Has the end of its cable told whenever the board comes to USB, leaves it, or has answered. A cable has one end.
    pub fn follow_usb(&self, news: News) {
        self.touch(|living| living.cable.news = news);
    }

    /// A transfer with the sensor above the light.
    ///
    /// # Errors
    ///
    /// What the part answers.
    pub fn sensor(&self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), ErrorKind> {
        self.touch(|living| living.sensor.transaction(address, operations))
    }

    /// Begins anew to count how late the board is.
    pub fn begin_pace(&self) {
        self.touch(|living| living.pace = Pace::default());
    }

    /// How late the board was, up to now.
    pub fn pace(&self) -> Pace {
        self.touch(|living| living.pace.clone())
    }
}

#[derive(Default)]
struct EarBuffer {
    bytes: Mutex<VecDeque<ConsoleByte>>,
    news: Mutex<News>,
}

/// Hears what the console sends, of which it keeps the last megabyte until somebody takes it, with the instant at which each byte's stop bit ended on the board's clock.
pub struct Ear(Arc<EarBuffer>);

impl Ear {
    /// Takes what was heard, at most `count` bytes.
    pub fn take(&self, count: usize) -> Vec<ConsoleByte> {
        let mut bytes = lock(&self.0.bytes);
        let count = count.min(bytes.len());
        bytes.drain(..count).collect()
    }

    /// Has somebody told whenever something is heard.
    pub fn tell(&self, news: News) {
        *lock(&self.0.news) = news;
    }
}
