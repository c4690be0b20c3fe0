//! Pictures of a campaign: the survival map of a sweep, the windows of a search, the way of a proof, the cycles of a soak; as SVG, and small for
//! a terminal.
//!
//! Boundary: text out of a course. Each picture carries its own legend and its world, since pictures travel without the page they stood on.

mod cycles;
mod field;
mod map;
mod rows;
mod sheet;
mod strip;
mod svg;
mod way;
mod window;

use brickproof_statistics::{Counts, Interval};
use brickproof_units::Span;
use brickproof_virtual_board::flash::{FlashOperation, FlashRecord};

use crate::asking::Asking;
use crate::course::Course;
use crate::outcome::Class;
use crate::progress::shown_confidence;

pub use sheet::Sheet;

/// What the flash did after the trigger when nothing disturbed it, for the axis of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy {
    /// From so long after the trigger.
    pub from: Span,
    /// Until so long after it.
    pub to: Span,
    /// Whether it erased; it programmed otherwise.
    pub erases: bool,
}

impl Busy {
    pub(crate) fn of(record: &FlashRecord, triggered: brickproof_units::Instant) -> Self {
        let erases = !matches!(record.operation, FlashOperation::Program { .. });
        Self { from: record.start.since(triggered), to: record.end.since(triggered), erases }
    }
}

/// What is drawn of a campaign besides its course.
#[derive(Clone, Copy, Debug)]
pub struct Caption<'a> {
    /// The question.
    pub title: &'a str,
    /// The world that it was answered in.
    pub world: &'a str,
    /// What the flash did; empty where the world does not know.
    pub busy: &'a [Busy],
}

/// The picture of a course as SVG. `None` if there is nothing to be seen yet.
pub fn svg(course: &Course, caption: &Caption<'_>, sheet: Sheet) -> Option<String> {
    match course.asking() {
        Asking::Sweep(sweep) => map::draw(sweep.tried(), caption, sheet),
        Asking::FindWindow(find) => window::draw(find, caption, sheet),
        Asking::Prove(prove) => way::draw(prove, caption, sheet),
        Asking::Soak(soak) => cycles::draw(soak, course, caption, sheet),
    }
}

/// The picture of a course in lines of text, about so many characters wide. `None` if there is nothing to be seen.
pub fn text(course: &Course, width: usize) -> Option<String> {
    match course.asking() {
        Asking::Sweep(sweep) => strip::draw(sweep.tried(), width),
        Asking::FindWindow(find) => window::text(find, width),
        Asking::Prove(prove) => way::text(prove, width),
        Asking::Soak(soak) => cycles::text(soak, width),
    }
}

/// Failures among trials, with the interval that is shown everywhere.
fn share(counts: Counts) -> String {
    let Interval { low, high } = counts.clopper_pearson(shown_confidence());
    format!("{} of {} failed ({low} to {high})", counts.failures(), counts.trials())
}

/// From light to dark as from good to bad, so that they are told apart without colour too.
const fn colour(class: Class) -> &'static str {
    match class {
        Class::Survived => "#a9dcb6",
        Class::LockedOut => "#c0392b",
        Class::Misbehaved => "#e08a1e",
        Class::Silent => "#3b3b3b",
        Class::Discarded | Class::Invalid => "#b0b0b0",
    }
}
