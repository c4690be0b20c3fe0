//! The bench tests itself before it blames a board: every instrument is found, driven, read back and left safe.
//!
//! Boundary: one station, and what can be known without a person looking. What was done and seen is told as it comes; what cannot be verified
//! is said, not left out. Nothing is written to the board.

use std::fmt;

use brickproof_boards::LedIndex;
use brickproof_instruments::{Drive, Failure, FailureKind, Kind, LineState};
use brickproof_units::Span;
use tokio::sync::watch;

use crate::asking::ask;
use crate::driver::Stop;
use crate::file::Driver;
use crate::fitness::offer;
use crate::provision::{self, feed};
use crate::station::{ACTION, OpenStation, Opened, told};

mod latency;
mod sensing;

pub use latency::Latency;
use sensing::{Brightness, Heard};

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it should be.
    Ok,
    /// Not so, and that is the bench's fault until it is shown to be the board's.
    Failed,
    /// Nothing here can tell.
    CannotVerify,
}

impl Outcome {
    /// As people and programs read it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::CannotVerify => "cannot verify",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One step: what was done with which instrument, and what was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What came of it.
    pub outcome: Outcome,
    /// With which instrument; `None`: with the whole station.
    pub instrument: Option<Kind>,
    /// Its driver, and which device that is.
    pub device: String,
    /// What was done.
    pub did: String,
    /// What was seen.
    pub saw: String,
    /// How long cuts took, where that was measured.
    pub latency: Option<Latency>,
}

/// What is wanted beyond the steps that are always taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// So many cuts to measure how fast they come. `None`: a few, and only if the board can be held in reset meanwhile.
    pub cuts: Option<u32>,
}

/// Everything about one station.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The station, with its bench.
    pub station: String,
    /// The steps, in the order in which they were taken.
    pub findings: Vec<Finding>,
    /// Somebody ended it early; the station was made safe all the same.
    pub interrupted: bool,
}

impl Report {
    /// How many steps came to this.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.findings.iter().filter(|finding| finding.outcome == outcome).count()
    }
}

/// Cuts that are measured if nobody says how many.
const CUTS: u32 = 10;
/// A line has its new level by then, also through a slow open-drain edge; assumed.
const FOLLOWS: Span = Span::millis(20);
/// How long a board may take to say its first byte after it got power; assumed.
const BOOT: Span = Span::secs(10);
/// How long a board without power, or in reset, is listened to.
const QUIET: Span = Span::secs(1);
/// What was on its way when the board stopped has arrived by then: adapters collect for up to 16 ms; assumed with room to spare.
const ON_ITS_WAY: Span = Span::millis(200);
/// How the line is called that resets a board.
const RESET: &str = "reset";

/// Checks the station, telling each finding as it comes, and leaves it safe.
pub async fn check(
    opened: &Opened,
    wanted: Wanted,
    mut stop: watch::Receiver<Stop>,
    tell: &mut dyn FnMut(&Finding),
) -> Report {
    let station = &*opened.station;
    let mut check = Check { station, wanted, findings: Vec::new(), tell };
    check.found(opened);
    let mut interrupted = false;
    if station.supply.is_none() && station.lines.is_none() {
        let saw = "neither its supply nor its lines are open: nothing is driven";
        check.report(Outcome::CannotVerify, None, "drive it", saw);
        return Report { station: station.name().to_owned(), findings: check.findings, interrupted };
    }
    match station.leave_safe_state("bench check") {
        Err(error) => {
            check.report(Outcome::Failed, None, "note that it is driven", format!("{error}; nothing is driven"));
        }
        Ok(()) => {
            tokio::select! {
                () = check.drive() => {}
                Ok(_) = stop.wait_for(|stop| *stop != Stop::No) => interrupted = true,
            }
            match station.make_safe().await {
                Ok(()) => check.report(Outcome::Ok, None, "leave it safe", "source off, lines released"),
                Err(failures) => {
                    for failure in failures {
                        check.failed(None, "leave it safe", &failure);
                    }
                }
            }
        }
    }
    Report { station: station.name().to_owned(), findings: check.findings, interrupted }
}

struct Check<'a> {
    station: &'a OpenStation,
    wanted: Wanted,
    findings: Vec<Finding>,
    tell: &'a mut dyn FnMut(&Finding),
}

/// Whether a step came to what the next ones need.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fed {
    Yes,
    No,
}

impl Check<'_> {
    fn report(&mut self, outcome: Outcome, instrument: Option<Kind>, did: impl Into<String>, saw: impl Into<String>) {
        self.push(outcome, instrument, did.into(), saw.into(), None);
    }

    fn push(&mut self, outcome: Outcome, instrument: Option<Kind>, did: String, saw: String, latency: Option<Latency>) {
        let device = match instrument {
            Some(kind) => self.station.file().instruments.get(&kind).map(device).unwrap_or_default(),
            None => format!("station {}", self.station.name()),
        };
        let finding = Finding { outcome, instrument, device, did, saw, latency };
        (self.tell)(&finding);
        self.findings.push(finding);
    }

    /// What a driver cannot do at all is no failure of the device.
    fn failed(&mut self, instrument: Option<Kind>, did: impl Into<String>, failure: &Failure) {
        let outcome = match failure.kind() {
            FailureKind::Unsupported(_) => Outcome::CannotVerify,
            _ => Outcome::Failed,
        };
        self.report(outcome, instrument, did, told(failure));
    }

    fn found(&mut self, opened: &Opened) {
        if let Some(restored) = &opened.restored {
            let outcome = if restored.still_unsafe.is_some() { Outcome::Failed } else { Outcome::Ok };
            self.report(outcome, None, "look into its journal", restored.to_string());
        }
        for (which, _) in self.station.file().fitted() {
            let did = match self.station.board().led(which.led).filter(|_| which.led != LedIndex::FIRST) {
                Some(led) => format!("open that above the light `{}`", led.name),
                None => "open it".to_owned(),
            };
            match opened.missing.iter().find(|(missing, _)| *missing == which) {
                Some((_, failure)) => self.report(Outcome::Failed, Some(which.kind), did, told(failure)),
                None => self.report(Outcome::Ok, Some(which.kind), did, "it is there"),
            }
        }
    }

    /// Everything that moves something.
    async fn drive(&mut self) {
        self.is_off().await;
        self.is_quiet().await;
        let dark = self.is_dark(None).await;
        let fed = self.feed().await;
        if fed == Fed::Yes {
            let (boot, lit) = tokio::join!(self.boot(), self.lit());
            let words = self.speaks(boot);
            self.shows(dark, lit);
            self.right_board().await;
            self.lines(words.as_deref()).await;
            self.edges().await;
            self.is_off().await;
            self.is_quiet().await;
            self.is_dark(dark).await;
            self.cuts().await;
        }
        self.not_driven();
    }

    /// With all cables in, before and after the board had power.
    async fn is_off(&mut self) {
        if self.station.supply.is_none() {
            return;
        }
        let did = "switch it off and measure that off is off, with all cables in";
        match self.station.power_off().await {
            Err(failure) => self.failed(Some(Kind::Supply), did, &failure),
            Ok(()) => match self.station.measure().await {
                Ok(reading) => {
                    let volts = reading.voltage.map_or_else(|| "off".to_owned(), |volts| volts.to_string());
                    self.report(Outcome::Ok, Some(Kind::Supply), did, volts);
                }
                Err(failure) => self.failed(Some(Kind::Supply), did, &failure),
            },
        }
    }

    async fn is_quiet(&mut self) {
        if self.station.console.is_none() || self.station.supply.is_none() {
            return;
        }
        let did = format!("listen for {QUIET} to a board without power");
        // What it said while it had power may still be on its way.
        let heard = match self.hear(ON_ITS_WAY).await {
            Ok(_) => self.hear(QUIET).await,
            Err(failure) => Err(failure),
        };
        match heard {
            Err(failure) => self.failed(Some(Kind::Console), did, &failure),
            Ok(heard) if heard.is_empty() => self.report(Outcome::Ok, Some(Kind::Console), did, "quiet"),
            Ok(heard) => {
                let saw = format!(
                    "{}: something else feeds the board: look at USB, UART and probe cables",
                    heard.words().unwrap_or_default()
                );
                self.report(Outcome::Failed, Some(Kind::Console), did, saw);
            }
        }
    }

    /// The sensor above a board without power; `before` is what it saw before the board had any.
    async fn is_dark(&mut self, before: Option<Brightness>) -> Option<Brightness> {
        if self.station.light.is_none() || self.station.supply.is_none() {
            return None;
        }
        let did = "see the dark of a board without power";
        match self.look_at_the_dark().await {
            Err(failure) => {
                self.failed(Some(Kind::Light), did, &failure);
                None
            }
            Ok(dark) if dark.is_clipped => {
                let saw = format!("{dark}: the end of its range; shield the sensor from other light");
                self.report(Outcome::Failed, Some(Kind::Light), did, saw);
                None
            }
            Ok(dark) => {
                let (outcome, saw) = match before {
                    Some(before) if dark.outshines(&before) => (
                        Outcome::Failed,
                        format!("{dark}, and {before} before it had power: the light goes on without it"),
                    ),
                    _ => (Outcome::Ok, dark.to_string()),
                };
                self.report(outcome, Some(Kind::Light), did, saw);
                Some(dark)
            }
        }
    }

    async fn feed(&mut self) -> Fed {
        if self.station.supply.is_none() {
            self.report(
                Outcome::CannotVerify,
                None,
                "feed the board",
                "it has no supply that is open: nothing else is driven",
            );
            return Fed::No;
        }
        let input = self.station.board().input;
        let did = format!("feed the board with {}", provision::usual_output(self.station).voltage);
        let reading = match feed(self.station).await {
            Ok(()) => self.station.measure().await,
            Err(failure) => Err(failure),
        };
        let reading = match reading {
            Ok(reading) => reading,
            Err(failure) => {
                let unmeasured = matches!(failure.kind(), FailureKind::Unsupported(_));
                self.failed(Some(Kind::Supply), did, &failure);
                return if unmeasured { Fed::Yes } else { Fed::No };
            }
        };
        let Some(volts) = reading.voltage else {
            self.report(Outcome::CannotVerify, Some(Kind::Supply), did, "it does not measure its voltage");
            return Fed::Yes;
        };
        let saw = match reading.current {
            Some(current) => format!("{volts}, {current}"),
            None => format!("{volts}"),
        };
        if volts > input.maximum {
            let saw = format!("{saw}: the board bears no more than {}; it is switched off", input.maximum);
            self.report(Outcome::Failed, Some(Kind::Supply), did, saw);
            return Fed::No;
        }
        match reading.current {
            Some(current) if current > input.current_ceiling => {
                let saw = format!("{saw}: the board takes no more than {}; it is switched off", input.current_ceiling);
                self.report(Outcome::Failed, Some(Kind::Supply), did, saw);
                Fed::No
            }
            _ => {
                self.report(Outcome::Ok, Some(Kind::Supply), did, saw);
                Fed::Yes
            }
        }
    }

    /// What the board said when it had got power; its first words.
    fn speaks(&mut self, boot: Option<Result<Heard, Failure>>) -> Option<String> {
        let did = "listen to the board that got power";
        match boot? {
            Err(failure) => self.failed(Some(Kind::Console), did, &failure),
            Ok(heard) => match heard.words() {
                Some(words) => {
                    self.report(Outcome::Ok, Some(Kind::Console), did, words);
                    return heard.first_line();
                }
                None => {
                    let saw = format!(
                        "nothing for {BOOT}: look whether RX and TX are crossed, at the baud rate, and whether there is firmware on it"
                    );
                    self.report(Outcome::Failed, Some(Kind::Console), did, saw);
                }
            },
        }
        None
    }

    fn shows(&mut self, dark: Option<Brightness>, lit: Option<Result<Brightness, Failure>>) {
        let did = "see the light of the board that got power";
        match (lit, dark) {
            (None, _) => {}
            (Some(Err(failure)), _) => self.failed(Some(Kind::Light), did, &failure),
            (Some(Ok(lit)), None) => {
                self.report(
                    Outcome::CannotVerify,
                    Some(Kind::Light),
                    did,
                    format!("{lit}; there is no dark to compare it with"),
                );
            }
            (Some(Ok(lit)), Some(dark)) if lit.outshines(&dark) => {
                let saw = format!("{lit}, {} times the dark", lit.times(&dark));
                self.report(Outcome::Ok, Some(Kind::Light), did, saw);
            }
            (Some(Ok(lit)), Some(dark)) => {
                let saw = format!(
                    "{lit}, and {dark} in the dark: the sensor is not above the LED, or the firmware shows nothing; which of them, \
                     nothing here can tell"
                );
                self.report(Outcome::Failed, Some(Kind::Light), did, saw);
            }
        }
    }

    async fn right_board(&mut self) {
        if self.station.probe.is_none() {
            return;
        }
        let did = "read the unique id of the board";
        let expected = self.station.file().serial.clone();
        match (provision::identity(self.station).await, expected) {
            (Err(failure), _) => self.failed(Some(Kind::Probe), did, &failure),
            (Ok(found), Some(expected)) if found == expected => {
                self.report(Outcome::Ok, Some(Kind::Probe), did, found.to_string());
            }
            (Ok(found), Some(expected)) => {
                let saw = format!("{found}, and the bench file says {expected}: another board sits there");
                self.report(Outcome::Failed, Some(Kind::Probe), did, saw);
            }
            (Ok(found), None) => {
                let saw = format!("{found}; the bench file has no `serial` to hold it to");
                self.report(Outcome::CannotVerify, Some(Kind::Probe), did, saw);
            }
        }
    }

    /// Each driven line, the one that resets the board last: what the others did to it ends with that.
    async fn lines(&mut self, first_words: Option<&str>) {
        if self.station.lines.is_none() {
            return;
        }
        for line in self.driven().into_iter().filter(|line| line != RESET) {
            self.follows(&line).await;
        }
        if self.drives_reset() {
            self.resets(first_words).await;
        }
    }

    /// Lines that are driven by hand; those of a switch are the supply's.
    fn driven(&self) -> Vec<String> {
        let Some((_, settings)) = offer(self.station.file(), Kind::Lines) else { return Vec::new() };
        let named = settings.lines("drive").into_keys().chain(settings.texts("lines").unwrap_or_default());
        let of_supply = self.lines_of_supply();
        named.filter(|line| !of_supply.contains(line)).collect()
    }

    fn lines_of_supply(&self) -> Vec<String> {
        let Some((_, settings)) = offer(self.station.file(), Kind::Supply) else { return Vec::new() };
        let over_lines =
            self.station.file().instruments.get(&Kind::Supply).is_some_and(|it| it.over() == Some(Kind::Lines));
        let named = |key: &str| settings.text(key).filter(|_| over_lines).map(str::to_owned);
        ["line", "crowbar"].into_iter().filter_map(named).collect()
    }

    fn drives_reset(&self) -> bool {
        self.station.lines.is_some() && self.driven().iter().any(|line| line == RESET)
    }

    async fn follows(&mut self, line: &str) {
        let did = format!("assert `{line}`, read it, release it, read it");
        let seen = async {
            let asserted = self.drive_and_read(line, Drive::Asserted).await?;
            Ok((asserted, self.drive_and_read(line, Drive::Released).await?))
        };
        match seen.await {
            Ok((LineState::Active, LineState::Inactive)) => {
                self.report(Outcome::Ok, Some(Kind::Lines), did, "it follows");
            }
            Ok((LineState::Inactive, _)) => {
                let saw = "it does not become active: something holds it, or the board does not reach its level";
                self.report(Outcome::Failed, Some(Kind::Lines), did, saw);
            }
            Ok((LineState::Active, LineState::Active)) => {
                let saw = "it stays active: something holds it, or its pull resistor is missing";
                self.report(Outcome::Failed, Some(Kind::Lines), did, saw);
            }
            Err(failure) => {
                // It must not stay asserted because it cannot be read.
                let _ = self.station.drive(line, Drive::Released).await;
                self.failed(Some(Kind::Lines), did, &failure);
            }
        }
    }

    async fn drive_and_read(&self, line: &str, drive: Drive) -> Result<LineState, Failure> {
        self.station.drive(line, drive).await?;
        pause(FOLLOWS).await;
        let line = line.to_owned();
        ask(self.station.lines()?, "read a line", ACTION, move |lines, deadline| lines.read(&line, deadline)).await
    }

    /// RESET is the one line whose effect shows: a board in reset is quiet, and begins anew.
    async fn resets(&mut self, first_words: Option<&str>) {
        self.follows(RESET).await;
        let did = "hold the board in reset, let it go";
        let Some(first_words) = first_words else {
            let saw = "a board that says nothing does not tell whether RESET reaches it";
            return self.report(Outcome::CannotVerify, Some(Kind::Lines), did, saw);
        };
        match self.reset_and_hear().await {
            Err(failure) => {
                let _ = self.station.drive(RESET, Drive::Released).await;
                self.failed(Some(Kind::Lines), did, &failure);
            }
            Ok((during, _)) if !during.is_empty() => {
                let saw =
                    format!("{} while it was held: RESET does not reach the board", during.words().unwrap_or_default());
                self.report(Outcome::Failed, Some(Kind::Lines), did, saw);
            }
            Ok((_, after)) => match after.first_line() {
                None => {
                    let saw = format!("quiet, and then nothing for {BOOT}: the board does not come back");
                    self.report(Outcome::Failed, Some(Kind::Lines), did, saw);
                }
                Some(line) if sensing::without_figures(&line) == sensing::without_figures(first_words) => {
                    self.report(Outcome::Ok, Some(Kind::Lines), did, "quiet, and then it began as when it got power");
                }
                Some(line) => {
                    let saw = format!("quiet, and then \"{line}\", which is not how it began when it got power");
                    self.report(Outcome::CannotVerify, Some(Kind::Lines), did, saw);
                }
            },
        }
    }

    async fn reset_and_hear(&self) -> Result<(Heard, Heard), Failure> {
        self.station.drive(RESET, Drive::Asserted).await?;
        self.hear(ON_ITS_WAY).await?;
        let during = self.hear(QUIET).await?;
        self.station.drive(RESET, Drive::Released).await?;
        Ok((during, self.hear_boot().await?))
    }

    /// The board was fed and reset: if a watched line has anything to tell, it mostly has by now.
    async fn edges(&mut self) {
        let Some((_, settings)) = offer(self.station.file(), Kind::Lines) else { return };
        let watched: Vec<String> = settings.lines("watch").into_keys().collect();
        if self.station.edges.is_none() || watched.is_empty() {
            return;
        }
        let seen = match self.count_edges().await {
            Ok(seen) => seen,
            Err(failure) => return self.failed(Some(Kind::Lines), "count the edges of watched lines", &failure),
        };
        for line in watched {
            let did = format!("count the edges of `{line}`");
            match seen.get(&line) {
                Some(edges) => self.report(Outcome::Ok, Some(Kind::Lines), did, format!("{edges} since it was opened")),
                None => {
                    let saw = "none; whether the board moved it, nothing here can tell";
                    self.report(Outcome::CannotVerify, Some(Kind::Lines), did, saw);
                }
            }
        }
    }

    async fn cuts(&mut self) {
        if self.wanted.cuts == Some(0) || self.station.supply.is_none() {
            return;
        }
        let held = self.drives_reset();
        let did = "measure how long cuts take from the decision on";
        if self.wanted.cuts.is_none() && !held {
            let saw = "not done: the cuts would hit firmware that runs, because the station does not drive `reset`; --cuts does it all the same";
            return self.report(Outcome::CannotVerify, Some(Kind::Supply), did, saw);
        }
        let over = self.lines_of_supply().into_iter().next();
        match self.measure_cuts(self.wanted.cuts.unwrap_or(CUTS), held, over).await {
            Err(failure) => self.failed(Some(Kind::Supply), did, &failure),
            Ok((cuts, bare)) => {
                self.push(Outcome::Ok, Some(Kind::Supply), did.to_owned(), cuts.to_string(), Some(cuts));
                if let Some(bare) = bare {
                    let did = "measure how long the line alone takes, in a bare loop";
                    self.push(Outcome::Ok, Some(Kind::Lines), did.to_owned(), bare.to_string(), Some(bare));
                }
            }
        }
    }

    /// What stays open whatever was seen.
    fn not_driven(&mut self) {
        let instruments: Vec<Kind> = self.station.file().instruments.keys().copied().collect();
        for kind in instruments {
            let (did, saw) = match kind {
                Kind::Supply => (
                    "feel the board's own rail",
                    "what is measured is the supply's output, not the board's rail behind its regulator",
                ),
                Kind::Light => (
                    "tell one LED from another",
                    "whether the light is that of this board alone: switch off its neighbours and check again",
                ),
                Kind::Dfu => ("use the bootloader", "the board is not put into its bootloader for a check"),
                Kind::Firewall => ("hold traffic up", "nobody sends anything for a check"),
                _ => continue,
            };
            self.report(Outcome::CannotVerify, Some(kind), did, saw);
        }
    }
}

/// Its driver, and what tells it from others of its kind.
fn device(driver: &Driver) -> String {
    let Driver::Real(factory, settings) = driver else { return driver.word().to_owned() };
    let place = ["path", "usb", "hub_port", "chip", "line", "bus", "at", "address", "program", "hub", "interface"];
    let mut words = vec![factory.driver()];
    words.extend(place.into_iter().find_map(|key| settings.text(key)));
    words.extend(settings.text("serial"));
    words.join(" ")
}

async fn pause(span: Span) {
    tokio::time::sleep(std::time::Duration::from_nanos(span.as_nanos())).await;
}

/// A source that is on is looked at so long before it is cut: regulators settle in milliseconds; assumed.
const BEFORE_A_CUT: Span = Span::millis(20);
