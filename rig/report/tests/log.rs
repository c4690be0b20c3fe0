//! What a board's log adds to the evidence: lines taken apart, codes explained, starts counted; and nothing where there is no log.

use std::sync::Arc;

use brickproof_report::results::{Finished, FirmwareRef, Results, TrialResult, World};
use brickproof_report::timeline::to_json_lines;
use brickproof_report::{Backstage, Secrets, junit, terminal};
use brickproof_scenario::{Library, load};
use brickproof_trial::{Achieved, Observation, Stamp, Trial, TrialId};
use brickproof_units::{Instant, Span};

const SCENARIO: &str = "scenario: T
board: lantern-nrf51
firmware: lantern-no-heal
steps:
  - expect: { console: Cloud connected, within: 60s }
";

/// A trial that fails over a console on which these lines arrive, each at so many milliseconds.
fn trial(lines: &[(u64, &str)]) -> Trial {
    let scenario = load("t.yaml", SCENARIO, &Library::built_in()).expect("it has no mistakes");
    let mut trial = Trial::new(Arc::new(scenario.cells[0].clone()), []);
    let mut lines = lines.iter().peekable();
    loop {
        while let Some(action) = trial.poll_action() {
            let result = Ok(Achieved::Done);
            trial.observe(Stamp::exact(trial.now()), Observation::Answered { id: action.id, result });
        }
        let Some(wake) = trial.next_wake() else { return trial };
        let due = |(at, _): &&(u64, &str)| Instant::START + Span::millis(*at) <= wake;
        match lines.next_if(due).filter(|_| trial.current_step().is_some()) {
            Some((at, line)) => {
                // A line takes its time on the wire: when it was said is told by its first byte.
                let (first, rest) = line.split_at(1);
                for (at, bytes) in [(*at, first.to_owned()), (at + 2, format!("{rest}\r\n"))] {
                    let stamp = Stamp::exact(Instant::START + Span::millis(at));
                    trial.observe(stamp, Observation::Console(bytes.into_bytes().into()));
                }
            }
            None => trial.wake(wake),
        }
    }
}

fn finished(lines: &[(u64, &str)]) -> Finished {
    let trial = trial(lines);
    Finished {
        attempt: 1,
        board_serial: None,
        id: TrialId::new(trial.plan(), "", 1),
        trial,
        firmware: FirmwareRef::new("lantern-no-heal", ""),
        station: "virtual".into(),
        wall_ns: 0,
        replay: "brickproof replay t".to_owned(),
        secrets: Secrets::default(),
        backstage: Backstage::default(),
    }
}

/// It starts, is silent for 45.005 s, starts again, and names codes as Device OS does; not all of its lines are of the log.
const LINES: [(u64, &str); 7] = [
    (110, "0000000100 [comm.protocol.handshake] INFO: Establish secure connection"),
    (45_112, "0000045105 [comm.dtls] dtls_message_channel.cpp:411, establish(): ERROR: handshake failed -6800"),
    (45_120, "0000045105 [system] WARN: Cloud handshake failed, code=17"),
    (46_005, "0000000003 [app] INFO: try [code = -19, details = once more]"),
    (46_010, "code=17"),
    (46_015, "0000000007 [comm.CoreProtocol.handshake] ERROR: Unable to receive key -19"),
    (46_020, "9999999999 [comm.dtls] ERROR: handshake failed -6800"),
];

#[test]
fn the_console_in_the_timeline_is_taken_apart_where_it_is_a_log() {
    let finished = finished(&LINES);
    let timeline = to_json_lines(finished.trial.timeline(), &[], &finished.backstage, &finished.secrets);
    let console: Vec<&str> = timeline.lines().filter(|line| line.contains(r#""kind":"console""#)).collect();
    insta::assert_snapshot!(console.join("\n"));
}

#[test]
fn codes_are_explained_beside_the_lines_on_every_page_that_shows_them() {
    let result = TrialResult::new(&finished(&LINES));
    let shown = terminal::failure(&result, World::Virtual, terminal::Colour::Plain);
    insta::assert_snapshot!(shown);
    let xml = junit::to_xml(&Results::new(World::Virtual, vec![result.clone()])).expect("it can be written");
    for line in shown.lines().filter(|line| line.contains("  console  ")) {
        let (_, text) = line.split_once("  console       ").expect("a kind and a text");
        assert!(xml.contains(&format!("console: {text}").replace('\'', "&apos;")), "{text}\n{xml}");
    }
    // What the line says stays as it was; the explanation stands beside it.
    let line =
        result.evidence.iter().find(|line| line.text.ends_with("receive key -19")).expect("it is the last but one");
    let explained = &line.explained[0];
    assert_eq!(
        (explained.code, explained.table.as_deref(), explained.name.as_deref()),
        (-19, Some("WICED"), Some("CONNECTION_CLOSED"))
    );
}

#[test]
fn the_starts_of_the_board_are_told_by_its_own_clock() {
    let result = TrialResult::new(&finished(&LINES));
    let boots: Vec<_> = result.boots.iter().map(|boot| (boot.began_ns, boot.uncertainty_ns)).collect();
    // The first from 0, where the trial begins, to 110 - 100 ms; the second from 46,015 - 7 - 1 - 50 ms, as late as a line may be, to
    // 46,005 - 3 ms. The rest is the drift.
    assert_eq!(boots, [(Some(5_025_250), 5_025_250), (Some(45_979_498_750), 22_503_250)]);
    assert!(TrialResult::new(&finished(&[(100, "hello"), (200, "> ")])).boots.is_empty());
}

#[test]
fn results_of_before_there_was_a_log_are_still_read() {
    let mut json = serde_json::to_value(TrialResult::new(&finished(&LINES))).expect("plain data");
    json.as_object_mut().expect("an object").remove("boots");
    json["evidence"][0].as_object_mut().expect("an object").remove("explained");
    let read: TrialResult = serde_json::from_value(json).expect("fields are added, never required");
    assert!(read.boots.is_empty() && read.evidence[0].explained.is_empty());
}
