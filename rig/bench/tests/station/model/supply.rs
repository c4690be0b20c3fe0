//! The source of the model's board.
//!
//! Boundary: what is switched, and what is measured then.

use std::sync::Arc;

use brickproof_instruments::{Deadline, Failure, Kind, Moment, Output, Reading, Supply, Switch, now};
use brickproof_paced::board::{Button, Holder};

use super::Model;
use super::probe::Deaf;

pub(super) struct ModelSupply {
    model: Arc<Model>,
}

impl ModelSupply {
    /// Switched off.
    pub(super) fn open(model: Arc<Model>) -> Self {
        model.state().on = false;
        model.feed();
        Self { model }
    }
}

impl Supply for ModelSupply {
    fn device(&self) -> &str {
        "the model's supply"
    }

    fn set(&mut self, output: Output, _: Deadline) -> Result<(), Failure> {
        self.model.obey(Kind::Supply, "set its output")?;
        self.model.state().voltage = output.voltage;
        self.model.feed();
        Ok(())
    }

    fn switch(&mut self, switch: Switch, _: Deadline) -> Result<Moment, Failure> {
        self.model.obey(Kind::Supply, &format!("switch {switch:?}").to_lowercase())?;
        let ((), moment) = Moment::of(|| {
            {
                let mut state = self.model.state();
                let on = switch == Switch::On;
                if on && !std::mem::replace(&mut state.on, on) {
                    let at = now();
                    state.fed.push(at);
                    if state.deaf == Deaf::UntilPowerCycle && state.fed.len() > 1 {
                        state.deaf = Deaf::No;
                    }
                }
                state.off_since = if on { None } else { state.off_since.or_else(|| Some(now())) };
                state.on = on;
                // A chip without power has no debugger on it.
                if !on && std::mem::take(&mut state.halted) {
                    drop(state);
                    self.model.hand().reset(Holder::Probe, Button::Released);
                }
            }
            self.model.feed();
            Ok(())
        })?;
        Ok(moment)
    }

    fn measure(&mut self, _: Deadline) -> Result<Reading, Failure> {
        self.model.obey(Kind::Supply, "measure")?;
        let (reading, moment) = Moment::of(|| Ok(self.model.hand().read_supply()))?;
        let state = self.model.state();
        let lingers = state.off_since.is_some_and(|off| now().since(off) < state.lingers);
        let voltage = if lingers { state.voltage } else { reading.input };
        Ok(Reading { voltage: Some(voltage), current: Some(reading.current), moment })
    }
}
