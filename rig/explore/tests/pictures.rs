//! Pictures: what is drawn is what was tried, and a reader of XML that is not ours can read it.

use brickproof_explore::picture::{self, Busy, Caption, Sheet};
use brickproof_explore::{
    Arm, Ask, Budget, Campaign, Class, Course, Erased, Finding, Kind, ProveSettings, Range, Repeats, Shot,
    SoakSettings, Strata, SweepSettings, Wear, WindowAsked,
};
use brickproof_scenario::{Knob, Setting};
use brickproof_statistics::{Asked, Probability};
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
    let svg = picture::svg(&course, &caption, Sheet::Wide).expect("there is something to be seen");
    let (titles, words) = read(&svg);
    let points = titles.iter().filter(|title| title.starts_with("fault.after")).count();
    assert_eq!(points, 21 * 5);
    assert!(titles.iter().any(|title| title == "erase from 2ms to 23ms"), "{titles:?}");
    let silent = titles.iter().filter(|title| title.ends_with("silent")).count();
    assert_eq!(silent, 10, "ten instants at 0V");
    assert!(svg.contains("a &lt; b &amp; c (virtual world)"), "{words:?}");
}

/// However many were tried, it can be loaded, and a failure among them is seen.
#[test]
fn a_map_of_very_many_points_stays_small_and_hides_no_failure() {
    let one = |shot: &Shot| {
        let amounts: Vec<i64> = shot.settings.iter().map(|it| it.amount()).collect();
        if amounts == [21_000_000, 1_000_000] { Class::LockedOut } else { Class::Survived }
    };
    let course = swept(vec![range(Knob::After, "0ms", "40ms", 401), range(Knob::Floor, "0V", "2V", 401)], one);
    let caption = Caption { title: "T", world: "virtual", busy: &[] };
    for sheet in [Sheet::Wide, Sheet::Narrow] {
        let svg = picture::svg(&course, &caption, sheet).expect("there is something to be seen");
        let (titles, words) = read(&svg);
        let boxes = svg.matches("<rect").count();
        assert!(boxes < 45_000 && svg.len() < 8_000_000, "{boxes} boxes, {} bytes", svg.len());
        // Once in the legend, once where it is.
        assert_eq!(svg.matches("#c0392b").count(), 2, "{sheet:?}");
        // On a phone nothing is under a mouse.
        let is_told = titles.iter().any(|it| it == "fault.after 21ms, fault.floor 1V: locked out");
        assert_eq!(is_told, sheet == Sheet::Wide);
        assert!(words.iter().any(|it| it == "160800 survived"), "all of them are counted: {words:?}");
    }
}

/// Its titles and its words, as a reader of XML finds them.
fn read(svg: &str) -> (Vec<String>, Vec<String>) {
    let mut reader = quick_xml::Reader::from_str(svg);
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
    (titles, words)
}

fn made(kind: Kind, find: impl Fn(&Shot) -> Finding) -> Course {
    let campaign = Campaign { title: "T".to_owned(), kind, seed: 1, budget: Budget::default() };
    let mut course = Course::new(campaign, Repeats::Roughly).expect("it can be asked");
    while let Ask::Shot(shot) = course.ask() {
        course.record(&find(&shot));
    }
    course
}

fn share(value: f64) -> Probability {
    Probability::new(value).expect("it is one")
}

fn anywhere(to: &str) -> Range {
    let setting = |text| Setting::of(Knob::After, text).expect("it is one");
    Range::new(setting("0ms"), setting(to), None).expect("it holds something")
}

fn searched() -> Course {
    let asked = WindowAsked {
        range: anywhere("60ms"),
        resolution: Span::millis(2),
        credibility: share(0.95),
        narrowest: Span::millis(10),
        weakest: share(0.5),
        confidence: share(0.95),
    };
    made(Kind::FindWindow(asked), |shot| Finding::new(board(shot)))
}

fn proved() -> Course {
    let asked = Asked { good: share(0.01), bad: share(0.1), alpha: share(0.05), beta: share(0.05), cap: 200 };
    let settings = ProveSettings { asked, ranges: vec![anywhere("60ms")], strata: Strata::bands(1) };
    made(Kind::Prove(settings), |shot| {
        Finding::new(if shot.arm == Arm::Candidate { Class::Survived } else { board(shot) })
    })
}

/// It gets worse from the middle on.
fn soaked() -> Course {
    let wear = Some(Wear { endurance: 400, per_cycle: vec![Erased { sector: "0x0003e800".to_owned(), times: 3 }] });
    let settings = SoakSettings { cycles: 120, stop_at_failures: None, wear, boards: None };
    made(Kind::Soak(settings), |shot| {
        Finding::new(if shot.number > 60 && shot.number.is_multiple_of(5) {
            Class::Misbehaved
        } else {
            Class::Survived
        })
    })
}

#[test]
fn windows_proofs_and_soaks_are_seen_in_a_terminal_too() {
    let shown =
        [searched(), proved(), soaked()].map(|it| picture::text(&it, 72).expect("there is something to be seen"));
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn however_narrow_a_terminal_is_every_row_has_the_same_width() {
    for course in [searched(), proved(), soaked(), both()] {
        for width in [1, 7, 72, 5_000] {
            let text = picture::text(&course, width).expect("there is something to be seen");
            let second = |line: &str| line.match_indices('|').nth(1).map(|(at, _)| at);
            let ends: Vec<Option<usize>> = text.lines().filter(|line| line.contains('|')).map(second).collect();
            assert!(ends.windows(2).all(|pair| pair[0] == pair[1]), "{width}:\n{text}");
        }
    }
}

#[test]
fn every_picture_says_its_world_and_its_numbers_in_words() {
    let said = |course: &Course, sheet: Sheet| {
        let caption = Caption { title: "T", world: "lane", busy: &[] };
        read(&picture::svg(course, &caption, sheet).expect("there is something to be seen")).1
    };
    for sheet in [Sheet::Wide, Sheet::Narrow] {
        let all = [searched(), proved(), soaked()].map(|it| said(&it, sheet));
        for (words, wanted) in all.iter().zip([
            ["failed", "survived", "fault.after"],
            ["failures", "trials of each", "FIXED here without a failure (31)"],
            ["failures", "erases", "it may see 400"],
        ]) {
            assert!(words.iter().any(|it| it == "T (lane world)"), "{words:?}");
            for it in wanted {
                assert!(words.iter().any(|word| word == it), "{it} in {words:?}");
            }
        }
        // Where they are broken into lines is the sheet's business.
        let soak = all[2].join(" ");
        for half in ["first half: 0 of 60 failed", "second half: 11 of 60 failed"] {
            assert!(soak.contains(half), "{half} in {soak}");
        }
    }
}

#[test]
fn on_a_narrow_sheet_the_worst_of_what_falls_together_is_drawn_and_nothing_reaches_over_its_edge() {
    let course = swept(vec![range(Knob::After, "0ms", "40ms", 4_001)], board);
    let caption = Caption { title: &"a question of many words ".repeat(9), world: "virtual", busy: &[] };
    let svg = picture::svg(&course, &caption, Sheet::Narrow).expect("there is something to be seen");
    let boxes = svg.lines().filter(|line| line.starts_with("<rect x=")).count();
    assert!((400..1_000).contains(&boxes), "{boxes} boxes for 4001 points");
    // It fails from 10 ms to 30 ms: half of what is drawn, as of what was tried.
    let red = svg.matches("#c0392b").count();
    assert!(red.abs_diff(boxes / 2) < 10, "{red} of {boxes}");
    for course in [course, both(), searched(), proved(), soaked()] {
        let svg = picture::svg(&course, &caption, Sheet::Narrow).expect("there is something to be seen");
        assert!(svg.contains("viewBox=\"0 0 340 "), "{svg}");
        for place in svg.split(" x=\"").skip(1) {
            let x: f64 = place.split('"').next().and_then(|it| it.parse().ok()).expect("a number");
            assert!((0.0..=340.0).contains(&x), "{x} in\n{svg}");
        }
    }
}

#[test]
fn a_campaign_without_a_trial_has_no_picture() {
    let kind = Kind::Sweep(SweepSettings::Ranges { ranges: vec![range(Knob::After, "0ms", "40ms", 2)], each: 1 });
    let course =
        Course::new(Campaign { title: "T".to_owned(), kind, seed: 1, budget: Budget::default() }, Repeats::Roughly)
            .expect("it can be asked");
    assert!(picture::text(&course, 72).is_none());
    let caption = Caption { title: "T", world: "virtual", busy: &[] };
    assert!([Sheet::Wide, Sheet::Narrow].into_iter().all(|sheet| picture::svg(&course, &caption, sheet).is_none()));
}
