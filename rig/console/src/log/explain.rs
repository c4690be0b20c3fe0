//! What a number in a log line means: the line says which table it is from.
//!
//! Boundary: a help for people. Only lines of the log whose whole message is known are explained; the same number in another category, in another
//! text or outside the log may mean anything, and nothing is said about it.
//!
//! Sources of the texts, device-os v1.4.4 where nothing else is said: `system/src/system_task.cpp:403`; `communication/src/protocol.cpp:299`;
//! `dtls_message_channel.cpp:340-411`; `dtls_protocol.cpp:49`; `core_protocol.cpp:147-172` (category `comm.sparkprotocol.handshake` until 0.7.0;
//! until 0.5.5 the same texts after `Handshake: `). `Event loop error` and the later texts of the handshake: docs.particle.io, "comm.protocol
//! errors". `key rotation failed`: `fixtures/firmware/PROTOCOL.md`, with the same numbers.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use crate::lines::display;
use crate::log::codes::{self, CodeTable};
use crate::log::{LogFormat, format};

/// A number in a log line, explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// Where the number stands in the line, as byte offsets.
    pub span: Range<usize>,
    /// The number, with the sign that its table gives it: `handshake failed -6800` is -26624.
    pub code: i64,
    /// The table it is from. `None` if it is not from a table, whatever it looks like.
    pub table: Option<CodeTable>,
    /// What the table calls it, without the prefix that all its names share.
    pub name: Option<Cow<'static, str>>,
    /// What it means, as the end of a sentence.
    pub meaning: Cow<'static, str>,
    /// Where that is written.
    pub source: &'static str,
}

impl fmt::Display for Explained {
    /// As it stands beside the line: `mbedTLS SSL_TIMEOUT: no answer, however often asked`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(table) = self.table {
            write!(f, "{table} ")?;
        }
        if let Some(name) = &self.name {
            write!(f, "{name}: ")?;
        }
        f.write_str(&self.meaning)
    }
}

/// How a text prints its number, and which table it is from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Number {
    /// `%d` of a `ProtocolError`.
    Protocol,
    /// `%x` of a `ProtocolError`: 16 is printed as 10.
    ProtocolHex,
    /// `%d` of what the handshake came to: below zero it is the socket's, above a `ProtocolError`.
    Handshake,
    /// `%d` of what reading from the socket came to.
    Socket,
    /// `-%x` of an error of mbedTLS, whose sign was turned.
    MbedTls,
    /// `%x` of an error of mbedTLS as it is: `ffff9800` is -6800.
    MbedTlsComplement,
    /// `%d` of an error of mbedTLS.
    MbedTlsDecimal,
    /// `%d` of what became of the kept session.
    Session,
    /// `%d` without an argument: whatever was in the register.
    Garbage,
}

/// A text that ends in a number.
struct Text {
    /// The categories that print it; none for old logs, which have no categories.
    categories: &'static [&'static str],
    before: &'static str,
    number: Number,
}

const SYSTEM: &[&str] = &["system"];
const DTLS: &[&str] = &["comm.dtls"];
const TCP: &[&str] = &["comm.CoreProtocol.handshake", "comm.coreprotocol.handshake", "comm.sparkprotocol.handshake"];
const HANDSHAKE: &[&str] = &["comm.protocol.handshake"];
const PROTOCOL: &[&str] = &["comm.protocol"];
const OLD: &[&str] = &[];

const TEXTS: [Text; 21] = [
    Text { categories: SYSTEM, before: "Cloud handshake failed, code=", number: Number::Handshake },
    Text { categories: HANDSHAKE, before: "handshake failed with code ", number: Number::Protocol },
    Text { categories: HANDSHAKE, before: "Handshake failed: ", number: Number::Protocol },
    Text { categories: PROTOCOL, before: "Handshake: could not receive HELLO response ", number: Number::Protocol },
    Text { categories: PROTOCOL, before: "Event loop error ", number: Number::Protocol },
    // Lantern's own: Device OS never changes a key over the air.
    Text { categories: PROTOCOL, before: "key rotation failed ", number: Number::MbedTls },
    Text { categories: &["comm"], before: "error initializing DTLS channel: ", number: Number::Protocol },
    Text { categories: DTLS, before: "handshake failed ", number: Number::MbedTls },
    Text { categories: DTLS, before: "unable to parse negotiated pub key: ", number: Number::MbedTls },
    Text { categories: DTLS, before: "mbedtls_ssl_write returned ", number: Number::MbedTlsComplement },
    // Sic, in Device OS.
    Text { categories: DTLS, before: "setup_contex error ", number: Number::ProtocolHex },
    Text { categories: DTLS, before: "(CMPL,RENEG,NO_SESS,ERR) restoreStatus=", number: Number::Session },
    Text { categories: TCP, before: "Could not receive nonce: ", number: Number::Socket },
    Text { categories: TCP, before: "Unable to receive key ", number: Number::Socket },
    Text { categories: TCP, before: "RSA encrypt error ", number: Number::MbedTlsDecimal },
    Text { categories: TCP, before: "Could not set key, ", number: Number::Garbage },
    Text { categories: OLD, before: "Cloud handshake failed, code=", number: Number::Handshake },
    Text { categories: OLD, before: "Handshake: could not receive nonce: ", number: Number::Socket },
    Text { categories: OLD, before: "Handshake: Unable to receive key ", number: Number::Socket },
    Text { categories: OLD, before: "Unable to receive key ", number: Number::Socket },
    Text { categories: OLD, before: "Handshake:  could not set key, ", number: Number::Garbage },
];

/// Explains the numbers of a console line. Empty if there is none that can be.
pub fn explain(line: &[u8]) -> Vec<Explained> {
    let Some(parts) = format::split(line) else { return Vec::new() };
    let is_meant = |text: &&Text| match (parts.format, parts.category) {
        (LogFormat::New, Some(category)) => text.categories.iter().any(|known| known.as_bytes() == category),
        (LogFormat::New, None) => false,
        (LogFormat::Old, _) => text.categories.is_empty(),
    };
    let number = |text: &Text| {
        let digits = parts.message.strip_prefix(text.before.as_bytes())?;
        let begin = parts.message_at + text.before.len();
        meaning(text.number, digits, begin..begin + digits.len())
    };
    TEXTS.iter().filter(is_meant).find_map(number).into_iter().collect()
}

/// A line as text for people, as [`display`] gives it, and behind it, in brackets, what its numbers mean.
pub fn with_explanations(line: &[u8]) -> String {
    explain(line).iter().fold(display(line), |text, it| format!("{text} ({it})"))
}

fn meaning(number: Number, digits: &[u8], span: Range<usize>) -> Option<Explained> {
    let decimal = || format::signed(digits).filter(|(_, rest)| rest.is_empty()).map(|(value, _)| i64::from(value));
    let (table, code) = match number {
        Number::Garbage => return Some(no_code(decimal()?, span, MISSING_ARGUMENT)),
        Number::Socket | Number::Handshake if decimal()? == -1 => return Some(no_code(-1, span, TWO_MEANINGS)),
        Number::Socket => (CodeTable::Wiced, decimal()?),
        Number::Handshake if decimal()? < 0 => (CodeTable::Wiced, decimal()?),
        Number::Handshake | Number::Protocol => (CodeTable::ProtocolError, decimal()?),
        Number::ProtocolHex => (CodeTable::ProtocolError, i64::from(hexadecimal(digits)?)),
        Number::MbedTls => (CodeTable::MbedTls, -i64::from(hexadecimal(digits.strip_prefix(b"-")?)?)),
        Number::MbedTlsComplement => (CodeTable::MbedTls, i64::from(hexadecimal(digits)?.cast_signed())),
        Number::MbedTlsDecimal => (CodeTable::MbedTls, decimal()?),
        Number::Session => (CodeTable::SessionRestore, decimal()?),
    };
    let (name, meaning) = codes::look_up(table, code)?;
    Some(Explained { span, code, table: Some(table), name: Some(name), meaning, source: table.source() })
}

const MISSING_ARGUMENT: (&str, &str) = (
    "not a code: the text asks for a number and is given none, so that it prints whatever is there",
    "device-os v1.4.4 communication/src/core_protocol.cpp:172",
);
const TWO_MEANINGS: (&str, &str) = (
    "one of two: the cloud was silent for 20 s, or this side had closed the connection",
    "device-os v1.4.4 communication/src/core_protocol.cpp, hal/src/photon/socket_hal.cpp",
);

fn no_code(code: i64, span: Range<usize>, (meaning, source): (&'static str, &'static str)) -> Explained {
    Explained { span, code, table: None, name: None, meaning: meaning.into(), source }
}

/// As `%x` prints it: no `0x`, no capitals, no zero in front.
fn hexadecimal(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 8 || digits.len() > 1 && digits[0] == b'0' {
        return None;
    }
    digits.iter().try_fold(0, |value, byte| match byte {
        b'0'..=b'9' => Some(value << 4 | u32::from(byte - b'0')),
        b'a'..=b'f' => Some(value << 4 | u32::from(byte - b'a' + 10)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> String {
        match explain(line.as_bytes()).as_slice() {
            [] => "-".to_owned(),
            [it] => format!("«{}» {} ({it})", &line[it.span.clone()], it.code),
            several => panic!("{several:?}"),
        }
    }

    const STAMP: &str = "0000045461";

    #[test]
    fn a_number_is_explained_by_the_line_that_prints_it() {
        let lines = [
            "[comm.dtls] ERROR: handshake failed -6800",
            "[comm.dtls] dtls_message_channel.cpp:411, establish(): ERROR: handshake failed -7780\r\n",
            "[comm.dtls] WARN: unable to parse negotiated pub key: -3d62",
            "[comm.dtls] ERROR: setup_contex error 10",
            "[comm.dtls] WARN: mbedtls_ssl_write returned ffff9800",
            "[comm.dtls] INFO: (CMPL,RENEG,NO_SESS,ERR) restoreStatus=2",
            "[comm.protocol.handshake] ERROR: handshake failed with code 17",
            "[comm.protocol.handshake] ERROR: Handshake failed: 25",
            "[comm.protocol] ERROR: Event loop error 1",
            "[comm.protocol] ERROR: key rotation failed -6800",
            "[comm] ERROR: error initializing DTLS channel: 16",
            "[system] WARN: Cloud handshake failed, code=17",
            "[system] WARN: Cloud handshake failed, code=-19",
            "[comm.sparkprotocol.handshake] ERROR: Unable to receive key -19",
            "[comm.CoreProtocol.handshake] ERROR: Could not receive nonce: -18",
            "[comm.CoreProtocol.handshake] ERROR: RSA encrypt error -17408",
            "[comm.CoreProtocol.handshake] ERROR: Could not set key, 536887296",
            "[comm.CoreProtocol.handshake] ERROR: Unable to receive key -1",
            "[system] WARN: Cloud handshake failed, code=-1",
        ];
        let told = lines.map(|line| told(&format!("{STAMP} {line}")));
        insta::assert_snapshot!(told.join("\n"), @"
        «-6800» -26624 (mbedTLS SSL_TIMEOUT: no answer, however often asked: a silent network, or a server that ignores the board)
        «-7780» -30592 (mbedTLS SSL_FATAL_ALERT_MESSAGE: the server sent a fatal alert: it does not accept something of the board's)
        «-3d62» -15714 (mbedTLS PK_KEY_INVALID_FORMAT + ASN1_UNEXPECTED_TAG: not a key: its DER has a wrong tag)
        «10» 16 (ProtocolError IO_ERROR_PARSING_SERVER_PUBLIC_KEY: the stored server key cannot be read as a key)
        «ffff9800» -26624 (mbedTLS SSL_TIMEOUT: no answer, however often asked: a silent network, or a server that ignores the board)
        «2» 2 (session NO_SESSION: no session was kept: a whole handshake follows)
        «17» 17 (ProtocolError IO_ERROR_GENERIC_ESTABLISH: the handshake failed; the line of comm.dtls before it says how)
        «25» 25 (ProtocolError IO_ERROR_LIGHTSSL_HANDSHAKE_NONCE: over TCP, the cloud's first message did not come)
        «1» 1 (ProtocolError PING_TIMEOUT: the cloud did not answer a ping)
        «-6800» -26624 (mbedTLS SSL_TIMEOUT: no answer, however often asked: a silent network, or a server that ignores the board)
        «16» 16 (ProtocolError IO_ERROR_PARSING_SERVER_PUBLIC_KEY: the stored server key cannot be read as a key)
        «17» 17 (ProtocolError IO_ERROR_GENERIC_ESTABLISH: the handshake failed; the line of comm.dtls before it says how)
        «-19» -19 (WICED CONNECTION_CLOSED: the peer closed the TCP connection, which is no error of the cryptography)
        «-19» -19 (WICED CONNECTION_CLOSED: the peer closed the TCP connection, which is no error of the cryptography)
        «-18» -18 (WICED CONNECTION_RESET: the peer reset the TCP connection, which is no error of the cryptography)
        «-17408» -17408 (mbedTLS RSA_OUTPUT_TOO_LARGE: the result does not fit)
        «536887296» 536887296 (not a code: the text asks for a number and is given none, so that it prints whatever is there)
        «-1» -1 (one of two: the cloud was silent for 20 s, or this side had closed the connection)
        «-1» -1 (one of two: the cloud was silent for 20 s, or this side had closed the connection)
        ");
    }

    #[test]
    fn an_explanation_stands_behind_the_line_and_garbage_stays_readable() {
        let line = b"0000045461 [comm.dtls] ERROR: handshake failed -3d00";
        assert_eq!(with_explanations(line), format!("{} (mbedTLS PK_KEY_INVALID_FORMAT: not a key)", display(line)));
        assert_eq!(with_explanations(b"code=17\xff"), "code=17\\xff");
    }

    #[test]
    fn old_logs_have_texts_of_their_own() {
        let lines = [
            "ERROR: virtual int SparkProtocol::handshake() (108):Handshake: Unable to receive key -19",
            "WARN : void handle_cloud_connection(bool) (268):Cloud handshake failed, code=-19",
            "ERROR: virtual int SparkProtocol::handshake() (112):Handshake:  could not set key, 0",
            "ERROR: f (1):handshake failed -6800",
        ];
        let told = lines.map(|line| told(&format!("{STAMP}:{line}")));
        insta::assert_snapshot!(told.join("\n"), @"
        «-19» -19 (WICED CONNECTION_CLOSED: the peer closed the TCP connection, which is no error of the cryptography)
        «-19» -19 (WICED CONNECTION_CLOSED: the peer closed the TCP connection, which is no error of the cryptography)
        «0» 0 (not a code: the text asks for a number and is given none, so that it prints whatever is there)
        -
        ");
    }

    #[test]
    fn where_the_table_does_not_apply_nothing_is_explained() {
        for line in [
            // Another category, or none.
            "0000045461 [app] ERROR: Unable to receive key -19",
            "0000045461 [app] ERROR: handshake failed -6800",
            "0000045461 [comm.dtls.x] ERROR: handshake failed -6800",
            "0000045461 ERROR: handshake failed -6800",
            "0000045461 [system] WARN: handshake failed with code 17",
            // Another text in the right one.
            "0000045461 [system] WARN: Cloud socket connection failed: -1",
            "0000045461 [system] INFO: code=17",
            "0000045461 [comm.dtls] ERROR: the handshake failed -6800",
            "0000045461 [comm.dtls] ERROR: handshake failed -6800 times",
            // Attributes are codes of whoever wrote them.
            "0000045461 [comm.dtls] ERROR: failed [code = -19]",
            // Numbers that such a line does not print.
            "0000045461 [comm.dtls] ERROR: handshake failed -0x6800",
            "0000045461 [comm.dtls] ERROR: handshake failed 6800",
            "0000045461 [comm.dtls] ERROR: handshake failed --6800",
            "0000045461 [comm.dtls] ERROR: handshake failed -7B00",
            "0000045461 [comm.dtls] ERROR: handshake failed -ffff9800",
            "0000045461 [comm.dtls] ERROR: handshake failed -123456789",
            "0000045461 [system] WARN: Cloud handshake failed, code=017",
            "0000045461 [system] WARN: Cloud handshake failed, code=17x",
            "0000045461 [system] WARN: Cloud handshake failed, code=",
            // Numbers that are in no table: the socket's errors are those of one network stack.
            "0000045461 [system] WARN: Cloud handshake failed, code=-160",
            "0000045461 [system] WARN: Cloud handshake failed, code=33",
            "0000045461 [comm.CoreProtocol.handshake] ERROR: Unable to receive key 19",
            // Not a line of the log.
            "handshake failed -6800",
            "45461 [comm.dtls] ERROR: handshake failed -6800",
            "> code=17",
        ] {
            assert_eq!(told(line), "-", "{line}");
        }
    }
}
