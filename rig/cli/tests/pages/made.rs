//! Pages, made by the command.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use brickproof_browser::{Browser, Scheme, Screen};

/// Runs the command in the repository.
pub(crate) fn brickproof(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_brickproof"))
        .args(arguments)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .output()
        .expect("the command starts")
}

/// The page of what the command did, in a folder of its own.
pub(crate) fn page(arguments: &[&str], status: i32) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let report = folder.path().to_string_lossy().into_owned();
    let output = brickproof(&[arguments, &["--report", &report]].concat());
    assert_eq!(output.status.code(), Some(status), "{}", String::from_utf8_lossy(&output.stderr));
    let page = folder.path().join("report.html");
    (folder, page)
}

/// Opens a page and waits until its script has listed the trials.
pub(crate) fn open(browser: &Browser, page: &Path) {
    browser.open_file(page);
    browser.until("'ready' in document.documentElement.dataset");
}

/// Shows a page to `look` on every screen in every scheme, with a picture of each; and nothing may be complained about, asked for, or wider
/// than the screen.
pub(crate) fn look_at(name: &str, page: &Path, look: impl Fn(&Browser, Screen)) {
    for screen in Screen::ALL {
        let Some(browser) = Browser::start(screen, Scheme::Light) else { return };
        for scheme in Scheme::ALL {
            browser.prefer(scheme);
            open(&browser, page);
            settle(&browser);
            browser.screenshot(&format!("{name}-{}-{}", screen.name(), scheme.name()));
            assert_eq!(browser.overhang(), 0, "{name} is wider than {} points", screen.name());
        }
        look(&browser, screen);
        assert_eq!(browser.complaints(), Vec::<String>::new(), "{name} at {}", screen.name());
        assert_eq!(browser.asked_for(), Vec::<String>::new(), "{name} at {}", screen.name());
    }
}

/// Waits until every trial that is open is drawn.
pub(crate) fn settle(browser: &Browser) {
    browser.until("[...document.querySelectorAll('.trial[open] .body')].every(body => body.childElementCount)");
    browser
        .run_to_its_end("await new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))", &[]);
}
