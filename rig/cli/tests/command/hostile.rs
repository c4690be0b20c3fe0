//! A board that says what breaks readers: terminals, parsers, browsers, build servers. Whatever comes of it stays valid and inert.
//!
//! Boundary: real trials of firmware that says so, and a real console that another program feeds. Every file that is kept must have a check
//! here: one without fails the test, so that a new kind of evidence does not go unlooked at.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use base64::Engine as _;
use brickproof_units::is_inert;
use quick_xml::events::Event;
use rusqlite::types::ValueRef;
use serde_json::Value;

use crate::desk::{Called, Desk};
use crate::mouthpiece;
use crate::serve::{Running, Served, begin};

/// What a board says, a line each.
const LINES: &[&[u8]] = &[
    b"\x1b[2J\x1b[31mRED\x1b[0m\x1b[?1049h\x1b[6n",
    b"\x1b]0;title\x07\x1b]8;;http://example.invalid\x1b\\link\x1b]52;c;ZXZpbA==\x07",
    b"\x9b31m\x9d0;title\x9c \x90q\x9c",
    b"\xc2\x9b31m\xc2\x9d0;title\xc2\x9c",
    b"back\x08\x08\x08\x08space\x0bvertical\x0cform\x7f\x05\x0e\x0f",
    b"\xff\xfe \xc0\xaf overlong \xed\xa0\x80 surrogate \xf4\x90\x80\x80 beyond \xe2\x82",
    b"nul\0nul\0",
    b"<script>alert(1)</script><img src=x onerror=alert(1)><svg/onload=alert(1)>",
    b"</pre></style></script><!-- --><![CDATA[ ]]> &amp; &#27; &nbsp; \" ' `",
    b"javascript:alert(1) data:text/html,<script>alert(1)</script>",
    b"::error file=src/main.rs,line=1::owned",
    b"::set-output name=key::value%0A::add-mask::a",
    b"##[error]owned ##vso[task.setvariable variable=a]b ##teamcity[message text='a']",
    b"=cmd|' /C calc'!A0,\"a\"\"b\";\t+1+1\t@SUM(A1)\t-2",
    b"- yaml: [*a, &b !!c d] # no: comment",
    b"{\"t\":1,\"kind\":\"verdict\",\"verdict\":\"passed\"}",
    b"$end $dumpvars #1 b0 ! $enddefinitions",
    b"$(touch owned) `touch owned` ${HOME} %s%n%x ; touch owned | tee owned",
    "\u{202e}gpj.exe\u{202c} \u{2066}isolated\u{2069} \u{200f}mark".as_bytes(),
    "line\u{2028}paragraph\u{2029}next\u{85}line \u{feff}mark \u{fffe}\u{ffff} \u{1ffff} \u{e0041}tag".as_bytes(),
    "zalgo\u{0300}\u{0301}\u{0302}\u{0303}\u{0304} wide日本語 \u{1f600}".as_bytes(),
    br"\x1b[31m \u001b \n \0 escapes that are text",
    b"../../../../etc/passwd /dev/null con.txt",
];

/// Fails, so that what the board said is told.
const SCENARIO: &str = "\
scenario: A board says what it likes
board: lantern-nrf51
matrix:
  line: [LINES]
firmware: ./says-${line}.bin
steps:
  - supply: { usb: 5V }
  - expect: { console: never said by anybody, within: 500ms }
cleanup:
  - supply: off
";

fn desk() -> Desk {
    let numbers: Vec<String> = (0..LINES.len()).map(|number| number.to_string()).collect();
    let desk = Desk::with(&[("hostile.yaml", &SCENARIO.replace("LINES", &numbers.join(", ")))]);
    for (number, line) in LINES.iter().enumerate() {
        desk.put(&format!("says-{number}.bin"), &mouthpiece::says(&[line, b"\r\n".as_slice()].concat()));
    }
    desk
}

/// What may stand in a text that somebody looks at.
fn inert(name: &str, bytes: &[u8]) -> String {
    let text = String::from_utf8(bytes.to_vec()).unwrap_or_else(|error| panic!("{name} is no UTF-8: {error}"));
    for line in text.lines() {
        let steering = line.chars().find(|c| !is_inert(*c) && *c != '\t');
        assert_eq!(steering, None, "{name}: {line:?}");
        let begins = line.trim_start();
        assert!(!begins.starts_with("::") && !begins.starts_with("##"), "{name} speaks to a build server: {line}");
    }
    assert!(!text.contains('\r'), "{name}");
    text
}

fn json(name: &str, bytes: &[u8]) {
    let text = inert(name, bytes);
    serde_json::from_str::<Value>(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
}

fn json_lines(name: &str, bytes: &[u8]) {
    for line in inert(name, bytes).lines() {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{name}: {error}: {line}"));
        assert!(value.is_object(), "{name}: {line}");
    }
}

/// Well formed, with the characters that XML 1.0 has, and no elements but those of its kind.
fn xml(name: &str, bytes: &[u8]) {
    let text = inert(name, bytes);
    let mut reader = quick_xml::Reader::from_str(&text);
    reader.config_mut().check_end_names = true;
    let mut open = 0_i32;
    loop {
        match reader.read_event().unwrap_or_else(|error| panic!("{name}: {error}")) {
            Event::Start(start) => {
                open += 1;
                harmless(name, &start);
            }
            Event::Empty(start) => harmless(name, &start),
            Event::End(_) => open -= 1,
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(open, 0, "{name}: an element is not closed");
}

fn harmless(name: &str, start: &quick_xml::events::BytesStart<'_>) {
    let element = String::from_utf8_lossy(start.name().as_ref()).into_owned();
    assert!(!["script", "img", "foreignObject"].contains(&element.as_str()), "{name} has <{element}>");
    for attribute in start.attributes() {
        let attribute = attribute.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!attribute.key.as_ref().starts_with(b"on"), "{name}: <{element}> does something");
    }
}

/// No markup but the page's own, and whatever it packs is JSON. That a browser does nothing of it is held in `pages`.
fn page(name: &str, bytes: &[u8]) {
    let text = inert(name, bytes);
    for foreign in ["<script>alert", "<img", "onerror=alert(1)>", "<svg/onload", "</pre></style>", "<![CDATA["] {
        assert!(!text.contains(foreign), "{name} has {foreign:?}");
    }
    for packed in unpacked(&text) {
        let data = String::from_utf8(packed).unwrap_or_else(|error| panic!("{name}: {error}"));
        serde_json::from_str::<Value>(&data).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

/// What a page packs: deflated, in base64, between two tags.
pub(crate) fn unpacked(page: &str) -> Vec<Vec<u8>> {
    let is_digit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    let runs = page.split(|c: char| !is_digit(c)).filter(|run| run.len() > 32);
    let unpack = |run: &str| {
        let deflated = base64::engine::general_purpose::STANDARD.decode(run).ok()?;
        let mut data = Vec::new();
        flate2::read::ZlibDecoder::new(&deflated[..]).read_to_end(&mut data).ok().map(|_| data)
    };
    runs.filter_map(unpack).collect()
}

/// Read by somebody else's reader of waveforms.
fn waveforms(name: &str, bytes: &[u8]) {
    inert(name, bytes);
    let read = wellen::simple::read_from_reader(std::io::Cursor::new(bytes.to_vec()));
    let signals = read.map(|waves| waves.hierarchy().iter_vars().count());
    assert!(signals.as_ref().is_ok_and(|count| *count > 0), "{name}: {signals:?}");
}

/// Whatever it holds is a number or a text that is valid and inert.
fn database(name: &str, path: &Path) {
    let file = rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY);
    let file = file.unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut asked = file.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").expect("it is a database");
    let tables = asked.query_map([], |row| row.get::<_, String>(0)).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut texts = 0;
    for table in tables.expect("it has tables") {
        let mut asked = file.prepare(&format!("SELECT * FROM \"{table}\"")).expect("it is a table");
        let columns = asked.column_count();
        let mut rows = asked.query([]).expect("it is a table");
        while let Some(row) = rows.next().expect("it is a row") {
            for column in 0..columns {
                match row.get_ref(column).expect("it is there") {
                    ValueRef::Text(bytes) => {
                        inert(&format!("{name}: {table}"), bytes);
                        texts += 1;
                    }
                    ValueRef::Blob(bytes) => panic!("{name}: {table} holds {} bytes that are no text", bytes.len()),
                    ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => {}
                }
            }
        }
    }
    assert!(texts > 0, "{name} holds no text");
}

/// Every file below `folder`, by its kind.
fn check_kept(desk: &Desk, folder: &str) {
    let files = desk.files(folder);
    assert!(!files.is_empty(), "{folder} is empty");
    for (name, bytes) in files {
        let name = format!("{folder}/{name}");
        let ending = Path::new(&name).extension().map(|it| it.to_string_lossy().into_owned());
        match ending.as_deref() {
            Some("json") => json(&name, &bytes),
            Some("jsonl") => json_lines(&name, &bytes),
            Some("xml" | "svg") => xml(&name, &bytes),
            Some("html") => page(&name, &bytes),
            Some("vcd") => waveforms(&name, &bytes),
            Some("txt" | "yaml") => drop(inert(&name, &bytes)),
            Some("sqlite") => database(&name, &desk.path(&name)),
            // The bytes themselves, and it says so.
            Some("raw" | "bin") => {}
            _ => panic!("nothing here checks {name}: say how it stays valid and inert, and check it"),
        }
    }
}

/// What is printed.
fn check_printed(called: &Called, words: &[&str]) {
    let what = words.join(" ");
    inert(&format!("{what}: standard output"), called.out.as_bytes());
    inert(&format!("{what}: standard error"), called.err.as_bytes());
    if words.contains(&"json") {
        json_lines(&what, called.out.as_bytes());
    }
}

fn call(desk: &Desk, words: &[&str], exit: i32) -> Called {
    let output = desk.command(words).output().expect("the command was built");
    // What is no UTF-8 must not be mended before it is looked at.
    assert!(std::str::from_utf8(&output.stdout).is_ok() && std::str::from_utf8(&output.stderr).is_ok(), "{words:?}");
    let called = Called::from(output);
    called.exits(exit);
    check_printed(&called, words);
    called
}

#[test]
fn whatever_a_board_says_all_that_is_kept_and_printed_stays_valid_and_inert() {
    let desk = desk();
    let run = call(&desk, &["run", "hostile.yaml", "--report", "run"], 1);
    assert!(run.out.contains(r"\x1b[2J\x1b[31mRED"), "it was said, and is told: {}", run.out);
    assert!(run.out.contains("<script>alert(1)</script>"), "a terminal has no markup");
    assert!(run.out.contains(r"\xe2\x80\xaegpj.exe"), "{}", run.out);
    check_kept(&desk, "run");
    call(&desk, &["run", "hostile.yaml", "--report", "run", "--format", "json"], 1);
    check_kept(&desk, "run");
    call(&desk, &["run", "hostile.yaml", "--matrix"], 1);
    assert!(!unpacked(&desk.read("run/report.html")).is_empty(), "the page packs what it draws");
    let results = desk.json("run/results.json");
    for trial in results["trials"].as_array().expect("there are trials") {
        let id = trial["id"].as_str().expect("it has one");
        let number: usize = trial["parameters"]["line"].as_str().and_then(|it| it.parse().ok()).expect("it is one");
        let raw = std::fs::read(desk.path(&format!("run/trials/{id}/console.raw"))).expect("it is kept");
        assert!(raw.windows(LINES[number].len()).any(|part| part == LINES[number]), "{id}: the bytes as they came");
        call(&desk, &["replay", id, "--scenarios", "hostile.yaml", "--report", "again"], 1);
        check_kept(&desk, "again");
        // None of the lines is one of a log, and that is all that can be said of them.
        desk.call(&["diagnose", &format!("run/trials/{id}"), "--board", "lantern-nrf51"]);
    }
    check_kept(&desk, ".brickproof");
    check_served(&desk);
    assert!(!desk.path("owned").exists());
}

/// What `serve` shows of the newest run.
fn check_served(desk: &Desk) {
    let page_of = Served::begin(desk, &[]);
    let get = |path: &str| {
        let (status, body) = page_of.get(path);
        assert_eq!(status, 200, "{path}: {body}");
        body.into_bytes()
    };
    let run = desk.files(".brickproof/runs").pop().expect("there are runs").0;
    let run = run.split('/').next().expect("a run is a folder").to_owned();
    for path in ["/", "/history", &format!("/runs/{run}/report.html"), &format!("/runs/{run}/files")] {
        page(path, &get(path));
    }
    json("/api/now", &get("/api/now"));
    let told = get(&format!("/api/runs/{run}"));
    json("/api/runs", &told);
    let told: Value = serde_json::from_slice(&told).expect("it is JSON");
    for id in crate::desk::ids(&told) {
        let path = format!("/trials/{id}");
        page(&path, &get(&path));
        for (name, check) in [("timeline.jsonl", json_lines as fn(&str, &[u8])), ("console.raw", |_, _| {})] {
            let path = format!("/runs/{run}/files/trials/{id}/{name}");
            check(&path, &get(&path));
        }
    }
    drop(page_of);
}

/// A bench whose board is the other end of a serial line.
fn bench_at(desk: &Desk, port: &Path) {
    std::fs::set_permissions(desk.path("supply"), std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    let bench = format!(
        "bench: flood\nworld: lane\nstations:\n  left:\n    board: lantern-nrf51\n    console: {{ driver: serial, path: {} }}\n    \
         supply: {{ driver: command, program: ./supply, voltage_ceiling: 5V, measures: [voltage] }}\n",
        port.display()
    );
    desk.put("bench.yaml", bench.as_bytes());
}

const LISTENS: &str = "\
scenario: A board says what it likes, and somebody looks on
board: lantern-nrf51
firmware: as_found
steps:
  - supply: { usb: 5V }
  - expect: { console: the end of it, within: 60s }
";

#[test]
fn the_page_of_what_runs_stays_inert_whatever_a_board_says() {
    let (mut board, held, port) = crate::terminal::line();
    let desk = Desk::with(&[("listens.yaml", LISTENS), ("supply", SUPPLY)]);
    bench_at(&desk, &port);
    let served = Served::begin(&desk, &[]);
    let run: Running = begin(&desk, &["run", "listens.yaml", "--bench", "bench.yaml"]);
    let began = Instant::now();
    let last_line = || {
        let (_, now) = served.get("/api/now");
        json("/api/now", now.as_bytes());
        let now: Value = serde_json::from_str(&now).expect("it is JSON");
        let lines: Vec<String> = strings_called("console", &now);
        lines.last().cloned().unwrap_or_default()
    };
    for (number, line) in LINES.iter().enumerate() {
        let mark = format!("line {number}: ");
        // Until it is heard: what is said before the console is open is lost.
        while !last_line().starts_with(&mark) {
            assert!(began.elapsed() < Duration::from_secs(120), "it is not shown: {number}");
            board.write_all(&[mark.as_bytes(), line, b"\r\n"].concat()).expect("somebody listens");
            std::thread::sleep(Duration::from_millis(50));
        }
        page("/", served.get("/").1.as_bytes());
    }
    board.write_all(b"the end of it\r\n").expect("somebody listens");
    drop(held);
    check_printed(run.wait().exits(0), &["run"]);
}

/// Every text of that name, however deep.
fn strings_called(name: &str, value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) => {
            let own = fields.get(name).and_then(Value::as_str).map(str::to_owned);
            own.into_iter().chain(fields.values().flat_map(|it| strings_called(name, it))).collect()
        }
        Value::Array(values) => values.iter().flat_map(|it| strings_called(name, it)).collect(),
        _ => Vec::new(),
    }
}

/// A piece of what breaks readers, without an end of line.
fn endless_piece() -> Vec<u8> {
    LINES.concat().into_iter().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect()
}

/// Waits for its end; with the most memory that it had.
#[cfg(target_os = "linux")]
fn watched(mut child: std::process::Child) -> (Option<i32>, u64) {
    let (began, mut most) = (Instant::now(), 0);
    while child.try_wait().expect("it is our child").is_none() {
        most = most.max(peak(child.id()).unwrap_or(0));
        assert!(began.elapsed() < Duration::from_secs(120), "it does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
    (child.wait().expect("it is our child").code(), most)
}

/// More memory than a console takes, of which a line without end must not have a share.
#[cfg(target_os = "linux")]
const ROOM: u64 = 64 << 20;

#[cfg(target_os = "linux")]
#[test]
fn a_console_shows_a_line_that_never_ends_in_pieces_and_masks_a_key_across_their_cuts() {
    use brickproof_console::Lines;
    let (mut board, held, port) = crate::terminal::line();
    let desk = Desk::with(&[("supply", SUPPLY)]);
    bench_at(&desk, &port);
    let key = brickproof_keys::device_key_from_seed(21);
    let key = key.expose_used();
    let digits: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let words = ["console", "--bench", "bench.yaml", "--for", "100s", "--stamps", "--log", "heard.log"];
    let mut command = desk.command(&words);
    let file = |name| std::fs::File::create(desk.path(name)).expect("it is ours");
    command.env("BRICKPROOF_STATE", desk.path("state")).stdin(Stdio::null());
    command.stdout(file("printed")).stderr(file("complained"));
    let child = command.spawn().expect("the command was built");
    let (id, printed, kept) = (child.id(), desk.path("printed"), desk.path("heard.log"));
    let said = std::thread::spawn(move || -> std::io::Result<()> {
        // The port is open once the command has it in raw mode, and what comes before is lost or not.
        std::thread::sleep(Duration::from_secs(2));
        board.write_all(b"it begins\n")?;
        let mut text = Vec::new();
        let piece = endless_piece();
        // In the middle of each cut a key: its head on one side, and the rest on the other.
        let cut = |number: usize| number * Lines::DEFAULT_LIMIT;
        let cuts = [(cut(1), digits.len() / 4), (cut(2), 6), (cut(3), digits.len() - 3), (cut(4), 13)];
        for (at, before) in cuts {
            while text.len() < at - before {
                let room = at - before - text.len();
                text.extend(&piece[..piece.len().min(room)]);
            }
            text.extend(digits.as_bytes());
        }
        while text.len() < FLOOD {
            text.extend(&piece);
        }
        board.write_all(&text)?;
        board.write_all(b"the end of it\n")?;
        let ends = |name: &PathBuf| std::fs::read(name).is_ok_and(|text| text.ends_with(b"the end of it\n"));
        let began = Instant::now();
        while !(ends(&printed) && ends(&kept)) && began.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(100));
        }
        std::process::Command::new("kill").args(["-INT", &id.to_string()]).status().map(drop)
    });
    let (exit, most) = watched(child);
    drop(held);
    said.join().expect("it does not fail").expect("everything was taken");
    let called = Called { exit, out: desk.read("printed"), err: desk.read("complained") };
    check_printed(called.exits(0), &words);
    assert!(called.out.contains("the end of it"), "it was heard to its end");
    assert!(called.out.lines().count() > FLOOD / Lines::DEFAULT_LIMIT, "it is shown in pieces");
    assert!(most < ROOM, "{most} bytes of memory for a line of {FLOOD}");
    let log = std::fs::read(desk.path("heard.log")).expect("it is kept");
    assert!(log.len() > FLOOD, "{} bytes are kept", log.len());
    let secret = &key[7..39];
    let without_stamp = |line: &str| line.trim_start().split_once(' ').map_or(String::new(), |it| it.1.to_owned());
    let printed: String = called.out.lines().map(without_stamp).collect();
    for (what, text) in [("printed", printed.as_bytes()), ("kept", &log)] {
        let whole: Vec<u8> = text.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
        for window in secret.windows(8) {
            let window: String = window.iter().map(|byte| format!("{byte:02x}")).collect();
            let found = whole.windows(window.len()).position(|part| part == window.as_bytes());
            assert_eq!(found, None, "{what}: a part of the key is shown");
        }
        assert_eq!(whole.split(|byte| *byte != b'*').filter(|run| run.len() == 64).count(), 4, "{what}");
    }
}

#[test]
fn a_console_shows_whatever_a_board_says_as_text() {
    let (mut board, held, port) = crate::terminal::line();
    let desk = Desk::with(&[("supply", SUPPLY)]);
    bench_at(&desk, &port);
    for runs_in in ["nowhere", "GitHub's runner"] {
        let words = ["console", "--bench", "bench.yaml", "--for", "3s", "--log", "heard.log"];
        let mut command = desk.command(&words);
        if runs_in != "nowhere" {
            command.env("GITHUB_ACTIONS", "true");
        }
        command.env("BRICKPROOF_STATE", desk.path("state")).stdin(Stdio::null());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command was built");
        std::thread::sleep(Duration::from_secs(1));
        for line in LINES {
            board.write_all(&[line, b"\r\n".as_slice()].concat()).expect("somebody listens");
        }
        let output = child.wait_with_output().expect("it ends");
        let printed = std::str::from_utf8(&output.stdout).expect("it is text").to_owned();
        let called = Called::from(output);
        called.exits(0);
        assert_eq!(printed.lines().count(), LINES.len(), "{printed}");
        if runs_in == "nowhere" {
            assert!(
                printed.contains(r"\x1b[2J\x1b[31mRED") && printed.chars().all(|c| is_inert(c) || "\n\t".contains(c))
            );
        } else {
            let obeyed = |line: &&str| line.trim_start().starts_with("::") || line.contains("##[");
            assert_eq!(printed.lines().find(obeyed), None);
        }
        let log = std::fs::read(desk.path("heard.log")).expect("it is kept");
        let said: Vec<u8> = LINES.iter().flat_map(|line| [line, b"\r\n".as_slice()].concat()).collect();
        assert_eq!(log, said, "the log has the bytes as they came");
    }
    drop(held);
}

#[cfg(target_os = "linux")]
#[test]
fn a_log_of_ten_megabytes_is_diagnosed_in_bounded_time_and_memory() {
    let desk = Desk::with(&[]);
    let beginning = b"0000000100 [system] INFO: Starting handshake: presense_announce=1\n";
    let piece = endless_piece();
    let endless: Vec<u8> = piece.iter().copied().cycle().take(FLOOD).collect();
    let lines = LINES.iter().flat_map(|line| {
        [b"0000000200 [comm.dtls] ERROR: handshake failed -6800 ", *line, b"\n", *line, b"\n"].concat()
    });
    let short: Vec<u8> = lines.collect();
    desk.put("endless.log", &[&beginning[..], &endless, b"\n0000000300 [system] INFO: Cloud connected\n"].concat());
    desk.put("lines.log", &[&beginning[..], &short.repeat(FLOOD / short.len())].concat());
    for log in ["endless.log", "lines.log"] {
        for format in ["human", "json"] {
            let words = ["diagnose", log, "--board", "argon", "--format", format];
            let mut command = desk.command(&words);
            let file = |name| std::fs::File::create(desk.path(name)).expect("it is ours");
            command.stdout(file("printed")).stderr(file("complained"));
            let (exit, most) = watched(command.spawn().expect("the command was built"));
            let called = Called { exit, out: desk.read("printed"), err: desk.read("complained") };
            check_printed(called.exits(0), &words);
            assert!(called.out.len() < 20_000, "{log}: {} bytes are printed", called.out.len());
            assert!(most < 6 * FLOOD as u64, "{log}: {most} bytes of memory");
        }
    }
}

#[test]
fn campaigns_and_their_evidence_stay_inert_too() {
    let desk = desk();
    for (number, format) in [(0, "human"), (3, "json"), (18, "human")] {
        let cell = format!("line={number}");
        let words = ["soak", "hostile.yaml", "--set", &cell, "--cycles", "2", "--report", "soak", "--fresh"];
        call(&desk, &[&words[..], &["--format", format]].concat(), 1);
        check_kept(&desk, "soak");
    }
}

#[test]
fn a_log_and_a_dump_of_somebody_elses_stay_inert_too() {
    let desk = desk();
    let mut log = b"0000000100 [system] INFO: Starting handshake: presense_announce=1\n".to_vec();
    for line in LINES {
        log.extend([b"0000000200 [comm.dtls] ERROR: handshake failed -6800 ", *line, b"\n", *line, b"\n"].concat());
    }
    desk.put("board.log", &log);
    for format in ["human", "json"] {
        call(&desk, &["diagnose", "board.log", "--board", "argon", "--format", format], 0);
    }
    for (number, line) in LINES.iter().enumerate() {
        let mut flash = mouthpiece::says(line);
        flash.resize(256 << 10, 0xFF);
        // Where the keys of this board are, and its server's name among them.
        (0x3_e000..0x3_f000).zip(line.iter().cycle()).for_each(|(at, byte)| flash[at] = *byte);
        desk.put("dump.bin", &flash);
        let out = format!("unit-{number}");
        let words = ["autopsy", "--image", "dump.bin", "--board", "lantern-nrf51", "--out", &out, "--format"];
        call(&desk, &[&words[..], &[["human", "json"][number % 2]]].concat(), 0);
        check_kept(&desk, &out);
        call(&desk, &["lint", &out], 0);
    }
}

/// Ten million bytes and no end of line, at the speed of a terminal of the kernel.
const FLOOD: usize = 10_000_000;

const FLOODED: &str = "\
scenario: A board that does not stop
board: lantern-nrf51
firmware: as_found
steps:
  - supply: { usb: 5V }
  - send: begin
  - expect: { console: the end of it, within: 60s }
  - expect: { console: never said by anybody, within: 200ms }
";

/// A supply that does what it is asked.
const SUPPLY: &str = "\
#!/bin/sh
volts=0V
while read -r request; do
    case $request in
        hello*) echo 'value brickproof-command/1 switch set measure-voltage' ;;
        measure) echo \"value $volts -\" ;;
        'switch on') volts=5V; echo ok ;;
        'switch off') volts=0V; echo ok ;;
        *) echo ok ;;
    esac
done
";

/// The most memory that the process had so far, in bytes.
#[cfg(target_os = "linux")]
fn peak(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib << 10)
}

#[cfg(target_os = "linux")]
#[test]
fn ten_megabytes_without_an_end_of_line_take_bounded_time_and_memory() {
    let (mut board, held, port) = crate::terminal::line();
    let desk = Desk::with(&[("flooded.yaml", FLOODED), ("supply", SUPPLY)]);
    bench_at(&desk, &port);
    let said = std::thread::spawn(move || -> std::io::Result<()> {
        let (mut asked, mut byte) = (Vec::new(), [0]);
        while !asked.ends_with(b"begin") {
            board.read_exact(&mut byte)?;
            asked.push(byte[0]);
        }
        let piece = endless_piece();
        for _ in 0..FLOOD.div_ceil(piece.len()) {
            board.write_all(&piece)?;
        }
        board.write_all(b"the end of it\n")
    });
    let words = ["run", "flooded.yaml", "--bench", "bench.yaml", "--report", "out"];
    let mut command = desk.command(&words);
    let file = |name| std::fs::File::create(desk.path(name)).expect("it is ours");
    command.env("BRICKPROOF_STATE", desk.path("state")).stdout(file("printed")).stderr(file("complained"));
    let (exit, most) = watched(command.spawn().expect("the command was built"));
    let called = Called { exit, out: desk.read("printed"), err: desk.read("complained") };
    // Whoever still waits for a listener is told that there is none.
    drop(held);
    said.join().expect("it does not fail").expect("everything was taken");
    called.exits(1);
    check_printed(&called, &words);
    assert!(called.out.len() < 20_000, "{} bytes are printed", called.out.len());
    assert!(called.out.contains(" characters, all of them in the evidence)"), "what is cut is said: {}", called.out);
    assert!(most < 40 * FLOOD as u64, "{most} bytes of memory for {FLOOD} of console");
    check_kept(&desk, "out");
    let kept = desk.files("out/trials");
    let raw = kept.iter().find(|(name, _)| name.ends_with("console.raw")).expect("it is kept");
    assert!(raw.1.len() >= FLOOD, "{} bytes", raw.1.len());
}
