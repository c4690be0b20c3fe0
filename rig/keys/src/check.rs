//! Whether a slot holds what it should: DER of the right kind, a point on the curve, an address that can be read.
//!
//! Boundary: structure only. A key that is valid but not the right one passes, as it does on devices.

use p256::pkcs8::DecodePublicKey as _;
use p256::{PublicKey, SecretKey};
use rsa::pkcs1::{DecodeRsaPrivateKey as _, EncodeRsaPrivateKey as _};
use rsa::traits::PublicKeyParts as _;

use crate::slot::ERASED;
use crate::{Algorithm, ServerAddress, ServerAddressError, Slot, SlotContent, SlotShape};

/// The device's RSA key: particle-cli 3.51.0 `src/lib/keys-specs.js`.
pub(crate) const RSA_DEVICE_BITS: u32 = 1024;
/// The server's: device-os v1.4.4 `core_protocol.cpp` reads a modulus of 256 bytes.
const RSA_SERVER_BITS: u32 = 2048;

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
    /// DER, but not an RSA private key of two primes in PKCS#1 form, or its numbers do not belong together.
    #[error("no RSA private key in PKCS#1 form")]
    NotAnRsaPrivateKey,
    /// DER, but not an RSA public key in SPKI form.
    #[error("no RSA public key in SPKI form")]
    NotAnRsaPublicKey,
    /// An RSA key of another length than the slot's.
    #[error("an RSA key of {found} bits where one of {wanted} belongs")]
    RsaBits {
        /// What it has.
        found: u32,
        /// What it must have.
        wanted: u32,
    },
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
    if content.used() == 0 {
        return Err(SlotFault::Blank);
    }
    let SlotShape { slot, algorithm, .. } = content.shape();
    match (slot, algorithm) {
        (Slot::DevicePrivate, Algorithm::P256) => {
            SecretKey::from_sec1_der(der(content)?).map_err(|_| SlotFault::NotAPrivateKey)?;
        }
        (Slot::ServerPublic, Algorithm::P256) => {
            PublicKey::from_public_key_der(der(content)?).map_err(|_| SlotFault::NotAPublicKey)?;
        }
        (Slot::DevicePrivate, Algorithm::Rsa) => rsa_private(der(content)?)?,
        (Slot::ServerPublic, Algorithm::Rsa) => rsa_public(der(content)?)?,
        (Slot::ServerAddress, _) => return Ok(ServerAddress::decode(content.expose()).map(drop)?),
    }
    let bytes = content.expose();
    let end = der(content)?.len();
    if content.used() > end {
        let stray = bytes[end..].iter().position(|byte| *byte != ERASED).unwrap_or_default();
        return Err(SlotFault::Padding(end + stray));
    }
    Ok(())
}

/// Reading alone leaves the three numbers of the Chinese remainder theorem unjudged: they follow from the others, so a key that is written
/// anew without them must come out as it was.
fn rsa_private(der: &[u8]) -> Result<(), SlotFault> {
    let key = rsa::PrivateKey::from_pkcs1_der(der).map_err(|_| SlotFault::NotAnRsaPrivateKey)?;
    if key.n().bit_width_vartime() != RSA_DEVICE_BITS {
        return Err(SlotFault::RsaBits { found: key.n().bit_width_vartime(), wanted: RSA_DEVICE_BITS });
    }
    let written_anew = key.to_pkcs1_der().map_err(|_| SlotFault::NotAnRsaPrivateKey)?;
    if written_anew.as_bytes() == der { Ok(()) } else { Err(SlotFault::NotAnRsaPrivateKey) }
}

fn rsa_public(der: &[u8]) -> Result<(), SlotFault> {
    let key = rsa::PublicKey::from_public_key_der(der).map_err(|_| SlotFault::NotAnRsaPublicKey)?;
    match key.n().bit_width_vartime() {
        RSA_SERVER_BITS => Ok(()),
        found => Err(SlotFault::RsaBits { found, wanted: RSA_SERVER_BITS }),
    }
}

/// The DER at the beginning of a slot.
pub(crate) fn der(content: &SlotContent) -> Result<&[u8], SlotFault> {
    let bytes = content.expose();
    der_length(bytes).map(|length| &bytes[..length]).ok_or(SlotFault::NotDer)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{device_key_from_seed, fixtures};

    #[test]
    fn the_published_keys_pass() {
        for content in [
            fixtures::device_old(),
            fixtures::device_new(),
            fixtures::server(),
            fixtures::server_other(),
            fixtures::address(),
            device_key_from_seed(1),
            fixtures::rsa_device(),
            fixtures::rsa_server(),
            fixtures::rsa_server_other(),
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
    fn each_fault_of_an_rsa_key_is_named() {
        let fault = |content: SlotContent, change: &dyn Fn(&mut [u8])| check(&content.map(change)).unwrap_err();
        let (device, server) = (fixtures::rsa_device(), fixtures::rsa_server());
        assert_eq!(fault(device.clone(), &|bytes| bytes[0] = 0xff), SlotFault::NotDer);
        assert_eq!(fault(device.clone(), &|bytes| bytes[20] ^= 1), SlotFault::NotAnRsaPrivateKey, "the modulus");
        let last = device.used() - 1;
        assert_eq!(fault(device.clone(), &|bytes| bytes[last] ^= 1), SlotFault::NotAnRsaPrivateKey, "the CRT");
        assert_eq!(fault(device.clone(), &|bytes| bytes[1000] = 0), SlotFault::Padding(1000));
        assert_eq!(fault(server.clone(), &|bytes| bytes[20] ^= 1), SlotFault::NotAnRsaPublicKey);
        // A modulus is any odd number: structure cannot tell.
        assert_eq!(check(&server.map(|bytes| bytes[100] ^= 1)), Ok(()));
        let elsewhere = |content: &SlotContent, slot| {
            check(&SlotContent::shaped(fixtures::on_photon(slot), content.expose_used()).unwrap())
        };
        assert_eq!(elsewhere(&server, Slot::DevicePrivate), Err(SlotFault::NotAnRsaPrivateKey));
        assert_eq!(elsewhere(&fixtures::device_old(), Slot::DevicePrivate), Err(SlotFault::NotAnRsaPrivateKey));
        assert_eq!(elsewhere(&fixtures::server(), Slot::ServerPublic), Err(SlotFault::NotAnRsaPublicKey));
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

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..128), slot in prop::sample::select(Slot::ALL.to_vec())) {
            let _ = check(&SlotContent::new(slot, &bytes).unwrap());
            let _ = check(&SlotContent::shaped(fixtures::on_photon(slot), &bytes).unwrap());
        }

        #[test]
        fn no_changed_bit_of_an_rsa_private_key_passes(offset in 0usize..607, bit in 0u32..8) {
            let content = fixtures::rsa_device();
            prop_assume!(offset < content.used());
            prop_assert!(check(&content.map(|bytes| bytes[offset] ^= 1 << bit)).is_err());
        }
    }
}
