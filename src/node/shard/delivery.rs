//! What a shard tells the world: steps as they happen, results until they are taken.

use std::collections::VecDeque;
use std::sync::Arc;

use crossbeam_channel::Sender;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::Post;
use crate::call::{CallResult, Step};
use crate::id::{CallId, Epoch};
use crate::node::clock::Clock;
use crate::node::event::{Event, Receipt};
use crate::node::faults::Faults;
use crate::node::load::Load;

/// The shard's end of the event channel.
pub(super) struct Delivery {
    events: mpsc::Sender<Event>,
    /// Results that the channel had no room for. Each is of a call that is held in memory, and those are bounded.
    waiting: VecDeque<Event>,
    inbox: Sender<Post>,
    load: Arc<Load>,
    clock: Clock,
    faults: Arc<Faults>,
}

impl Delivery {
    pub(super) fn new(
        events: mpsc::Sender<Event>,
        inbox: Sender<Post>,
        load: Arc<Load>,
        clock: Clock,
        faults: Arc<Faults>,
    ) -> Self {
        Self { events, waiting: VecDeque::new(), inbox, load, clock, faults }
    }

    /// Tells a step if there is room for it: who watches slowly misses some.
    pub(super) fn step(&self, call: CallId, step: Step) {
        if !self.waiting.is_empty() || self.events.try_send(Event::Step { call, step }).is_err() {
            self.faults.count(
                self.clock.now(),
                "events",
                "step-dropped",
                "nobody takes the steps of calls in time",
            );
        }
    }

    /// Tells a result, now or later.
    pub(super) fn result(&mut self, call: CallId, epoch: Epoch, result: Box<CallResult>) {
        let receipt = Receipt::new(call, self.inbox.clone(), Arc::clone(&self.load));
        self.waiting.push_back(Event::Ended { call, epoch, result, receipt });
        self.flush();
    }

    /// Tells that this node can keep nothing any more.
    pub(super) fn failed(&mut self, what: String) {
        self.waiting.push_back(Event::Failed { what });
        self.flush();
    }

    /// Tells that the right to send has ended, and with it the calls.
    pub(super) fn silenced(&mut self, calls: usize) {
        self.waiting.push_back(Event::Silenced { calls });
        self.flush();
    }

    /// Tells what waits, as far as there is room.
    pub(super) fn flush(&mut self) {
        while let Some(event) = self.waiting.pop_front() {
            match self.events.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => return self.waiting.push_front(event),
                // Nobody will take it: it stays in the journal.
                Err(TrySendError::Closed(_)) => {}
            }
        }
    }

    /// Whether results wait.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }
}
