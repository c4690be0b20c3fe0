//! Instants and lengths of time as people read them.
//!
//! Boundary: numbers to words.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970.
pub(crate) fn unix_ms(at: SystemTime) -> u64 {
    u64::try_from(at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

/// How long ago that was; nothing is in the future.
pub(crate) fn since(then_unix_ms: u64) -> Duration {
    Duration::from_millis(unix_ms(SystemTime::now()).saturating_sub(then_unix_ms))
}

/// `just now`, `3 min ago`, `2 h ago`: without what nobody needs of something past.
pub(crate) fn ago(of: Duration) -> String {
    let seconds = of.as_secs();
    match seconds {
        0..60 => "just now".to_owned(),
        60..3_600 => format!("{} min ago", seconds / 60),
        3_600..172_800 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

/// `2026-03-01 14:05 UTC`.
pub(crate) fn date(unix_ms: u64) -> String {
    let instant = i64::try_from(unix_ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    instant.map_or_else(|| "at no time".to_owned(), |it| it.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_past_and_dates_are_told_as_people_say_them() {
        let seconds = [0, 59, 60, 185, 3_600, 7_805, 172_800];
        let told = seconds.map(|it| ago(Duration::from_secs(it)));
        assert_eq!(told, ["just now", "just now", "1 min ago", "3 min ago", "1 h ago", "2 h ago", "2 days ago"]);
        assert_eq!(date(1_772_373_900_000), "2026-03-01 14:05 UTC");
        assert_eq!(date(u64::MAX), "at no time");
    }
}
