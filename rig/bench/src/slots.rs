//! The key slots of a station's board through its USB bootloader: read, and written and read back.
//!
//! Boundary: the alternate setting and the offsets that the profile names. How the board comes into its bootloader, and what may be written,
//! is decided elsewhere; slots that a probe finds by their addresses are [`KeyStore`](brickproof_firmware::KeyStore)'s.

use brickproof_boards::BoardProfile;
use brickproof_instruments::{Dfu, Failure, FailureKind, Kind, Region};
use brickproof_keys::{KeySet, Slot, SlotContent, SlotShape};
use brickproof_units::Span;

use crate::asking::ask;
use crate::file::{Driver, Station};
use crate::station::OpenStation;

/// Three transfers of a kilobyte and less, each written, and read back twice; assumed.
const TRANSFERS: Span = Span::secs(30);

/// Where a board's slots lie behind its bootloader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DfuSlots {
    alternate: u8,
    places: [(SlotShape, u32); 3],
}

impl DfuSlots {
    /// Those of a board.
    ///
    /// # Errors
    /// What its profile lacks, in words.
    pub(crate) fn of(board: &BoardProfile) -> Result<Self, String> {
        let lacks = |what: &str| format!("the profile of {} {what}", board.name);
        let keys = board.keys.as_ref().ok_or_else(|| lacks("names no keys"))?;
        let through = keys.through.as_deref().ok_or_else(|| lacks("names no alternate setting with its keys"))?;
        let alternate = board.dfu.iter().find(|alternate| alternate.name == through);
        let alternate = alternate.ok_or_else(|| lacks("does not say which alternate setting its keys are behind"))?;
        let place = |slot: Slot| -> Result<(SlotShape, u32), String> {
            let shape = keys.shape(slot).ok_or_else(|| lacks(&format!("names no slot {slot}")))?;
            let offset = keys.slot(slot).map_or(0, |place| place.offset.0);
            let address = alternate.at.0.checked_add(offset).ok_or_else(|| lacks("names a slot beyond its memory"))?;
            Ok((shape, address))
        };
        let [device, server, address] = Slot::ALL.map(place);
        Ok(Self { alternate: alternate.number, places: [device?, server?, address?] })
    }

    /// What the slots hold.
    pub(crate) async fn read(&self, station: &OpenStation) -> Result<KeySet, Failure> {
        let slots = self.clone();
        let work = ask(dfu_of(station)?, "read the key slots", TRANSFERS, move |dfu, deadline| {
            is_there(dfu, deadline)?;
            slots.upload(dfu, deadline)
        });
        work.await
    }

    /// Writes those slots that hold something else, and reads all of them back.
    pub(crate) async fn write(&self, station: &OpenStation, keys: KeySet) -> Result<(), Failure> {
        is_ours(station)?;
        let slots = self.clone();
        let work = ask(dfu_of(station)?, "write the key slots", TRANSFERS, move |dfu, deadline| {
            is_there(dfu, deadline)?;
            let there = slots.upload(dfu, deadline)?;
            for (shape, address) in slots.places {
                let content = keys.get(shape.slot);
                if content.shape() != shape {
                    let kind = FailureKind::Refused("they are of another board".to_owned());
                    return Err(Failure::new("dfu", format!("write slot {}", shape.slot), kind));
                }
                if there.get(shape.slot) != content {
                    dfu.download(slots.alternate, address, content.expose(), deadline)?;
                }
            }
            // A store that answers from a cache that it does not keep would be found by nobody else.
            match keys.difference(&slots.upload(dfu, deadline)?, "what was written") {
                None => Ok(()),
                Some(how) => Err(Failure::new("dfu", "write the key slots", FailureKind::ReadBack(how))),
            }
        });
        work.await
    }

    fn upload(&self, dfu: &mut dyn Dfu, deadline: brickproof_instruments::Deadline) -> Result<KeySet, Failure> {
        let mut read = |(shape, address): (SlotShape, u32)| {
            let region = Region { address, length: shape.length as u32 };
            let asked = || format!("read slot {}", shape.slot);
            let bytes = dfu.upload(self.alternate, region, deadline)?;
            if bytes.len() != shape.length {
                let kind = FailureKind::Answer(format!("{} bytes in place of {}", bytes.len(), shape.length));
                return Err(Failure::new("dfu", asked(), kind));
            }
            SlotContent::shaped(shape, &bytes)
                .map_err(|error| Failure::new("dfu", asked(), FailureKind::Answer(error.to_string())))
        };
        let [device, server, address] = self.places;
        let (device, server, address) = (read(device)?, read(server)?, read(address)?);
        KeySet::new(device, server, address)
            .map_err(|error| Failure::new("dfu", "read the key slots", FailureKind::Answer(error.to_string())))
    }
}

fn dfu_of(station: &OpenStation) -> Result<&brickproof_instruments::Owner<dyn Dfu>, Failure> {
    station.dfu.as_ref().ok_or_else(|| {
        let missing = FailureKind::Missing("it has none".to_owned());
        Failure::new(format!("station {}", station.name()), "reach its board's keys through dfu", missing)
    })
}

fn is_there(dfu: &mut dyn Dfu, deadline: brickproof_instruments::Deadline) -> Result<(), Failure> {
    if dfu.is_there(deadline)? {
        return Ok(());
    }
    let missing = FailureKind::Missing("the board is not in its bootloader".to_owned());
    Err(Failure::new("dfu", "reach the key slots", missing)
        .with_help("have it enter its bootloader first: `- enter: dfu` in a scenario, its buttons by hand"))
}

/// Whether the bootloader that is written to can only be that of the station's own board.
pub(crate) fn knows_its_board(station: &Station) -> bool {
    match station.instruments.get(&Kind::Dfu) {
        Some(Driver::Real(_, settings)) => settings.text("serial").is_some(),
        _ => false,
    }
}

fn is_ours(station: &OpenStation) -> Result<(), Failure> {
    if knows_its_board(station.file()) {
        return Ok(());
    }
    let kind = FailureKind::Refused("nothing says that the board in its bootloader is the station's".to_owned());
    Err(Failure::new(format!("dfu of {}", station.name()), "write the key slots", kind)
        .with_help("name its USB serial number in the bench file: `dfu: { driver: dfuse, serial: … }`"))
}

#[cfg(test)]
mod tests {
    use brickproof_boards::Shelf;

    use super::*;

    #[test]
    fn slots_lie_where_the_command_line_tool_of_their_maker_writes_them() {
        let shelf = Shelf::shipped();
        let places = |board: &str| {
            let slots = DfuSlots::of(shelf.board(board).unwrap()).unwrap();
            (slots.alternate, slots.places.map(|(shape, address)| (address, shape.length)))
        };
        // particle-cli 3.51.0 `src/lib/keys-specs.js`.
        assert_eq!(places("photon"), (1, [(34, 1216), (2082, 384), (2466, 128)]));
        assert_eq!(places("argon"), (1, [(3106, 192), (3298, 192), (3490, 128)]));
        let none = DfuSlots::of(shelf.board("lantern-nrf51").unwrap()).unwrap_err();
        assert_eq!(none, "the profile of lantern-nrf51 names no alternate setting with its keys");
    }
}
