//! The keys of the virtual board: damaged, saved, written back, renewed, as a person does with a probe or through the board's bootloader.
//!
//! Boundary: a probe does it in no time, and only what may be done; what the cloud accepts is the ring's to say. How long it takes through the
//! bootloader, and what a loss of power leaves of it, is `bootloader`'s.

use std::sync::Arc;

use brickproof_firmware::{Compared, KeysBehind, PUBLISHED, StoreError, nothing_saved, written};
use brickproof_keys::{
    Corruption, Fingerprint, KeySet, Part, PublicHalf, Slot, SlotContent, SplitMix64, device_key_from_seed,
};
use brickproof_scenario::plan::{Door, KeyWork};
use brickproof_trial::{Achieved, ActionId, CommandError};
use brickproof_units::Span;

use super::bootloader::{self, BOOTLOADER, Session, Work, over_the_bus};
use super::{Due, World, early};
use crate::memory::{InFlash, Planned, failed};

/// Keeps the seeds of new device keys apart from what else a trial's seed decides: `keys doctor`, in ASCII.
const DOCTOR: u64 = 0x646f_6374_6f72_0001;

/// What is done to the keys through the bootloader.
#[derive(Clone, Debug)]
pub(super) enum KeysThere {
    /// One of them is damaged.
    Corrupt { slot: Slot, class: Corruption, part: Option<Part> },
    /// All of them are read or written.
    Work(KeyWork),
}

/// What comes of keys once they are written.
#[derive(Clone, Debug)]
pub(super) enum Once {
    /// This.
    Achieved(Achieved),
    /// The board has this identity, which the cloud is to accept.
    Renewed { device: SlotContent, found: Fingerprint, public: Fingerprint },
}

/// What a piece of work comes down to, once it is known what the slots hold.
enum Decided {
    /// Nothing is written.
    Told(Achieved),
    /// These are, and then.
    ToWrite(KeySet, Once),
}

impl KeysThere {
    /// As something to do.
    pub(super) fn asked(&self) -> String {
        match self {
            Self::Corrupt { slot, class, .. } => format!("corrupt the {} slot: {}", slot.name(), class.name()),
            Self::Work(work) => work.to_string(),
        }
    }
}

impl World {
    pub(super) fn read_slot(&self, slot: Slot) -> Result<Achieved, CommandError> {
        let given: Vec<_> = self.issued.into_iter().chain(self.renewed.iter().copied()).collect();
        self.store.read_slot(&mut InFlash(&self.board), slot, &given).map(Achieved::Slot).map_err(failed)
    }

    /// As with a probe: at once.
    pub(super) fn work_on_keys(&mut self, work: &KeyWork) -> Result<Achieved, CommandError> {
        let found = self.store.read_set(&mut InFlash(&self.board)).map_err(failed)?;
        match self.decide(work, found)? {
            Decided::Told(achieved) => Ok(achieved),
            Decided::ToWrite(keys, once) => {
                self.store.write_set(&mut InFlash(&mut self.board), &keys).map_err(failed)?;
                Ok(self.come_of(once))
            }
        }
    }

    /// Begins with looking at the keys through the bootloader.
    pub(super) fn through_dfu(&mut self, id: ActionId, keys: KeysThere) {
        let asked = keys.asked();
        if matches!(keys, KeysThere::Corrupt { .. }) {
            self.leave_to_the_whole_seed();
        }
        let looked = self.expect_bootloader(&asked).and_then(|()| {
            let mut memory = Planned::on(&self.board);
            let behind = self.behind_dfu(&mut memory)?;
            behind.read_set(&mut memory).map_err(|error| bootloader::failed(&asked, error.happened))?;
            Ok(memory.read)
        });
        match looked {
            Ok(bytes) => self.go_on_after(over_the_bus(bytes), Box::new(Session::reading(id, Work::Keys(keys)))),
            Err(error) => self.put(self.now, Due::Answer(id, Err(error))),
        }
    }

    /// The keys were looked at: what there is to write begins to be written.
    pub(super) fn keys_were_read(&mut self, id: ActionId, keys: &KeysThere) {
        let asked = keys.asked();
        let mut memory = Planned::on(&self.board);
        match self.plan_keys(&asked, keys, &mut memory) {
            Ok(Once::Achieved(achieved)) if memory.pieces.is_empty() => self.answer(id, Ok(achieved)),
            Ok(once) => {
                let session = Session::writing(id, Work::Once(asked.into(), once), memory.pieces, None);
                self.go_on_after(Span::ZERO, Box::new(session));
            }
            Err(error) => self.answer(id, Err(error)),
        }
    }

    /// What comes of it once `memory` is as it is left here.
    fn plan_keys(&mut self, asked: &str, keys: &KeysThere, memory: &mut Planned) -> Result<Once, CommandError> {
        let refused = |error: StoreError| bootloader::failed(asked, error.happened);
        let behind = self.behind_dfu(memory)?;
        match keys {
            KeysThere::Corrupt { slot, class, part } => {
                let words = behind.corrupt(memory, *slot, *class, *part, self.seed).map_err(refused)?;
                Ok(Once::Achieved(Achieved::Changed(words)))
            }
            KeysThere::Work(work) => {
                let found = behind.read_set(memory).map_err(refused)?;
                match self.decide(work, found)? {
                    Decided::Told(achieved) => Ok(Once::Achieved(achieved)),
                    Decided::ToWrite(keys, once) => {
                        behind.write_set(memory, &keys).map_err(refused)?;
                        Ok(once)
                    }
                }
            }
        }
    }

    fn behind_dfu(&self, memory: &mut Planned) -> Result<KeysBehind, CommandError> {
        // Of all that a bootloader may show, the model has its board's flash.
        if self.profile.keys_alternate() != self.profile.flash_alternate() {
            return Err(CommandError::Unsupported {
                instrument: BOOTLOADER.into(),
                asked: "show keys that lie anywhere but in flash".into(),
            });
        }
        let behind = KeysBehind::of(&self.profile, Door::Dfu, Some(self.store), memory);
        behind.map_err(|error| bootloader::failed(error.asked, error.happened))
    }

    fn decide(&mut self, work: &KeyWork, found: KeySet) -> Result<Decided, CommandError> {
        Ok(match work {
            KeyWork::Save(name) => Decided::Told(Achieved::Changed(self.ring.save(name, found).into())),
            KeyWork::Load(name) => match self.ring.to_write(name) {
                Ok(Some(keys)) => to_write(keys.clone()),
                Ok(None) => Decided::Told(Achieved::Changed(nothing_saved(name).into())),
                Err(superseded) => Decided::Told(Achieved::Superseded(superseded.to_string().into())),
            },
            KeyWork::Verify(name) => Decided::Told(match self.ring.compare(name, &found) {
                Some(Compared::Alike(words)) => Achieved::Changed(words.into()),
                Some(Compared::Different(how)) => Achieved::KeysDiffer(how.into()),
                None => return Err(refused(work, &"nothing was saved under that name")),
            }),
            KeyWork::NewIdentity => self.new_identity(work, found)?,
            KeyWork::GenuineServer => {
                let mut keys = found;
                keys.set(PUBLISHED.server.clone());
                keys.set(PUBLISHED.address.clone());
                to_write(keys)
            }
        })
    }

    fn new_identity(&self, work: &KeyWork, found: KeySet) -> Result<Decided, CommandError> {
        // Of the half of the seed that decides from the beginning, whenever it is: so trials that share a past share the key.
        let mut seeds = SplitMix64::new(early(self.seed) ^ DOCTOR);
        let seed = (0..=self.renewed.len()).fold(0, |_, _| seeds.next_u64());
        let device = device_key_from_seed(seed);
        let public = PublicHalf::of(&device).map_err(|fault| refused(work, &fault))?.fingerprint();
        let before = found.get(Slot::DevicePrivate).fingerprint();
        let mut keys = found;
        keys.set(device.clone());
        Ok(Decided::ToWrite(keys, Once::Renewed { device, found: before, public }))
    }

    /// The keys are written and were read back.
    pub(super) fn come_of(&mut self, once: Once) -> Achieved {
        let (device, found, public) = match once {
            Once::Achieved(achieved) => return achieved,
            Once::Renewed { device, found, public } => (device, found, public),
        };
        let new = device.fingerprint();
        let old = self.cloud.renew(device);
        self.ring.identity_changed(new);
        self.renewed.push(new);
        let words =
            format!("device key {found} replaced by {new}, read back; the cloud accepts its public half {public}");
        Achieved::NewIdentity { old, new, words: words.into() }
    }
}

fn to_write(keys: KeySet) -> Decided {
    let words: Arc<str> = written(&keys).into();
    Decided::ToWrite(keys, Once::Achieved(Achieved::Changed(words)))
}

fn refused(work: &KeyWork, why: &dyn std::fmt::Display) -> CommandError {
    CommandError::Failed {
        instrument: "the rig".into(),
        asked: work.to_string().into(),
        happened: why.to_string().into(),
    }
}
