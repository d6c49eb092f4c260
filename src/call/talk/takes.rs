//! Takes within a talk; what a take is by itself stands in [`recording`](super::super::recording).

use super::{Act, Doing, Talk};
use crate::call::recording::{Leaving, RecordingId, Taken, Taking};
use crate::call::step::Step;
use crate::interview::{KeyPress, Prompt, Take};
use crate::time::Timestamp;

impl Talk {
    pub(super) fn record(
        &mut self,
        now: Timestamp,
        item: String,
        prompt: Prompt,
        take: Take,
        acts: &mut Vec<Act>,
    ) {
        acts.push(Act::Tell(Step::Asked { item: item.clone(), text: prompt.text() }));
        let taking = match self.play(now, prompt, acts) {
            Some(playing) => Taking::prompting(item, take, playing),
            None => Taking::running(now, item, take, self.next_recording(), acts),
        };
        self.doing = Doing::Recording(Box::new(taking));
        // Of what was pressed ahead only the first key can mean this question.
        let ahead = self.carried.pop_front();
        self.carried.clear();
        if let Some(press) = ahead {
            self.pressed_at_take(now, press, acts);
        }
    }

    /// The number of the next recording. It is used up even if the recording is not begun after all.
    pub(super) const fn next_recording(&mut self) -> RecordingId {
        let recording = RecordingId(self.recordings);
        self.recordings += 1;
        recording
    }

    pub(super) fn pressed_at_take(&mut self, now: Timestamp, press: KeyPress, acts: &mut Vec<Act>) {
        let next = self.next_recording();
        if let Doing::Recording(taking) = &mut self.doing {
            taking.pressed(now, press, next, acts);
        }
    }

    /// It is known what came of a recording.
    pub(in crate::call) fn taken(&mut self, recording: RecordingId, taken: Taken, acts: &mut Vec<Act>) {
        if let Doing::Recording(taking) = &mut self.doing
            && taking.taken(recording, taken, acts)
        {
            self.doing = Doing::Nothing;
        }
    }

    /// The call is over. Says whether a recording has to be stored first; [`Act::Left`] comes then.
    pub(in crate::call) fn leave(&mut self, now: Timestamp, leaving: Leaving, acts: &mut Vec<Act>) -> bool {
        if let Doing::Recording(taking) = &mut self.doing { taking.leave(now, leaving, acts) } else { false }
    }

    /// Whether the dialog is over and only a recording is still to be stored.
    pub(in crate::call) fn is_gone(&self) -> bool {
        self.leaving().is_some_and(Leaving::is_gone)
    }

    pub(super) fn leaving(&self) -> Option<Leaving> {
        if let Doing::Recording(taking) = &self.doing { taking.leaving() } else { None }
    }
}
