//! The record of a call: everything that is needed to go on with it elsewhere.
//!
//! ```text
//! ┌─────────┬───────────────────────────┐
//! │ version │ the Call, postcard 1.x    │
//! │ 1 byte  │ typically 1–4 kB          │
//! └─────────┴───────────────────────────┘
//! ```
//! The version names the shape of `Call`; a reader refuses what it does not know rather than guess.

use super::message::Record;
use super::{Call, MAX_RECORD_BYTES};

/// The shape that this build writes. 2: several trunks within one attempt. postcard writes no names: any change of what
/// is saved of a `Call` is another shape.
pub const FORMAT_VERSION: u8 = 2;

/// Why a record is not a call.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// There is nothing in it.
    #[error("the record is empty")]
    Empty,
    /// It was written in another format.
    #[error("the record has format {found}; this build reads format {FORMAT_VERSION}")]
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
            Some((&found, _)) => Err(RecordError::Version { found }),
        }
    }
}
