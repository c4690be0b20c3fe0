//! The registers of a part that tell why it was reset, what its brown-out settings are and whether it can be read out: a table by kind of part.
//!
//! Boundary: addresses, bits and words, each with its source. "Recalled" was not verified against the manual; the values that were read stand in
//! every report beside the words.

use brickproof_boards::BoardProfile;

/// What a register is looked at for.
#[derive(Clone, Copy)]
pub enum Meaning {
    /// Each bit that is set is a reason.
    ResetReason(&'static [(u32, &'static str)]),
    /// Settings of the brown-out and power-fail circuits.
    BrownOut(fn(u32) -> String),
    /// Whether debuggers are kept out.
    Protection(fn(u32) -> Protection),
}

/// Whether a part keeps debuggers out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// It does not.
    Off,
    /// It does; what lifts it erases everything.
    On,
    /// It does for good.
    Forever,
}

impl Protection {
    /// As reports say it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Off => "read-out protection is off",
            Self::On => "read-out protection is ON: what lifts it erases everything",
            Self::Forever => "read-out protection is ON and cannot be lifted",
        }
    }
}

/// A register.
#[derive(Clone, Copy)]
pub struct Register {
    /// As the manual calls it.
    pub name: &'static str,
    /// Where it is.
    pub address: u32,
    /// What it tells.
    pub meaning: Meaning,
    /// Where that is known from.
    pub source: &'static str,
}

/// Parts that are alike in what can be read of them.
pub struct Family {
    /// How their names begin.
    prefix: &'static str,
    /// The registers, in the order in which they are read: the reason of the reset first, before anything could change it.
    pub registers: &'static [Register],
    /// The user configuration registers: the first address, and how many bytes of them are read and belong to a state.
    pub user: Option<(u32, u32)>,
}

const NRF52_RESETS: &[(u32, &str)] = &[
    (0, "reset pin"),
    (1, "watchdog"),
    (2, "software"),
    (3, "lock-up"),
    (16, "woken from System OFF by a pin"),
    (17, "woken from System OFF by LPCOMP"),
    (18, "woken from System OFF by a debugger"),
    (19, "woken from System OFF by NFC"),
    (20, "woken from System OFF by VBUS"),
];
/// The older one's are the same up to there: it has neither NFC nor USB.
const NRF51_RESETS: &[(u32, &str)] = NRF52_RESETS.split_at(7).0;
const STM32F2_RESETS: &[(u32, &str)] = &[
    (25, "brown-out or power-on"),
    (26, "reset pin"),
    (27, "power-on"),
    (28, "software"),
    (29, "independent watchdog"),
    (30, "window watchdog"),
    (31, "low power"),
];

const FAMILIES: &[Family] = &[
    Family {
        prefix: "nRF51",
        registers: &[
            Register {
                name: "POWER.RESETREAS",
                address: 0x4000_0400,
                meaning: Meaning::ResetReason(NRF51_RESETS),
                source: "nRF51 reference manual v3.0, POWER",
            },
            Register {
                name: "POWER.POFCON",
                address: 0x4000_0510,
                meaning: Meaning::BrownOut(nrf51_power_fail),
                source: "nRF51 reference manual v3.0, POWER; recalled",
            },
            Register {
                name: "UICR.RBPCONF",
                address: 0x1000_1004,
                meaning: Meaning::Protection(nrf51_protection),
                source: "nRF51 reference manual v3.0, UICR; recalled",
            },
        ],
        user: Some((0x1000_1000, 0x100)),
    },
    Family {
        prefix: "nRF52",
        registers: &[
            Register {
                name: "POWER.RESETREAS",
                address: 0x4000_0400,
                meaning: Meaning::ResetReason(NRF52_RESETS),
                source: "nRF52840 product specification v1.1, POWER",
            },
            Register {
                name: "POWER.POFCON",
                address: 0x4000_0510,
                meaning: Meaning::BrownOut(nrf52_power_fail),
                source: "nRF52840 product specification v1.1, POWER; recalled",
            },
            Register {
                name: "UICR.APPROTECT",
                address: 0x1000_1208,
                meaning: Meaning::Protection(nrf52_protection),
                source: "nRF52840 product specification v1.1, UICR; recalled",
            },
        ],
        user: Some((0x1000_1000, 0x400)),
    },
    Family {
        prefix: "STM32F2",
        registers: &[
            Register {
                name: "RCC_CSR",
                address: 0x4002_3874,
                meaning: Meaning::ResetReason(STM32F2_RESETS),
                source: "RM0033, RCC; recalled",
            },
            Register {
                name: "FLASH_OPTCR (BOR_LEV)",
                address: 0x4002_3C14,
                meaning: Meaning::BrownOut(stm32f2_brown_out),
                source: "RM0033, option bytes; levels recalled",
            },
            Register {
                name: "FLASH_OPTCR (RDP)",
                address: 0x4002_3C14,
                meaning: Meaning::Protection(stm32f2_protection),
                source: "RM0033, option bytes; recalled",
            },
        ],
        user: None,
    },
];

impl Family {
    /// That of the board's microcontroller. `None` if nothing is known of its registers.
    pub fn of(board: &BoardProfile) -> Option<&'static Self> {
        FAMILIES.iter().find(|family| board.mcu.starts_with(family.prefix))
    }
}

/// A part that shows no reason came up from having no power: neither of Nordic's tells a brown-out from that.
pub(crate) fn reasons(bits: &[(u32, &'static str)], value: u32) -> Vec<&'static str> {
    bits.iter().filter(|(bit, _)| value >> bit & 1 == 1).map(|(_, words)| *words).collect()
}

fn nrf51_power_fail(value: u32) -> String {
    const LEVELS: [&str; 4] = ["2.1 V", "2.3 V", "2.5 V", "2.7 V"];
    power_fail(value, LEVELS.get((value >> 1 & 3) as usize).copied())
}

fn nrf52_power_fail(value: u32) -> String {
    const LEVELS: [&str; 12] =
        ["1.7 V", "1.8 V", "1.9 V", "2.0 V", "2.1 V", "2.2 V", "2.3 V", "2.4 V", "2.5 V", "2.6 V", "2.7 V", "2.8 V"];
    let level = (value >> 1 & 0xF).checked_sub(4).and_then(|level| LEVELS.get(level as usize)).copied();
    power_fail(value, level)
}

fn power_fail(value: u32, level: Option<&str>) -> String {
    match (value & 1, level) {
        (0, _) => "the power-fail warning is off; the brown-out reset is fixed".to_owned(),
        (_, Some(level)) => format!("the power-fail warning comes at {level}; the brown-out reset is fixed"),
        (_, None) => "the power-fail warning is on at a level that is not in the manual".to_owned(),
    }
}

fn stm32f2_brown_out(value: u32) -> String {
    match value >> 2 & 3 {
        0b00 => "BOR level 3: reset below about 2.7 V",
        0b01 => "BOR level 2: reset below about 2.4 V",
        0b10 => "BOR level 1: reset below about 2.1 V",
        _ => "BOR is off, as the part is delivered: the core runs on below 2.7 V, where its flash writes are not specified",
    }
    .to_owned()
}

fn nrf51_protection(value: u32) -> Protection {
    // PALL: anything but all ones.
    if value >> 8 & 0xFF == 0xFF { Protection::Off } else { Protection::On }
}

fn nrf52_protection(value: u32) -> Protection {
    // Erased on the first revisions, 0x5A (HwDisabled) on the later ones.
    if matches!(value & 0xFF, 0xFF | 0x5A) { Protection::Off } else { Protection::On }
}

fn stm32f2_protection(value: u32) -> Protection {
    match value >> 8 & 0xFF {
        0xAA => Protection::Off,
        0xCC => Protection::Forever,
        _ => Protection::On,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_told_by_their_bits() {
        assert_eq!(reasons(NRF51_RESETS, 0b110), ["watchdog", "software"]);
        assert_eq!(nrf51_power_fail(0b101), "the power-fail warning comes at 2.5 V; the brown-out reset is fixed");
        assert_eq!(
            nrf52_power_fail(0x1 | 15 << 1),
            "the power-fail warning comes at 2.8 V; the brown-out reset is fixed"
        );
        assert!(nrf52_power_fail(1).contains("not in the manual") && nrf52_power_fail(0).contains("off"));
        // The option bytes of a part as it is delivered: 0x0FFFAAED.
        assert!(stm32f2_brown_out(0x0FFF_AAED).starts_with("BOR is off"));
        assert_eq!(stm32f2_protection(0x0FFF_AAED), Protection::Off);
        assert_eq!(
            [0x00, 0x55, 0xCC].map(|rdp| stm32f2_protection(rdp << 8)),
            [Protection::On, Protection::On, Protection::Forever]
        );
        assert_eq!(
            [u32::MAX, 0xFFFF_FF5A, 0xFFFF_FF00].map(nrf52_protection),
            [Protection::Off, Protection::Off, Protection::On]
        );
        assert_eq!([u32::MAX, 0xFFFF_00FF].map(nrf51_protection), [Protection::Off, Protection::On]);
    }
}
