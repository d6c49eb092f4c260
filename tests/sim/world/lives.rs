//! Deaths and what goes on after them: the next process on the same host, or another instance.
//!
//! ```text
//! dies ─┬─► Restart ──► own records ─────────────► Restored     same address, same stream
//!       └─► TakeOver ─► mirrored records, host +1 ─► TakenOver  another address and stream; owned anew by an epoch
//! ```
//! What a group of saves has reached its mirrors of when its owner dies stands on the same disk as its journal: nothing
//! that was sent depends on the difference.

use super::*;

impl World<'_> {
    /// The process is no more; of the group of saves on its way so much is there. False: there is none.
    pub(super) fn dies(&mut self, torn: u8) -> bool {
        let Some(process) = self.process.take() else { return false };
        self.judge.is_excused = true;
        let flying = process.flying.unwrap_or_default();
        let whole = flying.len() * usize::from(torn) / 256;
        for frame in flying.iter().take(whole) {
            self.write(frame);
        }
        self.died = Some((self.now, self.clock()));
        self.stalled.clear();
        true
    }

    pub(super) fn restart(&mut self) {
        self.say(|| "the next process begins".to_owned());
        let (has_calls, booted) = (!self.disk.records.is_empty(), std::mem::take(&mut self.booted));
        let alive = self.died.map(|(_, by_its_clock)| beat(by_its_clock));
        let floor = alive.filter(|_| self.switch != Switch::ClockGoesBack);
        self.clocks.begin(self.now, floor, has_calls, booted);
        // In a cluster it is another incarnation, and owns its calls anew.
        let epoch = self.scenario.is_cluster().then(|| self.owns());
        let own = self.regains;
        self.begins(alive, |record| match epoch {
            Some(_) if record.epoch < own => None,
            epoch => Some(epoch),
        });
    }

    /// Another instance has the records, and goes on with the calls. Recordings that were being made stay behind.
    pub(super) fn take_over(&mut self, skew_ms: i64) {
        self.host += 1;
        self.say(|| format!("another instance goes on, whose clock is {skew_ms} ms ahead"));
        self.clocks.moves(skew_ms);
        self.booted = false;
        self.disk.chunks.clear();
        self.judge.all_move();
        self.regains = self.owns();
        let alive = self.died.map(|(died, _)| self.clocks.at(beat(died)));
        let stays = (self.switch == Switch::MovesUnsaid).then_some(self.regains);
        self.begins(alive, |_| stays.map(Some));
    }

    /// Owns the calls from now on, by the engine's word.
    fn owns(&mut self) -> Epoch {
        let epoch = Epoch(self.epochs.last().map_or(0, |last| last.0 + 1));
        self.epochs.push(epoch);
        epoch
    }

    /// The next process goes on with what the one before has left: with its own calls under the epoch that `restored`
    /// says, and with those for which it says nothing as with another's.
    fn begins(&mut self, alive: Option<Timestamp>, restored: impl Fn(&Record) -> Option<Option<Epoch>>) {
        self.process = Some(Process::new(self.processes));
        self.processes += 1;
        let source = if self.switch == Switch::StaleRecords { &self.disk.older } else { &self.disk.records };
        let records: Vec<_> = source
            .values()
            .filter(|record| self.disk.records.contains_key(&record.call_id))
            .cloned()
            .collect();
        for record in records {
            let call = Call::restore(&record.bytes).expect("it was written by us");
            let callee = self.placed.iter().find(|(_, id)| **id == record.call_id).map(|(callee, _)| *callee);
            let callee = callee.expect("every call was placed");
            let input = match restored(&record) {
                Some(_) if call.is_talking() && self.portless.contains(&record.call_id) => Input::PortsLost,
                Some(epoch) => Input::Restored { alive, epoch },
                None => Input::TakenOver(Box::new(self.taken_over(&record, &call, callee, alive))),
            };
            let live = Live::new(call, callee, (record.epoch, record.revision));
            let process = self.process.as_mut().expect("it has begun");
            process.calls.insert(record.call_id, live);
            self.feed(record.call_id, input);
        }
        if self.switch == Switch::PlacesAgain {
            self.waiting.extend(self.placed.keys().copied());
        }
        for callee in std::mem::take(&mut self.waiting) {
            self.place(callee);
        }
    }

    fn taken_over(
        &mut self,
        record: &Record,
        call: &Call,
        callee: usize,
        alive: Option<Timestamp>,
    ) -> TakenOver {
        let claims = self.epochs.iter().filter(|epoch| **epoch > record.epoch).count();
        let media = self.port_for(call, callee);
        TakenOver {
            epoch: *self.epochs.last().expect("it owns them"),
            claims: u32::try_from(claims).expect("few"),
            stale: self.dice.one_in(4),
            alive: alive.filter(|_| !self.dice.one_in(8)),
            sent_by: vec![self.here()],
            media,
        }
    }

    /// Nobody listens for a call that has no media, and now and then there is no port.
    pub(super) fn port_for(&mut self, call: &Call, callee: usize) -> Option<SocketAddr> {
        let has_port = call.is_talking() && !self.dice.one_in(20);
        if has_port {
            self.portless.remove(&call.id());
        } else if call.is_talking() {
            self.portless.insert(call.id());
        }
        has_port.then(|| SocketAddr::new(self.here().ip(), media_port(callee)))
    }
}

/// A process notes only now and then that it lives.
pub(super) fn beat(died: Timestamp) -> Timestamp {
    Timestamp::from_micros(died.as_micros() / (BEAT_MS * 1_000) * (BEAT_MS * 1_000))
}
