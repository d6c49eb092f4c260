//! How a call goes on with another instance, at another address: the one that carried it is gone with its host.
//!
//! ```text
//! Calling ─► CANCEL, unheard ─► no result before the phone rings no more: nobody is rung twice
//! Talking ─► re-INVITE: same dialog, same `o=`, new Contact and `c=` ─┬─ 2xx ─► the interview goes on
//!             └ RTP with a fresh SSRC, the open question ─────────────┘   481 ─► they hung up meanwhile
//!                                                                         silence, another refusal ─► BYE, a fault
//! Closing ─► BYE anew, CANCEL again
//! Ended ───► the result again
//! ```
//! Numbers that an owner before may have used without this record knowing of it are left out: [`SKIP`] for each claim
//! since. So a successor that dies before anybody has copied what it did has used no number that the next one uses.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::id::{Digest, Epoch};
use crate::interview::Heard;
use crate::outcome::Disposition;
use crate::rtp::Anchor;
use crate::sdp;
use crate::sip::StatusCode;
use crate::sip::session::Moved;
use crate::time::Timestamp;

use super::message::Output;
use super::result::{EndedBy, Fault};
use super::step::Step;
use super::talk::Act;
use super::{Assets, Call, Stage, Turn};

/// CSeq numbers that are left out for each claim: more than an owner uses before its first save is held elsewhere, and
/// few enough for user agents that take no gap above 64.
const SKIP: u32 = 16;
/// What is left out besides where a newer record may have existed.
const SKIP_STALE: u32 = 48;
/// Versions of our description that are left out besides, likewise. One for each claim is what it needs anyway.
const VERSIONS_STALE: u64 = 16;
/// A peer that takes longer to accept us may not have played what was said meanwhile: it is said again. Shorter than a
/// syllable.
const UNHEARD: Duration = Duration::from_millis(100);

/// Whether a peer that says this to a re-INVITE has no such session, or has just left it.
const fn is_gone(status: StatusCode) -> bool {
    matches!(status, StatusCode::CALL_DOES_NOT_EXIST | StatusCode::REQUEST_TERMINATED)
}

/// How a call falls to this instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenOver {
    /// Under which ownership it goes on: the revision of the claim.
    pub epoch: Epoch,
    /// Claims in the chain since the record was saved, this one included: 1, or more if successors before this one saved
    /// nothing.
    pub claims: u32,
    /// A newer record than this one may have existed.
    pub stale: bool,
    /// When its owner is known to have lived last.
    pub alive: Option<Timestamp>,
    /// Our address in Via and Contact for each of its trunks, by their numbers.
    pub sent_by: Vec<SocketAddr>,
    /// Where its RTP comes in; `None`: there is no port for it, or it needs none.
    pub media: Option<SocketAddr>,
}

/// What is known of the takeovers of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Takeovers {
    /// How many there were.
    pub(super) count: u32,
    /// The last one, until the peer has accepted it.
    awaited: Option<Awaited>,
}

/// A takeover that the peer has not accepted yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Awaited {
    since: Timestamp,
    /// A newer record than that of the first of its successors may have existed.
    stale: bool,
}

impl Call {
    /// Whether anybody talks on it: then it wants RTP ports where it is taken over.
    #[must_use]
    pub fn is_talking(&self) -> bool {
        matches!(&self.stage, Stage::Talking(talk) if !talk.is_gone())
    }

    /// The record was read back by another instance, which owns the call from now on.
    pub(super) fn taken_over(&mut self, now: Timestamp, taken: &TakenOver, assets: &Assets, turn: &mut Turn) {
        turn.changed = true;
        self.epoch = taken.epoch;
        self.mint.rekey(taken.epoch);
        let goes_on = self.is_talking()
            && taken.media.is_some()
            && self.parting().is_none()
            && assets.questionnaire(self.subject.questionnaire).is_some();
        let offer = taken.media.filter(|_| goes_on).map(|media| self.moved_offer(media, taken));
        self.move_sessions(now, taken, offer.as_ref());
        (self.streaming, self.early) = (false, None);
        self.trunks.settle(); // nobody else is rung before it is certain that nobody is
        if !matches!(self.stage, Stage::Ended(_)) {
            self.takeovers.count += 1;
            turn.tell(Step::TakenOver);
        }
        match self.stage {
            Stage::Calling => {
                self.fault = Some(Fault::RingingLost);
                self.decide(now, Disposition::TechnicalFault, EndedBy::Fault);
            }
            Stage::Talking(_) => {
                if goes_on {
                    let stale = taken.stale || self.takeovers.awaited.is_some_and(|before| before.stale);
                    self.takeovers.awaited = Some(Awaited { since: now, stale });
                }
                self.talk_on(now, taken, assets, turn);
            }
            Stage::Closing(_) => {}
            Stage::Settling { .. } => self.settle(assets, turn),
            Stage::Ended(verdict) => {
                self.give_out(verdict, assets, turn);
                if self.is_over() {
                    turn.outputs.push(Output::Forget);
                }
            }
        }
    }

    /// Our description at the new address: of the same origin, with a version of its own (RFC 3264 §8).
    fn moved_offer(&mut self, media: SocketAddr, taken: &TakenOver) -> Bytes {
        (self.local.address, self.local.port) = (media.ip(), media.port());
        let versions = u64::from(taken.claims.max(1)) + if taken.stale { VERSIONS_STALE } else { 0 };
        self.local.origin.version = self.local.origin.version.saturating_add(versions);
        let offer = sdp::offer(&self.local);
        self.described = Digest::of(&offer);
        offer
    }

    fn move_sessions(&mut self, now: Timestamp, taken: &TakenOver, offer: Option<&Bytes>) {
        let stale = if taken.stale { SKIP_STALE } else { 0 };
        let skip = taken.claims.max(1).saturating_mul(SKIP).saturating_add(stale);
        let call = self.subject.call_id;
        let number = self.trunks.number();
        let at = |number: super::TryNumber, before| {
            taken.sent_by.get(usize::from(number.0)).or(taken.sent_by.first()).copied().unwrap_or(before)
        };
        let moved = |number, session: &crate::sip::session::Session| {
            let sent_by = at(number, session.sent_by());
            let contact = super::trunks::contact(call, sent_by, session.first_hop().protocol);
            Moved { sent_by, contact, skip }
        };
        let here = moved(number, &self.session);
        self.session.take_over(now, here, offer, &mut self.mint);
        for (number, session) in self.trunks.lingering_mut() {
            let here = moved(number, session);
            session.take_over(now, here, None, &mut self.mint);
        }
    }

    /// What the interview has come to, if its last word was said and only the moment to hang up was waited for.
    fn parting(&self) -> Option<crate::interview::Outcome> {
        if let Stage::Talking(talk) = &self.stage { talk.parted() } else { None }
    }

    /// Goes on talking: in a stream of its own, with what was open.
    fn talk_on(&mut self, now: Timestamp, taken: &TakenOver, assets: &Assets, turn: &mut Turn) {
        if let Some(outcome) = self.parting() {
            return self.part(now, outcome, turn);
        }
        let Stage::Talking(talk) = &mut self.stage else { return };
        if !talk.is_gone() {
            if taken.media.is_none() {
                return self.give_up(now, Fault::PortsLost, assets, turn);
            }
            // Sequence and timestamp of the stream before are not known here to the packet: another source is honest.
            talk.anchor = Anchor::start(now, &mut self.mint);
            turn.outputs.push(talk.media());
            self.streaming = true;
        }
        let Some(questionnaire) = assets.questionnaire(self.subject.questionnaire) else {
            return self.break_off(now, assets, turn);
        };
        if talk.is_dialling() {
            // How many of the keys left is not known; sent twice they would be a wrong extension.
            return self.talk(now, assets, turn, |_, acts| acts.push(Act::Heard(Heard::Begin)));
        }
        let instruction = self.interview.again(questionnaire);
        self.talk(now, assets, turn, |talk, acts| talk.restart((now, taken.alive), instruction, acts));
    }

    /// The peer has accepted us here, if that was waited for. What was said before, and may not have been heard, is said
    /// again.
    pub(super) fn accepted_here(&mut self, now: Timestamp, assets: &Assets, turn: &mut Turn) {
        let Some(Awaited { since, .. }) = self.takeovers.awaited.take() else { return };
        turn.changed = true;
        let Some(questionnaire) =
            assets.questionnaire(self.subject.questionnaire).filter(|_| now.since(since) > UNHEARD)
        else {
            return;
        };
        let instruction = self.interview.again(questionnaire);
        self.talk(now, assets, turn, |talk, acts| talk.repeat_unheard((now, since), instruction, acts));
    }

    /// The peer has not accepted us here, if that was waited for: says whether it was. The session is at an address where
    /// nobody is, so it is ended.
    pub(super) fn refused_here(
        &mut self,
        now: Timestamp,
        status: Option<StatusCode>,
        assets: &Assets,
        turn: &mut Turn,
    ) -> bool {
        let Some(Awaited { stale, .. }) = self.takeovers.awaited.take() else { return false };
        turn.changed = true;
        let fault = match status {
            None | Some(StatusCode::REQUEST_TIMEOUT) => Fault::TakeoverUnanswered,
            Some(status) if is_gone(status) && stale => Fault::StaleRecord,
            Some(status) if is_gone(status) => Fault::GoneAtTakeover,
            Some(_) => Fault::TakeoverRefused,
        };
        if let Stage::Talking(_) = self.stage {
            self.give_up(now, fault, assets, turn);
        }
        true
    }
}
