//! Reports of runs.

use std::fs;
use std::path::Path;

use brickproof_browser::{Browser, Scheme, Screen};
use serde_json::{Value, json};

use crate::made::{brickproof, look_at, open, page, settle};

const BROWN_OUT: &str = "scenarios/battery-death/brown-out.yaml";
const CANVAS: &str = ".trial[open] canvas";

/// Which part of the trial the first picture shows, in nanoseconds.
fn view(browser: &Browser) -> (f64, f64) {
    let script = "return document.querySelector(arguments[0]).dataset.view.split(' ').map(Number)";
    let view = browser.run(script, &[json!(CANVAS)]);
    let end = |index: usize| view[index].as_f64().expect("a number");
    (end(0), end(1))
}

fn length((from, to): (f64, f64)) -> f64 {
    to - from
}

/// What came of something that was done to the first picture.
fn after(browser: &Browser, done: impl FnOnce()) -> (f64, f64) {
    let before = browser.run("return document.querySelector(arguments[0]).dataset.view", &[json!(CANVAS)]);
    done();
    browser.until(&format!("document.querySelector('{CANVAS}').dataset.view !== {before}"));
    settle(browser);
    view(browser)
}

#[test]
fn a_failed_battery_death_shows_what_failed_whose_fault_it_is_and_when() {
    let arguments = ["run", BROWN_OUT, "--firmware", "lantern-no-heal", "--set", "geometry=nrf51"];
    let (_folder, page) = page(&arguments, 1);
    look_at("battery-death-failed", &page, |browser, screen| {
        assert_eq!(browser.text("h1"), "The trial failed");
        assert!(browser.text(".world").starts_with("virtual world"), "{}", browser.text(".world"));
        assert_eq!(browser.text(".verdict .whose"), "The firmware is to blame.");
        assert!(browser.text(".verdict").contains("the board does not accept the server's key"));
        assert!(browser.text(".verdict").contains("brown-out.yaml:21: step 5, expect the light to be cloud_connected"));
        let told = browser.text(".columns");
        for wanted in ["at 3.813 s, down to 1.20 V, falling 50 µs per V, for 200 ms", "200.05 ms below brown-out"] {
            assert!(told.contains(wanted), "{told}");
        }
        zoom_and_pan(browser, screen);
        find_a_line(browser);
        copy(browser, "brickproof replay brown-out.nrf51.lantern-no-heal.1-");
    });
}

fn zoom_and_pan(browser: &Browser, screen: Screen) {
    let whole = view(browser);
    let closer = after(browser, || browser.click(".tools button[title='closer']"));
    assert!((length(closer) / length(whole) - 0.5).abs() < 0.01, "{whole:?} {closer:?}");
    let [left, top, width, height] = browser.box_of(CANVAS);
    let (x, y) = (left + width / 2.0, top + height / 2.0);
    if screen == Screen::Desk {
        // The page has just been scrolled; the picture takes the wheel once that is over.
        browser.until("performance.now() - (window.looked ??= performance.now()) > 300");
        let wheeled = after(browser, || browser.wheel((x, y), -100.0));
        assert!(length(wheeled) < length(closer) * 0.9, "{closer:?} {wheeled:?}");
        let dragged = after(browser, || browser.drag((x, y), (x + 100.0, y)));
        let moved = (wheeled.0 - dragged.0) / length(wheeled) * width;
        assert!((moved - 100.0).abs() < 3.0, "{moved} points");
    } else {
        let pinched = after(browser, || {
            browser.touch(&[(x - 40.0, y), (x + 40.0, y)], &[(x - 120.0, y), (x + 120.0, y)]);
        });
        assert!((length(closer) / length(pinched) - 3.0).abs() < 0.4, "{closer:?} {pinched:?}");
        let dragged = after(browser, || browser.touch(&[(x, y)], &[(x + 100.0, y)]));
        assert!(dragged.0 < pinched.0, "{pinched:?} {dragged:?}");
    }
    browser.run("document.querySelector(arguments[0]).focus()", &[json!(CANVAS)]);
    let before = view(browser);
    let moved = after(browser, || browser.press("ArrowRight"));
    assert!((length(moved) - length(before)).abs() < 1e6 && moved.0 > before.0, "{before:?} {moved:?}");
    let all = after(browser, || browser.press("0"));
    assert_eq!(all, whole);
    let fault = after(browser, || browser.click(".tools button[title='the brown-out']"));
    assert!(fault.0 < 3.813e9 && fault.1 > 4.013e9 && length(fault) < 1e9, "{fault:?}");
    browser.screenshot(&format!("battery-death-fault-{}", screen.name()));
}

/// From a line of the console to its place on the axis, and the other way.
fn find_a_line(browser: &Browser) {
    let line =
        "[...document.querySelectorAll('.lines button')].findIndex(it => it.innerText.includes('handshake failed'))";
    let number = browser.run(&format!("return {line}"), &[]).as_u64().expect("it is there");
    let found = after(browser, || browser.click(&format!(".lines [data-line='{number}']")));
    let at = browser.run("return document.querySelector('.scope').scope.consoleAt[arguments[0]]", &[json!(number)]);
    let at = at.as_f64().expect("an instant");
    assert!(found.0 < at && at < found.1, "{at} in {found:?}");
    assert!(browser.text(".readout").contains("handshake failed"), "{}", browser.text(".readout"));
    // Another one, by its mark.
    browser.run("document.querySelector('.lines .on').classList.remove('on')", &[]);
    let script =
        "const scope = document.querySelector('.scope').scope, lane = scope.lanes.find(it => it.name === 'console');
         const n = scope.consoleAt.findLastIndex(at => at < scope.to && at > scope.from);
         return [n, scope.x(scope.consoleAt[n]), lane.top + 8]";
    let mark = browser.run(script, &[]);
    let [left, top, ..] = browser.box_of(CANVAS);
    browser.click_at((left + mark[1].as_f64().expect("x"), top + mark[2].as_f64().expect("y")));
    browser.until("document.querySelectorAll('.lines .on').length === 1");
    let chosen = browser.run("return Number(document.querySelector('.lines .on').dataset.line)", &[]);
    let at = |n: &Value| {
        browser.run("return document.querySelector('.scope').scope.consoleAt[arguments[0]]", std::slice::from_ref(n))
    };
    let apart = (at(&chosen).as_f64().unwrap_or(0.0) - at(&mark[0]).as_f64().unwrap_or(1e18)).abs();
    assert!(apart < length(found) / 50.0, "{chosen} for {mark}");
}

fn copy(browser: &Browser, wanted: &str) {
    browser.run(
        "window.copied = ''; addEventListener('copy', () => { copied = String(getSelection()); });
         navigator.clipboard.writeText = async words => { copied = words; };",
        &[],
    );
    browser.click(".trial[open] .copy");
    let copied = browser.until("copied");
    assert!(copied.as_str().is_some_and(|words| words.starts_with(wanted)), "{copied}");
    assert_eq!(browser.text(".trial[open] .copy"), "Copied");
}

#[test]
fn a_battery_death_that_was_survived_shows_that() {
    let (_folder, page) = page(&["run", BROWN_OUT, "--set", "geometry=nrf51", "--set", "release=heal-full"], 0);
    look_at("battery-death-passed", &page, |browser, _| {
        assert_eq!(browser.text("h1"), "The trial passed");
        assert_eq!(browser.text(".verdict .whose"), "It survived, as the scenario expects.");
        // The world's own knowledge: the cut of the erase, and the floor of the rail.
        let script = "const it = document.querySelector('.scope').scope, began = it.trial.faults[0].achieved.began_ns;
             const struck = [...it.rail.values].filter((_, n) => it.rail.at[n] >= began && it.rail.at[n] < began + 200e6);
             return [it.flash.filter(work => work.ppm < 1e6).length, Math.min(...struck)]";
        let known = browser.run(script, &[]);
        assert_eq!(known[0], json!(1), "one operation was cut");
        assert!(known[1].as_f64().is_some_and(|lowest| (1_150.0..=1_250.0).contains(&lowest)), "{known}");
    });
}

/// Buttons that the rig holds, pins that the board drives.
#[test]
fn lines_have_their_rows_on_the_axis_with_every_edge() {
    let rescue = "scenarios/transitions/rescued-through-its-bootloader.yaml";
    let (_folder, page) = page(&["run", rescue, "--set", "release=heal-full"], 0);
    look_at("lines", &page, |browser, screen| {
        let script = "const it = document.querySelector('.scope').scope;
             return it.levels.map(({ name, pulled, spans, edges }) => [name, pulled, (spans ?? edges).length])";
        let rows = browser.run(script, &[]);
        assert_eq!(rows, json!([["mode", true, 2], ["RESET", true, 3], ["radio", false, 20]]));
        // Each one closely: in it the line is low, and on both sides of it high.
        let script = "const it = document.querySelector('.scope').scope, seen = [];
             const g = new OffscreenCanvas(it.canvas.width, it.canvas.height).getContext('2d', { willReadFrequently: true });
             const line = [1, 3, 5].map(n => parseInt(it.ink.line.slice(n, n + 2), 16));
             const inked = (x, y) => {
                 const [left, top] = [x, y].map(it => it * devicePixelRatio), pixels = g.getImageData(left, top - 2, 1, 5).data;
                 return [0, 1, 2, 3, 4].some(n => line.every((value, channel) => Math.abs(pixels[4 * n + channel] - value) < 60));
             };
             for (const { name, top, height, line } of it.lanes.flatMap(lane => lane.line?.pulled ? { ...lane, name: lane.line.name } : [])) {
                 for (const [from, to] of line.spans) {
                     it.show(from - (to - from), to + (to - from));
                     await new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)));
                     g.clearRect(0, 0, it.canvas.width, it.canvas.height);
                     g.drawImage(it.canvas, 0, 0);
                     const at = [-0.3, 0.53, 1.3].map(share => it.x(from + share * (to - from)));
                     seen.push([name, ...at.map(x => [inked(x, top + 1), inked(x, top + height - 1)])]);
                 }
             }
             return seen";
        let seen = browser.run_to_its_end(script, &[]);
        let (high, low) = (json!([true, false]), json!([false, true]));
        let pulled: Vec<Value> =
            ["mode", "mode", "RESET", "RESET", "RESET"].map(|name| json!([name, high, low, high])).into();
        assert_eq!(seen, json!(pulled));
        browser.screenshot(&format!("lines-closely-{}", screen.name()));
    });
}

#[test]
fn a_heal_matrix_is_a_picture_whose_squares_lead_to_their_trials() {
    let (_folder, page) = page(&["run", "scenarios/heal-matrix/server-key.yaml", "--matrix"], 0);
    look_at("heal-matrix", &page, |browser, _| {
        let squares = browser.count(".grid button.cell");
        let signs = browser.run("return [...new Set([...document.querySelectorAll('.grid button.cell')].map(it => it.innerText))].sort().join('')", &[]);
        assert_eq!(signs, json!("B✓"), "each square says without colour what came of it");
        let trials = browser.count(".trial");
        assert!(squares >= 32 && trials >= 90, "{squares} squares, {trials} trials");
        browser.click(".grid button.bricked");
        browser.until("document.querySelectorAll('.trial').length < 10");
        let words =
            browser.run("return [...document.querySelectorAll('.trial .word')].map(it => it.innerText).join(' ')", &[]);
        assert!(words.as_str().is_some_and(|words| words.split(' ').all(|word| word == "bricked")), "{words}");
        filter(browser);
    });
}

/// By text, by verdict, by axis.
fn filter(browser: &Browser) {
    browser.run("for (const it of document.querySelectorAll('select')) { it.value = ''; it.dispatchEvent(new Event('change')); }", &[]);
    let all = browser.count(".trial");
    browser.click("#filters input");
    browser.type_text("heal-full zeroed");
    browser.until(&format!("document.querySelectorAll('.trial').length < {all}"));
    let named = "[...document.querySelectorAll('.trial .name')].every(it => /heal-full/.test(it.innerText) && /zeroed/.test(it.innerText))";
    assert_eq!(browser.run(&format!("return {named}"), &[]), json!(true));
    let some = browser.count(".trial");
    browser.run("const it = document.querySelector('select[data-axis=geometry]'); it.value = 'nrf52840'; it.dispatchEvent(new Event('change'))", &[]);
    browser.until(&format!("document.querySelectorAll('.trial').length < {some}"));
    browser.click("#filters [data-verdict=passed]");
    browser.until("document.querySelectorAll('.trial').length === 0");
    assert!(browser.text("#filters .shown").starts_with("0 of "), "{}", browser.text("#filters .shown"));
}

/// It prints a tag that would end the page's own, escapes, and bytes that are no text.
const HOSTILE: &str = r#"scenario: "</script><script>window.broken = 1</script>"
board: lantern-nrf51
firmware: lantern-no-heal
steps:
  - supply: { usb: 5V }
  - send: "</script><img src=x onerror='window.broken = 2'><b>\u001b[31m"
  - expect: { console: "<script>nothing</script>", within: 2s }
"#;

#[test]
fn whatever_a_board_or_a_scenario_says_is_text() {
    let files = tempfile::tempdir().expect("there is room for a folder");
    let scenario = files.path().join("t.yaml");
    fs::write(&scenario, HOSTILE).expect("it is ours");
    let (folder, page) = page(&["run", &scenario.to_string_lossy()], 1);
    let timeline = timeline_in(folder.path());
    let evil = "</script><script>window.broken = 3</script><img src=\\\"http://127.0.0.1:9/x\\\" onerror=\\\"window.broken = 4\\\">";
    let line = format!(
        "{{\"t\":1000000,\"kind\":\"console\",\"line\":1,\"text\":\"{evil}\"}}\n{{\"t\":2000000,\"kind\":\"light\",\"sight\":\"{evil}\"}}\n"
    );
    let text = fs::read_to_string(&timeline).expect("it was written");
    fs::write(&timeline, format!("{text}{line}")).expect("it is ours");
    let output = brickproof(&["report", &folder.path().to_string_lossy()]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    look_at("hostile", &page, |browser, _| {
        assert!(browser.text(".lines").contains("</script><script>window.broken = 3</script><img"), "it is shown");
        assert_eq!(browser.run("return String(window.broken)", &[]), json!("undefined"));
        browser.run_scripts(false);
        browser.open_file(&page);
        assert!(browser.text("#static").contains("<script>nothing</script>"), "it is shown");
    });
}

fn timeline_in(folder: &Path) -> std::path::PathBuf {
    let trials = fs::read_dir(folder.join("trials")).expect("it was written");
    trials.flatten().next().expect("a trial").path().join("timeline.jsonl")
}

#[test]
fn without_scripts_the_answer_and_the_evidence_can_be_read() {
    let (_folder, page) = page(&["run", BROWN_OUT, "--firmware", "lantern-no-heal", "--set", "geometry=nrf51"], 1);
    let Some(browser) = Browser::start(Screen::Phone, Scheme::Light) else { return };
    browser.run_scripts(false);
    browser.open_file(&page);
    assert_eq!(browser.text("h1"), "The trial failed");
    let told = browser.text("#static");
    for wanted in
        ["blame: firmware", "brown-out.yaml:21: step 5", "handshake failed -7b00", "brickproof replay brown-out"]
    {
        assert!(told.contains(wanted), "{wanted} in {told}");
    }
    assert_eq!(browser.overhang(), 0);
    browser.screenshot("without-scripts-390");
}

#[test]
fn a_page_prints_dark_on_light_and_as_wide_as_the_paper() {
    let (_folder, page) = page(&["run", BROWN_OUT, "--firmware", "lantern-no-heal", "--set", "geometry=nrf51"], 1);
    let Some(browser) = Browser::start(Screen::Desk, Scheme::Dark) else { return };
    open(&browser, &page);
    settle(&browser);
    browser.run("window.printed = null; addEventListener('beforeprint', () => setTimeout(() => {}, 0)); const seen = new MutationObserver(() => { printed ??= getComputedStyle(document.documentElement).getPropertyValue('--paper').trim(); }); seen.observe(document.documentElement, { attributes: true });", &[]);
    let pdf = fs::read(browser.print("battery-death-failed")).expect("it was written");
    let text = String::from_utf8_lossy(&pdf);
    let pages = text.matches("/Type /Page\n").count();
    assert!((2..=6).contains(&pages), "{pages} pages for one trial");
    assert!(text.contains("/ToUnicode"), "its letters are letters and no pictures of letters");
    assert_eq!(browser.until("printed"), json!("#ffffff"), "the paper is white, whatever the screen prefers");
    browser.until("getComputedStyle(document.documentElement).getPropertyValue('--paper').trim() === '#14171b'");
    // What is drawn is drawn as wide as it is printed: A4 has 718 points between its margins.
    let drawn = "const it = document.querySelector('.scope').scope; return [it.width, it.canvas.clientWidth, it.canvas.width / it.width]";
    let on_screen = browser.run(drawn, &[]);
    browser.run("dispatchEvent(new Event('beforeprint'))", &[]);
    let on_paper = browser.run(drawn, &[]);
    let wide = on_paper[0].as_f64().expect("a number");
    assert!((640.0..718.0).contains(&wide) && on_paper[1] == on_paper[0] && on_paper[2] == json!(3), "{on_paper}");
    browser.run("dispatchEvent(new Event('afterprint'))", &[]);
    assert_eq!(browser.run(drawn, &[]), on_screen);
}

#[test]
fn a_trial_has_a_page_of_its_own_when_it_is_asked_for() {
    let (folder, _page) = page(&["run", BROWN_OUT, "--set", "geometry=nrf51"], 0);
    let results = fs::read_to_string(folder.path().join("results.json")).expect("it was written");
    let results: Value = serde_json::from_str(&results).expect("JSON");
    let id = results["trials"][1]["id"].as_str().expect("an id");
    let path = folder.path().to_string_lossy().into_owned();
    let output = brickproof(&["report", &path, "--trial", id]);
    let own = folder.path().join("trials").join(id).join("report.html");
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("page: {}\n", own.display()));
    let refused = brickproof(&["report", &path, "--trial", "nobody.1-00000000"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("has no trial nobody.1-00000000"));
    let Some(browser) = Browser::start(Screen::Desk, Scheme::Light) else { return };
    open(&browser, &own);
    settle(&browser);
    let files = browser.run(
        "return [...document.querySelectorAll('.files a')].map(it => decodeURIComponent(new URL(it.href).pathname))",
        &[],
    );
    for file in files.as_array().expect("a list") {
        assert!(Path::new(file.as_str().expect("a path")).is_file(), "{file}");
    }
    assert_eq!(browser.count(".trial[open] canvas"), 1);
}
