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
        let digest = |(owner, stream): (Incarnation, Arc<Mutex<Stream>>)| {
            let records = locked(&stream).records.clone();
            let mut digests = Digests::default();
            for Copied { call_id, epoch, revision, record } in records.into_values() {
                digests.add(call_id, (epoch, revision), &record.unwrap_or_default());
            }
            let (count, digest) = digests.all();
            (count > 0).then_some((owner, (count, digest)))
        };
        self.each().into_iter().filter_map(digest).collect()
    }

    /// The records of an incarnation; if its stream is not whole, with what has come of it.
    #[must_use]
    pub fn of(&self, owner: Incarnation) -> Vec<Copied> {
        let Some(stream) = self.streams().get(&owner).map(Arc::clone) else { return Vec::new() };
        let stream = locked(&stream);
        let mut records = stream.records.clone();
        for save in stream.coming.iter().filter(|_| stream.held.is_none()) {
            take_in(&mut records, save.clone());
        }
        drop(stream);
        records.into_values().collect()
    }

    /// All records: of a call that fell to another owner one of each, until that is settled.
    #[must_use]
    pub fn all(&self) -> Vec<SavedCall> {
        let saved = |Copied { call_id, epoch, revision, record }: &Copied| SavedCall {
            call_id: *call_id,
            epoch: *epoch,
            revision: *revision,
            record: record.as_deref().unwrap_or_default().to_vec(),
        };
        let of = |(_, stream): &(_, Arc<Mutex<Stream>>)| -> Vec<_> {
            locked(stream).records.values().map(saved).collect()
        };
        self.each().iter().flat_map(of).collect()
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
        let there = stream.records.get(&save.call_id).map(size);
        let (old, new) = (there.unwrap_or(0), size(&save));
        let is_full = there.is_none() && save.record.is_some() && records.load(Relaxed) >= limits.records;
        if is_full || new > old && bytes.load(Relaxed) + new - old > limits.bytes {
            return Err(Full::Records);
        }
        let (count, call) = (stream.records.len(), save.call_id);
        take_in(&mut stream.records, save);
        let now = stream.records.get(&call).map_or(0, size);
        records.fetch_add(stream.records.len(), Relaxed);
        records.fetch_sub(count, Relaxed);
        bytes.fetch_add(now, Relaxed);
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

/// A save that is older than what is there changes nothing.
fn take_in(records: &mut BTreeMap<CallId, Copied>, save: Copied) {
    let version = |save: &Copied| (save.epoch, save.revision);
    if records.get(&save.call_id).is_some_and(|kept| version(&save) < version(kept)) {
        return;
    }
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
mod tests {
    use super::*;
    use crate::id::{Epoch, Mint, Revision};

    fn owner(run: u64) -> Incarnation {
        Incarnation { node: "a".parse().unwrap(), run }
    }

    fn calls<const N: usize>() -> [CallId; N] {
        let mut mint = Mint::seeded(1);
        [(); N].map(|()| CallId::mint(&mut mint))
    }

    fn save(call_id: CallId, epoch: u64, revision: u64, text: &str) -> Copied {
        let record = (!text.is_empty()).then(|| Bytes::copy_from_slice(text.as_bytes()));
        Copied { call_id, epoch: Epoch(epoch), revision: Revision(revision), record }
    }

    fn batch(anew: bool, saves: &[Copied], through: Option<u64>) -> Batch {
        Batch { anew, saves: saves.to_vec(), through }
    }

    fn texts(table: &Table, of: u64) -> Vec<String> {
        let text = |kept: Copied| String::from_utf8(kept.record.unwrap().to_vec()).unwrap();
        let mut texts: Vec<String> = table.of(owner(of)).into_iter().map(text).collect();
        texts.sort();
        texts
    }

    #[test]
    fn a_stream_is_held_when_all_of_it_has_come() {
        let [x, y, _] = calls();
        let table = Table::new(Limits::default());
        let connection = table.begin(owner(1)).unwrap();
        let take = |batch| table.take(owner(1), connection, batch);
        assert_eq!(take(batch(true, &[save(x, 1, 1, "x1")], None)), Ok(None), "more is to come");
        assert_eq!(take(batch(false, &[save(y, 1, 1, "y1")], Some(4))), Ok(Some(4)));
        assert_eq!(take(batch(false, &[save(x, 1, 2, "x2")], Some(5))), Ok(Some(5)));
        assert_eq!(take(batch(false, &[save(x, 1, 1, "x1")], Some(6))), Ok(Some(6)));
        assert_eq!(texts(&table, 1), ["x2", "y1"], "an older save changes nothing");
        assert_eq!(take(batch(false, &[save(y, 1, 2, "")], Some(7))), Ok(Some(7)));
        assert_eq!(texts(&table, 1), ["x2"]);
        assert_eq!((table.len(), table.0.bytes.load(Relaxed)), (1, 2));
    }

    /// Until the new snapshot is whole the old one counts; then what it does not hold is gone.
    #[test]
    fn a_stream_that_begins_anew_replaces_what_was_held() {
        let [x, y, z] = calls();
        let table = Table::new(Limits::default());
        let first = table.begin(owner(1)).unwrap();
        let all = [save(x, 1, 1, "x"), save(y, 1, 1, "y")];
        assert_eq!(table.take(owner(1), first, batch(true, &all, Some(3))), Ok(Some(3)));
        let second = table.begin(owner(1)).unwrap();
        assert_eq!(table.take(owner(1), first, batch(false, &[], Some(9))), Err(Full::Elsewhere));
        assert_eq!(table.take(owner(1), second, batch(true, &[save(z, 1, 1, "z")], None)), Ok(Some(3)));
        assert_eq!(texts(&table, 1), ["x", "y"]);
        assert_eq!(table.take(owner(1), second, batch(false, &[save(y, 1, 1, "y")], Some(8))), Ok(Some(8)));
        assert_eq!(texts(&table, 1).len(), 2, "x was not told again");
    }

    #[test]
    fn what_is_sealed_takes_no_more_and_says_what_it_holds() {
        let [x, ..] = calls::<3>();
        let table = Table::new(Limits::default());
        assert_eq!(table.seal(owner(1)), None, "nothing of it has come");
        assert_eq!(table.begin(owner(1)), Err(Full::Sealed));
        table.unseal(owner(1));
        let connection = table.begin(owner(1)).unwrap();
        let take = |batch| table.take(owner(1), connection, batch);
        assert_eq!(take(batch(true, &[save(x, 1, 1, "x")], Some(2))), Ok(Some(2)));
        assert_eq!(table.seal(owner(1)), Some(2));
        assert_eq!(take(batch(false, &[save(x, 1, 2, "late")], Some(3))), Err(Full::Sealed));
        assert_eq!((texts(&table, 1), table.held(owner(1))), (vec!["x".to_owned()], Some(2)));
        table.unseal(owner(1));
        assert_eq!(take(batch(false, &[save(x, 1, 2, "on")], Some(3))), Ok(Some(3)));
    }

    /// Members' seed 20792: the new owner dies with its save, which the old one's must outlive.
    #[test]
    fn a_call_that_has_a_new_owner_is_kept_as_the_old_one_had_it_too_until_that_is_forgotten() {
        let [x, ..] = calls::<3>();
        let table = Table::new(Limits::default());
        let b = Incarnation { node: "b".parse().unwrap(), run: 2 };
        for (one, epoch, text) in [(owner(1), 1, "of a"), (b, 7, "of b")] {
            let connection = table.begin(one).unwrap();
            table.take(one, connection, batch(true, &[save(x, epoch, 1, text)], Some(1))).unwrap();
        }
        assert_eq!((texts(&table, 1), table.of(b).len()), (vec!["of a".to_owned()], 1));
        let connection = table.begin(b).unwrap();
        table.take(b, connection, batch(false, &[save(x, 7, 2, "")], Some(2))).unwrap();
        assert_eq!((texts(&table, 1).len(), table.of(b).len(), table.has(x)), (1, 0, true));
        table.forget(owner(1));
        assert_eq!((table.len(), table.held(owner(1)), table.has(x)), (0, None, false));
        table.forget(b);
        assert!(table.is_empty() && table.0.bytes.load(Relaxed) == 0);
    }

    #[test]
    fn what_an_instance_gives_away_is_one_more_copy_until_others_have_it() {
        let [x, y, _] = calls();
        let table = Table::new(Limits::default());
        table.keep(owner(1), 9, vec![save(x, 1, 4, "x"), save(y, 1, 2, "y")]).unwrap();
        assert_eq!((texts(&table, 1).join(" "), table.held(owner(1))), ("x y".to_owned(), Some(9)));
        assert_eq!(table.begin(owner(1)), Err(Full::Sealed), "nobody brings it");
        table.forget(owner(1));
        assert!(table.is_empty());
    }

    #[test]
    fn records_and_bytes_are_bounded() {
        let [x, y, z] = calls();
        let table = Table::new(Limits { records: 2, bytes: 10 });
        let connection = table.begin(owner(1)).unwrap();
        let take = |save| table.take(owner(1), connection, batch(true, &[save], Some(1)));
        take(save(x, 1, 1, "12345")).unwrap();
        assert_eq!(take(save(y, 1, 1, "123456")), Err(Full::Records));
        let other = Incarnation { node: "b".parse().unwrap(), run: 1 };
        let connection = table.begin(other).unwrap();
        let take = |save| table.take(other, connection, batch(false, &[save], Some(1)));
        take(save(y, 1, 1, "1")).unwrap();
        assert_eq!(take(save(z, 1, 1, "1")), Err(Full::Records));
        take(save(y, 1, 2, "12345")).unwrap();
        // What is on its way is bounded as well, and forgotten with its connection.
        let takes =
            |connection, text| table.take(other, connection, batch(false, &[save(y, 1, 3, text)], None));
        takes(connection, "123456").unwrap();
        assert_eq!(takes(connection, "12345"), Err(Full::Records));
        let next = table.begin(other).unwrap();
        takes(next, "12345").unwrap();
        table.forget(other);
        assert_eq!(table.0.coming.load(Relaxed), 0);
    }

    /// Members' seed 19366: a successor that hangs is claimed while its first save of a call is on its way.
    #[test]
    fn a_save_that_never_counts_takes_nothing_from_what_the_owner_before_had_saved() {
        let [x, y, _] = calls();
        let table = Table::new(Limits::default());
        let b = Incarnation { node: "b".parse().unwrap(), run: 2 };
        let connection = table.begin(owner(1)).unwrap();
        table.take(owner(1), connection, batch(true, &[save(x, 1, 1, "of a")], Some(1))).unwrap();
        let connection = table.begin(b).unwrap();
        table.take(b, connection, batch(true, &[], Some(0))).unwrap();
        table.take(b, connection, batch(false, &[save(x, 7, 1, "of b")], None)).unwrap();
        assert_eq!(table.seal(b), Some(0));
        assert_eq!((texts(&table, 1), table.of(b).len()), (vec!["of a".to_owned()], 0));
        assert!(table.has(x) && !table.has(y));
        // What has come of a stream that is not whole is better than nothing.
        let c = Incarnation { node: "c".parse().unwrap(), run: 3 };
        let connection = table.begin(c).unwrap();
        table.take(c, connection, batch(true, &[save(y, 7, 1, "of c")], None)).unwrap();
        assert_eq!((table.seal(c), table.of(c).len()), (None, 1));
        assert!(table.has(y), "nobody is to dial it again");
    }
}
