//! The record of a call: everything that is needed to go on with it elsewhere.
//!
//! ```text
//! ┌─────────┬───────────────────────────┐
//! │ version │ the Call, postcard 1.x    │
//! │ 1 byte  │ typically 1–4 kB          │
//! └─────────┴───────────────────────────┘
//! ```
//! The version names the shape of `Call`; a reader refuses what it does not know rather than guess.

mod earlier;

use super::message::Record;
use super::trunks::Trunks;
use super::{Call, MAX_RECORD_BYTES};

use earlier::{Change, Reader};

/// The shape that this build writes. postcard writes no names: any change of what is saved of a `Call` is another shape
/// (CONTRIBUTING.md says how it is made), but for a new variant at the end of its enum.
pub const FORMAT_VERSION: u8 = 4;

/// The oldest shape that this build reads.
pub const OLDEST_FORMAT: u8 = 1;

/// What each format has changed, the oldest first.
const CHANGES: &[(u8, &[Change])] = &[
    // Several trunks within one attempt.
    (
        2,
        &[
            Change::NewField { of: "Call", field: "trunks" },
            Change::LostField {
                of: "Subject",
                before: "questionnaire",
                take: |reader| {
                    reader.aside.trunk = Some(reader.read()?);
                    Ok(())
                },
            },
        ],
    ),
    // Redirections that are not followed, trunks that are passed over in mid-call, media before the answer. (And a callee
    // who holds the call, and the moment before the BYE, at the end of `Doing`.)
    (
        3,
        &[
            Change::NewField { of: "Trunks", field: "not_followed" },
            Change::NewField { of: "Trunks", field: "passed_over" },
            Change::NewField { of: "Tried", field: "not_followed" },
            Change::NewField { of: "MediaReport", field: "early" },
        ],
    ),
    // Takeovers by other instances.
    (
        4,
        &[
            Change::NewField { of: "Call", field: "takeovers" },
            Change::NewField { of: "Calling", field: "left" },
            Change::NewField { of: "Inviting", field: "moves_until" },
        ],
    ),
];

/// Why a record is not a call.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// There is nothing in it.
    #[error("the record is empty")]
    Empty,
    /// It was written in another format.
    #[error("the record has format {found}; this build reads formats {OLDEST_FORMAT} to {FORMAT_VERSION}")]
    Version {
        /// The format it names.
        found: u8,
    },
    /// It is longer than a record may be.
    #[error("the record has {bytes} bytes; at most {MAX_RECORD_BYTES} are allowed")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// It names a known format and is not in it.
    #[error("the record is damaged")]
    Malformed(#[source] postcard::Error),
}

impl Call {
    /// The call as it stands, ready to be saved.
    #[must_use]
    pub fn record(&self) -> Record {
        let bytes = postcard::to_extend(self, vec![FORMAT_VERSION])
            .expect("every part of a call has a length that postcard knows");
        Record { call_id: self.subject.call_id, epoch: self.epoch, revision: self.revision, bytes }
    }

    /// The call that was saved. Tell it [`Input::Restored`](super::Input::Restored) before anything else.
    ///
    /// # Errors
    /// [`RecordError`] if the bytes are not a record of a known format.
    pub fn restore(bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.len() > MAX_RECORD_BYTES {
            return Err(RecordError::TooLong { bytes: bytes.len() });
        }
        match bytes.split_first() {
            None => Err(RecordError::Empty),
            Some((&FORMAT_VERSION, call)) => postcard::from_bytes(call).map_err(RecordError::Malformed),
            Some((&found @ OLDEST_FORMAT..FORMAT_VERSION, call)) => {
                earlier(found, call).map_err(RecordError::Malformed)
            }
            Some((&found, _)) => Err(RecordError::Version { found }),
        }
    }
}

/// A call as an earlier build has saved it.
fn earlier(format: u8, bytes: &[u8]) -> postcard::Result<Call> {
    let since = CHANGES.iter().filter(|(changed, _)| *changed > format);
    let mut reader = Reader::new(bytes, since.flat_map(|(_, changes)| *changes).copied().collect());
    let mut call: Call = reader.read()?;
    if let Some(trunk) = reader.aside.trunk {
        call.trunks = Trunks::one(call.times.started, trunk);
    }
    Ok(call)
}
