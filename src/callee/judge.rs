//! Judges one RTP stream as a phone hears it: gaps, losses, order, clocks, and who sent (RFC 3550).
//!
//! ```text
//! packet ─┬─ when:  gap since the packet before ────────────► Gaps (histogram)
//!         ├─ where: a source; the old one heard again ──────► sources, overlaps
//!         └─ what:  SSRC, sequence, timestamp, marker ──────► lost, late, duplicates, timestamp faults
//! ```
//! A continuous stream has 160 units of timestamp per sequence number; only a packet with the marker may
//! leave that line, and only forwards.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;

use crate::time::{Timestamp, rfc3339};

/// Units of timestamp in a packet of 20 ms at 8000 Hz.
const UNITS_PER_PACKET: u32 = 160;
/// Sources and SSRCs that are told apart; later ones are only counted.
const MAX_SOURCES: usize = 16;
/// Width of a class of the gap histogram, in microseconds.
const GAP_CLASS_US: u64 = 100;

/// One RTP packet, as far as it is judged.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// When the machine received it.
    pub at: Timestamp,
    /// Who sent it.
    pub from: SocketAddr,
    /// Synchronisation source.
    pub ssrc: u32,
    /// Sequence number.
    pub sequence: u16,
    /// RTP timestamp.
    pub timestamp: u32,
    /// Marker bit.
    pub marker: bool,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// To be played; the gap is the time since the packet before it.
    Play {
        /// Time since the packet before; none for the first.
        gap: Option<Duration>,
    },
    /// The same packet was here before.
    Duplicate,
    /// Older than one that was played.
    Late,
}

/// The time between consecutive packets, as a histogram with classes of 0.1 ms.
#[derive(Clone, Debug, Default)]
pub struct Gaps {
    classes: BTreeMap<u64, u64>,
    count: u64,
    max_us: u64,
}

impl Gaps {
    /// Counts a gap.
    pub fn add(&mut self, gap: Duration) {
        let us = u64::try_from(gap.as_micros()).unwrap_or(u64::MAX);
        *self.classes.entry(us / GAP_CLASS_US).or_default() += 1;
        self.count += 1;
        self.max_us = self.max_us.max(us);
    }

    /// Adds another histogram to this one.
    pub fn merge(&mut self, other: &Self) {
        for (class, count) in &other.classes {
            *self.classes.entry(*class).or_default() += count;
        }
        self.count += other.count;
        self.max_us = self.max_us.max(other.max_us);
    }

    /// Gaps counted.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The longest gap.
    #[must_use]
    pub const fn max(&self) -> Duration {
        Duration::from_micros(self.max_us)
    }

    /// The gap that `per_mille` of all gaps do not exceed, to 0.1 ms, rounded up; zero without gaps.
    #[must_use]
    pub fn quantile(&self, per_mille: u64) -> Duration {
        let rank = (self.count * per_mille).div_ceil(1_000).max(1);
        let mut seen = 0;
        let class = self.classes.iter().find_map(|(class, count)| {
            seen += count;
            (seen >= rank).then_some(*class)
        });
        let us = class.map_or(0, |class| (class + 1) * GAP_CLASS_US);
        Duration::from_micros(us.min(self.max_us))
    }

    /// The histogram's summary.
    #[must_use]
    pub fn summary(&self) -> GapSummary {
        let ms = |gap: Duration| gap.as_secs_f64() * 1_000.0;
        GapSummary {
            count: self.count,
            p50_ms: ms(self.quantile(500)),
            p99_ms: ms(self.quantile(990)),
            max_ms: ms(self.max()),
        }
    }
}

/// Gaps in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct GapSummary {
    /// Gaps counted.
    pub count: u64,
    /// Half of the gaps are no longer.
    pub p50_ms: f64,
    /// 99 of 100 are no longer.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

/// One sender of the stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Source {
    /// Its address.
    pub address: SocketAddr,
    /// Packets from it.
    pub packets: u64,
    /// When it was first heard.
    #[serde(serialize_with = "rfc3339::serialize")]
    pub first_at: Timestamp,
    /// When it was last heard.
    #[serde(serialize_with = "rfc3339::serialize")]
    pub last_at: Timestamp,
}

/// Everything judged of one stream.
#[derive(Clone, Debug, Default)]
pub struct Judge {
    /// RTP packets that could be read.
    pub packets: u64,
    /// Datagrams that are no RTP packet.
    pub unreadable: u64,
    /// Packets that came again.
    pub duplicates: u64,
    /// Packets that came behind a later one.
    pub late: u64,
    /// Packets that never came.
    pub lost: u64,
    /// Packets whose timestamp left the line without a marker, or went back.
    pub timestamp_faults: u64,
    /// Packets with the marker.
    pub markers: u64,
    /// The synchronisation sources, in the order they were first heard.
    pub ssrcs: Vec<u32>,
    /// The senders, in the order they were first heard.
    pub sources: Vec<Source>,
    /// How often a sender came back after another one had taken its place: two were sending at once.
    pub overlaps: u64,
    /// The time between packets.
    pub gaps: Gaps,
    line: Option<Line>,
    last_at: Option<Timestamp>,
    last_source: Option<SocketAddr>,
}

/// Where the stream of the present SSRC stands.
#[derive(Clone, Copy, Debug)]
struct Line {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    /// Bit n: the packet n below `sequence` was received.
    seen: u64,
}

impl Judge {
    /// Judges a packet.
    pub fn arrive(&mut self, packet: &Arrival) -> Verdict {
        self.packets += 1;
        self.markers += u64::from(packet.marker);
        self.note_source(packet);
        let verdict = match self.line {
            Some(line) if line.ssrc == packet.ssrc => self.advance(line, packet),
            Some(_) | None => {
                if !self.ssrcs.contains(&packet.ssrc) && self.ssrcs.len() < MAX_SOURCES {
                    self.ssrcs.push(packet.ssrc);
                }
                self.begin(packet);
                Verdict::Play { gap: None }
            }
        };
        let Verdict::Play { .. } = verdict else { return verdict };
        let gap = self.last_at.map(|before| packet.at.since(before));
        self.last_at = Some(packet.at);
        if let Some(gap) = gap {
            self.gaps.add(gap);
        }
        Verdict::Play { gap }
    }

    /// When the last packet came that was played.
    #[must_use]
    pub const fn last_at(&self) -> Option<Timestamp> {
        self.last_at
    }

    const fn begin(&mut self, packet: &Arrival) {
        self.line =
            Some(Line { ssrc: packet.ssrc, sequence: packet.sequence, timestamp: packet.timestamp, seen: 1 });
    }

    fn advance(&mut self, mut line: Line, packet: &Arrival) -> Verdict {
        let ahead = packet.sequence.wrapping_sub(line.sequence);
        if ahead == 0 {
            self.duplicates += 1;
            return Verdict::Duplicate;
        }
        if ahead >= 0x8000 {
            return self.behind(line, line.sequence.wrapping_sub(packet.sequence));
        }
        let units = packet.timestamp.wrapping_sub(line.timestamp);
        let on_the_line = units == u32::from(ahead).wrapping_mul(UNITS_PER_PACKET);
        let forwards = units < 0x8000_0000;
        if !(on_the_line || packet.marker && forwards) {
            self.timestamp_faults += 1;
        }
        self.lost += u64::from(ahead) - 1;
        line.seen = line.seen.checked_shl(u32::from(ahead)).unwrap_or(0) | 1;
        line.sequence = packet.sequence;
        line.timestamp = packet.timestamp;
        self.line = Some(line);
        Verdict::Play { gap: None }
    }

    fn behind(&mut self, mut line: Line, behind: u16) -> Verdict {
        let bit = 1_u64.checked_shl(u32::from(behind)).unwrap_or(0);
        if line.seen & bit != 0 {
            self.duplicates += 1;
            return Verdict::Duplicate;
        }
        line.seen |= bit;
        self.line = Some(line);
        self.late += 1;
        self.lost = self.lost.saturating_sub(1);
        Verdict::Late
    }

    fn note_source(&mut self, packet: &Arrival) {
        let changed = self.last_source.replace(packet.from) != Some(packet.from);
        if let Some(source) = self.sources.iter_mut().find(|source| source.address == packet.from) {
            source.packets += 1;
            source.last_at = packet.at;
            self.overlaps += u64::from(changed);
        } else if self.sources.len() < MAX_SOURCES {
            let (address, at) = (packet.from, packet.at);
            self.sources.push(Source { address, packets: 1, first_at: at, last_at: at });
        }
    }

    /// The verdict in numbers.
    #[must_use]
    pub fn report(&self) -> StreamReport {
        StreamReport {
            packets: self.packets,
            unreadable: self.unreadable,
            duplicates: self.duplicates,
            late: self.late,
            lost: self.lost,
            timestamp_faults: self.timestamp_faults,
            markers: self.markers,
            ssrcs: self.ssrcs.clone(),
            sources: self.sources.clone(),
            overlaps: self.overlaps,
            gaps: self.gaps.summary(),
        }
    }
}

/// What a phone can say about the stream it heard.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct StreamReport {
    /// RTP packets that could be read.
    pub packets: u64,
    /// Datagrams that are no RTP packet.
    pub unreadable: u64,
    /// Packets that came again.
    pub duplicates: u64,
    /// Packets that came behind a later one.
    pub late: u64,
    /// Packets that never came.
    pub lost: u64,
    /// Packets whose timestamp left the line without a marker, or went back.
    pub timestamp_faults: u64,
    /// Packets with the marker.
    pub markers: u64,
    /// The synchronisation sources, in the order they were first heard.
    pub ssrcs: Vec<u32>,
    /// The senders, in the order they were first heard.
    pub sources: Vec<Source>,
    /// How often a sender came back after another one had taken its place.
    pub overlaps: u64,
    /// The time between packets.
    pub gaps: GapSummary,
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "127.0.0.1:16384";
    const B: &str = "127.0.0.1:16484";

    /// The k-th packet of a stream that wraps soon.
    fn packet(k: u16) -> Arrival {
        Arrival {
            at: Timestamp::from_millis(1_000 + 20 * u64::from(k)),
            from: A.parse().unwrap(),
            ssrc: 7,
            sequence: 65_530_u16.wrapping_add(k),
            timestamp: (u32::MAX - 800).wrapping_add(160 * u32::from(k)),
            marker: k == 0,
        }
    }

    #[test]
    fn a_continuous_stream_has_no_fault_over_both_wraps() {
        let mut judge = Judge::default();
        for k in 0..100 {
            judge.arrive(&packet(k));
        }
        let report = judge.report();
        assert_eq!((report.packets, report.lost, report.late, report.duplicates), (100, 0, 0, 0));
        assert_eq!((report.timestamp_faults, report.overlaps, report.gaps.count), (0, 0, 99));
        assert!((report.gaps.p50_ms - 20.0).abs() < 0.1 && (report.gaps.max_ms - 20.0).abs() < 0.1);
    }

    #[test]
    fn tells_lost_late_and_duplicate_apart() {
        let mut judge = Judge::default();
        let verdicts: Vec<_> = [0, 1, 1, 4, 3, 3, 5].map(|k| judge.arrive(&packet(k))).to_vec();
        assert_eq!(verdicts[2], Verdict::Duplicate);
        assert_eq!(verdicts[3], Verdict::Play { gap: Some(Duration::from_millis(60)) });
        assert_eq!((verdicts[4], verdicts[5]), (Verdict::Late, Verdict::Duplicate));
        assert_eq!((judge.lost, judge.late, judge.duplicates), (1, 1, 2));
        assert_eq!(judge.timestamp_faults, 0);
    }

    #[test]
    fn a_timestamp_may_leave_the_line_only_forwards_and_marked() {
        let mut judge = Judge::default();
        judge.arrive(&packet(0));
        let jump = Arrival { timestamp: packet(1).timestamp.wrapping_add(16_000), ..packet(1) };
        judge.arrive(&Arrival { marker: true, ..jump });
        assert_eq!(judge.timestamp_faults, 0);
        judge.arrive(&Arrival { sequence: packet(2).sequence, marker: true, ..packet(1) });
        assert_eq!(judge.timestamp_faults, 1, "back, though marked");
        let mut judge = Judge::default();
        judge.arrive(&packet(0));
        judge.arrive(&jump);
        assert_eq!(judge.timestamp_faults, 1, "forwards, not marked");
    }

    #[test]
    fn a_takeover_is_two_sources_and_never_both_at_once() {
        let mut judge = Judge::default();
        let by_b = |k: u16| Arrival { from: B.parse().unwrap(), ssrc: 9, ..packet(k) };
        judge.arrive(&packet(0));
        judge.arrive(&by_b(10));
        judge.arrive(&by_b(11));
        assert_eq!((judge.overlaps, judge.sources.len(), judge.ssrcs.len()), (0, 2, 2));
        assert_eq!(judge.gaps.max(), Duration::from_millis(200));
        judge.arrive(&packet(12));
        assert_eq!(judge.overlaps, 1);
    }

    #[test]
    fn quantiles_of_merged_histograms() {
        let (mut all, mut other) = (Gaps::default(), Gaps::default());
        (0..98).for_each(|_| all.add(Duration::from_millis(20)));
        other.add(Duration::from_millis(35));
        other.add(Duration::from_millis(700));
        all.merge(&other);
        assert_eq!(all.quantile(500), Duration::from_micros(20_100));
        assert_eq!(all.quantile(990), Duration::from_micros(35_100));
        assert_eq!(all.max(), Duration::from_millis(700));
        assert_eq!(Gaps::default().quantile(990), Duration::ZERO);
    }
}
