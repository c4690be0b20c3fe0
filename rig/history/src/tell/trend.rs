//! A trend as a person reads it.
//!
//! Boundary: a picture of the medians and a table out of [`Trend`], the newest points of it.

use std::fmt::Write as _;

use brickproof_yaml::printable;

use super::Room;
use super::table::{folded, table};
use super::words::seconds;
use crate::times::Times;
use crate::trend::{Trend, TrendPoint};

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Time to connect from point to point.
pub fn trend(trend: &Trend, room: Room) -> String {
    let told = room.length.of(trend.points.len());
    let points = &trend.points[trend.points.len() - told..];
    let medians: Vec<u64> = points.iter().map(|it| it.times.median_ns).collect();
    let mut text = format!(
        "{} world, {}: time from power to the cloud, undisturbed, as the {} saw it\n",
        trend.world.name(),
        printable(&trend.board),
        trend.seen_by.name()
    );
    if let (Some(low), Some(high)) = (medians.iter().min(), medians.iter().max()) {
        let _ = writeln!(text, "  medians {}  {} to {}", sparkline(&medians), seconds(*low), seconds(*high));
    }
    text = folded(&text, room.width);
    let row = |point: &TrendPoint| {
        let [n, median, interval, spread] = times_cells(&point.times);
        [printable(&point.label), n, median, interval, spread]
    };
    let rows: Vec<[String; 5]> = points.iter().map(row).collect();
    text.push_str(&table(["", "n", "median", "its 95 % interval", "middle half"], &rows, room.width));
    if told < trend.points.len() {
        let _ = writeln!(text, "  and {} before that: --all", trend.points.len() - told);
    }
    text
}

/// How many there are, the median, its interval, and between what the middle half lies.
pub(super) fn times_cells(times: &Times) -> [String; 4] {
    let between = |(low, high): (u64, u64)| format!("{} to {}", seconds(low), seconds(high));
    let interval = times.interval_ns.map_or_else(|| "too few".to_owned(), between);
    [times.n.to_string(), seconds(times.median_ns), interval, between(times.quartiles_ns)]
}

/// One bar for each value, the lowest and the highest at the ends of the scale.
fn sparkline(values: &[u64]) -> String {
    let (Some(low), Some(high)) = (values.iter().min(), values.iter().max()) else { return String::new() };
    let bar = |value: &u64| {
        let place = u128::from(value - low) * (BARS.len() as u128 - 1) / u128::from((high - low).max(1));
        BARS[usize::try_from(place).unwrap_or(0).min(BARS.len() - 1)]
    };
    values.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::sparkline;

    #[test]
    fn a_sparkline_goes_from_the_lowest_to_the_highest() {
        assert_eq!(sparkline(&[]), "");
        assert_eq!(sparkline(&[5]), "▁");
        assert_eq!(sparkline(&[10, 17, 24]), "▁▄█");
        assert_eq!(sparkline(&[0, u64::MAX]), "▁█");
    }
}
