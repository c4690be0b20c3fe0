//! The page as somebody meets it who speaks HTTP by hand: what is answered, to whom, and with which head.
//!
//! Boundary: no browser. Each test has a folder and a server of its own.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use brickproof_history::History;
use brickproof_report::evidence::Folder;
use brickproof_report::live::folder::Place;
use brickproof_report::live::{self, Live};
use brickproof_report::results::{Results, World};
use brickproof_serve::{Options, ServeError, Server, Token};
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// What somebody else's board, or somebody else's file, may be called and say.
const HOSTILE: &str = "\"><script>alert(1)</script><img src=x onerror=alert(1)>&#x3c;\u{202e}";

struct Served {
    folder: TempDir,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    /// The server's end, once it came to it.
    ended: std::sync::mpsc::Receiver<()>,
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn read(mut stream: TcpStream) -> Self {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("it answers");
        let at = bytes.windows(4).position(|it| it == b"\r\n\r\n").unwrap_or_else(|| panic!("no head: {bytes:?}"));
        let head = String::from_utf8_lossy(&bytes[..at]).into_owned();
        let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).expect("a status");
        Self { status, head: head.to_ascii_lowercase(), body: bytes.split_off(at + 4) }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

impl Served {
    fn new() -> Self {
        Self::with(None, &[])
    }

    fn with(token: Option<Token>, names: &[&str]) -> Self {
        let folder = TempDir::new().expect("there is room");
        let options = Options {
            folder: folder.path().to_owned(),
            token,
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        };
        let (stop, stopped) = oneshot::channel();
        let (tell_address, address) = std::sync::mpsc::channel();
        let (tell_end, ended) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            Runtime::new().expect("there are threads").block_on(async {
                let server = Server::bind("127.0.0.1:0".parse().expect("an address"), options).await.expect("it binds");
                tell_address.send(server.address()).expect("the test waits");
                server.run(async { drop(stopped.await) }).await;
            });
            let _ = tell_end.send(());
        });
        let address = address.recv().expect("it listens");
        Self { folder, address, stop: Some(stop), ended }
    }

    fn runs(&self) -> std::path::PathBuf {
        self.folder.path().join("runs")
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("it can be set");
        stream
    }

    /// Sends a head as it stands, without its last empty line.
    fn send(&self, head: &str) -> Answer {
        let mut stream = self.connect();
        stream.write_all(format!("{head}\r\n\r\n").as_bytes()).expect("it listens");
        Answer::read(stream)
    }

    fn get(&self, path: &str) -> Answer {
        self.get_with(path, "")
    }

    fn get_with(&self, path: &str, further: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close{further}", self.address))
    }
}

fn run_in(root: &Path) -> String {
    let folder = Folder::numbered(root).expect("there is room");
    folder.write(&Results::new(World::Lane, Vec::new()), &[]).expect("there is room");
    folder.path().file_name().expect("it has one").to_string_lossy().into_owned()
}

fn news(title: &str, console: &str) -> Live {
    Live {
        schema: live::SCHEMA.to_owned(),
        version: "0".to_owned(),
        pid: std::process::id(),
        title: title.to_owned(),
        world: World::Lane,
        bench: Some(title.to_owned()),
        run: Some(3),
        began_unix_ms: 1,
        told_unix_ms: u64::MAX / 2,
        progress: live::Progress { total: Some(4), done: 2, passed: 1, failed: 1, ..live::Progress::default() },
        stations: vec![live::Station {
            name: title.to_owned(),
            board: title.to_owned(),
            trial: Some(live::Trial {
                id: title.to_owned(),
                attempt: 2,
                scenario: title.to_owned(),
                began_unix_ms: 1,
                stage: live::Stage::Steps,
                step: Some(live::Step { index: 2, count: 5, text: title.to_owned() }),
                lights: vec![live::Light {
                    name: title.to_owned(),
                    words: title.to_owned(),
                    colour: title.to_owned(),
                    rhythm: live::Rhythm::Blink { period_ms: 101 },
                }],
                console: Some(console.to_owned()),
                rail_uv: Some(3_300_000),
            }),
        }],
        ended: vec![live::Ended {
            id: title.to_owned(),
            station: title.to_owned(),
            scenario: title.to_owned(),
            verdict: title.to_owned(),
            blame: Some(title.to_owned()),
            reason: title.to_owned(),
            duration_ns: 1,
        }],
        failures: Vec::new(),
    }
}

#[test]
fn every_answer_bears_what_keeps_it_in_its_place() {
    let served = Served::new();
    for path in ["/", "/no-such-page", "/style.css", "/api/now"] {
        let answer = served.get(path);
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "deny"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}: {}", answer.head);
        }
        let policy = answer.header("content-security-policy").expect("there is one");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert!(answer.header("access-control-allow-origin").is_none(), "{path}");
    }
    assert_eq!(served.get("/").header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(served.get("/no-such-page").status, 404);
}

#[test]
fn whoever_wants_to_do_more_than_look_is_refused() {
    let served = Served::new();
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW"] {
        let target = if method == "CONNECT" { served.address.to_string() } else { "/".to_owned() };
        let answer =
            served.send(&format!("{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close", served.address));
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("allow"), Some("get, head"), "{method}");
    }
    let head = served.send(&format!("HEAD / HTTP/1.1\r\nHost: {}\r\nConnection: close", served.address));
    assert_eq!((head.status, head.body.len()), (200, 0));
    let with_a_body = served.get_with("/", "\r\nContent-Length: 4");
    assert_eq!(with_a_body.status, 400);
    assert_eq!(served.get(&format!("/?{}", "a".repeat(3_000))).status, 414);
    // The head is read no further than that.
    let too_long = served.get_with("/", &format!("\r\nX-Long: {}", "a".repeat(60_000)));
    assert_eq!(too_long.status, 431);
}

#[test]
fn a_name_that_is_not_ours_is_not_answered() {
    let served = Served::with(None, &["bench.lab"]);
    let asked = |host: &str| served.send(&format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close")).status;
    for ours in ["127.0.0.1", "localhost:1234", "[::1]:80", "bench.lab"] {
        assert_eq!(asked(ours), 200, "{ours}");
    }
    for theirs in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", ""] {
        assert_eq!(asked(theirs), 421, "{theirs}");
    }
    let twice = served.send("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\nConnection: close");
    assert!(matches!(twice.status, 400 | 421), "{}", twice.head);
    let absolute = served.send("GET http://evil.example/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close");
    assert_eq!(absolute.status, 421);
}

#[test]
fn where_a_token_is_asked_for_nothing_is_shown_without_it() {
    let secret = "correct-horse-battery-staple";
    let served = Served::with(Some(Token::new(secret).expect("it is one")), &[]);
    run_in(&served.runs());
    for path in ["/", "/live", "/style.css", "/api/now", "/runs/1/files", "/runs/1/files/results.json"] {
        for further in ["", "\r\nCookie: brickproof=", "\r\nAuthorization: Bearer wrong", "\r\nAuthorization: Basic x"]
        {
            let refused = served.get_with(path, further);
            assert_eq!(refused.status, 401, "{path} {further}");
            assert!(!refused.text().contains(secret) && !refused.head.contains(secret));
        }
    }
    assert_eq!(served.get("/?token=wrong").status, 401);
    assert_eq!(served.get(&format!("/?token={}", secret.to_uppercase())).status, 401);
    assert_eq!(
        served.get_with("/", &format!("\r\nCookie: brickproof={secret}")).status,
        401,
        "the cookie is another text"
    );

    let admitted = served.get(&format!("/runs/1/files?a=b&token={secret}&c=d"));
    assert_eq!((admitted.status, admitted.header("location")), (303, Some("/runs/1/files?a=b&c=d")));
    let cookie = admitted.header("set-cookie").expect("it is given one").to_owned();
    assert!(cookie.contains("; httponly") && cookie.contains("; samesite=lax") && !cookie.contains(secret), "{cookie}");
    let cookie = cookie.split(';').next().expect("it has a value");
    assert_eq!(served.get_with("/", &format!("\r\nCookie: other=1; {cookie}")).status, 200);
    assert_eq!(served.get_with("/api/now", &format!("\r\nAuthorization: Bearer {secret}")).status, 200);
    let led_elsewhere = served.get(&format!("//evil.example/?token={secret}"));
    assert_eq!(led_elsewhere.header("location"), Some("/evil.example/"), "{}", led_elsewhere.head);
}

#[test]
fn other_computers_are_never_let_in_without_a_token() {
    let options = || Options { folder: "/nowhere".into(), token: None, names: Vec::new() };
    let refused = Runtime::new().expect("there are threads").block_on(async {
        let everybody = Server::bind("0.0.0.0:0".parse().expect("an address"), options()).await;
        let six = Server::bind("[::]:0".parse().expect("an address"), options()).await;
        [everybody, six]
    });
    for refused in refused {
        assert!(matches!(refused, Err(ServeError::NoToken(_))), "{refused:?}");
    }
}

#[test]
fn evidence_is_handed_out_as_text_or_bytes_and_nothing_beside_it() {
    let served = Served::new();
    let run = served.runs().join(run_in(&served.runs()));
    let trial = run.join("trials/a.1-00000000");
    fs::create_dir_all(&trial).expect("there is room");
    fs::write(trial.join("console.raw"), "<script>alert(1)</script>\x1b[31m").expect("there is room");
    fs::write(trial.join("page.html"), "<script>alert(1)</script>").expect("there is room");
    fs::write(served.folder.path().join("secret"), "SECRET").expect("there is room");
    std::os::unix::fs::symlink("../../secret", run.join("link")).expect("there is room");

    let console = served.get("/runs/1/files/trials/a.1-00000000/console.raw");
    assert_eq!((console.status, console.header("content-type")), (200, Some("application/octet-stream")));
    assert_eq!(console.body, b"<script>alert(1)</script>\x1b[31m");
    assert_eq!(console.header("content-length"), Some("30"));
    let page = served.get("/runs/1/files/trials/a.1-00000000/page.html");
    assert_eq!(page.header("content-type"), Some("text/plain; charset=utf-8"));
    for answer in [&console, &page, &served.get("/runs/1/files/junit.xml")] {
        assert!(
            answer.header("content-disposition").expect("it is saved").starts_with("attachment"),
            "{}",
            answer.head
        );
        assert!(
            answer.header("content-security-policy").expect("there is one").contains("sandbox;"),
            "{}",
            answer.head
        );
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }

    for name in [
        "../../../secret",
        "..%2f..%2f..%2fsecret",
        "%2e%2e/%2e%2e/secret",
        "%2fetc%2fpasswd",
        "/etc/passwd",
        "link",
        "trials/a.1-00000000",
        "trials/%00",
        "..\\secret",
        ".%2e/.%2e/secret",
    ] {
        let answer = served.get(&format!("/runs/1/files/{name}"));
        assert!(matches!(answer.status, 404 | 400), "{name}: {}", answer.status);
        assert!(!answer.text().contains("SECRET"), "{name}");
    }
    for run in ["..", "%2e%2e", "-1", "+1", "0x1", "99999999999999999999999", "1%2f..%2f.."] {
        let answer = served.get(&format!("/runs/{run}/files/results.json"));
        assert_eq!(answer.status, 404, "{run}");
    }
    assert_eq!(served.get("/trials/..%2f..").status, 404);
}

#[test]
fn a_report_runs_without_an_origin() {
    let served = Served::new();
    let run = served.runs().join(run_in(&served.runs()));
    // As runs of earlier versions are.
    fs::remove_file(run.join("report.html")).expect("it is there");
    assert_eq!(served.get("/runs/1").header("location"), Some("/runs/1/files"));
    fs::write(run.join("report.html"), "<!doctype html><title>r</title>").expect("there is room");
    // What was read before is read anew once the results are others.
    fs::write(run.join("results.json"), fs::read_to_string(run.join("results.json")).expect("it is there") + "\n")
        .expect("there is room");
    assert_eq!(served.get("/runs/1").header("location"), Some("/runs/1/report.html"));
    let report = served.get("/runs/1/report.html");
    assert_eq!(report.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = report.header("content-security-policy").expect("there is one");
    assert!(policy.contains("sandbox allow-scripts") && !policy.contains("allow-same-origin"), "{policy}");
    assert!(policy.contains("default-src 'none'") && !policy.contains("connect-src"), "{policy}");
}

#[test]
fn whatever_a_board_or_a_file_says_is_text_on_the_page() {
    let served = Served::new();
    let place = Place::take(&served.folder.path().join("live")).expect("there is room");
    place.put(&news(HOSTILE, HOSTILE)).expect("there is room");
    let page = served.get("/").text();
    assert!(page.contains("&lt;script&gt;alert(1)"), "it is there: {page}");
    assert!(!page.contains("<script>alert") && !page.contains("<img"), "{page}");
    assert!(!page.contains("class=\"led &quot;") && page.contains("led unknown blinks p100"), "{page}");
    let told: serde_json::Value = serde_json::from_slice(&served.get("/api/now").body).expect("it is JSON");
    assert_eq!(told[0]["alive"], true);
    assert_eq!(told[0]["live"]["stations"][0]["trial"]["console"], HOSTILE);
}

#[test]
fn a_process_that_was_killed_is_told_as_such() {
    let served = Served::new();
    let live = served.folder.path().join("live");
    fs::create_dir_all(&live).expect("there is room");
    let text = serde_json::to_string(&news("killed", "its last line")).expect("it is JSON");
    fs::write(live.join("1-0.json"), text).expect("there is room");
    fs::write(live.join("1-0.lock"), "").expect("there is room");
    let page = served.get("/").text();
    assert!(
        page.contains("Ended without a word") && page.contains("make-safe") && page.contains("its last line"),
        "{page}"
    );
    assert!(!page.contains("blinks"), "nothing moves any more");
}

#[test]
fn who_watches_is_told_at_once_and_let_go_at_the_end() {
    let mut served = Served::new();
    let place = Place::take(&served.folder.path().join("live")).expect("there is room");
    let mut watcher = served.connect();
    watcher
        .write_all(format!("GET /live HTTP/1.1\r\nHost: {}\r\n\r\n", served.address).as_bytes())
        .expect("it listens");
    let mut heard = String::new();
    let mut wait_for = |wanted: &str| {
        let mut piece = [0; 4096];
        while !heard.contains(wanted) {
            let length = watcher.read(&mut piece).expect("it goes on");
            assert!(length > 0, "{wanted} never came: {heard}");
            heard.push_str(&String::from_utf8_lossy(&piece[..length]));
        }
    };
    wait_for("Nothing is running");
    place.put(&news("brown-out", "first\r\ndata: not a line of its own")).expect("there is room");
    wait_for("brown-out");
    place.put(&news("brown-out", "second")).expect("there is room");
    wait_for("second");
    served.stop.take().expect("it runs").send(()).expect("it listens");
    let mut rest = Vec::new();
    watcher.read_to_end(&mut rest).expect("it ends");
    assert!(rest.ends_with(b"0\r\n\r\n"), "it is brought to its end, and not cut off: {rest:?}");
    served.ended.recv_timeout(Duration::from_secs(10)).expect("it comes to its end");
    assert!(heard.contains("content-type: text/event-stream"));
    let told = heard.split("\r\n\r\n").skip(1).collect::<String>();
    assert!(told.lines().all(|line| !line.starts_with("data: not a line")), "{told}");
    assert!(TcpStream::connect(served.address).is_err(), "nobody listens any more");
}

#[test]
fn there_is_an_end_to_how_many_may_watch_and_the_others_are_told() {
    let served = Served::new();
    let watch = || {
        let mut stream = served.connect();
        stream
            .write_all(format!("GET /live HTTP/1.1\r\nHost: {}\r\n\r\n", served.address).as_bytes())
            .expect("it listens");
        let mut begun = [0; 12];
        stream.read_exact(&mut begun).expect("it answers");
        (String::from_utf8_lossy(&begun).into_owned(), stream)
    };
    let mut seats = Vec::new();
    let refused = (0..1_000).find_map(|_| {
        let (begun, stream) = watch();
        seats.push(stream);
        (begun != "HTTP/1.1 200").then_some(begun)
    });
    assert_eq!(refused.as_deref(), Some("HTTP/1.1 503"));
    assert_eq!(served.get("/").status, 200, "whoever loads the page still gets it");
}

#[test]
fn a_history_that_is_not_there_or_not_ours_is_told_and_is_no_failure() {
    let served = Served::new();
    let absent = served.get("/history");
    assert_eq!(absent.status, 200);
    assert!(absent.text().contains("There is no history yet"), "{}", absent.text());
    assert!(!served.folder.path().join("history.sqlite").exists(), "whoever looks makes none");
    fs::write(served.folder.path().join("history.sqlite"), "<script>alert(1)</script>").expect("there is room");
    let foreign = served.get("/history");
    assert_eq!(foreign.status, 200);
    assert!(foreign.text().contains("The history cannot be shown"), "{}", foreign.text());
}

/// What the page says where a history should be, of which this was made.
fn told_of(spoil: impl FnOnce(&Path)) -> String {
    let served = Served::new();
    let path = served.folder.path().join("history.sqlite");
    drop(History::open(&path).expect("there is room"));
    spoil(&path);
    let answer = served.get("/history");
    assert_eq!((answer.status, served.get("/").status), (200, 200), "the other pages are not concerned");
    let text = answer.text().replace(&served.folder.path().display().to_string(), "[folder]");
    let (_, from) = text.split_once("<h1>").expect("it has a title");
    from.split_once("</main>").expect("it has an end").0.to_owned()
}

#[test]
fn a_history_that_cannot_be_read_is_told_with_what_to_try() {
    let put = |path: &Path, at: usize, what: &[u8]| {
        let mut bytes = fs::read(path).expect("it is there");
        bytes[at..at + what.len()].copy_from_slice(what);
        fs::write(path, bytes).expect("it is ours");
    };
    let mut told = String::new();
    let mut tell = |name: &str, text: String| told.push_str(&format!("{name}: {text}\n"));
    // Where SQLite keeps the version of whoever uses the file, and where its first page tells of tables.
    tell("newer", told_of(|path| put(path, 60, &99_u32.to_be_bytes())));
    tell("damaged", told_of(|path| put(path, 100, &[0xA5; 1_000])));
    tell("locked", {
        let mut other = None;
        let text = told_of(|path| {
            let it = Connection::open(path).expect("it is there");
            let keeps_it = "PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; UPDATE run SET night = night; COMMIT";
            it.execute_batch(keeps_it).expect("nobody else has it");
            other = Some(it);
        });
        drop(other);
        text
    });
    insta::assert_snapshot!(told);
}
