//! A callee who holds the call (RFC 3264 §8.4): nobody hears us, so nothing is said, no silence is a missing reply, and
//! no key is an answer.
//!
//! ```text
//! prompt plays, or keys are awaited ─ hold ─► OnHold ─ resume ─► the open instruction again
//! somebody speaks to a recording ──── hold ─► what was said is kept ─► the question again, once there is no hold
//! keys behind a switchboard ────────────────► they wait in the stream
//! ```
//! A hold is a gap like that of a restart ([`again`](super::again)): an unfinished entry is discarded, and after a short
//! one a prompt goes on a little before the break. The rest of a row of keys is no answer either: neither one that began
//! in the gap, where its keys are heard, nor any after a short hold, of which the callee may know nothing (a switch
//! between us renews the media). But who comes back from a long one has pressed a key to do so, and presses no rest of a
//! row: what is keyed then is taken.

use super::{Act, Doing, PROMPT_LOST, Playing, Talk};
use crate::interview::{Instruction, ROW};
use crate::time::Timestamp;

impl Talk {
    /// Whether the peer does not take what we send.
    pub(in crate::call) const fn is_held(&self) -> bool {
        !self.negotiated.direction.sends()
    }

    /// Since when the open instruction waits for the callee to come back.
    pub(in crate::call) const fn on_hold_since(&self) -> Option<Timestamp> {
        match self.doing {
            Doing::OnHold { since, .. } => Some(since),
            Doing::Nothing
            | Doing::Dialling { .. }
            | Doing::Saying { .. }
            | Doing::Asking { .. }
            | Doing::Recording(_)
            | Doing::Reserving { .. }
            | Doing::Parting { .. }
            | Doing::PlayingOut { .. } => None,
        }
    }

    /// The callee holds the call from now on.
    pub(in crate::call) fn hold(&mut self, now: Timestamp, acts: &mut Vec<Act>) {
        let heard = self.heard_at(now);
        let is_open = match &mut self.doing {
            Doing::Saying { .. } | Doing::Asking { .. } | Doing::Parting { .. } => true,
            Doing::Recording(taking) => !taking.hold(now, acts),
            Doing::Nothing
            | Doing::Dialling { .. }
            | Doing::Reserving { .. }
            | Doing::PlayingOut { .. }
            | Doing::OnHold { .. } => false,
        };
        if is_open {
            acts.extend(self.playing().map(|playing| Act::StopPlay(playing.play)));
            self.doing = Doing::OnHold { since: now, heard };
            self.carried.clear();
        }
    }

    /// The callee is back: the open instruction is carried out again.
    pub(in crate::call) fn come_back(
        &mut self,
        (now, since): (Timestamp, Timestamp),
        instruction: Instruction,
        acts: &mut Vec<Act>,
    ) {
        if now.since(since) < ROW {
            self.distrust(now);
        }
        self.go_on_after((now, Some(since)), instruction, acts);
    }

    /// The hold is over for what had only to wait.
    pub(in crate::call) fn wait_no_more(&mut self, now: Timestamp) {
        if let Doing::Dialling { playing: Playing { lost_at, .. } } = &mut self.doing {
            *lost_at = now + PROMPT_LOST;
        }
    }

    /// Whether this instruction has to wait for the end of a hold. Then nothing of it has begun.
    pub(super) fn waits(&mut self, now: Timestamp, instruction: &Instruction) -> bool {
        let says = match instruction {
            Instruction::Say { .. } | Instruction::Ask { .. } | Instruction::Record { .. } => true,
            Instruction::End { prompt, .. } => !prompt.is_empty(),
            Instruction::AskQuota { .. } => false,
        };
        let waits = says && self.is_held();
        if waits {
            self.doing = Doing::OnHold { since: now, heard: std::mem::take(&mut self.heard) };
            self.carried.clear();
        }
        waits
    }
}
