//! Numbers as all reports say them.
//!
//! Boundary: words for one value; lines and tables are made elsewhere.

use brickproof_statistics::Probability;
use brickproof_units::Instant;

use crate::rate::Rate;

pub(super) fn share(value: Option<Probability>) -> String {
    value.map_or_else(|| "-".to_owned(), |it| it.to_string())
}

pub(super) fn seconds(nanos: u64) -> String {
    Instant::from_nanos(nanos).to_string()
}

pub(super) fn p_value(p: f64) -> String {
    Probability::new(p).map_or_else(|_| String::new(), |p| format!("p {p}"))
}

pub(super) fn of(counts: (u64, u64)) -> String {
    format!("{} of {}", counts.0, counts.1)
}

/// `12 of 14`, the rate, its interval, and what did not count.
pub(super) fn rate_cells(rate: &Rate) -> [String; 4] {
    let interval = if rate.judged() == 0 { "-".to_owned() } else { rate.interval().to_string() };
    [of((rate.passed, rate.judged())), share(rate.pass_rate()), interval, rate.beside()]
}

/// `12 of 14 passed, 85.7 % (57.2 % to 98.22 %), 2 in error`; what was not judged has neither rate nor interval.
pub(super) fn rate(rate: &Rate) -> String {
    let [passed, share, interval, beside] = rate_cells(rate);
    let judged = if rate.judged() == 0 {
        "none was judged".to_owned()
    } else {
        format!("{passed} passed, {share} ({interval})")
    };
    format!("{judged}{}", behind(", ", &beside))
}

/// `text` behind `sign`, if there is any.
pub(super) fn behind(sign: &str, text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{sign}{text}") }
}
