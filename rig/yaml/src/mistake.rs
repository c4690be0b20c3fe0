//! What is wrong with a file, where, and what to write instead; all of it at once.
//!
//! Boundary: collects and shows mistakes; finding them is the business of the modules that read.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, Severity, SourceCode, SourceSpan,
};

use crate::printable::{printable, quotable};

/// A range of bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Its first byte.
    pub start: usize,
    /// The byte behind its last one.
    pub end: usize,
}

impl Place {
    /// The beginning of the file.
    pub const START: Self = Self { start: 0, end: 0 };

    fn span(self) -> SourceSpan {
        (self.start, self.end - self.start).into()
    }
}

/// What kind of mistake it is. The code is stable: scripts may rely on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum MistakeKind {
    /// The file is not YAML.
    Syntax,
    /// The file is not UTF-8.
    Encoding,
    /// The file, or what it unfolds to, is larger than the rig reads.
    TooLarge,
    /// YAML that has no meaning here: tags, several documents, keys that are no words.
    UnsupportedYaml,
    /// An alias without an anchor.
    UnknownAnchor,
    /// A key that nobody reads.
    UnknownKey,
    /// A key that comes twice.
    DuplicateKey,
    /// A key that has to be there.
    MissingKey,
    /// A key with nothing behind it.
    MissingValue,
    /// A list where a text is wanted, and the like.
    WrongType,
    /// No number, no unit, or the wrong unit.
    WrongQuantity,
    /// A board, firmware, status, rail, line, slot... that does not exist.
    UnknownName,
    /// A firmware file that cannot be read, is no image, or does not fit the board.
    BadFirmware,
    /// The state of a board that cannot be read, was altered, or is another board's.
    BadState,
    /// A value that is not one of the few that are possible.
    UnknownValue,
    /// `${name}` without such an axis.
    UnknownAxis,
    /// An axis that changes nothing.
    UnusedAxis,
    /// An axis, list or pattern without anything in it.
    Empty,
    /// A value that comes twice where it may come once: in a list, or one place for two instruments.
    DuplicateValue,
    /// A step that does nothing, or more than one thing.
    NotOneVerb,
    /// Something that may not stand here.
    Misplaced,
    /// A regular expression that is none.
    BadPattern,
    /// More than the board can stand or show.
    BeyondLimits,
    /// A time in which the thing cannot happen.
    ImpossibleTiming,
    /// An outcome rule that decides nothing.
    DeadRule,
    /// A cell of the matrix without an outcome.
    UndecidedCell,
    /// A brick is expected but nothing is done that could cause it.
    CauselessBrick,
}

impl MistakeKind {
    /// All of them.
    pub const ALL: [Self; 27] = [
        Self::Syntax,
        Self::Encoding,
        Self::TooLarge,
        Self::UnsupportedYaml,
        Self::UnknownAnchor,
        Self::UnknownKey,
        Self::DuplicateKey,
        Self::MissingKey,
        Self::MissingValue,
        Self::WrongType,
        Self::WrongQuantity,
        Self::UnknownName,
        Self::BadFirmware,
        Self::BadState,
        Self::UnknownValue,
        Self::UnknownAxis,
        Self::UnusedAxis,
        Self::Empty,
        Self::DuplicateValue,
        Self::NotOneVerb,
        Self::Misplaced,
        Self::BadPattern,
        Self::BeyondLimits,
        Self::ImpossibleTiming,
        Self::DeadRule,
        Self::UndecidedCell,
        Self::CauselessBrick,
    ];

    /// The code that stands before the message.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::Encoding => "encoding",
            Self::TooLarge => "too-large",
            Self::UnsupportedYaml => "unsupported-yaml",
            Self::UnknownAnchor => "unknown-anchor",
            Self::UnknownKey => "unknown-key",
            Self::DuplicateKey => "duplicate-key",
            Self::MissingKey => "missing-key",
            Self::MissingValue => "missing-value",
            Self::WrongType => "wrong-type",
            Self::WrongQuantity => "wrong-quantity",
            Self::UnknownName => "unknown-name",
            Self::BadFirmware => "bad-firmware",
            Self::BadState => "bad-state",
            Self::UnknownValue => "unknown-value",
            Self::UnknownAxis => "unknown-axis",
            Self::UnusedAxis => "unused-axis",
            Self::Empty => "empty",
            Self::DuplicateValue => "duplicate-value",
            Self::NotOneVerb => "not-one-verb",
            Self::Misplaced => "misplaced",
            Self::BadPattern => "bad-pattern",
            Self::BeyondLimits => "beyond-limits",
            Self::ImpossibleTiming => "impossible-timing",
            Self::DeadRule => "dead-rule",
            Self::UndecidedCell => "undecided-cell",
            Self::CauselessBrick => "causeless-brick",
        }
    }

    /// Whether the rest of a file that could not be read to its end may set it right.
    const fn may_be_settled_further_down(self) -> bool {
        matches!(
            self,
            Self::MissingKey | Self::UnusedAxis | Self::UndecidedCell | Self::CauselessBrick | Self::DeadRule
        )
    }
}

/// How many cells of a matrix are quoted when each of them stumbles at the same place over another value.
const CELLS_SHOWN: usize = 4;

/// One mistake.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Mistake {
    kind: MistakeKind,
    message: String,
    place: Place,
    label: String,
    help: Option<String>,
    elsewhere: Option<(Place, String)>,
    in_other_cells: Vec<String>,
    line: usize,
    column: usize,
}

impl Mistake {
    /// A mistake at `place`; the message is a lower-case fragment.
    pub fn new(kind: MistakeKind, place: Place, message: impl Into<String>) -> Self {
        let (label, message) = (String::new(), printable(&message.into()));
        let (help, elsewhere, in_other_cells) = (None, None, Vec::new());
        Self { kind, message, place, label, help, elsewhere, in_other_cells, line: 1, column: 1 }
    }

    /// What to write under the place.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = printable(&label.into());
        self
    }

    /// What to do instead.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(printable(&help.into()));
        self
    }

    /// Another place that belongs to it.
    pub fn elsewhere(mut self, place: Place, label: impl Into<String>) -> Self {
        self.elsewhere = Some((place, printable(&label.into())));
        self
    }

    fn says(&self, message: &str) -> bool {
        self.message == message || self.in_other_cells.iter().any(|other| other == message)
    }

    fn advice(&self) -> Option<String> {
        if self.in_other_cells.is_empty() {
            return self.help.clone();
        }
        let (shown, rest) = self.in_other_cells.split_at(self.in_other_cells.len().min(CELLS_SHOWN));
        let others = shown.iter().map(|message| format!("in another cell: {message}"));
        let more = (!rest.is_empty()).then(|| format!("and {} more", rest.len()));
        Some(self.help.clone().into_iter().chain(others).chain(more).collect::<Vec<_>>().join("\n"))
    }

    /// What kind it is.
    pub fn kind(&self) -> MistakeKind {
        self.kind
    }

    /// The line, counted from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column in characters, counted from 1.
    pub fn column(&self) -> usize {
        self.column
    }

    /// What to write instead, if that is known.
    pub fn suggestion(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// What is said at the same place in other cells of the matrix.
    pub fn in_other_cells(&self) -> &[String] {
        &self.in_other_cells
    }
}

impl Diagnostic for Mistake {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.kind.code()))
    }

    fn severity(&self) -> Option<Severity> {
        Some(Severity::Error)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.advice().map(|advice| Box::new(advice) as Box<dyn fmt::Display>)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let labelled = |text: &str, place: Place| {
            LabeledSpan::new_with_span(Some(text.to_owned()).filter(|text| !text.is_empty()), place.span())
        };
        let here = labelled(if self.label.is_empty() { "here" } else { &self.label }, self.place);
        let there = self.elsewhere.as_ref().map(|(place, label)| labelled(label, *place));
        Some(Box::new(std::iter::once(here).chain(there)))
    }
}

/// Every mistake of one file, in the order of the file. As a miette `Diagnostic` the mistakes are its related errors.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{path}: {}", counted(.mistakes.len(), "mistake"))]
pub struct Diagnostics {
    path: String,
    source_text: NamedSource<Arc<str>>,
    mistakes: Vec<Mistake>,
}

/// So many of `what`: `1 mistake`, `2 mistakes`.
pub fn counted(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

impl Diagnostics {
    /// The mistakes, never none.
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }

    /// The path that was given to the reader.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The report as it is printed on a terminal without colours, at most `width` columns wide.
    pub fn render(&self, width: usize) -> String {
        self.render_in(GraphicalTheme::unicode_nocolor(), width)
    }

    /// The same with colours.
    pub fn render_coloured(&self, width: usize) -> String {
        self.render_in(GraphicalTheme::unicode(), width)
    }

    fn render_in(&self, theme: GraphicalTheme, width: usize) -> String {
        let handler = GraphicalReportHandler::new_themed(theme).with_width(width);
        let mut report = String::new();
        // Writing to a `String` cannot fail, and the spans lie inside the text by construction.
        if handler.render_report(&mut report, self).is_err() {
            report.push_str(&self.to_string());
        }
        report
    }
}

impl Diagnostic for Diagnostics {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source_text)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.mistakes.iter().map(|mistake| mistake as &dyn Diagnostic)))
    }
}

/// Collects mistakes. The file is read once for every cell of its matrix: what is wrong in many cells counts once.
#[derive(Debug, Default)]
pub struct Mistakes {
    found: Vec<Mistake>,
    /// For every place and kind: in which cell it was found first, and the mistakes there.
    known: BTreeMap<(Place, MistakeKind), (usize, Vec<usize>)>,
    cell: usize,
}

impl Mistakes {
    /// From now on the file is read for another cell.
    pub fn next_cell(&mut self) {
        self.cell += 1;
    }

    /// One more mistake, unless the same was told before.
    pub fn report(&mut self, mistake: Mistake) {
        let (cell, same) = self.known.entry((mistake.place, mistake.kind)).or_insert((self.cell, Vec::new()));
        if same.iter().any(|index| self.found[*index].says(&mistake.message)) {
            return;
        }
        match same.first() {
            // Another cell stumbles at the same place over another value: one mistake, told with all its values.
            Some(first) if *cell != self.cell => self.found[*first].in_other_cells.push(mistake.message),
            _ => {
                same.push(self.found.len());
                self.found.push(mistake);
            }
        }
    }

    /// Whether anything was wrong so far.
    pub fn is_any(&self) -> bool {
        !self.found.is_empty()
    }

    /// Forgets what may only seem wrong because reading stopped early.
    pub fn forgive_what_is_unfinished(&mut self) {
        self.found.retain(|mistake| !mistake.kind.may_be_settled_further_down());
    }

    /// `value`, if nothing was wrong with the file.
    ///
    /// # Errors
    /// Everything that was found.
    pub fn settle<T>(self, path: &str, text: &str, value: Option<T>) -> Result<T, Diagnostics> {
        match value {
            Some(value) if self.found.is_empty() => Ok(value),
            _ => Err(self.into_diagnostics(path, text)),
        }
    }

    /// Everything found, as a report on `text`.
    pub fn into_diagnostics(mut self, path: &str, text: &str) -> Diagnostics {
        self.found.sort_by(|a, b| (a.place, a.kind, &a.message).cmp(&(b.place, b.kind, &b.message)));
        let lines = LineIndex::new(text);
        for mistake in &mut self.found {
            (mistake.line, mistake.column) = lines.position(text, mistake.place.start);
        }
        let source_text = NamedSource::new(path, Arc::from(quotable(text))).with_language("yaml");
        Diagnostics { path: path.to_owned(), source_text, mistakes: self.found }
    }
}

/// Where the lines of a text begin.
#[derive(Clone, Debug)]
pub struct LineIndex {
    starts: Vec<usize>,
}

impl LineIndex {
    /// Of `text`.
    pub fn new(text: &str) -> Self {
        let after_newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { starts: std::iter::once(0).chain(after_newlines).collect() }
    }

    /// The line of a byte, counted from 1.
    pub fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset)
    }

    /// Line and column, counted from 1, of the character of `text` that begins at byte `offset`.
    pub fn position(&self, text: &str, offset: usize) -> (usize, usize) {
        let line = self.line(offset);
        let before = text.get(self.starts[line - 1]..offset).unwrap_or("");
        (line, before.chars().count() + 1)
    }
}
