//! How a call goes on in another process than the one that saved it, or in the same after that was stopped.
//!
//! ```text
//! Calling ─► the same INVITE, CANCEL or ACK again
//! Talking ─► the same stream, the open question
//! Closing ─► the same BYE or CANCEL again
//! Ended ───► the result again
//! ```

use std::net::SocketAddr;

use crate::id::{Digest, Epoch};
use crate::interview::Heard;
use crate::outcome::Disposition;
use crate::sip::Hop;
use crate::time::Timestamp;

use super::ending::normal_clearing;
use super::message::Output;
use super::result::{EndedBy, Fault};
use super::talk::Act;
use super::{Assets, Call, Stage, Turn};

impl Call {
    /// Whether it wants its RTP ports: they are offered, or used.
    #[must_use]
    pub fn needs_ports(&self) -> bool {
        match &self.stage {
            Stage::Calling => true,
            Stage::Talking(talk) => !talk.is_gone(),
            Stage::Closing(_) | Stage::Settling { .. } | Stage::Ended(_) => false,
        }
    }

    /// The RTP port that was offered to the peer.
    #[must_use]
    pub const fn rtp_port(&self) -> u16 {
        self.local.port
    }

    /// Where the first INVITE through its trunk went.
    #[must_use]
    pub const fn first_hop(&self) -> Hop {
        self.session.first_hop()
    }

    /// Our address in Via and Contact.
    #[must_use]
    pub const fn sent_by(&self) -> SocketAddr {
        self.session.sent_by()
    }

    /// The quotas in which a place is kept for it.
    #[must_use]
    pub fn kept_quotas(&self, assets: &Assets) -> Option<(Digest, Vec<String>)> {
        if matches!(self.stage, Stage::Ended(_)) {
            return None;
        }
        let digest = self.subject.questionnaire;
        let asked = self.interview.quotas(assets.questionnaire(digest)?);
        if asked.iter().any(|asked| asked.full) {
            return None; // then there is none in any
        }
        Some((digest, asked.into_iter().map(|asked| asked.quota).collect()))
    }

    /// The record was read back: whatever should be on the wire goes there again, and the open question is
    /// asked again: from its beginning, or after a short gap from a little before the break.
    pub(super) fn restored(
        &mut self,
        now: Timestamp,
        (alive, epoch): (Option<Timestamp>, Option<Epoch>),
        assets: &Assets,
        turn: &mut Turn,
    ) {
        if let Some(epoch) = epoch {
            turn.changed = true; // mirrors get it as the new owner's
            self.epoch = epoch;
            self.mint.rekey(epoch);
        }
        self.session.resume(now, &mut self.mint);
        self.resume_lingering(now);
        self.streaming = matches!(&self.stage, Stage::Talking(talk) if !talk.is_gone());
        self.restore_early(turn);
        match &mut self.stage {
            Stage::Calling | Stage::Closing(_) => {}
            Stage::Settling { .. } => self.settle(assets, turn),
            Stage::Talking(talk) => {
                if self.streaming {
                    // No jump that a jitter buffer would play as delay, and no number twice.
                    talk.anchor = match talk.is_held() {
                        true => talk.anchor.restart_under_hold(),
                        false => talk.anchor.resume(None, now),
                    };
                    turn.outputs.push(talk.media());
                }
                let Some(questionnaire) = assets.questionnaire(self.subject.questionnaire) else {
                    return self.break_off(now, assets, turn);
                };
                if talk.is_dialling() {
                    // How many of the keys left is not known; sent twice they would be a wrong extension.
                    return self.talk(now, assets, turn, |_, acts| acts.push(Act::Heard(Heard::Begin)));
                }
                let instruction = self.interview.again(questionnaire);
                self.talk(now, assets, turn, |talk, acts| talk.restart((now, alive), instruction, acts));
            }
            Stage::Ended(verdict) => {
                let verdict = *verdict;
                self.give_out(verdict, assets, turn);
                if self.is_over() {
                    turn.outputs.push(Output::Forget);
                }
            }
        }
    }

    /// The process was stopped for a while: to whoever is pressing keys that is the same gap.
    pub(super) fn stalled(&mut self, now: Timestamp, since: Timestamp, assets: &Assets, turn: &mut Turn) {
        let Some(questionnaire) = assets.questionnaire(self.subject.questionnaire) else { return };
        let instruction = self.interview.again(questionnaire);
        self.talk(now, assets, turn, |talk, acts| talk.wake((now, since), instruction, acts));
    }

    /// The record was read back, and nothing can be heard or said: the call is ended in order.
    pub(super) fn ports_lost(&mut self, now: Timestamp, assets: &Assets, turn: &mut Turn) {
        turn.changed = true;
        self.session.resume(now, &mut self.mint);
        self.resume_lingering(now);
        (self.streaming, self.early) = (false, None);
        match self.stage {
            Stage::Calling => {
                self.fault = Some(Fault::PortsLost);
                self.session.cancel(now, Some(normal_clearing()), &mut self.mint);
                self.decide(now, Disposition::TechnicalFault, EndedBy::Fault);
            }
            Stage::Talking(_) => self.give_up(now, Fault::PortsLost, assets, turn),
            Stage::Closing(_) | Stage::Settling { .. } | Stage::Ended(_) => {}
        }
    }
}
