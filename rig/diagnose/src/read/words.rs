//! Signs that a person tells: "cyan fast, then one red".
//!
//! Boundary: clauses, each of which names a light, a line of the log, or what happened. A clause that says nothing known is an error that names
//! it: half of a description must not become a diagnosis.

use brickproof_units::Span;

use super::log::{of_message_in, timed};
use crate::observed::Observed;
use crate::sign::Sign;

/// A clause without a meaning here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotUnderstood {
    /// As it was written.
    pub clause: String,
}

impl std::fmt::Display for NotUnderstood {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` says nothing that is known here", self.clause)
    }
}

impl std::error::Error for NotUnderstood {}

/// What may be written, for messages.
pub(crate) const HELP: &str = "name a colour and what it does (`cyan fast`, `breathing green`, `one red`, `three orange`, `SOS`, `dark`), a line of the log, or what happened (`battery died`, `after an update`, `moved`, `others too`, `hotspot works`, `permission denied`); `no` before one denies it";

impl NotUnderstood {
    /// What may be written instead.
    pub fn help(&self) -> &'static str {
        HELP
    }
}

/// Reads a description. `silence`: after how much of it a handshake is given up.
///
/// # Errors
/// The first clause that says nothing known.
pub(crate) fn words(text: &str, silence: Span, observed: &mut Observed) -> Result<(), NotUnderstood> {
    let text = text.to_lowercase();
    for clause in clauses(&text) {
        let said = signs(&clause, silence);
        if said.is_empty() {
            return Err(NotUnderstood { clause });
        }
        let denies = ["no ", "not ", "never ", "without "].iter().any(|word| clause.starts_with(word));
        let is_denied = denies && !clause.starts_with("no light");
        for sign in said {
            if is_denied {
                observed.deny(sign);
            } else {
                observed.see(sign, format!("told: {clause}"));
            }
        }
    }
    Ok(())
}

/// Between commas, full stops, `then`, `and`, `with` and the like.
fn clauses(text: &str) -> Vec<String> {
    const BETWEEN: [&str; 8] = ["then", "and", "followed", "with", "but", "afterwards", "after", "plus"];
    let mut clauses: Vec<String> = Vec::new();
    for part in text.split([',', ';', '\n', '(', ')']) {
        let mut clause: Vec<&str> = Vec::new();
        let mut rest = part.split_whitespace().peekable();
        while let Some(word) = rest.next() {
            // "after 45 s" and "after an update" belong to what they stand with.
            let is_kept = word == "after" && rest.peek().is_some_and(|next| *next != "that");
            let is_between = BETWEEN.contains(&word) && !is_kept;
            let begins_anew =
                is_kept && rest.peek().is_some_and(|next| !next.starts_with(|c: char| c.is_ascii_digit()));
            if (is_between || begins_anew) && !clause.is_empty() {
                clauses.push(clause.join(" "));
                clause.clear();
            }
            if !is_between {
                clause.push(word);
            }
        }
        if !clause.is_empty() {
            clauses.push(clause.join(" "));
        }
    }
    // Little words that only join.
    clauses.retain(|clause| !["by", "a", "it", "the", "is", "sometimes", "again"].contains(&clause.as_str()));
    clauses
}

fn signs(clause: &str, silence: Span) -> Vec<Sign> {
    let mut found = Vec::new();
    let has = |words: &[&str]| words.iter().any(|word| clause.contains(word));
    let told = [
        (&["permission denied", "not allowed", "product"][..], Sign::PermissionDenied),
        (&["battery", "power fail", "brown", "power cut", "lost power", "ran flat", "went flat"], Sign::AfterPowerLoss),
        (&["update", "upgrade"], Sign::AfterUpdate),
        (&["moved", "new place", "new firewall", "another place", "new router"], Sign::AfterMove),
        (&["address differs", "wrong address"], Sign::AddressDiffers),
        (&["server key differs", "wrong server key"], Sign::ServerKeyDiffers),
        (&["device key differs", "public key differs"], Sign::DeviceKeyDiffers),
        (&["others too", "other boards", "other devices", "all of them", "neither do others"], Sign::OthersToo),
        (
            &["hotspot works", "other network works", "another network works", "works elsewhere", "works at home"],
            Sign::OtherNetworkHelps,
        ),
        (
            &["hotspot fails", "other network fails", "another network fails", "fails elsewhere"],
            Sign::OtherNetworkFails,
        ),
    ];
    found.extend(told.iter().filter(|(words, _)| has(words)).map(|(_, sign)| *sign));
    found.extend(light(clause));
    found.extend(codes(clause));
    if let Some(took) = seconds(clause) {
        found.extend(timed(took, silence));
    }
    found
}

/// A line of a log, or a code by itself.
fn codes(clause: &str) -> Vec<Sign> {
    let by_itself = [
        ("-6800", Sign::LogSilence),
        ("-7b00", Sign::LogBadProof),
        ("-4e00", Sign::LogBadProof),
        ("-7780", Sign::LogAlert),
        ("code 16", Sign::LogServerKeyUnreadable),
        ("code=16", Sign::LogServerKeyUnreadable),
        ("code 17", Sign::LogHandshakeFailed),
        ("code=17", Sign::LogHandshakeFailed),
        ("-19", Sign::LogPeerClosed),
        ("panic", Sign::LogPanic),
        ("restart", Sign::LogRestarts),
        ("reboots", Sign::LogRestarts),
    ];
    let mut found: Vec<Sign> =
        by_itself.iter().filter(|(code, _)| clause.contains(code)).map(|(_, sign)| *sign).collect();
    // The clause was made small, so the messages are, too.
    found.extend(of_message_in(clause, str::to_lowercase));
    found
}

fn light(clause: &str) -> Vec<Sign> {
    let has =
        |words: &[&str]| words.iter().any(|word| clause.split(|c: char| !c.is_alphanumeric()).any(|it| it == *word));
    if has(&["sos"]) {
        return vec![Sign::LightSos];
    }
    if has(&["dark", "dead"]) || clause.contains("no light") {
        return vec![Sign::LightDark];
    }
    let breathes = has(&["breathing", "breathe", "breathes", "pulsing", "pulse", "fading", "fade"]);
    let fast = has(&["fast", "rapid", "rapidly", "quick", "quickly", "faster"]);
    let count = [(3, &["3", "three"]), (2, &["2", "two"]), (1, &["1", "one"])];
    let count = count.into_iter().find(|(_, words)| has(&words[..])).map_or(1, |(count, _)| count);
    let mut found = Vec::new();
    if has(&["cyan", "turquoise", "aqua"]) {
        found.push(match (breathes, fast) {
            (true, _) => Sign::LightConnected,
            (false, true) => Sign::LightHandshake,
            (false, false) => Sign::LightConnecting,
        });
    }
    if has(&["green"]) {
        found.push(if breathes { Sign::LightNoCloud } else { Sign::LightNetwork });
    }
    if has(&["blue"]) {
        found.push(Sign::LightListening);
    }
    if has(&["white"]) && !breathes {
        found.push(Sign::LightKeyGeneration);
    }
    if has(&["yellow"]) {
        found.push(Sign::LightDfu);
    }
    if has(&["magenta", "purple", "pink"]) {
        found.push(match (breathes, has(&["one", "1", "flash", "burst"]) && !fast) {
            (true, _) => Sign::LightSafe,
            (false, true) => Sign::LightMagenta,
            (false, false) => Sign::LightUpdate,
        });
    }
    // More than one red flash is never shown: who counts two has seen two attempts.
    if has(&["red"]) {
        found.push(Sign::LightRed);
    }
    if has(&["orange", "amber"]) {
        found.push([Sign::LightOrange, Sign::LightTwoOrange, Sign::LightThreeOrange][count - 1]);
    }
    found
}

/// "after 45 s", "45 seconds later".
fn seconds(clause: &str) -> Option<Span> {
    let words: Vec<&str> = clause.split_whitespace().collect();
    words.iter().enumerate().find_map(|(at, word)| {
        let digits = word.trim_end_matches(|c: char| c.is_alphabetic());
        let unit = &word[digits.len()..];
        let unit = if unit.is_empty() { words.get(at + 1).copied().unwrap_or("") } else { unit };
        let number: f64 = digits.parse().ok().filter(|number| (0.0..100_000.0).contains(number))?;
        let nanos = match unit {
            "s" | "sec" | "second" | "seconds" => number * 1e9,
            "min" | "minute" | "minutes" => number * 60e9,
            "ms" => number * 1e6,
            _ => return None,
        };
        Some(Span::new(nanos as u64))
    })
}
