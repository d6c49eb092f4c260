//! The 20 ms wheel: which calls are due in which millisecond. Pure: time comes in.
//!
//! ```text
//! slot   0    1    2   ...   19        one turn = 20 ms, a slot = 1 ms
//!       [a,k][b]  [c,m]      [j]       each call is served once a turn, in its slot
//! ```
//! Calls are spread so that no millisecond has to serve a burst. A wheel that is behind serves the slots
//! that it missed one after another, as long as it is less than [`CATCH_UP`] behind; beyond that a burst of old
//! packets would only overrun the callee's jitter buffer, so it skips to the present turn.

use std::time::Duration;

use crate::time::Timestamp;

/// Slots of a turn, one a millisecond: the packet time of 20 ms.
pub(crate) const SLOTS: usize = 20;
const TURN_MS: u64 = 20;
/// How far behind a wheel may be and still serve what it missed: five packets, about what a telephone's jitter
/// buffer takes.
pub(crate) const CATCH_UP: Duration = Duration::from_millis(100);

/// The wheel of one media thread; `K` names a call's stream.
#[derive(Debug)]
pub(crate) struct Wheel<K> {
    slots: [Vec<K>; SLOTS],
    /// Milliseconds since the epoch of the next slot to serve.
    next_ms: u64,
}

/// One slot to serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    /// Its index.
    pub(crate) slot: usize,
    /// When it was due: a stream's tick follows from this, not from the time of service.
    pub(crate) due: Timestamp,
}

impl<K: Copy + PartialEq> Wheel<K> {
    /// An empty wheel that begins now.
    pub(crate) fn new(now: Timestamp) -> Self {
        Self { slots: std::array::from_fn(|_| Vec::new()), next_ms: now.as_millis() }
    }

    /// Puts a stream that begins at `begins` into the least loaded slot, of equals the one that is served soonest,
    /// and says which.
    pub(crate) fn insert(&mut self, key: K, begins: Timestamp) -> usize {
        let first = slot_of((begins + Duration::from_micros(999)).as_millis().max(self.next_ms));
        let slot = (0..SLOTS)
            .map(|delay| (first + delay) % SLOTS)
            .min_by_key(|&slot| self.slots[slot].len())
            .expect("a wheel has slots");
        self.slots[slot].push(key);
        slot
    }

    /// Takes a stream out of the slot that `insert` named.
    pub(crate) fn remove(&mut self, key: K, slot: usize) {
        self.slots[slot].retain(|&other| other != key);
    }

    /// The streams of a slot.
    pub(crate) fn streams(&self, slot: usize) -> &[K] {
        &self.slots[slot]
    }

    /// When the next slot with a stream in it is due; `None` if the wheel is empty.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        (self.next_ms..self.next_ms + TURN_MS)
            .find(|&ms| !self.slots[slot_of(ms)].is_empty())
            .map(Timestamp::from_millis)
    }

    /// The next slot that is due and not empty; call until `None`. Turns that are too far in the past are left out.
    pub(crate) fn turn(&mut self, now: Timestamp) -> Option<Turn> {
        let now_ms = now.as_millis();
        if now.since(Timestamp::from_millis(self.next_ms)) > CATCH_UP {
            // Every slot's latest due time lies within the last turn.
            self.next_ms = now_ms + 1 - TURN_MS;
        }
        while self.next_ms <= now_ms {
            let (slot, due) = (slot_of(self.next_ms), Timestamp::from_millis(self.next_ms));
            self.next_ms += 1;
            if !self.slots[slot].is_empty() {
                return Some(Turn { slot, due });
            }
        }
        None
    }
}

fn slot_of(ms: u64) -> usize {
    usize::try_from(ms % TURN_MS).expect("below 20")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + ms)
    }

    fn served(wheel: &mut Wheel<char>, now: Timestamp) -> Vec<(char, Timestamp)> {
        let mut served = Vec::new();
        while let Some(turn) = wheel.turn(now) {
            served.extend(wheel.streams(turn.slot).iter().map(|&key| (key, turn.due)));
        }
        served
    }

    #[test]
    fn a_call_alone_is_served_every_20_ms_from_its_wish() {
        let mut wheel = Wheel::new(at(0));
        wheel.insert('a', at(3));
        assert_eq!(wheel.next_due(), Some(at(3)));
        assert_eq!(served(&mut wheel, at(2)), []);
        assert_eq!(served(&mut wheel, at(3)), [('a', at(3))]);
        assert_eq!(wheel.next_due(), Some(at(23)));
        assert_eq!(served(&mut wheel, at(45)), [('a', at(23)), ('a', at(43))]);
    }

    #[test]
    fn a_burst_of_calls_is_spread_over_the_turn() {
        let mut wheel = Wheel::new(at(0));
        for call in 0..500 {
            wheel.insert(call, at(7));
        }
        for slot in 0..SLOTS {
            assert_eq!(wheel.streams(slot).len(), 25);
        }
        wheel.remove(0, 7);
        assert_eq!(wheel.insert(999, at(12)), 7, "a call that left makes room");
    }

    #[test]
    fn what_was_missed_is_caught_up_within_the_bound() {
        let mut wheel = Wheel::new(at(0));
        wheel.insert('a', at(0));
        wheel.insert('b', at(10));
        assert_eq!(served(&mut wheel, at(0)), [('a', at(0))]);
        let late = served(&mut wheel, at(50));
        assert_eq!(late, [('b', at(10)), ('a', at(20)), ('b', at(30)), ('a', at(40)), ('b', at(50))]);
    }

    #[test]
    fn beyond_the_bound_each_call_is_served_once_and_goes_on() {
        let mut wheel = Wheel::new(at(0));
        wheel.insert('a', at(0));
        wheel.insert('b', at(10));
        let late = served(&mut wheel, at(1_005));
        assert_eq!(late, [('b', at(990)), ('a', at(1_000))]);
        assert_eq!(served(&mut wheel, at(1_020)), [('b', at(1_010)), ('a', at(1_020))]);
    }

    #[test]
    fn an_empty_wheel_is_never_due() {
        let mut wheel = Wheel::<char>::new(at(0));
        assert_eq!(wheel.next_due(), None);
        assert_eq!(wheel.turn(at(5_000)), None);
        wheel.insert('a', at(5_000));
        assert_eq!(served(&mut wheel, at(5_000)), [], "idle time is not owed");
        assert_eq!(
            served(&mut wheel, at(5_001)),
            [('a', at(5_001))],
            "and a new call does not wait for a turn"
        );
    }
}
