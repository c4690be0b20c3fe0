//! The driver on probe-rs itself, with a probe of the test's below it.

use super::chip::{Bench, RAM};
use super::*;

const SOON: Span = Span::secs(60);

fn soon() -> Deadline {
    Deadline::after(SOON)
}

fn attached(bench: &Bench) -> Attached<Bench> {
    Attached {
        device: "probe test".to_owned(),
        plug: bench.clone(),
        attach: Attach::Running,
        session: None,
        held: None,
        reset: Reset::Not,
    }
}

#[test]
fn memory_is_read_at_any_address_and_length() {
    let bench = Bench::new();
    let flash = bench.chip().flash.clone();
    let mut probe = attached(&bench);
    for (address, length) in [(0, 4), (1, 7), (0x3FFFE, 2), (0x1001, 10_000)] {
        let read = probe.read(Region { address, length }, soon()).unwrap();
        assert!(read == flash[address as usize..][..length as usize], "{length} bytes at {address:#x} differ");
    }
    assert_eq!(bench.chip().attaches, 1, "a session is kept");
}

#[test]
fn programming_changes_what_was_asked_and_nothing_beside_it() {
    let bench = Bench::new();
    let mut expected = bench.chip().flash.clone();
    let bytes: Vec<u8> = (0..3000u32).map(|n| (n * 7) as u8).collect();
    expected[0x2_0123..][..bytes.len()].copy_from_slice(&bytes);
    attached(&bench).program(0x2_0123, &bytes, soon()).unwrap();
    let chip = bench.chip();
    assert!(chip.flash == expected, "the flash differs");
    assert_eq!(chip.erased, [0x2_0000, 0x2_0400, 0x2_0800, 0x2_0C00]);
}

#[test]
fn attaching_under_reset_ends_with_the_same_session() {
    let bench = Bench::new();
    let mut probe = Attached { attach: Attach::UnderReset, ..attached(&bench) };
    let flash = bench.chip().flash.clone();
    assert_eq!(probe.read(Region { address: 8, length: 8 }, soon()).unwrap(), flash[8..16]);
    assert!(bench.chip().resets > 0, "RESET was never released");
    assert!(!bench.chip().halted, "looking at it stopped it");
}

#[test]
fn a_reset_lets_the_core_run_even_after_programming() {
    let bench = Bench::new();
    let mut probe = attached(&bench);
    probe.program(0x2_0000, &[0; 64], soon()).unwrap();
    let before = bench.chip().resets;
    probe.reset(soon()).unwrap();
    assert_eq!(bench.chip().resets, before + 1);
    assert!(!bench.chip().halted, "it was reset and stays halted");
}

#[test]
fn a_cell_that_does_not_take_is_found() {
    let bench = Bench::new();
    bench.chip().worn = Some(0x2_0010);
    let failure = attached(&bench).program(0x2_0000, &[0; 64], soon()).unwrap_err();
    insta::assert_snapshot!(failure, @"probe test failed to program 64 bytes at 0x00020000: read back differently: probe-rs found other bytes than it wrote");
    assert!(matches!(failure.kind(), FailureKind::ReadBack(_)));
}

#[test]
fn a_session_that_outlived_the_boards_power_is_replaced() {
    let bench = Bench::new();
    let mut probe = attached(&bench);
    let id = Region { address: RAM, length: 8 };
    probe.read(id, soon()).unwrap();
    bench.chip().power_cycle();
    probe.read(id, soon()).unwrap();
    assert_eq!(bench.chip().attaches, 2);
}

#[test]
fn what_goes_wrong_is_named_down_to_its_cause() {
    let bench = Bench::new();
    let region = Region { address: 0, length: 4 };
    let nowhere = attached(&bench).read(Region { address: 0x3000_0000, length: 4 }, soon()).unwrap_err();
    let no_flash = attached(&bench).program(0x1000_0000, &[0; 4], soon()).unwrap_err();
    bench.chip().powered = false;
    let dark = attached(&bench).read(region, soon()).unwrap_err();
    bench.chip().powered = true;
    let mut probe = attached(&bench);
    probe.read(region, soon()).unwrap();
    bench.chip().plugged = false;
    let unplugged = probe.read(region, soon()).unwrap_err();
    insta::assert_snapshot!([nowhere, no_flash, dark, unplugged].map(|failure| failure.to_string()).join("\n"), @r"
    probe test failed to read 4 bytes at 0x30000000: unexpected answer: An ARM specific error occurred: Error using access port FullyQualifiedApAddress { dp: Default, ap: V1(0) }: Failed to read register DRW at address 0xd0c: An error occurred in the communication with an access port or debug port: Target device responded with a FAULT response to the request
    probe test failed to program 4 bytes at 0x10000000: unsupported: No flash memory contains the entire requested memory range 0x10000000..0x10000004
    probe test failed to read 4 bytes at 0x00000000: unexpected answer: An ARM specific error occurred: No target responded to the debug port. Check that the target is connected and powered, and that the SWD/JTAG wiring is correct: An error occurred in the communication with an access port or debug port: Target device did not respond to request
    probe test failed to read 4 bytes at 0x00000000: gone: An ARM specific error occurred: The debug probe encountered an error: transfer was cancelled
    ");
}

#[test]
fn a_deadline_that_has_passed_is_no_answer() {
    let bench = Bench::new();
    let failure = attached(&bench).read(Region { address: 0, length: 4 }, Deadline::after(Span::ZERO)).unwrap_err();
    assert!(matches!(failure.kind(), FailureKind::NoAnswer(_)), "{failure}");
    assert_eq!(bench.chip().attaches, 0);
}

#[test]
fn a_probe_that_is_not_plugged_in_is_missing() {
    for serial in [None, Some("brickproof-none")] {
        let text = |word: &str| crate::settings::Value::Text(word.to_owned());
        let mut settings = Settings::new().with("usb", text("1209:0001")).with("chip", text("nRF51822_xxAA"));
        if let Some(serial) = serial {
            settings = settings.with("serial", text(serial));
        }
        let failure = ProbeRsFactory.open(&settings, soon()).err().expect("there is no such probe");
        assert!(matches!(failure.kind(), FailureKind::Missing(_)), "{serial:?}: {failure}");
    }
}
