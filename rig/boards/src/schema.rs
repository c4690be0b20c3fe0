//! What may stand in a board profile, for editors.
//!
//! Boundary: as the other modules read it, section by section. What sections have to do with each other is for the reader alone.

use brickproof_keys::{Algorithm, Slot};
use brickproof_units::{Baud, Current, Slew, Voltage};
use brickproof_yaml::schema::{Key, Shape, document};
use serde_json::Value;

use crate::led::Primary;
use crate::look::look_schema;
use crate::modes::{Target, USB_STATES};
use crate::ports::TRANSPORTS;
use crate::profile::{LEVELS, LOG_STYLES, VIRTUAL_CHIPS};

const BYTES: &str = r"^\s*[0-9]+\s*(B|KiB|MiB)\s*$";
const SECTORS: &str = r"^\s*[0-9]+\s*x\s*[0-9]+\s*(B|KiB|MiB)\s*$";
const ADDRESS: &str = "^\\s*0x[0-9a-fA-F]+\\s*$";
const USB_ID: &str = r"^\s*[0-9a-fA-F]{4}:[0-9a-fA-F]{4}\s*$";
const NAME: &str = "^[a-z0-9-]+$";

/// The schema of board profiles and families.
pub fn schema() -> Value {
    let keys = [
        Key::optional("board", name().about("The name that scenarios and benches use: small letters, digits and `-`.")),
        Key::optional("family", name().about("In place of `board`: the name of what several boards share.")),
        Key::optional("like", Shape::text().about("A board or family whose sections stand where this file has none.")),
        Key::optional("about", Shape::text().about("What it is, as a sentence.")),
        Key::optional("mcu", Shape::text().about("The microcontroller, as its maker calls it.").example("nRF52840")),
        Key::optional(
            "probe",
            Shape::text().about("The microcontroller, as probe-rs calls it.").example("nRF52840_xxAA"),
        ),
        Key::optional("virtual_chip", virtual_chip()),
        Key::optional("flash", flash()),
        Key::optional("ram", bytes("How much RAM it has.")),
        Key::optional(
            "parts",
            several("What lies where in memory: a bootloader, a system, the user's program.", part()),
        ),
        Key::optional("identity", identity()),
        Key::optional("usb", usb()),
        Key::optional("dfu", several("The alternate settings of its DfuSe bootloader.", alternate())),
        Key::optional("cloud", cloud()),
        Key::optional("keys", key_slots()),
        Key::optional("input", input()),
        Key::optional(
            "rails",
            several("The rails that a regulator makes, and what the microcontroller stands on them.", rail()),
        ),
        Key::optional("leds", several("The lights; the first shows every status that names no other.", led())),
        Key::optional("lines", several("Pins whose edges a station may watch.", Shape::defined("line"))),
        Key::optional("buttons", several("Pins that a station may press.", Shape::defined("line"))),
        Key::optional("console", console()),
        Key::optional("modes", modes()),
        Key::optional("light", several("The vocabulary: statuses of the light and what they look like.", look())),
    ];
    let root = Shape::keys(keys)
        .about("What is true of every board of a kind: hardware/boards/README.md tells the sections.")
        .exactly_one(["board", "family"]);
    document("Brickproof board profile", root, [("line", line()), ("look", look_schema(plain)), ("hold", hold())])
}

fn plain(shape: Shape) -> Shape {
    shape
}

fn name() -> Shape {
    Shape::pattern(NAME)
}

/// Entries by their names, of which the file may take away what it inherits.
fn several(about: &str, entry: Shape) -> Shape {
    Shape::names(Shape::any([Shape::word(["absent"]), entry])).about(about)
}

fn bytes(about: &str) -> Shape {
    Shape::pattern(BYTES).about(about).example("256KiB")
}

fn address(about: &str) -> Shape {
    // YAML takes one without quotes for a number.
    Shape::any([Shape::count(0..=u64::from(u32::MAX)), Shape::pattern(ADDRESS)]).about(about)
}

fn voltage(about: &str) -> Shape {
    Shape::quantity::<Voltage>().about(about)
}

fn span(about: &str) -> Shape {
    Shape::span().about(about)
}

fn through() -> Key {
    Key::optional("through", Shape::text().about("The alternate setting of the bootloader behind which it is."))
}

fn virtual_chip() -> Shape {
    Shape::word(VIRTUAL_CHIPS.map(|(name, _)| name))
        .about("The emulated part on which this board's own firmware runs. It is never inherited.")
}

fn flash() -> Shape {
    let sectors = Shape::some(Shape::pattern(SECTORS).example("4 x 16KiB"));
    Shape::keys([
        Key::optional("at", address("Where it begins; 0x0 if nothing is said.")),
        Key::optional("size", bytes("All of it, where its pages are even.")),
        Key::optional("page", bytes("What is erased at once, where that is the same everywhere.")),
        Key::optional("sectors", sectors.about("In place of `size` and `page`: uneven sectors, in their order.")),
        through(),
    ])
    .about("The flash that the microcontroller runs from.")
    .at_least_one(["sectors", "size"])
    .goes_with("size", &["page"])
}

fn part() -> Shape {
    Shape::keys([
        Key::required("at", address("Its first byte.")),
        Key::required("length", bytes("The room that it has.")),
        through(),
    ])
}

fn identity() -> Shape {
    let keys =
        [Key::required("address", address("Its first byte.")), Key::required("length", bytes("How long it is."))];
    Shape::keys(keys).about("Where the microcontroller keeps the unique id that its maker gave it.")
}

fn usb() -> Shape {
    let id = |about| Shape::pattern(USB_ID).about(about).example("2b04:c006");
    Shape::keys([
        Key::required("normal", id("Vendor and product while the firmware runs, in hexadecimal.")),
        Key::required("dfu", id("Vendor and product while the bootloader waits for firmware.")),
    ])
    .about("What the board is called on USB.")
}

fn alternate() -> Shape {
    Shape::keys([
        Key::required("number", Shape::count(0..=u64::from(u8::MAX)).about("Its number.")),
        Key::required("at", address("The address of its first byte.")),
        Key::required("verifies", Shape::truth().about("Whether the bootloader compares what it wrote.")),
    ])
}

fn cloud() -> Shape {
    let transport = Shape::word(TRANSPORTS.map(|(name, _)| name));
    Shape::keys([
        Key::required("transport", transport.about("How it is spoken with: RSA over TCP, or DTLS over UDP.")),
        Key::required("port", Shape::count(1..=u64::from(u16::MAX)).about("At which port.")),
        Key::required(
            "host",
            Shape::text().about("The host that a blank address stands for; `$id` is the device's id."),
        ),
        Key::required("silence", span("A handshake that nobody answers is given up after so long.")),
    ])
    .about("The board's other end.")
}

fn key_slots() -> Shape {
    let slot = || {
        Shape::keys([
            Key::required("offset", bytes("From the start of the area.")),
            Key::required("length", bytes("How long it is; what the key does not fill is `ff`.")),
        ])
    };
    let slots = Shape::keys(Slot::ALL.map(|it| Key::optional(it.name(), slot())));
    let algorithm = Shape::word(Algorithm::ALL.map(Algorithm::name));
    Shape::keys([
        Key::required("algorithm", algorithm.about("Of which kind the keys are.")),
        Key::optional(
            "areas",
            Shape::list(address("Where offset 0 is.")).about("Where the key areas begin in memory."),
        ),
        Key::optional(
            "through",
            Shape::text().about("The alternate setting of the bootloader whose first byte is offset 0."),
        ),
        Key::required("slots", slots.about("The slots of every area.")),
    ])
    .about("Where the board keeps its keys.")
    .at_least_one(["areas", "through"])
}

fn input() -> Shape {
    let current = Shape::quantity::<Current>();
    Shape::keys([
        Key::required("minimum", voltage("Less does not run it.")),
        Key::required("maximum", voltage("More breaks it.")),
        Key::required("current_ceiling", current.about("More current than this breaks it, or its source.")),
    ])
    .about("What a source may do to the supply input.")
}

fn rail() -> Shape {
    let slew = |about: &str| Shape::quantity::<Slew>().about(about);
    Shape::keys([
        Key::required("nominal", voltage("What the regulator makes.")),
        Key::required("minimum", voltage("The microcontroller is specified from here.")),
        Key::required("maximum", voltage("To here.")),
        Key::optional("flash_minimum", voltage("Below this, flash may not take what the firmware asks for.")),
        Key::required("fastest_fall", slew("The fastest fall that is within specification.")),
        Key::required("fastest_rise", slew("The fastest rise that is within specification.")),
    ])
}

fn line() -> Shape {
    Shape::keys([
        Key::required(
            "pin",
            Shape::text().about("The pin, as the microcontroller's manual calls it.").example("P0.16"),
        ),
        Key::required(
            "active",
            Shape::word(LEVELS.map(|(name, _)| name)).about("The level that means on, or pressed."),
        ),
    ])
}

fn led() -> Shape {
    Shape::keys(Primary::ALL.map(|it| Key::optional(it.name(), Shape::defined("line")))).not_empty()
}

fn console() -> Shape {
    let log = Shape::word(LOG_STYLES.map(|(name, _)| name));
    Shape::keys([
        Key::required("baud", Shape::quantity::<Baud>().about("Its rate; 8 data bits, no parity, 1 stop bit.")),
        Key::required("log", log.about("What its lines look like.")),
    ])
    .about("The serial console.")
}

fn modes() -> Shape {
    let times = [
        Key::required("reset", span("How long RESET is held.")),
        Key::required("debounce", span("How finely the bootloader counts how long a button is held.")),
    ];
    let targets = Target::ALL.map(|target| {
        let never = Target::NEVER_ENTERED.contains(&target);
        let about = if never {
            "The rig knows it in order to stay away from it."
        } else {
            "The ways into it, and what shows it."
        };
        Key::optional(target.name(), mode().about(about))
    });
    Shape::keys(times.into_iter().chain(targets)).about("What the board can be put into, and how its buttons are read.")
}

fn mode() -> Shape {
    Shape::keys([
        Key::optional(
            "hold_through_reset",
            Shape::defined("hold").about("MODE is held from before a reset until so long after it."),
        ),
        Key::optional("hold", Shape::defined("hold").about("MODE is held while the firmware runs.")),
        Key::optional("baud", Shape::quantity::<Baud>().about("The USB console is opened at this rate.")),
        Key::optional(
            "request",
            Shape::count(0..=u64::from(u16::MAX)).about("This request over USB: the value of `wIndex`."),
        ),
        Key::optional("light", Shape::text().about("The status that the light shows in it.")),
        Key::optional("usb", Shape::word(USB_STATES.map(|(name, _)| name)).about("Who answers on USB in it.")),
        Key::required("within", span("It is there after so long at the latest.")),
    ])
    .at_least_one(["hold_through_reset", "hold", "baud", "request"])
}

fn hold() -> Shape {
    Shape::keys([
        Key::required("from", span("A button let go sooner means something else.")),
        Key::required("to", span("A button let go later does, too.")),
        Key::required("aim", span("How long the rig holds it: away from both ends.")),
        Key::optional("light", look().about("What the light shows while the button may be let go.")),
    ])
}

fn look() -> Shape {
    Shape::any([Shape::word(["off"]), Shape::defined("look")])
}
