//! What a sensor saw of a light, as a strip of colours: so long this one, so long that one.
//!
//! Boundary: counts in, colours for a screen out. What the light said is the recogniser's; this is what it said it with.

use serde::Serialize;

use super::line::Sensor;

/// The darkest light that is shown, as a share of the brightest.
const DARKEST: f32 = 0.03;
/// Off is what lies below so many deviations of the dark.
const SIGMAS: f32 = 5.0;
/// Screens show the power of a value, not the value.
const GAMMA: f32 = 2.2;
/// Each primary is shown in so many steps.
const STEPS: f32 = 15.0;
/// A primary that moved by less of a step has not moved.
const STICKY: f32 = 0.75;
/// A sensor that is silent for longer than so many integrations does not look.
const SILENCE: u64 = 8;

/// One reading: when it ended, how long it took, red, green, blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) at: u64,
    pub(super) integration: u64,
    pub(super) counts: [u16; 3],
}

/// A strip: colours by their number in the palette, each with the microseconds for which it is seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Strip {
    /// `#rrggbb`; the empty one is nothing: the sensor did not look.
    palette: Vec<String>,
    /// Microseconds and colour, in turn, from the beginning of the trial on.
    runs: Vec<u64>,
}

impl Strip {
    /// Of readings in their order, by a sensor that counts so.
    pub(super) fn of(readings: &[Reading], sensor: &Sensor) -> Self {
        let light: Vec<[f32; 3]> = readings.iter().map(|reading| sensor.light(reading)).collect();
        let brightest = brightest(&light);
        let off = (sensor.noise * SIGMAS).max(brightest * DARKEST);
        let mut strip = Growing::default();
        let mut shown = [0.0; 3];
        for (reading, light) in readings.iter().zip(light) {
            shown = shown_as(light, shown, brightest, off);
            let began = reading.at.saturating_sub(reading.integration);
            if began > strip.until + SILENCE * reading.integration.max(1) {
                strip.push(began, None);
            }
            strip.push(reading.at, Some(shown.map(|value| value as u8)));
        }
        strip.finish()
    }
}

/// The level of the brightest hundredth of all primaries: one bright sample must not darken all others.
fn brightest(light: &[[f32; 3]]) -> f32 {
    let mut levels: Vec<f32> = light.iter().map(|it| it.iter().copied().fold(0.0, f32::max)).collect();
    levels.sort_by(f32::total_cmp);
    levels.get(levels.len().saturating_sub(1 + levels.len() / 100)).copied().unwrap_or(0.0)
}

/// In steps of the screen. What is off is black, and what hardly moved has not.
fn shown_as(light: [f32; 3], before: [f32; 3], brightest: f32, off: f32) -> [f32; 3] {
    if light.iter().sum::<f32>() <= off || brightest <= 0.0 {
        return [0.0; 3];
    }
    let exact = light.map(|value| (value / brightest).clamp(0.0, 1.0).powf(1.0 / GAMMA) * STEPS);
    if exact.iter().zip(before).all(|(exact, before)| (exact - before).abs() < STICKY) {
        return before;
    }
    exact.map(f32::round)
}

/// A strip under way.
#[derive(Default)]
struct Growing {
    colours: Vec<Option<[u8; 3]>>,
    /// Until when, which.
    runs: Vec<(u64, usize)>,
    until: u64,
}

impl Growing {
    /// From where it ends until `until`, nanoseconds both.
    fn push(&mut self, until: u64, colour: Option<[u8; 3]>) {
        let number = self.colours.iter().position(|known| *known == colour).unwrap_or_else(|| {
            self.colours.push(colour);
            self.colours.len() - 1
        });
        self.until = until.max(self.until);
        match self.runs.last_mut() {
            Some((end, last)) if *last == number => *end = self.until,
            _ => self.runs.push((self.until, number)),
        }
    }

    fn finish(self) -> Strip {
        let hex = |colour: &Option<[u8; 3]>| match colour {
            Some([red, green, blue]) => format!("#{:02x}{:02x}{:02x}", red * 17, green * 17, blue * 17),
            None => String::new(),
        };
        let (mut runs, mut before) = (Vec::with_capacity(2 * self.runs.len()), 0);
        for (until, colour) in self.runs {
            // From the instants and not from the lengths, so that nothing adds up.
            let micros = until / 1_000;
            runs.extend([micros - before, colour as u64]);
            before = micros;
        }
        Strip { palette: self.colours.iter().map(hex).collect(), runs }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PERIOD: u64 = 4_800_000;

    fn readings(counts: &[[u16; 3]]) -> Vec<Reading> {
        let reading = |(place, counts): (usize, &[u16; 3])| Reading {
            at: (place as u64 + 1) * PERIOD,
            integration: PERIOD,
            counts: *counts,
        };
        counts.iter().enumerate().map(reading).collect()
    }

    /// The colour at each reading, run by run.
    fn unrolled(strip: &Strip, readings: &[Reading]) -> Vec<String> {
        let at = |wanted: u64| {
            let mut end = 0;
            for run in strip.runs.chunks(2) {
                end += run[0];
                if wanted <= end {
                    return strip.palette[run[1] as usize].clone();
                }
            }
            panic!("{wanted} us is behind the end, {end} us")
        };
        readings.iter().map(|reading| at(reading.at / 1_000)).collect()
    }

    #[test]
    fn a_light_that_blinks_is_shown_in_its_colour_and_dark_in_turn() {
        let counts: Vec<[u16; 3]> = (0..40).map(|n| if n % 20 < 10 { [3, 900, 900] } else { [2, 3, 1] }).collect();
        let strip = Strip::of(&readings(&counts), &Sensor::default());
        assert_eq!(strip.palette, ["#11ffff", "#000000"]);
        assert_eq!(strip.runs, [48_000, 0, 48_000, 1, 48_000, 0, 48_000, 1]);
    }

    #[test]
    fn a_sensor_that_did_not_look_has_seen_nothing() {
        let mut seen = readings(&[[500, 0, 0]; 10]);
        for late in &mut seen[5..] {
            late.at += 1_000_000_000;
        }
        let strip = Strip::of(&seen, &Sensor::default());
        assert_eq!(strip.palette, ["#ff0000", ""]);
        assert_eq!(strip.runs, [24_000, 0, 1_000_000, 1, 24_000, 0]);
    }

    #[test]
    fn a_light_that_is_always_off_is_dark_however_the_sensor_trembles() {
        let counts: Vec<[u16; 3]> = (0..50).map(|n| [n % 3, (n + 1) % 3, 1]).collect();
        let strip = Strip::of(&readings(&counts), &Sensor::default());
        assert_eq!(strip.palette, ["#000000"]);
    }

    proptest! {
        #[test]
        fn a_strip_has_for_every_reading_the_colour_that_was_shown_then(
            counts in prop::collection::vec(prop::array::uniform3(0_u16..1_000), 1..200),
        ) {
            let seen = readings(&counts);
            let sensor = Sensor::default();
            let strip = Strip::of(&seen, &sensor);
            let light: Vec<[f32; 3]> = seen.iter().map(|reading| sensor.light(reading)).collect();
            let brightest = brightest(&light);
            let mut shown = [0.0; 3];
            let wanted: Vec<String> = light.iter().map(|light| {
                shown = shown_as(*light, shown, brightest, (sensor.noise * SIGMAS).max(brightest * DARKEST));
                let [red, green, blue] = shown.map(|value| value as u8 * 17);
                format!("#{red:02x}{green:02x}{blue:02x}")
            }).collect();
            prop_assert_eq!(unrolled(&strip, &seen), wanted);
            // No two neighbours are alike, or they were one.
            prop_assert!(strip.runs.chunks(2).zip(strip.runs.chunks(2).skip(1)).all(|(one, next)| one[1] != next[1]));
        }
    }
}
