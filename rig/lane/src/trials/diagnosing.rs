//! `diagnose` looks at the station whose board lives on the host: a healthy board whose cloud says nothing, and one whose server key is torn.
//! The network is to blame for the first, and for the second its key.

use libtest_mimic::Trial;
use serde_json::Value;

use super::bench::{BENCH, DEVICES, Fed, device_id, is_dark, run, write_bench};
use super::trial;
use crate::far_side::{FarSide, Station};
use crate::{Mishap, note, same};

/// Longer than the board takes from its start until it gives up a handshake that nobody answers, and begins another.
const LOOKS_FOR: &str = "100s";

pub(super) fn all() -> Vec<Trial> {
    vec![
        trial("diagnosing::a_board_that_nobody_answers_has_no_key_fault", nobody_answers),
        trial("diagnosing::a_torn_server_key_is_told_from_the_network", server_key_is_torn),
    ]
}

fn nobody_answers() -> Result<(), Mishap> {
    found_after("/scenarios/healthy.yaml", "silent", r#"["network_blocked"]"#)
}

fn server_key_is_torn() -> Result<(), Mishap> {
    found_after("/scenarios/bad-server-key.yaml", "genuine", r#"["server_key"]"#)
}

/// What is found first on the board that a scenario leaves, while its cloud behaves so.
fn found_after(scenario: &str, cloud: &str, wanted: &str) -> Result<(), Mishap> {
    let mut far = FarSide::plug(Station::Nrf51, &DEVICES)?;
    write_bench(Fed::ByLoadSwitch, &device_id()?)?;
    let left = run(&["run", scenario, "--bench", BENCH])?;
    left.note();
    left.ended_with(0)?;
    is_dark(&mut far)?;
    let told = run(&["diagnose", "--bench", BENCH, "--for", LOOKS_FOR, "--cloud", cloud, "--format", "json"])?;
    told.ended_with(0)?;
    told.says("the rig plays the board's cloud")?;
    is_dark(&mut far)?;
    let diagnosis: Value = serde_json::from_str(told.out.trim())?;
    let ranking = diagnosis["ranking"].as_array().ok_or("nothing is ranked")?;
    for ranked in ranking.iter().take(3) {
        note(&format!("{} {} for {} against {}", ranked["causes"], ranked["share"], ranked["for"], ranked["against"]));
    }
    let first = ranking.first().map(|ranked| ranked["causes"].to_string());
    same("the first cause", first.as_deref(), Some(wanted))
}
