//! An instance: a node with what stands around it. Edge. docs/serve.md is its page for operators.
//!
//! ```text
//!  http ── place ─► Records::accept ─► Node::place            SIGHUP ─► reload: other settings, questionnaires
//!       ── call, list ─► records, board                       SIGTERM ─► drain, then end
//!       ── hang up ────► Node::hang_up
//!  node ── Event ─► keeper ─► board, Records::keep
//! ```
//! A call stands in the records from before its INVITE leaves to ever after, and in the journal from its INVITE until
//! its result is kept.

mod asking;
mod board;
mod choosing;
mod control;
mod desk;
mod home;
mod keeper;
mod library;
mod looking;
mod manifest;
mod membership;
mod office;
mod placing;
mod publish;
mod recover;
mod reload;
pub mod request;
mod route;
mod sharing;
mod start;
mod state;
mod sweep;
mod witness;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::RwLock;
use tokio::task::spawn_blocking;

use self::board::Board;
use self::control::Starting;
use self::keeper::Keeper;
use self::library::{Library, Shelf};
use self::membership::Member;
use crate::cluster;
use crate::id::{CallId, Digest};
use crate::node::clock::Clock;
use crate::node::{Node, NodeError, Refusal, Usage};
use crate::outcome::Disposition;
use crate::settings::TokenDigest;
use crate::store::journal;
use crate::store::records::{self, Filter, Kept, Page, Records, RecordsError};
use crate::sync::Admission;
use crate::time::Timestamp;

pub use asking::FindError;
pub use board::{Open, State, Tally};
pub use library::LibraryError;
pub use manifest::ManifestError;
pub use placing::{Placed, Refused};
pub use publish::{Publication, PublishError};
pub use reload::{ReloadError, Reloaded};
pub use sharing::{Behind, SharedFiles, SharedQuestionnaire, Told};
pub use witness::Witness;

/// Locks that requests with a key wait at.
const TURNS: usize = 64;
/// A shard that has not turned for so long is stuck: it turns at least once a second.
pub const STUCK: Duration = Duration::from_secs(5);
/// Why no call starts that nobody could go on with.
const UNMIRRORED: &str = "fewer other instances than [cluster.mirror] acks hold copies of its calls; running calls go on, and \
                          none starts. Look at the other instances and the links to them";
/// Open calls that are looked at for one page, so that a filter over few of many stays cheap.
const MOST_LOOKED_AT: usize = 100_000;

/// A running instance.
#[derive(Debug)]
pub struct Instance {
    node: Arc<Node>,
    records: Records,
    board: Arc<Board>,
    keeper: Keeper,
    shelf: Arc<Shelf>,
    library: RwLock<Library>,
    /// Editions of calls that the journal held at the start.
    pinned: BTreeSet<Digest>,
    turns: Vec<tokio::sync::Mutex<()>>,
    clock: Clock,
    since: Timestamp,
    name: String,
    /// Its membership of a cluster; `None`: it stands alone.
    member: Option<Member>,
    /// Which start indications it takes.
    admission: Mutex<Admission>,
    /// Those that wait for each other at one call.
    doors: Vec<tokio::sync::Mutex<()>>,
    /// Starts that it carries out as control.
    starting: Starting,
    /// What its questionnaires, dialplan and trunks are, as one digest.
    assets: Mutex<Option<Digest>>,
}

/// Why an instance did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings say nothing of where to keep anything.
    #[error(
        "an instance keeps its records on disk: set [data] dir in the settings, such as \"/var/lib/baton\""
    )]
    NoData,
    /// The journal.
    #[error(transparent)]
    Journal(#[from] journal::OpenError),
    /// The clock that calls of an earlier process go by.
    #[error("the clock cannot be written down in {}: {source}", .dir.display())]
    Clock {
        /// The journal's directory.
        dir: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Its membership of a cluster.
    #[error(transparent)]
    Cluster(#[from] cluster::StartError),
    /// The records.
    #[error(transparent)]
    Records(#[from] records::OpenError),
    /// The records cannot be read.
    #[error(transparent)]
    Unreadable(#[from] RecordsError),
    /// Questionnaires, prompts, dialplan.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// The node.
    #[error(transparent)]
    Node(#[from] NodeError),
}

/// Why an instance is not ready for new calls.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Trouble {
    /// A stable word: `failed`, `stuck`, `draining`, `silent`, `unmirrored`, `unequal`, `disk-full`, `records`, `no-trunk`.
    pub code: &'static str,
    /// What it means and what to do.
    pub detail: String,
}

impl Instance {
    /// The attempts of a case, the oldest first, and how far each is that is open.
    ///
    /// # Errors
    /// If the records cannot be read.
    pub async fn attempts(&self, case: &str) -> Result<Vec<(Kept, Option<Open>)>, RecordsError> {
        let attempts = self.records.attempts(case).await?.into_iter();
        Ok(attempts.map(|kept| self.with_progress(kept)).collect())
    }

    /// A call, and how far it is if it is open.
    fn with_progress(&self, kept: Kept) -> (Kept, Option<Open>) {
        let open = self.board.open(kept.call_id).filter(|_| kept.disposition.is_none());
        let is_elsewhere = open.is_none() && kept.disposition.is_none() && self.member.is_some();
        let open = open.or_else(|| is_elsewhere.then(|| Open::elsewhere(&kept)));
        (kept, open)
    }

    /// A page of calls, the newest first: those that pass, and the number before which the next page begins.
    ///
    /// # Errors
    /// If the records cannot be read.
    pub async fn list(
        &self,
        wanted: Wanted,
        page: Page,
    ) -> Result<(Vec<(Kept, Option<Open>)>, Option<i64>), RecordsError> {
        let filter = match wanted {
            Wanted::All => Filter::default(),
            Wanted::Open | Wanted::State(_) => Filter { open: Some(true), disposition: None },
            Wanted::Ended => Filter { open: Some(false), disposition: None },
            Wanted::Disposition(disposition) => Filter { open: None, disposition: Some(disposition) },
        };
        let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
        let (mut found, mut before, mut looked_at) = (Vec::new(), page.before, 0);
        loop {
            let rows = self.records.list(filter, Page { before, ..page }).await?;
            let is_last = rows.len() < limit;
            looked_at += rows.len();
            for kept in rows {
                before = Some(kept.number);
                let (kept, open) = self.with_progress(kept);
                let passes = match wanted {
                    Wanted::State(state) => open.as_ref().is_some_and(|open| open.state == state),
                    Wanted::All | Wanted::Open | Wanted::Ended | Wanted::Disposition(_) => true,
                };
                if passes {
                    found.push((kept, open));
                }
                if found.len() == limit {
                    return Ok((found, before));
                }
            }
            if is_last || looked_at >= MOST_LOOKED_AT {
                return Ok((found, None));
            }
        }
    }

    /// Ends a call in order, whoever carries it. Of one that is over nothing happens.
    pub async fn hang_up(&self, call: CallId) {
        let is_here = self.board.open(call).is_some_and(|open| open.state != State::Elsewhere);
        if let (false, Some(member)) = (is_here, &self.member) {
            if !member.others.hang_up(call).await {
                tracing::warn!(%call, "not every member heard that this call is to end; whoever carries it may be one of them");
            }
            return;
        }
        let node = Arc::clone(&self.node);
        // A panic in there is told by the panic itself.
        drop(spawn_blocking(move || node.hang_up(call)).await);
    }

    /// Takes no more calls; those that there are go on.
    pub fn drain(&self) {
        self.node.drain();
    }

    /// Has the other instances of its cluster go on with its calls, if they can. All of them move at once, and not while one
    /// dials or rings: that one would be cancelled. To be asked for again as long as it has calls.
    pub fn hand_over(&self) {
        let Some(member) = self.member.as_ref().filter(|member| member.has_control) else { return };
        let states = self.board.states();
        let has = |state: &State| states.get(state).is_some_and(|count| *count > 0);
        let stays = [State::Accepted, State::Dialling, State::Ringing].iter().any(has);
        if has(&State::Talking) && !stays && !member.view.lacks_mirrors() {
            member.hand_over();
        }
    }

    /// Whether calls are on their way to other instances: until each has its new owner, this instance's copies are needed.
    #[must_use]
    pub fn is_handing_over(&self) -> bool {
        self.member.as_ref().is_some_and(|member| member.view.status().moves)
    }

    /// Ends every call in order and keeps its result, for up to `limit`; how many have none then. They stay in the
    /// journal.
    pub async fn end(&self, limit: Duration) -> usize {
        let node = Arc::clone(&self.node);
        let left = spawn_blocking(move || node.end_all(limit)).await.unwrap_or_default();
        if let Some(member) = &self.member {
            // What is on its way may be nobody's yet: then others claim it, as after a death.
            let moves = self.is_handing_over();
            member.leave(left > 0 || moves).await;
        }
        self.records.close().await;
        left
    }

    /// What the node has to do.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.node.usage()
    }

    /// Where it listens for SIP.
    #[must_use]
    pub fn sip(&self) -> Vec<std::net::SocketAddr> {
        self.node.listens_at()
    }

    /// How many open calls are how far.
    #[must_use]
    pub fn states(&self) -> BTreeMap<State, u64> {
        self.board.states()
    }

    /// What happened since the start.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.board.tally()
    }

    /// Since when it runs.
    #[must_use]
    pub const fn since(&self) -> Timestamp {
        self.since
    }

    /// The machine's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The questionnaires that can be asked for: id, version, digest.
    pub async fn questionnaires(&self) -> Vec<(String, String, Digest)> {
        let library = self.library.read().await;
        let of = |it: &Arc<crate::questionnaire::Questionnaire>| {
            (it.id().to_owned(), it.version().to_owned(), it.digest())
        };
        library.questionnaires.values().map(of).collect()
    }

    /// Who may use the API, by name.
    pub async fn tokens(&self) -> BTreeMap<String, TokenDigest> {
        self.library.read().await.settings.http.tokens.clone()
    }

    /// How long running calls may go on when it drains.
    pub async fn drain_limit(&self) -> Duration {
        self.library.read().await.settings.drain.limit
    }

    /// How its membership of a cluster stands; `None`: it stands alone.
    #[must_use]
    pub fn cluster(&self) -> Option<cluster::Status> {
        self.member.as_ref().map(|member| member.view.status())
    }

    /// The copies of records that it holds, its own among them; `None`: it stands alone.
    pub async fn copies(&self) -> Option<Vec<cluster::Copies>> {
        let view = self.member.as_ref()?.view.clone();
        spawn_blocking(move || view.copies()).await.ok() // a panic in there is told by itself
    }

    /// What its questionnaires, dialplan and trunks are, as one digest.
    fn assets(&self) -> Option<Digest> {
        *self.assets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// They may have changed.
    async fn note_assets(&self) {
        let digest = self.library.read().await.content.digest;
        *self.assets.lock().unwrap_or_else(PoisonError::into_inner) = Some(digest);
    }

    /// Whether fewer other instances hold copies of its calls than the settings want.
    fn lacks_mirrors(&self) -> bool {
        self.member.as_ref().is_some_and(|member| member.view.lacks_mirrors())
    }

    /// Why it is not ready for new calls; empty: it is.
    pub async fn troubles(&self) -> Vec<Trouble> {
        let usage = self.node.usage();
        let troubles = self.keeper.troubles();
        let mut found = Vec::new();
        let mut say = |code, detail: String| found.push(Trouble { code, detail });
        if let Some(what) = troubles.failed() {
            say("failed", format!("{what}. Mend its cause and restart; calls go on from the journal"));
        } else if usage.closed == Some(Refusal::Failed) {
            say("failed", "a part of the node has ended; its log says which. Restart".to_owned());
        }
        if usage.turned > STUCK {
            let seconds = usage.turned.as_secs();
            say("stuck", format!("a shard has not turned for {seconds} s; restart, and please report it"));
        }
        if usage.closed == Some(Refusal::Draining) {
            say("draining", "it is shutting down".to_owned());
        }
        if usage.closed == Some(Refusal::Silent) {
            let what = "it may send nothing: it has lost touch with the others of its cluster. It goes on by itself when \
                        it reaches them and etcd again";
            say("silent", what.to_owned());
        }
        if self.lacks_mirrors() && usage.closed != Some(Refusal::Silent) {
            say("unmirrored", UNMIRRORED.to_owned());
        }
        if usage.closed == Some(Refusal::DiskFull) {
            let left = usage.journal.reserve >> 10;
            say(
                "disk-full",
                format!(
                    "the disk of the journal is full; running calls go on from its reserve, of which {left} KiB are \
                     left. Make room on it: calls are taken again by themselves then"
                ),
            );
        }
        if let Some(behind) = self.shared().and_then(|told| told.behind).filter(Behind::is_long) {
            say("unequal", format!("it has not what all members of the cluster are to have: {}", behind.why));
        }
        if troubles.records() {
            say("records", "results cannot be kept and wait in the journal; is the disk full?".to_owned());
        }
        if self.library.read().await.settings.trunks.is_empty() {
            say("no-trunk", "its settings have no trunk; add one and reload".to_owned());
        }
        found
    }
}

/// Which calls somebody wants to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All of them.
    All,
    /// Those that are open.
    Open,
    /// Those that are so far.
    State(State),
    /// Those that are over.
    Ended,
    /// Those with this outcome.
    Disposition(Disposition),
}
