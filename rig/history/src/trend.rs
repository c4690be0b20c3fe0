//! Time to connect as a trend, from night to night or from firmware to firmware.
//!
//! Boundary: the starts that `brickproof-report` timed (`time_to_connect` in results): from power to the cloud, undisturbed. What the cloud saw and
//! what a light showed are not mixed, nor kinds of boards, nor worlds.

use std::collections::BTreeMap;

use brickproof_report::results::{SeenBy, World};
use jiff::civil::Date;
use serde::Serialize;

use crate::database::History;
use crate::dimensions::Filter;
use crate::error::HistoryError;
use crate::times::Times;

/// What the points of a trend are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrendBy {
    /// The nights, the earliest first.
    Night,
    /// The images, in the order in which they were first run.
    Firmware,
}

/// A trend of one kind of board in one world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trend {
    /// Where the boards were.
    pub world: World,
    /// The board profile.
    pub board: String,
    /// Who saw them connect.
    pub seen_by: SeenBy,
    /// In their order.
    pub points: Vec<TrendPoint>,
}

/// The starts of one night, or with one image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TrendPoint {
    /// The night or the image.
    pub label: String,
    /// The first night of it.
    pub night: Date,
    /// The times.
    #[serde(flatten)]
    pub times: Times,
}

/// For each night or image by its number, its first night and its times.
type Points = BTreeMap<i64, (Date, Vec<u64>)>;
/// A trend while it is gathered: for each night or image its first night and its times.
type Gathered = BTreeMap<String, (Date, Vec<u64>)>;

impl History {
    /// The trends of what is asked for.
    ///
    /// # Errors
    /// The history cannot be read.
    pub fn trends(&self, filter: &Filter, by: TrendBy) -> Result<Vec<Trend>, HistoryError> {
        let _snapshot = self.snapshot()?;
        let dimensions = self.dimensions()?;
        let mut gathered: BTreeMap<(World, &str, SeenBy), Points> = BTreeMap::new();
        for start in self.connected(&dimensions, filter)? {
            let (Some(place), Some(run)) = (dimensions.places.get(&start.place), dimensions.runs.get(&start.run))
            else {
                continue;
            };
            let point = match by {
                TrendBy::Night => {
                    i64::from(run.night.year()) * 10_000
                        + i64::from(run.night.month()) * 100
                        + i64::from(run.night.day())
                }
                TrendBy::Firmware => start.image,
            };
            let points = gathered.entry((place.world, place.board.as_str(), start.seen_by)).or_default();
            let (night, times) = points.entry(point).or_insert_with(|| (run.night, Vec::new()));
            *night = run.night.min(*night);
            times.push(start.after_ns);
        }
        let trends = gathered.into_iter().map(|((world, board, seen_by), points)| {
            // Images that have the same name and beginning of their SHA-256 are one image.
            let mut named = Gathered::new();
            for (point, (night, times)) in points {
                let label = match by {
                    TrendBy::Night => night.to_string(),
                    TrendBy::Firmware => {
                        dimensions.images.get(&point).map(crate::dimensions::Image::label).unwrap_or_default()
                    }
                };
                let (first, all) = named.entry(label).or_insert_with(|| (night, Vec::new()));
                *first = night.min(*first);
                all.extend(times);
            }
            let mut points: Vec<TrendPoint> = named
                .into_iter()
                .filter_map(|(label, (night, times))| Some(TrendPoint { label, night, times: Times::of(times)? }))
                .collect();
            points.sort_by(|a, b| (a.night, &a.label).cmp(&(b.night, &b.label)));
            Trend { world, board: board.to_owned(), seen_by, points }
        });
        Ok(trends.collect())
    }
}
