//! RTP and RTCP (RFC 3550), telephone-event (RFC 4733), G.711, playout clock. Pure.
//!
//! ```text
//! datagram ─► Latch (whose is it?) ─► parse_packet ─► Reception (counters, jitter, report block)
//!                                                 └─► EventReceiver ─► KeyEvent
//! samples ─► DtmfDetector, SignalDetector                    Statistics ─► MediaReport, MOS
//! Anchor (tick k ─► sequence, timestamp) ─► write_packet ─► datagram
//! ```

mod anchor;
pub mod event;
pub mod g711;
mod latch;
mod numbers;
mod packet;
mod reception;
pub mod report;
pub mod rtcp;
pub mod tones;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use anchor::{Anchor, SAMPLES_PER_TICK, TICK};
pub use event::{Digit, EventKey, EventReceiver, EventSender, KeyEvent, Phase, TelephoneEvent};
pub use latch::{Admission, Latch};
pub use numbers::Numbers;
pub use packet::{HEADER_BYTES, Header, Packet, PacketError, parse_packet, write_packet};
pub use reception::{Reception, Statistics};
pub use report::MediaReport;

/// Synchronisation source: the name of a stream (RFC 3550 §3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ssrc(pub u32);

impl fmt::Display for Ssrc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl fmt::Debug for Ssrc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ssrc({self})")
    }
}
