//! What callees say when they are asked to speak: the recorder of the media engine, and the store behind it.
//!
//! ```text
//! Record ─► a look each 250 ms ─ a chunk on the disk every 2 s ─► silence, maximum, nothing said, StopRecord
//!                                        │ the process dies                        │
//!                                        └─► KeepRecording ────────────────────────┴─► a file ─► Taken
//! ```

use super::*;

/// From one look to the next.
const LOOK: Duration = Duration::from_millis(250);
/// What is heard is written in pieces of this length, in ms.
const CHUNK_MS: u32 = 2_000;
/// A store that is slower than a call waits for.
const SLOW: Duration = Duration::from_secs(7);

impl World<'_> {
    pub(super) fn record(&mut self, id: CallId, order: Recording) {
        let number = self.number().expect("a process records it");
        self.say(|| format!("{id}: records {:?}", order.recording));
        let recording = order.recording;
        let began = self.now;
        self.live_call(id).take = Some(Take { order, began });
        self.plan(LOOK, Happening::Listens(number, id, recording));
    }

    /// What was said since the recording began: whether anything was, and since when it has been quiet.
    fn said(&self, callee: usize, began: Timestamp) -> Option<Timestamp> {
        let (from, until) = self.phones[callee].speech?;
        let (from, until) = (from.max(began), until.min(self.now));
        (from < until).then_some(until)
    }

    fn take(&mut self, id: CallId, recording: RecordingId) -> Option<(Take, usize)> {
        let live = self.process.as_ref().and_then(|process| process.calls.get(&id))?;
        let take = live.take.clone().filter(|take| take.order.recording == recording)?;
        Some((take, live.callee))
    }

    /// A recorder looks whether the callee has finished.
    pub(super) fn listens(&mut self, id: CallId, recording: RecordingId) {
        let Some((Take { order, began }, callee)) = self.take(id, recording) else { return };
        let lasted = self.now.since(began);
        let quiet = self.said(callee, began);
        if quiet.is_some() {
            let whole = u32::try_from(lasted.as_millis()).expect("short") / CHUNK_MS * CHUNK_MS;
            if whole > 0 {
                self.disk.chunks.insert((id, recording), whole);
            }
        }
        match (quiet, order.silence_end) {
            (None, _) if lasted >= order.no_input => {
                self.taken(id, recording, Taken::Nothing, Duration::ZERO)
            }
            (Some(_), _) if lasted >= order.max => self.store(id, recording, RecordingEnd::Max),
            (Some(since), Some(end)) if self.now.since(since) >= end => {
                self.store(id, recording, RecordingEnd::Silence);
            }
            (_, _) => {
                let number = self.number().expect("it listens");
                self.plan(LOOK, Happening::Listens(number, id, recording));
            }
        }
    }

    pub(super) fn stop_record(&mut self, id: CallId, recording: RecordingId, stop: Stop) {
        if self.take(id, recording).is_none() {
            return; // it is being stored
        }
        match stop {
            Stop::Discard => {
                self.live_call(id).take = None;
                self.disk.chunks.remove(&(id, recording));
            }
            Stop::Keep(ended_by) => self.store(id, recording, ended_by),
        }
    }

    /// What the process before has written of a recording.
    pub(super) fn keep_recording(&mut self, id: CallId, recording: RecordingId) {
        if self.take(id, recording).is_some() {
            return self.store(id, recording, RecordingEnd::HangUp);
        }
        if let Some(ms) = self.disk.files.get(&name(id, recording)).copied() {
            return self.kept(id, recording, ms, RecordingEnd::HangUp); // nobody was told of it
        }
        match self.disk.chunks.get(&(id, recording)).copied() {
            Some(ms) => self.file(id, recording, ms, RecordingEnd::HangUp),
            None => self.taken(id, recording, Taken::Nothing, Duration::ZERO),
        }
    }

    /// The callee has finished: a file is made of it.
    fn store(&mut self, id: CallId, recording: RecordingId, ended_by: RecordingEnd) {
        let Some((Take { began, .. }, callee)) = self.take(id, recording) else { return };
        self.live_call(id).take = None;
        if self.said(callee, began).is_none() {
            return self.taken(id, recording, Taken::Nothing, Duration::ZERO);
        }
        let ms = u32::try_from(self.now.since(began).as_millis()).expect("short");
        self.disk.chunks.insert((id, recording), ms);
        self.file(id, recording, ms, ended_by);
    }

    fn file(&mut self, id: CallId, recording: RecordingId, ms: u32, ended_by: RecordingEnd) {
        let number = self.number().expect("a process writes it");
        let callee = self.live_call(id).callee;
        let after = Duration::from_micros(1_000 + self.dice.below(self.scenario.disk_ms * 1_000));
        match self.scenario.callees[callee].speech.disk {
            Shelf::Full => {
                let why = "no space left on device".to_owned();
                self.taken(id, recording, Taken::Failed { why, saved_ms: 0 }, after);
            }
            Shelf::Slow => self.plan(SLOW, Happening::Filed(number, id, recording, ms, ended_by)),
            Shelf::Sound if self.switch == Switch::TellsTooSoon => {
                self.kept(id, recording, ms, ended_by);
            }
            Shelf::Sound => self.plan(after, Happening::Filed(number, id, recording, ms, ended_by)),
        }
    }

    /// The file is durable.
    pub(super) fn filed(&mut self, id: CallId, recording: RecordingId, ms: u32, ended_by: RecordingEnd) {
        let file = name(id, recording);
        let before = self.disk.files.insert(file.clone(), ms).filter(|before| *before != ms);
        self.judge.files(&file, before);
        self.disk.chunks.remove(&(id, recording));
        self.kept(id, recording, ms, ended_by);
    }

    fn kept(&mut self, id: CallId, recording: RecordingId, ms: u32, ended_by: RecordingEnd) {
        let file = name(id, recording);
        let digest = Digest::of(format!("{file} {ms}").as_bytes());
        let kept = Kept { file, duration_ms: ms, digest, ended_by };
        self.taken(id, recording, Taken::Kept(kept), Duration::from_micros(500));
    }

    fn taken(&mut self, id: CallId, recording: RecordingId, taken: Taken, after: Duration) {
        let number = self.number().expect("a process is told");
        if let Some(live) = self.process.as_mut().and_then(|process| process.calls.get_mut(&id)) {
            live.take.take_if(|take| take.order.recording == recording);
        }
        let input = Box::new(Input::Taken { recording, taken });
        self.plan(after, Happening::Told(number, id, input));
    }
}

fn name(id: CallId, recording: RecordingId) -> String {
    format!("{id}-{}.wav", recording.0)
}
