//! A line of `timeline.jsonl` as pages read it.
//!
//! Boundary: fields that a picture needs; all others are passed over, and a kind that is not known is no mistake.

use serde::Deserialize;

use super::strip::Reading;

/// Any line.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Line {
    pub(super) t: u64,
    pub(super) kind: String,
    /// Of `console`, `sight` of `light`, `event` of others.
    pub(super) text: String,
    pub(super) sight: String,
    pub(super) event: String,
    pub(super) error: Option<String>,
    /// Of `usb`.
    pub(super) board: String,
    /// Of `console` a number, of `edge` a name.
    pub(super) line: serde_json::Value,
    pub(super) edge: String,
    pub(super) log: Log,
    pub(super) led: usize,
    pub(super) integration_ns: u64,
    pub(super) samples: Vec<[u64; 5]>,
    pub(super) dark: [i32; 3],
    pub(super) noise: u32,
    pub(super) correction: [[i32; 3]; 3],
    /// Of `rail`.
    pub(super) uv: i64,
    /// Of `rail_course`: nanoseconds, microvolts.
    pub(super) points: Vec<(u64, i64)>,
    /// Of `flash`: from, to, what, where, how much.
    pub(super) operations: Vec<(u64, u64, String, Option<u32>, i64)>,
    /// Of `asked`: which line, from, to.
    pub(super) drives: Vec<(String, u64, u64)>,
}

/// What a console line says of itself.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Log {
    pub(super) level: Option<String>,
    /// What its numbers mean.
    pub(super) explained: Vec<Explained>,
}

/// What a number means.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Explained {
    pub(super) text: String,
}

/// How a sensor's counts are taken for light.
#[derive(Clone, Debug)]
pub(super) struct Sensor {
    /// Counts per step with the light off.
    dark: [f32; 3],
    /// Their deviation, of all three together.
    pub(super) noise: f32,
    correction: [[f32; 3]; 3],
}

/// One step of the sensor's integration, in nanoseconds.
const STEP_NS: f32 = 2_400_000.0;

impl Default for Sensor {
    /// Of timelines that do not say: no crosstalk, a dark surrounding.
    fn default() -> Self {
        Self { dark: [0.0; 3], noise: 2.0, correction: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]] }
    }
}

impl Sensor {
    pub(super) fn of(line: &Line) -> Self {
        Self {
            dark: line.dark.map(|thousandths| thousandths as f32 / 1e3),
            noise: line.noise as f32 / 1e3,
            correction: line.correction.map(|row| row.map(|millionths| millionths as f32 / 1e6)),
        }
    }

    /// Red, green and blue light in counts per step; none is negative.
    pub(super) fn light(&self, reading: &Reading) -> [f32; 3] {
        let steps = (reading.integration as f32 / STEP_NS).max(f32::MIN_POSITIVE);
        let mut raw = reading.counts.map(|counts| f32::from(counts) / steps);
        raw.iter_mut().zip(self.dark).for_each(|(raw, dark)| *raw -= dark);
        self.correction.map(|row| row.iter().zip(raw).map(|(factor, raw)| factor * raw).sum::<f32>().max(0.0))
    }
}
