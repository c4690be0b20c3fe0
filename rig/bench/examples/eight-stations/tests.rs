//! The same for seconds, with the boards in this process.
//!
//! Boundary: what must hold on a computer that is busy with something else: every line, whatever it costs.

use std::io::pipe;
use std::thread;
use std::time::Duration;

use brickproof_units::Span;

use crate::generator::{Boards, Manner, serve};
use crate::measure::{Report, measure};

async fn three_stations(lost: Option<u64>) -> Report {
    let manner = Manner { stations: 3, frame: Span::millis(1), lost };
    let ((orders, ordering), (hearing, answers)) = (pipe().expect("a pipe"), pipe().expect("a pipe"));
    let serving = thread::spawn(move || serve(manner, orders, answers));
    let boards = Boards::over(manner, ordering, hearing).expect("terminals are to be had");
    let report = measure(boards, Duration::from_secs(6)).await.expect("the stations run");
    serving.join().expect("it does not panic").expect("the terminals take it");
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_station_loses_a_line_while_others_talk() {
    let report = three_stations(None).await;
    for row in &report.rows {
        assert_eq!(row.verdict, "passed", "{report}");
        // Six seconds at 180 lines a second, of which a busy computer may keep them from saying some.
        assert!(row.said.lines >= 300, "{report}");
        assert_eq!((row.lost(), row.heard.disordered, row.heard.strange), (0, 0, 0), "{report}");
    }
    assert!(report.is_whole(), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_is_lost_on_the_wire_is_noticed() {
    let report = three_stations(Some(200)).await;
    let lost: Vec<u64> = report.rows.iter().map(|row| row.lost()).collect();
    assert_eq!(lost, [1, 0, 0], "{report}");
    assert!(!report.is_whole());
}
