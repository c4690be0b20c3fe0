//! Buttons and RESET, held as long as a trial asks, and how long that was in truth.
//!
//! Boundary: lines and time. A press that the board may have taken for another one than was asked is the bench's failure; what a press does is
//! for the trial to see.

use brickproof_boards::{Held, MODE};
use brickproof_instruments::{Drive, Failure, Moment};
use brickproof_trial::CommandError;
use brickproof_units::Span;

use crate::hands::{Hands, in_words};

/// How profiles and benches call the line.
const RESET: &str = "reset";

impl Hands {
    /// Pulls RESET.
    pub(crate) async fn reset(&self, hold: Span) -> Result<(), Failure> {
        self.pulse(RESET, hold).await.map(drop)
    }

    /// Holds a button while the board does whatever it does; for how long, give or take so much.
    pub(crate) async fn press(&self, button: &str, asked: Span) -> Result<(Span, Span), CommandError> {
        let ends = self.pulse(button, asked).await.map_err(|failure| in_words(&failure))?;
        self.held(button, Held::WhileRunning, asked, ends)
    }

    /// The button is down before RESET is pulled, and counts from when RESET is let go. A failure on the way is followed by the safe state,
    /// which lets both go.
    pub(crate) async fn press_through_reset(
        &self,
        button: &str,
        reset: Span,
        asked: Span,
    ) -> Result<(Span, Span), CommandError> {
        let ends = async {
            self.station.drive(button, Drive::Asserted).await?;
            let [_, let_go] = self.pulse(RESET, reset).await?;
            self.clock.until(self.clock.of(let_go.at) + asked).await;
            Ok([let_go, self.station.drive(button, Drive::Released).await?])
        };
        let ends = ends.await.map_err(|failure: Failure| in_words(&failure))?;
        self.held(button, Held::ThroughReset, asked, ends)
    }

    /// Asserts a line for so long; when that began and ended.
    async fn pulse(&self, line: &str, hold: Span) -> Result<[Moment; 2], Failure> {
        let began = self.station.drive(line, Drive::Asserted).await?;
        self.clock.until(self.clock.of(began.at) + hold).await;
        Ok([began, self.station.drive(line, Drive::Released).await?])
    }

    /// How long a button was held, give or take so much, unless the board may have taken that for another press than the one that was asked for: a computer that is
    /// busy lets go late, and the board is not to blame for the mode that it is in then.
    fn held(&self, button: &str, held: Held, asked: Span, ends: [Moment; 2]) -> Result<(Span, Span), CommandError> {
        let [began, ended] = ends;
        let (hold, uncertainty) = (ended.at.since(began.at), began.uncertainty + ended.uncertainty);
        let modes = self.station.board().modes.as_ref().filter(|_| button == MODE);
        let crossed = modes.and_then(|modes| modes.crossed(held, asked, hold - uncertainty, hold + uncertainty));
        let Some((mode, threshold)) = crossed else { return Ok((hold, uncertainty)) };
        let happened = format!(
            "it was held for {hold}, give or take {uncertainty}, and at {threshold} a press begins or ceases to mean `{}` \
             (is the computer busy with something else?)",
            mode.target
        );
        Err(CommandError::Failed {
            instrument: format!("lines of {}", self.station.name()).into(),
            asked: format!("hold `{button}` for {asked}").into(),
            happened: happened.into(),
        })
    }
}
