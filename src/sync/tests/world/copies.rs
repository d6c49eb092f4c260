//! What a process keeps of others' streams: the rules of the table of mirrored records, in small.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::id::{CallId, Epoch, Revision};
use crate::sync::{Copy, Incarnation};

pub(super) type Version = (Epoch, Revision);

/// A call's record: the replies that were given, by number. Of a real call: its saves, by number, and the last one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) replies: Vec<u32>,
    /// The call has its outcome.
    pub(super) ended: bool,
    /// It was taken over from a copy that may have been out of date.
    pub(super) stale: bool,
    /// What a real call saved.
    pub(super) kept: Bytes,
}

/// A save as it travels; `None`: the record can go.
#[derive(Clone, Debug)]
pub(super) struct Save {
    pub(super) call: CallId,
    pub(super) version: Version,
    pub(super) record: Option<Record>,
}

/// Some of a stream.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub(super) anew: bool,
    pub(super) saves: Vec<Save>,
    pub(super) through: Option<u64>,
}

#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) owner: Incarnation,
    pub(super) version: Version,
    pub(super) record: Record,
}

#[derive(Clone, Debug, Default)]
struct Stream {
    held: Option<u64>,
    sealed: bool,
    connection: u64,
    /// What came since the last whole number.
    coming: Vec<Save>,
    is_anew: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    records: BTreeMap<CallId, Kept>,
    streams: BTreeMap<Incarnation, Stream>,
}

/// The stream is sealed, or another connection brings it.
#[derive(Debug)]
pub(super) struct Refused;

impl Table {
    pub(super) fn begin(&mut self, owner: Incarnation, connection: u64) -> Result<(), Refused> {
        let stream = self.streams.entry(owner).or_default();
        if stream.sealed {
            return Err(Refused);
        }
        (stream.connection, stream.is_anew) = (connection, false);
        stream.coming.clear();
        Ok(())
    }

    pub(super) fn take(
        &mut self,
        owner: Incarnation,
        connection: u64,
        batch: Batch,
    ) -> Result<Option<u64>, Refused> {
        let stream = self.streams.get_mut(&owner).ok_or(Refused)?;
        if stream.sealed || stream.connection != connection {
            return Err(Refused);
        }
        if batch.anew {
            stream.is_anew = true;
            stream.coming.clear();
        }
        stream.coming.extend(batch.saves);
        let Some(through) = batch.through else { return Ok(stream.held) };
        let come = std::mem::take(&mut stream.coming);
        let told: BTreeSet<CallId> = come.iter().map(|save| save.call).collect();
        for Save { call, version, record } in come {
            match (self.records.get(&call), record) {
                (Some(kept), _) if version < kept.version => {}
                (_, Some(record)) => drop(self.records.insert(call, Kept { owner, version, record })),
                (_, None) => drop(self.records.remove(&call)),
            }
        }
        if std::mem::take(&mut stream.is_anew) {
            self.records.retain(|call, kept| kept.owner != owner || told.contains(call));
            stream.held = Some(through);
        } else if stream.held.is_some() {
            stream.held = stream.held.max(Some(through));
        }
        Ok(stream.held)
    }

    /// The own records of who hands its calls over are one more copy.
    pub(super) fn keep(&mut self, owner: Incarnation, held: u64, records: Vec<(CallId, Version, Record)>) {
        let sealed = Stream { held: Some(held), sealed: true, ..Stream::default() };
        self.streams.insert(owner, sealed);
        let kept = |(call, version, record)| (call, Kept { owner, version, record });
        self.records.extend(records.into_iter().map(kept));
    }

    pub(super) fn seal(&mut self, owner: Incarnation) -> Option<u64> {
        let stream = self.streams.entry(owner).or_default();
        stream.sealed = true;
        stream.held
    }

    pub(super) fn unseal(&mut self, owner: Incarnation) {
        if let Some(stream) = self.streams.get_mut(&owner) {
            stream.sealed = false;
        }
    }

    pub(super) fn forget(&mut self, owner: Incarnation) {
        self.streams.remove(&owner);
        self.records.retain(|_, kept| kept.owner != owner);
    }

    pub(super) fn version(&self, call: CallId) -> Option<Version> {
        self.records.get(&call).map(|kept| kept.version)
    }

    pub(super) fn versions(&self) -> impl Iterator<Item = (CallId, Version)> {
        self.records.iter().map(|(call, kept)| (*call, kept.version))
    }

    pub(super) fn has(&self, call: CallId) -> bool {
        let comes = |save: &Save| save.call == call && save.record.is_some();
        self.records.contains_key(&call)
            || self.streams.values().any(|stream| stream.coming.iter().any(comes))
    }

    /// Of a stream that is not whole, what has come of it.
    pub(super) fn copy(&self, owner: Incarnation) -> Copy<Record> {
        let stream = self.streams.get(&owner);
        let held = stream.and_then(|stream| stream.held);
        let kept = self.records.iter().filter(|(_, kept)| kept.owner == owner);
        let mut records: BTreeMap<_, _> =
            kept.map(|(call, kept)| (*call, (kept.version, kept.record.clone()))).collect();
        let coming = stream.into_iter().filter(|_| held.is_none()).flat_map(|stream| &stream.coming);
        for Save { call, version, record } in coming {
            match record {
                Some(record) => drop(records.insert(*call, (*version, record.clone()))),
                None => drop(records.remove(call)),
            }
        }
        let records = records.into_iter().map(|(call, (version, record))| (call, version, record)).collect();
        Copy { owner, held, records }
    }
}
