//! A program of the lab as an instrument: a PDU, a labgrid place, an odd relay, without a change to the rig.
//!
//! Boundary: supplies and lines in the words of `hardware/command-protocol.md`. The program's promises are the bench file's and its own;
//! what it does cannot be known here beyond its answers.

mod program;

use brickproof_units::{Current, Span, Voltage};

use crate::capability::{Capabilities, Reach, Timing};
use crate::clock::{Deadline, Moment, now};
use crate::factory::{Factory, Instrument, Kind};
use crate::failure::{Failure, FailureKind};
use crate::kinds::{Drive, Edges, LineState, Lines, Output, Reading, Supply, Switch};
use crate::settings::{Setting, SettingKind, Settings};

use self::program::Program;

/// A program as a supply.
pub(super) struct SupplyCommand;
/// A program as lines.
pub(super) struct LinesCommand;

const WORD: &str = "command";
/// What nobody stated is taken to be slow.
const SLOW: Span = Span::secs(1);

const PROGRAM: Setting = Setting {
    name: "program",
    kind: SettingKind::Text,
    required: true,
    about: "what is started; it speaks the protocol of hardware/command-protocol.md",
};
const ARGUMENTS: Setting =
    Setting { name: "arguments", kind: SettingKind::TextList, required: false, about: "its arguments; none without" };
const LATENCY: Setting = Setting {
    name: "latency",
    kind: SettingKind::Span,
    required: false,
    about: "within this it has done what it was asked; 1s without",
};
const UNCERTAINTY: Setting = Setting {
    name: "uncertainty",
    kind: SettingKind::Span,
    required: false,
    about: "how far from its answer the true instant may be; as the latency without",
};

fn timing(settings: &Settings) -> Timing {
    let latency = settings.span(LATENCY.name).unwrap_or(SLOW);
    Timing {
        latency,
        uncertainty: settings.span(UNCERTAINTY.name).unwrap_or(latency),
        source: "stated in the bench file, or taken to be slow",
    }
}

fn program(settings: &Settings, kind: &'static str) -> Program {
    let arguments = settings.texts(ARGUMENTS.name).unwrap_or_default();
    Program::new(settings.text(PROGRAM.name).unwrap_or_default(), arguments, kind)
}

impl Factory for SupplyCommand {
    fn driver(&self) -> &'static str {
        WORD
    }

    fn kind(&self) -> Kind {
        Kind::Supply
    }

    fn about(&self) -> &'static str {
        "supply behind a program of your own"
    }

    fn settings(&self) -> &'static [Setting] {
        const SETTINGS: &[Setting] = &[
            PROGRAM,
            ARGUMENTS,
            LATENCY,
            UNCERTAINTY,
            Setting {
                name: "voltage_ceiling",
                kind: SettingKind::Voltage,
                required: true,
                about: "it is never asked for more; of a supply that cannot be set, what it gives",
            },
            Setting {
                name: "current_ceiling",
                kind: SettingKind::Current,
                required: false,
                about: "its limit is never set higher; without, it is not set",
            },
            Setting {
                name: "cut",
                kind: SettingKind::Span,
                required: false,
                about: "power can be taken away and given back in this time; without, it is not used for cuts",
            },
            Setting {
                name: "measures",
                kind: SettingKind::TextList,
                required: false,
                about: "what it must be able to measure: voltage, current; nothing without",
            },
        ];
        SETTINGS
    }

    fn capabilities(&self, settings: &Settings) -> Capabilities {
        let measures = settings.texts("measures").unwrap_or_default();
        let measures = |what: &str| measures.iter().any(|measured| measured == what);
        Capabilities {
            voltage: settings.voltage("voltage_ceiling").map(|most| Reach { least: Voltage::new(0), most }),
            current: settings.current("current_ceiling"),
            cut: settings.span("cut"),
            measures_voltage: measures("voltage"),
            measures_current: measures("current"),
            ..Capabilities::only(timing(settings))
        }
    }

    fn open(&self, settings: &Settings, deadline: Deadline) -> Result<Instrument, Failure> {
        let mut supply = Source {
            program: program(settings, "supply"),
            uncertainty: timing(settings).uncertainty,
            // A ceiling that is missing permits nothing.
            voltage_ceiling: settings.voltage("voltage_ceiling").unwrap_or_default(),
            current_ceiling: settings.current("current_ceiling").unwrap_or_default(),
            set_in: None,
        };
        supply.program.start(deadline)?;
        for what in settings.texts("measures").unwrap_or_default() {
            supply.must(&format!("measure-{what}"), "open it")?;
        }
        supply.switch(Switch::Off, deadline)?;
        Ok(Instrument::Supply(Box::new(supply)))
    }
}

struct Source {
    program: Program,
    uncertainty: Span,
    voltage_ceiling: Voltage,
    current_ceiling: Current,
    /// In which of the program's lives a voltage was set.
    set_in: Option<u32>,
}

impl Source {
    fn must(&self, ability: &str, asked: &str) -> Result<(), Failure> {
        if self.program.can(ability) {
            return Ok(());
        }
        let kind = FailureKind::Unsupported(format!("its hello does not name {ability:?}"));
        Err(self.program.failure(asked, kind))
    }
}

impl Supply for Source {
    fn device(&self) -> &str {
        self.program.device()
    }

    fn set(&mut self, output: Output, deadline: Deadline) -> Result<(), Failure> {
        let asked = format!("set {}", output.voltage);
        let life = self.program.start(deadline)?;
        self.must("set", &asked)?;
        if output.limit.is_some() {
            self.must("limit", &asked)?;
        }
        let beyond = match output.limit {
            _ if !(Reach { least: Voltage::new(0), most: self.voltage_ceiling }).holds(output.voltage) => {
                Some(format!("{} is not between 0V and the ceiling of {}", output.voltage, self.voltage_ceiling))
            }
            Some(limit) if !(Reach { least: Current::new(0), most: self.current_ceiling }).holds(limit) => {
                Some(format!("{limit} is not between 0A and the ceiling of {}", self.current_ceiling))
            }
            _ => None,
        };
        if let Some(beyond) = beyond {
            return Err(self.program.failure(&asked, FailureKind::Refused(beyond)));
        }
        let limit = output.limit.map_or(String::new(), |limit| format!(" {}uA", limit.get()));
        self.program.tell(&asked, &format!("set {}uV{limit}", output.voltage.get()), deadline)?;
        self.set_in = Some(life);
        Ok(())
    }

    fn switch(&mut self, switch: Switch, deadline: Deadline) -> Result<Moment, Failure> {
        let (asked, request) = match switch {
            Switch::On => ("switch it on", "switch on"),
            Switch::Off => ("switch it off", "switch off"),
        };
        let life = self.program.start(deadline)?;
        if switch == Switch::On && self.program.can("set") && self.set_in != Some(life) {
            let kind = FailureKind::Refused("no voltage was set since it was started".to_owned());
            return Err(self.program.failure(asked, kind));
        }
        let ((), moment) = Moment::of(|| self.program.tell(asked, request, deadline))?;
        Ok(moment.blurred(self.uncertainty))
    }

    fn measure(&mut self, deadline: Deadline) -> Result<Reading, Failure> {
        let asked = "measure its output";
        let (answer, moment) = Moment::of(|| self.program.ask(asked, "measure", deadline))?;
        let Some((voltage, current)) = reading(&answer) else {
            let kind = FailureKind::Answer(format!("{answer:?} to \"measure\""));
            return Err(self.program.failure(asked, kind));
        };
        Ok(Reading { voltage, current, moment: moment.blurred(self.uncertainty) })
    }
}

/// A voltage and a current, each with its unit, or `-` for what is not measured.
fn reading(answer: &str) -> Option<(Option<Voltage>, Option<Current>)> {
    fn one<T: std::str::FromStr>(word: &str) -> Option<Option<T>> {
        if word == "-" { Some(None) } else { word.parse().ok().map(Some) }
    }
    let mut words = answer.split_whitespace();
    let read = (one(words.next()?)?, one(words.next()?)?);
    words.next().is_none().then_some(read)
}

impl Factory for LinesCommand {
    fn driver(&self) -> &'static str {
        WORD
    }

    fn kind(&self) -> Kind {
        Kind::Lines
    }

    fn about(&self) -> &'static str {
        "lines behind a program of your own"
    }

    fn settings(&self) -> &'static [Setting] {
        const SETTINGS: &[Setting] = &[
            PROGRAM,
            ARGUMENTS,
            LATENCY,
            UNCERTAINTY,
            Setting {
                name: "lines",
                kind: SettingKind::TextList,
                required: true,
                about: "the board's names for the lines that it drives, as it is asked for them",
            },
        ];
        SETTINGS
    }

    fn capabilities(&self, settings: &Settings) -> Capabilities {
        Capabilities::only(timing(settings))
    }

    fn open(&self, settings: &Settings, deadline: Deadline) -> Result<Instrument, Failure> {
        let mut lines = Relays {
            program: program(settings, "lines"),
            uncertainty: timing(settings).uncertainty,
            lines: settings.texts("lines").unwrap_or_default(),
        };
        lines.program.start(deadline)?;
        lines.make_safe(deadline)?;
        Ok(Instrument::Lines(Box::new(lines)))
    }
}

struct Relays {
    program: Program,
    uncertainty: Span,
    lines: Vec<String>,
}

impl Relays {
    /// One of its lines, by a name that is one word of a request.
    fn known(&self, line: &str, asked: &str) -> Result<(), Failure> {
        let is_word = !line.is_empty() && !line.contains(|c: char| c.is_whitespace() || c.is_control());
        if is_word && self.lines.iter().any(|known| known == line) {
            return Ok(());
        }
        let kind = FailureKind::Missing(format!("no line {line:?} among {}", self.lines.join(", ")));
        Err(self.program.failure(asked, kind))
    }
}

impl Lines for Relays {
    fn drive(&mut self, line: &str, drive: Drive, deadline: Deadline) -> Result<Moment, Failure> {
        let word = match drive {
            Drive::Asserted => "asserted",
            Drive::Released => "released",
        };
        let asked = format!("drive {line} {word}");
        self.known(line, &asked)?;
        let before = now();
        self.program.tell(&asked, &asked, deadline)?;
        Ok(Moment::between(before, now()).blurred(self.uncertainty))
    }

    fn read(&mut self, line: &str, deadline: Deadline) -> Result<LineState, Failure> {
        let asked = format!("read {line}");
        self.known(line, &asked)?;
        match self.program.ask(&asked, &asked, deadline)?.as_str() {
            "active" => Ok(LineState::Active),
            "inactive" => Ok(LineState::Inactive),
            other => Err(self.program.failure(&asked, FailureKind::Answer(format!("{other:?}")))),
        }
    }

    /// None: the protocol has no watched lines.
    fn edges(&mut self) -> Result<Option<Box<dyn Edges>>, Failure> {
        Ok(None)
    }

    fn make_safe(&mut self, deadline: Deadline) -> Result<(), Failure> {
        let released: Vec<_> =
            self.lines.clone().iter().map(|line| self.drive(line, Drive::Released, deadline)).collect();
        released.into_iter().try_for_each(|moment| moment.map(|_| ()))
    }
}
