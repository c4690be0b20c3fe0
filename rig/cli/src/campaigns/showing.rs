//! What is shown of a campaign: how far it is, and in the end what it says.
//!
//! Boundary: lines for people or JSON for programs, now and then. It decides nothing.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use brickproof_explore::picture;
use brickproof_explore::{Answer, BoardTally, Class, Course, Group, Progress, Spared};
use brickproof_report::results::World;
use brickproof_scenario::plan::CellModel;
use brickproof_units::in_words;
use serde_json::json;

use crate::arguments::Format;
use crate::live::Teller;
use crate::output;

/// A picture in characters is so wide.
const WIDTH: usize = 72;
/// How often people are told.
const EVERY: Duration = Duration::from_millis(500);

pub(super) struct Showing {
    format: Format,
    line: output::Progress,
    live: Teller,
    world: World,
    began: Instant,
    told: Instant,
    /// What had been done before this process.
    before: u64,
    /// How to make the first trial of each class again.
    examples: BTreeMap<Class, String>,
    spared: Spared,
}

impl Showing {
    pub(super) fn new(format: Format, title: &str, world: World, course: &Course, live: Teller) -> Self {
        let before = course.progress().done;
        if format == Format::Human {
            output::line(&format!("{title} ({} world)", world.name()));
            if before > 0 {
                output::note(&format!("{before} trials were made before: going on from there"));
            }
        }
        let now = Instant::now();
        Self {
            format,
            line: output::Progress::new(),
            live,
            world,
            began: now,
            told: now,
            before,
            examples: BTreeMap::new(),
            spared: Spared::default(),
        }
    }

    /// The command that makes a trial of that class again is worth a line, once.
    pub(super) fn remember(&mut self, class: Class, replay: impl FnOnce() -> String) {
        self.examples.entry(class).or_insert_with(replay);
    }

    /// A board that had to be brought back is worth a line.
    pub(super) fn recovered(&self, board: &str) {
        self.line.clear();
        output::note(&format!("board {board} told nothing several times in a row and was recovered"));
    }

    /// How many trials were told by the first second of their board.
    pub(super) fn spared(&mut self, spared: Spared) {
        self.spared = spared;
    }

    /// How many of the trials were not made to their end, if any.
    pub(super) fn told_by_their_first_second(&self) -> Option<String> {
        let Spared { made, told, checked, contradicted } = self.spared;
        let doubt = if contradicted == 0 {
            String::new()
        } else {
            format!(", {contradicted} of which ended otherwise: `--whole --fresh` makes every trial to its end")
        };
        (told > 0).then(|| {
            format!(
                "made to their end: {made}; told by the first second of their board, which was that of one of them: {told}; checked this \
                 time: {checked}{doubt}"
            )
        })
    }

    fn rate(&self, progress: &Progress) -> f64 {
        (progress.done - self.before) as f64 / self.began.elapsed().as_secs_f64().max(1e-3)
    }

    pub(super) fn progress(&mut self, course: &Course) {
        if self.told.elapsed() < EVERY {
            return;
        }
        self.told = Instant::now();
        let progress = course.progress();
        self.live.campaign(progress.done, progress.counts.failures(), progress.told());
        match self.format {
            Format::Human => {
                let of = progress.size.map(|size| format!(" of {size}")).unwrap_or_default();
                let rate = self.rate(&progress);
                let left =
                    progress.size.map(|size| Duration::from_secs_f64((size - progress.done) as f64 / rate.max(1e-3)));
                let left = left.map(|left| format!(", {} left", in_words(left))).unwrap_or_default();
                let told = progress.told();
                self.line.show(&format!("{}{of} trials, {rate:.0} per second{left}; {told}", progress.done));
            }
            Format::Json => output::json(&json!({ "progress": self.in_numbers(&progress) })),
        }
    }

    fn in_numbers(&self, progress: &Progress) -> serde_json::Value {
        let interval = progress.interval();
        json!({
            "done": progress.done,
            "size": progress.size,
            "failures": progress.counts.failures(),
            "estimate": progress.counts.estimate().map(brickproof_statistics::Probability::get),
            "interval": [interval.low.get(), interval.high.get()],
            "discarded": progress.discarded,
            "invalid": progress.invalid,
            "silences": progress.silences,
            "unjudged": progress.unjudged,
            "per_second": self.rate(progress),
        })
    }

    pub(super) fn answer(&self, answer: &Answer, course: &Course, folder: &Path) {
        self.line.clear();
        let progress = course.progress();
        match self.format {
            Format::Human => {
                output::line(answer.text.trim_end());
                if let Some(picture) = picture::text(course, WIDTH) {
                    output::line(picture.trim_end());
                }
                for (class, replay) in self.examples.iter().filter(|(class, _)| **class != Class::Survived) {
                    output::line(&format!("  first {}: {replay}", class.name()));
                }
                if let Some(told) = self.told_by_their_first_second() {
                    output::line(&told);
                }
                let made = progress.done - self.before;
                let seconds = self.began.elapsed().as_secs_f64();
                output::line(&format!("{made} trials in {seconds:.2} s: {:.0} per second", self.rate(&progress)));
            }
            Format::Json => {
                let conclusion = answer.conclusion.name();
                let told = json!({
                    "answer": { "conclusion": conclusion, "text": answer.text, "world": self.world.name() },
                    "progress": self.in_numbers(&progress),
                    "boards": course.boards().map(board_in_numbers).collect::<Vec<_>>(),
                    "groups": course.groups().iter().map(in_classes).collect::<Vec<_>>(),
                    "made": self.spared.made,
                    "told": self.spared.told,
                    "checked": self.spared.checked,
                    "contradicted": self.spared.contradicted,
                    "kept": folder,
                });
                output::json(&told);
            }
        }
    }
}

fn board_in_numbers(board: &BoardTally) -> serde_json::Value {
    json!({
        "name": board.name,
        "done": board.done,
        "failures": board.failures,
        "told_nothing": board.untold,
        "recoveries": board.recoveries,
    })
}

fn in_classes(group: &Group) -> serde_json::Value {
    let classes: serde_json::Map<String, serde_json::Value> =
        group.classes.iter().map(|(class, count)| (class.name().to_owned(), json!(count))).collect();
    json!({ "cells": group.cells.map(CellModel::name), "cut": group.cut.name(), "classes": classes })
}
