//! Which device keys the cloud accepts, and how a rotation moves from one to the next.
//!
//! Boundary: the register. It reads no lines and keeps no sessions.

use std::collections::VecDeque;

use brickproof_keys::{Fingerprint, SlotContent, SplitMix64, device_key_from_seed};

use crate::event::CloudEvent;

/// A new key has been offered and the device has proven neither it nor the old one since.
#[derive(Clone, Debug)]
struct Rotation {
    old: Fingerprint,
    new: Fingerprint,
}

/// The register of device keys.
#[derive(Clone, Debug)]
pub(crate) struct Identities {
    registered: Vec<SlotContent>,
    rotation: Option<Rotation>,
    next_keys: VecDeque<SlotContent>,
    key_seeds: SplitMix64,
}

impl Identities {
    pub(crate) fn new(registered: Vec<SlotContent>, next_keys: Vec<SlotContent>, key_seeds: SplitMix64) -> Self {
        Self { registered, rotation: None, next_keys: next_keys.into(), key_seeds }
    }

    pub(crate) fn find(&self, fingerprint: Fingerprint) -> Option<&SlotContent> {
        self.registered.iter().find(|key| key.fingerprint() == fingerprint)
    }

    pub(crate) fn fingerprints(&self) -> impl Iterator<Item = Fingerprint> {
        self.registered.iter().map(SlotContent::fingerprint)
    }

    /// Registers a new key beside `old` and gives it. A key that was offered before and never proven is void.
    pub(crate) fn offer(&mut self, old: Fingerprint) -> SlotContent {
        if let Some(unproven) = self.rotation.take() {
            self.strike(unproven.new);
        }
        let key = self.next_key();
        self.rotation = Some(Rotation { old, new: key.fingerprint() });
        self.registered.push(key.clone());
        key
    }

    /// The device has proven `fingerprint`: if a rotation was open, it is decided.
    pub(crate) fn proven(&mut self, fingerprint: Fingerprint) -> Option<CloudEvent> {
        let Rotation { old, new } = self.rotation.take_if(|open| fingerprint == open.old || fingerprint == open.new)?;
        if fingerprint == new {
            self.strike(old);
            return Some(CloudEvent::Rotated { old, new });
        }
        self.strike(new);
        Some(CloudEvent::RotationAbandoned { kept: old, dropped: new })
    }

    /// Registers this key and strikes every other; answers which was registered last.
    pub(crate) fn replace(&mut self, key: SlotContent) -> Option<Fingerprint> {
        self.rotation = None;
        let before = self.registered.last().map(SlotContent::fingerprint);
        self.registered = vec![key];
        before
    }

    /// The next configured key, or a fresh one when they are used up; never one that is registered already.
    fn next_key(&mut self) -> SlotContent {
        loop {
            let key = self.next_keys.pop_front().unwrap_or_else(|| device_key_from_seed(self.key_seeds.next_u64()));
            if self.find(key.fingerprint()).is_none() {
                return key;
            }
        }
    }

    fn strike(&mut self, fingerprint: Fingerprint) {
        self.registered.retain(|key| key.fingerprint() != fingerprint);
    }
}
