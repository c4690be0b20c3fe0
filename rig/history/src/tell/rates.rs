//! Pass rates as a person reads them.
//!
//! Boundary: tables out of [`Rates`], those that pass least often first.

use std::fmt::Write as _;

use brickproof_yaml::printable;

use super::table::{folded, table};
use super::words::{self, rate_cells};
use super::{Length, Room};
use crate::rate::{Rate, worst_first};
use crate::rates::Rates;

/// Pass rates for each scenario, board and firmware.
pub fn rates(rates: &Rates, room: Room) -> String {
    let mut text = format!("{} world, trials that were judged: {}\n", rates.world.name(), words::rate(&rates.all));
    text = folded(&text, room.width);
    let parts = [
        ("scenario", rows_of(&rates.scenarios, room.length, Clone::clone)),
        ("board", rows_of(&rates.boards, room.length, |it| format!("{} {}", it.board, it.label()))),
        ("firmware", rows_of(&rates.firmwares, room.length, |it| it.label())),
    ];
    for (what, (rows, left_out)) in parts {
        let _ = write!(text, "\n{}", table([what, "passed", "rate", "95 % interval", ""], &rows, room.width));
        if left_out > 0 {
            let _ = writeln!(text, "  and {left_out} more that fail no more often: --all");
        }
    }
    text
}

fn rows_of<N>(named: &[(N, Rate)], length: Length, name: impl Fn(&N) -> String) -> (Vec<[String; 5]>, usize) {
    let mut order: Vec<(&N, Rate)> = named.iter().map(|(label, rate)| (label, *rate)).collect();
    worst_first(&mut order);
    let told = length.of(order.len());
    let row = |(label, rate): &(&N, Rate)| {
        let [passed, share, interval, beside] = rate_cells(rate);
        [printable(&name(label)), passed, share, interval, beside]
    };
    (order.iter().take(told).map(row).collect(), order.len() - told)
}
