//! The journal's thread: group commit, rotation, and what becomes of old segments.
//!
//! ```text
//!          ┌───────────── one commit ──────────────┐
//! lanes ──►│ carried frames │ batch │ batch │ batch │──► write, fdatasync ──► index ──► acknowledgements
//!          └───────────────────────────────────────┘
//! segments:  oldest (being emptied) · sealed · active
//! ```
//! While one commit is on its way to the disk the next batches gather, so a slower disk makes larger
//! commits, not a longer queue. Once more than [`KEPT_SEALED`] full segments stand there, each commit also
//! carries a bounded number of live records out of the oldest; a segment without a live record is removed.
//! Segments are removed oldest first, so a record can never outlive the deletion that stands behind it. What the disk
//! refuses because it is full goes to the [reserve](super::reserve); nothing is carried over meanwhile.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::Limits;
use super::counts::Counters;
use super::frame::{self, Head};
use super::index::{Index, Position};
use super::lane::{AppendError, Pending};
use super::mirrors::{Mirrors, Place};
use super::reserve::Reserve;
use super::room::Room;
use super::segment::{self, Segment};

/// Full segments that are left alone: most of their records die by themselves, because calls are short.
const KEPT_SEALED: usize = 1;
/// Bytes that one commit carries over besides what it was given, at least.
const CARRY_BYTES: usize = 256 * 1024;

/// Commits without carrying after one that failed with it.
const RESTED_COMMITS: u32 = 64;

/// What lanes send to the thread.
pub(super) enum Message {
    Append(Pending),
    /// What was sent before is still written; the thread ends.
    Close,
}

/// The disk refused a write.
#[derive(Debug, thiserror::Error)]
#[error("the journal cannot {operation} {}: {source}", .path.display())]
pub struct WriteError {
    /// What was tried: `create` or `write`.
    pub operation: &'static str,
    /// The segment or directory.
    pub path: PathBuf,
    /// What the system said; `StorageFull` if the disk is full.
    #[source]
    pub source: io::Error,
}

impl WriteError {
    /// Whether room would have helped.
    fn is_full(&self) -> bool {
        matches!(self.source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }
}

/// The state of the thread.
pub(super) struct Writer {
    pub(super) dir: PathBuf,
    pub(super) limits: Limits,
    pub(super) index: Index,
    pub(super) counters: Arc<Counters>,
    /// Held while the thread lives: one process owns the directory.
    pub(super) lock: File,
    /// Who gets a copy of each append, before it is written: both go on at once.
    pub(super) mirrors: Option<Mirrors>,
    room: Room,
    active: Option<Segment>,
    last_number: u64,
    /// Commits until records are carried over again.
    rest: u32,
    buffer: Vec<u8>,
    placed: Vec<(Head, usize)>,
}

impl Writer {
    pub(super) fn new(
        dir: PathBuf,
        limits: Limits,
        index: Index,
        counters: Arc<Counters>,
        lock: File,
        active: Option<Segment>,
    ) -> Self {
        let last_number = index.newest();
        let (buffer, placed) = (Vec::new(), Vec::new());
        let room =
            Room::new(Reserve::new(&dir, limits.reserve_bytes), Arc::clone(&counters), active.as_ref());
        Self {
            dir,
            limits,
            index,
            counters,
            lock,
            mirrors: None,
            room,
            active,
            last_number,
            rest: 0,
            buffer,
            placed,
        }
    }

    /// Writes until the journal is closed or nobody can send any more.
    pub(super) fn run(mut self, messages: &Receiver<Message>) {
        let mut waiting: Vec<Pending> = Vec::new();
        self.remove_dead();
        loop {
            let open = self.gather(messages, &mut waiting);
            if !waiting.is_empty() {
                self.counters.is_busy(true);
                let places = self.copy(&waiting);
                let result = self.commit(&waiting).map_err(|error| AppendError::Write(Arc::new(error)));
                if let Err(error) = &result {
                    tracing::error!(%error, appends = waiting.len(), "appends were not made durable");
                }
                self.counters.committed(&waiting, self.buffer.len(), result.is_ok());
                self.counters.holds(self.index.len(), self.index.segments());
                self.answer(&mut waiting, places, &result);
                self.remove_dead();
                self.counters.holds(self.index.len(), self.index.segments());
                self.counters.is_busy(false);
            }
            self.room.look_if_due(self.active.as_ref());
            if !open {
                break;
            }
        }
        if let Some(segment) = self.active.take() {
            segment.seal();
        }
        if let Some(mirrors) = &self.mirrors {
            mirrors.close();
        }
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(%error, "the journal's lock ends with the process");
        }
    }

    /// Gives copies of these appends to the mirrors, if there are any; the place of each.
    fn copy(&self, waiting: &[Pending]) -> Vec<Place> {
        let Some(mirrors) = &self.mirrors else { return Vec::new() };
        waiting.iter().map(|pending| mirrors.take(pending.batch())).collect()
    }

    /// Answers these appends, or leaves that to the mirrors.
    fn answer(&self, waiting: &mut Vec<Pending>, places: Vec<Place>, result: &Result<(), AppendError>) {
        match &self.mirrors {
            Some(mirrors) => {
                for (place, pending) in places.into_iter().zip(waiting.drain(..)) {
                    mirrors.written(place, pending, result.clone());
                }
            }
            None => waiting.drain(..).for_each(|pending| pending.acknowledge(result.clone())),
        }
    }

    /// Waits for an append or until the disk is to be looked at, then takes what else has come, up to a commit's
    /// bound. False: closed.
    fn gather(&self, messages: &Receiver<Message>, waiting: &mut Vec<Pending>) -> bool {
        let mut bytes = 0;
        let first = match self.room.due() {
            Some(due) => messages.recv_timeout(due),
            None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        let mut next = match first {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => None,
        };
        loop {
            match next {
                Some(Message::Append(pending)) => {
                    bytes += pending.batch().bytes.len();
                    waiting.push(pending);
                }
                Some(Message::Close) => return false,
                None => return !waiting.is_empty(),
            }
            if bytes >= self.limits.commit_bytes {
                return true;
            }
            next = messages.try_recv().ok();
        }
    }

    /// Makes the batches durable, all or none. What is carried over besides never makes them fail: on a disk
    /// that is nearly full they may fit alone.
    fn commit(&mut self, waiting: &[Pending]) -> Result<(), WriteError> {
        let given: usize = waiting.iter().map(|pending| pending.batch().bytes.len()).sum();
        if given == 0 {
            return Ok(()); // empty batches wait for nothing
        }
        self.buffer.clear();
        self.placed.clear();
        self.rest = self.rest.saturating_sub(1);
        if self.rest == 0 && !self.room.is_full() {
            self.carry(given);
        }
        let carried = self.buffer.len();
        self.add(waiting);
        let mut written = self.write();
        if carried > 0 && written.is_err() {
            self.rest = RESTED_COMMITS;
            self.buffer.clear();
            self.placed.clear();
            self.add(waiting);
            written = self.write();
        }
        match written {
            Err(error) if error.is_full() && self.room.reserve.is_whole() => {
                tracing::warn!(%error, "the journal goes on in its reserve");
                self.write_to_reserve()
            }
            other => other,
        }
    }

    /// Adds the batches to the write.
    fn add(&mut self, waiting: &[Pending]) {
        for batch in waiting.iter().map(Pending::batch) {
            self.buffer.extend_from_slice(&batch.bytes);
            self.placed.extend(batch.changes.iter().map(|change| (change.head, change.bytes)));
        }
    }

    /// Writes what was gathered, and notes where it stands.
    fn write(&mut self) -> Result<(), WriteError> {
        let segment = self.take_segment()?;
        self.write_to(segment)
    }

    /// Writes what was gathered where the disk has promised room.
    fn write_to_reserve(&mut self) -> Result<(), WriteError> {
        self.last_number += 1;
        let number = self.last_number;
        let path = segment::path(&self.dir, number);
        let spent = self.room.reserve.spend(number);
        let segment = spent.map_err(|source| WriteError { operation: "create", path, source })?;
        self.index.add_segment(number);
        self.room.spent(&segment);
        self.write_to(segment)
    }

    fn write_to(&mut self, mut segment: Segment) -> Result<(), WriteError> {
        let mut at = segment.durable();
        if let Err(source) = segment.append(&self.buffer) {
            let path = segment.path.clone();
            if segment.is_empty() {
                self.index.remove_segment(segment.number);
            }
            segment.close();
            return Err(WriteError { operation: "write", path, source });
        }
        for (head, bytes) in self.placed.drain(..) {
            self.index.apply(&head, Position { segment: segment.number, at, bytes });
            at += u64::try_from(bytes).expect("a length fits u64");
        }
        self.active = Some(segment);
        Ok(())
    }

    /// The segment to write to: the active one, or a new one if it is full or there is none.
    fn take_segment(&mut self) -> Result<Segment, WriteError> {
        let more = u64::try_from(self.buffer.len()).expect("a length fits u64");
        let full = |segment: &Segment| {
            let beyond = segment.was_reserve() && segment.reserved() < more;
            !segment.is_empty() && (segment.durable() >= self.limits.segment_bytes || beyond)
        };
        if let Some(segment) = self.active.take() {
            if !full(&segment) {
                return Ok(segment);
            }
            segment.seal();
        }
        self.last_number += 1;
        let segment = Segment::create(&self.dir, self.last_number).map_err(|source| WriteError {
            operation: "create",
            path: segment::path(&self.dir, self.last_number),
            source,
        })?;
        self.index.add_segment(segment.number);
        Ok(segment)
    }

    /// Puts live frames of the oldest segment at the head of the next write.
    fn carry(&mut self, given: usize) {
        let sealed = self.index.segments().saturating_sub(usize::from(self.active.is_some()));
        if sealed <= KEPT_SEALED {
            return;
        }
        let bound = given.max(CARRY_BYTES);
        let positions: Vec<Position> = self
            .index
            .in_oldest()
            .scan(0, |bytes, position| {
                let before = *bytes;
                *bytes += position.bytes;
                (before < bound).then_some(position)
            })
            .collect();
        let Some(first) = positions.first() else { return };
        let file = match File::open(segment::path(&self.dir, first.segment)) {
            Ok(file) => file,
            Err(error) => {
                tracing::error!(%error, segment = first.segment, "an old journal segment cannot be read");
                return;
            }
        };
        for position in positions {
            let start = self.buffer.len();
            self.buffer.resize(start + position.bytes, 0);
            let target = self.buffer.get_mut(start..).expect("just resized");
            let read = file.read_exact_at(target, position.at).ok().and_then(|()| frame::read(target));
            if let Some(frame) = read {
                self.placed.push((frame.head, position.bytes));
            } else {
                self.buffer.truncate(start);
                self.index.forget(position);
                tracing::error!(?position, "a journal record is damaged; its call's next save replaces it");
            }
        }
    }

    /// Removes segments without a live record, oldest first.
    fn remove_dead(&mut self) {
        while let Some(number) = self.index.oldest_if_dead() {
            if self.active.as_ref().is_some_and(|active| active.number == number) {
                return;
            }
            let path = segment::path(&self.dir, number);
            // In order and durable one by one: a later one holds the deletions of an earlier one's records.
            let removed = match fs::remove_file(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                other => other,
            };
            if let Err(error) = removed.and_then(|()| segment::sync_dir(&self.dir)) {
                tracing::warn!(file = %path.display(), %error, "an old journal segment stays");
                return;
            }
            self.index.remove_segment(number);
        }
    }
}
