//! What was observed of a board, channel by channel, and for how long.
//!
//! Boundary: a record. A sign that was not seen only counts where somebody looked.

use std::collections::{BTreeMap, BTreeSet};

use brickproof_units::Span;

use crate::sign::{Channel, Sign};

/// A sign, and where it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Which.
    pub sign: Sign,
    /// The line, the light or the words.
    pub evidence: String,
    /// How often.
    pub times: u32,
}

/// What is known of a board.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    seen: BTreeMap<Sign, Seen>,
    /// How long each channel was watched without a gap.
    watched: BTreeMap<Channel, Span>,
    /// Asked after and answered with no.
    denied: BTreeSet<Sign>,
}

impl Observed {
    /// Nothing yet.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// Whether nothing is known at all.
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty() && self.denied.is_empty() && self.watched.is_empty()
    }

    /// `sign` was seen. The first evidence of it is kept.
    pub fn see(&mut self, sign: Sign, evidence: impl Into<String>) {
        let seen = self.seen.entry(sign).or_insert_with(|| Seen { sign, evidence: evidence.into(), times: 0 });
        seen.times = seen.times.saturating_add(1);
    }

    /// `channel` was watched for so long, from whatever was watched before.
    pub fn watch(&mut self, channel: Channel, length: Span) {
        let watched = self.watched.entry(channel).or_default();
        *watched = (*watched).max(length);
    }

    /// Somebody looked for `sign`, and it is not so.
    pub fn deny(&mut self, sign: Sign) {
        self.denied.insert(sign);
    }

    /// Whether somebody looked for `sign` and found that it is not so.
    pub fn is_denied(&self, sign: Sign) -> bool {
        self.denied.contains(&sign)
    }

    /// The sign, if it was seen.
    pub fn seen(&self, sign: Sign) -> Option<&Seen> {
        self.seen.get(&sign)
    }

    /// Everything that was seen, in the order of the signs.
    pub fn all(&self) -> impl Iterator<Item = &Seen> {
        self.seen.values()
    }

    /// How much it says that `sign` was not seen: 0, nothing, to 1.
    pub(crate) fn absence(&self, sign: Sign) -> f64 {
        if self.seen.contains_key(&sign) {
            return 0.0;
        }
        if self.denied.contains(&sign) {
            return 1.0;
        }
        match sign.channel() {
            // Of the two ways in which a handshake fails one was not seen only if the other was.
            Channel::Timing => f64::from([Sign::Silence, Sign::Answer].iter().any(|it| self.seen.contains_key(it))),
            Channel::Told => 0.0,
            channel @ (Channel::Light | Channel::Log) => {
                let watched = self.watched.get(&channel).map_or(0, |span| span.get());
                (watched as f64 / ENOUGH.get() as f64).min(1.0)
            }
        }
    }

    /// Whether anybody looked there.
    pub fn was_watched(&self, channel: Channel) -> bool {
        self.watched.contains_key(&channel) || self.seen.keys().any(|sign| sign.channel() == channel)
    }
}

/// What has not shown itself for so long does not: a handshake that nobody answers is given up after 45 s, and begun again at once.
const ENOUGH: Span = Span::secs(60);
