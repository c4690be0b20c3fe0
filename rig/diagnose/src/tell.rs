//! A diagnosis in plain words.
//!
//! Boundary: text for people.

use std::fmt::{Result, Write};

use crate::judge::{Diagnosis, Ranked, Weight};
use crate::observed::Observed;

/// A cause with a smaller share is not told.
const WORTH_TELLING: f64 = 0.01;
/// More evidence of one kind than a person reads.
const MOST_EVIDENCE: usize = 5;

/// The causes that are worth telling, one line of evidence under the other, and the next measurement. Ends with a line break.
pub fn tell(observed: &Observed, diagnosis: &Diagnosis) -> String {
    let mut text = String::new();
    // Writing to a `String` cannot fail.
    let _ = write_all(&mut text, observed, diagnosis);
    text
}

fn write_all(text: &mut String, observed: &Observed, diagnosis: &Diagnosis) -> Result {
    if observed.is_empty() {
        writeln!(text, "nothing was seen that says anything; the order is the usual one")?;
    }
    let worth = |ranked: &&Ranked| ranked.share >= WORTH_TELLING;
    for (place, ranked) in diagnosis.ranking.iter().filter(worth).enumerate() {
        write_one(text, place + 1, ranked)?;
    }
    match &diagnosis.next {
        Some(next) => {
            let [first, second] = [0, 1].map(|place| diagnosis.ranking[place].hypothesis);
            writeln!(text, "\nnext: {}", next.what)?;
            writeln!(text, "  {first}: {}", next.first)?;
            writeln!(text, "  {second}: {}", next.second)
        }
        None => Ok(()),
    }
}

fn write_one(text: &mut String, place: usize, ranked: &Ranked) -> Result {
    let words: Vec<_> = ranked.hypothesis.causes().map(|cause| cause.words()).collect();
    writeln!(text, "{place}. {} ({:.0} %): {}", ranked.hypothesis, ranked.share * 100.0, words.join("; and "))?;
    for (mark, evidence) in [("+", &ranked.evidence_for), ("-", &ranked.evidence_against)] {
        for weight in evidence.iter().take(MOST_EVIDENCE) {
            writeln!(text, "   {mark} {}", told(weight))?;
        }
    }
    for cause in ranked.hypothesis.causes().filter(|_| place == 1) {
        writeln!(text, "   > {}", cause.remedy())?;
    }
    Ok(())
}

fn told(weight: &Weight) -> String {
    match &weight.seen {
        Some(evidence) => format!("{}   [{evidence}]", weight.sign.words()),
        None => format!("not seen: {}", weight.sign.words()),
    }
}
