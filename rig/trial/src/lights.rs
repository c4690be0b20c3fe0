//! What the board's lights show, as far as there are sensors above them.
//!
//! Boundary: one recogniser for each sensor. What a light should show is in the plan, what samples mean is `brickproof-light`'s.

use std::sync::Arc;

use brickproof_boards::{BoardProfile, LedIndex};
use brickproof_light::{Calibration, CalibrationParts, Recogniser, Sight};
use brickproof_units::Span;

use crate::ports::Glimpse;

/// How much of a light's past a verdict tells.
const TOLD: Span = Span::secs(12);

/// The lights that somebody looks at. The first one always is among them, if only to say that nothing is known of it.
#[derive(Clone, Debug)]
pub(crate) struct Lights {
    first: Recogniser,
    others: Vec<Other>,
}

/// A light besides the first.
#[derive(Clone, Debug)]
struct Other {
    led: LedIndex,
    name: Arc<str>,
    recogniser: Recogniser,
}

impl Lights {
    /// With a sensor above each of these of `board`'s lights, and none above the others.
    pub(crate) fn new(board: &BoardProfile, sensors: impl IntoIterator<Item = (LedIndex, Calibration)>) -> Self {
        let (mut first, mut others) = (Recogniser::new(Calibration::default()), Vec::new());
        for (led, calibration) in sensors {
            let recogniser = Recogniser::new(calibration);
            match board.led(led).filter(|_| led != LedIndex::FIRST) {
                None => first = recogniser,
                Some(light) => others.push(Other { led, name: light.name.as_str().into(), recogniser }),
            }
        }
        Self { first, others }
    }

    /// The new sight, if its recogniser changed its mind. What is seen of a light without a sensor is nobody's.
    pub(crate) fn see(&mut self, Glimpse { led, sample }: &Glimpse) -> Option<Sight> {
        let recogniser = match *led {
            LedIndex::FIRST => &mut self.first,
            led => self.others.iter_mut().find(|other| other.led == led).map(|other| &mut other.recogniser)?,
        };
        changed_by(recogniser, |recogniser| recogniser.feed(sample))
    }

    /// Nothing that was seen so far says anything any more. Returns what can still be said where that is something else.
    pub(crate) fn begin_anew(&mut self) -> Vec<(LedIndex, Sight)> {
        let first = std::iter::once((LedIndex::FIRST, &mut self.first));
        let others = self.others.iter_mut().map(|other| (other.led, &mut other.recogniser));
        let anew = |(led, recogniser)| Some((led, changed_by(recogniser, Recogniser::begin_anew)?));
        first.chain(others).filter_map(anew).collect()
    }

    pub(crate) fn recogniser(&self, led: LedIndex) -> Option<&Recogniser> {
        match led {
            LedIndex::FIRST => Some(&self.first),
            led => self.others.iter().find(|other| other.led == led).map(|other| &other.recogniser),
        }
    }

    /// How the sensor above each light counts; the first light always has one.
    pub(crate) fn calibrations(&self) -> Vec<(LedIndex, CalibrationParts)> {
        let others = self.others.iter().map(|other| (other.led, other.recogniser.calibration().parts()));
        std::iter::once((LedIndex::FIRST, self.first.calibration().parts())).chain(others).collect()
    }

    /// What a light shows now, in words.
    pub(crate) fn now(&self, led: LedIndex) -> String {
        self.recogniser(led).map_or_else(|| "not looked at".to_owned(), |recogniser| recogniser.now().to_string())
    }

    /// The last seconds of all lights, a line each; those of the others bear the light's name.
    pub(crate) fn in_words(&self) -> Vec<String> {
        let told = |recogniser: &Recogniser, name: &str| {
            let history = recogniser.history(TOLD);
            history.segments().iter().map(|segment| format!("{name}{segment}")).collect::<Vec<_>>()
        };
        let others = self.others.iter().flat_map(|other| told(&other.recogniser, &format!("`{}`: ", other.name)));
        told(&self.first, "").into_iter().chain(others).collect()
    }
}

fn changed_by(recogniser: &mut Recogniser, change: impl FnOnce(&mut Recogniser)) -> Option<Sight> {
    let before = recogniser.revision();
    change(recogniser);
    (recogniser.revision() != before).then(|| recogniser.now())
}
