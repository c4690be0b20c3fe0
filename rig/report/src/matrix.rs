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
    let matrices = of_scenarios(results);
    if matrices.is_empty() {
        return None;
    }
    let mut text = String::new();
    for matrix in &matrices {
        // Writing to a `String` cannot fail.
        let _ = matrix.write(&mut text);
    }
    let _ = writeln!(
        text,
        "`passed` and `bricked` say what was seen and what the scenario expects;{MARK} beside a word: it expects otherwise"
    );
    Some(text)
}

/// What came of the cells of one scenario's matrix.
#[derive(Debug)]
pub(crate) struct Matrix<'a> {
    pub(crate) title: &'a str,
    pub(crate) path: &'a str,
    pub(crate) across: &'a str,
    pub(crate) down: &'a str,
    /// The axes besides those two.
    pub(crate) others: Vec<&'a str>,
    /// Each with the values of the others for which it is so.
    pub(crate) tables: Vec<(Vec<String>, Table)>,
}

/// Those of all scenarios that have two axes or more.
pub(crate) fn of_scenarios(results: &Results) -> Vec<Matrix<'_>> {
    let mut paths: Vec<(&str, Vec<&TrialResult>)> = Vec::new();
    for trial in results.last_attempts() {
        match paths.iter_mut().find(|(path, _)| *path == trial.scenario.path) {
            Some((_, trials)) => trials.push(trial),
            None => paths.push((&trial.scenario.path, vec![trial])),
        }
    }
    paths.iter().filter_map(|(_, trials)| Matrix::of(trials)).collect()
}

impl<'a> Matrix<'a> {
    fn of(trials: &[&'a TrialResult]) -> Option<Self> {
        let first = trials.first()?;
        let axes: Vec<&str> = first.parameters.keys().map(String::as_str).collect();
        let [others @ .., across, down] = axes.as_slice() else { return None };
        let mut tables: Vec<(Vec<String>, Table)> = Vec::new();
        for (name, table) in tables_of(trials, others, across, down) {
            match tables.iter_mut().find(|(_, known)| *known == table) {
                Some((names, _)) => names.push(name),
                None => tables.push((vec![name], table)),
            }
        }
        let (title, path) = (&first.scenario.title, &first.scenario.path);
        Some(Self { title, path, across, down, others: others.to_vec(), tables })
    }

    fn write(&self, text: &mut String) -> fmt::Result {
        writeln!(text, "{} ({})", self.title, self.path)?;
        for (names, table) in &self.tables {
            let of = if self.others.is_empty() { String::new() } else { format!("{}: ", self.others.join(" ")) };
            writeln!(text, "\n  {of}{}", names.join(", "))?;
            table.write(text, self.across, self.down)?;
        }
        writeln!(text)
    }
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
        tables[place].1.add(value(trial, across), value(trial, down), Cell::of(trial));
    }
    tables
}

fn value(trial: &TrialResult, axis: &str) -> String {
    trial.parameters.get(axis).and_then(|value| value.as_str()).unwrap_or("-").to_owned()
}

/// Cells by row and column, both in the order in which they come.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<String>,
    cells: Vec<(usize, usize, BTreeSet<Cell>)>,
}

/// What came of one cell: what was seen, and whether the scenario expects it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cell {
    Bricked,
    Error,
    Failed,
    Passed,
    Undecided,
}

impl Cell {
    fn of(trial: &TrialResult) -> Self {
        match (trial.verdict.as_str(), trial.expected.as_str()) {
            ("passed", "bricked") => Self::Bricked,
            ("passed", _) => Self::Passed,
            // Of a brick that was expected either nothing came or another one, and the reason says which.
            ("failed", _) => Self::Failed,
            ("error", _) => Self::Error,
            _ => Self::Undecided,
        }
    }

    /// In a word.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Bricked => "bricked",
            Self::Error => "error",
            Self::Failed => "failed",
            Self::Passed => "passed",
            Self::Undecided => "undecided",
        }
    }

    /// Whether it is what its scenario expects.
    pub(crate) const fn is_expected(self) -> bool {
        matches!(self, Self::Bricked | Self::Passed)
    }
}

impl Table {
    fn add(&mut self, column: String, row: String, cell: Cell) {
        let (column, row) = (place_of(&mut self.columns, column), place_of(&mut self.rows, row));
        match self.cells.iter_mut().find(|(c, r, _)| (*c, *r) == (column, row)) {
            // The same cell with another seed.
            Some((_, _, seen)) => drop(seen.insert(cell)),
            None => self.cells.push((column, row, BTreeSet::from([cell]))),
        }
    }

    /// What came of the trials of one cell, each once; nothing if there was none.
    pub(crate) fn seen(&self, column: usize, row: usize) -> impl Iterator<Item = Cell> {
        let found = self.cells.iter().find(|(c, r, _)| (*c, *r) == (column, row));
        found.into_iter().flat_map(|(_, _, seen)| seen.iter().copied())
    }

    fn cell(&self, column: usize, row: usize) -> String {
        let told = |cell: Cell| format!("{}{}", cell.word(), if cell.is_expected() { "" } else { MARK });
        let words: Vec<String> = self.seen(column, row).map(told).collect();
        if words.is_empty() { "-".to_owned() } else { words.join(", ") }
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
