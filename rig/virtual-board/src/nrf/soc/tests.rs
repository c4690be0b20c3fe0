//! Laws of the whole chip, whatever is done to its registers.

use proptest::prelude::*;

use super::unit::NVMC;
use super::*;
use crate::chip::{RamAtPowerUp, UartTiming};
use crate::flash::Cells;

/// What the core may do to the chip.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Read(u32, Width),
    Write(u32, u32, Width),
    /// So many cycles pass.
    Wait(u64),
    Feed(u8),
    Outside(Pin, Level),
}

fn widths() -> impl Strategy<Value = Width> {
    prop::sample::select(vec![Width::Byte, Width::Half, Width::Word])
}

/// Addresses of registers: mostly of peripherals that exist, and there mostly where registers are.
pub(crate) fn addresses() -> impl Strategy<Value = u32> + Clone {
    let units = prop::sample::select(UNITS.map(Unit::base).to_vec());
    let others = prop::sample::select(vec![PERIPHERALS + (NVMC << 12), PERIPHERALS + (PPI << 12)]);
    let offsets = prop_oneof![
        3 => (0u32..0x20).prop_map(|index| 4 * index),
        1 => (0u32..0x20).prop_map(|index| 0x100 + 4 * index),
        2 => prop::sample::select(vec![0x200, 0x300, 0x304, 0x308, 0x344]),
        6 => (0u32..0x18).prop_map(|index| 0x500 + 4 * index),
        1 => (0u32..0xC0).prop_map(|index| 0x400 + 4 * index),
        1 => 0u32..0x1000,
    ];
    prop_oneof![
        6 => (units, offsets.clone()).prop_map(|(base, offset)| base + offset),
        2 => (others, offsets).prop_map(|(base, offset)| base + offset),
        2 => (0x140u32..0x2C0).prop_map(|index| 0x5000_0000 + 4 * index),
        1 => (0u32..0x10_0000).prop_map(|offset| PERIPHERALS + offset),
        1 => (0u32..0x1_0000).prop_map(|offset| 0x5000_0000 + offset),
    ]
}

/// Values: those that start and switch things, GPIOTE channels, addresses of registers for the PPI, and anything.
pub(crate) fn values() -> impl Strategy<Value = u32> + Clone {
    let ends = prop_oneof![Just(0u32), Just(1), (0u32..32).prop_map(|bit| 1 << bit), Just(u32::MAX)];
    let channel = (0u32..4, 0u32..64, 0u32..4, 0u32..2)
        .prop_map(|(mode, pin, polarity, out)| mode | pin << 8 | polarity << 16 | out << 20);
    let reload = Just(0x6E52_4635u32);
    prop_oneof![3 => ends, 3 => 0u32..0x400, 2 => channel, 2 => addresses(), 1 => reload, 1 => any::<u32>()]
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let pins = (0u8..32).prop_map(Pin::p0).boxed().prop_union((0u8..32).prop_map(Pin::p1).boxed());
    let levels = prop::sample::select(vec![Level::Floating, Level::Low, Level::High]);
    let deed = prop_oneof![
        2 => (addresses(), widths()).prop_map(|(address, width)| Deed::Read(address, width)),
        8 => (addresses(), values(), widths()).prop_map(|(address, value, width)| Deed::Write(address, value, width)),
        4 => (0u64..200_000).prop_map(Deed::Wait),
        1 => any::<u8>().prop_map(Deed::Feed),
        1 => (pins, levels).prop_map(|(pin, level)| Deed::Outside(pin, level)),
    ];
    prop::collection::vec(deed, 1..200)
}

/// Does all of it, and looks at everything that can be seen.
fn live(part: Part, deeds: &[Deed]) {
    let watched = (0..32).map(Pin::p0).chain((0..32).map(Pin::p1)).collect();
    let options =
        SocOptions { cells: Cells::Ideal, uart: UartTiming::Timed, ram: RamAtPowerUp::Zeros, seed: 7, watched };
    let mut soc = Soc::new(part, options);
    let mut clock = Clock::default();
    for deed in deeds {
        match *deed {
            Deed::Read(address, width) => drop(soc.read(address, width, &mut clock)),
            Deed::Write(address, value, width) => drop(soc.write(address, value, width, &mut clock)),
            Deed::Wait(cycles) => pass(&mut soc, &mut clock, cycles),
            Deed::Feed(value) => {
                let start = clock.cycle;
                soc.feed_console(start, value, Baud::new(115_200), &mut clock);
            }
            Deed::Outside(pin, level) => soc.drive_from_outside(pin, level, &mut clock),
        }
        while soc.flash.under_way().is_some() {
            soc.finish_flash(crate::flash::COMPLETE, &mut clock);
            soc.begin_waiting_flash(&clock);
        }
        soc.resume();
        assert!(soc.drain_pin_edges().all(|edge| edge.at <= soc_now(part, &clock)));
        assert!(soc.take_console().iter().all(|byte| byte.at <= soc_now(part, &clock)));
    }
}

fn soc_now(part: Part, clock: &Clock) -> brickproof_units::Instant {
    part.rate().instant(clock.cycle)
}

/// Devices live at the cycle of their events, as they do for a core that sleeps.
fn pass(soc: &mut Soc, clock: &mut Clock, cycles: u64) {
    let end = clock.cycle + cycles;
    while clock.cycle < end {
        clock.cycle = end.min(soc.next_event().max(clock.cycle));
        soc.tick(clock);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn nothing_that_is_done_to_registers_breaks_the_chip(deeds in deeds()) {
        live(Part::Nrf51822, &deeds);
        live(Part::Nrf52840, &deeds);
    }
}
