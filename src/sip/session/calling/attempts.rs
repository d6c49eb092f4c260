//! What a refusal of the first INVITE makes of it: the same call once more, with what was wanted or elsewhere
//! (RFC 3261 §8.1.3.4, §8.1.3.5, §22; RFC 4028 §7.3).

use bytes::Bytes;

use super::{Calling, Cancel, Heard};
use crate::sip::dialog;
use crate::sip::hop::Hop;
use crate::sip::session::derived::Change;
use crate::sip::session::outgoing::Next;
use crate::sip::session::timer;
use crate::sip::session::turn::Turn;
use crate::sip::{HeaderName, Response, StatusCode, Uri};

impl Calling {
    /// Whether a refusal is no end yet: the INVITE goes out once more, with what was wanted or elsewhere.
    pub(super) fn goes_on(&mut self, turn: &mut Turn<'_>, response: &Response, invite: &Bytes) -> bool {
        if !self.may_go_on() {
            return false;
        }
        let to = self.invite.client().destination();
        if self.invite.challenged(turn, response) {
            return self.again(turn, invite, to, Change::default());
        }
        if response.status() == StatusCode::SESSION_INTERVAL_TOO_SMALL
            && let Some(min_se) = self.expires_s.and_then(|old| timer::raised(old, response.headers()))
        {
            self.expires_s = Some(min_se); // only ever longer: RFC 4028 §7.3
            let interval = min_se.to_string();
            let headers = vec![(HeaderName::SessionExpires, interval.clone()), (HeaderName::MinSe, interval)];
            return self.again(turn, invite, to, Change { uri: None, headers });
        }
        let target = self.redirects.next(response);
        self.elsewhere(turn, invite, target)
    }

    /// Whether that nobody heard the INVITE is no end yet: who was redirected tries the next place.
    pub(super) fn goes_on_unheard(&mut self, turn: &mut Turn<'_>, invite: &Bytes) -> bool {
        if !self.may_go_on() {
            return false;
        }
        let target = self.redirects.next_waiting();
        self.elsewhere(turn, invite, target)
    }

    fn may_go_on(&self) -> bool {
        matches!(self.cancel, Cancel::Unwanted) && !self.has_dialog()
    }

    fn elsewhere(&mut self, turn: &mut Turn<'_>, invite: &Bytes, target: Option<Uri>) -> bool {
        let Some(target) = target.filter(|_| turn.now < self.longest) else { return false };
        self.ring_deadline = (turn.now + self.ring_timeout).min(self.longest);
        turn.ring.clear(); // what the others asked for is no concern of this one
        self.invite.forget_tries();
        self.target = target.clone();
        let left = self.longest.since(turn.now).as_secs().max(1);
        let headers = vec![(HeaderName::Expires, left.to_string())];
        let to = dialog::hop_of(&target, turn.local);
        self.again(turn, invite, to, Change { uri: Some(target), headers })
    }

    fn again(&mut self, turn: &mut Turn<'_>, invite: &Bytes, to: Hop, change: Change) -> bool {
        let spent = self.early.iter().map(|early| early.usage.dialog().local_cseq()).max();
        let cseq = self.invite.cseq().max(spent.unwrap_or(0)) + 1;
        self.early.clear(); // a final response ends every early dialog (§12.3)
        self.heard = self.heard.min(Heard::Provisional);
        self.invite.again(turn, invite, Next { cseq, to, change })
    }
}
