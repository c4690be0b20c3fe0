//! What a scenario file means, and what no file can do to the reader.

mod doors;

use brickproof_console::Pattern as ConsolePattern;
use brickproof_scenario::plan::{
    Condition, Expectation, Expected, Fault, FirmwareName, Identity, Measurand, Need, StepAction, SupplySetting,
    Trigger,
};
use brickproof_scenario::{Diagnostics, Library, MistakeKind, Scenario, axes, load, load_with};
use brickproof_units::{Charge, Ratio, Slew, Span, Voltage};
use proptest::prelude::*;

const MINIMAL: &str = "scenario: T\nboard: lantern-nrf51\nfirmware: lantern-no-heal\nsteps:\n  - supply: { usb: 5V }\n";

const MATRIX: &str = r#"
scenario: T
board: lantern-${geometry}
matrix:
  geometry: [nrf51, nrf52840]
  release: [no-heal, heal-full]
exclude:
  - { geometry: nrf52840, release: no-heal }
firmware: lantern-${release}
steps:
  - corrupt: { slot: server_public, class: blank }
  - supply: { usb: 5V }
  - expect: { console: "release ${release}", within: 5s }
outcome:
  - { release: no-heal, then: { bricked: { shows: [{ console: "-7b00" }] } } }
  - then: passed
"#;

fn read(text: &str) -> Scenario {
    load("t.yaml", text, &Library::built_in()).unwrap_or_else(|mistakes| panic!("{}", mistakes.render(110)))
}

fn mistakes(text: impl AsRef<[u8]>) -> Diagnostics {
    load("t.yaml", text, &Library::built_in()).expect_err("a mistake")
}

fn with_steps(steps: &str) -> String {
    format!("scenario: T\nboard: lantern-nrf51\nfirmware: lantern-no-heal\nsteps:\n{steps}")
}

fn only_action(step: &str) -> StepAction {
    let mut plan = read(&with_steps(step)).cells.remove(0);
    assert_eq!(plan.steps.len(), 1);
    plan.steps.remove(0).action
}

fn kinds(text: &str) -> Vec<MistakeKind> {
    mistakes(text).mistakes().iter().map(|mistake| mistake.kind()).collect()
}

#[test]
fn the_example_of_the_language_means_what_it_says() {
    let battery = only_action("  - supply: { battery: { cell: 1200mAh, aged: true, charge: 6% } }");
    let StepAction::Supply(SupplySetting::Battery { cell, charge, .. }) = battery else { panic!("{battery:?}") };
    assert_eq!((cell, charge), (Charge::new(1_200_000), Ratio::new(60_000)));

    let fault = only_action(concat!(
        "  - on: { console: 'erasing key page', within: 5s }\n",
        "    fault: { brown_out: { after: 12.4ms, tolerance: 2ms, rail: 3V3, floor: 1.2V, fall: 50us/V, hold: 200ms } }"
    ));
    let StepAction::Fault { trigger: Trigger { within, after, tolerance, cause: Some(_) }, fault } = fault else {
        panic!()
    };
    assert_eq!((within, after, tolerance), (Span::secs(5), Span::micros(12_400), Some(Span::millis(2))));
    let (floor, fall, hold) = (Voltage::new(1_200_000), Slew::new(50_000), Span::millis(200));
    assert_eq!(fault, Fault::BrownOut { rail: "3V3".into(), floor, fall, hold, rise: fall });

    let expected =
        Expectation { condition: Condition::Identity(vec![Identity::Unchanged]), within: Span::ZERO, holds: None };
    assert_eq!(only_action("  - expect: { identity: unchanged }"), StepAction::Expect(expected));
}

#[test]
fn a_text_between_slashes_is_a_regular_expression_and_any_other_is_not() {
    let pattern = |text: &str| match only_action(&format!("  - expect: {{ console: '{text}', within: 1s }}")) {
        StepAction::Expect(Expectation { condition: Condition::Console(pattern), .. }) => pattern,
        other => panic!("{other:?}"),
    };
    assert_eq!(pattern("code=.*"), ConsolePattern::literal("code=.*").unwrap());
    assert_eq!(pattern("/code=\\d+/"), ConsolePattern::regex("code=\\d+").unwrap());
    assert_ne!(pattern("/code=.*/"), pattern("code=.*"));
}

#[test]
fn every_cell_has_its_own_firmware_board_steps_and_outcome() {
    let scenario = read(MATRIX);
    let cells: Vec<_> =
        scenario.cells.iter().map(|plan| (plan.board.name.as_str(), plan.firmware.0.as_str())).collect();
    let (nrf51, nrf52840) = ("lantern-nrf51", "lantern-nrf52840");
    assert_eq!(cells, [(nrf51, "lantern-no-heal"), (nrf51, "lantern-heal-full"), (nrf52840, "lantern-heal-full")]);
    assert_eq!(
        scenario.cells[1].parameters,
        [("geometry".into(), "nrf51".into()), ("release".into(), "heal-full".into())]
    );
    assert_eq!(scenario.cells[1].steps[2].text, "expect the console to print `release heal-full` within 5s");
    assert_eq!(scenario.cells[1].steps[2].line, 13);
    assert!(matches!(&scenario.cells[0].outcome, Expected::Bricked { showing } if showing.len() == 1));
    assert_eq!(scenario.cells[1].outcome, Expected::Passed);
}

#[test]
fn needs_are_what_the_steps_take() {
    let scenario = read(MATRIX);
    assert!(scenario.cells[0].needs.iter().eq(&[Need::Supply, Need::Console, Need::Probe]));
}

#[test]
fn overrides_narrow_an_axis_or_give_it_a_new_value() {
    let with = |set: &[&str]| {
        let overrides: Vec<_> = set.iter().map(|text| text.parse().unwrap()).collect();
        load_with("t.yaml", MATRIX, &Library::built_in(), &overrides)
    };
    assert_eq!(with(&["release=no-heal"]).unwrap().cells.len(), 1);
    assert_eq!(with(&["release=heal-parse"]).unwrap().cells[0].firmware.0, "lantern-heal-parse");
    assert_eq!(with(&["release=heal-parse", "release=heal-blank"]).unwrap().cells.len(), 4);
    let unknown = with(&["relase=no-heal"]).unwrap_err();
    assert_eq!(unknown.mistakes()[0].kind(), MistakeKind::UnknownAxis);
    assert_eq!(unknown.mistakes()[0].suggestion(), Some("did you mean `release`?"));
    assert_eq!(unknown.mistakes()[0].line(), 4, "at the matrix");
    assert_eq!(with(&["release=no-heal", "geometry=nrf52840"]).unwrap().cells, [], "the cell is excluded");
    let bad = with(&["geometry=nrf53"]).unwrap_err();
    assert_eq!(bad.mistakes()[0].kind(), MistakeKind::UnknownName);
}

#[test]
fn another_firmware_is_asked_to_survive() {
    let candidate = FirmwareName("candidate.bin".into());
    let plan = read(MATRIX).with_firmware(&candidate).cells.remove(0);
    assert_eq!((plan.firmware.0.as_str(), &plan.outcome), ("candidate.bin", &Expected::Passed));
    assert_eq!(plan.parameters[1].1, "no-heal", "the axis is also looked for on the console, so the cells differ");
}

#[test]
fn cells_that_differ_in_their_firmware_alone_are_one_when_another_firmware_is_asked() {
    let text = MATRIX.replace("release ${release}", "release");
    let scenario = read(&text).with_firmware(&FirmwareName("build/mine.bin".into()));
    let named =
        |geometry: &str| [("geometry".into(), geometry.to_owned()), ("firmware".into(), "build/mine.bin".into())];
    let cells: Vec<_> = scenario.cells.iter().map(|plan| plan.parameters.as_slice()).collect();
    assert_eq!(cells, [named("nrf51"), named("nrf52840")], "the name of a release that does not run is not used");
}

#[test]
fn the_axes_of_a_file_can_be_asked_for_even_if_the_rest_is_broken() {
    let expected = [("geometry", vec!["nrf51", "nrf52840"]), ("release", vec!["no-heal", "heal-full"])];
    let expected = expected.map(|(axis, values)| (axis.to_owned(), values.into_iter().map(str::to_owned).collect()));
    assert_eq!(axes(MATRIX), expected);
    assert_eq!(axes(MATRIX.replace("supply:", "suply:")), expected);
    assert_eq!(axes(MINIMAL), []);
    assert_eq!(axes(b"\xff"), []);
}

#[test]
fn a_firmware_file_is_judged_by_whoever_can_read_files() {
    let library = Library::built_in().with_firmware_files(|path, board| match path {
        "good.bin" => Ok(()),
        _ => Err(format!("{path} is none for {}", board.name)),
    });
    let with = |name: &str| load("t.yaml", MINIMAL.replace("lantern-no-heal", name), &library);
    assert!(with("good.bin").is_ok() && with("lantern-no-heal").is_ok());
    let found = with("bad.bin").unwrap_err();
    let found = &found.mistakes()[0];
    assert_eq!((found.kind(), found.line()), (MistakeKind::BadFirmware, 3));
    assert_eq!(found.to_string(), "bad.bin is none for lantern-nrf51");
}

#[test]
fn a_state_is_looked_for_beside_its_scenario_and_brings_its_own_firmware() {
    let library = Library::built_in().with_states(|path, board| match path {
        "desk/unit-0042/state" | "/kept/unit" => Ok(()),
        _ => Err(format!("{path} is no state of a {}", board.name)),
    });
    let with = |lines: &str| {
        load("desk/unit-0042/s.yaml", MINIMAL.replace("firmware: lantern-no-heal", lines), &library)
            .map(|scenario| (scenario.cells[0].firmware.0.clone(), scenario.cells[0].state.clone().map(|it| it.0)))
    };
    let found = |firmware: &str, state: &str| (firmware.to_owned(), Some(state.to_owned()));
    assert_eq!(with("state: state/").unwrap(), found("as_found", "desk/unit-0042/state"));
    assert_eq!(with("state: ./state\nfirmware: as_found").unwrap(), found("as_found", "desk/unit-0042/state"));
    assert_eq!(with("state: /kept/unit").unwrap(), found("as_found", "/kept/unit"));
    let over = with("state: state\nfirmware: lantern-heal-full").unwrap();
    assert_eq!(over, found("lantern-heal-full", "desk/unit-0042/state"));
    let wrong = with("state: elsewhere").unwrap_err();
    let wrong = &wrong.mistakes()[0];
    assert_eq!((wrong.kind(), wrong.line()), (MistakeKind::BadState, 3));
    assert_eq!(wrong.to_string(), "desk/unit-0042/elsewhere is no state of a lantern-nrf51");
    let named = with("state: state\nfirmware: as_fuond").unwrap_err();
    assert_eq!(named.mistakes()[0].kind(), MistakeKind::UnknownName);
}

#[test]
fn another_firmware_is_asked_of_the_same_state() {
    let text = MINIMAL.replace("firmware: lantern-no-heal", "state: unit");
    let plan = read(&text).with_firmware(&FirmwareName("lantern-heal-full".into())).cells.remove(0);
    assert_eq!((plan.firmware.0.as_str(), plan.state.map(|it| it.0)), ("lantern-heal-full", Some("unit".into())));
}

#[test]
fn only_what_begins_in_a_state_can_be_as_it_was_found() {
    let step = "  - expect: { slot: server_public, is: [old, as_found] }\n";
    assert_eq!(kinds(&with_steps(step)), [MistakeKind::Misplaced]);
    read(&with_steps(step).replace("firmware: lantern-no-heal", "state: unit"));
}

#[test]
fn a_small_file_cannot_ask_for_a_mountain_of_steps() {
    let values: Vec<String> = (0..2_000).map(|value| format!("a{value}")).collect();
    let steps = "  - repeat: { times: 999, steps: [{ send: \"${axis}\" }, { send: a }] }\n";
    let text = with_steps(steps) + &format!("matrix: {{ axis: [{}] }}\n", values.join(", "));
    assert_eq!(kinds(&text), [MistakeKind::TooLarge]);
    let broken = text.replace("send: a }", "sned: a }");
    assert!(kinds(&broken).contains(&MistakeKind::TooLarge), "nor one that has another mistake");
}

#[test]
fn a_tab_hides_no_steps_that_were_begun() {
    assert_eq!(kinds(&with_steps("  - supply: { usb: 5V }\n\t- wait: 1ms\n")), [MistakeKind::Syntax]);
    assert_eq!(kinds(&with_steps("  []\n")), [MistakeKind::Empty], "a list without any is still told");
}

#[test]
fn nothing_in_a_file_reaches_the_terminal_as_a_control_character() {
    let odd = |text: &str| text.chars().any(|c| c.is_control() && c != '\n');
    let text = with_steps(concat!(
        "  - send: \"a\\e[31m\"\n",
        "  - expect: { console: \"\\e[31mX\\x01\\0\", within: 1s }\n",
        "  - measure: { \"\\e[2J\": { lowest: 3V3, during: 1s } }\n"
    ));
    let plan = read(&text.replace("scenario: T", "scenario: \"T\\e[31m\"\ntags: [\"\\a\"]")).cells.remove(0);
    assert!(!odd(&brickproof_scenario::explain(&plan)), "{:?}", brickproof_scenario::explain(&plan));
    let StepAction::Expect(expectation) = &plan.steps[1].action else { panic!("{:?}", plan.steps[1]) };
    assert_eq!(expectation.condition.to_string(), "the console prints `\\x1b[31mX\\x01\\x00`");
    let found = mistakes(text.replace("firmware: lantern", "firmware: \"\\e[31mlan\u{9b}tern\"#"));
    assert!(!odd(&found.render(110)), "{:?}", found.render(110));
}

#[test]
fn a_path_is_a_firmware_without_being_known() {
    let text = MINIMAL.replace("lantern-no-heal", "build/candidate.bin");
    assert_eq!(read(&text).cells[0].firmware.0, "build/candidate.bin");
    assert_eq!(kinds(&MINIMAL.replace("lantern-no-heal", "candidate")), [MistakeKind::UnknownName]);
}

#[test]
fn the_hash_is_that_of_the_bytes() {
    // printf '…' | sha256sum
    let id = read("scenario: T\nboard: lantern-nrf51\nfirmware: a/b\nsteps: [{ wait: 1s }]\n").id;
    assert_eq!(id.sha256, "70f877efc7f81fc14872355f652e19a4baebd2726736c6881cc92b1330ee81b5");
    assert_eq!((id.path.as_str(), id.title.as_str()), ("t.yaml", "T"));
}

#[test]
fn a_mistake_in_many_cells_is_told_once_with_all_its_values() {
    let text = MATRIX.replace("firmware: lantern-${release}", "firmware: lanten-${release}");
    let found = mistakes(&text);
    assert_eq!(found.mistakes().len(), 1, "{}", found.render(110));
    let report = found.render(110);
    assert!(
        report.contains("unknown firmware `lanten-no-heal`") && report.contains("unknown firmware `lanten-heal-full`")
    );
}

#[test]
fn an_alias_stands_for_what_its_anchor_holds() {
    let steps = "  - supply: &usb { usb: 5V }\n  - supply: off\n  - supply: *usb\n";
    let plan = read(&with_steps(steps)).cells.remove(0);
    assert_eq!(plan.steps[0].action, plan.steps[2].action);
}

#[test]
fn measurements_have_limits() {
    let StepAction::Measure(measurement) =
        only_action("  - measure: { sag: { lowest: 3V3, during: 2s, at_least: 3V } }")
    else {
        panic!("not a measurement")
    };
    let (rail, during) = ("3V3".to_owned(), Span::secs(2));
    assert_eq!(measurement.what, Measurand::LowestVoltage { rail, during, at_least: Some(Voltage::new(3_000_000)) });
}

#[test]
fn an_axis_may_be_called_by_one_letter() {
    let text = with_steps("  - wait: \"${a}${bc}\"\n") + "matrix: { a: [1], bc: [ms, s] }\n";
    let waits: Vec<_> = read(&text).cells.iter().map(|plan| plan.steps[0].text.clone()).collect();
    assert_eq!(waits, ["wait 1ms", "wait 1s"]);
    let unused = text.replace("bc: [", "c: [1], bc: [");
    assert_eq!(kinds(&unused), [MistakeKind::UnusedAxis], "and one that changes nothing is still found");
}

#[test]
fn a_trigger_has_one_cause() {
    let strikes = "    fault: { power_cut: { hold: 100ms } }\n";
    for (trigger, told) in [
        ("{ console: never, line: radio, edge: rising, within: 5s }", MistakeKind::NotOneVerb),
        ("{ line: radio, edge: rising, below: 1V, within: 5s }", MistakeKind::NotOneVerb),
        ("{ console: never, edge: rising, within: 5s }", MistakeKind::Misplaced),
    ] {
        assert_eq!(kinds(&with_steps(&format!("  - on: {trigger}\n{strikes}"))), [told], "{trigger}");
    }
}

#[test]
fn only_lines_that_a_station_watches_can_trigger() {
    let on = |line: &str| {
        with_steps(&format!(
            "  - on: {{ line: {line}, edge: rising, within: 5s }}\n    fault: {{ power_cut: {{ hold: 1s }} }}\n"
        ))
    };
    read(&on("radio"));
    for line in ["red", "green", "blue", "mode"] {
        let found = mistakes(on(line));
        assert_eq!(found.mistakes()[0].kind(), MistakeKind::UnknownName, "{line}");
        let help = found.mistakes()[0].suggestion().unwrap();
        assert!(help.contains("lines: `radio`"), "{line}: {help}");
    }
}

#[test]
fn an_axis_is_filled_in_wherever_it_stands() {
    let text = concat!(
        "scenario: Does ${release} survive?\nboard: lantern-nrf51\nfirmware: lantern-heal-full\n",
        "tags: [keys, \"for-${release}\"]\nmatrix: { release: [a, b] }\nsteps:\n",
        "  - measure: { \"boot_${release}\": { until: { console: Cloud connected }, within: 30s } }\n"
    );
    let plan = read(text).cells.remove(1);
    assert_eq!(plan.scenario.title, "Does b survive?");
    assert_eq!(plan.tags, ["keys", "for-b"]);
    let StepAction::Measure(measurement) = &plan.steps[0].action else { panic!("{:?}", plan.steps[0]) };
    assert_eq!(measurement.name, "boot_b");
    let only_there =
        "matrix: { release: [a, b] }\nfirmware: lantern-no-heal\nscenario: T\nboard: lantern-nrf51\nsteps:\n";
    let name =
        |axis: &str| format!("{only_there}  - measure: {{ \"boot_${{{axis}}}\": {{ lowest: 3V3, during: 1s }} }}\n");
    assert_eq!(read(&name("release")).cells.len(), 2, "the name of a measurement is a use");
    assert_eq!(kinds(&name("relase")), [MistakeKind::UnknownAxis]);
}

#[test]
fn values_that_can_never_be_are_refused() {
    for step in [
        "fault: { load_step: { current: 100mA, hold: 1s, reaches: 40V } }",
        "fault: { load_step: { current: 100mA, hold: 1s, reaches: 3.3V } }",
        "fault: { load_step: { current: 100mA, hold: 1s, reaches: 0V } }",
        "fault: { load_step: { current: 100mA, hold: 1s, reaches: -1V } }",
        "expect: { current: { below: -5mA }, within: 1s }",
        "expect: { current: { above: -5mA }, within: 1s }",
        "expect: { current: { below: 0mA }, within: 1s }",
        "measure: { sag: { lowest: 3V3, during: 1s, at_least: -3V } }",
        "measure: { sag: { lowest: 3V3, during: 1s, at_least: 0V } }",
    ] {
        assert_eq!(kinds(&with_steps(&format!("  - {step}\n"))), [MistakeKind::BeyondLimits], "{step}");
    }
    only_action("  - fault: { load_step: { current: 100mA, hold: 1s, reaches: 1.7V } }");
    only_action("  - expect: { current: { above: 0mA }, within: 1s }");
}

#[test]
fn the_pause_between_flashes_is_not_looked_at_and_cannot_be_asked_for() {
    let flash = |rest: &str| format!("  - expect: {{ light: {{ flash: orange, count: 3{rest} }}, within: 60s }}\n");
    assert_eq!(kinds(&with_steps(&flash(", on: 250ms, off: 900ms"))), [MistakeKind::Misplaced]);
    only_action(&flash(", on: 250ms"));
}

#[test]
fn a_measurement_has_a_name_of_its_own() {
    let measure = |name: &str| format!("  - measure: {{ {name}: {{ lowest: 3V3, during: 1s }} }}\n");
    let found = mistakes(with_steps(&(measure("sag") + &measure("sag"))));
    assert_eq!((found.mistakes()[0].kind(), found.mistakes()[0].line()), (MistakeKind::DuplicateValue, 6));
    read(&with_steps(&(measure("sag") + &measure("dip"))));
    let repeated = "  - repeat: { times: 3, steps: [{ measure: { sag: { lowest: 3V3, during: 1s } } }] }\n";
    assert_eq!(read(&with_steps(repeated)).cells[0].steps.len(), 3, "the rounds of a repetition share it");
}

#[test]
fn repetitions_nest_and_are_bounded() {
    let nested = "  - repeat: { times: 2, steps: [{ repeat: { times: 3, steps: [{ wait: 1s }] } }] }";
    let plan = read(&with_steps(nested)).cells.remove(0);
    assert_eq!(plan.steps.len(), 6);
    assert_eq!(plan.steps[5].text, "wait 1s (round 2 of 2) (round 3 of 3)");
    let endless = "  - repeat: { times: 1000, steps: [{ repeat: { times: 1000, steps: [{ wait: 1s }] } }] }";
    assert_eq!(kinds(&with_steps(endless)), [MistakeKind::TooLarge]);
}

#[test]
fn bytes_that_are_no_text_are_shown_where_they_stand() {
    let found = mistakes(b"scenario: T\nboard: lant\xffern\n");
    let mistake = &found.mistakes()[0];
    assert_eq!((mistake.kind(), mistake.line(), mistake.column()), (MistakeKind::Encoding, 2, 12));
    assert!(found.render(110).contains("the byte 0xff is not UTF-8"));
}

#[test]
fn an_empty_file_and_a_file_of_comments_are_mistakes() {
    assert_eq!(kinds(""), [MistakeKind::MissingValue]);
    assert_eq!(kinds("# nothing\n"), [MistakeKind::MissingValue]);
}

#[test]
fn only_the_first_document_is_read_and_that_is_said() {
    assert_eq!(kinds(&format!("{MINIMAL}---\nscenario: another\n")), [MistakeKind::UnsupportedYaml]);
}

#[test]
fn files_that_unfold_without_end_are_refused_quickly() {
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = vec![format!("*a{}", level - 1); 9].join(", ");
        laughs += &format!("a{level}: &a{level} [{below}]\n");
    }
    assert!(kinds(&laughs).contains(&MistakeKind::TooLarge));
    assert_eq!(kinds(&"[".repeat(100_000)), [MistakeKind::Syntax]);
    assert_eq!(kinds(&" ".repeat(2 << 20)), [MistakeKind::TooLarge]);
    assert!(kinds("a: &a [*a]\n").contains(&MistakeKind::UnsupportedYaml));
    let axes: String = ('a'..='z').map(|axis| format!("  {axis}: [1, 2, 3, 4]\n")).collect();
    assert!(kinds(&MINIMAL.replace("steps:", &format!("matrix:\n{axes}steps:"))).contains(&MistakeKind::TooLarge));
}

/// Text of pieces that mean something to the reader, so that most of it gets past the parser.
fn likely_yaml() -> impl Strategy<Value = String> {
    let pieces = [
        "scenario",
        "board",
        "steps",
        "matrix",
        "outcome",
        "expect",
        "light",
        "console",
        "on",
        "fault",
        "brown_out",
        "repeat",
        "any",
        "measure",
        "lantern-nrf51",
        "${release}",
        "${",
        "}",
        "{",
        "}",
        "[",
        "]",
        ": ",
        ", ",
        "- ",
        "\n",
        "\n  ",
        "\n    - ",
        "'",
        "\"",
        "&a ",
        "*a",
        "!t ",
        "5V",
        "12ms",
        "off",
        "/(/",
        "#",
        "\t",
        "é",
        "|\n",
        "? ",
        "---\n",
        "%",
        "\u{feff}",
        "\r\n",
        "times: 9",
        "then: bricked",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..60).prop_map(|parts| parts.concat())
}

/// A shipped scenario with a few characters changed.
fn damaged(text: &'static str) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec((0..text.len(), any::<u8>()), 1..6).prop_map(move |changes| {
        let mut bytes = text.as_bytes().to_vec();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        bytes
    })
}

fn survives(input: &[u8], library: &Library) {
    if let Err(mistakes) = load("t.yaml", input, library) {
        assert!(!mistakes.mistakes().is_empty());
        assert!(!mistakes.render(100).is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_bytes_panic(input in prop::collection::vec(any::<u8>(), 0..200)) {
        survives(&input, &Library::built_in());
    }

    #[test]
    fn no_yaml_panics(body in likely_yaml()) {
        let library = Library::built_in();
        survives(body.as_bytes(), &library);
        survives(format!("{MINIMAL}  - {body}\n").as_bytes(), &library);
    }

    #[test]
    fn no_slip_of_the_fingers_panics(input in damaged(include_str!("../../../../scenarios/battery-death/load-step.yaml"))) {
        survives(&input, &Library::built_in());
    }
}
