//! Signed datagrams: what members tell each other every 50 ms.
//!
//! ```text
//! "BTN" 1 │ postcard: from, to, to_run, number, message │ HMAC-SHA256 of all before, 32 bytes
//! ```
//! Nothing of a datagram is read before its signature was found right, so that a stranger's bytes reach no parser. What
//! is signed names its sender, its addressee (and which incarnation of it, once that is known), and a number that only
//! grows within the sender's incarnation: a datagram counts once, and not for anybody or any time else.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::BeatKey;
use crate::id::NodeId;
use crate::sync::{Incarnation, Message};

/// Most bytes of a datagram: a claim with five successors has far fewer.
pub const MAX_DATAGRAM_BYTES: usize = 4_096;
/// What a datagram begins with; the last byte is the format.
const HEAD: [u8; 4] = *b"BTN\x01";
/// Bytes of the signature.
const TAG_BYTES: usize = 32;
/// How much later than the highest number one may come: datagrams overtake each other.
const WINDOW: u64 = 64;
/// What the key of a cluster signs here, so that no other use of it could be taken for this one.
const PURPOSE: &[u8] = b"baton datagram";

#[derive(Serialize, Deserialize)]
struct Sealed {
    from: Incarnation,
    to: NodeId,
    to_run: Option<u64>,
    number: u64,
    message: Message,
}

/// Why a datagram was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Refused {
    /// Shorter than any, longer than any, or of no format that is known.
    Malformed,
    /// Not signed with this cluster's key.
    Unsigned,
    /// Signed, and yet not readable: a newer program's.
    Unreadable,
    /// For another member.
    Misdirected,
    /// From somebody who is no member.
    Stranger,
    /// For an earlier incarnation of this member.
    Outdated,
    /// From an incarnation that has a successor.
    Overtaken,
    /// Seen before, or too old to tell.
    Replayed,
    /// The message names another sender than the datagram.
    Borrowed,
}

/// How many datagrams were dropped, by reason.
pub type Refusals = BTreeMap<Refused, u64>;

/// A datagram that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Whose.
    pub from: Incarnation,
    /// What it says.
    pub message: Message,
}

/// The datagrams of one member: signs its own, and takes or refuses others'.
#[derive(Debug)]
pub struct Guard {
    key: Hmac<Sha256>,
    me: NodeId,
    members: Vec<NodeId>,
    number: u64,
    peers: BTreeMap<NodeId, Peer>,
    refused: Refusals,
}

/// What was taken from a peer.
#[derive(Clone, Copy, Debug)]
struct Peer {
    run: u64,
    /// The highest number of this run.
    highest: u64,
    /// Bit n: the number `highest - n` was seen.
    seen: u64,
}

impl Guard {
    /// Of a member among others.
    #[must_use]
    pub fn new(key: &BeatKey, me: NodeId, members: impl IntoIterator<Item = NodeId>) -> Self {
        let mut derived = Hmac::<Sha256>::new_from_slice(key.bytes()).expect("a key may have any length");
        derived.update(PURPOSE);
        let key = Hmac::new_from_slice(&derived.finalize().into_bytes()).expect("any length");
        let members = members.into_iter().collect();
        Self { key, me, members, number: 0, peers: BTreeMap::new(), refused: Refusals::new() }
    }

    /// From now on these are members, too.
    pub fn admit(&mut self, members: impl IntoIterator<Item = NodeId>) {
        let new = members.into_iter().filter(|member| !self.members.contains(member));
        let new: Vec<NodeId> = new.collect();
        self.members.extend(new);
    }

    /// A datagram of this member's; `from` is its incarnation.
    pub fn seal(&mut self, from: Incarnation, to: NodeId, message: Message) -> Vec<u8> {
        self.number += 1;
        // The first words to a member are for whichever run of it there is.
        let to_run = self.peers.get(&to).map(|peer| peer.run);
        let sealed = Sealed { from, to, to_run, number: self.number, message };
        let mut bytes = HEAD.to_vec();
        bytes = postcard::to_extend(&sealed, bytes).expect("a message has a form");
        let mut mac = self.key.clone();
        mac.update(&bytes);
        bytes.extend_from_slice(&mac.finalize().into_bytes());
        bytes
    }

    /// What a datagram says; `my_run` is this member's run. What is refused is counted.
    ///
    /// # Errors
    /// Why it is dropped.
    pub fn open(&mut self, my_run: u64, bytes: &[u8]) -> Result<Opened, Refused> {
        let opened = self.check(my_run, bytes);
        if let Err(refused) = opened {
            *self.refused.entry(refused).or_default() += 1;
        }
        opened
    }

    /// How many were dropped so far.
    #[must_use]
    pub const fn refused(&self) -> &Refusals {
        &self.refused
    }

    fn check(&mut self, my_run: u64, bytes: &[u8]) -> Result<Opened, Refused> {
        let is_whole = (HEAD.len() + TAG_BYTES..=MAX_DATAGRAM_BYTES).contains(&bytes.len());
        if !is_whole || !bytes.starts_with(&HEAD) {
            return Err(Refused::Malformed);
        }
        let (signed, tag) = bytes.split_at(bytes.len() - TAG_BYTES);
        let mut mac = self.key.clone();
        mac.update(signed);
        mac.verify_slice(tag).map_err(|_| Refused::Unsigned)?;
        let body = signed.get(HEAD.len()..).unwrap_or_default();
        let Ok((sealed, [])) = postcard::take_from_bytes::<Sealed>(body) else {
            return Err(Refused::Unreadable);
        };
        let Sealed { from, to, to_run, number, message } = sealed;
        if to != self.me {
            return Err(Refused::Misdirected);
        }
        if from.node == self.me || !self.members.contains(&from.node) {
            return Err(Refused::Stranger);
        }
        // A question's votes count for the process that asked it: only beats and answers go to whoever is there.
        let is_open = matches!(message, Message::Beat(_) | Message::Answer(_));
        match to_run {
            Some(run) if run != my_run => {
                // Where both have begun anew at once, each speaks to the other's former run, and has to learn of the next
                // one by what it must refuse: nothing else comes.
                self.peer(from).meet(from.run);
                return Err(Refused::Outdated);
            }
            None if !is_open => return Err(Refused::Outdated),
            Some(_) | None => {}
        }
        if message.from() != from {
            return Err(Refused::Borrowed);
        }
        self.peer(from).take(from.run, number)?;
        Ok(Opened { from, message })
    }

    fn peer(&mut self, from: Incarnation) -> &mut Peer {
        self.peers.entry(from.node).or_insert(Peer { run: from.run, highest: 0, seen: 0 })
    }
}

impl Peer {
    /// It may be a later run.
    const fn meet(&mut self, run: u64) {
        if run > self.run {
            *self = Self { run, highest: 0, seen: 0 };
        }
    }

    /// Whether a datagram of this run and number is new.
    fn take(&mut self, run: u64, number: u64) -> Result<(), Refused> {
        if run < self.run {
            return Err(Refused::Overtaken);
        }
        self.meet(run);
        if number > self.highest {
            let ahead = number - self.highest;
            self.seen = if ahead < WINDOW { self.seen << ahead | 1 } else { 1 };
            self.highest = number;
            return Ok(());
        }
        let behind = self.highest - number;
        if behind >= WINDOW || self.seen & (1 << behind) != 0 {
            return Err(Refused::Replayed);
        }
        self.seen |= 1 << behind;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::id::Mint;
    use crate::mutation::mutate;
    use crate::sync::{Ask, Beat, Standing, Usage};

    fn key(byte: u8) -> BeatKey {
        BeatKey::from_hex(&format!("{byte:02x}").repeat(32)).unwrap()
    }

    fn one(node: &str, run: u64) -> Incarnation {
        Incarnation { node: node.parse().unwrap(), run }
    }

    fn guard(me: &str, byte: u8) -> Guard {
        Guard::new(&key(byte), me.parse().unwrap(), ["a", "b", "c"].map(|name| name.parse().unwrap()))
    }

    fn beat(from: Incarnation) -> Message {
        Message::Beat(Beat {
            from,
            number: 1,
            echo: None,
            saved: 7,
            mirrored: true,
            promise: Duration::from_millis(250),
            standing: Standing::Speaking,
            usage: Usage::NONE,
        })
    }

    fn ask(from: Incarnation) -> Message {
        Message::Ask(Ask { from, round: 1, target: one("c", 1), seals: false })
    }

    const A: &str = "a";

    #[test]
    fn what_is_signed_counts_once() {
        let (mut a, mut b) = (guard("a", 1), guard("b", 1));
        let sealed = a.seal(one(A, 5), "b".parse().unwrap(), beat(one(A, 5)));
        let opened = b.open(9, &sealed).unwrap();
        assert_eq!((opened.from, opened.message), (one(A, 5), beat(one(A, 5))));
        assert_eq!(b.open(9, &sealed), Err(Refused::Replayed));
        assert_eq!(b.refused(), &Refusals::from([(Refused::Replayed, 1)]));
    }

    #[test]
    fn datagrams_may_overtake_each_other_but_not_by_much() {
        let (mut a, mut b) = (guard("a", 1), guard("b", 1));
        let mut sealed: Vec<_> =
            (0..70).map(|_| a.seal(one(A, 5), "b".parse().unwrap(), beat(one(A, 5)))).collect();
        let (first, second) = (sealed.remove(0), sealed.remove(0));
        for bytes in sealed.iter().rev().take(60) {
            b.open(9, bytes).unwrap();
        }
        for bytes in sealed.iter().rev().take(60) {
            assert_eq!(b.open(9, bytes), Err(Refused::Replayed));
        }
        assert_eq!(b.open(9, &first), Err(Refused::Replayed), "too old to tell");
        assert_eq!(b.open(9, &second), Err(Refused::Replayed));
        b.open(9, &sealed[5]).unwrap();
    }

    #[test]
    fn what_is_for_or_from_another_run_is_refused() {
        let (mut a, mut b) = (guard("a", 1), guard("b", 1));
        let to = "b".parse().unwrap();
        let question = a.seal(one(A, 5), to, ask(one(A, 5)));
        assert_eq!(b.open(9, &question), Err(Refused::Outdated), "it names no run of b's");
        // a hears b's ninth run, and then speaks to that one.
        let back = b.seal(one("b", 9), "a".parse().unwrap(), beat(one("b", 9)));
        a.open(5, &back).unwrap();
        let question = a.seal(one(A, 5), to, ask(one(A, 5)));
        assert_eq!(b.open(10, &question), Err(Refused::Outdated));
        b.open(9, &question).unwrap();
        let old = a.seal(one(A, 5), to, beat(one(A, 5)));
        let new = a.seal(one(A, 6), to, beat(one(A, 6)));
        b.open(9, &new).unwrap();
        assert_eq!(b.open(9, &old), Err(Refused::Overtaken));
    }

    #[test]
    fn two_who_begin_anew_at_once_hear_each_other_again() {
        let (mut a, mut b) = (guard("a", 1), guard("b", 1));
        let (to_a, to_b): (NodeId, NodeId) = ("a".parse().unwrap(), "b".parse().unwrap());
        let hello = a.seal(one("a", 1), to_b, beat(one("a", 1)));
        b.open(2, &hello).unwrap();
        let hello = b.seal(one("b", 2), to_a, beat(one("b", 2)));
        a.open(1, &hello).unwrap();
        // Now they are runs 3 and 4, and neither knows that of the other.
        let from_a = a.seal(one("a", 3), to_b, beat(one("a", 3)));
        let from_b = b.seal(one("b", 4), to_a, beat(one("b", 4)));
        assert_eq!(b.open(4, &from_a), Err(Refused::Outdated));
        assert_eq!(a.open(3, &from_b), Err(Refused::Outdated));
        let from_a = a.seal(one("a", 3), to_b, beat(one("a", 3)));
        let from_b = b.seal(one("b", 4), to_a, beat(one("b", 4)));
        b.open(4, &from_a).unwrap();
        a.open(3, &from_b).unwrap();
        // What an earlier run said is no news.
        assert_eq!(a.open(1, &hello), Err(Refused::Overtaken));
    }

    #[test]
    fn strangers_and_borrowed_names_are_refused() {
        let mut b = guard("b", 1);
        let to_b = "b".parse().unwrap();
        let cases = [
            (guard("a", 2).seal(one(A, 5), to_b, beat(one(A, 5))), Refused::Unsigned),
            (guard("a", 1).seal(one(A, 5), "c".parse().unwrap(), beat(one(A, 5))), Refused::Misdirected),
            (guard("x", 1).seal(one("x", 5), to_b, beat(one("x", 5))), Refused::Stranger),
            (guard("b", 1).seal(one("b", 5), to_b, beat(one("b", 5))), Refused::Stranger),
            (guard("a", 1).seal(one(A, 5), to_b, beat(one("c", 5))), Refused::Borrowed),
            (b"BTN\x02, and so on, for as long as it takes to be whole".to_vec(), Refused::Malformed),
            (Vec::new(), Refused::Malformed),
        ];
        for (bytes, why) in cases {
            assert_eq!(b.open(9, &bytes), Err(why));
        }
    }

    /// Cut, extended or changed anywhere, a datagram is dropped; and the one it was made of still counts.
    #[test]
    fn damaged_datagrams_are_dropped() {
        let (mut a, mut b) = (guard("a", 1), guard("b", 1));
        let sealed = a.seal(one(A, 5), "b".parse().unwrap(), beat(one(A, 5)));
        for length in 0..sealed.len() {
            assert!(b.open(9, &sealed[..length]).is_err(), "{length}");
        }
        for at in 0..sealed.len() {
            let mut other = sealed.clone();
            other[at] ^= 1;
            assert!(b.open(9, &other).is_err(), "{at}");
        }
        let mut mint = Mint::seeded(5);
        for round in 0..20_000 {
            let mut other = sealed.clone();
            mutate(&mut other, &mut mint);
            assert!(other == sealed || b.open(9, &other).is_err(), "round {round}");
        }
        b.open(9, &sealed).unwrap();
    }
}
