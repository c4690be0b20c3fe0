//! Laws of the whole chip, whatever is done to its registers, and what answers where.

use proptest::prelude::*;

use super::*;
use crate::chip::{RamAtPowerUp, UartTiming};
use crate::flash::{COMPLETE, Cells};
use crate::usb::{NotAttached, Setup, UsbDevice};

const BLOCKS: [u32; 20] = [
    TIMERS,
    0x4000_0400,
    0x4000_0800,
    0x4000_0C00,
    IWDG,
    PWR,
    USART1,
    GPIO,
    0x4002_0400,
    0x4002_0800,
    0x4002_0C00,
    RCC,
    FLASH_REGISTERS,
    RNG,
    RTC + 0x50,
    OTG,
    OTG + 0x800,
    OTG + 0x900,
    OTG + 0xB00,
    0x4000_4400,
];

/// Addresses of registers: mostly of peripherals that are modelled, and there where registers are.
pub(crate) fn addresses() -> impl Strategy<Value = u32> + Clone {
    let modelled = (prop::sample::select(BLOCKS.to_vec()), 0u32..0x20).prop_map(|(base, index)| base + 4 * index);
    prop_oneof![
        8 => modelled,
        1 => (0u32..0x8_0000 / 4).prop_map(|index| TIMERS + 4 * index),
        1 => (0u32..0x4000 / 4).prop_map(|index| 0x0800_4000 + 4 * index),
    ]
}

/// Values: those that start and switch things, keys, and anything.
pub(crate) fn values() -> impl Strategy<Value = u32> + Clone {
    let ends = prop_oneof![Just(0u32), Just(1), (0u32..32).prop_map(|bit| 1 << bit), Just(u32::MAX)];
    let keys = prop::sample::select(vec![
        0x4567_0123u32,
        0xCDEF_89AB,
        0x0819_2A3B,
        0x4C5D_6E7F,
        0xAAAA,
        0x5555,
        0xCCCC,
        0x0001_000A,
        0x0001_020A,
        0x201,
        1 << 30,
        1 << 16 | 1 << 21,
        1 << 31 | 1 << 26,
    ]);
    prop_oneof![3 => ends, 3 => 0u32..0x400, 3 => keys, 1 => any::<u32>()]
}

fn fresh() -> (Soc, Clock) {
    let watched = (0..16).map(Pin::pa).collect();
    let (uart, ram) = (UartTiming::Timed, RamAtPowerUp::Zeros);
    let mut soc = Soc::new(SocOptions { cells: Cells::Ideal, uart, ram, seed: 7, watched });
    let mut clock = Clock::default();
    soc.reset(ResetCause::PowerOn, &mut clock);
    (soc, clock)
}

#[test]
fn the_flash_answers_in_both_of_its_places_and_nothing_where_there_is_nothing() {
    let (mut soc, mut clock) = fresh();
    soc.flash_mut().write_raw(0x0800_0000, &[1, 2, 3, 4]).unwrap();
    let mut read = |address| soc.read(address, Width::Word, &mut clock);
    assert_eq!([read(0), read(0x0800_0000)], [Ok(0x0403_0201); 2]);
    assert_eq!(read(0x1FFF_7A20).map(|word| word >> 16), Ok(1024), "F_SIZE in KiB");
    for nothing in [0x0010_0000, 0x0810_0000, 0x1000_0000, 0x2002_0000, 0x4008_0000, 0x6000_0000] {
        assert_eq!(read(nothing), Err(BusFault), "{nothing:#010x}");
    }
}

#[test]
fn a_peripheral_without_its_clock_neither_listens_nor_answers() {
    let (mut soc, mut clock) = fresh();
    let moder = GPIO;
    soc.write(moder, 4, Width::Word, &mut clock).unwrap();
    assert_eq!(soc.read(moder, Width::Word, &mut clock), Ok(0));
    soc.write(RCC + 0x30, 1, Width::Word, &mut clock).unwrap();
    assert_eq!(soc.read(moder, Width::Word, &mut clock), Ok(0xA800_0000), "what was written before was lost");
}

const AHB2ENR: u32 = RCC + 0x34;
const PLL_ON: u32 = 0x83 | 1 << 24;
const BACKUP: u32 = RTC + 0x54;

fn write(soc: &mut Soc, clock: &mut Clock, writes: &[(u32, u32)]) {
    for (address, value) in writes {
        soc.write(*address, *value, Width::Word, clock).unwrap();
    }
}

/// The PLL has locked, and the device is set up.
fn set_up_usb(soc: &mut Soc, clock: &mut Clock) {
    write(soc, clock, &[(RCC, PLL_ON), (AHB2ENR, 1 << 7)]);
    clock.cycle += 16_000;
    write(soc, clock, &[(OTG + 0x00C, 1 << 30), (OTG + 0x038, 1 << 16 | 1 << 21)]);
}

#[test]
fn it_is_on_the_bus_with_its_clocks_and_with_power_on_the_bus_and_not_in_reset() {
    let (mut soc, mut clock) = fresh();
    set_up_usb(&mut soc, &mut clock);
    assert_eq!(soc.presence().now(), None, "there is no bus");
    soc.set_bus_power(true, clock.cycle);
    assert_eq!(soc.presence().now(), Some(UsbDevice::Normal));
    assert_eq!(soc.read(OTG + 0x014, Width::Word, &mut clock), Ok(0x3000), "USBRST, ENUMDNE");
    write(&mut soc, &mut clock, &[(RCC, 0x83)]);
    assert_eq!(soc.presence().now(), None, "the PHY runs from the PLL");
    soc.reset(ResetCause::Software, &mut clock);
    set_up_usb(&mut soc, &mut clock);
    soc.reset(ResetCause::Pin, &mut clock);
    write(&mut soc, &mut clock, &[(OTG + 0x00C, 1 << 30), (OTG + 0x038, 1 << 16 | 1 << 21)]);
    assert_eq!(soc.read(OTG + 0x03C, Width::Word, &mut clock), Ok(0), "it has no clock");
    set_up_usb(&mut soc, &mut clock);
    soc.lose_power(clock.cycle);
    let edges: Vec<bool> = soc.presence_mut().drain_edges().map(|edge| edge.device.is_some()).collect();
    assert_eq!(edges, [true, false, true, false, true, false]);
    let setup = Setup { kind: 0x40, request: 0x50, value: 0, index: 40, length: 0 };
    assert_eq!(soc.ask_over_usb(setup, &[], &mut clock), Err(NotAttached));
}

#[test]
fn a_backup_register_is_written_once_it_may_be_and_outlasts_all_but_a_loss_of_power() {
    let (mut soc, mut clock) = fresh();
    write(&mut soc, &mut clock, &[(RCC + 0x40, 1 << 28), (BACKUP, 0xEDFA)]);
    assert_eq!(soc.read(BACKUP, Width::Word, &mut clock), Ok(0));
    write(&mut soc, &mut clock, &[(PWR, 1 << 8), (BACKUP, 0xEDFA), (RTC + 0x9C, 7), (RTC + 0xA0, 7)]);
    for cause in [ResetCause::Software, ResetCause::Pin, ResetCause::Watchdog] {
        soc.reset(cause, &mut clock);
        write(&mut soc, &mut clock, &[(BACKUP, 0)]);
        let read = [BACKUP, RTC + 0x9C, RTC + 0xA0].map(|at| soc.read(at, Width::Word, &mut clock).unwrap());
        assert_eq!((read, soc.is_bootloader_wanted()), ([0xEDFA, 7, 0], true), "{cause:?}");
    }
    soc.reset(ResetCause::PowerOn, &mut clock);
    assert_eq!((soc.read(BACKUP, Width::Word, &mut clock), soc.is_bootloader_wanted()), (Ok(0), false));
}

#[test]
fn the_bootloaders_code_stands_in_both_places_of_the_flash_while_it_runs() {
    let (mut soc, mut clock) = fresh();
    soc.flash_mut().write_raw(0x0800_0000, &[1, 2, 3, 4]).unwrap();
    soc.boot_code_mut().keep(&[5, 6, 7, 8]);
    soc.boot_code_mut().run();
    for place in [0, 0x0800_0000] {
        assert_eq!(soc.read(place, Width::Word, &mut clock), Ok(0x0807_0605));
        assert_eq!(soc.fetch(place + 2), Ok(0x0807));
        assert_eq!(soc.code_page(place + 2).map(|page| (page.base, page.bytes[0])), Some((place, 5)));
    }
    assert_eq!(soc.read(0x1000, Width::Word, &mut clock), Ok(u32::MAX), "behind it is the flash");
    soc.reset(ResetCause::Software, &mut clock);
    assert_eq!(soc.read(0, Width::Word, &mut clock), Ok(0x0403_0201));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn nothing_that_is_done_to_registers_breaks_the_chip(
        deeds in prop::collection::vec((addresses(), values(), 0u32..3, 0u64..200_000), 1..150),
    ) {
        let (mut soc, mut clock) = fresh();
        for offset in [0x30, 0x34, 0x40, 0x44] {
            soc.write(RCC + offset, u32::MAX, Width::Word, &mut clock).unwrap();
        }
        for (address, value, width, cycles) in deeds {
            let width = [Width::Byte, Width::Half, Width::Word][width as usize];
            let _ = soc.write(address, value, width, &mut clock);
            let _ = soc.read(address, width, &mut clock);
            if soc.flash.under_way().is_some() {
                soc.finish_flash(COMPLETE, &mut clock);
            }
            soc.resume();
            let start = clock.cycle;
            soc.set_bus_power(value & 3 != 0, start);
            let setup = Setup { kind: value as u8, request: 0, value: 0, index: 0, length: (value >> 8) as u16 };
            let is_there = soc.presence().now().is_some();
            prop_assert_eq!(soc.ask_over_usb(setup, &[0; 80], &mut clock).is_ok(), is_there);
            soc.take_usb_answer();
            soc.feed_console(start, value as u8, Baud::new(115_200), &mut clock);
            let end = clock.cycle + cycles;
            while clock.cycle < end {
                clock.cycle = end.min(soc.next_event().max(clock.cycle));
                soc.tick(&mut clock);
            }
            let now = RATE.instant(clock.cycle);
            prop_assert!(soc.presence_mut().drain_edges().all(|edge| edge.at <= now));
            prop_assert!(soc.drain_pin_edges().all(|edge| edge.at <= now));
            prop_assert!(soc.take_console().iter().all(|byte| byte.at <= now));
        }
    }
}
