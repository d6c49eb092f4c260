//! Where the latest record of each live call stands, so that it can be carried over when its segment ages.

use std::collections::BTreeMap;

use super::frame::{Head, Kind};
use crate::id::{CallId, Epoch, Revision};

/// Where a frame stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) segment: u64,
    /// Offset in the segment, in bytes.
    pub(super) at: u64,
    /// Length of the frame, in bytes.
    pub(super) bytes: usize,
}

#[derive(Clone, Copy, Debug)]
struct Live {
    version: (Epoch, Revision),
    position: Position,
}

/// The live calls, and for each segment the live frames in it.
#[derive(Debug, Default)]
pub(super) struct Index {
    calls: BTreeMap<CallId, Live>,
    segments: BTreeMap<u64, BTreeMap<u64, CallId>>,
}

impl Index {
    /// Notes that a segment exists.
    pub(super) fn add_segment(&mut self, number: u64) {
        self.segments.entry(number).or_default();
    }

    /// Notes a frame that is now durable. One that is older than what is known changes nothing.
    pub(super) fn apply(&mut self, head: &Head, position: Position) {
        let version = (head.epoch, head.revision);
        if let Some(known) = self.calls.get(&head.call_id) {
            if version < known.version {
                return;
            }
            if let Some(frames) = self.segments.get_mut(&known.position.segment) {
                frames.remove(&known.position.at);
            }
        }
        match head.kind {
            Kind::Save => {
                self.calls.insert(head.call_id, Live { version, position });
                self.segments.entry(position.segment).or_default().insert(position.at, head.call_id);
            }
            Kind::Delete => {
                self.calls.remove(&head.call_id);
            }
        }
    }

    /// Live calls.
    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    /// Segments on disk.
    pub(super) fn segments(&self) -> usize {
        self.segments.len()
    }

    /// The newest segment's number; 0 if there is none.
    pub(super) fn newest(&self) -> u64 {
        self.segments.last_key_value().map_or(0, |(&number, _)| number)
    }

    /// The oldest segment, if no live frame stands in it.
    pub(super) fn oldest_if_dead(&self) -> Option<u64> {
        self.segments.first_key_value().filter(|(_, frames)| frames.is_empty()).map(|(&number, _)| number)
    }

    /// Forgets a segment that was removed.
    pub(super) fn remove_segment(&mut self, number: u64) {
        self.segments.remove(&number);
    }

    /// The live frames of the oldest segment, in their order.
    pub(super) fn in_oldest(&self) -> impl Iterator<Item = Position> {
        let oldest = self.segments.first_key_value();
        oldest.into_iter().flat_map(|(_, frames)| {
            frames.values().filter_map(|call_id| self.calls.get(call_id).map(|live| live.position))
        })
    }

    /// Forgets a call whose record turned out to be damaged.
    pub(super) fn forget(&mut self, position: Position) {
        if let Some(call_id) =
            self.segments.get_mut(&position.segment).and_then(|frames| frames.remove(&position.at))
        {
            self.calls.remove(&call_id);
        }
    }
}
