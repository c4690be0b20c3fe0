//! The picture of one trial: what its timeline holds, as compact as a page can carry it.
//!
//! Boundary: from the lines of a kept timeline to data for the page's script, which draws it. Nothing is averaged or left out in time; console
//! lines are shortened, and where they are too many the picture says how many.

use std::collections::BTreeMap;

use serde::Serialize;

use super::line::{Line, Sensor};
use super::strip::{Reading, Strip};

/// A console line is shown with so many characters at the most: one of megabytes tells nobody more.
const LINE_LENGTH: usize = 400;
/// So many console lines are shown.
const LINES: usize = 4_000;
/// So many flash operations are shown. A board that writes more fills every pixel with them.
const OPERATIONS: usize = 20_000;

/// A timeline that cannot be drawn.
#[derive(Debug, thiserror::Error)]
#[error("line {line} of the timeline cannot be read")]
pub(super) struct UnreadableLine {
    line: usize,
    #[source]
    source: serde_json::Error,
}

/// What the script draws. Lists of instants begin with the first and go on with what lies between two of them, in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Picture {
    /// When the last thing happened.
    end: u64,
    lights: Vec<Light>,
    rail: Option<Rail>,
    /// Lines that the rig pulled: which, from, to.
    pulled: Vec<(String, u64, u64)>,
    /// Lines that the board drove: which, when, up or down.
    edges: Vec<(String, u64, bool)>,
    /// Nanoseconds from the beginning of the one before, how long, what (0 programs, 1 erases a page, 2 erases all), where, how much in ppm.
    flash: Vec<(u64, u64, u8, Option<u32>, i64)>,
    flash_left_out: usize,
    /// When, how bad (0 to 3), what, and what its numbers mean.
    console: Vec<(u64, u8, String, String)>,
    console_left_out: usize,
    /// When, of what kind, what.
    events: Vec<(u64, String, String)>,
    /// When it was decided.
    verdict: Option<u64>,
}

/// One light.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
struct Light {
    led: usize,
    strip: Strip,
    /// When, and what the recogniser says from then on.
    words: Vec<(u64, String)>,
}

/// The course of the supply.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Rail {
    /// `world`: the simulation knows all of it. `station`: readings of an instrument.
    from: &'static str,
    /// Nanoseconds since the one before, and millivolts, in turn.
    points: Vec<i64>,
}

impl Picture {
    /// Of the lines of a `timeline.jsonl`.
    ///
    /// # Errors
    /// One of them is no JSON, or has something else in a field than belongs there.
    pub(super) fn of(timeline: &str) -> Result<Self, UnreadableLine> {
        let mut drawing = Drawing::default();
        for (number, text) in timeline.lines().enumerate() {
            let line = serde_json::from_str(text).map_err(|source| UnreadableLine { line: number + 1, source })?;
            drawing.take(line);
        }
        Ok(drawing.finish())
    }
}

/// A picture under way.
#[derive(Default)]
struct Drawing {
    picture: Picture,
    lights: BTreeMap<usize, Looking>,
    course: Vec<(u64, i64)>,
    readings: Vec<(u64, i64)>,
    last_flash: u64,
}

/// What is known of one light so far.
#[derive(Default)]
struct Looking {
    sensor: Sensor,
    readings: Vec<Reading>,
    words: Vec<(u64, String)>,
}

impl Drawing {
    fn take(&mut self, line: Line) {
        let at = line.t;
        self.picture.end = self.picture.end.max(at);
        match line.kind.as_str() {
            "sensor" => self.lights.entry(line.led).or_default().sensor = Sensor::of(&line),
            "light_samples" => {
                let readings = line.samples.iter().map(|[after, red, green, blue, _]| Reading {
                    at: at.saturating_add(*after),
                    integration: line.integration_ns,
                    counts: [red, green, blue].map(|counts| u16::try_from(*counts).unwrap_or(u16::MAX)),
                });
                self.lights.entry(line.led).or_default().readings.extend(readings);
            }
            "light" => self.lights.entry(line.led).or_default().words.push((at, line.sight)),
            "rail" => self.readings.push((at, line.uv)),
            "rail_course" => self.course.extend(line.points.iter().map(|(after, uv)| (at.saturating_add(*after), *uv))),
            "flash" => line.operations.into_iter().for_each(|operation| self.take_flash(at, operation)),
            "asked" => {
                let drives = line.drives.into_iter();
                let drives = drives.map(|(line, from, to)| (line, at.saturating_add(from), at.saturating_add(to)));
                self.picture.pulled.extend(drives);
            }
            "edge" => {
                let name = line.line.as_str().unwrap_or_default().to_owned();
                self.picture.edges.push((name, at, line.edge == "rising"));
            }
            "console" => self.take_console(at, &line),
            "verdict" => self.picture.verdict = Some(at),
            "cloud" | "identity" => self.picture.events.push((at, line.kind, shortened(&line.event))),
            "usb" => self.picture.events.push((at, line.kind, line.board)),
            "instrument_failed" => {
                let happened = line.error.as_deref().map(shortened).unwrap_or_default();
                self.picture.events.push((at, "instrument".to_owned(), happened));
            }
            _ => {}
        }
    }

    fn take_flash(&mut self, at: u64, (from, to, kind, address, completed): (u64, u64, String, Option<u32>, i64)) {
        if self.picture.flash.len() == OPERATIONS {
            self.picture.flash_left_out += 1;
            return;
        }
        let kind = match kind.as_str() {
            "program" => 0,
            "erase" => 1,
            _ => 2,
        };
        let began = at.saturating_add(from);
        self.picture.flash.push((
            began.saturating_sub(self.last_flash),
            to.saturating_sub(from),
            kind,
            address,
            completed,
        ));
        self.last_flash = began;
    }

    fn take_console(&mut self, at: u64, line: &Line) {
        if self.picture.console.len() == LINES {
            self.picture.console_left_out += 1;
            return;
        }
        let badness = match line.log.level.as_deref() {
            Some("ERROR" | "PANIC") => 3,
            Some("WARN") => 2,
            Some("TRACE") => 0,
            _ => 1,
        };
        let explained: Vec<&str> = line.log.explained.iter().map(|it| it.text.as_str()).collect();
        self.picture.console.push((at, badness, shortened(&line.text), shortened(&explained.join("; "))));
    }

    fn finish(self) -> Picture {
        let Self { mut picture, lights, course, readings, .. } = self;
        let rail = if course.is_empty() { ("station", readings) } else { ("world", course) };
        picture.rail = (!rail.1.is_empty()).then(|| Rail { from: rail.0, points: differences(&rail.1) });
        let light = |(led, looking): (usize, Looking)| Light {
            led,
            strip: Strip::of(&looking.readings, &looking.sensor),
            words: looking.words,
        };
        picture.lights = lights.into_iter().filter(|(_, it)| !it.readings.is_empty()).map(light).collect();
        picture
    }
}

/// Nanoseconds since the point before, and millivolts.
fn differences(points: &[(u64, i64)]) -> Vec<i64> {
    let mut before = 0;
    let mut told = Vec::with_capacity(2 * points.len());
    for (at, uv) in points {
        told.extend([i64::try_from(at.saturating_sub(before)).unwrap_or(i64::MAX), uv / 1_000]);
        before = *at;
    }
    told
}

/// A text as far as a page shows it.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(LINE_LENGTH) {
        None => text.to_owned(),
        Some((cut, _)) => format!("{}… ({} bytes in all)", &text[..cut], text.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMELINE: &str = r##"{"t":0,"kind":"sensor","dark":[0,0,0],"noise":2000,"correction":[[1000000,0,0],[0,1000000,0],[0,0,1000000]]}
{"t":0,"kind":"step_began","step":1}
{"t":4800000,"kind":"light_samples","integration_ns":4800000,"samples":[[0,0,0,0,0],[4800000,0,800,800,1700]]}
{"t":5000000,"kind":"rail","uv":3300000,"ua":0}
{"t":6000000,"kind":"rail_course","points":[[0,0],[1000000,3299999]]}
{"t":7000000,"kind":"asked","id":2,"command":"press MODE through a reset of 1ms, and for 3ms after it","drives":[["MODE",0,4000000],["RESET",0,1000000]]}
{"t":8000000,"kind":"edge","line":"MODEM","edge":"rising"}
{"t":9000000,"kind":"flash","operations":[[0,20000000,"erase",258048,410000],[30000000,30046000,"program",258048,1000000]]}
{"t":10000000,"kind":"console","line":1,"text":"</script><b>","log":{"level":"ERROR","explained":[{"code":1,"text":"what it means"}]}}
{"t":11000000,"kind":"console","line":2,"text":"plain"}
{"t":12000000,"kind":"light","sight":"cyan, solid"}
{"t":13000000,"kind":"cloud","event":"refused"}
{"t":14000000,"kind":"something of tomorrow","samples":[]}
{"t":15000000,"kind":"verdict","verdict":"failed","blame":"firmware","reason":"r"}
"##;

    #[test]
    fn a_picture_holds_what_its_timeline_does() {
        let picture = Picture::of(TIMELINE).unwrap();
        insta::assert_snapshot!(serde_json::to_string_pretty(&picture).unwrap());
    }

    #[test]
    fn a_supply_that_only_a_station_read_is_told_as_that() {
        let picture = Picture::of("{\"t\":5000000,\"kind\":\"rail\",\"uv\":3300000,\"ua\":0}\n").unwrap();
        assert_eq!(picture.rail, Some(Rail { from: "station", points: vec![5_000_000, 3_300] }));
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named() {
        let told = Picture::of("{\"t\":0,\"kind\":\"rail\"}\n{\"t\":\"later\"}\n").unwrap_err();
        assert_eq!(told.to_string(), "line 2 of the timeline cannot be read");
    }

    #[test]
    fn what_is_too_much_is_counted() {
        let long = format!("{{\"t\":1,\"kind\":\"console\",\"text\":\"{}\"}}\n", "ä".repeat(5_000));
        let picture = Picture::of(&long.repeat(LINES + 3)).unwrap();
        assert_eq!((picture.console.len(), picture.console_left_out), (LINES, 3));
        let shown = &picture.console[0].2;
        assert_eq!(shown.chars().filter(|c| *c == 'ä').count(), LINE_LENGTH);
        assert!(shown.ends_with("… (10000 bytes in all)"), "{shown}");
    }
}
