//! The voltage and current monitors INA219 and INA226, in their state after power-on.
//!
//! Boundary: two registers and an identity. The current is computed from the voltage over the shunt, which needs no calibration register,
//! and so nothing that a monitor forgets when its own supply fails. Register maps and figures are recalled from TI's data sheets SBOS448
//! and SBOS547. The crates `ina219` and `ina226` would serve one part each, with a calibration that nobody needs here.

use brickproof_units::{Current, Resistance, Span, Voltage};
use embedded_hal::i2c::{Error, ErrorKind, I2c, NoAcknowledgeSource};

use crate::failure::FailureKind;

/// Which part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Ina219,
    Ina226,
}

const CONFIGURATION: u8 = 0x00;
const SHUNT_VOLTAGE: u8 = 0x01;
const BUS_VOLTAGE: u8 = 0x02;

impl Part {
    pub(super) const WORDS: &'static [&'static str] = &["ina219", "ina226"];

    pub(super) fn of_word(word: &str) -> Option<Self> {
        match word {
            "ina219" => Some(Self::Ina219),
            "ina226" => Some(Self::Ina226),
            _ => None,
        }
    }

    /// A register whose value tells this part from others. The INA219 has no identity; what it converts after power-on must do.
    fn identity(self) -> (u8, u16) {
        match self {
            Self::Ina219 => (CONFIGURATION, 0x399F),
            Self::Ina226 => (0xFE, 0x5449),
        }
    }

    /// What is asked for when power-on's settings do not hold: continuous conversion of both voltages.
    fn configuration(self) -> u16 {
        match self {
            Self::Ina219 => 0x399F,
            Self::Ina226 => 0x4127,
        }
    }

    /// A reading is at most this old: one conversion of each voltage, and the one before it.
    pub(super) fn age(self) -> Span {
        match self {
            Self::Ina219 => Span::micros(2 * 2 * 532),
            Self::Ina226 => Span::micros(2 * 2 * 1_100),
        }
    }

    fn bus(self, register: u16) -> Voltage {
        match self {
            // Steps of 4 mV above three bits of flags.
            Self::Ina219 => Voltage::new(i64::from(register >> 3) * 4_000),
            Self::Ina226 => Voltage::new(i64::from(register) * 1_250),
        }
    }

    /// In nanovolts.
    fn shunt(self, register: u16) -> i64 {
        let signed = i64::from(register.cast_signed());
        match self {
            Self::Ina219 => signed * 10_000,
            Self::Ina226 => signed * 2_500,
        }
    }
}

/// A monitor on a bus.
pub(super) struct Monitor<B> {
    pub(super) bus: B,
    pub(super) address: u8,
    pub(super) part: Part,
    pub(super) shunt: Resistance,
}

/// A monitor on any bus.
pub(super) trait Measure: Send {
    /// Checks that it is the part that was meant, and has it convert.
    fn begin(&mut self) -> Result<(), FailureKind>;
    /// Behind the shunt, and through it.
    fn read(&mut self) -> Result<(Voltage, Current), FailureKind>;
    /// A reading is at most this old.
    fn age(&self) -> Span;
}

impl<B: I2c + Send> Measure for Monitor<B> {
    fn begin(&mut self) -> Result<(), FailureKind> {
        let [high, low] = self.part.configuration().to_be_bytes();
        let address = self.address;
        self.bus.write(address, &[CONFIGURATION, high, low]).map_err(|error| kind(&error, address))?;
        let (register, expected) = self.part.identity();
        match self.register(register)? {
            found if found == expected => Ok(()),
            found => Err(FailureKind::Answer(format!(
                "register {register:#04x} at {address:#04x} holds {found:#06x}, and in this part it holds {expected:#06x}"
            ))),
        }
    }

    fn read(&mut self) -> Result<(Voltage, Current), FailureKind> {
        let volts = self.part.bus(self.register(BUS_VOLTAGE)?);
        let nanovolts = self.part.shunt(self.register(SHUNT_VOLTAGE)?);
        // Nanovolts over microohms are milliamperes. A shunt that does not exist lets no current through that could be told.
        let ohms = i64::try_from(self.shunt.get()).unwrap_or(i64::MAX);
        let microamperes = (nanovolts * 1_000)
            .checked_div(ohms)
            .ok_or_else(|| FailureKind::Refused("a shunt of 0ohm tells no current".to_owned()))?;
        Ok((volts, Current::new(microamperes)))
    }

    fn age(&self) -> Span {
        self.part.age()
    }
}

impl<B: I2c> Monitor<B> {
    fn register(&mut self, register: u8) -> Result<u16, FailureKind> {
        let mut value = [0; 2];
        let address = self.address;
        self.bus.write_read(address, &[register], &mut value).map_err(|error| kind(&error, address))?;
        Ok(u16::from_be_bytes(value))
    }
}

fn kind(error: &impl Error, address: u8) -> FailureKind {
    match error.kind() {
        ErrorKind::NoAcknowledge(NoAcknowledgeSource::Data) | ErrorKind::Bus | ErrorKind::Other => {
            // So linux-embedded-hal calls ENODEV and EIO, which is what the kernel says of an adapter that was unplugged.
            FailureKind::Gone(format!("{error:?}"))
        }
        ErrorKind::NoAcknowledge(_) => FailureKind::Missing(format!("nobody answers at address {address:#04x}")),
        other => FailureKind::Answer(other.to_string()),
    }
}
