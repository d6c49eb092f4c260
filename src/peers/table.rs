//! The records of others' calls, as far as they have told them: what a successor goes on with.
//!
//! ```text
//!  stream of a#5:  anew ─ saves … through 40 ─► held 40 ─ saves through 41 ─► held 41 ─ sealed: held 41, no more
//! ```
//! Each stream keeps its own records, as its owner had them at the last whole number, until that owner's key is deleted:
//! what a successor saves of a call, and may never have counted, takes nothing from what the owner before had saved. A
//! stream is taken from one connection at a time. To seal it and to take a batch of it exclude each other, so that what
//! was told to be held is what is held.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::id::{CallId, Digest};
use crate::store::journal::{Copied, Digests, SavedCall};
use crate::sync::Incarnation;

/// Streams that are remembered: those of the members, and some that are over.
const MOST_STREAMS: usize = 256;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most records.
    pub records: usize,
    /// Most bytes of all records.
    pub bytes: usize,
}

impl Default for Limits {
    /// 100,000 calls of 5 kB.
    fn default() -> Self {
        Self { records: 100_000, bytes: 512 << 20 }
    }
}

/// The table. Copies share it.
#[derive(Clone, Debug)]
pub struct Table(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: Limits,
    /// Records of all streams, and their bytes.
    records: AtomicUsize,
    bytes: AtomicUsize,
    /// Bytes of what is coming, of all streams.
    coming: AtomicUsize,
    connections: AtomicU64,
    streams: Mutex<BTreeMap<Incarnation, Arc<Mutex<Stream>>>>,
}

#[derive(Debug, Default)]
struct Stream {
    records: BTreeMap<CallId, Copied>,
    /// The whole of it is held up to here.
    held: Option<u64>,
    sealed: bool,
    /// Which connection brings it.
    connection: u64,
    /// What came since its last whole number.
    coming: Vec<Copied>,
    /// That is all of it: what is not in it is no more.
    is_anew: bool,
}

/// Some of a stream, as it came.
#[derive(Clone, Debug, Default)]
pub(super) struct Batch {
    pub(super) anew: bool,
    pub(super) saves: Vec<Copied>,
    pub(super) through: Option<u64>,
}

/// Why nothing more of a stream is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// Its owner is held to be absent.
    #[error("the stream is sealed: its owner was silent for too long")]
    Sealed,
    /// Another connection brings it.
    #[error("another connection brings this stream")]
    Elsewhere,
    /// There is no room.
    #[error("there is no room for more records")]
    Records,
}

impl Table {
    /// An empty one.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self(Arc::new(Shared {
            limits,
            records: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            coming: AtomicUsize::new(0),
            connections: AtomicU64::new(0),
            streams: Mutex::default(),
        }))
    }

    /// How many records there are: of a call that fell to another owner one of each, until that is settled.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.records.load(Relaxed)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there is a record of this call, or one that is coming.
    #[must_use]
    pub fn has(&self, call: CallId) -> bool {
        self.each().iter().any(|(_, stream)| {
            let stream = locked(stream);
            let comes = |save: &Copied| save.call_id == call && save.record.is_some();
            stream.records.contains_key(&call) || stream.coming.iter().any(comes)
        })
    }

    /// Up to which number the whole of a stream is held.
    #[must_use]
    pub fn held(&self, owner: Incarnation) -> Option<u64> {
        let stream = self.streams().get(&owner).map(Arc::clone)?;
        locked(&stream).held
    }

    /// Takes no more of a stream; up to which number the whole of it is held.
    #[must_use]
    pub fn seal(&self, owner: Incarnation) -> Option<u64> {
        let stream = self.stream(owner)?;
        let mut stream = locked(&stream);
        stream.sealed = true;
        stream.held
    }

    /// Takes a stream again.
    pub fn unseal(&self, owner: Incarnation) {
        if let Some(stream) = self.streams().get(&owner) {
            locked(stream).sealed = false;
        }
    }

    /// Of each incarnation that has some, how many records are held, and their digest ([`Digests`]).
    #[must_use]
    pub fn digests(&self) -> BTreeMap<Incarnation, (usize, Digest)> {
        let digest = |(owner, records): (Incarnation, BTreeMap<CallId, Copied>)| {
            let mut digests = Digests::default();
            for saved in records.into_values() {
                digests.add(saved.call_id, saved.version(), &saved.record.unwrap_or_default());
            }
            let (count, digest) = digests.all();
            (count > 0).then_some((owner, (count, digest)))
        };
        self.records().filter_map(digest).collect()
    }

    /// The records of an incarnation; if its stream is not whole, with what has come of it.
    #[must_use]
    pub fn of(&self, owner: Incarnation) -> Vec<Copied> {
        let Some(stream) = self.streams().get(&owner).map(Arc::clone) else { return Vec::new() };
        let stream = locked(&stream);
        let mut records = stream.records.clone();
        for save in stream.coming.iter().filter(|_| stream.held.is_none()) {
            if !is_old(&records, save) {
                put(&mut records, save.clone());
            }
        }
        drop(stream);
        records.into_values().collect()
    }

    /// All records: of a call that fell to another owner one of each, until that is settled.
    #[must_use]
    pub fn all(&self) -> Vec<SavedCall> {
        self.records().flat_map(|(_, records)| records.into_values().map(SavedCall::from)).collect()
    }

    /// Drops all of an incarnation: its calls have new owners who saved them, or are over.
    pub fn forget(&self, owner: Incarnation) {
        if let Some(stream) = self.streams().remove(&owner) {
            let mut stream = locked(&stream);
            self.come(&mut stream);
            stream.sealed = true; // for whoever is about to bring some of it
            self.drop_where(&mut stream, |_| true);
        }
    }

    /// Keeps the records of this instance's own stream as it keeps others': it gives its calls away, and takes no more saves.
    ///
    /// # Errors
    /// If there is no room.
    pub fn keep(&self, owner: Incarnation, held: u64, records: Vec<Copied>) -> Result<(), Full> {
        let connection = self.begin(owner)?;
        let batch = Batch { anew: true, saves: records, through: Some(held) };
        self.take(owner, connection, batch)?;
        if let Some(stream) = self.stream(owner) {
            locked(&stream).sealed = true;
        }
        Ok(())
    }

    /// A connection brings a stream from now on; its number.
    pub(super) fn begin(&self, owner: Incarnation) -> Result<u64, Full> {
        let stream = self.stream(owner).ok_or(Full::Records)?;
        let mut stream = locked(&stream);
        if stream.sealed {
            return Err(Full::Sealed);
        }
        self.come(&mut stream);
        stream.connection = self.0.connections.fetch_add(1, Relaxed) + 1;
        stream.is_anew = false;
        Ok(stream.connection)
    }

    /// Takes some of a stream; up to which number the whole of it is held then.
    pub(super) fn take(
        &self,
        owner: Incarnation,
        connection: u64,
        batch: Batch,
    ) -> Result<Option<u64>, Full> {
        let stream = self.streams().get(&owner).map(Arc::clone).ok_or(Full::Elsewhere)?;
        let mut stream = locked(&stream);
        if stream.sealed {
            return Err(Full::Sealed);
        }
        if stream.connection != connection {
            return Err(Full::Elsewhere);
        }
        if batch.anew {
            self.come(&mut stream);
            stream.is_anew = true;
        }
        let Limits { records, bytes } = self.0.limits;
        for save in batch.saves {
            let size = size(&save);
            if stream.coming.len() >= records || self.0.coming.load(Relaxed) + size > bytes {
                return Err(Full::Records);
            }
            self.0.coming.fetch_add(size, Relaxed);
            stream.coming.push(save);
        }
        let Some(through) = batch.through else { return Ok(stream.held) };
        let come = self.come(&mut stream);
        let is_anew = std::mem::take(&mut stream.is_anew);
        let told: BTreeSet<CallId> = come.iter().filter(|_| is_anew).map(|save| save.call_id).collect();
        for save in come {
            self.save(&mut stream, save)?;
        }
        if is_anew {
            // What was not told again is no more.
            self.drop_where(&mut stream, |call| !told.contains(&call));
            stream.held = Some(through);
        } else if stream.held.is_some() {
            stream.held = stream.held.max(Some(through));
        }
        Ok(stream.held)
    }

    /// What was coming of a stream is here, or comes no more.
    fn come(&self, stream: &mut Stream) -> Vec<Copied> {
        let come = std::mem::take(&mut stream.coming);
        self.0.coming.fetch_sub(come.iter().map(size).sum(), Relaxed);
        come
    }

    fn save(&self, stream: &mut Stream, save: Copied) -> Result<(), Full> {
        let Shared { limits, records, bytes, .. } = &*self.0;
        if is_old(&stream.records, &save) {
            return Ok(());
        }
        let there = stream.records.get(&save.call_id).map(size);
        let (old, new) = (there.unwrap_or(0), size(&save));
        let is_full = there.is_none() && save.record.is_some() && records.load(Relaxed) >= limits.records;
        if is_full || new > old && bytes.load(Relaxed) + new - old > limits.bytes {
            return Err(Full::Records);
        }
        let count = stream.records.len();
        put(&mut stream.records, save);
        records.fetch_add(stream.records.len(), Relaxed);
        records.fetch_sub(count, Relaxed);
        bytes.fetch_add(new, Relaxed);
        bytes.fetch_sub(old, Relaxed);
        Ok(())
    }

    fn drop_where(&self, stream: &mut Stream, is_over: impl Fn(CallId) -> bool) {
        stream.records.retain(|call, kept| {
            let goes = is_over(*call);
            if goes {
                self.0.records.fetch_sub(1, Relaxed);
                self.0.bytes.fetch_sub(size(kept), Relaxed);
            }
            !goes
        });
    }

    /// All records as they are now. Who works on them keeps no stream waiting.
    fn records(&self) -> impl Iterator<Item = (Incarnation, BTreeMap<CallId, Copied>)> {
        self.each().into_iter().map(|(owner, stream)| (owner, locked(&stream).records.clone()))
    }

    fn each(&self) -> Vec<(Incarnation, Arc<Mutex<Stream>>)> {
        self.streams().iter().map(|(owner, stream)| (*owner, Arc::clone(stream))).collect()
    }

    /// The place of a stream; `None`: there are too many.
    fn stream(&self, owner: Incarnation) -> Option<Arc<Mutex<Stream>>> {
        let mut streams = self.streams();
        if streams.len() >= MOST_STREAMS && !streams.contains_key(&owner) {
            return None;
        }
        Some(Arc::clone(streams.entry(owner).or_default()))
    }

    fn streams(&self) -> MutexGuard<'_, BTreeMap<Incarnation, Arc<Mutex<Stream>>>> {
        self.0.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether something newer is there: then a save changes nothing.
fn is_old(records: &BTreeMap<CallId, Copied>, save: &Copied) -> bool {
    records.get(&save.call_id).is_some_and(|kept| save.version() < kept.version())
}

fn put(records: &mut BTreeMap<CallId, Copied>, save: Copied) {
    if save.record.is_some() {
        records.insert(save.call_id, save);
    } else {
        records.remove(&save.call_id);
    }
}

fn size(save: &Copied) -> usize {
    save.record.as_ref().map_or(0, Bytes::len)
}

fn locked(stream: &Mutex<Stream>) -> MutexGuard<'_, Stream> {
    stream.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
