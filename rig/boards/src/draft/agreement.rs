//! What the sections of a profile say of each other: addresses that lie where there is memory, names that exist, looks that can be shown.
//!
//! Boundary: a whole draft, before it becomes a board. What one section says of itself is judged where it is read.

use brickproof_yaml::decode::{Decoder, Fields};
use brickproof_yaml::suggest;
use brickproof_yaml::{Mistake, MistakeKind};

use super::{Draft, Section};
use crate::keys::Keys;
use crate::led::{self, Led};
use crate::look::LightStatus;
use crate::memory::{FlashMap, Part};

impl Draft {
    /// What two sections have to do with each other. What is missing is not judged.
    pub(super) fn check(&self, decoder: &mut Decoder<'_>, file: &Fields<'_>) {
        let mut beyond = |key: &str, message: String| {
            let place = file.entry(key).map_or(file.place, |entry| entry.key_place);
            decoder.report(Mistake::new(MistakeKind::BeyondLimits, place, message));
        };
        let parts = self.parts.said().map_or(&[][..], Vec::as_slice);
        if let Some(flash) = self.flash.said() {
            self.keys.said().into_iter().flat_map(|keys| outside_keys(keys, flash)).for_each(|it| beyond("keys", it));
            outside_parts(parts, flash).for_each(|it| beyond("parts", it));
        }
        overlapping_parts(parts).for_each(|it| beyond("parts", it));
        if let (Some(leds), Some(light)) = (self.leds.said(), self.light.said()) {
            unshowable(leds, light).for_each(|it| beyond("light", it));
        }
        self.check_names(decoder, file);
    }

    /// Names of one section in another.
    fn check_names(&self, decoder: &mut Decoder<'_>, file: &Fields<'_>) {
        let mut unknown = |key: &str, what: &str, name: &str, known: Vec<&str>| {
            if !known.contains(&name) {
                let place = file.entry(key).map_or(file.place, |entry| entry.key_place);
                let mistake =
                    Mistake::new(MistakeKind::UnknownName, place, format!("unknown {what} `{name}` in `{key}`"));
                decoder.report(mistake.help(suggest::help("known", name, known.into_iter())));
            }
        };
        let alternates = || self.dfu.said().into_iter().flatten().map(|it| it.name.as_str()).collect::<Vec<_>>();
        if !matches!(self.dfu, Section::Broken) {
            for part in self.parts.said().into_iter().flatten() {
                part.through.iter().for_each(|name| unknown("parts", "alternate setting", name, alternates()));
            }
            let through = self.keys.said().and_then(|keys| keys.through.as_deref());
            through.into_iter().for_each(|name| unknown("keys", "alternate setting", name, alternates()));
            let through = self.flash.said().and_then(|flash| flash.through.as_deref());
            through.into_iter().for_each(|name| unknown("flash", "alternate setting", name, alternates()));
        }
        if !matches!(self.leds, Section::Broken) {
            let leds = || self.leds.said().into_iter().flatten().map(|led| led.name.as_str()).collect::<Vec<_>>();
            for led in self.light.said().into_iter().flatten().filter_map(|status| status.led.as_deref()) {
                unknown("light", "light", led, leds());
            }
        }
        if let (Some(modes), false) = (self.modes.said(), matches!(self.light, Section::Broken)) {
            let statuses = || self.light.said().into_iter().flatten().map(|it| it.name.as_str()).collect::<Vec<_>>();
            for light in modes.modes.iter().filter_map(|mode| mode.light.as_deref()) {
                unknown("modes", "light status", light, statuses());
            }
        }
    }
}

/// Key areas of which some slot, or the beginning, is not in flash.
fn outside_keys(keys: &Keys, flash: &FlashMap) -> impl Iterator<Item = String> {
    let range = flash.range();
    let outside = format!("outside the {} of flash from {} on", flash.size(), flash.at);
    keys.areas.iter().filter_map(move |area| {
        let start = u64::from(area.0);
        if !range.contains(&start) {
            return Some(format!("{area} lies {outside}"));
        }
        let slot = keys.slots.iter().find(|slot| start + slot.end() > range.end)?;
        Some(format!("slot `{}` of the key area at {area} lies {outside}", slot.slot.name()))
    })
}

fn outside_parts(parts: &[Part], flash: &FlashMap) -> impl Iterator<Item = String> {
    let range = flash.range();
    parts.iter().filter(|part| part.through.is_none()).filter_map(move |part| {
        let place = part.range();
        let is_outside = place.start < range.start || place.end > range.end;
        is_outside
            .then(|| format!("part `{}` lies outside the {} of flash from {} on", part.name, flash.size(), flash.at))
    })
}

/// Parts of the same memory that are inside each other: who writes one damages the other.
fn overlapping_parts(parts: &[Part]) -> impl Iterator<Item = String> {
    parts.iter().enumerate().flat_map(|(index, later)| {
        let (place, through) = (later.range(), &later.through);
        let earlier = parts[..index].iter().filter(move |it| it.through == *through);
        let clashing = earlier.filter(move |it| it.range().start < place.end && place.start < it.range().end);
        clashing.map(|earlier| format!("the parts `{}` and `{}` overlap", earlier.name, later.name))
    })
}

fn unshowable(leds: &[Led], light: &[LightStatus]) -> impl Iterator<Item = String> {
    light.iter().filter_map(|status| {
        let led = led::of_status(leds, status).filter(|led| !led.can_show(status.look.colour))?;
        Some(format!("the light `{}` cannot show `{}`: it makes no {}", led.name, status.name, status.look.colour))
    })
}
