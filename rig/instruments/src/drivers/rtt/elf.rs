//! Where a firmware's control block is, by its ELF.
//!
//! Boundary: bytes of a file in, an address out.

use object::elf::PT_LOAD;
use object::read::elf::{ElfFile32, ProgramHeader as _};
use object::{Endianness, Object as _, ObjectSymbol as _};

use crate::failure::FailureKind;

/// As SEGGER's code and every crate name it.
const SYMBOL: &str = "_SEGGER_RTT";

/// The bytes of an ELF, at an address where headers may lie: the crate `object`, here and below defmt-decoder, refuses others, and a vector of
/// bytes may begin anywhere.
pub(crate) struct Elf {
    padded: Vec<u8>,
    begins: usize,
}

impl Elf {
    pub(crate) fn new(file: &[u8]) -> Self {
        const ALIGNMENT: usize = 8;
        let mut padded = vec![0; file.len() + ALIGNMENT];
        let begins = padded.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        padded.truncate(begins + file.len());
        if let Some(room) = padded.get_mut(begins..) {
            room.copy_from_slice(file);
        }
        Self { padded, begins }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.padded.get(self.begins..).unwrap_or_default()
    }
}

/// Bytes that the firmware has in its flash, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) address: u32,
    pub(crate) bytes: Vec<u8>,
}

/// What a chip that runs this firmware holds; nothing of an ELF that is not for such chips.
pub(crate) fn image(elf: &Elf) -> Vec<Segment> {
    let elf = elf.bytes();
    let Ok(file) = ElfFile32::<Endianness>::parse(elf) else { return Vec::new() };
    let endian = file.endian();
    let loaded = file.elf_program_headers().iter().filter(|header| header.p_type(endian) == PT_LOAD);
    loaded
        .filter_map(|header| {
            let bytes = header.data(endian, elf).ok()?.to_vec();
            Some(Segment { address: header.p_paddr(endian), bytes })
        })
        .collect()
}

/// The address of the control block.
///
/// # Errors
/// If that is no ELF, or it has no such symbol.
pub(crate) fn control_block(elf: &Elf) -> Result<u32, FailureKind> {
    let file =
        object::File::parse(elf.bytes()).map_err(|error| FailureKind::Answer(format!("it is no ELF: {error}")))?;
    let mut symbols = file.symbols();
    let block = symbols.find(|symbol| symbol.name() == Ok(SYMBOL) && symbol.is_definition());
    let address = block.and_then(|symbol| u32::try_from(symbol.address()).ok());
    address.ok_or_else(|| {
        FailureKind::Missing(format!("it has no symbol `{SYMBOL}`: it was stripped, or the firmware has no RTT"))
    })
}
