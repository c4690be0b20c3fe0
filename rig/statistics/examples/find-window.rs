//! Searches for vulnerable windows on simulated boards, and shows how many trials that takes and how far off the edges are.
//!
//! Boundary: a board is a window, two failure probabilities and a jitter; what it is compared with is written beside it.
//!
//! `cargo run --release -p brickproof-statistics --example find-window [SEEDS [still|moving|several]]`

#![expect(clippy::print_stdout, reason = "it is an example: printing is its purpose")]

use std::time::{Duration, Instant as Clock};

use brickproof_statistics::{
    Counts, NotResolved, Outcome, Probability, Window, WindowEdge, WindowSearch, WindowSettings,
};
use brickproof_units::{Instant, Span};

const RANGE: Span = Span::secs(3);
const MARGIN: f64 = 1.10;

/// The noise of one simulated board: SplitMix64.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn gaussian(&mut self) -> f64 {
        libm::sqrt(-2.0 * libm::log(1.0 - self.next())) * libm::cos(std::f64::consts::TAU * self.next())
    }
}

/// A kind of board.
#[derive(Clone, Copy)]
struct Kind {
    widths: &'static [f64],
    inside: f64,
    outside: f64,
    jitter: f64,
    tolerance: f64,
    /// Mean, and 95th percentile, of the trials to both edges over 60 boards: Brickproof's notes on power faults, section 4.
    noted: Option<(f64, f64)>,
}

struct Board {
    kind: Kind,
    windows: Vec<(f64, f64)>,
    noise: Noise,
}

impl Board {
    /// Its windows lie anywhere, in order, at least 20 ms apart.
    fn new(kind: Kind, seed: u64) -> Self {
        let mut noise = Noise(seed.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        noise.next();
        let room = 3000.0 - kind.widths.iter().sum::<f64>() - 20.0 * kind.widths.len() as f64;
        let mut gaps: Vec<f64> = kind.widths.iter().map(|_| noise.next() * room).collect();
        gaps.sort_by(f64::total_cmp);
        let mut before = 10.0;
        let windows = kind.widths.iter().zip(gaps).map(|(width, gap)| {
            let opens = gap + before;
            before += width + 20.0;
            (opens, opens + width)
        });
        Self { kind, windows: windows.collect(), noise }
    }

    fn trial(&mut self, at: Instant) -> Outcome {
        let shift = if self.kind.jitter > 0.0 { self.noise.gaussian() * self.kind.jitter } else { 0.0 };
        let moved = millis(at) + shift;
        let hit = self.windows.iter().any(|(opens, closes)| (*opens..*closes).contains(&moved));
        let p = if hit { self.kind.inside } else { self.kind.outside };
        if self.noise.next() < p { Outcome::Failed } else { Outcome::Survived }
    }
}

fn millis(at: Instant) -> f64 {
    at.as_nanos() as f64 / 1e6
}

fn settings(kind: Kind, seed: u64) -> WindowSettings {
    let p = |value| Probability::new(value).expect("a probability");
    WindowSettings {
        from: Instant::START,
        to: Instant::START + RANGE,
        resolution: Span::nanos((kind.tolerance * 1e6) as u64),
        credibility: p(0.99),
        smallest_width: Span::millis(5),
        weakest: p(0.3),
        confidence: p(0.95),
        cap: 20_000,
        cap_per_window: 2_000,
        seed,
    }
}

/// What one search gave.
#[derive(Default)]
struct Found {
    scan: u64,
    total: u64,
    /// Of each edge that was resolved: how far off, and whether its interval holds the truth.
    edges: Vec<(f64, bool)>,
    /// The larger of a window's two, when both were resolved.
    worst: Vec<f64>,
    cap: u64,
    jitter: u64,
    /// Windows where there is none.
    wrong: u64,
    missed: u64,
    took: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    FirstWindow,
    Covered,
}

fn search(kind: Kind, seed: u64, until: Until) -> Found {
    let mut board = Board::new(kind, seed);
    let started = Clock::now();
    let mut search = WindowSearch::new(settings(kind, seed)).expect("settings that can be");
    let mut scan = 0;
    while let Some(query) = search.query() {
        let outcome = board.trial(query.instant);
        search.record(query.instant, outcome);
        if scan == 0 && outcome == Outcome::Failed {
            scan = search.trials();
        }
        if until == Until::FirstWindow && !search.windows().is_empty() {
            break;
        }
    }
    let mut found = Found { scan, total: search.trials(), took: started.elapsed(), ..Found::default() };
    let windows = search.windows();
    for window in &windows {
        found.judge(window, &board.windows);
    }
    let met = |truth: &&(f64, f64)| windows.iter().any(|window| overlaps(window, **truth));
    found.missed = board.windows.iter().filter(|truth| !met(truth)).count() as u64;
    found
}

fn span_of(edge: WindowEdge) -> (f64, f64) {
    match edge {
        WindowEdge::Resolved { low, high, .. } | WindowEdge::NotResolved { low, high, .. } => {
            (millis(low), millis(high))
        }
        WindowEdge::AtTheEnd { at } => (millis(at), millis(at)),
    }
}

fn overlaps(window: &Window, (opens, closes): (f64, f64)) -> bool {
    span_of(window.opens).0 <= closes && opens <= span_of(window.closes).1
}

impl Found {
    fn judge(&mut self, window: &Window, truths: &[(f64, f64)]) {
        let Some(truth) = truths.iter().find(|truth| overlaps(window, **truth)) else {
            self.wrong += 1;
            return;
        };
        let mut errors = Vec::new();
        for (edge, truth) in [(window.opens, truth.0), (window.closes, truth.1)] {
            match edge {
                WindowEdge::Resolved { at, low, high } => {
                    errors.push((millis(at) - truth).abs());
                    self.edges.push(((millis(at) - truth).abs(), (millis(low)..=millis(high)).contains(&truth)));
                }
                WindowEdge::NotResolved { why: NotResolved::Jitter, .. } => self.jitter += 1,
                WindowEdge::NotResolved { .. } | WindowEdge::AtTheEnd { .. } => self.cap += 1,
            }
        }
        if errors.len() == 2 {
            self.worst.push(errors[0].max(errors[1]));
        }
    }
}

fn searches(kind: Kind, seeds: u64, until: Until) -> Vec<Found> {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    std::thread::scope(|scope| {
        let part = |first| (first..seeds).step_by(threads as usize).map(|seed| search(kind, seed, until)).collect();
        let handles: Vec<_> = (0..threads).map(|first| scope.spawn(move || -> Vec<Found> { part(first) })).collect();
        handles.into_iter().flat_map(|handle| handle.join().expect("a search does not panic")).collect()
    })
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(((values.len() as f64 - 1.0) * share).round() as usize).copied().unwrap_or(f64::NAN)
}

fn verdict(ours: f64, noted: Option<f64>) -> String {
    noted.map_or_else(
        || "      -".to_owned(),
        |noted| format!("{noted:>5.0} {}", if ours <= noted * MARGIN { "met" } else { "MISSED" }),
    )
}

fn report(kind: Kind, found: &[Found]) {
    let mut totals: Vec<f64> = found.iter().map(|it| it.total as f64).collect();
    let scans: Vec<f64> = found.iter().map(|it| it.scan as f64).collect();
    let mut worst: Vec<f64> = found.iter().flat_map(|it| it.worst.iter().copied()).collect();
    let edges: Vec<(f64, bool)> = found.iter().flat_map(|it| it.edges.iter().copied()).collect();
    let held = edges.iter().filter(|(_, held)| *held).count() as u64;
    let coverage = Counts::new(held, edges.len() as u64).expect("some of all");
    let interval = coverage.clopper_pearson(Probability::new(0.95).expect("a probability"));
    let sum = |of: fn(&Found) -> u64| found.iter().map(of).sum::<u64>();
    let (trials, took) = (sum(|it| it.total), found.iter().map(|it| it.took).sum::<Duration>());
    let (average, tail) = (mean(&totals), percentile(&mut totals, 0.95));
    let widths: Vec<String> = kind.widths.iter().map(f64::to_string).collect();
    println!(
        "{:>9} {:>5} {:>6} {:>6} {:>4} | {:>6.1} {:>6.0} {:>6.0} | {:>12} {:>12} | {:>5.2} {:>5.2} {:>5.2} | {:>6} ({interval}) | {:>4} {:>4} {:>3} {:>3} | {:>5.1}",
        widths.join("+"),
        kind.inside,
        kind.outside,
        kind.jitter,
        kind.tolerance,
        mean(&scans),
        average,
        tail,
        verdict(average, kind.noted.map(|it| it.0)),
        verdict(tail, kind.noted.map(|it| it.1)),
        mean(&worst),
        percentile(&mut worst, 0.5),
        percentile(&mut worst, 0.95),
        coverage.estimate().unwrap_or_default().to_string(),
        sum(|it| it.cap),
        sum(|it| it.jitter),
        sum(|it| it.wrong),
        sum(|it| it.missed),
        took.as_secs_f64() * 1e6 / trials as f64,
    );
}

fn header(title: &str, seeds: u64) {
    println!("\n{title}; {seeds} boards each");
    println!(
        "  width/ms  p in  p out jitter  tol |   scan  total    p95 | noted mean    noted p95    | worst edge/ms     | intervals that hold the edge  | not resolved   wrong missed | us/trial"
    );
    println!(
        "                                    |  trials               |                           |  mean   p50   p95 |  share (95 % of that)         | cap jitter  windows"
    );
}

fn main() {
    let seeds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1000);
    let part = std::env::args().nth(2);
    let wanted = |name: &str| part.as_deref().is_none_or(|part| part == name);
    let one = |width: &'static [f64], tolerance, inside, outside, jitter, noted| Kind {
        widths: width,
        inside,
        outside,
        jitter,
        tolerance,
        noted,
    };
    println!(
        "T = 3 s; credible intervals of 99 %; noted: means over 60 boards, met with a margin of {:.0} %",
        (MARGIN - 1.0) * 100.0
    );
    if wanted("still") {
        header("Edges that do not move, until the first window is located", seeds);
        for kind in [
            one(&[250.0], 5.0, 0.3, 0.0, 0.0, Some((761.0, 3178.0))),
            one(&[250.0], 5.0, 0.7, 0.0, 0.0, Some((245.0, 423.0))),
            one(&[250.0], 5.0, 0.95, 0.0, 0.0, Some((200.0, 247.0))),
            one(&[250.0], 5.0, 0.7, 0.003, 0.0, Some((314.0, 661.0))),
            one(&[30.0], 3.0, 0.3, 0.0, 0.0, None),
            one(&[30.0], 3.0, 0.7, 0.0, 0.0, Some((496.0, 3170.0))),
            one(&[30.0], 3.0, 0.95, 0.0, 0.0, None),
            one(&[5.0], 1.0, 0.3, 0.0, 0.0, None),
            one(&[5.0], 1.0, 0.7, 0.0, 0.0, Some((777.0, 1925.0))),
            one(&[5.0], 1.0, 0.95, 0.0, 0.0, None),
        ] {
            report(kind, &searches(kind, seeds, Until::FirstWindow));
        }
    }
    // Where nothing is resolved, each search takes all the trials it may: enough boards for an interval, and no more.
    let seeds = seeds.min(200);
    if wanted("moving") {
        header(
            "Edges that move from trial to trial by so many ms of standard deviation, until the first window is located",
            seeds,
        );
        for kind in [
            one(&[250.0], 5.0, 0.7, 0.0, 1.0, Some((245.0, 423.0))),
            one(&[250.0], 5.0, 0.7, 0.003, 1.0, Some((314.0, 661.0))),
            one(&[250.0], 5.0, 0.7, 0.0, 5.0, Some((245.0, 423.0))),
            one(&[250.0], 5.0, 0.3, 0.0, 1.0, Some((761.0, 3178.0))),
            one(&[30.0], 3.0, 0.7, 0.0, 1.0, Some((496.0, 3170.0))),
            one(&[5.0], 1.0, 0.7, 0.0, 0.25, Some((777.0, 1925.0))),
            one(&[250.0], 1.0, 0.7, 0.0, 10.0, None),
        ] {
            report(kind, &searches(kind, seeds, Until::FirstWindow));
        }
    }
    if wanted("several") {
        header(
            "Several windows on one board, searched until every 5 ms in which 30 % fail would have been met with 95 %",
            seeds,
        );
        for kind in [
            one(&[250.0], 5.0, 0.7, 0.0, 0.0, None),
            one(&[30.0, 5.0, 250.0], 3.0, 0.7, 0.0, 0.0, None),
            one(&[30.0, 5.0, 250.0], 3.0, 0.3, 0.0, 0.0, None),
            one(&[30.0, 5.0, 250.0], 3.0, 0.7, 0.003, 0.5, None),
        ] {
            report(kind, &searches(kind, seeds, Until::Covered));
        }
    }
}
