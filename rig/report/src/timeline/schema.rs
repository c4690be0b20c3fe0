//! What stands on a line of `timeline.jsonl`, for programs that read it.
//!
//! Boundary: as [`super::to_json_lines`] writes it. Fields that are not named here are for later versions to add.

use serde_json::{Map, Value, json};

/// A field of a line: its name, what it may be, and what it means. One that is left out where there is nothing to say has a `?` behind its name.
type Field = (&'static str, fn() -> Value, &'static str);

/// A kind of line, what it tells, and its fields.
const KINDS: [(&str, &str, &[Field]); 19] = [
    ("step_began", "A step began.", &[STEP]),
    ("step_ended", "A step ended as it should.", &[STEP]),
    (
        "asked",
        "The trial asked for something.",
        &[
            ID,
            ("command", command, "What, in words; of a fault what was asked of it."),
            (
                "drives?",
                drives,
                "Lines of the board that it pulls: which, and from when to when, in nanoseconds since `t`.",
            ),
        ],
    ),
    (
        "answered",
        "The world answered.",
        &[ID, ("achieved?", anything, "What was achieved."), ("error?", text, "Or why it was not.")],
    ),
    (
        "console",
        "The console completed a line.",
        &[
            ("line", count, "Its number, counted from 1."),
            ("text", text, "Its text; what is no text is escaped."),
            ("log?", object, "What a line of a known log says, taken apart."),
        ],
    ),
    ("light", "The recogniser changed its mind about a light.", &[("sight", text, "What it shows, in words."), LED]),
    (
        "light_samples",
        "Some samples of a light's sensor, the first at `t`.",
        &[
            ("integration_ns", count, "How long the light was integrated for each."),
            ("samples", samples, "Nanoseconds since `t`, and the counts of red, green, blue and clear."),
            LED,
        ],
    ),
    (
        "sensor",
        "How the counts of a light's sensor are taken for light.",
        &[
            (
                "dark",
                numbers,
                "Of red, green and blue with the light off, in thousandths of a count per step of 2.4 ms.",
            ),
            ("noise", count, "The deviation of their sum, in thousandths of a count per step."),
            ("correction", rows, "Each row makes one corrected channel out of the three, in millionths."),
            LED,
        ],
    ),
    (
        "rail_course",
        "What a simulated world knows of the rail: between two points it runs straight.",
        &[("points", rows, "Nanoseconds since `t`, and microvolts.")],
    ),
    (
        "flash",
        "What a simulated world knows of flash operations, the first at `t`.",
        &[(
            "operations",
            operations,
            "Nanoseconds since `t` from its beginning to its end, what it was, where (null: everywhere), and how much of it was done, in parts per million.",
        )],
    ),
    ("cloud", "The cloud saw or did something.", &[EVENT]),
    (
        "identity",
        "The board's identity was changed by order of the scenario.",
        &[
            EVENT,
            ("old", text_or_null, "Fingerprint of what the cloud accepted before."),
            ("new", text, "And of what it accepts now."),
        ],
    ),
    ("usb", "The board came to USB, or left it.", &[("board", presence, "Who answers.")]),
    (
        "edge",
        "A line of the board changed its level.",
        &[("line", text, "Its name in the board profile."), ("edge", edge, "In which direction.")],
    ),
    ("instrument_failed", "An instrument failed by itself.", &[("error", text, "How.")]),
    (
        "progress",
        "A request that is carried out piece by piece came so far.",
        &[
            ID,
            ("done_bytes", count, "So many bytes have been written at least."),
            ("uncertainty_bytes", count, "Up to so many more may have been."),
            ("total_bytes", count, "So many there are."),
        ],
    ),
    ("triggered", "The cause that a fault waited for was seen.", &[STEP]),
    (
        "rail",
        "A reading of the supply.",
        &[("uv", number, "The rail's voltage in microvolts."), ("ua", number, "The current in microamperes.")],
    ),
    (
        "verdict",
        "The trial came to its end.",
        &[
            ("verdict", verdict, "Which."),
            ("blame", text_or_null, "Who has to act; null for `passed`."),
            ("reason", text, "In one sentence."),
        ],
    ),
];

const STEP: Field = ("step", count, "Which step, counted from 1.");
const ID: Field = ("id", count, "The number of the request; its answer has the same.");
const EVENT: Field = ("event", text, "What, in words.");
const LED: Field = ("led?", count, "Which of the board's lights, counted from 0; left out for the first.");

/// The schema of one line.
pub fn schema() -> Value {
    let lines: Vec<Value> = KINDS.iter().map(|(kind, about, fields)| line(kind, about, fields)).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of a Brickproof timeline",
        "description": "Everything done and seen in a trial, in the order of its clock: `t` never falls.",
        "oneOf": lines,
    })
}

fn line(kind: &str, about: &str, fields: &[Field]) -> Value {
    let mut properties = Map::new();
    properties.insert("t".to_owned(), described(count(), "Nanoseconds since the trial began."));
    properties
        .insert("u".to_owned(), described(count(), "The true instant is no further from it; left out if it is exact."));
    properties.insert("kind".to_owned(), json!({ "const": kind }));
    let mut required = vec!["t", "kind"];
    for (name, shape, about) in fields {
        let known = name.trim_end_matches('?');
        if known == *name {
            required.push(known);
        }
        properties.insert(known.to_owned(), described(shape(), about));
    }
    json!({ "type": "object", "description": about, "properties": properties, "required": required })
}

fn described(mut shape: Value, about: &str) -> Value {
    shape["description"] = about.into();
    shape
}

fn anything() -> Value {
    json!({})
}

fn object() -> Value {
    json!({ "type": "object" })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn text_or_null() -> Value {
    json!({ "type": ["string", "null"] })
}

fn count() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

fn number() -> Value {
    json!({ "type": "integer" })
}

fn command() -> Value {
    json!({ "anyOf": [{ "type": "string" }, { "type": "object", "required": ["inject", "asked"] }] })
}

fn samples() -> Value {
    let row = json!({ "type": "array", "items": { "type": "integer", "minimum": 0 }, "minItems": 5, "maxItems": 5 });
    json!({ "type": "array", "items": row, "minItems": 1, "maxItems": super::ENTRIES_A_LINE })
}

fn drives() -> Value {
    let row = json!({ "type": "array", "prefixItems": [text(), count(), count()], "minItems": 3, "maxItems": 3 });
    json!({ "type": "array", "items": row, "minItems": 1 })
}

fn numbers() -> Value {
    json!({ "type": "array", "items": number() })
}

fn rows() -> Value {
    json!({ "type": "array", "items": numbers() })
}

fn operations() -> Value {
    let kind = json!({ "enum": ["program", "erase", "erase_all"] });
    let place = json!({ "type": ["integer", "null"], "minimum": 0 });
    let row = json!({ "type": "array", "prefixItems": [count(), count(), kind, place, count()], "minItems": 5, "maxItems": 5 });
    json!({ "type": "array", "items": row, "minItems": 1, "maxItems": super::ENTRIES_A_LINE })
}

fn presence() -> Value {
    json!({ "enum": ["normal", "dfu", "gone"] })
}

fn edge() -> Value {
    json!({ "enum": ["rising", "falling"] })
}

fn verdict() -> Value {
    json!({ "enum": ["passed", "failed", "error", "inconclusive"] })
}
