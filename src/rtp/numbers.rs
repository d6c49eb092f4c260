//! The numbers of the packets that we send: as the anchor gives them, and never one twice.
//!
//! ```text
//! anchor A   100 101 102 103 104 105            sent while the hold was being saved
//! hold           └ as of here: 101
//! anchor B                    111 = 101 + 2 · 5  resumed: above 105, but not above all that a slow disk may let out
//! ```
//! A hold counts from the moment at which a call learns of it; until that is durable the stream goes on. A disk that
//! takes its time would make the anchor of the resume begin at numbers that have left already: those are passed over.

use super::Anchor;
use crate::time::Timestamp;

/// The numbers of a stream as it is sent. Soft: what a process passed over is forgotten with it, and
/// [`Anchor::resume`] leaves room for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    anchor: Anchor,
    /// How many numbers are passed over.
    over: u16,
    /// The last that left.
    last: Option<u16>,
}

impl Numbers {
    /// Those of a stream of which nothing was sent by this process.
    #[must_use]
    pub const fn new(anchor: Anchor) -> Self {
        Self { anchor, over: 0, last: None }
    }

    /// The stream goes on by this anchor; says whether that is another.
    pub fn retune(&mut self, anchor: Anchor) -> bool {
        let is_other = anchor != self.anchor;
        if is_other {
            self.anchor = anchor;
            let next = self.last.map_or(anchor.seq0, |last| last.wrapping_add(1));
            // Serial arithmetic (RFC 1982): what is less than half of all numbers ahead is ahead.
            let behind = next.wrapping_sub(anchor.seq0);
            self.over = if behind < 1 << 15 { behind } else { 0 };
        }
        is_other
    }

    /// When the stream begins.
    #[must_use]
    pub const fn begins(&self) -> Timestamp {
        self.anchor.t0
    }

    /// By what they are given.
    #[must_use]
    pub const fn anchor(&self) -> &Anchor {
        &self.anchor
    }

    /// The sequence number of a tick's packet, which is sent now.
    pub fn send(&mut self, tick: u64) -> u16 {
        let sequence = self.sequence(tick);
        self.last = Some(sequence);
        sequence
    }

    /// The sequence number that the packet of a tick has.
    #[must_use]
    pub fn sequence(&self, tick: u64) -> u16 {
        self.anchor.sequence(tick).wrapping_add(self.over)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Ssrc;
    use super::*;

    #[test]
    fn what_left_while_a_hold_was_being_saved_does_not_leave_again() {
        let t0 = Timestamp::from_millis(10_000);
        for (seq0, saved_after) in [(100, 1_u64), (100, 200), (65_400, 200), (65_535, 3)] {
            let anchor = Anchor { ssrc: Ssrc(1), seq0, ts0: 0, t0 };
            let mut numbers = Numbers::new(anchor);
            let holds = t0 + Duration::from_millis(1_000);
            let last = (0..=50 + saved_after).map(|tick| numbers.send(tick)).last().unwrap();
            let held = anchor.resume(Some(holds), holds);
            assert!(numbers.retune(held) && !numbers.retune(held));
            // A process that died under the hold knows nothing of it (seed 99284 of the simulation).
            let again = held.restart_under_hold().resume(Some(held.t0), holds + Duration::from_secs(60));
            let ahead = again.sequence(0).wrapping_sub(last);
            assert!(saved_after > 50 || (1..100).contains(&ahead), "{seq0}, {saved_after}: {ahead}");
            let back = held.resume(Some(held.t0), holds + Duration::from_secs(60));
            numbers.retune(back);
            let ahead = numbers.send(0).wrapping_sub(last);
            assert!((1..=10).contains(&ahead), "{seq0}, {saved_after}: {ahead}");
            // And a process that knows nothing of it goes on above them, if a save takes less than a second.
            let now = back.t0 + Duration::from_secs(1);
            let next = back.resume(None, now);
            let ahead = next.sequence(0).wrapping_sub(numbers.sequence(back.tick_at(now)));
            assert!(saved_after > 50 || (1..100).contains(&ahead), "{ahead}");
        }
    }
}
