//! Modes of a board, asked for in a way that the station has.
//!
//! Boundary: the asking. Whether the board is in the mode then is for the trial to see; which ways there are is `ways`'.

use std::time::Duration;

use brickproof_instruments::{Failure, FailureKind, Touch, UsbId};
use brickproof_scenario::plan::{Entry, Way};
use brickproof_trial::{Achieved, Blame, CommandError};
use brickproof_units::Span;

use super::{Hands, in_words};
use crate::asking::ask;
use crate::station::ACTION;
use crate::ways;

/// How often a board is asked again that is not on USB yet.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(50);

/// What came of asking a board for a mode.
#[derive(Debug)]
pub(crate) enum Asking {
    /// It was asked; how long a button was held, give or take so much.
    Done(Option<(Span, Span)>),
    /// It is not there, or refuses.
    Unserved(Failure),
}

impl Hands {
    pub(super) async fn enter(&self, entry: &Entry) -> Result<Achieved, CommandError> {
        let station = self.station.file();
        let unsupported = || CommandError::Failed {
            instrument: format!("station {}", self.station.name()).into(),
            asked: format!("bring its board into {}", entry.mode).into(),
            happened: ways::no_way(station, entry).into(),
        };
        let by = ways::way(station, entry).ok_or_else(unsupported)?;
        match self.ask_for(by, entry).await? {
            Asking::Done(held) => Ok(self.asked(by, held)),
            // Whose fault that is depends on whether its cable is proven.
            Asking::Unserved(failure) => {
                let why = format!("{failure}; the buttons need no firmware: `by: buttons`");
                Ok(Achieved::Unserved { by, why: why.into(), blame: Blame::Bench })
            }
        }
    }

    /// Asks the board for a mode in this way.
    pub(crate) async fn ask_for(&self, by: Way, entry: &Entry) -> Result<Asking, CommandError> {
        let asked = match (by, &entry.buttons, entry.baud, entry.request) {
            (Way::Buttons, Some(buttons), ..) => {
                let held = match buttons.after_reset() {
                    Some(hold) => self.press_through_reset(&buttons.button, buttons.reset, hold).await?,
                    None => self.press(&buttons.button, buttons.hold).await?,
                };
                return Ok(Asking::Done(Some(held)));
            }
            (Way::Baud, _, Some(baud), _) => self.touch(Touch(baud), entry.within).await,
            (Way::Request, _, _, Some(request)) => self.request(request, entry.within).await,
            _ => {
                return Err(CommandError::Unsupported {
                    instrument: format!("station {}", self.station.name()).into(),
                    asked: format!("bring its board into {} by {}", entry.mode, by.name()).into(),
                });
            }
        };
        match asked {
            Ok(()) => Ok(Asking::Done(None)),
            Err(failure) if is_absent(&failure) || matches!(failure.kind(), FailureKind::Refused(_)) => {
                Ok(Asking::Unserved(failure))
            }
            Err(failure) => Err(in_words(&failure)),
        }
    }

    fn asked(&self, by: Way, held: Option<(Span, Span)>) -> Achieved {
        let usb = self.sees_usb();
        Achieved::Asked { by, held, light: self.station.light.is_some(), usb }
    }

    async fn touch(&self, touch: Touch, within: Span) -> Result<(), Failure> {
        self.once_there(within, || async {
            let _in_use = self.console_in_use.lock().await;
            let touched = ask(self.station.console()?, "touch it", ACTION, move |console, deadline| {
                console.touch(touch, deadline)
            });
            touched.await.map(drop)
        })
        .await
    }

    async fn request(&self, request: u16, within: Span) -> Result<(), Failure> {
        let Some(normal) = self.normal_id() else { return Ok(()) };
        self.once_there(within, || async {
            let asked = ask(self.station.dfu()?, "request a mode", ACTION, move |dfu, deadline| {
                dfu.request(normal, request, deadline)
            });
            asked.await.map(drop)
        })
        .await
    }

    /// Asks a board, once it is on USB: it enumerates as long as it does.
    async fn once_there<F: Future<Output = Result<(), Failure>>>(
        &self,
        within: Span,
        asking: impl Fn() -> F,
    ) -> Result<(), Failure> {
        let until = self.clock.now() + within;
        loop {
            match asking().await {
                Err(failure) if is_absent(&failure) && self.clock.now() < until => {
                    tokio::time::sleep(BETWEEN_ATTEMPTS).await;
                }
                asked => return asked,
            }
        }
    }

    pub(crate) fn normal_id(&self) -> Option<UsbId> {
        let ids = self.station.board().usb?;
        Some(UsbId { vendor: ids.normal.vendor, product: ids.normal.product })
    }

    /// Whether somebody watches the board's USB.
    pub(crate) fn sees_usb(&self) -> bool {
        self.station.dfu.is_some() && ways::has_usb(self.station.file())
    }
}

/// Whether a failure says that the device is not there, now or any more.
fn is_absent(failure: &Failure) -> bool {
    matches!(failure.kind(), FailureKind::Missing(_) | FailureKind::Gone(_))
}
