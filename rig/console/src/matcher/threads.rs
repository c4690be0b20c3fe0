//! One step of all patterns at once: which places of their automata are alive, and what a byte does to them.
//!
//! Boundary: exact and slow. [`Automaton`](super::automaton::Automaton) remembers the outcome, so that each step is computed once.
//!
//! The automata (Thompson NFAs) come from `regex-automata`. Its own lazy DFA is not used, for three reasons: what a pattern had seen of a
//! match is lost when the set of patterns changes; a search that begins anew after one pattern's match forgets what the others had seen;
//! and the end of the chunk would count as the end of a line.

use regex_automata::nfa::thompson::{NFA, State};
use regex_automata::util::look::{Look, LookMatcher};
use regex_automata::util::primitives::StateID;

use crate::pattern::Pattern;

/// What came before a place in the stream, as far as an assertion can ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Before {
    #[default]
    Nothing,
    Lf,
    Cr,
    WordByte,
    OtherByte,
}

impl Before {
    pub(super) fn after(byte: u8) -> Self {
        match byte {
            b'\n' => Self::Lf,
            b'\r' => Self::Cr,
            b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => Self::WordByte,
            _ => Self::OtherByte,
        }
    }

    /// A byte that stands for all of its kind.
    fn example(self) -> Option<u8> {
        match self {
            Self::Nothing => None,
            Self::Lf => Some(b'\n'),
            Self::Cr => Some(b'\r'),
            Self::WordByte => Some(b'a'),
            Self::OtherByte => Some(b' '),
        }
    }
}

/// The neighbourhood of a place between two bytes.
#[derive(Clone, Copy)]
struct Place {
    before: Before,
    /// `None` while the next byte has not arrived.
    after: Option<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Yes,
    No,
    /// It depends on the byte to come.
    NotYet,
}

impl Place {
    fn holds(self, look: Look) -> Answer {
        if let Some(after) = self.after {
            return if self.holds_before(look, Some(after)) { Answer::Yes } else { Answer::No };
        }
        // No assertion that a pattern may hold can tell other followers apart; `None` is the end of the stream.
        let followers = [None, Some(b'\n'), Some(b'\r'), Some(b'a'), Some(b' ')];
        let holding = followers.iter().filter(|after| self.holds_before(look, **after)).count();
        match holding {
            0 => Answer::No,
            n if n == followers.len() => Answer::Yes,
            _ => Answer::NotYet,
        }
    }

    fn holds_before(self, look: Look, after: Option<u8>) -> bool {
        let mut around = [0; 2];
        let mut len = 0;
        for byte in [self.before.example(), after].into_iter().flatten() {
            around[len] = byte;
            len += 1;
        }
        let at = usize::from(self.before != Before::Nothing);
        LookMatcher::new().matches(look, &around[..len], at)
    }
}

/// A living place in the automaton of one pattern: `slot` is the index of the pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Thread {
    pub(super) slot: usize,
    pub(super) at: StateID,
}

/// All that the future depends on, and what the step that led here found. Beginnings of matches are not in it: they are everywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Situation {
    /// Always [`Before::OtherByte`] if no pattern looks around.
    pub(super) before: Before,
    /// Sorted.
    pub(super) threads: Vec<Thread>,
    /// Patterns of which a match ended before the last byte, which the last byte made certain.
    pub(super) ended_before: Vec<usize>,
    /// Patterns of which a match ended with the last byte.
    pub(super) ended_with: Vec<usize>,
}

impl Situation {
    pub(super) fn found_nothing(&self) -> bool {
        self.ended_before.is_empty() && self.ended_with.is_empty()
    }

    /// Bytes of memory, roughly.
    pub(super) fn memory(&self) -> usize {
        size_of::<Self>() + self.threads.len() * size_of::<Thread>()
    }
}

/// What one pattern's places lead to without a byte.
#[derive(Default)]
struct Closure {
    places: Vec<StateID>,
    seen: Vec<bool>,
    stack: Vec<StateID>,
    matched: bool,
}

impl Closure {
    fn clear(&mut self, nfa: &NFA) {
        self.places.clear();
        self.seen.clear();
        self.seen.resize(nfa.states().len(), false);
        self.matched = false;
    }

    /// Adds `from` and what it leads to; keeps the places that wait for a byte or for knowledge of the next one.
    fn add(&mut self, nfa: &NFA, from: StateID, place: Place) {
        self.stack.push(from);
        while let Some(at) = self.stack.pop() {
            if std::mem::replace(&mut self.seen[at.as_usize()], true) {
                continue;
            }
            match nfa.state(at) {
                State::ByteRange { .. } | State::Sparse(_) | State::Dense(_) => self.places.push(at),
                State::Look { look, next } => match place.holds(*look) {
                    Answer::Yes => self.stack.push(*next),
                    Answer::No => {}
                    Answer::NotYet => self.places.push(at),
                },
                State::Union { alternates } => self.stack.extend(alternates.iter()),
                State::BinaryUnion { alt1, alt2 } => self.stack.extend([*alt1, *alt2]),
                State::Capture { next, .. } => self.stack.push(*next),
                State::Fail => {}
                State::Match { .. } => self.matched = true,
            }
        }
    }
}

/// Where `byte` leads from `at`.
fn follow(nfa: &NFA, at: StateID, byte: u8) -> Option<StateID> {
    match nfa.state(at) {
        State::ByteRange { trans } => trans.matches_byte(byte).then_some(trans.next),
        State::Sparse(transitions) => transitions.matches_byte(byte),
        State::Dense(transitions) => transitions.matches_byte(byte),
        _ => None,
    }
}

/// What becomes of `situation` when `byte` arrives.
///
/// A match is the earliest end of any match that begins at or after the end of the pattern's previous one; each pattern for itself.
pub(super) fn step<'a>(patterns: impl Iterator<Item = &'a Pattern>, situation: &Situation, byte: u8) -> Situation {
    let mut next = Situation::default();
    let mut living = situation.threads.as_slice();
    let mut looks_around = false;
    let (mut here, mut there) = (Closure::default(), Closure::default());
    for (slot, pattern) in patterns.enumerate() {
        looks_around |= pattern.looks_around();
        let nfa = pattern.nfa();
        let mine = living.partition_point(|thread| thread.slot == slot);
        let (threads, others) = living.split_at(mine);
        living = others;
        if threads.is_empty() && !pattern.may_begin_with(byte) {
            continue;
        }

        let place = Place { before: situation.before, after: Some(byte) };
        here.clear(nfa);
        threads.iter().for_each(|thread| here.add(nfa, thread.at, place));
        if here.matched {
            next.ended_before.push(slot);
            here.clear(nfa);
        }
        here.add(nfa, nfa.start_anchored(), place);

        let place = Place { before: Before::after(byte), after: None };
        there.clear(nfa);
        here.places.iter().filter_map(|at| follow(nfa, *at, byte)).for_each(|at| there.add(nfa, at, place));
        if there.matched {
            next.ended_with.push(slot);
        } else {
            there.places.sort_unstable();
            next.threads.extend(there.places.iter().map(|at| Thread { slot, at: *at }));
        }
    }
    next.before = remembered(Before::after(byte), looks_around);
    next
}

/// Patterns that do not look around need not tell situations apart by what came before.
pub(super) fn remembered(before: Before, looks_around: bool) -> Before {
    if looks_around { before } else { Before::OtherByte }
}
