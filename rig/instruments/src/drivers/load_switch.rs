//! A load switch or MOSFET in the board's supply, thrown by one of the station's lines; where there are, a crowbar that shorts the output
//! while the switch is open, and a monitor behind it.
//!
//! Boundary: the switch and what is measured behind it. The line is driven by the driver that owns it, so that the bench's one instant for
//! an edge holds here too; which level closes the switch is that driver's setting.

mod crowbar;
mod monitor;

use std::sync::Arc;

use brickproof_units::{Resistance, Span, Voltage};
use linux_embedded_hal::I2cdev;

use crate::capability::{Capabilities, Reach, Timing};
use crate::clock::{Deadline, Moment};
use crate::factory::{Below, Factory, Instrument, Kind};
use crate::failure::{Failure, FailureKind};
use crate::kinds::{Drive, Lines, Output, Reading, Supply, Switch};
use crate::owner::Owner;
use crate::settings::{Setting, SettingKind, Settings};

use self::crowbar::Crowbar;
use self::monitor::{Measure, Monitor, Part};

/// A switch in the board's supply.
pub(super) struct LoadSwitch;

/// Where both monitors are with their address pins low.
const ADDRESS: u8 = 0x40;
/// On the usual breakout boards; recalled.
const SHUNT: Resistance = Resistance::new(100_000);
/// Of a load switch with a slow turn-on such as a TPS22918; recalled.
const SETTLES: Span = Span::millis(1);

impl Factory for LoadSwitch {
    fn driver(&self) -> &'static str {
        "load-switch"
    }

    fn kind(&self) -> Kind {
        Kind::Supply
    }

    fn about(&self) -> &'static str {
        "load switch on one of the station's lines, with an INA219 or INA226 behind it"
    }

    fn settings(&self) -> &'static [Setting] {
        const fn setting(name: &'static str, kind: SettingKind, required: bool, about: &'static str) -> Setting {
            Setting { name, kind, required, about }
        }
        const SETTINGS: &[Setting] = &[
            setting("line", SettingKind::Text, true, "the station's line that closes the switch while it is asserted"),
            setting("voltage", SettingKind::Voltage, true, "what it switches"),
            setting("settles", SettingKind::Span, false, "from the line's edge until the output follows; 1ms without"),
            setting(
                "crowbar",
                SettingKind::Text,
                false,
                "the station's line that shorts the output while it is asserted, and the switch is open; none without",
            ),
            setting(
                "dead_time",
                SettingKind::Span,
                false,
                "what lies at least between one of the two opening and the other closing; `settles` without",
            ),
            setting(
                "monitor",
                SettingKind::Word(Part::WORDS),
                false,
                "what measures behind the switch; nothing without",
            ),
            setting(
                "bus",
                SettingKind::Text,
                false,
                "the monitor's bus, as /dev/i2c-1; it must not be behind a multiplexer",
            ),
            setting("address", SettingKind::Number, false, "the monitor's address; 0x40 without"),
            setting("shunt", SettingKind::Resistance, false, "the monitor's shunt; 100mohm without"),
        ];
        SETTINGS
    }

    fn capabilities(&self, settings: &Settings) -> Capabilities {
        let settles = settles(settings);
        let follows = settles + crowbar(settings).map_or(Span::ZERO, |crowbar| crowbar.dead_time);
        let measures = settings.text("monitor").is_some();
        Capabilities {
            voltage: settings.voltage("voltage").map(|voltage| Reach { least: voltage, most: voltage }),
            cut: Some(follows + follows),
            measures_voltage: measures,
            measures_current: measures,
            ..Capabilities::only(Timing {
                latency: follows,
                uncertainty: follows,
                source: "stated in the bench file, or recalled for a load switch with slow turn-on; the line's own is added to it",
            })
        }
    }

    fn over(&self) -> Option<Kind> {
        Some(Kind::Lines)
    }

    fn open(&self, _: &Settings, _: Deadline) -> Result<Instrument, Failure> {
        let kind = FailureKind::Refused("it works through the station's lines, and there are none".to_owned());
        Err(Failure::new("load-switch", "open it", kind))
    }

    fn open_over(&self, below: Below, settings: &Settings, deadline: Deadline) -> Result<Instrument, Failure> {
        let Below::Lines(lines) = below else { return self.open(settings, deadline) };
        let line = settings.text("line").unwrap_or_default().to_owned();
        let device = format!("load-switch on {line}");
        let mut supply = Switched {
            line,
            lines,
            voltage: settings.voltage("voltage").unwrap_or_default(),
            settles: settles(settings),
            crowbar: crowbar(settings),
            monitor: None,
            device,
        };
        // Off comes first, whatever becomes of the monitor.
        supply.let_go(deadline)?;
        supply.monitor = monitor(settings).map_err(|kind| Failure::new(&supply.device, "open its monitor", kind))?;
        Ok(Instrument::Supply(Box::new(supply)))
    }
}

fn settles(settings: &Settings) -> Span {
    settings.span("settles").unwrap_or(SETTLES)
}

fn crowbar(settings: &Settings) -> Option<Crowbar> {
    let line = settings.text("crowbar")?.to_owned();
    // Assumed: what shorts the output lets go no later than the switch does.
    Some(Crowbar { line, dead_time: settings.span("dead_time").unwrap_or_else(|| settles(settings)) })
}

fn monitor(settings: &Settings) -> Result<Option<Box<dyn Measure>>, FailureKind> {
    let Some(part) = settings.text("monitor").and_then(Part::of_word) else { return Ok(None) };
    let bus = settings.text("bus").ok_or_else(|| FailureKind::Refused("`monitor` needs `bus`".to_owned()))?;
    let address = match settings.number("address") {
        None => ADDRESS,
        Some(address) => u8::try_from(address)
            .ok()
            .filter(|address| *address < 0x80)
            .ok_or_else(|| FailureKind::Refused(format!("{address:#x} is no address on an I2C bus")))?,
    };
    let shunt = settings.resistance("shunt").unwrap_or(SHUNT);
    let bus = I2cdev::new(bus).map_err(std::io::Error::from)?;
    let mut monitor = Monitor { bus, address, part, shunt };
    monitor.begin()?;
    Ok(Some(Box::new(monitor)))
}

struct Switched {
    device: String,
    lines: Arc<Owner<dyn Lines>>,
    line: String,
    voltage: Voltage,
    settles: Span,
    crowbar: Option<Crowbar>,
    monitor: Option<Box<dyn Measure>>,
}

impl Switched {
    fn drive(&self, asked: &str, line: &str, drive: Drive, deadline: Deadline) -> Result<Moment, Failure> {
        let line = line.to_owned();
        self.lines.call(asked, deadline, move |lines, deadline| lines.drive(&line, drive, deadline))
    }

    /// The safe state: neither is closed.
    fn let_go(&self, deadline: Deadline) -> Result<(), Failure> {
        let opened = self.drive(OPEN, &self.line, Drive::Released, deadline);
        if let Some(crowbar) = &self.crowbar {
            self.drive(crowbar::OPEN, &crowbar.line, Drive::Released, deadline)?;
        }
        opened.map(drop)
    }

    fn close(&self, deadline: Deadline) -> Result<Moment, Failure> {
        if let Some(crowbar) = &self.crowbar {
            self.drive(crowbar::OPEN, &crowbar.line, Drive::Released, deadline)?;
            crowbar.wait(deadline).map_err(|kind| Failure::new(&self.device, CLOSE, kind))?;
        }
        self.drive(CLOSE, &self.line, Drive::Asserted, deadline)
    }

    /// The output falls from the switch's opening on, and is down once the crowbar has closed.
    fn open(&self, deadline: Deadline) -> Result<Moment, Failure> {
        let opened = self.drive(OPEN, &self.line, Drive::Released, deadline)?;
        let Some(crowbar) = &self.crowbar else { return Ok(opened) };
        crowbar.wait(deadline).map_err(|kind| Failure::new(&self.device, crowbar::CLOSE, kind))?;
        let shorted = self.drive(crowbar::CLOSE, &crowbar.line, Drive::Asserted, deadline)?;
        Ok(Moment::between(opened.at, shorted.at).blurred(opened.uncertainty.max(shorted.uncertainty)))
    }
}

const CLOSE: &str = "close the load switch";
const OPEN: &str = "open the load switch";

impl Supply for Switched {
    fn device(&self) -> &str {
        &self.device
    }

    fn set(&mut self, output: Output, _: Deadline) -> Result<(), Failure> {
        let kind = match output {
            Output { limit: Some(_), .. } => "a switch limits no current".to_owned(),
            Output { voltage, .. } if voltage != self.voltage => {
                format!("it switches {} and nothing else", self.voltage)
            }
            Output { .. } => return Ok(()),
        };
        Err(Failure::new(&self.device, format!("set {}", output.voltage), FailureKind::Unsupported(kind)))
    }

    fn switch(&mut self, switch: Switch, deadline: Deadline) -> Result<Moment, Failure> {
        let moment = match switch {
            Switch::On => self.close(deadline)?,
            Switch::Off => self.open(deadline)?,
        };
        Ok(moment.blurred(self.settles))
    }

    fn measure(&mut self, _: Deadline) -> Result<Reading, Failure> {
        let asked = "measure behind the switch";
        let Some(monitor) = self.monitor.as_mut() else {
            let kind = FailureKind::Unsupported("it has no `monitor`".to_owned());
            return Err(Failure::new(&self.device, asked, kind));
        };
        let ((voltage, current), moment) =
            Moment::of(|| monitor.read()).map_err(|kind| Failure::new(&self.device, asked, kind))?;
        Ok(Reading { voltage: Some(voltage), current: Some(current), moment: moment.blurred(monitor.age()) })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use brickproof_units::Current;
    use embedded_hal::i2c::{ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation};

    use super::*;
    use crate::clock::now;
    use crate::kinds::{Edges, LineState};
    use crate::settings::Value;

    /// A switch, a board behind it that takes 25 mA, and a monitor between them.
    #[derive(Default)]
    struct World {
        closed: bool,
        /// Fed from somewhere else, in millivolts.
        fed: u16,
        part: Option<Part>,
        configuration: u16,
        unplugged: bool,
    }

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<World>>);

    impl Lines for Shared {
        fn drive(&mut self, line: &str, drive: Drive, _: Deadline) -> Result<Moment, Failure> {
            if line != "power" {
                return Err(Failure::new("model", "drive it", FailureKind::Missing(line.to_owned())));
            }
            self.0.lock().unwrap().closed = drive == Drive::Asserted;
            Ok(Moment { at: now(), uncertainty: Span::micros(10) })
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

    impl ErrorType for Shared {
        type Error = ErrorKind;
    }

    impl I2c for Shared {
        fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), ErrorKind> {
            let mut world = self.0.lock().unwrap();
            let (Some(part), 0x41) = (world.part, address) else {
                return Err(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address));
            };
            if world.unplugged {
                return Err(ErrorKind::Other);
            }
            let millivolts = if world.closed { 3_300 } else { world.fed };
            // 25 mA through 100 milliohms are 2.5 mV; back-fed, the current is the other way round.
            let microvolts: i32 = if world.closed { 2_500 } else { -i32::from(world.fed) };
            let mut pointer = 0;
            for operation in operations {
                match operation {
                    Operation::Write([register]) => pointer = *register,
                    Operation::Write([0, high, low]) => world.configuration = u16::from_be_bytes([*high, *low]),
                    Operation::Write(_) => return Err(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Data)),
                    Operation::Read(value) => {
                        let register = match (part, pointer) {
                            (_, 0) => world.configuration,
                            (Part::Ina219, 1) => (microvolts / 10) as i16 as u16,
                            (Part::Ina226, 1) => (microvolts * 10 / 25) as i16 as u16,
                            // Conversion ready, as it mostly is.
                            (Part::Ina219, 2) => (millivolts / 4) << 3 | 2,
                            (Part::Ina226, 2) => (u32::from(millivolts) * 100 / 125) as u16,
                            (Part::Ina226, 0xFE) => 0x5449,
                            _ => 0xFFFF,
                        };
                        value.copy_from_slice(&register.to_be_bytes()[..value.len()]);
                    }
                }
            }
            Ok(())
        }
    }

    fn soon() -> Deadline {
        Deadline::after(Span::secs(5))
    }

    fn settings() -> Settings {
        Settings::new()
            .with("line", Value::Text("power".to_owned()))
            .with("voltage", Value::Voltage(Voltage::new(3_300_000)))
    }

    fn lines(world: &Shared) -> Arc<Owner<dyn Lines>> {
        Arc::new(Owner::new("model", Box::new(world.clone()) as Box<dyn Lines>).unwrap())
    }

    fn supply(world: &Shared, part: Option<Part>) -> Switched {
        world.0.lock().unwrap().part = part;
        let monitor = part.map(|part| {
            let mut monitor = Monitor { bus: world.clone(), address: 0x41, part, shunt: SHUNT };
            monitor.begin().unwrap();
            Box::new(monitor) as Box<dyn Measure>
        });
        Switched {
            device: "load-switch on power".to_owned(),
            lines: lines(world),
            line: "power".to_owned(),
            voltage: Voltage::new(3_300_000),
            settles: SETTLES,
            crowbar: None,
            monitor,
        }
    }

    #[test]
    fn the_line_closes_the_switch_and_the_monitor_sees_it() {
        for part in [Part::Ina219, Part::Ina226] {
            let world = Shared::default();
            let mut supply = supply(&world, Some(part));
            let moment = supply.switch(Switch::On, soon()).unwrap();
            assert!(moment.uncertainty >= SETTLES + Span::micros(10), "the line's own and the switch's");
            let reading = supply.measure(soon()).unwrap();
            assert_eq!(reading.voltage, Some(Voltage::new(3_300_000)), "{part:?}");
            assert_eq!(reading.current, Some(Current::new(25_000)), "{part:?}");
            supply.switch(Switch::Off, soon()).unwrap();
            supply.prove_off(Voltage::new(50_000), soon()).unwrap();
        }
    }

    #[test]
    fn a_board_that_is_fed_from_elsewhere_is_not_off() {
        let world = Shared::default();
        world.0.lock().unwrap().fed = 1_500;
        for part in [Part::Ina219, Part::Ina226] {
            let mut supply = supply(&world, Some(part));
            assert_eq!(supply.measure(soon()).unwrap().current, Some(Current::new(-15_000)), "{part:?}");
            let failure = supply.prove_off(Voltage::new(50_000), Deadline::after(Span::millis(20))).unwrap_err();
            assert!(matches!(failure.kind(), FailureKind::ReadBack(_)), "{failure}");
        }
    }

    #[test]
    fn it_is_opened_over_lines_and_left_open() {
        let world = Shared::default();
        world.0.lock().unwrap().closed = true;
        let opened = LoadSwitch.open_over(Below::Lines(lines(&world)), &settings(), soon());
        let Ok(Instrument::Supply(mut supply)) = opened else { panic!("it opens") };
        assert!(!world.0.lock().unwrap().closed);
        assert!(matches!(supply.measure(soon()).unwrap_err().kind(), FailureKind::Unsupported(_)));
        assert!(supply.set(Output { voltage: Voltage::new(3_300_000), limit: None }, soon()).is_ok());
        let other = supply.set(Output { voltage: Voltage::new(3_000_000), limit: None }, soon()).unwrap_err();
        assert!(matches!(other.kind(), FailureKind::Unsupported(_)));
    }

    #[test]
    fn what_cannot_be_opened_is_told_and_the_switch_is_open_all_the_same() {
        let with =
            |key: &str, value: Value| settings().with("monitor", Value::Text("ina226".to_owned())).with(key, value);
        let bus = || Value::Text("/dev/i2c-does-not-exist".to_owned());
        let mut told = Vec::new();
        for settings in [
            settings().with("line", Value::Text("powr".to_owned())),
            with("address", Value::Number(0x40)),
            with("bus", bus()).with("address", Value::Number(0x80)),
            with("bus", bus()),
        ] {
            let world = Shared::default();
            world.0.lock().unwrap().closed = true;
            let failure = LoadSwitch.open_over(Below::Lines(lines(&world)), &settings, soon()).err().unwrap();
            assert!(!world.0.lock().unwrap().closed || failure.device() == "model");
            told.push(failure.to_string());
        }
        told.push(LoadSwitch.open(&settings(), soon()).err().unwrap().to_string());
        insta::assert_snapshot!(told.join("\n"), @r"
        model failed to drive it: not found: powr
        load-switch on power failed to open its monitor: refused: `monitor` needs `bus`
        load-switch on power failed to open its monitor: refused: 0x80 is no address on an I2C bus
        load-switch on power failed to open its monitor: not found: No such file or directory (os error 2)
        load-switch failed to open it: refused: it works through the station's lines, and there are none
        ");
    }

    #[test]
    fn another_part_or_none_or_one_that_went_is_told_apart() {
        let world = Shared::default();
        let mut monitor = Monitor { bus: world.clone(), address: 0x41, part: Part::Ina226, shunt: SHUNT };
        let mut told = vec![monitor.begin().unwrap_err().to_string()];
        world.0.lock().unwrap().part = Some(Part::Ina219);
        told.push(monitor.begin().unwrap_err().to_string());
        world.0.lock().unwrap().part = Some(Part::Ina226);
        monitor.begin().unwrap();
        world.0.lock().unwrap().unplugged = true;
        told.push(monitor.read().unwrap_err().to_string());
        world.0.lock().unwrap().unplugged = false;
        monitor.shunt = Resistance::new(0);
        told.push(monitor.read().unwrap_err().to_string());
        insta::assert_snapshot!(told.join("\n"), @r"
        not found: nobody answers at address 0x41
        unexpected answer: register 0xfe at 0x41 holds 0xffff, and in this part it holds 0x5449
        gone: Other
        refused: a shunt of 0ohm tells no current
        ");
    }
}
