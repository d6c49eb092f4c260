//! Who may speak to us at all, how much a stranger may cost, and whom we ping.
//!
//! ```text
//! from a trunk's address or sources ─► read
//! from elsewhere: every trunk lists its sources, and strangers are dropped ─► not even read
//!                 else, within the budget ─► read; for a call: its trunk decides (the shard asks)
//!                                                   for none: dropped or answered, as [sip] strangers says
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use crate::settings::{Prefix, Settings, Strangers};
use crate::time::Timestamp;

/// Messages of strangers that one thread reads in a second, all together: far more than peers behind proxies send,
/// far less than what a core can read.
pub(super) const STRANGERS_A_SECOND: u32 = 500;
/// Stateless answers that one thread gives in a second: a forged source must not make us a flood of our own.
pub(crate) const ANSWERS_A_SECOND: u32 = 1_000;

/// Who may speak, by the settings as they are now.
#[derive(Debug)]
pub(crate) struct Gate {
    rules: RwLock<Rules>,
}

/// What the settings say about sources.
#[derive(Debug)]
struct Rules {
    addresses: BTreeSet<IpAddr>,
    sources: Vec<Prefix>,
    strangers: Strangers,
    /// Trunks whose connections are pinged at a pace of their own.
    pings: BTreeMap<SocketAddr, Option<Duration>>,
    /// Does every trunk say from where it speaks?
    is_closed: bool,
}

/// Who a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// A trunk may speak from there.
    Known,
    /// No trunk names it.
    Stranger,
}

impl Rules {
    fn of(settings: &Settings) -> Self {
        let trunks = || settings.trunks.values();
        Self {
            addresses: trunks().map(|trunk| trunk.address.ip()).collect(),
            sources: trunks().filter_map(|trunk| trunk.sources.as_ref()).flatten().copied().collect(),
            strangers: settings.sip.strangers,
            pings: trunks().map(|trunk| (trunk.address, trunk.ping_interval)).collect(),
            is_closed: trunks().all(|trunk| trunk.sources.is_some()),
        }
    }
}

impl Gate {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self { rules: RwLock::new(Rules::of(settings)) }
    }

    /// From now on these settings say who may speak.
    pub(crate) fn renew(&self, settings: &Settings) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Rules::of(settings);
    }

    fn rules(&self) -> RwLockReadGuard<'_, Rules> {
        self.rules.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who speaks from there.
    pub(super) fn standing(&self, ip: IpAddr) -> Standing {
        let rules = self.rules();
        let known = rules.addresses.contains(&ip) || rules.sources.iter().any(|source| source.contains(ip));
        if known { Standing::Known } else { Standing::Stranger }
    }

    /// After how much silence a connection of ours to there is pinged: as its trunk says, else as is usual.
    pub(super) fn ping(&self, to: SocketAddr, usual: Duration) -> Option<Duration> {
        self.rules().pings.get(&to).copied().unwrap_or(Some(usual))
    }

    /// Can nothing that a stranger says be of any use?
    pub(super) fn is_deaf(&self) -> bool {
        let rules = self.rules();
        rules.is_closed && rules.strangers == Strangers::Drop
    }

    /// Are strangers answered?
    pub(super) fn answers_strangers(&self) -> bool {
        self.rules().strangers == Strangers::Answer
    }
}

/// So many a second, and in a burst as many.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    a_second: u32,
    /// Micro-units: a million are one.
    left: u64,
    counted_at: Timestamp,
}

impl Budget {
    pub(crate) fn new(now: Timestamp, a_second: u32) -> Self {
        Self { a_second, left: u64::from(a_second) * 1_000_000, counted_at: now }
    }

    /// Takes one; false if none is left.
    pub(crate) fn take(&mut self, now: Timestamp) -> bool {
        let since = now.since(self.counted_at).min(Duration::from_secs(1));
        let gained =
            u64::try_from(since.as_micros()).unwrap_or(u64::MAX).saturating_mul(u64::from(self.a_second));
        self.left = self.left.saturating_add(gained).min(u64::from(self.a_second) * 1_000_000);
        self.counted_at = now;
        let Some(left) = self.left.checked_sub(1_000_000) else { return false };
        self.left = left;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_a_burst_and_a_rate() {
        let at = Timestamp::from_millis;
        let mut budget = Budget::new(at(0), 10);
        let taken = |budget: &mut Budget, ms| (0..100).filter(|_| budget.take(at(ms))).count();
        assert_eq!(taken(&mut budget, 0), 10);
        assert_eq!(taken(&mut budget, 99), 0);
        assert_eq!(taken(&mut budget, 500), 5);
        assert_eq!(taken(&mut budget, 60_000), 10, "no more than a burst is saved up");
    }

    #[test]
    fn the_settings_say_who_is_known() {
        let gate = |text: &str| Gate::new(&Settings::parse("t", text).unwrap());
        let open = gate("[trunks.a]\naddress = \"192.0.2.1\"\n");
        let closed = gate("[trunks.a]\naddress = \"192.0.2.1\"\nsources = [\"198.51.100.0/28\"]\n");
        for (ip, known) in [("192.0.2.1", Standing::Known), ("192.0.2.2", Standing::Stranger)] {
            assert_eq!(
                (open.standing(ip.parse().unwrap()), closed.standing(ip.parse().unwrap())),
                (known, known)
            );
        }
        assert_eq!(closed.standing("198.51.100.9".parse().unwrap()), Standing::Known);
        assert!(closed.is_deaf() && !open.is_deaf() && !open.answers_strangers());
        let answering = gate("[sip]\nstrangers = \"answer\"\n");
        assert!(answering.answers_strangers() && !answering.is_deaf());
    }
}
