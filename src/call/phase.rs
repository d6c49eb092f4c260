//! How far a call is, for those who watch it.

use super::talk::Activity;
use super::{Assets, Call, Stage};
use crate::interview::Response;

/// How far a call is, for people who look at many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Progress {
    /// The INVITE is out, or about to go.
    Dialling,
    /// A provisional response came.
    Ringing,
    /// It was answered.
    Talking,
    /// Its outcome is known.
    Ending,
}

/// How far a call is, and what it is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Its INVITE has no answer but provisional ones.
    Calling,
    /// Answered; this is going on.
    Talking(Activity),
    /// The outcome is known; a CANCEL or BYE of ours is on its way.
    Closing,
    /// Signalling is over; what passed over the stream is yet to be told.
    Settling,
    /// The result was given out.
    Ended,
}

impl Call {
    /// How far it is.
    #[must_use]
    pub const fn progress(&self) -> Progress {
        match &self.stage {
            Stage::Calling if self.times.ringing.is_some() => Progress::Ringing,
            Stage::Calling => Progress::Dialling,
            Stage::Talking(_) => Progress::Talking,
            Stage::Closing(_) | Stage::Settling { .. } | Stage::Ended(_) => Progress::Ending,
        }
    }

    /// How far it is, and what it is doing.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        match &self.stage {
            Stage::Calling => Phase::Calling,
            Stage::Talking(talk) => Phase::Talking(talk.activity()),
            Stage::Closing(_) => Phase::Closing,
            Stage::Settling { .. } => Phase::Settling,
            Stage::Ended(_) => Phase::Ended,
        }
    }

    /// What the interview has come to so far: every question, in the order of the questionnaire; nothing if that is
    /// not loaded.
    #[must_use]
    pub fn responses(&self, assets: &Assets) -> Vec<Response> {
        let questionnaire = assets.questionnaire(self.subject.questionnaire);
        questionnaire.map(|it| self.interview.responses(it)).unwrap_or_default()
    }
}
