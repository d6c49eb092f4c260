//! An instance as a member of its cluster: the pure `sync::Member` joined to the engine, the peers and the node. Edge.
//!
//! ```text
//!   datagrams ⇄ ┌──────── thread "member" ───────┐ ──► Right: until when anything may be sent
//!   look ─────► │ Member (sync)   boottime       │
//!               └────┬──────────────────▲────────┘
//!            errands │                  │ keys, results
//!               ┌────▼──────────────────┴────────┐ ──► Event: Silence, Fenced, Began, TakeOver ──► instance
//!   etcd ⇄      │ tasks: engine, watch, links    │
//!   mirrors ⇄   └────────────────────────────────┘
//! ```
//! Beats have a thread and a clock of their own: a busy runtime must not look like a death, and a stop must count. The
//! thread beats only while the node's own threads turn ([`Look`]): a hung node must not look alive.

mod errands;
mod gather;
mod member;
mod start;
mod status;
mod terms;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::JoinHandle;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use self::member::Inputs;
use self::status::Board;
use crate::engine::{Engine, Index};
use crate::id::{CallId, Digest};
use crate::node::Right;
use crate::peers::{Desk, Others, Table};
use crate::store::journal::{Copied, Mirrors, SavedCall};
use crate::sync::{Incarnation, Inheritance, Input, Usage};
use crate::time::Timestamp;

pub use start::StartError;
pub use status::{Other, Status};
pub use terms::Renewal;

/// What the instance has that its membership moves.
pub struct Parts {
    /// Its right to send: of a member, with the promise of the settings.
    pub right: Right,
    /// Where its saves are copied from.
    pub mirrors: Mirrors,
    /// How it is now; asked for with each beat, on the member's thread: it must not wait for anything.
    pub look: Box<dyn FnMut() -> Look + Send>,
    /// Who answers what other members ask of this instance.
    pub desk: Desk,
    /// Directory where it is remembered how far the engine was.
    pub dir: std::path::PathBuf,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("right", &self.right).finish_non_exhaustive()
    }
}

/// How an instance is at a moment.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// What it has to do.
    pub usage: Usage,
    /// Which of its parts has not turned for how long, if one has not: shards, media threads, journal.
    pub hangs: Option<(&'static str, std::time::Duration)>,
}

/// What has happened to the instance as a member. They come in their order, and each is done before the next one.
#[derive(Debug)]
pub enum Event {
    /// The right to send has ended: nothing leaves any more.
    Silence,
    /// It gives its calls to the others: they are to be dropped here, and nothing of them may be sent or saved any more.
    LayDown {
        /// Dropped when that is done.
        done: Done,
    },
    /// Others have its calls, and they are to be dropped here.
    Fenced {
        /// Who claimed them; `None`: that is over for long.
        by: Option<Incarnation>,
        /// Dropped when it is done: then the instance registers anew.
        done: Done,
    },
    /// It goes on as another incarnation: without calls, and with a stream of saves that begins anew.
    Began {
        /// As which.
        incarnation: Incarnation,
        /// Dropped when nothing of the former one is left that could be sent or saved.
        done: Done,
    },
    /// It succeeds another one (or its own former incarnation). To be answered by [`Cluster::settled`].
    TakeOver(Box<TakeOver>),
}

/// Whoever holds it has not finished.
#[derive(Debug)]
pub struct Done(#[expect(dead_code, reason = "its end is what it says")] oneshot::Sender<()>);

impl Done {
    fn new() -> (Self, oneshot::Receiver<()>) {
        let (held, over) = oneshot::channel();
        (Self(held), over)
    }
}

/// The calls that fall to this instance by a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakeOver {
    /// Whose they are, and under which epoch they go on.
    pub inheritance: Inheritance,
    /// Their records as mirrors held them, of each the youngest. Of the instance's own former incarnation its journal
    /// knows more.
    pub records: Vec<Inherited>,
    /// Nobody who could be reached had all of them.
    pub stale: bool,
    /// When its owner is known to have lived last, by [`boottime`](crate::node::clock::boottime).
    pub lived: Option<Timestamp>,
}

/// A call that falls to this instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inherited {
    /// Who saved it last.
    pub owner: Incarnation,
    /// How many claims lie between that save and this one: each steps CSeq.
    pub claims: u32,
    /// Something newer may have existed: a larger step of CSeq, the question asked again.
    pub stale: bool,
    /// What was saved.
    pub saved: Copied,
}

/// An instance's membership. It ends with [`end`](Self::end), or when it is dropped.
#[derive(Debug)]
pub struct Cluster {
    inputs: Inputs,
    view: View,
    engine: Engine,
    others: Others,
    indexed: watch::Receiver<Option<Option<Index>>>,
    renewal: Renewal,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    tasks: JoinSet<()>,
}

/// How a membership stands, for whoever asks. It outlives the membership.
#[derive(Clone, Debug)]
pub struct View {
    board: Arc<Board>,
    table: Table,
    mirrors: Mirrors,
}

/// What all members are to have alike: where it stands, and who has it. It outlives the membership.
#[derive(Clone, Debug)]
pub struct Shared {
    /// Where a new one is published.
    pub engine: Engine,
    /// Who has the files.
    pub others: Others,
    /// What stands there, as it was told last; absent: nothing was told yet.
    pub index: watch::Receiver<Option<Option<Index>>>,
}

/// Records that are held of one incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copies {
    /// Whose.
    pub owner: Incarnation,
    /// How many.
    pub records: usize,
    /// Of all of them; equal wherever the same ones are held.
    pub digest: Digest,
}

impl View {
    /// How it stands, and who else is there.
    #[must_use]
    pub fn status(&self) -> Status {
        self.board.status()
    }

    /// What is held here of each incarnation, the own one included. Reads every record.
    #[must_use]
    pub fn copies(&self) -> Vec<Copies> {
        let own = self.board.status().incarnation.map(|own| (own, self.mirrors.digest()));
        let all = self.table.digests().into_iter().chain(own);
        all.map(|(owner, (records, digest))| Copies { owner, records, digest }).collect()
    }

    /// The records of others' calls that are held here.
    #[must_use]
    pub fn mirrored(&self) -> Vec<SavedCall> {
        self.table.all()
    }

    /// Whether a record of this call, another member's, is held here.
    #[must_use]
    pub fn mirrors(&self, call: CallId) -> bool {
        self.table.has(call)
    }

    /// Whether fewer mirrors than wanted hold the saves: then no call starts.
    #[must_use]
    pub fn lacks_mirrors(&self) -> bool {
        self.board.write().mirrors_lacking
    }
}

impl Cluster {
    /// How it stands, and who else is there.
    #[must_use]
    pub fn status(&self) -> Status {
        self.view.status()
    }

    /// The same, for others to look at.
    #[must_use]
    pub fn view(&self) -> View {
        self.view.clone()
    }

    /// The way to the desks of the other members.
    #[must_use]
    pub fn others(&self) -> Others {
        self.others.clone()
    }

    /// The way to change members, voters and T while it lives.
    #[must_use]
    pub fn renewal(&self) -> Renewal {
        self.renewal.clone()
    }

    /// What all members are to have alike.
    #[must_use]
    pub fn shared(&self) -> Shared {
        Shared { engine: self.engine.clone(), others: self.others.clone(), index: self.indexed.clone() }
    }

    /// All calls that [`Event::TakeOver`] gave of this incarnation are saved under this one's name (or are over).
    pub fn settled(&self, of: Incarnation) {
        self.inputs.give(Input::Settled(of));
    }

    /// This instance drains: its calls are to go on at the others, if those have room for all of them. What comes of it is
    /// told by events, as a death and a return would be.
    pub fn hand_over(&self) {
        self.inputs.give(Input::HandOver);
    }

    /// Ends the membership. Without calls its key is taken out of the engine, so that nobody has to find out; with
    /// calls the others take them over, as after a death.
    pub async fn end(mut self, has_calls: bool) {
        self.stop();
        let own = self.status().incarnation;
        if let Some(own) = own.filter(|_| !has_calls)
            && let Err(error) = self.engine.leave(own).await
        {
            tracing::warn!(%error, "the key of this instance stays in the engine: the others will claim it");
        }
        self.tasks.shutdown().await;
    }

    fn stop(&mut self) {
        self.stopping.store(true, SeqCst);
        self.inputs.wake();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the member's thread had panicked");
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
    }
}
