//! The name of a trial: short, readable, and enough to run the same trial again.
//!
//! Boundary: text and a digest. Finding the scenario behind a name is the command's business.

use std::fmt;
use std::str::FromStr;

use brickproof_scenario::plan::{Expected, Plan};
use sha2::{Digest, Sha256};

/// `battery-death.no-heal.1-5f3a09c2`: the scenario file's stem, the values of the matrix cell, the seed, and a digest over everything
/// that the result depends on (the scenario's bytes, the parameters, the firmware's bytes, what must come out, the rig's version, the seed).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrialId {
    stem: String,
    values: Vec<String>,
    seed: u64,
    digest: String,
}

/// The text is no trial id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no trial id; one looks like `battery-death.no-heal.1-5f3a09c2`")]
pub struct ParseTrialIdError(String);

impl TrialId {
    /// The id of the trial that `plan` makes with `seed` and the image whose SHA-256 is `firmware_sha256`.
    pub fn new(plan: &Plan, firmware_sha256: &str, seed: u64) -> Self {
        let mut hash = Sha256::new();
        for part in [env!("CARGO_PKG_VERSION"), &plan.scenario.sha256, &plan.firmware.0, firmware_sha256] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        for (axis, value) in &plan.parameters {
            hash.update(axis.as_bytes());
            hash.update([b'=']);
            hash.update(value.as_bytes());
            hash.update([0]);
        }
        // `--firmware` asks an image to survive that the scenario may expect to brick: another question, another trial.
        hash.update(match plan.outcome {
            Expected::Passed => [0],
            Expected::Bricked { .. } => [1],
        });
        hash.update(seed.to_le_bytes());
        let digest = hash.finalize()[..4].iter().map(|byte| format!("{byte:02x}")).collect();
        Self {
            stem: stem_of(&plan.scenario.path),
            values: plan.parameters.iter().map(|(_, value)| tidy(value)).collect(),
            seed,
            digest,
        }
    }

    /// The scenario file's name without folder and ending.
    pub fn stem(&self) -> &str {
        &self.stem
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Whether `other` names the same scenario, cell and seed, though perhaps other bytes of it.
    pub fn names_the_same(&self, other: &Self) -> bool {
        (&self.stem, &self.values, self.seed) == (&other.stem, &other.values, other.seed)
    }
}

/// The scenario file's name without folder and ending, as it appears in ids.
pub fn stem_of(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    tidy(name.strip_suffix(".yaml").or(name.strip_suffix(".yml")).unwrap_or(name))
}

/// Ids are typed into shells and made into folder names: nothing needs quoting in them.
fn tidy(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' };
    text.chars().map(plain).collect()
}

impl fmt::Display for TrialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.stem.clone();
        for value in &self.values {
            text.push('.');
            text.push_str(value);
        }
        f.pad(&format!("{text}.{}-{}", self.seed, self.digest))
    }
}

impl FromStr for TrialId {
    type Err = ParseTrialIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseTrialIdError(text.to_owned());
        let (front, digest) = text.rsplit_once('-').ok_or_else(error)?;
        let (names, seed) = front.rsplit_once('.').ok_or_else(error)?;
        let mut names = names.split('.').map(str::to_owned);
        let stem = names.next().filter(|stem| !stem.is_empty()).ok_or_else(error)?;
        let is_digest = digest.len() == 8 && digest.bytes().all(|b| b.is_ascii_hexdigit());
        if !is_digest {
            return Err(error());
        }
        let seed = seed.parse().map_err(|_| error())?;
        Ok(Self { stem, values: names.collect(), seed, digest: digest.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::{TrialId, stem_of};

    #[test]
    fn an_id_parses_to_what_it_shows() {
        for text in
            ["battery-death.no-heal.1-5f3a09c2", "first-light.7-00000000", "a.b.c-d.18446744073709551615-deadbeef"]
        {
            assert_eq!(text.parse::<TrialId>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in ["", "battery-death", "x.1-xyz", "x.one-5f3a09c2", ".1-5f3a09c2", "x-5f3a09c2"] {
            assert!(text.parse::<TrialId>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_stem_needs_no_quoting() {
        assert_eq!(stem_of("scenarios/battery death/it's.yaml"), "it_s");
    }
}
