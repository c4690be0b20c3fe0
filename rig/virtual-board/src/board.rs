//! A whole board: a chip and its core, what is wired to its pins, and the supply that all of it lives on.
//!
//! Boundary: the life of the board on one clock. It boots when its supply is good, runs, is reset, loses its power and comes back;
//! what it emits is taken from it, stamped. It knows no scenario and no verdict.

mod bootloader;
mod debugged;
mod life;
mod load;
#[cfg(test)]
mod tests;

use brickproof_units::{Baud, Current, Instant, Ratio, Span, Voltage};

use crate::bus::{Bus, Halt};
use crate::chip::{
    Chip, ConsoleByte, ConsoleWatch, Drive, Level, Pin, PinEdge, RamAtPowerUp, Soc, SocOptions, UartTiming, Watch,
};
use crate::core::{Core, CoreOptions, Stop};
use crate::flash::{COMPLETE, Cells, CutPoint, Flash, FlashCut, FlashRecord, OutsideFlash};
use crate::nrf::TwoWireDevice;
use crate::supply::{Achieved, Fault, FaultId, FlashRange, Passage, Source, Supply, SupplyEvent, SupplyProfile};

pub use crate::chip::ResetCause;
pub use bootloader::BootButton;
pub(crate) use debugged::Refused;
pub use life::{BoardState, LifeEvent, LifeRecord};
pub use load::{Consumption, WiredPin};

use debugged::Debugger;
use life::{Life, ResetLine};
use load::FlashRide;

/// What a board is made of.
#[derive(Clone, Debug)]
pub struct BoardConfig {
    /// The part.
    pub chip: Chip,
    /// How flash takes a cut.
    pub cells: Cells,
    /// Whether console bytes take time.
    pub uart: UartTiming,
    /// What RAM holds at power-up.
    pub ram: RamAtPowerUp,
    /// Decides everything that is left to chance.
    pub seed: u64,
    /// Regulator, capacitance and thresholds.
    pub supply: SupplyProfile,
    /// What is plugged in at first.
    pub source: Source,
    /// What the chip draws.
    pub consumption: Consumption,
    /// Pins with something on them; their edges are logged.
    pub pins: Vec<WiredPin>,
    /// The rate at which the other end of the console sends.
    pub console_rate: Baud,
    /// Whether the board keeps a record of its flash operations and of its life.
    pub records: Records,
    /// The button of its bootloader, which runs from a copy of the image that it was made with; `None`: it has no bootloader.
    pub boot_button: Option<BootButton>,
}

/// Whether a board keeps the records that [`Board::take_flash_log`] and [`Board::take_life_log`] take. They grow until they are taken,
/// and every clone copies them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Records {
    /// It keeps them.
    #[default]
    Kept,
    /// It forgets them at once: nobody will ask.
    Dropped,
}

impl BoardConfig {
    /// A board with a red, green and blue LED on P0.13 to P0.15, of an STM32 PA1 to PA3 (5 mA each, assumed), fed from USB, its console at
    /// 115200 baud.
    pub fn new(chip: Chip) -> Self {
        let led = |pin| WiredPin { pin, when_high: Current::new(5_000) };
        let (supply, leds) = match chip {
            Chip::Nrf51822 => (SupplyProfile::nrf51822(), [13, 14, 15].map(Pin::p0)),
            Chip::Nrf52840 => (SupplyProfile::nrf52840(), [13, 14, 15].map(Pin::p0)),
            Chip::Stm32f205 => (SupplyProfile::stm32f205(), [1, 2, 3].map(Pin::pa)),
        };
        Self {
            chip,
            cells: Cells::default(),
            uart: UartTiming::default(),
            ram: RamAtPowerUp::default(),
            seed: 0,
            supply,
            source: Source::Usb { voltage: Voltage::new(5_000_000), cable: brickproof_units::Resistance::new(200_000) },
            consumption: Consumption::of(chip),
            pins: leds.map(led).to_vec(),
            console_rate: Baud::new(115_200),
            records: Records::default(),
            boot_button: None,
        }
    }
}

/// Whether a source is a USB port with enough for the chip to see it: 4.0 V, of 3.4 V to 4.3 V that the nRF52840 is specified for (recalled). An
/// interruption of the source that the chip lives through does not take it from the bus (assumption).
fn has_bus_power(source: Source) -> bool {
    const SEEN: Voltage = Voltage::new(4_000_000);
    matches!(source, Source::Usb { voltage, .. } if voltage >= SEEN)
}

/// What a run stops for besides its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PauseOn {
    /// Nothing; what was emitted is taken later.
    #[default]
    Nothing,
    /// Every byte that the console sent.
    ConsoleByte,
    /// Every line feed that the console sent; its bytes are taken later.
    ConsoleLine,
}

impl From<PauseOn> for ConsoleWatch {
    fn from(pause_on: PauseOn) -> Self {
        match pause_on {
            PauseOn::Nothing => Self::Nothing,
            PauseOn::ConsoleByte => Self::Byte,
            PauseOn::ConsoleLine => Self::LineEnd,
        }
    }
}

/// Why a run stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// The instant asked for was reached, or passed by less than an instruction.
    Reached,
    /// This byte has left the console. It is taken by this and not by [`Board::take_console`].
    ConsoleByte(ConsoleByte),
    /// A line feed has left the console. It and the bytes before it wait for [`Board::take_console`].
    ConsoleLine,
    /// The rail passed the watched level then. It waits for [`Board::drain_rail_passages`], and no run gets anywhere before.
    RailPassage(Instant),
    /// The aimed cut removed the power. [`Board::power_on`] brings it back.
    PowerCut,
    /// Nothing will ever happen by itself, and the end asked for is never.
    Quiet,
}

/// A virtual board. A clone goes its own way from the same state; what both do not change they share.
#[derive(Clone, Debug)]
pub struct Board {
    core: Core,
    soc: Soc,
    supply: Supply,
    life: Life,
    reset_line: ResetLine,
    pause_on: PauseOn,
    aim: Option<FlashCut>,
    /// The aimed cut has fallen and no run has told so yet.
    cut_unseen: bool,
    ride: FlashRide,
    consumption: Consumption,
    pins: Vec<WiredPin>,
    load: Current,
    power_fail: Option<Voltage>,
    power_on_delay: Span,
    console_rate: Baud,
    records: Records,
    boot_button: Option<BootButton>,
    boots: u64,
    debugger: Debugger,
    log: Vec<LifeRecord>,
}

impl Board {
    /// A board with `image` at the beginning of its flash and its source just plugged in: the clock is at the start and the rail
    /// begins to rise.
    pub fn new(config: BoardConfig, image: &[u8]) -> Result<Self, OutsideFlash> {
        let BoardConfig { chip, cells, uart, ram, seed, supply: profile, source, .. } = config;
        let BoardConfig { consumption, pins, console_rate, records, boot_button, .. } = config;
        let watched = pins.iter().map(|wired| wired.pin).collect();
        let mut soc = Soc::new(chip, SocOptions { cells, uart, ram, seed, watched });
        let first = soc.flash().geometry().base;
        soc.flash_mut().write_raw(first, image)?;
        if boot_button.is_some() {
            soc.boot_code_mut().keep(image);
        }
        soc.set_bus_power(has_bus_power(source), 0);
        // The wired pins may draw more than the supply was laid out for; it must know, to feel it.
        let heaviest_load = profile.heaviest_load.max(load::heaviest(consumption, &pins));
        let mut supply = Supply::new(SupplyProfile { heaviest_load, ..profile });
        supply.connect(Instant::START, source);
        // No debugger is attached yet: BKPT faults and a lock-up resets the chip.
        let core = Core::new(CoreOptions { halting_debug: false, ..chip.core() });
        Ok(Self {
            core,
            soc,
            supply,
            life: Life::Off,
            reset_line: ResetLine::Released,
            pause_on: PauseOn::Nothing,
            aim: None,
            cut_unseen: false,
            ride: FlashRide::begin(Instant::START, Instant::START, profile.flash),
            consumption,
            pins,
            load: Current::new(0),
            power_fail: None,
            power_on_delay: profile.power_on_delay,
            console_rate,
            records,
            boot_button,
            boots: 0,
            debugger: Debugger::default(),
            log: Vec::new(),
        })
    }

    /// The board's clock. It goes on while the board is off.
    pub fn now(&self) -> Instant {
        self.instant(self.core.clock.cycle)
    }

    /// Lets time pass until `until`, or until something happens that [`Board::pause_on`] or [`Board::watch_rail`] asked for.
    pub fn run_until(&mut self, until: Instant) -> Pause {
        let end = self.cycle(until);
        loop {
            if self.take_due_supply_event() {
                continue;
            }
            if let Some(pause) = self.pending_pause() {
                return pause;
            }
            if std::mem::take(&mut self.cut_unseen) {
                return Pause::PowerCut;
            }
            if self.core.clock.cycle >= end {
                return Pause::Reached;
            }
            let bound = end.min(self.next_supply_cycle());
            match self.life {
                Life::Running => {
                    if self.run_chip(bound) == Some(Stop::Asleep) && bound == u64::MAX {
                        return Pause::Quiet;
                    }
                }
                // Only a debugger begins a flash operation that the core does not wait for.
                Life::Starting { .. } | Life::Held { .. } | Life::SystemOff
                    if self.soc.flash().under_way().is_some() =>
                {
                    self.ride_flash(bound);
                    self.report_load();
                }
                Life::Starting { due, cause } => {
                    self.core.clock.cycle = bound.min(due);
                    if due <= bound {
                        self.boot(cause);
                    }
                }
                Life::Off | Life::Cut | Life::Held { .. } | Life::SystemOff if bound == u64::MAX => {
                    return Pause::Quiet;
                }
                Life::Off | Life::Cut | Life::Held { .. } | Life::SystemOff => self.core.clock.cycle = bound,
            }
        }
    }

    /// Before this instant nothing happens by itself, if nobody touches the board: it may be left alone until then. That is now while
    /// the core executes, and never if only a touch can wake it.
    pub fn next_due(&self) -> Instant {
        let cycle = match self.life {
            // Also one that a debugger began while the chip did not run.
            _ if self.soc.flash().under_way().is_some() => self.core.clock.cycle,
            Life::Running => self.core.next_due(&self.soc),
            Life::Starting { due, .. } => due,
            Life::Off | Life::Cut | Life::Held { .. } | Life::SystemOff => u64::MAX,
        };
        match cycle.min(self.next_supply_cycle()) {
            u64::MAX => Instant::NEVER,
            cycle => self.instant(cycle.max(self.core.clock.cycle)),
        }
    }

    /// Chooses what a run stops for.
    pub fn pause_on(&mut self, what: PauseOn) {
        self.pause_on = what;
        // Lines that ended while nobody asked are no news.
        self.soc.take_line_end();
    }

    /// Sends a byte to the chip's console. Its start bit comes at `at`, or now if that is past, or when the byte before it has
    /// ended. Answers when it will have arrived.
    pub fn console_input(&mut self, at: Instant, byte: u8) -> Instant {
        let start = self.cycle(at).max(self.core.clock.cycle);
        let end = self.soc.feed_console(start, byte, self.console_rate, &mut self.core.clock);
        self.instant(end)
    }

    /// Takes the bytes that the console sent.
    pub fn take_console(&mut self) -> Vec<ConsoleByte> {
        self.soc.take_console()
    }

    /// Takes the edges of the wired pins.
    pub fn take_pin_edges(&mut self) -> Vec<PinEdge> {
        self.drain_pin_edges().collect()
    }

    /// Takes the edges of the wired pins one by one, without an allocation: an LED makes a thousand a second.
    pub fn drain_pin_edges(&mut self) -> impl Iterator<Item = PinEdge> + '_ {
        self.soc.drain_pin_edges()
    }

    /// Takes the record of flash operations.
    pub fn take_flash_log(&mut self) -> Vec<FlashRecord> {
        self.soc.flash_mut().take_log()
    }

    /// Takes the record of boots, resets and losses of power.
    pub fn take_life_log(&mut self) -> Vec<LifeRecord> {
        std::mem::take(&mut self.log)
    }

    /// Does something to a pin from outside.
    pub fn set_pin(&mut self, pin: Pin, level: Level) {
        self.soc.drive_from_outside(pin, level, &mut self.core.clock);
        self.wake_if_sensed();
    }

    /// What the chip does to a pin.
    pub fn drive(&self, pin: Pin) -> Drive {
        self.soc.drive(pin)
    }

    /// Plugs in another source, now.
    pub fn connect(&mut self, source: Source) {
        self.follow_ride(self.now());
        self.supply.connect(self.now(), source);
        self.soc.set_bus_power(has_bus_power(source), self.core.clock.cycle);
    }

    /// Schedules a fault of the supply for `at`, now or later.
    pub fn inject(&mut self, at: Instant, fault: Fault) -> FaultId {
        self.follow_ride(self.now());
        self.supply.inject(at.max(self.now()), fault)
    }

    /// Takes the supply faults that have ended.
    pub fn take_achieved(&mut self) -> Vec<Achieved> {
        self.supply.take_achieved()
    }

    /// The rail, now.
    pub fn rail(&self) -> Voltage {
        self.supply.rail(self.now())
    }

    /// Watches whether the rail passes `level`, or stops to: a run pauses where it does. What the rail is now is no passage.
    pub fn watch_rail(&mut self, level: Option<Voltage>) {
        self.follow_ride(self.now());
        self.supply.watch(self.now(), level);
    }

    /// Takes the passages of the watched level.
    pub fn drain_rail_passages(&mut self) -> impl Iterator<Item = Passage> + '_ {
        self.supply.drain_passages()
    }

    /// The current that chip and pins draw now.
    pub fn current(&self) -> Current {
        self.present_load()
    }

    /// The supply, to be looked at.
    pub fn supply(&self) -> &Supply {
        &self.supply
    }

    /// Removes the power at exactly one place of one flash operation; the run that gets there stops with [`Pause::PowerCut`]. One
    /// cut at a time: a new one replaces the old.
    pub fn aim(&mut self, cut: FlashCut) {
        self.aim = Some(cut);
    }

    /// Lets chance decide anew from here on: how cells take a cut and read, what RAM holds at a power-up, what the random number
    /// generator gives. The chip stays the one it is.
    pub fn reseed(&mut self, seed: u64) {
        self.soc.reseed(seed);
    }

    /// How the cells of the flash take a cut from here on. What earlier cuts left stays.
    pub fn set_cells(&mut self, cells: Cells) {
        self.soc.flash_mut().set_cells(cells);
    }

    /// The flash.
    pub fn flash(&self) -> &Flash {
        self.soc.flash()
    }

    /// Puts bytes into flash as a programmer would, in no time.
    pub fn write_flash(&mut self, address: u32, bytes: &[u8]) -> Result<(), OutsideFlash> {
        self.soc.flash_mut().write_raw(address, bytes)
    }

    /// Takes the flash of another board of this part: what it holds, how worn it is, how its cells are. The board must not have had power yet.
    pub fn take_flash(&mut self, flash: Flash) {
        *self.soc.flash_mut() = flash;
    }

    /// Copies RAM out; `None` outside.
    pub fn read_ram(&mut self, address: u32, into: &mut [u8]) -> Option<()> {
        self.soc.read_ram(address, into)
    }

    /// The core, to be looked at.
    pub fn core(&self) -> &Core {
        &self.core
    }

    /// The chip, to be looked at.
    pub fn soc(&self) -> &Soc {
        &self.soc
    }

    /// Puts devices on two-wire bus 0 or 1.
    pub fn attach(&mut self, bus: usize, device: Box<dyn TwoWireDevice>) {
        self.soc.attach(bus, device);
    }

    fn instant(&self, cycle: u64) -> Instant {
        self.soc.chip().rate().instant(cycle)
    }

    fn cycle(&self, instant: Instant) -> u64 {
        self.soc.chip().rate().cycle_at(instant)
    }

    fn next_supply_cycle(&self) -> u64 {
        self.supply.next_event().map_or(u64::MAX, |(due, _)| self.cycle(due))
    }

    fn pending_pause(&mut self) -> Option<Pause> {
        let console = match self.pause_on {
            PauseOn::Nothing => None,
            PauseOn::ConsoleByte => self.soc.take_console_byte().map(Pause::ConsoleByte),
            PauseOn::ConsoleLine => self.soc.take_line_end().then_some(Pause::ConsoleLine),
        };
        console.or_else(|| self.supply.first_passage().map(Pause::RailPassage))
    }

    /// Acts on the supply's next event if it is due; whether it was.
    fn take_due_supply_event(&mut self) -> bool {
        let Some((due, event)) = self.supply.next_event() else { return false };
        if self.cycle(due) > self.core.clock.cycle {
            return false;
        }
        self.follow_ride(due);
        self.supply.advance(due);
        match event {
            SupplyEvent::BrownOutReset => self.brown_out(),
            SupplyEvent::PowerOnReset => self.power_good(),
            SupplyEvent::PowerFailWarning => self.soc.warn_of_power_failure(&mut self.core.clock),
            SupplyEvent::PowerFailCleared => self.soc.power_failure_cleared(),
            SupplyEvent::Turn => {}
        }
        true
    }

    /// Acts on everything that the supply has done by now. Whoever is about to change the supply does this first: it takes what is due with
    /// the change, and a loss of power in the cycle in which a flash operation ends would be lost itself.
    fn catch_up_with_supply(&mut self) {
        while self.take_due_supply_event() {}
    }

    /// Runs the chip to `bound` or until the board has something to do. Answers what stopped the core, if it ran.
    fn run_chip(&mut self, bound: u64) -> Option<Stop> {
        let load = self.supply.feels_load();
        self.soc.set_watch(Watch { console: self.pause_on.into(), load });
        self.soc.resume();
        let stop = if self.soc.flash().under_way().is_some() {
            self.ride_flash(bound);
            None
        } else {
            let stop = self.soc.run(&mut self.core, bound);
            // Every store of ARMv6-M is one halfword long.
            self.begin_ride(self.core.pc().wrapping_sub(2));
            Some(self.act_on(stop, bound))
        };
        self.report_load();
        stop
    }

    /// Acts on what stopped the core. Answers what it comes to.
    #[inline]
    fn act_on(&mut self, stop: Stop, bound: u64) -> Stop {
        match stop {
            Stop::Reached | Stop::Debugged => {}
            Stop::Breakpoint(_) => self.core.halt_at_breakpoint(&mut self.soc),
            Stop::Halted(Halt::Paused) => self.look(),
            Stop::Halted(Halt::Reset) => self.begin_reset(ResetCause::Watchdog),
            Stop::Halted(Halt::PowerLost) => self.life = Life::Off,
            Stop::Lockup { .. } if self.debugger.is_present() || !self.soc.chip().lockup_resets() => {
                return self.stay_locked_up(bound);
            }
            Stop::Lockup { .. } => self.begin_reset(ResetCause::Lockup),
            Stop::ResetRequested => self.begin_reset(ResetCause::Software),
            // For ever, if no end was asked for: then time stands still, so that whoever wakes the core finds it now and not never.
            Stop::Asleep if bound == u64::MAX => {}
            Stop::Asleep => self.core.clock.cycle = bound,
        }
        stop
    }

    /// The chip paused for the board: finds out why.
    #[inline]
    fn look(&mut self) {
        self.catch_up_with_supply();
        let power_fail = self.soc.power_fail_threshold();
        if power_fail != self.power_fail {
            self.power_fail = power_fail;
            // The comparator begins anew: if the rail is below the new threshold too, it warns again.
            self.soc.power_failure_cleared();
            self.supply.set_power_fail(self.now(), power_fail);
        }
        self.follow_brown_out();
        if self.soc.is_off_requested() {
            self.life = Life::SystemOff;
            self.record(LifeEvent::SystemOff);
            self.wake_if_sensed();
        }
    }

    /// The chip says itself at which rail it is reset, if it is one that does.
    fn follow_brown_out(&mut self) {
        if let Some(brown_out) = self.soc.brown_out() {
            self.follow_ride(self.now());
            self.supply.set_brown_out(self.now(), brown_out);
        }
    }

    /// Follows the flash operation that the instruction at `pc` has just begun, if it has.
    fn begin_ride(&mut self, pc: u32) {
        if let Some(under_way) = self.soc.flash().under_way() {
            self.soc.flash_mut().attribute(pc);
            let range = under_way.rail.map_or(self.supply.flash_range(), FlashRange::of_minimum);
            self.ride = FlashRide::begin(under_way.start, self.now(), range);
        }
    }

    /// Counts what the flash operation under way, if there is one, has got of the supply, which is about to change. Nothing else
    /// counts it, so that it makes no difference how a run is cut into pieces.
    fn follow_ride(&mut self, until: Instant) {
        if self.soc.flash().under_way().is_some() {
            self.ride.go_on(&self.supply, until);
        }
    }

    /// The share of its effective time that the flash operation under way has got until now.
    fn share_of_ride(&mut self, needed: Span) -> Ratio {
        self.follow_ride(self.now());
        self.ride.share(needed)
    }

    pub(super) fn finish_flash(&mut self, share: Ratio) {
        self.soc.finish_flash(share, &mut self.core.clock);
        if self.records == Records::Dropped {
            self.soc.flash_mut().forget_log();
        }
    }

    /// Lets a flash operation go on, at most to `bound`, while the core stalls.
    #[inline]
    fn ride_flash(&mut self, bound: u64) {
        let Some(under_way) = self.soc.flash().under_way() else { return };
        let aimed = self.aim.filter(|cut| cut.operation == under_way.index).map(|cut| cut.at);
        let lasts = aimed.map_or(under_way.needed, |at| at.time_into(under_way.needed));
        let end = self.cycle(under_way.start + lasts).max(self.core.clock.cycle);
        self.core.clock.cycle = end.min(bound).min(self.soc.next_event()).max(self.core.clock.cycle);
        self.soc.tick(&mut self.core.clock);
        if self.soc.halt() == Some(Halt::Reset) {
            return self.begin_reset(ResetCause::Watchdog);
        }
        if self.core.clock.cycle < end {
            return;
        }
        // The place is exact; the clock only came to the next whole cycle.
        let share = self.share_of_ride(under_way.needed).min(aimed.map_or(COMPLETE, CutPoint::share));
        self.finish_flash(share);
        if aimed.is_some() {
            self.cut_power();
        } else if self.soc.begin_waiting_flash(&self.core.clock) {
            self.begin_ride(under_way.pc);
        }
    }

    fn report_load(&mut self) {
        if self.present_load() == self.load {
            return;
        }
        self.catch_up_with_supply();
        let load = self.present_load();
        if load != self.load {
            self.load = load;
            if self.supply.feels_load() {
                self.follow_ride(self.now());
            }
            self.supply.set_load(self.now(), load);
        }
    }

    fn present_load(&self) -> Current {
        let chip = match self.life {
            Life::Running => self.consumption.core(self.soc.activity()),
            Life::Off | Life::Cut => return Current::new(0),
            Life::Starting { .. } | Life::Held { .. } | Life::SystemOff => self.consumption.off,
        };
        let flash = if self.soc.flash().under_way().is_some() { self.consumption.flash.get() } else { 0 };
        // Also in System OFF, through which pins stay driven.
        let high = self.soc.pins_driven_high();
        let lit = self.pins.iter().filter(|wired| high.contains(wired.pin));
        let pins: i64 = lit.map(|wired| wired.when_high.get()).sum();
        Current::new(chip.get() + flash + pins)
    }
}
