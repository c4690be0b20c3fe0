//! Where a board keeps its keys, and of which kind they are.
//!
//! Boundary: places. What is in them, and how it can be damaged, is `brickproof-keys`'.

use brickproof_keys::{Algorithm, Slot, SlotShape};
use brickproof_yaml::decode::Decoder;
use brickproof_yaml::tree::{Entry, Node};
use brickproof_yaml::{Mistake, MistakeKind, Place, suggest};

use crate::memory::{Address, Bytes, addresses, size, some_bytes, through};

/// Where a key slot lies inside a key area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySlot {
    /// Its name.
    pub slot: Slot,
    /// From the start of the area.
    pub offset: Bytes,
    /// Its length; what the key does not fill is `ff`.
    pub length: Bytes,
}

impl KeySlot {
    /// Where it ends, counted from the start of the area.
    pub fn end(&self) -> u64 {
        u64::from(self.offset.0) + u64::from(self.length.0)
    }

    fn overlaps(&self, other: &Self) -> bool {
        u64::from(self.offset.0) < other.end() && u64::from(other.offset.0) < self.end()
    }
}

/// Where a board keeps its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// Of which kind they are.
    pub algorithm: Algorithm,
    /// Where the key areas begin in memory; offset 0 is the start of each. None if a probe cannot find them by an address.
    pub areas: Vec<Address>,
    /// The bootloader's alternate setting whose first byte is offset 0.
    pub through: Option<String>,
    /// The slots of every area, in the order of the file.
    pub slots: Vec<KeySlot>,
}

impl Keys {
    /// The place of a slot.
    pub fn slot(&self, slot: Slot) -> Option<&KeySlot> {
        self.slots.iter().find(|known| known.slot == slot)
    }

    /// What a slot is like, if the board has it.
    pub fn shape(&self, slot: Slot) -> Option<SlotShape> {
        let place = self.slot(slot)?;
        Some(SlotShape { slot, algorithm: self.algorithm, length: place.length.0 as usize })
    }
}

pub(crate) fn keys(decoder: &mut Decoder<'_>, node: &Node) -> Option<Keys> {
    let fields = decoder.fields(node, "`keys`", &["algorithm", "areas", "through", "slots"])?;
    let algorithms = Algorithm::ALL.map(|algorithm| (algorithm.name(), algorithm));
    let algorithm = fields.required(decoder, "algorithm");
    let algorithm = algorithm.and_then(|node| decoder.choice(node, "an algorithm", &algorithms));
    let areas = fields.get("areas").map_or(Some(Vec::new()), |node| addresses(decoder, node));
    let through = through(decoder, &fields);
    if fields.get("areas").is_none() && fields.get("through").is_none() {
        fields.missing(
            decoder,
            "`areas` and `through`",
            "say where the slots are: addresses for a probe, an alternate setting for DFU",
        );
        return None;
    }
    let slots = fields.required(decoder, "slots").and_then(|node| {
        let entries = decoder.entries(node, "a mapping of key slots")?;
        let read: Vec<_> = entries.iter().map(|entry| key_slot(decoder, entry)).collect();
        let slots = read.into_iter().collect::<Option<Vec<_>>>()?;
        apart(decoder, &entries, slots)
    });
    Some(Keys { algorithm: algorithm?, areas: areas?, through: through?, slots: slots? })
}

/// Who damages one slot must not damage another.
fn apart(decoder: &mut Decoder<'_>, entries: &[&Entry], slots: Vec<KeySlot>) -> Option<Vec<KeySlot>> {
    for (index, (later, entry)) in slots.iter().zip(entries).enumerate() {
        let earlier = slots[..index].iter().zip(entries).find(|(earlier, _)| earlier.overlaps(later));
        if let Some((earlier, first)) = earlier {
            let message = format!("the slots `{}` and `{}` overlap", earlier.slot.name(), later.slot.name());
            let clash = Mistake::new(MistakeKind::BeyondLimits, entry.key_place, message);
            decoder.report(clash.label("this one").elsewhere(first.key_place, "and this one"));
            return None;
        }
    }
    Some(slots)
}

fn key_slot(decoder: &mut Decoder<'_>, entry: &Entry) -> Option<KeySlot> {
    let slot = slot_named(decoder, &entry.key, entry.key_place);
    let fields = decoder.fields(&entry.value, "a key slot", &["offset", "length"])?;
    let (offset, length) = (size(decoder, &fields, "offset"), some_bytes(decoder, &fields, "length"));
    Some(KeySlot { slot: slot?, offset: offset?, length: length? })
}

/// The slot of that name; another name is a mistake.
pub fn slot_named(decoder: &mut Decoder<'_>, name: &str, place: Place) -> Option<Slot> {
    let found = Slot::from_name(name);
    if found.is_none() {
        let unknown = Mistake::new(MistakeKind::UnknownName, place, format!("unknown key slot `{name}`"));
        let names = Slot::ALL.iter().map(|slot| slot.name());
        decoder.report(unknown.label("no such slot").help(suggest::help("key slots", name, names)));
    }
    found
}
