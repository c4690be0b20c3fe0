//! Descriptors as USB 2.0, chapter 9.6, lays them out.
//!
//! Boundary: bytes.

/// Who a device says it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// idVendor.
    pub vendor: u16,
    /// idProduct.
    pub product: u16,
    /// What people read.
    pub name: String,
    /// Its serial number.
    pub serial: String,
}

impl Identity {
    /// A device of that vendor.
    pub fn new(vendor: u16, product: u16, name: &str, serial: &str) -> Self {
        Self { vendor, product, name: name.to_owned(), serial: serial.to_owned() }
    }

    /// The strings that [`device`] refers to.
    pub fn strings(&self) -> Vec<String> {
        vec!["Brickproof".to_owned(), self.name.clone(), self.serial.clone()]
    }
}

/// A device with one configuration; its strings 1 to 3 are manufacturer, product and serial number.
pub fn device(class: [u8; 3], vendor: u16, product: u16, release: u16) -> Vec<u8> {
    const LARGEST_CONTROL_PACKET: u8 = 64;
    let mut bytes = vec![18, 1, 0, 2];
    bytes.extend(class);
    bytes.push(LARGEST_CONTROL_PACKET);
    bytes.extend([vendor, product, release].into_iter().flat_map(u16::to_le_bytes));
    bytes.extend([1, 2, 3, 1]);
    bytes
}

/// A configuration with `interfaces` interfaces, fed from the bus with 100 mA at most.
pub fn configuration(interfaces: u8, body: &[u8]) -> Vec<u8> {
    const BUS_POWERED: u8 = 0x80;
    const TWO_MILLIAMPERES: u8 = 50;
    let mut bytes = vec![9, 2];
    bytes.extend((9 + body.len() as u16).to_le_bytes());
    bytes.extend([interfaces, 1, 0, BUS_POWERED, TWO_MILLIAMPERES]);
    bytes.extend_from_slice(body);
    bytes
}

/// An interface, or an alternate setting of one.
pub fn interface(number: u8, alternate: u8, endpoints: u8, class: [u8; 3], text: u8) -> Vec<u8> {
    let mut bytes = vec![9, 4, number, alternate, endpoints];
    bytes.extend(class);
    bytes.push(text);
    bytes
}

/// The attribute of an endpoint for much data.
pub const BULK: u8 = 2;
/// The attribute of an endpoint that is asked at intervals.
pub const INTERRUPT: u8 = 3;

/// An endpoint; bit 7 of its address says that bytes come from it.
pub fn endpoint(address: u8, attributes: u8, largest_packet: u16, interval: u8) -> Vec<u8> {
    let [low, high] = largest_packet.to_le_bytes();
    vec![7, 5, address, attributes, low, high, interval]
}
