//! How large pages grow, how soon they open, and whether a long trial can be moved without stalling:
//! `cargo run --release -p brickproof-report --example page-scale`. It needs Chromium.
//!
//! Boundary: made-up trials, as many as are asked for (`BRICKPROOF_PAGE_TRIALS`, 10,000 if not given), in the real page and a real browser.

#![expect(clippy::print_stdout, reason = "it is an example: printing is its purpose")]

use std::fmt::Write as _;
use std::path::Path;

use brickproof_browser::{Browser, Scheme, Screen};
use brickproof_report::page::{self, Campaign, CampaignTrial};
use brickproof_report::results::{Results, TrialResult, World};
use serde_json::{Value, json};

/// A page is opened so often.
const OPENED: usize = 10;
/// A picture is moved for so many frames.
const FRAMES: u64 = 600;
const SECONDS: u64 = 300;
const A_SECOND: u64 = 200;

fn main() {
    let trials = std::env::var("BRICKPROOF_PAGE_TRIALS").ok().and_then(|it| it.parse().ok()).unwrap_or(10_000);
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let Some(browser) = Browser::start(Screen::Desk, Scheme::Light) else { return };
    let write = |name: &str, html: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, html).expect("there is room for a page");
        path
    };
    opens(
        &browser,
        &format!("campaign of {trials} trials"),
        &write("campaign.html", page::campaign(&campaign(trials))),
    );
    let run = Results::new(World::Virtual, (0..trials).map(|number| trial(number, 13_000_000_000)).collect());
    opens(&browser, &format!("run of {trials} trials"), &write("run.html", page::html(&run, |_| Some(timeline(13)))));
    let long = Results::new(World::Virtual, vec![trial(0, SECONDS * 1_000_000_000)]);
    let path = write("long.html", page::html(&long, |_| Some(timeline(SECONDS))));
    opens(&browser, &format!("trial of {SECONDS} s at {A_SECOND} samples a second"), &path);
    moves(&browser);
}

fn opens(browser: &Browser, name: &str, path: &Path) {
    let mut took: Vec<f64> = (0..OPENED)
        .map(|_| {
            browser.open_file(path);
            browser.until("document.documentElement.dataset.ready");
            browser.run("return Number(document.documentElement.dataset.ready)", &[]).as_f64().unwrap_or(f64::NAN)
        })
        .collect();
    took.sort_by(f64::total_cmp);
    let size = std::fs::metadata(path).map_or(0, |it| it.len()) as f64 / 1e6;
    println!(
        "{name}: {size:.2} MB; opens in {:.0} ms (median of {OPENED}; {:.0} to {:.0} ms)",
        took[OPENED / 2],
        took[0],
        took[OPENED - 1]
    );
}

/// Zooms and moves the picture in every frame.
fn moves(browser: &Browser) {
    browser.until("document.querySelector('.scope')?.scope");
    let script = "const [frames] = arguments, scope = document.querySelector('.scope').scope, times = [], drawn = [];
         let before = await new Promise(requestAnimationFrame);
         for (let n = 0; n < frames; n++) {
             const length = scope.end * (0.02 + 0.98 * (1 + Math.cos(n / 40)) / 2), from = (scope.end - length) * (1 + Math.sin(n / 25)) / 2;
             scope.show(from, from + length);
             const now = await new Promise(requestAnimationFrame);
             times.push(now - before);
             drawn.push(scope.took);
             before = now;
         }
         return [times, drawn]";
    let told = browser.run_to_its_end(script, &[json!(FRAMES)]);
    for (name, times) in [("between frames", &told[0]), ("to draw one", &told[1])] {
        let mut times: Vec<f64> = times.as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
        times.sort_by(f64::total_cmp);
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
        println!(
            "  {} frames while zooming and moving, {name}: median {:.1} ms, p99 {:.1} ms, worst {:.1} ms",
            times.len(),
            at(0.5),
            at(0.99),
            at(1.0)
        );
    }
}

fn campaign(trials: u64) -> Campaign {
    let outcome = |number: u64| if number.is_multiple_of(3) { "locked out" } else { "survived" };
    let trial = |number: u64| CampaignTrial {
        number,
        arm: "only".to_owned(),
        board: "virtual".to_owned(),
        settings: vec![
            ("fault.after".to_owned(), format!("{}us", number * 6)),
            ("fault.floor".to_owned(), format!("{}mV", 1_000 + number % 10 * 100)),
        ],
        outcome: outcome(number).to_owned(),
        struck_after_ns: Some(number * 6_000 + number % 977),
        told: number.is_multiple_of(2),
        id: format!(
            "brown-out.nrf51.lantern-no-heal.{}-{:08x}",
            (number + 1) << 32 | 1,
            number.wrapping_mul(2_654_435_761) & 0xffff_ffff
        ),
    };
    let mut picture = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 910 168\"><rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>".to_owned();
    for number in 0..trials {
        let x = 90.0 + number as f64 / trials as f64 * 780.0;
        let fill = if outcome(number) == "survived" { "#a9dcb6" } else { "#c0392b" };
        let _ = write!(
            picture,
            "<rect x=\"{x:.2}\" y=\"58.00\" width=\"1.50\" height=\"60.00\" fill=\"{fill}\"><title>fault.after {}us</title></rect>",
            number * 6
        );
    }
    picture.push_str("</svg>");
    Campaign {
        title: "At which instants does it fail?".to_owned(),
        world: "virtual".to_owned(),
        kind: "sweep".to_owned(),
        conclusion: "looked".to_owned(),
        text: "made up".to_owned(),
        narrow_picture: Some(picture.clone()),
        picture: Some(picture),
        trials: (0..trials).map(trial).collect(),
    }
}

fn trial(number: u64, duration_ns: u64) -> TrialResult {
    let (failed, release) = (number.is_multiple_of(10), if number.is_multiple_of(2) { "no-heal" } else { "heal-full" });
    let step = |index: u64, text: &str, from: u64, to: u64| json!({ "index": index, "line": 10 + index, "text": text, "verdict": "passed", "start_ns": from, "end_ns": to });
    let told = json!({
        "id": format!("made-up.nrf51.no-heal.{number}-{:08x}", number.wrapping_mul(2_654_435_761) & 0xffff_ffff),
        "scenario": { "path": "made-up.yaml", "sha256": "00", "title": "Made up" },
        "parameters": { "geometry": "nrf51", "release": release },
        "board": "lantern-nrf51", "board_serial": null, "station": "virtual",
        "firmware": { "name": "lantern-no-heal", "sha256": "00000000000000000000" },
        "seed": number, "attempt": 1, "expected": "passed",
        "verdict": if failed { "failed" } else { "passed" },
        "blame": if failed { json!("firmware") } else { Value::Null },
        "reason": if failed { format!("the light did not come to `cloud_connected` within 60s, in trial {number}") } else { String::new() },
        "evidence": [], "light": [], "duration_ns": duration_ns, "wall_ns": 0, "measurements": [],
        "faults": [{ "kind": "power_cut", "trigger": { "step": 2, "seen_ns": 2_000_000_000_u64 }, "asked": { "at_ns": 2_012_400_000_u64, "hold_ns": 200_000_000 },
            "achieved": { "began_ns": 2_012_400_000_u64, "lowest_uv": 1_200_000, "below_brown_out_ns": 200_000_000 } }],
        "steps": [step(1, "supply 5V over USB", 0, 0), step(2, "expect the light to be cloud_connected within 30s", 0, 4_000_000_000), step(3, "wait", 4_000_000_000, duration_ns)],
        "replay": format!("brickproof replay made-up.{number}"),
    });
    serde_json::from_value(told).expect("it has the fields of a result")
}

/// A light that breathes and trembles, a supply that is never still, a console with a word now and then.
fn timeline(seconds: u64) -> String {
    let mut text = String::new();
    let (mut noise, samples) = (1_u64, seconds * A_SECOND);
    let period = 1_000_000_000 / A_SECOND;
    for first in (0..samples).step_by(64) {
        let rows: Vec<Value> = (first..(first + 64).min(samples))
            .map(|n| {
                noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let breath = (n % (4 * A_SECOND)).abs_diff(2 * A_SECOND) * 2 + noise % 23 / (1 + n % 7);
                json!([(n - first) * period, noise >> 40 & 3, breath, breath, breath * 2])
            })
            .collect();
        let at = first * period;
        let _ = writeln!(
            text,
            "{}",
            json!({ "t": at, "kind": "light_samples", "integration_ns": 2_400_000, "samples": rows })
        );
        let points: Vec<Value> =
            (0..64_u64).map(|n| json!([n * period, 3_300_000 - (n * 37 + first) % 90 * 1_000])).collect();
        let _ = writeln!(text, "{}", json!({ "t": at, "kind": "rail_course", "points": points }));
        let _ = writeln!(
            text,
            "{}",
            json!({ "t": at, "kind": "console", "line": first, "text": format!("{:010} [app] INFO: line {first}", at / 1_000_000), "log": { "level": "INFO" } })
        );
    }
    text
}
