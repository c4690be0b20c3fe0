//! The driver `gpiocdev` on chips of the kernel's simulator, and on those of a USB adapter where a line has to be let go: gpio-sim keeps
//! showing what an open drain drove last.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use brickproof_instruments::{
    Deadline, Drive, EdgeKind, Edges, Failure, FailureKind, Instrument, Kind, LineState, Lines, Moment, Owner,
    Settings, Value, now,
};
use brickproof_paced::devices::cp2112::Cp2112;
use brickproof_paced::line::{Level, Pull};
use brickproof_paced::vhci::{self, Plugged};
use brickproof_units::{Instant, Span};
use libtest_mimic::Trial;

use super::{open, soon, trial};
use crate::gpio_sim::Chip;
use crate::{Mishap, eventually, note, same};

const LABEL: &str = "pinctrl-bcm2711";

pub(super) fn all() -> Vec<Trial> {
    vec![
        trial("gpiocdev::open_drain_pulls_low_and_lets_go", open_drain_pulls_low_and_lets_go),
        trial("gpiocdev::finds_a_line_by_the_kernels_name", finds_a_line_by_the_kernels_name),
        trial("gpiocdev::push_pull_drives_both_ways", push_pull_drives_both_ways),
        trial("gpiocdev::opening_leaves_every_line_released", opening_leaves_every_line_released),
        trial("gpiocdev::making_safe_releases_every_line", making_safe_releases_every_line),
        trial("gpiocdev::a_line_that_somebody_holds_is_busy", a_line_that_somebody_holds_is_busy),
        trial("gpiocdev::what_is_missing_is_named_with_what_is_there", what_is_missing_is_named_with_what_is_there),
        trial("gpiocdev::edges_come_in_order_with_the_kernels_stamps", edges_come_in_order_with_the_kernels_stamps),
        trial("gpiocdev::driving_does_not_wait_for_an_edge", driving_does_not_wait_for_an_edge),
        trial("gpiocdev::edges_of_two_chips_come_to_one_listener", edges_of_two_chips_come_to_one_listener),
        trial("gpiocdev::edges_have_one_listener", edges_have_one_listener),
        trial("gpiocdev::a_vanished_chip_is_gone", a_vanished_chip_is_gone),
        trial("gpiocdev::trigger_to_cut_beside_a_bare_loop", trigger_to_cut_beside_a_bare_loop),
    ]
}

fn chip() -> Result<Chip, Mishap> {
    Ok(Chip::new(LABEL, 58, &[(17, "PHOTON_RST"), (27, "PHOTON_SETUP"), (22, "LED_SENSE")])?)
}

fn settings(drive: &[(&str, &str)], watch: &[(&str, &str)]) -> Settings {
    let map = |lines: &[(&str, &str)]| -> BTreeMap<String, String> {
        lines.iter().map(|(name, place)| ((*name).to_owned(), (*place).to_owned())).collect()
    };
    Settings::new()
        .with("chip", Value::Text(LABEL.to_owned()))
        .with("drive", Value::LineMap(map(drive)))
        .with("watch", Value::LineMap(map(watch)))
}

fn lines(settings: &Settings) -> Result<Box<dyn Lines>, Failure> {
    match open(Kind::Lines, "gpiocdev", settings)? {
        Instrument::Lines(lines) => Ok(lines),
        _ => unreachable!("the factory of lines opens lines"),
    }
}

/// An adapter whose pins can be pulled while they are let go.
pub(super) struct Adapter {
    pins: Arc<Mutex<Cp2112>>,
    plugged: Plugged,
}

impl Adapter {
    pub(super) fn plug() -> Result<Self, Mishap> {
        let pins = Arc::new(Mutex::new(Cp2112::default()));
        let plugged = vhci::plug(1, pins.clone())?;
        let adapter = Self { pins, plugged };
        eventually("the adapter's chip appears", Duration::from_secs(10), || adapter.open(&[("reset", "0")]).ok())?;
        Ok(adapter)
    }

    pub(super) fn open(&self, drive: &[(&str, &str)]) -> Result<Box<dyn Lines>, Failure> {
        lines(&settings(drive, &[]).with("chip", Value::Text("cp2112_gpio".to_owned())))
    }

    fn pull(&self, pin: u8, pull: Pull) {
        self.pins.lock().unwrap_or_else(PoisonError::into_inner).pull(pin, pull);
    }

    /// Its pins, for what is wired to them.
    pub(super) fn pins(&self) -> Arc<Mutex<Cp2112>> {
        Arc::clone(&self.pins)
    }

    pub(super) fn pull_plug(&mut self) -> Result<(), Mishap> {
        Ok(self.plugged.pull()?)
    }

    pub(super) fn level(&self, pin: u8) -> Level {
        self.pins.lock().unwrap_or_else(PoisonError::into_inner).level(pin)
    }
}

impl Drop for Adapter {
    fn drop(&mut self) {
        // The next test plugs in another one of the same name.
        let _ = self.plugged.pull();
        let _ = eventually("the chip goes", Duration::from_secs(10), || self.open(&[]).is_err().then_some(()));
    }
}

fn open_drain_pulls_low_and_lets_go() -> Result<(), Mishap> {
    let adapter = Adapter::plug()?;
    adapter.pull(3, Pull::Up);
    let mut lines = adapter.open(&[("reset", "3")])?;
    same("released, the pull-up decides", adapter.level(3), Level::High)?;
    let before = now();
    let moment = lines.drive("reset", Drive::Asserted, soon())?;
    let after = now();
    same("asserted, it is low", adapter.level(3), Level::Low)?;
    same("and reads active", lines.read("reset", soon())?, LineState::Active)?;
    same("the moment lies in the call", (before..=after).contains(&moment.at), true)?;
    lines.drive("reset", Drive::Released, soon())?;
    same("let go, the pull-up decides again", adapter.level(3), Level::High)?;
    adapter.pull(3, Pull::Down);
    same("a board that holds it low itself is seen", lines.read("reset", soon())?, LineState::Active)
}

fn finds_a_line_by_the_kernels_name() -> Result<(), Mishap> {
    let chip = chip()?;
    chip.pull(27, Pull::Up)?;
    let mut lines = lines(&settings(&[("mode", "PHOTON_SETUP")], &[]))?;
    lines.drive("mode", Drive::Asserted, soon())?;
    same("PHOTON_SETUP is line 27", chip.level(27)?, Level::Low)
}

fn push_pull_drives_both_ways() -> Result<(), Mishap> {
    let chip = chip()?;
    let mut lines = lines(&settings(&[("power", "5 push-pull active-high")], &[]))?;
    chip.pull(5, Pull::Up)?;
    same("released, it is low against a pull-up", chip.level(5)?, Level::Low)?;
    lines.drive("power", Drive::Asserted, soon())?;
    chip.pull(5, Pull::Down)?;
    same("asserted, it is high against a pull-down", chip.level(5)?, Level::High)
}

fn opening_leaves_every_line_released() -> Result<(), Mishap> {
    let chip = chip()?;
    for offset in [17, 27] {
        chip.pull(offset, Pull::Up)?;
    }
    let _lines = lines(&settings(&[("reset", "17"), ("mode", "27"), ("power", "5 push-pull active-high")], &[]))?;
    let levels = [chip.level(17)?, chip.level(27)?, chip.level(5)?];
    same("reset, mode and power", levels, [Level::High, Level::High, Level::Low])
}

fn making_safe_releases_every_line() -> Result<(), Mishap> {
    let adapter = Adapter::plug()?;
    let names = [("a", "1"), ("b", "2"), ("c", "3")];
    let levels = || [1, 2, 3].map(|pin| adapter.level(pin));
    for pin in 1..=3 {
        adapter.pull(pin, Pull::Up);
    }
    let mut lines = adapter.open(&names)?;
    for (name, _) in names {
        lines.drive(name, Drive::Asserted, soon())?;
    }
    same("all are low", levels(), [Level::Low; 3])?;
    lines.make_safe(soon())?;
    same("all are let go", levels(), [Level::High; 3])
}

fn kind_of<T>(result: Result<T, Failure>) -> Result<FailureKind, Mishap> {
    match result {
        Ok(_) => Err("it worked, and should not have".into()),
        Err(failure) => {
            note(&format!("{failure}"));
            Ok(failure.into_kind())
        }
    }
}

fn a_line_that_somebody_holds_is_busy() -> Result<(), Mishap> {
    let _chip = chip()?;
    let _held = lines(&settings(&[("reset", "17")], &[]))?;
    match kind_of(lines(&settings(&[("reset", "17")], &[])))? {
        FailureKind::Busy(_) => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

fn what_is_missing_is_named_with_what_is_there() -> Result<(), Mishap> {
    let _chip = chip()?;
    let expect = |result: Result<(), Failure>, words: &str| match kind_of(result)? {
        FailureKind::Missing(text) if text.contains(words) => Ok(()),
        other => Err(Mishap::from(format!("{other:?} does not say {words}"))),
    };
    let elsewhere = settings(&[("reset", "17")], &[]).with("chip", Value::Text("gpiochip9".to_owned()));
    expect(lines(&elsewhere).map(drop), LABEL)?;
    expect(lines(&settings(&[("reset", "ARGON_RST")], &[])).map(drop), "ARGON_RST")?;
    let mut lines = lines(&settings(&[("reset", "17")], &[("sense", "22")]))?;
    expect(lines.drive("mode", Drive::Asserted, soon()).map(drop), "reset, sense")
}

fn edges_come_in_order_with_the_kernels_stamps() -> Result<(), Mishap> {
    const EDGES: usize = 1_000;
    let chip = chip()?;
    let mut lines = lines(&settings(&[], &[("sense", "22 active-high")]))?;
    let mut edges = edges(&mut *lines)?;
    for index in 0..EDGES {
        let (pull, kind) =
            if index % 2 == 0 { (Pull::Up, EdgeKind::Activated) } else { (Pull::Down, EdgeKind::Deactivated) };
        let before = now();
        chip.pull(22, pull)?;
        let edge = edges.next(soon())?.ok_or("no edge came")?;
        let told = now();
        same("the edge", (edge.line.as_str(), edge.kind), ("sense", kind))?;
        let (at, blur) = (edge.moment.at, edge.moment.uncertainty);
        // gpio-sim raises its interrupt from a work queue of its own, perhaps after the write has returned.
        if at + blur < before || at > told {
            return Err(format!("edge {index} at {} ns is not in {} to {} ns", ns(at), ns(before), ns(told)).into());
        }
    }
    same("and no more", edges.next(Deadline::after(Span::millis(5)))?, None)
}

/// One thread waits for an edge that only comes once the other has driven a line, on the same lines.
fn driving_does_not_wait_for_an_edge() -> Result<(), Mishap> {
    let chip = chip()?;
    let mut lines = lines(&settings(&[("power", "6 push-pull active-high")], &[("sense", "22 active-high")]))?;
    let mut edges = edges(&mut *lines)?;
    let waiting = thread::spawn(move || edges.next(soon()));
    lines.drive("power", Drive::Asserted, soon())?;
    same("it is driven", chip.level(6)?, Level::High)?;
    same("a watched line is read all the same", lines.read("sense", soon())?, LineState::Inactive)?;
    same("nobody has come back yet", waiting.is_finished(), false)?;
    chip.pull(22, Pull::Up)?;
    let edge = waiting.join().map_err(|_| "the listener panicked")??.ok_or("no edge came")?;
    same("the edge", (edge.line.as_str(), edge.kind), ("sense", EdgeKind::Activated))
}

fn edges_of_two_chips_come_to_one_listener() -> Result<(), Mishap> {
    let chip = chip()?;
    let other = Chip::new("second", 4, &[(3, "OTHER_SENSE")])?;
    let mut lines = lines(&settings(&[], &[("sense", "22 active-high"), ("other", "OTHER_SENSE active-high")]))?;
    let mut edges = edges(&mut *lines)?;
    for (which, offset, name) in [(&other, 3, "other"), (&chip, 22, "sense"), (&other, 3, "other")] {
        let (pull, kind) = match which.level(offset)? {
            Level::Low => (Pull::Up, EdgeKind::Activated),
            Level::High => (Pull::Down, EdgeKind::Deactivated),
        };
        which.pull(offset, pull)?;
        let edge = edges.next(soon())?.ok_or("no edge came")?;
        same("the edge", (edge.line.as_str(), edge.kind), (name, kind))?;
    }
    Ok(())
}

fn edges_have_one_listener() -> Result<(), Mishap> {
    let _chip = chip()?;
    let mut watching = lines(&settings(&[], &[("sense", "22 active-high")]))?;
    let _edges = edges(&mut *watching)?;
    match kind_of(watching.edges().map(drop))? {
        FailureKind::Refused(_) => {}
        other => return Err(format!("{other:?}").into()),
    }
    drop(watching);
    let mut only_driven = lines(&settings(&[("reset", "17")], &[]))?;
    same("nothing is watched", only_driven.edges()?.is_none(), true)
}

fn edges(lines: &mut dyn Lines) -> Result<Box<dyn Edges>, Mishap> {
    Ok(lines.edges()?.ok_or("nothing is watched")?)
}

fn ns(at: Instant) -> u64 {
    at.as_nanos()
}

fn a_vanished_chip_is_gone() -> Result<(), Mishap> {
    let chip = chip()?;
    let mut lines = lines(&settings(&[("reset", "17")], &[("sense", "22")]))?;
    let mut edges = edges(&mut *lines)?;
    drop(chip);
    let told = [
        kind_of(lines.drive("reset", Drive::Asserted, soon()))?,
        kind_of(lines.read("sense", soon()))?,
        kind_of(edges.next(soon()))?,
    ];
    match told {
        [FailureKind::Gone(_), FailureKind::Gone(_), FailureKind::Gone(_)] => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

/// From a stamped edge to the cut that answers it: through the driver on a thread of its own, beside the shortest loop that could do the
/// same. Both alternate, so that a busy computer disturbs both alike. The figures are this emulated computer's; only their difference
/// says something about the rig.
fn trigger_to_cut_beside_a_bare_loop() -> Result<(), Mishap> {
    const ROUNDS: usize = 1_000;
    let chip = chip()?;
    let mut bare_rounds = Vec::with_capacity(ROUNDS);
    let mut our_rounds = Vec::with_capacity(ROUNDS);
    let bare = Bare::new(&chip)?;
    let mut watch = lines(&settings(&[], &[("sense", "22 active-high")]))?;
    let watch = edges(&mut *watch)?;
    let cut = lines(&settings(&[("power", "6 push-pull active-high")], &[]))?;
    let (watch, cut) = (Owner::new("watch", watch)?, Owner::new("cut", cut)?);
    for round in 0..ROUNDS {
        let pull = if round % 2 == 0 { Pull::Up } else { Pull::Down };
        bare_rounds.push(bare.round(&chip, pull)?);
        chip.pull(22, pull)?;
        let edge =
            watch.call("wait for an edge", soon(), |edges, deadline| edges.next(deadline))?.ok_or("no edge came")?;
        let moment = cut.call("cut", soon(), |lines, deadline| lines.drive("power", Drive::Asserted, deadline))?;
        our_rounds.push((moment.at + moment.uncertainty).since(edge.moment.at));
        cut.call("give back", soon(), |lines, deadline| lines.drive("power", Drive::Released, deadline))?;
    }
    tell("a bare loop", &mut bare_rounds);
    tell("the rig", &mut our_rounds);
    note(&format!("on top of the bare loop: median {}", median(&our_rounds) - median(&bare_rounds)));
    Ok(())
}

/// One edge request, one output request, nothing between them.
struct Bare {
    watch: gpiocdev::Request,
    cut: gpiocdev::Request,
}

const BARE_WATCH: u32 = 30;
const BARE_CUT: u32 = 31;

impl Bare {
    fn new(chip: &Chip) -> Result<Self, Mishap> {
        use gpiocdev::line::{EdgeDetection, Value};
        let request = || {
            let mut builder = gpiocdev::Request::builder();
            builder.on_chip(chip.node());
            builder
        };
        let watch =
            request().with_line(BARE_WATCH).as_input().with_edge_detection(EdgeDetection::BothEdges).request()?;
        let cut = request().with_line(BARE_CUT).as_output(Value::Inactive).request()?;
        Ok(Self { watch, cut })
    }

    fn round(&self, chip: &Chip, pull: Pull) -> Result<Span, Mishap> {
        use gpiocdev::line::Value;
        chip.pull(BARE_WATCH, pull)?;
        if !self.watch.wait_edge_event(Duration::from_secs(5))? {
            return Err("no edge came to the bare loop".into());
        }
        let edge = self.watch.read_edge_event()?;
        let ((), moment) = Moment::of(|| self.cut.set_value(BARE_CUT, Value::Active))?;
        self.cut.set_value(BARE_CUT, Value::Inactive)?;
        Ok((moment.at + moment.uncertainty).since(Instant::from_nanos(edge.timestamp_ns)))
    }
}

fn tell(who: &str, rounds: &mut [Span]) {
    rounds.sort();
    let at = |share: usize| rounds[(rounds.len() * share / 100).min(rounds.len() - 1)];
    note(&format!("trigger to cut, {who}: n {}, median {}, p99 {}, max {}", rounds.len(), at(50), at(99), at(100)));
}

fn median(sorted: &[Span]) -> Span {
    sorted[sorted.len() / 2]
}
