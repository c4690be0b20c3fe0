//! A station without devices: the instruments of a test, over one virtual board in wall-clock time. Each can be told to fail.
//!
//! Boundary: the board, what is driven, and how instruments fail. Each instrument has a module below; bench file and trials are `rig`'s.

mod bay;
mod console;
mod dfu;
mod light;
mod lines;
mod probe;
mod supply;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use brickproof_firmware::Firmware;
use brickproof_instruments::{Failure, FailureKind, Kind, now};
use brickproof_paced::board::{Hand, PacedBoard};
use brickproof_units::{Instant, Span, Voltage};
use brickproof_virtual_board::board::{Board, BoardConfig, BootButton, Records};
use brickproof_virtual_board::chip::{Chip, Level, Pin};
use brickproof_virtual_board::supply::Source;
use brickproof_virtual_board::wiring::Wiring;

pub(crate) use bay::Bay;
pub(crate) use probe::{Deaf, SERIAL};

const RADIO: Pin = Pin::p0(16);

/// In which way an instrument fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// Its device is unplugged.
    Gone,
    /// It does not return.
    Hangs,
    /// It does everything this much later.
    Late(Duration),
    /// It answers with something else.
    Wrong,
}

/// When an instrument begins to fail.
#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
    /// When it is opened.
    Opened,
    /// So long after the source was switched on for the n-th time, counted from 1.
    Fed(usize, Duration),
    /// When it is asked for this.
    Asked(&'static str),
}

#[derive(Default)]
struct State {
    voltage: Voltage,
    on: bool,
    /// Something else feeds the board, whatever the supply does.
    elsewhere: bool,
    /// What is left at its output when it was switched off goes away after so long.
    lingers: Span,
    off_since: Option<Instant>,
    asserted: BTreeSet<String>,
    /// Lines whose pins stay as they are.
    stuck: BTreeSet<String>,
    /// Something lies between the LED and its sensor.
    covered: bool,
    /// When the source was switched on.
    fed: Vec<Instant>,
    failing: BTreeMap<Kind, (How, When)>,
    deaf: Deaf,
    halted: bool,
    serial: Option<[u8; 8]>,
    written: Vec<(u32, usize)>,
}

impl State {
    fn is_safe(&self) -> bool {
        !self.on && self.asserted.is_empty()
    }
}

/// The board and what was driven.
pub(crate) struct Model {
    board: PacedBoard,
    /// Where MODE is.
    mode: Pin,
    state: Mutex<State>,
}

impl Model {
    /// With a lantern-nrf51.
    pub(crate) fn new() -> Arc<Self> {
        Self::with(Chip::Nrf51822, &[], Pin::p0(17), None)
    }

    /// With a lantern-nrf52840, which came with a bootloader.
    pub(crate) fn on_usb() -> Arc<Self> {
        let mode = Pin::p0(11);
        let came_with = Firmware::shipped("lantern-heal-full").expect("it ships");
        Self::with(Chip::Nrf52840, came_with.image(), mode, Some(BootButton { pin: mode, pressed: Level::Low }))
    }

    fn with(chip: Chip, image: &[u8], mode: Pin, boot_button: Option<BootButton>) -> Arc<Self> {
        let wiring = Wiring { light: [13, 14, 15].map(Pin::p0), modem: Some(RADIO) };
        let config = BoardConfig {
            source: Source::None,
            pins: wiring.pins(),
            records: Records::Dropped,
            boot_button,
            ..BoardConfig::new(chip)
        };
        let board = Board::new(config, image).expect("it fits");
        let board = PacedBoard::start(board, wiring, 1).expect("there is a thread to be had");
        Arc::new(Self { board, mode, state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn hand(&self) -> Hand {
        self.board.hand()
    }

    pub(crate) fn fails(&self, kind: Kind, how: How, when: When) {
        self.state().failing.insert(kind, (how, when));
    }

    pub(crate) fn works_again(&self, kind: Kind) {
        self.state().failing.remove(&kind);
    }

    pub(crate) fn probe_is_deaf(&self, deaf: Deaf) {
        self.state().deaf = deaf;
    }

    /// Another board sits there.
    pub(crate) fn is_another_board(&self, serial: [u8; 8]) {
        self.state().serial = Some(serial);
    }

    /// The pin of this line stays as it is.
    pub(crate) fn line_is_stuck(&self, line: &str) {
        self.state().stuck.insert(line.to_owned());
    }

    /// The sensor sees nothing any more.
    pub(crate) fn sensor_is_covered(&self) {
        self.state().covered = true;
    }

    /// A cable feeds the board, whatever the supply does.
    pub(crate) fn is_fed_from_elsewhere(&self) {
        self.state().elsewhere = true;
        self.feed();
    }

    /// What its capacitors hold takes so long to go.
    pub(crate) fn lingers(&self, span: Span) {
        self.state().lingers = span;
    }

    /// Whether the source is on.
    pub(crate) fn is_on(&self) -> bool {
        self.state().on
    }

    /// Whether the source is off and every line released.
    pub(crate) fn is_safe(&self) -> bool {
        self.state().is_safe()
    }

    pub(crate) fn asserted(&self) -> Vec<String> {
        self.state().asserted.iter().cloned().collect()
    }

    /// When the source was switched on for the n-th time, counted from 1.
    pub(crate) fn fed_at(&self, times: usize) -> Option<Instant> {
        self.state().fed.get(times - 1).copied()
    }

    /// How often the source was switched on.
    pub(crate) fn times_fed(&self) -> usize {
        self.state().fed.len()
    }

    /// Where the probe wrote, and how much.
    pub(crate) fn written(&self) -> Vec<(u32, usize)> {
        self.state().written.clone()
    }

    pub(crate) fn flash(&self, address: u32, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.hand().with_board(|board| board.flash().read_raw(address, &mut bytes)).expect("it is in flash");
        bytes
    }

    pub(crate) fn write_flash(&self, address: u32, bytes: &[u8]) {
        self.hand().with_board(|board| board.write_flash(address, bytes)).expect("it is in flash");
    }

    fn feed(&self) {
        let state = self.state();
        let volts = if state.elsewhere { Some(Voltage::new(5_000_000)) } else { state.on.then_some(state.voltage) };
        drop(state);
        self.hand().feed_from_usb(volts);
    }

    /// Fails as it was told to; whatever returns is to be done.
    fn obey(&self, kind: Kind, asked: &str) -> Result<(), Failure> {
        let state = self.state();
        let due = state.failing.get(&kind).filter(|(_, when)| match when {
            When::Opened => true,
            When::Asked(what) => *what == asked,
            When::Fed(times, after) => {
                let after = Span::nanos(after.as_nanos() as u64);
                state.fed.get(times - 1).is_some_and(|at| now() >= *at + after)
            }
        });
        let how = due.map(|(how, _)| *how);
        drop(state);
        let failure = |kind_of| Err(Failure::new(format!("the model's {kind}"), asked, kind_of));
        match how {
            None => Ok(()),
            Some(How::Gone) => failure(FailureKind::Gone("it was unplugged".to_owned())),
            Some(How::Wrong) => failure(FailureKind::Answer("a picture of a cat".to_owned())),
            Some(How::Late(late)) => {
                thread::sleep(late);
                Ok(())
            }
            Some(How::Hangs) => loop {
                thread::park();
            },
        }
    }
}
