//! Questions over instants, for courses that are told by made-up boards.

use brickproof_explore::{Budget, Campaign, Kind, ProveSettings, Range, Strata, SweepSettings, WindowAsked};
use brickproof_scenario::{Knob, Setting};
use brickproof_statistics::{Asked, Probability};
use brickproof_units::Span;

pub(crate) fn range(from: &str, to: &str, points: Option<u32>) -> Range {
    let setting = |text| Setting::of(Knob::After, text).expect("it is one");
    Range::new(setting(from), setting(to), points).expect("it holds something")
}

pub(crate) fn share(value: f64) -> Probability {
    Probability::new(value).expect("it is one")
}

pub(crate) fn campaign(kind: Kind) -> Campaign {
    Campaign { title: "T".to_owned(), kind, seed: 1, budget: Budget::default() }
}

pub(crate) fn sweep() -> Campaign {
    campaign(Kind::Sweep(SweepSettings::Ranges { ranges: vec![range("0ms", "60ms", Some(31))], each: 2 }))
}

pub(crate) fn window() -> Campaign {
    campaign(Kind::FindWindow(WindowAsked {
        range: range("0ms", "100ms", None),
        resolution: Span::millis(2),
        credibility: share(0.95),
        narrowest: Span::millis(10),
        weakest: share(0.5),
        confidence: share(0.95),
    }))
}

pub(crate) fn proof(strata: Strata) -> Campaign {
    let asked = Asked { good: share(0.01), bad: share(0.1), alpha: share(0.05), beta: share(0.05), cap: 200 };
    campaign(Kind::Prove(ProveSettings { asked, ranges: vec![range("0ms", "60ms", None)], strata }))
}
