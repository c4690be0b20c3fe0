//! The server address slot: byte 0 type (0 IPv4, 1 domain), byte 1 length, data, big-endian port at +66.
//!
//! Boundary: the bytes. Nothing is resolved.
//!
//! Source: particle-cli 3.51.0 `src/lib/keys-specs.js`. That 0xFFFF and 0 mean the default port is from there too.

use core::net::Ipv4Addr;
use std::fmt;

use crate::slot::ERASED;
use crate::{Slot, SlotContent, SlotShape};

const TYPE_IPV4: u8 = 0;
const TYPE_DOMAIN: u8 = 1;
const DATA: usize = 2;
const PORT: usize = 66;
/// What lies between the length and the port.
const LONGEST_DOMAIN: usize = PORT - DATA;

/// The host of a server address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// A numeric address.
    Ipv4(Ipv4Addr),
    /// A name: 1 to 64 bytes of printable ASCII without spaces.
    Domain(String),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ipv4(address) => fmt::Display::fmt(address, f),
            Self::Domain(name) => f.write_str(name),
        }
    }
}

/// Where the device looks for its server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerAddress {
    /// The host.
    pub host: Host,
    /// The port; `None` for the default one.
    pub port: Option<u16>,
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => fmt::Display::fmt(&self.host, f),
        }
    }
}

/// Why bytes are not a server address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServerAddressError {
    /// The bytes end before the port does.
    #[error("{0} bytes are too few for a server address of 68")]
    TooShort(usize),
    /// Neither IPv4 nor domain.
    #[error("address type 0x{0:02x} is neither IPv4 (0x00) nor domain (0x01)")]
    Type(u8),
    /// A length that the type cannot have.
    #[error("address length {0} is impossible for its type")]
    Length(u8),
    /// A byte that no host name has.
    #[error("byte {0} of the domain is not a printable ASCII character")]
    Domain(usize),
}

impl ServerAddress {
    /// Reads the bytes of a slot.
    ///
    /// # Errors
    /// If they are not an address.
    pub fn decode(bytes: &[u8]) -> Result<Self, ServerAddressError> {
        if bytes.len() < PORT + 2 {
            return Err(ServerAddressError::TooShort(bytes.len()));
        }
        let length = bytes[1];
        let data = bytes[DATA..PORT].get(..usize::from(length)).ok_or(ServerAddressError::Length(length))?;
        let host = match (bytes[0], data) {
            (TYPE_IPV4, &[a, b, c, d]) => Host::Ipv4(Ipv4Addr::new(a, b, c, d)),
            (TYPE_DOMAIN, [_, ..]) => Host::Domain(domain(data)?),
            (TYPE_IPV4 | TYPE_DOMAIN, _) => return Err(ServerAddressError::Length(length)),
            (other, _) => return Err(ServerAddressError::Type(other)),
        };
        let port = match u16::from_be_bytes([bytes[PORT], bytes[PORT + 1]]) {
            0 | 0xffff => None,
            port => Some(port),
        };
        Ok(Self { host, port })
    }

    /// The slot of a UDP device that holds this address.
    ///
    /// # Errors
    /// If the domain does not fit or is no host name.
    pub fn encode(&self) -> Result<SlotContent, ServerAddressError> {
        self.encode_in(Slot::ServerAddress.shape())
    }

    /// The slot of that shape with this address in it.
    ///
    /// # Errors
    /// If the domain does not fit or is no host name, or the slot is too short for any address.
    pub fn encode_in(&self, shape: SlotShape) -> Result<SlotContent, ServerAddressError> {
        let octets;
        let (kind, data) = match &self.host {
            Host::Ipv4(address) => {
                octets = address.octets();
                (TYPE_IPV4, octets.as_slice())
            }
            Host::Domain(name) => {
                domain(name.as_bytes())?;
                (TYPE_DOMAIN, name.as_bytes())
            }
        };
        if data.is_empty() || data.len() > LONGEST_DOMAIN {
            return Err(ServerAddressError::Length(u8::try_from(data.len()).unwrap_or(u8::MAX)));
        }
        let mut bytes = [ERASED; PORT + 2];
        bytes[0] = kind;
        bytes[1] = data.len() as u8;
        bytes[DATA..DATA + data.len()].copy_from_slice(data);
        bytes[PORT..].copy_from_slice(&self.port.unwrap_or(0xffff).to_be_bytes());
        SlotContent::shaped(shape, &bytes).map_err(|_| ServerAddressError::TooShort(shape.length))
    }
}

fn domain(data: &[u8]) -> Result<String, ServerAddressError> {
    match data.iter().position(|byte| !byte.is_ascii_graphic()) {
        Some(at) => Err(ServerAddressError::Domain(at)),
        None => Ok(data.iter().map(|byte| char::from(*byte)).collect()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures;

    #[test]
    fn the_published_address_is_read_and_written_byte_for_byte() {
        let address = ServerAddress::decode(fixtures::address().expose()).unwrap();
        assert_eq!(address.to_string(), "lantern.invalid:5684");
        assert_eq!(address.encode(), Ok(fixtures::address()));
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        let refusal = |change: fn(&mut [u8])| {
            ServerAddress::decode(fixtures::address().map(change).expose()).unwrap_err().to_string()
        };
        assert_eq!(refusal(|bytes| bytes[0] = 0xff), "address type 0xff is neither IPv4 (0x00) nor domain (0x01)");
        assert_eq!(refusal(|bytes| bytes[0] = 0), "address length 15 is impossible for its type");
        assert_eq!(refusal(|bytes| bytes[1] = 65), "address length 65 is impossible for its type");
        assert_eq!(refusal(|bytes| bytes[1] = 0), "address length 0 is impossible for its type");
        assert_eq!(refusal(|bytes| bytes[5] = b' '), "byte 3 of the domain is not a printable ASCII character");
        assert_eq!(ServerAddress::decode(&[0; 67]), Err(ServerAddressError::TooShort(67)));
    }

    fn address() -> impl Strategy<Value = ServerAddress> {
        let host = prop_oneof![
            any::<[u8; 4]>().prop_map(|octets| Host::Ipv4(octets.into())),
            "[!-~]{1,64}".prop_map(Host::Domain),
        ];
        (host, prop::option::of(1u16..0xffff)).prop_map(|(host, port)| ServerAddress { host, port })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(address in address()) {
            let written = address.encode().unwrap();
            prop_assert_eq!(ServerAddress::decode(written.expose()), Ok(address));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..130)) {
            let _ = ServerAddress::decode(&bytes);
        }
    }
}
