//! Nordic's Power Profiler Kit II as the board's source, over its serial port.
//!
//! Boundary: source mode, current out. The PPK2 answers nothing but its metadata and its samples: that a voltage was set or the output
//! switched cannot be read back from it, and it does not measure the output's voltage. Off is proven by something else.
//!
//! The protocol is that of ppk2-api-python (IRNAS, a686f1c). Never seen on the device itself.

mod calibration;

use brickproof_units::{Baud, Current, Span, Voltage};

use crate::capability::{Capabilities, Reach, Timing};
use crate::clock::{Deadline, Moment, now};
use crate::factory::{Factory, Instrument, Kind};
use crate::failure::{Failure, FailureKind};
use crate::kinds::{Output, Reading, Supply, Switch};
use crate::settings::{Setting, SettingKind, Settings};
use crate::wire::Wire;

use self::calibration::{Average, Calibration};

/// The Power Profiler Kit II.
pub(super) struct Ppk2;

const AVERAGE_START: u8 = 0x06;
const AVERAGE_STOP: u8 = 0x07;
const DEVICE_RUNNING_SET: u8 = 0x0C;
const REGULATOR_SET: u8 = 0x0D;
const SET_POWER_MODE: u8 = 0x11;
const SOURCE: u8 = 2;
const GET_META_DATA: u8 = 0x19;

/// A CDC port has no line and no rate; one must be given.
const BAUD: Baud = Baud::new(9_600);
/// What the regulator can be set to, in whole millivolts.
const RANGE: Reach<Voltage> = Reach { least: Voltage::new(800_000), most: Voltage::new(5_000_000) };
/// What it delivers; recalled.
const MOST: Current = Current::new(1_000_000);
/// Its sampling; recalled.
const SAMPLES_PER_MILLISECOND: u64 = 100;
/// Without a setting.
const WINDOW: Span = Span::millis(10);
/// Half a megabyte of samples; a longer average can be made of several.
const LONGEST_WINDOW: Span = Span::secs(1);
/// Samples that were under way when it was told to stop have come by then; recalled for USB at full speed.
const QUIET: Span = Span::millis(20);
/// Two frames of USB at full speed; recalled.
const USB: Span = Span::millis(2);

impl Factory for Ppk2 {
    fn driver(&self) -> &'static str {
        "ppk2"
    }

    fn kind(&self) -> Kind {
        Kind::Supply
    }

    fn about(&self) -> &'static str {
        "Nordic Power Profiler Kit II in source mode"
    }

    fn settings(&self) -> &'static [Setting] {
        const SETTINGS: &[Setting] = &[
            Setting {
                name: "at",
                kind: SettingKind::Text,
                required: true,
                about: "its first serial port; the path under /dev/serial/by-id names the device by its serial number",
            },
            Setting {
                name: "voltage_ceiling",
                kind: SettingKind::Voltage,
                required: true,
                about: "it is never set higher",
            },
            Setting {
                name: "window",
                kind: SettingKind::Span,
                required: false,
                about: "a current is the average over this long, 1s at most; 10ms without",
            },
        ];
        SETTINGS
    }

    fn capabilities(&self, settings: &Settings) -> Capabilities {
        let ceiling = settings.voltage("voltage_ceiling").unwrap_or_default();
        Capabilities {
            voltage: Some(Reach { most: RANGE.most.min(ceiling), ..RANGE }),
            current: Some(MOST),
            cut: Some(Span::millis(10)),
            measures_current: true,
            ..Capabilities::only(Timing {
                latency: Span::millis(5),
                uncertainty: USB,
                source: "recalled: frames of USB at full speed, 1 ms each; the device's own reaction was never measured",
            })
        }
    }

    fn open(&self, settings: &Settings, deadline: Deadline) -> Result<Instrument, Failure> {
        let at = settings.text("at").unwrap_or_default();
        let mut kit = Kit {
            device: format!("ppk2 {at}"),
            path: at.to_owned(),
            // A ceiling that is missing permits nothing.
            ceiling: settings.voltage("voltage_ceiling").unwrap_or_default(),
            window: settings.span("window").unwrap_or(WINDOW).min(LONGEST_WINDOW),
            link: None,
            asked: None,
        };
        kit.switch(Switch::Off, deadline)?;
        Ok(Instrument::Supply(Box::new(kit)))
    }
}

struct Link {
    wire: Wire,
    calibration: Calibration,
    /// It may still be sending.
    unsettled: bool,
}

struct Kit {
    device: String,
    path: String,
    ceiling: Voltage,
    window: Span,
    link: Option<Link>,
    asked: Option<Voltage>,
}

impl Kit {
    fn during<T>(
        &mut self,
        asked: &str,
        deadline: Deadline,
        act: impl FnOnce(&mut Link) -> Result<T, FailureKind>,
    ) -> Result<T, Failure> {
        let link = match self.link.take() {
            Some(link) => Ok(link),
            None => {
                // One that was plugged in again has forgotten what it was set to.
                self.asked = None;
                connect(&self.path, deadline)
            }
        };
        let outcome = link.and_then(|mut link| {
            let outcome = settle(&mut link, deadline).and_then(|()| act(&mut link));
            // A failed measurement must not cost the board its power, which connecting anew would: only a lost device is given up.
            let lost = matches!(outcome, Err(FailureKind::Gone(_) | FailureKind::System(_)));
            link.unsettled = outcome.is_err();
            self.link = (!lost).then_some(link);
            outcome
        });
        outcome.map_err(|kind| Failure::new(&self.device, asked, kind))
    }

    fn allow(&self, output: Output) -> Result<(), FailureKind> {
        if output.limit.is_some() {
            return Err(FailureKind::Unsupported("it has no current limit that could be set".to_owned()));
        }
        if !RANGE.holds(output.voltage) {
            let kind = format!("{} is not between {} and {}", output.voltage, RANGE.least, RANGE.most);
            return Err(FailureKind::Unsupported(kind));
        }
        if output.voltage > self.ceiling {
            let kind = format!("{} is above this supply's ceiling of {}", output.voltage, self.ceiling);
            return Err(FailureKind::Refused(kind));
        }
        Ok(())
    }
}

fn connect(path: &str, deadline: Deadline) -> Result<Link, FailureKind> {
    let mut wire = Wire::serial(path, BAUD)?;
    // Whoever had it before may have left it sending.
    wire.send(&[AVERAGE_STOP], deadline)?;
    wire.discard(QUIET)?;
    wire.send(&[GET_META_DATA], deadline)?;
    let metadata = wire.until(b"END", deadline)?;
    wire.discard(QUIET)?;
    let calibration = Calibration::read(&metadata).map_err(FailureKind::Answer)?;
    wire.send(&[DEVICE_RUNNING_SET, 0, SET_POWER_MODE, SOURCE], deadline)?;
    Ok(Link { wire, calibration, unsettled: false })
}

fn settle(link: &mut Link, deadline: Deadline) -> Result<(), FailureKind> {
    if link.unsettled {
        link.wire.send(&[AVERAGE_STOP], deadline)?;
        link.wire.discard(QUIET)?;
        link.unsettled = false;
    }
    Ok(())
}

/// The bytes behind REGULATOR_SET, for a voltage within [`RANGE`]. Rounded down to whole millivolts.
fn regulator(voltage: Voltage) -> [u8; 2] {
    let steps = (voltage.get().clamp(RANGE.least.get(), RANGE.most.get()) - RANGE.least.get()) / 1_000 + 32;
    // At most 4232, so that both fit.
    [(3 + steps / 256) as u8, (steps % 256) as u8]
}

impl Supply for Kit {
    fn device(&self) -> &str {
        &self.device
    }

    fn set(&mut self, output: Output, deadline: Deadline) -> Result<(), Failure> {
        let asked = format!("set {}", output.voltage);
        self.allow(output).map_err(|kind| Failure::new(&self.device, &asked, kind))?;
        let [high, low] = regulator(output.voltage);
        self.during(&asked, deadline, |link| link.wire.send(&[REGULATOR_SET, high, low], deadline))?;
        self.asked = Some(output.voltage);
        Ok(())
    }

    fn switch(&mut self, switch: Switch, deadline: Deadline) -> Result<Moment, Failure> {
        let (asked, state) = match switch {
            Switch::On => ("switch its output on", 1),
            Switch::Off => ("switch its output off", 0),
        };
        if switch == Switch::On && (self.asked.is_none() || self.link.is_none()) {
            let kind = FailureKind::Refused("no voltage was set since it was connected to".to_owned());
            return Err(Failure::new(&self.device, asked, kind));
        }
        self.during(asked, deadline, |link| {
            let ((), moment) = Moment::of(|| link.wire.send(&[DEVICE_RUNNING_SET, state], deadline))?;
            Ok(moment.blurred(USB))
        })
    }

    /// The voltage is not measured. The current is the average over the window of the settings; a window in which samples were lost is
    /// taken again while the deadline allows.
    fn measure(&mut self, deadline: Deadline) -> Result<Reading, Failure> {
        let (window, set) = (self.window, self.asked.unwrap_or(RANGE.least));
        self.during("measure its current", deadline, |link| {
            let mut lost = 0;
            loop {
                let mut average = Average::new(&link.calibration, set);
                let moment = match sample(&mut link.wire, &mut average, window, deadline) {
                    Err(FailureKind::NoAnswer(_)) if lost > 0 => {
                        return Err(FailureKind::Answer(format!("{lost} samples were lost")));
                    }
                    sampled => sampled?,
                };
                match average.current() {
                    None => return Err(FailureKind::Answer("samples that are no current".to_owned())),
                    Some(current) if average.lost() == 0 => {
                        return Ok(Reading { voltage: None, current: Some(current), moment });
                    }
                    Some(_) => lost += average.lost(),
                }
            }
        })
    }
}

/// Fills the window with samples. The instant is its middle.
fn sample(wire: &mut Wire, average: &mut Average<'_>, window: Span, deadline: Deadline) -> Result<Moment, FailureKind> {
    let count = (window.as_nanos() * SAMPLES_PER_MILLISECOND / 1_000_000).max(1);
    let before = now();
    wire.send(&[AVERAGE_START], deadline)?;
    let taken = fill(wire, average, count, deadline);
    let moment = Moment::between(before, now()).blurred(USB);
    wire.send(&[AVERAGE_STOP], deadline)?;
    wire.discard(QUIET)?;
    taken.map(|()| moment)
}

fn fill(wire: &mut Wire, average: &mut Average<'_>, count: u64, deadline: Deadline) -> Result<(), FailureKind> {
    /// Read at once.
    const BATCH: u64 = 1_024;
    let mut left = count;
    while left > 0 {
        let batch = left.min(BATCH);
        left -= batch;
        let bytes = wire.exactly(batch as usize * 4, deadline)?;
        bytes.as_chunks().0.iter().for_each(|&word| average.take(u32::from_le_bytes(word)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_regulators_bytes_are_those_of_other_peoples_program() {
        // ppk2-api-python 0.9.2, `_convert_source_voltage`.
        for (millivolts, bytes) in
            [(800, [3, 32]), (1_023, [3, 255]), (1_024, [4, 0]), (3_300, [12, 228]), (5_000, [19, 136])]
        {
            assert_eq!(regulator(Voltage::new(millivolts * 1_000)), bytes, "{millivolts} mV");
        }
        assert_eq!(regulator(Voltage::new(3_300_999)), [12, 228], "never rounded up");
    }
}
