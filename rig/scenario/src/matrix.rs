//! The matrix: axes, the cells they span, and what the command line makes of them.
//!
//! Boundary: names and values only. What a value means is decided where `${axis}` stands.

use std::collections::BTreeSet;

use brickproof_yaml::decode::{Decoder, Reference, references};
use brickproof_yaml::suggest;
use brickproof_yaml::tree::{Node, Value};
use brickproof_yaml::{Mistake, MistakeKind, Mistakes, Place};

/// The most cells of one matrix: more is a campaign, not a scenario.
const MOST_CELLS: usize = 2_000;
/// The key of outcome rules that is not an axis.
pub(crate) const THEN: &str = "then";

/// The parts of a file that give the parameters their meaning; no parameter stands in them.
const GIVE_MEANING: [&str; 3] = ["matrix", "exclude", "outcome"];

/// One parameter and its values.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) values: Vec<String>,
}

/// The values of every axis in one cell, in the order of the axes.
pub(crate) type Cell = Vec<(String, String)>;

/// A set of cells: those that have one of the values in every axis named.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    wanted: Vec<(String, Vec<String>)>,
}

impl Selection {
    /// The cells in which `axis` has `value`.
    pub(crate) fn of(axis: &str, value: &str) -> Self {
        Self { wanted: vec![(axis.to_owned(), vec![value.to_owned()])] }
    }

    pub(crate) fn contains(&self, cell: &Cell) -> bool {
        self.wanted.iter().all(|(axis, values)| cell.iter().any(|(name, value)| name == axis && values.contains(value)))
    }
}

/// `name=value` from the command line: the axis takes this value only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Override {
    /// The axis.
    pub axis: String,
    /// Its value, which need not be one of the file's.
    pub value: String,
}

/// A text that is not `name=value`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not of the form `axis=value`")]
pub struct ParseOverrideError(String);

impl std::str::FromStr for Override {
    type Err = ParseOverrideError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((axis, value)) if !axis.trim().is_empty() && !value.trim().is_empty() => {
                Ok(Self { axis: axis.trim().to_owned(), value: value.trim().to_owned() })
            }
            _ => Err(ParseOverrideError(text.to_owned())),
        }
    }
}

/// The axes of the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Matrix {
    pub(crate) axes: Vec<Axis>,
    excluded: Vec<Selection>,
}

impl Matrix {
    /// Reads `matrix` and `exclude`.
    pub(crate) fn read(matrix: Option<&Node>, exclude: Option<&Node>, mistakes: &mut Mistakes) -> Self {
        let mut decoder = Decoder::new(&[], mistakes);
        let axes = matrix.and_then(|node| axes(&mut decoder, node)).unwrap_or_default();
        let mut read = Self { axes, excluded: Vec::new() };
        if let Some(node) = exclude {
            read.excluded = read.exclusions(&mut decoder, node).unwrap_or_default();
        }
        read
    }

    fn exclusions(&self, decoder: &mut Decoder<'_>, node: &Node) -> Option<Vec<Selection>> {
        let nodes = decoder.list(node, "a list of `- {axis: value}`")?;
        let everything = self.product();
        let mut excluded: Vec<Selection> = Vec::new();
        for node in nodes {
            let Some(selection) = self.selection(decoder, node, &[]) else { continue };
            let removes = |cell: &Cell| selection.contains(cell) && !excluded.iter().any(|other| other.contains(cell));
            if !everything.iter().any(removes) {
                let dead = Mistake::new(MistakeKind::DeadRule, node.place, "this excludes nothing");
                decoder.report(dead.help("remove it: every cell it names is excluded above"));
            }
            excluded.push(selection);
        }
        Some(excluded)
    }

    /// Reads `{axis: value or [values], …}`; `besides` are keys that are no axes.
    pub(crate) fn selection(&self, decoder: &mut Decoder<'_>, node: &Node, besides: &[&str]) -> Option<Selection> {
        let entries = decoder.entries(node, "a mapping of axes to values")?;
        let read: Vec<_> = entries
            .into_iter()
            .filter(|entry| !besides.contains(&entry.key.as_str()))
            .map(|entry| {
                let axis = self.axis(decoder, &entry.key, entry.key_place)?;
                let values = match &entry.value.value {
                    Value::List(nodes) => nodes.iter().map(|node| axis.value(decoder, node)).collect::<Vec<_>>(),
                    _ => vec![axis.value(decoder, &entry.value)],
                };
                Some((entry.key.clone(), values.into_iter().collect::<Option<Vec<_>>>()?))
            })
            .collect();
        Some(Selection { wanted: read.into_iter().collect::<Option<_>>()? })
    }

    fn axis(&self, decoder: &mut Decoder<'_>, name: &str, place: Place) -> Option<&Axis> {
        let found = self.axes.iter().find(|axis| axis.name == name);
        if found.is_none() {
            decoder.report(unknown_axis(name, place, &self.axes));
        }
        found
    }

    /// Checks every `${name}` in `root`, and that every axis is used by one.
    pub(crate) fn check_references(&self, root: &Node, mistakes: &mut Mistakes) {
        let mut used = BTreeSet::new();
        let Value::Map(entries) = &root.value else { return };
        for entry in entries {
            if GIVE_MEANING.contains(&entry.key.as_str()) {
                no_references(&entry.value, mistakes);
            } else {
                self.collect_references(&entry.value, &mut used, mistakes);
            }
        }
        for axis in self.axes.iter().filter(|axis| !used.contains(axis.name.as_str())) {
            let message = format!("the axis `{}` changes nothing", axis.name);
            let unused = Mistake::new(MistakeKind::UnusedAxis, axis.place, message).label("never used");
            mistakes.report(unused.help(format!("write `${{{}}}` where its value belongs, or remove it", axis.name)));
        }
    }

    /// The axes that only say which firmware runs (and, in `outcome`, what must come of it).
    pub(crate) fn axes_for_firmware(&self, root: &Node) -> Vec<String> {
        let Value::Map(entries) = &root.value else { return Vec::new() };
        let (mut firmware, mut elsewhere) = (BTreeSet::new(), BTreeSet::new());
        for entry in entries.iter().filter(|entry| !GIVE_MEANING.contains(&entry.key.as_str())) {
            let used = if entry.key == "firmware" { &mut firmware } else { &mut elsewhere };
            // What is wrong with the references has been told when they were checked.
            self.collect_references(&entry.value, used, &mut Mistakes::default());
        }
        firmware.difference(&elsewhere).map(|axis| (*axis).to_owned()).collect()
    }

    fn collect_references<'n>(&'n self, node: &'n Node, used: &mut BTreeSet<&'n str>, mistakes: &mut Mistakes) {
        match &node.value {
            Value::Text(text) => self.collect_names(&text.text, node.place, used, mistakes),
            Value::List(nodes) => nodes.iter().for_each(|node| self.collect_references(node, used, mistakes)),
            Value::Map(entries) => {
                for entry in entries {
                    // The names of measurements are keys.
                    self.collect_names(&entry.key, entry.key_place, used, mistakes);
                    self.collect_references(&entry.value, used, mistakes);
                }
            }
            Value::Broken => {}
        }
    }

    fn collect_names<'n>(&'n self, text: &'n str, place: Place, used: &mut BTreeSet<&'n str>, mistakes: &mut Mistakes) {
        for reference in references(text) {
            let (Reference::Axis(name) | Reference::Unclosed(name)) = reference;
            let known = self.axes.iter().map(|axis| axis.name.as_str());
            let exactly = known.clone().find(|axis| *axis == name);
            match reference {
                Reference::Unclosed(_) => mistakes.report(unclosed(place)),
                Reference::Axis(_) if exactly.is_some() => {}
                Reference::Axis(_) => mistakes.report(unknown_axis(name, place, &self.axes)),
            }
            // With a slip in its name an axis is still used.
            used.extend(exactly.or_else(|| suggest::slip(name, known)));
        }
    }

    /// Every cell of the file's matrix, the last axis changing fastest. One empty cell without a matrix.
    pub(crate) fn cells(&self) -> Vec<Cell> {
        self.product()
            .into_iter()
            .filter(|cell| !self.excluded.iter().any(|excluded| excluded.contains(cell)))
            .collect()
    }

    fn product(&self) -> Vec<Cell> {
        let one = vec![Vec::new()];
        self.axes.iter().fold(one, |cells, axis| {
            let with = |cell: &Cell, value: &String| {
                cell.iter().cloned().chain([(axis.name.clone(), value.clone())]).collect::<Cell>()
            };
            cells.iter().flat_map(|cell| axis.values.iter().map(move |value| with(cell, value))).collect()
        })
    }

    /// The matrix with the axes of `overrides` set to their values.
    pub(crate) fn with(&self, overrides: &[Override], place: Place, mistakes: &mut Mistakes) -> Self {
        let mut narrowed = self.clone();
        for axis in &mut narrowed.axes {
            let values: Vec<String> =
                overrides.iter().filter(|it| it.axis == axis.name).map(|it| it.value.clone()).collect();
            if !values.is_empty() {
                axis.values = values;
            }
        }
        for unknown in overrides.iter().filter(|it| !self.axes.iter().any(|axis| axis.name == it.axis)) {
            let mistake = unknown_axis(&unknown.axis, place, &self.axes);
            mistakes.report(mistake.label(format!("asked for: `{}={}`", unknown.axis, unknown.value)));
        }
        narrowed
    }
}

impl Axis {
    fn value(&self, decoder: &mut Decoder<'_>, node: &Node) -> Option<String> {
        let text = decoder.raw_text(node, "a value of the axis")?;
        if !self.values.iter().any(|value| value == text) {
            let message = format!("`{text}` is not a value of the axis `{}`", self.name);
            let unknown = Mistake::new(MistakeKind::UnknownValue, node.place, message);
            let help = suggest::help("values", text, self.values.iter().map(String::as_str));
            decoder.report(unknown.elsewhere(self.place, "its values stand here").help(help));
            return None;
        }
        Some(text.to_owned())
    }
}

fn axes(decoder: &mut Decoder<'_>, node: &Node) -> Option<Vec<Axis>> {
    let entries = decoder.entries(node, "a mapping of axes to lists of values")?;
    if entries.is_empty() {
        let empty = Mistake::new(MistakeKind::Empty, node.place, "a matrix without axes");
        decoder.report(empty.help("remove it, or name an axis and its values: `{release: [a, b]}`"));
    }
    let mut axes: Vec<Axis> = Vec::new();
    let mut cells = 1usize;
    for entry in entries {
        if entry.key == THEN || entry.key.contains(['$', '{', '}']) {
            let message = format!("an axis cannot be called `{}`", entry.key);
            decoder.report(Mistake::new(MistakeKind::Misplaced, entry.key_place, message));
            continue;
        }
        let values = values(decoder, &entry.value);
        cells = cells.saturating_mul(values.len().max(1));
        if cells > MOST_CELLS {
            let message = format!("the matrix has more than {MOST_CELLS} cells");
            let large = Mistake::new(MistakeKind::TooLarge, entry.key_place, message);
            decoder.report(large.help("a question of that size is a campaign"));
            break;
        }
        axes.push(Axis { name: entry.key.clone(), place: entry.key_place, values });
    }
    Some(axes)
}

fn values(decoder: &mut Decoder<'_>, node: &Node) -> Vec<String> {
    let Some(nodes) = decoder.list(node, "a list of values") else { return Vec::new() };
    if nodes.is_empty() {
        let empty = Mistake::new(MistakeKind::Empty, node.place, "an axis without values");
        decoder.report(empty.label("empty").help("name at least one value: without any there is no cell to run"));
    }
    let mut values: Vec<String> = Vec::new();
    for node in nodes {
        let Some(value) = decoder.raw_text(node, "a value") else { continue };
        if values.iter().any(|known| known == value) {
            let message = format!("the value `{value}` stands here twice");
            let twice = Mistake::new(MistakeKind::DuplicateValue, node.place, message);
            decoder.report(twice.label("again").help("remove one of the two"));
        } else {
            values.push(value.to_owned());
        }
    }
    values
}

fn unknown_axis(name: &str, place: Place, axes: &[Axis]) -> Mistake {
    let unknown = Mistake::new(MistakeKind::UnknownAxis, place, format!("unknown axis `{name}`"));
    let unknown = unknown.label("the matrix has no such axis");
    let names = axes.iter().map(|axis| axis.name.as_str());
    unknown.help(suggest::help("axes", name, names))
}

fn unclosed(place: Place) -> Mistake {
    let unclosed = Mistake::new(MistakeKind::UnknownAxis, place, "a `${` without its `}`");
    unclosed.help("write `${axis}`")
}

/// Reports parameters where none can be: the matrix and what is said about its cells.
fn no_references(node: &Node, mistakes: &mut Mistakes) {
    match &node.value {
        Value::Text(text) if text.text.contains("${") => {
            let message = "a parameter cannot stand here: this is what gives the parameters their meaning";
            mistakes.report(Mistake::new(MistakeKind::Misplaced, node.place, message));
        }
        Value::List(nodes) => nodes.iter().for_each(|node| no_references(node, mistakes)),
        Value::Map(entries) => entries.iter().for_each(|entry| no_references(&entry.value, mistakes)),
        Value::Text(_) | Value::Broken => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use brickproof_yaml::tree;

    fn matrix(text: &str) -> (Matrix, Mistakes) {
        let mut mistakes = Mistakes::default();
        let (root, _) = tree::parse(text, "anything", &mut mistakes).unwrap();
        let Value::Map(entries) = &root.value else { panic!("a mapping") };
        let value_of = |key: &str| entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value);
        (Matrix::read(value_of("matrix"), value_of("exclude"), &mut mistakes), mistakes)
    }

    fn words(cells: &[Cell]) -> Vec<String> {
        cells.iter().map(|cell| cell.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn the_last_axis_changes_fastest_and_excluded_cells_are_left_out() {
        let (matrix, mistakes) = matrix("matrix: { a: [1, 2], b: [x, y, z] }\nexclude: [{ a: 2, b: [x, z] }]");
        assert!(!mistakes.is_any());
        assert_eq!(words(&matrix.cells()), ["1 x", "1 y", "1 z", "2 y"]);
    }

    #[test]
    fn without_a_matrix_there_is_one_cell() {
        assert_eq!(Matrix::default().cells(), [Cell::new()]);
    }

    #[test]
    fn overrides_keep_the_axis_and_the_exclusions() {
        let (matrix, mut mistakes) = matrix("matrix: { a: [1, 2], b: [x, y] }\nexclude: [{ a: 1, b: x }]");
        let overrides = ["a=1".parse().unwrap(), "b=x".parse().unwrap(), "b=new".parse().unwrap()];
        assert_eq!(words(&matrix.with(&overrides, Place::START, &mut mistakes).cells()), ["1 new"]);
        assert!(!mistakes.is_any());
    }

    #[test]
    fn an_override_needs_both_sides() {
        assert_eq!("a = b=c".parse(), Ok(Override { axis: "a".into(), value: "b=c".into() }));
        for text in ["a", "a=", "=b", ""] {
            assert!(text.parse::<Override>().is_err(), "{text}");
        }
    }
}
