//! Pictures: what is drawn is what was tried, and a reader of XML that is not ours can read it.

use brickproof_explore::picture::{self, Busy, Caption};
use brickproof_explore::{Ask, Budget, Campaign, Class, Course, Finding, Kind, Range, Repeats, Shot, SweepSettings};
use brickproof_scenario::{Knob, Setting};
use brickproof_units::Span;
use quick_xml::events::Event;

fn range(knob: Knob, from: &str, to: &str, points: u32) -> Range {
    let setting = |text| Setting::of(knob, text).expect("it is one");
    Range::new(setting(from), setting(to), Some(points)).expect("it holds something")
}

fn swept(ranges: Vec<Range>, board: impl Fn(&Shot) -> Class) -> Course {
    let kind = Kind::Sweep(SweepSettings::Ranges { ranges, each: 1 });
    let campaign = Campaign { title: "a < b & c".to_owned(), kind, seed: 1, budget: Budget::default() };
    let mut course = Course::new(campaign, Repeats::Roughly).expect("it can be asked");
    while let Ask::Shot(shot) = course.ask() {
        course.record(&Finding::new(board(&shot)));
    }
    course
}

/// It fails in the middle, and is dead at the very bottom.
fn board(shot: &Shot) -> Class {
    let [after, floor] = [0, 1].map(|index| shot.settings.get(index).map_or(0, |it| it.amount()));
    match (10_000_000..30_000_000).contains(&after) {
        true if floor < 500_000 && shot.settings.len() > 1 => Class::Silent,
        true if floor < 1_700_000 => Class::LockedOut,
        _ => Class::Survived,
    }
}

fn both() -> Course {
    swept(vec![range(Knob::After, "0ms", "40ms", 21), range(Knob::Floor, "0V", "2V", 5)], board)
}

#[test]
fn a_map_in_characters_shows_where_the_firmware_fails() {
    let one = swept(vec![range(Knob::After, "0ms", "40ms", 41)], board);
    let shown = [picture::text(&both(), 72), picture::text(&one, 72), picture::text(&one, 20)];
    insta::assert_snapshot!(shown.map(|it| it.expect("there is something to be seen")).join("\n"));
}

#[test]
fn a_map_has_a_box_for_every_point_and_its_flash_under_the_axis() {
    let course = both();
    let busy = [Busy { from: Span::millis(2), to: Span::millis(23), erases: true }];
    let caption = Caption { title: &course.campaign().title, world: "virtual", busy: &busy };
    let svg = picture::svg(&course, &caption).expect("there is something to be seen");
    let mut reader = quick_xml::Reader::from_str(&svg);
    reader.config_mut().check_end_names = true;
    let (mut titles, mut words) = (Vec::new(), Vec::new());
    let mut inside = Vec::new();
    loop {
        match reader.read_event().unwrap_or_else(|error| panic!("{error} in\n{svg}")) {
            Event::Start(tag) => inside = tag.name().as_ref().to_vec(),
            Event::Text(text) if inside == b"title" => titles.push(text.decode().expect("it is text").into_owned()),
            Event::Text(text) if inside == b"text" => words.push(text.decode().expect("it is text").into_owned()),
            Event::End(_) => inside.clear(),
            Event::Eof => break,
            _ => {}
        }
    }
    let points = titles.iter().filter(|title| title.starts_with("fault.after")).count();
    assert_eq!(points, 21 * 5);
    assert!(titles.iter().any(|title| title == "erase from 2ms to 23ms"), "{titles:?}");
    let silent = titles.iter().filter(|title| title.ends_with("silent")).count();
    assert_eq!(silent, 10, "ten instants at 0V");
    assert!(svg.contains("a &lt; b &amp; c (virtual world)"), "{words:?}");
}

#[test]
fn a_campaign_without_a_trial_has_no_picture() {
    let kind = Kind::Sweep(SweepSettings::Ranges { ranges: vec![range(Knob::After, "0ms", "40ms", 2)], each: 1 });
    let course =
        Course::new(Campaign { title: "T".to_owned(), kind, seed: 1, budget: Budget::default() }, Repeats::Roughly)
            .expect("it can be asked");
    assert!(picture::text(&course, 72).is_none());
    assert!(picture::svg(&course, &Caption { title: "T", world: "virtual", busy: &[] }).is_none());
}
