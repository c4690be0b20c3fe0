//! Trials told by the first second of their board: where it is that of a board whose trial was made to its end, this one ends likewise.
//!
//! Boundary: a book of stories and the class that each came to. It is used for counting outcomes only: a timeline and a verdict with its
//! reason come from trials that were made to their end.
//!
//! That two boards with the same second end alike is no theorem: firmware may count its failures, and a cell of flash that nobody has read
//! yet may be torn. So trials that the book tells are made to their end too, now and then, and a story that came to two ends tells nothing any
//! more.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use brickproof_scenario::plan::{Condition, Expected, Measurand, Plan, StepAction};
use brickproof_sim::{Simulation, Story};
use brickproof_units::Span;

use crate::outcome::Class;

/// The boot, its healing, the first attempt to connect and what the light makes of it: a healthy board is connected 0.7 s after its power
/// came back.
const TOLD_BY: Span = Span::secs(1);
/// Finer than the sensor can tell, which takes 4.8 ms for a sample; a board that writes another number takes some microseconds more.
const TOLERANCE: Span = Span::millis(1);
/// A story that told so many trials is checked by the next one, and again after eight times as many.
const CHECKED_AFTER: u64 = 32;
const AND_AFTER_TIMES: u64 = 8;

/// The stories that are known, and what was made of them.
#[derive(Debug, Default)]
pub(crate) struct Book {
    entries: RwLock<Vec<Entry>>,
    made: AtomicU64,
    told: AtomicU64,
    checked: AtomicU64,
    contradicted: AtomicU64,
}

#[derive(Debug)]
struct Entry {
    story: Story,
    class: Class,
    told: AtomicU64,
    /// It came to another end once.
    doubted: bool,
}

/// How it is known how a trial ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Seen {
    /// It was made to its end.
    #[default]
    Whole,
    /// The first second of its board after its last fault was that of a board whose trial was.
    FirstSecond,
}

/// How many trials were made to their end and how many were told by the first second of their board.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spared {
    /// Made to their end.
    pub made: u64,
    /// Told by their board's first second.
    pub told: u64,
    /// Those of the made ones that were to be told and were made to see whether it is true.
    pub checked: u64,
    /// Those of them of which it was not.
    pub contradicted: u64,
}

/// What the book says of a story.
pub(crate) enum Says {
    /// It is another one, or one that is not to be trusted.
    Nothing,
    /// It ends so.
    Ends(Class),
    /// It should end so: see whether it does.
    Check(Class),
}

impl Spared {
    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            made: self.made + other.made,
            told: self.told + other.told,
            checked: self.checked + other.checked,
            contradicted: self.contradicted + other.contradicted,
        }
    }
}

impl Book {
    /// The story of a board, if its last fault was made and nothing is decided yet.
    pub(crate) fn story(simulation: &Simulation) -> Option<Story> {
        let trial = simulation.trial();
        let is_open = !trial.is_decided() && trial.faults().last().is_some_and(|fault| fault.achieved.is_some());
        is_open.then(|| simulation.story(TOLD_BY))
    }

    pub(crate) fn look_up(&self, story: &Story) -> Says {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let Some(entry) = entries.iter().find(|entry| entry.story.is_like(story, TOLERANCE)) else {
            return Says::Nothing;
        };
        if entry.doubted {
            return Says::Nothing;
        }
        let before = entry.told.fetch_add(1, Ordering::Relaxed);
        if is_to_be_checked(before) {
            return Says::Check(entry.class);
        }
        self.told.fetch_add(1, Ordering::Relaxed);
        Says::Ends(entry.class)
    }

    /// A trial with this story was made to its end.
    pub(crate) fn note(&self, story: Option<Story>, class: Option<Class>, says: &Says) {
        self.made.fetch_add(1, Ordering::Relaxed);
        let (Some(story), Some(class)) = (story, class) else { return };
        match says {
            Says::Nothing => self.keep(story, class),
            Says::Ends(_) => {}
            Says::Check(expected) => {
                self.checked.fetch_add(1, Ordering::Relaxed);
                if *expected != class {
                    self.contradicted.fetch_add(1, Ordering::Relaxed);
                    self.keep(story, class);
                }
            }
        }
    }

    /// Puts an end down; the second one that differs from the first makes the story doubtful.
    fn keep(&self, story: Story, class: Class) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        match entries.iter_mut().find(|entry| entry.story.is_like(&story, TOLERANCE)) {
            Some(entry) => entry.doubted |= entry.class != class,
            None => entries.push(Entry { story, class, told: AtomicU64::new(0), doubted: false }),
        }
    }

    pub(crate) fn spared(&self) -> Spared {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Spared {
            made: count(&self.made),
            told: count(&self.told),
            checked: count(&self.checked),
            contradicted: count(&self.contradicted),
        }
    }
}

fn is_to_be_checked(told: u64) -> bool {
    let mut at = CHECKED_AFTER;
    while at < told {
        at *= AND_AFTER_TIMES;
    }
    at == told
}

/// Whether a board's own doing decides its trial once the last fault was made: what follows looks at light and identity, and touches nothing.
pub(crate) fn can_be_told(plan: &Plan) -> bool {
    let last = plan.steps.iter().rposition(|step| matches!(step.action, StepAction::Fault { .. }));
    let Some(last) = last else { return false };
    // A fault strikes the programmer's work then, and not the board's alone.
    if plan.steps.iter().any(|step| step.action.transfer().is_some()) {
        return false;
    }
    let shown = match &plan.outcome {
        Expected::Passed => &[][..],
        Expected::Bricked { showing } => showing,
    };
    plan.steps[last + 1..].iter().all(|step| only_looks(&step.action))
        && plan.throughout.iter().map(|watch| &watch.never).chain(shown).all(is_light_or_identity)
}

fn only_looks(action: &StepAction) -> bool {
    match action {
        StepAction::Wait(_) => true,
        StepAction::Expect(expectation) => is_light_or_identity(&expectation.condition),
        StepAction::Never { condition, .. } => is_light_or_identity(condition),
        StepAction::Measure(measurement) => match &measurement.what {
            Measurand::TimeUntil { at_least: None, at_most: None, condition, .. } => is_light_or_identity(condition),
            Measurand::TimeUntil { .. } | Measurand::LowestVoltage { .. } => false,
        },
        _ => false,
    }
}

fn is_light_or_identity(condition: &Condition) -> bool {
    match condition {
        Condition::Light { .. } | Condition::Identity(_) => true,
        Condition::Any(conditions) => conditions.iter().all(is_light_or_identity),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use brickproof_firmware::Firmware;
    use brickproof_scenario::{Library, load};

    use super::*;

    const SCENARIO: &str = "\
scenario: T
board: lantern-nrf51
firmware: lantern-no-heal
steps:
  - supply: { usb: 5V }
  - wait: 20ms
  - fault: { brown_out: { after: 1ms, rail: 3V3, floor: 1.2V, fall: 50us/V, hold: 20ms } }
  - expect: { light: cloud_connected, within: 30s }
";

    fn plan(text: &str) -> Plan {
        load("t.yaml", text, &Library::built_in()).unwrap_or_else(|it| panic!("{}", it.render(100))).cells.remove(0)
    }

    fn story() -> Story {
        let firmware = Firmware::shipped("lantern-no-heal").expect("it ships");
        let mut simulation = Simulation::new(Arc::new(plan(SCENARIO)), &firmware, 1);
        simulation.run_until(|it| it.trial().faults().last().is_some_and(|fault| fault.achieved.is_some()));
        Book::story(&simulation).expect("the fault was made")
    }

    #[test]
    fn a_story_tells_how_its_first_trial_ended_and_is_checked_now_and_then() {
        let (book, story) = (Book::default(), story());
        assert!(matches!(book.look_up(&story), Says::Nothing));
        book.note(Some(story.clone()), Some(Class::LockedOut), &Says::Nothing);
        let mut checks = Vec::new();
        for told in 0..600 {
            match book.look_up(&story) {
                Says::Ends(class) => assert_eq!(class, Class::LockedOut),
                Says::Check(class) => {
                    checks.push(told);
                    book.note(Some(story.clone()), Some(class), &Says::Check(class));
                }
                Says::Nothing => panic!("it is known"),
            }
        }
        assert_eq!(checks, [32, 256]);
        assert_eq!(book.spared(), Spared { made: 3, told: 598, checked: 2, contradicted: 0 });
    }

    #[test]
    fn a_story_that_came_to_two_ends_tells_nothing_any_more() {
        let (book, story) = (Book::default(), story());
        book.note(Some(story.clone()), Some(Class::LockedOut), &Says::Nothing);
        book.note(Some(story.clone()), Some(Class::Survived), &Says::Check(Class::LockedOut));
        assert!(matches!(book.look_up(&story), Says::Nothing));
        assert_eq!(book.spared().contradicted, 1);
    }

    #[test]
    fn a_trial_that_touches_its_board_or_reads_more_than_light_and_identity_is_made_to_its_end() {
        let followed_by = |step: &str| can_be_told(&plan(&format!("{SCENARIO}  - {step}\n")));
        assert!(followed_by("expect: { identity: [unchanged, rotated], within: 5s }"));
        assert!(followed_by("never: { light: sos, for: 5s }"));
        for step in [
            "send: keys rotate",
            "reset: pin",
            "cloud: silent",
            "expect: { console: Cloud connected, within: 5s }",
            "expect: { slot: device_private, is: [old, new] }",
            "never: { rail: 3V3, below: 1.8V, for: 1s }",
        ] {
            assert!(!followed_by(step), "{step}");
        }
        assert!(!can_be_told(&plan(
            &SCENARIO
                .replace("  - fault", "  - on: { console: lantern, within: 5s }\n    fault")
                .replace("steps:", "throughout:\n  - not: { console: panicked }\nsteps:")
        )));
        assert!(!can_be_told(&plan(
            "scenario: T\nboard: lantern-nrf51\nfirmware: lantern-no-heal\nsteps:\n  - supply: { usb: 5V }\n"
        )));
    }
}
