//! What came of the cells of a matrix, as tables: one axis down, one across, and a table for each value of the others.
//!
//! Boundary: text out of results, for people. What a cell had to come to is the scenario's, whether it did the trial's.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use crate::results::{Results, TrialResult};

/// How a cell that did not come to what its scenario says is marked.
const MARK: &str = " (!)";

/// The tables of all scenarios that have two axes or more, and below them what the words mean; `None` if none has.
pub fn matrices(results: &Results) -> Option<String> {
    let trials: Vec<&TrialResult> = results.last_attempts().collect();
    let mut paths: Vec<&str> = Vec::new();
    for trial in &trials {
        if !paths.contains(&trial.scenario.path.as_str()) {
            paths.push(&trial.scenario.path);
        }
    }
    let mut text = String::new();
    for path in paths {
        let of_path: Vec<&TrialResult> = trials.iter().copied().filter(|trial| trial.scenario.path == path).collect();
        // Writing to a `String` cannot fail.
        let _ = write_scenario(&mut text, &of_path);
    }
    if text.is_empty() {
        return None;
    }
    let _ = writeln!(
        text,
        "`passed` and `bricked` say what was seen and what the scenario expects;{MARK} beside a word: it expects otherwise"
    );
    Some(text)
}

fn write_scenario(text: &mut String, trials: &[&TrialResult]) -> fmt::Result {
    let Some(first) = trials.first() else { return Ok(()) };
    let axes: Vec<&str> = first.parameters.keys().map(String::as_str).collect();
    let [others @ .., across, down] = axes.as_slice() else { return Ok(()) };
    writeln!(text, "{} ({})", first.scenario.title, first.scenario.path)?;
    let mut tables: Vec<(Vec<String>, Table)> = Vec::new();
    for (name, table) in tables_of(trials, others, across, down) {
        match tables.iter_mut().find(|(_, known)| *known == table) {
            Some((names, _)) => names.push(name),
            None => tables.push((vec![name], table)),
        }
    }
    for (names, table) in tables {
        let of = if others.is_empty() { String::new() } else { format!("{}: ", others.join(" ")) };
        writeln!(text, "\n  {of}{}", names.join(", "))?;
        table.write(text, across, down)?;
    }
    writeln!(text)
}

/// One table for each combination of the values of `others`, in the order in which they come.
fn tables_of(trials: &[&TrialResult], others: &[&str], across: &str, down: &str) -> Vec<(String, Table)> {
    let mut tables: Vec<(String, Table)> = Vec::new();
    for trial in trials {
        let name = others.iter().map(|axis| value(trial, axis)).collect::<Vec<_>>().join(" ");
        let place = match tables.iter().position(|(known, _)| *known == name) {
            Some(place) => place,
            None => {
                tables.push((name, Table::default()));
                tables.len() - 1
            }
        };
        tables[place].1.add(value(trial, across), value(trial, down), word(trial));
    }
    tables
}

fn value(trial: &TrialResult, axis: &str) -> String {
    trial.parameters.get(axis).and_then(|value| value.as_str()).unwrap_or("-").to_owned()
}

/// What was seen of a cell, marked if the scenario expects something else.
fn word(trial: &TrialResult) -> String {
    match (trial.verdict.as_str(), trial.expected.as_str()) {
        ("passed", "bricked") => "bricked".to_owned(),
        ("passed", _) => "passed".to_owned(),
        // Of a brick that was expected either nothing came or another one, and the reason says which.
        ("failed", _) => format!("failed{MARK}"),
        ("error", _) => format!("error{MARK}"),
        _ => format!("undecided{MARK}"),
    }
}

/// Words by row and column, both in the order in which they come.
#[derive(Debug, Default, PartialEq, Eq)]
struct Table {
    columns: Vec<String>,
    rows: Vec<String>,
    cells: Vec<(usize, usize, BTreeSet<String>)>,
}

impl Table {
    fn add(&mut self, column: String, row: String, word: String) {
        let (column, row) = (place_of(&mut self.columns, column), place_of(&mut self.rows, row));
        match self.cells.iter_mut().find(|(c, r, _)| (*c, *r) == (column, row)) {
            // The same cell with another seed.
            Some((_, _, words)) => drop(words.insert(word)),
            None => self.cells.push((column, row, BTreeSet::from([word]))),
        }
    }

    fn cell(&self, column: usize, row: usize) -> String {
        let found = self.cells.iter().find(|(c, r, _)| (*c, *r) == (column, row));
        found.map_or("-".to_owned(), |(_, _, words)| words.iter().cloned().collect::<Vec<_>>().join(", "))
    }

    fn write(&self, text: &mut String, across: &str, down: &str) -> fmt::Result {
        let corner = format!("{down} \\ {across}");
        let first = self.rows.iter().map(String::len).chain([corner.len()]).max().unwrap_or_default();
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|column| {
                let cells = (0..self.rows.len()).map(|row| self.cell(column, row).len());
                cells.chain([self.columns[column].len()]).max().unwrap_or_default()
            })
            .collect();
        let line = |text: &mut String, head: &str, cells: Vec<String>| {
            let cells = cells.iter().zip(&widths).map(|(cell, width)| format!("  {cell:<width$}"));
            writeln!(text, "  {}", format!("{head:<first$}{}", cells.collect::<String>()).trim_end())
        };
        line(text, &corner, self.columns.clone())?;
        for (row, name) in self.rows.iter().enumerate() {
            line(text, name, (0..self.columns.len()).map(|column| self.cell(column, row)).collect())?;
        }
        Ok(())
    }
}

fn place_of(names: &mut Vec<String>, name: String) -> usize {
    names.iter().position(|known| *known == name).unwrap_or_else(|| {
        names.push(name);
        names.len() - 1
    })
}
