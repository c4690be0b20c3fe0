//! Whether a slot holds what it should: DER of the right kind, a point on the curve, an address that can be read.
//!
//! Boundary: structure only. A key that is valid but not the right one passes, as it does on devices.

use p256::pkcs8::DecodePublicKey;
use p256::{PublicKey, SecretKey};

use crate::{ServerAddress, ServerAddressError, Slot, SlotContent, SplitMix64};

/// What is wrong with the content of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SlotFault {
    /// Every byte is 0xFF.
    #[error("blank")]
    Blank,
    /// It does not begin with a DER sequence that fits into the slot.
    #[error("no DER sequence at byte 0")]
    NotDer,
    /// DER, but not a P-256 private key in SEC1 form, or its two halves do not belong together.
    #[error("no P-256 private key in SEC1 form")]
    NotAPrivateKey,
    /// DER, but not a P-256 public key in SPKI form, or its point is not on the curve.
    #[error("no P-256 public key in SPKI form")]
    NotAPublicKey,
    /// Something follows the key that is not padding.
    #[error("byte {0} after the key is not 0xff")]
    Padding(usize),
    /// Not an address.
    #[error(transparent)]
    Address(#[from] ServerAddressError),
}

/// The length of the DER sequence at the beginning of `bytes`, header included: what follows in a slot is padding.
///
/// `None` if there is none, or if it is longer than `bytes`. Lengths up to 65535 are read; indefinite ones are not DER.
pub fn der_length(bytes: &[u8]) -> Option<usize> {
    const SEQUENCE: u8 = 0x30;
    let (header, content) = match *bytes {
        [SEQUENCE, short @ 0..=0x7f, ..] => (2, usize::from(short)),
        [SEQUENCE, 0x81, length @ 0x80..=0xff, ..] => (3, usize::from(length)),
        [SEQUENCE, 0x82, high @ 1..=0xff, low, ..] => (4, usize::from(u16::from_be_bytes([high, low]))),
        _ => return None,
    };
    (header + content <= bytes.len()).then_some(header + content)
}

/// Checks that `content` is what its slot is for.
///
/// # Errors
/// What is wrong with it first.
pub fn check(content: &SlotContent) -> Result<(), SlotFault> {
    let bytes = content.expose();
    if content.used() == 0 {
        return Err(SlotFault::Blank);
    }
    match content.slot() {
        Slot::DevicePrivate => {
            SecretKey::from_sec1_der(der(content)?).map_err(|_| SlotFault::NotAPrivateKey)?;
        }
        Slot::ServerPublic => {
            PublicKey::from_public_key_der(der(content)?).map_err(|_| SlotFault::NotAPublicKey)?;
        }
        Slot::ServerAddress => return Ok(ServerAddress::decode(bytes).map(drop)?),
    }
    let end = der(content)?.len();
    if content.used() > end {
        let stray = bytes[end..].iter().position(|byte| *byte != 0xff).unwrap_or_default();
        return Err(SlotFault::Padding(end + stray));
    }
    Ok(())
}

fn der(content: &SlotContent) -> Result<&[u8], SlotFault> {
    let bytes = content.expose();
    der_length(bytes).map(|length| &bytes[..length]).ok_or(SlotFault::NotDer)
}

/// A device key made from a seed: for trials that need a fresh identity each time. A test key, as its making is public.
pub fn device_key_from_seed(seed: u64) -> SlotContent {
    let mut random = SplitMix64::new(seed);
    loop {
        let mut scalar = [0; 32];
        for word in scalar.chunks_exact_mut(8) {
            word.copy_from_slice(&random.next_u64().to_be_bytes());
        }
        // One scalar in 2^32 is not below the order of the curve; the next one is taken then.
        if let Ok(key) = SecretKey::from_slice(&scalar)
            && let Ok(der) = key.to_sec1_der()
            && let Ok(content) = SlotContent::new(Slot::DevicePrivate, &der)
        {
            return content;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures;

    #[test]
    fn the_published_keys_pass() {
        for content in [
            fixtures::device_old(),
            fixtures::device_new(),
            fixtures::server(),
            fixtures::server_other(),
            fixtures::address(),
            device_key_from_seed(1),
        ] {
            assert_eq!(check(&content), Ok(()), "{content:?}");
        }
    }

    #[test]
    fn a_private_key_without_its_public_half_passes() {
        // As lantern makes one: it has no point multiplication.
        let scalar = &fixtures::device_old().expose()[7..39].to_vec();
        let curve = [0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
        let der = [&[0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20][..], scalar, &curve].concat();
        assert_eq!(check(&SlotContent::new(Slot::DevicePrivate, &der).unwrap()), Ok(()));
    }

    #[test]
    fn each_fault_is_named() {
        let fault = |content: SlotContent, change: fn(&mut [u8])| check(&content.map(change)).unwrap_err();
        assert_eq!(check(&SlotContent::blank(Slot::ServerPublic)), Err(SlotFault::Blank));
        assert_eq!(fault(fixtures::device_old(), |bytes| bytes[0] = 0xff), SlotFault::NotDer);
        assert_eq!(fault(fixtures::device_old(), |bytes| bytes.fill(0)), SlotFault::NotDer);
        assert_eq!(fault(fixtures::device_old(), |bytes| bytes[20] ^= 1), SlotFault::NotAPrivateKey);
        assert_eq!(fault(fixtures::server(), |bytes| bytes[80] ^= 1), SlotFault::NotAPublicKey);
        assert_eq!(fault(fixtures::server(), |bytes| bytes[100] = 0), SlotFault::Padding(100));
        assert_eq!(fault(fixtures::address(), |bytes| bytes[0] = 7), SlotFault::Address(ServerAddressError::Type(7)));
        let swapped = SlotContent::new(Slot::DevicePrivate, fixtures::server().expose_used()).unwrap();
        assert_eq!(check(&swapped), Err(SlotFault::NotAPrivateKey));
    }

    #[test]
    fn der_lengths_are_read_in_their_shortest_form_only() {
        let padded = |header: &[u8]| [header, &[0xff; 300]].concat();
        assert_eq!(der_length(&padded(&[0x30, 0x05])), Some(7));
        assert_eq!(der_length(&padded(&[0x30, 0x81, 0x80])), Some(131));
        assert_eq!(der_length(&padded(&[0x30, 0x82, 0x01, 0x00])), Some(260));
        assert_eq!(der_length(&padded(&[0x30, 0x81, 0x05])), None, "not the shortest form");
        assert_eq!(der_length(&padded(&[0x30, 0x80])), None, "indefinite");
        assert_eq!(der_length(&padded(&[0x31, 0x05])), None);
        assert_eq!(der_length(&[0x30, 0x05, 0, 0]), None, "longer than what is there");
        assert_eq!(der_length(&[]), None);
    }

    #[test]
    fn seeds_give_keys_of_their_own() {
        assert_eq!(device_key_from_seed(7), device_key_from_seed(7));
        assert_ne!(device_key_from_seed(7), device_key_from_seed(8));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..128), slot in prop::sample::select(Slot::ALL.to_vec())) {
            let _ = check(&SlotContent::new(slot, &bytes).unwrap());
        }
    }
}
