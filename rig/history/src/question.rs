//! What is asked of a firmware, whichever it is: a scenario and a cell of its matrix, without the axes that only say which firmware runs.
//!
//! Boundary: names. Trials that ask the same can be compared between firmwares and boards; others cannot.

use std::collections::HashMap;

use crate::dimensions::{Cell, Dimensions, Image};
use crate::facts::Group;

/// The number of a question, within one report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Question(usize);

/// The questions of a report.
#[derive(Debug, Default)]
pub(crate) struct Questions {
    numbers: HashMap<(String, String), Question>,
    names: Vec<(String, String)>,
    known: HashMap<(i64, i64, i64), Question>,
}

impl Questions {
    /// What a group's trials ask.
    pub(crate) fn of(&mut self, dimensions: &Dimensions, group: &Group) -> Question {
        self.about(dimensions, group.scenario, group.cell, group.image)
    }

    /// What trials of this scenario and cell ask this image.
    pub(crate) fn about(&mut self, dimensions: &Dimensions, scenario: i64, cell: i64, image: i64) -> Question {
        if let Some(question) = self.known.get(&(scenario, cell, image)) {
            return *question;
        }
        let path = dimensions.scenarios.get(&scenario).cloned().unwrap_or_default();
        let values = match (dimensions.cells.get(&cell), dimensions.images.get(&image)) {
            (Some(cell), Some(image)) => values(cell, image),
            _ => String::new(),
        };
        let name = (path, values);
        let question = *self.numbers.entry(name.clone()).or_insert_with(|| {
            self.names.push(name);
            Question(self.names.len() - 1)
        });
        self.known.insert((scenario, cell, image), question);
        question
    }

    /// The scenario's path, and the values of the cell as `axis=value`, apart by blanks.
    pub(crate) fn name(&self, question: Question) -> (&str, &str) {
        let (path, values) = &self.names[question.0];
        (path, values)
    }
}

/// The values of a cell but for those that name its firmware: `release=heal-full` of `lantern-heal-full`.
fn values(cell: &Cell, image: &Image) -> String {
    let names_it = |axis: &str, value: &str| {
        axis == "firmware" || value == image.name || image.name.strip_suffix(value).is_some_and(|it| it.ends_with('-'))
    };
    let told = cell.parameters.iter().filter(|(axis, value)| !names_it(axis, value));
    told.map(|(axis, value)| format!("{axis}={value}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::values;
    use crate::dimensions::{Cell, Image};

    #[test]
    fn what_only_says_which_firmware_runs_is_not_part_of_the_question() {
        let image = Image { name: "lantern-heal-full".into(), sha256: String::new() };
        let asked = |parameters: &[(&str, &str)]| {
            let parameters = parameters.iter().map(|(axis, value)| ((*axis).into(), (*value).into())).collect();
            values(&Cell { name: "t".into(), parameters }, &image)
        };
        assert_eq!(asked(&[("release", "heal-full"), ("slot", "server")]), "slot=server");
        assert_eq!(
            asked(&[("firmware", "./other.bin"), ("slot", "server"), ("after", "5ms")]),
            "slot=server after=5ms"
        );
        assert_eq!(asked(&[("image", "lantern-heal-full"), ("part", "full"), ("word", "ll")]), "word=ll");
    }
}
