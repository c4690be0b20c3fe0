//! Firmware images: the shipped ones by name, and files in the formats that toolchains write.
//!
//! Boundary: bytes to flash content. Reading files is the caller's business.

use std::sync::Arc;

use brickproof_keys::lantern_layout::Store;
use object::Endianness;
use object::elf::{FileHeader32, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};
use sha2::{Digest, Sha256};

/// What is written to flash from address 0 on; the rest stays erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firmware {
    name: Arc<str>,
    image: Arc<[u8]>,
    sha256: Arc<str>,
}

/// The images of the reference firmware, as committed under `fixtures/firmware/images`.
const SHIPPED: &[(&str, &[u8])] = &[
    ("lantern-no-heal", include_bytes!("../../../fixtures/firmware/images/lantern-no-heal.bin")),
    ("lantern-heal-blank", include_bytes!("../../../fixtures/firmware/images/lantern-heal-blank.bin")),
    ("lantern-heal-parse", include_bytes!("../../../fixtures/firmware/images/lantern-heal-parse.bin")),
    ("lantern-heal-full", include_bytes!("../../../fixtures/firmware/images/lantern-heal-full.bin")),
];

/// No part that is supported has more flash.
const LARGEST_IMAGE: usize = 1 << 20;
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
    /// It ends in `.elf` or begins like one, and is none.
    #[error("it cannot be read as ELF: {0}")]
    Elf(#[from] object::Error),
    /// A segment of the ELF file lies outside the file.
    #[error("its segment for {address:#x} lies outside the file")]
    Segment {
        /// Its physical address.
        address: u32,
    },
    /// It ends in `.hex`, and is none.
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
        Some(Self::new(name, image))
    }

    /// The content of a file called `name`: ELF by its first bytes, Intel HEX by its ending, anything else raw from address 0 on.
    pub fn from_file(name: &str, bytes: &[u8]) -> Result<Self, FirmwareError> {
        let image = if bytes.starts_with(b"\x7fELF") {
            from_elf(bytes)?
        } else if name.ends_with(".hex") {
            from_hex(bytes)?
        } else {
            bytes.to_vec()
        };
        if image.is_empty() {
            return Err(FirmwareError::Empty);
        }
        fits(image.len() as u64)?;
        Ok(Self::new(name, &image))
    }

    fn new(name: &str, image: &[u8]) -> Self {
        let sha256: String = Sha256::digest(image).iter().map(|byte| format!("{byte:02x}")).collect();
        Self { name: name.into(), image: image.into(), sha256: sha256.into() }
    }

    /// Its name in scenarios, or the path it came from.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The content of flash from address 0 on.
    pub fn image(&self) -> &[u8] {
        &self.image
    }

    /// How the image expects its keys. `heal-full` also adopts a single copy, so that is right for every other image.
    pub(crate) fn store(&self) -> Store {
        if &*self.name == "lantern-heal-full" { Store::TwoCopies } else { Store::SingleCopy }
    }

    /// SHA-256 of [`Self::image`], lower-case hex.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }
}

fn fits(end: u64) -> Result<(), FirmwareError> {
    if end > LARGEST_IMAGE as u64 { Err(FirmwareError::TooLarge { address: end - 1 }) } else { Ok(()) }
}

/// Puts `bytes` at `address`, filling what lies between with erased flash.
fn place(image: &mut Vec<u8>, address: u64, bytes: &[u8]) -> Result<(), FirmwareError> {
    let end = address.saturating_add(bytes.len() as u64);
    fits(end)?;
    // Fits in the largest image, so in usize.
    let (start, end) = (address as usize, end as usize);
    if image.len() < end {
        image.resize(end, ERASED);
    }
    image[start..end].copy_from_slice(bytes);
    Ok(())
}

/// The loadable segments at their physical addresses: initialised data lies in flash, not where it is linked.
fn from_elf(bytes: &[u8]) -> Result<Vec<u8>, FirmwareError> {
    let header = FileHeader32::<Endianness>::parse(bytes)?;
    let endian = header.endian()?;
    let mut image = Vec::new();
    for segment in header.program_headers(endian, bytes)? {
        let unreadable = |()| FirmwareError::Segment { address: segment.p_paddr(endian) };
        let data = segment.data(endian, bytes).map_err(unreadable)?;
        if segment.p_type(endian) == PT_LOAD && !data.is_empty() {
            place(&mut image, u64::from(segment.p_paddr(endian)), data)?;
        }
    }
    Ok(image)
}

fn from_hex(bytes: &[u8]) -> Result<Vec<u8>, FirmwareError> {
    let text = std::str::from_utf8(bytes).map_err(|error| FirmwareError::Hex(error.to_string()))?;
    let mut image = Vec::new();
    let mut base = 0u64;
    for record in ihex::Reader::new(text) {
        match record.map_err(|error| FirmwareError::Hex(error.to_string()))? {
            ihex::Record::Data { offset, value } => {
                let address = base + u64::from(offset);
                // User configuration registers are no flash content; toolchains put them into the same file.
                if address < UICR {
                    place(&mut image, address, &value)?;
                }
            }
            ihex::Record::ExtendedSegmentAddress(segment) => base = u64::from(segment) << 4,
            ihex::Record::ExtendedLinearAddress(upper) => base = u64::from(upper) << 16,
            ihex::Record::EndOfFile => break,
            ihex::Record::StartSegmentAddress { .. } | ihex::Record::StartLinearAddress(_) => {}
        }
    }
    Ok(image)
}

/// nRF51 and nRF52 series reference manuals, memory map.
const UICR: u64 = 0x1000_1000;

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
    fn intel_hex_is_placed_and_the_gap_is_erased() {
        let hex = ":0400000001020304F2\n:020008000A0BE1\n:00000001FF\n";
        let firmware = Firmware::from_file("x.hex", hex.as_bytes()).unwrap();
        assert_eq!(firmware.image(), [1, 2, 3, 4, 0xFF, 0xFF, 0xFF, 0xFF, 0x0A, 0x0B]);
    }

    #[test]
    fn what_is_no_image_says_why() {
        assert!(matches!(Firmware::from_file("x.bin", b""), Err(FirmwareError::Empty)));
        assert!(matches!(Firmware::from_file("x.hex", b":00"), Err(FirmwareError::Hex(_))));
        assert!(matches!(Firmware::from_file("x.elf", b"\x7fELFrubbish"), Err(FirmwareError::Elf(_))));
        let far = ":02000004100AE0\n:01000000AA55\n:00000001FF\n";
        assert!(matches!(Firmware::from_file("x.hex", far.as_bytes()), Err(FirmwareError::Empty)));
        assert!(matches!(Firmware::from_file("x.bin", &vec![0; (1 << 20) + 1]), Err(FirmwareError::TooLarge { .. })));
    }
}
