//! One process of the instance, and the disk that outlives it: the edge, as `node` is it, without threads.
//!
//! ```text
//! handle ─► Save ──► the group that gathers ──► one that is on its way to the disk ──► durable
//!           others ► parked behind their group ─────────────────────────────────────► carried out
//! ```

use std::collections::{BTreeMap, VecDeque};

use baton::call::{Call, Output, PlayId, Record, Recording, RecordingId};
use baton::id::{AttemptId, CallId, Epoch, Revision};
use baton::rtp::{EventReceiver, Numbers};
use baton::sync::Incarnation;
use baton::time::Timestamp;

/// What outlives the process.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    pub(crate) records: BTreeMap<CallId, Record>,
    /// The record before the last of each call, for a disk that loses what it has acknowledged.
    pub(crate) older: BTreeMap<CallId, Record>,
    /// Of takes that are being made, how much is written, in ms.
    pub(crate) chunks: BTreeMap<(CallId, RecordingId), u32>,
    /// Files of takes, and how long they are, in ms.
    pub(crate) files: BTreeMap<String, u32>,
    /// Results that are kept, as JSON.
    pub(crate) results: BTreeMap<AttemptId, serde_json::Value>,
}

/// What is written in one piece.
#[derive(Clone, Debug)]
pub(crate) enum Frame {
    Save(Record),
    Delete(CallId, Epoch, Revision),
}

impl Disk {
    pub(crate) fn write(&mut self, frame: &Frame) {
        match frame {
            Frame::Save(record) => {
                let before = self.records.insert(record.call_id, record.clone());
                self.older.extend(before.map(|before| (record.call_id, before)));
            }
            Frame::Delete(call, epoch, revision) => {
                let known = self.records.get(call).map(|record| (record.epoch, record.revision));
                if known.is_some_and(|known| known <= (*epoch, *revision)) {
                    self.records.remove(call);
                }
            }
        }
    }
}

/// A call as the process holds it.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) call: Call,
    pub(crate) callee: usize,
    pub(crate) parked: VecDeque<Parked>,
    pub(crate) saved: (Epoch, Revision),
    /// By the claim on whose key it fell to its owner, which has not saved it yet.
    pub(crate) fell: Option<Incarnation>,
    /// The question whose prompt comes next, as the last step told.
    pub(crate) asked: Option<String>,
    pub(crate) playing: VecDeque<Playing>,
    pub(crate) stream: Option<Stream>,
    pub(crate) ears: EventReceiver,
    pub(crate) take: Option<Take>,
    /// How often it was told that nothing comes from the callee.
    pub(crate) unheard: u32,
    pub(crate) told: bool,
    pub(crate) stored: bool,
    pub(crate) forgotten: bool,
}

#[derive(Debug)]
pub(crate) enum Parked {
    /// What stands behind this waits for the group.
    For(u64),
    Output(Box<Output>, (Epoch, Revision)),
}

/// A prompt that is being heard, or waits while we are held.
#[derive(Clone, Debug)]
pub(crate) struct Playing {
    pub(crate) play: PlayId,
    pub(crate) question: Option<String>,
    pub(crate) ends_at: Timestamp,
}

/// A recording that is being made.
#[derive(Clone, Debug)]
pub(crate) struct Take {
    pub(crate) order: Recording,
    pub(crate) began: Timestamp,
}

/// The RTP stream as it is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stream {
    /// Whether it is sent: not while the callee holds us.
    pub(crate) sends: bool,
    /// Whether keys are taken in: the payload type is agreed on.
    pub(crate) since: Timestamp,
    pub(crate) numbers: Numbers,
}

impl Live {
    pub(crate) fn new(call: Call, callee: usize, saved: (Epoch, Revision)) -> Self {
        Self {
            call,
            callee,
            parked: VecDeque::new(),
            saved,
            fell: None,
            asked: None,
            playing: VecDeque::new(),
            stream: None,
            ears: EventReceiver::new(None),
            take: None,
            unheard: 0,
            told: false,
            stored: false,
            forgotten: false,
        }
    }

    pub(crate) const fn is_done(&self) -> bool {
        self.told && self.stored && self.forgotten
    }
}

/// One process.
#[derive(Debug)]
pub(crate) struct Process {
    /// Which one, so that what was planned for another one is known.
    pub(crate) number: u32,
    pub(crate) calls: BTreeMap<CallId, Live>,
    pub(crate) gathering: Vec<Frame>,
    pub(crate) flying: Option<Vec<Frame>>,
    /// Number of the group that gathers.
    pub(crate) group: u64,
    /// All groups before this one are durable.
    pub(crate) durable: u64,
    /// Since when it is stopped.
    pub(crate) stopped: Option<Timestamp>,
}

impl Process {
    pub(crate) const fn new(number: u32) -> Self {
        Self {
            number,
            calls: BTreeMap::new(),
            gathering: Vec::new(),
            flying: None,
            group: 0,
            durable: 0,
            stopped: None,
        }
    }

    /// Its calls, and by which ownership it has them.
    pub(crate) fn owned(&self) -> impl Iterator<Item = (CallId, Epoch)> {
        self.calls.iter().map(|(call, live)| (*call, live.saved.0))
    }
}
