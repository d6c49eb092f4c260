//! Requests of the peer before the session's dialog is settled: in early dialogs (RFC 3261 §12.2.2, RFC 3311 §5.2),
//! and in those of forks that came second.

use bytes::Bytes;

use super::Calling;
use crate::sip::hop::Hop;
use crate::sip::reply::{Objection, Reply, Understood, inspect, sdp_of};
use crate::sip::session::requests::Taken;
use crate::sip::session::turn::Turn;
use crate::sip::session::usage::Phase;
use crate::sip::session::{timer, updated};
use crate::sip::{Request, StatusCode};

impl Calling {
    /// The owner's answer to the offer of an early dialog's UPDATE; false if none waits.
    pub(in crate::sip::session) fn answer(
        &mut self,
        turn: &mut Turn<'_>,
        answer: Result<Option<&Bytes>, &Objection>,
    ) -> bool {
        let Some(early) = self.early.iter_mut().find(|early| early.usage.updated.is_some()) else {
            return false;
        };
        match answer {
            Ok(body) => {
                early.body = early.offered.take();
                early.usage.accept(turn, body);
            }
            Err(objection) => early.usage.refuse(turn, objection),
        }
        true
    }

    /// A request that is not of the session's dialog, but of an early one, or of a fork's. Of a fork, or of an
    /// early dialog whose provisional response was lost, it is answered without state: its repeat makes the same
    /// bytes. A BYE is not what a callee should send in an early dialog (§15), but it shows that the callee is
    /// gone, and the INVITE is given up. False: not ours.
    pub(in crate::sip::session) fn request(
        &mut self,
        turn: &mut Turn<'_>,
        request: &Request,
        from: Hop,
    ) -> bool {
        let headers = request.headers();
        let is_ours = headers.call_id().is_ok_and(|id| id == self.call_id)
            && headers.to().is_ok_and(|to| to.tag() == self.from.tag());
        let Ok(peer) = headers.from() else { return false };
        for early in &mut self.early {
            let waited = early.usage.updated.is_some();
            if early.usage.request(turn, request, from) == Taken::Yes {
                if !waited && early.usage.updated.is_some() {
                    early.offered = sdp_of(request);
                }
                if matches!(early.usage.phase(), Phase::Left { .. }) {
                    self.cancel(turn, None); // its BYE: the callee is gone
                }
                return true;
            }
        }
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
            Ok(Understood::Update) if sdp_of(request).is_some() => {
                reply.bare(StatusCode::REQUEST_PENDING, &[]) // RFC 3311 §5.2
            }
            Ok(Understood::Update) => match timer::answer(headers) {
                Ok(expires) => updated::ok(&reply, turn.local, expires, None),
                Err(objection) => reply.bare(objection.status, &objection.headers),
            },
            Ok(Understood::Cancel | Understood::Prack | Understood::Notify) => {
                reply.bare(StatusCode::CALL_DOES_NOT_EXIST, &[])
            }
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
}
