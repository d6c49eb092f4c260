//! Whose packets are these? Source latching with a limit.
//!
//! A peer behind a NAT sends from another address than its SDP says; whoever knows the port of a call may
//! send to it too. So the latch begins at the SDP's address, follows another source only while the one it
//! has is silent, and only a few times; everything else is a stranger.

use std::net::SocketAddr;
use std::time::Duration;

use super::Ssrc;
use crate::time::Timestamp;

/// Moves that are allowed between two descriptions of the peer.
const MOVES: u8 = 3;
/// Packets in a row of one stream that a new source must send before it is followed.
const PROBATION: u8 = 3;
/// A source that was heard within this time is not left for another.
const FAITH: Duration = Duration::from_secs(1);

/// What the latch says of a packet's source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is the peer.
    Peer,
    /// It is the peer at another address: send there from now on.
    Moved,
    /// It is not the peer, or not yet: drop the packet.
    Stranger,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    from: SocketAddr,
    ssrc: Ssrc,
    sequence: u16,
    packets: u8,
}

/// The source that a call's packets come from.
#[derive(Clone, Debug)]
pub struct Latch {
    signalled: SocketAddr,
    current: SocketAddr,
    heard_at: Option<Timestamp>,
    candidate: Option<Candidate>,
    moves_left: u8,
    strangers: u64,
}

impl Latch {
    /// A latch for the address of the peer's description.
    #[must_use]
    pub const fn new(signalled: SocketAddr) -> Self {
        Self::restored(signalled, signalled)
    }

    /// A latch that had moved to `current` before a restart.
    #[must_use]
    pub const fn restored(signalled: SocketAddr, current: SocketAddr) -> Self {
        Self { signalled, current, heard_at: None, candidate: None, moves_left: MOVES, strangers: 0 }
    }

    /// The peer's description named an address (again). The same as before changes nothing.
    pub fn signal(&mut self, signalled: SocketAddr) {
        if signalled != self.signalled {
            *self = Self { strangers: self.strangers, ..Self::new(signalled) };
        }
    }

    /// Judges the source of a well-formed packet.
    pub fn admit(&mut self, now: Timestamp, from: SocketAddr, ssrc: Ssrc, sequence: u16) -> Admission {
        if from == self.current {
            self.heard_at = Some(now);
            return Admission::Peer;
        }
        if self.may_move(now, from) && self.has_proved(from, ssrc, sequence) {
            self.current = from;
            self.heard_at = Some(now);
            self.candidate = None;
            self.moves_left = self.moves_left.saturating_sub(1);
            return Admission::Moved;
        }
        self.strangers = self.strangers.saturating_add(1);
        Admission::Stranger
    }

    /// Where to send.
    #[must_use]
    pub const fn target(&self) -> SocketAddr {
        self.current
    }

    /// Packets of strangers so far.
    #[must_use]
    pub const fn strangers(&self) -> u64 {
        self.strangers
    }

    /// The signalled address may always be gone back to.
    fn may_move(&self, now: Timestamp, from: SocketAddr) -> bool {
        let silent = self.heard_at.is_none_or(|heard_at| now.since(heard_at) >= FAITH);
        silent && (self.moves_left > 0 || from == self.signalled)
    }

    fn has_proved(&mut self, from: SocketAddr, ssrc: Ssrc, sequence: u16) -> bool {
        let packets = match self.candidate {
            Some(Candidate { from: f, ssrc: s, sequence: q, packets })
                if (f, s, q.wrapping_add(1)) == (from, ssrc, sequence) =>
            {
                packets + 1
            }
            Some(_) | None => 1,
        };
        self.candidate = Some(Candidate { from, ssrc, sequence, packets });
        packets >= PROBATION || from == self.signalled
    }
}
