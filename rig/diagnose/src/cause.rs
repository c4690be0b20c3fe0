//! What can be wrong.
//!
//! Boundary: names and what to do. How each shows itself is [`knowledge`](crate::knowledge)'s.

use std::fmt;

/// One thing that is wrong, or that nothing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// The server's public key on the board is damaged, blank or another server's.
    ServerKey,
    /// The board's own private key is damaged or not the one that the cloud knows.
    DeviceKey,
    /// The server's address on the board is wrong.
    ServerAddress,
    /// Something between board and cloud drops its packets.
    NetworkBlocked,
    /// The server is there and does not want this board, or anybody; it says so, or nothing.
    ServerRefusing,
    /// The board has no network that it may join.
    WifiCredentials,
    /// The board belongs to a product, so that its owner may not change its key.
    RegisteredToProduct,
    /// An update was begun and not finished.
    FailedUpdate,
    /// The firmware crashes.
    FirmwareCrash,
    /// Nothing: it is connected.
    Healthy,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::ServerKey,
        Self::DeviceKey,
        Self::ServerAddress,
        Self::NetworkBlocked,
        Self::ServerRefusing,
        Self::WifiCredentials,
        Self::RegisteredToProduct,
        Self::FailedUpdate,
        Self::FirmwareCrash,
        Self::Healthy,
    ];

    /// Its name in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ServerKey => "server_key",
            Self::DeviceKey => "device_key",
            Self::ServerAddress => "server_address",
            Self::NetworkBlocked => "network_blocked",
            Self::ServerRefusing => "server_refusing",
            Self::WifiCredentials => "wifi_credentials",
            Self::RegisteredToProduct => "registered_to_product",
            Self::FailedUpdate => "failed_update",
            Self::FirmwareCrash => "firmware_crash",
            Self::Healthy => "healthy",
        }
    }

    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::ServerKey => "the server's key on the board is damaged or another server's",
            Self::DeviceKey => "the board's own key is damaged or not the one that the cloud knows",
            Self::ServerAddress => "the server's address on the board is wrong",
            Self::NetworkBlocked => "the network drops what the board sends to its cloud, or what comes back",
            Self::ServerRefusing => "the server refuses, or hears the board and says nothing",
            Self::WifiCredentials => "the board has lost the network that it may join",
            Self::RegisteredToProduct => {
                "the board belongs to a product, so that its key cannot be registered by its owner"
            }
            Self::FailedUpdate => "an update was not finished",
            Self::FirmwareCrash => "the firmware crashes",
            Self::Healthy => "nothing is wrong: the board is connected",
        }
    }

    /// What helps, in an imperative.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::ServerKey => "write the server's key and address again (`particle keys server`)",
            Self::DeviceKey => {
                "give the board a new identity and register it (`particle keys doctor`); whatever trusts the old public key breaks"
            }
            Self::ServerAddress => "write the server's key and address again (`particle keys server`)",
            Self::NetworkBlocked => {
                "try another network; then let the cloud's port through the firewall, in both directions"
            }
            Self::ServerRefusing => {
                "see whether other boards connect; the cloud's status, and whether this board is claimed and not blocked"
            }
            Self::WifiCredentials => "set the network up again, in listening mode",
            Self::RegisteredToProduct => {
                "ask the product's owner to approve or to remove the board, then register its key"
            }
            Self::FailedUpdate => "flash system and user parts again, over USB in DFU mode",
            Self::FirmwareCrash => {
                "flash a firmware that is known to run; the SOS code and the last lines say where it crashed"
            }
            Self::Healthy => "nothing",
        }
    }

    /// Whether its remedy writes to keys.
    pub const fn is_of_keys(self) -> bool {
        matches!(self, Self::ServerKey | Self::DeviceKey | Self::ServerAddress)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One cause, or two at a time: a battery that dies takes what lies in one page together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hypothesis {
    /// One.
    One(Cause),
    /// Two, the lesser first.
    Two(Cause, Cause),
}

impl Hypothesis {
    /// Every single cause, and the pairs that show themselves: what is kept in flash together. Where one cause hides the other, as a blocked
    /// network hides a bad key, only the first can be diagnosed.
    pub fn all() -> impl Iterator<Item = Self> {
        const TOGETHER: [Cause; 4] = [Cause::ServerKey, Cause::DeviceKey, Cause::ServerAddress, Cause::WifiCredentials];
        let pairs = (0..TOGETHER.len())
            .flat_map(|one| (one + 1..TOGETHER.len()).map(move |other| Self::Two(TOGETHER[one], TOGETHER[other])));
        Cause::ALL.into_iter().map(Self::One).chain(pairs)
    }

    /// Its causes.
    pub fn causes(self) -> impl Iterator<Item = Cause> {
        let (one, other) = match self {
            Self::One(cause) => (cause, None),
            Self::Two(one, other) => (one, Some(other)),
        };
        std::iter::once(one).chain(other)
    }
}

impl fmt::Display for Hypothesis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(cause) => cause.fmt(f),
            Self::Two(one, other) => write!(f, "{one}+{other}"),
        }
    }
}
