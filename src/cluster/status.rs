//! How a member stands, for whoever asks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::id::{Epoch, NodeId};
use crate::peers::Refusals;
use crate::sync::{Fate, Fates, Incarnation, Role, Seat, Standing, Terms, Usage};

/// How a member stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Which incarnation it is.
    pub incarnation: Option<Incarnation>,
    /// What it has to do, as it told last.
    pub usage: Option<Usage>,
    /// Whether it may send.
    pub standing: Option<Standing>,
    /// Whether a majority of those who vote on it answers it.
    pub answered: bool,
    /// What holds for it, as its key says.
    pub terms: Option<Terms>,
    /// What is to hold by its settings.
    pub wanted: Option<Terms>,
    /// What holds for the other members that live, as their keys say.
    pub terms_of_others: BTreeMap<NodeId, Terms>,
    /// Who is control, as the engine told last.
    pub seat: Option<Seat>,
    /// The epoch under which this member is control, if it is and may speak.
    pub controls: Option<u64>,
    /// What became of incarnations that were claimed.
    pub fates: Fates,
    /// Claims, by the epoch that each gives, that are not carried out yet.
    pub open_claims: BTreeSet<Epoch>,
    /// Why the engine does not answer; `None`: it does. Calls go on meanwhile, and nobody's are taken over.
    pub engine_away: Option<String>,
    /// Fewer mirrors than wanted hold the saves: calls go on, none starts.
    pub mirrors_lacking: bool,
    /// It is giving its calls to the others, and not all have their new owner.
    pub moves: bool,
    /// Keys that this program cannot read, and why.
    pub unreadable: BTreeMap<Incarnation, String>,
    /// The other members that live.
    pub others: Vec<Other>,
    /// Members of which no living incarnation is known.
    pub absent: Vec<NodeId>,
    /// Datagrams that were dropped, by reason.
    pub refused: Refusals,
    /// Records of others' calls that are held here.
    pub records: usize,
}

impl Status {
    /// What is known of an incarnation that was to place calls.
    #[must_use]
    pub fn fate(&self, one: Incarnation) -> Fate {
        let lives = self.incarnation == Some(one) || self.others.iter().any(|other| other.incarnation == one);
        self.fates.of(one, lives)
    }

    /// The other instances that own their calls, by the engine.
    pub fn living(&self) -> impl Iterator<Item = &Other> {
        self.others.iter().filter(|other| other.role == Role::Instance)
    }

    /// Those of them that are heard.
    pub fn heard(&self) -> impl Iterator<Item = &Other> {
        self.living().filter(|other| other.usage.is_some())
    }
}

/// Another member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Other {
    /// Which.
    pub incarnation: Incarnation,
    /// What it is for.
    pub role: Role,
    /// What it has to do, as it said last.
    pub usage: Option<Usage>,
}

/// Where the threads and tasks of a member write how it stands.
#[derive(Debug, Default)]
pub(super) struct Board(Mutex<Status>);

impl Board {
    /// It is this incarnation, and nobody mirrors anything yet.
    pub(super) fn begins(&self, incarnation: Incarnation, wants_mirrors: bool) {
        let mut status = self.write();
        (status.incarnation, status.mirrors_lacking) = (Some(incarnation), wants_mirrors);
    }

    pub(super) fn status(&self) -> Status {
        self.write().clone()
    }

    pub(super) fn write(&self) -> MutexGuard<'_, Status> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
