//! Which law the rail follows now, and how long it will.
//!
//! Boundary: electricity. It reads the state and computes one [`Piece`]; [`super::turn`] changes the state at the piece's end.
//!
//! The circuit: an EMF behind a resistance (the source), a regulator that is a resistor when fully on and a current limit always, the
//! bulk capacitance on the rail, and a load of constant current. The input has no capacitance of its own.

use brickproof_units::{Instant, Span};

use super::cell::{Guard, TRIP_HYSTERESIS};
use super::curve::Curve;
use super::fault::{Fault, Rail};
use super::record::{Disturbance, Phase};
use super::shape::Leg;
use super::source::Source;
use super::supervisor::{ChipPower, PowerFail};
use super::watch::Watch;
use super::{Stage, Supply};

/// A rail this close to its regulated voltage is at it; in volts. Covers how far a rail moves in the nanosecond to which turns are
/// rounded.
const AT_OUTPUT: f64 = 5e-5;
/// Below this the bulk capacitance counts as empty; in volts.
pub(super) const EMPTY: f64 = 1e-3;
/// No resistance and no capacitance is smaller; in ohms and farads. Keeps time constants positive for any profile.
const LEAST_RESISTANCE: f64 = 1e-3;
const LEAST_CAPACITANCE: f64 = 1e-9;
/// A discharge resistor on which the load would drop this many volts adds nothing to the load, and would only cost precision.
const NEGLIGIBLE_DISCHARGE: f64 = 1e6;
/// A piece ends here even if nothing happens; in seconds.
const LONGEST_PIECE: f64 = 3600.0;
/// A worn cell's promise not to sag is renewed at least this often; in seconds.
const LONGEST_TRUST: f64 = 60.0;

/// What the regulator's input is connected to, for the length of one piece.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Feed {
    /// Volts.
    pub(super) emf: f64,
    /// Volts per second.
    pub(super) drift: f64,
    /// Ohms.
    pub(super) resistance: f64,
    /// Amperes.
    limit: f64,
}

impl Feed {
    fn line(&self) -> Curve {
        Curve::line(self.emf, self.drift)
    }
}

/// The law that the rail follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// The regulator holds its output.
    Regulated,
    /// The current limit or the soft start sets the current into the rail.
    Limited,
    /// The regulator is fully on: source and pass transistor are one resistor.
    Following,
    /// The regulator is on, but the rail is above its input or its output: the load drains the capacitors.
    Starved,
    /// The regulator is off: the load and the discharge resistor drain the capacitors.
    Off,
    /// Nothing is left to drain.
    Empty,
    /// A fault dictates the rail.
    Forced,
}

/// What ends a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The rail comes under another law.
    Flow(Flow),
    InputLow,
    InputGood,
    Enabled,
    TerminalLow,
    TerminalGood,
    ProtectionOpens,
    ProtectionCloses,
    BrownOut,
    RailGood,
    PowerOn,
    PowerFail,
    PowerFailCleared,
    /// The rail passes the watched level.
    Watched,
    /// A fault begins, turns or ends.
    Corner,
    /// The promise of the piece ends.
    LookAgain,
}

/// How much a piece can be trusted when the load changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Firmness {
    /// Any load up to the profile's heaviest leaves the rail as it is.
    Firm,
    /// Every change of load is a new piece.
    Yielding,
}

/// One analytic piece of the waveform.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Piece {
    pub(super) start: Instant,
    pub(super) rail: Curve,
    pub(super) flow: Flow,
    pub(super) feed: Option<Feed>,
    pub(super) firmness: Firmness,
    pub(super) end: Option<(Instant, Turn)>,
}

impl Piece {
    pub(super) fn at_rest() -> Self {
        Self {
            start: Instant::START,
            rail: Curve::flat(0.0),
            flow: Flow::Empty,
            feed: None,
            firmness: Firmness::Yielding,
            end: None,
        }
    }

    pub(super) fn seconds_to(&self, at: Instant) -> f64 {
        at.since(self.start).as_nanos() as f64 * 1e-9
    }
}

/// The earliest of the turns that were offered; of two at the same nanosecond, the first offered.
struct Earliest {
    start: Instant,
    best: Option<(Instant, Turn)>,
}

impl Earliest {
    /// Rounded up, so that the crossing lies behind when its turn is taken, and never zero, so that time always moves.
    fn offer(&mut self, seconds: Option<f64>, turn: Turn) {
        if let Some(seconds) = seconds {
            let nanos = libm::ceil(seconds * 1e9) as u64;
            self.offer_at(self.start + Span::nanos(nanos.max(1)), turn);
        }
    }

    fn offer_at(&mut self, at: Instant, turn: Turn) {
        if self.best.is_none_or(|(best, _)| at < best) {
            self.best = Some((at, turn));
        }
    }
}

impl Supply {
    /// Computes the piece that begins now from the state. `flow` is given where the turn that led here knows it.
    pub(super) fn plan(&mut self, flow: Option<Flow>) {
        let feed = self.feed();
        if feed.is_none() {
            self.stage = Stage::Off;
        }
        let flow = flow.unwrap_or_else(|| self.flow(feed.as_ref()));
        self.snap(flow);
        let rail = self.rail_curve(flow, feed.as_ref());
        let mut piece = Piece { start: self.now, rail, flow, feed, firmness: Firmness::Yielding, end: None };
        if let Some(trust) = self.trusted_for(&piece) {
            piece.firmness = Firmness::Firm;
            if trust.is_finite() {
                piece.end = Some((self.now + Span::nanos((trust * 1e9) as u64), Turn::LookAgain));
            }
        } else {
            piece.end = self.first_turn(&piece);
        }
        self.piece = piece;
    }

    /// The input under the present load, over the present piece.
    pub(super) fn input_curve(&self, piece: &Piece) -> Curve {
        let Some(feed) = &piece.feed else {
            return Curve::flat(0.0);
        };
        let dropped = |current: f64| Curve::line(feed.emf - feed.resistance * current, feed.drift);
        match piece.flow {
            Flow::Regulated => dropped(self.burden()),
            // A source in current limit gives up its voltage; a regulator in current limit keeps its input. During a soft start
            // the input capacitor, which has no place in this model, is taken to carry the difference.
            Flow::Limited if self.stage == Stage::Running && self.ceiling(feed) >= feed.limit => {
                piece.rail.raised(feed.limit * self.pass_resistance())
            }
            Flow::Limited => dropped(self.ceiling(feed)),
            // The current is (EMF - rail) / (both resistances), so the input divides that voltage.
            Flow::Following => piece.rail.blend(feed.resistance / self.path_resistance(feed), feed.line()),
            Flow::Starved | Flow::Off | Flow::Empty | Flow::Forced => feed.line(),
        }
    }

    /// Everything that draws from the rail, in amperes.
    pub(super) fn burden(&self) -> f64 {
        self.load + self.extra_load
    }

    pub(super) fn bulk(&self) -> f64 {
        (self.profile.bulk.get() as f64 * 1e-12).max(LEAST_CAPACITANCE)
    }

    pub(super) fn output(&self) -> f64 {
        self.profile.regulator.output.get() as f64 * 1e-6
    }

    /// Whether the current into the rail comes out of the cell.
    pub(super) fn cell_is_drained(&self) -> bool {
        matches!(self.source, Source::Battery(_)) && self.forced(Rail::Input).is_none()
    }

    fn feed(&self) -> Option<Feed> {
        if let Some(leg) = self.forced(Rail::Input) {
            return Some(Feed { emf: leg.from, drift: leg.slope, resistance: 0.0, limit: f64::INFINITY });
        }
        let interrupted =
            |fault: &Disturbance| matches!((fault.fault, fault.phase), (Fault::Interrupt(_), Phase::Lasting { .. }));
        if self.faults.iter().any(interrupted) {
            return None;
        }
        match self.source {
            Source::None => None,
            // A source the wrong way round gives nothing: boards have a diode there.
            Source::Usb { voltage, cable } => Some(Feed {
                emf: voltage.get().max(0) as f64 * 1e-6,
                drift: 0.0,
                resistance: cable.get() as f64 * 1e-6,
                limit: f64::INFINITY,
            }),
            Source::Bench { voltage, current_limit } => Some(Feed {
                emf: voltage.get().max(0) as f64 * 1e-6,
                drift: 0.0,
                resistance: 0.0,
                limit: current_limit.get().max(0) as f64 * 1e-6,
            }),
            Source::Battery(_) => {
                let cell = self.cell.as_ref().filter(|cell| cell.guard != Guard::Open && !cell.is_exhausted())?;
                Some(Feed {
                    emf: cell.emf(),
                    drift: cell.drift(self.expected_draw()),
                    resistance: cell.resistance,
                    limit: f64::INFINITY,
                })
            }
        }
    }

    /// What the cell will deliver, apart from the short transients of the bulk capacitance; in amperes.
    fn expected_draw(&self) -> f64 {
        let on = matches!(self.stage, Stage::Starting | Stage::Running);
        if on && self.forced(Rail::Logic).is_none() && self.cell_is_drained() { self.burden() } else { 0.0 }
    }

    /// The leg of the youngest shape that forces `rail` now.
    pub(super) fn forced(&self, rail: Rail) -> Option<Leg> {
        if self.faults.is_empty() {
            return None;
        }
        let leg = |fault: &Disturbance| match (fault.fault, fault.phase) {
            (Fault::BrownOut(asked), Phase::Forcing(shape)) if asked.rail == rail => shape.leg(self.now),
            _ => None,
        };
        self.faults.iter().rev().find_map(leg)
    }

    fn path_resistance(&self, feed: &Feed) -> f64 {
        (feed.resistance + self.pass_resistance()).max(LEAST_RESISTANCE)
    }

    fn pass_resistance(&self) -> f64 {
        self.profile.regulator.pass_resistance.get() as f64 * 1e-6
    }

    /// The most that the regulator passes now, in amperes.
    fn ceiling(&self, feed: &Feed) -> f64 {
        let limit = feed.limit.min(self.profile.regulator.current_limit.get() as f64 * 1e-6);
        match self.stage {
            Stage::Starting => {
                let volts_per_second = 1e9 / self.profile.regulator.soft_start.get().max(1) as f64;
                limit.min(self.burden() + self.bulk() * volts_per_second)
            }
            Stage::Off | Stage::Enabling { .. } | Stage::Running => limit,
        }
    }

    fn flow(&self, feed: Option<&Feed>) -> Flow {
        if self.forced(Rail::Logic).is_some() {
            return Flow::Forced;
        }
        let on = matches!(self.stage, Stage::Starting | Stage::Running);
        let Some(feed) = feed.filter(|_| on) else {
            return if self.volts <= EMPTY { Flow::Empty } else { Flow::Off };
        };
        let room = feed.emf - self.volts;
        let (ceiling, resistance) = (self.ceiling(feed), self.path_resistance(feed));
        if self.volts > self.output() + AT_OUTPUT || room < 0.0 {
            Flow::Starved
        } else if self.volts >= self.output() - AT_OUTPUT && ceiling.min(room / resistance) >= self.burden() {
            Flow::Regulated
        } else if room > ceiling * resistance {
            Flow::Limited
        } else {
            Flow::Following
        }
    }

    /// Puts the rail where its law says it is, to remove the rounding of the turn that led here.
    fn snap(&mut self, flow: Flow) {
        match flow {
            Flow::Regulated => {
                self.volts = self.output();
                if self.stage == Stage::Starting {
                    self.stage = Stage::Running;
                }
            }
            Flow::Empty => self.volts = 0.0,
            Flow::Forced => {
                if let Some(leg) = self.forced(Rail::Logic) {
                    self.volts = leg.from;
                }
            }
            Flow::Limited | Flow::Following | Flow::Starved | Flow::Off => {}
        }
    }

    fn rail_curve(&self, flow: Flow, feed: Option<&Feed>) -> Curve {
        let (volts, load, bulk) = (self.volts, self.burden(), self.bulk());
        match (flow, feed) {
            (Flow::Regulated, _) => Curve::flat(volts),
            (Flow::Limited, Some(feed)) => Curve::line(volts, (self.ceiling(feed) - load) / bulk),
            (Flow::Following, Some(feed)) => {
                let resistance = self.path_resistance(feed);
                Curve::relaxing(volts, feed.emf - load * resistance, feed.drift, resistance * bulk)
            }
            (Flow::Forced, _) => {
                self.forced(Rail::Logic).map_or(Curve::flat(volts), |leg| Curve::line(leg.from, leg.slope))
            }
            (Flow::Empty, _) => Curve::flat(0.0),
            (Flow::Off, _) => {
                let discharge = (self.profile.regulator.discharge.get() as f64 * 1e-6).max(LEAST_RESISTANCE);
                if load * discharge > NEGLIGIBLE_DISCHARGE {
                    Curve::line(volts, -load / bulk)
                } else {
                    Curve::relaxing(volts, -load * discharge, 0.0, discharge * bulk)
                }
            }
            (Flow::Starved | Flow::Limited | Flow::Following, _) => Curve::line(volts, -load / bulk),
        }
    }

    /// For how many seconds no load up to the heaviest can move the rail; `None` if one can at once.
    fn trusted_for(&self, piece: &Piece) -> Option<f64> {
        let settled = piece.flow == Flow::Regulated
            && self.faults.is_empty()
            && self.chip == ChipPower::Good
            && !matches!(self.power_fail, PowerFail::Warned { .. })
            && self.power_fail_threshold().is_none_or(|threshold| threshold < self.output())
            && self.watch_rests_at(self.output());
        let feed = piece.feed.as_ref().filter(|_| settled)?;
        let heaviest = self.heaviest_load;
        if self.burden() > heaviest || self.ceiling(feed) < heaviest {
            return None;
        }
        let regulating = feed.emf - self.path_resistance(feed) * heaviest - self.output();
        let awake = feed.emf - feed.resistance * heaviest - self.lockout_falling();
        let headroom = regulating.min(awake);
        if headroom <= 0.0 {
            return None;
        }
        let Some(cell) = self.cell.as_ref().filter(|_| self.cell_is_drained()) else {
            return Some(f64::INFINITY);
        };
        let guarded = feed.emf - feed.resistance * heaviest - cell.cut_off;
        if guarded <= 0.0 || cell.guard != Guard::Closed {
            return None;
        }
        let seconds = headroom.min(guarded) / cell.fastest_fall(heaviest).max(1e-12);
        // A promise of a few milliseconds costs more than it saves.
        (seconds > 0.01).then_some(seconds.min(LONGEST_TRUST))
    }

    /// Whether a rail that stays at `volts` passes no watched level.
    fn watch_rests_at(&self, volts: f64) -> bool {
        match self.watch {
            Watch::Off => true,
            Watch::Above { level } => Watch::threshold(level) < volts,
            Watch::Below { level } => Watch::threshold(level) > volts,
        }
    }

    pub(super) fn lockout_falling(&self) -> f64 {
        self.profile.regulator.lockout.falling.get() as f64 * 1e-6
    }

    fn first_turn(&self, piece: &Piece) -> Option<(Instant, Turn)> {
        let horizon = self.horizon(piece);
        let mut earliest = Earliest { start: self.now, best: None };
        self.offer_chip_turns(piece, horizon, &mut earliest);
        self.offer_watch_turns(piece, horizon, &mut earliest);
        self.offer_flow_turns(piece, horizon, &mut earliest);
        self.offer_regulator_turns(piece, horizon, &mut earliest);
        self.offer_protection_turns(piece, horizon, &mut earliest);
        for fault in &self.faults {
            if let Some(corner) = fault.next_corner(self.now) {
                earliest.offer_at(corner, Turn::Corner);
            }
        }
        let at_rest = piece.rail.is_flat() && piece.feed.is_none_or(|feed| feed.drift == 0.0) && !self.cell_moves();
        if !at_rest {
            earliest.offer(Some(horizon), Turn::LookAgain);
        }
        earliest.best
    }

    fn horizon(&self, piece: &Piece) -> f64 {
        let linear = match &self.cell {
            Some(cell) => {
                let current = if piece.feed.is_some() { self.expected_draw() } else { 0.0 };
                cell.steady_for(current)
            }
            None => LONGEST_PIECE,
        };
        linear.min(LONGEST_PIECE)
    }

    fn cell_moves(&self) -> bool {
        self.cell.as_ref().is_some_and(|cell| cell.drift(self.expected_draw()).abs() > 1e-12)
    }

    fn offer_chip_turns(&self, piece: &Piece, horizon: f64, earliest: &mut Earliest) {
        let brown_out = self.profile.brown_out;
        let (falling, rising) = (brown_out.falling.get() as f64 * 1e-6, brown_out.rising.get() as f64 * 1e-6);
        match self.chip {
            ChipPower::Held => earliest.offer(piece.rail.first_above(rising, horizon), Turn::RailGood),
            ChipPower::Waiting { due } => {
                earliest.offer(piece.rail.first_below(falling, horizon), Turn::BrownOut);
                earliest.offer_at(due, Turn::PowerOn);
            }
            ChipPower::Good => earliest.offer(piece.rail.first_below(falling, horizon), Turn::BrownOut),
        }
        match self.power_fail {
            PowerFail::Disabled => {}
            PowerFail::Clear { threshold } => {
                earliest.offer(piece.rail.first_below(threshold, horizon), Turn::PowerFail);
            }
            PowerFail::Warned { threshold } => {
                let clears = threshold + self.profile.power_fail_hysteresis.get() as f64 * 1e-6;
                earliest.offer(piece.rail.first_above(clears, horizon), Turn::PowerFailCleared);
            }
        }
    }

    fn offer_watch_turns(&self, piece: &Piece, horizon: f64, earliest: &mut Earliest) {
        let passage = match self.watch {
            Watch::Off => None,
            Watch::Above { level } => piece.rail.first_below(Watch::threshold(level), horizon),
            Watch::Below { level } => piece.rail.first_above(Watch::threshold(level), horizon),
        };
        earliest.offer(passage, Turn::Watched);
    }

    fn offer_flow_turns(&self, piece: &Piece, horizon: f64, earliest: &mut Earliest) {
        let rail = &piece.rail;
        let drains = !matches!(piece.flow, Flow::Forced | Flow::Empty) && rail.slope_at(0.0) < 0.0;
        if drains {
            earliest.offer(rail.first_below(EMPTY, horizon), Turn::Flow(Flow::Empty));
        }
        let Some(feed) = &piece.feed else { return };
        let (output, line) = (self.output(), feed.line());
        let (resistance, ceiling) = (self.path_resistance(feed), self.ceiling(feed));
        // What the source and the pass transistor share; divided by their resistance, the current they would pass.
        let room = rail.below(line);
        match piece.flow {
            Flow::Regulated => {
                let least = output + resistance * self.burden();
                earliest.offer(line.first_below(least, horizon), Turn::Flow(Flow::Following));
            }
            Flow::Limited => {
                earliest.offer(rail.first_above(output, horizon), Turn::Flow(Flow::Regulated));
                earliest.offer(room.first_below(ceiling * resistance, horizon), Turn::Flow(Flow::Following));
            }
            Flow::Following => {
                earliest.offer(rail.first_above(output, horizon), Turn::Flow(Flow::Regulated));
                earliest.offer(room.first_above(ceiling * resistance, horizon), Turn::Flow(Flow::Limited));
                earliest.offer(room.first_below(0.0, horizon), Turn::Flow(Flow::Starved));
            }
            Flow::Starved if self.volts > output + AT_OUTPUT => {
                earliest.offer(rail.first_below(output, horizon), Turn::LookAgain);
            }
            Flow::Starved => earliest.offer(room.first_above(0.0, horizon), Turn::Flow(Flow::Following)),
            Flow::Off | Flow::Empty | Flow::Forced => {}
        }
    }

    fn offer_regulator_turns(&self, piece: &Piece, horizon: f64, earliest: &mut Earliest) {
        if piece.feed.is_none() {
            return;
        }
        let input = self.input_curve(piece);
        let rising = self.profile.regulator.lockout.rising.get() as f64 * 1e-6;
        match self.stage {
            Stage::Off => earliest.offer(input.first_above(rising, horizon), Turn::InputGood),
            Stage::Enabling { due } => {
                earliest.offer(input.first_below(self.lockout_falling(), horizon), Turn::InputLow);
                earliest.offer_at(due, Turn::Enabled);
            }
            Stage::Starting | Stage::Running => {
                earliest.offer(input.first_below(self.lockout_falling(), horizon), Turn::InputLow);
            }
        }
    }

    fn offer_protection_turns(&self, piece: &Piece, horizon: f64, earliest: &mut Earliest) {
        let Some(cell) = &self.cell else { return };
        let resting = Curve::line(cell.emf(), cell.drift(0.0));
        let terminal = if self.cell_is_drained() && piece.feed.is_some() { self.input_curve(piece) } else { resting };
        match cell.guard {
            Guard::Closed => earliest.offer(terminal.first_below(cell.cut_off, horizon), Turn::TerminalLow),
            Guard::Tripping { due } => {
                let clears = cell.cut_off + TRIP_HYSTERESIS;
                earliest.offer(terminal.first_above(clears, horizon), Turn::TerminalGood);
                earliest.offer_at(due, Turn::ProtectionOpens);
            }
            Guard::Open => {
                let recovered = cell.recovers_above().and_then(|volts| resting.first_above(volts, horizon));
                earliest.offer(recovered, Turn::ProtectionCloses);
            }
        }
    }
}
