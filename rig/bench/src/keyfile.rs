//! A file with the keys of a board: what `brickproof keys save` writes, and what is kept of a board before its keys are changed.
//!
//! Boundary: the format. It holds a private key, so whoever writes it makes it readable for its owner alone.
//!
//! JSON: `schema` (`brickproof/keys/1`), `board` (the name of its profile) and `slots`, a mapping from the three names of slots to `algorithm`
//! (`p256` or `rsa`), `length` (of the whole slot, in bytes), `fingerprint` (16 hexadecimal digits, over the whole slot) and `bytes` (lower-case
//! hexadecimal; what they do not fill of the slot is `ff`).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use brickproof_keys::{Algorithm, Fingerprint, KeySet, Slot, SlotContent, SlotShape};
use serde::{Deserialize, Serialize};

const SCHEMA: &str = "brickproof/keys/1";

/// Why a file holds no keys.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// It is no JSON of this form.
    #[error("it is no file of keys: line {line}, column {column} is not what stands there in one")]
    Form {
        /// The line, counted from 1.
        line: usize,
        /// The column, counted from 1.
        column: usize,
    },
    /// It is of another version.
    #[error("its schema is {0:?}, and {SCHEMA:?} is read")]
    Schema(String),
    /// Something in a slot.
    #[error("slot {slot}: {why}")]
    Slot {
        /// Which.
        slot: String,
        /// What is wrong with it.
        why: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    schema: String,
    board: String,
    slots: BTreeMap<String, WrittenSlot>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSlot {
    algorithm: String,
    length: usize,
    fingerprint: String,
    bytes: String,
}

/// The text of a file with the keys of a board of that kind. It holds the private key.
pub fn write(board: &str, keys: &KeySet) -> String {
    let slots = keys.contents().iter().map(|content| {
        let SlotShape { slot, algorithm, length } = content.shape();
        let bytes = content.expose_used().iter().fold(String::new(), |mut text, byte| {
            // Writing to a `String` cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        });
        let fingerprint = content.fingerprint().to_string();
        (slot.name().to_owned(), WrittenSlot { algorithm: algorithm.name().to_owned(), length, fingerprint, bytes })
    });
    let written = Written { schema: SCHEMA.to_owned(), board: board.to_owned(), slots: slots.collect() };
    let mut text = serde_json::to_string_pretty(&written).unwrap_or_default();
    text.push('\n');
    text
}

/// The name of the board's profile, and its keys.
///
/// # Errors
/// What is wrong with the text. Never with any of its bytes.
pub fn read(text: &str) -> Result<(String, KeySet), KeyFileError> {
    // What the parser says of a text may quote it, and a key with it.
    let place = |error: serde_json::Error| KeyFileError::Form { line: error.line(), column: error.column() };
    let written: Written = serde_json::from_str(text).map_err(place)?;
    if written.schema != SCHEMA {
        return Err(KeyFileError::Schema(written.schema.chars().take(40).collect()));
    }
    let slot = |slot: Slot| {
        let wrong = |why: String| KeyFileError::Slot { slot: slot.name().to_owned(), why };
        let found = written.slots.get(slot.name()).ok_or_else(|| wrong("it is missing".to_owned()))?;
        let algorithm =
            Algorithm::from_name(&found.algorithm).ok_or_else(|| wrong("its algorithm is unknown".to_owned()))?;
        // No slot is longer than a page of memory.
        let length = Some(found.length).filter(|length| *length <= 4096);
        let length = length.ok_or_else(|| wrong(format!("{} bytes are too many", found.length)))?;
        let bytes = hexadecimal(&found.bytes).ok_or_else(|| wrong("its bytes are not hexadecimal".to_owned()))?;
        let content = SlotContent::shaped(SlotShape { slot, algorithm, length }, &bytes);
        let content = content.map_err(|error| wrong(error.to_string()))?;
        if Fingerprint::from_hex(found.fingerprint.as_bytes()) != Some(content.fingerprint()) {
            return Err(wrong(format!(
                "its bytes have the fingerprint {}, and another is written",
                content.fingerprint()
            )));
        }
        Ok(content)
    };
    let [device, server, address] = Slot::ALL.map(slot);
    let keys = KeySet::new(device?, server?, address?);
    let wrong = |error: brickproof_keys::WrongSlot| KeyFileError::Slot { slot: String::new(), why: error.to_string() };
    Ok((written.board, keys.map_err(wrong)?))
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16).filter(|_| !digit.is_ascii_uppercase());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let byte = |[high, low]: &[u8; 2]| Some((digit(*high)? << 4 | digit(*low)?) as u8);
    if rest.is_empty() { pairs.iter().map(byte).collect() } else { None }
}

#[cfg(test)]
mod tests {
    use brickproof_firmware::PUBLISHED;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let text = write("lantern-nrf51", &PUBLISHED.set);
        assert_eq!(read(&text).unwrap(), ("lantern-nrf51".to_owned(), PUBLISHED.set.clone()));
    }

    #[test]
    fn what_is_no_file_of_keys_is_refused_without_a_word_of_its_bytes() {
        let text = write("lantern-nrf51", &PUBLISHED.set);
        let said = |changed: String| read(&changed).unwrap_err().to_string();
        insta::assert_snapshot!([
            said(text.replace("keys/1", "keys/2")),
            said(text.replace("1da0e8329da0beb6", "1da0e8329da0beb7")),
            said(text.replace("\"bytes\": \"3077", "\"bytes\": \"307")),
            said(text.replace("p256", "p257")),
            said(text.replace("\"length\": 128", "\"length\": 12")),
            said(text.replace("\"length\": 128", "\"length\": 128000")),
            said(text.replace("server_address", "server_addres")),
            said("{".to_owned()),
        ].join("\n"), @r#"
        its schema is "brickproof/keys/2", and "brickproof/keys/1" is read
        slot device_private: its bytes have the fingerprint 1da0e8329da0beb6, and another is written
        slot device_private: its bytes are not hexadecimal
        slot device_private: its algorithm is unknown
        slot server_address: 68 bytes do not fit into slot server_address of 12 bytes
        slot server_address: 128000 bytes are too many
        slot server_address: it is missing
        it is no file of keys: line 1, column 1 is not what stands there in one
        "#);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,300}") {
            let _ = read(&text);
        }
    }
}
