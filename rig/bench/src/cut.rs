//! A power cut at an instant: what it did to the board's rail, as far as the supply can tell.
//!
//! Boundary: it runs on the supply's own thread, from shortly before the cut until the power is back. How long the driver itself takes is in
//! the moments that it answers with.

use std::thread;
use std::time::Duration;

use brickproof_instruments::{Deadline, Failure, FailureKind, Moment, Reading, Supply, Switch, now};
use brickproof_units::{Instant, Span, Voltage};

use crate::station::ACTION;

/// Sleeping is late by up to this on a busy host; the rest is waited for awake. Assumed.
const AWAKE: Span = Span::millis(1);
/// How long it may take until the rail is back.
const RETURN: Span = Span::secs(2);
/// How often the order to stop is looked for.
const SLICE: Span = Span::millis(5);
/// How often the rail is looked at, at the most: as often as a trial asks for readings.
const BETWEEN_LOOKS: Span = Span::millis(1);

/// A supply measures a board's input, and what its capacitors still hold behind that is not known: for so long a board may outlast a cut.
/// Assumed: 470 uF fall by 1.5 V in 70 ms under 10 mA. After a shorter one nobody could tell whether the board stopped, and whatever it
/// did or did not do next could be laid at the wrong door.
pub(crate) const CARRIES: Span = Span::millis(100);

/// What readings may miss of it at its ends; assumed.
pub(crate) const READINGS: Span = Span::millis(10);

/// What is to be cut, on the kernel's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    pub(crate) at: Instant,
    /// For how long; `None`: until somebody switches the source on again.
    pub(crate) hold: Option<Span>,
    /// A rail below this does not carry the board.
    pub(crate) minimum: Voltage,
    /// Below this the board is off.
    pub(crate) dark: Voltage,
    /// How long a cut without an end may take until the board is off.
    pub(crate) discharge: Span,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Achieved {
    /// When the source went.
    pub(crate) began: Moment,
    pub(crate) lowest: Voltage,
    /// From the first reading below the minimum to the first that is not; zero if there was none.
    pub(crate) below: Span,
}

/// Readings while the cut lasts.
struct Course {
    lowest: Voltage,
    fell: Option<Instant>,
    last: Instant,
}

impl Course {
    fn below(&self) -> Span {
        self.fell.map_or(Span::ZERO, |fell| self.last.since(fell))
    }
}

impl Cut {
    /// Makes the cut. `rail` says what the board's rail has at most while its input has this; `tell` is told every reading.
    pub(crate) fn make(
        self,
        supply: &mut dyn Supply,
        called_off: impl Fn() -> bool,
        rail: impl Fn(Voltage) -> Voltage,
        mut tell: impl FnMut(Reading),
    ) -> Result<Achieved, Failure> {
        let device = supply.device().to_owned();
        let stop =
            || Failure::new(device.clone(), "cut the power", FailureKind::Refused("the trial was ended".to_owned()));
        wait_until(self.at, &called_off).ok_or_else(stop)?;
        let began = supply.switch(Switch::Off, Deadline::after(ACTION))?;
        let mut course = Course { lowest: Voltage::new(i64::MAX), fell: None, last: began.at };
        let mut look = |supply: &mut dyn Supply, course: &mut Course| -> Result<Option<Voltage>, Failure> {
            let reading = supply.measure(Deadline::after(ACTION))?;
            tell(reading);
            let Some(volts) = reading.voltage.map(&rail) else { return Ok(None) };
            course.lowest = course.lowest.min(volts);
            course.last = reading.moment.at;
            if volts < self.minimum {
                course.fell.get_or_insert(reading.moment.at);
            }
            Ok(Some(volts))
        };
        match self.hold {
            None => {
                let patience = Deadline::after(self.discharge);
                while look(supply, &mut course)?.is_some_and(|volts| volts > self.dark) {
                    if called_off() {
                        return Err(stop());
                    }
                    sleep(BETWEEN_LOOKS);
                    if patience.has_passed() {
                        let kind = FailureKind::ReadBack(format!("{} at the output", course.lowest));
                        return Err(Failure::new(device, "cut the power", kind)
                            .with_help("something else feeds the board: look at USB, UART and probe cables"));
                    }
                }
                Ok(Achieved { began, lowest: course.lowest, below: course.below() })
            }
            Some(hold) => {
                let back = began.at + hold;
                let mut takes = Span::ZERO;
                // The last look must be over when the power is due back.
                while now() + takes + AWAKE < back {
                    let before = now();
                    look(supply, &mut course)?;
                    takes = takes.max(now().since(before));
                    if called_off() {
                        return Err(stop());
                    }
                    sleep(BETWEEN_LOOKS.min((back - AWAKE).since(now() + takes)));
                }
                wait_until(back, &called_off).ok_or_else(stop)?;
                supply.switch(Switch::On, Deadline::after(ACTION))?;
                let patience = Deadline::after(RETURN);
                while look(supply, &mut course)?.is_some_and(|volts| volts < self.minimum) && !patience.has_passed() {
                    if called_off() {
                        return Err(stop());
                    }
                }
                Ok(Achieved { began, lowest: course.lowest, below: course.below() })
            }
        }
    }
}

/// Waits for an instant of the kernel's clock, the last of it awake. `None` if it was called off.
fn wait_until(at: Instant, called_off: impl Fn() -> bool) -> Option<()> {
    loop {
        if called_off() {
            return None;
        }
        let left = at.since(now());
        if left == Span::ZERO {
            return Some(());
        }
        if left > AWAKE {
            sleep((left - AWAKE).min(SLICE));
        } else {
            std::hint::spin_loop();
        }
    }
}

fn sleep(span: Span) {
    thread::sleep(Duration::from_nanos(span.as_nanos()));
}
