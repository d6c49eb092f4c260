//! RTCP of one call (RFC 3550 §6): reports about every 5 s, BYE at the end, and what the peer reports. Pure.

use std::net::SocketAddr;
use std::time::Duration;

use crate::id::Mint;
use crate::rtp::report::{PeerReport, ms_of_micros};
use crate::rtp::rtcp::{
    Part, Report, ReportBlock, ReportTimer, RtcpError, SenderInfo, ntp, ntp_middle, parse_compound,
    write_compound,
};
use crate::rtp::{Header, Reception, Ssrc, Statistics};
use crate::time::Timestamp;

/// The control side of one call's stream.
#[derive(Debug)]
pub(super) struct Control {
    ssrc: Ssrc,
    cname: String,
    target: SocketAddr,
    reception: Reception,
    timer: ReportTimer,
    mint: Mint,
    sent: Sent,
    peer: Option<PeerReport>,
    round_trip: Option<Duration>,
}

/// What we sent, for the sender reports.
#[derive(Debug, Default)]
struct Sent {
    packets: u32,
    octets: u32,
    /// The timestamp of the last packet and when it was due.
    last: Option<(Timestamp, u32)>,
}

impl Control {
    /// Reports on the stream `ssrc`, sent to `target`.
    pub(super) fn new(now: Timestamp, ssrc: Ssrc, cname: String, target: SocketAddr) -> Self {
        // What is random here is only the interval of reports, which must differ between calls.
        let mut mint = Mint::seeded(u64::from(ssrc.0));
        let timer = ReportTimer::start(now, &mut mint);
        let (reception, sent) = (Reception::new(), Sent::default());
        Self { ssrc, cname, target, reception, timer, mint, sent, peer: None, round_trip: None }
    }

    /// The peer's description named where it takes reports (again).
    pub(super) fn signal(&mut self, target: SocketAddr) {
        self.target = target;
    }

    /// The peer's RTP comes from another address than described: its RTCP port is the one above.
    pub(super) fn follow(&mut self, rtp: SocketAddr) {
        self.target = SocketAddr::new(rtp.ip(), rtp.port().saturating_add(1));
    }

    /// A packet of ours has left.
    pub(super) fn sent(&mut self, due: Timestamp, timestamp: u32, octets: usize) {
        self.sent.packets = self.sent.packets.wrapping_add(1);
        self.sent.octets = self.sent.octets.wrapping_add(u32::try_from(octets).unwrap_or(u32::MAX));
        self.sent.last = Some((due, timestamp));
    }

    /// A packet of the peer has come; `clock_hz` if its timestamp is a sampling instant.
    pub(super) fn received(&mut self, now: Timestamp, header: &Header, clock_hz: Option<u32>) {
        self.reception.receive(now, header, clock_hz);
    }

    /// A datagram came in on the RTCP port. `peer` is where the peer's RTP comes from: reports of other hosts
    /// are a stranger's.
    pub(super) fn receive(
        &mut self,
        now: Timestamp,
        from: SocketAddr,
        peer: SocketAddr,
        datagram: &[u8],
    ) -> Result<(), &'static str> {
        let parts = parse_compound(datagram).map_err(RtcpError::reason)?;
        if from.ip() != peer.ip() && from != self.target {
            return Err("rtcp-stranger");
        }
        self.target = from;
        for part in parts {
            match part {
                Part::SenderReport { ssrc, info, blocks } => {
                    self.reception.sender_report(now, ssrc, ntp_middle(info.ntp));
                    self.reported(now, &blocks);
                }
                Part::ReceiverReport { blocks, .. } => self.reported(now, &blocks),
                // A BYE does not end the call: that is SIP's to say, and some send it at each re-INVITE.
                Part::SourceDescription { .. } | Part::Bye { .. } | Part::Other { .. } => {}
            }
        }
        Ok(())
    }

    /// What the peer says of our stream.
    fn reported(&mut self, now: Timestamp, blocks: &[ReportBlock]) {
        let Some(block) = blocks.iter().find(|block| block.ssrc == self.ssrc) else { return };
        let jitter_micros = block.jitter.saturating_mul(125); // a tick of 8000 Hz
        self.peer = Some(PeerReport { lost: block.lost, jitter_ms: ms_of_micros(jitter_micros) });
        self.round_trip = block.round_trip(now).or(self.round_trip);
    }

    /// What came of all streams of the peer.
    pub(super) fn reception(&self) -> Statistics {
        self.reception.statistics()
    }

    /// What the peer last said of our stream, and the round trip in ms.
    pub(super) fn peer(&self) -> (Option<PeerReport>, Option<u32>) {
        let ms = self.round_trip.map(|time| u32::try_from(time.as_millis()).unwrap_or(u32::MAX));
        (self.peer, ms)
    }

    /// The report, if it is time for one.
    pub(super) fn report(&mut self, now: Timestamp, out: &mut Vec<u8>) -> Option<SocketAddr> {
        if now < self.timer.poll_timeout() {
            return None;
        }
        self.timer.sent(now, &mut self.mint);
        self.write(now, None, out)
    }

    /// The last report, with BYE.
    pub(super) fn bye(&mut self, now: Timestamp, out: &mut Vec<u8>) -> Option<SocketAddr> {
        self.write(now, Some(""), out)
    }

    fn write(&mut self, now: Timestamp, bye: Option<&str>, out: &mut Vec<u8>) -> Option<SocketAddr> {
        let block = self.reception.report_block(now);
        let report = Report {
            ssrc: self.ssrc,
            sender: self.sent.info(now),
            blocks: block.as_slice(),
            cname: &self.cname,
            bye,
        };
        out.clear();
        write_compound(out, &report);
        let reachable = !self.target.ip().is_unspecified() && self.target.port() != 0;
        reachable.then_some(self.target)
    }
}

impl Sent {
    /// NTP time now, and the RTP timestamp of the same instant (§6.4.1), which lies behind the last packet's.
    fn info(&self, now: Timestamp) -> Option<SenderInfo> {
        let (due, timestamp) = self.last?;
        let since = u32::try_from(now.since(due).as_micros() * 8 / 1_000).unwrap_or(u32::MAX);
        Some(SenderInfo {
            ntp: ntp(now),
            rtp_timestamp: timestamp.wrapping_add(since),
            packets: self.packets,
            octets: self.octets,
        })
    }
}
