//! Signs in what a status light showed, by the names of its vocabulary.
//!
//! Boundary: statuses by name and their instants. Which status a sight is, is the profile's; the names are those of Device OS's family.

use std::collections::BTreeMap;

use brickproof_boards::BoardProfile;
use brickproof_light::{Calibration, Recogniser, Rhythm, Sample, Sight};
use brickproof_units::{Instant, Span};

use super::Silences;
use super::log::timed;
use crate::observed::Observed;
use crate::sign::{Channel, Sign};

const STATUSES: [(&str, Sign); 17] = [
    ("network_connecting", Sign::LightNetwork),
    ("network_dhcp", Sign::LightNetwork),
    ("network_connected", Sign::LightNoCloud),
    ("cloud_connecting", Sign::LightConnecting),
    ("cloud_handshake", Sign::LightHandshake),
    ("cloud_connected", Sign::LightConnected),
    ("handshake_error", Sign::LightRed),
    ("decryption_error", Sign::LightOrange),
    ("authentication_error", Sign::LightMagenta),
    ("no_internet", Sign::LightTwoOrange),
    ("cloud_unreachable", Sign::LightThreeOrange),
    ("listening_mode", Sign::LightListening),
    ("key_generation", Sign::LightKeyGeneration),
    ("firmware_update", Sign::LightUpdate),
    ("safe_mode", Sign::LightSafe),
    ("dfu_mode", Sign::LightDfu),
    ("sos", Sign::LightSos),
];

/// What a sensor saw, as sights.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    recogniser: Recogniser,
    /// As of the last look; `None` before the first sample.
    revision: Option<u64>,
    /// Each by its beginning. A burst is only known to be one after its end, so what came before it may be said anew.
    sights: BTreeMap<Instant, Sight>,
}

/// The recogniser remembers some thirty sights: more than change in so long.
const REMEMBERED: Span = Span::secs(30);

impl Watched {
    /// By a sensor that is calibrated like this.
    pub(crate) fn new(calibration: Calibration) -> Self {
        Self { recogniser: Recogniser::new(calibration), revision: None, sights: BTreeMap::new() }
    }

    pub(crate) fn sample(&mut self, sample: &Sample) {
        self.recogniser.feed(sample);
        if self.revision != Some(self.recogniser.revision()) {
            self.revision = Some(self.recogniser.revision());
            self.remember();
        }
    }

    fn remember(&mut self) {
        let history = self.recogniser.history(REMEMBERED);
        self.sights.extend(history.segments().iter().map(|segment| (segment.sight.since, segment.sight)));
    }

    /// Everything that was seen, in its order.
    pub(crate) fn sights(mut self) -> impl Iterator<Item = Sight> {
        if self.revision.is_some() {
            self.remember();
        }
        self.sights.into_values()
    }
}

/// Reads what a light showed.
#[derive(Clone, Debug)]
pub(crate) struct LightReader<'b> {
    board: &'b BoardProfile,
    silence: Silences,
    /// When the handshake that is under way began.
    began: Option<Instant>,
    first: Option<Instant>,
    /// Whether there was nothing but the absence of light.
    is_dark: bool,
}

impl<'b> LightReader<'b> {
    pub(crate) fn new(board: &'b BoardProfile, silence: Silences) -> Self {
        Self { board, silence, began: None, first: None, is_dark: true }
    }

    /// Reads one sight, when it is over or as it stands.
    pub(crate) fn read(&mut self, sight: &Sight, observed: &mut Observed) {
        let first = *self.first.get_or_insert(sight.since);
        observed.watch(Channel::Light, sight.until.since(first));
        self.is_dark &= sight.rhythm == Rhythm::Off;
        let status = self.board.light.iter().find(|status| status.look.pattern().matches(sight));
        let sign = status.and_then(|status| STATUSES.iter().find(|(name, _)| *name == status.name));
        let Some((name, sign)) = sign else { return };
        let at = |instant: Instant| format!("{:.1} s", instant.as_nanos() as f64 / 1e9);
        observed.see(*sign, format!("light, {}: {name}", at(sight.since)));
        match sign {
            Sign::LightHandshake => drop(self.began.get_or_insert(sight.since)),
            Sign::LightRed | Sign::LightOrange | Sign::LightMagenta => {
                if let Some(began) = self.began.take() {
                    let took = sight.since.since(began);
                    if let Some(sign) = timed(took, self.silence) {
                        observed.see(
                            sign,
                            format!("light: {name} {:.1} s after the handshake began", took.get() as f64 / 1e9),
                        );
                    }
                }
            }
            _ => self.began = None,
        }
    }

    /// Nothing more comes.
    pub(crate) fn end(&self, observed: &mut Observed) {
        if self.first.is_some() && self.is_dark {
            observed.see(Sign::LightDark, "light: dark from the first sample to the last");
        }
    }
}
