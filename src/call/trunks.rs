//! The trunks of a call, one after another: one attempt is as many INVITEs as it takes, and never two at once.
//!
//! ```text
//! trunk 0 ──503──────► trunk 1 ──ring timeout, nothing rang──► trunk 2 ──486──► the end: busy
//!    │                    └ CANCEL, then 487 or 64*T1: only now the next one is dialled
//!    └ its ACK may be asked for once more ─► lingers until its session is over
//! ```
//! To SIP each is a call of its own (RFC 3261 §8.1.3.4 has it so for other targets): another Call-ID, tag and branch,
//! the first CSeq. What the trunk asks for is its own: address, transport, credentials, codecs, keys, caller id.

mod tried;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::dialplan::Failover;
use crate::id::{CallId, Mint};
use crate::outcome::Disposition;
use crate::sdp::{LocalMedia, Origin};
use crate::sip::local::Large;
use crate::sip::session::{Event, Parameters, Session};
use crate::sip::{Headers, Hop, Message, NameAddr, Protocol, Uri, WriteError};
use crate::time::Timestamp;

use super::message::Output;
use super::step::Step;
use super::{Assets, Call, Listening, Stage, Turn};
pub(super) use tried::end_of;
pub use tried::{Tried, TryEnd};

/// Emergency targets of redirections that are noted of one trunk.
const MOST_NOT_FOLLOWED: usize = 8;

/// Which of a call's trunks, in the order in which they are tried: from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TryNumber(pub u8);

/// What a call through one trunk is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Name of the trunk.
    pub trunk: String,
    /// Request-URI.
    pub target: Uri,
    /// Our identity towards the callee; without tag.
    pub from: NameAddr,
    /// Where requests go.
    pub destination: Hop,
    /// How requests travel that are too large for a datagram.
    pub large: Large,
    /// Our address in Via and Contact.
    pub sent_by: SocketAddr,
    /// Our side of the session description; its ports are bound, and the same for all trunks of a call.
    pub local: LocalMedia,
    /// What it listens to.
    pub listening: Listening,
    /// How long it may ring.
    pub ring_timeout: Duration,
    /// How many other targets are tried that 3xx responses name.
    pub redirects: u8,
    /// The session interval to ask for (RFC 4028); `None`: none.
    pub session_expires: Option<Duration>,
}

/// How far a call has come with its trunks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Trunks {
    /// The one that the call goes through.
    pub(super) current: String,
    since: Timestamp,
    /// How that ended, once it has without an answer.
    ended: Option<(TryEnd, Timestamp)>,
    /// What it redirected to that is not called.
    #[serde(default)]
    not_followed: Vec<String>,
    /// Those before it.
    before: Vec<Tried>,
    /// Those after it that were passed over: they had asked for quiet when their turn came.
    #[serde(default)]
    passed_over: Vec<Tried>,
    next: VecDeque<Terms>,
    failover: Failover,
    user_agent: String,
    /// Calls through earlier ones that may still owe their peers a repetition.
    lingering: Vec<Lingering>,
    /// Trunks that asked for quiet since the call was placed. Soft: a new process asks anew.
    #[serde(skip)]
    closed: BTreeMap<String, Timestamp>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Lingering {
    number: TryNumber,
    trunk: String,
    session: Session,
}

impl Trunks {
    pub(super) fn new(
        now: Timestamp,
        current: String,
        before: Vec<Tried>,
        others: Vec<Terms>,
        failover: Failover,
        user_agent: String,
    ) -> Self {
        Self {
            current,
            since: now,
            ended: None,
            not_followed: Vec::new(),
            before,
            passed_over: Vec::new(),
            next: others.into(),
            failover,
            user_agent,
            lingering: Vec::new(),
            closed: BTreeMap::new(),
        }
    }

    /// A call that goes through this one alone.
    pub(super) fn one(since: Timestamp, current: String) -> Self {
        Self::new(since, current, Vec::new(), Vec::new(), Failover::default(), String::new())
    }

    /// Of a record that does not say.
    pub(super) fn unknown() -> Self {
        Self::one(Timestamp::EPOCH, String::new())
    }

    pub(super) fn number(&self) -> TryNumber {
        TryNumber(u8::try_from(self.before.len()).unwrap_or(u8::MAX))
    }

    /// The lingering session that a message with these headers is for.
    fn lingering_of(&mut self, headers: &Headers) -> Option<&mut Lingering> {
        let call_id = headers.call_id().ok()?;
        self.lingering.iter_mut().find(|one| one.session.sip_call_id() == Some(call_id))
    }

    /// Calls through earlier trunks, with their numbers.
    pub(super) fn lingering_mut(&mut self) -> impl Iterator<Item = (TryNumber, &mut Session)> {
        self.lingering.iter_mut().map(|one| (one.number, &mut one.session))
    }

    /// Somebody answered: the others are not needed any more.
    pub(super) fn settle(&mut self) {
        self.next.clear();
    }

    pub(super) const fn is_clear(&self) -> bool {
        self.lingering.is_empty()
    }
}

/// A session with the INVITE of one trunk.
pub(super) fn invite(
    now: Timestamp,
    (call_id, number): (CallId, TryNumber),
    terms: Terms,
    (user_agent, offer): (&str, &bytes::Bytes),
    mint: &mut Mint,
) -> Result<Session, WriteError> {
    let parameters = Parameters {
        call_id,
        number: number.0,
        contact: contact(call_id, terms.sent_by, terms.destination.protocol),
        to: NameAddr::new(terms.target.clone()),
        target: terms.target,
        from: terms.from,
        destination: terms.destination,
        large: terms.large,
        sent_by: terms.sent_by,
        route: Vec::new(),
        user_agent: user_agent.to_owned(),
        extra: Vec::new(),
        ring_timeout: terms.ring_timeout,
        redirects: terms.redirects,
        session_expires: terms.session_expires,
    };
    Session::invite(now, parameters, offer, mint)
}

/// Where in-dialog requests reach us: over the transport that we call by (RFC 3261 §8.1.1.8).
pub(super) fn contact(call: CallId, sent_by: SocketAddr, protocol: Protocol) -> Uri {
    let uri = Uri::sip_at(Some(call.as_str()), sent_by);
    match protocol {
        Protocol::Udp => uri, // the default of sip: (RFC 3263 §4.1)
        Protocol::Tcp => uri.with_param("transport", protocol.param()),
    }
}

impl Call {
    /// Its trunks in the order in which they are tried: their numbers are the places in it.
    pub fn trunks(&self) -> impl Iterator<Item = &str> {
        let before = self.trunks.before.iter().map(|tried| tried.trunk.as_str());
        let next = self.trunks.next.iter().map(|terms| terms.trunk.as_str());
        let passed_over = self.trunks.passed_over.iter().map(|tried| tried.trunk.as_str());
        before.chain([self.trunks.current.as_str()]).chain(passed_over).chain(next)
    }

    /// The number of the trunk that it goes through.
    #[must_use]
    pub fn try_number(&self) -> TryNumber {
        self.trunks.number()
    }

    /// The trunks that may still be tried: it wants to know which of them are closed.
    pub fn next_trunks(&self) -> impl Iterator<Item = &str> {
        let is_calling = matches!(self.stage, Stage::Calling);
        self.trunks.next.iter().filter(move |_| is_calling).map(|terms| terms.trunk.as_str())
    }

    /// A trunk asked another call for quiet.
    pub(super) fn trunk_closed(&mut self, trunk: String, until: Timestamp) {
        self.trunks.closed.insert(trunk, until);
    }

    /// The number of the trunk through which a message of this call goes, and its name.
    #[must_use]
    pub fn trunk_of(&self, message: &Message) -> (TryNumber, &str) {
        let call_id = message.headers().call_id().ok();
        let mut lingering = self.trunks.lingering.iter();
        let of = lingering.find(|one| call_id.is_some() && one.session.sip_call_id() == call_id);
        of.map_or((self.trunks.number(), self.trunk()), |one| (one.number, one.trunk.as_str()))
    }

    /// Tells the sessions with which names and passwords they answer challenges.
    pub(super) fn know(&mut self, assets: &Assets) {
        self.session.know(assets.credentials(&self.trunks.current));
        for one in &mut self.trunks.lingering {
            one.session.know(assets.credentials(&one.trunk));
        }
    }

    /// A message came.
    pub(super) fn received(
        &mut self,
        now: Timestamp,
        (message, from): (&Message, Hop),
        assets: &Assets,
        turn: &mut Turn,
    ) {
        self.screen(message, assets, turn);
        match self.trunks.lingering_of(message.headers()) {
            Some(one) => one.session.receive(now, message, from, &mut self.mint),
            None => self.session.receive(now, message, from, &mut self.mint),
        }
    }

    /// Where a redirection leads must be as free to be called as what was dialled: whoever redirects to an emergency
    /// number is not followed there.
    fn screen(&mut self, message: &Message, assets: &Assets, turn: &mut Turn) {
        let Message::Response(response) = message else { return };
        let is_mine = response.headers().call_id().ok() == self.session.sip_call_id();
        if !response.status().is_redirection() || !is_mine {
            return;
        }
        for contact in response.headers().contacts().unwrap_or_default() {
            let target = contact.uri.to_string();
            if assets.may_be_called(&target) || !self.session.forbid(contact.uri) {
                continue;
            }
            turn.tell(Step::NotFollowed { target: target.clone() });
            if self.trunks.not_followed.len() < MOST_NOT_FOLLOWED {
                self.trunks.not_followed.push(target);
            }
        }
    }

    /// A message through this trunk did not leave.
    pub(super) fn unsent(&mut self, now: Timestamp, through: TryNumber) {
        if through == self.trunks.number() {
            return self.session.transport_failed(now, &mut self.mint);
        }
        if let Some(one) = self.trunks.lingering.iter_mut().find(|one| one.number == through) {
            one.session.transport_failed(now, &mut self.mint);
        }
    }

    /// The call through this trunk has come to nothing. True if another one is tried: the failure is one that another
    /// trunk may mend, nobody wants the call stopped, and there is one left.
    pub(super) fn next_trunk(
        &mut self,
        now: Timestamp,
        end: TryEnd,
        counts_as: u16,
        turn: &mut Turn,
    ) -> bool {
        if !matches!(self.stage, Stage::Calling) {
            return false;
        }
        self.trunks.ended = Some((end, now));
        let rang = self.times.ringing.is_some();
        if !self.trunks.failover.goes_on(counts_as, rang) {
            return false;
        }
        while let Some(terms) = self.trunks.next.pop_front() {
            if self.trunks.closed.get(&terms.trunk).is_some_and(|until| *until > now) {
                let tried = Tried::passed_over(terms.trunk, TryEnd::Closed, now);
                self.trunks.passed_over.push(tried);
            } else if self.begin_try(now, terms, turn) {
                return true;
            }
        }
        false
    }

    /// Sends the INVITE of the next trunk; false if it cannot be written, as it could when the call was made.
    fn begin_try(&mut self, now: Timestamp, terms: Terms, turn: &mut Turn) -> bool {
        // Each description of ours has a version of its own (RFC 3264 §8), whoever it goes to.
        let origin = Origin { address: terms.local.origin.address, ..self.local.origin };
        let local = LocalMedia { origin, ..terms.local.clone() };
        let before = std::mem::replace(&mut self.local, local);
        let offer = self.offer();
        let old = self.trunks.number();
        let skipped = u8::try_from(self.trunks.passed_over.len()).unwrap_or(u8::MAX);
        let number = TryNumber(old.0.saturating_add(1).saturating_add(skipped));
        let names = (self.subject.call_id, number);
        let text = (self.trunks.user_agent.as_str(), &offer);
        let Ok(session) = invite(now, names, terms.clone(), text, &mut self.mint) else {
            self.local = before;
            return false;
        };
        let tried = self.tried(now);
        self.trunks.before.push(tried);
        let passed_over = std::mem::take(&mut self.trunks.passed_over);
        self.trunks.before.extend(passed_over);
        self.trunks.not_followed.clear();
        let trunk = std::mem::replace(&mut self.trunks.current, terms.trunk);
        let mut session = std::mem::replace(&mut self.session, session);
        drain(&mut session, old, turn);
        if !session.is_over() {
            self.trunks.lingering.push(Lingering { number: old, trunk, session });
        }
        (self.trunks.since, self.trunks.ended) = (now, None);
        self.listening = terms.listening;
        self.times.ringing = None;
        (self.sip_status, self.cause, self.retry_after_s) = (None, None, None);
        self.hush_early(turn);
        turn.tell(Step::NextTrunk { trunk: self.trunks.current.clone() });
        true
    }

    /// The trunk that the call goes through, as the result tells it.
    fn tried(&self, now: Timestamp) -> Tried {
        let (end, ended_at) = match (self.times.answered, self.trunks.ended) {
            (Some(_), _) => (TryEnd::Answered, now),
            (None, Some(ended)) => ended,
            (None, None) => (TryEnd::Stopped, now),
        };
        Tried {
            trunk: self.trunks.current.clone(),
            end,
            sip_status: self.sip_status,
            cause: self.cause,
            retry_after_s: self.retry_after_s,
            not_followed: self.trunks.not_followed.clone(),
            started_at: self.trunks.since,
            ringing_at: self.times.ringing,
            ended_at,
        }
    }

    /// Every trunk by which the callee was tried, the last one included, which was over at `ended`.
    pub(super) fn tries(&self, ended: Timestamp) -> Vec<Tried> {
        let mut tries = self.trunks.before.clone();
        tries.push(self.tried(ended));
        tries.extend(self.trunks.passed_over.iter().cloned());
        tries
    }

    /// What the refusal of the last trunk makes of the attempt. A trunk that carried nothing leaves standing what an
    /// earlier one said of the number.
    pub(super) fn refusal(&self, now: Timestamp, assets: &Assets) -> Disposition {
        let tries = self.tries(now);
        let mut said = tries.iter().rev().map(|tried| assets.outcomes(&tried.trunk).of(tried.refused()));
        let last = said.next().unwrap_or(Disposition::TrunkFault);
        if last != Disposition::TrunkFault {
            return last;
        }
        said.find(|earlier| *earlier != Disposition::TrunkFault).unwrap_or(last)
    }

    /// Runs the timers of lingering sessions that are due.
    pub(super) fn lingering_timed_out(&mut self, now: Timestamp) {
        for one in &mut self.trunks.lingering {
            if one.session.poll_timeout().is_some_and(|at| at <= now) {
                one.session.timeout(now, &mut self.mint);
            }
        }
    }

    pub(super) fn lingering_timeout(&self) -> Option<Timestamp> {
        self.trunks.lingering.iter().filter_map(|one| one.session.poll_timeout()).min()
    }

    /// The record was read back.
    pub(super) fn resume_lingering(&mut self, now: Timestamp) {
        for one in &mut self.trunks.lingering {
            one.session.resume(now, &mut self.mint);
        }
    }

    /// What lingering sessions send; those that owe nothing any more are forgotten.
    pub(super) fn follow_lingering(&mut self, turn: &mut Turn) {
        if self.trunks.lingering.is_empty() {
            return;
        }
        for one in &mut self.trunks.lingering {
            drain(&mut one.session, one.number, turn);
        }
        self.trunks.lingering.retain(|one| !one.session.is_over());
    }

    /// Whether nothing is owed to any peer.
    pub(super) fn is_over(&self) -> bool {
        self.session.is_over() && self.trunks.is_clear()
    }

    /// Whether it has its outcome as well. Who leaves when all was over is answered: then it is so once more.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Ended(_)) && self.is_over()
    }
}

/// What a session of an earlier trunk sends. What it says is of no concern any more: who answers is hung up by the
/// session itself.
fn drain(session: &mut Session, number: TryNumber, turn: &mut Turn) {
    while let Some(event) = session.poll_event() {
        if let Event::Transmit(message) = event {
            turn.outputs.push(Output::Send { through: number, message });
        }
    }
}
