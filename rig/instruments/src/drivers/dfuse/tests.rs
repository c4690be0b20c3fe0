//! The client against a bootloader that knows nothing of it.

use super::bootloader::{FLASH, Manner, Plug};
use super::*;

const SOON: Span = Span::secs(10);

/// Where Device OS has the device's private key in the store behind alternate 1, and how long it is there.
const KEY: Region = Region { address: 34, length: 612 };

fn dfu(plug: &Plug) -> Dfuse<Plug> {
    Dfuse { device: "dfu 2b04:d006".to_owned(), bus: plug.clone(), application: Some(0x080A_0000) }
}

fn soon() -> Deadline {
    Deadline::after(SOON)
}

#[test]
fn a_key_is_read_as_dfu_util_does() {
    let plug = Plug::new(Manner::Good);
    let key = dfu(&plug).upload(1, KEY, soon()).unwrap();
    assert_eq!(key, plug.0.lock().unwrap().store[34..34 + 612]);
}

#[test]
fn a_key_is_written_as_dfu_util_does_and_nothing_beside_it_changes() {
    let plug = Plug::new(Manner::Good);
    let mut expected = plug.0.lock().unwrap().store.clone();
    expected[34..34 + 612].fill(0xAB);
    dfu(&plug).download(1, 34, &[0xAB; 612], soon()).unwrap();
    let device = plug.0.lock().unwrap();
    assert!(device.store == expected, "the store differs");
    assert_eq!(device.log, ["erase 0x0", "write 0x22+612"]);
}

#[test]
fn what_an_erase_takes_beside_the_bytes_is_put_back() {
    let plug = Plug::new(Manner::Good);
    let mut expected = plug.0.lock().unwrap().flash.clone();
    let bytes: Vec<u8> = (0..100_000u32).map(|n| ((n * 31) >> 4) as u8).collect();
    // From the middle of a sector of 64 KiB to the middle of one of 128 KiB.
    expected[0x1_8000..0x1_8000 + bytes.len()].copy_from_slice(&bytes);
    dfu(&plug).download(0, FLASH + 0x1_8000, &bytes, soon()).unwrap();
    let device = plug.0.lock().unwrap();
    assert!(device.flash == expected, "the flash differs");
    let erased: Vec<_> = device.log.iter().filter(|did| did.starts_with("erase")).collect();
    assert_eq!(erased, ["erase 0x8010000", "erase 0x8020000"]);
}

#[test]
fn a_whole_sector_is_written_without_being_read_first() {
    let plug = Plug::new(Manner::Good);
    dfu(&plug).download(0, FLASH + 0xC000, &[0x5A; 0x4000], soon()).unwrap();
    let device = plug.0.lock().unwrap();
    assert_eq!(device.flash[0xC000..0x1_0000], [0x5A; 0x4000]);
    assert_eq!(device.log[0], "erase 0x800c000");
    assert_eq!(device.log.len(), 1 + 4, "{:?}", device.log);
}

#[test]
fn leaving_names_the_application_and_ends_when_the_device_is_gone() {
    for manner in [Manner::Good, Manner::WaitsForReset] {
        let plug = Plug::new(manner);
        dfu(&plug).leave(soon()).unwrap();
        assert!(!dfu(&plug).is_there(soon()).unwrap(), "{manner:?}");
        assert_eq!(plug.0.lock().unwrap().log[0], "leave to 0x80a0000");
    }
}

#[test]
fn whatever_an_earlier_client_left_is_got_over() {
    // dfuIDLE, dfuDNLOAD-IDLE, dfuUPLOAD-IDLE, dfuERROR.
    for (state, status) in [(2, 0), (5, 0), (9, 0), (10, 8)] {
        let plug = Plug::new(Manner::Good);
        {
            let mut device = plug.0.lock().unwrap();
            (device.state, device.status) = (state, status);
        }
        assert_eq!(dfu(&plug).upload(1, KEY, soon()).unwrap().len(), 612, "from state {state}");
    }
}

#[test]
fn a_refusal_is_told_in_the_words_of_the_specification_and_the_next_request_works() {
    let plug = Plug::new(Manner::Refuses(6));
    let failure = dfu(&plug).download(1, 34, &[1; 4], soon()).unwrap_err();
    insta::assert_snapshot!(failure, @"dfu 2b04:d006 failed to write 4 bytes at 0x00000022 of alternate setting 1: unexpected answer: errPROG: memory was written wrongly, in dfuERROR");
    assert_eq!(dfu(&plug).upload(1, KEY, soon()).unwrap().len(), 612);
}

#[test]
fn what_cannot_be_done_is_refused_before_anything_is_erased() {
    let plug = Plug::new(Manner::Good);
    let said = [
        dfu(&plug).download(0, FLASH, &[0; 16], soon()).unwrap_err(),
        dfu(&plug).download(1, 0x3FFF, &[0; 2], soon()).unwrap_err(),
        dfu(&plug).upload(0, Region { address: 0, length: 4 }, soon()).unwrap_err(),
        dfu(&plug).upload(3, KEY, soon()).unwrap_err(),
    ];
    let said: Vec<String> = said.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    dfu 2b04:d006 failed to write 16 bytes at 0x08000000 of alternate setting 0: unsupported: sector 0x08000000 cannot be written
    dfu 2b04:d006 failed to write 2 bytes at 0x00003fff of alternate setting 1: unsupported: 2 bytes at 0x00003fff are not inside of the memory that this alternate setting has
    dfu 2b04:d006 failed to read 4 bytes at 0x00000000 of alternate setting 0: unsupported: 4 bytes at 0x00000000 are not inside of the memory that this alternate setting has
    dfu 2b04:d006 failed to read 612 bytes at 0x00000022 of alternate setting 3: unsupported: no alternate setting 3; there are 0, 1
    ");
    assert_eq!(plug.0.lock().unwrap().log, [""; 0]);
}

#[test]
fn a_bit_that_was_not_written_is_found() {
    let plug = Plug::new(Manner::ForgetsABit);
    let failure = dfu(&plug).download(1, 34, &[0xAB; 612], soon()).unwrap_err();
    insta::assert_snapshot!(failure, @"dfu 2b04:d006 failed to write 612 bytes at 0x00000022 of alternate setting 1: read back differently: 0x2b at 0x00000022, where 0xab was written");
}

#[test]
fn a_device_that_never_gets_further_ends_with_the_deadline() {
    let few = || Deadline::after(Span::millis(100));
    for manner in [Manner::StuckBusy, Manner::StuckInManifest] {
        let plug = Plug::new(manner);
        let failure = match manner {
            Manner::StuckBusy => dfu(&plug).download(1, 34, &[1; 4], few()).unwrap_err(),
            _ => dfu(&plug).leave(few()).unwrap_err(),
        };
        assert!(matches!(failure.kind(), FailureKind::NoAnswer(_)), "{manner:?}: {failure}");
        assert!(!plug.0.lock().unwrap().log.iter().any(|did| did == "asked too early"));
    }
}

#[test]
fn an_error_that_cannot_be_cleared_is_named_at_the_deadline() {
    let plug = Plug::new(Manner::StuckInError);
    {
        let mut device = plug.0.lock().unwrap();
        (device.state, device.status) = (10, 10);
    }
    let failure = dfu(&plug).upload(1, KEY, Deadline::after(Span::millis(30))).unwrap_err();
    insta::assert_snapshot!(failure, @"dfu 2b04:d006 failed to read 612 bytes at 0x00000022 of alternate setting 1: unexpected answer: it does not get over errFIRMWARE: the firmware is corrupt, in dfuERROR");
}

#[test]
fn a_device_that_stays_or_gives_less_is_not_believed() {
    let stays = dfu(&Plug::new(Manner::Stays)).leave(soon()).unwrap_err();
    let less = dfu(&Plug::new(Manner::GivesLess)).upload(1, KEY, soon()).unwrap_err();
    insta::assert_snapshot!(format!("{stays}\n{less}"), @r"
    dfu 2b04:d006 failed to leave its bootloader: unexpected answer: it stays in its bootloader, in dfuIDLE
    dfu 2b04:d006 failed to read 612 bytes at 0x00000022 of alternate setting 1: unexpected answer: 306 bytes at 0x00000022 instead of 612
    ");
}

#[test]
fn a_device_unplugged_at_any_transfer_is_gone_and_nothing_worse() {
    let mut after = 0;
    loop {
        let plug = Plug::new(Manner::UnpluggedAfter(after));
        match dfu(&plug).download(1, 34, &[0xAB; 612], soon()) {
            Ok(()) => break,
            Err(failure) => assert!(matches!(failure.kind(), FailureKind::Gone(_)), "after {after}: {failure}"),
        }
        after += 1;
    }
    assert!(after > 20, "only {after} transfers");
}

#[test]
fn a_replacement_that_is_cut_short_says_what_may_be_lost() {
    // Early in the reading that comes before the erase, late in the writing that comes after it, and in the second of two sectors.
    let failures = [(10, 0xC100, 4), (60, 0xC100, 4), (60, 0xC000, 0x14000)].map(|(after, offset, length)| {
        let plug = Plug::new(Manner::UnpluggedAfter(after));
        dfu(&plug).download(0, FLASH + offset, &vec![0; length], soon()).unwrap_err().to_string()
    });
    insta::assert_snapshot!(failures.join("\n"), @r"
    dfu 2b04:d006 failed to write 4 bytes at 0x0800c100 of alternate setting 0: gone: No such device (it may have been disconnected); it stopped after 0 of 4 bytes, at 0x0800c100
    dfu 2b04:d006 failed to write 4 bytes at 0x0800c100 of alternate setting 0: gone: No such device (it may have been disconnected); sector 0x0800c000 may have lost what else it held; it stopped after 0 of 4 bytes, at 0x0800c100
    dfu 2b04:d006 failed to write 81920 bytes at 0x0800c000 of alternate setting 0: gone: No such device (it may have been disconnected); it stopped after 16384 of 81920 bytes, at 0x08010000
    ");
}

#[test]
fn a_name_that_describes_no_memory_is_an_answer_that_was_not_expected() {
    let plug = Plug::new(Manner::Good);
    plug.0.lock().unwrap().names[1] = "@DCT Flash".to_owned();
    let failure = dfu(&plug).upload(1, KEY, soon()).unwrap_err();
    insta::assert_snapshot!(failure, @"dfu 2b04:d006 failed to read 612 bytes at 0x00000022 of alternate setting 1: unexpected answer: `@DCT Flash` describes no memory: it has no address");
}

#[test]
fn a_computer_without_the_device_says_that_it_is_not_there_or_that_it_has_no_usb() {
    let settings = Settings::new().with("usb", crate::settings::Value::Text("2b04:d006".to_owned()));
    let Ok(Instrument::Dfu(mut dfu)) = DfuseFactory.open(&settings, soon()) else { panic!("nothing is opened yet") };
    let failure = dfu.upload(1, KEY, soon()).unwrap_err();
    assert!(matches!(failure.kind(), FailureKind::Missing(_)), "{failure}");
}
