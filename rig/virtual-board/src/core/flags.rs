//! The condition flags, kept as the values they derive from.
//!
//! Boundary: N, Z, C and V of the APSR and the conditions over them; the rest of the xPSR is in `registers`.

/// N, Z, C and V. N and Z are kept as the result they were computed from, because nearly every instruction sets them and few
/// are asked about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flags {
    /// N is the sign; Z is set when the low word is zero. A result sign-extended says both, and both can be set at once.
    result: i64,
    carry: bool,
    /// Bit 31 is V.
    overflow: u32,
}

impl Default for Flags {
    fn default() -> Self {
        Flags::from_apsr(0)
    }
}

impl Flags {
    pub(super) fn from_apsr(apsr: u32) -> Self {
        Flags {
            result: i64::from(apsr as i32) >> 31 << 32 | i64::from(!apsr & 1 << 30),
            carry: apsr >> 29 & 1 != 0,
            overflow: apsr << 3,
        }
    }

    /// The flags where the APSR has them: bits 31 to 28, the others zero.
    pub(super) fn apsr(self) -> u32 {
        u32::from(self.n()) << 31 | u32::from(self.z()) << 30 | u32::from(self.carry) << 29 | u32::from(self.v()) << 28
    }

    #[inline(always)]
    pub(super) fn n(self) -> bool {
        self.result < 0
    }

    #[inline(always)]
    pub(super) fn z(self) -> bool {
        self.result as u32 == 0
    }

    #[inline(always)]
    pub(super) fn c(self) -> bool {
        self.carry
    }

    #[inline(always)]
    pub(super) fn v(self) -> bool {
        (self.overflow as i32) < 0
    }

    #[inline(always)]
    pub(super) fn set_nz(&mut self, result: u32) -> u32 {
        self.result = i64::from(result as i32);
        result
    }

    #[inline(always)]
    pub(super) fn set_nzc(&mut self, result: u32, carry: bool) -> u32 {
        self.carry = carry;
        self.set_nz(result)
    }

    #[inline(always)]
    pub(super) fn add(&mut self, a: u32, b: u32) -> u32 {
        let (sum, carry) = a.overflowing_add(b);
        self.overflow = (a ^ sum) & (b ^ sum);
        self.set_nzc(sum, carry)
    }

    /// Carry after a subtraction means "no borrow".
    #[inline(always)]
    pub(super) fn subtract(&mut self, a: u32, b: u32) -> u32 {
        let difference = a.wrapping_sub(b);
        self.overflow = (a ^ b) & (a ^ difference);
        self.set_nzc(difference, a >= b)
    }

    /// AddWithCarry of DDI 0419 A2.2.1, with the carry flag as carry in. Subtraction with carry is the same with `!b`.
    #[inline(always)]
    pub(super) fn add_with_carry(&mut self, a: u32, b: u32) -> u32 {
        let wide = u64::from(a) + u64::from(b) + u64::from(self.carry);
        let sum = wide as u32;
        self.overflow = (a ^ sum) & (b ^ sum);
        self.set_nzc(sum, wide >> 32 != 0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_apsr_survives_a_round_trip(nzcv in 0u32..16) {
            prop_assert_eq!(Flags::from_apsr(nzcv << 28).apsr(), nzcv << 28);
        }

        #[test]
        fn bits_below_the_flags_are_dropped(apsr: u32) {
            prop_assert_eq!(Flags::from_apsr(apsr).apsr(), apsr & 0xF000_0000);
        }

        /// AddWithCarry as DDI 0419 defines it: on unbounded integers.
        #[test]
        fn arithmetic_follows_the_definition(a: u32, b: u32, carry_in: bool) {
            let reference = |x: u32, y: u32, carry: bool| {
                let unsigned = u64::from(x) + u64::from(y) + u64::from(carry);
                let signed = i64::from(x as i32) + i64::from(y as i32) + i64::from(carry);
                let result = unsigned as u32;
                let flags = u32::from((result as i32) < 0) << 31
                    | u32::from(result == 0) << 30
                    | u32::from(u64::from(result) != unsigned) << 29
                    | u32::from(i64::from(result as i32) != signed) << 28;
                (result, flags)
            };
            let mut flags = Flags::from_apsr(u32::from(carry_in) << 29);
            prop_assert_eq!((flags.add_with_carry(a, b), flags.apsr()), reference(a, b, carry_in));
            prop_assert_eq!((flags.add(a, b), flags.apsr()), reference(a, b, false));
            prop_assert_eq!((flags.subtract(a, b), flags.apsr()), reference(a, !b, true));
        }
    }
}
