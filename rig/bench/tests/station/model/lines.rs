//! RESET, MODE and the radio's line of the model's board.
//!
//! Boundary: pins, held and watched.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use brickproof_instruments::{Deadline, Drive, Edge, EdgeKind, Edges, Failure, Kind, LineState, Lines, Moment, now};
use brickproof_paced::board::{Button, Holder};
use brickproof_virtual_board::chip;

use super::probe::Deaf;
use super::{Model, RADIO};

pub(super) struct ModelLines {
    model: Arc<Model>,
    edges: Option<()>,
}

impl ModelLines {
    /// Every line released.
    pub(super) fn open(model: Arc<Model>) -> Self {
        model.state().asserted.clear();
        let hand = model.hand();
        hand.reset(Holder::Lines, Button::Released);
        hand.set_pin(model.mode, chip::Level::Floating);
        Self { model, edges: Some(()) }
    }

    fn put(&self, line: &str, drive: Drive) {
        let hand = self.model.hand();
        let is_stuck = self.model.state().stuck.contains(line);
        match (line, drive) {
            _ if is_stuck => {}
            ("reset", Drive::Asserted) => hand.reset(Holder::Lines, Button::Pressed),
            ("reset", Drive::Released) => {
                let mut state = self.model.state();
                if state.deaf == Deaf::UntilReset {
                    state.deaf = Deaf::No;
                }
                drop(state);
                hand.reset(Holder::Lines, Button::Released);
            }
            (_, Drive::Asserted) => hand.set_pin(self.model.mode, chip::Level::Low),
            (_, Drive::Released) => hand.set_pin(self.model.mode, chip::Level::Floating),
        }
        let mut state = self.model.state();
        match drive {
            Drive::Asserted => state.asserted.insert(line.to_owned()),
            Drive::Released => state.asserted.remove(line),
        };
        drop(state);
    }
}

impl Lines for ModelLines {
    fn drive(&mut self, line: &str, drive: Drive, _: Deadline) -> Result<Moment, Failure> {
        self.model.obey(Kind::Lines, &format!("drive `{line}`"))?;
        Moment::of(|| {
            self.put(line, drive);
            Ok(())
        })
        .map(|((), moment)| moment)
    }

    fn read(&mut self, line: &str, _: Deadline) -> Result<LineState, Failure> {
        self.model.obey(Kind::Lines, &format!("read `{line}`"))?;
        let state = self.model.state();
        Ok(if state.asserted.contains(line) && !state.stuck.contains(line) {
            LineState::Active
        } else {
            LineState::Inactive
        })
    }

    fn edges(&mut self) -> Result<Option<Box<dyn Edges>>, Failure> {
        let model = Arc::clone(&self.model);
        Ok(self.edges.take().map(|()| Box::new(ModelEdges { model, last: None }) as Box<dyn Edges>))
    }

    fn make_safe(&mut self, _: Deadline) -> Result<(), Failure> {
        self.model.obey(Kind::Lines, "release all lines")?;
        for line in self.model.asserted() {
            self.put(&line, Drive::Released);
        }
        Ok(())
    }
}

struct ModelEdges {
    model: Arc<Model>,
    last: Option<chip::Drive>,
}

impl Edges for ModelEdges {
    fn next(&mut self, deadline: Deadline) -> Result<Option<Edge>, Failure> {
        let mut before = now();
        loop {
            self.model.obey(Kind::Lines, "wait for an edge")?;
            let drive = self.model.hand().drive(RADIO);
            let is_high = drive == chip::Drive::High;
            let was_high = self.last.replace(drive) == Some(chip::Drive::High);
            if is_high != was_high {
                let kind = if is_high { EdgeKind::Activated } else { EdgeKind::Deactivated };
                let moment = Moment::between(before, now());
                return Ok(Some(Edge { line: "radio".to_owned(), kind, moment }));
            }
            if deadline.has_passed() {
                return Ok(None);
            }
            before = now();
            thread::sleep(Duration::from_millis(2).min(deadline.left()));
        }
    }
}
