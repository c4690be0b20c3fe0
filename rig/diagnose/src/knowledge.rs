//! How each cause shows itself: in which ways, and how likely a sign is in each to be seen where somebody looks for it long enough.
//!
//! Boundary: a table of judgements. They were made from Device OS's source, release 1.4.4 unless said: which error shows which light
//! (`system_task.cpp:185-260, 385-415`), what the handshakes log (`dtls_message_channel.cpp`, `core_protocol.cpp`), that DTLS gives up after 45 s of
//! silence (3 + 6 + 12 + 24) and RSA after 20 s. No board was measured. Where the source decides, a number is near 0 or 1; where it
//! depends on what is damaged, a cause has several ways. What is in no table is as likely as a mistake in looking.

use brickproof_boards::Transport;

use crate::cause::{Cause, Hypothesis};
use crate::sign::Sign;
use crate::sign::Sign as S;

/// A sign that a cause does not bring about is seen all the same: other people's lights, an earlier attempt, a second fault.
const BY_CHANCE: f64 = 0.02;
/// Nothing is certain.
const CERTAIN: f64 = 0.98;

/// How often each is at fault when a board does not connect, before anything is known. Where two show themselves alike, the one goes first whose
/// remedy takes less away: another network before a key, and the server's key before an identity.
const fn prior(cause: Cause) -> f64 {
    match cause {
        Cause::NetworkBlocked => 0.22,
        Cause::ServerKey => 0.14,
        Cause::DeviceKey => 0.10,
        Cause::WifiCredentials | Cause::ServerRefusing | Cause::FirmwareCrash => 0.10,
        Cause::FailedUpdate | Cause::ServerAddress => 0.08,
        Cause::RegisteredToProduct => 0.03,
        Cause::Healthy => 0.05,
    }
}

/// Two at a time are rarer than each, and less rare than chance: they lie in the same pages.
const TOGETHER: f64 = 2.0;

/// See [`prior`].
pub(crate) fn prior_of(hypothesis: Hypothesis) -> f64 {
    match hypothesis {
        Hypothesis::One(cause) => prior(cause),
        Hypothesis::Two(one, other) => prior(one) * prior(other) * TOGETHER,
    }
}

/// How far a board comes with it. What would show itself later does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Its system does not get as far as a network.
    Start,
    /// It has no network.
    Join,
    /// It has no connection.
    Connect,
    /// It parses its own keys.
    OwnKeys,
    /// It checks the server's proof.
    ServerProof,
    /// The server checks its proof.
    OwnProof,
    /// It is connected.
    Through,
}

/// One way in which a cause shows itself.
struct Way {
    /// How often it is this one.
    share: f64,
    /// How far the board comes.
    stage: Stage,
    /// What is seen before that, or told, whatever else is wrong.
    before: Table,
    /// What is seen because the board comes so far and no further.
    then: Table,
}

type Table = &'static [(Sign, f64)];

/// Every way in which something can show itself, and how likely it is this one.
#[derive(Clone, Copy)]
pub(crate) struct Showing {
    pub(crate) share: f64,
    first: &'static Way,
    /// Of a pair the cause that is hidden, but for what shows before.
    hidden: Option<&'static Way>,
    /// How far the board comes: what it passes on the way.
    passed: Table,
}

impl Showing {
    /// Every way of `hypothesis`.
    pub(crate) fn all(hypothesis: Hypothesis, transport: Transport) -> Vec<Self> {
        let one = |first: &'static Way| Self { share: first.share, first, hidden: None, passed: passed(first.stage) };
        match hypothesis {
            Hypothesis::One(cause) => ways(cause, transport).iter().map(one).collect(),
            Hypothesis::Two(cause, other) => {
                let pairs = ways(cause, transport)
                    .iter()
                    .flat_map(|it| ways(other, transport).iter().map(move |other| (it, other)));
                let pair = |(it, other): (&'static Way, &'static Way)| {
                    let (first, hidden) = if other.stage < it.stage { (other, it) } else { (it, other) };
                    Self { share: it.share * other.share, hidden: Some(hidden), ..one(first) }
                };
                pairs.map(pair).collect()
            }
        }
    }

    /// How likely `sign` is to be seen.
    pub(crate) fn likelihood(&self, sign: Sign) -> f64 {
        let tables = [self.first.before, self.first.then, self.hidden.map_or(&[][..], |way| way.before), self.passed];
        // Each brings it about by itself.
        let missed: f64 =
            tables.into_iter().flatten().filter(|(known, _)| *known == sign).map(|(_, likely)| 1.0 - likely).product();
        (1.0 - missed).clamp(BY_CHANCE, CERTAIN)
    }
}

/// What a board shows on its way to a stage.
fn passed(stage: Stage) -> Table {
    match stage {
        Stage::Start => &[],
        Stage::Join => &[(S::LightNetwork, 0.2)],
        Stage::Connect => {
            &[(S::LightNetwork, 0.6), (S::LightNoCloud, 0.1), (S::LightConnecting, 0.97), (S::LogConnecting, 0.9)]
        }
        Stage::OwnKeys | Stage::ServerProof | Stage::OwnProof => &[
            (S::LightNetwork, 0.6),
            (S::LightNoCloud, 0.1),
            (S::LightConnecting, 0.8),
            (S::LightHandshake, 0.93),
            (S::LogConnecting, 0.9),
            (S::LogHandshakeFailed, 0.93),
        ],
        Stage::Through => &[
            (S::LightNetwork, 0.6),
            (S::LightConnecting, 0.3),
            (S::LightHandshake, 0.6),
            (S::LightConnected, 0.95),
            (S::LogConnecting, 0.85),
            (S::LogConnected, 0.93),
        ],
    }
}

/// Damage of what lies in flash is often a battery's work, and no other network helps.
const SERVER_KEY: Table = &[
    (S::AfterPowerLoss, 0.5),
    (S::OtherNetworkFails, 0.6),
    (S::ServerKeyDiffers, 0.97),
    (S::LogServerKeyRestored, 0.15),
];
const DEVICE_KEY: Table = &[(S::AfterPowerLoss, 0.5), (S::OtherNetworkFails, 0.6), (S::DeviceKeyDiffers, 0.97)];
/// ... which is made anew where it is blank, and the cloud does not know it.
const MADE_ANEW: Table = &[
    (S::LightKeyGeneration, 0.85),
    (S::LogDeviceKeyMade, 0.3),
    (S::AfterPowerLoss, 0.5),
    (S::OtherNetworkFails, 0.6),
    (S::DeviceKeyDiffers, 0.97),
];
const ADDRESS: Table =
    &[(S::AfterPowerLoss, 0.5), (S::OtherNetworkFails, 0.6), (S::LogAddressRestored, 0.1), (S::AddressDiffers, 0.97)];
const NETWORK: Table = &[(S::AfterMove, 0.5), (S::OthersToo, 0.9), (S::OtherNetworkHelps, 0.95)];
/// The server may refuse everybody, or this board.
const SERVER: Table = &[(S::OthersToo, 0.6), (S::OtherNetworkFails, 0.6)];
/// What an RSA handshake that the server cannot read ends with: it closes, or says nothing.
const CLOSED: Table = &[(S::LightRed, 0.95), (S::LogPeerClosed, 0.93), (S::Answer, 0.95)];
const UNANSWERED: Table = &[(S::LightRed, 0.95), (S::LogReceiveTimeout, 0.93), (S::Silence, 0.95)];

/// Nobody answers, or nobody who speaks DTLS: 45 s.
const IGNORED: Table = &[(S::LightRed, 0.93), (S::LogSilence, 0.95), (S::Silence, 0.97)];

fn ways(cause: Cause, transport: Transport) -> &'static [Way] {
    match (cause, transport) {
        (Cause::ServerKey, Transport::Udp) => {
            const {
                &[
                    Way {
                        share: 0.35,
                        stage: Stage::OwnKeys,
                        before: SERVER_KEY,
                        then: &[(S::LightRed, 0.95), (S::LogServerKeyUnreadable, 0.93), (S::Answer, 0.97)],
                    },
                    Way {
                        share: 0.65,
                        stage: Stage::ServerProof,
                        before: SERVER_KEY,
                        then: &[(S::LightRed, 0.95), (S::LogBadProof, 0.93), (S::Answer, 0.97)],
                    },
                ]
            }
        }
        (Cause::ServerKey, Transport::Tcp) => {
            const {
                &[
                    Way { share: 0.65, stage: Stage::ServerProof, before: SERVER_KEY, then: CLOSED },
                    Way { share: 0.35, stage: Stage::ServerProof, before: SERVER_KEY, then: UNANSWERED },
                ]
            }
        }
        (Cause::DeviceKey, Transport::Udp) => {
            const {
                &[
                    Way {
                        share: 0.25,
                        stage: Stage::OwnProof,
                        before: MADE_ANEW,
                        then: &[(S::LightRed, 0.95), (S::LogAlert, 0.9), (S::Answer, 0.97)],
                    },
                    Way {
                        share: 0.25,
                        stage: Stage::OwnKeys,
                        before: DEVICE_KEY,
                        then: &[(S::LightRed, 0.95), (S::LogDeviceKeyUnreadable, 0.93), (S::Answer, 0.97)],
                    },
                    Way {
                        share: 0.5,
                        stage: Stage::OwnProof,
                        before: DEVICE_KEY,
                        then: &[(S::LightRed, 0.95), (S::LogAlert, 0.9), (S::Answer, 0.97)],
                    },
                ]
            }
        }
        (Cause::DeviceKey, Transport::Tcp) => {
            const {
                &[
                    Way { share: 0.15, stage: Stage::OwnProof, before: MADE_ANEW, then: CLOSED },
                    Way { share: 0.1, stage: Stage::OwnProof, before: MADE_ANEW, then: UNANSWERED },
                    // The private exponent alone: the cloud takes it for who it is, and what it sends cannot be read.
                    Way {
                        share: 0.25,
                        stage: Stage::OwnProof,
                        before: DEVICE_KEY,
                        then: &[
                            (S::LightOrange, 0.93),
                            (S::LogDecryption, 0.93),
                            (S::LightMagenta, 0.1),
                            (S::LogAuthentication, 0.1),
                            (S::Answer, 0.95),
                        ],
                    },
                    Way { share: 0.3, stage: Stage::OwnProof, before: DEVICE_KEY, then: CLOSED },
                    Way { share: 0.2, stage: Stage::OwnProof, before: DEVICE_KEY, then: UNANSWERED },
                ]
            }
        }
        (Cause::ServerAddress, Transport::Udp) => {
            const {
                &[
                    // A name that nobody has.
                    Way {
                        share: 0.7,
                        stage: Stage::Connect,
                        before: ADDRESS,
                        then: &[(S::LightThreeOrange, 0.95), (S::LogNoConnection, 0.95), (S::LogOnlyCloudAway, 0.93)],
                    },
                    // Somebody who does not speak DTLS.
                    Way { share: 0.3, stage: Stage::ServerProof, before: ADDRESS, then: IGNORED },
                ]
            }
        }
        (Cause::ServerAddress, Transport::Tcp) => {
            const {
                &[Way {
                    share: 1.0,
                    stage: Stage::Connect,
                    before: ADDRESS,
                    then: &[(S::LightThreeOrange, 0.95), (S::LogNoConnection, 0.95), (S::LogOnlyCloudAway, 0.93)],
                }]
            }
        }
        (Cause::NetworkBlocked, Transport::Udp) => {
            const {
                &[
                    Way { share: 0.8, stage: Stage::ServerProof, before: NETWORK, then: IGNORED },
                    // Nothing goes out, names included.
                    Way {
                        share: 0.2,
                        stage: Stage::Connect,
                        before: NETWORK,
                        then: &[(S::LightTwoOrange, 0.93), (S::LogNoConnection, 0.95), (S::LogNoInternet, 0.93)],
                    },
                ]
            }
        }
        (Cause::NetworkBlocked, Transport::Tcp) => {
            const {
                &[
                    Way {
                        share: 0.55,
                        stage: Stage::Connect,
                        before: NETWORK,
                        then: &[(S::LightTwoOrange, 0.93), (S::LogNoConnection, 0.95), (S::LogNoInternet, 0.93)],
                    },
                    // The cloud's port alone.
                    Way {
                        share: 0.3,
                        stage: Stage::Connect,
                        before: NETWORK,
                        then: &[(S::LightThreeOrange, 0.95), (S::LogNoConnection, 0.95), (S::LogOnlyCloudAway, 0.93)],
                    },
                    // The connection stands, and what comes after it is dropped.
                    Way { share: 0.15, stage: Stage::OwnProof, before: NETWORK, then: UNANSWERED },
                ]
            }
        }
        (Cause::ServerRefusing, Transport::Udp) => {
            const {
                &[
                    Way {
                        share: 0.35,
                        stage: Stage::Connect,
                        before: SERVER,
                        then: &[(S::LightThreeOrange, 0.95), (S::LogNoConnection, 0.95), (S::LogOnlyCloudAway, 0.93)],
                    },
                    Way {
                        share: 0.35,
                        stage: Stage::OwnProof,
                        before: SERVER,
                        then: &[(S::LightRed, 0.95), (S::LogAlert, 0.9), (S::Answer, 0.97)],
                    },
                    // It hears the board and says nothing.
                    Way { share: 0.3, stage: Stage::ServerProof, before: SERVER, then: IGNORED },
                ]
            }
        }
        (Cause::ServerRefusing, Transport::Tcp) => {
            const {
                &[
                    Way {
                        share: 0.5,
                        stage: Stage::Connect,
                        before: SERVER,
                        then: &[(S::LightThreeOrange, 0.95), (S::LogNoConnection, 0.95), (S::LogOnlyCloudAway, 0.93)],
                    },
                    Way { share: 0.5, stage: Stage::OwnProof, before: SERVER, then: CLOSED },
                ]
            }
        }
        (Cause::RegisteredToProduct, Transport::Udp) => {
            const {
                &[Way {
                    share: 1.0,
                    stage: Stage::OwnProof,
                    before: &[(S::PermissionDenied, 0.95), (S::OtherNetworkFails, 0.6)],
                    then: &[(S::LightRed, 0.95), (S::LogAlert, 0.9), (S::Answer, 0.97)],
                }]
            }
        }
        (Cause::RegisteredToProduct, Transport::Tcp) => {
            const {
                &[Way {
                    share: 1.0,
                    stage: Stage::OwnProof,
                    before: &[(S::PermissionDenied, 0.95), (S::OtherNetworkFails, 0.6)],
                    then: CLOSED,
                }]
            }
        }
        (Cause::WifiCredentials, _) => {
            const {
                &[Way {
                    share: 1.0,
                    stage: Stage::Join,
                    before: &[(S::AfterPowerLoss, 0.5), (S::AfterMove, 0.2)],
                    then: &[(S::LightListening, 0.95), (S::LogListening, 0.5)],
                }]
            }
        }
        (Cause::FailedUpdate, _) => {
            const {
                &[
                    Way {
                        share: 0.4,
                        stage: Stage::Start,
                        before: &[(S::AfterUpdate, 0.7)],
                        then: &[(S::LightUpdate, 0.97), (S::LogRestarts, 0.1)],
                    },
                    Way {
                        share: 0.35,
                        stage: Stage::Start,
                        before: &[(S::AfterUpdate, 0.7)],
                        then: &[
                            (S::LightSafe, 0.95),
                            (S::LightUpdate, 0.6),
                            (S::LightConnecting, 0.3),
                            (S::LogConnecting, 0.3),
                        ],
                    },
                    Way {
                        share: 0.2,
                        stage: Stage::Start,
                        before: &[(S::AfterUpdate, 0.7)],
                        then: &[(S::LightDfu, 0.97)],
                    },
                    Way {
                        share: 0.05,
                        stage: Stage::Start,
                        before: &[(S::AfterUpdate, 0.7)],
                        then: &[(S::LightDark, 0.97)],
                    },
                ]
            }
        }
        (Cause::FirmwareCrash, _) => {
            const {
                &[Way {
                    share: 1.0,
                    stage: Stage::Start,
                    before: &[(S::AfterUpdate, 0.3)],
                    then: &[
                        (S::LightSos, 0.93),
                        (S::LightNetwork, 0.6),
                        (S::LightConnecting, 0.3),
                        (S::LightHandshake, 0.3),
                        (S::LightConnected, 0.4),
                        (S::LogPanic, 0.85),
                        (S::LogRestarts, 0.8),
                        (S::LogConnecting, 0.5),
                        (S::LogConnected, 0.4),
                    ],
                }]
            }
        }
        (Cause::Healthy, _) => const { &[Way { share: 1.0, stage: Stage::Through, before: &[], then: &[] }] },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_judgement_is_a_share_and_stands_once_in_its_way() {
        let stages = [
            Stage::Start,
            Stage::Join,
            Stage::Connect,
            Stage::OwnKeys,
            Stage::ServerProof,
            Stage::OwnProof,
            Stage::Through,
        ];
        for cause in Cause::ALL {
            for transport in [Transport::Udp, Transport::Tcp] {
                let shares: f64 = ways(cause, transport).iter().map(|way| way.share).sum();
                assert!((shares - 1.0).abs() < 1e-9, "{cause}: {shares}");
                for way in ways(cause, transport) {
                    assert!(stages.contains(&way.stage));
                    let all: Vec<_> = way.before.iter().chain(way.then).collect();
                    for (index, (sign, likely)) in all.iter().enumerate() {
                        assert!((BY_CHANCE..=CERTAIN).contains(likely), "{cause} {sign:?}");
                        assert!(all[..index].iter().all(|(other, _)| other != sign), "{cause} {sign:?} twice");
                    }
                }
            }
        }
        let sum: f64 = Cause::ALL.into_iter().map(prior).sum();
        assert!((sum - 1.0).abs() < 1e-9, "{sum}");
    }

    /// What is recognised and weighs nothing would be read for nothing.
    #[test]
    fn every_sign_speaks_for_something() {
        for sign in Sign::ALL {
            let speaks = |transport| {
                let showings = Hypothesis::all().flat_map(|it| Showing::all(it, transport));
                showings.into_iter().any(|showing| showing.likelihood(*sign) > BY_CHANCE)
            };
            assert!(speaks(Transport::Udp) || speaks(Transport::Tcp), "{sign:?}");
        }
    }

    #[test]
    fn of_two_causes_the_later_one_is_hidden_but_for_what_shows_before() {
        let pair = Hypothesis::Two(Cause::DeviceKey, Cause::ServerAddress);
        let most = |sign| {
            let all = Showing::all(pair, Transport::Tcp);
            all.iter().map(|it| it.likelihood(sign)).fold(0.0, f64::max)
        };
        assert!(most(Sign::LightThreeOrange) > 0.9);
        assert!(most(Sign::LightKeyGeneration) > 0.8);
        assert!(most(Sign::LogPeerClosed) < 0.1);
    }
}
