//! A probe with an nRF51822 behind it, for tests, plugged into probe-rs by its public traits. Its debug port, memory and halted core behave as
//! the architecture says (ARM IHI 0031, ARM DDI 0419); instead of executing the flash algorithm it does what its entry points are for.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use ::probe_rs::CoreStatus;
use ::probe_rs::architecture::arm::sequences::ArmDebugSequence;
use ::probe_rs::architecture::arm::{
    ArmCommunicationInterface, ArmDebugInterface, ArmError, DapError, DapProbe, RawDapAccess, RegisterAddress,
};
use ::probe_rs::config::{Registry, TargetSelector};
use ::probe_rs::probe::{DebugProbe, DebugProbeError, Probe as OpenProbe, WireProtocol};

use super::{FailureKind, Plug};

const FLASH_SIZE: usize = 256 * 1024;
const SECTOR: usize = 1024;
pub(super) const RAM: u32 = 0x2000_0000;
const RAM_SIZE: usize = 16 * 1024;
const LINK: usize = 14;
const PROGRAM_COUNTER: usize = 15;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Routine {
    Nothing,
    EraseSector,
    ProgramPage,
}

/// The chip, and what a test may look at and spoil.
pub(super) struct Chip {
    pub(super) flash: Vec<u8>,
    pub(super) ram: Vec<u8>,
    pub(super) powered: bool,
    pub(super) plugged: bool,
    pub(super) resets: u32,
    pub(super) attaches: u32,
    pub(super) erased: Vec<u32>,
    /// Flash cells that stay erased.
    pub(super) worn: Option<u32>,
    routines: Vec<(u32, Routine)>,
    pub(super) halted: bool,
    control: u32,
    core: [u32; 32],
    data: u32,
    demcr: u32,
    dfsr: u32,
    select: u32,
    power: u32,
    word: u32,
    address: u32,
}

#[derive(Clone)]
pub(super) struct Bench(Arc<Mutex<Chip>>);

impl Bench {
    pub(super) fn new() -> Self {
        let target = Registry::from_builtin_families().get_target_by_name("nRF51822_xxAA").unwrap();
        let algorithm = target.flash_algorithms.iter().find(|algorithm| algorithm.default).unwrap();
        let at = |entry: u64, routine| (entry as u32 & !1, routine);
        let routines = [
            at(algorithm.pc_init.unwrap(), Routine::Nothing),
            at(algorithm.pc_uninit.unwrap(), Routine::Nothing),
            at(algorithm.pc_erase_sector, Routine::EraseSector),
            at(algorithm.pc_program_page, Routine::ProgramPage),
        ];
        Self(Arc::new(Mutex::new(Chip {
            flash: (0..FLASH_SIZE).map(|n| (n / 5) as u8).collect(),
            ram: vec![0; RAM_SIZE],
            powered: true,
            plugged: true,
            resets: 0,
            attaches: 0,
            erased: Vec::new(),
            worn: None,
            routines: routines.to_vec(),
            halted: false,
            control: 0,
            core: [0; 32],
            data: 0,
            demcr: 0,
            dfsr: 0,
            select: 0,
            power: 0,
            word: 2,
            address: 0,
        })))
    }

    pub(super) fn chip(&self) -> MutexGuard<'_, Chip> {
        self.0.lock().unwrap()
    }
}

impl Plug for Bench {
    fn open(&self) -> Result<OpenProbe, FailureKind> {
        if !self.chip().plugged {
            return Err(FailureKind::Missing("no such probe".to_owned()));
        }
        self.chip().attaches += 1;
        Ok(OpenProbe::new(Cable(self.clone())))
    }

    fn target(&self) -> TargetSelector {
        "nRF51822_xxAA".into()
    }

    fn asks_again(&self) -> bool {
        false
    }
}

impl Chip {
    pub(super) fn power_cycle(&mut self) {
        self.power = 0;
        self.control = 0;
        self.halted = false;
    }

    fn reset(&mut self) {
        self.resets += 1;
        self.halted = self.demcr & 1 != 0 || self.control & 2 != 0;
    }

    fn memory(&mut self, address: u32) -> Option<&mut [u8]> {
        let (memory, offset) = match address {
            0..0x4_0000 => (&mut self.flash, address as usize),
            _ => (&mut self.ram, address.checked_sub(RAM)? as usize),
        };
        memory.get_mut(offset..offset + 4)
    }

    fn load(&mut self, address: u32) -> Option<u32> {
        Some(match address {
            // DHCSR: registers are always ready.
            0xE000_EDF0 => self.control | 1 << 16 | u32::from(self.halted) << 17,
            0xE000_EDF8 => self.data,
            0xE000_EDFC => self.demcr,
            0xE000_ED30 => self.dfsr,
            // BP_CTRL: four comparators.
            0xE000_2000 => 4 << 4,
            0xE000_0000.. => 0,
            0x4000_0000.. => 0,
            _ => u32::from_le_bytes(self.memory(address & !3)?.try_into().unwrap()),
        })
    }

    fn store(&mut self, address: u32, value: u32, mask: u32) -> Option<()> {
        match address {
            0xE000_EDF0 if value >> 16 == 0xA05F => self.run(value & 0xF),
            0xE000_EDF4 => {
                let register = (value & 31) as usize;
                if value & 1 << 16 == 0 {
                    self.data = self.core[register];
                } else {
                    self.core[register] = self.data;
                }
            }
            0xE000_EDF8 => self.data = value,
            0xE000_EDFC => self.demcr = value,
            0xE000_ED30 => self.dfsr &= !value,
            0xE000_ED0C if value == 0x05FA_0004 => {
                self.reset();
            }
            0xE000_0000.. | 0x4000_0000.. => {}
            0x2000_0000.. => {
                let memory = self.memory(address & !3)?;
                let old = u32::from_le_bytes(memory.try_into().unwrap());
                memory.copy_from_slice(&(old & !mask | value & mask).to_le_bytes());
            }
            _ => return None,
        }
        Some(())
    }

    /// DHCSR's low bits: debugging, halt, step.
    fn run(&mut self, control: u32) {
        let (was_halted, debugged) = (self.halted, self.control & 1);
        self.control = control;
        match control {
            _ if control & 1 == 0 => self.halted = false,
            // Caught in reset before debugging was enabled, as `attach_under_reset` does it: it stays so.
            _ if debugged == 0 && was_halted => {}
            _ if control & 2 != 0 => {
                self.halted = true;
                self.dfsr |= 1;
            }
            _ if was_halted => {
                self.execute();
                let stops =
                    control & 4 != 0 || self.load(self.core[PROGRAM_COUNTER]).is_some_and(|word| word as u16 == 0xBE00);
                self.halted = stops;
                self.dfsr |= if control & 4 != 0 { 1 } else { 2 };
            }
            _ => {}
        }
    }

    fn execute(&mut self) {
        // Probe-rs returns to a breakpoint that it put before the algorithm.
        let header = self.core[LINK] & !1;
        let offset = (self.core[PROGRAM_COUNTER] & !1).wrapping_sub(header + 4);
        let Some((_, routine)) = self.routines.iter().find(|(entry, _)| *entry == offset).copied() else { return };
        let [address, size, buffer, ..] = self.core;
        match routine {
            Routine::Nothing => {}
            Routine::EraseSector => {
                self.erased.push(address);
                self.flash[address as usize..][..SECTOR].fill(0xFF);
            }
            Routine::ProgramPage => {
                for n in 0..size {
                    let byte = self.ram[(buffer + n - RAM) as usize];
                    if self.worn != Some(address + n) {
                        self.flash[(address + n) as usize] &= byte;
                    }
                }
            }
        }
        self.core[0] = 0;
        self.core[PROGRAM_COUNTER] = header;
    }

    fn size(&self) -> u32 {
        1 << (self.word & 7).min(2)
    }

    fn advance(&mut self) {
        if self.word & 0x30 != 0 {
            self.address = self.address & !0x3FF | self.address.wrapping_add(self.size()) & 0x3FF;
        }
    }

    fn read(&mut self, register: RegisterAddress) -> Result<u32, ArmError> {
        self.answer(register.is_ap())?;
        let offset = register.lsb() & 0xC;
        if !register.is_ap() {
            return Ok(match offset {
                0 => 0x0BB1_1477,
                4 if self.select & 0xF == 0 => self.power | (self.power & 0x5000_0000) << 1,
                _ => 0,
            });
        }
        match (self.select >> 24, self.select as u8 & 0xF0 | offset) {
            (0, 0x00) => Ok(self.word | 0x40),
            (0, 0x04) => Ok(self.address),
            (0, 0x0C) => {
                let value = self.load(self.address).ok_or(DapError::FaultResponse)?;
                self.advance();
                Ok(value)
            }
            (0, 0xF8) => Ok(0xF000_0003),
            (0, 0xFC) => Ok(0x0477_0021),
            _ => Ok(0),
        }
    }

    fn write(&mut self, register: RegisterAddress, value: u32) -> Result<(), ArmError> {
        self.answer(register.is_ap())?;
        let offset = register.lsb() & 0xC;
        match (register.is_ap(), self.select >> 24, self.select as u8 & 0xF0 | offset) {
            (false, ..) if offset == 4 && self.select & 0xF == 0 => self.power = value & 0x5000_0000,
            (false, ..) if offset == 8 => self.select = value,
            (true, 0, 0x00) => self.word = value & 0x37,
            (true, 0, 0x04) => self.address = value,
            (true, 0, 0x0C) => {
                let lane = 8 * (self.address & 3);
                let mask = (u32::MAX >> (32 - 8 * self.size())) << lane;
                self.store(self.address, value, mask).ok_or(DapError::FaultResponse)?;
                self.advance();
            }
            _ => {}
        }
        Ok(())
    }

    fn answer(&self, access_port: bool) -> Result<(), ArmError> {
        if !self.plugged {
            // As the CMSIS-DAP driver says it when its device is unplugged, which is not what the system said.
            return Err(DebugProbeError::Other("transfer was cancelled".to_owned()).into());
        }
        if !self.powered {
            return Err(DapError::NoAcknowledge.into());
        }
        if access_port && self.power != 0x5000_0000 {
            return Err(DapError::FaultResponse.into());
        }
        Ok(())
    }
}

struct Cable(Bench);

impl fmt::Debug for Cable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cable")
    }
}

impl DebugProbe for Cable {
    fn get_name(&self) -> &str {
        "a probe for tests"
    }
    fn speed_khz(&self) -> u32 {
        1_000
    }
    fn set_speed(&mut self, khz: u32) -> Result<u32, DebugProbeError> {
        Ok(khz)
    }
    fn attach(&mut self) -> Result<(), DebugProbeError> {
        Ok(())
    }
    fn detach(&mut self) -> Result<(), ::probe_rs::Error> {
        Ok(())
    }
    fn target_reset(&mut self) -> Result<(), DebugProbeError> {
        Ok(())
    }
    fn target_reset_assert(&mut self) -> Result<(), DebugProbeError> {
        Ok(())
    }
    fn target_reset_deassert(&mut self) -> Result<(), DebugProbeError> {
        self.0.chip().reset();
        Ok(())
    }
    fn select_protocol(&mut self, protocol: WireProtocol) -> Result<(), DebugProbeError> {
        if protocol == WireProtocol::Swd { Ok(()) } else { Err(DebugProbeError::UnsupportedProtocol(protocol)) }
    }
    fn active_protocol(&self) -> Option<WireProtocol> {
        Some(WireProtocol::Swd)
    }
    fn has_arm_interface(&self) -> bool {
        true
    }
    fn into_probe(self: Box<Self>) -> Box<dyn DebugProbe> {
        self
    }
    fn try_as_dap_probe(&mut self) -> Option<&mut dyn DapProbe> {
        Some(self)
    }
    fn try_get_arm_debug_interface<'p>(
        self: Box<Self>,
        sequence: Arc<dyn ArmDebugSequence>,
    ) -> Result<Box<dyn ArmDebugInterface + 'p>, (Box<dyn DebugProbe>, ArmError)> {
        Ok(ArmCommunicationInterface::create(self, sequence, false))
    }
}

impl DapProbe for Cable {}

impl RawDapAccess for Cable {
    fn raw_read_register(&mut self, address: RegisterAddress) -> Result<u32, ArmError> {
        self.0.chip().read(address)
    }
    fn raw_write_register(&mut self, address: RegisterAddress, value: u32) -> Result<(), ArmError> {
        self.0.chip().write(address, value)
    }
    fn jtag_sequence(&mut self, _: u8, _: bool, _: u64) -> Result<(), DebugProbeError> {
        Err(DebugProbeError::CommandNotSupportedByProbe { command_name: "jtag_sequence" })
    }
    fn swj_sequence(&mut self, _: u8, _: u64) -> Result<(), DebugProbeError> {
        Ok(())
    }
    fn swj_pins(&mut self, out: u32, select: u32, _: u32) -> Result<u32, DebugProbeError> {
        // Bit 7 is RESET, released when it is high.
        if select & out & 0x80 != 0 {
            self.0.chip().reset();
        }
        Ok(out & select)
    }
    fn into_probe(self: Box<Self>) -> Box<dyn DebugProbe> {
        self
    }
    fn core_status_notification(&mut self, _: CoreStatus) -> Result<(), DebugProbeError> {
        Ok(())
    }
}
