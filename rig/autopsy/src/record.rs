//! The report for programs: `autopsy.json`.
//!
//! Boundary: fields are added, never renamed. No key byte is in it.

use serde_json::{Value, json};

use crate::findings::{AreaFinding, Findings, RegisterFinding, SlotFinding, Stray};

/// What the record is called, with its version.
pub const SCHEMA: &str = "brickproof/autopsy/1";

/// The findings as JSON.
pub fn as_json(findings: &Findings) -> Value {
    let Findings { board, how, identity, flash_sha256, firmware, registers, areas, strays, moved } = findings;
    json!({
        "schema": SCHEMA,
        "board": board,
        "board_serial": identity,
        "how": how,
        "flash": firmware.as_ref().map(|_| json!({ "sha256": flash_sha256, "changed_while_read": moved.map(address) })),
        "firmware": firmware.as_ref().map(|firmware| json!({
            "name": firmware.name,
            "length": firmware.length,
            "sha256": firmware.sha256,
            "something_else_from": firmware.beyond.map(address),
        })),
        "registers": registers.iter().map(register).collect::<Vec<_>>(),
        "areas": areas.iter().map(area).collect::<Vec<_>>(),
        "keys_elsewhere": strays.iter().map(stray).collect::<Vec<_>>(),
    })
}

fn address(address: u32) -> String {
    format!("{address:#010x}")
}

fn register(register: &RegisterFinding) -> Value {
    json!({ "name": register.name, "value": register.value.map(address), "says": register.says, "source": register.source })
}

fn area(area: &AreaFinding) -> Value {
    json!({
        "at": area.address.map(address),
        "counts": area.counts,
        "blank": area.blank,
        "copy": area.copy.map(|copy| copy.to_string()),
        "slots": area.slots.iter().map(slot).collect::<Vec<_>>(),
    })
}

fn slot(slot: &SlotFinding) -> Value {
    json!({
        "slot": slot.slot.name(),
        "class": slot.state.class(),
        "words": slot.state.to_string(),
        "fingerprint": slot.fingerprint.to_string(),
    })
}

fn stray(stray: &Stray) -> Value {
    json!({ "at": address(stray.address), "slot": stray.slot.name(), "class": stray.state.class(), "words": stray.state.to_string() })
}
