//! The status LED: three pins with stamped edges, integrated over the windows in which a sensor looks.
//!
//! Boundary: on-time. How bright a colour looks to a sensor is in [`crate::sensor`]; which pin is active low is known to the board.

use std::collections::VecDeque;

use brickproof_units::{Instant, Span};

/// One of the LED's three dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Colour {
    /// About 615 nm.
    Red,
    /// About 525 nm.
    Green,
    /// About 465 nm.
    Blue,
}

/// Something for each of the three colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rgb<T> {
    /// For the red die.
    pub red: T,
    /// For the green die.
    pub green: T,
    /// For the blue die.
    pub blue: T,
}

impl<T: Copy> Rgb<T> {
    /// The same for each colour.
    pub const fn all(value: T) -> Self {
        Self { red: value, green: value, blue: value }
    }

    fn get_mut(&mut self, colour: Colour) -> &mut T {
        match colour {
            Colour::Red => &mut self.red,
            Colour::Green => &mut self.green,
            Colour::Blue => &mut self.blue,
        }
    }
}

/// Whether current flows through a die.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Die {
    /// No current.
    #[default]
    Dark,
    /// Full current.
    Lit,
}

/// The half-open stretch of time `start..end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its first instant.
    pub start: Instant,
    /// The first instant after it.
    pub end: Instant,
}

impl Window {
    /// How long it is.
    pub fn length(&self) -> Span {
        self.end.since(self.start)
    }
}

#[derive(Clone, Copy, Debug)]
struct Edge {
    at: Instant,
    colour: Colour,
    die: Die,
}

/// One die while edges are consumed.
#[derive(Clone, Copy, Debug, Default)]
struct Track {
    die: Die,
    since: Instant,
    /// On-time before `since` that counts for the window being integrated.
    lit: Span,
}

impl Track {
    fn change(&mut self, at: Instant, die: Die) {
        if self.die == Die::Lit {
            self.lit = self.lit + at.since(self.since);
        }
        self.die = die;
        // An edge that comes after its window was integrated counts from the end of that window.
        self.since = self.since.max(at);
    }
}

/// The three dies and the edges that no window has consumed yet.
///
/// Edges come in the order of time, windows too; the two may interleave in any way. Only as many edges are held as lie beyond the last
/// window, so nothing is allocated in steady operation.
#[derive(Clone, Debug, Default)]
pub struct Led {
    tracks: Rgb<Track>,
    pending: VecDeque<Edge>,
}

impl Led {
    /// An LED that is dark.
    pub fn new() -> Self {
        Self::default()
    }

    /// A die changed at `at`. An edge that changes nothing is harmless.
    pub fn edge(&mut self, at: Instant, colour: Colour, die: Die) {
        self.pending.push_back(Edge { at, colour, die });
    }

    /// How long each die was lit during `window`, exactly. Edges before its end are forgotten: the next window begins no earlier.
    pub fn on_time(&mut self, window: Window) -> Rgb<Span> {
        self.consume(window.start);
        self.consume_into_window(window.end);
        Rgb {
            red: std::mem::take(&mut self.tracks.red.lit),
            green: std::mem::take(&mut self.tracks.green.lit),
            blue: std::mem::take(&mut self.tracks.blue.lit),
        }
    }

    /// Forgets what was before `start`.
    fn consume(&mut self, start: Instant) {
        self.consume_into_window(start);
        self.tracks.red.lit = Span::ZERO;
        self.tracks.green.lit = Span::ZERO;
        self.tracks.blue.lit = Span::ZERO;
    }

    fn consume_into_window(&mut self, end: Instant) {
        while let Some(edge) = self.pending.front().copied().filter(|edge| edge.at < end) {
            self.pending.pop_front();
            self.tracks.get_mut(edge.colour).change(edge.at, edge.die);
        }
        for track in [&mut self.tracks.red, &mut self.tracks.green, &mut self.tracks.blue] {
            track.change(end, track.die);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn us(value: u64) -> Instant {
        Instant::START + Span::micros(value)
    }

    fn window(start: u64, end: u64) -> Window {
        Window { start: us(start), end: us(end) }
    }

    #[test]
    fn a_die_lit_across_windows_counts_in_each() {
        let mut led = Led::new();
        led.edge(us(10), Colour::Red, Die::Lit);
        assert_eq!(led.on_time(window(0, 100)).red, Span::micros(90));
        assert_eq!(led.on_time(window(100, 200)).red, Span::micros(100));
        led.edge(us(250), Colour::Red, Die::Dark);
        assert_eq!(led.on_time(window(200, 300)).red, Span::micros(50));
        assert_eq!(led.on_time(window(300, 400)), Rgb::all(Span::ZERO));
    }

    #[test]
    fn what_lies_between_two_windows_counts_in_none() {
        let mut led = Led::new();
        led.edge(us(110), Colour::Blue, Die::Lit);
        led.edge(us(140), Colour::Blue, Die::Dark);
        led.edge(us(190), Colour::Blue, Die::Lit);
        assert_eq!(led.on_time(window(0, 100)).blue, Span::ZERO);
        assert_eq!(led.on_time(window(180, 200)).blue, Span::micros(10));
    }

    #[test]
    fn edges_beyond_the_window_wait_for_theirs() {
        let mut led = Led::new();
        led.edge(us(10), Colour::Green, Die::Lit);
        led.edge(us(500), Colour::Green, Die::Dark);
        assert_eq!(led.on_time(window(0, 100)).green, Span::micros(90));
        assert_eq!(led.on_time(window(400, 600)).green, Span::micros(100));
    }

    #[test]
    fn a_repeated_level_changes_nothing() {
        let mut led = Led::new();
        for at in [10, 20, 30] {
            led.edge(us(at), Colour::Red, Die::Lit);
        }
        assert_eq!(led.on_time(window(0, 100)).red, Span::micros(90));
    }

    fn edges() -> impl Strategy<Value = Vec<(u64, Colour, Die)>> {
        let colour = prop_oneof![Just(Colour::Red), Just(Colour::Green), Just(Colour::Blue)];
        let die = prop_oneof![Just(Die::Lit), Just(Die::Dark)];
        proptest::collection::vec((0..1_000u64, colour, die), 0..60).prop_map(|mut edges| {
            edges.sort_by_key(|edge| edge.0);
            edges
        })
    }

    proptest! {
        #[test]
        fn neighbouring_windows_add_up(edges in edges(), cut in 1..999u64) {
            let led = || {
                let mut led = Led::new();
                edges.iter().for_each(|(at, colour, die)| led.edge(us(*at), *colour, *die));
                led
            };
            let whole = led().on_time(window(0, 1_000));
            let mut halves = led();
            let (first, second) = (halves.on_time(window(0, cut)), halves.on_time(window(cut, 1_000)));
            prop_assert_eq!(first.red + second.red, whole.red);
            prop_assert_eq!(first.green + second.green, whole.green);
            prop_assert_eq!(first.blue + second.blue, whole.blue);
        }

        #[test]
        fn the_on_time_agrees_with_sampling_every_microsecond(edges in edges(), start in 0..500u64, length in 0..500u64) {
            let mut led = Led::new();
            edges.iter().for_each(|(at, colour, die)| led.edge(us(*at), *colour, *die));
            let lit_at = |moment: u64| {
                let last = edges.iter().rfind(|(at, colour, _)| *at <= moment && *colour == Colour::Red);
                last.is_some_and(|(_, _, die)| *die == Die::Lit)
            };
            let counted = (start..start + length).filter(|moment| lit_at(*moment)).count() as u64;
            prop_assert_eq!(led.on_time(window(start, start + length)).red, Span::micros(counted));
        }
    }
}
