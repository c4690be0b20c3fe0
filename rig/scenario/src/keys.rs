//! Steps that read, write and renew keys: `corrupt` and `keys`.
//!
//! Boundary: from tree to actions. How a slot is reached is the profile's to say, what is written into it a driver's business.

use brickproof_yaml::decode::Fields;
use brickproof_yaml::suggest;
use brickproof_yaml::tree::Node;
use brickproof_yaml::{Mistake, MistakeKind};

use crate::plan::{Door, KeyWork, StepAction};
use crate::reader::Reader;
use crate::steps::Room;

pub(crate) const WORKS: [&str; 5] = ["save", "load", "verify", "doctor", "server"];

impl Reader<'_, '_> {
    pub(crate) fn corrupt(&mut self, node: &Node) -> Option<StepAction> {
        let fields = self.decoder.fields(node, "`corrupt`", &["slot", "class", "part", "through"])?;
        let slot = fields.required(&mut self.decoder, "slot").and_then(|node| self.slot(node));
        let class = fields.required(&mut self.decoder, "class").and_then(|node| self.corruption(node));
        let part = fields.get("part").map_or(Some(None), |node| {
            let parts = brickproof_keys::Part::ALL.map(|part| (part.name(), Some(part)));
            self.decoder.choice(node, "a part of a key", &parts)
        });
        if let (Some(class), Some(node)) = (class, fields.get("part"))
            && !class.can_aim()
        {
            let message = format!("`{}` damages the whole slot, not a part of it", class.name());
            let whole = Mistake::new(MistakeKind::Misplaced, node.place, message);
            self.decoder.report(whole.help("`part` goes with `one_bit_set` and `one_bit_cleared`"));
            return None;
        }
        let through = self.door_to_keys(&fields);
        Some(StepAction::Corrupt { slot: slot?, class: class?, part: part?, through: through? })
    }

    /// `{save: before}`, `{load: before}`, `{verify: before}`, `{doctor: new_identity}` or `{server: genuine}`.
    pub(crate) fn keys(&mut self, node: &Node, room: Room) -> Option<StepAction> {
        let known: Vec<&'static str> = WORKS.into_iter().chain(["through"]).collect();
        let fields = self.decoder.fields(node, "`keys`", &known)?;
        let mut wanted = WORKS.iter().filter_map(|work| Some((*work, fields.entry(work)?)));
        let Some((work, entry)) = wanted.next() else {
            let help = format!("say what is done with them: {}", suggest::listed(WORKS).unwrap_or_default());
            fields.missing(&mut self.decoder, "what to do", &help);
            return None;
        };
        if let Some((other, second)) = wanted.next() {
            let two =
                Mistake::new(MistakeKind::NotOneVerb, second.key_place, format!("`{work}` and `{other}` in one step"));
            let two = two.label("second").elsewhere(entry.key_place, "first");
            self.decoder.report(two.help("write a step for each"));
            return None;
        }
        let through = self.door_to_keys(&fields);
        let body = &entry.value;
        if room == Room::Cleanup && !matches!(work, "load" | "server") {
            let misplaced = Mistake::new(
                MistakeKind::Misplaced,
                entry.key_place,
                format!("`keys: {{{work}: …}}` has no place in `cleanup`"),
            );
            self.decoder.report(misplaced.help("on the way out keys are written back: `load`, `server`"));
            return None;
        }
        let work = match work {
            "save" => KeyWork::Save(self.new_name(body)?),
            "load" => {
                let name = self.saved_name(body)?;
                self.is_accepted_still(body, &name, room)?;
                KeyWork::Load(name)
            }
            "verify" => KeyWork::Verify(self.saved_name(body)?),
            "doctor" => {
                let work =
                    self.decoder.choice(body, "what the doctor does", &[("new_identity", KeyWork::NewIdentity)])?;
                self.superseded.extend(self.saved.iter().map(|name| (name.clone(), entry.key_place)));
                work
            }
            _ => self.decoder.choice(body, "a server", &[("genuine", KeyWork::GenuineServer)])?,
        };
        if self.board?.keys.is_none() {
            let message = format!("the board `{}` has no keys", self.board?.name);
            self.decoder.report(Mistake::new(MistakeKind::UnknownName, node.place, message));
            return None;
        }
        Some(StepAction::Keys { work, through: through? })
    }

    /// Saving anew under a name takes the place of what was saved before, as in the rounds of a `repeat`.
    fn new_name(&mut self, node: &Node) -> Option<String> {
        let name = self.decoder.text(node, "a name to find them by")?.into_owned();
        self.saved.insert(name.clone());
        self.superseded.remove(&name);
        Some(name)
    }

    /// Refuses to write back an identity after the board was given another one. On the way out nobody knows yet whether it was: there the
    /// rig leaves the keys alone if so.
    fn is_accepted_still(&mut self, node: &Node, name: &str, room: Room) -> Option<()> {
        let Some(doctor) = self.superseded.get(name).filter(|_| room == Room::Steps) else { return Some(()) };
        let message = format!("the cloud no longer accepts the identity that was saved as `{name}`");
        let superseded = Mistake::new(MistakeKind::Misplaced, node.place, message).label("written back here");
        let superseded = superseded.elsewhere(*doctor, "another one takes its place here");
        self.decoder.report(superseded.help("save the keys after that, under another name"));
        None
    }

    fn saved_name(&mut self, node: &Node) -> Option<String> {
        let name = self.decoder.text(node, "a name under which keys were saved")?.into_owned();
        if !self.saved.contains(&name) {
            let message = format!("no keys were saved as `{name}` before this step");
            let unknown = Mistake::new(MistakeKind::UnknownName, node.place, message);
            let names = self.saved.iter().map(String::as_str);
            let help = match suggest::listed(names.clone()) {
                Some(_) => suggest::help("saved keys", &name, names),
                None => format!("save them first: `- keys: {{ save: {name} }}`"),
            };
            self.decoder.report(unknown.label("not saved").help(help));
            return None;
        }
        Some(name)
    }

    /// Through what the slots are reached; a door that leads nowhere is a mistake.
    fn door_to_keys(&mut self, fields: &Fields<'_>) -> Option<Door> {
        let Some(node) = fields.get("through") else { return Some(Door::usual(self.board?)) };
        let door = self.door(node)?;
        let board = self.board?;
        if board.keys.is_some() && !door.leads_to_keys(board) {
            let why = match door {
                Door::Probe => "its profile names no address of a key area",
                Door::Dfu => "its profile names no alternate setting with them",
            };
            let message = format!("the keys of `{}` cannot be found through `{}`", board.name, door.name());
            self.decoder.report(Mistake::new(MistakeKind::Misplaced, node.place, message).help(why));
            return None;
        }
        Some(door)
    }
}
