//! The first INVITE of a session: RFC 3261 §13.2, its CANCEL (§9.1), its ring timeout, its forks
//! (§13.2.2.4).

mod attempts;
mod early_requests;
mod left;

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::derived;
use super::early::{Early, MAX_EARLY, RELIABLE, Worth};
use super::outgoing::{Outgoing, Received};
use super::redirects::Redirects;
use super::timer::{self, MIN_SE_S, TIMER};
use super::turn::Turn;
use super::usage::{Side, Usage};
use super::{Event, Failure, Parameters, retry_after, sdp_of_response};
use crate::sip::dialog::Dialog;
use crate::sip::local::{ALLOW, finish};
use crate::sip::timers::PATIENCE;
use crate::sip::transaction::{Lapse, NonInviteClient, Transmit};
use crate::sip::{CSeq, HeaderName, Method, NameAddr, Reason, Response, StatusCode, Uri, WriteError};
use crate::time::Timestamp;
use left::Leaving;

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
    /// When even a callee that was redirected to, or rang late, is given up.
    longest: Timestamp,
    cancel: Cancel,
    redirects: Redirects,
    /// The interval of the session timer that the INVITE asks for, in seconds.
    expires_s: Option<u32>,
    /// The dialogs that provisional responses made.
    early: Vec<Early>,
    /// The dialogs that 2xx made; the first is the session's.
    dialogs: Vec<Acknowledged>,
    /// Early dialogs that another instance than that of the INVITE has left.
    #[serde(default)]
    left: Vec<Leaving>,
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

impl Calling {
    /// Sends the INVITE.
    pub(super) fn invite(
        turn: &mut Turn<'_>,
        parameters: Parameters,
        offer: &Bytes,
    ) -> Result<Self, WriteError> {
        let branch = turn.local.branch(turn.mint);
        let from = parameters.from.clone().with_tag(&turn.mint.token());
        let call_id = match (parameters.call_id, parameters.number) {
            (id, 0) => format!("{id}@{}", parameters.sent_by.ip()),
            (id, number) => format!("{id}.{number}@{}", parameters.sent_by.ip()),
        };
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
        writer.header(HeaderName::Supported, format_args!("{RELIABLE}, {TIMER}"));
        let expires_s = parameters.session_expires.map(|interval| {
            u32::try_from(interval.as_secs()).unwrap_or(u32::MAX).clamp(MIN_SE_S, timer::MAX_SE_S)
        });
        if let Some(expires_s) = expires_s {
            writer.header(HeaderName::SessionExpires, expires_s); // who refreshes is the callee's choice (RFC 4028 §7.1)
        }
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
            redirects: Redirects::new(parameters.target.clone(), parameters.redirects),
            longest: turn.now + parameters.longest_setup(),
            target: parameters.target,
            heard: Heard::Nothing,
            ring_timeout: parameters.ring_timeout,
            ring_deadline: turn.now + parameters.ring_timeout,
            cancel: Cancel::Unwanted,
            expires_s,
            early: Vec::new(),
            dialogs: Vec::new(),
            left: Vec::new(),
        })
    }

    pub(super) fn sip_call_id(&self) -> &str {
        &self.call_id
    }

    /// This target is not tried.
    pub(super) fn forbid(&mut self, target: Uri) -> bool {
        self.invite.is_pending() && self.redirects.forbid(target)
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
            if self.early.iter_mut().any(|early| early.usage.response(turn, response, branch)) {
                return None;
            }
            self.left_by_bye(turn, response, branch);
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
            let cseq = response.headers().cseq().ok()?.number; // an attempt that was given up may be answered yet
            Some(Dialog::caller(&self.from, cseq, &self.target, response)?)
        } else {
            None
        };
        match (self.invite.receive(turn, response, branch), dialog) {
            (Received::Provisional, _) => self.provisional(turn, response),
            (Received::Success, Some(dialog)) => return self.success(turn, response, branch, dialog),
            (Received::Failure { invite }, _) => {
                if !self.goes_on(turn, response, &invite) {
                    self.failure(turn, response);
                }
            }
            (Received::Success, None) | (Received::Nothing, _) => {}
        }
        None
    }

    /// What a provisional response says.
    fn provisional(&mut self, turn: &mut Turn<'_>, response: &Response) {
        let status = response.status();
        let heard = match status.as_u16() {
            180..190 => Heard::Ringing,
            _ => Heard::Provisional,
        };
        if self.early(turn, response) == Worth::Nothing {
            return;
        }
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

    /// The early dialog of a provisional response; its PRACK, if it is reliable.
    fn early(&mut self, turn: &mut Turn<'_>, response: &Response) -> Worth {
        let tag = response.headers().to().ok().and_then(|to| to.tag().map(str::to_owned));
        if response.status() == StatusCode::TRYING || tag.is_none() {
            return Worth::News;
        }
        let cseq = self.invite.cseq();
        let mut known = self.early.iter().position(|one| one.usage.dialog().remote_tag() == tag.as_deref());
        if known.is_none()
            && self.early.len() < MAX_EARLY
            && let Some(dialog) = Dialog::caller(&self.from, cseq, &self.target, response)
        {
            known = Some(self.early.len());
            self.early.push(Early::new(dialog));
        }
        match known.and_then(|at| self.early.get_mut(at)) {
            Some(early) => early.receive(turn, response, cseq),
            None => Worth::News,
        }
    }

    /// A 2xx has made the session's dialog.
    fn has_dialog(&self) -> bool {
        self.dialogs.iter().any(|dialog| dialog.leaving.is_none())
    }

    /// §13.2.2.4: every 2xx is acknowledged; of several dialogs the first is kept, the others are ended. So is that of
    /// an attempt that was given up, while another place is called.
    fn success(
        &mut self,
        turn: &mut Turn<'_>,
        response: &Response,
        branch: &str,
        mut dialog: Dialog,
    ) -> Option<Usage> {
        let known = self.dialogs.iter().find(|known| known.remote_tag.as_deref() == dialog.remote_tag());
        if let Some(known) = known {
            turn.transmit(known.ack.clone());
            return None;
        }
        if self.dialogs.len() >= MAX_DIALOGS {
            return None;
        }
        let is_first = self.invite.client().branch() == branch && !self.has_dialog();
        let is_wanted = matches!(self.cancel, Cancel::Unwanted);
        let of_dialog = |early: &Early| early.usage.dialog().remote_tag() == dialog.remote_tag();
        let early = self.early.iter().position(of_dialog).map(|at| self.early.remove(at));
        // A 2xx without the answer stands behind a provisional response that had it (RFC 3262 §5), or should have.
        let body = sdp_of_response(response).or_else(|| early.as_ref().and_then(|early| early.body.clone()));
        let mut usage = match early {
            Some(early) => early.usage,
            None => Usage::new(dialog.clone(), Side::Caller),
        };
        let cseq = dialog.local_cseq();
        self.follow_left(&mut dialog);
        let remote_tag = dialog.remote_tag().map(str::to_owned);
        if is_first {
            turn.tell(if is_wanted { Event::Answered { body } } else { Event::CancelCrossed });
        }
        let ack = self.invite.acknowledge_attempt(turn, &dialog, cseq);
        if !is_first {
            dialog.follow(usage.dialog());
            let leaving = Leaving::by_bye(dialog, turn, None).map(Box::new);
            self.dialogs.push(Acknowledged { remote_tag, ack, leaving });
            return None;
        }
        self.dialogs.push(Acknowledged { remote_tag, ack, leaving: None });
        usage.confirm(turn, dialog, response);
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
                failure: Failure::Refused(status),
                reasons: headers.reason(),
                retry_after: retry_after(headers),
                contacts: contacts.unwrap_or_default(),
                any_provisional: self.heard > Heard::Nothing,
            }
        });
    }

    /// Why the ring timeout gives up: ITU-T Q.850 §2.2.7.1.9 and .10.
    fn no_answer(&self) -> Reason {
        match self.heard {
            Heard::Ringing => Reason::q850(19, "No answer from user"),
            Heard::Nothing | Heard::Provisional => Reason::q850(18, "No user responding"),
        }
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

    /// Runs the timers that are due.
    pub(super) fn timeout(&mut self, turn: &mut Turn<'_>) {
        let invite = self.invite.client().request().cloned().unwrap_or_default();
        if self.invite.timeout(turn) && !self.goes_on_unheard(turn, &invite) {
            self.failed(turn, Failure::Unanswered);
        }
        if self.invite.is_pending() && self.ring_deadline <= turn.now {
            self.cancel(turn, Some(self.no_answer()));
        }
        if let Cancel::Sent { client, give_up } = &mut self.cancel {
            if let Lapse::Resend(bytes) = client.timeout(turn.now) {
                turn.resend(client.destination(), bytes);
            }
            if *give_up <= turn.now && self.invite.is_pending() {
                self.invite.give_up(turn.now);
                if self.heard == Heard::Nothing {
                    self.failed(turn, Failure::Unanswered);
                } else {
                    turn.tell(Event::Cancelled { reasons: Vec::new() });
                }
            }
        }
        for early in &mut self.early {
            early.usage.timeout(turn);
        }
        for leaving in self.leaving_mut() {
            leaving.timeout(turn);
        }
    }

    /// Timer B, or a transport that failed. Who answers all the same is hung up at once.
    fn failed(&mut self, turn: &mut Turn<'_>, failure: Failure) {
        if matches!(self.cancel, Cancel::Unwanted) {
            self.cancel = Cancel::Wanted { reason: None };
        }
        turn.tell(Event::Failed {
            failure,
            reasons: Vec::new(),
            retry_after: None,
            contacts: Vec::new(),
            any_provisional: self.heard > Heard::Nothing,
        });
    }

    /// The transport failed before anybody heard the INVITE.
    pub(super) fn transport_failed(&mut self, turn: &mut Turn<'_>) {
        if self.invite.is_pending() && !self.invite.client().is_proceeding() && !self.invite.by_udp(turn) {
            let invite = self.invite.client().request().cloned().unwrap_or_default();
            self.invite.abandon();
            if !self.goes_on_unheard(turn, &invite) {
                self.failed(turn, Failure::Unsent);
            }
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
        let byes = self.leaving().filter_map(Leaving::poll_timeout);
        let early = self.early.iter().filter_map(|early| early.usage.poll_timeout());
        byes.chain(early).chain(self.invite.poll_timeout()).chain(cancel).min()
    }

    /// The record was restored.
    pub(super) fn resume(&mut self, turn: &mut Turn<'_>) {
        let is_late = self.invite.client().has_lapsed(turn.now);
        self.invite.resume(turn);
        for early in &mut self.early {
            early.usage.resume(turn);
        }
        let is_pending = self.invite.is_pending();
        if let Cancel::Sent { client, give_up } = &mut self.cancel {
            turn.transmit(client.resume(turn.now));
            if is_pending && *give_up <= turn.now {
                *give_up = turn.now + PATIENCE;
            }
        }
        if is_late {
            self.resume_late(turn);
        }
        for dialog in &self.dialogs {
            turn.transmit(dialog.ack.clone());
        }
        for leaving in self.leaving_mut() {
            leaving.resume(turn);
        }
    }

    /// True once nothing more can come of the INVITE: ACKs need not be kept any longer.
    pub(super) fn is_over(&self) -> bool {
        let cancelled = match &self.cancel {
            Cancel::Unwanted | Cancel::Wanted { .. } => true,
            Cancel::Sent { client, .. } => client.is_terminated(),
        };
        self.invite.is_over() && cancelled && self.leaving().all(Leaving::is_over)
    }
}
