//! How fast unmatched log goes by, for one and for many patterns, and what a single stamped byte costs.

use std::hint::black_box;
use std::time::Duration;

use brickproof_console::{Matcher, Pattern};
use brickproof_units::Instant;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// What scenarios wait for, and none of it is in the log below.
const PATTERNS: [&str; 16] = [
    r"Cloud connected$",
    r"handshake failed -[0-9a-f]{4} forever",
    r"(?i)panic|hard ?fault|assertion failed",
    r"^lantern \d+\.\d+\.\d+ \(\w+\)",
    r"erasing key page",
    r"temp=(-?\d+\.\d+) C\r",
    r"key update done, device key ([0-9a-f]{16})",
    r"\breset reason: (?:brown-out|watchdog)\b",
    r"Public Server (?:Key|Address) was blank, restoring\.",
    r"\xff\x00\x01",
    r"code=1[67]\b.*again",
    r"^> ",
    r"sensor \d+ of \d+ absent",
    r"~rekeyed [0-9a-f]{16}",
    r"retry in (?:\d+) s",
    r"SOS \d+",
];

fn log_text(len: usize) -> Vec<u8> {
    let lines = [
        "[system] INFO: Cloud: connecting",
        "[system] INFO: Cloud socket connected",
        "[system] INFO: Starting handshake: presense_announce=1",
        "[comm.protocol.handshake] INFO: Establish secure connection",
        "[comm.dtls] INFO: (CMPL,RENEG,NO_SESS,ERR) restoreStatus=2",
        "[app] main.cpp:118, loop(): TRACE: humidity 48.2 %, pressure 1013 hPa, temp=21.5 K",
        "[comm.dtls] ERROR: handshake failed -6800",
        "[system] WARN: Cloud handshake failed, code=17",
        "[app] TRACE: heap 41232 free, largest block 38011, uptime 93 s",
    ];
    let mut text = Vec::with_capacity(len + 128);
    for (number, line) in lines.iter().cycle().enumerate() {
        if text.len() >= len {
            break;
        }
        text.extend_from_slice(format!("{:010} {line}\r\n", number * 37).as_bytes());
    }
    text.truncate(len);
    text
}

fn matcher(count: usize) -> Matcher {
    let mut matcher = Matcher::new();
    for source in &PATTERNS[..count] {
        matcher.add(&Pattern::regex(source).expect("the patterns of this file are valid"));
    }
    matcher
}

fn unmatched_log(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("unmatched_log");
    for count in [1, 16] {
        for kib in [64, 256, 1024, 4096] {
            let text = log_text(kib * 1024);
            let mut matcher = matcher(count);
            assert!(matcher.feed(Instant::START, &text).is_empty(), "the log must not match");
            group.throughput(Throughput::Bytes(text.len() as u64));
            group.bench_function(BenchmarkId::new(format!("{count}_patterns"), format!("{kib}_KiB")), |bencher| {
                bencher.iter(|| text.chunks(4096).for_each(|read| drop(black_box(matcher.feed(Instant::START, read)))));
            });
        }
    }
    group.finish();
}

fn single_bytes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("single_bytes");
    let text = log_text(64 * 1024);
    group.throughput(Throughput::Elements(text.len() as u64));
    for count in [1, 16] {
        let mut matcher = matcher(count);
        group.bench_function(format!("{count}_patterns"), |bencher| {
            bencher.iter(|| text.chunks(1).for_each(|byte| drop(black_box(matcher.feed(Instant::START, byte)))));
        });
    }
    group.finish();
}

/// What it costs that expectations come and go: a new table for the new set, learnt again on the next 4 KiB of log.
fn changing_patterns(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("changing_patterns");
    let text = log_text(4 * 1024);
    let pattern = Pattern::regex(PATTERNS[0]).expect("the patterns of this file are valid");
    for count in [1, 16] {
        let mut matcher = matcher(count);
        group.bench_function(format!("{count}_patterns"), |bencher| {
            bencher.iter(|| {
                let id = matcher.add(&pattern);
                let found = matcher.feed(Instant::START, &text);
                matcher.remove(id);
                found
            });
        });
    }
    group.finish();
}

/// Patterns that make the table grow with every combination of beginnings: it is emptied again and again, and has to stay usable.
fn adversarial_patterns(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("adversarial_patterns");
    let mut matcher = Matcher::new();
    for source in ["a[a-p]{12}b", "c[a-p]{12}d", "e[a-p]{12}f", "g[a-p]{12}h"] {
        matcher.add(&Pattern::regex(source).expect("the patterns of this file are valid"));
    }
    let mut random = 1_u64;
    let letters = std::iter::repeat_with(|| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        b"aaccceegghhijklmnop"[(random >> 33) as usize % 19]
    });
    let text: Vec<u8> = letters.take(64 * 1024).collect();
    group.throughput(Throughput::Bytes(text.len() as u64)).sample_size(10);
    group.bench_function("64_KiB", |bencher| bencher.iter(|| matcher.feed(Instant::START, &text)));
    group.finish();
}

criterion_group! {
    name = benches;
    // All benches together take some four minutes.
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = unmatched_log, single_bytes, changing_patterns, adversarial_patterns
}
criterion_main!(benches);
