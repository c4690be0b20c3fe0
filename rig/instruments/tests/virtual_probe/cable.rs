//! A CMSIS-DAP probe on a virtual board, plugged into probe-rs by its public traits: every access goes through the probe's packets.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use brickproof_units::Span;
use brickproof_virtual_board::board::Board;
use brickproof_virtual_board::debug::{CmsisDap, DebugPort, Leash};
use probe_rs::CoreStatus;
use probe_rs::architecture::arm::sequences::ArmDebugSequence;
use probe_rs::architecture::arm::{
    ArmCommunicationInterface, ArmDebugInterface, ArmError, DapError, DapProbe, RawDapAccess, RegisterAddress,
};
use probe_rs::probe::{DebugProbe, DebugProbeError, Probe, WireProtocol};

struct Wired {
    board: Board,
    port: DebugPort,
    probe: CmsisDap,
    per_transfer: Span,
}

/// A board with its probe.
#[derive(Clone)]
pub(crate) struct Bench(Arc<Mutex<Wired>>);

impl Bench {
    pub(crate) fn new(board: Board, per_transfer: Span) -> Self {
        let probe = CmsisDap::new("1");
        Self(Arc::new(Mutex::new(Wired { board, port: DebugPort::new(), probe, per_transfer })))
    }

    pub(crate) fn probe(&self) -> Probe {
        Probe::new(Cable(self.clone()))
    }

    pub(crate) fn board<R>(&self, act: impl FnOnce(&mut Board) -> R) -> R {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).board)
    }

    pub(crate) fn with<R>(&self, act: impl FnOnce(&mut Leash<'_>) -> R) -> R {
        let wired = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut Leash::new(&mut wired.board, &mut wired.port).paced(wired.per_transfer))
    }

    /// One packet and its answer, without the command's number.
    fn command(&self, packet: &[u8]) -> Vec<u8> {
        let Wired { board, port, probe, per_transfer } = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = probe.execute(packet, &mut Leash::new(board, port).paced(*per_transfer));
        assert_eq!(answer[0], packet[0], "the probe does not know {packet:x?}");
        answer[1..].to_vec()
    }

    fn transfer(&self, register: RegisterAddress, value: Option<u32>) -> Result<u32, ArmError> {
        let read = if value.is_none() { 2 } else { 0 };
        let mut packet = vec![0x05, 0, 1, u8::from(register.is_ap()) | read | register.lsb() & 0xC];
        packet.extend(value.iter().flat_map(|value| value.to_le_bytes()));
        let answer = self.command(&packet);
        match answer[1] {
            1 => Ok(answer.get(2..6).map_or(0, |word| u32::from_le_bytes(word.try_into().unwrap()))),
            refused => {
                // As probe-rs's own driver of such probes does.
                self.command(&[0x08, 0, 0x1E, 0, 0, 0]);
                Err(match refused {
                    2 => DapError::WaitResponse,
                    4 => DapError::FaultResponse,
                    _ => DapError::NoAcknowledge,
                }
                .into())
            }
        }
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
        "a CMSIS-DAP probe on a virtual board"
    }
    fn speed_khz(&self) -> u32 {
        4_000
    }
    fn set_speed(&mut self, khz: u32) -> Result<u32, DebugProbeError> {
        Ok(khz)
    }
    fn attach(&mut self) -> Result<(), DebugProbeError> {
        assert_eq!(self.0.command(&[0x02, 1]), [1]);
        assert_eq!(self.0.command(&[0x04, 0, 0xFF, 0xFF, 0, 0]), [0]);
        Ok(())
    }
    fn detach(&mut self) -> Result<(), probe_rs::Error> {
        Ok(())
    }
    fn target_reset(&mut self) -> Result<(), DebugProbeError> {
        self.target_reset_assert()?;
        self.target_reset_deassert()
    }
    fn target_reset_assert(&mut self) -> Result<(), DebugProbeError> {
        self.swj_pins(0, 0x80, 0).map(drop)
    }
    fn target_reset_deassert(&mut self) -> Result<(), DebugProbeError> {
        self.swj_pins(0x80, 0x80, 0).map(drop)
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
        self.0.transfer(address, None)
    }
    fn raw_write_register(&mut self, address: RegisterAddress, value: u32) -> Result<(), ArmError> {
        self.0.transfer(address, Some(value)).map(drop)
    }
    fn jtag_sequence(&mut self, _: u8, _: bool, _: u64) -> Result<(), DebugProbeError> {
        Err(DebugProbeError::CommandNotSupportedByProbe { command_name: "jtag_sequence" })
    }
    fn swj_sequence(&mut self, count: u8, bits: u64) -> Result<(), DebugProbeError> {
        let bytes = bits.to_le_bytes();
        let mut packet = vec![0x12, count];
        packet.extend(&bytes[..usize::from(count).div_ceil(8)]);
        assert_eq!(self.0.command(&packet), [0]);
        Ok(())
    }
    fn swj_pins(&mut self, out: u32, select: u32, wait: u32) -> Result<u32, DebugProbeError> {
        let mut packet = vec![0x10, out as u8, select as u8];
        packet.extend(wait.to_le_bytes());
        Ok(self.0.command(&packet)[0].into())
    }
    fn into_probe(self: Box<Self>) -> Box<dyn DebugProbe> {
        self
    }
    fn core_status_notification(&mut self, _: CoreStatus) -> Result<(), DebugProbeError> {
        Ok(())
    }
}
