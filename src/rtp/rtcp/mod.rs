//! RTCP (RFC 3550 §6): reports about the streams, both ways.
//!
//! ```text
//! one datagram = one compound: SR | RR (with report blocks), SDES (CNAME), at the end of a call BYE
//! ```

mod read;
mod write;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use read::{Compound, Part, RtcpError, parse_compound};
pub use write::{Report, write_compound};

use super::Ssrc;
use crate::id::Mint;
use crate::time::Timestamp;

/// The deterministic interval between reports of a party with few partners (§6.2).
pub const INTERVAL: Duration = Duration::from_secs(5);
/// Seconds from 1900 (NTP) to 1970 (Unix).
const NTP_TO_UNIX: u64 = 2_208_988_800;
const SR: u8 = 200;
const RR: u8 = 201;
const SDES: u8 = 202;
const BYE: u8 = 203;
const CNAME: u8 = 1;

/// What a sender says of its own stream (§6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SenderInfo {
    /// Wall clock, as [`ntp`] makes it.
    pub ntp: u64,
    /// The same instant on the stream's timestamps.
    pub rtp_timestamp: u32,
    /// Packets sent.
    pub packets: u32,
    /// Payload bytes sent.
    pub octets: u32,
}

/// What a receiver says of one stream (§6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportBlock {
    /// The stream.
    pub ssrc: Ssrc,
    /// Lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Lost in all, 24 bits, negative with duplicates.
    pub lost: i32,
    /// Highest sequence number with its cycles above.
    pub highest_sequence: u32,
    /// Interarrival jitter in ticks of the stream's clock.
    pub jitter: u32,
    /// Middle 32 bits of the NTP timestamp of the last sender report; 0 for none.
    pub last_sr: u32,
    /// Time since it came in, in 1/65536 s.
    pub delay_since_last_sr: u32,
}

impl ReportBlock {
    /// The round trip that this block, about a stream of ours, tells when it comes in (§6.4.1).
    #[must_use]
    pub fn round_trip(&self, now: Timestamp) -> Option<Duration> {
        let elapsed = ntp_middle(ntp(now)).wrapping_sub(self.last_sr).wrapping_sub(self.delay_since_last_sr);
        let plausible = self.last_sr != 0 && elapsed < 60 << 16;
        plausible.then(|| Duration::from_micros(u64::from(elapsed) * 1_000_000 / 65_536))
    }
}

/// A timestamp as NTP's 64 bits: seconds since 1900 and their fraction (§4).
#[must_use]
pub const fn ntp(now: Timestamp) -> u64 {
    let micros = now.as_micros();
    let seconds = (micros / 1_000_000).wrapping_add(NTP_TO_UNIX) & 0xFFFF_FFFF;
    (seconds << 32) | (((micros % 1_000_000) << 32) / 1_000_000)
}

/// The middle 32 bits of an NTP timestamp, as report blocks carry it.
#[must_use]
pub fn ntp_middle(ntp: u64) -> u32 {
    u32::try_from((ntp >> 16) & 0xFFFF_FFFF).expect("32 bits remain")
}

/// When the next report is due (§6.2, §6.3.1): 5 s, times 0.5 to 1.5, divided by 1.21828; the first after
/// half of that. With one partner nothing needs to be reconsidered (§6.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportTimer {
    next: Timestamp,
}

impl ReportTimer {
    /// The timer of a stream that begins now.
    #[must_use]
    pub fn start(now: Timestamp, mint: &mut Mint) -> Self {
        Self { next: now + randomised(INTERVAL / 2, mint) }
    }

    /// When the next report is due.
    #[must_use]
    pub const fn poll_timeout(&self) -> Timestamp {
        self.next
    }

    /// A report was sent.
    pub fn sent(&mut self, now: Timestamp, mint: &mut Mint) {
        self.next = now + randomised(INTERVAL, mint);
    }
}

fn randomised(interval: Duration, mint: &mut Mint) -> Duration {
    let half_to_one_and_a_half = (1_u64 << 31) + u64::from(mint.number32());
    let micros = interval.as_micros() * u128::from(half_to_one_and_a_half) * 100_000 / 121_828;
    Duration::from_micros(u64::try_from(micros >> 32).expect("a few seconds"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block() -> ReportBlock {
        ReportBlock {
            ssrc: Ssrc(0x0102_0304),
            fraction_lost: 64,
            lost: -2,
            highest_sequence: 0x0001_0203,
            jitter: 17,
            last_sr: 0xAABB_CCDD,
            delay_since_last_sr: 65_536,
        }
    }

    fn compound(sender: Option<SenderInfo>, bye: Option<&str>) -> Vec<u8> {
        let mut out = Vec::new();
        let report = Report { ssrc: Ssrc(5), sender, blocks: &[block()], cname: "baton@x", bye };
        write_compound(&mut out, &report);
        out
    }

    #[test]
    fn a_compound_reads_back() {
        let info = SenderInfo {
            ntp: ntp(Timestamp::from_millis(1_500)),
            rtp_timestamp: 160,
            packets: 3,
            octets: 480,
        };
        let out = compound(Some(info), Some("done"));
        assert_eq!(out.len() % 4, 0);
        let parts = parse_compound(&out).unwrap().collect::<Vec<_>>();
        assert_eq!(
            parts,
            [
                Part::SenderReport { ssrc: Ssrc(5), info, blocks: vec![block()] },
                Part::SourceDescription { ssrc: Ssrc(5), cname: Some(b"baton@x") },
                Part::Bye { sources: vec![Ssrc(5)], reason: Some(b"done") },
            ]
        );
    }

    #[test]
    fn bytes_are_those_of_the_rfc() {
        let out = compound(None, None);
        let expected: [u8; 52] = [
            0x81, 201, 0, 7, 0, 0, 0, 5, // RR, one block
            1, 2, 3, 4, 64, 0xFF, 0xFF, 0xFE, 0, 1, 2, 3, 0, 0, 0, 17, 0xAA, 0xBB, 0xCC, 0xDD, 0, 1, 0,
            0, //
            0x81, 202, 0, 4, 0, 0, 0, 5, 1, 7, b'b', b'a', b't', b'o', b'n', b'@', b'x', 0, 0, 0,
        ];
        assert_eq!(out, expected);
    }

    #[test]
    fn ntp_time_counts_from_1900() {
        assert_eq!(ntp(Timestamp::EPOCH), NTP_TO_UNIX << 32);
        assert_eq!(ntp(Timestamp::from_millis(500)) & 0xFFFF_FFFF, 0x8000_0000);
    }

    #[test]
    fn the_round_trip_is_what_is_left_of_the_echo() {
        let sent = Timestamp::from_millis(1_795_000_000_000);
        let echo = ReportBlock { last_sr: ntp_middle(ntp(sent)), delay_since_last_sr: 65_536, ..block() };
        let round_trip = echo.round_trip(sent + Duration::from_millis(1_080)).unwrap();
        assert!((79..=81).contains(&round_trip.as_millis()), "{round_trip:?}");
        assert_eq!(ReportBlock { last_sr: 0, ..echo }.round_trip(sent), None);
        assert_eq!(echo.round_trip(sent), None, "before it was sent");
    }

    #[test]
    fn reports_come_every_two_to_six_seconds_and_not_in_step() {
        let mut mint = Mint::seeded(1);
        let mut now = Timestamp::from_millis(1);
        let mut timer = ReportTimer::start(now, &mut mint);
        assert!(timer.poll_timeout().since(now) < Duration::from_millis(3_100));
        let mut intervals = std::collections::BTreeSet::new();
        for _ in 0..1_000 {
            now = timer.poll_timeout();
            timer.sent(now, &mut mint);
            let interval = timer.poll_timeout().since(now);
            assert!((2_050..6_160).contains(&interval.as_millis()), "{interval:?}");
            intervals.insert(interval);
        }
        assert!(intervals.len() > 990);
    }

    #[test]
    fn damage_behind_the_first_part_costs_only_what_is_behind_it() {
        let mut out = compound(None, Some("x"));
        let first = 32;
        out[first] = 0;
        assert_eq!(parse_compound(&out).unwrap().count(), 1);
        out.truncate(first + 2);
        assert_eq!(parse_compound(&out).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_rtcp_says_why() {
        let reason = |bytes: &[u8]| parse_compound(bytes).map(Iterator::count).unwrap_err().reason();
        assert_eq!(reason(&[]), "rtcp-short");
        assert_eq!(reason(&[0x80, 201, 0, 1]), "rtcp-truncated");
        assert_eq!(reason(&[0x40, 201, 0, 1, 0, 0, 0, 0]), "rtcp-version");
        assert_eq!(reason(&[0x80, 0, 0, 1, 0, 0, 0, 0]), "rtcp-type");
    }

    #[test]
    fn parts_with_less_in_them_than_they_say() {
        // SR of one word, RR that counts 31 blocks, SDES without end, BYE with a reason beyond its part.
        let datagram = [
            0x80, 200, 0, 1, 0, 0, 0, 1, //
            0x9F, 201, 0, 1, 0, 0, 0, 1, //
            0x81, 202, 0, 2, 0, 0, 0, 1, 1, 200, b'a', b'b', //
            0x81, 203, 0, 2, 0, 0, 0, 1, 99, b'a', b'b', b'c',
        ];
        let parts = parse_compound(&datagram).unwrap().collect::<Vec<_>>();
        assert_eq!(
            parts,
            [
                Part::Other { packet_type: 200 },
                Part::ReceiverReport { ssrc: Ssrc(1), blocks: vec![] },
                Part::SourceDescription { ssrc: Ssrc(1), cname: None },
                Part::Bye { sources: vec![Ssrc(1)], reason: None },
            ]
        );
    }

    /// 100,000 damaged compounds: no panic, and never more parts than fit.
    #[test]
    fn mutated_compounds_are_survived() {
        let mut mint = Mint::seeded(0x3550);
        let info = SenderInfo { ntp: 1, rtp_timestamp: 2, packets: 3, octets: 4 };
        let samples = [compound(Some(info), Some("teardown")), compound(None, None)];
        let mut read = 0;
        for round in 0..100_000 {
            let mut bytes = samples[round % samples.len()].clone();
            crate::mutation::mutate(&mut bytes, &mut mint);
            if let Ok(parts) = parse_compound(&bytes) {
                read += 1;
                assert!(parts.count() <= bytes.len() / 4);
            }
        }
        assert!(read > 10_000, "only {read} of the mutants were still compounds");
    }

    proptest::proptest! {
        #[test]
        fn any_report_reads_back_within_its_bounds(
            cname in ".{0,300}", reason in ".{1,300}", blocks in 0..40_usize, lost in proptest::num::i32::ANY,
        ) {
            let blocks = vec![ReportBlock { lost, ..block() }; blocks];
            let mut out = Vec::new();
            let report = Report { ssrc: Ssrc(5), sender: None, blocks: &blocks, cname: &cname, bye: Some(&reason) };
            write_compound(&mut out, &report);
            proptest::prop_assert!(out.len() < 1_400, "fits a datagram");
            let parts = parse_compound(&out).unwrap().collect::<Vec<_>>();
            let [Part::ReceiverReport { blocks: read, .. }, Part::SourceDescription { cname: Some(name), .. },
                Part::Bye { reason: Some(why), .. }] = parts.as_slice() else { panic!("{parts:?}") };
            proptest::prop_assert_eq!(read.len(), blocks.len().min(31));
            proptest::prop_assert!(read.iter().all(|one| one.lost == lost.clamp(-0x80_0000, 0x7F_FFFF)));
            proptest::prop_assert!(cname.as_bytes().starts_with(name) && reason.as_bytes().starts_with(why));
            proptest::prop_assert!(name.len() > 251 || name.len() == cname.len());
        }
    }
}
