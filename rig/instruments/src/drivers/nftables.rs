//! The rig as the board's gateway: flows dropped and rejected with nftables, delayed with netem.
//!
//! Boundary: one board behind one interface, a table and a queueing discipline of its own. Nobody else's tables are read or written, and
//! where somebody else shapes the interface nothing is delayed. Flows that hardware or a flowtable forwards past the kernel's hooks are not
//! seen. The programs `nft` and `tc` are run, because the kernel's own interface to either is wider than what is needed of it.

mod rules;
mod run;

use brickproof_units::Span;

use crate::capability::{Capabilities, Timing};
use crate::clock::{Deadline, Moment};
use crate::factory::{Factory, Instrument, Kind};
use crate::failure::{Failure, FailureKind};
use crate::kinds::{Block, Firewall};
use crate::settings::{Setting, SettingKind, Settings};

use self::rules::{Board, Shaper};

/// The Linux kernel's firewall.
pub(super) struct Nftables;

/// What was under way through the kernel when a rule came into force; assumed.
const UNDER_WAY: Span = Span::millis(1);

impl Factory for Nftables {
    fn driver(&self) -> &'static str {
        "nftables"
    }

    fn kind(&self) -> Kind {
        Kind::Firewall
    }

    fn about(&self) -> &'static str {
        "the rig as the board's gateway: drop, reject, delay"
    }

    fn settings(&self) -> &'static [Setting] {
        const SETTINGS: &[Setting] = &[
            Setting {
                name: "interface",
                kind: SettingKind::Text,
                required: true,
                about: "the gateway's interface to the board, not the one to the rest of the world",
            },
            Setting {
                name: "address",
                kind: SettingKind::Text,
                required: false,
                about: "the board's IP address where others are behind the same interface; without, all of them are blocked",
            },
            Setting {
                name: "namespace",
                kind: SettingKind::Text,
                required: false,
                about: "the network namespace in which the gateway is; the rig's own without",
            },
        ];
        SETTINGS
    }

    fn capabilities(&self, _: &Settings) -> Capabilities {
        Capabilities::only(Timing {
            latency: Span::millis(50),
            uncertainty: UNDER_WAY,
            source: "assumed: a program is started for it, and the kernel replaces all rules at one instant",
        })
    }

    fn open(&self, settings: &Settings, deadline: Deadline) -> Result<Instrument, Failure> {
        let interface = settings.text("interface").unwrap_or_default();
        let device = format!("nftables on {interface}");
        let board = Board::new(interface, settings.text("address")).ok_or_else(|| {
            let address =
                settings.text("address").map_or(String::new(), |address| format!(", or {address:?} no address"));
            let kind = FailureKind::Refused(format!("{interface:?} is no name of an interface{address}"));
            Failure::new(&device, "open it", kind)
        })?;
        let mut gateway = Gateway { device, board, namespace: settings.text("namespace").map(str::to_owned) };
        gateway.make_safe(deadline)?;
        Ok(Instrument::Firewall(Box::new(gateway)))
    }
}

struct Gateway {
    device: String,
    board: Board,
    namespace: Option<String>,
}

impl Gateway {
    fn run(&self, program: &str, arguments: &[String], input: &str, deadline: Deadline) -> Result<String, FailureKind> {
        let inside = self.namespace.iter().flat_map(|name| ["ip", "netns", "exec", name]);
        let command: Vec<String> =
            inside.chain([program]).map(str::to_owned).chain(arguments.iter().cloned()).collect();
        run::run(&command, input, deadline)
    }

    fn nft(&self, script: &str, deadline: Deadline) -> Result<(), FailureKind> {
        self.run("nft", &["-f", "-"].map(str::to_owned), script, deadline).map(|_| ())
    }

    /// Who shapes the interface; it is missing if it is not there, which `nft` would not mind.
    fn shaper(&self, deadline: Deadline) -> Result<Shaper, FailureKind> {
        let show = ["qdisc", "show", "dev", self.board.interface()].map(str::to_owned);
        self.run("tc", &show, "", deadline).map(|shown| rules::shaper(&shown))
    }

    fn undelay(&self, deadline: Deadline) -> Result<(), FailureKind> {
        if self.shaper(deadline)? == Shaper::Ours {
            self.run("tc", &rules::no_delay(self.board.interface()), "", deadline)?;
        }
        Ok(())
    }

    fn try_delay(&self, by: Span, deadline: Deadline) -> Result<(), FailureKind> {
        if by == Span::ZERO {
            return self.undelay(deadline);
        }
        if self.board.has_address() {
            let kind = "everything behind an interface is delayed, and `address` says that others are there";
            return Err(FailureKind::Unsupported(kind.to_owned()));
        }
        if self.shaper(deadline)? == Shaper::Other {
            return Err(FailureKind::Busy("somebody else's queueing discipline is on the interface".to_owned()));
        }
        self.run("tc", &rules::delay(self.board.interface(), by), "", deadline)?;
        match self.shaper(deadline)? {
            Shaper::Ours => Ok(()),
            _ => Err(FailureKind::ReadBack("the delay is not on the interface".to_owned())),
        }
    }

    fn failure(&self, asked: &str, kind: FailureKind) -> Failure {
        let failure = Failure::new(&self.device, asked, kind);
        match failure.kind() {
            FailureKind::Denied(_) => failure.with_help("the rig needs CAP_NET_ADMIN to be a gateway"),
            _ => failure,
        }
    }
}

impl Firewall for Gateway {
    fn block(&mut self, blocks: &[Block], deadline: Deadline) -> Result<Moment, Failure> {
        let script = self.board.block(blocks);
        let outcome = self.shaper(deadline).and_then(|_| Moment::of(|| self.nft(&script, deadline)));
        match outcome {
            Ok(((), moment)) => Ok(moment.blurred(UNDER_WAY)),
            Err(kind) => Err(self.failure("block the board's flows", kind)),
        }
    }

    fn delay(&mut self, by: Span, deadline: Deadline) -> Result<Moment, Failure> {
        match Moment::of(|| self.try_delay(by, deadline)) {
            Ok(((), moment)) => Ok(moment.blurred(UNDER_WAY)),
            Err(kind) => Err(self.failure(&format!("delay what goes to the board by {by}"), kind)),
        }
    }

    fn make_safe(&mut self, deadline: Deadline) -> Result<(), Failure> {
        // Both, the second after a failure of the first too.
        let (rules, delay) = (self.nft(&self.board.unblock(), deadline), self.undelay(deadline));
        rules.and(delay).map_err(|kind| self.failure("let everything through", kind))
    }
}
