//! What a campaign says: one conclusion, and the numbers that carry it, in words.
//!
//! Boundary: text for people out of counts. Which world it was found in stands above it; that is the caller's to say.

use std::fmt::Write as _;

use brickproof_statistics::{Counts, Interval, NotResolved, Probability, Window, WindowEdge, WindowEnd};
use brickproof_units::Instant;

use crate::asking::{Asking, Question as _};
use crate::boards::BoardTally;
use crate::campaign::as_span;
use crate::course::Course;
use crate::find::FindWindow;
use crate::progress::{Stopped, shown_confidence};
use crate::prove::{Prove, Say, Stratum};
use crate::soak::Soak;

/// What follows from a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// What was asked to be looked at was looked at.
    Looked,
    /// The candidate is FIXED.
    Fixed,
    /// The candidate is NOT FIXED, or what should last did not.
    NotFixed,
    /// Neither can be said.
    Inconclusive,
    /// The bench failed.
    BenchFailed,
}

impl Conclusion {
    /// As programs read it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Looked => "looked",
            Self::Fixed => "fixed",
            Self::NotFixed => "not fixed",
            Self::Inconclusive => "inconclusive",
            Self::BenchFailed => "bench failed",
        }
    }
}

/// What a campaign says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// In one word.
    pub conclusion: Conclusion,
    /// In lines, the first of which is the answer.
    pub text: String,
}

pub(crate) fn of(course: &Course, asking: &Asking) -> Answer {
    let mut answer = match asking {
        Asking::Sweep(_) => Answer { conclusion: Conclusion::Looked, text: swept(course) },
        Asking::FindWindow(find) => windows(find),
        Asking::Prove(prove) => proof(prove, course),
        Asking::Soak(soak) => soaked(soak, course),
    };
    answer.text += &by_board(course);
    let progress = course.progress();
    if progress.discarded > 0 {
        let _ =
            writeln!(answer.text, "{} discarded: the fault struck outside its tolerance", trials(progress.discarded));
    }
    if progress.invalid > 0 {
        let _ = writeln!(answer.text, "{} told nothing: the bench or the scenario failed", trials(progress.invalid));
    }
    if progress.silences > 0 {
        let _ = writeln!(
            answer.text,
            "{} told nothing: the board was dead, which is nobody's failure",
            trials(progress.silences)
        );
    }
    if progress.unjudged > 0 {
        // What nobody judged is no pass.
        if matches!(answer.conclusion, Conclusion::Looked | Conclusion::Fixed) {
            answer.conclusion = Conclusion::Inconclusive;
        }
        let _ = writeln!(
            answer.text,
            "{} not judged: nothing was heard of the board, and nothing since shows whether it lives",
            trials(progress.unjudged)
        );
    }
    match course.stopped() {
        Some(Stopped::Dead { invalid }) => {
            answer.conclusion = Conclusion::BenchFailed;
            let _ = writeln!(
                answer.text,
                "stopped: {invalid} trials in a row told nothing, also after the board was recovered: the board is dead or the bench broken"
            );
        }
        Some(Stopped::Lost) => {
            answer.conclusion = Conclusion::BenchFailed;
            let _ = writeln!(answer.text, "stopped: a board that told nothing any more could not be recovered");
        }
        Some(Stopped::DiskFull) => {
            answer.conclusion = Conclusion::BenchFailed;
            let _ =
                writeln!(answer.text, "stopped: the disk is full; make room, and the same command goes on from here");
        }
        Some(Stopped::Astray { discarded }) => {
            answer.conclusion = Conclusion::BenchFailed;
            let _ = writeln!(
                answer.text,
                "stopped: {discarded} faults in a row struck outside their tolerance: this bench is not exact enough for the scenario"
            );
        }
        Some(why) => {
            let why = match why {
                Stopped::Untellable => {
                    "a trial told nothing, and the virtual bench does the same again: run it by itself to see why"
                }
                Stopped::OutOfTime => "its time is spent",
                _ => "it was interrupted",
            };
            if answer.conclusion != Conclusion::NotFixed {
                answer.conclusion = Conclusion::Inconclusive;
            }
            let _ = writeln!(answer.text, "stopped early: {why}");
        }
        None => {}
    }
    answer
}

fn trials(count: u64) -> String {
    if count == 1 { "1 trial".to_owned() } else { format!("{count} trials") }
}

/// `3 of 154 failed, 1.9 % (95 % interval: 0.4 % to 5.6 %)`.
pub(crate) fn told(counts: Counts) -> String {
    let confidence = shown_confidence();
    let Interval { low, high } = counts.clopper_pearson(confidence);
    let estimate = counts.estimate().map_or("nothing known".to_owned(), |it| it.to_string());
    format!("{} of {} failed, {estimate} ({confidence} interval: {low} to {high})", counts.failures(), counts.trials())
}

fn swept(course: &Course) -> String {
    let mut text = format!("{}\n", told(course.progress().counts));
    for (class, count) in course.classes() {
        let _ = writeln!(text, "  {:<12} {count}", class.name());
    }
    for group in course.groups() {
        let classes: Vec<String> = group.classes.iter().map(|(class, count)| format!("{count} {class}")).collect();
        let _ = writeln!(text, "  {}: {}; {}", group.name(), told(group.counts()), classes.join(", "));
    }
    text
}

fn windows(find: &FindWindow) -> Answer {
    let search = find.search();
    let windows = search.windows();
    let resolved = |edge: &WindowEdge| !matches!(edge, WindowEdge::NotResolved { .. });
    let all_resolved = windows.iter().all(|it| resolved(&it.opens) && resolved(&it.closes));
    let covered = search.end() == Some(WindowEnd::Covered);
    let mut text = match windows.len() {
        0 => "no window was found\n".to_owned(),
        1 => "1 window\n".to_owned(),
        several => format!("{several} windows\n"),
    };
    for Window { opens, closes, inside, trials: took } in &windows {
        let _ = writeln!(text, "  opens  {}", edge(opens));
        let _ = writeln!(text, "  closes {}", edge(closes));
        let _ = writeln!(text, "    inside: {}; it took {took} trials", told(*inside));
    }
    let _ = writeln!(text, "{} in all", trials(search.trials()));
    if !search.strays().is_empty() {
        let _ = writeln!(text, "{} outside of windows failed once and not again", trials(search.strays().len() as u64));
    }
    if !covered {
        let _ = writeln!(text, "not covered: the trials ran out before another window could be ruled out");
    }
    let conclusion = if covered && all_resolved { Conclusion::Looked } else { Conclusion::Inconclusive };
    Answer { conclusion, text }
}

fn edge(edge: &WindowEdge) -> String {
    let after = |instant: &Instant| as_span(*instant).to_string();
    match edge {
        WindowEdge::Resolved { at, low, high } => format!("at {} ({} to {})", after(at), after(low), after(high)),
        WindowEdge::NotResolved { low, high, why } => {
            let why = match why {
                NotResolved::Cap => "the trials ran out",
                NotResolved::Jitter => "it moves from trial to trial by about the resolution",
            };
            format!("not resolved: between {} and {}; {why}", after(low), after(high))
        }
        WindowEdge::AtTheEnd { at } => format!("at {}, where the range ends", after(at)),
    }
}

/// What each board came to, if there are several or one had to be recovered. A proof has told the boards already that did their work.
fn by_board(course: &Course) -> String {
    let mut text = String::new();
    let is_told = matches!(course.asking(), Asking::Prove(_));
    let boards: Vec<&BoardTally> = course.boards().filter(|it| it.done + it.untold > 0).collect();
    if (boards.len() < 2 || is_told) && boards.iter().all(|it| it.recoveries == 0) {
        return text;
    }
    let _ = writeln!(text, "  by board:");
    for board in boards {
        let _ = write!(text, "    {}: {}", board.name, told(board.counts()));
        if board.untold > 0 {
            let _ = write!(text, "; {} told nothing", trials(board.untold));
        }
        if board.recoveries > 0 {
            let times = if board.recoveries == 1 { "once".to_owned() } else { format!("{} times", board.recoveries) };
            let _ = write!(text, "; recovered {times} after a run of them, which are nobody's failures");
        }
        text.push('\n');
    }
    text
}

fn proof(prove: &Prove, course: &Course) -> Answer {
    let say = prove.say();
    let candidate = prove.candidate().counts();
    let further = match prove.further_trials() {
        Some(0) => String::new(),
        Some(more) => format!("; {} more would do if they go as well as they can", trials(more)),
        None => "; no number of trials helps: aim where the baseline fails".to_owned(),
    };
    let asked = prove.design().asked();
    let (conclusion, head) = match say {
        Say::Fixed => {
            let head = format!("FIXED: the candidate fails less often than {}, and the baseline more often", asked.bad);
            (Conclusion::Fixed, head)
        }
        Say::NotFixed => {
            (Conclusion::NotFixed, format!("NOT FIXED: the candidate fails more often than {}", asked.good))
        }
        Say::Undecided => (Conclusion::Inconclusive, format!("INCONCLUSIVE: the test is not through{further}")),
        Say::NothingToFix => {
            let why =
                format!("INCONCLUSIVE: the baseline never failed, so nothing shows that this can tell a fix{further}");
            (Conclusion::Inconclusive, why)
        }
        Say::NoControl => {
            let why = format!(
                "INCONCLUSIVE: the candidate passes, and the baseline was not shown to fail more often than {}{further}",
                asked.bad
            );
            (Conclusion::Inconclusive, why)
        }
    };
    let mut text = format!("{head}\n");
    let _ = writeln!(text, "  baseline   {}", told(prove.baseline()));
    let _ = writeln!(text, "  candidate  {}", told(candidate));
    let _ = writeln!(
        text,
        "  the test: good is {}, bad is {}; exactly, a good one is called NOT FIXED in {} and a bad one FIXED in {}",
        asked.good,
        asked.bad,
        prove.design().at_good().not_fixed,
        prove.design().at_bad().fixed
    );
    text += &by_stratum(prove, say, course);
    if say == Say::Fixed {
        let _ = writeln!(
            text,
            "  both alike by chance, had the numbers been fixed beforehand: p = {} (Fisher); intervals likewise describe, the test decides",
            p(prove.chance())
        );
    }
    Answer { conclusion, text }
}

/// What each stratum counted, and each board. Of a candidate that is NOT FIXED only where it fails: it stops at its first failures.
fn by_stratum(prove: &Prove, say: Say, course: &Course) -> String {
    let mut text = String::new();
    let (of_strata, of_boards) = prove.chances();
    let corrected = if say == Say::Fixed { " (p by Fisher after Holm's correction)" } else { "" };
    if prove.strata().len() > 1 {
        let names = prove.names();
        let fails = |it: &Stratum| it.candidate.failures() + it.surveyed.failures() > 0;
        let named = names.iter().zip(prove.strata());
        let still: Vec<&str> = named.filter(|(_, it)| fails(it)).map(|(name, _)| name.as_str()).collect();
        if !still.is_empty() {
            let _ = writeln!(text, "  it still fails in: {}", still.join("; "));
        }
        let _ = writeln!(text, "  by stratum, failed{corrected}:");
        for ((name, stratum), chance) in names.iter().zip(prove.strata()).zip(of_strata) {
            stratum_line(&mut text, name, stratum, (say == Say::Fixed).then_some(chance));
        }
    }
    if prove.boards().len() > 1 {
        let _ = writeln!(text, "  by board, each with both firmwares, failed{corrected}:");
        for ((board, stratum), chance) in course.boards().zip(prove.boards()).zip(of_boards) {
            stratum_line(&mut text, &board.name, stratum, (say == Say::Fixed).then_some(chance));
        }
    }
    text
}

fn stratum_line(text: &mut String, name: &str, stratum: &Stratum, chance: Option<Probability>) {
    let share = |counts: Counts| format!("{} of {}", counts.failures(), counts.trials());
    let _ = write!(text, "    {name}: baseline {}, candidate {}", share(stratum.baseline), share(stratum.candidate));
    if stratum.surveyed.trials() > 0 {
        let _ = write!(text, ", after the answer {}", share(stratum.surveyed));
    }
    if let Some(chance) = chance {
        let _ = write!(text, ", p = {}", p(chance));
    }
    text.push('\n');
}

/// A probability that may be very small.
fn p(probability: Probability) -> String {
    let value = probability.get();
    if value < 1e-4 { format!("{value:.1e}") } else { format!("{value:.4}") }
}

fn soaked(soak: &Soak, course: &Course) -> Answer {
    let counts = soak.counts();
    let mut text = format!("{}\n", told(counts));
    let conclusion = match counts.failures() {
        0 if soak.is_through() => Conclusion::Looked,
        0 => {
            let size = soak.size().unwrap_or_default();
            let _ = writeln!(text, "  INCONCLUSIVE: {} of {size} cycles were judged", counts.trials());
            Conclusion::Inconclusive
        }
        _ => Conclusion::NotFixed,
    };
    if soak.carries() {
        let (early, late, chance) = soak.drift();
        let _ = writeln!(
            text,
            "  first half {} of {}, second half {} of {}: so different by chance with p = {}",
            early.failures(),
            early.trials(),
            late.failures(),
            late.trials(),
            p(chance)
        );
    } else {
        let _ = writeln!(text, "  each cycle had a new board: nothing could get worse, and no drift was looked for");
    }
    text += &worn(soak, course);
    Answer { conclusion, text }
}

/// The sector that was erased most, and whether its wear ended the soak.
fn worn(soak: &Soak, course: &Course) -> String {
    let Some(most) = soak.worn_out().or_else(|| soak.wear().most()).filter(|_| soak.carries()) else {
        return String::new();
    };
    let times = |count: u64| if count == 1 { "once".to_owned() } else { format!("{count} times") };
    let name = course.name_of(most.board);
    let mut text = match soak.endurance() {
        Some(endurance) => {
            format!("  erased most: {} of {name}, {} of at most {endurance} times\n", most.sector, most.erases)
        }
        None => format!("  erased most: {} of {name}, {}\n", most.sector, times(most.erases)),
    };
    if soak.worn_out().is_some() {
        let dearest = times(soak.wear().dearest(&most.sector));
        let _ = writeln!(text, "  it ends there: a further cycle may erase it {dearest}");
    }
    text
}
