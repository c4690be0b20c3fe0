//! `diagnose` looks at the station whose board lives on the host: a healthy board that reaches nobody, because the rig's own cloud is there in a run
//! alone. Its network is to blame, and no key.

use libtest_mimic::Trial;
use serde_json::Value;

use super::bench::{BENCH, DEVICES, Fed, device_id, is_dark, run, write_bench};
use super::trial;
use crate::far_side::{FarSide, Station};
use crate::{Mishap, note, same};

/// Longer than the board takes from its start until it has found out that nobody answers: 16 s on its own clock.
const LOOKS_FOR: &str = "45s";

pub(super) fn all() -> Vec<Trial> {
    vec![trial("diagnosing::a_board_that_reaches_nobody_has_no_key_fault", nobody_answers)]
}

fn nobody_answers() -> Result<(), Mishap> {
    let mut far = FarSide::plug(Station::Nrf51, &DEVICES)?;
    write_bench(Fed::ByLoadSwitch, &device_id()?)?;
    let healthy = run(&["run", "/scenarios/healthy.yaml", "--bench", BENCH])?;
    healthy.note();
    healthy.ended_with(0)?;
    is_dark(&mut far)?;
    let told = run(&["diagnose", "--bench", BENCH, "--for", LOOKS_FOR, "--format", "json"])?;
    told.ended_with(0)?;
    told.says("nobody plays the board's cloud")?;
    is_dark(&mut far)?;
    let diagnosis: Value = serde_json::from_str(told.out.trim())?;
    let ranking = diagnosis["ranking"].as_array().ok_or("nothing is ranked")?;
    for ranked in ranking.iter().take(3) {
        note(&format!("{} {}", ranked["causes"], ranked["share"]));
    }
    let first = ranking.first().map(|ranked| ranked["causes"].to_string());
    same("the first cause", first.as_deref(), Some(r#"["network_blocked"]"#))
}
