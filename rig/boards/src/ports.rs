//! Where a board is reached: its USB ids, its bootloader's alternate settings, its cloud.
//!
//! Boundary: numbers and names. Who opens what is the station's business.

use std::fmt;

use brickproof_units::Span;
use brickproof_yaml::decode::Decoder;
use brickproof_yaml::tree::Node;
use brickproof_yaml::{Mistake, MistakeKind};

use crate::memory::{Address, address};

/// A USB vendor and product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UsbId {
    /// `idVendor`.
    pub vendor: u16,
    /// `idProduct`.
    pub product: u16,
}

impl UsbId {
    /// `2b04:c006`.
    pub fn parse(text: &str) -> Option<Self> {
        let (vendor, product) = text.trim().split_once(':')?;
        let four = |digits: &str| {
            let is_four = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_four.then(|| u16::from_str_radix(digits, 16).ok()).flatten()
        };
        Some(Self { vendor: four(vendor)?, product: four(product)? })
    }
}

impl fmt::Display for UsbId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:04x}", self.vendor, self.product)
    }
}

/// What a board is called on USB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsbIds {
    /// While its firmware runs.
    pub normal: UsbId,
    /// While its bootloader waits for firmware.
    pub dfu: UsbId,
}

/// An alternate setting of a DfuSe bootloader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alternate {
    /// What profiles call it: `dct`.
    pub name: String,
    /// Its number.
    pub number: u8,
    /// The address of its first byte.
    pub at: Address,
    /// Whether the bootloader compares what it wrote. Where it does not, the rig reads back.
    pub verifies: bool,
}

/// How a board speaks with its cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// An RSA handshake over TCP.
    Tcp,
    /// DTLS over UDP.
    Udp,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        })
    }
}

/// A board's other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudPort {
    /// How it is spoken with.
    pub transport: Transport,
    /// At which port.
    pub port: u16,
    /// The host that a blank address stands for; `$id` is the device's id.
    pub host: String,
    /// A handshake that nobody answers is given up after so long.
    pub silence: Span,
}

pub(crate) const TRANSPORTS: [(&str, Transport); 2] = [("tcp", Transport::Tcp), ("udp", Transport::Udp)];

pub(crate) fn usb(decoder: &mut Decoder<'_>, node: &Node) -> Option<UsbIds> {
    let fields = decoder.fields(node, "`usb`", &["normal", "dfu"])?;
    let mut id = |key| {
        let node = fields.required(decoder, key)?;
        let text = decoder.text(node, "a USB id")?;
        let id = UsbId::parse(&text);
        if id.is_none() {
            let wrong = Mistake::new(MistakeKind::UnknownValue, node.place, format!("`{text}` is not a USB id"));
            decoder.report(wrong.help("write vendor and product with four hexadecimal digits each, as in `2b04:c006`"));
        }
        id
    };
    let (normal, dfu) = (id("normal"), id("dfu"));
    Some(UsbIds { normal: normal?, dfu: dfu? })
}

pub(crate) fn alternate(decoder: &mut Decoder<'_>, name: &str, node: &Node) -> Option<Alternate> {
    let fields = decoder.fields(node, "an alternate setting", &["number", "at", "verifies"])?;
    let number = fields.required(decoder, "number");
    let number = number.and_then(|node| decoder.count(node, "the number of an alternate setting", 0..=u8::MAX));
    let at = fields.required(decoder, "at").and_then(|node| address(decoder, node));
    let verifies = fields.required(decoder, "verifies").and_then(|node| decoder.truth(node));
    Some(Alternate { name: name.to_owned(), number: number?, at: at?, verifies: verifies? })
}

pub(crate) fn cloud(decoder: &mut Decoder<'_>, node: &Node) -> Option<CloudPort> {
    let fields = decoder.fields(node, "`cloud`", &["transport", "port", "host", "silence"])?;
    let transport = fields.required(decoder, "transport");
    let transport = transport.and_then(|node| decoder.choice(node, "a transport", &TRANSPORTS));
    let port = fields.required(decoder, "port").and_then(|node| decoder.count(node, "a port", 1..=u16::MAX));
    let host = fields.required(decoder, "host");
    let host = host.and_then(|node| decoder.raw_text(node, "the name of a host").map(str::to_owned));
    let silence = fields.required(decoder, "silence").and_then(|node| decoder.duration(node));
    Some(CloudPort { transport: transport?, port: port?, host: host?, silence: silence? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usb_id_has_four_digits_on_either_side() {
        let id = UsbId::parse("2b04:c006").unwrap();
        assert_eq!((id.vendor, id.product, id.to_string().as_str()), (0x2b04, 0xc006, "2b04:c006"));
        for text in ["2b04", "2b04:", "2b04:c0067", "+b04:c006", "2b04:c0 6", ""] {
            assert_eq!(UsbId::parse(text), None, "{text}");
        }
    }
}
