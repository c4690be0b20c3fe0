//! What makes a driver known: its word in the bench file, its settings, what it can do, how it is opened.
//!
//! Boundary: the shape. The list itself is [`crate::DRIVERS`].

use std::fmt;
use std::sync::Arc;

use crate::capability::Capabilities;
use crate::clock::Deadline;
use crate::drivers::DRIVERS;
use crate::failure::Failure;
use crate::kinds::{Console, Dfu, Firewall, Light, Lines, Probe, Supply};
use crate::owner::Owner;
use crate::settings::{Setting, Settings};

/// The instruments of a station.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// RESET, MODE, switches.
    Lines,
    /// The serial console.
    Console,
    /// The source that the board lives on.
    Supply,
    /// A debug probe.
    Probe,
    /// The board's USB bootloader.
    Dfu,
    /// A colour sensor above the LED.
    Light,
    /// The gateway between the board and its cloud.
    Firewall,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lines => "lines",
            Self::Console => "console",
            Self::Supply => "supply",
            Self::Probe => "probe",
            Self::Dfu => "dfu",
            Self::Light => "light",
            Self::Firewall => "firewall",
        })
    }
}

/// An opened instrument.
pub enum Instrument {
    /// RESET, MODE, switches.
    Lines(Box<dyn Lines>),
    /// The serial console.
    Console(Box<dyn Console>),
    /// The source that the board lives on.
    Supply(Box<dyn Supply>),
    /// A debug probe.
    Probe(Box<dyn Probe>),
    /// The board's USB bootloader.
    Dfu(Box<dyn Dfu>),
    /// A colour sensor above the LED.
    Light(Box<dyn Light>),
    /// The gateway between the board and its cloud.
    Firewall(Box<dyn Firewall>),
}

/// An instrument that another one works through. Each has one owner, whoever uses it.
#[derive(Clone)]
pub enum Below {
    /// RESET, MODE, switches.
    Lines(Arc<Owner<dyn Lines>>),
    /// A debug probe.
    Probe(Arc<Owner<dyn Probe>>),
}

/// One driver.
pub trait Factory: Sync {
    /// Its word in a bench file, which is also the name of its folder.
    fn driver(&self) -> &'static str;
    /// Which instrument it is for.
    fn kind(&self) -> Kind;
    /// What it drives, in one line.
    fn about(&self) -> &'static str;
    /// The keys that it understands beside `driver`.
    fn settings(&self) -> &'static [Setting];
    /// What opening would refuse of settings of which each is as declared: which one, and why. Files are read, and no device is touched.
    fn mistake(&self, _settings: &Settings) -> Option<(&'static str, Failure)> {
        None
    }
    /// What it offers with these settings. Nothing is opened.
    fn capabilities(&self, settings: &Settings) -> Capabilities;
    /// Opens the device and leaves it in its safe state.
    fn open(&self, settings: &Settings, deadline: Deadline) -> Result<Instrument, Failure>;
    /// The instrument of its station that it works through, if any: this one is opened first, and then it with [`open_over`](Self::open_over).
    fn over(&self) -> Option<Kind> {
        None
    }
    /// As [`open`](Self::open), through an instrument that others use too.
    fn open_over(&self, _below: Below, settings: &Settings, deadline: Deadline) -> Result<Instrument, Failure> {
        self.open(settings, deadline)
    }
}

/// The driver with this word for this kind of instrument.
pub fn driver(kind: Kind, word: &str) -> Option<&'static dyn Factory> {
    DRIVERS.iter().copied().find(|factory| factory.kind() == kind && factory.driver() == word)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_driver_is_found_by_kind_and_word_and_names_each_setting_once() {
        for factory in DRIVERS {
            let found = driver(factory.kind(), factory.driver()).expect("it is in the list");
            assert_eq!(found.about(), factory.about(), "two drivers are called {}", factory.driver());
            let names: BTreeSet<_> = factory.settings().iter().map(|setting| setting.name).collect();
            assert_eq!(names.len(), factory.settings().len(), "{} repeats a setting", factory.driver());
        }
    }
}
