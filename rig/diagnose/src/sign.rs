//! What can be seen of a board that is not well.
//!
//! Boundary: names. How a sign is recognised in a log, a light or a sentence is `read`'s.

/// Where a sign is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// The status light.
    Light,
    /// The serial log.
    Log,
    /// How long a failed handshake took.
    Timing,
    /// What somebody tells who was there.
    Told,
}

macro_rules! signs {
    ($($(#[$doc:meta])* $name:ident, $channel:ident, $words:literal;)+) => {
        /// Something that was seen, or was not.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Sign {
            $($(#[$doc])* $name,)+
        }

        impl Sign {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Where it is seen.
            pub const fn channel(self) -> Channel {
                match self {
                    $(Self::$name => Channel::$channel,)+
                }
            }

            /// In words.
            pub const fn words(self) -> &'static str {
                match self {
                    $(Self::$name => $words,)+
                }
            }
        }
    };
}

signs! {
    /// `network_connecting` or `network_dhcp`.
    LightNetwork, Light, "green, blinking: it joins a network";
    /// `network_connected`.
    LightNoCloud, Light, "green, breathing: a network and no cloud";
    /// `cloud_connecting`.
    LightConnecting, Light, "cyan, blinking: it looks for its cloud";
    /// `cloud_handshake`.
    LightHandshake, Light, "cyan, blinking fast: the handshake";
    /// `cloud_connected`.
    LightConnected, Light, "cyan, breathing: connected";
    /// `handshake_error`.
    LightRed, Light, "one red flash: a handshake failed";
    /// `decryption_error`.
    LightOrange, Light, "one orange flash: what came could not be decrypted";
    /// `authentication_error`.
    LightMagenta, Light, "one magenta flash: an authentication error";
    /// `no_internet`.
    LightTwoOrange, Light, "two orange flashes: no connection, and no internet";
    /// `cloud_unreachable`.
    LightThreeOrange, Light, "three orange flashes: no connection, and the internet is there";
    /// `listening_mode`.
    LightListening, Light, "blue, blinking slowly: it listens for a network's credentials";
    /// `key_generation`.
    LightKeyGeneration, Light, "white, blinking: it makes itself a key";
    /// `firmware_update`.
    LightUpdate, Light, "magenta, blinking: an update";
    /// `safe_mode`.
    LightSafe, Light, "magenta, breathing: safe mode";
    /// `dfu_mode`.
    LightDfu, Light, "yellow, blinking: DFU mode";
    /// `sos`.
    LightSos, Light, "SOS: a panic";
    /// No light at all.
    LightDark, Light, "dark all the while";
    /// `-6800`: nobody answered.
    LogSilence, Log, "the handshake timed out (-6800)";
    /// `-7b00`, `-4e00`: the server's proof does not fit its key.
    LogBadProof, Log, "the server's signature does not fit the key that the board has (-7b00, -4e00)";
    /// `-7780`: a fatal alert.
    LogAlert, Log, "the server sent a fatal alert (-7780)";
    /// Code 16, `-3d00`, `-3b00`.
    LogServerKeyUnreadable, Log, "the server's key cannot be parsed (code 16)";
    /// `Error extracting public key`.
    LogDeviceKeyUnreadable, Log, "the board's own key cannot be parsed";
    /// `-19`, `-18`: the peer closed or reset the connection.
    LogPeerClosed, Log, "the server closed the connection (-19)";
    /// `Could not receive nonce: -1`.
    LogReceiveTimeout, Log, "nothing came for 20 s, or it was given up here (-1)";
    /// `Cloud socket connection failed`.
    LogNoConnection, Log, "the connection to the cloud failed";
    /// `Internet Test Failed!`.
    LogNoInternet, Log, "the internet test failed";
    /// `Internet available, Cloud not reachable!`.
    LogOnlyCloudAway, Log, "the internet is there and the cloud is not";
    /// `Public Server Key was blank`, `Server settings are invalid`.
    LogServerKeyRestored, Log, "the server's key or settings had to be restored";
    /// `Public Server Address was blank`, `bad server address`.
    LogAddressRestored, Log, "the server's address had to be restored";
    /// `Device key was blank`.
    LogDeviceKeyMade, Log, "the board made itself a new key";
    /// `Handling cloud error: 6`.
    LogDecryption, Log, "cloud error 6: what came could not be decrypted";
    /// `Handling cloud error: 8`.
    LogAuthentication, Log, "cloud error 8: authentication";
    /// `Cloud handshake failed`.
    LogHandshakeFailed, Log, "a handshake failed";
    /// `Cloud connected`.
    LogConnected, Log, "it says that it is connected";
    /// `Cloud: connecting`.
    LogConnecting, Log, "it tries to connect";
    /// `Listening mode`.
    LogListening, Log, "it says that it listens";
    /// `PANIC`.
    LogPanic, Log, "a panic";
    /// Its clock began anew, and again.
    LogRestarts, Log, "it restarted by itself several times";
    /// A handshake failed after a silence.
    Silence, Timing, "the handshake failed after a long silence";
    /// A handshake failed at once: somebody answered.
    Answer, Timing, "the handshake failed soon: somebody answered";
    /// It was made so by an update.
    AfterUpdate, Told, "it began with an update";
    /// ... by a battery.
    AfterPowerLoss, Told, "it began when a battery went flat or the power failed";
    /// ... by moving it.
    AfterMove, Told, "it began in another place, or behind another firewall";
    /// Other boards in the same place do not connect either.
    OthersToo, Told, "others in the same place do not connect either";
    /// It connects through another network.
    OtherNetworkHelps, Told, "it connects through another network";
    /// It does not.
    OtherNetworkFails, Told, "it does not connect through another network either";
    /// The address in its slot is not that of a board that connects.
    AddressDiffers, Told, "the server's address on the board is not that of a board that connects";
    /// Nor is the server's key.
    ServerKeyDiffers, Told, "the server's key on the board is not that of a board that connects";
    /// The key that the cloud has of it is another.
    DeviceKeyDiffers, Told, "the board's public key is not the one that the cloud has";
    /// The cloud refused to register its key.
    PermissionDenied, Told, "registering its key was denied";
}
