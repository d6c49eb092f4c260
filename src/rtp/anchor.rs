//! The anchor of a stream that we send: where it began, from which every packet follows.
//!
//! ```text
//! t0 ──20 ms──┬──20 ms──┬──20 ms──┬─►  time
//! tick 0      1         2         3
//! seq0        +1        +2        +3   sequence number
//! ts0         +160      +320      +480 timestamp (8000 Hz)
//! ```
//! The stream is continuous (RFC 3550 §5.1: the timestamp also advances in silence). The anchor is part of
//! a call's record and is saved whenever sending starts or stops; packets never touch the record. So a
//! process that reads the record knows, from its clock alone, numbers that were not sent yet.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Ssrc;
use crate::id::Mint;
use crate::time::Timestamp;

/// The time between two packets.
pub const TICK: Duration = Duration::from_millis(20);
/// Samples in a packet: 20 ms at 8000 Hz. G.711: as many bytes.
pub const SAMPLES_PER_TICK: u32 = 160;
const TICK_MICROS: u64 = 20_000;
/// Sequence numbers left out where sending stops and where it begins again, above all that was sent: a media thread may run a few ticks after the stop that
/// the record knows of.
const RESUME_MARGIN: u16 = 5;
/// The same where a process died: two clocks of one host may differ, and for so many ticks, a second, a stream may have
/// gone on while a hold was being saved ([`Numbers`](super::Numbers)).
const RESTART_MARGIN: u16 = 50;

/// Where a stream of ours began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// The stream.
    pub ssrc: Ssrc,
    /// Sequence number of tick 0.
    pub seq0: u16,
    /// Timestamp of tick 0.
    pub ts0: u32,
    /// When tick 0 is due.
    pub t0: Timestamp,
}

impl Anchor {
    /// A new stream that begins now, at random numbers (RFC 3550 §5.1).
    #[must_use]
    pub fn start(now: Timestamp, mint: &mut Mint) -> Self {
        Self {
            ssrc: Ssrc(mint.number32()),
            seq0: mint.number16() >> 1, // below 2^15: no wrap in the first ten minutes, where old peers trip
            ts0: mint.number32(),
            t0: now,
        }
    }

    /// When tick `k` is due.
    #[must_use]
    pub fn due(&self, k: u64) -> Timestamp {
        Timestamp::from_micros(self.t0.as_micros().saturating_add(k.saturating_mul(TICK_MICROS)))
    }

    /// The last tick that is due at `now`; 0 before the first.
    #[must_use]
    pub const fn tick_at(&self, now: Timestamp) -> u64 {
        now.as_micros().saturating_sub(self.t0.as_micros()) / TICK_MICROS
    }

    /// Sequence number of tick `k`.
    #[must_use]
    pub fn sequence(&self, k: u64) -> u16 {
        let [.., high, low] = k.to_be_bytes();
        self.seq0.wrapping_add(u16::from_be_bytes([high, low]))
    }

    /// Timestamp of tick `k`.
    #[must_use]
    pub fn timestamp(&self, k: u64) -> u32 {
        let [.., a, b, c, d] = k.to_be_bytes();
        self.ts0.wrapping_add(u32::from_be_bytes([a, b, c, d]).wrapping_mul(SAMPLES_PER_TICK))
    }

    /// The same stream goes on at `now`, after sending stopped at `stopped` (`None`: unknown, the process
    /// died). Tick 0 of the result is the next whole tick; its first packet carries the marker.
    ///
    /// The timestamp has gone on with the clock; the sequence number is a few above what could have been
    /// sent. Neither goes back.
    #[must_use]
    pub fn resume(&self, stopped: Option<Timestamp>, now: Timestamp) -> Self {
        let next = if now <= self.t0 { 0 } else { self.tick_at(now) + 1 };
        let sent = self.tick_at(stopped.map_or(now, |stopped| stopped.min(now)));
        let margin = if stopped.is_some() { RESUME_MARGIN } else { RESTART_MARGIN };
        Self {
            ssrc: self.ssrc,
            seq0: self.sequence(sent).wrapping_add(margin),
            ts0: self.timestamp(next),
            t0: self.due(next),
        }
    }

    /// The same where a process died under a hold. Nothing is sent meanwhile; but what it had let out while the hold was
    /// being saved is known to nobody.
    #[must_use]
    pub const fn restart_under_hold(&self) -> Self {
        Self { seq0: self.seq0.wrapping_add(RESTART_MARGIN), ..*self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anchor() -> Anchor {
        Anchor { ssrc: Ssrc(1), seq0: 65_530, ts0: u32::MAX - 200, t0: Timestamp::from_millis(10_000) }
    }

    #[test]
    fn every_packet_follows_from_the_anchor() {
        let anchor = anchor();
        let packets = (0..4).map(|k| (anchor.due(k).as_millis(), anchor.sequence(k), anchor.timestamp(k)));
        assert_eq!(
            packets.collect::<Vec<_>>(),
            [
                (10_000, 65_530, u32::MAX - 200),
                (10_020, 65_531, u32::MAX - 40),
                (10_040, 65_532, 119),
                (10_060, 65_533, 279),
            ]
        );
        assert_eq!((anchor.sequence(6), anchor.sequence(65_536)), (0, 65_530), "wraps");
        // A day of packets later still exact.
        let k = 50 * 86_400;
        assert_eq!(anchor.due(k).as_millis(), 10_000 + 86_400_000);
        assert_eq!(u64::from(anchor.timestamp(k).wrapping_sub(anchor.ts0)), k * 160 % (1 << 32));
    }

    #[test]
    fn ticks_are_due_from_their_instant_on() {
        let anchor = anchor();
        assert_eq!(anchor.tick_at(Timestamp::EPOCH), 0);
        for k in [0, 1, 49, 1_000_000] {
            assert_eq!(anchor.tick_at(anchor.due(k)), k);
            assert_eq!(anchor.tick_at(anchor.due(k + 1) - Duration::from_micros(1)), k);
        }
    }

    #[test]
    fn a_resume_never_goes_back() {
        let anchor = anchor();
        for (stopped, resumed) in [(0, 0), (5, 5), (1_000, 1_001), (1_000, 61_000), (7, 600_000)] {
            for stop_is_known in [true, false] {
                let now = anchor.t0 + Duration::from_millis(resumed);
                let stopped = anchor.t0 + Duration::from_millis(stopped);
                let resumed = anchor.resume(stop_is_known.then_some(stopped), now);
                let last = anchor.tick_at(stopped);
                assert_eq!(resumed.ssrc, anchor.ssrc);
                assert!(resumed.due(0) >= now && resumed.due(0).since(now) <= TICK);
                let step = resumed.timestamp(0).wrapping_sub(anchor.timestamp(last));
                assert_eq!(u128::from(step) * 125, resumed.due(0).since(anchor.due(last)).as_micros());
                let gap = resumed.sequence(0).wrapping_sub(anchor.sequence(last));
                if stop_is_known {
                    assert_eq!(gap, RESUME_MARGIN, "a hold is no loss, however long it was");
                } else {
                    assert!(gap >= RESTART_MARGIN, "{gap}");
                }
            }
        }
    }

    #[test]
    fn an_anchor_is_small_in_the_record() {
        assert!(postcard::to_stdvec(&anchor()).unwrap().len() <= 18);
    }
}
