//! Paths with `*`, `**` and `?`, as shells have them.
//!
//! Boundary: text against text; no file is looked for.

use std::fmt;

/// A path, or what several paths have in common: `*` stands for anything within a folder, `**` for anything at all, `?` for one character.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Glob(String);

impl Glob {
    /// What this text says.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether it is this path's: all of it, or its name or its last folders alone (`battery-death.yaml`).
    pub fn matches(&self, path: &str) -> bool {
        let pattern = self.0.strip_prefix("./").unwrap_or(&self.0);
        let path = path.strip_prefix("./").unwrap_or(path);
        let ends = std::iter::once(path).chain(path.match_indices('/').map(|(at, _)| &path[at + 1..]));
        ends.into_iter().any(|end| fits(pattern.as_bytes(), end.as_bytes()))
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The places of `text` that what stood so far may have come to, sign by sign: linear in the product of the lengths.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    let mut rest = pattern;
    loop {
        (reached, rest) = match rest {
            [] => return reached[text.len()],
            [b'*', b'*', b'/', rest @ ..] => (folders(&reached, text), rest),
            [b'*', b'*', rest @ ..] => (run(&reached, text, |_| true), rest),
            [b'*', rest @ ..] => (run(&reached, text, |byte| byte != b'/'), rest),
            [b'?', rest @ ..] => (one(&reached, text), rest),
            [wanted, rest @ ..] => (step(&reached, |at| (text[at] == *wanted).then_some(at + 1)), rest),
        };
    }
}

fn step(reached: &[bool], next: impl Fn(usize) -> Option<usize>) -> Vec<bool> {
    let mut then = vec![false; reached.len()];
    for at in (0..reached.len() - 1).filter(|at| reached[*at]) {
        if let Some(next) = next(at) {
            then[next] = true;
        }
    }
    then
}

/// Any number of bytes that `goes_on`.
fn run(reached: &[bool], text: &[u8], goes_on: impl Fn(u8) -> bool) -> Vec<bool> {
    let mut on = false;
    let within = |at: usize| {
        on = reached[at] || on && at.checked_sub(1).is_some_and(|before| goes_on(text[before]));
        on
    };
    (0..reached.len()).map(within).collect()
}

/// Any number of whole folders.
fn folders(reached: &[bool], text: &[u8]) -> Vec<bool> {
    let mut begun = false;
    let within = |at: usize| {
        let is_folder = begun && at.checked_sub(1).is_some_and(|before| text[before] == b'/');
        begun |= reached[at];
        reached[at] || is_folder
    };
    (0..reached.len()).map(within).collect()
}

/// One character, which may have several bytes.
fn one(reached: &[bool], text: &[u8]) -> Vec<bool> {
    let goes_on = |byte: &&u8| **byte & 0b1100_0000 == 0b1000_0000;
    step(reached, |at| (text[at] != b'/').then(|| at + 1 + text[at + 1..].iter().take_while(goes_on).count()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Glob;

    fn matches(pattern: &str, path: &str) -> bool {
        Glob::new(pattern).matches(path)
    }

    #[test]
    fn a_path_is_itself_its_end_or_what_stars_say() {
        let path = "scenarios/battery-death/torn.yaml";
        for fits in [
            path,
            "./scenarios/battery-death/torn.yaml",
            "torn.yaml",
            "battery-death/torn.yaml",
            "scenarios/*/torn.yaml",
            "scenarios/**",
            "**/torn.yaml",
            "scenarios/**/torn.yaml",
            "scenarios/battery-death/t?rn.*",
            "*.yaml",
            "scenarios/b*h/*.yaml",
        ] {
            assert!(matches(fits, path), "{fits}");
        }
        for other in [
            "",
            "orn.yaml",
            "scenarios/*.yaml",
            "scenarios",
            "scenarios/battery-death/t?n.yaml",
            "torn.yam",
            "death/torn.yaml",
            "**/orn.yaml",
        ] {
            assert!(!matches(other, path), "{other}");
        }
        assert!(matches("scenarios/**/a.yaml", "scenarios/a.yaml"));
        assert!(matches("?.yaml", "é.yaml"));
        assert!(matches("**", ""));
    }

    proptest! {
        #[test]
        fn a_path_without_signs_matches_itself_and_its_ends(path in "[a-cé]{1,3}(/[a-cé]{1,3}){0,3}", other in "[a-cé]{1,3}(/[a-cé]{1,3}){0,2}") {
            prop_assert!(matches(&path, &path) && matches("**", &path));
            prop_assert_eq!(matches(&other, &path), path == other || path.ends_with(&format!("/{other}")));
        }

        #[test]
        fn hostile_patterns_end(pattern in "[*?a/]{0,60}", path in "[a/]{0,80}") {
            let _ = matches(&pattern, &path);
        }
    }
}
