//! Who may speak for a call when instances fail, and who goes on with it. Pure.
//!
//! ```text
//!   beats, answers ──►┌────────┐──► Send, SpeakUntil, BeSilent
//!   votes, words ────►│ Member │──► Claim, Read, Rejoin, Release ──► engine (compare-and-set)
//!   engine's keys ───►└────────┘──► TakeOver
//! ```
//! The engine decides; promises between members only see to it that the old owner is silent before a decision can go
//! against it. ARCHITECTURE.md, "Who may speak for a call", has the rules in words.
//!
//! Every instance is a [`Member`]. What it is told are [`Input`]s with the time of a clock that counts suspension; what
//! it wants done are [`Output`]s.

mod claim;
mod heirs;
mod inheritance;
mod member;
mod message;
mod mirror;
mod registry;
mod start;
mod terms;
mod usage;
mod voice;
mod watch;

#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::NodeId;

pub use heirs::{Heir, heir};
pub use inheritance::{Copy, Inheritance, Share};
pub use member::{Input, Member, Output, Seat, Taking};
pub use message::{Answer, Ask, Beat, Echo, Holding, Message, Settled, Verdict, Vote, Word};
pub use mirror::{Durable, Stream};
pub use registry::{Claim, ClaimResult, Key, Ownership, Role, Transaction};
pub use start::{
    Admission, Fate, Fates, Kept, Looked, Next, NotAdmitted, Outcome, Placement, Said, Sight, Start, Step,
    next,
};
pub use terms::{Terms, TermsError, Voters};
pub use usage::{Picker, Usage};
pub use voice::Standing;

/// One run of one member: what owns calls. A member that fell silent goes on as another incarnation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Incarnation {
    /// Whose.
    pub node: NodeId,
    /// The engine's revision that made its key, so that runs of one node only grow.
    pub run: u64,
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.node, self.run)
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
