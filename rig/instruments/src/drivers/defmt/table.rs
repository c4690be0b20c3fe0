//! What a firmware's log says, by the table in its ELF. Every use of defmt-decoder is here.
//!
//! Boundary: bytes in, lines out. Defmt-decoder is made for logs that are as they should be; one of another firmware makes it fail in many ways,
//! a panic among them, and none of these is the rig's end.

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use defmt_decoder::{DecodeError, Frame, Locations, StreamDecoder, Table};

use crate::drivers::rtt::Elf;
use crate::drivers::rtt::reader::{Language, Listener};
use crate::failure::FailureKind;

/// What is said of an ELF that the decoder panics over.
const GAVE_UP: &str = "the decoder gave up on it";

/// Whether a line says where in the source it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    Hidden,
    Shown,
}

/// The table of one firmware.
pub(crate) struct LogTable {
    table: Table,
    locations: Option<Locations>,
}

impl LogTable {
    /// Reads it from an ELF.
    ///
    /// # Errors
    /// If that is no ELF, has no table or one of another version of the format, or does not say where its lines stand although that is asked.
    pub(crate) fn parse(elf: &Elf, location: Location) -> Result<Self, FailureKind> {
        let elf = elf.bytes();
        let wrong = |error: &dyn std::fmt::Display| FailureKind::Answer(format!("its table of defmt: {error}"));
        let parsed = unless_panic(|| Table::parse(elf)).map_err(|Panicked| wrong(&GAVE_UP))?;
        let table = parsed.map_err(|error| wrong(&error))?.ok_or_else(|| {
            FailureKind::Missing(
                "it has no section `.defmt`: the firmware does not speak defmt, or was stripped".to_owned(),
            )
        })?;
        let locations = match location {
            Location::Hidden => None,
            Location::Shown => Some(locations(&table, elf)?),
        };
        Ok(Self { table, locations })
    }
}

fn locations(table: &Table, elf: &[u8]) -> Result<Locations, FailureKind> {
    let wrong = |error: &dyn std::fmt::Display| FailureKind::Answer(format!("its debugging information: {error}"));
    let found = unless_panic(|| table.get_locations(elf)).map_err(|Panicked| wrong(&GAVE_UP))?;
    let locations = found.map_err(|error| wrong(&error))?;
    if table.indices().any(|index| !locations.contains_key(&(index as u64))) {
        let words = "it does not say where its lines stand: build the firmware with debugging information".to_owned();
        return Err(FailureKind::Missing(words));
    }
    Ok(locations)
}

/// That somebody else's code panicked.
#[derive(Debug)]
struct Panicked;

/// Whatever was half changed is thrown away by whoever asks.
fn unless_panic<R>(act: impl FnOnce() -> R) -> Result<R, Panicked> {
    catch_unwind(AssertUnwindSafe(act)).map_err(|_| Panicked)
}

impl Language for LogTable {
    fn listener(&self) -> Box<dyn Listener + '_> {
        Box::new(Lines { table: self, decoder: Some(self.table.new_stream_decoder()) })
    }
}

/// The lines of one life of the board.
struct Lines<'t> {
    table: &'t LogTable,
    /// `None` where nothing more can be understood: an encoding without marks between its frames is lost with the first wrong one.
    decoder: Option<Box<dyn StreamDecoder + Send + Sync + 't>>,
}

impl Listener for Lines<'_> {
    fn hear(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        let mut text = String::new();
        if let Some(decoder) = &mut self.decoder {
            decoder.received(&bytes);
        }
        while let Some(decoder) = &mut self.decoder {
            let table = self.table;
            let decoded = unless_panic(|| match decoder.decode() {
                Ok(frame) => Ok(line(&frame, table.locations.as_ref())),
                Err(error) => Err(error),
            });
            match decoded {
                Ok(Ok(line)) => text.push_str(&line),
                Ok(Err(DecodeError::UnexpectedEof)) => break,
                Ok(Err(DecodeError::Malformed)) | Err(Panicked) => self.misunderstood(&mut text, decoded.is_err()),
            }
        }
        text.into_bytes()
    }

    fn anew(&mut self) {
        self.decoder = Some(self.table.table.new_stream_decoder());
    }
}

impl Lines<'_> {
    fn misunderstood(&mut self, text: &mut String, panicked: bool) {
        const WHY: &str = "bytes were overwritten in the ring, or `elf` is not that of the firmware that runs";
        let recovers = self.table.table.encoding().can_recover();
        let loses = if recovers { "" } else { ", and nothing can be understood until the board begins anew" };
        text.push_str("[rig] defmt: a frame that the table of the ELF does not explain");
        text.push_str(loses);
        text.push_str(": ");
        text.push_str(WHY);
        text.push('\n');
        if !recovers {
            self.decoder = None;
        } else if panicked {
            self.anew();
        }
    }
}

/// `0.042 [INFO] text (src/main.rs:12)`, without what there is none of.
fn line(frame: &Frame<'_>, locations: Option<&Locations>) -> String {
    let mut line = String::new();
    let mut append = |part: std::fmt::Arguments<'_>| {
        // A string takes everything.
        let _ = line.write_fmt(part);
    };
    if let Some(timestamp) = frame.display_timestamp() {
        append(format_args!("{timestamp} "));
    }
    if let Some(level) = frame.level() {
        append(format_args!("[{}] ", level.as_str().to_ascii_uppercase()));
    }
    append(format_args!("{}", frame.display_message()));
    if let Some(location) = locations.and_then(|locations| locations.get(&frame.index())) {
        append(format_args!(" ({}:{})", location.file.display(), location.line));
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests;
