//! Putting a board into a mode: the buttons with the profile's times, and then what the mode looks like.
//!
//! Boundary: from `enter` to steps that every world carries out. How long a button is held is the profile's business, and never close to another
//! mode.

use brickproof_boards::{Held, Hold, Mode, Modes, Target};
use brickproof_units::Span;
use brickproof_yaml::tree::{Node, Value};
use brickproof_yaml::{Mistake, MistakeKind, suggest};

use crate::plan::{Condition, Expectation, StepAction};
use crate::reader::Reader;

/// How profiles call the button.
const MODE: &str = "mode";

impl Reader<'_, '_> {
    /// `dfu`, or `{mode: dfu, within: 20s}`: the press, and the light that confirms the mode where the profile knows one.
    pub(crate) fn enter(&mut self, node: &Node) -> Option<Vec<StepAction>> {
        if let Value::Text(_) = node.value {
            let (mode, reset) = self.mode(node)?;
            return self.entered(node, &mode, reset, mode.within);
        }
        let fields = self.decoder.fields(node, "`enter`", &["mode", "within"])?;
        let named = fields.required(&mut self.decoder, "mode");
        let mode = named.and_then(|node| self.mode(node));
        let within = fields.get("within").map_or(Some(None), |node| self.decoder.duration(node).map(Some));
        let ((mode, reset), within) = (mode?, within?);
        self.entered(named?, &mode, reset, within.unwrap_or(mode.within))
    }

    fn mode(&mut self, node: &Node) -> Option<(Mode, Span)> {
        let targets = Target::ENTERED.map(|target| (target.name(), target));
        let text = self.decoder.text(node, "a mode")?;
        if text == Target::SettingsReset.name() {
            let never = Mistake::new(MistakeKind::Misplaced, node.place, "the rig never resets a board's settings");
            self.decoder.report(
                never.help("`factory_reset` is as far as it goes; what a settings reset clears cannot be brought back"),
            );
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

    fn entered(&mut self, node: &Node, mode: &Mode, reset: Span, within: Span) -> Option<Vec<StepAction>> {
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
        let status = mode.light.as_ref().and_then(|name| board.status(name));
        let confirmation = status.map(|status| {
            let condition = Condition::Light { name: status.name.clone(), pattern: status.look.pattern() };
            StepAction::Expect(Expectation { condition, within, holds: None })
        });
        Some(std::iter::once(press).chain(confirmation).collect())
    }
}
