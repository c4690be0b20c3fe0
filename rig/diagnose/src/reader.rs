//! Everything that is known of one board, read as it comes.
//!
//! Boundary: puts lines, lights and words together. Each is told in its own order; between them the order does not matter.

use brickproof_boards::{BoardProfile, Transport};
use brickproof_console::LogRecord;
use brickproof_light::{Calibration, Sample, Sight};
use brickproof_units::Span;

use crate::observed::Observed;
use crate::read::Silences;
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
    silence: Silences,
    transport: Option<Transport>,
}

/// What a board without a cloud of its own is judged by: DTLS of Device OS.
const DTLS: Span = Span::secs(45);
/// ... and RSA, whose receiver gives up after so long (device-os, core_protocol.cpp).
const RSA: Span = Span::secs(20);

impl<'b> Reader<'b> {
    /// For a board of that kind.
    pub fn new(board: &'b BoardProfile) -> Self {
        let silence = board.cloud.as_ref().map_or(DTLS, |cloud| cloud.silence);
        Self::with(board, [silence; 2], board.cloud.as_ref().map(|cloud| cloud.transport))
    }

    /// For a board of which nobody knows more than that its light is like that of `board`: how it speaks with its cloud is open.
    pub fn of_whichever_kind(board: &'b BoardProfile) -> Self {
        Self::with(board, [DTLS, RSA], None)
    }

    fn with(board: &'b BoardProfile, silence: Silences, transport: Option<Transport>) -> Self {
        Self {
            observed: Observed::nothing(),
            log: LogReader::new(silence),
            light: LightReader::new(board, silence),
            // Of a sensor that nobody measured.
            watched: Watched::new(Calibration::typical()),
            silence,
            transport,
        }
    }

    /// Its light is looked at by a sensor that was measured.
    #[must_use]
    pub fn calibrated(self, calibration: Calibration) -> Self {
        Self { watched: Watched::new(calibration), ..self }
    }

    /// How the board speaks with its cloud, if its profile or its log says so.
    pub fn transport(&self) -> Option<Transport> {
        self.transport.or(self.log.transport())
    }

    /// How many of the lines were lines of a log.
    pub fn log_lines(&self) -> u64 {
        self.log.lines()
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

    /// What somebody tells; a line of a log among it is read as one.
    ///
    /// # Errors
    /// The first clause that says nothing known.
    pub fn words(&mut self, text: &str) -> Result<(), NotUnderstood> {
        let (lines, words): (Vec<&str>, Vec<&str>) =
            text.lines().partition(|line| LogRecord::parse(line.as_bytes()).is_some());
        lines.into_iter().for_each(|line| self.line(line.as_bytes()));
        words::words(&words.join("\n"), self.silence, &mut self.observed)
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
