//! Calls that are held until what they say is spoken: nobody is rung who would then hear silence.
//!
//! ```text
//! Hold ─► held ─┬─ Ready, spoken ────────────► placed: its timers run from now
//!               └─ Ready, not spoken; HangUp ─► withdrawn: a result, and no INVITE
//! ```

use super::live::Live;
use super::{PortPair, Shard, Ways};
use crate::call::{Call, Input, Start};
use crate::id::CallId;

/// A call that is not made yet.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) start: Box<Start>,
    pub(super) ways: Ways,
    pub(super) ports: PortPair,
}

impl Shard {
    /// Makes a call that was held, and places it or says why it is not placed. Of one that is not held (any more)
    /// nothing is done.
    pub(super) fn let_go(&mut self, id: CallId, spoken: Result<(), String>) {
        let Some(Held { start, ways, ports }) = self.held.remove(&id) else { return };
        match Call::new(self.clock.now(), *start, &self.assets) {
            Ok(call) => {
                self.calls.insert(id, Live::new(call, ways, ports));
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
