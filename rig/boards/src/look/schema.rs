//! How a look may be written, for editors.
//!
//! Boundary: as [`super::written`] reads it.

use brickproof_light::Rhythm;
use brickproof_units::{Frequency, Quantity, Span};
use brickproof_yaml::schema::{Key, Shape};

use super::LAST_PANIC_CODE;
use super::written::COLOURS;

/// A look. `scalar` says what else may stand wherever a text or a number may, as parameters may in a scenario.
pub fn schema(scalar: fn(Shape) -> Shape) -> Shape {
    let colour = |about: &str| scalar(Shape::word(COLOURS.map(|(name, _)| name))).about(about);
    let period = |about: &str| {
        scalar(Shape::any([Shape::span(), Shape::quantity::<Frequency>()])).about(about).example(Frequency::EXAMPLE)
    };
    let span = |about: &str| scalar(Shape::span()).about(about).example(Span::EXAMPLE);
    let flashes = 1..=u64::from(Rhythm::MOST_FLASHES);
    let code = Shape::any([Shape::word(["any"]), Shape::count(1..=u64::from(LAST_PANIC_CODE))]);
    let off = Shape::any([scalar(Shape::span()), Shape::nothing()]);
    let keys = [
        Key::optional(
            "led",
            scalar(Shape::text()).about("Which light of the board; its first one if nothing is said."),
        ),
        Key::optional(
            "colour",
            colour("The colour while it is lit; it may also stand alone, as in `{amber, blink: 2Hz}`."),
        ),
        Key::optional(
            "blink",
            period("On and off in equal halves: how long one of each takes, or how often that comes."),
        ),
        Key::optional(
            "breathe",
            period("Full to dark and back, steadily: how long that takes, or how often it comes."),
        ),
        Key::optional("solid", colour("It is lit, in this colour.")),
        Key::optional("flash", colour("A few flashes in this colour, and then something else.")),
        Key::optional("count", scalar(Shape::count(flashes)).about("How many flashes; one if nothing is said.")),
        Key::optional("on", span("How long each flash is on; 250ms if nothing is said.")),
        Key::optional(
            "off",
            off.about("How long it is off between two flashes, which only a profile says; or alone: it is dark."),
        ),
        Key::optional(
            "sos",
            scalar(code).about("`...---...`, and so many flashes for the panic code; `any` for all codes."),
        ),
    ];
    let alone = COLOURS.map(|(name, _)| Key::optional(name, Shape::nothing().about("The colour, standing alone.")));
    Shape::keys(keys.into_iter().chain(alone)).not_empty()
}
