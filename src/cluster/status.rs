//! How a member stands, for whoever asks.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::id::NodeId;
use crate::peers::Refusals;
use crate::sync::{Incarnation, Role, Standing, Usage};

/// How a member stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Which incarnation it is.
    pub incarnation: Option<Incarnation>,
    /// What it has to do, as it told last.
    pub usage: Option<Usage>,
    /// Whether it may send.
    pub standing: Option<Standing>,
    /// Why the engine does not answer; `None`: it does. Calls go on meanwhile, and nobody's are taken over.
    pub engine_away: Option<String>,
    /// Fewer mirrors than wanted hold the saves: calls go on, none starts.
    pub mirrors_lacking: bool,
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
