//! The timers of SIP as a table: RFC 3261 §17 and appendix A, with RFC 6026 §7 (L, M).
//!
//! ```text
//! unreliable transport:  0.5  1   2   4   4   4  ...  32 s
//!   INVITE (A)           |--|---|-------|--------------- 64*T1 -> B
//!   others (E, G)        |--|---|-------|---|---|---|--- 64*T1 -> F, H
//! ```
//! A reliable transport repeats nothing and has nothing to wait for, so A, E and G are never started
//! there and D, I, J and K are zero.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// T1, estimate of the round trip: 500 ms (RFC 3261 §17.1.1.1).
pub const T1: Duration = Duration::from_millis(500);
/// T2, longest pause between repeats of what is not an INVITE: 4 s (RFC 3261 §17.1.2.2).
pub const T2: Duration = Duration::from_secs(4);
/// T4, longest time a message stays in the network: 5 s (RFC 3261 §17.1.2.2).
pub const T4: Duration = Duration::from_secs(5);
/// 64 * T1 = 32 s: how long either side tries before it gives a peer up.
pub const PATIENCE: Duration = Duration::from_secs(32);
/// A user agent server that has not answered an INVITE after 200 ms says 100 (RFC 3261 §17.2.1).
pub const TRYING: Duration = Duration::from_millis(200);

/// Whether the transport itself repeats what is lost (TCP, TLS) or not (UDP).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reliability {
    /// UDP: the transaction repeats.
    #[default]
    Unreliable,
    /// TCP, TLS: the transport repeats.
    Reliable,
}

/// The timers of the transactions, by the letters of RFC 3261 appendix A. (C is a proxy's: §16.6.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Timer {
    /// Repeat of an INVITE: T1, doubling (§17.1.1.2).
    A,
    /// End of an unanswered INVITE: 64*T1 (§17.1.1.2).
    B,
    /// Wait for repeats of a final response to INVITE: more than 32 s, or 0 (§17.1.1.2).
    D,
    /// Repeat of another request: T1, doubling up to T2 (§17.1.2.2).
    E,
    /// End of another request that is not answered: 64*T1 (§17.1.2.2).
    F,
    /// Repeat of a response to INVITE: T1, doubling up to T2 (§17.2.1; §13.3.1.4 for 2xx).
    G,
    /// Wait for the ACK: 64*T1 (§17.2.1; §13.3.1.4 for 2xx).
    H,
    /// Wait for repeats of the ACK: T4, or 0 (§17.2.1).
    I,
    /// Wait for repeats of another request: 64*T1, or 0 (§17.2.2).
    J,
    /// Wait for repeats of its response: T4, or 0 (§17.1.2.2).
    K,
    /// Wait for repeats of an accepted INVITE: 64*T1 (RFC 6026 §7.1).
    L,
    /// Wait for repeats of its 2xx and for 2xx of other forks: 64*T1 (RFC 6026 §7.2).
    M,
}

impl Timer {
    /// What the timer is set to at first; `None`: never started on this transport.
    #[must_use]
    pub const fn first(self, reliability: Reliability) -> Option<Duration> {
        match (self, reliability) {
            (Self::A | Self::E | Self::G, Reliability::Unreliable) => Some(T1),
            (Self::A | Self::E | Self::G, Reliability::Reliable) => None,
            (Self::B | Self::F | Self::H | Self::L | Self::M, _)
            | (Self::D | Self::J, Reliability::Unreliable) => Some(PATIENCE),
            (Self::I | Self::K, Reliability::Unreliable) => Some(T4),
            (Self::D | Self::I | Self::J | Self::K, Reliability::Reliable) => Some(Duration::ZERO),
        }
    }

    /// When the timer, started now, fires; a timer that this transport does not need fires at once.
    #[must_use]
    pub fn deadline(self, now: Timestamp, reliability: Reliability) -> Timestamp {
        now + self.first(reliability).unwrap_or_default()
    }

    /// The longest pause of a timer that doubles.
    const fn ceiling(self) -> Duration {
        match self {
            Self::E | Self::G => T2,
            Self::A
            | Self::B
            | Self::D
            | Self::F
            | Self::H
            | Self::I
            | Self::J
            | Self::K
            | Self::L
            | Self::M => PATIENCE,
        }
    }
}

/// A repeat that comes due again and again, each pause twice the last up to the timer's ceiling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeat {
    timer: Timer,
    at: Timestamp,
    pause: Duration,
}

impl Repeat {
    /// Starts timer A, E or G; `None` on a transport that repeats by itself.
    #[must_use]
    pub fn start(timer: Timer, now: Timestamp, reliability: Reliability) -> Option<Self> {
        timer.first(reliability).map(|pause| Self { timer, at: now + pause, pause })
    }

    /// When the next repeat is due.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// True once per repeat that is due; sets the next one. Repeats missed while nobody asked (a
    /// process that was away) are not made up for.
    #[must_use]
    pub fn due(&mut self, now: Timestamp) -> bool {
        if now < self.at {
            return false;
        }
        self.pause = (self.pause * 2).min(self.timer.ceiling());
        self.at = now + self.pause;
        true
    }

    /// A provisional response slows a request that is not an INVITE down to T2 (RFC 3261 §17.1.2.2).
    pub fn slow_down(&mut self, now: Timestamp) {
        self.pause = T2;
        self.at = self.at.min(now + T2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Milliseconds at which a repeat falls due within 64*T1.
    fn repeats(timer: Timer) -> Vec<u64> {
        let mut repeat = Repeat::start(timer, Timestamp::EPOCH, Reliability::Unreliable).unwrap();
        let mut at = Vec::new();
        while repeat.at() < Timestamp::EPOCH + PATIENCE {
            at.push(repeat.at().as_millis());
            assert!(repeat.due(repeat.at()));
        }
        at
    }

    #[test]
    fn an_invite_is_repeated_as_rfc_3261_17_1_1_2_draws_it() {
        assert_eq!(repeats(Timer::A), [500, 1_500, 3_500, 7_500, 15_500, 31_500]); // seven requests with the first
    }

    #[test]
    fn other_requests_and_responses_are_repeated_up_to_every_four_seconds() {
        let expected = [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
        assert_eq!(repeats(Timer::E), expected); // §17.1.2.2: eleven requests with the first
        assert_eq!(repeats(Timer::G), expected); // §13.3.1.4, §17.2.1
    }

    #[test]
    fn a_reliable_transport_repeats_nothing_and_lingers_nowhere() {
        for timer in [Timer::A, Timer::E, Timer::G] {
            assert_eq!(Repeat::start(timer, Timestamp::EPOCH, Reliability::Reliable), None);
        }
        for timer in [Timer::D, Timer::I, Timer::J, Timer::K] {
            assert_eq!(timer.deadline(Timestamp::EPOCH, Reliability::Reliable), Timestamp::EPOCH);
        }
        for timer in [Timer::B, Timer::F, Timer::H, Timer::L, Timer::M] {
            assert_eq!(timer.first(Reliability::Reliable), Some(PATIENCE));
        }
    }

    #[test]
    fn a_process_that_was_away_repeats_once_not_six_times() {
        let mut repeat = Repeat::start(Timer::A, Timestamp::EPOCH, Reliability::Unreliable).unwrap();
        let back = Timestamp::from_millis(9_000);
        assert!(repeat.due(back));
        assert!(!repeat.due(back));
        assert_eq!(repeat.at(), Timestamp::from_millis(10_000));
    }
}
