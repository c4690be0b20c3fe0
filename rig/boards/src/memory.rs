//! A board's memory: how its flash is divided, what lies where in it, and where its unique id is.
//!
//! Boundary: addresses and lengths as a manual gives them. How long an erase takes, and what a cut does to it, is the virtual board's.

use std::fmt;
use std::ops::Range;

use brickproof_yaml::decode::{Decoder, Fields};
use brickproof_yaml::tree::{Node, Value};
use brickproof_yaml::{Mistake, MistakeKind};

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u32);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            n if n != 0 && n % (1 << 20) == 0 => write!(f, "{}MiB", n >> 20),
            n if n != 0 && n % (1 << 10) == 0 => write!(f, "{}KiB", n >> 10),
            n => write!(f, "{n}B"),
        }
    }
}

/// An address in the microcontroller's memory, or behind a bootloader's alternate setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub u32);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010x}", self.0)
    }
}

/// So many sectors of one size, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sectors {
    /// How many.
    pub count: u32,
    /// What one erase takes.
    pub size: Bytes,
}

/// The flash that the microcontroller runs from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlashMap {
    /// Its first byte.
    pub at: Address,
    /// Its sectors, in the order of their addresses; never none.
    pub sectors: Vec<Sectors>,
    /// The bootloader's alternate setting behind which it lies, at the same addresses, if there is one.
    pub through: Option<String>,
}

impl FlashMap {
    /// All of it.
    pub fn size(&self) -> Bytes {
        // It was checked when the profile was read that this fits.
        Bytes(self.sectors.iter().map(|it| it.count * it.size.0).sum())
    }

    /// Its addresses.
    pub fn range(&self) -> Range<u64> {
        let start = u64::from(self.at.0);
        start..start + u64::from(self.size().0)
    }

    /// The addresses of the sector that holds `address`, if it is in the flash.
    pub fn sector_at(&self, address: u32) -> Option<Range<u64>> {
        let address = u64::from(address);
        let mut start = u64::from(self.at.0);
        for &Sectors { count, size } in &self.sectors {
            let (count, size) = (u64::from(count), u64::from(size.0));
            if (start..start + count * size).contains(&address) {
                let first = address - (address - start) % size;
                return Some(first..first + size);
            }
            start += count * size;
        }
        None
    }
}

impl fmt::Display for FlashMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {} in sectors of", self.size(), self.at)?;
        for (index, sectors) in self.sectors.iter().enumerate() {
            write!(f, "{} {} x {}", if index == 0 { "" } else { "," }, sectors.count, sectors.size)?;
        }
        Ok(())
    }
}

/// A part of what is in memory: a bootloader, a system, the user's program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name: `bootloader`.
    pub name: String,
    /// Its first byte.
    pub at: Address,
    /// The room that it has.
    pub length: Bytes,
    /// The bootloader's alternate setting behind which it lies, if it is not in the microcontroller's flash.
    pub through: Option<String>,
}

impl Part {
    /// Its addresses.
    pub fn range(&self) -> Range<u64> {
        let start = u64::from(self.at.0);
        start..start + u64::from(self.length.0)
    }
}

/// Where a microcontroller keeps the unique id that its maker gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdentityPlace {
    /// Its first byte.
    pub address: Address,
    /// Its length.
    pub length: Bytes,
}

pub(crate) fn flash(decoder: &mut Decoder<'_>, node: &Node) -> Option<FlashMap> {
    let fields = decoder.fields(node, "`flash`", &["at", "size", "page", "sectors", "through"])?;
    let at = fields.get("at").map_or(Some(Address(0)), |node| address(decoder, node));
    let sectors = match fields.get("sectors") {
        Some(node) => {
            for (key, entry) in ["size", "page"].iter().filter_map(|key| Some((key, fields.entry(key)?))) {
                let message = format!("`{key}` beside `sectors`");
                let both = Mistake::new(MistakeKind::Misplaced, entry.key_place, message);
                decoder.report(both.help("write `size` and `page` for even pages, or `sectors` for uneven ones"));
            }
            sectors(decoder, node)
        }
        None => even_pages(decoder, &fields),
    };
    let through = through(decoder, &fields);
    let (at, sectors) = (at?, sectors?);
    let size: u64 = sectors.iter().map(|it| u64::from(it.count) * u64::from(it.size.0)).sum();
    if u64::from(at.0) + size > 1 << 32 {
        let message = format!("flash from {at} on does not end within 4 GiB");
        decoder.report(Mistake::new(MistakeKind::BeyondLimits, fields.place, message));
        return None;
    }
    // All that can be addressed is one byte more than can be counted.
    if u32::try_from(size).is_err() {
        let whole =
            Mistake::new(MistakeKind::BeyondLimits, fields.place, "flash of 4 GiB leaves no room for anything else");
        decoder.report(whole.help("write the sectors that the microcontroller has"));
        return None;
    }
    Some(FlashMap { at, sectors, through: through? })
}

fn even_pages(decoder: &mut Decoder<'_>, fields: &Fields<'_>) -> Option<Vec<Sectors>> {
    let (total, page) = (size(decoder, fields, "size"), size(decoder, fields, "page"));
    let (total, page) = (total?, page?);
    if page.0 == 0 || total.0 == 0 || !total.0.is_multiple_of(page.0) {
        let message = format!("{total} of flash are not whole pages of {page}");
        decoder.report(Mistake::new(MistakeKind::BeyondLimits, fields.place, message));
        return None;
    }
    Some(vec![Sectors { count: total.0 / page.0, size: page }])
}

/// `[4 x 16KiB, 1 x 64KiB]`.
fn sectors(decoder: &mut Decoder<'_>, node: &Node) -> Option<Vec<Sectors>> {
    const WHAT: &str = "so many sectors of one size (`4 x 16KiB`)";
    let nodes = decoder.list(node, "a list of sectors")?;
    if nodes.is_empty() {
        decoder.report(Mistake::new(MistakeKind::Empty, node.place, "flash without sectors").label("empty"));
        return None;
    }
    let read = |decoder: &mut Decoder<'_>, node: &Node| {
        let text = decoder.text(node, WHAT)?;
        let parsed = text.split_once('x').and_then(|(count, size)| {
            let count = count.trim().parse().ok().filter(|count| (1..=4096).contains(count))?;
            Some(Sectors { count, size: parse_size(size).filter(|size| size.0 > 0)? })
        });
        if parsed.is_none() {
            let message = format!("`{text}` is not {WHAT}");
            decoder.report(Mistake::new(MistakeKind::WrongQuantity, node.place, message));
        }
        parsed
    };
    nodes.iter().map(|node| read(decoder, node)).collect::<Vec<_>>().into_iter().collect()
}

pub(crate) fn part(decoder: &mut Decoder<'_>, name: &str, node: &Node) -> Option<Part> {
    let fields = decoder.fields(node, "a part of memory", &["at", "length", "through"])?;
    let at = fields.required(decoder, "at").and_then(|node| address(decoder, node));
    let length = some_bytes(decoder, &fields, "length");
    let through = through(decoder, &fields);
    Some(Part { name: name.to_owned(), at: at?, length: length?, through: through? })
}

/// The name of an alternate setting, if one is given.
pub(crate) fn through(decoder: &mut Decoder<'_>, fields: &Fields<'_>) -> Option<Option<String>> {
    match fields.get("through") {
        None => Some(None),
        Some(node) => decoder.text(node, "an alternate setting of the bootloader").map(|text| Some(text.into_owned())),
    }
}

pub(crate) fn identity(decoder: &mut Decoder<'_>, node: &Node) -> Option<IdentityPlace> {
    let fields = decoder.fields(node, "`identity`", &["address", "length"])?;
    let address = fields.required(decoder, "address").and_then(|node| address(decoder, node));
    let length = some_bytes(decoder, &fields, "length");
    Some(IdentityPlace { address: address?, length: length? })
}

pub(crate) fn size(decoder: &mut Decoder<'_>, fields: &Fields<'_>, key: &str) -> Option<Bytes> {
    let node = fields.required(decoder, key)?;
    bytes(decoder, node)
}

/// As [`size`], and never none.
pub(crate) fn some_bytes(decoder: &mut Decoder<'_>, fields: &Fields<'_>, key: &str) -> Option<Bytes> {
    let node = fields.required(decoder, key)?;
    let size = bytes(decoder, node)?;
    if size == Bytes(0) {
        let none = Mistake::new(MistakeKind::BeyondLimits, node.place, format!("a `{key}` of no bytes at all"));
        decoder.report(none.label("zero"));
        return None;
    }
    Some(size)
}

pub(crate) fn bytes(decoder: &mut Decoder<'_>, node: &Node) -> Option<Bytes> {
    let text = decoder.text(node, "a number of bytes")?;
    let parsed = parse_size(&text);
    if parsed.is_none() {
        let wrong = Mistake::new(MistakeKind::WrongQuantity, node.place, format!("`{text}` is not a number of bytes"));
        decoder.report(wrong.help("write it with its unit (B, KiB, MiB), as in `256KiB`"));
    }
    parsed
}

fn parse_size(text: &str) -> Option<Bytes> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let factor = match text[split..].trim_start() {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        _ => return None,
    };
    text[..split].parse::<u32>().ok()?.checked_mul(factor).map(Bytes)
}

pub(crate) fn address(decoder: &mut Decoder<'_>, node: &Node) -> Option<Address> {
    let text = decoder.text(node, "an address")?;
    let address = text.trim().strip_prefix("0x").and_then(|digits| u32::from_str_radix(digits, 16).ok());
    if address.is_none() {
        let wrong = Mistake::new(MistakeKind::WrongQuantity, node.place, format!("`{text}` is not an address"));
        decoder.report(wrong.help("write it in hexadecimal, as in `0x3e000`"));
    }
    address.map(Address)
}

/// The addresses in the list at `node`, with their places.
pub(crate) fn addresses(decoder: &mut Decoder<'_>, node: &Node) -> Option<Vec<Address>> {
    debug_assert!(!matches!(node.value, Value::Broken), "a broken value is not asked for its addresses");
    let nodes = decoder.list(node, "a list of addresses")?;
    nodes.iter().map(|node| address(decoder, node)).collect::<Vec<_>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_need_a_unit_and_have_limits() {
        assert_eq!(parse_size("192B"), Some(Bytes(192)));
        assert_eq!(parse_size("1 MiB"), Some(Bytes(1 << 20)));
        for text in ["192", "B", "1KB", "-1B", "4096MiB", ""] {
            assert_eq!(parse_size(text), None, "{text}");
        }
        assert_eq!((Bytes(1 << 10).to_string(), Bytes(1000).to_string()), ("1KiB".into(), "1000B".into()));
    }

    #[test]
    fn uneven_sectors_add_up() {
        let sectors = [(4, 16 << 10), (1, 64 << 10), (7, 128 << 10)];
        let sectors = sectors.map(|(count, size)| Sectors { count, size: Bytes(size) }).to_vec();
        let flash = FlashMap { at: Address(0x0800_0000), sectors, through: None };
        assert_eq!(flash.size(), Bytes(1 << 20));
        assert_eq!(flash.range(), 0x0800_0000..0x0810_0000);
        assert_eq!(flash.to_string(), "1MiB from 0x08000000 in sectors of 4 x 16KiB, 1 x 64KiB, 7 x 128KiB");
    }
}
