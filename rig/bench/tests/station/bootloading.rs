//! Releases and keys that come to a board through its own bootloader in the course of a trial.
//!
//! Boundary: the order of it, what is told and what is left, over a board whose machine code and flash are real. The driver of such bootloaders
//! and a kernel's USB are the lane's.

use brickproof_bench::driver::Outcome;
use brickproof_bench::file::{Driver, StationKeys};
use brickproof_bench::fitness::unfit;
use brickproof_firmware::{Firmware, PUBLISHED};
use brickproof_instruments::{Kind, Settings};
use brickproof_keys::lantern_layout::{Area, Chip};
use brickproof_keys::{Slot, SlotContent};
use brickproof_scenario::plan::Plan;
use brickproof_trial::{FaultRecord, Happening};

use crate::model::{How, When};
use crate::passing::everything_was_answered;
use crate::rig::{Rig, plan, verdict};

const OLD: &str = "lantern-no-heal";
const NEW: &str = "lantern-heal-full";

fn trial(release: &str, steps: &str) -> Plan {
    plan(&format!(
        "scenario: A trial on the model\nboard: lantern-nrf52840\nfirmware: lantern-{release}\nsteps:\n{steps}"
    ))
}

fn image(name: &str) -> Vec<u8> {
    Firmware::shipped(name).expect("it is shipped").image().to_vec()
}

fn passed(outcome: &Outcome) {
    assert_eq!(verdict(outcome), "passed: ", "{:?}", outcome.trial.verdict());
    everything_was_answered(outcome);
}

const FED: &str = "  - supply: { usb: 5V }\n  - expect: { console: Cloud connected, within: 30s }\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_board_goes_to_another_release_and_back_through_its_bootloader() {
    let there = format!(
        "{FED}  - enter: {{ mode: dfu, by: request }}
  - flash: {{ image: lantern-heal-full, through: dfu }}
  - expect: {{ console: '/lantern \\S+ heal-full/', within: 5s }}
  - expect: {{ usb: normal, within: 5s }}
  - expect: {{ firmware: [lantern-no-heal, lantern-heal-full] }}
  - expect: {{ console: Cloud connected, within: 30s }}
  - expect: {{ identity: unchanged }}
"
    );
    let back = "  - enter: { mode: dfu, by: buttons }
  - flash: { image: lantern-no-heal, through: dfu }
  - expect: { console: '/lantern \\S+ no-heal/', within: 5s }
  - expect: { firmware: lantern-no-heal }
  - expect: { console: Cloud connected, within: 30s }
  - expect: { identity: unchanged }
";
    for (steps, left) in [(there.clone(), NEW), (format!("{there}{back}"), OLD)] {
        let rig = Rig::on_usb();
        let outcome = rig.run(trial("no-heal", &steps)).await;
        passed(&outcome);
        assert!(rig.model.is_safe());
        let image = image(left);
        assert!(rig.model.flash(0, image.len()) == image, "it is not {left}");
        let told: Vec<_> = outcome
            .trial
            .timeline()
            .events
            .iter()
            .filter_map(|event| match event.what {
                Happening::Progress { progress, .. } => Some(progress),
                _ => None,
            })
            .collect();
        let pages = self::image(NEW).len().div_ceil(4096);
        assert!(told.len() > pages && told[0].done == 0 && told[0].uncertainty == 4096, "{told:?}");
        assert_eq!((told[pages].done, told[pages].uncertainty), (told[0].total, 0), "{told:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_cut_tears_in_the_bootloader_is_written_again_without_a_probe() {
    let rig = Rig::on_usb();
    let steps = format!(
        "{FED}  - enter: {{ mode: dfu, by: request }}
  - on: {{ flash: {{ image: lantern-heal-full, through: dfu }}, at: 40% }}
    fault: {{ power_cut: {{ after: 2ms, hold: 300ms }} }}
  - never: {{ console: Cloud connected, for: 3s }}
  - expect: {{ firmware: torn }}
  - enter: {{ mode: dfu, by: buttons }}
  - flash: {{ image: lantern-heal-full, through: dfu }}
  - expect: {{ firmware: lantern-heal-full }}
  - expect: {{ console: Cloud connected, within: 30s }}
  - expect: {{ identity: unchanged }}
"
    );
    let outcome = rig.run(trial("no-heal", &steps)).await;
    passed(&outcome);
    let [FaultRecord { progress: Some((_, triggered)), .. }] = outcome.trial.faults() else {
        panic!("one fault: {:?}", outcome.trial.faults());
    };
    let asked = triggered.total * 4 / 10;
    assert!(triggered.done <= asked && asked < triggered.done + triggered.uncertainty, "{triggered:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_damaged_written_back_and_renewed_through_the_bootloader_of_a_board_with_areas() {
    let rig = Rig::on_usb();
    let steps = format!(
        "{FED}  - enter: {{ mode: dfu, by: request }}
  - keys: {{ save: found, through: dfu }}
  - corrupt: {{ slot: device_private, class: torn_tail, through: dfu }}
  - expect: {{ slot: device_private, is: torn, within: 5s }}
  - enter: {{ mode: dfu, by: buttons }}
  - keys: {{ load: found, through: dfu }}
  - keys: {{ verify: found, through: dfu }}
  - keys: {{ doctor: new_identity, through: dfu }}
  - reset: pin
  - expect: {{ identity: renewed, within: 30s }}
"
    );
    passed(&rig.run(trial("no-heal", &steps)).await);
    let at = Area::A.address(Chip::Nrf52840) + Slot::DevicePrivate.dct_offset();
    let there =
        SlotContent::new(Slot::DevicePrivate, &rig.model.flash(at, Slot::DevicePrivate.size())).expect("it fits");
    assert_ne!(there, PUBLISHED.device_old);
    let server = Area::A.address(Chip::Nrf52840) + Slot::ServerPublic.dct_offset();
    assert!(
        rig.model.flash(server, Slot::ServerPublic.size()) == PUBLISHED.server.expose(),
        "its neighbour is as it was"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bootloader_that_is_lost_in_the_middle_is_the_benchs_failure_and_the_station_is_left_safe() {
    let rig = Rig::on_usb();
    rig.model.fails(Kind::Dfu, How::Gone, When::Asked("write 4096 bytes at 0x00003000"));
    let steps = "  - supply: { usb: 5V }
  - enter: { mode: dfu, by: buttons }
  - flash: { image: lantern-heal-full, through: dfu }
";
    let outcome = rig.run(trial("no-heal", steps)).await;
    assert_eq!(
        verdict(&outcome),
        "error, blame: bench: the model's dfu failed to write 4096 bytes at 0x00003000: gone: it was unplugged"
    );
    let (new, old) = (image(NEW), image(OLD));
    assert!(rig.model.flash(0, 0x3000) == new[..0x3000] && rig.model.flash(0x3000, 0x1000) == old[0x3000..0x4000]);
    assert!(rig.model.is_safe());
    everything_was_answered(&outcome);
}

#[test]
fn what_a_station_lacks_for_it_is_known_before_anything_is_driven() {
    let mut rig = Rig::on_usb();
    let plan = trial(
        "no-heal",
        "  - expect: { usb: dfu, within: 5s }
  - flash: { image: lantern-heal-full, through: dfu }
  - expect: { usb: dfu, within: 5s }
  - on: { flash: { image: lantern-no-heal, through: dfu }, at: 40% }
    fault: { power_cut: { hold: 300ms } }
  - expect: { usb: dfu, within: 5s }
  - keys: { server: genuine, through: dfu }
",
    );
    assert_eq!(unfit(&plan, &rig.file), []);
    rig.file.keys = StationKeys::default();
    let told = |rig: &Rig| unfit(&plan, &rig.file).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    if let Some(Driver::Real(_, settings)) = rig.file.instruments.get_mut(&Kind::Dfu) {
        *settings = Settings::new();
    }
    let nameless = told(&rig);
    rig.file.instruments.remove(&Kind::Dfu);
    insta::assert_snapshot!(format!("{nameless}\n---\n{}", told(&rig)));
}
