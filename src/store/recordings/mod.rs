//! Recordings of what callees say: chunks as they speak, a WAV file when they have finished. Edge.
//! docs/recordings.md describes the files and says what survives what.
//!
//! ```text
//! media thread ─ Order ─┐ bounded, never waited for       ┌─ Taken ─► shard
//! media thread ─ Order ─┼─► thread "recordings" ──────────┤
//! shard ───────── Order ┘   NAME.take: chunks, fdatasync  └─ NAME.wav, when it is finished
//!                           thread "retention": what is too old or too much; takes of calls that are gone
//! ```

mod file;
mod retention;
mod take;
mod wav;
mod writer;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

pub use retention::Sweep;
pub use take::{Order, Take};

use crate::call::Taken;
use crate::id::CallId;
use crate::settings::Recordings as Terms;
use retention::Keeper;
use writer::Writer;

/// Orders that wait for the disk: at 2 s and 32 kB each, 32 MB for all calls together.
const ORDERS: usize = 1_024;
/// From one look for recordings that are too old or too many to the next.
const SWEEP: Duration = Duration::from_secs(3_600);

/// Who is told what came of a take. May wait.
pub type Outlet = Box<dyn Fn(&Take, Taken) + Send>;

/// Calls whose files nobody deletes.
type Live = Arc<Mutex<BTreeSet<CallId>>>;

/// The recordings of an instance, and the threads that write and delete them.
#[derive(Debug)]
pub struct Recordings {
    sink: Sink,
    dir: PathBuf,
    live: Live,
    closing: Sender<()>,
    threads: Vec<JoinHandle<()>>,
}

/// A way to the thread that writes. Never waits.
#[derive(Clone, Debug)]
pub struct Sink {
    orders: Sender<Message>,
}

enum Message {
    Order(Order),
    Close,
}

impl Sink {
    /// Hands over an order.
    ///
    /// # Errors
    /// The order, if too many wait; offer it again later.
    pub fn offer(&self, order: Order) -> Result<(), Order> {
        self.orders.try_send(Message::Order(order)).map_err(|refused| match refused {
            TrySendError::Full(message) | TrySendError::Disconnected(message) => match message {
                Message::Order(order) => order,
                Message::Close => unreachable!("it was an order"),
            },
        })
    }

    /// Hands over an order, and waits until there is room: for threads that end.
    pub fn put(&self, order: Order) {
        // A store that is gone takes nothing, and nobody waits for it.
        drop(self.orders.send(Message::Order(order)));
    }
}

impl Recordings {
    /// Starts the threads. `live` are calls of an earlier run that are still in the journal: of these nothing is
    /// deleted and no take is closed. What came of a take is told to `outlet`.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn start(terms: Terms, live: impl IntoIterator<Item = CallId>, outlet: Outlet) -> io::Result<Self> {
        let (orders, messages) = bounded(ORDERS);
        let (closing, closed) = bounded(0);
        let live: Live = Arc::new(Mutex::new(live.into_iter().collect()));
        let dir = terms.dir.clone();
        let writer = Writer::new(dir.clone(), terms.format, outlet);
        let keeper = Keeper { terms, live: Arc::clone(&live) };
        let threads = vec![
            std::thread::Builder::new().name("recordings".into()).spawn(move || writer.run(&messages))?,
            std::thread::Builder::new().name("retention".into()).spawn(move || keeper.run(&closed))?,
        ];
        Ok(Self { sink: Sink { orders }, dir, live, closing, threads })
    }

    /// A way to the thread that writes.
    #[must_use]
    pub fn sink(&self) -> Sink {
        self.sink.clone()
    }

    /// Where the files stand.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Makes the directory now, to know whether recordings can be kept there.
    ///
    /// # Errors
    /// If it cannot be made or written to.
    pub fn prepare(&self) -> io::Result<()> {
        make(&self.dir)?;
        tempfile::tempfile_in(&self.dir).map(drop)
    }

    /// From now on nothing of this call is deleted.
    pub fn hold(&self, call: CallId) {
        lock(&self.live).insert(call);
    }

    /// The call is over, and its result is kept elsewhere.
    pub fn release(&self, call: CallId) {
        lock(&self.live).remove(&call);
    }

    /// The samples of a recording, to be played.
    ///
    /// # Errors
    /// If there is none of this name.
    pub fn samples(dir: &Path, file: &str) -> io::Result<Vec<i16>> {
        wav::read(&fs::read(dir.join(file))?)
    }
}

impl Drop for Recordings {
    /// Writes what was ordered, and ends the threads.
    fn drop(&mut self) {
        drop(self.sink.orders.send(Message::Close));
        let (closing, _) = bounded(0);
        drop(std::mem::replace(&mut self.closing, closing));
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the recordings panicked");
            }
        }
    }
}

/// Makes the directory. Voices are for the owner's ears only.
fn make(dir: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

fn lock(live: &Live) -> MutexGuard<'_, BTreeSet<CallId>> {
    live.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes creations and removals in a directory durable.
fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// The next sweep, or the end.
fn waits(closed: &Receiver<()>) -> bool {
    matches!(closed.recv_timeout(SWEEP), Err(crossbeam_channel::RecvTimeoutError::Timeout))
}

#[cfg(test)]
mod tests;
