//! Hears firmware that speaks over RTT with other people's crates, through the stock probe-rs and the board's debug port.
//!
//! Boundary: this machine, no privileges. The firmware says itself how many lines its ring had no room for, so that what is lost between the
//! ring and the test cannot hide behind a host that is busy.

#![expect(clippy::unwrap_used, reason = "a test that meets what it does not expect has failed, in its helpers too")]

use std::sync::Arc;
use std::time::Instant;

use brickproof_instruments::{
    Below, Console, Deadline, Failure, FailureKind, Instrument, Kind, Owner, Probe, Region, Settings, Value, driver,
};
use brickproof_paced::board::{Button, Hand, Holder, PacedBoard};
use brickproof_paced::serve::{ServeOptions, Served, serve};
use brickproof_units::{Baud, Span};
use brickproof_virtual_board::board::BoardState;

use crate::{PATIENCE, USB, start_with};

const TEXT: &[u8] = include_bytes!("../../../../fixtures/firmware/images/telltale-text.bin");
const TEXT_ELF: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/firmware/images/telltale-text.elf");
const DEFMT: &[u8] = include_bytes!("../../../../fixtures/firmware/images/telltale-defmt.bin");
const DEFMT_ELF: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/firmware/images/telltale-defmt.elf");
const LANTERN: &[u8] = crate::LANTERN;

fn soon() -> Deadline {
    Deadline::after(Span::secs(20))
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// A served board, and the probe that holds it.
struct Bench {
    hand: Hand,
    probe: Arc<Owner<dyn Probe>>,
    /// Kept for what they do as they end.
    _served: Served,
    _board: PacedBoard,
}

impl Bench {
    fn new(image: &[u8]) -> Self {
        let board = start_with(image);
        let hand = board.hand();
        let served = serve(&hand, ServeOptions::default()).unwrap();
        let settings = Settings::new()
            .with("usb", text("1d50:6018"))
            .with("serial", text(&served.debug().to_string()))
            .with("chip", text("nRF51822_xxAA"));
        let opened = driver(Kind::Probe, "probe-rs").unwrap().open(&settings, soon()).unwrap();
        let Instrument::Probe(probe) = opened else { panic!("the factory of probes opens probes") };
        let probe = Arc::new(Owner::new("probe", probe).unwrap());
        Self { hand, probe, _served: served, _board: board }
    }

    fn try_listen(&self, word: &str, settings: &Settings) -> Result<Ears, Failure> {
        let below = Below::Probe(Arc::clone(&self.probe));
        let opened = driver(Kind::Console, word).unwrap().open_over(below, settings, soon())?;
        let Instrument::Console(console) = opened else { panic!("the factory of consoles opens consoles") };
        Ok(Ears { console, heard: String::new(), taken: 0 })
    }

    fn listen(&self, word: &str, settings: &Settings) -> Ears {
        self.try_listen(word, settings).unwrap()
    }

    fn power(&self) {
        self.hand.feed_from_usb(Some(USB));
    }

    fn press_reset(&self) {
        let boots = self.hand.boots();
        self.hand.reset(Holder::Lines, Button::Pressed);
        self.hand.reset(Holder::Lines, Button::Released);
        let began = Instant::now();
        while self.hand.boots() == boots {
            assert!(began.elapsed() < PATIENCE, "it boots after a reset");
            std::thread::yield_now();
        }
    }

    fn probe<R: Send + 'static>(
        &self,
        act: impl FnOnce(&mut dyn Probe, Deadline) -> Result<R, Failure> + Send + 'static,
    ) -> R {
        self.probe.call("do what a test wants", soon(), |probe, deadline| act(probe, deadline)).unwrap()
    }
}

/// Whoever hears a console.
struct Ears {
    console: Box<dyn Console>,
    heard: String,
    /// How many lines of it were asked for.
    taken: usize,
}

impl Ears {
    fn hear(&mut self) {
        if let Some(chunk) = self.console.read(Deadline::after(Span::millis(100))).unwrap() {
            self.heard.push_str(&String::from_utf8(chunk.bytes).unwrap());
        }
    }

    /// The next whole line.
    fn line(&mut self) -> String {
        let began = Instant::now();
        loop {
            let whole = self.heard.matches('\n').count();
            if self.taken < whole {
                self.taken += 1;
                return self.heard.lines().nth(self.taken - 1).unwrap().to_owned();
            }
            assert!(began.elapsed() < PATIENCE, "no line came; {:?}", self.heard);
            self.hear();
        }
    }

    /// Lines up to and including the first for which this holds.
    fn until(&mut self, is_last: impl Fn(&str) -> bool) -> Vec<String> {
        let began = Instant::now();
        let mut lines = Vec::new();
        loop {
            let line = self.line();
            let last = is_last(&line);
            lines.push(line);
            if last {
                return lines;
            }
            assert!(began.elapsed() < PATIENCE, "it did not come: {lines:?}");
        }
    }

    fn lines(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.line()).collect()
    }
}

fn is_rigs(line: &str) -> bool {
    line.starts_with("[rig] ")
}

/// `line N skipped M`.
fn numbers(line: &str) -> (u64, u64) {
    let (number, skipped) = line.strip_prefix("line ").and_then(|rest| rest.split_once(" skipped ")).unwrap();
    (number.parse().unwrap(), skipped.parse().unwrap())
}

/// That every line of one life of the board is there, from the first on, but for those that its ring had no room for.
fn assert_none_lost(lines: &[String]) {
    for (heard, line) in lines.iter().enumerate() {
        let (number, skipped) = numbers(line);
        assert_eq!(heard as u64 + skipped, number, "lost before {line:?} of {lines:?}");
    }
}

fn by_symbol() -> Settings {
    Settings::new().with("elf", text(TEXT_ELF))
}

#[test]
fn every_line_is_heard_wherever_the_block_is_said_to_be() {
    let searched = Settings::new();
    let at = Settings::new().with("address", Value::Number(0x2000_0000));
    for settings in [by_symbol(), searched, at] {
        let bench = Bench::new(TEXT);
        let mut ears = bench.listen("rtt", &settings);
        bench.power();
        assert_none_lost(&ears.lines(500));
    }
}

#[test]
fn a_ring_that_skips_loses_whole_lines_and_one_that_waits_none() {
    let slow = || by_symbol().with("poll", Value::Span(Span::millis(200)));
    let bench = Bench::new(TEXT);
    bench.power();
    let mut ears = bench.listen("rtt", &slow());
    let lines = ears.lines(100);
    assert_none_lost(&lines);
    assert!(numbers(&lines[99]).1 > 0, "a ring of 512 bytes has no room for what comes in 200 ms: {lines:?}");
    drop(ears);
    let mut ears = bench.listen("rtt", &slow().with("when_full", text("wait")));
    // What was in the ring when it was told to wait, and the first that it waited with.
    let lines = ears.lines(200);
    let skipped = |line: &String| numbers(line).1;
    let last = skipped(&lines[199]);
    let (before, after): (Vec<_>, Vec<_>) = lines.iter().partition(|line| skipped(line) < last);
    assert!(before.len() < 40, "more than a ring holds: {lines:?}");
    for pair in after.windows(2) {
        assert_eq!(numbers(pair[0]).0 + 1, numbers(pair[1]).0, "skipped, and was to wait");
    }
    drop(ears);
    // Nobody reads any more, and the firmware does not wait for him: the ring says in its last lines what was skipped before.
    let flags = |bench: &Bench| {
        bench.probe(|probe, deadline| probe.read(Region { address: 0x2000_0000 + 24 + 20, length: 4 }, deadline))
    };
    assert_eq!(flags(&bench), [0, 0, 0, 0], "the mode is the firmware's own again");
}

#[test]
fn a_reset_is_said_and_the_next_life_heard_from_its_first_line() {
    let bench = Bench::new(TEXT);
    let mut ears = bench.listen("rtt", &by_symbol());
    bench.power();
    assert_none_lost(&ears.lines(100));
    for by_whom in ["button", "probe"] {
        match by_whom {
            "button" => bench.press_reset(),
            _ => drop(bench.probe(|probe, deadline| probe.reset(deadline))),
        }
        let last = ears.until(is_rigs).pop().unwrap();
        assert!(last.contains("rtt channel 0: the ring began anew: what the board wrote in the "), "{last:?}");
        assert_none_lost(&ears.lines(200));
    }
}

#[test]
fn a_power_cut_is_silence_and_then_the_next_life() {
    let bench = Bench::new(TEXT);
    let mut ears = bench.listen("rtt", &by_symbol());
    bench.power();
    assert_none_lost(&ears.lines(100));
    bench.hand.feed_from_usb(None);
    let began = Instant::now();
    // Its capacitors keep it talking for a while.
    let mut quiet = 0;
    while quiet < 5 {
        assert!(began.elapsed() < PATIENCE, "it has no power and goes on talking");
        let before = ears.heard.len();
        ears.hear();
        quiet = if ears.heard.len() == before { quiet + 1 } else { 0 };
    }
    bench.power();
    ears.until(is_rigs);
    assert_none_lost(&ears.lines(200));
}

#[test]
fn other_firmware_is_heard_once_it_is_programmed_through_the_same_probe() {
    let bench = Bench::new(LANTERN);
    bench.power();
    let mut ears = bench.listen("rtt", &by_symbol());
    let said = ears.line();
    assert!(said.starts_with("[rig] rtt channel 0: nothing to hear: there is no control block"), "{said:?}");
    bench.probe(|probe, deadline| {
        probe.program(0, TEXT, deadline)?;
        probe.reset(deadline)
    });
    assert_none_lost(&ears.lines(100));
}

#[test]
fn what_is_written_comes_back_whole_however_small_the_ring() {
    let bench = Bench::new(TEXT);
    let channels = by_symbol().with("channel", Value::Number(1)).with("down", Value::Number(0));
    let mut ears = bench.listen("rtt", &channels);
    bench.power();
    let words = "the ring has room for fifteen of these bytes, and for no more at once\n";
    // Begun before the board answers.
    ears.console.write(words.as_bytes(), soon()).unwrap();
    assert_eq!(ears.line(), words.trim_end());
}

#[test]
fn what_the_firmware_has_not_is_unsupported_and_named() {
    let bench = Bench::new(TEXT);
    bench.power();
    let mut none = bench.listen("rtt", &by_symbol().with("channel", Value::Number(7)));
    let failure = none.console.read(soon()).unwrap_err();
    assert!(matches!(failure.kind(), FailureKind::Unsupported(_)), "{failure}");
    assert_eq!(
        failure.to_string(),
        "console rtt channel 7 through probe failed to read from it: unsupported: up channel 7: the firmware has 2 of them, counted from 0"
    );
    let mut ears = bench.listen("rtt", &by_symbol().with("down", Value::Number(1)));
    ears.line();
    let failure = ears.console.write(b"x", soon()).unwrap_err();
    assert!(matches!(failure.kind(), FailureKind::Unsupported(_)), "{failure}");
    let failure = ears.console.touch(brickproof_instruments::Touch(Baud::new(1_200)), soon()).unwrap_err();
    assert!(matches!(failure.kind(), FailureKind::Unsupported(_)), "{failure}");
}

fn by_table() -> Settings {
    Settings::new().with("elf", text(DEFMT_ELF))
}

/// A line without its time and, where asked for, with a place in the source whose number does not matter.
fn message(line: &str) -> &str {
    line.split_once(' ').unwrap().1
}

/// `0.168 [INFO] line 42`: the board counts four milliseconds for each line.
fn assert_numbered(lines: &[String], from: usize) {
    for (number, line) in (from..).zip(lines) {
        let ms = 4 * number;
        assert_eq!(*line, format!("{}.{:03} [INFO] line {number}", ms / 1_000, ms % 1_000));
    }
}

/// What the firmware says of itself, `fixtures/firmware/telltale/src/bin/defmt.rs`.
const GREETING: [&str; 6] = [
    "telltale speaks defmt",
    "[TRACE] bytes [de, ad, 00, ef]",
    "[DEBUG] signed -70000 and -1",
    "[INFO] rail Steady { millivolts: 3300 } then Falling",
    "[WARN] text naïve flag true hex 0x0000beef",
    "[ERROR] zeros 0 0 0",
];

#[test]
fn a_log_in_defmt_says_what_the_firmware_means_in_this_life_and_the_next() {
    let bench = Bench::new(DEFMT);
    let mut ears = bench.listen("defmt", &by_table());
    bench.power();
    for life in 0..3 {
        let greeting = ears.lines(GREETING.len());
        assert_eq!(greeting.iter().map(|line| message(line)).collect::<Vec<_>>(), GREETING);
        assert_numbered(&ears.lines(150), 0);
        match life {
            0 => bench.press_reset(),
            _ => {
                bench.hand.feed_from_usb(None);
                let began = Instant::now();
                while bench.hand.state() != BoardState::Off {
                    assert!(began.elapsed() < PATIENCE, "it has no power and runs");
                    std::thread::yield_now();
                }
                bench.power();
            }
        }
        let old = ears.until(is_rigs);
        assert_numbered(&old[..old.len() - 1], 150);
    }
}

#[test]
fn a_line_says_where_it_was_written_if_it_is_to() {
    let bench = Bench::new(DEFMT);
    let mut ears = bench.listen("defmt", &by_table().with("location", text("shown")));
    bench.power();
    let source = include_str!("../../../../fixtures/firmware/telltale/src/bin/defmt.rs");
    let written = source.lines().position(|line| line.contains("println!(\"telltale")).unwrap() + 1;
    let line = ears.line();
    assert_eq!(message(&line), format!("telltale speaks defmt (/lantern/telltale/src/bin/defmt.rs:{written})"));
}

#[test]
fn a_log_that_is_read_late_waits_and_loses_nothing() {
    let bench = Bench::new(DEFMT);
    let mut ears = bench.listen("defmt", &by_table().with("poll", Value::Span(Span::millis(1_200))));
    bench.power();
    assert_eq!(message(&ears.lines(GREETING.len())[5]), GREETING[5]);
    // Several times what the ring holds, and each time it is full before anybody looks.
    assert_numbered(&ears.lines(600), 0);
}

#[test]
fn the_elf_of_other_firmware_is_told_by_what_it_does_not_explain() {
    let bench = Bench::new(DEFMT);
    bench.power();
    let failure = bench.try_listen("defmt", &by_symbol()).err().unwrap();
    assert!(
        failure.to_string().contains(
            "telltale-text.elf failed to tell what the firmware's log says: not found: it has no section `.defmt`"
        ),
        "{failure}"
    );
    let failure = bench.try_listen("defmt", &Settings::new().with("elf", text("/no/such.elf"))).err().unwrap();
    assert!(matches!(failure.kind(), FailureKind::Missing(_)), "{failure}");
    // The right board, and bytes that are no frames.
    let mut ears = bench.listen("rtt", &by_table());
    ears.console.read(soon()).unwrap().unwrap();
    drop(ears);
    let bench = Bench::new(TEXT);
    bench.power();
    let mut ears = bench.listen("defmt", &by_table());
    let said = ears.line();
    assert!(
        said.starts_with("[rig] defmt channel 0: nothing to hear: there is no control block of RTT at "),
        "{said:?}"
    );
}

#[test]
fn an_elf_that_fits_and_is_another_ones_is_told_where_the_board_differs() {
    let mut image = DEFMT.to_vec();
    // The vector of an interrupt that never comes.
    let at = 0xbf;
    image[at] ^= 0x80;
    let bench = Bench::new(&image);
    let mut ears = bench.listen("defmt", &by_table());
    bench.power();
    let said = ears.until(is_rigs).pop().unwrap();
    let words = format!("the board holds something else at {at:#010x}");
    assert!(
        said.starts_with("[rig] defmt channel 0: `elf` is not that of the firmware that runs: ")
            && said.ends_with(&words),
        "{said:?}"
    );
}
