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

mod board;
mod keeper;
mod library;
mod placing;
mod recover;
mod reload;
pub mod request;
mod route;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::RwLock;
use tokio::task::spawn_blocking;

use self::board::Board;
use self::keeper::Keeper;
use self::library::{Library, Shelf};
use self::recover::Left;
use crate::id::{CallId, Digest};
use crate::node::clock::Clock;
use crate::node::{Earlier, Node, NodeConfig, NodeError, Pulse, Refusal, Usage};
use crate::outcome::Disposition;
use crate::prompts::PromptStore;
use crate::settings::{Settings, TokenDigest};
use crate::store::editions::Editions;
use crate::store::journal::{self, Journal};
use crate::store::records::{self, Filter, Kept, Page, Records, RecordsError};
use crate::time::Timestamp;

pub use board::{Open, State, Tally};
pub use library::LibraryError;
pub use placing::{Placed, Refused};
pub use reload::{ReloadError, Reloaded};

/// Locks that requests with a key wait at.
const TURNS: usize = 64;
/// A shard that has not turned for so long is stuck: it turns at least once a second.
pub const STUCK: Duration = Duration::from_secs(5);
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
    /// A stable word: `failed`, `stuck`, `draining`, `disk-full`, `records`, `no-trunk`.
    pub code: &'static str,
    /// What it means and what to do.
    pub detail: String,
}

/// How long the steps of a start take: while they do, the callees of a process that died hear nothing.
struct Steps {
    last: Instant,
}

impl Steps {
    fn begin() -> Self {
        Self { last: Instant::now() }
    }

    /// The milliseconds of the step that ends now.
    fn took(&mut self) -> u64 {
        let before = std::mem::replace(&mut self.last, Instant::now());
        u64::try_from(self.last.duration_since(before).as_millis()).unwrap_or(u64::MAX)
    }
}

impl Instance {
    /// Starts an instance: its journal, records, questionnaires, prompts and node. Calls of an earlier process that
    /// were never placed end as not attempted.
    ///
    /// # Errors
    /// [`StartError`]; what was started is stopped then.
    pub async fn start(settings: Settings) -> Result<Arc<Self>, StartError> {
        let data = settings.data.dir.clone().ok_or(StartError::NoData)?;
        let dir = settings.journal.dir.clone().ok_or(StartError::NoData)?;
        let (segment_bytes, reserve_bytes) = (settings.journal.segment, settings.journal.reserve);
        let limits = journal::Limits { segment_bytes, reserve_bytes, ..journal::Limits::default() };
        let mut steps = Steps::begin();
        // First: its lock keeps a second process out of everything.
        let (journal, replay) = Journal::open(&dir, limits)?;
        let (calls, journal_took) = (replay.calls.len(), steps.took());
        for loss in &replay.losses {
            tracing::warn!(?loss, "bytes of the journal are no record");
        }
        // Side by side: who talks to a process that died hears nothing until all of it is done.
        let saved = replay.calls;
        let earlier = spawn_blocking(move || Earlier::read(saved));
        let editions = Editions::new(data.join("editions"), settings.limits.prompt_file);
        let shelf = Arc::new(Shelf { editions, prompts: Arc::new(PromptStore::new(&settings)) });
        let (at, named) = (Arc::clone(&shelf), settings.clone());
        let library = spawn_blocking(move || at.library(named));
        let records = Records::open(&data.join("records")).await?;
        let (open, counted) = (records.open_calls().await?, records.counted().await?);
        let records_took = steps.took();
        let earlier = earlier.await.expect("nothing in it panics");
        let left = Left::of(&earlier, open);
        let mut library = library.await.expect("nothing in it panics")?;
        shelf.add(&mut library, &left.editions);
        let library_took = steps.took();
        let unwritten = |source| StartError::Clock { dir: dir.clone(), source };
        let pulse = Pulse::of(&dir).map_err(unwritten)?;
        let clock = Clock::continued(&dir, !earlier.is_empty(), pulse.last()).map_err(unwritten)?;
        let config =
            NodeConfig { clock, pulse: Some(pulse), resume: earlier, counted, ..NodeConfig::new(settings) };
        let started = Node::start(config, library.assets(), Arc::clone(&shelf.prompts), journal);
        let (node, events) = started?;
        let node_took = steps.took();
        tracing::info!(
            calls,
            journal_took,
            records_took,
            library_took,
            node_took,
            "started, in milliseconds"
        );
        let board = Arc::new(Board::default());
        for (call, progress) in left.journal {
            board.found(call, progress, clock.now());
        }
        let keeper = Keeper::new(records.clone(), Arc::clone(&board));
        tokio::spawn(keeper.clone().run(events, clock));
        for accepted in left.unplaced {
            let digest = accepted.digest.to_string();
            let questionnaire = library.edition(&digest).map(Arc::as_ref);
            tracing::warn!(call = %accepted.call_id, "accepted by an earlier process and never placed: not attempted");
            keeper.keep(recover::never_placed(&accepted, questionnaire, clock.now()), None);
        }
        shelf.retain(&library);
        Ok(Arc::new(Self {
            node: Arc::new(node),
            records,
            board,
            keeper,
            shelf,
            library: RwLock::new(library),
            pinned: left.editions,
            turns: (0..TURNS).map(|_| tokio::sync::Mutex::default()).collect(),
            clock,
            since: clock.now(),
            name: host_name(),
        }))
    }

    /// A call as it stands in the records, and how far it is if it is open.
    ///
    /// # Errors
    /// If the records cannot be read.
    pub async fn call(&self, id: CallId) -> Result<Option<(Kept, Option<Open>)>, RecordsError> {
        // In this order: a call that ends in between is told as it ended.
        let open = self.board.open(id);
        let kept = self.records.call(id).await?;
        Ok(kept.map(|kept| {
            let open = open.filter(|_| kept.disposition.is_none());
            (kept, open)
        }))
    }

    /// The result of a call that is over, as JSON.
    ///
    /// # Errors
    /// If the records cannot be read.
    pub async fn result(&self, kept: &Kept) -> Result<Option<String>, RecordsError> {
        self.records.result(kept.attempt_id).await
    }

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

    /// Ends a call in order. Of one that is over nothing happens.
    pub async fn hang_up(&self, call: CallId) {
        let node = Arc::clone(&self.node);
        // A panic in there is told by the panic itself.
        drop(spawn_blocking(move || node.hang_up(call)).await);
    }

    /// Takes no more calls; those that there are go on.
    pub fn drain(&self) {
        self.node.drain();
    }

    /// Ends every call in order and keeps its result, for up to `limit`; how many have none then. They stay in the
    /// journal.
    pub async fn end(&self, limit: Duration) -> usize {
        let node = Arc::clone(&self.node);
        let left = spawn_blocking(move || node.end_all(limit)).await.unwrap_or_default();
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

fn host_name() -> String {
    let read = std::fs::read_to_string(PathBuf::from("/proc/sys/kernel/hostname"));
    read.map(|name| name.trim().to_owned()).unwrap_or_else(|_| "localhost".to_owned())
}
