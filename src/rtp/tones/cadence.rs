//! A low tone that goes on and off: busy, and reorder or congestion (ITU-T E.180).
//!
//! ```text
//! ▓▓▓▓▓     ▓▓▓▓▓     ▓▓▓▓▓     ▓        three times the same on and the same off, then on again
//! └ on ┘└off┘                            on + off: about a second is busy, half of it reorder
//! ```
//! The frequency says nothing: 425 Hz in most countries, 400 or 450 in some, 480 with 620 in North America. The
//! pace is told apart as most countries have it; a few have a busy as fast as others' congestion.

use super::signals::Signal;

/// What a block of 20 ms is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sound {
    Silence,
    /// Around 400 to 480 Hz, or 480 with 620.
    Low,
    /// The three segments of special information.
    First,
    Second,
    Third,
    /// 1100 Hz.
    Calling,
    /// 2100 Hz.
    Answering,
    /// 2225 Hz.
    Bell,
    /// The upper channel of V.21.
    V21,
    Other,
}

impl Sound {
    pub(super) const fn is_tone(self) -> bool {
        !matches!(self, Self::Silence | Self::Other)
    }
}

/// Blocks that an on or an off may last: 140 to 760 ms (E.180 supplement 2: 0.16 to 0.75 s).
const PART: std::ops::RangeInclusive<u32> = 7..=38;
/// Blocks by which two ons, or two offs, may differ.
const SAME: u32 = 2;
/// Times on and off before it is believed.
const CYCLES: u32 = 3;
/// Blocks of on and off together from which it is busy: 600 ms.
const BUSY: u32 = 30;

/// See the file's head.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cadence {
    is_on: bool,
    /// Blocks of the present part.
    blocks: u32,
    /// A block that was neither on nor off: the edge between two parts falls into it.
    edge: bool,
    /// The part before the present one.
    before: u32,
    /// The last on and off that belonged together.
    cycle: Option<(u32, u32)>,
    cycles: u32,
}

impl Cadence {
    /// The next block; a signal when the pattern is believed, once for each time that it begins.
    pub(super) fn next(&mut self, sound: Sound) -> Option<Signal> {
        if sound != Sound::Low && sound != Sound::Silence {
            if self.edge || self.blocks == 0 {
                *self = Self::default();
            } else {
                self.edge = true;
            }
            return None;
        }
        let is_on = sound == Sound::Low;
        let edge = std::mem::take(&mut self.edge);
        if is_on == self.is_on {
            self.blocks = self.blocks.saturating_add(1 + u32::from(edge));
            return None;
        }
        let ended = std::mem::replace(&mut self.blocks, 1);
        self.is_on = is_on;
        if !PART.contains(&ended) {
            (self.before, self.cycle, self.cycles) = (0, None, 0);
            return None;
        }
        if !is_on {
            self.before = ended;
            return None;
        }
        self.cycle_ended(ended)
    }

    /// An off has ended, and an on begins.
    fn cycle_ended(&mut self, off: u32) -> Option<Signal> {
        let on = std::mem::take(&mut self.before);
        if on == 0 {
            return None;
        }
        let same = |(before_on, before_off): (u32, u32)| {
            on.abs_diff(before_on) <= SAME && off.abs_diff(before_off) <= SAME
        };
        self.cycles = if self.cycle.is_some_and(same) { self.cycles + 1 } else { 1 };
        self.cycle = Some((on, off));
        let alike = on.abs_diff(off) <= on.max(off) / 2;
        let signal = if on + off >= BUSY { Signal::Busy } else { Signal::Reorder };
        (self.cycles == CYCLES && alike).then_some(signal)
    }
}
