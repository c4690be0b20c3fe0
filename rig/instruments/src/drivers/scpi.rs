//! Bench supplies that speak SCPI, or one of its cousins, over TCP or a serial line.
//!
//! Boundary: one output of one device. It says what its maker's dialect calls for, looks at the error queue after every set, and believes
//! only what it reads back. After an answer that was late, cut off or senseless the connection is given up and made anew: what still
//! arrives on the old one must not pass for the answer to the next question.

mod dialect;

use brickproof_units::{Baud, Current, Span, Voltage};

use crate::capability::{Capabilities, Reach, Timing};
use crate::clock::{Deadline, Moment, now};
use crate::factory::{Factory, Instrument, Kind};
use crate::failure::{Failure, FailureKind};
use crate::kinds::{Output, Reading, Supply, Switch};
use crate::settings::{Setting, SettingKind, Settings};
use crate::wire::Wire;

use self::dialect::{Channel, Dialect, End, Quantity, Question};

/// Bench supplies.
pub(super) struct Scpi;

/// The IANA port of SCPI over plain TCP.
const PORT: u16 = 5025;
const BAUD: Baud = Baud::new(9_600);
/// The coarsest step among usual bench supplies; recalled.
const STEP: Voltage = Voltage::new(10_000);
/// A supply's own reaction to a command, which no answer tells; recalled.
const REACTION: Span = Span::millis(20);
/// As [`STEP`].
const CURRENT_STEP: Current = Current::new(10_000);
/// Longer than a byte at 9600 Bd and any gap inside an answer; recalled.
const QUIET: Span = Span::millis(60);
/// How many errors are fetched from a queue before it counts as endless; SCPI asks for at least two places.
const QUEUE: usize = 32;
/// How many answers to earlier questions may still come out of a serial line after it was opened.
const STALE_ANSWERS: usize = 4;

impl Factory for Scpi {
    fn driver(&self) -> &'static str {
        "scpi"
    }

    fn kind(&self) -> Kind {
        Kind::Supply
    }

    fn about(&self) -> &'static str {
        "bench supply over TCP or a serial line: SCPI, Rigol DP800, Korad"
    }

    fn settings(&self) -> &'static [Setting] {
        const fn setting(name: &'static str, kind: SettingKind, required: bool, about: &'static str) -> Setting {
            Setting { name, kind, required, about }
        }
        const SETTINGS: &[Setting] = &[
            setting(
                "at",
                SettingKind::Text,
                true,
                "a serial line's path, or a host with or without a port; 5025 without",
            ),
            setting(
                "identity",
                SettingKind::Text,
                true,
                "a part of what it answers to *IDN?; its serial number is best",
            ),
            setting(
                "dialect",
                SettingKind::Word(Dialect::WORDS),
                false,
                "how its maker spells commands; generic without",
            ),
            setting("channel", SettingKind::Number, false, "which output; without, the only one or the first"),
            setting("baud", SettingKind::Baud, false, "of the serial line; 9600Bd without"),
            setting("voltage_ceiling", SettingKind::Voltage, true, "it is never set higher"),
            setting("current_ceiling", SettingKind::Current, true, "its limit is never set higher"),
            setting(
                "step",
                SettingKind::Voltage,
                false,
                "what is set and what is read back may differ by this; 10mV without",
            ),
        ];
        SETTINGS
    }

    fn capabilities(&self, settings: &Settings) -> Capabilities {
        Capabilities {
            voltage: Some(Reach {
                least: Voltage::new(0),
                most: settings.voltage("voltage_ceiling").unwrap_or_default(),
            }),
            current: Some(settings.current("current_ceiling").unwrap_or_default()),
            cut: Some(Span::millis(100)),
            measures_voltage: true,
            measures_current: true,
            ..Capabilities::only(Timing {
                latency: Span::millis(50),
                uncertainty: REACTION,
                source: "recalled: a bench supply acts on a command within some 10 ms to 50 ms, with jitter; a Rigol DP800's own \
                         timer steps are 1 s at least",
            })
        }
    }

    fn open(&self, settings: &Settings, deadline: Deadline) -> Result<Instrument, Failure> {
        let at = settings.text("at").unwrap_or_default();
        let mut supply = Bench {
            device: format!("scpi supply {at}"),
            place: Place::of(at, settings.baud("baud").unwrap_or(BAUD)),
            dialect: Dialect::of_word(settings.text("dialect")),
            channel: settings.number("channel"),
            identity: settings.text("identity").unwrap_or_default().to_owned(),
            // A ceiling that is missing permits nothing.
            voltage_ceiling: settings.voltage("voltage_ceiling").unwrap_or_default(),
            current_ceiling: settings.current("current_ceiling").unwrap_or_default(),
            step: settings.voltage("step").unwrap_or(STEP),
            link: None,
            asked: None,
        };
        supply.switch(Switch::Off, deadline)?;
        // Whatever limit a person left at the front panel must not outlive this.
        let ceiling = supply.current_ceiling;
        supply.during("limit its current", deadline, |talk| {
            talk.command(&talk.dialect.set_current(talk.channel, ceiling))?;
            talk.read_back(Quantity::Current, ceiling.get(), CURRENT_STEP.get(), ceiling.get())
        })?;
        Ok(Instrument::Supply(Box::new(supply)))
    }
}

enum Place {
    Tcp(String),
    Serial(String, Baud),
}

impl Place {
    fn of(at: &str, baud: Baud) -> Self {
        if at.starts_with('/') {
            return Self::Serial(at.to_owned(), baud);
        }
        let has_port = at.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        Self::Tcp(if has_port { at.to_owned() } else { format!("{at}:{PORT}") })
    }

    fn open(&self, deadline: Deadline) -> Result<Wire, FailureKind> {
        match self {
            Self::Tcp(address) => Wire::tcp(address, deadline),
            Self::Serial(path, baud) => Wire::serial(path, *baud),
        }
    }
}

struct Bench {
    device: String,
    place: Place,
    dialect: Dialect,
    channel: Channel,
    identity: String,
    voltage_ceiling: Voltage,
    current_ceiling: Current,
    step: Voltage,
    link: Option<Link>,
    /// What this driver set, and so may be switched on.
    asked: Option<Output>,
}

/// A connection whose other end is known to be the right device.
struct Link {
    wire: Wire,
    /// Not before then may it be told anything.
    free: Deadline,
}

impl Bench {
    /// Has `act` talk to the device, which is connected to first where it must be.
    fn during<T>(
        &mut self,
        asked: &str,
        deadline: Deadline,
        act: impl FnOnce(&mut Talk<'_>) -> Result<T, FailureKind>,
    ) -> Result<T, Failure> {
        self.talk(deadline, act).map_err(|kind| {
            let failure = Failure::new(&self.device, asked, kind);
            match failure.kind() {
                FailureKind::Busy(_) => failure.with_help("another program or another station has this supply open"),
                FailureKind::Missing(_) => failure.with_help("is it switched on, and is remote control enabled on it?"),
                _ => failure,
            }
        })
    }

    fn talk<T>(
        &mut self,
        deadline: Deadline,
        act: impl FnOnce(&mut Talk<'_>) -> Result<T, FailureKind>,
    ) -> Result<T, FailureKind> {
        let mut link = match self.link.take() {
            Some(link) => link,
            None => self.connect(deadline)?,
        };
        let mut talk = Talk { link: &mut link, dialect: self.dialect, channel: self.channel, deadline };
        let outcome = talk.select().and_then(|()| act(&mut talk));
        let trusted = matches!(outcome, Ok(_) | Err(FailureKind::ReadBack(_) | FailureKind::Refused(_)));
        self.link = trusted.then_some(link);
        outcome
    }

    fn connect(&self, deadline: Deadline) -> Result<Link, FailureKind> {
        if self.identity.trim().is_empty() {
            return Err(FailureKind::Refused("`identity` is empty, so that any device would do".to_owned()));
        }
        let mut link = Link { wire: self.place.open(deadline)?, free: Deadline::after(Span::ZERO) };
        if let Place::Serial(..) = self.place {
            link.wire.discard(QUIET)?;
        }
        let mut talk = Talk { link: &mut link, dialect: self.dialect, channel: self.channel, deadline };
        let mut answer = talk.ask(&self.dialect.identity())?;
        for _ in 0..STALE_ANSWERS {
            let stale = dialect::millionths(&answer).is_some() || dialect::error(&answer).is_some();
            if !stale {
                break;
            }
            answer = talk.answer(self.dialect.identity().end)?;
        }
        let answer = String::from_utf8_lossy(&answer).trim().to_owned();
        if !answer.contains(&self.identity) {
            let kind = format!("it says it is {answer:?}, and the bench file says {:?}", self.identity);
            return Err(FailureKind::Answer(kind));
        }
        if self.dialect.has_error_queue() {
            talk.say("*CLS")?;
        }
        Ok(link)
    }

    fn allow(&self, output: Output) -> Result<(), FailureKind> {
        let refuse = |what: String| Err(FailureKind::Refused(what));
        match output.limit {
            _ if output.voltage > self.voltage_ceiling => {
                refuse(format!("{} is above this supply's ceiling of {}", output.voltage, self.voltage_ceiling))
            }
            _ if output.voltage.get() < 0 => refuse(format!("{} is negative", output.voltage)),
            Some(limit) if limit > self.current_ceiling => {
                refuse(format!("{limit} is above this supply's ceiling of {}", self.current_ceiling))
            }
            Some(limit) if limit.get() < 0 => refuse(format!("{limit} is negative")),
            _ => Ok(()),
        }
    }

    fn switch_once(&mut self, switch: Switch, deadline: Deadline) -> Result<Moment, Failure> {
        let asked = match switch {
            Switch::On => "switch its output on",
            Switch::Off => "switch its output off",
        };
        let (output, step, ceiling) = (self.asked, self.step, self.voltage_ceiling);
        self.during(asked, deadline, |talk| {
            if switch == Switch::On {
                let output = output.ok_or_else(|| FailureKind::Refused("no voltage was set".to_owned()))?;
                // Somebody may have turned its knob since.
                talk.read_back(Quantity::Voltage, output.voltage.get(), step.get(), ceiling.get())?;
            }
            let before = now();
            talk.say(&talk.dialect.switch(talk.channel, switch))?;
            let answer = talk.ask(&talk.dialect.switched(talk.channel))?;
            let moment = Moment::between(before, now()).blurred(REACTION);
            talk.no_errors()?;
            match talk.dialect.read_switched(&answer) {
                Some(state) if state == switch => Ok(moment),
                Some(state) => Err(FailureKind::ReadBack(format!("its output is {state:?}"))),
                None => {
                    Err(FailureKind::Answer(format!("{:?} to {:?}", text(&answer), talk.dialect.switched(None).text)))
                }
            }
        })
    }
}

impl Supply for Bench {
    fn device(&self) -> &str {
        &self.device
    }

    fn set(&mut self, output: Output, deadline: Deadline) -> Result<(), Failure> {
        let asked = format!("set {}", output.voltage);
        self.allow(output).map_err(|kind| Failure::new(&self.device, &asked, kind))?;
        let (step, voltage_ceiling, current_ceiling) = (self.step, self.voltage_ceiling, self.current_ceiling);
        let done = self.during(&asked, deadline, |talk| {
            // The limit first: it has to hold already when the voltage rises.
            if let Some(limit) = output.limit {
                talk.command(&talk.dialect.set_current(talk.channel, limit))?;
                talk.read_back(Quantity::Current, limit.get(), CURRENT_STEP.get(), current_ceiling.get())?;
            }
            talk.command(&talk.dialect.set_voltage(talk.channel, output.voltage))?;
            talk.read_back(Quantity::Voltage, output.voltage.get(), step.get(), voltage_ceiling.get())
        });
        self.asked = done.is_ok().then_some(output);
        if done.as_ref().is_err_and(|failure| matches!(failure.kind(), FailureKind::ReadBack(_))) {
            // It holds something that nobody asked for. The failure that is told is the one that led here.
            let _ = self.switch(Switch::Off, deadline);
        }
        done
    }

    fn switch(&mut self, switch: Switch, deadline: Deadline) -> Result<Moment, Failure> {
        let was_connected = self.link.is_some();
        match (self.switch_once(switch, deadline), switch) {
            // A supply that was restarted since has forgotten the connection, and the safe state cannot wait for the next call.
            (Err(failure), Switch::Off) if was_connected && matches!(failure.kind(), FailureKind::Gone(_)) => {
                self.switch_once(switch, deadline)
            }
            (done, _) => done,
        }
    }

    fn measure(&mut self, deadline: Deadline) -> Result<Reading, Failure> {
        self.during("measure its output", deadline, |talk| {
            let before = now();
            let voltage = talk.number(&talk.dialect.measurement(talk.channel, Quantity::Voltage))?;
            let current = talk.number(&talk.dialect.measurement(talk.channel, Quantity::Current))?;
            let moment = Moment::between(before, now()).blurred(REACTION);
            Ok(Reading { voltage: Some(Voltage::new(voltage)), current: Some(Current::new(current)), moment })
        })
    }
}

/// One conversation.
struct Talk<'a> {
    link: &'a mut Link,
    dialect: Dialect,
    channel: Channel,
    deadline: Deadline,
}

impl Talk<'_> {
    fn select(&mut self) -> Result<(), FailureKind> {
        match self.dialect.select(self.channel) {
            Some(select) => self.say(&select),
            None => Ok(()),
        }
    }

    fn say(&mut self, command: &str) -> Result<(), FailureKind> {
        std::thread::sleep(self.link.free.left());
        let line = format!("{command}{}", self.dialect.newline());
        self.link.wire.send(line.as_bytes(), self.deadline)?;
        self.link.free = Deadline::after(self.dialect.pause());
        Ok(())
    }

    /// A command that sets something, and no error after it.
    fn command(&mut self, command: &str) -> Result<(), FailureKind> {
        self.say(command)?;
        self.no_errors()
    }

    fn no_errors(&mut self) -> Result<(), FailureKind> {
        const ASK: &str = "SYST:ERR?";
        if !self.dialect.has_error_queue() {
            return Ok(());
        }
        let mut errors = Vec::new();
        for _ in 0..QUEUE {
            let answer = self.ask(&Question { text: ASK.to_owned(), end: End::Newline })?;
            match dialect::error(&answer) {
                Some((0, _)) if errors.is_empty() => return Ok(()),
                Some((0, _)) => return Err(FailureKind::Answer(errors.join("; "))),
                Some((_, line)) => errors.push(line),
                None => return Err(FailureKind::Answer(format!("{:?} to {ASK:?}", text(&answer)))),
            }
        }
        Err(FailureKind::Answer(format!("its error queue has no end: {}", errors.join("; "))))
    }

    fn ask(&mut self, question: &Question) -> Result<Vec<u8>, FailureKind> {
        self.say(&question.text)?;
        self.answer(question.end)
    }

    fn answer(&mut self, end: End) -> Result<Vec<u8>, FailureKind> {
        match end {
            End::Newline => self.link.wire.until(b"\n", self.deadline),
            End::After(bytes) => self.link.wire.exactly(bytes, self.deadline),
            End::Quiet => self.link.wire.until_quiet(QUIET, self.deadline),
        }
    }

    /// In millionths.
    fn number(&mut self, question: &Question) -> Result<i64, FailureKind> {
        let answer = self.ask(question)?;
        dialect::millionths(&answer)
            .ok_or_else(|| FailureKind::Answer(format!("{:?} to {:?}", text(&answer), question.text)))
    }

    /// All in millionths.
    fn read_back(&mut self, quantity: Quantity, set: i64, step: i64, ceiling: i64) -> Result<(), FailureKind> {
        let found = self.number(&self.dialect.setting(self.channel, quantity))?;
        if (found - set).abs() <= step && found <= ceiling {
            return Ok(());
        }
        let told = |millionths: i64| match quantity {
            Quantity::Voltage => Voltage::new(millionths).to_string(),
            Quantity::Current => Current::new(millionths).to_string(),
        };
        Err(FailureKind::ReadBack(format!("{} was set, and it says {}", told(set), told(found))))
    }
}

fn text(answer: &[u8]) -> String {
    String::from_utf8_lossy(answer).trim().to_owned()
}
