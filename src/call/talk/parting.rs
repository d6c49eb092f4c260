//! The last words, and the moment after them.
//!
//! ```text
//! End ─► prompt ─► last frame has left ─ 200 ms ─► HangUp: BYE, and the stream ends
//! ```

use std::time::Duration;

use super::{Act, Doing, Talk};
use crate::call::step::Step;
use crate::interview::{Outcome, Prompt};
use crate::time::Timestamp;

/// How long the last frame that was sent is on its way to an ear: a telephone's jitter buffer holds up to 60 ms as a
/// rule and 200 ms at most, and drops what is in it when the BYE comes. Silence is sent meanwhile.
pub(super) const PLAYED_OUT: Duration = Duration::from_millis(200);

impl Talk {
    pub(super) fn say_goodbye(
        &mut self,
        now: Timestamp,
        item: String,
        prompt: Prompt,
        outcome: Outcome,
        acts: &mut Vec<Act>,
    ) {
        self.carried.clear();
        if prompt.is_empty() {
            return self.play_out(now, outcome); // of a statement before it
        }
        acts.push(Act::Tell(Step::Said { item, text: prompt.text() }));
        if let Some(playing) = self.play(now, prompt, acts) {
            self.doing = Doing::Parting { playing, outcome };
        }
    }

    /// What it has come to, if the last frame has left.
    pub(in crate::call) const fn parted(&self) -> Option<Outcome> {
        if let Doing::PlayingOut { outcome, .. } = self.doing { Some(outcome) } else { None }
    }

    /// The last frame has left.
    pub(super) fn play_out(&mut self, now: Timestamp, outcome: Outcome) {
        self.doing = Doing::PlayingOut { until: now + PLAYED_OUT, outcome };
    }
}
