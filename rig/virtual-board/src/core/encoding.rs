//! What a halfword (or two) means: the encoding classes of ARMv6-M and their operands.
//!
//! Boundary: pure functions of the encoding and its address. Nothing is executed here, and no state is known. Section numbers are
//! those of the ARMv6-M Architecture Reference Manual (ARM DDI 0419).

use std::fmt;

/// Declares [`Class`] together with the list of all classes and the way each is written.
macro_rules! classes {
    ($($(#[$doc:meta])* $class:ident $text:literal;)*) => {
        /// An encoding class: one row of the tables in DDI 0419 A5, with the forms that write the PC told apart from their
        /// siblings, because they branch, and each condition of a conditional branch a class of its own.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Class {
            $(#[doc = concat!("`", $text, "`")] $(#[$doc])* $class,)*
        }

        impl Class {
            /// Every class, in the order of declaration. Coverage is counted against this list.
            pub const ALL: &'static [Class] = &[$(Class::$class),*];

            /// The class as assembler text.
            pub fn text(self) -> &'static str {
                match self {
                    $(Class::$class => $text,)*
                }
            }
        }
    };
}

classes! {
    LslImmediate "LSLS Rd, Rm, #imm5";
    /// `LSLS Rd, Rm, #0`: the carry stays as it is.
    MovLow "MOVS Rd, Rm";
    LsrImmediate "LSRS Rd, Rm, #imm5";
    AsrImmediate "ASRS Rd, Rm, #imm5";
    AddRegister "ADDS Rd, Rn, Rm";
    SubRegister "SUBS Rd, Rn, Rm";
    AddImmediate3 "ADDS Rd, Rn, #imm3";
    SubImmediate3 "SUBS Rd, Rn, #imm3";
    MovImmediate "MOVS Rd, #imm8";
    CmpImmediate "CMP Rn, #imm8";
    AddImmediate8 "ADDS Rdn, #imm8";
    SubImmediate8 "SUBS Rdn, #imm8";
    And "ANDS Rdn, Rm";
    Eor "EORS Rdn, Rm";
    LslRegister "LSLS Rdn, Rm";
    LsrRegister "LSRS Rdn, Rm";
    AsrRegister "ASRS Rdn, Rm";
    Adc "ADCS Rdn, Rm";
    Sbc "SBCS Rdn, Rm";
    Ror "RORS Rdn, Rm";
    Tst "TST Rn, Rm";
    Rsb "RSBS Rd, Rn, #0";
    CmpLow "CMP Rn, Rm (low)";
    Cmn "CMN Rn, Rm";
    Orr "ORRS Rdn, Rm";
    Mul "MULS Rdm, Rn";
    Bic "BICS Rdn, Rm";
    Mvn "MVNS Rd, Rm";
    AddHigh "ADD Rdn, Rm";
    AddPc "ADD PC, Rm";
    CmpHigh "CMP Rn, Rm (high)";
    MovHigh "MOV Rd, Rm";
    MovPc "MOV PC, Rm";
    Bx "BX Rm";
    Blx "BLX Rm";
    LdrLiteral "LDR Rt, [PC, #imm8]";
    StrRegister "STR Rt, [Rn, Rm]";
    StrhRegister "STRH Rt, [Rn, Rm]";
    StrbRegister "STRB Rt, [Rn, Rm]";
    Ldrsb "LDRSB Rt, [Rn, Rm]";
    LdrRegister "LDR Rt, [Rn, Rm]";
    LdrhRegister "LDRH Rt, [Rn, Rm]";
    LdrbRegister "LDRB Rt, [Rn, Rm]";
    Ldrsh "LDRSH Rt, [Rn, Rm]";
    StrImmediate "STR Rt, [Rn, #imm5]";
    LdrImmediate "LDR Rt, [Rn, #imm5]";
    StrbImmediate "STRB Rt, [Rn, #imm5]";
    LdrbImmediate "LDRB Rt, [Rn, #imm5]";
    StrhImmediate "STRH Rt, [Rn, #imm5]";
    LdrhImmediate "LDRH Rt, [Rn, #imm5]";
    StrSp "STR Rt, [SP, #imm8]";
    LdrSp "LDR Rt, [SP, #imm8]";
    Adr "ADR Rd, label";
    AddRdSp "ADD Rd, SP, #imm8";
    AddSp "ADD SP, SP, #imm7";
    SubSp "SUB SP, SP, #imm7";
    Sxth "SXTH Rd, Rm";
    Sxtb "SXTB Rd, Rm";
    Uxth "UXTH Rd, Rm";
    Uxtb "UXTB Rd, Rm";
    /// With or without LR in the list.
    Push "PUSH {..}";
    Cps "CPSIE i / CPSID i";
    Rev "REV Rd, Rm";
    Rev16 "REV16 Rd, Rm";
    Revsh "REVSH Rd, Rm";
    Pop "POP {..}";
    PopPc "POP {.., PC}";
    Bkpt "BKPT #imm8";
    /// Also the unallocated hints, which DDI 0419 A5.2.5 says execute as NOP.
    Nop "NOP";
    Yield "YIELD";
    Wfe "WFE";
    Wfi "WFI";
    Sev "SEV";
    Stm "STM Rn!, {..}";
    Ldm "LDM Rn!, {..}";
    Beq "BEQ label";
    Bne "BNE label";
    Bcs "BCS label";
    Bcc "BCC label";
    Bmi "BMI label";
    Bpl "BPL label";
    Bvs "BVS label";
    Bvc "BVC label";
    Bhi "BHI label";
    Bls "BLS label";
    Bge "BGE label";
    Blt "BLT label";
    Bgt "BGT label";
    Ble "BLE label";
    UdfNarrow "UDF #imm8";
    Svc "SVC #imm8";
    B "B label";
    Bl "BL label";
    Msr "MSR spec_reg, Rn";
    Mrs "MRS Rd, spec_reg";
    Dsb "DSB";
    Dmb "DMB";
    Isb "ISB";
    UdfWide "UDF.W #imm16";
    /// Whatever the tables leave empty, and the UNPREDICTABLE forms of MSR and MRS: a HardFault.
    Undefined "undefined";
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// A decoded instruction. Which fields mean something depends on the class; all that can be computed from the address (branch
/// targets, literal addresses) is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// What to do.
    pub class: Class,
    /// Destination register, or the register stored: 0 to 15.
    pub d: u8,
    /// First operand or base register: 0 to 15.
    pub n: u8,
    /// Second operand or index register: 0 to 15.
    pub m: u8,
    /// The immediate scaled to bytes, a target address, a register list (bit per register) or a special register number.
    pub immediate: u32,
}

/// Whether `first` is the first halfword of a 32-bit encoding (DDI 0419 A5.1).
pub fn is_wide(first: u16) -> bool {
    first >= 0b11101 << 11
}

/// The class of an encoding. `second` is looked at only where [`is_wide`] says so.
pub fn classify(first: u16, second: u16) -> Class {
    decode(0, first, second).class
}

/// Decodes the encoding at `address`. `second` is looked at only where [`is_wide`] says so. Total: what is not an instruction is
/// [`Class::Undefined`].
pub fn decode(address: u32, first: u16, second: u16) -> Instruction {
    if is_wide(first) {
        return decode_wide(address, u32::from(first), u32::from(second));
    }
    let halfword = u32::from(first);
    match halfword >> 12 {
        0b0000 | 0b0001 => decode_shift_add_subtract(halfword),
        0b0010 | 0b0011 => decode_immediate8(halfword),
        0b0100 => decode_register_forms(address, halfword),
        0b0101 => decode_register_offset(halfword),
        0b0110..=0b1001 => decode_immediate_offset(halfword),
        0b1010 => decode_address(address, halfword),
        0b1011 => decode_miscellaneous(halfword),
        0b1100 => decode_multiple(halfword),
        0b1101 => decode_conditional(address, halfword),
        _ => Instruction { immediate: branch_target(address, halfword << 1, 12), ..bare(Class::B) },
    }
}

const SP: u8 = 13;
const LR: u8 = 14;
const PC: u8 = 15;

const fn bare(class: Class) -> Instruction {
    Instruction { class, d: 0, n: 0, m: 0, immediate: 0 }
}

/// The bits `low + width - 1` to `low`.
fn field(bits: u32, low: u32, width: u32) -> u32 {
    bits >> low & ((1 << width) - 1)
}

fn low_register(bits: u32, low: u32) -> u8 {
    field(bits, low, 3) as u8
}

/// What the architecture calls Align(PC, 4): the PC reads as the address of the instruction plus four.
fn aligned_pc(address: u32) -> u32 {
    address.wrapping_add(4) & !3
}

/// PC plus `offset`, whose sign is its bit `width - 1`.
fn branch_target(address: u32, offset: u32, width: u32) -> u32 {
    let unused = 32 - width;
    let signed = ((offset << unused) as i32) >> unused;
    address.wrapping_add(4).wrapping_add_signed(signed)
}

fn decode_shift_add_subtract(halfword: u32) -> Instruction {
    let (d, n, m) = (low_register(halfword, 0), low_register(halfword, 3), low_register(halfword, 6));
    let shift = |class, amount| Instruction { class, d, n: 0, m: n, immediate: amount };
    let three = |class| Instruction { class, d, n, m, immediate: field(halfword, 6, 3) };
    let amount = field(halfword, 6, 5);
    // Zero encodes a shift by 32 for the right shifts.
    let right_amount = if amount == 0 { 32 } else { amount };
    match field(halfword, 9, 4) {
        0..=3 if amount == 0 => shift(Class::MovLow, 0),
        0..=3 => shift(Class::LslImmediate, amount),
        4..=7 => shift(Class::LsrImmediate, right_amount),
        8..=11 => shift(Class::AsrImmediate, right_amount),
        12 => three(Class::AddRegister),
        13 => three(Class::SubRegister),
        14 => three(Class::AddImmediate3),
        _ => three(Class::SubImmediate3),
    }
}

fn decode_immediate8(halfword: u32) -> Instruction {
    let class = match field(halfword, 11, 2) {
        0 => Class::MovImmediate,
        1 => Class::CmpImmediate,
        2 => Class::AddImmediate8,
        _ => Class::SubImmediate8,
    };
    let register = low_register(halfword, 8);
    Instruction { class, d: register, n: register, m: 0, immediate: field(halfword, 0, 8) }
}

/// Opcodes 0b0100xx: data processing, high registers, BX and BLX, literal loads.
fn decode_register_forms(address: u32, halfword: u32) -> Instruction {
    match field(halfword, 10, 2) {
        0 => decode_data_processing(halfword),
        1 => decode_high_registers(halfword),
        _ => Instruction {
            d: low_register(halfword, 8),
            immediate: aligned_pc(address).wrapping_add(field(halfword, 0, 8) * 4),
            ..bare(Class::LdrLiteral)
        },
    }
}

fn decode_data_processing(halfword: u32) -> Instruction {
    const CLASSES: [Class; 16] = [
        Class::And,
        Class::Eor,
        Class::LslRegister,
        Class::LsrRegister,
        Class::AsrRegister,
        Class::Adc,
        Class::Sbc,
        Class::Ror,
        Class::Tst,
        Class::Rsb,
        Class::CmpLow,
        Class::Cmn,
        Class::Orr,
        Class::Mul,
        Class::Bic,
        Class::Mvn,
    ];
    let register = low_register(halfword, 0);
    Instruction {
        class: CLASSES[field(halfword, 6, 4) as usize],
        d: register,
        n: register,
        m: low_register(halfword, 3),
        immediate: 0,
    }
}

fn decode_high_registers(halfword: u32) -> Instruction {
    let d = (field(halfword, 0, 3) | field(halfword, 7, 1) << 3) as u8;
    let m = field(halfword, 3, 4) as u8;
    let class = match (field(halfword, 8, 2), d) {
        (0, PC) => Class::AddPc,
        (0, _) => Class::AddHigh,
        (1, _) => Class::CmpHigh,
        (2, PC) => Class::MovPc,
        (2, _) => Class::MovHigh,
        // For BX and BLX the top bit of `d` is the L bit; the rest should be zero and is not looked at.
        (_, 8..) => Class::Blx,
        _ => Class::Bx,
    };
    Instruction { class, d, n: d, m, immediate: 0 }
}

fn decode_register_offset(halfword: u32) -> Instruction {
    const CLASSES: [Class; 8] = [
        Class::StrRegister,
        Class::StrhRegister,
        Class::StrbRegister,
        Class::Ldrsb,
        Class::LdrRegister,
        Class::LdrhRegister,
        Class::LdrbRegister,
        Class::Ldrsh,
    ];
    Instruction {
        class: CLASSES[field(halfword, 9, 3) as usize],
        d: low_register(halfword, 0),
        n: low_register(halfword, 3),
        m: low_register(halfword, 6),
        immediate: 0,
    }
}

fn decode_immediate_offset(halfword: u32) -> Instruction {
    let (class, scale) = match field(halfword, 11, 5) {
        0b01100 => (Class::StrImmediate, 4),
        0b01101 => (Class::LdrImmediate, 4),
        0b01110 => (Class::StrbImmediate, 1),
        0b01111 => (Class::LdrbImmediate, 1),
        0b10000 => (Class::StrhImmediate, 2),
        0b10001 => (Class::LdrhImmediate, 2),
        0b10010 => return sp_relative(Class::StrSp, halfword),
        _ => return sp_relative(Class::LdrSp, halfword),
    };
    Instruction {
        class,
        d: low_register(halfword, 0),
        n: low_register(halfword, 3),
        m: 0,
        immediate: field(halfword, 6, 5) * scale,
    }
}

fn sp_relative(class: Class, halfword: u32) -> Instruction {
    Instruction { class, d: low_register(halfword, 8), n: SP, m: 0, immediate: field(halfword, 0, 8) * 4 }
}

fn decode_address(address: u32, halfword: u32) -> Instruction {
    let sum = sp_relative(Class::AddRdSp, halfword);
    if field(halfword, 11, 1) != 0 {
        return sum;
    }
    Instruction { class: Class::Adr, n: 0, immediate: aligned_pc(address).wrapping_add(sum.immediate), ..sum }
}

/// Opcodes 0b1011xx (DDI 0419 A5.2.5).
fn decode_miscellaneous(halfword: u32) -> Instruction {
    let unary = |class| Instruction { d: low_register(halfword, 0), m: low_register(halfword, 3), ..bare(class) };
    let with_list = |class, list| Instruction { n: SP, immediate: list, ..bare(class) };
    let low_list = field(halfword, 0, 8);
    let extra = field(halfword, 8, 1);
    match field(halfword, 6, 6) {
        0b000000 | 0b000001 => Instruction { immediate: field(halfword, 0, 7) * 4, ..bare(Class::AddSp) },
        0b000010 | 0b000011 => Instruction { immediate: field(halfword, 0, 7) * 4, ..bare(Class::SubSp) },
        0b001000 => unary(Class::Sxth),
        0b001001 => unary(Class::Sxtb),
        0b001010 => unary(Class::Uxth),
        0b001011 => unary(Class::Uxtb),
        0b010000..=0b010111 => with_list(Class::Push, low_list | extra << LR),
        0b011001 if halfword & 0xFFEF == 0xB662 => Instruction { immediate: field(halfword, 4, 1), ..bare(Class::Cps) },
        0b101000 => unary(Class::Rev),
        0b101001 => unary(Class::Rev16),
        0b101011 => unary(Class::Revsh),
        0b110000..=0b110011 => with_list(Class::Pop, low_list),
        0b110100..=0b110111 => with_list(Class::PopPc, low_list),
        0b111000..=0b111011 => Instruction { immediate: low_list, ..bare(Class::Bkpt) },
        0b111100..=0b111111 => bare(decode_hint(halfword)),
        _ => bare(Class::Undefined),
    }
}

fn decode_hint(halfword: u32) -> Class {
    match (field(halfword, 4, 4), field(halfword, 0, 4)) {
        (1, 0) => Class::Yield,
        (2, 0) => Class::Wfe,
        (3, 0) => Class::Wfi,
        (4, 0) => Class::Sev,
        (_, 0) => Class::Nop,
        // IT, which only later profiles have.
        _ => Class::Undefined,
    }
}

fn decode_multiple(halfword: u32) -> Instruction {
    let class = if field(halfword, 11, 1) == 0 { Class::Stm } else { Class::Ldm };
    Instruction { n: low_register(halfword, 8), immediate: field(halfword, 0, 8), ..bare(class) }
}

fn decode_conditional(address: u32, halfword: u32) -> Instruction {
    const CLASSES: [Class; 14] = [
        Class::Beq,
        Class::Bne,
        Class::Bcs,
        Class::Bcc,
        Class::Bmi,
        Class::Bpl,
        Class::Bvs,
        Class::Bvc,
        Class::Bhi,
        Class::Bls,
        Class::Bge,
        Class::Blt,
        Class::Bgt,
        Class::Ble,
    ];
    match field(halfword, 8, 4) {
        14 => Instruction { immediate: field(halfword, 0, 8), ..bare(Class::UdfNarrow) },
        15 => Instruction { immediate: field(halfword, 0, 8), ..bare(Class::Svc) },
        condition => {
            Instruction { immediate: branch_target(address, halfword << 1, 9), ..bare(CLASSES[condition as usize]) }
        }
    }
}

/// The 32-bit encodings (DDI 0419 A5.3): only 0b11110 with bit 15 of the second halfword set holds any.
fn decode_wide(address: u32, first: u32, second: u32) -> Instruction {
    if field(first, 11, 5) != 0b11110 || field(second, 15, 1) == 0 {
        return bare(Class::Undefined);
    }
    match field(second, 12, 3) {
        0b101 | 0b111 => {
            Instruction { immediate: branch_target(address, bl_offset(first, second), 25), ..bare(Class::Bl) }
        }
        0b010 if first & 0xFFF0 == 0xF7F0 => bare(Class::UdfWide),
        0b000 => decode_system(first, second),
        _ => bare(Class::Undefined),
    }
}

fn bl_offset(first: u32, second: u32) -> u32 {
    let sign = field(first, 10, 1);
    let i1 = 1 ^ field(second, 13, 1) ^ sign;
    let i2 = 1 ^ field(second, 11, 1) ^ sign;
    sign << 24 | i1 << 23 | i2 << 22 | field(first, 0, 10) << 12 | field(second, 0, 11) << 1
}

fn decode_system(first: u32, second: u32) -> Instruction {
    // SP and PC as the general register are UNPREDICTABLE; a fault shows the mistake where it is made.
    let usable = |register: u8| register != SP && register != PC;
    let special = field(second, 0, 8);
    let (source, destination) = (field(first, 0, 4) as u8, field(second, 8, 4) as u8);
    match first & 0xFFF0 {
        0xF380 if second & 0xFF00 == 0x8800 && usable(source) => {
            Instruction { n: source, immediate: special, ..bare(Class::Msr) }
        }
        0xF3E0 if source == 15 && usable(destination) => {
            Instruction { d: destination, immediate: special, ..bare(Class::Mrs) }
        }
        0xF3B0 => bare(match field(second, 4, 4) {
            4 => Class::Dsb,
            5 => Class::Dmb,
            6 => Class::Isb,
            _ => Class::Undefined,
        }),
        _ => bare(Class::Undefined),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// One encoding per class, assembled by hand from DDI 0419 A6.7 (address 0x100).
    const SAMPLES: &[(u16, u16, Class)] = &[
        (0x0111, 0, Class::LslImmediate),
        (0x0011, 0, Class::MovLow),
        (0x0811, 0, Class::LsrImmediate),
        (0x1011, 0, Class::AsrImmediate),
        (0x1888, 0, Class::AddRegister),
        (0x1A88, 0, Class::SubRegister),
        (0x1C88, 0, Class::AddImmediate3),
        (0x1E88, 0, Class::SubImmediate3),
        (0x20FF, 0, Class::MovImmediate),
        (0x28FF, 0, Class::CmpImmediate),
        (0x30FF, 0, Class::AddImmediate8),
        (0x38FF, 0, Class::SubImmediate8),
        (0x4008, 0, Class::And),
        (0x4048, 0, Class::Eor),
        (0x4088, 0, Class::LslRegister),
        (0x40C8, 0, Class::LsrRegister),
        (0x4108, 0, Class::AsrRegister),
        (0x4148, 0, Class::Adc),
        (0x4188, 0, Class::Sbc),
        (0x41C8, 0, Class::Ror),
        (0x4208, 0, Class::Tst),
        (0x4248, 0, Class::Rsb),
        (0x4288, 0, Class::CmpLow),
        (0x42C8, 0, Class::Cmn),
        (0x4308, 0, Class::Orr),
        (0x4348, 0, Class::Mul),
        (0x4388, 0, Class::Bic),
        (0x43C8, 0, Class::Mvn),
        (0x4440, 0, Class::AddHigh),
        (0x4487, 0, Class::AddPc),
        (0x4540, 0, Class::CmpHigh),
        (0x4640, 0, Class::MovHigh),
        (0x4687, 0, Class::MovPc),
        (0x4770, 0, Class::Bx),
        (0x4798, 0, Class::Blx),
        (0x4801, 0, Class::LdrLiteral),
        (0x5088, 0, Class::StrRegister),
        (0x5288, 0, Class::StrhRegister),
        (0x5488, 0, Class::StrbRegister),
        (0x5688, 0, Class::Ldrsb),
        (0x5888, 0, Class::LdrRegister),
        (0x5A88, 0, Class::LdrhRegister),
        (0x5C88, 0, Class::LdrbRegister),
        (0x5E88, 0, Class::Ldrsh),
        (0x6048, 0, Class::StrImmediate),
        (0x6848, 0, Class::LdrImmediate),
        (0x7048, 0, Class::StrbImmediate),
        (0x7848, 0, Class::LdrbImmediate),
        (0x8048, 0, Class::StrhImmediate),
        (0x8848, 0, Class::LdrhImmediate),
        (0x9001, 0, Class::StrSp),
        (0x9801, 0, Class::LdrSp),
        (0xA001, 0, Class::Adr),
        (0xA801, 0, Class::AddRdSp),
        (0xB001, 0, Class::AddSp),
        (0xB081, 0, Class::SubSp),
        (0xB208, 0, Class::Sxth),
        (0xB248, 0, Class::Sxtb),
        (0xB288, 0, Class::Uxth),
        (0xB2C8, 0, Class::Uxtb),
        (0xB510, 0, Class::Push),
        (0xB672, 0, Class::Cps),
        (0xBA08, 0, Class::Rev),
        (0xBA48, 0, Class::Rev16),
        (0xBAC8, 0, Class::Revsh),
        (0xBC10, 0, Class::Pop),
        (0xBD10, 0, Class::PopPc),
        (0xBEAB, 0, Class::Bkpt),
        (0xBF00, 0, Class::Nop),
        (0xBFF0, 0, Class::Nop),
        (0xBF10, 0, Class::Yield),
        (0xBF20, 0, Class::Wfe),
        (0xBF30, 0, Class::Wfi),
        (0xBF40, 0, Class::Sev),
        (0xC106, 0, Class::Stm),
        (0xC906, 0, Class::Ldm),
        (0xD001, 0, Class::Beq),
        (0xD101, 0, Class::Bne),
        (0xD201, 0, Class::Bcs),
        (0xD301, 0, Class::Bcc),
        (0xD401, 0, Class::Bmi),
        (0xD501, 0, Class::Bpl),
        (0xD601, 0, Class::Bvs),
        (0xD701, 0, Class::Bvc),
        (0xD801, 0, Class::Bhi),
        (0xD901, 0, Class::Bls),
        (0xDA01, 0, Class::Bge),
        (0xDB01, 0, Class::Blt),
        (0xDC01, 0, Class::Bgt),
        (0xDD01, 0, Class::Ble),
        (0xDE00, 0, Class::UdfNarrow),
        (0xDF00, 0, Class::Svc),
        (0xE7FE, 0, Class::B),
        (0xF000, 0xF801, Class::Bl),
        (0xF380, 0x8810, Class::Msr),
        (0xF3EF, 0x8010, Class::Mrs),
        (0xF3BF, 0x8F4F, Class::Dsb),
        (0xF3BF, 0x8F5F, Class::Dmb),
        (0xF3BF, 0x8F6F, Class::Isb),
        (0xF7F0, 0xA000, Class::UdfWide),
        (0xB108, 0, Class::Undefined),
        (0xBA88, 0, Class::Undefined),
        (0xBF08, 0, Class::Undefined),
        (0xE800, 0, Class::Undefined),
        (0xF8D0, 0x0000, Class::Undefined),
        (0xF3EF, 0x8D10, Class::Undefined),
        (0xF38F, 0x8810, Class::Undefined),
        (0xF3BF, 0x8F7F, Class::Undefined),
    ];

    #[test]
    fn a_sample_of_every_class_is_recognised() {
        for &(first, second, class) in SAMPLES {
            assert_eq!(classify(first, second), class, "{first:04x} {second:04x}");
        }
        let sampled: BTreeSet<Class> = SAMPLES.iter().map(|&(_, _, class)| class).collect();
        let missing: Vec<&Class> = Class::ALL.iter().filter(|class| !sampled.contains(class)).collect();
        assert!(missing.is_empty(), "no sample of {missing:?}");
    }

    #[test]
    fn offsets_reach_both_ends_of_their_range() {
        let target = |first, second| decode(0x1000, first, second).immediate;
        assert_eq!(target(0xD07F, 0), 0x1000 + 4 + 254, "conditional branch, farthest forward");
        assert_eq!(target(0xD080, 0), 0x1000 + 4 - 256, "conditional branch, farthest backward");
        assert_eq!(target(0xE3FF, 0), 0x1000 + 4 + 2046);
        assert_eq!(target(0xE400, 0), 0x1000 + 4 - 2048);
        assert_eq!(target(0xF3FF, 0xD7FF), 0x1000 + 4 + (1 << 24) - 2);
        assert_eq!(target(0xF400, 0xD000), 0x1004u32.wrapping_sub(1 << 24));
        assert_eq!(target(0xF000, 0xF801), 0x1000 + 4 + 2, "BL with J1 = J2 = 1 is a short forward call");
    }

    #[test]
    fn pc_relative_addresses_are_aligned_down() {
        assert_eq!(decode(0x1002, 0x4801, 0).immediate, 0x1008, "(0x1002 + 4) & !3 + 4");
        assert_eq!(decode(0x1002, 0xA001, 0).immediate, 0x1008);
    }

    #[test]
    fn right_shift_by_zero_means_32_and_left_shift_by_zero_is_a_move() {
        assert_eq!(decode(0, 0x0808, 0).immediate, 32);
        assert_eq!(decode(0, 0x1008, 0).immediate, 32);
        assert_eq!(classify(0x0008, 0), Class::MovLow);
    }

    /// The share of the 16-bit space each row of the tables has, counted from the tables rather than from the code.
    #[test]
    fn the_undefined_holes_of_the_narrow_space_are_exactly_those_of_the_tables() {
        let holes: Vec<u16> = (0..0xE800u16).filter(|&first| classify(first, 0) == Class::Undefined).collect();
        let expected: Vec<u16> = (0xB000..=0xBFFFu16)
            .filter(|first| match first >> 8 & 0xF {
                0x1 | 0x3 | 0x7 | 0x8 | 0x9 | 0xB => true,
                0x6 => *first != 0xB662 && *first != 0xB672,
                0xA => first >> 6 & 3 == 2,
                0xF => first & 0xF != 0,
                _ => false,
            })
            .collect();
        assert_eq!(holes, expected);
    }
}
