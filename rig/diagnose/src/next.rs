//! What to measure next: the cheapest thing whose outcome is one with the first cause and another with the second.
//!
//! Boundary: advice. None of it is done here.

use crate::cause::{Cause, Hypothesis};
use crate::observed::Observed;
use crate::sign::{Channel, Sign};

/// Something to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurement {
    /// What to do, in an imperative.
    pub what: &'static str,
    /// What it shows if the first is right.
    pub first: &'static str,
    /// ... and if the second is.
    pub second: &'static str,
    /// The sign that it decides, if it is one by itself: seen or not.
    pub decides: Option<Sign>,
}

/// A measurement, and what it shows with each cause; `None` where it says nothing.
struct Known {
    what: &'static str,
    shows: fn(Cause) -> Option<&'static str>,
    decides: Decides,
}

/// What is known once it is done.
enum Decides {
    /// Whether that is so.
    Sign(Sign),
    /// How long a failed handshake takes.
    Timing,
    /// Everything that is seen there.
    Channel(Channel),
}

impl Decides {
    fn is_known(&self, observed: &Observed) -> bool {
        let known = |sign| observed.seen(sign).is_some() || observed.is_denied(sign);
        match self {
            Self::Sign(sign) => known(*sign),
            // Where no handshake was seen to fail there is none to be timed.
            Self::Timing => {
                let failed = [Sign::LightRed, Sign::LightOrange, Sign::LightMagenta, Sign::LogHandshakeFailed];
                known(Sign::Silence) || known(Sign::Answer) || failed.iter().all(|sign| observed.seen(*sign).is_none())
            }
            Self::Channel(channel) => observed.was_watched(*channel),
        }
    }
}

const TIMING: Known = Known {
    what: "measure how long the light blinks cyan fast before the flash, or read the log's own times",
    shows: |cause| match cause {
        Cause::NetworkBlocked => Some("45 s (20 s on TCP): nobody answered"),
        Cause::ServerKey | Cause::DeviceKey | Cause::ServerRefusing | Cause::RegisteredToProduct => {
            Some("a second or two: somebody answered")
        }
        _ => None,
    },
    decides: Decides::Timing,
};

const LIGHT: Known = Known {
    what: "watch the light for a minute from power-up",
    shows: |cause| match cause {
        Cause::WifiCredentials => Some("blue, blinking slowly"),
        Cause::FirmwareCrash => Some("SOS"),
        Cause::FailedUpdate => Some("magenta or yellow, never cyan"),
        Cause::ServerAddress | Cause::ServerRefusing => Some("cyan, then orange flashes"),
        Cause::ServerKey | Cause::DeviceKey | Cause::NetworkBlocked | Cause::RegisteredToProduct => {
            Some("cyan fast, then a flash")
        }
        Cause::Healthy => Some("cyan, breathing"),
    },
    decides: Decides::Channel(Channel::Light),
};

const LOG: Known = Known {
    what: "read the log on the UART for two minutes",
    shows: |cause| match cause {
        Cause::ServerKey => Some("-7b00, -4e00 or code 16; on TCP -19"),
        Cause::DeviceKey | Cause::RegisteredToProduct => Some("-7780: a fatal alert of the server"),
        Cause::NetworkBlocked => Some("-6800 after 45 s, or a connection that fails with the internet test"),
        Cause::ServerAddress | Cause::ServerRefusing => Some("`Internet available, Cloud not reachable!`"),
        Cause::WifiCredentials => Some("nothing about a cloud"),
        Cause::FailedUpdate => Some("the system's start over and over, or nothing"),
        Cause::FirmwareCrash => Some("a PANIC line, or restarts"),
        Cause::Healthy => Some("`Cloud connected`"),
    },
    decides: Decides::Channel(Channel::Log),
};

const NETWORK: Known = Known {
    what: "let it join another network, such as a telephone's",
    shows: |cause| match cause {
        Cause::NetworkBlocked => Some("it connects"),
        Cause::Healthy | Cause::WifiCredentials => None,
        _ => Some("nothing changes"),
    },
    decides: Decides::Sign(Sign::OtherNetworkHelps),
};

const ADDRESS: Known = Known {
    what: "read the server's address from its slot, and compare it with a board that connects",
    shows: |cause| match cause {
        Cause::ServerAddress => Some("it differs"),
        Cause::ServerKey
        | Cause::DeviceKey
        | Cause::ServerRefusing
        | Cause::NetworkBlocked
        | Cause::RegisteredToProduct => Some("it is the same"),
        _ => None,
    },
    decides: Decides::Sign(Sign::AddressDiffers),
};

const SERVER_KEY: Known = Known {
    what: "read the server's key from its slot, and compare its fingerprint with that of a board that connects",
    shows: |cause| match cause {
        Cause::ServerKey => Some("it differs"),
        Cause::DeviceKey
        | Cause::ServerAddress
        | Cause::ServerRefusing
        | Cause::NetworkBlocked
        | Cause::RegisteredToProduct => Some("it is the same"),
        _ => None,
    },
    decides: Decides::Sign(Sign::ServerKeyDiffers),
};

const DEVICE_KEY: Known = Known {
    what: "compare the board's public key with the one that the cloud has of it",
    shows: |cause| match cause {
        Cause::DeviceKey => Some("it differs, or there is none"),
        Cause::ServerKey | Cause::ServerAddress | Cause::ServerRefusing | Cause::NetworkBlocked => {
            Some("it is the same")
        }
        _ => None,
    },
    decides: Decides::Sign(Sign::DeviceKeyDiffers),
};

const OTHERS: Known = Known {
    what: "see whether another board connects from the same place",
    shows: |cause| match cause {
        Cause::NetworkBlocked | Cause::ServerRefusing => Some("it does not"),
        Cause::ServerKey
        | Cause::DeviceKey
        | Cause::ServerAddress
        | Cause::WifiCredentials
        | Cause::RegisteredToProduct => Some("it does"),
        _ => None,
    },
    decides: Decides::Sign(Sign::OthersToo),
};

const REGISTER: Known = Known {
    what: "register the board's public key as it is, without making a new one",
    shows: |cause| match cause {
        Cause::RegisteredToProduct => Some("permission denied"),
        Cause::DeviceKey => Some("it is taken; the board connects if its key is whole"),
        Cause::ServerKey | Cause::ServerRefusing | Cause::ServerAddress => Some("it is taken, and nothing changes"),
        _ => None,
    },
    decides: Decides::Sign(Sign::PermissionDenied),
};

/// Those that only look come first, and what writes comes last.
const KNOWN: [Known; 9] = [LIGHT, TIMING, LOG, ADDRESS, SERVER_KEY, DEVICE_KEY, OTHERS, NETWORK, REGISTER];

/// What separates `first` from `second` and has not been done.
pub(crate) fn separating(first: Hypothesis, second: Hypothesis, observed: &Observed) -> Option<Measurement> {
    // What both have in common tells nothing.
    let only_in =
        |one: Hypothesis, other: Hypothesis| one.causes().filter(move |cause| other.causes().all(|it| it != *cause));
    let undone = KNOWN.iter().filter(|known| !known.decides.is_known(observed));
    undone.into_iter().find_map(|known| {
        let shows = |one, other| only_in(one, other).find_map(known.shows);
        let both = |one: Hypothesis| one.causes().find_map(known.shows);
        // A pair against one of its own: the other cause is what is looked for.
        let (shown_first, shown_second) = match (shows(first, second), shows(second, first)) {
            (Some(one), Some(other)) => (one, other),
            (Some(one), None) if only_in(second, first).next().is_none() => (one, both(second)?),
            (None, Some(other)) if only_in(first, second).next().is_none() => (both(first)?, other),
            _ => return None,
        };
        let decides = if let Decides::Sign(sign) = known.decides { Some(sign) } else { None };
        (shown_first != shown_second).then_some(Measurement {
            what: known.what,
            first: shown_first,
            second: shown_second,
            decides,
        })
    })
}
