//! The board's own USB, and devices that take their time or go away, as a kernel's USB/IP would have them.
//!
//! Boundary: streams of this machine; no kernel device. What a kernel makes of all that, the lane sees.

#![expect(clippy::unwrap_used, reason = "a test that meets what it does not expect has failed, in its helpers too")]

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use brickproof_paced::board::{Button, Hand, Holder, PacedBoard};
use brickproof_paced::news::News;
use brickproof_paced::station::{StationConfig, devices};
use brickproof_paced::usbip::{Answer, Device, Setup, Stall, serve};
use brickproof_virtual_board::board::{Board, BoardConfig, BootButton};
use brickproof_virtual_board::chip::{Chip, Level, Pin};
use brickproof_virtual_board::supply::Source;
use brickproof_virtual_board::wiring::Wiring;

use crate::{LANTERN, PATIENCE, USB};

/// The kernel's end of a stream.
struct Host {
    stream: UnixStream,
    number: u32,
    /// Transfers that want bytes.
    asks: BTreeSet<u32>,
}

/// What it is told: of which transfer, how it went, and with which bytes.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Done(u32, i32, Vec<u8>),
    Unlinked(u32, i32),
    /// The device is gone.
    End,
}

const OUT: u32 = 0;
const IN: u32 = 1;
const STALLED: i32 = -32;
const TAKEN_BACK: i32 = -104;

impl Host {
    fn of(device: &Arc<Mutex<dyn Device>>) -> Self {
        let (stream, end) = UnixStream::pair().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        serve(end, Arc::clone(device), News::default()).unwrap();
        Self { stream, number: 0, asks: BTreeSet::new() }
    }

    /// Sends a message; answers with its number.
    fn say(&mut self, command: u32, direction: u32, endpoint: u32, fifth: u32, sixth: u32, tail: &[u8]) -> u32 {
        self.number += 1;
        let words = [command, self.number, 1, direction, endpoint, fifth, sixth, 0, 0, 0];
        let mut message: Vec<u8> = words.into_iter().flat_map(u32::to_be_bytes).collect();
        message.extend_from_slice(tail);
        self.stream.write_all(&message).unwrap();
        if direction == IN {
            self.asks.insert(self.number);
        }
        self.number
    }

    fn control(&mut self, setup: Setup, data: &[u8]) -> u32 {
        let Setup { kind, request, value, index, length } = setup;
        let mut tail = vec![kind, request];
        tail.extend([value, index, length].into_iter().flat_map(u16::to_le_bytes));
        tail.extend_from_slice(data);
        let direction = if setup.is_inward() { IN } else { OUT };
        self.say(1, direction, 0, 0, length.into(), &tail)
    }

    fn bulk_in(&mut self, endpoint: u32) -> u32 {
        self.say(1, IN, endpoint, 0, 64, &[0; 8])
    }

    fn take_back(&mut self, number: u32) -> u32 {
        self.say(2, OUT, 0, number, 0, &[0; 8])
    }

    fn hear(&mut self) -> Told {
        let mut header = [0; 48];
        match self.stream.read_exact(&mut header) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Told::End,
            read => read.unwrap(),
        }
        let word = |at: usize| u32::from_be_bytes(header[4 * at..][..4].try_into().unwrap());
        match (word(0), word(1), word(5).cast_signed()) {
            (3, number, status) => {
                // Who sends gets a count, who asks the bytes.
                let count = if self.asks.contains(&number) { word(6) as usize } else { 0 };
                let mut bytes = vec![0; count];
                self.stream.read_exact(&mut bytes).unwrap();
                Told::Done(number, status, bytes)
            }
            (4, number, status) => Told::Unlinked(number, status),
            other => panic!("{other:?}"),
        }
    }
}

/// A device that answers a request when somebody tells it to.
#[derive(Default)]
struct Slow {
    begun: Vec<u16>,
    answer: Option<Answer>,
    /// What it answers in the moment in which it leaves.
    last_words: Option<Answer>,
    has_bytes: bool,
    left: bool,
    /// The endpoints that the host asks no longer.
    not_asked: Vec<u8>,
    news: News,
}

impl Device for Slow {
    fn device_descriptor(&self) -> Vec<u8> {
        vec![18, 1]
    }

    fn configuration(&self) -> Vec<u8> {
        Vec::new()
    }

    fn strings(&self) -> Vec<String> {
        Vec::new()
    }

    fn control(&mut self, _: Setup, _: &[u8]) -> Answer {
        Err(Stall)
    }

    fn begin_control(&mut self, setup: Setup, _: &[u8]) -> Option<Answer> {
        self.begun.push(setup.index);
        None
    }

    fn answer(&mut self) -> Option<Answer> {
        self.answer.take()
    }

    fn has_left(&mut self) -> bool {
        if self.left {
            self.answer = self.last_words.take();
        }
        self.left
    }

    fn tells(&mut self, news: News) {
        self.news = news;
    }

    fn no_longer_asked(&mut self, endpoint: u8) {
        self.not_asked.push(endpoint);
    }

    fn to_send(&mut self, _: u8, _: usize) -> Option<Vec<u8>> {
        std::mem::take(&mut self.has_bytes).then(|| vec![7])
    }
}

fn slow() -> (Arc<Mutex<Slow>>, Host) {
    let device = Arc::new(Mutex::new(Slow::default()));
    let shared: Arc<Mutex<dyn Device>> = device.clone();
    let host = Host::of(&shared);
    (device, host)
}

fn change(device: &Mutex<Slow>, act: impl FnOnce(&mut Slow)) {
    let mut device = device.lock().unwrap();
    act(&mut device);
    device.news.tell();
}

fn asking(index: u16) -> Setup {
    Setup { kind: 0xC0, request: 0x50, value: 0, index, length: 1 }
}

const DEVICE_DESCRIPTOR: Setup = Setup { kind: 0x80, request: 6, value: 0x100, index: 0, length: 2 };

#[test]
fn a_request_that_is_not_answered_keeps_others_waiting_and_bytes_coming() {
    let (device, mut host) = slow();
    let (first, second, standard) =
        (host.control(asking(1), &[]), host.control(asking(2), &[]), host.control(DEVICE_DESCRIPTOR, &[]));
    let bulk = host.bulk_in(1);
    change(&device, |device| device.has_bytes = true);
    assert_eq!(host.hear(), Told::Done(bulk, 0, vec![7]), "bytes pass a request that waits");
    assert_eq!(device.lock().unwrap().begun, [1], "the second waits for the first");
    change(&device, |device| device.answer = Some(Ok(vec![0xAA])));
    assert_eq!(host.hear(), Told::Done(first, 0, vec![0xAA]));
    change(&device, |device| device.answer = Some(Err(Stall)));
    assert_eq!(host.hear(), Told::Done(second, STALLED, Vec::new()));
    assert_eq!(host.hear(), Told::Done(standard, 0, vec![18, 1]));
}

#[test]
fn a_request_that_is_never_answered_ends_when_the_host_has_enough() {
    let (device, mut host) = slow();
    let (first, second) = (host.control(asking(1), &[]), host.control(asking(2), &[]));
    let unlink = host.take_back(first);
    assert_eq!(host.hear(), Told::Unlinked(unlink, TAKEN_BACK));
    change(&device, |device| device.answer = Some(Ok(vec![0xBB])));
    assert_eq!(host.hear(), Told::Done(second, 0, vec![0xBB]), "the next one has its turn");
    assert_eq!(device.lock().unwrap().begun, [1, 2]);
    let late = host.take_back(second);
    assert_eq!(host.hear(), Told::Unlinked(late, 0), "it was answered before");
}

#[test]
fn a_device_knows_when_the_host_takes_back_the_last_that_it_asked_of_an_endpoint() {
    let (device, mut host) = slow();
    let (first, second, other) = (host.bulk_in(1), host.bulk_in(1), host.bulk_in(2));
    for (number, not_asked) in [(second, vec![]), (first, vec![1]), (first, vec![1]), (other, vec![1, 2])] {
        let back = host.take_back(number);
        assert!(matches!(host.hear(), Told::Unlinked(told, _) if told == back));
        assert_eq!(device.lock().unwrap().not_asked, not_asked);
    }
}

#[test]
fn what_a_device_said_before_it_left_still_arrives() {
    let (device, mut host) = slow();
    let (first, second) = (host.control(asking(1), &[]), host.control(asking(2), &[]));
    // What came after them has been served.
    let bulk = host.bulk_in(1);
    change(&device, |device| device.has_bytes = true);
    assert_eq!(host.hear(), Told::Done(bulk, 0, vec![7]));
    change(&device, |device| {
        device.last_words = Some(Ok(vec![0xCC]));
        device.left = true;
    });
    assert_eq!(host.hear(), Told::Done(first, 0, vec![0xCC]));
    assert_eq!(host.hear(), Told::End, "{second} is never served");
}

/// A paced board with USB, and its own device.
struct Bench {
    hand: Hand,
    device: Arc<Mutex<dyn Device>>,
    _board: PacedBoard,
}

impl Bench {
    fn new() -> Self {
        let config = StationConfig::lantern_nrf52840("test");
        let wiring = Wiring { light: [13, 14, 15].map(Pin::p0), modem: None };
        let boot_button = Some(BootButton { pin: config.mode, pressed: Level::Low });
        let chip = Chip::Nrf52840;
        let board = BoardConfig { source: Source::None, pins: wiring.pins(), boot_button, ..BoardConfig::new(chip) };
        let board = PacedBoard::start(Board::new(board, LANTERN).unwrap(), wiring, 1).unwrap();
        let hand = board.hand();
        let own = devices(&hand, &config).into_iter().find(|device| device.name == "usb").unwrap();
        Self { hand, device: own.device, _board: board }
    }

    /// Waits until it is on the bus, and fetches it.
    fn fetch(&self) -> Host {
        let (news, began) = (News::default(), Instant::now());
        loop {
            let known = news.known();
            let is_there = {
                let mut device = self.device.lock().unwrap();
                device.tells(news.clone());
                device.is_there()
            };
            if is_there {
                return Host::of(&self.device);
            }
            assert!(began.elapsed() < PATIENCE, "it comes to the bus");
            news.wait(known, PATIENCE);
        }
    }
}

fn line_coding(baud: u32) -> (Setup, Vec<u8>) {
    let mut data = baud.to_le_bytes().to_vec();
    data.extend([0, 0, 8]);
    (Setup { kind: 0x21, request: 0x20, value: 0, index: 0, length: 7 }, data)
}

/// idProduct.
fn product(host: &mut Host) -> u16 {
    let asked = host.control(Setup { length: 18, ..DEVICE_DESCRIPTOR }, &[]);
    let Told::Done(number, 0, bytes) = host.hear() else { panic!("it has a descriptor") };
    assert_eq!(number, asked);
    u16::from_le_bytes([bytes[10], bytes[11]])
}

/// bState of the bootloader, and how long it wants to be left alone.
fn status(host: &mut Host) -> Option<(u8, Duration)> {
    host.control(Setup { kind: 0xA1, request: 3, value: 0, index: 0, length: 6 }, &[]);
    match host.hear() {
        Told::Done(_, 0, bytes) => {
            let poll = u32::from_le_bytes([bytes[1], bytes[2], bytes[3], 0]);
            Some((bytes[4], Duration::from_millis(poll.into())))
        }
        Told::End => None,
        other => panic!("{other:?}"),
    }
}

fn download(host: &mut Host, block: u16, bytes: &[u8]) {
    let setup = Setup { kind: 0x21, request: 1, value: block, index: 0, length: bytes.len() as u16 };
    let asked = host.control(setup, bytes);
    assert_eq!(host.hear(), Told::Done(asked, 0, Vec::new()));
}

const BUSY: u8 = 4;
const DOWNLOAD_IDLE: u8 = 5;

/// Erases the page at 0x8000, which takes 85 ms.
fn begin_erase(host: &mut Host) {
    download(host, 0, &[0x41, 0, 0x80, 0, 0]);
    assert_eq!(status(host), Some((BUSY, Duration::from_millis(85))));
}

fn page(hand: &Hand) -> Vec<u8> {
    hand.with_board(|board| {
        let mut page = vec![0; 4096];
        board.flash().read_raw(0x8000, &mut page).unwrap();
        page
    })
}

#[test]
fn the_firmware_serves_a_touch_and_comes_back_as_its_bootloader() {
    let bench = Bench::new();
    assert!(!bench.device.lock().unwrap().is_there(), "without power");
    bench.hand.feed_from_usb(Some(USB));
    let mut host = bench.fetch();
    assert_eq!(product(&mut host), 0x0005);
    let (setup, data) = line_coding(115_200);
    let asked = host.control(setup, &data);
    assert_eq!(host.hear(), Told::Done(asked, 0, Vec::new()));
    let unknown = host.control(Setup { kind: 0x40, request: 0x50, value: 0, index: 41, length: 0 }, &[]);
    assert_eq!(host.hear(), Told::Done(unknown, STALLED, Vec::new()), "there is no factory image");
    let (setup, data) = line_coding(14_400);
    let asked = host.control(setup, &data);
    assert_eq!(host.hear(), Told::Done(asked, 0, Vec::new()), "accepted first, done then");
    assert_eq!(host.hear(), Told::End, "it resets");

    let mut host = bench.fetch();
    assert_eq!(product(&mut host), 0x0006);
    let before = page(&bench.hand);
    begin_erase(&mut host);
    let began = Instant::now();
    while status(&mut host).unwrap().0 == BUSY {
        assert!(began.elapsed() < PATIENCE);
    }
    assert!(began.elapsed() > Duration::from_millis(60), "an erase takes as long as the flash does");
    assert_eq!(page(&bench.hand), [0xFF; 4096]);
    download(&mut host, 0, &[0x21, 0, 0x80, 0, 0]);
    while status(&mut host).unwrap().0 == BUSY {}
    download(&mut host, 2, &before);
    while status(&mut host).unwrap().0 != DOWNLOAD_IDLE {}
    assert_eq!(page(&bench.hand), before);
    download(&mut host, 0, &[0x41, 0, 0, 0x10, 0]);
    while status(&mut host).unwrap().0 == BUSY {}
    assert_eq!(status(&mut host).unwrap().0, 10, "there is no such page");
    host.control(Setup { kind: 0x21, request: 4, value: 0, index: 0, length: 0 }, &[]);
    host.hear();
    download(&mut host, 0, &[]);
    assert_eq!(status(&mut host).unwrap().0, 7, "it answers, and then it goes");
    assert_eq!(host.hear(), Told::End);
    assert_eq!(product(&mut bench.fetch()), 0x0005);
}

#[test]
fn one_that_is_held_in_reset_is_gone_and_one_that_is_back_was_away() {
    let bench = Bench::new();
    bench.hand.feed_from_usb(Some(USB));
    let mut host = bench.fetch();
    bench.hand.reset(Holder::Lines, Button::Pressed);
    assert_eq!(host.hear(), Told::End);
    bench.hand.reset(Holder::Lines, Button::Released);
    bench.fetch();
    // Nobody looks in between.
    let changes = bench.hand.on_usb().changes;
    bench.hand.reset(Holder::Lines, Button::Pressed);
    bench.hand.reset(Holder::Lines, Button::Released);
    let began = Instant::now();
    while bench.hand.on_usb().changes < changes + 2 {
        assert!(began.elapsed() < PATIENCE, "it comes back");
        std::thread::yield_now();
    }
    assert!(bench.device.lock().unwrap().has_left());
    // Whoever follows it is told before anybody looks.
    let news = News::default();
    bench.device.lock().unwrap().tells(news.clone());
    let known = news.known();
    bench.hand.reset(Holder::Lines, Button::Pressed);
    assert_ne!(news.known(), known);
}

#[test]
fn a_loss_of_power_takes_it_off_the_bus_and_tears_what_it_was_doing() {
    let bench = Bench::new();
    bench.hand.feed_from_usb(Some(USB));
    let mut host = bench.fetch();
    host.control(Setup { kind: 0x40, request: 0x50, value: 0, index: 50, length: 0 }, &[]);
    host.hear();
    assert_eq!(host.hear(), Told::End);
    let mut host = bench.fetch();
    let before = page(&bench.hand);
    begin_erase(&mut host);
    bench.hand.feed_from_usb(None);
    assert_eq!(host.hear(), Told::End);
    assert!(!bench.device.lock().unwrap().is_there());
    let began = Instant::now();
    while bench.hand.with_board(|board| board.is_bootloader_busy()) {
        assert!(began.elapsed() < PATIENCE, "its capacitors are empty at some time");
        std::thread::yield_now();
    }
    let torn = page(&bench.hand);
    assert_ne!(torn, before);
    assert_ne!(torn, [0xFF; 4096]);
}
