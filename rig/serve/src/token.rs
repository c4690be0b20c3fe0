//! The token without which nothing is shown where others can reach the page.
//!
//! Boundary: where it comes from and whether another text is it. Which requests need one is `guard`'s.

use std::fmt;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// So short a token could be guessed.
const SHORTEST: usize = 16;
const LONGEST: usize = 256;

/// A secret that whoever looks has to know.
#[derive(Clone)]
pub struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Why a text is no token. It is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Too short to be a secret, or too long for an address.
    #[error("a token has {SHORTEST} to {LONGEST} characters, and this one has {0}")]
    Length(usize),
    /// It would have to be written otherwise in an address.
    #[error("a token is of letters, digits, `-`, `_`, `.` and `~`")]
    Character,
}

impl Token {
    /// A new one of 192 bits.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 24];
        getrandom::fill(&mut bytes)?;
        Ok(Self(hex(&bytes)))
    }

    /// The one that somebody chose; blanks around it do not count.
    ///
    /// # Errors
    /// If it could be guessed, or cannot stand in an address.
    pub fn new(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        if !text.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_.~".contains(&c)) {
            return Err(TokenError::Character);
        }
        if !(SHORTEST..=LONGEST).contains(&text.len()) {
            return Err(TokenError::Length(text.len()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The secret itself, to be told to whoever may look.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `text` is it. How long that takes tells nothing of how much of it is right.
    pub(crate) fn is(&self, text: &str) -> bool {
        same(text, &self.0)
    }

    /// What a browser keeps in its place: it opens this server and cannot be turned into the token.
    pub(crate) fn cookie(&self) -> String {
        hex(&Sha256::digest(format!("brickproof serve, cookie\0{}", self.0)))
    }

    /// Whether `cookie` is what a browser was given in its place.
    pub(crate) fn is_in(&self, cookie: &str) -> bool {
        same(cookie, &self.cookie())
    }
}

/// Of digests, so that not even the length of the right one shows.
fn same(given: &str, right: &str) -> bool {
    Sha256::digest(given).ct_eq(&Sha256::digest(right)).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_itself_and_nothing_like_it() {
        let token = Token::new(" 0123456789abcdef\n").unwrap();
        assert!(token.is("0123456789abcdef"));
        for other in ["", "0123456789abcde", "0123456789abcdeF", "0123456789abcdef0", &token.cookie()] {
            assert!(!token.is(other), "{other}");
        }
        assert!(token.is_in(&token.cookie()) && !token.is_in(token.expose()));
        assert_eq!(format!("{token:?}"), "Token(..)");
    }

    #[test]
    fn what_could_be_guessed_or_misread_is_refused_without_being_repeated() {
        assert_eq!(Token::new("short").unwrap_err(), TokenError::Length(5));
        assert_eq!(Token::new(&"a".repeat(257)).unwrap_err(), TokenError::Length(257));
        let told = Token::new("0123456789abcdef&admin=1").unwrap_err();
        assert_eq!(told, TokenError::Character);
        assert!(!told.to_string().contains("0123"));
    }

    #[test]
    fn every_one_that_is_made_is_another() {
        let (first, second) = (Token::generate().unwrap(), Token::generate().unwrap());
        assert!(!first.is(second.expose()));
        assert!(
            Token::new(first.expose()).unwrap().is(first.expose()),
            "it can be written into a file and read from there"
        );
    }
}
