//! Firmware images: the shipped ones by name, and files in the formats that toolchains write.
//!
//! Boundary: bytes to flash content. Reading files is the caller's business.

use std::fmt;
use std::sync::Arc;

use brickproof_keys::lantern_layout::Store;
use brickproof_scenario::plan::FirmwareName;
use object::Endianness;
use object::elf::{FileHeader32, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};
use sha2::{Digest, Sha256};

/// What is written to flash from its first byte on, and to the user configuration registers (UICR); the rest stays erased.
/// Prints without its bytes: there may be private keys among them.
#[derive(Clone, PartialEq, Eq)]
pub struct Firmware {
    name: Arc<str>,
    /// Where the flash begins that it was made for; a raw image does not say.
    flash: Option<u32>,
    image: Arc<[u8]>,
    uicr: Arc<[u8]>,
    sha256: Arc<str>,
    keys: WithKeys,
    /// What a trial writes over it, or looks for, beside what comes with the rig.
    others: Arc<[Firmware]>,
}

/// Whether keys are written with an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WithKeys {
    Factory,
    /// The image is the whole of a flash that was read out: its keys are in it.
    AsFound,
    /// Nothing is written: whatever is on the board stays.
    NotWritten,
}

/// In place of a digest.
const NOT_READ: &str = "not_read";

impl fmt::Debug for Firmware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Firmware({}, {} bytes, {})", self.name, self.image.len(), self.sha256)
    }
}

/// Where the flash of an nRF begins.
const NRF_FLASH: u32 = 0;
/// Where that of an STM32 does; with BOOT0 low it is at 0 as well.
const STM32_FLASH: u32 = 0x0800_0000;

/// A release of the reference firmware: its name, and its images as committed under `fixtures/firmware/images`.
struct Release {
    name: &'static str,
    /// For nRF51822 and nRF52840.
    nrf: &'static [u8],
    /// For STM32F205.
    stm32: &'static [u8],
}

/// A committed release.
macro_rules! release {
    ($name:literal) => {
        Release {
            name: $name,
            nrf: include_bytes!(concat!("../../../fixtures/firmware/images/", $name, ".bin")),
            stm32: include_bytes!(concat!("../../../fixtures/firmware/images/", $name, "-stm32f205.bin")),
        }
    };
}

impl Release {
    fn images(&self) -> [(u32, &'static [u8]); 2] {
        [(NRF_FLASH, self.nrf), (STM32_FLASH, self.stm32)]
    }
}

const SHIPPED: [Release; 4] = [
    release!("lantern-no-heal"),
    release!("lantern-heal-blank"),
    release!("lantern-heal-parse"),
    release!("lantern-heal-full"),
];

/// Where the user configuration registers begin on every nRF5 part.
pub const UICR: u32 = 0x1000_1000;

/// No part that is supported has more flash.
const LARGEST_IMAGE: usize = 1 << 20;
/// Bytes from the beginning of UICR that a file may fill: more than any part implements.
const LARGEST_UICR: usize = 1 << 12;
/// No part that is supported has larger pages, except those that erase by the sector.
const PIECE: usize = 4096;
/// The smallest sector of an STM32.
const SECTOR: usize = 16 << 10;
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
        "it has content at {address:#x}, which is neither flash ({LARGEST_IMAGE:#x} bytes at most, all of it from 0 or from \
         {STM32_FLASH:#x} on) nor UICR ({LARGEST_UICR:#x} bytes from {UICR:#x} on)"
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
        SHIPPED.iter().map(|release| release.name)
    }

    /// The shipped image of that name for an nRF.
    pub fn shipped(name: &str) -> Option<Self> {
        Self::shipped_for(NRF_FLASH, name)
    }

    /// The shipped image of that name for a chip whose flash begins there.
    pub fn shipped_for(flash: u32, name: &str) -> Option<Self> {
        let release = SHIPPED.iter().find(|release| release.name == name)?;
        let (flash, image) = release.images().into_iter().find(|(made_for, _)| *made_for == flash)?;
        Some(Self::new(name, &Content { flash: Some(flash), image: image.to_vec(), uicr: Vec::new() }))
    }

    /// The content of a file called `name`: ELF by its first bytes, Intel HEX by its ending or its first byte, anything else raw, from the
    /// first byte of the flash on.
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
            Content { flash: None, image: bytes.to_vec(), uicr: Vec::new() }
        };
        if content.image.is_empty() {
            return Err(FirmwareError::Empty);
        }
        Ok(Self::new(name, &content))
    }

    /// Everything that a board held: the whole of its flash, keys and all, and of its user configuration registers.
    pub(crate) fn as_found(name: &str, flash: &[u8], uicr: &[u8]) -> Self {
        let whole = Self::new(name, &Content { flash: None, image: flash.to_vec(), uicr: uicr.to_vec() });
        Self { keys: WithKeys::AsFound, ..whole }
    }

    fn new(name: &str, Content { flash, image, uicr }: &Content) -> Self {
        let mut digest = Sha256::new_with_prefix(image);
        if !uicr.is_empty() {
            // What a raw file cannot hold; the prefix keeps it apart from more image.
            digest.update(UICR.to_le_bytes());
            digest.update(uicr);
        }
        let sha256: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let (image, uicr) = (image[..].into(), uicr[..].into());
        let others = Arc::default();
        Self { name: name.into(), flash: *flash, image, uicr, sha256: sha256.into(), keys: WithKeys::Factory, others }
    }

    /// The same, with the files that a trial writes over it later.
    #[must_use]
    pub fn with_others(self, others: Vec<Self>) -> Self {
        Self { others: others.into(), ..self }
    }

    /// What a trial with it depends on: its SHA-256, or if files come with it, one over its own and theirs.
    pub fn sha256_of_all(&self) -> String {
        if self.others.is_empty() {
            return self.sha256.to_string();
        }
        let mut digest = Sha256::new_with_prefix(&*self.sha256);
        self.others.iter().for_each(|other| digest.update(&*other.sha256));
        digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The firmware of that name which a trial that begins with this one knows: itself, a file that came with it, or one that comes with the rig,
    /// for a chip whose flash begins there.
    pub fn known_as(&self, name: &str, flash: u32) -> Option<Self> {
        let files = std::iter::once(self).chain(&*self.others);
        files.into_iter().find(|it| *it.name == *name).cloned().or_else(|| Self::shipped_for(flash, name))
    }

    /// Whatever is on a board: nothing is written, and before the board is looked at nobody knows its image or its digest.
    pub fn not_written() -> Self {
        let nothing: Arc<[u8]> = Arc::default();
        Self {
            name: FirmwareName::AS_FOUND.into(),
            flash: None,
            image: Arc::clone(&nothing),
            uicr: nothing,
            sha256: NOT_READ.into(),
            keys: WithKeys::NotWritten,
            others: Arc::default(),
        }
    }

    /// Whether it is whatever is on a board.
    pub fn is_not_written(&self) -> bool {
        self.keys == WithKeys::NotWritten
    }

    /// Its name in scenarios, or the path it came from.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The content of flash from its first byte on.
    pub fn image(&self) -> &[u8] {
        &self.image
    }

    /// Where the flash begins that it was made for, if it says so and that is not there.
    pub fn made_for_other_than(&self, flash: u32) -> Option<u32> {
        self.flash.filter(|made_for| *made_for != flash)
    }

    /// The content of the user configuration registers from their beginning on; empty if the file has none.
    pub fn uicr(&self) -> &[u8] {
        &self.uicr
    }

    /// How the image expects its keys, by what it is and not by what it is called. `heal-full` also adopts a single copy, so that is
    /// right for every other image.
    pub fn store(&self) -> Store {
        let is_this = |(_, image): (u32, &[u8])| match self.keys {
            WithKeys::Factory | WithKeys::NotWritten => *image == *self.image,
            WithKeys::AsFound => is_written_in(image, &self.image),
        };
        let is_full = |release: &&Release| release.name == "lantern-heal-full";
        if SHIPPED.iter().filter(is_full).any(|release| release.images().into_iter().any(is_this)) {
            Store::TwoCopies
        } else {
            Store::SingleCopy
        }
    }

    /// The shipped image at the beginning of a flash.
    pub fn recognised(flash: &[u8]) -> Option<Self> {
        let all =
            SHIPPED.iter().flat_map(|release| release.images().map(|(made_for, image)| (release, made_for, image)));
        // Of images of which one begins with another, the longer one.
        let written = all.filter(|(_, _, image)| is_written_in(image, flash)).max_by_key(|(_, _, image)| image.len());
        let (release, made_for, _) = written?;
        Self::shipped_for(made_for, release.name)
    }

    /// Whether it is all that a board held, so that no keys are written with it.
    pub fn is_as_found(&self) -> bool {
        self.keys == WithKeys::AsFound
    }

    /// What is written where on a chip whose flash begins at `flash`, in the pieces that are compared with what is there and written only if
    /// they differ: a whole flash by the page.
    pub fn pieces(&self, flash: u32) -> impl Iterator<Item = (u32, &[u8])> {
        let pieces = match self.keys {
            WithKeys::Factory | WithKeys::NotWritten => self.stretches().collect(),
            WithKeys::AsFound => self.image.chunks(PIECE).enumerate().map(|(index, it)| (index * PIECE, it)).collect(),
        };
        let image = Vec::into_iter(pieces).map(move |(offset, bytes)| (flash + offset as u32, bytes));
        image.chain([(UICR, &self.uicr[..])]).filter(|(_, bytes)| !bytes.is_empty())
    }

    /// The image without what it leaves erased over a whole sector of an STM32, each piece with its offset: there may be keys.
    pub fn stretches(&self) -> impl Iterator<Item = (usize, &[u8])> {
        stretches(&self.image)
    }

    /// `not_read` for what was never read; else SHA-256 of [`Self::image`], followed, if the file has any, by the address and content of [`Self::uicr`]; lower-case hex.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }
}

/// The pieces of an image between those parts of it that are erased over a whole sector of an STM32's smallest kind.
fn stretches(image: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let is_erased = |sector: &[u8]| sector.iter().all(|byte| *byte == ERASED);
    let mut sectors = image.chunks(SECTOR).map(is_erased).enumerate().peekable();
    std::iter::from_fn(move || {
        let (first, _) = sectors.find(|(_, is_erased)| !is_erased)?;
        let mut end = first + 1;
        while sectors.next_if(|(_, is_erased)| !is_erased).is_some() {
            end += 1;
        }
        let start = first * SECTOR;
        Some((start, image.get(start..(end * SECTOR).min(image.len())).unwrap_or_default()))
    })
}

/// Whether a flash holds the image, whatever keys it has where the image has nothing.
fn is_written_in(image: &[u8], flash: &[u8]) -> bool {
    stretches(image).all(|(offset, stretch)| flash.get(offset..).is_some_and(|flash| flash.starts_with(stretch)))
}

fn has_extension(name: &str, extension: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, ending)| ending.eq_ignore_ascii_case(extension))
}

/// What a file has for the two places of a part that keep it without power.
#[derive(Default)]
struct Content {
    /// What is first in the file says where the flash begins.
    flash: Option<u32>,
    image: Vec<u8>,
    uicr: Vec<u8>,
}

impl Content {
    fn place(&mut self, address: u64, bytes: &[u8]) -> Result<(), FirmwareError> {
        let end = address.saturating_add(bytes.len() as u64);
        let into_uicr = address.checked_sub(u64::from(UICR)).zip(end.checked_sub(u64::from(UICR)));
        let (memory, start, end) = match (self.offset_in_flash(address, end), into_uicr) {
            (Some((start, end)), _) => (&mut self.image, start, end),
            (None, Some((start, end))) if end <= LARGEST_UICR as u64 => (&mut self.uicr, start, end),
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

impl Content {
    /// The place of these addresses in the image, if they are in the flash.
    fn offset_in_flash(&mut self, address: u64, end: u64) -> Option<(u64, u64)> {
        let flashes = self.flash.map_or(vec![NRF_FLASH, STM32_FLASH], |flash| vec![flash]);
        let (flash, place) = flashes.into_iter().find_map(|flash| {
            let place = address.checked_sub(flash.into()).zip(end.checked_sub(flash.into()))?;
            (place.1 <= LARGEST_IMAGE as u64).then_some((flash, place))
        })?;
        self.flash = Some(flash);
        Some(place)
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
    use super::{Firmware, FirmwareError, NRF_FLASH, STM32_FLASH};

    #[test]
    fn shipped_images_begin_with_a_vector_table() {
        let all = Firmware::shipped_names().flat_map(|name| [NRF_FLASH, STM32_FLASH].map(|flash| (flash, name)));
        for (flash, name) in all {
            let firmware = Firmware::shipped_for(flash, name).unwrap();
            assert_eq!(firmware.made_for_other_than(flash), None);
            let stack = u32::from_le_bytes(firmware.image()[..4].try_into().unwrap());
            let reset = u32::from_le_bytes(firmware.image()[4..8].try_into().unwrap());
            assert_eq!(stack >> 20, 0x200, "{name}: the stack lies in RAM");
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

    #[test]
    fn an_image_for_an_stm32_is_placed_from_there_on_and_leaves_the_sectors_of_its_keys_alone() {
        let hex = ":020000040800F2\n:0400100001020304E2\n:00000001FF\n";
        let firmware = Firmware::from_file("x.hex", hex.as_bytes()).unwrap();
        assert_eq!((firmware.image().len(), firmware.made_for_other_than(0)), (20, Some(STM32_FLASH)));
        let mixed = ":0400000001020304F2\n:020000040800F2\n:0400100001020304E2\n:00000001FF\n";
        assert!(matches!(Firmware::from_file("x.hex", mixed.as_bytes()), Err(FirmwareError::Elsewhere { .. })));
        let lantern = Firmware::shipped_for(STM32_FLASH, "lantern-heal-full").unwrap();
        let starts: Vec<u32> = lantern.pieces(STM32_FLASH).map(|(address, _)| address).collect();
        assert_eq!(starts, [0x0800_0000, 0x0800_C000]);
        let mut flash = lantern.image().to_vec();
        flash[0x4C22] = 0;
        assert_eq!(Firmware::recognised(&flash), Some(lantern.clone()), "the keys are not the image's");
        flash[0xC000] ^= 1;
        assert_eq!(Firmware::recognised(&flash), None);
    }
}
