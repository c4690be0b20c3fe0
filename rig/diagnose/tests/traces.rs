//! Traces of devices with known causes, recorded by a model that knows nothing of the weights: how often is the true cause first?

#![expect(clippy::unwrap_used, reason = "helpers of tests: clippy only knows the functions that are tests")]

#[path = "traces/device.rs"]
mod device;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use brickproof_boards::Shelf;
use brickproof_diagnose::{Cause, Channel, Hypothesis, Reader, Sign, diagnose};
use brickproof_units::Span;
use device::{Dice, Transport, record};

/// Traces of each cause and transport.
const EACH: u64 = 120;

/// How many of the measurements that are proposed somebody makes.
const MEASUREMENTS: usize = 3;

struct Said {
    /// What is first, and what is second, from the trace alone.
    first: Hypothesis,
    second: Hypothesis,
    /// What is first after the measurements.
    at_last: Hypothesis,
}

/// What a measurement would show.
fn is_so(sign: Sign, truth: Hypothesis) -> bool {
    let is = |cause| truth.causes().any(|it| it == cause);
    match sign {
        Sign::AddressDiffers => is(Cause::ServerAddress),
        Sign::ServerKeyDiffers => is(Cause::ServerKey),
        Sign::DeviceKeyDiffers => is(Cause::DeviceKey),
        Sign::OtherNetworkHelps => is(Cause::NetworkBlocked),
        Sign::OthersToo => is(Cause::NetworkBlocked) || is(Cause::ServerRefusing),
        Sign::PermissionDenied => is(Cause::RegisteredToProduct),
        other => panic!("nobody would be asked to measure {other:?}"),
    }
}

fn diagnosed(truth: Hypothesis, transport: Transport, dice: &mut Dice) -> Said {
    static SHELF: LazyLock<Shelf> = LazyLock::new(Shelf::shipped);
    let board = SHELF.board(if transport == Transport::Udp { "argon" } else { "photon" }).unwrap();
    let causes: Vec<Cause> = truth.causes().collect();
    let trace = record(&causes, transport, dice);
    let mut reader = Reader::new(board);
    trace.lines.iter().for_each(|line| reader.line(line.as_bytes()));
    trace.sights.iter().for_each(|sight| reader.sight(sight));
    trace.told.iter().for_each(|told| reader.words(told).unwrap());
    let transport = reader.transport();
    let mut observed = reader.finish();
    let alone = diagnose(&observed, transport);
    // Whoever could see the light or the log has done so.
    for channel in [Channel::Light, Channel::Log] {
        observed.watch(channel, Span::ZERO);
    }
    let mut at_last = diagnose(&observed, transport);
    for _ in 0..MEASUREMENTS {
        let Some(sign) = at_last.next.as_ref().and_then(|next| next.decides) else { break };
        if is_so(sign, truth) {
            observed.see(sign, "measured");
        } else {
            observed.deny(sign);
        }
        at_last = diagnose(&observed, transport);
    }
    Said { first: alone.first().hypothesis, second: alone.ranking[1].hypothesis, at_last: at_last.first().hypothesis }
}

/// Of one truth.
#[derive(Default)]
struct Row {
    first: BTreeMap<Hypothesis, u64>,
    among_two: u64,
    at_last: BTreeMap<Hypothesis, u64>,
}

/// How often each truth was called what.
fn confusion(transport: Transport) -> BTreeMap<Hypothesis, Row> {
    let mut matrix: BTreeMap<_, Row> = BTreeMap::new();
    let mut dice = Dice(20_261_126);
    for truth in Hypothesis::all() {
        let row = matrix.entry(truth).or_default();
        for _ in 0..EACH {
            let said = diagnosed(truth, transport, &mut dice);
            *row.first.entry(said.first).or_default() += 1;
            *row.at_last.entry(said.at_last).or_default() += 1;
            row.among_two += u64::from(said.first == truth || said.second == truth);
        }
    }
    matrix
}

fn others(truth: Hypothesis, said: &BTreeMap<Hypothesis, u64>) -> String {
    let others: Vec<_> =
        said.iter().filter(|(said, _)| **said != truth).map(|(said, n)| format!("{said} {n}")).collect();
    others.join(", ")
}

fn shown(matrix: &BTreeMap<Hypothesis, Row>) -> String {
    let mut text =
        format!("of {EACH} traces each: first, among the first two, first after {MEASUREMENTS} measurements\n\n");
    for (truth, row) in matrix {
        let of = |said: &BTreeMap<Hypothesis, u64>| said.get(truth).copied().unwrap_or(0);
        let (first, at_last) = (of(&row.first), of(&row.at_last));
        writeln!(text, "{:33} {first:3} {:3} {at_last:3}", truth.to_string(), row.among_two).unwrap();
        for (when, said) in [("first", &row.first), ("at last", &row.at_last)] {
            let others = others(*truth, said);
            if !others.is_empty() {
                writeln!(text, "    {when}: {others}").unwrap();
            }
        }
    }
    text
}

#[test]
fn the_true_cause_is_first_where_anything_shows_it() {
    for (name, transport) in [("udp", Transport::Udp), ("tcp", Transport::Tcp)] {
        let matrix = confusion(transport);
        insta::assert_snapshot!(name, shown(&matrix));
        for cause in Cause::ALL {
            let truth = Hypothesis::One(cause);
            let at_last = matrix[&truth].at_last.get(&truth).copied().unwrap_or(0);
            assert!(at_last * 100 >= EACH * 85, "{name}: {cause} is found {at_last} times of {EACH}");
        }
        // Whatever is said of a blocked network, nobody is sent to write keys.
        let row = &matrix[&Hypothesis::One(Cause::NetworkBlocked)];
        for said in row.first.keys().chain(row.at_last.keys()) {
            let of_keys = said.causes().any(|cause| matches!(cause, Cause::ServerKey | Cause::DeviceKey));
            assert!(!of_keys, "a blocked network was called {said}");
        }
    }
}
