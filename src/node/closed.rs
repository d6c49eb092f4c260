//! Trunks that asked for quiet: a 503 with Retry-After says how long no new request should come (RFC 3261 §21.5.4).
//! Soft: a new process asks anew.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::time::Timestamp;

/// By their names, which are those of the settings: there are no more than trunks.
#[derive(Debug, Default)]
pub(crate) struct Closed(Mutex<BTreeMap<String, Timestamp>>);

impl Closed {
    /// No new call goes through this trunk until then.
    pub(crate) fn close(&self, trunk: String, until: Timestamp, now: Timestamp) {
        let mut closed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = closed.get(&trunk).copied().filter(|before| *before > now);
        if before.is_none() && until > now {
            let seconds = until.since(now).as_secs();
            tracing::warn!(
                trunk,
                seconds,
                "the trunk asks for quiet (503 with Retry-After): new calls go by others"
            );
        }
        let until = before.map_or(until, |before| before.max(until));
        closed.insert(trunk, until);
    }

    /// How long it stays closed; `None`: it is open.
    pub(crate) fn left(&self, trunk: &str, now: Timestamp) -> Option<Duration> {
        let closed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        closed.get(trunk).filter(|until| **until > now).map(|until| until.since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trunk_opens_when_its_time_is_over_and_a_shorter_wish_does_not_open_it() {
        let closed = Closed::default();
        let at = |seconds: u64| Timestamp::from_millis(seconds * 1_000);
        closed.close("a".to_owned(), at(30), at(0));
        closed.close("a".to_owned(), at(12), at(2));
        assert_eq!(closed.left("a", at(10)), Some(Duration::from_secs(20)));
        assert_eq!(closed.left("a", at(30)), None);
        assert_eq!(closed.left("b", at(10)), None);
        closed.close("a".to_owned(), at(45), at(40));
        assert_eq!(closed.left("a", at(40)), Some(Duration::from_secs(5)));
    }
}
