//! Names of trials: short, self-describing, and enough to make the trial again.
//!
//! Boundary: text. `ekv.nrf51.fractional.op123.5of17.seed7`, and `.then.op130.before.seed0` behind it if the boot after that was cut.

use std::fmt;
use std::str::FromStr;

use brickproof_virtual_board::chip::Chip;
use brickproof_virtual_board::flash::{Cells, CutPoint};

use super::store::Store;
use crate::cuts::{Cut, Trial, cells_named, chip_named, name_of_cells, name_of_chip};

/// One trial with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Id {
    /// What is cut.
    pub store: Store,
    /// The part whose flash it is in.
    pub chip: Chip,
    /// How its flash takes it.
    pub cells: Cells,
    /// Where it is cut.
    pub trial: Trial,
}

/// A text is the name of no trial.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{part}` in `{id}` is no {expected}; a name is like `ekv.nrf51.fractional.op123.5of17.seed7`, \
     with `.then.op130.before.seed0` behind it for a second cut"
)]
pub struct IdError {
    id: String,
    part: String,
    expected: &'static str,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { store, chip, cells, trial } = *self;
        write!(f, "{}.{}.{}.{}", store.name(), name_of_chip(chip), name_of_cells(cells), Shown(trial.first))?;
        trial.second.map_or(Ok(()), |cut| write!(f, ".then.{}", Shown(cut)))
    }
}

struct Shown(Cut);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cut { operation, at, seed } = self.0;
        write!(f, "op{operation}.")?;
        match at {
            CutPoint::Before => f.write_str("before")?,
            CutPoint::Fraction { numerator, denominator } => write!(f, "{numerator}of{denominator}")?,
            CutPoint::After => f.write_str("after")?,
        }
        write!(f, ".seed{seed}")
    }
}

impl FromStr for Id {
    type Err = IdError;

    fn from_str(id: &str) -> Result<Self, IdError> {
        let mut parts = Parts { id, rest: id.split('.') };
        let store = parts.next("store", Store::from_name)?;
        let chip = parts.next("part", chip_named)?;
        let cells = parts.next("cell model", cells_named)?;
        let first = parts.cut()?;
        let second = match parts.rest.next() {
            None => None,
            Some("then") => Some(parts.cut()?),
            Some(other) => return Err(parts.error(other, "`then`")),
        };
        match parts.rest.next() {
            None => Ok(Self { store, chip, cells, trial: Trial { first, second } }),
            Some(more) => Err(parts.error(more, "end")),
        }
    }
}

struct Parts<'a> {
    id: &'a str,
    rest: std::str::Split<'a, char>,
}

impl Parts<'_> {
    fn next<T>(&mut self, expected: &'static str, read: impl Fn(&str) -> Option<T>) -> Result<T, IdError> {
        let part = self.rest.next().unwrap_or_default();
        read(part).ok_or_else(|| self.error(part, expected))
    }

    fn cut(&mut self) -> Result<Cut, IdError> {
        Ok(Cut {
            operation: self.next("operation", |part| part.strip_prefix("op")?.parse().ok())?,
            at: self.next("cut point", cut_point)?,
            seed: self.next("seed", |part| part.strip_prefix("seed")?.parse().ok())?,
        })
    }

    fn error(&self, part: &str, expected: &'static str) -> IdError {
        IdError { id: self.id.to_owned(), part: part.to_owned(), expected }
    }
}

fn cut_point(text: &str) -> Option<CutPoint> {
    match text {
        "before" => Some(CutPoint::Before),
        "after" => Some(CutPoint::After),
        fraction => {
            let (numerator, denominator) = fraction.split_once("of")?;
            Some(CutPoint::Fraction { numerator: numerator.parse().ok()?, denominator: denominator.parse().ok()? })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_as_it_is_written() {
        for name in [
            "ekv.nrf51.fractional.op123.5of17.seed7",
            "sequential-storage.nrf51.ideal.op0.before.seed0",
            "littlefs.nrf52840.marginal.op9.after.seed1.then.op12.1of5.seed18446744073709551615",
        ] {
            assert_eq!(name.parse::<Id>().map(|id| id.to_string()).as_deref(), Ok(name));
        }
    }

    #[test]
    fn what_is_no_name_says_which_part_is_wrong() {
        let error = |text: &str| text.parse::<Id>().unwrap_err().to_string();
        insta::assert_snapshot!(error("ekv.nrf51.fractional.op123.5in17.seed7"), @"`5in17` in `ekv.nrf51.fractional.op123.5in17.seed7` is no cut point; a name is like `ekv.nrf51.fractional.op123.5of17.seed7`, with `.then.op130.before.seed0` behind it for a second cut");
        assert!(error("fat.nrf51").contains("`fat` in `fat.nrf51` is no store"));
        assert!(error("ekv.stm32.ideal").contains("`stm32` in `ekv.stm32.ideal` is no part"));
        assert!(error("ekv.nrf51.ideal.op1.after.seed0.op2").contains("`op2` in"));
        assert!(error("ekv.nrf51.ideal.op1.after").contains("`` in"));
    }
}
