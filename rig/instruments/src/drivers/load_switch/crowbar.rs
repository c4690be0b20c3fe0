//! What shorts a board's supply while its switch is open, so that the rail falls at once and not as the board's capacitors please.
//!
//! Boundary: the dead time. That both are never closed together is kept by the order in which the supply drives its two lines: one is
//! opened, and has been for the dead time, before the other closes; when the first fails, the second is left alone.

use brickproof_units::Span;

use crate::clock::Deadline;
use crate::failure::FailureKind;

pub(super) const CLOSE: &str = "close the crowbar";
pub(super) const OPEN: &str = "open the crowbar";

/// A line that shorts the output while it is asserted.
pub(super) struct Crowbar {
    pub(super) line: String,
    pub(super) dead_time: Span,
}

impl Crowbar {
    /// Lets the dead time pass; what would end after the deadline does not begin.
    pub(super) fn wait(&self, deadline: Deadline) -> Result<(), FailureKind> {
        let dead_time = std::time::Duration::from_nanos(self.dead_time.as_nanos());
        if deadline.left() <= dead_time {
            return Err(FailureKind::NoAnswer(deadline.within()));
        }
        std::thread::sleep(dead_time);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use brickproof_units::{Instant, Span, Voltage};
    use proptest::prelude::*;

    use super::super::LoadSwitch;
    use crate::clock::{Deadline, Moment, now};
    use crate::factory::{Below, Factory, Instrument};
    use crate::failure::{Failure, FailureKind};
    use crate::kinds::{Drive, Edges, LineState, Lines, Supply, Switch};
    use crate::owner::Owner;
    use crate::settings::{Settings, Value};

    const DEAD_TIME: Span = Span::micros(300);
    const POWER: usize = 0;
    const SHORT: usize = 1;

    /// Two lines that keep the law: it is broken at the instant at which it is.
    struct Recorder {
        closed: [bool; 2],
        opened: [Option<Instant>; 2],
        breaches: Vec<String>,
        /// What the next drives do; they work once there are none left.
        mishaps: Vec<Mishap>,
    }

    #[derive(Clone, Copy, Debug)]
    enum Mishap {
        None,
        /// It fails and does nothing.
        Before,
        /// It does it and fails.
        After,
    }

    #[derive(Clone)]
    struct Shared(Arc<Mutex<Recorder>>);

    impl Shared {
        fn new(mishaps: Vec<Mishap>) -> Self {
            let recorder = Recorder { closed: [false; 2], opened: [None; 2], breaches: Vec::new(), mishaps };
            Self(Arc::new(Mutex::new(recorder)))
        }

        fn supply(&self) -> Result<Box<dyn Supply>, Failure> {
            let settings = Settings::new()
                .with("line", Value::Text("power".to_owned()))
                .with("voltage", Value::Voltage(Voltage::new(3_300_000)))
                .with("crowbar", Value::Text("short".to_owned()))
                .with("dead_time", Value::Span(DEAD_TIME));
            let lines = Owner::new("recorder", Box::new(self.clone()) as Box<dyn Lines>)?;
            match LoadSwitch.open_over(Below::Lines(Arc::new(lines)), &settings, soon())? {
                Instrument::Supply(supply) => Ok(supply),
                _ => unreachable!("the factory of supplies opens supplies"),
            }
        }

        fn closed(&self) -> [bool; 2] {
            self.0.lock().unwrap().closed
        }
    }

    impl Recorder {
        fn throw(&mut self, line: usize, drive: Drive) {
            let other = 1 - line;
            match drive {
                Drive::Released if self.closed[line] => {
                    self.closed[line] = false;
                    self.opened[line] = Some(now());
                }
                Drive::Released => {}
                Drive::Asserted => {
                    if self.closed[other] {
                        self.breaches.push(format!("{line} closed while {other} was"));
                    }
                    if let Some(opened) = self.opened[other]
                        && now().since(opened) < DEAD_TIME
                    {
                        self.breaches.push(format!("{line} closed {} after {other} opened", now().since(opened)));
                    }
                    self.closed[line] = true;
                }
            }
        }
    }

    impl Lines for Shared {
        fn drive(&mut self, line: &str, drive: Drive, _: Deadline) -> Result<Moment, Failure> {
            let mut recorder = self.0.lock().unwrap();
            let mishap = recorder.mishaps.pop().unwrap_or(Mishap::None);
            if !matches!(mishap, Mishap::Before) {
                recorder.throw(if line == "power" { POWER } else { SHORT }, drive);
            }
            match mishap {
                Mishap::None => Ok(Moment { at: now(), uncertainty: Span::ZERO }),
                Mishap::Before | Mishap::After => {
                    Err(Failure::new("recorder", "drive it", FailureKind::Gone("unplugged".to_owned())))
                }
            }
        }
        fn read(&mut self, _: &str, _: Deadline) -> Result<LineState, Failure> {
            Ok(LineState::Inactive)
        }
        fn edges(&mut self) -> Result<Option<Box<dyn Edges>>, Failure> {
            Ok(None)
        }
        fn make_safe(&mut self, _: Deadline) -> Result<(), Failure> {
            Ok(())
        }
    }

    fn soon() -> Deadline {
        Deadline::after(Span::secs(5))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn switch_and_crowbar_are_never_closed_together(
            switches in prop::collection::vec(prop_oneof![Just(Switch::On), Just(Switch::Off)], 1..8),
            mishaps in prop::collection::vec(
                prop_oneof![3 => Just(Mishap::None), 1 => Just(Mishap::Before), 1 => Just(Mishap::After)], 0..16),
        ) {
            let lines = Shared::new(Vec::new());
            let mut supply = lines.supply().unwrap();
            lines.0.lock().unwrap().mishaps = mishaps;
            for switch in switches {
                let done = supply.switch(switch, soon()).is_ok();
                let expected = match switch {
                    Switch::On => [true, false],
                    Switch::Off => [false, true],
                };
                prop_assert!(!done || lines.closed() == expected, "{switch:?}: {:?}", lines.closed());
            }
            prop_assert_eq!(&lines.0.lock().unwrap().breaches, &Vec::<String>::new());
        }
    }

    #[test]
    fn it_is_opened_with_neither_closed_even_if_one_fails() {
        let lines = Shared::new(Vec::new());
        lines.0.lock().unwrap().closed = [true, true];
        lines.supply().unwrap();
        assert_eq!(lines.closed(), [false; 2]);
        // The last of the list is the first drive, that of the switch.
        let lines = Shared::new(vec![Mishap::None, Mishap::Before]);
        lines.0.lock().unwrap().closed = [true, true];
        assert_eq!(lines.supply().err().unwrap().device(), "recorder");
        assert_eq!(lines.closed(), [true, false], "the crowbar is opened all the same");
    }

    #[test]
    fn the_moment_of_off_reaches_from_the_opening_to_the_short() {
        let lines = Shared::new(Vec::new());
        let mut supply = lines.supply().unwrap();
        supply.switch(Switch::On, soon()).unwrap();
        let before = now();
        let moment = supply.switch(Switch::Off, soon()).unwrap();
        assert!(moment.at - moment.uncertainty <= before + Span::millis(1), "it covers the opening");
        assert!(moment.uncertainty.as_nanos() * 2 >= DEAD_TIME.as_nanos(), "and the dead time");
    }

    #[test]
    fn without_time_for_the_dead_time_the_switch_is_open_and_the_crowbar_too() {
        let lines = Shared::new(Vec::new());
        let mut supply = lines.supply().unwrap();
        supply.switch(Switch::On, soon()).unwrap();
        let failure = supply.switch(Switch::Off, Deadline::after(Span::ZERO)).unwrap_err();
        assert!(matches!(failure.kind(), FailureKind::NoAnswer(_)), "{failure}");
        assert_eq!(lines.closed(), [false; 2]);
    }
}
