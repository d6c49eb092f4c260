//! Which successor goes on with which call: the same for whoever reckons it.
//!
//! Rendezvous hashing, weighted (Schindelhauer and Schomaker, *Weighted distributed hash tables*, 2005): each successor
//! has a score for each call, drawn from both their names; the highest one has it. When one of them is lost, only its
//! calls move.

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use super::Incarnation;
use crate::id::CallId;

/// A successor as a claim names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heir {
    /// Who.
    pub member: Incarnation,
    /// Calls that it had room for.
    pub free: u32,
}

/// The successor that goes on with a call; `None` without any. With no room anywhere all are equal.
#[must_use]
pub fn heir(heirs: &[Heir], call: CallId) -> Option<Incarnation> {
    let is_full = heirs.iter().all(|heir| heir.free == 0);
    let scored = heirs.iter().filter(|heir| is_full || heir.free > 0).map(|heir| {
        let weight = if is_full { 1.0 } else { f64::from(heir.free) };
        (weight / -part(heir.member, call).ln(), heir.member)
    });
    let best = scored.max_by(|(one, a), (other, b)| one.total_cmp(other).then_with(|| b.cmp(a)));
    best.map(|(_, member)| member)
}

/// A number in (0, 1) drawn from both names.
fn part(member: Incarnation, call: CallId) -> f64 {
    let mut hash = sha2::Sha256::new();
    hash.update(member.node.as_str());
    hash.update([0]);
    hash.update(member.run.to_be_bytes());
    hash.update(call.as_str());
    let bytes: [u8; 32] = hash.finalize().into();
    let [a, b, c, d, ..] = bytes;
    (f64::from(u32::from_be_bytes([a, b, c, d])) + 0.5) / 4_294_967_296.0
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::id::Mint;

    fn heirs(free: &[u32]) -> Vec<Heir> {
        let of = |(n, free): (usize, &u32)| Heir {
            member: Incarnation { node: format!("n{n}").parse().unwrap(), run: 1 },
            free: *free,
        };
        free.iter().enumerate().map(of).collect()
    }

    fn calls() -> Vec<CallId> {
        let mut mint = Mint::seeded(3);
        (0..3_000).map(|_| CallId::mint(&mut mint)).collect()
    }

    fn counts(heirs: &[Heir]) -> BTreeMap<Incarnation, usize> {
        let mut counts = BTreeMap::new();
        calls().into_iter().for_each(|call| *counts.entry(heir(heirs, call).unwrap()).or_default() += 1);
        counts
    }

    #[test]
    fn calls_spread_by_what_is_free() {
        let heirs = heirs(&[100, 200, 0]);
        let counts = counts(&heirs);
        let (one, two) = (counts[&heirs[0].member], counts[&heirs[1].member]);
        assert_eq!(one + two, 3_000, "the full one has none");
        assert!((900..1_100).contains(&one), "{one} of 3,000, a third is due");
    }

    #[test]
    fn where_nobody_has_room_all_share() {
        let heirs = heirs(&[0, 0, 0]);
        assert!(counts(&heirs).values().all(|count| (900..1_100).contains(count)));
    }

    #[test]
    fn when_one_is_lost_only_its_calls_move_and_the_order_does_not_matter() {
        let all = heirs(&[50, 50, 50]);
        let (left, lost) = (&all[..2], all[2].member);
        let turned: Vec<Heir> = all.iter().rev().copied().collect();
        for call in calls() {
            let before = heir(&all, call).unwrap();
            assert_eq!(heir(&turned, call), Some(before));
            if before != lost {
                assert_eq!(heir(left, call), Some(before));
            }
        }
        assert_eq!(heir(&[], calls()[0]), None);
    }
}
