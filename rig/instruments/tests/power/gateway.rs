//! The gateway between network namespaces that a test makes and removes itself: real flows through a real kernel's rules.
//!
//! It needs root and the programs `ip`, `tc` and `nft`. Without them it says so loudly and checks nothing; with
//! `BRICKPROOF_REQUIRE_ORACLES=1`, as in the gate, that is a failure. A kernel without sch_netem cannot delay: there it is checked that the
//! driver says so, and that is said loudly too.

use std::io::Read;
use std::time::{Duration, Instant};

use brickproof_ends::network::{BLOCKED, Lab, OTHER, connect, connect_to, echo, serve_tcp, tcp, told};
use brickproof_instruments::{
    Block, FailureKind, Fate, Firewall, Flow, Instrument, Kind, Settings, Transport, Value, driver,
};
use brickproof_units::Span;

use crate::ends::soon;

/// `None`, loudly, where there cannot be one.
fn lab() -> Option<Lab> {
    let made = Lab::new();
    if let Err(missing) = &made {
        let required = std::env::var("BRICKPROOF_REQUIRE_ORACLES").is_ok_and(|value| value == "1");
        assert!(!required, "no network namespaces and BRICKPROOF_REQUIRE_ORACLES is 1: {missing}");
        eprintln!("NOT TESTED: the gateway, for want of root, ip, tc or nft: {missing}");
    }
    made.ok()
}

fn settings(lab: &Lab) -> Settings {
    Settings::new().with("interface", Value::Text("lan0".to_owned())).with("namespace", Value::Text(lab.name("gw")))
}

fn gateway_of(lab: &Lab) -> Box<dyn Firewall> {
    open(&settings(lab)).expect("the gateway is there")
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
    let Some(lab) = lab() else { return };
    let mut gateway = gateway_of(&lab);
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
    let Some(lab) = lab() else { return };
    let mut gateway = gateway_of(&lab);
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
    let Some(mut lab) = lab() else { return };
    lab.serve("gw", |serving| serve_tcp(GATEWAY, BLOCKED, serving));
    let mut gateway = gateway_of(&lab);
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
    let Some(lab) = lab() else { return };
    let blocks = [block(None, None, Fate::Dropped)];
    let mut absent = open(&settings(&lab).with("address", Value::Text("10.66.1.99".to_owned()))).unwrap();
    absent.block(&blocks, soon()).unwrap();
    assert_eq!(lab.inside("board", || tcp(OTHER)), "works");
    let mut present = open(&settings(&lab).with("address", Value::Text("10.66.1.2".to_owned()))).unwrap();
    present.block(&blocks, soon()).unwrap();
    assert_eq!(lab.inside("board", || tcp(OTHER)), "vanishes");
    absent.make_safe(soon()).unwrap();
    assert_eq!(lab.inside("board", || tcp(OTHER)), "vanishes", "one's safe state is not the other's");
    assert!(matches!(present.delay(Span::millis(1), soon()).unwrap_err().kind(), FailureKind::Unsupported(_)));
}

#[test]
fn other_peoples_tables_are_as_they_were_and_ours_are_gone() {
    let Some(lab) = lab() else { return };
    lab.in_gateway("nft 'table inet lab { chain forward { type filter hook forward priority 0; policy accept; tcp dport 1 drop; }; }'");
    let before = lab.in_gateway("nft list ruleset");
    let mut gateway = gateway_of(&lab);
    gateway.block(&[block(None, None, Fate::Rejected)], soon()).unwrap();
    assert!(lab.in_gateway("nft list ruleset").contains("brickproof_lan0"));
    gateway.make_safe(soon()).unwrap();
    assert_eq!(lab.in_gateway("nft list ruleset"), before);
    gateway.make_safe(soon()).unwrap();
    // A rig that was killed leaves its rules; the next one opens in its safe state.
    gateway.block(&[block(None, None, Fate::Dropped)], soon()).unwrap();
    drop(gateway);
    assert_eq!(lab.inside("board", || tcp(OTHER)), "vanishes");
    drop(gateway_of(&lab));
    assert_eq!(lab.inside("board", || tcp(OTHER)), "works");
    assert_eq!(lab.in_gateway("nft list ruleset"), before);
}

#[test]
fn what_goes_to_the_board_is_delayed() {
    let Some(lab) = lab() else { return };
    let mut gateway = gateway_of(&lab);
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
    let Some(lab) = lab() else { return };
    lab.in_gateway("tc qdisc replace dev lan0 root handle 7: pfifo limit 77");
    let before = lab.in_gateway("tc qdisc show dev lan0");
    let mut gateway = gateway_of(&lab);
    let failure = gateway.delay(Span::millis(10), soon()).unwrap_err();
    assert!(matches!(failure.kind(), FailureKind::Busy(_)), "{failure}");
    gateway.make_safe(soon()).unwrap();
    assert_eq!(lab.in_gateway("tc qdisc show dev lan0"), before);
}

#[test]
fn an_interface_or_a_namespace_that_is_not_there_is_missing() {
    let Some(lab) = lab() else { return };
    for settings in [
        settings(&lab).with("interface", Value::Text("lan9".to_owned())),
        settings(&lab).with("namespace", Value::Text("no-such-namespace".to_owned())),
    ] {
        let failure = open(&settings).err().expect("it is not there");
        assert!(matches!(failure.kind(), FailureKind::Missing(_)), "{failure}");
    }
    let mut gateway = gateway_of(&lab);
    lab.in_gateway("ip link delete lan0");
    let failure = gateway.block(&[block(None, None, Fate::Dropped)], soon()).unwrap_err();
    assert!(matches!(failure.kind(), FailureKind::Missing(_)), "a block that hits nobody is none: {failure}");
}
