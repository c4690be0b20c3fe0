//! The peer: a state machine from the device's lines to answers and events.
//!
//! Boundary: see the crate. Line formats are in `protocol`, the register of keys in `identities`.

use std::collections::VecDeque;
use std::fmt;

use brickproof_keys::{Digest, Fingerprint, ServerAddress, SlotContent, SplitMix64, handshake_hash};
use brickproof_units::{Instant, Span};

use crate::event::{CloudEvent, Rejection};
use crate::identities::Identities;
use crate::protocol::{Reply, Request, read, without_ending};

/// What the device finds at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// The server it belongs to.
    Genuine,
    /// A firewall: the link opens, as UDP does, and then nothing is answered.
    Silent,
    /// A server that proves itself with another key.
    Wrong {
        /// The key it has: the content of a server public slot.
        server: SlotContent,
    },
    /// No way there: every connection is refused.
    Unreachable,
}

/// What the cloud knows and how it behaves.
#[derive(Clone, Debug)]
pub struct CloudConfig {
    /// What the device finds.
    pub behaviour: Behaviour,
    /// From a line of the device to the answer.
    pub latency: Span,
    /// The device private slots of the registered devices.
    pub devices: Vec<SlotContent>,
    /// The server public slot that the device should have.
    pub server: SlotContent,
    /// The server address slot that the device should have. A device that asks for another place is refused.
    pub address: SlotContent,
    /// The device private slots to hand out on rotation, in order; after them, keys made from the seed.
    pub next_device_keys: Vec<SlotContent>,
    /// Decides nonces and made keys.
    pub seed: u64,
}

/// A line for the device.
#[derive(Clone, PartialEq, Eq)]
pub struct CloudSend {
    /// The bytes to write, line ending included.
    pub bytes: Vec<u8>,
    /// What the line says, with fingerprints in place of keys: for the timeline.
    pub description: String,
    /// Whether the bytes must not be shown or kept: the description takes their place.
    pub secret: bool,
}

impl fmt::Debug for CloudSend {
    /// The description; never the bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CloudSend({})", self.description)
    }
}

/// Where a conversation stands.
#[derive(Clone, Debug)]
enum Session {
    /// Nothing has been proven.
    Closed,
    /// The device has said hello, and the server has proven itself.
    Challenged { client: Digest, server: Digest, device: Fingerprint },
    /// The device has proven itself.
    Connected { device: Fingerprint },
}

/// An answered line: the device repeats a line when it misses the answer, and gets the same bytes again.
#[derive(Clone, Debug)]
struct Answered {
    line: Vec<u8>,
    reply: Reply,
}

/// Lantern's cloud.
#[derive(Clone, Debug)]
pub struct Cloud {
    behaviour: Behaviour,
    latency: Span,
    server: SlotContent,
    address: SlotContent,
    identities: Identities,
    nonces: SplitMix64,
    session: Session,
    answered: Option<Answered>,
    outbox: VecDeque<(Instant, CloudSend)>,
    events: VecDeque<(Instant, CloudEvent)>,
}

impl Cloud {
    /// A cloud that has not heard of any device yet.
    pub fn new(config: CloudConfig) -> Self {
        let CloudConfig { behaviour, latency, devices, server, address, next_device_keys, seed } = config;
        let mut seeds = SplitMix64::new(seed);
        let nonces = SplitMix64::new(seeds.next_u64());
        Self {
            behaviour,
            latency,
            server,
            address,
            identities: Identities::new(devices, next_device_keys, seeds),
            nonces,
            session: Session::Closed,
            answered: None,
            outbox: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Behaves otherwise from now on: a firewall comes up, a network comes back. Answers under way still arrive.
    pub fn set_behaviour(&mut self, behaviour: Behaviour) {
        self.behaviour = behaviour;
    }

    /// Answers this much after each line from now on.
    pub fn set_latency(&mut self, latency: Span) {
        self.latency = latency;
    }

    /// The identities that would be accepted now: two of one device while it has not proven either since a rotation began.
    pub fn accepted(&self) -> impl Iterator<Item = Fingerprint> {
        self.identities.fingerprints()
    }

    /// Accepts this identity from now on, and none of those from before: its device was given it by hand. Answers which one was accepted
    /// before, the later one of a rotation that was not decided. Whoever is connected has to prove itself anew.
    pub fn renew(&mut self, device: SlotContent) -> Option<Fingerprint> {
        self.session = Session::Closed;
        self.answered = None;
        self.identities.replace(device)
    }

    /// The identity that is connected.
    pub fn connected(&self) -> Option<Fingerprint> {
        match self.session {
            Session::Connected { device } => Some(device),
            Session::Closed | Session::Challenged { .. } => None,
        }
    }

    /// Takes a line of the console, completed at `at`. Lines that do not belong to the cloud link are ignored.
    pub fn observe_line(&mut self, at: Instant, line: &[u8]) {
        let line = without_ending(line);
        match read(line) {
            None => {}
            Some(Err(malformed)) => self.note(at, CloudEvent::Malformed(malformed)),
            Some(Ok(request)) => self.handle(at, line, request),
        }
    }

    /// The next line for the device and when it is due, in the order of writing. Each is given once.
    pub fn poll(&mut self) -> Option<(Instant, CloudSend)> {
        self.outbox.pop_front()
    }

    /// The next event and when it happened. Each is given once.
    pub fn poll_event(&mut self) -> Option<(Instant, CloudEvent)> {
        self.events.pop_front()
    }

    fn handle(&mut self, at: Instant, line: &[u8], request: Request) {
        if let Request::Hello { device, .. } = request {
            self.note(at, CloudEvent::Hello { fingerprint: device, answered: self.is_heard() });
        }
        match request {
            Request::Connect { host, port } => self.connect(at, &host, port),
            _ if !self.is_heard() || self.has_repeated_answer(at, line) => {}
            Request::Hello { nonce, device } => {
                let challenge = self.challenge(nonce, device);
                self.answer(at, line, challenge);
            }
            Request::Proof { proof } => {
                if let Some(judgement) = self.judge(at, proof) {
                    self.answer(at, line, judgement);
                }
            }
            Request::Rekey => {
                let reply = self.rekey(at);
                self.answer(at, line, reply);
            }
            Request::Rekeyed { device } => {
                self.note(at, CloudEvent::Rekeyed { fingerprint: device });
                self.session = Session::Closed;
            }
        }
    }

    /// Whether lines after `~connect` reach a server at all.
    fn is_heard(&self) -> bool {
        match self.behaviour {
            Behaviour::Genuine | Behaviour::Wrong { .. } => true,
            Behaviour::Silent | Behaviour::Unreachable => false,
        }
    }

    /// Answers a line that the device repeats as the first time. False if it is not a repeated one.
    fn has_repeated_answer(&mut self, at: Instant, line: &[u8]) -> bool {
        let Some(answered) = self.answered.as_ref().filter(|answered| answered.line == line) else { return false };
        let reply = answered.reply.clone();
        self.send(at, &reply);
        true
    }

    fn answer(&mut self, at: Instant, line: &[u8], reply: Reply) {
        self.send(at, &reply);
        self.answered = Some(Answered { line: line.to_vec(), reply });
    }

    /// The network's part: a datagram link opens wherever the way is free, so a silent server cannot be told from a present one.
    fn connect(&mut self, at: Instant, host: &str, port: u16) {
        self.session = Session::Closed;
        self.answered = None;
        let expected = ServerAddress::decode(self.address.expose());
        let right_place = expected.is_ok_and(|expected| {
            expected.host.to_string() == host && expected.port.is_none_or(|expected| expected == port)
        });
        if self.behaviour == Behaviour::Unreachable || !right_place {
            self.note(at, CloudEvent::LinkRefused { asked: format!("{host}:{port}") });
            return self.send(at, &Reply::Refused);
        }
        self.note(at, CloudEvent::LinkOpened);
        self.send(at, &Reply::Connected);
    }

    fn challenge(&mut self, client: Digest, device: Fingerprint) -> Reply {
        let server_key = match &self.behaviour {
            Behaviour::Wrong { server } => server,
            Behaviour::Genuine | Behaviour::Silent | Behaviour::Unreachable => &self.server,
        };
        let nonce = Digest::from_bytes(self.nonces.next_u64().to_be_bytes());
        let parts = [&client.bytes()[..], &nonce.bytes(), server_key.expose(), self.address.expose()];
        self.session = Session::Challenged { client, server: nonce, device };
        Reply::Challenge { nonce, proof: handshake_hash(parts) }
    }

    fn judge(&mut self, at: Instant, proof: Digest) -> Option<Reply> {
        let Session::Challenged { client, server, device } = self.session else {
            self.note(at, CloudEvent::OutOfOrder { line: "~proof" });
            return None;
        };
        self.session = Session::Closed;
        let expected = self
            .identities
            .find(device)
            .map(|key| handshake_hash([&server.bytes()[..], &client.bytes(), key.expose()]));
        match expected {
            Some(expected) if expected == proof => {
                self.session = Session::Connected { device };
                let decided = self.identities.proven(device);
                decided.into_iter().for_each(|event| self.note(at, event));
                self.note(at, CloudEvent::Connected { fingerprint: device });
                Some(Reply::Welcome)
            }
            Some(_) => Some(self.reject(at, device, Rejection::WrongProof)),
            None => Some(self.reject(at, device, Rejection::UnknownIdentity)),
        }
    }

    fn rekey(&mut self, at: Instant) -> Reply {
        match self.session {
            Session::Connected { device } => {
                let key = self.identities.offer(device);
                self.note(at, CloudEvent::KeyOffered { old: device, new: key.fingerprint() });
                Reply::NewKey(key)
            }
            Session::Challenged { device, .. } => self.reject(at, device, Rejection::NotConnected),
            Session::Closed => {
                self.note(at, CloudEvent::OutOfOrder { line: "~rekey" });
                Reply::Reject
            }
        }
    }

    fn reject(&mut self, at: Instant, fingerprint: Fingerprint, reason: Rejection) -> Reply {
        self.note(at, CloudEvent::Rejected { fingerprint, reason });
        Reply::Reject
    }

    fn send(&mut self, at: Instant, reply: &Reply) {
        let send = CloudSend { bytes: reply.bytes(), description: reply.to_string(), secret: reply.is_secret() };
        self.outbox.push_back((at + self.latency, send));
    }

    fn note(&mut self, at: Instant, event: CloudEvent) {
        self.events.push_back((at, event));
    }
}

#[cfg(test)]
mod tests {
    use brickproof_keys::Slot;
    use proptest::prelude::*;

    use super::*;

    macro_rules! slot {
        ($slot:ident, $file:literal) => {
            SlotContent::new(Slot::$slot, include_bytes!(concat!("../../../fixtures/keys/", $file))).unwrap()
        };
    }

    fn old_key() -> SlotContent {
        slot!(DevicePrivate, "device-old.sec1.der")
    }

    fn new_key() -> SlotContent {
        slot!(DevicePrivate, "device-new.sec1.der")
    }

    fn cloud(behaviour: Behaviour) -> Cloud {
        Cloud::new(CloudConfig {
            behaviour,
            latency: Span::millis(40),
            devices: vec![old_key()],
            server: slot!(ServerPublic, "server.spki.der"),
            address: slot!(ServerAddress, "server-address.bin"),
            next_device_keys: vec![new_key()],
            seed: 1,
        })
    }

    /// A device of a few lines: enough to hold up its end of the protocol.
    struct Device {
        key: SlotContent,
        nonce: u64,
    }

    /// How a handshake ended, seen from the device.
    #[derive(Debug, PartialEq, Eq)]
    enum Ending {
        Welcome,
        Reject,
        Refused,
        Silence,
        WrongServer,
    }

    impl Device {
        fn with(key: SlotContent) -> Self {
            Self { key, nonce: 0 }
        }

        fn handshake(&mut self, cloud: &mut Cloud) -> Ending {
            match say(cloud, "~connect lantern.invalid 5684\r\n").as_deref() {
                Some("~connected\n") => {}
                Some("~refused\n") => return Ending::Refused,
                other => panic!("{other:?}"),
            }
            self.nonce += 1;
            let client = Digest::from_bytes(self.nonce.to_be_bytes());
            let Some(challenge) = say(cloud, &format!("~hello {client} {}", self.key.fingerprint())) else {
                return Ending::Silence;
            };
            let fields: Vec<&str> = challenge.trim_end().split(' ').collect();
            let server = Digest::from_hex(fields[1].as_bytes()).unwrap();
            let (server_key, address) =
                (slot!(ServerPublic, "server.spki.der"), slot!(ServerAddress, "server-address.bin"));
            let expected =
                handshake_hash([&client.bytes()[..], &server.bytes(), server_key.expose(), address.expose()]);
            if fields[2] != expected.to_string() {
                return Ending::WrongServer;
            }
            let proof = handshake_hash([&server.bytes()[..], &client.bytes(), self.key.expose()]);
            match say(cloud, &format!("~proof {proof}\r")).as_deref() {
                Some("~welcome\n") => Ending::Welcome,
                Some("~reject\n") => Ending::Reject,
                other => panic!("{other:?}"),
            }
        }
    }

    fn say(cloud: &mut Cloud, line: &str) -> Option<String> {
        let now = Instant::START + Span::secs(3);
        cloud.observe_line(now, line.as_bytes());
        let (due, send) = cloud.poll()?;
        assert_eq!(due, now + Span::millis(40), "latency");
        assert_eq!(cloud.poll(), None, "one answer to one line");
        Some(String::from_utf8(send.bytes).unwrap())
    }

    fn events(cloud: &mut Cloud) -> String {
        std::iter::from_fn(|| cloud.poll_event()).map(|(_, event)| event.to_string()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_renewed_identity_is_the_only_one() {
        let mut cloud = cloud(Behaviour::Genuine);
        assert_eq!(cloud.renew(new_key()), Some(old_key().fingerprint()));
        assert_eq!(cloud.accepted().collect::<Vec<_>>(), [new_key().fingerprint()]);
        assert_eq!(cloud.connected(), None);
    }

    #[test]
    fn each_behaviour_ends_a_handshake_in_its_own_way() {
        let wrong = Behaviour::Wrong { server: slot!(ServerPublic, "server-other.spki.der") };
        for (behaviour, ending, connected) in [
            (Behaviour::Genuine, Ending::Welcome, true),
            (Behaviour::Silent, Ending::Silence, false),
            (wrong, Ending::WrongServer, false),
            (Behaviour::Unreachable, Ending::Refused, false),
        ] {
            let mut cloud = cloud(behaviour.clone());
            assert_eq!(Device::with(old_key()).handshake(&mut cloud), ending, "{behaviour:?}");
            assert_eq!(cloud.connected().is_some(), connected);
        }
    }

    #[test]
    fn a_device_that_is_not_registered_or_lacks_the_key_is_rejected() {
        let mut cloud = cloud(Behaviour::Genuine);
        assert_eq!(Device::with(new_key()).handshake(&mut cloud), Ending::Reject);
        say(&mut cloud, "~hello 0000000000000009 1da0e8329da0beb6");
        assert_eq!(say(&mut cloud, "~proof 0000000000000000").as_deref(), Some("~reject\n"));
        insta::assert_snapshot!(events(&mut cloud), @"
        link opened
        hello from 6bc6e8d6aeaf4a91, answered
        rejected 6bc6e8d6aeaf4a91: unknown identity
        hello from 1da0e8329da0beb6, answered
        rejected 1da0e8329da0beb6: wrong proof
        ");
    }

    #[test]
    fn a_device_that_asks_for_another_place_is_refused() {
        let mut cloud = cloud(Behaviour::Silent);
        assert_eq!(say(&mut cloud, "~connect lantern.example 5684").as_deref(), Some("~refused\n"));
        assert_eq!(say(&mut cloud, "~connect lantern.invalid 443").as_deref(), Some("~refused\n"));
        assert_eq!(events(&mut cloud), "link to lantern.example:5684 refused\nlink to lantern.invalid:443 refused");
    }

    #[test]
    fn a_rotation_that_completes_moves_the_identity() {
        let mut cloud = cloud(Behaviour::Genuine);
        assert_eq!(Device::with(old_key()).handshake(&mut cloud), Ending::Welcome);
        let offer = say(&mut cloud, "~rekey 0000000000000002").unwrap();
        let hex: String = new_key().expose_used().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(offer, format!("~newkey {hex}\n"));
        assert_eq!(cloud.accepted().count(), 2);
        assert_eq!(say(&mut cloud, "~rekeyed 6bc6e8d6aeaf4a91"), None);
        assert_eq!(Device::with(new_key()).handshake(&mut cloud), Ending::Welcome);
        assert_eq!(cloud.accepted().collect::<Vec<_>>(), [new_key().fingerprint()]);
        assert_eq!(Device::with(old_key()).handshake(&mut cloud), Ending::Reject, "the old identity is void");
        insta::assert_snapshot!(events(&mut cloud), @"
        link opened
        hello from 1da0e8329da0beb6, answered
        connected as 1da0e8329da0beb6
        offered key 6bc6e8d6aeaf4a91 in place of 1da0e8329da0beb6
        device says it has stored key 6bc6e8d6aeaf4a91
        link opened
        hello from 6bc6e8d6aeaf4a91, answered
        identity changed from 1da0e8329da0beb6 to 6bc6e8d6aeaf4a91
        connected as 6bc6e8d6aeaf4a91
        link opened
        hello from 1da0e8329da0beb6, answered
        rejected 1da0e8329da0beb6: unknown identity
        ");
    }

    #[test]
    fn a_rotation_that_is_cut_may_end_with_either_identity_and_is_then_decided() {
        let mut cloud = cloud(Behaviour::Genuine);
        Device::with(old_key()).handshake(&mut cloud);
        say(&mut cloud, "~rekey 0000000000000002");
        events(&mut cloud);
        let mut other = cloud.clone();
        assert_eq!(Device::with(old_key()).handshake(&mut cloud), Ending::Welcome);
        assert!(events(&mut cloud).contains("identity 1da0e8329da0beb6 kept, offered 6bc6e8d6aeaf4a91 void"));
        assert_eq!(Device::with(new_key()).handshake(&mut cloud), Ending::Reject);
        assert_eq!(Device::with(new_key()).handshake(&mut other), Ending::Welcome, "a clone goes its own way");
    }

    #[test]
    fn a_repeated_line_gets_the_same_bytes_and_a_new_one_gets_new_ones() {
        let mut cloud = cloud(Behaviour::Genuine);
        let hello = "~hello 0000000000000001 1da0e8329da0beb6";
        let first = say(&mut cloud, hello);
        assert_eq!(say(&mut cloud, hello), first);
        assert_ne!(say(&mut cloud, "~hello 0000000000000002 1da0e8329da0beb6"), first);
        Device::with(old_key()).handshake(&mut cloud);
        let offer = say(&mut cloud, "~rekey 0000000000000007");
        assert_eq!(say(&mut cloud, "~rekey 0000000000000007"), offer);
        let fresh = say(&mut cloud, "~rekey 0000000000000008");
        assert!(fresh.is_some() && fresh != offer, "an offer that was not taken is void");
        assert_eq!(cloud.accepted().count(), 2);
    }

    #[test]
    fn a_firewall_may_come_up_and_go_away() {
        let mut cloud = cloud(Behaviour::Genuine);
        let mut device = Device::with(old_key());
        assert_eq!(device.handshake(&mut cloud), Ending::Welcome);
        cloud.set_behaviour(Behaviour::Silent);
        assert_eq!(say(&mut cloud, "~rekey 0000000000000002"), None);
        assert_eq!(device.handshake(&mut cloud), Ending::Silence);
        cloud.set_behaviour(Behaviour::Genuine);
        assert_eq!(device.handshake(&mut cloud), Ending::Welcome);
    }

    #[test]
    fn lines_out_of_order_are_told_and_not_believed() {
        let mut cloud = cloud(Behaviour::Genuine);
        assert_eq!(say(&mut cloud, "~proof 0000000000000000"), None);
        assert_eq!(say(&mut cloud, "~rekey 0000000000000000").as_deref(), Some("~reject\n"));
        assert_eq!(say(&mut cloud, "~hello oops"), None);
        assert_eq!(say(&mut cloud, "0000000001 [system] INFO: Cloud connected"), None);
        assert_eq!(
            events(&mut cloud),
            "`~proof` out of order\n`~rekey` out of order\nunreadable cloud line `~hello` of 11 bytes"
        );
    }

    #[test]
    fn a_private_key_is_in_no_description_and_no_debug_output() {
        let mut cloud = cloud(Behaviour::Genuine);
        Device::with(old_key()).handshake(&mut cloud);
        cloud.observe_line(Instant::START, b"~rekey 0000000000000002");
        let shown = format!("{cloud:?}");
        let (_, send) = cloud.poll().unwrap();
        assert!(send.secret);
        assert_eq!(send.description, "~newkey [device key 6bc6e8d6aeaf4a91]");
        let bytes = String::from_utf8(send.bytes.clone()).unwrap();
        // The scalar of the key: its bytes 7 to 38.
        let scalar = &bytes["~newkey ".len() + 14..][..16];
        for text in [shown, format!("{send:?}"), format!("{cloud:?}")] {
            assert!(!text.contains(scalar), "{text}");
            assert!(!text.contains("119, 2, 1, 1, 4, 32"), "{text}");
        }
    }

    #[test]
    fn the_seed_decides_the_nonces() {
        let challenge = |seed| {
            let mut cloud = cloud(Behaviour::Genuine);
            cloud.nonces = SplitMix64::new(seed);
            say(&mut cloud, "~hello 0000000000000001 1da0e8329da0beb6")
        };
        assert_eq!(challenge(3), challenge(3));
        assert_ne!(challenge(3), challenge(4));
    }

    fn line() -> impl Strategy<Value = Vec<u8>> {
        let real = prop::sample::select(vec![
            "~connect lantern.invalid 5684",
            "~hello 0000000000000001 1da0e8329da0beb6",
            "~proof 0011223344556677",
            "~rekey 0000000000000001",
            "~rekeyed 6bc6e8d6aeaf4a91",
        ]);
        let damaged = (real.clone(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(line, at, byte)| {
            let mut line = line.as_bytes().to_vec();
            let at = at.index(line.len());
            line[at] = byte;
            line
        });
        prop_oneof![real.prop_map(|line| line.as_bytes().to_vec()), damaged, prop::collection::vec(any::<u8>(), 0..40)]
    }

    proptest! {
        /// Whatever a device says: no panic, at most one answer to a line, and nobody gets in without the key.
        #[test]
        fn no_lines_panic_and_none_get_in_without_a_proof(lines in prop::collection::vec(line(), 0..30)) {
            let mut cloud = cloud(Behaviour::Genuine);
            for line in lines {
                cloud.observe_line(Instant::START, &line);
                let answers = std::iter::from_fn(|| cloud.poll()).count();
                prop_assert!(answers <= 1);
                prop_assert_eq!(cloud.connected(), None);
                prop_assert_eq!(cloud.accepted().collect::<Vec<_>>(), vec![old_key().fingerprint()]);
            }
        }
    }
}
