//! The console's line as it is outside the chip: bytes on their way in, and bytes that were sent.
//!
//! Boundary: time on the wire. Registers and interrupts are each family's UART.

use std::collections::VecDeque;

use brickproof_units::{Baud, Instant};

use crate::chip::CoreRate;

/// Whether bytes take time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum UartTiming {
    /// Each byte takes its ten bits at the baud rate that firmware set.
    #[default]
    Timed,
    /// Bytes are sent and received in no time: for sweeps in which the console is only a witness.
    Instant,
}

/// A byte that the chip sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsoleByte {
    /// The end of its stop bit.
    pub at: Instant,
    /// The byte.
    pub value: u8,
}

/// A byte on its way in, and the rate it is sent at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) value: u8,
    pub(crate) rate: Baud,
}

/// The line. A reset of the chip does nothing to it.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    rate: CoreRate,
    timing: UartTiming,
    /// Frames on their way in, with the cycle at which each ends.
    incoming: VecDeque<(u64, Frame)>,
    sent: VecDeque<ConsoleByte>,
    /// A line feed was sent and nobody has been told.
    line_ended: bool,
    lost: u64,
}

impl Wire {
    /// Start bit, eight data bits, stop bit.
    pub(crate) const FRAME_BITS: u64 = 10;

    pub(crate) fn new(rate: CoreRate, timing: UartTiming) -> Self {
        let (incoming, sent) = (VecDeque::new(), VecDeque::new());
        Self { rate, timing, incoming, sent, line_ended: false, lost: 0 }
    }

    pub(crate) fn timing(&self) -> UartTiming {
        self.timing
    }

    /// The cycles of a frame that the chip sends, which takes so many if bytes take time.
    #[inline]
    pub(crate) fn frame(&self, cycles: u64) -> u64 {
        match self.timing {
            UartTiming::Timed => cycles,
            UartTiming::Instant => 0,
        }
    }

    /// A byte starts to arrive at `start`, or when the one before it has ended. Answers when it will have arrived.
    pub(crate) fn feed(&mut self, start: u64, value: u8, rate: Baud) -> u64 {
        let line_free = self.incoming.back().map_or(0, |(end, _)| *end);
        let second = 16_000_000 << self.rate.tick_shift();
        let frame = self.frame((Self::FRAME_BITS * second).div_ceil(u64::from(rate.get().max(1))));
        let end = start.max(line_free) + frame;
        self.incoming.push_back((end, Frame { value, rate }));
        end
    }

    /// The cycle at which the next frame ends.
    #[inline]
    pub(crate) fn due(&self) -> u64 {
        self.incoming.front().map_or(u64::MAX, |(end, _)| *end)
    }

    /// Takes the frame that has ended by `at`.
    #[inline]
    pub(crate) fn arrived(&mut self, at: u64) -> Option<Frame> {
        if self.due() > at {
            return None;
        }
        self.incoming.pop_front().map(|(_, frame)| frame)
    }

    /// The chip's stop bit ended at the cycle `end`.
    #[inline]
    pub(crate) fn send(&mut self, end: u64, value: u8) {
        self.sent.push_back(ConsoleByte { at: self.rate.instant(end), value });
        self.line_ended |= value == b'\n';
    }

    /// A byte reached the pins while the receiver was off or full, or was written while another was being sent.
    pub(crate) fn lose(&mut self) {
        self.lost += 1;
    }

    /// How many were lost.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    /// The last bit of a frame is sampled in its middle: the rates may differ by half a bit in nine and a half.
    pub(crate) fn understands(&self, own: u64, rate: Baud) -> bool {
        self.timing == UartTiming::Instant || own.abs_diff(u64::from(rate.get())) * 20 <= own
    }

    /// Takes what was sent since the last call.
    pub(crate) fn take_sent(&mut self) -> Vec<ConsoleByte> {
        std::mem::take(&mut self.sent).into()
    }

    /// Takes the oldest byte that was sent.
    pub(crate) fn take_first_sent(&mut self) -> Option<ConsoleByte> {
        self.sent.pop_front()
    }

    /// Takes the news that a line feed was sent, if it was.
    pub(crate) fn take_line_end(&mut self) -> bool {
        std::mem::take(&mut self.line_ended)
    }

    /// Whether the board asked to be told of what has been sent.
    #[inline]
    pub(crate) fn wants_attention(&self, watch: ConsoleWatch) -> bool {
        match watch {
            ConsoleWatch::Nothing => false,
            ConsoleWatch::Byte => !self.sent.is_empty(),
            ConsoleWatch::LineEnd => self.line_ended,
        }
    }

    #[cfg(test)]
    pub(crate) fn has_sent(&self) -> bool {
        !self.sent.is_empty()
    }
}

/// At what of the console's output the core is to pause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ConsoleWatch {
    #[default]
    Nothing,
    Byte,
    LineEnd,
}
