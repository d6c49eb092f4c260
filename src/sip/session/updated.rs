//! A peer's UPDATE with an offer being answered: RFC 3311 §5.2. So is a PRACK with one: RFC 3262 §5.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::answered::Answers;
use super::invited::Accepted;
use super::timer;
use super::turn::Turn;
use crate::sip::dialog;
use crate::sip::hop::Hop;
use crate::sip::local::{ALLOW, Local};
use crate::sip::reply::{Objection, Reply, finish};
use crate::sip::transaction::Key;
use crate::sip::{HeaderName, Method, Request, SessionExpires, StatusCode, Uri};

/// The UPDATE or PRACK, until its final response is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sip) struct Updated {
    reply: Reply,
    key: Key,
    /// The peer's new target, valid once the UPDATE is accepted.
    contact: Option<Uri>,
    expires: Option<SessionExpires>,
}

impl Updated {
    /// Takes an UPDATE in; `expires` is what the answer says about the session timer.
    pub(super) fn new(reply: Reply, key: Key, request: &Request, expires: Option<SessionExpires>) -> Self {
        Self { reply, key, contact: dialog::contact(request.headers()), expires }
    }

    /// Takes a PRACK with an offer in: it moves no target (RFC 3262 §6).
    pub(super) const fn by_prack(reply: Reply, key: Key) -> Self {
        Self { reply, key, contact: None, expires: None }
    }

    /// True if a request of this method with this key repeats it.
    pub(super) fn matches(&self, key: &Key, method: &Method) -> bool {
        self.key == *key && self.reply.method() == method.as_str()
    }

    /// Answers 200.
    pub(super) fn accept(
        self,
        turn: &mut Turn<'_>,
        answers: &mut Answers,
        body: Option<&Bytes>,
    ) -> Option<Accepted> {
        let method = self.method();
        let bytes = if method == Method::Prack {
            finish(self.reply.response(StatusCode::OK), body)?
        } else {
            ok(&self.reply, turn.local, self.expires, body)?
        };
        let to: Hop = self.reply.destination;
        answers.answer(turn, self.key, &method, to, bytes);
        Some(Accepted { target: self.contact, expires: self.expires })
    }

    /// Refuses it: all stands as it was.
    pub(super) fn refuse(self, turn: &mut Turn<'_>, answers: &mut Answers, objection: &Objection) {
        if let Some(bytes) = self.reply.bare(objection.status, &objection.headers) {
            answers.answer(turn, self.key.clone(), &self.method(), self.reply.destination, bytes);
        }
    }

    fn method(&self) -> Method {
        if self.reply.method() == Method::Prack.as_str() { Method::Prack } else { Method::Update }
    }
}

/// The 200 to an UPDATE.
pub(super) fn ok(
    reply: &Reply,
    local: &Local,
    expires: Option<SessionExpires>,
    body: Option<&Bytes>,
) -> Option<Bytes> {
    let mut writer = reply.dialog_response(StatusCode::OK, &local.contact);
    writer.header(HeaderName::Allow, ALLOW);
    writer.header(HeaderName::Supported, timer::TIMER);
    timer::write(&mut writer, expires);
    finish(writer, body)
}
