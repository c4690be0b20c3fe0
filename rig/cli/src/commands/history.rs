//! `brickproof history`: what the trials of a bench say together.
//!
//! Boundary: from words to queries, and rows to a terminal or to lines of JSON. What is counted and how is `brickproof-history`'s.

use std::path::Path;

use brickproof_history::tell::{self, Evidence, Length, Room};
use brickproof_history::{Filter, Glob, History, Selector, TrendBy};
use brickproof_report::results::World;
use serde_json::{Value, json};

use crate::arguments::{Format, HistoryArguments, HistoryCommand, HistoryOf, Points, WorldWord};
use crate::exit::{Exit, Problem};
use crate::{output, remembering};

/// What is printed: for people and for programs.
struct Told {
    people: String,
    rows: Vec<Value>,
}

pub(crate) fn history(arguments: &HistoryArguments) -> Result<Exit, Problem> {
    let HistoryArguments { asked, of } = arguments;
    let history = History::open_read_only(&of.history).map_err(Problem::History)?;
    let told = match asked.as_ref().unwrap_or(&HistoryCommand::Rates) {
        HistoryCommand::Rates => rates(&history, of)?,
        HistoryCommand::Trend { by } => trend(&history, of, *by)?,
        HistoryCommand::Flaky => flaky(&history, of)?,
        HistoryCommand::Compare { a, b } => compare(&history, of, a, b)?,
        HistoryCommand::Show { id } => show(&history, of, id)?,
        HistoryCommand::Runs => runs(&history, of)?,
        HistoryCommand::Quarantine { quarantine } => set_aside(&history, of, quarantine)?,
    };
    match of.format {
        Format::Json => told.rows.iter().for_each(output::json),
        Format::Human if told.people.is_empty() => output::line("nothing is kept of what is asked for"),
        Format::Human => output::line(told.people.trim_end()),
    }
    Ok(Exit::Passed)
}

impl HistoryOf {
    fn filter(&self) -> Filter {
        let world = self.world.map(|word| match word {
            WorldWord::Virtual => World::Virtual,
            WorldWord::Lane => World::Lane,
            WorldWord::Hardware => World::Hardware,
        });
        Filter {
            world,
            since: self.since,
            until: self.until,
            run: None,
            scenario: self.scenario.clone().map(Glob::new),
            board: self.board.clone(),
            station: self.station.clone(),
            firmware: self.firmware.clone(),
        }
    }

    /// What there is room for, where it is printed.
    fn room(&self) -> Room {
        Room { length: if self.all { Length::All } else { Length::Short }, width: output::look().width }
    }
}

/// A row with the word for what it is.
fn row(report: &str, value: impl serde::Serialize) -> Value {
    let mut row = json!({ "report": report });
    if let (Some(row), Ok(Value::Object(fields))) = (row.as_object_mut(), serde_json::to_value(value)) {
        row.extend(fields);
    }
    row
}

fn each<R: serde::Serialize>(report: &str, rows: &[R], people: impl Fn(&R) -> String) -> Told {
    let texts: Vec<String> = rows.iter().map(people).collect();
    Told { people: texts.join("\n"), rows: rows.iter().map(|it| row(report, it)).collect() }
}

fn rates(history: &History, of: &HistoryOf) -> Result<Told, Problem> {
    let rates = history.rates(&of.filter()).map_err(Problem::History)?;
    Ok(each("rates", &rates, |it| tell::rates(it, of.room())))
}

fn trend(history: &History, of: &HistoryOf, by: Points) -> Result<Told, Problem> {
    let by = match by {
        Points::Night => TrendBy::Night,
        Points::Firmware => TrendBy::Firmware,
    };
    let trends = history.trends(&of.filter(), by).map_err(Problem::History)?;
    Ok(each("trend", &trends, |it| tell::trend(it, of.room())))
}

fn flaky(history: &History, of: &HistoryOf) -> Result<Told, Problem> {
    let found = history.flakiness(&of.filter()).map_err(Problem::History)?;
    Ok(each("flaky", &found, |it| tell::flakiness(it, of.room())))
}

fn compare(history: &History, of: &HistoryOf, a: &str, b: &str) -> Result<Told, Problem> {
    let selection = |error: &dyn std::error::Error| Problem::Selection {
        what: error.to_string(),
        help: "`brickproof history runs` lists runs and nights, `brickproof history rates` firmwares".to_owned(),
    };
    let side = |text: &str| text.parse::<Selector>().map_err(|error| selection(&error));
    let (first, second) = (side(a)?, side(b)?);
    let compared = history.compare(&of.filter(), &first, &second).map_err(|error| match error {
        brickproof_history::CompareError::History(error) => Problem::History(error),
        other => selection(&other),
    })?;
    if compared.is_empty() {
        return Err(Problem::Selection {
            what: format!("{first} and {second} have no world in common"),
            help: "trials of the virtual world are not compared with those of a bench".to_owned(),
        });
    }
    Ok(each("compare", &compared, |it| tell::comparison(it, of.room())))
}

fn show(history: &History, of: &HistoryOf, id: &str) -> Result<Told, Problem> {
    let trials = history.trial(id, tell::ROWS).map_err(Problem::History)?;
    if trials.is_empty() {
        return Err(Problem::Selection {
            what: format!("no trial {id} is in {}", history.path().display()),
            help: "copy the id from the line of the trial or from results.json".to_owned(),
        });
    }
    Ok(each("trial", &trials, |it| {
        let kept = Path::new(&it.evidence).exists();
        tell::trial(it, if kept { Evidence::Kept } else { Evidence::Gone }, of.room().width)
    }))
}

fn runs(history: &History, of: &HistoryOf) -> Result<Told, Problem> {
    let length = of.room().length;
    // One more than is told says whether there are more.
    let most = if of.all { usize::MAX } else { tell::ROWS + 1 };
    let runs = history.runs(&of.filter(), most).map_err(Problem::History)?;
    let people = if runs.is_empty() { String::new() } else { tell::runs(&runs, of.room()) };
    Ok(Told { people, rows: runs.iter().take(length.of(runs.len())).map(|it| row("run", it)).collect() })
}

fn set_aside(history: &History, of: &HistoryOf, file: &Path) -> Result<Told, Problem> {
    let quarantine = remembering::read(file)?;
    let today = jiff::ZonedDateTime::now().date();
    let reports = history.set_aside(&quarantine, today).map_err(Problem::History)?;
    Ok(each("quarantine", &reports, |it| tell::set_aside(it, of.room().width)))
}
