//! Signs that a person tells: "cyan fast, then one red".
//!
//! Boundary: lines of a log, and clauses that name a light or say what happened. A clause that says nothing known is an error that names it: half
//! of a description must not become a diagnosis, and a negation that is not understood must not become its opposite.

use brickproof_units::Span;

use super::Silences;
use super::log::{MESSAGES, timed};
use crate::observed::Observed;
use crate::sign::Sign;

/// A clause without a meaning here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotUnderstood {
    /// As it was written, in small letters.
    pub clause: String,
}

impl std::fmt::Display for NotUnderstood {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` says nothing that is known here", self.clause)
    }
}

impl std::error::Error for NotUnderstood {}

impl NotUnderstood {
    /// What may be written instead.
    pub fn help(&self) -> &'static str {
        "name a colour and what it does (`cyan fast`, `breathing green`, `one red after 45 s`, `three orange`, `SOS`, `dark`), a line of the log, \
         or what happened (`battery died`, `after an update`, `moved`, `others too`, `hotspot works`, `permission denied`); `no` before one denies it"
    }
}

/// Reads a description.
///
/// # Errors
/// The first clause that says nothing known.
pub(crate) fn words(text: &str, silence: Silences, observed: &mut Observed) -> Result<(), NotUnderstood> {
    // Lines of a log have commas and small words of their own, so they are taken out before the rest is cut up.
    let mut rest = text.to_lowercase();
    for (line, sign) in lines() {
        while let Some(at) = find_whole(&rest, &line) {
            observed.see(sign, format!("told: {line}"));
            // What follows it, such as a number, is part of it.
            let behind = &rest[at + line.len()..];
            let length = line.len() + behind.find([',', ';', '\n']).unwrap_or(behind.len());
            rest.replace_range(at..at + length, ",");
        }
    }
    for clause in clauses(&rest) {
        let said = signs(&clause, silence);
        if said.is_empty() {
            return Err(NotUnderstood { clause: clause.join(" ") });
        }
        for (sign, is_so) in said {
            if is_so {
                observed.see(sign, format!("told: {}", clause.join(" ")));
            } else {
                observed.deny(sign);
            }
        }
    }
    Ok(())
}

/// Lines of a log and codes by themselves, in small letters, the longest first: `-19` before `-1`.
fn lines() -> Vec<(String, Sign)> {
    const NUMBERED: [(&str, Sign); 22] = [
        ("unable to receive key -19", Sign::LogPeerClosed),
        ("unable to receive key -18", Sign::LogPeerClosed),
        ("could not receive nonce: -19", Sign::LogPeerClosed),
        ("could not receive nonce: -18", Sign::LogPeerClosed),
        ("unable to receive key -1", Sign::LogReceiveTimeout),
        ("could not receive nonce: -1", Sign::LogReceiveTimeout),
        ("handshake failed -6800", Sign::LogSilence),
        ("handshake failed -7b00", Sign::LogBadProof),
        ("handshake failed -4e00", Sign::LogBadProof),
        ("handshake failed -7780", Sign::LogAlert),
        ("setup_contex error 10", Sign::LogServerKeyUnreadable),
        ("-6800", Sign::LogSilence),
        ("-7b00", Sign::LogBadProof),
        ("-4e00", Sign::LogBadProof),
        ("-7780", Sign::LogAlert),
        ("-19", Sign::LogPeerClosed),
        ("code 16", Sign::LogServerKeyUnreadable),
        ("code=16", Sign::LogServerKeyUnreadable),
        ("code 17", Sign::LogHandshakeFailed),
        ("code=17", Sign::LogHandshakeFailed),
        ("code=6", Sign::LogDecryption),
        ("code=8", Sign::LogAuthentication),
    ];
    let messages = MESSAGES.iter().map(|(text, sign)| (text.to_lowercase(), *sign));
    let mut all: Vec<(String, Sign)> =
        NUMBERED.iter().map(|(text, sign)| ((*text).to_owned(), *sign)).chain(messages).collect();
    all.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
    all
}

/// Where `wanted` stands by itself: no letter or digit goes on with it.
fn find_whole(text: &str, wanted: &str) -> Option<usize> {
    let goes_on = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    text.match_indices(wanted).map(|(at, _)| at).find(|at| {
        let before = text[..*at].chars().next_back();
        let ends_in_word = wanted.ends_with(|c: char| c.is_alphanumeric());
        let begins_with_word = wanted.starts_with(|c: char| c.is_alphanumeric());
        let behind = text[at + wanted.len()..].chars().next();
        !(ends_in_word && goes_on(behind) || begins_with_word && goes_on(before))
    })
}

/// Words that only join clauses.
const BETWEEN: [&str; 7] = ["then", "and", "followed", "with", "but", "afterwards", "plus"];
/// Words that say nothing by themselves.
const EMPTY: [&str; 24] = [
    "a",
    "an",
    "the",
    "it",
    "its",
    "is",
    "was",
    "by",
    "of",
    "in",
    "very",
    "led",
    "light",
    "status",
    "flash",
    "flashes",
    "flashing",
    "burst",
    "bursts",
    "again",
    "sometimes",
    "that",
    "restoring",
    "defaults",
];

/// The words of each clause, between commas, full stops and joining words.
fn clauses(text: &str) -> Vec<Vec<&str>> {
    let mut clauses: Vec<Vec<&str>> = Vec::new();
    for part in text.split([',', ';', '\n', '(', ')', ':']) {
        let words: Vec<&str> = part
            .split_whitespace()
            .map(|word| word.trim_end_matches(['.', '!', '?']))
            .filter(|word| !word.is_empty())
            .collect();
        let mut clause: Vec<&str> = Vec::new();
        for (at, word) in words.iter().enumerate() {
            // "after 45 s" stands with what it times, and "after an update" is a clause of its own.
            let times = words.get(at + 1).is_some_and(|next| next.starts_with(|c: char| c.is_ascii_digit()));
            if BETWEEN.contains(word) || *word == "after" && !times {
                clauses.push(std::mem::take(&mut clause));
            }
            if !BETWEEN.contains(word) {
                clause.push(word);
            }
        }
        clauses.push(clause);
    }
    clauses.retain(|clause| clause.iter().any(|word| !EMPTY.contains(word)));
    clauses
}

const NEGATIONS: [&str; 12] =
    ["no", "not", "never", "without", "doesn't", "isn't", "don't", "didn't", "cannot", "can't", "won't", "neither"];

/// What a clause says, and whether it is so. Nothing, if it says nothing known.
fn signs(clause: &[&str], silence: Silences) -> Vec<(Sign, bool)> {
    let text = clause.join(" ");
    if let Some(told) = told(&text) {
        return vec![told];
    }
    let is_so = !clause.iter().any(|word| NEGATIONS.contains(word));
    let took = took(clause);
    let lights = light(clause, took.map(|(_, at)| at));
    let mut said: Vec<(Sign, bool)> = lights.into_iter().map(|sign| (sign, is_so)).collect();
    let failed = [Sign::LightRed, Sign::LightOrange, Sign::LightMagenta];
    let is_failure = said.iter().any(|(sign, _)| failed.contains(sign)) || said.is_empty();
    if let (Some((took, _)), true, true) = (took, is_failure, is_so) {
        said.extend(timed(took, silence).map(|sign| (sign, true)));
    }
    said
}

/// What somebody says of what happened; each of these is whole, so that a negation in it is part of it.
fn told(text: &str) -> Option<(Sign, bool)> {
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| find_whole(text, phrase).is_some());
    let negated = text.split(' ').any(|word| NEGATIONS.contains(&word));
    let plain = |sign: Sign| Some((sign, !negated));
    if says(&["permission denied", "not allowed", "registered to a product", "part of a product"]) {
        return Some((Sign::PermissionDenied, true));
    }
    if says(&[
        "neither do others",
        "others do not",
        "others don't",
        "others fail",
        "other boards fail",
        "other devices fail",
        "others too",
        "all of them fail",
    ]) {
        // "not others too" is the one that denies.
        return Some((Sign::OthersToo, !text.starts_with("not ")));
    }
    if says(&[
        "others connect",
        "other boards connect",
        "other devices connect",
        "others work",
        "other boards work",
        "other devices work",
    ]) {
        return Some((Sign::OthersToo, negated));
    }
    if says(&["hotspot works", "other network works", "another network works", "works elsewhere", "works at home"]) {
        return plain(Sign::OtherNetworkHelps);
    }
    if says(&[
        "hotspot fails",
        "other network fails",
        "another network fails",
        "fails elsewhere",
        "hotspot does not work",
    ]) {
        return Some((Sign::OtherNetworkFails, true));
    }
    if says(&["address differs", "wrong address"]) {
        return plain(Sign::AddressDiffers);
    }
    if says(&["server key differs", "wrong server key"]) {
        return plain(Sign::ServerKeyDiffers);
    }
    if says(&["device key differs", "public key differs"]) {
        return plain(Sign::DeviceKeyDiffers);
    }
    if says(&[
        "battery",
        "power failed",
        "power failure",
        "power cut",
        "brown-out",
        "brownout",
        "lost power",
        "ran flat",
        "went flat",
    ]) {
        return plain(Sign::AfterPowerLoss);
    }
    if says(&["update", "upgrade", "updated", "upgraded"]) && !says(&["magenta"]) {
        return plain(Sign::AfterUpdate);
    }
    if says(&["moved", "new place", "new firewall", "another place", "new router"]) {
        return plain(Sign::AfterMove);
    }
    if says(&["reboots", "restarts", "keeps restarting", "keeps rebooting", "boot loop"]) {
        return plain(Sign::LogRestarts);
    }
    says(&["panic", "panics"]).then_some(()).and_then(|()| plain(Sign::LogPanic))
}

/// The lights that a clause names. `timed_at`: where in it a time begins, which is no number of flashes.
fn light(clause: &[&str], timed_at: Option<usize>) -> Vec<Sign> {
    let has = |words: &[&str]| clause.iter().any(|it| words.contains(it));
    if has(&["sos"]) {
        return vec![Sign::LightSos];
    }
    let is_absent =
        clause.windows(2).any(|pair| ["no", "without"].contains(&pair[0]) && ["light", "led"].contains(&pair[1]));
    if is_absent || has(&["dark", "dead"]) {
        return vec![Sign::LightDark];
    }
    let breathes = has(&["breathing", "breathe", "breathes", "pulsing", "pulse", "pulses", "fading", "fade", "fades"]);
    let fast = has(&["fast", "rapid", "rapidly", "quick", "quickly", "faster"]);
    let count = |word: &str| match word {
        "3" | "three" => Some(3),
        "2" | "two" => Some(2),
        "1" | "one" | "single" => Some(1),
        _ => None,
    };
    let counted = clause.iter().enumerate().filter(|(at, _)| Some(*at) != timed_at).find_map(|(_, word)| count(word));
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
    if has(&["blue"]) && !breathes {
        found.push(Sign::LightListening);
    }
    if has(&["white"]) && !breathes {
        found.push(Sign::LightKeyGeneration);
    }
    if has(&["yellow"]) {
        found.push(Sign::LightDfu);
    }
    if has(&["magenta", "purple", "pink"]) {
        found.push(match (breathes, counted) {
            (true, _) => Sign::LightSafe,
            (false, Some(1)) => Sign::LightMagenta,
            (false, _) => Sign::LightUpdate,
        });
    }
    // More than one red flash is never shown: who counts two has seen two attempts.
    if has(&["red"]) {
        found.push(Sign::LightRed);
    }
    if has(&["orange", "amber"]) {
        found.push([Sign::LightOrange, Sign::LightTwoOrange, Sign::LightThreeOrange][counted.unwrap_or(1) - 1]);
    }
    found
}

/// "after 45 s", "45 seconds later": how long, and where its number stands.
fn took(clause: &[&str]) -> Option<(Span, usize)> {
    clause.iter().enumerate().find_map(|(at, word)| {
        let digits = word.trim_end_matches(|c: char| c.is_alphabetic());
        let attached = &word[digits.len()..];
        let (unit, end) = match attached {
            "" => (*clause.get(at + 1)?, at + 2),
            unit => (unit, at + 1),
        };
        let is_said = at > 0 && clause[at - 1] == "after" || clause.get(end) == Some(&"later");
        let number: f64 = digits.parse().ok().filter(|number| is_said && (0.0..100_000.0).contains(number))?;
        let nanos = match unit {
            "s" | "sec" | "second" | "seconds" => number * 1e9,
            "min" | "minute" | "minutes" => number * 60e9,
            "ms" => number * 1e6,
            _ => return None,
        };
        Some((Span::new(nanos as u64), at))
    })
}
