//! Modes, keys and firmware: what a scenario may ask of a board by which way, and how it is read.

use brickproof_scenario::plan::{Need, StepAction};
use brickproof_scenario::{Library, MistakeKind, load};

use crate::{MINIMAL, kinds, mistakes, only_action, read, with_steps};

#[test]
fn a_mode_is_entered_as_its_profile_says() {
    let text = with_steps("  - enter: dfu\n").replace("lantern-nrf51\n", "photon\n");
    let steps: Vec<String> = read(&text).cells.remove(0).steps.into_iter().map(|step| step.text).collect();
    assert_eq!(
        steps,
        [
            "enter dfu: hold the mode button through a reset, and for 4.5s after it, or open its serial port on USB at 14400Bd, or request 50 over USB",
            "expect mode dfu (the light dfu_mode and dfu on USB) within 10s"
        ]
    );
    let listening = read(&with_steps("  - enter: { mode: listening, within: 3s }\n")).cells.remove(0).steps;
    let texts: Vec<&str> = listening.iter().map(|step| step.text.as_str()).collect();
    assert_eq!(
        texts,
        ["enter listening: hold the mode button for 4s", "expect mode listening (the light listening_mode) within 3s"]
    );
    assert_eq!(listening[0].line, listening[1].line, "both are the one step of the file");
    let through = only_action("  - press: { button: mode, for: 2s, through: reset }\n");
    assert!(matches!(through, StepAction::PressThroughReset { .. }), "{through:?}");
}

/// Whatever a bootloader or a firmware clears after a long press is cleared for good.
#[test]
fn no_press_is_long_enough_to_clear_settings_or_credentials() {
    let told = |board: &str, press: &str| {
        let text = with_steps(&format!("  - press: {{ {press} }}\n")).replace("lantern-nrf51\n", &format!("{board}\n"));
        match load("t.yaml", &text, &Library::built_in()) {
            Ok(_) => "accepted".to_owned(),
            Err(found) => found.mistakes().iter().map(|it| format!("{}: {it}", it.kind().code())).collect(),
        }
    };
    for (hold, through) in [("9989ms", ", through: reset"), ("9989ms", "")] {
        assert_eq!(told("photon", &format!("button: mode, for: {hold}{through}")), "accepted");
    }
    let through = |hold: &str| told("photon", &format!("button: mode, for: {hold}, through: reset"));
    let settings = "beyond-limits: holding `mode` through a reset for 9.99s can come to `settings_reset`, which the rig never enters";
    assert_eq!(through("9990ms"), settings);
    // Past the end of the bootloader's loop it has long been done.
    for hold in ["11s", "30s"] {
        assert_eq!(through(hold), settings.replace("9.99s", hold));
    }
    assert_eq!(
        told("photon", "button: mode, for: 12s"),
        "beyond-limits: holding `mode` while the board runs for 12s can come to `clear_credentials`, which the rig never enters"
    );
    // lantern clears nothing.
    assert_eq!(told("lantern-nrf51", "button: mode, for: 30s, through: reset"), "accepted");
}

#[test]
fn a_mode_that_nothing_confirms_says_so() {
    let on_a_photon = |step: &str| with_steps(&format!("  - {step}\n")).replace("lantern-nrf51\n", "photon\n");
    let texts = |step: &str| -> Vec<String> {
        read(&on_a_photon(step)).cells.remove(0).steps.into_iter().map(|step| step.text).collect()
    };
    let safe = "enter safe: hold the mode button through a reset, and for 2s after it, or request 60 over USB \
                (for safe, which nothing confirms: no light of `photon` is known for it, and its id on USB is the usual one)";
    assert_eq!(texts("enter: safe"), [safe]);
    let twice = texts("repeat: { times: 2, steps: [ { enter: safe } ] }");
    assert_eq!(twice, [format!("{safe} (round 1 of 2)"), format!("{safe} (round 2 of 2)")]);
    let waits = mistakes(on_a_photon("enter: { mode: factory_reset, within: 20s }"));
    let told: Vec<String> = waits.mistakes().iter().map(ToString::to_string).collect();
    assert_eq!(told, ["nothing confirms `factory_reset` on `photon`, so there is nothing to wait for"]);
}

#[test]
fn what_is_no_mode_of_the_board_is_told() {
    let told = |board: &str, mode: &str| {
        let text = with_steps(&format!("  - enter: {mode}\n")).replace("lantern-nrf51\n", &format!("{board}\n"));
        mistakes(&text).mistakes().iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(told("lantern-nrf51", "factory_reset"), "the board `lantern-nrf51` has no mode `factory_reset`");
    assert_eq!(told("photon", "settings_reset"), "the rig never enters `settings_reset`");
    assert_eq!(told("photon", "clear_credentials"), "the rig never enters `clear_credentials`");
    assert_eq!(told("photon", "bootloader"), "`bootloader` is not a mode");
    assert_eq!(told("microbit", "dfu"), "the board `microbit` has no mode `dfu`");
    assert_eq!(told("photon", "{ mode: safe, by: baud }"), "`safe` of `photon` is not entered by `baud`");
    // Its button's pin is not known, and an nRF51 has no USB.
    assert_eq!(told("redbear-duo", "{ mode: dfu, by: buttons }"), "`dfu` of `redbear-duo` is not entered by `buttons`");
    assert_eq!(
        told("lantern-nrf51", "{ mode: dfu, by: request }"),
        "`dfu` of `lantern-nrf51` is not entered by `request`"
    );
    let text = with_steps("  - expect: { usb: dfu, within: 1s }\n");
    assert_eq!(mistakes(&text).mistakes()[0].to_string(), "the board `lantern-nrf51` has no USB that is known");
}

#[test]
fn key_work_is_read_and_said_aloud() {
    let texts = |board: &str, steps: &str| -> Vec<String> {
        let text = with_steps(steps).replace("lantern-nrf51\n", &format!("{board}\n"));
        read(&text).cells.remove(0).steps.into_iter().map(|step| step.text).collect()
    };
    let steps = "  - keys: { save: before }\n  - keys: { load: before }\n  - keys: { verify: before }\n  - keys: { server: genuine }\n  - keys: { doctor: new_identity }\n";
    assert_eq!(
        texts("lantern-nrf51", steps),
        [
            "save the keys as `before`",
            "write back the keys saved as `before`",
            "make sure that the keys are those saved as `before`",
            "write the genuine server key and its address",
            "give the board a new identity, and have the cloud accept it in place of the old one",
        ]
    );
    let on_a_photon = texts(
        "photon",
        "  - enter: dfu\n  - keys: { save: before }\n  - corrupt: { slot: server_public, class: one_bit_set, part: header }\n",
    );
    assert_eq!(
        on_a_photon[2..],
        [
            "save the keys as `before`, through DFU",
            "corrupt the server_public slot: one_bit_set in its header part, through DFU"
        ]
    );
}

#[test]
fn keys_are_reached_through_what_the_profile_names() {
    let needs = |board: &str, step: &str| {
        let first = if board == "argon" { "  - expect: { usb: dfu, within: 5s }\n" } else { "" };
        let text = with_steps(&format!("{first}  - {step}\n")).replace("lantern-nrf51\n", &format!("{board}\n"));
        read(&text).cells.remove(0).needs.into_iter().filter(|need| *need != Need::Usb).collect::<Vec<_>>()
    };
    for step in [
        "keys: { save: a }",
        "corrupt: { slot: server_public, class: blank }",
        "expect: { slot: server_public, is: old }",
    ] {
        assert_eq!(needs("lantern-nrf51", step), [Need::Probe], "{step}");
        assert_eq!(needs("argon", step), [Need::Dfu], "{step}");
    }
    let refused = |board: &str, step: &str| {
        let text = with_steps(&format!("  - {step}\n")).replace("lantern-nrf51\n", &format!("{board}\n"));
        mistakes(&text).mistakes().iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    let in_dfu = "expect: { usb: dfu, within: 5s }\n  - keys: { save: a, through: dfu }";
    assert_eq!(needs("lantern-nrf52840", in_dfu), [Need::Dfu], "its areas lie in the flash that its bootloader shows");
    let through_probe = "keys: { save: a, through: probe }";
    assert_eq!(refused("photon", through_probe), "the keys of `photon` cannot be found through `probe`");
    assert_eq!(refused("microbit", "keys: { save: a }"), "the board `microbit` has no keys");
}

#[test]
fn firmware_is_written_through_the_probe_or_the_bootloader() {
    let on = |steps: &str| with_steps(steps).replace("lantern-nrf51\n", "lantern-nrf52840\n");
    let steps = concat!(
        "  - flash: lantern-heal-full\n",
        "  - flash: { image: lantern-heal-full, through: probe }\n",
        "  - enter: { mode: dfu, by: buttons }\n",
        "  - flash: { image: lantern-heal-full, through: dfu }\n",
        "  - enter: { mode: dfu, by: buttons }\n",
        "  - on: { flash: { image: lantern-no-heal, through: dfu }, at: 40% }\n",
        "    fault: { power_cut: { after: 2ms, hold: 200ms } }\n"
    );
    let plan = read(&on(steps)).cells.remove(0);
    assert_eq!(plan.steps[0].action, plan.steps[1].action, "the probe is meant where nothing is said");
    let texts: Vec<&str> = plan.steps.iter().map(|step| step.text.as_str()).collect();
    let [probe, _, _, _, dfu, _, _, struck] = texts[..] else { panic!("{texts:?}") };
    assert_eq!(probe, "flash lantern-heal-full through the probe");
    assert_eq!(dfu, "flash lantern-heal-full through DFU");
    assert_eq!(struck, "2ms after 40% of lantern-no-heal is written through DFU, cut the power for 200ms");
    assert!(plan.needs.contains(&Need::Dfu) && plan.needs.contains(&Need::Probe), "{:?}", plan.needs);
    let only_dfu = on(&steps.lines().skip(2).map(|line| format!("{line}\n")).collect::<String>());
    let needs = read(&only_dfu).cells.remove(0).needs;
    assert!(needs.contains(&Need::Dfu) && !needs.contains(&Need::Probe), "{needs:?}");

    let turned = brickproof_scenario::Setting::parse("fault.at", "70%").unwrap();
    let turned = plan.turned(&[turned]).unwrap();
    assert!(turned.steps[7].text.contains("70% of lantern-no-heal is written through DFU"), "{}", turned.steps[7].text);
    assert_eq!(turned.needs, plan.needs);
}

#[test]
fn a_board_without_a_bootloader_that_shows_its_flash_takes_no_firmware_through_it() {
    for board in ["lantern-nrf51", "photon"] {
        let steps = "  - flash: { image: lantern-heal-full, through: dfu }\n";
        let found = mistakes(with_steps(steps).replace("lantern-nrf51\n", &format!("{board}\n")));
        let [found] = found.mistakes() else { panic!("one mistake: {}", found.render(110)) };
        let told = (found.line(), found.column(), found.to_string());
        assert_eq!(told, (5, 49, format!("the firmware of `{board}` cannot be written through `dfu`")));
        assert_eq!(found.suggestion(), Some("its profile names no alternate setting with its flash"));
    }
    let text = with_steps("  - flash: { image: lantern-heal-full, through: jtag }\n  - flash: { through: probe }\n");
    assert_eq!(kinds(&text), [MistakeKind::UnknownValue, MistakeKind::MissingKey]);
}

/// Where a file of these steps says that the board is not in its bootloader, by the line of each step, counted from 1.
fn out_of_reach(board: &str, steps: &[&str]) -> Vec<usize> {
    let steps: String = steps.iter().map(|step| format!("  - {step}\n")).collect();
    match load("t.yaml", with_steps(&steps).replace("lantern-nrf51\n", &format!("{board}\n")), &Library::built_in()) {
        Ok(_) => Vec::new(),
        Err(found) => {
            let away =
                |it: &&brickproof_scenario::Mistake| it.to_string().ends_with("the board is not in its bootloader");
            assert_eq!(found.mistakes().iter().filter(away).count(), found.mistakes().len(), "{}", found.render(110));
            found.mistakes().iter().map(|it| it.line() - 4).collect()
        }
    }
}

#[test]
fn what_goes_through_the_bootloader_comes_after_a_step_that_brings_the_board_there() {
    const FLASH: &str = "flash: { image: lantern-heal-full, through: dfu }";
    const SAVE: &str = "keys: { save: a, through: dfu }";
    const ENTER: &str = "enter: dfu";
    let lantern = |steps: &[&str]| out_of_reach("lantern-nrf52840", steps);
    assert_eq!(lantern(&[FLASH]), [1]);
    assert_eq!(lantern(&[SAVE, "corrupt: { slot: server_public, class: blank, through: dfu }"]), [1, 2]);
    assert_eq!(lantern(&[ENTER, SAVE, SAVE, FLASH]), [0; 0]);
    // It starts what was written.
    assert_eq!(lantern(&[ENTER, FLASH, SAVE]), [3]);
    let struck =
        "on: { flash: { image: lantern-heal-full, through: dfu }, at: 40% }\n    fault: { power_cut: { hold: 1s } }";
    assert_eq!(lantern(&[struck]), [1]);
    assert_eq!(lantern(&[ENTER, struck, FLASH]), [4]);
    for out in [
        "reset: pin",
        "supply: off",
        "enter: { mode: safe, by: request }",
        "expect: { usb: normal, within: 5s }",
        "press: { button: mode, for: 1500ms, through: reset }",
        "flash: lantern-heal-full",
        "fault: { power_cut: { hold: 1s } }",
        "fault: { brown_out: { rail: 3V3, floor: 1V, fall: 50us/V, hold: 1s } }",
        "corrupt: { slot: server_public, class: blank }",
        "keys: { server: genuine }",
    ] {
        assert_eq!(lantern(&[ENTER, out, FLASH]), [3], "{out}");
    }
    for stays in [
        "supply: { usb: 5V }",
        "wait: 1s",
        "cloud: silent",
        "press: { button: mode, for: 100ms }",
        "keys: { save: b }",
        "fault: { load_step: { current: 100mA, hold: 1s } }",
        "expect: { console: any, within: 1s }",
    ] {
        assert_eq!(lantern(&[ENTER, stays, FLASH]), [0; 0], "{stays}");
    }
    for enters in [
        "enter: { mode: dfu, by: baud }",
        "expect: { usb: dfu, within: 5s }",
        "press: { button: mode, for: 4s, through: reset }",
    ] {
        assert_eq!(lantern(&[enters, FLASH]), [0; 0], "{enters}");
    }
    // Wherever nothing else is said, a Photon's slots are read through its bootloader.
    assert_eq!(out_of_reach("photon", &["expect: { slot: server_public, is: old }"]), [1]);
    assert_eq!(out_of_reach("photon", &[ENTER, "expect: { slot: server_public, is: old }"]), [0; 0]);
    assert_eq!(out_of_reach("photon", &["supply: { usb: 5V }\ncleanup:\n  - keys: { server: genuine }"]), [0; 0]);
}

#[test]
fn a_round_that_leaves_the_bootloader_does_not_begin_in_it() {
    let steps = concat!(
        "  - enter: dfu\n",
        "  - repeat: { times: 3, steps: [{ flash: { image: lantern-heal-full, through: dfu } }] }\n"
    );
    let found = mistakes(with_steps(steps).replace("lantern-nrf51\n", "lantern-nrf52840\n"));
    assert_eq!(found.mistakes().len(), 1, "{}", found.render(110));
    insta::assert_snapshot!(found.render(110));
}

#[test]
fn keys_that_are_saved_anew_may_be_written_back_again() {
    let steps =
        "  - keys: { save: a }\n  - keys: { doctor: new_identity }\n  - keys: { save: a }\n  - keys: { load: a }\n";
    assert_eq!(read(&with_steps(steps)).cells[0].steps.len(), 4);
    let steps = "  - keys: { save: a }\n  - keys: { doctor: new_identity }\ncleanup:\n  - keys: { load: a }\n";
    assert_eq!(read(&with_steps(steps)).cells[0].cleanup.len(), 1, "nobody knows whether the doctor had been");
}

#[test]
fn a_board_can_be_left_as_it_was_found() {
    let plan = read(&MINIMAL.replace("lantern-no-heal", "as_found").replace("lantern-nrf51", "photon")).cells.remove(0);
    assert!(plan.firmware.is_as_found());
    let told = brickproof_scenario::explain(&plan);
    assert!(
        told.contains("a photon (STM32F205RG) that is left with the firmware and the keys that are on it;"),
        "{told}"
    );
    let slip = mistakes(MINIMAL.replace("lantern-no-heal", "as_foud"));
    assert_eq!(slip.mistakes().iter().map(ToString::to_string).collect::<Vec<_>>(), ["unknown firmware `as_foud`"]);
}
