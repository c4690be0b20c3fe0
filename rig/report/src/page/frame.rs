//! What every page has around it: policy, style, script, and packed data between them.
//!
//! Boundary: HTML around HTML.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use super::{SCRIPT, STYLE};

/// Data for the script, packed, under the name by which it asks for it.
pub(super) struct Block {
    pub(super) name: String,
    pub(super) packed: String,
}

/// A page.
pub(super) fn page(title: &str, body: &Markup, blocks: &[Block]) -> String {
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{}'; img-src data:; base-uri 'none'; form-action 'none'",
        STANDARD.encode(Sha256::digest(SCRIPT.as_bytes()))
    );
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { (title) }
                // Browsers ask for one by themselves otherwise.
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
            body {
                (body)
                @for block in blocks {
                    script type="application/octet-stream" id=(block.name) { (PreEscaped(&block.packed)) }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

/// The name of a world, and in small what that means.
pub(super) fn world(name: &str) -> Markup {
    let meaning = match name {
        "virtual" => {
            "emulated boards that execute the firmware's machine code; what the model does, not what silicon does"
        }
        "lane" => "real drivers on simulated hardware; no silicon was asked",
        _ => "real boards",
    };
    html! { p.world { span.badge { (name) " world" } " " (meaning) } }
}

/// The last line of every page.
pub(super) fn foot(version: &str) -> Markup {
    html! {
        footer {
            p { "Brickproof " (version) ". One file, no network: keep it, mail it, print it." }
        }
    }
}
