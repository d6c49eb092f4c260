//! Reads a journal: the latest live record of each call, and what could not be read.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::frame::{Frames, Head, Kind, Step};
use super::index::{Index, Position};
use super::segment::{self, FORMAT_VERSION, HEADER_BYTES, Header, Unused};
use crate::id::{CallId, Epoch, Revision};

/// The latest record of a call that had not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedCall {
    /// Whose record it is.
    pub call_id: CallId,
    /// Under which claim it was written.
    pub epoch: Epoch,
    /// Which save of that claim it is.
    pub revision: Revision,
    /// The record, as it was given.
    pub record: Vec<u8>,
}

/// Why bytes of a journal are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossKind {
    /// A write that a crash cut short, at the end of a segment. It was never acknowledged: nothing is lost.
    Torn,
    /// Acknowledged bytes have changed on disk. The call that they belonged to goes on from an older record,
    /// or not at all.
    Damaged,
}

/// Bytes of a journal that are no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The segment.
    pub file: PathBuf,
    /// Where in it they begin, in bytes.
    pub at: u64,
    /// How many they are.
    pub bytes: u64,
    /// Why.
    pub kind: LossKind,
}

/// What a journal holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// The live calls, by id.
    pub calls: Vec<SavedCall>,
    /// What could not be read, in the order of the files.
    pub losses: Vec<Loss>,
}

/// Why a journal was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The directory or a segment could not be read.
    #[error("cannot read {}: {source}", .path.display())]
    Io {
        /// The directory or segment.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file bears a segment's name but is none.
    #[error("{} is not a journal of Baton, or its first bytes are damaged; move it out of the directory", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A segment was written by a newer Baton.
    #[error(
        "{} has journal format {found}, this Baton reads up to {FORMAT_VERSION}; \
         start the newer Baton here, or give this one another directory", .path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format version.
        found: u16,
    },
}

/// Reads the journal in `dir` without taking it: the latest record of each call that had not ended.
///
/// Cut-off and damaged bytes are passed over and told in [`Replay::losses`].
///
/// # Errors
/// If a file cannot be read, or is not this program's to read. Nothing is changed on disk.
pub fn read(dir: &Path) -> Result<Replay, ReadError> {
    scan(dir).map(|scan| scan.replay)
}

/// Zeros at the end of a segment from which on they are room of a reserve, worth going on in.
const LEAST_UNUSED: usize = 64 * 1024;

/// A read journal and where its records stand.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) replay: Replay,
    pub(super) index: Index,
    /// Room in the newest segment that its process did not come to use.
    pub(super) unused: Option<Unused>,
}

/// The state of a call in the middle of a scan.
struct Found {
    version: (Epoch, Revision),
    /// `None` once the call is over.
    record: Option<Vec<u8>>,
}

pub(super) fn scan(dir: &Path) -> Result<Scan, ReadError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| ReadError::Io { path, source }
    };
    let mut scan = Scan::default();
    let mut calls: BTreeMap<CallId, Found> = BTreeMap::new();
    for (number, path) in segment::list(dir).map_err(io(dir))? {
        let bytes = fs::read(&path).map_err(io(&path))?;
        scan.index.add_segment(number);
        scan.unused = None;
        match Header::of(&bytes) {
            Header::Ours => scan.segment(number, &path, &bytes, &mut calls),
            Header::Unfinished => {}
            Header::Newer(found) => return Err(ReadError::Newer { path, found }),
            Header::Foreign => return Err(ReadError::Foreign { path }),
        }
    }
    scan.replay.calls = calls
        .into_iter()
        .filter_map(|(call_id, Found { version: (epoch, revision), record })| {
            record.map(|record| SavedCall { call_id, epoch, revision, record })
        })
        .collect();
    Ok(scan)
}

impl Scan {
    fn segment(&mut self, number: u64, path: &Path, bytes: &[u8], calls: &mut BTreeMap<CallId, Found>) {
        let offset = |at: usize| u64::try_from(at).expect("a length fits u64");
        let mut end = HEADER_BYTES;
        for step in Frames::new(bytes, HEADER_BYTES) {
            let (at, bytes, kind) = match step {
                Step::Frame(at, frame) => {
                    end = at + frame.len;
                    let position = Position { segment: number, at: offset(at), bytes: frame.len };
                    if is_news(&frame.head, calls) {
                        self.index.apply(&frame.head, position);
                        let record = match frame.head.kind {
                            Kind::Save => Some(frame.payload.to_vec()),
                            Kind::Delete => None,
                        };
                        let version = (frame.head.epoch, frame.head.revision);
                        calls.insert(frame.head.call_id, Found { version, record });
                    }
                    continue;
                }
                Step::Damaged { at, bytes } => (at, bytes, LossKind::Damaged),
                Step::Torn { at, bytes } => (at, bytes, LossKind::Torn),
            };
            let loss = Loss { file: path.to_owned(), at: offset(at), bytes: offset(bytes), kind };
            self.replay.losses.push(loss);
        }
        let written = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1).max(end);
        if bytes.len() - written >= LEAST_UNUSED {
            let (end, written, bytes) = (offset(end), offset(written), offset(bytes.len()));
            self.unused = Some(Unused { number, end, written, bytes });
        }
    }
}

/// A frame counts if it is not older than what is known: a carried record may stand behind its successor.
fn is_news(head: &Head, calls: &BTreeMap<CallId, Found>) -> bool {
    let version = (head.epoch, head.revision);
    calls.get(&head.call_id).is_none_or(|known| match (head.kind, &known.record) {
        (Kind::Save, None) => version > known.version,
        (Kind::Save | Kind::Delete, _) => version >= known.version,
    })
}
