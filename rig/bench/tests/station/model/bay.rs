//! The model's instruments as a bench finds them: what they state of themselves, and that they are opened.
//!
//! Boundary: a factory for each kind. What an opened instrument does is its module's.

use std::sync::Arc;

use brickproof_instruments::{
    Capabilities, Deadline, Factory, Failure, FailureKind, Instrument, Kind, Reach, Setting, Settings, Timing,
};
use brickproof_units::{Current, Span, Voltage};

use super::console::ModelConsole;
use super::dfu::ModelDfu;
use super::light::ModelLight;
use super::lines::ModelLines;
use super::probe::ModelProbe;
use super::supply::ModelSupply;
use super::{Model, When};

/// Where an instrument of the model is found by a bench.
pub(crate) struct Bay {
    pub(crate) kind: Kind,
    pub(crate) model: Arc<Model>,
}

impl Factory for Bay {
    fn driver(&self) -> &'static str {
        "model"
    }

    fn kind(&self) -> Kind {
        self.kind
    }

    fn about(&self) -> &'static str {
        "an instrument of the model station"
    }

    fn settings(&self) -> &'static [Setting] {
        &[]
    }

    fn capabilities(&self, _: &Settings) -> Capabilities {
        let timing = Timing { latency: Span::millis(1), uncertainty: Span::ZERO, source: "assumed" };
        match self.kind {
            Kind::Supply => Capabilities {
                voltage: Some(Reach { least: Voltage::new(0), most: Voltage::new(5_500_000) }),
                current: Some(Current::new(1_000_000)),
                cut: Some(Span::millis(1)),
                measures_voltage: true,
                measures_current: true,
                ..Capabilities::only(timing)
            },
            _ => Capabilities::only(timing),
        }
    }

    fn open(&self, _: &Settings, _: Deadline) -> Result<Instrument, Failure> {
        let model = Arc::clone(&self.model);
        {
            let opened_failing = matches!(model.state().failing.get(&self.kind), Some((_, When::Opened)));
            if opened_failing {
                model.obey(self.kind, "be opened")?;
            }
        }
        Ok(match self.kind {
            Kind::Lines => Instrument::Lines(Box::new(ModelLines::open(model))),
            Kind::Console => Instrument::Console(Box::new(ModelConsole::open(model))),
            Kind::Supply => Instrument::Supply(Box::new(ModelSupply::open(model))),
            Kind::Light => Instrument::Light(Box::new(ModelLight::open(model))),
            Kind::Probe => Instrument::Probe(Box::new(ModelProbe::open(model))),
            Kind::Dfu => Instrument::Dfu(Box::new(ModelDfu::open(model))),
            kind => {
                let missing = FailureKind::Missing("the model has none".to_owned());
                return Err(Failure::new(format!("the model's {kind}"), "be opened", missing));
            }
        })
    }
}
