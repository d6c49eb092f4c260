//! How a call comes to its one outcome.
//!
//! ```text
//! Calling ──► Talking ──► Closing(verdict) ──► Ended(verdict) ──► forgotten
//!    └───────────────────────────┴── a verdict is never changed once it is given
//! ```

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::interview::Outcome;
use crate::outcome::Disposition;
use crate::sip::Reason;
use crate::time::Timestamp;

use super::hearing::answered_by;
use super::message::Output;
use super::recording::Leaving;
use super::result::{AskedQuestionnaire, CallResult, EndedBy};
use super::step::Step;
use super::talk::Act;
use super::{Assets, Call, Stage, Turn};

/// How long a result waits for the media thread to say what passed: it does so within a tick of 20 ms.
const REPORT_WAIT: Duration = Duration::from_secs(1);

/// The one outcome of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Verdict {
    pub(super) disposition: Disposition,
    pub(super) ended_by: EndedBy,
    pub(super) at: Timestamp,
}

/// The cause of an ordinary end (ITU-T Q.850 §2.2.7.1.7).
pub(super) fn normal_clearing() -> Reason {
    Reason::q850(16, "Normal call clearing")
}

/// The disposition of an interview that reached this end.
pub(super) const fn disposition(outcome: Outcome) -> Disposition {
    match outcome {
        Outcome::Complete => Disposition::Complete,
        Outcome::Partial => Disposition::Partial,
        Outcome::Ineligible => Disposition::Ineligible,
        Outcome::QuotaFull => Disposition::QuotaFull,
        Outcome::Refusal => Disposition::Refusal,
        Outcome::BreakOff => Disposition::BreakOff,
        Outcome::Callback => Disposition::Callback,
        Outcome::Transfer => Disposition::Transferred,
        Outcome::Technical => Disposition::TechnicalFault,
    }
}

impl Call {
    /// The interview said its last word: we hang up.
    pub(super) fn part(&mut self, now: Timestamp, outcome: Outcome, turn: &mut Turn) {
        let ended_by = if outcome == Outcome::Technical { EndedBy::Fault } else { EndedBy::Caller };
        self.hang_up(now, disposition(outcome), ended_by, turn);
    }

    /// The call is over; says whether a recording has to be stored first. [`Call::left`] follows then.
    pub(super) fn stores_first(&mut self, now: Timestamp, leaving: Leaving, turn: &mut Turn) -> bool {
        let Stage::Talking(talk) = &mut self.stage else { return false };
        let mut acts = Vec::new();
        let stores = talk.leave(now, leaving, &mut acts);
        for act in acts {
            if let Act::Do(output) = act {
                turn.outputs.push(output);
            }
        }
        if stores {
            turn.changed = true;
            if leaving.is_gone() {
                turn.outputs.push(Output::CloseMedia);
            }
        }
        stores
    }

    /// The recording is stored that the end of the call waited for.
    pub(super) fn left(&mut self, now: Timestamp, leaving: Leaving, assets: &Assets, turn: &mut Turn) {
        match leaving {
            Leaving::Callee => self.left_by_callee(now, assets, turn),
            Leaving::Asked => self.hang_up_asked(now, assets, turn),
            Leaving::TooLong => self.break_off(now, assets, turn),
            Leaving::Unacked => self.lost_ack(now, assets, turn),
            Leaving::Tone => self.left_behind_gateway(now, assets, turn),
            Leaving::GivenUp(fault) => self.give_up(now, fault, assets, turn),
            Leaving::Broken => self.end(now, Disposition::TechnicalFault, EndedBy::Fault, assets, turn),
        }
        if self.is_over() {
            self.end(now, Disposition::TechnicalFault, EndedBy::Fault, assets, turn);
        }
    }

    /// An answered call that we end before the interview does.
    pub(super) fn break_off(&mut self, now: Timestamp, assets: &Assets, turn: &mut Turn) {
        if self.stores_first(now, Leaving::TooLong, turn) {
            return;
        }
        let disposition = self.leave_interview(now, assets);
        self.hang_up(now, disposition, EndedBy::Fault, turn);
    }

    /// The callee hung up. Who hears the closing words and hangs up has done the interview.
    pub(super) fn left_by_callee(&mut self, now: Timestamp, assets: &Assets, turn: &mut Turn) {
        if self.stores_first(now, Leaving::Callee, turn) {
            return;
        }
        let mut disposition = self.leave_interview(now, assets);
        if disposition == Disposition::BreakOff && !self.has_consent(assets) {
            disposition = assets.before_consent();
        }
        if let Stage::Talking(_) = self.stage {
            turn.outputs.push(Output::CloseMedia);
        }
        self.end(now, disposition, EndedBy::Callee, assets, turn);
    }

    /// A person, or the end of the process, wants the call to stop.
    pub(super) fn hang_up_asked(&mut self, now: Timestamp, assets: &Assets, turn: &mut Turn) {
        turn.changed = true; // a CANCEL may have to wait for a 1xx: the wish is kept until then
        match self.stage {
            Stage::Calling => {
                self.session.cancel(now, Some(normal_clearing()), &mut self.mint);
                self.decide(now, Disposition::NotAttempted, EndedBy::Caller);
            }
            Stage::Talking(_) => {
                if self.stores_first(now, Leaving::Asked, turn) {
                    return;
                }
                let disposition = self.leave_interview(now, assets);
                self.hang_up(now, disposition, EndedBy::Caller, turn);
            }
            Stage::Closing(_) | Stage::Settling { .. } | Stage::Ended(_) => {}
        }
    }

    /// The call is not placed: its INVITE never leaves.
    pub(super) fn withdraw(&mut self, now: Timestamp, why: String, assets: &Assets, turn: &mut Turn) {
        let Stage::Calling = self.stage else { return };
        turn.tell(Step::Withdrawn { why });
        // As if the transport had refused it, over TCP and then over UDP; what the session says to that is not sent.
        self.session.transport_failed(now, &mut self.mint);
        self.session.transport_failed(now, &mut self.mint);
        while self.session.poll_event().is_some() {}
        self.end(now, Disposition::NotAttempted, EndedBy::Fault, assets, turn);
    }

    /// Nobody listens any more: what the interview has come to.
    pub(super) fn leave_interview(&mut self, now: Timestamp, assets: &Assets) -> Disposition {
        if let Some(questionnaire) = assets.questionnaire(self.subject.questionnaire) {
            self.interview.hung_up(questionnaire, now);
        }
        self.interview.ending().map_or(Disposition::BreakOff, disposition)
    }

    /// Whether the callee has answered anything but in which language to go on.
    pub(super) fn has_consent(&self, assets: &Assets) -> bool {
        let questionnaire = assets.questionnaire(self.subject.questionnaire);
        questionnaire.is_none_or(|questionnaire| self.interview.has_consent(questionnaire))
    }

    /// Gives the verdict and sends BYE.
    pub(super) fn hang_up(
        &mut self,
        now: Timestamp,
        disposition: Disposition,
        ended_by: EndedBy,
        turn: &mut Turn,
    ) {
        if let Stage::Talking(_) = self.stage {
            turn.outputs.push(Output::CloseMedia);
        }
        self.decide(now, disposition, ended_by);
        self.session.bye(now, Some(normal_clearing()), &mut self.mint);
    }

    /// Gives the verdict while a CANCEL or BYE is still to be answered.
    pub(super) fn decide(&mut self, now: Timestamp, disposition: Disposition, ended_by: EndedBy) {
        if let Stage::Calling | Stage::Talking(_) = self.stage {
            self.stage = Stage::Closing(Verdict { disposition, ended_by, at: now });
        }
    }

    /// Signalling has come to its end: gives the result out, with this verdict unless one was given before.
    pub(super) fn end(
        &mut self,
        now: Timestamp,
        disposition: Disposition,
        ended_by: EndedBy,
        assets: &Assets,
        turn: &mut Turn,
    ) {
        self.decide(now, disposition, ended_by);
        if let Stage::Closing(verdict) = self.stage {
            self.close_early(turn);
            self.stage = Stage::Settling { verdict, until: now + REPORT_WAIT };
            if !self.streaming {
                self.settle(assets, turn);
            }
        }
    }

    /// Everything that belongs to the result is known, or waited for no longer: gives it out.
    pub(super) fn settle(&mut self, assets: &Assets, turn: &mut Turn) {
        let Stage::Settling { verdict, .. } = self.stage else { return };
        self.streaming = false;
        self.stage = Stage::Ended(verdict);
        self.give_out(verdict, assets, turn);
    }

    /// Gives the result out.
    pub(super) fn give_out(&self, verdict: Verdict, assets: &Assets, turn: &mut Turn) {
        turn.tell(Step::Ended { disposition: verdict.disposition });
        turn.outputs.push(Output::Ended(Box::new(self.result(verdict, assets))));
    }

    fn result(&self, verdict: Verdict, assets: &Assets) -> CallResult {
        let questionnaire = assets.questionnaire(self.subject.questionnaire);
        let (id, version) = questionnaire.map(|q| (q.id().into(), q.version().into())).unwrap_or_default();
        CallResult {
            call_id: self.subject.call_id,
            attempt_id: self.subject.attempt_id,
            case_id: self.subject.case_id,
            to: self.subject.to.clone(),
            trunk: self.trunks.current.clone(),
            tries: self.tries(verdict.at),
            disposition: verdict.disposition,
            aapor: verdict.disposition.aapor().into(),
            sip_status: self.sip_status,
            cause: self.cause,
            retry_after_s: self.retry_after_s,
            ended_by: verdict.ended_by,
            fault: self.fault,
            takeovers: self.takeovers.count,
            answered_by: self.times.answered.and_then(|_| answered_by(&self.tones, self.has_pressed)),
            tones: self.tones.clone(),
            media: self.media.clone(),
            started_at: self.times.started,
            ringing_at: self.times.ringing,
            answered_at: self.times.answered,
            ended_at: verdict.at,
            questionnaire: AskedQuestionnaire { id, version, digest: self.subject.questionnaire },
            language: self.interview.language().into(),
            seed: self.interview.seed(),
            quotas: questionnaire.map(|q| self.interview.quotas(q)).unwrap_or_default(),
            transfer: questionnaire.and_then(|q| self.interview.transfer(q)).map(Into::into),
            computed: questionnaire.map(|q| self.interview.computed(q)).unwrap_or_default(),
            responses: self.responses(assets),
            recordings: self.recordings.clone(),
        }
    }
}
