//! A little model of a device that is not well: what it logs and what its light shows, attempt by attempt.
//!
//! Boundary: written from Device OS's behaviour (which error shows what, how long who waits) and apart from the weights that diagnose. It draws
//! everything that may differ from one seed: what exactly is damaged, how long things take, who else talks, what the rig misses.

use brickproof_diagnose::Cause;
use brickproof_light::{Colour, Rhythm, Sight};
use brickproof_units::{Instant, Ratio, Span};

/// SplitMix64.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn percent(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    pub(crate) fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from + 1)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Udp,
    Tcp,
}

/// What is wrong inside.
#[derive(Clone, Copy, Default)]
struct Defects {
    server_key: Option<ServerKey>,
    device_key: Option<DeviceKey>,
    address: Option<Address>,
    network: Option<Network>,
    server: Option<Server>,
    no_credentials: bool,
    in_product: bool,
    update: Option<Update>,
    crashes: bool,
}

#[derive(Clone, Copy)]
enum ServerKey {
    Unparseable,
    AnotherOne,
}

#[derive(Clone, Copy)]
enum DeviceKey {
    Blank,
    Unparseable,
    Unknown,
    ExponentOnly,
}

#[derive(Clone, Copy)]
enum Address {
    NobodyHasIt,
    SomebodyElse,
}

#[derive(Clone, Copy)]
enum Network {
    /// TCP: the connection stands, and what comes after it is dropped.
    OnceConnected,
    PortDropped,
    NothingGoesOut,
}

#[derive(Clone, Copy)]
enum Server {
    RefusesConnections,
    SendsAlerts,
    /// It hears the board and says nothing.
    Ignores,
}

#[derive(Clone, Copy)]
enum Update {
    StuckUpdating,
    SafeMode,
    Bootloader,
}

/// What somebody would have recorded.
pub(crate) struct Trace {
    pub(crate) lines: Vec<String>,
    pub(crate) sights: Vec<Sight>,
    pub(crate) told: Vec<&'static str>,
}

struct Device<'d> {
    dice: &'d mut Dice,
    transport: Transport,
    defects: Defects,
    /// Since the rig began to look, and since the device's last start; ms.
    now: u64,
    started: u64,
    end: u64,
    lines: Vec<String>,
    sights: Vec<(Colour, Rhythm, u64, u64)>,
}

/// Records a device with these causes.
pub(crate) fn record(causes: &[Cause], transport: Transport, dice: &mut Dice) -> Trace {
    let defects = draw(causes, transport, dice);
    let end = dice.between(70_000, 240_000);
    let mut device =
        Device { dice, transport, defects, now: 0, started: 0, end, lines: Vec::new(), sights: Vec::new() };
    device.live();
    let Device { mut lines, sights, .. } = device;
    let mut told = Vec::new();
    if defects.in_product && dice.percent(92) {
        told.push("permission denied");
    }
    let from_power = defects.server_key.is_some() || defects.device_key.is_some() || defects.address.is_some();
    if from_power && dice.percent(30) {
        told.push("a battery ran flat");
    }
    // Somebody may have looked whether another board connects from there.
    let is_everybodys = defects.network.is_some() || matches!(defects.server, Some(Server::RefusesConnections));
    if dice.percent(40) && (is_everybodys || from_power || defects.server.is_some()) {
        told.push(if is_everybodys { "others too" } else { "not others too" });
    }
    if defects.update.is_some() && dice.percent(40) {
        told.push("after an update");
    }
    let mut sights: Vec<Sight> = sights.into_iter().map(|it| sight(it, dice)).collect();
    // One of the two channels may not be there.
    match dice.between(0, 9) {
        0 | 1 => lines.clear(),
        2 | 3 => sights.clear(),
        _ => {}
    }
    lines.retain(|_| !dice.percent(6));
    Trace { lines, sights, told }
}

fn draw(causes: &[Cause], transport: Transport, dice: &mut Dice) -> Defects {
    let mut defects = Defects::default();
    for cause in causes {
        let half = dice.percent(50);
        match cause {
            Cause::ServerKey => {
                defects.server_key = Some(if half { ServerKey::Unparseable } else { ServerKey::AnotherOne });
            }
            Cause::DeviceKey => {
                let on_tcp = transport == Transport::Tcp;
                defects.device_key = Some(match dice.between(0, 3) {
                    0 => DeviceKey::Blank,
                    1 if on_tcp => DeviceKey::ExponentOnly,
                    1 => DeviceKey::Unparseable,
                    _ => DeviceKey::Unknown,
                });
            }
            Cause::ServerAddress => {
                // Where somebody else is there, nothing tells a wrong address from a firewall on UDP.
                let nobody = dice.percent(75);
                defects.address = Some(if nobody { Address::NobodyHasIt } else { Address::SomebodyElse });
            }
            Cause::NetworkBlocked => {
                defects.network = Some(match dice.between(0, 9) {
                    0 | 1 => Network::NothingGoesOut,
                    2 if transport == Transport::Tcp => Network::OnceConnected,
                    _ => Network::PortDropped,
                });
            }
            Cause::ServerRefusing => {
                defects.server = Some(match dice.between(0, 4) {
                    0 if transport == Transport::Udp => Server::Ignores,
                    0..=2 => Server::RefusesConnections,
                    _ => Server::SendsAlerts,
                });
            }
            Cause::WifiCredentials => defects.no_credentials = true,
            Cause::RegisteredToProduct => defects.in_product = true,
            Cause::FailedUpdate => {
                defects.update = Some(match dice.between(0, 2) {
                    0 => Update::StuckUpdating,
                    1 => Update::SafeMode,
                    _ => Update::Bootloader,
                });
            }
            Cause::FirmwareCrash => defects.crashes = true,
            Cause::Healthy => {}
        }
    }
    defects
}

fn sight((colour, rhythm, since, until): (Colour, Rhythm, u64, u64), dice: &mut Dice) -> Sight {
    let at = |ms: u64| Instant::START + Span::millis(ms);
    // Somebody stands in the light now and then.
    let (colour, rhythm) =
        if dice.percent(7) { (Colour::Unknown, Rhythm::Unknown) } else { (colour, jittered(rhythm, dice)) };
    Sight { colour, rhythm, confidence: Ratio::new(900_000), since: at(since), until: at(until) }
}

fn jittered(rhythm: Rhythm, dice: &mut Dice) -> Rhythm {
    let mut near = |span: Span| Span::new(span.get() / 100 * dice.between(96, 104));
    match rhythm {
        Rhythm::Blink { period, duty } => Rhythm::Blink { period: near(period), duty },
        Rhythm::Breathe { period } => Rhythm::Breathe { period: near(period) },
        Rhythm::Burst { count, on, off } => Rhythm::Burst { count, on: near(on), off },
        other => other,
    }
}

/// How an attempt to connect ends.
enum End {
    Connected,
    /// It is tried again.
    Failed,
}

impl Device<'_> {
    fn log(&mut self, rest: &str) {
        self.lines.push(format!("{:010} {rest}", self.now - self.started));
        if self.dice.percent(15) {
            let noise = [
                "[app] INFO: temperature 21.4",
                "[app] WARN: sensor late",
                "[hal] TRACE: rssi -61",
                "[app.light] INFO: lamp 3 on",
            ];
            let noise = noise[self.dice.between(0, 3) as usize];
            self.now += self.dice.between(1, 20);
            self.lines.push(format!("{:010} {noise}", self.now - self.started));
        }
    }

    fn show(&mut self, colour: Colour, rhythm: Rhythm, ms: u64) {
        self.sights.push((colour, rhythm, self.now, self.now + ms));
        self.now += ms;
    }

    fn blink(&mut self, colour: Colour, period: u64, ms: u64) {
        self.show(colour, Rhythm::Blink { period: Span::millis(period), duty: Ratio::new(500_000) }, ms);
    }

    fn breathe(&mut self, colour: Colour, ms: u64) {
        self.show(colour, Rhythm::Breathe { period: Span::secs(4) }, ms);
    }

    fn flashes(&mut self, colour: Colour, count: u8) {
        let (on, off) = (Span::millis(250), Span::millis(if count > 1 { 250 } else { 0 }));
        self.show(colour, Rhythm::Burst { count, on, off }, u64::from(count) * 500 - 250);
    }

    fn live(&mut self) {
        if let Some(update) = self.defects.update {
            return self.hang(update);
        }
        if matches!(self.defects.device_key, Some(DeviceKey::Blank)) {
            let took = self.dice.between(800, 4_000);
            self.blink(Colour::White, 200, took);
        }
        if self.defects.no_credentials {
            self.log("[system] INFO: Listening mode");
            let rest = self.end - self.now;
            return self.blink(Colour::Blue, 500, rest);
        }
        let mut attempt = 0;
        while self.now < self.end {
            let joins = self.dice.between(300, 2_500);
            self.blink(Colour::Green, 200, joins);
            loop {
                if self.defects.crashes && self.dice.percent(60) {
                    self.crash();
                    break;
                }
                match self.attempt() {
                    End::Connected => {
                        self.log("[system] INFO: Cloud connected");
                        let rest = if self.defects.crashes {
                            self.dice.between(500, 9_000)
                        } else {
                            self.end.saturating_sub(self.now).max(5_000)
                        };
                        self.breathe(Colour::Cyan, rest);
                        if self.defects.crashes {
                            self.crash();
                            break;
                        }
                        return;
                    }
                    End::Failed if self.now >= self.end => return,
                    End::Failed => {
                        attempt += 1;
                        let wait = [1_000, 2_000, 4_000][(attempt / 5).min(2)];
                        self.blink(Colour::Cyan, 200, wait);
                    }
                }
            }
        }
    }

    fn hang(&mut self, update: Update) {
        let rest = self.end;
        match update {
            Update::StuckUpdating => self.blink(Colour::Magenta, 100, rest),
            Update::SafeMode => {
                let asks = self.dice.between(5_000, 20_000);
                self.blink(Colour::Magenta, 100, asks);
                self.breathe(Colour::Magenta, rest);
            }
            Update::Bootloader => self.blink(Colour::Yellow, 200, rest),
        }
    }

    fn crash(&mut self) {
        self.log("[app] PANIC: HardFault");
        for _ in 0..2 {
            self.show(Colour::Red, Rhythm::Sos { code: Some(1) }, 5_000);
        }
        self.started = self.now;
        self.now += self.dice.between(200, 900);
    }

    fn attempt(&mut self) -> End {
        let defects = self.defects;
        self.log("[system] INFO: Cloud: connecting");
        if matches!(defects.address, Some(Address::NobodyHasIt)) {
            return self.no_connection(true);
        }
        if matches!(defects.network, Some(Network::NothingGoesOut)) {
            return self.no_connection(false);
        }
        let is_tcp = self.transport == Transport::Tcp;
        // Where packets are dropped, or where nobody listens, TCP has no connection; UDP does not notice.
        let is_dropped = matches!(defects.network, Some(Network::PortDropped));
        if is_tcp && (is_dropped || defects.address.is_some()) {
            let internet = defects.address.is_some() || self.dice.percent(30);
            return self.no_connection(internet);
        }
        if matches!(defects.server, Some(Server::RefusesConnections)) {
            return self.no_connection(true);
        }
        self.log("[system] INFO: Cloud socket connected");
        self.log("[system] INFO: Starting handshake: presense_announce=1");
        if is_tcp { self.rsa() } else { self.dtls() }
    }

    fn no_connection(&mut self, internet: bool) -> End {
        let took = self.dice.between(1_000, 8_000);
        self.blink(Colour::Cyan, 200, took);
        self.log("[system] WARN: Cloud socket connection failed: -1");
        self.log(if internet {
            "[system] ERROR: Internet available, Cloud not reachable!"
        } else {
            "[system] ERROR: Internet Test Failed!"
        });
        self.log(if internet {
            "[system] INFO: Handling cloud error: 3"
        } else {
            "[system] INFO: Handling cloud error: 2"
        });
        self.flashes(Colour::Orange, if internet { 3 } else { 2 });
        End::Failed
    }

    fn dtls(&mut self) -> End {
        let defects = self.defects;
        self.log("[comm.protocol.handshake] INFO: Establish secure connection");
        if matches!(defects.device_key, Some(DeviceKey::Unparseable)) {
            self.log("[comm] ERROR: Error extracting public key");
            return self.handshake_failed(17, 100, Colour::Red);
        }
        if matches!(defects.server_key, Some(ServerKey::Unparseable)) {
            self.log("[comm.dtls] ERROR: setup_contex error 10");
            self.log("[comm] ERROR: error initializing DTLS channel: 16");
            return self.handshake_failed(16, 100, Colour::Red);
        }
        let is_ignored = matches!(defects.server, Some(Server::Ignores));
        if defects.network.is_some() || defects.address.is_some() || is_ignored {
            let took = self.dice.between(45_000, 45_020);
            self.blink(Colour::Cyan, 100, took);
            self.log("[comm.dtls] ERROR: handshake failed -6800");
            return self.handshake_failed(17, 0, Colour::Red);
        }
        let took = self.dice.between(300, 2_500);
        if defects.server_key.is_some() {
            self.blink(Colour::Cyan, 100, took);
            self.log(if took.is_multiple_of(2) {
                "[comm.dtls] ERROR: handshake failed -7b00"
            } else {
                "[comm.dtls] ERROR: handshake failed -4e00"
            });
            return self.handshake_failed(17, 0, Colour::Red);
        }
        if defects.device_key.is_some() || defects.in_product || matches!(defects.server, Some(Server::SendsAlerts)) {
            self.blink(Colour::Cyan, 100, took);
            self.log("[comm.dtls] ERROR: handshake failed -7780");
            return self.handshake_failed(17, 0, Colour::Red);
        }
        self.blink(Colour::Cyan, 100, took);
        End::Connected
    }

    fn rsa(&mut self) -> End {
        let defects = self.defects;
        let took = self.dice.between(300, 2_500);
        match defects.device_key {
            Some(DeviceKey::ExponentOnly) if defects.server_key.is_none() => {
                self.blink(Colour::Cyan, 100, took);
                return self.handshake_failed(6, 0, Colour::Orange);
            }
            _ => {}
        }
        let closes = matches!(defects.server, Some(Server::SendsAlerts)) || defects.in_product;
        if matches!(defects.network, Some(Network::OnceConnected)) {
            let took = self.dice.between(20_000, 20_050);
            self.blink(Colour::Cyan, 100, took);
            self.log("[comm.CoreProtocol.handshake] ERROR: Could not receive nonce: -1");
            return self.handshake_failed(17, 0, Colour::Red);
        }
        if defects.server_key.is_some() || defects.device_key.is_some() || closes {
            // The server closes, or says nothing to what it cannot read.
            if closes || self.dice.percent(65) {
                self.blink(Colour::Cyan, 100, took);
                self.log("[comm.CoreProtocol.handshake] ERROR: Unable to receive key -19");
            } else {
                let took = self.dice.between(20_000, 20_050);
                self.blink(Colour::Cyan, 100, took);
                self.log("[comm.CoreProtocol.handshake] ERROR: Unable to receive key -1");
            }
            return self.handshake_failed(17, 0, Colour::Red);
        }
        self.blink(Colour::Cyan, 100, took);
        End::Connected
    }

    fn handshake_failed(&mut self, code: u32, took: u64, colour: Colour) -> End {
        if took > 0 {
            self.blink(Colour::Cyan, 100, took.max(400));
        }
        self.log(&format!("[system] WARN: Cloud handshake failed, code={code}"));
        self.flashes(colour, 1);
        End::Failed
    }
}
