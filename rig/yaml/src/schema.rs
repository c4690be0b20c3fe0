//! JSON Schemas of the files that people write, for editors: what may stand where, and what it means.
//!
//! Boundary: the shapes that every file shares, as [`crate::decode`] reads them. Which keys a file has is said beside its reader; that both
//! say the same is held by the tests of the command, which read every file with both.

use std::ops::RangeInclusive;

use brickproof_units::{Quantity, Span};
use serde_json::{Map, Value, json};

/// The dialect that editors know best.
const DIALECT: &str = "http://json-schema.org/draft-07/schema#";
/// A parameter of a scenario somewhere in a text.
const PARAMETER: &str = r"\$\{[^}]+\}";

/// What may stand at one place of a file.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Shape(Map<String, Value>);

/// A key of a mapping and what may stand behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    name: String,
    shape: Shape,
    required: bool,
}

impl Key {
    /// One that has to be there.
    pub fn required(name: &str, shape: Shape) -> Self {
        Self { name: name.to_owned(), shape, required: true }
    }

    /// One that may be left out.
    pub fn optional(name: &str, shape: Shape) -> Self {
        Self { name: name.to_owned(), shape, required: false }
    }
}

impl Shape {
    fn of(value: Value) -> Self {
        match value {
            Value::Object(map) => Self(map),
            _ => Self(Map::new()),
        }
    }

    /// Any text; YAML takes some for numbers or truths.
    pub fn text() -> Self {
        Self::of(json!({ "type": ["string", "number", "boolean"] }))
    }

    /// A text of this form.
    pub fn pattern(regex: &str) -> Self {
        Self::of(json!({ "type": "string", "pattern": regex }))
    }

    /// One of these words.
    pub fn word<'w>(words: impl IntoIterator<Item = &'w str>) -> Self {
        Self::of(json!({ "type": "string", "enum": words.into_iter().collect::<Vec<_>>() }))
    }

    /// A number with its unit.
    pub fn quantity<Q: Quantity>() -> Self {
        let units: Vec<String> = Q::UNITS.iter().map(|(unit, _)| (*unit).to_owned()).collect();
        let pattern = format!(r"^\s*[-+]?[0-9][0-9_]*(\.[0-9_]+)?\s*({})\s*$", units.join("|"));
        Self::pattern(&pattern).example(Q::EXAMPLE)
    }

    /// A length of time.
    pub fn span() -> Self {
        Self::quantity::<Span>()
    }

    /// A whole number that counts something.
    pub fn count(range: RangeInclusive<u64>) -> Self {
        let most = *range.end();
        let shape = Self::of(json!({ "type": "integer", "minimum": range.start() }));
        // JSON's numbers are exact up to here; beyond, the reader has the last word.
        if most <= 1 << 53 { shape.with("maximum", most.into()) } else { shape }
    }

    /// `true` or `false`.
    pub fn truth() -> Self {
        Self::of(json!({ "type": "boolean" }))
    }

    /// Nothing behind the key: a word that stands alone.
    pub fn nothing() -> Self {
        Self::of(json!({ "type": "null" }))
    }

    /// A list.
    pub fn list(item: Self) -> Self {
        Self::of(json!({ "type": "array", "items": item.0 }))
    }

    /// A list with something in it.
    pub fn some(item: Self) -> Self {
        Self::list(item).with("minItems", 1.into())
    }

    /// A mapping whose keys are names that the file chooses.
    pub fn names(value: Self) -> Self {
        Self::of(json!({ "type": "object", "additionalProperties": value.0 }))
    }

    /// A mapping with these keys and no others.
    pub fn keys(keys: impl IntoIterator<Item = Key>) -> Self {
        let (mut properties, mut required) = (Map::new(), Vec::new());
        for Key { name, shape, required: is_required } in keys {
            if is_required {
                required.push(Value::from(name.clone()));
            }
            properties.insert(name, shape.0.into());
        }
        let shape = Self::of(json!({ "type": "object", "properties": properties, "additionalProperties": false }));
        if required.is_empty() { shape } else { shape.with("required", required.into()) }
    }

    /// Any of these.
    pub fn any(shapes: impl IntoIterator<Item = Self>) -> Self {
        let shapes: Vec<Value> = shapes.into_iter().map(|shape| shape.0.into()).collect();
        Self::of(json!({ "anyOf": shapes }))
    }

    /// One of these or a list of them.
    pub fn one_or_some(item: Self) -> Self {
        Self::any([item.clone(), Self::some(item)])
    }

    /// What a [`document`] defines under this name.
    pub fn defined(name: &str) -> Self {
        Self::of(json!({ "$ref": format!("#/definitions/{name}") }))
    }

    /// The same, or a text with a parameter in it.
    pub fn or_parameter(self) -> Self {
        let parameter = Self::pattern(PARAMETER);
        match self.0.get("anyOf").and_then(Value::as_array) {
            Some(shapes) if self.0.len() == 1 => {
                let shapes = shapes.iter().cloned().chain([parameter.0.into()]).collect::<Vec<_>>();
                Self::of(json!({ "anyOf": shapes }))
            }
            _ => Self::any([self, parameter]),
        }
    }

    /// What it means; shown where the pointer rests.
    pub fn about(self, text: &str) -> Self {
        self.with("description", text.into())
    }

    /// Something that may be written here; offered by editors.
    pub fn example(self, text: &str) -> Self {
        let mut examples = self.0.get("examples").and_then(Value::as_array).cloned().unwrap_or_default();
        examples.push(text.into());
        self.with("examples", examples.into())
    }

    /// Of a mapping: one of these keys has to be there, and no second.
    pub fn exactly_one<'k>(self, keys: impl IntoIterator<Item = &'k str>) -> Self {
        let each: Vec<Value> = keys.into_iter().map(|key| json!({ "required": [key] })).collect();
        self.with("oneOf", each.into())
    }

    /// Of a mapping: at least one of these keys has to be there.
    pub fn at_least_one<'k>(self, keys: impl IntoIterator<Item = &'k str>) -> Self {
        let each: Vec<Value> = keys.into_iter().map(|key| json!({ "required": [key] })).collect();
        self.with("anyOf", each.into())
    }

    /// Of a mapping: where `key` is, `others` have to be, too.
    pub fn goes_with(self, key: &str, others: &[&str]) -> Self {
        let mut all = self.0.get("dependencies").and_then(Value::as_object).cloned().unwrap_or_default();
        all.insert(key.to_owned(), others.into());
        self.with("dependencies", all.into())
    }

    /// Of a mapping: so many entries.
    pub fn entries(self, range: RangeInclusive<usize>) -> Self {
        self.with("minProperties", (*range.start()).into()).with("maxProperties", (*range.end()).into())
    }

    /// Of a mapping: at least one entry.
    pub fn not_empty(self) -> Self {
        self.with("minProperties", 1.into())
    }

    /// Of a list: nothing twice.
    pub fn each_once(self) -> Self {
        self.with("uniqueItems", true.into())
    }

    /// Of a mapping of names: how a name is written.
    pub fn named(self, regex: &str) -> Self {
        self.with("propertyNames", json!({ "pattern": regex }))
    }

    /// Of a mapping of names: this one has to be there.
    pub fn with_required(self, key: &str) -> Self {
        self.with("required", json!([key]))
    }

    fn with(mut self, key: &str, value: Value) -> Self {
        self.0.insert(key.to_owned(), value);
        self
    }
}

/// A whole schema: of the file that `root` describes, with what it refers to.
pub fn document<'d>(title: &str, root: Shape, definitions: impl IntoIterator<Item = (&'d str, Shape)>) -> Value {
    let definitions: Map<String, Value> =
        definitions.into_iter().map(|(name, shape)| (name.to_owned(), shape.0.into())).collect();
    let mut whole = Map::new();
    whole.insert("$schema".to_owned(), DIALECT.into());
    whole.insert("title".to_owned(), title.into());
    whole.extend(root.0);
    if !definitions.is_empty() {
        whole.insert("definitions".to_owned(), definitions.into());
    }
    whole.into()
}
