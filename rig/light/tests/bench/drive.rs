//! What a firmware does with its LED: colours over time, and how they are called.
//!
//! Boundary: the truth. Written from Device OS's tables (system_led_signal.cpp, panic.c), not from the recogniser.

use brickproof_light::{Colour, Rhythm};

use super::optics::Dice;

/// Share of full drive of red, green and blue.
pub(crate) type Light = [f64; 3];

pub(crate) const DARK: Light = [0.0; 3];
pub(crate) const RED: Light = [1.0, 0.0, 0.0];
pub(crate) const ORANGE: Light = [1.0, 0.376, 0.0];
pub(crate) const YELLOW: Light = [1.0, 1.0, 0.0];
pub(crate) const GREEN: Light = [0.0, 1.0, 0.0];
pub(crate) const CYAN: Light = [0.0, 1.0, 1.0];
pub(crate) const BLUE: Light = [0.0, 0.0, 1.0];
pub(crate) const MAGENTA: Light = [1.0, 0.0, 1.0];
pub(crate) const WHITE: Light = [1.0, 1.0, 1.0];

/// Lights for so many milliseconds each.
#[derive(Clone, Debug)]
pub(crate) struct Drive {
    pieces: Vec<(f64, Light)>,
}

impl Drive {
    pub(crate) fn dark() -> Self {
        Self { pieces: Vec::new() }
    }

    /// At `time` µs; dark after the end.
    pub(crate) fn at(&self, time: f64) -> Light {
        let index = self.pieces.partition_point(|(end, _)| *end <= time);
        self.pieces.get(index).map_or(DARK, |(_, light)| *light)
    }

    /// In ms.
    pub(crate) fn length(&self) -> u64 {
        (self.pieces.last().map_or(0.0, |(end, _)| *end) / 1e3) as u64
    }

    #[must_use]
    pub(crate) fn then(mut self, light: Light, millis: f64) -> Self {
        let begin = self.pieces.last().map_or(0.0, |(end, _)| *end);
        self.pieces.push((begin + millis * 1e3, light));
        self
    }

    #[must_use]
    pub(crate) fn then_all(self, pieces: impl IntoIterator<Item = (Light, f64)>) -> Self {
        pieces.into_iter().fold(self, |drive, (light, millis)| drive.then(light, millis))
    }

    #[must_use]
    pub(crate) fn blink(self, light: Light, on: f64, off: f64, times: usize) -> Self {
        (0..times).fold(self, |drive, _| drive.then(light, on).then(DARK, off))
    }

    /// Device OS updates a fade every 25 ms: full at the beginning, dark at half the period.
    #[must_use]
    pub(crate) fn fade(self, light: Light, period: f64, times: usize) -> Self {
        self.shape(light, period * times as f64, |time| ((time % period) / (period / 2.0) - 1.0).abs())
    }

    #[must_use]
    pub(crate) fn shape(self, light: Light, length: f64, level: impl Fn(f64) -> f64) -> Self {
        let steps = (length / 25.0) as usize;
        (0..steps).fold(self, |drive, step| {
            let level = level(step as f64 * 25.0);
            drive.then(light.map(|channel| channel * level), 25.0)
        })
    }

    #[must_use]
    pub(crate) fn sos(self, light: Light, code: usize) -> Self {
        let letter = |drive: Self, on: f64| drive.blink(light, on, 100.0, 3);
        let letters = letter(letter(letter(self, 150.0), 300.0), 150.0);
        letters.then(DARK, 900.0).blink(light, 300.0, 300.0, code).then(DARK, 800.0)
    }
}

/// What may be said of a drive.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Truth {
    /// This colour and rhythm (numbers to 12 %), and nothing else.
    Is(Colour, Rhythm),
    /// It has no rhythm: nothing may be said but that.
    NoStatus,
}

/// A drive that lasts, preceded by `LEAD` ms of darkness, and the truth about it.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) drive: Drive,
    pub(crate) truth: Truth,
    /// How long the change from the dark before may go unnoticed, ms.
    pub(crate) notice: u64,
}

pub(crate) const LEAD: u64 = 1_000;

fn case(name: &str, truth: Truth, build: impl FnOnce(Drive) -> Drive) -> Case {
    // A step is known some 35 ms after it happened, at the slowest sampling 80 ms; one that is hidden in the noise takes longer.
    let notice = if name == "power off" { 500 } else { 90 };
    Case { name: name.to_owned(), notice, drive: build(Drive::dark().then(DARK, LEAD as f64)), truth }
}

/// Every status of Device OS (system_led_signal.cpp:52-83), and the blinks of its bootloader (main.c:309-372).
pub(crate) fn statuses() -> Vec<Case> {
    use brickproof_units::{Ratio, Span};
    let blink = |name: &str, light, colour, millis: u64| {
        let rhythm = Rhythm::Blink { period: Span::millis(millis), duty: Ratio::new(500_000) };
        let half = millis as f64 / 2.0;
        case(name, Truth::Is(colour, rhythm), |drive| drive.blink(light, half, half, (12_000 / millis) as usize))
    };
    let fade = |name: &str, light, colour, millis: u64| {
        let rhythm = Rhythm::Breathe { period: Span::millis(millis) };
        case(name, Truth::Is(colour, rhythm), |drive| {
            drive.fade(light, millis as f64, (12_000 / millis).max(4) as usize)
        })
    };
    vec![
        fade("network off", WHITE, Colour::White, 4_000),
        fade("network on", BLUE, Colour::Blue, 4_000),
        blink("network connecting", GREEN, Colour::Green, 200),
        blink("network dhcp", GREEN, Colour::Green, 100),
        fade("network connected", GREEN, Colour::Green, 4_000),
        blink("cloud connecting", CYAN, Colour::Cyan, 200),
        blink("cloud handshake", CYAN, Colour::Cyan, 100),
        fade("cloud connected", CYAN, Colour::Cyan, 4_000),
        fade("safe mode", MAGENTA, Colour::Magenta, 4_000),
        blink("listening mode", BLUE, Colour::Blue, 500),
        blink("dfu mode", YELLOW, Colour::Yellow, 200),
        blink("firmware update", MAGENTA, Colour::Magenta, 100),
        blink("key generation", WHITE, Colour::White, 200),
        blink("bootloader safe mode", MAGENTA, Colour::Magenta, 202),
        blink("bootloader reset", WHITE, Colour::White, 102),
        fade("fast fade", CYAN, Colour::Cyan, 1_000),
        fade("slow fade", CYAN, Colour::Cyan, 8_000),
        case("power off", Truth::Is(Colour::White, Rhythm::Solid), |drive| drive.then([1.0 / 15.0; 3], 6_000.0)),
        case("solid orange", Truth::Is(Colour::Orange, Rhythm::Solid), |drive| drive.then(ORANGE, 6_000.0)),
        case("solid red", Truth::Is(Colour::Red, Rhythm::Solid), |drive| drive.then(RED, 6_000.0)),
        case("off", Truth::Is(Colour::Off, Rhythm::Off), |drive| drive.then(DARK, 6_000.0)),
        case(
            "130 ms blink",
            Truth::Is(Colour::Cyan, Rhythm::Blink { period: Span::millis(130), duty: Ratio::new(500_000) }),
            |drive| drive.blink(CYAN, 65.0, 65.0, 80),
        ),
        case(
            "short flashes",
            Truth::Is(Colour::Green, Rhythm::Blink { period: Span::millis(500), duty: Ratio::new(200_000) }),
            |drive| drive.blink(GREEN, 100.0, 400.0, 20),
        ),
        case("SOS", Truth::Is(Colour::Red, Rhythm::Sos { code: Some(10) }), |drive| drive.sos(RED, 10).sos(RED, 10)),
    ]
}

/// Patterns that are no status, about which nothing may be said.
pub(crate) fn oddities(dice: &mut Dice) -> Vec<Case> {
    let none = |name: &str, build: &mut dyn FnMut(Drive) -> Drive| case(name, Truth::NoStatus, build);
    // Phases that differ by a quarter at least from the one before last, so that no three in a row are even.
    let mut irregular = |drive: Drive, lengths: &[f64]| {
        let mut before = [usize::MAX; 2];
        (0..60).fold(drive, |drive, phase| {
            let choice = loop {
                let choice = (dice.next() % lengths.len() as u64) as usize;
                if choice != before[0] {
                    break choice;
                }
            };
            before = [before[1], choice];
            drive.then(if phase % 2 == 0 { CYAN } else { DARK }, lengths[choice])
        })
    };
    let fast = none("irregular blink", &mut |drive| irregular(drive, &[50.0, 80.0, 120.0, 180.0]));
    let slow = none("irregular slow blink", &mut |drive| irregular(drive, &[150.0, 220.0, 300.0, 400.0]));
    let scaled = |light: Light, level: f64| light.map(|channel| channel * level);
    let hue = |turn: f64| {
        let channel = |offset: f64| (2.0 - ((turn * 6.0 + offset).rem_euclid(6.0) - 3.0).abs()).clamp(0.0, 1.0);
        [channel(3.0), channel(1.0), channel(5.0)]
    };
    vec![
        fast,
        slow,
        none("limping blink", &mut |drive| {
            drive.then_all((0..60).map(|i| (if i % 2 == 0 { CYAN } else { DARK }, [50.0, 50.0, 100.0, 50.0][i % 4])))
        }),
        none("two colours in turn", &mut |drive| {
            drive.then_all((0..80).map(|i| (if i % 2 == 0 { RED } else { BLUE }, 100.0)))
        }),
        none("three colours and dark", &mut |drive| {
            drive.then_all((0..80).map(|i| ([RED, DARK, GREEN, DARK, BLUE, DARK][i % 6], 100.0)))
        }),
        none("rainbow", &mut |drive| drive.then_all((0..400).map(|i| (hue(f64::from(i) / 160.0), 25.0)))),
        none("dimming", &mut |drive| drive.shape(CYAN, 8_000.0, |time| 1.0 - time / 10_000.0)),
        none("sawtooth swell", &mut |drive| drive.shape(CYAN, 16_000.0, |time| 1.0 - (time % 4_000.0) / 4_000.0)),
        none("lopsided swell", &mut |drive| {
            drive.shape(CYAN, 16_000.0, |time| {
                let phase = (time + 800.0) % 4_000.0;
                if phase < 800.0 { phase / 800.0 } else { 1.0 - (phase - 800.0) / 3_200.0 }
            })
        }),
        none("random levels", &mut |drive| {
            let mut dice = Dice(7);
            drive.then_all((0..80).map(|_| (scaled(CYAN, dice.unit()), dice.between(60.0, 300.0))))
        }),
        none("random colours", &mut |drive| {
            let mut dice = Dice(11);
            drive.then_all((0..80).map(|_| ([dice.unit(), dice.unit(), dice.unit()], dice.between(40.0, 300.0))))
        }),
        none("staircase", &mut |drive| drive.then_all((0..60).map(|i| (scaled(GREEN, [1.0, 0.5, 0.2][i % 3]), 150.0)))),
        none("growing pauses", &mut |drive| {
            drive.then_all((0..24).map(|i| if i % 2 == 0 { (CYAN, 60.0) } else { (DARK, 60.0 + 20.0 * i as f64) }))
        }),
    ]
}
