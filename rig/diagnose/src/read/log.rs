//! Signs in a serial log of Device OS, and how long its handshakes took by the device's own clock.
//!
//! Boundary: one line after the other, in the order in which they came. Lines that are no log lines say nothing.

use brickproof_console::{LogLevel, LogRecord};
use brickproof_units::Span;

use crate::observed::Observed;
use crate::sign::{Channel, Sign};

/// What a message must contain, and what it is a sign of. The texts are those of the facts that `hardware/README.md` names, v1.4.4 unless said.
const MESSAGES: [(&str, Sign); 34] = [
    ("handshake failed -6800", Sign::LogSilence),
    ("handshake failed -7b00", Sign::LogBadProof),
    ("handshake failed -4e00", Sign::LogBadProof),
    ("handshake failed -7780", Sign::LogAlert),
    ("handshake failed -3d00", Sign::LogServerKeyUnreadable),
    ("handshake failed -3b00", Sign::LogServerKeyUnreadable),
    ("unable to parse negotiated pub key", Sign::LogServerKeyUnreadable),
    // In hexadecimal: error 16.
    ("setup_contex error 10", Sign::LogServerKeyUnreadable),
    ("error initializing DTLS channel: 16", Sign::LogServerKeyUnreadable),
    ("Error extracting public key", Sign::LogDeviceKeyUnreadable),
    ("Unable to receive key -19", Sign::LogPeerClosed),
    ("Unable to receive key -18", Sign::LogPeerClosed),
    ("Could not receive nonce: -19", Sign::LogPeerClosed),
    ("Could not receive nonce: -18", Sign::LogPeerClosed),
    ("Unable to receive key -1", Sign::LogReceiveTimeout),
    ("Could not receive nonce: -1", Sign::LogReceiveTimeout),
    ("Cloud socket connection failed", Sign::LogNoConnection),
    ("Internet Test Failed!", Sign::LogNoInternet),
    ("Internet available, Cloud not reachable!", Sign::LogOnlyCloudAway),
    ("Public Server Key was blank", Sign::LogServerKeyRestored),
    ("Server settings are invalid", Sign::LogServerKeyRestored),
    ("Public Server Address was blank", Sign::LogAddressRestored),
    ("bad server address", Sign::LogAddressRestored),
    ("defaulting to device.spark.io", Sign::LogAddressRestored),
    ("Device key was blank", Sign::LogDeviceKeyMade),
    ("Device key was lost", Sign::LogDeviceKeyMade),
    ("Handling cloud error: 6", Sign::LogDecryption),
    ("Handling cloud error: 8", Sign::LogAuthentication),
    ("Cloud handshake failed", Sign::LogHandshakeFailed),
    ("handshake failed with code", Sign::LogHandshakeFailed),
    ("Cloud connected", Sign::LogConnected),
    ("Cloud: connecting", Sign::LogConnecting),
    ("Listening mode", Sign::LogListening),
    // Lines of a panic have a level of their own as well.
    ("PANIC", Sign::LogPanic),
];

/// What begins a handshake, and what ends one that failed.
const BEGINNINGS: [&str; 2] = ["Starting handshake", "Establish secure connection"];
const ENDINGS: [&str; 5] = [
    "handshake failed",
    "Unable to receive key",
    "Could not receive nonce",
    "Error extracting public key",
    "error initializing DTLS",
];

/// A device that restarted by itself so often does not do so by chance.
const SEVERAL: u32 = 2;

/// The signs of a message.
pub(crate) fn of_message(message: &str) -> Vec<Sign> {
    of_message_in(message, str::to_owned)
}

/// The signs of a message in which everything is written as `spelt` spells it.
pub(crate) fn of_message_in(message: &str, spelt: fn(&str) -> String) -> Vec<Sign> {
    let contained = MESSAGES.iter().filter(|(text, _)| contains_whole(message, &spelt(text)));
    contained.map(|(_, sign)| *sign).collect()
}

/// Whether `text` stands in `message` and a number at its end is not part of a longer one.
fn contains_whole(message: &str, text: &str) -> bool {
    let ends_in_number = text.ends_with(|c: char| c.is_ascii_digit());
    message.match_indices(text).any(|(at, _)| {
        let behind = message[at + text.len()..].chars().next();
        !ends_in_number || !behind.is_some_and(|c| c.is_ascii_digit())
    })
}

/// Reads a log.
#[derive(Clone, Debug)]
pub(crate) struct LogReader {
    /// A handshake that took at least so long was met with silence.
    silence: Span,
    began: Option<Span>,
    latest: Option<Span>,
    watched: Span,
    restarts: u32,
}

impl LogReader {
    /// For a board that gives up after `silence`.
    pub(crate) fn new(silence: Span) -> Self {
        Self { silence, began: None, latest: None, watched: Span::ZERO, restarts: 0 }
    }

    /// Reads one line.
    pub(crate) fn read(&mut self, line: &[u8], observed: &mut Observed) {
        let Some(record) = LogRecord::parse(line) else { return };
        let evidence = || String::from_utf8_lossy(line).trim_end().to_owned();
        let uptime = Span::millis(record.uptime.get().into());
        self.keep_time(uptime, &evidence, observed);
        observed.watch(Channel::Log, self.watched);
        for sign in of_message(&record.message) {
            observed.see(sign, evidence());
        }
        if record.level == Some(LogLevel::Panic) {
            observed.see(Sign::LogPanic, evidence());
        }
        if BEGINNINGS.iter().any(|text| record.message.contains(text)) {
            self.began.get_or_insert(uptime);
        }
        if ENDINGS.iter().any(|text| record.message.contains(text))
            && let Some(began) = self.began.take()
        {
            let took = Span::new(uptime.get().saturating_sub(began.get()));
            if let Some(sign) = timed(took, self.silence) {
                observed.see(sign, format!("{took}: {}", evidence()));
            }
        }
        if record.message.contains("Cloud connected") {
            self.began = None;
        }
    }

    /// The device is restarted by who watches it.
    pub(crate) fn restarted_on_purpose(&mut self) {
        self.latest = None;
        self.began = None;
    }

    fn keep_time(&mut self, uptime: Span, evidence: &dyn Fn() -> String, observed: &mut Observed) {
        match self.latest {
            // Lines of two tasks may change places by a little; a clock that goes back by more began anew.
            Some(latest) if uptime + BACKWARDS < latest => {
                self.restarts += 1;
                self.began = None;
                if self.restarts >= SEVERAL {
                    observed
                        .see(Sign::LogRestarts, format!("{} restarts, the last before: {}", self.restarts, evidence()));
                }
            }
            Some(latest) => self.watched = self.watched + Span::new(uptime.get().saturating_sub(latest.get())),
            None => {}
        }
        self.latest = Some(uptime);
    }
}

const BACKWARDS: Span = Span::millis(500);

/// Whether a handshake that failed after `took` was met with silence. Neither, where one cannot say.
pub(crate) fn timed(took: Span, silence: Span) -> Option<Sign> {
    let percent = took.get().saturating_mul(100) / silence.get().max(1);
    match percent {
        0..=70 => Some(Sign::Answer),
        85..=130 => Some(Sign::Silence),
        _ => None,
    }
}
