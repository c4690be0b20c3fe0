//! What failures follow, as a person reads it.
//!
//! Boundary: sentences out of [`Flakiness`].

use std::fmt::Write as _;

use brickproof_yaml::{counted, printable};

use super::Room;
use super::table::folded;
use super::words::{behind, of, p_value, rate_cells, share};
use crate::flaky::{Flakiness, FlakyScenario, Follows, Side};

/// What failures follow.
pub fn flakiness(found: &Flakiness, room: Room) -> String {
    let number = counted(found.scenarios.len(), "scenario");
    let mut text = format!("{} world: {number} both passed and failed\n", found.world.name());
    for board in &found.bad_boards {
        let _ = writeln!(
            text,
            "  bad board {}: over all scenarios {} failed there, {} elsewhere where the same was asked ({})",
            printable(&board.name),
            of(board.there),
            of(board.elsewhere),
            p_value(board.p)
        );
    }
    let told = room.length.of(found.scenarios.len());
    found.scenarios.iter().take(told).for_each(|it| text.push_str(&scenario(it)));
    if told < found.scenarios.len() {
        let _ = writeln!(text, "  and {} more: --all", found.scenarios.len() - told);
    }
    if found.never_passed > 0 {
        let _ = writeln!(
            text,
            "  {} never passed: that is not flaky, see `brickproof history rates`",
            counted(found.never_passed, "other")
        );
    }
    if found.comparisons > 0 {
        let _ = writeln!(
            text,
            "  p: how often chance alone would do that, corrected for {}; trials are taken for independent",
            counted(found.comparisons, "comparison")
        );
    }
    folded(&text, room.width)
}

fn scenario(it: &FlakyScenario) -> String {
    let [_, _, interval, beside] = rate_cells(&it.rate);
    let mut text = format!(
        "  {}: {} failed, so {} pass ({interval}){}\n",
        printable(&it.scenario),
        of((it.rate.failed, it.rate.judged())),
        share(it.rate.pass_rate()),
        behind("; ", &beside)
    );
    for found in &it.boards.follows {
        let _ = writeln!(text, "    {}", follows("board", found, "elsewhere with the same firmware"));
    }
    for found in &it.firmwares.follows {
        let _ = writeln!(text, "    {}", follows("firmware", found, "with others on the same boards"));
    }
    let is_neither = it.boards.follows.is_empty() && it.firmwares.follows.is_empty();
    if is_neither && it.boards.could_tell && it.firmwares.could_tell {
        let _ = writeln!(
            text,
            "    neither: fails now and then, on {} of {} boards and with {} of {} firmwares",
            it.boards.failed_on, it.boards.number, it.firmwares.failed_on, it.firmwares.number
        );
    } else {
        for (what, side) in [("board", &it.boards), ("firmware", &it.firmwares)] {
            if side.follows.is_empty() {
                let _ = writeln!(text, "    {}", nothing_stands_out(what, side));
            }
        }
    }
    text
}

fn follows(what: &str, it: &Follows, where_else: &str) -> String {
    format!(
        "follows {what} {}: {} failed there, {} {where_else} ({})",
        printable(&it.name),
        of(it.there),
        of(it.elsewhere),
        p_value(it.p)
    )
}

/// What can be said of one side where nothing stands out.
fn nothing_stands_out(what: &str, side: &Side) -> String {
    match (side.number, side.could_tell) {
        (..2, _) => format!("only one {what} ran it, so whether it follows the {what} cannot be told"),
        (number, false) => format!("too few failures to tell whether it follows one of the {number} {what}s"),
        (number, true) => format!("no {what} stands out: it failed on {} of {number}", side.failed_on),
    }
}
