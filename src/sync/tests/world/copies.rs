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

type Records = BTreeMap<CallId, (Version, Record)>;

#[derive(Clone, Debug, Default)]
struct Stream {
    records: Records,
    held: Option<u64>,
    sealed: bool,
    connection: u64,
    /// What came since the last whole number.
    coming: Vec<Save>,
    is_anew: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Table(BTreeMap<Incarnation, Stream>);

/// The stream is sealed, or another connection brings it.
#[derive(Debug)]
pub(super) struct Refused;

impl Table {
    pub(super) fn begin(&mut self, owner: Incarnation, connection: u64) -> Result<(), Refused> {
        let stream = self.0.entry(owner).or_default();
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
        let stream = self.0.get_mut(&owner).ok_or(Refused)?;
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
        come.into_iter().for_each(|save| take_in(&mut stream.records, save));
        if std::mem::take(&mut stream.is_anew) {
            stream.records.retain(|call, _| told.contains(call));
            stream.held = Some(through);
        } else if stream.held.is_some() {
            stream.held = stream.held.max(Some(through));
        }
        Ok(stream.held)
    }

    /// The own records of who hands its calls over are one more copy.
    pub(super) fn keep(&mut self, owner: Incarnation, held: u64, records: Vec<(CallId, Version, Record)>) {
        let records = records.into_iter().map(|(call, version, record)| (call, (version, record))).collect();
        self.0.insert(owner, Stream { records, held: Some(held), sealed: true, ..Stream::default() });
    }

    pub(super) fn seal(&mut self, owner: Incarnation) -> Option<u64> {
        let stream = self.0.entry(owner).or_default();
        stream.sealed = true;
        stream.held
    }

    pub(super) fn unseal(&mut self, owner: Incarnation) {
        if let Some(stream) = self.0.get_mut(&owner) {
            stream.sealed = false;
        }
    }

    pub(super) fn forget(&mut self, owner: Incarnation) {
        self.0.remove(&owner);
    }

    pub(super) fn version(&self, call: CallId) -> Option<Version> {
        self.versions().filter(|(one, _)| *one == call).map(|(_, version)| version).max()
    }

    pub(super) fn versions(&self) -> impl Iterator<Item = (CallId, Version)> {
        let records = self.0.values().flat_map(|stream| &stream.records);
        records.map(|(call, (version, _))| (*call, *version))
    }

    pub(super) fn has(&self, call: CallId) -> bool {
        let comes = |save: &Save| save.call == call && save.record.is_some();
        let has = |stream: &Stream| stream.records.contains_key(&call) || stream.coming.iter().any(comes);
        self.0.values().any(has)
    }

    /// Of a stream that is not whole, with what has come of it.
    pub(super) fn copy(&self, owner: Incarnation) -> Copy<Record> {
        let stream = self.0.get(&owner);
        let held = stream.and_then(|stream| stream.held);
        let mut records = stream.map(|stream| stream.records.clone()).unwrap_or_default();
        let coming = stream.into_iter().filter(|_| held.is_none()).flat_map(|stream| &stream.coming);
        coming.for_each(|save| take_in(&mut records, save.clone()));
        let records = records.into_iter().map(|(call, (version, record))| (call, version, record)).collect();
        Copy { owner, held, records }
    }
}

/// A save that is older than what is there changes nothing.
fn take_in(records: &mut Records, Save { call, version, record }: Save) {
    if records.get(&call).is_some_and(|(known, _)| version < *known) {
        return;
    }
    match record {
        Some(record) => drop(records.insert(call, (version, record))),
        None => drop(records.remove(&call)),
    }
}
