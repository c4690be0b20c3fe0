//! What the cloud saw of the board's attempts to connect: enough to tell a key that is wrong from a network that is silent.
//!
//! Boundary: it follows the cloud's events. The light is the same red flash in both cases, so the light is not consulted.

use brickproof_cloud::{CloudEvent, Rejection};
use brickproof_keys::Fingerprint;
use brickproof_scenario::plan::{CloudBehaviour, CloudSetting, Identity};
use brickproof_units::{Instant, Span};

use crate::verdict::Blame;

/// The attempts so far.
#[derive(Clone, Debug)]
pub(crate) struct Handshakes {
    /// How the cloud was told to behave.
    ordered: CloudSetting,
    attempts: u32,
    last: Option<Attempt>,
    /// The one before it, which came to its end.
    before: Option<Attempt>,
    connected: Option<(Identity, Instant)>,
    /// The identity that the cloud handed out during the trial.
    issued: Option<Fingerprint>,
    /// The identities that the rig gave it during the trial.
    renewed: Vec<Fingerprint>,
}

#[derive(Clone, Debug)]
struct Attempt {
    /// Counted from 1.
    number: u32,
    began: Instant,
    /// How the cloud was told to behave when the attempt came as far as it did.
    under: CloudBehaviour,
    stage: Stage,
    /// When the board gets the answer that brought it to this stage.
    answered_at: Instant,
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
        let ordered = CloudSetting { behaviour: CloudBehaviour::Genuine, latency: Span::ZERO };
        Self { ordered, attempts: 0, last: None, before: None, connected: None, issued: None, renewed: Vec::new() }
    }
}

impl Handshakes {
    /// The cloud does as it was told, from now on.
    pub(crate) fn cloud_is(&mut self, ordered: CloudSetting) {
        self.ordered = ordered;
    }

    /// What the scenario has the cloud do.
    pub(crate) fn cloud(&self) -> CloudBehaviour {
        self.ordered.behaviour
    }

    pub(crate) fn see(&mut self, now: Instant, event: &CloudEvent) {
        match event {
            CloudEvent::LinkOpened => self.begin(now, Stage::Linked),
            CloudEvent::LinkRefused { asked } => self.begin(now, Stage::Refused { asked: asked.clone() }),
            CloudEvent::Hello { answered: true, .. } => self.go_on(now, Stage::Challenged { hello: now }),
            CloudEvent::Hello { answered: false, .. } => {
                let first_hello = match &self.last {
                    Some(Attempt { stage: Stage::Unanswered { first_hello }, .. }) => *first_hello,
                    _ => now,
                };
                self.go_on(now, Stage::Unanswered { first_hello });
            }
            CloudEvent::Rejected { fingerprint, reason } => {
                self.go_on(now, Stage::Rejected { fingerprint: *fingerprint, reason: *reason });
            }
            CloudEvent::Connected { fingerprint } => {
                self.go_on(now, Stage::Connected);
                self.connected = Some((self.identity(*fingerprint), now));
            }
            CloudEvent::KeyOffered { new, .. } => self.issued = Some(*new),
            _ => {}
        }
    }

    /// The rig gave the board this identity.
    pub(crate) fn renewed(&mut self, new: Fingerprint) {
        self.renewed.push(new);
    }

    fn identity(&self, fingerprint: Fingerprint) -> Identity {
        if self.issued == Some(fingerprint) {
            Identity::Rotated
        } else if self.renewed.contains(&fingerprint) {
            Identity::Renewed
        } else {
            Identity::Unchanged
        }
    }

    fn begin(&mut self, began: Instant, stage: Stage) {
        self.attempts += 1;
        self.before = self.last.take();
        let CloudSetting { behaviour: under, latency } = self.ordered;
        self.last = Some(Attempt { number: self.attempts, began, under, stage, answered_at: began + latency });
    }

    fn go_on(&mut self, now: Instant, stage: Stage) {
        let Some(last) = &mut self.last else { return };
        let answered_at = match (&last.stage, &stage) {
            // A hello that is repeated gets the first one's answer.
            (Stage::Challenged { .. }, Stage::Challenged { .. }) => last.answered_at,
            (_, Stage::Unanswered { .. }) => now,
            _ => now + self.ordered.latency,
        };
        *last = Attempt { under: self.ordered.behaviour, stage, answered_at, ..*last };
    }

    /// The board's keys were touched at `at`: which identity it had before says nothing about the one it has now.
    pub(crate) fn forget_connection_before(&mut self, at: Instant) {
        self.connected.take_if(|(_, connected)| *connected <= at);
    }

    /// The board did not run at `at`: what it tried before is over, whatever it came to.
    pub(crate) fn forget_before(&mut self, at: Instant) {
        self.forget_connection_before(at);
        self.last.take_if(|last| last.began <= at);
        self.before.take_if(|before| before.began <= at);
    }

    /// With which identity the board last connected, and when.
    pub(crate) fn connected_as(&self) -> Option<(Identity, Instant)> {
        self.connected
    }

    /// What the last attempt came to, as far as the cloud knows; `None` if it is connected or never tried. An attempt that waits for the
    /// cloud's answer has come to nothing yet: then it is the one before it. If there is none, the answer is to blame only if it takes longer
    /// than the whole time since `waiting`: otherwise the board was late to ask.
    pub(crate) fn story(&self, waiting: Instant, now: Instant) -> Option<Story> {
        let last = self.last.as_ref()?;
        if last.answered_at <= now {
            return self.told(last, now);
        }
        let before = self.before.as_ref().filter(|before| before.answered_at <= last.began);
        if let Some(story) = before.and_then(|before| self.told(before, now)) {
            return Some(story);
        }
        let Attempt { number, began, answered_at, .. } = last;
        if answered_at.since(*began) < now.since(waiting) {
            return None;
        }
        let text = format!(
            "the cloud's answer was on its way until {answered_at} (attempt {number} to connect, begun at {began})"
        );
        Some(Story { at: *began, text, blame: Blame::Scenario })
    }

    fn told(&self, attempt: &Attempt, now: Instant) -> Option<Story> {
        let Attempt { number, began, under, stage, .. } = attempt;
        let text = match stage {
            Stage::Connected => return None,
            Stage::Linked => "the board opened the link and said nothing".to_owned(),
            Stage::Refused { asked } => format!("the link to {asked} was refused"),
            Stage::Unanswered { first_hello } => {
                let silence = now.since(*first_hello);
                let why = match self.blame(*under, stage) {
                    Blame::Scenario => "the scenario has the cloud silent",
                    _ => "packets were lost",
                };
                format!("the board's hello got no answer for {silence}: {why}, the keys were not tried")
            }
            Stage::Challenged { hello } => {
                format!("the board does not accept the server's key: answered at {hello}, it gave no proof")
            }
            Stage::Rejected { fingerprint, reason: Rejection::UnknownIdentity } => {
                format!("the device key is not the registered one: the cloud does not know the identity {fingerprint}")
            }
            Stage::Rejected { fingerprint, reason } => format!("the cloud rejected {fingerprint}: {reason}"),
        };
        let text = format!("{text} (attempt {number} to connect, begun at {began})");
        Some(Story { at: *began, text, blame: self.blame(*under, stage) })
    }

    /// Nobody connects through a firewall that the scenario ordered; a board that the genuine cloud does not answer is not to blame. One
    /// that did not try again since the cloud became genuine is.
    fn blame(&self, under: CloudBehaviour, stage: &Stage) -> Blame {
        match (self.ordered.behaviour, under, stage) {
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
        let story = silent.story(at(46), at(46)).unwrap();
        assert_eq!(story.blame, Blame::Bench);
        assert!(story.text.contains("no answer for 45s"), "{}", story.text);

        let mut refused = Handshakes::default();
        refused.see(at(1), &CloudEvent::LinkOpened);
        refused.see(at(1), &CloudEvent::Hello { fingerprint: key(1), answered: true });
        let story = refused.story(at(46), at(46)).unwrap();
        assert_eq!(story.blame, Blame::Firmware);
        assert!(story.text.contains("does not accept the server's key"), "{}", story.text);
    }

    #[test]
    fn an_ordered_silence_is_the_scenarios_until_the_cloud_is_genuine_again() {
        let mut it = Handshakes::default();
        it.cloud_is(CloudSetting { behaviour: CloudBehaviour::Silent, latency: Span::ZERO });
        it.see(at(1), &CloudEvent::LinkOpened);
        it.see(at(1), &CloudEvent::Hello { fingerprint: key(1), answered: false });
        assert_eq!(it.story(at(2), at(2)).unwrap().blame, Blame::Scenario);
        it.cloud_is(CloudSetting { behaviour: CloudBehaviour::Genuine, latency: Span::ZERO });
        assert_eq!(it.story(at(9), at(9)).unwrap().blame, Blame::Firmware, "it did not ask again");
        it.see(at(10), &CloudEvent::Hello { fingerprint: key(1), answered: false });
        assert_eq!(it.story(at(11), at(11)).unwrap().blame, Blame::Bench, "the genuine cloud answers");
    }

    #[test]
    fn an_answer_that_is_on_its_way_is_waited_for() {
        let mut it = Handshakes::default();
        it.cloud_is(CloudSetting { behaviour: CloudBehaviour::Genuine, latency: Span::secs(10) });
        it.see(at(1), &CloudEvent::LinkOpened);
        let story = it.story(at(10), at(10)).unwrap();
        assert_eq!(story.blame, Blame::Scenario);
        assert!(story.text.contains("answer was on its way until 11.000s"), "{}", story.text);
        assert!(it.story(at(11), at(11)).unwrap().text.contains("opened the link and said nothing"));
        it.see(at(12), &CloudEvent::Hello { fingerprint: key(1), answered: true });
        it.see(at(15), &CloudEvent::Hello { fingerprint: key(1), answered: true });
        assert_eq!(it.story(at(21), at(21)).unwrap().blame, Blame::Scenario);
        assert_eq!(it.story(at(22), at(22)).unwrap().blame, Blame::Firmware, "the first answer came, and no proof");
        it.see(at(30), &CloudEvent::LinkOpened);
        let story = it.story(at(31), at(31)).unwrap();
        assert!(story.text.contains("does not accept the server's key"), "that is what the last whole attempt came to");
        assert!(story.text.contains("attempt 1 "), "{}", story.text);
    }

    #[test]
    fn a_board_that_stopped_tries_nothing_any_more() {
        let mut it = Handshakes::default();
        it.see(at(1), &CloudEvent::LinkOpened);
        it.see(at(2), &CloudEvent::Connected { fingerprint: key(1) });
        it.see(at(3), &CloudEvent::LinkOpened);
        let mut touched = it.clone();
        touched.forget_connection_before(at(4));
        assert!(touched.connected_as().is_none() && touched.story(at(5), at(5)).is_some(), "it runs on");
        it.forget_before(at(4));
        assert!(it.connected_as().is_none() && it.story(at(5), at(5)).is_none());
    }

    #[test]
    fn an_identity_is_told_by_who_gave_it() {
        let mut it = Handshakes::default();
        it.see(at(0), &CloudEvent::LinkOpened);
        it.see(at(1), &CloudEvent::Connected { fingerprint: key(1) });
        assert_eq!(it.connected_as(), Some((Identity::Unchanged, at(1))));
        it.see(at(2), &CloudEvent::KeyOffered { old: key(1), new: key(2) });
        it.see(at(3), &CloudEvent::Connected { fingerprint: key(1) });
        assert_eq!(it.connected_as(), Some((Identity::Unchanged, at(3))));
        it.see(at(4), &CloudEvent::Connected { fingerprint: key(2) });
        assert_eq!(it.connected_as(), Some((Identity::Rotated, at(4))));
        it.renewed(key(3));
        it.see(at(5), &CloudEvent::Connected { fingerprint: key(3) });
        assert_eq!(it.connected_as(), Some((Identity::Renewed, at(5))));
        assert!(it.story(at(5), at(5)).is_none());
    }
}
