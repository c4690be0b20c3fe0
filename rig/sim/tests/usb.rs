//! lantern on USB, and memory written through its bootloader: its machine code decides when it is on the bus and what comes of a request; its bootloader's memory is the board's flash.

use std::sync::Arc;

use brickproof_boards::Shelf;
use brickproof_firmware::Firmware;
use brickproof_scenario::plan::{StepAction, SupplySetting};
use brickproof_sim::{World, WorldConfig, factory_board};
use brickproof_trial::{Achieved, Action, ActionId, Command, CommandError, Download, Observation};
use brickproof_units::{Resistance, Span, Voltage};
use brickproof_virtual_board::board::{Board, Pause};
use brickproof_virtual_board::chip::{Level, Pin};
use brickproof_virtual_board::supply::Source;
use brickproof_virtual_board::usb::{Setup, UsbAnswer, UsbDevice};

const MODE: Pin = Pin::p0(11);

fn image(name: &str) -> Firmware {
    Firmware::shipped(name).expect("it is shipped")
}

fn port() -> Source {
    Source::Usb { voltage: Voltage::new(5_000_000), cable: Resistance::new(200_000) }
}

/// A board that has been fed for two seconds.
fn running(name: &str) -> Board {
    let shelf = Shelf::shipped();
    let profile = shelf.board(name).expect("it is shipped");
    let (mut board, _) = factory_board(profile, &image("lantern-heal-full"), 1).expect("it fits");
    board.connect(port());
    live(&mut board, Span::secs(2));
    board
}

fn live(board: &mut Board, span: Span) {
    let end = board.now() + span;
    while board.run_until(end) != Pause::Reached {}
}

fn ask(board: &mut Board, setup: Setup, data: &[u8]) -> Option<UsbAnswer> {
    board.usb_control(setup, data).expect("it is on the bus");
    live(board, Span::millis(100));
    board.take_usb_answer()
}

fn request(index: u16) -> Setup {
    Setup { kind: 0x40, request: 0x50, value: 0, index, length: 0 }
}

fn touch(board: &mut Board, baud: u32) -> Option<UsbAnswer> {
    let mut coding = baud.to_le_bytes().to_vec();
    coding.extend([0, 0, 8]);
    ask(board, Setup { kind: 0x21, request: 0x20, value: 0, index: 0, length: 7 }, &coding)
}

fn mode(board: &mut Board) -> Option<UsbAnswer> {
    ask(board, Setup { kind: 0xC0, request: 0x50, value: 0, index: 72, length: 1 }, &[])
}

fn accepted() -> Option<UsbAnswer> {
    Some(UsbAnswer::Accepted(Vec::new()))
}

#[test]
fn it_is_on_the_bus_while_its_firmware_runs_and_a_port_feeds_it() {
    let mut board = running("lantern-nrf52840");
    assert_eq!(board.usb(), Some(UsbDevice::Normal));
    board.press_reset();
    assert_eq!(board.usb(), None);
    board.release_reset();
    live(&mut board, Span::secs(2));
    assert_eq!(board.usb(), Some(UsbDevice::Normal));
    board.connect(Source::Bench {
        voltage: Voltage::new(5_000_000),
        current_limit: brickproof_units::Current::new(500_000),
    });
    assert_eq!(board.usb(), None, "a laboratory supply is no bus");
    board.connect(port());
    live(&mut board, Span::millis(200));
    assert_eq!(board.usb(), Some(UsbDevice::Normal), "the firmware sees the bus come back");
    board.connect(Source::None);
    assert_eq!(board.usb(), None);
    let edges: Vec<_> = board.drain_usb_edges().map(|edge| edge.device.is_some()).collect();
    assert_eq!(edges, [true, false, true, false, true, false]);
}

#[test]
fn an_nrf51_is_on_no_bus() {
    let mut board = running("lantern-nrf51");
    assert_eq!(board.usb(), None);
    assert!(board.usb_control(request(50), &[]).is_err());
}

#[test]
fn the_machine_code_grants_the_very_rates_and_requests_and_no_others() {
    for (baud, becomes) in [(14_400, Some(UsbDevice::Dfu)), (14_399, None), (14_401, None), (115_200, None)] {
        let mut board = running("lantern-nrf52840");
        let boots = board.boots();
        assert_eq!(touch(&mut board, baud), accepted(), "{baud}");
        live(&mut board, Span::secs(1));
        assert_eq!(board.usb(), becomes.or(Some(UsbDevice::Normal)), "{baud}");
        assert_eq!(board.boots() - boots, u64::from(becomes.is_some()), "{baud}");
    }
    let mut board = running("lantern-nrf52840");
    assert_eq!(mode(&mut board), Some(UsbAnswer::Accepted(vec![0])));
    assert_eq!(touch(&mut board, 28_800), accepted());
    assert_eq!(mode(&mut board), Some(UsbAnswer::Accepted(vec![3])), "listening");
    assert_eq!(ask(&mut board, request(71), &[]), accepted());
    assert_eq!(mode(&mut board), Some(UsbAnswer::Accepted(vec![0])));
    assert_eq!(ask(&mut board, request(41), &[]), Some(UsbAnswer::Refused), "it keeps no factory image");
    assert_eq!(ask(&mut board, request(51), &[]), Some(UsbAnswer::Refused));
}

#[test]
fn a_download_that_is_cut_leaves_torn_flash_and_a_bootloader_that_can_be_reached_with_the_button() {
    let mut board = running("lantern-nrf52840");
    touch(&mut board, 14_400);
    live(&mut board, Span::secs(1));
    assert_eq!(board.usb(), Some(UsbDevice::Dfu));
    board.bootloader_erase(0).unwrap();
    live(&mut board, Span::millis(200));
    assert!(!board.is_bootloader_busy());
    board.bootloader_program(0, &[0; 4096]).unwrap();
    live(&mut board, Span::millis(10));
    assert!(board.is_bootloader_busy());
    board.connect(Source::None);
    live(&mut board, Span::secs(20));
    let mut page = [0xAA; 4096];
    board.flash().read_raw(0, &mut page).unwrap();
    assert_eq!((page[0], page[4095]), (0, 0xFF), "begun and not ended");

    board.connect(port());
    live(&mut board, Span::secs(2));
    assert_eq!(board.usb(), None, "what is torn does not run");
    board.set_pin(MODE, Level::Low);
    board.press_reset();
    live(&mut board, Span::millis(100));
    board.release_reset();
    live(&mut board, Span::millis(4_500));
    board.set_pin(MODE, Level::Floating);
    live(&mut board, Span::secs(1));
    assert_eq!(board.usb(), Some(UsbDevice::Dfu));

    let whole = image("lantern-heal-full");
    for (address, bytes) in (0..).step_by(4096).zip(whole.image().chunks(4096)) {
        board.bootloader_erase(address).unwrap();
        board.bootloader_program(address, bytes).unwrap();
        live(&mut board, Span::millis(200));
        assert!(!board.is_bootloader_busy());
    }
    board.leave_bootloader().unwrap();
    live(&mut board, Span::secs(2));
    assert_eq!(board.usb(), Some(UsbDevice::Normal));
    assert!(board.bootloader_erase(0).is_err(), "only the bootloader writes");
}

/// Has a world live until it has answered; what was told of progress, and the answer.
fn carried_out(world: &mut World, id: u32, command: Command) -> (Vec<u32>, Result<Achieved, CommandError>) {
    world.carry_out(Action { id: ActionId(id), command });
    let (mut progress, mut answer) = (Vec::new(), None);
    while answer.is_none() {
        world.run_until(world.now() + Span::millis(5));
        world.deliver(|_, observation| match observation {
            Observation::Progress { progress: it, .. } => progress.push(it.done),
            Observation::Answered { id: it, result } if it == ActionId(id) => answer = Some(result),
            _ => {}
        });
    }
    (progress, answer.expect("it answered"))
}

fn in_dfu() -> World {
    let text = "scenario: T\nboard: lantern-nrf52840\nfirmware: lantern-heal-full\nsteps:\n  - enter: { mode: dfu, by: request }\n";
    let plan = brickproof_scenario::load("t.yaml", text, &brickproof_scenario::Library::built_in());
    let plan = plan.ok().and_then(|mut it| it.cells.pop()).expect("it is a scenario");
    let mut world = World::new(&plan, &image("lantern-heal-full"), WorldConfig::new(1));
    let usb = SupplySetting::Usb { voltage: Voltage::new(5_000_000) };
    assert!(carried_out(&mut world, 0, Command::Supply(usb)).1.is_ok());
    let StepAction::Enter(entry) = &plan.steps[0].action else { panic!("it enters") };
    assert!(carried_out(&mut world, 1, Command::Enter(Arc::new(entry.clone()))).1.is_ok());
    while world.board().usb() != Some(UsbDevice::Dfu) {
        world.run_until(world.now() + Span::millis(5));
        world.deliver(|_, _| {});
    }
    carried_out(&mut world, 2, Command::Supply(usb)).1.expect("nothing changes");
    for _ in 0..100 {
        world.run_until(world.now() + Span::millis(5));
        world.deliver(|_, _| {});
    }
    world
}

#[test]
fn a_download_tells_how_far_it_is_spares_its_neighbours_and_is_read_back() {
    let mut world = in_dfu();
    let bytes: Arc<[u8]> = (0..10_000u32).map(|at| at as u8 ^ 0x5A).collect();
    let mut before = vec![0; 0x4000];
    world.board().flash().read_raw(0x4_0000, &mut before).expect("it is flash");
    world.board_mut().write_flash(0x4_0000, &[0x11; 0x4000]).expect("it is flash");
    let download = Download { alternate: 0, address: 0x4_0123, bytes: Arc::clone(&bytes) };
    let (progress, result) = carried_out(&mut world, 3, Command::Download(Arc::new(download)));
    assert_eq!(result, Ok(Achieved::Done));
    assert!(progress.is_sorted() && progress.last() == Some(&10_000) && progress.len() >= 10, "{progress:?}");
    let mut after = vec![0; 0x4000];
    world.board().flash().read_raw(0x4_0000, &mut after).expect("it is flash");
    assert_eq!(&after[0x123..0x123 + 10_000], &bytes[..]);
    assert!(after[..0x123].iter().chain(&after[0x123 + 10_000..]).all(|byte| *byte == 0x11));
    assert_eq!(carried_out(&mut world, 4, Command::LeaveDfu).1, Ok(Achieved::Done));
    let download = Download { alternate: 0, address: 0x4_0123, bytes };
    assert!(carried_out(&mut world, 5, Command::Download(Arc::new(download))).1.is_err(), "only the bootloader writes");
}

#[test]
fn a_download_whose_power_fails_is_cut_short_where_it_was() {
    let mut world = in_dfu();
    let download = Download { alternate: 0, address: 0, bytes: vec![0x5A; 40_000].into() };
    world.carry_out(Action { id: ActionId(3), command: Command::Download(Arc::new(download)) });
    let (mut answer, mut cut) = (None, false);
    while answer.is_none() {
        world.run_until(world.now() + Span::millis(5));
        let mut reached = 0;
        world.deliver(|_, observation| match observation {
            Observation::Progress { progress, .. } => reached = progress.done,
            Observation::Answered { id: ActionId(3), result } => answer = Some(result),
            _ => {}
        });
        if reached >= 16_000 && !cut {
            cut = true;
            world.carry_out(Action { id: ActionId(4), command: Command::Supply(SupplySetting::Off) });
        }
    }
    let Some(Ok(Achieved::CutShort { done, of: 40_000, .. })) = answer else { panic!("{answer:?}") };
    assert!((16_000..20_000).contains(&done), "{done}");
}
