//! Debug probes that the crate probe-rs drives: CMSIS-DAP, J-Link, ST-Link, Black Magic and others.
//!
//! Boundary: one probe and the chip behind it. Every use of probe-rs is here, because it changes its interface with each minor version. A
//! call of probe-rs cannot be interrupted: between its calls the deadline is kept here, within one by [`Owner`](crate::Owner).

use std::error::Error;
use std::path::Path;

use ::probe_rs::architecture::arm::ArmError;
use ::probe_rs::architecture::arm::dp::{Ctrl, DpAccess as _, DpAddress};
use ::probe_rs::config::{MemoryRegion, TargetSelector};
use ::probe_rs::flashing::{DownloadOptions, FlashError};
use ::probe_rs::probe::list::Lister;
use ::probe_rs::probe::{DebugProbeError, DebugProbeSelector, Probe as OpenProbe, WireProtocol};
use ::probe_rs::{Core, MemoryInterface as _, Permissions, Session};
use brickproof_units::Span;

use crate::capability::{Capabilities, Timing};
use crate::clock::{Deadline, Moment};
use crate::factory::{Factory, Instrument, Kind};
use crate::failure::{Failure, FailureKind};
use crate::kinds::{Look, Memory, Probe, Region};
use crate::settings::{Setting, SettingKind, Settings};
use crate::usb_id;

/// Read between two looks at the deadline: some 50 ms over a probe of full-speed USB.
const PIECE: u32 = 4096;

const UNDER_RESET: &str = "under_reset";

/// Vendor and product of Black Magic probes.
const BLACK_MAGIC: (u16, u16) = (0x1D50, 0x6018);

const SETTINGS: &[Setting] = &[
    Setting {
        name: "usb",
        kind: SettingKind::Text,
        required: true,
        about: "Vendor and product of the probe, `0d28:0204`.",
    },
    Setting {
        name: "serial",
        kind: SettingKind::Text,
        required: false,
        about: "Its serial number; without it, the first such probe is taken. A Black Magic probe may also be `host:port`.",
    },
    Setting {
        name: "chip",
        kind: SettingKind::Text,
        required: true,
        about: "The chip in probe-rs's words, `nRF51822_xxAA`.",
    },
    Setting {
        name: "attach",
        kind: SettingKind::Word(&["running", UNDER_RESET]),
        required: false,
        about: "Whether RESET is held while attaching, for firmware that shuts its debug port; `running` if not given.",
    },
];

/// The driver of probes that probe-rs knows.
pub(crate) struct ProbeRsFactory;

impl Factory for ProbeRsFactory {
    fn driver(&self) -> &'static str {
        "probe-rs"
    }

    fn kind(&self) -> Kind {
        Kind::Probe
    }

    fn about(&self) -> &'static str {
        "a debug probe that probe-rs drives: CMSIS-DAP, J-Link, ST-Link, Black Magic"
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn capabilities(&self, _settings: &Settings) -> Capabilities {
        Capabilities::only(Timing {
            latency: Span::millis(300),
            uncertainty: Span::millis(1),
            source: "attaching to an emulated board took 80 ms to 215 ms; one frame of full-speed USB",
        })
    }

    fn open(&self, settings: &Settings, _deadline: Deadline) -> Result<Instrument, Failure> {
        let id = settings.text("usb").unwrap_or_default();
        let serial = settings.text("serial").map(str::to_owned);
        let device = match &serial {
            Some(serial) => format!("probe {id} with serial number {serial}"),
            None => format!("probe {id}"),
        };
        let Some((vendor_id, product_id)) = usb_id::parse(id) else {
            let kind = FailureKind::Missing(format!("`{id}` is no USB id"));
            return Err(Failure::new(device, "understand which probe it is", kind).with_help("`usb: 0d28:0204`"));
        };
        let plug = Plugged {
            selector: DebugProbeSelector { vendor_id, product_id, interface: None, serial_number: serial },
            chip: settings.text("chip").unwrap_or_default().to_owned(),
        };
        let attach = if settings.text("attach") == Some(UNDER_RESET) { Attach::UnderReset } else { Attach::Running };
        // Only the probe must be there: the board may have no power yet.
        plug.open().map_err(|kind| Failure::new(&device, "open it", kind))?;
        Ok(Instrument::Probe(Box::new(Attached { device, plug, attach, session: None, held: None, reset: Reset::Not })))
    }
}

/// Where the probe comes from, and what is behind it.
trait Plug: Send {
    fn open(&self) -> Result<OpenProbe, FailureKind>;
    fn target(&self) -> TargetSelector;
    /// Whether the probe itself asks again as long as a device makes it wait, and is kept from that by probe-rs's detection of overruns.
    fn asks_again(&self) -> bool;
}

/// A probe on this computer's USB.
struct Plugged {
    selector: DebugProbeSelector,
    chip: String,
}

impl Plug for Plugged {
    fn open(&self) -> Result<OpenProbe, FailureKind> {
        // Two of probe-rs's drivers list serial ports when they are asked for any probe, and the crate they do it with panics without this.
        if !Path::new("/sys/class/tty").is_dir() {
            return Err(FailureKind::Missing(
                "/sys/class/tty: probes are only found where sysfs is mounted".to_owned(),
            ));
        }
        Lister::new().open(self.selector.clone()).map_err(|error| kind(&error))
    }

    fn target(&self) -> TargetSelector {
        TargetSelector::from(self.chip.as_str())
    }

    fn asks_again(&self) -> bool {
        (self.selector.vendor_id, self.selector.product_id) == BLACK_MAGIC
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Attach {
    Running,
    UnderReset,
}

struct Attached<P> {
    device: String,
    plug: P,
    attach: Attach,
    /// Kept between calls; it breaks when the board loses power.
    session: Option<Session>,
    /// A probe that holds RESET and has not attached yet.
    held: Option<OpenProbe>,
    /// A reset by this driver: probe-rs waits for the chip's own note of it, and takes that.
    reset: Reset,
}

/// Whether the core was reset since somebody who looks into the memory asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reset {
    Not,
    ByUs,
}

impl<P: Plug> Attached<P> {
    fn open_for_swd(&self) -> Result<OpenProbe, FailureKind> {
        let mut probe = self.plug.open()?;
        // Black Magic's driver refuses to attach without.
        probe.select_protocol(WireProtocol::Swd).map_err(|error| kind(&error))?;
        Ok(probe)
    }

    fn attach(&self, how: Attach) -> Result<Session, FailureKind> {
        let probe = self.open_for_swd()?;
        // No permission to erase everything: a locked chip stays locked.
        let permissions = Permissions::default();
        let mut session = match how {
            Attach::Running => probe.attach(self.plug.target(), permissions),
            Attach::UnderReset => probe.attach_under_reset(self.plug.target(), permissions),
        }
        .map_err(|error| kind(&error))?;
        if self.plug.asks_again() {
            let_wait(&mut session).map_err(|error| kind(&error))?;
        }
        // Looking at a board must not stop it.
        let_run(&mut session.core(0).map_err(|error| kind(&error))?)?;
        Ok(session)
    }

    /// Does something in a session. One that was kept may be stale, because the board lost its power since: then it is done once more in a
    /// new one. Everything that is done here may be done twice.
    fn with<R>(
        &mut self,
        asked: impl Fn() -> String,
        deadline: Deadline,
        mut act: impl FnMut(&mut Session) -> Result<R, FailureKind>,
    ) -> Result<R, Failure> {
        let fail = |kind| Failure::new(&self.device, asked(), kind);
        let late = || fail(FailureKind::NoAnswer(deadline.within()));
        let mut stale = None;
        if let Some(mut kept) = self.session.take() {
            match act(&mut kept) {
                Ok(result) => {
                    self.session = Some(kept);
                    return Ok(result);
                }
                Err(kind) if !may_be_stale(&kind) => return Err(fail(kind)),
                Err(kind) => stale = Some(kind),
            }
        }
        if deadline.has_passed() {
            return Err(late());
        }
        let mut session = self.attach(self.attach).map_err(|kind| fail(since(stale, kind)))?;
        if deadline.has_passed() {
            return Err(late());
        }
        let result = act(&mut session).map_err(fail)?;
        self.session = Some(session);
        Ok(result)
    }
}

impl<P: Plug> Probe for Attached<P> {
    fn read(&mut self, region: Region, deadline: Deadline) -> Result<Vec<u8>, Failure> {
        let asked = || format!("read {} bytes at {:#010x}", region.length, region.address);
        self.with(asked, deadline, |session| read(session, region, deadline))
    }

    fn program(&mut self, address: u32, bytes: &[u8], deadline: Deadline) -> Result<(), Failure> {
        let asked = || format!("program {} bytes at {address:#010x}", bytes.len());
        self.with(asked, deadline, |session| program(session, address, bytes))
    }

    fn program_once(&mut self, address: u32, bytes: &[u8], deadline: Deadline) -> Result<(), Failure> {
        let asked = || format!("program {} bytes at {address:#010x}", bytes.len());
        let kept = self.session.take();
        let mut session = match kept {
            Some(kept) => kept,
            None => self.attach(self.attach).map_err(|kind| Failure::new(&self.device, asked(), kind))?,
        };
        if deadline.has_passed() {
            return Err(Failure::new(&self.device, asked(), FailureKind::NoAnswer(deadline.within())));
        }
        program(&mut session, address, bytes).map_err(|kind| Failure::new(&self.device, asked(), kind))?;
        self.session = Some(session);
        Ok(())
    }

    fn reset(&mut self, deadline: Deadline) -> Result<Moment, Failure> {
        let asked = || "reset the board".to_owned();
        self.reset = Reset::ByUs;
        self.with(asked, deadline, |session| {
            let mut core = session.core(0).map_err(|error| kind(&error))?;
            let ((), moment) = Moment::of(|| core.reset()).map_err(|error| kind(&error))?;
            // A core that was halted, as after programming, stays so through a reset.
            let_run(&mut core)?;
            Ok(moment)
        })
    }

    fn detach(&mut self, _deadline: Deadline) -> Result<(), Failure> {
        // A session takes its breakpoints and its hold on the core back as it goes.
        self.session = None;
        if let Some(mut probe) = self.held.take() {
            let released = probe.target_reset_deassert();
            released.map_err(|error| Failure::new(&self.device, "let the board out of reset", kind(&error)))?;
        }
        Ok(())
    }

    fn hold_reset(&mut self, _deadline: Deadline) -> Result<(), Failure> {
        self.session = None;
        let fail = |kind| Failure::new(&self.device, "hold the board in reset", kind);
        let mut probe = self.open_for_swd().map_err(fail)?;
        probe.target_reset_assert().map_err(|error| fail(kind(&error)))?;
        self.reset = Reset::ByUs;
        self.held = Some(probe);
        Ok(())
    }

    fn look(&mut self, act: &mut Look<'_>, deadline: Deadline) -> Result<(), Failure> {
        let held = self.held.take();
        let fail = |kind| Failure::new(&self.device, "look into the board's memory", kind);
        let mut session = match self.session.take() {
            Some(session) => session,
            // It halts before its first instruction, and is not let run.
            None if let Some(held) = held => held
                .attach_under_reset(self.plug.target(), Permissions::default())
                .map_err(|error| fail(kind(&error)))?,
            // Never under reset: then it would be the look that resets the board.
            None => self.attach(Attach::Running).map_err(fail)?,
        };
        if deadline.has_passed() {
            self.session = Some(session);
            return Err(fail(FailureKind::NoAnswer(deadline.within())));
        }
        let looked = match Running::new(&mut session, &mut self.reset) {
            Ok(mut memory) => act(&mut memory),
            Err(kind) => Err(kind),
        };
        if !looked.as_ref().is_err_and(may_be_stale) {
            self.session = Some(session);
        }
        looked.map_err(fail)
    }
}

/// The debug halting control and status register of ARMv6-M and ARMv7-M (ARM DDI 0419, C1.6.3), and its bit that says that the core was reset
/// and that a read clears.
const DHCSR: u64 = 0xE000_EDF0;
const S_RESET_ST: u32 = 1 << 25;

/// The memory of a core that runs.
struct Running<'s> {
    core: Core<'s>,
    ram: Vec<Region>,
    reset: &'s mut Reset,
}

impl<'s> Running<'s> {
    fn new(session: &'s mut Session, reset: &'s mut Reset) -> Result<Self, FailureKind> {
        let ram = session.target().memory_map.iter().filter_map(ram).collect();
        Ok(Self { core: session.core(0).map_err(|error| kind(&error))?, ram, reset })
    }
}

fn ram(region: &MemoryRegion) -> Option<Region> {
    let range = &region.as_ram_region().filter(|region| !region.is_alias)?.range;
    let address = u32::try_from(range.start).ok()?;
    Some(Region { address, length: u32::try_from(range.end.checked_sub(range.start)?).ok()? })
}

impl Memory for Running<'_> {
    fn ram(&self) -> Vec<Region> {
        self.ram.clone()
    }

    fn read(&mut self, address: u32, bytes: &mut [u8]) -> Result<(), FailureKind> {
        self.core.read(address.into(), bytes).map_err(|error| kind(&error))
    }

    fn read_words(&mut self, address: u32, words: &mut [u32]) -> Result<(), FailureKind> {
        self.core.read_32(address.into(), words).map_err(|error| kind(&error))
    }

    fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), FailureKind> {
        self.core.write(address.into(), bytes).map_err(|error| kind(&error))
    }

    fn write_word(&mut self, address: u32, word: u32) -> Result<(), FailureKind> {
        self.core.write_word_32(address.into(), word).map_err(|error| kind(&error))
    }

    fn take_reset(&mut self) -> Result<bool, FailureKind> {
        let noted = self.core.read_word_32(DHCSR).map_err(|error| kind(&error))? & S_RESET_ST != 0;
        Ok(std::mem::replace(self.reset, Reset::Not) == Reset::ByUs || noted)
    }
}

/// A flash that erases makes whoever reads it wait, 22 ms for a page of an nRF51. With its overruns detected, the debug port takes the first WAIT for
/// an error that it remembers (IHI 0031, B4.2.5), and the firmware's reading of its own flash would be the bench's fault.
fn let_wait(session: &mut Session) -> Result<(), ArmError> {
    let interface = session.get_arm_interface()?;
    let mut control: Ctrl = interface.read_dp_register(DpAddress::Default)?;
    control.set_orun_detect(false);
    interface.write_dp_register(DpAddress::Default, control)
}

fn let_run(core: &mut Core<'_>) -> Result<(), FailureKind> {
    if core.core_halted().map_err(|error| kind(&error))? {
        core.run().map_err(|error| kind(&error))?;
    }
    Ok(())
}

fn read(session: &mut Session, region: Region, deadline: Deadline) -> Result<Vec<u8>, FailureKind> {
    let mut core = session.core(0).map_err(|error| kind(&error))?;
    let mut bytes = Vec::new();
    let mut at = u64::from(region.address);
    let end = at + u64::from(region.length);
    while at < end {
        if deadline.has_passed() {
            return Err(FailureKind::NoAnswer(deadline.within()));
        }
        let mut piece = vec![0; (end - at).min(PIECE.into()) as usize];
        core.read(at, &mut piece).map_err(|error| kind(&error))?;
        at += piece.len() as u64;
        bytes.append(&mut piece);
    }
    Ok(bytes)
}

fn program(session: &mut Session, address: u32, bytes: &[u8]) -> Result<(), FailureKind> {
    let mut loader = session.target().flash_loader();
    loader.add_data(address.into(), bytes).map_err(|error| kind(&error))?;
    let mut options = DownloadOptions::default();
    options.keep_unwritten_bytes = true;
    options.verify = true;
    loader.commit(session, options).map_err(|error| match error {
        FlashError::Verify => FailureKind::ReadBack("probe-rs found other bytes than it wrote".to_owned()),
        error => kind(&error),
    })
}

/// Why attaching failed, after a session that was kept failed: a probe that was there and cannot be found is gone, whichever of its transfers
/// was the first to notice.
fn since(stale: Option<FailureKind>, kind: FailureKind) -> FailureKind {
    match (stale, kind) {
        (Some(FailureKind::Gone(words) | FailureKind::Answer(words)), FailureKind::Missing(_)) => {
            FailureKind::Gone(words)
        }
        (Some(stale), FailureKind::Missing(_)) => FailureKind::Gone(stale.to_string()),
        (_, kind) => kind,
    }
}

/// Whether an error may come from a session that outlived the board's power.
fn may_be_stale(kind: &FailureKind) -> bool {
    !matches!(kind, FailureKind::ReadBack(_) | FailureKind::NoAnswer(_) | FailureKind::Unsupported(_))
}

/// Sorts an error of probe-rs. What the operating system said stands somewhere below it; the whole chain is told.
fn kind(error: &(dyn Error + 'static)) -> FailureKind {
    let chain: Vec<&(dyn Error + 'static)> = std::iter::successors(Some(error), |error| (*error).source()).collect();
    let mut words: Vec<String> = chain.iter().map(|error| sentence(*error)).collect();
    words.dedup();
    let words = words.join(": ");
    // Whatever else keeps a probe from being opened, it is not there for us.
    let never_there =
        chain.iter().any(|error| matches!(error.downcast_ref(), Some(DebugProbeError::ProbeCouldNotBeCreated(_))));
    for error in chain {
        // The second comes wrapped in an error that knows nothing of permissions.
        let is_locked = matches!(error.downcast_ref(), Some(::probe_rs::Error::MissingPermissions(_)))
            || matches!(error.downcast_ref(), Some(ArmError::MissingPermissions(_)));
        if is_locked {
            return FailureKind::Denied(format!("the chip is locked, and unlocking would erase it: {words}"));
        }
        if let Some(FlashError::NoSuitableNvm { .. }) = error.downcast_ref() {
            return FailureKind::Unsupported(words);
        }
        if let Some(system) = error.downcast_ref::<std::io::Error>() {
            match FailureKind::from(std::io::Error::from(system.kind())) {
                FailureKind::Denied(_) => return FailureKind::Denied(words),
                FailureKind::Busy(_) => return FailureKind::Busy(words),
                FailureKind::Gone(_) if !never_there => return FailureKind::Gone(words),
                _ => {}
            }
        }
    }
    if never_there { FailureKind::Missing(words) } else { FailureKind::Answer(words) }
}

/// An error in one line without a full stop: probe-rs writes paragraphs.
fn sentence(error: &(dyn Error + 'static)) -> String {
    let words = error.to_string();
    words.lines().map(|line| line.trim_end_matches('.')).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod chip;
#[cfg(test)]
mod tests;
