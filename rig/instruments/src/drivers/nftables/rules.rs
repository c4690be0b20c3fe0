//! What `nft` and `tc` are told, as text.
//!
//! Boundary: text. Nothing is run here.

use std::fmt::Write;
use std::net::IpAddr;

use brickproof_units::Span;

use crate::kinds::{Block, Fate, Flow, Transport};

/// Marks the queueing discipline that is ours among those of an interface.
pub(super) const HANDLE: &str = "bf01:";

/// The board as the gateway sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Board {
    interface: String,
    address: Option<IpAddr>,
}

impl Board {
    /// `None` for what the kernel would not take for the name of an interface, and for what is no address.
    pub(super) fn new(interface: &str, address: Option<&str>) -> Option<Self> {
        let fits = (1..=15).contains(&interface.len());
        // What is left out could end the string that it stands in.
        let plain = interface.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
        let address = match address {
            None => None,
            Some(text) => Some(text.parse().ok()?),
        };
        (fits && plain && !interface.starts_with(['-', '.'])).then(|| Self { interface: interface.to_owned(), address })
    }

    pub(super) fn interface(&self) -> &str {
        &self.interface
    }

    pub(super) fn has_address(&self) -> bool {
        self.address.is_some()
    }

    /// The name of its table: another for every board.
    pub(super) fn table(&self) -> String {
        let whole = match self.address {
            None => self.interface.clone(),
            Some(address) => format!("{}/{address}", self.interface),
        };
        whole.chars().fold("brickproof_".to_owned(), |mut name, c| {
            match c.is_ascii_alphanumeric() {
                true => name.push(c),
                // Never two boards with one name.
                false => name += &format!("_{:02x}", u32::from(c)),
            }
            name
        })
    }

    /// Removes its table, whether or not it is there.
    pub(super) fn unblock(&self) -> String {
        let table = self.table();
        format!("table inet {table}\ndelete table inet {table}\n")
    }

    /// Replaces its table in one transaction.
    pub(super) fn block(&self, blocks: &[Block]) -> String {
        let mut text = self.unblock();
        if blocks.is_empty() {
            return text;
        }
        let each = |rules: fn(&Self, Block) -> Vec<String>| -> Vec<String> {
            blocks.iter().flat_map(|&block| rules(self, block)).collect()
        };
        let (from, to) = (each(Self::sent), each(Self::received));
        // The peer may be on the gateway itself, so what ends or begins here is looked at too. Before other people's filters, which still
        // apply to what gets through here: what they refuse must not look like this block.
        for (hook, rules) in
            [("forward", [from.clone(), to].concat()), ("input", from), ("output", each(Self::refused_or_received))]
        {
            let table = self.table();
            let chain = format!("{{ type filter hook {hook} priority -10; policy accept; }}");
            let _ = writeln!(text, "add table inet {table}\nadd chain inet {table} {hook} {chain}");
            for rule in rules {
                let _ = writeln!(text, "add rule inet {table} {hook} {rule}");
            }
        }
        text
    }

    fn sent(&self, Block { flow, fate }: Block) -> Vec<String> {
        let who = format!("iifname \"{}\"{}", self.interface, self.named("saddr"));
        matches(flow, "dport")
            .into_iter()
            .flat_map(|(transport, what)| match (fate, transport) {
                (Fate::Dropped, _) => vec![format!("{who} {what}drop")],
                (Fate::Rejected, Some(Transport::Tcp)) => vec![format!("{who} {what}reject with tcp reset")],
                (Fate::Rejected, Some(Transport::Udp)) => {
                    vec![format!("{who} {what}reject with icmpx type port-unreachable")]
                }
                (Fate::Rejected, None) => vec![
                    format!("{who} meta l4proto tcp reject with tcp reset"),
                    format!("{who} reject with icmpx type port-unreachable"),
                ],
            })
            .collect()
    }

    fn received(&self, Block { flow, .. }: Block) -> Vec<String> {
        let who = format!("oifname \"{}\"{}", self.interface, self.named("daddr"));
        matches(flow, "sport").into_iter().map(|(_, what)| format!("{who} {what}drop")).collect()
    }

    /// As [`received`](Self::received), past the refusals that `reject` sends: they leave through the gateway's own output.
    fn refused_or_received(&self, block: Block) -> Vec<String> {
        let who = format!("oifname \"{}\"{}", self.interface, self.named("daddr"));
        let refusals = match block.fate {
            Fate::Dropped => Vec::new(),
            Fate::Rejected => matches(block.flow, "sport")
                .into_iter()
                .flat_map(|(transport, what)| match transport {
                    Some(Transport::Tcp) => vec![format!("{who} {what}tcp flags & rst == rst accept")],
                    // "Port unreachable" is no datagram of this flow.
                    Some(Transport::Udp) => Vec::new(),
                    None => [
                        "tcp flags & rst == rst",
                        "icmp type destination-unreachable",
                        "icmpv6 type destination-unreachable",
                    ]
                    .map(|refusal| format!("{who} {refusal} accept"))
                    .to_vec(),
                })
                .collect(),
        };
        [refusals, self.received(block)].concat()
    }

    fn named(&self, side: &str) -> String {
        match self.address {
            None => String::new(),
            Some(address @ IpAddr::V4(_)) => format!(" ip {side} {address}"),
            Some(address @ IpAddr::V6(_)) => format!(" ip6 {side} {address}"),
        }
    }
}

/// What a rule looks for, for each transport that it must be said for.
fn matches(flow: Flow, side: &str) -> Vec<(Option<Transport>, String)> {
    let one = |transport, word: &str| match flow.port {
        Some(port) => (Some(transport), format!("{word} {side} {port} ")),
        None => (Some(transport), format!("meta l4proto {word} ")),
    };
    match (flow.transport, flow.port) {
        (Some(Transport::Tcp), _) => vec![one(Transport::Tcp, "tcp")],
        (Some(Transport::Udp), _) => vec![one(Transport::Udp, "udp")],
        (None, Some(_)) => vec![one(Transport::Tcp, "tcp"), one(Transport::Udp, "udp")],
        (None, None) => vec![(None, String::new())],
    }
}

/// Who shapes what leaves an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shaper {
    /// The kernel's default.
    Default,
    /// This driver.
    Ours,
    /// Somebody else.
    Other,
}

/// Reads `tc qdisc show`.
pub(super) fn shaper(shown: &str) -> Shaper {
    let handles = shown.lines().filter_map(|line| line.strip_prefix("qdisc ")?.split_whitespace().nth(1));
    // The kernel numbers its defaults 0.
    handles.fold(Shaper::Default, |shaper, handle| match (shaper, handle) {
        (_, HANDLE) => Shaper::Ours,
        (shaper, "0:") => shaper,
        (Shaper::Ours, _) => Shaper::Ours,
        _ => Shaper::Other,
    })
}

/// The arguments of `tc` that delay what leaves an interface.
pub(super) fn delay(interface: &str, by: Span) -> Vec<String> {
    let by = format!("{}us", by.as_nanos() / 1_000);
    ["qdisc", "replace", "dev", interface, "root", "handle", HANDLE, "netem", "delay", &by].map(str::to_owned).to_vec()
}

/// The arguments of `tc` that end it.
pub(super) fn no_delay(interface: &str) -> Vec<String> {
    ["qdisc", "delete", "dev", interface, "root", "handle", HANDLE].map(str::to_owned).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(transport: Option<Transport>, port: Option<u16>, fate: Fate) -> Block {
        Block { flow: Flow { transport, port }, fate }
    }

    #[test]
    fn a_table_of_its_own_and_no_other() {
        let board = Board::new("lan-0", None).unwrap();
        let blocks = [
            block(Some(Transport::Tcp), Some(8883), Fate::Dropped),
            block(None, Some(5684), Fate::Rejected),
            block(Some(Transport::Udp), None, Fate::Dropped),
        ];
        insta::assert_snapshot!(board.block(&blocks), @r#"
        table inet brickproof_lan_2d0
        delete table inet brickproof_lan_2d0
        add table inet brickproof_lan_2d0
        add chain inet brickproof_lan_2d0 forward { type filter hook forward priority -10; policy accept; }
        add rule inet brickproof_lan_2d0 forward iifname "lan-0" tcp dport 8883 drop
        add rule inet brickproof_lan_2d0 forward iifname "lan-0" tcp dport 5684 reject with tcp reset
        add rule inet brickproof_lan_2d0 forward iifname "lan-0" udp dport 5684 reject with icmpx type port-unreachable
        add rule inet brickproof_lan_2d0 forward iifname "lan-0" meta l4proto udp drop
        add rule inet brickproof_lan_2d0 forward oifname "lan-0" tcp sport 8883 drop
        add rule inet brickproof_lan_2d0 forward oifname "lan-0" tcp sport 5684 drop
        add rule inet brickproof_lan_2d0 forward oifname "lan-0" udp sport 5684 drop
        add rule inet brickproof_lan_2d0 forward oifname "lan-0" meta l4proto udp drop
        add table inet brickproof_lan_2d0
        add chain inet brickproof_lan_2d0 input { type filter hook input priority -10; policy accept; }
        add rule inet brickproof_lan_2d0 input iifname "lan-0" tcp dport 8883 drop
        add rule inet brickproof_lan_2d0 input iifname "lan-0" tcp dport 5684 reject with tcp reset
        add rule inet brickproof_lan_2d0 input iifname "lan-0" udp dport 5684 reject with icmpx type port-unreachable
        add rule inet brickproof_lan_2d0 input iifname "lan-0" meta l4proto udp drop
        add table inet brickproof_lan_2d0
        add chain inet brickproof_lan_2d0 output { type filter hook output priority -10; policy accept; }
        add rule inet brickproof_lan_2d0 output oifname "lan-0" tcp sport 8883 drop
        add rule inet brickproof_lan_2d0 output oifname "lan-0" tcp sport 5684 tcp flags & rst == rst accept
        add rule inet brickproof_lan_2d0 output oifname "lan-0" tcp sport 5684 drop
        add rule inet brickproof_lan_2d0 output oifname "lan-0" udp sport 5684 drop
        add rule inet brickproof_lan_2d0 output oifname "lan-0" meta l4proto udp drop
        "#);
        assert_eq!(board.block(&[]), board.unblock());
    }

    #[test]
    fn one_board_of_several_behind_an_interface() {
        let rules = |address| {
            let board = Board::new("lan0", Some(address)).unwrap();
            let text = board.block(&[block(None, None, Fate::Rejected)]);
            text.lines()
                .filter(|line| line.contains("forward i") || line.contains("forward o"))
                .collect::<Vec<_>>()
                .join("\n")
        };
        insta::assert_snapshot!(format!("{}\n{}", rules("10.0.0.7"), rules("fd00::7")), @r#"
        add rule inet brickproof_lan0_2f10_2e0_2e0_2e7 forward iifname "lan0" ip saddr 10.0.0.7 meta l4proto tcp reject with tcp reset
        add rule inet brickproof_lan0_2f10_2e0_2e0_2e7 forward iifname "lan0" ip saddr 10.0.0.7 reject with icmpx type port-unreachable
        add rule inet brickproof_lan0_2f10_2e0_2e0_2e7 forward oifname "lan0" ip daddr 10.0.0.7 drop
        add rule inet brickproof_lan0_2ffd00_3a_3a7 forward iifname "lan0" ip6 saddr fd00::7 meta l4proto tcp reject with tcp reset
        add rule inet brickproof_lan0_2ffd00_3a_3a7 forward iifname "lan0" ip6 saddr fd00::7 reject with icmpx type port-unreachable
        add rule inet brickproof_lan0_2ffd00_3a_3a7 forward oifname "lan0" ip6 daddr fd00::7 drop
        "#);
    }

    #[test]
    fn what_could_end_a_string_is_no_interface() {
        for (interface, address) in [
            ("", None),
            ("lan0\"; flush ruleset; #", None),
            ("lan 0", None),
            ("-h", None),
            ("sixteen_letters_", None),
            ("lan0", Some("10.0.0.7; flush ruleset")),
            ("lan0", Some("10.0.0.0/8")),
        ] {
            assert_eq!(Board::new(interface, address), None, "{interface} {address:?}");
        }
    }

    #[test]
    fn no_two_boards_share_a_table() {
        let boards =
            [("a.b", None), ("a_b", None), ("a-b", None), ("a", Some("10.0.0.1")), ("a", Some("::1")), ("a", None)];
        let mut names: Vec<_> = boards.map(|(name, address)| Board::new(name, address).unwrap().table()).to_vec();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), boards.len());
    }

    #[test]
    fn whose_queueing_discipline_it_is() {
        for (shown, expected) in [
            ("qdisc noqueue 0: root refcnt 2 \n", Shaper::Default),
            ("qdisc mq 0: root \nqdisc fq_codel 0: parent :1 limit 10240p\n", Shaper::Default),
            ("qdisc netem bf01: root refcnt 2 limit 1000 delay 100ms\n", Shaper::Ours),
            ("qdisc htb 1: root refcnt 2 r2q 10\nqdisc pfifo 0: parent 1:1\n", Shaper::Other),
            ("", Shaper::Default),
        ] {
            assert_eq!(shaper(shown), expected, "{shown}");
        }
        assert_eq!(
            delay("lan0", Span::micros(1_500)).join(" "),
            "qdisc replace dev lan0 root handle bf01: netem delay 1500us"
        );
    }
}
