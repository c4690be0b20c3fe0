//! PPI: events of one peripheral trigger tasks of another without the core.
//!
//! Boundary: which address is wired to which. The chip does the triggering. Source: nRF51 reference manual v3.0, PPI; nRF52840 product
//! specification v1.1 (20 programmable channels, 6 groups, FORK).

use crate::nrf::peripheral::bits;
use crate::nrf::resources::PpiResources;

const CHANNELS: usize = 32;
const FIRST_FIXED: usize = 20;
const MOST_GROUPS: usize = 6;

const RADIO: u32 = 0x4000_1000;
const TIMER0: u32 = 0x4000_8000;
const RTC0: u32 = 0x4000_B000;
const CCM_AAR: u32 = 0x4000_F000;

/// Channels 20 to 31 are wired in silicon: event, task. Those of the radio lead nowhere here, as there is none.
const FIXED: [(u32, u32); CHANNELS - FIRST_FIXED] = [
    (TIMER0 + 0x140, RADIO),
    (TIMER0 + 0x140, RADIO + 0x004),
    (TIMER0 + 0x144, RADIO + 0x010),
    (RADIO + 0x128, CCM_AAR),
    (RADIO + 0x100, CCM_AAR),
    (RADIO + 0x104, CCM_AAR + 0x004),
    (RADIO + 0x104, TIMER0 + 0x044),
    (RADIO + 0x10C, TIMER0 + 0x048),
    (RTC0 + 0x140, RADIO),
    (RTC0 + 0x140, RADIO + 0x004),
    (RTC0 + 0x140, TIMER0 + 0x00C),
    (RTC0 + 0x140, TIMER0),
];

#[derive(Clone, Copy, Debug, Default)]
struct Channel {
    event: u32,
    task: u32,
    fork: u32,
}

/// The interconnect.
#[derive(Clone, Debug)]
pub(crate) struct Ppi {
    resources: PpiResources,
    enabled: u32,
    channels: [Channel; CHANNELS],
    groups: [u32; MOST_GROUPS],
}

impl Ppi {
    pub(crate) fn new(resources: PpiResources) -> Self {
        let mut channels = [Channel::default(); CHANNELS];
        for (channel, (event, task)) in channels[FIRST_FIXED..].iter_mut().zip(FIXED) {
            *channel = Channel { event, task, fork: 0 };
        }
        Self { resources, enabled: 0, channels, groups: [0; MOST_GROUPS] }
    }

    /// The addresses of the events that trigger something.
    pub(crate) fn watched(&self) -> impl Iterator<Item = u32> {
        bits(self.enabled).map(|channel| self.channels[channel as usize].event)
    }

    /// The addresses of the tasks that `event` triggers.
    pub(crate) fn tasks_of(&self, event: u32) -> Vec<u32> {
        let wired =
            bits(self.enabled).map(|channel| self.channels[channel as usize]).filter(|channel| channel.event == event);
        wired.flat_map(|channel| [channel.task, channel.fork]).filter(|task| *task != 0).collect()
    }

    pub(crate) fn read(&self, offset: u32) -> u32 {
        match offset {
            0x500 | 0x504 | 0x508 => self.enabled,
            0x510..=0x5AC => {
                let (channel, end) = Self::channel_end(offset);
                if channel >= self.resources.channels {
                    return 0;
                }
                if end == 0 { self.channels[channel].event } else { self.channels[channel].task }
            }
            0x800..=0x814 => {
                self.groups[..self.resources.groups].get((offset as usize - 0x800) / 4).copied().unwrap_or(0)
            }
            0x910..=0x98C => self.channels[(offset as usize - 0x910) / 4].fork,
            _ => 0,
        }
    }

    pub(crate) fn write(&mut self, offset: u32, value: u32) {
        match offset {
            0x000..=0x02C if value != 0 => self.switch_group(offset),
            0x500 => self.enabled = value & self.implemented(),
            0x504 => self.enabled |= value & self.implemented(),
            0x508 => self.enabled &= !value,
            0x510..=0x5AC => {
                let (channel, end) = Self::channel_end(offset);
                if channel < self.resources.channels {
                    let place = &mut self.channels[channel];
                    *(if end == 0 { &mut place.event } else { &mut place.task }) = value;
                }
            }
            0x800..=0x814 => {
                if let Some(group) = self.groups[..self.resources.groups].get_mut((offset as usize - 0x800) / 4) {
                    *group = value;
                }
            }
            0x910..=0x98C if self.resources.forks => self.channels[(offset as usize - 0x910) / 4].fork = value,
            _ => {}
        }
    }

    /// Tasks EN and DIS of a group.
    fn switch_group(&mut self, offset: u32) {
        let members = self.groups[offset as usize / 8] & self.implemented();
        if offset.is_multiple_of(8) {
            self.enabled |= members;
        } else {
            self.enabled &= !members;
        }
    }

    fn implemented(&self) -> u32 {
        !(((1 << (FIRST_FIXED - self.resources.channels)) - 1) << self.resources.channels)
    }

    fn channel_end(offset: u32) -> (usize, u32) {
        (((offset - 0x510) / 8) as usize, (offset - 0x510) % 8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nrf::Part;
    use crate::nrf::resources::Resources;

    #[test]
    fn a_channel_leads_from_its_event_to_its_task_and_fork_while_enabled() {
        let mut ppi = Ppi::new(Resources::of(Part::Nrf52840).ppi);
        ppi.write(0x510 + 8 * 3, 0x4000_8140);
        ppi.write(0x514 + 8 * 3, 0x4000_6000);
        ppi.write(0x910 + 4 * 3, 0x4000_6004);
        assert_eq!(ppi.tasks_of(0x4000_8140), []);
        ppi.write(0x504, 1 << 3);
        assert_eq!(ppi.tasks_of(0x4000_8140), [0x4000_6000, 0x4000_6004]);
        ppi.write(0x508, 1 << 3);
        assert_eq!(ppi.watched().count(), 0);
    }

    #[test]
    fn groups_switch_their_members() {
        let mut ppi = Ppi::new(Resources::of(Part::Nrf51822).ppi);
        ppi.write(0x804, 0b101);
        ppi.write(0x008, 1);
        assert_eq!(ppi.read(0x500), 0b101);
        ppi.write(0x00C, 1);
        assert_eq!(ppi.read(0x500), 0);
    }

    #[test]
    fn the_nrf51_has_sixteen_programmable_and_twelve_fixed_channels_in_four_groups() {
        let mut ppi = Ppi::new(Resources::of(Part::Nrf51822).ppi);
        ppi.write(0x500, u32::MAX);
        assert_eq!(ppi.read(0x500), 0xFFF0_FFFF);
        ppi.write(0x510 + 8 * 31, 0);
        assert_eq!(ppi.tasks_of(RTC0 + 0x140), [RADIO, RADIO + 4, TIMER0 + 0xC, TIMER0]);
        ppi.write(0x910, 0x4000_6000);
        ppi.write(0x810, 1);
        assert_eq!((ppi.read(0x910), ppi.read(0x810)), (0, 0), "no forks, and four groups");
    }
}
