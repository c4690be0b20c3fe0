//! The driver against servers: one of a few lines that can also misbehave, written from the specification and not from the client, and
//! pyserial's, with a pseudo-terminal behind it.

use std::io::{BufRead as _, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use super::*;
use crate::kinds::Console;
use crate::settings::Value;

const SOON: Span = Span::secs(10);

/// In what a server differs from a good one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Good,
    RefusesComPort,
    RefusesBinary,
    SetsAnotherRate,
    HasNoDtr,
    Silent,
    InUse,
}

/// What a server saw: commands of RFC 2217 and their values, and data.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Command(u8, Vec<u8>),
    Data(u8),
}

struct Server {
    address: String,
    seen: Receiver<Seen>,
    /// What it sends as it stands, in single bytes.
    say: Sender<Vec<u8>>,
    /// Cut by the test.
    connections: Receiver<TcpStream>,
}

impl Server {
    fn new(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let ((see, seen), (say, said)) = (mpsc::channel(), mpsc::channel::<Vec<u8>>());
        let (connect, connections) = mpsc::channel();
        let current = std::sync::Arc::new(std::sync::Mutex::new(None::<TcpStream>));
        let mouth = std::sync::Arc::clone(&current);
        thread::spawn(move || {
            for bytes in said {
                let mut stream = mouth.lock().unwrap().as_ref().unwrap().try_clone().unwrap();
                for byte in bytes {
                    stream.write_all(&[byte]).unwrap();
                }
            }
        });
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                stream.set_nodelay(true).unwrap();
                *current.lock().unwrap() = Some(stream.try_clone().unwrap());
                connect.send(stream.try_clone().unwrap()).unwrap();
                let see = see.clone();
                thread::spawn(move || serve(manner, stream, &see));
            }
        });
        Self { address, seen, say, connections }
    }

    fn open(&self) -> Result<Box<dyn Console>, Failure> {
        self.open_with(Settings::new(), SOON)
    }

    fn open_with(&self, settings: Settings, within: Span) -> Result<Box<dyn Console>, Failure> {
        let settings =
            settings.with("address", Value::Text(self.address.clone())).with("settle", Value::Span(Span::millis(1)));
        match Rfc2217Factory.open(&settings, Deadline::after(within))? {
            Instrument::Console(console) => Ok(console),
            _ => panic!("a serial port is a console"),
        }
    }

    /// The failure to open it, with the changing number of its port replaced.
    fn refusal(&self, settings: Settings, within: Span) -> String {
        let failure = self.open_with(settings, within).err().expect("it must be refused");
        failure.to_string().replace(&self.address, "SERVER")
    }

    fn commands(&self) -> Vec<(u8, Vec<u8>)> {
        self.seen
            .try_iter()
            .filter_map(|seen| match seen {
                Seen::Command(command, value) => Some((command, value)),
                Seen::Data(_) => None,
            })
            .collect()
    }

    fn data(&self, count: usize) -> Vec<u8> {
        let data = std::iter::from_fn(|| self.seen.recv_timeout(Duration::from_secs(10)).ok());
        data.filter_map(|seen| if let Seen::Data(byte) = seen { Some(byte) } else { None }).take(count).collect()
    }
}

fn serve(manner: Manner, mut stream: TcpStream, see: &Sender<Seen>) {
    if manner == Manner::InUse {
        stream.write_all(b"Port already in use\r\n").unwrap();
        stream.shutdown(std::net::Shutdown::Both).unwrap();
        return;
    }
    // Options that a client must turn down, once each.
    stream.write_all(&[255, 251, 1, 255, 253, 24]).unwrap();
    let mut input = std::io::BufReader::new(stream.try_clone().unwrap()).bytes().map_while(Result::ok);
    while let Some(byte) = input.next() {
        if byte != 255 {
            let _ = see.send(Seen::Data(byte));
            continue;
        }
        let answer = match (input.next(), manner) {
            (Some(255), _) => {
                let _ = see.send(Seen::Data(255));
                continue;
            }
            (Some(250), _) => {
                let mut inside = Vec::new();
                loop {
                    match (input.next(), inside.last()) {
                        (Some(255), _) => match input.next() {
                            Some(255) => inside.push(255),
                            Some(240) => break,
                            other => panic!("IAC {other:?} inside a subnegotiation"),
                        },
                        (Some(byte), _) => inside.push(byte),
                        (None, _) => return,
                    }
                }
                let [44, command, value @ ..] = &inside[..] else { panic!("not RFC 2217: {inside:?}") };
                let _ = see.send(Seen::Command(*command, value.to_vec()));
                let value = match (manner, command, value) {
                    (Manner::SetsAnotherRate, 1, _) => 9_600u32.to_be_bytes().to_vec(),
                    (Manner::HasNoDtr, 5, [8]) => vec![9],
                    _ => value.to_vec(),
                };
                let escaped = value.iter().flat_map(|&b| if b == 255 { vec![255, 255] } else { vec![b] });
                [255, 250, 44, command + 100].into_iter().chain(escaped).chain([255, 240]).collect()
            }
            (Some(_), Manner::Silent) => {
                input.next();
                continue;
            }
            (Some(verb), _) => match (verb, input.next().unwrap()) {
                // WILL and DO.
                (251, 44) if manner == Manner::RefusesComPort => vec![255, 254, 44],
                (251, 0) if manner == Manner::RefusesBinary => vec![255, 254, 0],
                (251, option @ (0 | 3 | 44)) => vec![255, 253, option],
                (253, option @ (0 | 3)) => vec![255, 251, option],
                // WONT TERMINAL-TYPE and DONT ECHO, as they should be.
                (252, 24) | (254, 1) => continue,
                other => panic!("unexpected negotiation {other:?}"),
            },
            (None, _) => return,
        };
        let _ = stream.write_all(&answer);
    }
}

fn read(console: &mut dyn Console, count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < count {
        bytes.extend(console.read(Deadline::after(SOON)).unwrap().expect("more bytes").bytes);
    }
    bytes
}

fn text(word: &str) -> Value {
    Value::Text(word.to_owned())
}

#[test]
fn the_port_is_set_as_the_bench_file_says() {
    let server = Server::new(Manner::Good);
    let settings = Settings::new()
        // A rate with the escape byte in it.
        .with("baud", Value::Baud(Baud::new(0xFF00)))
        .with("dtr", text("released"))
        .with("rts", text("asserted"))
        .with("backlog", text("purge"));
    server.open_with(settings, SOON).unwrap();
    let expected = [(1, vec![0, 0, 0xFF, 0]), (2, vec![8]), (3, vec![1]), (4, vec![1]), (5, vec![1]), (5, vec![9])];
    let rest = [(5, vec![11]), (12, vec![1])];
    assert_eq!(server.commands(), expected.into_iter().chain(rest).collect::<Vec<_>>());
}

#[test]
fn every_byte_passes_unchanged_both_ways_even_one_at_a_time() {
    let server = Server::new(Manner::Good);
    let mut console = server.open().unwrap();
    let every: Vec<u8> = (0..=255).collect();
    console.write(&every, Deadline::after(SOON)).unwrap();
    assert_eq!(server.data(256), every);

    let mut escaped = every.clone();
    escaped.push(255);
    server.say.send(escaped).unwrap();
    assert_eq!(read(&mut *console, 256), every);
}

#[test]
fn what_the_server_says_about_its_lines_is_no_console_data() {
    let server = Server::new(Manner::Good);
    let mut console = server.open().unwrap();
    // NOTIFY-MODEMSTATE in the middle of a word.
    server.say.send(b"wo\xff\xfa\x2c\x6b\xb0\xff\xf0rd".to_vec()).unwrap();
    assert_eq!(read(&mut *console, 4), b"word");
}

#[test]
fn a_touch_sets_the_rate_and_comes_back_and_drops_dtr_only_for_arduino() {
    let rate = |baud: u32| (1, baud.to_be_bytes().to_vec());
    for (baud, expected) in [
        (14_400, vec![rate(14_400), rate(115_200)]),
        (1_200, vec![rate(1_200), (5, vec![9]), (5, vec![8]), rate(115_200)]),
    ] {
        let server = Server::new(Manner::Good);
        let mut console = server.open().unwrap();
        server.commands();
        console.touch(Touch(Baud::new(baud)), Deadline::after(SOON)).unwrap();
        assert_eq!(server.commands(), expected);
    }
}

#[test]
fn a_server_that_cannot_says_so_and_is_believed() {
    let asserted = Settings::new().with("dtr", text("asserted"));
    let said = [
        Server::new(Manner::RefusesComPort).refusal(Settings::new(), SOON),
        Server::new(Manner::RefusesBinary).refusal(Settings::new(), SOON),
        Server::new(Manner::SetsAnotherRate).refusal(Settings::new(), SOON),
        Server::new(Manner::HasNoDtr).refusal(asserted, SOON),
        Server::new(Manner::Silent).refusal(Settings::new(), Span::millis(100)),
        Server::new(Manner::InUse).refusal(Settings::new(), SOON),
    ];
    insta::assert_snapshot!(said.join("\n"), @r"
    console rfc2217 SERVER failed to connect to it and set its port to 115200Bd: unsupported: the server does not control its port (RFC 2217)
    console rfc2217 SERVER failed to connect to it and set its port to 115200Bd: unsupported: the server refuses to pass bytes unchanged (RFC 856)
    console rfc2217 SERVER failed to connect to it and set its port to 115200Bd: read back differently: asked for 115200Bd, the server set 9600Bd
    console rfc2217 SERVER failed to connect to it and set its port to 115200Bd: unsupported: the server's port refuses DTR
    console rfc2217 SERVER failed to connect to it and set its port to 115200Bd: no answer within 100ms
    console rfc2217 SERVER failed to connect to it and set its port to 115200Bd: unexpected answer: it hung up, saying `Port already in use`
    ");
}

#[test]
fn a_connection_that_breaks_is_gone_once_and_made_again() {
    let server = Server::new(Manner::Good);
    let mut console = server.open().unwrap();
    server.connections.recv().unwrap().shutdown(std::net::Shutdown::Both).unwrap();
    let failure = console.read(Deadline::after(SOON)).unwrap_err();
    assert!(matches!(failure.kind(), FailureKind::Gone(_)), "{failure}");
    assert_eq!(console.read(Deadline::after(Span::millis(200))).unwrap(), None);
    console.write(b"again", Deadline::after(SOON)).unwrap();
    assert_eq!(server.data(5), b"again");
}

#[test]
fn nobody_listening_is_a_missing_device() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let settings = Settings::new().with("address", text(&address));
    let failure = Rfc2217Factory.open(&settings, Deadline::after(SOON)).err().expect("nobody is there");
    assert!(matches!(failure.kind(), FailureKind::Missing(_)), "{failure}");
}

/// Pyserial's server, on a pseudo-terminal whose board's end is the test's. `None`, loudly, if there is no pyserial.
fn pyserial(node: &std::path::Path) -> Option<(Child, String)> {
    let Some(folder) = std::env::var_os("BRICKPROOF_PYSERIAL") else {
        let required = std::env::var("BRICKPROOF_REQUIRE_ORACLES").is_ok_and(|value| value == "1");
        assert!(!required, "BRICKPROOF_PYSERIAL is not set, and BRICKPROOF_REQUIRE_ORACLES is 1");
        eprintln!("NOT CHECKED: set BRICKPROOF_PYSERIAL to a folder with the package pyserial 3.5");
        return None;
    };
    let mut python = Command::new("python3");
    python.arg("-c").arg(include_str!("pyserial.py")).arg(node).env("PYTHONPATH", folder);
    let mut child = python.stdout(Stdio::piped()).spawn().expect("python3 starts");
    let mut port = String::new();
    std::io::BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
    assert!(!port.is_empty(), "pyserial's server did not start: see above");
    Some((child, format!("127.0.0.1:{}", port.trim())))
}

#[test]
fn pyserials_server_understands_it_and_passes_every_byte() {
    let (mut board, node) = crate::drivers::test_terminal();
    let Some((mut python, address)) = pyserial(&node) else { return };
    let settings = Settings::new()
        .with("address", text(&address))
        .with("baud", Value::Baud(Baud::new(57_600)))
        .with("dtr", text("released"))
        .with("backlog", text("purge"))
        .with("settle", Value::Span(Span::millis(300)));
    let opened = Rfc2217Factory.open(&settings, Deadline::after(SOON));
    let Ok(Instrument::Console(mut console)) = opened else { panic!("{}", opened.err().unwrap()) };
    let rate = |board: &std::fs::File| rustix::termios::tcgetattr(board).unwrap().output_speed();
    assert_eq!(rate(&board), 57_600);

    let every: Vec<u8> = (0..=255).cycle().take(4096).collect();
    console.write(&every, Deadline::after(SOON)).unwrap();
    let mut got = vec![0; every.len()];
    board.read_exact(&mut got).unwrap();
    assert!(got == every, "the board got something else");
    board.write_all(&every).unwrap();
    assert!(read(&mut *console, every.len()) == every, "the console got something else");

    let watched = board.try_clone().unwrap();
    let watch = thread::spawn(move || {
        let deadline = Deadline::after(SOON);
        while rate(&watched) != 14_400 {
            assert!(!deadline.has_passed(), "the board never saw the touch");
            thread::yield_now();
        }
    });
    console.touch(Touch(Baud::new(14_400)), Deadline::after(SOON)).unwrap();
    watch.join().unwrap();
    assert_eq!(rate(&board), 57_600);

    python.kill().unwrap();
    python.wait().unwrap();
    let failure = console.read(Deadline::after(SOON)).unwrap_err();
    assert!(matches!(failure.kind(), FailureKind::Gone(_)), "{failure}");
}
