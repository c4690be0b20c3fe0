//! Firmware on its way to a board that has another one: in which pieces it is written, and which firmware a flash holds.
//!
//! Boundary: what is written, in which order, and what is compared. Erasing, programming and their times are the probe's or the virtual board's.

use brickproof_boards::FlashMap;

use crate::image::Firmware;
use crate::memory::ReadMemory;

/// Releases differ in their first kilobytes already, and a probe reads a whole one for seconds.
const READ_AT_ONCE: usize = 4096;

/// What one sector gets of an image. Whatever else is in the sector stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where its bytes begin; for the sector itself, it is somewhere in it.
    pub address: u32,
    /// What is written there.
    pub bytes: Vec<u8>,
}

/// The pieces of an image in the order in which they are written, from the first sector to the last; what is no flash (UICR) comes last, in one.
///
/// Every sector that the image has anything for is among them, also one that holds the same already: that is what the usual tools write, and how
/// far a transfer has come then means the same whatever was there before.
pub fn pieces(firmware: &Firmware, flash: &FlashMap) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (address, bytes) in firmware.pieces(flash.at.0) {
        let (mut address, mut bytes) = (address, bytes);
        while !bytes.is_empty() {
            let room = flash.sector_at(address).map_or(bytes.len() as u64, |sector| sector.end - u64::from(address));
            let (piece, rest) = bytes.split_at(bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX)));
            pieces.push(Piece { address, bytes: piece.to_vec() });
            address = address.wrapping_add(piece.len() as u32);
            bytes = rest;
        }
    }
    pieces
}

/// Which of `candidates` the memory of a board holds, every byte of it; of several, of which one begins with another, the longest. `None` is
/// none of them.
///
/// # Errors
/// What the memory says.
pub fn which<'f, M: ReadMemory>(
    candidates: impl IntoIterator<Item = &'f Firmware>,
    flash: u32,
    memory: &mut M,
) -> Result<Option<&'f Firmware>, M::Error> {
    let mut found: Option<&Firmware> = None;
    for candidate in candidates {
        if holds(candidate, flash, memory)? && found.is_none_or(|found| candidate.image().len() > found.image().len()) {
            found = Some(candidate);
        }
    }
    Ok(found)
}

fn holds<M: ReadMemory>(firmware: &Firmware, flash: u32, memory: &mut M) -> Result<bool, M::Error> {
    for (address, bytes) in firmware.pieces(flash) {
        for (offset, piece) in (0..).step_by(READ_AT_ONCE).zip(bytes.chunks(READ_AT_ONCE)) {
            let mut there = vec![0; piece.len()];
            memory.read(address + offset, &mut there)?;
            if there != piece {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use brickproof_boards::Shelf;

    use super::*;

    struct InRam(u32, Vec<u8>);

    impl ReadMemory for InRam {
        type Error = std::convert::Infallible;

        fn read(&mut self, address: u32, into: &mut [u8]) -> Result<(), Self::Error> {
            let at = (address - self.0) as usize;
            into.copy_from_slice(&self.1[at..at + into.len()]);
            Ok(())
        }
    }

    #[test]
    fn pieces_are_the_image_and_none_reaches_into_another_sector() {
        let shelf = Shelf::shipped();
        for board in ["lantern-nrf51", "lantern-nrf52840", "lantern-stm32f205"] {
            let flash = &shelf.board(board).unwrap().flash;
            let firmware = Firmware::shipped_for(flash.at.0, "lantern-heal-full").unwrap();
            let pieces = pieces(&firmware, flash);
            let sectors: std::collections::BTreeSet<_> =
                pieces.iter().filter_map(|piece| flash.sector_at(piece.address)).map(|it| it.start).collect();
            assert_eq!(pieces.len(), sectors.len(), "{board}: a sector is erased once");
            for piece in &pieces {
                let sector = flash.sector_at(piece.address).unwrap();
                let end = u64::from(piece.address) + piece.bytes.len() as u64;
                assert!(sector.start <= u64::from(piece.address) && end <= sector.end, "{board}: {piece:x?}");
                let offset = (piece.address - flash.at.0) as usize;
                assert_eq!(piece.bytes, firmware.image()[offset..offset + piece.bytes.len()]);
            }
            let written: usize = pieces.iter().map(|piece| piece.bytes.len()).sum();
            assert_eq!(written, firmware.stretches().map(|(_, bytes)| bytes.len()).sum::<usize>());
        }
    }

    #[test]
    fn a_torn_image_is_none_of_those_it_is_torn_between() {
        let [old, new] = ["lantern-no-heal", "lantern-heal-full"].map(|name| Firmware::shipped(name).unwrap());
        let flash = |image: &[u8]| InRam(0, [image, &[0xFF; 4096]].concat());
        let found = |image: &[u8]| which([&old, &new], 0, &mut flash(image)).unwrap().map(Firmware::name);
        assert_eq!(found(old.image()), Some("lantern-no-heal"));
        assert_eq!(found(new.image()), Some("lantern-heal-full"));
        let both = old.image().iter().zip(new.image());
        let differing: Vec<usize> = both.enumerate().filter(|(_, (old, new))| old != new).map(|(at, _)| at).collect();
        for at in [1, differing.len() / 3, differing.len() / 2, differing.len() - 1] {
            let half = differing[at];
            // Behind what is written the old one goes on.
            let torn = [&new.image()[..half], &old.image()[half..]].concat();
            assert_eq!(found(&torn), None, "{half} bytes of the new one");
        }
        let mut bit = new.image().to_vec();
        bit[new.image().len() / 2] ^= 1;
        assert_eq!(found(&bit), None);
    }

    #[test]
    fn of_images_that_begin_alike_the_longer_one_is_there() {
        let long = Firmware::from_file("long.bin", &[1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
        let short = Firmware::from_file("short.bin", &[1, 2, 3, 4]).unwrap();
        let found = |bytes: &[u8]| which([&short, &long], 0, &mut InRam(0, bytes.to_vec())).unwrap();
        assert_eq!(found(&[1, 2, 3, 4, 5, 6, 7, 8]), Some(&long));
        assert_eq!(found(&[1, 2, 3, 4, 5, 6, 7, 9]), Some(&short));
    }
}
