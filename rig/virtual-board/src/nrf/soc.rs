//! The chip: its address map, its peripherals' common life, and the wires between them.
//!
//! Boundary: implements [`Bus`] for the core. Flash operations only begin here; whoever owns the supply ends them.

use brickproof_units::{Baud, Ratio, Voltage};

use crate::bus::{Activity, Bus, BusFault, Clock, CodePage, Halt, Width};
use crate::flash::{Cells, Flash, FlashOperation, UICR};
use crate::nrf::Chip;
use crate::nrf::entropy::Rng;
use crate::nrf::identity::Identity;
use crate::nrf::peripheral::{EventSet, NEVER, NONE, Peripheral, bits};
use crate::nrf::pins::{Drive, Level, Pin, PinEdge, PinSet, Pins};
use crate::nrf::power::{PowerClock, ResetCause};
use crate::nrf::ppi::Ppi;
use crate::nrf::ram::{Ram, RamAtPowerUp};
use crate::nrf::resources::Resources;
use crate::nrf::rtc::Rtc;
use crate::nrf::thermometer::Thermometer;
use crate::nrf::time::CoreRate;
use crate::nrf::timer::Timer;
use crate::nrf::twi::{Twi, TwoWireDevice};
use crate::nrf::uart::{ConsoleByte, Uart, UartTiming};
use crate::nrf::watchdog::Watchdog;
use crate::seed::Noise;

const RAM: u32 = 0x2000_0000;
const FICR: u32 = 0x1000_0000;
const PERIPHERALS: u32 = 0x4000_0000;
const PPI: u32 = 0x1F;
const NVMC: u32 = 0x1E;

/// A peripheral with tasks and events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Unit {
    PowerClock,
    Uart,
    Twi0,
    Twi1,
    Pins,
    Timer0,
    Timer1,
    Timer2,
    Timer3,
    Timer4,
    Rtc0,
    Rtc1,
    Rtc2,
    Thermometer,
    Rng,
    Watchdog,
}

const UNITS: [Unit; 16] = [
    Unit::PowerClock,
    Unit::Uart,
    Unit::Twi0,
    Unit::Twi1,
    Unit::Pins,
    Unit::Timer0,
    Unit::Timer1,
    Unit::Timer2,
    Unit::Timer3,
    Unit::Timer4,
    Unit::Rtc0,
    Unit::Rtc1,
    Unit::Rtc2,
    Unit::Thermometer,
    Unit::Rng,
    Unit::Watchdog,
];

impl Unit {
    /// Its number in the address map (its base is 0x4000_0000 + 0x1000 times that), which is also its interrupt's.
    const fn number(self) -> u32 {
        match self {
            Self::PowerClock => 0x00,
            Self::Uart => 0x02,
            Self::Twi0 => 0x03,
            Self::Twi1 => 0x04,
            Self::Pins => 0x06,
            Self::Timer0 => 0x08,
            Self::Timer1 => 0x09,
            Self::Timer2 => 0x0A,
            Self::Rtc0 => 0x0B,
            Self::Thermometer => 0x0C,
            Self::Rng => 0x0D,
            Self::Watchdog => 0x10,
            Self::Rtc1 => 0x11,
            Self::Timer3 => 0x1A,
            Self::Timer4 => 0x1B,
            Self::Rtc2 => 0x24,
        }
    }

    const fn base(self) -> u32 {
        PERIPHERALS + (self.number() << 12)
    }

    const fn exists_on(self, chip: Chip) -> bool {
        !matches!(self, Self::Timer3 | Self::Timer4 | Self::Rtc2) || matches!(chip, Chip::Nrf52840)
    }

    /// Its interrupt line as a mask. RTC2's is 36, beyond what an ARMv6-M NVIC has: it is polled.
    const fn line(self) -> u32 {
        if self.number() < 32 { 1 << self.number() } else { 0 }
    }
}

/// Which peripheral answers at a number of the address map.
fn unit_at(number: u32, chip: Chip) -> Option<Unit> {
    // Indexed rather than searched: firmware writes registers in its innermost loops.
    const MAP: [Option<Unit>; 64] = {
        let mut map = [None; 64];
        let mut index = 0;
        while index < UNITS.len() {
            map[UNITS[index].number() as usize] = Some(UNITS[index]);
            index += 1;
        }
        map
    };
    MAP.get(number as usize).copied().flatten().filter(|unit| unit.exists_on(chip))
}

fn noise_of_rng(seed: u64) -> Noise {
    Noise::at(seed, &[0x4126])
}

/// What makes two chips of a kind different.
#[derive(Clone, Copy, Debug)]
pub struct SocOptions {
    /// How flash takes a cut.
    pub cells: Cells,
    /// Whether the console takes time.
    pub uart: UartTiming,
    /// What RAM holds at power-up.
    pub ram: RamAtPowerUp,
    /// Decides every cell, random byte and identity.
    pub seed: u64,
    /// Pins whose changes are logged.
    pub watched: PinSet,
}

/// At which of the chip's doings the core is to pause, so that the board can act.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Watch {
    /// What has left the console.
    pub(crate) console: ConsoleWatch,
    /// Something changed that the supply feels: a watched pin, sleep.
    pub(crate) load: bool,
}

/// At what of the console's output the core is to pause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ConsoleWatch {
    #[default]
    Nothing,
    Byte,
    LineEnd,
}

/// NVMC.CONFIG.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FlashMode {
    Read,
    Write,
    Erase,
}

/// The chip around the core.
#[derive(Clone, Debug)]
pub struct Soc {
    chip: Chip,
    rate: CoreRate,
    flash: Flash,
    ram: Ram,
    identity: Identity,
    flash_mode: FlashMode,
    cache: u32,
    power: PowerClock,
    power_warned: bool,
    uart: Uart,
    twi: [Twi; 2],
    pins: Pins,
    timers: [Timer; 5],
    rtcs: [Rtc; 3],
    thermometer: Thermometer,
    rng: Rng,
    watchdog: Watchdog,
    ppi: Ppi,
    /// Per unit, the cycle at which it must be advanced; `next` is the least of them.
    due: [u64; UNITS.len()],
    next: u64,
    lines: u32,
    activity: Activity,
    watch: Watch,
    halt: Option<Halt>,
}

impl Soc {
    /// A chip that has never been powered, with erased flash.
    pub fn new(chip: Chip, options: SocOptions) -> Self {
        let SocOptions { cells, uart, ram, seed, watched } = options;
        let rate = chip.rate();
        let resources = Resources::of(chip);
        Self {
            chip,
            rate,
            flash: Flash::new(chip.flash(), cells, seed),
            ram: Ram::new(chip.ram_size(), ram, seed),
            identity: Identity::new(chip, seed),
            flash_mode: FlashMode::Read,
            cache: 0,
            power: PowerClock::new(rate),
            power_warned: false,
            uart: Uart::new(rate, uart),
            twi: [Twi::new(rate), Twi::new(rate)],
            pins: Pins::new(rate, resources.pins, watched),
            timers: resources.timers.map(|timer| Timer::new(rate, timer)),
            rtcs: resources.rtc_channels.map(|channels| Rtc::new(rate, channels)),
            thermometer: Thermometer::new(rate),
            rng: Rng::new(rate, noise_of_rng(seed)),
            watchdog: Watchdog::new(rate),
            ppi: Ppi::new(resources.ppi),
            due: [NEVER; UNITS.len()],
            next: NEVER,
            lines: 0,
            activity: Activity::Awake,
            watch: Watch::default(),
            halt: None,
        }
    }

    /// Which part it is.
    pub fn chip(&self) -> Chip {
        self.chip
    }

    /// Its flash.
    pub fn flash(&self) -> &Flash {
        &self.flash
    }

    /// Its flash, to be changed by a programmer or a fault.
    pub fn flash_mut(&mut self) -> &mut Flash {
        &mut self.flash
    }

    /// Lets chance decide anew; the identity stays.
    pub(crate) fn reseed(&mut self, seed: u64) {
        self.flash.reseed(seed);
        self.ram.reseed(seed);
        self.rng.reseed(noise_of_rng(seed));
    }

    /// Copies RAM out without side effects; `None` outside.
    pub fn read_ram(&mut self, address: u32, into: &mut [u8]) -> Option<()> {
        self.ram.copy_out(address.checked_sub(RAM)? as usize, into)
    }

    /// FICR.DEVICEID.
    pub fn device_id(&self) -> [u32; 2] {
        self.identity.device_id()
    }

    /// RESETREAS, as firmware would read it.
    pub fn reset_reasons(&self) -> u32 {
        self.power.reset_reasons()
    }

    /// Puts devices on two-wire bus 0 or 1, in place of those that were there.
    pub fn attach(&mut self, bus: usize, device: Box<dyn TwoWireDevice>) {
        if let Some(twi) = self.twi.get_mut(bus) {
            twi.attach(device);
        }
    }

    /// What the chip does to a pin.
    pub fn drive(&self, pin: Pin) -> Drive {
        self.pins.drive(pin)
    }

    /// The pins that the chip drives high.
    pub(crate) fn pins_driven_high(&self) -> PinSet {
        self.pins.driven_high()
    }

    /// What the core does.
    pub fn activity(&self) -> Activity {
        self.activity
    }

    /// Bytes that the console lost: sent to a receiver that was off or full, or overwritten in TXD.
    pub fn console_bytes_lost(&self) -> u64 {
        self.uart.lost()
    }

    /// Resets the chip, which then starts over. A flash operation under way must have been ended by [`Soc::finish_flash`] before: only
    /// the owner of the supply knows what share of it the cells saw.
    pub fn reset(&mut self, cause: ResetCause, clock: &mut Clock) {
        debug_assert!(self.flash.under_way().is_none(), "a reset tears what is under way");
        self.flash.forget_waiting();
        if cause == ResetCause::PowerOn {
            self.flash.power_up();
            self.ram.power_up();
        }
        self.power.reset(cause);
        self.uart.reset();
        self.twi.iter_mut().for_each(Twi::reset);
        if cause.keeps_pins() {
            self.pins.reset_tasks_and_events(clock.cycle);
        } else {
            self.pins.reset(clock.cycle);
        }
        let (rate, resources) = (self.rate, Resources::of(self.chip));
        self.timers = resources.timers.map(|timer| Timer::new(rate, timer));
        self.rtcs = resources.rtc_channels.map(|channels| Rtc::new(rate, channels));
        self.thermometer = Thermometer::new(self.rate);
        self.rng.reset();
        if cause.stops_watchdog() {
            self.watchdog = Watchdog::new(self.rate);
        } else if self.watchdog.is_running() {
            self.power.require_low_frequency();
        }
        self.ppi = Ppi::new(resources.ppi);
        self.flash_mode = FlashMode::Read;
        self.cache = 0;
        self.power_warned = false;
        self.activity = Activity::Awake;
        self.halt = None;
        UNITS.into_iter().for_each(|unit| self.refresh(unit));
        clock.call_attention();
    }

    /// The power is gone: nothing moves, pins are released.
    pub(crate) fn lose_power(&mut self, at: u64) {
        self.flash.forget_waiting();
        self.pins.reset(at);
        self.halt = Some(Halt::PowerLost);
    }

    pub(crate) fn set_watch(&mut self, watch: Watch) {
        self.watch = watch;
    }

    /// Lets a paused core go on.
    pub fn resume(&mut self) {
        if self.halt == Some(Halt::Paused) {
            self.halt = None;
        }
    }

    pub(crate) fn is_off_requested(&self) -> bool {
        self.power.is_off_requested()
    }

    /// A pin meets its SENSE condition.
    pub(crate) fn detects(&self) -> bool {
        self.pins.detects()
    }

    pub(crate) fn power_fail_threshold(&self) -> Option<Voltage> {
        self.power.power_fail_threshold()
    }

    /// The supply fell to the power-fail threshold.
    pub(crate) fn warn_of_power_failure(&mut self, clock: &mut Clock) {
        self.power_warned = true;
        let happened = self.power.warn();
        self.settle(Unit::PowerClock, happened, clock);
    }

    pub(crate) fn power_failure_cleared(&mut self) {
        self.power_warned = false;
    }

    /// Whether UICR.APPROTECT keeps debuggers out. Only the nRF52840 has it; what the nRF51 has instead (UICR.RBPCONF) is not modelled.
    pub(crate) fn is_protected(&mut self) -> bool {
        self.chip == Chip::Nrf52840 && self.flash.read_uicr(0x208) & 0xFF == 0
    }

    /// Feeds the console with a byte whose start bit comes at the cycle `start`; answers the cycle at which it has arrived.
    pub(crate) fn feed_console(&mut self, start: u64, value: u8, rate: Baud, clock: &mut Clock) -> u64 {
        let end = self.uart.feed(start, value, rate);
        self.settle(Unit::Uart, NONE, clock);
        end
    }

    /// Takes the oldest byte that the console sent.
    pub(crate) fn take_console_byte(&mut self) -> Option<ConsoleByte> {
        self.uart.take_first_sent()
    }

    /// Whether the console sent a line feed since this was last asked.
    pub(crate) fn take_line_end(&mut self) -> bool {
        self.uart.take_line_end()
    }

    /// Takes the bytes that the console sent.
    pub fn take_console(&mut self) -> Vec<ConsoleByte> {
        self.uart.take_sent()
    }

    pub(crate) fn drain_pin_edges(&mut self) -> impl Iterator<Item = PinEdge> + '_ {
        self.pins.drain_edges()
    }

    /// Changes what the outside does to a pin.
    pub(crate) fn drive_from_outside(&mut self, pin: Pin, level: Level, clock: &mut Clock) {
        let happened = self.pins.drive_from_outside(pin, level);
        self.settle(Unit::Pins, happened, clock);
    }

    /// Ends the flash operation under way, fully or with the share that its cells saw. The core can go on unless
    /// [`Soc::begin_waiting_flash`] finds another that it waits for.
    pub fn finish_flash(&mut self, share: Ratio, clock: &mut Clock) {
        self.flash.cut(self.rate.instant(clock.cycle), share);
        clock.call_attention();
    }

    /// Begins the next word of a store of several, if there is one; whether there was.
    pub fn begin_waiting_flash(&mut self, clock: &Clock) -> bool {
        self.flash.begin_waiting(self.rate.instant(clock.cycle)).is_some()
    }

    fn pause(&mut self, clock: &mut Clock) {
        self.halt.get_or_insert(Halt::Paused);
        clock.call_attention();
    }

    fn peripheral(&mut self, unit: Unit) -> &mut dyn Peripheral {
        match unit {
            Unit::PowerClock => &mut self.power,
            Unit::Uart => &mut self.uart,
            Unit::Twi0 => &mut self.twi[0],
            Unit::Twi1 => &mut self.twi[1],
            Unit::Pins => &mut self.pins,
            Unit::Timer0 => &mut self.timers[0],
            Unit::Timer1 => &mut self.timers[1],
            Unit::Timer2 => &mut self.timers[2],
            Unit::Timer3 => &mut self.timers[3],
            Unit::Timer4 => &mut self.timers[4],
            Unit::Rtc0 => &mut self.rtcs[0],
            Unit::Rtc1 => &mut self.rtcs[1],
            Unit::Rtc2 => &mut self.rtcs[2],
            Unit::Thermometer => &mut self.thermometer,
            Unit::Rng => &mut self.rng,
            Unit::Watchdog => &mut self.watchdog,
        }
    }

    /// When a unit is due next, and whether its interrupt line is high.
    #[inline]
    fn look_at(&mut self, unit: Unit) -> (u64, bool) {
        #[inline]
        fn of<P: Peripheral + ?Sized>(peripheral: &mut P) -> (u64, bool) {
            (peripheral.due(), peripheral.events().interrupts())
        }
        match unit {
            // Looked at with every edge of the LED and every byte: without indirect calls.
            Unit::Timer0 => of(&mut self.timers[0]),
            Unit::Uart => of(&mut self.uart),
            _ => of(self.peripheral(unit)),
        }
    }

    /// Takes over a unit's next due cycle and interrupt line.
    fn refresh(&mut self, unit: Unit) {
        let (due, interrupts) = self.look_at(unit);
        let was_due = std::mem::replace(&mut self.due[unit as usize], due);
        if due <= self.next {
            self.next = due;
        } else if was_due == self.next {
            self.next = self.due.iter().copied().min().unwrap_or(NEVER);
        }
        self.lines = if interrupts { self.lines | unit.line() } else { self.lines & !unit.line() };
    }

    /// Follows up on a change in `unit`: its schedule, its interrupt, what its events trigger elsewhere.
    fn settle(&mut self, unit: Unit, happened: EventSet, clock: &mut Clock) {
        let (lines, next) = (self.lines, self.next);
        self.refresh(unit);
        if happened != NONE {
            self.route(unit, happened, clock, 0);
        }
        match unit {
            Unit::Uart if self.console_wants_attention() => self.pause(clock),
            Unit::PowerClock => self.follow_power(clock),
            Unit::Watchdog => self.follow_watchdog(clock),
            _ => {}
        }
        self.tell_core(lines, next, clock);
    }

    /// What the core has to know of the change from these `lines` and this `next` event to the present ones.
    fn tell_core(&self, lines: u32, next: u64, clock: &mut Clock) {
        if self.lines & !lines != 0 {
            clock.call_attention();
        }
        clock.lines_fell(lines & !self.lines);
        if self.next < next {
            clock.expect_event(self.next);
        }
    }

    fn console_wants_attention(&self) -> bool {
        match self.watch.console {
            ConsoleWatch::Nothing => false,
            ConsoleWatch::Byte => self.uart.has_sent(),
            ConsoleWatch::LineEnd => self.uart.has_ended_line(),
        }
    }

    fn follow_power(&mut self, clock: &mut Clock) {
        let low_frequency = self.power.low_frequency();
        self.rtcs.iter_mut().for_each(|rtc| rtc.clock_changed(low_frequency, clock.cycle));
        [Unit::Rtc0, Unit::Rtc1, Unit::Rtc2].into_iter().for_each(|unit| self.refresh(unit));
        if self.power.is_off_requested() {
            self.pause(clock);
        }
    }

    fn follow_watchdog(&mut self, clock: &mut Clock) {
        if self.watchdog.is_running() {
            self.power.require_low_frequency();
        }
        if self.watchdog.bites() {
            self.halt = Some(Halt::Reset);
            clock.call_attention();
        }
    }

    /// Triggers what the PPI wires to the events of `unit`.
    fn route(&mut self, unit: Unit, happened: EventSet, clock: &mut Clock, hops: u32) {
        // Tasks that raise the events that trigger them would go round for ever; on silicon each round takes a cycle.
        const MOST_HOPS: u32 = 8;
        let routed = happened & self.peripheral(unit).events().routed;
        if routed == NONE || hops == MOST_HOPS {
            return;
        }
        for event in bits(routed) {
            for task in self.ppi.tasks_of(unit.base() + 0x100 + 4 * event) {
                self.trigger(task, clock, hops);
            }
        }
    }

    /// Triggers the task whose register is at `address`.
    fn trigger(&mut self, address: u32, clock: &mut Clock, hops: u32) {
        let (number, offset) = (address.wrapping_sub(PERIPHERALS) >> 12, address & 0xFFF);
        if number == PPI {
            self.ppi.write(offset, 1);
            return self.rewire(clock);
        }
        let Some(unit) = unit_at(number, self.chip).filter(|_| offset < 0x100) else { return };
        let happened = self.run_task(unit, offset, clock);
        self.refresh(unit);
        self.route(unit, happened, clock, hops + 1);
    }

    fn run_task(&mut self, unit: Unit, offset: u32, clock: &mut Clock) -> EventSet {
        let edges = self.pins.edges().len();
        let happened = self.peripheral(unit).task(offset, clock.cycle);
        self.follow_pins(edges, clock);
        happened
    }

    /// Lets the board look if a watched pin has changed since there were so many `edges`, and the supply feels it.
    fn follow_pins(&mut self, edges: usize, clock: &mut Clock) {
        if self.watch.load && self.pins.edges().len() != edges {
            self.pause(clock);
        }
    }

    /// Tells every unit which of its events the PPI now watches.
    fn rewire(&mut self, clock: &mut Clock) {
        UNITS.into_iter().for_each(|unit| self.peripheral(unit).events().routed = NONE);
        for address in self.ppi.watched().collect::<Vec<_>>() {
            let (number, offset) = (address.wrapping_sub(PERIPHERALS) >> 12, address & 0xFFF);
            if let (Some(unit), 0x100..=0x17C) = (unit_at(number, self.chip), offset) {
                self.peripheral(unit).events().routed |= 1 << ((offset - 0x100) / 4);
            }
        }
        for unit in UNITS {
            self.peripheral(unit).listeners_changed(clock.cycle);
            self.refresh(unit);
        }
        clock.call_attention();
    }

    fn read_peripheral(&mut self, address: u32, clock: &mut Clock) -> u32 {
        let (number, offset) = ((address - PERIPHERALS) >> 12, address & 0xFFF);
        let Some(unit) = unit_at(number, self.chip) else {
            return match number {
                NVMC => self.read_flash_controller(offset),
                PPI => self.ppi.read(offset),
                _ => 0,
            };
        };
        if let Some(value) = self.peripheral(unit).events().read(offset) {
            return value;
        }
        if offset == 0xFFC {
            // The peripheral's own power switch (nRF51): on.
            return 1;
        }
        let value = self.peripheral(unit).read(offset, clock.cycle);
        // Reading RXD moves the next byte up.
        if offset == 0x518 {
            self.settle(unit, NONE, clock);
        }
        value
    }

    fn write_peripheral(&mut self, address: u32, value: u32, clock: &mut Clock) {
        let (number, offset) = ((address - PERIPHERALS) >> 12, address & 0xFFF);
        let Some(unit) = unit_at(number, self.chip) else {
            return match number {
                NVMC => self.write_flash_controller(offset, value, clock),
                PPI => {
                    self.ppi.write(offset, value);
                    self.rewire(clock);
                }
                _ => {}
            };
        };
        let happened = if offset < 0x100 {
            if value == 0 { NONE } else { self.run_task(unit, offset, clock) }
        } else if self.peripheral(unit).events().write(offset, value).is_some() {
            self.peripheral(unit).listeners_changed(clock.cycle);
            NONE
        } else {
            let edges = self.pins.edges().len();
            let happened = self.peripheral(unit).write(offset, value, clock.cycle);
            self.follow_pins(edges, clock);
            happened
        };
        // POFCON: the comparator is the supply's.
        if unit == Unit::PowerClock && offset == 0x510 {
            self.pause(clock);
        }
        self.settle(unit, happened, clock);
    }

    fn read_flash_controller(&self, offset: u32) -> u32 {
        match offset {
            // READY and READYNEXT: the core stalls while the controller is busy, so that only a debugger sees otherwise.
            0x400 | 0x408 => u32::from(self.flash.under_way().is_none()),
            0x504 => match self.flash_mode {
                FlashMode::Read => 0,
                FlashMode::Write => 1,
                FlashMode::Erase => 2,
            },
            0x540 => self.cache,
            _ => 0,
        }
    }

    fn write_flash_controller(&mut self, offset: u32, value: u32, clock: &mut Clock) {
        let operation = match offset {
            0x504 => {
                self.flash_mode = match value & 3 {
                    1 => FlashMode::Write,
                    2 => FlashMode::Erase,
                    _ => FlashMode::Read,
                };
                return;
            }
            0x540 => return self.cache = value,
            // ERASEPAGE (ERASEPCR1 on the nRF51) and ERASEPCR0: without a protected region they do the same.
            0x508 | 0x510 => FlashOperation::ErasePage { address: value },
            0x50C if value & 1 == 1 => FlashOperation::EraseAll,
            0x514 if value & 1 == 1 => FlashOperation::EraseUicr,
            _ => return,
        };
        if self.flash_mode == FlashMode::Erase {
            self.begin_flash(operation, clock);
        }
    }

    fn begin_flash(&mut self, operation: FlashOperation, clock: &mut Clock) {
        // Below its power-fail threshold the nRF52840 blocks the controller (Nordic's answer in the field, not the specification).
        if self.chip == Chip::Nrf52840 && self.power_warned {
            return;
        }
        if self.flash.begin(operation, self.rate.instant(clock.cycle)).is_some() {
            self.pause(clock);
        }
    }

    #[inline(never)]
    fn read_elsewhere(&mut self, address: u32, width: Width, clock: &mut Clock) -> Result<u32, BusFault> {
        let word = match address {
            FICR..UICR => self.identity.read(address & 0xFFC),
            UICR..0x1000_2000 => self.flash.read_uicr(address & 0xFFC),
            PERIPHERALS..0x4010_0000 => self.read_peripheral(address & !3, clock),
            0x5000_0000..0x6000_0000 => {
                port_register(address).map_or(0, |(port, offset)| self.pins.read_port(port, offset))
            }
            0xF000_0000.. => vendor_rom(address & !3),
            _ => return Err(BusFault),
        };
        let shifted = word >> (8 * (address & 3));
        Ok(match width {
            Width::Byte => shifted & 0xFF,
            Width::Half => shifted & 0xFFFF,
            Width::Word => shifted,
        })
    }

    #[inline(never)]
    fn write_elsewhere(&mut self, address: u32, value: u32, width: Width, clock: &mut Clock) -> Result<(), BusFault> {
        let is_flash = address < self.flash.geometry().size || (UICR..0x1000_2000).contains(&address);
        match address {
            // "Before a write can be performed, the NVMC must be enabled for writing" (nRF52832 product specification, NVMC); no manual
            // says what becomes of one that comes without. It is ignored here, as a debugger's write to a real nRF52 is (pyOCD issue
            // 236: the word keeps its value and nothing faults).
            _ if is_flash && self.flash_mode == FlashMode::Read => {}
            // "Only word-aligned writes are allowed. Byte or half-word-aligned writes will result in a hard fault." (nRF51
            // reference manual v3.0, 6.1.1)
            _ if is_flash && width != Width::Word => return Err(BusFault),
            _ if is_flash && self.flash_mode == FlashMode::Write => {
                self.begin_flash(FlashOperation::Program { address, value }, clock);
            }
            _ if is_flash => {}
            FICR..UICR => {}
            PERIPHERALS..0x4010_0000 => self.write_peripheral(address & !3, value, clock),
            0x5000_0000..0x6000_0000 => self.write_port(address, value, clock),
            0xF000_0000.. => {}
            _ => return Err(BusFault),
        }
        Ok(())
    }

    fn write_port(&mut self, address: u32, value: u32, clock: &mut Clock) {
        let Some((port, offset)) = port_register(address) else { return };
        let edges = self.pins.edges().len();
        let happened = self.pins.write_port(port, offset, value, clock.cycle);
        if happened != NONE {
            self.settle(Unit::Pins, happened, clock);
        }
        self.follow_pins(edges, clock);
    }
}

/// The port and the register at an address from 0x5000_0000 on. P1 begins 0x300 after P0 and its registers keep their offsets, so
/// 0x5000_0504 is P0.OUT and 0x5000_0804 is P1.OUT.
fn port_register(address: u32) -> Option<(usize, u32)> {
    match address & 0x0FFF_FFFC {
        offset @ 0x500..0x800 => Some((0, offset)),
        offset @ 0x800..0xB00 => Some((1, offset - 0x300)),
        _ => None,
    }
}

/// What the vendor's ROM table says to the start-up code of the nRF51 SDK, which asks whether the part is of an early revision that
/// needs its peripherals powered by hand. These are the answers of a third-revision part (recalled from system_nrf51.c), with Nordic's
/// name (JEP106 0x144) for debuggers, which begin to look here.
fn vendor_rom(address: u32) -> u32 {
    match address {
        // The one entry: the ROM table of the core, at 0xE00F_F000.
        0xF000_0000 => 0xF00F_F003,
        0xF000_0FD0 => 0x02,
        0xF000_0FE0 => 0x01,
        0xF000_0FE4 => 0x40,
        0xF000_0FE8 => 0x7C,
        0xF000_0FF0 => 0x0D,
        0xF000_0FF4 => 0x10,
        0xF000_0FF8 => 0x05,
        0xF000_0FFC => 0xB1,
        _ => 0,
    }
}

fn is_aligned(address: u32, width: Width) -> bool {
    match width {
        Width::Byte => true,
        Width::Half => address & 1 == 0,
        Width::Word => address & 3 == 0,
    }
}

impl Bus for Soc {
    #[inline]
    fn fetch(&mut self, address: u32) -> Result<u16, BusFault> {
        if let Some(bytes) = self.flash.read_code(address) {
            return Ok(u16::from_le_bytes(bytes));
        }
        let halfword = self.ram.read(address.wrapping_sub(RAM) as usize, Width::Half);
        halfword.map(|halfword| halfword as u16).ok_or(BusFault)
    }

    #[inline]
    fn read(&mut self, address: u32, width: Width, clock: &mut Clock) -> Result<u32, BusFault> {
        if !is_aligned(address, width) {
            return Err(BusFault);
        }
        if let Some(value) = self.ram.read(address.wrapping_sub(RAM) as usize, width) {
            return Ok(value);
        }
        let code = match width {
            Width::Byte => self.flash.read_code(address).map(|[byte]| u32::from(byte)),
            Width::Half => self.flash.read_code(address).map(|bytes| u32::from(u16::from_le_bytes(bytes))),
            Width::Word => self.flash.read_code(address).map(u32::from_le_bytes),
        };
        match code {
            Some(value) => Ok(value),
            None => self.read_elsewhere(address, width, clock),
        }
    }

    #[inline]
    fn write(&mut self, address: u32, value: u32, width: Width, clock: &mut Clock) -> Result<(), BusFault> {
        if !is_aligned(address, width) {
            return Err(BusFault);
        }
        if self.ram.write(address.wrapping_sub(RAM) as usize, value, width).is_some() {
            return Ok(());
        }
        self.write_elsewhere(address, value, width, clock)
    }

    #[inline]
    fn next_event(&self) -> u64 {
        self.next
    }

    fn tick(&mut self, clock: &mut Clock) {
        let now = clock.cycle;
        while self.next <= now {
            let due = self.next;
            let Some(unit) = UNITS.into_iter().find(|unit| self.due[*unit as usize] == due) else { return };
            // Devices live at the cycle of their own event, also when the core was stalled past it.
            clock.cycle = due;
            let happened = self.peripheral(unit).advance(due);
            self.settle(unit, happened, clock);
        }
        clock.cycle = now;
    }

    #[inline]
    fn interrupt_lines(&self) -> u32 {
        self.lines
    }

    #[inline]
    fn halt(&self) -> Option<Halt> {
        self.halt
    }

    #[inline]
    fn code_page(&self, address: u32) -> Option<CodePage<'_>> {
        self.flash.code_leaf(address).map(|(base, bytes)| CodePage { base, bytes })
    }

    #[inline]
    fn plain_memory(&mut self, address: u32, len: usize) -> Option<&mut [u8]> {
        self.ram.powered_mut(address.wrapping_sub(RAM) as usize, len)
    }

    fn activity_changed(&mut self, activity: Activity, clock: &mut Clock) {
        self.activity = activity;
        if self.watchdog.heeds_sleep() {
            self.watchdog.activity_changed(activity, clock.cycle);
            self.refresh(Unit::Watchdog);
        }
        if self.watch.load {
            self.pause(clock);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
