//! lantern on USB, and its memory read and written through its bootloader: its machine code decides when it is on the bus and what comes of a request; its bootloader's memory is the board's flash.

use std::sync::Arc;

use brickproof_boards::Shelf;
use brickproof_firmware::Firmware;
use brickproof_keys::{Corruption, Slot};
use brickproof_scenario::plan::{Door, FirmwareName, KeyWork, StepAction, SupplySetting, Transfer};
use brickproof_sim::{World, WorldConfig, factory_board};
use brickproof_trial::{Achieved, Action, ActionId, Command, CommandError, Observation};
use brickproof_units::{Ratio, Resistance, Slew, Span, Voltage};
use brickproof_virtual_board::board::{Board, Pause};
use brickproof_virtual_board::chip::{Level, Pin};
use brickproof_virtual_board::supply::{BrownOut, Fault, Rail, Source};
use brickproof_virtual_board::usb::{Setup, UsbAnswer, UsbDevice};

/// A board with USB: the pin of its MODE button, where its flash begins, and where its keys are.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    button: Pin,
    flash: u32,
    keys: [u32; 2],
}

const NRF: Kind = Kind { name: "lantern-nrf52840", button: Pin::p0(11), flash: 0, keys: [0xF_E000, 0xF_F000] };
const STM32: Kind =
    Kind { name: "lantern-stm32f205", button: Pin::pc(2), flash: 0x0800_0000, keys: [0x0800_4000, 0x0800_8000] };
const KINDS: [Kind; 2] = [NRF, STM32];

impl Kind {
    fn image(self, name: &str) -> Firmware {
        Firmware::shipped_for(self.flash, name).expect("it is shipped")
    }
}

fn port() -> Source {
    Source::Usb { voltage: Voltage::new(5_000_000), cable: Resistance::new(200_000) }
}

/// A board that has been fed for two seconds.
fn running(name: &str) -> Board {
    let shelf = Shelf::shipped();
    let profile = shelf.board(name).expect("it is shipped");
    let flash = profile.flash.at.0;
    let image = Firmware::shipped_for(flash, "lantern-heal-full").expect("it is shipped");
    let (mut board, _) = factory_board(profile, &image, 1).expect("it fits");
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
    KINDS.into_iter().for_each(is_on_the_bus_while_its_firmware_runs_and_a_port_feeds_it);
}

fn is_on_the_bus_while_its_firmware_runs_and_a_port_feeds_it(Kind { name, .. }: Kind) {
    let mut board = running(name);
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
    assert_eq!(edges, [true, false, true, false, true, false], "{name}");
}

#[test]
fn an_nrf51_is_on_no_bus() {
    let mut board = running("lantern-nrf51");
    assert_eq!(board.usb(), None);
    assert!(board.usb_control(request(50), &[]).is_err());
}

#[test]
fn the_machine_code_grants_the_very_rates_and_requests_and_no_others() {
    KINDS.into_iter().for_each(grants_the_very_rates_and_requests_and_no_others);
}

fn grants_the_very_rates_and_requests_and_no_others(Kind { name, .. }: Kind) {
    for (baud, becomes) in [(14_400, Some(UsbDevice::Dfu)), (14_399, None), (14_401, None), (115_200, None)] {
        let mut board = running(name);
        let boots = board.boots();
        assert_eq!(touch(&mut board, baud), accepted(), "{name} {baud}");
        live(&mut board, Span::secs(1));
        assert_eq!(board.usb(), becomes.or(Some(UsbDevice::Normal)), "{name} {baud}");
        assert_eq!(board.boots() - boots, u64::from(becomes.is_some()), "{name} {baud}");
    }
    let mut board = running(name);
    assert_eq!(mode(&mut board), Some(UsbAnswer::Accepted(vec![0])));
    assert_eq!(touch(&mut board, 28_800), accepted());
    assert_eq!(mode(&mut board), Some(UsbAnswer::Accepted(vec![3])), "listening");
    assert_eq!(ask(&mut board, request(71), &[]), accepted());
    assert_eq!(mode(&mut board), Some(UsbAnswer::Accepted(vec![0])));
    assert_eq!(ask(&mut board, request(41), &[]), Some(UsbAnswer::Refused), "it keeps no factory image");
    assert_eq!(ask(&mut board, request(51), &[]), Some(UsbAnswer::Refused));
}

#[test]
fn a_request_that_comes_before_the_last_one_was_served_takes_its_place() {
    for Kind { name, .. } in KINDS {
        let mut board = running(name);
        board.usb_control(request(50), &[]).expect("it is on the bus");
        assert_eq!(mode(&mut board), Some(UsbAnswer::Accepted(vec![0])), "{name}");
        live(&mut board, Span::secs(1));
        assert_eq!(board.usb(), Some(UsbDevice::Normal), "{name}");
    }
}

#[test]
fn dfu_mode_ends_with_the_reset_line() {
    for Kind { name, .. } in KINDS {
        let mut board = running(name);
        touch(&mut board, 14_400);
        live(&mut board, Span::secs(1));
        assert_eq!(board.usb(), Some(UsbDevice::Dfu), "{name}");
        board.press_reset();
        board.release_reset();
        live(&mut board, Span::secs(2));
        assert_eq!(board.usb(), Some(UsbDevice::Normal), "{name}");
        assert_eq!(mode(&mut board), Some(UsbAnswer::Accepted(vec![0])), "{name}");
    }
}

#[test]
fn a_download_that_is_cut_leaves_torn_flash_and_a_bootloader_that_can_be_reached_with_the_button() {
    KINDS.into_iter().for_each(is_reached_with_the_button_after_a_download_was_cut);
}

fn is_reached_with_the_button_after_a_download_was_cut(kind: Kind) {
    let Kind { name, button, flash, .. } = kind;
    let mut board = running(name);
    touch(&mut board, 14_400);
    live(&mut board, Span::secs(1));
    assert_eq!(board.usb(), Some(UsbDevice::Dfu), "{name}");
    board.bootloader_erase(flash).expect("it is in its bootloader");
    live(&mut board, Span::millis(300));
    assert!(!board.is_bootloader_busy());
    board.bootloader_program(flash, &[0; 4096]).expect("it is in its bootloader");
    live(&mut board, Span::millis(10));
    assert!(board.is_bootloader_busy());
    board.connect(Source::None);
    live(&mut board, Span::secs(20));
    let mut page = [0xAA; 4096];
    board.flash().read_raw(flash, &mut page).expect("it is flash");
    assert_eq!((page[0], page[4095]), (0, 0xFF), "begun and not ended");

    board.connect(port());
    live(&mut board, Span::secs(2));
    assert_eq!(board.usb(), None, "what is torn does not run");
    board.set_pin(button, Level::Low);
    board.press_reset();
    live(&mut board, Span::millis(100));
    board.release_reset();
    live(&mut board, Span::millis(4_500));
    board.set_pin(button, Level::Floating);
    live(&mut board, Span::secs(1));
    assert_eq!(board.usb(), Some(UsbDevice::Dfu), "{name}");

    let whole = kind.image("lantern-heal-full");
    for (address, bytes) in whole.pieces(flash) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let at = address + (bytes.len() - rest.len()) as u32;
            let sector = board.flash().geometry().sector_at(at).expect("it is flash");
            let (here, later) = rest.split_at(rest.len().min(sector.size as usize));
            board.bootloader_erase(at).expect("it is in its bootloader");
            board.bootloader_program(at, here).expect("it is in its bootloader");
            live(&mut board, Span::secs(2));
            assert!(!board.is_bootloader_busy());
            rest = later;
        }
    }
    board.leave_bootloader().expect("it is in its bootloader");
    live(&mut board, Span::secs(2));
    assert_eq!(board.usb(), Some(UsbDevice::Normal), "{name}");
    assert!(board.bootloader_erase(flash).is_err(), "only the bootloader writes");
}

/// Nothing here takes longer.
const PATIENCE: Span = Span::secs(60);

/// Has a world live until it has answered a request that is under way.
fn answer_of(world: &mut World, id: u32) -> Result<Achieved, CommandError> {
    let (limit, mut answer) = (world.now() + PATIENCE, None);
    while answer.is_none() {
        assert!(world.now() < limit, "no answer came");
        world.run_until(world.now() + Span::millis(5));
        world.deliver(|_, observation| match observation {
            Observation::Answered { id: it, result } if it == ActionId(id) => answer = Some(result),
            _ => {}
        });
    }
    answer.expect("it answered")
}

/// Has a world live until it has answered; what was told of progress, and the answer.
fn carried_out(world: &mut World, id: u32, command: Command) -> (Vec<u32>, Result<Achieved, CommandError>) {
    world.carry_out(Action { id: ActionId(id), command });
    let (limit, mut progress, mut answer) = (world.now() + PATIENCE, Vec::new(), None);
    while answer.is_none() {
        assert!(world.now() < limit, "no answer came");
        world.run_until(world.now() + Span::millis(5));
        world.deliver(|_, observation| match observation {
            Observation::Progress { progress: it, .. } => progress.push(it.done),
            Observation::Answered { id: it, result } if it == ActionId(id) => answer = Some(result),
            _ => {}
        });
    }
    (progress, answer.expect("it answered"))
}

fn live_on(world: &mut World, span: Span) {
    let end = world.now() + span;
    while world.now() < end {
        world.run_until((world.now() + Span::millis(5)).min(end));
        world.deliver(|_, _| {});
    }
}

const ON_USB: Command = Command::Supply(SupplySetting::Usb { voltage: Voltage::new(5_000_000) });

/// A board with `heal-full` in its bootloader, which may be given `no-heal`.
fn in_dfu(kind: Kind) -> World {
    let text = format!(
        "scenario: T\nboard: {}\nfirmware: lantern-heal-full\nsteps:\n  - enter: {{ mode: dfu, by: request }}\n  - flash: {{ image: \
         lantern-no-heal, through: dfu }}\n",
        kind.name
    );
    let plan = brickproof_scenario::load("t.yaml", &text, &brickproof_scenario::Library::built_in());
    let plan = plan.ok().and_then(|mut it| it.cells.pop()).expect("it is a scenario");
    let mut world = World::new(&plan, &kind.image("lantern-heal-full"), WorldConfig::new(1));
    assert!(carried_out(&mut world, 0, Command::Provision).1.is_ok());
    assert!(carried_out(&mut world, 1, ON_USB).1.is_ok());
    let StepAction::Enter(entry) = &plan.steps[0].action else { panic!("it enters") };
    assert!(carried_out(&mut world, 2, Command::Enter(Arc::new(entry.clone()))).1.is_ok());
    live_on(&mut world, Span::secs(1));
    assert_eq!(world.board().usb(), Some(UsbDevice::Dfu));
    world
}

fn flash(at: Option<Ratio>) -> Command {
    let image = FirmwareName("lantern-no-heal".to_owned());
    Command::Flash { transfer: Transfer { image, through: Door::Dfu }, tell_at: at }
}

fn told_error(result: Result<Achieved, CommandError>) -> String {
    result.expect_err("it fails").to_string()
}

fn read(world: &World, address: u32, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    world.board().flash().read_raw(address, &mut bytes).expect("it is flash");
    bytes
}

/// The page windows of both areas.
fn both_keys(world: &World, kind: Kind) -> [Vec<u8>; 2] {
    kind.keys.map(|area| read(world, area, 0x1000))
}

#[test]
fn firmware_through_the_bootloader_tells_how_far_it_is_spares_the_keys_and_is_started() {
    KINDS.into_iter().for_each(tells_how_far_it_is_spares_the_keys_and_is_started);
}

fn tells_how_far_it_is_spares_the_keys_and_is_started(kind: Kind) {
    let mut world = in_dfu(kind);
    let (wanted, keys) = (kind.image("lantern-no-heal"), both_keys(&world, kind));
    let total = wanted.stretches().map(|(_, bytes)| bytes.len() as u32).sum::<u32>();
    for (asked, place) in [(123_457, 123_457 * u64::from(total) / 1_000_000), (0, 0), (1_000_000, u64::from(total))] {
        let mut fork = world.clone();
        let (progress, result) = carried_out(&mut fork, 3, flash(Some(Ratio::new(asked))));
        assert_eq!(result, Ok(Achieved::Flashed { bytes: total }));
        assert!(fork.board().usb().is_none(), "it starts, and is not on the bus yet");
        assert!(progress.is_sorted() && progress[0] == 0 && progress.last() == Some(&total), "{progress:?}");
        assert!(progress.iter().any(|done| (place..place + 4).contains(&u64::from(*done))), "{place}: {progress:?}");
        assert!(progress.len() as u32 > total / 1024, "a block at a time: {progress:?}");
        for (address, bytes) in wanted.pieces(kind.flash) {
            assert_eq!(read(&fork, address, bytes.len()), bytes);
        }
    }
    let (_, result) = carried_out(&mut world, 3, flash(None));
    assert_eq!(result, Ok(Achieved::Flashed { bytes: total }));
    assert_eq!(both_keys(&world, kind), keys);
    live_on(&mut world, Span::secs(2));
    assert_eq!(world.board().usb(), Some(UsbDevice::Normal), "it left its bootloader and runs");
    let refused = told_error(carried_out(&mut world, 4, flash(None)).1);
    assert!(refused.contains("the board is not in its bootloader: `enter: dfu`"), "{refused}");
}

#[test]
fn firmware_through_the_bootloader_takes_the_time_of_bus_and_flash() {
    KINDS.into_iter().for_each(takes_the_time_of_bus_and_flash);
}

fn takes_the_time_of_bus_and_flash(kind: Kind) {
    let mut world = in_dfu(kind);
    let began = world.now();
    let (_, result) = carried_out(&mut world, 3, flash(None));
    let Ok(Achieved::Flashed { bytes }) = result else { panic!("{result:?}") };
    let geometry = world.board().flash().geometry();
    let image = kind.image("lantern-no-heal");
    let is_written =
        |at: u32| image.pieces(kind.flash).any(|(from, bytes)| (from..from + bytes.len() as u32).contains(&at));
    let erased = geometry.each_sector().filter(|sector| is_written(sector.address));
    let erases: u64 = erased.map(|sector| sector.erase.as_nanos()).sum();
    let is_programmed = |word: &&[u8]| word.iter().any(|byte| *byte != 0xFF);
    let words = image.pieces(kind.flash).map(|(_, bytes)| bytes.chunks(4).filter(is_programmed).count() as u64);
    // Each block goes over the bus twice.
    let bus = 2 * u64::from(bytes.div_ceil(1024)) * Span::millis(3).as_nanos();
    let least = bus + erases + words.sum::<u64>() * geometry.program.as_nanos();
    let took = world.now().since(began);
    assert!(took > Span::nanos(least) && took < Span::nanos(2 * least), "{took}");
}

#[test]
fn what_is_told_as_written_is_there_by_then_and_what_is_lost_again_is_found_when_it_is_read_back() {
    let (mut world, wanted) = (in_dfu(NRF), NRF.image("lantern-no-heal"));
    world.carry_out(Action { id: ActionId(3), command: flash(None) });
    let (limit, mut told, mut lost, mut answer) = (world.now() + PATIENCE, 0, false, None);
    while answer.is_none() {
        assert!(world.now() < limit, "no answer came");
        world.run_until(world.now() + Span::micros(500));
        world.deliver(|_, observation| match observation {
            Observation::Progress { progress, .. } => told = progress.done as usize,
            Observation::Answered { id: ActionId(3), result } => answer = Some(result),
            _ => {}
        });
        if !lost {
            assert!(read(&world, 0, told) == wanted.image()[..told], "{told} bytes were told");
        }
        if told > 20_000 && !lost {
            lost = true;
            world.board_mut().write_flash(0x1234, &[!wanted.image()[0x1234]]).expect("it is flash");
        }
    }
    let words = told_error(answer.expect("it answered"));
    assert_eq!(words, "the bootloader failed to write the firmware: 0x00001234 reads back as something else");
    live_on(&mut world, Span::secs(1));
    assert_eq!(world.board().usb(), Some(UsbDevice::Dfu), "what is not whole is not started");
}

#[test]
fn firmware_whose_power_fails_is_torn_where_it_was() {
    KINDS.into_iter().for_each(is_torn_where_its_power_failed);
}

fn is_torn_where_its_power_failed(kind: Kind) {
    let mut world = in_dfu(kind);
    world.carry_out(Action { id: ActionId(3), command: flash(None) });
    let (limit, mut answer, mut cut) = (world.now() + PATIENCE, None, false);
    while answer.is_none() {
        assert!(world.now() < limit, "no answer came");
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
    let words = told_error(answer.expect("it answered"));
    let done: u32 = words.split("USB after ").nth(1).and_then(|it| it.split(' ').next()?.parse().ok()).expect(&words);
    assert!((16_000..20_000).contains(&done), "{words}");
    let [old, new] = ["lantern-heal-full", "lantern-no-heal"].map(|name| kind.image(name));
    let (there, mut left, mut behind) = (read(&world, kind.flash, old.image().len()), done as usize, 0);
    for (offset, bytes) in new.stretches() {
        let here = left.min(bytes.len());
        assert!(there[offset..offset + here] == bytes[..here], "{}", kind.name);
        left -= here;
        if here > 0 {
            let last = kind.flash + (offset + here) as u32;
            let sector = world.board().flash().geometry().sector_at(last).expect("it is flash");
            behind = (sector.address + sector.size - kind.flash) as usize;
        }
    }
    for (offset, bytes) in old.stretches() {
        let from = behind.clamp(offset, offset + bytes.len());
        let untouched = &bytes[from - offset..];
        assert!(there[from..from + untouched.len()] == *untouched, "{}: what was not reached is as it was", kind.name);
    }
}

#[test]
fn a_key_that_is_damaged_through_the_bootloader_takes_time_and_nothing_beside_it() {
    let mut world = in_dfu(NRF);
    world.board_mut().write_flash(NRF.keys[1], &[0x11; 3106]).expect("it is flash");
    let before = read(&world, NRF.keys[0], 0x2000);
    let corrupt = |slot, class, through| Command::Corrupt { slot, class, part: None, through };
    let began = world.now();
    let damage = corrupt(Slot::ServerPublic, Corruption::Blank, Door::Dfu);
    let (progress, result) = carried_out(&mut world, 3, damage.clone());
    assert!(matches!(&result, Ok(Achieved::Changed(words)) if words.starts_with("server_public: ")), "{result:?}");
    assert_eq!(progress, [0; 0], "only of firmware it is told how far it is");
    // Two areas are looked at, one page is erased and written.
    assert!(world.now().since(began) > Span::millis(140), "{}", world.now().since(began));
    let after = read(&world, NRF.keys[0], 0x2000);
    let changed: Vec<usize> = (0..0x2000).filter(|at| before[*at] != after[*at]).collect();
    // Of the two copies the current one.
    let slot = 0x1000 + 3298..0x1000 + 3298 + 192;
    assert!(!changed.is_empty() && changed.iter().all(|at| slot.contains(at)), "{changed:?}");
    // The same damage as through a probe.
    let mut probed = in_dfu(NRF);
    probed.board_mut().write_flash(NRF.keys[1], &[0x11; 3106]).expect("it is flash");
    let damage = corrupt(Slot::ServerPublic, Corruption::Blank, Door::Probe);
    assert!(carried_out(&mut probed, 3, damage).1.is_ok());
    assert_eq!(read(&probed, NRF.keys[0], 0x2000), after);
}

#[test]
fn keys_are_out_of_reach_while_the_board_is_not_in_its_bootloader() {
    let mut world = in_dfu(NRF);
    assert!(carried_out(&mut world, 3, Command::Reset { hold: Span::millis(100) }).1.is_ok());
    live_on(&mut world, Span::secs(2));
    let keys = |work| Command::Keys { work, through: Door::Dfu };
    let refused = told_error(carried_out(&mut world, 4, keys(KeyWork::Save("a".to_owned()))).1);
    assert!(refused.starts_with("the bootloader failed to save the keys as `a`: the board is not in"), "{refused}");
}

#[test]
fn keys_whose_board_loses_its_power_are_torn_in_the_page_that_was_written() {
    let mut world = in_dfu(NRF);
    let before = read(&world, NRF.keys[0], 0x2000);
    world.carry_out(Action {
        id: ActionId(3),
        command: Command::Keys { work: KeyWork::NewIdentity, through: Door::Dfu },
    });
    // The first of the two areas is erased by then, and written in part.
    live_on(&mut world, Span::millis(130));
    world.carry_out(Action { id: ActionId(4), command: Command::Supply(SupplySetting::Off) });
    let words = told_error(answer_of(&mut world, 3));
    assert!(words.contains("give the board a new identity") && words.contains("left USB"), "{words}");
    let after = read(&world, NRF.keys[0], 0x2000);
    assert_ne!(after[..0x1000], before[..0x1000]);
    assert_eq!(after[0x1000..], before[0x1000..], "the other copy was not reached");
}

#[test]
fn keys_whose_board_loses_its_power_while_they_are_looked_at_are_not_known() {
    let mut world = in_dfu(NRF);
    let save = KeyWork::Save("a".to_owned());
    world.carry_out(Action { id: ActionId(3), command: Command::Keys { work: save, through: Door::Dfu } });
    live_on(&mut world, Span::millis(10));
    world.carry_out(Action { id: ActionId(4), command: Command::Supply(SupplySetting::Off) });
    let words = told_error(answer_of(&mut world, 3));
    assert_eq!(words, "the bootloader failed to save the keys as `a`: the board left USB while it was read");
}

/// The bootloader asks for 32 bits at a time, as a Photon's does, and at 2.5 V nobody refuses.
#[test]
fn firmware_at_a_sagging_rail_reads_back_as_something_else_on_an_stm32_whose_power_never_went() {
    let mut world = in_dfu(STM32);
    let (now, boots) = (world.now(), world.board().boots());
    let sag = BrownOut {
        rail: Rail::Logic,
        floor: Voltage::new(2_500_000),
        fall: Slew::new(50_000),
        hold: Span::secs(20),
        rise: Slew::new(50_000),
        bump: None,
    };
    world.board_mut().inject(now, Fault::BrownOut(sag));
    let words = told_error(carried_out(&mut world, 3, flash(None)).1);
    assert!(words.contains("reads back"), "{words}");
    assert_eq!((world.board().boots(), world.board().usb()), (boots, Some(UsbDevice::Dfu)));
}

#[test]
fn what_else_a_page_holds_stays_whichever_way_the_firmware_comes() {
    let length = NRF.image("lantern-no-heal").image().len() as u32;
    let last_of_its_page = length.next_multiple_of(4096) - 16;
    assert!(last_of_its_page >= length, "there is room behind the image");
    for through in Door::ALL {
        let mut world = in_dfu(NRF);
        world.board_mut().write_flash(last_of_its_page, &[0x11; 16]).expect("it is flash");
        let transfer = Transfer { image: FirmwareName("lantern-no-heal".to_owned()), through };
        assert!(carried_out(&mut world, 3, Command::Flash { transfer, tell_at: None }).1.is_ok());
        assert_eq!(read(&world, last_of_its_page, 16), [0x11; 16], "{through:?}");
    }
}
