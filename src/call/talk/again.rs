//! How a talk goes on after a gap: in another process, in one that was stopped, and after a hold.

use std::time::Duration;

use super::{Act, Doing, Playing, Talk};
use crate::interview::Instruction;
use crate::time::Timestamp;

/// After a longer gap a prompt begins anew: the callee has lost the thread.
const SHORT_GAP: Duration = Duration::from_secs(2);

/// How much of a prompt that was broken off is heard again.
const OVERLAP: Duration = Duration::from_secs(1);

impl Talk {
    /// The record was read back: the open instruction is carried out again, and an entry that was unfinished is
    /// discarded (a key pressed in the gap is lost, and a shortened number would be wrong). So is a key that went
    /// down before now and is still held, and the rest of a row of keys that was begun before: its owner hears the
    /// question again.
    pub(in crate::call) fn restart(
        &mut self,
        (now, alive): (Timestamp, Option<Timestamp>),
        instruction: Instruction,
        acts: &mut Vec<Act>,
    ) {
        self.listening_since = now;
        if let Doing::Recording(taking) = &mut self.doing
            && taking.recording().is_some()
        {
            return taking.restart(now, acts);
        }
        // Also where the callee holds the call: who comes back at once may have begun a row while nobody was there.
        self.distrust(now);
        let waits = self.is_held() && self.on_hold_since().is_some();
        if waits || matches!(self.doing, Doing::PlayingOut { .. }) {
            return; // for the callee, or for nothing but the moment to hang up
        }
        self.go_on_after((now, alive), instruction, acts);
    }

    /// This process was stopped, since when is told. Keys that were pressed meanwhile come late, so that an entry may
    /// seem to be over, or found no room in the socket: an open question is asked again as after a restart. What is
    /// being said goes on.
    pub(in crate::call) fn wake(
        &mut self,
        (now, since): (Timestamp, Timestamp),
        instruction: Instruction,
        acts: &mut Vec<Act>,
    ) {
        match &self.doing {
            Doing::Asking { .. } => {
                acts.extend(self.playing().map(|playing| Act::StopPlay(playing.play)));
                self.distrust(now);
                self.go_on_after((now, Some(since)), instruction, acts);
            }
            // A key that ends it does so late.
            Doing::Recording(taking) if taking.recording().is_some() => {}
            Doing::Nothing
            | Doing::Dialling { .. }
            | Doing::Saying { .. }
            | Doing::Recording(_)
            | Doing::Reserving { .. }
            | Doing::Parting { .. }
            | Doing::PlayingOut { .. }
            | Doing::OnHold { .. } => self.distrust(now),
        }
    }

    /// Goes on with the open instruction. A prompt that was broken off by a gap of less than [`SHORT_GAP`], which began
    /// at `broken`, goes on [`OVERLAP`] before the break.
    pub(super) fn go_on_after(
        &mut self,
        (now, broken): (Timestamp, Option<Timestamp>),
        instruction: Instruction,
        acts: &mut Vec<Act>,
    ) {
        self.listening_since = now;
        let broken = broken.filter(|broken| *broken <= now && now.since(*broken) < SHORT_GAP);
        self.heard = broken.map_or(Duration::ZERO, |broken| self.heard_at(broken)).saturating_sub(OVERLAP);
        self.doing = Doing::Nothing;
        self.follow(now, instruction, acts);
        self.heard = Duration::ZERO;
    }

    /// What was said since then may not have been heard, because the peer had not accepted us yet: it is said again.
    pub(in crate::call) fn repeat_unheard(
        &mut self,
        (now, since): (Timestamp, Timestamp),
        instruction: Instruction,
        acts: &mut Vec<Act>,
    ) {
        let Some(playing) = self.untouched() else { return };
        acts.push(Act::StopPlay(playing.play));
        self.heard = since.since(playing.began());
        self.doing = Doing::Nothing;
        self.follow(now, instruction, acts);
        self.heard = Duration::ZERO;
    }

    /// How much of the prompt was heard at a moment, if nothing was keyed yet.
    pub(super) fn heard_at(&self, at: Timestamp) -> Duration {
        if let Doing::OnHold { heard, .. } = &self.doing {
            return *heard;
        }
        self.untouched().map_or(Duration::ZERO, |playing| at.since(playing.began()))
    }

    /// The prompt that plays, if nothing was keyed yet and it is one that may go on elsewhere.
    fn untouched(&self) -> Option<Playing> {
        let untouched = match &self.doing {
            Doing::Asking { collector, .. } => !collector.heard_any(),
            Doing::Saying { .. } | Doing::Parting { .. } => true,
            Doing::Nothing
            | Doing::Dialling { .. }
            | Doing::Recording(_)
            | Doing::Reserving { .. }
            | Doing::PlayingOut { .. }
            | Doing::OnHold { .. } => false,
        };
        self.playing().filter(|_| untouched)
    }
}
