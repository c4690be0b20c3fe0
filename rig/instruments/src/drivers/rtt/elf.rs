//! Where a firmware's control block is, by its ELF.
//!
//! Boundary: bytes of a file in, an address out.

use object::{Object as _, ObjectSymbol as _};

use crate::failure::FailureKind;

/// As SEGGER's code and every crate name it.
const SYMBOL: &str = "_SEGGER_RTT";

/// The address of the control block.
///
/// # Errors
/// If that is no ELF, or it has no such symbol.
pub(crate) fn control_block(elf: &[u8]) -> Result<u32, FailureKind> {
    let file = object::File::parse(elf).map_err(|error| FailureKind::Answer(format!("it is no ELF: {error}")))?;
    let mut symbols = file.symbols();
    let block = symbols.find(|symbol| symbol.name() == Ok(SYMBOL) && symbol.is_definition());
    let address = block.and_then(|symbol| u32::try_from(symbol.address()).ok());
    address.ok_or_else(|| {
        FailureKind::Missing(format!("it has no symbol `{SYMBOL}`: it was stripped, or the firmware has no RTT"))
    })
}
