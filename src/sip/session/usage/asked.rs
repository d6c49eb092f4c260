//! Our own requests within the dialog other than re-INVITE, and what comes of each: BYE, OPTIONS, PRACK, UPDATE.

use bytes::Bytes;

use super::{Exchange, Phase, RefreshBy, Usage};
use crate::sip::session::asking::{Answered, Asking, Wish};
use crate::sip::session::inviting::Inviting;
use crate::sip::session::timer::SessionTimer;
use crate::sip::session::turn::Turn;
use crate::sip::session::{Event, retry_after, sdp_of_response};
use crate::sip::timers::PATIENCE;
use crate::sip::{Headers, RAck, Reason, Response, StatusCode};

impl Usage {
    /// Sends an UPDATE (RFC 3311 §5.1): in an early dialog with an offer only after the first one has its answer.
    /// False, and nothing is sent, while an offer is under way, or if the peer takes no UPDATE.
    pub(in crate::sip) fn update(&mut self, turn: &mut Turn<'_>, offer: Option<&Bytes>) -> bool {
        let may = match self.phase {
            Phase::Early => self.updated.is_none() && (offer.is_none() || self.exchange == Exchange::Done),
            Phase::Confirmed => !self.their_offer_is_open(),
            Phase::Left { .. } => false,
        };
        let waits = self.inviting.as_ref().is_some_and(Inviting::is_waiting);
        if !may || waits || self.our_offer_is_open() || self.refreshes_by == RefreshBy::Invite {
            return false;
        }
        let refresh = self.timer.as_ref().map(SessionTimer::wish);
        self.ask(turn, Wish::Update { offer: offer.cloned(), refresh })
    }

    /// Hangs up. Nothing happens without a session.
    pub(in crate::sip) fn bye(&mut self, turn: &mut Turn<'_>, reason: Option<&Reason>) {
        if self.phase != Phase::Confirmed {
            return;
        }
        self.leave(turn.now);
        self.drop_pending(turn);
        self.ask(turn, Wish::Bye { reason: reason.cloned() });
    }

    /// Asks whether the peer is still there; false if nothing was sent.
    pub(in crate::sip) fn probe(&mut self, turn: &mut Turn<'_>) -> bool {
        let waits = self.asking.iter().any(|one| *one.wish() == Wish::Probe && one.is_pending());
        self.phase == Phase::Confirmed && !waits && self.ask(turn, Wish::Probe)
    }

    /// Acknowledges a reliable provisional response (RFC 3262 §4).
    pub(in crate::sip) fn acknowledge(&mut self, turn: &mut Turn<'_>, rack: RAck) {
        self.ask(turn, Wish::Prack { rack });
    }

    pub(super) fn ask(&mut self, turn: &mut Turn<'_>, wish: Wish) -> bool {
        let sent = Asking::send(&mut self.dialog, turn, wish);
        let is_sent = sent.is_some();
        self.asking.extend(sent);
        is_sent
    }

    /// A request of ours has come to its end.
    pub(super) fn asked(
        &mut self,
        turn: &mut Turn<'_>,
        wish: &Wish,
        status: Answered,
        response: Option<&Response>,
    ) {
        let headers = response.map(Response::headers);
        match wish {
            Wish::Bye { .. } => turn.tell(Event::ByeDone { status }),
            Wish::Probe => turn.tell(Event::Probed { status }),
            Wish::Prack { .. } => {} // whoever misses it refuses the INVITE (RFC 3262 §3)
            Wish::Refresh { .. } => self.refreshed(turn, status, headers),
            Wish::Update { .. } => self.has_updated(turn, status, response),
        }
    }

    /// Our UPDATE was answered: its 2xx moves the target and sets the timer (RFC 3311 §5.1, RFC 4028 §7.2).
    fn has_updated(&mut self, turn: &mut Turn<'_>, status: Answered, response: Option<&Response>) {
        let headers = response.map(Response::headers);
        match (status, response) {
            (Some(status), Some(response)) if status.is_success() => {
                self.settle_timer(turn, response.headers());
                turn.tell(Event::ReinviteAnswered { body: sdp_of_response(response) });
            }
            (status, _) => {
                turn.tell(Event::ReinviteRefused { status, retry_after: headers.and_then(retry_after) });
            }
        }
    }

    /// Our UPDATE that refreshes was answered (RFC 4028 §7.4, RFC 3261 §12.2.1.2).
    fn refreshed(&mut self, turn: &mut Turn<'_>, status: Answered, headers: Option<&Headers>) {
        let Some(timer) = self.timer.as_mut().filter(|_| self.phase == Phase::Confirmed) else { return };
        match (status, headers) {
            (Some(status), Some(headers)) if status.is_success() => self.settle_timer(turn, headers),
            (Some(StatusCode::SESSION_INTERVAL_TOO_SMALL), Some(headers)) if timer.raise(headers) => {
                self.refresh(turn);
            }
            (Some(StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED), _) => {
                self.refreshes_by = RefreshBy::Invite;
                self.refresh(turn);
            }
            (None | Some(StatusCode::CALL_DOES_NOT_EXIST | StatusCode::REQUEST_TIMEOUT), _) => {
                self.expire(turn);
            }
            (Some(_), _) => timer.refresh_at(turn.now + PATIENCE), // another try, or the end by its timer
        }
    }

    pub(super) fn refresh(&mut self, turn: &mut Turn<'_>) {
        let Some((expires, min_se)) = self.timer.as_ref().map(SessionTimer::wish) else { return };
        match self.refreshes_by {
            RefreshBy::Update => {
                self.ask(turn, Wish::Refresh { expires, min_se });
            }
            RefreshBy::Invite => turn.tell(Event::RefreshDue),
        }
    }

    /// The session was not refreshed, or the peer does not know it any more.
    pub(super) fn expire(&mut self, turn: &mut Turn<'_>) {
        turn.tell(Event::Expired);
        self.bye(turn, None);
    }
}
