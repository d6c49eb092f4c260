//! The first INVITE of a session: RFC 3261 §13.2, its CANCEL (§9.1), its ring timeout, its forks
//! (§13.2.2.4).

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::asking::{Asking, Purpose};
use super::derived::{self, Change};
use super::outgoing::{Next, Outgoing, Received};
use super::turn::Turn;
use super::usage::Usage;
use super::{Event, Parameters, retry_after, sdp_of_response};
use crate::sip::dialog::Dialog;
use crate::sip::hop::Hop;
use crate::sip::local::{ALLOW, finish};
use crate::sip::reply::{Reply, Understood, inspect};
use crate::sip::timers::PATIENCE;
use crate::sip::transaction::{Lapse, NonInviteClient, Transmit};
use crate::sip::{
    CSeq, HeaderName, Method, NameAddr, Reason, Request, Response, StatusCode, Uri, WriteError,
};
use crate::time::Timestamp;

/// Our first CSeq number. (§8.1.1.5 asks for less than 2^31.)
const FIRST_CSEQ: u32 = 1;
/// Dialogs that one INVITE may make by 2xx; a fork beyond that is not acknowledged and ends by itself.
const MAX_DIALOGS: usize = 8;

/// The INVITE, until nothing more can come of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Calling {
    invite: Outgoing,
    call_id: String,
    from: NameAddr,
    target: Uri,
    heard: Heard,
    ring_timeout: Duration,
    /// When the CANCEL of the ring timeout is due.
    ring_deadline: Timestamp,
    cancel: Cancel,
    /// The dialogs that 2xx made; the first is the session's.
    dialogs: Vec<Acknowledged>,
}

/// The most that the peer has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Heard {
    Nothing,
    /// 1xx.
    Provisional,
    /// 18x: from here on the ring timeout counts.
    Ringing,
}

/// Whether the INVITE is to be given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Cancel {
    Unwanted,
    /// The CANCEL has to wait for a 1xx.
    Wanted {
        reason: Option<Reason>,
    },
    /// It was sent; without a final response the INVITE is given up at `give_up`.
    Sent {
        client: NonInviteClient,
        give_up: Timestamp,
    },
}

/// A dialog that a 2xx made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Acknowledged {
    remote_tag: Option<String>,
    ack: Option<Transmit>,
    /// What ends the dialog of a fork that came second.
    leaving: Option<Box<Leaving>>,
}

/// A BYE to a fork, and its dialog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Leaving {
    dialog: Dialog,
    bye: Asking,
}

impl Calling {
    /// Sends the INVITE.
    pub(super) fn invite(
        turn: &mut Turn<'_>,
        parameters: Parameters,
        offer: &Bytes,
    ) -> Result<Self, WriteError> {
        let branch = turn.local.branch(turn.mint);
        let from = parameters.from.clone().with_tag(&turn.mint.token());
        let call_id = format!("{}@{}", parameters.call_id, parameters.sent_by.ip());
        let mut writer =
            turn.local.request(&Method::Invite, &parameters.target, &branch, parameters.destination.protocol);
        for route in &parameters.route {
            writer.header(HeaderName::Route, route);
        }
        writer.header(HeaderName::From, &from);
        writer.header(HeaderName::To, &parameters.to);
        writer.header(HeaderName::CallId, &call_id);
        writer.header(HeaderName::CSeq, CSeq { number: FIRST_CSEQ, method: Method::Invite });
        writer.header(HeaderName::Contact, NameAddr::new(parameters.contact.clone()));
        // Should we vanish, the callee's phone stops ringing all the same (§13.3.1).
        writer.header(HeaderName::Expires, parameters.longest_setup().as_secs().max(1));
        writer.header(HeaderName::Allow, ALLOW);
        writer.header(HeaderName::Supported, "");
        if !parameters.user_agent.is_empty() {
            writer.header(HeaderName::UserAgent, &parameters.user_agent);
        }
        for (name, value) in &parameters.extra {
            writer.header(name, value);
        }
        let bytes = finish(writer, Some(offer))?;
        Ok(Self {
            invite: Outgoing::send(turn, parameters.destination, bytes, branch, FIRST_CSEQ),
            call_id,
            from,
            target: parameters.target,
            heard: Heard::Nothing,
            ring_timeout: parameters.ring_timeout,
            ring_deadline: turn.now + parameters.ring_timeout,
            cancel: Cancel::Unwanted,
            dialogs: Vec::new(),
        })
    }

    /// A response came with this branch; returns the usage that the first 2xx opens.
    pub(super) fn response(
        &mut self,
        turn: &mut Turn<'_>,
        response: &Response,
        branch: &str,
    ) -> Option<Usage> {
        let status = response.status().as_u16();
        if !self.invite.knows(branch) {
            let mut forks = self.dialogs.iter_mut().filter_map(|dialog| dialog.leaving.as_mut());
            if let Some(leaving) = forks.find(|leaving| leaving.bye.branch() == branch) {
                let Leaving { dialog, bye } = &mut **leaving;
                bye.receive(dialog, turn, response);
            }
            return None;
        }
        let method = response.headers().cseq().ok()?.method;
        if method == Method::Invite {
            return self.invite_response(turn, response, branch);
        }
        if let (Method::Cancel, Cancel::Sent { client, .. }) = (method, &mut self.cancel) {
            client.receive(turn.now, status);
        }
        None
    }

    fn invite_response(&mut self, turn: &mut Turn<'_>, response: &Response, branch: &str) -> Option<Usage> {
        let status = response.status();
        let dialog = if status.is_success() {
            Some(Dialog::caller(&self.from, self.invite.cseq(), &self.target, response)?)
        } else {
            None
        };
        match (self.invite.receive(turn, response, branch), dialog) {
            (Received::Provisional, _) => self.provisional(turn, response),
            (Received::Success, Some(dialog)) => return self.success(turn, response, dialog),
            (Received::Failure { invite }, _) => {
                if !self.goes_on(turn, response, &invite) {
                    self.failure(turn, response);
                }
            }
            (Received::Success, None) | (Received::Nothing, _) => {}
        }
        None
    }

    /// Whether a refusal is no end yet: the INVITE goes out once more.
    fn goes_on(&mut self, turn: &mut Turn<'_>, response: &Response, invite: &Bytes) -> bool {
        if !matches!(self.cancel, Cancel::Unwanted) || !self.invite.challenged(turn, response) {
            return false;
        }
        let to = self.invite.client().destination();
        let next = Next { cseq: self.invite.cseq() + 1, to, change: Change::default() };
        self.invite.again(turn, invite, next)
    }

    fn provisional(&mut self, turn: &mut Turn<'_>, response: &Response) {
        let status = response.status();
        let heard = match status.as_u16() {
            180..190 => Heard::Ringing,
            _ => Heard::Provisional,
        };
        match &self.cancel {
            Cancel::Unwanted => {
                if heard == Heard::Ringing && self.heard < Heard::Ringing {
                    self.ring_deadline = turn.now + self.ring_timeout;
                }
                if status != StatusCode::TRYING {
                    turn.tell(Event::Progress { status, body: sdp_of_response(response) });
                }
            }
            Cancel::Wanted { reason } => {
                let reason = reason.clone();
                self.send_cancel(turn, reason.as_ref());
            }
            Cancel::Sent { .. } => {}
        }
        self.heard = self.heard.max(heard);
    }

    /// §13.2.2.4: every 2xx is acknowledged; of several dialogs the first is kept, the others are ended.
    fn success(&mut self, turn: &mut Turn<'_>, response: &Response, mut dialog: Dialog) -> Option<Usage> {
        let known = self.dialogs.iter().find(|known| known.remote_tag.as_deref() == dialog.remote_tag());
        if let Some(known) = known {
            turn.transmit(known.ack.clone());
            return None;
        }
        if self.dialogs.len() >= MAX_DIALOGS {
            return None;
        }
        let is_first = self.dialogs.is_empty();
        let is_wanted = matches!(self.cancel, Cancel::Unwanted);
        if is_first {
            turn.tell(if is_wanted {
                Event::Answered { body: sdp_of_response(response) }
            } else {
                Event::CancelCrossed
            });
        }
        let remote_tag = dialog.remote_tag().map(str::to_owned);
        let ack = self.invite.acknowledge(turn, &dialog);
        if !is_first {
            let bye = Asking::send(&mut dialog, turn, Purpose::Bye, None);
            let leaving = bye.map(|bye| Box::new(Leaving { dialog, bye }));
            self.dialogs.push(Acknowledged { remote_tag, ack, leaving });
            return None;
        }
        self.dialogs.push(Acknowledged { remote_tag, ack, leaving: None });
        let mut usage = Usage::confirmed(dialog);
        if !is_wanted {
            usage.bye(turn, None);
        }
        Some(usage)
    }

    fn failure(&self, turn: &mut Turn<'_>, response: &Response) {
        let (status, headers) = (response.status(), response.headers());
        let was_cancelled = !matches!(self.cancel, Cancel::Unwanted);
        turn.tell(if was_cancelled && status == StatusCode::REQUEST_TERMINATED {
            Event::Cancelled { reasons: headers.reason() }
        } else {
            let contacts = if status.is_redirection() { headers.contacts() } else { Ok(Vec::new()) };
            Event::Failed {
                status: Some(status),
                reasons: headers.reason(),
                retry_after: retry_after(headers),
                contacts: contacts.unwrap_or_default(),
                any_provisional: self.heard > Heard::Nothing,
            }
        });
    }

    /// The call is to be given up.
    pub(super) fn cancel(&mut self, turn: &mut Turn<'_>, reason: Option<Reason>) {
        if !matches!(self.cancel, Cancel::Unwanted) {
            return;
        }
        if self.invite.client().is_proceeding() {
            self.send_cancel(turn, reason.as_ref());
        } else if self.invite.is_pending() {
            self.cancel = Cancel::Wanted { reason };
        }
    }

    fn send_cancel(&mut self, turn: &mut Turn<'_>, reason: Option<&Reason>) {
        let invite = self.invite.client();
        let Some(bytes) = invite.request().and_then(|invite| derived::cancel(invite, reason)) else {
            return;
        };
        let (to, branch) = (invite.destination(), invite.branch().to_owned());
        turn.send(to, bytes.clone());
        let client = NonInviteClient::new(turn.now, bytes, branch, to);
        self.cancel = Cancel::Sent { client, give_up: turn.now + PATIENCE }; // 64*T1, §9.1
    }

    /// A request that is not of the session's dialog, but of a fork's or an early one. It is answered
    /// without state: its repeat makes the same bytes. A BYE is not what a callee should send in an early
    /// dialog (§15), but it shows that the callee is gone, and the INVITE is given up. False: not ours.
    pub(super) fn request(&mut self, turn: &mut Turn<'_>, request: &Request, from: Hop) -> bool {
        let headers = request.headers();
        let is_ours = headers.call_id().is_ok_and(|id| id == self.call_id)
            && headers.to().is_ok_and(|to| to.tag() == self.from.tag());
        let Ok(peer) = headers.from() else { return false };
        let of_fork = self.dialogs.iter().any(|known| known.remote_tag.as_deref() == peer.tag());
        if !is_ours || !(of_fork || self.invite.is_pending()) {
            return false;
        }
        let Some(reply) = Reply::to(request, from, "", &turn.local.user_agent) else { return false };
        let understood = inspect(request);
        let response = match &understood {
            Ok(Understood::Ack) => None,
            Ok(Understood::Bye) => reply.bare(StatusCode::OK, &[]),
            Ok(Understood::Options) => reply.options(),
            Ok(Understood::Info) => reply.bare(StatusCode::OK, &[]),
            Ok(Understood::Invite) => reply.bare(StatusCode::REQUEST_PENDING, &[]), // §14.2
            Ok(Understood::Cancel) => reply.bare(StatusCode::CALL_DOES_NOT_EXIST, &[]),
            Err(objection) => reply.bare(objection.status, &objection.headers),
        };
        if let Some(bytes) = response {
            turn.resend(reply.destination, bytes);
        }
        if understood == Ok(Understood::Bye) {
            self.cancel(turn, None);
        }
        true
    }

    /// Runs the timers that are due.
    pub(super) fn timeout(&mut self, turn: &mut Turn<'_>) {
        if self.invite.timeout(turn) {
            self.unanswered(turn);
        }
        if self.invite.is_pending() && self.ring_deadline <= turn.now {
            self.cancel(turn, None);
        }
        if let Cancel::Sent { client, give_up } = &mut self.cancel {
            if let Lapse::Resend(bytes) = client.timeout(turn.now) {
                turn.resend(client.destination(), bytes);
            }
            if *give_up <= turn.now && self.invite.is_pending() {
                self.invite.abandon();
                turn.tell(Event::Cancelled { reasons: Vec::new() });
            }
        }
        for leaving in self.dialogs.iter_mut().filter_map(|dialog| dialog.leaving.as_mut()) {
            leaving.bye.timeout(turn);
        }
    }

    /// Timer B, or a transport that failed.
    fn unanswered(&self, turn: &mut Turn<'_>) {
        turn.tell(Event::Failed {
            status: None,
            reasons: Vec::new(),
            retry_after: None,
            contacts: Vec::new(),
            any_provisional: self.heard > Heard::Nothing,
        });
    }

    /// The transport failed before anybody heard the INVITE.
    pub(super) fn transport_failed(&mut self, turn: &mut Turn<'_>) {
        if self.invite.is_pending() && !self.invite.client().is_proceeding() && !self.invite.by_udp(turn) {
            self.invite.abandon();
            self.unanswered(turn);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        let pending = self.invite.is_pending();
        let cancel = match &self.cancel {
            Cancel::Unwanted => pending.then_some(self.ring_deadline),
            Cancel::Wanted { .. } => None,
            Cancel::Sent { client, give_up } => {
                Timestamp::earliest(client.poll_timeout(), pending.then_some(*give_up))
            }
        };
        let byes = self.dialogs.iter().filter_map(|dialog| dialog.leaving.as_ref()?.bye.poll_timeout());
        byes.chain(self.invite.poll_timeout()).chain(cancel).min()
    }

    /// The record was restored.
    pub(super) fn resume(&self, turn: &mut Turn<'_>) {
        self.invite.resume(turn);
        if let Cancel::Sent { client, .. } = &self.cancel {
            turn.transmit(client.resume(turn.now));
        }
        for dialog in &self.dialogs {
            turn.transmit(dialog.ack.clone());
            if let Some(leaving) = &dialog.leaving {
                leaving.bye.resume(turn);
            }
        }
    }

    /// True once nothing more can come of the INVITE: ACKs need not be kept any longer.
    pub(super) fn is_over(&self) -> bool {
        let cancelled = match &self.cancel {
            Cancel::Unwanted | Cancel::Wanted { .. } => true,
            Cancel::Sent { client, .. } => client.is_terminated(),
        };
        let mut leaving = self.dialogs.iter().filter_map(|dialog| dialog.leaving.as_ref());
        self.invite.is_over() && cancelled && leaving.all(|leaving| leaving.bye.is_over())
    }
}
