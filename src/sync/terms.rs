//! What holds for an incarnation: who votes on it, and how long a promise lasts.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::NodeId;

/// The fewest voters with which one may be lost.
const FEWEST: usize = 3;
/// The most: each beat goes to all of them.
const MOST: usize = 5;
/// The shortest and the longest promise.
const SHORTEST: Duration = Duration::from_millis(150);
pub(super) const LONGEST: Duration = Duration::from_secs(10);

/// The members that promise and vote: 3 or 5, instances or witnesses. Fewer than three decide nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voters(BTreeSet<NodeId>);

/// Terms that cannot hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// How many voters.
    #[error(
        "{count} voters; list 3 or 5 members (a witness may be one of them), or none: then nobody takes calls over"
    )]
    Voters {
        /// How many are listed.
        count: usize,
    },
    /// How long a promise.
    #[error("a promise lasts {} ms; it may last {} ms to {} s", .promise.as_millis(), SHORTEST.as_millis(), LONGEST.as_secs())]
    Promise {
        /// As given.
        promise: Duration,
    },
}

impl Voters {
    /// A list.
    ///
    /// # Errors
    /// Unless there are none, 3 or 5.
    pub fn new(members: impl IntoIterator<Item = NodeId>) -> Result<Self, TermsError> {
        let members: BTreeSet<NodeId> = members.into_iter().collect();
        match members.len() {
            0 | FEWEST | MOST => Ok(Self(members)),
            count => Err(TermsError::Voters { count }),
        }
    }

    /// Nobody votes: a member may always speak, and nobody takes over.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Whether nobody votes.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it votes.
    #[must_use]
    pub fn lists(&self, node: NodeId) -> bool {
        self.0.contains(&node)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.0.iter().copied()
    }

    /// How many make a majority.
    #[must_use]
    pub fn majority(&self) -> usize {
        self.0.len() / 2 + 1
    }
}

/// What holds for an incarnation; it stands in its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Who votes.
    pub voters: Voters,
    /// T: how long who promised does not confirm the absence of the one it promised.
    pub promise: Duration,
}

impl Terms {
    /// Terms that can hold.
    ///
    /// # Errors
    /// If the promise is too short for beats every 50 ms on a busy machine, or longer than anybody waits.
    pub fn new(voters: Voters, promise: Duration) -> Result<Self, TermsError> {
        if !(SHORTEST..=LONGEST).contains(&promise) {
            return Err(TermsError::Promise { promise });
        }
        Ok(Self { voters, promise })
    }
}

/// How long an owner counts a promise, from before it sent the beat: shorter than who gave it, for clocks that drift by
/// up to 5 % either way (0.9 / 0.95 < 1 / 1.05).
pub(super) fn counted(promise: Duration) -> Duration {
    promise * 9 / 10
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(count: usize) -> Vec<NodeId> {
        (0..count).map(|n| format!("n{n}").parse().unwrap()).collect()
    }

    #[test]
    fn three_or_five_vote_or_nobody() {
        for count in [0, 3, 5] {
            assert!(Voters::new(nodes(count)).is_ok());
        }
        for count in [1, 2, 4, 6] {
            assert_eq!(Voters::new(nodes(count)), Err(TermsError::Voters { count }));
        }
        assert_eq!(Voters::new(nodes(3)).unwrap().majority(), 2);
        assert_eq!(Voters::new(nodes(5)).unwrap().majority(), 3);
    }

    #[test]
    fn a_promise_is_counted_shorter_than_it_is_given_whatever_the_clocks() {
        let terms = Terms::new(Voters::none(), Duration::from_millis(250)).unwrap();
        // The owner's clock is slow, so that its time is long; the other's is fast.
        assert!(counted(terms.promise).as_secs_f64() / 0.95 < terms.promise.as_secs_f64() / 1.05);
        assert!(Terms::new(Voters::none(), Duration::from_millis(50)).is_err());
        assert!(Terms::new(Voters::none(), Duration::from_secs(60)).is_err());
    }
}
