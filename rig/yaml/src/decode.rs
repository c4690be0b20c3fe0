//! From tree to values, one mistake after the other and never only the first.
//!
//! Boundary: the shapes that every file shares (mappings with known keys, quantities, names, choices). What the keys mean is the business of
//! the modules that use it. A function that answers `None` has reported why; the caller goes on with the next value, so that one run
//! finds everything.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

use brickproof_units::{ParseQuantityError, Quantity, Span};

use crate::mistake::{Mistake, MistakeKind, Mistakes, Place};
use crate::suggest;
use crate::tree::{Entry, Node, Value};

/// Reads values of one cell of the matrix: `${axis}` means the cell's value of that axis.
pub struct Decoder<'a> {
    parameters: &'a [(String, String)],
    mistakes: &'a mut Mistakes,
}

impl<'a> Decoder<'a> {
    /// Without `parameters` a text with `${…}` has no value.
    pub fn new(parameters: &'a [(String, String)], mistakes: &'a mut Mistakes) -> Self {
        Self { parameters, mistakes }
    }

    /// One more mistake.
    pub fn report(&mut self, mistake: Mistake) {
        self.mistakes.report(mistake);
    }

    /// The text of a scalar with its parameters filled in. `what` is what it should be, with its article: `a board`.
    pub fn text<'t>(&mut self, node: &'t Node, what: &str) -> Option<Cow<'t, str>> {
        let raw = self.raw_text(node, what)?;
        self.filled_in(raw)
    }

    /// `text` with its parameters filled in.
    pub fn filled_in<'t>(&self, text: &'t str) -> Option<Cow<'t, str>> {
        substitute(text, |axis| self.parameters.iter().find(|(name, _)| name == axis).map(|(_, value)| value.as_str()))
    }

    /// The text of a scalar in which no parameter may stand.
    pub fn raw_text<'t>(&mut self, node: &'t Node, what: &str) -> Option<&'t str> {
        match &node.value {
            Value::Text(text) if !text.is_nothing() => Some(&text.text),
            _ => self.wrong_type(node, what),
        }
    }

    /// The items of a list.
    pub fn list<'t>(&mut self, node: &'t Node, what: &str) -> Option<&'t [Node]> {
        let found = match &node.value {
            Value::List(nodes) => return Some(nodes),
            _ => self.found_instead(node)?,
        };
        let wrong = Mistake::new(MistakeKind::WrongType, node.place, format!("{what} is wanted here, not {found}"));
        self.report(
            wrong.label(format!("this is {found}")).help("a list stands in brackets, or in lines beginning with `- `"),
        );
        None
    }

    /// The entries of a mapping, each key once.
    pub fn entries<'t>(&mut self, node: &'t Node, what: &str) -> Option<Vec<&'t Entry>> {
        let Value::Map(entries) = &node.value else { return self.wrong_type(node, what) };
        let mut kept: Vec<&Entry> = Vec::with_capacity(entries.len());
        for entry in entries {
            match kept.iter().find(|first| first.key == entry.key) {
                None => kept.push(entry),
                Some(first) => {
                    let twice = Mistake::new(
                        MistakeKind::DuplicateKey,
                        entry.key_place,
                        format!("`{}` stands here twice", entry.key),
                    );
                    let twice = twice.label("again").elsewhere(first.key_place, "first here");
                    self.report(twice.help("remove one of the two"));
                }
            }
        }
        Some(kept)
    }

    /// A mapping of which every key is one of `known`. A key with a slip in it is reported and then read as what was meant.
    pub fn fields<'t>(&mut self, node: &'t Node, what: &'t str, known: &[&'static str]) -> Option<Fields<'t>> {
        if !matches!(node.value, Value::Map(_)) {
            return self.not_a_mapping(node, what, known);
        }
        let entries = self.entries(node, what)?;
        Some(self.fields_of(node, what, entries, known))
    }

    /// The same of some entries of the mapping at `node`: the others are the caller's to read.
    pub fn fields_of<'t>(
        &mut self,
        node: &'t Node,
        what: &'t str,
        entries: Vec<&'t Entry>,
        known: &[&'static str],
    ) -> Fields<'t> {
        let keys = self.keys(&entries, what, known);
        let entries = keys.into_iter().zip(entries).collect();
        Fields { place: node.place, what, entries }
    }

    /// The key that each entry means.
    pub fn keys<'t>(&mut self, entries: &[&'t Entry], what: &str, known: &[&'static str]) -> Vec<&'t str> {
        let written = |name: &str| entries.iter().any(|entry| entry.key == name);
        let mut keys = Vec::with_capacity(entries.len());
        for entry in entries {
            let key = entry.key.as_str();
            if known.contains(&key) {
                keys.push(key);
                continue;
            }
            self.unknown_key(entry, what, known);
            let meant = match (known, entries.len()) {
                ([only], 1) => Some(*only),
                _ => suggest::slip(key, known.iter().copied()),
            };
            let meant = meant.filter(|meant| !written(meant) && !keys.contains(meant));
            keys.push(meant.unwrap_or(key));
        }
        keys
    }

    fn not_a_mapping<T>(&mut self, node: &Node, what: &str, known: &[&str]) -> Option<T> {
        let found = self.found_instead(node)?;
        let wrong = Mistake::new(MistakeKind::WrongType, node.place, format!("{what} must be a mapping, not {found}"));
        let keys = suggest::listed(known.iter().copied()).unwrap_or_default();
        self.report(wrong.label(format!("this is {found}")).help(format!("keys: {keys}")));
        None
    }

    /// Reports a key that is none of `known`.
    pub fn unknown_key(&mut self, entry: &Entry, what: &str, known: &[&str]) {
        let unknown =
            Mistake::new(MistakeKind::UnknownKey, entry.key_place, format!("unknown key `{}` in {what}", entry.key));
        self.report(unknown.label("unknown").help(suggest::help("known keys", &entry.key, known.iter().copied())));
    }

    /// Reports that `node` is not `what`; a value that is broken already is passed over in silence.
    pub fn wrong_type<T>(&mut self, node: &Node, what: &str) -> Option<T> {
        let found = self.found_instead(node)?;
        let wrong = Mistake::new(MistakeKind::WrongType, node.place, format!("{what} is wanted here, not {found}"));
        self.report(wrong.label(format!("this is {found}")));
        None
    }

    /// What a value is that is not what was wanted. `None` if its mistake has been reported, here or before.
    fn found_instead(&mut self, node: &Node) -> Option<&'static str> {
        match &node.value {
            Value::Broken => None,
            Value::Text(text) if text.is_nothing() => {
                let missing = Mistake::new(MistakeKind::MissingValue, node.place, "nothing stands behind this key");
                self.report(missing.help("write its value, or remove the key"));
                None
            }
            Value::Text(_) => Some("a text"),
            Value::List(_) => Some("a list"),
            Value::Map(_) => Some("a mapping"),
        }
    }

    /// A number with its unit.
    pub fn quantity<Q: Quantity>(&mut self, node: &Node) -> Option<Q> {
        let text = self.text(node, Q::WHAT)?;
        self.parsed(node.place, text.parse::<Q>())
    }

    /// A length of time that is not zero.
    pub fn duration(&mut self, node: &Node) -> Option<Span> {
        let span: Span = self.quantity(node)?;
        if span == Span::ZERO {
            let zero = Mistake::new(MistakeKind::ImpossibleTiming, node.place, "nothing happens in no time at all");
            self.report(zero.label("zero").help("write a duration greater than zero, as in `200ms`"));
            return None;
        }
        Some(span)
    }

    fn parsed<Q>(&mut self, place: Place, result: Result<Q, ParseQuantityError>) -> Option<Q> {
        result
            .map_err(|error| {
                let wrong = Mistake::new(MistakeKind::WrongQuantity, place, error.to_string());
                self.report(wrong.help(error.help().to_owned()));
            })
            .ok()
    }

    /// A plain number that counts something. No unit: a count has none.
    pub fn count<N: FromStr + PartialOrd + Display + Copy>(
        &mut self,
        node: &Node,
        what: &str,
        range: std::ops::RangeInclusive<N>,
    ) -> Option<N> {
        let text = self.text(node, what)?;
        let number = text.trim().parse::<N>().ok().filter(|number| range.contains(number));
        if number.is_none() {
            let message = format!("`{text}` is not {what}");
            let help = format!("write a whole number from {} to {}", range.start(), range.end());
            self.report(Mistake::new(MistakeKind::WrongQuantity, node.place, message).help(help));
        }
        number
    }

    /// One of a few words, each standing for a value.
    pub fn choice<T: Clone>(&mut self, node: &Node, what: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(node, what)?;
        let chosen = choices.iter().find(|(name, _)| *name == text.trim()).map(|(_, value)| value.clone());
        if chosen.is_none() {
            let names = choices.iter().map(|(name, _)| *name);
            let unknown = Mistake::new(MistakeKind::UnknownValue, node.place, format!("`{text}` is not {what}"));
            let help = match suggest::nearest(&text, names.clone()) {
                Some(best) => format!("did you mean `{best}`?"),
                None => format!("write one of {}", suggest::listed(names).unwrap_or_default()),
            };
            self.report(unknown.help(help));
        }
        chosen
    }

    /// `true` or `false`.
    pub fn truth(&mut self, node: &Node) -> Option<bool> {
        self.choice(node, "`true` or `false`", &[("true", true), ("false", false)])
    }

    /// A name that must be one of `known`: `kind` is the plural of what it names.
    pub fn name<'t, 'k>(
        &mut self,
        node: &'t Node,
        names: Names<'_>,
        known: impl Iterator<Item = &'k str> + Clone,
    ) -> Option<Cow<'t, str>> {
        let text = self.text(node, names.one)?;
        if known.clone().any(|name| name == text) {
            return Some(text);
        }
        let message = format!("unknown {} `{text}`", names.bare());
        let unknown = Mistake::new(MistakeKind::UnknownName, node.place, message);
        self.report(unknown.label(names.nowhere).help(suggest::help(names.many, &text, known)));
        None
    }
}

/// How a kind of thing is called in messages.
#[derive(Clone, Copy)]
pub struct Names<'n> {
    /// With its article: `a rail`.
    pub one: &'n str,
    /// `rails`.
    pub many: &'n str,
    /// What to write under one that does not exist: `the board has no such rail`.
    pub nowhere: &'n str,
}

impl Names<'_> {
    fn bare(&self) -> &str {
        self.one.split_once(' ').map_or(self.one, |(_, name)| name)
    }
}

/// A mapping whose keys have been checked.
pub struct Fields<'t> {
    /// Where the mapping stands.
    pub place: Place,
    what: &'t str,
    /// The key that is meant, and the entry as it is written.
    entries: Vec<(&'t str, &'t Entry)>,
}

impl<'t> Fields<'t> {
    /// The key and the value of the entry that `key` means.
    pub fn entry(&self, key: &str) -> Option<&'t Entry> {
        self.entries.iter().find(|(meant, _)| *meant == key).map(|(_, entry)| *entry)
    }

    /// The value behind `key`.
    pub fn get(&self, key: &str) -> Option<&'t Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The value of `key`; that it is missing is a mistake.
    pub fn required(&self, decoder: &mut Decoder<'_>, key: &str) -> Option<&'t Node> {
        let found = self.get(key);
        if found.is_none() {
            self.missing(decoder, &format!("`{key}`"), &format!("add `{key}:`"));
        }
        found
    }

    /// Reports that `keys` is missing.
    pub fn missing(&self, decoder: &mut Decoder<'_>, keys: &str, help: &str) {
        let message = format!("{} lacks {keys}", self.what);
        decoder.report(Mistake::new(MistakeKind::MissingKey, self.place, message).help(help));
    }
}

/// An occurrence of `${name}` in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference<'t> {
    /// The name of an axis.
    Axis(&'t str),
    /// A `${` without its `}`, and the name that seems to follow it.
    Unclosed(&'t str),
}

/// Every `${name}` of a text.
pub fn references(text: &str) -> impl Iterator<Item = Reference<'_>> {
    text.split("${").skip(1).map(|rest| match rest.split_once('}') {
        Some((name, _)) => Reference::Axis(name.trim()),
        None => Reference::Unclosed(rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("")),
    })
}

/// `text` with every `${name}` replaced; `None` if one has no value (which the check of the whole file has reported).
fn substitute<'t, 'v>(text: &'t str, value_of: impl Fn(&str) -> Option<&'v str>) -> Option<Cow<'t, str>> {
    if !text.contains("${") {
        return Some(Cow::Borrowed(text));
    }
    let mut pieces = text.split("${");
    let mut whole = pieces.next().unwrap_or("").to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once('}')?;
        whole.push_str(value_of(name.trim())?);
        whole.push_str(rest);
    }
    Some(Cow::Owned(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_filled_in_anywhere_in_a_text() {
        let value_of = |name: &str| (name == "a").then_some("1");
        assert_eq!(substitute("x${a}y${ a }", value_of).as_deref(), Some("x1y1"));
        assert_eq!(substitute("plain", value_of).as_deref(), Some("plain"));
        assert_eq!(substitute("${b}", value_of), None);
        assert_eq!(substitute("${a", value_of), None);
    }

    #[test]
    fn references_are_found_where_substitution_looks() {
        let found: Vec<_> = references("lantern-${release} on ${ board } and ${oops").collect();
        assert_eq!(found, [Reference::Axis("release"), Reference::Axis("board"), Reference::Unclosed("oops")]);
    }
}
