//! The progress bar: how many calls have ended, and what the others are doing.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::call::Step;
use crate::id::CallId;

/// What a call is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Dialling,
    Ringing,
    Talking,
}

/// The bar on stderr; nothing where stderr is no terminal.
pub(super) struct Progress {
    bar: ProgressBar,
    doing: BTreeMap<CallId, Doing>,
}

impl Progress {
    pub(super) fn start(calls: usize) -> Self {
        let bar = ProgressBar::new(u64::try_from(calls).unwrap_or(u64::MAX));
        let style =
            ProgressStyle::with_template("  {bar:30} {pos:>3} of {len} calls ended  {msg}  {elapsed}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("█▌ "));
        bar.enable_steady_tick(Duration::from_millis(250));
        Self { bar, doing: BTreeMap::new() }
    }

    pub(super) fn step(&mut self, call: CallId, step: &Step) {
        let doing = match step {
            Step::Dialling { .. } => Doing::Dialling,
            Step::Progress { .. } => Doing::Ringing,
            Step::Answered { .. } => Doing::Talking,
            Step::Withdrawn { .. }
            | Step::Unsaid
            | Step::Held
            | Step::Resumed
            | Step::TakenOver
            | Step::NotFollowed { .. }
            | Step::Refused { .. }
            | Step::NextTrunk { .. }
            | Step::Dialled { .. }
            | Step::Said { .. }
            | Step::Asked { .. }
            | Step::Key { .. }
            | Step::Entered { .. }
            | Step::Silent { .. }
            | Step::ToneHeard { .. }
            | Step::Recording { .. }
            | Step::Recorded { .. }
            | Step::Ended { .. } => return,
        };
        self.doing.insert(call, doing);
        self.show();
    }

    pub(super) fn ended(&mut self, call: CallId) {
        self.doing.remove(&call);
        self.bar.inc(1);
        self.show();
    }

    /// Of so many calls these are still open.
    pub(super) fn open(&self, calls: usize, open: usize) {
        self.bar.set_position(u64::try_from(calls.saturating_sub(open)).unwrap_or(u64::MAX));
        self.bar.set_message(format!("{open} open"));
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn show(&self) {
        let count = |what| self.doing.values().filter(|doing| **doing == what).count();
        let (talking, ringing) = (count(Doing::Talking), count(Doing::Ringing) + count(Doing::Dialling));
        self.bar.set_message(format!("{talking} talking, {ringing} ringing"));
    }
}
