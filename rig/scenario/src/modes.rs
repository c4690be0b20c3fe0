//! Putting a board into a mode: every way that its profile has, the buttons with the profile's times, and then what the mode looks like; and
//! keeping every press away from what the rig never enters.
//!
//! Boundary: from `enter` to steps that every world carries out. Which of the ways is taken is the station's decision, unless the scenario insists;
//! how long a button is held is the profile's business, and never close to another mode.

use brickproof_boards::{BoardProfile, Held, Hold, LedIndex, MODE, Mode, Modes, Target, UsbState};
use brickproof_light::Pattern;
use brickproof_units::Span;
use brickproof_yaml::tree::{Node, Value};
use brickproof_yaml::{Mistake, MistakeKind, suggest};

use crate::plan::{ButtonEntry, Condition, Entry, Expectation, StepAction, UsbPresence, Way};
use crate::reader::Reader;

/// What a step that enters a mode comes to.
pub(crate) struct Entered {
    pub(crate) actions: Vec<StepAction>,
    /// What a reader has to know of it besides.
    pub(crate) aside: Option<String>,
}

/// The ways into a mode of a board, and what shows that it is in it.
#[derive(Clone, Debug, PartialEq)]
pub struct IntoMode {
    /// The ways; a station has some of them.
    pub entry: Entry,
    /// The status that its light shows in it: on which light, its name, and its look.
    pub light: Option<(LedIndex, String, Pattern)>,
    /// Who answers on USB in it.
    pub usb: Option<UsbPresence>,
}

impl IntoMode {
    /// Into `mode` of `board`, whose RESET is held for `reset`; by `by` and within `within`, where somebody insists on them.
    pub fn of(board: &BoardProfile, mode: &Mode, reset: Span, by: Option<Way>, within: Option<Span>) -> Self {
        let has_button = board.buttons.iter().any(|button| button.name == MODE);
        let buttons = mode.hold.filter(|_| has_button).map(|Hold { held, aim, .. }| ButtonEntry {
            button: MODE.to_owned(),
            held,
            reset,
            hold: aim,
        });
        // A rate and a request reach a board that is on USB.
        let on_usb = board.usb.is_some();
        let entry = Entry {
            mode: mode.target,
            by,
            buttons,
            baud: mode.baud.filter(|_| on_usb),
            request: mode.request.filter(|_| on_usb),
            within: within.unwrap_or(mode.within),
        };
        let light = mode.light.as_ref().and_then(|name| board.status(name));
        let light = light.map(|status| (board.led_of(status), status.name.clone(), status.look.pattern()));
        let usb = mode.usb.filter(|_| on_usb).map(|usb| match usb {
            UsbState::Normal => UsbPresence::Normal,
            UsbState::Dfu => UsbPresence::Dfu,
        });
        Self { entry, light, usb }
    }

    /// Whether anything shows it: the usual id on USB alone does not.
    pub fn is_confirmed(&self) -> bool {
        self.light.is_some() || self.usb == Some(UsbPresence::Dfu)
    }
}

impl Reader<'_, '_> {
    /// `dfu`, or `{mode: dfu, by: request, within: 20s}`: the ways into it, and what confirms it where the profile knows something.
    pub(crate) fn enter(&mut self, node: &Node) -> Option<Entered> {
        if let Value::Text(_) = node.value {
            let (mode, reset) = self.mode(node)?;
            return self.entered(node, &mode, reset, None, None);
        }
        let fields = self.decoder.fields(node, "`enter`", &["mode", "by", "within"])?;
        let named = fields.required(&mut self.decoder, "mode");
        let mode = named.and_then(|node| self.mode(node));
        let by = fields.get("by").map_or(Some(None), |node| {
            let ways = Way::ALL.map(|way| (way.name(), way));
            Some(Some((node, self.decoder.choice(node, "a way into a mode", &ways)?)))
        });
        let within = fields.get("within").map_or(Some(None), |node| {
            let within = self.decoder.duration(node)?;
            Some(Some((node, within)))
        });
        let ((mode, reset), by, within) = (mode?, by?, within?);
        self.entered(named?, &mode, reset, by, within)
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

    fn entered(
        &mut self,
        node: &Node,
        mode: &Mode,
        reset: Span,
        by: Option<(&Node, Way)>,
        within: Option<(&Node, Span)>,
    ) -> Option<Entered> {
        let board = self.board?;
        let passage = IntoMode::of(board, mode, reset, by.map(|(_, way)| way), within.map(|(_, within)| within));
        let is_confirmed = passage.is_confirmed();
        let IntoMode { entry, light, usb } = passage;
        if entry.ways().next().is_none() {
            return self.no_way(by.map_or(node, |(node, _)| node), &entry);
        }
        let limit = entry.within;
        let action = StepAction::Enter(entry);
        if !is_confirmed {
            return self.unconfirmed(action, mode, within);
        }
        let condition = Condition::Mode { mode: mode.target, light, usb };
        let confirmation = StepAction::Expect(Expectation { condition, within: limit, holds: None });
        Some(Entered { actions: vec![action, confirmation], aside: None })
    }

    fn no_way(&mut self, node: &Node, entry: &Entry) -> Option<Entered> {
        let name = &self.board?.name;
        let any = Entry { by: None, ..entry.clone() };
        let others = suggest::listed(any.ways().map(Way::name));
        let message = match entry.by {
            Some(way) => format!("`{}` of `{name}` is not entered by `{}`", entry.mode, way.name()),
            None => format!("nothing leads into `{}` of `{name}`: it has no button `{MODE}` and no USB", entry.mode),
        };
        let none = Mistake::new(MistakeKind::UnknownName, node.place, message);
        self.decoder.report(match others {
            Some(listed) => none.help(format!("it is by {listed}")),
            None => none,
        });
        None
    }

    /// An entry after which nobody looks: there is nothing to wait for, and the sentence says so.
    fn unconfirmed(&mut self, entry: StepAction, mode: &Mode, within: Option<(&Node, Span)>) -> Option<Entered> {
        let name = &self.board?.name;
        if let Some((node, _)) = within {
            let message = format!("nothing confirms `{}` on `{name}`, so there is nothing to wait for", mode.target);
            let idle = Mistake::new(MistakeKind::Misplaced, node.place, message);
            let help = "leave `within` out; what the board must show or print then is an `expect` after it";
            self.decoder.report(idle.label("never waited").help(help));
            return None;
        }
        let aside = format!(
            "for {}, which nothing confirms: no light of `{name}` is known for it, and its id on USB is the usual one",
            mode.target
        );
        Some(Entered { actions: vec![entry], aside: Some(aside) })
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
