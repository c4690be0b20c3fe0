//! Firmware images: the shipped ones by name, and files in the formats that toolchains write.
//!
//! Boundary: bytes to flash content. Reading files is the caller's business.

use std::sync::Arc;

use brickproof_keys::lantern_layout::Store;
use object::Endianness;
use object::elf::{FileHeader32, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};
use sha2::{Digest, Sha256};

/// What is written to flash from address 0 on, and to the user configuration registers (UICR); the rest stays erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firmware {
    name: Arc<str>,
    image: Arc<[u8]>,
    uicr: Arc<[u8]>,
    sha256: Arc<str>,
    keys: WithKeys,
}

/// Whether keys are written with an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WithKeys {
    Factory,
    /// The image is the whole of a flash that was read out: its keys are in it.
    AsFound,
}

/// The images of the reference firmware, as committed under `fixtures/firmware/images`.
const SHIPPED: &[(&str, &[u8])] = &[
    ("lantern-no-heal", include_bytes!("../../../fixtures/firmware/images/lantern-no-heal.bin")),
    ("lantern-heal-blank", include_bytes!("../../../fixtures/firmware/images/lantern-heal-blank.bin")),
    ("lantern-heal-parse", include_bytes!("../../../fixtures/firmware/images/lantern-heal-parse.bin")),
    ("lantern-heal-full", include_bytes!("../../../fixtures/firmware/images/lantern-heal-full.bin")),
];

/// Where the user configuration registers begin on every nRF5 part.
pub const UICR: u32 = 0x1000_1000;

/// No part that is supported has more flash.
const LARGEST_IMAGE: usize = 1 << 20;
/// Bytes from the beginning of UICR that a file may fill: more than any part implements.
const LARGEST_UICR: usize = 1 << 12;
/// No part that is supported has larger pages, except those that erase by the sector.
const PIECE: usize = 4096;
/// What erased flash reads.
const ERASED: u8 = 0xFF;

/// The bytes are no image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FirmwareError {
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// It reaches beyond the flash of every supported part.
    #[error("it has content at {address:#x}, beyond the flash of every supported part ({LARGEST_IMAGE:#x} bytes)")]
    TooLarge {
        /// The first address beyond.
        address: u64,
    },
    /// It has content that belongs neither to the flash nor to the user configuration registers.
    #[error(
        "it has content at {address:#x}, which is neither flash ({LARGEST_IMAGE:#x} bytes from 0 on at most) nor UICR \
         ({LARGEST_UICR:#x} bytes from {UICR:#x} on)"
    )]
    Elsewhere {
        /// Where that content begins.
        address: u64,
    },
    /// It begins like ELF, and is none.
    #[error("it cannot be read as ELF: {0}")]
    Elf(#[from] object::Error),
    /// A segment of the ELF file lies outside the file.
    #[error("its segment for {address:#x} lies outside the file")]
    Segment {
        /// Its physical address.
        address: u32,
    },
    /// It ends in `.hex` or begins like Intel HEX, and is none.
    #[error("it cannot be read as Intel HEX: {0}")]
    Hex(String),
}

impl Firmware {
    /// The names of the shipped images.
    pub fn shipped_names() -> impl Iterator<Item = &'static str> {
        SHIPPED.iter().map(|(name, _)| *name)
    }

    /// The shipped image of that name.
    pub fn shipped(name: &str) -> Option<Self> {
        let (name, image) = SHIPPED.iter().find(|(known, _)| *known == name)?;
        Some(Self::new(name, &Content { image: image.to_vec(), uicr: Vec::new() }))
    }

    /// The content of a file called `name`: ELF by its first bytes, Intel HEX by its ending or its first byte, anything else raw from
    /// address 0 on.
    ///
    /// # Errors
    /// If the file is broken or holds something that no supported part has room for.
    pub fn from_file(name: &str, bytes: &[u8]) -> Result<Self, FirmwareError> {
        // A raw image begins with the initial stack pointer, a multiple of four; a colon is none.
        let is_hex = has_extension(name, "hex") || bytes.starts_with(b":");
        let content = if bytes.starts_with(b"\x7fELF") {
            from_elf(bytes)?
        } else if is_hex {
            from_hex(bytes)?
        } else if bytes.len() > LARGEST_IMAGE {
            return Err(FirmwareError::TooLarge { address: bytes.len() as u64 - 1 });
        } else {
            Content { image: bytes.to_vec(), uicr: Vec::new() }
        };
        if content.image.is_empty() {
            return Err(FirmwareError::Empty);
        }
        Ok(Self::new(name, &content))
    }

    /// Everything that a board held: the whole of its flash, keys and all, and of its user configuration registers.
    pub(crate) fn as_found(name: &str, flash: &[u8], uicr: &[u8]) -> Self {
        let whole = Self::new(name, &Content { image: flash.to_vec(), uicr: uicr.to_vec() });
        Self { keys: WithKeys::AsFound, ..whole }
    }

    fn new(name: &str, Content { image, uicr }: &Content) -> Self {
        let mut digest = Sha256::new_with_prefix(image);
        if !uicr.is_empty() {
            // What a raw file cannot hold; the prefix keeps it apart from more image.
            digest.update(UICR.to_le_bytes());
            digest.update(uicr);
        }
        let sha256: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let keys = WithKeys::Factory;
        Self { name: name.into(), image: image[..].into(), uicr: uicr[..].into(), sha256: sha256.into(), keys }
    }

    /// Its name in scenarios, or the path it came from.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The content of flash from address 0 on.
    pub fn image(&self) -> &[u8] {
        &self.image
    }

    /// The content of the user configuration registers from their beginning on; empty if the file has none.
    pub fn uicr(&self) -> &[u8] {
        &self.uicr
    }

    /// How the image expects its keys, by what it is and not by what it is called. `heal-full` also adopts a single copy, so that is
    /// right for every other image.
    pub fn store(&self) -> Store {
        let is_this = |image: &[u8]| match self.keys {
            WithKeys::Factory => *image == *self.image,
            WithKeys::AsFound => self.image.starts_with(image),
        };
        if SHIPPED.iter().any(|(name, image)| *name == "lantern-heal-full" && is_this(image)) {
            Store::TwoCopies
        } else {
            Store::SingleCopy
        }
    }

    /// The shipped image at the beginning of a flash.
    pub fn recognised(flash: &[u8]) -> Option<Self> {
        // Of images of which one begins with another, the longer one.
        let (name, _) = SHIPPED.iter().filter(|(_, image)| flash.starts_with(image)).max_by_key(|(_, it)| it.len())?;
        Self::shipped(name)
    }

    /// Whether it is all that a board held, so that no keys are written with it.
    pub fn is_as_found(&self) -> bool {
        self.keys == WithKeys::AsFound
    }

    /// What is written where, in the pieces that are compared with what is there and written only if they differ: a whole flash by the page.
    pub fn pieces(&self) -> impl Iterator<Item = (u32, &[u8])> {
        let length = match self.keys {
            WithKeys::Factory => self.image.len(),
            WithKeys::AsFound => PIECE,
        };
        let image = self.image.chunks(length.max(1)).enumerate().map(move |(index, it)| ((index * length) as u32, it));
        image.chain([(UICR, &self.uicr[..])]).filter(|(_, bytes)| !bytes.is_empty())
    }

    /// SHA-256 of [`Self::image`], followed, if the file has any, by the address and content of [`Self::uicr`]; lower-case hex.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }
}

fn has_extension(name: &str, extension: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, ending)| ending.eq_ignore_ascii_case(extension))
}

/// What a file has for the two places of a part that keep it without power.
#[derive(Default)]
struct Content {
    image: Vec<u8>,
    uicr: Vec<u8>,
}

impl Content {
    fn place(&mut self, address: u64, bytes: &[u8]) -> Result<(), FirmwareError> {
        let end = address.saturating_add(bytes.len() as u64);
        let into_uicr = address.checked_sub(u64::from(UICR)).zip(end.checked_sub(u64::from(UICR)));
        let (memory, start, end) = match into_uicr {
            _ if end <= LARGEST_IMAGE as u64 => (&mut self.image, address, end),
            Some((start, end)) if end <= LARGEST_UICR as u64 => (&mut self.uicr, start, end),
            _ => return Err(FirmwareError::Elsewhere { address }),
        };
        // Both fit in the largest image, so in usize.
        let (start, end) = (start as usize, end as usize);
        if memory.len() < end {
            memory.resize(end, ERASED);
        }
        memory[start..end].copy_from_slice(bytes);
        Ok(())
    }
}

/// The loadable segments at their physical addresses: initialised data lies in flash, not where it is linked.
fn from_elf(bytes: &[u8]) -> Result<Content, FirmwareError> {
    let header = FileHeader32::<Endianness>::parse(bytes)?;
    let endian = header.endian()?;
    let mut content = Content::default();
    for segment in header.program_headers(endian, bytes)? {
        let unreadable = |()| FirmwareError::Segment { address: segment.p_paddr(endian) };
        let data = segment.data(endian, bytes).map_err(unreadable)?;
        if segment.p_type(endian) == PT_LOAD && !data.is_empty() {
            content.place(u64::from(segment.p_paddr(endian)), data)?;
        }
    }
    Ok(content)
}

fn from_hex(bytes: &[u8]) -> Result<Content, FirmwareError> {
    let text = std::str::from_utf8(bytes).map_err(|error| FirmwareError::Hex(error.to_string()))?;
    let mut content = Content::default();
    let mut base = 0u64;
    for record in ihex::Reader::new(text) {
        match record.map_err(|error| FirmwareError::Hex(error.to_string()))? {
            ihex::Record::Data { offset, value } => content.place(base + u64::from(offset), &value)?,
            ihex::Record::ExtendedSegmentAddress(segment) => base = u64::from(segment) << 4,
            ihex::Record::ExtendedLinearAddress(upper) => base = u64::from(upper) << 16,
            ihex::Record::EndOfFile => break,
            ihex::Record::StartSegmentAddress { .. } | ihex::Record::StartLinearAddress(_) => {}
        }
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::{Firmware, FirmwareError};

    #[test]
    fn shipped_images_begin_with_a_vector_table() {
        for name in Firmware::shipped_names() {
            let firmware = Firmware::shipped(name).unwrap();
            let stack = u32::from_le_bytes(firmware.image()[..4].try_into().unwrap());
            let reset = u32::from_le_bytes(firmware.image()[4..8].try_into().unwrap());
            assert_eq!(stack >> 16, 0x2000, "{name}: the stack lies in RAM");
            assert_eq!(reset & 1, 1, "{name}: the reset vector is Thumb");
        }
    }

    #[test]
    fn the_same_bytes_keep_their_keys_in_the_same_way_under_any_name() {
        let shipped = |name: &str| Firmware::shipped(name).unwrap();
        let renamed = |name, image: &str| Firmware::from_file(name, shipped(image).image()).unwrap().store();
        assert_eq!(renamed("candidate.bin", "lantern-heal-full"), shipped("lantern-heal-full").store());
        assert_eq!(renamed("lantern-heal-full", "lantern-no-heal"), shipped("lantern-no-heal").store());
    }

    #[test]
    fn intel_hex_is_placed_and_the_gap_is_erased() {
        let hex = ":0400000001020304F2\n:020008000A0BE1\n:00000001FF\n";
        let firmware = Firmware::from_file("x.hex", hex.as_bytes()).unwrap();
        assert_eq!(firmware.image(), [1, 2, 3, 4, 0xFF, 0xFF, 0xFF, 0xFF, 0x0A, 0x0B]);
    }

    #[test]
    fn intel_hex_is_known_by_its_ending_in_any_case_and_by_its_first_byte() {
        let hex = b":0400000001020304F2\n:00000001FF\n";
        for name in ["x.hex", "X.HEX", "x", "x.hex.bin"] {
            assert_eq!(Firmware::from_file(name, hex).unwrap().image(), [1, 2, 3, 4], "{name}");
        }
    }

    #[test]
    fn user_configuration_comes_into_the_digest() {
        let code = ":0400000001020304F2\n";
        let uicr = ":020000041000EA\n:041010004433221132\n";
        let [without, with] = [code.to_owned() + ":00000001FF\n", code.to_owned() + uicr + ":00000001FF\n"]
            .map(|text| Firmware::from_file("x.hex", text.as_bytes()).unwrap());
        assert_eq!((without.image(), without.uicr()), (with.image(), &[][..]));
        assert_eq!(with.uicr()[..16], [0xFF; 16]);
        assert_ne!(without.sha256(), with.sha256());
    }

    #[test]
    fn what_is_no_image_says_why() {
        assert!(matches!(Firmware::from_file("x.bin", b""), Err(FirmwareError::Empty)));
        assert!(matches!(Firmware::from_file("x.hex", b":00"), Err(FirmwareError::Hex(_))));
        assert!(matches!(Firmware::from_file("x.elf", b"\x7fELFrubbish"), Err(FirmwareError::Elf(_))));
        let far = ":02000004100AE0\n:01000000AA55\n:00000001FF\n";
        let outside = Firmware::from_file("x.hex", far.as_bytes());
        assert!(matches!(outside, Err(FirmwareError::Elsewhere { address: 0x100A_0000 })), "{outside:?}");
        assert!(matches!(Firmware::from_file("x.bin", &vec![0; (1 << 20) + 1]), Err(FirmwareError::TooLarge { .. })));
    }
}
