//! What must come out, cell by cell.
//!
//! Boundary: which rule decides which cell. Conditions that a brick must show are read with the cell they belong to.

use brickproof_yaml::decode::Decoder;
use brickproof_yaml::suggest;
use brickproof_yaml::tree::{Entry, Node, Value};
use brickproof_yaml::{Mistake, MistakeKind, Mistakes, Place};

use crate::matrix::{Cell, Matrix, Selection, THEN};
use crate::plan::{Condition, Expected, Measurand, Step, StepAction};
use crate::reader::Reader;

pub(crate) const WORDS: [&str; 2] = ["passed", "bricked"];

/// The rules of a file, in order; the first that matches a cell decides it.
pub(crate) struct Outcome<'t> {
    rules: Vec<Rule<'t>>,
    place: Place,
}

struct Rule<'t> {
    cells: Selection,
    place: Place,
    then: Option<&'t Node>,
}

/// What a rule demands of its cell.
#[derive(Clone, Copy)]
pub(crate) struct Demand<'t> {
    /// `None`: passed, because the file says nothing.
    then: Option<&'t Node>,
}

impl<'t> Outcome<'t> {
    /// Reads `outcome`, given the axes of the file.
    pub(crate) fn read(node: Option<&'t Node>, matrix: &Matrix, mistakes: &mut Mistakes) -> Option<Self> {
        let Some(node) = node else {
            let rule = Rule { cells: Selection::default(), place: Place::START, then: None };
            return Some(Self { rules: vec![rule], place: Place::START });
        };
        let mut decoder = Decoder::new(&[], mistakes);
        let rules = match &node.value {
            Value::List(nodes) => {
                let read: Vec<_> = nodes.iter().map(|node| rule(&mut decoder, node, matrix)).collect();
                read.into_iter().collect::<Option<Vec<_>>>()?
            }
            Value::Map(entries) if !is_expected(entries) => by_value(&mut decoder, node, matrix)?,
            _ => vec![Rule { cells: Selection::default(), place: node.place, then: Some(node) }],
        };
        if rules.is_empty() {
            decoder.report(Mistake::new(MistakeKind::Empty, node.place, "an outcome without rules"));
            return None;
        }
        Some(Self { rules, place: node.place })
    }

    /// Checks that every cell is decided and every rule decides one.
    pub(crate) fn check(&self, cells: &[Cell], mistakes: &mut Mistakes) {
        let mut decides = vec![false; self.rules.len()];
        for cell in cells {
            match self.rules.iter().position(|rule| rule.cells.contains(cell)) {
                Some(rule) => decides[rule] = true,
                None => mistakes.report(self.undecided(cell)),
            }
        }
        for (rule, _) in self.rules.iter().zip(decides).filter(|(_, decides)| !decides) {
            let dead = Mistake::new(MistakeKind::DeadRule, rule.place, "this rule decides no cell");
            mistakes.report(dead.label("never reached").help("the rules above, or `exclude`, leave nothing for it"));
        }
    }

    /// What is demanded of a cell.
    pub(crate) fn demand(&self, cell: &Cell, mistakes: &mut Mistakes) -> Option<Demand<'t>> {
        let rule = self.rules.iter().find(|rule| rule.cells.contains(cell));
        if rule.is_none() {
            mistakes.report(self.undecided(cell));
        }
        rule.map(|rule| Demand { then: rule.then })
    }

    fn undecided(&self, cell: &Cell) -> Mistake {
        let named: Vec<String> = cell.iter().map(|(axis, value)| format!("{axis}={value}")).collect();
        let message = format!("no outcome for the cell {}", named.join(", "));
        Mistake::new(MistakeKind::UndecidedCell, self.place, message)
            .help("every cell needs an outcome; a last rule `- {then: passed}` decides the rest")
    }
}

/// Whether a mapping is an expectation itself (`{bricked: {…}}`) rather than one for each value.
fn is_expected(entries: &[Entry]) -> bool {
    entries.len() == 1 && entries[0].key == "bricked" && matches!(entries[0].value.value, Value::Map(_))
}

fn rule<'t>(decoder: &mut Decoder<'_>, node: &'t Node, matrix: &Matrix) -> Option<Rule<'t>> {
    let cells = matrix.selection(decoder, node, &[THEN]);
    let entries = decoder.entries(node, "an outcome rule")?;
    let then = entries.iter().find(|entry| entry.key == THEN).map(|entry| &entry.value);
    if then.is_none() {
        let missing = Mistake::new(MistakeKind::MissingKey, node.place, "this rule says no outcome");
        decoder.report(missing.help("add `then: passed` or `then: bricked`"));
    }
    Some(Rule { cells: cells?, place: node.place, then: Some(then?) })
}

/// `{value of the only axis: outcome, …}`.
fn by_value<'t>(decoder: &mut Decoder<'_>, node: &'t Node, matrix: &Matrix) -> Option<Vec<Rule<'t>>> {
    let entries = decoder.entries(node, "an outcome for each value")?;
    let [axis] = matrix.axes.as_slice() else {
        let message = match matrix.axes.len() {
            0 => "an outcome for each value needs a matrix".to_owned(),
            axes => format!("an outcome for each value needs a matrix of one axis, this one has {axes}"),
        };
        let help = "write rules instead: `- {axis: value, then: bricked}`";
        decoder.report(Mistake::new(MistakeKind::Misplaced, node.place, message).help(help));
        return None;
    };
    let mut rules = Vec::new();
    for entry in entries {
        if !axis.values.contains(&entry.key) {
            let message = format!("`{}` is not a value of the axis `{}`", entry.key, axis.name);
            let unknown = Mistake::new(MistakeKind::UnknownValue, entry.key_place, message);
            let help = suggest::help("values", &entry.key, axis.values.iter().map(String::as_str));
            decoder.report(unknown.elsewhere(axis.place, "its values stand here").help(help));
            continue;
        }
        let cells = Selection::of(&axis.name, &entry.key);
        rules.push(Rule { cells, place: entry.key_place, then: Some(&entry.value) });
    }
    Some(rules)
}

impl Reader<'_, '_> {
    /// The demand on this cell, checked against what its steps do.
    pub(crate) fn expected(&mut self, demand: Demand<'_>, steps: Option<&[Step]>) -> Option<Expected> {
        let Some(node) = demand.then else { return Some(Expected::Passed) };
        let expected = self.expected_of(node)?;
        if let (Expected::Bricked { .. }, Some(steps)) = (&expected, steps)
            && !can_brick(steps, self.has_state)
        {
            let message = "a brick is expected, but nothing is done that could cause one and be noticed";
            let causeless = Mistake::new(MistakeKind::CauselessBrick, node.place, message);
            self.decoder
                .report(causeless.help("it takes a `fault`, a `corrupt` or a `state`, and an `expect` after it"));
            return None;
        }
        Some(expected)
    }

    fn expected_of(&mut self, node: &Node) -> Option<Expected> {
        if let Value::Text(_) = node.value {
            let words = [(WORDS[0], Expected::Passed), (WORDS[1], Expected::Bricked { showing: Vec::new() })];
            return self.decoder.choice(node, "an outcome", &words);
        }
        let fields = self.decoder.fields(node, "an outcome", &WORDS[1..])?;
        let bricked = fields.required(&mut self.decoder, "bricked")?;
        let fields = self.decoder.fields(bricked, "`bricked`", &["shows"])?;
        let shows = fields.required(&mut self.decoder, "shows")?;
        let nodes = self.decoder.list(shows, "a list of conditions")?;
        if nodes.is_empty() {
            return self.empty(shows, "a brick that shows nothing in particular");
        }
        let read: Vec<_> = nodes.iter().map(|node| self.watched_condition(node)).collect();
        let showing: Option<Vec<Condition>> = read.into_iter().collect();
        Some(Expected::Bricked { showing: showing? })
    }
}

/// Whether something harmful is followed by something that can be missed.
fn can_brick(steps: &[Step], begins_in_a_state: bool) -> bool {
    let harms = |step: &Step| matches!(step.action, StepAction::Fault { .. } | StepAction::Corrupt { .. });
    let notices = |step: &Step| match &step.action {
        StepAction::Expect(_) => true,
        StepAction::Measure(measurement) => matches!(measurement.what, Measurand::TimeUntil { .. }),
        _ => false,
    };
    steps.iter().skip_while(|step| !begins_in_a_state && !harms(step)).any(notices)
}

#[cfg(test)]
mod tests {
    use brickproof_units::Span;

    use super::*;
    use crate::plan::{Fault, Trigger};

    #[test]
    fn a_brick_takes_a_fault_and_an_expectation_after_it() {
        let step = |action| Step { index: 1, line: 1, text: String::new(), action };
        let trigger = Trigger { cause: None, within: Span::ZERO, after: Span::ZERO, tolerance: None };
        let fault = step(StepAction::Fault { trigger, fault: Fault::PowerCut { hold: None } });
        let identity = Condition::Identity(Vec::new());
        let expectation = crate::plan::Expectation { condition: identity, within: Span::ZERO, holds: None };
        let expect = step(StepAction::Expect(expectation));
        assert!(can_brick(&[fault.clone(), expect.clone()], false));
        assert!(!can_brick(&[expect.clone(), fault.clone()], false), "nobody looks after the fault");
        assert!(!can_brick(std::slice::from_ref(&expect), false));
        assert!(can_brick(&[expect], true), "what was found did the harm");
        assert!(!can_brick(&[fault], false));
    }
}
