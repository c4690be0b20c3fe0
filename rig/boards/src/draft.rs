//! A profile as far as one file says it: put over what the file is like, and completed to a board.
//!
//! Boundary: sections. Each is read once, from the file that has it. Of what has names (rails, lights, statuses...) a file may replace one,
//! add one, or say that it is `absent`; every other section is taken whole from the file or whole from what it is like.

mod agreement;

use std::fmt;

use brickproof_yaml::decode::{Decoder, Fields};
use brickproof_yaml::suggest;
use brickproof_yaml::tree::{Entry, Node, Value};
use brickproof_yaml::{Mistake, MistakeKind, Place};

use crate::keys::{self, Keys};
use crate::led::{self, Led};
use crate::look::{self, LightStatus};
use crate::memory::{self, Bytes, FlashMap, IdentityPlace, Part};
use crate::modes::{self, Modes};
use crate::ports::{self, Alternate, CloudPort, UsbIds};
use crate::profile::{self, BoardProfile, Console, InputLimits, Line, Rail, VirtualChip};

/// A section of a profile.
#[derive(Clone, Debug, Default)]
pub(crate) enum Section<T> {
    /// Nobody has written it.
    #[default]
    Unsaid,
    /// It is written, and its mistakes have been reported.
    Broken,
    /// It says this.
    Says(T),
}

impl<T: Clone> Section<T> {
    fn of(read: Option<T>) -> Self {
        read.map_or(Self::Broken, Self::Says)
    }

    fn or(self, base: &Self) -> Self {
        if let Self::Unsaid = self { base.clone() } else { self }
    }

    fn said(&self) -> Option<&T> {
        if let Self::Says(value) = self { Some(value) } else { None }
    }
}

/// What has a name in a section of several.
trait Named {
    fn name(&self) -> &str;
}

macro_rules! named {
    ($($kind:ty),+) => {$(
        impl Named for $kind {
            fn name(&self) -> &str {
                &self.name
            }
        }
    )+};
}
named!(Part, Alternate, Rail, Led, Line, LightStatus);

/// A profile that may lack sections.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    about: Section<String>,
    mcu: Section<String>,
    probe: Section<String>,
    virtual_chip: Section<VirtualChip>,
    flash: Section<FlashMap>,
    ram: Section<Bytes>,
    parts: Section<Vec<Part>>,
    identity: Section<IdentityPlace>,
    usb: Section<UsbIds>,
    dfu: Section<Vec<Alternate>>,
    cloud: Section<CloudPort>,
    keys: Section<Keys>,
    input: Section<InputLimits>,
    rails: Section<Vec<Rail>>,
    leds: Section<Vec<Led>>,
    lines: Section<Vec<Line>>,
    buttons: Section<Vec<Line>>,
    console: Section<Console>,
    modes: Section<Modes>,
    light: Section<Vec<LightStatus>>,
}

pub(crate) const KEYS: [&str; 23] = [
    "board",
    "family",
    "like",
    "about",
    "mcu",
    "probe",
    "virtual_chip",
    "flash",
    "ram",
    "parts",
    "identity",
    "usb",
    "dfu",
    "cloud",
    "keys",
    "input",
    "rails",
    "leds",
    "lines",
    "buttons",
    "console",
    "modes",
    "light",
];

impl Draft {
    /// What the file says, over what it is like.
    pub(crate) fn read(decoder: &mut Decoder<'_>, file: &Fields<'_>, base: &Self) -> Self {
        let mut reader = DraftReader { decoder, file };
        let text = |what: &'static str| {
            move |decoder: &mut Decoder<'_>, node: &Node| decoder.text(node, what).map(|text| text.into_owned())
        };
        let draft = Self {
            // What another board is says nothing about this one.
            about: reader.section("about", text("a sentence that says what it is")),
            mcu: reader.section("mcu", text("the name of a microcontroller")).or(&base.mcu),
            probe: reader.section("probe", text("probe-rs's name of a microcontroller")).or(&base.probe),
            // ... and who emulates another one emulates that one.
            virtual_chip: reader.section("virtual_chip", profile::virtual_chip),
            flash: reader.section("flash", memory::flash).or(&base.flash),
            ram: reader.section("ram", memory::bytes).or(&base.ram),
            parts: reader.several("parts", "a mapping of parts of memory", &base.parts, memory::part),
            identity: reader.section("identity", memory::identity).or(&base.identity),
            usb: reader.section("usb", ports::usb).or(&base.usb),
            dfu: reader.several("dfu", "a mapping of alternate settings", &base.dfu, ports::alternate),
            cloud: reader.section("cloud", ports::cloud).or(&base.cloud),
            keys: reader.section("keys", keys::keys).or(&base.keys),
            input: reader.section("input", profile::input).or(&base.input),
            rails: reader.several("rails", "a mapping of rails", &base.rails, profile::rail),
            leds: reader.several("leds", "a mapping of lights", &base.leds, led::led),
            lines: reader.several("lines", "a mapping of lines", &base.lines, profile::line),
            buttons: reader.several("buttons", "a mapping of buttons", &base.buttons, profile::line),
            console: reader.section("console", profile::console).or(&base.console),
            modes: reader.section("modes", modes::modes).or(&base.modes),
            light: Section::Unsaid,
        };
        let inherited = draft.showable(&base.light);
        let light =
            DraftReader { decoder, file }.several("light", "a mapping of statuses to looks", &inherited, look::status);
        let mut draft = Self { light, ..draft };
        if file.get("modes").is_none() {
            draft.forget_unseen_confirmations();
        }
        draft
    }

    /// A mode of what the file is like is not confirmed by a status that this light does not have.
    fn forget_unseen_confirmations(&mut self) {
        let (Section::Says(modes), Section::Says(light)) = (&mut self.modes, &self.light) else { return };
        for mode in &mut modes.modes {
            mode.light.take_if(|name| light.iter().all(|status| status.name != *name));
        }
    }

    /// Of the statuses of other lights those that these can show: a lamp that is only red and green never says `cloud_connected` in cyan.
    fn showable(&self, statuses: &Section<Vec<LightStatus>>) -> Section<Vec<LightStatus>> {
        let (Some(leds), Section::Says(statuses)) = (self.leds.said(), statuses) else { return statuses.clone() };
        let can_show =
            |status: &&LightStatus| led::of_status(leds, status).is_some_and(|led| led.can_show(status.look.colour));
        Section::Says(statuses.iter().filter(can_show).cloned().collect())
    }

    /// The board, if nothing is missing and the sections agree.
    pub(crate) fn complete(self, decoder: &mut Decoder<'_>, file: &Fields<'_>, name: String) -> Option<BoardProfile> {
        self.check(decoder, file);
        let mut taker = Taker { decoder, file, is_whole: true };
        let about = taker.take("about", self.about);
        let (mcu, probe) = (taker.take("mcu", self.mcu), taker.take("probe", self.probe));
        let virtual_chip = taker.optional(self.virtual_chip);
        let (flash, ram) = (taker.take("flash", self.flash), taker.take("ram", self.ram));
        let parts = taker.optional(self.parts).unwrap_or_default();
        let identity = taker.take("identity", self.identity);
        let usb = taker.optional(self.usb);
        let dfu = taker.optional(self.dfu).unwrap_or_default();
        let (cloud, keys) = (taker.optional(self.cloud), taker.optional(self.keys));
        let (input, rails) = (taker.take("input", self.input), taker.take("rails", self.rails));
        let leds = taker.optional(self.leds).unwrap_or_default();
        let lines = taker.optional(self.lines).unwrap_or_default();
        let buttons = taker.optional(self.buttons).unwrap_or_default();
        let console = taker.take("console", self.console);
        let modes = taker.optional(self.modes);
        let light = taker.optional(self.light).unwrap_or_default();
        let is_whole = taker.is_whole;
        let board = BoardProfile {
            name,
            about: about?,
            mcu: mcu?,
            probe: probe?,
            virtual_chip,
            flash: flash?,
            ram: ram?,
            parts,
            identity: identity?,
            usb,
            dfu,
            cloud,
            keys,
            input: input?,
            rails: rails?,
            leds,
            lines,
            buttons,
            console: console?,
            modes,
            light,
        };
        is_whole.then_some(board)
    }
}

/// Reads the sections of a file.
struct DraftReader<'r, 'm, 'f> {
    decoder: &'r mut Decoder<'m>,
    file: &'r Fields<'f>,
}

impl DraftReader<'_, '_, '_> {
    fn section<T: Clone>(&mut self, key: &str, read: impl FnOnce(&mut Decoder<'_>, &Node) -> Option<T>) -> Section<T> {
        self.file.get(key).map_or(Section::Unsaid, |node| Section::of(read(self.decoder, node)))
    }

    /// A mapping of names: each replaces or joins those of the same name in `base`, and `absent` takes one away.
    fn several<T: Named + Clone>(
        &mut self,
        key: &str,
        what: &str,
        base: &Section<Vec<T>>,
        read: impl Fn(&mut Decoder<'_>, &str, &Node) -> Option<T>,
    ) -> Section<Vec<T>> {
        let Some(node) = self.file.get(key) else { return base.clone() };
        let Some(entries) = self.decoder.entries(node, what) else { return Section::Broken };
        let mut is_whole = !matches!(base, Section::Broken);
        let mut all = base.said().cloned().unwrap_or_default();
        for entry in entries {
            let place = all.iter().position(|it| it.name() == entry.key);
            if is_absent(&entry.value) {
                match place {
                    Some(place) => drop(all.remove(place)),
                    None => {
                        self.nothing_to_take_away(entry, all.iter().map(Named::name).collect());
                        is_whole = false;
                    }
                }
                continue;
            }
            match (read(self.decoder, &entry.key, &entry.value), place) {
                (Some(value), Some(place)) => all[place] = value,
                (Some(value), None) => all.push(value),
                (None, _) => is_whole = false,
            }
        }
        Section::of(is_whole.then_some(all))
    }

    fn nothing_to_take_away(&mut self, entry: &Entry, known: Vec<&str>) {
        let message = format!("there is no `{}` to be absent", entry.key);
        let unknown = Mistake::new(MistakeKind::UnknownName, entry.key_place, message);
        self.decoder.report(unknown.help(suggest::help("known", &entry.key, known.into_iter())));
    }
}

fn is_absent(node: &Node) -> bool {
    matches!(&node.value, Value::Text(text) if text.text == "absent")
}

/// Takes sections out of a draft, and says which are missing.
struct Taker<'r, 'm, 'f> {
    decoder: &'r mut Decoder<'m>,
    file: &'r Fields<'f>,
    is_whole: bool,
}

impl Taker<'_, '_, '_> {
    fn take<T: fmt::Debug>(&mut self, key: &str, section: Section<T>) -> Option<T> {
        if let Section::Unsaid = section {
            self.file.missing(
                self.decoder,
                &format!("`{key}`"),
                &format!("add `{key}:`, or say what the board is `like`"),
            );
        }
        self.optional(section)
    }

    fn optional<T>(&mut self, section: Section<T>) -> Option<T> {
        match section {
            Section::Says(value) => Some(value),
            Section::Unsaid => None,
            Section::Broken => {
                self.is_whole = false;
                None
            }
        }
    }
}

/// The board or the family that a file is about, and where it says so.
pub(crate) struct Title {
    pub(crate) name: String,
    pub(crate) kind: TitleKind,
    pub(crate) place: Place,
}

/// What a file describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TitleKind {
    /// A board that scenarios may name.
    Board,
    /// What several boards share.
    Family,
}

/// Reads which board or family the file is about.
pub(crate) fn title(decoder: &mut Decoder<'_>, file: &Fields<'_>) -> Option<Title> {
    let (kind, entry) = match (file.entry("board"), file.entry("family")) {
        (Some(board), None) => (TitleKind::Board, board),
        (None, Some(family)) => (TitleKind::Family, family),
        (Some(board), Some(family)) => {
            let both = Mistake::new(MistakeKind::NotOneVerb, family.key_place, "a file of a board and of a family");
            decoder.report(both.label("second").elsewhere(board.key_place, "first").help("write two files"));
            return None;
        }
        (None, None) => {
            file.missing(
                decoder,
                "`board`",
                "add `board:` and its name, or `family:` if it is what several boards share",
            );
            return None;
        }
    };
    let name = decoder.text(&entry.value, "the name of the board")?;
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty() || !name.bytes().all(is_word) {
        let message = format!("`{name}` is not a name");
        let wrong = Mistake::new(MistakeKind::UnknownValue, entry.value.place, message);
        decoder.report(wrong.help("write it in small letters, digits and `-`, as in `my-lamp`"));
        return None;
    }
    Some(Title { name: name.into_owned(), kind, place: entry.value.place })
}

/// What a file says it is like, and where.
pub(crate) fn like(decoder: &mut Decoder<'_>, file: &Fields<'_>) -> Option<(String, Place)> {
    let node = file.get("like")?;
    decoder.text(node, "a board or a family").map(|text| (text.into_owned(), node.place))
}
