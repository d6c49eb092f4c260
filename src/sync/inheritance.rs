//! What falls to a successor: which records of which streams count, and which of them may be out of date.
//!
//! ```text
//!  A ── claimed: B, C ──► B ── claimed: C, D, before it had settled ──► of A's calls that fell to B, each falls to C or D
//! ```
//! A stream's copy is *whole* if it reaches what the claim says. What one whole copy lacks is no more: the call ended. (A
//! copy that is behind would bring a call back that its owner has ended.) Copies are kept until the owner's key is
//! deleted, whoever has saved its calls meanwhile. Who goes on at home has its journal, and that is whole: what mirrors have
//! beyond it was still being written, and nothing was sent because of it.

use std::collections::{BTreeMap, BTreeSet};

use super::registry::Claim;
use super::{Incarnation, heir};
use crate::id::{CallId, Epoch, NodeId, Revision};

/// How far a journal's copy of the own stream reaches.
const JOURNAL: Option<u64> = Some(u64::MAX);

/// The calls of an incarnation, for its successors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inheritance {
    /// Whose.
    pub of: Incarnation,
    /// The epoch of what is taken over: the revision of the claim.
    pub epoch: u64,
    /// Who succeeds, and what of its stream counts.
    pub claim: Claim,
    /// Claims that gave something to it, themselves or over each other, and were not carried out: that is inherited too.
    pub earlier: Vec<(Incarnation, Claim)>,
    /// Whose records are meant: all of these at first; what turns out to have been given as well comes after that.
    pub sources: Vec<Incarnation>,
}

/// What somebody keeps of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy<R> {
    /// Whose stream.
    pub owner: Incarnation,
    /// Up to which number it is whole; `None`: it is not.
    pub held: Option<u64>,
    /// The records that its owner saved last.
    pub records: Vec<(CallId, (Epoch, Revision), R)>,
}

impl<R> Copy<R> {
    /// What the owner's own journal holds of it: all.
    #[must_use]
    pub const fn of_journal(owner: Incarnation, records: Vec<(CallId, (Epoch, Revision), R)>) -> Self {
        Self { owner, held: JOURNAL, records }
    }
}

/// A call that falls to a successor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share<R> {
    /// Which.
    pub call: CallId,
    /// Who saved it last.
    pub owner: Incarnation,
    /// Which of its saves that was.
    pub version: (Epoch, Revision),
    /// How many claims lie between that save and this one's successor: each steps CSeq.
    pub claims: u32,
    /// Something newer may have existed.
    pub stale: bool,
    /// What was saved.
    pub record: R,
}

/// What is known of a stream from all its copies.
struct Gathered<R> {
    is_whole: bool,
    records: BTreeMap<CallId, ((Epoch, Revision), R)>,
    /// What each copy holds that would have it if it were still the owner's.
    proofs: Vec<BTreeSet<CallId>>,
}

impl Inheritance {
    /// The claim on one of the streams.
    #[must_use]
    pub fn claim_on(&self, owner: Incarnation) -> Option<&Claim> {
        if owner == self.of {
            return Some(&self.claim);
        }
        self.earlier.iter().find(|(of, _)| *of == owner).map(|(_, claim)| claim)
    }

    /// All streams that may hold a record of what is inherited.
    pub fn streams(&self) -> impl Iterator<Item = Incarnation> + '_ {
        std::iter::once(self.of).chain(self.earlier.iter().map(|(of, _)| *of))
    }

    /// Whether this copy of a stream is all that is wanted of it.
    #[must_use]
    pub fn is_whole(&self, owner: Incarnation, held: Option<u64>) -> bool {
        self.claim_on(owner).is_some_and(|claim| held >= Some(claim.through))
    }

    /// Whether the owner gave this stream away while it lived: its own records are one more copy.
    #[must_use]
    pub fn is_given(&self, owner: Incarnation) -> bool {
        self.claim_on(owner).is_some_and(|claim| claim.round == 0 && claim.by.node != owner.node)
    }

    /// Whether of some stream no whole copy is among these: who has not answered yet is worth waiting for.
    #[must_use]
    pub fn lacks<R>(&self, by: Incarnation, copies: &[Copy<R>]) -> bool {
        let is_there = |owner: Incarnation| {
            self.is_at_home(by.node, owner)
                || copies.iter().any(|copy| copy.owner == owner && self.is_whole(owner, copy.held))
        };
        !self.streams().all(is_there)
    }

    /// Whether the next incarnation of the owner itself goes on, on this node, at once or over others that went on at home:
    /// it has all that was saved in its journal. Whose claim is stale has a new disk.
    #[must_use]
    pub fn is_at_home(&self, node: NodeId, owner: Incarnation) -> bool {
        let mut one = owner;
        for _ in 0..=self.earlier.len() {
            let is_home = |claim: &&Claim| one.node == node && claim.by.node == node && !claim.stale;
            match self.claim_on(one).filter(is_home) {
                Some(_) if one == self.of => return true,
                Some(claim) => one = claim.by,
                None => return false,
            }
        }
        false
    }

    /// Through whose hands a call went from an owner's save to this claim; `None`: it fell to somebody else, or that save
    /// is not the last.
    fn way(&self, owner: Incarnation, call: CallId) -> Option<Vec<Incarnation>> {
        let mut way = vec![owner];
        let mut one = owner;
        while one != self.of {
            let next = heir(&self.claim_on(one)?.heirs, call)?;
            if way.len() > self.earlier.len() {
                return None;
            }
            way.push(next);
            one = next;
        }
        Some(way)
    }

    /// The calls that fall to `by`, from all copies that could be had.
    #[must_use]
    pub fn shares<R>(&self, by: Incarnation, copies: Vec<Copy<R>>) -> Vec<Share<R>> {
        let streams = self.gather(by, copies);
        let is_whole: BTreeSet<Incarnation> =
            streams.iter().filter(|(_, stream)| stream.is_whole).map(|(owner, _)| *owner).collect();
        let mut youngest: BTreeMap<CallId, (Incarnation, (Epoch, Revision), R)> = BTreeMap::new();
        for (owner, stream) in streams {
            for (call, (version, record)) in stream.records {
                if youngest.get(&call).is_none_or(|(_, known, _)| *known < version) {
                    youngest.insert(call, (owner, version, record));
                }
            }
        }
        let shares = youngest.into_iter().filter_map(|(call, (owner, version, record))| {
            let way = self.way(owner, call)?;
            let is_mine = heir(&self.claim.heirs, call) == Some(by) && version.0.0 < self.epoch;
            if !is_mine || !self.sources.contains(&owner) {
                return None;
            }
            let is_stale = |one: &Incarnation| {
                let is_here = is_whole.contains(one) || self.is_at_home(by.node, *one);
                !is_here || self.claim_on(*one).is_none_or(|claim| claim.stale)
            };
            let stale = way.iter().any(is_stale);
            let claims = u32::try_from(way.len()).unwrap_or(u32::MAX);
            Some(Share { call, owner, version, claims, stale, record })
        });
        shares.collect()
    }

    fn gather<R>(&self, by: Incarnation, mut copies: Vec<Copy<R>>) -> BTreeMap<Incarnation, Gathered<R>> {
        copies.retain(|copy| copy.held == JOURNAL || !self.is_at_home(by.node, copy.owner));
        let mut streams: BTreeMap<Incarnation, Gathered<R>> = BTreeMap::new();
        for owner in self.streams() {
            // The copy that is farthest says what is no more: one that is behind does not know what fell to the owner.
            let copies = || copies.iter().filter(|copy| copy.owner == owner);
            let farthest = copies().filter_map(|copy| copy.held).max();
            let is_whole = self.is_whole(owner, farthest);
            let proving = copies().filter(|copy| is_whole && copy.held == farthest);
            let calls = |copy: &Copy<R>| copy.records.iter().map(|(call, ..)| *call).collect();
            let proofs = proving.map(calls).collect();
            streams.insert(owner, Gathered { is_whole, records: BTreeMap::new(), proofs });
        }
        for Copy { owner, records, .. } in copies {
            let Some(stream) = streams.get_mut(&owner) else { continue };
            for (call, version, record) in records {
                let is_proven = stream.proofs.iter().all(|held| held.contains(&call));
                if is_proven && stream.records.get(&call).is_none_or(|(known, _)| *known < version) {
                    stream.records.insert(call, (version, record));
                }
            }
        }
        streams
    }
}

#[cfg(test)]
mod tests {
    use super::super::Heir;
    use super::*;
    use crate::id::Mint;

    fn one(name: &str) -> Incarnation {
        Incarnation { node: name.parse().unwrap(), run: 1 }
    }

    fn claim(by: &str, heirs: &[&str], through: u64) -> Claim {
        let heirs = heirs.iter().map(|name| Heir { member: one(name), free: 1 }).collect();
        Claim { by: one(by), round: 1, heirs, through, stale: false }
    }

    fn of_a(heirs: &[&str]) -> Inheritance {
        let claim = claim("b", heirs, 8);
        Inheritance { of: one("a"), epoch: 20, claim, earlier: Vec::new(), sources: vec![one("a")] }
    }

    fn calls<const N: usize>() -> [CallId; N] {
        let mut mint = Mint::seeded(1);
        [(); N].map(|()| CallId::mint(&mut mint))
    }

    fn copy(owner: &str, held: u64, records: &[(CallId, u64, &'static str)]) -> Copy<&'static str> {
        let epoch = if owner == "a" { 1 } else { 10 };
        let record = |(call, revision, text): &(CallId, u64, &'static str)| {
            (*call, (Epoch(epoch), Revision(*revision)), *text)
        };
        Copy { owner: one(owner), held: Some(held), records: records.iter().map(record).collect() }
    }

    fn told(shares: &[Share<&'static str>]) -> Vec<(&'static str, u32, bool)> {
        shares.iter().map(|share| (share.record, share.claims, share.stale)).collect()
    }

    #[test]
    fn the_youngest_of_each_call_counts_and_with_a_whole_copy_nothing_is_stale() {
        let [x, y] = calls();
        let copies =
            vec![copy("a", 7, &[(x, 3, "x3"), (y, 1, "y1")]), copy("a", 8, &[(x, 4, "x4"), (y, 1, "y1")])];
        let shares = of_a(&["b"]).shares(one("b"), copies);
        let mut shares = told(&shares);
        shares.sort_unstable();
        assert_eq!(shares, [("x4", 1, false), ("y1", 1, false)]);
    }

    #[test]
    fn a_call_that_the_whole_copy_has_no_more_is_not_brought_back() {
        let [x, y] = calls();
        let copies = vec![copy("a", 7, &[(x, 3, "x, talking"), (y, 1, "y")]), copy("a", 8, &[(y, 1, "y")])];
        assert_eq!(told(&of_a(&["b"]).shares(one("b"), copies)), [("y", 1, false)]);
    }

    #[test]
    fn without_a_whole_copy_there_is_what_there_is_and_it_is_stale() {
        let [x, _] = calls();
        let shares = of_a(&["b"]).shares(one("b"), vec![copy("a", 7, &[(x, 3, "x3")])]);
        assert_eq!(told(&shares), [("x3", 1, true)]);
        let mut part = copy("a", 9, &[(x, 3, "x3")]);
        part.held = None;
        assert_eq!(told(&of_a(&["b"]).shares(one("b"), vec![part])), [("x3", 1, true)]);
    }

    #[test]
    fn what_earlier_claims_gave_goes_on_along_the_chain_and_each_claim_counts() {
        let [x, _] = calls();
        // a's went to b, b's to c, c's to d; none of them had saved it.
        let inheritance = Inheritance {
            of: one("c"),
            epoch: 40,
            claim: claim("d", &["d"], 0),
            earlier: vec![(one("a"), claim("b", &["b"], 8)), (one("b"), claim("c", &["c"], 5))],
            sources: vec![one("a"), one("b"), one("c")],
        };
        let whole = |name| copy(name, 9, &[]);
        let copies = vec![copy("a", 8, &[(x, 3, "x3")]), whole("b"), whole("c")];
        assert_eq!(told(&inheritance.shares(one("d"), copies)), [("x3", 3, false)]);
        // c's stream is not whole: c may have saved it.
        let copies = vec![copy("a", 8, &[(x, 3, "x3")]), whole("b")];
        assert_eq!(told(&inheritance.shares(one("d"), copies)), [("x3", 3, true)]);
        // b had saved it.
        let copies = vec![copy("a", 8, &[(x, 3, "x3")]), copy("b", 5, &[(x, 1, "of b")]), whole("c")];
        assert_eq!(told(&inheritance.shares(one("d"), copies)), [("of b", 2, false)]);
        // An earlier claim was stale.
        let mut stale = inheritance;
        stale.earlier[0].1.stale = true;
        let copies = vec![copy("a", 8, &[(x, 3, "x3")]), whole("b"), whole("c")];
        assert_eq!(told(&stale.shares(one("d"), copies)), [("x3", 3, true)]);
    }

    #[test]
    fn calls_of_other_heirs_of_later_epochs_and_of_sources_that_were_had_are_left_alone() {
        let all: [CallId; 40] = calls();
        let records: Vec<_> = all.iter().map(|call| (*call, 1, "r")).collect();
        let inheritance = of_a(&["b", "c"]);
        let counts: Vec<usize> = ["b", "c"]
            .iter()
            .map(|name| inheritance.shares(one(name), vec![copy("a", 8, &records)]).len())
            .collect();
        assert_eq!(counts.iter().sum::<usize>(), 40);
        assert!(counts.iter().all(|count| *count > 5), "{counts:?}");
        let mut later = copy("a", 8, &records);
        later.records.iter_mut().for_each(|(_, version, _)| version.0 = Epoch(20));
        assert!(inheritance.shares(one("b"), vec![later]).is_empty());
        let had = Inheritance { sources: Vec::new(), ..inheritance };
        assert!(had.shares(one("b"), vec![copy("a", 8, &records)]).is_empty());
    }

    #[test]
    fn a_later_owners_save_that_is_not_in_its_journal_takes_nothing_from_what_it_had_got() {
        // a's fell to b, whose first save of it was not written when b died: it reached mirrors that b cannot ask now.
        let [x, _] = calls();
        let next = Incarnation { run: 5, ..one("b") };
        let heirs = vec![Heir { member: next, free: 1 }];
        let inheritance = Inheritance {
            of: one("b"),
            epoch: 40,
            claim: Claim { by: next, round: 0, heirs, through: u64::MAX, stale: false },
            earlier: vec![(one("a"), claim("b", &["b"], 8))],
            sources: vec![one("a"), one("b")],
        };
        let copies = vec![copy("a", 8, &[(x, 3, "of a")]), Copy::of_journal(one("b"), Vec::new())];
        assert_eq!(told(&inheritance.shares(next, copies.clone())), [("of a", 2, false)]);
        let asked = copies.into_iter().chain([copy("b", 7, &[(x, 1, "of b")])]).collect();
        assert_eq!(told(&inheritance.shares(next, asked)), [("of a", 2, false)]);
    }

    #[test]
    fn what_fell_to_others_meanwhile_is_not_at_home() {
        let run = |run| Incarnation { run, ..one("a") };
        let by = |by: Incarnation| Claim {
            by,
            round: 0,
            heirs: vec![Heir { member: by, free: 1 }],
            through: 3,
            stale: false,
        };
        let mut inheritance = Inheritance {
            of: run(5),
            epoch: 40,
            claim: by(run(7)),
            earlier: vec![(run(1), by(run(3))), (run(3), by(run(5)))],
            sources: vec![run(1), run(3), run(5)],
        };
        let at_home =
            |inheritance: &Inheritance| [1, 3, 5].map(|one| inheritance.is_at_home(run(0).node, run(one)));
        assert_eq!(at_home(&inheritance), [true, true, true]);
        assert!(!inheritance.is_at_home(one("b").node, run(5)));
        inheritance.earlier = vec![(run(1), by(run(3))), (run(3), by(one("b"))), (one("b"), by(run(5)))];
        assert_eq!(at_home(&inheritance), [false, false, true], "b may have gone on with them");
        inheritance.claim.stale = true;
        assert_eq!(at_home(&inheritance), [false; 3], "its journal is lost");
        inheritance.claim = by(one("b"));
        assert_eq!(at_home(&inheritance), [false; 3]);
    }

    #[test]
    fn what_goes_on_at_home_is_whole_by_its_journal() {
        let [x, y] = calls();
        let next = Incarnation { run: 5, ..one("a") };
        let heirs = vec![Heir { member: next, free: 1 }];
        let claim = Claim { by: next, round: 0, heirs, through: u64::MAX, stale: false };
        let own = Inheritance { claim, ..of_a(&[]) };
        let journal = |records: &[_]| Copy::of_journal(one("a"), copy("a", 0, records).records);
        assert_eq!(told(&own.shares(next, vec![journal(&[(x, 3, "x3")])])), [("x3", 1, false)]);
        // What mirrors have beyond it was never acted upon.
        let copies = vec![journal(&[(x, 3, "x3")]), copy("a", 9, &[(x, 4, "x4"), (y, 1, "y1")])];
        assert_eq!(told(&own.shares(next, copies)), [("x3", 1, false)]);
    }
}
