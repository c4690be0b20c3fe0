//! The chip: its address map, its peripherals' common life, and the wires between them.
//!
//! Boundary: implements [`Bus`] for the core. Flash operations only begin here; whoever owns the supply ends them.

use brickproof_units::{Baud, Ratio, Voltage};

use super::backup::Backup;
use super::flash_controller::{Asked, FlashController};
use super::gpio::{Gpio, PORTS};
use super::iwdg::Watchdog;
use super::otg::Otg;
use super::rcc::{Clocks, Gate};
use super::rng::Rng;
use super::timer::Timer;
use super::usart::Usart;
use super::{NEVER, RAM_SIZE, RATE};
use crate::bus::{Activity, Bus, BusFault, Clock, CodePage, Halt, Width};
use crate::chip::{
    BootCode, ConsoleByte, Drive, Level, Pin, PinEdge, PinSet, Ram, ResetCause, SocOptions, Watch, Wire, is_aligned,
};
use crate::flash::{Flash, FlashGeometry};
use crate::seed::Noise;
use crate::supply::{Hysteresis, SupplyProfile};
use crate::usb::Presence;

mod bus_device;

const RAM: u32 = 0x2000_0000;
/// The bit by which the two places of the flash differ: with BOOT0 low it is at 0 as well (RM0033, 2.4).
const FLASH_PLACE: u32 = 0x0800_0000;
const FLASH: FlashGeometry = FlashGeometry::STM32F205;

const SYSTEM_MEMORY: std::ops::Range<u32> = 0x1FFF_0000..0x1FFF_7A10;
const UNIQUE_ID: u32 = 0x1FFF_7A10;
/// In KiB, in the upper half of this word.
const FLASH_SIZE: u32 = 0x1FFF_7A20;
const OPTION_BYTES: u32 = 0x1FFF_C000;

const TIMERS: u32 = 0x4000_0000;
const RTC: u32 = 0x4000_2800;
const IWDG: u32 = 0x4000_3000;
const PWR: u32 = 0x4000_7000;
const USART1: u32 = 0x4001_1000;
const GPIO: u32 = 0x4002_0000;
const GPIO_END: u32 = GPIO + 0x400 * PORTS as u32;
const RCC: u32 = 0x4002_3800;
const FLASH_REGISTERS: u32 = 0x4002_3C00;
const OTG: u32 = 0x5000_0000;
const OTG_END: u32 = 0x5004_0000;
const RNG: u32 = 0x5006_0800;

/// A peripheral that does something by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
enum Unit {
    Tim2,
    Tim3,
    Tim4,
    Tim5,
    Usart1,
    Watchdog,
}

const UNITS: [Unit; 6] = [Unit::Tim2, Unit::Tim3, Unit::Tim4, Unit::Tim5, Unit::Usart1, Unit::Watchdog];
const TIMER_UNITS: [Unit; 4] = [Unit::Tim2, Unit::Tim3, Unit::Tim4, Unit::Tim5];
/// The interrupt of FLASH.
const FLASH_LINE: u64 = 1 << 4;

impl Unit {
    /// Its interrupt line as a mask. TIM5's is 50, beyond those that exist here: it is polled.
    const fn line(self) -> u64 {
        match self {
            Self::Tim2 => 1 << 28,
            Self::Tim3 => 1 << 29,
            Self::Tim4 => 1 << 30,
            Self::Usart1 => 1 << 37,
            Self::Tim5 | Self::Watchdog => 0,
        }
    }
}

fn timers() -> [Timer; 4] {
    [32, 16, 16, 32].map(Timer::new)
}

fn noise_of_rng(seed: u64) -> Noise {
    Noise::at(seed, &[0x57A1])
}

/// The chip around the core.
#[derive(Clone, Debug)]
pub struct Soc {
    flash: Flash,
    ram: Ram,
    unique_id: [u32; 3],
    controller: FlashController,
    clocks: Clocks,
    gpio: Gpio,
    timers: [Timer; 4],
    usart: Usart,
    rng: Rng,
    watchdog: Watchdog,
    backup: Backup,
    otg: Otg,
    presence: Presence,
    boot_code: BootCode,
    /// Per unit, the cycle at which it must be advanced; `next` is the least of them.
    due: [u64; UNITS.len()],
    next: u64,
    lines: u64,
    activity: Activity,
    watch: Watch,
    halt: Option<Halt>,
}

impl Soc {
    /// A chip that has never been powered, with erased flash and the option bytes that ST delivers.
    pub fn new(options: SocOptions) -> Self {
        let SocOptions { cells, uart, ram, seed, watched } = options;
        let flash = Flash::new(FLASH, cells, seed);
        let mut noise = Noise::at(seed, &[0x1FFF_7A10]);
        Self {
            controller: FlashController::new(&flash),
            flash,
            ram: Ram::new(RAM_SIZE, ram, seed),
            unique_id: [(); 3].map(|()| noise.bits() as u32),
            clocks: Clocks::new(),
            gpio: Gpio::new(watched),
            timers: timers(),
            usart: Usart::new(uart),
            rng: Rng::new(noise_of_rng(seed)),
            watchdog: Watchdog::new(),
            backup: Backup::default(),
            otg: Otg::new(),
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

    /// Its flash.
    #[inline]
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

    /// U_ID.
    pub fn unique_id(&self) -> [u32; 3] {
        self.unique_id
    }

    /// RCC_CSR's reset flags.
    pub fn reset_reasons(&self) -> u32 {
        self.clocks.reset_flags()
    }

    /// What the chip does to a pin.
    pub fn drive(&self, pin: Pin) -> Drive {
        self.gpio.drive(pin)
    }

    /// The pins that the chip drives high.
    pub(crate) fn pins_driven_high(&self) -> PinSet {
        self.gpio.driven_high()
    }

    /// What the core does.
    pub fn activity(&self) -> Activity {
        self.activity
    }

    /// Takes the bytes that the console sent.
    pub fn take_console(&mut self) -> Vec<ConsoleByte> {
        self.usart.wire_mut().take_sent()
    }

    /// The console's line.
    pub(crate) fn console(&self) -> &Wire {
        self.usart.wire()
    }

    /// The console's line.
    pub(crate) fn console_mut(&mut self) -> &mut Wire {
        self.usart.wire_mut()
    }

    /// Resets the chip, which then starts over. A flash operation under way must have been ended before.
    pub fn reset(&mut self, cause: ResetCause, clock: &mut Clock) {
        debug_assert!(self.flash.under_way().is_none(), "a reset tears what is under way");
        self.flash.forget_waiting();
        if cause == ResetCause::PowerOn {
            self.flash.power_up();
            self.ram.power_up();
            self.backup.power_up();
        }
        self.controller = FlashController::new(&self.flash);
        self.clocks.reset(cause);
        self.gpio.reset(clock.cycle);
        self.timers = timers();
        self.usart.reset();
        self.rng.reset();
        self.watchdog = Watchdog::new();
        self.leave_usb(clock.cycle);
        self.activity = Activity::Awake;
        self.halt = None;
        self.lines = 0;
        UNITS.into_iter().for_each(|unit| self.refresh(unit));
        clock.call_attention();
    }

    /// The power is gone: nothing moves, pins are released.
    pub(crate) fn lose_power(&mut self, at: u64) {
        self.flash.forget_waiting();
        self.gpio.reset(at);
        self.leave_usb(at);
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

    pub(crate) fn power_fail_threshold(&self) -> Option<Voltage> {
        self.clocks.detector_threshold()
    }

    /// The supply fell to the detector's threshold.
    pub(crate) fn warn_of_power_failure(&mut self, _: &mut Clock) {
        self.clocks.set_below_threshold(true);
    }

    pub(crate) fn power_failure_cleared(&mut self) {
        self.clocks.set_below_threshold(false);
    }

    /// What BOR_LEV says.
    pub(crate) fn brown_out(&self) -> Hysteresis {
        SupplyProfile::stm32f205_brown_out(self.flash.option_bytes() >> 2 & 3)
    }

    /// Whether RDP keeps debuggers out of the flash: anything but 0xAA.
    pub(crate) fn is_protected(&mut self) -> bool {
        self.flash.option_bytes() >> 8 & 0xFF != 0xAA
    }

    /// Feeds the console with a byte whose start bit comes at the cycle `start`; answers the cycle at which it has arrived.
    pub(crate) fn feed_console(&mut self, start: u64, value: u8, rate: Baud, clock: &mut Clock) -> u64 {
        let end = self.usart.wire_mut().feed(start, value, rate);
        self.settle(Unit::Usart1, clock);
        end
    }

    pub(crate) fn drain_pin_edges(&mut self) -> std::vec::Drain<'_, PinEdge> {
        self.gpio.drain_edges()
    }

    /// Changes what the outside does to a pin. Nothing waits for it: firmware looks when it likes.
    pub(crate) fn drive_from_outside(&mut self, pin: Pin, level: Level, _: &mut Clock) {
        self.gpio.drive_from_outside(pin, level);
    }

    /// Ends the flash operation under way, fully or with the share that its cells saw.
    pub fn finish_flash(&mut self, share: Ratio, clock: &mut Clock) {
        self.flash.cut(RATE.instant(clock.cycle), share);
        self.controller.operation_ended();
        self.follow_controller(clock);
        clock.call_attention();
    }

    /// Nothing waits behind an operation: a store of several words into the flash stalls at each.
    pub fn begin_waiting_flash(&mut self, clock: &Clock) -> bool {
        self.flash.begin_waiting(RATE.instant(clock.cycle)).is_some()
    }

    fn pause(&mut self, clock: &mut Clock) {
        self.halt.get_or_insert(Halt::Paused);
        clock.call_attention();
    }

    /// Takes over a unit's next due cycle and interrupt line.
    #[inline]
    fn refresh(&mut self, unit: Unit) {
        let (due, interrupts) = match unit {
            Unit::Tim2 | Unit::Tim3 | Unit::Tim4 | Unit::Tim5 => {
                let timer = &self.timers[unit as usize];
                (timer.due(), timer.interrupts())
            }
            Unit::Usart1 => (self.usart.due(), self.usart.interrupts()),
            Unit::Watchdog => (self.watchdog.due(), false),
        };
        self.due[unit as usize] = due;
        self.next = self.due.into_iter().min().unwrap_or(NEVER);
        self.lines = if interrupts { self.lines | unit.line() } else { self.lines & !unit.line() };
    }

    /// Follows up on a change in `unit`.
    fn settle(&mut self, unit: Unit, clock: &mut Clock) {
        let (lines, next) = (self.lines, self.next);
        self.refresh(unit);
        if unit == Unit::Usart1 && self.usart.wire().wants_attention(self.watch.console) {
            self.pause(clock);
        }
        self.tell_core(lines, next, clock);
    }

    /// What the core has to know of the change from these `lines` and this `next` event to the present ones.
    fn tell_core(&self, lines: u64, next: u64, clock: &mut Clock) {
        if self.lines & !lines != 0 {
            clock.call_attention();
        }
        clock.lines_fell(lines & !self.lines);
        if self.next < next {
            clock.expect_event(self.next);
        }
    }

    fn follow_controller(&mut self, clock: &mut Clock) {
        let lines = self.lines;
        self.lines = if self.controller.interrupts() { lines | FLASH_LINE } else { lines & !FLASH_LINE };
        self.tell_core(lines, self.next, clock);
    }

    /// What a write to the controller, or to the array, led to.
    fn follow_asked(&mut self, asked: Asked, clock: &mut Clock) {
        // The board follows the operation, and the supply the threshold.
        if asked != Asked::Nothing {
            self.pause(clock);
        }
        self.follow_controller(clock);
    }

    fn read_register(&mut self, address: u32, clock: &mut Clock) -> u32 {
        let (now, offset) = (clock.cycle, address & 0x3FF);
        match address & !0x3FF {
            block @ TIMERS..0x4000_1000 => {
                let number = (block - TIMERS) >> 10;
                if !self.clocks.runs(Gate::timer(number)) {
                    return 0;
                }
                let value = self.timers[number as usize].read(offset, now);
                // Looking finds out what happened meanwhile.
                self.settle(TIMER_UNITS[number as usize], clock);
                value
            }
            RTC => self.backup.read(offset),
            IWDG => self.watchdog.read(offset),
            PWR if self.clocks.runs(Gate::POWER) => self.clocks.read_power(offset),
            USART1 if self.clocks.runs(Gate::USART1) => {
                let value = self.usart.read(offset);
                self.settle(Unit::Usart1, clock);
                value
            }
            block @ GPIO..GPIO_END => {
                let port = (block - GPIO) >> 10;
                if self.clocks.runs(Gate::port(port)) { self.gpio.read(port as usize, offset) } else { 0 }
            }
            RCC => self.clocks.read(offset, now),
            FLASH_REGISTERS => self.controller.read(offset, &self.flash),
            OTG..OTG_END if self.clocks.runs(Gate::OTG) => {
                let value = self.otg.read(address - OTG);
                self.follow_usb(now);
                value
            }
            RNG if self.clocks.runs(Gate::RNG) => self.rng.read(offset, now, self.clocks.has_48_mhz(now)),
            _ => 0,
        }
    }

    fn write_register(&mut self, address: u32, value: u32, clock: &mut Clock) {
        let (now, offset) = (clock.cycle, address & 0x3FF);
        match address & !0x3FF {
            block @ TIMERS..0x4000_1000 => {
                let number = (block - TIMERS) >> 10;
                if self.clocks.runs(Gate::timer(number)) {
                    self.timers[number as usize].write(offset, value, now);
                    self.settle(TIMER_UNITS[number as usize], clock);
                }
            }
            RTC if self.clocks.lets_backup_be_written() => self.backup.write(offset, value),
            IWDG => {
                self.watchdog.write(offset, value, now);
                self.settle(Unit::Watchdog, clock);
            }
            PWR if self.clocks.runs(Gate::POWER) => {
                self.clocks.write_power(offset, value);
                // PVDE and PLS: the comparator is the supply's.
                self.pause(clock);
            }
            USART1 if self.clocks.runs(Gate::USART1) => {
                self.usart.write(offset, value, now);
                self.settle(Unit::Usart1, clock);
            }
            block @ GPIO..GPIO_END => {
                let port = (block - GPIO) >> 10;
                if self.clocks.runs(Gate::port(port)) {
                    let edges = self.gpio.edges();
                    self.gpio.write(port as usize, offset, value, now);
                    if self.watch.load && self.gpio.edges() != edges {
                        self.pause(clock);
                    }
                }
            }
            RCC => {
                self.clocks.write(offset, value, now);
                self.follow_usb(now);
            }
            FLASH_REGISTERS => {
                let asked = self.controller.write(offset, value, &mut self.flash, RATE.instant(now));
                self.follow_asked(asked, clock);
            }
            OTG..OTG_END if self.clocks.runs(Gate::OTG) => {
                self.otg.write(address - OTG, value);
                self.follow_usb(now);
            }
            RNG if self.clocks.runs(Gate::RNG) => self.rng.write(offset, value, now),
            _ => {}
        }
    }

    #[inline(never)]
    fn read_elsewhere(&mut self, address: u32, width: Width, clock: &mut Clock) -> Result<u32, BusFault> {
        let word = match address & !3 {
            0x4000_0000..0x4008_0000 | 0x5000_0000..0x5006_1000 => self.read_register(address & !3, clock),
            id @ UNIQUE_ID..FLASH_SIZE if id < UNIQUE_ID + 12 => self.unique_id[(id - UNIQUE_ID) as usize / 4],
            FLASH_SIZE => FLASH.size >> 10 << 16 | 0xFFFF,
            OPTION_BYTES => self.flash.option_bytes() & 0xFFEC,
            0x1FFF_C008 => self.flash.option_bytes() >> 16 & 0xFFF,
            0x1FFF_7A1C => u32::MAX,
            rom if SYSTEM_MEMORY.contains(&rom) => u32::MAX,
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
        match address {
            0x4000_0000..0x4008_0000 | 0x5000_0000..0x5006_1000 => {
                // A register takes bytes and halfwords where they stand in its word; the rest of it is written as zeros here, which is
                // right for those that are written in pieces at all (BSRR, DR).
                self.write_register(address & !3, value << (8 * (address & 3)), clock);
            }
            _ if FLASH.contains(address | FLASH_PLACE) => {
                let (address, now) = (address | FLASH_PLACE, RATE.instant(clock.cycle));
                let asked = self.controller.program(address, value, width, &mut self.flash, now);
                self.follow_asked(asked, clock);
            }
            _ if SYSTEM_MEMORY.contains(&address) => {}
            _ => return Err(BusFault),
        }
        Ok(())
    }
}

impl Bus for Soc {
    #[inline]
    fn fetch(&mut self, address: u32) -> Result<u16, BusFault> {
        if let Some(bytes) = self.read_code(address & !FLASH_PLACE) {
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
        let offset = address & !FLASH_PLACE;
        let code = match width {
            Width::Byte => self.read_code(offset).map(|[byte]| u32::from(byte)),
            Width::Half => self.read_code(offset).map(|bytes| u32::from(u16::from_le_bytes(bytes))),
            Width::Word => self.read_code(offset).map(u32::from_le_bytes),
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
        let value = match width {
            Width::Byte => value & 0xFF,
            Width::Half => value & 0xFFFF,
            Width::Word => value,
        };
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
            match unit {
                Unit::Tim2 | Unit::Tim3 | Unit::Tim4 | Unit::Tim5 => self.timers[unit as usize].advance(due),
                Unit::Usart1 => self.usart.advance(due),
                Unit::Watchdog => {
                    self.watchdog = Watchdog::new();
                    self.halt = Some(Halt::Reset);
                    clock.call_attention();
                }
            }
            self.settle(unit, clock);
        }
        clock.cycle = now;
    }

    #[inline]
    fn interrupt_lines(&self) -> u64 {
        self.lines
    }

    #[inline]
    fn halt(&self) -> Option<Halt> {
        self.halt
    }

    #[inline]
    fn code_page(&self, address: u32) -> Option<CodePage<'_>> {
        let offset = address & !FLASH_PLACE;
        let (base, bytes) = self.boot_code.page(offset).or_else(|| self.flash.code_leaf(offset))?;
        Some(CodePage { base: base | address & FLASH_PLACE, bytes })
    }

    #[inline]
    fn plain_memory(&mut self, address: u32, len: usize) -> Option<&mut [u8]> {
        self.ram.powered_mut(address.wrapping_sub(RAM) as usize, len)
    }

    fn activity_changed(&mut self, activity: Activity, clock: &mut Clock) {
        self.activity = activity;
        if self.watch.load {
            self.pause(clock);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
