//! The keys of a station's board in a trial: damaged, read, saved, written back, renewed.
//!
//! Boundary: which may be written, and who is told. How they lie behind a door is [`KeysBehind`]'s.

use std::sync::Arc;

use brickproof_boards::BoardProfile;
use brickproof_firmware::{
    Compared, KeyRing, KeyStore, KeysBehind, Memory, PUBLISHED, StoreError, nothing_saved, told, written,
};
use brickproof_instruments::Failure;
use brickproof_keys::{
    Corruption, Fingerprint, KeySet, Part, PublicHalf, Slot, SlotContent, SlotShape, new_device_key,
};
use brickproof_scenario::plan::{Door, KeyWork};
use brickproof_trial::{Achieved, ActionId, CommandError};
use tokio::task::spawn_blocking;

use super::{Hands, News, Renewed, Writes, in_words};
use crate::bootloader::{self, with_bootloader};
use crate::keyfile;
use crate::provision;
use crate::register::{REGISTERING, register};

/// What a trial knows of its board's keys.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    ring: KeyRing,
    /// The identity that the cloud handed out.
    issued: Option<Fingerprint>,
    /// Those that the rig gave it.
    renewed: Vec<Fingerprint>,
    /// What was there at first, if that was not what the rig wrote.
    pub(super) first: Option<KeySet>,
    /// Whether what is there is kept in a file.
    is_kept: bool,
}

impl Ring {
    /// The cloud handed out this identity.
    pub(crate) fn issued(&mut self, new: Fingerprint) {
        self.issued = Some(new);
    }

    /// The cloud accepts this identity in place of the one before.
    pub(crate) fn rotated(&mut self, new: Fingerprint) {
        self.ring.identity_changed(new);
    }

    /// The same, by order of the scenario.
    pub(crate) fn renewed(&mut self, new: Fingerprint) {
        self.ring.identity_changed(new);
        self.renewed.push(new);
    }
}

impl Hands {
    pub(super) async fn corrupt(
        &self,
        slot: Slot,
        class: Corruption,
        part: Option<Part>,
        through: Door,
    ) -> Result<Achieved, CommandError> {
        if self.keys().is_none() {
            // The rig did not write them.
            let keys = self.read_keys(through).await?;
            self.keep(&keys)?;
        }
        let seed = self.seed;
        let corrupt = move |keys: KeysBehind, memory: &mut Behind<'_>| keys.corrupt(memory, slot, class, part, seed);
        self.with_keys("damage a key slot", through, Writes::Yes, corrupt).await.map(Achieved::Changed)
    }

    pub(super) async fn read_slot(&self, slot: Slot) -> Result<Achieved, CommandError> {
        let keys = self.read_keys(Door::usual(self.station.board())).await?;
        let ring = self.ring();
        let given: Vec<_> = ring.issued.into_iter().chain(ring.renewed.iter().copied()).collect();
        let found = match &ring.first {
            Some(first) => Some(first.get(slot).fingerprint()),
            None => self.keys().and_then(|keys| keys.found).map(|found| found[slot as usize]),
        };
        Ok(Achieved::Slot(told(keys.get(slot), &given, found)))
    }

    /// What came of it; `None` if the cloud has to be told first, and the answer is given then.
    pub(super) async fn work_on_keys(
        &self,
        id: ActionId,
        work: &KeyWork,
        through: Door,
    ) -> Result<Option<Achieved>, CommandError> {
        let achieved = match work {
            KeyWork::Save(name) => {
                let keys = self.read_keys(through).await?;
                Achieved::Changed(self.ring().ring.save(name, keys).into())
            }
            KeyWork::Load(name) => {
                let to_write = self.ring().ring.to_write(name).map(|keys| keys.cloned());
                let keys = match to_write {
                    Ok(Some(keys)) => keys,
                    Ok(None) => return Ok(Some(Achieved::Changed(nothing_saved(name).into()))),
                    Err(superseded) => return Ok(Some(Achieved::Superseded(superseded.to_string().into()))),
                };
                if let Err(failure) = self.station.may_write(keys.get(Slot::DevicePrivate)) {
                    return Ok(Some(Achieved::Superseded(crate::station::told(&failure).into())));
                }
                let words = written(&keys);
                self.write_keys(keys, through).await?;
                Achieved::Changed(words.into())
            }
            KeyWork::Verify(name) => {
                let found = self.read_keys(through).await?;
                match self.ring().ring.compare(name, &found) {
                    Some(Compared::Alike(words)) => Achieved::Changed(words.into()),
                    Some(Compared::Different(how)) => Achieved::KeysDiffer(how.into()),
                    None => return Err(self.refused(&work.to_string(), &"nothing was saved under that name")),
                }
            }
            KeyWork::NewIdentity => return self.renew(id, through).await,
            KeyWork::GenuineServer => {
                let mut keys = self.read_keys(through).await?;
                self.keep(&keys)?;
                for content in self.genuine_server()? {
                    keys.set(content);
                }
                let words = written(&keys);
                self.write_keys(keys, through).await?;
                Achieved::Changed(words.into())
            }
        };
        Ok(Some(achieved))
    }

    /// The slots of the server that the board belongs to: what the bench file names, or where the rig plays the cloud, its own.
    fn genuine_server(&self) -> Result<[SlotContent; 2], CommandError> {
        let file = self.station.file();
        match (&file.keys.server, file.cloud) {
            (Some(server), _) => Ok(server.clone()),
            (None, Some(_)) => Ok([PUBLISHED.server.clone(), PUBLISHED.address.clone()]),
            (None, None) => {
                Err(self.unsupported("write the genuine server key: its bench file names none (`keys: { server: … }`)"))
            }
        }
    }

    async fn renew(&self, id: ActionId, through: Door) -> Result<Option<Achieved>, CommandError> {
        let asked = "give the board a new identity";
        let file = self.station.file();
        // The board speaks with the rig's own cloud where there is one.
        let register_with = if file.cloud.is_some() { None } else { file.keys.register.clone() };
        if file.cloud.is_none() && register_with.is_none() {
            return Err(self.unsupported(
                "give the board a new identity: nobody would accept it; its bench file names no program that registers one \
                 (`keys: { register: … }`)",
            ));
        }
        let before = self.read_keys(through).await?;
        // Before anything else: a board whose only key was lost cannot be helped.
        self.keep(&before)?;
        let found = before.get(Slot::DevicePrivate).clone();
        let device = made(found.shape()).await.map_err(|why| self.refused(asked, &why))?;
        let public = PublicHalf::of(&device).map_err(|fault| self.refused(asked, &fault))?;
        let mut keys = before.clone();
        keys.set(device.clone());
        self.write_keys(keys, through).await?;
        let new = device.fingerprint();
        let words = format!(
            "device key {} replaced by {new}, read back; the cloud accepts its public half {}",
            found.fingerprint(),
            public.fingerprint()
        );
        let Some(program) = register_with else {
            let renewed = Box::new(Renewed { device, words: words.into() });
            // Nobody listens any more once the trial is over.
            let _ = self.news.send(News::Renewed(id, renewed));
            return Ok(None);
        };
        let registered = spawn_blocking(move || register(&program, &public, REGISTERING)).await;
        if let Err(failure) = registered.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())) {
            // The cloud accepts the old one still.
            let back = self.write_keys(before, through).await;
            let CommandError::Failed { instrument, asked, happened } = in_words(&failure) else {
                return Err(in_words(&failure));
            };
            let back = match back {
                Ok(()) => "the old key is written back".to_owned(),
                Err(error) => format!("and the old key could not be written back: {error}"),
            };
            return Err(CommandError::Failed { instrument, asked, happened: format!("{happened}; {back}").into() });
        }
        let old = brickproof_keys::check(&found).is_ok().then(|| found.fingerprint());
        self.ring().renewed(new);
        self.station.note_identity(old, new).map_err(|error| self.refused("note the new identity", &error))?;
        Ok(Some(Achieved::NewIdentity { old, new, words: words.into() }))
    }

    /// What was on the board before the rig changed it is kept, once.
    fn keep(&self, keys: &KeySet) -> Result<(), CommandError> {
        let mut ring = self.ring();
        if ring.is_kept {
            return Ok(());
        }
        let name = format!("{}.keys.json", keys.get(Slot::DevicePrivate).fingerprint());
        let text = keyfile::write(&self.station.board().name, keys);
        let kept = self.station.keep_backup(&name, text.as_bytes());
        kept.map_err(|error| self.refused("keep the keys of its board before they are changed", &error))?;
        ring.is_kept = true;
        Ok(())
    }

    async fn read_keys(&self, through: Door) -> Result<KeySet, CommandError> {
        let read = |keys: KeysBehind, memory: &mut Behind<'_>| keys.read_set(memory);
        self.with_keys("read the key slots", through, Writes::No, read).await
    }

    async fn write_keys(&self, keys: KeySet, through: Door) -> Result<(), CommandError> {
        let write = move |behind: KeysBehind, memory: &mut Behind<'_>| behind.write_set(memory, &keys);
        self.with_keys("write the key slots", through, Writes::Yes, write).await
    }

    /// Does something with the keys behind a door.
    async fn with_keys<R: Send + 'static>(
        &self,
        asked: &'static str,
        through: Door,
        writes: Writes,
        act: impl FnOnce(KeysBehind, &mut Behind<'_>) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, CommandError> {
        let words = |failure: Failure| in_words(&failure);
        let (board, store) = (Arc::clone(&self.station.file().board), self.keys());
        let alternate = match through {
            Door::Probe => {
                let within = if writes == Writes::Yes { provision::WRITING_A_SLOT } else { provision::READING };
                let act = move |memory: &mut provision::Probed<'_>| act_on(&board, through, store, memory, act);
                return self.with_memory(asked, within, writes, act).await;
            }
            Door::Dfu => KeysBehind::alternate(&board).map_err(|why| self.refused(asked, &why))?.number,
        };
        if writes == Writes::Yes {
            bootloader::is_ours(&self.station).map_err(words)?;
        }
        let _in_use = self.dfu_in_use.lock().await;
        let act = move |memory: &mut bootloader::InBootloader<'_>| act_on(&board, through, store, memory, act);
        let done = with_bootloader(&self.station, alternate, asked, act).await.map_err(words)?;
        done.map_err(|StoreError { asked, happened }| CommandError::Failed {
            instrument: format!("dfu of {}", self.station.name()).into(),
            asked: asked.into(),
            happened: happened.into(),
        })
    }

    fn refused(&self, asked: &str, why: &dyn std::fmt::Display) -> CommandError {
        CommandError::Failed {
            instrument: format!("station {}", self.station.name()).into(),
            asked: asked.into(),
            happened: why.to_string().into(),
        }
    }

    fn unsupported(&self, asked: &str) -> CommandError {
        CommandError::Unsupported { instrument: format!("station {}", self.station.name()).into(), asked: asked.into() }
    }
}

/// The memory of a board behind a probe, or behind its bootloader.
pub(crate) type Behind<'a> = dyn Memory<Error = Failure> + 'a;

/// Does something with the keys of a board, which lie as `store` says, or as is found.
pub(crate) fn act_on<R>(
    board: &BoardProfile,
    through: Door,
    store: Option<KeyStore>,
    memory: &mut Behind<'_>,
    act: impl FnOnce(KeysBehind, &mut Behind<'_>) -> Result<R, StoreError>,
) -> Result<R, StoreError> {
    act(KeysBehind::of(board, through, store, memory)?, memory)
}

/// A new key from the system's randomness. An RSA one takes a while to be found.
pub(crate) async fn made(shape: SlotShape) -> Result<SlotContent, String> {
    let made = spawn_blocking(move || new_device_key(shape, &mut getrandom::SysRng)).await;
    made.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}
