//! From the settings to an instance.
//!
//! ```text
//! journal (its lock) ─┬─ records of calls read ─────┐
//!                     ├─ questionnaires, prompts ───┼─► node ─► calls of the process before go on
//!                     ├─ records ───────────────────┤       └─ a member's: when it is told that they are its own
//!                     └─ membership, if any ────────┘
//! ```

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::sync::{RwLock, mpsc};
use tokio::task::spawn_blocking;

use super::board::Board;
use super::keeper::Keeper;
use super::library::Shelf;
use super::membership::{Member, Membership, Wish};
use super::recover::Left;
use super::{Instance, StartError, TURNS};
use crate::id::{CallId, Digest};
use crate::node::clock::{Clock, boottime};
use crate::node::{Earlier, Node, NodeConfig, Pulse};
use crate::peers::Stock;
use crate::settings::Settings;
use crate::store::journal::{self, Journal, Mirrors, SavedCall};
use crate::store::records::{Kept, Records};

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

/// The journal, whose lock keeps a second process out of everything.
struct Opened {
    journal: Journal,
    dir: PathBuf,
    /// Who is to hold copies, in a cluster.
    mirrors: Option<Mirrors>,
    calls: Vec<SavedCall>,
}

impl Opened {
    fn open(settings: &Settings) -> Result<Self, StartError> {
        let dir = settings.journal.dir.clone().ok_or(StartError::NoData)?;
        let (segment_bytes, reserve_bytes) = (settings.journal.segment, settings.journal.reserve);
        let limits = journal::Limits { segment_bytes, reserve_bytes, ..journal::Limits::default() };
        let cluster = settings.cluster.as_ref();
        let mirrors = cluster.map(|it| Mirrors::new(it.mirror.acks, it.promise, boottime));
        let (journal, replay) = match &mirrors {
            Some(mirrors) => Journal::open_mirrored(&dir, limits, mirrors.clone())?,
            None => Journal::open(&dir, limits)?,
        };
        for loss in &replay.losses {
            tracing::warn!(?loss, "bytes of the journal are no record");
        }
        Ok(Self { journal, dir, mirrors, calls: replay.calls })
    }

    /// Joins the cluster, if the settings name one.
    async fn join(&self, settings: &Settings, stock: Stock) -> Result<Option<Membership>, StartError> {
        let (Some(cluster), Some(mirrors)) = (&settings.cluster, &self.mirrors) else { return Ok(None) };
        Membership::begin(cluster, mirrors.clone(), self.dir.clone(), stock).await.map(Some)
    }
}

/// The records, the calls in them that are open and of which the journal knows nothing, and what quotas have counted.
async fn read_records(
    data: &Path,
    journal: &BTreeSet<CallId>,
) -> Result<(Records, Vec<Kept>, Vec<(Digest, String, u32)>), StartError> {
    let records = Records::open(&data.join("records")).await?;
    let (open, counted) = (records.open_calls_besides(journal).await?, records.counted().await?);
    Ok((records, open, counted))
}

impl Instance {
    /// Starts an instance: its journal, membership, records, questionnaires, prompts and node. Calls of an earlier process
    /// that were never placed end as not attempted.
    ///
    /// # Errors
    /// [`StartError`]; what was started is stopped then.
    pub async fn start(settings: Settings) -> Result<Arc<Self>, StartError> {
        let data = settings.data.dir.clone().ok_or(StartError::NoData)?;
        let mut steps = Steps::begin();
        let mut opened = Opened::open(&settings)?;
        let saved = std::mem::take(&mut opened.calls);
        let (calls, journal_took) = (saved.len(), steps.took());
        let journalled = saved.iter().map(|saved| saved.call_id).collect();
        // Side by side: who talks to a process that died hears nothing until all of it is done.
        let earlier = spawn_blocking(move || Earlier::read(saved));
        let (shelf, library) = Shelf::new(&settings, &data);
        let ((records, open, counted), mut membership) =
            tokio::try_join!(read_records(&data, &journalled), opened.join(&settings, shelf.stock()))?;
        let records_took = steps.took();
        let earlier = earlier.await.expect("nothing in it panics");
        let left = Left::of(&earlier, open);
        let mut library = library.await.expect("nothing in it panics")?;
        shelf.add(&mut library, &left.editions);
        let library_took = steps.took();
        let Opened { journal, dir, .. } = opened;
        let unwritten = |source| StartError::Clock { dir: dir.clone(), source };
        let pulse = Pulse::of(&dir).map_err(unwritten)?;
        let clock = Clock::continued(&dir, !earlier.is_empty(), pulse.last()).map_err(unwritten)?;
        let mut config = NodeConfig { clock, counted, ..NodeConfig::new(library.settings.clone()) };
        match &mut membership {
            Some(membership) => membership.holds(&mut config, earlier, pulse.last()),
            None => config.resume = earlier,
        }
        config.pulse = Some(pulse);
        let (node, events) = Node::start(config, library.assets(), Arc::clone(&shelf.prompts), journal)?;
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
        let (member, leave) = membership.as_ref().map(Member::of).unzip();
        let telling = member.as_ref().and_then(Member::telling);
        let keeper = Keeper::new(records.clone(), Arc::clone(&board), telling);
        tokio::spawn(keeper.clone().run(events, clock));
        shelf.retain(&library);
        let instance = Arc::new(Self {
            node: Arc::new(node),
            records,
            board,
            keeper,
            shelf,
            library: RwLock::new(library),
            pinned: left.editions.clone(),
            turns: (0..TURNS).map(|_| tokio::sync::Mutex::default()).collect(),
            clock,
            since: clock.now(),
            name: member.as_ref().map_or_else(host_name, |member: &Member| member.name.clone()),
            member,
            admission: Mutex::default(),
            doors: (0..TURNS).map(|_| tokio::sync::Mutex::default()).collect(),
            starting: Mutex::default(),
            assets: Mutex::new(None),
        });
        instance.note_assets().await;
        instance.goes_on_from(left, membership.zip(leave)).await;
        Ok(instance)
    }

    /// What an earlier process left. A member does not know yet what is its own.
    async fn goes_on_from(
        self: &Arc<Self>,
        left: Left,
        membership: Option<(Membership, mpsc::Receiver<Wish>)>,
    ) {
        let now = self.clock.now();
        if let Some((membership, leave)) = membership {
            let unplaced = left.unplaced.iter().map(|accepted| accepted.call_id);
            self.board.elsewhere(unplaced, now);
            self.board.left(left.journal.into_keys(), now);
            return membership.run(self, leave, left.unplaced);
        }
        for (call, progress) in left.journal {
            self.board.found(call, progress, now);
        }
        for accepted in &left.unplaced {
            tracing::warn!(call = %accepted.call_id, "accepted by an earlier process and never placed: not attempted");
            self.never_placed(accepted).await;
        }
    }
}

fn host_name() -> String {
    let read = std::fs::read_to_string(PathBuf::from("/proc/sys/kernel/hostname"));
    read.map(|name| name.trim().to_owned()).unwrap_or_else(|_| "localhost".to_owned())
}
