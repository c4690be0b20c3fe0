//! The memory of an alternate setting, as its name tells it (ST's DfuSe 1.1a): `@Name /0xADDRESS/03*016Ka,01*064Kg`.
//!
//! Boundary: text. It comes from the device and is believed only as far as it adds up.

use std::fmt;

use crate::kinds::Region;

/// What a device's name for an alternate setting says about its memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    blocks: Vec<Block>,
}

/// Sectors of one size, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Block {
    start: u64,
    size: u64,
    count: u64,
    access: Access,
}

/// What may be done with a sector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    /// The letter's place in the alphabet, whose bits are read, erase, write.
    bits: u8,
}

impl Access {
    pub(crate) fn readable(self) -> bool {
        self.bits & 1 != 0
    }

    pub(crate) fn erasable(self) -> bool {
        self.bits & 2 != 0
    }

    pub(crate) fn writable(self) -> bool {
        self.bits & 4 != 0
    }
}

/// The least that an erase takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sector {
    pub(crate) region: Region,
    pub(crate) access: Access,
}

/// Why a name is no layout.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` describes no memory: {why}")]
pub(crate) struct LayoutError {
    name: String,
    why: &'static str,
}

/// Addresses have 32 bits.
const END: u64 = 1 << 32;

impl Layout {
    pub(crate) fn parse(name: &str) -> Result<Self, LayoutError> {
        let wrong = |why| LayoutError { name: name.to_owned(), why };
        let mut fields = name.split('/').map(str::trim);
        if !fields.next().is_some_and(|title| title.starts_with('@')) {
            return Err(wrong("it does not begin with @"));
        }
        let mut blocks = Vec::new();
        while let Some(address) = fields.next() {
            let sectors = fields.next().ok_or_else(|| wrong("an address has no sectors"))?;
            let digits = address.strip_prefix("0x").ok_or_else(|| wrong("an address is not hexadecimal"))?;
            let mut start = u32::from_str_radix(digits, 16)
                .map(u64::from)
                .map_err(|_| wrong("an address is no number of 32 bits"))?;
            for part in sectors.split(',') {
                let block = Block::parse(start, part.trim()).map_err(wrong)?;
                start = block.end();
                blocks.push(block);
            }
        }
        if blocks.is_empty() {
            return Err(wrong("it has no address"));
        }
        Ok(Self { blocks })
    }

    /// The sectors that a region touches, in order of address; `None` if it leaves the memory.
    pub(crate) fn sectors(&self, region: Region) -> Option<Vec<Sector>> {
        let (mut at, end) = (u64::from(region.address), u64::from(region.address) + u64::from(region.length));
        let mut sectors = Vec::new();
        while at < end {
            let block = self.blocks.iter().find(|block| block.start <= at && at < block.end())?;
            let start = at - (at - block.start) % block.size;
            sectors.push(Sector {
                region: Region { address: u32::try_from(start).ok()?, length: u32::try_from(block.size).ok()? },
                access: block.access,
            });
            at = start + block.size;
        }
        Some(sectors)
    }
}

impl Block {
    /// `03*016Ka`.
    fn parse(start: u64, text: &str) -> Result<Self, &'static str> {
        let (count, size) = text.split_once('*').ok_or("sectors are not `count*size`")?;
        let count: u32 = count.trim().parse().map_err(|_| "a count of sectors is no number")?;
        let letter = size.chars().last().ok_or("a size is missing")?;
        let access = match letter {
            'a'..='g' => Access { bits: letter as u8 - b'a' + 1 },
            _ => return Err("the access of a sector is not one of a to g"),
        };
        let size = size.trim_end_matches(letter).trim_end();
        let (digits, unit) = match size.strip_suffix(['K', 'M', 'B', ' ']) {
            Some(digits) if size.ends_with('K') => (digits, 1 << 10),
            Some(digits) if size.ends_with('M') => (digits, 1 << 20),
            Some(digits) => (digits, 1),
            None => (size, 1),
        };
        let size: u32 = digits.trim().parse().map_err(|_| "a size is no number")?;
        let block = Self { start, size: u64::from(size) * unit, count: count.into(), access };
        match (block.size, block.count) {
            (0, _) | (_, 0) => Err("sectors of nothing"),
            _ if block.size >= END || block.count > END / block.size || block.end() > END => {
                Err("its sectors reach beyond 32 bits of address")
            }
            _ => Ok(block),
        }
    }

    fn end(&self) -> u64 {
        self.start + self.size * self.count
    }
}

impl fmt::Display for Sector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sector {:#010x}", self.region.address)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As a Photon's bootloader says it (device-os, `usbd_flash_if.h`).
    const PHOTON: &str = "@Internal Flash   /0x08000000/03*016Ka,01*016Kg,01*064Kg,07*128Kg";

    fn touched(name: &str, address: u32, length: u32) -> Option<Vec<(u32, u32)>> {
        let sectors = Layout::parse(name).unwrap().sectors(Region { address, length })?;
        Some(sectors.iter().map(|sector| (sector.region.address, sector.region.length)).collect())
    }

    #[test]
    fn sectors_of_different_sizes_follow_each_other() {
        assert_eq!(touched(PHOTON, 0x0800_0000, 1), Some(vec![(0x0800_0000, 0x4000)]));
        let border = vec![(0x0800_C000, 0x4000), (0x0801_0000, 0x1_0000), (0x0802_0000, 0x2_0000)];
        assert_eq!(touched(PHOTON, 0x0800_FFFF, 0x1_0002), Some(border));
        assert_eq!(touched(PHOTON, 0x080A_0000, 10_000), Some(vec![(0x080A_0000, 0x2_0000)]));
        assert_eq!(touched(PHOTON, 0x080F_FFFF, 1), Some(vec![(0x080E_0000, 0x2_0000)]));
    }

    #[test]
    fn a_region_that_leaves_the_memory_is_none() {
        assert_eq!(touched(PHOTON, 0x080F_FFFF, 2), None);
        assert_eq!(touched(PHOTON, 0x07FF_FFFF, 2), None);
        assert_eq!(touched(PHOTON, u32::MAX, u32::MAX), None);
    }

    #[test]
    fn several_memories_and_all_units_are_understood() {
        let name = "@Both /0x00000000/2*8 a/0x10000000/1*2Mf, 4*512Be";
        assert_eq!(touched(name, 0, 16), Some(vec![(0, 8), (8, 8)]));
        assert_eq!(touched(name, 0x1020_0000, 1), Some(vec![(0x1020_0000, 512)]));
        assert_eq!(touched(name, 15, 2), None);
    }

    #[test]
    fn letters_say_what_may_be_done() {
        let access = |letter| {
            let layout = Layout::parse(&format!("@x/0x0/1*1K{letter}")).unwrap();
            let access = layout.sectors(Region { address: 0, length: 1 }).unwrap()[0].access;
            (access.readable(), access.erasable(), access.writable())
        };
        assert_eq!(access('a'), (true, false, false));
        assert_eq!(access('e'), (true, false, true));
        assert_eq!(access('f'), (false, true, true));
        assert_eq!(access('g'), (true, true, true));
    }

    #[test]
    fn a_wrong_name_says_what_is_wrong_with_it() {
        let wrong = [
            "",
            "Internal Flash /0x08000000/01*016Kg",
            "@Flash",
            "@Flash/0x08000000",
            "@Flash/08000000/01*016Kg",
            "@Flash/0x108000000/01*016Kg",
            "@Flash/0x08000000/016Kg",
            "@Flash/0x08000000/x*016Kg",
            "@Flash/0x08000000/01*",
            "@Flash/0x08000000/01*016K",
            "@Flash/0x08000000/01*Kg",
            "@Flash/0x08000000/00*016Kg",
            "@Flash/0x08000000/01*000Kg",
            "@Flash/0xFFFFFFFF/01*002Bg",
            "@Flash/0x00000000/4294967295*4294967295Mg",
        ];
        let said: Vec<String> = wrong.iter().map(|name| Layout::parse(name).unwrap_err().to_string()).collect();
        insta::assert_snapshot!(said.join("\n"), @r"
        `` describes no memory: it does not begin with @
        `Internal Flash /0x08000000/01*016Kg` describes no memory: it does not begin with @
        `@Flash` describes no memory: it has no address
        `@Flash/0x08000000` describes no memory: an address has no sectors
        `@Flash/08000000/01*016Kg` describes no memory: an address is not hexadecimal
        `@Flash/0x108000000/01*016Kg` describes no memory: an address is no number of 32 bits
        `@Flash/0x08000000/016Kg` describes no memory: sectors are not `count*size`
        `@Flash/0x08000000/x*016Kg` describes no memory: a count of sectors is no number
        `@Flash/0x08000000/01*` describes no memory: a size is missing
        `@Flash/0x08000000/01*016K` describes no memory: the access of a sector is not one of a to g
        `@Flash/0x08000000/01*Kg` describes no memory: a size is no number
        `@Flash/0x08000000/00*016Kg` describes no memory: sectors of nothing
        `@Flash/0x08000000/01*000Kg` describes no memory: sectors of nothing
        `@Flash/0xFFFFFFFF/01*002Bg` describes no memory: its sectors reach beyond 32 bits of address
        `@Flash/0x00000000/4294967295*4294967295Mg` describes no memory: its sectors reach beyond 32 bits of address
        ");
    }

    proptest! {
        #[test]
        fn no_name_makes_it_panic(name: String, address: u32, length in 0..100_000u32) {
            let _ = Layout::parse(&name);
            // Closer to what is right.
            let name = format!("@{name}/0x{address:x}/{length}*{address}{}", name.chars().next().unwrap_or('g'));
            if let Ok(layout) = Layout::parse(&name) {
                let _ = layout.sectors(Region { address, length });
            }
        }

        #[test]
        fn sectors_cover_the_region_without_a_gap(
            start in 0..1_000_000u32, length in 1..50_000u32, blocks in prop::collection::vec((1..5u32, 1..20u32), 1..5)
        ) {
            let list: Vec<String> = blocks.iter().map(|(count, size)| format!("{count}*{size}Kg")).collect();
            let total: u32 = blocks.iter().map(|(count, size)| count * size * 1024).sum();
            let layout = Layout::parse(&format!("@x/0x{start:x}/{}", list.join(","))).unwrap();
            let region = Region { address: start + length % total, length };
            let fits = region.address + length <= start + total;
            let sectors = layout.sectors(region);
            prop_assert_eq!(sectors.is_some(), fits);
            if let Some(sectors) = sectors {
                let (first, last) = (sectors[0].region, sectors[sectors.len() - 1].region);
                prop_assert!(first.address <= region.address && region.address - first.address < first.length);
                prop_assert!(last.address < region.address + length && region.address + length <= last.address + last.length);
                for pair in sectors.windows(2) {
                    prop_assert_eq!(pair[0].region.address + pair[0].region.length, pair[1].region.address);
                }
            }
        }
    }
}
