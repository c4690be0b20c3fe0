//! What became of the keys of one board.
//!
//! Boundary: recognition from flash. The log is only asked what the board claims, to find claims that are wrong.

use brickproof_keys::KeySet;
use brickproof_keys::lantern_layout::{self, Area, CopyState};
use brickproof_keys::{Fingerprint, Slot, SlotContent};
use brickproof_virtual_board::board::Board;

use super::boot::Boot;
use super::release::Release;
use super::tally::Tally;
use super::{KeyChange, Keys};
use crate::cuts::Outcome;

/// What the device slot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeviceKey {
    /// The key from before the update, to the last byte of its slot.
    Old,
    /// The key that the update brings, to the last byte of its slot.
    New,
    /// Neither, and not erased.
    Torn,
    /// Erased throughout.
    Blank,
    /// One that the board made itself because it found none: sound, and registered nowhere.
    Generated,
}

/// Whether the board can still present itself to its cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Survival {
    /// It has the old or the new key, and the server settings that it needs.
    Alive,
    /// It has not.
    Lost,
}

/// Whether what the board says of its device key is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Honesty {
    /// It claims no key that it has not.
    Honest,
    /// It calls a key good that is neither the old nor the new one.
    SilentlyWrong,
}

/// What became of one board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    /// The device slot: of a single copy as the boot found it, of two copies in the one that counts after healing.
    pub device: DeviceKey,
    /// The fingerprint of that slot.
    pub fingerprint: Fingerprint,
    /// Whether it can connect.
    pub survival: Survival,
    /// Whether it knows.
    pub honesty: Honesty,
    /// Cells left near the read threshold: what was found may read differently next time. Only under `marginal`.
    pub weak_cells: usize,
}

impl Fate {
    /// Lets a board that was just switched on boot, and looks.
    pub(super) fn after_boot(board: &mut Board, subject: &Keys, change: &KeyChange) -> Option<Self> {
        let mut boot = Boot::new(board);
        match subject.release {
            Release::HealFull => Self::of_two_copies(board, subject, change, &mut boot),
            Release::NoHeal | Release::HealBlank | Release::HealParse => {
                Self::of_single_copy(board, subject, change, &mut boot)
            }
        }
    }

    fn of_single_copy(board: &mut Board, subject: &Keys, change: &KeyChange, boot: &mut Boot) -> Option<Self> {
        boot.until_report(board)?;
        let mut found = subject.read(board, Area::A)?;
        let device = recognise(found.get(Slot::DevicePrivate), change);
        let fingerprint = found.get(Slot::DevicePrivate).fingerprint();
        let has_identity = matches!(device, DeviceKey::Old | DeviceKey::New);
        if has_identity && !subject.release.can_use_server(&found) && subject.release.restores_for_good() {
            boot.until_healed(board)?;
            found = subject.read(board, Area::A)?;
        }
        let survives = has_identity && subject.release.can_use_server(&found);
        Some(Self {
            device,
            fingerprint,
            survival: if survives { Survival::Alive } else { Survival::Lost },
            honesty: honesty(claims_unknown(boot, change)),
            weak_cells: board.flash().weak_cells(),
        })
    }

    fn of_two_copies(board: &mut Board, subject: &Keys, change: &KeyChange, boot: &mut Boot) -> Option<Self> {
        boot.until_healed(board)?;
        let areas = [subject.read_area(board, Area::A)?, subject.read_area(board, Area::B)?];
        let [a, b] = areas.each_ref().map(|area| CopyState::read(area));
        let current = lantern_layout::current_copy(a, b);
        let found = KeySet::read(&areas[current.unwrap_or(Area::A) as usize])?;
        let content = found.get(Slot::DevicePrivate);
        let device = match recognise(content, change) {
            DeviceKey::Torn if boot.generates => DeviceKey::Generated,
            recognised => recognised,
        };
        let has_identity = matches!(device, DeviceKey::Old | DeviceKey::New);
        let survives = current.is_some() && has_identity && subject.release.can_use_server(&found);
        let stores_unknown = current.is_some() && device == DeviceKey::Torn;
        Some(Self {
            device,
            fingerprint: content.fingerprint(),
            survival: if survives { Survival::Alive } else { Survival::Lost },
            honesty: honesty(stores_unknown || claims_unknown(boot, change)),
            weak_cells: board.flash().weak_cells(),
        })
    }
}

impl Outcome for Fate {
    type Tally = Tally;

    fn bytes(&self) -> Vec<u8> {
        let head = [self.device as u8, self.survival as u8, self.honesty as u8];
        let weak = (self.weak_cells as u64).to_le_bytes();
        let name = self.fingerprint.to_string();
        [&head[..], &weak, name.as_bytes()].concat()
    }

    fn loss(&self) -> Option<&'static str> {
        match (self.survival, self.honesty) {
            (_, Honesty::SilentlyWrong) => Some("silently wrong"),
            (Survival::Lost, Honesty::Honest) => Some("lost"),
            (Survival::Alive, Honesty::Honest) => None,
        }
    }
}

fn recognise(content: &SlotContent, change: &KeyChange) -> DeviceKey {
    if *content == change.old {
        DeviceKey::Old
    } else if *content == change.new {
        DeviceKey::New
    } else if content.used() == 0 {
        DeviceKey::Blank
    } else {
        DeviceKey::Torn
    }
}

fn claims_unknown(boot: &Boot, change: &KeyChange) -> bool {
    let known = [change.old.fingerprint(), change.new.fingerprint()];
    boot.claims.is_some_and(|claimed| !known.contains(&claimed))
}

fn honesty(claims_wrong_key: bool) -> Honesty {
    if claims_wrong_key { Honesty::SilentlyWrong } else { Honesty::Honest }
}
