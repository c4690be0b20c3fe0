//! The whole supply against closed forms, laws and the stories it must be able to tell.

use brickproof_units::{Capacitance, Charge, Resistance, Slew};
use proptest::prelude::*;

use super::*;

const USB: Source = Source::Usb { voltage: Voltage::new(5_000_000), cable: Resistance::new(250_000) };

fn ma(value: i64) -> Current {
    Current::new(value * 1_000)
}

fn mv(value: i64) -> Voltage {
    Voltage::new(value * 1_000)
}

fn ms(value: u64) -> Instant {
    Instant::START + Span::millis(value)
}

fn aged(capacity_mah: u64, percent: u64) -> Source {
    Source::Battery(Battery::aged(Charge::new(capacity_mah * 1_000), Ratio::new(percent * 10_000)))
}

fn fresh(capacity_mah: u64, percent: u64) -> Source {
    Source::Battery(Battery::fresh(Charge::new(capacity_mah * 1_000), Ratio::new(percent * 10_000)))
}

/// Takes every event up to `until` and returns those that concern the chip.
fn events(supply: &mut Supply, until: Instant) -> Vec<(Instant, SupplyEvent)> {
    let mut seen = Vec::new();
    while let Some((at, event)) = supply.next_event().filter(|(at, _)| *at <= until) {
        supply.advance(at);
        if event != SupplyEvent::Turn {
            seen.push((at, event));
        }
    }
    seen
}

fn powered(profile: SupplyProfile, source: Source) -> Supply {
    let mut supply = Supply::new(profile);
    supply.connect(Instant::START, source);
    let seen = events(&mut supply, ms(50));
    assert_eq!(seen.iter().map(|(_, event)| *event).collect::<Vec<_>>(), [SupplyEvent::PowerOnReset]);
    supply
}

/// A board that draws `running` while its chip runs and nothing otherwise. Returns the number of brown-outs until `until`.
fn live(supply: &mut Supply, running: Current, until: Instant) -> usize {
    let mut brown_outs = 0;
    while let Some((at, event)) = supply.next_event().filter(|(at, _)| *at <= until) {
        supply.advance(at);
        match event {
            SupplyEvent::PowerOnReset => supply.set_load(at, running),
            SupplyEvent::BrownOutReset => {
                brown_outs += 1;
                supply.set_load(at, ma(0));
            }
            _ => {}
        }
    }
    brown_outs
}

fn nanos_apart(a: Instant, b: Instant) -> u64 {
    a.as_nanos().abs_diff(b.as_nanos())
}

#[test]
fn usb_starts_the_chip_after_enable_soft_start_and_power_on_delay() {
    let mut supply = Supply::new(SupplyProfile::nrf51822());
    supply.connect(ms(1), USB);
    let seen = events(&mut supply, ms(100));
    // 200 us enable, 1.75 V at 1 ms/V, 1 ms delay.
    let expected = ms(1) + Span::micros(200 + 1750 + 1000);
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].1, SupplyEvent::PowerOnReset);
    assert!(nanos_apart(seen[0].0, expected) < 100, "{:?}", seen[0].0);
    assert_eq!(supply.rail(ms(100)), mv(3_300));
    assert_eq!(supply.last_rise().unwrap().specification, Specification::Within);
}

#[test]
fn a_stiff_source_has_nothing_left_to_say() {
    let mut supply = powered(SupplyProfile::nrf52840(), USB);
    assert_eq!(supply.next_event(), None);
    for k in 0..100 {
        supply.set_load(ms(100 + k), ma(5 * k as i64));
        assert_eq!(supply.next_event(), None);
        assert_eq!(supply.rail(ms(100 + k)), mv(3_300));
    }
    // 495 mA through 0.25 ohm of cable.
    assert_eq!(supply.input(ms(300)), Voltage::new(5_000_000 - 495 * 250));
}

/// The dwell between 2.7 V and 1.7 V at constant current: C dV / I.
#[test]
fn the_dwell_in_the_danger_band_is_that_of_the_closed_form() {
    for (microfarads, milliamps) in [(10, 5), (10, 300), (47, 30), (100, 80), (470, 5), (1000, 300)] {
        let mut profile = SupplyProfile::nrf52840();
        profile.bulk = Capacitance::new(microfarads * 1_000_000);
        profile.regulator.discharge = Resistance::new(u64::MAX);
        let mut supply = powered(profile, USB);
        supply.set_power_fail(ms(60), Some(mv(2_700)));
        supply.set_load(ms(60), ma(milliamps));
        supply.connect(ms(61), Source::None);
        let seen = events(&mut supply, ms(2_000));
        let [(warned, SupplyEvent::PowerFailWarning), (stopped, SupplyEvent::BrownOutReset)] = seen[..] else {
            panic!("{seen:?}");
        };
        let dwell = stopped.since(warned).as_nanos() as f64;
        let expected = microfarads as f64 * 1e-6 / (milliamps as f64 * 1e-3) * 1e9;
        assert!((dwell - expected).abs() < 100.0 + expected * 1e-6, "{microfarads} uF, {milliamps} mA: {dwell} ns");
    }
}

#[test]
fn an_unloaded_rail_decays_through_the_discharge_resistor() {
    let mut supply = powered(SupplyProfile::nrf52840(), USB);
    supply.connect(ms(100), Source::None);
    let seen = events(&mut supply, ms(10_000));
    // tau = 10 kohm * 100 uF = 1 s.
    let expected = ms(100) + Span::nanos((1e9 * libm::log(3.3 / 1.7)) as u64);
    assert_eq!(seen.len(), 1);
    assert!(nanos_apart(seen[0].0, expected) < 100);
    assert_eq!((supply.rail(ms(10_000)), supply.next_event()), (mv(0), None));
}

#[test]
fn a_bench_supply_in_current_limit_lets_the_rail_fall_linearly() {
    let mut supply = powered(SupplyProfile::nrf52840(), Source::Bench { voltage: mv(5_000), current_limit: ma(100) });
    supply.set_load(ms(100), ma(150));
    // 50 mA out of 100 uF: 0.5 V/ms.
    assert_eq!(supply.rail(ms(101)), mv(2_800));
    // The input is the rail plus 100 mA through the pass transistor; at 2.3 V the regulator locks out.
    assert_eq!(supply.input(ms(101)), mv(2_850));
    let seen = events(&mut supply, ms(110));
    assert_eq!(seen[0].1, SupplyEvent::BrownOutReset);
    // 1.05 V at 0.5 V/ms to the lockout; 200 us until it tries again, at 150 mA and what the discharge resistor takes; then 0.5 V/ms.
    let tries_again = (2.25 + 1500.0) * libm::exp(-200e-6) - 1500.0;
    let closed_form = 2.1e6 + 0.2e6 + (tries_again - 1.7) / 500.0 * 1e9;
    assert!((seen[0].0.since(ms(100)).as_nanos() as f64 - closed_form).abs() < 200.0, "{:?}", seen[0]);
}

#[test]
fn the_brown_out_reset_has_hysteresis() {
    let mut supply = powered(SupplyProfile::nrf51822(), USB);
    let shape = |peak| BrownOut {
        rail: Rail::Logic,
        floor: mv(1_600),
        fall: Slew::new(100_000),
        hold: Span::millis(5),
        rise: Slew::new(100_000),
        bump: Some(Bump { trough: mv(1_650), peak: mv(peak) }),
    };
    // Up to 1.74 V between two dips: the reset is not released, so there is one brown-out.
    supply.inject(ms(100), Fault::BrownOut(shape(1_740)));
    let names = |seen: Vec<(Instant, SupplyEvent)>| seen.into_iter().map(|(_, event)| event).collect::<Vec<_>>();
    assert_eq!(names(events(&mut supply, ms(200))), [SupplyEvent::BrownOutReset, SupplyEvent::PowerOnReset]);
    assert_eq!(supply.chip_power(), ChipPower::Good);
}

#[test]
fn the_power_on_delay_starts_again_when_the_rail_dips_during_it() {
    let mut supply = Supply::new(SupplyProfile::nrf51822());
    supply.connect(Instant::START, USB);
    supply.advance(Instant::START + Span::micros(2_400));
    assert!(matches!(supply.chip_power(), ChipPower::Waiting { .. }));
    let dip = BrownOut {
        rail: Rail::Logic,
        floor: mv(1_000),
        fall: Slew::new(20_000),
        hold: Span::micros(100),
        rise: Slew::new(20_000),
        bump: None,
    };
    supply.inject(Instant::START + Span::micros(2_500), Fault::BrownOut(dip));
    let seen = events(&mut supply, ms(50));
    // A chip that had not started is not reset by name; it starts once, later.
    assert_eq!(seen.len(), 1);
    assert!(seen[0].0 > Instant::START + Span::micros(3_600), "{:?}", seen[0]);
}

#[test]
fn a_forced_brown_out_achieves_what_was_asked() {
    let mut supply = powered(SupplyProfile::nrf52840(), USB);
    let asked = BrownOut {
        rail: Rail::Logic,
        floor: mv(1_200),
        fall: Slew::new(50_000),
        hold: Span::millis(200),
        rise: Slew::new(50_000),
        bump: None,
    };
    let id = supply.inject(ms(100), Fault::BrownOut(asked));
    let seen = events(&mut supply, ms(400));
    let reset = ms(100) + Span::micros(80);
    assert!(nanos_apart(seen[0].0, reset) < 100 && seen[0].1 == SupplyEvent::BrownOutReset, "{seen:?}");
    let achieved = supply.take_achieved();
    assert_eq!(achieved.len(), 1);
    let record = achieved[0];
    assert_eq!((record.id, record.floor, record.start), (id, mv(1_200), ms(100)));
    assert!(record.fall.as_nanos().abs_diff(105_000) <= 1);
    assert!(record.below_brown_out.as_nanos().abs_diff(200_050_000) < 100, "{}", record.below_brown_out);
    assert!(record.steepest.get().abs_diff(50_000) <= 1);
    assert_eq!(record.specification, Specification::Within);
    assert_eq!(supply.rail(ms(400)), mv(3_300));
    assert_eq!(supply.next_event(), None, "stiff again after the fault");
}

#[test]
fn a_bump_on_the_way_down_crosses_the_thresholds_again() {
    let mut supply = powered(SupplyProfile::nrf52840(), USB);
    supply.set_power_fail(ms(60), Some(mv(2_100)));
    let asked = BrownOut {
        rail: Rail::Logic,
        floor: mv(0),
        fall: Slew::new(1_000_000),
        hold: Span::millis(20),
        rise: Slew::new(1_000_000),
        bump: Some(Bump { trough: mv(1_900), peak: mv(2_500) }),
    };
    supply.inject(ms(100), Fault::BrownOut(asked));
    let seen = events(&mut supply, ms(115)).into_iter().map(|(_, event)| event).collect::<Vec<_>>();
    use SupplyEvent::{BrownOutReset, PowerFailCleared, PowerFailWarning};
    assert_eq!(seen, [PowerFailWarning, PowerFailCleared, PowerFailWarning, BrownOutReset]);
}

#[test]
fn a_watched_level_is_passed_when_the_power_fail_comparator_of_the_chip_sees_it() {
    let weak = Source::Bench { voltage: mv(5_000), current_limit: ma(50) };
    let mut supply = powered(SupplyProfile::nrf51822(), weak);
    supply.set_power_fail(ms(60), Some(mv(1_800)));
    supply.watch(ms(60), Some(mv(1_800)));
    supply.set_load(ms(200), ma(120));
    let (warned, event) = events(&mut supply, ms(202))[0];
    assert_eq!(event, SupplyEvent::PowerFailWarning);
    supply.set_load(ms(202), ma(0));
    supply.advance(ms(300));
    let passages: Vec<Passage> = supply.drain_passages().collect();
    let [fall, rise] = passages[..] else { panic!("{passages:?}") };
    assert_eq!((fall.direction, fall.current), (Direction::Falling, ma(120)));
    assert!(nanos_apart(fall.at, warned) <= 1, "{:?}, warned at {warned}", fall.at);
    assert!((mv(1_799)..mv(1_800)).contains(&fall.rail), "{}", fall.rail);
    assert_eq!(rise.direction, Direction::Rising);
    assert!((mv(1_800)..mv(1_801)).contains(&rise.rail), "{}", rise.rail);
    assert_eq!(supply.first_passage(), None, "they are taken");
}

#[test]
fn a_watch_does_not_keep_a_stiff_supply_from_resting() {
    let mut supply = powered(SupplyProfile::nrf52840(), USB);
    supply.watch(ms(60), Some(mv(1_800)));
    assert_eq!((supply.next_event(), supply.feels_load()), (None, false));
}

#[test]
fn a_fault_that_cannot_happen_says_so() {
    let mut supply = Supply::new(SupplyProfile::nrf52840());
    supply.inject(ms(1), Fault::Interrupt(Span::millis(5)));
    events(&mut supply, ms(10));
    let record = supply.take_achieved()[0];
    assert_eq!((record.floor, record.fall, record.steepest), (mv(0), Span::ZERO, Slew::new(u64::MAX)));
}

#[test]
fn a_crowbar_faster_than_the_part_allows_is_flagged() {
    let mut supply = powered(SupplyProfile::nrf52840(), USB);
    let asked = BrownOut {
        rail: Rail::Logic,
        floor: mv(0),
        fall: Slew::new(5_000),
        hold: Span::millis(50),
        rise: Slew::new(100_000),
        bump: None,
    };
    supply.inject(ms(100), Fault::BrownOut(asked));
    events(&mut supply, ms(400));
    assert_eq!(supply.take_achieved()[0].specification, Specification::TooFast);
}

#[test]
fn a_rise_slower_than_the_nrf52840_allows_is_flagged() {
    let mut supply = powered(SupplyProfile::nrf52840(), USB);
    let asked = BrownOut {
        rail: Rail::Logic,
        floor: mv(0),
        fall: Slew::new(100_000),
        hold: Span::millis(5),
        rise: Slew::new(50_000_000),
        bump: None,
    };
    supply.inject(ms(100), Fault::BrownOut(asked));
    events(&mut supply, ms(400));
    let rise = supply.last_rise().unwrap();
    assert_eq!(rise.specification, Specification::TooSlow);
    assert!(rise.took.as_nanos().abs_diff(87_500_000) < 1_000, "{}", rise.took);
}

#[test]
fn an_interrupted_source_lets_the_rail_decay_and_come_back() {
    let mut supply = powered(SupplyProfile::nrf52840(), USB);
    supply.set_load(ms(60), ma(30));
    supply.inject(ms(100), Fault::Interrupt(Span::millis(4)));
    assert_eq!(live(&mut supply, ma(30), ms(300)), 0, "4 ms at 30 mA from 100 uF is 1.2 V: not low enough");
    let record = supply.take_achieved()[0];
    // The discharge resistor takes another 0.27 mA, and the rail falls on for the 200 us in which the regulator is enabled.
    assert!((record.floor.get() - 2_028_800).abs() < 1_000, "{}", record.floor);
    supply.inject(ms(300), Fault::Interrupt(Span::millis(10)));
    assert_eq!(live(&mut supply, ma(30), ms(500)), 1);
    assert_eq!(supply.chip_power(), ChipPower::Good);
    assert_eq!(supply.rail(ms(500)), mv(3_300));
}

#[test]
fn whoever_was_reset_by_a_fault_finds_the_time_below_the_brown_out_in_its_record() {
    let cut = |micros| Fault::Interrupt(Span::micros(micros));
    let burst = |micros| Fault::ExtraLoad(ma(700), Span::micros(micros));
    let weak = Source::Bench { voltage: mv(5_000), current_limit: ma(50) };
    for (source, fault) in [(USB, cut as fn(u64) -> Fault), (weak, cut), (weak, burst)] {
        let mut outcomes = Vec::new();
        for micros in (20..4_000).step_by(20) {
            let mut supply = powered(SupplyProfile::nrf51822(), source);
            supply.set_load(ms(60), ma(30));
            supply.inject(ms(100), fault(micros));
            let resets = live(&mut supply, ma(30), ms(5_000));
            let record = supply.take_achieved()[0];
            assert_eq!(resets > 0, record.below_brown_out > Span::ZERO, "{fault:?} of {micros} us: {record:?}");
            outcomes.push(resets > 0);
        }
        assert!(outcomes.contains(&true) && outcomes.contains(&false), "the sweep is around the edge");
    }
}

#[test]
fn a_dip_of_the_input_reaches_the_rail_through_the_regulator() {
    let mut supply = powered(SupplyProfile::nrf52840(), USB);
    supply.set_load(ms(60), ma(100));
    let asked = BrownOut {
        rail: Rail::Input,
        floor: mv(3_000),
        fall: Slew::new(1_000_000),
        hold: Span::millis(20),
        rise: Slew::new(1_000_000),
        bump: None,
    };
    supply.inject(ms(100), Fault::BrownOut(asked));
    events(&mut supply, ms(110));
    // 100 mA through 0.5 ohm of the pass transistor below 3.0 V.
    assert_eq!(supply.rail(ms(110)), mv(2_950));
    assert_eq!(supply.input(ms(110)), mv(3_000));
    assert!(events(&mut supply, ms(200)).is_empty());
    assert_eq!(supply.rail(ms(200)), mv(3_300));
}

#[test]
fn a_modem_burst_sags_an_aged_cell_and_hardly_a_fresh_one() {
    let lowest = |source| {
        let mut supply = powered(SupplyProfile::nrf52840(), source);
        supply.set_load(ms(60), ma(10));
        supply.inject(ms(100), Fault::ExtraLoad(ma(290), Span::millis(50)));
        events(&mut supply, ms(300));
        supply.take_achieved()[0].floor
    };
    // 3.4 V behind 0.1 ohm and the 0.5 ohm pass transistor at 300 mA: 3.22 V.
    assert!((lowest(fresh(2_000, 4)).get() - 3_220_000).abs() < 1_000);
    assert!(lowest(aged(2_000, 4)) < mv(2_700));
}

#[test]
fn a_brown_out_loop_emerges_with_an_aged_cell_and_not_with_a_fresh_one() {
    let brown_outs = |source| {
        let mut supply = Supply::new(SupplyProfile::nrf52840());
        supply.connect(Instant::START, source);
        live(&mut supply, ma(300), ms(5_000))
    };
    assert!(brown_outs(aged(600, 6)) >= 10, "{}", brown_outs(aged(600, 6)));
    assert_eq!(brown_outs(fresh(600, 6)), 0);
}

#[test]
fn the_protection_opens_after_its_delay_and_closes_when_the_cell_has_recovered() {
    let mut battery = Battery::aged(Charge::new(1_000_000), Ratio::new(200_000));
    // Above the regulator's lockout, so that the protection is first.
    battery.protection.cut_off = mv(2_900);
    battery.protection.recovery = Recovery::Above(mv(3_729));
    let mut supply = powered(SupplyProfile::nrf52840(), Source::Battery(battery));
    // 250 mA through 4 ohm: 3.73 V at the cell becomes 2.73 V.
    supply.set_load(ms(100), ma(250));
    events(&mut supply, ms(199));
    assert!(supply.input(ms(199)) > mv(2_500));
    events(&mut supply, ms(201));
    assert_eq!(supply.input(ms(201)), mv(0), "open after 100 ms");
    // The rig's board stops drawing; the cell climbs back, the protection closes, the rail returns.
    supply.set_load(ms(202), ma(0));
    events(&mut supply, ms(120_000));
    assert_eq!(supply.rail(ms(120_000)), mv(3_300));
}

#[test]
fn a_protection_that_needs_a_charger_stays_open() {
    let mut battery = Battery::aged(Charge::new(1_000_000), Ratio::new(200_000));
    battery.protection = Protection { cut_off: mv(2_900), recovery: Recovery::Charger };
    let mut supply = powered(SupplyProfile::nrf52840(), Source::Battery(battery));
    supply.set_load(ms(100), ma(250));
    events(&mut supply, ms(202));
    supply.set_load(ms(202), ma(0));
    events(&mut supply, ms(600_000));
    assert_eq!((supply.rail(ms(600_000)), supply.chip_power()), (mv(0), ChipPower::Held));
}

#[test]
fn a_cell_is_empty_after_its_capacity() {
    let mut supply = powered(SupplyProfile::nrf52840(), fresh(100, 100));
    supply.set_load(ms(60), ma(100));
    // 100 mAh at 100 mA: half after half an hour.
    events(&mut supply, ms(60 + 1_800_000));
    let half = supply.charge(ms(60 + 1_800_000)).unwrap();
    assert!(half.get().abs_diff(500_000) < 20, "{half}");
    events(&mut supply, ms(4_000_000));
    assert_eq!(supply.chip_power(), ChipPower::Held);
}

#[test]
fn a_flash_operation_on_a_stiff_supply_gets_all_of_its_time() {
    let supply = powered(SupplyProfile::nrf52840(), USB);
    let at = ms(100);
    assert_eq!(supply.flash_time(at, at + Span::millis(85), supply.flash_range()), Span::millis(85));
}

#[test]
fn a_flash_operation_is_cut_where_the_rail_meets_the_brown_out() {
    let mut profile = SupplyProfile::nrf52840();
    profile.regulator.discharge = Resistance::new(u64::MAX);
    let mut supply = powered(profile, USB);
    supply.set_load(ms(60), ma(16));
    supply.connect(ms(100), Source::None);
    // 100 uF from 3.3 V to 1.7 V at 16 mA: 10 ms of 85 ms, all at full strength.
    let until_the_end = supply.flash_time(ms(100), ms(185), supply.flash_range());
    assert!(until_the_end.get().abs_diff(10_000_000) < 100, "{until_the_end}");
    assert_eq!(supply.flash_time(ms(100), ms(105), supply.flash_range()), Span::millis(5));
    let seen = events(&mut supply, ms(185));
    assert!(matches!(seen[..], [(at, SupplyEvent::BrownOutReset)] if nanos_apart(at, ms(110)) < 100), "{seen:?}");
}

#[test]
fn below_the_minimum_an_operation_gets_only_a_part_of_its_time() {
    let mut profile = SupplyProfile::nrf52840();
    profile.flash = FlashRange { minimum: mv(2_700), collapse: mv(2_300) };
    let mut supply = powered(profile, USB);
    let asked = BrownOut {
        rail: Rail::Logic,
        floor: mv(2_500),
        fall: Slew::new(0),
        hold: Span::millis(500),
        rise: Slew::new(100_000),
        bump: None,
    };
    supply.inject(ms(100), Fault::BrownOut(asked));
    events(&mut supply, ms(200));
    assert_eq!(supply.flash_time(ms(200), ms(285), supply.flash_range()), Span::micros(42_500));
}

#[test]
fn a_chip_in_reset_does_nothing_to_its_flash() {
    let supply = Supply::new(SupplyProfile::nrf52840());
    assert_eq!(supply.flash_time(ms(1), ms(86), supply.flash_range()), Span::ZERO);
}

#[test]
fn an_aged_cell_under_a_load_step() {
    let mut supply = powered(SupplyProfile::nrf52840(), aged(1_200, 6));
    supply.set_load(ms(90), ma(8));
    supply.set_power_fail(ms(90), Some(mv(2_700)));
    let mut table = String::from("       ms     rail    input  event\n");
    let mut row = |supply: &Supply, at: Instant, what: &str| {
        let (rail, input) = (supply.rail(at).get() as f64 * 1e-6, supply.input(at).get() as f64 * 1e-6);
        let line = format!("{:9.3} {rail:.4}V {input:.4}V  {what}", at.as_nanos() as f64 * 1e-6);
        table.push_str(line.trim_end());
        table.push('\n');
    };
    row(&supply, ms(99), "8 mA");
    supply.set_load(ms(100), ma(300));
    row(&supply, ms(100), "300 mA");
    for at in [100_050, 100_200, 101_000, 200_000, 400_000, 800_000].map(|us| Instant::START + Span::micros(us)) {
        for (when, event) in events(&mut supply, at) {
            row(&supply, when, &format!("{event:?}"));
        }
        row(&supply, at, "");
    }
    supply.set_load(ms(800), ma(8));
    for at in [801, 1_000, 30_000].map(ms) {
        for (when, event) in events(&mut supply, at) {
            row(&supply, when, &format!("{event:?}"));
        }
        row(&supply, at, "");
    }
    insta::assert_snapshot!(table, @r"
           ms     rail    input  event
       99.000 3.3000V 3.4933V  8 mA
      100.000 3.3000V 3.3287V  300 mA
      100.050 3.1863V 3.2298V
      100.200 2.9219V 2.9999V
      100.397 2.7000V 2.8069V  PowerFailWarning
      101.000 2.4384V 2.5795V
      200.000 2.3666V 2.5166V
      400.000 2.3598V 2.5098V
      800.000 2.3468V 2.4968V
      800.171 3.3000V 3.4702V  PowerFailCleared
      801.000 3.3000V 3.4702V
     1000.000 3.3000V 3.4703V
    30000.000 3.3000V 3.4781V
    ");
}

#[test]
fn the_same_story_twice_is_the_same_to_the_nanosecond() {
    let story = || {
        let mut supply = Supply::new(SupplyProfile::nrf51822());
        supply.connect(Instant::START, aged(600, 6));
        supply.inject(ms(400), Fault::Interrupt(Span::millis(3)));
        let mut seen = Vec::new();
        for k in 1..500 {
            seen.extend(events(&mut supply, ms(k * 4)));
            supply.set_load(ms(k * 4), ma((k as i64 * 37) % 300));
        }
        (seen, supply.rail(ms(2_000)), supply.charge(ms(2_000)))
    };
    assert_eq!(story(), story());
}

fn sources() -> impl Strategy<Value = Source> {
    prop_oneof![
        (3_000..6_000i64, 0..2_000u64)
            .prop_map(|(voltage, cable)| Source::Usb { voltage: mv(voltage), cable: Resistance::new(cable * 1_000) }),
        (2_000..6_000i64, 1..1_000i64)
            .prop_map(|(voltage, limit)| Source::Bench { voltage: mv(voltage), current_limit: ma(limit) }),
        (100..3_000u64, 1..100u64).prop_map(|(capacity, percent)| fresh(capacity, percent)),
        (100..3_000u64, 1..100u64).prop_map(|(capacity, percent)| aged(capacity, percent)),
        Just(Source::None),
    ]
}

fn faults() -> impl Strategy<Value = Fault> {
    let rail = prop_oneof![Just(Rail::Logic), Just(Rail::Input)];
    let bump = proptest::option::of((0..4_000i64, 0..4_000i64));
    let brown_out = (rail, 0..4_000i64, 0..500_000u64, 0..100u64, 0..500_000u64, bump).prop_map(
        |(rail, floor, fall, hold, rise, bump)| {
            Fault::BrownOut(BrownOut {
                rail,
                floor: mv(floor),
                fall: Slew::new(fall),
                hold: Span::millis(hold),
                rise: Slew::new(rise),
                bump: bump.map(|(trough, peak)| Bump { trough: mv(trough), peak: mv(peak) }),
            })
        },
    );
    prop_oneof![
        brown_out,
        (0..200u64).prop_map(|span| Fault::Interrupt(Span::millis(span))),
        (0..600i64, 0..200u64).prop_map(|(current, span)| Fault::ExtraLoad(ma(current), Span::millis(span))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn more_load_never_means_a_higher_rail(source in sources(), less in 0..400i64, more in 0..200i64, after in 1..500u64) {
        let rail = |load| {
            let mut supply = Supply::new(SupplyProfile::nrf52840());
            supply.connect(Instant::START, source);
            events(&mut supply, ms(50));
            supply.set_load(ms(50), ma(load));
            // Only until the regulator gives up: a lockout that comes earlier also ends earlier.
            let mut lowest = supply.rail(ms(50));
            while let Some((at, _)) = supply.next_event().filter(|(at, _)| *at <= ms(50 + after)) {
                lowest = lowest.min(supply.rail(at));
                supply.advance(at);
            }
            lowest.min(supply.rail(ms(50 + after)))
        };
        prop_assert!(rail(less + more) <= rail(less));
    }

    #[test]
    fn the_charge_the_cell_lost_is_what_the_load_drew_and_the_capacitors_hold(
        percent in 3..100u64, loads in proptest::collection::vec((0..400i64, 1..5_000u64), 1..20),
    ) {
        let mut supply = powered(SupplyProfile::nrf52840(), fresh(1_000, percent));
        let before = supply.clone().cell.unwrap();
        let held = supply.volts;
        let mut at = supply.now;
        let mut drawn = 0.0;
        for (load, span) in loads {
            supply.set_load(at, ma(load));
            let end = at + Span::millis(span);
            events(&mut supply, end);
            drawn += load as f64 * 1e-3 * span as f64 * 1e-3;
            at = end;
        }
        prop_assert_eq!(supply.chip, ChipPower::Good);
        supply.settle(at.max(supply.now));
        let lost = (before.charge() - supply.cell.unwrap().charge()) * 3600.0;
        let stored = supply.bulk() * (supply.volts - held);
        prop_assert!((lost - drawn - stored).abs() < 1e-6 + 1e-6 * drawn, "lost {lost}, drawn {drawn}, stored {stored}");
    }

    #[test]
    fn no_story_stalls_or_leaves_the_physical_range(
        source in sources(), next in sources(), loads in proptest::collection::vec(0..700i64, 1..30),
        asked in proptest::collection::vec((50..900u64, faults()), 0..4),
    ) {
        let mut supply = Supply::new(SupplyProfile::nrf51822());
        supply.connect(Instant::START, source);
        supply.watch(Instant::START, Some(mv(1_800)));
        let count = asked.len();
        for (at, fault) in asked {
            supply.inject(ms(at), fault);
        }
        let mut turns = 0;
        for (k, load) in loads.iter().enumerate() {
            let until = ms(50 * (k as u64 + 1));
            while let Some((at, _)) = supply.next_event().filter(|(at, _)| *at <= until) {
                supply.advance(at);
                turns += 1;
                prop_assert!(turns < 30_000, "stalls at {at}: {:?}", supply.piece);
                let rail = supply.rail(at).get();
                prop_assert!((0..=6_000_000).contains(&rail), "{rail} uV at {at}");
            }
            supply.set_load(until, ma(*load));
            if k == 10 {
                supply.connect(until, next);
            }
        }
        // A rail that nothing feeds any more takes 4 s to fall to nothing.
        events(&mut supply, ms(8_000));
        prop_assert_eq!(supply.take_achieved().len(), count);
    }

    #[test]
    fn no_quantity_however_absurd_stalls_it(
        volts in any::<i64>(), ohms in any::<u64>(), amps in any::<i64>(), capacity in any::<u64>(), charge in any::<u64>(),
        slew in any::<u64>(), span in any::<u64>(), bulk in any::<u64>(),
    ) {
        let profile = SupplyProfile { bulk: Capacitance::new(bulk), ..SupplyProfile::nrf51822() };
        let absurd = [
            Source::Usb { voltage: Voltage::new(volts), cable: Resistance::new(ohms) },
            Source::Bench { voltage: Voltage::new(volts), current_limit: Current::new(amps) },
            Source::Battery(Battery::aged(Charge::new(capacity), Ratio::new(charge))),
        ];
        let shape = BrownOut {
            rail: Rail::Input,
            floor: Voltage::new(amps),
            fall: Slew::new(slew),
            hold: Span::nanos(span),
            rise: Slew::new(slew),
            bump: None,
        };
        for source in absurd {
            let mut supply = Supply::new(profile);
            supply.connect(ms(1), source);
            supply.inject(ms(3), Fault::BrownOut(shape));
            supply.inject(ms(4), Fault::ExtraLoad(Current::new(amps), Span::nanos(span)));
            supply.set_load(ms(5), Current::new(amps));
            let mut turns = 0;
            while let Some((at, _)) = supply.next_event().filter(|(at, _)| *at <= ms(100)) {
                supply.advance(at);
                turns += 1;
                prop_assert!(turns < 30_000, "stalls at {at}: {:?}", supply.piece);
            }
            supply.flash_time(ms(100), ms(185), supply.flash_range());
        }
    }

    #[test]
    fn a_fork_goes_on_like_the_original(source in sources(), at in 1..300u64, fault in faults()) {
        let mut original = Supply::new(SupplyProfile::nrf52840());
        original.connect(Instant::START, source);
        original.inject(ms(100), fault);
        original.advance(ms(at));
        let mut fork = original.clone();
        prop_assert_eq!(events(&mut original, ms(600)), events(&mut fork, ms(600)));
        prop_assert_eq!(original.rail(ms(600)), fork.rail(ms(600)));
    }
}
