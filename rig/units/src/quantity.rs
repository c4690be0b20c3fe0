//! The quantities a scenario can name, and the macro that makes one.

use std::fmt;

use crate::ParseQuantityError;

/// What every quantity can do: be made from text with a unit and be written back.
pub trait Quantity: Sized + Copy + fmt::Display + std::str::FromStr<Err = ParseQuantityError> {
    /// What it is, for messages: `a voltage`.
    const WHAT: &'static str;
    /// A spelling that is right, for messages: `1.6V`.
    const EXAMPLE: &'static str;
    /// Every unit that the parser accepts, with its size in base units.
    const UNITS: &'static [(&'static str, u64)];
}

macro_rules! quantity {
    (
        $(#[$doc:meta])*
        $name:ident($repr:ty), $what:literal, example $example:literal, base $base:literal,
        units [$($unit:literal => $size:literal),+ $(,)?], show [$($shown:literal => $shown_size:literal),+ $(,)?]
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($repr);

        impl $name {
            #[doc = concat!("A value in ", $base, ".")]
            pub const fn new(base: $repr) -> Self {
                Self(base)
            }
            #[doc = concat!("The value in ", $base, ".")]
            pub const fn get(self) -> $repr {
                self.0
            }
        }

        impl $crate::Quantity for $name {
            const WHAT: &'static str = $what;
            const EXAMPLE: &'static str = $example;
            const UNITS: &'static [(&'static str, u64)] = &[$(($unit, $size)),+];
        }

        impl std::str::FromStr for $name {
            type Err = $crate::ParseQuantityError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let base = $crate::parse::parse::<Self>(text)?;
                <$repr>::try_from(base).map(Self).map_err(|_| $crate::parse::out_of_range::<Self>(text))
            }
        }

        impl std::fmt::Display for $name {
            /// The largest unit in which the value is at least one, exactly.
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $crate::parse::show(f, i128::from(self.0), &[$(($shown, $shown_size)),+])
            }
        }
    };
}
pub(crate) use quantity;

quantity! {
    /// An electrical potential, in microvolts.
    Voltage(i64), "a voltage", example "1.6V", base "microvolts",
    units ["uV" => 1, "µV" => 1, "mV" => 1_000, "V" => 1_000_000], show ["uV" => 1, "mV" => 1_000, "V" => 1_000_000]
}
quantity! {
    /// A current, in microamperes.
    Current(i64), "a current", example "300mA", base "microamperes",
    units ["uA" => 1, "µA" => 1, "mA" => 1_000, "A" => 1_000_000], show ["uA" => 1, "mA" => 1_000, "A" => 1_000_000]
}
quantity! {
    /// An electric charge, in microampere-hours.
    Charge(u64), "a charge", example "1200mAh", base "microampere-hours",
    units ["uAh" => 1, "mAh" => 1_000, "Ah" => 1_000_000], show ["uAh" => 1, "mAh" => 1_000, "Ah" => 1_000_000]
}
quantity! {
    /// A resistance, in microohms.
    Resistance(u64), "a resistance", example "150mohm", base "microohms",
    units ["uohm" => 1, "mohm" => 1_000, "ohm" => 1_000_000, "mΩ" => 1_000, "Ω" => 1_000_000, "kohm" => 1_000_000_000],
    show ["uohm" => 1, "mohm" => 1_000, "ohm" => 1_000_000, "kohm" => 1_000_000_000]
}
quantity! {
    /// A capacitance, in picofarads.
    Capacitance(u64), "a capacitance", example "100uF", base "picofarads",
    units ["pF" => 1, "nF" => 1_000, "uF" => 1_000_000, "µF" => 1_000_000, "mF" => 1_000_000_000],
    show ["pF" => 1, "nF" => 1_000, "uF" => 1_000_000, "mF" => 1_000_000_000]
}
quantity! {
    /// How fast a voltage moves, in nanoseconds per volt: larger is slower.
    Slew(u64), "a slew", example "50us/V", base "nanoseconds per volt",
    units ["ns/V" => 1, "us/V" => 1_000, "µs/V" => 1_000, "ms/V" => 1_000_000, "s/V" => 1_000_000_000],
    show ["ns/V" => 1, "us/V" => 1_000, "ms/V" => 1_000_000, "s/V" => 1_000_000_000]
}
quantity! {
    /// A share of a whole, in parts per million. May exceed one whole.
    Ratio(u64), "a percentage", example "40%", base "parts per million",
    units ["ppm" => 1, "%" => 10_000], show ["%" => 10_000]
}
quantity! {
    /// A frequency, in millihertz.
    Frequency(u64), "a frequency", example "2Hz", base "millihertz",
    units ["mHz" => 1, "Hz" => 1_000, "kHz" => 1_000_000, "MHz" => 1_000_000_000],
    show ["mHz" => 1, "Hz" => 1_000, "kHz" => 1_000_000, "MHz" => 1_000_000_000]
}
quantity! {
    /// A size, in bytes.
    Size(u64), "a size", example "64MB", base "bytes",
    units ["B" => 1, "kB" => 1_000, "MB" => 1_000_000, "GB" => 1_000_000_000],
    show ["B" => 1, "kB" => 1_000, "MB" => 1_000_000, "GB" => 1_000_000_000]
}
quantity! {
    /// A line rate, in baud.
    Baud(u32), "a line rate", example "115200Bd", base "baud",
    units ["Bd" => 1, "kBd" => 1_000, "MBd" => 1_000_000], show ["Bd" => 1]
}
