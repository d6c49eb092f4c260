//! A re-INVITE of ours (RFC 3261 §14.1), from its sending until its last repeat has died away.
//!
//! ```text
//! INVITE ──491──► ACK … 2.1-4 s (we own the Call-ID) or 0-2 s … INVITE once more
//!        ──500, 503 with Retry-After──► ACK … that long … INVITE once more
//!        ──401, 407, 422──► ACK, INVITE once more with what was wanted
//! ```
//! One that moves the session to another instance tries longer: the peer may have an INVITE of its own under way, whose
//! responses nobody gives any more, until its timer B.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::derived::Change;
use super::outgoing::{Next, Outgoing, Received};
use super::timer::{self, TIMER};
use super::turn::Turn;
use super::usage::{Phase, Side};
use super::{Event, retry_after, sdp_of_response};
use crate::sip::dialog::{self, Dialog};
use crate::sip::local::{ALLOW, finish};
use crate::sip::timers::{PATIENCE, T4};
use crate::sip::transaction::Transmit;
use crate::sip::{HeaderName, Method, NameAddr, Response, SessionExpires, StatusCode};
use crate::time::Timestamp;

/// Times that a re-INVITE that met another one, or a busy peer, is sent again.
const MAX_RETRIES: u8 = 4;

/// The re-INVITE.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sip) struct Inviting {
    invite: Outgoing,
    /// The ACK of its 2xx, sent again for each repeat of that.
    ack: Option<Transmit>,
    /// The interval of the session timer that it asks for.
    expires: Option<SessionExpires>,
    waiting: Option<Waiting>,
    retries: u8,
    /// It moves the session: so long it is tried again.
    #[serde(default)]
    moves_until: Option<Timestamp>,
}

/// A re-INVITE that was put off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Waiting {
    until: Timestamp,
    invite: Bytes,
    /// What it was refused with.
    status: StatusCode,
}

/// What came of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sip) enum Resolved {
    /// The first 2xx came.
    Accepted,
    /// Anything else.
    Otherwise,
}

impl Inviting {
    /// Sends a re-INVITE, which also refreshes the session if that has a timer; `None`: nothing was sent.
    pub(in crate::sip) fn send(
        dialog: &mut Dialog,
        turn: &mut Turn<'_>,
        offer: Option<&Bytes>,
        refresh: Option<(SessionExpires, Option<u32>)>,
    ) -> Option<Self> {
        let branch = turn.local.branch(turn.mint);
        let cseq = dialog.next_cseq();
        let mut writer = dialog.request(turn.local, &Method::Invite, cseq, &branch);
        writer.header(HeaderName::Contact, NameAddr::new(turn.local.contact.clone()));
        writer.header(HeaderName::Allow, ALLOW);
        writer.header(HeaderName::Supported, TIMER);
        if let Some((expires, min_se)) = &refresh {
            writer.header(HeaderName::SessionExpires, expires);
            if let Some(min_se) = min_se {
                writer.header(HeaderName::MinSe, min_se);
            }
        }
        let body = offer.map(Bytes::as_ref).unwrap_or_default();
        turn.sign(&mut writer, &Method::Invite, &dialog.path().request_uri, body);
        let bytes = finish(writer, offer).ok()?;
        let invite = Outgoing::send(turn, dialog.destination(turn.local), bytes, branch, cseq);
        let expires = refresh.map(|(expires, _)| expires);
        Some(Self { invite, ack: None, expires, waiting: None, retries: 0, moves_until: None })
    }

    /// The same, by which another instance makes itself known.
    pub(in crate::sip) fn moving(
        dialog: &mut Dialog,
        turn: &mut Turn<'_>,
        offer: &Bytes,
        refresh: Option<(SessionExpires, Option<u32>)>,
    ) -> Option<Self> {
        let moves_until = Some(turn.now + (PATIENCE + T4));
        Self::send(dialog, turn, Some(offer), refresh).map(|sent| Self { moves_until, ..sent })
    }

    /// Another instance goes on with the session. If the peer has accepted this one, or does so now, nobody else will
    /// acknowledge it, and after 64*T1 the peer would hang up (§13.3.1.4, §14.2). An ACK that nobody waits for hurts
    /// nobody.
    pub(in crate::sip) fn take_over(mut self, turn: &mut Turn<'_>, dialog: &Dialog) {
        let is_pending = self.invite.is_pending();
        self.invite.take_over(turn);
        turn.transmit(self.ack.take());
        if is_pending {
            self.invite.acknowledge(turn, dialog);
        }
    }

    /// A response came that carries this branch.
    pub(in crate::sip) fn receive(
        &mut self,
        turn: &mut Turn<'_>,
        dialog: &mut Dialog,
        response: &Response,
        branch: &str,
        (side, phase): (Side, Phase),
    ) -> Resolved {
        match self.invite.receive(turn, response, branch) {
            Received::Provisional | Received::Nothing => {}
            Received::Success => match &self.ack {
                Some(ack) => turn.transmit(ack.clone()),
                None => {
                    self.accepted(turn, dialog, response);
                    return Resolved::Accepted;
                }
            },
            // Somebody left: there is nothing to try again for.
            Received::Failure { .. } if matches!(phase, Phase::Left { .. }) => {}
            Received::Failure { invite } => self.refused(turn, dialog, response, &invite, side),
        }
        Resolved::Otherwise
    }

    fn accepted(&mut self, turn: &mut Turn<'_>, dialog: &mut Dialog, response: &Response) {
        if let Some(target) = dialog::contact(response.headers()) {
            dialog.refresh_target(target);
        }
        turn.tell(Event::ReinviteAnswered { body: sdp_of_response(response) });
        self.ack = self.invite.acknowledge(turn, dialog);
    }

    fn refused(
        &mut self,
        turn: &mut Turn<'_>,
        dialog: &mut Dialog,
        response: &Response,
        invite: &Bytes,
        side: Side,
    ) {
        let (status, headers) = (response.status(), response.headers());
        if self.invite.challenged(turn, response) && self.again(turn, dialog, invite, Change::default()) {
            return;
        }
        if status == StatusCode::SESSION_INTERVAL_TOO_SMALL
            && let Some(expires) = &mut self.expires
            && let Some(min_se) = timer::raised(expires.interval_s, headers)
        {
            expires.interval_s = min_se;
            let changed = vec![
                (HeaderName::SessionExpires, expires.to_string()),
                (HeaderName::MinSe, min_se.to_string()),
            ];
            if self.again(turn, dialog, invite, Change { uri: None, headers: changed }) {
                return;
            }
        }
        let retry_after = retry_after(headers);
        let pause = match status {
            StatusCode::REQUEST_PENDING => Some(glare(turn, side)),
            StatusCode::SERVER_INTERNAL_ERROR | StatusCode::SERVICE_UNAVAILABLE => retry_after,
            _ => None,
        };
        let goes_on = |pause: &Duration| match self.moves_until {
            Some(until) => turn.now + *pause < until,
            None => *pause <= PATIENCE && self.retries < MAX_RETRIES,
        };
        match pause.filter(goes_on) {
            Some(pause) => {
                self.retries = self.retries.saturating_add(1);
                self.waiting = Some(Waiting { until: turn.now + pause, invite: invite.clone(), status });
            }
            None => turn.tell(Event::ReinviteRefused { status: Some(status), retry_after }),
        }
    }

    fn again(&mut self, turn: &mut Turn<'_>, dialog: &mut Dialog, invite: &Bytes, change: Change) -> bool {
        let to = dialog.destination(turn.local);
        let next = Next { cseq: dialog.next_cseq(), to, change };
        self.invite.again(turn, invite, next)
    }

    /// Runs the timers that are due.
    pub(in crate::sip) fn timeout(&mut self, turn: &mut Turn<'_>, dialog: &mut Dialog) {
        if let Some(waiting) = self.waiting.take_if(|waiting| waiting.until <= turn.now)
            && !self.again(turn, dialog, &waiting.invite, Change::default())
        {
            turn.tell(Event::ReinviteRefused { status: Some(waiting.status), retry_after: None });
        }
        if self.invite.timeout(turn) {
            turn.tell(Event::ReinviteRefused { status: None, retry_after: None });
        }
        if self.invite.is_over() {
            self.ack = None;
        }
    }

    pub(in crate::sip) fn poll_timeout(&self) -> Option<Timestamp> {
        Timestamp::earliest(self.invite.poll_timeout(), self.waiting.as_ref().map(|waiting| waiting.until))
    }

    /// The record was restored.
    pub(in crate::sip) fn resume(&self, turn: &mut Turn<'_>) {
        self.invite.resume(turn);
        turn.transmit(self.ack.clone());
    }

    pub(in crate::sip) fn knows(&self, branch: &str) -> bool {
        self.invite.knows(branch)
    }

    /// True if it moves the session to another instance.
    pub(in crate::sip) const fn moves(&self) -> bool {
        self.moves_until.is_some()
    }

    pub(in crate::sip) const fn is_pending(&self) -> bool {
        self.invite.is_pending()
    }

    /// True while it was put off.
    pub(in crate::sip) const fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    pub(in crate::sip) fn is_over(&self) -> bool {
        self.invite.is_over() && self.waiting.is_none()
    }

    /// No connection could be made for it: sends it by UDP instead, if it may go there.
    pub(in crate::sip) fn by_udp(&mut self, turn: &mut Turn<'_>) -> bool {
        self.invite.by_udp(turn)
    }

    /// Somebody left: what was put off is not sent any more.
    pub(in crate::sip) fn stop_waiting(&mut self) {
        self.waiting = None;
    }

    /// Ends all of it: nothing can come of it any more.
    pub(in crate::sip) fn end(&mut self) {
        self.waiting = None;
        self.invite.end();
    }

    /// Ends the transaction without a final response.
    pub(in crate::sip) fn abandon(&mut self) {
        self.waiting = None;
        self.invite.abandon();
    }
}

/// How long a re-INVITE waits that met the peer's (§14.1), in steps of 10 ms.
fn glare(turn: &mut Turn<'_>, side: Side) -> Duration {
    let drawn = u64::from(turn.mint.number32());
    let ms = match side {
        Side::Caller => 2_100 + drawn % 191 * 10,
        Side::Callee => drawn % 201 * 10,
    };
    Duration::from_millis(ms)
}
