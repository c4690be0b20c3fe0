//! The texts of `fixtures/logs/device-os.txt`, in every shape that a line can have.

use brickproof_console::{ClockLimits, DeviceClock, LogFormat, LogLevel, LogRecord, explain};
use brickproof_units::{Instant, Ratio, Span};

use crate::printed::Printed;

const TABLE: &str = include_str!("../../../../fixtures/logs/device-os.txt");

/// A row of the table, with its place shown and everything that a place allows left out or not.
pub(crate) struct Known {
    pub(crate) record: Printed,
}

fn level(name: &str) -> LogLevel {
    let levels = [LogLevel::Trace, LogLevel::Log, LogLevel::Info, LogLevel::Warn, LogLevel::Error, LogLevel::Panic];
    let found = levels.into_iter().find(|level| level.name() == name.trim_end_matches('?'));
    found.unwrap_or_else(|| panic!("no level is called {name}"))
}

/// The rows, each as the line that shows its place.
pub(crate) fn rows() -> Vec<Known> {
    let rows = TABLE.lines().filter(|row| !row.starts_with('#')).map(|row| {
        let columns: Vec<&str> = row.split(" |").map(str::trim).collect();
        let [format, category, level_name, place, text, number, _note] = columns[..] else {
            panic!("seven columns: {row}")
        };
        assert!(["-", "field", "made"].contains(&number), "{row}");
        let plain = Printed::plain(45_461, level(level_name), text);
        let record = match format {
            "new" => {
                let (file, line) = place.split_once(':').expect("a file and a line");
                let (file, line, func) = (Some(file.to_owned()), line.parse().ok(), Some("f".to_owned()));
                Printed { category: Some(category.to_owned()), file, line, func, ..plain }
            }
            "old" => {
                let (func, line) = place.trim_end_matches(')').rsplit_once('(').expect("a function and a line");
                Printed { format: LogFormat::Old, func: Some(func.to_owned()), line: line.parse().ok(), ..plain }
            }
            other => panic!("{other} is no format"),
        };
        Known { record }
    });
    rows.collect()
}

/// Every line that the rows can become: with and without each part that is optional.
pub(crate) fn shapes() -> Vec<Printed> {
    let mut shapes = Vec::new();
    for Known { record } in rows() {
        if record.format == LogFormat::Old {
            let file = Some("spark_protocol.cpp".to_owned());
            shapes.extend([Printed { level: None, ..record.clone() }, Printed { file, ..record.clone() }, record]);
            continue;
        }
        for parts in 0..64 {
            let keep = |bit: u32| parts & 1 << bit != 0;
            let file = record.file.clone().filter(|_| keep(1));
            shapes.push(Printed {
                category: record.category.clone().filter(|_| keep(0)),
                line: record.line.filter(|_| file.is_some() && keep(2)),
                file,
                func: record.func.clone().filter(|_| keep(3)),
                code: keep(4).then_some(-110),
                details: keep(5).then(|| "timed out [x]".to_owned()),
                ..record.clone()
            });
        }
    }
    shapes
}

#[test]
fn every_known_text_is_read_in_every_shape() {
    let shapes = shapes();
    assert!(shapes.len() > 2_000, "{}", shapes.len());
    for printed in shapes {
        for end in ["", "\r\n"] {
            let line = printed.line() + end;
            let record = LogRecord::parse(line.as_bytes());
            assert_eq!(record.as_ref().map(Printed::from).as_ref(), Some(&printed), "{line}");
        }
    }
}

#[test]
fn the_numbers_of_the_known_texts_are_explained_beside_them() {
    let told = rows().into_iter().map(|Known { record }| {
        let line =
            Printed { file: None, line: record.line.filter(|_| record.format == LogFormat::Old), ..record.clone() };
        let line = match line.format {
            LogFormat::New => Printed { func: None, ..line },
            LogFormat::Old => line,
        };
        let line = line.line();
        let explained: String = explain(line.as_bytes()).iter().map(|it| format!("\n    {it}")).collect();
        format!("{line}{explained}")
    });
    insta::assert_snapshot!(told.collect::<Vec<_>>().join("\n"));
}

/// The Argon behind its firewall: 45.005 s on its own clock from the beginning of the handshake to its failure, which is the 3 + 6 + 12 + 24 s for
/// which DTLS asks again, and no sign of a key.
#[test]
fn the_silence_of_the_field_report_is_measured_on_the_devices_own_clock() {
    let lines = [
        (12_345_u64, "0000010456 [comm.protocol.handshake] INFO: Establish secure connection"),
        (57_352, "0000055461 [comm.dtls] ERROR: handshake failed -6800"),
    ];
    let mut clock = DeviceClock::new(ClockLimits { latency: Span::millis(50), drift: Ratio::new(100) });
    let said = lines.map(|(arrival, line)| {
        let stamp = LogRecord::parse(line.as_bytes()).unwrap().uptime;
        clock.hear(Instant::START + Span::millis(arrival), Span::ZERO, stamp).said().unwrap()
    });
    assert_eq!(said[1].uptime - said[0].uptime, Span::millis(45_005));
    assert_eq!(said[1].boot, 1);
    let told: Vec<String> = explain(lines[1].1.as_bytes()).iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        ["mbedTLS SSL_TIMEOUT: no answer, however often asked: a silent network, or a server that ignores the board"]
    );
}

#[test]
fn a_cut_message_is_recognised() {
    let line = |message: &str| format!("0000000001 [a] INFO: {message}");
    let is_cut = |message: &str| LogRecord::parse(line(message).as_bytes()).unwrap().is_truncated();
    assert!(is_cut(&format!("{}~", "m".repeat(158))));
    // As many bytes, but not as many characters.
    assert!(is_cut(&format!("{}~", "ü".repeat(79))));
    for whole in ["home is ~", &"m".repeat(159), &format!("{}~", "m".repeat(157)), &format!("{}~", "m".repeat(159))] {
        assert!(!is_cut(whole), "{whole}");
    }
}

#[test]
fn other_lines_are_not_log_lines() {
    for line in [
        "",
        "\r\n",
        "> ",
        "~connect lantern.invalid 5684",
        "000004546 [a] INFO: nine digits",
        "00000045461 [a] INFO: eleven digits",
        "4294967296 [a] INFO: more than a clock of 32 bits shows",
        "0000045461 [a] NOTICE: no such level",
        "0000045461 [a] INFO; no colon",
        "0000045461 [] INFO: an empty category",
        "0000045461 [a]INFO: no space",
        "0000045461 a.cpp:42, INFO: a comma and no function",
        "0000045461 a.cpp:42: f(): INFO: a colon and a function",
        "0000045461 a.cpp:042: INFO: no line is counted so",
        "0000045461 f(int): INFO: parameters",
        "0000045461  INFO: two spaces",
        "0000045461:INFO: f (3):not padded",
        "0000045461:INFO : (3):no function",
        "0000045461:INFO : f (x):no line",
        "0000045461:INFO : f a)b.c(3):brackets in a file",
        "0000045461:INFO : f a(b.c(3):brackets in a file",
    ] {
        assert_eq!(LogRecord::parse(line.as_bytes()), None, "{line}");
    }
}
