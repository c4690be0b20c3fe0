//! What is set aside, as a person reads it.
//!
//! Boundary: sentences out of [`Since`], each with what could be done.

use std::fmt::Write as _;

use brickproof_yaml::printable;

use super::table::folded;
use super::words;
use crate::since::Since;

/// How the trials of an entry did since they were set aside.
pub fn set_aside(it: &Since, width: Option<usize>) -> String {
    let over = if it.is_over { "over since" } else { "until" };
    let mut text = format!("{} {over} {}: {}\n", printable(&it.scenario), it.until, printable(&it.reason));
    if it.worlds.is_empty() {
        text.push_str("  no trial ran under it\n");
    }
    for (world, rate) in &it.worlds {
        let advice = match (rate.failed, rate.judged()) {
            (_, 0) => "nothing is known of it".to_owned(),
            (0, n) if n >= it.clean_run => "it could be lifted".to_owned(),
            (0, n) => format!("too few to lift it: {} more without a failure", it.clean_run - n),
            (failed, n) if failed == n => "it never passes: that is broken, not flaky".to_owned(),
            _ => "it still fails now and then".to_owned(),
        };
        let _ = writeln!(text, "  {} world: {}: {advice}", world.name(), words::rate(rate));
    }
    folded(&text, width)
}
