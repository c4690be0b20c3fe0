//! What a supply may do to the board.
//!
//! Boundary: the `input` of the board's profile. Its rails are behind its regulator, where no supply of a station reaches.

use brickproof_instruments::Kind;
use brickproof_yaml::decode::Decoder;
use brickproof_yaml::{Mistake, MistakeKind};

use super::station::Draft;

pub(super) fn check(decoder: &mut Decoder<'_>, draft: &Draft) {
    let (Some(supply), Some(board)) = (draft.instrument(Kind::Supply), draft.board()) else { return };
    let input = board.input;
    let takes = format!("`{}` takes {} to {}", board.name, input.minimum, input.maximum);
    if let (Some(voltage), Some(place)) = (supply.settings.voltage("voltage"), supply.value_place("voltage"))
        && !(input.minimum..=input.maximum).contains(&voltage)
    {
        let message = format!("{voltage} is not a voltage for this board's supply input");
        decoder.report(Mistake::new(MistakeKind::BeyondLimits, place, message).help(takes.clone()));
    }
    let ceiling = "voltage_ceiling";
    if let (Some(voltage), Some(place)) = (supply.settings.voltage(ceiling), supply.value_place(ceiling))
        && voltage > input.maximum
    {
        let message = format!("a ceiling of {voltage} is above what this board's supply input bears");
        decoder.report(Mistake::new(MistakeKind::BeyondLimits, place, message).help(takes));
    }
    let ceiling = "current_ceiling";
    if let (Some(current), Some(place)) = (supply.settings.current(ceiling), supply.value_place(ceiling))
        && current > input.current_ceiling
    {
        let message = format!("a ceiling of {current} is above what this board's supply input bears");
        let beyond = Mistake::new(MistakeKind::BeyondLimits, place, message);
        decoder.report(beyond.help(format!("`{}` bears currents up to {}", board.name, input.current_ceiling)));
    }
}
