//! What a trunk has room for: calls at once (`channels`) and starts a second (`cps`), as its settings say.
//!
//! ```text
//! place ─► admit ─┬─ channels taken, too many starts wait ─► refused, or by the next trunk
//!                 └─ Channel, until the call has its outcome ─► slot: when its INVITE may leave
//! next trunk of a call ─► its Channel moves there; without room it is passed over, as one that asked for quiet
//! ```
//! Soft: a process that goes on with the calls of the one before counts them anew.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::settings::Trunk;
use crate::time::Timestamp;

/// The time that `cps` counts over.
const SECOND: Duration = Duration::from_secs(1);
/// So long a start may wait until `cps` lets it leave; whoever would wait longer is refused.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The budgets of all trunks, by their names: there are no more than the settings had.
#[derive(Debug, Default)]
pub(crate) struct Budgets(Mutex<BTreeMap<String, Used>>);

/// What one trunk has, and what of it is used.
#[derive(Debug, Default)]
struct Used {
    channels: Option<u32>,
    cps: Option<u32>,
    calls: u32,
    /// When the last `cps` INVITEs left or will leave, the oldest first.
    starts: VecDeque<Timestamp>,
    refused: u64,
}

/// Why a trunk has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoom {
    /// As many calls as it may have.
    Channels(u32),
    /// More starts wait than may.
    Starts(u32),
}

/// How a trunk's budget stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkUsage {
    /// Its name.
    pub trunk: String,
    /// Its calls without an outcome.
    pub calls: u32,
    /// Most calls that its settings allow; `None`: any number.
    pub channels: Option<u32>,
    /// Most starts a second; `None`: any number.
    pub cps: Option<u32>,
    /// Calls that found no room on it.
    pub refused: u64,
}

/// A call's place on its trunk; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Channel {
    budgets: Arc<Budgets>,
    trunk: String,
}

impl Budgets {
    /// As these settings have it.
    pub(crate) fn of(trunks: &BTreeMap<String, Trunk>) -> Self {
        let budgets = Self::default();
        budgets.renew(trunks);
        budgets
    }

    /// From now on other settings hold. Calls beyond them go on.
    pub(crate) fn renew(&self, trunks: &BTreeMap<String, Trunk>) {
        let mut all = self.all();
        all.retain(|name, used| used.calls > 0 || trunks.contains_key(name));
        for used in all.values_mut() {
            (used.channels, used.cps) = (None, None);
        }
        for (name, trunk) in trunks {
            let used = all.entry(name.clone()).or_default();
            (used.channels, used.cps) = (trunk.channels, trunk.cps);
        }
    }

    /// Takes the place of a call.
    pub(crate) fn admit(self: &Arc<Self>, trunk: &str, now: Timestamp) -> Result<Channel, NoRoom> {
        let mut all = self.all();
        let used = all.entry(trunk.to_owned()).or_default();
        used.room(now, LONGEST_WAIT).inspect_err(|_| used.refused += 1)?;
        Ok(self.occupy(used, trunk))
    }

    /// Takes the place of a call that is there already, whether there is room or not.
    pub(crate) fn occupied(self: &Arc<Self>, trunk: &str) -> Channel {
        let mut all = self.all();
        let used = all.entry(trunk.to_owned()).or_default();
        self.occupy(used, trunk)
    }

    /// Whether a call that another trunk did not carry may go on through this one now.
    pub(crate) fn has_room(&self, trunk: &str, now: Timestamp) -> bool {
        self.all().get(trunk).is_none_or(|used| used.room(now, Duration::ZERO).is_ok())
    }

    /// How all of them stand.
    pub(crate) fn usage(&self) -> Vec<TrunkUsage> {
        let all = self.all();
        let of = |(trunk, used): (&String, &Used)| {
            let Used { channels, cps, calls, refused, .. } = *used;
            TrunkUsage { trunk: trunk.clone(), calls, channels, cps, refused }
        };
        all.iter().map(of).collect()
    }

    fn occupy(self: &Arc<Self>, used: &mut Used, trunk: &str) -> Channel {
        used.calls += 1;
        Channel { budgets: Arc::clone(self), trunk: trunk.to_owned() }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Used>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Used {
    /// Whether one more call may begin, its INVITE leaving within `wait`.
    fn room(&self, now: Timestamp, wait: Duration) -> Result<(), NoRoom> {
        match (self.channels, self.cps) {
            (Some(channels), _) if self.calls >= channels => Err(NoRoom::Channels(channels)),
            (_, Some(cps)) if self.next(cps, now) > now + wait => Err(NoRoom::Starts(cps)),
            (_, _) => Ok(()),
        }
    }

    /// When the next INVITE may leave.
    fn next(&self, cps: u32, now: Timestamp) -> Timestamp {
        let cps = usize::try_from(cps).unwrap_or(usize::MAX);
        let before = self.starts.len().checked_sub(cps).and_then(|at| self.starts.get(at));
        before.map_or(now, |before| now.max(*before + SECOND))
    }

    fn start(&mut self, now: Timestamp) -> Timestamp {
        let Some(cps) = self.cps else { return now };
        let at = self.next(cps, now);
        self.starts.push_back(at);
        while self.starts.len() > usize::try_from(cps).unwrap_or(usize::MAX) {
            self.starts.pop_front();
        }
        at
    }
}

impl Channel {
    /// Takes the moment at which the call's INVITE may leave: now, or when `cps` allows the next one.
    pub(crate) fn slot(&self, now: Timestamp) -> Timestamp {
        self.budgets.all().get_mut(&self.trunk).map_or(now, |used| used.start(now))
    }

    /// Whether its INVITE may have to wait.
    pub(crate) fn is_paced(&self) -> bool {
        self.budgets.all().get(&self.trunk).is_some_and(|used| used.cps.is_some())
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        if let Some(used) = self.budgets.all().get_mut(&self.trunk) {
            used.calls = used.calls.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budgets(channels: Option<u32>, cps: Option<u32>) -> Arc<Budgets> {
        let trunk = Trunk { channels, cps, ..Trunk::direct("192.0.2.1:5060".parse().unwrap()) };
        Arc::new(Budgets::of(&BTreeMap::from([("a".to_owned(), trunk)])))
    }

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn channels_are_taken_and_given_back() {
        let budgets = budgets(Some(2), None);
        let one = budgets.admit("a", at(0)).unwrap();
        let _two = budgets.admit("a", at(0)).unwrap();
        assert_eq!(budgets.admit("a", at(0)).unwrap_err(), NoRoom::Channels(2));
        assert!(!budgets.has_room("a", at(0)) && budgets.has_room("b", at(0)));
        drop(one);
        let resumed = [budgets.admit("a", at(0)).unwrap(), budgets.occupied("a")];
        let usage = budgets.usage().remove(0);
        assert_eq!((usage.calls, usage.channels, usage.refused), (3, Some(2), 1));
        drop(resumed);
        assert_eq!(budgets.usage().remove(0).calls, 1);
    }

    #[test]
    fn no_more_invites_leave_in_any_second_than_cps_says() {
        let budgets = budgets(None, Some(3));
        let calls: Vec<Channel> = (0..9).map(|_| budgets.admit("a", at(0)).unwrap()).collect();
        let mut slots: Vec<u64> = calls.iter().map(|call| call.slot(at(0)).as_millis()).collect();
        slots.push(budgets.admit("a", at(2_900)).unwrap().slot(at(2_900)).as_millis());
        slots.push(budgets.admit("a", at(9_000)).unwrap().slot(at(9_000)).as_millis());
        assert_eq!(slots, [0, 0, 0, 1_000, 1_000, 1_000, 2_000, 2_000, 2_000, 3_000, 9_000]);
        assert!(slots.windows(4).all(|four| four[3] - four[0] >= 1_000));
    }

    #[test]
    fn a_start_that_would_wait_too_long_is_refused_and_another_trunk_is_not_waited_for() {
        let budgets = budgets(None, Some(1));
        for second in 0..6 {
            assert_eq!(budgets.admit("a", at(0)).unwrap().slot(at(0)), at(second * 1_000));
        }
        assert_eq!(budgets.admit("a", at(0)).unwrap_err(), NoRoom::Starts(1));
        assert!(budgets.admit("a", at(1_000)).is_ok());
        assert!(!budgets.has_room("a", at(5_999)) && budgets.has_room("a", at(6_000)));
    }

    #[test]
    fn other_settings_hold_at_once() {
        let budgets = budgets(Some(1), None);
        let call = budgets.admit("a", at(0)).unwrap();
        budgets.renew(&BTreeMap::new());
        assert!(budgets.admit("a", at(0)).is_ok(), "a trunk that is gone has no budget");
        drop(call);
        assert_eq!(budgets.usage().remove(0).calls, 0);
        budgets.renew(&BTreeMap::new());
        assert_eq!(budgets.usage(), []);
    }
}
