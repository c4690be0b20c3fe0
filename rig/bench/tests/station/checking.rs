//! A bench that tests itself.

use brickproof_bench::OpenStation;
use brickproof_bench::check::{Finding, Outcome, Report, Wanted, check};
use brickproof_bench::driver::Stop;
use brickproof_instruments::Kind;
use tokio::sync::watch;

use crate::desk::with_firmware;
use crate::model::{How, When};
use crate::rig::Rig;

async fn checked(rig: &Rig, wanted: Wanted) -> Report {
    let (_keep, stop) = watch::channel(Stop::No);
    let opened = OpenStation::open_what_is_there("model", &rig.file, &rig.state).await.expect("nobody has it");
    let mut told = Vec::new();
    let report = check(&opened, wanted, stop, &mut |finding| told.push(finding.clone())).await;
    assert_eq!(told, report.findings, "what is told is what is reported");
    report
}

const NO_CUTS: Wanted = Wanted { cuts: Some(0) };

fn with(outcome: Outcome, report: &Report) -> Vec<&Finding> {
    report.findings.iter().filter(|finding| finding.outcome == outcome).collect()
}

/// Of those that failed, the instrument and what was seen.
fn failed(report: &Report) -> String {
    let told = |finding: &&Finding| {
        let instrument = finding.instrument.map_or_else(|| "station".to_owned(), |kind| kind.to_string());
        format!("{instrument}: {}: {}", finding.did, finding.saw)
    };
    with(Outcome::Failed, report).iter().map(told).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_of_a_good_station_is_found_and_driven_and_what_stays_open_is_said() {
    let rig = Rig::new();
    with_firmware(&rig).await;
    let report = checked(&rig, Wanted { cuts: Some(3) }).await;
    assert_eq!(failed(&report), "");
    let told = |finding: &Finding| {
        let instrument = finding.instrument.map_or_else(|| "station".to_owned(), |kind| kind.to_string());
        format!("{}: {instrument}: {}", finding.outcome, finding.did)
    };
    insta::assert_snapshot!(report.findings.iter().map(told).collect::<Vec<_>>().join("\n"));
    let cuts = report.findings.iter().find_map(|finding| finding.latency).expect("they were measured");
    assert_eq!(cuts.n, 3);
    assert!(cuts.median <= cuts.p99 && cuts.p99 <= cuts.max, "{cuts}");
    assert!(rig.model.is_safe() && !rig.journal().exists());
    assert!(!report.interrupted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_does_not_follow_is_found_and_the_others_are_tried_all_the_same() {
    let rig = Rig::new();
    with_firmware(&rig).await;
    rig.model.line_is_stuck("mode");
    let report = checked(&rig, NO_CUTS).await;
    insta::assert_snapshot!(failed(&report), @"lines: assert `mode`, read it, release it, read it: it does not become active: something holds it, or the board does not reach its level");
    assert!(rig.model.is_safe());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_that_does_not_reach_the_board_is_found() {
    let rig = Rig::new();
    with_firmware(&rig).await;
    rig.model.line_is_stuck("reset");
    let report = checked(&rig, NO_CUTS).await;
    let failed = failed(&report);
    assert!(failed.starts_with("lines: assert `reset`"), "{failed}");
    let began_anew = report.findings.iter().any(|it| it.outcome == Outcome::Ok && it.did.contains("in reset"));
    assert!(!began_anew, "a board that was not reset did not begin anew");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_board_that_is_fed_by_a_cable_is_not_off() {
    let rig = Rig::new();
    with_firmware(&rig).await;
    rig.model.is_fed_from_elsewhere();
    let hand = rig.model.hand();
    // Lantern is quiet for seconds unless it is spoken to.
    let chatter = tokio::spawn(async move {
        loop {
            hand.type_bytes(b"help\n");
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    });
    let report = checked(&rig, NO_CUTS).await;
    chatter.abort();
    let failed = failed(&report);
    assert!(failed.contains("supply: switch it off and measure that off is off"), "{failed}");
    assert!(failed.contains("something else feeds the board"), "{failed}");
    assert!(failed.contains("console: listen for 1s to a board without power"), "{failed}");
    assert!(failed.contains("station: leave it safe"), "{failed}");
    assert!(rig.journal().exists(), "it is not safe");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sensor_that_sees_nothing_is_found() {
    let rig = Rig::new();
    with_firmware(&rig).await;
    rig.model.sensor_is_covered();
    let report = checked(&rig, NO_CUTS).await;
    insta::assert_snapshot!(failed(&report), @"light: see the light of the board that got power: 1 to 1 counts, and 1 to 1 counts in the dark: the sensor is not above the LED, or the firmware shows nothing; which of them, nothing here can tell");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_board_and_one_that_says_nothing_are_found() {
    let rig = Rig::new();
    rig.model.is_another_board([7; 8]);
    let report = checked(&rig, NO_CUTS).await;
    let failed = failed(&report);
    assert!(failed.contains("0707070707070707, and the bench file says 6c1f3a90d2e4b857"), "{failed}");
    assert!(failed.contains("console: listen to the board that got power: nothing for 10s"), "{failed}");
    let did = |finding: &&&Finding| finding.did == "hold the board in reset, let it go";
    assert_eq!(with(Outcome::CannotVerify, &report).iter().filter(did).count(), 1, "RESET shows on nothing");
    assert_eq!(rig.model.written(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_is_located_and_the_rest_is_checked() {
    let rig = Rig::new();
    with_firmware(&rig).await;
    rig.model.fails(Kind::Console, How::Gone, When::Opened);
    let report = checked(&rig, NO_CUTS).await;
    insta::assert_snapshot!(failed(&report), @"console: open it: the model's console failed to be opened: gone: it was unplugged");
    assert!(report.findings.iter().any(|it| it.instrument == Some(Kind::Probe) && it.outcome == Outcome::Ok));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_is_interrupted_leaves_the_station_safe() {
    let rig = Rig::new();
    let (send, stop) = watch::channel(Stop::No);
    let opened = OpenStation::open_what_is_there("model", &rig.file, &rig.state).await.expect("nobody has it");
    // As soon as the board has power.
    let mut tell = |finding: &Finding| {
        if finding.did.starts_with("feed the board") {
            send.send_replace(Stop::Soon);
        }
    };
    let report = check(&opened, NO_CUTS, stop, &mut tell).await;
    assert!(report.interrupted && rig.model.times_fed() == 1, "{report:?}");
    assert!(rig.model.is_safe() && !rig.journal().exists());
}
