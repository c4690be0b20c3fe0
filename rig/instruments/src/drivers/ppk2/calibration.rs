//! What a PPK2 says about itself, and how its samples become currents with it.
//!
//! Boundary: arithmetic. Formula, defaults and filter are those of ppk2-api-python 0.9.2 (IRNAS), which follows Nordic's own program; the
//! place of the counter is recalled from the latter.

use std::collections::BTreeMap;

use brickproof_units::{Current, Voltage};

/// The shunts that it switches between by itself.
const RANGES: usize = 5;
/// Their resistances in ohms where the device states none, or one that cannot be.
const SHUNTS: [f64; RANGES] = [1031.64, 101.65, 10.15, 0.94, 0.043];
/// Volts per step of the converter.
const STEP: f64 = 1.8 / 163_840.0;
/// The last range needs a calmer filter than the others.
const LAST: usize = RANGES - 1;
/// Shares of a new sample in the running averages.
const SHARE: f64 = 0.18;
const SHARE_LAST: f64 = 0.06;
/// Samples after a change of range that show the change and not the board.
const SPIKE: u32 = 3;

/// One range's figures.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Range {
    shunt: f64,
    gain_square: f64,
    gain: f64,
    offset: f64,
    per_volt: f64,
    constant: f64,
    user_gain: f64,
}

/// What the device says of its ranges.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Calibration([Range; RANGES]);

impl Calibration {
    /// Reads the metadata, lines of `KEY: value` before `END`; the error is what is wrong with them.
    pub(super) fn read(metadata: &[u8]) -> Result<Self, String> {
        let text = String::from_utf8_lossy(metadata);
        let figures: BTreeMap<&str, &str> = text
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(key, value)| (key.trim(), value.trim()))
            .collect();
        let figure = |key: &str, index: usize, default: f64| -> Result<f64, String> {
            let key = format!("{key}{index}");
            match figures.get(key.as_str()) {
                None => Ok(default),
                Some(text) => match text.parse::<f64>() {
                    Ok(value) if value.is_finite() => Ok(value),
                    _ => Err(format!("its calibration says {key} is {text:?}")),
                },
            }
        };
        if !figures.contains_key("R0") {
            return Err(format!("metadata without shunts: {:?}", text.chars().take(60).collect::<String>()));
        }
        let mut ranges = [Range {
            shunt: 0.0,
            gain_square: 0.0,
            gain: 0.0,
            offset: 0.0,
            per_volt: 0.0,
            constant: 0.0,
            user_gain: 0.0,
        }; RANGES];
        for (index, range) in ranges.iter_mut().enumerate() {
            let shunt = figure("R", index, SHUNTS[index])?;
            *range = Range {
                // Some devices left the factory with zeros.
                shunt: if shunt == 0.0 { SHUNTS[index] } else { shunt },
                gain_square: figure("GS", index, 1.0)?,
                gain: figure("GI", index, 1.0)?,
                offset: figure("O", index, 0.0)?,
                per_volt: figure("S", index, 0.0)?,
                constant: figure("I", index, 0.0)?,
                user_gain: figure("UG", index, 1.0)?,
            };
        }
        Ok(Self(ranges))
    }
}

/// One sample as it comes over the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sample {
    adc: u32,
    range: usize,
    counter: u32,
}

impl Sample {
    const COUNTS: u32 = 64;

    fn of(word: u32) -> Self {
        Self {
            adc: (word & 0x3FFF) * 4,
            range: ((word >> 14 & 7) as usize).min(LAST),
            counter: word >> 18 & (Self::COUNTS - 1),
        }
    }
}

/// Averages the currents of a stretch of samples, and counts those that are missing from it.
pub(super) struct Average<'a> {
    calibration: &'a Calibration,
    volts: f64,
    sum: f64,
    samples: u32,
    lost: u32,
    last: Option<Sample>,
    running: f64,
    running_last: f64,
    after_spike: u32,
    since_change: u32,
}

impl<'a> Average<'a> {
    pub(super) fn new(calibration: &'a Calibration, set: Voltage) -> Self {
        Self {
            calibration,
            volts: set.get() as f64 / 1.0e6,
            sum: 0.0,
            samples: 0,
            lost: 0,
            last: None,
            running: 0.0,
            running_last: 0.0,
            after_spike: 0,
            since_change: 0,
        }
    }

    /// Takes one sample as it comes over the wire.
    pub(super) fn take(&mut self, word: u32) {
        let sample = Sample::of(word);
        let amperes = self.amperes(sample);
        let before = self.last.unwrap_or(sample);
        if let Some(last) = self.last {
            self.lost += sample.counter.wrapping_sub(last.counter + 1) & (Sample::COUNTS - 1);
        }
        let (running, running_last) = match self.last {
            None => (amperes, amperes),
            Some(_) => (
                SHARE * amperes + (1.0 - SHARE) * self.running,
                SHARE_LAST * amperes + (1.0 - SHARE_LAST) * self.running_last,
            ),
        };
        let changed = before.range != sample.range;
        let mut shown = amperes;
        let mut hold = false;
        if changed || self.after_spike > 0 {
            if changed {
                self.since_change = 0;
                self.after_spike = SPIKE;
            } else {
                self.since_change += 1;
            }
            hold = sample.range == LAST && self.since_change < 2;
            shown = match (sample.range == LAST, hold) {
                (true, true) => self.running_last,
                (true, false) => running_last,
                (false, _) => running,
            };
            self.after_spike -= 1;
        }
        if !hold {
            (self.running, self.running_last) = (running, running_last);
        }
        self.last = Some(sample);
        self.sum += shown;
        self.samples += 1;
    }

    /// How many samples did not arrive. More than 63 in a row look like fewer: the counter has six bits.
    pub(super) fn lost(&self) -> u32 {
        self.lost
    }

    /// The average; `None` if there were no samples, or their figures give no number.
    pub(super) fn current(&self) -> Option<Current> {
        let micro = self.sum / f64::from(self.samples) * 1.0e6;
        micro.is_finite().then(|| Current::new(micro.round() as i64))
    }

    fn amperes(&self, sample: Sample) -> f64 {
        let range = &self.calibration.0[sample.range];
        let raw = (f64::from(sample.adc) - range.offset) * (STEP / range.shunt);
        range.user_gain
            * (raw * (range.gain_square * raw + range.gain) + (range.per_volt * self.volts + range.constant))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const METADATA: &str = include_str!("metadata.txt");

    /// (range, adc, how many)
    const STRETCH: [(u32, u32, u32); 9] = [
        (0, 100, 3),
        (0, 6000, 3),
        (1, 700, 6),
        (2, 9000, 4),
        (4, 300, 5),
        (4, 16383, 2),
        (3, 4000, 6),
        (7, 50, 3),
        (0, 0, 2),
    ];

    /// What ppk2-api-python 0.9.2 makes of the same metadata and samples at 3300 mV, in microamperes.
    const THEIRS: [f64; 34] = [
        3.197582,
        3.197582,
        3.197582,
        261.609092,
        261.609092,
        261.609092,
        150.962602,
        177.065947,
        198.470690,
        295.981185,
        295.981185,
        295.981185,
        10808.572057,
        19472.983188,
        26577.800316,
        58944.189454,
        13020.544223,
        13020.544223,
        24720.367252,
        208017.594695,
        208017.594695,
        12215630.574665,
        12215630.574665,
        3373943.362452,
        2797761.182249,
        2325291.794483,
        172931.250214,
        172931.250214,
        172931.250214,
        1062631.040811,
        1062631.040811,
        1000155.191907,
        917398.323845,
        752266.412743,
    ];

    fn words() -> Vec<u32> {
        let each = STRETCH.iter().flat_map(|&(range, adc, count)| (0..count).map(move |_| range << 14 | adc));
        each.zip(0_u32..).map(|(word, n)| word | (n & 63) << 18 | 0xA5 << 24).collect()
    }

    #[test]
    fn every_sample_is_what_other_peoples_program_makes_of_it() {
        let calibration = Calibration::read(METADATA.as_bytes()).unwrap();
        let mut average = Average::new(&calibration, Voltage::new(3_300_000));
        for (word, theirs) in words().into_iter().zip(THEIRS) {
            let before = average.sum;
            average.take(word);
            let ours = (average.sum - before) * 1.0e6;
            assert!((ours - theirs).abs() <= 1e-6 * theirs.abs() + 1e-6, "{word:#x}: {ours} and {theirs}");
        }
        assert_eq!(average.lost(), 0);
        let mean = THEIRS.iter().sum::<f64>() / THEIRS.len() as f64;
        assert_eq!(average.current(), Some(Current::new(mean.round() as i64)));
    }

    #[test]
    fn lost_samples_are_counted_across_the_counters_end() {
        let calibration = Calibration::read(METADATA.as_bytes()).unwrap();
        let mut average = Average::new(&calibration, Voltage::new(3_300_000));
        for n in (0_u32..200).filter(|n| ![5, 6, 7, 63, 64, 130].contains(n)) {
            average.take((n & 63) << 18);
        }
        assert_eq!(average.lost(), 6);
    }

    #[test]
    fn what_is_wrong_with_metadata_is_said() {
        let told = |text: &str| Calibration::read(text.as_bytes()).unwrap_err();
        let told = [told(""), told("hello\r\n> "), told("R0: nan\n"), told("R0: 1\nGI3: zwei\n")];
        insta::assert_snapshot!(told.join("\n"), @r#"
        metadata without shunts: ""
        metadata without shunts: "hello\r\n> "
        its calibration says R0 is "nan"
        its calibration says GI3 is "zwei"
        "#);
        // A shunt of zero ohms is known from real devices.
        assert_eq!(Calibration::read(b"R0: 0.0").unwrap().0[0].shunt, SHUNTS[0]);
    }

    proptest! {
        #[test]
        fn no_metadata_and_no_samples_make_it_panic(
            noise: Vec<u8>, figures in prop::collection::vec(("(R|GS|GI|O|S|I|UG)[0-4]", any::<f64>()), 0..40), words: Vec<u32>,
        ) {
            let lines: String = figures.iter().map(|(key, value)| format!("{key}: {value}\n")).collect();
            for text in [noise, lines.into_bytes(), METADATA.as_bytes().to_vec()] {
                if let Ok(calibration) = Calibration::read(&text) {
                    let mut average = Average::new(&calibration, Voltage::new(3_300_000));
                    words.iter().for_each(|&word| average.take(word));
                    let _ = average.current();
                    prop_assert!(average.lost() as usize <= words.len() * 63);
                }
            }
        }
    }
}
