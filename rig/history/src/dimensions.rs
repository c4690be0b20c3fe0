//! What trials have in common: runs, scenarios, cells, places and firmwares, by their numbers; and which of them are asked for.
//!
//! Boundary: there are few of these beside the trials, so they are read whole. Trials are counted elsewhere.

use std::collections::HashMap;

use brickproof_report::results::World;
use jiff::civil::Date;
use rusqlite::Row;
use serde::Serialize;

use crate::database::History;
use crate::error::HistoryError;
use crate::glob::Glob;
use crate::record::RunId;

/// Every world, in the order of reports.
pub(crate) const WORLDS: [World; 3] = [World::Virtual, World::Lane, World::Hardware];

/// Which trials are asked for; everything where nothing is said.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// In which world. Reports never mix worlds: without it, each makes its own.
    pub world: Option<World>,
    /// Not of an earlier night.
    pub since: Option<Date>,
    /// Not of a later night.
    pub until: Option<Date>,
    /// Of which run.
    pub run: Option<RunId>,
    /// Whose path is this, or matches it.
    pub scenario: Option<Glob>,
    /// The board profile.
    pub board: Option<String>,
    /// The station, or the unique id of the board in it.
    pub station: Option<String>,
    /// The firmware's name, or how its SHA-256 begins (six digits at least).
    pub firmware: Option<String>,
}

/// A board in its station.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Place {
    /// Where verdicts are found there.
    pub world: World,
    /// The bench; empty without a bench file.
    pub bench: String,
    /// The station.
    pub station: String,
    /// The board profile.
    pub board: String,
    /// The board's unique id; empty where nobody said it.
    pub board_serial: String,
}

impl Place {
    /// As people call the board: by its unique id, and by its place where that is not known.
    pub fn label(&self) -> String {
        let station = match self.bench.as_str() {
            "" => self.station.clone(),
            bench => format!("{bench}/{}", self.station),
        };
        match self.board_serial.as_str() {
            "" => station,
            serial => format!("{serial} ({station})"),
        }
    }
}

/// An image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Image {
    /// Its name.
    pub name: String,
    /// Of its bytes.
    pub sha256: String,
}

impl Image {
    /// As people call it: its name, and as much of its SHA-256 as tells builds apart.
    pub fn label(&self) -> String {
        match self.sha256.get(..8) {
            Some(beginning) => format!("{} {beginning}", self.name),
            None => self.name.clone(),
        }
    }

    /// Whether `wanted` names it: its name, or how its SHA-256 begins.
    pub fn is(&self, wanted: &str) -> bool {
        const LEAST_DIGITS: usize = 6;
        self.name == wanted || wanted.len() >= LEAST_DIGITS && self.sha256.starts_with(wanted)
    }
}

/// A cell of a matrix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) name: String,
    pub(crate) parameters: Vec<(String, String)>,
}

/// One call of `run` or `replay`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RunRow {
    pub(crate) night: Date,
    pub(crate) started_ms: i64,
    pub(crate) world: World,
    pub(crate) bench: String,
    pub(crate) evidence: String,
}

/// All of them, by their numbers.
#[derive(Debug)]
pub(crate) struct Dimensions {
    pub(crate) runs: HashMap<i64, RunRow>,
    /// Paths.
    pub(crate) scenarios: HashMap<i64, String>,
    pub(crate) cells: HashMap<i64, Cell>,
    pub(crate) places: HashMap<i64, Place>,
    pub(crate) images: HashMap<i64, Image>,
}

impl Dimensions {
    pub(crate) fn wants_place(&self, filter: &Filter, place: i64) -> bool {
        self.places.get(&place).is_some_and(|place| {
            filter.world.is_none_or(|world| world == place.world)
                && filter.board.as_ref().is_none_or(|board| *board == place.board)
                && filter.station.as_ref().is_none_or(|it| *it == place.station || *it == place.board_serial)
        })
    }

    pub(crate) fn wants_image(&self, filter: &Filter, image: i64) -> bool {
        let Some(wanted) = &filter.firmware else { return true };
        self.images.get(&image).is_some_and(|image| image.is(wanted))
    }

    pub(crate) fn wants_run(&self, filter: &Filter, run: i64) -> bool {
        self.runs.get(&run).is_some_and(|row| {
            filter.run.is_none_or(|wanted| wanted.0 == run)
                && filter.world.is_none_or(|world| world == row.world)
                && filter.since.is_none_or(|since| since <= row.night)
                && filter.until.is_none_or(|until| row.night <= until)
        })
    }

    /// Whether the world is asked for, and anything ran there.
    pub(crate) fn has_runs_in(&self, filter: &Filter, world: World) -> bool {
        filter.world.is_none_or(|wanted| wanted == world) && self.runs.values().any(|run| run.world == world)
    }

    /// Whether a place is of this world.
    pub(crate) fn is_in(&self, world: World, place: i64) -> bool {
        self.places.get(&place).is_some_and(|place| place.world == world)
    }

    /// The numbers of the scenarios that are asked for.
    pub(crate) fn scenarios_wanted(&self, filter: &Filter) -> Vec<i64> {
        let wanted = |path: &String| filter.scenario.as_ref().is_none_or(|glob| glob.matches(path));
        self.scenarios.iter().filter(|(_, path)| wanted(path)).map(|(number, _)| *number).collect()
    }
}

impl History {
    pub(crate) fn dimensions(&self) -> Result<Dimensions, HistoryError> {
        Ok(Dimensions {
            runs: self.runs_by_number()?,
            scenarios: self.by_number("SELECT id, path FROM scenario", |row| row.get(1))?,
            cells: self.cells_by_number()?,
            places: self.places_by_number()?,
            images: self.by_number("SELECT id, name, sha256 FROM firmware", |row| {
                Ok(Image { name: row.get(1)?, sha256: row.get(2)? })
            })?,
        })
    }

    fn by_number<T>(
        &self,
        sql: &str,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<HashMap<i64, T>, HistoryError> {
        let failed = self.failed("read");
        let mut statement = self.connection.prepare_cached(sql).map_err(&failed)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, read(row)?))).map_err(&failed)?;
        rows.collect::<Result<_, _>>().map_err(&failed)
    }

    fn runs_by_number(&self) -> Result<HashMap<i64, RunRow>, HistoryError> {
        let sql = "SELECT id, night, started_ms, world, bench, evidence FROM run";
        let rows = self.by_number(sql, |row| {
            let (night, started_ms): (String, i64) = (row.get(1)?, row.get(2)?);
            let (world, bench, evidence): (String, String, String) = (row.get(3)?, row.get(4)?, row.get(5)?);
            Ok((night, started_ms, world, bench, evidence))
        })?;
        let read =
            |(number, (night, started_ms, world, bench, evidence)): (i64, (String, i64, String, String, String))| {
                let night = night.parse().map_err(|_| self.strange(format!("the night `{night}`")))?;
                let world = self.world(&world)?;
                Ok((number, RunRow { night, started_ms, world, bench, evidence }))
            };
        rows.into_iter().map(read).collect()
    }

    fn cells_by_number(&self) -> Result<HashMap<i64, Cell>, HistoryError> {
        let rows = self.by_number("SELECT id, name, parameters FROM cell", |row| {
            let (name, parameters): (String, String) = (row.get(1)?, row.get(2)?);
            Ok((name, parameters))
        })?;
        let read = |(number, (name, text)): (i64, (String, String))| {
            let parameters: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str(&text).map_err(|_| self.strange(format!("the parameters `{text}`")))?;
            let value = |value: serde_json::Value| match value {
                serde_json::Value::String(text) => text,
                other => other.to_string(),
            };
            let parameters = parameters.into_iter().map(|(axis, it)| (axis, value(it))).collect();
            Ok((number, Cell { name, parameters }))
        };
        rows.into_iter().map(read).collect()
    }

    fn places_by_number(&self) -> Result<HashMap<i64, Place>, HistoryError> {
        let rows = self.by_number("SELECT id, world, bench, station, board, board_serial FROM place", |row| {
            let (world, bench): (String, String) = (row.get(1)?, row.get(2)?);
            let (station, board, board_serial) = (row.get(3)?, row.get(4)?, row.get(5)?);
            Ok((world, Place { world: World::Virtual, bench, station, board, board_serial }))
        })?;
        let read = |(number, (world, place)): (i64, (String, Place))| {
            Ok((number, Place { world: self.world(&world)?, ..place }))
        };
        rows.into_iter().map(read).collect()
    }

    pub(crate) fn world(&self, name: &str) -> Result<World, HistoryError> {
        let known = WORLDS.into_iter().find(|world| world.name() == name);
        known.ok_or_else(|| self.strange(format!("the world `{name}`")))
    }
}
