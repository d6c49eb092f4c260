//! Whether there is room on the journal's disk, and what is said of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::counts::Counters;
use super::reserve::Reserve;
use super::segment::Segment;

/// How often the disk is looked at.
pub(super) const LOOK: Duration = Duration::from_secs(1);
/// How often it is said that it is full.
const SAY: Duration = Duration::from_secs(60);

/// The room of a journal.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) reserve: Reserve,
    counters: Arc<Counters>,
    full: bool,
    looked: Instant,
    said: Option<Instant>,
}

impl Room {
    /// Takes the reserve, if there is room for it.
    pub(super) fn new(mut reserve: Reserve, counters: Arc<Counters>, active: Option<&Segment>) -> Self {
        if let Err(error) = reserve.find() {
            tracing::warn!(%error, "the reserve of the journal cannot be read; it is taken anew");
        }
        let mut room = Self { reserve, counters, full: false, looked: Instant::now(), said: None };
        if room.reserve.is_wanted() {
            room.look(active);
        } else if let Err(error) = room.reserve.fill() {
            tracing::warn!(%error, "the reserve of an earlier process stays, though the settings want none");
        }
        room
    }

    /// Whether the disk is full.
    pub(super) const fn is_full(&self) -> bool {
        self.full
    }

    /// When the disk is to be looked at next; `None`: never.
    pub(super) fn due(&self) -> Option<Duration> {
        self.reserve.is_wanted().then(|| LOOK.saturating_sub(self.looked.elapsed()))
    }

    /// Looks at the disk if it is time to. `active` is the segment that is being written.
    pub(super) fn look_if_due(&mut self, active: Option<&Segment>) {
        if self.due().is_some_and(|due| due.is_zero()) {
            self.look(active);
        }
        self.tell(active);
    }

    fn look(&mut self, active: Option<&Segment>) {
        self.looked = Instant::now();
        let free = match self.reserve.free() {
            Ok(free) => free,
            Err(error) => return tracing::warn!(%error, "the room on the journal's disk is not known"),
        };
        let mut enough = free >= self.reserve.needed(!self.full);
        if enough && !self.reserve.is_whole() {
            enough = match self.reserve.fill() {
                Ok(()) => true,
                Err(error) => {
                    tracing::debug!(%error, "the reserve of the journal cannot be taken");
                    false
                }
            };
        }
        if enough {
            if std::mem::replace(&mut self.full, false) {
                self.said = None;
                tracing::info!(free, "there is room on the journal's disk again: calls are taken");
            }
        } else {
            self.full = true;
            self.say(free, active);
        }
        self.tell(active);
    }

    /// The disk refused a write, and the reserve is being spent.
    pub(super) fn spent(&mut self, active: &Segment) {
        self.full = true;
        self.say(self.reserve.free().unwrap_or_default(), Some(active));
        self.tell(Some(active));
    }

    /// Bytes of the reserve that are left.
    fn left(&self, active: Option<&Segment>) -> u64 {
        let spending = active.map_or(0, Segment::reserved);
        spending + if self.reserve.is_whole() { self.reserve.bytes() } else { 0 }
    }

    fn tell(&self, active: Option<&Segment>) {
        self.counters.room(self.full, self.left(active));
    }

    /// Says that the disk is full: at once, then once in a while.
    fn say(&mut self, free: u64, active: Option<&Segment>) {
        if self.said.is_some_and(|said| said.elapsed() < SAY) {
            return;
        }
        self.said = Some(Instant::now());
        let (needed, reserve_left) = (self.reserve.needed(false), self.left(active));
        tracing::error!(
            free,
            needed,
            reserve_left,
            "the journal's disk is full: no new calls are taken, those under way go on from its reserve. \
             Make room on it; calls are taken again by themselves when `needed` bytes are free"
        );
    }
}
