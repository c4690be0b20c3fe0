//! The chip: its address map, its peripherals' common life, and the wires between them.
//!
//! Boundary: implements [`Bus`] for the core. Flash operations only begin here; whoever owns the supply ends them.

use brickproof_units::{Baud, Ratio, Voltage};

use crate::bus::{Activity, Bus, BusFault, Clock, CodePage, Halt, Width};
use crate::chip::{
    BootCode, ConsoleByte, CoreRate, Drive, Level, Pin, PinEdge, PinSet, Ram, ResetCause, SocOptions, Watch, Wire,
    is_aligned,
};
use crate::flash::Flash;
use crate::nrf::Part;
use crate::nrf::entropy::Rng;
use crate::nrf::identity::Identity;
use crate::nrf::peripheral::{EventSet, NEVER, NONE, Peripheral, bits};
use crate::nrf::pins::Pins;
use crate::nrf::power::PowerClock;
use crate::nrf::ppi::Ppi;
use crate::nrf::resources::Resources;
use crate::nrf::rtc::Rtc;
use crate::nrf::thermometer::Thermometer;
use crate::nrf::timer::Timer;
use crate::nrf::twi::{Twi, TwoWireDevice};
use crate::nrf::uart::Uart;
use crate::nrf::usbd::Usbd;
use crate::nrf::watchdog::Watchdog;
use crate::seed::Noise;
use crate::usb::Presence;

mod address;
mod bus_device;
mod unit;

use unit::{PERIPHERALS, PPI, UNITS, Unit, unit_at};

const RAM: u32 = 0x2000_0000;

fn noise_of_rng(seed: u64) -> Noise {
    Noise::at(seed, &[0x4126])
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
    part: Part,
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
    usbd: Usbd,
    ppi: Ppi,
    presence: Presence,
    boot_code: BootCode,
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
    pub fn new(part: Part, options: SocOptions) -> Self {
        let SocOptions { cells, uart, ram, seed, watched } = options;
        let rate = part.rate();
        let resources = Resources::of(part);
        Self {
            part,
            rate,
            flash: Flash::new(part.flash(), cells, seed),
            ram: Ram::new(part.ram_size(), ram, seed),
            identity: Identity::new(part, seed),
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
            usbd: Usbd::new(),
            ppi: Ppi::new(resources.ppi),
            presence: Presence::default(),
            boot_code: BootCode::default(),
            due: [NEVER; UNITS.len()],
            next: NEVER,
            lines: 0,
            activity: Activity::Awake,
            watch: Watch::default(),
            halt: None,
        }
    }

    /// Which part it is.
    pub fn part(&self) -> Part {
        self.part
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
        let (rate, resources) = (self.rate, Resources::of(self.part));
        self.timers = resources.timers.map(|timer| Timer::new(rate, timer));
        self.rtcs = resources.rtc_channels.map(|channels| Rtc::new(rate, channels));
        self.thermometer = Thermometer::new(self.rate);
        self.rng.reset();
        if cause.stops_watchdog() {
            self.watchdog = Watchdog::new(self.rate);
        } else if self.watchdog.is_running() {
            self.power.require_low_frequency();
        }
        self.usbd.reset();
        self.boot_code.stop();
        self.follow_usb(clock.cycle);
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
        self.usbd.reset();
        self.boot_code.stop();
        self.follow_usb(at);
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
        self.part == Part::Nrf52840 && self.flash.read_uicr(0x208) & 0xFF == 0
    }

    /// Feeds the console with a byte whose start bit comes at the cycle `start`; answers the cycle at which it has arrived.
    pub(crate) fn feed_console(&mut self, start: u64, value: u8, rate: Baud, clock: &mut Clock) -> u64 {
        let end = self.uart.wire_mut().feed(start, value, rate);
        self.settle(Unit::Uart, NONE, clock);
        end
    }

    /// Takes the bytes that the console sent.
    pub fn take_console(&mut self) -> Vec<ConsoleByte> {
        self.uart.wire_mut().take_sent()
    }

    /// The console's line.
    pub(crate) fn console(&self) -> &Wire {
        self.uart.wire()
    }

    /// The console's line.
    pub(crate) fn console_mut(&mut self) -> &mut Wire {
        self.uart.wire_mut()
    }

    pub(crate) fn drain_pin_edges(&mut self) -> std::vec::Drain<'_, PinEdge> {
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
            Unit::Usbd => &mut self.usbd,
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
            Unit::Uart if self.uart.wire().wants_attention(self.watch.console) => self.pause(clock),
            Unit::PowerClock => self.follow_power(clock),
            Unit::Watchdog => self.follow_watchdog(clock),
            Unit::Usbd => self.follow_usb(clock.cycle),
            _ => {}
        }
        self.tell_core(lines, next, clock);
    }

    /// What the core has to know of the change from these `lines` and this `next` event to the present ones.
    fn tell_core(&self, lines: u32, next: u64, clock: &mut Clock) {
        if self.lines & !lines != 0 {
            clock.call_attention();
        }
        clock.lines_fell(u64::from(lines & !self.lines));
        if self.next < next {
            clock.expect_event(self.next);
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
        let Some(unit) = unit_at(number, self.part).filter(|_| offset < 0x100) else { return };
        let happened = self.run_task(unit, offset, clock);
        self.refresh(unit);
        self.route(unit, happened, clock, hops + 1);
    }

    fn run_task(&mut self, unit: Unit, offset: u32, clock: &mut Clock) -> EventSet {
        let edges = self.pins.edges().len();
        let mut happened = self.peripheral(unit).task(offset, clock.cycle);
        if unit == Unit::Usbd {
            happened |= self.move_for_usb();
        }
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
            if let (Some(unit), 0x100..=0x17C) = (unit_at(number, self.part), offset) {
                self.peripheral(unit).events().routed |= 1 << ((offset - 0x100) / 4);
            }
        }
        for unit in UNITS {
            self.peripheral(unit).listeners_changed(clock.cycle);
            self.refresh(unit);
        }
        clock.call_attention();
    }
}

impl Bus for Soc {
    #[inline]
    fn fetch(&mut self, address: u32) -> Result<u16, BusFault> {
        if let Some(bytes) = self.read_code(address) {
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
            Width::Byte => self.read_code(address).map(|[byte]| u32::from(byte)),
            Width::Half => self.read_code(address).map(|bytes| u32::from(u16::from_le_bytes(bytes))),
            Width::Word => self.read_code(address).map(u32::from_le_bytes),
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
    fn interrupt_lines(&self) -> u64 {
        u64::from(self.lines)
    }

    #[inline]
    fn halt(&self) -> Option<Halt> {
        self.halt
    }

    #[inline]
    fn code_page(&self, address: u32) -> Option<CodePage<'_>> {
        let page = match self.boot_code.page(address) {
            None => self.flash.code_leaf(address),
            page => page,
        };
        page.map(|(base, bytes)| CodePage { base, bytes })
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
