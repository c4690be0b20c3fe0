//! Many patterns looked for in one stream at once, byte by byte, without ever looking back.
//!
//! Boundary: says which pattern matched, where and when. Deadlines, and what a match means, belong to the trial.
//!
//! # What a match is
//! Each pattern is looked for by itself, in the bytes that arrive after it was added (what came before still decides whether `^` or `\b`
//! hold). Its match is the one that **ends first**, and it is reported with the byte that makes it certain: a prompt needs no line end
//! after it. The next match begins at or after that end. So `temp=\d+` matches `temp=2` of `temp=21.5`; whoever wants the whole number
//! writes what follows it (`temp=[\d.]+\r`) or asks [`Matcher::captures`] once the line is complete.
//! A match that ends in `$` or `\b` is certain one byte later than it ends.
//!
//! The reads do not matter: any cut of the same bytes gives the same matches.

mod automaton;
mod tail;
mod threads;

use std::sync::Arc;

use brickproof_units::Instant;
use regex_automata::Input;

use crate::pattern::Pattern;
use automaton::{Automaton, Row, Run, Stop};
use tail::Tail;
use threads::{Before, Situation, Thread, remembered};

/// Names a pattern within its matcher. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PatternId(u64);

/// A pattern was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// Which pattern.
    pub pattern: PatternId,
    /// Offset in the stream just after the last byte of the match.
    pub end: u64,
    /// Arrival of the last byte of the match.
    pub ended: Instant,
    /// Arrival of the byte that made it certain: the same, or the next one after `$` and `\b`.
    pub certain: Instant,
    /// Where the search for this match began.
    searched_from: u64,
}

/// The groups of a match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captures {
    groups: Vec<Group>,
    settled: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    name: Option<String>,
    bytes: Option<Vec<u8>>,
}

impl Captures {
    /// The bytes of the group with this number; group 0 is the whole match.
    pub fn get(&self, number: usize) -> Option<&[u8]> {
        self.groups.get(number)?.bytes.as_deref()
    }

    /// The bytes of the group with this name.
    pub fn name(&self, name: &str) -> Option<&[u8]> {
        self.groups.iter().find(|group| group.name.as_deref() == Some(name))?.bytes.as_deref()
    }

    /// Whether the line on which the match ends was complete, so that later bytes will not make a group longer.
    pub fn settled(&self) -> bool {
        self.settled
    }
}

/// A pattern and where its next match may begin.
#[derive(Clone, Debug)]
struct Slot {
    id: PatternId,
    pattern: Pattern,
    search_from: u64,
}

/// Looks for patterns in a stream of stamped bytes. The patterns may come and go while matches are under way.
///
/// The cost of a byte is one table lookup for all patterns together and does not depend on how much went by unmatched. A clone shares the
/// table.
#[derive(Clone, Debug)]
pub struct Matcher {
    slots: Vec<Slot>,
    next_id: u64,
    automaton: Arc<Automaton>,
    row: Row,
    position: u64,
    last_arrival: Instant,
    tail: Tail,
}

impl Default for Matcher {
    fn default() -> Self {
        Self::new()
    }
}

impl Matcher {
    /// How many bytes before the last read are kept for [`Self::captures`], at least.
    pub const RETAINED: usize = tail::RETAINED;

    /// A matcher at the beginning of a stream, looking for nothing.
    pub fn new() -> Self {
        let mut automaton = Automaton::new(std::iter::empty());
        let row = automaton.enter(Situation { before: remembered(Before::Nothing, false), ..Situation::default() });
        Self {
            slots: Vec::new(),
            next_id: 0,
            automaton: Arc::new(automaton),
            row,
            position: 0,
            last_arrival: Instant::START,
            tail: Tail::default(),
        }
    }

    /// Looks for `pattern` too, from here on. What other patterns have seen of a match is kept.
    pub fn add(&mut self, pattern: &Pattern) -> PatternId {
        let id = PatternId(self.next_id);
        self.next_id += 1;
        let threads = self.threads();
        self.slots.push(Slot { id, pattern: pattern.clone(), search_from: self.position });
        self.rebuild(threads);
        id
    }

    /// Looks for this pattern no longer. False if it was not looked for.
    pub fn remove(&mut self, id: PatternId) -> bool {
        let Some(gone) = self.slots.iter().position(|slot| slot.id == id) else { return false };
        let mut threads = self.threads();
        threads.retain(|thread| thread.slot != gone);
        threads.iter_mut().filter(|thread| thread.slot > gone).for_each(|thread| thread.slot -= 1);
        self.slots.remove(gone);
        self.rebuild(threads);
        true
    }

    /// How many bytes have gone by.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Takes bytes that arrived together at `at`; gives the matches that they made certain, in the order of their ends, and of the
    /// patterns' adding where those are equal.
    pub fn feed(&mut self, at: Instant, bytes: &[u8]) -> Vec<Match> {
        self.tail.push(bytes);
        let mut found = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let Run { row, consumed, stop } = self.advance(rest);
            self.row = row;
            self.position += consumed as u64;
            rest = &rest[consumed..];
            if stop == Stop::Found {
                let came_alone = bytes.len() - rest.len() == 1;
                let before = if came_alone { self.last_arrival } else { at };
                self.report(before, at, &mut found);
            }
        }
        if !bytes.is_empty() {
            self.last_arrival = at;
        }
        found
    }

    /// The groups of a match, read on the line on which it ends as far as that has arrived. `None` if the pattern was removed, or
    /// if the match is not wholly in the last read and the [`Self::RETAINED`] bytes before it.
    pub fn captures(&self, found: &Match) -> Option<Captures> {
        let pattern = &self.slots.iter().find(|slot| slot.id == found.pattern)?.pattern;
        self.captures_of(pattern, found)
    }

    /// The same for a pattern that may have been removed meanwhile.
    pub fn captures_of(&self, pattern: &Pattern, found: &Match) -> Option<Captures> {
        let text = self.tail.bytes();
        let start = self.tail.index(found.searched_from.max(self.tail.start()))?;
        let end = self.tail.index(found.end)?;
        // The byte that ended a line may be the last of the match itself.
        let rest_of_line = text[end.saturating_sub(1)..].iter().position(|byte| matches!(byte, b'\r' | b'\n'));
        let line_end = rest_of_line.map_or(text.len(), |length| (end.saturating_sub(1) + length).max(end));
        let groups = pattern.groups();
        let mut slots = groups.create_captures();
        groups.captures(Input::new(text).range(start..line_end), &mut slots);
        let whole = slots.get_group(0)?;
        let covers_the_match = whole.start < end && end <= whole.end;
        covers_the_match.then(|| Captures {
            groups: groups
                .group_info()
                .pattern_names(regex_automata::PatternID::ZERO)
                .enumerate()
                .map(|(number, name)| Group {
                    name: name.map(str::to_owned),
                    bytes: slots.get_group(number).map(|span| text[span.range()].to_vec()),
                })
                .collect(),
            settled: rest_of_line.is_some(),
        })
    }

    /// Follows the table over `bytes` to the first match; where the table does not go on, computes one step.
    #[inline]
    fn advance(&mut self, bytes: &[u8]) -> Run {
        let run = self.automaton.run(self.row, bytes);
        match run.stop {
            Stop::EndOfBytes | Stop::Found => run,
            Stop::Unknown => {
                let patterns = self.slots.iter().map(|slot| &slot.pattern);
                let step = Arc::make_mut(&mut self.automaton).learn(patterns, run.row, bytes[run.consumed]);
                Run { consumed: run.consumed + step.consumed, ..step }
            }
        }
    }

    /// Adds the matches of the situation just reached. `before` and `at` are the arrivals of the last two bytes.
    fn report(&mut self, before: Instant, at: Instant, found: &mut Vec<Match>) {
        let situation = Arc::clone(self.automaton.situation(self.row));
        for (ended, slots, end) in
            [(before, &situation.ended_before, self.position - 1), (at, &situation.ended_with, self.position)]
        {
            for slot in slots {
                let slot = &mut self.slots[*slot];
                let searched_from = std::mem::replace(&mut slot.search_from, end);
                found.push(Match { pattern: slot.id, end, ended, certain: at, searched_from });
            }
        }
    }

    fn threads(&self) -> Vec<Thread> {
        self.automaton.situation(self.row).threads.clone()
    }

    /// Begins a new table for the patterns as they are now, with `threads` under way.
    fn rebuild(&mut self, threads: Vec<Thread>) {
        let looks_around = self.slots.iter().any(|slot| slot.pattern.looks_around());
        let before = self.tail.last().map_or(Before::Nothing, Before::after);
        let situation = Situation { before: remembered(before, looks_around), threads, ..Situation::default() };
        let mut automaton = Automaton::new(self.slots.iter().map(|slot| &slot.pattern));
        self.row = automaton.enter(situation);
        self.automaton = Arc::new(automaton);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex_automata::meta;
    use regex_automata::util::syntax;

    use super::*;

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    fn matcher(patterns: &[&str]) -> (Matcher, Vec<PatternId>) {
        let mut matcher = Matcher::new();
        let ids = patterns.iter().map(|source| matcher.add(&Pattern::regex(source).unwrap())).collect();
        (matcher, ids)
    }

    /// Which pattern ended where, with every byte a read of its own, stamped by its offset.
    fn ends(patterns: &[&str], bytes: &[u8]) -> Vec<(usize, u64)> {
        let (mut matcher, ids) = matcher(patterns);
        let mut found = Vec::new();
        for (offset, byte) in bytes.iter().enumerate() {
            found.extend(matcher.feed(at(offset as u64), &[*byte]));
        }
        for found in &found {
            assert_eq!(found.ended, at(found.end - 1), "the stamp is that of the last byte of the match");
        }
        found.iter().map(|found| (ids.iter().position(|id| *id == found.pattern).unwrap(), found.end)).collect()
    }

    #[test]
    fn a_prompt_matches_without_a_further_byte_and_a_line_end_does_not_need_one_either() {
        assert_eq!(ends(&["> "], b"booted\r\n> "), [(0, 10)]);
        assert_eq!(ends(&["ready$"], b"ready"), [], "the end of a read is not the end of a line");
        assert_eq!(ends(&["ready$"], b"ready\r"), [(0, 5)]);
        assert_eq!(ends(&["ready$"], b"not ready yet\n"), []);
        assert_eq!(ends(&["^ready$"], b"ready\r\nready\nalready\rready\n"), [(0, 5), (0, 12), (0, 26)]);
        assert_eq!(ends(&[r"\bok\b"], b"ok, token ok"), [(0, 2)]);
    }

    #[test]
    fn a_match_that_needs_the_next_byte_tells_both_arrivals() {
        let (mut matcher, _) = matcher(&["ready$"]);
        assert!(matcher.feed(at(1), b"ready").is_empty());
        let found = matcher.feed(at(5), b"\n");
        assert_eq!((found[0].ended, found[0].certain, found[0].end), (at(1), at(5), 5));
    }

    #[test]
    fn every_pattern_is_looked_for_by_itself() {
        // A search that begins anew after `ab` would forget that `abab` has begun.
        assert_eq!(ends(&["ab", "abab", "b.b"], b"abab"), [(0, 2), (0, 4), (1, 4), (2, 4)]);
        assert_eq!(ends(&["aa"], b"aaaa"), [(0, 2), (0, 4)], "matches of one pattern do not overlap");
    }

    #[test]
    fn binary_garbage_is_matched_as_bytes() {
        assert_eq!(ends(&[r"\xff\x00.\x01", "°C"], b"\xff\xfe\xff\x00\x9f\x01 21\xc2\xb0C"), [(0, 6), (1, 12)]);
    }

    #[test]
    fn a_pattern_added_or_removed_does_not_disturb_a_match_under_way() {
        let (mut matcher, ids) = matcher(&["x", "Guru[^!]*!"]);
        assert!(matcher.feed(at(0), b"Guru Medita").is_empty());
        let late = matcher.add(&Pattern::literal("ation!").unwrap());
        assert!(matcher.feed(at(0), b"t").is_empty());
        assert!(matcher.remove(ids[0]));
        assert!(!matcher.remove(ids[0]));
        let found: Vec<_> = matcher.feed(at(0), b"ion!").iter().map(|found| (found.pattern, found.end)).collect();
        assert_eq!(found, [(ids[1], 16)], "`ation!` had begun before it was looked for");
        let found = matcher.feed(at(0), b" ation!");
        assert_eq!(found.iter().map(|found| found.pattern).collect::<Vec<_>>(), [late]);
        assert!(matcher.add(&Pattern::literal("x").unwrap()) > late, "an id is never used twice");
    }

    #[test]
    fn a_pattern_added_in_the_middle_of_a_line_knows_that() {
        let (mut matcher, _) = matcher(&[]);
        matcher.feed(at(0), b"al");
        matcher.add(&Pattern::regex("^ready").unwrap());
        assert!(matcher.feed(at(0), b"ready").is_empty());
        assert_eq!(matcher.feed(at(0), b"\nready").len(), 1);
    }

    #[test]
    fn groups_are_read_on_the_line_as_far_as_it_has_arrived() {
        let (mut matcher, _) = matcher(&[r"temp=(?<value>[\d.]+)"]);
        let found = matcher.feed(at(0), b"boot\ntemp=2")[0];
        let early = matcher.captures(&found).unwrap();
        assert_eq!((early.name("value"), early.settled()), (Some(&b"2"[..]), false));
        matcher.feed(at(0), b"1.5 C\r\ntemp=99\r\n");
        let settled = matcher.captures(&found).unwrap();
        assert_eq!((settled.get(1), settled.get(0)), (Some(&b"21.5"[..]), Some(&b"temp=21.5"[..])));
        assert!(settled.settled());
        assert_eq!((settled.get(2), settled.name("unit")), (None, None));
        matcher.feed(at(0), &[b'.'; 3 * Matcher::RETAINED]);
        matcher.feed(at(0), b".");
        assert_eq!(matcher.captures(&found), None, "the line is gone");
    }

    #[test]
    fn groups_of_a_match_over_several_lines_are_read_too() {
        let (mut matcher, _) = matcher(&[r"from=(\w+)\r\nto=(\w+)\r\n"]);
        let found = matcher.feed(at(0), b"x\r\nfrom=a\r\nto=b\r\nfrom=c\r\n")[0];
        let captures = matcher.captures(&found).unwrap();
        assert_eq!((captures.get(1), captures.get(2), captures.settled()), (Some(&b"a"[..]), Some(&b"b"[..]), true));
    }

    #[test]
    fn a_clone_shares_the_table_until_one_of_them_learns() {
        let (mut matcher, _) = matcher(&["panic", "[a-z]+[0-9]"]);
        matcher.feed(at(0), b"pan");
        let mut fork = matcher.clone();
        assert!(Arc::ptr_eq(&matcher.automaton, &fork.automaton));
        assert_eq!(fork.feed(at(1), b"ic"), matcher.feed(at(1), b"ic"));
        assert!(fork.feed(at(1), b"q").is_empty());
    }

    #[test]
    fn a_table_that_is_emptied_all_the_time_changes_nothing() {
        let patterns = ["(?:a|b)*a(?:a|b){6}c", "b{3}", "^a.*c$"];
        let text: Vec<u8> = (0..4_000u32).map(|i| b"abbabcaab\n"[(i * i / 7 % 10) as usize]).collect();
        let run = |limit: Option<usize>| {
            let (mut matcher, _) = matcher(&patterns);
            if let Some(limit) = limit {
                matcher.automaton = Arc::new((*matcher.automaton).clone().with_memory_limit(limit));
            }
            matcher.feed(at(0), &text)
        };
        let found = run(None);
        assert!(found.len() > 100, "{}", found.len());
        assert_eq!(run(Some(0)), found);
        assert_eq!(run(Some(2_000)), found);
    }

    const PATTERNS: [&str; 16] = [
        "ab",
        "a+b",
        "(?:ab)+",
        "a.b",
        "^a",
        "b$",
        "^ab$",
        r"\bab",
        r"a\b",
        r"a\B",
        "(?i)AB",
        r"[^a]\r\n[^b]",
        "a[^c]*c",
        r"\n^b",
        r"c|b\r?$|\w{3}",
        r"a\b{end}|\b{start}c",
    ];

    fn stream() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(b"aaabbbc \r\nAB\xff".to_vec()), 0..40)
    }

    /// The definition, tried place by place with the engine behind `regex::bytes`: the least `end` such that a match lies between the
    /// previous end and it. Only ends before the last byte: there the engine knows that the text is over and the matcher does not.
    fn ends_by_definition(source: &str, text: &[u8]) -> Vec<u64> {
        let engine = meta::Builder::new()
            .syntax(syntax::Config::new().unicode(false).utf8(false).multi_line(true).crlf(true))
            .build(source)
            .unwrap();
        let (mut from, mut ends) = (0, Vec::new());
        while let Some(end) = (from + 1..text.len()).find(|end| engine.is_match(Input::new(text).range(from..*end))) {
            ends.push(end as u64);
            from = end;
        }
        ends
    }

    proptest! {
        #[test]
        fn matches_are_those_of_the_definition(text in stream()) {
            let found = ends(&PATTERNS, &text);
            for (index, source) in PATTERNS.iter().enumerate() {
                let mine: Vec<u64> = found.iter().filter(|(pattern, _)| *pattern == index).map(|(_, end)| *end)
                    .filter(|end| *end < text.len() as u64).collect();
                prop_assert_eq!(&mine, &ends_by_definition(source, &text), "{} in {:?}", source, text);
            }
            prop_assert!(found.is_sorted_by_key(|(_, end)| *end));
        }

        /// Where no match can be extended, the earliest end is the leftmost-first one that `regex::bytes` reports.
        #[test]
        fn plain_patterns_match_as_the_regex_crate_does(text in stream()) {
            for source in ["ab", "a+b", "(?i)AB", r"[^a]\r\n[^b]", "a[^c]*c"] {
                let engine = regex::bytes::RegexBuilder::new(source).unicode(false).build().unwrap();
                let expected: Vec<_> = engine.find_iter(&text).map(|found| (0, found.end() as u64)).collect();
                prop_assert_eq!(ends(&[source], &text), expected);
            }
        }

        #[test]
        fn any_cut_of_the_bytes_gives_the_same_matches(text in stream(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8)) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
            cuts.sort_unstable();
            cuts.push(text.len());
            let (mut cut, _) = matcher(&PATTERNS);
            let mut start = 0;
            let mut found = Vec::new();
            for end in cuts {
                found.extend(cut.feed(at(0), &text[start..end]));
                start = end;
            }
            let (mut whole, _) = matcher(&PATTERNS);
            prop_assert_eq!(found, whole.feed(at(0), &text));
        }

        /// Adding and removing other patterns at any time leaves the matches of one that stays as they are.
        #[test]
        fn patterns_that_come_and_go_do_not_matter_to_the_others(
            text in stream(), stays in prop::sample::select(PATTERNS.to_vec()), visitors in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(PATTERNS.to_vec())), 0..6),
        ) {
            let (mut alone, _) = matcher(&[stays]);
            let (mut crowded, ids) = matcher(&[stays]);
            let mut guests = Vec::new();
            for (offset, byte) in text.iter().enumerate() {
                for (when, source) in &visitors {
                    if when.index(text.len()) == offset {
                        guests.push(crowded.add(&Pattern::regex(source).unwrap()));
                    }
                }
                if offset % 3 == 0 && let Some(guest) = guests.pop() {
                    crowded.remove(guest);
                }
                let mine: Vec<_> = crowded.feed(at(0), &[*byte]).iter().filter(|found| found.pattern == ids[0]).map(|found| found.end).collect();
                let expected: Vec<_> = alone.feed(at(0), &[*byte]).iter().map(|found| found.end).collect();
                prop_assert_eq!(mine, expected);
            }
        }

        #[test]
        fn the_groups_of_a_match_cover_its_end(text in stream(), source in prop::sample::select(PATTERNS.to_vec())) {
            let (mut matcher, _) = matcher(&[source]);
            for found in matcher.feed(at(0), &text) {
                prop_assert!(matcher.captures(&found).is_some(), "{} {:?}", source, found);
            }
        }
    }
}
