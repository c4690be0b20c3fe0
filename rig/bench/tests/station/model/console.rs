//! The console of the model's board.
//!
//! Boundary: bytes, both ways, with their instants.

use std::sync::Arc;

use brickproof_instruments::{Arrival, Chunk, Console, Deadline, Failure, FailureKind, Kind, Moment, Touch, now};
use brickproof_paced::board::Ear;
use brickproof_paced::news::News;

use super::Model;

pub(super) struct ModelConsole {
    model: Arc<Model>,
    ear: Ear,
    news: News,
}

impl ModelConsole {
    /// It hears what is said from now on.
    pub(super) fn open(model: Arc<Model>) -> Self {
        let (ear, news) = (model.hand().listen(), News::default());
        ear.tell(news.clone());
        Self { model, ear, news }
    }
}

impl Console for ModelConsole {
    fn read(&mut self, deadline: Deadline) -> Result<Option<Chunk>, Failure> {
        loop {
            self.model.obey(Kind::Console, "read")?;
            let known = self.news.known();
            let bytes = self.ear.take(usize::MAX);
            if let Some(first) = bytes.first() {
                let at = now();
                let uncertainty = at.since(self.model.hand().in_kernel_time(first.at));
                let bytes = bytes.iter().map(|byte| byte.value).collect();
                return Ok(Some(Chunk { bytes, arrival: Arrival { at, uncertainty } }));
            }
            if deadline.has_passed() {
                return Ok(None);
            }
            self.news.wait(known, deadline.left());
        }
    }

    fn write(&mut self, bytes: &[u8], _: Deadline) -> Result<Moment, Failure> {
        self.model.obey(Kind::Console, "write")?;
        let hand = self.model.hand();
        Moment::of(|| Ok(hand.type_bytes(bytes))).map(|(_, moment)| moment)
    }

    fn touch(&mut self, _: Touch, _: Deadline) -> Result<Moment, Failure> {
        let kind = FailureKind::Unsupported("it has no modes".to_owned());
        Err(Failure::new("the model's console", "ask for a mode", kind))
    }
}
