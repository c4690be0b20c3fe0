//! The keys of the virtual board: saved, written back, renewed, as a person with a probe would.
//!
//! Boundary: in no time, and only what may be done; what the cloud accepts is the ring's to say.

use brickproof_firmware::{Compared, PUBLISHED, nothing_saved, written};
use brickproof_keys::{KeySet, PublicHalf, Slot, SplitMix64, device_key_from_seed};
use brickproof_scenario::plan::KeyWork;
use brickproof_trial::{Achieved, CommandError};

use super::{World, early};
use crate::memory::{InFlash, failed};

/// Keeps the seeds of new device keys apart from what else a trial's seed decides: `keys doctor`, in ASCII.
const DOCTOR: u64 = 0x646f_6374_6f72_0001;

impl World {
    pub(super) fn read_slot(&self, slot: Slot) -> Result<Achieved, CommandError> {
        let given: Vec<_> = self.issued.into_iter().chain(self.renewed.iter().copied()).collect();
        self.store.read_slot(&mut InFlash(&self.board), slot, &given).map(Achieved::Slot).map_err(failed)
    }

    pub(super) fn work_on_keys(&mut self, work: &KeyWork) -> Result<Achieved, CommandError> {
        match work {
            KeyWork::Save(name) => {
                let keys = self.read_keys()?;
                Ok(Achieved::Changed(self.ring.save(name, keys).into()))
            }
            KeyWork::Load(name) => {
                let keys = match self.ring.to_write(name) {
                    Ok(Some(keys)) => keys.clone(),
                    Ok(None) => return Ok(Achieved::Changed(nothing_saved(name).into())),
                    Err(superseded) => return Ok(Achieved::Superseded(superseded.to_string().into())),
                };
                self.write_keys(&keys)?;
                Ok(Achieved::Changed(written(&keys).into()))
            }
            KeyWork::Verify(name) => match self.ring.compare(name, &self.read_keys()?) {
                Some(Compared::Alike(words)) => Ok(Achieved::Changed(words.into())),
                Some(Compared::Different(how)) => Ok(Achieved::KeysDiffer(how.into())),
                None => Err(refused(work, &"nothing was saved under that name")),
            },
            KeyWork::NewIdentity => self.renew(work),
            KeyWork::GenuineServer => {
                let mut keys = self.read_keys()?;
                keys.set(PUBLISHED.server.clone());
                keys.set(PUBLISHED.address.clone());
                self.write_keys(&keys)?;
                Ok(Achieved::Changed(written(&keys).into()))
            }
        }
    }

    fn renew(&mut self, work: &KeyWork) -> Result<Achieved, CommandError> {
        let mut keys = self.read_keys()?;
        // Of the half of the seed that decides from the beginning, whenever it is: so trials that share a past share the key.
        let mut seeds = SplitMix64::new(early(self.seed) ^ DOCTOR);
        let seed = (0..=self.renewed.len()).fold(0, |_, _| seeds.next_u64());
        let device = device_key_from_seed(seed);
        let public = PublicHalf::of(&device).map_err(|fault| refused(work, &fault))?.fingerprint();
        let (found, new) = (keys.get(Slot::DevicePrivate).fingerprint(), device.fingerprint());
        keys.set(device.clone());
        self.write_keys(&keys)?;
        let old = self.cloud.renew(device);
        self.ring.identity_changed(new);
        self.renewed.push(new);
        let words =
            format!("device key {found} replaced by {new}, read back; the cloud accepts its public half {public}");
        Ok(Achieved::NewIdentity { old, new, words: words.into() })
    }

    fn read_keys(&self) -> Result<KeySet, CommandError> {
        self.store.read_set(&mut InFlash(&self.board)).map_err(failed)
    }

    fn write_keys(&mut self, keys: &KeySet) -> Result<(), CommandError> {
        self.store.write_set(&mut InFlash(&mut self.board), keys).map_err(failed)
    }
}

fn refused(work: &KeyWork, why: &dyn std::fmt::Display) -> CommandError {
    CommandError::Failed {
        instrument: "the rig".into(),
        asked: work.to_string().into(),
        happened: why.to_string().into(),
    }
}
