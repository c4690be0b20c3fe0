//! Settings by the kinds that their drivers declare.
//!
//! Boundary: one value at a time. What several settings say together is for [`super::driver`].

use std::collections::BTreeMap;
use std::path::Path;

use brickproof_instruments::{SettingKind, Value};
use brickproof_yaml::decode::Decoder;
use brickproof_yaml::tree::Node;
use brickproof_yaml::{Mistake, MistakeKind, Place};

/// A value of `kind`; a relative path begins at `folder`. Of a mapping or a list, `parts` gets where each of its lines stands.
pub(super) fn value(
    decoder: &mut Decoder<'_>,
    kind: SettingKind,
    node: &Node,
    folder: &Path,
    parts: &mut BTreeMap<String, Place>,
) -> Option<Value> {
    Some(match kind {
        SettingKind::Text => Value::Text(text(decoder, node, "a text")?.to_owned()),
        SettingKind::File => {
            // One that is absolute stays so.
            let path = folder.join(text(decoder, node, "the path of a file")?);
            Value::Text(path.to_string_lossy().into_owned())
        }
        SettingKind::Word(words) => {
            let choices: Vec<(&str, &str)> = words.iter().map(|word| (*word, *word)).collect();
            Value::Text(decoder.choice(node, "one of the words that can stand here", &choices)?.to_owned())
        }
        SettingKind::Number => Value::Number(number(decoder, node)?),
        SettingKind::LineMap => Value::LineMap(line_map(decoder, node, parts)?),
        SettingKind::TextList => Value::TextList(texts(decoder, node, parts)?),
        SettingKind::Voltage => Value::Voltage(decoder.quantity(node)?),
        SettingKind::Current => Value::Current(decoder.quantity(node)?),
        SettingKind::Resistance => Value::Resistance(decoder.quantity(node)?),
        SettingKind::Span => Value::Span(decoder.quantity(node)?),
        SettingKind::Baud => Value::Baud(decoder.quantity(node)?),
    })
}

/// A text with at least one letter in it.
pub(super) fn text<'t>(decoder: &mut Decoder<'_>, node: &'t Node, what: &str) -> Option<&'t str> {
    let text = decoder.raw_text(node, what)?.trim();
    if text.is_empty() {
        let empty = Mistake::new(MistakeKind::Empty, node.place, "nothing is written between these quotes");
        decoder.report(empty.help("write its value, or remove the key"));
        return None;
    }
    Some(text)
}

fn number(decoder: &mut Decoder<'_>, node: &Node) -> Option<u64> {
    let text = text(decoder, node, "a whole number")?;
    let parsed = match text.strip_prefix("0x") {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => u64::from_str_radix(digits, 16).ok(),
        None if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    };
    if parsed.is_none() {
        let message = format!("`{text}` is not a whole number");
        let wrong = Mistake::new(MistakeKind::WrongQuantity, node.place, message);
        decoder.report(wrong.help("write it in decimal or hexadecimal, without a unit: `1`, `0x40`"));
    }
    parsed
}

fn line_map(
    decoder: &mut Decoder<'_>,
    node: &Node,
    parts: &mut BTreeMap<String, Place>,
) -> Option<BTreeMap<String, String>> {
    let entries = decoder.entries(node, "a mapping from names of lines to their places")?;
    let mut lines = BTreeMap::new();
    for entry in entries {
        // The name is known even where its place is wrong: what refers to it is then no mistake too.
        parts.insert(entry.key.clone(), entry.key_place);
        let place = text(decoder, &entry.value, "the place of a line");
        lines.insert(entry.key.clone(), place.unwrap_or_default().to_owned());
    }
    Some(lines)
}

fn texts(decoder: &mut Decoder<'_>, node: &Node, parts: &mut BTreeMap<String, Place>) -> Option<Vec<String>> {
    let nodes = decoder.list(node, "a list of texts")?;
    let mut texts = Vec::with_capacity(nodes.len());
    for node in nodes {
        if let Some(text) = decoder.raw_text(node, "a text") {
            parts.insert(text.to_owned(), node.place);
            texts.push(text.to_owned());
        }
    }
    Some(texts)
}
