//! What to look for on the console: text as it stands, or a regular expression that a stream can answer.
//!
//! Boundary: parsing and refusing. Searching is the [`Matcher`](crate::Matcher)'s business.
//!
//! The syntax is that of the `regex` crate with these settings, chosen for serial lines:
//! - bytes, not Unicode: `.` and `\W` match binary garbage too; text outside ASCII stands for its UTF-8 bytes;
//! - `^` and `$` are line anchors, and CR, LF and CRLF all end a line (`ready$` matches before `\r\n`);
//! - `$` never matches merely because nothing more has arrived: only a line end that has been seen is one.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use regex_automata::meta;
use regex_automata::nfa::thompson::{self, NFA, State, WhichCaptures};
use regex_syntax::ast::{self, AssertionKind, Ast};
use regex_syntax::hir::{self, Hir, HirKind, Look};

/// Bytes of memory that the automaton of one pattern may take, so that `(\w{1,1000}){1,1000}` is an error and not a hang.
const NFA_SIZE_LIMIT: usize = 256 * 1024;

/// The same limit for the engine that finds capture groups.
const CAPTURE_SIZE_LIMIT: usize = 2 * 1024 * 1024;

/// Something to look for on the console. Cheap to clone.
#[derive(Clone)]
pub struct Pattern {
    inner: Arc<Compiled>,
}

struct Compiled {
    source: String,
    literals: Vec<Vec<u8>>,
    looks_around: bool,
    first_bytes: [bool; 256],
    nfa: NFA,
    groups: meta::Regex,
}

impl Pattern {
    /// Looks for `text` exactly as it stands.
    ///
    /// # Errors
    /// If `text` is empty or of unreasonable size.
    pub fn literal(text: impl AsRef<[u8]>) -> Result<Self, PatternError> {
        let text = text.as_ref();
        let source = String::from_utf8_lossy(text).into_owned();
        Self::compile(source, &Hir::literal(text))
    }

    /// Looks for what the regular expression `source` describes; see the settings above.
    ///
    /// # Errors
    /// If `source` is malformed, can match nothing at all or only the empty text, is too large, or asks what a stream cannot answer
    /// (`\A`, `\z`, Unicode word boundaries). The error tells the place.
    pub fn regex(source: &str) -> Result<Self, PatternError> {
        let refuse = |kind, span: &ast::Span| PatternError::new(source, kind, span.start.offset..span.end.offset);
        let tree = ast::parse::Parser::new()
            .parse(source)
            .map_err(|error| refuse(PatternErrorKind::Syntax(error.kind().to_string()), error.span()))?;
        let hir = hir::translate::TranslatorBuilder::new()
            .unicode(false)
            .utf8(false)
            .multi_line(true)
            .crlf(true)
            .build()
            .translate(source, &tree)
            .map_err(|error| refuse(PatternErrorKind::Syntax(error.kind().to_string()), error.span()))?;
        if hir.properties().look_set().iter().any(needs_more_than_the_next_byte) {
            let span = find_stream_boundary(&tree).unwrap_or(*tree.span());
            return Err(refuse(PatternErrorKind::NotOnAStream, &span));
        }
        Self::compile(source.to_owned(), &hir)
    }

    /// The pattern as it was written.
    pub fn source(&self) -> &str {
        &self.inner.source
    }

    /// The stretches of fixed text in it, lower case where case does not matter, in order.
    pub(crate) fn literals(&self) -> &[Vec<u8>] {
        &self.inner.literals
    }

    /// Whether a match depends on bytes outside it.
    pub(crate) fn looks_around(&self) -> bool {
        self.inner.looks_around
    }

    /// False if no match can begin with `byte`, whatever surrounds it.
    pub(crate) fn may_begin_with(&self, byte: u8) -> bool {
        self.inner.first_bytes[usize::from(byte)]
    }

    pub(crate) fn nfa(&self) -> &NFA {
        &self.inner.nfa
    }

    pub(crate) fn groups(&self) -> &meta::Regex {
        &self.inner.groups
    }

    fn compile(source: String, hir: &Hir) -> Result<Self, PatternError> {
        let refuse = |kind| Err(PatternError::new(&source, kind, 0..source.len()));
        match hir.properties().minimum_len() {
            None => return refuse(PatternErrorKind::NeverMatches),
            Some(0) => return refuse(PatternErrorKind::MatchesEmpty),
            Some(_) => {}
        }
        let config = thompson::Config::new()
            .utf8(false)
            .which_captures(WhichCaptures::None)
            .nfa_size_limit(Some(NFA_SIZE_LIMIT));
        let Ok(nfa) = thompson::Compiler::new().configure(config).build_from_hir(hir) else {
            return refuse(PatternErrorKind::TooLarge);
        };
        let config = meta::Config::new().utf8_empty(false).nfa_size_limit(Some(CAPTURE_SIZE_LIMIT));
        let Ok(groups) = meta::Builder::new().configure(config).build_from_hir(hir) else {
            return refuse(PatternErrorKind::TooLarge);
        };
        let looks_around = !hir.properties().look_set().is_empty();
        let first_bytes = first_bytes(&nfa);
        let literals = Literals::of(hir);
        Ok(Self { inner: Arc::new(Compiled { source, literals, looks_around, first_bytes, nfa, groups }) })
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.source()).finish()
    }
}

impl PartialEq for Pattern {
    /// Patterns are equal if they were written the same and mean the same.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
            || (self.source() == other.source() && self.literals() == other.literals())
    }
}

/// A stream has neither a known end nor, for a pattern that comes late, a known beginning. Unicode word boundaries need a whole character.
fn needs_more_than_the_next_byte(look: Look) -> bool {
    match look {
        Look::StartLF | Look::EndLF | Look::StartCRLF | Look::EndCRLF => false,
        Look::WordAscii | Look::WordAsciiNegate => false,
        Look::WordStartAscii | Look::WordEndAscii | Look::WordStartHalfAscii | Look::WordEndHalfAscii => false,
        Look::Start | Look::End => true,
        Look::WordUnicode | Look::WordUnicodeNegate => true,
        Look::WordStartUnicode | Look::WordEndUnicode | Look::WordStartHalfUnicode | Look::WordEndHalfUnicode => true,
    }
}

/// Where `\A`, `\z` or, failing those, another assertion stands (a flag group can turn `$` into `\z`).
fn find_stream_boundary(tree: &Ast) -> Option<ast::Span> {
    struct Finder {
        certain: Option<ast::Span>,
        possible: Option<ast::Span>,
    }
    impl ast::Visitor for Finder {
        type Output = Option<ast::Span>;
        type Err = std::convert::Infallible;
        fn finish(self) -> Result<Self::Output, Self::Err> {
            Ok(self.certain.or(self.possible))
        }
        fn visit_pre(&mut self, node: &Ast) -> Result<(), Self::Err> {
            if let Ast::Assertion(assertion) = node {
                let found = match assertion.kind {
                    AssertionKind::StartText | AssertionKind::EndText => &mut self.certain,
                    _ => &mut self.possible,
                };
                found.get_or_insert(assertion.span);
            }
            Ok(())
        }
    }
    let Ok(span) = ast::visit(tree, Finder { certain: None, possible: None });
    span
}

/// The bytes with which a match can begin if every assertion holds.
fn first_bytes(nfa: &NFA) -> [bool; 256] {
    let mut first = [false; 256];
    let mut seen = vec![false; nfa.states().len()];
    let mut stack = vec![nfa.start_anchored()];
    while let Some(at) = stack.pop() {
        if std::mem::replace(&mut seen[at.as_usize()], true) {
            continue;
        }
        match nfa.state(at) {
            State::ByteRange { trans } => first[usize::from(trans.start)..=usize::from(trans.end)].fill(true),
            State::Sparse(transitions) => {
                for range in transitions.transitions.iter() {
                    first[usize::from(range.start)..=usize::from(range.end)].fill(true);
                }
            }
            State::Dense(transitions) => {
                (0..=255)
                    .filter(|byte| transitions.matches_byte(*byte).is_some())
                    .for_each(|byte| first[usize::from(byte)] = true);
            }
            State::Look { next, .. } | State::Capture { next, .. } => stack.push(*next),
            State::Union { alternates } => stack.extend(alternates.iter()),
            State::BinaryUnion { alt1, alt2 } => stack.extend([*alt1, *alt2]),
            State::Fail | State::Match { .. } => {}
        }
    }
    first
}

/// Collects the stretches of fixed text of an expression.
#[derive(Default)]
struct Literals {
    runs: Vec<Vec<u8>>,
    current: Vec<u8>,
}

impl Literals {
    fn of(hir: &Hir) -> Vec<Vec<u8>> {
        let mut literals = Self::default();
        literals.walk(hir);
        literals.cut();
        literals.runs
    }

    fn walk(&mut self, hir: &Hir) {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(literal) => self.current.extend_from_slice(&literal.0),
            HirKind::Class(class) => match letter_in_either_case(class) {
                Some(letter) => self.current.push(letter),
                None => self.cut(),
            },
            HirKind::Capture(capture) => self.walk(&capture.sub),
            HirKind::Repetition(repetition) => {
                if repetition.min > 0 {
                    self.walk(&repetition.sub);
                }
                self.cut();
            }
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.walk(part)),
            HirKind::Alternation(choices) => {
                self.cut();
                let longest = choices.iter().map(Self::of).max_by_key(|runs| runs.iter().map(Vec::len).sum::<usize>());
                self.runs.extend(longest.unwrap_or_default());
            }
        }
    }

    fn cut(&mut self) {
        if !self.current.is_empty() {
            self.runs.push(std::mem::take(&mut self.current));
        }
    }
}

/// `[Pp]`, which is how `(?i)p` arrives here.
fn letter_in_either_case(class: &hir::Class) -> Option<u8> {
    let hir::Class::Bytes(bytes) = class else { return None };
    let [upper, lower] = bytes.ranges() else { return None };
    let single = |range: &hir::ClassBytesRange| (range.start() == range.end()).then_some(range.start());
    let (upper, lower) = (single(upper)?, single(lower)?);
    (upper.is_ascii_uppercase() && upper.to_ascii_lowercase() == lower).then_some(lower)
}

/// Why a pattern was refused, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot look for `{pattern}`: {kind}")]
pub struct PatternError {
    pattern: String,
    kind: PatternErrorKind,
    span: Range<usize>,
}

impl PatternError {
    fn new(pattern: &str, kind: PatternErrorKind, span: Range<usize>) -> Self {
        Self { pattern: pattern.to_owned(), kind, span }
    }

    /// What is wrong.
    pub fn kind(&self) -> &PatternErrorKind {
        &self.kind
    }

    /// Where in the pattern, as byte offsets.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }
}

/// What is wrong with a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternErrorKind {
    /// Not a regular expression.
    #[error("{0}")]
    Syntax(String),
    /// It asks for the beginning or end of all text, or for a Unicode word boundary.
    #[error(
        "a console is a stream without beginning or end: use `^` and `$` for the ends of lines, `(?-u:\\b)` for those of words"
    )]
    NotOnAStream,
    /// It matches at every place, before anything has arrived.
    #[error("it matches the empty text, so it would match at once")]
    MatchesEmpty,
    /// No text whatever matches it.
    #[error("nothing can match it")]
    NeverMatches,
    /// Its automaton would take too much memory.
    #[error("its repetitions are too large")]
    TooLarge,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(source: &str) -> (PatternErrorKind, Range<usize>) {
        let error = Pattern::regex(source).unwrap_err();
        (error.kind().clone(), error.span())
    }

    #[test]
    fn a_malformed_pattern_is_refused_with_its_place() {
        let error = Pattern::regex("temp=(\\d+").unwrap_err();
        assert_eq!(error.to_string(), "cannot look for `temp=(\\d+`: unclosed group");
        assert_eq!(error.span(), 5..6);
        assert!(matches!(refusal("[é]"), (PatternErrorKind::Syntax(_), span) if span == (1..3)));
    }

    #[test]
    fn what_a_stream_cannot_answer_is_refused_with_its_place() {
        assert_eq!(refusal(r"\Abooted"), (PatternErrorKind::NotOnAStream, 0..2));
        assert_eq!(refusal(r"^done\z"), (PatternErrorKind::NotOnAStream, 5..7));
        assert_eq!(refusal(r"(?-m)done$"), (PatternErrorKind::NotOnAStream, 9..10));
        assert_eq!(refusal(r"(?u:\bok)"), (PatternErrorKind::NotOnAStream, 4..6));
    }

    #[test]
    fn what_matches_everything_or_nothing_is_refused() {
        assert_eq!(refusal("(ok)?").0, PatternErrorKind::MatchesEmpty);
        assert_eq!(refusal("^").0, PatternErrorKind::MatchesEmpty);
        assert_eq!(refusal(r"[^\x00-\xff]").0, PatternErrorKind::NeverMatches);
        assert_eq!(Pattern::literal("").unwrap_err().kind(), &PatternErrorKind::MatchesEmpty);
    }

    #[test]
    fn a_pattern_that_would_eat_the_memory_is_refused_quickly() {
        assert_eq!(refusal(r"(?:\w{1,1000}){1,1000}").0, PatternErrorKind::TooLarge);
        assert_eq!(refusal(r"(?:(?:(?:a{50}){50}){50}){50}").0, PatternErrorKind::TooLarge);
    }

    #[test]
    fn literals_are_what_a_person_would_recognise() {
        let literals = |source: &str| {
            let pattern = Pattern::regex(source).unwrap();
            pattern.literals().iter().map(|run| String::from_utf8(run.clone()).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(literals(r"^temp=(\d+) °C$"), ["temp=", " °C"]);
        assert_eq!(literals(r"(?i)panic"), ["panic"]);
        assert_eq!(literals(r"up|serial\.begin ok"), ["serial.begin ok"]);
    }
}
