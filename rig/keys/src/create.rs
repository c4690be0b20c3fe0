//! New identities: a device key made on the host, and the public half that the server has to know.
//!
//! Boundary: bytes from whatever randomness the caller has. Which device gets a key, and who is told of it, is not decided here.

use std::convert::Infallible;
use std::fmt;

use p256::SecretKey;
use p256::pkcs8::LineEnding;
use rand_core::{TryCryptoRng, TryRng};
use rsa::pkcs1::{DecodeRsaPrivateKey as _, EncodeRsaPrivateKey as _};

use crate::check::{RSA_DEVICE_BITS, der};
use crate::{Algorithm, Fingerprint, Slot, SlotContent, SlotFault, SlotShape, SlotTooLong, SplitMix64, check};

/// No key could be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotMade {
    /// There was no randomness.
    #[error("no random bytes are to be had: {0}")]
    Randomness(String),
    /// The slot is too short.
    #[error(transparent)]
    TooLong(#[from] SlotTooLong),
    /// The library refused.
    #[error("the key could not be written as DER")]
    Der,
}

/// A new device key for a slot of that shape, from `random`: a secret, if that is one.
///
/// # Errors
/// If there is no randomness, or the slot has no room.
pub fn new_device_key<R: TryCryptoRng + ?Sized>(shape: SlotShape, random: &mut R) -> Result<SlotContent, NotMade> {
    let der = match shape.algorithm {
        Algorithm::P256 => p256_key(random)?,
        Algorithm::Rsa => {
            let key = rsa::PrivateKey::new(random, RSA_DEVICE_BITS as usize)
                .map_err(|error| NotMade::Randomness(error.to_string()))?;
            key.to_pkcs1_der().map_err(|_| NotMade::Der)?.as_bytes().to_vec()
        }
    };
    Ok(SlotContent::shaped(shape, &der)?)
}

fn p256_key<R: TryCryptoRng + ?Sized>(random: &mut R) -> Result<Vec<u8>, NotMade> {
    loop {
        let mut scalar = [0; 32];
        random.try_fill_bytes(&mut scalar).map_err(|error| NotMade::Randomness(error.to_string()))?;
        // One scalar in 2^32 is not below the order of the curve; the next one is taken then.
        if let Ok(key) = SecretKey::from_slice(&scalar) {
            return Ok(key.to_sec1_der().map_err(|_| NotMade::Der)?.to_vec());
        }
    }
}

/// A device key made from a seed: for trials that need a fresh identity each time. A test key, as its making is public.
pub fn device_key_from_seed(seed: u64) -> SlotContent {
    match seeded_device_key(Slot::DevicePrivate.shape(), seed) {
        Ok(content) => content,
        Err(error) => unreachable!("a P-256 key fits its slot, and a seed does not run out: {error}"),
    }
}

/// The same for a slot of that shape.
///
/// # Errors
/// If the slot has no room.
pub fn seeded_device_key(shape: SlotShape, seed: u64) -> Result<SlotContent, NotMade> {
    new_device_key(shape, &mut Seeded(SplitMix64::new(seed)))
}

/// A seed in place of randomness.
struct Seeded(SplitMix64);

impl TryRng for Seeded {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.0.next_u64() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.next_u64())
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Infallible> {
        for word in into.chunks_mut(8) {
            word.copy_from_slice(&self.0.next_u64().to_be_bytes()[..word.len()]);
        }
        Ok(())
    }
}

/// What the libraries ask for before they make a key. Of a seed it is not true, and its keys are called test keys wherever they are made.
impl TryCryptoRng for Seeded {}

/// The half of a device key that is no secret: what a server accepts a device by.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicHalf {
    pem: String,
    der: Vec<u8>,
}

impl fmt::Debug for PublicHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicHalf({})", self.fingerprint())
    }
}

impl PublicHalf {
    /// That of a device's private key.
    ///
    /// # Errors
    /// What is wrong with the key.
    pub fn of(device: &SlotContent) -> Result<Self, SlotFault> {
        check(device)?;
        let bytes = der(device)?;
        match device.shape() {
            SlotShape { slot: Slot::DevicePrivate, algorithm: Algorithm::P256, .. } => {
                let fault = SlotFault::NotAPrivateKey;
                let key = SecretKey::from_sec1_der(bytes).map_err(|_| fault)?.public_key();
                Self::encoded(&key).ok_or(fault)
            }
            SlotShape { slot: Slot::DevicePrivate, algorithm: Algorithm::Rsa, .. } => {
                let fault = SlotFault::NotAnRsaPrivateKey;
                let key = rsa::PrivateKey::from_pkcs1_der(bytes).map_err(|_| fault)?.to_public_key();
                Self::encoded(&key).ok_or(fault)
            }
            _ => Err(SlotFault::NotAPrivateKey),
        }
    }

    fn encoded(key: &impl p256::pkcs8::EncodePublicKey) -> Option<Self> {
        let der = key.to_public_key_der().ok()?.as_bytes().to_vec();
        Some(Self { pem: key.to_public_key_pem(LineEnding::LF).ok()?, der })
    }

    /// As SPKI in PEM, as servers take it.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// As SPKI in DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The name of the public half: another one than the private key's.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.der)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures;

    #[test]
    fn seeds_give_keys_of_their_own() {
        assert_eq!(device_key_from_seed(7), device_key_from_seed(7));
        assert_ne!(device_key_from_seed(7), device_key_from_seed(8));
        // Part of what a trial's id stands for.
        assert_eq!(device_key_from_seed(1).fingerprint().to_string(), "ce0d82dd199c191a");
    }

    #[test]
    fn an_rsa_key_of_a_seed_is_in_order_and_always_the_same() {
        let made = |seed| seeded_device_key(fixtures::on_photon(Slot::DevicePrivate), seed).unwrap();
        assert_eq!(check(&made(1)), Ok(()));
        assert_eq!(made(1), made(1));
        assert_ne!(made(1), made(2));
    }

    #[test]
    fn a_slot_without_room_is_refused() {
        let short = SlotShape { length: 100, ..Slot::DevicePrivate.shape() };
        let error = seeded_device_key(short, 1).unwrap_err();
        assert_eq!(error.to_string(), "121 bytes do not fit into slot device_private of 100 bytes");
    }

    #[test]
    fn only_a_whole_device_key_has_a_public_half() {
        let half = PublicHalf::of(&fixtures::device_old()).unwrap();
        assert!(half.pem().starts_with("-----BEGIN PUBLIC KEY-----\n"));
        assert_ne!(half.fingerprint(), fixtures::device_old().fingerprint());
        assert_eq!(format!("{half:?}"), format!("PublicHalf({})", half.fingerprint()));
        assert_eq!(PublicHalf::of(&fixtures::server()), Err(SlotFault::NotAPrivateKey));
        assert_eq!(PublicHalf::of(&SlotContent::blank(Slot::DevicePrivate)), Err(SlotFault::Blank));
        assert!(PublicHalf::of(&fixtures::rsa_device()).is_ok());
    }

    proptest! {
        #[test]
        fn whatever_the_seed_the_key_is_in_order(seed in any::<u64>()) {
            prop_assert_eq!(check(&device_key_from_seed(seed)), Ok(()));
        }
    }
}
