//! Why an instrument did not do what it was asked: of which device, what the operating system said, what to try.
//!
//! Boundary: words and kinds. Every failure here is the bench's; whoever passes it on must not lay it at the board's door.

use std::fmt;
use std::io;

use brickproof_units::Span;

/// What was asked of which device, and what happened instead.
#[derive(Debug)]
pub struct Failure {
    device: String,
    asked: String,
    kind: FailureKind,
    help: Option<String>,
}

/// What happened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FailureKind {
    /// The driver or the device cannot do this at all.
    #[error("unsupported: {0}")]
    Unsupported(String),
    /// The rig itself does not do this, to protect a board or because its setting up is not complete.
    #[error("refused: {0}")]
    Refused(String),
    /// There is no such device.
    #[error("not found: {0}")]
    Missing(String),
    /// Somebody else holds it.
    #[error("held by somebody else: {0}")]
    Busy(String),
    /// This user may not.
    #[error("not permitted: {0}")]
    Denied(String),
    /// It was there and is gone.
    #[error("gone: {0}")]
    Gone(String),
    /// No answer came in time.
    #[error("no answer within {0}")]
    NoAnswer(Span),
    /// The device answered, and with something else.
    #[error("unexpected answer: {0}")]
    Answer(String),
    /// What was read back differs from what was written.
    #[error("read back differently: {0}")]
    ReadBack(String),
    /// The operating system refused in a way that has no name of its own here.
    #[error("{0}")]
    System(#[source] io::Error),
}

impl Failure {
    /// `asked` reads after "failed to".
    pub fn new(device: impl Into<String>, asked: impl Into<String>, kind: FailureKind) -> Self {
        Self { device: device.into(), asked: asked.into(), kind, help: None }
    }

    /// With what a person might try.
    #[must_use]
    pub fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// An error of the operating system, sorted into the kinds that people act on.
    pub fn system(device: impl Into<String>, asked: impl Into<String>, error: io::Error) -> Self {
        Self::new(device, asked, error.into())
    }

    /// Of which device.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// What was asked.
    pub fn asked(&self) -> &str {
        &self.asked
    }

    /// What happened.
    pub fn kind(&self) -> &FailureKind {
        &self.kind
    }

    /// What happened, for its own sake.
    pub fn into_kind(self) -> FailureKind {
        self.kind
    }

    /// What to try.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed to {}: {}", self.device, self.asked, self.kind)
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.kind)
    }
}

impl From<io::Error> for FailureKind {
    fn from(error: io::Error) -> Self {
        use rustix::io::Errno;
        match (Errno::from_io_error(&error), error.kind()) {
            (Some(Errno::BUSY), _) => Self::Busy(error.to_string()),
            (Some(Errno::NODEV | Errno::NXIO | Errno::IO | Errno::SHUTDOWN), _) => Self::Gone(error.to_string()),
            (_, io::ErrorKind::NotFound) => Self::Missing(error.to_string()),
            (_, io::ErrorKind::PermissionDenied) => Self::Denied(error.to_string()),
            (_, io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => {
                Self::Gone(error.to_string())
            }
            _ => Self::System(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_reads_as_a_sentence_that_names_the_device() {
        let failure = Failure::system(
            "console /dev/ttyACM0",
            "open it at 115200Bd",
            io::Error::from_raw_os_error(rustix::io::Errno::BUSY.raw_os_error()),
        );
        insta::assert_snapshot!(failure, @"console /dev/ttyACM0 failed to open it at 115200Bd: held by somebody else: Device or resource busy (os error 16)");
        assert!(matches!(failure.kind(), FailureKind::Busy(_)));
    }

    #[test]
    fn an_unplugged_device_is_gone_whatever_the_call_was() {
        for errno in [rustix::io::Errno::NODEV, rustix::io::Errno::IO, rustix::io::Errno::NXIO, rustix::io::Errno::PIPE]
        {
            let kind = FailureKind::from(io::Error::from_raw_os_error(errno.raw_os_error()));
            assert!(matches!(kind, FailureKind::Gone(_)), "{errno}: {kind:?}");
        }
    }
}
