//! The driver `nftables` between network namespaces of the guest, with the stock `nft` and `tc` on a kernel that has all that they ask for.

use std::io::Read;
use std::time::{Duration, Instant};

use brickproof_ends::network::{BLOCKED, Lab, OTHER, connect, echo, told};
use brickproof_instruments::{
    Block, Failure, FailureKind, Fate, Firewall, Flow, Instrument, Kind, Settings, Transport, Value,
};
use brickproof_units::Span;
use libtest_mimic::Trial;

use super::{open, soon, trial};
use crate::{Mishap, note, same};

pub(super) fn all() -> Vec<Trial> {
    vec![
        trial("nftables::drops_and_rejects_by_port", drops_and_rejects_by_port),
        trial("nftables::delays_what_goes_to_the_board", delays_what_goes_to_the_board),
        trial(
            "nftables::a_connection_that_stands_is_cut_and_comes_back",
            a_connection_that_stands_is_cut_and_comes_back,
        ),
        trial("nftables::making_safe_leaves_no_rule", making_safe_leaves_no_rule),
        trial("nftables::an_unplugged_interface_is_missing", an_unplugged_interface_is_missing),
    ]
}

fn gateway(lab: &Lab) -> Result<Box<dyn Firewall>, Failure> {
    let settings = Settings::new()
        .with("interface", Value::Text("lan0".to_owned()))
        .with("namespace", Value::Text(lab.name("gw")));
    match open(Kind::Firewall, "nftables", &settings)? {
        Instrument::Firewall(gateway) => Ok(gateway),
        _ => unreachable!("the factory of firewalls opens firewalls"),
    }
}

fn block(transport: Option<Transport>, port: Option<u16>, fate: Fate) -> Block {
    Block { flow: Flow { transport, port }, fate }
}

const NEIGHBOUR: &str = "tcp works, other tcp works, udp works";

fn drops_and_rejects_by_port() -> Result<(), Mishap> {
    let lab = Lab::new()?;
    let mut gateway = gateway(&lab)?;
    for (blocks, seen) in [
        (vec![], NEIGHBOUR),
        (vec![block(Some(Transport::Tcp), Some(BLOCKED), Fate::Dropped)], "tcp vanishes, other tcp works, udp works"),
        (vec![block(Some(Transport::Udp), Some(BLOCKED), Fate::Dropped)], "tcp works, other tcp works, udp vanishes"),
        (vec![block(None, Some(BLOCKED), Fate::Rejected)], "tcp is refused, other tcp works, udp is refused"),
        (vec![block(None, None, Fate::Dropped)], "tcp vanishes, other tcp vanishes, udp vanishes"),
        (vec![], NEIGHBOUR),
    ] {
        gateway.block(&blocks, soon())?;
        same(&format!("{blocks:?}"), lab.flows("board").as_str(), seen)?;
        same("the neighbour", lab.flows("other").as_str(), NEIGHBOUR)?;
    }
    Ok(())
}

fn delays_what_goes_to_the_board() -> Result<(), Mishap> {
    let lab = Lab::new()?;
    let mut gateway = gateway(&lab)?;
    let round_trip = |of| {
        lab.inside(of, || {
            let mut stream = connect(OTHER)?;
            let before = Instant::now();
            echo(&mut stream).map(|()| before.elapsed())
        })
    };
    let by = Duration::from_millis(120);
    gateway.delay(Span::millis(120), soon())?;
    let (board, other) = (round_trip("board")?, round_trip("other")?);
    note(&format!("there and back: {board:?} for the board, {other:?} for its neighbour"));
    same("the board's is delayed", board >= by, true)?;
    same("its neighbour's is not", other < by, true)?;
    gateway.delay(Span::ZERO, soon())?;
    same("the delay is over", round_trip("board")? < by, true)?;
    gateway.delay(Span::millis(120), soon())?;
    gateway.make_safe(soon())?;
    same("making safe ends it too", round_trip("board")? < by, true)
}

fn a_connection_that_stands_is_cut_and_comes_back() -> Result<(), Mishap> {
    let lab = Lab::new()?;
    let mut gateway = gateway(&lab)?;
    let exchanged = lab.inside("board", || -> Result<&'static str, String> {
        let text = |error: std::io::Error| error.to_string();
        let mut stream = connect(BLOCKED).map_err(text)?;
        echo(&mut stream).map_err(text)?;
        let cut = block(Some(Transport::Tcp), Some(BLOCKED), Fate::Dropped);
        gateway.block(&[cut], soon()).map_err(|failure| failure.to_string())?;
        let during = told(echo(&mut stream));
        gateway.make_safe(soon()).map_err(|failure| failure.to_string())?;
        stream.set_read_timeout(Some(Duration::from_secs(20))).map_err(text)?;
        // TCP sends again what vanished.
        stream.read_exact(&mut [0; 4]).map_err(text)?;
        echo(&mut stream).map_err(text)?;
        Ok(during)
    })?;
    same("while it was blocked", exchanged, "vanishes")
}

fn making_safe_leaves_no_rule() -> Result<(), Mishap> {
    let lab = Lab::new()?;
    let rules = || lab.in_gateway("nft list ruleset");
    let before = rules();
    let mut gateway = gateway(&lab)?;
    gateway.block(&[block(None, None, Fate::Dropped)], soon())?;
    same("there are rules", rules() == before, false)?;
    gateway.make_safe(soon())?;
    same("there are none", rules(), before)
}

fn an_unplugged_interface_is_missing() -> Result<(), Mishap> {
    let lab = Lab::new()?;
    let mut gateway = gateway(&lab)?;
    gateway.block(&[block(None, None, Fate::Dropped)], soon())?;
    lab.in_gateway("ip link delete lan0");
    for failed in [gateway.block(&[block(None, None, Fate::Rejected)], soon()), gateway.delay(Span::millis(1), soon())]
    {
        let failure = failed.err().ok_or("nobody is behind it")?;
        note(&failure.to_string());
        same("missing", matches!(failure.kind(), FailureKind::Missing(_)), true)?;
    }
    Ok(())
}
