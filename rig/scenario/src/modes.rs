//! Putting a board into a mode: the buttons with the profile's times, and then what the mode looks like; and keeping every press away from
//! what the rig never enters.
//!
//! Boundary: from `enter` to steps that every world carries out. How long a button is held is the profile's business, and never close to another
//! mode.

use brickproof_boards::{Held, Hold, MODE, Mode, Modes, Target};
use brickproof_units::Span;
use brickproof_yaml::tree::{Node, Value};
use brickproof_yaml::{Mistake, MistakeKind, suggest};

use crate::plan::{Condition, Expectation, StepAction};
use crate::reader::Reader;

/// What a step that enters a mode comes to.
pub(crate) struct Entered {
    pub(crate) actions: Vec<StepAction>,
    /// What a reader has to know of it besides.
    pub(crate) aside: Option<String>,
}

impl Reader<'_, '_> {
    /// `dfu`, or `{mode: dfu, within: 20s}`: the press, and the light that confirms the mode where the profile knows one.
    pub(crate) fn enter(&mut self, node: &Node) -> Option<Entered> {
        if let Value::Text(_) = node.value {
            let (mode, reset) = self.mode(node)?;
            return self.entered(node, &mode, reset, None);
        }
        let fields = self.decoder.fields(node, "`enter`", &["mode", "within"])?;
        let named = fields.required(&mut self.decoder, "mode");
        let mode = named.and_then(|node| self.mode(node));
        let within = fields.get("within").map_or(Some(None), |node| {
            let within = self.decoder.duration(node)?;
            Some(Some((node, within)))
        });
        let ((mode, reset), within) = (mode?, within?);
        self.entered(named?, &mode, reset, within)
    }

    fn mode(&mut self, node: &Node) -> Option<(Mode, Span)> {
        let targets = Target::ENTERED.map(|target| (target.name(), target));
        let text = self.decoder.text(node, "a mode")?;
        if let Some(target) = Target::NEVER_ENTERED.into_iter().find(|target| text == target.name()) {
            let message = format!("the rig never enters `{target}`");
            let never = Mistake::new(MistakeKind::Misplaced, node.place, message);
            self.decoder
                .report(never.help("`factory_reset` is as far as it goes; what this clears cannot be brought back"));
            return None;
        }
        let target = self.decoder.choice(node, "a mode", &targets)?;
        let board = self.board?;
        let modes = board.modes.as_ref();
        let mode = modes.and_then(|modes| modes.mode(target));
        if mode.is_none() {
            let message = format!("the board `{}` has no mode `{target}`", board.name);
            let known = modes.iter().flat_map(|modes| modes.modes.iter().map(|mode| mode.target.name()));
            let unknown = Mistake::new(MistakeKind::UnknownName, node.place, message);
            self.decoder.report(match suggest::listed(known) {
                Some(listed) => unknown.help(format!("it has {listed}")),
                None => unknown,
            });
        }
        Some((mode?.clone(), modes.map_or(Span::ZERO, |modes: &Modes| modes.reset)))
    }

    fn entered(&mut self, node: &Node, mode: &Mode, reset: Span, within: Option<(&Node, Span)>) -> Option<Entered> {
        let board = self.board?;
        let Some(Hold { held, aim, .. }) = mode.hold else {
            let message = format!("`{}` of `{}` is not entered with a button", mode.target, board.name);
            self.decoder.report(Mistake::new(MistakeKind::UnknownName, node.place, message));
            return None;
        };
        if board.buttons.iter().all(|button| button.name != MODE) {
            let message = format!("the board `{}` has no button `{MODE}`", board.name);
            self.decoder.report(Mistake::new(MistakeKind::UnknownName, node.place, message));
            return None;
        }
        let button = MODE.to_owned();
        let press = match held {
            Held::ThroughReset => StepAction::PressThroughReset { button, reset, hold: aim },
            Held::WhileRunning => StepAction::Press { button, hold: aim },
        };
        let Some(status) = mode.light.as_ref().and_then(|name| board.status(name)) else {
            return self.unconfirmed(press, mode, within);
        };
        let condition =
            Condition::Light { led: board.led_of(status), name: status.name.clone(), pattern: status.look.pattern() };
        let within = within.map_or(mode.within, |(_, within)| within);
        let confirmation = StepAction::Expect(Expectation { condition, within, holds: None });
        Some(Entered { actions: vec![press, confirmation], aside: None })
    }

    /// A press after which nobody looks: there is nothing to wait for, and the sentence says so.
    fn unconfirmed(&mut self, press: StepAction, mode: &Mode, within: Option<(&Node, Span)>) -> Option<Entered> {
        let name = &self.board?.name;
        if let Some((node, _)) = within {
            let message = format!("nothing confirms `{}` on `{name}`, so there is nothing to wait for", mode.target);
            let idle = Mistake::new(MistakeKind::Misplaced, node.place, message);
            let help = "leave `within` out; what the board must show or print then is an `expect` after it";
            self.decoder.report(idle.label("never waited").help(help));
            return None;
        }
        let aside = format!("for {}, which nothing confirms: no light of `{name}` is known for it", mode.target);
        Some(Entered { actions: vec![press], aside: Some(aside) })
    }

    /// Whether a press of a button, written at `node`, stays away from what the rig never enters.
    pub(crate) fn is_harmless(&mut self, node: &Node, button: &str, held: Held, hold: Span) -> bool {
        let modes = self.board.and_then(|board| board.modes.as_ref()).filter(|_| button == MODE);
        let Some((modes, (mode, risked))) = modes.and_then(|modes| Some((modes, modes.risked(held, hold)?))) else {
            return true;
        };
        let when = match held {
            Held::ThroughReset => "through a reset",
            Held::WhileRunning => "while the board runs",
        };
        let message =
            format!("holding `{MODE}` {when} for {hold} can come to `{}`, which the rig never enters", mode.target);
        let beyond = Mistake::new(MistakeKind::BeyondLimits, node.place, message);
        let help =
            format!("hold it for less than {}: what this clears cannot be brought back", risked.from - modes.debounce);
        self.decoder.report(beyond.label("too long").help(help));
        false
    }
}
