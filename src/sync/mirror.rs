//! An owner's stream of saves: which of them are durable (DESIGN §6, 1).
//!
//! ```text
//!  saved 7 ─► journal has 7, mirrors acknowledged b:7 c:5 ─► with one acknowledgement needed: durable through 7
//! ```
//! To acknowledge n means "I hold every live record as of n".
//!
//! Where no mirror is there, the journal alone counts only for numbers of which a majority of the voters has heard by a
//! beat: so a claim knows that it lacks something, and takes the calls as stale. Without that a save whose message left
//! would be overlooked if its owner died before its next beat.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Incarnation;
use crate::time::Timestamp;

/// How far a stream is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Durable {
    /// What depends on saves up to this number may leave.
    pub through: u64,
    /// Fewer mirrors than the settings want hold it: calls go on, none starts.
    pub degraded: bool,
}

/// A mirror of the stream.
#[derive(Clone, Copy, Debug)]
struct Mirror {
    acknowledged: u64,
    /// Since when it lacks something that was sent to it.
    behind: Option<Timestamp>,
}

/// The saves of an incarnation.
#[derive(Clone, Debug)]
pub struct Stream {
    saved: u64,
    journal: u64,
    /// Acknowledgements that are needed beside the journal.
    needed: usize,
    /// A mirror that acknowledges nothing for so long counts as absent.
    patience: Duration,
    mirrors: BTreeMap<Incarnation, Mirror>,
    /// Of which number a majority of the voters has heard.
    known: u64,
    through: u64,
}

impl Stream {
    /// A stream without saves; `needed` mirrors must hold what it depends on, and one that acknowledges nothing for two
    /// promises counts as absent.
    #[must_use]
    pub fn new(needed: usize, promise: Duration) -> Self {
        let (saved, journal, known, through) = (0, 0, 0, 0);
        Self { saved, journal, needed, patience: promise * 2, mirrors: BTreeMap::new(), known, through }
    }

    /// Promises last so long from now on.
    pub fn promises_last(&mut self, promise: Duration) {
        self.patience = promise * 2;
    }

    /// The number of its last save.
    #[must_use]
    pub const fn saved(&self) -> u64 {
        self.saved
    }

    /// Something is to be saved: its number. It goes to the journal and to every mirror.
    pub fn save(&mut self, now: Timestamp) -> u64 {
        self.saved += 1;
        for mirror in self.mirrors.values_mut() {
            mirror.behind.get_or_insert(now);
        }
        self.saved
    }

    /// The journal holds everything up to this number.
    pub fn journal_has(&mut self, number: u64) {
        self.journal = self.journal.max(number.min(self.saved));
    }

    /// A majority of the voters has heard that the stream reaches this number.
    pub fn known(&mut self, number: u64) {
        self.known = self.known.max(number);
    }

    /// A mirror has joined: it holds nothing yet.
    pub fn joined(&mut self, now: Timestamp, mirror: Incarnation) {
        let behind = (self.saved > 0).then_some(now);
        self.mirrors.entry(mirror).or_insert(Mirror { acknowledged: 0, behind });
    }

    /// A mirror holds every live record as of this number. What it was never sent it cannot hold.
    pub fn acknowledged(&mut self, now: Timestamp, mirror: Incarnation, number: u64) {
        let saved = self.saved;
        if let Some(mirror) = self.mirrors.get_mut(&mirror)
            && number <= saved
            && number > mirror.acknowledged
        {
            mirror.acknowledged = number;
            mirror.behind = (number < saved).then_some(now);
        }
    }

    /// A mirror is no more: what it held lapses. The numbers that it alone held beside the journal, to be sent again.
    pub fn lapsed(&mut self, mirror: Incarnation) -> Option<std::ops::RangeInclusive<u64>> {
        let gone = self.mirrors.remove(&mirror)?.acknowledged;
        let next = self.mirrors.values().map(|mirror| mirror.acknowledged).max().unwrap_or(0);
        (next < gone).then_some(next + 1..=gone)
    }

    /// How far it is durable. What was durable stays so.
    pub fn durable(&mut self, now: Timestamp) -> Durable {
        let patience = self.patience;
        let is_there = |mirror: &&Mirror| mirror.behind.is_none_or(|since| now.since(since) <= patience);
        let mut held: Vec<u64> =
            self.mirrors.values().filter(is_there).map(|mirror| mirror.acknowledged).collect();
        held.sort_unstable_by(|one, other| other.cmp(one));
        let degraded = held.len() < self.needed;
        // With fewer mirrors than wanted, all that there are; with none, the journal alone.
        let counts = self.needed.min(held.len());
        let mirrored = counts.checked_sub(1).and_then(|last| held.get(last)).copied();
        let alone = if self.needed == 0 { u64::MAX } else { self.known };
        self.through = self.through.max(self.journal.min(mirrored.unwrap_or(alone)));
        Durable { through: self.through, degraded }
    }

    /// When a mirror will count as absent if it acknowledges nothing.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.mirrors.values().filter_map(|mirror| mirror.behind).map(|since| since + self.patience).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: Duration = Duration::from_millis(250);

    fn one(name: &str) -> Incarnation {
        Incarnation { node: name.parse().unwrap(), run: 1 }
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    /// Needs one mirror of two, with one save in the journal.
    fn stream() -> Stream {
        let mut stream = Stream::new(1, T);
        stream.joined(at(0), one("b"));
        stream.joined(at(0), one("c"));
        assert_eq!(stream.save(at(0)), 1);
        stream.journal_has(1);
        stream
    }

    #[test]
    fn a_save_is_durable_in_the_journal_and_one_mirror() {
        let mut stream = stream();
        assert_eq!(stream.durable(at(1)), Durable { through: 0, degraded: false });
        stream.acknowledged(at(2), one("c"), 1);
        assert_eq!(stream.durable(at(2)), Durable { through: 1, degraded: false });
        stream.save(at(3));
        stream.acknowledged(at(4), one("b"), 2);
        assert_eq!(stream.durable(at(4)).through, 1, "the journal has not got it");
        stream.journal_has(2);
        assert_eq!(stream.durable(at(4)).through, 2);
    }

    #[test]
    fn a_mirror_that_acknowledges_nothing_counts_as_absent_after_two_promises() {
        let mut stream = stream();
        assert_eq!(stream.durable(at(500)), Durable { through: 0, degraded: false });
        assert_eq!(stream.poll_timeout(), Some(at(500)));
        assert_eq!(stream.durable(at(501)), Durable { through: 0, degraded: true }, "no voter knows of it");
        stream.known(1);
        assert_eq!(stream.durable(at(501)), Durable { through: 1, degraded: true }, "the journal alone");
        stream.acknowledged(at(600), one("b"), 1);
        assert!(!stream.durable(at(600)).degraded, "it is back");
        stream.save(at(700));
        stream.promises_last(4 * T);
        assert!(!stream.durable(at(2_700)).degraded, "promises are longer");
        assert!(stream.durable(at(2_701)).degraded);
    }

    #[test]
    fn with_two_needed_and_one_there_that_one_counts() {
        let mut stream = Stream::new(2, T);
        stream.joined(at(0), one("b"));
        stream.save(at(0));
        stream.journal_has(1);
        assert_eq!(stream.durable(at(1)), Durable { through: 0, degraded: true });
        stream.acknowledged(at(2), one("b"), 1);
        assert_eq!(stream.durable(at(2)), Durable { through: 1, degraded: true });
    }

    #[test]
    fn what_only_a_lost_mirror_held_is_sent_again() {
        let mut stream = stream();
        stream.save(at(1));
        stream.save(at(1));
        stream.acknowledged(at(2), one("b"), 3);
        stream.acknowledged(at(2), one("c"), 1);
        assert_eq!(stream.lapsed(one("c")), None, "the other one holds more");
        assert_eq!(stream.lapsed(one("b")), Some(1..=3));
        assert_eq!(stream.lapsed(one("b")), None);
    }

    #[test]
    fn a_mirror_cannot_hold_what_it_was_not_sent_nor_speak_before_it_joined() {
        let mut stream = stream();
        stream.acknowledged(at(1), one("b"), 2);
        stream.acknowledged(at(1), one("x"), 1);
        assert_eq!(stream.durable(at(1)).through, 0);
    }

    #[test]
    fn without_mirrors_wanted_the_journal_is_enough() {
        let mut stream = Stream::new(0, T);
        stream.save(at(0));
        stream.journal_has(1);
        assert_eq!(stream.durable(at(0)), Durable { through: 1, degraded: false });
    }
}
