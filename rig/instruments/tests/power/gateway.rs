//! The gateway between network namespaces that a test makes and removes itself: real flows through a real kernel's rules.
//!
//! It needs root and the programs `ip`, `tc` and `nft`. Without them it says so loudly and checks nothing; with
//! `BRICKPROOF_REQUIRE_ORACLES=1`, as in the gate, that is a failure. A kernel without sch_netem cannot delay: there it is checked that the
//! driver says so, and that is said loudly too.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use brickproof_instruments::{
    Block, FailureKind, Fate, Firewall, Flow, Instrument, Kind, Settings, Transport, Value, driver,
};
use brickproof_units::Span;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::ends::soon;

const CLOUD: &str = "10.66.2.2";
/// CoAP over DTLS, and MQTT over TLS.
const BLOCKED: u16 = 5684;
const OTHER: u16 = 8883;
/// Longer than any answer within one kernel takes, on a busy host too.
const PATIENCE: Duration = Duration::from_millis(400);

/// A board and its neighbour, each on an interface of the gateway, and a cloud behind it.
struct Lab {
    prefix: String,
    stop: Arc<AtomicBool>,
    servers: Vec<JoinHandle<()>>,
}

fn sh(script: &str) -> Result<String, String> {
    let output = Command::new("sh").args(["-ec", script]).output().map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!("{script}: {}", String::from_utf8_lossy(&output.stderr))),
    }
}

impl Lab {
    /// `None`, loudly, where there cannot be one.
    fn new() -> Option<Self> {
        static LABS: AtomicU32 = AtomicU32::new(0);
        let prefix = format!("bpt{}x{}", std::process::id(), LABS.fetch_add(1, Ordering::Relaxed));
        let probe = sh(&format!("nft --version && tc -V && ip netns add {prefix}gw"));
        if let Err(missing) = probe {
            let required = std::env::var("BRICKPROOF_REQUIRE_ORACLES").is_ok_and(|value| value == "1");
            assert!(!required, "no network namespaces and BRICKPROOF_REQUIRE_ORACLES is 1: {missing}");
            eprintln!("NOT TESTED: the gateway, for want of root, ip, tc or nft: {missing}");
            return None;
        }
        let mut lab = Self { prefix, stop: Arc::default(), servers: Vec::new() };
        let p = &lab.prefix;
        let inside = |name: &str, address: &str, gateway: &str, at: &str| {
            format!(
                "ip netns add {p}{name}
                 ip -n {p}gw link add {at} type veth peer name eth0 netns {p}{name}
                 ip -n {p}gw addr add {gateway}/24 dev {at}
                 ip -n {p}gw link set {at} up
                 ip -n {p}{name} addr add {address}/24 dev eth0
                 ip -n {p}{name} link set eth0 up
                 ip -n {p}{name} route add default via {gateway}\n"
            )
        };
        let script = [
            inside("board", "10.66.1.2", "10.66.1.1", "lan0"),
            inside("cloud", CLOUD, "10.66.2.1", "wan0"),
            inside("other", "10.66.3.2", "10.66.3.1", "lan1"),
            format!("ip netns exec {p}gw sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'"),
        ];
        sh(&script.concat()).expect("root makes networks");
        for port in [BLOCKED, OTHER] {
            lab.serve("cloud", move |serving| serve_tcp(CLOUD, port, serving));
        }
        lab.serve("cloud", |serving| serve_udp(BLOCKED, serving));
        Some(lab)
    }

    fn name(&self, of: &str) -> String {
        format!("{}{of}", self.prefix)
    }

    /// Runs a server in one of the namespaces; it listens when this returns.
    fn serve(&mut self, of: &str, server: impl FnOnce(Serving) + Send + 'static) {
        let (name, stop) = (self.name(of), Arc::clone(&self.stop));
        let (ready, is_ready) = mpsc::channel();
        self.servers.push(thread::spawn(move || {
            enter(&name);
            server(Serving { ready, stop });
        }));
        is_ready.recv().expect("it listens");
    }

    /// Does something on a thread in one of the namespaces.
    fn inside<T: Send>(&self, of: &str, act: impl FnOnce() -> T + Send) -> T {
        let name = self.name(of);
        thread::scope(|scope| {
            let inside = scope.spawn(move || {
                enter(&name);
                act()
            });
            inside.join().expect("what is asked inside does not panic")
        })
    }

    fn settings(&self) -> Settings {
        Settings::new()
            .with("interface", Value::Text("lan0".to_owned()))
            .with("namespace", Value::Text(self.name("gw")))
    }

    fn gateway(&self) -> Box<dyn Firewall> {
        open(&self.settings()).expect("the gateway is there")
    }

    fn in_gateway(&self, command: &str) -> String {
        sh(&format!("ip netns exec {} {command}", self.name("gw"))).expect("the gateway is there")
    }

    /// What becomes of each flow from the board or its neighbour: TCP to either port, UDP.
    fn flows(&self, of: &str) -> String {
        self.inside(of, || format!("tcp {}, other tcp {}, udp {}", tcp(BLOCKED), tcp(OTHER), udp(BLOCKED)))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for server in self.servers.drain(..) {
            let ended = server.join();
            assert!(ended.is_ok() || thread::panicking(), "a server panicked");
        }
        for of in ["board", "cloud", "other", "gw"] {
            let removed = sh(&format!("ip netns delete {}", self.name(of)));
            assert!(removed.is_ok() || thread::panicking(), "{removed:?}");
        }
    }
}

fn enter(namespace: &str) {
    let file = File::open(format!("/run/netns/{namespace}")).expect("it was made");
    move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).expect("root may");
}

struct Serving {
    ready: mpsc::Sender<()>,
    stop: Arc<AtomicBool>,
}

impl Serving {
    fn goes_on(&self) -> bool {
        thread::sleep(Duration::from_millis(2));
        !self.stop.load(Ordering::Relaxed)
    }
}

fn serve_tcp(at: &str, port: u16, serving: Serving) {
    let listener = TcpListener::bind((at, port)).expect("the port is free");
    listener.set_nonblocking(true).expect("sockets can");
    serving.ready.send(()).expect("somebody waits");
    let mut open: Vec<TcpStream> = Vec::new();
    while serving.goes_on() {
        if let Ok((stream, _)) = listener.accept() {
            stream.set_nonblocking(true).expect("sockets can");
            open.push(stream);
        }
        for stream in &mut open {
            let mut buffer = [0; 64];
            if let Ok(read @ 1..) = stream.read(&mut buffer) {
                let _ = stream.write_all(&buffer[..read]);
            }
        }
    }
}

fn serve_udp(port: u16, serving: Serving) {
    let socket = UdpSocket::bind((CLOUD, port)).expect("the port is free");
    socket.set_nonblocking(true).expect("sockets can");
    serving.ready.send(()).expect("somebody waits");
    while serving.goes_on() {
        let mut buffer = [0; 64];
        if let Ok((read, from)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(&buffer[..read], from);
        }
    }
}

fn told(result: io::Result<()>) -> &'static str {
    match result {
        Ok(()) => "works",
        Err(error) => match error.kind() {
            ErrorKind::TimedOut | ErrorKind::WouldBlock => "vanishes",
            ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => "is refused",
            _ => panic!("{error}"),
        },
    }
}

fn connect(port: u16) -> io::Result<TcpStream> {
    connect_to(CLOUD, port)
}

fn connect_to(at: &str, port: u16) -> io::Result<TcpStream> {
    let address: SocketAddr = format!("{at}:{port}").parse().expect("it is one");
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn echo(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(b"ping")?;
    stream.read_exact(&mut [0; 4])
}

fn tcp(port: u16) -> &'static str {
    told(connect(port).and_then(|mut stream| echo(&mut stream)))
}

fn udp(port: u16) -> &'static str {
    let exchange = || {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.connect((CLOUD, port))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.send(b"ping")?;
        socket.recv(&mut [0; 8]).map(|_| ())
    };
    told(exchange())
}

fn open(settings: &Settings) -> Result<Box<dyn Firewall>, brickproof_instruments::Failure> {
    match driver(Kind::Firewall, "nftables").expect("it is in the list").open(settings, soon())? {
        Instrument::Firewall(gateway) => Ok(gateway),
        _ => panic!("it is no firewall"),
    }
}

fn block(transport: Option<Transport>, port: Option<u16>, fate: Fate) -> Block {
    Block { flow: Flow { transport, port }, fate }
}

#[test]
fn flows_are_dropped_and_refused_and_the_neighbours_are_not() {
    let Some(lab) = Lab::new() else { return };
    let mut gateway = lab.gateway();
    let mut seen = vec![format!("nothing blocked: {}", lab.flows("board"))];
    for (name, block) in [
        ("tcp 5684 dropped", block(Some(Transport::Tcp), Some(BLOCKED), Fate::Dropped)),
        ("udp 5684 dropped", block(Some(Transport::Udp), Some(BLOCKED), Fate::Dropped)),
        ("tcp 5684 refused", block(Some(Transport::Tcp), Some(BLOCKED), Fate::Rejected)),
        ("5684 refused", block(None, Some(BLOCKED), Fate::Rejected)),
        ("all dropped", block(None, None, Fate::Dropped)),
        ("all refused", block(None, None, Fate::Rejected)),
    ] {
        gateway.block(&[block], soon()).unwrap();
        seen.push(format!("{name}: {}", lab.flows("board")));
        assert_eq!(lab.flows("other"), "tcp works, other tcp works, udp works", "the neighbour, {name}");
    }
    gateway.block(&[], soon()).unwrap();
    seen.push(format!("nothing blocked: {}", lab.flows("board")));
    insta::assert_snapshot!(seen.join("\n"), @r"
    nothing blocked: tcp works, other tcp works, udp works
    tcp 5684 dropped: tcp vanishes, other tcp works, udp works
    udp 5684 dropped: tcp works, other tcp works, udp vanishes
    tcp 5684 refused: tcp is refused, other tcp works, udp works
    5684 refused: tcp is refused, other tcp works, udp is refused
    all dropped: tcp vanishes, other tcp vanishes, udp vanishes
    all refused: tcp is refused, other tcp is refused, udp is refused
    nothing blocked: tcp works, other tcp works, udp works
    ");
}

#[test]
fn a_connection_that_stands_is_cut_too_and_comes_back() {
    let Some(lab) = Lab::new() else { return };
    let mut gateway = lab.gateway();
    lab.inside("board", || {
        let mut stream = connect(BLOCKED).unwrap();
        echo(&mut stream).unwrap();
        gateway.block(&[block(Some(Transport::Tcp), Some(BLOCKED), Fate::Dropped)], soon()).unwrap();
        assert_eq!(told(echo(&mut stream)), "vanishes");
        gateway.make_safe(soon()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        // TCP sends again what vanished.
        stream.read_exact(&mut [0; 4]).unwrap();
        echo(&mut stream).unwrap();
    });
}

#[test]
fn a_peer_on_the_gateway_itself_is_blocked_too() {
    const GATEWAY: &str = "10.66.1.1";
    let Some(mut lab) = Lab::new() else { return };
    lab.serve("gw", |serving| serve_tcp(GATEWAY, BLOCKED, serving));
    let mut gateway = lab.gateway();
    for (blocks, expected) in [
        (vec![], "works"),
        (vec![block(None, Some(BLOCKED), Fate::Dropped)], "vanishes"),
        (vec![block(None, Some(BLOCKED), Fate::Rejected)], "is refused"),
    ] {
        gateway.block(&blocks, soon()).unwrap();
        let seen = lab.inside("board", || told(connect_to(GATEWAY, BLOCKED).and_then(|mut stream| echo(&mut stream))));
        assert_eq!(seen, expected);
    }
}

#[test]
fn one_board_of_several_behind_an_interface_is_blocked() {
    let Some(lab) = Lab::new() else { return };
    let blocks = [block(None, None, Fate::Dropped)];
    let mut absent = open(&lab.settings().with("address", Value::Text("10.66.1.99".to_owned()))).unwrap();
    absent.block(&blocks, soon()).unwrap();
    assert_eq!(lab.inside("board", || tcp(OTHER)), "works");
    let mut present = open(&lab.settings().with("address", Value::Text("10.66.1.2".to_owned()))).unwrap();
    present.block(&blocks, soon()).unwrap();
    assert_eq!(lab.inside("board", || tcp(OTHER)), "vanishes");
    absent.make_safe(soon()).unwrap();
    assert_eq!(lab.inside("board", || tcp(OTHER)), "vanishes", "one's safe state is not the other's");
    assert!(matches!(present.delay(Span::millis(1), soon()).unwrap_err().kind(), FailureKind::Unsupported(_)));
}

#[test]
fn other_peoples_tables_are_as_they_were_and_ours_are_gone() {
    let Some(lab) = Lab::new() else { return };
    lab.in_gateway("nft 'table inet lab { chain forward { type filter hook forward priority 0; policy accept; tcp dport 1 drop; }; }'");
    let before = lab.in_gateway("nft list ruleset");
    let mut gateway = lab.gateway();
    gateway.block(&[block(None, None, Fate::Rejected)], soon()).unwrap();
    assert!(lab.in_gateway("nft list ruleset").contains("brickproof_lan0"));
    gateway.make_safe(soon()).unwrap();
    assert_eq!(lab.in_gateway("nft list ruleset"), before);
    gateway.make_safe(soon()).unwrap();
    // A rig that was killed leaves its rules; the next one opens in its safe state.
    gateway.block(&[block(None, None, Fate::Dropped)], soon()).unwrap();
    drop(gateway);
    assert_eq!(lab.inside("board", || tcp(OTHER)), "vanishes");
    drop(lab.gateway());
    assert_eq!(lab.inside("board", || tcp(OTHER)), "works");
    assert_eq!(lab.in_gateway("nft list ruleset"), before);
}

#[test]
fn what_goes_to_the_board_is_delayed() {
    let Some(lab) = Lab::new() else { return };
    let mut gateway = lab.gateway();
    let by = Span::millis(150);
    let round_trip = |of| {
        lab.inside(of, || {
            let mut stream = connect(OTHER).unwrap();
            let before = Instant::now();
            echo(&mut stream).unwrap();
            before.elapsed()
        })
    };
    if let Err(failure) = gateway.delay(by, soon()) {
        insta::assert_snapshot!(failure, @"nftables on lan0 failed to delay what goes to the board by 150ms: unsupported: this kernel cannot delay: it has no sch_netem");
        eprintln!("NOT TESTED: a delay, for want of sch_netem in this kernel");
        return;
    }
    assert!(round_trip("board") >= Duration::from_millis(150));
    assert!(round_trip("other") < Duration::from_millis(150), "the neighbour is not delayed");
    gateway.delay(Span::ZERO, soon()).unwrap();
    assert!(round_trip("board") < Duration::from_millis(150));
}

#[test]
fn somebody_elses_shaping_is_left_alone() {
    let Some(lab) = Lab::new() else { return };
    lab.in_gateway("tc qdisc replace dev lan0 root handle 7: pfifo limit 77");
    let before = lab.in_gateway("tc qdisc show dev lan0");
    let mut gateway = lab.gateway();
    let failure = gateway.delay(Span::millis(10), soon()).unwrap_err();
    assert!(matches!(failure.kind(), FailureKind::Busy(_)), "{failure}");
    gateway.make_safe(soon()).unwrap();
    assert_eq!(lab.in_gateway("tc qdisc show dev lan0"), before);
}

#[test]
fn an_interface_or_a_namespace_that_is_not_there_is_missing() {
    let Some(lab) = Lab::new() else { return };
    for settings in [
        lab.settings().with("interface", Value::Text("lan9".to_owned())),
        lab.settings().with("namespace", Value::Text("no-such-namespace".to_owned())),
    ] {
        let failure = open(&settings).err().expect("it is not there");
        assert!(matches!(failure.kind(), FailureKind::Missing(_)), "{failure}");
    }
    let mut gateway = lab.gateway();
    lab.in_gateway("ip link delete lan0");
    let failure = gateway.block(&[block(None, None, Fate::Dropped)], soon()).unwrap_err();
    assert!(matches!(failure.kind(), FailureKind::Missing(_)), "a block that hits nobody is none: {failure}");
}
