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

/// What was asked, in which world, and where to look further.
const SCRIPT: &str = include_str!("page/page.js");
const STYLE: &str = include_str!("page/page.css");
