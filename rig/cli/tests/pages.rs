//! The pages that the real command writes, looked at in a real browser: on a phone and at a desk, in light, in dark and on paper.
//!
//! Where there is no Chromium, nothing is checked and that is said loudly; with `BRICKPROOF_REQUIRE_ORACLES=1`, as in the gate, that is a failure.
//! What was seen is under `target/screenshots/`.

#[path = "pages/campaigns.rs"]
mod campaigns;
#[path = "pages/made.rs"]
mod made;
#[path = "pages/runs.rs"]
mod runs;
