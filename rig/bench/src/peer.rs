//! The rig as a board's cloud, on the console's line: in a trial, and while somebody looks at the board.
//!
//! Boundary: from what the board says to the lines that are due. What the cloud makes of it is `brickproof-cloud`'s; hearing and sending are the
//! caller's.

use brickproof_cloud::{Behaviour, Cloud, CloudConfig, CloudEvent};
use brickproof_console::Lines;
use brickproof_firmware::PUBLISHED;
use brickproof_keys::{Fingerprint, SlotContent};
use brickproof_scenario::plan::{CloudBehaviour, CloudSetting};
use brickproof_units::Instant;

/// The cloud and what it has to say. Its instants are those of whoever hears the board.
pub struct Peer {
    cloud: Cloud,
    lines: Lines,
    /// Lines for the board, in the order in which they are due.
    outbox: Vec<(Instant, Vec<u8>)>,
}

impl Peer {
    /// One that behaves so and accepts these device keys, with the server that lantern's boards belong to.
    pub fn new(setting: CloudSetting, devices: Vec<SlotContent>, seed: u64) -> Self {
        let cloud = Cloud::new(CloudConfig {
            behaviour: behaviour(setting.behaviour),
            latency: setting.latency,
            devices,
            server: PUBLISHED.server.clone(),
            address: PUBLISHED.address.clone(),
            next_device_keys: vec![PUBLISHED.device_new.clone()],
            seed,
        });
        Self { cloud, lines: Lines::new(), outbox: Vec::new() }
    }

    /// One for whoever looks at a board of which nothing is known: either key that the rig gives its boards is accepted.
    pub fn of_any_board(setting: CloudSetting) -> Self {
        Self::new(setting, vec![PUBLISHED.device_old.clone(), PUBLISHED.device_new.clone()], 1)
    }

    /// Behaves so from now on.
    pub fn behave(&mut self, setting: CloudSetting) {
        self.cloud.set_behaviour(behaviour(setting.behaviour));
        self.cloud.set_latency(setting.latency);
    }

    /// Accepts this device key in place of the one before, which is answered.
    pub fn renew(&mut self, device: SlotContent) -> Option<Fingerprint> {
        self.cloud.renew(device)
    }

    /// Takes what the board said; answers with what the cloud made of it.
    pub fn hear(&mut self, at: Instant, bytes: &[u8]) -> Vec<(Instant, CloudEvent)> {
        for line in self.lines.push(at, bytes) {
            self.cloud.observe_line(at, &line.bytes);
        }
        while let Some((due, send)) = self.cloud.poll() {
            self.outbox.push((due, send.bytes));
        }
        self.outbox.sort_by_key(|(due, _)| *due);
        std::iter::from_fn(|| self.cloud.poll_event()).collect()
    }

    /// When it has something to say next.
    pub fn next_due(&self) -> Option<Instant> {
        self.outbox.first().map(|(due, _)| *due)
    }

    /// Takes what it has to say by now, in order.
    pub fn take_due(&mut self, now: Instant) -> Vec<Vec<u8>> {
        let due = self.outbox.partition_point(|(due, _)| *due <= now);
        self.outbox.drain(..due).map(|(_, bytes)| bytes).collect()
    }
}

fn behaviour(behaviour: CloudBehaviour) -> Behaviour {
    match behaviour {
        CloudBehaviour::Genuine => Behaviour::Genuine,
        CloudBehaviour::Silent => Behaviour::Silent,
        CloudBehaviour::Wrong => Behaviour::Wrong { server: PUBLISHED.server_other.clone() },
        CloudBehaviour::Unreachable => Behaviour::Unreachable,
    }
}
