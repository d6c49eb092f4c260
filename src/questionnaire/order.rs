//! In which order things are heard: as written, or drawn for each case.
//!
//! ```text
//! written    a! b c d e!      (a! anchored first, e! anchored last)
//! random     a! d b c e!      any order of the free ones
//! rotated    a! c d b e!      as written, beginning at any of them
//! reversed   a! d c b e!      as written or backwards, one call in two
//! ```
//! An order is drawn from the case's seed and the name of the section or question, and never stored: the
//! same case hears the same order at each attempt, on each node, in each version of Baton. That is why the
//! generator is written out here (SplitMix64) and not borrowed.

use serde::{Deserialize, Serialize};

/// How the parts of a section or the options of a question are ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// As they are written.
    #[default]
    Fixed,
    /// Any order.
    Random,
    /// As written, beginning at any of them.
    Rotated,
    /// As written, or backwards.
    Reversed,
}

impl Order {
    /// Its word in a questionnaire.
    pub(super) const WORDS: [(&str, Self); 4] = [
        ("fixed", Self::Fixed),
        ("random", Self::Random),
        ("rotated", Self::Rotated),
        ("reversed", Self::Reversed),
    ];

    /// Whether it differs from case to case.
    #[must_use]
    pub const fn is_drawn(self) -> bool {
        !matches!(self, Self::Fixed)
    }
}

/// A part that keeps its place where the others are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Anchor {
    /// It is drawn with the others.
    #[default]
    Free,
    /// It stays before all that are drawn.
    First,
    /// It stays behind all that are drawn.
    Last,
}

impl Anchor {
    /// Its words in a questionnaire.
    pub(super) const WORDS: [(&str, Self); 2] = [("first", Self::First), ("last", Self::Last)];
}

/// The parts in the order in which they are heard, by their index as written. Without a seed: an order
/// that is possible in any case.
pub(super) fn heard(order: Order, anchors: &[Anchor], seed: Option<u32>, name: &str) -> Vec<usize> {
    if !order.is_drawn() {
        return (0..anchors.len()).collect();
    }
    let of = |wanted: Anchor| {
        let indices = anchors.iter().enumerate().filter(move |(_, anchor)| **anchor == wanted);
        indices.map(|(index, _)| index)
    };
    let mut free: Vec<usize> = of(Anchor::Free).collect();
    if let Some(seed) = seed {
        let mut lot = Lot::new(seed, name);
        match order {
            Order::Fixed => {}
            Order::Random => lot.shuffle(&mut free),
            Order::Rotated if !free.is_empty() => {
                let start = lot.below(free.len());
                free.rotate_left(start);
            }
            Order::Rotated => {}
            Order::Reversed if lot.below(2) == 1 => free.reverse(),
            Order::Reversed => {}
        }
    }
    of(Anchor::First).chain(free).chain(of(Anchor::Last)).collect()
}

/// Draws by lot: SplitMix64 (Steele, Lea, Flood 2014), begun with the seed and the name (FNV-1a).
struct Lot(u64);

impl Lot {
    fn new(seed: u32, name: &str) -> Self {
        let bytes = seed.to_be_bytes().into_iter().chain(name.bytes());
        Self(bytes.fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
        }))
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `limit`, which is small: the bias of the remainder is below 2⁻⁵⁰.
    fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % limit).expect("it is below a usize")
    }

    /// Fisher and Yates.
    fn shuffle(&mut self, them: &mut [usize]) {
        for last in (1..them.len()).rev() {
            them.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const FREE: [Anchor; 4] = [Anchor::Free; 4];

    /// How often each order comes in 24,000 cases.
    fn counts(order: Order, anchors: &[Anchor]) -> BTreeMap<Vec<usize>, u32> {
        let mut counts = BTreeMap::new();
        for seed in 0..24_000 {
            *counts.entry(heard(order, anchors, Some(seed), "brand")).or_default() += 1;
        }
        counts
    }

    #[test]
    fn every_order_comes_as_often_as_any_other() {
        for (order, orders) in
            [(Order::Random, 24), (Order::Rotated, 4), (Order::Reversed, 2), (Order::Fixed, 1)]
        {
            let (counts, fair) = (counts(order, &FREE), 24_000 / orders);
            assert_eq!(counts.len(), usize::try_from(orders).unwrap());
            let even = |count: &u32| count.abs_diff(fair) < fair / 6 + 1;
            assert!(counts.values().all(even), "{order:?}: {counts:?}");
        }
    }

    #[test]
    fn anchored_parts_keep_their_places() {
        let anchors = [Anchor::Free, Anchor::Last, Anchor::Free, Anchor::First, Anchor::Free];
        for order in counts(Order::Random, &anchors).keys().chain(counts(Order::Rotated, &anchors).keys()) {
            assert_eq!((order[0], order[4]), (3, 1), "{order:?}");
        }
        assert_eq!(counts(Order::Random, &anchors).len(), 6);
        assert_eq!(heard(Order::Random, &anchors, None, "x"), [3, 0, 2, 4, 1]);
    }

    /// What a case heard in its first attempt it hears again, also from a later version of Baton.
    #[test]
    fn what_a_seed_draws_never_changes() {
        let drawn = |seed, name| heard(Order::Random, &[Anchor::Free; 6], Some(seed), name);
        assert_eq!(drawn(7, "brands"), [1, 2, 3, 4, 5, 0]);
        assert_eq!(drawn(8, "brands"), [0, 1, 2, 5, 4, 3]);
        assert_eq!(drawn(7, "topics"), [0, 4, 5, 3, 1, 2]);
    }

    #[test]
    fn two_questions_of_a_case_are_drawn_apart() {
        let same = |seed: &u32| {
            heard(Order::Random, &FREE, Some(*seed), "a") == heard(Order::Random, &FREE, Some(*seed), "b")
        };
        let alike = (0..24_000).filter(same).count();
        assert!((800..1_200).contains(&alike), "{alike} of 24,000; one in 24 is fair");
    }
}
