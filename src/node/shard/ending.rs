//! How calls leave a shard: one that cannot go on, all of them when the journal fails or the right to send ends, and
//! what is left at the shard's own end.

use super::{MOST_ELSEWHERE, Shard};
use crate::id::CallId;
use crate::store::journal::AppendError;

impl Shard {
    /// Lets go of a call that cannot go on. Its record stays as it was.
    pub(super) fn abandon(&mut self, id: CallId) {
        if let Some(live) = self.calls.get_mut(&id) {
            self.hands.close_media(live);
            if !live.ending.told {
                self.hands.load.ended();
            }
        }
        self.remove(id);
    }

    pub(super) fn remove(&mut self, id: CallId) {
        if let Some(live) = self.calls.remove(&id) {
            if let Some(due) = live.due {
                self.timers.remove(&(due, id));
            }
            self.hands.load.forgotten();
            self.hands.recordings.release(id);
        }
    }

    /// The journal failed: no call of this shard may say anything more.
    pub(super) fn fail(&mut self, error: &AppendError) {
        self.stopping = true;
        if self.hands.load.fail() {
            tracing::error!(
                %error,
                calls = self.calls.len(),
                "the journal cannot be written: no call goes on and none is taken. Mend its disk and restart"
            );
            self.hands.delivery.failed(format!("the journal cannot be written: {error}"));
        }
        self.abandon_all();
    }

    /// Another instance may speak for these calls from now on. Their records stay until it is known that one does.
    pub(super) fn silence(&mut self, tell: Option<usize>) {
        let calls: Vec<CallId> = self.calls.keys().copied().collect();
        self.left(calls);
        self.abandon_all();
        if let Some(calls) = tell {
            self.hands.delivery.silenced(calls);
        }
    }

    /// Others may speak for these, or nobody knows yet who does: what comes for them is not denied here.
    pub(super) fn left(&mut self, calls: Vec<CallId>) {
        self.elsewhere.extend(calls);
        while self.elsewhere.len() > MOST_ELSEWHERE {
            self.elsewhere.pop_first();
        }
    }

    fn abandon_all(&mut self) {
        std::mem::take(&mut self.held).into_iter().for_each(|_| self.drop_held());
        std::mem::take(&mut self.inherited).into_iter().for_each(|_| self.drop_held());
        let calls: Vec<CallId> = self.calls.keys().copied().collect();
        for call in calls {
            self.abandon(call);
        }
    }

    /// The last turn: what was told and kept is deleted, what could not be told stays in the journal.
    pub(super) fn end(mut self) {
        let mut untold = 0_usize;
        for (&call, live) in &self.calls {
            if live.ending.told && live.ending.stored {
                let (epoch, revision) = live.saved;
                self.saves.delete(call, epoch, revision);
            } else {
                untold += 1;
            }
        }
        if let Err(error) = self.saves.append() {
            tracing::warn!(%error, "the records of ended calls were not deleted");
        }
        if untold > 0 {
            tracing::warn!(
                calls = untold,
                "calls stay in the journal: they had not ended, or nobody kept their result"
            );
        }
        self.flush();
    }
}
