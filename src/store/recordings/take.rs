//! A take on its way to disk: its name, and what is ordered of it.

use std::fmt;

use crate::call::RecordingId;
use crate::id::CallId;
use crate::interview::RecordingEnd;

/// Characters of an item's id that a file name has; ids are shorter.
const MAX_ITEM: usize = 64;

/// A take of a question of a call. Prints as the name of its files: `9qbtzk2fgmsy3ctx-message-0`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Take {
    /// The call.
    pub call: CallId,
    /// Id of the question.
    pub item: String,
    /// Which take of it.
    pub number: u8,
    /// Its number among all recordings of the call, by which the call knows it.
    pub recording: RecordingId,
}

/// What the store has to do. Orders of one take come in order.
#[derive(Debug)]
pub enum Order {
    /// Keep this too; the first chunk begins the take.
    Chunk {
        /// Which take.
        take: std::sync::Arc<Take>,
        /// At most 2 s, 16-bit at 8 kHz.
        samples: Box<[i16]>,
    },
    /// Make a file of what was kept, and tell.
    Finish {
        /// Which take.
        take: std::sync::Arc<Take>,
        /// How much of it: what follows is the silence at its end. Absent: all.
        keep_samples: Option<u64>,
        /// Why it is over.
        ended_by: RecordingEnd,
    },
    /// Forget what was kept.
    Discard {
        /// Which take.
        take: std::sync::Arc<Take>,
    },
}

impl Order {
    /// Which take it is about.
    pub(super) fn take(&self) -> &Take {
        match self {
            Self::Chunk { take, .. } | Self::Finish { take, .. } | Self::Discard { take } => take,
        }
    }
}

impl fmt::Display for Take {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-", self.call)?;
        for character in self.item.chars().take(MAX_ITEM) {
            let plain = character.is_ascii_alphanumeric() || character == '_';
            write!(f, "{}", if plain { character } else { '_' })?;
        }
        write!(f, "-{}", self.number)
    }
}

/// The call whose file this is, by its name.
pub(super) fn call_of(name: &str) -> Option<CallId> {
    name.split_once('-')?.0.parse().ok()
}
