//! What a member is told, and what it wants done.

use std::collections::BTreeSet;

use super::super::message::Message;
use super::super::registry::{ClaimResult, Key, Transaction};
use super::super::{Incarnation, Inheritance, Terms, Usage};
use super::{Seat, Taking};
use crate::id::NodeId;
use crate::time::Timestamp;

/// What has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Another member's message, by its sender.
    Heard(Message),
    /// A stream takes no more saves here; up to which number the whole of it is held.
    Sealed {
        /// Whose stream.
        target: Incarnation,
        /// Who asked, and its question's number.
        asked: (Incarnation, u64),
        /// `None`: this member catches up, or keeps no mirror.
        held: Option<u64>,
    },
    /// What the engine says of a key, watched or read.
    Key(Key),
    /// A key is not in the engine.
    KeyGone(Incarnation),
    /// A key could not be read.
    Unread(Incarnation),
    /// What came of a claim, or of a try to go on as the next incarnation.
    Claimed {
        /// Whose key.
        target: Incarnation,
        /// Who had asked, and in which of its rounds: an answer may come when another claim on the same key is under way.
        asked: (Incarnation, u64),
        /// What came.
        result: ClaimResult,
    },
    /// All that the engine wrote up to this revision has been told, as [`Input::Key`] and [`Input::KeyGone`].
    Current(u64),
    /// The key of its next incarnation was not asked for before this time.
    Registers(Timestamp),
    /// Other terms are to hold for this member: its key is changed as soon as a majority by them promises, too.
    Adopt(Terms),
    /// Who is to keep this member's stream of saves; until it is told, every other instance.
    Mirrors(BTreeSet<NodeId>),
    /// What this member has to do.
    Usage(Usage),
    /// The last number of this member's own stream.
    Saved(u64),
    /// All calls that one [`Output::TakeOver`] gave are saved under this member's name.
    Settled(Incarnation),
    /// This member drains: its calls are to be the others', if they have room for them.
    HandOver,
    /// All calls of this incarnation are dropped ([`Output::LayDown`]).
    LaidDown {
        /// Whose.
        of: Incarnation,
        /// How far its stream is durable: nothing was sent that depends on more. `None`: others do not hold as much.
        through: Option<u64>,
    },
    /// What the engine says of the seat of control, watched or read.
    Seat(Option<Seat>),
    /// [`Member::poll_timeout`](super::Member::poll_timeout) has come.
    TimedOut,
}

impl Input {
    /// What came of a transaction.
    #[must_use]
    pub const fn claimed(transaction: &Transaction, result: ClaimResult) -> Self {
        let Transaction { target, claim, .. } = transaction;
        Self::Claimed { target: *target, asked: (claim.by, claim.round), result }
    }

    /// What came of a change of a member's own terms.
    #[must_use]
    pub const fn changed(me: Incarnation, result: ClaimResult) -> Self {
        Self::Claimed { target: me, asked: (me, 0), result }
    }
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Tell a member.
    Send {
        /// Whom.
        to: NodeId,
        /// What.
        message: Message,
    },
    /// Nothing of any call may be sent at or after this time, until told otherwise.
    SpeakUntil(Timestamp),
    /// Nobody votes: sending is not gated.
    SpeakAlways,
    /// Nothing of any call may be sent: drop what is parked, abort connections.
    BeSilent,
    /// This member has fallen silent to give its calls away: drop them, keep what was saved of them as one keeps others'
    /// streams, and say how far that is durable ([`Input::LaidDown`]).
    LayDown,
    /// Take no more saves of a stream, then say what is held ([`Input::Sealed`]).
    Seal {
        /// Whose.
        target: Incarnation,
        /// Who asked, and its question's number.
        asked: (Incarnation, u64),
    },
    /// Take saves of this stream again.
    Unseal(Incarnation),
    /// A majority of the voters has heard that this member's stream reaches this number ([`Stream::known`]).
    ///
    /// [`Stream::known`]: super::super::Stream::known
    Known(u64),
    /// Ask the engine for a claim.
    Claim(Transaction),
    /// Read a key, linearizably.
    Read(Incarnation),
    /// Win this member's own key for its next incarnation: the claim, and in the same transaction that one's key.
    Rejoin(Transaction),
    /// Change the terms of this member's own key, if it is still as of this revision; then read it.
    Change {
        /// Which.
        target: Incarnation,
        /// As of.
        revision: u64,
        /// To what.
        terms: Terms,
    },
    /// Delete a key whose calls all have their new owners, if it is still as of this revision and none of those who are
    /// thought to be gone has a key: who has not heard of a key cannot tell whether it was deleted.
    Release {
        /// Whose.
        target: Incarnation,
        /// As of.
        revision: u64,
        /// Successors that have not settled, and whose own calls are thought to be others' for long.
        gone: Vec<Incarnation>,
    },
    /// Go on with the calls that fall to this member.
    TakeOver(Inheritance),
    /// Ask the engine for the seat of control; what is there then is told by [`Input::Seat`].
    TakeSeat(Taking),
    /// This member goes on as another incarnation; its stream of saves begins anew.
    Begin(Incarnation),
    /// This member's calls are others': drop them, and register as the next incarnation.
    Fenced {
        /// Who claimed; `None`: that is over, and its key is gone.
        by: Option<Incarnation>,
    },
}
