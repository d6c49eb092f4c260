//! What a node tells its owner.

use std::sync::Arc;

use crossbeam_channel::Sender;

use super::load::Load;
use super::shard::Post;
use crate::call::{CallResult, Step};
use crate::id::{CallId, Epoch};

/// Something happened in a call, or to the node. Events of one call come in order.
#[derive(Debug)]
pub enum Event {
    /// A step of a call, for people who watch. Steps are dropped, and counted, while nobody takes them.
    Step {
        /// Whose.
        call: CallId,
        /// What.
        step: Step,
    },
    /// An attempt has its outcome. Never dropped.
    Ended {
        /// Whose.
        call: CallId,
        /// Under which ownership it ended.
        epoch: Epoch,
        /// The outcome and every reply.
        result: Box<CallResult>,
        /// To be given back when the result is kept elsewhere.
        receipt: Receipt,
    },
    /// The right to send has ended: other instances may speak for the calls that there were. They are dropped here
    /// without a word to their peers, and their records stay in the journal.
    Silenced {
        /// How many they were.
        calls: usize,
    },
    /// The journal takes no saves any more. No call of this node goes on and no new one is taken; what the journal
    /// holds is there for the next start.
    Failed {
        /// What went wrong, for a person.
        what: String,
    },
}

/// The node's claim that somebody keeps a result. Until it is given back the call's record stays in the journal, and
/// a restart tells the result again (with the same `attempt_id`).
#[derive(Debug)]
#[must_use = "the record of a call stays in the journal until its receipt is given back with `stored`"]
pub struct Receipt {
    call: CallId,
    inbox: Sender<Post>,
    load: Arc<Load>,
}

impl Receipt {
    pub(super) fn new(call: CallId, inbox: Sender<Post>, load: Arc<Load>) -> Self {
        load.receipt_out();
        Self { call, inbox, load }
    }

    /// The result is kept: the node may forget the call.
    pub fn stored(self) {
        // A node that is gone has left the record in the journal; that is all that can be said.
        drop(self.inbox.send(Post::Stored(self.call)));
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        self.load.receipt_back();
    }
}
