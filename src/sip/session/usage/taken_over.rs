//! Another instance goes on with a usage, at another address: what it sends, and what it gives up hearing of.
//!
//! ```text
//! final responses of ours ──────► once more, as they were: the peer may lack them
//! our 2xx without its ACK ──────► once more; its ACK goes to the address before, and is waited for no longer
//! our re-INVITE without a 2xx ──► an ACK all the same: its 2xx went to the address before
//! our UPDATE, OPTIONS, PRACK ───► given up: their responses go there too
//! our BYE without a response ───► a new one, with a number of its own
//! the session ──────────────────► a re-INVITE with the new Contact (§12.2.1.2 makes it the peer's target)
//! ```

use bytes::Bytes;

use super::{Phase, SessionTimer, Usage};
use crate::sip::session::asking::{Asking, Wish};
use crate::sip::session::inviting::Inviting;
use crate::sip::session::turn::Turn;

impl Usage {
    /// Goes on at another address; `skip` numbers are left out. Without an offer the session is not moved: it is to be
    /// ended.
    pub(in crate::sip) fn take_over(&mut self, turn: &mut Turn<'_>, skip: u32, offer: Option<&Bytes>) {
        self.dialog.skip(skip);
        self.answers.resume(turn);
        self.updated = None;
        if let Some(invited) = &mut self.invited {
            invited.resume(turn);
            invited.acked();
        }
        if let Some(inviting) = self.inviting.take() {
            inviting.take_over(turn, &self.dialog);
        }
        let asking = std::mem::take(&mut self.asking);
        let is_bye = |one: &Asking| one.is_pending() && matches!(one.wish(), Wish::Bye { .. });
        if let Some(bye) = asking.into_iter().find(is_bye) {
            self.ask(turn, bye.wish().clone());
        }
        if self.phase != Phase::Confirmed {
            return;
        }
        if let Some(timer) = &mut self.timer {
            timer.put_off(turn.now);
        }
        let refresh = self.timer.as_ref().map(SessionTimer::wish);
        self.inviting = offer.and_then(|offer| Inviting::moving(&mut self.dialog, turn, offer, refresh));
    }
}
