//! The keys that were saved of a board, and the one identity that its cloud accepts: what may be written back, and what no longer.
//!
//! Boundary: bookkeeping. It writes nothing; whoever does asks here first.

use std::collections::BTreeMap;

use brickproof_keys::{Fingerprint, KeySet, Slot};

/// Keys that may not be written back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "since the keys were saved the cloud accepts {accepted} in place of {saved}: written back, that would lock the board out"
)]
pub struct Superseded {
    saved: Fingerprint,
    accepted: Fingerprint,
}

/// What came of a comparison, in words without key bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compared {
    /// Nothing differs.
    Alike(String),
    /// What differs, and how.
    Different(String),
}

/// What is told where keys that were never saved would be written back.
pub fn nothing_saved(name: &str) -> String {
    format!("nothing was saved as `{name}`: nothing is written")
}

/// What is told of keys that are on the board now.
pub fn written(keys: &KeySet) -> String {
    format!("written and read back: {keys}")
}

/// Keys under names.
#[derive(Clone, Debug, Default)]
pub struct KeyRing {
    /// With the number of changes of identity that had been by then.
    saved: BTreeMap<String, (KeySet, usize)>,
    /// The identities that the board was given, each in place of the one before.
    given: Vec<Fingerprint>,
}

impl KeyRing {
    /// Keeps keys under a name, in place of what had it before; says what was kept.
    pub fn save(&mut self, name: &str, keys: KeySet) -> String {
        let words = format!("saved as `{name}`: {keys}");
        self.saved.insert(name.to_owned(), (keys, self.given.len()));
        words
    }

    /// Whether what was found is what was saved under a name. `None` if nothing was.
    pub fn compare(&self, name: &str, found: &KeySet) -> Option<Compared> {
        let (saved, _) = self.saved.get(name)?;
        Some(match saved.difference(found, &format!("what was saved as {name}")) {
            None => Compared::Alike(format!("as saved: {found}")),
            Some(how) => Compared::Different(how),
        })
    }

    /// What was saved under a name, to be written to the board. `None` if nothing was.
    ///
    /// # Errors
    /// The identity was changed since, and the cloud accepts the one that was saved no longer.
    pub fn to_write(&self, name: &str) -> Result<Option<&KeySet>, Superseded> {
        let Some((keys, changes)) = self.saved.get(name) else { return Ok(None) };
        let saved = keys.get(Slot::DevicePrivate).fingerprint();
        match self.given.last() {
            Some(accepted) if self.given.len() > *changes && *accepted != saved => {
                Err(Superseded { saved, accepted: *accepted })
            }
            _ => Ok(Some(keys)),
        }
    }

    /// The cloud accepts this identity from now on, and none from before.
    pub fn identity_changed(&mut self, new: Fingerprint) {
        self.given.push(new);
    }

    /// How often the identity was changed.
    pub fn changes(&self) -> usize {
        self.given.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PUBLISHED;

    #[test]
    fn keys_are_written_back_until_the_cloud_accepts_others() {
        let mut ring = KeyRing::default();
        assert_eq!(ring.to_write("before"), Ok(None));
        ring.save("before", PUBLISHED.set.clone());
        assert_eq!(ring.to_write("before"), Ok(Some(&PUBLISHED.set)));
        ring.identity_changed(PUBLISHED.device_new.fingerprint());
        assert_eq!(
            ring.to_write("before").unwrap_err().to_string(),
            "since the keys were saved the cloud accepts 6bc6e8d6aeaf4a91 in place of 1da0e8329da0beb6: written back, that would lock the \
             board out"
        );
        let mut renewed = PUBLISHED.set.clone();
        renewed.set(PUBLISHED.device_new.clone());
        ring.save("after", renewed.clone());
        assert_eq!(ring.to_write("after"), Ok(Some(&renewed)));
        assert!(
            matches!(ring.compare("before", &PUBLISHED.set), Some(Compared::Alike(_))),
            "to compare with, it is still there"
        );
        assert!(matches!(ring.compare("before", &renewed), Some(Compared::Different(_))));
        assert_eq!(ring.compare("never", &renewed), None);
        ring.identity_changed(PUBLISHED.device_old.fingerprint());
        assert!(ring.to_write("after").is_err());
        assert_eq!(ring.to_write("before"), Ok(Some(&PUBLISHED.set)), "it is the registered one again");
    }
}
