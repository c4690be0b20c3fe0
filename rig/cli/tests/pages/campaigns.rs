//! Reports of campaigns.

use std::fs;

use brickproof_browser::Browser;
use serde_json::json;

use crate::made::{brickproof, look_at, page};

/// A letter that is smaller is none on a phone.
const SMALLEST: f64 = 11.0;

/// One picture is seen, whole: its letters are large enough and stand out, and no word of it is cut off or lies on another.
fn is_legible(browser: &Browser) {
    let trouble = browser.run(include_str!("legible.js"), &[json!(SMALLEST)]);
    assert_eq!(trouble, json!([]));
}

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
        is_legible(browser);
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

#[test]
fn a_search_shows_its_windows_above_every_trial_at_its_instant() {
    let (_folder, page) = page(&["campaign", "scenarios/campaigns/which-instants.yaml"], 0);
    look_at("windows", &page, |browser, _| {
        is_legible(browser);
        assert_eq!(browser.text("h1"), "At which instants after it says so does a torn key update lock no-heal out?");
        let window = browser.run("return [...document.querySelectorAll('.drawing text')].find(it => it.checkVisibility() && /^\\d.* to \\d/.test(it.textContent))?.textContent", &[]);
        let window = window.as_str().expect("its window is named");
        assert!(browser.text(".told").contains(window.split(" to ").next().expect("it opens")), "{window}");
        assert_eq!(browser.text(".trial .word"), "locked out", "failures come first");
    });
}

#[test]
fn a_proof_shows_how_the_failures_of_both_firmwares_grew() {
    let (_folder, page) = page(&["campaign", "scenarios/campaigns/is-it-fixed.yaml"], 0);
    look_at("proof", &page, |browser, _| {
        is_legible(browser);
        let conclusion = browser.text(".conclusion");
        assert!(conclusion.starts_with("FIXED: the candidate fails less often"), "{conclusion}");
        browser.run("const it = document.querySelector('select[data-axis=firmware]'); it.value = 'candidate'; it.dispatchEvent(new Event('change'))", &[]);
        browser.until("document.querySelector('#filters .shown').innerText.includes(' of ')");
        let words = "[...new Set([...document.querySelectorAll('.trial .word')].map(it => it.innerText))].join(' ')";
        assert_eq!(browser.run(&format!("return {words}"), &[]), json!("survived"));
    });
}

#[test]
fn a_soak_shows_its_failures_its_halves_and_what_they_cost_the_flash() {
    let soak = [
        "soak",
        "scenarios/battery-death/brown-out.yaml",
        "--set",
        "geometry=nrf51",
        "--firmware",
        "lantern-no-heal",
        "--cycles",
        "40",
        "--boards",
        "2",
        "--endurance",
        "1000",
    ];
    let (_folder, page) = page(&soak, 1);
    look_at("soak", &page, |browser, _| {
        is_legible(browser);
        let said = "[...document.querySelectorAll('.drawing')].find(it => it.clientWidth).textContent";
        let said = browser.run(&format!("return {said}"), &[]);
        for wanted in ["first half:", "second half:", "it may see 1000", "cycles"] {
            assert!(said.as_str().is_some_and(|said| said.contains(wanted)), "{wanted} in {said}");
        }
        assert_eq!(browser.text("h1"), "Does lantern-no-heal last in scenarios/battery-death/brown-out.yaml?");
        assert!(browser.text(".conclusion").starts_with("40 of 40 failed"), "{}", browser.text(".conclusion"));
        assert_eq!(browser.count(".trial"), 40);
    });
}
