//! The memory of a station's board behind its USB bootloader: read, and written and read back.
//!
//! Boundary: one alternate setting. How the board comes into its bootloader, what may be written, and how keys lie in that memory, is decided
//! elsewhere.

use brickproof_firmware::{Memory, ReadMemory, StoreError};
use brickproof_instruments::{Deadline, Dfu, Failure, FailureKind, Kind, Region};
use brickproof_units::Span;

use crate::asking::ask;
use crate::file::{Driver, Station};
use crate::station::OpenStation;

/// Some kilobytes at the most, each written, and read back twice; assumed.
pub(crate) const TRANSFERS: Span = Span::secs(30);

/// Memory behind a bootloader.
pub(crate) struct InBootloader<'a> {
    dfu: &'a mut dyn Dfu,
    alternate: u8,
    deadline: Deadline,
}

impl<'a> InBootloader<'a> {
    /// Behind that alternate setting of a board that is in its bootloader.
    pub(crate) fn new(dfu: &'a mut dyn Dfu, alternate: u8, deadline: Deadline) -> Result<Self, Failure> {
        if dfu.is_there(deadline)? {
            return Ok(Self { dfu, alternate, deadline });
        }
        let missing = FailureKind::Missing("the board is not in its bootloader".to_owned());
        Err(Failure::new("dfu", "reach its memory", missing)
            .with_help("have it enter its bootloader first: `- enter: dfu` in a scenario, its buttons by hand"))
    }
}

impl ReadMemory for InBootloader<'_> {
    type Error = Failure;

    fn read(&mut self, address: u32, into: &mut [u8]) -> Result<(), Failure> {
        let region = Region { address, length: into.len() as u32 };
        let bytes = self.dfu.upload(self.alternate, region, self.deadline)?;
        if bytes.len() != into.len() {
            let kind = FailureKind::Answer(format!("{} bytes in place of {}", bytes.len(), into.len()));
            return Err(Failure::new("dfu", format!("read {} bytes at {address:#010x}", into.len()), kind));
        }
        into.copy_from_slice(&bytes);
        Ok(())
    }
}

impl Memory for InBootloader<'_> {
    fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), Failure> {
        self.dfu.download(self.alternate, address, bytes, self.deadline)
    }
}

/// Does something with the memory behind an alternate setting of the station's board, which must be in its bootloader.
pub(crate) async fn with_bootloader<R: Send + 'static>(
    station: &OpenStation,
    alternate: u8,
    asked: &'static str,
    act: impl FnOnce(&mut InBootloader<'_>) -> Result<R, StoreError> + Send + 'static,
) -> Result<Result<R, StoreError>, Failure> {
    let work = ask(station.dfu()?, asked, TRANSFERS, move |dfu, deadline| {
        Ok(act(&mut InBootloader::new(dfu, alternate, deadline)?))
    });
    work.await
}

/// Whether the bootloader that is written to can only be that of the station's own board.
pub(crate) fn knows_its_board(station: &Station) -> bool {
    match station.instruments.get(&Kind::Dfu) {
        Some(Driver::Real(_, settings)) => settings.text("serial").is_some(),
        _ => false,
    }
}

/// Fails if it can be another board's.
pub(crate) fn is_ours(station: &OpenStation) -> Result<(), Failure> {
    if knows_its_board(station.file()) {
        return Ok(());
    }
    let kind = FailureKind::Refused("nothing says that the board in its bootloader is the station's".to_owned());
    Err(Failure::new(format!("dfu of {}", station.name()), "write to it", kind)
        .with_help("name its USB serial number in the bench file: `dfu: { driver: dfuse, serial: … }`"))
}
