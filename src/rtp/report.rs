//! What passed over a stream, as it stands in every result, and how it would have sounded.
//!
//! The quality is that of ITU-T G.107 (the E-model) with all its defaults but loss and delay:
//!
//! ```text
//! R   = 93.2 - Id - Ie,eff
//! Id  = 0.024 d + 0.11 (d - 177.3)  [the second term only where d > 177.3]     d: one way, ms
//! Ie,eff = Ie + (95 - Ie) · Ppl / (Ppl/BurstR + Bpl)      G.711 with concealment (G.113 App. I): Ie 0, Bpl 25.1
//! MOS = 1 + 0.035 R + R (R - 60) (100 - R) · 7·10⁻⁶       (1 below R 0, 4.5 above R 100)
//! ```
//! `d` is half the round trip that RTCP tells (nothing, where it tells none), a packet of 20 ms, and twice the jitter
//! for the buffer that would even it out. Losses are taken as random (BurstR 1).

use serde::{Deserialize, Serialize};

use super::Statistics;

/// Packets below which loss is chance, and no quality is told: a second.
const FEWEST: u64 = 50;
/// The default of G.107: clean G.711.
const R_DEFAULT: f32 = 93.2;
/// Robustness of G.711 with packet loss concealment (G.113 Appendix I).
const BPL: f32 = 25.1;
/// A packet, in ms.
const PACKET_MS: f32 = 20.0;

/// What passed over the RTP stream of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MediaReport {
    /// Encoding name of the codec that we sent last.
    pub codec: String,
    /// Packets that we sent.
    pub sent: u64,
    /// Packets of the peer, with duplicates and late ones.
    pub received: u64,
    /// Packets that its sequence numbers say it sent.
    pub expected: u64,
    /// Packets that never came.
    pub lost: u64,
    /// Packets that came twice in a row.
    pub duplicated: u64,
    /// Packets that came after a later one.
    pub reordered: u64,
    /// Datagrams that were no RTP packets.
    pub malformed: u64,
    /// Packets of others than the peer.
    pub strangers: u64,
    /// Packets that waited when the stream was opened (before the answer, or before a new process listened again), and
    /// those that others than the peer sent before it talked.
    #[serde(default)]
    pub early: u64,
    /// SSRCs in turn, and restarts of one.
    pub streams: u32,
    /// Interarrival jitter at the end (RFC 3550 A.8), in ms.
    pub jitter_ms: f32,
    /// The highest jitter, in ms.
    pub max_jitter_ms: f32,
    /// The last round trip that RTCP told, in ms.
    pub round_trip_ms: Option<u32>,
    /// What the peer last reported of our stream.
    pub peer: Option<PeerReport>,
    /// Estimate of what the peer's voice sounded like, 1 to 4.5.
    pub mos: Option<f32>,
}

/// What the peer reported of our stream (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeerReport {
    /// Our packets that never reached it; negative with duplicates.
    pub lost: i32,
    /// Jitter of our packets there, in ms.
    pub jitter_ms: f32,
}

/// Milliseconds with one decimal.
#[must_use]
pub fn ms_of_micros(micros: u32) -> f32 {
    let tenths = u16::try_from(micros.saturating_add(50) / 100).unwrap_or(u16::MAX);
    f32::from(tenths) / 10.0
}

/// The MOS of a reception, with two decimals; `None` where too little came to tell.
#[must_use]
pub fn mos(statistics: &Statistics, round_trip_ms: Option<u32>) -> Option<f32> {
    if statistics.expected < FEWEST {
        return None;
    }
    let per_mille = |part: u64| {
        let part = part.saturating_mul(10_000) / statistics.expected;
        f32::from(u16::try_from(part.min(10_000)).unwrap_or(10_000))
    };
    let loss_percent = per_mille(statistics.lost) / 100.0;
    let one_way = round_trip_ms.map_or(0.0, |ms| f32::from(u16::try_from(ms).unwrap_or(u16::MAX)) / 2.0);
    let delay = one_way + PACKET_MS + 2.0 * ms_of_micros(statistics.jitter_micros);
    let r = R_DEFAULT - delay_impairment(delay) - loss_impairment(loss_percent);
    Some((mos_of(r) * 100.0).round() / 100.0)
}

/// Id.
fn delay_impairment(delay_ms: f32) -> f32 {
    0.024 * delay_ms + 0.11 * (delay_ms - 177.3).max(0.0)
}

/// Ie,eff.
fn loss_impairment(loss_percent: f32) -> f32 {
    95.0 * loss_percent / (loss_percent + BPL)
}

fn mos_of(r: f32) -> f32 {
    let r = r.clamp(0.0, 100.0);
    (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).clamp(1.0, 4.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(expected: u64, lost: u64, jitter_micros: u32) -> Statistics {
        Statistics { received: expected - lost, expected, lost, jitter_micros, ..Statistics::default() }
    }

    #[test]
    fn the_ratings_of_the_recommendation() {
        // G.107 Annex B, table B.1: R and MOS; R 93.2 is what G.711 without any fault has.
        for (r, mos) in [(90.0, 4.34), (80.0, 4.03), (70.0, 3.60), (60.0, 3.10), (50.0, 2.58), (93.2, 4.41)] {
            assert!((mos_of(r) - mos).abs() < 0.01, "R {r}: {}", mos_of(r));
        }
        assert_eq!((mos_of(-5.0), mos_of(100.0)), (1.0, 4.5));
        // G.113 Appendix I: Ie,eff of G.711 with concealment under random loss.
        for (loss, ie) in [(1.0, 3.6), (5.0, 15.8), (10.0, 27.1), (20.0, 42.1)] {
            assert!((loss_impairment(loss) - ie).abs() < 0.2, "{loss} %: {}", loss_impairment(loss));
        }
        assert!((delay_impairment(100.0) - 2.4).abs() < 0.01);
        assert!((delay_impairment(277.3) - 17.66).abs() < 0.01);
    }

    #[test]
    fn a_clean_call_is_good_and_loss_jitter_and_delay_each_cost() {
        let clean = mos(&heard(1_000, 0, 0), None).unwrap();
        assert!((4.39..=4.41).contains(&clean), "{clean}");
        let lossy = mos(&heard(1_000, 50, 0), None).unwrap();
        assert!((3.8..4.1).contains(&lossy), "{lossy}");
        let shaky = mos(&heard(1_000, 0, 60_000), None).unwrap();
        let far = mos(&heard(1_000, 0, 0), Some(600)).unwrap();
        assert!(shaky < clean && far < 3.7, "{shaky} {far}");
        assert_eq!(mos(&heard(49, 0, 0), None), None);
        assert_eq!(mos(&heard(1_000, 1_000, 0), Some(u32::MAX)), Some(1.0));
    }

    #[test]
    fn milliseconds_have_one_decimal() {
        assert_eq!((ms_of_micros(0), ms_of_micros(1_249), ms_of_micros(1_250)), (0.0, 1.2, 1.3));
        assert_eq!(serde_json::to_string(&ms_of_micros(20_100)).unwrap(), "20.1");
    }
}
