//! Everything that is known of one board, read as it comes.
//!
//! Boundary: puts lines, lights and words together. Each is told in its own order; between them the order does not matter.

use brickproof_boards::{BoardProfile, Transport};
use brickproof_light::{Sample, Sight};
use brickproof_units::Span;

use crate::observed::Observed;
use crate::read::light::{LightReader, Watched};
use crate::read::log::LogReader;
use crate::read::words::{self, NotUnderstood};

/// Gathers what a board shows.
#[derive(Clone, Debug)]
pub struct Reader<'b> {
    observed: Observed,
    log: LogReader,
    light: LightReader<'b>,
    watched: Watched,
    silence: Span,
    transport: Option<Transport>,
}

/// What a board without a cloud of its own is judged by: DTLS of Device OS.
const SILENCE: Span = Span::secs(45);

impl<'b> Reader<'b> {
    /// For a board of that kind.
    pub fn new(board: &'b BoardProfile) -> Self {
        let silence = board.cloud.as_ref().map_or(SILENCE, |cloud| cloud.silence);
        Self {
            observed: Observed::nothing(),
            log: LogReader::new(silence),
            light: LightReader::new(board, silence),
            watched: Watched::default(),
            silence,
            transport: board.cloud.as_ref().map(|cloud| cloud.transport),
        }
    }

    /// For a board of which nobody knows more than that it is like `board`: how it speaks with its cloud is open.
    pub fn of_whichever_kind(board: &'b BoardProfile) -> Self {
        Self { transport: None, ..Self::new(board) }
    }

    /// How the board speaks with its cloud, if its profile says so.
    pub fn transport(&self) -> Option<Transport> {
        self.transport
    }

    /// A line of its console, as it came.
    pub fn line(&mut self, line: &[u8]) {
        self.log.read(line, &mut self.observed);
    }

    /// The rig itself takes the board's power or resets it: that its clock begins anew afterwards says nothing.
    pub fn restarted_on_purpose(&mut self) {
        self.log.restarted_on_purpose();
    }

    /// What its light showed, once that is over, or as it stands at the end.
    pub fn sight(&mut self, sight: &Sight) {
        self.light.read(sight, &mut self.observed);
    }

    /// What a colour sensor above its light measured; in the order of the samples, and not together with [`sight`](Self::sight).
    pub fn sample(&mut self, sample: &Sample) {
        self.watched.sample(sample);
    }

    /// What somebody tells.
    ///
    /// # Errors
    /// The first clause that says nothing known.
    pub fn words(&mut self, text: &str) -> Result<(), NotUnderstood> {
        words::words(text, self.silence, &mut self.observed)
    }

    /// What came of it.
    pub fn finish(mut self) -> Observed {
        for sight in self.watched.sights() {
            self.light.read(&sight, &mut self.observed);
        }
        self.light.end(&mut self.observed);
        self.observed
    }
}
