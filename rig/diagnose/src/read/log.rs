//! Signs in a serial log of Device OS, and how long its handshakes took by the device's own clock.
//!
//! Boundary: one line after the other, in the order in which they came. Lines that are no log lines say nothing.

use brickproof_boards::Transport;
use brickproof_console::{CodeTable, Explained, LogLevel, LogRecord, explain};
use brickproof_units::Span;

use super::Silences;
use crate::observed::Observed;
use crate::sign::{Channel, Sign};

/// What a message must contain, and what it is a sign of. Sources: the texts of `brickproof-console`'s explanations, `system_task.cpp` and
/// `system_cloud_internal.cpp` of device-os v1.4.4, and lantern's protocol.
pub(super) const MESSAGES: [(&str, Sign); 20] = [
    ("unable to parse negotiated pub key", Sign::LogServerKeyUnreadable),
    ("Error extracting public key", Sign::LogDeviceKeyUnreadable),
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
    ("Cloud handshake failed", Sign::LogHandshakeFailed),
    ("handshake failed with code", Sign::LogHandshakeFailed),
    ("Handshake failed", Sign::LogHandshakeFailed),
    ("Unable to receive key", Sign::LogHandshakeFailed),
    ("Could not receive nonce", Sign::LogHandshakeFailed),
    ("Cloud connected", Sign::LogConnected),
    ("Cloud: connecting", Sign::LogConnecting),
    ("Listening mode", Sign::LogListening),
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

/// What the numbers of a line are signs of, by the tables that they are from.
fn of_numbers(line: &[u8], message: &str) -> Vec<Sign> {
    let sign = |it: Explained| match (it.table, it.code) {
        (Some(CodeTable::MbedTls), code) => of_mbedtls(code),
        (Some(CodeTable::ProtocolError), 6) => Some(Sign::LogDecryption),
        (Some(CodeTable::ProtocolError), 8) => Some(Sign::LogAuthentication),
        (Some(CodeTable::ProtocolError), 16) => Some(Sign::LogServerKeyUnreadable),
        (Some(CodeTable::Wiced), -19 | -18) => Some(Sign::LogPeerClosed),
        // 20 s without an answer, or it was given up here.
        (None, -1) if message.contains("nonce") || message.contains("receive key") => Some(Sign::LogReceiveTimeout),
        _ => None,
    };
    explain(line).into_iter().filter_map(sign).collect()
}

/// An error of mbedTLS may have one of a lower module in its last seven bits.
fn of_mbedtls(code: i64) -> Option<Sign> {
    match -code & !0x7f {
        0x6800 => Some(Sign::LogSilence),
        0x7b00 | 0x4e00 => Some(Sign::LogBadProof),
        0x7780 => Some(Sign::LogAlert),
        0x3900..=0x3f80 => Some(Sign::LogServerKeyUnreadable),
        _ => None,
    }
}

/// What a board says about itself, and not a program of its owner's.
fn is_of_the_system(category: Option<&str>) -> bool {
    category.is_none_or(|category| !category.starts_with("app"))
}

/// How a board speaks with its cloud, by who logs.
fn transport_of(category: &str) -> Option<Transport> {
    match category {
        "comm.dtls" => Some(Transport::Udp),
        "comm.CoreProtocol.handshake" | "comm.sparkprotocol.handshake" => Some(Transport::Tcp),
        _ => None,
    }
}

/// A device that restarted by itself so often does not do so by chance.
const SEVERAL: u32 = 2;

/// Reads a log.
#[derive(Clone, Debug)]
pub(crate) struct LogReader {
    /// A handshake that nobody answers is given up after one of these.
    silence: Silences,
    began: Option<Span>,
    latest: Option<Span>,
    watched: Span,
    restarts: u32,
    lines: u64,
    transport: Option<Transport>,
}

impl LogReader {
    /// For a board that gives up after one of `silence`.
    pub(crate) fn new(silence: Silences) -> Self {
        Self { silence, began: None, latest: None, watched: Span::ZERO, restarts: 0, lines: 0, transport: None }
    }

    /// How many lines were lines of a log.
    pub(crate) fn lines(&self) -> u64 {
        self.lines
    }

    /// How the board speaks with its cloud, if a line told.
    pub(crate) fn transport(&self) -> Option<Transport> {
        self.transport
    }

    /// Reads one line.
    pub(crate) fn read(&mut self, line: &[u8], observed: &mut Observed) {
        let Some(record) = LogRecord::parse(line) else { return };
        let evidence = || String::from_utf8_lossy(line).trim_end().to_owned();
        let uptime = Span::millis(record.uptime.get().into());
        self.keep_time(uptime, &evidence, observed);
        observed.watch(Channel::Log, self.watched);
        self.lines += 1;
        self.transport = self.transport.or(record.category.as_deref().and_then(transport_of));
        if record.level == Some(LogLevel::Panic) {
            observed.see(Sign::LogPanic, evidence());
        }
        if !is_of_the_system(record.category.as_deref()) {
            return;
        }
        let known = MESSAGES.iter().filter(|(text, _)| record.message.contains(text)).map(|(_, sign)| *sign);
        for sign in known.chain(of_numbers(line, &record.message)) {
            observed.see(sign, evidence());
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

/// Whether a handshake that failed after `took` was met with silence, by a board that gives up after one of `silence`. Neither, where one
/// cannot say.
pub(crate) fn timed(took: Span, silence: Silences) -> Option<Sign> {
    let percent = |whole: &Span| took.get().saturating_mul(100) / whole.get().max(1);
    if silence.iter().any(|whole| (85..=130).contains(&percent(whole))) {
        Some(Sign::Silence)
    } else {
        silence.iter().all(|whole| percent(whole) <= 70).then_some(Sign::Answer)
    }
}
