//! Bytes that must not be shown.
//!
//! Boundary: protection against a careless `{:?}`, not against an adversary with a debugger.

use std::fmt;

use crate::Fingerprint;

/// Key bytes. Prints as a fingerprint only; whoever needs the bytes has to say so with [`Secret::expose`].
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Takes charge of `bytes`.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes themselves: for flash, for the device and for nothing that is kept.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The name of the bytes.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.fingerprint())
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.fingerprint(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_as_its_fingerprint_only() {
        let secret = Secret::new(*b"\x30\x77\x02\x01\x01\x04\x20");
        let fingerprint = secret.fingerprint().to_string();
        assert_eq!(format!("{secret}"), fingerprint);
        assert_eq!(format!("{secret:?}"), format!("Secret({fingerprint})"));
        assert_eq!(format!("{:?}", [secret]).matches("30").count(), fingerprint.matches("30").count());
    }
}
