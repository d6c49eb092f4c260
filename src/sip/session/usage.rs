//! The INVITE usage of a dialog (RFC 5057 §2): what both ends do between the INVITE and the last echo of
//! the BYE. The caller's [`Session`](super::Session) and the callee's
//! [`Incoming`](crate::sip::incoming::Incoming) each hold one.
//!
//! ```text
//! Early ------2xx-----> Confirmed ----BYE, ours or theirs----> Left ----last timer----> over
//!   \-------------------refuse, CANCEL, BYE-------------------/
//! ```

mod asked;
mod taken_over;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Event;
use super::answered::Answers;
use super::asking::{Asking, Wish};
use super::invited::{Invited, Offer, Wait};
use super::inviting::{Inviting, Resolved};
use super::timer::{Due, SessionTimer};
use super::turn::Turn;
use super::updated::Updated;
use crate::sip::dialog::{self, Dialog};
use crate::sip::reply::Objection;
use crate::sip::timers::PATIENCE;
use crate::sip::{Headers, Method, Refresher, Response, SessionExpires, StatusCode};
use crate::time::Timestamp;

/// The usage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sip) struct Usage {
    pub(super) dialog: Dialog,
    pub(super) phase: Phase,
    pub(super) side: Side,
    /// Whether the first offer has its answer.
    exchange: Exchange,
    /// The peer's INVITE that we answer, or answered last.
    pub(super) invited: Option<Invited>,
    /// Our re-INVITE that the peer answers, or answered last.
    pub(super) inviting: Option<Inviting>,
    /// What was answered finally, until its repeats have died away.
    pub(super) answers: Answers,
    /// Our own requests other than INVITE that the peer answers, or answered last.
    asking: Vec<Asking>,
    /// The peer's UPDATE whose offer waits for our answer.
    pub(super) updated: Option<Updated>,
    timer: Option<SessionTimer>,
    refreshes_by: RefreshBy,
}

/// Which end of the first INVITE we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sip) enum Side {
    /// We sent it, and own the Call-ID.
    Caller,
    /// We got it.
    Callee,
}

/// Where the first offer and its answer stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Exchange {
    Open,
    Done,
}

/// How we refresh the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum RefreshBy {
    /// By UPDATE without a description: nothing changes (RFC 4028 §7.4).
    Update,
    /// By re-INVITE: the peer does not take UPDATE.
    Invite,
}

/// Where the usage stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sip) enum Phase {
    /// The INVITE was not accepted yet.
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
    /// A usage whose INVITE was not accepted yet.
    pub(in crate::sip) fn new(dialog: Dialog, side: Side) -> Self {
        Self {
            dialog,
            phase: Phase::Early,
            side,
            exchange: Exchange::Open,
            invited: None,
            inviting: None,
            answers: Answers::default(),
            asking: Vec::new(),
            updated: None,
            timer: None,
            refreshes_by: RefreshBy::Invite,
        }
    }

    /// The callee's usage, from the INVITE on.
    pub(in crate::sip) fn early(dialog: Dialog, invited: Invited, headers: &Headers) -> Self {
        let mut usage = Self { invited: Some(invited), ..Self::new(dialog, Side::Callee) };
        usage.learn(headers);
        usage
    }

    /// The 2xx of our INVITE came: the dialog is what it says (RFC 3261 §13.2.2.4), and the timer too.
    pub(in crate::sip) fn confirm(&mut self, turn: &Turn<'_>, mut dialog: Dialog, response: &Response) {
        dialog.follow(&self.dialog);
        self.dialog = dialog;
        self.phase = Phase::Confirmed;
        self.exchange = Exchange::Done;
        self.learn(response.headers());
        self.settle_timer(turn, response.headers());
    }

    /// The peer's answer to our first offer came before its 2xx.
    pub(in crate::sip) const fn exchanged(&mut self) {
        self.exchange = Exchange::Done;
    }

    /// What the peer takes.
    fn learn(&mut self, headers: &Headers) {
        if headers.allow().contains(&Method::Update) {
            self.refreshes_by = RefreshBy::Update;
        }
    }

    /// A 2xx to a request of ours that refreshes sets the timer anew, or takes it away (RFC 4028 §7.2).
    fn settle_timer(&mut self, turn: &Turn<'_>, headers: &Headers) {
        if self.phase != Phase::Confirmed {
            return;
        }
        let expires = headers.session_expires().ok().flatten();
        self.timer = expires.map(|expires| SessionTimer::start(turn.now, expires, Refresher::Uac));
    }

    /// Our 2xx to a request of the peer's did so (§9).
    fn restart_timer(&mut self, turn: &Turn<'_>, expires: Option<SessionExpires>) {
        if self.phase != Phase::Confirmed {
            return;
        }
        self.timer = expires.map(|expires| SessionTimer::start(turn.now, expires, Refresher::Uas));
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

    /// Gives a reliable provisional response to the peer's INVITE, the next one after that which was acknowledged.
    pub(in crate::sip) fn reliably(&mut self, turn: &mut Turn<'_>, status: StatusCode, body: Option<&Bytes>) {
        let (Some(invited), Some(reliable)) = (&mut self.invited, turn.reliable.take()) else { return };
        reliable.give(turn, invited, status, body);
        turn.reliable = Some(reliable);
    }

    /// Accepts the peer's INVITE or UPDATE that waits, if one does.
    pub(in crate::sip) fn accept(&mut self, turn: &mut Turn<'_>, body: Option<&Bytes>) {
        if let Some(updated) = self.updated.take() {
            return self.accept_update(turn, updated, body);
        }
        // A reliable response had the answer: the 2xx has none (RFC 3262 §5).
        let body = body.filter(|_| self.phase != Phase::Early || self.exchange == Exchange::Open);
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
        self.restart_timer(turn, accepted.expires);
        self.outrun(turn);
    }

    /// Answers an UPDATE: it moves the target (RFC 3311 §5.2) and sets the timer.
    pub(super) fn accept_update(&mut self, turn: &mut Turn<'_>, updated: Updated, body: Option<&Bytes>) {
        let Some(accepted) = updated.accept(turn, &mut self.answers, body) else { return };
        if let Some(target) = accepted.target {
            self.dialog.refresh_target(target);
        }
        self.restart_timer(turn, accepted.expires);
        if body.is_some() {
            self.outrun(turn);
        }
    }

    /// A new description was agreed on while our re-INVITE waited for its second try: its offer is of yesterday.
    fn outrun(&mut self, turn: &mut Turn<'_>) {
        let Some(outrun) = self.inviting.take_if(|inviting| inviting.is_waiting()) else { return };
        if outrun.moves() {
            turn.tell(Event::ReinviteAnswered { body: None }); // who was answered by us here knows where we are
        } else {
            let status = Some(StatusCode::REQUEST_PENDING);
            turn.tell(Event::ReinviteRefused { status, retry_after: None });
        }
    }

    /// Refuses the peer's INVITE or UPDATE that waits, if one does. Without a session there is nothing else.
    pub(in crate::sip) fn refuse(&mut self, turn: &mut Turn<'_>, objection: &Objection) {
        if let Some(updated) = self.updated.take() {
            return updated.refuse(turn, &mut self.answers, objection);
        }
        if let Some(invited) = &mut self.invited {
            invited.refuse(turn, objection);
        }
        if self.phase == Phase::Early {
            self.leave(turn.now);
        }
    }

    /// Sends a re-INVITE. Nothing happens without a session, or while an offer is under way in either
    /// direction (RFC 3261 §14.1, RFC 3311 §5.1); false then.
    pub(in crate::sip) fn reinvite(&mut self, turn: &mut Turn<'_>, offer: Option<&Bytes>) -> bool {
        if self.phase != Phase::Confirmed || self.our_offer_is_open() || self.their_offer_is_open() {
            return false;
        }
        if self.inviting.as_ref().is_some_and(Inviting::is_waiting) {
            return false;
        }
        let refresh = self.timer.as_ref().map(SessionTimer::wish);
        self.inviting = Inviting::send(&mut self.dialog, turn, offer, refresh);
        self.inviting.is_some()
    }

    /// True while an offer of ours waits for its answer.
    pub(in crate::sip) fn our_offer_is_open(&self) -> bool {
        let in_2xx = |one: &Invited| one.offer() == Offer::Ours && (one.is_pending() || one.is_unacked());
        let first =
            self.side == Side::Caller && self.phase == Phase::Early && self.exchange == Exchange::Open;
        let in_update =
            |one: &Asking| matches!(one.wish(), Wish::Update { offer: Some(_), .. }) && one.is_pending();
        first
            || self.asking.iter().any(in_update)
            || self.inviting.as_ref().is_some_and(Inviting::is_pending)
            || self.invited.as_ref().is_some_and(in_2xx)
    }

    /// True while an offer of the peer's waits for ours, or our answer for its ACK.
    pub(super) fn their_offer_is_open(&self) -> bool {
        self.updated.is_some()
            || self.invited.as_ref().is_some_and(|one| one.is_pending() || one.is_unacked())
    }

    /// True while the peer's UPDATE waits for our answer.
    pub(in crate::sip) const fn is_updated(&self) -> bool {
        self.updated.is_some()
    }

    /// True while the INVITE of an early dialog waits, but no longer its offer: that was answered reliably.
    pub(super) fn answered_early(&self) -> bool {
        self.phase == Phase::Early && self.exchange == Exchange::Done
    }

    /// The session is over; what is under way may still end in order.
    pub(super) fn leave(&mut self, now: Timestamp) {
        self.phase = Phase::Left { until: now + PATIENCE };
        if let Some(inviting) = &mut self.inviting {
            inviting.stop_waiting();
        }
    }

    /// Whoever leaves answers what waits with 487 (§15.1.2) and repeats its 2xx no more.
    pub(super) fn drop_pending(&mut self, turn: &mut Turn<'_>) {
        self.timer = None;
        let objection = Objection::bare(StatusCode::REQUEST_TERMINATED);
        if let Some(updated) = self.updated.take() {
            updated.refuse(turn, &mut self.answers, &objection);
        }
        if let Some(invited) = &mut self.invited {
            invited.refuse(turn, &objection);
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
            let resolved =
                inviting.receive(turn, &mut self.dialog, response, branch, (self.side, self.phase));
            if resolved == Resolved::Accepted {
                self.settle_timer(turn, response.headers());
            }
            return true;
        }
        let Some(asking) = self.asking.iter_mut().find(|one| one.branch() == branch) else { return false };
        if let Some(status) = asking.receive(&mut self.dialog, turn, response) {
            let wish = asking.wish().clone();
            let refreshes = matches!(wish, Wish::Refresh { .. } | Wish::Update { .. });
            if refreshes
                && response.status().is_success()
                && let Some(target) = dialog::contact(response.headers())
            {
                self.dialog.refresh_target(target); // RFC 3261 §12.2.1.2
            }
            self.asked(turn, &wish, status, Some(response));
        }
        true
    }

    /// Runs the timers that are due.
    pub(in crate::sip) fn timeout(&mut self, turn: &mut Turn<'_>) {
        self.answers.timeout(turn);
        self.timer_due(turn);
        if let Some(inviting) = &mut self.inviting {
            inviting.timeout(turn, &mut self.dialog);
        }
        if self.invited.as_mut().is_some_and(|invited| invited.timeout(turn) == Wait::Vain) {
            turn.tell(Event::Unacked);
            self.bye(turn, None);
        }
        let ended: Vec<Wish> = self
            .asking
            .iter_mut()
            .filter_map(|asking| asking.timeout(turn).map(|_| asking.wish().clone()))
            .collect();
        for wish in ended {
            self.asked(turn, &wish, None, None);
        }
        if let (Phase::Left { until }, Some(inviting)) = (self.phase, &mut self.inviting)
            && until <= turn.now
        {
            inviting.end();
        }
        self.tidy();
    }

    fn timer_due(&mut self, turn: &mut Turn<'_>) {
        match self.timer.as_mut().map_or(Due::Nothing, |timer| timer.due(turn.now)) {
            Due::Nothing => {}
            Due::Refresh => self.refresh(turn),
            Due::End => self.expire(turn),
        }
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
            self.timer.as_ref().map(SessionTimer::poll_timeout),
            self.invited.as_ref().and_then(Invited::poll_timeout),
            self.inviting.as_ref().and_then(Inviting::poll_timeout),
            self.asking.iter().filter_map(Asking::poll_timeout).min(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The record was restored: everything that may not have left before, once more.
    pub(in crate::sip) fn resume(&mut self, turn: &mut Turn<'_>) {
        self.answers.resume(turn);
        if let Some(invited) = &self.invited {
            invited.resume(turn);
        }
        if let Some(inviting) = &self.inviting {
            inviting.resume(turn);
        }
        for asking in &mut self.asking {
            asking.resume(turn);
        }
    }

    /// The transport failed (§17.1.4): what waits for an answer gets none.
    pub(in crate::sip) fn transport_failed(&mut self, turn: &mut Turn<'_>) {
        let ended: Vec<Wish> = self
            .asking
            .iter_mut()
            .filter_map(|asking| asking.abandon().map(|_| asking.wish().clone()))
            .collect();
        for wish in ended {
            self.asked(turn, &wish, None, None);
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
