//! Firmware that a step writes: which, and through what.
//!
//! Boundary: from tree to a transfer, of which `flash` makes a step and `on` a cause. Whether the board is in its bootloader by then is
//! `bootloader`'s to say.

use brickproof_yaml::tree::{Node, Value};
use brickproof_yaml::{Mistake, MistakeKind};

use crate::plan::{Door, Transfer};
use crate::reader::Reader;

impl Reader<'_, '_> {
    /// `lantern-heal-full`, through the probe, or `{image: lantern-heal-full, through: dfu}`.
    pub(crate) fn transfer(&mut self, node: &Node) -> Option<Transfer> {
        if let Value::Text(_) = node.value {
            return Some(Transfer { image: self.image(node)?, through: Door::Probe });
        }
        let fields = self.decoder.fields(node, "`flash`", &["image", "through"])?;
        let image = fields.required(&mut self.decoder, "image").and_then(|node| self.image(node));
        let through = match fields.get("through") {
            None => Some(Door::Probe),
            Some(node) => self.door_to_firmware(node),
        };
        Some(Transfer { image: image?, through: through? })
    }

    fn door_to_firmware(&mut self, node: &Node) -> Option<Door> {
        let door = self.door(node)?;
        let board = self.board?;
        if !door.leads_to_firmware(board) {
            let message = format!("the firmware of `{}` cannot be written through `{}`", board.name, door.name());
            let nowhere = Mistake::new(MistakeKind::Misplaced, node.place, message);
            self.decoder.report(nowhere.help("its profile names no alternate setting with its flash"));
            return None;
        }
        Some(door)
    }

    /// The word behind `through`.
    pub(crate) fn door(&mut self, node: &Node) -> Option<Door> {
        self.decoder.choice(node, "a way to the board's memory", &Door::ALL.map(|door| (door.name(), door)))
    }
}
