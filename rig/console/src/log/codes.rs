//! The numbers in Device OS's log and what they stand for, one table for each place that they come from.
//!
//! Boundary: facts about the product. Which table a number belongs to depends on the line that prints it, and is decided in `explain.rs`. They
//! stand here and not in a file under `hardware/`, because no reading of them can be separated from the texts of the log, which only code knows.
//!
//! Sources: `ProtocolError`: device-os `communication/src/protocol_defs.h`, values as compiled from v0.6.3, v0.7.0, v1.4.4 and v3.3.1 for those
//! up to 26; from 27 up counted in the header of a later version, and as in Particle's documentation (docs.particle.io, "comm.protocol errors").
//! The *comments* of that header, before v6.2.0, say 21 twice and are one too low from 22 up. mbedTLS: `ssl.h`, `pk.h`, `ecp.h`, `rsa.h`, `asn1.h`
//! and `bignum.h` of mbedTLS 2. WICED: device-os `hal/src/photon/include/wiced_result.h`, negated in `hal/src/photon/socket_hal.cpp`. Meanings
//! marked "derived" follow from reading the code and were not seen on a device.

use std::borrow::Cow;
use std::fmt;

/// Where a number comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CodeTable {
    /// `ProtocolError` of Device OS's communication library.
    ProtocolError,
    /// Errors of mbedTLS: one of the upper seven bits, one of the lower seven, or the sum of two such.
    MbedTls,
    /// Results of WICED, the network stack of Photon and P1.
    Wiced,
    /// What became of a kept DTLS session.
    SessionRestore,
}

impl CodeTable {
    /// The file that defines the numbers.
    pub fn source(self) -> &'static str {
        match self {
            Self::ProtocolError => "device-os communication/src/protocol_defs.h",
            Self::MbedTls => "mbedTLS 2 include/mbedtls: ssl.h, pk.h, ecp.h, rsa.h, asn1.h, bignum.h",
            Self::Wiced => "device-os hal/src/photon/include/wiced_result.h",
            Self::SessionRestore => "device-os communication/src/dtls_message_channel.cpp",
        }
    }
}

impl fmt::Display for CodeTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ProtocolError => "ProtocolError",
            Self::MbedTls => "mbedTLS",
            Self::Wiced => "WICED",
            Self::SessionRestore => "session",
        })
    }
}

type Row = (u32, &'static str, &'static str);

/// What `code` is called in `table`, and what it means. Codes of mbedTLS and WICED are negative, as their functions return them.
pub(super) fn look_up(table: CodeTable, code: i64) -> Option<(Cow<'static, str>, Cow<'static, str>)> {
    let (rows, value): (&[Row], _) = match table {
        CodeTable::ProtocolError => (&PROTOCOL_ERRORS, code),
        CodeTable::Wiced => (&WICED, code.checked_neg()?),
        CodeTable::SessionRestore => (&SESSION, code),
        CodeTable::MbedTls => return mbedtls(u32::try_from(code.checked_neg()?).ok()?),
    };
    let (name, meaning) = row(rows, u32::try_from(value).ok()?)?;
    Some((name.into(), meaning.into()))
}

fn row(rows: &[Row], value: u32) -> Option<(&'static str, &'static str)> {
    rows.iter().find(|row| row.0 == value).map(|(_, name, meaning)| (*name, *meaning))
}

/// A code of the upper part may carry one of the lower part that says why: `3d62` is a key of which a tag is wrong.
fn mbedtls(value: u32) -> Option<(Cow<'static, str>, Cow<'static, str>)> {
    let (upper, lower) = (value & 0xff80, value & 0x7f);
    match (row(&MBEDTLS_UPPER, upper), row(&MBEDTLS_LOWER, lower)) {
        _ if value > 0xffff => None,
        (Some((name, meaning)), None) if lower == 0 => Some((name.into(), meaning.into())),
        (None, Some((name, meaning))) if upper == 0 => Some((name.into(), meaning.into())),
        (Some((name, meaning)), Some((cause, why))) => {
            Some((format!("{name} + {cause}").into(), format!("{meaning}: {why}").into()))
        }
        _ => None,
    }
}

const PROTOCOL_ERRORS: [Row; 34] = [
    (0, "NO_ERROR", "no error"),
    (1, "PING_TIMEOUT", "the cloud did not answer a ping"),
    (2, "IO_ERROR", "the connection failed, without saying how"),
    (3, "INVALID_STATE", "asked for at the wrong moment"),
    (4, "INSUFFICIENT_STORAGE", "out of memory"),
    (5, "MALFORMED_MESSAGE", "a message could not be read"),
    (
        6,
        "DECRYPTION_ERROR",
        "the cloud's answer could not be decrypted: the device's private key does not fit its public one (derived)",
    ),
    (7, "ENCRYPTION_ERROR", "a message could not be encrypted"),
    (8, "AUTHENTICATION_ERROR", "what the cloud signed does not fit the stored server key (derived)"),
    (9, "BANDWIDTH_EXCEEDED", "too many events in too short a time"),
    (10, "MESSAGE_TIMEOUT", "a message was not answered in time"),
    (11, "MISSING_MESSAGE_ID", "a message has no id"),
    (12, "MESSAGE_RESET", "the cloud reset a message"),
    (13, "SESSION_RESUMED", "no error: a kept session goes on"),
    (14, "IO_ERROR_FORWARD_MESSAGE_CHANNEL", "a message could not be passed on"),
    (15, "IO_ERROR_SET_DATA_MAX_EXCEEDED", "more data than fit"),
    (16, "IO_ERROR_PARSING_SERVER_PUBLIC_KEY", "the stored server key cannot be read as a key"),
    (17, "IO_ERROR_GENERIC_ESTABLISH", "the handshake failed; the line of comm.dtls before it says how"),
    (18, "IO_ERROR_GENERIC_RECEIVE", "receiving failed"),
    (19, "IO_ERROR_GENERIC_SEND", "sending failed"),
    (20, "IO_ERROR_GENERIC_MBEDTLS_SSL_WRITE", "mbedTLS could not send"),
    (21, "IO_ERROR_DISCARD_SESSION", "the session was thrown away on purpose, to begin another"),
    (22, "IO_ERROR_LIGHTSSL_BLOCKING_SEND", "sending failed on the way over TCP"),
    (23, "IO_ERROR_LIGHTSSL_BLOCKING_RECEIVE", "receiving failed on the way over TCP"),
    (24, "IO_ERROR_LIGHTSSL_RECEIVE", "receiving failed on the way over TCP"),
    (25, "IO_ERROR_LIGHTSSL_HANDSHAKE_NONCE", "over TCP, the cloud's first message did not come"),
    (26, "IO_ERROR_LIGHTSSL_HANDSHAKE_RECV_KEY", "over TCP, the session key did not come"),
    (27, "NOT_IMPLEMENTED", "not implemented"),
    (28, "MISSING_REQUEST_TOKEN", "a request has no token"),
    (29, "NOT_FOUND", "not found"),
    (30, "NO_MEMORY", "out of memory"),
    (31, "INTERNAL", "an error inside the library"),
    (32, "OTA_UPDATE_ERROR", "an update over the air failed"),
    (0x7ffff, "UNKNOWN", "an error without a number of its own"),
];

const SESSION: [Row; 4] = [
    (0, "COMPLETE", "a kept session goes on"),
    (1, "RENEGOTIATE", "a kept session is used and the handshake made again"),
    (2, "NO_SESSION", "no session was kept: a whole handshake follows"),
    (3, "ERROR", "the kept session could not be used"),
];

/// `wiced_result_t` from 0 to 31, without success. Of these a socket gives but a few.
const WICED: [Row; 30] = [
    (2, "TIMEOUT", "no answer in time"),
    (3, "PARTIAL_RESULTS", "only part of it was done"),
    (4, "ERROR", "an error, without saying which"),
    (5, "BADARG", "a wrong argument"),
    (6, "BADOPTION", "a mode that is not supported"),
    (7, "UNSUPPORTED", "not supported"),
    (8, "OUT_OF_HEAP_SPACE", "out of memory"),
    (9, "NOTUP", "the network interface is down"),
    (10, "UNFINISHED", "not finished yet"),
    (11, "CONNECTION_LOST", "the connection was lost"),
    (12, "NOT_FOUND", "not found"),
    (13, "PACKET_BUFFER_CORRUPT", "a packet buffer is corrupt"),
    (14, "ROUTING_ERROR", "no route"),
    (15, "BADVALUE", "a wrong value"),
    (16, "WOULD_BLOCK", "it would have to wait"),
    (17, "ABORTED", "aborted"),
    (18, "CONNECTION_RESET", "the peer reset the TCP connection, which is no error of the cryptography"),
    (19, "CONNECTION_CLOSED", "the peer closed the TCP connection, which is no error of the cryptography"),
    (20, "NOT_CONNECTED", "not connected"),
    (21, "ADDRESS_IN_USE", "the address is in use"),
    (22, "NETWORK_INTERFACE_ERROR", "the network interface failed"),
    (23, "ALREADY_CONNECTED", "already connected"),
    (24, "INVALID_INTERFACE", "no such network interface"),
    (25, "SOCKET_CREATE_FAIL", "no socket could be made"),
    (26, "INVALID_SOCKET", "no such socket"),
    (27, "CORRUPT_PACKET_BUFFER", "a packet buffer is corrupt"),
    (28, "UNKNOWN_NETWORK_STACK_ERROR", "an error of the network stack that WICED does not know"),
    (29, "NO_STORED_AP_IN_DCT", "no access point is stored"),
    (30, "STA_JOIN_FAILED", "the access point could not be joined"),
    (31, "PACKET_BUFFER_OVERFLOW", "a packet buffer overflowed"),
];

/// Without the `MBEDTLS_ERR_` that all begin with: what a client's handshake over DTLS, a parsed key or an RSA operation can give.
const MBEDTLS_UPPER: [Row; 65] = [
    (0x3900, "PK_SIG_LEN_MISMATCH", "a signature is valid and followed by more"),
    (0x3980, "PK_FEATURE_UNAVAILABLE", "a kind of key that was not built in"),
    (0x3a00, "PK_UNKNOWN_NAMED_CURVE", "a key on an unknown curve"),
    (0x3a80, "PK_INVALID_ALG", "a key whose algorithm cannot be read"),
    (0x3b00, "PK_INVALID_PUBKEY", "not a public key"),
    (0x3b80, "PK_PASSWORD_MISMATCH", "the wrong password for a key"),
    (0x3c00, "PK_PASSWORD_REQUIRED", "a key needs a password"),
    (0x3c80, "PK_UNKNOWN_PK_ALG", "a key of an unknown kind"),
    (0x3d00, "PK_KEY_INVALID_FORMAT", "not a key"),
    (0x3d80, "PK_KEY_INVALID_VERSION", "a key of an unknown version"),
    (0x3e00, "PK_FILE_IO_ERROR", "a key file cannot be read"),
    (0x3e80, "PK_BAD_INPUT_DATA", "a wrong argument"),
    (0x3f00, "PK_TYPE_MISMATCH", "the wrong kind of key"),
    (0x3f80, "PK_ALLOC_FAILED", "out of memory"),
    (0x4080, "RSA_BAD_INPUT_DATA", "a wrong argument: the key's size does not fit, perhaps"),
    (0x4100, "RSA_INVALID_PADDING", "wrong padding: decrypted with the wrong key, perhaps"),
    (0x4180, "RSA_KEY_GEN_FAILED", "no key could be made"),
    (0x4200, "RSA_KEY_CHECK_FAILED", "the key is not valid"),
    (0x4280, "RSA_PUBLIC_FAILED", "the operation with the public key failed"),
    (0x4300, "RSA_PRIVATE_FAILED", "the operation with the private key failed"),
    (0x4380, "RSA_VERIFY_FAILED", "the signature is not valid"),
    (0x4400, "RSA_OUTPUT_TOO_LARGE", "the result does not fit"),
    (0x4480, "RSA_RNG_FAILED", "no random numbers"),
    (0x4c00, "ECP_SIG_LEN_MISMATCH", "a signature is valid and followed by more"),
    (0x4c80, "ECP_INVALID_KEY", "a key that is not on its curve"),
    (0x4d00, "ECP_RANDOM_FAILED", "no random numbers"),
    (0x4d80, "ECP_ALLOC_FAILED", "out of memory"),
    (
        0x4e00,
        "ECP_VERIFY_FAILED",
        "the signature is not valid: a server key that is one, but not this cloud's (derived)",
    ),
    (0x4e80, "ECP_FEATURE_UNAVAILABLE", "a curve that was not built in"),
    (0x4f00, "ECP_BUFFER_TOO_SMALL", "the result does not fit"),
    (0x4f80, "ECP_BAD_INPUT_DATA", "a wrong argument"),
    (0x6480, "SSL_EARLY_MESSAGE", "a message came early"),
    (0x6600, "SSL_INVALID_VERIFY_HASH", "the hash to verify cannot be set"),
    (0x6680, "SSL_NON_FATAL", "an alert that is not fatal"),
    (0x6700, "SSL_UNEXPECTED_RECORD", "a record that was not expected"),
    (0x6800, "SSL_TIMEOUT", "no answer, however often asked: a silent network, or a server that ignores the board"),
    (0x6880, "SSL_WANT_WRITE", "it has to write first"),
    (0x6900, "SSL_WANT_READ", "it has to read first"),
    (0x6980, "SSL_NO_USABLE_CIPHERSUITE", "no cipher suite can be used"),
    (0x6a00, "SSL_BUFFER_TOO_SMALL", "a message does not fit"),
    (0x6a80, "SSL_HELLO_VERIFY_REQUIRED", "the hello has to be said again"),
    (0x6b00, "SSL_WAITING_SERVER_HELLO_RENEGO", "another message in place of the server's hello"),
    (0x6b80, "SSL_COUNTER_WRAPPING", "too many messages in one session"),
    (0x6c00, "SSL_INTERNAL_ERROR", "an error inside mbedTLS"),
    (0x6c80, "SSL_UNKNOWN_IDENTITY", "an unknown identity"),
    (0x6d00, "SSL_PK_TYPE_MISMATCH", "the wrong kind of key"),
    (0x6e80, "SSL_BAD_HS_PROTOCOL_VERSION", "no version in common"),
    (0x7080, "SSL_FEATURE_UNAVAILABLE", "not built in"),
    (0x7100, "SSL_BAD_INPUT_DATA", "a wrong argument"),
    (0x7180, "SSL_INVALID_MAC", "a message whose code of authentication is wrong"),
    (0x7200, "SSL_INVALID_RECORD", "a record that cannot be read"),
    (0x7280, "SSL_CONN_EOF", "the connection ended"),
    (0x7600, "SSL_PRIVATE_KEY_REQUIRED", "no private key is set"),
    (0x7700, "SSL_UNEXPECTED_MESSAGE", "a message that was not expected"),
    (0x7780, "SSL_FATAL_ALERT_MESSAGE", "the server sent a fatal alert: it does not accept something of the board's"),
    (0x7800, "SSL_PEER_VERIFY_FAILED", "the server could not be verified"),
    (0x7880, "SSL_PEER_CLOSE_NOTIFY", "the server closes the connection"),
    (0x7980, "SSL_BAD_HS_SERVER_HELLO", "the server's hello is wrong"),
    (0x7a00, "SSL_BAD_HS_CERTIFICATE", "the server's certificate is wrong"),
    (0x7a80, "SSL_BAD_HS_CERTIFICATE_REQUEST", "the server's request for a certificate is wrong"),
    (
        0x7b00,
        "SSL_BAD_HS_SERVER_KEY_EXCHANGE",
        "the server's key exchange was refused: its proof is wrong or cannot be read",
    ),
    (0x7b80, "SSL_BAD_HS_SERVER_HELLO_DONE", "the end of the server's hello is wrong"),
    (0x7e00, "SSL_BAD_HS_CHANGE_CIPHER_SPEC", "the server's change of cipher was refused (recalled)"),
    (0x7e80, "SSL_BAD_HS_FINISHED", "the two sides do not agree on the handshake"),
    (0x7f00, "SSL_ALLOC_FAILED", "out of memory"),
];

const MBEDTLS_LOWER: [Row; 13] = [
    (0x04, "MPI_BAD_INPUT_DATA", "a wrong argument"),
    (0x06, "MPI_INVALID_CHARACTER", "a number with a wrong digit"),
    (0x08, "MPI_BUFFER_TOO_SMALL", "a number does not fit"),
    (0x0a, "MPI_NEGATIVE_VALUE", "a number below zero"),
    (0x0c, "MPI_DIVISION_BY_ZERO", "a division by zero"),
    (0x0e, "MPI_NOT_ACCEPTABLE", "a number that is not acceptable"),
    (0x10, "MPI_ALLOC_FAILED", "out of memory"),
    (0x60, "ASN1_OUT_OF_DATA", "its DER ends too early"),
    (0x62, "ASN1_UNEXPECTED_TAG", "its DER has a wrong tag"),
    (0x64, "ASN1_INVALID_LENGTH", "its DER has a wrong length"),
    (0x66, "ASN1_LENGTH_MISMATCH", "its DER is longer or shorter than it says"),
    (0x68, "ASN1_INVALID_DATA", "its DER is wrong"),
    (0x6a, "ASN1_ALLOC_FAILED", "out of memory"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_stands_twice_in_a_table_and_the_parts_of_mbedtls_do_not_overlap() {
        let tables: [&[Row]; 5] = [&PROTOCOL_ERRORS, &SESSION, &WICED, &MBEDTLS_UPPER, &MBEDTLS_LOWER];
        for rows in tables {
            assert!(rows.is_sorted_by(|one, next| one.0 < next.0), "{rows:?}");
        }
        assert!(
            MBEDTLS_UPPER.iter().all(|row| row.0 & 0x7f == 0) && MBEDTLS_LOWER.iter().all(|row| row.0 & 0x7f == row.0)
        );
    }

    #[test]
    fn the_numbers_that_were_compiled_from_the_header_are_those_of_the_table() {
        let compiled = [
            (6, "DECRYPTION_ERROR"),
            (8, "AUTHENTICATION_ERROR"),
            (10, "MESSAGE_TIMEOUT"),
            (16, "IO_ERROR_PARSING_SERVER_PUBLIC_KEY"),
            (17, "IO_ERROR_GENERIC_ESTABLISH"),
            (21, "IO_ERROR_DISCARD_SESSION"),
            // From here up the header's comments are one too low.
            (22, "IO_ERROR_LIGHTSSL_BLOCKING_SEND"),
            (25, "IO_ERROR_LIGHTSSL_HANDSHAKE_NONCE"),
            (26, "IO_ERROR_LIGHTSSL_HANDSHAKE_RECV_KEY"),
            (524_287, "UNKNOWN"),
        ];
        for (code, name) in compiled {
            assert_eq!(look_up(CodeTable::ProtocolError, code).map(|(name, _)| name), Some(name.into()), "{code}");
        }
        assert_eq!(look_up(CodeTable::ProtocolError, 33), None);
        assert_eq!(look_up(CodeTable::ProtocolError, -17), None);
    }

    #[test]
    fn a_code_of_mbedtls_is_explained_whole_or_not_at_all() {
        let name = |value: i64| look_up(CodeTable::MbedTls, -value).map(|(name, _)| name.into_owned());
        assert_eq!(name(0x6800).as_deref(), Some("SSL_TIMEOUT"));
        assert_eq!(name(0x62).as_deref(), Some("ASN1_UNEXPECTED_TAG"));
        assert_eq!(name(0x3d62).as_deref(), Some("PK_KEY_INVALID_FORMAT + ASN1_UNEXPECTED_TAG"));
        for unknown in [0, 0x3d63, 0x1062, 0x1_6800, -0x6800, i64::from(i32::MIN)] {
            assert_eq!(name(unknown), None, "{unknown:#x}");
        }
    }
}
