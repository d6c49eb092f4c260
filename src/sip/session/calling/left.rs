//! Dialogs of our INVITE that are left by BYE: those of forks that came second (RFC 3261 §13.2.2.4), and the early ones
//! that another instance finds which goes on with the call.
//!
//! ```text
//! INVITE, 18x with a tag │ its owner is gone │ CANCEL, as the owner would have sent it ─► the branch, to the same hop
//!                                            │ BYE in each early dialog (§15) ──────────► also if it was answered since
//! ```
//! Responses to the INVITE go to the address in its Via, where nobody is: it cannot be moved. Whatever becomes of it, the
//! phone rings no longer than the INVITE allowed, and 64*T1 later nothing of it is on its way any more.

use serde::{Deserialize, Serialize};

use super::{Calling, Cancel};
use crate::sip::Reason;
use crate::sip::Response;
use crate::sip::dialog::Dialog;
use crate::sip::session::asking::{Asking, Wish};
use crate::sip::session::turn::Turn;
use crate::sip::timers::PATIENCE;
use crate::time::Timestamp;

/// A dialog, and the BYE that leaves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Leaving {
    dialog: Dialog,
    bye: Asking,
}

impl Leaving {
    /// Sends the BYE; `None`: nothing was sent.
    pub(super) fn by_bye(mut dialog: Dialog, turn: &mut Turn<'_>, reason: Option<Reason>) -> Option<Self> {
        let bye = Asking::send(&mut dialog, turn, Wish::Bye { reason })?;
        Some(Self { dialog, bye })
    }

    fn take_over(&mut self, turn: &mut Turn<'_>, skip: u32) {
        self.dialog.skip(skip);
        if !self.bye.is_pending() {
            return;
        }
        if let Some(bye) = Asking::send(&mut self.dialog, turn, self.bye.wish().clone()) {
            self.bye = bye;
        }
    }

    pub(super) fn timeout(&mut self, turn: &mut Turn<'_>) {
        self.bye.timeout(turn);
    }

    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        self.bye.poll_timeout()
    }

    pub(super) fn resume(&mut self, turn: &mut Turn<'_>) {
        self.bye.resume(turn);
    }

    pub(super) const fn is_over(&self) -> bool {
        self.bye.is_over()
    }
}

/// Why another instance gives up what rings: ITU-T Q.850 §2.2.7.4.4.
fn owner_lost() -> Reason {
    Reason::q850(41, "Temporary failure")
}

impl Calling {
    pub(super) fn leaving(&self) -> impl Iterator<Item = &Leaving> {
        self.dialogs.iter().filter_map(|dialog| dialog.leaving.as_deref()).chain(&self.left)
    }

    pub(super) fn leaving_mut(&mut self) -> impl Iterator<Item = &mut Leaving> {
        self.dialogs.iter_mut().filter_map(|dialog| dialog.leaving.as_deref_mut()).chain(&mut self.left)
    }

    /// A response to such a BYE.
    pub(super) fn left_by_bye(&mut self, turn: &mut Turn<'_>, response: &Response, branch: &str) {
        if let Some(Leaving { dialog, bye }) = self.leaving_mut().find(|one| one.bye.branch() == branch) {
            bye.receive(dialog, turn, response);
        }
    }

    /// The dialog of a 2xx goes on with the numbers of an early one that was left.
    pub(super) fn follow_left(&self, dialog: &mut Dialog) {
        let same = |one: &&Leaving| one.dialog.remote_tag() == dialog.remote_tag();
        if let Some(Leaving { dialog: left, .. }) = self.left.iter().find(same) {
            dialog.follow(left);
        }
    }

    /// The record was restored, and says of an INVITE whose time has run out that nobody answered. While nobody was there
    /// somebody may have: the phone may be ringing. (Or a wrong clock says that the time has run out.)
    pub(super) fn resume_late(&mut self, turn: &mut Turn<'_>) {
        self.invite.hush();
        let reason = match &self.cancel {
            Cancel::Wanted { reason } => reason.clone(),
            Cancel::Unwanted | Cancel::Sent { .. } => Some(owner_lost()),
        };
        self.send_cancel(turn, reason.as_ref());
    }

    /// Another instance goes on, at another address. Answered dialogs are acknowledged again; an INVITE without a final
    /// response is given up, whether it has left or not.
    pub(in crate::sip::session) fn take_over(&mut self, turn: &mut Turn<'_>, skip: u32) {
        let is_pending = self.invite.is_pending();
        self.invite.take_over(turn);
        for dialog in &self.dialogs {
            turn.transmit(dialog.ack.clone());
        }
        for leaving in self.leaving_mut() {
            leaving.take_over(turn, skip);
        }
        match &mut self.cancel {
            Cancel::Sent { client, .. } => turn.transmit(client.resume(turn.now)),
            Cancel::Wanted { reason } if is_pending => {
                let reason = reason.clone();
                self.send_cancel(turn, reason.as_ref());
            }
            Cancel::Unwanted if is_pending => self.send_cancel(turn, Some(&owner_lost())),
            Cancel::Wanted { .. } | Cancel::Unwanted => {}
        }
        let until = self.longest.max(turn.now) + PATIENCE;
        if let Cancel::Sent { give_up, .. } = &mut self.cancel
            && is_pending
        {
            *give_up = until;
        }
        for early in std::mem::take(&mut self.early) {
            let mut dialog = early.usage.dialog().clone();
            dialog.skip(skip);
            self.left.extend(Leaving::by_bye(dialog, turn, Some(owner_lost())));
        }
    }
}
