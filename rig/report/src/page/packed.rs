//! Data inside a page: JSON, deflated, in base64. Nothing of it can end the tag that it stands in, and a browser unpacks it by itself.
//!
//! Boundary: values in, text out.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde::Serialize;

/// A value as the page's script unpacks it.
pub(super) fn packed(value: &impl Serialize) -> String {
    // What is packed here are plain structures with names for keys, and memory takes whatever is written to it.
    let json = serde_json::to_vec(value).unwrap_or_default();
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    let deflated = encoder.write_all(&json).and_then(|()| encoder.finish()).unwrap_or_default();
    STANDARD.encode(deflated)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked_and_stays_inside_its_tag(lines in prop::collection::vec(".*", 0..20)) {
            let text = packed(&lines);
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte)));
            let deflated = STANDARD.decode(&text).unwrap();
            let mut json = String::new();
            flate2::read::ZlibDecoder::new(&deflated[..]).read_to_string(&mut json).unwrap();
            prop_assert_eq!(serde_json::from_str::<Vec<String>>(&json).unwrap(), lines);
        }
    }
}
