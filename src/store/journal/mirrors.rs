//! Copies of the saves for other instances, and who is told when that a save is durable: in the journal, and held by as
//! many mirrors as the settings want ([`Stream`] counts).
//!
//! ```text
//!             ┌─ number n, a copy ─► feed of each mirror ─ … ─► acknowledged(n) ─┐
//! append ─────┤                                                                  ├─► durable ─► Ack ─► shard
//!             └─ write, fdatasync ─────────────────────────► written(n) ─────────┘
//! ```
//! Numbers begin with 1 and follow the journal's order: one for each append, of whichever lane. A mirror joins with a
//! snapshot of the live records as of some number, and gets every append behind that. One that takes too little loses
//! its feed, and joins anew.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::frame::{Kind, OVERHEAD_BYTES};
use super::lane::{AppendError, Batch, Pending};
use super::replay::SavedCall;
use crate::id::{CallId, Digest, Epoch, Revision};
use crate::sync::{Durable, Incarnation, Stream};
use crate::time::Timestamp;

/// A change of one call, as mirrors get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Whose record.
    pub call_id: CallId,
    /// Under which ownership.
    pub epoch: Epoch,
    /// Which save of that.
    pub revision: Revision,
    /// The record; `None`: the call is over, and its record can go.
    pub record: Option<Bytes>,
}

impl Copied {
    /// Which save it is.
    #[must_use]
    pub const fn version(&self) -> (Epoch, Revision) {
        (self.epoch, self.revision)
    }
}

impl From<Copied> for SavedCall {
    fn from(Copied { call_id, epoch, revision, record }: Copied) -> Self {
        Self { call_id, epoch, revision, record: record.unwrap_or_default().to_vec() }
    }
}

/// The changes of one append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// Its number in the stream.
    pub number: u64,
    /// In their order.
    pub changes: Vec<Copied>,
}

/// What a mirror begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Every append up to this number is in it.
    pub as_of: u64,
    /// The live records, by call.
    pub calls: Vec<Copied>,
}

/// One digest of many records, whoever holds them and in whatever order: of a line for each call, by call.
///
/// ```text
/// SHA-256 of  "CALL EPOCH REVISION SHA-256-OF-ITS-RECORD\n" …
/// ```
#[derive(Debug, Default)]
pub struct Digests(BTreeMap<CallId, String>);

impl Digests {
    /// Adds a record.
    pub fn add(&mut self, call: CallId, (epoch, revision): (Epoch, Revision), record: &[u8]) {
        let line = format!("{call} {} {} {}\n", epoch.0, revision.0, Digest::of(record));
        self.0.insert(call, line);
    }

    /// How many there are, and the digest of all.
    #[must_use]
    pub fn all(&self) -> (usize, Digest) {
        let lines: String = self.0.values().map(String::as_str).collect();
        (self.0.len(), Digest::of(lines.as_bytes()))
    }
}

/// The mirrors of this instance's saves. Copies of one share it.
#[derive(Clone)]
pub struct Mirrors(Arc<Shared>);

struct Shared {
    clock: fn() -> Timestamp,
    state: Mutex<State>,
}

struct State {
    /// Which stream of this process it is: each incarnation has its own.
    run: u64,
    stream: Stream,
    feeds: BTreeMap<Incarnation, mpsc::Sender<Arc<Append>>>,
    live: BTreeMap<CallId, Copied>,
    /// Appends that the journal has written, in their order, until they are durable.
    written: VecDeque<Written>,
}

/// The place of an append.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    run: u64,
    number: u64,
}

struct Written {
    number: u64,
    pending: Pending,
    result: Result<(), AppendError>,
}

impl fmt::Debug for Mirrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        let (stream, unanswered) = (&state.stream, state.written.len());
        f.debug_struct("Mirrors").field("stream", stream).field("unanswered", &unanswered).finish()
    }
}

impl Mirrors {
    /// No mirrors yet; so many must hold what depends on a save, and one that acknowledges nothing for two promises
    /// counts as absent. `clock` counts suspension, as [`boottime`](crate::node::clock::boottime) does.
    #[must_use]
    pub fn new(needed: usize, promise: Duration, clock: fn() -> Timestamp) -> Self {
        let state = State {
            run: 0,
            stream: Stream::new(needed, promise),
            feeds: BTreeMap::new(),
            live: BTreeMap::new(),
            written: VecDeque::new(),
        };
        Self(Arc::new(Shared { clock, state: Mutex::new(state) }))
    }

    /// Promises last so long from now on.
    pub fn promises_last(&self, promise: Duration) {
        self.state().stream.promises_last(promise);
    }

    /// This instance goes on as another incarnation: its stream begins anew with no call in it, and mirrors join anew.
    /// What waited for the mirrors of the former one is answered: nothing of its calls may leave any more.
    pub fn begin(&self, needed: usize, promise: Duration) {
        let mut state = self.state();
        state.run += 1;
        state.stream = Stream::new(needed, promise);
        state.feeds.clear();
        state.live.clear();
        state.written.drain(..).for_each(Written::answer);
    }

    /// A mirror joins, or begins anew: what there is, and each append behind it. `room` appends may wait for it; when
    /// there are more its feed ends, and it has to join anew.
    #[must_use]
    pub fn join(&self, mirror: Incarnation, room: usize) -> (Snapshot, mpsc::Receiver<Arc<Append>>) {
        let (sender, receiver) = mpsc::channel(room);
        let now = self.now();
        let mut state = self.state();
        state.feeds.insert(mirror, sender);
        state.stream.lapsed(mirror);
        state.stream.joined(now, mirror);
        (state.snapshot(), receiver)
    }

    /// The live records as they are now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.state().snapshot()
    }

    /// A mirror holds every live record as of this number.
    pub fn acknowledged(&self, mirror: Incarnation, number: u64) -> Durable {
        let now = self.now();
        let mut state = self.state();
        state.stream.acknowledged(now, mirror, number);
        state.release(now)
    }

    /// A majority of the voters has heard that the stream reaches this number: where no mirror is there, the journal alone
    /// is enough up to it.
    pub fn known(&self, number: u64) -> Durable {
        let now = self.now();
        let mut state = self.state();
        state.stream.known(number);
        state.release(now)
    }

    /// A mirror is no more: what it held lapses.
    pub fn lapsed(&self, mirror: Incarnation) -> Durable {
        let now = self.now();
        let mut state = self.state();
        state.feeds.remove(&mirror);
        state.stream.lapsed(mirror);
        state.release(now)
    }

    /// How far the stream is durable now. To be asked when [`poll_timeout`](Self::poll_timeout) has come: a mirror may
    /// count as absent from then on, and what waited for it be answered.
    pub fn look(&self) -> Durable {
        let now = self.now();
        self.state().release(now)
    }

    /// When [`look`](Self::look) is wanted, if nothing else happens.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.state().stream.poll_timeout()
    }

    /// The number of the last append.
    #[must_use]
    pub fn saved(&self) -> u64 {
        self.state().stream.saved()
    }

    /// Under what a live call of the stream was saved last.
    #[must_use]
    pub fn version(&self, call: CallId) -> Option<(Epoch, Revision)> {
        self.state().live.get(&call).map(|copied| (copied.epoch, copied.revision))
    }

    /// How many live records the stream has, and their digest ([`Digests`]).
    #[must_use]
    pub fn digest(&self) -> (usize, Digest) {
        let live: Vec<Copied> = self.state().live.values().cloned().collect();
        let mut digests = Digests::default();
        for Copied { call_id, epoch, revision, record } in live {
            digests.add(call_id, (epoch, revision), &record.unwrap_or_default());
        }
        digests.all()
    }

    /// The journal is about to write this: its place.
    pub(super) fn take(&self, batch: &Batch) -> Place {
        let now = self.now();
        let changes = copies(batch);
        let mut state = self.state();
        let number = state.stream.save(now);
        for change in &changes {
            state.apply(change);
        }
        let append = Arc::new(Append { number, changes });
        state.feeds.retain(|mirror, feed| {
            let goes = feed.try_send(Arc::clone(&append));
            if let Err(mpsc::error::TrySendError::Full(_)) = &goes {
                tracing::warn!(%mirror, number, "a mirror takes saves too slowly; it has to join anew");
            }
            goes.is_ok()
        });
        Place { run: state.run, number }
    }

    /// The journal has written this, or could not. It is answered when its turn comes and mirrors hold it.
    pub(super) fn written(&self, place: Place, pending: Pending, result: Result<(), AppendError>) {
        let now = self.now();
        let mut state = self.state();
        let Place { run, number } = place;
        if run != state.run {
            return pending.acknowledge(result); // of an incarnation that is no more
        }
        // One that was not written is answered with that, in its turn.
        state.stream.journal_has(number);
        state.written.push_back(Written { number, pending, result });
        state.release(now);
    }

    /// The journal ends: what is not durable yet never will be.
    pub(super) fn close(&self) {
        self.state().written.clear(); // answered as closed
    }

    fn now(&self) -> Timestamp {
        (self.0.clock)()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn snapshot(&self) -> Snapshot {
        Snapshot { as_of: self.stream.saved(), calls: self.live.values().cloned().collect() }
    }

    /// Answers what is durable, in order.
    fn release(&mut self, now: Timestamp) -> Durable {
        let durable = self.stream.durable(now);
        while let Some(first) = self.written.pop_front_if(|first| first.number <= durable.through) {
            first.answer();
        }
        durable
    }

    /// Notes a change; one that is older than what is known changes nothing.
    fn apply(&mut self, change: &Copied) {
        let version = |copied: &Copied| (copied.epoch, copied.revision);
        if self.live.get(&change.call_id).is_some_and(|known| version(change) < version(known)) {
            return;
        }
        if change.record.is_some() {
            self.live.insert(change.call_id, change.clone());
        } else {
            self.live.remove(&change.call_id);
        }
    }
}

impl Written {
    fn answer(self) {
        self.pending.acknowledge(self.result);
    }
}

/// What a batch changes.
fn copies(batch: &Batch) -> Vec<Copied> {
    let mut at = 0;
    let copied = batch.changes.iter().map(|change| {
        let frame = batch.bytes.get(at..at + change.bytes).unwrap_or_default();
        at += change.bytes;
        let head = change.head;
        let record = match head.kind {
            Kind::Save => Some(Bytes::copy_from_slice(frame.get(OVERHEAD_BYTES..).unwrap_or_default())),
            Kind::Delete => None,
        };
        Copied { call_id: head.call_id, epoch: head.epoch, revision: head.revision, record }
    });
    copied.collect()
}

#[cfg(test)]
mod tests;
