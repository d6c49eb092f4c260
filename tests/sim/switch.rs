//! Ways to break what is promised, on purpose: each must be noticed.

use crate::sync::tests::world::Switch as Break;

/// What is broken in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Switch {
    /// Nothing.
    Whole,
    /// 1: what depends on a save leaves before it is durable.
    SendsUnsaved,
    /// 3: a key is told twice, as if it were two.
    HearsTwice,
    /// 3, 4, 5, 6 and 8: the process goes on from older records than it has acknowledged.
    StaleRecords,
    /// 4: a process that begins places every call once more.
    PlacesAgain,
    /// 6: a BYE never leaves.
    LosesBye,
    /// 6: a refresh of the session never leaves.
    LosesRefresh,
    /// 3: a file is promised before it is there.
    TellsTooSoon,
    /// 7: a running call says the words of the edited questionnaire.
    SpeaksEdited,
    /// 8: the journal keeps what is over.
    NeverDeletes,
    /// 5 and 6: after a boot the clock goes back with the wall clock.
    ClockGoesBack,
    /// 5 and 6: another instance goes on as if it were the one before, at the same address.
    MovesUnsaid,
    /// Something of sync's.
    Members(Break),
}

impl Switch {
    /// Each break, and the invariants of which one must be found broken.
    pub(crate) const BREAKS: [(Self, &'static [u8]); 11] = [
        (Self::SendsUnsaved, &[1]),
        (Self::HearsTwice, &[3]),
        (Self::StaleRecords, &[3, 4, 5, 6, 8]),
        (Self::PlacesAgain, &[4]),
        (Self::LosesBye, &[6]),
        (Self::LosesRefresh, &[6]),
        (Self::TellsTooSoon, &[3]),
        (Self::SpeaksEdited, &[7]),
        (Self::NeverDeletes, &[8]),
        (Self::ClockGoesBack, &[5, 6]),
        (Self::MovesUnsaid, &[5, 6]),
    ];
}
