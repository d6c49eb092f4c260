//! What a talk asks of its call.

use std::time::Duration;

use crate::call::message::Output;
use crate::call::message::PlayId;
use crate::call::recording::{Leaving, RecordingResult};
use crate::call::step::Step;
use crate::interview::{Heard, Key, Outcome, Prompt};
use crate::time::Timestamp;

/// What the call must carry out for its talk.
#[derive(Clone, Debug)]
pub(in crate::call) enum Act {
    /// Play a prompt, without what was heard of it.
    Play(PlayId, Prompt, Duration),
    StopPlay(PlayId),
    Tell(Step),
    /// A key that was counted before has been let go.
    Released {
        key: Key,
        pressed_at: Timestamp,
        duration_ms: u32,
    },
    /// The flow controller is to be told this, and asked for the next instruction.
    Heard(Heard),
    ReserveQuota(Vec<String>),
    /// The edge is to do this about a recording.
    Do(Output),
    /// A take is over: it belongs into the result.
    Recorded(RecordingResult),
    /// The flow controller is to be asked for its instruction again.
    Again,
    /// The flow controller is to be told the last that was heard; then the call is over.
    Left(Option<Heard>, Leaving),
    /// The last word is said.
    HangUp(Outcome),
}
