//! OTG_FS: whether the chip is attached as a device, and control endpoint 0.
//!
//! Boundary: registers and FIFOs. Standard requests, which enumeration is made of, do not come by here; nor do other endpoints, host mode, suspend
//! and resume, frames. A host's reset of the bus comes with the attachment, and a stage of a transfer passes as soon as firmware lets it: how long
//! a host takes is the host's. A stage is one packet of at most 64 bytes, and one that finds no room in the receive FIFO waits or,
//! if it is a request, is lost. The chip is a device only if it
//! is forced to be: there is no ID pin. Its interrupt is number 67, beyond those that exist here, so it is polled and has no masks. Registers that
//! are not here read as zero and ignore writes. Source: RM0033, chapter 29; bits and reset values are recalled, or as public headers have them.

use std::collections::VecDeque;

use crate::usb::{Setup, UsbAnswer};

/// GOTGCTL.
const B_SESSION_VALID: u32 = 1 << 19;
/// GUSBCFG.
const FORCED_DEVICE: u32 = 1 << 30;
/// GRSTCTL.
const CORE_RESET: u32 = 1 << 0;
const FLUSH_RECEIVED: u32 = 1 << 4;
const FLUSH_GIVEN: u32 = 1 << 5;
const BUS_MASTER_IDLE: u32 = 1 << 31;
/// GINTSTS.
const RECEIVED: u32 = 1 << 4;
const BUS_RESET: u32 = 1 << 12;
const ENUMERATION_DONE: u32 = 1 << 13;
/// GCCFG.
const PHY_POWERED: u32 = 1 << 16;
const SENSES_VBUS_OF_DEVICE: u32 = 1 << 19;
const SENSES_NO_VBUS: u32 = 1 << 21;
/// CID.
const CORE_ID: u32 = 0x1100;
/// DCFG: the speed, and the address.
const SPEED: u32 = 3;
const ADDRESS: u32 = 0x7F << 4;
/// DCTL.
const DISCONNECTED: u32 = 1 << 1;
/// DSTS: full speed.
const FULL_SPEED: u32 = 3 << 1;

/// DIEPCTL0 and DOEPCTL0.
const ACTIVE: u32 = 1 << 15;
const NAKS: u32 = 1 << 17;
const STALL: u32 = 1 << 21;
const TRANSMIT_FIFO: u32 = 0xF << 22;
const CLEAR_NAK: u32 = 1 << 26;
const SET_NAK: u32 = 1 << 27;
const DISABLE: u32 = 1 << 30;
const ENABLED: u32 = 1 << 31;
/// DIEPINT0 and DOEPINT0.
const COMPLETE: u32 = 1 << 0;
const IS_DISABLED: u32 = 1 << 1;
const SETUP_DONE: u32 = 1 << 3;
const GIVEN_EMPTY: u32 = 1 << 7;
/// DIEPTSIZ0: XFRSIZ.
const SIZE: u32 = 0x7F;

/// Bytes of a packet.
const PACKET: usize = 64;

/// PKTSTS of an entry in the receive FIFO, where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
enum Packet {
    Data = 2 << 17,
    DataDone = 3 << 17,
    SetupDone = 4 << 17,
    Setup = 6 << 17,
}

/// A word in the receive FIFO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Received {
    Status(Packet, usize),
    Data(u32),
}

impl Received {
    fn word(self) -> u32 {
        match self {
            Self::Status(packet, count) => packet as u32 | (count as u32) << 4,
            Self::Data(word) => word,
        }
    }
}

/// One direction of endpoint 0.
#[derive(Clone, Debug)]
struct Endpoint {
    control: u32,
    happened: u32,
    size: u32,
}

impl Endpoint {
    fn new() -> Self {
        Self { control: ACTIVE, happened: 0, size: 0 }
    }

    fn write_control(&mut self, value: u32) {
        self.control = self.control & !(TRANSMIT_FIFO | 3) | value & (TRANSMIT_FIFO | 3);
        // Firmware only sets these.
        self.control |= value & (ENABLED | STALL);
        if value & SET_NAK != 0 {
            self.control |= NAKS;
        }
        if value & CLEAR_NAK != 0 {
            self.control &= !NAKS;
        }
        if value & DISABLE != 0 && self.control & ENABLED != 0 {
            self.control &= !ENABLED;
            self.happened |= IS_DISABLED;
        }
    }

    /// A SETUP packet came: nothing passes until firmware says so anew.
    fn begin(&mut self) {
        self.control = self.control & !STALL | NAKS;
    }

    fn stalls(&self) -> bool {
        self.control & STALL != 0
    }

    fn lets_pass(&self) -> bool {
        self.control & (ENABLED | NAKS) == ENABLED
    }

    fn bytes(&self) -> usize {
        (self.size & SIZE) as usize
    }

    fn complete(&mut self) {
        self.control &= !ENABLED;
        self.size = 0;
    }
}

/// What the host waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    Nothing,
    /// To send this.
    Sending(Vec<u8>),
    /// To be given at most so many bytes.
    Wanting(usize),
    /// To be told that it was accepted.
    Acceptance,
    /// To tell that it was given this.
    Thanking(Vec<u8>),
    Over(UsbAnswer),
}

/// The USB device.
#[derive(Clone, Debug)]
pub(super) struct Otg {
    /// Outlasts every reset.
    bus_power: bool,
    bus_config: u32,
    config: u32,
    happened: u32,
    general: u32,
    /// GRXFSIZ, DIEPTXF0.
    depths: [u32; 2],
    device: u32,
    control: u32,
    inward: Endpoint,
    outward: Endpoint,
    received: VecDeque<Received>,
    given: Vec<u8>,
    stage: Stage,
}

impl Otg {
    pub(super) fn new() -> Self {
        Self {
            bus_power: false,
            bus_config: 0,
            config: 0x0A00,
            happened: 0,
            general: 0,
            depths: [0x200, 0x0200_0200],
            device: 0x0220_0000,
            control: 0,
            inward: Endpoint::new(),
            outward: Endpoint::new(),
            received: VecDeque::new(),
            given: Vec::new(),
            stage: Stage::Nothing,
        }
    }

    /// The chip is reset, or without power.
    pub(super) fn reset(&mut self) {
        self.break_off();
        let stage = std::mem::replace(&mut self.stage, Stage::Nothing);
        *self = Self { bus_power: self.bus_power, stage, ..Self::new() };
    }

    /// There is voltage on VBUS, or not any more.
    pub(super) fn set_bus_power(&mut self, present: bool) {
        self.bus_power = present;
    }

    /// Whether the pull-up on D+ shows the chip to a host.
    pub(super) fn is_attached(&self) -> bool {
        let pulls_up = self.general & PHY_POWERED != 0 && self.control & DISCONNECTED == 0;
        self.bus_power && self.config & FORCED_DEVICE != 0 && self.is_session_valid() && pulls_up
    }

    fn is_session_valid(&self) -> bool {
        self.general & SENSES_NO_VBUS != 0 || self.general & SENSES_VBUS_OF_DEVICE != 0 && self.bus_power
    }

    /// A host has found it and resets the bus.
    pub(super) fn reset_by_host(&mut self) {
        self.happened |= BUS_RESET | ENUMERATION_DONE;
        self.device &= !ADDRESS;
        self.break_off();
    }

    /// What the host was told before stays told.
    fn break_off(&mut self) {
        if !matches!(self.stage, Stage::Over(_)) {
            self.stage = Stage::Nothing;
        }
    }

    /// The host begins a control transfer; one that was not answered is over.
    pub(super) fn ask(&mut self, setup: Setup, data: &[u8]) {
        self.inward.begin();
        self.outward.begin();
        self.stage = if setup.is_inward() && setup.length > 0 {
            Stage::Wanting(usize::from(setup.length).min(PACKET))
        } else if !setup.is_inward() && !data.is_empty() {
            Stage::Sending(data[..data.len().min(PACKET)].to_vec())
        } else {
            Stage::Acceptance
        };
        if !self.has_room(4) {
            return;
        }
        let head = u32::from_le_bytes([setup.kind, setup.request, setup.value as u8, (setup.value >> 8) as u8]);
        let tail = u32::from(setup.index) | u32::from(setup.length) << 16;
        self.received.extend([
            Received::Status(Packet::Setup, 8),
            Received::Data(head),
            Received::Data(tail),
            Received::Status(Packet::SetupDone, 0),
        ]);
    }

    /// What came of it, once.
    pub(super) fn take_answer(&mut self) -> Option<UsbAnswer> {
        match std::mem::replace(&mut self.stage, Stage::Nothing) {
            Stage::Over(answer) => Some(answer),
            other => {
                self.stage = other;
                None
            }
        }
    }

    pub(super) fn read(&mut self, offset: u32) -> u32 {
        match offset {
            0x000 if self.is_session_valid() => B_SESSION_VALID,
            0x008 => self.bus_config,
            0x00C => self.config,
            0x010 => BUS_MASTER_IDLE,
            0x014 => self.happened | if self.received.is_empty() { 0 } else { RECEIVED },
            0x01C => self.received.front().map_or(0, |word| word.word()),
            0x020 | 0x1000..0x2000 => self.pop(),
            0x024 => self.depths[0],
            0x028 => self.depths[1],
            0x038 => self.general,
            0x03C => CORE_ID,
            0x800 => self.device,
            0x804 => self.control,
            0x808 => FULL_SPEED,
            0x900 => self.inward.control,
            0x908 => self.inward.happened | if self.given.is_empty() { GIVEN_EMPTY } else { 0 },
            0x910 => self.inward.size,
            0x918 => (self.depths[1] >> 16).saturating_sub(self.given.len() as u32 / 4),
            0xB00 => self.outward.control,
            0xB08 => self.outward.happened,
            0xB10 => self.outward.size,
            _ => 0,
        }
    }

    pub(super) fn write(&mut self, offset: u32, value: u32) {
        match offset {
            0x008 => self.bus_config = value & 0x181,
            0x00C => self.config = value,
            0x010 => self.flush(value),
            0x014 => self.happened &= !value,
            0x024 => self.depths[0] = value & 0xFFFF,
            0x028 => self.depths[1] = value,
            0x038 => self.general = value,
            0x800 => self.device = value,
            0x804 => self.control = value,
            0x900 => self.inward.write_control(value),
            0x908 => self.inward.happened &= !value,
            0x910 => self.inward.size = value,
            0xB00 => self.outward.write_control(value),
            0xB08 => self.outward.happened &= !value,
            0xB10 => self.outward.size = value,
            // What is beyond the packet that was announced is nobody's.
            0x1000..0x2000 if self.given.len() < self.inward.bytes() => {
                self.given.extend(value.to_le_bytes());
            }
            _ => {}
        }
        while self.go_on().is_some() {}
    }

    /// GRSTCTL.
    fn flush(&mut self, value: u32) {
        if value & CORE_RESET != 0 {
            // It leaves the speed alone.
            let device = self.device & SPEED | Self::new().device;
            self.reset();
            self.device = device;
        }
        if value & FLUSH_RECEIVED != 0 {
            self.received.clear();
        }
        // TXFNUM: FIFO 0, or all of them.
        if value & FLUSH_GIVEN != 0 && matches!(value >> 6 & 0x1F, 0 | 16) {
            self.given.clear();
        }
    }

    /// GRXSTSP, or the data behind it: both take what is in front.
    fn pop(&mut self) -> u32 {
        let Some(front) = self.received.pop_front() else { return 0 };
        // There may be room now.
        while self.go_on().is_some() {}
        match front {
            Received::Status(Packet::SetupDone, _) => {
                self.outward.control &= !ENABLED;
                self.outward.happened |= SETUP_DONE;
            }
            Received::Status(Packet::DataDone, _) => self.outward.happened |= COMPLETE,
            _ => {}
        }
        front.word()
    }

    /// Lets the transfer get a stage further, if firmware lets it.
    fn go_on(&mut self) -> Option<()> {
        let next = match &self.stage {
            Stage::Nothing | Stage::Over(_) => return None,
            Stage::Sending(_) | Stage::Thanking(_) if self.outward.stalls() => Stage::Over(UsbAnswer::Refused),
            Stage::Wanting(_) | Stage::Acceptance if self.inward.stalls() => Stage::Over(UsbAnswer::Refused),
            Stage::Sending(data) if self.outward.lets_pass() && self.has_room(2 + data.len().div_ceil(4)) => {
                let data = data.clone();
                self.receive(&data);
                Stage::Acceptance
            }
            Stage::Thanking(given) if self.outward.lets_pass() && self.has_room(2) => {
                let given = given.clone();
                self.receive(&[]);
                Stage::Over(UsbAnswer::Accepted(given))
            }
            Stage::Wanting(most) if self.inward.lets_pass() && self.given.len() >= self.inward.bytes() => {
                let mut given = std::mem::take(&mut self.given);
                given.truncate(self.inward.bytes().min(*most));
                self.give();
                Stage::Thanking(given)
            }
            Stage::Acceptance if self.inward.lets_pass() && self.inward.bytes() == 0 => {
                self.give();
                Stage::Over(UsbAnswer::Accepted(Vec::new()))
            }
            _ => return None,
        };
        self.stage = next;
        Some(())
    }

    fn has_room(&self, words: usize) -> bool {
        self.received.len() + words <= self.depths[0] as usize
    }

    fn receive(&mut self, data: &[u8]) {
        self.received.push_back(Received::Status(Packet::Data, data.len()));
        for piece in data.chunks(4) {
            let mut word = [0; 4];
            word[..piece.len()].copy_from_slice(piece);
            self.received.push_back(Received::Data(u32::from_le_bytes(word)));
        }
        self.received.push_back(Received::Status(Packet::DataDone, 0));
        self.outward.complete();
    }

    fn give(&mut self) {
        self.inward.complete();
        self.inward.happened |= COMPLETE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE_CODING: Setup = Setup { kind: 0x21, request: 0x20, value: 0, index: 0, length: 7 };
    const RESET: Setup = Setup { kind: 0x40, request: 0x50, value: 0x0203, index: 40, length: 0 };
    const MODE: Setup = Setup { kind: 0xC0, request: 0x50, value: 0, index: 72, length: 1 };
    const GO: u32 = ENABLED | CLEAR_NAK;

    fn attached() -> Otg {
        let mut otg = Otg::new();
        otg.set_bus_power(true);
        otg.write(0x00C, FORCED_DEVICE);
        otg.write(0x038, PHY_POWERED | SENSES_NO_VBUS);
        otg
    }

    /// Takes a whole packet out of the receive FIFO: its status, its words.
    fn packet(otg: &mut Otg) -> (u32, Vec<u32>) {
        assert_ne!(otg.read(0x014) & RECEIVED, 0, "something is there");
        let peeked = otg.read(0x01C);
        let status = otg.read(0x020);
        assert_eq!(status, peeked);
        let words = (status >> 4 & 0x7FF).div_ceil(4);
        (status, (0..words).map(|_| otg.read(0x1000)).collect())
    }

    fn pass_setup(otg: &mut Otg) -> Vec<u32> {
        let (status, words) = packet(otg);
        assert_eq!(status, 6 << 17 | 8 << 4);
        assert_eq!(otg.read(0xB08), 0, "the stage is not over");
        assert_eq!(packet(otg), (4 << 17, vec![]));
        assert_eq!(otg.read(0xB08), SETUP_DONE);
        otg.write(0xB08, SETUP_DONE);
        words
    }

    #[test]
    fn a_powered_phy_in_device_mode_that_is_not_disconnected_attaches_it() {
        let whole = [(0x00C, FORCED_DEVICE), (0x038, PHY_POWERED | SENSES_NO_VBUS), (0x804, 0)];
        let with = |changed: usize, value: u32| {
            let mut otg = Otg::new();
            otg.set_bus_power(true);
            for (index, (offset, usual)) in whole.into_iter().enumerate() {
                otg.write(offset, if index == changed { value } else { usual });
            }
            otg
        };
        assert!(with(3, 0).is_attached());
        assert!(!with(0, 1 << 29).is_attached(), "a host");
        assert!(!with(1, SENSES_NO_VBUS).is_attached(), "the PHY has no power");
        assert!(!with(1, PHY_POWERED).is_attached(), "it does not know of VBUS");
        assert!(!with(2, DISCONNECTED).is_attached());
        let mut sensing = with(1, PHY_POWERED | SENSES_VBUS_OF_DEVICE);
        assert_eq!((sensing.is_attached(), sensing.read(0)), (true, B_SESSION_VALID));
        sensing.set_bus_power(false);
        assert_eq!((sensing.is_attached(), sensing.read(0)), (false, 0));
        let mut blind = with(3, 0);
        blind.set_bus_power(false);
        assert_eq!((blind.is_attached(), blind.read(0)), (false, B_SESSION_VALID), "it believes that there is a host");
        blind.set_bus_power(true);
        blind.write(0x010, CORE_RESET);
        assert!(!blind.is_attached());
    }

    #[test]
    fn a_host_that_found_it_resets_the_bus_and_its_flags_are_cleared_by_ones() {
        let mut otg = attached();
        otg.write(0x800, 3 | 5 << 4);
        assert_eq!(otg.read(0x014), 0);
        otg.reset_by_host();
        assert_eq!((otg.read(0x014), otg.read(0x800)), (BUS_RESET | ENUMERATION_DONE, 3));
        otg.write(0x014, BUS_RESET);
        assert_eq!((otg.read(0x014), otg.read(0x808)), (ENUMERATION_DONE, FULL_SPEED));
    }

    #[test]
    fn a_request_without_data_is_accepted_by_an_empty_packet() {
        let mut otg = attached();
        otg.ask(RESET, &[]);
        assert_eq!(pass_setup(&mut otg), [0x0203_5040, 40]);
        assert_eq!(otg.read(0x014) & RECEIVED, 0);
        otg.write(0x910, 1 << 19);
        otg.write(0x900, ENABLED);
        assert_eq!(otg.take_answer(), None, "it still answers with NAK");
        otg.write(0x900, CLEAR_NAK);
        assert_eq!(otg.take_answer(), Some(UsbAnswer::Accepted(vec![])));
        assert_eq!((otg.read(0x908) & COMPLETE, otg.read(0x900) & ENABLED), (COMPLETE, 0));
        assert_eq!(otg.take_answer(), None);
    }

    #[test]
    fn bytes_from_the_host_come_through_the_fifo_when_the_firmware_wants_them() {
        let mut otg = attached();
        otg.ask(LINE_CODING, &[0x40, 0x38, 0, 0, 1, 2, 8]);
        assert_eq!(pass_setup(&mut otg), [0x2021, 7 << 16]);
        otg.write(0xB10, 1 << 19 | 64);
        otg.write(0xB00, GO);
        assert_eq!(packet(&mut otg), (2 << 17 | 7 << 4, vec![0x3840, 0x0008_0201]));
        assert_eq!(otg.read(0xB08), 0);
        assert_eq!(packet(&mut otg), (3 << 17, vec![]));
        assert_eq!((otg.read(0xB08), otg.read(0xB00) & ENABLED), (COMPLETE, 0));
        assert_eq!(otg.take_answer(), None);
        otg.write(0x900, GO);
        assert_eq!(otg.take_answer(), Some(UsbAnswer::Accepted(vec![])));
    }

    #[test]
    fn bytes_for_the_host_leave_once_all_are_there_and_never_more_than_it_wants() {
        let mut otg = attached();
        otg.ask(MODE, &[]);
        pass_setup(&mut otg);
        let room = otg.read(0x918);
        otg.write(0x910, 1 << 19 | 6);
        otg.write(0x900, GO);
        otg.write(0xB00, GO);
        otg.write(0x1000, 0x0403_0201);
        assert_eq!((otg.take_answer(), otg.read(0x908), otg.read(0x918)), (None, 0, room - 1));
        otg.write(0x1000, 0x0605);
        assert_eq!(otg.read(0x908), COMPLETE | GIVEN_EMPTY);
        assert_eq!(otg.take_answer(), Some(UsbAnswer::Accepted(vec![1])), "one was wanted");
        assert_eq!(packet(&mut otg), (2 << 17, vec![]), "the host's empty packet");
    }

    #[test]
    fn what_the_firmware_refuses_is_a_stall_of_the_direction_that_is_next_until_the_next_request() {
        for (setup, data, stalled) in [(RESET, &[][..], 0x900), (MODE, &[], 0x900), (LINE_CODING, &[1; 7], 0xB00)] {
            let mut otg = attached();
            otg.ask(setup, data);
            otg.write(stalled, STALL);
            assert_eq!(otg.take_answer(), Some(UsbAnswer::Refused));
            otg.ask(setup, data);
            assert_eq!(otg.read(stalled) & STALL, 0);
        }
        let mut otg = attached();
        otg.ask(RESET, &[]);
        otg.write(0xB00, STALL);
        assert_eq!(otg.take_answer(), None, "nothing goes that way");
    }

    #[test]
    fn what_finds_no_room_in_the_fifo_waits_or_is_lost() {
        let mut otg = attached();
        otg.write(0x024, 5);
        otg.ask(LINE_CODING, &[1; 7]);
        otg.write(0xB00, GO);
        otg.ask(RESET, &[]);
        pass_setup(&mut otg);
        assert_eq!(otg.read(0x014) & RECEIVED, 0, "the second request is lost");
        otg.ask(LINE_CODING, &[1; 7]);
        otg.write(0xB00, GO);
        otg.read(0x020);
        otg.read(0x1000);
        assert_ne!(otg.read(0xB00) & ENABLED, 0, "two words are not enough");
        otg.read(0x1000);
        assert_eq!(otg.read(0xB00) & ENABLED, 0);
        assert_eq!(packet(&mut otg), (4 << 17, vec![]));
        assert_eq!(packet(&mut otg), (2 << 17 | 7 << 4, vec![0x0101_0101, 0x0001_0101]));
    }

    #[test]
    fn a_flush_empties_its_fifo() {
        let mut otg = attached();
        otg.ask(MODE, &[]);
        otg.write(0x910, 1);
        otg.write(0x1000, 7);
        otg.write(0x010, FLUSH_GIVEN | 1 << 6);
        assert_eq!(otg.read(0x908), 0, "another FIFO's");
        otg.write(0x010, FLUSH_GIVEN | 16 << 6);
        assert_eq!(otg.read(0x908), GIVEN_EMPTY);
        otg.write(0x010, FLUSH_RECEIVED);
        assert_eq!((otg.read(0x014), otg.read(0x020)), (0, 0));
    }
}
