//! What a station's instruments see, as observations: a task for each, from the moment the board is ready.
//!
//! Boundary: from instruments to observations. What is looked at and how often follows from the plan; what it means is the trial's.

use std::time::Duration;

use brickproof_boards::{BoardProfile, LedIndex};
use brickproof_instruments::{
    Chunk, Console, Deadline, Edge, EdgeKind, Exposure, Failure, FailureKind, Kind, LinePlace, Polarity, Presence,
};
use brickproof_light::Sample;
use brickproof_scenario::plan;
use brickproof_trial::{Glimpse, Observation, Stamp};
use brickproof_units::{Instant, Span, Voltage};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::asking::ask;
use crate::clock::Clock;
use crate::fitness::offer;
use crate::hands::{Hands, News, Watched};
use crate::provision::rail_of;
use crate::station::ACTION;

/// How long a look lasts in vain. A write to the console has to wait for one, so it is short.
const LOOK: Span = Span::millis(10);
/// How often a supply that is only watched is read: often enough that a rail that fails is not laid at the board's door.
const WATCHING: Span = Span::millis(20);
/// How often it is looked what the board is on USB: a device that enumerates anew is away for longer.
pub(crate) const LOOKING_AT_USB: Span = Span::millis(20);
/// How often one is read that is coming up.
const RISING: Span = Span::millis(1);
/// A console that has been silent for so long has nothing left from before.
const SILENT: Span = Span::millis(100);
/// So many readings of a sensor may fail in a row: a bus may be disturbed by the very cut that is made beside it; assumed.
const READINGS_LOST: u32 = 5;

/// What a station sees with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sense {
    Console,
    Light(LedIndex),
    Edges,
    Supply,
    Usb,
}

/// The tasks; they end with it.
#[derive(Debug)]
pub(crate) struct Senses {
    tasks: JoinSet<()>,
}

impl Senses {
    /// Throws away what came before the trial, and begins to look.
    pub(crate) async fn begin(hands: &Hands) -> Result<Self, Failure> {
        let station = &hands.station;
        if let Some(console) = &station.console {
            ask(console, "empty it", ACTION, |console, deadline| {
                while !deadline.has_passed() && console.read(Deadline::after(SILENT))?.is_some() {}
                Ok(())
            })
            .await?;
        }
        if let Some(edges) = &station.edges {
            ask(edges, "forget old edges", ACTION, |edges, _| {
                while edges.next(Deadline::after(Span::ZERO))?.is_some() {}
                Ok(())
            })
            .await?;
        }
        let mut tasks = JoinSet::new();
        if station.console.is_some() {
            tasks.spawn(hear(hands.clone()));
        }
        for (led, _) in station.sensors() {
            tasks.spawn(look(hands.clone(), led));
        }
        if station.edges.is_some() {
            tasks.spawn(feel(hands.clone()));
        }
        if station.supply.is_some() {
            tasks.spawn(watch_rail(hands.clone(), hands.watched()));
        }
        if hands.sees_usb() {
            tasks.spawn(watch_usb(hands.clone()));
        }
        Ok(Self { tasks })
    }

    /// Which there are.
    pub(crate) fn all(hands: &Hands) -> impl Iterator<Item = Sense> {
        let station = &hands.station;
        let there = [
            (Sense::Console, station.console.is_some()),
            (Sense::Edges, station.edges.is_some()),
            (Sense::Supply, station.supply.is_some()),
            (Sense::Usb, hands.sees_usb()),
        ];
        let lights = station.sensors().map(|(led, _)| Sense::Light(led));
        there.into_iter().filter_map(|(sense, there)| there.then_some(sense)).chain(lights)
    }

    /// Ends them, and waits for that.
    pub(crate) async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

/// The board's USB, until nobody can look any more. Whoever writes to its bootloader has it for as long as that takes: then it is there.
async fn watch_usb(hands: Hands) {
    let Some((dfu, firmware)) = hands.station.dfu.as_ref().zip(hands.normal_id()) else { return };
    let (mut known, mut looked) = (None, hands.clock.now());
    loop {
        let in_use = hands.dfu_in_use.lock().await;
        let began = hands.clock.now();
        let seen =
            ask(dfu, "look what the board is on USB", ACTION, move |dfu, deadline| dfu.presence(firmware, deadline));
        let seen = seen.await;
        drop(in_use);
        match seen {
            Ok(presence) => {
                let usb = match presence {
                    Presence::Firmware => plan::UsbPresence::Normal,
                    Presence::Bootloader => plan::UsbPresence::Dfu,
                    Presence::Gone => plan::UsbPresence::Gone,
                };
                if known.replace(usb) != Some(usb) {
                    // It has become so at some time since the look before.
                    let uncertainty = hands.clock.now().since(looked);
                    hands.tell(Stamp { at: began, uncertainty }, Observation::Usb(usb));
                }
                looked = began;
                hands.tell_up_to(Sense::Usb, began);
            }
            // Somebody has the bootloader, who does not share it.
            Err(failure) if matches!(failure.kind(), FailureKind::NoAnswer(_)) => {}
            Err(failure) => return hands.fails_to_see(Sense::Usb, looked, &failure),
        }
        tokio::time::sleep(Duration::from_nanos(LOOKING_AT_USB.as_nanos())).await;
    }
}

/// The console, until it fails.
async fn hear(hands: Hands) {
    let Some(console) = &hands.station.console else { return };
    loop {
        // Whoever writes has it for as long as that takes.
        let in_use = hands.console_in_use.lock().await;
        let (clock, news) = (hands.clock, hands.news.clone());
        let began = clock.now();
        let listened = ask(console, "read from it", ACTION, move |console, _| Ok(listen(console, clock, &news))).await;
        drop(in_use);
        match listened {
            Ok((up_to, Ok(()))) => hands.tell_up_to(Sense::Console, up_to),
            Ok((up_to, Err(failure))) => return hands.fails_to_see(Sense::Console, up_to, &failure),
            Err(failure) => return hands.fails_to_see(Sense::Console, began, &failure),
        }
    }
}

/// Tells what comes during one look, from the driver's own thread: a busy console brings something every millisecond, and a way through a
/// task for each costs more than all that is made of it. Answers up to when everything was told, and whether it can be heard any longer.
fn listen(console: &mut dyn Console, clock: Clock, news: &UnboundedSender<News>) -> (Instant, Result<(), Failure>) {
    let look = Deadline::after(LOOK);
    loop {
        let began = clock.now();
        match console.read(look) {
            Ok(None) => return (began, Ok(())),
            Ok(Some(Chunk { bytes, arrival })) => {
                let stamp = Stamp { at: clock.of(arrival.at), uncertainty: arrival.uncertainty };
                // Nobody listens any more once the trial is over.
                let _ = news.send(News::Seen(stamp, Observation::Console(bytes.into())));
                // What came after it may wait behind it.
                if look.has_passed() {
                    return (stamp.at, Ok(()));
                }
            }
            Err(failure) => return (began, Err(failure)),
        }
    }
}

/// A light, until the sensor above it fails for good.
async fn look(hands: Hands, led: LedIndex) {
    let Some((_, light)) = hands.station.sensors().find(|(known, _)| *known == led) else { return };
    let (mut lost, mut seen) = (0, hands.clock.now());
    loop {
        match ask(light, "see the light", ACTION, |light, deadline| light.sample(deadline)).await {
            Ok(exposure) => {
                lost = 0;
                let stamp = hands.clock.stamp(exposure.end);
                seen = stamp.at;
                let sample = sample(stamp, &exposure);
                hands.tell(stamp, Observation::Light(Glimpse { led, sample }));
                hands.tell_up_to(Sense::Light(led), stamp.at);
            }
            Err(failure) => {
                lost += 1;
                if lost == READINGS_LOST || !may_pass(failure.kind()) {
                    return hands.fails_to_see(Sense::Light(led), seen, &failure);
                }
            }
        }
    }
}

/// Whether the next attempt may succeed at once. One that hangs or is unplugged would only keep the trial waiting.
fn may_pass(failure: &FailureKind) -> bool {
    !matches!(failure, FailureKind::Gone(_) | FailureKind::Missing(_) | FailureKind::NoAnswer(_))
}

pub(crate) fn sample(stamp: Stamp, exposure: &Exposure) -> Sample {
    let [red, green, blue, clear] = exposure.counts;
    Sample { at: stamp.at, integration: exposure.integration, red, green, blue, clear }
}

/// The watched lines, until they fail.
async fn feel(hands: Hands) {
    let Some(edges) = &hands.station.edges else { return };
    loop {
        let began = hands.clock.now();
        match ask(edges, "wait for an edge", ACTION, |edges, _| edges.next(Deadline::after(LOOK))).await {
            Ok(None) => hands.tell_up_to(Sense::Edges, began),
            Ok(Some(edge)) => {
                let stamp = hands.clock.stamp(edge.moment);
                let direction = direction(&hands, &edge);
                hands.tell(stamp, Observation::Edge { line: edge.line.as_str().into(), edge: direction });
                hands.tell_up_to(Sense::Edges, stamp.at);
            }
            Err(failure) => return hands.fails_to_see(Sense::Edges, began, &failure),
        }
    }
}

/// A driver speaks of active levels, a board profile of rising and falling.
fn direction(hands: &Hands, edge: &Edge) -> plan::Edge {
    let place =
        offer(hands.station.file(), Kind::Lines).and_then(|(_, settings)| settings.lines("watch").remove(&edge.line));
    let polarity =
        place.and_then(|text| text.parse::<LinePlace>().ok()).map_or(Polarity::ActiveLow, |place| place.polarity);
    match (polarity, edge.kind) {
        (Polarity::ActiveHigh, EdgeKind::Activated) | (Polarity::ActiveLow, EdgeKind::Deactivated) => {
            plan::Edge::Rising
        }
        (Polarity::ActiveHigh, EdgeKind::Deactivated) | (Polarity::ActiveLow, EdgeKind::Activated) => {
            plan::Edge::Falling
        }
    }
}

/// The supply: every passage of the watched level, and every reading while those are asked for.
async fn watch_rail(hands: Hands, mut watched: watch::Receiver<Watched>) {
    let Ok(supply) = hands.station.supply() else { return };
    let mut passage = Passage::default();
    let mut wishes = 0;
    loop {
        let now = *watched.borrow_and_update();
        if now.minimum.is_none() && now.every.is_none() {
            // Nobody asks yet.
            if watched.changed().await.is_err() {
                return;
            }
            continue;
        }
        // A cut under way tells its own readings.
        let in_use = hands.supply_in_use.lock().await;
        let began = hands.clock.now();
        let reading = ask(supply, "measure", ACTION, |supply, deadline| supply.measure(deadline)).await;
        drop(in_use);
        match reading {
            Ok(reading) => {
                hands.show_rail(&reading);
                let passed = passage.see(hands.station.board(), reading.voltage, now.minimum);
                if passed || now.every.is_some() || now.wishes != wishes {
                    hands.tell_reading(&reading);
                }
                hands.tell_up_to(Sense::Supply, hands.clock.of(reading.moment.at));
                wishes = now.wishes;
            }
            Err(failure) => return hands.fails_to_see(Sense::Supply, began, &failure),
        }
        let rises = hands.is_fed() && passage.below == Some(true);
        let pause = now.every.unwrap_or(WATCHING).min(if rises { RISING } else { WATCHING });
        let pause = Duration::from_nanos(pause.as_nanos());
        // A wish is heard at once.
        let _ = tokio::time::timeout(pause, watched.changed()).await;
    }
}

/// Which side of the watched level the rail was on.
#[derive(Default)]
struct Passage {
    below: Option<bool>,
}

impl Passage {
    fn see(&mut self, board: &BoardProfile, input: Option<Voltage>, minimum: Option<Voltage>) -> bool {
        let Some((input, minimum)) = input.zip(minimum) else { return false };
        let below = rail_of(board, input) < minimum;
        self.below.replace(below) != Some(below)
    }
}
