//! Calls that are held until what they say is spoken, for nobody is rung who would then hear silence, and until their
//! trunk may be called (`cps`).
//!
//! ```text
//! Hold ─► held ─┬─ Ready, spoken ─► its slot ─► placed: its timers run from now
//!               └─ Ready, not spoken; HangUp ─► withdrawn: a result, and no INVITE
//! ```

use super::live::Live;
use super::{Reserved, Shard};
use crate::call::{Call, Input, Start};
use crate::id::CallId;
use crate::time::Timestamp;

/// A call that is not made yet.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) start: Box<Start>,
    pub(super) reserved: Reserved,
}

impl Shard {
    /// What a held call says is spoken: it goes when its trunk takes the next one.
    pub(super) fn pace(&mut self, id: CallId) {
        let Some(held) = self.held.get(&id) else { return };
        let now = self.clock.now();
        match held.reserved.channel.slot(now) {
            at if at > now => drop(self.paced.insert((at, id))),
            _ => self.let_go(id, Ok(())),
        }
    }

    /// Lets go of those whose time has come.
    pub(super) fn let_paced_go(&mut self, now: Timestamp) {
        while let Some((_, call)) = self.paced.first().copied().filter(|(at, _)| *at <= now) {
            self.paced.pop_first();
            self.let_go(call, Ok(()));
        }
    }

    /// Makes a call that was held, and places it or says why it is not placed. Of one that is not held (any more)
    /// nothing is done.
    pub(super) fn let_go(&mut self, id: CallId, spoken: Result<(), String>) {
        let Some(Held { start, reserved }) = self.held.remove(&id) else { return };
        match Call::new(self.clock.now(), *start, &self.assets) {
            Ok(call) => {
                self.calls.insert(id, Live::new(call, reserved));
                self.tell(id, spoken.map_or_else(|why| Input::Withdrawn { why }, |()| Input::Started));
            }
            Err(error) => {
                // It was made once already when it was placed.
                tracing::error!(call = %id, %error, "a call that was held cannot be made; please report this");
                self.drop_held();
            }
        }
    }

    /// A held call is gone without a result.
    pub(super) fn drop_held(&self) {
        self.hands.load.ended();
        self.hands.load.forgotten();
    }
}
