//! Laws of the whole chip, whatever is done to its registers, and what answers where.

use proptest::prelude::*;

use super::*;
use crate::chip::{RamAtPowerUp, UartTiming};
use crate::flash::{COMPLETE, Cells};

const BLOCKS: [u32; 15] = [
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
            soc.feed_console(start, value as u8, Baud::new(115_200), &mut clock);
            let end = clock.cycle + cycles;
            while clock.cycle < end {
                clock.cycle = end.min(soc.next_event().max(clock.cycle));
                soc.tick(&mut clock);
            }
            let now = RATE.instant(clock.cycle);
            prop_assert!(soc.drain_pin_edges().all(|edge| edge.at <= now));
            prop_assert!(soc.take_console().iter().all(|byte| byte.at <= now));
        }
    }
}
