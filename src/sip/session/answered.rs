//! Requests of the peer that were answered finally, until their repeats have died away.

use std::collections::VecDeque;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::turn::Turn;
use crate::sip::Method;
use crate::sip::hop::Hop;
use crate::sip::transaction::{InviteServer, Key, Lapse, NonInviteServer};
use crate::time::Timestamp;

/// Requests other than INVITE that are remembered; beyond it the oldest is forgotten.
const MAX_ANSWERED: usize = 8;
/// Refused re-INVITEs that are remembered; beyond it a re-INVITE goes unheard, and its repeat is heard
/// when one of them was acknowledged.
const MAX_REFUSED: usize = 2;

/// Accepted re-INVITEs that are remembered while a later one is the session's; beyond it the oldest is forgotten.
const MAX_ACCEPTED: usize = 2;

/// The server transactions that are past their final response.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sip) struct Answers {
    answered: VecDeque<NonInviteServer>,
    /// Refused ones, and accepted ones that others have followed.
    refused: Vec<InviteServer>,
}

impl Answers {
    /// Sends the final response to a request that is not an INVITE, and remembers it.
    pub(super) fn answer(&mut self, turn: &mut Turn<'_>, key: Key, method: &Method, to: Hop, bytes: Bytes) {
        turn.send(to, bytes.clone());
        if self.answered.len() >= MAX_ANSWERED {
            self.answered.pop_front();
        }
        let server = NonInviteServer::completed(turn.now, key, method.as_str(), to, bytes);
        self.answered.push_back(server);
    }

    /// True if a re-INVITE can be refused now.
    pub(super) fn has_room_to_refuse(&self) -> bool {
        self.refused.iter().filter(|one| !one.is_accepted()).count() < MAX_REFUSED
    }

    /// Remembers an INVITE of the session's that another one follows: a late repeat is no request of its own (RFC 6026
    /// §7.1).
    pub(super) fn remember(&mut self, server: InviteServer) {
        let accepted = self.refused.iter().filter(|one| one.is_accepted()).count();
        if server.is_accepted()
            && accepted >= MAX_ACCEPTED
            && let Some(oldest) = self.refused.iter().position(InviteServer::is_accepted)
        {
            self.refused.remove(oldest);
        }
        self.refused.push(server);
    }

    /// Refuses an INVITE that never became the session's.
    pub(super) fn refuse(&mut self, turn: &mut Turn<'_>, key: Key, to: Hop, bytes: Bytes) {
        let mut server = InviteServer::new(key, to);
        turn.transmit(server.refuse(turn.now, bytes));
        self.refused.push(server);
    }

    /// Answers a repeat; false if the request is none.
    pub(super) fn repeated(&self, turn: &mut Turn<'_>, key: &Key, method: &Method) -> bool {
        if let Some(server) = self.answered.iter().find(|one| one.matches(key, method.as_str())) {
            turn.transmit(server.again());
            return true;
        }
        let refused = self.refused.iter().find(|one| *method == Method::Invite && one.matches(key));
        turn.transmit(refused.and_then(InviteServer::repeated));
        refused.is_some()
    }

    /// An ACK came with this key.
    pub(super) fn acknowledged(&mut self, now: Timestamp, key: &Key) {
        if let Some(server) = self.refused.iter_mut().find(|one| one.matches(key)) {
            server.acknowledged(now);
        }
    }

    /// True if a CANCEL with this key came too late for its INVITE, which was answered.
    pub(super) fn was_refused(&self, key: &Key) -> bool {
        self.refused.iter().any(|one| one.matches(key))
    }

    pub(super) fn timeout(&mut self, turn: &mut Turn<'_>) {
        self.answered.retain(|server| turn.now < server.until());
        for server in &mut self.refused {
            if let Lapse::Resend(bytes) = server.timeout(turn.now) {
                turn.resend(server.destination(), bytes);
            }
        }
        self.refused.retain(|server| !server.is_terminated());
    }

    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        let answered = self.answered.iter().map(NonInviteServer::until);
        answered.chain(self.refused.iter().filter_map(InviteServer::poll_timeout)).min()
    }

    pub(super) fn resume(&self, turn: &mut Turn<'_>) {
        for server in &self.answered {
            turn.transmit(server.again());
        }
        for server in &self.refused {
            turn.transmit(server.repeated());
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.answered.is_empty() && self.refused.is_empty()
    }
}
