//! The firmware that is unsafe in one word of its update, the scenario that strikes that update, and campaigns about both.
//!
//! Boundary: what the example and the test ask alike. Trials are made on this thread, one after the other.

use std::path::Path;
use std::sync::Arc;

use brickproof_explore::{
    Aimed, Ask, Budget, Campaign, Course, Finding, Kind, Laboratory, Place, Range, Repeats, SweepSettings, WindowAsked,
    aim_at_every_operation,
};
use brickproof_firmware::Firmware;
use brickproof_scenario::plan::{FirmwareName, Plan};
use brickproof_scenario::{Library, Setting, load};
use brickproof_statistics::Probability;
use brickproof_units::Span;
use brickproof_virtual_board::flash::FlashOperation;

/// The whole update lies in it: both copies, and the log between them.
pub(crate) const RANGE: Span = Span::millis(80);
/// What programming a word of an nRF51822 takes: what somebody who looks for a single word asks for.
pub(crate) const WORD: Span = Span::micros(46);
pub(crate) const RESOLUTION: Span = Span::micros(10);
/// The default of the command: the one who asks does not know how often a trial inside of the window fails.
pub(crate) const WEAKEST: f64 = 0.5;
pub(crate) const CONFIDENCE: f64 = 0.95;

/// The magic word of copy A, as `fixtures/firmware/PROTOCOL.md` lays it out: the only operation that the variant must not be cut in.
pub(crate) const PLANTED: FlashOperation = FlashOperation::Program { address: 0x3_efe0, value: 0x314b_4e4c };

const IMAGE: &str = "fixtures/firmware/images/lantern-heal-hasty.bin";
const SCENARIO: &str = include_str!("../../../../fixtures/scenarios/rotate.yaml");

/// The plan with the planted firmware, which is asked to survive.
pub(crate) struct Planted {
    plan: Arc<Plan>,
    firmware: Firmware,
}

impl Planted {
    pub(crate) fn read() -> Self {
        let image = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(IMAGE));
        let firmware = Firmware::from_file(IMAGE, &image.expect("the image is committed")).expect("it is an image");
        let scenario = load("rotate.yaml", SCENARIO, &Library::built_in())
            .unwrap_or_else(|mistakes| panic!("{}", mistakes.render(110)));
        let plan = scenario.with_firmware(&FirmwareName(IMAGE.to_owned())).cells.pop().expect("it has cells");
        Self { plan: Arc::new(plan), firmware }
    }

    pub(crate) fn laboratory(&self, seed: u64) -> Laboratory {
        Laboratory::new(Arc::clone(&self.plan), self.firmware.clone(), seed)
    }

    /// Every place at which a flash operation of the update is struck, before, inside and after it.
    pub(crate) fn aimed(&self, seed: u64, fractions: u32) -> Vec<Aimed> {
        let aims = aim_at_every_operation(&self.plan, &self.firmware, seed, RANGE, fractions);
        aims.expect("a brown-out strikes exactly").aims
    }
}

/// A search for windows of a word over the whole update.
pub(crate) fn find_window(seed: u64) -> Course {
    let share = |value| Probability::new(value).expect("it is one");
    let range = Range::new(Setting::after(Span::ZERO), Setting::after(RANGE), None).expect("it holds something");
    let asked = WindowAsked {
        range,
        resolution: RESOLUTION,
        credibility: share(0.95),
        narrowest: WORD,
        weakest: share(WEAKEST),
        confidence: share(CONFIDENCE),
    };
    course(Kind::FindWindow(asked), seed)
}

/// A trial or more at each of these places.
pub(crate) fn sweep(aimed: &[Aimed], each: u32, seed: u64) -> Course {
    let rounds = (0..each).flat_map(|_| aimed);
    let places = rounds.zip(0..).map(|(aimed, chance)| Place::at(aimed.after, chance)).collect();
    course(Kind::Sweep(SweepSettings::Places(places)), seed)
}

fn course(kind: Kind, seed: u64) -> Course {
    let campaign = Campaign { title: "the planted window".to_owned(), kind, seed, budget: Budget::default() };
    Course::new(campaign, Repeats::Exactly).expect("it can be asked")
}

/// Makes trials until that is enough, or all of them.
pub(crate) fn conduct(course: &mut Course, laboratory: &Laboratory, is_enough: impl Fn(&Course) -> bool) {
    while !is_enough(course) {
        let Ask::Shot(shot) = course.ask() else { break };
        let plan = laboratory.plan_of(&shot.settings).expect("the fault can strike at any instant");
        let finding = Finding::of(&laboratory.make(plan, &shot)).expect("it is brought to its end");
        course.record(&finding);
    }
}

/// The places of a sweep at which the firmware failed, as often as it did.
pub(crate) fn failed<'a>(course: &'a Course, aimed: &'a [Aimed]) -> impl Iterator<Item = &'a Aimed> {
    let failures = course.points().iter().filter(|(_, class)| class.is_failure());
    failures.filter_map(|(settings, _)| aimed.iter().find(|it| settings[..] == [Setting::after(it.after)]))
}
