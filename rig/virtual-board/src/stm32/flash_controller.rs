//! FLASH: unlocking, programming, erasing, and the option bytes.
//!
//! Boundary: registers to operations. What an operation does to cells is the flash model's, and how strong the supply was the board's.
//! Source: RM0033, chapter 3 (ST's PM0059).
//!
//! The controller does not look at the supply: an operation of a parallelism that the rail is too low for is carried out, takes its time,
//! reports no error, and leaves cells that got too little charge. That is ST's warning ("may lead to unpredicted results. Even if a
//! subsequent read operation indicates that the logical value was effectively written to the memory, this value may not be retained",
//! RM0090) made a model: see [`Parallelism::rail`].

use brickproof_units::{Instant, Span, Voltage};

use crate::bus::Width;
use crate::flash::{Flash, FlashOperation, Manner, Sector};

const KEYS: [u32; 2] = [0x4567_0123, 0xCDEF_89AB];
const OPTION_KEYS: [u32; 2] = [0x0819_2A3B, 0x4C5D_6E7F];

const EOP: u32 = 1 << 0;
const WRPERR: u32 = 1 << 4;
const PGPERR: u32 = 1 << 6;
const PGSERR: u32 = 1 << 7;
const BSY: u32 = 1 << 16;
/// What is cleared by writing ones: EOP, OPERR, WRPERR, PGAERR, PGPERR, PGSERR.
const CLEARABLE: u32 = 0xF3;

const PG: u32 = 1 << 0;
const SER: u32 = 1 << 1;
const MER: u32 = 1 << 2;
const STRT: u32 = 1 << 16;
const EOPIE: u32 = 1 << 24;
const ERRIE: u32 = 1 << 25;
const LOCK: u32 = 1 << 31;
const KEPT: u32 = PG | SER | MER | 0xF << 3 | 3 << 8 | EOPIE | ERRIE;

const OPTLOCK: u32 = 1 << 0;
const OPTSTRT: u32 = 1 << 1;
const OPTION_BITS: u32 = 0x0FFF_FFEC;

/// How many bits are programmed at once, and erased with the current for as many: FLASH_CR.PSIZE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Parallelism {
    /// 8 bits.
    X8,
    /// 16 bits.
    X16,
    /// 32 bits.
    X32,
}

impl Parallelism {
    /// PSIZE. 64 bits at a time need a programming voltage from outside (VPP), which no board here has.
    const fn of(control: u32) -> Option<Self> {
        match control >> 8 & 3 {
            0 => Some(Self::X8),
            1 => Some(Self::X16),
            2 => Some(Self::X32),
            _ => None,
        }
    }

    /// The lowest rail that it is specified for: 2.7 V for 32 bits, 2.1 V for 16, 1.8 V for 8 (RM0033, table of program and erase
    /// parallelism). That an operation below it gets less charge, and none 0.4 V lower, is an assumption.
    pub const fn rail(self) -> Voltage {
        Voltage::new(match self {
            Self::X8 => 1_800_000,
            Self::X16 => 2_100_000,
            Self::X32 => 2_700_000,
        })
    }

    /// Time to program one unit: 16 us, typical, whatever its size (recalled from the data sheet).
    pub const fn program(self) -> Span {
        Span::micros(16)
    }

    /// Time to erase a sector of that many bytes, typical: the data sheet's table (recalled).
    pub const fn erase(self, size: u32) -> Span {
        let kib = size >> 10;
        Span::millis(match (self, kib) {
            (Self::X8, ..=16) => 400,
            (Self::X16, ..=16) => 300,
            (Self::X32, ..=16) => 250,
            (Self::X8, ..=64) => 1_200,
            (Self::X16, ..=64) => 700,
            (Self::X32, ..=64) => 550,
            (Self::X8, _) => 2_000,
            (Self::X16, _) => 1_300,
            (Self::X32, _) => 1_000,
        })
    }

    /// Time to erase everything, typical (recalled).
    pub const fn erase_all(self) -> Span {
        Span::secs(match self {
            Self::X8 => 16,
            Self::X16 => 11,
            Self::X32 => 8,
        })
    }

    const fn width(self) -> Width {
        match self {
            Self::X8 => Width::Byte,
            Self::X16 => Width::Half,
            Self::X32 => Width::Word,
        }
    }
}

/// How far an unlock sequence has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lock {
    Locked,
    FirstKey,
    Open,
    /// A wrong key came: nothing opens it before the next reset.
    Jammed,
}

impl Lock {
    fn try_key(self, value: u32, keys: [u32; 2]) -> Self {
        match self {
            Self::Locked if value == keys[0] => Self::FirstKey,
            Self::FirstKey if value == keys[1] => Self::Open,
            Self::Open => Self::Open,
            _ => Self::Jammed,
        }
    }
}

/// The controller's registers. The array and the option bytes are in [`Flash`].
#[derive(Clone, Debug)]
pub(super) struct FlashController {
    access: u32,
    lock: Lock,
    option_lock: Lock,
    status: u32,
    control: u32,
    /// OPTCR as written and not started yet.
    options: u32,
}

/// What a write asks the chip to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Nothing,
    /// An operation has begun.
    Operation,
    /// The option bytes are others now.
    Options,
}

impl FlashController {
    /// As after a reset.
    pub(super) fn new(flash: &Flash) -> Self {
        Self {
            access: 0,
            lock: Lock::Locked,
            option_lock: Lock::Locked,
            status: 0,
            control: 0,
            options: flash.option_bytes(),
        }
    }

    pub(super) fn interrupts(&self) -> bool {
        let errors = WRPERR | PGPERR | PGSERR;
        self.control & EOPIE != 0 && self.status & EOP != 0 || self.control & ERRIE != 0 && self.status & errors != 0
    }

    pub(super) fn read(&self, offset: u32, flash: &Flash) -> u32 {
        match offset {
            0x00 => self.access,
            // The core stalls while the controller is busy, so that only a debugger sees it.
            0x0C => self.status | if flash.under_way().is_some() { BSY } else { 0 },
            0x10 => self.control | if self.lock == Lock::Open { 0 } else { LOCK },
            0x14 => self.options & OPTION_BITS | u32::from(self.option_lock != Lock::Open),
            _ => 0,
        }
    }

    pub(super) fn write(&mut self, offset: u32, value: u32, flash: &mut Flash, now: Instant) -> Asked {
        match offset {
            0x00 => self.access = value & 0x1F07,
            0x04 => self.lock = self.lock.try_key(value, KEYS),
            0x08 => self.option_lock = self.option_lock.try_key(value, OPTION_KEYS),
            0x0C => self.status &= !(value & CLEARABLE),
            0x10 if self.lock == Lock::Open => return self.write_control(value, flash, now),
            0x14 if self.option_lock == Lock::Open => return self.write_options(value, flash),
            _ => {}
        }
        Asked::Nothing
    }

    fn write_control(&mut self, value: u32, flash: &mut Flash, now: Instant) -> Asked {
        self.control = value & KEPT;
        if value & LOCK != 0 {
            self.lock = Lock::Locked;
        }
        if value & STRT == 0 {
            return Asked::Nothing;
        }
        let Some(parallelism) = Parallelism::of(value) else { return self.fail(PGPERR) };
        let rail = parallelism.rail();
        let (operation, needed) = if value & MER != 0 {
            // "If some sectors are write protected, mass erase is not carried out": recalled.
            if flash.option_bytes() >> 16 & 0xFFF != 0xFFF {
                return self.fail(WRPERR);
            }
            (FlashOperation::EraseAll, parallelism.erase_all())
        } else if value & SER != 0 {
            let number = value >> 3 & 0xF;
            let sector = flash.geometry().each_sector().nth(number as usize);
            let Some(Sector { address, size, .. }) = sector else { return Asked::Nothing };
            if is_write_protected(flash, number) {
                return self.fail(WRPERR);
            }
            (FlashOperation::ErasePage { address }, parallelism.erase(size))
        } else {
            return Asked::Nothing;
        };
        begun(flash.begin_as(operation, Manner { needed, rail }, now).is_some())
    }

    /// The core, or a debugger, writes into the array.
    pub(super) fn program(&mut self, address: u32, value: u32, width: Width, flash: &mut Flash, now: Instant) -> Asked {
        if self.lock != Lock::Open || self.control & PG == 0 {
            return self.fail(PGSERR);
        }
        let Some(parallelism) = Parallelism::of(self.control).filter(|it| it.width() == width) else {
            return self.fail(PGPERR);
        };
        let number = flash.geometry().each_sector().position(|it| address.wrapping_sub(it.address) < it.size);
        if number.is_some_and(|number| is_write_protected(flash, number as u32)) {
            return self.fail(WRPERR);
        }
        let shift = 8 * (address & 3);
        let mask = match width {
            Width::Byte => 0xFF << shift,
            Width::Half => 0xFFFF << shift,
            Width::Word => u32::MAX,
        };
        // Bits that are not in the unit stay as they are, which is to program ones.
        let value = value << shift | !mask;
        let operation = FlashOperation::Program { address: address & !3, value };
        let manner = Manner { needed: parallelism.program(), rail: parallelism.rail() };
        begun(flash.begin_as(operation, manner, now).is_some())
    }

    fn write_options(&mut self, value: u32, flash: &mut Flash) -> Asked {
        self.options = value & OPTION_BITS;
        if value & OPTLOCK != 0 {
            self.option_lock = Lock::Locked;
        }
        if value & OPTSTRT == 0 {
            return Asked::Nothing;
        }
        flash.set_option_bytes(self.options);
        Asked::Options
    }

    /// The operation under way has ended, by itself or not. Whether it had the supply that it needs it does not know.
    pub(super) fn operation_ended(&mut self) {
        if self.control & EOPIE != 0 {
            self.status |= EOP;
        }
    }

    fn fail(&mut self, error: u32) -> Asked {
        self.status |= error;
        Asked::Nothing
    }
}

fn begun(begun: bool) -> Asked {
    if begun { Asked::Operation } else { Asked::Nothing }
}

/// nWRP: a zero protects its sector.
fn is_write_protected(flash: &Flash, sector: u32) -> bool {
    flash.option_bytes() >> (16 + sector) & 1 == 0
}

#[cfg(test)]
mod tests {
    use brickproof_units::Ratio;

    use super::*;
    use crate::flash::{Cells, FlashGeometry};

    const NOW: Instant = Instant::START;

    fn fresh() -> (FlashController, Flash) {
        let flash = Flash::new(FlashGeometry::STM32F205, Cells::Ideal, 1);
        (FlashController::new(&flash), flash)
    }

    fn open() -> (FlashController, Flash) {
        let (mut controller, mut flash) = fresh();
        for key in KEYS {
            controller.write(0x04, key, &mut flash, NOW);
        }
        (controller, flash)
    }

    fn word(flash: &Flash, address: u32) -> u32 {
        let mut bytes = [0; 4];
        flash.read_raw(address, &mut bytes).unwrap();
        u32::from_le_bytes(bytes)
    }

    #[test]
    fn it_opens_to_the_right_keys_only_and_a_wrong_one_jams_it() {
        let (mut controller, mut flash) = fresh();
        assert_eq!(controller.write(0x10, SER | STRT, &mut flash, NOW), Asked::Nothing);
        assert_eq!(controller.read(0x10, &flash), LOCK, "what is written to a locked CR is lost");
        let (controller, flash) = open();
        assert_eq!(controller.read(0x10, &flash), 0);
        let (mut controller, mut flash) = fresh();
        for key in [KEYS[1], KEYS[0], KEYS[1]] {
            controller.write(0x04, key, &mut flash, NOW);
        }
        assert_eq!(controller.read(0x10, &flash), LOCK);
    }

    #[test]
    fn sectors_take_the_time_of_their_size_and_parallelism() {
        for (number, psize, expected) in [(1, 2, 250), (1, 0, 400), (4, 1, 700), (11, 2, 1_000), (5, 0, 2_000)] {
            let (mut controller, mut flash) = open();
            let control = SER | number << 3 | psize << 8;
            assert_eq!(controller.write(0x10, control | STRT, &mut flash, NOW), Asked::Operation);
            let under_way = flash.under_way().unwrap();
            assert_eq!((under_way.needed, controller.read(0x0C, &flash)), (Span::millis(expected), BSY));
            assert_eq!(under_way.rail, Parallelism::of(control).map(Parallelism::rail));
            flash.complete(NOW);
            assert_eq!(controller.read(0x0C, &flash), 0, "EOP is for those who enabled its interrupt");
        }
        let (mut controller, mut flash) = open();
        assert_eq!(controller.write(0x10, SER | 12 << 3 | STRT, &mut flash, NOW), Asked::Nothing, "there are twelve");
    }

    #[test]
    fn a_unit_is_programmed_in_the_width_of_psize_and_leaves_its_neighbours() {
        let (mut controller, mut flash) = open();
        let at = 0x0800_4001;
        assert_eq!(controller.program(at, 0x12, Width::Byte, &mut flash, NOW), Asked::Nothing);
        assert_eq!(controller.read(0x0C, &flash), PGSERR);
        controller.write(0x0C, PGSERR, &mut flash, NOW);
        controller.write(0x10, PG | 2 << 8, &mut flash, NOW);
        assert_eq!(controller.program(at, 0x12, Width::Byte, &mut flash, NOW), Asked::Nothing);
        assert_eq!(controller.read(0x0C, &flash), PGPERR);
        controller.write(0x10, PG, &mut flash, NOW);
        assert_eq!(controller.program(at, 0x12, Width::Byte, &mut flash, NOW), Asked::Operation);
        flash.complete(NOW);
        assert_eq!(word(&flash, at & !3), 0xFFFF_12FF);
    }

    #[test]
    fn a_protected_sector_is_neither_erased_nor_programmed() {
        let (mut controller, mut flash) = open();
        for key in OPTION_KEYS {
            controller.write(0x08, key, &mut flash, NOW);
        }
        let options = controller.read(0x14, &flash) & !(1 << 17);
        assert_eq!(controller.write(0x14, options | OPTSTRT, &mut flash, NOW), Asked::Options);
        for control in [SER | 1 << 3 | STRT, MER | STRT] {
            assert_eq!(controller.write(0x10, control, &mut flash, NOW), Asked::Nothing);
            assert_eq!(controller.read(0x0C, &flash), WRPERR);
            controller.write(0x0C, WRPERR, &mut flash, NOW);
        }
        controller.write(0x10, PG | 2 << 8, &mut flash, NOW);
        assert_eq!(controller.program(0x0800_4000, 0, Width::Word, &mut flash, NOW), Asked::Nothing);
        assert_eq!(controller.program(0x0800_8000, 0, Width::Word, &mut flash, NOW), Asked::Operation);
        flash.cut(NOW, Ratio::new(0));
        assert_eq!(word(&flash, 0x0800_8000), u32::MAX);
    }
}
