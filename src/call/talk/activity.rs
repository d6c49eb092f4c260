//! What a talk is doing, for those who watch it.

use super::{Doing, Talk};

/// What a call that was answered is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Activity {
    /// Nothing, for the moment of a turn.
    Nothing,
    /// Sending keys behind a switchboard.
    Dialling,
    /// Saying something.
    Saying,
    /// Asking, the prompt not yet at its end.
    Asking,
    /// Waiting for a reply, or for the rest of it.
    Collecting,
    /// Recording what the callee says.
    Recording,
    /// Waiting to hear whether quotas have room.
    Reserving,
    /// Saying the last words.
    Parting,
    /// Waiting for a callee who holds the call.
    OnHold,
}

impl Talk {
    /// What it is doing.
    pub(in crate::call) const fn activity(&self) -> Activity {
        match &self.doing {
            Doing::Nothing => Activity::Nothing,
            Doing::Dialling { .. } => Activity::Dialling,
            Doing::Saying { .. } => Activity::Saying,
            Doing::Asking { playing: Some(_), .. } => Activity::Asking,
            Doing::Asking { playing: None, .. } => Activity::Collecting,
            Doing::Recording(_) => Activity::Recording,
            Doing::Reserving { .. } => Activity::Reserving,
            Doing::Parting { .. } | Doing::PlayingOut { .. } => Activity::Parting,
            Doing::OnHold { .. } => Activity::OnHold,
        }
    }
}
