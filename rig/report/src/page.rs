//! Pages for people: the report of a run or of a campaign as one HTML file that needs nothing but a browser.
//!
//! Boundary: text out of results and of what was kept. A page asks no network for anything, which its policy also forbids it; whatever a board
//! said stands in it as text. Without scripts the answer, the first trials and the evidence of the first failures can be read; the pictures and
//! the rest of the trials are drawn by the page's own script. Pictures are packed while there is room for them, those of failures first; a page says
//! which it lacks and what draws them.

mod campaign;
mod frame;
mod grid;
mod line;
mod packed;
mod picture;
mod run;
mod strip;

pub use campaign::{Campaign, CampaignTrial, campaign};
pub use run::{html, html_of_one};

/// Each file names what the files after it may use of it; what else is in it is its own.
const SCRIPT: &str = concat!(
    "'use strict';\n{\n",
    include_str!("page/script/elements.js"),
    include_str!("page/script/quantities.js"),
    include_str!("page/script/words.js"),
    include_str!("page/script/trace.js"),
    include_str!("page/script/drawing.js"),
    include_str!("page/script/scope.js"),
    include_str!("page/script/trial.js"),
    include_str!("page/script/list.js"),
    include_str!("page/script/start.js"),
    "}\n",
);
const STYLE: &str = include_str!("page/page.css");
