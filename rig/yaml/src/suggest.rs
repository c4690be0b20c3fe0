//! The name that was probably meant.
//!
//! Boundary: words in, words out.

/// The nearest of `candidates` to `name`, if it is near enough to be a slip: a third of its letters, or a word that it begins or ends.
pub fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let wanted = folded(name);
    let scored = candidates.into_iter().map(|candidate| (score(&wanted, &folded(candidate)), candidate));
    let (distance, best) = scored.min_by_key(|(distance, _)| *distance)?;
    (distance <= wanted.len().div_ceil(3)).then_some(best)
}

/// The one of `candidates` that `name` is so near to that it can be read as if it had been written: one slip, or two in a long word.
pub fn slip<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let wanted = folded(name);
    let scored = candidates.into_iter().map(|candidate| (distance(&wanted, &folded(candidate)), candidate));
    let (distance, best) = scored.min_by_key(|(distance, _)| *distance)?;
    (distance <= (wanted.len() / 5).clamp(1, 2) && wanted.len() >= 3).then_some(best)
}

/// A help text for an unknown `name` of some `kind` (in the plural): the name that was meant, or all that there are.
pub fn help<'c>(kind: &str, name: &str, candidates: impl Iterator<Item = &'c str> + Clone) -> String {
    if let Some(best) = nearest(name, candidates.clone()) {
        return format!("did you mean `{best}`?");
    }
    match listed(candidates) {
        None => format!("there are no {kind} here"),
        Some(names) => format!("{kind}: {names}"),
    }
}

/// The names as a list for people, or `None` without any.
pub fn listed<'c>(names: impl IntoIterator<Item = &'c str>) -> Option<String> {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    (!quoted.is_empty()).then(|| quoted.join(", "))
}

/// Names longer than this are compared by their beginning: the distance costs the product of the lengths, and a file may be hostile.
const COMPARED: usize = 64;

/// Spelling habits that do not count: case, and `-` for `_`.
fn folded(name: &str) -> Vec<char> {
    name.chars().take(COMPARED).map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect()
}

fn score(wanted: &[char], candidate: &[char]) -> usize {
    let (short, long) = if wanted.len() < candidate.len() { (wanted, candidate) } else { (candidate, wanted) };
    // `connected` for `cloud_connected`, `heal-full` for `lantern-heal-full`: far in letters, near in mind.
    let part = short.len() >= 4 && (long.starts_with(short) || long.ends_with(short));
    if part { usize::from(short.len() != long.len()) } else { distance(wanted, candidate) }
}

/// Edits from one word to the other: insertion, deletion, replacement, two neighbours swapped (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let statuses = ["cloud_connected", "cloud_connecting", "sos", "dfu"];
        assert_eq!(nearest("cloud_conected", statuses), Some("cloud_connected"));
        assert_eq!(nearest("Cloud-Connected", statuses), Some("cloud_connected"));
        assert_eq!(nearest("sso", statuses), Some("sos"), "swapped neighbours");
        assert_eq!(nearest("purple", statuses), None);
        assert_eq!(nearest("heal-full", ["lantern-no-heal", "lantern-heal-full"]), Some("lantern-heal-full"));
    }

    #[test]
    fn only_a_slip_is_read_as_what_was_meant() {
        assert_eq!(slip("expct", ["expect", "reset"]), Some("expect"));
        assert_eq!(slip("colour", ["cloud", "board"]), None, "near, but another word");
        assert_eq!(slip("us", ["is"]), None, "too short to tell");
    }

    #[test]
    fn without_a_near_name_all_are_listed() {
        assert_eq!(help("rails", "9V", ["3V3", "VDDA"].into_iter()), "rails: `3V3`, `VDDA`");
        assert_eq!(help("rails", "9V", [].into_iter()), "there are no rails here");
    }

    proptest! {
        #[test]
        fn the_distance_is_symmetric_and_zero_only_for_equals(a in "[a-d]{0,6}", b in "[a-d]{0,6}") {
            let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
            prop_assert_eq!(distance(&a, &b), distance(&b, &a));
            prop_assert_eq!(distance(&a, &b) == 0, a == b);
        }
    }
}
