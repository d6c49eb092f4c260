//! The peer's requests within a dialog: RFC 3261 §12.2.2, §14.2, §15.1.2, §9.2.
//!
//! ```text
//! ACK, CANCEL, repeats          by their transaction's key
//! tags of another dialog        not ours: the caller of this answers 481
//! after the end                 BYE 200, all else 481
//! CSeq not higher               500
//! what §8.2 objects to          405, 501, 420, 415
//! OPTIONS 200   BYE 200   INVITE, UPDATE offered, or 491, or 500 with Retry-After, or 422
//! UPDATE without offer 200   PRACK 200 or offered, to a callee's reliable response, else 481
//! NOTIFY 481: nothing is subscribed to
//! ```

use super::Event;
use super::invited::{Invited, Offer};
use super::reliable::Acked;
use super::timer;
use super::turn::Turn;
use super::updated::Updated;
use super::usage::{Phase, Side, Usage};
use crate::sip::dialog::Order;
use crate::sip::hop::Hop;
use crate::sip::reply::{Objection, Reply, Understood, inspect, key_of, sdp_of};
use crate::sip::transaction::Key;
use crate::sip::{HeaderName, Method, Request, StatusCode};

/// Whether a request was this dialog's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sip) enum Taken {
    /// Yes; whatever had to be said was said.
    Yes,
    /// No: other tags, or what cannot be read.
    No,
}

/// A request with what has been read of it.
struct Read<'a> {
    request: &'a Request,
    from: Hop,
    key: Key,
    cseq: u32,
}

impl Usage {
    /// A request came.
    pub(in crate::sip) fn request(&mut self, turn: &mut Turn<'_>, request: &Request, from: Hop) -> Taken {
        let Some(key) = key_of(request) else { return Taken::No };
        let Ok(cseq) = request.headers().cseq() else { return Taken::No };
        let read = Read { request, from, key, cseq: cseq.number };
        if self.by_transaction(turn, &read) {
            return Taken::Yes;
        }
        if !self.dialog.matches(request) {
            return Taken::No;
        }
        if *request.method() == Method::Ack {
            self.ack(turn, &read);
        } else if *request.method() == Method::Cancel {
            self.answer(turn, &read, &Objection::bare(StatusCode::CALL_DOES_NOT_EXIST));
        } else {
            self.in_order(turn, &read);
        }
        Taken::Yes
    }

    /// Repeats, and what belongs to an INVITE by its key; true if the request is one of these.
    fn by_transaction(&mut self, turn: &mut Turn<'_>, read: &Read<'_>) -> bool {
        let invited = self.invited.as_mut().filter(|invited| invited.matches(&read.key));
        let method = read.request.method();
        if *method == Method::Ack {
            self.answers.acknowledged(turn.now, &read.key);
            // The ACK of a refusal has the INVITE's branch, that of a 2xx one of its own (§17.1.1.3).
            return match invited.filter(|invited| !invited.is_unacked()) {
                Some(invited) => {
                    invited.refusal_acked(turn.now);
                    true
                }
                None => false,
            };
        }
        if self.answers.repeated(turn, &read.key, method) {
            return true;
        }
        if self.updated.as_ref().is_some_and(|updated| updated.matches(&read.key, method)) {
            return true; // its answer is on its way
        }
        match (method, invited) {
            (Method::Invite, Some(invited)) => invited.repeated(turn),
            (Method::Cancel, Some(_)) => self.cancel(turn, read),
            (Method::Cancel, None) if self.answers.was_refused(&read.key) => {
                self.answer(turn, read, &Objection::bare(StatusCode::OK)); // §9.2: too late
            }
            (_, Some(_) | None) => return false,
        }
        true
    }

    /// §9.2: 200 to the CANCEL; 487 to the INVITE, if it still waits.
    fn cancel(&mut self, turn: &mut Turn<'_>, read: &Read<'_>) {
        self.answer(turn, read, &Objection::bare(StatusCode::OK));
        if !self.invited.as_ref().is_some_and(Invited::is_pending) {
            return;
        }
        let was_early = self.phase == Phase::Early;
        self.refuse(turn, &Objection::bare(StatusCode::REQUEST_TERMINATED));
        if was_early {
            turn.tell(Event::Cancelled { reasons: read.request.headers().reason() });
        }
    }

    /// The ACK of our 2xx: same CSeq number as its INVITE, its own branch (§13.2.2.4).
    fn ack(&mut self, turn: &mut Turn<'_>, read: &Read<'_>) {
        let Some(invited) = self.invited.as_mut().filter(|invited| invited.cseq() == read.cseq) else {
            return;
        };
        let answer = match invited.offer() {
            Offer::Ours => sdp_of(read.request),
            Offer::Theirs => None,
        };
        if invited.acked() {
            turn.tell(Event::Acked { body: answer });
        }
    }

    /// A new request: its number, then what §8.2 has against it, then the method itself.
    fn in_order(&mut self, turn: &mut Turn<'_>, read: &Read<'_>) {
        let method = read.request.method();
        if *method == Method::Invite && !self.answers.has_room_to_refuse() {
            return;
        }
        if self.dialog.order(read.cseq) == Order::Old {
            let objection = Objection::bare(StatusCode::SERVER_INTERNAL_ERROR); // §12.2.2
            return self.answer(turn, read, &objection);
        }
        self.dialog.advance(read.cseq);
        if matches!(self.phase, Phase::Left { .. }) && *method != Method::Bye {
            return self.answer(turn, read, &Objection::bare(StatusCode::CALL_DOES_NOT_EXIST));
        }
        match inspect(read.request) {
            Err(objection) => self.answer(turn, read, &objection),
            Ok(Understood::Bye) => self.peer_bye(turn, read),
            Ok(Understood::Invite) => self.reinvited(turn, read),
            Ok(Understood::Options) => self.options(turn, read),
            Ok(Understood::Info) => self.informed(turn, read),
            Ok(Understood::Update) => self.peer_update(turn, read),
            Ok(Understood::Prack) => self.prack(turn, read),
            Ok(Understood::Notify) => {
                self.answer(turn, read, &Objection::bare(StatusCode::CALL_DOES_NOT_EXIST));
            }
            Ok(Understood::Ack | Understood::Cancel) => {} // they have no number of their own
        }
    }

    /// RFC 3262 §3. An offer in it is answered in its 2xx (§5). The response counts as heard, whatever comes of that.
    fn prack(&mut self, turn: &mut Turn<'_>, read: &Read<'_>) {
        let rack = read.request.headers().rack().ok().flatten();
        let acked = rack.zip(turn.reliable.as_mut()).and_then(|(rack, reliable)| reliable.acknowledge(&rack));
        if acked == Some(Acked::Answer) {
            self.exchanged();
        }
        let status = match acked.map(|_| sdp_of(read.request)) {
            None => StatusCode::CALL_DOES_NOT_EXIST,
            Some(None) => StatusCode::OK,
            // The first offer has no answer yet: there is no place for another one.
            Some(Some(_)) if !self.answered_early() => StatusCode::NOT_ACCEPTABLE_HERE,
            Some(Some(_)) if self.our_offer_is_open() || self.updated.is_some() => {
                StatusCode::REQUEST_PENDING
            }
            Some(Some(offer)) => {
                let Some(reply) = self.reply_to(turn, read) else { return };
                self.updated = Some(Updated::by_prack(reply, read.key.clone()));
                return turn.tell(Event::Offered { body: Some(offer) });
            }
        };
        self.answer(turn, read, &Objection::bare(status));
    }

    fn options(&mut self, turn: &mut Turn<'_>, read: &Read<'_>) {
        let Some(reply) = self.reply_to(turn, read) else { return };
        let Some(bytes) = reply.options() else { return };
        self.answers.answer(turn, read.key.clone(), read.request.method(), reply.destination, bytes);
    }

    /// RFC 6086 §4.2.2.
    fn informed(&mut self, turn: &mut Turn<'_>, read: &Read<'_>) {
        self.answer(turn, read, &Objection::bare(StatusCode::OK));
        let kind = read.request.headers().content_type().ok().flatten();
        if let Some(kind) = kind.filter(|_| !read.request.body().is_empty()) {
            turn.tell(Event::Info { content_type: kind.essence, body: read.request.body() });
        }
    }

    /// §15.1.2.
    fn peer_bye(&mut self, turn: &mut Turn<'_>, read: &Read<'_>) {
        self.answer(turn, read, &Objection::bare(StatusCode::OK));
        let reasons = read.request.headers().reason();
        match self.phase {
            Phase::Left { .. } => return,
            // A caller's INVITE is still to be cancelled: its owner sees that the early dialog was left.
            Phase::Early if self.side == Side::Caller => {}
            Phase::Early => turn.tell(Event::Cancelled { reasons }),
            Phase::Confirmed => turn.tell(Event::PeerBye { reasons }),
        }
        self.leave(turn.now);
        self.drop_pending(turn);
    }

    /// §14.2.
    fn reinvited(&mut self, turn: &mut Turn<'_>, read: &Read<'_>) {
        if let Some(invited) = &mut self.invited {
            if invited.is_pending() {
                return self.later(turn, read);
            }
            match invited.offer() {
                // The answer to our offer is still on its way in the lost ACK (RFC 5407 §3.1.5).
                Offer::Ours if invited.is_unacked() => {
                    return self.answer(turn, read, &Objection::bare(StatusCode::REQUEST_PENDING));
                }
                // Only who has our 2xx sends a re-INVITE: the lost ACK is as good as here (§3.1.4 there).
                Offer::Theirs | Offer::Ours => {
                    if invited.acked() {
                        turn.tell(Event::Acked { body: None });
                    }
                }
            }
        }
        if self.updated.is_some() {
            return self.later(turn, read);
        }
        if self.our_offer_is_open() || self.phase == Phase::Early {
            return self.answer(turn, read, &Objection::bare(StatusCode::REQUEST_PENDING)); // §14.2
        }
        let expires = match timer::answer(read.request.headers()) {
            Ok(expires) => expires,
            Err(objection) => return self.answer(turn, read, &objection),
        };
        let tag = self.dialog.local_tag().unwrap_or_default();
        let Some(invited) = Invited::new(read.request, read.from, tag, turn.local, expires) else { return };
        if let Some(before) = self.invited.replace(invited) {
            self.answers.remember(before.into_server());
        }
        turn.tell(Event::Offered { body: sdp_of(read.request) });
    }

    /// RFC 3311 §5.2.
    fn peer_update(&mut self, turn: &mut Turn<'_>, read: &Read<'_>) {
        let offer = sdp_of(read.request);
        // Whoever sends it has our 2xx of its INVITE: a lost ACK is as good as here, if it carried no answer.
        if let Some(invited) = self.invited.as_mut().filter(|invited| invited.offer() == Offer::Theirs)
            && invited.acked()
        {
            turn.tell(Event::Acked { body: None });
        }
        if self.updated.is_some()
            || (offer.is_some()
                && !self.answered_early()
                && self.invited.as_ref().is_some_and(Invited::is_pending))
        {
            return self.later(turn, read);
        }
        if offer.is_some() && self.our_offer_is_open() {
            return self.answer(turn, read, &Objection::bare(StatusCode::REQUEST_PENDING));
        }
        let expires = match timer::answer(read.request.headers()) {
            Ok(expires) => expires,
            Err(objection) => return self.answer(turn, read, &objection),
        };
        let Some(reply) = self.reply_to(turn, read) else { return };
        let updated = Updated::new(reply, read.key.clone(), read.request, expires);
        match offer {
            Some(body) => {
                self.updated = Some(updated);
                turn.tell(Event::Offered { body: Some(body) });
            }
            None => self.accept_update(turn, updated, None),
        }
    }

    /// A second offer before the first is answered (§14.2, RFC 3311 §5.2).
    fn later(&mut self, turn: &mut Turn<'_>, read: &Read<'_>) {
        let wait_s = turn.mint.number32() % 11; // 0 to 10 s, at random
        let headers = vec![(HeaderName::RetryAfter, wait_s.to_string())];
        self.answer(turn, read, &Objection { status: StatusCode::SERVER_INTERNAL_ERROR, headers });
    }

    /// Gives a final response at once.
    fn answer(&mut self, turn: &mut Turn<'_>, read: &Read<'_>, objection: &Objection) {
        let Some(reply) = self.reply_to(turn, read) else { return };
        let Some(bytes) = reply.bare(objection.status, &objection.headers) else { return };
        let (key, to) = (read.key.clone(), reply.destination);
        let method = read.request.method();
        if *method == Method::Invite {
            self.answers.refuse(turn, key, to, bytes);
        } else {
            self.answers.answer(turn, key, method, to, bytes);
        }
    }

    fn reply_to(&self, turn: &Turn<'_>, read: &Read<'_>) -> Option<Reply> {
        let tag = self.dialog.local_tag().unwrap_or_default();
        Reply::to(read.request, read.from, tag, &turn.local.user_agent)
    }
}
