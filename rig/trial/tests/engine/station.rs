//! A station without a board: what it shows is a script, how it answers is a rule.
//!
//! Boundary: it feeds a [`Trial`] as the drivers do, everything observed at an instant before the trial is woken at it. Nothing in it
//! knows what a verdict should be.

use std::collections::BTreeMap;
use std::sync::Arc;

use brickproof_boards::LedIndex;
use brickproof_cloud::CloudEvent;
use brickproof_keys::Fingerprint;
use brickproof_light::{Calibration, Sample};
use brickproof_scenario::plan::{Fault, Plan, SlotContent};
use brickproof_scenario::{Library, load};
use brickproof_trial::{
    Achieved, Action, Command, CommandError, Event, Glimpse, Happening, Observation, Progress, ShapeAchieved, Stamp,
    Trial, Verdict,
};
use brickproof_units::{Current, Instant, Span, Voltage};

/// How the station answers one command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// As asked.
    Usual,
    /// It tried and failed.
    Refusal,
    /// It never says anything.
    Silence,
    /// A slot holds this.
    Content(SlotContent),
    /// The fault came, but the rail fell to this.
    Lowest(Voltage),
    /// The fault came, and the rail stayed above the brown-out level.
    Unfelt,
    /// The fault came so much later than asked, and the instant is known to a millisecond.
    Late(Span),
    /// Done, without proof.
    BareDone,
    /// The board has another identity.
    Renewed(u8, u8),
    /// The keys are others.
    Differ,
    /// The keys are void.
    Superseded,
    /// A transfer goes so.
    Transfer(&'static [Beat]),
}

/// What comes of a transfer of a thousand bytes, so many milliseconds after it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    /// So many bytes are written, and up to so many more may be.
    Told(u64, u32, u32),
    /// It is over.
    Whole(u64),
    /// It has failed.
    Breaks(u64),
}

pub(crate) type Rule = fn(&Command) -> Reply;

/// Everything works.
pub(crate) fn flawless(_: &Command) -> Reply {
    Reply::Usual
}

/// The rule that answers commands of this shape so, and everything else as asked.
macro_rules! answers {
    ($command:pat => $reply:expr) => {
        |command: &brickproof_trial::Command| match command {
            $command => $reply,
            _ => $crate::station::Reply::Usual,
        }
    };
}
pub(crate) use answers;

/// A trial, what will be seen of its board, and how its instruments answer.
#[derive(Clone, Debug)]
pub(crate) struct Station {
    pub(crate) trial: Trial,
    rule: Rule,
    due: BTreeMap<(Instant, u64), Observation>,
    entries: u64,
    /// Every command in the order in which it came.
    pub(crate) asked: Vec<Command>,
}

/// The plan of the only cell of this file: head and steps.
pub(crate) fn plan(body: &str) -> Arc<Plan> {
    let text = format!("scenario: T\nboard: lantern-nrf51\nfirmware: lantern-no-heal\n{body}");
    let scenario = load("t.yaml", &text, &Library::built_in()).unwrap_or_else(|it| panic!("{}", it.render(110)));
    let [plan] = <[Plan; 1]>::try_from(scenario.cells).unwrap_or_else(|cells| panic!("{} cells", cells.len()));
    Arc::new(plan)
}

pub(crate) fn at(millis: u64) -> Instant {
    Instant::START + Span::millis(millis)
}

impl Station {
    pub(crate) fn new(body: &str) -> Self {
        Self::with_rule(body, flawless)
    }

    pub(crate) fn with_rule(body: &str, rule: Rule) -> Self {
        let trial = Trial::new(plan(body), [(LedIndex::FIRST, Calibration::default())]);
        Self { trial, rule, due: BTreeMap::new(), entries: 0, asked: Vec::new() }
    }

    #[must_use]
    pub(crate) fn observe(mut self, millis: u64, observation: Observation) -> Self {
        self.put(at(millis), observation);
        self
    }

    /// A console line that is complete at that instant.
    #[must_use]
    pub(crate) fn line(self, millis: u64, text: &str) -> Self {
        self.observe(millis, Observation::Console(format!("{text}\r\n").into_bytes().into()))
    }

    #[must_use]
    pub(crate) fn cloud(self, millis: u64, event: CloudEvent) -> Self {
        self.observe(millis, Observation::Cloud(event))
    }

    /// A hello that is answered or not.
    #[must_use]
    pub(crate) fn hello(self, millis: u64, answered: bool) -> Self {
        let fingerprint = key(1);
        self.cloud(millis, CloudEvent::LinkOpened).cloud(millis, CloudEvent::Hello { fingerprint, answered })
    }

    /// The light, sampled 208 times a second.
    #[must_use]
    pub(crate) fn light(mut self, millis: std::ops::Range<u64>, light: Light) -> Self {
        const PERIOD: Span = Span::micros(4_800);
        let mut now = at(millis.start);
        while now < at(millis.end) {
            let [red, green, blue] = match light {
                Light::Red => [900, 40, 30],
                Light::Green => [40, 900, 30],
            };
            let clear = red + green + blue;
            let sample = Sample { at: now, integration: Span::micros(2_400), red, green, blue, clear };
            self.put(now, Observation::Light(Glimpse { led: LedIndex::FIRST, sample }));
            now += PERIOD;
        }
        self
    }

    /// The supply's readings, a thousand a second.
    #[must_use]
    pub(crate) fn rail(mut self, millis: std::ops::Range<u64>, rail: Voltage) -> Self {
        let current = Current::new(20_000);
        millis.for_each(|it| self.put(at(it), Observation::Supply { rail, current }));
        self
    }

    fn put(&mut self, at: Instant, observation: Observation) {
        self.due.insert((at, self.entries), observation);
        self.entries += 1;
    }

    /// Runs the trial to its end.
    #[must_use]
    pub(crate) fn run(mut self) -> Self {
        while self.step() {}
        self
    }

    /// Runs the trial until nothing more happens before this instant.
    #[must_use]
    pub(crate) fn run_until(mut self, millis: u64) -> Self {
        loop {
            self.carry_out();
            if self.next().is_none_or(|next| next >= at(millis)) {
                return self;
            }
            self.step();
        }
    }

    fn next(&self) -> Option<Instant> {
        let wake = self.trial.next_wake()?;
        Some(self.due.first_key_value().map_or(wake, |((due, _), _)| wake.min(*due)))
    }

    /// Lets the next thing happen. False when the trial is over.
    pub(crate) fn step(&mut self) -> bool {
        self.carry_out();
        let Some(next) = self.next() else { return false };
        let now = next.max(self.trial.now());
        while let Some(entry) = self.due.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((at, _), observation) = entry.remove_entry();
            self.trial.observe(Stamp::exact(at), observation);
        }
        self.trial.wake(now);
        true
    }

    fn carry_out(&mut self) {
        while let Some(action) = self.trial.poll_action() {
            self.answer(action);
        }
    }

    fn answer(&mut self, action: Action) {
        let Action { id, command } = action;
        self.asked.push(command.clone());
        let (mut answered, mut result) = (self.trial.now(), Ok(Achieved::Done));
        match &command {
            Command::Reset { hold } | Command::Press { hold, .. } => answered += *hold,
            Command::ReadSlot { .. } => result = Ok(Achieved::Slot(SlotContent::Old)),
            Command::Corrupt { .. } => result = Ok(Achieved::Changed("one bit of it".into())),
            Command::Inject(injection) => {
                let (lowest, hold) = match &injection.fault {
                    Fault::BrownOut { floor, hold, .. } => (*floor, *hold),
                    Fault::PowerCut { hold } => (Voltage::new(0), hold.unwrap_or(Span::secs(1))),
                    Fault::LoadStep { hold, .. } => (Voltage::new(1_500_000), *hold),
                };
                answered = injection.at + hold;
                result = Ok(Achieved::Injected(ShapeAchieved {
                    began: injection.at,
                    uncertainty: Span::ZERO,
                    lowest,
                    below_brown_out: hold,
                }));
            }
            _ => {}
        }
        match (self.rule)(&command) {
            Reply::Usual => {}
            Reply::Silence => return,
            Reply::Renewed(old, new) => {
                result = Ok(Achieved::NewIdentity { old: Some(key(old)), new: key(new), words: "".into() });
            }
            Reply::Differ => result = Ok(Achieved::KeysDiffer("device_private: blank".into())),
            Reply::Superseded => result = Ok(Achieved::Superseded("the cloud accepts another one".into())),
            Reply::BareDone => result = Ok(Achieved::Done),
            Reply::Content(content) => result = Ok(Achieved::Slot(content)),
            Reply::Lowest(volts) => {
                if let Ok(Achieved::Injected(shape)) = &mut result {
                    shape.lowest = volts;
                }
            }
            Reply::Late(late) => {
                if let Ok(Achieved::Injected(shape)) = &mut result {
                    (shape.began, shape.uncertainty) = (shape.began + late, Span::millis(1));
                }
            }
            Reply::Unfelt => {
                if let Ok(Achieved::Injected(shape)) = &mut result {
                    (shape.lowest, shape.below_brown_out) = (Voltage::new(3_299_000), Span::ZERO);
                }
            }
            Reply::Refusal => result = Err(refusal()),
            Reply::Transfer(beats) => {
                for beat in beats {
                    let (after, observation) = match *beat {
                        Beat::Told(after, done, uncertainty) => {
                            let progress = Progress { done, uncertainty, total: 1_000 };
                            (after, Observation::Progress { id, progress })
                        }
                        Beat::Whole(after) => {
                            let result = Ok(Achieved::Flashed { bytes: 1_000 });
                            (after, Observation::Answered { id, result })
                        }
                        Beat::Breaks(after) => (after, Observation::Answered { id, result: Err(refusal()) }),
                    };
                    self.put(self.trial.now() + Span::millis(after), observation);
                }
                return;
            }
        }
        self.put(answered, Observation::Answered { id, result });
    }

    pub(crate) fn verdict(&self) -> &Verdict {
        self.trial.verdict().expect("the trial is over")
    }

    /// `failed, firmware` or `passed`.
    pub(crate) fn outcome(&self) -> String {
        let Verdict { kind, blame, .. } = self.verdict();
        blame.map_or_else(|| kind.to_string(), |blame| format!("{kind}, {blame}"))
    }

    /// The verdict as a person reads it.
    pub(crate) fn account(&self) -> String {
        let Verdict { reason, step, evidence, light, at, .. } = self.verdict();
        let step = step.map_or_else(|| "no step".to_owned(), |step| format!("step {step}"));
        let mut lines = vec![format!("{} in {step} at {at}", self.outcome()), reason.clone()];
        lines.extend(evidence.iter().map(|it| format!("  {} {}: {}", it.at, it.kind, it.text)));
        lines.extend(light.iter().map(|it| format!("  light: {it}")));
        lines.join("\n")
    }

    /// The timeline without the raw chunks, which may be cut in any way.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.trial.timeline().events.iter().cloned().collect()
    }

    pub(crate) fn happened(&self, what: impl Fn(&Happening) -> bool) -> usize {
        self.trial.timeline().events.iter().filter(|event| what(&event.what)).count()
    }

    /// How each step went.
    pub(crate) fn steps(&self) -> String {
        self.trial.steps().iter().map(|step| step.verdict.to_string()).collect::<Vec<_>>().join(" ")
    }
}

fn refusal() -> CommandError {
    CommandError::Failed {
        instrument: "the instrument".into(),
        asked: "obey".into(),
        happened: "the cable is off".into(),
    }
}

/// What the sensor sees.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Light {
    Red,
    Green,
}

/// A fingerprint that is told from others by this byte.
pub(crate) fn key(byte: u8) -> Fingerprint {
    Fingerprint::of(&[byte; 192])
}
