//! Finds the windows of instants at which a fault harms: how many there are, and where each opens and closes.
//!
//! Boundary: it asks for a trial at an instant and is told how that ended. It makes none, owns no clock, and does not care whether
//! a trial takes 50 us or 30 s. Between two trials it is plain data.
//!
//! 1. **Scan** in golden-ratio order until a trial fails.
//! 2. **Confirm** at the same instant that it was no stray: failures outside of windows are rare, not impossible.
//! 3. **Locate** both edges, each trial where it tells most, until the credible intervals are as narrow as asked.
//! 4. Go on scanning, until a window of the smallest width that was asked for would have been met.

use brickproof_units::Instant;

use crate::{Outcome, Sequence, success_run};

mod edge;
mod finding;
mod hypotheses;
mod location;
mod record;
mod settings;

pub use finding::{NotResolved, Window, WindowEdge, WindowEnd};
pub use settings::{WindowError, WindowSettings};

use hypotheses::Hypotheses;
use location::{Estimate, Location};
use record::{Record, Trial};

/// The trial that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query {
    /// When to make the fault.
    pub instant: Instant,
    /// What for.
    pub purpose: Purpose,
}

/// What a trial is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Looking for a window.
    Scan,
    /// Whether a failure was a stray.
    Confirm,
    /// Where a window opens.
    Opening,
    /// Where a window closes.
    Closing,
}

/// A search for windows. Plain data.
#[derive(Clone, Debug)]
pub struct WindowSearch {
    settings: WindowSettings,
    hypotheses: Hypotheses,
    sequence: Sequence,
    /// How many points of the sequence were looked at.
    scanned: u64,
    record: Record,
    found: Vec<Found>,
    strays: Vec<Instant>,
    /// Failures that another window's search could not explain.
    unexplained: Vec<Instant>,
    /// Failures whose window was found to have a gap, once.
    reopened: Vec<Instant>,
    state: State,
    asked: Option<Query>,
}

#[derive(Clone, Debug)]
enum State {
    Scanning,
    Confirming(Confirmation),
    Locating(Box<Locating>),
    Ended(WindowEnd),
}

#[derive(Clone, Copy, Debug)]
struct Confirmation {
    anchor: Instant,
    /// The evidence for a window, in nats.
    evidence: f64,
    trials: u64,
}

#[derive(Clone, Debug)]
struct Locating {
    location: Location,
    trials: u64,
}

#[derive(Clone, Copy, Debug)]
struct Found {
    anchor: Instant,
    window: Window,
    /// Where it opens and closes at the latest and the earliest.
    inner: [Instant; 2],
    /// Nothing from here on is outside...
    from: Instant,
    /// ...up to here.
    to: Instant,
}

/// How much likelier a window must be than a stray, in nats: a thousand to one.
const CONFIRMED: f64 = 6.907_755_278_982_137;

/// The most that is believed of failures outside before they were counted; the same as the most that `hypotheses` knows.
const MOST_OUTSIDE: f64 = 0.02;

/// So many points of the sequence are passed over before the whole range is looked through for a gap.
const PASSED_OVER: u64 = 64;

impl WindowSearch {
    /// A search before its first trial.
    ///
    /// # Errors
    ///
    /// If what is asked cannot be; the message says what to ask instead.
    pub fn new(settings: WindowSettings) -> Result<Self, WindowError> {
        settings.check()?;
        Ok(Self {
            hypotheses: Hypotheses::new(settings.resolution.as_nanos() as f64),
            sequence: Sequence::new(1, settings.seed),
            scanned: 0,
            record: Record::default(),
            found: Vec::new(),
            strays: Vec::new(),
            unexplained: Vec::new(),
            reopened: Vec::new(),
            state: State::Scanning,
            asked: None,
            settings,
        })
    }

    /// The next trial; nothing when the search has ended. Asks for the same one until that is recorded.
    pub fn query(&mut self) -> Option<Query> {
        if self.asked.is_none() {
            self.asked = self.decide();
        }
        self.asked
    }

    /// How a trial ended, with the instant at which the fault was really made. Trials that were not asked for count as well.
    pub fn record(&mut self, achieved: Instant, outcome: Outcome) {
        self.asked = None;
        self.record.add(Trial { at: achieved, outcome });
        match &mut self.state {
            State::Scanning => {
                let in_range = self.settings.from <= achieved && achieved <= self.settings.to;
                if outcome == Outcome::Failed && in_range && !self.explained(achieved) {
                    self.confirm(achieved);
                }
            }
            State::Confirming(confirmation) => {
                confirmation.trials += 1;
                let outside = outside_rate(&self.record, self.strays.len());
                let inside = self.settings.weakest.get().max(2.0 * outside);
                confirmation.evidence += match outcome {
                    Outcome::Failed => libm::log(inside / outside),
                    Outcome::Survived => libm::log1p(-inside) - libm::log1p(-outside),
                };
                self.weigh_confirmation();
            }
            State::Locating(locating) => {
                locating.trials += 1;
                locating.location.observe(&self.hypotheses, achieved, outcome);
                if outcome == Outcome::Failed {
                    self.reconsider();
                }
                self.settle();
            }
            State::Ended(_) => {}
        }
    }

    /// How many trials were recorded.
    pub fn trials(&self) -> u64 {
        self.record.len()
    }

    /// The windows that were found, in order of their instants.
    pub fn windows(&self) -> Vec<Window> {
        let mut found: Vec<&Found> = self.found.iter().collect();
        found.sort_by_key(|found| found.anchor);
        found.iter().map(|found| found.window).collect()
    }

    /// Failures that did not repeat, and lie in no window.
    pub fn strays(&self) -> &[Instant] {
        &self.strays
    }

    /// How it ended, if it has.
    pub fn end(&self) -> Option<WindowEnd> {
        match self.state {
            State::Ended(end) => Some(end),
            _ => None,
        }
    }

    /// How many trials each stretch of the smallest width must have.
    pub fn trials_per_width(&self) -> u64 {
        success_run(self.settings.weakest, self.settings.confidence).unwrap_or(1)
    }

    fn decide(&mut self) -> Option<Query> {
        if self.end().is_some() {
            return None;
        }
        if self.record.len() >= self.settings.cap {
            self.give_up();
            self.state = State::Ended(WindowEnd::Cap);
            return None;
        }
        match &self.state {
            State::Confirming(confirmation) => Some(Query { instant: confirmation.anchor, purpose: Purpose::Confirm }),
            State::Locating(locating) => Some(self.most_telling(&locating.location)),
            State::Scanning => self.scan(),
            State::Ended(_) => None,
        }
    }

    fn most_telling(&self, location: &Location) -> Query {
        let candidates = [Purpose::Opening, Purpose::Closing].into_iter().enumerate();
        let open =
            candidates.filter(|(side, _)| !self.is_resolved(&location.estimate(*side, self.settings.credibility)));
        let resolution = self.settings.resolution.as_nanos() as f64;
        let best = open
            .map(|(side, purpose)| (location.best(&self.hypotheses, side, resolution), purpose))
            .max_by(|(a, _), (b, _)| a.1.total_cmp(&b.1));
        best.map_or(Query { instant: location.anchor, purpose: Purpose::Confirm }, |((instant, _), purpose)| Query {
            instant: instant.clamp(self.settings.from, self.settings.to),
            purpose,
        })
    }

    fn scan(&mut self) -> Option<Query> {
        let WindowSettings { from, to, smallest_width, .. } = self.settings;
        let per_width = usize::try_from(self.trials_per_width()).unwrap_or(usize::MAX);
        for _ in 0..PASSED_OVER {
            let instant = self.sequence.coordinate(self.scanned, 0).between(from, to);
            self.scanned += 1;
            if !self.record.covered_at(instant, from, to, smallest_width, per_width) {
                return Some(Query { instant, purpose: Purpose::Scan });
            }
        }
        if let Some(instant) = self.record.uncovered(from, to, smallest_width, per_width) {
            return Some(Query { instant, purpose: Purpose::Scan });
        }
        if self.reopen() {
            return self.decide();
        }
        self.state = State::Ended(WindowEnd::Covered);
        None
    }

    fn explained(&self, at: Instant) -> bool {
        self.found.iter().any(|found| found.from <= at && at <= found.to)
    }

    fn confirm(&mut self, anchor: Instant) {
        self.state = State::Confirming(Confirmation { anchor, evidence: 0.0, trials: 0 });
    }

    fn weigh_confirmation(&mut self) {
        let State::Confirming(confirmation) = &self.state else { return };
        let anchor = confirmation.anchor;
        if confirmation.evidence >= CONFIRMED {
            let trials = confirmation.trials + 1;
            self.locate(anchor, trials);
            self.settle();
        } else if confirmation.evidence <= libm::log1p(-self.settings.confidence.get()) {
            self.strays.push(anchor);
            self.go_on();
        }
    }

    fn locate(&mut self, anchor: Instant, trials: u64) {
        let bounds = Location::bounds_now(&self.record, anchor, self.ends(anchor));
        for bound in bounds.iter().filter(|bound| bound.gap && !self.strays.contains(&bound.end)) {
            if !self.unexplained.contains(&bound.end) {
                self.unexplained.push(bound.end);
            }
        }
        let location = Location::new(&self.hypotheses, &self.record, &self.strays, anchor, bounds);
        self.state = State::Locating(Box::new(Locating { location, trials }));
    }

    /// How far a window around `anchor` may reach: to the ends of the range, or to the next windows.
    fn ends(&self, anchor: Instant) -> [Instant; 2] {
        let before = self.found.iter().filter(|found| found.anchor < anchor).map(|found| found.to.min(anchor));
        let after = self.found.iter().filter(|found| found.anchor > anchor).map(|found| found.from.max(anchor));
        [before.fold(self.settings.from, Instant::max), after.fold(self.settings.to, Instant::min)]
    }

    /// After a failure: whether a gap has shown itself, and whether another failure lies deeper inside the window than the anchor.
    fn reconsider(&mut self) {
        let State::Locating(locating) = &self.state else { return };
        let (location, trials) = (&locating.location, locating.trials);
        let now = Location::bounds_now(&self.record, location.anchor, self.ends(location.anchor));
        let gap = now.iter().zip(location.bounds()).any(|(now, then)| now.gap && now.end != then.end);
        let anchor = self.deeper(location);
        if gap || anchor.is_some() {
            let anchor = anchor.unwrap_or(location.anchor);
            self.locate(anchor, trials);
        }
    }

    /// The failure nearest to the middle of the window, if it lies much deeper inside than the anchor.
    fn deeper(&self, location: &Location) -> Option<Instant> {
        let [opens, closes] = [0, 1].map(|side| location.estimate(side, self.settings.credibility).at);
        let depth = |at: Instant| at.since(opens).min(closes.since(at)).as_nanos();
        let inside = self.record.iter().filter(|trial| trial.outcome == Outcome::Failed);
        let deepest = inside.map(|trial| trial.at).max_by_key(|at| depth(*at))?;
        (depth(deepest) > depth(location.anchor).saturating_mul(2)).then_some(deepest)
    }

    fn is_resolved(&self, estimate: &Estimate) -> bool {
        estimate.width() <= self.settings.resolution.as_nanos()
    }

    /// Ends the search for this window's edges when they are known, or when it has taken too long.
    fn settle(&mut self) {
        let State::Locating(locating) = &self.state else { return };
        let known = [0, 1].map(|side| self.is_resolved(&locating.location.estimate(side, self.settings.credibility)));
        if known == [true; 2] || locating.trials >= self.settings.cap_per_window {
            self.give_up();
            self.go_on();
        }
    }

    /// Keeps what is known of the window that is being located, if one is.
    fn give_up(&mut self) {
        let State::Locating(locating) = &self.state else { return };
        let location = &locating.location;
        let estimates = [0, 1].map(|side| location.estimate(side, self.settings.credibility));
        let why = if location.jitter().get() > 0.5 { NotResolved::Jitter } else { NotResolved::Cap };
        let edge = |index: usize| {
            let Estimate { at, inner, outer, reaches_the_end } = estimates[index];
            let (low, high) = (inner.min(outer), inner.max(outer));
            if reaches_the_end > 0.5 {
                WindowEdge::AtTheEnd { at: location.bounds()[index].end }
            } else if self.is_resolved(&estimates[index]) && !location.jitters_beyond() {
                WindowEdge::Resolved { at, low, high }
            } else {
                WindowEdge::NotResolved { low, high, why }
            }
        };
        let [opens, closes] = estimates;
        let inside = if opens.inner <= closes.inner {
            self.record.counts(opens.inner, closes.inner)
        } else {
            self.record.counts(location.anchor, location.anchor)
        };
        let window = Window { opens: edge(0), closes: edge(1), inside, trials: locating.trials };
        // A failure just outside is the edge's jitter, not another window.
        let margin = self.settings.resolution;
        let found = Found {
            anchor: location.anchor,
            window,
            inner: [opens.inner, closes.inner],
            from: opens.outer - margin,
            to: closes.outer + margin,
        };
        self.found.push(found);
        self.state = State::Scanning;
    }

    /// The next failure that no window explains, or the scan.
    fn go_on(&mut self) {
        self.state = State::Scanning;
        while let Some(anchor) = self.unexplained.pop() {
            if !self.explained(anchor) && !self.strays.contains(&anchor) {
                self.confirm(anchor);
                return;
            }
        }
    }

    /// Whether the scan has met a gap inside of a window that was found: it is two, and both are located again.
    fn reopen(&mut self) -> bool {
        let has_gap = |found: &Found| {
            let [from, to] = found.inner;
            let now = Location::bounds_now(&self.record, found.anchor, [from.min(found.anchor), to.max(found.anchor)]);
            !self.reopened.contains(&found.anchor) && now.iter().any(|bound| bound.is_outside)
        };
        let Some(index) = self.found.iter().position(has_gap) else { return false };
        let found = self.found.remove(index);
        self.reopened.push(found.anchor);
        let failures = self.record.iter().filter(|trial| trial.outcome == Outcome::Failed);
        let inside = failures.map(|trial| trial.at).filter(|at| found.from <= *at && *at <= found.to);
        self.unexplained.extend(inside);
        self.locate(found.anchor, found.window.trials);
        self.settle();
        true
    }
}

/// How often trials fail outside of windows, as far as it was seen.
fn outside_rate(record: &Record, strays: usize) -> f64 {
    ((strays as f64 + 0.5) / (record.len() as f64 + 1.0)).min(MOST_OUTSIDE)
}

#[cfg(test)]
mod tests {
    use brickproof_units::Span;
    use proptest::prelude::*;

    use super::*;
    use crate::Probability;
    use crate::order::mix;

    fn p(value: f64) -> Probability {
        Probability::new(value).unwrap()
    }

    fn settings() -> WindowSettings {
        WindowSettings {
            from: Instant::START,
            to: Instant::START + Span::secs(3),
            resolution: Span::millis(3),
            credibility: p(0.99),
            smallest_width: Span::millis(20),
            weakest: p(0.3),
            confidence: p(0.95),
            cap: 10_000,
            cap_per_window: 2000,
            seed: 1,
        }
    }

    /// Windows in milliseconds, and what happens inside and outside of them.
    struct Board {
        windows: Vec<(u64, u64)>,
        inside: f64,
        outside: f64,
        /// Either edge moves by up to so many milliseconds, evenly.
        moves: f64,
        noise: u64,
    }

    impl Board {
        fn new(windows: &[(u64, u64)], inside: f64, seed: u64) -> Self {
            Self { windows: windows.to_vec(), inside, outside: 0.0, moves: 0.0, noise: mix(seed) }
        }

        fn chance(&mut self) -> f64 {
            self.noise = self.noise.wrapping_add(1);
            (mix(self.noise) >> 11) as f64 / (1u64 << 53) as f64
        }

        fn trial(&mut self, at: Instant) -> Outcome {
            let moved = at.as_nanos() as f64 / 1e6 + (2.0 * self.chance() - 1.0) * self.moves;
            let hit = self.windows.iter().any(|(opens, closes)| (*opens as f64..*closes as f64).contains(&moved));
            let failure = if hit { self.inside } else { self.outside };
            if self.chance() < failure { Outcome::Failed } else { Outcome::Survived }
        }
    }

    fn run(settings: WindowSettings, board: &mut Board) -> WindowSearch {
        let mut search = WindowSearch::new(settings).unwrap();
        while let Some(query) = search.query() {
            search.record(query.instant, board.trial(query.instant));
        }
        search
    }

    /// Whether the credible interval of an edge holds the millisecond where it is.
    #[track_caller]
    fn holds(edge: WindowEdge, millis: u64) -> bool {
        let WindowEdge::Resolved { low, high, at } = edge else { panic!("{edge:?} is not resolved") };
        assert!(high.since(low) <= settings().resolution && low <= at && at <= high, "{edge:?}");
        let truth = Instant::START + Span::millis(millis);
        low <= truth && truth <= high
    }

    #[test]
    fn a_window_that_always_fails_is_found_to_the_resolution_in_a_few_trials() {
        let search = run(settings(), &mut Board::new(&[(1234, 1300)], 1.0, 1));
        let [window] = search.windows()[..] else { panic!("{:?}", search.windows()) };
        assert!(holds(window.opens, 1234) && holds(window.closes, 1300), "{window:?}");
        assert!(window.trials < 40, "two bisections of some 50 ms to 3 ms, each outcome confirmed: {window:?}");
        assert!(window.inside.trials() > 0 && window.inside.survivals() == 0, "{window:?}");
        assert_eq!(search.end(), Some(WindowEnd::Covered));
        assert_eq!(search.strays(), []);
    }

    #[test]
    fn noisy_windows_are_found_and_their_intervals_hold_the_edges() {
        let mut held = 0;
        for seed in 0..20 {
            let truths = [(200 + 37 * seed, 230 + 37 * seed), (1500, 1750)];
            let search = run(WindowSettings { seed, ..settings() }, &mut Board::new(&truths, 0.5, seed));
            let windows = search.windows();
            assert_eq!(windows.len(), 2, "seed {seed}: {windows:?}");
            for (window, (opens, closes)) in windows.iter().zip(truths) {
                held += usize::from(holds(window.opens, opens)) + usize::from(holds(window.closes, closes));
            }
        }
        assert!(held >= 76, "{held} of 80, asked were 99 %");
    }

    #[test]
    fn no_window_is_said_only_after_one_would_have_been_met() {
        let mut search = run(settings(), &mut Board::new(&[], 0.5, 1));
        assert_eq!((search.windows(), search.end()), (Vec::new(), Some(WindowEnd::Covered)));
        // 3 s are 150 widths of 20 ms, each with 9 trials: 0.7^9 is 4 %.
        assert_eq!(search.trials_per_width(), 9);
        assert!((1350..1700).contains(&search.trials()), "{}", search.trials());
        assert_eq!(search.query(), None);
    }

    #[test]
    fn a_failure_that_does_not_repeat_is_a_stray() {
        let mut search = WindowSearch::new(settings()).unwrap();
        let mut trials = 0;
        let mut stray = Instant::START;
        while let Some(query) = search.query() {
            trials += 1;
            if trials == 20 {
                stray = query.instant;
            }
            search.record(query.instant, if trials == 20 { Outcome::Failed } else { Outcome::Survived });
        }
        assert_eq!((search.windows(), search.strays()), (Vec::new(), &[stray][..]));
    }

    #[test]
    fn strays_among_the_trials_move_no_edge() {
        let mut board = Board { outside: 0.003, ..Board::new(&[(700, 900)], 0.7, 5) };
        let search = run(settings(), &mut board);
        let [window] = search.windows()[..] else { panic!("{:?}", search.windows()) };
        assert!(holds(window.opens, 700) && holds(window.closes, 900), "{window:?}");
    }

    #[test]
    fn a_window_that_is_open_from_the_beginning_has_no_opening_edge() {
        let search = run(settings(), &mut Board::new(&[(0, 400)], 0.9, 3));
        let [window] = search.windows()[..] else { panic!("{:?}", search.windows()) };
        assert_eq!(window.opens, WindowEdge::AtTheEnd { at: Instant::START });
        assert!(holds(window.closes, 400), "{window:?}");
    }

    #[test]
    fn edges_that_move_more_than_the_resolution_are_not_called_resolved() {
        let mut board = Board { moves: 60.0, ..Board::new(&[(1000, 2000)], 0.9, 4) };
        let settings = WindowSettings { cap_per_window: 300, resolution: Span::millis(1), ..settings() };
        let search = run(settings, &mut board);
        let window = search.windows()[0];
        for edge in [window.opens, window.closes] {
            assert!(matches!(edge, WindowEdge::NotResolved { why: NotResolved::Jitter, .. }), "{window:?}");
        }
    }

    #[test]
    fn when_the_trials_run_out_what_is_known_is_said() {
        let mut board = Board::new(&[(1000, 1250)], 0.5, 6);
        let search = run(WindowSettings { cap: 30, ..settings() }, &mut board);
        assert_eq!((search.trials(), search.end()), (30, Some(WindowEnd::Cap)));
        let [window] = search.windows()[..] else { panic!("{:?}", search.windows()) };
        let WindowEdge::NotResolved { low, high, why: NotResolved::Cap } = window.opens else { panic!("{window:?}") };
        assert!(low <= Instant::START + Span::millis(1000) && Instant::START + Span::millis(1000) <= high);
    }

    /// The fault comes up to 4 ms later than asked, and the search is told so.
    #[test]
    fn what_counts_is_the_instant_that_was_achieved() {
        let mut board = Board::new(&[(1000, 1250)], 0.8, 7);
        let mut search = WindowSearch::new(settings()).unwrap();
        while let Some(query) = search.query() {
            let achieved = query.instant + Span::nanos((board.chance() * 4e6) as u64);
            search.record(achieved, board.trial(achieved));
        }
        let [window] = search.windows()[..] else { panic!("{:?}", search.windows()) };
        assert!(holds(window.opens, 1000) && holds(window.closes, 1250), "{window:?}");
    }

    /// 150 ms apart, but a bisection jumps farther than that: the scan has to tell them apart.
    #[test]
    fn windows_that_were_taken_for_one_are_told_apart_by_the_scan() {
        for seed in 0..10 {
            let truths = [(1000, 1040), (1190, 1230)];
            let search = run(WindowSettings { seed, ..settings() }, &mut Board::new(&truths, 0.7, seed));
            let windows = search.windows();
            assert_eq!(windows.len(), 2, "seed {seed}: {windows:?}");
        }
    }

    #[test]
    fn what_cannot_be_asked_is_refused_with_what_to_ask() {
        let refused = |settings| WindowSearch::new(settings).unwrap_err().to_string();
        assert_eq!(
            refused(WindowSettings { to: Instant::START, ..settings() }),
            "the range from 0.000s to 0.000s holds nothing: let it end after it begins"
        );
        assert_eq!(
            refused(WindowSettings { resolution: Span::secs(4), ..settings() }),
            "a resolution of 4s cannot be in a range of 3s: ask for more than nothing and at most the range"
        );
        assert_eq!(
            refused(WindowSettings { weakest: Probability::ZERO, ..settings() }),
            "a weakest probability of 0 % cannot be: ask for more than 0 % and less than 100 %, as in 30.0 %"
        );
        assert_eq!(
            refused(WindowSettings { cap: 0, ..settings() }),
            "a cap of no trials finds nothing: allow at least one"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn whatever_the_board_does_the_search_keeps_to_range_and_cap_and_repeats_itself(
            outcomes in prop::collection::vec(0u8..4, 1..400), cap in 1u64..400, late in 0u64..2_000_000, seed in any::<u64>(),
        ) {
            let settings = WindowSettings { cap, cap_per_window: 100, seed, ..settings() };
            let mut search = WindowSearch::new(settings).unwrap();
            let mut again = search.clone();
            for outcome in outcomes.iter().cycle() {
                let query = search.query();
                prop_assert_eq!(query, search.query());
                prop_assert_eq!(query, again.query());
                let Some(query) = query else { break };
                prop_assert!(settings.from <= query.instant && query.instant <= settings.to);
                let outcome = if *outcome == 0 { Outcome::Failed } else { Outcome::Survived };
                search.record(query.instant + Span::nanos(late), outcome);
                again = search.clone();
            }
            prop_assert!(search.trials() <= cap);
            prop_assert!(search.end().is_some());
        }
    }
}
