//! What comes in besides signalling: keys by three ways, tones of machines and of the network, silence.
//!
//! ```text
//! telephone-event ─┐
//! tones ───────────┼─► Presses: does it count? ─► Talk
//! INFO ────────────┘
//! fax, modem, special information, busy ─► noted; the call ends, unless somebody has pressed a key
//! no RTP, no RTCP ─► OPTIONS ─┬─ nobody answers, or no such dialog ─► BYE
//!                             └─ answered: the same time once more ─► BYE
//! ```

use serde::{Deserialize, Serialize};

use crate::interview::Method;
use crate::outcome::Disposition;
use crate::rtp::tones::Signal;
use crate::rtp::{Digit, KeyEvent, MediaReport, Phase};
use crate::sip::StatusCode;
use crate::time::{Timestamp, rfc3339};

use super::keys::Press;
use super::listening::OnTone;
use super::recording::Leaving;
use super::result::{AnsweredBy, EndedBy, Fault};
use super::step::Step;
use super::{Assets, Call, Stage, Turn, info};

/// Tones that are noted of one call; a machine repeats itself.
const MAX_TONES: usize = 16;

/// A tone that was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToneHeard {
    /// Which.
    pub tone: Signal,
    /// When it was recognised.
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
}

/// What a tone says of the number, if nobody has pressed a key.
const fn disposition(tone: Signal) -> Disposition {
    match tone {
        Signal::Cng
        | Signal::AnswerTone
        | Signal::AnswerToneReversals
        | Signal::BellAnswerTone
        | Signal::V21Preamble => Disposition::FaxOrData,
        Signal::Sit | Signal::SitIntercept | Signal::SitVacantCode => Disposition::NonWorking,
        Signal::SitNoCircuit => Disposition::TrunkFault,
        Signal::SitReorder | Signal::Reorder => Disposition::TechnicalFault,
        Signal::Busy => Disposition::Busy,
    }
}

/// Who answered, by what was heard; a key is a person's.
pub(super) fn answered_by(tones: &[ToneHeard], has_pressed: bool) -> Option<AnsweredBy> {
    if has_pressed {
        return Some(AnsweredBy::Person);
    }
    let by = tones.iter().map(|heard| match heard.tone {
        Signal::Cng | Signal::V21Preamble => AnsweredBy::Fax,
        Signal::BellAnswerTone => AnsweredBy::Modem,
        Signal::AnswerTone | Signal::AnswerToneReversals => AnsweredBy::FaxOrModem,
        Signal::Sit
        | Signal::SitIntercept
        | Signal::SitVacantCode
        | Signal::SitReorder
        | Signal::SitNoCircuit
        | Signal::Busy
        | Signal::Reorder => AnsweredBy::Network,
    });
    by.min() // the most exact one
}

impl Call {
    /// A telephone-event began or ended.
    pub(super) fn event_key(&mut self, now: Timestamp, event: &KeyEvent, assets: &Assets, turn: &mut Turn) {
        let KeyEvent { key, digit, phase, at } = *event;
        let press = Press { digit, method: Method::Rfc4733, at, event: Some(key), duration_ms: None };
        self.key(now, press, phase, assets, turn);
    }

    /// A key's tones began or ended.
    pub(super) fn tone_key(
        &mut self,
        now: Timestamp,
        (digit, at): (Digit, Timestamp),
        phase: Phase,
        assets: &Assets,
        turn: &mut Turn,
    ) {
        let press = Press { digit, method: Method::InBand, at, event: None, duration_ms: None };
        self.key(now, press, phase, assets, turn);
    }

    /// An INFO came with a body of one of the two types of keys.
    pub(super) fn informed(&mut self, now: Timestamp, body: &[u8], assets: &Assets, turn: &mut Turn) {
        let Some(info::InfoKey { digit, duration_ms }) = info::key(body) else { return };
        let press = Press { digit, method: Method::SipInfo, at: now, event: None, duration_ms };
        self.key(now, press, Phase::Pressed, assets, turn);
    }

    fn key(&mut self, now: Timestamp, press: Press, phase: Phase, assets: &Assets, turn: &mut Turn) {
        if !self.listening.takes(press.method) {
            return;
        }
        let late_end = self.interview.late_term_char();
        self.talk(now, assets, turn, |talk, acts| match phase {
            Phase::Pressed => talk.key_pressed(now, &press, late_end, acts),
            Phase::Released { duration_ms } => {
                talk.key_released(now, (press.digit, press.method), press.event, duration_ms, acts);
            }
        });
        if let Stage::Talking(talk) = &self.stage {
            self.has_pressed |= talk.has_pressed;
        }
    }

    /// A machine or the network was heard. Before the answer nobody will answer any more. Once a key was pressed it is
    /// a person who answered: of the tones that may still come only the network's mean something, that the person has
    /// hung up behind a gateway that cannot say so.
    pub(super) fn signalled(&mut self, now: Timestamp, tone: Signal, assets: &Assets, turn: &mut Turn) {
        let is_heard = match self.stage {
            Stage::Calling => self.early.as_ref().is_some_and(super::early::Early::is_heard),
            Stage::Talking(_) => true,
            Stage::Closing(_) | Stage::Settling { .. } | Stage::Ended(_) => false,
        };
        if !is_heard {
            return; // it was said before, or by a trunk that was left
        }
        turn.changed = true;
        if self.tones.len() < MAX_TONES {
            self.tones.push(ToneHeard { tone, at: now });
        }
        turn.tell(Step::ToneHeard { tone });
        if self.listening.on_tone != OnTone::End {
            return;
        }
        if let Stage::Calling = self.stage {
            self.hang_up(now, disposition(tone), EndedBy::Callee, turn);
        } else if !self.has_pressed {
            self.leave_interview(now, assets);
            self.hang_up(now, disposition(tone), EndedBy::Callee, turn);
        } else if matches!(tone, Signal::Busy | Signal::Reorder) {
            self.left_behind_gateway(now, assets, turn);
        }
    }

    /// The network's tone says that the callee has hung up.
    pub(super) fn left_behind_gateway(&mut self, now: Timestamp, assets: &Assets, turn: &mut Turn) {
        if self.stores_first(now, Leaving::Tone, turn) {
            return;
        }
        let disposition = self.leave_interview(now, assets);
        self.hang_up(now, disposition, EndedBy::Callee, turn);
    }

    /// Nothing comes in any more, though nobody holds the call.
    pub(super) fn media_silent(&mut self, now: Timestamp, times: u32, assets: &Assets, turn: &mut Turn) {
        let Stage::Talking(_) = self.stage else { return };
        if times > 1 {
            return self.give_up(now, Fault::MediaTimeout, assets, turn);
        }
        turn.changed = true;
        self.session.probe(now, &mut self.mint);
    }

    /// The peer answered our OPTIONS, or did not.
    pub(super) fn probed(
        &mut self,
        now: Timestamp,
        status: Option<StatusCode>,
        assets: &Assets,
        turn: &mut Turn,
    ) {
        let Stage::Talking(_) = self.stage else { return };
        // RFC 3261 §12.2.1.2: these two say that the dialog is gone; anything else that somebody is there.
        let is_gone = status.is_none_or(|status| matches!(status.as_u16(), 408 | 481));
        if is_gone {
            self.give_up(now, Fault::PeerGone, assets, turn);
        }
    }

    /// Ends a call that has broken. What the interview has come to by itself stays.
    pub(super) fn give_up(&mut self, now: Timestamp, fault: Fault, assets: &Assets, turn: &mut Turn) {
        self.fault = Some(fault);
        if self.stores_first(now, Leaving::GivenUp(fault), turn) {
            return;
        }
        let left = self.leave_interview(now, assets);
        let (broken, ended_by) = match fault {
            Fault::GoneAtTakeover if self.has_consent(assets) => (Disposition::BreakOff, EndedBy::Callee),
            Fault::GoneAtTakeover => (assets.before_consent(), EndedBy::Callee),
            Fault::MediaTimeout
            | Fault::PeerGone
            | Fault::SessionExpired
            | Fault::PortsLost
            | Fault::RingingLost
            | Fault::StaleRecord
            | Fault::TakeoverUnanswered
            | Fault::TakeoverRefused => (Disposition::TechnicalFault, EndedBy::Fault),
        };
        let disposition = if left == Disposition::BreakOff { broken } else { left };
        self.hang_up(now, disposition, ended_by, turn);
    }

    /// The stream has ended: what passed over it belongs to the result.
    pub(super) fn media_closed(&mut self, report: MediaReport, assets: &Assets, turn: &mut Turn) {
        turn.changed = true;
        self.media = Some(report);
        self.streaming = false;
        self.settle(assets, turn);
    }
}
