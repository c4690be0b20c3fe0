//! The account of a trial: what went wrong in one sentence, whose fault it is, and the evidence.
//!
//! Boundary: it words and weighs what the eyes saw; it changes nothing. The board is blamed last: only when no one else can be.

use brickproof_boards::LedIndex;
use brickproof_console::{Line, LogLevel, LogRecord, Nearest, nearest};
use brickproof_scenario::plan::{
    CloudBehaviour, Condition, Expected, Fault, Identity, Plan, SlotContent, Step, StepAction, SupplySetting, Trigger,
    UsbPresence, Way,
};
use brickproof_units::{Instant, Span, Voltage};

use crate::conditions::Eyes;
use crate::ports::{CommandError, ShapeAchieved};
use crate::rail::{Lack, Reading};
use crate::verdict::{Blame, Evidence, FaultRecord, MeasuredValue, Verdict, VerdictKind};

/// How many console lines accompany a verdict.
const LINES_SHOWN: usize = 4;
/// What Device OS and its like call the light of a connected board; the other lights of the cloud do not need an answer from it.
const CONNECTED: &str = "cloud_connected";
/// A floor that is missed by more than this is not the fault that was asked for.
const FLOOR_TOLERANCE: Voltage = Voltage::new(50_000);

/// What was not as it should be.
pub(crate) enum Miss<'a> {
    /// It did not come.
    Unseen { text: &'a str, condition: &'a Condition, within: Span, began: Instant, stay: Stay },
    /// It came and must not.
    Forbidden { text: &'a str, line: usize, condition: &'a Condition },
    /// It came at the wrong time or size.
    OutOfLimits { text: &'a str, value: MeasuredValue },
    /// The board's keys are not what was saved of them.
    KeysDiffer { text: &'a str, how: &'a str },
}

/// In what manner a step failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// What was waited for did not come: so do bricks.
    InVain,
    /// Something forbidden came, or it came out of its limits.
    Otherwise,
}

/// How far something came that should have come and stayed.
#[derive(Clone, Copy)]
pub(crate) enum Stay {
    /// It never came.
    NeverCame,
    /// It came, and was gone before it had lasted so long.
    Left(Span),
}

pub(crate) fn passed(at: Instant) -> Verdict {
    Verdict {
        kind: VerdictKind::Passed,
        blame: None,
        reason: String::new(),
        step: None,
        evidence: Vec::new(),
        light: Vec::new(),
        at,
    }
}

pub(crate) fn brick_did_not_come(eyes: &Eyes, at: Instant) -> Verdict {
    Verdict {
        kind: VerdictKind::Failed,
        blame: Some(Blame::Firmware),
        reason: "the scenario expects this firmware to brick, and it survived".to_owned(),
        step: None,
        evidence: last_lines(eyes),
        light: eyes.light_in_words(),
        at,
    }
}

/// Nothing that was done reached the board, so that it had nothing to survive.
pub(crate) fn nothing_harmed(eyes: &Eyes, at: Instant) -> Verdict {
    Verdict {
        kind: VerdictKind::Error,
        blame: Some(Blame::Scenario),
        reason: "the scenario expects this firmware to brick, and nothing was done that could harm it".to_owned(),
        ..brick_did_not_come(eyes, at)
    }
}

/// Turns the failure that a scenario predicts into a pass, if it is the one that it predicts.
pub(crate) fn expected_brick(eyes: &Eyes, plan: &Plan, failure: Verdict, shown: &[bool], manner: Manner) -> Verdict {
    let Expected::Bricked { showing } = &plan.outcome else { return failure };
    if eyes.handshakes().cloud() != CloudBehaviour::Genuine {
        let reason = format!("no brick can be told while the cloud is not genuine by order: {}", failure.reason);
        return Verdict { kind: VerdictKind::Error, blame: Some(Blame::Scenario), reason, ..failure };
    }
    if manner == Manner::Otherwise {
        let reason = format!("a brick was expected, but not in this way: {}", failure.reason);
        return Verdict { reason, ..failure };
    }
    let not_shown = showing.iter().zip(shown).find(|(_, shown)| !**shown);
    if let Some((condition, _)) = not_shown {
        let reason = format!("a brick was expected in which {condition}, but {}", failure.reason);
        return Verdict { reason, ..failure };
    }
    let reason = format!("bricked, as expected: {}", failure.reason);
    Verdict { kind: VerdictKind::Passed, blame: None, reason, ..failure }
}

/// What a trial comes to whose station could not be cleaned up or made safe: nothing that follows on it can be trusted.
pub(crate) fn left_unsafe(verdict: &Verdict, error: &CommandError, at: Instant) -> Verdict {
    let blame = verdict.blame.map(|blame| format!(" by the {blame}'s fault")).unwrap_or_default();
    let mut reason =
        format!("the station could not be left safe: {error}; before that the trial {}{blame}", verdict.kind.as_verb());
    if !verdict.reason.is_empty() {
        reason.push_str(&format!(": {}", verdict.reason));
    }
    Verdict { kind: VerdictKind::Error, blame: Some(Blame::Bench), reason, at, ..verdict.clone() }
}

/// What the scenario asks for must not be done.
pub(crate) fn scenario_error(eyes: &Eyes, reason: String, step: Option<usize>, at: Instant) -> Verdict {
    Verdict { blame: Some(Blame::Scenario), ..bench_error(eyes, reason, step, at) }
}

pub(crate) fn bench_error(eyes: &Eyes, reason: String, step: Option<usize>, at: Instant) -> Verdict {
    Verdict {
        kind: VerdictKind::Error,
        blame: Some(Blame::Bench),
        reason,
        step,
        evidence: last_lines(eyes),
        light: eyes.light_in_words(),
        at,
    }
}

/// Firmware did not come onto the board. Without power it could not: then it is whoever was to feed the board.
pub(crate) fn not_written(eyes: &Eyes, error: &str, step: Option<usize>, began: Instant, at: Instant) -> Verdict {
    let Some(starved) = starved(eyes, began) else { return bench_error(eyes, error.to_owned(), step, at) };
    let reason = format!("{}; {error}", starved.text);
    let mut evidence = last_lines(eyes);
    evidence.extend(last_reading(eyes));
    Verdict { blame: Some(starved.blame), evidence, ..bench_error(eyes, reason, step, at) }
}

/// A fault whose trigger did not come was not made: no statement about survival is possible.
pub(crate) fn trigger_missed(eyes: &Eyes, step: &Step, trigger: &Trigger, began: Instant, at: Instant) -> Verdict {
    let silent = !eyes.heard_since(began);
    let starved = starved(eyes, began).filter(|_| silent);
    let cause = match &step.action {
        StepAction::Fault { trigger: Trigger { cause: Some(cause), .. }, .. } => cause.to_string(),
        _ => step.text.clone(),
    };
    let (blame, why) = match &starved {
        Some(starved) => (starved.blame, starved.text.as_str()),
        None if silent => (Blame::Firmware, "the console was silent"),
        None => (Blame::Scenario, "the board was alive, so the trigger does not fit it"),
    };
    let mut evidence = nearest_line(eyes, &step.action, began);
    evidence.extend(last_lines(eyes));
    evidence.extend(starved.as_ref().and(last_reading(eyes)));
    Verdict {
        kind: VerdictKind::Error,
        blame: Some(blame),
        reason: format!("the fault was not made: its trigger, {cause}, did not come within {}; {why}", trigger.within),
        step: Some(step.index),
        evidence,
        light: eyes.light_in_words(),
        at,
    }
}

/// A transfer that was over before the fault struck was not struck.
pub(crate) fn struck_too_late(eyes: &Eyes, step: &Step, ended: Instant, at: Instant) -> Verdict {
    let cause = match &step.action {
        StepAction::Fault { trigger: Trigger { cause: Some(cause), .. }, .. } => cause.to_string(),
        _ => step.text.clone(),
    };
    let reason =
        format!("the fault was not made where it was asked for, after {cause}: the transfer was over at {ended}");
    Verdict { blame: Some(Blame::Scenario), ..bench_error(eyes, reason, Some(step.index), at) }
}

/// The verdict on a fault that did not come, or not as it was asked for.
pub(crate) fn not_as_asked(
    eyes: &Eyes,
    record: &FaultRecord,
    achieved: &ShapeAchieved,
    at: Instant,
) -> Option<Verdict> {
    let asked = &record.asked.fault;
    let error = |blame, reason| Verdict { blame: Some(blame), ..bench_error(eyes, reason, Some(record.step), at) };
    if !eyes.rail().was_up_before(achieved.began) {
        let reason = "the fault was not made: the board had no power when it struck".to_owned();
        Some(error(Blame::Scenario, reason))
    } else if let Fault::PowerCut { .. } = asked
        && achieved.below_brown_out == Span::ZERO
    {
        let lowest = achieved.lowest;
        let reason = format!("the fault was not made: the power came back before the board felt it, at {lowest}");
        Some(error(Blame::Scenario, reason))
    } else if let Some(reason) = unlike(asked, achieved) {
        Some(error(Blame::Bench, reason))
    } else {
        let reason = astray(record, achieved)?;
        Some(Verdict { kind: VerdictKind::Inconclusive, ..error(Blame::Bench, reason) })
    }
}

/// Where a fault struck that did not strike within its tolerance.
fn astray(record: &FaultRecord, achieved: &ShapeAchieved) -> Option<String> {
    record.beyond_tolerance()?;
    let (asked, began) = (record.asked.at, achieved.began);
    let off = if began < asked {
        format!("{} too early", asked.since(began))
    } else {
        format!("{} too late", began.since(asked))
    };
    let (uncertainty, tolerance) = (achieved.uncertainty, record.tolerance?);
    Some(format!("discarded: the fault struck {off} (within {uncertainty}), and its tolerance is {tolerance}"))
}

/// Why the shape that was achieved is not the one that was asked for, if it is not.
fn unlike(asked: &Fault, achieved: &ShapeAchieved) -> Option<String> {
    match asked {
        Fault::BrownOut { floor, rail, .. } => {
            let off = achieved.lowest.get().abs_diff(floor.get());
            (off > FLOOR_TOLERANCE.get().unsigned_abs()).then(|| {
                format!("the brown-out was not made as asked: {rail} reached {}, not {floor}", achieved.lowest)
            })
        }
        Fault::LoadStep { reaches: Some(level), .. } => (achieved.lowest > *level).then(|| {
            format!("the load step was not made as asked: the rail fell to {}, not to {level}", achieved.lowest)
        }),
        Fault::PowerCut { .. } | Fault::LoadStep { reaches: None, .. } => None,
    }
}

/// The verdict on something that was not as it should be.
pub(crate) fn missed(eyes: &Eyes, miss: &Miss<'_>, step: Option<usize>, began: Instant, at: Instant) -> Verdict {
    let mut evidence = Vec::new();
    let (reason, subject) = match miss {
        Miss::Unseen { text, condition, within, began, stay } => {
            if let Condition::Console(pattern) = condition {
                evidence.extend(nearest_to(eyes, pattern, *began));
            }
            (unseen(eyes, text, condition, *within, *stay), Subject::of(condition))
        }
        Miss::Forbidden { text, line, condition } => {
            (format!("{condition}, which line {line} forbids ({text})"), Subject::of(condition))
        }
        Miss::OutOfLimits { text, value } => {
            let subject = match value {
                MeasuredValue::Voltage(_) => Subject::Supply,
                MeasuredValue::Span(_) => Subject::Board,
            };
            (format!("{value} is out of the limits: {text}"), subject)
        }
        Miss::KeysDiffer { text, how } => (format!("{how} ({text})"), Subject::Board),
    };
    evidence.extend(last_lines(eyes));
    // What a slot holds is the same with and without power, and whatever the cloud did.
    let in_flash = matches!(miss, Miss::KeysDiffer { .. });
    let story = eyes.handshakes().story(began, at).filter(|_| !in_flash);
    // A board that was kept from connecting may lack anything for it; what it did nevertheless is its own doing.
    let story = story.filter(|story| {
        let waited = matches!(miss, Miss::Unseen { .. });
        subject == Subject::Connection || story.blame == Blame::Bench || (story.blame == Blame::Scenario && waited)
    });
    // What the board does while the scenario strikes it is its own doing.
    let starved = starved(eyes, began).filter(|_| !eyes.rail().is_struck() && !in_flash);
    let (blame, reason) = match (subject, starved, story) {
        (Subject::Supply, _, _) => {
            evidence.extend(last_reading(eyes));
            (supplier(eyes), reason)
        }
        (_, Some(starved), _) => {
            evidence.extend(last_reading(eyes));
            (starved.blame, format!("{}; {reason}", starved.text))
        }
        (_, None, Some(story)) => {
            evidence.push(Evidence { at: story.at, kind: "cloud", text: story.text.clone() });
            (story.blame, format!("{}; {reason}", story.text))
        }
        (Subject::Usb, None, None) if !eyes.was_on_usb() => {
            let reason = format!("{reason}; it was never there in this trial: is its cable plugged in?");
            (Blame::Bench, reason)
        }
        (_, None, None) => (Blame::Firmware, reason),
    };
    evidence.sort_by_key(|it| it.at);
    Verdict { kind: kind_of(blame), blame: Some(blame), reason, step, evidence, light: eyes.light_in_words(), at }
}

/// Why a board could not do anything for lack of power.
struct Starved {
    text: String,
    blame: Blame,
}

/// Whether the board lacked its power from `began` on. A source that the scenario sized is the scenario's; a USB port is the bench's.
fn starved(eyes: &Eyes, began: Instant) -> Option<Starved> {
    let Lack { since, minimum } = eyes.rail().lack(began)?;
    let (who, blame) = match eyes.rail().source() {
        None | Some(SupplySetting::Off) => ("nothing fed the board".to_owned(), Blame::Scenario),
        Some(source @ (SupplySetting::Battery { .. } | SupplySetting::Bench { .. })) => {
            (format!("what the scenario feeds the board with does not carry it ({source})"), Blame::Scenario)
        }
        Some(source @ SupplySetting::Usb { .. }) => (format!("the supply failed ({source})"), Blame::Bench),
    };
    Some(Starved { text: format!("{who}: the rail fell short of {minimum} at {since}"), blame })
}

/// Whose doing the rail's voltage is: never the board's, which has no say in it. As in [`starved`], what the scenario sized or struck is its
/// own doing.
fn supplier(eyes: &Eyes) -> Blame {
    match eyes.rail().source() {
        Some(SupplySetting::Usb { .. }) if !eyes.rail().is_struck() => Blame::Bench,
        _ => Blame::Scenario,
    }
}

fn last_reading(eyes: &Eyes) -> Option<Evidence> {
    eyes.rail().last().map(|reading| Evidence { at: reading.at, kind: "supply", text: reading.to_string() })
}

/// Only a board can fail; where the rig or the scenario is to blame, nothing was learned about it.
fn kind_of(blame: Blame) -> VerdictKind {
    match blame {
        Blame::Firmware | Blame::Board => VerdictKind::Failed,
        Blame::Bench | Blame::Scenario => VerdictKind::Error,
    }
}

/// Who has a part in a condition besides the board.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Subject {
    /// Nobody.
    Board,
    /// The cloud.
    Connection,
    /// What the supply does is the bench's doing, not the board's.
    Supply,
    /// A cable that is not there looks like a board that is not.
    Usb,
}

impl Subject {
    fn of(condition: &Condition) -> Self {
        match condition {
            Condition::Light { name, .. } if name == CONNECTED => Self::Connection,
            Condition::Identity(_) => Self::Connection,
            Condition::Rail { .. } => Self::Supply,
            Condition::Usb(_) => Self::Usb,
            Condition::Any(conditions) => {
                let subjects: Vec<Self> = conditions.iter().map(Self::of).collect();
                if subjects.contains(&Self::Connection) {
                    Self::Connection
                } else if subjects.contains(&Self::Board) {
                    Self::Board
                } else {
                    Self::Supply
                }
            }
            // How much it draws is the board's own doing.
            Condition::Light { .. }
            | Condition::Console(_)
            | Condition::Slot { .. }
            | Condition::Firmware(_)
            | Condition::Current(_)
            | Condition::Mode { .. } => Self::Board,
        }
    }
}

fn unseen(eyes: &Eyes, text: &str, condition: &Condition, within: Span, stay: Stay) -> String {
    if let Stay::Left(holds) = stay {
        return format!("{condition}, but not for {holds}; {}", seen_instead(eyes, condition));
    }
    match condition {
        Condition::Light { led, name, .. } => {
            format!("the light did not come to `{name}` within {within}; it is {}", eyes.lights().now(*led))
        }
        Condition::Console(pattern) => format!("the console did not print `{}` within {within}", pattern.source()),
        Condition::Identity(accepts) => {
            let wanted = accepts.iter().map(|it| identity_in_words(*it)).collect::<Vec<_>>().join(" or ");
            match eyes.handshakes().connected_as() {
                Some((identity, _)) => {
                    format!("the board connected with {}, not {wanted}", identity_in_words(identity))
                }
                None if within == Span::ZERO => "the board has not connected".to_owned(),
                None => format!("the board did not connect within {within}"),
            }
        }
        Condition::Slot { slot, accepts } => {
            let wanted = accepts.iter().map(|it| content_in_words(*it)).collect::<Vec<_>>().join(" or ");
            match eyes.slot_content(*slot) {
                Some(content) => format!("slot {slot} holds {}, not {wanted}", content_in_words(content)),
                None => format!("slot {slot} was not read within {within}"),
            }
        }
        Condition::Firmware(accepts) => {
            let wanted = accepts.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
            match eyes.firmware() {
                Some(content) => format!("the firmware in flash is {content}, not {wanted}"),
                None => format!("the firmware in flash was not read within {within}"),
            }
        }
        Condition::Rail { .. } | Condition::Current(_) => {
            format!("not within {within}: {condition}; {}", seen_instead(eyes, condition))
        }
        Condition::Usb(usb) => {
            format!("the board did not come to be {} on USB within {within}; it is {}", usb.name(), usb_in_words(eyes))
        }
        Condition::Mode { mode, light, .. } => {
            let led = light.as_ref().map_or(LedIndex::FIRST, |(led, ..)| *led);
            format!(
                "the board did not come to mode {mode} within {within}; its light is {}, and on USB it is {}",
                eyes.lights().now(led),
                usb_in_words(eyes)
            )
        }
        Condition::Any(_) => format!("not seen within {within}: {text}"),
    }
}

fn usb_in_words(eyes: &Eyes) -> &'static str {
    eyes.usb().map_or("not looked for", UsbPresence::name)
}

/// The board could not be asked for a mode.
pub(crate) fn unserved(eyes: &Eyes, by: Way, why: &str, blame: Blame, step: Option<usize>, at: Instant) -> Verdict {
    let reason = format!("the board could not be asked for the mode by {}: {why}", by.name());
    let blame = if blame == Blame::Bench && eyes.was_on_usb() { Blame::Firmware } else { blame };
    let evidence = last_lines(eyes);
    Verdict { kind: kind_of(blame), blame: Some(blame), reason, step, evidence, light: eyes.light_in_words(), at }
}

/// What there is in place of something that lasts.
fn seen_instead(eyes: &Eyes, condition: &Condition) -> String {
    match (condition, eyes.rail().last()) {
        (Condition::Rail { .. }, Some(Reading { rail, .. })) => format!("now it is at {rail}"),
        (Condition::Current(_), Some(Reading { current, .. })) => format!("now it is {current}"),
        (Condition::Light { led, .. }, _) => format!("now the light is {}", eyes.lights().now(*led)),
        _ => format!("now the light is {}", eyes.lights().now(LedIndex::FIRST)),
    }
}

fn identity_in_words(identity: Identity) -> &'static str {
    match identity {
        Identity::Unchanged => "the identity it was provisioned with",
        Identity::Rotated => "the identity that the cloud issued",
        Identity::Renewed => "the identity that the rig gave it",
    }
}

fn content_in_words(content: SlotContent) -> &'static str {
    match content {
        SlotContent::Old => "the old key",
        SlotContent::New => "the new key",
        SlotContent::Blank => "nothing",
        SlotContent::Torn => "a torn key",
        SlotContent::AsFound => "a damaged key as it was found",
    }
}

fn nearest_line(eyes: &Eyes, action: &StepAction, began: Instant) -> Vec<Evidence> {
    use brickproof_scenario::plan::Cause;
    match action {
        StepAction::Fault {
            trigger: Trigger { cause: Some(Cause::Seen(Condition::Console(pattern))), .. }, ..
        } => nearest_to(eyes, pattern, began).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn nearest_to(eyes: &Eyes, pattern: &brickproof_console::Pattern, began: Instant) -> Option<Evidence> {
    let candidates = eyes.lines().filter(|line| line.completed >= began).map(Candidate);
    nearest(pattern, candidates).map(|Nearest { line: Candidate(line), .. }| Evidence {
        at: line.completed,
        kind: "nearest line",
        text: line.to_string(),
    })
}

/// A line that might be the one that was meant.
struct Candidate<'a>(&'a Line);

impl AsRef<[u8]> for Candidate<'_> {
    fn as_ref(&self) -> &[u8] {
        &self.0.bytes
    }
}

/// The lines that say most: the last ones, and among those before them the last that complain.
fn last_lines(eyes: &Eyes) -> Vec<Evidence> {
    let complains = |line: &&Line| match LogRecord::parse(&line.bytes).and_then(|record| record.level) {
        Some(level) => level >= LogLevel::Warn,
        None => ["WARN", "ERROR", "PANIC"].iter().any(|word| line.to_string().contains(word)),
    };
    let mut chosen: Vec<_> = eyes.lines().rev().take(LINES_SHOWN / 2).collect();
    let older = eyes.lines().rev().skip(LINES_SHOWN / 2).filter(complains);
    chosen.extend(older.take(LINES_SHOWN - LINES_SHOWN / 2));
    chosen.reverse();
    chosen.into_iter().map(|line| Evidence { at: line.completed, kind: "console", text: line.to_string() }).collect()
}
