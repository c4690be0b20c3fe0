//! The shapes a scenario forces on the supply, and the record of what became of them.
//!
//! Boundary: requests and records. [`super`] carries the shapes out.

use brickproof_units::{Current, Instant, Slew, Span, Voltage};

/// The node that a brown-out forces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Rail {
    /// What the chip runs on, behind the regulator. The source is switched away while the shape lasts.
    #[default]
    Logic,
    /// The regulator's input; the rail behind it does what regulator, bulk capacitance and load make of it.
    Input,
}

/// A node is forced down, held and let up again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrownOut {
    /// Which node.
    pub rail: Rail,
    /// The lowest voltage.
    pub floor: Voltage,
    /// How it falls.
    pub fall: Slew,
    /// How long it stays at the floor.
    pub hold: Span,
    /// How it returns to the voltage it came from.
    pub rise: Slew,
    /// A way down that is not monotonic.
    pub bump: Option<Bump>,
}

/// On the way down the node turns at `trough`, climbs to `peak` with the rise slew, and falls on: a threshold is crossed again.
///
/// Seen in the field as a regulator's bump near 1.5 V on power-down (adafruit/uf2-samdx1 #95).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bump {
    /// Where it turns; between the floor and the voltage it comes from, or the bump is left out.
    pub trough: Voltage,
    /// How far it climbs; not above the voltage it comes from.
    pub peak: Voltage,
}

/// Names one fault of one supply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FaultId(pub(super) u32);

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A forced shape.
    BrownOut(BrownOut),
    /// The source is disconnected for a while; the rail decays by itself.
    Interrupt(Span),
    /// Something else on the rail draws current for a while, as a modem does.
    ExtraLoad(Current, Span),
}

/// What a fault did to the rail, measured on the rail from the fault's start to its end.
///
/// An interruption and a load end when the regulator has the rail again or nothing is left to fall, which may be later than asked: one
/// that has locked out lets the rail fall on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Achieved {
    /// Which fault.
    pub id: FaultId,
    /// When it began.
    pub start: Instant,
    /// When it ended; the rail may still be recovering.
    pub end: Instant,
    /// The lowest voltage of the rail.
    pub floor: Voltage,
    /// From the start to the first moment at the lowest voltage.
    pub fall: Span,
    /// The time the rail spent below the chip's falling brown-out threshold.
    pub below_brown_out: Span,
    /// The time the rail spent below the least voltage at which flash works at full strength.
    pub below_flash_minimum: Span,
    /// The steepest movement of the rail; [`Slew`] counts time per volt, so this is the smallest. A rail that did not move has
    /// `Slew::new(u64::MAX)`.
    pub steepest: Slew,
    /// Whether the part's limits of slew were kept.
    pub specification: Specification,
}

/// Whether a waveform is one that the part is specified for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Specification {
    /// The part must survive it.
    Within,
    /// Faster than the part's data sheet allows: what the part does proves nothing about it.
    TooFast,
    /// A rise slower than the part's data sheet allows.
    TooSlow,
}
