//! What the INVITE session says, and what the call makes of it.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;

use crate::id::Digest;
use crate::outcome::Disposition;
use crate::sdp::{self, NegotiateError, Negotiated};
use crate::sip::session::{Event, Failure};
use crate::sip::{HeaderName, Reason, StatusCode};
use crate::time::Timestamp;

use super::message::{MediaPlan, Output};
use super::recording::Leaving;
use super::result::{EndedBy, Fault};
use super::step::Step;
use super::talk::Talk;
use super::trunks::{TryEnd, end_of};
use super::{Assets, Call, Stage, Turn};

/// The longest that a trunk is left in peace for one response: a slip of a carrier's hand is not to cost a day.
const LONGEST_QUIET: Duration = Duration::from_secs(600);

/// The first Q.850 cause among Reason headers (RFC 3326 §2).
fn q850(reasons: &[Reason]) -> Option<u8> {
    reasons
        .iter()
        .filter(|reason| reason.is_q850())
        .find_map(|reason| reason.cause.and_then(|cause| u8::try_from(cause).ok()))
}

impl Call {
    /// Takes the session's events until it has no more.
    pub(super) fn follow_session(&mut self, now: Timestamp, assets: &Assets, turn: &mut Turn) {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Transmit(message) => {
                    turn.outputs.push(Output::Send { through: self.trunks.number(), message });
                }
                Event::Progress { status, body } => self.progressed(now, status, body.as_ref(), turn),
                Event::Answered { body } => self.answered(now, body, assets, turn),
                Event::Offered { body } => self.offered(now, body, assets, turn),
                Event::Acked { body } => self.acked(now, body, assets, turn),
                Event::Failed { failure, reasons, retry_after, .. } => {
                    self.hold_off(now, failure, retry_after, turn);
                    self.refused(now, failure, &reasons, assets, turn);
                }
                Event::Cancelled { reasons } => self.cancelled(now, &reasons, assets, turn),
                Event::CancelCrossed => self.cancel_crossed(now),
                Event::PeerBye { reasons } => {
                    self.cause = q850(&reasons);
                    self.left_by_callee(now, assets, turn);
                }
                Event::ByeDone { .. } => self.broken(now, assets, turn),
                Event::Unacked => self.lost_ack(now, assets, turn),
                Event::Expired => self.gone(now, assets, turn),
                Event::RefreshDue => self.refresh(now),
                Event::ReinviteAnswered { body } => self.reinvite_answered(now, body, assets, turn),
                Event::ReinviteRefused { status, .. } => self.reinvite_refused(now, status, assets, turn),
                Event::Info { body, .. } => self.informed(now, &body, assets, turn),
                Event::Probed { status } => self.probed(now, status, assets, turn),
                Event::Over => self.broken(now, assets, turn),
            }
        }
    }

    /// The dialog is over; unless an outcome was decided before, it broke.
    fn broken(&mut self, now: Timestamp, assets: &Assets, turn: &mut Turn) {
        if !self.stores_first(now, Leaving::Broken, turn) {
            self.end(now, Disposition::TechnicalFault, EndedBy::Fault, assets, turn);
        }
    }

    fn progressed(&mut self, now: Timestamp, status: StatusCode, body: Option<&Bytes>, turn: &mut Turn) {
        if (180..=189).contains(&status.as_u16()) && self.times.ringing.is_none() {
            self.times.ringing = Some(now);
        }
        turn.tell(Step::Progress { status: status.as_u16() });
        if let Some(body) = body {
            self.early_media(now, body, turn);
        }
    }

    fn answered(&mut self, now: Timestamp, body: Option<Bytes>, assets: &Assets, turn: &mut Turn) {
        self.sip_status = Some(200);
        self.times.answered = Some(now);
        self.trunks.settle();
        let Ok(negotiated) = sdp::negotiate(&self.local, &body.unwrap_or_default()) else {
            // No media can flow: the dialog exists, so it is ended in order (RFC 3261 §13.2.2.4).
            return self.hang_up(now, Disposition::TechnicalFault, EndedBy::Fault, turn);
        };
        let anchor = self.stream(now);
        turn.tell(Step::Answered { codec: negotiated.codec.name() });
        let ears = self.listening.ears(&negotiated);
        let plan = MediaPlan { negotiated: negotiated.clone(), anchor, ears };
        turn.outputs.push(Output::OpenMedia(Box::new(plan)));
        self.streaming = true;
        let until = now + Duration::from_secs(u64::from(self.longest_s));
        self.begin(now, Talk::new(negotiated, anchor, ears, until), assets, turn);
    }

    /// The peer's re-INVITE or UPDATE (RFC 3261 §14.2, RFC 3311): the stream goes on, under the new terms. In an
    /// early dialog (before the 2xx) early media comes under them, and the 2xx will stand behind them.
    fn offered(&mut self, now: Timestamp, body: Option<Bytes>, assets: &Assets, turn: &mut Turn) {
        if let Stage::Closing(_) | Stage::Ended(_) = self.stage {
            return self.session.reject(now, StatusCode::NOT_ACCEPTABLE_HERE, &mut self.mint);
        }
        let Some(body) = body else {
            let offer = self.offer();
            return self.session.answer(now, Some(&offer), &mut self.mint); // the answer comes with the ACK
        };
        match self.answer(&body) {
            Ok((answer, negotiated)) => {
                self.session.answer(now, Some(&answer), &mut self.mint);
                if let Stage::Talking(_) = self.stage {
                    self.retune(now, negotiated, assets, turn);
                } else {
                    self.listen_early(now, negotiated, turn);
                }
            }
            Err(error) => self.object(now, &error),
        }
    }

    /// Our description as an offer. Its version grows if it is another one than the last (RFC 3264 §8).
    pub(super) fn offer(&mut self) -> Bytes {
        let mut offer = sdp::offer(&self.local);
        if Digest::of(&offer) != self.described {
            self.local.origin = self.local.origin.next();
            offer = sdp::offer(&self.local);
            self.described = Digest::of(&offer);
        }
        offer
    }

    /// Our answer to an offer, likewise.
    fn answer(&mut self, offer: &Bytes) -> Result<(Bytes, Negotiated), NegotiateError> {
        let (mut answer, mut negotiated) = sdp::answer(&self.local, offer)?;
        if Digest::of(&answer) != self.described {
            self.local.origin = self.local.origin.next();
            (answer, negotiated) = sdp::answer(&self.local, offer)?;
            self.described = Digest::of(&answer);
        }
        self.local.refused.clone_from(&negotiated.refused);
        Ok((answer, negotiated))
    }

    /// Refuses the peer's offer, and says what is wrong with it (RFC 3261 §20.43).
    fn object(&mut self, now: Timestamp, error: &NegotiateError) {
        let status = StatusCode::new(error.status()).expect("the room sdp knows SIP's codes");
        let host = match self.local.address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        let warning = format!("{} {host} \"{}\"", error.warning(), error.reason());
        self.session.refuse(now, status, vec![(HeaderName::Warning, warning)], &mut self.mint);
    }

    /// The session timer wants a re-INVITE with the description as it stands (RFC 4028 §7.4).
    fn refresh(&mut self, now: Timestamp) {
        let offer = self.offer();
        self.session.reinvite(now, &offer, &mut self.mint);
    }

    /// Our re-INVITE was answered. Terms that cannot be met end the call (RFC 3261 §14.1, §13.2.2.4).
    fn reinvite_answered(&mut self, now: Timestamp, body: Option<Bytes>, assets: &Assets, turn: &mut Turn) {
        let Stage::Talking(talk) = &self.stage else { return };
        match body.map(|body| sdp::negotiate(&self.local, &body)) {
            None => {} // as before
            Some(Ok(negotiated)) => {
                self.local.refused.clone_from(&negotiated.refused);
                if talk.negotiated != negotiated {
                    self.retune(now, negotiated, assets, turn);
                }
            }
            Some(Err(_)) => return self.break_off(now, assets, turn),
        }
        self.accepted_here(now, assets, turn);
    }

    /// Our re-INVITE was refused: the session stands as it was, unless the peer does not know it (RFC 3261 §14.1).
    fn reinvite_refused(
        &mut self,
        now: Timestamp,
        status: Option<StatusCode>,
        assets: &Assets,
        turn: &mut Turn,
    ) {
        if self.refused_here(now, status, assets, turn) {
            return;
        }
        let is_gone =
            matches!(status, None | Some(StatusCode::CALL_DOES_NOT_EXIST | StatusCode::REQUEST_TIMEOUT));
        if is_gone {
            self.gone(now, assets, turn);
        }
    }

    /// The peer's ACK; it carries an answer if the offer was ours. An answer that cannot be met, as one with SRTP, is the
    /// end here too: what comes in from now on would be noise.
    fn acked(&mut self, now: Timestamp, body: Option<Bytes>, assets: &Assets, turn: &mut Turn) {
        let Stage::Talking(_) = self.stage else { return };
        match body.map(|body| sdp::negotiate(&self.local, &body)) {
            None => {}
            Some(Ok(negotiated)) => {
                self.local.refused.clone_from(&negotiated.refused);
                self.retune(now, negotiated, assets, turn);
            }
            Some(Err(_)) => self.break_off(now, assets, turn),
        }
    }

    /// The stream goes on under new terms. What is open waits while the callee holds the call, and is said or asked
    /// again afterwards.
    fn retune(&mut self, now: Timestamp, negotiated: Negotiated, assets: &Assets, turn: &mut Turn) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        let was_held = talk.is_held();
        let ears = self.listening.ears(&negotiated);
        turn.outputs.push(talk.renegotiated(now, negotiated, ears));
        match (was_held, talk.is_held()) {
            (false, true) => {
                turn.tell(Step::Held);
                self.talk(now, assets, turn, |talk, acts| talk.hold(now, acts));
            }
            (true, false) => {
                turn.tell(Step::Resumed);
                let Some(since) = talk.on_hold_since() else { return talk.wait_no_more(now) };
                let Some(questionnaire) = assets.questionnaire(self.subject.questionnaire) else {
                    return self.break_off(now, assets, turn);
                };
                let open = self.interview.again(questionnaire);
                self.talk(now, assets, turn, |talk, acts| talk.come_back((now, since), open, acts));
            }
            (true, true) | (false, false) => {}
        }
    }

    /// The peer let the session expire (RFC 4028 §10), or does not know it (RFC 3261 §12.2.1.2).
    fn gone(&mut self, now: Timestamp, assets: &Assets, turn: &mut Turn) {
        if let Stage::Talking(_) = self.stage {
            self.give_up(now, Fault::SessionExpired, assets, turn);
        }
    }

    /// The session is ending the dialog because the peer never acknowledged our 200 (RFC 3261 §13.3.1.4).
    pub(super) fn lost_ack(&mut self, now: Timestamp, assets: &Assets, turn: &mut Turn) {
        if self.stores_first(now, Leaving::Unacked, turn) {
            return;
        }
        if let Stage::Talking(_) = self.stage {
            let disposition = self.leave_interview(now, assets);
            turn.outputs.push(Output::CloseMedia);
            self.decide(now, disposition, EndedBy::Fault);
        }
    }

    /// The INVITE ended by CANCEL. If nobody wanted the call stopped, its ring timeout did: that counts as 408.
    fn cancelled(&mut self, now: Timestamp, reasons: &[Reason], assets: &Assets, turn: &mut Turn) {
        // What rang when its instance died was cancelled unheard: no status came.
        self.sip_status = Some(487).filter(|_| self.fault != Some(Fault::RingingLost));
        self.cause = q850(reasons);
        let counts_as = StatusCode::REQUEST_TIMEOUT.as_u16();
        if !self.next_trunk(now, TryEnd::RingTimeout, counts_as, turn) {
            self.end(now, Disposition::NoAnswer, EndedBy::Caller, assets, turn);
        }
    }

    /// Our CANCEL and an answer crossed; the session hangs up. Also an answer that comes when the result is given out.
    fn cancel_crossed(&mut self, now: Timestamp) {
        if let Stage::Calling | Stage::Closing(_) = self.stage {
            self.sip_status = Some(200);
            self.decide(now, Disposition::NoAnswer, EndedBy::Caller);
        }
    }

    /// A refusal may ask us to wait, a 503 with all calls through the trunk.
    fn hold_off(&mut self, now: Timestamp, failure: Failure, wait: Option<Duration>, turn: &mut Turn) {
        self.retry_after_s = wait.map(|wait| u32::try_from(wait.as_secs()).unwrap_or(u32::MAX));
        if let (Failure::Refused(StatusCode::SERVICE_UNAVAILABLE), Some(wait)) = (failure, wait) {
            turn.outputs.push(Output::CloseTrunk {
                trunk: self.trunks.current.clone(),
                until: now + wait.min(LONGEST_QUIET),
            });
        }
    }

    fn refused(
        &mut self,
        now: Timestamp,
        failure: Failure,
        reasons: &[Reason],
        assets: &Assets,
        turn: &mut Turn,
    ) {
        let status = failure.status();
        self.sip_status = status.map(StatusCode::as_u16);
        self.cause = q850(reasons);
        let has_password = assets.credentials(self.trunk()).is_some();
        turn.tell(Step::Refused { status, cause: self.cause, has_password });
        if self.next_trunk(now, end_of(failure), failure.counts_as().as_u16(), turn) {
            return;
        }
        let ended_by = if status.is_some() { EndedBy::Callee } else { EndedBy::Fault };
        self.end(now, self.refusal(now, assets), ended_by, assets, turn);
    }
}
