//! CPU truth: the core on the nRF51 and QEMU's `microbit` run the torture image in lockstep.
//!
//! Boundary: registers and flags after every instruction; at the end RAM, flash and the console's log. Needs `qemu-system-arm`; says
//! so when it is missing, and fails then if `BRICKPROOF_REQUIRE_ORACLES` is 1.
//!
//! `cargo test` compares a slice of 300,000 instructions. `BRICKPROOF_ORACLE_INSTRUCTIONS=10000000` compares (at least) ten million,
//! in a minute or two, nearly all of it QEMU printing registers.
//!
//! The two machines keep different time, so that a timer would interrupt them at different instructions. Here the interrupt is
//! QEMU's: when its trace enters a timer's handler, the board's own timer is wound on until it asks for the same interrupt, and
//! only then is its line let through. The entry itself, the nesting and the return are the core's, and the frames it stacks are
//! compared through the registers restored from them and through RAM.
//!
//! Not compared, by name:
//! - time: cycles, timer counters, how long the UART and flash take (QEMU's take none);
//! - RTC, WDT, PPI, GPIOTE, POWER, CLOCK, TEMP and TWI, which QEMU's machine lacks; SysTick, which the nRF51 lacks;
//! - partial flash operations: QEMU's succeed at once;
//! - BKPT, which stops a debugged core; sleep on exit, because QEMU has no SCR on a Cortex-M0;
//! - R0 to R3, R12 and the flags after a tail-chained entry, which are UNKNOWN (DDI 0419 B1.5.7): QEMU chains, the core returns and
//!   enters again. Their number is printed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant as WallClock;

use brickproof_oracle::qemu::{self, Event, Qemu, State};
use brickproof_oracle::{FLASH_BYTES, RAM_BYTES, RAM_START, torture};
use brickproof_units::Ratio;
use brickproof_virtual_board::bus::{Activity, Bus, BusFault, Clock, CodePage, Halt, Width};
use brickproof_virtual_board::chip::{PinSet, RamAtPowerUp, ResetCause, SocOptions, UartTiming};
use brickproof_virtual_board::core::encoding::{Class, classify};
use brickproof_virtual_board::core::{Core, CoreOptions, Register, Stop};
use brickproof_virtual_board::flash::Cells;
use brickproof_virtual_board::nrf::{Part, Soc};
use sha2::{Digest, Sha256};

const IMAGE: &[u8] = include_bytes!("../../../fixtures/oracle/torture/torture.bin");

const DEFAULT_INSTRUCTIONS: u64 = 300_000;
/// What [`torture::FULL_ROUNDS`] rounds execute at least.
const FULL_INSTRUCTIONS: u64 = 10_000_000;

const EXCEPTION: u32 = 0x3F;
const FLAGS: u32 = 0xF000_0000;
const FIRST_INTERRUPT: u32 = 16;
const HARD_FAULT: u32 = 3;
const RETURN_TO_HANDLER: u32 = 0xFFFF_FFF1;
const UNKNOWN_AFTER_CHAINING: [u8; 5] = [0, 1, 2, 3, 12];
/// More timer events than pass before any timer fires.
const MOST_EVENTS: usize = 10_000;

/// The chip, with the timers' interrupt lines behind a gate.
#[derive(Clone)]
struct GatedChip {
    soc: Soc,
    open: u64,
}

impl GatedChip {
    const TIMERS: u64 = {
        let lines = torture::TIMER_LINES;
        1 << lines[0] | 1 << lines[1] | 1 << lines[2]
    };

    fn new(image: &[u8]) -> Self {
        let options = SocOptions {
            cells: Cells::Ideal,
            uart: UartTiming::Instant,
            ram: RamAtPowerUp::Zeros,
            seed: 0,
            watched: PinSet::default(),
        };
        let mut soc = Soc::new(Part::Nrf51822, options);
        soc.flash_mut().write_raw(0, image).expect("the image fits, or QEMU would have refused it");
        Self { soc, open: 0 }
    }

    /// Winds time on until the timer behind `line` asks for its interrupt.
    fn wind_to(&mut self, line: u32, clock: &mut Clock) -> Result<(), String> {
        for _ in 0..MOST_EVENTS {
            if self.soc.interrupt_lines() & 1 << line != 0 {
                return Ok(());
            }
            let next = self.soc.next_event();
            if next == u64::MAX {
                break;
            }
            clock.cycle = clock.cycle.max(next);
            self.soc.tick(clock);
        }
        Err(format!("QEMU takes interrupt {line}, which no timer of the board would ever ask for"))
    }
}

impl Bus for GatedChip {
    fn fetch(&mut self, address: u32) -> Result<u16, BusFault> {
        self.soc.fetch(address)
    }
    fn read(&mut self, address: u32, width: Width, clock: &mut Clock) -> Result<u32, BusFault> {
        self.soc.read(address, width, clock)
    }
    fn write(&mut self, address: u32, value: u32, width: Width, clock: &mut Clock) -> Result<(), BusFault> {
        self.soc.write(address, value, width, clock)
    }
    fn next_event(&self) -> u64 {
        self.soc.next_event()
    }
    fn tick(&mut self, clock: &mut Clock) {
        self.soc.tick(clock);
    }
    fn plain_memory(&mut self, address: u32, len: usize) -> Option<&mut [u8]> {
        self.soc.plain_memory(address, len)
    }

    fn interrupt_lines(&self) -> u64 {
        self.soc.interrupt_lines() & (self.open | !Self::TIMERS)
    }
    fn halt(&self) -> Option<Halt> {
        self.soc.halt()
    }
    fn code_page(&self, address: u32) -> Option<CodePage<'_>> {
        self.soc.code_page(address)
    }
    fn activity_changed(&mut self, activity: Activity, clock: &mut Clock) {
        self.soc.activity_changed(activity, clock);
    }
}

/// What was covered.
struct Coverage {
    instructions: u64,
    /// One per halfword of flash: whether it was executed.
    executed: Vec<bool>,
    classes: BTreeSet<Class>,
    /// Entries, by exception number.
    entries: BTreeMap<u32, u64>,
    nested: u64,
    chained: u64,
    /// Handlers preempted before their first instruction.
    preempted_at_once: u64,
}

impl Coverage {
    fn new() -> Self {
        Self {
            instructions: 0,
            executed: vec![false; FLASH_BYTES / 2],
            classes: BTreeSet::new(),
            entries: BTreeMap::new(),
            nested: 0,
            chained: 0,
            preempted_at_once: 0,
        }
    }

    fn distinct_addresses(&self) -> usize {
        self.executed.iter().filter(|executed| **executed).count()
    }
}

/// An exception that is entered.
#[derive(Clone, Copy, Debug)]
enum Entry {
    /// One that the program caused, of which the core knows by itself.
    Own,
    /// That of the timer with this interrupt line.
    Timer(u8),
}

impl Entry {
    /// Into the handler that `state` is in.
    fn of(state: &State) -> Self {
        let exception = state.xpsr & EXCEPTION;
        let timers = torture::TIMER_LINES.into_iter();
        timers.into_iter().find(|line| u32::from(*line) + FIRST_INTERRUPT == exception).map_or(Self::Own, Self::Timer)
    }
}

/// The virtual board, led by QEMU.
struct Follower {
    core: Core,
    chip: GatedChip,
    coverage: Coverage,
}

impl Follower {
    fn new(image: &[u8], first: &State) -> Self {
        let mut chip = GatedChip::new(image);
        let mut core = Core::new(CoreOptions { halting_debug: false, ..Part::Nrf51822.core() });
        chip.soc.reset(ResetCause::PowerOn, &mut core.clock);
        core.reset(&mut chip);
        // R0 to R12 and the flags are UNKNOWN after reset (DDI 0419 B1.5.5).
        for number in 0..13 {
            core.write_register(Register::General(number), first.registers[usize::from(number)]);
        }
        core.write_register(Register::Xpsr, first.xpsr);
        Self { core, chip, coverage: Coverage::new() }
    }

    fn state(&self) -> State {
        let registers = self.core.registers();
        State { registers: registers.general, xpsr: registers.xpsr }
    }

    /// Executes the instruction that QEMU executed between two states, and takes the exceptions that it took.
    fn follow(&mut self, before: &State, after: &State) -> Result<(), String> {
        self.note(before);
        self.step()?;
        if self.state() == *after {
            // A fault is taken by the instruction that faults.
            if after.xpsr & EXCEPTION == HARD_FAULT && before.xpsr & EXCEPTION != HARD_FAULT {
                self.note_entry(after, 1, false);
            }
            return Ok(());
        }
        self.follow_into_handler(before, after)
    }

    /// Takes the exceptions that QEMU took between two instructions. Its trace shows only where it ended; that it was the handler of
    /// `after` at once is tried first, then that another one was entered and preempted before it could begin.
    fn follow_into_handler(&mut self, before: &State, after: &State) -> Result<(), String> {
        let left_handler = before.xpsr & EXCEPTION != 0;
        let last = Entry::of(after);
        let preempted = [Entry::Own].into_iter().chain(torture::TIMER_LINES.map(Entry::Timer));
        let paths = std::iter::once(vec![last]).chain(preempted.map(|first| vec![first, last]));
        let (core, chip) = (self.core.clone(), self.chip.clone());
        let mut first_try = None;
        for path in paths {
            (self.core, self.chip) = (core.clone(), chip.clone());
            let mut chained = false;
            for (index, entry) in path.iter().enumerate() {
                self.enter(*entry)?;
                if index == 0 && left_handler {
                    chained = self.adopt_unknown(after);
                }
            }
            if self.state() == *after {
                self.note_entry(after, path.len(), chained);
                return Ok(());
            }
            first_try.get_or_insert(self.state());
        }
        Err(format!(
            "after {} instructions, at {:08x}:\n  ours {first_try:x?}\n  qemu {after:x?}",
            self.coverage.instructions, before.registers[15],
        ))
    }

    /// One step of the core; a flash operation that it meets completes at once, as QEMU's do.
    fn step(&mut self) -> Result<(), String> {
        loop {
            match self.core.step(&mut self.chip) {
                None | Some(Stop::Asleep) => return Ok(()),
                Some(Stop::Halted(Halt::Paused)) => {
                    let clock = &mut self.core.clock;
                    self.chip.soc.finish_flash(Ratio::new(1_000_000), clock);
                    while self.chip.soc.begin_waiting_flash(clock) {
                        self.chip.soc.finish_flash(Ratio::new(1_000_000), clock);
                    }
                    self.chip.soc.resume();
                }
                Some(stop) => return Err(format!("the core stops: {stop:?}")),
            }
        }
    }

    /// Lets one exception be entered.
    fn enter(&mut self, entry: Entry) -> Result<(), String> {
        if let Entry::Timer(line) = entry {
            self.chip.wind_to(line.into(), &mut self.core.clock)?;
            self.chip.open = 1 << line;
        }
        let executed = self.core.instructions();
        let result = self.step();
        self.chip.open = 0;
        if self.core.instructions() != executed {
            // Nothing was entered. What was executed instead is undone by whoever tries the next path.
            self.core.write_register(Register::General(15), u32::MAX);
        }
        result
    }

    /// Takes over what a tail-chained entry leaves UNKNOWN and says whether that changed anything.
    fn adopt_unknown(&mut self, theirs: &State) -> bool {
        let ours = self.state();
        for number in UNKNOWN_AFTER_CHAINING {
            self.core.write_register(Register::General(number), theirs.registers[usize::from(number)]);
        }
        self.core.write_register(Register::Xpsr, ours.xpsr & !FLAGS | theirs.xpsr & FLAGS);
        self.state() != ours
    }

    fn note(&mut self, before: &State) {
        self.coverage.instructions += 1;
        let address = before.registers[15];
        let executed = self.coverage.executed.get_mut(address as usize / 2);
        if executed.is_some_and(|executed| !std::mem::replace(executed, true)) {
            let first = self.chip.fetch(address).unwrap_or_default();
            let second = self.chip.fetch(address + 2).unwrap_or_default();
            self.coverage.classes.insert(classify(first, second));
        }
    }

    fn note_entry(&mut self, after: &State, entries: usize, chained: bool) {
        *self.coverage.entries.entry(after.xpsr & EXCEPTION).or_default() += 1;
        self.coverage.nested += u64::from(after.registers[14] == RETURN_TO_HANDLER);
        self.coverage.chained += u64::from(chained);
        self.coverage.preempted_at_once += u64::from(entries > 1);
    }
}

/// The image, shortened to about `instructions`.
fn image_of(instructions: u64) -> Vec<u8> {
    let rounds = (u64::from(torture::FULL_ROUNDS) * instructions).div_ceil(FULL_INSTRUCTIONS).max(1);
    let mut image = IMAGE.to_vec();
    image[torture::ROUNDS_SLOT..][..4].copy_from_slice(&(rounds as u32).to_le_bytes());
    image
}

fn word_at(image: &[u8], at: usize) -> u32 {
    image[at..at + 4].iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte))
}

fn next_state(qemu: &mut Qemu) -> State {
    match qemu.next_event().expect("QEMU can be followed") {
        Event::State(state) => state,
        other => panic!("QEMU ends early: {other:?}"),
    }
}

fn wanted_instructions() -> u64 {
    std::env::var("BRICKPROOF_ORACLE_INSTRUCTIONS")
        .map_or(DEFAULT_INSTRUCTIONS, |text| text.parse().expect("BRICKPROOF_ORACLE_INSTRUCTIONS is a number"))
}

/// Whether there is an oracle; says so loudly if not, and fails if one is required.
fn oracle_is_there() -> bool {
    let version = qemu::version();
    if version.is_none() {
        let required = std::env::var("BRICKPROOF_REQUIRE_ORACLES").is_ok_and(|value| value == "1");
        assert!(!required, "qemu-system-arm is missing and BRICKPROOF_REQUIRE_ORACLES is 1");
        eprintln!("NOT CHECKED: qemu-system-arm is missing; the core was not compared with it");
    }
    version.is_some()
}

#[test]
fn the_core_and_qemu_agree_after_every_instruction() {
    if !oracle_is_there() {
        return;
    }
    let started = WallClock::now();
    let wanted = wanted_instructions();
    let image = image_of(wanted);
    let idle = word_at(&image, torture::IDLE_SLOT);
    let mut qemu = Qemu::start(&image).unwrap();
    let mut before = next_state(&mut qemu);
    let mut follower = Follower::new(&image, &before);
    assert_eq!(follower.state(), before, "after reset");
    while before.registers[15] != idle {
        let after = next_state(&mut qemu);
        if let Err(difference) = follower.follow(&before, &after) {
            panic!("{difference}");
        }
        before = after;
    }

    let remains = qemu.finish(&[(0, FLASH_BYTES), (RAM_START, RAM_BYTES)]).unwrap();
    let flash: Vec<u8> = follower.chip.soc.flash().contents().flatten().copied().collect();
    let mut ram = vec![0; RAM_BYTES];
    follower.chip.soc.read_ram(RAM_START, &mut ram).unwrap();
    let console: Vec<u8> = follower.chip.soc.take_console().into_iter().map(|sent| sent.value).collect();
    let (ours, theirs) = (Sha256::digest(&flash), Sha256::digest(&remains.memory[0]));
    report(&follower.coverage, &console, &ours, &theirs, started);

    assert_eq!(String::from_utf8_lossy(&console), String::from_utf8_lossy(&remains.console), "console");
    assert_eq!(ours, theirs, "SHA-256 of the flash");
    assert!(ram == remains.memory[1], "RAM");
    check_coverage(&follower.coverage, wanted);
}

fn check_coverage(coverage: &Coverage, wanted: u64) {
    assert!(coverage.instructions >= wanted, "only {} instructions", coverage.instructions);
    let missing: Vec<&Class> =
        Class::ALL.iter().filter(|class| !coverage.classes.contains(class) && **class != Class::Bkpt).collect();
    assert!(missing.is_empty(), "not executed: {missing:?}");
    // HardFault, SVCall, PendSV, the timers, SWI0.
    for exception in [3, 11, 14, 24, 25, 26, 36] {
        assert!(coverage.entries.contains_key(&exception), "exception {exception} was never taken");
    }
    assert!(coverage.nested > 0, "no handler was interrupted");
}

fn report(coverage: &Coverage, console: &[u8], ours: &[u8], theirs: &[u8], started: WallClock) {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let entries: Vec<String> =
        coverage.entries.iter().map(|(exception, count)| format!("{exception}: {count}")).collect();
    eprintln!("compared with {}:", qemu::version().unwrap_or_default());
    eprintln!("  {} instructions, {} distinct PCs", coverage.instructions, coverage.distinct_addresses());
    eprintln!("  {} of {} encoding classes (BKPT excluded)", coverage.classes.len(), Class::ALL.len());
    eprintln!("  exceptions taken by number: {}", entries.join(", "));
    let Coverage { nested, chained, preempted_at_once, .. } = coverage;
    eprintln!(
        "  {nested} nested, {chained} tail-chained by QEMU, {preempted_at_once} preempted before their first instruction"
    );
    eprintln!("  {} bytes of console log", console.len());
    eprintln!("  flash SHA-256 ours {}", hex(ours));
    eprintln!("  flash SHA-256 qemu {}", hex(theirs));
    eprintln!(
        "  not compared: time, RTC, WDT, PPI, GPIOTE, POWER, CLOCK, TEMP, TWI, SysTick, partial flash, BKPT, sleep on exit"
    );
    eprintln!("  {:.1} s", started.elapsed().as_secs_f64());
}
