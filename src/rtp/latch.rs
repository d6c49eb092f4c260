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

    /// The peer's description named an address (again). The same as before changes nothing; nor does the
    /// unspecified one of the old form of hold, which is no source.
    pub fn signal(&mut self, signalled: SocketAddr) {
        if signalled != self.signalled && !signalled.ip().is_unspecified() {
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
            self.moves_left = self.moves_left.saturating_sub(u8::from(from != self.signalled));
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

    /// The signalled address may always be gone back to, also from one that talks: signalling was
    /// authenticated, packets are not.
    fn may_move(&self, now: Timestamp, from: SocketAddr) -> bool {
        let silent = self.heard_at.is_none_or(|heard_at| now.since(heard_at) >= FAITH);
        from == self.signalled || (silent && self.moves_left > 0)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([198, 51, 100, 7], port))
    }

    fn admit(latch: &mut Latch, ms: u64, from: SocketAddr, sequence: u16) -> Admission {
        latch.admit(Timestamp::from_millis(ms), from, Ssrc(u32::from(from.port())), sequence)
    }

    #[test]
    fn the_signalled_source_is_the_peer_from_its_first_packet() {
        let mut latch = Latch::new(at(4_000));
        assert_eq!(latch.target(), at(4_000));
        assert_eq!(admit(&mut latch, 0, at(4_000), 1), Admission::Peer);
        assert_eq!(
            (0..9).map(|k| admit(&mut latch, 20, at(666), k)).max_by_key(|a| *a != Admission::Stranger),
            Some(Admission::Stranger)
        );
        assert_eq!((latch.target(), latch.strangers()), (at(4_000), 9));
    }

    #[test]
    fn a_peer_behind_a_nat_is_followed_after_three_packets_in_a_row() {
        let mut latch = Latch::new(at(4_000));
        assert_eq!(admit(&mut latch, 0, at(5_000), 65_534), Admission::Stranger);
        assert_eq!(admit(&mut latch, 20, at(5_000), 65_535), Admission::Stranger);
        assert_eq!(admit(&mut latch, 40, at(5_000), 0), Admission::Moved);
        assert_eq!(admit(&mut latch, 60, at(5_000), 1), Admission::Peer);
        assert_eq!(latch.target(), at(5_000));
    }

    #[test]
    fn random_packets_move_nothing() {
        let mut latch = Latch::new(at(4_000));
        for k in 0..100 {
            assert_eq!(admit(&mut latch, 0, at(666), k * 7), Admission::Stranger);
        }
    }

    #[test]
    fn a_stranger_who_was_first_gives_way_to_the_signalled_source() {
        let mut latch = Latch::new(at(4_000));
        for k in 0..3 {
            admit(&mut latch, 0, at(666), k);
        }
        assert_eq!(latch.target(), at(666));
        assert_eq!(admit(&mut latch, 20, at(4_000), 1), Admission::Moved);
        assert_eq!(admit(&mut latch, 40, at(666), 4), Admission::Stranger);
    }

    #[test]
    fn a_source_that_fell_silent_may_be_left_a_few_times() {
        let mut latch = Latch::new(at(4_000));
        for (round, port) in (0..).zip([5_001, 5_002, 5_003, 5_004]) {
            for k in 0..3 {
                admit(&mut latch, round * 2_000, at(port), k);
            }
        }
        assert_eq!(latch.target(), at(5_003), "three moves, no more");
        latch.signal(at(4_000));
        assert_eq!(latch.target(), at(5_003), "the same description changes nothing");
        latch.signal(at(4_100));
        assert_eq!(latch.target(), at(4_100));
        for k in 0..3 {
            admit(&mut latch, 9_000, at(5_004), k);
        }
        assert_eq!(latch.target(), at(5_004), "a new description allows new moves");
    }

    #[test]
    fn a_hold_by_the_unspecified_address_is_no_move() {
        let mut latch = Latch::new(at(4_000));
        admit(&mut latch, 0, at(4_000), 1);
        latch.signal(SocketAddr::from(([0, 0, 0, 0], 4_000)));
        assert_eq!(admit(&mut latch, 20, at(4_000), 2), Admission::Peer);
    }

    #[test]
    fn a_restored_latch_goes_on_with_its_source() {
        let mut latch = Latch::restored(at(4_000), at(5_000));
        assert_eq!(admit(&mut latch, 0, at(5_000), 9), Admission::Peer);
    }
}
