//! Keys that are pressed before they are asked for.
//!
//! ```text
//! says, reserves, asks what must be heard out ── key ──► carried ──► the next question
//!    └ a gap has just been: the rest of a row, whose first keys may be lost ─► dropped
//! ```

use super::{Act, Doing, Talk};
use crate::interview::{KeyPress, ROW};
use crate::time::Timestamp;

/// Keys that are kept while nothing can be answered: more than anybody knows by heart.
const MAX_CARRIED: usize = 32;

impl Talk {
    pub(super) fn carry(&mut self, press: KeyPress) {
        if self.carried.len() < MAX_CARRIED {
            self.carried.push_back(press);
        }
    }

    /// Keys that were pressed ahead go to the open question until it has an entry; the others wait for the
    /// next one.
    pub(super) fn take_carried(&mut self, now: Timestamp, acts: &mut Vec<Act>) {
        let before = acts.len();
        let is_open = |acts: &[Act]| !acts.iter().skip(before).any(|act| matches!(act, Act::Heard(_)));
        while is_open(acts)
            && let Some(press) = self.carried.pop_front()
        {
            self.gather(now, press, acts);
        }
    }

    /// Keys that went down before now do not count, and those that come at once are the rest of a row.
    pub(super) fn distrust(&mut self, now: Timestamp) {
        self.listening_since = now;
        self.carried.clear();
        self.row = Some(now);
    }

    /// Whether what is asked takes keys in as they come, and tells itself which are meant for it.
    pub(super) fn is_listening(&self) -> bool {
        match &self.doing {
            Doing::Asking { playing, collector, .. } => playing.is_none() || !collector.keeps_keys(),
            Doing::Recording(taking) => taking.playing().is_none(),
            Doing::Nothing
            | Doing::Dialling { .. }
            | Doing::Saying { .. }
            | Doing::Reserving { .. }
            | Doing::Parting { .. }
            | Doing::PlayingOut { .. }
            | Doing::OnHold { .. } => false,
        }
    }

    /// Whether a key that nobody has asked for yet is the rest of a row that was begun before a gap. Its
    /// first keys may be lost.
    pub(super) fn is_rest_of_row(&mut self, now: Timestamp) -> bool {
        self.row = self.row.filter(|last| now.since(*last) < ROW).map(|_| now);
        self.row.is_some()
    }
}
