//! What the cloud saw of the board's attempts to connect: enough to tell a key that is wrong from a network that is silent.
//!
//! Boundary: it follows the cloud's events. The light is the same red flash in both cases, so the light is not consulted.

use brickproof_cloud::{CloudEvent, Rejection};
use brickproof_keys::Fingerprint;
use brickproof_scenario::plan::{CloudBehaviour, Identity};
use brickproof_units::Instant;

use crate::verdict::Blame;

/// The attempts so far.
#[derive(Clone, Debug)]
pub(crate) struct Handshakes {
    /// How the cloud was told to behave.
    ordered: CloudBehaviour,
    attempts: u32,
    last: Option<Attempt>,
    connected: Option<(Identity, Instant)>,
    /// The identity that the cloud handed out during the trial.
    issued: Option<Fingerprint>,
}

#[derive(Clone, Debug)]
struct Attempt {
    began: Instant,
    /// How the cloud was told to behave when the attempt came as far as it did.
    under: CloudBehaviour,
    stage: Stage,
}

#[derive(Clone, Debug)]
enum Stage {
    /// The way to the server is free and the board has said nothing yet.
    Linked,
    /// The board asked for the wrong place, or there is no way.
    Refused {
        asked: String,
    },
    /// The board said hello and the cloud kept silent.
    Unanswered {
        first_hello: Instant,
    },
    /// The cloud proved itself; the proof of the board is due.
    Challenged {
        hello: Instant,
    },
    Rejected {
        fingerprint: Fingerprint,
        reason: Rejection,
    },
    Connected,
}

/// The last attempt in a sentence.
pub(crate) struct Story {
    pub(crate) at: Instant,
    pub(crate) text: String,
    /// Who kept the board from connecting.
    pub(crate) blame: Blame,
}

impl Default for Handshakes {
    fn default() -> Self {
        Self { ordered: CloudBehaviour::Genuine, attempts: 0, last: None, connected: None, issued: None }
    }
}

impl Handshakes {
    /// The cloud does as it was told, from now on.
    pub(crate) fn cloud_is(&mut self, ordered: CloudBehaviour) {
        self.ordered = ordered;
    }

    pub(crate) fn see(&mut self, now: Instant, event: &CloudEvent) {
        match event {
            CloudEvent::LinkOpened => self.begin(now, Stage::Linked),
            CloudEvent::LinkRefused { asked } => self.begin(now, Stage::Refused { asked: asked.clone() }),
            CloudEvent::Hello { answered: true, .. } => self.go_on(Stage::Challenged { hello: now }),
            CloudEvent::Hello { answered: false, .. } => {
                let first_hello = match &self.last {
                    Some(Attempt { stage: Stage::Unanswered { first_hello }, .. }) => *first_hello,
                    _ => now,
                };
                self.go_on(Stage::Unanswered { first_hello });
            }
            CloudEvent::Rejected { fingerprint, reason } => {
                self.go_on(Stage::Rejected { fingerprint: *fingerprint, reason: *reason });
            }
            CloudEvent::Connected { fingerprint } => {
                self.go_on(Stage::Connected);
                let identity = if self.issued == Some(*fingerprint) { Identity::Rotated } else { Identity::Unchanged };
                self.connected = Some((identity, now));
            }
            CloudEvent::KeyOffered { new, .. } => self.issued = Some(*new),
            _ => {}
        }
    }

    fn begin(&mut self, began: Instant, stage: Stage) {
        self.attempts += 1;
        self.last = Some(Attempt { began, under: self.ordered, stage });
    }

    fn go_on(&mut self, stage: Stage) {
        if let Some(last) = &mut self.last {
            last.stage = stage;
            last.under = self.ordered;
        }
    }

    /// The board's key was touched or its power was lost at `at`: which identity it had before says nothing about the one it has now.
    pub(crate) fn forget_connection_before(&mut self, at: Instant) {
        self.connected.take_if(|(_, connected)| *connected <= at);
    }

    /// With which identity the board last connected, and when.
    pub(crate) fn connected_as(&self) -> Option<(Identity, Instant)> {
        self.connected
    }

    /// What the last attempt came to, as far as the cloud knows; `None` if it is connected or never tried.
    pub(crate) fn story(&self, now: Instant) -> Option<Story> {
        let Attempt { began, under, stage } = self.last.as_ref()?;
        let text = match stage {
            Stage::Connected => return None,
            Stage::Linked => "the board opened the link and said nothing".to_owned(),
            Stage::Refused { asked } => format!("the link to {asked} was refused"),
            Stage::Unanswered { first_hello } => {
                let silence = now.since(*first_hello);
                format!("the board's hello got no answer for {silence}: packets were lost, the keys were not tried")
            }
            Stage::Challenged { hello } => {
                format!("the board does not accept the server's key: answered at {hello}, it gave no proof")
            }
            Stage::Rejected { fingerprint, reason: Rejection::UnknownIdentity } => {
                format!("the device key is not the registered one: the cloud does not know the identity {fingerprint}")
            }
            Stage::Rejected { fingerprint, reason } => format!("the cloud rejected {fingerprint}: {reason}"),
        };
        let text = format!("{text} (attempt {} to connect, begun at {began})", self.attempts);
        Some(Story { at: *began, text, blame: self.blame(*under, stage) })
    }

    /// Nobody connects through a firewall that the scenario ordered; a board that the genuine cloud does not answer is not to blame. One
    /// that did not try again since the cloud became genuine is.
    fn blame(&self, under: CloudBehaviour, stage: &Stage) -> Blame {
        match (self.ordered, under, stage) {
            (CloudBehaviour::Genuine, CloudBehaviour::Genuine, Stage::Unanswered { .. }) => Blame::Bench,
            (CloudBehaviour::Genuine, _, _) => Blame::Firmware,
            _ => Blame::Scenario,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_nanos(seconds * 1_000_000_000)
    }

    fn key(byte: u8) -> Fingerprint {
        Fingerprint::of(&[byte; 192])
    }

    #[test]
    fn silence_is_told_from_a_refused_key() {
        let mut silent = Handshakes::default();
        silent.see(at(1), &CloudEvent::LinkOpened);
        silent.see(at(1), &CloudEvent::Hello { fingerprint: key(1), answered: false });
        silent.see(at(4), &CloudEvent::Hello { fingerprint: key(1), answered: false });
        let story = silent.story(at(46)).unwrap();
        assert_eq!(story.blame, Blame::Bench);
        assert!(story.text.contains("no answer for 45s"), "{}", story.text);

        let mut refused = Handshakes::default();
        refused.see(at(1), &CloudEvent::LinkOpened);
        refused.see(at(1), &CloudEvent::Hello { fingerprint: key(1), answered: true });
        let story = refused.story(at(46)).unwrap();
        assert_eq!(story.blame, Blame::Firmware);
        assert!(story.text.contains("does not accept the server's key"), "{}", story.text);
    }

    #[test]
    fn an_ordered_silence_is_the_scenarios_until_the_cloud_is_genuine_again() {
        let mut it = Handshakes::default();
        it.cloud_is(CloudBehaviour::Silent);
        it.see(at(1), &CloudEvent::LinkOpened);
        it.see(at(1), &CloudEvent::Hello { fingerprint: key(1), answered: false });
        assert_eq!(it.story(at(2)).unwrap().blame, Blame::Scenario);
        it.cloud_is(CloudBehaviour::Genuine);
        assert_eq!(it.story(at(9)).unwrap().blame, Blame::Firmware, "it did not ask again");
        it.see(at(10), &CloudEvent::Hello { fingerprint: key(1), answered: false });
        assert_eq!(it.story(at(11)).unwrap().blame, Blame::Bench, "the genuine cloud answers");
    }

    #[test]
    fn the_identity_is_rotated_only_if_the_cloud_issued_it() {
        let mut it = Handshakes::default();
        it.see(at(0), &CloudEvent::LinkOpened);
        it.see(at(1), &CloudEvent::Connected { fingerprint: key(1) });
        assert_eq!(it.connected_as(), Some((Identity::Unchanged, at(1))));
        it.see(at(2), &CloudEvent::KeyOffered { old: key(1), new: key(2) });
        it.see(at(3), &CloudEvent::Connected { fingerprint: key(1) });
        assert_eq!(it.connected_as(), Some((Identity::Unchanged, at(3))));
        it.see(at(4), &CloudEvent::Connected { fingerprint: key(2) });
        assert_eq!(it.connected_as(), Some((Identity::Rotated, at(4))));
        assert!(it.story(at(5)).is_none());
    }
}
