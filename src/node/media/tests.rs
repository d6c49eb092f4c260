//! A line under ticks without a clock, and the engine against a telephone on loopback.

mod engine;
mod line;

use std::net::SocketAddr;
use std::sync::Arc;

use super::{Clip, MediaPlan, Told};
use crate::call::Ears;
use crate::rtp::{Anchor, Phase, Ssrc};
use crate::sdp::{Codec, Direction, EventFormat, Negotiated};
use crate::time::Timestamp;

/// Terms with a telephone at `remote`, PCMU both ways, telephone-event 101 in.
fn plan(remote: SocketAddr, t0: Timestamp) -> MediaPlan {
    MediaPlan {
        negotiated: Negotiated {
            remote,
            remote_rtcp: SocketAddr::new(remote.ip(), remote.port() + 1),
            codec: Codec::Pcmu,
            send_payload_type: 0,
            receive: vec![(0, Codec::Pcmu)],
            send_event: Some(101),
            receive_events: vec![EventFormat { payload_type: 101, clock_hz: 8_000 }],
            ptime_ms: 20,
            direction: Direction::SendRecv,
            refused: Vec::new(),
        },
        anchor: Anchor { ssrc: Ssrc(0xBA70), seq0: 65_530, ts0: u32::MAX - 400, t0 },
        ears: Ears { keys: true, signals: true, silence_ms: 30_000 },
    }
}

/// A clip of this many frames, none of them silent and no two alike.
fn clip(frames: i16) -> Arc<Clip> {
    let samples: Vec<i16> = (0..frames).flat_map(|frame| [500 + frame * 300; 160]).collect();
    Arc::new(Clip::encode(&samples))
}

fn key(told: &Told) -> (char, Phase) {
    let Told::Key(event) = told else { panic!("{told:?}") };
    (event.digit.as_char(), event.phase)
}
