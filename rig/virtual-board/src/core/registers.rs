//! The registers a program sees: general, banked stack pointers, xPSR, PRIMASK, CONTROL.
//!
//! Boundary: their contents and who may change them. What an exception does to them is in `exceptions`, what an instruction does
//! in `execute`.

use super::{bits_if, flags::Flags};

pub(super) const SP: usize = 13;
pub(super) const LR: usize = 14;
pub(super) const PC: usize = 15;

/// EPSR.T as it stands in the xPSR.
pub(super) const XPSR_THUMB: u32 = 1 << 24;
/// The exception number as it stands in the xPSR.
const XPSR_EXCEPTION: u32 = 0x3F;

const CONTROL_UNPRIVILEGED: u32 = 1 << 0;
const CONTROL_PROCESS_STACK: u32 = 1 << 1;

/// DDI 0419 B1.3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Ordinary code.
    Thread,
    /// Inside an exception.
    Handler,
}

/// One register, by the name a debugger uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Register {
    /// R0 to R15; R13 is the stack pointer in use. Numbers above 15 are taken modulo 16.
    General(u8),
    /// Flags, EPSR.T and the exception number.
    Xpsr,
    /// The main stack pointer.
    Msp,
    /// The process stack pointer.
    Psp,
    /// Bit 0.
    Primask,
    /// Bit 0 nPRIV, bit 1 SPSEL.
    Control,
}

/// A view of all registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registers {
    /// R0 to R15; R13 is the stack pointer in use and R15 the address of the next instruction.
    pub general: [u32; 16],
    /// Flags in bits 31 to 28, EPSR.T in bit 24, the exception number in bits 5 to 0.
    pub xpsr: u32,
    /// The main stack pointer.
    pub msp: u32,
    /// The process stack pointer.
    pub psp: u32,
    /// Bit 0.
    pub primask: u32,
    /// Bit 0 nPRIV, bit 1 SPSEL.
    pub control: u32,
}

impl Registers {
    /// One of them.
    pub fn of(&self, register: Register) -> u32 {
        match register {
            Register::General(number) => self.general[usize::from(number % 16)],
            Register::Xpsr => self.xpsr,
            Register::Msp => self.msp,
            Register::Psp => self.psp,
            Register::Primask => self.primask,
            Register::Control => self.control,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct RegisterFile {
    /// R13 is the stack pointer in use. R15 is the address of the next instruction between instructions, and what the
    /// architecture calls PC (that address plus four) within those that read it.
    pub(super) general: [u32; 16],
    /// The stack pointer that is not in R13.
    other_stack_pointer: u32,
    pub(super) flags: Flags,
    /// EPSR.T. Clear means that the next instruction faults.
    pub(super) thumb: bool,
    pub(super) exception: u8,
    pub(super) mode: Mode,
    pub(super) primask: bool,
    /// CONTROL.SPSEL.
    process_stack: bool,
    /// CONTROL.nPRIV.
    unprivileged: bool,
}

impl RegisterFile {
    /// Values after reset (DDI 0419 B1.5.5). R0 to R12 and the flags are UNKNOWN there and zero here.
    pub(super) fn new() -> Self {
        let mut general = [0; 16];
        general[LR] = u32::MAX;
        RegisterFile {
            general,
            other_stack_pointer: 0,
            flags: Flags::default(),
            thumb: true,
            exception: 0,
            mode: Mode::Thread,
            primask: false,
            process_stack: false,
            unprivileged: false,
        }
    }

    pub(super) fn view(&self) -> Registers {
        Registers {
            general: self.general,
            xpsr: self.xpsr(),
            msp: self.main_stack_pointer(),
            psp: self.process_stack_pointer(),
            primask: u32::from(self.primask),
            control: self.control(),
        }
    }

    /// A debugger's write: no privilege is needed, and the bits that the architecture keeps zero stay so.
    pub(super) fn write(&mut self, register: Register, value: u32) {
        match register {
            Register::General(number) => match usize::from(number % 16) {
                SP => self.general[SP] = value & !3,
                PC => self.general[PC] = value & !1,
                other => self.general[other] = value,
            },
            Register::Xpsr => self.set_xpsr(value),
            Register::Msp => self.set_main_stack_pointer(value),
            Register::Psp => self.set_process_stack_pointer(value),
            Register::Primask => self.primask = value & 1 != 0,
            Register::Control => {
                self.unprivileged = value & CONTROL_UNPRIVILEGED != 0;
                self.select_stack(value & CONTROL_PROCESS_STACK != 0);
            }
        }
    }

    pub(super) fn xpsr(&self) -> u32 {
        self.flags.apsr() | bits_if(self.thumb, XPSR_THUMB) | u32::from(self.exception)
    }

    fn set_xpsr(&mut self, value: u32) {
        self.flags = Flags::from_apsr(value);
        self.thumb = value & XPSR_THUMB != 0;
        self.exception = (value & XPSR_EXCEPTION) as u8;
        self.mode = if self.exception == 0 { Mode::Thread } else { Mode::Handler };
        if self.mode == Mode::Handler {
            self.select_stack(false);
        }
    }

    /// What an exception return restores: everything of the xPSR; the mode follows EXC_RETURN instead.
    pub(super) fn restore_xpsr(&mut self, value: u32) {
        self.flags = Flags::from_apsr(value);
        self.thumb = value & XPSR_THUMB != 0;
        self.exception = exception_of(value);
    }

    pub(super) fn is_privileged(&self) -> bool {
        self.mode == Mode::Handler || !self.unprivileged
    }

    pub(super) fn uses_process_stack(&self) -> bool {
        self.process_stack
    }

    pub(super) fn control(&self) -> u32 {
        bits_if(self.unprivileged, CONTROL_UNPRIVILEGED) | bits_if(self.process_stack, CONTROL_PROCESS_STACK)
    }

    pub(super) fn main_stack_pointer(&self) -> u32 {
        if self.process_stack { self.other_stack_pointer } else { self.general[SP] }
    }

    pub(super) fn process_stack_pointer(&self) -> u32 {
        if self.process_stack { self.general[SP] } else { self.other_stack_pointer }
    }

    pub(super) fn set_main_stack_pointer(&mut self, value: u32) {
        let slot = if self.process_stack { &mut self.other_stack_pointer } else { &mut self.general[SP] };
        *slot = value & !3;
    }

    pub(super) fn set_process_stack_pointer(&mut self, value: u32) {
        let slot = if self.process_stack { &mut self.general[SP] } else { &mut self.other_stack_pointer };
        *slot = value & !3;
    }

    /// Writes CONTROL.SPSEL: R13 becomes the other stack pointer if that changes it.
    pub(super) fn select_stack(&mut self, process: bool) {
        if process != self.process_stack {
            std::mem::swap(&mut self.general[SP], &mut self.other_stack_pointer);
            self.process_stack = process;
        }
    }

    /// MRS (DDI 0419 B4.2.2). Registers that need privilege, EPSR and unassigned numbers read as zero.
    pub(super) fn read_special(&self, number: u32) -> u32 {
        match number {
            0..=7 => {
                let apsr = if number & 4 == 0 { self.flags.apsr() } else { 0 };
                let ipsr = if number & 1 != 0 && self.is_privileged() { u32::from(self.exception) } else { 0 };
                apsr | ipsr
            }
            8 if self.is_privileged() => self.main_stack_pointer(),
            9 if self.is_privileged() => self.process_stack_pointer(),
            16 if self.is_privileged() => u32::from(self.primask),
            20 => self.control(),
            _ => 0,
        }
    }

    /// MSR (DDI 0419 B4.2.3). `unprivileged_exists` is whether CONTROL.nPRIV can be written at all.
    pub(super) fn write_special(&mut self, number: u32, value: u32, unprivileged_exists: bool) {
        let privileged = self.is_privileged();
        match number {
            0..=3 => self.flags = Flags::from_apsr(value),
            8 if privileged => self.set_main_stack_pointer(value),
            9 if privileged => self.set_process_stack_pointer(value),
            16 if privileged => self.primask = value & 1 != 0,
            20 if privileged => {
                self.unprivileged = unprivileged_exists && value & CONTROL_UNPRIVILEGED != 0;
                // In Handler mode the main stack stays, whatever is written.
                if self.mode == Mode::Thread {
                    self.select_stack(value & CONTROL_PROCESS_STACK != 0);
                }
            }
            _ => {}
        }
    }
}

/// The exception number in an xPSR.
pub(super) fn exception_of(xpsr: u32) -> u8 {
    (xpsr & XPSR_EXCEPTION) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stack_pointers_are_banked_by_spsel() {
        let mut file = RegisterFile::new();
        file.write_special(8, 0x2000_1003, false);
        file.write_special(9, 0x2000_2003, false);
        assert_eq!(file.general[SP], 0x2000_1000, "bits 1 and 0 of a stack pointer are always zero");
        file.write_special(20, 2, false);
        assert_eq!(file.general[SP], 0x2000_2000);
        assert_eq!((file.read_special(8), file.read_special(9), file.read_special(20)), (0x2000_1000, 0x2000_2000, 2));
        file.write_special(8, 0x2000_3000, false);
        assert_eq!(file.general[SP], 0x2000_2000, "writing the other stack pointer leaves R13");
        file.write_special(20, 0, false);
        assert_eq!(file.general[SP], 0x2000_3000);
    }

    #[test]
    fn spsel_cannot_be_written_in_handler_mode() {
        let mut file = RegisterFile::new();
        file.mode = Mode::Handler;
        file.write_special(20, 3, true);
        assert_eq!(file.control(), CONTROL_UNPRIVILEGED);
    }

    #[test]
    fn npriv_exists_only_where_the_option_says_so() {
        let mut file = RegisterFile::new();
        file.write_special(20, 1, false);
        assert_eq!(file.control(), 0);
        file.write_special(20, 1, true);
        assert_eq!(file.control(), 1);
    }

    #[test]
    fn unprivileged_code_reads_zero_and_writes_nothing_but_the_flags() {
        let mut file = RegisterFile::new();
        file.write_special(8, 0x2000_1000, true);
        file.write_special(20, 1, true);
        file.write_special(8, 0x2000_5000, true);
        file.write_special(16, 1, true);
        file.write_special(20, 0, true);
        file.write_special(0, 0xF000_0000, true);
        assert_eq!([8, 9, 16].map(|number| file.read_special(number)), [0, 0, 0]);
        assert_eq!(file.main_stack_pointer(), 0x2000_1000);
        assert_eq!(file.read_special(20), 1, "CONTROL may be read by anyone, and is not written");
        assert_eq!(file.read_special(0), 0xF000_0000);
    }

    #[test]
    fn the_program_status_registers_combine_by_their_number() {
        let mut file = RegisterFile::new();
        file.write_special(3, 0xFFFF_FFFF, false);
        assert_eq!(file.exception, 0, "MSR never writes the exception number");
        file.exception = 21;
        file.mode = Mode::Handler;
        let combined = [0, 1, 2, 3, 5, 6, 7].map(|number| file.read_special(number));
        assert_eq!(combined, [0xF000_0000, 0xF000_0015, 0xF000_0000, 0xF000_0015, 21, 0, 21]);
        file.write_special(5, 0, false);
        assert_eq!(file.flags.apsr(), 0xF000_0000, "IPSR is read-only");
    }
}
