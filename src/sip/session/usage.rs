//! The INVITE usage of a dialog (RFC 5057 §2): what both ends do between the INVITE and the last echo of
//! the BYE. The caller's [`Session`](super::Session) and the callee's
//! [`Incoming`](crate::sip::incoming::Incoming) each hold one.
//!
//! ```text
//! Early ----accept----> Confirmed ----BYE, ours or theirs----> Left ----last timer----> over
//! (callee only)\------------refuse, CANCEL, BYE---------------/
//! ```

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Event;
use super::answered::Answers;
use super::asking::{Answered, Asking, Purpose};
use super::invited::{Invited, Wait};
use super::inviting::Inviting;
use super::turn::Turn;
use crate::sip::dialog::Dialog;
use crate::sip::reply::Objection;
use crate::sip::timers::PATIENCE;
use crate::sip::{Reason, Response, StatusCode};
use crate::time::Timestamp;

/// The usage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sip) struct Usage {
    pub(super) dialog: Dialog,
    pub(super) phase: Phase,
    /// The peer's INVITE that we answer, or answered last.
    pub(super) invited: Option<Invited>,
    /// Our re-INVITE that the peer answers, or answered last.
    pub(super) inviting: Option<Inviting>,
    /// What was answered finally, until its repeats have died away.
    pub(super) answers: Answers,
    /// Our own requests other than INVITE that the peer answers, or answered last.
    asking: Vec<Asking>,
}

/// Where the usage stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sip) enum Phase {
    /// The callee has not accepted yet.
    Early,
    /// There is a session.
    Confirmed,
    /// Somebody left it; transactions die away, at the latest at `until`.
    Left {
        /// When even an unanswered re-INVITE of ours is given up.
        until: Timestamp,
    },
}

impl Usage {
    /// The caller's usage, from the first 2xx on.
    pub(in crate::sip) fn confirmed(dialog: Dialog) -> Self {
        Self {
            dialog,
            phase: Phase::Confirmed,
            invited: None,
            inviting: None,
            answers: Answers::default(),
            asking: Vec::new(),
        }
    }

    /// The callee's usage, from the INVITE on.
    pub(in crate::sip) fn early(dialog: Dialog, invited: Invited) -> Self {
        Self { phase: Phase::Early, invited: Some(invited), ..Self::confirmed(dialog) }
    }

    pub(in crate::sip) const fn dialog(&self) -> &Dialog {
        &self.dialog
    }

    pub(in crate::sip) const fn phase(&self) -> Phase {
        self.phase
    }

    /// True once the peer's INVITE has got any response.
    pub(in crate::sip) fn has_answered(&self) -> bool {
        !self.invited.as_ref().is_some_and(Invited::is_silent)
    }

    /// True while our 2xx waits for its ACK.
    pub(in crate::sip) fn is_unacked(&self) -> bool {
        self.invited.as_ref().is_some_and(Invited::is_unacked)
    }

    /// Gives a provisional response to the peer's INVITE.
    pub(in crate::sip) fn provisional(
        &mut self,
        turn: &mut Turn<'_>,
        status: StatusCode,
        body: Option<&Bytes>,
    ) {
        if let Some(invited) = &mut self.invited {
            invited.provisional(turn, status, body);
        }
    }

    /// Accepts the peer's INVITE that waits, if one does.
    pub(in crate::sip) fn accept(&mut self, turn: &mut Turn<'_>, body: Option<&Bytes>) {
        let Some(accepted) = self.invited.as_mut().and_then(|invited| invited.accept(turn, body)) else {
            return;
        };
        match self.phase {
            Phase::Early => self.phase = Phase::Confirmed,
            Phase::Confirmed | Phase::Left { .. } => {
                if let Some(target) = accepted.target {
                    self.dialog.refresh_target(target); // RFC 3261 §12.2.2
                }
            }
        }
    }

    /// Refuses the peer's INVITE that waits, if one does. Without a session there is nothing else.
    pub(in crate::sip) fn refuse(&mut self, turn: &mut Turn<'_>, objection: &Objection) {
        if let Some(invited) = &mut self.invited {
            invited.refuse(turn, objection);
        }
        if self.phase == Phase::Early {
            self.leave(turn.now);
        }
    }

    /// Sends a re-INVITE. Nothing happens without a session, or while another INVITE is under way in
    /// either direction (§14.1); false then.
    pub(in crate::sip) fn reinvite(&mut self, turn: &mut Turn<'_>, offer: Option<&Bytes>) -> bool {
        let theirs = self.invited.as_ref().is_some_and(|one| one.is_pending() || one.is_unacked());
        let ours = self.inviting.as_ref().is_some_and(Inviting::is_pending);
        if self.phase != Phase::Confirmed || theirs || ours {
            return false;
        }
        self.inviting = Inviting::send(&mut self.dialog, turn, offer);
        self.inviting.is_some()
    }

    /// Hangs up. Nothing happens without a session.
    pub(in crate::sip) fn bye(&mut self, turn: &mut Turn<'_>, reason: Option<&Reason>) {
        if self.phase != Phase::Confirmed {
            return;
        }
        self.leave(turn.now);
        self.drop_pending(turn);
        self.ask(turn, Purpose::Bye, reason);
    }

    /// Asks whether the peer is still there; false if nothing was sent.
    pub(in crate::sip) fn probe(&mut self, turn: &mut Turn<'_>) -> bool {
        let waits = self.asking.iter().any(|one| one.purpose() == Purpose::Probe && one.is_pending());
        self.phase == Phase::Confirmed && !waits && self.ask(turn, Purpose::Probe, None)
    }

    fn ask(&mut self, turn: &mut Turn<'_>, purpose: Purpose, reason: Option<&Reason>) -> bool {
        let sent = Asking::send(&mut self.dialog, turn, purpose, reason);
        let is_sent = sent.is_some();
        self.asking.extend(sent);
        is_sent
    }

    /// A request of ours has come to its end.
    fn asked(turn: &mut Turn<'_>, purpose: Purpose, status: Answered) {
        match purpose {
            Purpose::Bye => turn.tell(Event::ByeDone { status }),
            Purpose::Probe => turn.tell(Event::Probed { status }),
        }
    }

    /// The session is over; what is under way may still end in order.
    pub(super) fn leave(&mut self, now: Timestamp) {
        self.phase = Phase::Left { until: now + PATIENCE };
    }

    /// Whoever leaves answers what waits with 487 (§15.1.2) and repeats its 2xx no more.
    pub(super) fn drop_pending(&mut self, turn: &mut Turn<'_>) {
        if let Some(invited) = &mut self.invited {
            invited.refuse(turn, &Objection::bare(StatusCode::REQUEST_TERMINATED));
            invited.acked();
        }
    }

    /// A response to a request of ours in this dialog; false if its branch is none of ours.
    pub(in crate::sip) fn response(
        &mut self,
        turn: &mut Turn<'_>,
        response: &Response,
        branch: &str,
    ) -> bool {
        if let Some(inviting) = self.inviting.as_mut().filter(|inviting| inviting.knows(branch)) {
            inviting.receive(turn, &mut self.dialog, response, branch);
            return true;
        }
        let Some(asking) = self.asking.iter_mut().find(|one| one.branch() == branch) else { return false };
        if let Some(status) = asking.receive(&mut self.dialog, turn, response) {
            Self::asked(turn, asking.purpose(), status);
        }
        true
    }

    /// Runs the timers that are due.
    pub(in crate::sip) fn timeout(&mut self, turn: &mut Turn<'_>) {
        self.answers.timeout(turn);
        if let Some(inviting) = &mut self.inviting {
            inviting.timeout(turn);
        }
        if self.invited.as_mut().is_some_and(|invited| invited.timeout(turn) == Wait::Vain) {
            turn.tell(Event::Unacked);
            self.bye(turn, None);
        }
        for asking in &mut self.asking {
            if let Some(status) = asking.timeout(turn) {
                Self::asked(turn, asking.purpose(), status);
            }
        }
        if let (Phase::Left { until }, Some(inviting)) = (self.phase, &mut self.inviting)
            && until <= turn.now
        {
            inviting.abandon();
        }
        self.tidy();
    }

    /// Forgets what has ended, so that the record stays small.
    fn tidy(&mut self) {
        self.invited.take_if(|invited| invited.is_over());
        self.inviting.take_if(|inviting| inviting.is_over());
        self.asking.retain(|asking| !asking.is_over());
    }

    pub(in crate::sip) fn poll_timeout(&self) -> Option<Timestamp> {
        let until = match self.phase {
            Phase::Left { until } => self.inviting.as_ref().map(|_| until),
            Phase::Early | Phase::Confirmed => None,
        };
        [
            until,
            self.answers.poll_timeout(),
            self.invited.as_ref().and_then(Invited::poll_timeout),
            self.inviting.as_ref().and_then(Inviting::poll_timeout),
            self.asking.iter().filter_map(Asking::poll_timeout).min(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The record was restored: everything that may not have left before, once more.
    pub(in crate::sip) fn resume(&self, turn: &mut Turn<'_>) {
        self.answers.resume(turn);
        if let Some(invited) = &self.invited {
            invited.resume(turn);
        }
        if let Some(inviting) = &self.inviting {
            inviting.resume(turn);
        }
        for asking in &self.asking {
            asking.resume(turn);
        }
    }

    /// The transport failed (§17.1.4): what waits for an answer gets none.
    pub(in crate::sip) fn transport_failed(&mut self, turn: &mut Turn<'_>) {
        for asking in &mut self.asking {
            if let Some(status) = asking.abandon() {
                Self::asked(turn, asking.purpose(), status);
            }
        }
        if let Some(inviting) = self.inviting.as_mut().filter(|inviting| inviting.is_pending())
            && !inviting.by_udp(turn)
        {
            inviting.abandon();
            turn.tell(Event::ReinviteRefused { status: None, retry_after: None });
        }
        self.tidy();
    }

    /// True once somebody left and every transaction has ended.
    pub(in crate::sip) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Left { .. })
            && self.invited.as_ref().is_none_or(Invited::is_over)
            && self.inviting.as_ref().is_none_or(Inviting::is_over)
            && self.asking.iter().all(Asking::is_over)
            && self.answers.is_empty()
    }
}
