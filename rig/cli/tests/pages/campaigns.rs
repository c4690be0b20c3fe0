//! Reports of campaigns.

use std::fs;

use serde_json::json;

use crate::made::{brickproof, look_at, page};

#[test]
fn a_sweep_is_a_survival_map_above_the_table_of_its_trials() {
    let arguments = [
        "sweep",
        "scenarios/battery-death/brown-out.yaml",
        "--set",
        "geometry=nrf51",
        "--firmware",
        "lantern-no-heal",
        "--vary",
        "fault.after=0ms..60ms/31",
        "--vary",
        "fault.floor=1V..2V/6",
    ];
    let (folder, page) = page(&arguments, 0);
    let before = fs::read(&page).expect("it was written");
    let output = brickproof(&["report", &folder.path().to_string_lossy()]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(fs::read(&page).expect("it was written") == before, "the page is made of what is kept");
    look_at("survival-map", &page, |browser, _| {
        assert!(browser.text(".world").starts_with("virtual world"), "{}", browser.text(".world"));
        let points = "[...document.querySelectorAll('.drawing svg title')].filter(it => it.textContent.startsWith('fault.after')).length";
        assert_eq!(browser.run(&format!("return {points}"), &[]), json!(31 * 6));
        let first = browser.text(".trial .word");
        assert!(["locked out", "silent", "misbehaved"].contains(&first.as_str()), "failures come first: {first}");
        browser.click(".trial summary");
        browser
            .until("document.querySelector('.trial[open] code')?.innerText.startsWith('brickproof replay brown-out')");
        assert!(
            browser.text(".trial[open] code").contains(" --set fault.after="),
            "{}",
            browser.text(".trial[open] code")
        );
        browser.click("#filters [data-verdict='survived']");
        browser.until("![...document.querySelectorAll('.trial .word')].some(it => it.innerText === 'survived')");
        assert_eq!(browser.run("return document.querySelectorAll('.trial').length > 0", &[]), json!(true));
    });
}
