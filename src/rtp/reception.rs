//! What came in: counters, loss and jitter of the peer's stream (RFC 3550 §6.4.1, appendices A.1, A.3, A.8).
//!
//! Only packets that the [`Latch`](super::Latch) admitted belong here. It has vetted the source, so there is
//! no probation as in A.1: the first packet counts, as it does for whoever compares with a capture.

use serde::{Deserialize, Serialize};

use super::rtcp::ReportBlock;
use super::{Header, Ssrc};
use crate::time::Timestamp;

/// A gap up to this is loss; beyond it the sender may have restarted (A.1: a minute at 50 packets/s).
const MAX_DROPOUT: u16 = 3_000;
/// A packet older than this is no late one (A.1: two seconds at 50 packets/s).
const MAX_MISORDER: u16 = 100;
/// A step of the transit time beyond this is a new timeline of the sender, not jitter; in seconds.
const MAX_STEP_SECONDS: u32 = 2;

/// What was received in a call, over all its streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    /// Packets, with duplicates and late ones.
    pub received: u64,
    /// Packets that the sequence numbers say were sent.
    pub expected: u64,
    /// Packets that never came: `expected` less `received`, where that is positive.
    pub lost: u64,
    /// Packets with the sequence number of the one before.
    pub duplicated: u64,
    /// Packets that came after a later one.
    pub reordered: u64,
    /// Interarrival jitter in µs: of the present stream.
    pub jitter_micros: u32,
    /// The highest jitter of the call in µs.
    pub max_jitter_micros: u32,
    /// Streams: SSRCs in turn, and restarts of one.
    pub streams: u32,
}

/// The reception side of one call. Soft: it begins anew after a restart.
#[derive(Clone, Debug, Default)]
pub struct Reception {
    source: Option<Source>,
    /// Of the streams that ended.
    past: Statistics,
}

#[derive(Clone, Debug)]
struct Source {
    ssrc: Ssrc,
    base: u16,
    highest: u16,
    /// Times that the sequence number wrapped.
    cycles: u16,
    /// What would be next if the sender has restarted.
    restart: Option<u16>,
    received: u32,
    duplicated: u32,
    reordered: u32,
    expected_prior: u32,
    received_prior: u32,
    transit: Option<u32>,
    clock_hz: u32,
    /// In ticks of the clock, times 16.
    jitter: u32,
    max_jitter: u32,
    sender_report: Option<(u32, Timestamp)>,
}

impl Reception {
    /// Nothing received yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a packet. `clock_hz` is the clock of its payload type; `None` for packets whose timestamp
    /// is no sampling instant (telephone-events), which say nothing of jitter.
    pub fn receive(&mut self, now: Timestamp, header: &Header, clock_hz: Option<u32>) {
        let known = self.source.as_mut().filter(|source| source.ssrc == header.ssrc);
        let goes_on = known.is_some_and(|source| source.update(header.sequence));
        if !goes_on {
            self.end_stream();
            self.source = Some(Source::new(header));
        }
        if let (Some(source), Some(clock_hz)) = (&mut self.source, clock_hz.filter(|hz| *hz > 0)) {
            source.time(now, header.timestamp, clock_hz);
        }
    }

    /// A sender report of the peer came in: its SSRC and the middle 32 bits of its NTP timestamp.
    pub fn sender_report(&mut self, now: Timestamp, ssrc: Ssrc, ntp_middle: u32) {
        if let Some(source) = self.source.as_mut().filter(|source| source.ssrc == ssrc) {
            source.sender_report = Some((ntp_middle, now));
        }
    }

    /// The report block of the present stream; the fraction lost is since the one before (A.3).
    pub fn report_block(&mut self, now: Timestamp) -> Option<ReportBlock> {
        self.source.as_mut().map(|source| source.report_block(now))
    }

    /// The present stream.
    #[must_use]
    pub fn ssrc(&self) -> Option<Ssrc> {
        self.source.as_ref().map(|source| source.ssrc)
    }

    /// The sums so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let mut sum = self.past;
        if let Some(source) = &self.source {
            source.add_to(&mut sum);
        }
        sum
    }

    fn end_stream(&mut self) {
        self.past = self.statistics();
        self.source = None;
    }
}

impl Source {
    fn new(header: &Header) -> Self {
        Self {
            ssrc: header.ssrc,
            base: header.sequence,
            highest: header.sequence,
            cycles: 0,
            restart: None,
            received: 1,
            duplicated: 0,
            reordered: 0,
            expected_prior: 0,
            received_prior: 0,
            transit: None,
            clock_hz: 8_000,
            jitter: 0,
            max_jitter: 0,
            sender_report: None,
        }
    }

    /// A.1; `false` when the sender has restarted: two packets in a row at another place.
    fn update(&mut self, sequence: u16) -> bool {
        let step = sequence.wrapping_sub(self.highest);
        if step == 0 {
            self.duplicated += 1;
        } else if step < MAX_DROPOUT {
            if sequence < self.highest {
                self.cycles = self.cycles.saturating_add(1);
            }
            self.highest = sequence;
        } else if step <= u16::MAX - MAX_MISORDER {
            // One stray packet is nothing; it is not counted, as A.1 has it.
            let restarted = self.restart == Some(sequence);
            self.restart = Some(sequence.wrapping_add(1));
            return !restarted;
        } else {
            self.reordered += 1;
        }
        self.restart = None;
        self.received = self.received.saturating_add(1);
        true
    }

    /// A.8, with jitter kept in sixteenths.
    fn time(&mut self, now: Timestamp, timestamp: u32, clock_hz: u32) {
        let ticks = u128::from(now.as_micros()) * u128::from(clock_hz) / 1_000_000;
        let arrival = u32::try_from(ticks & u128::from(u32::MAX)).expect("32 bits remain");
        let transit = arrival.wrapping_sub(timestamp);
        let before = self.transit.replace(transit).filter(|_| self.clock_hz == clock_hz);
        self.clock_hz = clock_hz;
        let Some(before) = before else { return };
        let step = transit.wrapping_sub(before).cast_signed().unsigned_abs();
        if step < clock_hz.saturating_mul(MAX_STEP_SECONDS) {
            self.jitter = self.jitter.saturating_add(step).saturating_sub((self.jitter + 8) >> 4);
            self.max_jitter = self.max_jitter.max(self.jitter);
        }
    }

    fn extended(&self) -> u32 {
        (u32::from(self.cycles) << 16) | u32::from(self.highest)
    }

    fn expected(&self) -> u32 {
        self.extended().wrapping_sub(u32::from(self.base)).wrapping_add(1)
    }

    /// A.3.
    fn report_block(&mut self, now: Timestamp) -> ReportBlock {
        let expected = self.expected();
        let expected_interval = expected.wrapping_sub(self.expected_prior);
        let received_interval = self.received.wrapping_sub(self.received_prior);
        self.expected_prior = expected;
        self.received_prior = self.received;
        let lost_interval = u64::from(expected_interval.saturating_sub(received_interval));
        let fraction = (lost_interval << 8).checked_div(u64::from(expected_interval)).unwrap_or(0);
        let lost = i64::from(expected) - i64::from(self.received);
        let (last_sr, delay) = self.sender_report.map_or((0, 0), |(ntp_middle, at)| {
            let delay = now.since(at).as_micros() * 65_536 / 1_000_000;
            (ntp_middle, u32::try_from(delay).unwrap_or(u32::MAX))
        });
        ReportBlock {
            ssrc: self.ssrc,
            fraction_lost: u8::try_from(fraction).unwrap_or(u8::MAX),
            lost: i32::try_from(lost.clamp(-0x80_0000, 0x7F_FFFF)).expect("24 bits fit"),
            highest_sequence: self.extended(),
            jitter: self.jitter >> 4,
            last_sr,
            delay_since_last_sr: delay,
        }
    }

    fn add_to(&self, sum: &mut Statistics) {
        let micros = |jitter: u32| {
            let micros = u64::from(jitter) * 1_000_000 / 16 / u64::from(self.clock_hz);
            u32::try_from(micros).unwrap_or(u32::MAX)
        };
        let (received, expected) = (u64::from(self.received), u64::from(self.expected()));
        sum.received += received;
        sum.expected += expected;
        sum.lost += expected.saturating_sub(received);
        sum.duplicated += u64::from(self.duplicated);
        sum.reordered += u64::from(self.reordered);
        sum.jitter_micros = micros(self.jitter);
        sum.max_jitter_micros = sum.max_jitter_micros.max(micros(self.max_jitter));
        sum.streams += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(sequence: u16, timestamp: u32) -> Header {
        Header { payload_type: 0, marker: false, sequence, timestamp, ssrc: Ssrc(7) }
    }

    /// Feeds packets of a clean 20 ms stream, with these sequence numbers, in this order.
    fn receive(reception: &mut Reception, sequences: impl IntoIterator<Item = u16>) {
        for (k, sequence) in (0..).zip(sequences) {
            let now = Timestamp::from_millis(1_000_000 + k * 20);
            reception.receive(now, &header(sequence, u32::try_from(k).unwrap() * 160), Some(8_000));
        }
    }

    #[test]
    fn a_clean_stream_over_the_wrap() {
        let mut reception = Reception::new();
        receive(&mut reception, (0..200).map(|k: u16| k.wrapping_add(65_500)));
        let block = reception.report_block(Timestamp::from_millis(1_004_000)).unwrap();
        assert_eq!((block.fraction_lost, block.lost, block.jitter), (0, 0, 0));
        assert_eq!(block.highest_sequence, 65_536 + 163);
        let sum = reception.statistics();
        assert_eq!((sum.received, sum.expected, sum.streams), (200, 200, 1));
    }

    #[test]
    fn loss_is_told_since_the_last_report_and_in_all() {
        let mut reception = Reception::new();
        receive(&mut reception, (0..100).filter(|k| k % 4 != 1));
        let block = reception.report_block(Timestamp::EPOCH).unwrap();
        assert_eq!((block.fraction_lost, block.lost), (64, 25));
        receive(&mut reception, 100..200);
        let block = reception.report_block(Timestamp::EPOCH).unwrap();
        assert_eq!((block.fraction_lost, block.lost), (0, 25));
        assert_eq!(reception.statistics().lost, 25);
    }

    #[test]
    fn duplicates_and_late_packets_are_no_loss() {
        let mut reception = Reception::new();
        receive(&mut reception, [10, 11, 11, 13, 12, 14]);
        let sum = reception.statistics();
        assert_eq!((sum.received, sum.expected, sum.lost), (6, 5, 0));
        assert_eq!((sum.duplicated, sum.reordered), (1, 1));
        assert_eq!(reception.report_block(Timestamp::EPOCH).unwrap().lost, -1, "A.3: may be negative");
    }

    #[test]
    fn one_stray_packet_is_nothing_two_are_a_restart() {
        let mut reception = Reception::new();
        receive(&mut reception, [10, 11, 40_000, 12]);
        assert_eq!(reception.statistics().expected, 3);
        receive(&mut reception, [50_000, 50_001, 50_002]);
        let sum = reception.statistics();
        assert_eq!((sum.streams, sum.received, sum.expected), (2, 5, 5));
    }

    #[test]
    fn another_ssrc_is_another_stream() {
        let mut reception = Reception::new();
        receive(&mut reception, 0..10);
        let other = Header { ssrc: Ssrc(8), ..header(500, 0) };
        reception.receive(Timestamp::EPOCH, &other, Some(8_000));
        let sum = reception.statistics();
        assert_eq!((sum.streams, sum.received, sum.lost), (2, 11, 0));
        assert_eq!(reception.ssrc(), Some(Ssrc(8)));
    }

    #[test]
    fn jitter_follows_the_formula_and_ignores_a_new_timeline() {
        let mut reception = Reception::new();
        // Every second packet is 8 ms (64 ticks) late: |D| = 64 each time, so J tends to 64 ticks = 8 ms.
        for k in 0..500_u16 {
            let late = u64::from(k % 2) * 8;
            let now = Timestamp::from_millis(1_000 + u64::from(k) * 20 + late);
            reception.receive(now, &header(k, u32::from(k) * 160), Some(8_000));
        }
        let jitter = reception.statistics().jitter_micros;
        assert!((7_500..=8_000).contains(&jitter), "{jitter} µs");
        reception.receive(Timestamp::from_millis(11_000), &header(500, 3_000_000_000), Some(8_000));
        assert!(reception.statistics().jitter_micros <= jitter);
        reception.receive(Timestamp::from_millis(11_500), &header(501, 3_000_000_000), None);
        assert!(reception.statistics().max_jitter_micros < 9_000, "events have no sampling instant");
    }

    #[test]
    fn a_sender_report_is_echoed_with_its_age() {
        let mut reception = Reception::new();
        receive(&mut reception, 0..3);
        reception.sender_report(Timestamp::from_millis(5_000), Ssrc(99), 1);
        assert_eq!(reception.report_block(Timestamp::from_millis(5_000)).unwrap().last_sr, 0, "a stranger's");
        reception.sender_report(Timestamp::from_millis(5_000), Ssrc(7), 0xABCD_1234);
        let block = reception.report_block(Timestamp::from_millis(7_500)).unwrap();
        assert_eq!((block.last_sr, block.delay_since_last_sr), (0xABCD_1234, 163_840));
    }
}
