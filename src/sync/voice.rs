//! The owner's side of promises: whether it may send.
//!
//! ```text
//!  Waiting ── a majority promises ──► Speaking ── the majority had a gap ──► Silent, for this incarnation's life
//!     └────── none within 0.9 T of asking for the key ─────────────────────────┘
//! ```
//! Who waits has nothing that could have a gap. Voters that never heard it find it absent T after they read its key, and
//! a claim may be on its way while their first promises are: so who was not promised before that could be never speaks.
//!
//! A shorter T cuts what was promised before, for good, from before the key says so: a voter that has restarted since
//! knows nothing of the longer promise that it gave, and goes by the key; one that has not goes by what the last beat
//! asked for.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Terms;
use super::terms::counted;
use crate::id::NodeId;
use crate::time::Timestamp;

/// Whether an incarnation may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// Not yet: no majority has promised.
    Waiting,
    /// It may.
    Speaking,
    /// Never again: the majority had a gap.
    Silent,
}

/// Until when the edge may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// Nobody votes: always.
    Always,
    /// Before this time.
    Before(Timestamp),
    /// Not.
    Not,
}

/// A promise that is asked for, or held: from before its beat left, and until when it counts.
#[derive(Clone, Copy, Debug)]
struct Promise {
    from: Timestamp,
    until: Timestamp,
}

impl Promise {
    fn new(from: Timestamp, promise: Duration) -> Self {
        Self { from, until: from + counted(promise) }
    }

    /// Until when it counts where promises last so long.
    fn until(self, promise: Duration) -> Timestamp {
        self.until.min(self.from + counted(promise))
    }
}

/// A beat on its way.
#[derive(Clone, Copy, Debug)]
struct Sent {
    number: u64,
    /// What answers it.
    promise: Promise,
    /// How far the stream of saves was when it left.
    saved: u64,
}

/// The promises that an incarnation holds.
#[derive(Clone, Debug)]
pub(super) struct Voice {
    me: NodeId,
    /// More than one while the list changes: each needs its majority.
    terms: Vec<Terms>,
    /// Beats whose promise could still hold.
    sent: VecDeque<Sent>,
    promised: BTreeMap<NodeId, Promise>,
    /// Of which number of the stream each voter has heard.
    heard: BTreeMap<NodeId, u64>,
    /// When the key of this incarnation was asked for, or before.
    asked: Timestamp,
    standing: Standing,
}

impl Voice {
    pub(super) fn new(asked: Timestamp, me: NodeId, terms: Terms) -> Self {
        let standing = if terms.voters.is_none() { Standing::Speaking } else { Standing::Waiting };
        let (sent, promised, heard) = Default::default();
        Self { me, terms: vec![terms], sent, promised, heard, asked, standing }
    }

    pub(super) const fn standing(&self) -> Standing {
        self.standing
    }

    /// Other terms hold from now on; with `until_read`, only beside those before.
    pub(super) fn change(&mut self, now: Timestamp, terms: Terms, until_read: bool) {
        self.look(now);
        if !until_read {
            self.terms.clear();
        }
        let held = self.promised.values_mut().chain(self.sent.iter_mut().map(|sent| &mut sent.promise));
        held.for_each(|held| held.until = held.until(terms.promise));
        self.terms.push(terms);
        self.look(now);
    }

    /// The promise that it asks for: the shortest, while terms change.
    pub(super) fn wanted(&self) -> Duration {
        self.terms.iter().map(|terms| terms.promise).min().unwrap_or_default()
    }

    /// A beat is about to leave; how long a promise it asks for.
    pub(super) fn beats(&mut self, now: Timestamp, number: u64, saved: u64) -> Duration {
        let wanted = self.wanted();
        self.sent.retain(|sent| sent.promise.until > now);
        self.sent.push_back(Sent { number, promise: Promise::new(now, wanted), saved });
        wanted
    }

    /// A beat was answered: its addressee knows what it told.
    pub(super) fn answered(&mut self, by: NodeId, number: u64) {
        if let Some(sent) = self.sent.iter().find(|sent| sent.number == number) {
            let heard = self.heard.entry(by).or_default();
            *heard = (*heard).max(sent.saved);
        }
    }

    /// A majority knows that the stream reaches this number: no claim can overlook it.
    pub(super) fn known(&self) -> u64 {
        self.terms.iter().map(|terms| self.known_by(terms)).min().unwrap_or(0)
    }

    fn known_by(&self, terms: &Terms) -> u64 {
        if terms.voters.is_none() {
            return u64::MAX; // nobody claims
        }
        let heard =
            |voter| if voter == self.me { u64::MAX } else { self.heard.get(&voter).copied().unwrap_or(0) };
        let mut each: Vec<u64> = terms.voters.iter().map(heard).collect();
        each.sort_unstable_by(|one, other| other.cmp(one));
        each.get(terms.voters.majority() - 1).copied().unwrap_or(0)
    }

    /// Whether a majority by other terms would hold now, too.
    pub(super) fn would_hold(&self, now: Timestamp, terms: &Terms) -> bool {
        match self.majority_of(terms) {
            Until::Always => true,
            Until::Before(until) => now < until,
            Until::Not => false,
        }
    }

    /// A promise came. A gap before it is noticed first.
    pub(super) fn promised(&mut self, now: Timestamp, by: NodeId, number: u64) {
        self.look(now);
        let Some(sent) = self.sent.iter().find(|sent| sent.number == number) else { return };
        let new = sent.promise;
        let held = self.promised.entry(by).or_insert(new);
        if held.until < new.until {
            *held = new;
        }
        self.look(now);
    }

    /// Its key is another's.
    pub(super) const fn silence(&mut self) {
        self.standing = Standing::Silent;
    }

    /// Looks whether the majority holds.
    pub(super) fn look(&mut self, now: Timestamp) {
        let holds = match self.majority() {
            Until::Always => true,
            Until::Before(until) => now < until,
            Until::Not => false,
        };
        let is_late = self.late_from().is_some_and(|late| now >= late);
        self.standing = match (self.standing, holds) {
            (Standing::Waiting, _) if is_late => Standing::Silent,
            (Standing::Waiting | Standing::Speaking, true) => Standing::Speaking,
            (Standing::Waiting, false) => Standing::Waiting,
            (Standing::Speaking, false) | (Standing::Silent, _) => Standing::Silent,
        };
    }

    /// From when on it is too late to speak for the first time.
    pub(super) fn late_from(&self) -> Option<Timestamp> {
        let is_waiting = self.standing == Standing::Waiting;
        is_waiting.then(|| self.asked + counted(self.wanted()))
    }

    /// Until when it may send, if nobody promises anew.
    pub(super) fn until(&self) -> Until {
        match self.standing {
            Standing::Speaking => self.majority(),
            Standing::Waiting | Standing::Silent => Until::Not,
        }
    }

    /// Until when each list's majority holds.
    fn majority(&self) -> Until {
        let each = self.terms.iter().map(|terms| self.majority_of(terms));
        each.reduce(|one, other| match (one, other) {
            (Until::Not, _) | (_, Until::Not) => Until::Not,
            (Until::Always, until) | (until, Until::Always) => until,
            (Until::Before(one), Until::Before(other)) => Until::Before(one.min(other)),
        })
        .unwrap_or(Until::Not)
    }

    fn majority_of(&self, terms: &Terms) -> Until {
        if terms.voters.is_none() {
            return Until::Always;
        }
        let own = usize::from(terms.voters.lists(self.me));
        let others = terms.voters.iter().filter(|voter| *voter != self.me);
        let until = |voter| self.promised.get(&voter).map(|held| held.until(terms.promise));
        let mut promised: Vec<Timestamp> = others.filter_map(until).collect();
        promised.sort_unstable_by(|one, other| other.cmp(one));
        let needed = terms.voters.majority() - own;
        promised.get(needed - 1).map_or(Until::Not, |until| Until::Before(*until))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Voters;
    use super::*;

    const T: u64 = 250;

    fn node(name: &str) -> NodeId {
        name.parse().unwrap()
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    fn terms(names: &[&str]) -> Terms {
        let voters = Voters::new(names.iter().map(|name| node(name))).unwrap();
        Terms::new(voters, Duration::from_millis(T)).unwrap()
    }

    /// A voice of `a`, promised by `b` at time 0.
    fn speaking() -> Voice {
        let mut voice = Voice::new(at(0), node("a"), terms(&["a", "b", "c"]));
        voice.beats(at(0), 1, 0);
        voice.promised(at(2), node("b"), 1);
        voice
    }

    #[test]
    fn a_majority_lasts_from_before_the_beat_that_was_answered() {
        let mut voice = speaking();
        assert_eq!(voice.until(), Until::Before(at(225)), "0.9 T from the beat, not from the answer");
        voice.look(at(224));
        assert_eq!(voice.standing(), Standing::Speaking);
        voice.look(at(225));
        assert_eq!(voice.standing(), Standing::Silent);
    }

    #[test]
    fn a_gap_is_noticed_before_a_late_promise_and_lasts_for_ever() {
        let mut voice = speaking();
        voice.beats(at(200), 2, 0);
        voice.promised(at(230), node("b"), 2);
        assert_eq!((voice.standing(), voice.until()), (Standing::Silent, Until::Not));
        voice.beats(at(240), 3, 0);
        voice.promised(at(241), node("b"), 3);
        voice.promised(at(241), node("c"), 3);
        assert_eq!(voice.standing(), Standing::Silent);
    }

    /// Voters that never heard it may have found it absent by then.
    #[test]
    fn who_is_promised_too_late_for_the_first_time_never_speaks() {
        let mut voice = Voice::new(at(0), node("a"), terms(&["a", "b", "c"]));
        voice.look(at(224));
        assert_eq!((voice.standing(), voice.late_from()), (Standing::Waiting, Some(at(225))));
        voice.beats(at(224), 1, 0);
        voice.promised(at(226), node("b"), 1);
        assert_eq!((voice.standing(), voice.late_from()), (Standing::Silent, None));
    }

    #[test]
    fn one_voter_takes_over_from_another_without_a_gap() {
        let mut voice = speaking();
        voice.beats(at(200), 2, 0);
        voice.promised(at(210), node("c"), 2);
        voice.look(at(300));
        assert_eq!((voice.standing(), voice.until()), (Standing::Speaking, Until::Before(at(425))));
    }

    #[test]
    fn who_is_no_voter_does_not_count_itself() {
        let mut voice = Voice::new(at(0), node("x"), terms(&["a", "b", "c"]));
        voice.beats(at(0), 1, 0);
        voice.promised(at(1), node("a"), 1);
        assert_eq!(voice.standing(), Standing::Waiting);
        voice.promised(at(1), node("x"), 1);
        assert_eq!(voice.standing(), Standing::Waiting);
        voice.promised(at(2), node("c"), 1);
        assert_eq!(voice.standing(), Standing::Speaking);
    }

    #[test]
    fn while_the_list_changes_both_majorities_are_needed() {
        let mut voice = speaking();
        voice.change(at(10), terms(&["c", "d", "e"]), true);
        assert_eq!(voice.standing(), Standing::Silent, "the new ones have promised nothing");
        let mut voice = speaking();
        voice.promised(at(3), node("c"), 1);
        voice.promised(at(3), node("d"), 1);
        voice.change(at(10), terms(&["c", "d", "e"]), true);
        assert_eq!(voice.standing(), Standing::Speaking);
        voice.beats(at(100), 2, 0);
        voice.promised(at(101), node("b"), 2);
        assert_eq!(voice.until(), Until::Before(at(225)), "the new list's promises are older");
    }

    fn lasting(millis: u64) -> Terms {
        Terms { promise: Duration::from_millis(millis), ..terms(&["a", "b", "c"]) }
    }

    #[test]
    fn a_shorter_promise_cuts_those_that_are_held_and_on_their_way_for_good() {
        let mut voice = Voice::new(at(0), node("a"), lasting(2_000));
        voice.beats(at(0), 1, 0);
        voice.promised(at(2), node("b"), 1);
        voice.beats(at(50), 2, 0);
        assert_eq!(voice.until(), Until::Before(at(1_800)));
        assert!(voice.would_hold(at(60), &lasting(T)) && !voice.would_hold(at(225), &lasting(T)));
        voice.change(at(60), lasting(T), true);
        assert_eq!((voice.until(), voice.wanted()), (Until::Before(at(225)), Duration::from_millis(T)));
        voice.promised(at(70), node("b"), 2);
        assert_eq!(
            voice.until(),
            Until::Before(at(275)),
            "it was asked for 2 s, and lasts as long as the key may say"
        );
        voice.change(at(80), lasting(T), false);
        voice.change(at(90), lasting(2_000), true);
        voice.change(at(100), lasting(2_000), false);
        assert_eq!(
            voice.until(),
            Until::Before(at(275)),
            "a voter may have gone by the shorter one meanwhile"
        );
        voice.beats(at(110), 3, 0);
        voice.promised(at(120), node("c"), 3);
        assert_eq!(voice.until(), Until::Before(at(1_910)));
    }

    #[test]
    fn a_longer_promise_is_asked_for_when_it_is_read() {
        let mut voice = speaking();
        voice.change(at(10), lasting(2_000), true);
        voice.beats(at(50), 2, 0);
        voice.promised(at(60), node("b"), 2);
        assert_eq!(voice.until(), Until::Before(at(275)), "its key may still say the shorter one");
        voice.change(at(70), lasting(2_000), false);
        assert_eq!((voice.until(), voice.wanted()), (Until::Before(at(275)), Duration::from_secs(2)));
        voice.beats(at(100), 3, 0);
        voice.promised(at(110), node("c"), 3);
        voice.look(at(1_899));
        assert_eq!((voice.standing(), voice.until()), (Standing::Speaking, Until::Before(at(1_900))));
    }

    #[test]
    fn what_a_majority_has_heard_of_the_stream_is_known() {
        let mut voice = Voice::new(at(0), node("a"), terms(&["a", "b", "c", "d", "e"]));
        voice.beats(at(0), 1, 7);
        voice.beats(at(50), 2, 9);
        voice.answered(node("b"), 2);
        voice.answered(node("x"), 2);
        assert_eq!(voice.known(), 0, "two of five, and a stranger");
        voice.answered(node("c"), 1);
        assert_eq!(voice.known(), 7);
        voice.answered(node("d"), 2);
        voice.answered(node("d"), 1);
        assert_eq!(voice.known(), 9);
        voice.change(at(60), terms(&["b", "x", "y"]), true);
        assert_eq!(voice.known(), 9, "two of three");
        voice.change(at(60), terms(&["c", "y", "z"]), true);
        assert_eq!(voice.known(), 0, "each list has its majority");
        let alone =
            Voice::new(at(0), node("a"), Terms::new(Voters::none(), Duration::from_millis(T)).unwrap());
        assert_eq!(alone.known(), u64::MAX);
    }

    #[test]
    fn an_answer_to_a_beat_that_was_never_sent_is_nothing() {
        let mut voice = speaking();
        voice.promised(at(5), node("c"), 99);
        assert_eq!(voice.until(), Until::Before(at(225)));
    }

    #[test]
    fn without_voters_nothing_is_gated() {
        let mut voice =
            Voice::new(at(0), node("a"), Terms::new(Voters::none(), Duration::from_millis(T)).unwrap());
        voice.look(at(1_000_000));
        assert_eq!((voice.standing(), voice.until()), (Standing::Speaking, Until::Always));
    }
}
