//! The numbers of a fault that can be turned without another scenario: when it strikes, how deep, how long, how steeply.
//!
//! Boundary: one plan in, another one out, checked as the file was. Which values are tried, and in which order, is a campaign's business.

use std::fmt;
use std::str::FromStr;

use brickproof_units::{Current, ParseQuantityError, Quantity, Ratio, Slew, Span, Voltage};
use brickproof_yaml::suggest;

use crate::fault::WHOLE;
use crate::plan::{Cause, CellModel, Fault, Need, Plan, StepAction, Trigger};
use crate::scenario::FIRMWARE_ASKED;
use crate::sentence;

/// A fault waits or lasts no longer.
const LONGEST: Span = Span::secs(3_600);

/// What every knob's name begins with.
const PREFIX: &str = "fault.";

/// One number of the only fault of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Knob {
    /// How long after its trigger it strikes.
    After,
    /// How much of a firmware has been written when it is triggered.
    At,
    /// How long it lasts.
    Hold,
    /// How low it forces the rail.
    Floor,
    /// How fast the rail falls.
    Fall,
    /// How fast it rises again.
    Rise,
    /// How much more current is drawn.
    Current,
    /// How the cells of a virtual board's flash take it.
    Cells,
    /// How long after it ended it strikes once more.
    Again,
}

impl Knob {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::After,
        Self::At,
        Self::Hold,
        Self::Floor,
        Self::Fall,
        Self::Rise,
        Self::Current,
        Self::Cells,
        Self::Again,
    ];

    /// As campaigns and `--set` call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::After => "fault.after",
            Self::At => "fault.at",
            Self::Hold => "fault.hold",
            Self::Floor => "fault.floor",
            Self::Fall => "fault.fall",
            Self::Rise => "fault.rise",
            Self::Current => "fault.current",
            Self::Cells => "fault.cells",
            Self::Again => "fault.again",
        }
    }

    /// Whether a name can only be meant as one.
    pub fn is_meant(name: &str) -> bool {
        name.starts_with(PREFIX)
    }

    fn parse(self, text: &str) -> Result<i64, ParseSettingError> {
        if self == Self::Cells {
            let model = CellModel::from_name(text.trim());
            return model.map(Setting::cells).map(Setting::amount).ok_or_else(|| ParseSettingError::Model {
                text: text.to_owned(),
                help: suggest::help("cell models", text, CellModel::ALL.map(CellModel::name).into_iter()),
            });
        }
        self.quantity(text).map_err(|source| ParseSettingError::Value { name: self.name(), source })
    }

    fn quantity(self, text: &str) -> Result<i64, ParseQuantityError> {
        match self {
            Self::After | Self::Hold | Self::Again => unsigned::<Span>(text, Span::get),
            Self::At => unsigned::<Ratio>(text, Ratio::get),
            Self::Fall | Self::Rise => unsigned::<Slew>(text, Slew::get),
            Self::Floor => text.parse::<Voltage>().map(Voltage::get),
            Self::Current => text.parse::<Current>().map(Current::get),
            // A word and no quantity.
            Self::Cells => Ok(0),
        }
    }
}

fn unsigned<Q: Quantity>(text: &str, get: fn(Q) -> u64) -> Result<i64, ParseQuantityError> {
    let value = get(text.parse::<Q>()?);
    // Three hundred years in nanoseconds: what is longer is refused as nonsense wherever it is used.
    Ok(i64::try_from(value).unwrap_or(i64::MAX))
}

impl fmt::Display for Knob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A knob and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Setting {
    knob: Knob,
    /// In the base unit of what it turns.
    amount: i64,
}

/// A text that is no setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseSettingError {
    /// There is no such knob.
    #[error("`{name}` is nothing of a fault that can be turned")]
    Unknown {
        /// What stood there.
        name: String,
        /// What there is.
        help: String,
    },
    /// The value is not what the knob takes.
    #[error("`{name}`: {source}")]
    Value {
        /// The knob's name.
        name: &'static str,
        /// What is wrong with the value.
        source: ParseQuantityError,
    },
    /// There is no such cell model.
    #[error("`fault.cells`: `{text}` is no model of cells")]
    Model {
        /// What stood there.
        text: String,
        /// What there is.
        help: String,
    },
}

impl ParseSettingError {
    /// What to write instead.
    pub fn help(&self) -> &str {
        match self {
            Self::Unknown { help, .. } | Self::Model { help, .. } => help,
            Self::Value { source, .. } => source.help(),
        }
    }
}

impl FromStr for Knob {
    type Err = ParseSettingError;
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let knob = Self::ALL.into_iter().find(|knob| knob.name() == name);
        knob.ok_or_else(|| ParseSettingError::Unknown {
            name: name.to_owned(),
            help: suggest::help("knobs", name, Self::ALL.map(Self::name).into_iter()),
        })
    }
}

impl Setting {
    /// What `name` and `value` say: `fault.after`, `12.4ms`.
    ///
    /// # Errors
    /// There is no such knob, or the value is not what it takes.
    pub fn parse(name: &str, value: &str) -> Result<Self, ParseSettingError> {
        Self::of(name.parse()?, value)
    }

    /// The knob at what `value` says.
    ///
    /// # Errors
    /// The value is not what the knob takes.
    pub fn of(knob: Knob, value: &str) -> Result<Self, ParseSettingError> {
        Ok(Self { knob, amount: knob.parse(value)? })
    }

    /// The instant's knob, this long after the trigger.
    pub fn after(span: Span) -> Self {
        Self { knob: Knob::After, amount: i64::try_from(span.get()).unwrap_or(i64::MAX) }
    }

    /// The knob of the fault that strikes once more, this long after it ended.
    pub fn again(span: Span) -> Self {
        Self { knob: Knob::Again, ..Self::after(span) }
    }

    /// The knob of the cells.
    pub const fn cells(model: CellModel) -> Self {
        Self { knob: Knob::Cells, amount: model as i64 }
    }

    /// The model of cells, if that is what it sets.
    pub fn cell_model(self) -> Option<CellModel> {
        let position = usize::try_from(self.amount).ok()?;
        CellModel::ALL.get(position).copied().filter(|_| self.knob == Knob::Cells)
    }

    /// Which knob.
    pub const fn knob(self) -> Knob {
        self.knob
    }

    /// Where it stands, in the base unit of what it turns: nanoseconds, parts per million, microvolts, nanoseconds per volt, microamperes; for cells the
    /// place of the model among [`CellModel::ALL`].
    pub const fn amount(self) -> i64 {
        self.amount
    }

    /// The same knob elsewhere.
    #[must_use]
    pub const fn at(self, amount: i64) -> Self {
        Self { amount, ..self }
    }

    fn span(self) -> Span {
        Span::new(self.amount.unsigned_abs())
    }

    fn ratio(self) -> Ratio {
        Ratio::new(self.amount.unsigned_abs())
    }

    fn slew(self) -> Slew {
        Slew::new(self.amount.unsigned_abs())
    }
}

impl fmt::Display for Setting {
    /// The value alone, with its unit.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.knob {
            Knob::After | Knob::Hold | Knob::Again => self.span().fmt(f),
            Knob::At => self.ratio().fmt(f),
            Knob::Fall | Knob::Rise => self.slew().fmt(f),
            Knob::Floor => Voltage::new(self.amount).fmt(f),
            Knob::Current => Current::new(self.amount).fmt(f),
            Knob::Cells => f.pad(self.cell_model().map_or("unknown", CellModel::name)),
        }
    }
}

/// A plan whose fault cannot be turned so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TurnError {
    /// Which fault is meant is not clear.
    #[error("{path} has {faults} faults, and `{knob}` turns the only one of a scenario")]
    NotOneFault {
        /// The scenario.
        path: String,
        /// How many there are, repetitions written out.
        faults: usize,
        /// What was to be turned.
        knob: Knob,
    },
    /// Faults of that kind have no such number.
    #[error("{path}: a {kind} has no `{knob}`")]
    NoSuchNumber {
        /// The scenario.
        path: String,
        /// What kind of fault there is.
        kind: &'static str,
        /// What was to be turned.
        knob: Knob,
    },
    /// The board is not made for that.
    #[error("{path}: {setting} is no `{knob}` for {board}: {why}", knob = setting.knob())]
    BeyondLimits {
        /// The scenario.
        path: String,
        /// What was asked for.
        setting: Setting,
        /// The board.
        board: String,
        /// The limit.
        why: String,
    },
}

impl Plan {
    /// The step of the only fault, counted from 1.
    pub fn only_fault(&self) -> Option<usize> {
        let mut faults = self.steps.iter().filter(|step| matches!(step.action, StepAction::Fault { .. }));
        let first = faults.next()?;
        faults.next().is_none().then_some(first.index)
    }

    /// The same plan with the numbers of its only fault turned. What was turned stands among its parameters, so that it is another trial. A
    /// fault that strikes once more is a step of its own; then none of them is the only one any more.
    ///
    /// # Errors
    /// It has no fault or several, its fault has no such number, or the board is not made for the value.
    pub fn turned(&self, settings: &[Setting]) -> Result<Self, TurnError> {
        let mut plan = self.clone();
        // What strikes once more is the fault as all other knobs have turned it.
        let (again, others): (Vec<&Setting>, Vec<&Setting>) =
            settings.iter().partition(|setting| setting.knob == Knob::Again);
        for setting in others.into_iter().chain(again) {
            plan.turn(*setting)?;
        }
        Ok(plan)
    }

    fn turn(&mut self, setting: Setting) -> Result<(), TurnError> {
        let (path, knob) = (self.scenario.path.clone(), setting.knob);
        let faults = self.steps.iter().filter(|step| matches!(step.action, StepAction::Fault { .. })).count();
        let Some(index) = self.only_fault() else { return Err(TurnError::NotOneFault { path, faults, knob }) };
        if let Some(why) = self.limit(setting) {
            return Err(TurnError::BeyondLimits { path, setting, board: self.board.name.clone(), why });
        }
        match setting.knob {
            Knob::Cells => {
                self.cells = setting.cell_model();
                self.needs.insert(Need::CellModel);
            }
            Knob::Again => self.strike_again(index, setting.span()),
            _ => {
                let step = &mut self.steps[index - 1];
                if let StepAction::Fault { trigger, fault } = &mut step.action {
                    turn(trigger, fault, setting).map_err(|kind| TurnError::NoSuchNumber { path, kind, knob })?;
                }
                step.text = sentence::action(&step.action);
            }
        }
        let parameter = (knob.name().to_owned(), setting.to_string());
        match self.parameters.iter_mut().find(|(axis, _)| *axis == parameter.0) {
            Some(known) => *known = parameter,
            // The firmware that was asked for stands last, whichever was asked for first.
            None => {
                let named_last = self.parameters.last().is_some_and(|(axis, _)| axis == FIRMWARE_ASKED);
                self.parameters.insert(self.parameters.len() - usize::from(named_last), parameter);
            }
        }
        Ok(())
    }

    /// Puts a step behind that of the fault in which it strikes once more.
    fn strike_again(&mut self, index: usize, after: Span) {
        let mut step = self.steps[index - 1].clone();
        if let StepAction::Fault { trigger, .. } = &mut step.action {
            (trigger.cause, trigger.after) = (None, after);
        }
        step.text = sentence::action(&step.action);
        self.steps.insert(index, step);
        for (step, counted) in self.steps.iter_mut().zip(1..) {
            step.index = counted;
        }
    }

    /// Why the board is not made for it, as the reader of the file would say. Slopes that the scenario itself asks for are allowed.
    fn limit(&self, setting: Setting) -> Option<String> {
        let nothing = setting.knob == Knob::Hold && setting.amount == 0;
        if nothing {
            return Some("nothing happens in no time at all".to_owned());
        }
        if matches!(setting.knob, Knob::After | Knob::Hold | Knob::Again) && setting.span() > LONGEST {
            return Some(format!("nobody waits longer than {LONGEST}"));
        }
        if setting.knob == Knob::At && setting.ratio() > WHOLE {
            return Some("a transfer comes to 100% and no further".to_owned());
        }
        let index = self.only_fault()?;
        if setting.knob == Knob::Again
            && matches!(self.steps[index - 1].action, StepAction::Fault { fault: Fault::PowerCut { hold: None }, .. })
        {
            return Some("a cut without `hold` does not end by itself".to_owned());
        }
        let StepAction::Fault { fault: Fault::BrownOut { rail, fall, rise, .. }, .. } = &self.steps[index - 1].action
        else {
            return None;
        };
        let rail = self.board.rails.iter().find(|known| known.name == *rail)?;
        match setting.knob {
            Knob::Floor if setting.amount < 0 || Voltage::new(setting.amount) >= rail.nominal => {
                Some(format!("the floor lies between 0V and the rail's {}", rail.nominal))
            }
            Knob::Fall if setting.slew() < rail.fastest_fall.min(*fall) => {
                Some(format!("the fastest fall within its specification is {}", rail.fastest_fall))
            }
            Knob::Rise if setting.slew() < rail.fastest_rise.min(*rise) => {
                Some(format!("the fastest rise within its specification is {}", rail.fastest_rise))
            }
            _ => None,
        }
    }
}

/// Fails with the kind of a fault that has no such number.
fn turn(trigger: &mut Trigger, fault: &mut Fault, setting: Setting) -> Result<(), &'static str> {
    if let (Knob::At, Some(Cause::Transferred { at, .. })) = (setting.knob, &mut trigger.cause) {
        *at = setting.ratio();
        return Ok(());
    }
    match (setting.knob, fault) {
        (Knob::After, _) => trigger.after = setting.span(),
        (Knob::Hold, Fault::BrownOut { hold, .. } | Fault::LoadStep { hold, .. }) => *hold = setting.span(),
        (Knob::Hold, Fault::PowerCut { hold }) => *hold = Some(setting.span()),
        (Knob::Floor, Fault::BrownOut { floor, .. }) => *floor = Voltage::new(setting.amount),
        (Knob::Fall, Fault::BrownOut { fall, .. }) => *fall = setting.slew(),
        (Knob::Rise, Fault::BrownOut { rise, .. }) => *rise = setting.slew(),
        (Knob::Current, Fault::LoadStep { current, .. }) => *current = Current::new(setting.amount),
        (Knob::At, _) => return Err("fault that hangs on no transfer"),
        (_, Fault::BrownOut { .. }) => return Err("brown_out"),
        (_, Fault::PowerCut { .. }) => return Err("power_cut"),
        (_, Fault::LoadStep { .. }) => return Err("load_step"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Library, load};

    fn plan(fault: &str) -> Plan {
        let text = format!(
            "scenario: T\nboard: lantern-nrf51\nfirmware: lantern-no-heal\nsteps:\n  - supply: {{ usb: 5V }}\n  - fault: {{ {fault} }}\n"
        );
        load("t.yaml", text, &Library::built_in()).unwrap_or_else(|it| panic!("{}", it.render(100))).cells.remove(0)
    }

    const BROWN_OUT: &str = "brown_out: { after: 1ms, rail: 3V3, floor: 1.2V, fall: 50us/V, hold: 200ms }";

    fn turned(fault: &str, name: &str, value: &str) -> Result<Plan, String> {
        let setting = Setting::parse(name, value).map_err(|error| format!("{error}; {}", error.help()))?;
        plan(fault).turned(&[setting]).map_err(|error| error.to_string())
    }

    #[test]
    fn a_turned_plan_is_what_the_file_would_have_been() {
        let turned = turned(BROWN_OUT, "fault.after", "12.4ms").unwrap();
        let written = plan(&BROWN_OUT.replace("1ms", "12.4ms"));
        assert_eq!(turned.steps, written.steps);
        assert_eq!(turned.parameters, [("fault.after".to_owned(), "12.4ms".to_owned())]);
        let again = turned.turned(&[Setting::parse("fault.after", "2ms").unwrap()]).unwrap();
        assert_eq!(again.parameters, [("fault.after".to_owned(), "2ms".to_owned())], "a knob stands in one place");
    }

    #[test]
    fn a_fault_that_strikes_again_is_a_step_of_its_own_as_the_other_knobs_have_turned_it() {
        let settings = [("fault.again", "4ms"), ("fault.after", "2ms"), ("fault.cells", "marginal")]
            .map(|(name, value)| Setting::parse(name, value).unwrap());
        let plan = plan(&format!("{BROWN_OUT} }}\n  - wait: 1s\n  - expect: {{ light: cloud_connected, within: 30s"));
        let turned = plan.turned(&settings).unwrap();
        let told: Vec<String> = turned.steps.iter().map(|step| format!("{} {}", step.index, step.text)).collect();
        insta::assert_snapshot!(told.join("\n"));
        assert_eq!(turned.cells, Some(CellModel::Marginal));
        assert!(turned.needs.contains(&Need::CellModel) && !plan.needs.contains(&Need::CellModel));
        assert_eq!(turned.only_fault(), None);
        let names: Vec<&str> = turned.parameters.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["fault.after", "fault.cells", "fault.again"]);
    }

    #[test]
    fn what_cannot_be_turned_is_said() {
        let two = "power_cut: { hold: 1s } }\n  - fault: { power_cut: { hold: 1s }";
        let told = [
            turned(BROWN_OUT, "fault.floor", "3.4V"),
            turned(BROWN_OUT, "fault.fall", "1ns/V"),
            turned(BROWN_OUT, "fault.hold", "0s"),
            turned("power_cut: { hold: 1s }", "fault.floor", "1V"),
            turned(two, "fault.after", "1ms"),
            turned(BROWN_OUT, "fault.flor", "1V"),
            turned(BROWN_OUT, "fault.floor", "1"),
            turned(BROWN_OUT, "fault.cells", "marginel"),
            turned("power_cut: {}", "fault.again", "1ms"),
        ];
        let told: Vec<String> = told.into_iter().map(|it| it.unwrap_err()).collect();
        insta::assert_snapshot!(told.join("\n"));
    }

    proptest! {
        #[test]
        fn a_setting_is_read_as_it_is_written(index in 0..Knob::ALL.len(), amount in 1_i64..i64::MAX / 2) {
            let knob = Knob::ALL[index];
            let amount = if knob == Knob::Cells { amount % CellModel::ALL.len() as i64 } else { amount };
            let setting = Setting { knob, amount };
            prop_assert_eq!(Setting::of(setting.knob(), &setting.to_string()), Ok(setting));
        }
    }
}
