//! The backup registers: what one start leaves for the next.
//!
//! Boundary: registers; the RTC around them is not modelled. VBAT is taken to hang on the supply, as without a cell of its own: they outlast every
//! reset but a loss of power. Source: RM0033, RTC_BKPxR, and PWR_CR.DBP, which lets them be written.

/// The offset of RTC_BKP0R within RTC.
const FIRST: u32 = 0x50;
const COUNT: usize = 20;

/// RTC_BKP0R to RTC_BKP19R.
#[derive(Clone, Debug, Default)]
pub(super) struct Backup([u32; COUNT]);

impl Backup {
    pub(super) fn power_up(&mut self) {
        *self = Self::default();
    }

    /// RTC_BKP1R.
    pub(super) fn second(&self) -> u32 {
        self.0[1]
    }

    pub(super) fn forget_second(&mut self) {
        self.0[1] = 0;
    }

    pub(super) fn read(&self, offset: u32) -> u32 {
        self.place(offset).map_or(0, |index| self.0[index])
    }

    pub(super) fn write(&mut self, offset: u32, value: u32) {
        if let Some(index) = self.place(offset) {
            self.0[index] = value;
        }
    }

    fn place(&self, offset: u32) -> Option<usize> {
        let index = offset.checked_sub(FIRST)? as usize / 4;
        (index < COUNT).then_some(index)
    }
}
